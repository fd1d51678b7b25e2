//! `providers check`: what providers answer, what it means, and how the command ends.

use openmux::catalog::Protocol;
use serde_json::json;

use super::super::support::command::{Home, Output, Run};
use super::super::support::server::{Script, Server, Step};
use super::super::support::stable::stable;
use super::super::support::wire;
use super::{World, error_line};

/// A list of models.
fn listed(ids: &[&str]) -> Script {
    let data: Vec<serde_json::Value> = ids.iter().map(|id| json!({"id": id, "object": "model"})).collect();
    Script::json(200, &json!({"object": "list", "data": data}))
}

fn no_key() -> Script {
    wire::openai_error(401, "invalid_request_error", None, "You didn't provide an API key.")
}

/// A list for whoever has a key.
fn guarded(ids: &[&str]) -> Server {
    Server::start(vec![listed(ids), no_key()])
}

/// The page for people: columns are as far apart as the times in them are wide.
fn page(output: &Output) -> String {
    let text = stable(&output.snapshot());
    let squeezed = text.lines().map(|line| {
        let indent = line.len() - line.trim_start().len();
        let mut words = line[indent..].to_owned();
        while words.contains("   ") {
            words = words.replace("   ", "  ");
        }
        format!("{}{words}\n", &line[..indent])
    });
    squeezed.collect()
}

fn check<'a>(world: &World, more: impl IntoIterator<Item = &'a str>) -> Run {
    world.openmux(["providers", "check"].into_iter().chain(more))
}

