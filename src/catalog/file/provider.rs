//! The `[provider.ID]` tables of an overlay.

use std::collections::BTreeMap;

use super::reader::{Place, Reader};
use super::record::{auth_named, default_auth, is_header, output_limit_named};
use super::{OverlayError, checks};
use crate::catalog::{
    Auth, CancelBilling, OutputLimitField, Prefill, Protocol, Provider, ProviderId, ProviderKind, ProviderProtocol,
};

const KEYS: [&str; 12] = [
    "protocol",
    "base_url",
    "key_env",
    "name",
    "kind",
    "headers",
    "auth",
    "output_limit",
    "hides_reasoning",
    "replays_reasoning",
    "prefill",
    "bills_on_cancel",
];

/// What an overlay says about a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct ProviderPatch {
    pub(in super::super) id: ProviderId,
    pub(super) base_url: Option<String>,
    pub(super) key_env: Option<Vec<String>>,
    pub(super) protocol: Option<Protocol>,
    name: Option<String>,
    kind: Option<ProviderKind>,
    headers: Option<BTreeMap<String, String>>,
    auth: Option<Auth>,
    output_limit: Option<OutputLimitField>,
    hides_reasoning: Option<bool>,
    replays_reasoning: Option<bool>,
    prefill: Option<Prefill>,
    bills_on_cancel: Option<CancelBilling>,
    place: Place,
}

impl ProviderPatch {
    /// Reads one table.
    pub(super) fn read(id: &str, table: &Reader<'_, '_>) -> Result<Self, OverlayError> {
        let place = table.place();
        if !checks::is_slug(id) {
            return Err(table.error("", "a provider's id is lower-case letters, digits, \".\", \"_\" and \"-\""));
        }
        table.known(&KEYS)?;
        let key_env = table.list("key_env")?;
        if key_env.iter().flatten().any(|name| !checks::is_env_name(name)) {
            // What stands there may be a key: it is not repeated.
            let message = "should name an environment variable (A-Z, 0-9, _); a key itself does not belong in a file";
            return Err(table.error("key_env", message));
        }
        let kinds = ProviderKind::ALL.map(ProviderKind::name);
        let name = table.text("name")?;
        if name.as_ref().is_some_and(|name| name.contains(checks::is_hidden)) {
            return Err(table.error("name", "has a sign in it that cannot be seen"));
        }
        Ok(Self {
            id: ProviderId::new(id),
            base_url: read_base_url(table)?,
            key_env,
            protocol: read_protocol(table)?,
            name,
            kind: table.word("kind", &kinds, ProviderKind::parse)?,
            headers: read_headers(table)?,
            auth: table.word("auth", &["bearer", "none", "header:NAME"], |text| {
                auth_named(text).filter(|auth| !matches!(auth, Auth::Unsupported(_)))
            })?,
            output_limit: table.word("output_limit", &["max_tokens", "max_completion_tokens"], output_limit_named)?,
            hides_reasoning: table.flag("hides_reasoning")?,
            replays_reasoning: table.flag("replays_reasoning")?,
            prefill: table.word("prefill", &Prefill::ALL.map(Prefill::name), Prefill::parse)?,
            bills_on_cancel: table.word(
                "bills_on_cancel",
                &CancelBilling::ALL.map(CancelBilling::name),
                CancelBilling::parse,
            )?,
            place,
        })
    }

    /// The provider with this laid over it, field by field, or a new one.
    pub(in super::super) fn apply(&self, base: Option<Provider>) -> Result<Provider, OverlayError> {
        let mut provider = match base {
            Some(base) => base,
            None => self.fresh()?,
        };
        if let Some(names) = &self.key_env {
            provider.env.insert("key".into(), names.clone());
        }
        self.apply_protocol(&mut provider)?;
        if let Some(name) = &self.name {
            provider.name.clone_from(name);
        }
        if let Some(headers) = &self.headers {
            provider.headers.extend(headers.clone());
        }
        provider.kind = self.kind.unwrap_or(provider.kind);
        provider.output_limit = self.output_limit.unwrap_or(provider.output_limit);
        provider.hides_reasoning = self.hides_reasoning.unwrap_or(provider.hides_reasoning);
        provider.quirks.replays_reasoning = self.replays_reasoning.unwrap_or(provider.quirks.replays_reasoning);
        if let Some(prefill) = self.prefill {
            provider.quirks.prefill = prefill;
            provider.quirks.prefill_protocol = None;
            provider.quirks.prefill_models = Vec::new();
        }
        provider.quirks.bills_on_cancel = self.bills_on_cancel.unwrap_or(provider.quirks.bills_on_cancel);
        Ok(provider)
    }

