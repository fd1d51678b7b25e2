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
