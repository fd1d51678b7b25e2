//! What `--resume` does not go on with, and how it ends then.

use openmux::catalog::Protocol;
use serde_json::{Value, json};

use super::super::super::support::server::{Script, Server, Step};
use super::super::super::support::stable::stable;
use super::super::super::support::wire;
use super::super::{BOTH, World, answer, error_line};
use super::{cut, plain, rest};

#[test]
fn without_the_flag_or_anybody_who_can_it_ends_as_it_always_did() {
    let protocol = Protocol::OpenaiChat;
    let world = plain(protocol, vec![vec![cut(protocol, &["Hello"])], vec![]]);
    let unasked = world.chat([]).run();
    assert_eq!(world.hits(), [1, 0]);
    let world = World::new(protocol, vec![Server::start(vec![cut(protocol, &["Hello"])]), Server::start(vec![])]);
    let nobody = world.chat(["--resume"]).run();
    assert_eq!(world.hits(), [1, 0]);
    insta::assert_snapshot!(nobody.snapshot(), @r"
    exit: 10
    --- stdout
    Hello

    --- stderr
    note: not resumed: none of alpha, beta is known to take a beginning of this answer
    error: the answer is incomplete: alpha broke it off; what came is on stdout
      received  1 piece of text in TIME; it may be billed
      reason    unexpected EOF during chunk size line
      fix:      run it again; --no-stream fails over even then
    ");
    let (said, error) = nobody.stderr.split_once('\n').unwrap();
    assert!(said.starts_with("note: not resumed: "), "{said}");
    let error = stable(error);
    assert_eq!((unasked.code, stable(&unasked.stderr)), (nobody.code, error));
}

#[test]
fn what_is_held_back_begins_anew_where_nobody_can_go_on() {
    for protocol in BOTH {
        let servers = vec![Server::start(vec![cut(protocol, &["Hello"])]), Server::start(vec![answer(protocol)])];
        let world = World::new(protocol, servers);
        let output = world.chat(["--resume", "-o", "json"]).run();
        let document: Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!((output.code, document["text"].as_str()), (Some(0), Some("Hello, you.")), "{}", output.snapshot());
        assert!(document.get("seams").is_none(), "{document}");
        insta::allow_duplicates! {
            insta::assert_snapshot!(output.stderr, @r"
            note: not resumed: none of alpha, beta is known to take a beginning of this answer
            note: failing over from alpha to beta: stream_broken
            ");
        }
    }
}

#[test]
fn an_answer_that_nobody_finishes_is_incomplete() {
    let protocol = Protocol::OpenaiChat;
    for (second, code) in [
        (cut(protocol, &[", you"]), 10),
        (wire::openai_error(401, "invalid_request_error", Some("invalid_api_key"), "Incorrect API key"), 10),
        (wire::openai_error(503, "server_error", None, "Overloaded"), 10),
    ] {
        for format in ["text", "jsonl"] {
            let world = plain(protocol, vec![vec![cut(protocol, &["Hello"])], vec![second.clone()]]);
            let output = world.chat(["--resume", "--retries", "0", "-o", format]).run();
            assert_eq!((output.code, world.hits()), (Some(code), vec![1, 1]), "{}", output.snapshot());
            if format == "jsonl" {
                assert_eq!(error_line(&output)["class"], "stream_broken", "{}", output.snapshot());
                assert!(!output.stdout.contains("\"end\""), "{}", output.snapshot());
            }
        }
    }
}

#[test]
fn what_cannot_be_gone_on_with_is_left_alone() {
    let protocol = Protocol::OpenaiChat;
    let chunk = |delta: Value| {
        wire::openai_event(&json!({
            "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
            "choices": [{"index": 0, "delta": delta, "finish_reason": null}],
        }))
    };
    let broken = |events: String| Script::stream(vec![Step::bytes(events), Step::Close]);
    let thought = chunk(json!({"reasoning_content": "Let me see"}));
    let call = chunk(json!({"tool_calls": [{"index": 0, "id": "c1", "function": {"name": "f", "arguments": "{\"a"}}]}));
    for (events, why) in [
        (thought.clone(), "no text of the answer had come yet"),
        (thought + &wire::openai_text(" \n"), "no text of the answer had come yet"),
        (wire::openai_text("Hello") + &call, "it broke off in a tool call"),
    ] {
        let world = plain(protocol, vec![vec![broken(events)], vec![]]);
        let output = world.chat(["--resume"]).run();
        assert_eq!((output.code, world.hits()), (Some(10), vec![1, 0]), "{}", output.snapshot());
        assert!(output.stderr.starts_with(&format!("note: not resumed: {why}\n")), "{}", output.stderr);
    }
    // The limit is the whole answer's.
    let world = plain(protocol, vec![vec![cut(protocol, &["Hello"])], vec![rest(protocol, &[", you."])]]);
    assert_eq!(world.chat(["--resume", "--max-tokens", "9"]).run().code, Some(0));
    assert_eq!(world.servers[1].requests()[0].json()["max_tokens"], 7);
    let world = plain(protocol, vec![vec![cut(protocol, &["Hello"])], vec![]]);
    let output = world.chat(["--resume", "--max-tokens", "2"]).run();
    assert!(output.stderr.starts_with("note: not resumed: nothing is left of --max-tokens\n"), "{}", output.stderr);
    // Both parts have to fit into what is allowed.
    let bound = |cost: &'static str| {
        let world = plain(protocol, vec![vec![cut(protocol, &["Hello"])], vec![rest(protocol, &[", you."])]]);
        (world.chat(["--resume", "--retries", "0", "--max-tokens", "100", "--max-cost", cost]).run(), world.hits())
    };
    let (output, hits) = bound("0.0061");
    assert_eq!(hits, [1, 0], "{}", output.snapshot());
    assert!(output.stderr.contains("not resumed: it could cost more than is left of --max-cost"), "{}", output.stderr);
    assert_eq!(bound("1").1, [1, 1]);
}
