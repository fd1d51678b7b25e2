//! Keys that cannot be printed, and the snapshot of the environment that holds some.

use std::collections::BTreeMap;
use std::fmt;

use data_encoding::HEXLOWER;
use hmac::{Hmac, KeyInit, Mac};

/// A key. It cannot be printed, and is sent nowhere but to its own provider.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(pub(super) String);

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
        HEXLOWER.encode(&mac.finalize().into_bytes()[..4])
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

impl Secret {
    /// Replaces the key wherever it occurs in some bytes.
    #[must_use]
    pub fn redact_bytes(&self, bytes: &[u8]) -> Vec<u8> {
        let key = self.0.as_bytes();
        let mut out = Vec::with_capacity(bytes.len());
        let mut rest = bytes;
        while !key.is_empty() && rest.len() >= key.len() {
            if rest.starts_with(key) {
                out.extend_from_slice(b"[redacted]");
                rest = &rest[key.len()..];
            } else {
                out.push(rest[0]);
                rest = &rest[1..];
            }
        }
        out.extend_from_slice(rest);
        out
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([redacted])")
    }
}

/// A snapshot of the environment: names to values, empty and blank ones left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vars(BTreeMap<String, Secret>);

impl Vars {
    /// From pairs; a value of nothing but spaces counts as unset.
    #[must_use]
    pub fn new(pairs: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(
            pairs
                .into_iter()
                .filter(|(_, value)| !value.trim().is_empty())
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

    /// Sets a variable that is not set, to what a file says in its place.
    pub fn fill(&mut self, name: &str, value: &str) {
        if !value.is_empty() {
            self.0.entry(name.to_owned()).or_insert_with(|| Secret::new(value));
        }
    }

    /// Names and values, for the clouds' own libraries.
    #[cfg(feature = "bedrock")]
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.0.as_str()))
    }

    /// The names of all variables.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::vars;
    use super::*;

    #[test]
    fn a_secret_cannot_be_printed() {
        let secret = Secret::new("sk-canary-0123456789");
        assert!(!format!("{secret:?} {:?}", vars(&[("K", "sk-canary-0123456789")])).contains("canary"));
        assert_eq!(secret.ending(), Some("6789"));
        assert_eq!(Secret::new("short").ending(), None);
        assert_eq!(secret.redact("no sk-canary-0123456789 here"), "no [redacted] here");
        assert_eq!(
            secret.redact_bytes(b"\xff sk-canary-0123456789sk-canary-0123456789."),
            b"\xff [redacted][redacted]."
        );
        assert_ne!(secret.fingerprint(&[1; 16]), secret.fingerprint(&[2; 16]));
        assert_eq!(secret.fingerprint(&[1; 16]).len(), 8);
    }
}
