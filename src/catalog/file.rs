//! Overlays: the user's own providers, endpoints and corrections, in TOML. Every mistake is an error that names file,
//! line and key; nothing is skipped in silence.

mod reader;

use std::collections::{BTreeMap, BTreeSet};

use toml::de::DeTable;

use reader::{Node, Reader};

use super::builtin::{auth_of, usual_auth};
use super::price::{Comparator, Meter, PriceKey, Rate, Tier};
use super::{
    Auth, Capability, Catalog, Endpoint, EndpointId, Modality, ModelId, ModelKind, OutputLimitField, Pricing, Protocol,
    Provider, ProviderId, ProviderKind, ProviderProtocol, Status, is_loopback, own_provider,
};
use crate::units::Tokens;

/// What is wrong with an overlay, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {}{message}", if .key.is_empty() { String::new() } else { format!("{}: ", .key) })]
pub struct OverlayError {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The path of the key, e.g. `endpoint[0].price.input`; empty where the file is no TOML.
    pub key: String,
    /// What is wrong.
    pub message: String,
}

/// One overlay file, read and checked by itself.
#[derive(Debug, Clone, PartialEq)]
pub struct Overlay {
    file: String,
    providers: Vec<ProviderPatch>,
    endpoints: Vec<EndpointPatch>,
}

#[derive(Debug, Clone, PartialEq)]
struct ProviderPatch {
    id: ProviderId,
    name: Option<String>,
    kind: Option<ProviderKind>,
    spoken: Option<(Protocol, String)>,
    auth: Option<Auth>,
    key_env: Option<Vec<String>>,
    headers: BTreeMap<String, String>,
    output_limit: Option<OutputLimitField>,
    hides_reasoning: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Default)]
struct EndpointPatch {
    line: usize,
    key: String,
    provider: String,
    id: String,
    model: String,
    hide: bool,
    like: Option<String>,
    kind: Option<ModelKind>,
    protocol: Option<Protocol>,
    base_url: Option<String>,
    context: Option<Tokens>,
    max_input: Option<Tokens>,
    max_output: Option<Tokens>,
    input: Option<BTreeSet<Modality>>,
    output: Option<BTreeSet<Modality>>,
    features: Option<BTreeSet<Capability>>,
    variant: Option<Vec<String>>,
    quant: Option<String>,
    region: Option<String>,
    status: Option<Status>,
    sunset: Option<String>,
    price: Option<Pricing>,
}

const PROVIDER_KEYS: [&str; 9] =
    ["protocol", "base_url", "key_env", "name", "kind", "headers", "auth", "output_limit", "hides_reasoning"];

const ENDPOINT_KEYS: [&str; 20] = [
    "provider",
    "model",
    "id",
    "hide",
    "like",
    "kind",
    "protocol",
    "base_url",
    "context",
    "max_input",
    "max_output",
    "input",
    "output",
    "features",
    "variant",
    "quant",
    "region",
    "status",
    "sunset",
    "price",
];

impl Overlay {
    /// Reads a file's text; `file` is its name in messages.
    ///
    /// # Errors
    /// The text is no TOML, or a key or a value is not what it must be.
    pub fn parse(file: &str, text: &str) -> Result<Self, OverlayError> {
        let reader = Reader { file, text };
        let table = DeTable::parse(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            reader.error(start, "", one_line(error.message()))
        })?;
        let top = Node { reader, table: table.get_ref(), path: String::new(), start: 0 };
        top.known(&["provider", "endpoint"])?;
        let mut overlay = Self { file: file.to_owned(), providers: Vec::new(), endpoints: Vec::new() };
        if let Some(providers) = top.table("provider")? {
            for (name, _) in providers.table {
                overlay.providers.push(provider(name.get_ref(), &providers)?);
            }
        }
        let mut seen = BTreeSet::new();
        for node in top.tables("endpoint")? {
            let patch = endpoint(&node)?;
            if !seen.insert((patch.provider.clone(), patch.id.clone())) {
                return Err(node.error("id", format!("{} {} stands twice in this file", patch.provider, patch.id)));
            }
            overlay.endpoints.push(patch);
        }
        Ok(overlay)
    }

    /// The providers that this adds or changes.
    pub(super) fn providers(&self, catalog: &Catalog) -> Vec<Provider> {
        self.providers.iter().map(|patch| patch.apply(catalog.provider(&patch.id))).collect()
    }

    /// The endpoints that this adds or changes.
    ///
    /// # Errors
    /// A provider, or a model to be like, exists nowhere.
    pub(super) fn endpoints(&self, catalog: &Catalog) -> Result<Vec<Endpoint>, OverlayError> {
        let shown = self.endpoints.iter().filter(|patch| !patch.hide);
        shown.map(|patch| patch.apply(catalog, &self.file)).collect()
    }

    /// The endpoints that this hides.
    pub(super) fn hidden(&self) -> impl Iterator<Item = EndpointId> + '_ {
        self.endpoints.iter().filter(|patch| patch.hide).map(EndpointPatch::id)
    }
}

