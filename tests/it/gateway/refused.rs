//! Requests that are refused whatever the provider would say: too many of a thing, and things that say the same twice. However
//! much is written in them, the answer is short.

use serde_json::{Value, json};

use super::super::support::server::Server;
use super::super::support::wire;
use super::World;

const CHAT: &str = "/v1/chat/completions";
const MESSAGES: &str = "/v1/messages";
const RESPONSES: &str = "/v1/responses";

/// A question in a dialect, with further members.
fn asked(path: &str, more: Value) -> Value {
    let said = json!([{ "role": "user", "content": "hi" }]);
    let mut body = match path {
        CHAT => json!({ "messages": said }),
        MESSAGES => json!({ "messages": said, "max_tokens": 50 }),
        _ => json!({ "input": "hi" }),
    };
    body["model"] = "acme/tiny".into();
    let Value::Object(more) = more else { panic!("{more}") };
    body.as_object_mut().unwrap().extend(more);
    body
}

#[test]
fn more_tools_and_calls_than_anybody_takes_are_refused() {
    let world = World::new(vec![Server::repeating(wire::openai_whole("Hello.", (7, 3)))]);
    let tools = |path: &str, count: u32| -> Value {
        let schema = json!({ "type": "object" });
        let tool = |at: u32| match path {
            MESSAGES => json!({ "name": format!("t{at}"), "input_schema": schema }),
            _ => json!({ "type": "function", "name": format!("t{at}"), "parameters": schema }),
        };
        (0..count).map(tool).collect()
    };
    for path in [CHAT, MESSAGES, RESPONSES] {
        let ask = |tools: Value| world.post(path, &asked(path, json!({ "tools": tools })).to_string(), &[]);
        let refused = ask(tools(path, 4097));
        assert_eq!((refused.status, refused.error("param")), (400, "tools".into()), "{path}: {refused:?}");
        assert_eq!(refused.error("message"), "tools: 4097 are more than the 4096 that are taken", "{path}");
        let mut twice = tools(path, 3);
        twice[2] = twice[0].clone();
        let refused = ask(twice);
        assert_eq!(refused.error("message"), "tools[2]: there are two tools called \"t0\"", "{path}");
    }
    let call = |at: u32| json!({ "id": format!("c{at}"), "type": "function", "function": { "name": "f" } });
    let turn = |calls: Vec<Value>| json!({ "messages": [{ "role": "assistant", "tool_calls": calls }] });
    let refused = world.chat(&asked(CHAT, turn((0..4097).map(call).collect())));
    assert_eq!(refused.error("message"), "messages[0].tool_calls: 4097 are more than the 4096 that are taken");
    let refused = world.chat(&asked(CHAT, turn(vec![call(0), call(1), call(0)])));
    assert_eq!(refused.error("message"), "messages[0].tool_calls[2].id: \"c0\" is there twice");
    assert_eq!(world.hits(), [0]);
}

#[test]
fn what_would_be_lost_is_refused() {
    let world = World::new(vec![Server::start(vec![])]);
    let file = json!({ "type": "input_file", "file_data": "data:application/pdf;base64,JVBERi0xLjQK",
                       "file_url": "https://example.com/a.pdf" });
    for (more, param, said) in [
        (
            json!({ "input": [{ "role": "user", "content": [file] }] }),
            "input[0].content[0]",
            "say the same thing twice",
        ),
        (json!({ "text": { "format": { "type": "text", "schema": 1 } } }), "text.format.schema", "cannot send it"),
        (json!({ "text": { "format": { "type": "json_object", "name": "a" } } }), "text.format.name", "cannot send it"),
    ] {
        let refused = world.post(RESPONSES, &asked(RESPONSES, more).to_string(), &[]);
        assert_eq!((refused.status, refused.error("param")), (400, param.into()), "{refused:?}");
        assert!(refused.error("message").as_str().unwrap().contains(said), "{refused:?}");
        assert!(refused.error("fix").is_string(), "{refused:?}");
    }
}

#[test]
fn a_long_mistake_has_a_short_answer() {
    let world = World::new(vec![Server::start(vec![])]);
    let long = "\u{e9}x".repeat(100_000);
    for path in [CHAT, MESSAGES, RESPONSES] {
        let role = json!([{ "role": long.clone(), "content": "hi" }]);
        let list = if path == RESPONSES { "input" } else { "messages" };
        for more in [json!({ list: role }), json!({ "model": long.clone() })] {
            let refused = world.post(path, &asked(path, more).to_string(), &[]);
            assert!((400..500).contains(&refused.status), "{path}: {}", refused.status);
            assert!(refused.body.len() < 5000, "{path}: {} bytes", refused.body.len());
            assert!(refused.error("message").as_str().unwrap().contains(" ... "), "{path}: {refused:?}");
        }
        let wrong = json!({ list: [{ "role": long.clone(), "content": "hi" }] });
        let refused = world.post(path, &asked(path, wrong).to_string(), &[]);
        assert!(refused.error("message").as_str().unwrap().contains("is none of "), "{path}: {refused:?}");
    }
}

