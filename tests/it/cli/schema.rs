//! An answer with a shape: checked here, asked for once more, and never shown before.

use openmux::catalog::Protocol;
use serde_json::{Value, json};

use super::super::support::command::Output;
use super::super::support::server::{Script, Server};
use super::super::support::wire;
use super::{BOTH, World, error_line};

const SCHEMA: &str = r#"{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}"#;

fn says(protocol: Protocol, pieces: &[&str]) -> Script {
    match protocol {
        Protocol::AnthropicMessages => wire::anthropic_stream(pieces, (7, 3)),
        _ => wire::openai_stream(pieces, Some((7, 3))),
    }
}

fn run(protocol: Protocol, answers: &[&[&str]], more: &[&str]) -> (Output, World) {
    let scripts = answers.iter().map(|pieces| says(protocol, pieces)).collect();
    let world = World::new(protocol, vec![Server::start(scripts)]);
    let args = ["--schema", SCHEMA].into_iter().chain(more.iter().copied());
    let output = world.chat(args).run();
    (output, world)
}

#[test]
fn an_answer_that_fits_is_printed_as_it_is() {
    for protocol in BOTH {
        let (output, world) = run(protocol, &[&["{\"n\":", " 3}"]], &[]);
        assert_eq!((output.code, output.stdout.as_str(), output.stderr.as_str()), (Some(0), "{\"n\": 3}\n", ""));
        assert_eq!(world.hits(), [1]);
    }
}

