//! `providers probe`: what is sent, what it may cost, what is shown of it, and how it ends.
#![expect(clippy::disallowed_methods, reason = "the budget of today needs today")]

use jiff::Timestamp;
use openmux::observe::Source;
use openmux::store::sqlite::Sqlite;
use openmux::store::{ObservationStore, Reservation};
use openmux::units::Usd;
use serde_json::{Value, json};

use super::super::support::command::{Home, Output, Run, stable};
use super::super::support::server::{Script, Server};
use super::super::support::wire;
use super::{World, error_line};

fn usd(text: &str) -> Usd {
    text.parse().unwrap()
}

fn answers() -> Script {
    wire::openai_stream(&["Hello", ", you."], Some((20, 4)))
}

fn overloaded() -> Script {
    wire::openai_error(529, "overloaded", None, "busy")
}

/// The quickest probe of `acme/tiny`.
fn probe<'a>(world: &World, more: impl IntoIterator<Item = &'a str>) -> Run {
    let args = ["providers", "probe", "acme/tiny", "--kind", "ping", "--rounds", "1", "--seed", "1"];
    world.openmux(args.into_iter().chain(more))
}

/// The page for people: columns are as far apart as the times in them are wide.
fn page(output: &Output) -> String {
    let text = stable(&output.snapshot());
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n").collect()
}

/// The paid calls that each server got; what warms a connection is a GET.
fn posts(world: &World) -> Vec<usize> {
    let posts = |server: &Server| server.requests().iter().filter(|request| request.method == "POST").count();
    world.servers.iter().map(posts).collect()
}

