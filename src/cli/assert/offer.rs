//! Who offers a model, and what to use in place of an offer that is gone.

use std::collections::{BTreeMap, BTreeSet};

use crate::catalog::price::Item;
use crate::catalog::resolve::Resolved;
use crate::catalog::{Catalog, Endpoint, ModelId, ModelKind, ModelLine, ProviderId, ProviderKind, Status};
use crate::cli::facts;
use crate::dispatch::{Dispatcher, Reach};
use crate::units::UsdPerMtok;

/// One provider's offer of a model.
#[derive(Debug, Clone)]
pub(super) struct Offer {
    /// The endpoint.
    pub(super) endpoint: Endpoint,
    /// How it would be called, where it is a chat endpoint.
    pub(super) reach: Option<Reach>,
}

impl Offer {
    /// Who serves it.
    pub(super) fn provider(&self) -> &ProviderId {
        &self.endpoint.id.provider
    }

    /// The plain price of input.
    fn price(&self) -> Option<UsdPerMtok> {
        self.endpoint.pricing.as_ref().and_then(|pricing| pricing.base(Item::Input))
    }

    /// Whether it is listed and not gone.
    pub(super) fn is_sure(&self) -> bool {
        !matches!(self.endpoint.status, Status::Retired | Status::Unlisted)
    }

    /// Whether it could be called from here: key, address and protocol are there.
    pub(super) fn is_callable(&self) -> bool {
        self.reach.as_ref().is_some_and(Reach::is_callable)
    }
}

/// The offers of a model, one a provider, as a call would find them; of other kinds than chat the living and unqualified.
pub(super) fn offers(dispatcher: &Dispatcher<'_>, model: &Resolved) -> Vec<Offer> {
    let reaches = dispatcher.reach(&model.model, model.variant.as_deref(), false);
    if !reaches.is_empty() {
        return reaches
            .into_iter()
            .map(|reach| Offer { endpoint: reach.endpoint.clone(), reach: Some(reach) })
            .collect();
    }
    let now = (dispatcher.now)();
    let mut best: BTreeMap<ProviderId, Endpoint> = BTreeMap::new();
    let rank = |endpoint: &Endpoint| {
        (endpoint.status == Status::Retired, endpoint.region.is_some(), endpoint.id.upstream_model.clone())
    };
    let wanted = |endpoint: &Endpoint| match &model.variant {
        None => endpoint.is_plain(),
        Some(name) => endpoint.variant.contains(name),
    };
    for endpoint in dispatcher.catalog.endpoints_for(&model.model).into_iter().filter(wanted).map(|offer| offer.at(now))
    {
        let better = |known: &Endpoint| rank(&endpoint) < rank(known);
        if best.get(&endpoint.id.provider).is_none_or(better) {
            best.insert(endpoint.id.provider.clone(), endpoint);
        }
    }
    best.into_values().map(|endpoint| Offer { endpoint, reach: None }).collect()
}

/// The offer that speaks for a model: its author's own, even where that is gone; else the cheapest living one.
pub(super) fn speaker<'a>(offers: &'a [Offer], model: &ModelId) -> Option<&'a Offer> {
    let own = Catalog::own_provider(model.author());
    let is_own = |offer: &&Offer| own == Some(offer.provider().as_str());
    offers.iter().find(is_own).or_else(|| {
        offers.iter().min_by_key(|offer| {
            let uncalled = offer.reach.as_ref().is_some_and(|reach| facts::is_uncalled(&reach.provider));
            (offer.endpoint.status == Status::Retired, uncalled, offer.price().is_none(), offer.price())
        })
    })
}

/// Of the offers that are listed and living the cheapest of which something holds.
pub(super) fn cheapest(offers: &[Offer], holds: impl Fn(&Offer) -> bool) -> Option<&Offer> {
    // A plan sells no calls, and whom a list alone knows is not called.
    let unsold = |offer: &Offer| {
        let kept = |reach: &Reach| reach.provider.kind == ProviderKind::Plan || facts::is_uncalled(&reach.provider);
        offer.reach.as_ref().is_some_and(kept)
    };
    let fit = offers.iter().filter(|offer| offer.is_sure() && !unsold(offer) && holds(offer));
    fit.min_by_key(|offer| (offer.price().is_none(), offer.price()))
}

/// The newest model of the same family that a provider still serves and of which no end is known: the same author, and
/// the same words in its name beside versions, sizes and days. It is nobody's word but a reading of the names.
pub(super) fn successor(catalog: &Catalog, old: &Endpoint) -> Option<ModelId> {
    let author = old.model.author();
    let family = family(old.model.slug());
    let since = catalog.model(&old.model).and_then(|model| model.released);
    let fits = |line: &ModelLine<'_>| {
        let newer = match (&since, line.released()) {
            (Some(since), Some(released)) => released > since.as_str(),
            (None, released) => released.is_some(),
            (Some(_), None) => false,
        };
        let served = || {
            line.endpoints().any(|endpoint| {
                endpoint.provider() == old.id.provider.as_str()
                    && endpoint.is_plain()
                    && endpoint.kind() == old.kind
                    && endpoint.status() == Status::Active
                    && endpoint.sunset().is_none()
            })
        };
        line.id() != old.model.as_str() && newer && served()
    };
    let same_family = |line: &ModelLine<'_>| {
        line.id().split_once('/').is_some_and(|(known, slug)| known == author && self::family(slug) == family)
    };
    let line = catalog
        .models()
        .filter(|line| same_family(line) && (old.kind != ModelKind::Chat || line.is(ModelKind::Chat)))
        .filter(|line| fits(line) && !line.floating())
        .max_by_key(|line| (line.released().map(str::to_owned), std::cmp::Reverse(line.id().len())))?;
    Some(ModelId::new(line.id()))
}

/// The words of a name without versions, sizes, days and stages.
fn family(slug: &str) -> BTreeSet<&str> {
    const STAGES: [&str; 6] = ["preview", "exp", "experimental", "beta", "v", "it"];
    let letters = |word: &'_ str| word.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(word.len());
    let words = slug.split(['-', '_', ':']).map(|word| &word[..letters(word)]);
    words.filter(|word| !word.is_empty() && !STAGES.contains(word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_a_name_without_its_versions() {
        assert_eq!(family("claude-3-opus"), family("claude-opus-5"));
        assert_eq!(family("claude-3.5-sonnet-20241022"), family("claude-sonnet-5"));
        assert_eq!(family("gpt-4.5-preview"), family("gpt-5"));
        assert_ne!(family("gpt-5-mini"), family("gpt-5"));
        assert_ne!(family("claude-sonnet-latest"), family("claude-sonnet-5"));
    }

    #[test]
    fn a_successor_is_newer_living_and_of_the_same_family() {
        let catalog = Catalog::builtin();
        let old = |model: &str| catalog.own_endpoint(&ModelId::new(model)).unwrap();
        let found = |model: &str| successor(&catalog, &old(model)).map(|model| model.to_string());
        assert_eq!(found("anthropic/claude-sonnet-4").as_deref(), Some("anthropic/claude-sonnet-5"));
        assert!(found("anthropic/claude-3-opus").unwrap().starts_with("anthropic/claude-opus-"));
        let newest = found("openai/gpt-4.5-preview").unwrap();
        assert!(newest.starts_with("openai/gpt-5"), "{newest}");
        assert_eq!(successor(&catalog, &old(&newest)), None, "the newest has none");
    }
}
