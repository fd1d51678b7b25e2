//! AWS's own chain of credentials, asked when a request is about to be signed.
//!
//! `aws-config` looks in this order: `AWS_ACCESS_KEY_ID` and its companions, the profile of `~/.aws/config` and
//! `~/.aws/credentials` (static keys, assumed roles, IAM Identity Center, `credential_process`), a web identity token, the
//! container's credentials, the instance's role. It is given our snapshot of the environment. Not from the snapshot come:
//! the files that it reads; the environment of a `credential_process`, which is the process's own, and which runs on
//! where it exceeds the limit; the proxy that requests of the chain go through; and the clock that expiry times are compared
//! with.

use std::time::{Duration, UNIX_EPOCH};

use aws_config::{BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_types::os_shim_internal::Env;
use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::Mutex;

use super::address::{REGION, region};
use super::error::words;
use super::{AuthError, Secret, Vars, sigv4};

/// What Bedrock's addresses are called in a signature, whatever their host is.
const SERVICE: &str = "bedrock";

/// Temporary credentials are replaced when less than this is left of them, in seconds.
const MARGIN: i64 = 60;

/// The chain, and the credentials that it gave last. One request at a time asks it.
#[derive(Default)]
pub(super) struct Chain {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    provider: Option<SharedCredentialsProvider>,
    credentials: Option<Credentials>,
}

impl Chain {
    /// Signs a request with the chain's credentials, and gives the secrets that the request shows.
    ///
    /// # Errors
    /// There is no region, the chain gives nothing within `limit`, or the request cannot be signed.
    pub(super) async fn sign(
        &self,
        request: &mut http::Request<Bytes>,
        vars: &Vars,
        now: Timestamp,
        limit: Duration,
    ) -> Result<Vec<Secret>, AuthError> {
        let region = region(&request.uri().to_string(), vars).ok_or(AuthError::MissingRegion)?.to_owned();
        let credentials = self.credentials(vars, &region, now, limit).await?;
        sigv4::sign(request, &credentials, &region, SERVICE, now)?;
        let mut shown = vec![Secret::new(credentials.access_key_id())];
        shown.extend(credentials.session_token().map(Secret::new));
        Ok(shown)
    }

    async fn credentials(
        &self,
        vars: &Vars,
        region: &str,
        now: Timestamp,
        limit: Duration,
    ) -> Result<Credentials, AuthError> {
        let asking = async {
            let mut held = self.held.lock().await;
            if let Some(credentials) = held.credentials.as_ref().filter(|known| lasts(known, now, MARGIN)) {
                return Ok(credentials.clone());
            }
            let provider = match held.provider.clone() {
                Some(provider) => provider,
                None => held.provider.insert(chain(vars, region).await?).clone(),
            };
            match provider.provide_credentials().await {
                Ok(fresh) => Ok(held.credentials.insert(fresh).clone()),
                // What is about to expire still holds.
                Err(error) => match held.credentials.as_ref().filter(|known| lasts(known, now, 0)) {
                    Some(credentials) => Ok(credentials.clone()),
                    None => Err(refused(&error, vars)),
                },
            }
        };
        let timed_out = AuthError::TimedOut { what: "AWS's chain".to_owned(), limit };
        tokio::time::timeout(limit, asking).await.unwrap_or(Err(timed_out))
    }
}

/// The default chain over our snapshot of the environment.
async fn chain(vars: &Vars, region: &str) -> Result<SharedCredentialsProvider, AuthError> {
    let env = Env::from_slice(&vars.pairs().collect::<Vec<_>>());
    let region = REGION.iter().find_map(|name| vars.plain(name)).unwrap_or(region).to_owned();
    let config = aws_config::defaults(BehaviorVersion::latest()).env(env).region(Region::new(region)).load().await;
    config.credentials_provider().ok_or_else(|| AuthError::Unsupported("AWS credentials".to_owned()))
}

/// Whether credentials are good for so many seconds more.
fn lasts(credentials: &Credentials, now: Timestamp, seconds: i64) -> bool {
    let Some(expiry) = credentials.expiry() else { return true };
    let expiry = expiry.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    i64::try_from(expiry).is_ok_and(|expiry| expiry.saturating_sub(seconds) > now.as_second())
}

fn refused(error: &CredentialsError, vars: &Vars) -> AuthError {
    let secrets =
        ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN"];
    let known = secrets.into_iter().filter_map(|name| vars.secret(name));
    let reason = known.fold(words(error), |text, secret| secret.redact(&text));
    let named = vars.plain("AWS_PROFILE");
    let profile = named.map(|name| format!(" --profile {name}")).unwrap_or_default();
    // What is asked last is the instance's metadata, which says nothing of the profile that was meant.
    if let Some(name) = named.filter(|_| is_of_instance(error)) {
        let reason = format!("the profile \"{name}\" is not there, or leads to none");
        return AuthError::Refused { cloud: "AWS", reason, fix: format!("aws sts get-caller-identity{profile}") };
    }
    match error {
        CredentialsError::ProviderTimedOut(details) => {
            return AuthError::TimedOut { what: "AWS's chain".to_owned(), limit: details.timeout_duration() };
        }
        _ if is_unreachable(error) => return AuthError::Unreachable { cloud: "AWS", reason },
        _ => {}
    }
    let sso = reason.to_ascii_lowercase().contains("sso");
    let fix = if sso { "aws sso login" } else { "aws sts get-caller-identity" };
    let reason = match error {
        CredentialsError::CredentialsNotLoaded(_) => match named {
            Some(name) => format!("the profile \"{name}\" is not there, or leads to none"),
            None => "no key, profile, token or role was found".to_owned(),
        },
        _ => reason,
    };
    AuthError::Refused { cloud: "AWS", reason, fix: format!("{fix}{profile}") }
}

/// Whether it was the instance's metadata service that had nothing, which only its types tell.
fn is_of_instance(error: &CredentialsError) -> bool {
    format!("{error:?}").to_ascii_lowercase().contains("imds")
}

/// Whether a request of the chain's got no answer.
fn is_unreachable(error: &CredentialsError) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if error.to_string() == "dispatch failure" {
            return true;
        }
        next = error.source();
    }
    false
}
