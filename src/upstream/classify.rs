//! What a failure means: the body first, then the status (`metrics.md` 4.3 and 4.4). Shared by all protocols.
//!
//! The knowledge is data: words in `rules`, shapes in `envelope`. There is no clock here: a hint that names a moment is
//! read against the response's own `date` header.

mod aws;
mod envelope;
mod hints;
mod overflows;
mod rules;
mod text;

use std::time::Duration;

use http::HeaderMap;
use http::response::Parts;

use super::UpstreamError;
use crate::catalog::ErrorFamily;
use crate::observe::ErrorClass;
use envelope::Envelope;

pub(super) use hints::reset_of;

pub use aws::{event as aws_event, response as aws};

/// A hint is trusted this far; a longer wait is a used-up quota.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
const MESSAGE_CHARS: usize = 300;
const CODE_CHARS: usize = 64;
const REQUEST_ID_CHARS: usize = 128;

/// What a response that is not a success means. Never called with a 2xx.
#[must_use]
pub fn response(family: ErrorFamily, head: &Parts, body: &[u8]) -> UpstreamError {
    let envelope = Envelope::read(body);
    let error = assemble(family, Some(head.status.as_u16()), &head.headers, &envelope, None);
    finished(error, Some(head.status))
}

/// What a failure means that arrived inside a response that began well: an error event, or an error envelope under
/// HTTP 200. A code that is an HTTP status stands in for the missing one.
#[must_use]
pub fn in_band(family: ErrorFamily, body: &[u8]) -> UpstreamError {
    let envelope = Envelope::read(body);
    finished(assemble(family, envelope.status(), &HeaderMap::new(), &envelope, None), None)
}

/// The class of an HTTP status when the body says nothing more.
#[must_use]
pub fn status(status: u16) -> ErrorClass {
    rules::STATUSES
        .iter()
        .find(|(from, to, _)| (*from..=*to).contains(&status))
        .map_or(ErrorClass::ProviderFault, |&(_, _, class)| class)
}

/// The failure with words, whatever the provider left out.
fn finished(mut error: UpstreamError, status: Option<http::StatusCode>) -> UpstreamError {
    if error.message.is_empty() {
        error.message = match status {
            Some(status) => {
                let reason = status.canonical_reason().unwrap_or("no further word");
                format!("HTTP {} ({reason})", status.as_u16())
            }
            None => "the provider reported a failure without saying which".to_owned(),
        };
    }
    error
}

/// `known` is the class, where it is settled already.
fn assemble(
    family: ErrorFamily,
    status: Option<u16>,
    headers: &HeaderMap,
    envelope: &Envelope,
    known: Option<ErrorClass>,
) -> UpstreamError {
    let hint = hints::explicit(headers).or(envelope.retry_after.filter(|_| !envelope.is_daily));
    let class = known.unwrap_or_else(|| class_of(family, status, hint, envelope));
    let (class, retry_after) = settle(class, status, hint, headers);
    UpstreamError {
        class,
        message: text::one_line(&envelope.message, MESSAGE_CHARS),
        code: envelope.code().map(|code| text::one_line(code, CODE_CHARS)).filter(|code| !code.is_empty()),
        retry_after,
        request_id: hints::request_id(headers)
            .or(envelope.request_id.as_deref())
            .map(|id| text::one_line(id, REQUEST_ID_CHARS))
            .filter(|id| !id.is_empty()),
    }
}

/// The wait to obey, and a rate limit that lasts too long to be one.
fn settle(
    class: ErrorClass,
    status: Option<u16>,
    hint: Option<Duration>,
    headers: &HeaderMap,
) -> (ErrorClass, Option<Duration>) {
    let windows = || if status == Some(429) { hints::windows(headers) } else { None };
    let Some(wait) = hint.or_else(windows) else { return (class, None) };
    let class = match class {
        ErrorClass::RateLimited if wait > LONGEST_WAIT => ErrorClass::Quota,
        class => class,
    };
    (class, Some(wait.min(LONGEST_WAIT)))
}

/// The class, from the most telling sign to the least.
fn class_of(family: ErrorFamily, status: Option<u16>, hint: Option<Duration>, envelope: &Envelope) -> ErrorClass {
    // A redirect is never followed with a key, whatever its body says.
    if let Some(redirect @ 300..=399) = status {
        return self::status(redirect);
    }
    let said = envelope.message.to_lowercase();
    let codes = || envelope.codes.iter().map(|code| code.to_lowercase());
    // OpenRouter's budget for requests in flight is a 402 that passes.
    if family == ErrorFamily::Openrouter && status == Some(402) && hint.is_some() {
        return ErrorClass::RateLimited;
    }
    if let Some(class) = codes().find_map(|code| rules::own_code(family, &code)) {
        return class;
    }
    // A code of a used-up quota wins over a broader type beside it, and the other way round.
    if envelope.is_daily || codes().any(|code| rules::code(&code) == Some(ErrorClass::Quota)) {
        return ErrorClass::Quota;
    }
    // A daily quota without a wait is used up; with one, the window moves on.
    let waits = hint.is_some_and(|wait| wait <= LONGEST_WAIT);
    if status == Some(429) && !waits && rules::says_used_up(&said) {
        return ErrorClass::Quota;
    }
    if codes().any(|code| rules::refuses_key(&code, &said)) {
        return ErrorClass::Auth;
    }
    if let Some(class) = codes().find_map(|code| rules::code(&code)) {
        return class;
    }
    if let Some(class) = rules::words(status, &said) {
        return class;
    }
    if envelope.names_model && matches!(status, Some(400 | 422)) {
        return ErrorClass::NotFound;
    }
    // Cerebras answers a prompt that does not fit with a bare 400.
    if family == ErrorFamily::Cerebras && status == Some(400) && envelope.is_empty {
        return ErrorClass::TooLarge;
    }
    if family == ErrorFamily::Zenmux && status == Some(403) {
        return ErrorClass::Auth;
    }
    match status {
        Some(status) => self::status(status),
        None => codes().find_map(|code| rules::broad_code(&code)).unwrap_or(ErrorClass::ProviderFault),
    }
}
