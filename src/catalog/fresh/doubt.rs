//! What of an entry is not believed unless somebody looks at it: a price far from what everybody takes, a size of request that
//! costs less than a smaller one or nothing, a limit that cannot be meant. It stays as it was.

use std::collections::BTreeMap;

use super::merge::agrees;
use super::names::Names;
use super::rules::far;
use super::{Entry, Listing, Refusal};
use crate::catalog::price::{Item, Pricing};
use crate::catalog::{Catalog, Endpoint, EndpointId, ModelId, ModelKind};
use crate::units::{Tokens, UsdPerMtok};

/// Nobody takes less: $0.001 per 1M tokens.
const CHEAPEST: &str = "0.001";

/// How many times its model's median, or what it was, a price may be, and how small a part of it.
const FAR: u64 = 8;

/// How many other offers a median is of.
const ENOUGH: usize = 5;

/// The windows that there are, in tokens.
const WINDOWS: std::ops::RangeInclusive<u64> = 256..=20_000_000;

/// The items that every call is billed by, and what they are called.
const BILLED: [(Item, &str); 2] = [(Item::Input, "input"), (Item::Output, "output")];

impl Listing {
    /// Puts what is in use in the place of what is not believed of its entries, and says so. A price that `current` has as well is believed,
    /// and so is every price with `prices`.
    pub fn doubt(&mut self, current: &Catalog, prices: bool) {
        let embedded = Catalog::builtin();
        let (names, known) = (Names::new(&embedded), Known::of(current));
        let mut told = Vec::new();
        let mut note = |entry: &Entry, why: String| told.push(Refusal::new(&entry.id.to_string(), why));
        for entry in &mut self.entries {
            let was = known.offers.get(&entry.id);
            let own = || {
                let provider = embedded.provider(&entry.id.provider)?;
                Some(names.meant(&provider, &entry.id.upstream_model).model)
            };
            let model = was.map(|was| was.model.clone()).or_else(own);
            let sheet = entry.pricing.as_ref().filter(|_| !prices);
            if let Some(why) = sheet.and_then(|sheet| known.doubts(&entry.id, sheet, was, model.as_ref())) {
                note(entry, format!("{why}: its price is not taken (--allow prices)"));
                entry.pricing = was.and_then(|was| was.pricing.clone());
                entry.priced_on = was.and_then(|was| current.day_of(was)).map(str::to_owned);
            }
            if let Some(why) = window(entry) {
                note(entry, why);
                entry.context = was.and_then(|was| was.context);
            }
            let window = entry.context.or(was.and_then(|was| was.context));
            // What makes speech or pictures counts its answers in units of its own.
            if let (Some(window), Some(output), ModelKind::Chat) = (window, entry.max_output, entry.kind())
                && output > window
                && was.is_none_or(|was| was.max_output != Some(output))
            {
                // Where the catalog has the window in its place, that was said when it was made.
                if was.is_none_or(|was| was.max_output != Some(window)) {
                    note(
                        entry,
                        format!("has a longest answer of {output} tokens in a window of {window}, which is not taken"),
                    );
                }
                entry.max_output = was.and_then(|was| was.max_output);
            }
        }
        told.append(&mut self.reduced);
        self.reduced = told;
    }
}

/// Why a window cannot be meant, of a model for chats.
fn window(entry: &Entry) -> Option<String> {
    let stated = entry.context.filter(|_| entry.kind() == ModelKind::Chat).map(Tokens::count)?;
    let told = || format!("has a window of {stated} tokens, which is not taken");
    (!WINDOWS.contains(&stated)).then(told)
}

/// What is in use, to hold a list against.
struct Known {
    offers: BTreeMap<EndpointId, Endpoint>,
    /// What plain offers of a model take for input and output, free ones left out.
    prices: BTreeMap<ModelId, Vec<(EndpointId, [UsdPerMtok; 2])>>,
}

impl Known {
    fn of(current: &Catalog) -> Self {
        let mut known = Self { offers: BTreeMap::new(), prices: BTreeMap::new() };
        for line in current.models() {
            for endpoint in line.endpoints().map(|endpoint| endpoint.endpoint()) {
                let priced = endpoint.pricing.as_ref().filter(|_| endpoint.is_plain()).and_then(stated);
                if let Some(pair) = priced.filter(|pair| pair.iter().all(|price| *price > UsdPerMtok::ZERO)) {
                    let of_model = known.prices.entry(endpoint.model.clone()).or_default();
                    of_model.push((endpoint.id.clone(), pair));
                }
                for other in &endpoint.aka {
                    let id = EndpointId { provider: endpoint.id.provider.clone(), upstream_model: other.clone() };
                    known.offers.entry(id).or_insert_with(|| endpoint.clone());
                }
                known.offers.insert(endpoint.id.clone(), endpoint);
            }
        }
        known
    }

