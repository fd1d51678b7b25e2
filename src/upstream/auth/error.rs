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
            Self::NotAHeader(source) if is_variable(source) => Some(format!("set {source} to a valid key")),
            Self::NotAHeader(source) => Some(format!("put a valid key there: {source}")),
            Self::Unsupported(_) | Self::Unsignable(_) => None,
            Self::MissingRegion => Some("set AWS_REGION to the region of your models".to_owned()),
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

/// How keys and tokens of well-known kinds begin.
const BEGINNINGS: [&str; 10] = ["sk-", "sk_", "AIza", "ya29", "eyJ", "AKIA", "ASIA", "ghp_", "gsk_", "xai-"];

/// Somebody else's words without what looks like a key: by how it begins, or because nobody writes words so.
pub(super) fn masked(text: &str) -> String {
    let of_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '+' | '=' | '~');
    let has = |run: &str, is: fn(&char) -> bool| run.chars().any(|c| is(&c));
    let is_key = |run: &str| {
        let known = run.len() >= 12 && BEGINNINGS.iter().any(|start| run.starts_with(start));
        let mixed =
            has(run, char::is_ascii_digit) && has(run, char::is_ascii_lowercase) && has(run, char::is_ascii_uppercase);
        known || (run.len() >= 20 && mixed)
    };
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(of_key) {
        let (before, from) = rest.split_at(at);
        let (run, after) = from.split_at(from.find(|c| !of_key(c)).unwrap_or(from.len()));
        out.push_str(before);
        out.push_str(if is_key(run) { "[redacted]" } else { run });
        rest = after;
    }
    out + rest
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

/// The causes of an error that say nothing by themselves, by how they begin.
#[cfg(any(feature = "bedrock", feature = "vertex"))]
const EMPTY: [&str; 9] = [
    "an error occurred while loading",
    "service error",
    "unhandled error",
    "dispatch failure",
    "io error",
    "client error",
    "cannot create auth",
    "cannot create the auth",
    "Fetching the token resulted",
];

/// What an error and its causes come to: whom it was about, where that is told, and the innermost cause.
#[cfg(any(feature = "bedrock", feature = "vertex"))]
pub(super) fn words(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    let told: Vec<String> = chain.map(ToString::to_string).filter(|text| !text.is_empty()).collect();
    let speaks = |text: &&String| !EMPTY.iter().any(|start| text.starts_with(start));
    let last = told.iter().rfind(speaks).or(told.last()).map(|text| said(text)).unwrap_or_default();
    let whom = told.iter().find_map(|text| text.split_once(" url (")?.1.split([')', '?']).next());
    match whom.filter(|url| !last.contains(url)) {
        Some(url) => one_line(&masked(&format!("{url}: {last}"))),
        None => one_line(&masked(&last)),
    }
}

/// The words of AWS's servers out of how its library quotes them, and the system's without its numbers.
#[cfg(any(feature = "bedrock", feature = "vertex"))]
fn said(text: &str) -> String {
    let field = |name: &str| Some(text.split_once(&format!("{name}: \""))?.1.split('"').next()?.to_owned());
    match (text.starts_with("Error {"), field("code"), field("message")) {
        (true, Some(code), Some(message)) => format!("{code}: {message}"),
        _ => text.split(" (os error").next().unwrap_or_default().to_owned(),
    }
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
    fn what_looks_like_a_key_is_masked_and_words_are_not() {
        for kept in [
            "sts:AssumeRoleWithWebIdentity on arn:aws:iam::123456789012:role/r",
            "asia-southeast1-aiplatform.googleapis.com: refused",
            "/home/user/.password-store/openai-2026-11-24.gpg: No such file",
        ] {
            assert_eq!(masked(kept), kept);
        }
        assert_eq!(masked("key 'sk-canary-0123456789' is bad"), "key '[redacted]' is bad");
        assert_eq!(masked("wJalrXUtnFEMI7K7MDENGbPxRfiCY=ä"), "[redacted]ä");
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
