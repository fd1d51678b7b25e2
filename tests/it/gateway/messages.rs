//! Anthropic Messages: what its clients ask, and what they hear, before providers that speak it and before others.

use openmux::observe::ErrorClass;
use serde_json::{Value, json};

use super::super::support::server::{Script, Server, Step};
use super::super::support::wire;
use super::{Response, World};

/// A question of one message, with further members.
fn hello(more: Value) -> Value {
    let mut body = json!({ "model": "acme/tiny", "max_tokens": 50, "messages": [{ "role": "user", "content": "hi" }] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn ask(world: &World, body: &Value) -> Response {
    world.post("/v1/messages", &body.to_string(), &[("anthropic-version", "2026-10-21")])
}

fn anthropic(script: Script) -> World {
    World::with(vec![Server::start(vec![script])], "anthropic-messages", |_| {})
}

#[test]
fn an_answer_of_whomever_is_a_message_with_its_cost() {
    let world = World::new(vec![Server::start(vec![wire::openai_whole("Hello, you.", (7, 3))])]);
    let answer = ask(&world, &hello(json!({})));
    assert_eq!(answer.header("request-id"), answer.header("x-openmux-decision-id"));
    insta::assert_snapshot!(answer.snapshot(), @r#"
    200
    content-type: application/json
    x-openmux-attempts: 1
    x-openmux-cost: 0.000013
    x-openmux-decision-id: ID
    x-openmux-provider: alpha

    {"id":"msg_ID","type":"message","role":"assistant","model":"acme/tiny","provider":"alpha","content":[{"type":"text","text":"Hello, you."}],"stop_reason":"end_turn","stop_sequence":null,"native_stop_reason":"stop","usage":{"input_tokens":7,"output_tokens":3,"cache_read_input_tokens":null,"cache_creation_input_tokens":null,"cost":0.000013}}
    "#);
    let sent = world.servers[0].requests().remove(0);
    assert_eq!(
        sent.json().to_string(),
        r#"{"model":"tiny-1","messages":[{"role":"user","content":"hi"}],"max_tokens":50}"#
    );
}

#[test]
fn a_stream_is_blocks_one_after_the_other() {
    let delta = |delta: Value| {
        wire::openai_event(&json!({ "id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{ "index": 0, "delta": delta, "finish_reason": null }] }))
    };
    let call = |index: u32, more: Value| {
        let mut call = json!({ "index": index });
        call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        delta(json!({ "tool_calls": [call] }))
    };
    let named = |id: &str| json!({ "id": id, "type": "function", "function": { "name": "look", "arguments": "" } });
    let piece = |text: &str| json!({ "function": { "arguments": text } });
    let events = vec![
        delta(json!({ "reasoning_content": "Hm." })),
        delta(json!({ "content": "Let me" })),
        delta(json!({ "content": " look." })),
        call(0, named("c1")),
        call(0, piece("{\"at\":")),
        call(1, named("c2")),
        call(1, piece("{}")),
        call(0, piece("1}")),
        wire::openai_event(&json!({ "id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{ "index": 0, "delta": {}, "finish_reason": "tool_calls" }] })),
        wire::openai_event(&json!({ "id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [], "usage": { "prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13,
                "prompt_tokens_details": { "cached_tokens": 2 } } })),
        "data: [DONE]\n\n".to_owned(),
    ];
    let world = World::new(vec![Server::start(vec![wire::stream(events)])]);
    let answer = ask(&world, &hello(json!({ "stream": true, "tools": [{ "name": "look", "input_schema": {} }] })));
    insta::assert_snapshot!(answer.snapshot(), @r#"
    200
    cache-control: no-cache
    content-type: text/event-stream
    x-openmux-attempts: 1
    x-openmux-decision-id: ID
    x-openmux-provider: alpha

    event: message_start
    data: {"type":"message_start","message":{"id":"msg_ID","type":"message","role":"assistant","model":"acme/tiny","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":14,"output_tokens":0,"cache_read_input_tokens":null,"cache_creation_input_tokens":null,"estimated":["input_tokens"]}}}

    event: content_block_start
    data: {"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}

    event: content_block_delta
    data: {"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm."}}

    event: content_block_stop
    data: {"type":"content_block_stop","index":0}

    event: content_block_start
    data: {"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}

    event: content_block_delta
    data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":"Let me"}}

    event: content_block_delta
    data: {"type":"content_block_delta","index":1,"delta":{"type":"text_delta","text":" look."}}

    event: content_block_stop
    data: {"type":"content_block_stop","index":1}

    event: content_block_start
    data: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"c1","name":"look","input":{}}}

    event: content_block_delta
    data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"{\"at\":"}}

    event: content_block_start
    data: {"type":"content_block_start","index":3,"content_block":{"type":"tool_use","id":"c2","name":"look","input":{}}}

    event: content_block_delta
    data: {"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{}"}}

    event: content_block_delta
    data: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"1}"}}

    event: content_block_stop
    data: {"type":"content_block_stop","index":2}

    event: content_block_stop
    data: {"type":"content_block_stop","index":3}

    event: message_delta
    data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null,"native_stop_reason":"tool_calls"},"usage":{"input_tokens":7,"output_tokens":4,"cache_read_input_tokens":2,"cache_creation_input_tokens":null,"cost":0.000017},"provider":"alpha"}

    event: message_stop
    data: {"type":"message_stop"}
    "#);
}

#[test]
fn everything_that_can_be_asked_goes_on_to_who_speaks_the_dialect() {
    let world = anthropic(wire::anthropic_whole("Hello, you.", (7, 3)));
    let body = hello(json!({
        "system": [{ "type": "text", "text": "Be brief.", "cache_control": { "type": "ephemeral" } }],
        "messages": [
            { "role": "user", "content": [
                { "type": "image", "source": { "type": "url", "url": "https://example.com/a.png" } },
                { "type": "document", "title": "Notes", "source": { "type": "text", "media_type": "text/plain",
                    "data": "It rains." } },
                { "type": "text", "text": "What is this?" },
            ] },
            { "role": "assistant", "content": [
                { "type": "thinking", "thinking": "Hm.", "signature": "c2ln" },
                { "type": "redacted_thinking", "data": "aGlk" },
                { "type": "tool_use", "id": "c1", "name": "look", "input": { "at": 1.50 }, "caller": null },
            ] },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "c1", "content": [{ "type": "text", "text": "a cat" }],
                  "is_error": true },
                { "type": "text", "text": "And now?" },
            ] },
        ],
        "tools": [{ "name": "look", "description": "Looks.", "input_schema": { "type": "object" }, "strict": true }],
        "tool_choice": { "type": "auto", "disable_parallel_tool_use": true },
        "thinking": { "type": "disabled" }, "max_tokens": 4000,
        "stop_sequences": ["END"], "metadata": { "user_id": "u-1" }, "service_tier": "auto", "top_k": 5,
        "output_config": { "format": { "type": "json_schema", "schema": { "type": "object", "properties": {} } } },
    }));
    let headers = [("anthropic-version", "2023-06-01"), ("anthropic-beta", "one-2026-01-01,two")];
    let answer = world.post("/api/anthropic/v1/messages?beta=true", &body.to_string(), &headers);
    assert_eq!((answer.status, answer.headers.get("x-openmux-dropped")), (200, None), "{answer:?}");
    let sent = world.servers[0].requests().remove(0);
    assert_eq!(sent.header("anthropic-beta"), Some("one-2026-01-01,two"));
    insta::assert_snapshot!(serde_json::to_string_pretty(&sent.json()).unwrap(), @r#"
    {
      "max_tokens": 4000,
      "system": [
        {
          "type": "text",
          "text": "Be brief.",
          "cache_control": {
            "type": "ephemeral"
          }
        }
      ],
      "messages": [
        {
          "role": "user",
          "content": [
            {
              "type": "image",
              "source": {
                "type": "url",
                "url": "https://example.com/a.png"
              }
            },
            {
              "type": "text",
              "text": "Notes\n\nIt rains."
            },
            {
              "type": "text",
              "text": "What is this?"
            }
          ]
        },
        {
          "role": "assistant",
          "content": [
            {
              "type": "thinking",
              "thinking": "Hm.",
              "signature": "c2ln"
            },
            {
              "type": "redacted_thinking",
              "data": "aGlk"
            },
            {
              "type": "tool_use",
              "id": "c1",
              "name": "look",
              "input": {
                "at": 1.5
              }
            }
          ]
        },
        {
          "role": "user",
          "content": [
            {
              "type": "tool_result",
              "tool_use_id": "c1",
              "content": "a cat",
              "is_error": true
            },
            {
              "type": "text",
              "text": "And now?"
            }
          ]
        }
      ],
      "tools": [
        {
          "name": "look",
          "description": "Looks.",
          "input_schema": {
            "type": "object"
          },
          "strict": true
        }
      ],
      "tool_choice": {
        "type": "auto",
        "disable_parallel_tool_use": true
      },
      "stop_sequences": [
        "END"
      ],
      "metadata": {
        "user_id": "u-1"
      },
      "service_tier": "auto",
      "top_k": 5,
      "output_config": {
        "format": {
          "type": "json_schema",
          "schema": {
            "type": "object",
            "properties": {},
            "additionalProperties": false
          }
        }
      },
      "model": "tiny-1"
    }
    "#);
}

