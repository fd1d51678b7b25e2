//! What differs between two catalogs, one fact at a time: what came, what went, and each figure of a price sheet.

use std::collections::{BTreeMap, BTreeSet};

use super::price::{Pricing, Rate, stated};
use super::words::words;
use super::{Capability, Catalog, Endpoint, EndpointId, ModelId, ProviderId};

words! {
    /// What kind of difference it is.
    ChangeKind {
        /// A provider that was not there.
        NewProvider = "new provider",
        /// A provider that is not there any more.
        GoneProvider = "gone provider",
        /// A model that nobody served.
        NewModel = "new model",
        /// A model that nobody serves any more.
        GoneModel = "gone model",
        /// An offer that was not there.
        Added = "added",
        /// An offer that is not there any more.
        Removed = "removed",
        /// A figure of a price sheet.
        Price = "price",
        /// Where an offer is in its life.
        Status = "status",
        /// A limit in tokens.
        Limit = "limit",
        /// Something that an offer is said to be able, or unable, to do.
        Ability = "ability",
    }
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Its kind.
    pub kind: ChangeKind,
    /// The model; `None` for a provider as a whole.
    pub model: Option<ModelId>,
    /// The provider; `None` for a model as a whole.
    pub provider: Option<ProviderId>,
    /// The offer; `None` for a model or a provider as a whole.
    pub endpoint: Option<EndpointId>,
    /// What of it: an item of the price sheet, a limit, an ability; empty where it is the whole.
    pub what: String,
    /// What it was.
    pub before: Option<String>,
    /// What it is.
    pub after: Option<String>,
}

/// All differences, by kind, model, provider and offer. Of a provider as a whole how many offers it makes is told.
#[must_use]
pub fn changes(before: &Catalog, after: &Catalog) -> Vec<Change> {
    let mut found = Vec::new();
    let ids = |catalog: &Catalog| catalog.models().map(|line| line.id().to_owned()).collect::<BTreeSet<String>>();
    let (old, new) = (ids(before), ids(after));
    let providers = |catalog: &Catalog| {
        let ids = catalog.providers().into_iter().map(|provider| (provider.id, 0));
        ids.collect::<BTreeMap<ProviderId, usize>>()
    };
    let (mut they_were, mut they_are) = (providers(before), providers(after));
    for id in old.union(&new) {
        let id = ModelId::new(id.as_str());
        let whole = |kind| Change { model: Some(id.clone()), ..Change::of(kind) };
        match (old.contains(id.as_str()), new.contains(id.as_str())) {
            (true, false) => found.push(whole(ChangeKind::GoneModel)),
            (false, true) => found.push(whole(ChangeKind::NewModel)),
            _ => {}
        }
        let offers = |catalog: &Catalog| {
            let all = catalog.endpoints_for(&id).into_iter();
            all.map(|endpoint| (endpoint.id.clone(), endpoint)).collect::<BTreeMap<_, _>>()
        };
        let (was, is) = (offers(before), offers(after));
        for (offers, counts) in [(&was, &mut they_were), (&is, &mut they_are)] {
            for id in offers.keys() {
                counts.entry(id.provider.clone()).and_modify(|count| *count += 1);
            }
        }
        for endpoint in was.keys().chain(is.keys().filter(|id| !was.contains_key(id))) {
            offer(&id, endpoint, was.get(endpoint), is.get(endpoint), &mut found);
        }
    }
    let count = |offers: &usize| Some(if *offers == 1 { "1 offer".to_owned() } else { format!("{offers} offers") });
    for (id, offers) in they_were.iter().filter(|(id, _)| !they_are.contains_key(*id)) {
        let whole = Change { provider: Some(id.clone()), ..Change::of(ChangeKind::GoneProvider) };
        found.push(Change { before: count(offers), ..whole });
    }
    for (id, offers) in they_are.iter().filter(|(id, _)| !they_were.contains_key(*id)) {
        let whole = Change { provider: Some(id.clone()), ..Change::of(ChangeKind::NewProvider) };
        found.push(Change { after: count(offers), ..whole });
    }
    found.sort();
    found
}

