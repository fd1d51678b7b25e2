//! How long a provider asks to wait, and its id of the request, from the headers.

use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// No hint is read beyond this, so that arithmetic stays small; it is far more than is ever trusted.
const CEILING: Duration = Duration::from_secs(366 * 24 * 3600);
const REQUEST_IDS: [&str; 7] = [
    "x-request-id",
    "request-id",
    "x-zenmux-requestid",
    "x-generation-id",
    "apim-request-id",
    "x-amzn-requestid",
    "cf-ray",
];
/// Headers that say when a window of a rate limit opens again, with the one that says what is left of it.
const WINDOWS: [(&str, &str); 11] = [
    ("x-ratelimit-reset-requests", "x-ratelimit-remaining-requests"),
    ("x-ratelimit-reset-tokens", "x-ratelimit-remaining-tokens"),
    ("x-ratelimit-reset-requests-day", "x-ratelimit-remaining-requests-day"),
    ("x-ratelimit-reset-tokens-minute", "x-ratelimit-remaining-tokens-minute"),
    ("x-ratelimit-reset", "x-ratelimit-remaining"),
    ("anthropic-ratelimit-requests-reset", "anthropic-ratelimit-requests-remaining"),
    ("anthropic-ratelimit-tokens-reset", "anthropic-ratelimit-tokens-remaining"),
    ("anthropic-ratelimit-input-tokens-reset", "anthropic-ratelimit-input-tokens-remaining"),
    ("anthropic-ratelimit-output-tokens-reset", "anthropic-ratelimit-output-tokens-remaining"),
    ("ratelimit-reset", "ratelimit-remaining"),
    ("x-ratelimit-reset-after", "x-ratelimit-remaining"),
];

/// The wait that the provider asks for: `retry-after-ms`, or `retry-after` in seconds or as a date.
pub(super) fn explicit(headers: &HeaderMap) -> Option<Duration> {
    if let Some(millis) = text(headers, "retry-after-ms").and_then(decimal) {
        return Some((millis / 1000).min(CEILING));
    }
    let wait = text(headers, "retry-after")?;
    match seconds(wait) {
        Some(wait) => Some(wait),
        None => until(headers, moment(wait)?),
    }
}

/// The weaker hint of the rate-limit windows: when the last used-up one opens, or the first one if none is said to be.
pub(super) fn windows(headers: &HeaderMap) -> Option<Duration> {
    let resets = WINDOWS.iter().filter_map(|(reset, remaining)| {
        let left = text(headers, remaining);
        Some((
            reset_of(headers, text(headers, reset)?)?,
            left.is_some_and(|left| left.trim_start_matches(['-', '0']).is_empty()),
        ))
    });
    let (used_up, others): (Vec<_>, Vec<_>) = resets.partition(|(_, used_up)| *used_up);
    let longest = used_up.into_iter().map(|(wait, _)| wait).max();
    longest.or_else(|| others.into_iter().map(|(wait, _)| wait).min())
}

/// The provider's id of the request.
pub(super) fn request_id(headers: &HeaderMap) -> Option<&str> {
    REQUEST_IDS.iter().find_map(|name| text(headers, name)).filter(|id| !id.is_empty())
}

/// Seconds, whole or with a fraction.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    decimal(text).map(|wait| wait.min(CEILING))
}

/// A span like `6m0s`, `12ms`, `2m59.56s`, `1d2h` or `34.07s`.
pub(super) fn span(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let number = rest.find(|sign: char| !sign.is_ascii_digit() && sign != '.')?;
        let (count, after) = rest.split_at(number);
        let unit = after.find(|sign: char| !sign.is_ascii_alphabetic()).unwrap_or(after.len());
        let count = decimal(count)?;
        let part = match &after[..unit] {
            "d" => count.checked_mul(24 * 3600)?,
            "h" => count.checked_mul(3600)?,
            "m" => count.checked_mul(60)?,
            "s" => count,
            "ms" => count / 1000,
            "us" | "µs" => count / 1_000_000,
            "ns" => count / 1_000_000_000,
            _ => return None,
        };
        total = total.checked_add(part)?;
        rest = &after[unit..];
    }
    Some(total.min(CEILING))
}

