//! The cost vectors, by exact string, and the laws of a bill.

#![expect(clippy::disallowed_methods, reason = "the fixture and the sources are files")]

use std::path::Path;

use jiff::Timestamp;
use openmux::catalog::price::{Comparator, Cost, CostError, Item, Meter, PriceKey, Rate, Tier};
use openmux::catalog::{Pricing, Usage};
use openmux::units::{Tokens, Usd, UsdPerMtok};
use proptest::prelude::*;
use rust_decimal::Decimal;
use serde_json::Value;

fn quiet(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A sheet from a vector's rates, through the same words that the catalog uses.
fn sheet(vector: &Value) -> Pricing {
    let mut sheet = Pricing::default();
    for (key, rate) in vector["rates"].as_object().unwrap() {
        let base = rate.get("base").unwrap_or(rate);
        assert!(sheet.set(key, &text(base)).unwrap(), "{key} means nothing");
        let Some(tiers) = rate.get("tiers") else { continue };
        let Some(PriceKey::Token(item)) = PriceKey::parse(key) else { panic!("{key} cannot have tiers") };
        for tier in tiers.as_array().unwrap() {
            sheet.rates.get_mut(&item).unwrap().tiers.push(Tier {
                threshold: Tokens::new(tier["start"].as_u64().unwrap()),
                comparator: if tier["cmp"] == "ge" { Comparator::Ge } else { Comparator::Gt },
                meter: Meter::Input,
                price: text(&tier["price"]).parse().ok(),
            });
        }
    }
    sheet.multiplier = text(&vector["multiplier"]).parse().unwrap();
    sheet
}

fn usage(vector: &Value) -> Usage {
    let mut usage = Usage::default();
    for (key, count) in vector["usage"].as_object().unwrap() {
        match key.as_str() {
            "audio_seconds" => usage.input_seconds = text(count).parse().unwrap(),
            "web_search" => usage.web_searches = u32::try_from(count.as_u64().unwrap()).unwrap(),
            key => {
                let Some(PriceKey::Token(item)) = PriceKey::parse(key) else { panic!("{key} is no count") };
                *slot(&mut usage, item) = Some(Tokens::reported(count.as_u64().unwrap()).unwrap());
            }
        }
    }
    usage
}

fn slot(usage: &mut Usage, item: Item) -> &mut Option<Tokens> {
    match item {
        Item::Input => &mut usage.input,
        Item::CacheRead => &mut usage.cache_read,
        Item::CacheWrite => &mut usage.cache_write,
        Item::CacheWrite1h => &mut usage.cache_write_1h,
        Item::InputAudio => &mut usage.input_audio,
        Item::InputImage => &mut usage.input_image,
        Item::InputVideo => &mut usage.input_video,
        Item::CacheAudioRead => &mut usage.cache_audio_read,
        Item::CacheImageRead => &mut usage.cache_image_read,
        Item::Output => &mut usage.output,
        Item::Reasoning => &mut usage.reasoning,
        Item::OutputAudio => &mut usage.output_audio,
        Item::OutputImage => &mut usage.output_image,
        Item::OutputVideo => &mut usage.output_video,
        Item::Citation => &mut usage.citation,
    }
}

/// What the token items of one side come to; fees belong to neither.
fn side(cost: &Cost, output: bool) -> String {
    let of_output = ["output", "reasoning", "output_audio", "output_image_tokens", "output_video_tokens", "citation"];
    let tokens = cost.items.iter().filter(|line| Item::ALL.iter().any(|item| item.key() == line.key));
    let mine = tokens.filter(|line| of_output.contains(&line.key) == output);
    mine.map(|line| line.amount).sum::<Usd>().exact()
}

#[test]
fn every_vector_comes_out_to_the_last_digit() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/cost.json");
    let file: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let vectors = file["vectors"].as_array().unwrap();
    assert_eq!(vectors.len(), 44);
    for vector in vectors {
        let name = format!("vector {}: {}", vector["id"], text(&vector["note"]));
        let outcome = sheet(vector).cost(&usage(vector), Timestamp::UNIX_EPOCH);
        let expect = &vector["expect"];
        match expect.get("error").map(text).as_deref() {
            Some("contradiction") => assert!(matches!(outcome, Err(CostError::Contradiction { .. })), "{name}"),
            Some("missing") => assert!(matches!(outcome, Err(CostError::MissingCount { .. })), "{name}"),
            Some(other) => panic!("{name}: no such error as {other}"),
            None => {
                let cost = outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
                assert_eq!(cost.total.exact(), text(&expect["total"]), "{name}");
                for (key, output) in [("input", false), ("output", true)] {
                    if let Some(amount) = expect.get(key) {
                        assert_eq!(side(&cost, output), text(amount), "{name}: {key}");
                    }
                }
            }
        }
    }
}

/// Rates of at most 12 decimals, as price sheets have them.
fn price() -> impl Strategy<Value = UsdPerMtok> {
    (0_i64..10_i64.pow(15), 0_u32..=12)
        .prop_filter_map("too dear", |(digits, places)| Decimal::new(digits, places).to_string().parse().ok())
}