#[test]
fn what_others_have_no_words_for_is_said_or_refused() {
    let world = World::new(vec![Server::start(vec![wire::openai_whole("Hello.", (7, 3))])]);
    let marked = json!([{ "type": "text", "text": "x", "cache_control": { "type": "ephemeral", "ttl": "1h" } }]);
    let answer = ask(&world, &hello(json!({ "metadata": { "user_id": "u-1" }, "system": marked })));
    assert_eq!((answer.status, answer.header("x-openmux-dropped")), (200, "metadata, cache_control"), "{answer:?}");
    for (more, code, named) in [
        (json!({ "top_k": 5 }), "unsupported", "top_k"),
        (json!({ "output_config": { "effort": "low" } }), "unsupported", "output_config"),
        (json!({ "speed": "fast" }), "invalid_request", "speed"),
        (json!({ "mcp_servers": [{ "url": "https://example.com" }] }), "invalid_request", "mcp_servers"),
        (json!({ "tools": [{ "type": "web_search_20250305", "name": "web_search" }] }), "invalid_request", "tools[0]"),
        (
            json!({ "messages": [{ "role": "user", "content": "hi" }, { "role": "assistant", "content": "I" }] }),
            "unsupported",
            "an answer that is begun",
        ),
    ] {
        let answer = ask(&world, &hello(more));
        assert_eq!((answer.status, answer.error("code")), (400, code.into()), "{answer:?}");
        assert_eq!(answer.json()["type"], "error");
        assert_eq!(answer.error("type"), "invalid_request_error");
        assert!(answer.error("message").as_str().unwrap().contains(named), "{named}: {answer:?}");
    }
    assert_eq!(world.hits(), [1], "what is refused is not sent");
}

