//! A catalog that stays fresh: fetched, checked, compared, used by every other command, and gone back from.

mod ages;
mod faults;
mod pages;
mod published;
mod races;
mod refused;
mod signed;
mod unfit;

use std::path::PathBuf;

use openmux::catalog::price::Item;
use openmux::catalog::{Catalog, ProviderId};
use serde_json::{Map, Value, json};

use super::super::support::clock;
use super::super::support::command::{Home, Output, Run};
use super::super::support::server::{Script, Server};

/// A list of what three providers offer, in the form of models.dev, as the program knows it: taken over, it changes nothing.
fn list() -> Value {
    let catalog = Catalog::builtin();
    let mut out = Map::new();
    for id in ["anthropic", "groq", "openai"] {
        let provider = catalog.provider(&ProviderId::new(id)).unwrap();
        out.insert(id.to_owned(), json!({"id": id, "name": provider.name, "env": ["A"], "models": {}, "unknown": [1]}));
    }
    for line in catalog.models() {
        for endpoint in line.endpoints() {
            let price = |item| endpoint.price(item).map(|price| price.parse::<serde_json::Number>().unwrap());
            let known = !matches!(endpoint.status().name(), "unlisted");
            let (Some(input), Some(output)) = (price(Item::Input), price(Item::Output)) else { continue };
            if let (true, Some(provider)) = (known, out.get_mut(endpoint.provider())) {
                let status = Some(endpoint.status().name()).filter(|status| *status != "active");
                let id = endpoint.wire_id();
                provider["models"][id] = json!({
                    "id": id,
                    "cost": {"input": input, "output": output},
                    "status": status,
                    "novel": {"what": "nobody knows"},
                });
            }
        }
    }
    Value::Object(out)
}

/// The list with a model that is new, one whose price and limits moved, and one less.
fn moved() -> Value {
    let mut list = list();
    let models = &mut list["anthropic"]["models"];
    models["claude-opus-99-1"] = json!({
        "id": "claude-opus-99-1", "name": "Claude Opus 99.1", "tool_call": true, "reasoning": true,
        "modalities": {"input": ["text", "image"], "output": ["text"]}, "release_date": "2026-11-30",
        "limit": {"context": 2_000_000, "output": 64000}, "cost": {"input": 4, "output": 20, "cache_read": 0.4},
    });
    models["claude-sonnet-5"]["cost"] = json!({"input": 2.75, "output": 12.5, "cache_read": 0.275});
    models["claude-sonnet-5"]["limit"] = json!({"context": 1_500_000});
    models.as_object_mut().unwrap().remove("claude-haiku-4-5-20251001");
    list
}

fn answer(list: &Value) -> Script {
    Script::body(200, "application/json; charset=utf-8", list.to_string())
}

/// `openmux catalog update` from a server, with further arguments.
fn update(home: &Home, server: &Server, args: &[&str]) -> Run {
    let from = server.base_url() + "/api.json";
    home.openmux(["catalog", "update"].into_iter().chain(args.iter().copied())).env("OPENMUX_CATALOG_URL", from)
}

/// A home with the list as it is.
fn updated() -> (Home, Server) {
    let home = Home::new();
    let server = Server::start(vec![answer(&moved()).header("etag", "\"one\"")]);
    let output = update(&home, &server, &[]).run();
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
    (home, server)
}

fn current(home: &Home) -> PathBuf {
    home.path().join("cache/catalog.txt")
}

#[expect(clippy::disallowed_methods, reason = "the file is what it is about")]
fn held(home: &Home) -> Option<Vec<u8>> {
    std::fs::read(current(home)).ok()
}

/// A page without today's date: updates are of the day on which they are fetched.
fn page(output: &Output) -> String {
    undated(&output.snapshot())
}

fn undated(text: &str) -> String {
    let today = jiff_today();
    text.replace(&today, "TODAY")
}

/// Today, as the command line sees it.
fn jiff_today() -> String {
    clock::now().to_string().chars().take(10).collect()
}

fn price_of(home: &Home, model: &str) -> String {
    let output = home.openmux(["models", "list", model, "--fields", "id,input,output,context", "--limit", "1"]).run();
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{}", output.snapshot());
    output.stdout
}