impl Change {
    fn of(kind: ChangeKind) -> Self {
        Self { kind, model: None, provider: None, endpoint: None, what: String::new(), before: None, after: None }
    }
}

fn offer(model: &ModelId, id: &EndpointId, was: Option<&Endpoint>, is: Option<&Endpoint>, found: &mut Vec<Change>) {
    let mut note = |kind, what: &str, before: Option<String>, after: Option<String>| {
        let (model, provider, endpoint) = (Some(model.clone()), Some(id.provider.clone()), Some(id.clone()));
        found.push(Change { kind, model, provider, endpoint, what: what.to_owned(), before, after });
    };
    let (was, is) = match (was, is) {
        (None, None) => return,
        (Some(was), None) => return note(ChangeKind::Removed, "", pair(was), None),
        (None, Some(is)) => return note(ChangeKind::Added, "", None, pair(is)),
        (Some(was), Some(is)) => (was, is),
    };
    let (old, new) = (figures(was.pricing.as_ref()), figures(is.pricing.as_ref()));
    for item in old.keys().chain(new.keys().filter(|item| !old.contains_key(*item))) {
        if old.get(item) != new.get(item) {
            note(ChangeKind::Price, item, old.get(item).cloned(), new.get(item).cloned());
        }
    }
    if was.status != is.status {
        note(ChangeKind::Status, "", Some(was.status.name().to_owned()), Some(is.status.name().to_owned()));
    }
    let limits = [
        ("context", was.context, is.context),
        ("max_input", was.max_input, is.max_input),
        ("max_output", was.max_output, is.max_output),
    ];
    for (what, before, after) in limits.into_iter().filter(|(_, before, after)| before != after) {
        note(ChangeKind::Limit, what, before.map(|n| n.to_string()), after.map(|n| n.to_string()));
    }
    let mut ability = |what: &str, had: bool, has: bool| {
        let word = |can: bool| Some(if can { "yes" } else { "no" }.to_owned());
        if had != has {
            note(ChangeKind::Ability, what, word(had), word(has));
        }
    };
    for capability in Capability::ALL {
        ability(capability.name(), was.can(capability), is.can(capability));
    }
    for modality in super::Modality::ALL {
        ability(modality.name(), was.input.contains(&modality), is.input.contains(&modality));
    }
}

/// Input and output price: `3/15`.
fn pair(endpoint: &Endpoint) -> Option<String> {
    let sheet = endpoint.pricing.as_ref()?;
    let base = |item| sheet.base(item).map(|price| price.exact());
    Some(format!("{}/{}", base(super::price::Item::Input)?, base(super::price::Item::Output)?))
}

/// Every figure of a sheet by its name: `input`, `batch output`, `request`.
fn figures(sheet: Option<&Pricing>) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let Some(sheet) = sheet else { return out };
    for (item, rate) in &sheet.rates {
        out.insert(item.key().to_owned(), figure(rate));
    }
    for (tier, rates) in &sheet.service {
        out.extend(rates.iter().map(|(item, rate)| (format!("{} {}", tier.name(), item.key()), figure(rate))));
    }
    for (item, fee) in &sheet.fees {
        out.insert(item.key().to_owned(), format!("{} per {}", fee.price, fee.per));
    }
    if let Some(off_peak) = &sheet.off_peak {
        let windows =
            off_peak.windows.iter().map(|window| format!("{}-{} {:?}", window.from, window.to, window.weekdays));
        out.insert("off-peak minutes".to_owned(), windows.collect::<Vec<_>>().join(", "));
        out.extend(off_peak.rates.iter().map(|(item, rate)| (format!("off-peak {}", item.key()), rate.exact())));
    }
    out
}

