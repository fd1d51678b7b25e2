//! The provider's side of OpenAI Chat Completions.

use http::HeaderMap;
use serde_json::{Value, json};

use super::dialect::{
    Answer, Ask, CREATED, Dialect, Failure, Finish, first_of, has, input_tokens, model, output_limit,
};

/// What not every model takes, the ones that clients can do without first.
const REFUSABLE: [&str; 5] = ["temperature", "top_p", "seed", "reasoning_effort", "stream_options"];

/// OpenAI Chat Completions.
#[derive(Debug)]
pub(super) struct OpenaiChat;

impl Dialect for OpenaiChat {
    fn chat_path(&self) -> &'static str {
        "/chat/completions"
    }

    fn request_id_header(&self) -> &'static str {
        "x-request-id"
    }

    fn ask(&self, _headers: &HeaderMap, body: &Value) -> Result<Ask, Failure> {
        let invalid = |parameter, message: &str| Failure::Invalid { parameter, message: message.to_owned() };
        let model = model(body).ok_or_else(|| invalid(None, "you must provide a model parameter"))?;
        let messages = body
            .get("messages")
            .and_then(Value::as_array)
            .ok_or_else(|| invalid(Some("messages"), "Missing required parameter: 'messages'."))?;
        if messages.is_empty() {
            return Err(invalid(Some("messages"), "[] is too short - 'messages'"));
        }
        let limit = |field| {
            output_limit(body, field)
                .map_err(|()| invalid(Some(field), &format!("Invalid '{field}': below minimum 1.")))
        };
        let (old, new) = (limit("max_tokens")?, limit("max_completion_tokens")?);
        if old.is_some() && new.is_some() {
            let message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.";
            return Err(invalid(Some("max_tokens"), message));
        }
        let stream = body.get("stream").and_then(Value::as_bool).unwrap_or(false);
        if has(body, "stream_options") && !stream {
            let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
            return Err(invalid(Some("stream_options"), message));
        }
        Ok(Ask {
            model: model.to_owned(),
            stream,
            stream_usage: body.pointer("/stream_options/include_usage").and_then(Value::as_bool).unwrap_or(false),
            max_tokens: old.or(new),
            input_tokens: input_tokens(messages.iter().filter_map(|message| message.get("content"))),
            refusable: first_of(body, &REFUSABLE),
        })
    }

    fn failure(&self, failure: &Failure, _request_id: &str) -> (u16, Value) {
        let (status, message, kind, parameter, code) = match failure {
            Failure::NoKey => (401, "You didn't provide an API key.".to_owned(), "invalid_request_error", None, None),
            Failure::WrongKey => {
                (401, "Incorrect API key provided.".to_owned(), "invalid_request_error", None, Some("invalid_api_key"))
            }
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
            Failure::Invalid { parameter, message } => {
                (400, message.clone(), "invalid_request_error", *parameter, None)
            }
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
            Failure::RateLimited { model } => (
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
        (status, json!({"error": {"message": message, "type": kind, "param": parameter, "code": code}}))
    }

    fn models(&self) -> Value {
        json!({
            "object": "list",
            "data": [{"id": "sandbox", "object": "model", "created": CREATED, "owned_by": "openmux-sandbox"}],
        })
    }

    fn whole(&self, answer: &Answer<'_>) -> Value {
        let mut body = json!({
            "id": format!("chatcmpl-{}", answer.id),
            "object": "chat.completion",
            "created": CREATED,
            "model": answer.ask.model,
            "choices": [{
                "index": 0,
                "message": {"role": "assistant", "content": answer.pieces.concat(), "refusal": null},
                "logprobs": null,
                "finish_reason": finish_reason(answer.finish),
            }],
        });
        if answer.reports_usage {
            body["usage"] = usage(answer);
        }
        body
    }

    /// The role comes first and alone, long before any text; it is no token.
    fn opening(&self, answer: &Answer<'_>) -> String {
        event(&chunk(answer, &json!({"role": "assistant", "content": "", "refusal": null}), None))
    }

    fn token(&self, answer: &Answer<'_>, piece: &str) -> String {
        event(&chunk(answer, &json!({"content": piece}), None))
    }

    fn closing(&self, answer: &Answer<'_>) -> String {
        let mut closing = event(&chunk(answer, &json!({}), finish_reason(answer.finish)));
        if answer.ask.stream_usage && answer.reports_usage {
            let mut last = chunk(answer, &Value::Null, None);
            last["choices"] = json!([]);
            last["usage"] = usage(answer);
            closing.push_str(&event(&last));
        }
        closing.push_str("data: [DONE]\n\n");
        closing
    }

    /// The terminator follows all the same, as several gateways send it: `[DONE]` alone makes no answer complete.
    fn error_event(&self, failure: &Failure, request_id: &str) -> String {
        format!("{}data: [DONE]\n\n", event(&self.failure(failure, request_id).1))
    }
}

fn event(data: &Value) -> String {
    format!("data: {data}\n\n")
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
        Finish::Length => Some("length"),
        Finish::Unsaid => None,
    }
}

fn usage(answer: &Answer<'_>) -> Value {
    json!({
        "prompt_tokens": answer.ask.input_tokens,
        "completion_tokens": answer.output_tokens(),
        "total_tokens": answer.ask.input_tokens + answer.output_tokens(),
        "prompt_tokens_details": {"cached_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0},
    })
}