#[test]
fn every_provider_with_a_key_is_checked() {
    let bad = wire::openai_error(401, "invalid_request_error", Some("invalid_api_key"), "Incorrect API key provided");
    let world = World::openai(vec![guarded(&["a", "b"]), Server::start(vec![bad]), Server::repeating(listed(&["a"]))]);
    insta::assert_snapshot!(page(&check(&world, ["-o", "table"]).run()), @r"
    exit: 4
    --- stdout
    STATUS  PROVIDER  KEY FROM  MODELS  TIME
    ok  alpha  ALPHA_KEY  2  TIME
    bad  beta  BETA_KEY  -  TIME
            auth: Incorrect API key provided (401)
            fix: export BETA_KEY=... with a valid key
    unsure  gamma  GAMMA_KEY  1  TIME
            it answers, but to anybody: only a chat would show whether the key is
            good

    --- stderr
    error: beta did not pass the check
      fix:  export BETA_KEY=... with a valid key
    ");
    assert_eq!(world.hits(), [2, 1, 2]);
    let requests = world.servers[0].requests();
    assert_eq!((requests[0].method.as_str(), requests[0].path.as_str()), ("GET", "/v1/models"));
    assert_eq!(requests[0].header("authorization"), Some("Bearer sk-alpha-0123456789-tail"));
    assert_eq!(requests[1].header("authorization"), None, "the second time asks whether a key matters");
}

#[test]
fn the_page_fits_every_terminal() {
    for width in ["40", "60", "80", "200"] {
        let long = "x ".repeat(200);
        let failing = Server::start(vec![wire::openai_error(403, "forbidden", None, &long)]);
        let world = World::openai(vec![guarded(&["a"]), failing]);
        let output = check(&world, ["-o", "table"]).env("COLUMNS", width).run();
        let most: usize = width.parse().unwrap();
        for line in output.stdout.lines().chain(output.stderr.lines()) {
            assert!(line.chars().count() <= most && line.trim_end() == line, "{width}: {line}");
        }
    }
}

#[test]
fn programs_get_every_fact() {
    let world = World::openai(vec![guarded(&["a", "b"])]);
    let output = check(&world, ["-o", "jsonl"]).run();
    let row: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(output.code, Some(0));
    for (name, value) in [
        ("provider", json!("alpha")),
        ("status", json!("ok")),
        ("key_source", json!("ALPHA_KEY")),
        ("models", json!(2)),
        ("message", json!(null)),
        ("http_status", json!(200)),
        ("models_more", json!(false)),
    ] {
        assert_eq!(row[name], value, "{name}: {row}");
    }
    assert!(row["elapsed_ms"].is_number() && row["url"].as_str().unwrap().ends_with("/v1/models"), "{row}");
    let world = World::openai(vec![Server::start(vec![no_key()])]);
    let output = check(&world, ["-o", "json"]).run();
    let document: serde_json::Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!((document["schema"].as_str(), output.code), (Some("providers.check/1"), Some(4)));
    assert_eq!(document["data"][0]["class"], "auth");
    assert_eq!(error_line(&output)["code"], "auth.check");
}

/// What a provider answers, the exit code, and a word that is said.
#[test]
fn what_is_wrong_decides_the_exit_code() {
    let error = |status| wire::openai_error(status, "some_error", None, "no");
    let cases: [(Script, i32, &str); 9] = [
        (error(401), 4, "auth: no (401)"),
        (error(403), 4, "forbidden: no (403)"),
        (Script::body(404, "text/plain", ""), 0, "lists no models"),
        (wire::openai_error(429, "rate_limit_exceeded", None, "slow"), 7, "rate_limited"),
        (error(500), 8, "provider_fault"),
        (error(503), 8, "overloaded"),
        (Script::body(200, "text/html", "<html>"), 8, "an HTML page"),
        (Script::json(302, &json!({})).header("location", "https://example.com/"), 5, "(302)"),
        (Script::raw(vec![Step::Close]), 8, "the connection broke"),
    ];
    for (script, code, words) in cases {
        let world = World::openai(vec![Server::start(vec![script])]);
        let output = check(&world, ["-o", "tsv"]).run();
        assert_eq!(output.code, Some(code), "{words}: {}", output.snapshot());
        assert!(output.stdout.contains(words), "{words}: {}", output.snapshot());
    }
    let world = World::openai(vec![Server::start(vec![error(500)]), Server::start(vec![error(401)])]);
    assert_eq!(check(&world, []).run().code, Some(4), "a key that is refused counts more than an outage");
}

#[test]
fn a_wait_has_an_end() {
    let world = World::of(vec![Script::raw(vec![Step::HangForever])]);
    let output = check(&world, ["--timeout", "200ms", "-o", "tsv"]).run();
    assert_eq!(output.code, Some(9), "{}", output.snapshot());
    assert!(output.stdout.contains("no answer within"), "{}", output.snapshot());
}

#[test]
fn nobody_listening_is_told_apart_from_an_outage() {
    let home = Home::new();
    let run = home.openmux(["providers", "check", "openai", "-o", "table"]).env("OPENAI_API_KEY", "sk-0123456789");
    insta::assert_snapshot!(page(&run.env("OPENAI_BASE_URL", "http://127.0.0.1:1/v1").run()), @r"
    exit: 5
    --- stdout
    STATUS  PROVIDER  KEY FROM  MODELS  TIME
    bad  openai  OPENAI_API_KEY  -  TIME
            nothing listens on 127.0.0.1:PORT
            fix: start the server there

    --- stderr
    error: openai did not pass the check
      fix:  start the server there
    ");
}

#[test]
fn the_protocols_own_headers_are_sent() {
    let world = World::new(Protocol::AnthropicMessages, vec![guarded(&["a"])]);
    assert_eq!(check(&world, []).run().code, Some(0));
    let requests = world.servers[0].requests();
    assert_eq!(requests[0].path, "/v1/models?limit=1000");
    assert_eq!(requests[0].header("x-api-key"), Some("sk-alpha-0123456789-tail"));
    assert_eq!(requests[0].header("anthropic-version"), Some("2023-06-01"));
}

#[test]
fn a_key_that_is_quoted_is_not_passed_on() {
    const CANARY: &str = "canary+Zq7/0123456789abcdef=";
    let quoting = |status: u16| wire::openai_error(status, CANARY, Some(CANARY), &format!("no such key: {CANARY}"));
    let scripts =
        [quoting(401), quoting(500), listed(&[CANARY]), Script::json(200, &json!({"error": {"message": CANARY}}))];
    for script in scripts {
        for format in [&["-o", "json", "-vv"][..], &["-o", "table"]] {
            let world = World::openai(vec![Server::repeating(script.clone())]);
            let output = check(&world, format.iter().copied()).env("ALPHA_KEY", CANARY).run();
            assert!(!output.stdout.contains("canary") && !output.stderr.contains("canary"), "{}", output.snapshot());
        }
    }
}

#[test]
fn a_key_that_another_provider_takes_is_no_failure_unless_it_is_named() {
    let home = Home::new();
    let (good, other) = (guarded(&["a"]), Server::repeating(no_key()));
    let table = |name: &str, server: &Server| {
        let url = server.base_url();
        format!("[provider.{name}]\nprotocol = \"openai-chat\"\nbase_url = \"{url}/v1\"\nkey_env = \"SHARED_KEY\"\n")
    };
    home.write("config/catalog.d/two.toml", &(table("one", &good) + &table("two", &other)));
    let run = |args: &[&str]| home.openmux(args.iter().copied()).env("SHARED_KEY", "sk-0123456789").run();
    let output = run(&["providers", "check", "-o", "tsv"]);
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
    assert!(output.stdout.contains("rejects the key from SHARED_KEY, which is one for one"), "{}", output.snapshot());
    assert_eq!(run(&["providers", "check", "two"]).code, Some(4));
}

#[test]
fn what_is_missing_is_said_without_asking() {
    let home = Home::new();
    let named = home.openmux(["providers", "check", "mistral", "google-vertex", "-o", "table"]);
    insta::assert_snapshot!(page(&named.run()), @r"
    exit: 4
    --- stdout
    STATUS  PROVIDER  KEY FROM  MODELS  TIME
    bad  mistral  -  -  -
            no key: looked in MISTRAL_API_KEY
            fix: export MISTRAL_API_KEY=...
    bad  google-vertex  -  -  -
            its address needs GOOGLE_CLOUD_LOCATION, GOOGLE_CLOUD_PROJECT
            fix: export GOOGLE_CLOUD_LOCATION=...

    --- stderr
    error: 2 of 2 providers did not pass the check
      fix:  export MISTRAL_API_KEY=...
    ");
    insta::assert_snapshot!(home.openmux(["providers", "check"]).run().snapshot(), @r"
    exit: 4
    --- stdout

    --- stderr
    error: no provider has a key
      looked in  the variables of every provider (openmux providers list -o wide),
                 config.toml
      fix:       export OPENAI_API_KEY=... or try it without a key: openmux
                 --sandbox providers check
    ");
    insta::assert_snapshot!(home.openmux(["providers", "check", "opnai"]).run().snapshot(), @r#"
    exit: 3
    --- stdout

    --- stderr
    error: no provider is called "opnai"
      did you mean  openai
      fix:          openmux providers list
    "#);
    let offline = home.openmux(["--offline", "providers", "check", "openai"]);
    insta::assert_snapshot!(offline.env("OPENAI_API_KEY", "sk-0123456789").run().snapshot(), @r"
    exit: 11
    --- stdout

    --- stderr
    error: not checked: --offline refuses the network
      fix:  leave out --offline, or try it with --sandbox
    ");
}

#[test]
fn the_sandbox_is_checked_in_the_sandbox() {
    let home = Home::new();
    insta::assert_snapshot!(page(&home.openmux(["--sandbox", "providers", "check", "-o", "table"]).run()), @r"
    exit: 0
    --- stdout
    STATUS  PROVIDER  KEY FROM  MODELS  TIME
    unsure  amazon-bedrock  sandbox  -  -
            it cannot be checked without spending
    ok  anthropic  sandbox  1  TIME

    --- stderr
    note: sandbox: the providers are simulated; nothing leaves this machine and nothing is spent
    ");
    let output = home.openmux(["--sandbox", "providers", "check", "groq", "openai", "-o", "ids"]).run();
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "groq\nopenai\n"), "{}", output.snapshot());
}
