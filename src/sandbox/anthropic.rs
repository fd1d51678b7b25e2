//! The provider's side of Anthropic Messages.

use http::HeaderMap;
use serde_json::{Value, json};

use super::dialect::{Answer, Ask, Dialect, Failure, Finish, first_of, input_tokens, model, output_limit};

/// The API version that no longer takes sampling parameters.
const WITHOUT_SAMPLING: &str = "2026-10-21";
const SAMPLING: [&str; 3] = ["temperature", "top_p", "top_k"];
/// What not every model takes.
const REFUSABLE: [&str; 4] = ["temperature", "top_p", "top_k", "thinking"];

/// Anthropic Messages.
#[derive(Debug)]
pub(super) struct AnthropicMessages;

impl Dialect for AnthropicMessages {
    fn chat_path(&self) -> &'static str {
        "/messages"
    }

    fn request_id_header(&self) -> &'static str {
        "request-id"
    }

    fn ask(&self, headers: &HeaderMap, body: &Value) -> Result<Ask, Failure> {
        let invalid = |parameter, message: String| Failure::Invalid { parameter, message };
        let version = headers.get("anthropic-version").and_then(|version| version.to_str().ok());
        let version = version.ok_or_else(|| invalid(None, "anthropic-version: header is required".to_owned()))?;
        let missing = |field: &'static str| invalid(Some(field), format!("{field}: Field required"));
        let model = model(body).ok_or_else(|| missing("model"))?;
        let messages = body.get("messages").and_then(Value::as_array).ok_or_else(|| missing("messages"))?;
        if messages.is_empty() {
            return Err(invalid(Some("messages"), "messages: at least one message is required".to_owned()));
        }
        if messages.iter().any(|message| message.get("role").and_then(Value::as_str) == Some("system")) {
            let message = "messages: Unexpected role \"system\". Use the top-level `system` parameter.".to_owned();
            return Err(invalid(Some("messages"), message));
        }
        let too_small = |()| {
            let message = "max_tokens: Input should be greater than or equal to 1".to_owned();
            invalid(Some("max_tokens"), message)
        };
        let max_tokens = output_limit(body, "max_tokens").map_err(too_small)?.ok_or_else(|| missing("max_tokens"))?;
        match first_of(body, &SAMPLING) {
            Some(field) if version == WITHOUT_SAMPLING => {
                return Err(invalid(Some(field), format!("{field}: Extra inputs are not permitted")));
            }
            _ => {}
        }
        let contents = messages.iter().filter_map(|message| message.get("content"));
        Ok(Ask {
            model: model.to_owned(),
            stream: body.get("stream").and_then(Value::as_bool).unwrap_or(false),
            stream_usage: true,
            max_tokens: Some(max_tokens),
            input_tokens: input_tokens(contents.chain(body.get("system"))),
            refusable: first_of(body, &REFUSABLE),
        })
    }

    fn failure(&self, failure: &Failure, request_id: &str) -> (u16, Value) {
        let (status, kind, message) = match failure {
            Failure::NoKey => (401, "authentication_error", "x-api-key header is required".to_owned()),
            Failure::WrongKey => (401, "authentication_error", "invalid x-api-key".to_owned()),
            Failure::NoSuchPath { .. } => (404, "not_found_error", "Not found".to_owned()),
            Failure::NoSuchModel { model } => (404, "not_found_error", format!("model: {model}")),
            Failure::Invalid { message, .. } => (400, "invalid_request_error", message.clone()),
            Failure::Unsupported { parameter } => {
                (400, "invalid_request_error", format!("{parameter}: Extra inputs are not permitted"))
            }
            Failure::TooLarge => (413, "request_too_large", "Request exceeds the maximum size".to_owned()),
            Failure::RateLimited { .. } => {
                let message = "This request would exceed your organization's rate limit of requests per minute.";
                (429, "rate_limit_error", message.to_owned())
            }
            Failure::Quota => {
                let message = "Your credit balance is too low to access the Anthropic API.";
                (402, "billing_error", message.to_owned())
            }
            Failure::Server => (500, "api_error", "Internal server error".to_owned()),
            Failure::Overloaded => (529, "overloaded_error", "Overloaded".to_owned()),
        };
        let message = format!("[sandbox] {message}");
        (status, json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id}))
    }

    fn models(&self) -> Value {
        json!({
            "data": [{
                "type": "model",
                "id": "sandbox",
                "display_name": "Sandbox (answers to any name)",
                "created_at": "2026-01-01T00:00:00Z",
            }],
            "has_more": false,
            "first_id": "sandbox",
            "last_id": "sandbox",
        })
    }

    fn whole(&self, answer: &Answer<'_>) -> Value {
        let content = json!([{"type": "text", "text": answer.pieces.concat()}]);
        message(answer, &content, stop_reason(answer.finish), answer.output_tokens())
    }

    fn opening(&self, answer: &Answer<'_>) -> String {
        let start = json!({"type": "message_start", "message": message(answer, &json!([]), None, 1)});
        let block = json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
        [event(&start), event(&block), event(&json!({"type": "ping"}))].concat()
    }

    fn token(&self, _answer: &Answer<'_>, piece: &str) -> String {
        event(&json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}}))
    }

    fn closing(&self, answer: &Answer<'_>) -> String {
        let mut delta = json!({
            "type": "message_delta",
            "delta": {"stop_reason": stop_reason(answer.finish), "stop_sequence": null},
        });
        if answer.reports_usage {
            delta["usage"] = usage(answer, answer.output_tokens());
        }
        let stop = json!({"type": "content_block_stop", "index": 0});
        [event(&stop), event(&delta), event(&json!({"type": "message_stop"}))].concat()
    }

    fn error_event(&self, failure: &Failure, request_id: &str) -> String {
        event(&self.failure(failure, request_id).1)
    }
}

/// Every event is named after the `type` of its payload.
fn event(data: &Value) -> String {
    let name = data.get("type").and_then(Value::as_str).unwrap_or_default();
    format!("event: {name}\ndata: {data}\n\n")
}

fn message(answer: &Answer<'_>, content: &Value, stop_reason: Option<&str>, output_tokens: u64) -> Value {
    let mut message = json!({
        "id": format!("msg_{}", answer.id),
        "type": "message",
        "role": "assistant",
        "model": answer.ask.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": null,
    });
    if answer.reports_usage {
        message["usage"] = usage(answer, output_tokens);
    }
    message
}

fn stop_reason(finish: Finish) -> Option<&'static str> {
    match finish {
        Finish::Stop => Some("end_turn"),
        Finish::Length => Some("max_tokens"),
        Finish::Unsaid => None,
    }
}

fn usage(answer: &Answer<'_>, output_tokens: u64) -> Value {
    json!({
        "input_tokens": answer.ask.input_tokens,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": output_tokens,
    })
}
