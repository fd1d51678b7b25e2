//! What only one dialect has: it goes untouched to who speaks that, and is left out and said, or keeps others from being
//! asked, where nobody does.

use serde_json::{Value, json};

use super::super::support::overlay::{NAMES, serving};
use super::super::support::server::{Script, Server, Step};
use super::super::support::wire;
use super::{Response, World, hello};

/// What Codex asks: functions, a group of them, a search by the provider; and what it says of itself.
fn codex(more: Value) -> Value {
    let function = |name: &str| {
        json!({ "type": "function", "name": name, "strict": false,
                                        "parameters": { "type": "object", "properties": {} } })
    };
    let group = json!({ "type": "namespace", "name": "multi_agent_v1", "description": "Sub-agents.",
                        "tools": [function("spawn_agent"), function("close_agent")] });
    let mut body = json!({
        "model": "acme/tiny",
        "input": [
            { "type": "message", "id": "msg_1", "role": "developer",
              "content": [{ "type": "input_text", "text": "Be brief." }] },
            { "type": "message", "role": "user", "content": [{ "type": "input_text", "text": "hi" }] },
            { "type": "web_search_call", "id": "ws_1", "status": "completed", "action": { "type": "search", "query": "x" } },
            { "type": "function_call", "call_id": "c1", "namespace": "multi_agent_v1", "name": "spawn_agent",
              "arguments": "{}", "metadata": { "turn_id": "t" } },
            { "type": "function_call_output", "call_id": "c1", "output": "done" },
        ],
        "tools": [function("exec_command"), group, { "type": "web_search", "external_web_access": false }],
        "tool_choice": "auto",
        "parallel_tool_calls": true,
        "store": false,
        "include": ["reasoning.encrypted_content", "web_search_call.action.sources"],
        "client_metadata": { "session_id": "s" },
    });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn ask(world: &World, body: &Value) -> Response {
    world.post("/v1/responses", &body.to_string(), &[])
}

fn sent(world: &World) -> Value {
    world.servers[0].requests().pop().unwrap().json()
}

/// The members that a gateway answers with: a search, a call of a function in a group, and one of a tool without a schema.
fn items() -> [Value; 3] {
    [
        json!({ "id": "ws_9", "type": "web_search_call", "status": "completed",
                "action": { "type": "search", "query": "y" } }),
        json!({ "id": "fc_9", "type": "function_call", "status": "completed", "call_id": "c9",
                "namespace": "multi_agent_v1", "name": "spawn_agent", "arguments": "{\"a\":1}" }),
        json!({ "id": "ct_9", "type": "custom_tool_call", "status": "completed", "call_id": "c10",
                "name": "apply_patch", "input": "*** Begin Patch" }),
    ]
}

fn response() -> Value {
    json!({ "id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": "m", "output": items(),
            "usage": { "input_tokens": 7, "output_tokens": 3, "total_tokens": 10 } })
}

fn streamed() -> Script {
    let event = |data: Value| Step::bytes(format!("event: {}\ndata: {data}\n\n", data["type"].as_str().unwrap()));
    let mut steps = vec![event(json!({ "type": "response.created", "response": { "id": "resp_1", "model": "m" } }))];
    for (index, item) in items().iter().enumerate() {
        steps.push(event(json!({ "type": "response.output_item.added", "output_index": index, "item": item })));
        steps.push(event(json!({ "type": "response.output_item.done", "output_index": index, "item": item })));
    }
    steps.push(event(json!({ "type": "response.completed", "response": response() })));
    Script::stream(steps)
}

/// What of the answer's items a client goes by.
fn told(items: &Value) -> Vec<Value> {
    let names = ["type", "call_id", "namespace", "name", "arguments", "input", "action"];
    let told = |item: &Value| {
        let known = names.iter().filter_map(|name| Some(((*name).to_owned(), item.get(*name)?.clone())));
        Value::Object(known.collect())
    };
    items.as_array().unwrap().iter().map(told).collect()
}

#[test]
fn what_codex_asks_goes_untouched_to_who_speaks_its_dialect_and_so_does_the_answer() {
    let scripts = vec![Script::json(200, &response()), streamed()];
    let world = World::with(vec![Server::start(scripts)], "openai-responses", |_| {});
    let patch = json!({ "type": "custom", "name": "apply_patch", "format": { "type": "text" } });
    let mut body = codex(json!({ "unheard_of": 1 }));
    body["tools"].as_array_mut().unwrap().push(patch);
    let call = json!({ "type": "custom_tool_call", "call_id": "c2", "name": "apply_patch", "input": "x" });
    let output = json!({ "type": "custom_tool_call_output", "call_id": "c2", "output": "ok" });
    body["input"].as_array_mut().unwrap().extend([call.clone(), output.clone()]);
    let answer = ask(&world, &body);
    let sent = sent(&world);
    assert_eq!(answer.header("x-openmux-dropped"), "", "all of it is sent");
    for name in ["client_metadata", "unheard_of", "tools", "tool_choice", "parallel_tool_calls"] {
        assert_eq!(sent[name], body[name], "{name}");
    }
    assert_eq!(sent["include"], json!(["web_search_call.action.sources"]));
    let kinds: Vec<&str> =
        sent["input"].as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap_or("message")).collect();
    let expected = [
        "message",
        "message",
        "web_search_call",
        "function_call",
        "function_call_output",
        "custom_tool_call",
        "custom_tool_call_output",
    ];
    assert_eq!(kinds, expected);
    let place = &sent["input"];
    assert_eq!((&place[2], &place[5], &place[6]), (&body["input"][2], &call, &output));
    assert_eq!((&place[3]["namespace"], &place[3]["name"]), (&"multi_agent_v1".into(), &"spawn_agent".into()));
    assert_eq!(place[3]["metadata"], body["input"][3]["metadata"]);
    assert_eq!(told(&answer.json()["output"]), told(&Value::from(items().to_vec())));
    body["stream"] = true.into();
    let answer = ask(&world, &body);
    super::grammar::kept(openmux::gateway::codec::Dialect::OpenaiResponses, &answer.body).unwrap();
    let last: Value = serde_json::from_str(answer.events().last().unwrap()).unwrap();
    assert_eq!(told(&last["response"]["output"]), told(&Value::from(items().to_vec())), "{last}");
}

