//! The price sheet of one endpoint, and the exact cost of a [`Usage`] on it, item by item (`metrics.md` section 5).
//!
//! An unpriced subset is charged through its parent; a contradiction, a missing total and a missing price are errors,
//! never zero. Rates are chosen by the size of the whole request (tiers), its service tier and its start time (UTC).

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use rust_decimal::Decimal;

use super::Usage;
use crate::units::{MoneyError, Tokens, Usd, UsdPerMtok};

/// Something billed by the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the item of its name")]
pub enum Item {
    Input,
    CacheRead,
    CacheWrite,
    CacheWrite1h,
    InputAudio,
    InputImage,
    InputVideo,
    CacheAudioRead,
    CacheImageRead,
    Output,
    Reasoning,
    OutputAudio,
    OutputImage,
    OutputVideo,
    Citation,
}

impl Item {
    /// Every item, totals before their subsets.
    pub const ALL: [Self; 15] = [
        Self::Input,
        Self::CacheRead,
        Self::CacheWrite,
        Self::CacheWrite1h,
        Self::InputAudio,
        Self::InputImage,
        Self::InputVideo,
        Self::CacheAudioRead,
        Self::CacheImageRead,
        Self::Output,
        Self::Reasoning,
        Self::OutputAudio,
        Self::OutputImage,
        Self::OutputVideo,
        Self::Citation,
    ];

    /// The key in the catalog, in overlays and in JSON.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::CacheRead => "cache_read",
            Self::CacheWrite => "cache_write",
            Self::CacheWrite1h => "cache_write_1h",
            Self::InputAudio => "input_audio",
            Self::InputImage => "input_image_tokens",
            Self::InputVideo => "input_video_tokens",
            Self::CacheAudioRead => "cache_audio_read",
            Self::CacheImageRead => "cache_image_read",
            Self::Output => "output",
            Self::Reasoning => "reasoning",
            Self::OutputAudio => "output_audio",
            Self::OutputImage => "output_image_tokens",
            Self::OutputVideo => "output_video_tokens",
            Self::Citation => "citation",
        }
    }

    /// The sets that directly contain this one; an overlap has two.
    const fn parents(self) -> &'static [Self] {
        match self {
            Self::Input | Self::Output => &[],
            Self::CacheRead | Self::CacheWrite | Self::InputAudio | Self::InputImage | Self::InputVideo => {
                &[Self::Input]
            }
            Self::CacheWrite1h => &[Self::CacheWrite],
            Self::CacheAudioRead => &[Self::CacheRead, Self::InputAudio],
            Self::CacheImageRead => &[Self::CacheRead, Self::InputImage],
            Self::Reasoning | Self::OutputAudio | Self::OutputImage | Self::OutputVideo | Self::Citation => {
                &[Self::Output]
            }
        }
    }

    /// Whether this set lies strictly inside `outer`.
    fn inside(self, outer: Self) -> bool {
        self.parents().iter().any(|&parent| parent == outer || parent.inside(outer))
    }

    /// How deep this set lies; totals are 0.
    fn depth(self) -> usize {
        self.parents().iter().map(|parent| 1 + parent.depth()).max().unwrap_or(0)
    }

    const fn count(self, usage: &Usage) -> Option<Tokens> {
        match self {
            Self::Input => usage.input,
            Self::CacheRead => usage.cache_read,
            Self::CacheWrite => usage.cache_write,
            Self::CacheWrite1h => usage.cache_write_1h,
            Self::InputAudio => usage.input_audio,
            Self::InputImage => usage.input_image,
            Self::InputVideo => usage.input_video,
            Self::CacheAudioRead => usage.cache_audio_read,
            Self::CacheImageRead => usage.cache_image_read,
            Self::Output => usage.output,
            Self::Reasoning => usage.reasoning,
            Self::OutputAudio => usage.output_audio,
            Self::OutputImage => usage.output_image,
            Self::OutputVideo => usage.output_video,
            Self::Citation => usage.citation,
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.key())
    }
}

/// Something billed by the call, the piece or the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the item of its name")]
pub enum FeeItem {
    Request,
    WebSearch,
    InputImages,
    OutputImages,
    InputSeconds,
    OutputSeconds,
}

impl FeeItem {
    /// Every fee.
    pub const ALL: [Self; 6] = [
        Self::Request,
        Self::WebSearch,
        Self::InputImages,
        Self::OutputImages,
        Self::InputSeconds,
        Self::OutputSeconds,
    ];

    /// What it is called in output: `request`, `web_search`, `input_image`, `output_image`, `input_second`,
    /// `output_second`.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::WebSearch => "web_search",
            Self::InputImages => "input_image",
            Self::OutputImages => "output_image",
            Self::InputSeconds => "input_second",
            Self::OutputSeconds => "output_second",
        }
    }

    fn count(self, usage: &Usage) -> Decimal {
        match self {
            Self::Request => Decimal::ONE,
            Self::WebSearch => Decimal::from(usage.web_searches),
            Self::InputImages => Decimal::from(usage.input_images),
            Self::OutputImages => Decimal::from(usage.output_images),
            Self::InputSeconds => usage.input_seconds,
            Self::OutputSeconds => usage.output_seconds,
        }
    }
}

