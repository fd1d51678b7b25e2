//! A key that is set occurs in no output and no file, whatever the server makes of it.

use std::path::Path;

use openmux::catalog::Protocol;
use serde_json::json;

use super::super::support::command::{Home, Output};
use super::super::support::server::{Script, Server, Step};
use super::super::support::wire;
use super::stdout::OFFLINE;
use super::{BOTH, World, answer};

/// Looks like no provider's keys, so that only knowing it helps.
const CANARY: &str = "canary+Zq7/0123456789abcdef=";
/// Begins like a key, so that it is known even where it is cut.
const PREFIXED: &str = "sk-canary-Zq7-0123456789abcdef";

/// Fails where more than the four characters that name a key are in a text; a key that is cut off counts too.
fn assert_absent(key: &str, text: &str, place: &str) {
    assert!(!text.contains(&key[..12]) && !text.contains(&key[key.len() - 8..]), "the key is in {place}:\n{text}");
}

fn assert_silent(key: &str, output: &Output, place: &str) {
    assert_absent(key, &output.stdout, place);
    assert_absent(key, &output.stderr, place);
}

/// Every file under a folder, as text.
#[expect(clippy::disallowed_methods, reason = "what the command wrote is read behind its back")]
fn assert_unwritten(key: &str, folder: &Path) {
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        assert_absent(key, &String::from_utf8_lossy(&bytes), &path.display().to_string());
        seen += 1;
    }
    assert!(seen > 0, "a chat leaves a store behind");
}

/// Servers that quote the key in every place that openmux reads.
fn echoes(protocol: Protocol, key: &str) -> Vec<Script> {
    let said = format!("Incorrect API key provided: {key}.");
    let long = format!("{} {key}", "x".repeat(280));
    let first = match protocol {
        Protocol::AnthropicMessages => {
            wire::anthropic_events(&[], (7, 3))[..2].concat() + &wire::anthropic_text("Hello")
        }
        _ => wire::openai_text("Hello"),
    };
    let event = match protocol {
        Protocol::AnthropicMessages => {
            wire::anthropic_event(&json!({"type": "error", "error": {"type": "api_error", "message": said}}))
        }
        _ => wire::openai_event(&json!({"error": {"message": said, "type": "server_error", "code": key}})),
    };
    vec![
        wire::openai_error(401, "invalid_request_error", Some("invalid_api_key"), &said),
        wire::openai_error(400, key, Some(key), &said),
        wire::anthropic_error(401, "authentication_error", &said),
        wire::openai_error(400, "invalid_request_error", None, &long),
        Script::body(401, "text/plain", said.clone()),
        Script::body(502, "text/html", format!("<html><title>{said}</title><body>{key}</body></html>")),
        Script::body(200, "text/html", format!("<html><body>{key}</body></html>")),
        Script::json(200, &json!({"error": {"message": said}})),
        Script::json(200, &json!({"key": key})),
        Script::body(400, "application/json", "{}").header("x-request-id", key).header("retry-after", key),
        Script::stream(vec![Step::bytes(first.clone()), Step::bytes(event)]),
        Script::stream(vec![Step::bytes(first), Step::bytes(format!("data: {key}\n\n"))]),
        Script::stream(vec![Step::bytes(format!("data: {key}\n\n"))]),
    ]
}

#[test]
fn a_key_that_the_server_quotes_is_not_passed_on() {
    for protocol in BOTH {
        for key in [CANARY, PREFIXED] {
            for (at, script) in echoes(protocol, key).into_iter().enumerate() {
                for more in [&["-o", "text", "-vv"][..], &["-o", "json"]] {
                    let world = World::new(protocol, vec![Server::repeating(script.clone())]);
                    let run = world.chat(["--retries", "0"].into_iter().chain(more.iter().copied()));
                    let output = run.env("ALPHA_KEY", key).run();
                    assert_ne!(output.code, Some(0), "{}", output.snapshot());
                    assert_silent(key, &output, &format!("{} {at} {more:?}", protocol.name()));
                    assert_unwritten(key, &world.home.path().join("data"));
                }
            }
        }
    }
}

