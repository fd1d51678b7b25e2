//! Credentials and addresses from settings that are passed in: which key, where from, carried how.
//!
//! Finding is pure: [`find_key`] says what would be used without asking anyone. Obtaining is [`Signer`]'s, lazily and only
//! for the provider about to be called: it runs a command of the user's, or asks a cloud's own library.
//!
//! Those libraries read more than they are given. AWS's takes our snapshot of the environment and reads the files of its
//! profiles and the clock; a `credential_process` runs in the process's own environment. Google's takes a document, and
//! without one looks in the process's environment and files by itself; it reads the clock too. Requests of either go
//! through the proxy of the process's environment. A Google service account signs its own tokens, so that the `token_uri`
//! of its key file is not asked; an authorised user's and an external account's are.

mod address;
#[cfg(feature = "bedrock")]
mod aws;
mod command;
mod error;
#[cfg(feature = "vertex")]
mod google;
mod secret;
mod signer;
#[cfg(feature = "bedrock")]
mod sigv4;

use std::collections::BTreeMap;

pub use address::{Address, address, base_variable, is_overridden};
pub use error::AuthError;
pub use secret::{Secret, Vars};
pub use signer::Signer;

use crate::catalog::{Auth, Provider, ProviderId};

/// Everything that credentials are looked for in. A plain value: whoever makes it has read the environment and the files.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    /// A snapshot of the environment.
    pub vars: Vars,
    /// What the user's configuration says, by provider.
    pub own: BTreeMap<ProviderId, OwnKey>,
    /// What is known of the clouds' own chains without asking them.
    pub clouds: Clouds,
}

/// A provider's key in the user's configuration; the first that is there wins, after the environment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OwnKey {
    /// The words of a command that prints it; no shell is involved.
    pub command: Option<Vec<String>>,
    /// A file's path, and what it holds or why it cannot be read.
    pub file: Option<(String, Result<Secret, String>)>,
    /// The key itself.
    pub key: Option<Secret>,
}

/// Signs that a cloud's own chain of credentials will find something: where, in words for people (`AWS_PROFILE`,
/// `~/.aws/credentials`, `EC2 instance role`); `None` where nothing points to any.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clouds {
    /// Amazon's.
    pub aws: Option<String>,
    /// Google's.
    pub google: Option<String>,
    /// The document of Google's, where it is a file; without one Google's library looks for itself.
    pub google_document: Option<Secret>,
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
    /// A credential that is obtained only when it is about to be used.
    Lazy {
        /// Where from, in words for people.
        source: String,
        /// How.
        lazy: Lazy,
    },
    /// None is needed, and none is set.
    NotNeeded,
    /// None of these variables is set.
    Missing {
        /// The variables that were looked at, in order.
        looked_in: Vec<String>,
    },
}

/// How a credential is obtained.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lazy {
    /// A command prints it.
    Command {
        /// Its words.
        argv: Vec<String>,
        /// How the key is carried.
        auth: Auth,
    },
    /// AWS's own chain; requests are signed.
    Aws,
    /// Google's application default credentials.
    Google,
    /// The document of a Google credential: a service account's key file, an authorised user's log-in, an external
    /// account.
    GoogleDocument(Secret),
}

impl Lazy {
    /// What to do where the provider rejects what was obtained.
    #[must_use]
    pub const fn cure(&self) -> &'static str {
        match self {
            Self::Command { .. } => "see what key_cmd prints: the provider takes it for no valid key",
            Self::Aws => "aws sts get-caller-identity   shows who you are; ask for access to the model",
            Self::Google | Self::GoogleDocument(_) => "gcloud auth application-default login",
        }
    }

    /// What this build cannot sign in with, where that is so: the clouds' libraries are features of the package.
    #[must_use]
    pub const fn unsupported(&self) -> Option<&'static str> {
        match self {
            Self::Aws if !cfg!(feature = "bedrock") => Some("AWS credentials"),
            Self::Google | Self::GoogleDocument(_) if !cfg!(feature = "vertex") => Some("Google credentials"),
            _ => None,
        }
    }

    /// The variable that it needs for a call at an address and that is not set: requests are signed for a region of AWS,
    /// which is never guessed.
    #[must_use]
    pub fn missing(&self, base_url: &str, vars: &Vars) -> Option<&'static str> {
        (matches!(self, Self::Aws) && address::region(base_url, vars).is_none()).then_some(address::REGION[0])
    }
}

/// The roles of environment variables that hold a key, in the order in which they are tried.
const KEY_ROLES: [&str; 3] = ["key", "bearer", "alt_bearer"];

