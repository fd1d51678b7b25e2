//! `--resume`: an answer that breaks off in the middle is gone on with elsewhere, and nowhere it must not be.

mod refused;

use openmux::catalog::Protocol;
use serde_json::{Value, json};

use super::super::support::command::{Home, Output};
use super::super::support::server::{Script, Server, Step};
use super::super::support::wire;
use super::{BOTH, World};

/// Servers whose providers take a beginning in this way.
fn world(protocol: Protocol, way: &str, servers: Vec<Vec<Script>>) -> World {
    let world = World::new(protocol, servers.into_iter().map(Server::start).collect());
    let names = super::NAMES.iter().take(world.servers.len());
    let quirks: String = names.map(|name| format!("[provider.{name}]\nprefill = \"{way}\"\n")).collect();
    world.home.write("config/catalog.d/quirks.toml", &quirks);
    world
}

fn plain(protocol: Protocol, servers: Vec<Vec<Script>>) -> World {
    world(protocol, "plain", servers)
}

/// The beginning of a stream that says these pieces.
fn beginning(protocol: Protocol, pieces: &[&str]) -> String {
    match protocol {
        Protocol::AnthropicMessages => {
            let events = wire::anthropic_events(pieces, (7, 3));
            events[..3 + pieces.len()].concat()
        }
        _ => pieces.iter().map(|piece| wire::openai_text(piece)).collect(),
    }
}

/// These pieces, and then the connection is gone.
fn cut(protocol: Protocol, pieces: &[&str]) -> Script {
    Script::stream(vec![Step::bytes(beginning(protocol, pieces)), Step::Close])
}

/// A whole stream of these pieces.
fn rest(protocol: Protocol, pieces: &[&str]) -> Script {
    match protocol {
        Protocol::AnthropicMessages => wire::anthropic_stream(pieces, (11, 2)),
        _ => wire::openai_stream(pieces, Some((11, 2))),
    }
}

/// The last message that a server got.
fn last_message(world: &World, server: usize, request: usize) -> Value {
    let body = world.servers[server].requests()[request].json();
    body["messages"].as_array().and_then(|messages| messages.last()).cloned().unwrap_or_default()
}

/// A JSON document or line without what differs from run to run.
fn steady(value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let passing =
                |key: &str| key.ends_with("_ms") || key == "ms" || ["timing", "decision", "decision_id"].contains(&key);
            let kept = members.iter().filter(|(key, _)| !passing(key));
            kept.map(|(key, value)| (key.clone(), steady(value))).collect::<serde_json::Map<_, _>>().into()
        }
        Value::Array(items) => items.iter().map(steady).collect(),
        other => other.clone(),
    }
}

fn lines(output: &Output) -> String {
    let line = |line: &str| format!("{}\n", steady(&serde_json::from_str(line).unwrap()));
    output.stdout.lines().map(line).collect()
}