    /// Why a price is not believed.
    fn doubts(
        &self,
        id: &EndpointId,
        sheet: &Pricing,
        was: Option<&Endpoint>,
        model: Option<&ModelId>,
    ) -> Option<String> {
        let before = was.and_then(|was| was.pricing.as_ref());
        if before.is_some_and(|before| agrees(before, sheet)) {
            return None;
        }
        let pair = stated(sheet)?;
        let cheapest: UsdPerMtok = CHEAPEST.parse().ok()?;
        for ((item, name), price) in BILLED.into_iter().zip(pair) {
            let rate = sheet.rates.get(&item)?;
            let all = || rate.tiers.iter().map(|tier| tier.price).chain([rate.base]);
            if let Some(price) = all().flatten().find(|price| *price > UsdPerMtok::ZERO && *price < cheapest) {
                return Some(format!(
                    "takes ${price} per 1M tokens of {name}, where nobody takes less than ${cheapest}"
                ));
            }
            if let Some(tier) = rate.tiers.iter().find(|tier| tier.price.is_none_or(|of_tier| of_tier < price)) {
                let shown = tier.price.map_or_else(|| "nothing".to_owned(), |price| format!("${price}"));
                return Some(format!("takes {shown} for {name} above {} tokens and ${price} below", tier.threshold));
            }
        }
        let mut others: Vec<[UsdPerMtok; 2]> = model
            .and_then(|model| self.prices.get(model))
            .into_iter()
            .flatten()
            .filter(|(other, _)| other != id && was.is_none_or(|was| *other != was.id))
            .map(|(_, pair)| *pair)
            .collect();
        for (at, (_, name)) in BILLED.into_iter().enumerate() {
            if pair[at] == UsdPerMtok::ZERO {
                continue;
            }
            others.sort_by_key(|pair| pair[at]);
            let median = others.get(others.len() / 2).filter(|_| others.len() >= ENOUGH).map(|pair| pair[at]);
            if let Some(median) = median.filter(|median| far(*median, pair[at], FAR)) {
                return Some(format!(
                    "takes ${} per 1M tokens of {name}, where half of the others take ${median}",
                    pair[at]
                ));
            }
            let then = before.and_then(stated).map(|before| before[at]).filter(|then| *then > UsdPerMtok::ZERO);
            if let Some(then) = then.filter(|then| far(*then, pair[at], FAR)) {
                return Some(format!("takes ${} per 1M tokens of {name}, where it took ${then}", pair[at]));
            }
        }
        None
    }
}

