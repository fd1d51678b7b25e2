//! The embedded catalog: tables that are generated from `input/` by `generate.rs`, and the look-ups over them.
//!
//! `models.tsv` is sorted by id, and each line says where the model's endpoints lie in `endpoints.tsv`: looking one
//! model up is a binary search and the parsing of its own lines. Overlays of the user's are laid over at look-up.

mod lines;

use std::collections::{BTreeMap, BTreeSet};

pub use lines::{EndpointLine, ModelLine};
pub(super) use lines::{auth_of, usual_auth};

use super::file::{Overlay, OverlayError};
use super::{Auth, Endpoint, EndpointId, Model, ModelId, Protocol, Provider, ProviderId};

const MODELS: &str = include_str!("models.tsv");
const ENDPOINTS: &str = include_str!("endpoints.tsv");
const ALIASES: &str = include_str!("aliases.tsv");
const PROVIDERS: &str = include_str!("providers.jsonl");
const DATE: &str = include_str!("date.txt");

/// Everything that is known of models, providers and prices.
#[derive(Debug, Clone, Default)]
pub struct Catalog {
    overlay: Laid,
}

/// What overlays add and change.
#[derive(Debug, Clone, Default)]
struct Laid {
    providers: BTreeMap<ProviderId, Provider>,
    models: BTreeMap<ModelId, Model>,
    endpoints: BTreeMap<ModelId, BTreeMap<EndpointId, Endpoint>>,
    hidden: BTreeSet<EndpointId>,
}

impl Catalog {
    /// The embedded catalog; costs nothing, since nothing is read before it is looked up.
    #[must_use]
    pub fn builtin() -> Self {
        Self::default()
    }

    /// The same with overlays laid over it, later ones over earlier ones.
    ///
    /// # Errors
    /// An overlay names a provider or a model that exists nowhere.
    pub fn with_overlays(mut self, overlays: Vec<Overlay>) -> Result<Self, OverlayError> {
        for overlay in overlays {
            for provider in overlay.providers(&self) {
                self.overlay.providers.insert(provider.id.clone(), provider);
            }
            for endpoint in overlay.endpoints(&self)? {
                self.lay(endpoint);
            }
            self.overlay.hidden.extend(overlay.hidden());
        }
        Ok(self)
    }

    fn lay(&mut self, endpoint: Endpoint) {
        let model = endpoint.model.clone();
        if find_model(model.as_str()).is_none() && !self.overlay.models.contains_key(&model) {
            self.overlay.models.insert(model.clone(), lines::bare_model(&model, &endpoint));
        }
        self.overlay.hidden.remove(&endpoint.id);
        self.overlay.endpoints.entry(model).or_default().insert(endpoint.id.clone(), endpoint);
    }

    /// The day of the embedded data, `YYYY-MM-DD`.
    #[must_use]
    pub fn generated(&self) -> &str {
        DATE.trim_end()
    }

    /// A model by its exact id.
    #[must_use]
    pub fn model(&self, id: &ModelId) -> Option<Model> {
        find_model(id.as_str()).map(|line| line.model()).or_else(|| self.overlay.models.get(id).cloned())
    }

    /// Every endpoint of a model, by provider and wire id.
    #[must_use]
    pub fn endpoints_for(&self, model: &ModelId) -> Vec<Endpoint> {
        let mut found: BTreeMap<EndpointId, Endpoint> = BTreeMap::new();
        if let Some(line) = find_model(model.as_str()) {
            for endpoint in line.endpoints() {
                let mut endpoint = endpoint.endpoint();
                endpoint.model = model.clone();
                found.insert(endpoint.id.clone(), endpoint);
            }
        }
        if let Some(laid) = self.overlay.endpoints.get(model) {
            found.extend(laid.iter().map(|(id, endpoint)| (id.clone(), endpoint.clone())));
        }
        found.retain(|id, _| !self.overlay.hidden.contains(id));
        found.into_values().collect()
    }

    /// A provider by its exact id.
    #[must_use]
    pub fn provider(&self, id: &ProviderId) -> Option<Provider> {
        self.overlay.providers.get(id).cloned().or_else(|| lines::find_provider(PROVIDERS, id.as_str()))
    }

    /// Every provider, by id.
    #[must_use]
    pub fn providers(&self) -> Vec<Provider> {
        let builtin = PROVIDERS.lines().filter_map(lines::provider);
        let mut all: BTreeMap<ProviderId, Provider> = builtin.map(|provider| (provider.id.clone(), provider)).collect();
        all.extend(self.overlay.providers.iter().map(|(id, provider)| (id.clone(), provider.clone())));
        all.into_values().collect()
    }

