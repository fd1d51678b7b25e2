//! Catalog overlays: TOML files that add or change providers and endpoints, and the records of embedded providers.
//!
//! ```toml
//! [provider.local]
//! protocol = "openai-chat"
//! base_url = "http://127.0.0.1:8080/v1"
//!
//! [[endpoint]]
//! provider = "local"
//! model    = "huggingface/smollm2-135m-instruct"
//! id       = "smollm2"                             # what goes on the wire
//! context  = 2048
//! price    = { input = "0.10", output = "0.20" }   # USD per 1M tokens, as decimal strings
//! ```
//!
//! Nothing is skipped silently: an unknown key, a number where a decimal string belongs, an unknown provider are errors
//! that name the file, the line and the path of the key. Overlays hold names of environment variables, never keys.

pub(crate) mod checks;
mod endpoint;
mod prices;
mod provider;
mod reader;
mod record;

use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) use self::endpoint::EndpointPatch;
use self::provider::ProviderPatch;
pub(crate) use self::reader::{Reader, Source, suggestion};
pub(crate) use self::record::default_auth;
pub(super) use self::record::provider_record;
use super::{Protocol, ProviderId};

/// The tables of an overlay.
pub(crate) const TABLES: [&str; 2] = ["provider", "endpoint"];

/// What is wrong with an overlay, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {}{message}", prefix(.path))]
pub struct OverlayError {
    /// The overlay's name, as it was given to [`Overlay::parse`].
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The key, e.g. `endpoint[0].price.input`; empty where the file is not TOML.
    pub path: String,
    /// What is wrong, with the fix where there is one.
    pub message: String,
    /// Whether only the catalog below lacks something: over another one it may be right.
    pub is_missing: bool,
}

fn prefix(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("{path}: ") }
}

/// One overlay file, parsed and checked as far as it can be without the catalog below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    pub(super) name: Arc<str>,
    pub(super) providers: Vec<ProviderPatch>,
    pub(super) endpoints: Vec<EndpointPatch>,
}

impl Overlay {
    /// Parses a file's text; `name` is its path, for messages and for [`super::Endpoint::overlay`].
    ///
    /// # Errors
    /// The text is not TOML, has an unknown key, or a value that cannot be right; the first such place is told.
    pub fn parse(name: &str, text: &str) -> Result<Self, OverlayError> {
        let source = Source { file: name.into(), text };
        let document = source.document()?;
        let root = Reader::root(&source, document.get_ref());
        root.known(&TABLES)?;
        Self::read(name, &root)
    }

    /// The tables of an overlay in a file that has others, too.
    pub(crate) fn read(name: &str, root: &Reader<'_, '_>) -> Result<Self, OverlayError> {
        let mut providers = Vec::new();
        if let Some(tables) = root.table("provider")? {
            for (id, table) in tables.members()? {
                providers.push(ProviderPatch::read(&id, &table)?);
            }
        }
        let mut endpoints: Vec<EndpointPatch> = Vec::new();
        let mut first: BTreeMap<_, usize> = BTreeMap::new();
        for table in root.tables("endpoint")? {
            let patch = EndpointPatch::read(&table)?;
            if let Some(line) = first.insert(patch.id.clone(), table.line()) {
                let (provider, id) = (&patch.id.provider, &patch.id.upstream_model);
                let message = format!("\"{id}\" at {provider} is already in line {line}: merge the two");
                return Err(table.error("id", message));
            }
            endpoints.push(patch);
        }
        Ok(Self { name: name.into(), providers, endpoints })
    }

    /// Whether it says anything.
    pub(crate) fn is_empty(&self) -> bool {
        self.providers.is_empty() && self.endpoints.is_empty()
    }

    /// The file's name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which of its tables it has: `provider.ID` for each, and `endpoint`.
    pub(crate) fn tables(&self) -> Vec<String> {
        let providers = self.providers.iter().map(|patch| format!("provider.{}", patch.id));
        providers.chain((!self.endpoints.is_empty()).then(|| "endpoint".to_owned())).collect()
    }

    /// The endpoints that it says something of, for a consent prompt.
    pub(crate) fn priced(&self) -> Vec<String> {
        self.endpoints.iter().map(|patch| patch.id.to_string()).collect()
    }

    /// The providers that it gives an address for one protocol by name.
    #[must_use]
    pub fn addresses(&self) -> Vec<(ProviderId, Protocol)> {
        let named = self.providers.iter().filter(|patch| patch.base_url.is_some());
        named.filter_map(|patch| Some((patch.id.clone(), patch.protocol?))).collect()
    }

    /// The environment variables and addresses that it sets, for a consent prompt: `(key path, value)` pairs.
    #[must_use]
    pub fn sensitive(&self) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for patch in &self.providers {
            let path = |key: &str| format!("provider.{}.{key}", patch.id);
            found.extend(patch.base_url.iter().map(|url| (path("base_url"), url.clone())));
            found.extend(patch.key_env.iter().flatten().map(|name| (path("key_env"), name.clone())));
        }
        for (at, patch) in self.endpoints.iter().enumerate() {
            found.extend(patch.base_url.iter().map(|url| (format!("endpoint[{at}].base_url"), url.clone())));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_without_a_path_has_no_stray_colon() {
        let error = Overlay::parse("x.toml", "a = [").unwrap_err();
        assert!(error.to_string().starts_with("x.toml:1: "), "{error}");
        assert!(!error.to_string().contains(": : "), "{error}");
    }

    #[test]
    fn what_needs_consent_is_listed() {
        let text =
            "[provider.p]\nprotocol = \"openai-chat\"\nbase_url = \"https://p.example/v1\"\nkey_env = \"P_KEY\"\n";
        let overlay = Overlay::parse("x.toml", text).unwrap();
        let expected = [("provider.p.base_url", "https://p.example/v1"), ("provider.p.key_env", "P_KEY")]
            .map(|(a, b)| (a.into(), b.into()));
        assert_eq!(overlay.sensitive(), expected);
    }
}
