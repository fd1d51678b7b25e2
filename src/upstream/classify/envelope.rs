//! The shapes in which providers wrap an error, read into one.

use std::time::Duration;

use serde_json::{Map, Value};

use super::{hints, text};

/// One error body, whatever its shape.
#[derive(Debug, Default)]
pub(super) struct Envelope {
    /// The provider's words, not yet cleaned; markup is already folded away.
    pub(super) message: String,
    /// Codes and types, the most specific first. MiniMax's numbers are written `minimax:1004`.
    pub(super) codes: Vec<String>,
    /// The request's id, where the body has it.
    pub(super) request_id: Option<String>,
    /// A wait that the body asks for.
    pub(super) retry_after: Option<Duration>,
    /// Whether the error is about the parameter `model`.
    pub(super) names_model: bool,
    /// Whether it names a quota of the day that is used up; a wait beside it is of a smaller window.
    pub(super) is_daily: bool,
    /// What AWS calls the failure (`__type`).
    pub(super) aws_type: Option<String>,
    /// Whether there was no body at all.
    pub(super) is_empty: bool,
}

/// What marks a number of MiniMax's among the codes.
const MINIMAX: &str = "minimax:";
/// Where a message may lie in an object, in the order in which it is believed.
const MESSAGE_KEYS: [&str; 8] =
    ["message", "Message", "msg", "status_msg", "detail", "error", "error_message", "title"];
/// Where a code may lie in an object, the most specific first.
const CODE_KEYS: [&str; 6] = ["code", "error_code", "type", "error_type", "status", "reason"];
/// Objects inside an error that hold a code more specific than its own.
const INNER_KEYS: [&str; 4] = ["availability", "details", "innererror", "metadata"];
/// What names a quota in Google's `QuotaFailure`.
const QUOTA_KEYS: [&str; 2] = ["quotaId", "quotaMetric"];

impl Envelope {
    pub(super) fn read(body: &[u8]) -> Self {
        let raw = String::from_utf8_lossy(body);
        let raw = raw.trim_start_matches('\u{feff}').trim();
        let mut envelope = Self { is_empty: raw.is_empty(), ..Self::default() };
        match serde_json::from_str::<Value>(raw) {
            Ok(value) => envelope.take(&value),
            Err(_) => envelope.message = text::folded(raw),
        }
        envelope
    }

    /// What to show as the provider's code: the most specific one that is not merely an HTTP status.
    pub(super) fn code(&self) -> Option<&str> {
        let telling = self.codes.iter().find(|code| http_status(code).is_none());
        let code = telling.or(self.codes.first())?;
        Some(code.strip_prefix(MINIMAX).unwrap_or(code))
    }

    /// The HTTP status that a code stands for, where there is one.
    pub(super) fn status(&self) -> Option<u16> {
        self.codes.iter().find_map(|code| http_status(code))
    }

    fn take(&mut self, value: &Value) {
        match value {
            // Google wraps its error in a list.
            Value::Array(items) => items.iter().take(1).for_each(|item| self.take(item)),
            Value::Object(object) => self.take_outer(object),
            Value::String(message) => self.message = text::folded(message),
            _ => {}
        }
    }

    fn take_outer(&mut self, outer: &Map<String, Value>) {
        self.request_id = ["request_id", "requestId", "trace_id"].iter().find_map(|key| text_of(outer.get(*key)?));
        self.aws_type = outer.get("__type").and_then(text_of);
        let base = outer.get("base_resp").and_then(Value::as_object);
        let number = base.and_then(|base| text_of(base.get("status_code")?)).filter(|number| number != "0");
        if let (Some(base), Some(number)) = (base, number) {
            self.codes.push(format!("{MINIMAX}{number}"));
            self.message = message_of(base);
            return;
        }
        // Cloudflare and watsonx list their errors.
        let listed = outer.get("errors").and_then(Value::as_array).and_then(|errors| errors.first());
        match outer.get("error").or(listed) {
            Some(Value::Object(error)) => {
                self.take_error(error);
                self.take_codes(outer);
            }
            Some(Value::Array(errors)) if !errors.is_empty() => self.take(&errors[0]),
            _ => self.take_error(outer),
        }
        if self.message.is_empty() {
            self.message = message_of(outer);
        }
    }

    fn take_error(&mut self, error: &Map<String, Value>) {
        self.message = message_of(error);
        self.names_model = error.get("param").and_then(Value::as_str) == Some("model");
        for key in INNER_KEYS {
            match error.get(key) {
                Some(Value::Object(inner)) => self.take_inner(inner),
                Some(Value::Array(items)) => {
                    items.iter().filter_map(Value::as_object).for_each(|inner| self.take_inner(inner))
                }
                _ => {}
            }
        }
        self.take_codes(error);
    }

    fn take_inner(&mut self, inner: &Map<String, Value>) {
        self.take_codes(inner);
        if let Some(wait) = inner.get("retry_after").or_else(|| inner.get("retry_after_seconds")).and_then(text_of) {
            self.retry_after = self.retry_after.or(hints::seconds(&wait));
        }
        if let Some(wait) = inner.get("retryDelay").and_then(Value::as_str) {
            self.retry_after = self.retry_after.or(hints::span(wait));
        }
        if let Some(violations) = inner.get("violations").and_then(Value::as_array) {
            let named = violations.iter().flat_map(|one| QUOTA_KEYS.iter().filter_map(|key| one.get(*key)?.as_str()));
            self.is_daily |= named.into_iter().any(|quota| quota.contains("PerDay") || quota.contains("per_day"));
        }
        // OpenRouter quotes the words of whoever serves it, which say more than its own.
        if let Some(raw) = inner.get("raw").and_then(Value::as_str).filter(|raw| !raw.is_empty()) {
            self.message = format!("{}: {}", self.message, message_in(raw));
        }
    }

    fn take_codes(&mut self, object: &Map<String, Value>) {
        self.codes.extend(CODE_KEYS.iter().filter_map(|key| text_of(object.get(*key)?)));
    }
}

fn http_status(code: &str) -> Option<u16> {
    code.parse().ok().filter(|status| (400..=599).contains(status))
}

/// A message that is itself JSON, or plain.
fn message_in(raw: &str) -> String {
    match serde_json::from_str::<Value>(raw) {
        Ok(Value::Object(object)) => match object.get("error").and_then(Value::as_object) {
            Some(error) => message_of(error),
            None => message_of(&object),
        },
        _ => text::folded(raw),
    }
}

fn message_of(object: &Map<String, Value>) -> String {
    let found = MESSAGE_KEYS.iter().filter_map(|key| object.get(*key)).map(words).find(|words| !words.is_empty());
    text::folded(&found.unwrap_or_default())
}

/// The words in a value: a string, or the messages of validation errors (`{detail:[{loc, msg, type}]}`).
fn words(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(words).filter(|text| !text.is_empty()).collect::<Vec<_>>().join("; "),
        Value::Object(object) => {
            let message =
                MESSAGE_KEYS.iter().filter_map(|key| object.get(*key)).map(words).find(|text| !text.is_empty());
            let place = object.get("loc").and_then(Value::as_array).map(|path| {
                path.iter().filter_map(text_of).filter(|step| step != "body").collect::<Vec<_>>().join(".")
            });
            let kind = object.get("type").and_then(Value::as_str).filter(|kind| *kind == "extra_forbidden");
            [place.as_deref(), message.as_deref(), kind].into_iter().flatten().collect::<Vec<_>>().join(" ")
        }
        _ => String::new(),
    }
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