impl ProviderPatch {
    fn apply(&self, known: Option<Provider>) -> Provider {
        let mut provider = known.unwrap_or_else(|| Provider {
            id: self.id.clone(),
            name: self.id.to_string(),
            kind: self.usual_kind(),
            protocols: Vec::new(),
            env: BTreeMap::new(),
            headers: BTreeMap::new(),
            models_url: None,
            doc: None,
            output_limit: OutputLimitField::MaxTokens,
            hides_reasoning: false,
            tiers_inclusive: false,
            quirks: BTreeMap::new(),
        });
        if let Some((protocol, base_url)) = &self.spoken {
            let known = provider.protocols.iter().find(|spoken| spoken.protocol == *protocol);
            let usual = if self.key_env.is_some() || !provider.env_names("key").is_empty() {
                known.map_or_else(|| usual_auth(*protocol), |spoken| spoken.auth.clone())
            } else {
                Auth::Optional
            };
            let auth = self.auth.clone().unwrap_or(usual);
            provider.protocols.retain(|spoken| spoken.protocol != *protocol);
            provider.protocols.insert(0, ProviderProtocol { protocol: *protocol, base_url: base_url.clone(), auth });
        }
        if let Some(names) = &self.key_env {
            provider.env.insert("key".to_owned(), names.clone());
        }
        if let Some(name) = &self.name {
            provider.name.clone_from(name);
        }
        provider.kind = self.kind.unwrap_or(provider.kind);
        provider.headers.extend(self.headers.clone());
        provider.output_limit = self.output_limit.unwrap_or(provider.output_limit);
        provider.hides_reasoning = self.hides_reasoning.unwrap_or(provider.hides_reasoning);
        provider
    }

    /// A server on this machine that needs no key is local; anything else is a host.
    fn usual_kind(&self) -> ProviderKind {
        let loopback = self.spoken.as_ref().is_some_and(|(_, url)| is_loopback(url));
        if loopback && self.key_env.is_none() { ProviderKind::Local } else { ProviderKind::Host }
    }
}

impl EndpointPatch {
    fn id(&self) -> EndpointId {
        EndpointId { provider: ProviderId::new(self.provider.clone()), upstream_model: self.id.clone() }
    }

    fn apply(&self, catalog: &Catalog, file: &str) -> Result<Endpoint, OverlayError> {
        let error = |key: &str, message: String| OverlayError {
            file: file.to_owned(),
            line: self.line,
            key: format!("{}.{key}", self.key),
            message,
        };
        let id = self.id();
        let provider = catalog.provider(&id.provider).ok_or_else(|| {
            error("provider", format!("there is no provider \"{}\"; describe it in [provider.{0}]", self.provider))
        })?;
        let model = ModelId::new(self.model.clone());
        let mut endpoint = catalog
            .endpoint_of(&model, &id)
            .unwrap_or_else(|| blank(id, model, provider.protocols.first().map(|p| p.protocol)));
        if let Some(like) = &self.like {
            let other =
                like_endpoint(catalog, like).ok_or_else(|| error("like", format!("no model is called \"{like}\"")))?;
            endpoint.context = other.context;
            endpoint.max_input = other.max_input;
            endpoint.max_output = other.max_output;
            endpoint.input = other.input;
            endpoint.output = other.output;
            endpoint.capabilities = other.capabilities;
        }
        endpoint.kind = self.kind.unwrap_or(endpoint.kind);
        endpoint.protocol = self.protocol.or(endpoint.protocol);
        endpoint.base_url = self.base_url.clone().or(endpoint.base_url);
        endpoint.context = self.context.or(endpoint.context);
        endpoint.max_input = self.max_input.or(endpoint.max_input);
        endpoint.max_output = self.max_output.or(endpoint.max_output);
        endpoint.input = self.input.clone().unwrap_or(endpoint.input);
        endpoint.output = self.output.clone().unwrap_or(endpoint.output);
        endpoint.capabilities = self.features.clone().unwrap_or(endpoint.capabilities);
        endpoint.variant = self.variant.clone().unwrap_or(endpoint.variant);
        endpoint.quant = self.quant.clone().or(endpoint.quant);
        endpoint.region = self.region.clone().or(endpoint.region);
        endpoint.status = self.status.unwrap_or(endpoint.status);
        endpoint.sunset = self.sunset.clone().or(endpoint.sunset);
        if let Some(price) = &self.price {
            let mut price = price.clone();
            if provider.tiers_inclusive {
                for tier in price.rates.values_mut().flat_map(|rate| &mut rate.tiers) {
                    tier.comparator = Comparator::Ge;
                }
            }
            endpoint.pricing = Some(price);
            endpoint.dispute = None;
        }
        endpoint.overlay = Some(file.to_owned());
        Ok(endpoint)
    }
}

