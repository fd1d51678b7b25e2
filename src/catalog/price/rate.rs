//! What a thing costs: by the size of the request, by the hour of the day, by the piece.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Item;
use crate::units::{MoneyError, Tokens, Usd, UsdPerMtok};

/// What stands for a rate that nobody states.
pub(crate) const UNSTATED: &str = "-";

/// A rate as text: the exact decimal, or `-` where nobody states one.
#[must_use]
pub fn stated(rate: Option<UsdPerMtok>) -> String {
    rate.map_or_else(|| UNSTATED.to_owned(), UsdPerMtok::exact)
}

/// The rate that such a text says.
///
/// # Errors
/// It is neither `-` nor a price.
pub fn stated_in(text: &str) -> Result<Option<UsdPerMtok>, MoneyError> {
    if text == UNSTATED { Ok(None) } else { text.parse().map(Some) }
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
    /// The rate then; `None` where nobody says: the item is charged through what contains it.
    pub price: Option<UsdPerMtok>,
}

/// The rate of one item: a base and its tiers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rate {
    /// The rate where no tier applies; `None` where nobody says: the item is charged through what contains it.
    pub base: Option<UsdPerMtok>,
    /// Tiers in any order; of those that hold, the highest threshold crossed wins.
    pub tiers: Vec<Tier>,
}

impl Rate {
    /// A rate without tiers.
    #[must_use]
    pub const fn flat(base: UsdPerMtok) -> Self {
        Self { base: Some(base), tiers: Vec::new() }
    }

    /// The dearest known rate that a request of at most this size can meet.
    #[must_use]
    pub fn dearest(&self, input: Tokens, output: Tokens) -> Option<UsdPerMtok> {
        let reachable = self.tiers.iter().filter(|tier| {
            let size = if tier.meter == Meter::Input { input } else { output };
            !tier.comparator.upward() || tier.comparator.holds(size, tier.threshold)
        });
        reachable.map(|tier| tier.price).fold(self.base, Option::max)
    }

    /// The rate for a request of this size, if it is known, and the tier that set it.
    #[must_use]
    pub fn at(&self, input: Tokens, output: Tokens) -> (Option<UsdPerMtok>, Option<&Tier>) {
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
