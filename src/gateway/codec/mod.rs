//! What clients say and hear, one dialect a folder: from JSON to the canonical form, and from events back to JSON.

pub(crate) mod json;
pub(crate) mod media;
pub mod openai;
pub mod options;
pub mod prices;

use serde_json::Value;

use super::problem::Problem;
use crate::catalog::{Origin, Usage};
use crate::chat::ChatEvent;
use crate::units::Usd;

/// How an answer ended, for whoever writes its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// The decision's id: 32 hex digits.
    pub id: String,
    /// When it was decided, in seconds since 1970.
    pub created: i64,
    /// The model that was asked for.
    pub model: String,
    /// Who answered.
    pub provider: String,
    /// Who made its signatures, where it has any.
    pub maker: Option<Origin>,
    /// What was used, as reported.
    pub usage: Option<Usage>,
    /// What it cost in USD: the provider's own bill, else by the price sheet; `None` is not known.
    pub cost: Option<Usd>,
    /// How it was routed, where the client asked to be told.
    pub metadata: Option<Value>,
}

impl Ended {
    /// The id that the answer carries.
    #[must_use]
    pub fn answer_id(&self) -> String {
        answer_id(&self.id)
    }
}

/// The id of an answer, by that of its decision.
#[must_use]
pub fn answer_id(decision: &str) -> String {
    format!("chatcmpl-{decision}")
}

/// How a dialect streams an answer: pieces of server-sent events, each whole.
pub trait Stream {
    /// Another model than before is asked, before anything of an answer has come: its answer has this id, and was begun at
    /// that second.
    fn falls_back(&mut self, decision: &str, created: i64, model: &str);
    /// One event of the answer.
    fn event(&mut self, event: &ChatEvent, out: &mut String);
    /// The answer is whole.
    fn end(&mut self, ended: &Ended, out: &mut String);
    /// It broke off: what follows is never mistaken for an end.
    fn failed(&mut self, problem: &Problem, out: &mut String);
    /// Nothing has come for a while.
    fn alive(&mut self, out: &mut String);
}

/// Writes a JSON string.
pub(crate) fn quote(text: &str, out: &mut String) {
    let plain = text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
    if plain {
        out.extend(["\"", text, "\""]);
    } else {
        out.push_str(&Value::from(text).to_string());
    }
}

/// A JSON string.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    quote(text, &mut out);
    out
}

/// A number with exactly these characters; text that is no number becomes a string, so that nothing is lost.
pub(crate) fn literal(text: &str) -> Value {
    text.parse::<serde_json::Number>().map_or_else(|_| text.into(), Value::Number)
}
