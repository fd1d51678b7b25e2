//! What a bad server does, and what the command then says: the twelve faults, in every output format and protocol.

use openmux::catalog::Protocol;
use serde_json::json;

use super::super::support::command::Output;
use super::super::support::server::{Script, Server, Step};
use super::super::support::wire;
use super::{BOTH, World, answer, error_line};

/// One kind of bad server and what is promised of it.
struct Case {
    name: &'static str,
    /// What the server gives to each request.
    script: fn(Protocol) -> Script,
    /// The exit code.
    exit: i32,
    /// The first part of the JSON error's code, then its detail.
    code: &'static str,
    /// What `-o text` leaves on stdout.
    stdout: &'static str,
    /// What stderr says in `-o text`.
    says: &'static [&'static str],
    /// Requests that the server gets from a streamed chat with `--retries 1`.
    hits: usize,
}

const CASES: [Case; 12] = [
    Case { name: "answers", script: answer, exit: 0, code: "", stdout: "Hello, you.\n", says: &[], hits: 1 },
    Case {
        name: "rejects the key",
        script: |protocol| refusal(protocol, 401, "Incorrect API key"),
        exit: 4,
        code: "auth.rejected_key",
        stdout: "",
        says: &["alpha rejected the key from ALPHA_KEY (ends in ...tail)", "\"Incorrect API key\"", "401"],
        hits: 1,
    },
    Case {
        name: "does not know the model",
        script: |protocol| refusal(protocol, 404, "The model does not exist"),
        exit: 3,
        code: "not_found.model_gone",
        stdout: "",
        says: &["alpha does not know tiny-1", "\"The model does not exist\""],
        hits: 1,
    },
    Case {
        name: "limits the rate",
        script: |protocol| refusal(protocol, 429, "Slow down").header("retry-after", "0"),
        exit: 7,
        code: "limited.rate",
        stdout: "",
        says: &[
            "note: trying alpha again at once: rate_limited",
            "alpha is limiting this key 2 times in",
            "\"Slow down\"",
        ],
        hits: 2,
    },
    Case {
        name: "fails",
        script: |protocol| refusal(protocol, 500, "Internal error").header("retry-after", "0"),
        exit: 8,
        code: "unavailable.provider_fault",
        stdout: "",
        says: &["note: trying alpha again at once: provider_fault", "\"Internal error\"", "500"],
        hits: 2,
    },
    Case {
        name: "gives a page",
        script: |_| {
            let page =
                "<html><head><title>502 Bad Gateway</title></head>\r\n<body><h1>502</h1>\n<hr>nginx</body></html>";
            Script::body(502, "text/html", page).header("retry-after", "0")
        },
        exit: 8,
        code: "unavailable.provider_fault",
        stdout: "",
        says: &["502 Bad Gateway", "502"],
        hits: 2,
    },
    Case {
        name: "closes the socket in the middle",
        script: |protocol| begun(protocol, Step::Close),
        exit: 10,
        code: "incomplete.stream_broken",
        stdout: "Hello\n",
        says: &[
            "the answer is incomplete: alpha broke it off",
            "what came is on stdout",
            "1 piece of text",
            "may be billed",
        ],
        hits: 1,
    },
    Case {
        name: "sends an error in the middle",
        script: |protocol| begun(protocol, Step::bytes(error_event(protocol))),
        exit: 10,
        code: "incomplete.stream_broken",
        stdout: "Hello\n",
        says: &["the answer is incomplete", "\"Overloaded\""],
        hits: 1,
    },
    Case {
        name: "ends without a finish",
        script: |protocol| begun(protocol, Step::bytes(Vec::new())),
        exit: 10,
        code: "incomplete.stream_broken",
        stdout: "Hello\n",
        says: &["the answer is incomplete"],
        hits: 1,
    },
    Case {
        name: "cuts the answer off",
        script: cut_off,
        exit: 0,
        code: "",
        stdout: "Hello, you.\n",
        says: &["warning: cut off at the model's longest answer (with --strict this is exit 10)"],
        hits: 1,
    },
    Case {
        name: "stalls in the middle",
        script: |protocol| begun(protocol, Step::HangForever),
        exit: 9,
        code: "timeout.limit",
        stdout: "Hello\n",
        says: &["alpha sent nothing for", "in the middle of the answer", "--idle-timeout"],
        hits: 1,
    },
    Case {
        name: "never answers",
        script: |_| Script::raw(vec![Step::HangForever]),
        exit: 9,
        code: "timeout.limit",
        stdout: "",
        says: &["alpha sent no token for", "--first-token-timeout"],
        hits: 1,
    },
];

