//! The price sheet of one endpoint, and the exact cost of a [`Usage`] on it, item by item (`metrics.md` section 5).
//!
//! An unpriced subset is charged through its parent; a contradiction, a missing total and a missing price are errors,
//! never zero. Rates are chosen by the size of the whole request (tiers), its service tier and its start time (UTC).

mod forecast;
mod item;
mod rate;
mod version;

use std::collections::BTreeMap;

use jiff::Timestamp;
use rust_decimal::Decimal;

pub use item::{FeeItem, Item, PriceKey, ServiceTier};
pub(crate) use rate::UNSTATED;
pub use rate::{Comparator, Fee, Meter, OffPeak, Rate, Tier, Window, stated, stated_in};
pub use version::SheetVersion;

use super::Usage;
use crate::units::{MoneyError, Tokens, Usd, UsdPerMtok};

/// The whole price sheet of one endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pricing {
    /// Token rates of the standard service tier.
    pub rates: BTreeMap<Item, Rate>,
    /// Token rates of other service tiers; an item without one falls back to the standard rate, with a note.
    pub service: BTreeMap<ServiceTier, BTreeMap<Item, Rate>>,
    /// Cheaper hours, if any.
    pub off_peak: Option<OffPeak>,
    /// Per-call items.
    pub fees: BTreeMap<FeeItem, Fee>,
    /// A factor on all token costs (region, data residency), applied after tiers; 1 where there is none.
    pub multiplier: Decimal,
}

impl Default for Pricing {
    fn default() -> Self {
        Self {
            rates: BTreeMap::new(),
            service: BTreeMap::new(),
            off_peak: None,
            fees: BTreeMap::new(),
            multiplier: Decimal::ONE,
        }
    }
}

/// One line of a bill.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CostItem {
    /// The item's key, e.g. `cache_read` or `web_search`.
    pub key: &'static str,
    /// How many tokens, calls, pieces or seconds of it were charged.
    pub count: Decimal,
    /// The rate that applied: USD per 1M tokens, or per `per` things.
    pub rate: Decimal,
    /// What the rate is for: 1,000,000 for tokens.
    pub per: u32,
    /// What it comes to.
    pub amount: Usd,
}

/// The exact cost of a usage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cost {
    /// The lines of the bill; zero counts are left out.
    pub items: Vec<CostItem>,
    /// Their sum.
    pub total: Usd,
    /// Whether a division did not end, or a count had to be attributed by rule.
    pub inexact: bool,
    /// What the reader must know, e.g. that a service tier has no rate of its own.
    pub notes: Vec<String>,
}

/// Why a cost is unknown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CostError {
    /// A subset is larger than what contains it.
    #[error("the usage contradicts itself: the parts of {item} add up to more than {item}")]
    Contradiction {
        /// The set that its parts exceed.
        item: Item,
    },
    /// A total or an overlap was not reported although a part of it was.
    #[error("the usage does not say how many {item} tokens there were")]
    MissingCount {
        /// The count that is missing.
        item: Item,
    },
    /// There are tokens that no rate covers.
    #[error("the price sheet has no price for {item} tokens")]
    MissingPrice {
        /// The item without a rate.
        item: Item,
    },
}

impl Pricing {
    /// The fee of one request, in USD.
    #[must_use]
    pub fn request_fee(&self) -> Usd {
        self.fees.get(&FeeItem::Request).map_or(Usd::ZERO, |fee| fee.price.per(fee.per).0)
    }

    /// Adds one entry of a price table; `Ok(false)` where the key is none.
    ///
    /// # Errors
    /// The value is not an exact, non-negative decimal.
    pub fn set(&mut self, key: &str, value: &str) -> Result<bool, MoneyError> {
        match PriceKey::parse(key) {
            None => return Ok(false),
            Some(PriceKey::Token(item)) => {
                self.rates.insert(item, Rate::flat(value.parse()?));
            }
            Some(PriceKey::ServiceToken(tier, item)) => {
                self.service.entry(tier).or_default().insert(item, Rate::flat(value.parse()?));
            }
            Some(PriceKey::Fee(item, per)) => {
                self.fees.insert(item, Fee { price: value.parse()?, per });
            }
        }
        Ok(true)
    }