/// Looks for a provider's credential: the first variable that is set wins, then `key_cmd`, `key_file` and `key` of the
/// configuration, then the cloud's own chain.
#[must_use]
pub fn find_key(provider: &Provider, auth: &Auth, keys: &Keyring) -> Found {
    let bearer = |auth: &Auth| if matches!(auth, Auth::Optional | Auth::Aws) { Auth::Bearer } else { auth.clone() };
    let mut looked_in = Vec::new();
    for role in KEY_ROLES.into_iter().filter(|_| *auth != Auth::Google) {
        for name in provider.env_names(role) {
            if let Some(secret) = keys.vars.secret(name) {
                let auth = if role == "alt_bearer" { Auth::Bearer } else { bearer(auth) };
                return Found::Key { source: name.clone(), secret: secret.clone(), auth };
            }
            looked_in.push(name.clone());
        }
    }
    if let Some(own) = keys.own.get(&provider.id) {
        if let Some(argv) = &own.command {
            let lazy = Lazy::Command { argv: argv.clone(), auth: bearer(auth) };
            return Found::Lazy { source: "key_cmd".to_owned(), lazy };
        }
        if let Some((path, read)) = &own.file {
            match read {
                Ok(secret) => {
                    let source = format!("key_file {path}");
                    return Found::Key { source, secret: secret.clone(), auth: bearer(auth) };
                }
                Err(why) => looked_in.push(format!("key_file {path} ({why})")),
            }
        }
        if let Some(secret) = &own.key {
            let source = "key in the configuration".to_owned();
            return Found::Key { source, secret: secret.clone(), auth: bearer(auth) };
        }
    }
    let chain = match auth {
        Auth::Aws => keys.clouds.aws.as_ref().map(|source| (source, Lazy::Aws)),
        Auth::Google => keys
            .clouds
            .google
            .as_ref()
            .map(|source| (source, keys.clouds.google_document.clone().map_or(Lazy::Google, Lazy::GoogleDocument))),
        _ => None,
    };
    if let Some((source, lazy)) = chain {
        return Found::Lazy { source: source.clone(), lazy };
    }
    match auth {
        Auth::Optional => Found::NotNeeded,
        Auth::Aws => {
            looked_in.extend(["AWS_ACCESS_KEY_ID".to_owned(), "AWS_PROFILE".to_owned(), "~/.aws".to_owned()]);
            Found::Missing { looked_in }
        }
        Auth::Google => {
            looked_in.extend(["GOOGLE_APPLICATION_CREDENTIALS".to_owned(), "gcloud's log-in".to_owned()]);
            Found::Missing { looked_in }
        }
        _ => Found::Missing { looked_in },
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::catalog::ProviderKind;

    pub(in crate::upstream) fn provider(env: &[(&str, &[&str])]) -> Provider {
        Provider {
            name: "Amazon Bedrock".into(),
            env: env
                .iter()
                .map(|(role, names)| ((*role).into(), names.iter().map(|n| (*n).into()).collect()))
                .collect(),
            ..Provider::new(ProviderId::new("amazon-bedrock"), ProviderKind::Cloud)
        }
    }

    pub(in crate::upstream) fn vars(pairs: &[(&str, &str)]) -> Vars {
        Vars::new(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
    }

    fn keys(pairs: &[(&str, &str)]) -> Keyring {
        Keyring { vars: vars(pairs), ..Keyring::default() }
    }

    #[test]
    fn the_first_variable_that_is_set_wins_and_an_empty_one_is_unset() {
        let provider = provider(&[("key", &["A_KEY", "B_KEY"]), ("alt_bearer", &["C_TOKEN"])]);
        let header = Auth::Header("x-api-key".into());
        let found = find_key(&provider, &header, &keys(&[("A_KEY", ""), ("B_KEY", "b"), ("C_TOKEN", "c")]));
        assert!(matches!(found, Found::Key { source, auth: Auth::Header(_), .. } if source == "B_KEY"));
        let found = find_key(&provider, &header, &keys(&[("C_TOKEN", "c")]));
        assert!(matches!(found, Found::Key { auth: Auth::Bearer, .. }));
        let found = find_key(&provider, &header, &keys(&[]));
        assert_eq!(found, Found::Missing { looked_in: vec!["A_KEY".into(), "B_KEY".into(), "C_TOKEN".into()] });
    }

    #[test]
    fn after_the_environment_come_the_configuration_and_then_the_cloud() {
        let provider = provider(&[("key", &["A_KEY"])]);
        let (command, secret) = (vec!["op".to_owned()], Secret::new("from-a-file"));
        let own = OwnKey { command: Some(command), file: Some(("k".into(), Ok(secret.clone()))), key: Some(secret) };
        let mut keys = keys(&[]);
        keys.clouds.aws = Some("AWS_PROFILE".to_owned());
        let source = |keys: &Keyring| match find_key(&provider, &Auth::Aws, keys) {
            Found::Key { source, .. } | Found::Lazy { source, .. } => source,
            other => format!("{other:?}"),
        };
        assert_eq!(source(&keys), "AWS_PROFILE");
        keys.own.insert(provider.id.clone(), own.clone());
        assert_eq!(source(&keys), "key_cmd");
        keys.own.insert(provider.id.clone(), OwnKey { command: None, ..own.clone() });
        assert_eq!(source(&keys), "key_file k");
        keys.own.insert(provider.id.clone(), OwnKey { command: None, file: None, ..own });
        assert_eq!(source(&keys), "key in the configuration");
        keys.vars = vars(&[("A_KEY", "a")]);
        assert_eq!(source(&keys), "A_KEY");
    }
}
