//! When a list is refused as a whole: what looks like somebody's mistake, or worse, is not taken over without a word.

use std::collections::BTreeMap;

use super::Listing;
use crate::catalog::price::Item;
use crate::catalog::words::words;
use crate::catalog::{Catalog, EndpointId, ProviderId, ProviderKind, Stored};
use crate::units::UsdPerMtok;

words! {
    /// A reason to refuse a list as a whole.
    Rule {
        /// Far fewer offers than the same source had the last time.
        Fewer = "fewer",
        /// A model maker or a cloud that the same source had the last time is gone.
        Vanished = "vanished",
        /// Many prices moved far at once.
        Prices = "prices",
        /// Many entries that cannot be meant.
        Entries = "entries",
        /// Hardly anything has a price any more: the form has changed.
        Schema = "schema",
    }
}

/// A rule that a list breaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tripped {
    /// Which.
    pub rule: Rule,
    /// What is seen, one sentence without a full stop.
    pub seen: String,
    /// A few examples, for whoever decides.
    pub examples: Vec<String>,
}

/// How many examples are shown.
const SHOWN: usize = 3;

/// Every rule that the list breaks, against what the same source listed `before`, and against the prices of `current`.
#[must_use]
pub fn tripped(list: &Listing, before: Option<&Stored>, current: &Catalog) -> Vec<Tripped> {
    let rules =
        [fewer(list, before), vanished(list, before), prices(list, current), entries(list), schema(list, before)];
    rules.into_iter().flatten().collect()
}

/// More than a fifth fewer.
fn fewer(list: &Listing, before: Option<&Stored>) -> Option<Tripped> {
    let (now, then) = (list.entries.len(), before?.about().endpoints);
    let seen = format!("it lists {now} offers, and listed {then} the last time");
    (now * 5 < then * 4).then(|| Tripped { rule: Rule::Fewer, seen, examples: Vec::new() })
}

fn vanished(list: &Listing, before: Option<&Stored>) -> Option<Tripped> {
    let known = Catalog::builtin();
    let listed = |provider: &str| list.entries.iter().any(|entry| entry.id.provider.as_str() == provider);
    let then = before?.seen().filter(|(.., last)| *last).map(|(provider, ..)| provider);
    let mut gone: Vec<&str> = then.filter(|provider| !listed(provider)).collect();
    gone.dedup();
    gone.sort_unstable();
    gone.dedup();
    let is_first = |id: &&str| {
        let kind = known.provider(&ProviderId::new(*id)).map(|provider| provider.kind);
        matches!(kind, Some(ProviderKind::Lab | ProviderKind::Cloud))
    };
    gone.retain(is_first);
    let examples = gone.iter().take(SHOWN).map(|id| (*id).to_owned()).collect();
    let who = if gone.len() == 1 { "model maker or cloud" } else { "model makers or clouds" };
    let seen = format!("it lacks {} {who} that it had", gone.len());
    (!gone.is_empty()).then_some(Tripped { rule: Rule::Vanished, seen, examples })
}

/// More than one price in twenty, and at least three, or all, are four times what they were, or a quarter.
fn prices(list: &Listing, current: &Catalog) -> Option<Tripped> {
    let stated: BTreeMap<&EndpointId, (UsdPerMtok, UsdPerMtok)> = list
        .entries
        .iter()
        .filter_map(|entry| {
            let sheet = entry.pricing.as_ref()?;
            Some((&entry.id, (sheet.base(Item::Input)?, sheet.base(Item::Output)?)))
        })
        .collect();
    let (mut compared, mut moved) = (0_usize, Vec::new());
    for line in current.models() {
        for endpoint in line.endpoints() {
            let (provider, wire_id) = (endpoint.provider(), endpoint.wire_id());
            let id = EndpointId { provider: ProviderId::new(provider), upstream_model: wire_id.to_owned() };
            let Some((input, output)) = stated.get(&id) else { continue };
            let price = |item| endpoint.price(item)?.parse::<UsdPerMtok>().ok();
            let (Some(was_input), Some(was_output)) = (price(Item::Input), price(Item::Output)) else { continue };
            compared += 1;
            if far(was_input, *input) || far(was_output, *output) {
                moved.push(format!("{id} {was_input}/{was_output} -> {input}/{output}"));
            }
        }
    }
    let many = moved.len() * 20 > compared && (moved.len() >= 3 || moved.len() == compared);
    let seen = format!("{} of {compared} prices moved more than fourfold", moved.len());
    moved.truncate(SHOWN);
    (many && compared > 0).then_some(Tripped { rule: Rule::Prices, seen, examples: moved })
}

