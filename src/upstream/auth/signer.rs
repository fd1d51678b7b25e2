//! Obtains a credential and puts it on a request.

use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use jiff::Timestamp;

use super::{Found, Lazy, Secret};
use crate::catalog::Auth;
use crate::observe::ErrorClass;

/// Why a credential cannot be obtained, or not be put on a request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The key holds characters that no header can carry.
    #[error("the key from {0} holds characters that a header cannot carry")]
    NotAHeader(String),
    /// This version cannot do the scheme.
    #[error("this version cannot sign in with {0}")]
    Unsupported(String),
}

impl AuthError {
    /// The class of a failure before anything was sent.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        ErrorClass::Auth
    }
}

/// Obtains credentials and puts them on requests. What was obtained is kept for the life of this value, and refreshed
/// before it runs out.
#[derive(Debug, Default)]
pub struct Signer {}

impl Signer {
    /// Puts the credential on a request, last of all: the body and all other headers are signed as they are. Gives the
    /// secrets that went out, for redaction.
    ///
    /// # Errors
    /// None can be obtained, or it cannot be carried.
    pub async fn sign(
        &self,
        request: &mut http::Request<bytes::Bytes>,
        found: &Found,
        now: Timestamp,
    ) -> Result<Vec<Secret>, AuthError> {
        let _ = now;
        match found {
            Found::Key { source, secret, auth } => {
                carry(request, source, secret, auth)?;
                Ok(vec![secret.clone()])
            }
            Found::Lazy { lazy, .. } => Err(AuthError::Unsupported(match lazy {
                Lazy::Command { .. } => "a command".to_owned(),
                Lazy::Aws => "AWS credentials".to_owned(),
                Lazy::Google | Lazy::GoogleDocument(_) => "Google credentials".to_owned(),
            })),
            Found::NotNeeded | Found::Missing { .. } => Ok(Vec::new()),
        }
    }
}

/// Puts a key into its header.
fn carry(
    request: &mut http::Request<bytes::Bytes>,
    source: &str,
    secret: &Secret,
    auth: &Auth,
) -> Result<(), AuthError> {
    let (name, text) = match auth {
        Auth::Bearer | Auth::Optional | Auth::Aws | Auth::Google => (AUTHORIZATION, format!("Bearer {}", secret.0)),
        Auth::Header(name) => {
            let name = HeaderName::try_from(name.as_str()).map_err(|_| AuthError::NotAHeader(source.to_owned()))?;
            (name, secret.0.clone())
        }
        Auth::Unsupported(scheme) => return Err(AuthError::Unsupported(scheme.clone())),
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| AuthError::NotAHeader(source.to_owned()))?;
    value.set_sensitive(true);
    request.headers_mut().insert(name, value);
    Ok(())
}
