//! What a request is changed by after an endpoint has refused one of its parameters by name: pure, and never a wish of
//! the user's. What nobody asked for is left out; what somebody did ask for is said in the dialect's other word for it.

use std::fmt;

use bytes::Bytes;
use serde_json::{Map, Value};

use super::UpstreamError;
use crate::observe::ErrorClass;

/// One change to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adaptation {
    /// A parameter of our own is left out.
    Without(&'static str),
    /// A wish goes under the other of its two names.
    Instead {
        /// The name that is refused.
        of: &'static str,
        /// The name that is used.
        put: &'static str,
    },
}

impl Adaptation {
    /// Every change that is ever made.
    pub const ALL: [Self; 3] = [
        // Nobody's wish: it asks for usage, without which the cost is not known, and that is said.
        Self::Without("stream_options"),
        Self::Instead { of: "max_tokens", put: "max_completion_tokens" },
        Self::Instead { of: "max_completion_tokens", put: "max_tokens" },
    ];

    /// The change of that text, as [`Display`](fmt::Display) writes it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.to_string() == text)
    }

    /// Makes the change in the body of an encoded request, where it applies.
    pub fn apply(self, request: &mut http::Request<Bytes>) {
        let Ok(Value::Object(body)) = serde_json::from_slice(request.body()) else { return };
        let renamed = |name: String| match self {
            Self::Without(gone) => (name != gone).then_some(name),
            Self::Instead { of, put } => Some(if name == of { put.to_owned() } else { name }),
        };
        // The order stays: some servers cache by their bytes.
        let body: Map<String, Value> =
            body.into_iter().filter_map(|(name, value)| Some((renamed(name)?, value))).collect();
        *request.body_mut() = Bytes::from(Value::Object(body).to_string());
    }

    /// Whether a failure is about this very change: a name that an endpoint took once and takes no more.
    #[must_use]
    pub fn is_refused(self, error: &UpstreamError) -> bool {
        match self {
            Self::Without(_) => false,
            Self::Instead { of, put } => refuses(error, put, of),
        }
    }
}

impl fmt::Display for Adaptation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Without(name) => write!(f, "without {name}"),
            Self::Instead { of, put } => write!(f, "with {put} in place of {of}"),
        }
    }
}

/// Whether a failure is about our request and names a parameter.
pub(super) fn names(error: &UpstreamError, parameter: &str) -> bool {
    let ours = matches!(error.class, ErrorClass::Invalid | ErrorClass::Unsupported);
    let is_sign = |sign: char| !sign.is_ascii_alphanumeric() && sign != '_';
    ours && error.message.split(is_sign).any(|word| word.eq_ignore_ascii_case(parameter))
}

/// Whether a failure refuses a parameter's name, and not its value: it says that it is not taken, or names the other word.
pub(super) fn refuses(error: &UpstreamError, parameter: &str, other: &str) -> bool {
    names(error, parameter) && (error.class == ErrorClass::Unsupported || names(error, other))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(class: ErrorClass, message: &str) -> UpstreamError {
        UpstreamError { class, message: message.into(), code: None, retry_after: None, request_id: None }
    }

    #[test]
    fn a_change_is_read_back_from_its_text() {
        for change in Adaptation::ALL {
            assert_eq!(Adaptation::parse(&change.to_string()), Some(change));
        }
        assert_eq!(Adaptation::parse("without temperature"), None, "a wish is never left out");
    }

    #[test]
    fn the_body_keeps_its_order_and_its_literals() {
        let changed = |change: Adaptation, body: &'static str| {
            let mut request = http::Request::new(Bytes::from(body));
            change.apply(&mut request);
            String::from_utf8(request.body().to_vec()).unwrap()
        };
        let body = r#"{"model":"m","stream_options":{"include_usage":true},"max_tokens":5,"temperature":0.10}"#;
        let without = r#"{"model":"m","max_tokens":5,"temperature":0.10}"#;
        assert_eq!(changed(Adaptation::ALL[0], body), without);
        let renamed = r#"{"model":"m","max_completion_tokens":5,"temperature":0.10}"#;
        assert_eq!(changed(Adaptation::ALL[1], without), renamed);
        assert_eq!(changed(Adaptation::ALL[2], renamed), without);
        assert_eq!(changed(Adaptation::ALL[0], "not JSON"), "not JSON");
    }

    #[test]
    fn a_name_is_refused_and_a_value_is_not() {
        use ErrorClass::{Invalid, RateLimited, Unsupported};
        let refused = |class, said| refuses(&error(class, said), "max_tokens", "max_completion_tokens");
        assert!(refused(Unsupported, "Unsupported parameter: 'max_tokens'"));
        assert!(refused(Invalid, "Use 'max_completion_tokens' instead of `max_tokens`."));
        assert!(!refused(Invalid, "max_tokens: 100000 > 8192"));
        assert!(!refused(Unsupported, "Unsupported parameter: 'max_completion_tokens'"));
        assert!(!refused(RateLimited, "max_tokens: Use max_completion_tokens"));
        let back = Adaptation::Instead { of: "max_tokens", put: "max_completion_tokens" };
        assert!(back.is_refused(&error(Unsupported, "unknown field max_completion_tokens")));
    }
}
