//! OpenAI Responses: what its clients ask, and what they hear, before providers that speak it and before others.

use serde_json::{Value, json};

use super::super::support::server::{Script, Server, Step};
use super::super::support::wire;
use super::{Response, World};

/// A question, with further members.
fn hello(more: Value) -> Value {
    let mut body = json!({ "model": "acme/tiny", "input": "hi" });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn ask(world: &World, body: &Value) -> Response {
    world.post("/v1/responses", &body.to_string(), &[])
}

#[test]
fn an_answer_of_whomever_is_a_response_with_its_cost() {
    let world = World::new(vec![Server::start(vec![wire::openai_whole("Hello, you.", (7, 3))])]);
    let answer = ask(&world, &hello(json!({ "instructions": "Be brief.", "store": true, "user": "u-1" })));
    insta::assert_snapshot!(answer.snapshot(), @r#"
    200
    content-type: application/json
    x-openmux-attempts: 1
    x-openmux-cost: 0.000013
    x-openmux-decision-id: ID
    x-openmux-provider: alpha

    {"id":"resp_ID","object":"response","created_at":N,"status":"completed","model":"acme/tiny","error":null,"incomplete_details":null,"output":[{"id":"msg_ID_0","type":"message","status":"completed","role":"assistant","content":[{"type":"output_text","text":"Hello, you.","annotations":[],"logprobs":[]}]}],"usage":{"input_tokens":7,"output_tokens":3,"total_tokens":10,"cost":0.000013,"input_tokens_details":{"cached_tokens":0},"output_tokens_details":{"reasoning_tokens":0},"not_reported":["input_tokens_details.cached_tokens","output_tokens_details.reasoning_tokens"]},"instructions":"Be brief.","max_output_tokens":null,"metadata":{},"parallel_tool_calls":true,"reasoning":{"effort":null,"summary":null},"temperature":null,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_p":null,"background":false,"previous_response_id":null,"store":false,"truncation":"disabled","provider":"alpha"}
    "#);
    let sent = world.servers[0].requests().remove(0).json();
    assert_eq!((&sent["messages"][0]["content"], &sent["user"]), (&"Be brief.".into(), &"u-1".into()));
}

#[test]
fn a_stream_is_items_one_after_the_other() {
    let script = wire::anthropic_stream(&["Hello", ", you."], (7, 3));
    let world = World::with(vec![Server::start(vec![script])], "anthropic-messages", |_| {});
    let answer = ask(&world, &hello(json!({ "stream": true, "user": "u-1" })));
    assert_eq!(answer.header("x-openmux-dropped"), "user");
    let events = answer.events();
    let events: Vec<Value> = events.iter().map(|event| serde_json::from_str(event).unwrap()).collect();
    let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    insta::assert_snapshot!(kinds.join("\n"), @r#"
    response.created
    response.in_progress
    response.output_item.added
    response.content_part.added
    response.output_text.delta
    response.output_text.delta
    response.output_text.done
    response.content_part.done
    response.output_item.done
    response.completed
    "#);
    assert!(events.iter().enumerate().all(|(at, event)| event["sequence_number"] == at), "{events:?}");
    let response = &events.last().unwrap()["response"];
    assert_eq!(
        (&response["dropped"], &response["usage"]["output_tokens"]),
        (&json!(["user"]), &3.into()),
        "{response}"
    );
    assert_eq!(response["output"][0]["content"][0]["text"], "Hello, you.");
}

#[test]
fn a_conversation_goes_on_by_its_items() {
    let body = json!({
        "id": "resp_1", "object": "response", "status": "completed", "model": "m", "error": null,
        "incomplete_details": null, "usage": { "input_tokens": 7, "output_tokens": 9, "total_tokens": 16 },
        "output": [
            { "id": "rs_1", "type": "reasoning", "summary": [{ "type": "summary_text", "text": "Hm." }],
              "encrypted_content": "c2ln" },
            { "id": "fc_1", "type": "function_call", "status": "completed", "call_id": "c1", "name": "look",
              "arguments": "{\"at\":1.50}" },
        ],
    });
    let server = Server::start(vec![Script::json(200, &body), Script::json(200, &body)]);
    let world = World::with(vec![server], "openai-responses", |_| {});
    let tools = json!([{ "type": "function", "name": "look", "parameters": { "type": "object" }, "strict": true }]);
    let first = ask(&world, &hello(json!({ "tools": tools }))).json();
    assert_eq!((&first["store"], &first["output"][0]["encrypted_content"]), (&false.into(), &"c2ln".into()));
    let mut input = vec![json!({ "role": "user", "content": [{ "type": "input_text", "text": "hi" }] })];
    input.extend(first["output"].as_array().unwrap().iter().cloned());
    input.push(json!({ "type": "function_call_output", "call_id": "c1", "output": "a cat" }));
    let format = json!({ "type": "json_schema", "name": "s", "schema": { "type": "object" } });
    let goes_on = hello(json!({ "input": input, "tools": tools, "text": { "format": format, "verbosity": "low" },
        "max_output_tokens": 50, "parallel_tool_calls": false, "tool_choice": "auto", "metadata": { "a": "b" } }));
    assert_eq!(ask(&world, &goes_on).status, 200);
    let sent = world.servers[0].requests().remove(1).json();
    insta::assert_snapshot!(serde_json::to_string_pretty(&sent).unwrap(), @r#"
    {
      "model": "tiny-1",
      "input": [
        {
          "role": "user",
          "content": "hi"
        },
        {
          "type": "reasoning",
          "summary": [
            {
              "type": "summary_text",
              "text": "Hm."
            }
          ],
          "encrypted_content": "c2ln"
        },
        {
          "type": "function_call",
          "call_id": "c1",
          "name": "look",
          "arguments": "{\"at\":1.50}"
        },
        {
          "type": "function_call_output",
          "call_id": "c1",
          "output": "a cat"
        }
      ],
      "store": false,
      "max_output_tokens": 50,
      "tools": [
        {
          "type": "function",
          "name": "look",
          "parameters": {
            "type": "object"
          },
          "strict": true
        }
      ],
      "tool_choice": "auto",
      "parallel_tool_calls": false,
      "text": {
        "format": {
          "type": "json_schema",
          "name": "s",
          "schema": {
            "type": "object"
          },
          "strict": false
        },
        "verbosity": "low"
      },
      "metadata": {
        "a": "b"
      }
    }
    "#);
}

/// What one turn of the model's says and calls is items in a row here, and one message elsewhere.
#[test]
fn items_of_one_turn_are_one_message_elsewhere() {
    let world = World::new(vec![Server::start(vec![wire::openai_whole("A cat.", (7, 3))])]);
    let call = |id: &str| json!({ "type": "function_call", "call_id": id, "name": "look", "arguments": "{}" });
    let output = |id: &str| json!({ "type": "function_call_output", "call_id": id, "output": "a cat" });
    let said = json!({ "role": "assistant", "content": [{ "type": "output_text", "text": "Let me look." }] });
    let input = json!([{ "role": "user", "content": "hi" }, said, call("c1"), call("c2"), output("c1"), output("c2")]);
    let tools = json!([{ "type": "function", "name": "look", "parameters": { "type": "object" } }]);
    let answer = ask(&world, &hello(json!({ "input": input, "tools": tools })));
    assert_eq!(answer.status, 200, "{answer:?}");
    let sent = world.servers[0].requests().remove(0).json();
    let roles: Vec<&Value> = sent["messages"].as_array().unwrap().iter().map(|message| &message["role"]).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "tool"], "{sent}");
    let turn = &sent["messages"][1];
    assert_eq!((&turn["content"], turn["tool_calls"].as_array().map(Vec::len)), (&"Let me look.".into(), Some(2)));
}

#[test]
fn what_would_need_a_store_or_a_provider_is_refused_with_what_to_do() {
    let world = World::new(vec![Server::start(vec![])]);
    for (more, param, said) in [
        (json!({ "previous_response_id": "resp_1" }), "previous_response_id", "send the whole conversation"),
        (json!({ "conversation": "conv_1" }), "conversation", "send the whole conversation"),
        (json!({ "background": true }), "background", "wait for the answer"),
        (json!({ "input": [{ "type": "item_reference", "id": "msg_1" }] }), "input[0]", "send the item itself"),
        (json!({ "include": ["message.output_text.logprobs"] }), "include", "hands it back"),
        (json!({ "service_tier": "flex" }), "service_tier", "another price"),
        (json!({ "truncation": "auto" }), "truncation", "no part of an input is left out"),
        (json!({ "top_logprobs": 3 }), "top_logprobs", "hands it back"),
    ] {
        let answer = ask(&world, &hello(more));
        assert_eq!((answer.status, answer.error("param")), (400, param.into()), "{answer:?}");
        assert!(answer.error("message").as_str().unwrap().contains(said), "{answer:?}");
    }
    assert_eq!(world.hits(), [0]);
}

#[test]
fn a_break_in_the_middle_is_a_response_that_failed() {
    let broken = Script::stream(vec![Step::bytes(wire::openai_text("Hello")), Step::Close]);
    let world = World::new(vec![Server::start(vec![broken])]);
    let answer = ask(&world, &hello(json!({ "stream": true })));
    let events = answer.events();
    let last: Value = serde_json::from_str(events.last().unwrap()).unwrap();
    assert_eq!((&last["type"], &last["response"]["status"]), (&"response.failed".into(), &"failed".into()));
    assert_eq!(last["response"]["error"]["class"], "stream_broken", "{last}");
    assert!(!answer.body.contains("response.completed"), "{answer:?}");
    // What was said in part is no item, and none that is null stands in its place.
    assert_eq!(last["response"]["output"], json!([]), "{last}");
}

/// Of how it ended clients read one word, and for what reason it is no whole answer.
#[test]
fn how_an_answer_ended_stands_in_the_response() {
    for (finish, status, details) in [
        ("stop", "completed", Value::Null),
        ("length", "incomplete", json!({ "reason": "max_output_tokens" })),
        ("content_filter", "incomplete", json!({ "reason": "content_filter" })),
    ] {
        let said = json!({ "role": "assistant", "content": "Hello." });
        let whole = json!({ "id": "c", "object": "chat.completion", "created": 1, "model": "m",
                            "choices": [{ "index": 0, "message": said, "finish_reason": finish }],
                            "usage": { "prompt_tokens": 7 } });
        let mut events = wire::openai_events(&["Hello."], None);
        events.iter_mut().for_each(|event| *event = event.replace("\"stop\"", &format!("\"{finish}\"")));
        let world = World::new(vec![Server::start(vec![Script::json(200, &whole), wire::stream(events)])]);
        let whole = ask(&world, &hello(json!({}))).json();
        let answer = ask(&world, &hello(json!({ "stream": true })));
        let last: Value = serde_json::from_str(answer.events().last().unwrap()).unwrap();
        assert_eq!(last["type"], format!("response.{status}"), "{answer:?}");
        for response in [&whole, &last["response"]] {
            assert_eq!(
                (&response["status"], &response["incomplete_details"]),
                (&status.into(), &details),
                "{response}"
            );
        }
        // Half of a count is no usage, and is not lost.
        assert_eq!((&whole["usage"], &whole["partial_usage"]["input_tokens"]), (&Value::Null, &7.into()), "{whole}");
    }
}
