//! Marks of the prompt cache: where a client puts them they are put, for as long, at whoever takes them; and the others are
//! said to have been told nothing.

use serde_json::{Value, json};

use super::super::support::command::Home;
use super::super::support::server::{Script, Server};
use super::super::support::wire;
use super::command::serve;
use super::{Response, World};

const MINUTES: &str = r#"{"type":"ephemeral"}"#;
const HOUR: &str = r#"{"type":"ephemeral","ttl":"1h"}"#;

fn marked(mut block: Value, mark: &str) -> Value {
    block["cache_control"] = serde_json::from_str(mark).unwrap();
    block
}

fn text(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

/// The same conversation in both dialects, marked at the same places.
fn conversations(whole: Option<&str>) -> [(&'static str, Value); 2] {
    let call = json!({ "id": "c1", "type": "function", "function": { "name": "look", "arguments": "{}" } });
    let chat = json!({
        "model": "acme/tiny", "max_tokens": 50,
        "tools": [
            marked(json!({ "type": "function", "function": { "name": "look", "parameters": { "type": "object" } } }), HOUR),
            { "type": "function", "function": { "name": "wait", "parameters": { "type": "object" } } },
        ],
        "messages": [
            { "role": "system", "content": [marked(text("Be brief."), HOUR), text("Be kind.")] },
            { "role": "user", "content": [text("a"), marked(text("b"), MINUTES), text("c")] },
            { "role": "assistant", "content": null, "tool_calls": [call] },
            { "role": "tool", "tool_call_id": "c1", "content": [marked(text("rain"), MINUTES), text("snow")] },
            { "role": "user", "content": "And now?" },
        ],
    });
    let tool = |name: &str| json!({ "name": name, "input_schema": { "type": "object" } });
    let result = json!({ "type": "tool_result", "tool_use_id": "c1",
                         "content": [marked(text("rain"), MINUTES), text("snow")] });
    let messages = json!({
        "model": "acme/tiny", "max_tokens": 50,
        "tools": [marked(tool("look"), HOUR), tool("wait")],
        "system": [marked(text("Be brief."), HOUR), text("Be kind.")],
        "messages": [
            { "role": "user", "content": [text("a"), marked(text("b"), MINUTES), text("c")] },
            { "role": "assistant", "content": [{ "type": "tool_use", "id": "c1", "name": "look", "input": {} }] },
            { "role": "user", "content": [result, text("And now?")] },
        ],
    });
    [("/v1/chat/completions", chat), ("/v1/messages", messages)].map(|(path, body)| match whole {
        Some(mark) => (path, marked(body, mark)),
        None => (path, body),
    })
}

fn ask(world: &World, path: &str, body: &Value) -> Response {
    world.post(path, &body.to_string(), &[])
}

/// What a provider of that protocol is sent, and what it is said not to be told.
fn sent(protocol: &str, answer: Script, whole: Option<&str>) -> Vec<(Value, String)> {
    let world = World::with(vec![Server::repeating(answer)], protocol, |_| {});
    let each = conversations(whole).map(|(path, body)| {
        let answer = ask(&world, path, &body);
        assert_eq!(answer.status, 200, "{protocol} {path}: {answer:?}");
        let request = world.servers[0].requests().pop().unwrap();
        (request.json(), answer.header("x-openmux-dropped").to_owned())
    });
    each.into()
}

fn converse() -> Script {
    Script::json(
        200,
        &json!({ "output": { "message": { "role": "assistant", "content": [{ "text": "Hello." }] } },
                 "stopReason": "end_turn", "usage": { "inputTokens": 7, "outputTokens": 3, "totalTokens": 10 } }),
    )
}

#[test]
fn a_mark_is_put_where_it_was_set_and_for_as_long() {
    for (body, dropped) in sent("anthropic-messages", wire::anthropic_whole("Hello.", (7, 3)), Some(MINUTES)) {
        assert_eq!(dropped, "");
        assert_eq!(body["tools"][0]["cache_control"].to_string(), HOUR, "{body}");
        assert_eq!(body["tools"][1].get("cache_control"), None, "{body}");
        assert_eq!(body["system"], json!([marked(text("Be brief."), HOUR), text("Be kind.")]));
        let user = json!([text("a"), marked(text("b"), MINUTES), text("c")]);
        assert_eq!(body["messages"][0]["content"], user);
        assert_eq!(body["messages"][1]["content"][0].get("cache_control"), None, "{body}");
        let last = &body["messages"][2]["content"];
        assert_eq!(last[0]["content"], json!([marked(text("rain"), MINUTES), text("snow")]));
        // The mark of the whole request is its last block's.
        assert_eq!(*last, json!([last[0], marked(text("And now?"), MINUTES)]));
        assert_eq!(body.get("cache_control"), None, "{body}");
        assert_eq!(body.to_string().matches("cache_control").count(), 5, "{body}");
    }
    let (unmarked, _) = sent("anthropic-messages", wire::anthropic_whole("Hello.", (7, 3)), None).remove(0);
    assert_eq!(unmarked.to_string().matches("cache_control").count(), 4, "{unmarked}");
}

#[test]
fn a_cache_point_stands_behind_what_is_marked() {
    let (hour, minutes) =
        (json!({ "cachePoint": { "type": "default", "ttl": "1h" } }), json!({ "cachePoint": { "type": "default" } }));
    for (body, dropped) in sent("bedrock-converse", converse(), Some(MINUTES)) {
        assert_eq!(dropped, "");
        assert_eq!(body["toolConfig"]["tools"][1], hour, "{body}");
        assert_eq!(body["system"], json!([{ "text": "Be brief." }, hour, { "text": "Be kind." }]));
        let user = json!([{ "text": "a" }, { "text": "b" }, minutes, { "text": "c" }]);
        assert_eq!(body["messages"][0]["content"], user);
        // Within a result there is no place for one.
        let last = body["messages"][2]["content"].as_array().unwrap();
        assert_eq!(last[0]["toolResult"]["content"], json!([{ "text": "rain" }, { "text": "snow" }]));
        assert_eq!(Value::from(&last[1..]), json!([minutes, { "text": "And now?" }, minutes]));
        assert_eq!(body.to_string().matches("cachePoint").count(), 5, "{body}");
    }
}

#[test]
fn who_takes_no_mark_is_said_to_be_told_none() {
    for (protocol, answer) in [
        ("openai-chat", wire::openai_whole("Hello.", (7, 3))),
        (
            "gemini",
            Script::json(
                200,
                &json!({ "candidates": [{ "content": { "parts": [{ "text": "Hello." }] }, "finishReason": "STOP" }] }),
            ),
        ),
    ] {
        for (body, dropped) in sent(protocol, answer, None) {
            assert_eq!(dropped, "cache_control", "{protocol}");
            assert!(!body.to_string().contains("cache_control"), "{body}");
        }
    }
    let world = World::new(vec![Server::repeating(wire::openai_whole("Hello.", (7, 3)))]);
    let plain = json!({ "model": "acme/tiny", "messages": [{ "role": "user", "content": "hi" }] });
    assert_eq!(ask(&world, "/v1/chat/completions", &plain).headers.get("x-openmux-dropped"), None);
}

#[test]
fn a_mark_that_nobody_could_take_is_refused() {
    let world = World::new(vec![Server::start(vec![])]);
    let thought = marked(json!({ "type": "thinking", "thinking": "Hm.", "signature": "c2ln" }), MINUTES);
    let messages = |content: Value| {
        json!({ "model": "acme/tiny", "max_tokens": 50, "messages": [
        { "role": "user", "content": "hi" }, { "role": "assistant", "content": content }, { "role": "user", "content": "x" },
    ] })
    };
    for (content, param) in [
        (json!([thought]), "messages[1].content[0].cache_control"),
        (json!([marked(text("a"), r#"{"type":"forever"}"#)]), "messages[1].content[0].cache_control.type"),
        (json!([marked(text("a"), r#"{"type":"ephemeral","ttl":"1d"}"#)]), "messages[1].content[0].cache_control.ttl"),
        (
            json!([marked(text("a"), r#"{"type":"ephemeral","scope":"all"}"#)]),
            "messages[1].content[0].cache_control.scope",
        ),
    ] {
        let refused = ask(&world, "/v1/messages", &messages(content));
        assert_eq!((refused.status, refused.error("param")), (400, param.into()), "{refused:?}");
    }
}

/// $1 a million to read; kept for an hour each token written is twice that, and for five minutes a quarter more.
#[test]
fn what_is_kept_for_an_hour_has_its_own_price() {
    let written = |lifetimes: Value| {
        let mut usage = json!({ "input_tokens": 10, "output_tokens": 0, "cache_read_input_tokens": 0,
                                "cache_creation_input_tokens": 3000 });
        if !lifetimes.is_null() {
            usage["cache_creation"] = lifetimes;
        }
        json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "m",
                "content": [{ "type": "text", "text": "Hello." }], "stop_reason": "end_turn", "stop_sequence": null,
                "usage": usage })
    };
    let both = json!({ "ephemeral_5m_input_tokens": 1000, "ephemeral_1h_input_tokens": 2000 });
    let price = |overlay: String| {
        overlay.replace("input = \"1\"", "input = \"1\", cache_write = \"1.25\", cache_write_1h = \"2\"")
    };
    let mixed = conversations(None)[1].1.clone();
    let hello = |mark: &str| {
        let said = json!([marked(text("hi"), mark)]);
        json!({ "model": "acme/tiny", "max_tokens": 50, "messages": [{ "role": "user", "content": said }] })
    };
    for (body, lifetimes, cost) in [
        // 10 + 1,000 x 1.25 + 2,000 x 2 millionths.
        (mixed, both, "0.00526"),
        // Who does not say how long was told so: 10 + 3,000 x 2.
        (hello(HOUR), Value::Null, "0.00601"),
        (hello(MINUTES), Value::Null, "0.00376"),
    ] {
        let server = Server::start(vec![Script::json(200, &written(lifetimes))]);
        let world = World::priced(vec![server], "anthropic-messages", price);
        let answer = ask(&world, "/v1/messages", &body);
        assert_eq!((answer.status, answer.json()["usage"]["cost"].to_string()), (200, cost.to_owned()), "{answer:?}");
    }
}

/// What writing the cache costs is a term of its own where a provider is told what to keep, and within the bound.
#[test]
fn what_writing_will_cost_is_in_the_decision() {
    let home = Home::new();
    let served = serve(&home, "--sandbox", &["-q"]);
    let entry = |mark: &str, provider: &str| {
        let mut long = text(&"word ".repeat(4000));
        if !mark.is_empty() {
            long = marked(long, mark);
        }
        let body = json!({ "model": "anthropic/claude-sonnet-5", "max_tokens": 50,
                           "messages": [{ "role": "user", "content": [long] }] });
        let told =
            super::ask(served.addr, "POST", "/v1/route/explain?dialect=messages", body.to_string().as_bytes(), &[]);
        let told = told.json();
        let candidates = told["candidates"].as_array().unwrap();
        let found = candidates.iter().find(|entry| entry["provider"] == provider);
        found.unwrap_or_else(|| panic!("{provider} in {told}")).clone()
    };
    let term = |entry: &Value| entry["terms"].as_array().unwrap().iter().find(|term| term["kind"] == "write").cloned();
    let input = |term: &Value, name: &str| {
        let inputs = term["inputs"].as_array().unwrap();
        inputs.iter().find(|input| input["name"] == name).and_then(|input| input["value"].as_f64()).unwrap_or_default()
    };
    let bound = |entry: &Value| entry["bound_usd"].as_f64().unwrap();
    let (plain, minutes, hour) = (entry("", "anthropic"), entry(MINUTES, "anthropic"), entry(HOUR, "anthropic"));
    assert_eq!(term(&plain), None, "{plain}");
    let (short, long) = (term(&minutes).unwrap(), term(&hour).unwrap());
    assert_eq!(
        (input(&short, "written_tokens"), input(&long, "written_1h_tokens")),
        (5000.0, 5000.0),
        "{short} {long}"
    );
    for (term, rate) in [(&short, "cache_write_usd_per_mtok"), (&long, "cache_write_1h_usd_per_mtok")] {
        let more = 5000.0 * (input(term, rate) - input(term, "input_usd_per_mtok")) / 1e6;
        assert!(more > 0.0 && (term["usd"].as_f64().unwrap() - more).abs() < 1e-9, "{term}");
    }
    assert!(bound(&plain) <= bound(&minutes) && bound(&minutes) < bound(&hour), "{plain} {minutes} {hour}");
    // Who is told nothing of it writes nothing that we know of.
    assert_eq!(term(&entry(HOUR, "openrouter")), None);
    served.running.signal("TERM");
    let _ = served.running.wait();
}
