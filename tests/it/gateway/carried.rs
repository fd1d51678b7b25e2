//! Everything that a client can ask in its dialect is carried to who speaks it, refused in words with a fix, or said not to have
//! been told; never passed over.

use serde_json::{Value, json};

use super::super::support::server::{Script, Server};
use super::super::support::wire;
use super::{Response, World};

/// What becomes of something that is asked.
enum Fate {
    /// It is at this place of what is sent.
    Sent(&'static str),
    /// It is answered, and this is said not to have been told.
    Untold(&'static str),
    /// It says nothing, and nothing is said.
    Nothing,
    /// It is refused, at this place.
    Refused(&'static str),
}

use Fate::{Nothing, Refused, Sent, Untold};

/// A dialect, what is asked at least, and who answers in it.
struct Dialect {
    path: &'static str,
    protocol: &'static str,
    least: fn() -> Value,
    answer: fn() -> Script,
}

const CHAT: Dialect = Dialect {
    path: "/v1/chat/completions",
    protocol: "openai-chat",
    least: || json!({ "model": "acme/tiny", "messages": [{ "role": "user", "content": "hi" }] }),
    answer: || wire::openai_whole("Hello.", (7, 3)),
};

const MESSAGES: Dialect = Dialect {
    path: "/v1/messages",
    protocol: "anthropic-messages",
    least: || json!({ "model": "acme/tiny", "max_tokens": 50, "messages": [{ "role": "user", "content": "hi" }] }),
    answer: || wire::anthropic_whole("Hello.", (7, 3)),
};

const RESPONSES: Dialect = Dialect {
    path: "/v1/responses",
    protocol: "openai-responses",
    least: || json!({ "model": "acme/tiny", "input": "hi" }),
    answer: || {
        let said = json!({ "id": "msg_1", "type": "message", "status": "completed", "role": "assistant",
                           "content": [{ "type": "output_text", "text": "Hello.", "annotations": [] }] });
        Script::json(
            200,
            &json!({ "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "m",
                     "output": [said], "usage": { "input_tokens": 7, "output_tokens": 3, "total_tokens": 10 } }),
        )
    },
};

fn user(part: Value) -> Value {
    json!({ "messages": [{ "role": "user", "content": [part] }] })
}

fn item(part: Value) -> Value {
    json!({ "input": [{ "role": "user", "content": [part] }] })
}

const PNG: &str = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAAB";
const PDF: &str = "data:application/pdf;base64,JVBERi0xLjQK";

fn chat() -> Vec<(Value, Fate)> {
    let tool = json!({ "type": "function", "function": { "name": "w", "parameters": { "type": "object" } } });
    let image = |detail: &str| json!({ "type": "image_url", "image_url": { "url": PNG, "detail": detail } });
    let turn = |more: Value| {
        let mut turn = json!({ "role": "assistant", "content": "Hello." });
        turn.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "messages": [{ "role": "user", "content": "hi" }, turn, { "role": "user", "content": "Go on." }] })
    };
    let named = |word: &str| json!({ "type": word, "function": { "name": "w" } });
    let cited = json!([{ "type": "url_citation", "url_citation": { "url": "https://example.com", "title": "t" } }]);
    vec![
        (json!({ "n": 2 }), Refused("n")),
        (json!({ "logprobs": true }), Refused("logprobs")),
        (json!({ "logprobs": false, "top_logprobs": null }), Nothing),
        (json!({ "stop": ["END"] }), Sent("/stop/0")),
        (json!({ "seed": 7 }), Sent("/seed")),
        (json!({ "response_format": { "type": "json_object" } }), Sent("/response_format/type")),
        (json!({ "response_format": { "type": "grammar" } }), Refused("response_format.type")),
        (json!({ "tools": [tool], "parallel_tool_calls": false }), Sent("/parallel_tool_calls")),
        (json!({ "tools": [tool], "tool_choice": "required" }), Sent("/tool_choice")),
        (json!({ "tools": [tool], "tool_choice": named("function") }), Sent("/tool_choice/function/name")),
        (json!({ "tools": [tool], "tool_choice": named("allowed_tools") }), Sent("/tool_choice/type")),
        (json!({ "tools": [{ "type": "custom", "custom": { "name": "x" } }] }), Refused("tools[0].type")),
        (json!({ "metadata": { "a": "b" } }), Sent("/metadata/a")),
        (json!({ "store": true }), Sent("/store")),
        (json!({ "service_tier": "auto" }), Sent("/service_tier")),
        (json!({ "service_tier": "priority" }), Refused("service_tier")),
        (json!({ "user": "u-1" }), Sent("/user")),
        (json!({ "frequency_penalty": 0.5 }), Sent("/frequency_penalty")),
        (json!({ "modalities": ["text"] }), Nothing),
        (json!({ "modalities": ["text", "audio"] }), Refused("modalities")),
        (json!({ "audio": { "voice": "alloy", "format": "wav" } }), Refused("audio")),
        (json!({ "prediction": { "type": "content", "content": "x" } }), Sent("/prediction/content")),
        (json!({ "web_search_options": { "search_context_size": "low" } }), Refused("web_search_options")),
        (json!({ "functions": [{ "name": "w" }] }), Refused("functions")),
        (json!({ "function_call": "auto" }), Refused("function_call")),
        (user(image("high")), Sent("/messages/0/content/0/image_url/detail")),
        (user(image("auto")), Sent("/messages/0/content/0/image_url/url")),
        (user(image("huge")), Refused("messages[0].content[0].image_url.detail")),
        (user(json!({ "type": "file", "file": { "file_data": PDF } })), Sent("/messages/0/content/0/file/file_data")),
        (user(json!({ "type": "file", "file": { "file_id": "f" } })), Refused("messages[0].content[0].file.file_id")),
        (
            user(json!({ "type": "input_audio", "input_audio": { "data": "", "format": "wav" } })),
            Refused("messages[0].content[0].type"),
        ),
        (json!({ "messages": [{ "role": "developer", "content": "x" }] }), Sent("/messages/0/role")),
        (json!({ "messages": [{ "role": "function", "name": "w", "content": "x" }] }), Refused("messages[0].role")),
        (json!({ "messages": [{ "role": "user", "name": "bo", "content": "x" }] }), Sent("/messages/0/name")),
        (turn(json!({ "refusal": "No." })), Sent("/messages/1/content")),
        (turn(json!({ "annotations": cited, "audio": null, "function_call": null })), Nothing),
        (turn(json!({ "audio": { "id": "a" } })), Refused("messages[1].audio")),
    ]
}

fn messages() -> Vec<(Value, Fate)> {
    let block = |block: Value| json!({ "messages": [{ "role": "user", "content": [block] }] });
    let tool = json!({ "name": "w", "input_schema": { "type": "object" } });
    let document = json!({ "type": "document", "source": { "type": "url", "url": "https://example.com/a.pdf" } });
    let mut citing = document.clone();
    citing["citations"] = json!({ "enabled": true });
    vec![
        (json!({ "stop_sequences": ["END"] }), Sent("/stop_sequences/0")),
        (json!({ "top_k": 5 }), Sent("/top_k")),
        (json!({ "metadata": { "user_id": "u" } }), Sent("/metadata/user_id")),
        (json!({ "service_tier": "standard_only" }), Sent("/service_tier")),
        (json!({ "service_tier": "flex" }), Refused("service_tier")),
        (json!({ "container": "c" }), Refused("container")),
        (
            json!({ "mcp_servers": [{ "type": "url", "url": "https://example.com", "name": "m" }] }),
            Refused("mcp_servers"),
        ),
        (json!({ "inference_geo": "us" }), Refused("inference_geo")),
        (json!({ "tools": [{ "type": "web_search_20250305", "name": "web_search" }] }), Refused("tools[0].type")),
        (json!({ "tools": [tool], "tool_choice": { "type": "any" } }), Sent("/tool_choice/type")),
        (json!({ "tools": [tool], "tool_choice": { "type": "tool", "name": "x" } }), Refused("tool_choice")),
        (block(document), Sent("/messages/0/content/0/source/url")),
        (block(citing), Refused("messages[0].content[0].citations")),
        (
            block(json!({ "type": "image", "source": { "type": "file", "file_id": "f" } })),
            Refused("messages[0].content[0].source.file_id"),
        ),
        (block(json!({ "type": "container_upload", "file_id": "f" })), Refused("messages[0].content[0].type")),
        (
            block(json!({ "type": "server_tool_use", "id": "s", "name": "web_search", "input": {} })),
            Refused("messages[0].content[0].type"),
        ),
        (json!({ "thinking": { "type": "sometimes" } }), Refused("thinking.type")),
    ]
}

fn responses() -> Vec<(Value, Fate)> {
    let image = |detail: &str| json!({ "type": "input_image", "image_url": PNG, "detail": detail });
    let said = json!({ "role": "assistant", "phase": "commentary",
                       "content": [{ "type": "output_text", "text": "Hm.", "annotations": [{ "type": "file_citation" }] }] });
    vec![
        (json!({ "previous_response_id": "resp_0" }), Refused("previous_response_id")),
        (json!({ "conversation": "conv_0" }), Refused("conversation")),
        (json!({ "background": true }), Refused("background")),
        (json!({ "prompt": { "id": "p" } }), Refused("prompt")),
        (json!({ "store": true }), Nothing),
        (json!({ "metadata": { "a": "b" } }), Sent("/metadata/a")),
        (json!({ "user": "u" }), Sent("/user")),
        (json!({ "safety_identifier": "s" }), Sent("/safety_identifier")),
        (json!({ "service_tier": "default" }), Sent("/service_tier")),
        (json!({ "service_tier": "flex" }), Refused("service_tier")),
        (json!({ "max_tool_calls": 3 }), Sent("/max_tool_calls")),
        (json!({ "include": ["reasoning.encrypted_content"] }), Nothing),
        (json!({ "include": ["message.output_text.logprobs"] }), Refused("include")),
        (json!({ "top_logprobs": 3 }), Refused("top_logprobs")),
        (json!({ "truncation": "auto" }), Refused("truncation")),
        (json!({ "text": { "format": { "type": "text" }, "verbosity": "low" } }), Sent("/text/verbosity")),
        (
            json!({ "tools": [{ "type": "custom", "name": "x", "description": "any text" }] }),
            Sent("/tools/0/description"),
        ),
        (json!({ "tools": [{ "type": "file_search", "vector_store_ids": [] }] }), Sent("/tools/0/type")),
        (json!({ "tools": [{ "type": "mcp", "server_label": "m" }] }), Sent("/tools/0/server_label")),
        (item(image("low")), Sent("/input/0/content/0/detail")),
        (item(json!({ "type": "input_image", "file_id": "f" })), Refused("input[0].content[0].file_id")),
        (item(json!({ "type": "input_file", "file_id": "f" })), Refused("input[0].content[0].file_id")),
        (
            item(json!({ "type": "input_file", "filename": "a.pdf", "file_data": PDF })),
            Sent("/input/0/content/0/file_data"),
        ),
        (item(json!({ "type": "input_audio", "data": "" })), Refused("input[0].content[0].type")),
        (json!({ "input": [{ "role": "developer", "content": "x" }, { "role": "user", "content": "y" }] }), Nothing),
        (json!({ "input": [{ "type": "item_reference", "id": "msg_0" }] }), Refused("input[0]")),
        (
            json!({ "input": [{ "role": "user", "content": "hi" }, said, { "role": "user", "content": "y" }] }),
            Sent("/input/1/phase"),
        ),
    ]
}

fn asked(world: &World, dialect: &Dialect, more: &Value) -> Response {
    let mut body = (dialect.least)();
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.post(dialect.path, &body.to_string(), &[])
}

fn befalls(world: &World, dialect: &Dialect, more: &Value, fate: &Fate) {
    let answer = asked(world, dialect, more);
    let place = format!("{} {more}: {answer:?}", dialect.path);
    let sent = || world.servers[0].requests().pop().unwrap().json();
    match fate {
        Refused(param) => {
            assert_eq!((answer.status, answer.error("param")), (400, (*param).into()), "{place}");
            assert_eq!(
                (answer.error("code"), answer.error("owner")),
                ("invalid_request".into(), "your request".into())
            );
        }
        Sent(at) => {
            assert_eq!((answer.status, answer.header("x-openmux-dropped")), (200, ""), "{place}");
            assert!(sent().pointer(at).is_some_and(|value| !value.is_null()), "{place}: {}", sent());
        }
        Untold(name) => assert_eq!((answer.status, answer.header("x-openmux-dropped")), (200, *name), "{place}"),
        Nothing => assert_eq!((answer.status, answer.header("x-openmux-dropped")), (200, ""), "{place}"),
    }
}

#[test]
fn whatever_is_asked_is_carried_or_refused_or_said() {
    for (dialect, rows) in [(CHAT, chat()), (MESSAGES, messages()), (RESPONSES, responses())] {
        let world = World::with(vec![Server::repeating((dialect.answer)())], dialect.protocol, |_| {});
        for (more, fate) in rows {
            befalls(&world, &dialect, &more, &fate);
        }
    }
}

#[test]
fn what_changes_no_answer_is_said_where_it_cannot_be_told() {
    let world = World::with(vec![Server::repeating((MESSAGES.answer)())], MESSAGES.protocol, |_| {});
    let image = json!({ "type": "image_url", "image_url": { "url": PNG, "detail": "high" } });
    for (dialect, more, untold) in [
        (CHAT, user(image), "detail"),
        (CHAT, json!({ "user": "u", "store": true }), "user, store"),
        (RESPONSES, item(json!({ "type": "input_image", "image_url": PNG, "detail": "low" })), "detail"),
    ] {
        befalls(&world, &dialect, &more, &Untold(untold));
    }
}

#[test]
fn what_is_refused_has_a_fix() {
    let world = World::new(vec![Server::start(vec![])]);
    for (more, fix) in [
        (json!({ "logprobs": true }), "leave it out"),
        (json!({ "service_tier": "flex" }), "leave it out"),
        (json!({ "reasoning": { "effort": "low", "max_tokens": 9 } }), "leave one of the two out"),
        (json!({ "tools": [{ "type": "web_search" }] }), "leave it out"),
    ] {
        assert_eq!(asked(&world, &CHAT, &more).error("fix"), fix, "{more}");
    }
}
