//! What Gemini signs its calls of tools with comes back to it, in whatever dialect the client speaks, streamed or not, and
//! though the client keeps nothing but what the dialect has a place for.

use serde_json::{Map, Value, json};

use super::super::support::server::{Script, Server};
use super::super::support::wire;
use super::{Response, World, hello};

/// Signatures as they come, one with every sign of Base64 and one that is none.
const SIGNATURES: [&str; 2] = ["CiQB+/8/AAECAwQ=", "not base64"];

/// What the model says: a thought, a word, two signed calls and one that is not.
fn said() -> Vec<Value> {
    let call = |name: &str, args: Value| json!({ "functionCall": { "name": name, "args": args } });
    let signed = |mut call: Value, signature: &str| {
        call["thoughtSignature"] = signature.into();
        call
    };
    vec![
        json!({ "text": "Let me look." }),
        signed(call("look", json!({ "at": "Oslo" })), SIGNATURES[0]),
        call("look", json!({ "at": "Bergen" })),
        signed(call("wait", json!({})), SIGNATURES[1]),
    ]
}

fn answers(streamed: bool, parts: &[Value]) -> Script {
    let chunk = |parts: &[Value], ends: bool| {
        let mut candidate = json!({ "content": { "role": "model", "parts": parts }, "index": 0 });
        if ends {
            candidate["finishReason"] = "STOP".into();
        }
        json!({ "responseId": "r1", "modelVersion": "tiny-1", "candidates": [candidate],
                "usageMetadata": { "promptTokenCount": 7, "candidatesTokenCount": 3, "totalTokenCount": 10 } })
    };
    if !streamed {
        return Script::json(200, &chunk(parts, true));
    }
    let last = parts.len() - 1;
    let chunks = parts.iter().enumerate().map(|(at, part)| chunk(std::slice::from_ref(part), at == last));
    wire::stream(chunks.map(|chunk| wire::openai_event(&chunk)).collect())
}

/// A dialect's client: how it asks, and how it goes on after an answer, with the results of its tools.
struct Client {
    path: &'static str,
    ask: fn(&World, bool) -> Response,
    go_on: fn(&Response, bool) -> Value,
}

fn ask(world: &World, path: &str, body: &Value) -> Response {
    world.post(path, &body.to_string(), &[])
}

/// The members that a dialect knows.
fn only(value: &Value, names: &[&str]) -> Value {
    let members = value.as_object().unwrap().iter().filter(|(name, _)| names.contains(&name.as_str()));
    members.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>().into()
}

fn events(answer: &Response) -> Vec<Value> {
    let events = answer.events();
    events.iter().filter(|data| *data != "[DONE]").map(|data| serde_json::from_str(data).unwrap()).collect()
}

const CHAT: Client = Client {
    path: "/v1/chat/completions",
    ask: |world, stream| ask(world, CHAT.path, &hello(json!({ "stream": stream }))),
    go_on: |answer, stream| {
        let mut calls: Vec<Value> = Vec::new();
        let mut text = String::new();
        let choices = if stream { events(answer) } else { vec![answer.json()] };
        for choice in choices.iter().filter_map(|chunk| chunk["choices"].get(0)) {
            let message = if stream { &choice["delta"] } else { &choice["message"] };
            text += message["content"].as_str().unwrap_or_default();
            for (at, call) in message["tool_calls"].as_array().into_iter().flatten().enumerate() {
                let at = call["index"].as_u64().map_or(at, |index| usize::try_from(index).unwrap());
                if at == calls.len() {
                    calls.push(only(call, &["id", "type", "function"]));
                } else {
                    let more = call["function"]["arguments"].as_str().unwrap_or_default();
                    let known = calls[at]["function"]["arguments"].as_str().unwrap().to_owned();
                    calls[at]["function"]["arguments"] = (known + more).into();
                }
            }
        }
        let results = calls.iter().map(|call| json!({ "role": "tool", "tool_call_id": call["id"], "content": "rain" }));
        let results: Vec<Value> = results.collect();
        let mut messages = vec![
            json!({ "role": "user", "content": "hi" }),
            json!({ "role": "assistant", "content": text, "tool_calls": calls }),
        ];
        messages.extend(results);
        hello(json!({ "messages": messages }))
    },
};

