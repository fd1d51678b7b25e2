//! Tools: how calls come out, and how a conversation with them goes back in.

use openmux::catalog::Protocol;
use serde_json::{Value, json};

use super::super::support::command::Output;
use super::super::support::server::Script;
use super::super::support::wire;
use super::{BOTH, World, answer};

const TOOL: &str = r#"{"name": "weather", "description": "The weather of a city.", "parameters":
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}}"#;

/// A streamed answer with text and one call in pieces; `arguments` are the pieces.
fn calling(protocol: Protocol, said: &str, arguments: &[&str]) -> Script {
    match protocol {
        Protocol::AnthropicMessages => wire::stream(anthropic(said, arguments)),
        _ => wire::stream(openai(said, arguments)),
    }
}

fn openai(said: &str, arguments: &[&str]) -> Vec<String> {
    let chunk = |delta: Value, finish: Option<&str>| {
        wire::openai_event(&json!({
            "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        }))
    };
    let call = |id: Option<&str>, name: Option<&str>, piece: &str| {
        let mut function = json!({"arguments": piece});
        let mut call = json!({"index": 0});
        if let (Some(id), Some(name)) = (id, name) {
            function["name"] = name.into();
            (call["id"], call["type"]) = (id.into(), "function".into());
        }
        call["function"] = function;
        json!({"tool_calls": [call]})
    };
    let mut events = vec![chunk(json!({"role": "assistant", "content": said}), None)];
    events.push(chunk(call(Some("call_1"), Some("weather"), ""), None));
    events.extend(arguments.iter().map(|piece| chunk(call(None, None, piece), None)));
    events.push(chunk(json!({}), Some("tool_calls")));
    let usage = json!({"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10});
    events.push(wire::openai_event(
        &json!({"id": "c", "object": "chat.completion.chunk", "choices": [], "usage": usage}),
    ));
    events.push("data: [DONE]\n\n".to_owned());
    events
}

fn anthropic(said: &str, arguments: &[&str]) -> Vec<String> {
    let mut events = wire::anthropic_events(&[said], (7, 3));
    let end = events.split_off(events.iter().position(|event| event.contains("message_delta")).unwrap());
    let block = json!({"type": "tool_use", "id": "call_1", "name": "weather", "input": {}});
    let start = json!({"type": "content_block_start", "index": 1, "content_block": block});
    events.push(wire::anthropic_event(&start));
    for piece in arguments {
        let delta = json!({"type": "input_json_delta", "partial_json": piece});
        events.push(wire::anthropic_event(&json!({"type": "content_block_delta", "index": 1, "delta": delta})));
    }
    events.push(wire::anthropic_event(&json!({"type": "content_block_stop", "index": 1})));
    events.extend(end.iter().map(|event| event.replace("end_turn", "tool_use")));
    events
}

fn run(protocol: Protocol, script: Script, more: &[&str]) -> Output {
    let world = World::new(protocol, vec![super::Server::start(vec![script])]);
    world.home.write("tool.json", TOOL);
    world.chat(["--tool", "tool.json"].into_iter().chain(more.iter().copied())).run()
}

#[test]
fn as_text_each_call_is_a_line_of_json_after_the_words() {
    for protocol in BOTH {
        let output = run(protocol, calling(protocol, "Let me look.", &["{\"city\":", "\"Oslo\"}"]), &[]);
        insta::allow_duplicates! {
            insta::assert_snapshot!(output.snapshot(), @r#"
            exit: 0
            --- stdout
            Let me look.
            {"tool_call":{"id":"call_1","name":"weather","arguments":{"city":"Oslo"}}}

            --- stderr
            "#);
        }
    }
}

#[test]
fn as_json_calls_have_objects_and_the_turn_can_be_sent_back() {
    for protocol in BOTH {
        let script = calling(protocol, "Let me look.", &["{\"city\":", "\"Oslo\"}"]);
        let output = run(protocol, script, &["-o", "json"]);
        let document: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{}", output.snapshot()));
        let call = json!({"id": "call_1", "name": "weather", "arguments": {"city": "Oslo"}});
        assert_eq!(document["tool_calls"], json!([call]));
        assert_eq!(document["finish"], "tool_calls");
        let function = json!({"name": "weather", "arguments": "{\"city\":\"Oslo\"}"});
        let turn = json!({
            "role": "assistant", "content": "Let me look.",
            "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
        });
        assert_eq!(document["message"], turn);
        // What came out goes in again, with the tool's answer.
        let world = World::new(protocol, vec![super::Server::start(vec![answer(protocol)])]);
        world.home.write("tool.json", TOOL);
        let result = json!({"role": "tool", "tool_call_id": "call_1", "content": "rain"});
        let asked = json!({"role": "user", "content": "Weather in Oslo?"});
        world.home.write("talk.json", &json!([asked, document["message"], result]).to_string());
        let args = ["chat", "-m", "acme/tiny", "--messages", "talk.json", "--tool", "tool.json"];
        let output = world.openmux(args).run();
        assert_eq!((output.code, output.stdout.as_str()), (Some(0), "Hello, you.\n"), "{}", output.snapshot());
    }
}

#[test]
fn as_jsonl_pieces_come_as_they_are_and_the_end_has_the_turn() {
    let script = calling(Protocol::OpenaiChat, "Look:", &["{\"city\":", "\"Oslo\"}"]);
    let output = run(Protocol::OpenaiChat, script, &["-o", "jsonl"]);
    let events: Vec<Value> = output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let pieces: String = events
        .iter()
        .filter(|event| event["type"] == "tool_call")
        .map(|event| event["arguments"].as_str().unwrap())
        .collect();
    assert_eq!(pieces, "{\"city\":\"Oslo\"}");
    assert_eq!(events.last().unwrap()["message"]["tool_calls"][0]["function"]["name"], "weather");
}

#[test]
fn a_call_whose_arguments_are_no_object_is_a_failure() {
    for (pieces, said) in [
        (&["{\"city\":"][..], "a tool call was cut off"),
        (&["[\"Oslo\"]"], "the arguments of a tool call are not a JSON object"),
        (&["Oslo"], "the arguments of a tool call are not a JSON object"),
    ] {
        let output = run(Protocol::OpenaiChat, calling(Protocol::OpenaiChat, "", pieces), &[]);
        assert_eq!(output.code, Some(10), "{}", output.snapshot());
        let folded = output.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(folded.contains(said), "{}", output.snapshot());
    }
    // Nothing but an empty text is an empty object.
    let output = run(Protocol::OpenaiChat, calling(Protocol::OpenaiChat, "", &[]), &[]);
    assert_eq!(output.stdout, "{\"tool_call\":{\"id\":\"call_1\",\"name\":\"weather\",\"arguments\":{}}}\n");
}

/// A command that must not reach a server.
fn refused(files: &[(&str, &str)], more: &[&str]) -> Output {
    let world = World::of(Vec::new());
    for (name, text) in files {
        world.home.write(name, text);
    }
    world.chat(more.iter().copied()).run()
}

#[test]
fn what_is_wrong_with_a_tool_is_placed() {
    let twice = refused(&[("a.json", TOOL), ("b.json", TOOL)], &["--tool", "a.json", "--tool", "b.json"]);
    insta::assert_snapshot!(twice.snapshot(), @r#"
    exit: 2
    --- stdout

    --- stderr
    error: b.json: there are two tools called "weather"
      fix:  correct that in b.json
    "#);
    let chosen = refused(&[("a.json", TOOL)], &["--tool", "a.json", "--tool-choice", "wether"]);
    insta::assert_snapshot!(chosen.snapshot(), @r#"
    exit: 2
    --- stdout

    --- stderr
    error: --tool-choice: no tool is called "wether"
      did you mean  weather
      tools         weather
      fix:          write weather in place of wether
    "#);
    let broken = refused(&[("a.json", r#"[{"name": "a", "parameters": {"type": "objekt"}}]"#)], &["--tool", "a.json"]);
    insta::assert_snapshot!(broken.snapshot(), @r#"
    exit: 2
    --- stdout

    --- stderr
    error: a.json: [0].parameters.type: arguments are always an "object"
      fix:  correct that in a.json
    "#);
    let alone = refused(&[], &["--tool-choice", "auto"]);
    assert_eq!(alone.code, Some(2), "{}", alone.snapshot());
    let both = refused(&[("a.json", TOOL)], &["--tool", "a.json", "--set", "tools=[]"]);
    insta::assert_snapshot!(both.snapshot(), @r"
    exit: 2
    --- stdout

    --- stderr
    error: --set tools and --tool say the same thing twice
      fix:  leave one of them out
    ");
}

#[test]
fn what_is_wrong_with_a_conversation_is_placed() {
    let talk = r#"[{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "cat.png"}}]}]"#;
    insta::assert_snapshot!(refused(&[("t.json", talk)], &["--messages", "t.json"]).snapshot(), @r"
    exit: 2
    --- stdout

    --- stderr
    error: t.json: [0].content[0].image_url.url: neither a data: URL nor an http
    address
      fix:  correct that in t.json
    ");
    let talk = r#"[{"role": "tool", "tool_call_id": "c1", "content": "rain"}]"#;
    insta::assert_snapshot!(refused(&[("t.json", talk)], &["--messages", "t.json"]).snapshot(), @r#"
    exit: 2
    --- stdout

    --- stderr
    error: t.json: [0].tool_call_id: "c1" is no call of an assistant's message
    before it
      fix:  correct that in t.json
    "#);
}
