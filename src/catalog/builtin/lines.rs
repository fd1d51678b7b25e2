//! Lines of the embedded tables, read as far as they are needed. `generate.rs` writes them; the order of the columns is
//! the contract between the two, and a test reads every line back.

use std::collections::{BTreeMap, BTreeSet};

use super::super::price::{Comparator, Item, Meter, OffPeak, PriceKey, Rate, Tier, Window};
use super::super::{
    Auth, Capability, Dispute, Endpoint, EndpointId, Modality, Model, ModelId, ModelKind, OutputLimitField, Pricing,
    Protocol, Provider, ProviderId, ProviderKind, ProviderProtocol, Status,
};
use crate::units::{Tokens, UsdPerMtok};

/// The line of a sorted table whose first column is `key`, by binary search over the bytes.
pub(super) fn find<'a>(table: &'a str, key: &str) -> Option<&'a str> {
    let bytes = table.as_bytes();
    let (mut low, mut high) = (0, table.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let start = bytes[low..middle].iter().rposition(|byte| *byte == b'\n').map_or(low, |at| low + at + 1);
        let end = bytes[middle..].iter().position(|byte| *byte == b'\n').map_or(table.len(), |at| middle + at);
        let line = table.get(start..end)?;
        match line.split('\t').next().unwrap_or_default().cmp(key) {
            std::cmp::Ordering::Equal => return Some(line),
            std::cmp::Ordering::Less => low = end + 1,
            std::cmp::Ordering::Greater => high = start,
        }
    }
    None
}

/// A model and the lines of its endpoints.
#[derive(Debug, Clone)]
pub struct ModelLine<'a> {
    columns: [&'a str; 11],
    endpoints: &'a str,
    added: Option<&'a Model>,
    laid: Option<&'a BTreeMap<EndpointId, Endpoint>>,
    hidden: Option<&'a BTreeSet<EndpointId>>,
}

impl<'a> ModelLine<'a> {
    pub(super) fn parse(line: &'a str, endpoints: &'a str) -> Self {
        let columns = split::<11>(line);
        let start: usize = columns[9].parse().unwrap_or(0);
        let length: usize = columns[10].parse().unwrap_or(0);
        let endpoints = endpoints.get(start..start + length).unwrap_or_default();
        Self { columns, endpoints, added: None, laid: None, hidden: None }
    }

    /// A model that only an overlay has.
    pub(super) fn added(
        model: &'a Model,
        laid: Option<&'a BTreeMap<EndpointId, Endpoint>>,
        hidden: &'a BTreeSet<EndpointId>,
    ) -> Self {
        let mut columns = [""; 11];
        columns[0] = model.id.as_str();
        columns[1] = &model.name;
        Self { columns, endpoints: "", added: Some(model), laid, hidden: Some(hidden) }
    }

    pub(super) fn laid_over(
        mut self,
        laid: Option<&'a BTreeMap<EndpointId, Endpoint>>,
        hidden: &'a BTreeSet<EndpointId>,
    ) -> Self {
        self.laid = laid;
        self.hidden = Some(hidden);
        self
    }

    /// The model's id.
    #[must_use]
    pub fn id(&self) -> &'a str {
        self.columns[0]
    }

    /// The model's name for people.
    #[must_use]
    pub fn name(&self) -> &'a str {
        self.columns[1]
    }

    /// The whole model.
    #[must_use]
    pub fn model(&self) -> Model {
        if let Some(model) = self.added {
            return model.clone();
        }
        let [id, name, kinds, released, knowledge, weights, context, max_output, floating, ..] = self.columns;
        Model {
            id: ModelId::new(id),
            name: name.to_owned(),
            kinds: kinds.split(',').filter_map(ModelKind::parse).collect(),
            released: owned(released),
            knowledge: owned(knowledge),
            open_weights: match weights {
                "1" => Some(true),
                "0" => Some(false),
                _ => None,
            },
            context: tokens(context),
            max_output: tokens(max_output),
            floating: floating == "1",
        }
    }

    /// Its endpoints, overlays applied.
    pub fn endpoints(&self) -> impl Iterator<Item = EndpointLine<'a>> + use<'a> {
        let model = self.columns[0];
        let (laid, hidden) = (self.laid, self.hidden);
        let lines =
            self.endpoints.lines().map(move |line| EndpointLine { columns: split::<29>(line), model, laid: None });
        let kept = lines.filter(move |line| {
            if laid.is_none() && hidden.is_none_or(BTreeSet::is_empty) {
                return true;
            }
            let id = line.id();
            !hidden.is_some_and(|hidden| hidden.contains(&id)) && !laid.is_some_and(|laid| laid.contains_key(&id))
        });
        let added = laid.into_iter().flat_map(BTreeMap::values);
        let added = added.filter(move |endpoint| !hidden.is_some_and(|hidden| hidden.contains(&endpoint.id)));
        kept.chain(added.map(move |endpoint| EndpointLine { columns: [""; 29], model, laid: Some(endpoint) }))
    }
}

