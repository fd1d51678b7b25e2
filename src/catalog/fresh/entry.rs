//! One model of one provider, as a list states it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::checks;
use crate::catalog::price::{Item, Pricing};
use crate::catalog::{Capability, Endpoint, EndpointId, Modality, Provider, ProviderId, ProviderKind, Status};
use crate::units::{Tokens, UsdPerMtok};

/// No model costs more: $10,000 per 1M tokens.
const DEAREST: &str = "10000";

/// The items of a price that a list states, by the names that it uses.
const ITEMS: [(&str, Item); 7] = [
    ("input", Item::Input),
    ("output", Item::Output),
    ("cache_read", Item::CacheRead),
    ("cache_write", Item::CacheWrite),
    ("reasoning", Item::Reasoning),
    ("input_audio", Item::InputAudio),
    ("output_audio", Item::OutputAudio),
];

/// An offer as a list states it; what it leaves out is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Provider and wire id.
    pub id: EndpointId,
    pub(super) name: Option<String>,
    /// Its price; `None` where none is stated, or one of zero that nothing confirms.
    pub(super) pricing: Option<Pricing>,
    /// Of which day its price is, where that is not the one that the list states.
    pub(super) priced_on: Option<String>,
    pub(super) context: Option<Tokens>,
    pub(super) max_input: Option<Tokens>,
    pub(super) max_output: Option<Tokens>,
    pub(super) input: BTreeSet<Modality>,
    pub(super) output: BTreeSet<Modality>,
    pub(super) said: BTreeMap<Capability, bool>,
    pub(super) status: Option<Status>,
    pub(super) released: Option<String>,
    pub(super) knowledge: Option<String>,
    pub(super) open_weights: Option<bool>,
    pub(super) reasoning_field: Option<String>,
}

impl Entry {
    /// Reads an entry.
    pub(super) fn read(provider: &Provider, wire_id: &str, record: &Value) -> Result<Self, String> {
        if !checks::is_wire_id(wire_id) {
            return Err("is no id that can be sent".to_owned());
        }
        if !record.is_object() {
            return Err("is no record".to_owned());
        }
        if record.get("id").is_some_and(|id| id.as_str() != Some(wire_id)) {
            return Err("states another id than the one it is listed by".to_owned());
        }
        let limit = |key: &str| match record.get("limit").and_then(|limit| limit.get(key)) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => tokens(value).ok_or_else(|| format!("limit.{key} is no count of tokens: {value}")),
        };
        let flag = |key: &str| record.get(key).and_then(Value::as_bool);
        let text = |key: &str| record.get(key).and_then(Value::as_str);
        let words = |way: &str| {
            let listed = record.get("modalities").and_then(|modalities| modalities.get(way)).and_then(Value::as_array);
            listed.into_iter().flatten().filter_map(|word| Modality::parse(word.as_str()?)).collect()
        };
        let date = |key: &str| {
            let stated = text(key).filter(|text| *text != "1970-01-01");
            stated.filter(|text| checks::is_date(text, true)).map(str::to_owned)
        };
        let mut said = BTreeMap::new();
        for (key, able, unable) in [
            ("tool_call", Capability::Tools, Some(Capability::NoTools)),
            ("reasoning", Capability::Reasoning, None),
            ("structured_output", Capability::Structured, None),
            ("temperature", Capability::Temperature, Some(Capability::NoTemperature)),
        ] {
            if let Some(can) = flag(key) {
                said.insert(able, can);
                said.extend(unable.map(|unable| (unable, !can)));
            }
        }
        let pricing = match record.get("cost") {
            None | Some(Value::Null) => None,
            Some(cost) => Some(price(cost, provider.tiers_inclusive)?),
        };
        if pricing.as_ref().is_some_and(|sheet| sheet.base(Item::CacheRead).is_some()) {
            said.insert(Capability::Cache, true);
        }
        let id = EndpointId { provider: ProviderId::new(provider.id.as_str()), upstream_model: wire_id.to_owned() };
        let field = record.get("interleaved").and_then(|interleaved| interleaved.get("field")).and_then(Value::as_str);
        let is_field = |field: &&str| field.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
        Ok(Self {
            priced_on: None,
            pricing: pricing.filter(|sheet| confirmed(sheet, provider, wire_id)),
            name: text("name").map(checks::shown_name),
            context: limit("context")?,
            max_input: limit("input")?,
            max_output: limit("output")?,
            input: words("input"),
            output: words("output"),
            said,
            status: text("status").and_then(Status::parse),
            released: date("release_date"),
            knowledge: date("knowledge"),
            open_weights: flag("open_weights"),
            reasoning_field: field.filter(is_field).map(str::to_owned),
            id,
        })
    }
}

