//! The events of a streamed response, and a whole response.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::item::{Channel, Items, Place};
use crate::catalog::{ErrorFamily, Quirks, Usage};
use crate::chat::{ChatEvent, Finish};
use crate::units::Tokens;
use crate::upstream::body::{failed, is_said, unreadable};
use crate::upstream::openai::{WireUsage, finish_of, service_tier};
use crate::upstream::{Call, DecodeError};

/// A response as far as it has been read.
#[derive(Debug)]
pub(super) struct Answer {
    family: ErrorFamily,
    output_excludes_reasoning: bool,
    /// The output limit that was asked for.
    limit: Option<u64>,
    started: bool,
    items: Items,
    ended: bool,
}

/// The names that this version reads.
const KNOWN: [&str; 15] = [
    "error",
    "response.cancelled",
    "response.completed",
    "response.created",
    "response.failed",
    "response.function_call_arguments.delta",
    "response.function_call_arguments.done",
    "response.in_progress",
    "response.incomplete",
    "response.output_item.added",
    "response.output_item.done",
    "response.output_text.delta",
    "response.reasoning_summary_text.delta",
    "response.reasoning_text.delta",
    "response.refusal.delta",
];

#[derive(Debug, Deserialize)]
struct OfResponse {
    response: Response,
}

#[derive(Debug, Deserialize)]
struct Response {
    id: Option<String>,
    model: Option<String>,
    status: Option<String>,
    output: Option<Vec<Value>>,
    usage: Option<Value>,
    error: Option<Value>,
    incomplete_details: Option<Incomplete>,
    service_tier: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Incomplete {
    reason: Option<String>,
}

#[derive(Debug, Deserialize)]
struct OfItem {
    item: Value,
    output_index: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Delta {
    delta: String,
    item_id: Option<String>,
    output_index: Option<u64>,
    content_index: Option<u64>,
    summary_index: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct ArgumentsDone {
    arguments: String,
    item_id: Option<String>,
    output_index: Option<u64>,
}

impl Answer {
    pub(super) fn new(call: &Call<'_>) -> Self {
        let Quirks { errors, output_excludes_reasoning, .. } = call.provider.quirks;
        Self {
            family: errors,
            output_excludes_reasoning,
            limit: call.request.max_tokens,
            started: false,
            items: Items::default(),
            ended: false,
        }
    }

    /// Whether the event that says how the response ended has been seen.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Reads one event. Unknown ones are skipped; a known one that cannot be read is an error.
    pub(super) fn event(&mut self, name: &str, data: &str, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        let is_stranger = !name.is_empty() && !KNOWN.contains(&name);
        let value = match object(data, "an event") {
            Ok(value) => value,
            Err(_) if is_stranger => return Ok(()),
            // An error may be told in plain words.
            Err(_) if name == "error" => return Err(failed(self.family, data)),
            Err(error) => return Err(error),
        };
        // The name in the data counts; the name of the event helps where data has none.
        let kind = match value.get("type") {
            Some(Value::String(kind)) => kind.clone(),
            Some(_) if is_stranger => return Ok(()),
            Some(_) => return Err(DecodeError::Corrupt("the type of an event is not text".to_owned())),
            None if value.get("error").is_some_and(is_said) => "error".to_owned(),
            None => name.to_owned(),
        };
        match kind.as_str() {
            "error" => Err(self.failure(value.get("error").filter(|error| is_said(error)).unwrap_or(&value))),
            "response.created" | "response.in_progress" => {
                let OfResponse { response } = from(value, &kind)?;
                self.start(&response, out);
                Ok(())
            }
            "response.output_item.added" => {
                let OfItem { item, output_index } = from(value, &kind)?;
                self.items.begin(&item, output_index, out)
            }
            "response.output_item.done" => {
                let OfItem { item, output_index } = from(value, &kind)?;
                self.items.settle(&item, output_index, out)
            }
            "response.output_text.delta" | "response.refusal.delta" => {
                let piece: Delta = from(value, &kind)?;
                self.items.text(&piece.place(), &piece.delta, kind.contains("refusal"), out);
                Ok(())
            }
            "response.reasoning_summary_text.delta" => self.thought(Channel::Summary, from(value, &kind)?, out),
            "response.reasoning_text.delta" => self.thought(Channel::Content, from(value, &kind)?, out),
            "response.function_call_arguments.delta" => {
                let piece: Delta = from(value, &kind)?;
                self.items.arguments(&piece.place(), &piece.delta, out)
            }
            "response.function_call_arguments.done" => {
                let ArgumentsDone { arguments, item_id, output_index } = from(value, &kind)?;
                let place = Place { index: output_index, id: item_id.as_deref() };
                self.items.all_arguments(&place, &arguments, out);
                Ok(())
            }
            "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" => {
                let OfResponse { response } = from(value, &kind)?;
                let status = kind.trim_start_matches("response.");
                self.finish(status, response, out)
            }
            // Parts, annotations, tools that the server runs itself, and whatever comes to exist.
            _ => Ok(()),
        }
    }

    /// Reads a response that was not streamed.
    pub(super) fn whole(&mut self, text: &str, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            return Err(DecodeError::Truncated);
        }
        let value = object(text, "the response")?;
        if value.get("error").is_some_and(is_said) || value.get("type").and_then(Value::as_str) == Some("error") {
            return Err(failed(self.family, text));
        }
        // Errors without an envelope say what they are in words, and nothing of a status of ours.
        let says = |name: &str| value.get(name).is_some_and(is_said);
        if !says("status") && says("message") && says("code") {
            return Err(failed(self.family, text));
        }
        let response: Response = from(value, "the response")?;
        let status = response.status.clone().ok_or(DecodeError::Truncated)?;
        self.finish(&status, response, out)
    }

    fn start(&mut self, response: &Response, out: &mut Vec<ChatEvent>) {
        let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let (id, model) = (said(&response.id), said(&response.model));
        if !self.started && (id.is_some() || model.is_some()) {
            self.started = true;
            out.push(ChatEvent::Started { id, model });
        }
    }

    fn thought(&mut self, channel: Channel, piece: Delta, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        let part = match channel {
            Channel::Summary => piece.summary_index,
            Channel::Content => piece.content_index,
        };
        self.items.thought(&piece.place(), channel, part, &piece.delta, out);
        Ok(())
    }

    /// The provider's own end, with whatever it tells of the whole.
    fn finish(&mut self, status: &str, response: Response, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        self.start(&response, out);
        if matches!(status, "in_progress" | "queued") {
            return Err(DecodeError::Truncated);
        }
        self.items.complete(&response.output.unwrap_or_default(), out)?;
        let tier = response.service_tier.as_deref();
        let usage = response.usage.as_ref().and_then(|usage| self.tell_usage(usage, tier, out));
        // llama.cpp calls an answer completed that ran into the limit.
        let is_full = self.limit.is_some() && usage == self.limit;
        let said_failed = response.status.as_deref() == Some("failed");
        if let Some(error) = response.error.as_ref().filter(|error| is_said(error)) {
            return Err(self.failure(error));
        }
        let (finish, native) = match status {
            _ if said_failed => return Err(self.failure(&json!({}))),
            "completed" if self.items.has_calls() => (Finish::ToolCalls, status.to_owned()),
            "completed" if is_full => (Finish::Length, status.to_owned()),
            "completed" => (Finish::Stop, status.to_owned()),
            "incomplete" => {
                let reason = response.incomplete_details.and_then(|details| details.reason);
                let native = reason.unwrap_or_else(|| status.to_owned());
                (finish_of(&native), native)
            }
            "failed" => return Err(self.failure(&json!({}))),
            "cancelled" => return Err(self.failure(&json!({ "message": "the response was cancelled" }))),
            other => (Finish::Other, other.to_owned()),
        };
        self.ended = true;
        out.push(ChatEvent::Finished { finish, native });
        Ok(())
    }

    /// The failure that an error tells of, whatever names lie around it.
    fn failure(&self, error: &Value) -> DecodeError {
        let mut error = error.clone();
        // The name of the event is no code.
        if let Some(object) = error.as_object_mut().filter(|object| object.get("type") == Some(&"error".into())) {
            object.remove("type");
        }
        failed(self.family, &json!({ "error": error }).to_string())
    }

    /// Tells what was used, and gives the tokens of the output. Counts that no answer can have are as good as none: the
    /// answer itself is fine.
    fn tell_usage(&self, reported: &Value, tier: Option<&str>, out: &mut Vec<ChatEvent>) -> Option<u64> {
        let reported = WireUsage::read(&in_chats_words(reported))?;
        let usage = reported.canonical(self.output_excludes_reasoning);
        let output = usage.as_ref().and_then(|usage| usage.output);
        let tell = |usage: Usage| Usage {
            service_tier: tier.and_then(service_tier),
            // OpenAI bills them beside the tokens and counts them nowhere.
            web_searches: usage.web_searches.max(self.items.searches()),
            ..usage
        };
        out.extend(usage.map(|usage| ChatEvent::Usage(Box::new(tell(usage)))));
        out.extend(reported.billed().map(ChatEvent::Billed));
        output.map(Tokens::count)
    }
}

impl Delta {
    fn place(&self) -> Place<'_> {
        Place { index: self.output_index, id: self.item_id.as_deref() }
    }
}

/// Usage under the names that OpenAI Chat has for the same counts.
fn in_chats_words(usage: &Value) -> Value {
    let Value::Object(usage) = usage else { return Value::Null };
    let renamed = usage.iter().map(|(name, value)| {
        let name = match name.as_str() {
            "input_tokens" => "prompt_tokens",
            "output_tokens" => "completion_tokens",
            "input_tokens_details" => "prompt_tokens_details",
            "output_tokens_details" => "completion_tokens_details",
            name => name,
        };
        (name.to_owned(), value.clone())
    });
    Value::Object(renamed.collect::<Map<_, _>>())
}

fn object(text: &str, what: &str) -> Result<Value, DecodeError> {
    let value: Value = serde_json::from_str(text).map_err(|error| unreadable(what, &error))?;
    // Serde would read a list as the fields in order.
    if value.is_object() { Ok(value) } else { Err(DecodeError::Corrupt(format!("{what} is not a JSON object"))) }
}

fn from<T: DeserializeOwned>(value: Value, what: &str) -> Result<T, DecodeError> {
    serde_json::from_value(value).map_err(|error| DecodeError::Corrupt(format!("{what} cannot be read: {error}")))
}
