//! Price sheets and disputed prices.

use std::collections::BTreeMap;

use openmux::catalog::Dispute;
use openmux::catalog::price::{Item, OffPeak, PriceKey, Pricing, Window};
use openmux::units::{Tokens, UsdPerMtok};
use serde::Deserialize;
use serde_json::Value;

use super::Problems;

/// A price on which the sources disagree: `[input, output]` each.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Conflict {
    pub(super) provider: String,
    pub(super) id: String,
    #[serde(rename = "model")]
    _model: String,
    chosen: [Option<String>; 2],
    #[serde(rename = "source")]
    _source: String,
    others: BTreeMap<String, [Option<String>; 2]>,
}

#[derive(Deserialize)]
struct TierRecord {
    over: u64,
    #[serde(flatten)]
    prices: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct OffPeakRecord {
    windows_utc: Vec<WindowRecord>,
    #[serde(flatten)]
    prices: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WindowRecord {
    hours_utc: Hours,
    #[serde(default)]
    weekdays: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Hours {
    One(String),
    Many(Vec<String>),
}

/// The sheet of one endpoint; `inclusive` is its provider's tier comparator.
pub(super) fn sheet(
    record: &str,
    prices: &BTreeMap<String, Value>,
    inclusive: bool,
    problems: &mut Problems,
) -> Pricing {
    let mut sheet = Pricing::default();
    for (key, value) in prices.iter().filter(|(key, _)| !matches!(key.as_str(), "tiers" | "off_peak")) {
        match value.as_str().map(|value| sheet.set(key, &bounded(value))) {
            Some(Ok(true)) => {}
            Some(Ok(false)) => problems.add(record, format!("unknown price key {key}")),
            Some(Err(error)) => problems.add(record, format!("{key}: {error}")),
            None => problems.add(record, format!("{key} is no decimal string")),
        }
    }
    if let Some(tiers) = prices.get("tiers") {
        match Vec::<TierRecord>::deserialize(tiers) {
            Ok(tiers) => add_tiers(record, &mut sheet, &tiers, inclusive, problems),
            Err(error) => problems.add(record, error),
        }
    }
    if let Some(off_peak) = prices.get("off_peak") {
        match OffPeakRecord::deserialize(off_peak) {
            Ok(off_peak) => sheet.off_peak = read_off_peak(record, &off_peak, problems),
            Err(error) => problems.add(record, error),
        }
    }
    sheet
}

/// Prices have at most 12 decimals; a thirteenth is an artefact of some source's division (a minute by 60).
fn bounded(value: &str) -> String {
    match value.parse::<rust_decimal::Decimal>() {
        Ok(decimal) if decimal.scale() > 12 => decimal.round_dp(12).to_string(),
        _ => value.to_owned(),
    }
}

fn add_tiers(record: &str, sheet: &mut Pricing, tiers: &[TierRecord], inclusive: bool, problems: &mut Problems) {
    for tier in tiers {
        for (key, value) in &tier.prices {
            let (Some(item), Ok(price)) = (item(key), value.parse()) else {
                problems.add(record, format!("tier {key}: {value}"));
                continue;
            };
            if !sheet.add_tier(item, Tokens::new(tier.over), inclusive, price) {
                problems.add(record, format!("a tier of {key} has no base to differ from"));
            }
        }
    }
}

fn read_off_peak(record: &str, off_peak: &OffPeakRecord, problems: &mut Problems) -> Option<OffPeak> {
    let mut windows = Vec::new();
    for window in &off_peak.windows_utc {
        let spans = match &window.hours_utc {
            Hours::One(span) => std::slice::from_ref(span),
            Hours::Many(spans) => spans.as_slice(),
        };
        for span in spans {
            match span.split_once('-').and_then(|(from, to)| Some((minute(from)?, minute(to)?))) {
                Some((from, to)) => windows.push(Window { from, to, weekdays: window.weekdays.clone() }),
                None => problems.add(record, format!("{span} is no span of hours")),
            }
        }
        if window.weekdays.iter().any(|day| !(1..=7).contains(day)) {
            problems.add(record, "a weekday is 1 to 7");
        }
    }
    let mut rates = BTreeMap::new();
    for (key, value) in &off_peak.prices {
        match (item(key), value.parse()) {
            (Some(item), Ok(price)) => {
                rates.insert(item, price);
            }
            _ => problems.add(record, format!("off-peak {key}: {value}")),
        }
    }
    (!windows.is_empty()).then_some(OffPeak { windows, rates })
}

fn item(key: &str) -> Option<Item> {
    match PriceKey::parse(key) {
        Some(PriceKey::Token(item)) => Some(item),
        _ => None,
    }
}

fn minute(text: &str) -> Option<u16> {
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
    (hours < 24 && minutes < 60).then_some(hours * 60 + minutes)
}

/// The lowest and the highest figure for input and output; `None` where there is no figure or but one of each.
pub(super) fn dispute(conflict: &Conflict, sheet: &Pricing) -> Option<Dispute> {
    let range = |at: usize, item: Item| {
        let stated = std::iter::once(&conflict.chosen).chain(conflict.others.values());
        let stated = stated.filter_map(|pair| pair.get(at)?.as_deref()?.parse::<UsdPerMtok>().ok());
        let all: Vec<UsdPerMtok> = stated.chain(sheet.base(item)).collect();
        Some((*all.iter().min()?, *all.iter().max()?))
    };
    let dispute = Dispute { input: range(0, Item::Input)?, output: range(1, Item::Output)? };
    let differs = dispute.input.0 != dispute.input.1 || dispute.output.0 != dispute.output.1;
    differs.then_some(dispute)
}
