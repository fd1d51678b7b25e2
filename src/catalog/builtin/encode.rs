//! Writing the tables: the inverse of what the library reads.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::Mark;
use super::codes::{self, Codes, code, endpoint, model};
use crate::catalog::price::{Comparator, FeeItem, Item, PriceKey, Pricing, Rate, stated};
use crate::catalog::{Auth, Endpoint, EndpointId, Model, OutputLimitField, Protocol, Provider, Quirks};
use crate::units::Tokens;

/// The two big tables as text.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Written {
    /// One model a line.
    pub models: String,
    /// One endpoint a line, a block a model.
    pub endpoints: String,
}

/// Writes models, sorted by id, and their endpoints, sorted by provider and wire id within one model. `seen` is what an
/// update knows of an endpoint beside its facts.
#[must_use]
pub fn write(models: &[Model], endpoints: &[Endpoint], seen: &BTreeMap<EndpointId, Mark>) -> Written {
    let mut written = Written::default();
    let mut blocks: BTreeMap<&str, Vec<&Endpoint>> = BTreeMap::new();
    for endpoint in endpoints {
        blocks.entry(endpoint.model.as_str()).or_default().push(endpoint);
    }
    for model in models {
        let offset = written.endpoints.len();
        for endpoint in blocks.get(model.id.as_str()).into_iter().flatten() {
            written.endpoints.push_str(&endpoint_line(endpoint, seen.get(&endpoint.id)));
            written.endpoints.push('\n');
        }
        let length = written.endpoints.len() - offset;
        written.models.push_str(&model_line(model, offset, length));
        written.models.push('\n');
    }
    written
}

fn model_line(record: &Model, offset: usize, length: usize) -> String {
    let name = if record.name == record.id.slug() { "" } else { &record.name };
    join(&[
        (model::ID, record.id.to_string()),
        (model::OFFSET, offset.to_string()),
        (model::LENGTH, length.to_string()),
        (model::NAME, name.to_owned()),
        (model::KINDS, row(codes::KINDS, record.kinds.iter().map(|kind| kind.name()))),
        (model::RELEASED, text(record.released.as_ref())),
        (model::KNOWLEDGE, text(record.knowledge.as_ref())),
        (model::OPEN_WEIGHTS, record.open_weights.map(|open| u8::from(open).to_string()).unwrap_or_default()),
        (model::CONTEXT, number(record.context)),
        (model::MAX_OUTPUT, number(record.max_output)),
        (model::FLOATING, flag(record.floating)),
    ])
}

fn endpoint_line(record: &Endpoint, seen: Option<&Mark>) -> String {
    let protocol = |protocol: Option<Protocol>| {
        protocol.map(|protocol| code(codes::PROTOCOLS, protocol.name())).unwrap_or_default().to_owned()
    };
    let dispute = record.dispute.map(|dispute| {
        let ((a, b), (c, d)) = (dispute.input, dispute.output);
        format!("{a}..{b};{c}..{d}")
    });
    join(&[
        (endpoint::PROVIDER, record.id.provider.to_string()),
        (endpoint::ID, record.id.upstream_model.clone()),
        (endpoint::KIND, code(codes::KINDS, record.kind.name()).to_owned()),
        (endpoint::STATUS, code(codes::STATUSES, record.status.name()).to_owned()),
        (endpoint::VARIANT, record.variant.join(",")),
        (endpoint::PRICE, record.pricing.as_ref().map(price_sheet).unwrap_or_default()),
        (endpoint::CONTEXT, number(record.context)),
        (endpoint::MAX_INPUT, number(record.max_input)),
        (endpoint::MAX_OUTPUT, number(record.max_output)),
        (endpoint::INPUT, row(codes::MODALITIES, record.input.iter().map(|word| word.name()))),
        (endpoint::OUTPUT, row(codes::MODALITIES, record.output.iter().map(|word| word.name()))),
        (endpoint::CAPABILITIES, row(codes::CAPABILITIES, record.capabilities.iter().map(|word| word.name()))),
        (endpoint::PROTOCOL, protocol(record.protocol)),
        (endpoint::ALTERNATE, protocol(record.alternate)),
        (endpoint::REGION, text(record.region.as_ref())),
        (endpoint::REASONING, record.reasoning_options.join(";")),
        (endpoint::REASONING_FIELD, text(record.reasoning_field.as_ref())),
        (endpoint::CACHE_MIN, number(record.cache_min)),
        (endpoint::DISPUTE, dispute.unwrap_or_default()),
        (endpoint::SUNSET, text(record.sunset.as_ref())),
        (endpoint::BASE_URL, text(record.base_url.as_ref())),
        (endpoint::QUANT, text(record.quant.as_ref())),
        (endpoint::UPSTREAM, text(record.upstream.as_ref())),
        (endpoint::FLOATING, flag(record.floating)),
        (endpoint::RELEASED, text(record.released.as_ref())),
        (endpoint::AKA, record.aka.join(",")),
        (endpoint::SEEN, seen.map(Mark::text).unwrap_or_default()),
    ])
}

