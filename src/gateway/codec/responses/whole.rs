//! A whole response, and what it used, as OpenAI writes them.

use serde_json::{Map, Value, json};

use super::super::answer::{Answer, Call, Piece};
use super::super::members::written;
use super::super::openai::whole::usage as chat_usage;
use super::super::signed::signed;
use super::super::{Dialect, Ended, Stream, Voice, details};
use super::stream::Items;
use super::tools::Grouped;
use crate::chat::{ChatEvent, Finish};
use crate::gateway::problem::Problem;

/// How a request's answer is put.
#[derive(Debug, Clone, Default)]
pub struct Responses {
    /// What a response repeats of its request.
    pub echo: Map<String, Value>,
    /// Which functions stand in groups.
    pub grouped: Grouped,
}

impl Voice for Responses {
    fn whole(&self, events: &[ChatEvent], ended: &Ended) -> String {
        let answer = Answer::of(events);
        let pieces = answer.pieces().enumerate();
        let output = pieces.map(|(index, piece)| match piece {
            Piece::Text(text) => message(&ended.id, index, text_part(text)),
            Piece::Refusal(text) => message(&ended.id, index, refusal_part(text)),
            Piece::Item(item) => item.clone(),
            Piece::Thought(text, signature) => thought(&ended.id, index, text, signature),
            Piece::Call(call) => {
                let id = signed(&call.id, call.signature.as_deref()).into_owned();
                function_call(&ended.id, index, &Call { id, signature: None, ..call }, &self.grouped)
            }
        });
        let output = output.collect();
        let document = Document { echo: &self.echo, decision: &ended.id, created: ended.created, model: &ended.model };
        written(&document.ended(output, ended))
    }

    fn stream(&self, decision: &str, created: i64, model: &str) -> Box<dyn Stream> {
        Box::new(Items::new(self.clone(), decision, created, model))
    }
}

/// What every form of a response holds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Document<'a> {
    pub(super) echo: &'a Map<String, Value>,
    pub(super) decision: &'a str,
    pub(super) created: i64,
    pub(super) model: &'a str,
}

impl Document<'_> {
    /// A response in this state.
    pub(super) fn of(&self, status: &str, output: Vec<Value>) -> Map<String, Value> {
        let mut document = Map::new();
        let mut put = |name: &str, value: Value| {
            document.insert(name.to_owned(), value);
        };
        put("id", Dialect::OpenaiResponses.answer_id(self.decision).into());
        put("object", "response".into());
        put("created_at", self.created.into());
        put("status", status.into());
        put("model", self.model.into());
        put("error", Value::Null);
        put("incomplete_details", Value::Null);
        put("output", output.into());
        put("usage", Value::Null);
        document.extend(self.echo.clone());
        document
    }

    /// A response that has ended.
    pub(super) fn ended(&self, output: Vec<Value>, ended: &Ended) -> Map<String, Value> {
        let reason = match ended.finish {
            Some((Finish::Length, _)) => Some("max_output_tokens"),
            Some((Finish::Filter, _)) => Some("content_filter"),
            _ => None,
        };
        let mut document = self.of(if reason.is_some() { "incomplete" } else { "completed" }, output);
        if let Some(reason) = reason {
            document.insert("incomplete_details".to_owned(), json!({ "reason": reason }));
        }
        document.extend(usage(ended));
        document.insert("provider".to_owned(), ended.provider.as_str().into());
        if !ended.dropped.is_empty() {
            document.insert("dropped".to_owned(), ended.dropped.clone().into());
        }
        if let Some(metadata) = &ended.metadata {
            document.insert("openmux".to_owned(), metadata.clone());
        }
        document
    }

    /// A response that failed.
    pub(super) fn failed(&self, problem: &Problem, output: Vec<Value>) -> Map<String, Value> {
        let mut document = self.of("failed", output);
        let mut error = details(problem);
        error.insert("message".to_owned(), problem.message.as_str().into());
        document.insert("error".to_owned(), error.into());
        document
    }
}

/// An item's id.
pub(super) fn item_id(kind: &str, decision: &str, index: usize) -> String {
    format!("{kind}_{decision}_{index}")
}

