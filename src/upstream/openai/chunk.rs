//! One chunk of a streamed answer, or a whole answer: the same shape but for `delta` and `message`.

use serde::Deserialize;
use serde_json::{Value, json};

use super::usage::{self, Reported};
use crate::catalog::{ErrorFamily, Quirks, Usage};
use crate::chat::{ChatEvent, Finish};
use crate::units::Usd;
use crate::upstream::DecodeError;
use crate::upstream::body::{self, failed, is_said};

/// An answer as far as it has been read.
#[derive(Debug)]
pub(super) struct Answer {
    family: ErrorFamily,
    output_excludes_reasoning: bool,
    started: bool,
    /// Whether thoughts were told in plain words.
    thought: bool,
    /// Held back until the end, because usage comes after it.
    finish: Option<(Finish, String)>,
    usage: Option<Usage>,
    billed: Option<Usd>,
    service_tier: Option<String>,
    /// The calls, in the order in which they began.
    calls: Vec<Call>,
    last_call: usize,
}

/// What has been told of a tool call.
#[derive(Debug, Default)]
struct Call {
    /// Its index on the wire.
    index: Option<u64>,
    id: Option<String>,
    is_named: bool,
}

/// What seldom comes is a pointer: a chunk is moved as it is read, and most carry a few letters of text.
#[derive(Debug, Deserialize)]
struct Chunk {
    id: Option<String>,
    model: Option<String>,
    object: Option<String>,
    choices: Option<Vec<Choice>>,
    usage: Option<Reported>,
    x_groq: Option<Box<Groq>>,
    service_tier: Option<String>,
    error: Option<Box<Value>>,
    base_resp: Option<MiniMax>,
    code: Option<Box<Value>>,
    message: Option<Box<Value>>,
}

#[derive(Debug, Deserialize)]
struct Groq {
    usage: Option<Reported>,
    /// Why the stream was stopped early.
    error: Option<String>,
}

#[derive(Debug, Deserialize)]
struct MiniMax {
    status_code: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct Choice {
    index: Option<u64>,
    delta: Option<Box<Delta>>,
    message: Option<Box<Delta>>,
    finish_reason: Option<String>,
    native_finish_reason: Option<String>,
    /// Moonshot's place for usage.
    usage: Option<Reported>,
    error: Option<Box<Value>>,
}

#[derive(Debug, Deserialize)]
struct Delta {
    content: Option<Value>,
    refusal: Option<String>,
    reasoning_content: Option<String>,
    reasoning: Option<String>,
    reasoning_text: Option<String>,
    reasoning_details: Option<Vec<Value>>,
    tool_calls: Option<Vec<ToolCall>>,
    function_call: Option<Box<Function>>,
}

#[derive(Debug, Deserialize)]
struct ToolCall {
    index: Option<u64>,
    id: Option<String>,
    function: Option<Function>,
}

#[derive(Debug, Deserialize)]
struct Function {
    name: Option<String>,
    arguments: Option<Value>,
}

impl Answer {
    pub(super) fn new(quirks: &Quirks) -> Self {
        Self {
            family: quirks.errors,
            output_excludes_reasoning: quirks.output_excludes_reasoning,
            started: false,
            thought: false,
            finish: None,
            usage: None,
            billed: None,
            service_tier: None,
            calls: Vec::new(),
            last_call: 0,
        }
    }

    /// Reads one chunk, or a whole answer.
    ///
    /// # Errors
    /// It is cut off or corrupt, or it reports a failure.
    pub(super) fn read(&mut self, text: &str, is_error: bool, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        let chunk = body::chunk(text, (self.family, is_error), Chunk::is_failure)?;
        self.start(&chunk, out);
        if let Some(tier) = &chunk.service_tier {
            self.service_tier = usage::service_tier(tier);
        }
        let groq = chunk.x_groq;
        if let Some(error) = groq.as_ref().and_then(|groq| groq.error.as_ref()).filter(|error| !error.is_empty()) {
            return Err(failed(self.family, &json!({ "error": error }).to_string()));
        }
        let mut reported = chunk.usage;
        // Only one answer is asked for; others belong to nobody.
        for choice in chunk.choices.unwrap_or_default().into_iter().filter(|choice| choice.index.unwrap_or(0) == 0) {
            if let Some(error) = choice.error.filter(|error| is_said(error)) {
                return Err(failed(self.family, &json!({ "error": error }).to_string()));
            }
            // A last piece may come with the finish reason.
            let ends = choice.finish_reason.as_ref().is_some_and(|reason| !reason.is_empty());
            for delta in [choice.delta, choice.message].into_iter().flatten() {
                self.delta(*delta, ends, out)?;
            }
            self.note_finish(choice.finish_reason, choice.native_finish_reason);
            reported = reported.or(choice.usage);
        }
        if let Some(reported) = reported.or(groq.and_then(|groq| groq.usage)) {
            self.tell_usage(&reported, out);
        }
        Ok(())
    }

