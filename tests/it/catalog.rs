//! The embedded catalog says what its inputs say, names mean what they must, and overlays complain in the right place.

use std::collections::BTreeMap;
use std::path::Path;

use openmux::catalog::file::Overlay;
use openmux::catalog::price::Item;
use openmux::catalog::resolve::{ResolveError, resolve};
use openmux::catalog::{Capability, Catalog, Endpoint, EndpointId, ModelId, ProviderId, ProviderKind, Status};
use serde_json::Value;

fn snapshot() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/catalog/builtin/input/snapshot.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn everything(catalog: &Catalog) -> BTreeMap<EndpointId, Endpoint> {
    let lines = catalog.models().flat_map(|model| model.endpoints().map(|line| line.endpoint()).collect::<Vec<_>>());
    lines.map(|endpoint| (endpoint.id.clone(), endpoint)).collect()
}

#[test]
fn every_record_of_the_snapshot_reads_back() {
    let snapshot = snapshot();
    let catalog = Catalog::builtin();
    let endpoints = everything(&catalog);
    let wanted = snapshot["endpoints"].as_array().unwrap();
    assert_eq!((endpoints.len(), catalog.models().count(), catalog.providers().len()), (wanted.len(), 2985, 290));
    for record in wanted {
        let text = |key: &str| record.get(key).and_then(Value::as_str);
        let count = |key: &str| record.get(key).and_then(Value::as_u64);
        let id = EndpointId {
            provider: ProviderId::new(text("provider").unwrap()),
            upstream_model: text("id").unwrap().to_owned(),
        };
        let found = &endpoints[&id];
        assert_eq!(Some(found.model.as_str()), text("model"), "{id}");
        assert_eq!(found.context.map(|tokens| tokens.count()), count("context"), "{id}");
        assert_eq!(found.max_output.map(|tokens| tokens.count()), count("max_output"), "{id}");
        assert_eq!(found.max_input.map(|tokens| tokens.count()), count("max_input"), "{id}");
        assert_eq!(found.protocol.map(|protocol| protocol.name()), text("protocol"), "{id}");
        assert_eq!(found.kind.name(), text("kind").unwrap(), "{id}");
        assert_eq!(found.region.as_deref(), text("region"), "{id}");
        assert_eq!(found.quant.as_deref(), text("quant"), "{id}");
        assert_eq!(found.sunset.as_deref(), text("sunset"), "{id}");
        let words = |key: &str| record.get(key).and_then(Value::as_array).map_or(0, Vec::len);
        assert_eq!(found.capabilities.len(), words("features"), "{id}");
        assert_eq!(found.input.len(), words("input"), "{id}");
        assert_eq!(found.variant.len(), words("variant"), "{id}");
        assert_eq!(found.reasoning_options.len(), words("reasoning_options"), "{id}");
        priced_alike(&catalog, record, found);
    }
}

/// Every price of the record is in the sheet, to the character once zeros are trimmed; a plan has none.
fn priced_alike(catalog: &Catalog, record: &Value, found: &Endpoint) {
    let id = &found.id;
    let plan = catalog.provider(&id.provider).unwrap().kind == ProviderKind::Plan;
    let Some(price) = record.get("price").and_then(Value::as_object).filter(|_| !plan) else {
        assert_eq!(found.pricing, None, "{id}");
        return;
    };
    let sheet = found.pricing.as_ref().unwrap();
    for item in Item::ALL {
        let wanted = price.get(item.key()).and_then(Value::as_str).map(|text| text.parse().unwrap());
        if wanted.is_some() {
            assert_eq!(sheet.base(item), wanted, "{id} {item}");
        }
    }
    let tiers = price.get("tiers").and_then(Value::as_array).map_or(0, Vec::len);
    assert_eq!(sheet.rates.get(&Item::Input).map_or(0, |rate| rate.tiers.len()), tiers, "{id}");
    assert_eq!(sheet.off_peak.is_some(), price.contains_key("off_peak"), "{id}");
    let fees = ["web_search_per_1k", "per_request", "requests_per_1k", "per_input_image", "per_output_image"];
    let fees = fees.iter().chain(&["per_input_second", "per_output_second"]).filter(|key| price.contains_key(**key));
    assert_eq!(sheet.fees.len(), fees.count(), "{id}");
    let service = price.keys().filter(|key| ["batch_", "flex_", "priority_"].iter().any(|tier| key.starts_with(tier)));
    assert_eq!(sheet.service.values().map(BTreeMap::len).sum::<usize>(), service.count(), "{id}");
}

