//! Price sheets as hosted gateways write them, exact: ZenMux's `pricings` and OpenRouter's `pricing`.

use serde_json::{Map, Value, json};

use super::literal;
use crate::catalog::Pricing;
use crate::catalog::price::{FeeItem, Item, Meter, Rate};
use crate::units::{Tokens, Usd, UsdPerMtok};

/// ZenMux's keys; what has none there is not told there.
const ZENMUX: [(Item, &str); 9] = [
    (Item::Input, "prompt"),
    (Item::Output, "completion"),
    (Item::CacheRead, "input_cache_read"),
    (Item::CacheWrite, "input_cache_write"),
    (Item::CacheWrite1h, "input_cache_write_1_h"),
    (Item::Reasoning, "internal_reasoning"),
    (Item::InputImage, "image"),
    (Item::InputVideo, "video"),
    (Item::InputAudio, "audio"),
];
const ZENMUX_FEES: [(FeeItem, &str, &str); 5] = [
    (FeeItem::Request, "request", "perCount"),
    (FeeItem::WebSearch, "web_search", "perCount"),
    (FeeItem::InputImages, "image", "perCount"),
    (FeeItem::InputSeconds, "audio", "perSecond"),
    (FeeItem::OutputSeconds, "video", "perSecond"),
];

/// OpenRouter's keys.
const OPENROUTER: [(Item, &str); 10] = [
    (Item::Input, "prompt"),
    (Item::Output, "completion"),
    (Item::CacheRead, "input_cache_read"),
    (Item::CacheWrite, "input_cache_write"),
    (Item::CacheWrite1h, "input_cache_write_1h"),
    (Item::Reasoning, "internal_reasoning"),
    (Item::InputImage, "image_token"),
    (Item::InputAudio, "audio"),
    (Item::OutputAudio, "audio_output"),
    (Item::CacheAudioRead, "input_audio_cache"),
];
const OPENROUTER_FEES: [(FeeItem, &str); 4] = [
    (FeeItem::Request, "request"),
    (FeeItem::WebSearch, "web_search"),
    (FeeItem::InputImages, "image"),
    (FeeItem::OutputImages, "image_output"),
];

/// A token price with the sheet's factor in it, for so many tokens.
fn of_tokens(sheet: &Pricing, price: UsdPerMtok, tokens: u64) -> String {
    (price * Tokens::new(tokens)).times(sheet.multiplier).exact()
}

/// What one of them costs; `None` where that does not end.
fn each(price: Usd, per: u32) -> Option<String> {
    let (one, ends) = price.per(per);
    ends.then(|| one.exact())
}

/// ZenMux's: each key a list of prices with the conditions that they hold under; numbers, per million tokens.
#[must_use]
pub fn pricings(sheet: &Pricing) -> Value {
    let mut object = Map::new();
    let mut put = |key: &str, entries: Vec<Value>| match object.get_mut(key) {
        Some(Value::Array(known)) => known.extend(entries),
        _ => drop(object.insert(key.to_owned(), entries.into())),
    };
    for (item, key) in ZENMUX {
        if let Some(rate) = sheet.rates.get(&item) {
            put(key, conditioned(sheet, rate));
        }
    }
    for (item, key, unit) in ZENMUX_FEES {
        if let Some(price) = sheet.fees.get(&item).and_then(|fee| each(fee.price, fee.per)) {
            put(key, vec![json!({ "value": literal(&price), "unit": unit, "currency": "USD" })]);
        }
    }
    object.into()
}

/// The base rate up to the first threshold, and each tier from its own on.
fn conditioned(sheet: &Pricing, rate: &Rate) -> Vec<Value> {
    let entry = |price: UsdPerMtok| {
        let value = literal(&of_tokens(sheet, price, 1_000_000));
        json!({ "value": value, "unit": "perMTokens", "currency": "USD" })
    };
    let thousands = |tokens: Tokens| literal(&each(Usd::from_pico(0) + kilo(tokens), 1).unwrap_or_default());
    let condition = |entry: &mut Value, meter: Meter, bounds: Vec<(&str, Tokens)>| {
        let meter = if meter == Meter::Input { "prompt_tokens" } else { "completion_tokens" };
        let mut fields = Map::from_iter([("unit".to_owned(), Value::from("kTokens"))]);
        fields.extend(bounds.into_iter().map(|(word, tokens)| (word.to_owned(), thousands(tokens))));
        entry["conditions"] = Value::from(Map::from_iter([(meter.to_owned(), Value::from(fields))]));
    };
    let word = |sign: &str| match sign {
        ">" => "gt",
        ">=" => "gte",
        "<" => "lt",
        _ => "lte",
    };
    let opposite = |sign: &str| match sign {
        ">" => "lte",
        ">=" => "lt",
        "<" => "gte",
        _ => "gt",
    };
    let mut tiers = rate.tiers.clone();
    tiers.sort_by_key(|tier| tier.threshold);
    let mut entries = Vec::new();
    if let Some(mut base) = rate.base.map(entry) {
        if let Some(first) = tiers.first() {
            condition(&mut base, first.meter, vec![(opposite(first.comparator.sign()), first.threshold)]);
        }
        entries.push(base);
    }
    for (at, tier) in tiers.iter().enumerate() {
        let Some(mut own) = tier.price.map(entry) else { continue };
        let mut bounds = vec![(word(tier.comparator.sign()), tier.threshold)];
        bounds.extend(tiers.get(at + 1).map(|next| (opposite(next.comparator.sign()), next.threshold)));
        condition(&mut own, tier.meter, bounds);
        entries.push(own);
    }
    entries
}

