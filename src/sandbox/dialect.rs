//! What the two protocols have in common: what is asked, what is answered, and how a failure is told.

use http::HeaderMap;
use serde_json::Value;

use super::anthropic::AnthropicMessages;
use super::openai::OpenaiChat;
use crate::catalog::Protocol;

/// When `created` says an answer was made: a fixed instant, since nothing here reads a clock.
pub(super) const CREATED: u64 = 1_767_225_600;

/// One chat request, as far as it shapes the reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ask {
    /// The model, echoed.
    pub(super) model: String,
    /// Whether the answer is streamed.
    pub(super) stream: bool,
    /// Whether a streamed answer reports its usage.
    pub(super) stream_usage: bool,
    /// The output limit, in tokens.
    pub(super) max_tokens: Option<u64>,
    /// A quarter of the bytes of all texts, rounded up.
    pub(super) input_tokens: u64,
    /// The first parameter in it that `refuse-parameter` refuses.
    pub(super) refusable: Option<&'static str>,
}

/// Why an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finish {
    /// It is complete.
    Stop,
    /// It reached the output limit.
    Length,
    /// It does not say.
    Unsaid,
}

/// One answer, before it is put into a protocol.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) ask: &'a Ask,
    /// What ids are made of: 16 hexadecimal digits.
    pub(super) id: String,
    /// The text, one token a piece.
    pub(super) pieces: Vec<String>,
    pub(super) finish: Finish,
    /// Whether this provider reports usage at all.
    pub(super) reports_usage: bool,
}

impl Answer<'_> {
    /// How many tokens the answer has.
    pub(super) fn output_tokens(&self) -> u64 {
        self.pieces.len() as u64
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    NoKey,
    WrongKey,
    NoSuchPath {
        method: String,
        path: String,
    },
    NoSuchModel {
        model: String,
    },
    /// The request is at fault; `parameter` is the field that is named in the envelope.
    Invalid {
        parameter: Option<&'static str>,
        message: String,
    },
    /// The parameter is fine elsewhere, but not at this model.
    Unsupported {
        parameter: &'static str,
    },
    TooLarge,
    RateLimited {
        model: String,
    },
    Quota,
    Server,
    Overloaded,
}

/// One wire dialect, seen from the provider's side. Everything in it is pure.
pub(super) trait Dialect: Send + Sync {
    /// What the client appends to the base URL for a chat.
    fn chat_path(&self) -> &'static str;

    /// The header in which a response carries its id.
    fn request_id_header(&self) -> &'static str;

    /// What is asked, or what is wrong with the request.
    fn ask(&self, headers: &HeaderMap, body: &Value) -> Result<Ask, Failure>;

    /// The HTTP status and the envelope of a failure.
    fn failure(&self, failure: &Failure, request_id: &str) -> (u16, Value);

    /// The list of models.
    fn models(&self) -> Value;

    /// The body of an answer that is not streamed.
    fn whole(&self, answer: &Answer<'_>) -> Value;

    /// What a stream begins with, before the first token.
    fn opening(&self, answer: &Answer<'_>) -> String;

    /// One token of a stream.
    fn token(&self, answer: &Answer<'_>, piece: &str) -> String;

    /// What a complete stream ends with.
    fn closing(&self, answer: &Answer<'_>) -> String;

    /// A failure inside a stream, and whatever the provider sends after it.
    fn error_event(&self, failure: &Failure, request_id: &str) -> String;
}

/// The dialect of a protocol; `None` where the sandbox does not speak it.
pub(super) fn dialect(protocol: Protocol) -> Option<&'static dyn Dialect> {
    match protocol {
        Protocol::OpenaiChat => Some(&OpenaiChat),
        Protocol::AnthropicMessages => Some(&AnthropicMessages),
        _ => None,
    }
}

/// The model that is asked for, which neither protocol can do without.
pub(super) fn model(body: &Value) -> Option<&str> {
    body.get("model").and_then(Value::as_str).filter(|model| !model.is_empty())
}

/// Whether the field is there and not `null`.
pub(super) fn has(body: &Value, field: &str) -> bool {
    body.get(field).is_some_and(|value| !value.is_null())
}

/// The first of `fields` that the request carries.
pub(super) fn first_of(body: &Value, fields: &[&'static str]) -> Option<&'static str> {
    fields.iter().copied().find(|field| has(body, field))
}

/// An output limit; `Err` where it is none.
pub(super) fn output_limit(body: &Value, field: &'static str) -> Result<Option<u64>, ()> {
    match body.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_u64().filter(|limit| *limit > 0).map(Some).ok_or(()),
    }
}

/// A quarter of the bytes of the texts in `contents` (strings, or lists of parts with a `text`), rounded up.
pub(super) fn input_tokens<'a>(contents: impl Iterator<Item = &'a Value>) -> u64 {
    let bytes: usize = contents.map(text_bytes).sum();
    (bytes as u64).div_ceil(4).max(1)
}

fn text_bytes(content: &Value) -> usize {
    match content {
        Value::String(text) => text.len(),
        Value::Array(parts) => parts.iter().filter_map(|part| part.get("text")).map(text_bytes).sum(),
        _ => 0,
    }
}
