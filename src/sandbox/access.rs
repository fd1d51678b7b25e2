//! Who may ask: each provider's own authentication, checked as the provider checks it.

use std::sync::{Arc, Mutex};

use http::{HeaderMap, Method};
use jiff::Timestamp;

use super::dialect::Failure;
use super::oauth::Google;
use super::sigv4::{self, Arrived, KeyPair};
use super::{AWS_ACCESS_KEY_ID, AWS_REGION, AWS_SECRET_ACCESS_KEY, KEY};
use crate::catalog::{Auth, Protocol};

/// What a client must show to one local provider. Nothing of it is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A key, and how it is carried.
    Key {
        /// The key: [`KEY`].
        key: String,
        /// How: as a bearer token or in a header.
        auth: Auth,
    },
    /// Requests are signed (AWS Signature Version 4) with these; the key alone is taken as a bearer token too.
    Aws {
        /// [`AWS_ACCESS_KEY_ID`].
        access_key_id: String,
        /// [`AWS_SECRET_ACCESS_KEY`].
        secret_access_key: String,
        /// The region that requests are signed for: [`AWS_REGION`].
        region: String,
    },
    /// A bearer token that the provider's own token endpoint gives for this document, a JSON object of the type
    /// `authorized_user` as `gcloud auth application-default login` writes it.
    Google {
        /// The document.
        document: String,
    },
    /// None is needed; a key is ignored.
    NotNeeded,
}

/// How one local provider checks who asks.
#[derive(Debug)]
pub(super) enum Access {
    /// Nobody is turned away.
    Open,
    /// A key in one of these headers; the first is the provider's own way.
    Key(Vec<Auth>),
    /// A signature, or the key as a bearer token.
    Aws,
    /// A token from the provider's own token endpoint, or a signed assertion.
    Google(Arc<Mutex<Google>>),
}

impl Access {
    /// How a provider that carries its credential so checks it, with its token endpoint; `None` where the sandbox cannot.
    pub(super) fn new(protocol: Protocol, auth: &Auth, google: &Arc<Mutex<Google>>) -> Option<Self> {
        let by_header = || Auth::Header("x-api-key".to_owned());
        Some(match auth {
            Auth::Optional => Self::Open,
            Auth::Aws => Self::Aws,
            Auth::Google => Self::Google(Arc::clone(google)),
            // Anthropic's own clients have carried their key in both ways.
            Auth::Bearer if protocol == Protocol::AnthropicMessages => Self::Key(vec![Auth::Bearer, by_header()]),
            Auth::Header(name) if protocol == Protocol::AnthropicMessages && name == "x-api-key" => {
                Self::Key(vec![by_header(), Auth::Bearer])
            }
            Auth::Bearer | Auth::Header(_) => Self::Key(vec![auth.clone()]),
            Auth::Unsupported(_) => return None,
        })
    }

    /// What a client must show to a provider whose token endpoint is at `token_uri`.
    pub(super) fn credential(&self, token_uri: &str) -> Credential {
        match self {
            Self::Open => Credential::NotNeeded,
            Self::Key(ways) => {
                let auth = ways.first().cloned().unwrap_or(Auth::Bearer);
                Credential::Key { key: KEY.to_owned(), auth }
            }
            Self::Aws => Credential::Aws {
                access_key_id: AWS_ACCESS_KEY_ID.to_owned(),
                secret_access_key: AWS_SECRET_ACCESS_KEY.to_owned(),
                region: AWS_REGION.to_owned(),
            },
            Self::Google(_) => Credential::Google { document: super::oauth::authorized_user(token_uri) },
        }
    }

    /// Checks a request; `now` is left out where the sandbox has no clock.
    pub(super) fn check(&self, arrived: Arrived<'_>, now: Option<Timestamp>) -> Result<(), Failure> {
        match self {
            Self::Open => Ok(()),
            Self::Key(ways) => key(ways.iter().find_map(|way| carried(arrived.headers, way))),
            Self::Aws if sigv4::is_signed(arrived.headers) => {
                let pair = KeyPair { id: AWS_ACCESS_KEY_ID, secret: AWS_SECRET_ACCESS_KEY, region: AWS_REGION };
                sigv4::verify(arrived, pair, now)
            }
            Self::Aws => key(carried(arrived.headers, &Auth::Bearer)),
            Self::Google(google) => {
                let token = carried(arrived.headers, &Auth::Bearer).ok_or(Failure::NoKey)?;
                match google.lock() {
                    Ok(google) => google.accepts(&token, now),
                    Err(_) => Err(Failure::Server),
                }
            }
        }
    }

    /// The token endpoint, where the provider has one and this is a request to it.
    pub(super) fn token_endpoint(&self, method: &Method, path: &str) -> Option<&Arc<Mutex<Google>>> {
        match self {
            Self::Google(google) if method == Method::POST && path == "/token" => Some(google),
            _ => None,
        }
    }
}

fn key(shown: Option<String>) -> Result<(), Failure> {
    match shown.as_deref() {
        Some(KEY) => Ok(()),
        Some(_) => Err(Failure::WrongKey),
        None => Err(Failure::NoKey),
    }
}

/// What a request shows in this way; `None` where it shows nothing.
fn carried(headers: &HeaderMap, way: &Auth) -> Option<String> {
    let name = match way {
        Auth::Header(name) => name.as_str(),
        _ => "authorization",
    };
    let value = headers.get(name)?.to_str().ok()?.trim();
    let shown = if name == "authorization" { value.strip_prefix("Bearer ")?.trim() } else { value };
    (!shown.is_empty()).then(|| shown.to_owned())
}
