//! Credentials and addresses from settings that are passed in: which key, where from, carried how. Nothing here reads
//! the environment; `cli` hands over a snapshot of it.

use std::collections::BTreeMap;
use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use http::header::{AUTHORIZATION, HeaderName, HeaderValue};

use crate::catalog::{Auth, Protocol, Provider, ProviderId};

/// A key. It cannot be printed, and is sent nowhere but to its own provider.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a key.
    #[must_use]
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into())
    }

    /// The first 8 hex digits of a salted hash: tells keys apart in the store without giving one away.
    #[must_use]
    pub fn fingerprint(&self, salt: &[u8; 16]) -> String {
        let Ok(mut mac) = Hmac::<sha2::Sha256>::new_from_slice(salt) else { return String::new() };
        mac.update(self.0.as_bytes());
        mac.finalize().into_bytes().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
    }

    /// How it ends, for a message that must say which key it was: the last four characters of a long key.
    #[must_use]
    pub fn ending(&self) -> Option<&str> {
        let start = self.0.char_indices().rev().nth(3).map(|(at, _)| at)?;
        (self.0.len() >= 16).then(|| &self.0[start..])
    }

    /// Replaces the key wherever it occurs in a text, and its beginning where the text was cut within it.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        const SHORTEST: usize = 6;
        if self.0.len() < SHORTEST {
            return text.to_owned();
        }
        let text = text.replace(&self.0, "[redacted]");
        let body = text.trim_end_matches('…');
        let beginnings = (SHORTEST..self.0.len()).rev().filter_map(|end| self.0.get(..end));
        match beginnings.into_iter().find_map(|beginning| body.strip_suffix(beginning)) {
            Some(rest) => format!("{rest}[redacted]"),
            None => text,
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([redacted])")
    }
}

/// A snapshot of the environment: names to values, empty values left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vars(BTreeMap<String, Secret>);

impl Vars {
    /// From pairs; an empty value counts as unset.
    #[must_use]
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(
            pairs
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| (name, Secret(value)))
                .collect(),
        )
    }

    /// A variable that holds a secret.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<&Secret> {
        self.0.get(name)
    }

    /// A variable that holds none, such as an address or a region.
    #[must_use]
    pub fn plain(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.0.as_str())
    }

    /// The names of all variables.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

/// What was found for a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// A key, and the name of the variable that held it.
    Key {
        /// The variable.
        source: String,
        /// The key.
        secret: Secret,
        /// How it is carried: a key from the provider's `alt_bearer` variables goes as a bearer token.
        auth: Auth,
    },
    /// None is needed, and none is set.
    NotNeeded,
    /// None of these variables is set.
    Missing {
        /// The variables that were looked at, in order.
        looked_in: Vec<String>,
    },
}

/// The roles of environment variables that hold a key, in the order in which they are tried.
const KEY_ROLES: [&str; 3] = ["key", "bearer", "alt_bearer"];

/// Looks for a provider's key: the first variable that is set wins.
#[must_use]
pub fn find_key(provider: &Provider, auth: &Auth, vars: &Vars) -> Found {
    let mut looked_in = Vec::new();
    for role in KEY_ROLES {
        for name in provider.env_names(role) {
            if let Some(secret) = vars.secret(name) {
                let auth = if role == "alt_bearer" || *auth == Auth::Optional { Auth::Bearer } else { auth.clone() };
                return Found::Key { source: name.clone(), secret: secret.clone(), auth };
            }
            looked_in.push(name.clone());
        }
    }
    if *auth == Auth::Optional { Found::NotNeeded } else { Found::Missing { looked_in } }
}

/// Why a credential cannot be put on a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The key holds characters that no header can carry.
    #[error("the key from {0} holds characters that a header cannot carry")]
    NotAHeader(String),
    /// This version cannot do the scheme.
    #[error("this version cannot sign in with {0}")]
    Unsupported(String),
}

