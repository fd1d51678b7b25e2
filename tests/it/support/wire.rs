//! Answers as the two protocols send them, as scripts for [`super::server::Server`].

use serde_json::{Value, json};

use super::server::{Script, Step};

/// One event of an OpenAI stream.
pub(crate) fn openai_event(data: &Value) -> String {
    format!("data: {data}\n\n")
}

/// One event of an Anthropic stream, named after the `type` of its payload.
pub(crate) fn anthropic_event(data: &Value) -> String {
    format!("event: {}\ndata: {data}\n\n", data["type"].as_str().expect("an event has a type"))
}

fn openai_chunk(delta: &Value, finish_reason: Option<&str>) -> String {
    openai_event(&json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason}],
    }))
}

/// A piece of text in an OpenAI stream.
pub(crate) fn openai_text(piece: &str) -> String {
    openai_chunk(&json!({"content": piece}), None)
}

/// The events of a complete OpenAI stream: the role, the pieces, the finish, usage where it is given
/// (input tokens, output tokens), and `[DONE]`.
pub(crate) fn openai_events(pieces: &[&str], usage: Option<(u64, u64)>) -> Vec<String> {
    let mut events = vec![openai_chunk(&json!({"role": "assistant", "content": ""}), None)];
    events.extend(pieces.iter().map(|piece| openai_text(piece)));
    events.push(openai_chunk(&json!({}), Some("stop")));
    events.extend(usage.map(|(input, output)| {
        openai_event(&json!({
            "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [],
            "usage": {"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output},
        }))
    }));
    events.push("data: [DONE]\n\n".to_owned());
    events
}

/// A complete OpenAI stream.
pub(crate) fn openai_stream(pieces: &[&str], usage: Option<(u64, u64)>) -> Script {
    stream(openai_events(pieces, usage))
}

/// A piece of text in an Anthropic stream.
pub(crate) fn anthropic_text(piece: &str) -> String {
    anthropic_event(&json!({
        "type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece},
    }))
}

/// The events of a complete Anthropic stream, with usage (input tokens, output tokens).
pub(crate) fn anthropic_events(pieces: &[&str], (input, output): (u64, u64)) -> Vec<String> {
    let start = json!({
        "type": "message_start",
        "message": {
            "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [],
            "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": input, "output_tokens": 1},
        },
    });
    let block = json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}});
    let mut events = vec![anthropic_event(&start), anthropic_event(&block), anthropic_event(&json!({"type": "ping"}))];
    events.extend(pieces.iter().map(|piece| anthropic_text(piece)));
    events.push(anthropic_event(&json!({"type": "content_block_stop", "index": 0})));
    events.push(anthropic_event(&json!({
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": null},
        "usage": {"output_tokens": output},
    })));
    events.push(anthropic_event(&json!({"type": "message_stop"})));
    events
}

/// A complete Anthropic stream.
pub(crate) fn anthropic_stream(pieces: &[&str], usage: (u64, u64)) -> Script {
    stream(anthropic_events(pieces, usage))
}

/// An OpenAI answer that is not streamed.
pub(crate) fn openai_whole(text: &str, (input, output): (u64, u64)) -> Script {
    Script::json(
        200,
        &json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{
                "index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop",
            }],
            "usage": {"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output},
        }),
    )
}

/// An Anthropic answer that is not streamed.
pub(crate) fn anthropic_whole(text: &str, (input, output): (u64, u64)) -> Script {
    Script::json(
        200,
        &json!({
            "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
            "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": null,
            "usage": {"input_tokens": input, "output_tokens": output},
        }),
    )
}

/// A failure in OpenAI's envelope.
pub(crate) fn openai_error(status: u16, kind: &str, code: Option<&str>, message: &str) -> Script {
    Script::json(status, &json!({"error": {"message": message, "type": kind, "param": null, "code": code}}))
}

/// A failure in Anthropic's envelope.
pub(crate) fn anthropic_error(status: u16, kind: &str, message: &str) -> Script {
    let envelope = json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"});
    Script::json(status, &envelope)
}

/// A stream of these events, each of them one write.
pub(crate) fn stream(events: Vec<String>) -> Script {
    Script::stream(events.into_iter().map(Step::bytes).collect())
}

#[cfg(test)]
mod tests {
    use super::super::server::Server;
    use super::*;

    fn post(server: &Server) -> (u16, String) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let response = reqwest::Client::new().post(server.base_url()).body("{}").send().await.unwrap();
            (response.status().as_u16(), response.text().await.unwrap())
        })
    }

    #[test]
    fn answers_arrive_whole() {
        let server = Server::start(vec![
            openai_stream(&["a", "b"], Some((3, 2))),
            anthropic_stream(&["a", "b"], (3, 2)),
            openai_whole("ab", (3, 2)),
            anthropic_whole("ab", (3, 2)),
            openai_error(429, "requests", Some("rate_limit_exceeded"), "slow"),
            anthropic_error(529, "overloaded_error", "Overloaded").header("retry-after", "2"),
        ]);
        assert_eq!(post(&server), (200, openai_events(&["a", "b"], Some((3, 2))).concat()));
        assert_eq!(post(&server), (200, anthropic_events(&["a", "b"], (3, 2)).concat()));
        let text = |pointer: &str| {
            let (status, body) = post(&server);
            let body: Value = serde_json::from_str(&body).unwrap();
            (status, body.pointer(pointer).and_then(Value::as_str).unwrap().to_owned())
        };
        assert_eq!(text("/choices/0/message/content"), (200, "ab".to_owned()));
        assert_eq!(text("/content/0/text"), (200, "ab".to_owned()));
        assert_eq!(text("/error/code"), (429, "rate_limit_exceeded".to_owned()));
        assert_eq!(text("/error/type"), (529, "overloaded_error".to_owned()));
        assert_eq!(server.hits(), 6);
    }
}