#[test]
fn what_was_fetched_is_what_every_command_knows() {
    let (home, server) = updated();
    let request = &server.requests()[0];
    assert_eq!((request.path.as_str(), request.header("if-none-match")), ("/api.json", None));
    assert!(request.header("user-agent").unwrap().starts_with("openmux/"));
    assert_eq!(request.header("authorization"), None);
    assert_eq!(price_of(&home, "anthropic/claude-opus-99"), "anthropic/claude-opus-99.1\t4\t20\t2000000\n");
    let listed = home.openmux(["models", "list", "claude-sonnet-5", "-o", "json", "--limit", "1"]).run();
    let document: Value = serde_json::from_str(&listed.stdout).unwrap();
    assert_eq!(document["catalog"]["source"], "updated");
    assert_eq!(document["catalog"]["age_days"], 6, "most of it is the program's");
    let explained = home.openmux(["route", "explain", "claude-opus-99.1", "-o", "json"]).run();
    let document: Value = serde_json::from_str(&explained.stdout).unwrap();
    assert_eq!(document["chosen"], "anthropic", "{}", explained.snapshot());
    home.write(
        "config/catalog.d/x.toml",
        "[[endpoint]]\nprovider = \"anthropic\"\nid = \"claude-opus-99-1\"\nhide = true\n",
    );
    let hidden = home.openmux(["models", "list", "claude-opus-99", "-o", "ids"]).run();
    assert_eq!(hidden.stdout, "", "overlays lie over an update: {}", hidden.snapshot());
}

#[test]
fn the_same_again_is_the_newest_and_costs_nothing() {
    let home = Home::new();
    let server = Server::start(vec![
        answer(&moved()).header("etag", "\"one\""),
        Script::body(304, "application/json", ""),
        answer(&moved()).header("etag", "\"two\""),
    ]);
    for outcome in ["updated", "newest", "newest"] {
        let output = update(&home, &server, &["-o", "json"]).run();
        assert_eq!(output.code, Some(0), "{}", output.snapshot());
        let document: Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!(document["data"]["outcome"], outcome);
    }
    let asked: Vec<Option<String>> =
        server.requests().iter().map(|request| request.header("if-none-match").map(str::to_owned)).collect();
    assert_eq!(asked, [None, Some("\"one\"".to_owned()), Some("\"one\"".to_owned())]);
    assert!(!home.path().join("cache/catalog.previous.txt").exists(), "nothing was before it");
    // A mark is of its own source alone.
    let other = Server::start(vec![answer(&moved())]);
    assert_eq!(update(&home, &other, &[]).run().code, Some(0));
    assert_eq!(other.requests()[0].header("if-none-match"), None);
}

#[test]
fn a_dry_run_writes_nothing() {
    let home = Home::new();
    let server = Server::start(vec![answer(&moved())]);
    let output = update(&home, &server, &["--dry-run"]).run();
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
    assert!(output.stdout.ends_with("Nothing was written (--dry-run).\n"), "{}", output.snapshot());
    assert!(!home.path().join("cache").exists());
}