/// Puts a key on a request.
///
/// # Errors
/// The key cannot be carried in a header, or the scheme is not built.
pub fn sign(request: &mut http::Request<bytes::Bytes>, found: &Found) -> Result<(), AuthError> {
    let Found::Key { source, secret, auth } = found else { return Ok(()) };
    let (name, text) = match auth {
        Auth::Bearer | Auth::Optional => (AUTHORIZATION, format!("Bearer {}", secret.0)),
        Auth::Header(name) => {
            let name = HeaderName::try_from(name.as_str()).map_err(|_| AuthError::NotAHeader(source.clone()))?;
            (name, secret.0.clone())
        }
        Auth::Unsupported(scheme) => return Err(AuthError::Unsupported(scheme.clone())),
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| AuthError::NotAHeader(source.clone()))?;
    value.set_sensitive(true);
    request.headers_mut().insert(name, value);
    Ok(())
}

/// An address with its variables filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// Where to call, without a trailing slash, and the variable that set it, where one did.
    Known {
        /// The base URL.
        url: String,
        /// The variable that overrides the catalog's address.
        overridden_by: Option<String>,
    },
    /// Variables that the address needs are not set.
    Missing(Vec<String>),
}

/// Fills in a base URL: an override from the environment wins, then `{VARIABLE}` placeholders are replaced.
#[must_use]
pub fn address(provider: &Provider, protocol: Protocol, template: &str, vars: &Vars) -> Address {
    if let Some((name, value)) = base_override(provider, vars) {
        return Address::Known { url: overridden(protocol, value), overridden_by: Some(name) };
    }
    let mut url = String::new();
    let mut missing = Vec::new();
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, tail)) = after.split_once('}') else { break };
        url.push_str(before);
        match setting(provider, name, vars) {
            Some(value) => url.push_str(value),
            None if missing.iter().any(|known| known == name) => {}
            None => missing.push(name.to_owned()),
        }
        rest = tail;
    }
    url.push_str(rest);
    if missing.is_empty() {
        Address::Known { url: url.trim_end_matches('/').to_owned(), overridden_by: None }
    } else {
        Address::Missing(missing)
    }
}

/// The value of a placeholder: the variable of that name, or another of the same role.
fn setting<'a>(provider: &Provider, name: &str, vars: &'a Vars) -> Option<&'a str> {
    let role = provider.env.values().find(|names| names.iter().any(|known| known == name));
    let alternatives = role.map_or(&[][..], Vec::as_slice).iter().map(String::as_str);
    std::iter::once(name).chain(alternatives).find_map(|name| vars.plain(name))
}

/// `ANTHROPIC_BASE_URL`, `OPENAI_BASE_URL`, and so on for every provider: the catalog's `base` variables, then the
/// provider's id in upper case with `_BASE_URL`.
fn base_override<'a>(provider: &Provider, vars: &'a Vars) -> Option<(String, &'a str)> {
    let names = provider.env_names("base").iter().cloned().chain([base_variable(&provider.id)]);
    names.into_iter().find_map(|name| vars.plain(&name).map(|value| (name, value)))
}

/// The variable that says where any provider is reached: its id in upper case with `_BASE_URL`.
#[must_use]
pub fn base_variable(provider: &ProviderId) -> String {
    let upper = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    let name: String = provider.as_str().chars().map(upper).collect();
    // No shell can export a name that begins with a digit.
    let digit = name.starts_with(|c: char| c.is_ascii_digit());
    format!("{}{name}_BASE_URL", if digit { "P" } else { "" })
}

/// Whether the environment says where a provider is reached.
#[must_use]
pub fn is_overridden(provider: &Provider, vars: &Vars) -> bool {
    base_override(provider, vars).is_some()
}

