//! Anthropic Messages.
//!
//! The version that is sent comes from the provider's headers. It stays at 2023-06-01 where a request may hold a
//! temperature, which 2026-10-21 refuses.

mod event;

use bytes::Bytes;
use http::Request;
use serde_json::{Map, Value, json};

use super::body::{merge, post};
use super::wire::Frame;
use super::{Adapter, Call, DecodeError, Decoder, EncodeError, UpstreamError, classify};
use crate::chat::{ChatEvent, ChatRequest, Message, Part, Role};
use crate::units::Tokens;
use event::Answer;

/// The dialect of `POST {base_url}/messages`.
#[derive(Debug)]
pub struct AnthropicMessages;

/// The version where neither the provider nor the caller names one.
const VERSION: &str = "2023-06-01";
/// Parameters that are the call's own; `extra` does not override them.
const RESERVED: [&str; 3] = ["model", "messages", "stream"];

impl Adapter for AnthropicMessages {
    fn encode(&self, call: &Call<'_>) -> Result<Request<Bytes>, EncodeError> {
        let request = call.request;
        let mut body = Map::new();
        body.insert("model".into(), call.endpoint.id.upstream_model.as_str().into());
        // The endpoint's own maximum, never a number of ours that would cut an answer short unseen.
        match request.max_tokens.or(call.endpoint.max_output.map(Tokens::count)) {
            Some(limit) => {
                body.insert("max_tokens".into(), limit.into());
            }
            None if request.extra.contains_key("max_tokens") => {}
            None => return Err(EncodeError::NoOutputLimit),
        }
        if let Some(system) = system(request) {
            body.insert("system".into(), system.into());
        }
        body.insert("messages".into(), Value::Array(turns(request)));
        if request.stream {
            body.insert("stream".into(), true.into());
        }
        if let Some(temperature) = &request.temperature {
            body.insert("temperature".into(), Value::Number(temperature.clone()));
        }
        merge(&mut body, &request.extra, &RESERVED);
        let mut encoded = post(call, path(call.base_url), &body)?;
        let headers = encoded.headers_mut();
        headers.entry("anthropic-version").or_insert(http::HeaderValue::from_static(VERSION));
        Ok(encoded)
    }

    fn decoder(&self, call: &Call<'_>) -> Box<dyn Decoder> {
        Box::new(MessagesDecoder { answer: Answer::new(call.provider.quirks.errors) })
    }

    fn whole(&self, call: &Call<'_>, body: &[u8], out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        Answer::new(call.provider.quirks.errors).whole(&String::from_utf8_lossy(body), out)
    }

    fn classify(&self, call: &Call<'_>, head: &http::response::Parts, body: &[u8]) -> UpstreamError {
        classify::response(call.provider.quirks.errors, head, body)
    }
}

/// The path below a base URL. Catalogs and environment variables follow two customs: with the version (`.../v1`), or
/// as Anthropic's own clients take it, without.
fn path(base_url: &str) -> &'static str {
    let last = base_url.rsplit('/').next().unwrap_or_default();
    let is_version = last.strip_prefix('v').is_some_and(|rest| rest.starts_with(|sign: char| sign.is_ascii_digit()));
    if is_version { "/messages" } else { "/v1/messages" }
}

/// All instructions, in order, apart by a blank line.
fn system(request: &ChatRequest) -> Option<String> {
    let texts: Vec<String> = request
        .messages
        .iter()
        .filter(|message| matches!(message.role, Role::System | Role::Developer))
        .map(Message::joined)
        .filter(|text| !text.is_empty())
        .collect();
    (!texts.is_empty()).then(|| texts.join("\n\n"))
}

/// The turns of user and assistant. Messages of one role in a row become one turn of several blocks.
fn turns(request: &ChatRequest) -> Vec<Value> {
    let mut turns: Vec<(&str, Vec<&str>)> = Vec::new();
    for message in &request.messages {
        let role = match message.role {
            Role::System | Role::Developer => continue,
            Role::User => "user",
            Role::Assistant => "assistant",
        };
        let texts = message.parts.iter().filter_map(Part::as_text);
        match turns.last_mut() {
            Some((last, blocks)) if *last == role => blocks.extend(texts),
            _ => turns.push((role, texts.collect())),
        }
    }
    let turn = |(role, texts): (&str, Vec<&str>)| match texts[..] {
        [text] => json!({ "role": role, "content": text }),
        _ => {
            let blocks: Vec<Value> = texts.iter().map(|text| json!({ "type": "text", "text": text })).collect();
            json!({ "role": role, "content": blocks })
        }
    };
    turns.into_iter().map(turn).collect()
}

/// Reads named events until `message_stop`.
struct MessagesDecoder {
    answer: Answer,
}

impl Decoder for MessagesDecoder {
    fn frame(&mut self, frame: &Frame, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        let Frame::Sse { event, data } = frame else { return Ok(()) };
        if self.answer.ended() || data.trim().is_empty() {
            return Ok(());
        }
        self.answer.event(event, data.trim(), out)
    }

    fn ended(&self) -> bool {
        self.answer.ended()
    }

    fn end(&mut self, _out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        // A stop reason is not the end: the protocol's own end is `message_stop`.
        if self.answer.ended() { Ok(()) } else { Err(DecodeError::Truncated) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_customs_of_base_urls_lead_to_the_same_path() {
        for (base, expected) in [
            ("https://api.anthropic.com/v1", "/messages"),
            ("https://api.anthropic.com", "/v1/messages"),
            ("https://api.deepseek.com/anthropic", "/v1/messages"),
            ("https://zenmux.ai/api/anthropic/v1", "/messages"),
            ("https://example.com/v1beta1", "/messages"),
            ("https://example.com/vertex", "/v1/messages"),
        ] {
            assert_eq!(path(base), expected, "{base}");
        }
    }
}
