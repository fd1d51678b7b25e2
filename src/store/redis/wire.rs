//! What gateways tell each other, as text: an attempt, or where a conversation is. Nothing of a prompt, no key.

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::super::spool;
use super::super::{Conversation, StateKey, Stay};
use crate::catalog::{EndpointId, Protocol, ProviderId};
use crate::observe::{Asked, Observation};
use crate::units::Tokens;

/// One piece of news.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum News {
    /// An attempt was made.
    Seen(Box<Observation>),
    /// A conversation was answered.
    Stay(Conversation, Stay),
}

/// Where a conversation is, as it travels.
#[derive(Serialize, Deserialize)]
struct Place {
    id: String,
    provider: String,
    upstream_model: String,
    key_fp: Option<String>,
    protocol: String,
    tokens: u64,
    at_ms: i64,
}

impl News {
    /// The name and the text of the field that carries it; `None` where it cannot be told.
    pub(super) fn text(&self) -> Option<(&'static str, String)> {
        match self {
            Self::Seen(seen) => {
                // What it would have cost is between this machine and its ledger, and price sheets are long.
                let told = Observation { asked: Asked { sheet: None, ..seen.asked.clone() }, ..(**seen).clone() };
                Some(("seen", spool::line(&told)?))
            }
            Self::Stay(conversation, stay) => {
                let place = Place {
                    id: hex(&conversation.0),
                    provider: stay.key.endpoint.provider.as_str().to_owned(),
                    upstream_model: stay.key.endpoint.upstream_model.clone(),
                    key_fp: stay.key.key_fingerprint.clone(),
                    protocol: stay.protocol.name().to_owned(),
                    tokens: stay.tokens.count(),
                    at_ms: stay.at.as_millisecond(),
                };
                Some(("stay", serde_json::to_string(&place).ok()?))
            }
        }
    }

    /// Reads it back; `None` where a newer version says something of its own. A clock that runs ahead is not believed.
    pub(super) fn read(name: &str, text: &str, now: Timestamp) -> Option<Self> {
        match name {
            "seen" => {
                let seen = spool::seen(text)?;
                Some(Self::Seen(Box::new(Observation { at: seen.at.min(now), ..seen })))
            }
            "stay" => {
                let place: Place = serde_json::from_str(text).ok()?;
                let endpoint =
                    EndpointId { provider: ProviderId::new(place.provider), upstream_model: place.upstream_model };
                let stay = Stay {
                    key: StateKey { endpoint, key_fingerprint: place.key_fp },
                    protocol: Protocol::parse(&place.protocol)?,
                    tokens: Tokens::new(place.tokens),
                    at: Timestamp::from_millisecond(place.at_ms).ok()?.min(now),
                };
                Some(Self::Stay(Conversation(bytes(&place.id)?), stay))
            }
            _ => None,
        }
    }
}

/// Sixteen bytes as 32 hex digits.
pub(super) fn hex(bytes: &[u8; 16]) -> String {
    HEXLOWER.encode(bytes)
}

/// Reads them back.
pub(super) fn bytes(hex: &str) -> Option<[u8; 16]> {
    super::super::words::sixteen(hex)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::ErrorClass;
    use crate::observe::tests_support::seen;

    #[test]
    fn news_is_read_as_it_was_told_and_no_clock_runs_ahead() {
        let mut one = seen("2026-11-24T10:00:00.123Z", ErrorClass::RateLimited);
        one.retry_after = Some(std::time::Duration::from_secs(7));
        one.key_fingerprint = "0a1b2c3d".to_owned();
        let now = one.at + std::time::Duration::from_secs(1);
        let stay = Stay { key: StateKey::of(&one), protocol: one.protocol, tokens: Tokens::new(9), at: one.at };
        for news in [News::Seen(Box::new(one.clone())), News::Stay(Conversation([7; 16]), stay)] {
            let (name, text) = news.text().unwrap();
            assert!(!text.contains("null"), "{text}");
            assert_eq!(News::read(name, &text, now).unwrap(), news);
        }
        let (name, text) = News::Seen(Box::new(one.clone())).text().unwrap();
        let before = one.at - std::time::Duration::from_secs(60);
        assert!(matches!(News::read(name, &text, before), Some(News::Seen(seen)) if seen.at == before));
        for strange in ["", "{}", "[1]"] {
            assert_eq!(News::read("seen", strange, now), None);
            assert_eq!(News::read("stay", strange, now), None);
        }
        assert_eq!(News::read("colour", &text, now), None);
    }

    #[test]
    fn no_price_sheet_travels() {
        let mut one = seen("2026-11-24T10:00:00Z", ErrorClass::Ok);
        let sheet = crate::catalog::price::SheetVersion {
            sha256: "x".to_owned(),
            day: "2026-11-24".to_owned(),
            sheet: "a whole price sheet".to_owned(),
        };
        one.asked.sheet = Some(std::sync::Arc::new(sheet));
        let (_, text) = News::Seen(Box::new(one)).text().unwrap();
        assert!(!text.contains("price sheet"), "{text}");
    }
}
