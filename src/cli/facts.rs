//! From the catalog and the store to cells: what several commands show of an endpoint in the same words.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::args::Shape;
use super::contract::Exit;
use super::error::CliError;
use super::render::sheet::Cell;
use super::render::text::first_of;
use crate::catalog::price::{FeeItem, Item};
use crate::catalog::resolve::{ResolveError, Resolved, resolve};
use crate::catalog::{
    Capability, Catalog, Endpoint, Modality, ModelKind, ModelLine, Protocol, Provider, ProviderKind, Usage,
};
use crate::dispatch::Reach;
use crate::units::Usd;
use crate::upstream::BUILT;
use crate::upstream::auth::Found;

/// The model that was typed.
///
/// # Errors
/// There is none of that name, or several.
pub(crate) fn model(catalog: &Catalog, typed: &str) -> Result<Resolved, CliError> {
    resolve(catalog, typed).map_err(|error| unresolved(catalog, &error, typed))
}

/// What a model is for where that is no chat: `embedding`, `image`.
pub(crate) fn other_kind(catalog: &Catalog, model: &Resolved) -> Option<&'static str> {
    let line = catalog.model_line(model.model.as_str()).filter(|line| !line.is(ModelKind::Chat))?;
    line.kinds().first().map(|kind| kind.name())
}

/// The list that has models of that name: of all kinds where none of them is for chats, of everything where there is none.
fn list_of(catalog: &Catalog, word: &str) -> String {
    let is_named = |line: &&ModelLine<'_>| {
        !word.is_empty() && (line.id().contains(word) || line.name().to_lowercase().contains(word))
    };
    let mut named = catalog.models().filter(|line| is_named(&line)).peekable();
    match (named.peek().is_some(), named.any(|line| line.is(ModelKind::Chat))) {
        (false, _) => "openmux models list".to_owned(),
        (true, true) => format!("openmux models list {word}"),
        (true, false) => format!("openmux models list --all {word}"),
    }
}

fn unresolved(catalog: &Catalog, error: &ResolveError, typed: &str) -> CliError {
    let exit = |detail| CliError::new(Exit::NotFound, detail, error.to_string());
    match error {
        ResolveError::OwnName { name, target, error: cause } => {
            let told = unresolved(catalog, cause, target);
            CliError { message: error.to_string(), ..told }.fix(format!("openmux config show aliases.{name}"))
        }
        ResolveError::Unknown { suggestions, .. } => {
            let word = typed.rsplit('/').next().unwrap_or(typed).split(['-', ':', ' ']).find(|word| word.len() > 2);
            let own = typed.rsplit(['/', ':']).next().unwrap_or(typed).to_lowercase();
            let is_part = own.len() > 1 && catalog.models().any(|line| line.id().contains(&own));
            let word = match (suggestions.first(), word) {
                _ if is_part => own,
                (Some(near), _) => near.slug().split('-').nth(1).unwrap_or_else(|| near.slug()).to_owned(),
                (None, Some(word)) => word.to_owned(),
                (None, None) => String::new(),
            };
            let names: Vec<String> = suggestions.iter().map(ToString::to_string).collect();
            let error = exit("model");
            let error = if names.is_empty() { error } else { error.fact("did you mean", names.join("\n")) };
            error.with("suggestions", names).fix(list_of(catalog, &word.to_lowercase()))
        }
        ResolveError::Ambiguous { candidates, .. } => {
            CliError::new(Exit::NotFound, "ambiguous", format!("\"{typed}\" is ambiguous"))
                .fact("could be", candidates.join("\n"))
                .with("candidates", candidates.clone())
                .fix("say which one is meant")
        }
        ResolveError::UnknownSuffix { providers, variants, .. } => {
            let error = exit("suffix");
            let error = if providers.is_empty() {
                error
            } else {
                error.fact("providers", first_of(&providers.iter().map(ToString::to_string).collect::<Vec<_>>(), 12))
            };
            let error = if variants.is_empty() { error } else { error.fact("variants", variants.join(" ")) };
            let model = typed.rsplit_once(':').map_or(typed, |(model, _)| model);
            error.fix(format!("openmux models show {model} --all"))
        }
    }
}

/// Abilities that have a letter: name and letter.
pub(crate) const LETTERS: [(&str, char); 5] =
    [("tools", 't'), ("vision", 'v'), ("reasoning", 'r'), ("pdf", 'p'), ("structured", 's')];

/// What the letters mean, for footers.
pub(crate) const LEGEND: &str = "t tools, v vision, r reasoning, p PDF, s JSON schema";

/// The abilities of an endpoint, by name; absence means that no source says so.
pub(crate) fn abilities(can: &BTreeSet<Capability>, takes: &BTreeSet<Modality>) -> Vec<&'static str> {
    named_abilities(|capability| can.contains(&capability), |modality| takes.contains(&modality))
}