/// `{}` asks for something with nothing chosen about it; OpenAI's web search is switched on so.
#[test]
fn an_empty_object_is_not_passed_over() {
    let world = World::new(vec![Server::start(vec![])]);
    let refused = world.chat(&asked(CHAT, json!({ "web_search_options": {} })));
    assert_eq!((refused.status, refused.error("param")), (400, "web_search_options".into()), "{refused:?}");
}

#[test]
fn whatever_is_refused_says_what_to_do() {
    let world = World::new(vec![Server::start(vec![])]);
    let turn = |more: Value| json!({ "messages": [more] });
    let call = json!({ "id": "c", "type": "function", "function": { "name": "f", "arguments": "{" } });
    for (path, more, fix) in [
        (CHAT, json!({ "functions": [{ "name": "w" }] }), "send tools in its place"),
        (CHAT, json!({ "stop": [1] }), "change the request as it says"),
        (CHAT, json!({ "max_tokens": 0 }), "write a whole number above 0, or leave it out"),
        (CHAT, json!({ "temperature": "hot" }), "write a number, or leave it out"),
        (CHAT, json!({ "stream_options": {} }), "leave it out, or set stream to true"),
        (CHAT, json!({ "tool_choice": "any" }), "write one of them"),
        (CHAT, json!({ "tools": [{ "type": "custom", "name": "w" }] }), "leave it out"),
        (CHAT, turn(json!({ "role": "wizard", "content": "x" })), "write one of them"),
        (
            CHAT,
            turn(json!({ "role": "assistant", "tool_calls": [call] })),
            "send the arguments as the text of one: \"{}\" where there are none",
        ),
        (RESPONSES, json!({ "previous_response_id": "resp_1" }), "send the whole conversation as input"),
        (RESPONSES, json!({ "input": [{ "role": "user", "content": [{ "type": "hologram" }] }] }), "write one of them"),
        (MESSAGES, json!({ "messages": [] }), "add it"),
        (MESSAGES, json!({ "max_tokens": "many" }), "write a whole number above 0, or leave it out"),
    ] {
        let refused = world.post(path, &asked(path, more).to_string(), &[]);
        assert_eq!((refused.status, refused.error("fix")), (400, fix.into()), "{path}: {refused:?}");
    }
    // A beginning in common makes no other name of it.
    let refused = world.chat(&asked(CHAT, json!({ "provider": { "only_of_everything_else": 1 } })));
    assert!(!refused.body.contains("did you mean"), "{refused:?}");
    for (method, path, body, status, fix) in [
        ("POST", CHAT, "{", 400, "send one JSON object in UTF-8, {\"model\": ..., ...}"),
        ("GET", CHAT, "", 405, "ask with POST"),
        ("DELETE", "/v1/route/explain", "", 405, "ask with GET or POST"),
        (
            "POST",
            "/chat/completions",
            "{}",
            404,
            "ask /v1/chat/completions: the base URL ends in /v1 for clients of OpenAI, and has no /v1 for those of Anthropic",
        ),
        (
            "POST",
            "/v1/embeddings",
            "{}",
            404,
            "only chats are served: POST /v1/chat/completions, /v1/responses or /v1/messages",
        ),
        ("GET", "/v1/generation/nonsense", "", 404, "the answer's id, or x-openmux-decision-id: 32 hex digits"),
    ] {
        let refused = super::ask(world.addr, method, path, body.as_bytes(), &[]);
        assert_eq!((refused.status, refused.error("fix")), (status, fix.into()), "{method} {path}: {refused:?}");
    }
    let zipped = world.post(CHAT, "\u{1f}", &[("content-encoding", "gzip")]);
    assert_eq!((zipped.status, zipped.error("fix")), (415, "send it without Content-Encoding".into()), "{zipped:?}");
}

/// An operator sees why, and nothing that was asked.
#[test]
fn the_log_says_why_a_request_was_refused() {
    let world = World::new(vec![Server::start(vec![wire::openai_error(401, "auth", None, "no such key")])]);
    let secret = "a secret of mine";
    let said = json!([{ "role": "user", "content": secret }]);
    let statuses = [
        world.chat(&json!({ "model": "acme/tiny", "messages": said, "tool_choice": "any" })).status,
        world.chat(&json!({ "model": "acme/none", "messages": said })).status,
        world.chat(&json!({ "model": "acme/tiny", "messages": said, "max_tokens": 5000 })).status,
        world.chat(&json!({ "model": "acme/tiny", "messages": said })).status,
        world.get("/v1/nothing").status,
        world.post(CHAT, secret, &[]).status,
    ];
    assert_eq!(statuses, [400, 404, 400, 401, 404, 400]);
    let (_, log) = world.end();
    let told: Vec<Value> = log
        .iter()
        .map(|line| ["code", "param", "model", "class"].iter().map(|name| line[*name].clone()).collect())
        .collect();
    let none = Value::Null;
    assert_eq!(
        told,
        [
            json!(["invalid_request", "tool_choice", "acme/tiny", none]),
            json!(["model_not_found", "model", "acme/none", none]),
            json!(["output_too_small", none, "acme/tiny", "unsupported"]),
            json!(["auth", none, "acme/tiny", "auth"]),
            json!(["not_found", none, none, none]),
            json!(["invalid_json", none, none, none]),
        ]
    );
    assert!(!format!("{log:?}").contains(secret), "{log:?}");
}