impl Entry {
    /// An endpoint as a list would state it, as far as the rules look.
    pub(super) fn of(endpoint: &Endpoint) -> Self {
        Self {
            id: endpoint.id.clone(),
            name: None,
            pricing: endpoint.pricing.clone(),
            priced_on: None,
            context: endpoint.context,
            max_input: endpoint.max_input,
            max_output: endpoint.max_output,
            input: endpoint.input.clone(),
            output: endpoint.output.clone(),
            said: BTreeMap::new(),
            status: Some(endpoint.status),
            released: endpoint.released.clone(),
            knowledge: None,
            open_weights: None,
            reasoning_field: endpoint.reasoning_field.clone(),
        }
    }
}

/// The first item of a sheet whose price cannot be meant.
pub(super) fn too_dear(sheet: &Pricing) -> Option<&'static str> {
    let most: UsdPerMtok = DEAREST.parse().ok()?;
    let priced = sheet.rates.iter().flat_map(|(item, rate)| {
        std::iter::once(rate.base).chain(rate.tiers.iter().map(|tier| tier.price)).flatten().map(|price| (*item, price))
    });
    priced.into_iter().find(|(_, price)| *price > most).map(|(item, _)| item.key())
}

/// A count of tokens, of which zero is "unknown"; `None` for what is no count.
fn tokens(value: &Value) -> Option<Option<Tokens>> {
    let count = value.as_u64().or_else(|| value.to_string().strip_suffix(".0")?.parse().ok())?;
    Some(Some(Tokens::reported(count)?).filter(|_| count > 0))
}

/// The price sheet that `cost` states, to the last digit.
fn price(cost: &Value, inclusive: bool) -> Result<Pricing, String> {
    let mut sheet = Pricing::default();
    for (key, item) in ITEMS {
        if let Some(rate) = rate(cost, key)? {
            sheet.rates.insert(item, crate::catalog::price::Rate::flat(rate));
        }
    }
    let stated = cost.get("tiers").and_then(Value::as_array);
    let mut tiers: Vec<(&Value, Tokens)> = Vec::new();
    for tier in stated.into_iter().flatten() {
        let size = tier.get("tier").and_then(|tier| tier.get("size")).or_else(|| tier.get("over"));
        let size = size.and_then(tokens).flatten().ok_or("has a price tier without a size")?;
        tiers.push((tier, size));
    }
    if let (true, Some(over)) = (tiers.is_empty(), cost.get("context_over_200k")) {
        tiers.push((over, Tokens::new(200_000)));
    }
    for (tier, over) in tiers {
        for (key, item) in ITEMS {
            if let Some(price) = rate(tier, key)?
                && !sheet.add_tier(item, over, inclusive, price)
            {
                return Err(format!("has a price tier of {key} and no {key} price"));
            }
        }
    }
    Ok(sheet)
}

fn rate(prices: &Value, key: &str) -> Result<Option<UsdPerMtok>, String> {
    let text = match prices.get(key) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number.to_string(),
        Some(_) => return Err(format!("cost.{key} is no number")),
    };
    let price: UsdPerMtok = text.parse().map_err(|error| format!("cost.{key}: {error}"))?;
    if DEAREST.parse().is_ok_and(|most: UsdPerMtok| price > most) {
        return Err(format!("cost.{key} is absurd: ${price} per 1M tokens"));
    }
    Ok(Some(price))
}

