//! `--hedge` from outside: what is said before money is spent, while it is spent, and afterwards.

use serde_json::Value;

use super::super::support::attempts::{before_noon, keep, waited};
use super::super::support::gate::Gate;
use super::super::support::server::{Script, Server, Step};
use super::super::support::wire;
use super::{World, answer};
use openmux::catalog::Protocol;
use openmux::observe::Observation;

/// Two providers, of which this is known: what they bill of an answer that is cancelled.
fn world(billing: [&str; 2], servers: Vec<Server>) -> World {
    let world = World::openai(servers);
    let more =
        |(name, bills): (&str, &str)| format!("[provider.{name}]\nkind = \"host\"\nbills_on_cancel = \"{bills}\"\n");
    let text: String = ["alpha", "beta"].into_iter().zip(billing).map(more).collect();
    world.home.write("config/catalog.d/zz-billing.toml", &text);
    world
}

fn idle(billing: [&str; 2]) -> World {
    world(billing, vec![Server::start(Vec::new()), Server::start(Vec::new())])
}

/// What `route explain --hedge` says of it, with further arguments.
fn explained(world: &World, more: &[&str]) -> Value {
    let args = ["route", "explain", "-m", "acme/tiny", "--hedge", "--seed", "1", "-o", "json", "hi"];
    let output = world.openmux(args.into_iter().chain(more.iter().copied())).run();
    let document: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{}", output.snapshot()));
    document["hedge"].clone()
}

#[test]
fn it_is_said_before_it_is_done_whom_when_and_at_what_cost() {
    let world = idle(["partial", "none"]);
    let told = explained(&world, &["--max-tokens", "100"]);
    insta::assert_snapshot!(told.to_string());
    let output = world.openmux(["route", "explain", "acme/tiny", "--tokens", "100/40", "--hedge", "--seed", "1"]).run();
    let line: Vec<&str> = output
        .stdout
        .lines()
        .skip_while(|line| !line.starts_with("Hedge"))
        .take_while(|line| !line.starts_with("Would"))
        .collect();
    insta::assert_snapshot!(line.join("\n"));
    let without = world.openmux(["route", "explain", "-m", "acme/tiny", "-o", "json", "hi"]).run();
    assert!(!without.stdout.contains("hedge"), "nobody asked");
    assert_eq!(world.hits(), [0, 0]);
}

#[test]
fn why_nobody_is_asked_is_said() {
    let code =
        |billing, more: &[&str]| explained(&idle(billing), more)["code"].as_str().unwrap_or("planned").to_owned();
    let both = ["partial", "partial"];
    assert_eq!(code(both, &[]), "planned");
    assert_eq!(code(["full", "partial"], &[]), "bills_on_cancel");
    assert_eq!(code(["partial", "full"], &[]), "bills_on_cancel");
    assert_eq!(code(["unknown", "partial"], &[]), "billing_unknown");
    assert_eq!(code(["partial", "unknown"], &[]), "billing_unknown");
    assert_eq!(code(both, &["--provider", "alpha"]), "one_candidate");
    assert_eq!(code(both, &["--time-value", "0"]), "time_is_free");
    assert_eq!(code(both, &["--prefer", "price"]), "too_late");
    // The second may cost $0.0056 and the first $0.000266, so that either fits and both do not.
    assert_eq!(code(both, &["--max-tokens", "100", "--max-cost", "0.0057"]), "above_max_cost");
}

/// Both providers usually answer within milliseconds.
fn fast(world: &World) {
    let seen = |provider: &'static str| (1..60).map(move |minutes| waited(provider, minutes, 2));
    keep(
        world.home.path(),
        ["alpha", "beta"]
            .into_iter()
            .flat_map(seen)
            .map(|seen| Observation { at: seen.at.min(before_noon(1)), ..seen }),
    );
}

#[test]
fn the_slow_one_is_cancelled_announced_and_marked() {
    let asked = Gate::new();
    let role = Step::bytes(wire::openai_events(&[], None)[0].clone());
    let slow = Script::stream(vec![Step::Open(asked.clone()), role, Step::HangForever]);
    let servers = vec![Server::start(vec![slow]), Server::start(vec![answer(Protocol::OpenaiChat).after(&asked)])];
    let world = world(["partial", "partial"], servers);
    fast(&world);
    // Time is dear, so that the price of the second makes it wait for nothing.
    let output = world
        .chat(["--hedge", "--time-value", "999999", "--order", "alpha,beta", "--max-tokens", "100", "-o", "json"])
        .run();
    world.servers[0].wait_left(1);
    let document: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{}", output.snapshot()));
    assert_eq!((&document["text"], &document["provider"]), (&"Hello, you.".into(), &"beta".into()));
    let marks = |at: usize| {
        let attempt = &document["attempts"][at];
        (
            attempt["provider"].clone(),
            attempt["hedged"].clone(),
            attempt["cancelled"].clone(),
            attempt["cost_state"].clone(),
        )
    };
    assert_eq!(marks(0), ("alpha".into(), true.into(), true.into(), "unknown".into()));
    assert_eq!(marks(1), ("beta".into(), true.into(), Value::Null, "exact".into()));
    let said = output.stderr.trim();
    assert!(
        said.starts_with("note: no token from alpha after ")
            && said.ends_with(": also asking beta (at most $0.005586 more)"),
        "{said}"
    );
    assert_eq!(world.hits(), [1, 1]);
    let usage = world.openmux(["usage", "-o", "json"]).run();
    assert!(usage.stdout.contains("unknown"), "what may be billed is counted: {}", usage.snapshot());
}

#[test]
fn a_share_that_is_spent_is_said_and_nobody_else_is_asked() {
    let world = idle(["partial", "partial"]);
    let hedged = |minutes: u64| Observation { flags: openmux::observe::Flags::HEDGED, ..waited("alpha", minutes, 2) };
    keep(world.home.path(), (1..4).map(hedged));
    let told = explained(&world, &[]);
    assert_eq!(told["code"], "share_spent");
    assert_eq!(told["reason"], "3 of your last 3 requests were hedged, and 5 % and 2 more is the limit");
}

#[test]
fn what_was_hedged_of_late_and_cannot_be_read_leaves_no_room() {
    let world = idle(["partial", "partial"]);
    keep(world.home.path(), [waited("alpha", 1, 2)]);
    let file = rusqlite::Connection::open(world.home.path().join("data/obs.db")).unwrap();
    file.execute_batch("ALTER TABLE obs RENAME COLUMN flags TO lost").unwrap();
    let told = explained(&world, &[]);
    assert_eq!(told["code"], "history_unread");
    assert_eq!(told["reason"], "how often that was done of late cannot be read");
}