#[test]
fn a_key_is_sent_to_its_provider_and_shown_nowhere() {
    for protocol in BOTH {
        let world = World::new(protocol, vec![Server::repeating(answer(protocol))]);
        for more in [&["-v"][..], &["-vv"], &["-u"], &["-o", "json"], &["-o", "jsonl"], &["-n"], &["-n", "-o", "json"]]
        {
            let output = world.chat(more.iter().copied()).env("ALPHA_KEY", CANARY).run();
            assert_eq!(output.code, Some(0), "{}", output.snapshot());
            assert_silent(CANARY, &output, &format!("{} {more:?}", protocol.name()));
        }
        assert_eq!(world.hits(), [5], "a dry run sends nothing");
        for request in world.servers[0].requests() {
            assert!(request.headers.iter().any(|(_, value)| value.ends_with(CANARY)), "the key is sent");
            assert!(!request.path.contains("canary"), "and not in the address");
        }
        assert_unwritten(CANARY, &world.home.path().join("data"));
    }
}

#[test]
fn the_wire_is_shown_when_it_is_asked_for() {
    let world = World::of(vec![answer(Protocol::OpenaiChat)]);
    let output = world.chat(["-vv"]).run();
    for words in ["alpha is tried first.", "/v1/chat/completions", "status=200", "class=\"ok\""] {
        assert!(output.stderr.contains(words), "\"{words}\" is not in {}", output.snapshot());
    }
}

#[test]
fn no_command_prints_a_key_that_is_set() {
    let home = Home::new();
    let more: [&[&str]; 3] = [
        &["providers", "list", "-o", "wide"],
        &["providers", "list", "-o", "json"],
        &["route", "explain", "claude-sonnet-5", "-o", "json", "--all"],
    ];
    for args in OFFLINE.into_iter().chain(more) {
        let run = home.openmux(args.iter().copied()).env("ANTHROPIC_API_KEY", CANARY).env("OPENROUTER_API_KEY", CANARY);
        assert_silent(CANARY, &run.run(), &format!("{args:?}"));
    }
}

