//! Endpoint records.

use std::collections::{BTreeMap, BTreeSet};

use openmux::catalog::{
    Capability, Endpoint, EndpointId, Modality, Model, ModelId, ModelKind, Protocol, Provider, ProviderId,
    ProviderKind, Status,
};
use serde::Deserialize;
use serde_json::Value;

use super::providers::address;
use super::{Problems, checks, date, named, prices, tokens};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    pub(super) model: String,
    pub(super) provider: String,
    id: String,
    kind: String,
    #[serde(default)]
    aka: Vec<String>,
    #[serde(default)]
    variant: Vec<String>,
    quant: Option<String>,
    region: Option<String>,
    upstream: Option<String>,
    #[serde(default)]
    floating: bool,
    context: Option<u64>,
    max_input: Option<u64>,
    max_output: Option<u64>,
    #[serde(default)]
    input: Vec<String>,
    #[serde(default)]
    output: Vec<String>,
    #[serde(default)]
    features: Vec<String>,
    #[serde(default)]
    reasoning_options: Vec<ReasoningOption>,
    reasoning_field: Option<String>,
    protocol: Option<String>,
    pub(super) base_url: Option<String>,
    cache_min_tokens: Option<u64>,
    price: Option<BTreeMap<String, Value>>,
    #[serde(default)]
    price_unknown: bool,
    status: Option<String>,
    sunset: Option<String>,
    #[serde(default)]
    stale: bool,
    released: Option<String>,
    // What the model's own record says better.
    #[serde(rename = "name")]
    _name: Option<String>,
    #[serde(rename = "knowledge")]
    _knowledge: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReasoningOption {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    values: Vec<Option<String>>,
    min: Option<i64>,
    max: Option<i64>,
}

/// All endpoints, sorted by model, provider and wire id.
pub(super) fn read(
    records: Vec<Record>,
    providers: &[Provider],
    models: &[Model],
    conflicts: &[prices::Conflict],
    problems: &mut Problems,
) -> Vec<Endpoint> {
    let providers: BTreeMap<&str, &Provider> = providers.iter().map(|p| (p.id.as_str(), p)).collect();
    let models: BTreeSet<&str> = models.iter().map(|model| model.id.as_str()).collect();
    let conflicts: BTreeMap<(&str, &str), &prices::Conflict> =
        conflicts.iter().map(|conflict| ((conflict.provider.as_str(), conflict.id.as_str()), conflict)).collect();
    let mut seen = BTreeSet::new();
    let mut endpoints = Vec::with_capacity(records.len());
    for record in records {
        let name = format!("{}:{}", record.provider, record.id);
        if !models.contains(record.model.as_str()) {
            problems.add(&name, format!("unknown model {}", record.model));
        }
        if !seen.insert((record.provider.clone(), record.id.clone())) {
            problems.add(&name, "is there twice");
        }
        let Some(provider) = providers.get(record.provider.as_str()) else {
            problems.add(&name, "unknown provider");
            continue;
        };
        let conflict = conflicts.get(&(record.provider.as_str(), record.id.as_str())).copied();
        endpoints.push(endpoint(&name, record, provider, conflict, problems));
    }
    endpoints.sort_by(|a, b| (&a.model, &a.id).cmp(&(&b.model, &b.id)));
    endpoints
}

