//! Small values as the text that stands in a row or a line of the spool.

use data_encoding::HEXLOWER_PERMISSIVE;
use jiff::Timestamp;

use crate::observe::{Bucket, Headroom};
use crate::units::Usd;

/// `requests 60 12 1764000000000 1764000060000`: a limit, what was left, when that was said and when it is full again,
/// in milliseconds; `tokens` likewise after it; `None` where nothing is known.
pub(super) fn headroom_text(headroom: &Headroom) -> Option<String> {
    let parts = [("requests", headroom.requests), ("tokens", headroom.tokens)];
    let told = parts.into_iter().filter_map(|(name, bucket)| {
        let Bucket { limit, left, at, full_at } = bucket?;
        Some(format!("{name} {limit} {left} {} {}", at.as_millisecond(), full_at.as_millisecond()))
    });
    let text = told.collect::<Vec<_>>().join(" ");
    (!text.is_empty()).then_some(text)
}

/// Reads it back; what is not understood is not known.
pub(super) fn headroom_of(text: &str) -> Headroom {
    let words: Vec<&str> = text.split(' ').collect();
    let bucket = |name: &str| {
        let [limit, left, at, full_at] =
            words.chunks(5).find(|part| part.first() == Some(&name))?.get(1..5)?.first_chunk::<4>()?;
        let moment = |word: &str| Timestamp::from_millisecond(word.parse().ok()?).ok();
        Some(Bucket {
            limit: limit.parse().ok()?,
            left: left.parse().ok()?,
            at: moment(at)?,
            full_at: moment(full_at)?,
        })
    };
    Headroom { requests: bucket("requests"), tokens: bucket("tokens") }
}

/// The day (UTC) of a moment, counted from 1970.
pub(super) fn day_of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(86_400)
}

/// Whole pico-dollars: what is finer is rounded, and more than a number holds is the most that it holds.
pub(super) fn pico(amount: Usd) -> i64 {
    amount.to_pico().or_else(|| amount.rounded().to_pico()).unwrap_or(i64::MAX)
}

/// Sixteen bytes of 32 hex digits.
pub(super) fn sixteen(hex: &str) -> Option<[u8; 16]> {
    HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headroom_survives_being_written() {
        let at: Timestamp = "2026-11-24T10:00:00.123Z".parse().unwrap();
        let bucket = Some(Bucket { limit: 60, left: 0, at, full_at: at + std::time::Duration::from_millis(1500) });
        for headroom in [
            Headroom::default(),
            Headroom { requests: bucket, tokens: None },
            Headroom { requests: None, tokens: bucket },
            Headroom { requests: bucket, tokens: bucket },
        ] {
            let text = headroom_text(&headroom);
            assert_eq!(text.is_none(), headroom == Headroom::default());
            assert_eq!(headroom_of(text.as_deref().unwrap_or_default()), headroom);
        }
        assert_eq!(headroom_of("requests 60 x"), Headroom::default());
    }
}