/// What a key of a price table means: the one place that maps sheets' and vectors' words to items and units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PriceKey {
    /// USD per 1M tokens of this item.
    Token(Item),
    /// The same, on a service tier.
    ServiceToken(ServiceTier, Item),
    /// USD per so many of this fee's things.
    Fee(FeeItem, u32),
}

impl PriceKey {
    /// The meaning of a key of the snapshot, of an overlay or of the cost vectors; `None` for a key that is none.
    #[must_use]
    pub fn parse(key: &str) -> Option<Self> {
        if let Some(item) = Item::ALL.into_iter().find(|item| item.key() == key) {
            return Some(Self::Token(item));
        }
        for tier in ServiceTier::ALL {
            if let Some(rest) = key.strip_prefix(tier.name()).and_then(|rest| rest.strip_prefix('_')) {
                return Item::ALL
                    .into_iter()
                    .find(|item| item.key() == rest)
                    .map(|item| Self::ServiceToken(tier, item));
            }
        }
        Some(match key {
            "input_image" => Self::Token(Item::InputImage),
            "output_image" => Self::Token(Item::OutputImage),
            "input_video" => Self::Token(Item::InputVideo),
            "output_video" => Self::Token(Item::OutputVideo),
            "per_request" => Self::Fee(FeeItem::Request, 1),
            "request" | "requests_per_1k" => Self::Fee(FeeItem::Request, 1000),
            "web_search" | "web_search_per_1k" => Self::Fee(FeeItem::WebSearch, 1000),
            "per_input_image" => Self::Fee(FeeItem::InputImages, 1),
            "per_output_image" => Self::Fee(FeeItem::OutputImages, 1),
            "per_input_second" => Self::Fee(FeeItem::InputSeconds, 1),
            "per_output_second" => Self::Fee(FeeItem::OutputSeconds, 1),
            "audio_seconds" => Self::Fee(FeeItem::InputSeconds, 3600),
            _ => return None,
        })
    }
}

/// A way of being served that has its own price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the tier of its name")]
pub enum ServiceTier {
    Batch,
    Flex,
    Priority,
}

impl ServiceTier {
    /// Every tier but the standard one.
    pub const ALL: [Self; 3] = [Self::Batch, Self::Flex, Self::Priority];

    /// The prefix of its keys and the word that providers report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Flex => "flex",
            Self::Priority => "priority",
        }
    }
}

/// How a tier's threshold is compared with the size of the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparator {
    /// `>`: the threshold itself still pays the base rate.
    Gt,
    /// `>=`.
    Ge,
    /// `<`.
    Lt,
    /// `<=`.
    Le,
}

impl Comparator {
    /// The sign, for people: `>`, `>=`, `<`, `<=`.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Gt => ">",
            Self::Ge => ">=",
            Self::Lt => "<",
            Self::Le => "<=",
        }
    }

    fn holds(self, size: Tokens, threshold: Tokens) -> bool {
        match self {
            Self::Gt => size > threshold,
            Self::Ge => size >= threshold,
            Self::Lt => size < threshold,
            Self::Le => size <= threshold,
        }
    }

    const fn upward(self) -> bool {
        matches!(self, Self::Gt | Self::Ge)
    }
}

/// Which total a tier looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Meter {
    /// All input tokens of the request, cached ones included.
    Input,
    /// All output tokens.
    Output,
}

/// Another rate for all tokens of the item once the request is of a certain size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tier {
    /// The threshold in tokens.
    pub threshold: Tokens,
    /// How the size is compared with it.
    pub comparator: Comparator,
    /// Which size.
    pub meter: Meter,
    /// The rate then.
    pub price: UsdPerMtok,
}

/// The rate of one item: a base and its tiers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rate {
    /// The rate where no tier applies.
    pub base: UsdPerMtok,
    /// Tiers in any order; of those that hold, the highest threshold crossed wins.
    pub tiers: Vec<Tier>,
}

impl Rate {
    /// A rate without tiers.
    #[must_use]
    pub const fn flat(base: UsdPerMtok) -> Self {
        Self { base, tiers: Vec::new() }
    }

    /// The dearest rate that a request of at most this size can meet.
    #[must_use]
    pub fn dearest(&self, input: Tokens, output: Tokens) -> UsdPerMtok {
        let reachable = self.tiers.iter().filter(|tier| {
            let size = if tier.meter == Meter::Input { input } else { output };
            !tier.comparator.upward() || tier.comparator.holds(size, tier.threshold)
        });
        reachable.map(|tier| tier.price).fold(self.base, UsdPerMtok::max)
    }