fn price_sheet(sheet: &Pricing) -> String {
    let mut out = String::new();
    for (&item, rate) in &sheet.rates {
        push_rate(&mut out, "", item, rate);
    }
    for (service, rates) in &sheet.service {
        let prefix = format!("{}.", code(codes::SERVICES, service.name()));
        for (&item, rate) in rates {
            push_rate(&mut out, &prefix, item, rate);
        }
    }
    for (&item, fee) in &sheet.fees {
        let key = fee_key(item, fee.per);
        write_entry(&mut out, format_args!("{}={}", code(codes::FEES, key), fee.price));
    }
    if let Some(off_peak) = &sheet.off_peak {
        for (item, price) in &off_peak.rates {
            write_entry(&mut out, format_args!("{}.{}={price}", codes::OFF_PEAK, code(codes::ITEMS, item.key())));
        }
        let spans: Vec<String> = off_peak
            .windows
            .iter()
            .map(|window| {
                let days: String = window.weekdays.iter().map(u8::to_string).collect();
                format!("{}-{}@{days}", window.from, window.to)
            })
            .collect();
        write_entry(&mut out, format_args!("{}={}", codes::OFF_PEAK, spans.join(",")));
    }
    out
}

fn push_rate(out: &mut String, prefix: &str, item: Item, rate: &Rate) {
    let key = code(codes::ITEMS, item.key());
    write_entry(out, format_args!("{prefix}{key}={}", stated(rate.base)));
    for tier in &rate.tiers {
        let sign = match tier.comparator {
            Comparator::Ge => ">=",
            Comparator::Gt | Comparator::Lt | Comparator::Le => ">",
        };
        write_entry(out, format_args!("{prefix}{key}{sign}{}={}", tier.threshold, stated(tier.price)));
    }
}

fn fee_key(item: FeeItem, per: u32) -> &'static str {
    let matches = |key: &&str| PriceKey::parse(key) == Some(PriceKey::Fee(item, per));
    codes::FEES.iter().map(|&(key, _)| key).find(matches).unwrap_or_default()
}

fn write_entry(out: &mut String, entry: std::fmt::Arguments<'_>) {
    let separator = if out.is_empty() { "" } else { ";" };
    let _ = write!(out, "{separator}{entry}");
}

