//! OpenAI Chat Completions, as OpenAI and the many who imitate it speak it.
//!
//! Every provider's own placing of usage, reasoning and errors is read wherever it occurs, so that a provider of this
//! dialect takes a catalog entry and no code. `<think>` tags in the text stay in the text.

mod chunk;
mod usage;

use bytes::Bytes;
use http::Request;
use serde_json::{Map, Value, json};

use super::body::{merge, post};
use super::wire::Frame;
use super::{Adapter, Call, DecodeError, Decoder, EncodeError, UpstreamError, classify};
use crate::catalog::OutputLimitField;
use crate::chat::{ChatEvent, Role};
use chunk::Answer;
pub(super) use usage::{service_tier, tokens};

/// The dialect of `POST {base_url}/chat/completions`.
#[derive(Debug)]
pub struct OpenaiChat;

/// Parameters that are the call's own; `extra` does not override them.
const RESERVED: [&str; 3] = ["model", "messages", "stream"];
const LIMITS: [&str; 2] = ["max_tokens", "max_completion_tokens"];

impl Adapter for OpenaiChat {
    fn encode(&self, call: &Call<'_>) -> Result<Request<Bytes>, EncodeError> {
        let request = call.request;
        let mut body = Map::new();
        body.insert("model".into(), call.endpoint.id.upstream_model.as_str().into());
        let messages = request.messages.iter().map(|message| {
            let role = match message.role {
                Role::System | Role::Developer => "system",
                Role::User => "user",
                Role::Assistant => "assistant",
            };
            json!({ "role": role, "content": message.joined() })
        });
        body.insert("messages".into(), messages.collect());
        if request.stream {
            body.insert("stream".into(), true.into());
            body.insert("stream_options".into(), json!({ "include_usage": true }));
        }
        // Volcengine refuses a request with both fields, so a limit in `extra` replaces ours.
        let limit = request.max_tokens.filter(|_| !LIMITS.iter().any(|field| request.extra.contains_key(*field)));
        if let Some(limit) = limit {
            let field = match call.output_limit_field() {
                OutputLimitField::MaxTokens => "max_tokens",
                OutputLimitField::MaxCompletionTokens => "max_completion_tokens",
            };
            body.insert(field.into(), limit.into());
        }
        if let Some(temperature) = &request.temperature {
            body.insert("temperature".into(), Value::Number(temperature.clone()));
        }
        merge(&mut body, &request.extra, &RESERVED);
        post(call, "/chat/completions", &body)
    }

    fn decoder(&self, call: &Call<'_>) -> Box<dyn Decoder> {
        Box::new(ChatDecoder { answer: Answer::new(call.provider.quirks.errors), ended: false })
    }

    fn whole(&self, call: &Call<'_>, body: &[u8], out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        let mut answer = Answer::new(call.provider.quirks.errors);
        answer.read(&String::from_utf8_lossy(body), false, out)?;
        answer.finish(out)
    }

    fn classify(&self, call: &Call<'_>, head: &http::response::Parts, body: &[u8]) -> UpstreamError {
        classify::response(call.provider.quirks.errors, head, body)
    }
}

/// Reads `data:` payloads until `[DONE]`.
struct ChatDecoder {
    answer: Answer,
    ended: bool,
}

impl Decoder for ChatDecoder {
    fn frame(&mut self, frame: &Frame, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        let Frame::Sse { event, data } = frame else { return Ok(()) };
        let data = data.trim();
        if self.ended || data.is_empty() {
            return Ok(());
        }
        if data == "[DONE]" {
            self.ended = true;
            self.answer.done(out);
            return Ok(());
        }
        // The dialect names no events but errors; a named one without an object is some server's own note.
        if !matches!(event.as_str(), "" | "message" | "error") && !data.starts_with('{') {
            return Ok(());
        }
        self.answer.read(data, event == "error", out)
    }

    fn ended(&self) -> bool {
        self.ended
    }

    fn end(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        if self.ended { Ok(()) } else { self.answer.finish(out) }
    }
}
