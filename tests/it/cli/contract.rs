//! The contract of JSON: every document is printed by some command, and is what its schema says (`support::schemas` holds
//! every run of every test to that).

use std::collections::BTreeSet;

use openmux::catalog::Protocol;
use openmux::cli::contract::schemas::documents;
use serde_json::{Value, json};

use super::super::support::command::{Home, Output};
use super::super::support::schemas::broken;
use super::super::support::server::{Script, Server};
use super::{World, answer, whole};

/// What prints each document but those that need a provider or a server.
const PRINTED: [(&str, &[&str]); 29] = [
    ("models.list/1", &["models", "list", "sonnet", "--tokens", "8000/1000"]),
    ("models.show/1", &["models", "show", "claude-sonnet-4", "--all"]),
    ("providers.list/1", &["providers", "list"]),
    ("providers.local/1", &["providers", "list", "--local"]),
    ("providers.check/1", &["--sandbox", "providers", "check"]),
    ("providers.compare/1", &["providers", "compare", "claude-sonnet-5", "--all"]),
    ("providers.history/1", &["providers", "history", "alpha"]),
    ("providers.probe/1", &["--sandbox", "providers", "probe", "claude-sonnet-5", "--rounds", "1"]),
    ("providers.probe.plan/1", &["--sandbox", "providers", "probe", "claude-sonnet-5", "--dry-run"]),
    ("usage/1", &["usage"]),
    ("usage.each/1", &["usage", "--each"]),
    ("route.explain/1", &["route", "explain", "claude-sonnet-5", "--why", "302ai", "--hedge", "--fallback", "gpt-5"]),
    ("route.replay/1", &["route", "replay", "--policy", "price"]),
    ("route.simulate/1", &["route", "simulate"]),
    ("check/1", &["check", "claude-sonnet-5", "--max-price-in", "3", "--has", "tools,vision"]),
    ("chat/1", &["--sandbox", "chat", "-m", "claude-sonnet-5", "hi"]),
    ("chat.dry_run/1", &["chat", "--dry-run", "--hedge", "-m", "claude-sonnet-5", "hi"]),
    ("config.show/1", &["config", "show"]),
    ("config.path/1", &["config", "path"]),
    ("config.trust/1", &["config", "trust", "--list"]),
    ("catalog.update/1", &["catalog", "update", "--dry-run", "--from", "api.json"]),
    ("catalog.status/1", &["catalog", "status", "--sources"]),
    ("catalog.diff/1", &["catalog", "diff", "current", "overlaid"]),
    ("catalog.rollback/1", &["catalog", "rollback"]),
    ("catalog.path/1", &["catalog", "path"]),
    ("catalog.key/1", &["catalog", "key", "release.key"]),
    ("catalog.release/1", &["catalog", "release", "openmux.catalog", "--key", "release.key"]),
    ("help.exit-codes/1", &["help", "exit-codes"]),
    ("help.output/1", &["help", "output"]),
];

/// A world in which a chat was answered after a failover, so that something was measured, spent and decided.
pub(super) fn used() -> World {
    let refusing = Server::repeating(super::wire::openai_error(429, "rate_limit_error", None, "Slow down"));
    let world = World::openai(vec![refusing, Server::repeating(answer(Protocol::OpenaiChat))]);
    assert_eq!(world.chat([]).run().code, Some(0));
    let list = json!({"anthropic": {"models": {"claude-opus-99": {"cost": {"input": 2, "output": 10}}}}});
    world.home.write("api.json", &list.to_string());
    world
}

fn document(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{}", output.snapshot()))
}

#[test]
fn every_document_is_printed_by_some_command() {
    let world = used();
    let mut met = BTreeSet::from(["chat.event/1", "chat.tool_call/1", "error/1", "serve.request/1"]);
    for (name, args) in PRINTED {
        let output = world.openmux(args.iter().copied().chain(["-o", "json"])).run();
        let printed = document(&output);
        assert_eq!(printed["schema"], name, "{args:?}");
        assert!(met.insert(name));
        plant(name, args, &printed);
        if printed["data"].is_array() && !args.contains(&"exit-codes") {
            let lines = world.openmux(args.iter().copied().chain(["-o", "jsonl"])).run().stdout;
            let empty = args.contains(&"--local") || args.contains(&"trust");
            assert!(lines.lines().count() > 0 || empty, "{args:?} has no row");
        }
    }
    let promised: BTreeSet<&str> = documents().into_iter().map(|(name, _)| name).collect();
    assert_eq!(met, promised);
}