fn blank(id: EndpointId, model: ModelId, protocol: Option<Protocol>) -> Endpoint {
    Endpoint {
        id,
        model,
        aka: Vec::new(),
        kind: ModelKind::Chat,
        protocol,
        alternate: None,
        base_url: None,
        variant: Vec::new(),
        quant: None,
        region: None,
        upstream: None,
        context: None,
        max_input: None,
        max_output: None,
        input: BTreeSet::new(),
        output: BTreeSet::new(),
        capabilities: BTreeSet::new(),
        reasoning_options: Vec::new(),
        reasoning_field: None,
        cache_min: None,
        pricing: None,
        dispute: None,
        status: Status::Active,
        sunset: None,
        floating: false,
        released: None,
        overlay: None,
    }
}

/// The endpoint whose limits and abilities a model is known by: its author's own, else the first.
fn like_endpoint(catalog: &Catalog, model: &str) -> Option<Endpoint> {
    let model = ModelId::new(model.to_lowercase());
    let endpoints = catalog.endpoints_for(&model);
    let own = own_provider(model.author());
    let author = endpoints.iter().find(|endpoint| Some(endpoint.id.provider.as_str()) == own && endpoint.is_plain());
    author.or_else(|| endpoints.iter().find(|endpoint| endpoint.is_plain())).cloned()
}

fn provider(id: &str, providers: &Node<'_>) -> Result<ProviderPatch, OverlayError> {
    let Some(node) = providers.table(id)? else { return Err(providers.error(id, "not a table".to_owned())) };
    node.known(&PROVIDER_KEYS)?;
    let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._".contains(c);
    if !id.chars().all(legal) || id.is_empty() {
        return Err(providers.error(id, "a provider's name has lower-case letters, digits, - . _ only".to_owned()));
    }
    let protocol = node.protocol("protocol")?;
    let base_url = node.url("base_url")?;
    let spoken = match (protocol, base_url) {
        (Some(protocol), Some(url)) => Some((protocol, url)),
        (None, Some(url)) => Some((Protocol::OpenaiChat, url)),
        (Some(_), None) => return Err(node.missing("base_url")),
        (None, None) => None,
    };
    let key_env = match node.get("key_env") {
        None => None,
        Some(value) if value.get_ref().is_str() => node.text("key_env")?.map(|name| vec![name]),
        Some(_) => node.words("key_env")?,
    };
    for name in key_env.iter().flatten() {
        let legal = name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        if !legal || !name.starts_with(|c: char| c.is_ascii_uppercase()) {
            let message =
                format!("\"{name}\" is no name of a variable; this is the variable's name, never the key itself");
            return Err(node.error("key_env", message));
        }
    }
    let kind = node.choice("kind", ProviderKind::parse, &ProviderKind::ALL.map(ProviderKind::name))?;
    let auth = match node.text("auth")?.as_deref() {
        None => None,
        Some("none" | "bearer") => node.text("auth")?.as_deref().map(auth_of),
        Some(header) if header.starts_with("header:") => Some(Auth::Header(header["header:".len()..].to_lowercase())),
        Some(other) => return Err(node.error("auth", format!("\"{other}\" is none of bearer, none, header:NAME"))),
    };
    let limits = ["max_tokens", "max_completion_tokens"];
    let output_limit = node.choice(
        "output_limit",
        |name| match name {
            "max_tokens" => Some(OutputLimitField::MaxTokens),
            "max_completion_tokens" => Some(OutputLimitField::MaxCompletionTokens),
            _ => None,
        },
        &limits,
    )?;
    let mut headers = BTreeMap::new();
    if let Some(table) = node.table("headers")? {
        for (name, _) in table.table {
            let value = table.text(name.get_ref())?.unwrap_or_default();
            headers.insert(name.get_ref().to_lowercase(), value);
        }
    }
    Ok(ProviderPatch {
        id: ProviderId::new(id),
        name: node.text("name")?,
        kind,
        spoken,
        auth,
        key_env,
        headers,
        output_limit,
        hides_reasoning: node.flag("hides_reasoning")?,
    })
}