#[test]
fn another_provider_goes_on_where_one_broke_off() {
    for protocol in BOTH {
        let world = plain(protocol, vec![vec![cut(protocol, &["Hel", "lo"])], vec![rest(protocol, &[", you", "."])]]);
        insta::allow_duplicates! {
            // Anthropic's dialect says at once how long the question is; of the other that is an estimate, too.
            let said = world.chat(["--resume", "--usage"]).run().snapshot();
            let part = if protocol == openmux::catalog::Protocol::AnthropicMessages { "$0.000011" } else { "$0.000009" };
            assert!(said.contains(&format!("about {part} for the part of alpha")), "{said}");
            let said = said.replace(part, "PART");
            insta::assert_snapshot!(said, @r"
            exit: 0
            --- stdout
            Hello, you.

            --- stderr
            note: resuming at beta what alpha broke off after 5 characters: stream_broken
            acme/tiny at beta: 11 in, 2 out after the seam, $0.000315 and about PART for the part of alpha (an estimate), TIME
            ");
        }
        assert_eq!(world.hits(), [1, 1]);
        assert_eq!(last_message(&world, 0, 0), json!({"role": "user", "content": "hi"}));
        assert_eq!(last_message(&world, 1, 0), json!({"role": "assistant", "content": "Hello"}));
        // Each attempt is a row of its own.
        let spent = world.openmux(["usage", "-o", "json"]).run();
        let spent: Value = serde_json::from_str(&spent.stdout).unwrap();
        let row = |at: usize| {
            let row = &spent["data"][at];
            json!([row["provider"], row["attempts"], row["output_tokens"], row["cost_usd"], row["unknown_cost"]])
        };
        assert_eq!(row(0), json!(["beta", 1, 2, 0.000315, 0]), "{spent}");
        assert_eq!(json!([row(1)[0], row(1)[1], row(1)[4]]), json!(["alpha", 1, 1]), "{spent}");
    }
}

#[test]
fn programs_are_told_the_seam_and_each_part() {
    let protocol = Protocol::AnthropicMessages;
    let world = || plain(protocol, vec![vec![cut(protocol, &["Grüß", " dich"])], vec![rest(protocol, &[", you."])]]);
    let output = world().chat(["--resume", "-o", "json"]).run();
    assert_eq!(output.stderr, "note: resuming at beta what alpha broke off after 9 characters: stream_broken\n");
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&steady(&document)).unwrap(), @r#"
    {
      "schema": "chat/1",
      "text": "Grüß dich, you.",
      "message": {
        "role": "assistant",
        "content": "Grüß dich, you."
      },
      "model": "acme/tiny",
      "provider": "beta",
      "upstream_model": "tiny-1",
      "seams": [
        {
          "provider": "beta",
          "from": "alpha",
          "class": "stream_broken",
          "characters": 9,
          "bytes": 11
        }
      ],
      "finish": "stop",
      "finish_native": "end_turn",
      "usage": {
        "input_tokens": 18,
        "output_tokens": null,
        "cache_read_tokens": null,
        "cache_write_tokens": null,
        "reasoning_tokens": null
      },
      "cost_usd": null,
      "cost_basis": null,
      "cost_estimate_usd": 0.000328,
      "list_price_usd": null,
      "simulated": false,
      "attempts": [
        {
          "provider": "alpha",
          "upstream_model": "tiny-1",
          "class": "stream_broken",
          "http_status": 200,
          "request_id": null,
          "message": "unexpected EOF during chunk size line",
          "cost_state": "unknown",
          "usage": {
            "input_tokens": 7,
            "output_tokens": null,
            "cache_read_tokens": null,
            "cache_write_tokens": null,
            "reasoning_tokens": null
          },
          "cost_usd": null,
          "cost_estimate_usd": 0.000013
        },
        {
          "provider": "beta",
          "upstream_model": "tiny-1",
          "class": "ok",
          "http_status": 200,
          "request_id": null,
          "message": null,
          "cost_state": "exact",
          "usage": {
            "input_tokens": 11,
            "output_tokens": 2,
            "cache_read_tokens": null,
            "cache_write_tokens": null,
            "reasoning_tokens": null
          },
          "cost_usd": 0.000315
        }
      ]
    }
    "#);
    let output = world().chat(["--resume", "-o", "jsonl"]).run();
    insta::assert_snapshot!(lines(&output), @r#"
    {"type":"start","model":"acme/tiny","provider":"alpha"}
    {"type":"text","text":"Grüß"}
    {"type":"text","text":" dich"}
    {"type":"resume","provider":"beta","from":"alpha","class":"stream_broken","characters":9,"bytes":11}
    {"type":"text","text":", you."}
    {"type":"end","seams":[{"provider":"beta","from":"alpha","class":"stream_broken","characters":9,"bytes":11}],"finish":"stop","finish_native":"end_turn","usage":{"input_tokens":18,"output_tokens":null,"cache_read_tokens":null,"cache_write_tokens":null,"reasoning_tokens":null},"cost_usd":null,"cost_basis":null,"cost_estimate_usd":0.000328,"list_price_usd":null,"simulated":false,"message":{"role":"assistant","content":"Grüß dich, you."},"attempts":[{"provider":"alpha","upstream_model":"tiny-1","class":"stream_broken","http_status":200,"request_id":null,"message":"unexpected EOF during chunk size line","cost_state":"unknown","usage":{"input_tokens":7,"output_tokens":null,"cache_read_tokens":null,"cache_write_tokens":null,"reasoning_tokens":null},"cost_usd":null,"cost_estimate_usd":0.000013},{"provider":"beta","upstream_model":"tiny-1","class":"ok","http_status":200,"request_id":null,"message":null,"cost_state":"exact","usage":{"input_tokens":11,"output_tokens":2,"cache_read_tokens":null,"cache_write_tokens":null,"reasoning_tokens":null},"cost_usd":0.000315}]}
    "#);
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
}

#[test]
fn the_cost_of_an_answer_is_the_sum_of_its_parts_where_each_is_known() {
    let protocol = Protocol::OpenaiChat;
    let bill = |cost: &str| {
        let cost: Value = serde_json::from_str(cost).unwrap();
        let usage = json!({"prompt_tokens": 7, "completion_tokens": 2, "cost": cost});
        wire::openai_event(&json!({"id": "c", "model": "m", "choices": [], "usage": usage}))
    };
    let first = Script::stream(vec![Step::bytes(wire::openai_text("Hello") + &bill("0.001")), Step::Close]);
    let mut events = wire::openai_events(&[", you."], None);
    events.insert(events.len() - 1, bill("0.0005"));
    let world = plain(protocol, vec![vec![first], vec![Script::stream(vec![Step::bytes(events.concat())])]]);
    let output = world.chat(["--resume", "-o", "json"]).run();
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    let cost = |value: &Value| value["cost_usd"].as_f64();
    assert_eq!((cost(&document), &document["cost_basis"]), (Some(0.0015), &json!("provider")), "{document}");
    assert_eq!(cost(&document["attempts"][0]), Some(0.001), "{document}");
    assert_eq!(cost(&document["attempts"][1]), Some(0.0005), "{document}");
}

#[test]
fn each_way_of_handing_a_beginning_over_is_the_providers_own() {
    let protocol = Protocol::OpenaiChat;
    let said = |more: Value| {
        let mut message = json!({"role": "assistant", "content": "Hello"});
        message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        message
    };
    for (way, message, goes_on) in [
        ("plain", said(json!({})), false),
        ("prefix", said(json!({"prefix": true})), false),
        ("partial", said(json!({"partial": true})), false),
        ("continue_final_message", said(json!({})), true),
    ] {
        let world = world(protocol, way, vec![vec![cut(protocol, &["Hello"])], vec![rest(protocol, &[", you."])]]);
        let output = world.chat(["--resume", "-q"]).run();
        assert_eq!(output.snapshot(), "exit: 0\n--- stdout\nHello, you.\n\n--- stderr\n", "{way}");
        assert_eq!(last_message(&world, 1, 0), message, "{way}");
        let body = world.servers[1].requests()[0].json();
        assert_eq!(body["continue_final_message"] == true, goes_on, "{body}");
    }
    // Mistral says the beginning once more.
    let echoed = rest(protocol, &["He", "llo, ", "you."]);
    let world = world(protocol, "prefix", vec![vec![cut(protocol, &["Hello"])], vec![echoed]]);
    assert_eq!(world.chat(["--resume", "-q"]).run().stdout, "Hello, you.\n");
}

#[test]
fn white_space_at_the_seam_is_neither_lost_nor_doubled() {
    let text = "One,\n\n  two ü.\n";
    for protocol in BOTH {
        for at in (1..text.len()).filter(|at| text.is_char_boundary(*at)) {
            let (said, _) = text.split_at(at);
            let sent = said.trim_end();
            let (space, words) = text[sent.len()..].split_at(text[sent.len()..].len().min(1));
            let world = plain(protocol, vec![vec![cut(protocol, &[said])], vec![rest(protocol, &[space, words])]]);
            let output = world.chat(["--resume", "-q"]).run();
            assert_eq!((output.code, output.stdout.as_str()), (Some(0), text), "at {at}: {}", output.snapshot());
            assert_eq!(last_message(&world, 1, 0)["content"], sent);
        }
    }
}

#[test]
fn an_answer_that_was_complete_but_for_its_end_is_complete() {
    for protocol in BOTH {
        for format in ["text", "json", "jsonl"] {
            let world = plain(protocol, vec![vec![cut(protocol, &["Hello."])], vec![rest(protocol, &[])]]);
            let output = world.chat(["--resume", "-o", format]).run();
            assert_eq!(output.code, Some(0), "{}", output.snapshot());
            assert!(output.stdout.contains("Hello."), "{}", output.snapshot());
            assert_eq!(
                output.stdout.matches("\"characters\":6").count(),
                if format == "text" { 0 } else { 1 + usize::from(format == "jsonl") }
            );
        }
    }
}

#[test]
fn a_stall_and_an_error_in_the_stream_are_gone_on_with_too() {
    for protocol in BOTH {
        let stalled = Script::stream(vec![Step::bytes(beginning(protocol, &["Hello"])), Step::HangForever]);
        let error = match protocol {
            Protocol::AnthropicMessages => wire::anthropic_event(
                &json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
            ),
            _ => wire::openai_event(&json!({"error": {"message": "Overloaded", "type": "server_error"}})),
        };
        let failed = Script::stream(vec![Step::bytes(beginning(protocol, &["Hello"]) + &error)]);
        for (script, class) in [(stalled, "provider_timeout"), (failed, "stream_broken")] {
            let world = plain(protocol, vec![vec![script], vec![rest(protocol, &[", you."])]]);
            let output = world.chat(["--resume", "--idle-timeout", "300ms"]).run();
            assert_eq!((output.code, output.stdout.as_str()), (Some(0), "Hello, you.\n"), "{}", output.snapshot());
            let note = format!("note: resuming at beta what alpha broke off after 5 characters: {class}\n");
            assert_eq!(output.stderr, note);
        }
    }
}

#[test]
fn the_same_provider_goes_on_where_it_is_the_only_one() {
    let protocol = Protocol::OpenaiChat;
    let scripts = || vec![cut(protocol, &["Hello"]), rest(protocol, &[", you."])];
    let world = plain(protocol, vec![scripts()]);
    let output = world.chat(["--resume"]).run();
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "Hello, you.\n"), "{}", output.snapshot());
    assert!(output.stderr.contains("resuming at alpha what alpha broke off after 5 characters"), "{}", output.stderr);
    let world = plain(protocol, vec![vec![cut(protocol, &["Hello"])]]);
    let output = world.chat(["--resume", "--retries", "0"]).run();
    assert_eq!((output.code, world.hits()), (Some(10), vec![1]), "{}", output.snapshot());
    assert!(output.stderr.starts_with("note: not resumed: nobody else who could is open\n"), "{}", output.stderr);
}

