//! Why a credential cannot be obtained or carried: its class, its words, and one thing to do about it.

use std::time::Duration;

use crate::observe::ErrorClass;

/// How long the words of a cloud or of a command may be, in characters.
const LONGEST: usize = 300;

/// Why a credential cannot be obtained, or not be put on a request. None of its texts holds a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The key holds characters that no header can carry.
    #[error("the key from {0} holds characters that a header cannot carry")]
    NotAHeader(String),
    /// This version cannot do the scheme.
    #[error("this version cannot sign in with {0}")]
    Unsupported(String),
    /// Requests are signed for a region, and none is set.
    #[error("no AWS region is set")]
    MissingRegion,
    /// The request cannot be signed.
    #[error("the request cannot be signed: {0}")]
    Unsignable(String),
    /// The user's command did not print a key.
    #[error("key_cmd {program}: {reason}")]
    Command {
        /// Its first word; the others may be secret.
        program: String,
        /// How it ended, with the first line of its stderr.
        reason: String,
    },
    /// A cloud's chain found nothing, or was refused.
    #[error("{cloud} gave no credential: {reason}")]
    Refused {
        /// Whose chain.
        cloud: &'static str,
        /// The cloud's own words, one line.
        reason: String,
        /// A command that cures it, or says more.
        fix: String,
    },
    /// A cloud could not be asked.
    #[error("{cloud} could not be asked for a credential: {reason}")]
    Unreachable {
        /// Whose chain.
        cloud: &'static str,
        /// What went wrong on the way, one line.
        reason: String,
    },
    /// Obtaining it took too long, and was stopped.
    #[error("{what} gave no credential within {} ms", limit.as_millis())]
    TimedOut {
        /// A command, or whose chain.
        what: String,
        /// The limit.
        limit: Duration,
    },
}

impl AuthError {
    /// The class of a failure before anything was sent. A cloud that cannot be asked says nothing about the network to
    /// the other providers, so that the next one is tried.
    #[must_use]
    pub const fn class(&self) -> ErrorClass {
        match self {
            Self::NotAHeader(_) | Self::Command { .. } | Self::Refused { .. } => ErrorClass::Auth,
            Self::Unsupported(_)
            | Self::MissingRegion
            | Self::Unsignable(_)
            | Self::Unreachable { .. }
            | Self::TimedOut { .. } => ErrorClass::LocalConfig,
        }
    }

    /// One thing to do about it, for people; `None` where nothing is known to help.
    #[must_use]
    pub fn fix(&self) -> Option<String> {
        match self {
            Self::NotAHeader(source) if is_variable(source) => Some(format!("export {source}=... with a valid key")),
            Self::NotAHeader(source) => Some(format!("put a valid key there: {source}")),
            Self::Unsupported(_) | Self::Unsignable(_) => None,
            Self::MissingRegion => Some("export AWS_REGION=...".to_owned()),
            Self::Command { .. } => Some("run the words of key_cmd by themselves: they must print the key".to_owned()),
            Self::Refused { fix, .. } => Some(fix.clone()),
            Self::Unreachable { .. } => Some("check the connection and the proxy settings".to_owned()),
            Self::TimedOut { .. } => Some("log in beforehand; nothing may ask for input here".to_owned()),
        }
    }
}

fn is_variable(source: &str) -> bool {
    source.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
}

/// Somebody else's words as one line without control characters, at most 300 characters.
pub(super) fn one_line(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let folded = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    if folded.chars().count() <= LONGEST {
        return folded;
    }
    folded.chars().take(LONGEST - 1).chain(['…']).collect()
}

/// What an error and its causes say, the general before the particular, without what repeats or says nothing.
#[cfg(any(feature = "bedrock", feature = "vertex"))]
pub(super) fn words(error: &(dyn std::error::Error + 'static)) -> String {
    const EMPTY: [&str; 4] =
        ["an error occurred while loading credentials", "service error", "unhandled error", "dispatch failure"];
    let mut told: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        next = error.source();
        let said = told.iter().any(|before| before.contains(&text));
        if !said && (next.is_none() || !EMPTY.contains(&text.as_str())) {
            told.push(text);
        }
    }
    one_line(&told.join(": "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_others_are_one_short_line() {
        assert_eq!(one_line(" a\r\n\tb\u{1b}[31m c "), "a b [31m c");
        let long = one_line(&"ä".repeat(400));
        assert_eq!(long.chars().count(), 300);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn only_what_the_user_can_cure_with_a_key_is_about_the_key() {
        let denied = AuthError::Refused { cloud: "AWS", reason: "expired".into(), fix: "aws sso login".into() };
        assert_eq!((denied.class(), denied.fix().as_deref()), (ErrorClass::Auth, Some("aws sso login")));
        let slow = AuthError::TimedOut { what: "AWS".into(), limit: Duration::from_secs(10) };
        assert_eq!(slow.class(), ErrorClass::LocalConfig);
        assert_eq!(slow.to_string(), "AWS gave no credential within 10000 ms");
        assert_eq!(AuthError::MissingRegion.class(), ErrorClass::LocalConfig);
    }
}