#[test]
fn one_look_up_gives_what_reading_everything_gives() {
    let catalog = Catalog::builtin();
    for line in catalog.models().step_by(97) {
        let id = ModelId::new(line.id());
        assert_eq!(catalog.model(&id), Some(line.model()));
        let mut read: Vec<Endpoint> = line.endpoints().map(|line| line.endpoint()).collect();
        read.sort_by(|a, b| a.id.cmp(&b.id));
        assert_eq!(catalog.endpoints_for(&id), read);
    }
    assert_eq!(catalog.model(&ModelId::new("anthropic/claude-sonnet")), None, "nothing is matched by prefix");
    for provider in catalog.providers() {
        assert_eq!(catalog.provider(&provider.id), Some(provider));
    }
}

#[test]
fn claude_sonnet_4_has_its_status_at_each_of_its_three_providers() {
    let catalog = Catalog::builtin();
    let told: Vec<String> = catalog
        .endpoints_for(&ModelId::new("anthropic/claude-sonnet-4"))
        .into_iter()
        .filter(|endpoint| ["anthropic", "google-vertex", "amazon-bedrock"].contains(&endpoint.id.provider.as_str()))
        .filter(|endpoint| endpoint.region.is_none())
        .map(|endpoint| format!("{} {} {:?}", endpoint.id.provider, endpoint.status.name(), endpoint.sunset))
        .collect();
    assert_eq!(
        told,
        ["amazon-bedrock retired Some(\"2026-10-14\")", "anthropic unlisted None", "google-vertex deprecated None"]
    );
}

#[test]
fn names_mean_what_they_must() {
    let catalog = Catalog::builtin();
    let meant = |typed: &str| {
        let resolved = resolve(&catalog, typed).unwrap();
        let suffix = resolved.provider.map(|id| id.to_string()).or(resolved.variant).unwrap_or_default();
        format!("{} {suffix}", resolved.model)
    };
    assert_eq!(meant("anthropic/claude-sonnet-5"), "anthropic/claude-sonnet-5 ");
    assert_eq!(meant("Claude-Sonnet-5"), "anthropic/claude-sonnet-5 ");
    assert_eq!(meant("claude-sonnet-4-5"), "anthropic/claude-sonnet-4.5 ");
    assert_eq!(meant("claude-sonnet-5:amazon-bedrock"), "anthropic/claude-sonnet-5 amazon-bedrock");
    for (alias, model) in catalog.aliases() {
        let resolved = resolve(&catalog, alias).unwrap();
        assert!(resolved.model.as_str() == model || resolved.model.as_str() == alias, "{alias}");
    }
    let free = catalog.models().find_map(|model| {
        let variant = model.endpoints().map(|line| line.endpoint()).find(|e| e.variant == ["free"]);
        variant.map(|_| format!("{}:free", model.id()))
    });
    assert!(meant(&free.unwrap()).ends_with(" free"));
}

#[test]
fn a_name_that_means_nothing_says_what_is_near() {
    let catalog = Catalog::builtin();
    let near = |typed: &str| match resolve(&catalog, typed) {
        Err(ResolveError::Unknown { suggestions, .. }) => suggestions.iter().map(ToString::to_string).collect(),
        other => panic!("{typed}: {other:?}"),
    };
    let near = |typed: &str| -> Vec<String> { near(typed) };
    assert_eq!(near("claude-sonet-4")[0], "anthropic/claude-sonnet-4");
    assert!(near("claude-sonet-4").iter().all(|id| id.starts_with("anthropic/claude-sonnet-")));
    assert_eq!(near("openai/gpt-4oo")[0], "openai/gpt-4o");
    assert_eq!(near("qqqqqqqq"), Vec::<String>::new());
    let suffix = resolve(&catalog, "claude-sonnet-5:nowhere");
    assert!(
        matches!(suffix, Err(ResolveError::UnknownSuffix { providers, .. }) if providers.contains(&"vercel".to_owned()))
    );
}

const LOCAL: &str = r#"
[provider.local]
protocol = "openai-chat"
base_url = "http://127.0.0.1:8080/v1"
key_env  = "LOCAL_KEY"

[[endpoint]]
provider = "local"
model    = "huggingface/smollm2-135m-instruct"
id       = "smollm2"
context  = 2048
price    = { input = "0.10", output = "0.20", cache_read = "0.01", tiers = [{ over = 1000, input = "0.30" }] }