#[test]
fn what_stands_beside_an_item_goes_with_that_item_alone() {
    let world = World::with(vec![Server::start(vec![Script::json(200, &response())])], "openai-responses", |_| {});
    let said = |text: &str, more: Value| {
        let mut item = json!({ "type": "message", "role": "assistant",
                               "content": [{ "type": "output_text", "text": text }] });
        item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        item
    };
    let input = json!([
        { "role": "user", "content": "hi", "weight": 2 },
        said("I look.", json!({ "phase": "commentary" })),
        said("", json!({ "phase": "aside", "content": [{ "type": "output_text", "text": "" },
                                                       { "type": "output_text", "text": "So far." }] })),
        said("I found it.", json!({ "phase": "final_answer", "unheard_of": [1] })),
        said(" Really.", json!({})),
        { "type": "function_call", "call_id": "c1", "name": "exec_command", "arguments": "{}" },
        { "type": "function_call", "call_id": "c2", "name": "exec_command", "arguments": "{}", "by": "me" },
        { "type": "function_call_output", "call_id": "c1", "output": "a" },
        { "type": "function_call_output", "call_id": "c2", "output": "b", "took_ms": 7 },
    ]);
    let answer = ask(&world, &json!({ "model": "acme/tiny", "input": input }));
    assert_eq!((answer.status, answer.header("x-openmux-dropped")), (200, ""), "{answer:?}");
    let more = |item: &Value| {
        let known = ["type", "role", "content", "call_id", "name", "arguments", "output"];
        let more = item.as_object().unwrap().iter().filter(|(name, _)| !known.contains(&name.as_str()));
        Value::Object(more.map(|(name, value)| (name.clone(), value.clone())).collect())
    };
    let (sent, asked) = (sent(&world), input.as_array().unwrap());
    let sent: Vec<Value> = sent["input"].as_array().unwrap().iter().map(more).collect();
    assert_eq!(sent, asked.iter().map(more).collect::<Vec<_>>());
}