/// One line of `providers.jsonl`.
#[must_use]
pub fn provider_line(provider: &Provider) -> String {
    let mut line = Map::new();
    line.insert("id".into(), json!(provider.id.as_str()));
    line.insert("name".into(), json!(provider.name));
    line.insert("kind".into(), json!(provider.kind.name()));
    let protocols = provider.protocols.iter().map(|entry| {
        let auth = match &entry.auth {
            Auth::Optional => "none".to_owned(),
            Auth::Bearer => "bearer".to_owned(),
            Auth::Header(name) => format!("header:{name}"),
            Auth::Aws => "aws".to_owned(),
            Auth::Google => "google".to_owned(),
            Auth::Unsupported(words) => format!("unsupported:{words}"),
        };
        json!([entry.protocol.name(), entry.base_url, auth])
    });
    line.insert("protocols".into(), protocols.collect());
    line.insert("env".into(), json!(provider.env));
    line.insert("headers".into(), json!(provider.headers));
    line.insert("models_url".into(), json!(provider.models_url));
    line.insert("doc".into(), json!(provider.doc));
    if provider.output_limit == OutputLimitField::MaxCompletionTokens {
        line.insert("output_limit".into(), json!("max_completion_tokens"));
    }
    for (key, set) in [("hides_reasoning", provider.hides_reasoning), ("tiers_inclusive", provider.tiers_inclusive)] {
        if set {
            line.insert(key.into(), json!(true));
        }
    }
    let quirks = &provider.quirks;
    let usual = Quirks::default();
    if quirks.thinking != usual.thinking {
        line.insert("thinking".into(), json!(quirks.thinking.name()));
    }
    if quirks.errors != usual.errors {
        line.insert("errors".into(), json!(quirks.errors.name()));
    }
    let flags = [
        ("developer_role", quirks.developer_role),
        ("replays_reasoning", quirks.replays_reasoning),
        ("output_excludes_reasoning", quirks.output_excludes_reasoning),
    ];
    for (key, _) in flags.into_iter().filter(|(_, set)| *set) {
        line.insert(key.into(), json!(true));
    }
    if quirks.bills_on_cancel != usual.bills_on_cancel {
        line.insert("bills_on_cancel".into(), json!(quirks.bills_on_cancel.name()));
    }
    if quirks.prefill != usual.prefill {
        line.insert("prefill".into(), json!(quirks.prefill.name()));
    }
    if let Some(protocol) = quirks.prefill_protocol {
        line.insert("prefill_protocol".into(), json!(protocol.name()));
    }
    if !quirks.prefill_models.is_empty() {
        let models = quirks.prefill_models.iter().map(|model| model.as_str());
        line.insert("prefill_models".into(), models.collect());
    }
    if !quirks.portable_signatures.is_empty() {
        let spoken = quirks.portable_signatures.iter().map(|protocol| protocol.name());
        line.insert("portable_signatures".into(), spoken.collect());
    }
    line.insert("quirks".into(), json!(quirks.notes));
    line.retain(|_, value| !value.is_null() && value.as_object().is_none_or(|members| !members.is_empty()));
    Value::Object(line).to_string()
}

/// Columns in the order of their numbers, without the empty ones at the end. What separates columns and lines separates
/// nothing inside one.
fn join(columns: &[(usize, String)]) -> String {
    let mut line: Vec<String> = vec![String::new(); columns.len()];
    for (number, text) in columns {
        if let Some(column) = line.get_mut(*number) {
            *column = text.replace(['\t', '\n', '\r'], " ");
        }
    }
    line.join("\t").trim_end_matches('\t').to_owned()
}

fn row<'n>(codes: &Codes, names: impl Iterator<Item = &'n str>) -> String {
    names.map(|name| code(codes, name)).collect()
}

fn text(text: Option<&String>) -> String {
    text.cloned().unwrap_or_default()
}

fn number(count: Option<Tokens>) -> String {
    count.map(|count| count.to_string()).unwrap_or_default()
}

fn flag(set: bool) -> String {
    if set { "1".to_owned() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::price::ServiceTier;
    use crate::catalog::{Capability, Modality, ModelKind, Status};

    #[test]
    fn every_word_has_a_code_of_its_own() {
        let held = |codes: &Codes, names: Vec<&str>| {
            let mut found: Vec<&str> = names.iter().map(|name| code(codes, name)).collect();
            found.sort_unstable();
            found.dedup();
            assert_eq!(found.len(), names.len(), "{names:?}");
        };
        held(codes::KINDS, ModelKind::ALL.map(ModelKind::name).to_vec());
        held(codes::STATUSES, Status::ALL.map(Status::name).to_vec());
        held(codes::PROTOCOLS, Protocol::ALL.map(Protocol::name).to_vec());
        held(codes::MODALITIES, Modality::ALL.map(Modality::name).to_vec());
        held(codes::CAPABILITIES, Capability::ALL.map(Capability::name).to_vec());
        held(codes::ITEMS, Item::ALL.map(Item::key).to_vec());
        held(codes::SERVICES, ServiceTier::ALL.map(ServiceTier::name).to_vec());
    }
}
