//! The embedded catalog against its input, names, and overlays.

use openmux::catalog::file::Overlay;
use openmux::catalog::price::Item;
use openmux::catalog::resolve::{ResolveError, Resolved, resolve};
use openmux::catalog::{
    Auth, Capability, Catalog, Endpoint, ModelId, ModelKind, Protocol, ProviderId, ProviderKind, Status,
};
use openmux::upstream::auth::{Address, Vars, address};

use crate::generated::FACTS;

fn endpoints(catalog: &Catalog, model: &str) -> Vec<Endpoint> {
    catalog.endpoints_for(&ModelId::new(model))
}

#[test]
fn everything_that_was_read_comes_back() {
    let catalog = Catalog::builtin();
    assert_eq!((FACTS.providers.len(), FACTS.models.len(), FACTS.endpoints.len()), (290, 2985, 13109));
    assert_eq!(catalog.generated(), "2026-11-24");
    assert_eq!(catalog.providers(), FACTS.providers);
    for provider in &FACTS.providers {
        assert_eq!(catalog.provider(&provider.id).as_ref(), Some(provider));
    }
    let mut listed = Vec::new();
    for (line, model) in catalog.models().zip(&FACTS.models) {
        assert_eq!(&line.model(), model);
        assert_eq!(catalog.model(&model.id).as_ref(), Some(model));
        let mine = endpoints(&catalog, model.id.as_str());
        assert_eq!(line.endpoints().map(|e| e.endpoint()).collect::<Vec<_>>(), mine);
        listed.extend(mine);
    }
    assert_eq!(catalog.models().count(), FACTS.models.len());
    assert_eq!(listed, FACTS.endpoints);
}

#[test]
fn a_listing_reads_what_the_records_say() {
    let catalog = Catalog::builtin();
    for line in catalog.models() {
        let model = line.model();
        assert_eq!((line.id(), line.name(), line.context()), (model.id.as_str(), model.name.as_str(), model.context));
        assert!(ModelKind::ALL.into_iter().all(|kind| line.is(kind) == model.kinds.contains(&kind)));
        for view in line.endpoints() {
            let full = view.endpoint();
            assert_eq!((view.provider(), view.wire_id()), (full.id.provider.as_str(), full.id.upstream_model.as_str()));
            assert_eq!((view.kind(), view.status(), view.is_plain()), (full.kind, full.status, full.is_plain()));
            assert_eq!((view.context(), view.max_output()), (full.context, full.max_output));
            assert_eq!((view.region(), view.model_id()), (full.region.as_deref(), full.model.clone()));
            assert!(Capability::ALL.into_iter().all(|capability| view.can(capability) == full.can(capability)));
            for item in [Item::Input, Item::Output, Item::CacheRead] {
                let base = full.pricing.as_ref().and_then(|sheet| sheet.base(item)).map(|price| price.exact());
                assert_eq!(view.price(item).as_deref(), base.as_deref());
            }
        }
    }
}

#[test]
fn the_input_is_normalised() {
    let catalog = Catalog::builtin();
    let provider = |id: &str| catalog.provider(&ProviderId::new(id)).unwrap();
    assert_eq!(provider("302ai").env_names("key"), ["AI302_API_KEY"]);
    assert_eq!(provider("neon").env_names("key"), ["NEON_AI_GATEWAY_TOKEN"]);
    assert_eq!(provider("amazon-bedrock-mantle").env_names("key"), ["AWS_BEARER_TOKEN_BEDROCK"]);
    assert_eq!(provider("anthropic").headers["anthropic-version"], "2023-06-01");
    assert!(provider("openrouter").headers.is_empty(), "optional headers are not sent");
    assert_eq!(provider("zenmux").models_url.as_deref(), Some("https://zenmux.ai/api/v1/models"));
    assert!(provider("openai").hides_reasoning && provider("xai").tiers_inclusive);
    assert_eq!(provider("ollama").protocols[0].auth, Auth::Optional);
    for (id, kind) in [
        ("anthropic", ProviderKind::Lab),
        ("google-vertex", ProviderKind::Cloud),
        ("groq", ProviderKind::Host),
        ("kilo", ProviderKind::Gateway),
        ("zai-coding-plan", ProviderKind::Plan),
        ("lemonade", ProviderKind::Local),
    ] {
        assert_eq!(provider(id).kind, kind, "{id}");
    }
    for endpoint in &FACTS.endpoints {
        let sheet = endpoint.pricing.as_ref();
        let provider = provider(endpoint.id.provider.as_str());
        assert!(provider.kind != ProviderKind::Plan || sheet.is_none(), "{} is on a plan", endpoint.id);
        if let (Some(dispute), Some(input)) = (endpoint.dispute, sheet.and_then(|sheet| sheet.base(Item::Input))) {
            assert!(dispute.input.0 <= input && input <= dispute.input.1, "{}", endpoint.id);
        }
    }
}

