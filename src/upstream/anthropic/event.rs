//! The events of a streamed message, and a whole message.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use crate::catalog::{ErrorFamily, Usage};
use crate::chat::{ChatEvent, Finish};
use crate::upstream::DecodeError;
use crate::upstream::body::{failed, unreadable};
use crate::upstream::openai::{service_tier, tokens};

/// A message as far as it has been read.
#[derive(Debug)]
pub(super) struct Answer {
    family: ErrorFamily,
    counts: Counts,
    stop_reason: Option<String>,
    /// By index of the block: which tool call of the answer it is, if it is one.
    blocks: BTreeMap<u64, Option<u32>>,
    calls: u32,
    ended: bool,
}

#[derive(Debug, Deserialize)]
struct Tag {
    #[serde(rename = "type")]
    kind: Option<String>,
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
    usage: Option<Counts>,
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
struct JsonPiece {
    partial_json: String,
}

#[derive(Debug, Deserialize)]
struct MessageDelta {
    delta: Stop,
    usage: Option<Counts>,
}

#[derive(Debug, Deserialize)]
struct Stop {
    stop_reason: Option<String>,
}

/// Usage as the dialect counts it: cached and written input lie beside `input_tokens`, and every count only grows.
#[derive(Debug, Default, Deserialize)]
struct Counts {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_creation_input_tokens: Option<u64>,
    cache_creation: Option<Lifetimes>,
    output_tokens_details: Option<OutputDetails>,
    server_tool_use: Option<ServerTools>,
    service_tier: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
struct Lifetimes {
    ephemeral_5m_input_tokens: Option<u64>,
    ephemeral_1h_input_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
struct OutputDetails {
    thinking_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
struct ServerTools {
    web_search_requests: Option<u32>,
}

impl Answer {
    pub(super) fn new(family: ErrorFamily) -> Self {
        Self { family, counts: Counts::default(), stop_reason: None, blocks: BTreeMap::new(), calls: 0, ended: false }
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
            "error" => Err(failed(self.family, data)),
            "message_start" => self.message_start(parse(data, "message_start")?, out),
            "content_block_start" => self.block_start(parse(data, "content_block_start")?, out),
            "content_block_delta" => self.block_delta(parse(data, "content_block_delta")?, out),
            "message_delta" => self.message_delta(parse(data, "message_delta")?, out),
            "message_stop" => {
                self.ended = true;
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
        if let Some(counts) = message.usage {
            self.counts.grow(counts);
            out.push(ChatEvent::Usage(self.counts.canonical()?));
        }
        let stop_reason = message.stop_reason.ok_or(DecodeError::Truncated)?;
        out.push(finished(Some(stop_reason)));
        Ok(())
    }

    fn message_start(&mut self, start: MessageStart, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        let message = start.message;
        out.push(ChatEvent::Started { id: message.id, model: message.model });
        if let Some(counts) = message.usage {
            // Its output is a placeholder: the truth comes with `message_delta`.
            self.counts.grow(Counts { output_tokens: None, ..counts });
            out.push(ChatEvent::Usage(self.counts.canonical()?));
        }
        Ok(())
    }

    fn block_start(&mut self, start: BlockStart, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        let BlockStart { index, content_block: block } = start;
        let mut call = None;
        match kind(&block)? {
            "text" => push(ChatEvent::Text, from::<TextPiece>(block, "a text block")?.text, out),
            "thinking" => {
                push(ChatEvent::Reasoning, from::<ThinkingPiece>(block, "a thinking block")?.thinking, out);
            }
            "tool_use" => {
                let tool: ToolUse = from(block, "a tool_use block")?;
                // In a stream the input is empty here and follows in pieces.
                let arguments = match tool.input {
                    Some(Value::Object(input)) if !input.is_empty() => Value::Object(input).to_string(),
                    _ => String::new(),
                };
                let (id, name) = (Some(tool.id), Some(tool.name));
                out.push(ChatEvent::ToolCall { index: self.calls, id, name, arguments });
                call = Some(self.calls);
                self.calls = self.calls.saturating_add(1);
            }
            // Tools that the server runs itself, redacted thinking, and whatever comes to exist.
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
            "input_json_delta" => {
                let arguments = from::<JsonPiece>(delta, "an input_json_delta")?.partial_json;
                let block = self.blocks.get(&index);
                let block = block.ok_or_else(|| DecodeError::Corrupt(format!("block {index} has no start")))?;
                if let (Some(call), false) = (*block, arguments.is_empty()) {
                    out.push(ChatEvent::ToolCall { index: call, id: None, name: None, arguments });
                }
            }
            // `signature_delta`, `citations_delta`, and whatever comes to exist.
            _ => {}
        }
        Ok(())
    }

    fn message_delta(&mut self, delta: MessageDelta, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        self.stop_reason = delta.delta.stop_reason.or(self.stop_reason.take());
        if let Some(counts) = delta.usage {
            self.counts.grow(counts);
            out.push(ChatEvent::Usage(self.counts.canonical()?));
        }
        Ok(())
    }
}

impl Counts {
    /// Takes later counts in. They are cumulative, so a smaller one is some server's placeholder.
    fn grow(&mut self, later: Self) {
        self.input_tokens = self.input_tokens.max(later.input_tokens);
        self.output_tokens = self.output_tokens.max(later.output_tokens);
        self.cache_read_input_tokens = self.cache_read_input_tokens.max(later.cache_read_input_tokens);
        self.cache_creation_input_tokens = self.cache_creation_input_tokens.max(later.cache_creation_input_tokens);
        self.cache_creation = later.cache_creation.or(self.cache_creation.take());
        self.output_tokens_details = later.output_tokens_details.or(self.output_tokens_details.take());
        self.server_tool_use = later.server_tool_use.or(self.server_tool_use.take());
        self.service_tier = later.service_tier.or(self.service_tier.take());
    }

    /// The canonical form, in which `input` holds what is cached and written as well.
    fn canonical(&self) -> Result<Usage, DecodeError> {
        let lifetimes = self.cache_creation.as_ref();
        let hour = lifetimes.and_then(|written| written.ephemeral_1h_input_tokens);
        let minutes = lifetimes.and_then(|written| written.ephemeral_5m_input_tokens);
        let by_lifetime =
            (hour.is_some() || minutes.is_some()).then(|| hour.unwrap_or(0).saturating_add(minutes.unwrap_or(0)));
        let written = self.cache_creation_input_tokens.or(by_lifetime);
        let beside = self.cache_read_input_tokens.unwrap_or(0).saturating_add(written.unwrap_or(0));
        let tools = self.server_tool_use.as_ref();
        Ok(Usage {
            input: tokens(self.input_tokens.map(|input| input.saturating_add(beside)))?,
            output: tokens(self.output_tokens)?,
            cache_read: tokens(self.cache_read_input_tokens)?,
            cache_write: tokens(written)?,
            cache_write_1h: tokens(hour)?,
            reasoning: tokens(self.output_tokens_details.as_ref().and_then(|details| details.thinking_tokens))?,
            web_searches: tools.and_then(|tools| tools.web_search_requests).unwrap_or(0),
            service_tier: self.service_tier.as_deref().and_then(service_tier),
            ..Usage::default()
        })
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