#[test]
fn elsewhere_groups_are_flat_and_come_back_as_groups_and_a_search_is_left_out_and_said() {
    let call = json!({ "id": "tu_1", "type": "tool_use", "name": "multi_agent_v1__spawn_agent", "input": { "a": 1 } });
    let message = json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": [call],
                          "stop_reason": "tool_use", "stop_sequence": null,
                          "usage": { "input_tokens": 7, "output_tokens": 3 } });
    let world = World::with(vec![Server::start(vec![Script::json(200, &message)])], "anthropic-messages", |_| {});
    let answer = ask(&world, &codex(json!({})));
    let dropped = "input.web_search_call, input[].metadata, tools.web_search, client_metadata, include";
    assert_eq!((answer.status, answer.header("x-openmux-dropped")), (200, dropped), "{answer:?}");
    let sent = sent(&world);
    let names: Vec<&str> =
        sent["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["exec_command", "multi_agent_v1__spawn_agent", "multi_agent_v1__close_agent"]);
    assert_eq!(sent["messages"][1]["content"][0]["name"], "multi_agent_v1__spawn_agent");
    let call = &answer.json()["output"][0];
    assert_eq!((&call["namespace"], &call["name"]), (&"multi_agent_v1".into(), &"spawn_agent".into()));
}

#[test]
fn what_an_answer_cannot_be_without_keeps_others_from_being_asked() {
    let world = World::with(vec![Server::start(vec![])], "anthropic-messages", |_| {});
    let patch = json!({ "type": "custom", "name": "apply_patch" });
    for (more, name) in [
        (json!({ "tools": [patch] }), "tools.custom"),
        (json!({ "tools": [{ "type": "mcp", "server_label": "m" }] }), "tools.mcp"),
        (json!({ "tool_choice": { "type": "web_search" } }), "tool_choice"),
        (
            json!({ "tool_choice": { "type": "function", "namespace": "multi_agent_v1", "name": "spawn_agent" } }),
            "tool_choice",
        ),
        // A tool must be called, and there is none that others know.
        (json!({ "tools": [{ "type": "web_search" }], "tool_choice": "required" }), "tool_choice"),
    ] {
        let answer = ask(&world, &codex(more));
        assert_eq!((answer.status, answer.error("code")), (400, "unsupported".into()), "{answer:?}");
        assert!(answer.error("message").as_str().unwrap().contains(name), "{answer:?}");
        assert_eq!(answer.error("fix"), format!("leave out {name}"));
    }
    for more in [json!({ "prediction": { "type": "content", "content": "x" } }), json!({ "guided_json": {} })] {
        let answer = world.chat(&hello(more));
        assert_eq!((answer.status, answer.error("code")), (400, "unsupported".into()), "{answer:?}");
    }
    assert_eq!(world.hits(), [0]);
}

/// Each kind of tool and of item that only this dialect has, and whether an answer without it is one all the same.
const KINDS: &[(&str, &str, &str, bool)] = &[
    ("tools", "web_search", "tools.web_search", true),
    ("tools", "web_search_preview_2025_03_11", "tools.web_search", true),
    ("tools", "image_generation", "tools.image_generation", true),
    ("tools", "tool_search", "tools.tool_search", true),
    ("tools", "custom", "tools.custom", false),
    ("tools", "local_shell", "tools.shell", false),
    ("tools", "shell", "tools.shell", false),
    ("tools", "apply_patch", "tools.apply_patch", false),
    ("tools", "file_search", "tools.file_search", false),
    ("tools", "code_interpreter", "tools.code_interpreter", false),
    ("tools", "mcp", "tools.mcp", false),
    ("tools", "computer_use_preview", "tools.computer", false),
    ("tools", "hologram", "tools of a type that openmux does not know", false),
    ("input", "web_search_call", "input.web_search_call", true),
    ("input", "file_search_call", "input.file_search_call", true),
    ("input", "code_interpreter_call", "input.code_interpreter_call", true),
    ("input", "image_generation_call", "input.image_generation_call", true),
    ("input", "tool_search_call", "input.tool_search_call", true),
    ("input", "tool_search_output", "input.tool_search_call", true),
    ("input", "custom_tool_call", "input.custom_tool_call", false),
    ("input", "custom_tool_call_output", "input.custom_tool_call", false),
    ("input", "local_shell_call", "input.shell_call", false),
    ("input", "shell_call_output", "input.shell_call", false),
    ("input", "apply_patch_call", "input.apply_patch_call", false),
    ("input", "computer_call_output", "input.computer_call", false),
    ("input", "compaction", "input.compaction", false),
    ("input", "mcp_approval_response", "input.mcp_call", false),
    ("input", "hologram_call", "items of a type that openmux does not know", false),
];