#[test]
fn the_seed_example_is_found_with_its_status() {
    let all = endpoints(&Catalog::builtin(), "anthropic/claude-sonnet-4");
    let at = |provider: &'static str| all.iter().filter(move |endpoint| endpoint.id.provider.as_str() == provider);
    assert_eq!(at("amazon-bedrock").count(), 5);
    assert!(at("amazon-bedrock").all(|e| e.status == Status::Retired && e.sunset.as_deref() == Some("2026-10-14")));
    assert!(at("google-vertex").all(|e| e.status == Status::Deprecated));
    assert!(at("anthropic").all(|e| e.status == Status::Unlisted));
    assert!(at("openrouter").all(|e| e.status == Status::Active));
}

#[test]
fn names_resolve_exactly() {
    let catalog = Catalog::builtin();
    let plain = |model: &str| Resolved { model: ModelId::new(model), provider: None, variant: None, via_alias: None };
    let sonnet = plain("anthropic/claude-sonnet-5");
    for typed in ["anthropic/claude-sonnet-5", " Anthropic/Claude-Sonnet-5\n", "claude-sonnet-5"] {
        let found = resolve(&catalog, typed).unwrap();
        assert_eq!(Resolved { via_alias: None, ..found }, sonnet, "{typed}");
    }
    let dashed = resolve(&catalog, "claude-sonnet-4-5").unwrap();
    assert_eq!(dashed.model.as_str(), "anthropic/claude-sonnet-4.5");
    assert_eq!(dashed.via_alias.as_deref(), Some("claude-sonnet-4-5"));
    // What Anthropic itself calls a model, in all of its spellings.
    for (typed, model) in [
        ("claude-sonnet-4-0", "anthropic/claude-sonnet-4"),
        ("claude-opus-4-0", "anthropic/claude-opus-4"),
        ("claude-3-5-haiku-latest", "anthropic/claude-3.5-haiku"),
        ("claude-3-5-haiku-20241022", "anthropic/claude-3.5-haiku"),
        ("claude-3-haiku-20240307", "anthropic/claude-3-haiku"),
    ] {
        assert_eq!(resolve(&catalog, typed).unwrap().model.as_str(), model, "{typed}");
    }
    let pinned = resolve(&catalog, "claude-sonnet-5:google-vertex").unwrap();
    assert_eq!((pinned.provider, pinned.variant), (Some(ProviderId::new("google-vertex")), None));
    let varied = resolve(&catalog, "anthropic/claude-sonnet-4:thinking").unwrap();
    assert_eq!((varied.provider, varied.variant.as_deref()), (None, Some("thinking")));
    let budget = resolve(&catalog, "anthropic/claude-sonnet-4:thinking:1024").unwrap();
    assert_eq!(
        (budget.model.as_str(), budget.variant.as_deref()),
        ("anthropic/claude-sonnet-4", Some("thinking-1024"))
    );
    assert!(matches!(resolve(&catalog, "anthropic/claude-son"), Err(ResolveError::Unknown { .. })), "never by prefix");
}

