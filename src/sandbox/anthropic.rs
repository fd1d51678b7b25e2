//! The provider's side of Anthropic Messages.

mod ask;

use http::HeaderMap;
use serde_json::{Value, json};

use super::dialect::{Answer, Ask, Block, Dialect, Envelope, Event, Failure, Finish, Kind, Route, Stream};
pub(super) use ask::{Host, read};

/// Anthropic Messages.
#[derive(Debug)]
pub(super) struct AnthropicMessages;

impl Dialect for AnthropicMessages {
    fn route(&self, path: &str, _query: &str) -> Option<Route> {
        (path == "/v1/messages").then_some(Route::PLAIN)
    }

    fn request_id_header(&self) -> &'static str {
        "request-id"
    }

    fn ask(&self, _route: &Route, headers: &HeaderMap, body: &Value) -> Result<Ask, Failure> {
        let version = headers.get("anthropic-version").and_then(|version| version.to_str().ok());
        let version = version.ok_or_else(|| Failure::invalid("anthropic-version: header is required"))?;
        read(body, &Host { model: None, version, in_body: false })
    }

    fn failure(&self, failure: &Failure, request_id: &str) -> Envelope {
        told(failure, request_id)
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
        whole(answer)
    }

    fn stream(&self, answer: &Answer<'_>) -> Stream {
        stream(answer)
    }

    fn error_events(&self, failure: &Failure, request_id: &str, _events: usize) -> Vec<Event> {
        vec![event(&told(failure, request_id).body)]
    }
}

/// The envelope of a failure.
pub(super) fn told(failure: &Failure, request_id: &str) -> Envelope {
    let (status, kind, message) = match failure {
        Failure::NoKey => (401, "authentication_error", "x-api-key header is required".to_owned()),
        Failure::WrongKey => (401, "authentication_error", "invalid x-api-key".to_owned()),
        Failure::Denied { message, .. } => (403, "permission_error", message.clone()),
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
    let body = json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": request_id});
    Envelope::new(status, body)
}

/// An answer that is not streamed.
pub(super) fn whole(answer: &Answer<'_>) -> Value {
    let block = |(index, block): (usize, &Block)| match &block.kind {
        Kind::Reasoning => json!({"type": "thinking", "thinking": block.text(), "signature": answer.signature(index)}),
        Kind::Text => json!({"type": "text", "text": block.text()}),
        Kind::Call { name } => {
            let id = answer.call_id("toolu_", index);
            json!({"type": "tool_use", "id": id, "name": name, "input": block.arguments()})
        }
    };
    let content: Vec<Value> = answer.blocks.iter().enumerate().map(block).collect();
    message(answer, &Value::Array(content), stop_reason(answer.finish), answer.output_tokens())
}

/// A streamed answer.
pub(super) fn stream(answer: &Answer<'_>) -> Stream {
    let start = json!({"type": "message_start", "message": message(answer, &json!([]), None, 1)});
    let mut stream = Stream { opening: vec![event(&start)], ..Stream::default() };
    for (index, block) in answer.blocks.iter().enumerate() {
        let begin = event(&begin(answer, index, block));
        for (at, piece) in block.pieces.iter().enumerate() {
            let delta = match &block.kind {
                Kind::Reasoning => json!({"type": "thinking_delta", "thinking": piece}),
                Kind::Text => json!({"type": "text_delta", "text": piece}),
                Kind::Call { .. } => json!({"type": "input_json_delta", "partial_json": piece}),
            };
            let delta = event(&json!({"type": "content_block_delta", "index": index, "delta": delta}));
            // The first block begins before its first token is due.
            let begins = at == 0 && index > 0;
            stream.tokens.push(if begins { vec![begin.clone(), delta] } else { vec![delta] });
        }
        if index == 0 {
            stream.opening.extend([begin, event(&json!({"type": "ping"}))]);
        }
        let mut end = Vec::new();
        if block.kind == Kind::Reasoning {
            let delta = json!({"type": "signature_delta", "signature": answer.signature(index)});
            end.push(event(&json!({"type": "content_block_delta", "index": index, "delta": delta})));
        }
        end.push(event(&json!({"type": "content_block_stop", "index": index})));
        match stream.tokens.last_mut() {
            Some(last) if index + 1 < answer.blocks.len() => last.extend(end),
            _ => stream.closing.extend(end),
        }
    }
    let mut delta = json!({
        "type": "message_delta",
        "delta": {"stop_reason": stop_reason(answer.finish), "stop_sequence": null},
    });
    if answer.reports_usage {
        delta["usage"] = usage(answer, answer.output_tokens());
    }
    stream.closing.extend([event(&delta), event(&json!({"type": "message_stop"}))]);
    stream
}

fn begin(answer: &Answer<'_>, index: usize, block: &Block) -> Value {
    let block = match &block.kind {
        Kind::Reasoning => json!({"type": "thinking", "thinking": "", "signature": ""}),
        Kind::Text => json!({"type": "text", "text": ""}),
        Kind::Call { name } => {
            json!({"type": "tool_use", "id": answer.call_id("toolu_", index), "name": name, "input": {}})
        }
    };
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

/// Every event is named after the `type` of its payload.
fn event(data: &Value) -> Event {
    Event::named(data.get("type").and_then(Value::as_str).unwrap_or_default(), data)
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
        Finish::ToolCalls => Some("tool_use"),
        Finish::Length => Some("max_tokens"),
        Finish::Unsaid => None,
    }
}

fn usage(answer: &Answer<'_>, output_tokens: u64) -> Value {
    json!({
        "input_tokens": answer.uncached(),
        "cache_creation_input_tokens": answer.cache_write(),
        "cache_read_input_tokens": answer.cache_read(),
        "output_tokens": output_tokens,
    })
}
