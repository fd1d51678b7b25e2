//! Ctrl-C and SIGTERM: the request ends at once, and what was printed stays.
#![cfg(unix)]

use std::io::{BufRead, BufReader};
use std::time::Duration;

use openmux::catalog::Protocol;

use super::super::support::command::{Home, Output};
use super::super::support::server::{Script, Server, Step};
use super::super::support::wire;
use super::{BOTH, World};

/// Starts a chat, waits until the server has sent `Hello` and stalls, and sends the signal.
fn interrupted(protocol: Protocol, signal: &str, more: &[&str]) -> Output {
    let text = match protocol {
        Protocol::AnthropicMessages => {
            wire::anthropic_events(&[], (7, 3))[..2].concat() + &wire::anthropic_text("Hello")
        }
        _ => wire::openai_text("Hello"),
    };
    let script = Script::stream(vec![Step::bytes(text), Step::HangForever]);
    let world = World::new(protocol, vec![Server::start(vec![script]), Server::start(Vec::new())]);
    let (reader, writer) = std::io::pipe().unwrap();
    let running = world.chat(more.iter().copied()).stdout(writer).timeout(Duration::from_secs(20)).spawn();
    let mut reader = BufReader::new(reader);
    // Where nothing is shown before the end, the request itself is what is waited for.
    let held = more.contains(&"json");
    if held {
        world.servers[0].wait_hits(1);
    } else {
        reader.fill_buf().unwrap();
    }
    running.signal(signal);
    let mut output = running.wait();
    std::io::Read::read_to_string(&mut reader, &mut output.stdout).unwrap();
    world.servers[0].wait_left(1);
    assert_eq!(world.hits(), [1, 0], "nobody else is asked");
    output
}

#[test]
fn ctrl_c_keeps_what_came_and_exits_130() {
    for protocol in BOTH {
        let output = interrupted(protocol, "INT", &[]);
        assert_eq!((output.code, output.stdout.as_str(), output.stderr.as_str()), (Some(130), "Hello\n", ""));
    }
    let output = interrupted(Protocol::OpenaiChat, "INT", &["-u"]);
    insta::assert_snapshot!(output.snapshot(), @r"
    exit: 130
    --- stdout
    Hello

    --- stderr
    acme/tiny at alpha: usage not reported, cost unknown, TIME
    ");
}

#[test]
fn sigterm_does_the_same_and_exits_143() {
    let output = interrupted(Protocol::OpenaiChat, "TERM", &[]);
    assert_eq!((output.code, output.stdout.as_str(), output.stderr.as_str()), (Some(143), "Hello\n", ""));
}

#[test]
fn an_interrupted_document_is_not_printed_by_half() {
    let output = interrupted(Protocol::OpenaiChat, "INT", &["-o", "json"]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(130), ""), "{}", output.snapshot());
}

#[test]
fn a_wait_between_two_tries_can_be_interrupted() {
    let limited = wire::openai_error(429, "requests", Some("rate_limit_exceeded"), "Slow").header("retry-after", "25");
    let world = World::of(vec![limited]);
    let running = world.chat([]).timeout(Duration::from_secs(20)).spawn();
    world.servers[0].wait_hits(1);
    running.signal("INT");
    assert_eq!(running.wait().code, Some(130));
}

#[test]
fn the_sandbox_serves_without_a_reader_until_it_is_stopped() {
    let home = Home::new();
    let (reader, writer) = std::io::pipe().unwrap();
    let running = home.openmux(["sandbox"]).stdout(writer).timeout(Duration::from_secs(20)).spawn();
    let lines: Vec<String> = BufReader::new(reader).lines().take(14).map(Result::unwrap).collect();
    let at = lines.iter().position(|line| line == "# anthropic: Anthropic, anthropic-messages").expect("it is there");
    assert_eq!(lines[at + 2], "export ANTHROPIC_API_KEY=openmux-sandbox");
    let address = lines[at + 1].strip_prefix("export ANTHROPIC_BASE_URL=http://").unwrap();
    let address = address.strip_suffix("/anthropic").unwrap();
    std::net::TcpStream::connect(address).expect("it listens");
    running.signal("TERM");
    let output = running.wait();
    insta::assert_snapshot!(output.snapshot(), @r#"
    exit: 143
    --- stdout

    --- stderr
    sandbox "calm" (seed 1) on http://127.0.0.1:PORT simulates providers of anthropic/claude-sonnet-5; nothing is real. Ctrl-C stops it.
    "#);
}

#[test]
fn a_reader_that_pauses_does_not_keep_ctrl_c_from_ending_it() {
    // More than a pipe holds, and nobody reads it.
    let script = Script::stream(vec![Step::bytes(wire::openai_text(&"lamp ".repeat(40_000))), Step::HangForever]);
    let world = World::of(vec![script]);
    let (reader, writer) = std::io::pipe().unwrap();
    let running = world.chat([]).stdout(writer).timeout(Duration::from_secs(20)).spawn();
    let mut reader = BufReader::with_capacity(1, reader);
    reader.fill_buf().unwrap();
    running.signal("INT");
    assert_eq!(running.wait().code, Some(130));
}