#[test]
fn what_does_not_resolve_says_what_is_near() {
    let catalog = Catalog::builtin();
    let suggested = |typed: &str| match resolve(&catalog, typed) {
        Err(ResolveError::Unknown { suggestions, .. }) => {
            suggestions.iter().map(ModelId::to_string).collect::<Vec<_>>()
        }
        other => panic!("{typed}: {other:?}"),
    };
    let near = suggested("claude-sonet-4");
    assert_eq!(near[0], "anthropic/claude-sonnet-4");
    assert!(near.len() == 3 && near.iter().all(|id| id.starts_with("anthropic/claude-sonnet-")), "{near:?}");
    assert_eq!(suggested("anthropc/claude-sonnet-5")[0], "anthropic/claude-sonnet-5");
    assert_eq!(suggested("gtp-5")[0], "openai/gpt-5");
    for nonsense in ["", "/", ":", "::", "x", "qwertyuiopasdf", "no-such-thing-at-all-here"] {
        assert_eq!(suggested(nonsense), [""; 0], "{nonsense}");
    }
    let Err(ResolveError::UnknownSuffix { providers, variants, suffix, .. }) =
        resolve(&catalog, "claude-sonnet-4:nowhere")
    else {
        panic!("a suffix that is nothing");
    };
    assert_eq!(suffix, "nowhere");
    assert!(providers.contains(&ProviderId::new("google-vertex")) && providers.is_sorted());
    assert!(variants.contains(&"thinking".to_owned()));
}

#[test]
fn a_slug_of_two_authors_and_a_suffix_of_two_meanings_are_ambiguous() {
    let text = r#"
        [provider.thinking]
        protocol = "openai-chat"
        base_url = "https://thinking.example/v1"
        key_env = "THINKING_KEY"
        [[endpoint]]
        provider = "thinking"
        id = "s4"
        model = "anthropic/claude-sonnet-4"
        [[endpoint]]
        provider = "thinking"
        id = "other"
        model = "thinking/my-own-slug"
        [[endpoint]]
        provider = "thinking"
        id = "another"
        model = "zebra/my-own-slug"
    "#;
    let catalog = Catalog::builtin().with_overlays(vec![Overlay::parse("x.toml", text).unwrap()]).unwrap();
    let said = |typed: &str| resolve(&catalog, typed).unwrap_err().to_string();
    let suffix =
        "the provider thinking of anthropic/claude-sonnet-4 or the variant thinking of anthropic/claude-sonnet-4";
    assert_eq!(said("claude-sonnet-4:thinking"), format!("\"claude-sonnet-4:thinking\" can mean {suffix}"));
    assert_eq!(said("my-own-slug"), "\"my-own-slug\" can mean thinking/my-own-slug or zebra/my-own-slug");
}

#[test]
fn every_spelling_and_every_id_resolves() {
    let catalog = Catalog::builtin();
    for (spelling, model) in &FACTS.aliases {
        let found = resolve(&catalog, spelling).unwrap_or_else(|error| panic!("{spelling}: {error}"));
        assert_eq!(found.model.as_str(), model, "{spelling}");
    }
    for model in &FACTS.models {
        assert_eq!(resolve(&catalog, model.id.as_str()).unwrap().model, model.id);
    }
}

const LOCAL: &str = r#"
[provider.local]
protocol = "openai-chat"
base_url = "http://127.0.0.1:8080/v1/"

[[endpoint]]
provider = "local"
model    = "huggingface/smollm2-135m-instruct"
id       = "smollm2"
context  = 2048
price    = { input = "0.10", output = "0.20", cache_read = "0.01", tiers = [{ over = 1000, input = "0.30" }] }

[[endpoint]]
provider = "anthropic"
id       = "claude-sonnet-5"
region   = "eu"
price    = { input = "1", output = "2" }

[[endpoint]]
provider = "local"
model    = "mine/sonnet-clone"
id       = "clone"
like     = "anthropic/claude-sonnet-5"
max_output = 100

[[endpoint]]
provider = "openrouter"
id       = "anthropic/claude-sonnet-5"
hide     = true
"#;