/// One endpoint, read as far as it is needed.
#[derive(Debug, Clone)]
pub struct EndpointLine<'a> {
    columns: [&'a str; 29],
    model: &'a str,
    laid: Option<&'a Endpoint>,
}

impl<'a> EndpointLine<'a> {
    fn id(&self) -> EndpointId {
        match self.laid {
            Some(endpoint) => endpoint.id.clone(),
            None => {
                EndpointId { provider: ProviderId::new(self.columns[0]), upstream_model: self.columns[1].to_owned() }
            }
        }
    }

    /// Who serves it.
    #[must_use]
    pub fn provider(&self) -> &'a str {
        self.laid.map_or(self.columns[0], |endpoint| endpoint.id.provider.as_str())
    }

    /// What it is.
    #[must_use]
    pub fn kind(&self) -> ModelKind {
        self.laid.map_or_else(|| kind(self.columns[2]), |endpoint| endpoint.kind)
    }

    /// Whether it is reached without a suffix.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.laid.map_or_else(|| self.columns[12].is_empty(), Endpoint::is_plain)
    }

    /// Where it is in its life.
    #[must_use]
    pub fn status(&self) -> Status {
        self.laid.map_or_else(|| status(self.columns[16]), |endpoint| endpoint.status)
    }

    /// Its base input price, USD per 1M tokens.
    #[must_use]
    pub fn input_price(&self) -> Option<UsdPerMtok> {
        self.price(19, Item::Input)
    }

    /// Its base output price, USD per 1M tokens.
    #[must_use]
    pub fn output_price(&self) -> Option<UsdPerMtok> {
        self.price(20, Item::Output)
    }

    fn price(&self, column: usize, item: Item) -> Option<UsdPerMtok> {
        match self.laid {
            Some(endpoint) => endpoint.pricing.as_ref()?.base(item),
            None => self.columns[column].parse().ok(),
        }
    }

    /// Its region.
    #[must_use]
    pub fn region(&self) -> Option<&'a str> {
        match self.laid {
            Some(endpoint) => endpoint.region.as_deref(),
            None => Some(self.columns[14]).filter(|region| !region.is_empty()),
        }
    }

    /// The whole endpoint.
    #[must_use]
    pub fn endpoint(&self) -> Endpoint {
        if let Some(endpoint) = self.laid {
            return endpoint.clone();
        }
        let at = |column: usize| self.columns[column];
        Endpoint {
            id: self.id(),
            model: ModelId::new(self.model),
            aka: at(27).split(' ').filter(|name| !name.is_empty()).map(str::to_owned).collect(),
            kind: kind(at(2)),
            protocol: protocol(at(3)),
            alternate: protocol(at(4)),
            base_url: owned(at(5)),
            variant: list(at(12)),
            quant: owned(at(13)),
            region: owned(at(14)),
            upstream: owned(at(15)),
            context: tokens(at(6)),
            max_input: tokens(at(7)),
            max_output: tokens(at(8)),
            input: at(9).split(',').filter_map(Modality::parse).collect(),
            output: at(10).split(',').filter_map(Modality::parse).collect(),
            capabilities: at(11).split(',').filter_map(Capability::parse).collect(),
            reasoning_options: at(24).split(';').filter(|option| !option.is_empty()).map(str::to_owned).collect(),
            reasoning_field: owned(at(25)),
            cache_min: tokens(at(26)),
            pricing: pricing(at(19), at(20), at(21), at(22), at(0)),
            dispute: dispute(at(23)),
            status: status(at(16)),
            sunset: owned(at(17)),
            floating: at(18) == "1",
            released: owned(at(28)),
            overlay: None,
        }
    }
}

