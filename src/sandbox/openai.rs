//! The provider's side of OpenAI Chat Completions.

mod ask;

use http::HeaderMap;
use serde_json::{Value, json};

use super::dialect::{Answer, Ask, Block, CREATED, Dialect, Envelope, Event, Failure, Finish, Kind, Route, Stream};

/// OpenAI Chat Completions.
#[derive(Debug)]
pub(super) struct OpenaiChat;

impl Dialect for OpenaiChat {
    fn route(&self, path: &str, _query: &str) -> Option<Route> {
        (path == "/v1/chat/completions").then_some(Route::PLAIN)
    }

    fn request_id_header(&self) -> &'static str {
        "x-request-id"
    }

    fn ask(&self, _route: &Route, _headers: &HeaderMap, body: &Value) -> Result<Ask, Failure> {
        ask::read(body)
    }

    fn failure(&self, failure: &Failure, _request_id: &str) -> Envelope {
        told(failure)
    }

    fn models(&self) -> Value {
        models()
    }

    fn whole(&self, answer: &Answer<'_>) -> Value {
        let text: String = answer.blocks.iter().filter(|block| block.kind == Kind::Text).map(Block::text).collect();
        let content = if text.is_empty() { Value::Null } else { text.into() };
        let mut message = json!({"role": "assistant", "content": content, "refusal": null});
        for (index, block) in answer.blocks.iter().enumerate() {
            match &block.kind {
                Kind::Reasoning => message["reasoning_content"] = block.text().into(),
                Kind::Text => {}
                Kind::Call { name } => {
                    let function = json!({"name": name, "arguments": block.text()});
                    let id = answer.call_id("call_", index);
                    message["tool_calls"] = json!([{"id": id, "type": "function", "function": function}]);
                }
            }
        }
        let mut body = json!({
            "id": format!("chatcmpl-{}", answer.id),
            "object": "chat.completion",
            "created": CREATED,
            "model": answer.ask.model,
            "choices": [{
                "index": 0,
                "message": message,
                "logprobs": null,
                "finish_reason": finish_reason(answer.finish),
            }],
        });
        if answer.reports_usage {
            body["usage"] = usage(answer);
        }
        body
    }

    fn stream(&self, answer: &Answer<'_>) -> Stream {
        // The role comes first and alone, long before any text; it is no token.
        let role = chunk(answer, &json!({"role": "assistant", "content": "", "refusal": null}), None);
        let mut stream = Stream { opening: vec![Event::plain(role)], ..Stream::default() };
        for (index, block) in answer.blocks.iter().enumerate() {
            for (at, piece) in block.pieces.iter().enumerate() {
                let delta = match &block.kind {
                    Kind::Reasoning => json!({"reasoning_content": piece}),
                    Kind::Text => json!({"content": piece}),
                    Kind::Call { name } => {
                        let function = json!({"name": name, "arguments": piece});
                        let id = answer.call_id("call_", index);
                        let whole = json!({"index": 0, "id": id, "type": "function", "function": function});
                        let further = json!({"index": 0, "function": {"arguments": piece}});
                        json!({"tool_calls": [if at == 0 { whole } else { further }]})
                    }
                };
                stream.tokens.push(vec![Event::plain(chunk(answer, &delta, None))]);
            }
        }
        stream.closing.push(Event::plain(chunk(answer, &json!({}), finish_reason(answer.finish))));
        if answer.ask.stream_usage && answer.reports_usage {
            let mut last = chunk(answer, &Value::Null, None);
            last["choices"] = json!([]);
            last["usage"] = usage(answer);
            stream.closing.push(Event::plain(last));
        }
        stream.closing.push(Event::plain("[DONE]"));
        stream
    }

    /// The terminator follows all the same, as several gateways send it: `[DONE]` alone makes no answer complete.
    fn error_events(&self, failure: &Failure, request_id: &str, _events: usize) -> Vec<Event> {
        vec![Event::plain(self.failure(failure, request_id).body), Event::plain("[DONE]")]
    }
}

/// The list of models.
pub(super) fn models() -> Value {
    json!({
        "object": "list",
        "data": [{"id": "sandbox", "object": "model", "created": CREATED, "owned_by": "openmux-sandbox"}],
    })
}

/// The envelope that all of OpenAI's protocols share.
pub(super) fn told(failure: &Failure) -> Envelope {
    let (status, message, kind, parameter, code) = match failure {
        Failure::NoKey => (401, "You didn't provide an API key.".to_owned(), "invalid_request_error", None, None),
        Failure::WrongKey => {
            (401, "Incorrect API key provided.".to_owned(), "invalid_request_error", None, Some("invalid_api_key"))
        }
        Failure::Denied { code, message } => (401, message.clone(), "invalid_request_error", None, Some(*code)),
        Failure::NoSuchPath { method, path } => {
            (404, format!("Invalid URL ({method} {path})"), "invalid_request_error", None, None)
        }
        Failure::NoSuchModel { model } => (
            404,
            format!("The model `{model}` does not exist or you do not have access to it."),
            "invalid_request_error",
            None,
            Some("model_not_found"),
        ),
        Failure::Invalid { parameter, message } => (400, message.clone(), "invalid_request_error", *parameter, None),
        Failure::Unsupported { parameter } => (
            400,
            format!("Unsupported parameter: '{parameter}' is not supported with this model."),
            "invalid_request_error",
            Some(*parameter),
            Some("unsupported_parameter"),
        ),
        Failure::TooLarge => {
            (413, "Maximum content size limit exceeded.".to_owned(), "invalid_request_error", None, None)
        }
        Failure::RateLimited { model, .. } => (
            429,
            format!("Rate limit reached for {model} on requests per min (RPM)."),
            "requests",
            None,
            Some("rate_limit_exceeded"),
        ),
        Failure::Quota => (
            429,
            "You exceeded your current quota, please check your plan and billing details.".to_owned(),
            "insufficient_quota",
            None,
            Some("insufficient_quota"),
        ),
        Failure::Server => {
            (500, "The server had an error while processing your request.".to_owned(), "server_error", None, None)
        }
        Failure::Overloaded => (
            503,
            "The engine is currently overloaded, please try again later.".to_owned(),
            "server_error",
            None,
            Some("server_is_overloaded"),
        ),
    };
    let message = format!("[sandbox] {message}");
    let body = json!({"error": {"message": message, "type": kind, "param": parameter, "code": code}});
    Envelope::new(status, body)
}

fn chunk(answer: &Answer<'_>, delta: &Value, finish_reason: Option<&str>) -> Value {
    let mut chunk = json!({
        "id": format!("chatcmpl-{}", answer.id),
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": answer.ask.model,
        "choices": [{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason}],
    });
    if answer.ask.stream_usage && answer.reports_usage {
        chunk["usage"] = Value::Null;
    }
    chunk
}

fn finish_reason(finish: Finish) -> Option<&'static str> {
    match finish {
        Finish::Stop => Some("stop"),
        Finish::ToolCalls => Some("tool_calls"),
        Finish::Length => Some("length"),
        Finish::Unsaid => None,
    }
}

fn usage(answer: &Answer<'_>) -> Value {
    json!({
        "prompt_tokens": answer.ask.input_tokens,
        "completion_tokens": answer.output_tokens(),
        "total_tokens": answer.ask.input_tokens + answer.output_tokens(),
        "prompt_tokens_details": {"cached_tokens": answer.cache_read()},
        "completion_tokens_details": {"reasoning_tokens": answer.reasoning_tokens()},
    })
}