#[test]
fn who_refuses_or_breaks_again_is_followed_by_the_next() {
    let protocol = Protocol::AnthropicMessages;
    let refused = wire::anthropic_error(400, "invalid_request_error", "This model does not support prefill.");
    let servers = || vec![vec![cut(protocol, &["Hello"])], vec![refused.clone()], vec![rest(protocol, &[", you."])]];
    let world = plain(protocol, servers());
    insta::assert_snapshot!(world.chat(["--resume"]).run().snapshot(), @r"
    exit: 0
    --- stdout
    Hello, you.

    --- stderr
    note: resuming at beta what alpha broke off after 5 characters: stream_broken
    note: resuming at gamma what alpha broke off after 5 characters: invalid at beta
    ");
    let world = plain(
        protocol,
        vec![vec![cut(protocol, &["One"])], vec![cut(protocol, &[", two"])], vec![rest(protocol, &[", three."])]],
    );
    let output = world.chat(["--resume", "-o", "json"]).run();
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(document["text"], "One, two, three.");
    let seams: Vec<(&str, &str, u64)> = document["seams"]
        .as_array()
        .unwrap()
        .iter()
        .map(|seam| {
            let word = |key: &str| seam[key].as_str().unwrap();
            (word("from"), word("provider"), seam["bytes"].as_u64().unwrap())
        })
        .collect();
    assert_eq!(seams, [("alpha", "beta", 3), ("beta", "gamma", 8)]);
    assert_eq!(last_message(&world, 2, 0)["content"], "One, two");
}

#[test]
fn the_sandbox_shows_it() {
    let home = Home::new();
    let chat = |more: &[&str]| {
        let first = ["--sandbox=mid-stream", "chat", "-m", "anthropic/claude-haiku-4.5", "--seed", "1", "Hello!"];
        home.openmux(first.into_iter().chain(more.iter().copied())).run()
    };
    insta::assert_snapshot!(chat(&["--resume"]).snapshot(), @r"
    exit: 0
    --- stdout
    [sandbox] This is a simulated answer from OpenRouter (no model was called). Punctuation is free, which real tokenizers do not grant. This one only counts the bytes of the question and divides by four. A limit on the rate is no outage, and a request may go elsewhere in the meantime. The explanation of a decision shows the same numbers

    --- stderr
    note: sandbox: the providers are simulated; nothing leaves this machine and nothing is spent
    note: resuming at amazon-bedrock what openrouter broke off after 146 characters: stream_broken
    anthropic/claude-haiku-4.5 at amazon-bedrock (simulated): 38 in, 36 out after the seam, $0.000218 at list price and about $0.000191 for the part of openrouter (an estimate), TIME
    ");
    let output = chat(&[]);
    assert_eq!(output.code, Some(10), "{}", output.snapshot());
    let document: Value = serde_json::from_str(&chat(&["--resume", "-o", "json"]).stdout).unwrap();
    assert_eq!(document["text"].as_str().unwrap().split_whitespace().count(), 60);
    // Later models refuse a beginning.
    let output = home
        .openmux([
            "--sandbox=mid-stream",
            "chat",
            "-m",
            "anthropic/claude-sonnet-5",
            "--resume",
            "--seed",
            "1",
            "Hello!",
        ])
        .run();
    assert_eq!(output.code, Some(10));
    assert!(output.stderr.contains("note: not resumed: none of "), "{}", output.snapshot());
}

#[test]
fn the_configuration_can_wish_for_it() {
    let asked = |flag: &str| {
        let spoken = Protocol::OpenaiChat;
        let world = plain(spoken, vec![vec![cut(spoken, &["Hello"])], vec![rest(spoken, &[", you."])]]);
        world.home.write("config/config.toml", "[defaults]\nresume = true\n");
        let output = world.chat(["-q"].into_iter().chain(flag.split_terminator(' '))).run();
        (output.code, output.stdout, world.hits())
    };
    assert_eq!(asked(""), (Some(0), "Hello, you.\n".to_owned(), vec![1, 1]));
    let (code, said, hits) = asked("--no-resume");
    assert_eq!((code, said.trim_end(), hits), (Some(10), "Hello", vec![1, 0]));
}