const MESSAGES: Client = Client {
    path: "/v1/messages",
    ask: |world, stream| ask(world, MESSAGES.path, &hello(json!({ "stream": stream, "max_tokens": 50 }))),
    go_on: |answer, stream| {
        let mut blocks: Vec<Value> = Vec::new();
        let mut arguments: Vec<String> = Vec::new();
        if stream {
            for event in events(answer) {
                let at = usize::try_from(event["index"].as_u64().unwrap_or_default()).unwrap();
                match (event["type"].as_str().unwrap(), event["delta"]["type"].as_str()) {
                    ("content_block_start", _) => {
                        blocks.push(event["content_block"].clone());
                        arguments.push(String::new());
                    }
                    // As the official client does: a signature is a thought's alone.
                    (_, Some("text_delta")) => {
                        let known = blocks[at]["text"].as_str().unwrap().to_owned();
                        blocks[at]["text"] = (known + event["delta"]["text"].as_str().unwrap()).into();
                    }
                    (_, Some("input_json_delta")) => arguments[at] += event["delta"]["partial_json"].as_str().unwrap(),
                    _ => {}
                }
            }
            for (block, arguments) in blocks.iter_mut().zip(arguments).filter(|(_, text)| !text.is_empty()) {
                block["input"] = serde_json::from_str(&arguments).unwrap();
            }
        } else {
            blocks.clone_from(answer.json()["content"].as_array().unwrap());
        }
        let blocks = blocks.iter().map(|block| only(block, &["type", "text", "id", "name", "input"]));
        let blocks: Vec<Value> = blocks.collect();
        let calls = blocks.iter().filter(|block| block["type"] == "tool_use");
        let results = calls.map(|call| json!({ "type": "tool_result", "tool_use_id": call["id"], "content": "rain" }));
        let results: Vec<Value> = results.collect();
        hello(json!({ "max_tokens": 50, "messages": [
            { "role": "user", "content": "hi" },
            { "role": "assistant", "content": blocks },
            { "role": "user", "content": results },
        ] }))
    },
};

const RESPONSES: Client = Client {
    path: "/v1/responses",
    ask: |world, stream| ask(world, RESPONSES.path, &json!({ "model": "acme/tiny", "input": "hi", "stream": stream })),
    go_on: |answer, stream| {
        let output = if stream {
            let done = events(answer).into_iter().filter(|event| event["type"] == "response.output_item.done");
            done.map(|event| event["item"].clone()).collect()
        } else {
            answer.json()["output"].as_array().unwrap().clone()
        };
        let output = output.iter().map(|item| {
            only(item, &["type", "id", "call_id", "name", "arguments", "role", "content", "status", "summary"])
        });
        let output: Vec<Value> = output.collect();
        if stream {
            // What it is called when it begins is what it is called in the end.
            let added = events(answer).into_iter().filter(|event| event["type"] == "response.output_item.added");
            let ids =
                |items: &mut dyn Iterator<Item = Value>| items.map(|item| item["call_id"].clone()).collect::<Vec<_>>();
            assert_eq!(ids(&mut added.map(|event| event["item"].clone())), ids(&mut output.iter().cloned()));
        }
        let calls = output.iter().filter(|item| item["type"] == "function_call");
        let results =
            calls.map(|call| json!({ "type": "function_call_output", "call_id": call["call_id"], "output": "rain" }));
        let mut input = vec![json!({ "role": "user", "content": "hi" })];
        input.extend(results.collect::<Vec<_>>().into_iter().fold(output.clone(), |mut all, one| {
            all.push(one);
            all
        }));
        json!({ "model": "acme/tiny", "input": input })
    },
};