/// What is renamed, taken away or of another type in the document or in its first row is found.
fn plant(name: &str, args: &[&str], printed: &Value) {
    let args: Vec<String> = args.iter().map(|word| (*word).to_owned()).collect();
    let found = |changed: &Value| broken(&args, &format!("{changed}\n"), "");
    assert_eq!(found(printed), None, "{name}");
    for place in ["", "/data/0", "/data/endpoints/0", "/attempts/0/timing", "/candidates/0/terms/0", "/would_change/0"]
    {
        let Some(object) = printed.pointer(place).and_then(Value::as_object) else { continue };
        if name == "help.output/1" {
            continue;
        }
        for member in object.keys().filter(|member| *member != "schema") {
            let changed = |change: &dyn Fn(&mut serde_json::Map<String, Value>)| {
                let mut changed = printed.clone();
                change(changed.pointer_mut(place).and_then(Value::as_object_mut).unwrap());
                found(&changed)
            };
            let renamed = changed(&|object| {
                let value = object.shift_remove(member).unwrap();
                object.insert(format!("{member}_"), value);
            });
            assert!(renamed.is_some(), "{name}{place}: {member} was renamed, and nobody minds");
            let free = ["wanted", "found", "value"].contains(&member.as_str());
            let retyped = changed(&|object| drop(object.insert(member.clone(), json!([[1]]))));
            assert!(free || retyped.is_some(), "{name}{place}: {member} is of another type, and nobody minds");
        }
    }
}

/// What completion offers for `--fields` is what there is.
#[test]
fn the_columns_of_a_list_are_the_members_of_its_rows() {
    let world = used();
    for (name, args) in PRINTED.iter().filter(|(name, _)| !name.starts_with("help.")) {
        let Ok(schema) = openmux::cli::contract::schemas::schema(name) else { panic!("{name}") };
        let data = &schema["properties"]["data"];
        let Some(row) = data["items"]["$ref"].as_str().and_then(|row| row.strip_prefix("#/$defs/")) else { continue };
        let fields: Vec<&str> =
            schema["$defs"][row]["required"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        let fields = fields.join(",");
        let refused = world.openmux(args.iter().copied().chain(["--fields", &fields, "-o", "tsv"])).run();
        assert!(!refused.stderr.contains("has no field"), "{}", refused.snapshot());
    }
}

#[test]
fn events_calls_and_failures_are_documents_too() {
    let world = World::of(vec![whole(Protocol::OpenaiChat)]);
    let events = world.chat(["-o", "jsonl"]).run().stdout;
    assert!(events.lines().last().unwrap().starts_with("{\"type\":\"end\""), "{events}");
    let failed = World::of(vec![Script::body(500, "text/plain", "no"); 9]).chat(["-o", "json"]).run();
    assert!(failed.stderr.lines().last().unwrap().starts_with("{\"error\":"), "{}", failed.snapshot());
}

#[test]
fn a_schema_is_printed_by_its_name_and_all_are_in_one_document() {
    let home = Home::new();
    let all = document(&home.openmux(["help", "output", "--json"]).run());
    for (name, about) in documents() {
        let one = document(&home.openmux(["help", "output", name]).run());
        assert_eq!(all["data"][name], one);
        assert_eq!((&one["title"], &one["description"]), (&json!(name), &json!(about)));
        assert!(!about.is_empty(), "{name} does not say what it is");
    }
    let unknown = home.openmux(["help", "output", "model.list/1"]).run();
    assert_eq!(unknown.code, Some(2));
    assert!(unknown.stderr.contains("did you mean  models.list/1"), "{}", unknown.snapshot());
}
