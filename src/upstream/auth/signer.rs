//! Obtains a credential and puts it on a request.

use std::fmt;
use std::time::Duration;

use http::header::{AUTHORIZATION, HeaderName, HeaderValue};
use jiff::Timestamp;

use super::command::Commands;
use super::{AuthError, Found, Lazy, Secret, Vars};
use crate::catalog::Auth;

/// How long obtaining one credential may take.
const LIMIT: Duration = Duration::from_secs(10);

/// Obtains credentials and puts them on requests. What was obtained is kept for the life of this value, and refreshed
/// before it runs out; nothing is obtained for a provider that is not about to be called.
pub struct Signer {
    #[cfg_attr(not(any(feature = "bedrock", feature = "vertex")), expect(dead_code, reason = "the clouds read it"))]
    vars: Vars,
    limit: Duration,
    commands: Commands,
    #[cfg(feature = "bedrock")]
    aws: super::aws::Chain,
    #[cfg(feature = "vertex")]
    google: super::google::Tokens,
}

impl Default for Signer {
    fn default() -> Self {
        Self::new(Vars::default())
    }
}

impl fmt::Debug for Signer {
    /// Says nothing of what it holds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl Signer {
    /// A signer over a snapshot of the environment, which the clouds' chains read. Costs nothing: it asks nobody yet.
    #[must_use]
    pub fn new(vars: Vars) -> Self {
        Self {
            vars,
            limit: LIMIT,
            commands: Commands::default(),
            #[cfg(feature = "bedrock")]
            aws: super::aws::Chain::default(),
            #[cfg(feature = "vertex")]
            google: super::google::Tokens::default(),
        }
    }

    /// The same with another limit for obtaining one credential, in place of ten seconds.
    #[must_use]
    pub fn with_limit(self, limit: Duration) -> Self {
        Self { limit, ..self }
    }

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
        match found {
            Found::Key { source, secret, auth } => {
                carry(request, source, secret, auth)?;
                Ok(vec![secret.clone()])
            }
            // Logging in is large, and most keys are at hand.
            Found::Lazy { source, lazy } => Box::pin(self.obtain(request, source, lazy, now)).await,
            Found::NotNeeded | Found::Missing { .. } => Ok(Vec::new()),
        }
    }

    async fn obtain(
        &self,
        request: &mut http::Request<bytes::Bytes>,
        source: &str,
        lazy: &Lazy,
        now: Timestamp,
    ) -> Result<Vec<Secret>, AuthError> {
        if let Some(what) = lazy.unsupported() {
            return Err(AuthError::Unsupported(what.to_owned()));
        }
        match lazy {
            Lazy::Command { argv, auth } => {
                let secret = self.commands.key(argv, self.limit).await?;
                carry(request, source, &secret, auth)?;
                Ok(vec![secret])
            }
            #[cfg(feature = "bedrock")]
            Lazy::Aws => self.aws.sign(request, &self.vars, now, self.limit).await,
            #[cfg(feature = "vertex")]
            Lazy::Google => self.google.sign(request, None, &self.vars, self.limit).await,
            #[cfg(feature = "vertex")]
            Lazy::GoogleDocument(document) => self.google.sign(request, Some(document), &self.vars, self.limit).await,
            #[cfg(not(all(feature = "bedrock", feature = "vertex")))]
            _ => {
                let _ = now;
                Err(AuthError::Unsupported(source.to_owned()))
            }
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
