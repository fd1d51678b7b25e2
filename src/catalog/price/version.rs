//! Which price sheet a cost was computed with: its text, its hash, and the catalog's day. A cost that is kept names it, so
//! that no old cost is ever computed anew in silence.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use data_encoding::HEXLOWER;
use rust_decimal::Decimal;
use sha2::{Digest, Sha256};

use super::{Pricing, Rate, stated};
use crate::recent::Recent;

/// One endpoint's price sheet as it was on a day.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SheetVersion {
    /// The SHA-256 of `sheet`, in hex.
    pub sha256: String,
    /// The catalog's day, `YYYY-MM-DD`: of the first catalog that had this sheet, where it comes from a store.
    pub day: String,
    /// The sheet: a line an item, in a fixed order; the same prices give the same text.
    pub sheet: String,
}

impl SheetVersion {
    /// The version of a sheet in the catalog of `day`.
    #[must_use]
    pub fn of(pricing: &Pricing, day: &str) -> Self {
        let sheet = text(pricing);
        let sha256 = HEXLOWER.encode(&Sha256::digest(sheet.as_bytes()));
        Self { sha256, day: day.to_owned(), sheet }
    }

    /// The same; those that were asked for last are remembered.
    #[must_use]
    pub fn shared(pricing: &Pricing, day: &str) -> Arc<Self> {
        static LAST: Mutex<Recent<Pricing, Arc<SheetVersion>, 64>> = Mutex::new(Recent::new());
        let last = || LAST.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(version) = last().get(|known, version| version.day == day && known == pricing) {
            return Arc::clone(version);
        }
        let version = Arc::new(Self::of(pricing, day));
        last().put(pricing.clone(), Arc::clone(&version));
        version
    }

    /// Day and the first eight digits of the hash: `2026-11-24/3f2a9c1b`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("{}/{}", self.day, self.sha256.get(..8).unwrap_or(&self.sha256))
    }
}

/// A line an item: `input 3 >200000 input 6`, `batch output 7.5`, `request 0.01 / 1`.
fn text(pricing: &Pricing) -> String {
    let mut out = String::new();
    // Writing into a string cannot fail.
    let mut line = |words: std::fmt::Arguments<'_>| {
        let _ = writeln!(out, "{words}");
    };
    for (item, rate) in &pricing.rates {
        line(format_args!("{}{}", item.key(), rate_text(rate)));
    }
    for (tier, rates) in &pricing.service {
        for (item, rate) in rates {
            line(format_args!("{} {}{}", tier.name(), item.key(), rate_text(rate)));
        }
    }
    if let Some(off_peak) = &pricing.off_peak {
        for window in &off_peak.windows {
            line(format_args!("off-peak {}-{} {:?}", window.from, window.to, window.weekdays));
        }
        for (item, rate) in &off_peak.rates {
            line(format_args!("off-peak {} {}", item.key(), rate.exact()));
        }
    }
    for (item, fee) in &pricing.fees {
        line(format_args!("{} {} / {}", item.key(), fee.price.exact(), fee.per));
    }
    if pricing.multiplier != Decimal::ONE {
        line(format_args!("times {}", pricing.multiplier.normalize()));
    }
    out
}

fn rate_text(rate: &Rate) -> String {
    let mut out = format!(" {}", stated(rate.base));
    for tier in &rate.tiers {
        let meter = if tier.meter == super::Meter::Input { "input" } else { "output" };
        let _ = write!(out, " {}{} {meter} {}", tier.comparator.sign(), tier.threshold.count(), stated(tier.price));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::price::{Comparator, Item, Meter, Tier};
    use crate::units::Tokens;

    #[test]
    fn the_same_prices_are_the_same_version_and_any_other_price_is_another() {
        let sheet = |change: &dyn Fn(&mut Pricing)| {
            let mut pricing = Pricing::default();
            for (key, value) in [("output", "15"), ("input", "3.0"), ("batch_input", "1.5"), ("request", "10")] {
                assert!(pricing.set(key, value).unwrap(), "{key}");
            }
            change(&mut pricing);
            SheetVersion::of(&pricing, "2026-11-24")
        };
        let plain = sheet(&|_| {});
        assert_eq!(plain.sheet, "input 3\noutput 15\nbatch input 1.5\nrequest 10 / 1000\n");
        assert_eq!(plain, sheet(&|pricing| drop(pricing.set("input", "3"))));
        assert_eq!(plain.name().len(), "2026-11-24/".len() + 8);
        let tier = Tier {
            threshold: Tokens::new(200_000),
            comparator: Comparator::Gt,
            meter: Meter::Input,
            price: "6".parse().ok(),
        };
        let others: Vec<SheetVersion> = vec![
            sheet(&|pricing| drop(pricing.set("input", "3.000001"))),
            sheet(&|pricing| drop(pricing.set("cache_read", "0.3"))),
            sheet(&|pricing| pricing.rates.get_mut(&Item::Input).unwrap().tiers.push(tier)),
            sheet(&|pricing| pricing.multiplier = "1.1".parse().unwrap()),
        ];
        for (at, other) in others.iter().enumerate() {
            assert!(other.sha256 != plain.sha256, "{at}: {}", other.sheet);
        }
    }

    #[test]
    fn what_is_remembered_is_what_would_be_made() {
        let sheets: Vec<Pricing> = (1..80)
            .map(|price| {
                let mut pricing = Pricing::default();
                pricing.set("input", &price.to_string()).unwrap();
                pricing
            })
            .collect();
        for day in ["2026-11-24", "2026-11-25"] {
            for pricing in &sheets {
                let made = SheetVersion::shared(pricing, day);
                assert_eq!(*made, SheetVersion::of(pricing, day));
                assert_eq!(SheetVersion::shared(pricing, day), made);
            }
        }
    }
}
