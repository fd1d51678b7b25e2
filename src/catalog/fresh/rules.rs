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
        /// Many prices moved far at once, or most of one provider's.
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
    let priced = priced(current);
    let rules = [
        fewer(list, before),
        vanished(list, before),
        prices(list, &priced),
        entries(list),
        schema(list, before, &priced),
    ];
    rules.into_iter().flatten().collect()
}

/// What everything costs that has a price: input and output.
type Prices = BTreeMap<EndpointId, (UsdPerMtok, UsdPerMtok)>;

fn priced(current: &Catalog) -> Prices {
    let mut found = Prices::new();
    for endpoint in current.models().flat_map(|line| line.endpoints().collect::<Vec<_>>()) {
        let price = |item| endpoint.price(item)?.parse::<UsdPerMtok>().ok();
        if let (Some(input), Some(output)) = (price(Item::Input), price(Item::Output)) {
            let (provider, wire_id) = (ProviderId::new(endpoint.provider()), endpoint.wire_id().to_owned());
            found.insert(EndpointId { provider, upstream_model: wire_id }, (input, output));
        }
    }
    found
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

/// More than one price in twenty, and at least three, or all, are four times what they were, or a quarter; or most of a
/// provider's, where it has five, are more than twice what they were, or less than half.
fn prices(list: &Listing, known: &Prices) -> Option<Tripped> {
    let (mut compared, mut moved) = (0_usize, Vec::new());
    let mut providers: BTreeMap<&ProviderId, (usize, Vec<String>)> = BTreeMap::new();
    for entry in &list.entries {
        let stated =
            entry.pricing.as_ref().and_then(|sheet| Some((sheet.base(Item::Input)?, sheet.base(Item::Output)?)));
        let (Some(was), Some(is)) = (known.get(&entry.id), stated) else { continue };
        let of_provider = providers.entry(&entry.id.provider).or_default();
        let told = || format!("{} {}/{} -> {}/{}", entry.id, was.0, was.1, is.0, is.1);
        let is_far = |times| far(was.0, is.0, times) || far(was.1, is.1, times);
        compared += 1;
        of_provider.0 += 1;
        if is_far(4) {
            moved.push(told());
        }
        if is_far(2) {
            of_provider.1.push(told());
        }
    }
    let trip = |seen, mut examples: Vec<String>| {
        examples.truncate(SHOWN);
        Some(Tripped { rule: Rule::Prices, seen, examples })
    };
    if compared > 0 && moved.len() * 20 > compared && (moved.len() >= 3 || moved.len() == compared) {
        return trip(format!("{} of {compared} prices moved more than fourfold", moved.len()), moved);
    }
    providers.retain(|_, (compared, moved)| *compared >= 5 && moved.len() * 2 > *compared);
    let more = providers.len().saturating_sub(1);
    let (provider, (compared, moved)) = providers.into_iter().max_by_key(|(_, (_, moved))| moved.len())?;
    let others = if more == 0 { String::new() } else { format!(", and most of {more} other providers'") };
    trip(format!("{} of {compared} prices of {provider} moved more than twofold{others}", moved.len()), moved)
}

/// Whether one price is more than so many times the other; from and to nothing is far.
pub(super) fn far(one: UsdPerMtok, other: UsdPerMtok, times: u64) -> bool {
    let (low, high) = if one < other { (one, other) } else { (other, one) };
    let most = low.to_millionths().map(|millionths| millionths.saturating_mul(times));
    matches!((most, high.to_millionths()), (Some(most), Some(high)) if high > most)
}

/// More than one entry in twenty.
fn entries(list: &Listing) -> Option<Tripped> {
    let (bad, all) = (list.refused.len(), list.refused.len() + list.entries.len());
    let seen = format!("{bad} of {all} entries cannot be meant");
    let examples = list.refused.iter().take(SHOWN).map(|refused| format!("{} {}", refused.what, refused.why)).collect();
    (bad * 20 > all).then_some(Tripped { rule: Rule::Entries, seen, examples })
}

/// Nothing has a price, or fewer than half as many of its offers as the last time, or as are known to have one.
fn schema(list: &Listing, before: Option<&Stored>, known: &Prices) -> Option<Tripped> {
    let all = list.entries.len();
    let priced = list.priced();
    let (then, of) = before.map_or((0, 1), |before| (before.about().priced, before.about().endpoints.max(1)));
    let fewer = priced * of * 2 < then * all;
    let (mut had, mut kept) = (0_usize, 0_usize);
    for entry in list.entries.iter().filter(|entry| known.contains_key(&entry.id)) {
        had += 1;
        kept += usize::from(entry.pricing.is_some());
    }
    let lost = had >= 3 && kept * 2 < had;
    let seen = match priced {
        0 => "nothing in it has a price".to_owned(),
        _ if fewer => format!("{priced} of {all} offers have a price, where {then} of {of} had"),
        _ => format!("{kept} of {had} offers that have a price have one in it"),
    };
    (all > 0 && (priced == 0 || fewer || lost)).then_some(Tripped { rule: Rule::Schema, seen, examples: Vec::new() })
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
        assert_eq!(rules(&list(2, |_, _| true), None), []);
        assert_eq!(rules(&list(3, |_, _| true), None), [Rule::Prices], "each of them is a little, all of them are not");
        let half = list(1, |provider, at| provider != "openai" || at % 2 == 0);
        assert_eq!((rules(&half, None), rules(&half, Some(&before))), (vec![], vec![Rule::Fewer]));
        assert_eq!(rules(&list(1, |provider, _| provider != "anthropic"), Some(&before)), [Rule::Vanished]);
        assert_eq!(rules(&list(1, |provider, _| provider != "groq"), Some(&before)), []);
        let mut bare = good.clone();
        bare.entries.iter_mut().for_each(|entry| entry.pricing = None);
        assert_eq!(rules(&bare, None), [Rule::Schema]);
        bare.entries[0].pricing.clone_from(&good.entries[0].pricing);
        assert_eq!(rules(&bare, None), [Rule::Schema], "one price does not make a list");
        // One provider in a long list: all of its prices for a thousandth, and for three times as much.
        for times in [3, 1000] {
            let mut cheap = good.clone();
            let dear = list(times, |provider, _| provider == "groq");
            cheap.entries.retain(|entry| entry.id.provider.as_str() != "groq");
            cheap.entries.extend(dear.entries);
            let tripped = tripped(&cheap, Some(&before), &catalog);
            assert_eq!(tripped.iter().map(|tripped| tripped.rule).collect::<Vec<_>>(), [Rule::Prices], "{tripped:?}");
        }
        let mut some = good.clone();
        some.entries.iter_mut().skip(good.entries.len() / 3).for_each(|entry| entry.pricing = None);
        assert_eq!(rules(&some, Some(&before)), [Rule::Schema]);
    }
}
