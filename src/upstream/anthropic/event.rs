//! The events of a streamed message, and a whole message.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::usage::Counts;
use crate::catalog::ErrorFamily;
use crate::chat::{ChatEvent, Finish, REDACTED_THINKING};
use crate::upstream::DecodeError;
use crate::upstream::body::{failed, unreadable};

/// A message as far as it has been read.
#[derive(Debug)]
pub(super) struct Answer {
    family: ErrorFamily,
    counts: Counts,
    stop_reason: Option<String>,
    stop_sequence: Option<String>,
    /// By index of the block: which tool call of the answer it is, if it is one.
    blocks: BTreeMap<u64, Option<u32>>,
    calls: u32,
    ended: bool,
}

#[derive(Debug, Deserialize)]
struct Tag {
    #[serde(rename = "type")]
    kind: Option<String>,
    error: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct MessageStart {
    message: Message,
}

#[derive(Debug, Deserialize)]
struct Message {
    id: Option<String>,
    model: Option<String>,
    content: Option<Vec<Value>>,
    stop_reason: Option<String>,
    stop_sequence: Option<Value>,
    usage: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct BlockStart {
    index: u64,
    content_block: Value,
}

#[derive(Debug, Deserialize)]
struct ToolUse {
    id: String,
    name: String,
    input: Option<Value>,
    signature: Option<String>,
}

#[derive(Debug, Deserialize)]
struct BlockDelta {
    index: u64,
    delta: Value,
}

#[derive(Debug, Deserialize)]
struct TextPiece {
    text: String,
}

#[derive(Debug, Deserialize)]
struct ThinkingPiece {
    thinking: String,
}

#[derive(Debug, Deserialize)]
struct SignaturePiece {
    signature: String,
}

#[derive(Debug, Deserialize)]
struct Redacted {
    data: String,
}

#[derive(Debug, Deserialize)]
struct JsonPiece {
    partial_json: String,
}

#[derive(Debug, Deserialize)]
struct MessageDelta {
    delta: Stop,
    usage: Option<Value>,
}

#[derive(Debug, Deserialize)]
struct Stop {
    stop_reason: Option<String>,
    stop_sequence: Option<Value>,
}

impl Answer {
    pub(super) fn new(family: ErrorFamily) -> Self {
        Self {
            family,
            counts: Counts::default(),
            stop_reason: None,
            stop_sequence: None,
            blocks: BTreeMap::new(),
            calls: 0,
            ended: false,
        }
    }

    /// Whether `message_stop` has been seen.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Reads one event. Unknown ones are skipped; a known one that cannot be read is an error.
    pub(super) fn event(&mut self, name: &str, data: &str, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        if name == "error" {
            return Err(failed(self.family, data));
        }
        // The name in the data counts; the name of the event helps where data has none, or is none.
        let tag: Tag = match parse(data, "an event") {
            Ok(tag) => tag,
            Err(_) if !is_known(name) && !name.is_empty() => return Ok(()),
            Err(error) => return Err(error),
        };
        match tag.kind.as_deref().unwrap_or(name) {
            // Google wraps a failure in an envelope of its own, without a type.
            "" if tag.error.is_some() => Err(failed(self.family, data)),
            "error" => Err(failed(self.family, data)),
            "message_start" => self.message_start(parse(data, "message_start")?, out),
            "content_block_start" => self.block_start(parse(data, "content_block_start")?, out),
            "content_block_delta" => self.block_delta(parse(data, "content_block_delta")?, out),
            "message_delta" => self.message_delta(parse(data, "message_delta")?, out),
            "message_stop" => {
                self.ended = true;
                out.extend(self.stop_sequence.take().map(ChatEvent::StopSequence));
                out.push(finished(self.stop_reason.take()));
                Ok(())
            }
            // `ping`, `content_block_stop`, and whatever comes to exist.
            _ => Ok(()),
        }
    }

    /// Reads a message that was not streamed.
    pub(super) fn whole(&mut self, text: &str, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        let text = text.trim_start_matches('\u{feff}').trim();
        if text.is_empty() {
            return Err(DecodeError::Truncated);
        }
        // Google wraps an error in a list.
        if text.starts_with('[') && text.contains("\"error\"") && serde_json::from_str::<Value>(text).is_ok() {
            return Err(failed(self.family, text));
        }
        let value: Value = parse(text, "the message")?;
        let is_error = value.get("type").and_then(Value::as_str) == Some("error");
        if is_error || value.get("error").is_some_and(|error| !error.is_null()) {
            return Err(failed(self.family, text));
        }
        let status = value.get("base_resp").and_then(|base| base.get("status_code")).and_then(Value::as_i64);
        if status.is_some_and(|status| status != 0) {
            return Err(failed(self.family, text));
        }
        let message: Message = from(value, "the message")?;
        out.push(ChatEvent::Started { id: message.id, model: message.model });
        for (index, block) in (0..).zip(message.content.unwrap_or_default()) {
            self.block_start(BlockStart { index, content_block: block }, out)?;
        }
        self.used(message.usage, false, out);
        let stop_reason = message.stop_reason.ok_or(DecodeError::Truncated)?;
        out.extend(text_of(message.stop_sequence).map(ChatEvent::StopSequence));
        out.push(finished(Some(stop_reason)));
        Ok(())
    }

    fn message_start(&mut self, start: MessageStart, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        let message = start.message;
        out.push(ChatEvent::Started { id: message.id, model: message.model });
        // Its output is a placeholder: the truth comes with `message_delta`.
        self.used(message.usage, true, out);
        Ok(())
    }