/// A reset as seconds, a span, a moment since 1970 or a date, as a wait.
pub(in crate::upstream) fn reset_of(headers: &HeaderMap, text: &str) -> Option<Duration> {
    if let Some(number) = decimal(text) {
        // A number this large is a moment: seconds since 1970, or milliseconds.
        return match number.as_secs() {
            0..1_000_000_000 => Some(number.min(CEILING)),
            seconds @ 1_000_000_000..100_000_000_000 => {
                until(headers, Timestamp::from_second(i64::try_from(seconds).ok()?).ok()?)
            }
            millis => until(headers, Timestamp::from_millisecond(i64::try_from(millis).ok()?).ok()?),
        };
    }
    match span(text) {
        Some(wait) => Some(wait),
        None => until(headers, text.trim().parse().ok()?),
    }
}

/// From the response's own `date` to a moment; nothing where it has none. A moment that is past is no wait.
fn until(headers: &HeaderMap, moment: Timestamp) -> Option<Duration> {
    let sent = self::moment(text(headers, "date")?)?;
    let wait = moment.duration_since(sent);
    Some(Duration::try_from(wait).unwrap_or_default().min(CEILING))
}

fn moment(text: &str) -> Option<Timestamp> {
    DateTimeParser::new().parse_timestamp(text.trim()).ok()
}

/// A plain non-negative decimal as that many seconds, to the nanosecond.
fn decimal(text: &str) -> Option<Duration> {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    let nanos: String = fraction.chars().chain(std::iter::repeat('0')).take(9).collect();
    Some(Duration::new(whole.parse().ok()?, nanos.parse().ok()?))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        pairs.iter().map(|&(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn spans_are_read_in_every_unit() {
        assert_eq!(span("6m0s"), Some(Duration::from_secs(360)));
        assert_eq!(span("12ms"), Some(Duration::from_millis(12)));
        assert_eq!(span("2m59.56s"), Some(Duration::from_millis(179_560)));
        assert_eq!(span("1h2m3s"), Some(Duration::from_secs(3723)));
        assert_eq!(span("34.074824224s"), Some(Duration::from_nanos(34_074_824_224)));
        for bad in ["", "m", "5", "5x", "s5", "1.2.3s", "-5s", "99999999999999999999d"] {
            assert_eq!(span(bad), None, "{bad}");
        }
    }

    #[test]
    fn retry_after_is_seconds_milliseconds_or_a_date_against_the_date_of_the_response() {
        type Pairs = &'static [(&'static str, &'static str)];
        let cases: [(Pairs, Option<Duration>); 8] = [
            (&[("retry-after", "20")], Some(Duration::from_secs(20))),
            (&[("retry-after", "1.5")], Some(Duration::from_millis(1500))),
            (&[("retry-after", "20"), ("retry-after-ms", "250")], Some(Duration::from_millis(250))),
            (&[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT")], None),
            (
                &[("retry-after", "Sun, 06 Nov 1994 08:49:37 GMT"), ("date", "Sun, 06 Nov 1994 08:49:07 GMT")],
                Some(Duration::from_secs(30)),
            ),
            (
                &[("retry-after", "Sun, 06 Nov 1994 08:49:07 GMT"), ("date", "Sun, 06 Nov 1994 08:49:37 GMT")],
                Some(Duration::ZERO),
            ),
            (&[("retry-after", "soon")], None),
            (&[("retry-after", "-3")], None),
        ];
        for (pairs, expected) in cases {
            assert_eq!(explicit(&headers(pairs)), expected, "{pairs:?}");
        }
    }

    #[test]
    fn the_window_that_is_used_up_decides() {
        let both = headers(&[
            ("x-ratelimit-reset-requests", "12ms"),
            ("x-ratelimit-remaining-requests", "4"),
            ("x-ratelimit-reset-tokens", "6m0s"),
            ("x-ratelimit-remaining-tokens", "0"),
        ]);
        assert_eq!(windows(&both), Some(Duration::from_secs(360)));
        let unsaid = headers(&[("x-ratelimit-reset-requests", "12ms"), ("x-ratelimit-reset-tokens", "6m0s")]);
        assert_eq!(windows(&unsaid), Some(Duration::from_millis(12)));
        let moments = headers(&[
            ("date", "Tue, 24 Nov 2026 10:00:00 GMT"),
            ("anthropic-ratelimit-requests-reset", "2026-11-24T10:00:07Z"),
            ("anthropic-ratelimit-requests-remaining", "0"),
        ]);
        assert_eq!(windows(&moments), Some(Duration::from_secs(7)));
        let epoch = headers(&[("date", "Tue, 24 Nov 2026 10:00:00 GMT"), ("x-ratelimit-reset", "1795514405000")]);
        assert_eq!(windows(&epoch), Some(Duration::from_secs(5)));
    }
}
