//! The events of a streamed answer, and a whole answer.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::turns::REDACTED;
use crate::catalog::Usage;
use crate::chat::{ChatEvent, Finish};
use crate::upstream::body::{text, unreadable};
use crate::upstream::openai::{service_tier, tokens};
use crate::upstream::{DecodeError, classify};

/// An answer as far as it has been read.
#[derive(Debug, Default)]
pub(super) struct Answer {
    blocks: BTreeMap<u64, Block>,
    calls: u32,
    /// The provider's word for the end, once it was said and until that is passed on.
    stopped: Option<String>,
    has_metadata: bool,
    ended: bool,
}

/// A block of content while it streams.
#[derive(Debug, Default)]
struct Block {
    /// Which tool call of the answer it is.
    call: Option<u32>,
    /// Whether it has been announced as something that is no call of ours.
    is_other: bool,
    signature: String,
    redacted: Vec<u8>,
}

#[derive(Debug, Deserialize)]
struct MessageStart {
    #[serde(rename = "role")]
    _role: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockStart {
    content_block_index: u64,
    start: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockDelta {
    content_block_index: u64,
    delta: Delta,
}

/// A union: one member is there. Those that are not read here (citations, images, results of the server's own tools) are
/// no part of a chat's answer.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Delta {
    text: Option<String>,
    tool_use: Option<ToolUseDelta>,
    reasoning_content: Option<ReasoningDelta>,
}

#[derive(Debug, Deserialize)]
struct ToolUseDelta {
    input: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReasoningDelta {
    text: Option<String>,
    signature: Option<String>,
    redacted_content: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockStop {
    content_block_index: u64,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageStop {
    stop_reason: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    usage: Option<Value>,
    service_tier: Option<ServiceTier>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Response {
    output: Output,
    stop_reason: Option<String>,
    usage: Option<Value>,
    service_tier: Option<ServiceTier>,
}

#[derive(Debug, Deserialize)]
struct Output {
    message: Message,
}

#[derive(Debug, Deserialize)]
struct Message {
    content: Vec<Content>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    text: Option<String>,
    tool_use: Option<ToolUse>,
    reasoning_content: Option<ReasoningContent>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ToolUse {
    tool_use_id: String,
    name: String,
    input: Option<Value>,
    /// Set where the server runs the tool itself.
    #[serde(rename = "type")]
    kind: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReasoningContent {
    reasoning_text: Option<ReasoningText>,
    redacted_content: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ReasoningText {
    text: String,
    signature: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ServiceTier {
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// Usage as the API counts it: what was read from the cache and written to it lies beside `inputTokens`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Counts {
    input_tokens: Option<u64>,
    output_tokens: Option<u64>,
    cache_read_input_tokens: Option<u64>,
    cache_write_input_tokens: Option<u64>,
    cache_details: Option<Vec<CacheDetail>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct CacheDetail {
    ttl: Option<String>,
    input_tokens: Option<u64>,
}

impl Answer {
    /// Whether the end was said and nothing is left to come.
    pub(super) fn ended(&self) -> bool {
        self.ended
    }

    /// Reads one event. Unknown ones are skipped; a known one that cannot be read is an error.
    pub(super) fn event(&mut self, name: &str, payload: &[u8], out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        match name {
            "messageStart" => {
                parse::<MessageStart>(name, payload)?;
                out.push(ChatEvent::Started { id: None, model: None });
                Ok(())
            }
            "contentBlockStart" => self.block_start(parse(name, payload)?, out),
            "contentBlockDelta" => self.block_delta(parse(name, payload)?, out),
            "contentBlockStop" => {
                let stop: BlockStop = parse(name, payload)?;
                self.block_stop(stop.content_block_index, out);
                Ok(())
            }
            "messageStop" => {
                let stop: MessageStop = parse(name, payload)?;
                let open: Vec<u64> = self.blocks.keys().copied().collect();
                open.into_iter().for_each(|index| self.block_stop(index, out));
                self.stopped = Some(stop.stop_reason);
                if self.has_metadata {
                    self.finish(out);
                }
                Ok(())
            }
            "metadata" => self.metadata(parse(name, payload)?, out),
            _ => Ok(()),
        }
    }

    /// The bytes are at an end. The answer is whole where its end was said, with or without what it used.
    pub(super) fn end(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        if self.stopped.is_some() {
            self.finish(out);
        }
        if self.ended { Ok(()) } else { Err(DecodeError::Truncated) }
    }

    /// Reads an answer that was not streamed.
    pub(super) fn whole(&mut self, body: &[u8], out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        let text = text(body);
        let text = text.trim();
        if text.is_empty() {
            return Err(DecodeError::Truncated);
        }
        let value: Value = serde_json::from_str(text).map_err(|error| unreadable("the answer", &error))?;
        if value.get("__type").is_some() || (value.get("output").is_none() && value.get("message").is_some()) {
            return Err(DecodeError::Upstream(classify::aws_event("", text.as_bytes())));
        }
        if !value.is_object() {
            return Err(DecodeError::Corrupt("the answer is not a JSON object".to_owned()));
        }
        let response: Response = serde_json::from_value(value).map_err(|error| unreadable("the answer", &error))?;
        out.push(ChatEvent::Started { id: None, model: None });
        for content in response.output.message.content {
            self.content(content, out)?;
        }
        if let Some(usage) = response.usage.as_ref().and_then(|usage| Counts::read(usage, response.service_tier)) {
            out.push(ChatEvent::Usage(Box::new(usage)));
        }
        self.stopped = Some(response.stop_reason.ok_or(DecodeError::Truncated)?);
        self.finish(out);
        Ok(())
    }

    fn content(&mut self, content: Content, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        push(ChatEvent::Text, content.text.unwrap_or_default(), out);
        if let Some(tool) = content.tool_use
            && let Some(index) = self.call(tool.tool_use_id, tool.name, tool.kind.as_deref(), out)
        {
            let input = tool.input.unwrap_or_else(|| Map::new().into());
            out.push(ChatEvent::ToolCall { index, id: None, name: None, arguments: input.to_string() });
        }
        let Some(reasoning) = content.reasoning_content else { return Ok(()) };
        if let Some(thought) = reasoning.reasoning_text {
            push(ChatEvent::Reasoning, thought.text, out);
            sign(thought.signature.unwrap_or_default(), out);
        }
        if let Some(redacted) = reasoning.redacted_content {
            sign(format!("{REDACTED}{redacted}"), out);
        }
        Ok(())
    }

    /// Begins a tool call; which one of the answer it is, unless the server makes it itself.
    fn call(&mut self, id: String, name: String, kind: Option<&str>, out: &mut Vec<ChatEvent>) -> Option<u32> {
        if kind.is_some() {
            return None;
        }
        let index = self.calls;
        self.calls = self.calls.saturating_add(1);
        out.push(ChatEvent::ToolCall { index, id: Some(id), name: Some(name), arguments: String::new() });
        Some(index)
    }

    fn block_start(&mut self, start: BlockStart, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        let mut block = Block::default();
        match start.start.get("toolUse").filter(|tool| !tool.is_null()) {
            Some(tool) => {
                let tool: ToolUse = serde_json::from_value(tool.clone())
                    .map_err(|error| DecodeError::Corrupt(format!("a toolUse block cannot be read: {error}")))?;
                block.call = self.call(tool.tool_use_id, tool.name, tool.kind.as_deref(), out);
                block.is_other = block.call.is_none();
            }
            None => block.is_other = true,
        }
        self.blocks.insert(start.content_block_index, block);
        Ok(())
    }

    fn block_delta(&mut self, piece: BlockDelta, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        let BlockDelta { content_block_index: index, delta } = piece;
        push(ChatEvent::Text, delta.text.unwrap_or_default(), out);
        // Blocks of text and of reasoning come without a start.
        let block = self.blocks.entry(index).or_default();
        if let Some(tool) = delta.tool_use {
            match block.call {
                Some(call) if !tool.input.is_empty() => {
                    out.push(ChatEvent::ToolCall { index: call, id: None, name: None, arguments: tool.input });
                }
                None if !block.is_other => {
                    return Err(DecodeError::Corrupt(format!("block {index} is no tool call")));
                }
                _ => {}
            }
        }
        let Some(reasoning) = delta.reasoning_content else { return Ok(()) };
        push(ChatEvent::Reasoning, reasoning.text.unwrap_or_default(), out);
        block.signature.push_str(&reasoning.signature.unwrap_or_default());
        if let Some(redacted) = reasoning.redacted_content {
            let bytes = BASE64_STANDARD.decode(redacted);
            let bytes = bytes.map_err(|_| DecodeError::Corrupt("redacted reasoning is not base64".to_owned()))?;
            block.redacted.extend_from_slice(&bytes);
        }
        Ok(())
    }

    /// What a block gathered in pieces is whole now.
    fn block_stop(&mut self, index: u64, out: &mut Vec<ChatEvent>) {
        let Some(block) = self.blocks.remove(&index) else { return };
        sign(block.signature, out);
        if !block.redacted.is_empty() {
            sign(format!("{REDACTED}{}", BASE64_STANDARD.encode(block.redacted)), out);
        }
    }

    fn metadata(&mut self, metadata: Metadata, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        if let Some(usage) = metadata.usage.as_ref().and_then(|usage| Counts::read(usage, metadata.service_tier)) {
            out.push(ChatEvent::Usage(Box::new(usage)));
        }
        self.has_metadata = true;
        if self.stopped.is_some() {
            self.finish(out);
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<ChatEvent>) {
        let Some(native) = self.stopped.take() else { return };
        let finish = match native.as_str() {
            "end_turn" | "stop_sequence" => Finish::Stop,
            "max_tokens" | "model_context_window_exceeded" => Finish::Length,
            "tool_use" => Finish::ToolCalls,
            "guardrail_intervened" | "content_filtered" | "refusal" => Finish::Filter,
            "malformed_model_output" | "malformed_tool_use" => Finish::Error,
            _ => Finish::Other,
        };
        out.push(ChatEvent::Finished { finish, native });
        self.ended = true;
    }
}

impl Counts {
    /// Reads what was reported, in the canonical form; `None` where a count is none that an answer can have: that costs
    /// the usage, not the answer.
    fn read(reported: &Value, tier: Option<ServiceTier>) -> Option<Usage> {
        // Serde would read a list as the fields in order.
        let counts = reported.is_object().then(|| Self::deserialize(reported).ok())??;
        counts.canonical(tier).ok()
    }

    /// The canonical form, in which `input` holds what is cached and written as well.
    fn canonical(&self, tier: Option<ServiceTier>) -> Result<Usage, DecodeError> {
        let (read, written) = (self.cache_read_input_tokens, self.cache_write_input_tokens);
        let beside = read.unwrap_or(0).saturating_add(written.unwrap_or(0));
        let details = self.cache_details.iter().flatten();
        let hours =
            details.filter(|detail| detail.ttl.as_deref() == Some("1h")).filter_map(|detail| detail.input_tokens);
        let hour = hours.reduce(u64::saturating_add);
        Ok(Usage {
            input: tokens(self.input_tokens.map(|input| input.saturating_add(beside)))?,
            output: tokens(self.output_tokens)?,
            cache_read: tokens(read)?,
            cache_write: tokens(written)?,
            cache_write_1h: tokens(hour)?,
            service_tier: tier.and_then(|tier| tier.kind).as_deref().and_then(service_tier),
            ..Usage::default()
        })
    }
}

fn push(event: fn(String) -> ChatEvent, text: String, out: &mut Vec<ChatEvent>) {
    if !text.is_empty() {
        out.push(event(text));
    }
}

fn sign(signature: String, out: &mut Vec<ChatEvent>) {
    if !signature.is_empty() {
        out.push(ChatEvent::Signature { index: None, signature });
    }
}

/// The payload of an event. It was whole, by its checksum: what merely stops in it is corrupt, not cut off.
fn parse<T: for<'a> Deserialize<'a>>(name: &str, payload: &[u8]) -> Result<T, DecodeError> {
    // Serde would read a list as the fields in order.
    if !payload.trim_ascii_start().starts_with(b"{") {
        return Err(DecodeError::Corrupt(format!("{name} is not a JSON object")));
    }
    serde_json::from_slice(payload).map_err(|error| DecodeError::Corrupt(format!("{name} cannot be read: {error}")))
}
