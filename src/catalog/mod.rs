//! What exists and what it costs: models, providers, and the endpoints where they meet.
//!
//! [`Catalog`] answers look-ups from the embedded tables (`builtin`) with overlays (`file`) laid over them; looking up
//! one model reads that model's lines and no others. Nothing here reads a file, a clock or the environment.

mod builtin;
pub mod diff;
pub mod file;
pub mod fresh;
pub mod geo;
pub mod price;
mod quirks;
pub mod release;
pub mod resolve;
mod usage;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

pub use builtin::{
    About, Catalog, Days, EndpointLine, Mark, ModelLine, Signed, Stored, StoredError, Written, provider_line, write,
};
pub use price::Pricing;
pub use quirks::{CancelBilling, ErrorFamily, Prefill, Quirks, Thinking};
pub use usage::Usage;
pub use words::{Capability, Modality, ModelKind, Protocol, ProviderKind, Status};

use crate::units::{Tokens, UsdPerMtok};

/// A model apart from who serves it: `author/slug`, lower case, e.g. `anthropic/claude-sonnet-5`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModelId(String);

impl ModelId {
    /// An id as it stands; look-ups decide whether it exists.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The whole id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the first `/`: who made the model.
    #[must_use]
    pub fn author(&self) -> &str {
        self.0.split_once('/').map_or("", |(author, _)| author)
    }

    /// The part after the first `/`.
    #[must_use]
    pub fn slug(&self) -> &str {
        self.0.split_once('/').map_or(self.0.as_str(), |(_, slug)| slug)
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// Who serves a model: `anthropic`, `google-vertex`, `amazon-bedrock`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProviderId(String);

impl ProviderId {
    /// An id as it stands; look-ups decide whether it exists.
    #[must_use]
    pub fn new(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// The whole id.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ProviderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// One model at one provider (and region, tier or variant): what has a price and limits, and what is routed to.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EndpointId {
    /// Who serves it.
    pub provider: ProviderId,
    /// The model's id on that provider's wire.
    pub upstream_model: String,
}

impl fmt::Display for EndpointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.provider, self.upstream_model)
    }
}

/// How a request carries its credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Auth {
    /// None is needed; one is sent as a bearer token where the user set one.
    Optional,
    /// `Authorization: Bearer KEY`.
    Bearer,
    /// The key alone in the header of this (lower-case) name, e.g. `x-api-key`.
    Header(String),
    /// A Bedrock API key as a bearer token where one is set; else each request is signed (AWS Signature Version 4) with
    /// what AWS's own chain of credentials gives.
    Aws,
    /// An OAuth access token of Google's application default credentials, as a bearer token.
    Google,
    /// A scheme this version cannot do (token exchanges), in the catalog's words.
    Unsupported(String),
}

/// Which field of an OpenAI-style request carries the output limit; exactly one is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputLimitField {
    /// `max_tokens`.
    MaxTokens,
    /// `max_completion_tokens`.
    MaxCompletionTokens,
}

/// One wire dialect that a provider speaks, where, and with which credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderProtocol {
    /// The dialect.
    pub protocol: Protocol,
    /// Where, without a trailing slash; may hold `{VARIABLE}` to be filled from the environment.
    pub base_url: String,
    /// How the credential is carried.
    pub auth: Auth,
}

/// Who serves models: names, addresses, environment variables and quirks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Its id.
    pub id: ProviderId,
    /// Its name for people.
    pub name: String,
    /// What kind of business it is.
    pub kind: ProviderKind,
    /// What it speaks, the preferred dialect first.
    pub protocols: Vec<ProviderProtocol>,
    /// Environment variables by role (`key`, `base`, `region`, `project`, ...); of each role the first that is set wins.
    pub env: BTreeMap<String, Vec<String>>,
    /// Headers that every request carries.
    pub headers: BTreeMap<String, String>,
    /// Where its models are listed, if it says.
    pub models_url: Option<String>,
    /// Its documentation.
    pub doc: Option<String>,
    /// Which field carries the output limit in OpenAI-style requests.
    pub output_limit: OutputLimitField,
    /// Whether its reasoning is billed but not streamed, so that a long silence before the first token is normal.
    pub hides_reasoning: bool,
    /// Whether its context-tier thresholds are inclusive (`>=`); elsewhere they are exclusive (`>`).
    pub tiers_inclusive: bool,
    /// What it does its own way.
    pub quirks: Quirks,
}

impl Provider {
    /// One that is called by its id, and of which nothing else is known.
    #[must_use]
    pub fn new(id: ProviderId, kind: ProviderKind) -> Self {
        Self {
            name: id.as_str().to_owned(),
            id,
            kind,
            protocols: Vec::new(),
            env: BTreeMap::new(),
            headers: BTreeMap::new(),
            models_url: None,
            doc: None,
            output_limit: OutputLimitField::MaxTokens,
            hides_reasoning: false,
            tiers_inclusive: false,
            quirks: Quirks::default(),
        }
    }

    /// The environment variables of a role, in the order in which they are tried.
    #[must_use]
    pub fn env_names(&self, role: &str) -> &[String] {
        self.env.get(role).map_or(&[], Vec::as_slice)
    }

    /// What is billed of an answer that is cancelled: a server of the user's own sends no bills.
    #[must_use]
    pub fn bills_on_cancel(&self) -> CancelBilling {
        match (self.quirks.bills_on_cancel, self.kind) {
            (CancelBilling::Unknown, ProviderKind::Local) => CancelBilling::None,
            (stated, _) => stated,
        }
    }
}