#[test]
fn each_kind_of_tool_and_item_is_left_out_and_said_or_keeps_others_from_being_asked() {
    let server = Server::repeating(wire::anthropic_whole("Hello.", (7, 3)));
    let world = World::with(vec![server], "anthropic-messages", |_| {});
    for (place, kind, name, may_go) in KINDS {
        let one = json!({ "type": kind, "id": "x_1" });
        let said = json!({ "role": "user", "content": "hi" });
        let body = match *place {
            "tools" => json!({ "model": "acme/tiny", "input": [said], "tools": [one] }),
            _ => json!({ "model": "acme/tiny", "input": [said, one] }),
        };
        let (answer, before) = (ask(&world, &body), world.hits()[0]);
        if *may_go {
            assert_eq!((answer.status, answer.header("x-openmux-dropped")), (200, *name), "{kind}: {answer:?}");
        } else {
            assert_eq!((answer.status, answer.error("code")), (400, "unsupported".into()), "{kind}: {answer:?}");
            assert_eq!(answer.error("fix"), format!("leave out {name}"), "{kind}");
            assert_eq!(world.hits(), [before], "{kind}");
        }
    }
    // Not everything of a strange look is strange.
    let function = json!({ "type": "custom", "name": "w", "input_schema": { "type": "object" } });
    let more = json!({ "type": "function", "name": "v", "parameters": { "type": "object" }, "defer_loading": true });
    let said = json!({ "role": "user", "content": "hi", "phase": "commentary" });
    let body = json!({ "model": "acme/tiny", "input": [said], "tools": [function, more],
                       "stream": true, "stream_options": { "include_obfuscation": false } });
    let answer = ask(&world, &body);
    let dropped = "input[].phase, members of tools that openmux does not know";
    assert_eq!((answer.status, answer.header("x-openmux-dropped")), (200, dropped), "{answer:?}");
    assert_eq!(sent(&world)["tools"][0]["name"], "w");
}

#[test]
fn a_streamed_call_of_a_function_in_a_group_is_one_from_its_first_event_to_its_last() {
    let chunk = |delta: Value, finish: Option<&str>| {
        wire::openai_event(&json!({ "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
                                    "choices": [{ "index": 0, "delta": delta, "finish_reason": finish }] }))
    };
    let call = |more: Value| {
        let mut call = json!({ "index": 0, "function": { "arguments": "" } });
        call.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "tool_calls": [call] })
    };
    let named = json!({ "name": "multi_agent_v1__spawn_agent", "arguments": "" });
    let script = wire::stream(vec![
        chunk(call(json!({ "id": "c9", "type": "function", "function": named })), None),
        chunk(call(json!({ "function": { "arguments": "{\"a\":1}" } })), None),
        chunk(json!({}), Some("tool_calls")),
        "data: [DONE]\n\n".to_owned(),
    ]);
    let world = World::new(vec![Server::start(vec![script])]);
    let answer = ask(&world, &codex(json!({ "stream": true })));
    super::grammar::kept(openmux::gateway::codec::Dialect::OpenaiResponses, &answer.body).unwrap();
    let events: Vec<Value> = answer.events().iter().map(|event| serde_json::from_str(event).unwrap()).collect();
    let of = |kind: &str| events.iter().find(|event| event["type"] == kind).unwrap_or_else(|| panic!("{answer:?}"));
    let items = ["added", "done"].map(|what| of(&format!("response.output_item.{what}"))["item"].clone());
    let all = [&items[0], &items[1], &of("response.completed")["response"]["output"][0]];
    for item in all {
        assert_eq!((&item["namespace"], &item["name"]), (&"multi_agent_v1".into(), &"spawn_agent".into()), "{item}");
    }
    assert_eq!(of("response.function_call_arguments.done")["name"], "spawn_agent");
}