#[test]
fn a_fence_around_it_is_taken_off_and_said() {
    let (output, world) = run(Protocol::OpenaiChat, &[&["```json\n", "{\"n\": 3}", "\n```\n"]], &[]);
    insta::assert_snapshot!(output.snapshot(), @r#"
    exit: 0
    --- stdout
    {"n": 3}

    --- stderr
    note: the answer was taken out of the Markdown fence around it
    "#);
    assert_eq!(world.hits(), [1]);
}

#[test]
fn one_that_does_not_fit_is_asked_for_once_more() {
    for protocol in BOTH {
        let (output, world) = run(protocol, &[&["{\"n\": \"3\"}"], &["{\"n\": 3}"]], &["-u"]);
        insta::allow_duplicates! {
            insta::assert_snapshot!(output.snapshot(), @r#"
            exit: 0
            --- stdout
            {"n": 3}

            --- stderr
            note: the answer does not satisfy the schema (at .n: "3" is not of type "integer"); asking once more
            acme/tiny at alpha: 14 in, 6 out, $0.000026, 2 requests, TIME
            "#);
        }
        let again = world.servers[0].requests()[1].json();
        let messages = again["messages"].as_array().unwrap();
        assert_eq!(messages.len(), 3, "{again}");
        assert_eq!((&messages[1]["role"], &messages[2]["role"]), (&json!("assistant"), &json!("user")));
        assert!(messages[1].to_string().contains(r#"\"3\""#), "{again}");
        assert!(messages[2].to_string().contains("is not of type"), "{again}");
    }
}

#[test]
fn after_two_tries_the_answer_is_printed_with_a_warning_or_an_error() {
    let answers: &[&[&str]] = &[&["no"], &["{}"]];
    let (output, _world) = run(Protocol::OpenaiChat, answers, &[]);
    insta::assert_snapshot!(output.snapshot(), @r#"
    exit: 0
    --- stdout
    {}

    --- stderr
    note: the answer does not satisfy the schema (it is not JSON: expected ident at line 1 column 2); asking once more
    warning: the answer does not satisfy the schema: "n" is a required property (with --strict this is exit 10)
    "#);
    let (output, _world) = run(Protocol::OpenaiChat, answers, &["--strict"]);
    insta::assert_snapshot!(output.snapshot(), @r#"
    exit: 10
    --- stdout
    {}

    --- stderr
    note: the answer does not satisfy the schema (it is not JSON: expected ident at line 1 column 2); asking once more
    error: the answer does not satisfy the schema
      reason  "n" is a required property
      fix:    run it again, or with a model of openmux models list --structured
    "#);
    let (output, _world) = run(Protocol::OpenaiChat, answers, &["--strict", "-o", "json"]);
    assert_eq!((output.code, &error_line(&output)["code"]), (Some(10), &json!("incomplete.schema")));
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!((&document["text"], &document["schema_valid"]), (&json!("{}"), &json!(false)));
}

#[test]
fn both_requests_are_paid_for() {
    let (output, world) = run(Protocol::OpenaiChat, &[&["no"], &["{\"n\": 3}"]], &["-o", "json"]);
    let document: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{}", output.snapshot()));
    // Each: 7 in at $1 and 3 out at $2 a million.
    assert_eq!(document["cost_usd"].to_string(), "0.000026");
    assert_eq!((&document["usage"]["input_tokens"], &document["usage"]["output_tokens"]), (&json!(14), &json!(6)));
    assert_eq!(document["attempts"].as_array().unwrap().len(), 2);
    assert_eq!((&document["text"], &document["schema_valid"]), (&json!("{\"n\": 3}"), &json!(true)));
    assert_eq!(world.hits(), [2]);
}

#[test]
fn what_is_left_of_a_cost_limit_may_not_be_enough_for_a_second_request() {
    let limit = ["--max-tokens", "10", "--max-cost", "0.0013"];
    let (output, world) = run(Protocol::OpenaiChat, &[&["no"]], &limit);
    insta::assert_snapshot!(output.snapshot(), @r"
    exit: 0
    --- stdout
    no

    --- stderr
    note: not asked once more: more than is left of --max-cost
    warning: the answer does not satisfy the schema: it is not JSON: expected ident at line 1 column 2 (with --strict this is exit 10)
    ");
    assert_eq!(world.hits(), [1]);
}

#[test]
fn where_the_second_request_fails_the_first_answer_is_better_than_none() {
    let failing = wire::openai_error(400, "invalid_request_error", None, "no");
    let world = World::of(vec![says(Protocol::OpenaiChat, &["no"]), failing]);
    let output = world.chat(["--schema", SCHEMA]).run();
    insta::assert_snapshot!(output.snapshot(), @r"
    exit: 0
    --- stdout
    no

    --- stderr
    note: the answer does not satisfy the schema (it is not JSON: expected ident at line 1 column 2); asking once more
    warning: asking once more failed: invalid
    warning: the answer does not satisfy the schema: it is not JSON: expected ident at line 1 column 2 (with --strict this is exit 10)
    ");
}

#[test]
fn an_answer_that_breaks_off_leaves_nothing_on_stdout() {
    let broken = wire::stream(wire::openai_events(&["{\"n\":"], None).into_iter().take(2).collect());
    let world = World::of(vec![broken, says(Protocol::OpenaiChat, &["{\"n\": 3}"])]);
    let output = world.chat(["--schema", SCHEMA]).run();
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "{\"n\": 3}\n"), "{}", output.snapshot());
}

#[test]
fn a_schema_that_is_none_is_not_sent() {
    let world = World::of(Vec::new());
    world.home.write("s.json", r#"{"type": "objekt"}"#);
    insta::assert_snapshot!(world.chat(["--schema", "s.json"]).run().snapshot(), @r#"
    exit: 2
    --- stdout

    --- stderr
    error: s.json: .type: "objekt" is not valid under any of the schemas listed in
    the 'anyOf' keyword
      fix:  correct that in s.json
    "#);
    let elsewhere = r#"{"$ref": "https://example.com/schema.json"}"#;
    insta::assert_snapshot!(world.chat(["--schema", elsewhere]).run().snapshot(), @r"
    exit: 2
    --- stdout

    --- stderr
    error: --schema: it refers to https://example.com/schema.json; only references
    within it are followed
      fix:  --schema with a JSON Schema, or a file that holds one
    ");
}