fn endpoint(node: &Node<'_>) -> Result<EndpointPatch, OverlayError> {
    node.known(&ENDPOINT_KEYS)?;
    let needed = |key: &str| node.text(key)?.filter(|text| !text.is_empty()).ok_or_else(|| node.missing(key));
    let model = needed("model")?.to_lowercase();
    let safe = |c: char| c.is_ascii_alphanumeric() || "-._/:@+".contains(c);
    if model.split('/').count() != 2
        || !model.chars().all(safe)
        || model.split('/').any(str::is_empty)
        || model.contains("..")
    {
        return Err(node.error("model", format!("\"{model}\" is not author/slug")));
    }
    let id = needed("id")?;
    if id.contains(|c: char| c.is_control() || c == '?' || c == '#') || id.contains("..") {
        return Err(node.error("id", format!("\"{id}\" cannot be sent as a model's id")));
    }
    let sunset = node.text("sunset")?;
    if let Some(day) = &sunset
        && day.parse::<jiff::civil::Date>().is_err()
    {
        return Err(node.error("sunset", format!("\"{day}\" is not a day such as 2026-12-31")));
    }
    let price = node.table("price")?.map(|table| pricing(&table)).transpose()?;
    Ok(EndpointPatch {
        line: node.reader.line(node.start),
        key: node.path.clone(),
        provider: needed("provider")?,
        id,
        model,
        hide: node.flag("hide")?.unwrap_or(false),
        like: node.text("like")?,
        kind: node.choice("kind", ModelKind::parse, &ModelKind::ALL.map(ModelKind::name))?,
        protocol: node.protocol("protocol")?,
        base_url: node.url("base_url")?,
        context: node.count("context")?,
        max_input: node.count("max_input")?,
        max_output: node.count("max_output")?,
        input: node.set("input", Modality::parse, &Modality::ALL.map(Modality::name))?,
        output: node.set("output", Modality::parse, &Modality::ALL.map(Modality::name))?,
        features: node.set("features", Capability::parse, &Capability::ALL.map(Capability::name))?,
        variant: node.words("variant")?,
        quant: node.text("quant")?,
        region: node.text("region")?,
        status: node.choice("status", Status::parse, &Status::ALL.map(Status::name))?,
        sunset,
        price,
    })
}

/// A price table: keys as in the snapshot, every price a string, tiers as `[{ over = 200000, input = "6", ... }]`.
fn pricing(node: &Node<'_>) -> Result<Pricing, OverlayError> {
    let mut sheet = Pricing::default();
    for (key, _) in node.table {
        let key = key.get_ref().as_ref();
        if key == "tiers" {
            continue;
        }
        let value = node.price(key)?;
        match sheet.set(key, &value) {
            Ok(true) => {}
            Ok(false) => {
                let mut names: Vec<&str> = super::price::Item::ALL.iter().map(|item| item.key()).collect();
                names.extend(["per_request", "web_search_per_1k", "per_input_image", "per_output_image", "tiers"]);
                return Err(node.unknown(key, &names));
            }
            Err(error) => return Err(node.error(key, error.to_string())),
        }
    }
    for tier in node.tables("tiers")? {
        let threshold = tier.count("over")?.ok_or_else(|| tier.missing("over"))?;
        for (key, _) in tier.table {
            let key = key.get_ref().as_ref();
            if key == "over" {
                continue;
            }
            let Some(PriceKey::Token(item)) = PriceKey::parse(key) else {
                return Err(tier.unknown(key, &["over", "input", "output", "cache_read", "cache_write"]));
            };
            let price = tier
                .price(key)?
                .parse()
                .map_err(|error: crate::units::MoneyError| tier.error(key, error.to_string()))?;
            let rate = sheet.rates.entry(item).or_insert_with(|| Rate::flat(price));
            rate.tiers.push(Tier { threshold, comparator: Comparator::Gt, meter: Meter::Input, price });
        }
    }
    Ok(sheet)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
