//! One attempt as bytes, with its secrets taken out, for whoever keeps recordings. The library writes none.

use http::{HeaderMap, HeaderName, Uri};
use jiff::Timestamp;

use crate::catalog::{EndpointId, Protocol};
use crate::chat::ChatRequest;
use crate::observe::ErrorClass;
use crate::upstream::auth::Secret;

/// What stands in the place of a secret.
const GONE: &str = "[redacted]";

/// One attempt as bytes. It holds no credential: headers and query values that carry one are replaced, and so is the key
/// wherever else it occurs. It does hold the prompt and the answer.
#[derive(Debug, Clone)]
pub struct Recording {
    /// Which endpoint was called.
    pub endpoint: EndpointId,
    /// The dialect that was spoken.
    pub protocol: Protocol,
    /// When the attempt began.
    pub at: Timestamp,
    /// How it ended.
    pub class: ErrorClass,
    /// What was asked, of which the body is made.
    pub asked: ChatRequest,
    /// The method.
    pub method: String,
    /// The address, with the values of its query replaced but for the few that say how to answer.
    pub url: String,
    /// The headers that were sent, in lower case; `[redacted]` stands for a credential.
    pub headers: Vec<(String, String)>,
    /// The body that was sent.
    pub body: Vec<u8>,
    /// What came back; `None` where no response came.
    pub response: Option<RecordedResponse>,
}

/// What came back, as far as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordedResponse {
    /// The HTTP status.
    pub status: u16,
    /// The headers, in lower case; those that name an account or carry a credential are replaced.
    pub headers: Vec<(String, String)>,
    /// The bytes of the body, as read: up to the provider's own end, or to where the attempt broke off.
    pub body: Vec<u8>,
}

impl Recording {
    pub(super) fn new(
        (endpoint, protocol): (EndpointId, Protocol),
        (at, class): (Timestamp, ErrorClass),
        (asked, sent): (&ChatRequest, &http::Request<bytes::Bytes>),
        came: Option<(http::response::Parts, Vec<u8>)>,
        secrets: &[Secret],
    ) -> Self {
        let clean = |bytes: &[u8]| secrets.iter().fold(bytes.to_vec(), |bytes, secret| secret.redact_bytes(&bytes));
        Self {
            endpoint,
            protocol,
            at,
            class,
            asked: asked.clone(),
            method: sent.method().to_string(),
            url: text(&clean(scrubbed(sent.uri()).as_bytes())),
            headers: headers(sent.headers(), &clean),
            body: clean(sent.body()),
            response: came.map(|(head, body)| RecordedResponse {
                status: head.status.as_u16(),
                headers: headers(&head.headers, &clean),
                body: clean(&body),
            }),
        }
    }
}

/// Headers in order of their names; what could be a secret is replaced.
fn headers(map: &HeaderMap, clean: &dyn Fn(&[u8]) -> Vec<u8>) -> Vec<(String, String)> {
    let one = |(name, value): (&HeaderName, &http::HeaderValue)| {
        let hidden = value.is_sensitive() || is_secret(name.as_str());
        let shown = if hidden { GONE.to_owned() } else { text(&clean(value.as_bytes())) };
        (name.as_str().to_owned(), shown)
    };
    let mut headers: Vec<(String, String)> = map.iter().map(one).collect();
    headers.sort();
    headers
}

/// Whether a name is that of a credential, or tells whose account it is. Rate limits count tokens, which are none.
fn is_secret(name: &str) -> bool {
    const WORDS: [&str; 14] = [
        "auth",
        "api-key",
        "apikey",
        "goog-api",
        "secret",
        "cookie",
        "signature",
        "security-token",
        "session",
        "account",
        "organization",
        "project",
        "credential",
        "user-id",
    ];
    let limit = name.contains("ratelimit") || name.contains("rate-limit");
    !limit && (WORDS.iter().any(|word| name.contains(word)) || name.ends_with("token") || name.ends_with("key"))
}

/// An address with the values of its query replaced: keys and signatures travel there too.
fn scrubbed(uri: &Uri) -> String {
    const HARMLESS: [&str; 3] = ["alt", "api-version", "beta"];
    let whole = uri.to_string();
    let Some((before, query)) = whole.split_once('?') else { return whole };
    let pair = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if !HARMLESS.contains(&name) => format!("{name}={GONE}"),
        _ => pair.to_owned(),
    };
    format!("{before}?{}", query.split('&').map(pair).collect::<Vec<_>>().join("&"))
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_left_in_a_recording() {
        let key = "sk-canary-0123456789";
        let mut request =
            http::Request::builder().uri(format!("https://h.example/v1/x?alt=sse&key={key}&X-Amz-Signature=abc"));
        for name in [
            "authorization",
            "x-api-key",
            "api-key",
            "x-goog-api-key",
            "cookie",
            "x-amz-security-token",
            "x-goog-user-project",
            "proxy-authorization",
        ] {
            request = request.header(name, "hidden-0");
        }
        let request = request.header("x-note", format!("has {key}")).header("content-type", "application/json");
        let request = request.body(bytes::Bytes::from(format!("{{\"echo\":\"{key}\"}}"))).unwrap();
        let response = http::Response::builder()
            .status(401)
            .header("set-cookie", "hidden-1")
            .header("openai-organization", "hidden-2")
            .header("anthropic-ratelimit-tokens-remaining", "7")
            .body(())
            .unwrap();
        let endpoint =
            EndpointId { provider: crate::catalog::ProviderId::new("example"), upstream_model: "m".to_owned() };
        let recording = Recording::new(
            (endpoint, Protocol::OpenaiChat),
            (Timestamp::UNIX_EPOCH, ErrorClass::Auth),
            (&ChatRequest::new(crate::catalog::ModelId::new("a/b"), Vec::new()), &request),
            Some((response.into_parts().0, format!("bad key {key}").into_bytes())),
            &[Secret::new(key)],
        );
        let body = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let response = recording.response.clone().unwrap();
        let all = format!("{recording:?}{}{}", body(&recording.body), body(&response.body));
        assert!(!all.contains("canary") && !all.contains("hidden-") && !all.contains("=abc"), "{all}");
        assert_eq!(recording.url, "https://h.example/v1/x?alt=sse&key=[redacted]&X-Amz-Signature=[redacted]");
        assert!(recording.headers.contains(&("x-note".to_owned(), "has [redacted]".to_owned())));
        assert_eq!(response.headers[0], ("anthropic-ratelimit-tokens-remaining".to_owned(), "7".to_owned()));
        assert_eq!(body(&response.body), "bad key [redacted]");
    }
}
