//! The catalog that is compiled in, or an update in its place, and overlays laid over it.
//!
//! The tables are text that is searched where it lies: a look-up is a binary search over `models.tsv` and a parse of
//! that model's own lines of `endpoints.tsv`. `generate.rs`, run by a test, writes them from `input/`. An update
//! (`stored.rs`) has the same two tables, complete, so that it is loaded without being parsed either; providers that are
//! compiled in are never taken from it.

mod authors;
mod codes;
mod dated;
mod encode;
mod layer;
mod lines;
mod sheet;
mod stored;
mod table;
mod view;

use std::sync::{Arc, LazyLock};

pub use self::dated::{Days, Mark};
pub use self::encode::{Written, provider_line, write};
use self::layer::Layer;
pub use self::stored::{About, Signed, Stored, StoredError};
use self::table::{Cells, Rows};
pub use self::view::{EndpointLine, ModelLine};
use self::view::{EndpointSource, ModelSource};
use super::file::{self, Overlay, OverlayError};
use super::{Auth, Endpoint, Model, ModelId, Protocol, Provider, ProviderId, Status};

static MODELS: &str = include_str!("models.tsv");
static ENDPOINTS: &str = include_str!("endpoints.tsv");
static ALIASES: &str = include_str!("aliases.tsv");
static PROVIDERS: &str = include_str!("providers.jsonl");
static GENERATED: &str = include_str!("generated.txt");

/// The tables that are searched: the embedded ones, or an update's.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Tables(Option<Arc<Stored>>);

impl Tables {
    fn models(&self) -> &str {
        self.0.as_ref().map_or(MODELS, |stored| stored.models())
    }

    fn endpoints(&self) -> &str {
        self.0.as_ref().map_or(ENDPOINTS, |stored| stored.endpoints())
    }

    /// The endpoint lines of a line of `models`.
    fn block(&self, model_line: &str) -> &str {
        lines::block_of(self.endpoints(), model_line)
    }

    fn model_line(&self, id: &str) -> Option<&str> {
        table::find(self.models(), id, table::first_column)
    }

    /// Providers that are not compiled in.
    fn further_providers(&self) -> &str {
        self.0.as_ref().map_or("", |stored| stored.providers())
    }

    /// Spellings that the embedded table lacks, or has otherwise.
    fn further_spellings(&self) -> &str {
        self.0.as_ref().map_or("", |stored| stored.spellings())
    }

    fn alias(&self, spelling: &str) -> Option<&str> {
        let find = |table| table::find(table, spelling, table::first_column);
        find(self.further_spellings()).or_else(|| find(ALIASES)).map(|line| table::column(line, 1))
    }

    fn provider(&self, id: &str) -> Option<Provider> {
        let line = table::find(PROVIDERS, id, provider_key);
        line.or_else(|| table::find(self.further_providers(), id, provider_key)).and_then(file::provider_record)
    }

    fn provider_ids(&self) -> impl Iterator<Item = &str> {
        PROVIDERS.lines().chain(self.further_providers().lines()).map(provider_key)
    }
}

/// What exists and what it costs: the embedded tables, or an update in their place, with overlays over them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Catalog {
    tables: Tables,
    layer: Arc<Layer>,
}

impl Catalog {
    /// The embedded tables alone; nothing is parsed yet.
    #[must_use]
    pub fn builtin() -> Self {
        Self::default()
    }

    /// An update in place of the embedded tables; nothing is parsed yet.
    #[must_use]
    pub fn updated(stored: Arc<Stored>) -> Self {
        Self { tables: Tables(Some(stored)), layer: Arc::default() }
    }

    /// What is known of the update; `None` where the embedded tables are searched.
    #[must_use]
    pub fn update(&self) -> Option<&About> {
        self.tables.0.as_ref().map(|stored| stored.about())
    }

    /// Lays overlays over this catalog, in order: later ones win field by field.
    ///
    /// # Errors
    /// An overlay names a provider that does not exist, or leaves out what a new provider or endpoint needs.
    pub fn with_overlays(self, overlays: Vec<Overlay>) -> Result<Self, OverlayError> {
        let (catalog, passed) = self.with_what_fits(overlays)?;
        passed.into_iter().next().map_or(Ok(catalog), Err)
    }

    /// The same without what names something that this catalog lacks, and another one may have: the reasons come back.
    ///
    /// # Errors
    /// Something else is wrong with an overlay.
    pub fn with_what_fits(self, overlays: Vec<Overlay>) -> Result<(Self, Vec<OverlayError>), OverlayError> {
        let mut layer = Arc::unwrap_or_clone(self.layer);
        let mut passed = Vec::new();
        for overlay in &overlays {
            passed.extend(layer.apply(overlay, &self.tables)?);
        }
        Ok((Self { tables: self.tables, layer: Arc::new(layer) }, passed))
    }

    /// The same with names of the user's own (lower case, without a colon), each for what could have been typed in its
    /// place. They go before what is published; [`super::resolve::taken`] tells which mean a model there.
    #[must_use]
    pub fn with_names(self, names: impl IntoIterator<Item = (String, String)>) -> Self {
        let mut layer = Layer::clone(&self.layer);
        layer.names.extend(names);
        Self { layer: Arc::new(layer), ..self }
    }