    /// The provider's terminator was seen: the end, even where it gave no reason.
    pub(super) fn done(&mut self, out: &mut Vec<ChatEvent>) {
        let (finish, native) = self.finish.take().unwrap_or((Finish::Other, "[DONE]".to_owned()));
        out.push(ChatEvent::Finished { finish, native });
    }

    /// The bytes are at an end.
    ///
    /// # Errors
    /// No finish reason was seen.
    pub(super) fn finish(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        let (finish, native) = self.finish.take().ok_or(DecodeError::Truncated)?;
        out.push(ChatEvent::Finished { finish, native });
        Ok(())
    }

    fn start(&mut self, chunk: &Chunk, out: &mut Vec<ChatEvent>) {
        // Azure's first chunk has both, empty.
        let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let (id, model) = (said(&chunk.id), said(&chunk.model));
        if !self.started && (id.is_some() || model.is_some()) {
            self.started = true;
            out.push(ChatEvent::Started { id, model });
        }
    }

    fn delta(&mut self, delta: Delta, ends: bool, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        // Some send the same thought under two names.
        let thoughts = [delta.reasoning_content, delta.reasoning, delta.reasoning_text].into_iter().flatten();
        match thoughts.into_iter().find(|thought| !thought.is_empty()) {
            Some(thought) => {
                self.thought = true;
                out.push(ChatEvent::Reasoning(thought));
            }
            // At the end they are told once more, one by one, with what signs each.
            None if self.thought && ends => {}
            None => delta.reasoning_details.iter().flatten().for_each(|detail| push_thought(detail, out)),
        }
        match delta.content {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => push_text(text, out),
            Some(Value::Array(parts)) => parts.iter().for_each(|part| push_part(part, out)),
            Some(_) => return Err(DecodeError::Corrupt("the content is neither text nor a list".to_owned())),
        }
        out.extend(delta.refusal.filter(|piece| !piece.is_empty()).map(ChatEvent::Refusal));
        for call in delta.tool_calls.into_iter().flatten() {
            self.tool_call(call, out)?;
        }
        if let Some(function) = delta.function_call {
            self.tool_call(ToolCall { index: Some(0), id: None, function: Some(*function) }, out)?;
        }
        Ok(())
    }

    fn tool_call(&mut self, call: ToolCall, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        let said = |text: Option<String>| text.filter(|text| !text.is_empty());
        let id = said(call.id);
        let function = call.function.unwrap_or(Function { name: None, arguments: None });
        let name = said(function.name);
        let arguments = match function.arguments {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text,
            Some(object @ Value::Object(_)) => object.to_string(),
            Some(_) => return Err(DecodeError::Corrupt("the arguments of a tool call are not text".to_owned())),
        };
        let at = self.which(call.index, id.as_deref(), name.is_some());
        if at == self.calls.len() {
            self.calls.push(Call { index: call.index, ..Call::default() });
        }
        self.last_call = at;
        let index = u32::try_from(at).map_err(|_| DecodeError::Corrupt("too many tool calls".to_owned()))?;
        let known = &mut self.calls[at];
        let id = id.filter(|_| known.id.is_none());
        known.id = known.id.take().or_else(|| id.clone());
        let name = name.filter(|_| !std::mem::replace(&mut known.is_named, true));
        if id.is_some() || name.is_some() || !arguments.is_empty() {
            out.push(ChatEvent::ToolCall { index, id, name, arguments });
        }
        Ok(())
    }

    /// Which call a piece belongs to; the number of calls is a new one.
    ///
    /// A piece with an index belongs to the latest call of that index, unless it begins another: Gemini's own imitation
    /// gives every call the index 0. A new id alone begins none, since older vLLM makes one up for every piece. Without
    /// an index an id that is not known begins a call, and so does a name without any id.
    fn which(&self, index: Option<u64>, id: Option<&str>, is_named: bool) -> usize {
        let next = self.calls.len();
        let by_id = || self.calls.iter().rposition(|call| call.id.as_deref() == id);
        let Some(index) = index else {
            return match id {
                Some(_) => by_id().unwrap_or(next),
                None if is_named && self.calls.get(self.last_call).is_some_and(|call| call.is_named) => next,
                None => self.last_call,
            };
        };
        let latest = self.calls.iter().rposition(|call| call.index == Some(index));
        let begins = |at: usize| {
            let differs = id.is_some() && self.calls[at].id.as_deref().is_some_and(|known| Some(known) != id);
            differs && is_named && self.calls[at].is_named
        };
        match latest {
            Some(at) if begins(at) => by_id().unwrap_or(next),
            Some(at) => at,
            None => next,
        }
    }