/// What a sheet states for input and output.
fn stated(sheet: &Pricing) -> Option<[UsdPerMtok; 2]> {
    Some([sheet.base(Item::Input)?, sheet.base(Item::Output)?])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::fresh::merge;
    use crate::catalog::{About, Stored};

    fn doubted(record: &str, prices: bool) -> (Listing, Vec<String>) {
        let text = format!(r#"{{"anthropic":{{"models":{{"claude-sonnet-5":{record}}}}}}}"#);
        let mut list = Listing::read(text.as_bytes()).unwrap();
        list.doubt(&Catalog::builtin(), prices);
        let told = list.reduced.iter().map(|told| format!("{} {}", told.what, told.why)).collect();
        (list, told)
    }

    #[test]
    fn what_nobody_can_mean_stays_as_it_was() {
        let told = |record: &str| doubted(record, false).1.join("\n");
        let cost = |cost: &str| told(&format!(r#"{{"cost":{cost}}}"#));
        let said = [
            cost(r#"{"input":0.000001,"output":0.000001}"#),
            cost(r#"{"input":9999,"output":9999}"#),
            cost(r#"{"input":2,"output":0.9}"#),
            cost(r#"{"input":2,"output":10,"context_over_200k":{"input":0,"output":0}}"#),
            cost(r#"{"input":2,"output":10,"context_over_200k":{"input":4,"output":9}}"#),
            told(r#"{"limit":{"context":10,"output":99999999}}"#),
            told(r#"{"limit":{"context":1000000,"output":99999999}}"#),
        ];
        insta::assert_snapshot!(said.join("\n"), @r"
        anthropic:claude-sonnet-5 takes $0.000001 per 1M tokens of input, where nobody takes less than $0.001: its price is not taken (--allow prices)
        anthropic:claude-sonnet-5 takes $9999 per 1M tokens of input, where half of the others take $2: its price is not taken (--allow prices)
        anthropic:claude-sonnet-5 takes $0.9 per 1M tokens of output, where half of the others take $10: its price is not taken (--allow prices)
        anthropic:claude-sonnet-5 takes nothing for input above 200000 tokens and $2 below: its price is not taken (--allow prices)
        anthropic:claude-sonnet-5 takes $9 for output above 200000 tokens and $10 below: its price is not taken (--allow prices)
        anthropic:claude-sonnet-5 has a window of 10 tokens, which is not taken
        anthropic:claude-sonnet-5 has a longest answer of 99999999 tokens in a window of 1000000, which is not taken
        anthropic:claude-sonnet-5 has a longest answer of 99999999 tokens in a window of 1000000, which is not taken
        ");
        for fine in [
            r#"{"cost":{"input":2,"output":10}}"#,
            r#"{"cost":{"input":3,"output":15}}"#,
            r#"{"cost":{"input":3,"output":15,"context_over_200k":{"input":6,"output":22.5,"cache_read":0}}}"#,
            r#"{"limit":{"context":2000000,"output":128000}}"#,
        ] {
            assert_eq!(told(fine), "", "{fine}");
        }
        let (list, said) = doubted(r#"{"cost":{"input":9999,"output":9999}}"#, true);
        assert!(said.is_empty() && list.entries[0].pricing.is_some(), "{said:?}");
    }

    #[test]
    fn what_is_not_believed_changes_nothing() {
        let record = r#"{"cost":{"input":0.000001,"output":0.000001},"limit":{"context":10,"output":99999999}}"#;
        let (list, _) = doubted(record, false);
        let about = About { date: "2026-12-01".into(), embedded: Catalog::embedded().into(), ..About::default() };
        let stored = Stored::parse(merge(&list, None).text(&about).into_bytes()).unwrap();
        let own = |catalog: &Catalog| catalog.own_endpoint(&ModelId::new("anthropic/claude-sonnet-5")).unwrap();
        let (was, is) = (own(&Catalog::builtin()), own(&Catalog::updated(std::sync::Arc::new(stored))));
        assert_eq!((was.limits(), was.pricing), (is.limits(), is.pricing));
    }

    /// Not what the program has: what the update before has, with its day.
    #[test]
    fn what_is_in_use_stays_where_a_newer_list_is_not_believed() {
        let about = |date: &str| About { date: date.into(), embedded: Catalog::embedded().into(), ..About::default() };
        let stored = |list: &Listing, before: Option<&Stored>, date: &str| {
            Stored::parse(merge(list, before).text(&about(date)).into_bytes()).unwrap()
        };
        let read = |cost: &str| {
            let text = format!(r#"{{"anthropic":{{"models":{{"claude-sonnet-5":{{"cost":{cost}}}}}}}}}"#);
            Listing::read(text.as_bytes()).unwrap()
        };
        let mut first = read(r#"{"input":3,"output":15}"#);
        first.doubt(&Catalog::builtin(), false);
        let first = stored(&first, None, "2026-12-01");
        let before = Catalog::updated(std::sync::Arc::new(first.clone()));
        let mut second = read(r#"{"input":9999,"output":9999}"#);
        second.doubt(&before, false);
        let after = Catalog::updated(std::sync::Arc::new(stored(&second, Some(&first), "2026-12-08")));
        let own = |catalog: &Catalog| catalog.own_endpoint(&ModelId::new("anthropic/claude-sonnet-5")).unwrap();
        let (was, is) = (own(&before), own(&after));
        assert_eq!(was.pricing, is.pricing);
        assert_eq!(is.pricing.as_ref().unwrap().base(Item::Input), Some("3".parse().unwrap()));
        assert_eq!(after.day_of(&is), Some("2026-12-01"));
    }

    #[test]
    fn a_new_offer_is_held_against_the_others_of_its_model() {
        let text = r#"{"poe":{"models":{"claude-sonnet-5-new":{"cost":{"input":0.01,"output":0.05}},
            "anthropic/claude-sonnet-5":{"cost":{"input":0.01,"output":0.05}},
            "nobody/knows-this":{"cost":{"input":0.01,"output":0.05}}}}}"#;
        let mut list = Listing::read(text.as_bytes()).unwrap();
        list.doubt(&Catalog::builtin(), false);
        let priced =
            |id: &str| list.entries.iter().find(|entry| entry.id.upstream_model == id).unwrap().pricing.is_some();
        assert!(!priced("anthropic/claude-sonnet-5") && priced("nobody/knows-this"), "{:?}", list.reduced);
    }

    /// What the program has in it is what a list may say of it.
    #[test]
    fn the_catalog_in_the_program_is_believed() {
        let embedded = Catalog::builtin();
        let mut list = Listing::default();
        for line in embedded.models() {
            list.entries.extend(line.endpoints().map(|endpoint| Entry::of(&endpoint.endpoint())));
        }
        let before = list.entries.clone();
        list.doubt(&embedded, false);
        assert_eq!(list.reduced, [], "{}", list.reduced.len());
        assert!(list.entries.iter().zip(&before).all(|(is, was)| is.pricing == was.pricing));
    }
}