    /// What a name of the user's own stands for.
    #[must_use]
    pub fn own_name(&self, name: &str) -> Option<&str> {
        self.layer.names.get(name).map(String::as_str)
    }

    /// The same with every provider read, for a process that looks the same ones up again and again.
    #[must_use]
    pub fn loaded(self) -> Self {
        let providers = self.providers();
        let mut layer = Arc::unwrap_or_clone(self.layer);
        layer.providers.extend(providers.into_iter().map(|provider| (provider.id.clone(), provider)));
        Self { tables: self.tables, layer: Arc::new(layer) }
    }

    /// The day (UTC, `YYYY-MM-DD`) of the newest data; [`Catalog::as_of`] tells how old most of it is.
    #[must_use]
    pub fn generated(&self) -> &str {
        match self.update() {
            Some(about) => &about.date,
            None => Self::embedded(),
        }
    }

    /// The day (UTC, `YYYY-MM-DD`) of the embedded data.
    #[must_use]
    pub fn embedded() -> &'static str {
        GENERATED.trim_end()
    }

    /// The model of exactly this id.
    #[must_use]
    pub fn model(&self, id: &ModelId) -> Option<Model> {
        self.model_line(id.as_str()).map(|line| line.model())
    }

    /// One model for a listing, by its exact id.
    #[must_use]
    pub fn model_line(&self, id: &str) -> Option<ModelLine<'_>> {
        let source = match self.layer.models.get(id) {
            Some(record) => ModelSource::Record(record),
            None => ModelSource::Line(Cells::new(self.tables.model_line(id)?)),
        };
        Some(self.with_endpoints(id, source))
    }

    /// The endpoints of a model, sorted by provider id and wire id; hidden ones are left out, variants are not.
    #[must_use]
    pub fn endpoints_for(&self, model: &ModelId) -> Vec<Endpoint> {
        self.model_line(model.as_str()).map_or_else(Vec::new, |line| line.endpoints().map(|e| e.endpoint()).collect())
    }

    /// The provider of exactly this id.
    #[must_use]
    pub fn provider(&self, id: &ProviderId) -> Option<Provider> {
        self.layer.providers.get(id).cloned().or_else(|| self.tables.provider(id.as_str()))
    }

    /// Every provider, sorted by id.
    #[must_use]
    pub fn providers(&self) -> Vec<Provider> {
        let untouched = |provider: &Provider| !self.layer.providers.contains_key(&provider.id);
        let lines = PROVIDERS.lines().chain(self.tables.further_providers().lines());
        let below = lines.filter_map(file::provider_record).filter(untouched);
        let mut all: Vec<Provider> = below.chain(self.layer.providers.values().cloned()).collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }

    /// Providers that a fetched list alone knows: nobody whom the user believes says where they are, so that they are never
    /// called, and what a list says of their prices decides nothing.
    #[must_use]
    pub fn uncalled(&self) -> Vec<ProviderId> {
        let lines = self.tables.further_providers().lines().filter_map(file::provider_record);
        let known = lines.filter_map(|listed| self.provider(&listed.id));
        known.filter(|provider| provider.protocols.is_empty()).map(|provider| provider.id).collect()
    }

    /// Every model, sorted by id, with its endpoints; fields are read when they are asked for.
    pub fn models(&self) -> impl Iterator<Item = ModelLine<'_>> {
        let mut below = Rows(self.tables.models()).peekable();
        let mut added = self.layer.models.iter().peekable();
        std::iter::from_fn(move || {
            let added_first = match (below.peek(), added.peek()) {
                (Some(cells), Some((id, _))) => id.as_str() < cells.column(codes::model::ID),
                (None, _) => true,
                (_, None) => false,
            };
            if added_first {
                let (id, record) = added.next()?;
                return Some(self.with_endpoints(id, ModelSource::Record(record)));
            }
            let cells = below.next()?;
            Some(self.with_endpoints(cells.column(codes::model::ID), ModelSource::Line(cells)))
        })
    }

    /// What begins so (lower case) and means a model, in no order: ids, then published spellings.
    pub fn names_beginning<'a>(&'a self, typed: &'a str) -> impl Iterator<Item = &'a str> {
        let key = table::first_column;
        let ids = table::beginning(self.tables.models(), typed, key).map(key);
        let added = self.layer.models.keys().map(String::as_str).filter(move |id| id.starts_with(typed));
        let tables = [self.tables.further_spellings(), ALIASES];
        let spellings = tables.into_iter().flat_map(move |table| table::beginning(table, typed, key)).map(key);
        ids.chain(added).chain(spellings)
    }

    /// The canonical id behind a published spelling (lower case), which is not itself an id.
    #[must_use]
    pub fn alias(&self, spelling: &str) -> Option<&str> {
        self.tables.alias(spelling)
    }

    /// Every published spelling with its canonical id, those of an update first.
    pub fn aliases(&self) -> impl Iterator<Item = (&str, &str)> {
        let further = self.tables.further_spellings();
        let is_known = move |line: &&str| {
            further.is_empty() || table::find(further, table::first_column(line), table::first_column).is_none()
        };
        further.lines().chain(ALIASES.lines().filter(is_known)).filter_map(|line| line.split_once('\t'))
    }

    /// Where an endpoint is reached in a protocol and how the credential is carried. The address has no trailing
    /// slash and may hold `{VARIABLE}`; `None` where none is known.
    #[must_use]
    pub fn base_url(&self, endpoint: &Endpoint, provider: &Provider, protocol: Protocol) -> Option<(String, Auth)> {
        let entry = provider.protocols.iter().find(|entry| entry.protocol == protocol);
        if let Some(own) = endpoint.base_url.as_ref().filter(|_| endpoint.protocol == Some(protocol)) {
            let auth = entry.map_or_else(|| file::default_auth(protocol), |entry| entry.auth.clone());
            return Some((own.clone(), auth));
        }
        entry.map(|entry| (entry.base_url.clone(), entry.auth.clone()))
    }

    /// The provider that is an author's own, e.g. `xai` for `x-ai`; `None` for authors who serve nothing themselves.
    #[must_use]
    pub fn own_provider(author: &str) -> Option<&'static str> {
        authors::own_provider(author)
    }

    /// The plain endpoint of a model at its author's own provider: the best status, then the unqualified region.
    #[must_use]
    pub fn own_endpoint(&self, model: &ModelId) -> Option<Endpoint> {
        let provider = Self::own_provider(model.author())?;
        let line = self.model_line(model.as_str())?;
        let own = line.endpoints().filter(|endpoint| endpoint.provider() == provider && endpoint.is_plain());
        own.min_by_key(|endpoint| (endpoint.status() == Status::Retired, endpoint.status(), endpoint.region()))
            .map(|endpoint| endpoint.endpoint())
    }

    fn with_endpoints<'a>(&'a self, id: &str, source: ModelSource<'a>) -> ModelLine<'a> {
        let endpoints = match (self.layer.endpoints.get(id), source) {
            (Some(records), _) => EndpointSource::Records(records),
            (None, ModelSource::Line(cells)) => {
                let (offset, length) = (cells.column(codes::model::OFFSET), cells.column(codes::model::LENGTH));
                let block = lines::range(offset, length).and_then(|range| self.tables.endpoints().get(range));
                EndpointSource::Block(block.unwrap_or_default())
            }
            (None, ModelSource::Record(_)) => EndpointSource::Records(&[]),
        };
        ModelLine { source, endpoints }
    }
}

