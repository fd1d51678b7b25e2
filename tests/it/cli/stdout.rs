//! A reader that closes stdout is no failure; a stdout that cannot be written is.

use std::io::Read;

use openmux::catalog::Protocol;

use super::super::support::command::Home;
use super::super::support::gate::Gate;
use super::super::support::server::{Script, Server, Step};
use super::super::support::wire;
use super::{BOTH, World, answer};

/// Every command that ends by itself and needs no server.
pub(super) const OFFLINE: [&[&str]; 26] = [
    &[],
    &["--version"],
    &["--help"],
    &["help"],
    &["help", "output"],
    &["help", "exit-codes"],
    &["help", "environment"],
    &["help", "routing"],
    &["help", "check"],
    &["help", "config"],
    &["help", "chat"],
    &["help", "output", "chat/1"],
    &["completions", "bash"],
    &["models", "list"],
    &["models", "list", "-o", "json"],
    &["models", "list", "-o", "table"],
    &["models", "show", "claude-sonnet-5"],
    &["models", "show", "claude-sonnet-5", "--prices"],
    &["providers", "list"],
    &["providers", "compare", "claude-sonnet-5"],
    &["route", "explain", "claude-sonnet-5"],
    &["check", "claude-sonnet-5", "--max-price-in", "3", "-o", "table"],
    &["config", "show"],
    &["config", "show", "-o", "table"],
    &["config", "path"],
    &["chat", "-n", "--no-stdin", "-m", "claude-sonnet-5", "hi"],
];

#[test]
fn every_command_ends_in_peace_when_its_reader_is_gone() {
    let home = Home::new();
    for args in OFFLINE {
        let output = home.openmux(args.iter().copied()).stdout_closed().env("ANTHROPIC_API_KEY", "sk-0123456789").run();
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{args:?}");
    }
}

#[test]
fn a_chat_whose_reader_is_gone_ends_in_peace_in_every_format() {
    for format in ["text", "json", "jsonl"] {
        let world = World::of(vec![answer(Protocol::OpenaiChat)]);
        let output = world.chat(["-o", format]).stdout_closed().run();
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{format}");
    }
}

#[test]
fn a_reader_that_leaves_in_the_middle_stops_the_request() {
    let gate = Gate::new();
    let text = |piece: &str| Step::bytes(wire::openai_text(piece));
    let steps = vec![text("Hello"), Step::Pause(gate.clone()), text(" you"), Step::HangForever];
    let world = World::of(vec![Script::stream(steps)]);
    let (mut reader, writer) = std::io::pipe().unwrap();
    let running = world.chat([]).stdout(writer).spawn();
    let mut begun = [0; 5];
    reader.read_exact(&mut begun).unwrap();
    assert_eq!(&begun, b"Hello", "each piece is flushed as it comes");
    drop(reader);
    gate.open();
    world.servers[0].wait_left(1);
    let output = running.wait();
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
}

#[test]
#[cfg(target_os = "linux")]
fn a_stdout_that_is_full_is_a_failure() {
    let full = "exec \"$0\" \"$@\" > /dev/full";
    let list = Home::new().shell(full, ["models", "list"]).run();
    insta::assert_snapshot!(list.snapshot(), @r"
    exit: 5
    --- stdout

    --- stderr
    error: cannot write to stdout
      reason  No space left on device
      fix:    make room where the output goes, or send it elsewhere
    ");
    for args in [&["--help"][..], &["--version"], &["help", "check"], &[]] {
        let output = Home::new().shell(full, args.iter().copied()).run();
        assert!(output.code == Some(5) && output.stderr == list.stderr, "{args:?}: {}", output.snapshot());
    }
    for format in ["text", "json", "jsonl"] {
        let world = World::of(vec![answer(Protocol::OpenaiChat)]);
        let run = world.home.shell(full, ["chat", "-m", "acme/tiny", "hi", "-o", format]);
        let output = run.env("ALPHA_KEY", "sk-0123456789").run();
        assert_eq!(output.code, Some(5), "{}", output.snapshot());
        assert!(output.stderr.contains("cannot write to stdout"), "{}", output.snapshot());
    }
}

#[test]
fn an_answer_ends_with_exactly_one_newline() {
    for protocol in BOTH {
        for (piece, printed) in [("one", "one\n"), ("one\n", "one\n"), ("one\n\n", "one\n\n")] {
            let script = match protocol {
                Protocol::AnthropicMessages => wire::anthropic_stream(&[piece], (1, 1)),
                _ => wire::openai_stream(&[piece], Some((1, 1))),
            };
            let output = World::new(protocol, vec![Server::start(vec![script])]).chat([]).run();
            assert_eq!((output.code, output.stdout.as_str()), (Some(0), printed));
        }
    }
}

/// More than all the pipes and sockets on the way hold, so that it can only have been sent where it was read.
const MORE_THAN_FITS: usize = 24 * 1024 * 1024;

#[test]
fn a_reader_that_pauses_does_not_hold_up_what_is_read_from_the_provider() {
    let piece = "lamp ".repeat(50_000);
    let pieces = MORE_THAN_FITS / piece.len();
    let sent = Gate::new();
    let mut steps = vec![Step::bytes(wire::openai_text(&piece)); pieces];
    steps.push(Step::Pause(sent.clone()));
    steps.push(Step::bytes(wire::openai_events(&[], None).concat()));
    let world = World::of(vec![Script::stream(steps)]);
    let (mut reader, writer) = std::io::pipe().unwrap();
    let running = world.chat([]).stdout(writer).spawn();
    // Nobody has read a byte of stdout, and all of the answer was taken from the provider.
    sent.wait_reached();
    sent.open();
    let mut told = String::new();
    reader.read_to_string(&mut told).unwrap();
    assert_eq!((told.len(), told.ends_with("lamp \n")), (pieces * piece.len() + 1, true));
    assert_eq!(running.wait().code, Some(0));
}