/// The same for whoever has them otherwise than as sets.
pub(crate) fn named_abilities(can: impl Fn(Capability) -> bool, takes: impl Fn(Modality) -> bool) -> Vec<&'static str> {
    let mut names = Vec::with_capacity(11);
    let mut add = |yes: bool, name| {
        if yes {
            names.push(name);
        }
    };
    add(can(Capability::Tools), "tools");
    add(takes(Modality::Image), "vision");
    add(can(Capability::Reasoning), "reasoning");
    add(takes(Modality::Pdf), "pdf");
    add(can(Capability::Structured), "structured");
    add(takes(Modality::Audio), "audio");
    add(takes(Modality::Video), "video");
    add(can(Capability::Cache), "cache");
    add(can(Capability::ParallelTools), "parallel_tools");
    add(can(Capability::WebSearch), "web_search");
    add(can(Capability::ComputerUse), "computer_use");
    names
}

/// How well an OpenAI-style request fits: `native`, `converted` by openmux without loss, or `unsupported` yet.
pub(crate) fn compatibility(protocol: Option<Protocol>) -> &'static str {
    match protocol {
        Some(Protocol::OpenaiChat) => "native",
        Some(protocol) if BUILT.contains(&protocol) => "converted",
        _ => "unsupported",
    }
}

/// The kind of a provider of a model: its own author's is "official".
pub(crate) fn kind(reach: &Reach) -> &'static str {
    let own = Catalog::own_provider(reach.endpoint.model.author());
    if own == Some(reach.provider.id.as_str()) { "official" } else { kind_name(reach.provider.kind) }
}

/// The kind of a provider by itself, for people.
pub(crate) const fn kind_name(kind: ProviderKind) -> &'static str {
    kind.name()
}

/// Whether a fetched list alone knows a provider: it is never called, and what it is said to take decides nothing.
pub(crate) fn is_uncalled(provider: &Provider) -> bool {
    provider.protocols.is_empty() && Catalog::builtin().provider(&provider.id).is_none()
}

/// Whether a key is there: the variable's name, `not needed`, or unknown where there is none.
pub(crate) fn key(found: &Found) -> Cell {
    match found {
        Found::Key { source, .. } | Found::Lazy { source, .. } => Cell::Text(source.clone()),
        Found::NotNeeded => Cell::Text("not needed".to_owned()),
        Found::Missing { .. } => Cell::Unknown,
    }
}

/// A base rate, or unknown.
pub(crate) fn rate(endpoint: &Endpoint, item: Item) -> Cell {
    Cell::money(endpoint.pricing.as_ref().and_then(|pricing| pricing.base(item)).map(|price| price.decimal()))
}

/// USD per 1,000 web searches, or unknown.
pub(crate) fn web_search(endpoint: &Endpoint) -> Cell {
    let fee = endpoint.pricing.as_ref().and_then(|pricing| pricing.fees.get(&FeeItem::WebSearch));
    Cell::money(fee.filter(|fee| fee.per == 1000).map(|fee| fee.price.decimal()))
}

/// USD for each request beside its tokens: nothing where the sheet is known and has no such fee.
pub(crate) fn per_request(endpoint: &Endpoint) -> Cell {
    Cell::money(endpoint.pricing.as_ref().map(|pricing| pricing.request_fee().decimal()))
}

/// The rate that a call of this shape pays then, or unknown.
pub(crate) fn call_rate(endpoint: &Endpoint, item: Item, shape: Shape, now: Timestamp) -> Cell {
    let rate = endpoint.pricing.as_ref().and_then(|sheet| sheet.rate_at(item, shape.input, shape.output, now));
    Cell::money(rate.map(|rate| rate.decimal()))
}

/// What such a call costs, and whether that does not come out of the plain rates.
pub(crate) fn call(endpoint: &Endpoint, shape: Shape, now: Timestamp) -> (Option<Usd>, bool) {
    let plain = || {
        let sheet = endpoint.pricing.as_ref()?;
        let (input, output) = (sheet.base(Item::Input)?, sheet.base(Item::Output)?);
        let cached = sheet.base(Item::CacheRead).unwrap_or(input);
        Some(input * shape.input.checked_sub(shape.cached)? + cached * shape.cached + output * shape.output)
    };
    let total = per_call(endpoint, shape, now);
    (total, total.is_some() && plain() != total)
}

/// What one call of this shape costs on an endpoint's sheet.
pub(crate) fn per_call(endpoint: &Endpoint, shape: Shape, now: Timestamp) -> Option<Usd> {
    let usage = Usage {
        input: Some(shape.input),
        output: Some(shape.output),
        cache_read: (shape.cached.count() > 0).then_some(shape.cached),
        ..Usage::default()
    };
    endpoint.pricing.as_ref()?.cost(&usage, now).ok().map(|cost| cost.total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protocol_that_is_spoken_is_converted_to() {
        assert_eq!(compatibility(Some(Protocol::OpenaiChat)), "native");
        for protocol in Protocol::ALL.into_iter().filter(|protocol| *protocol != Protocol::OpenaiChat) {
            let expected = if BUILT.contains(&protocol) { "converted" } else { "unsupported" };
            assert_eq!(compatibility(Some(protocol)), expected, "{}", protocol.name());
        }
        assert_eq!(compatibility(Some(Protocol::BedrockConverse)), "converted");
        assert_eq!(compatibility(None), "unsupported");
    }
}