fn overlaid(texts: &[&str]) -> Result<Catalog, String> {
    let parsed = texts.iter().map(|text| Overlay::parse("catalog.d/x.toml", text)).collect::<Result<Vec<_>, _>>();
    let catalog = parsed.and_then(|overlays| Catalog::builtin().with_overlays(overlays));
    catalog.map_err(|error| error.to_string())
}

#[test]
fn an_overlay_adds_changes_and_hides() {
    let plain = Catalog::builtin();
    let catalog = overlaid(&[LOCAL]).unwrap();
    let provider = catalog.provider(&ProviderId::new("local")).unwrap();
    assert_eq!((provider.kind, provider.protocols[0].auth.clone()), (ProviderKind::Local, Auth::Optional));
    assert_eq!(catalog.providers().len(), 291);

    let small = endpoints(&catalog, "huggingface/smollm2-135m-instruct");
    let small = small.iter().find(|endpoint| endpoint.id.provider.as_str() == "local").unwrap();
    let sheet = small.pricing.as_ref().unwrap();
    assert_eq!(sheet.base(Item::CacheRead).unwrap().exact(), "0.01");
    assert_eq!(sheet.rates[&Item::Input].tiers[0].price.exact(), "0.3");
    assert_eq!(small.overlay.as_deref(), Some("catalog.d/x.toml"));
    let (url, _) = catalog.base_url(small, &provider, small.protocol.unwrap()).unwrap();
    assert_eq!(url, "http://127.0.0.1:8080/v1");

    let sonnet = ModelId::new("anthropic/claude-sonnet-5");
    let (before, after) = (plain.own_endpoint(&sonnet).unwrap(), catalog.own_endpoint(&sonnet).unwrap());
    assert_eq!(after.pricing.as_ref().unwrap().rates.len(), 2, "a price replaces as a whole");
    let back =
        Endpoint { region: None, pricing: before.pricing.clone(), dispute: before.dispute, overlay: None, ..after };
    assert_eq!(back, before, "every other field stays");

    let clone = &endpoints(&catalog, "mine/sonnet-clone")[0];
    assert_eq!((clone.context, &clone.capabilities), (before.context, &before.capabilities));
    assert_eq!((clone.pricing.is_none(), clone.max_output.unwrap().count()), (true, 100));
    assert_eq!(catalog.model(&clone.model).unwrap().context, before.context);
    assert_eq!(resolve(&catalog, "sonnet-clone").unwrap().model, clone.model);

    let at_openrouter = |catalog: &Catalog| {
        endpoints(catalog, sonnet.as_str())
            .iter()
            .any(|e| e.id.provider.as_str() == "openrouter" && e.id.upstream_model == "anthropic/claude-sonnet-5")
    };
    assert!(at_openrouter(&plain) && !at_openrouter(&catalog));
    let shown = "[[endpoint]]\nprovider = \"openrouter\"\nid = \"anthropic/claude-sonnet-5\"\nhide = false";
    assert!(at_openrouter(&overlaid(&[LOCAL, shown]).unwrap()));

    let ids: Vec<&str> = catalog.models().map(|line| line.id()).collect();
    assert!(ids.is_sorted() && ids.contains(&"mine/sonnet-clone"));
    let touched: Vec<&str> = FACTS
        .models
        .iter()
        .map(|model| model.id.as_str())
        .filter(|id| endpoints(&plain, id) != endpoints(&catalog, id))
        .collect();
    assert_eq!(touched, ["anthropic/claude-sonnet-5"], "nothing else is touched");
}

#[test]
fn a_price_of_ones_own_settles_a_dispute_and_keeps_the_order() {
    let disputed = FACTS.endpoints.iter().find(|endpoint| endpoint.dispute.is_some()).unwrap();
    let text = format!(
        "[[endpoint]]\nprovider = \"{}\"\nid = \"{}\"\nprice = {{ input = \"1\", output = \"2\" }}",
        disputed.id.provider, disputed.id.upstream_model
    );
    let changed = endpoints(&overlaid(&[&text]).unwrap(), disputed.model.as_str());
    let changed = changed.iter().find(|endpoint| endpoint.id == disputed.id).unwrap();
    assert_eq!(changed.dispute, None);
    let kept = endpoints(&overlaid(&[LOCAL]).unwrap(), "anthropic/claude-sonnet-5");
    assert!(kept.is_sorted_by(|a, b| a.id < b.id));
}

