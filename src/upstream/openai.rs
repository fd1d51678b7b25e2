//! OpenAI Chat Completions, as OpenAI and the many who imitate it speak it.
//!
//! Every provider's own placing of usage, reasoning and errors is read wherever it occurs, and its own words for asking
//! are quirks, so that a provider of this dialect takes a catalog entry and no code. `<think>` tags in the text stay in
//! the text. Prompts are cached without being marked, so a wish for that says nothing.

mod chunk;
mod messages;
mod parts;
mod prefill;
mod schema;
mod thinking;
mod usage;

use bytes::Bytes;
use http::Request;
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::adapt::{Adaptation, names, refuses};
use super::body::{merge, post, text};
use super::wire::Frame;
use super::{Adapter, Call, DecodeError, Decoder, EncodeError, UpstreamError, classify};
use crate::catalog::{OutputLimitField, Protocol};
use crate::chat::{ChatEvent, ChatRequest, Force, Native, Tool, ToolChoice};
use chunk::Answer;
pub(super) use chunk::finish_of;
use messages::Turn;
pub(super) use parts::{address, arguments, file_name, misplaced, once, result_text, role};
pub(super) use schema::is_strict;
pub(super) use usage::{WireUsage, service_tier, tokens};

/// The dialect of `POST {base_url}/chat/completions`.
#[derive(Debug)]
pub struct OpenaiChat;

/// Parameters that are the call's own; `extra` does not override them.
const RESERVED: [&str; 3] = ["model", "messages", "stream"];
const LIMITS: [&str; 2] = ["max_tokens", "max_completion_tokens"];

/// A request. What is in every one is not looked up among the rest.
#[derive(Serialize)]
struct Body<'a> {
    model: &'a str,
    messages: Vec<Turn<'a>>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