fn rows(output: &Output) -> Vec<Value> {
    output.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_failed_call_is_told_and_is_not_in_the_times() {
    let world = World::openai(vec![Server::repeating(answers()), Server::repeating(overloaded())]);
    insta::assert_snapshot!(page(&probe(&world, ["-o", "table"]).run()), @r#"
    exit: 0
    --- stdout
    PROVIDER ≈ TTFT P50 MIN MAX AT LEAST TOK/S TOTAL P50 OK COST
    alpha - TIME TIME - - - 1/1 $0.000028
    beta - - - - - - 0/1 $0

    --- stderr
    1 round x 2 endpoints (alpha beta): at most $0.003674
    note: beta: 1 call answered 529 (overloaded) after TIME; it is not in the times
    note: spent $0.000028 of at most $0.003674
    "#);
    assert_eq!(posts(&world), [1, 1], "nothing is sent twice");
}

#[test]
fn programs_get_every_fact_and_the_store_gets_every_call() {
    let world = World::openai(vec![Server::repeating(answers()), Server::repeating(overloaded())]);
    let output = probe(&world, ["-o", "jsonl"]).run();
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
    let rows = rows(&output);
    for (name, value) in [
        ("provider", json!("alpha")),
        ("model", json!("acme/tiny")),
        ("attempts", json!(1)),
        ("successes", json!(1)),
        ("ttft_p50_ms", Value::Null),
        ("decode_tps_p50", Value::Null),
        ("order_settled", Value::Null),
        ("ended", json!("rounds")),
    ] {
        assert_eq!(rows[0][name], value, "{name}: {}", rows[0]);
    }
    assert_eq!(rows[0]["cost_usd"].to_string(), "0.000028");
    assert_eq!((&rows[1]["provider"], &rows[1]["successes"]), (&json!("beta"), &json!(0)));

    let store = Sqlite::open_existing(&world.home.path().join("data/obs.db")).unwrap().expect("there is a store");
    let until = Timestamp::MAX;
    let seen = store.attempts(Timestamp::UNIX_EPOCH, until).unwrap();
    assert_eq!(seen.len(), 2);
    assert!(seen.iter().all(|seen| seen.source == Source::Probe && seen.model.as_str() == "acme/tiny"));
    let requests = world.servers[0].requests();
    let [warmup, call] = requests.as_slice() else { panic!("{requests:?}") };
    assert_eq!((warmup.method.as_str(), warmup.path.as_str()), ("GET", "/v1/models"));
    assert_eq!(warmup.connection, call.connection, "the connection is warm");
    let body = call.json();
    let prompt = body["messages"][0]["content"].as_str().unwrap();
    assert!(prompt.starts_with('[') && prompt.as_bytes()[17] == b']', "the nonce stands first: {prompt}");
    assert_eq!((&body["stream"], &body["max_tokens"]), (&json!(true), &json!(16)));
}

#[test]
fn only_those_that_are_named_are_asked() {
    let world = World::openai(vec![Server::repeating(answers()), Server::repeating(answers())]);
    for named in [["beta", "-q"], ["--provider=beta", "-q"]] {
        let output = probe(&world, named.into_iter().chain(["--fields", "provider,ok"])).run();
        assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("beta\t1/1\n", ""));
    }
    assert_eq!(posts(&world), [0, 2]);
}

#[test]
fn nothing_is_sent_beyond_a_budget_or_offline() {
    let world = World::openai(vec![Server::repeating(answers()), Server::repeating(answers())]);
    insta::assert_snapshot!(page(&probe(&world, ["--max-cost", "0.0001"]).run()), @r#"
    exit: 11
    --- stdout

    --- stderr
    1 round x 2 endpoints (alpha beta): at most $0.003674
    error: not sent: it could cost $0.003674, more than --max-cost 0.0001
    fix: fewer --rounds, fewer providers, or --max-cost 0.003674
    "#);
    insta::assert_snapshot!(page(&probe(&world, ["--dry-run"]).run()), @r#"
    exit: 0
    --- stdout

    --- stderr
    1 round x 2 endpoints (alpha beta): at most $0.003674
    "#);
    assert_eq!(error_line(&probe(&world, ["--offline", "-o", "json"]).run())["code"], "refused.offline");
    let store = || Sqlite::open(&world.home.path().join("data/obs.db")).unwrap().0;
    let now = Timestamp::now();
    assert!(matches!(store().reserve("probe", now, usd("4.9999"), usd("5")).unwrap(), Reservation::Granted(_)));
    let refused = probe(&world, ["-o", "json"]).run();
    assert_eq!((refused.code, &error_line(&refused)["code"]), (Some(11), &json!("refused.day_cost")));
    assert_eq!(world.hits(), [0, 0]);
    assert_eq!(probe(&world, ["--yes"]).run().code, Some(0));
}

#[test]
fn what_was_spent_takes_the_place_of_what_was_set_aside() {
    let world = World::openai(vec![Server::repeating(answers())]);
    assert_eq!(probe(&world, []).run().code, Some(0));
    let (store, _) = Sqlite::open(&world.home.path().join("data/obs.db")).unwrap();
    let (now, tiny) = (Timestamp::now(), usd("0.000028"));
    let room = |bound: &str| store.reserve("probe", now, usd(bound), usd("5")).unwrap();
    assert_eq!(room("5"), Reservation::Exceeded(tiny));
    assert!(matches!(room("4.999972"), Reservation::Granted(_)));
}

/// V21: whoever asks at the same time, what is granted never exceeds the cap.
#[test]
fn eight_that_ask_at_once_keep_one_cap() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("obs.db");
    let at: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
    Sqlite::open(&path).unwrap();
    let ask = || {
        let (store, _) = Sqlite::open(&path).unwrap();
        let granted = (0..20)
            .filter(|_| matches!(store.reserve("probe", at, usd("0.07"), usd("5")).unwrap(), Reservation::Granted(_)));
        granted.count()
    };
    let granted: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(granted, 71, "71 times 7 cents are $4.97");
}

#[test]
fn the_exit_code_says_why_nobody_answered() {
    let rejected = || wire::openai_error(401, "invalid_request_error", Some("invalid_api_key"), "no");
    for (scripts, code) in
        [(vec![overloaded(), overloaded()], 8), (vec![rejected(), overloaded()], 4), (vec![overloaded(), answers()], 0)]
    {
        let world = World::openai(scripts.into_iter().map(Server::repeating).collect());
        let output = probe(&world, ["-o", "json"]).run();
        assert_eq!(output.code, Some(code), "{}", output.snapshot());
        let document: Value = serde_json::from_str(&output.stdout).unwrap();
        assert_eq!(document["schema"], "providers.probe/1");
        assert_eq!(document["data"].as_array().unwrap().len(), 2, "a row stays whatever it answered");
    }
}

#[test]
fn names_are_told_apart_and_a_model_is_needed() {
    let home = Home::new();
    insta::assert_snapshot!(page(&home.openmux(["providers", "probe", "anthropic"]).run()), @r#"
    exit: 2
    --- stdout

    --- stderr
    error: a model is needed: which one of anthropic's is asked?
    fix: openmux providers probe MODEL anthropic (openmux models list --provider
    anthropic)
    "#);
    let nobody = home.openmux(["providers", "probe", "claude-sonnet-5", "-o", "json"]).run();
    assert_eq!((nobody.code, &error_line(&nobody)["code"]), (Some(4), &json!("auth.no_key")));
    let unknown = home.openmux(["providers", "probe", "nothing-such", "-o", "json"]).run();
    assert_eq!(unknown.code, Some(3));
}

#[test]
fn the_sandbox_is_ranked_within_its_budget() {
    let home = Home::new();
    let args = ["--sandbox=slow", "providers", "probe", "anthropic/claude-sonnet-5", "--kind", "ping", "--rounds", "1"];
    let output = home.openmux(args.into_iter().chain(["-o", "jsonl"])).run();
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
    let rows = rows(&output);
    assert_eq!(rows.len(), 3);
    let waits: Vec<u64> = rows.iter().map(|row| row["ttft_min_ms"].as_u64().unwrap()).collect();
    assert!(waits.is_sorted(), "{waits:?}");
    let money = |text: &str| usd(text.split_whitespace().next().unwrap().trim_start_matches('$'));
    let (spent, bound) = output.stderr.split_once("spent ").unwrap().1.split_once(" of at most ").unwrap();
    assert!(money(spent) > Usd::ZERO && money(spent) <= money(bound), "{}", output.stderr);
}