    /// Adds another rate for requests of more than `over` input tokens, or of at least as many (`inclusive`). A zero where
    /// smaller requests pay is no rate: lists write it for "I do not know". Below it, an item without a rate of its own is
    /// charged through what contains it; `false` where nothing does.
    pub fn add_tier(&mut self, item: Item, over: Tokens, inclusive: bool, price: UsdPerMtok) -> bool {
        let Some(below) = self.charged_through(item) else { return false };
        let price = Some(price).filter(|price| *price > UsdPerMtok::ZERO || below == UsdPerMtok::ZERO);
        if price.is_none() && !self.rates.contains_key(&item) {
            return true;
        }
        let comparator = if inclusive { Comparator::Ge } else { Comparator::Gt };
        let rate = self.rates.entry(item).or_insert_with(|| Rate { base: None, tiers: Vec::new() });
        rate.tiers.push(Tier { threshold: over, comparator, meter: Meter::Input, price });
        true
    }

    fn charged_through(&self, item: Item) -> Option<UsdPerMtok> {
        let wider = match item {
            Item::CacheWrite1h => Item::CacheWrite,
            Item::CacheRead | Item::CacheWrite | Item::InputAudio => Item::Input,
            Item::Reasoning | Item::OutputAudio => Item::Output,
            _ => return self.base(item),
        };
        self.base(item).or_else(|| self.charged_through(wider))
    }

    /// The plain rate of an item: base, standard tier.
    #[must_use]
    pub fn base(&self, item: Item) -> Option<UsdPerMtok> {
        self.rates.get(&item)?.base
    }

    /// Whether every rate and fee is an explicit zero.
    #[must_use]
    pub fn is_free(&self) -> bool {
        let mut stated = self
            .rates
            .values()
            .flat_map(|rate| std::iter::once(rate.base).chain(rate.tiers.iter().map(|tier| tier.price)));
        self.rates.values().any(|rate| rate.base.is_some())
            && stated.all(|price| price.is_none_or(|price| price == UsdPerMtok::ZERO))
            && self.fees.get(&FeeItem::Request).is_none_or(|fee| fee.price == Usd::ZERO)
    }

    /// The exact cost of `usage` for a request that started at `at`.
    ///
    /// # Errors
    /// The usage contradicts itself, leaves out a total, or needs a rate that the sheet lacks.
    pub fn cost(&self, usage: &Usage, at: Timestamp) -> Result<Cost, CostError> {
        let mut bill = Cost { items: Vec::new(), total: Usd::ZERO, inexact: false, notes: Vec::new() };
        let tier = ServiceTier::ALL.into_iter().find(|tier| usage.service_tier.as_deref() == Some(tier.name()));
        let rate_for = |item| self.rate_for(item, tier, usage, at);
        for (item, share) in shares(usage, |item| rate_for(item).is_some())? {
            let (rate, is_own) = rate_for(item).ok_or(CostError::MissingPrice { item })?;
            if let Some(tier) = tier.filter(|_| !is_own) {
                bill.notes.push(format!("no {} price for {item}: the standard price is used", tier.name()));
            }
            let amount = rate * share;
            let amount = if self.multiplier == Decimal::ONE { amount } else { amount.times(self.multiplier) };
            bill.items.push(CostItem {
                key: item.key(),
                count: Decimal::from(share.count()),
                rate: rate.decimal(),
                per: 1_000_000,
                amount,
            });
        }
        for (&item, fee) in &self.fees {
            let count = item.count(usage);
            if count.is_zero() {
                continue;
            }
            let (amount, exact) = fee.price.times(count).per(fee.per);
            bill.inexact |= !exact;
            bill.items.push(CostItem { key: item.key(), count, rate: fee.price.decimal(), per: fee.per, amount });
        }
        bill.total = bill.items.iter().map(|line| line.amount).sum();
        Ok(bill)
    }

