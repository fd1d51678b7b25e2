//! Streams: events, failures within them, and clients that go away.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use openmux::observe::ErrorClass;
use serde_json::{Value, json};

use super::super::support::gate::Gate;
use super::super::support::server::{Script, Server, Step};
use super::super::support::wire;
use super::{World, hello};

fn good() -> Script {
    wire::openai_stream(&["Hello", ", you."], Some((7, 3)))
}

/// `Hello`, and then the connection is gone.
fn broken() -> Script {
    Script::stream(vec![Step::bytes(wire::openai_text("Hello")), Step::Close])
}

#[test]
fn a_stream_ends_with_its_usage_and_its_cost() {
    let world = World::new(vec![Server::start(vec![good()])]);
    let answer = world.chat(&hello(json!({ "stream": true, "stream_options": { "include_usage": true } })));
    insta::assert_snapshot!(answer.snapshot(), @r#"
    200
    cache-control: no-cache
    content-type: text/event-stream
    x-openmux-attempts: 1
    x-openmux-decision-id: ID
    x-openmux-provider: alpha

    data: {"id":"chatcmpl-ID","object":"chat.completion.chunk","created":N,"model":"acme/tiny","choices":[{"index":0,"delta":{"role":"assistant","content":"Hello"},"logprobs":null,"finish_reason":null}],"usage":null}

    data: {"id":"chatcmpl-ID","object":"chat.completion.chunk","created":N,"model":"acme/tiny","choices":[{"index":0,"delta":{"content":", you."},"logprobs":null,"finish_reason":null}],"usage":null}

    data: {"id":"chatcmpl-ID","object":"chat.completion.chunk","created":N,"model":"acme/tiny","choices":[{"index":0,"delta":{},"logprobs":null,"finish_reason":"stop","native_finish_reason":"stop"}],"usage":null}

    data: {"id":"chatcmpl-ID","object":"chat.completion.chunk","created":N,"model":"acme/tiny","choices":[],"provider":"alpha","usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10,"cost":0.000013}}

    data: [DONE]
    "#);
    let sent = world.servers[0].requests()[0].json();
    assert_eq!(sent["stream_options"]["include_usage"], true);
}

#[test]
fn who_does_not_ask_for_usage_gets_no_chunk_without_choices() {
    let world = World::new(vec![Server::start(vec![good()])]);
    let answer = world.chat(&hello(json!({ "stream": true })));
    let events = answer.events();
    assert_eq!(events.last().map(String::as_str), Some("[DONE]"), "{answer:?}");
    for event in &events[..events.len() - 1] {
        let chunk: Value = serde_json::from_str(event).unwrap();
        assert_eq!(chunk["choices"].as_array().map(Vec::len), Some(1), "{event}");
        assert!(chunk.get("usage").is_none(), "{event}");
    }
}

#[test]
fn a_failure_before_the_first_token_moves_on_or_has_a_status() {
    let overloaded = || wire::openai_error(503, "server_error", None, "Overloaded");
    let world = World::new(vec![Server::start(vec![overloaded()]), Server::start(vec![good()])]);
    let answer = world.chat(&hello(json!({ "stream": true })));
    assert_eq!(
        (answer.status, answer.header("x-openmux-provider"), answer.header("x-openmux-attempts")),
        (200, "beta", "2")
    );
    let bad = || wire::openai_error(400, "invalid_request_error", None, "no such thing");
    let world = World::new(vec![Server::start(vec![bad()])]);
    let answer = world.chat(&hello(json!({ "stream": true })));
    assert_eq!((answer.status, answer.header("content-type")), (400, "application/json"));
    assert_eq!(answer.error("class"), "invalid");
}

#[test]
fn a_break_in_the_middle_is_an_error_within_and_never_an_end() {
    let world = World::new(vec![Server::start(vec![broken()]), Server::start(vec![])]);
    let answer = world.chat(&hello(json!({ "stream": true })));
    assert_eq!(answer.status, 200);
    let events = answer.events();
    let last: Value = serde_json::from_str(events.last().unwrap()).unwrap();
    assert_eq!((&last["error"]["class"], &last["error"]["owner"]), (&"stream_broken".into(), &"provider".into()));
    assert!(answer.body.contains("\"content\":\"Hello\"") && !answer.body.contains("[DONE]"), "{answer:?}");
    assert!(!answer.body.contains("\"finish_reason\":\"stop\""), "{answer:?}");
    let (attempts, _) = world.end();
    assert_eq!(attempts.iter().map(|seen| seen.class).collect::<Vec<_>>(), [ErrorClass::StreamBroken]);
}

#[test]
fn a_client_that_goes_away_ends_the_attempt_which_is_recorded() {
    for streamed in [true, false] {
        let first = if streamed {
            vec![Step::bytes(wire::openai_text("Hello")), Step::HangForever]
        } else {
            vec![Step::HangForever]
        };
        let world = World::new(vec![Server::start(vec![Script::stream(first)]), Server::start(vec![])]);
        let body = hello(json!({ "stream": streamed })).to_string();
        let mut socket = TcpStream::connect(world.addr).unwrap();
        let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length:";
        write!(socket, "{head} {}\r\n\r\n{body}", body.len()).unwrap();
        if streamed {
            let mut lines = BufReader::new(&socket).lines();
            assert!(lines.any(|line| line.unwrap().contains("Hello")));
        } else {
            world.servers[0].wait_hits(1);
        }
        drop(socket);
        world.servers[0].wait_left(1);
        let (attempts, log) = world.end();
        assert_eq!(attempts.iter().map(|seen| seen.class).collect::<Vec<_>>(), [ErrorClass::Aborted]);
        assert_eq!(log[0]["class"], "aborted", "{log:?}");
        assert_eq!(log[0]["status"], if streamed { 200 } else { 499 }, "{log:?}");
    }
}

#[test]
fn events_pass_as_they_come() {
    let gate = Gate::new();
    let events = wire::openai_events(&["Hello", ", you."], None);
    let steps = vec![Step::bytes(events[..2].concat()), Step::Pause(gate.clone()), Step::bytes(events[2..].concat())];
    let world = World::new(vec![Server::start(vec![Script::stream(steps)])]);
    let body = hello(json!({ "stream": true })).to_string();
    let mut socket = TcpStream::connect(world.addr).unwrap();
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length:";
    write!(socket, "{head} {}\r\n\r\n{body}", body.len()).unwrap();
    let mut lines = BufReader::new(&socket).lines();
    assert!(lines.any(|line| line.unwrap().contains("\"content\":\"Hello\"")), "before the gate is opened");
    gate.open();
    assert!(lines.any(|line| line.unwrap().contains("[DONE]")));
}

#[test]
fn who_waits_for_the_first_token_is_told_that_somebody_is_there() {
    let gate = Gate::new();
    let steps = vec![Step::Pause(gate.clone()), Step::bytes(wire::openai_events(&["Hello"], None).concat())];
    let servers = vec![Server::start(vec![Script::stream(steps)])];
    let world = World::with(servers, "openai-chat", |config| config.quiet = Duration::from_millis(20));
    let body = hello(json!({ "stream": true })).to_string();
    let mut socket = TcpStream::connect(world.addr).unwrap();
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length:";
    write!(socket, "{head} {}\r\n\r\n{body}", body.len()).unwrap();
    let mut lines = BufReader::new(&socket).lines();
    assert!(lines.any(|line| line.unwrap() == ": openmux is waiting for the provider"));
    gate.open();
    assert!(lines.any(|line| line.unwrap().contains("[DONE]")));
}

#[test]
fn what_is_under_way_comes_to_its_end_when_the_gateway_is_stopped() {
    let gate = Gate::new();
    let events = wire::openai_events(&["Hello", ", you."], None);
    let steps = vec![Step::bytes(events[..2].concat()), Step::Pause(gate.clone()), Step::bytes(events[2..].concat())];
    let mut world = World::new(vec![Server::start(vec![Script::stream(steps)])]);
    let body = hello(json!({ "stream": true })).to_string();
    let mut socket = TcpStream::connect(world.addr).unwrap();
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\ncontent-length:";
    write!(socket, "{head} {}\r\n\r\n{body}", body.len()).unwrap();
    let mut lines = BufReader::new(&socket).lines();
    assert!(lines.any(|line| line.unwrap().contains("Hello")));
    drop(world.stop.take());
    gate.open();
    assert!(lines.any(|line| line.unwrap().contains("[DONE]")), "the rest still comes");
    let (attempts, _) = world.end();
    assert_eq!(attempts[0].class, ErrorClass::Ok);
}