/// The items that a text call can have, and counts that nest.
fn bill() -> impl Strategy<Value = (Vec<(Item, UsdPerMtok)>, Usage)> {
    let rates = (price(), price(), price(), price(), price(), price(), any::<[bool; 4]>());
    let counts = (0_u64..1_000_000, 0_u64..1_000_000, 0_u64..1_000_000, 0_u64..1_000_000, 0_u64..1_000_000);
    (rates, counts).prop_map(|((input, output, read, write, hour, reasoning, priced), (plain, r, w, h, out))| {
        let optional = [
            (Item::CacheRead, read),
            (Item::CacheWrite, write),
            (Item::CacheWrite1h, hour),
            (Item::Reasoning, reasoning),
        ];
        let mut rates = vec![(Item::Input, input), (Item::Output, output)];
        rates.extend(optional.into_iter().zip(priced).filter(|(_, priced)| *priced).map(|(rate, _)| rate));
        let usage = Usage {
            cache_read: Some(Tokens::new(r)),
            cache_write: Some(Tokens::new(w + h)),
            cache_write_1h: Some(Tokens::new(h)),
            reasoning: Some(Tokens::new(out / 3)),
            ..Usage::text(plain + r + w + h, out)
        };
        (rates, usage)
    })
}

fn flat(rates: &[(Item, UsdPerMtok)]) -> Pricing {
    let rates = rates.iter().map(|&(item, price)| (item, Rate::flat(price))).collect();
    Pricing { rates, ..Pricing::default() }
}

proptest! {
    #![proptest_config(quiet(512))]

    #[test]
    fn the_parts_sum_to_the_total((rates, usage) in bill()) {
        let cost = flat(&rates).cost(&usage, Timestamp::UNIX_EPOCH).unwrap();
        prop_assert_eq!(cost.items.iter().map(|line| line.amount).sum::<Usd>(), cost.total);
        let counted: Decimal = cost.items.iter().map(|line| line.count).sum();
        let all = usage.input.unwrap().count() + usage.output.unwrap().count();
        prop_assert_eq!(counted, Decimal::from(all), "every token lies in one bucket");
        for line in &cost.items {
            let by_hand = line.rate * line.count / Decimal::from(line.per);
            prop_assert_eq!(line.amount.decimal(), by_hand, "{} is rate x count / per", line.key);
        }
    }

    #[test]
    fn a_multiple_of_the_tokens_costs_that_multiple((rates, usage) in bill(), k in 1_u64..1000) {
        let sheet = flat(&rates);
        let mut scaled = usage.clone();
        for item in Item::ALL {
            if let Some(count) = slot(&mut scaled, item) {
                *count = Tokens::new(count.count() * k);
            }
        }
        let once = sheet.cost(&usage, Timestamp::UNIX_EPOCH).unwrap().total;
        let often = sheet.cost(&scaled, Timestamp::UNIX_EPOCH).unwrap().total;
        prop_assert_eq!(often.decimal(), once.decimal() * Decimal::from(k));
    }

    #[test]
    fn tokens_apart_cost_what_they_cost_together(price in price(), a in 0..=5_000_000_000_u64, b in 0..=5_000_000_000_u64) {
        let (first, second) = (Tokens::new(a), Tokens::new(b));
        prop_assert_eq!(price * first + price * second, price * (first + second));
    }

    #[test]
    fn the_order_of_a_sheet_does_not_matter(
        (rates, usage) in bill(),
        starts in prop::collection::btree_map(1_u64..3_000_000, price(), 0..4),
    ) {
        let tiers: Vec<Tier> = starts.into_iter().map(|(threshold, price)| Tier {
            threshold: Tokens::new(threshold), comparator: Comparator::Gt, meter: Meter::Input, price: Some(price),
        }).collect();
        let build = |backwards: bool| {
            let mut rates = rates.clone();
            let mut tiers = tiers.clone();
            if backwards {
                rates.reverse();
                tiers.reverse();
            }
            let mut sheet = Pricing::default();
            for (item, price) in rates {
                prop_assert!(sheet.set(item.key(), &price.exact()).unwrap());
            }
            sheet.rates.get_mut(&Item::Input).unwrap().tiers = tiers;
            Ok(sheet.cost(&usage, Timestamp::UNIX_EPOCH).unwrap())
        };
        prop_assert_eq!(build(false)?, build(true)?);
    }
}

#[test]
fn no_float_is_near_money() {
    let files = [
        "src/units.rs",
        "src/catalog/price.rs",
        "src/catalog/price/item.rs",
        "src/catalog/price/rate.rs",
        "src/catalog/usage.rs",
    ];
    for file in files {
        let source = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
        let words = source.split(|character: char| !(character.is_alphanumeric() || character == '_'));
        let floats: Vec<&str> = words.filter(|word| word.ends_with("f64") || word.ends_with("f32")).collect();
        assert!(floats.is_empty(), "{file} has {floats:?}");
    }
}