fn provider_key(line: &str) -> &str {
    line.strip_prefix("{\"id\":\"").and_then(|rest| rest.split('"').next()).unwrap_or_default()
}

/// The ids of the embedded providers, found once: a listing asks for the one of every author.
static IDS: LazyLock<Vec<&'static str>> = LazyLock::new(|| PROVIDERS.lines().map(provider_key).collect());

/// The id of an embedded provider, as it lies in the table.
fn builtin_provider_id(id: &str) -> Option<&'static str> {
    IDS.binary_search(&id).ok().and_then(|at| IDS.get(at).copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loaded_catalog_knows_the_same_providers() {
        let (lazy, loaded) = (Catalog::builtin(), Catalog::builtin().loaded());
        assert_eq!(loaded.providers(), lazy.providers());
        let id = ProviderId::new("anthropic");
        assert_eq!(loaded.provider(&id), lazy.provider(&id));
        assert_eq!(loaded.provider(&ProviderId::new("nobody")), None);
    }

    #[test]
    fn a_look_up_reads_only_its_own_lines() {
        let catalog = Catalog::builtin();
        let id = ModelId::new("anthropic/claude-sonnet-5");
        let endpoints = catalog.endpoints_for(&id);
        assert!(endpoints.iter().all(|endpoint| endpoint.model == id));
        assert!(endpoints.is_sorted_by(|a, b| a.id < b.id));
        let line = catalog.tables.model_line(id.as_str()).unwrap();
        assert_eq!(catalog.tables.block(line).lines().count(), endpoints.len());
        assert!(catalog.tables.block(line).len() < ENDPOINTS.len() / 100);
    }

    #[test]
    fn the_address_is_the_endpoints_own_or_its_providers() {
        let catalog = Catalog::builtin();
        let endpoint = catalog.own_endpoint(&ModelId::new("anthropic/claude-sonnet-5")).unwrap();
        let provider = catalog.provider(&endpoint.id.provider).unwrap();
        let at = |protocol| catalog.base_url(&endpoint, &provider, protocol);
        let native = ("https://api.anthropic.com/v1".to_owned(), Auth::Header("x-api-key".into()));
        assert_eq!(at(Protocol::AnthropicMessages), Some(native));
        assert_eq!(at(Protocol::Gemini), None);
    }

    #[test]
    fn authors_have_their_own_provider() {
        for (author, provider) in [("anthropic", "anthropic"), ("x-ai", "xai"), ("qwen", "alibaba"), ("meta", "meta")] {
            assert_eq!(Catalog::own_provider(author), Some(provider));
        }
        assert_eq!(Catalog::own_provider("nobody"), None);
    }
}