fn figure(rate: &Rate) -> String {
    let tiers =
        rate.tiers.iter().map(|tier| format!(", {} {}{}", stated(tier.price), tier.comparator.sign(), tier.threshold));
    format!("{}{}", stated(rate.base), tiers.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::file::Overlay;

    #[test]
    fn every_kind_of_difference_is_seen_from_both_sides() {
        let text = r#"
            [[endpoint]]
            provider = "anthropic"
            id = "claude-sonnet-5"
            context = 5000
            max_output = 1000
            status = "deprecated"
            features = ["tools"]
            price = { input = "1", output = "2", batch_input = "0.5", tiers = [{ over = 1000, input = "3" }] }
            [provider.novel]
            protocol = "openai-chat"
            base_url = "http://127.0.0.1:1/v1"
            [[endpoint]]
            provider = "novel"
            id = "second"
            model = "groq/novel"
            [[endpoint]]
            provider = "groq"
            id = "novel"
            model = "groq/novel"
            price = { input = "1", output = "2" }
            [[endpoint]]
            provider = "openrouter"
            id = "anthropic/claude-sonnet-5"
            hide = true
        "#;
        let plain = Catalog::builtin();
        let laid = plain.clone().with_overlays(vec![Overlay::parse("x.toml", text).unwrap()]).unwrap();
        assert_eq!(changes(&plain, &plain), []);
        let line = |change: &Change| {
            let id = change.endpoint.as_ref().map(ToString::to_string).unwrap_or_default();
            let value = |side: &Option<String>| side.clone().unwrap_or_else(|| "-".to_owned());
            let (kind, what) = (change.kind.name(), &change.what);
            let id =
                if change.model.is_some() { id } else { value(&change.provider.as_ref().map(ToString::to_string)) };
            let model = change.model.as_ref().map_or("", ModelId::as_str);
            format!("{kind}|{model}|{id}|{what}|{}|{}", value(&change.before), value(&change.after))
        };
        let said: Vec<String> = changes(&plain, &laid).iter().map(line).collect();
        insta::assert_snapshot!(said.join("\n"), @r"
        new provider||novel||-|1 offer
        new model|groq/novel|||-|-
        added|groq/novel|groq:novel||-|1/2
        added|groq/novel|novel:second||-|-
        removed|anthropic/claude-sonnet-5|openrouter:anthropic/claude-sonnet-5||2/10|-
        price|anthropic/claude-sonnet-5|anthropic:claude-sonnet-5|batch input|1|0.5
        price|anthropic/claude-sonnet-5|anthropic:claude-sonnet-5|batch output|5|-
        price|anthropic/claude-sonnet-5|anthropic:claude-sonnet-5|cache_read|0.2|-
        price|anthropic/claude-sonnet-5|anthropic:claude-sonnet-5|cache_write|2.5|-
        price|anthropic/claude-sonnet-5|anthropic:claude-sonnet-5|cache_write_1h|4|-
        price|anthropic/claude-sonnet-5|anthropic:claude-sonnet-5|input|2|1, 3 >1000
        price|anthropic/claude-sonnet-5|anthropic:claude-sonnet-5|output|10|2
        price|anthropic/claude-sonnet-5|anthropic:claude-sonnet-5|web_search|10 per 1000|-
        status|anthropic/claude-sonnet-5|anthropic:claude-sonnet-5||active|deprecated
        limit|anthropic/claude-sonnet-5|anthropic:claude-sonnet-5|context|1000000|5000
        limit|anthropic/claude-sonnet-5|anthropic:claude-sonnet-5|max_output|128000|1000
        ability|anthropic/claude-sonnet-5|anthropic:claude-sonnet-5|cache|yes|no
        ability|anthropic/claude-sonnet-5|anthropic:claude-sonnet-5|computer_use|yes|no
        ability|anthropic/claude-sonnet-5|anthropic:claude-sonnet-5|no_temperature|yes|no
        ability|anthropic/claude-sonnet-5|anthropic:claude-sonnet-5|reasoning|yes|no
        ability|anthropic/claude-sonnet-5|anthropic:claude-sonnet-5|structured|yes|no
        ability|anthropic/claude-sonnet-5|anthropic:claude-sonnet-5|web_search|yes|no
        ");
        let back: Vec<ChangeKind> = changes(&laid, &plain).iter().map(|change| change.kind).collect();
        assert!(
            back.contains(&ChangeKind::GoneProvider)
                && back.contains(&ChangeKind::GoneModel)
                && back.contains(&ChangeKind::Removed)
        );
        assert_eq!(back.len(), said.len());
    }
}