fn endpoint(
    name: &str,
    record: Record,
    provider: &Provider,
    conflict: Option<&prices::Conflict>,
    problems: &mut Problems,
) -> Endpoint {
    for id in record.aka.iter().chain([&record.id]) {
        if !checks::is_wire_id(id) {
            problems.add(name, format!("\"{id}\" is no wire id"));
        }
    }
    let base_url = record.base_url.as_deref().map(address);
    if let Some(Err(problem)) = base_url.map(checks::base_url) {
        problems.add(name, problem);
    }
    let protocol = record.protocol.as_deref().and_then(|text| named(text, Protocol::parse, name, problems));
    let protocol = protocol.map(|protocol| corrected(protocol, &record));
    let protocol = protocol.map(|protocol| if base_url.is_none() { spoken(protocol, provider) } else { protocol });
    // A plan's figures are token equivalents, not what anybody pays.
    let priced = !record.price_unknown && provider.kind != ProviderKind::Plan;
    let stated = record.price.as_ref().filter(|_| priced);
    let pricing = stated.map(|stated| prices::sheet(name, stated, provider.tiers_inclusive, problems));
    let stated = record.status.as_deref().and_then(|text| named(text, Status::parse, name, problems));
    let status = match stated {
        Some(status @ (Status::Retired | Status::Deprecated)) => status,
        _ if record.stale => Status::Unlisted,
        other => other.unwrap_or(Status::Active),
    };
    let mut words = |texts: &[String]| texts.iter().filter_map(|t| named(t, Modality::parse, name, problems)).collect();
    let (input, output) = (words(&record.input), words(&record.output));
    Endpoint {
        aka: record.aka,
        kind: named(&record.kind, ModelKind::parse, name, problems).unwrap_or(ModelKind::Chat),
        protocol,
        alternate: alternate(protocol, &record.id, provider),
        base_url: base_url.map(str::to_owned),
        variant: record.variant,
        quant: record.quant,
        region: record.region,
        upstream: record.upstream,
        context: tokens(record.context, name, problems),
        max_input: tokens(record.max_input, name, problems),
        max_output: tokens(record.max_output, name, problems),
        input,
        output,
        capabilities: record.features.iter().filter_map(|t| named(t, Capability::parse, name, problems)).collect(),
        reasoning_options: record.reasoning_options.iter().map(|option| steer(option, name, problems)).collect(),
        reasoning_field: record.reasoning_field,
        cache_min: tokens(record.cache_min_tokens, name, problems),
        dispute: conflict.zip(pricing.as_ref()).and_then(|(conflict, sheet)| prices::dispute(conflict, sheet)),
        pricing,
        status,
        sunset: date(record.sunset, name, problems),
        floating: record.floating,
        released: date(record.released, name, problems),
        overlay: None,
        model: ModelId::new(record.model),
        id: EndpointId { provider: ProviderId::new(record.provider), upstream_model: record.id },
    }
}

/// Dialects that the snapshot gets wrong: whose models, where, what it says, and what they speak.
const CORRECTED: &[(&str, &str, Protocol, Protocol)] =
    &[("google-vertex", "anthropic/", Protocol::OpenaiChat, Protocol::VertexAnthropic)];

fn corrected(stated: Protocol, record: &Record) -> Protocol {
    let is_it = |(provider, author, wrong, _): &&(&str, &str, Protocol, Protocol)| {
        record.provider == *provider && record.model.starts_with(author) && stated == *wrong
    };
    CORRECTED.iter().find(is_it).map_or(stated, |&(.., right)| right)
}

/// The dialect, or its twin where the provider speaks only that: some sources say "gemini" of Vertex AI too.
fn spoken(protocol: Protocol, provider: &Provider) -> Protocol {
    let speaks = |protocol| provider.protocols.iter().any(|entry| entry.protocol == protocol);
    match protocol {
        Protocol::Gemini if !speaks(Protocol::Gemini) && speaks(Protocol::VertexGemini) => Protocol::VertexGemini,
        protocol => protocol,
    }
}

/// OpenAI Chat, where the provider serves it next to the Responses API or Gemini's own.
fn alternate(protocol: Option<Protocol>, wire_id: &str, provider: &Provider) -> Option<Protocol> {
    let chat = provider.protocols.iter().any(|entry| entry.protocol == Protocol::OpenaiChat);
    // These are in the Responses API alone.
    let responses_only = wire_id.contains("codex") || wire_id.contains("deep-research") || wire_id.ends_with("-pro");
    let serves = match (protocol?, provider.id.as_str()) {
        (_, "amazon-bedrock" | "google-vertex") => false,
        (Protocol::OpenaiResponses, _) => !responses_only,
        (Protocol::Gemini, "google") => true,
        _ => false,
    };
    (serves && chat).then_some(Protocol::OpenaiChat)
}

fn steer(option: &ReasoningOption, name: &str, problems: &mut Problems) -> String {
    let bound = |bound: Option<i64>| bound.map(|bound| bound.to_string()).unwrap_or_default();
    match option.kind.as_str() {
        "toggle" => "toggle".to_owned(),
        "effort" => {
            let values: Vec<&str> = option.values.iter().flatten().map(String::as_str).collect();
            format!("effort:{}", values.join("|"))
        }
        "budget_tokens" if option.min.is_none() && option.max.is_none() => "budget".to_owned(),
        "budget_tokens" => format!("budget:{}-{}", bound(option.min), bound(option.max)),
        other => {
            problems.add(name, format!("unknown reasoning option {other}"));
            other.to_owned()
        }
    }
}
