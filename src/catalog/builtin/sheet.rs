//! Reading the price columns of `endpoints.tsv`.

use super::codes;
use crate::catalog::Dispute;
use crate::catalog::price::{
    Comparator, Item, Meter, OffPeak, PriceKey, Pricing, Rate, Tier, UNSTATED, Window, stated_in,
};
use crate::units::{Tokens, UsdPerMtok};

/// The entry of this code, as the decimal stands in the table.
pub(super) fn raw<'t>(sheet: &'t str, code: &str) -> Option<&'t str> {
    let mut rest = sheet;
    loop {
        let end = rest.bytes().position(|byte| byte == b';');
        let entry = rest.get(..end.unwrap_or(rest.len()))?;
        if let Some(value) = entry.strip_prefix(code).and_then(|entry| entry.strip_prefix('=')) {
            return Some(value).filter(|price| *price != UNSTATED);
        }
        rest = rest.get(end? + 1..)?;
    }
}

/// The whole price sheet; `None` where the column is empty.
pub(super) fn pricing(sheet: &str) -> Option<Pricing> {
    if sheet.is_empty() {
        return None;
    }
    let mut pricing = Pricing::default();
    let mut off_peak = OffPeak { windows: Vec::new(), rates: std::collections::BTreeMap::new() };
    for entry in sheet.split(';') {
        let (key, value) = entry.rsplit_once('=')?;
        if key == codes::OFF_PEAK {
            off_peak.windows = value.split(',').map(window).collect::<Option<_>>()?;
            continue;
        }
        let (prefix, rest) = key.split_once('.').map_or(("", key), |(prefix, rest)| (prefix, rest));
        if prefix == codes::OFF_PEAK {
            off_peak.rates.insert(item(rest)?, value.parse().ok()?);
            continue;
        }
        match rest.split_once('>') {
            Some((code, threshold)) => {
                add_tier(&mut pricing, prefix, item(code)?, tier(threshold, stated_in(value).ok()?)?)?;
            }
            None if value == UNSTATED => {
                pricing.rates.insert(item(rest)?, Rate { base: None, tiers: Vec::new() });
            }
            None => {
                pricing.set(&long_key(prefix, rest)?, value).ok()?;
            }
        }
    }
    if !off_peak.windows.is_empty() {
        pricing.off_peak = Some(off_peak);
    }
    Some(pricing)
}

/// The dispute column: `low..high;low..high` for input and output.
pub(super) fn dispute(text: &str) -> Option<Dispute> {
    let range = |text: &str| -> Option<(UsdPerMtok, UsdPerMtok)> {
        let (low, high) = text.split_once("..")?;
        Some((low.parse().ok()?, high.parse().ok()?))
    };
    let (input, output) = text.split_once(';')?;
    Some(Dispute { input: range(input)?, output: range(output)? })
}

fn item(code: &str) -> Option<Item> {
    codes::value(codes::ITEMS, &Item::ALL, code)
}

fn long_key(prefix: &str, code: &str) -> Option<String> {
    let key = codes::name(codes::ITEMS, code).or_else(|| codes::name(codes::FEES, code))?;
    if prefix.is_empty() {
        Some(key.to_owned())
    } else {
        Some(format!("{}_{key}", codes::name(codes::SERVICES, prefix)?))
    }
}

/// `200000` or `=200000`: what follows the `>` of a context tier.
fn tier(threshold: &str, price: Option<UsdPerMtok>) -> Option<Tier> {
    let (comparator, digits) = match threshold.strip_prefix('=') {
        Some(digits) => (Comparator::Ge, digits),
        None => (Comparator::Gt, threshold),
    };
    Some(Tier { threshold: Tokens::new(digits.parse().ok()?), comparator, meter: Meter::Input, price })
}

/// Tiers follow their base rate in the table.
fn add_tier(pricing: &mut Pricing, prefix: &str, item: Item, tier: Tier) -> Option<()> {
    let rate: &mut Rate = if prefix.is_empty() {
        pricing.rates.get_mut(&item)?
    } else {
        let PriceKey::ServiceToken(service, _) = PriceKey::parse(&long_key(prefix, "i")?)? else {
            return None;
        };
        pricing.service.get_mut(&service)?.get_mut(&item)?
    };
    rate.tiers.push(tier);
    Some(())
}

fn window(text: &str) -> Option<Window> {
    let (span, days) = text.split_once('@')?;
    let (from, to) = span.split_once('-')?;
    let weekdays = days.bytes().map(|day| day.checked_sub(b'0')).collect::<Option<_>>()?;
    Some(Window { from: from.parse().ok()?, to: to.parse().ok()?, weekdays })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::price::ServiceTier;

    #[test]
    fn a_sheet_with_everything() {
        let text = "i=3;o=15;i>200000=6;o>=200000=22.5;b.i=1.5;s1k=10;z.i=1;z=990-30@12,0-0@67";
        let sheet = pricing(text).unwrap();
        assert_eq!(sheet.base(Item::Output).unwrap().exact(), "15");
        assert_eq!(sheet.rates[&Item::Input].tiers[0].comparator, Comparator::Gt);
        assert_eq!(sheet.rates[&Item::Output].tiers[0].comparator, Comparator::Ge);
        assert_eq!(sheet.service[&ServiceTier::Batch][&Item::Input].base.unwrap().exact(), "1.5");
        assert_eq!(sheet.off_peak.unwrap().windows[0], Window { from: 990, to: 30, weekdays: vec![1, 2] });
        assert_eq!(raw(text, "i"), Some("3"));
        assert_eq!(raw(text, "r"), None);
        assert_eq!(pricing(""), None);
        let partly = pricing("i=3;o=15;w=-;w>200000=7.5;r=0.3;r>200000=-").unwrap();
        let size = |input| (Tokens::new(input), Tokens::ZERO);
        let rate = |item: Item, (input, output)| partly.rates[&item].at(input, output).0.map(|rate| rate.exact());
        assert_eq!(rate(Item::CacheWrite, size(1)), None);
        assert_eq!(rate(Item::CacheWrite, size(200_001)).as_deref(), Some("7.5"));
        assert_eq!(rate(Item::CacheRead, size(1)).as_deref(), Some("0.3"));
        assert_eq!(rate(Item::CacheRead, size(200_001)), None);
        assert_eq!(raw("i=3;w=-", "w"), None);
    }
}