#[test]
fn laying_a_catalog_over_itself_changes_nothing() {
    let once = overlaid(&[LOCAL]).unwrap();
    assert_eq!(overlaid(&[LOCAL, LOCAL]).unwrap(), once);
    assert_eq!(once.clone().with_overlays(vec![Overlay::parse("catalog.d/x.toml", LOCAL).unwrap()]).unwrap(), once);
    assert_eq!(Catalog::builtin().with_overlays(Vec::new()).unwrap(), Catalog::builtin());
    assert_ne!(once, Catalog::builtin());
}

#[test]
fn a_model_may_move_and_spellings_are_canonical() {
    let text = r#"
        [[endpoint]]
        provider = "anthropic"
        id = "claude-sonnet-5"
        model = "anthropic/claude-opus-4-5"
    "#;
    let catalog = overlaid(&[text]).unwrap();
    let has = |model: &str| {
        endpoints(&catalog, model)
            .iter()
            .any(|e| e.id.upstream_model == "claude-sonnet-5" && e.id.provider.as_str() == "anthropic")
    };
    assert!(has("anthropic/claude-opus-4.5") && !has("anthropic/claude-sonnet-5"));
    assert_eq!(catalog.models().count(), 2985);
}

#[test]
fn what_is_wrong_with_an_overlay_is_told_with_its_place() {
    let provider = "[provider.p]\nprotocol = \"openai-chat\"\nbase_url = \"https://p.example/v1\"\n";
    let endpoint = "[[endpoint]]\nprovider = \"p\"\nid = \"x\"\nmodel = \"a/b\"\n";
    let said = |text: &str| overlaid(&[text]).unwrap_err().replace("catalog.d/x.toml:", "");
    let inside = |line: &str| said(&format!("{provider}{endpoint}{line}\n"));
    let outside = |line: &str| said(&format!("{provider}{line}\n"));
    let all = [
        inside("price = { inptu = \"1\", output = \"2\" }"),
        inside("price = { input = 0.10, output = \"2\" }"),
        inside("price = { input = 3, output = \"2\" }"),
        inside("price = { input = \"-1\", output = \"2\" }"),
        inside("price = { input = \"1\" }"),
        inside("price = { input = \"1\", output = \"2\", tiers = [{ over = 5, cache_read = \"1\" }] }"),
        inside("contxt = 5"),
        inside("context = \"5\""),
        inside("context = 5\nmax_output = 6"),
        inside("features = [\"tool\"]"),
        inside("sunset = \"soon\""),
        inside("protocol = \"gemini\""),
        inside("like = \"meituan/nothing\""),
        inside(endpoint),
        outside("key_env = \"sk-secret\""),
        outside("base-url = \"x\""),
        outside("auth = \"bearer\""),
        outside("headers = { Authorization = \"x\" }"),
        outside("[provider.Q]"),
        outside("[provider.q]\nprotocol = \"openai-chat\""),
        outside("[provider.openai]\nbase_url = \"https://proxy.example/v1\""),
        outside("[providers.q]"),
        said(&endpoint.replace("\"p\"", "\"antropic\"")),
        said(&provider.replace("https", "http")),
        said("[[endpoint]]\nprovider = \"openai\"\nid = \"nothing\"\nhide = true"),
        said("[[endpoint]]\nprovider = \"openai\"\nid = \"nothing\""),
        said("[[endpoint]]\nprovider = \"openai\"\nid = \"a?b\""),
        inside("region = \"eu;id\""),
        outside("name = \"a\\u202eb\""),
        said("[[endpoint]]\nprovider = \"openai\"\nid = \"x\"\nmodel = \"GPT\""),
        said("endpoint = 3"),
        said("a = ["),
    ];
    insta::assert_snapshot!(all.join("\n"), @r##"
    8: endpoint[0].price.inptu: unknown key; did you mean "input"?
    8: endpoint[0].price.input: prices are exact decimals in quotes: write input = "0.10"
    8: endpoint[0].price.input: prices are exact decimals in quotes: write input = "3"
    8: endpoint[0].price.input: "-1" is negative
    8: endpoint[0].price.output: is missing: a price needs input and output, in USD per 1M tokens
    8: endpoint[0].price.tiers[0].cache_read: has no base rate: add cache_read to the price as well
    8: endpoint[0].contxt: unknown key; did you mean "context"?
    8: endpoint[0].context: should be a whole number of tokens, not a string
    9: endpoint[0].max_output: is larger than context
    8: endpoint[0].features: "tool" is none of tools, no_tools, reasoning, structured, temperature, no_temperature, cache, parallel_tools, web_search, computer_use; did you mean "tools"?
    8: endpoint[0].sunset: should be a day, as in "2026-12-31"
    8: endpoint[0].protocol: p has no address for gemini: add base_url
    8: endpoint[0].like: "meituan/nothing" has no endpoint of its author's own to take limits and features from
    10: endpoint[1].id: "x" at p is already in line 4: merge the two
    4: provider.p.key_env: should name an environment variable (A-Z, 0-9, _); a key itself does not belong in a file
    4: provider.p.base-url: unknown key; did you mean "base_url"?
    4: provider.p.auth: needs key_env: the name of the variable that holds the key
    4: provider.p.headers.Authorization: a key does not belong in this file: use key_env and auth
    4: provider.Q: a provider's id is lower-case letters, digits, ".", "_" and "-"
    4: provider.q.base_url: is missing: "q" is a new provider
    4: provider.openai.protocol: is missing: "openai" speaks openai-responses, openai-chat; say which is meant
    4: providers: unknown key; did you mean "provider"?
    2: endpoint[0].provider: there is no provider "antropic"; did you mean "anthropic"?
    3: provider.p.base_url: keys must not travel in the clear: http:// is for this machine alone, use https://
    4: endpoint[0].hide: there is no endpoint "nothing" at openai to hide
    1: endpoint[0].model: is missing: "nothing" at openai is a new endpoint
    3: endpoint[0].id: "a?b" cannot be a wire id: letters, digits and . _ - / : @ ~ +, no "..", and no "-" at its beginning
    8: endpoint[0].region: "eu;id" cannot be a word here: letters, digits and . _ - / : @ ~ +, no "..", and no "-" at its beginning
    4: provider.p.name: has a sign in it that cannot be seen
    4: endpoint[0].model: "GPT" is not a model id: author/slug in lower case, as in "anthropic/claude-sonnet-5"
    1: endpoint: should be an array of tables, not a number
    1: unclosed array, expected `]`
    "##);
}

#[test]
fn claude_at_vertex_has_a_dialect_and_an_address() {
    let catalog = Catalog::builtin();
    let provider = catalog.provider(&ProviderId::new("google-vertex")).unwrap();
    let settings = [("VERTEX_PROJECT_ID", "p"), ("CLOUD_ML_REGION", "global")];
    let vars = Vars::new(settings.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let is_claude = |e: &&Endpoint| e.id.provider == provider.id && e.model.author() == "anthropic";
    let mut seen = 0;
    for endpoint in FACTS.endpoints.iter().filter(is_claude) {
        assert_eq!(endpoint.protocol, Some(Protocol::VertexAnthropic), "{}", endpoint.id);
        let (template, auth) = catalog.base_url(endpoint, &provider, Protocol::VertexAnthropic).unwrap();
        assert_eq!(auth, Auth::Google);
        let url = "https://aiplatform.googleapis.com/v1/projects/p/locations/global/publishers/anthropic".to_owned();
        let known = address(&provider, Protocol::VertexAnthropic, &template, &vars);
        assert_eq!(known, Address::Known { url, overridden_by: None }, "{}", endpoint.id);
        seen += 1;
    }
    assert!(seen > 20, "{seen}");
}
