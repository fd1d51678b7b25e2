//! `providers probe`: what is sent, what it may cost, what is shown of it, and how it ends.

use jiff::Timestamp;
use openmux::observe::{Flags, Source};
use openmux::store::sqlite::Sqlite;
use openmux::store::{ObservationStore, Reservation};
use openmux::units::Usd;
use serde_json::{Value, json};

use super::super::support::clock;
use super::super::support::command::{Home, Output, Run};
use super::super::support::server::{Script, Server, Step};
use super::super::support::stable::stable;
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
    rounds(world, "1", more)
}

/// The same in so many rounds.
fn rounds<'a>(world: &World, count: &'a str, more: impl IntoIterator<Item = &'a str>) -> Run {
    let args = ["providers", "probe", "acme/tiny", "--kind", "ping", "--rounds", count, "--seed", "1"];
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
    PROVIDER ≈ TTFT OF EACH OK COST STATE
    alpha TIME 1/1 $0.000028 unknown (n=1)
    beta - 0/1 $0 down (n=1)

    --- stderr
    1 round x 2 endpoints (alpha, beta): at most $0.003674, expected $0.001364
    note: beta: 1 call answered 529 (overloaded: busy) after TIME; it is not in the times
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
    insta::assert_snapshot!(page(&probe(&world, ["--max-cost", "0.0001"]).run()), @r"
    exit: 11
    --- stdout

    --- stderr
    1 round x 2 endpoints (alpha, beta): at most $0.003674, expected $0.001364
    error: not sent: it could cost $0.003674, more than --max-cost 0.0001
    fix: --max-cost 0.003674 (or fewer --rounds, or fewer providers)
    ");
    insta::assert_snapshot!(page(&probe(&world, ["--dry-run"]).run()), @r#"
    exit: 0
    --- stdout

    --- stderr
    1 round x 2 endpoints (alpha, beta): at most $0.003674, expected $0.001364
    "#);
    assert_eq!(error_line(&probe(&world, ["--offline", "-o", "json"]).run())["code"], "refused.offline");
    let store = || Sqlite::open(&world.home.path().join("data/obs.db")).unwrap().0;
    let now = clock::now();
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
    let (now, tiny) = (clock::now(), usd("0.000028"));
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
fn the_sandbox_is_ranked_within_its_budget_and_remembers_it_apart() {
    let home = Home::new();
    let args = ["--sandbox=slow", "providers", "probe", "anthropic/claude-sonnet-5", "--kind", "ping", "--rounds", "2"];
    let output = home.openmux(args.into_iter().chain(["-o", "jsonl"])).run();
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
    let rows = rows(&output);
    assert_eq!(rows.len(), 3);
    let money = |text: &str| usd(text.split_whitespace().next().unwrap().trim_start_matches('$'));
    let (spent, bound) = output.stderr.split_once("have cost ").unwrap().1.split_once(" of at most ").unwrap();
    assert!(money(spent) > Usd::ZERO && money(spent) <= money(bound), "{}", output.stderr);

    let compared = |sandbox: &str| -> Vec<String> {
        let args = [sandbox, "providers", "compare", "anthropic/claude-sonnet-5", "--fields", "provider,ok,health"];
        let output = home.openmux(args).run();
        output.stdout.lines().filter(|line| !line.ends_with("\t\t")).map(str::to_owned).collect()
    };
    let mut expected: Vec<String> =
        rows.iter().map(|row| format!("{}\t2/2\tunknown", row["provider"].as_str().unwrap())).collect();
    let mut seen = compared("--sandbox=slow");
    expected.sort_unstable();
    seen.sort_unstable();
    assert_eq!(seen, expected);
    assert_eq!(compared("--sandbox=calm"), [""; 0], "each scenario has its own");
    assert!(!home.path().join("data/obs.db").exists(), "and none is taken for real");
}

/// V21: eight processes at once, and a cap that five of them fit into: what nobody told the cost of counts as its bound.
#[test]
fn eight_processes_at_once_spend_no_more_than_the_cap_of_a_day() {
    let home = Home::new();
    home.write("silent.toml", "[default]\nttft_ms = 0\ntokens_per_second = 10000\nusage = \"none\"\n");
    let common =
        ["--sandbox=silent.toml", "providers", "probe", "anthropic/claude-sonnet-5", "anthropic", "--kind", "ping"];
    let run = |more: &[&'static str]| home.openmux(common.into_iter().chain(more.iter().copied()));
    let plan = run(&["--rounds", "2", "--dry-run", "-o", "jsonl"]).run();
    let bound = usd(&rows(&plan)[0]["bound_usd"].to_string());
    let cap: Usd = (0..5).map(|_| bound).sum();
    home.write("config/config.toml", &format!("[probe]\nmax_day_usd = {}\n", cap.exact()));
    let running: Vec<_> = (0..8).map(|_| run(&["--rounds", "2", "-o", "json"]).spawn()).collect();
    let outputs: Vec<Output> = running.into_iter().map(|running| running.wait()).collect();
    let (granted, refused): (Vec<&Output>, Vec<&Output>) = outputs.iter().partition(|output| output.code == Some(0));
    assert_eq!((granted.len(), refused.len()), (5, 3), "{}", outputs[0].snapshot());
    for output in refused {
        let error = error_line(output);
        assert_eq!((output.code, &error["code"]), (Some(11), &json!("refused.day_cost")));
        assert_eq!((usd(&error["used_usd"].to_string()), usd(&error["cap_usd"].to_string())), (cap, cap));
    }
    assert_eq!(run(&["--rounds", "2", "--yes"]).run().code, Some(0));
}

#[test]
fn a_run_that_is_killed_has_spent_its_bound() {
    let world = World::openai(vec![Server::repeating(answers())]);
    let store = || Sqlite::open(&world.home.path().join("data/obs.db")).unwrap().0;
    let running = rounds(&world, "10", []).spawn();
    world.servers[0].wait_hits(2);
    running.signal("KILL");
    let _ = running.wait();
    let Reservation::Exceeded(used) = store().reserve("probe", clock::now(), usd("5"), usd("5")).unwrap() else {
        panic!("nothing is set aside")
    };
    let plan = probe(&world, ["--dry-run", "-o", "jsonl"]).run();
    let bound = usd(&rows(&plan)[0]["bound_usd"].to_string());
    assert_eq!(used, (0..10).map(|_| bound).sum(), "whatever it would have cost");
    let usage = world.openmux(["usage", "-o", "json"]).run();
    let budgets: Value = serde_json::from_str(&usage.stdout).unwrap();
    let told = &budgets["probe_budget"];
    assert_eq!((usd(&told["set_aside_usd"].to_string()), &told["spent_usd"]), (used, &json!(0)));
    assert_eq!((usd(&told["day_usd"].to_string()), &budgets["budget"]), (usd("5"), &Value::Null));
    let said = world.openmux(["usage", "-o", "table"]).run().stderr;
    assert!(said.contains("budget of probes today (UTC): $0 spent, "), "{said}");
}

#[test]
fn caps_are_in_the_configuration() {
    let world = World::openai(vec![Server::repeating(answers())]);
    world.home.write("config/config.toml", "[probe]\nmax_run_usd = 0.0001\n");
    let refused = probe(&world, ["-o", "json"]).run();
    let error = error_line(&refused);
    assert_eq!((refused.code, &error["code"]), (Some(11), &json!("refused.max_cost")));
    assert_eq!(error["cap_usd"].to_string(), "0.0001");
    world.home.write("config/config.toml", "[probe]\nmax_probes_per_day = 2\n");
    assert_eq!(rows(&probe(&world, ["-o", "jsonl"]).run())[0]["attempts"], 1);
    let some = rounds(&world, "2", ["-o", "jsonl"]).run();
    assert_eq!((&rows(&some)[0]["attempts"], &rows(&some)[0]["ended"]), (&json!(1), &json!("daily")));
    let none = probe(&world, []).run();
    insta::assert_snapshot!(none.stderr, @r"
    error: nobody can be asked a probe of kind ping
      because  alpha is left out: it had its 2 calls of today (max_probes_per_day
               under [probe] in config.toml, or --yes)
      fix:     wait until tomorrow (UTC), or --yes
    ");
    assert_eq!(none.code, Some(11));
    assert_eq!(posts(&world), [2]);
    assert_eq!(probe(&world, ["--yes"]).run().code, Some(0));
    world.home.write("config/config.toml", "[probe]\nmax_probe_per_day = 2\n");
    let output = probe(&world, []).run();
    assert_eq!(output.code, Some(5), "{}", output.snapshot());
    assert!(output.stderr.contains("did you mean \"max_probes_per_day\"?"), "{}", output.snapshot());
}

#[test]
fn what_costs_more_than_its_bound_is_said_aloud() {
    let world = World::openai(vec![Server::repeating(wire::openai_stream(&["Hello"], Some((20, 90_000))))]);
    let output = probe(&world, []).run();
    let warning = "warning: it cost more than its bound: a bug in openmux, or a price in the catalog that is too low";
    assert!(output.stderr.contains(warning), "{}", output.snapshot());
}

#[test]
fn a_burst_is_sent_at_once_and_a_fixed_schedule_keeps_its_lateness() {
    let world = World::openai(vec![Server::repeating(answers())]);
    let args = ["providers", "probe", "acme/tiny", "--kind", "burst", "--parallel", "3", "--rounds", "2"];
    let output = world.openmux(args.into_iter().chain(["--every", "1s", "-o", "jsonl"])).run();
    let row = &rows(&output)[0];
    let field = |name: &str| row[name].clone();
    assert_eq!((field("attempts"), field("parallel")), (json!(6), json!(3)));
    // Where this machine was too busy to read in time a call is in no time.
    assert!(field("ttft_samples").as_u64().unwrap() <= 2, "calls at once are one sample: {row}");
    assert_eq!((field("kind"), field("prompt_version")), (json!("burst"), json!(1)));
    assert!(field("sched_lag_ms").is_u64());
    let store = Sqlite::open_existing(&world.home.path().join("data/obs.db")).unwrap().expect("there is a store");
    let seen = store.attempts(Timestamp::UNIX_EPOCH, Timestamp::MAX).unwrap();
    assert_eq!(seen.len(), 6);
    assert!(seen.iter().all(|seen| seen.timings.sched_lag.is_some() && seen.prompt_version == Some(1)));
    assert!(!seen.iter().any(|seen| seen.flags.has(Flags::WARMUP)), "three connections were warm");
    let output = probe(&world, ["--parallel", "3"]).run();
    assert_eq!(output.code, Some(2), "{}", output.snapshot());
}

#[test]
fn where_nothing_warms_the_connection_the_first_call_is_in_no_time() {
    let broken = Script::raw(vec![Step::Reset]);
    let world = World::openai(vec![Server::start(vec![broken, answers(), answers()])]);
    let output = rounds(&world, "2", ["-o", "jsonl"]).run();
    let row = &rows(&output)[0];
    assert_eq!((&row["attempts"], &row["warmups"]), (&json!(2), &json!(1)));
    assert!(row["ttft_samples"].as_u64().unwrap() <= 1, "{row}");
    assert!(output.stderr.contains("nothing warmed its connection"), "{}", output.snapshot());
    let store = Sqlite::open_existing(&world.home.path().join("data/obs.db")).unwrap().expect("there is a store");
    let seen = store.attempts(Timestamp::UNIX_EPOCH, Timestamp::MAX).unwrap();
    let flags: Vec<bool> = seen.iter().map(|seen| seen.flags.has(Flags::WARMUP)).collect();
    assert_eq!(flags, [true, false]);
}

#[test]
#[cfg(unix)]
fn an_interrupted_run_shows_what_it_has_and_settles_it() {
    let hanging = Script::stream(vec![Step::HangForever]);
    let world = World::openai(vec![Server::start(vec![answers(), answers(), hanging])]);
    let running = rounds(&world, "10", ["-o", "jsonl"]).spawn();
    world.servers[0].wait_hits(3);
    running.signal("INT");
    let output = running.wait();
    let row = &rows(&output)[0];
    assert_eq!((output.code, &row["attempts"], &row["ended"]), (Some(130), &json!(1), &json!("cancelled")));
    assert!(output.stderr.contains("note: stopped after 1 of 10 calls\n"), "{}", output.snapshot());
    let store = Sqlite::open(&world.home.path().join("data/obs.db")).unwrap().0;
    // One call is known, and the one that was under way may have been billed up to its bound.
    let Reservation::Exceeded(used) = store.reserve("probe", clock::now(), usd("5"), usd("5")).unwrap() else {
        panic!("nothing was spent")
    };
    let plan = probe(&world, ["--dry-run", "-o", "jsonl"]).run();
    let bound = usd(&rows(&plan)[0]["bound_usd"].to_string());
    assert_eq!(used, usd("0.000028") + bound);
}

#[test]
fn programs_can_read_the_plan() {
    let world = World::openai(vec![Server::repeating(answers()), Server::repeating(answers())]);
    let output = world.openmux(["providers", "probe", "acme/tiny", "--dry-run", "-o", "csv"]).run();
    insta::assert_snapshot!(output.stdout.replace('\r', ""), @r"
    provider,model,kind,calls,effort,max_output_tokens,bound_usd,expected_usd
    alpha,acme/tiny,speed,10,,128,0.00436,0.00301
    beta,acme/tiny,speed,10,,128,0.09156,0.06321
    ");
    assert_eq!(world.hits(), [0, 0]);
}