#[test]
fn what_a_call_is_signed_with_comes_back_in_every_dialect() {
    for client in [CHAT, MESSAGES, RESPONSES] {
        for stream in [false, true] {
            let server = Server::start(vec![answers(stream, &said()), answers(false, &[json!({ "text": "Done." })])]);
            let world = World::with(vec![server], "gemini", |_| {});
            let place = format!("{} {stream}", client.path);
            let answer = (client.ask)(&world, stream);
            assert_eq!(answer.status, 200, "{place}: {answer:?}");
            let last = ask(&world, client.path, &(client.go_on)(&answer, stream));
            assert_eq!(last.status, 200, "{place}: {last:?}");
            let sent = world.servers[0].requests().remove(1).json();
            // Ids that were invented on the way are nobody's.
            assert_eq!(sent["contents"][1]["parts"], Value::from(said()), "{place}: {sent}");
            assert_eq!(sent["contents"][2]["parts"].as_array().map(Vec::len), Some(3), "{place}: {sent}");
            assert!(!sent.to_string().contains("__signed__"), "{place}: {sent}");
        }
    }
}

/// `OpenRouter`'s clients keep `reasoning_details`, and some make them up for Gemini.
#[test]
fn a_call_is_signed_by_the_details_that_have_its_id() {
    let server = Server::repeating(answers(false, &[json!({ "text": "Done." })]));
    let world = World::with(vec![server], "gemini", |_| {});
    let call = |id: &str| json!({ "id": id, "type": "function", "function": { "name": "look", "arguments": "{}" } });
    let turn = json!({ "role": "assistant", "content": null, "tool_calls": [call("c1"), call("c2"), call("c3__signed__bAAAA")],
        "reasoning_details": [
            { "type": "reasoning.text", "text": "Hm.", "signature": "QUJD", "index": 0 },
            { "type": "reasoning.encrypted", "data": "RkZG", "id": "c1", "format": "google-gemini-v1", "index": 1 },
            { "type": "reasoning.encrypted", "data": "R0dH", "id": "c3__signed__bAAAA", "index": 2 },
            { "type": "reasoning.encrypted", "data": "SEhI", "index": 3 }
        ] });
    let mut google = call("c4");
    google["extra_content"] = json!({ "google": { "thought_signature": "SUlJ" } });
    let results = |ids: &[&str]| -> Vec<Value> {
        ids.iter().map(|id| json!({ "role": "tool", "tool_call_id": id, "content": "x" })).collect()
    };
    let mut messages = vec![json!({ "role": "user", "content": "hi" }), turn];
    messages.extend(results(&["c1", "c2", "c3__signed__bAAAA"]));
    messages.push(json!({ "role": "assistant", "tool_calls": [google] }));
    messages.extend(results(&["c4"]));
    let answer = ask(&world, CHAT.path, &hello(json!({ "messages": messages })));
    assert_eq!(answer.status, 200, "{answer:?}");
    let sent = world.servers[0].requests().remove(0).json();
    let made = |id: &str, signature: Option<&str>| {
        let mut part = json!({ "functionCall": { "id": id, "name": "look", "args": {} } });
        if let Some(signature) = signature {
            part["thoughtSignature"] = signature.into();
        }
        part
    };
    assert_eq!(
        sent["contents"][1]["parts"],
        json!([
            { "text": "Hm.", "thought": true, "thoughtSignature": "QUJD" },
            { "text": "", "thoughtSignature": "SEhI" },
            made("c1", Some("RkZG")),
            made("c2", None),
            // What its id says is what it was signed with.
            made("c3", Some("AAAA")),
        ])
    );
    assert_eq!(sent["contents"][3]["parts"], json!([made("c4", Some("SUlJ"))]));
}
