//! OpenAI Responses, as OpenAI speaks it and others (xAI, Azure, llama.cpp, vLLM) imitate it.
//!
//! Nothing is kept at the provider's (`store: false`): every request carries the whole conversation, and the reasoning
//! of earlier turns goes back as the encrypted content that came with it. Prompts are cached without being marked, so a
//! wish for that says nothing.

mod event;
mod input;
mod item;

use bytes::Bytes;
use http::Request;
use serde_json::{Map, Value, json};

use super::body::{merge, post, text};
use super::openai::{calling, is_strict, once, sampling, untouched};
use super::steer::{Steer, Ways, steer};
use super::wire::Frame;
use super::{Adapter, Call, DecodeError, Decoder, EncodeError, UpstreamError, classify};
use crate::catalog::{Capability, Protocol};
use crate::chat::{ChatEvent, Effort, Tool};
use crate::units::Tokens;
use event::Answer;

/// The dialect of `POST {base_url}/responses`.
#[derive(Debug)]
pub struct OpenaiResponses;

/// Parameters that are the call's own; `extra` does not override them.
const RESERVED: [&str; 3] = ["model", "input", "stream"];
/// OpenAI refuses a smaller output limit here, and not in OpenAI Chat.
const SMALLEST_LIMIT: u64 = 16;

impl Adapter for OpenaiResponses {
    fn lacks(&self, call: &Call<'_>) -> Vec<&'static str> {
        let request = call.request;
        let stop = (!request.stop.is_empty()).then_some("stop sequences");
        let seed = request.seed.map(|_| "a seed");
        // Whoever serves no other dialect may take it.
        let small = request.max_tokens.is_some_and(|limit| limit < SMALLEST_LIMIT);
        let small = (small && call.endpoint.alternate.is_some()).then_some("an output limit below 16 tokens");
        once(input::lacks(request).chain(stop).chain(seed).chain(small).chain(reasoning(call).err()))
    }

    fn encode(&self, call: &Call<'_>) -> Result<Request<Bytes>, EncodeError> {
        if let Some(lack) = self.lacks(call).first() {
            return Err(EncodeError::Inexpressible(lack));
        }
        let request = call.request;
        let mut body = Map::new();
        body.insert("model".into(), call.endpoint.id.upstream_model.as_str().into());
        body.insert("input".into(), input::items(request, &call.provider.quirks).into());
        body.insert("store".into(), false.into());
        if request.stream {
            body.insert("stream".into(), true.into());
        }
        if let Some(limit) = request.max_tokens {
            body.insert("max_output_tokens".into(), limit.into());
        }
        sampling(request, &mut body);
        if !request.tools.is_empty() {
            body.insert("tools".into(), request.tools.iter().map(tool).collect());
        }
        calling(request, |name| json!({ "type": "function", "name": name }), &mut body);
        if let Some(answer) = &request.schema {
            let strict = is_strict(&answer.schema);
            let format =
                json!({ "type": "json_schema", "name": answer.name, "schema": answer.schema, "strict": strict });
            body.insert("text".into(), json!({ "format": format }));
        }
        if let Some(reasoning) = reasoning(call).map_err(EncodeError::Inexpressible)? {
            body.insert("reasoning".into(), reasoning);
        }
        if reasons(call) {
            body.insert("include".into(), json!(["reasoning.encrypted_content"]));
        }
        untouched(request, Protocol::OpenaiResponses, &mut body);
        merge(&mut body, &request.extra, &RESERVED);
        post(call, "/responses", &body)
    }

    fn decoder(&self, call: &Call<'_>) -> Box<dyn Decoder> {
        Box::new(ResponsesDecoder { answer: Answer::new(call) })
    }

    fn whole(&self, call: &Call<'_>, body: &[u8], out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        Answer::new(call).whole(&text(body), out)
    }

    fn classify(&self, call: &Call<'_>, head: &http::response::Parts, body: &[u8]) -> UpstreamError {
        classify::response(call.provider.quirks.errors, head, body)
    }
}

/// Whether there will be reasoning whose encrypted content can be asked for; models without any refuse to be asked.
fn reasons(call: &Call<'_>) -> bool {
    let can = call.endpoint.can(Capability::Reasoning) || !Ways::of(call.endpoint).is_unknown();
    can && !matches!(call.request.effort, Some(Effort::None | Effort::Budget(0)))
}

/// The `reasoning` of a request: an effort, and a summary of the thoughts to go with it. The dialect knows no budgets.
fn reasoning(call: &Call<'_>) -> Result<Option<Value>, &'static str> {
    let request = call.request;
    let limit = request.max_tokens.or(call.endpoint.max_output.map(Tokens::count));
    match steer(call.endpoint, request.effort, limit)? {
        Steer::Leave => Ok(None),
        Steer::Off | Steer::Level(Effort::None) => Ok(Some(json!({ "effort": "none" }))),
        Steer::On => Ok(Some(json!({ "summary": "auto" }))),
        Steer::Level(level) => Ok(Some(json!({ "effort": level.word(), "summary": "auto" }))),
        // A level that only became a budget here is not what the person asked for.
        Steer::Budget(_) if !matches!(request.effort, Some(Effort::Budget(_))) => Err("this reasoning effort"),
        Steer::Budget(_) => Err("a reasoning budget"),
    }
}

/// A tool. Here a schema is strict unless it says otherwise, and rewritten to be; a tool is to mean the same as in
/// OpenAI Chat, so it says otherwise.
fn tool(tool: &Tool) -> Value {
    let mut function = Map::new();
    function.insert("type".into(), "function".into());
    function.insert("name".into(), tool.name.as_str().into());
    if let Some(description) = &tool.description {
        function.insert("description".into(), description.as_str().into());
    }
    function.insert("parameters".into(), tool.parameters.clone());
    function.insert("strict".into(), tool.strict.unwrap_or(false).into());
    Value::Object(function)
}

/// Reads named events until the one that says how the response ended.
struct ResponsesDecoder {
    answer: Answer,
}

impl Decoder for ResponsesDecoder {
    fn frame(&mut self, frame: &Frame, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        let Frame::Sse { event, data } = frame else { return Ok(()) };
        let data = data.trim();
        // Some send Chat's terminator too; it says nothing of how the response ended.
        if self.answer.ended() || data.is_empty() || data == "[DONE]" {
            return Ok(());
        }
        self.answer.event(event, data, out)
    }

    fn ended(&self) -> bool {
        self.answer.ended()
    }

    fn end(&mut self, _out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        if self.answer.ended() { Ok(()) } else { Err(DecodeError::Truncated) }
    }
}