#[test]
fn a_file_will_do_and_offline_refuses_the_rest() {
    let home = Home::new();
    home.write("api.json", &moved().to_string());
    let output = home.openmux(["--offline", "catalog", "update", "--from", "api.json"]).run();
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
    insta::assert_snapshot!(home.openmux(["--offline", "catalog", "update"]).run().snapshot().replace(&jiff_today(), "TODAY"), @r"
    exit: 11
    --- stdout

    --- stderr
    error: not fetched: --offline refuses https://models.dev/api.json
      in use  the catalog of TODAY stays (an update)
      fix:    fetch it yourself, and openmux catalog update --from FILE
    ");
    insta::assert_snapshot!(page(&home.openmux(["catalog", "update", "--from", "http://models.example/api.json"]).run()), @r"
    exit: 2
    --- stdout

    --- stderr
    error: http://models.example/api.json can be changed on its way
      fix:  use https://; http:// is for this machine alone
    ");
    let apart = home.openmux(["--sandbox", "catalog", "update", "--from", "https://models.invalid/api.json"]).run();
    insta::assert_snapshot!(page(&apart), @r"
    exit: 11
    --- stdout

    --- stderr
    error: not fetched: with --sandbox nothing leaves this machine, and
    https://models.invalid/api.json does
      in use  the catalog of TODAY stays (an update)
      fix:    leave out --sandbox
    ");
    let server = Server::start(vec![answer(&list())]);
    assert_eq!(update(&home, &server, &["--sandbox"]).run().code, Some(0), "from this machine it may come");
}

#[test]
fn there_is_a_way_back() {
    let (home, _server) = updated();
    let server = Server::start(vec![answer(&list())]);
    let mut lists = vec![held(&home)];
    assert_eq!(update(&home, &server, &[]).run().code, Some(0));
    lists.push(held(&home));
    assert_ne!(lists[0], lists[1]);
    let back = home.openmux(["catalog", "rollback"]).run();
    insta::assert_snapshot!(page(&back), @r"
    exit: 0
    --- stdout
    Catalog TODAY -> TODAY (an update)

    --- stderr
    ");
    assert_eq!(held(&home), lists[0]);
    // A step that is run twice loses nothing: the two change places.
    assert_eq!(home.openmux(["catalog", "rollback"]).run().code, Some(0));
    assert_eq!(held(&home), lists[1]);
    assert_eq!(home.openmux(["catalog", "rollback", "--embedded"]).run().code, Some(0));
    assert_eq!(held(&home), None);
    insta::assert_snapshot!(page(&home.openmux(["catalog", "rollback", "-o", "json"]).run()), @r#"
    exit: 0
    --- stdout
    {"schema":"catalog.rollback/1","before":"2026-11-24","after":"2026-11-24","source":"bundled"}

    --- stderr
    "#);
    let (home, _server) = updated();
    let first = held(&home);
    insta::assert_snapshot!(page(&home.openmux(["catalog", "rollback"]).run()), @r"
    exit: 0
    --- stdout
    Catalog TODAY -> 2026-11-24 (the one in the program)

    --- stderr
    ");
    assert_eq!(held(&home), None);
    assert_eq!(home.openmux(["catalog", "rollback"]).run().code, Some(0));
    assert_eq!(held(&home), first, "before the first update the one in the program was in use");
    // What was in use before an update is what a rollback goes back to, whatever was there earlier.
    assert_eq!(home.openmux(["catalog", "rollback"]).run().code, Some(0));
    assert_eq!(update(&home, &Server::start(vec![answer(&moved())]), &[]).run().code, Some(0));
    assert_eq!(home.openmux(["catalog", "rollback"]).run().code, Some(0));
    assert_eq!(held(&home), None);
}

#[test]
fn what_cannot_be_read_is_not_gone_back_to() {
    let (home, _server) = updated();
    let good = held(&home);
    home.write("cache/catalog.previous.txt", "junk");
    insta::assert_snapshot!(page(&home.openmux(["catalog", "rollback"]).run()), @r"
    exit: 5
    --- stdout

    --- stderr
    error: $TMP/cache/catalog.previous.txt cannot be used: it is not one
    of openmux's
      fix:  openmux catalog rollback --embedded
    ");
    assert_eq!(held(&home), good);
    // Nor is it kept as what was before.
    let server = Server::start(vec![answer(&list()), answer(&moved())]);
    assert_eq!(update(&home, &server, &[]).run().code, Some(0));
    home.write("cache/catalog.txt", "junk");
    assert_eq!(update(&home, &server, &[]).run().code, Some(0));
    assert_eq!(home.openmux(["catalog", "rollback"]).run().code, Some(0));
    assert_eq!(held(&home), good, "the last that was good");
}

#[test]
fn a_new_provider_cannot_ask_for_anybody_elses_key() {
    let home = Home::new();
    let mut evil = list();
    evil["cheapest"] = json!({
        "id": "cheapest", "name": "Cheapest", "env": ["OPENAI_API_KEY"], "npm": "@ai-sdk/openai-compatible",
        "api": "https://cheapest.example/{OPENAI_API_KEY}",
        "models": {"gpt-5": {"id": "gpt-5", "cost": {"input": 0.001, "output": 0.001}}},
    });
    evil["openai"]["api"] = "https://cheapest.example/v1".into();
    evil["openai"]["models"]["gpt-5"]["provider"] = json!({"api": "https://cheapest.example/v1"});
    let server = Server::start(vec![answer(&evil)]);
    let output = update(&home, &server, &[]).run();
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
    insta::assert_snapshot!(output.stderr, @r#"warning: 3 entries are left out or in part: cheapest is new, and not called until [provider.cheapest] of an overlay says where and with which key; it says protocol = "openai-chat"; cheapest has an address that is not taken: OPENAI_API_KEY is no part of its address; cheapest may not ask for OPENAI_API_KEY"#);
    let shown = home.openmux(["providers", "list", "-o", "json"]).run();
    assert!(!shown.stdout.contains("cheapest.example"), "no key is sent there");
    let explained = home.openmux(["route", "explain", "gpt-5", "-o", "json"]).env("OPENAI_API_KEY", "sk-012345").run();
    let document: Value = serde_json::from_str(&explained.stdout).unwrap();
    assert_eq!(document["chosen"], "openai", "{}", explained.snapshot());
}

#[test]
fn a_new_provider_is_sent_nothing_until_the_user_says_where_it_is() {
    let home = Home::new();
    let mut evil = list();
    evil["stripe"] = json!({
        "id": "stripe", "env": ["STRIPE_API_KEY"], "api": "https://evil.example/v1",
        "models": {"gpt-5": {"id": "gpt-5", "cost": {"input": 0.001, "output": 0.001}}},
    });
    let server = Server::start(vec![answer(&evil)]);
    let output = update(&home, &server, &[]).run();
    insta::assert_snapshot!(output.stderr, @r#"warning: 1 entry is left out or in part: stripe is new, and not called until [provider.stripe] of an overlay says where and with which key; it says protocol = "openai-chat", base_url = "https://evil.example/v1", key_env = "STRIPE_API_KEY""#);
    let explain = || {
        let run = home.openmux(["route", "explain", "gpt-5:stripe", "-o", "json"]).env("STRIPE_API_KEY", "sk_live_1");
        run.run()
    };
    let document: Value = serde_json::from_str(&explain().stdout).unwrap();
    assert_eq!(document["chosen"], Value::Null, "a secret of that name is not theirs");
    assert!(!home.openmux(["providers", "list", "-o", "json"]).run().stdout.contains("evil.example"));
    home.write(
        "config/catalog.d/stripe.toml",
        "[provider.stripe]\nprotocol = \"openai-chat\"\nbase_url = \"https://good.example/v1\"\nkey_env = \"STRIPE_API_KEY\"\n",
    );
    let explained = explain();
    let document: Value = serde_json::from_str(&explained.stdout).unwrap();
    assert_eq!(document["chosen"], "stripe", "{}", explained.snapshot());
}

#[test]
fn an_older_list_does_not_replace_a_newer_one_by_itself() {
    let home = Home::new();
    let dated = |list: &Value, day: &str| answer(list).header("last-modified", day);
    let server = Server::start(vec![
        dated(&moved(), "Sat, 28 Nov 2026 10:00:00 GMT"),
        dated(&list(), "Wed, 25 Nov 2026 10:00:00 GMT"),
        dated(&list(), "Wed, 25 Nov 2026 10:00:00 GMT"),
    ]);
    assert_eq!(update(&home, &server, &[]).run().code, Some(0));
    insta::assert_snapshot!(page(&update(&home, &server, &[]).run()), @r"
    exit: 11
    --- stdout

    --- stderr
    error: http://127.0.0.1:PORT/api.json is of 2026-11-25, before the update of
    2026-11-28 that is in use
      in use  the catalog of 2026-11-28 stays (an update)
      fix:    look at it; if it is right: openmux catalog update --allow older
    ");
    assert_eq!(update(&home, &server, &["--allow", "older"]).run().code, Some(0));
}
