//! `OpenRouter`'s way to ask for thinking in Chat Completions, and to hear of it.

use serde_json::{Value, json};

use super::super::support::server::{Script, Server};
use super::super::support::wire;
use super::{World, hello};

/// Two thoughts, each signed, one of them for nobody to read, and a word.
fn thoughts() -> Vec<Value> {
    vec![
        json!({ "type": "thinking", "thinking": "Hm.", "signature": "c2ln" }),
        json!({ "type": "redacted_thinking", "data": "aGlk" }),
        json!({ "type": "text", "text": "Hello." }),
    ]
}

fn whole() -> Script {
    Script::json(
        200,
        &json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": thoughts(),
                 "stop_reason": "end_turn", "stop_sequence": null, "usage": { "input_tokens": 7, "output_tokens": 3 } }),
    )
}

fn streamed() -> Script {
    let mut events = wire::anthropic_events(&[], (7, 3));
    let tail = events.split_off(events.len() - 2);
    events.truncate(1);
    let mut put = |event: Value| events.push(wire::anthropic_event(&event));
    let delta = |index: u32, delta: Value| json!({ "type": "content_block_delta", "index": index, "delta": delta });
    for (index, block) in (0..).zip(thoughts()) {
        let begun = match index {
            0 => json!({ "type": "thinking", "thinking": "", "signature": "" }),
            1 => block.clone(),
            _ => json!({ "type": "text", "text": "" }),
        };
        put(json!({ "type": "content_block_start", "index": index, "content_block": begun }));
        match index {
            0 => {
                put(delta(index, json!({ "type": "thinking_delta", "thinking": "H" })));
                put(delta(index, json!({ "type": "thinking_delta", "thinking": "m." })));
                put(delta(index, json!({ "type": "signature_delta", "signature": "c2ln" })));
            }
            1 => {}
            _ => put(delta(index, json!({ "type": "text_delta", "text": "Hello." }))),
        }
        put(json!({ "type": "content_block_stop", "index": index }));
    }
    wire::stream(events.into_iter().chain(tail).collect())
}

fn world(script: Script) -> World {
    World::with(vec![Server::repeating(script)], "anthropic-messages", |_| {})
}

/// The message of a whole answer.
fn message(world: &World, more: Value) -> Value {
    let answer = world.chat(&hello(more));
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut message = answer.json()["choices"][0]["message"].take();
    message.as_object_mut().unwrap().retain(|name, _| !["role", "refusal", "origin"].contains(&name.as_str()));
    message
}

#[test]
fn thoughts_are_told_as_whoever_asked_expects_them() {
    let world = world(whole());
    let details = json!([
        { "type": "reasoning.text", "text": "Hm.", "signature": "c2ln", "index": 0 },
        { "type": "reasoning.encrypted", "data": "redacted_thinking:aGlk", "index": 1 },
    ]);
    let openrouter = json!({ "content": "Hello.", "reasoning": "Hm.", "reasoning_details": details });
    for more in [
        json!({ "reasoning": {} }),
        json!({ "reasoning": { "exclude": false } }),
        json!({ "reasoning": { "enabled": false } }),
        json!({ "include_reasoning": true }),
    ] {
        assert_eq!(message(&world, more.clone()), openrouter, "{more}");
    }
    for more in [json!({ "reasoning": { "exclude": true } }), json!({ "include_reasoning": false })] {
        assert_eq!(message(&world, more.clone()), json!({ "content": "Hello." }), "{more}");
    }
    let plain = message(&world, json!({}));
    assert_eq!((&plain["reasoning_content"], plain.get("reasoning")), (&"Hm.".into(), None), "{plain}");
    // What was told comes back as it was made.
    let turn = json!({ "role": "assistant", "content": "Hello.", "reasoning": "Hm.", "reasoning_details": details });
    let said = json!([{ "role": "user", "content": "hi" }, turn, { "role": "user", "content": "Go on." }]);
    message(&world, json!({ "messages": said }));
    let sent = world.servers[0].requests().pop().unwrap().json();
    assert_eq!(sent["messages"][1]["content"], Value::from(thoughts()), "{sent}");
}

#[test]
fn a_stream_tells_them_piece_by_piece() {
    let world = world(streamed());
    let deltas = |more: Value| {
        let mut body = hello(more);
        body["stream"] = true.into();
        let answer = world.chat(&body);
        let delta = |data: &String| {
            let chunk: Value = serde_json::from_str(data).ok()?;
            let delta = chunk["choices"][0]["delta"].as_object()?.iter().filter(|(name, _)| *name != "role");
            let delta: serde_json::Map<_, _> = delta.map(|(name, value)| (name.clone(), value.clone())).collect();
            (!delta.is_empty()).then_some(Value::from(delta))
        };
        Value::from(answer.events().iter().filter_map(delta).collect::<Vec<_>>())
    };
    let piece = |text: &str| json!({ "reasoning": text, "reasoning_details": [{ "type": "reasoning.text", "text": text, "index": 0 }] });
    let signed = json!({ "type": "reasoning.text", "text": "", "signature": "c2ln", "index": 0 });
    let hidden = json!({ "type": "reasoning.encrypted", "data": "redacted_thinking:aGlk", "index": 1 });
    // Signatures are of use to their maker alone, who is named at the end, as in a whole answer.
    let origin = json!({ "provider": "alpha", "protocol": "anthropic-messages" });
    let expected = json!([
        piece("H"),
        piece("m."),
        { "reasoning_details": [signed] },
        { "reasoning_details": [hidden] },
        { "content": "Hello." },
        { "origin": origin },
    ]);
    assert_eq!(deltas(json!({ "reasoning": {} })), expected);
    let hidden = json!([{ "content": "Hello." }, { "origin": origin }]);
    assert_eq!(deltas(json!({ "reasoning": { "exclude": true } })), hidden);
    let plain = json!([
        { "reasoning_content": "H" },
        { "reasoning_content": "m." },
        { "signature": "c2ln" },
        { "signature": "redacted_thinking:aGlk" },
        { "content": "Hello." },
        { "reasoning_details": [
            { "type": "reasoning.text", "text": "Hm.", "signature": "c2ln", "index": 0 },
            { "type": "reasoning.text", "text": "", "signature": "redacted_thinking:aGlk", "index": 1 },
          ], "origin": origin },
    ]);
    assert_eq!(deltas(json!({})), plain);
}

#[test]
fn what_a_model_cannot_be_made_to_think_is_refused() {
    let world = world(whole());
    for (more, code, named) in [
        (json!({ "reasoning": { "effort": "high" } }), "unsupported", "reasoning effort"),
        (json!({ "reasoning": { "enabled": true } }), "unsupported", "reasoning effort"),
        (json!({ "reasoning": { "effort": "high", "max_tokens": 2000 } }), "invalid_request", "reasoning.max_tokens"),
        (
            json!({ "reasoning": { "effort": "high" }, "reasoning_effort": "low" }),
            "invalid_request",
            "reasoning_effort",
        ),
        (json!({ "reasoning": { "effort": "most" } }), "invalid_request", "reasoning.effort"),
    ] {
        let refused = world.chat(&hello(more));
        assert_eq!((refused.status, refused.error("code")), (400, code.into()), "{refused:?}");
        assert!(refused.error("message").as_str().unwrap().contains(named), "{named}: {refused:?}");
    }
    assert_eq!(world.hits(), [0]);
}