fn split<const N: usize>(line: &str) -> [&str; N] {
    let mut columns = [""; N];
    for (column, value) in columns.iter_mut().zip(line.split('\t')) {
        *column = value;
    }
    columns
}

fn owned(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

fn list(text: &str) -> Vec<String> {
    text.split(',').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

fn tokens(text: &str) -> Option<Tokens> {
    text.parse().ok().map(Tokens::new)
}

fn kind(text: &str) -> ModelKind {
    ModelKind::parse(text).unwrap_or(ModelKind::Chat)
}

fn protocol(text: &str) -> Option<Protocol> {
    if text == "o" { Some(Protocol::OpenaiChat) } else { Protocol::parse(text) }
}

fn status(text: &str) -> Status {
    match text {
        "a" => Status::Alpha,
        "b" => Status::Beta,
        "u" => Status::Unlisted,
        "d" => Status::Deprecated,
        "r" => Status::Retired,
        _ => Status::Active,
    }
}

fn dispute(text: &str) -> Option<Dispute> {
    let prices: Vec<UsdPerMtok> = text.split(',').filter_map(|price| price.parse().ok()).collect();
    let [low, high, low_out, high_out] = prices[..] else { return None };
    Some(Dispute { input: (low, high), output: (low_out, high_out) })
}

/// Providers whose context tiers begin at their threshold, not above it (`decisions.md` 9).
const INCLUSIVE: [&str; 2] = ["xai", "zenmux"];

fn pricing(input: &str, output: &str, cached: &str, rest: &str, provider: &str) -> Option<Pricing> {
    let mut sheet = Pricing::default();
    let own = [("input", input), ("output", output), ("cache_read", cached)];
    for (key, value) in own.into_iter().filter(|(_, value)| !value.is_empty()) {
        sheet.set(key, value).ok()?;
    }
    let comparator = if INCLUSIVE.contains(&provider) { Comparator::Ge } else { Comparator::Gt };
    let mut off_peak = OffPeak { windows: Vec::new(), rates: BTreeMap::new() };
    for (key, value) in rest.split(';').filter_map(|entry| entry.split_once('=')) {
        match key {
            "over" => tier(&mut sheet, value, comparator)?,
            "window" => off_peak.windows.push(window(value)?),
            key => match key.strip_prefix("off_") {
                Some(item) => {
                    if let Some(PriceKey::Token(item)) = PriceKey::parse(item) {
                        off_peak.rates.insert(item, value.parse().ok()?);
                    }
                }
                None => {
                    sheet.set(key, value).ok()?;
                }
            },
        }
    }
    if !off_peak.windows.is_empty() {
        sheet.off_peak = Some(off_peak);
    }
    (!sheet.rates.is_empty() || !sheet.fees.is_empty()).then_some(sheet)
}

/// `200000>input:6,output:22.5`: other rates for the whole request above a number of input tokens.
fn tier(sheet: &mut Pricing, text: &str, comparator: Comparator) -> Option<()> {
    let (threshold, rates) = text.split_once('>')?;
    let threshold = Tokens::new(threshold.parse().ok()?);
    for (key, price) in rates.split(',').filter_map(|rate| rate.split_once(':')) {
        let Some(PriceKey::Token(item)) = PriceKey::parse(key) else { return None };
        let price: UsdPerMtok = price.parse().ok()?;
        let rate = sheet.rates.entry(item).or_insert_with(|| Rate::flat(price));
        rate.tiers.push(Tier { threshold, comparator, meter: Meter::Input, price });
    }
    Some(())
}

/// `16:30-00:30@12345`: a span and the weekdays on which it starts.
fn window(text: &str) -> Option<Window> {
    let (span, days) = text.split_once('@')?;
    let (from, to) = span.split_once('-')?;
    let minute = |clock: &str| {
        let (hours, minutes) = clock.split_once(':')?;
        Some(hours.parse::<u16>().ok()? * 60 + minutes.parse::<u16>().ok()?)
    };
    let weekdays = days.bytes().filter(u8::is_ascii_digit).map(|digit| digit - b'0').collect();
    Some(Window { from: minute(from)?, to: minute(to)?, weekdays })
}

/// The provider of that id; the table has one JSON object a line.
pub(super) fn find_provider(table: &str, id: &str) -> Option<Provider> {
    let start = format!("{{\"id\":\"{id}\",");
    table.lines().find(|line| line.starts_with(&start)).and_then(provider)
}

/// One line of the providers' table.
pub(super) fn provider(line: &str) -> Option<Provider> {
    let value: serde_json::Value = serde_json::from_str(line).ok()?;
    let text = |key: &str| value.get(key).and_then(serde_json::Value::as_str);
    let pairs = |key: &str| value.get(key).and_then(serde_json::Value::as_object).into_iter().flatten();
    let words = |value: &serde_json::Value| {
        value.as_array().into_iter().flatten().filter_map(|word| word.as_str().map(str::to_owned)).collect::<Vec<_>>()
    };
    let mut protocols = Vec::new();
    for spoken in value.get("protocols").and_then(serde_json::Value::as_array).into_iter().flatten() {
        let [protocol, base_url, auth] = &words(spoken)[..] else { continue };
        protocols.push(ProviderProtocol {
            protocol: Protocol::parse(protocol)?,
            base_url: base_url.clone(),
            auth: auth_of(auth),
        });
    }
    let flag = |key: &str| value.get(key).and_then(serde_json::Value::as_bool).unwrap_or(false);
    let string = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    Some(Provider {
        id: ProviderId::new(text("id")?),
        name: text("name")?.to_owned(),
        kind: ProviderKind::parse(text("kind")?)?,
        protocols,
        env: pairs("env").map(|(role, names)| (role.clone(), words(names))).collect(),
        headers: pairs("headers").map(|(name, value)| (name.clone(), string(value))).collect(),
        models_url: text("models_url").map(str::to_owned),
        doc: text("doc").map(str::to_owned),
        output_limit: match text("output_limit") {
            Some("max_completion_tokens") => OutputLimitField::MaxCompletionTokens,
            _ => OutputLimitField::MaxTokens,
        },
        hides_reasoning: flag("hides_reasoning"),
        tiers_inclusive: flag("tiers_inclusive"),
        quirks: pairs("quirks").map(|(name, value)| (name.clone(), string(value))).collect(),
    })
}

/// `bearer`, `optional`, `header:x-api-key`, `unsupported:sigv4`.
pub(in crate::catalog) fn auth_of(text: &str) -> Auth {
    match text.split_once(':') {
        Some(("header", name)) => Auth::Header(name.to_owned()),
        Some(("unsupported", scheme)) => Auth::Unsupported(scheme.to_owned()),
        _ if text == "optional" || text == "none" => Auth::Optional,
        _ => Auth::Bearer,
    }
}

/// The credential that a dialect usually carries.
pub(in crate::catalog) fn usual_auth(protocol: Protocol) -> Auth {
    match protocol {
        Protocol::AnthropicMessages => Auth::Header("x-api-key".to_owned()),
        Protocol::Gemini => Auth::Header("x-goog-api-key".to_owned()),
        Protocol::BedrockConverse => Auth::Unsupported("sigv4".to_owned()),
        Protocol::VertexGemini | Protocol::VertexAnthropic => Auth::Unsupported("gcp-oauth".to_owned()),
        _ => Auth::Bearer,
    }
}

/// What is known of a model that only an overlay names.
pub(super) fn bare_model(id: &ModelId, endpoint: &Endpoint) -> Model {
    Model {
        id: id.clone(),
        name: id.slug().to_owned(),
        kinds: vec![endpoint.kind],
        released: None,
        knowledge: None,
        open_weights: None,
        context: endpoint.context,
        max_output: endpoint.max_output,
        floating: false,
    }
}