    /// The rate that applies to an item, and whether it is its service tier's own.
    fn rate_for(
        &self,
        item: Item,
        service: Option<ServiceTier>,
        usage: &Usage,
        at: Timestamp,
    ) -> Option<(UsdPerMtok, bool)> {
        let size = |total: Option<Tokens>| total.unwrap_or_default();
        let known = |rate: &Rate| rate.at(size(usage.input), size(usage.output)).0;
        let own = service.and_then(|tier| known(self.service.get(&tier)?.get(&item)?));
        if let Some(rate) = own {
            return Some((rate, true));
        }
        Some((self.rate_at(item, size(usage.input), size(usage.output), at)?, false))
    }
}

/// Every token in one bucket: the own share of each item that has a rate, the most specific first (leaf subtraction).
fn shares(usage: &Usage, has_rate: impl Fn(Item) -> bool) -> Result<Vec<(Item, Tokens)>, CostError> {
    let positive = |item: Item| item.count(usage).is_some_and(|count| count > Tokens::ZERO);
    let priced = |item: Item| has_rate(item) || item.parents().is_empty();
    for item in Item::ALL.into_iter().filter(|&item| positive(item)) {
        for &parent in item.parents() {
            match parent.count(usage) {
                None => return Err(CostError::MissingCount { item: parent }),
                Some(count) if Some(count) < item.count(usage) => {
                    return Err(CostError::Contradiction { item: parent });
                }
                Some(_) => {}
            }
        }
    }
    for overlap in [Item::CacheAudioRead, Item::CacheImageRead] {
        if overlap.parents().iter().all(|&parent| positive(parent) && priced(parent)) {
            match overlap.count(usage) {
                None => return Err(CostError::MissingCount { item: overlap }),
                Some(Tokens::ZERO) => {}
                Some(_) if !priced(overlap) => return Err(CostError::MissingPrice { item: overlap }),
                Some(_) => {}
            }
        }
    }
    let mut order: Vec<Item> = Item::ALL.into_iter().filter(|&item| positive(item) && priced(item)).collect();
    order.sort_by_key(|item| std::cmp::Reverse(item.depth()));
    let mut shares: Vec<(Item, Tokens)> = Vec::with_capacity(order.len());
    for item in order {
        let inside: Tokens = shares.iter().filter(|(part, _)| part.inside(item)).map(|&(_, share)| share).sum();
        let own = item.count(usage).and_then(|count| count.checked_sub(inside));
        shares.push((item, own.ok_or(CostError::Contradiction { item })?));
    }
    shares.sort_by_key(|&(item, _)| item);
    shares.retain(|&(_, share)| share > Tokens::ZERO);
    Ok(shares)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(from: u16, to: u16, weekdays: &[u8]) -> Window {
        Window { from, to, weekdays: weekdays.to_vec() }
    }

    #[test]
    fn the_short_sum_is_the_long_bill() {
        let at = "2026-11-24T10:00:00Z".parse::<Timestamp>().unwrap();
        let catalog = crate::catalog::Catalog::builtin();
        let mut seen = 0;
        for model in catalog.models() {
            for endpoint in model.endpoints() {
                let Some(sheet) = endpoint.endpoint().pricing else { continue };
                for (input, cached, output) in [(1000, 0, 400), (300_001, 299_000, 0), (7, 7, 1), (0, 0, 0)] {
                    let (input, cached, output) = (Tokens::new(input), Tokens::new(cached), Tokens::new(output));
                    let usage = Usage {
                        input: Some(input),
                        output: Some(output),
                        cache_read: (cached > Tokens::ZERO).then_some(cached),
                        ..Usage::default()
                    };
                    let bill = sheet.cost(&usage, at).ok().map(|cost| cost.total);
                    let known = sheet.base(Item::Input).is_some() && sheet.base(Item::Output).is_some();
                    assert_eq!(sheet.of_text(input, cached, output, at), bill.filter(|_| known), "{sheet:?}");
                    seen += 1;
                }
            }
        }
        assert!(seen > 10_000);
    }

    #[test]
    fn what_writing_costs_is_what_the_bill_has_more() {
        let at = "2026-11-24T10:00:00Z".parse::<Timestamp>().unwrap();
        let catalog = crate::catalog::Catalog::builtin();
        let sheets = catalog.models().flat_map(|model| model.endpoints().collect::<Vec<_>>());
        let mut seen = 0;
        for sheet in sheets.filter_map(|endpoint| endpoint.endpoint().pricing) {
            for (input, written, hour) in [(1000, 900, 0), (300_001, 299_000, 298_000), (50, 50, 50)] {
                let (input, written, hour) = (Tokens::new(input), Tokens::new(written), Tokens::new(hour));
                let output = Tokens::new(7);
                let Some(more) = sheet.of_writing((input, output), (written, hour), at) else { continue };
                let usage = Usage {
                    input: Some(input),
                    output: Some(output),
                    cache_write: Some(written),
                    cache_write_1h: Some(hour),
                    ..Usage::default()
                };
                let Some(plain) = sheet.of_text(input, Tokens::ZERO, output, at) else { continue };
                let bill = sheet.cost(&usage, at).map(|cost| cost.total);
                assert_eq!(bill, Ok(plain + more), "{sheet:?}");
                let most = sheet.worst_case(input, output, (false, hour > Tokens::ZERO));
                assert!(most >= bill.ok(), "{sheet:?}");
                seen += 1;
            }
        }
        assert!(seen > 500, "{seen}");
    }

    #[test]
    fn windows_wrap_midnight_and_keep_to_their_weekdays() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        // 2026-11-24 is a Tuesday.
        let night = window(16 * 60 + 30, 30, &[1, 2]);
        assert!(night.contains(at("2026-11-24T16:30:00Z")));
        assert!(!night.contains(at("2026-11-24T16:29:59Z")));
        assert!(night.contains(at("2026-11-25T00:29:59Z")), "a span that began on Tuesday reaches into Wednesday");
        assert!(!night.contains(at("2026-11-25T00:30:00Z")));
        assert!(!night.contains(at("2026-11-25T17:00:00Z")), "none begins on Wednesday");
        assert!(window(0, 0, &[6, 7]).contains(at("2026-11-22T12:00:00Z")));
        assert!(!window(0, 0, &[6, 7]).contains(at("2026-11-24T12:00:00Z")));
    }

    #[test]
    fn an_off_peak_rate_replaces_the_tier_and_a_service_tier_falls_back_with_a_note() {
        let mut sheet = Pricing::default();
        for (key, value) in [("input", "3"), ("output", "15"), ("batch_input", "1.5")] {
            assert!(sheet.set(key, value).unwrap());
        }
        sheet.rates.get_mut(&Item::Input).unwrap().tiers.push(Tier {
            threshold: Tokens::new(100),
            comparator: Comparator::Gt,
            meter: Meter::Input,
            price: Some("6".parse().unwrap()),
        });
        sheet.off_peak = Some(OffPeak {
            windows: vec![window(0, 60, &[])],
            rates: BTreeMap::from([(Item::Input, "1".parse().unwrap())]),
        });
        let usage = Usage::text(1_000_000, 0);
        let night = "2026-11-24T00:10:00Z".parse().unwrap();
        let day = "2026-11-24T10:00:00Z".parse().unwrap();
        assert_eq!(sheet.cost(&usage, night).unwrap().total.exact(), "1");
        assert_eq!(sheet.cost(&usage, day).unwrap().total.exact(), "6");
        let batch = Usage { service_tier: Some("batch".into()), ..Usage::text(1_000_000, 1_000_000) };
        let bill = sheet.cost(&batch, day).unwrap();
        assert_eq!(bill.total.exact(), "16.5");
        assert_eq!(bill.notes, ["no batch price for output: the standard price is used"]);
    }

    #[test]
    fn fees_that_do_not_divide_are_rounded_once_and_marked() {
        let mut sheet = Pricing::default();
        sheet.set("audio_seconds", "1").unwrap();
        let usage = Usage { input_seconds: Decimal::ONE, ..Usage::default() };
        let bill = sheet.cost(&usage, Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(bill.total.exact(), "0.000277777778");
        assert!(bill.inexact);
    }
}
