//! Several providers: who is tried after whom, what is said about it, and when nothing may be sent again.

use openmux::catalog::Protocol;

use super::super::support::command::Output;
use super::super::support::server::{Script, Server, Step};
use super::super::support::wire;
use super::{BOTH, World, answer, error_line, whole};

fn pair(protocol: Protocol, first: Vec<Script>, second: Vec<Script>) -> World {
    World::new(protocol, vec![Server::start(first), Server::start(second)])
}

fn overloaded(protocol: Protocol) -> Script {
    match protocol {
        Protocol::AnthropicMessages => wire::anthropic_error(529, "overloaded_error", "Overloaded"),
        _ => wire::openai_error(503, "server_error", None, "Overloaded"),
    }
}

/// `Hello`, and then the connection is gone.
fn broken(protocol: Protocol) -> Script {
    let text = match protocol {
        Protocol::AnthropicMessages => {
            let events = wire::anthropic_events(&[], (7, 3));
            events[..2].concat() + &wire::anthropic_text("Hello")
        }
        _ => wire::openai_text("Hello"),
    };
    Script::stream(vec![Step::bytes(text), Step::Close])
}

/// Half of an answer that is not streamed.
fn half() -> Script {
    Script::raw(vec![Step::bytes(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{\"id\"",
    )])
}

#[test]
fn a_failure_before_the_first_token_moves_on_and_is_announced_once() {
    for protocol in BOTH {
        let world = pair(protocol, vec![overloaded(protocol)], vec![answer(protocol)]);
        let output = world.chat([]).run();
        insta::allow_duplicates! {
            insta::assert_snapshot!(output.snapshot(), @r"
            exit: 0
            --- stdout
            Hello, you.

            --- stderr
            note: failing over from alpha to beta: overloaded
            ");
        }
        assert_eq!(world.hits(), [1, 1]);
    }
}

#[test]
fn quiet_says_nothing_of_a_failover_and_json_lists_it() {
    let world = pair(Protocol::OpenaiChat, vec![overloaded(Protocol::OpenaiChat)], vec![answer(Protocol::OpenaiChat)]);
    let output = world.chat(["-q", "-o", "json"]).run();
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
    let document: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    let attempt = |at: usize, key: &str| document["attempts"][at][key].as_str().unwrap_or_default().to_owned();
    assert_eq!(document["provider"], "beta");
    assert_eq!((attempt(0, "provider"), attempt(0, "class")), ("alpha".to_owned(), "overloaded".to_owned()));
    assert_eq!((attempt(1, "provider"), attempt(1, "class")), ("beta".to_owned(), "ok".to_owned()));
    assert_eq!((attempt(0, "cost_state"), attempt(1, "cost_state")), ("none".to_owned(), "exact".to_owned()));
}

#[test]
fn nothing_is_sent_again_once_a_part_of_the_answer_was_shown() {
    for protocol in BOTH {
        for format in ["text", "jsonl"] {
            let world = pair(protocol, vec![broken(protocol)], vec![]);
            let output = world.chat(["-o", format]).run();
            assert_eq!(output.code, Some(10), "{}", output.snapshot());
            assert!(
                output.stdout.contains("Hello") && !output.stderr.contains("failing over"),
                "{}",
                output.snapshot()
            );
            assert_eq!(world.hits(), [1, 0]);
        }
    }
}

#[test]
fn an_answer_that_is_held_back_moves_on_even_when_it_breaks() {
    for protocol in BOTH {
        let world = pair(protocol, vec![broken(protocol)], vec![answer(protocol)]);
        let output = world.chat(["-o", "json"]).run();
        assert_eq!(output.code, Some(0), "{}", output.snapshot());
        let document: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!((document["text"].as_str(), document["provider"].as_str()), (Some("Hello, you."), Some("beta")));
        assert_eq!(output.stderr, "note: failing over from alpha to beta: stream_broken\n");

        let world = pair(protocol, vec![half()], vec![whole(protocol)]);
        let output = world.chat(["--no-stream"]).run();
        assert_eq!((output.code, output.stdout.as_str()), (Some(0), "Hello, you.\n"), "{}", output.snapshot());
        assert!(output.stderr.starts_with("note: failing over from alpha to beta: "), "{}", output.snapshot());
        let streams = world.servers[1].requests()[0].json()["stream"].as_bool().unwrap_or_default();
        assert!(!streams, "--no-stream asks for the whole answer at once");
    }
}

#[test]
fn a_rejected_key_moves_on_and_the_user_is_told_which() {
    for protocol in BOTH {
        let rejected = match protocol {
            Protocol::AnthropicMessages => wire::anthropic_error(401, "authentication_error", "invalid x-api-key"),
            _ => wire::openai_error(401, "invalid_request_error", Some("invalid_api_key"), "Incorrect API key"),
        };
        let world = pair(protocol, vec![rejected], vec![answer(protocol)]);
        insta::allow_duplicates! {
            insta::assert_snapshot!(world.chat([]).run().snapshot(), @r"
            exit: 0
            --- stdout
            Hello, you.

            --- stderr
            note: failing over from alpha to beta: auth
            warning: alpha rejected the key from ALPHA_KEY
            ");
        }
    }
}

#[test]
fn the_last_failure_decides_and_all_are_listed() {
    let protocol = Protocol::OpenaiChat;
    let limited = || wire::openai_error(429, "requests", Some("rate_limit_exceeded"), "Slow down");
    let world = || pair(protocol, vec![overloaded(protocol)], vec![limited()]);
    let text: Output = world().chat(["--retries", "0"]).run();
    insta::assert_snapshot!(text.snapshot(), @r#"
    exit: 7
    --- stdout

    --- stderr
    note: failing over from alpha to beta: overloaded
    error: beta is limiting this key
      it says  "Slow down"
      status   429
      tried    alpha (overloaded), beta (rate_limited), in TIME
      fix:     wait, or --retries 5, or set a key for another provider
    "#);
    let json = world().chat(["--retries", "0", "-o", "json"]).run();
    let error = error_line(&json);
    let classes: Vec<&str> =
        error["attempts"].as_array().unwrap().iter().filter_map(|attempt| attempt["class"].as_str()).collect();
    assert_eq!(classes, ["overloaded", "rate_limited"]);
    assert_eq!((error["exit"].as_u64(), json.code), (Some(7), Some(7)));
}

#[test]
fn what_would_fail_everywhere_is_not_sent_elsewhere() {
    for protocol in BOTH {
        let refused = match protocol {
            Protocol::AnthropicMessages => wire::anthropic_error(400, "invalid_request_error", "messages: too short"),
            _ => wire::openai_error(400, "invalid_request_error", None, "messages: too short")
                .header("x-request-id", "req_1"),
        };
        let world = pair(protocol, vec![refused], vec![]);
        let output = world.chat([]).run();
        insta::allow_duplicates! {
            insta::assert_snapshot!(output.snapshot(), @r#"
            exit: 6
            --- stdout

            --- stderr
            error: alpha refused the request
              it says  "messages: too short"
              status   400, request req_1
              fix:     change the request as it says; --dry-run shows what is sent
            "#);
        }
        assert_eq!(world.hits(), [1, 0]);
    }
}

#[test]
fn a_wait_that_the_provider_asks_for_is_obeyed_up_to_a_limit() {
    let protocol = Protocol::OpenaiChat;
    let limited = |wait: &str| {
        wire::openai_error(429, "requests", Some("rate_limit_exceeded"), "Slow down").header("retry-after", wait)
    };
    let world = World::of(vec![limited("1"), answer(protocol)]);
    let output = world.chat([]).run();
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "Hello, you.\n"));
    assert!(output.stderr.starts_with("note: trying alpha again in "), "{}", output.snapshot());
    let world = World::of(vec![limited("3600")]);
    insta::assert_snapshot!(world.chat([]).run().snapshot(), @r#"
    exit: 7
    --- stdout

    --- stderr
    error: alpha is limiting this key
      it says       "Slow down"
      status        429
      asks to wait  60 min
      fix:          wait that long, or set a key for another provider
    "#);
}

#[test]
fn a_slow_start_moves_on_while_there_is_somewhere_to_go() {
    // The first server's own limit for a first token is 6 s at least; the limit over all attempts is what is set here.
    let silent = Script::raw(vec![Step::HangForever]);
    let world = pair(Protocol::OpenaiChat, vec![silent], vec![]);
    let output = world.chat(["--first-token-timeout", "200ms"]).run();
    assert_eq!(output.code, Some(9), "{}", output.snapshot());
    assert_eq!(world.hits(), [1, 0], "the limit is over all attempts");
}

#[test]
fn a_server_that_does_not_run_is_the_users_to_start() {
    let gone = Server::start(vec![]).base_url();
    let home = super::Home::new();
    let overlay = format!(
        "[provider.desk]\nprotocol = \"openai-chat\"\nbase_url = \"{gone}/v1\"\n[[endpoint]]\nprovider = \"desk\"\n\
         model = \"acme/tiny\"\nid = \"tiny-1\"\ncontext = 8192\nprice = {{ input = \"0\", output = \"0\" }}\n"
    );
    home.write("config/catalog.d/desk.toml", &overlay);
    insta::assert_snapshot!(home.openmux(["chat", "-m", "acme/tiny", "hi"]).run().snapshot(), @r"
    exit: 5
    --- stdout

    --- stderr
    error: cannot call desk at 127.0.0.1:PORT
      reason  Connection refused
      fix:    start the server there, or correct its address
    ");
}