#[test]
fn what_nobody_here_knows_goes_to_who_may_know_it_before_it_is_left_out() {
    let servers = [
        Server::repeating(wire::anthropic_whole("Hello.", (7, 3))),
        Server::repeating(wire::openai_whole("Hello.", (7, 3))),
    ];
    let [cheap, dear] = &servers;
    let cheap = serving([(cheap.base_url(), "tiny")], "anthropic-messages");
    let dear = serving([(dear.base_url(), "tiny")], "openai-chat").replace(NAMES[0], NAMES[1]);
    let dear = dear.replace(&NAMES[0].to_uppercase(), &NAMES[1].to_uppercase());
    let dear = dear.replace("\"1\"", "\"21\"").replace("\"2\"", "\"42\"");
    let mut world = World::laid(&[cheap, dear], |_| {});
    world.servers = servers.into();
    let named = json!({ "messages": [{ "role": "user", "name": "bo", "content": "hi" }] });
    for (more, at) in [
        (json!({ "foo_bar": 1 }), "/foo_bar"),
        (json!({ "chat_template_kwargs": { "enable_thinking": false } }), "/chat_template_kwargs/enable_thinking"),
        (json!({ "prediction": {} }), "/prediction"),
        (named.clone(), "/messages/0/name"),
    ] {
        let answer = world.chat(&hello(more));
        assert_eq!((answer.status, answer.header("x-openmux-provider")), (200, NAMES[1]), "{at}: {answer:?}");
        let sent = world.servers[1].requests().pop().unwrap().json();
        assert!(sent.pointer(at).is_some(), "{at}: {sent}");
        assert_eq!(answer.header("x-openmux-dropped"), "", "{at}");
    }
    // What is only a mark keeps nobody away; and where none is left who may know it, it is said.
    let answer = world.chat(&hello(json!({ "user": "u" })));
    assert_eq!((answer.header("x-openmux-provider"), answer.header("x-openmux-dropped")), (NAMES[0], "user"));
    let mut alone = named;
    alone["provider"] = json!({ "only": [NAMES[0]] });
    alone["foo_bar"] = 1.into();
    let answer = world.chat(&hello(alone.clone()));
    assert_eq!((answer.status, answer.header("x-openmux-dropped")), (200, "foo_bar, messages[].name"), "{answer:?}");
    // Whatever it is called, and however many there are.
    let many = (0..500).map(|number| (format!("\u{e9}\n,{}{number}", "x".repeat(9000)), 1.into()));
    alone.as_object_mut().unwrap().extend(many);
    let answer = world.chat(&hello(alone));
    assert_eq!(answer.status, 200);
    assert!(answer.header("x-openmux-dropped").len() < 2000, "{answer:?}");
}

#[test]
fn what_nobody_knows_of_messages_is_carried_or_said_as_well() {
    let body = json!({ "model": "acme/tiny", "max_tokens": 9, "messages": [{ "role": "user", "content": "hi" }],
                       "diagnostics": { "previous_message_id": "m" } });
    for (protocol, script, dropped) in [
        ("anthropic-messages", wire::anthropic_whole("Hello.", (7, 3)), ""),
        ("openai-chat", wire::openai_whole("Hello.", (7, 3)), "diagnostics"),
    ] {
        let world = World::with(vec![Server::repeating(script)], protocol, |_| {});
        let answer = world.post("/v1/messages", &body.to_string(), &[]);
        assert_eq!((answer.status, answer.header("x-openmux-dropped")), (200, dropped), "{answer:?}");
        let is_sent = sent(&world)["diagnostics"] == body["diagnostics"];
        assert_eq!(is_sent, dropped.is_empty());
    }
}