/// Only the limit that a case is about is short: a busy machine must not make the others fire.
fn limits(case: &Case) -> [&'static str; 6] {
    let short = |name: &str| if case.name == name { "300ms" } else { "30s" };
    let (idle, first) = (short("stalls in the middle"), short("never answers"));
    ["--retries", "1", "--idle-timeout", idle, "--first-token-timeout", first]
}

/// A failure in the protocol's own envelope.
fn refusal(protocol: Protocol, status: u16, message: &str) -> Script {
    match protocol {
        Protocol::AnthropicMessages => {
            let kind = match status {
                401 => "authentication_error",
                404 => "not_found_error",
                429 => "rate_limit_error",
                _ => "api_error",
            };
            wire::anthropic_error(status, kind, message)
        }
        _ => {
            let (kind, code) = match status {
                401 => ("invalid_request_error", Some("invalid_api_key")),
                404 => ("invalid_request_error", Some("model_not_found")),
                429 => ("requests", Some("rate_limit_exceeded")),
                _ => ("server_error", None),
            };
            wire::openai_error(status, kind, code, message)
        }
    }
}

/// The events of an answer up to and with its first text.
fn head(protocol: Protocol) -> Vec<String> {
    let events = match protocol {
        Protocol::AnthropicMessages => wire::anthropic_events(&["Hello"], (7, 3)),
        _ => wire::openai_events(&["Hello"], None),
    };
    let texts = events.iter().position(|event| event.contains("Hello")).unwrap();
    events.into_iter().take(texts + 1).collect()
}

/// An answer that begins with `Hello`, and then this happens.
fn begun(protocol: Protocol, then: Step) -> Script {
    let mut steps: Vec<Step> = head(protocol).into_iter().map(Step::bytes).collect();
    steps.push(then);
    Script::stream(steps)
}

fn error_event(protocol: Protocol) -> String {
    match protocol {
        Protocol::AnthropicMessages => wire::anthropic_event(
            &json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}),
        ),
        _ => wire::openai_event(&json!({"error": {"message": "Overloaded", "type": "server_error", "code": 503}})),
    }
}

/// A whole answer that ended because it was long enough.
fn cut_off(protocol: Protocol) -> Script {
    let (events, said, instead) = match protocol {
        Protocol::AnthropicMessages => {
            (wire::anthropic_events(&["Hello", ", you."], (7, 3)), "\"end_turn\"", "\"max_tokens\"")
        }
        _ => (wire::openai_events(&["Hello", ", you."], Some((7, 3))), "\"stop\"", "\"length\""),
    };
    let changed: Vec<String> = events.iter().map(|event| event.replace(said, instead)).collect();
    assert_ne!(events, changed, "the finish was replaced");
    wire::stream(changed)
}

fn run(protocol: Protocol, case: &Case, format: &str) -> Output {
    let world = World::new(protocol, vec![Server::repeating((case.script)(protocol))]);
    let output = world.chat(limits(case).into_iter().chain(["-o", format])).run();
    let shown = || format!("{} {} {format}\n{}", protocol.name(), case.name, output.snapshot());
    assert_eq!(output.code, Some(case.exit), "{}", shown());
    // A document is held until it is whole, so that a break in it may be tried again.
    let hits = if format == "json" && case.code == "incomplete.stream_broken" { 2 } else { case.hits };
    assert_eq!(world.hits(), [hits], "{}", shown());
    output
}

fn each(check: impl Fn(Protocol, &Case)) {
    for protocol in BOTH {
        for case in &CASES {
            check(protocol, case);
        }
    }
}

#[test]
fn as_text_what_came_is_kept_and_the_rest_is_told() {
    each(|protocol, case| {
        let output = run(protocol, case, "text");
        let shown = format!("{} {}\n{}", protocol.name(), case.name, output.snapshot());
        assert_eq!(output.stdout, case.stdout, "{shown}");
        for words in case.says {
            // Lines are wrapped; the words are what is promised.
            let folded = output.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(folded.contains(words), "\"{words}\" is not in {shown}");
        }
        if case.says.is_empty() {
            assert_eq!(output.stderr, "", "{shown}");
        }
        if case.exit != 0 {
            let error = output.stderr.lines().skip_while(|line| !line.starts_with("error: ")).count();
            assert!((2..=7).contains(&error), "an error has two to seven lines: {shown}");
        }
        let wide = output.stderr.lines().any(|line| line.chars().count() > 80);
        assert!(!wide, "a line is too wide: {shown}");
        assert!(!output.stderr.contains(['<', '\x1b']), "markup or escapes reached stderr: {shown}");
    });
}