/// A model apart from who serves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Its id.
    pub id: ModelId,
    /// Its name for people.
    pub name: String,
    /// What it is; most are `[Chat]`.
    pub kinds: Vec<ModelKind>,
    /// When it came out: `YYYY`, `YYYY-MM` or `YYYY-MM-DD`.
    pub released: Option<String>,
    /// Until when its training data reaches, in the same form.
    pub knowledge: Option<String>,
    /// Whether its weights are published; `None` is unknown.
    pub open_weights: Option<bool>,
    /// The largest context window that a trusted source states, in tokens.
    pub context: Option<Tokens>,
    /// The largest answer that a trusted source states, in tokens.
    pub max_output: Option<Tokens>,
    /// Whether the name moves to newer weights over time.
    pub floating: bool,
}

/// A price on which sources disagree: the lowest and the highest figure that any of them quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dispute {
    /// Lowest and highest input price.
    pub input: (UsdPerMtok, UsdPerMtok),
    /// Lowest and highest output price.
    pub output: (UsdPerMtok, UsdPerMtok),
}

/// How large the calls are that an endpoint takes, in tokens; `None` is unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// The window.
    pub context: Option<Tokens>,
    /// The longest input.
    pub max_input: Option<Tokens>,
    /// The longest answer.
    pub max_output: Option<Tokens>,
}

impl Limits {
    /// Whether one call can have so many tokens, input and output together: a window of which less can go in and come out
    /// is no larger than that. `None` is unknown.
    #[must_use]
    pub fn hold(self, least: Tokens) -> Option<bool> {
        match (self.context, self.max_input) {
            (Some(context), _) if context < least => Some(false),
            (Some(_), None) => Some(true),
            (_, Some(input)) if input >= least => Some(true),
            (Some(_), Some(input)) => self.max_output.map(|output| input + output >= least),
            (None, _) => None,
        }
    }
}

/// One model at one provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Provider and wire id; the wire id is what is sent.
    pub id: EndpointId,
    /// The model that it serves.
    pub model: ModelId,
    /// Other wire ids of the same offer.
    pub aka: Vec<String>,
    /// What it is.
    pub kind: ModelKind,
    /// The dialect that the sources name for it; `None` where none is known.
    pub protocol: Option<Protocol>,
    /// A dialect of the same provider that serves it too, and is used where the first is not built or cannot carry what
    /// is asked.
    pub alternate: Option<Protocol>,
    /// An address of its own, where it differs from its provider's.
    pub base_url: Option<String>,
    /// Variant names (`free`, `batch`, `thinking`, ...); empty for the plain offer.
    pub variant: Vec<String>,
    /// Quantisation, e.g. `fp8`.
    pub quant: Option<String>,
    /// Region or geography, e.g. `eu`, `global`.
    pub region: Option<String>,
    /// Who serves it behind a gateway, where the gateway says.
    pub upstream: Option<String>,
    /// Context window in tokens; `None` is unknown.
    pub context: Option<Tokens>,
    /// Longest input in tokens, where it is below the window.
    pub max_input: Option<Tokens>,
    /// Longest answer in tokens; `None` is unknown.
    pub max_output: Option<Tokens>,
    /// What goes in; empty is unknown.
    pub input: BTreeSet<Modality>,
    /// What comes out; empty is unknown.
    pub output: BTreeSet<Modality>,
    /// What sources say it can and cannot do.
    pub capabilities: BTreeSet<Capability>,
    /// Ways to steer its reasoning, in the catalog's words: `toggle`, `effort:low|high`, `budget:1024-32000`.
    pub reasoning_options: Vec<String>,
    /// In which field its reasoning streams, where the catalog says.
    pub reasoning_field: Option<String>,
    /// The shortest prefix that its prompt cache keeps, in tokens.
    pub cache_min: Option<Tokens>,
    /// What it costs; `None` is unknown, which is not free.
    pub pricing: Option<Pricing>,
    /// Where sources disagree about its price.
    pub dispute: Option<Dispute>,
    /// Where it is in its life.
    pub status: Status,
    /// The day (UTC, `YYYY-MM-DD`) on which it ends or ended.
    pub sunset: Option<String>,
    /// Whether the wire id moves to newer weights over time.
    pub floating: bool,
    /// When this provider began to serve it, where the catalog says.
    pub released: Option<String>,
    /// Whether an overlay of the user's made or changed it: the overlay's name.
    pub overlay: Option<String>,
}

impl Endpoint {
    /// How large the calls are that it takes.
    #[must_use]
    pub const fn limits(&self) -> Limits {
        Limits { context: self.context, max_input: self.max_input, max_output: self.max_output }
    }

    /// The same at a moment: its status is what it comes to then ([`Status::at`]).
    #[must_use]
    pub fn at(mut self, now: jiff::Timestamp) -> Self {
        self.status = self.status.at(self.sunset.as_deref(), now);
        self
    }

    /// A plain chat offer of which nothing more is known.
    #[must_use]
    pub fn new(id: EndpointId, model: ModelId) -> Self {
        Self {
            id,
            model,
            aka: Vec::new(),
            kind: ModelKind::Chat,
            protocol: None,
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

    /// Whether it is a plain offer: reached without a suffix.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.variant.is_empty()
    }

    /// Whether some source says that it can.
    #[must_use]
    pub fn can(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }

    /// The dialects that it can be spoken to in, the named one first.
    pub fn protocols(&self) -> impl Iterator<Item = Protocol> + '_ {
        self.protocol.into_iter().chain(self.alternate)
    }
}

/// Who made the signed pieces of a turn: a signature is of use to its maker alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The provider.
    pub provider: ProviderId,
    /// The dialect in which it made them.
    pub protocol: Protocol,
}

/// Whether an address is on this machine.
#[must_use]
pub fn is_loopback(url: &str) -> bool {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")).unwrap_or(url);
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}