#[test]
fn what_a_stream_leaves_out_is_said_before_it_and_in_it() {
    let world = World::new(vec![Server::start(vec![wire::openai_stream(&["Hello."], Some((7, 3)))])]);
    let answer = ask(&world, &hello(json!({ "stream": true, "metadata": { "user_id": "u-1" } })));
    assert_eq!(answer.header("x-openmux-dropped"), "metadata", "{answer:?}");
    assert!(answer.body.contains(r#""provider":"alpha","dropped":["metadata"]"#), "{answer:?}");
    let world = anthropic(wire::anthropic_stream(&["Hello."], (7, 3)));
    let chat = json!({ "model": "acme/tiny", "stream": true, "user": "u-1",
                       "messages": [{ "role": "user", "content": "hi" }] });
    let answer = world.chat(&chat);
    assert_eq!(answer.header("x-openmux-dropped"), "user", "{answer:?}");
    assert!(answer.body.contains(r#""native_finish_reason":"end_turn"}],"dropped":["user"]"#), "{answer:?}");
}

#[test]
fn thoughts_keep_a_signature_each_and_go_back_as_they_came() {
    let body = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use",
        "stop_sequence": null, "usage": { "input_tokens": 7, "output_tokens": 9 },
        "content": [
            { "type": "thinking", "thinking": "One.", "signature": "s1" },
            { "type": "redacted_thinking", "data": "aGlk" },
            { "type": "thinking", "thinking": "Two.", "signature": "s2" },
            { "type": "text", "text": "Let me look." },
            { "type": "tool_use", "id": "c1", "name": "look", "input": { "at": 1 } },
        ],
    });
    let tools = json!([{ "name": "look", "input_schema": { "type": "object" } }]);
    let script = || Script::json(200, &body);
    let world = World::with(vec![Server::start(vec![script(), script(), script()])], "anthropic-messages", |_| {});
    let answer = ask(&world, &hello(json!({ "tools": tools }))).json();
    assert_eq!(answer["content"], body["content"]);
    // An OpenAI client is told which signature belongs to which thought, and may send that back.
    let function = json!([{ "type": "function", "function": { "name": "look" } }]);
    let chat = json!({ "model": "acme/tiny", "tools": function, "messages": [{ "role": "user", "content": "hi" }] });
    let message = world.chat(&chat).json()["choices"][0]["message"].take();
    assert_eq!(message["reasoning_details"][2]["signature"], "s2", "{message}");
    let result = json!({ "role": "tool", "tool_call_id": "c1", "content": "a cat" });
    let goes_on = json!({ "model": "acme/tiny", "tools": function,
                          "messages": [{ "role": "user", "content": "hi" }, message, result] });
    assert_eq!(world.chat(&goes_on).status, 200);
    let sent = world.servers[0].requests().remove(2).json();
    assert_eq!(sent["messages"][1]["content"].as_array().unwrap()[..3], body["content"].as_array().unwrap()[..3]);
}

#[test]
fn a_break_in_the_middle_is_an_error_event_and_never_an_end() {
    let cut = wire::anthropic_events(&["Hello"], (7, 3))[..4].concat();
    let broken = Script::stream(vec![Step::bytes(cut), Step::Close]);
    let world = World::with(vec![Server::start(vec![broken])], "anthropic-messages", |_| {});
    let answer = ask(&world, &hello(json!({ "stream": true })));
    assert_eq!(answer.status, 200);
    let last = answer.body.trim_end().rsplit("\n\n").next().unwrap();
    let data = last.strip_prefix("event: error\ndata: ").unwrap_or_else(|| panic!("{last}"));
    let data: Value = serde_json::from_str(data).unwrap();
    assert_eq!(
        (&data["type"], &data["error"]["type"], &data["error"]["class"]),
        (&"error".into(), &"api_error".into(), &"stream_broken".into())
    );
    assert_eq!(data["request_id"], answer.header("request-id"));
    assert!(answer.body.contains("Hello") && !answer.body.contains("message_stop"), "{answer:?}");
    let (attempts, _) = world.end();
    assert_eq!(attempts[0].class, ErrorClass::StreamBroken);
}

#[test]
fn errors_are_in_the_envelope_of_the_dialect() {
    let slow = wire::anthropic_error(429, "rate_limit_error", "slow down").header("retry-after", "31.2");
    let world = anthropic(slow);
    let answer = ask(&world, &hello(json!({ "stream": true })));
    insta::assert_snapshot!(answer.snapshot(), @r#"
    429
    content-type: application/json
    retry-after: 32
    x-openmux-attempts: 1
    x-openmux-decision-id: ID

    {"type":"error","error":{"type":"rate_limit_error","message":"alpha is limiting the gateway's key: slow down","param":null,"code":"rate_limited","class":"rate_limited","owner":"your key","fix":"wait, or set a key for another provider","retry_after":32,"previous_errors":[{"provider":"alpha","upstream_model":"tiny-1","class":"rate_limited","http_status":429,"ms":N,"request_id":"req_1","message":"slow down","cost_state":"none","ttft_ms":null}]},"request_id":"ID"}
    "#);
    let world = World::new(vec![]);
    let unknown = ask(&world, &hello(json!({ "model": "acme/none" })));
    assert_eq!(
        (unknown.status, unknown.error("type"), &unknown.json()["request_id"]),
        (404, "not_found_error".into(), &Value::Null)
    );
    for (path, status, kind) in
        [("/v1/nothing", 404, "not_found_error"), ("/v1/models/a/b", 405, "invalid_request_error")]
    {
        let answer = world.post(path, "{}", &[("anthropic-version", "2026-10-21")]);
        assert_eq!((answer.status, answer.error("type")), (status, kind.into()), "{answer:?}");
    }
}

#[test]
fn tokens_are_counted_without_asking_anybody_and_said_to_be_estimated() {
    let world = World::new(vec![Server::start(vec![])]);
    let body = json!({ "model": "acme/tiny", "messages": [{ "role": "user", "content": "four characters a token" }] });
    let answer = world.post("/v1/messages/count_tokens", &body.to_string(), &[]);
    assert_eq!((answer.status, answer.header("x-openmux-estimated")), (200, "input_tokens"), "{answer:?}");
    assert_eq!(answer.json(), json!({ "input_tokens": 10 }));
    assert_eq!(world.hits(), [0]);
}

/// What the official clients send (`tests/fixtures/sdk/`), but for the model.
#[test]
#[expect(clippy::disallowed_methods, reason = "a fixture is a file")]
fn the_official_clients_are_understood() {
    let path = format!("{}/tests/fixtures/sdk/anthropic.jsonl", env!("CARGO_MANIFEST_DIR"));
    let lines = std::fs::read_to_string(path).unwrap();
    let asked: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(asked.len() >= 5, "{}", asked.len());
    for asked in asked {
        let mut body = asked["body"].clone();
        body["model"] = "acme/tiny".into();
        let streams = body["stream"] == true;
        let script = if streams {
            wire::anthropic_stream(&["Hello, you."], (7, 3))
        } else {
            wire::anthropic_whole("Hello, you.", (7, 3))
        };
        let world = anthropic(script);
        let pairs = asked["headers"].as_array().unwrap().iter();
        let pairs = pairs.map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap()));
        let kept = |(name, _): &(&str, &str)| {
            !["host", "content-length", "accept-encoding"].contains(&name.to_ascii_lowercase().as_str())
        };
        let headers: Vec<(&str, &str)> = pairs.filter(kept).collect();
        let answer = world.post("/v1/messages", &body.to_string(), &headers);
        assert_eq!(answer.status, 200, "{asked}: {answer:?}");
        assert_eq!(answer.body.ends_with("data: {\"type\":\"message_stop\"}\n\n"), streams, "{answer:?}");
    }
}