    fn fresh(&self) -> Result<Provider, OverlayError> {
        let missing = |key: &str| self.place.missing(key, format!("is missing: \"{}\" is a new provider", self.id));
        let base_url = self.base_url.as_deref().ok_or_else(|| missing("base_url"))?;
        self.protocol.ok_or_else(|| missing("protocol"))?;
        let local = checks::is_loopback(base_url);
        Ok(Provider::new(self.id.clone(), if local { ProviderKind::Local } else { ProviderKind::Host }))
    }

    /// Sets the address and the credential of one protocol; a new protocol is preferred over those that were there.
    fn apply_protocol(&self, provider: &mut Provider) -> Result<(), OverlayError> {
        if self.protocol.is_none() && self.base_url.is_none() && self.auth.is_none() {
            return Ok(());
        }
        let at = match (self.protocol, provider.protocols.len()) {
            (Some(protocol), _) => provider.protocols.iter().position(|entry| entry.protocol == protocol),
            (None, 1) => Some(0),
            (None, _) => {
                let spoken: Vec<_> = provider.protocols.iter().map(|entry| entry.protocol.name()).collect();
                let message = format!("is missing: \"{}\" speaks {}; say which is meant", self.id, spoken.join(", "));
                return Err(self.place.error("protocol", message));
            }
        };
        if self.base_url.is_some() {
            // The catalog's list is elsewhere, and is not to see a key that is meant for this address.
            provider.models_url = None;
        }
        let has_key = !provider.env_names("key").is_empty();
        if !has_key && matches!(self.auth, Some(Auth::Bearer | Auth::Header(_))) {
            return Err(self.place.error("auth", "needs key_env: the name of the variable that holds the key"));
        }
        match at.and_then(|at| provider.protocols.get_mut(at)) {
            Some(entry) => {
                if let Some(url) = &self.base_url {
                    entry.base_url.clone_from(url);
                }
                if let Some(auth) = &self.auth {
                    entry.auth = auth.clone();
                }
            }
            None => {
                let protocol = self.protocol.unwrap_or(Protocol::OpenaiChat);
                let Some(base_url) = self.base_url.clone() else {
                    let message = format!("is missing: \"{}\" has no address for {}", self.id, protocol.name());
                    return Err(self.place.error("base_url", message));
                };
                let usual = if has_key { default_auth(protocol) } else { Auth::Optional };
                let auth = self.auth.clone().unwrap_or(usual);
                provider.protocols.insert(0, ProviderProtocol { protocol, base_url, auth });
            }
        }
        Ok(())
    }
}

/// The `base_url` key, without trailing slashes.
pub(super) fn read_base_url(table: &Reader<'_, '_>) -> Result<Option<String>, OverlayError> {
    let Some(url) = table.text("base_url")? else { return Ok(None) };
    let url = url.trim_end_matches('/');
    checks::base_url(url).map_err(|problem| table.error("base_url", problem))?;
    Ok(Some(url.to_owned()))
}

/// The `protocol` key.
pub(super) fn read_protocol(table: &Reader<'_, '_>) -> Result<Option<Protocol>, OverlayError> {
    table.word("protocol", &Protocol::ALL.map(Protocol::name), Protocol::parse)
}

fn read_headers(table: &Reader<'_, '_>) -> Result<Option<BTreeMap<String, String>>, OverlayError> {
    let Some(headers) = table.table("headers")? else { return Ok(None) };
    let mut found = BTreeMap::new();
    for key in headers.keys() {
        let name = key.to_ascii_lowercase();
        if !is_header(&name) {
            return Err(headers.error(&key, "is not the name of a header"));
        }
        if matches!(name.as_str(), "authorization" | "x-api-key" | "api-key" | "x-goog-api-key" | "cookie") {
            return Err(headers.error(&key, "a key does not belong in this file: use key_env and auth"));
        }
        let value = headers.text(&key)?.unwrap_or_default();
        if !value.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(headers.error(&key, "should be printable ASCII"));
        }
        found.insert(name, value);
    }
    Ok(Some(found))
}