/// What the model says, or how it refuses.
pub(super) fn message(decision: &str, index: usize, part: Value) -> Value {
    json!({
        "id": item_id("msg", decision, index), "type": "message", "status": "completed", "role": "assistant",
        "content": [part],
    })
}

/// A piece of how it refuses.
pub(super) fn refusal_part(text: &str) -> Value {
    json!({ "type": "refusal", "refusal": text })
}

/// A piece of what it says.
pub(super) fn text_part(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

/// What the model thinks, with what its maker wants back.
pub(super) fn thought(decision: &str, index: usize, text: &str, signature: Option<&str>) -> Value {
    let summary = (!text.is_empty()).then(|| summary_part(text));
    json!({
        "id": item_id("rs", decision, index), "type": "reasoning",
        "summary": summary.into_iter().collect::<Vec<_>>(), "encrypted_content": signature,
    })
}

/// A piece of what it thinks.
pub(super) fn summary_part(text: &str) -> Value {
    json!({ "type": "summary_text", "text": text })
}

/// A call of a tool; what it is signed with is in its id, where that was known in time.
pub(super) fn function_call(decision: &str, index: usize, call: &Call, grouped: &Grouped) -> Value {
    let arguments = if call.arguments.trim().is_empty() { "{}" } else { &call.arguments };
    let mut item = json!({
        "id": item_id("fc", decision, index), "type": "function_call", "status": "completed", "call_id": call.id,
        "name": call.name, "arguments": arguments,
    });
    if let (Some(signature), Value::Object(item)) = (&call.signature, &mut item) {
        item.insert("signature".to_owned(), signature.as_str().into());
    }
    regroup(&mut item, grouped);
    item
}

/// Calls a function by its name in the group that it stands in.
pub(super) fn regroup(item: &mut Value, grouped: &Grouped) {
    if let Some((group, name)) = item["name"].as_str().and_then(|name| grouped.get(name)) {
        item["name"] = name.as_str().into();
        item["namespace"] = group.as_str().into();
    }
}

/// What was used and what it cost: Chat's counts under the names of this dialect. Clients read integers there and fail at
/// anything else, so that details which nobody reported are 0 and named in `not_reported`; where a total is not known there
/// is no `usage`, and what is known stands in `partial_usage`.
fn usage(ended: &Ended) -> Map<String, Value> {
    let mut counts = String::new();
    chat_usage(ended, &mut counts);
    let Ok(Value::Object(counts)) = serde_json::from_str(&counts) else {
        return Map::from_iter([("usage".to_owned(), Value::Null)]);
    };
    let renamed = counts.into_iter().map(|(name, value)| match name.as_str() {
        "prompt_tokens" => ("input_tokens".to_owned(), value),
        "completion_tokens" => ("output_tokens".to_owned(), value),
        "prompt_tokens_details" => ("input_tokens_details".to_owned(), value),
        "completion_tokens_details" => ("output_tokens_details".to_owned(), value),
        _ => (name, value),
    });
    let mut usage: Map<String, Value> = renamed.collect();
    if ["input_tokens", "output_tokens", "total_tokens"].iter().any(|name| !usage.get(*name).is_some_and(Value::is_u64))
    {
        usage.retain(|_, value| !value.is_null());
        let partial = (!usage.is_empty()).then(|| ("partial_usage".to_owned(), usage.into()));
        return [("usage".to_owned(), Value::Null)].into_iter().chain(partial).collect();
    }
    let mut unknown = Vec::new();
    for (details, name) in [("input_tokens_details", "cached_tokens"), ("output_tokens_details", "reasoning_tokens")] {
        if let Value::Object(members) = usage.entry(details).or_insert_with(|| json!({})) {
            members.entry(name).or_insert_with(|| {
                unknown.push(format!("{details}.{name}"));
                0.into()
            });
        }
    }
    if !unknown.is_empty() {
        usage.insert("not_reported".to_owned(), unknown.into());
    }
    Map::from_iter([("usage".to_owned(), usage.into())])
}