/// Whether a price says something: a plan's figures are not what anybody pays, and lists write zero for "I do not know"
/// as well as for "free", which is believed of the user's own machine and of what calls itself free.
fn confirmed(sheet: &Pricing, provider: &Provider, wire_id: &str) -> bool {
    let free = || provider.kind == ProviderKind::Local || wire_id.to_ascii_lowercase().contains("free");
    let stated = sheet.base(Item::Input).is_some() && sheet.base(Item::Output).is_some();
    stated && provider.kind != ProviderKind::Plan && (!sheet.is_free() || free())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    fn read(wire_id: &str, record: &str) -> Result<Entry, String> {
        let openai = Catalog::builtin().provider(&ProviderId::new("openai")).unwrap();
        Entry::read(&openai, wire_id, &serde_json::from_str(record).unwrap())
    }

    #[test]
    fn what_cannot_be_meant_refuses_an_entry() {
        let said = |id: &str, record: &str| read(id, record).unwrap_err();
        let all = [
            said("../../etc/passwd", "{}"),
            said("a%2Fb", "{}"),
            said("a\u{1b}[31mb", "{}"),
            said("a b", "{}"),
            said(&"a".repeat(201), "{}"),
            said("", "{}"),
            said("a", "[]"),
            said("a", r#"{"id":"b"}"#),
            said("a", r#"{"limit":{"context":-5}}"#),
            said("a", r#"{"limit":{"output":"many"}}"#),
            said("a", r#"{"limit":{"context":99999999999}}"#),
            said("a", r#"{"cost":{"input":-1,"output":1}}"#),
            said("a", r#"{"cost":{"input":"1","output":1}}"#),
            said("a", r#"{"cost":{"input":15000,"output":1}}"#),
            said("a", r#"{"cost":{"input":1e300,"output":1}}"#),
            said("a", r#"{"cost":{"input":1,"output":1,"tiers":[{"input":2}]}}"#),
            said("a", r#"{"cost":{"output":1,"context_over_200k":{"input":2}}}"#),
        ];
        insta::assert_snapshot!(all.join("\n"), @r#"
        is no id that can be sent
        is no id that can be sent
        is no id that can be sent
        is no id that can be sent
        is no id that can be sent
        is no id that can be sent
        is no record
        states another id than the one it is listed by
        limit.context is no count of tokens: -5
        limit.output is no count of tokens: "many"
        limit.context is no count of tokens: 99999999999
        cost.input: "-1" is negative
        cost.input is no number
        cost.input is absurd: $15000 per 1M tokens
        cost.input: "1e+300" is not a decimal number
        has a price tier without a size
        has a price tier of input and no input price
        "#);
    }

    #[test]
    fn digits_are_prices_and_a_zero_says_nothing() {
        let entry =
            read("a", r#"{"cost":{"input":2.5e-7,"output":0.30000000000},"limit":{"context":128000.0,"output":0}}"#);
        let entry = entry.unwrap();
        let sheet = entry.pricing.unwrap();
        let base = |item| sheet.base(item).unwrap().exact();
        assert_eq!((base(Item::Input), base(Item::Output)), ("0.00000025".to_owned(), "0.3".to_owned()));
        assert_eq!((entry.context, entry.max_output), (Some(Tokens::new(128_000)), None));
        let zero = r#"{"cost":{"input":0,"output":0}}"#;
        assert_eq!(read("a", zero).unwrap().pricing, None);
        assert!(read("a:free", zero).unwrap().pricing.unwrap().is_free());
        let tiers = r#"{"cost":{"input":1,"output":2,"tiers":[{"input":3,"tier":{"type":"context","size":272000}}],
            "context_over_200k":{"input":4}}}"#;
        let tiers = read("a", tiers).unwrap().pricing.unwrap().rates[&Item::Input].tiers.clone();
        assert_eq!(
            (tiers.len(), tiers[0].threshold.count(), tiers[0].price.unwrap().exact()),
            (1, 272_000, "3".to_owned())
        );
    }
}