#[test]
fn a_key_that_no_header_can_carry_is_named_and_not_shown() {
    let world = World::of(Vec::new());
    let output = world.chat([]).env("ALPHA_KEY", "canary-0123456789\nabcdef").run();
    insta::assert_snapshot!(output.snapshot(), @r"
    exit: 4
    --- stdout

    --- stderr
    error: the key from ALPHA_KEY cannot be sent to alpha
      reason  the key from ALPHA_KEY holds characters that a header cannot carry
      fix:    set ALPHA_KEY to a valid key
    ");
}

/// What a key command prints beside the key is somebody else's text.
#[test]
#[cfg(unix)]
fn a_command_that_complains_of_its_key_does_not_show_it() {
    let world = World::of(Vec::new());
    let script = format!("echo {PREFIXED}; echo 'the key {PREFIXED} has run out' >&2; exit 3");
    world.home.write("config/config.toml", &format!("[providers.alpha]\nkey_cmd = [\"sh\", \"-c\", \"{script}\"]\n"));
    for more in [&["-vv"][..], &["-o", "json"]] {
        let output = world.home.openmux(["chat", "-m", "acme/tiny", "hi"].into_iter().chain(more.iter().copied()));
        let output = output.env("PATH", "/usr/bin:/bin").run();
        assert_eq!(output.code, Some(4), "{}", output.snapshot());
        assert!(output.stderr.contains("the key [redacted] has run out"), "{}", output.snapshot());
        assert_silent(PREFIXED, &output, "key_cmd");
    }
}

#[test]
fn what_is_secret_in_a_base_url_is_not_shown() {
    let world = World::of(Vec::new());
    for url in ["http://user:canary-0123456789@127.0.0.1:9/v1", "http://127.0.0.1:9/v1?key=canary-0123456789"] {
        for args in [&["chat", "-m", "acme/tiny", "hi", "-vv"][..], &["providers", "check", "alpha"]] {
            let output = world.openmux(args.iter().copied()).env("ALPHA_BASE_URL", url).run();
            assert_ne!(output.code, Some(0), "{}", output.snapshot());
            assert!(!format!("{}{}", output.stdout, output.stderr).contains("canary"), "{}", output.snapshot());
        }
    }
}

/// Lists show addresses, those that an override sets too.
#[test]
fn what_is_secret_in_a_base_url_is_not_listed() {
    let world = World::of(Vec::new());
    for url in ["http://user:canary-0123456789@127.0.0.1:9/v1", "http://127.0.0.1:9/v1?key=canary-0123456789"] {
        for more in [&["alpha"][..], &["alpha", "--local"]] {
            for format in ["json", "jsonl", "wide", "tsv"] {
                let args = ["providers", "list", "-o", format].into_iter().chain(more.iter().copied());
                let output = world.openmux(args).env("ALPHA_BASE_URL", url).run();
                assert_eq!(output.code, Some(0), "{}", output.snapshot());
                let listed = format!("{}{}", output.stdout, output.stderr);
                assert!(!listed.contains("canary"), "{}", output.snapshot());
                // Only what is certainly on this machine is looked at, and a user's name hides that.
                let is_looked_at = more.len() == 1 || !url.contains('@');
                assert!(listed.contains("127.0.0.1:9/v1") || !is_looked_at, "{}", output.snapshot());
            }
        }
    }
}

/// A chat with `acme/tiny` at a server of this protocol, whose overlay gives the model this id.
fn called(protocol: &str, id: &str, server: &Server) -> Output {
    let home = Home::new();
    let overlay = format!(
        "[provider.alpha]\nprotocol = \"{protocol}\"\nbase_url = \"{}/v1\"\nkey_env = \"ALPHA_KEY\"\n\
         [[endpoint]]\nprovider = \"alpha\"\nmodel = \"acme/tiny\"\nid = \"{id}\"\nmax_output = 100\n\
         price = {{ input = \"1\", output = \"2\" }}",
        server.base_url()
    );
    home.write("config/catalog.d/private.toml", &overlay);
    home.openmux(["chat", "-m", "acme/tiny", "hi"]).env("ALPHA_KEY", PREFIXED).run()
}

/// An overlay can set any id; one that would lead elsewhere is told before anything is sent.
#[test]
fn an_id_that_would_change_the_path_is_not_sent() {
    let server = Server::start(Vec::new());
    for protocol in ["gemini", "vertex-gemini", "vertex-anthropic", "bedrock-converse"] {
        for id in ["../../x", "a/../b", "a%2Fb", "a?b=c", "a#b"] {
            let output = called(protocol, id, &server);
            assert_eq!(output.code, Some(5), "{}", output.snapshot());
            assert!(output.stderr.contains("cannot be a wire id"), "{protocol} {}", output.snapshot());
        }
    }
    for protocol in ["vertex-gemini", "vertex-anthropic"] {
        let output = called(protocol, "other/model", &server);
        assert!(matches!(output.code, Some(4..=6)), "{protocol} {}", output.snapshot());
    }
    assert_eq!(server.hits(), 0);
}

#[test]
fn an_id_arrives_as_one_segment_of_the_path() {
    let arn = "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-x-v1:0";
    let escaped = "arn%3Aaws%3Abedrock%3Aus-east-1%3A123456789012%3Ainference-profile%2Fus.anthropic.claude-x-v1%3A0";
    let server = Server::start(vec![Script::json(404, &json!({"message": "no such model"}))]);
    let output = called("bedrock-converse", arn, &server);
    assert_eq!(output.code, Some(3), "{}", output.snapshot());
    assert_eq!(server.requests()[0].path, format!("/v1/model/{escaped}/converse-stream"));
}

#[test]
fn an_output_of_no_tokens_is_not_asked_for() {
    let output = World::of(Vec::new()).chat(["--max-tokens", "0"]).run();
    assert_eq!(output.code, Some(2), "{}", output.snapshot());
}
