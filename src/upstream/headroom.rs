//! What is left of the rate limits, from the headers of any response: one table for every dialect.

use std::time::Duration;

use http::HeaderMap;

use super::classify::reset_of;

/// One limit as a response tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Left {
    /// How much there is when it is full.
    pub limit: u64,
    /// How much is left.
    pub left: u64,
    /// How long until it is full again.
    pub full_in: Duration,
}

/// The tightest limits that a response tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Told {
    /// Requests.
    pub requests: Option<Left>,
    /// Tokens.
    pub tokens: Option<Left>,
}

/// The header of the limit, of what is left, and of when it is full again, or the window where that is not said.
struct Dialect(&'static str, &'static str, &'static str, Duration);

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

const REQUESTS: [Dialect; 6] = [
    // OpenAI, Azure, Groq, xAI, Fireworks and most that are like them.
    Dialect("x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests", MINUTE),
    Dialect(
        "anthropic-ratelimit-requests-limit",
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
        MINUTE,
    ),
    // Mistral says no reset.
    Dialect("x-ratelimit-limit-req-minute", "x-ratelimit-remaining-req-minute", "", MINUTE),
    // Cerebras.
    Dialect(
        "x-ratelimit-limit-requests-day",
        "x-ratelimit-remaining-requests-day",
        "x-ratelimit-reset-requests-day",
        DAY,
    ),
    // OpenRouter, Together.
    Dialect("x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", MINUTE),
    // The draft of the IETF.
    Dialect("ratelimit-limit", "ratelimit-remaining", "ratelimit-reset", MINUTE),
];

const TOKENS: [Dialect; 6] = [
    Dialect("x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens", MINUTE),
    Dialect(
        "anthropic-ratelimit-tokens-limit",
        "anthropic-ratelimit-tokens-remaining",
        "anthropic-ratelimit-tokens-reset",
        MINUTE,
    ),
    Dialect(
        "anthropic-ratelimit-input-tokens-limit",
        "anthropic-ratelimit-input-tokens-remaining",
        "anthropic-ratelimit-input-tokens-reset",
        MINUTE,
    ),
    Dialect(
        "x-ratelimit-limit-tokens-minute",
        "x-ratelimit-remaining-tokens-minute",
        "x-ratelimit-reset-tokens-minute",
        MINUTE,
    ),
    Dialect(
        "x-ratelimit-limit-tokens-prompt",
        "x-ratelimit-remaining-tokens-prompt",
        "x-ratelimit-reset-tokens-prompt",
        MINUTE,
    ),
    Dialect("x-tokenlimit-limit", "x-tokenlimit-remaining", "x-tokenlimit-reset", MINUTE),
];

/// Reads what a response tells; a limit of zero, or less than nothing left, is no information (Azure sends both).
#[must_use]
pub fn told(headers: &HeaderMap) -> Told {
    // Most say nothing of it, and every name in the tables has this in it.
    if !headers.keys().any(|name| name.as_str().contains("limit")) {
        return Told::default();
    }
    Told { requests: tightest(&REQUESTS, headers), tokens: tightest(&TOKENS, headers) }
}

fn tightest(dialects: &[Dialect], headers: &HeaderMap) -> Option<Left> {
    dialects.iter().filter_map(|dialect| dialect.read(headers)).min_by_key(|left| left.left)
}

impl Dialect {
    fn read(&self, headers: &HeaderMap) -> Option<Left> {
        let text = |name: &str| if name.is_empty() { None } else { headers.get(name)?.to_str().ok() };
        // `100, 100;w=60` is one limit with its policy.
        let count = |name: &str| text(name)?.split([',', ';']).next()?.trim().parse::<u64>().ok();
        let (limit, left) = (count(self.0)?, count(self.1)?);
        let full_in = text(self.2).and_then(|text| reset_of(headers, text)).unwrap_or(self.3);
        (limit > 0 && left <= limit).then_some(Left { limit, left, full_in })
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn of(pairs: &[(&'static str, &'static str)]) -> Told {
        let headers =
            pairs.iter().map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        told(&headers.collect())
    }

    fn left(limit: u64, left: u64, seconds: u64) -> Option<Left> {
        Some(Left { limit, left, full_in: Duration::from_secs(seconds) })
    }

    #[test]
    fn every_dialect_is_read() {
        let openai = of(&[
            ("x-ratelimit-limit-requests", "500"),
            ("x-ratelimit-remaining-requests", "499"),
            ("x-ratelimit-reset-requests", "120ms"),
            ("x-ratelimit-limit-tokens", "30000"),
            ("x-ratelimit-remaining-tokens", "18000"),
            ("x-ratelimit-reset-tokens", "24s"),
        ]);
        assert_eq!(openai.requests.unwrap().full_in, Duration::from_millis(120));
        assert_eq!(openai.tokens, left(30_000, 18_000, 24));
        let anthropic = of(&[
            ("date", "Tue, 24 Nov 2026 10:00:00 GMT"),
            ("anthropic-ratelimit-requests-limit", "50"),
            ("anthropic-ratelimit-requests-remaining", "0"),
            ("anthropic-ratelimit-requests-reset", "2026-11-24T10:00:30Z"),
            ("anthropic-ratelimit-tokens-limit", "100000"),
            ("anthropic-ratelimit-tokens-remaining", "90000"),
            ("anthropic-ratelimit-tokens-reset", "2026-11-24T10:00:06Z"),
            ("anthropic-ratelimit-input-tokens-limit", "80000"),
            ("anthropic-ratelimit-input-tokens-remaining", "1000"),
            ("anthropic-ratelimit-input-tokens-reset", "2026-11-24T10:00:59Z"),
        ]);
        assert_eq!((anthropic.requests, anthropic.tokens), (left(50, 0, 30), left(80_000, 1_000, 59)));
        let mistral = of(&[("x-ratelimit-limit-req-minute", "60"), ("x-ratelimit-remaining-req-minute", "59")]);
        assert_eq!(mistral.requests, left(60, 59, 60));
        let draft =
            of(&[("ratelimit-limit", "100, 100;w=60"), ("ratelimit-remaining", "7"), ("ratelimit-reset", "12")]);
        assert_eq!(draft.requests, left(100, 7, 12));
    }

    #[test]
    fn what_is_no_limit_is_not_one() {
        for (limit, remaining) in [("-1", "-1"), ("0", "0"), ("many", "3"), ("10", "11")] {
            let told = of(&[("x-ratelimit-limit-requests", limit), ("x-ratelimit-remaining-requests", remaining)]);
            assert_eq!(told, Told::default());
        }
        assert_eq!(of(&[("x-ratelimit-remaining-requests", "3")]), Told::default());
    }
}