[[endpoint]]
provider = "anthropic"
model    = "anthropic/claude-sonnet-5"
id       = "claude-sonnet-5"
price    = { input = "1", output = "2" }

[[endpoint]]
provider = "vercel"
model    = "anthropic/claude-sonnet-5"
id       = "anthropic/claude-sonnet-5"
hide     = true

[[endpoint]]
provider = "local"
model    = "me/own"
id       = "own"
like     = "anthropic/claude-sonnet-5"
"#;

fn laid(text: &str) -> Catalog {
    Catalog::builtin().with_overlays(vec![Overlay::parse("x.toml", text).unwrap()]).unwrap()
}

#[test]
fn an_overlay_adds_corrects_hides_and_inherits_limits_but_no_price() {
    let catalog = laid(LOCAL);
    let of = |model: &str, provider: &str| {
        let mut found = catalog.endpoints_for(&ModelId::new(model)).into_iter();
        found.find(|endpoint| endpoint.id.provider.as_str() == provider && endpoint.is_plain())
    };
    let added = of("huggingface/smollm2-135m-instruct", "local").unwrap();
    assert_eq!(added.pricing.as_ref().unwrap().base(Item::CacheRead), Some("0.01".parse().unwrap()));
    assert_eq!(added.overlay.as_deref(), Some("x.toml"));
    let corrected = of("anthropic/claude-sonnet-5", "anthropic").unwrap();
    assert_eq!(corrected.pricing.as_ref().unwrap().base(Item::Input), Some("1".parse().unwrap()));
    assert_eq!(corrected.pricing.as_ref().unwrap().base(Item::CacheRead), None, "a price replaces the whole sheet");
    assert_eq!(corrected.context.map(|tokens| tokens.count()), Some(1_000_000), "the rest stays");
    assert_eq!(of("anthropic/claude-sonnet-5", "vercel"), None);
    let own = of("me/own", "local").unwrap();
    assert_eq!((own.context.map(|tokens| tokens.count()), own.pricing.clone()), (Some(1_000_000), None));
    assert!(own.can(Capability::Tools));
    assert!(catalog.models().any(|line| line.id() == "me/own"));
    assert_eq!(resolve(&catalog, "own").unwrap().model.as_str(), "me/own");
    assert_eq!(own.status, Status::Active);
}

#[test]
fn an_overlay_over_itself_is_itself() {
    let once = laid(LOCAL);
    let overlay = || Overlay::parse("x.toml", LOCAL).unwrap();
    let twice = Catalog::builtin().with_overlays(vec![overlay(), overlay()]).unwrap();
    assert_eq!(everything(&once), everything(&twice));
    assert_eq!(once.providers(), twice.providers());
}

#[test]
fn a_mistake_in_an_overlay_is_named_with_its_file_line_and_key() {
    let wrong = |text: &str| {
        let parsed = Overlay::parse("x.toml", text);
        let laid = parsed.and_then(|overlay| Catalog::builtin().with_overlays(vec![overlay]));
        laid.map(|_| ()).unwrap_err().to_string()
    };
    let endpoint = |line: &str| format!("[[endpoint]]\nprovider = \"openai\"\nmodel = \"a/b\"\nid = \"c\"\n{line}\n");
    let told = [
        wrong("[provider.x\n"),
        wrong("[provider.x]\nbase_ulr = \"https://a.b\"\n"),
        wrong("[provider.x]\nbase_url = \"http://example.com/v1\"\n"),
        wrong("[provider.x]\nprotocol = \"openai\"\nbase_url = \"https://a.b\"\n"),
        wrong("[provider.x]\nbase_url = \"https://a.b\"\nkey_env = \"sk-123\"\n"),
        wrong(&endpoint("price = { inptu = \"1\" }")),
        wrong(&endpoint("price = { input = 1.5 }")),
        wrong(&endpoint("price = { input = \"-1\" }")),
        wrong(&endpoint("context = \"many\"")),
        wrong(&endpoint("features = [\"tolos\"]")),
        wrong("[[endpoint]]\nprovider = \"nobody\"\nmodel = \"a/b\"\nid = \"c\"\n"),
        wrong("[[endpoint]]\nprovider = \"openai\"\nmodel = \"b\"\nid = \"c\"\n"),
        wrong(&(endpoint("") + &endpoint(""))),
    ];
    insta::assert_snapshot!(told.join("\n"));
}