impl Adapter for OpenaiChat {
    fn lacks(&self, call: &Call<'_>) -> Vec<&'static str> {
        let effort = thinking::say(call, &mut Map::new()).err();
        once(messages::lacks(call.request).chain(effort))
    }

    fn continues(&self, call: &Call<'_>) -> bool {
        prefill::continues(call)
    }

    fn encode(&self, call: &Call<'_>) -> Result<Request<Bytes>, EncodeError> {
        if let Some(lack) = self.lacks(call).first() {
            return Err(EncodeError::Inexpressible(lack));
        }
        let request = call.request;
        let mut turns = messages::messages(request, &call.provider.quirks);
        let mut body = Map::new();
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
        sampling(request, &mut body);
        if let Some(seed) = request.seed {
            body.insert("seed".into(), seed.into());
        }
        if !request.stop.is_empty() {
            body.insert("stop".into(), request.stop.clone().into());
        }
        if !request.tools.is_empty() {
            body.insert("tools".into(), request.tools.iter().map(tool).collect());
        }
        calling(request, |name| json!({ "type": "function", "function": { "name": name } }), &mut body);
        if let Some(answer) = &request.schema {
            let strict = is_strict(&answer.schema);
            let schema = json!({ "name": answer.name, "schema": answer.schema, "strict": strict });
            body.insert("response_format".into(), json!({ "type": "json_schema", "json_schema": schema }));
        }
        thinking::say(call, &mut body).map_err(EncodeError::Inexpressible)?;
        untouched(request, Protocol::OpenaiChat, &mut body);
        merge(&mut body, &request.extra, &RESERVED);
        if request.continues {
            prefill::mark(call.provider.quirks.prefill, &mut turns, &mut body);
        }
        let model = &call.endpoint.id.upstream_model;
        debug_assert!(
            !["model", "messages"].iter().any(|name| body.contains_key(*name)),
            "a member would stand there twice"
        );
        post(call, "/chat/completions", &Body { model, messages: turns, rest: body })
    }

    fn decoder(&self, call: &Call<'_>) -> Box<dyn Decoder> {
        Box::new(ChatDecoder { answer: Answer::new(&call.provider.quirks), ended: false })
    }

    fn whole(&self, call: &Call<'_>, body: &[u8], out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        let mut answer = Answer::new(&call.provider.quirks);
        answer.read(&text(body), false, out)?;
        answer.finish(out)
    }

    /// `reasoning_content` and its like are the thoughts themselves.
    fn summarizes_reasoning(&self) -> bool {
        false
    }

    fn classify(&self, call: &Call<'_>, head: &http::response::Parts, body: &[u8]) -> UpstreamError {
        classify::response(call.provider.quirks.errors, head, body)
    }

    fn adapt(&self, call: &Call<'_>, error: &UpstreamError) -> Option<Adaptation> {
        let (request, extra) = (call.request, &call.request.extra);
        // Databricks, MLflow and older servers know no such field. In `extra` it is a wish.
        if request.stream && !extra.contains_key("stream_options") && names(error, "stream_options") {
            return Some(Adaptation::Without("stream_options"));
        }
        let is_ours = request.max_tokens.is_some() && !LIMITS.iter().any(|field| extra.contains_key(*field));
        let [older, newer] = LIMITS;
        let (of, put) = match call.output_limit_field() {
            OutputLimitField::MaxTokens => (older, newer),
            OutputLimitField::MaxCompletionTokens => (newer, older),
        };
        (is_ours && refuses(error, of, put)).then_some(Adaptation::Instead { of, put })
    }
}

/// Lays what a client said in its own dialect into a body: a form of its own in place of ours, a list at the end of ours, all
/// else where nothing is.
pub(super) fn untouched(request: &ChatRequest, protocol: Protocol, body: &mut Map<String, Value>) {
    for native in request.native.iter().filter(|native| native.is_of(protocol) && !native.value.is_null()) {
        match (native.name, &native.value) {
            // Those are laid in where messages and items are written.
            (Native::BESIDE | Native::BESIDE_ITEMS | "input", _) => {}
            (Native::MEMBERS, Value::Object(members)) => {
                for (name, value) in members {
                    body.entry(name.clone()).or_insert_with(|| value.clone());
                }
            }
            (name, value) => match name.split_once('.') {
                // A member of one of the API's objects.
                Some((outer, inner)) => {
                    if let Value::Object(outer) = body.entry(outer).or_insert_with(|| json!({})) {
                        lay(outer, inner, value, native.force);
                    }
                }
                None => lay(body, name, value, native.force),
            },
        }
    }
}

fn lay(body: &mut Map<String, Value>, name: &str, value: &Value, force: Force) {
    match (body.get_mut(name), value) {
        (Some(Value::Array(known)), Value::Array(more)) if force != Force::Form => known.extend(more.iter().cloned()),
        (Some(_), _) if force != Force::Form => {}
        _ => {
            body.insert(name.to_owned(), value.clone());
        }
    }
}

/// How the answer's tokens are sampled, as exact literals.
pub(super) fn sampling(request: &ChatRequest, body: &mut Map<String, Value>) {
    for (name, literal) in [("temperature", &request.temperature), ("top_p", &request.top_p)] {
        if let Some(literal) = literal {
            body.insert(name.into(), Value::Number(literal.clone()));
        }
    }
}

/// Whether tools must be called, and several at once. `named` is the dialect's form of one tool's name.
///
/// Without tools, the wishes that hold anyway are not sent: OpenAI refuses them there.
pub(super) fn calling(request: &ChatRequest, named: impl Fn(&str) -> Value, body: &mut Map<String, Value>) {
    let has_tools = !request.tools.is_empty() || request.extra.contains_key("tools");
    let choice = match &request.tool_choice {
        Some(ToolChoice::Auto) if has_tools => Some("auto".into()),
        Some(ToolChoice::None) if has_tools => Some("none".into()),
        Some(ToolChoice::Required) => Some("required".into()),
        Some(ToolChoice::Named(name)) => Some(named(name)),
        _ => None,
    };
    if let Some(choice) = choice {
        body.insert("tool_choice".into(), choice);
    }
    if let Some(parallel) = request.parallel_tools.filter(|_| has_tools) {
        body.insert("parallel_tool_calls".into(), parallel.into());
    }
}

fn tool(tool: &Tool) -> Value {
    let mut function = Map::new();
    function.insert("name".into(), tool.name.as_str().into());
    if let Some(description) = &tool.description {
        function.insert("description".into(), description.as_str().into());
    }
    function.insert("parameters".into(), tool.parameters.clone());
    if let Some(strict) = tool.strict {
        function.insert("strict".into(), strict.into());
    }
    json!({ "type": "function", "function": function })
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
