//! What is easily lost on the way: how a model refuses, counts that nobody reported, JSON mode, thoughts of earlier turns,
//! turns that say nothing, and conversations of instructions alone.

use serde_json::{Value, json};

use super::super::support::server::{Script, Server};
use super::super::support::wire;
use super::{World, hello};

fn refusal(pieces: &[&str]) -> Script {
    let chunk = |delta: Value, finish: Option<&str>| {
        wire::openai_event(&json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
                                    "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] }))
    };
    let mut events: Vec<String> = pieces.iter().map(|piece| chunk(json!({ "refusal": piece }), None)).collect();
    events.push(chunk(json!({}), Some("stop")));
    events.push("data: [DONE]\n\n".to_owned());
    wire::stream(events)
}

#[test]
fn a_refusal_is_one_in_every_dialect() {
    let message = json!({ "role": "assistant", "content": null, "refusal": "I cannot." });
    let whole = json!({ "id": "c", "object": "chat.completion", "created": 1, "model": "m",
                        "choices": [{ "index": 0, "message": message, "finish_reason": "stop" }] });
    let whole = || Script::json(200, &whole);
    let streamed = || refusal(&["I can", "not."]);
    let scripts = vec![whole(), whole(), whole(), streamed(), streamed(), streamed()];
    let world = World::new(vec![Server::start(scripts)]);
    let messages = json!({ "model": "acme/tiny", "max_tokens": 9, "messages": [{ "role": "user", "content": "hi" }] });
    let responses = json!({ "model": "acme/tiny", "input": "hi" });
    let post = |path: &str, body: &Value, stream: bool| {
        let mut body = body.clone();
        body["stream"] = stream.into();
        world.post(path, &body.to_string(), &[])
    };
    let chat = post("/v1/chat/completions", &hello(json!({})), false).json();
    let said = &chat["choices"][0];
    assert_eq!((&said["message"]["refusal"], &said["message"]["content"]), (&"I cannot.".into(), &Value::Null));
    assert_eq!(said["finish_reason"], "stop");
    let said = post("/v1/messages", &messages, false).json();
    assert_eq!((&said["stop_reason"], &said["content"][0]["text"]), (&"refusal".into(), &"I cannot.".into()));
    let said = post("/v1/responses", &responses, false).json();
    assert_eq!(said["output"][0]["content"], json!([{ "type": "refusal", "refusal": "I cannot." }]));

    let answer = post("/v1/chat/completions", &hello(json!({})), true);
    let chunks: Vec<Value> = answer.events().iter().filter_map(|event| serde_json::from_str(event).ok()).collect();
    let pieces = |name: &str| {
        let piece = |chunk: &Value| chunk["choices"][0]["delta"][name].as_str().map(str::to_owned);
        chunks.iter().filter_map(piece).collect::<String>()
    };
    assert_eq!((pieces("refusal").as_str(), pieces("content").as_str()), ("I cannot.", ""));
    let answer = post("/v1/messages", &messages, true);
    assert!(answer.body.contains("\"stop_reason\":\"refusal\""), "{answer:?}");
    let answer = post("/v1/responses", &responses, true);
    super::grammar::kept(openmux::gateway::codec::Dialect::OpenaiResponses, &answer.body).unwrap();
    assert!(
        answer.body.contains("event: response.refusal.delta") && !answer.body.contains("output_text"),
        "{answer:?}"
    );
}

#[test]
fn clients_of_responses_read_integers_and_what_was_not_reported_is_said() {
    let scripts = vec![wire::anthropic_whole("Hello.", (7, 3)), wire::anthropic_stream(&["Hello."], (7, 3))];
    let world = World::with(vec![Server::start(scripts)], "anthropic-messages", |_| {});
    for stream in [false, true] {
        let body = json!({ "model": "acme/tiny", "input": "hi", "stream": stream });
        let answer = world.post("/v1/responses", &body.to_string(), &[]);
        let usage = if stream {
            let last: Value = serde_json::from_str(answer.events().last().unwrap()).unwrap();
            last["response"]["usage"].clone()
        } else {
            answer.json()["usage"].clone()
        };
        assert_eq!(usage["input_tokens_details"], json!({ "cached_tokens": 0 }), "{usage}");
        assert_eq!(usage["output_tokens_details"], json!({ "reasoning_tokens": 0 }), "{usage}");
        let unknown = ["input_tokens_details.cached_tokens", "output_tokens_details.reasoning_tokens"];
        assert_eq!(usage["not_reported"], json!(unknown), "{usage}");
        assert_eq!(usage["total_tokens"], 10);
    }
    // Nobody counted: no usage is known, and clients take none for an answer, but not one of nulls.
    let world = World::new(vec![Server::start(vec![wire::openai_stream(&["Hello."], None)])]);
    let body = json!({ "model": "acme/tiny", "input": "hi", "stream": true });
    let answer = world.post("/v1/responses", &body.to_string(), &[]);
    let last: Value = serde_json::from_str(answer.events().last().unwrap()).unwrap();
    assert_eq!(last["response"]["usage"], Value::Null, "{last}");
}

#[test]
fn json_mode_and_finely_streamed_arguments_are_what_they_are() {
    let world = World::new(vec![Server::repeating(wire::openai_whole("{}", (7, 3)))]);
    let mode = json!({ "type": "json_object" });
    for body in [
        ("/v1/chat/completions", hello(json!({ "response_format": mode }))),
        ("/v1/responses", json!({ "model": "acme/tiny", "input": "JSON", "text": { "format": mode } })),
    ] {
        let answer = world.post(body.0, &body.1.to_string(), &[]);
        assert_eq!((answer.status, answer.header("x-openmux-dropped")), (200, ""), "{answer:?}");
        assert_eq!(world.servers[0].requests().pop().unwrap().json()["response_format"], mode);
    }
    let tool = |name: &str, eager: bool| json!({ "name": name, "input_schema": { "type": "object" }, "eager_input_streaming": eager });
    let body = json!({ "model": "acme/tiny", "max_tokens": 9, "messages": [{ "role": "user", "content": "hi" }],
                       "tools": [tool("a", false), tool("b", true)] });
    let answer = world.post("/v1/messages", &body.to_string(), &[]);
    assert_eq!(answer.header("x-openmux-dropped"), "tools[].eager_input_streaming");
    let native =
        World::with(vec![Server::repeating(wire::anthropic_whole("Hello.", (7, 3)))], "anthropic-messages", |_| {});
    let answer = native.post("/v1/messages", &body.to_string(), &[]);
    assert_eq!(answer.header("x-openmux-dropped"), "");
    let sent = native.servers[0].requests().pop().unwrap().json();
    assert_eq!(
        (&sent["tools"][0]["eager_input_streaming"], &sent["tools"][1]["eager_input_streaming"]),
        (&Value::Null, &true.into())
    );
}

#[test]
fn thoughts_that_do_not_go_back_are_named() {
    let call = json!({ "id": "c1", "type": "function", "function": { "name": "w", "arguments": "{}" } });
    let turn = json!({ "role": "assistant", "content": null, "reasoning_content": "Hm.", "tool_calls": [call] });
    let result = json!({ "role": "tool", "tool_call_id": "c1", "content": "rain" });
    let body = json!({ "model": "acme/tiny", "messages": [{ "role": "user", "content": "hi" }, turn, result],
                       "tools": [{ "type": "function", "function": { "name": "w" } }] });
    let server = || vec![Server::repeating(wire::openai_whole("Rain.", (7, 3)))];
    assert_eq!(World::new(server()).chat(&body).header("x-openmux-dropped"), "reasoning");
    let world = World::of_whom(server(), "replays_reasoning = true", |_| {});
    assert_eq!(world.chat(&body).header("x-openmux-dropped"), "");
    assert_eq!(world.servers[0].requests().pop().unwrap().json()["messages"][1]["reasoning_content"], "Hm.");
}

#[test]
fn a_turn_that_says_nothing_stands_in_nobodys_way() {
    let talk = json!({ "messages": [{ "role": "user", "content": "hi" }, { "role": "assistant", "content": "" },
                                    { "role": "user", "content": "Are you there?" }] });
    let world = World::new(vec![Server::repeating(wire::openai_whole("Yes.", (7, 3)))]);
    assert_eq!(world.chat(&hello(talk.clone())).status, 200);
    let sent = world.servers[0].requests().pop().unwrap().json();
    assert_eq!(sent["messages"][1], json!({ "role": "assistant", "content": "" }));
    assert_eq!(world.chat(&hello(json!({ "messages": [{ "role": "user", "content": "" }] }))).status, 200);
    let world =
        World::with(vec![Server::repeating(wire::anthropic_whole("Yes.", (7, 3)))], "anthropic-messages", |_| {});
    assert_eq!(world.chat(&hello(talk)).status, 200);
    let sent = world.servers[0].requests().pop().unwrap().json();
    let turns: Vec<&Value> = sent["messages"].as_array().unwrap().iter().map(|turn| &turn["role"]).collect();
    assert_eq!(turns, ["user"]);
}

#[test]
fn nobody_is_asked_who_is_sure_to_refuse_instructions_alone() {
    let alone = json!({ "messages": [{ "role": "system", "content": "Be brief." }] });
    let blank = json!({ "messages": [{ "role": "user", "content": [{ "type": "text", "text": "" }] }] });
    for protocol in ["anthropic-messages", "gemini", "bedrock-converse"] {
        let world = World::with(vec![Server::start(vec![])], protocol, |_| {});
        for more in [&alone, &blank] {
            let answer = world.chat(&hello(more.clone()));
            assert_eq!((answer.status, answer.error("code")), (400, "unsupported".into()), "{protocol}: {answer:?}");
            assert_eq!(answer.error("fix"), "add a user's message");
        }
        assert_eq!(world.hits(), [0]);
    }
    let world = World::new(vec![Server::repeating(wire::openai_whole("Yes.", (7, 3)))]);
    assert_eq!(world.chat(&hello(alone)).status, 200);
}