/// A count in thousands, as an exact decimal.
fn kilo(tokens: Tokens) -> Usd {
    Usd::from_pico(i64::try_from(tokens.count()).unwrap_or(i64::MAX).saturating_mul(1_000_000_000))
}

/// OpenRouter's: texts in dollars a token, or apiece; dearer sizes are overrides.
#[must_use]
pub fn pricing(sheet: &Pricing) -> Value {
    let mut object = Map::new();
    for (item, key) in OPENROUTER {
        if let Some(base) = sheet.base(item) {
            object.insert(key.to_owned(), of_tokens(sheet, base, 1).into());
        }
    }
    for (item, key) in OPENROUTER_FEES {
        if let Some(price) = sheet.fees.get(&item).and_then(|fee| each(fee.price, fee.per)) {
            object.insert(key.to_owned(), price.into());
        }
    }
    let mut overrides: Vec<(Tokens, Map<String, Value>)> = Vec::new();
    for (item, key) in OPENROUTER {
        let tiers = sheet.rates.get(&item).into_iter().flat_map(|rate| &rate.tiers);
        for tier in tiers.filter(|tier| tier.meter == Meter::Input) {
            // There a threshold itself still pays the base rate.
            let above = match tier.comparator.sign() {
                ">" => tier.threshold,
                ">=" => tier.threshold.saturating_sub(Tokens::new(1)),
                _ => continue,
            };
            // What nobody states is charged as input: left out, it would read as the base rate.
            let size = above + Tokens::new(1);
            let input = || sheet.rates.get(&Item::Input)?.at(size, Tokens::ZERO).0;
            let Some(price) = tier.price.or_else(input) else { continue };
            let price = of_tokens(sheet, price, 1);
            match overrides.iter_mut().find(|(known, _)| *known == above) {
                Some((_, fields)) => drop(fields.insert(key.to_owned(), price.into())),
                None => overrides.push((above, Map::from_iter([(key.to_owned(), price.into())]))),
            }
        }
    }
    overrides.sort_by_key(|(above, _)| *above);
    if !overrides.is_empty() {
        let entry = |(above, fields): (Tokens, Map<String, Value>)| {
            let mut entry = Map::from_iter([("min_prompt_tokens".to_owned(), Value::from(above.count()))]);
            entry.extend(fields);
            Value::from(entry)
        };
        object.insert("overrides".to_owned(), overrides.into_iter().map(entry).collect::<Vec<_>>().into());
    }
    object.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(pairs: &[(&str, &str)]) -> Pricing {
        let mut sheet = Pricing::default();
        for (key, value) in pairs {
            assert!(sheet.set(key, value).unwrap(), "{key}");
        }
        sheet
    }

    #[test]
    fn prices_are_exact_in_both_forms() {
        let pairs = [("input", "0.1"), ("output", "12.5"), ("cache_read", "0.00000003"), ("web_search_per_1k", "10")];
        let sheet = sheet(&pairs);
        assert_eq!(
            pricing(&sheet).to_string(),
            r#"{"prompt":"0.0000001","completion":"0.0000125","input_cache_read":"0.00000000000003","web_search":"0.01"}"#
        );
        assert_eq!(
            pricings(&sheet).to_string(),
            r#"{"prompt":[{"value":0.1,"unit":"perMTokens","currency":"USD"}],"completion":[{"value":12.5,"unit":"perMTokens","currency":"USD"}],"input_cache_read":[{"value":0.00000003,"unit":"perMTokens","currency":"USD"}],"web_search":[{"value":0.01,"unit":"perCount","currency":"USD"}]}"#
        );
    }

    #[test]
    fn dearer_sizes_are_conditions_and_overrides() {
        use crate::catalog::price::{Comparator, Tier};
        let mut sheet = sheet(&[("input", "3"), ("output", "15")]);
        for (item, price) in [(Item::Input, "6"), (Item::Output, "22.5")] {
            let tier = Tier {
                threshold: Tokens::new(200_000),
                comparator: Comparator::Gt,
                meter: Meter::Input,
                price: price.parse().ok(),
            };
            sheet.rates.get_mut(&item).unwrap().tiers.push(tier);
        }
        assert_eq!(
            pricing(&sheet).to_string(),
            r#"{"prompt":"0.000003","completion":"0.000015","overrides":[{"min_prompt_tokens":200000,"prompt":"0.000006","completion":"0.0000225"}]}"#
        );
        assert_eq!(
            pricings(&sheet)["completion"].to_string(),
            r#"[{"value":15,"unit":"perMTokens","currency":"USD","conditions":{"prompt_tokens":{"unit":"kTokens","lte":200}}},{"value":22.5,"unit":"perMTokens","currency":"USD","conditions":{"prompt_tokens":{"unit":"kTokens","gt":200}}}]"#
        );
    }
}