    /// Every model, by id, with its endpoints to be read as far as they are needed.
    pub fn models(&self) -> impl Iterator<Item = ModelLine<'_>> {
        let builtin = MODELS.lines().map(|line| {
            let line = ModelLine::parse(line, ENDPOINTS);
            if self.overlay.endpoints.is_empty() && self.overlay.hidden.is_empty() {
                return line;
            }
            let laid = self.overlay.endpoints.get(&ModelId::new(line.id()));
            line.laid_over(laid, &self.overlay.hidden)
        });
        let added = self
            .overlay
            .models
            .values()
            .map(|model| ModelLine::added(model, self.overlay.endpoints.get(&model.id), &self.overlay.hidden));
        builtin.chain(added)
    }

    /// Where an endpoint is called in a protocol, and with which credential: its own address where the protocol is its
    /// own, else its provider's. The address may hold `{VARIABLE}`.
    #[must_use]
    pub fn base_url(&self, endpoint: &Endpoint, provider: &Provider, protocol: Protocol) -> Option<(String, Auth)> {
        let spoken = provider.protocols.iter().find(|spoken| spoken.protocol == protocol);
        let own = endpoint.base_url.as_ref().filter(|_| endpoint.protocol == Some(protocol));
        match (own, spoken) {
            (Some(url), Some(spoken)) => Some((url.clone(), spoken.auth.clone())),
            (Some(url), None) => Some((url.clone(), lines::usual_auth(protocol))),
            (None, Some(spoken)) => Some((spoken.base_url.clone(), spoken.auth.clone())),
            (None, None) => None,
        }
    }

    /// The model that a published alias stands for.
    #[must_use]
    pub fn alias(&self, alias: &str) -> Option<ModelId> {
        let line = lines::find(ALIASES, alias)?;
        line.split('\t').nth(1).map(ModelId::new)
    }

    /// Every published alias and the model it stands for.
    pub fn aliases(&self) -> impl Iterator<Item = (&str, &str)> {
        ALIASES.lines().filter_map(|line| line.split_once('\t'))
    }

    /// The ids of all models, the embedded ones in order, then the added ones.
    pub fn model_ids(&self) -> impl Iterator<Item = &str> {
        let builtin = MODELS.lines().filter_map(|line| line.split('\t').next());
        builtin.chain(self.overlay.models.keys().map(ModelId::as_str))
    }

    /// The endpoint of that provider and wire id, embedded or laid over.
    pub(super) fn endpoint_of(&self, model: &ModelId, id: &EndpointId) -> Option<Endpoint> {
        self.endpoints_for(model).into_iter().find(|endpoint| endpoint.id == *id)
    }
}

fn find_model(id: &str) -> Option<ModelLine<'static>> {
    lines::find(MODELS, id).map(|line| ModelLine::parse(line, ENDPOINTS))
}

/// Authors whose own provider has another name.
const OWN: [(&str, &str); 16] = [
    ("x-ai", "xai"),
    ("mistralai", "mistral"),
    ("z-ai", "zai"),
    ("qwen", "alibaba"),
    ("amazon", "amazon-bedrock"),
    ("bytedance", "volcengine"),
    ("tencent", "tencent-tokenhub"),
    ("arcee-ai", "arcee"),
    ("stepfun-ai", "stepfun"),
    ("reka", "reka-ai"),
    ("sakana-ai", "sakana"),
    ("inclusionai", "ant-ling"),
    ("meituan", "longcat"),
    ("sensetime", "sensenova"),
    ("thinking-machines", "thinkingmachines"),
    ("ai-sage", "gigachat"),
];

/// Authors whose own provider has the same name.
const SAME: [&str; 24] = [
    "ai21",
    "anthropic",
    "arcee",
    "baidu",
    "cohere",
    "deepseek",
    "google",
    "inception",
    "jina",
    "longcat",
    "meta",
    "minimax",
    "moonshotai",
    "morph",
    "nomic",
    "nvidia",
    "openai",
    "perplexity",
    "poolside",
    "sarvam",
    "stepfun",
    "upstage",
    "voyage",
    "xiaomi",
];

/// The provider that is the author's own, e.g. `xai` for `x-ai`; `None` for authors who serve nothing themselves.
#[must_use]
pub fn own_provider(author: &str) -> Option<&'static str> {
    let other = OWN.iter().find(|(known, _)| *known == author).map(|(_, provider)| *provider);
    other.or_else(|| SAME.into_iter().find(|known| *known == author))
}