    fn block_start(&mut self, start: BlockStart, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        let BlockStart { index, content_block: block } = start;
        let mut call = None;
        match kind(&block)? {
            "text" => push(ChatEvent::Text, from::<TextPiece>(block, "a text block")?.text, out),
            "thinking" => {
                let signature = block.get("signature").and_then(Value::as_str).unwrap_or_default().to_owned();
                push(ChatEvent::Reasoning, from::<ThinkingPiece>(block, "a thinking block")?.thinking, out);
                push(signed, signature, out);
            }
            "redacted_thinking" => {
                let data = from::<Redacted>(block, "a redacted_thinking block")?.data;
                out.push(signed(format!("{REDACTED_THINKING}{data}")));
            }
            "tool_use" => {
                let tool: ToolUse = from(block, "a tool_use block")?;
                // In a stream the input is empty here and follows in pieces.
                let arguments = match tool.input {
                    Some(Value::Object(input)) if !input.is_empty() => Value::Object(input).to_string(),
                    _ => String::new(),
                };
                let (id, name) = (Some(tool.id), Some(tool.name));
                if let Some(signature) = tool.signature {
                    out.push(ChatEvent::Signature { index: Some(self.calls), signature });
                }
                out.push(ChatEvent::ToolCall { index: self.calls, id, name, arguments });
                call = Some(self.calls);
                self.calls = self.calls.saturating_add(1);
            }
            // Tools that the server runs itself, and whatever comes to exist.
            _ => {}
        }
        self.blocks.insert(index, call);
        Ok(())
    }

    fn block_delta(&mut self, piece: BlockDelta, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        let BlockDelta { index, delta } = piece;
        match kind(&delta)? {
            "text_delta" => push(ChatEvent::Text, from::<TextPiece>(delta, "a text_delta")?.text, out),
            "thinking_delta" => {
                push(ChatEvent::Reasoning, from::<ThinkingPiece>(delta, "a thinking_delta")?.thinking, out);
            }
            "signature_delta" => {
                let signature = from::<SignaturePiece>(delta, "a signature_delta")?.signature;
                // A gateway may hand on what another's call was signed with.
                let call = self.blocks.get(&index).copied().flatten();
                if !signature.is_empty() {
                    out.push(ChatEvent::Signature { index: call, signature });
                }
            }
            "input_json_delta" => {
                let arguments = from::<JsonPiece>(delta, "an input_json_delta")?.partial_json;
                let block = self.blocks.get(&index);
                let block = block.ok_or_else(|| DecodeError::Corrupt(format!("block {index} has no start")))?;
                if let (Some(call), false) = (*block, arguments.is_empty()) {
                    out.push(ChatEvent::ToolCall { index: call, id: None, name: None, arguments });
                }
            }
            // `citations_delta`, and whatever comes to exist.
            _ => {}
        }
        Ok(())
    }

    fn message_delta(&mut self, delta: MessageDelta, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        self.stop_reason = delta.delta.stop_reason.or(self.stop_reason.take());
        self.stop_sequence = text_of(delta.delta.stop_sequence).or(self.stop_sequence.take());
        self.used(delta.usage, false, out);
        Ok(())
    }

    /// Takes in what was used so far. Counts that no answer can have are dropped: what they would replace is unknown then.
    fn used(&mut self, usage: Option<Value>, is_start: bool, out: &mut Vec<ChatEvent>) {
        let Some(usage) = usage else { return };
        match Counts::read(usage) {
            Some(counts) if is_start => self.counts.grow(counts.at_start()),
            Some(counts) => self.counts.grow(counts),
            None if self.counts.output_tokens.take().is_none() => return,
            None => {}
        }
        if let Ok(usage) = self.counts.canonical() {
            out.push(ChatEvent::Usage(Box::new(usage)));
        }
    }
}

/// Whether it is the name of an event that this version reads.
fn is_known(name: &str) -> bool {
    matches!(
        name,
        "message_start" | "content_block_start" | "content_block_delta" | "message_delta" | "message_stop" | "error"
    )
}

fn kind(block: &Value) -> Result<&str, DecodeError> {
    let kind = block.get("type").and_then(Value::as_str);
    kind.ok_or_else(|| DecodeError::Corrupt("a block or a delta has no type".to_owned()))
}

/// What matters to no answer is none where it is no text.
fn text_of(value: Option<Value>) -> Option<String> {
    value?.as_str().map(str::to_owned)
}

fn signed(signature: String) -> ChatEvent {
    ChatEvent::Signature { index: None, signature }
}

fn push(event: fn(String) -> ChatEvent, text: String, out: &mut Vec<ChatEvent>) {
    if !text.is_empty() {
        out.push(event(text));
    }
}

fn parse<'a, T: Deserialize<'a>>(data: &'a str, what: &str) -> Result<T, DecodeError> {
    // Serde would read a list as the fields in order.
    if !data.starts_with('{') {
        return Err(DecodeError::Corrupt(format!("{what} is not a JSON object")));
    }
    serde_json::from_str(data).map_err(|error| unreadable(what, &error))
}

fn from<T: for<'a> Deserialize<'a>>(value: Value, what: &str) -> Result<T, DecodeError> {
    serde_json::from_value(value).map_err(|error| unreadable(what, &error))
}

fn finished(stop_reason: Option<String>) -> ChatEvent {
    let native = stop_reason.unwrap_or_else(|| "message_stop".to_owned());
    let finish = match native.as_str() {
        "end_turn" | "stop_sequence" => Finish::Stop,
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "refusal" => Finish::Filter,
        "error" => Finish::Error,
        _ => Finish::Other,
    };
    ChatEvent::Finished { finish, native }
}