    fn note_finish(&mut self, reason: Option<String>, native: Option<String>) {
        let Some(reason) = reason.filter(|reason| !reason.is_empty()) else { return };
        // OpenRouter passes some failures on under a harmless reason.
        let hidden = native.filter(|native| finish_of(native) == Finish::Error);
        let native = hidden.unwrap_or(reason);
        let finish = finish_of(&native);
        if self.finish.is_none() || finish == Finish::Error {
            self.finish = Some((finish, native));
        }
    }

    /// Counts that no answer can have are as good as none: the answer itself is fine.
    fn tell_usage(&mut self, reported: &Reported, out: &mut Vec<ChatEvent>) {
        let Reported::Counts(reported) = reported else {
            // Of those before, the last count is not known any more.
            if self.usage.take().is_some() {
                out.push(ChatEvent::Usage(Box::default()));
            }
            return;
        };
        if let Some(usage) = reported.canonical(self.output_excludes_reasoning) {
            let usage = Usage { service_tier: self.service_tier.clone(), ..usage };
            if self.usage.as_ref() != Some(&usage) {
                out.push(ChatEvent::Usage(Box::new(usage.clone())));
                self.usage = Some(usage);
            }
        }
        if let Some(billed) = reported.billed().filter(|billed| self.billed.as_ref() != Some(billed)) {
            out.push(ChatEvent::Billed(billed));
            self.billed = Some(billed);
        }
    }
}

impl Chunk {
    /// Whether it reports a failure in place of an answer, in any of the shapes that occur under HTTP 200.
    fn is_failure(&self) -> bool {
        let has_choices = self.choices.as_ref().is_some_and(|choices| !choices.is_empty());
        let flat = self.message.as_ref().is_some_and(|text| text.is_string())
            && self.code.as_ref().is_some_and(|code| is_said(code));
        self.error.as_ref().is_some_and(|error| is_said(error))
            || self.object.as_deref() == Some("error")
            || self.base_resp.as_ref().is_some_and(|base| base.status_code.unwrap_or(0) != 0)
            || (flat && !has_choices)
    }
}

fn push_text(text: String, out: &mut Vec<ChatEvent>) {
    if !text.is_empty() {
        out.push(ChatEvent::Text(text));
    }
}

/// A part of a list of content: text, or reasoning as Mistral (`thinking`) and Databricks (`summary`) send it.
fn push_part(part: &Value, out: &mut Vec<ChatEvent>) {
    match part.get("type").and_then(Value::as_str) {
        Some("text") => push_text(part.get("text").map(text_in).unwrap_or_default(), out),
        Some("thinking" | "reasoning") => push_thought(part, out),
        Some(_) => {}
        None => push_text(text_in(part), out),
    }
}

fn push_thought(detail: &Value, out: &mut Vec<ChatEvent>) {
    let thought = ["text", "thinking", "summary"].iter().filter_map(|key| detail.get(*key)).map(text_in);
    if let Some(thought) = thought.into_iter().find(|thought| !thought.is_empty()) {
        out.push(ChatEvent::Reasoning(thought));
    }
}

/// The text of a string, of an object's `text`, or of a list of these.
fn text_in(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(text_in).collect(),
        Value::Object(object) => object.get("text").map(text_in).unwrap_or_default(),
        _ => String::new(),
    }
}

/// The normalised reason for a provider's own word.
pub(in crate::upstream) fn finish_of(native: &str) -> Finish {
    match native.to_ascii_lowercase().as_str() {
        "stop" | "eos" | "eos_token" | "end_turn" | "stop_sequence" | "complete" => Finish::Stop,
        "length" | "max_tokens" | "max_output_tokens" | "model_length" | "model_context_window_exceeded" => {
            Finish::Length
        }
        "tool_calls" | "function_call" | "tool_use" => Finish::ToolCalls,
        "content_filter" | "content_filtered" | "safety" | "sensitive" | "refusal" | "recitation" => Finish::Filter,
        "error" | "network_error" | "insufficient_system_resource" | "abort" => Finish::Error,
        _ => Finish::Other,
    }
}
