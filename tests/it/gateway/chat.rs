//! Whole answers: what goes in, what comes out, and who is asked next.

use serde_json::{Value, json};

use super::super::support::server::{Script, Server, Step};
use super::super::support::wire;
use super::{World, hello};

fn good() -> Script {
    wire::openai_whole("Hello, you.", (7, 3))
}

fn overloaded() -> Script {
    wire::openai_error(503, "server_error", None, "Overloaded")
}

#[test]
fn an_answer_has_its_cost_and_its_provider() {
    let world = World::new(vec![Server::start(vec![good()])]);
    let answer = world.chat(&hello(json!({})));
    insta::assert_snapshot!(answer.snapshot(), @r#"
    200
    content-type: application/json
    x-openmux-attempts: 1
    x-openmux-cost: 0.000013
    x-openmux-decision-id: ID
    x-openmux-provider: alpha

    {"id":"chatcmpl-ID","object":"chat.completion","created":N,"model":"acme/tiny","provider":"alpha","choices":[{"index":0,"message":{"role":"assistant","content":"Hello, you.","refusal":null},"logprobs":null,"finish_reason":"stop","native_finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10,"cost":0.000013}}
    "#);
    let sent = world.servers[0].requests().remove(0);
    assert_eq!(
        sent.header("authorization"),
        Some("Bearer sk-alpha-0123456789"),
        "the provider's key, not the client's"
    );
    assert_eq!(sent.json().to_string(), r#"{"model":"tiny-1","messages":[{"role":"user","content":"hi"}]}"#);
    let (attempts, mut log) = world.end();
    assert_eq!((attempts.len(), attempts[0].source.name()), (1, "gateway"));
    assert!(log[0]["at"].take().is_string());
    insta::assert_snapshot!(super::stable(&log[0].to_string()), @r#"{"at":null,"method":"POST","path":"/v1/chat/completions","status":200,"ms":N,"model":"acme/tiny","decision_id":"ID","attempts":1,"provider":"alpha","class":"ok","input_tokens":7,"output_tokens":3,"cost_usd":0.000013}"#);
}

#[test]
fn a_503_moves_on_before_anybody_notices() {
    let world = World::new(vec![Server::start(vec![overloaded()]), Server::start(vec![good()])]);
    let answer =
        world.post("/api/v1/chat/completions", &hello(json!({})).to_string(), &[("x-openmux-metadata", "enabled")]);
    assert_eq!((answer.status, answer.header("x-openmux-provider")), (200, "beta"), "{answer:?}");
    assert_eq!(answer.header("x-openmux-attempts"), "2");
    let told = &answer.json()["openmux"];
    let classes: Vec<&Value> = told["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["class"]).collect();
    assert_eq!(classes, ["overloaded", "ok"]);
    assert_eq!(told["decision_id"], answer.header("x-openmux-decision-id"));
    assert_eq!(world.hits(), [1, 1]);
}

/// Each request is tried elsewhere once; a third attempt is one of those that all share.
#[test]
fn an_outage_of_everybody_is_no_storm_of_attempts() {
    let refused = || wire::openai_error(401, "invalid_request_error", Some("invalid_api_key"), "no");
    let world = World::new((0..3).map(|_| Server::repeating(refused())).collect());
    let answers = (0..100).map(|_| world.chat(&hello(json!({}))));
    let tried: Vec<(usize, bool)> = answers
        .map(|answer| {
            let fix = answer.error("fix").to_string();
            (answer.error("previous_errors").as_array().unwrap().len(), fix.contains("ask again in a moment"))
        })
        .collect();
    assert_eq!(tried[..10], [(3, false); 10]);
    assert!(tried[10..].iter().all(|one| matches!(one, (3, false) | (2, true))), "{tried:?}");
    assert!(tried[50..].contains(&(2, true)), "{tried:?}");
}

#[test]
fn a_break_within_an_answer_that_is_not_streamed_moves_on() {
    let half = Script::raw(vec![Step::bytes(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{\"id\"",
    )]);
    let world = World::new(vec![Server::start(vec![half]), Server::start(vec![good()])]);
    let answer = world.chat(&hello(json!({})));
    assert_eq!((answer.status, answer.header("x-openmux-provider")), (200, "beta"), "{answer:?}");
}

#[test]
fn everything_that_can_be_asked_goes_on() {
    let world = World::new(vec![Server::start(vec![good()])]);
    let asked = hello(json!({
        "messages": [
            { "role": "developer", "content": "Be brief." },
            { "role": "user", "content": [
                { "type": "text", "text": "What is this?" },
                { "type": "image_url", "image_url": { "url": "https://example.com/a.png" } },
            ] },
            { "role": "assistant", "content": null, "refusal": null, "annotations": [], "tool_calls": [
                { "id": "c1", "type": "function", "function": { "name": "look", "arguments": "{\"at\":1.50}" } },
            ] },
            { "role": "tool", "tool_call_id": "c1", "content": "a cat" },
        ],
        "tools": [{ "type": "function", "function": { "name": "look", "parameters": { "type": "object" } } }],
        "tool_choice": "auto", "parallel_tool_calls": false, "temperature": 0.70, "top_p": 1, "seed": 7, "stop": ["END"],
        "max_completion_tokens": 50, "user": "u-1", "presence_penalty": 0.5,
        "response_format": { "type": "json_schema", "json_schema": { "name": "s", "schema": { "type": "object" } } },
    }));
    let answer = world.chat(&asked);
    assert_eq!(answer.status, 200, "{answer:?}");
    insta::assert_snapshot!(serde_json::to_string_pretty(&world.servers[0].requests()[0].json()).unwrap(), @r#"
    {
      "model": "tiny-1",
      "messages": [
        {
          "role": "system",
          "content": "Be brief."
        },
        {
          "role": "user",
          "content": [
            {
              "type": "text",
              "text": "What is this?"
            },
            {
              "type": "image_url",
              "image_url": {
                "url": "https://example.com/a.png"
              }
            }
          ]
        },
        {
          "role": "assistant",
          "content": null,
          "tool_calls": [
            {
              "id": "c1",
              "type": "function",
              "function": {
                "name": "look",
                "arguments": "{\"at\":1.50}"
              }
            }
          ]
        },
        {
          "role": "tool",
          "tool_call_id": "c1",
          "content": "a cat"
        }
      ],
      "max_tokens": 50,
      "temperature": 0.7,
      "top_p": 1,
      "seed": 7,
      "stop": [
        "END"
      ],
      "tools": [
        {
          "type": "function",
          "function": {
            "name": "look",
            "parameters": {
              "type": "object"
            }
          }
        }
      ],
      "tool_choice": "auto",
      "parallel_tool_calls": false,
      "response_format": {
        "type": "json_schema",
        "json_schema": {
          "name": "s",
          "schema": {
            "type": "object"
          },
          "strict": false
        }
      },
      "user": "u-1",
      "presence_penalty": 0.5
    }
    "#);
}

#[test]
fn tool_calls_and_reasoning_come_back() {
    let body = json!({
        "id": "x", "object": "chat.completion", "created": 1, "model": "m",
        "choices": [{ "index": 0, "finish_reason": "tool_calls", "message": {
            "role": "assistant", "content": null, "reasoning_content": "Hm.", "tool_calls": [
                { "id": "c1", "type": "function", "function": { "name": "look", "arguments": "{\"at\": 1}" } },
            ],
        } }],
        "usage": { "prompt_tokens": 9, "completion_tokens": 4, "total_tokens": 13,
            "prompt_tokens_details": { "cached_tokens": 2 }, "completion_tokens_details": { "reasoning_tokens": 3 } },
    });
    let world = World::new(vec![Server::start(vec![Script::json(200, &body)])]);
    let tools = json!([{ "type": "function", "function": { "name": "look" } }]);
    let answer = world.chat(&hello(json!({ "tools": tools })));
    insta::assert_snapshot!(super::stable(&serde_json::to_string_pretty(&answer.json()).unwrap().replace(": ", ":")), @r#"
    {
      "id":"chatcmpl-ID",
      "object":"chat.completion",
      "created":N,
      "model":"acme/tiny",
      "provider":"alpha",
      "choices":[
        {
          "index":0,
          "message":{
            "role":"assistant",
            "content":null,
            "tool_calls":[
              {
                "id":"c1",
                "type":"function",
                "function":{
                  "name":"look",
                  "arguments":"{\"at\":1}"
                }
              }
            ],
            "refusal":null,
            "reasoning_content":"Hm."
          },
          "logprobs":null,
          "finish_reason":"tool_calls",
          "native_finish_reason":"tool_calls"
        }
      ],
      "usage":{
        "prompt_tokens":9,
        "completion_tokens":4,
        "total_tokens":13,
        "prompt_tokens_details":{
          "cached_tokens":2
        },
        "completion_tokens_details":{
          "reasoning_tokens":3
        },
        "cost":0.000017
      }
    }
    "#);
}

#[test]
fn what_only_one_dialect_has_words_for_goes_there_or_nowhere() {
    let anthropic = || Server::start(vec![wire::anthropic_whole("Hello, you.", (7, 3))]);
    let world = World::with(vec![anthropic()], "anthropic-messages", |_| {});
    let answer = world.chat(&hello(json!({ "user": "u-1" })));
    assert_eq!((answer.status, answer.header("x-openmux-dropped")), (200, "user"), "{answer:?}");
    let refused = world.chat(&hello(json!({ "presence_penalty": 0.5 })));
    assert_eq!((refused.status, refused.error("code")), (400, "unsupported".into()), "{refused:?}");
    assert!(refused.error("message").as_str().unwrap().contains("presence_penalty"), "{refused:?}");
}

#[test]
fn failures_have_a_status_a_class_an_owner_and_a_fix() {
    let slow =
        wire::openai_error(429, "requests", Some("rate_limit_exceeded"), "slow down").header("retry-after", "600");
    let rejected = wire::openai_error(401, "invalid_request_error", Some("invalid_api_key"), "no such key");
    let world = World::new(vec![Server::start(vec![rejected]), Server::start(vec![slow])]);
    let answer = world.chat(&hello(json!({})));
    insta::assert_snapshot!(answer.snapshot(), @r#"
    429
    content-type: application/json
    retry-after: 600
    x-openmux-attempts: 2
    x-openmux-decision-id: ID

    {"error":{"message":"all 2 attempts failed; the last: beta is limiting the gateway's key: slow down","type":"rate_limit_error","param":null,"code":"rate_limited","class":"rate_limited","owner":"your key","fix":"wait, or set a key for another provider","retry_after":600,"previous_errors":[{"provider":"alpha","upstream_model":"tiny-1","class":"auth","http_status":401,"ms":N,"request_id":null,"message":"no such key","cost_state":"none","ttft_ms":null},{"provider":"beta","upstream_model":"tiny-1","class":"rate_limited","http_status":429,"ms":N,"request_id":null,"message":"slow down","cost_state":"none","ttft_ms":null}]}}
    "#);
    for (script, status, code, kind) in [
        (
            wire::openai_error(401, "invalid_request_error", Some("invalid_api_key"), "no"),
            401,
            "auth",
            "authentication_error",
        ),
        (wire::openai_error(402, "x", Some("insufficient_quota"), "no"), 402, "quota", "insufficient_quota"),
        (wire::openai_error(403, "x", None, "no"), 403, "forbidden", "permission_error"),
        (wire::openai_error(404, "x", Some("model_not_found"), "no"), 404, "not_found", "invalid_request_error"),
        (wire::openai_error(400, "invalid_request_error", None, "bad"), 400, "invalid", "invalid_request_error"),
        (
            wire::openai_error(400, "invalid_request_error", Some("context_length_exceeded"), "long"),
            400,
            "context_length_exceeded",
            "invalid_request_error",
        ),
    ] {
        let world = World::new(vec![Server::start(vec![script])]);
        let answer = world.chat(&hello(json!({})));
        assert_eq!(
            (answer.status, answer.error("code"), answer.error("type")),
            (status, code.into(), kind.into()),
            "{answer:?}"
        );
        assert!(answer.error("fix").is_string() && answer.error("owner").is_string(), "{answer:?}");
        assert_eq!(answer.error("previous_errors").as_array().map(Vec::len), Some(1), "{answer:?}");
    }
}

#[test]
fn a_name_that_is_no_models_is_a_404_with_what_is_near() {
    let world = World::new(vec![]);
    for (name, near) in [("anthropic/claude-sonet-5", "claude-sonnet-5"), ("../../etc/passwd", ""), ("acme/%2e%2e", "")]
    {
        let answer = world.chat(&hello(json!({ "model": name })));
        assert_eq!(
            (answer.status, answer.error("code"), answer.error("param")),
            (404, "model_not_found".into(), "model".into())
        );
        assert!(answer.error("fix").as_str().unwrap().contains(near), "{answer:?}");
    }
    // There is such a model, and nobody has a key for it.
    let answer = world.chat(&hello(json!({ "model": "anthropic/claude-sonnet-5" })));
    assert_eq!((answer.status, answer.error("code")), (401, "no_credential".into()), "{answer:?}");
    assert!(answer.error("rejected").as_array().is_some_and(|rejected| rejected.len() > 3), "{answer:?}");
}

/// What the official clients send (`tests/fixtures/sdk/`), but for the model.
#[test]
#[expect(clippy::disallowed_methods, reason = "a fixture is a file")]
fn the_official_clients_are_understood() {
    let path = format!("{}/tests/fixtures/sdk/openai.jsonl", env!("CARGO_MANIFEST_DIR"));
    let lines = std::fs::read_to_string(path).unwrap();
    let asked: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let chats: Vec<&Value> = asked.iter().filter(|asked| asked["path"] == "/v1/chat/completions").collect();
    assert!(chats.len() >= 4, "{}", chats.len());
    for asked in chats {
        let mut body = asked["body"].clone();
        body["model"] = "acme/tiny".into();
        let streams = body["stream"] == true;
        let script = if streams { wire::openai_stream(&["Hello, you."], Some((7, 3))) } else { good() };
        let world = World::new(vec![Server::start(vec![script])]);
        let pairs = asked["headers"].as_array().unwrap().iter();
        let pairs = pairs.map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap()));
        let kept = |(name, _): &(&str, &str)| {
            !["host", "content-length", "accept-encoding"].contains(&name.to_ascii_lowercase().as_str())
        };
        let headers: Vec<(&str, &str)> = pairs.filter(kept).collect();
        let answer = world.post("/v1/chat/completions", &body.to_string(), &headers);
        assert_eq!(answer.status, 200, "{asked}: {answer:?}");
        assert_eq!(answer.body.ends_with("data: [DONE]\n\n"), streams, "{answer:?}");
        assert_eq!(answer.header("x-request-id"), answer.header("x-openmux-decision-id"));
    }
}

#[test]
fn what_holds_for_every_request_is_not_for_clients_to_change() {
    let cap = |config: &mut openmux::gateway::Config| config.constraints.max_cost = Some("0.001".parse().unwrap());
    let world = World::with(vec![Server::start(vec![good()])], "openai-chat", cap);
    let dear = world.chat(&hello(json!({})));
    assert_eq!((dear.status, dear.error("code")), (402, "above_max_cost".into()), "{dear:?}");
    assert_eq!(world.chat(&hello(json!({ "max_tokens": 50 }))).status, 200);
}

#[test]
fn a_mistake_names_its_place() {
    let world = World::new(vec![]);
    for (more, param) in [
        (json!({ "messages": [{ "role": "wizard", "content": "x" }] }), "messages[0].role"),
        (json!({ "logprobs": true }), "logprobs"),
        (json!({ "n": 3 }), "n"),
        (json!({ "model": 7 }), "model"),
    ] {
        let answer = world.chat(&hello(more));
        assert_eq!((answer.status, answer.error("param")), (400, param.into()), "{answer:?}");
        assert_eq!(answer.error("type"), "invalid_request_error");
    }
}
