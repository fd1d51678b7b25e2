//! Reading lines of the embedded tables into records. A malformed line cannot be embedded (the generator's test reads
//! every one back); should one be, it reads as unknown or is left out, and nothing panics.

use std::collections::BTreeSet;

use super::codes::{self, Codes, endpoint, model};
use super::sheet;
use super::table::{column, filled};
use crate::catalog::{
    Capability, Endpoint, EndpointId, Modality, Model, ModelId, ModelKind, Protocol, ProviderId, Status,
};
use crate::units::Tokens;

/// A whole line of `models.tsv`.
pub(super) fn parse_model(line: &str) -> Model {
    let columns: Vec<&str> = line.split('\t').collect();
    let column = |number: usize| columns.get(number).copied().unwrap_or_default();
    let id = ModelId::new(column(model::ID));
    let name = filled(column(model::NAME)).unwrap_or(id.slug()).to_owned();
    Model {
        name,
        kinds: kinds(column(model::KINDS)),
        released: owned(column(model::RELEASED)),
        knowledge: owned(column(model::KNOWLEDGE)),
        open_weights: flag(column(model::OPEN_WEIGHTS)),
        context: tokens(column(model::CONTEXT)),
        max_output: tokens(column(model::MAX_OUTPUT)),
        floating: column(model::FLOATING) == "1",
        id,
    }
}

/// Start and end of the model's block in `endpoints.tsv`.
pub(super) fn block(line: &str) -> Option<std::ops::Range<usize>> {
    range(column(line, model::OFFSET), column(line, model::LENGTH))
}

/// The same from what its columns say.
pub(super) fn range(offset: &str, length: &str) -> Option<std::ops::Range<usize>> {
    let (offset, length): (usize, usize) = (offset.parse().ok()?, length.parse().ok()?);
    Some(offset..offset.checked_add(length)?)
}

/// The model's block itself.
pub(super) fn block_of<'t>(endpoints: &'t str, line: &str) -> &'t str {
    block(line).and_then(|range| endpoints.get(range)).unwrap_or_default()
}

/// A whole line of `endpoints.tsv`.
pub(super) fn parse_endpoint(model: &str, line: &str) -> Endpoint {
    let columns: Vec<&str> = line.split('\t').collect();
    let column = |number: usize| columns.get(number).copied().unwrap_or_default();
    Endpoint {
        id: EndpointId {
            provider: ProviderId::new(column(endpoint::PROVIDER)),
            upstream_model: column(endpoint::ID).to_owned(),
        },
        model: ModelId::new(model),
        aka: list(column(endpoint::AKA), ','),
        kind: kind(column(endpoint::KIND)),
        protocol: protocol(column(endpoint::PROTOCOL)),
        alternate: protocol(column(endpoint::ALTERNATE)),
        base_url: owned(column(endpoint::BASE_URL)),
        variant: list(column(endpoint::VARIANT), ','),
        quant: owned(column(endpoint::QUANT)),
        region: owned(column(endpoint::REGION)),
        upstream: owned(column(endpoint::UPSTREAM)),
        context: tokens(column(endpoint::CONTEXT)),
        max_input: tokens(column(endpoint::MAX_INPUT)),
        max_output: tokens(column(endpoint::MAX_OUTPUT)),
        input: set(column(endpoint::INPUT), codes::MODALITIES, &Modality::ALL),
        output: set(column(endpoint::OUTPUT), codes::MODALITIES, &Modality::ALL),
        capabilities: set(column(endpoint::CAPABILITIES), codes::CAPABILITIES, &Capability::ALL),
        reasoning_options: list(column(endpoint::REASONING), ';'),
        reasoning_field: owned(column(endpoint::REASONING_FIELD)),
        cache_min: tokens(column(endpoint::CACHE_MIN)),
        pricing: sheet::pricing(column(endpoint::PRICE)),
        dispute: sheet::dispute(column(endpoint::DISPUTE)),
        status: status(column(endpoint::STATUS)),
        sunset: owned(column(endpoint::SUNSET)),
        floating: column(endpoint::FLOATING) == "1",
        released: owned(column(endpoint::RELEASED)),
        overlay: None,
    }
}

/// The kind behind a code.
pub(super) fn kind(code: &str) -> ModelKind {
    codes::value(codes::KINDS, &ModelKind::ALL, code).unwrap_or(ModelKind::Chat)
}

/// Yes, no, or unknown where nothing is said.
pub(super) fn flag(text: &str) -> Option<bool> {
    filled(text).map(|flag| flag == "1")
}

/// The kinds behind a row of codes.
pub(super) fn kinds(text: &str) -> Vec<ModelKind> {
    text.char_indices().filter_map(|(at, letter)| text.get(at..at + letter.len_utf8())).map(kind).collect()
}

/// The status behind a code.
pub(super) fn status(code: &str) -> Status {
    if code.is_empty() {
        return Status::Active;
    }
    codes::value(codes::STATUSES, &Status::ALL, code).unwrap_or(Status::Active)
}

/// A count of tokens; `None` where the column is empty.
pub(super) fn tokens(text: &str) -> Option<Tokens> {
    text.parse().ok().map(Tokens::new)
}

/// Whether a row of codes, a letter each, has the code of the value of this number.
pub(super) fn has(text: &str, codes: &Codes, number: usize) -> bool {
    codes.get(number).is_some_and(|(_, code)| text.bytes().any(|letter| code.as_bytes() == [letter]))
}

fn protocol(code: &str) -> Option<Protocol> {
    codes::value(codes::PROTOCOLS, &Protocol::ALL, code)
}

fn owned(text: &str) -> Option<String> {
    filled(text).map(str::to_owned)
}

fn list(text: &str, separator: char) -> Vec<String> {
    filled(text).map_or_else(Vec::new, |text| text.split(separator).map(str::to_owned).collect())
}

/// The values behind a row of codes.
fn set<T: Ord + Copy>(text: &str, codes: &Codes, all: &[T]) -> BTreeSet<T> {
    all.iter().enumerate().filter(|(number, _)| has(text, codes, *number)).map(|(_, value)| *value).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_columns_are_unknown_and_nonsense_does_not_panic() {
        let bare = parse_endpoint("a/b", "p\tw\tc");
        assert_eq!((bare.status, bare.context, bare.pricing.is_none()), (Status::Active, None, true));
        assert!(bare.is_plain() && bare.input.is_empty() && bare.aka.is_empty());
        for nonsense in ["", "\t\t\t\t\t", "p\tw\t?\t?\t\ti=x;q\tNaN\t-1\t\tzz\t\t\t??"] {
            let _ = parse_endpoint("a/b", nonsense);
            let _ = parse_model(nonsense);
            let _ = block(nonsense);
        }
        assert_eq!(kinds("ce"), [ModelKind::Chat, ModelKind::Embedding]);
        assert_eq!(block("a/b\t5\t18446744073709551615"), None);
    }
}