    /// The rate for a request of this size, and the tier that set it.
    #[must_use]
    pub fn at(&self, input: Tokens, output: Tokens) -> (UsdPerMtok, Option<&Tier>) {
        let crossed = self.tiers.iter().filter(|tier| {
            let size = match tier.meter {
                Meter::Input => input,
                Meter::Output => output,
            };
            tier.comparator.holds(size, tier.threshold)
        });
        let best = crossed.max_by_key(|tier| {
            let rank = i128::from(tier.threshold.count());
            (tier.comparator.upward(), if tier.comparator.upward() { rank } else { -rank })
        });
        best.map_or((self.base, None), |tier| (tier.price, Some(tier)))
    }
}

/// A price per so many calls, pieces or seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fee {
    /// US dollars for `per` of them.
    pub price: Usd,
    /// How many that is for.
    pub per: u32,
}

/// A daily span in UTC, half-open; it may wrap midnight, and equal ends are the whole day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Window {
    /// First minute of the day (0..1440) that is inside.
    pub from: u16,
    /// First minute that is outside again.
    pub to: u16,
    /// ISO weekdays (1 = Monday) on which a span may start; empty is every day.
    pub weekdays: Vec<u8>,
}

impl Window {
    /// Whether the instant lies inside.
    #[must_use]
    pub fn contains(&self, at: Timestamp) -> bool {
        let seconds = at.as_second();
        let minute = u16::try_from(seconds.rem_euclid(86_400) / 60).unwrap_or(0);
        // 1970-01-01 was a Thursday, ISO weekday 4.
        let weekday = u8::try_from((seconds.div_euclid(86_400) + 3).rem_euclid(7)).unwrap_or(0) + 1;
        let starts_on = |day: u8| self.weekdays.is_empty() || self.weekdays.contains(&day);
        let yesterday = if weekday == 1 { 7 } else { weekday - 1 };
        if self.from == self.to {
            starts_on(weekday)
        } else if self.from < self.to {
            minute >= self.from && minute < self.to && starts_on(weekday)
        } else {
            (minute >= self.from && starts_on(weekday)) || (minute < self.to && starts_on(yesterday))
        }
    }
}

/// Cheaper hours: rates that replace the base and the tiers inside any of the windows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OffPeak {
    /// When.
    pub windows: Vec<Window>,
    /// The rates then; an item without one keeps its ordinary rate.
    pub rates: BTreeMap<Item, UsdPerMtok>,
}

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

    /// The plain rate of an item: base, standard tier.
    #[must_use]
    pub fn base(&self, item: Item) -> Option<UsdPerMtok> {
        self.rates.get(&item).map(|rate| rate.base)
    }

    /// Whether every rate and fee is an explicit zero.
    #[must_use]
    pub fn is_free(&self) -> bool {
        !self.rates.is_empty()
            && self.rates.values().all(|rate| {
                rate.base == UsdPerMtok::ZERO && rate.tiers.iter().all(|tier| tier.price == UsdPerMtok::ZERO)
            })
            && self.fees.get(&FeeItem::Request).is_none_or(|fee| fee.price == Usd::ZERO)
    }

    /// The exact cost of `usage` for a request that started at `at`.
    ///
    /// # Errors
    /// The usage contradicts itself, leaves out a total, or needs a rate that the sheet lacks.
    pub fn cost(&self, usage: &Usage, at: Timestamp) -> Result<Cost, CostError> {
        let mut bill = Cost { items: Vec::new(), total: Usd::ZERO, inexact: false, notes: Vec::new() };
        let tier = ServiceTier::ALL.into_iter().find(|tier| usage.service_tier.as_deref() == Some(tier.name()));
        for (item, share) in self.shares(usage)? {
            let rate = self.rate_for(item, tier, usage, at, &mut bill.notes).ok_or(CostError::MissingPrice { item })?;
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

    /// Every token in one bucket: each priced item's own share, the most specific first (leaf subtraction).
    fn shares(&self, usage: &Usage) -> Result<Vec<(Item, Tokens)>, CostError> {
        let positive = |item: Item| item.count(usage).is_some_and(|count| count > Tokens::ZERO);
        let priced = |item: Item| self.rates.contains_key(&item) || item.parents().is_empty();
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

    fn rate_for(
        &self,
        item: Item,
        service: Option<ServiceTier>,
        usage: &Usage,
        at: Timestamp,
        notes: &mut Vec<String>,
    ) -> Option<UsdPerMtok> {
        let size = |total: Option<Tokens>| total.unwrap_or_default();
        if let Some(tier) = service {
            if let Some(rate) = self.service.get(&tier).and_then(|rates| rates.get(&item)) {
                return Some(rate.at(size(usage.input), size(usage.output)).0);
            }
            let note = format!("no {} price for {item}: the standard price is used", tier.name());
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
        if let Some(off_peak) = &self.off_peak
            && let Some(&rate) = off_peak.rates.get(&item)
            && off_peak.windows.iter().any(|window| window.contains(at))
        {
            return Some(rate);
        }
        Some(self.rates.get(&item)?.at(size(usage.input), size(usage.output)).0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window(from: u16, to: u16, weekdays: &[u8]) -> Window {
        Window { from, to, weekdays: weekdays.to_vec() }
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
            price: "6".parse().unwrap(),
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