/// An override as its SDK means it: Anthropic's leaves out `/v1`, Ollama's may be a bare `host:port`.
fn overridden(protocol: Protocol, value: &str) -> String {
    let value = value.trim_end_matches('/');
    let bare = !value.contains("://");
    let url = if bare { format!("http://{value}") } else { value.to_owned() };
    let needs_version = bare || protocol == Protocol::AnthropicMessages;
    if needs_version && !url.ends_with("/v1") { format!("{url}/v1") } else { url }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{OutputLimitField, ProviderKind};

    fn provider(env: &[(&str, &[&str])]) -> Provider {
        Provider {
            id: ProviderId::new("amazon-bedrock"),
            name: "Amazon Bedrock".into(),
            kind: ProviderKind::Cloud,
            protocols: Vec::new(),
            env: env
                .iter()
                .map(|(role, names)| ((*role).into(), names.iter().map(|n| (*n).into()).collect()))
                .collect(),
            headers: BTreeMap::new(),
            models_url: None,
            doc: None,
            output_limit: OutputLimitField::MaxTokens,
            hides_reasoning: false,
            tiers_inclusive: false,
            quirks: BTreeMap::new(),
        }
    }

    fn vars(pairs: &[(&str, &str)]) -> Vars {
        Vars::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    #[test]
    fn a_secret_cannot_be_printed() {
        let secret = Secret::new("sk-canary-0123456789");
        assert!(!format!("{secret:?} {:?}", vars(&[("K", "sk-canary-0123456789")])).contains("canary"));
        assert_eq!(secret.ending(), Some("6789"));
        assert_eq!(Secret::new("short").ending(), None);
        assert_eq!(secret.redact("no sk-canary-0123456789 here"), "no [redacted] here");
        assert_ne!(secret.fingerprint(&[1; 16]), secret.fingerprint(&[2; 16]));
        assert_eq!(secret.fingerprint(&[1; 16]).len(), 8);
    }

    #[test]
    fn the_first_variable_that_is_set_wins_and_an_empty_one_is_unset() {
        let provider = provider(&[("key", &["A_KEY", "B_KEY"]), ("alt_bearer", &["C_TOKEN"])]);
        let header = Auth::Header("x-api-key".into());
        let found = find_key(&provider, &header, &vars(&[("A_KEY", ""), ("B_KEY", "b"), ("C_TOKEN", "c")]));
        assert!(matches!(found, Found::Key { source, auth: Auth::Header(_), .. } if source == "B_KEY"));
        let found = find_key(&provider, &header, &vars(&[("C_TOKEN", "c")]));
        assert!(matches!(found, Found::Key { auth: Auth::Bearer, .. }));
        let found = find_key(&provider, &header, &vars(&[]));
        assert_eq!(found, Found::Missing { looked_in: vec!["A_KEY".into(), "B_KEY".into(), "C_TOKEN".into()] });
    }

    #[test]
    fn placeholders_are_filled_by_any_variable_of_their_role_and_never_guessed() {
        let provider = provider(&[("region", &["AWS_REGION", "AWS_DEFAULT_REGION"])]);
        let template = "https://bedrock-runtime.{AWS_REGION}.amazonaws.com/";
        let known =
            address(&provider, Protocol::BedrockConverse, template, &vars(&[("AWS_DEFAULT_REGION", "eu-west-1")]));
        let url = "https://bedrock-runtime.eu-west-1.amazonaws.com".to_owned();
        assert_eq!(known, Address::Known { url, overridden_by: None });
        let missing = address(&provider, Protocol::BedrockConverse, template, &vars(&[]));
        assert_eq!(missing, Address::Missing(vec!["AWS_REGION".into()]));
    }

    #[test]
    fn overrides_follow_the_convention_of_their_sdk() {
        assert_eq!(overridden(Protocol::AnthropicMessages, "http://127.0.0.1:1/"), "http://127.0.0.1:1/v1");
        assert_eq!(overridden(Protocol::AnthropicMessages, "http://127.0.0.1:1/v1"), "http://127.0.0.1:1/v1");
        assert_eq!(overridden(Protocol::OpenaiChat, "http://127.0.0.1:1/v1/"), "http://127.0.0.1:1/v1");
        assert_eq!(overridden(Protocol::OpenaiChat, "127.0.0.1:11434"), "http://127.0.0.1:11434/v1");
    }
}
