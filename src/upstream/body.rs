//! What encoding and decoding of all JSON dialects have in common.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, header};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Call, DecodeError, EncodeError, classify};
use crate::catalog::ErrorFamily;

/// Lays a caller's own parameters over a body; those that are reserved keep their place.
pub(super) fn merge(body: &mut Map<String, Value>, extra: &Map<String, Value>, reserved: &[&str]) {
    for (name, value) in extra.iter().filter(|(name, _)| !reserved.contains(&name.as_str())) {
        body.insert(name.clone(), value.clone());
    }
}

/// Signs that a model id may hold in a path as they are; all others are percent-encoded.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'@');

/// A model id as one segment of a path: `@` stays, `:` becomes `%3A`.
///
/// # Errors
/// It could lead elsewhere: it is empty, or holds `..`, `/`, `\`, `%`, `?`, `#`, a space or a control character.
pub(super) fn path_segment(id: &str) -> Result<String, EncodeError> {
    let leads_elsewhere =
        |sign: char| matches!(sign, '/' | '\\' | '%' | '?' | '#') || sign.is_whitespace() || sign.is_control();
    if id.is_empty() || id == "." || id.contains("..") || id.contains(leads_elsewhere) {
        return Err(EncodeError::UnsafeModelId(id.to_owned()));
    }
    Ok(utf8_percent_encode(id, PLAIN).to_string())
}

/// A POST of a JSON body to a path below the base URL, with the provider's headers and no credential.
pub(super) fn post(call: &Call<'_>, path: &str, body: &impl Serialize) -> Result<Request<Bytes>, EncodeError> {
    let url = format!("{}{path}", call.base_url);
    let bad_url = || EncodeError::BadUrl(shown(call.base_url));
    let uri: http::Uri = url.try_into().map_err(|_| bad_url())?;
    let is_http = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty());
    // A query or a fragment in the base would swallow the path; a password in it would be shown wherever the URL is.
    let has_user = uri.authority().is_some_and(|authority| authority.as_str().contains('@'));
    if !is_http || has_user || call.base_url.bytes().any(|byte| matches!(byte, b'?' | b'#')) {
        return Err(bad_url());
    }
    let accept = if call.request.stream { "text/event-stream" } else { "application/json" };
    // No body has keys that are no text, which is all that could fail.
    let mut request = Request::new(Bytes::from(serde_json::to_vec(body).unwrap_or_default()));
    *request.method_mut() = Method::POST;
    *request.uri_mut() = uri;
    let headers = request.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
    headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("openmux/", env!("CARGO_PKG_VERSION"))));
    for (name, value) in &call.provider.headers {
        let bad_header = || EncodeError::BadHeader(name.clone());
        let name = http::HeaderName::try_from(name).map_err(|_| bad_header())?;
        headers.insert(name, HeaderValue::try_from(value).map_err(|_| bad_header())?);
    }
    Ok(request)
}

/// A URL for people, without what may be secret in it: a user and password, a query, a fragment.
pub(crate) fn shown(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").map_or(("", url), |(scheme, rest)| (scheme, rest));
    let scheme = if scheme.is_empty() { String::new() } else { format!("{scheme}://") };
    let (place, more) = rest.find(['?', '#']).map_or((rest, ""), |at| (rest.get(..at).unwrap_or_default(), "?…"));
    let (authority, path) = place.find('/').map_or((place, ""), |at| place.split_at(at));
    let host = authority.rsplit_once('@').map_or_else(|| authority.to_owned(), |(_, host)| format!("…@{host}"));
    format!("{scheme}{host}{path}{more}")
}

/// An error of the decoder about a piece of JSON: one that merely stops is cut off, any other is corrupt.
pub(super) fn unreadable(what: &str, error: &serde_json::Error) -> DecodeError {
    if error.is_eof() {
        return DecodeError::Truncated;
    }
    DecodeError::Corrupt(format!("{what} cannot be read: {error}"))
}

/// The text of an answer, where what is no text is replaced.
pub(super) fn text(answer: &[u8]) -> Cow<'_, str> {
    // To find out that it is all text takes less than to look for what is none.
    std::str::from_utf8(answer).map_or_else(|_| String::from_utf8_lossy(answer), Cow::Borrowed)
}

/// A chunk of an answer, or a whole one: an object. What `is_failure` is one of the provider's, also where it stands in a
/// list, as Google's errors do even where the answer would be an object.
///
/// # Errors
/// It is cut off or corrupt, or it reports a failure, as it does for sure with `is_error`.
pub(super) fn chunk<T: DeserializeOwned>(
    text: &str,
    (family, is_error): (ErrorFamily, bool),
    is_failure: impl FnOnce(&T) -> bool,
) -> Result<T, DecodeError> {
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.is_empty() {
        return Err(DecodeError::Truncated);
    }
    let listed = || serde_json::from_str::<Vec<Value>>(text).ok();
    let is_listed = |items: Vec<Value>| items.iter().filter_map(|item| item.get("error")).any(is_said);
    if is_error || (text.starts_with('[') && listed().is_some_and(is_listed)) {
        return Err(failed(family, text));
    }
    // Serde would read a list as the fields in order.
    if !text.starts_with('{') {
        return Err(DecodeError::Corrupt("the answer is not a JSON object".to_owned()));
    }
    let chunk: T = serde_json::from_str(text).map_err(|error| unreadable("the answer", &error))?;
    if is_failure(&chunk) { Err(failed(family, text)) } else { Ok(chunk) }
}

/// Whether a field of an error says anything: `"error": null` is no error.
pub(super) fn is_said(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !text.is_empty(),
        Value::Object(object) => !object.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => true,
    }
}

/// The in-band failure of a provider.
pub(super) fn failed(family: ErrorFamily, body: &str) -> DecodeError {
    DecodeError::Upstream(classify::in_band(family, body.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_be_secret_in_a_url_is_not_shown() {
        for (url, expected) in [
            ("http://h:1/v1", "http://h:1/v1"),
            ("h/v1?key=canary", "h/v1?…"),
            ("https://u:canary@h/v1#canary", "https://…@h/v1?…"),
            ("u:canary@h", "…@h"),
            ("", ""),
        ] {
            assert_eq!(shown(url), expected);
        }
    }

    #[test]
    fn a_model_id_stays_one_segment() {
        for (id, segment) in [
            ("claude-sonnet-4@20250514", "claude-sonnet-4@20250514"),
            ("claude-sonnet-5@default", "claude-sonnet-5@default"),
            ("a:b;c=d", "a%3Ab%3Bc%3Dd"),
            ("modèle", "mod%C3%A8le"),
        ] {
            assert_eq!(path_segment(id).as_deref(), Ok(segment));
        }
        for id in ["", ".", "..", "a/../b", "a..b", "a/b", "a%2Fb", "a?b", "a#b", "a\\b", "a b", "a\nb"] {
            assert_eq!(path_segment(id), Err(EncodeError::UnsafeModelId(id.to_owned())), "{id}");
        }
    }
}