/// Whether one price is more than four times the other; from and to nothing is far.
fn far(one: UsdPerMtok, other: UsdPerMtok) -> bool {
    let (low, high) = if one < other { (one, other) } else { (other, one) };
    let four = |price: UsdPerMtok| price.to_millionths().map(|millionths| millionths.saturating_mul(4));
    matches!((four(low), high.to_millionths()), (Some(low), Some(high)) if high > low)
}

/// More than one entry in twenty.
fn entries(list: &Listing) -> Option<Tripped> {
    let (bad, all) = (list.refused.len(), list.refused.len() + list.entries.len());
    let seen = format!("{bad} of {all} entries cannot be meant");
    let examples = list.refused.iter().take(SHOWN).map(|refused| format!("{} {}", refused.what, refused.why)).collect();
    (bad * 20 > all).then_some(Tripped { rule: Rule::Entries, seen, examples })
}

/// Nothing has a price, or fewer than half as many of its offers as the last time.
fn schema(list: &Listing, before: Option<&Stored>) -> Option<Tripped> {
    let all = list.entries.len();
    let priced = list.priced();
    let (then, of) = before.map_or((0, 1), |before| (before.about().priced, before.about().endpoints.max(1)));
    let fewer = priced * of * 2 < then * all;
    let seen = if priced == 0 {
        "nothing in it has a price".to_owned()
    } else {
        format!("{priced} of {all} offers have a price, where {then} of {of} had")
    };
    (all > 0 && (priced == 0 || fewer)).then_some(Tripped { rule: Rule::Schema, seen, examples: Vec::new() })
}

impl Listing {
    /// How many offers have a price.
    #[must_use]
    pub fn priced(&self) -> usize {
        self.entries.iter().filter(|entry| entry.pricing.is_some()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{About, fresh};

    /// A list of some models of OpenAI's, Anthropic's and Groq's as they are, with prices times `factor`.
    fn list(factor: u64, keep: impl Fn(&str, usize) -> bool) -> Listing {
        let catalog = Catalog::builtin();
        let mut out = serde_json::Map::new();
        for (at, line) in catalog.models().enumerate() {
            for endpoint in line.endpoints() {
                let (provider, id) = (endpoint.provider(), endpoint.wire_id());
                let wanted = ["openai", "anthropic", "groq"].contains(&provider) && keep(provider, at);
                let price = |item| endpoint.price(item)?.parse::<UsdPerMtok>().ok()?.to_millionths();
                if let (true, Some(input), Some(output)) = (wanted, price(Item::Input), price(Item::Output)) {
                    let times = |price: u64| format!("{}e-6", price * factor).parse::<serde_json::Number>().unwrap();
                    let entry = serde_json::json!({"cost": {"input": times(input), "output": times(output)}});
                    out.entry(provider).or_insert_with(|| serde_json::json!({"models": {}}))["models"][id] = entry;
                }
            }
        }
        Listing::read(serde_json::Value::Object(out).to_string().as_bytes()).unwrap()
    }

    fn stored(list: &Listing) -> Stored {
        let merged = fresh::merge(list, None);
        let about = About {
            date: "2026-12-01".into(),
            endpoints: list.entries.len(),
            priced: list.priced(),
            ..About::default()
        };
        Stored::parse(merged.text(&about).into_bytes()).unwrap()
    }

    #[test]
    fn each_rule_sees_what_it_is_for_and_a_good_list_trips_none() {
        let catalog = Catalog::builtin();
        let good = list(1, |_, _| true);
        let before = stored(&good);
        let rules = |list: &Listing, before: Option<&Stored>| {
            tripped(list, before, &catalog).into_iter().map(|tripped| tripped.rule).collect::<Vec<_>>()
        };
        assert_eq!(rules(&good, None), []);
        assert_eq!(rules(&good, Some(&before)), []);
        assert_eq!(rules(&list(1000, |_, _| true), None), [Rule::Prices, Rule::Entries]);
        assert_eq!(rules(&list(5, |_, _| true), None), [Rule::Prices]);
        assert_eq!(rules(&list(3, |_, _| true), None), []);
        let half = list(1, |provider, at| provider != "openai" || at % 2 == 0);
        assert_eq!((rules(&half, None), rules(&half, Some(&before))), (vec![], vec![Rule::Fewer]));
        assert_eq!(rules(&list(1, |provider, _| provider != "anthropic"), Some(&before)), [Rule::Vanished]);
        assert_eq!(rules(&list(1, |provider, _| provider != "groq"), Some(&before)), []);
        let mut bare = good.clone();
        bare.entries.iter_mut().for_each(|entry| entry.pricing = None);
        assert_eq!(rules(&bare, None), [Rule::Schema]);
        let mut some = good.clone();
        some.entries.iter_mut().skip(good.entries.len() / 3).for_each(|entry| entry.pricing = None);
        assert_eq!(rules(&some, Some(&before)), [Rule::Schema]);
    }
}