#[test]
fn as_json_there_is_a_whole_answer_or_nothing_but_one_error_line() {
    each(|protocol, case| {
        let output = run(protocol, case, "json");
        let shown = format!("{} {}\n{}", protocol.name(), case.name, output.snapshot());
        if case.exit == 0 {
            let document: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
            assert_eq!((&document["text"], &document["provider"]), (&json!("Hello, you."), &json!("alpha")), "{shown}");
            assert_eq!(document["attempts"].as_array().unwrap().len(), 1, "{shown}");
            assert_eq!(document["cost_usd"].to_string(), "0.000013", "{shown}");
            return;
        }
        assert_eq!(output.stdout, "", "{shown}");
        check_error(&output, case, &shown);
    });
}

#[test]
fn as_jsonl_an_answer_without_its_end_event_is_incomplete() {
    each(|protocol, case| {
        let output = run(protocol, case, "jsonl");
        let shown = format!("{} {}\n{}", protocol.name(), case.name, output.snapshot());
        let events: Vec<serde_json::Value> =
            output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let kinds: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
        let text: String = events.iter().filter_map(|event| event["text"].as_str()).collect();
        assert_eq!(text, case.stdout.trim_end(), "{shown}");
        if case.exit == 0 {
            assert_eq!((kinds.first(), kinds.last()), (Some(&"start"), Some(&"end")), "{shown}");
            return;
        }
        assert!(!kinds.contains(&"end"), "{shown}");
        check_error(&output, case, &shown);
    });
}

fn check_error(output: &Output, case: &Case, shown: &str) {
    let error = error_line(output);
    assert_eq!(error["code"], case.code, "{shown}");
    assert_eq!(error["exit"], case.exit, "{shown}");
    assert_eq!((&error["provider"], &error["model"]), (&json!("alpha"), &json!("acme/tiny")), "{shown}");
    assert!(!error["message"].as_str().unwrap().is_empty(), "{shown}");
    assert!(!error["attempts"].as_array().unwrap().is_empty(), "{shown}");
}

#[test]
fn with_strict_a_cut_off_answer_is_incomplete_and_still_printed() {
    let limit = ["--strict", "--max-tokens", "3"];
    for protocol in BOTH {
        let world = World::new(protocol, vec![Server::start(vec![cut_off(protocol)])]);
        insta::allow_duplicates! {
            insta::assert_snapshot!(world.chat(limit).run().snapshot(), @r"
            exit: 10
            --- stdout
            Hello, you.

            --- stderr
            error: the answer was cut off at --max-tokens 3
              fix:  --max-tokens with a larger number
            ");
        }
    }
}

#[test]
fn addresses_can_be_overridden_for_providers_of_the_catalog() {
    for (model, protocol, provider) in [
        ("openai/gpt-4o-mini", Protocol::OpenaiChat, "OPENAI"),
        ("anthropic/claude-haiku-4.5", Protocol::AnthropicMessages, "ANTHROPIC"),
    ] {
        let server = Server::start(vec![answer(protocol), begun(protocol, Step::Close)]);
        let home = super::Home::new();
        let run = |format: &'static str| {
            home.openmux(["chat", "-m", model, "-o", format, "hi"])
                .env(&format!("{provider}_API_KEY"), "sk-0123456789")
                .env(&format!("{provider}_BASE_URL"), format!("{}/v1", server.base_url()))
                .run()
        };
        let output = run("text");
        assert_eq!((output.code, output.stdout.as_str()), (Some(0), "Hello, you.\n"), "{}", output.snapshot());
        let output = run("text");
        assert_eq!((output.code, output.stdout.as_str()), (Some(10), "Hello\n"), "{}", output.snapshot());
        let requests = server.requests();
        let key = match protocol {
            Protocol::AnthropicMessages => requests[0].header("x-api-key"),
            _ => requests[0].header("authorization"),
        };
        assert!(key.is_some_and(|key| key.ends_with("sk-0123456789")), "{requests:?}");
    }
}
