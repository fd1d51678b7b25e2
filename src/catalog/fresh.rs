//! A catalog that stays fresh: a list in the form of models.dev, checked entry by entry (`document`, [`Listing`]), laid
//! over the embedded tables (`merge`), without what of an entry is not believed (`doubt`), and refused as a whole where it
//! looks broken (`rules`); or a release of openmux's
//! own, held against the same rules (`signed`).
//!
//! ```text
//! bytes ── document ──> JSON ── Listing::read ──> entries, and those that are refused, with the reason
//! embedded tables + entries + what the same source said before ── merge ──> Merged ──> Stored
//! ```
//!
//! A list says what is offered, at what price. It never says where a key goes: the addresses and variables of a known
//! provider stay as they are, and a new one is not called until the user says where it is ([`Listing::read`]).

mod document;
mod doubt;
mod entry;
mod merge;
mod names;
mod provider;
mod rules;
mod signed;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

pub use self::entry::Entry;
pub use self::merge::{Merged, merge};
pub use self::rules::{Rule, Tripped, tripped};
pub use self::signed::{adopt, complete};
use super::file::checks;
use super::{Catalog, EndpointId, Protocol, Provider, ProviderId};

/// Providers that the list calls otherwise.
const CALLED: &[(&str, &str)] = &[("google-vertex-anthropic", "google-vertex")];

/// Something in a list that is not taken over, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What: `PROVIDER` or `PROVIDER:WIRE-ID`, cut where it is too long, without control characters.
    pub what: String,
    /// Why, as the end of a sentence.
    pub why: String,
}

/// A list, checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// Providers that the embedded tables lack.
    pub providers: Vec<Provider>,
    /// The dialects that they say they are spoken to in.
    pub(crate) spoken: BTreeMap<ProviderId, Protocol>,
    /// What is offered.
    pub entries: Vec<Entry>,
    /// What is listed and cannot be read: an entry by its wire id, or all of a provider.
    pub(crate) unread: BTreeSet<(ProviderId, Option<String>)>,
    /// What is not taken over.
    pub refused: Vec<Refusal>,
    /// What is taken over in part, and what of it is not.
    pub reduced: Vec<Refusal>,
    /// How many providers it lists.
    pub listed: usize,
}

/// Why a document is no list at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListingError {
    /// It is not JSON.
    #[error("it is not JSON: {0}")]
    NotJson(String),
    /// It is the beginning of JSON.
    #[error("it is cut off")]
    CutOff,
    /// It is JSON of another shape.
    #[error("it is not a list of providers with their models, in the form of models.dev")]
    Shape,
    /// There is no model in it.
    #[error("it lists no model")]
    Empty,
}

impl Listing {
    /// Reads a document: an object of providers, each with an object of models. Members that it does not know are passed
    /// over. What is wrong with an entry refuses that entry alone.
    ///
    /// # Errors
    /// The document is no such list.
    pub fn read(bytes: &[u8]) -> Result<Self, ListingError> {
        let (document, twice) = document::parse(bytes).map_err(|error| match error.is_eof() {
            true => ListingError::CutOff,
            false => ListingError::NotJson(error.to_string()),
        })?;
        let Value::Object(document) = document else { return Err(ListingError::Shape) };
        let twice: BTreeSet<Vec<String>> = twice.into_iter().collect();
        let mut list = Self { listed: document.len(), ..Self::default() };
        let known = Catalog::builtin();
        let taken = provider::Taken::new(&known);
        let mut shaped = false;
        for (name, record) in &document {
            let models = record.get("models").and_then(Value::as_object);
            shaped |= models.is_some();
            list.provider(name, record, models, &twice, &taken, &known);
        }
        match (shaped, list.entries.is_empty() && list.refused.is_empty()) {
            (false, false) => Err(ListingError::Shape),
            (_, true) => Err(ListingError::Empty),
            _ => Ok(list),
        }
    }

    fn provider(
        &mut self,
        name: &str,
        record: &Value,
        models: Option<&Map<String, Value>>,
        twice: &BTreeSet<Vec<String>>,
        taken: &provider::Taken,
        known: &Catalog,
    ) {
        let called = CALLED.iter().find(|(theirs, _)| *theirs == name).map_or(name, |&(_, ours)| ours);
        let stated = record.get("id").and_then(Value::as_str).unwrap_or(name);
        let why = if !checks::is_slug(name) {
            Some("is no provider id")
        } else if stated != name {
            Some("states another id than the one it is listed by")
        } else if models.is_none() {
            Some("has no models")
        } else if twice.contains(&vec![name.to_owned()]) {
            Some("is there twice")
        } else {
            None
        };
        if let Some(why) = why {
            self.refused.push(Refusal::new(name, why));
            self.unread.insert((ProviderId::new(called), None));
            return;
        }
        let id = ProviderId::new(called);
        let provider = known.provider(&id).unwrap_or_else(|| {
            let (provider, spoken, told) = provider::new(called, record, taken);
            self.spoken.extend(spoken.map(|spoken| (id.clone(), spoken)));
            self.reduced.extend(told.into_iter().map(|why| Refusal::new(name, why)));
            self.providers.push(provider.clone());
            provider
        });
        for (wire_id, model) in models.into_iter().flatten() {
            let what = format!("{name}:{wire_id}");
            let path = [name, "models", wire_id].map(str::to_owned);
            let is_twice = twice.iter().any(|twice| twice.starts_with(&path));
            let read = if is_twice { Err("has a name that is there twice".to_owned()) } else { Ok(()) };
            match read.and_then(|()| Entry::read(&provider, wire_id, model)) {
                Ok(entry) => self.entries.push(entry),
                Err(why) => {
                    self.refused.push(Refusal::new(&what, why));
                    self.unread.insert((id.clone(), Some(wire_id.clone())));
                }
            }
        }
    }
}

impl Listing {
    /// Whether an offer is listed, but cannot be read.
    fn is_unread(&self, id: &EndpointId) -> bool {
        let of = |wire_id| self.unread.contains(&(id.provider.clone(), wire_id));
        !self.unread.is_empty() && (of(None) || of(Some(id.upstream_model.clone())))
    }
}

impl Refusal {
    fn new(what: &str, why: impl Into<String>) -> Self {
        let shown = |text: &str, most: usize| {
            let cut = if text.chars().count() > most { "..." } else { "" };
            text.chars().take(most).map(|c| if checks::is_hidden(c) { '?' } else { c }).chain(cut.chars()).collect()
        };
        Self { what: shown(what, 80), why: shown(&why.into(), 400) }
    }
}
