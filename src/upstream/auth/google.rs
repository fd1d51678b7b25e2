//! Tokens of Google's application default credentials, asked for when a request is about to go out.
//!
//! `google-cloud-auth` keeps and refreshes them. What it does by the kind of credential: a *service account* signs a token
//! of its own (an RS256 JWT with the scope, which Google's services take in place of an access token), so that no token
//! server is asked and the key file's `token_uri` plays no part; an *authorised user* and an *external account* exchange
//! what they have at the `token_uri` or `token_url` of the document; the *metadata server* is asked at
//! `GCE_METADATA_HOST`.
//!
//! A document that was read for us is all that is used of the machine. Without one the library looks where Google's
//! libraries look, and reads the process's environment and files itself (`GOOGLE_APPLICATION_CREDENTIALS`, gcloud's file,
//! `GCE_METADATA_HOST`), as it does for the subject of an external account (`AWS_*`, a file, an executable). Its requests
//! go through the proxy of the process's environment.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use google_cloud_auth::build_errors::Error as BuildError;
use google_cloud_auth::credentials::{
    AccessTokenCredentials, Builder, CacheableResource, CredentialsProvider, external_account, impersonated,
    service_account, user_account,
};
use google_cloud_auth::errors::CredentialsError;
use http::header::AUTHORIZATION;
use serde_json::Value;

use super::error::{one_line, words};
use super::{AuthError, Secret, Vars};

/// What a token is good for.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";

const FIX: &str = "gcloud auth application-default login";

/// The credentials in use, by their document; `None` is what the library finds by itself.
#[derive(Default)]
pub(super) struct Tokens {
    held: Mutex<Vec<(Option<Secret>, AccessTokenCredentials)>>,
}

impl Tokens {
    /// Puts a token on a request, with the project that pays where the credential names one, and gives the token.
    ///
    /// # Errors
    /// The document is unusable, or no token comes within `limit`.
    pub(super) async fn sign(
        &self,
        request: &mut http::Request<Bytes>,
        document: Option<&Secret>,
        vars: &Vars,
        limit: Duration,
    ) -> Result<Vec<Secret>, AuthError> {
        let credentials = self.credentials(document, vars)?;
        let asking = credentials.headers(http::Extensions::new());
        let result = match tokio::time::timeout(limit, asking).await {
            Ok(Ok(CacheableResource::New { data, .. })) => Ok(data),
            Ok(Ok(CacheableResource::NotModified)) => {
                Err(AuthError::Refused { cloud: "Google", reason: "no token".to_owned(), fix: FIX.to_owned() })
            }
            Ok(Err(error)) => Err(refused(&error, document)),
            Err(_) => Err(AuthError::TimedOut { what: "Google's chain".to_owned(), limit }),
        };
        let headers = match result {
            Ok(headers) => headers,
            Err(error) => {
                // The library keeps a final failure for good; the next request begins anew.
                self.lock().retain(|(known, _)| known.as_ref() != document);
                return Err(error);
            }
        };
        let mut shown = Vec::new();
        for (name, value) in &headers {
            let mut value = value.clone();
            if name == AUTHORIZATION {
                value.set_sensitive(true);
                let text = value.to_str().unwrap_or_default();
                shown.push(Secret::new(text.strip_prefix("Bearer ").unwrap_or(text)));
            }
            request.headers_mut().insert(name.clone(), value);
        }
        Ok(shown)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(Option<Secret>, AccessTokenCredentials)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn credentials(&self, document: Option<&Secret>, vars: &Vars) -> Result<AccessTokenCredentials, AuthError> {
        let mut held = self.lock();
        if let Some((_, credentials)) = held.iter().find(|(known, _)| known.as_ref() == document) {
            return Ok(credentials.clone());
        }
        let built = match document {
            None => Builder::default().with_scopes([SCOPE]).build_access_token_credentials(),
            Some(document) => of_document(document, vars.plain("GOOGLE_CLOUD_QUOTA_PROJECT"))?,
        };
        let credentials = built.map_err(|error| unusable(document, &one_line(&error.to_string())))?;
        held.push((document.cloned(), credentials.clone()));
        Ok(credentials)
    }
}

/// The credentials of a document, by its `type`.
fn of_document(
    document: &Secret,
    quota_project: Option<&str>,
) -> Result<Result<AccessTokenCredentials, BuildError>, AuthError> {
    // A message of the parser's could quote what it read.
    let json: Value =
        serde_json::from_str(&document.0).map_err(|_| unusable(None, "the credential's document is not JSON"))?;
    macro_rules! build {
        ($builder:expr) => {
            match quota_project {
                Some(project) => $builder.with_quota_project_id(project).build_access_token_credentials(),
                None => $builder.build_access_token_credentials(),
            }
        };
    }
    let kind = json.get("type").and_then(Value::as_str).unwrap_or("none").to_owned();
    let scopes = service_account::AccessSpecifier::from_scopes([SCOPE]);
    Ok(match kind.as_str() {
        "service_account" => build!(service_account::Builder::new(json).with_access_specifier(scopes)),
        // The scopes are those of the log-in.
        "authorized_user" => build!(user_account::Builder::new(json)),
        "external_account" => build!(external_account::Builder::new(json).with_scopes([SCOPE])),
        "impersonated_service_account" => build!(impersonated::Builder::new(json).with_scopes([SCOPE])),
        other => {
            let reason = one_line(&format!("credentials of the type \"{other}\" cannot be used"));
            return Err(unusable(None, &reason));
        }
    })
}

fn unusable(document: Option<&Secret>, reason: &str) -> AuthError {
    AuthError::Refused { cloud: "Google", reason: redacted(reason, document), fix: FIX.to_owned() }
}

fn refused(error: &CredentialsError, document: Option<&Secret>) -> AuthError {
    let told = words(error);
    let reason = redacted(&answer_of(error).unwrap_or(told), document);
    if error.is_transient() {
        return AuthError::Unreachable { cloud: "Google", reason };
    }
    AuthError::Refused { cloud: "Google", reason, fix: FIX.to_owned() }
}

/// What the token server said, where the error quotes its answer: `body=<{"error": ..., "error_description": ...}>`.
fn answer_of(error: &CredentialsError) -> Option<String> {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if let Some((_, rest)) = text.split_once("body=<")
            && let Some(end) = rest.rfind('>')
        {
            let json: Value = serde_json::from_str(&rest[..end]).ok()?;
            let code = json.get("error")?;
            let words = json.get("error_description").or_else(|| code.get("message")).and_then(Value::as_str);
            let code = code.as_str().map(|code| format!("{code}: ")).unwrap_or_default();
            return Some(one_line(&format!("{code}{}", words.unwrap_or_default())));
        }
        next = error.source();
    }
    None
}

/// A text without what is secret in the document.
fn redacted(text: &str, document: Option<&Secret>) -> String {
    let json: Option<Value> = document.and_then(|document| serde_json::from_str(&document.0).ok());
    let secret = |name: &str| json.as_ref()?.get(name)?.as_str().map(Secret::new);
    let secrets = ["private_key", "client_secret", "refresh_token"].into_iter().filter_map(secret);
    secrets.fold(text.to_owned(), |text, secret| secret.redact(&text))
}
