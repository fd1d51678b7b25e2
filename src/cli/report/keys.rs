//! What is said of keys and credentials: where they were looked for, and what to do about them.

use crate::cli::contract::Exit;
use crate::cli::error::CliError;
use crate::cli::platform::set_key;
use crate::upstream::auth::AuthError;

/// Every place that was looked at: variables, then what else there was.
pub(super) fn everywhere(looked_in: &[String]) -> String {
    let (variables, others): (Vec<&String>, Vec<&String>) = looked_in.iter().partition(|name| is_variable(name));
    let names: Vec<&str> = variables.iter().map(|name| name.as_str()).collect();
    let unset = if names.is_empty() { Vec::new() } else { vec![format!("{} (not set)", names.join(", "))] };
    unset.into_iter().chain(others.into_iter().cloned()).collect::<Vec<_>>().join(", ")
}

/// Whether the place of a key is an environment variable.
pub(crate) fn is_variable(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// What to do about a key from this place that is not taken.
pub(crate) fn better_key(source: Option<&str>) -> String {
    match source {
        Some(name) if is_variable(name) => format!("{} with a valid key", set_key(name)),
        Some("key_cmd") => "see what the command in key_cmd prints".to_owned(),
        Some(place) => match place.strip_prefix("key_file ") {
            Some(path) => format!("put a valid key into {path}"),
            None => format!("put a valid key where it was found: {place}"),
        },
        None => "set a key; `openmux providers list -o wide` names where".to_owned(),
    }
}

/// Nothing was sent, for want of a credential that can be sent.
pub(super) fn no_credential(provider: &str, source: &str, error: &AuthError) -> CliError {
    let nothing = || format!("no credential for {provider} from {source}");
    let told = match error {
        AuthError::NotAHeader(_) => {
            CliError::new(Exit::Auth, "unusable_key", format!("the key from {source} cannot be sent to {provider}"))
        }
        AuthError::Command { .. } => {
            CliError::new(Exit::Auth, "key_cmd", format!("key_cmd printed no key for {provider}"))
        }
        AuthError::Refused { .. } => CliError::new(Exit::Auth, "no_credential", nothing()),
        AuthError::MissingRegion => {
            CliError::new(Exit::Auth, "missing_setting", format!("{provider} needs AWS_REGION"))
        }
        AuthError::Unsupported(_) | AuthError::Unsignable(_) => {
            CliError::new(Exit::Config, "local", format!("cannot sign in to {provider}"))
        }
        AuthError::Unreachable { .. } => CliError::new(Exit::Unavailable, "no_credential", nothing()),
        AuthError::TimedOut { .. } => CliError::new(Exit::Timeout, "no_credential", nothing()),
    };
    told.fix(error.fix().unwrap_or_else(|| "use another provider: openmux providers list".to_owned()))
}
