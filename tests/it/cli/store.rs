//! What a chat leaves behind, what the next decision makes of it, and what is refused before anything is sent.

use std::path::Path;

use jiff::Timestamp;
use openmux::catalog::{EndpointId, Protocol};
use openmux::observe::Measured;
use openmux::store::ObservationStore;
use openmux::store::sqlite::Sqlite;
use serde_json::Value;

use super::super::support::command::{Output, Running};
use super::super::support::gate::Gate;
use super::super::support::server::{Script, Server, Step};
use super::super::support::wire;
use super::{BOTH, World, answer, error_line};

fn measured(home: &Path) -> Vec<(EndpointId, Measured)> {
    let store = Sqlite::open_existing(&home.join("data/obs.db")).unwrap().expect("there is a store");
    store.measured(Timestamp::UNIX_EPOCH).unwrap().into_iter().collect()
}

fn explained(world: &World) -> Value {
    let output = world.openmux(["route", "explain", "acme/tiny", "-o", "json"]).run();
    serde_json::from_str(&output.stdout).unwrap()
}

#[test]
fn an_answer_is_measured_and_the_next_decision_uses_it() {
    for protocol in BOTH {
        let world = World::new(protocol, vec![Server::repeating(answer(protocol)), Server::start(Vec::new())]);
        let basis = |document: &Value, at: usize| document["candidates"][at]["inputs"]["ttft_s"]["basis"].clone();
        assert_eq!(basis(&explained(&world), 0), "assumed");
        assert!(!world.home.path().join("data/obs.db").exists(), "a command that only reads makes no store");

        assert_eq!(world.chat([]).run().code, Some(0));
        let document = explained(&world);
        assert_eq!(document["candidates"][0]["provider"], "alpha");
        assert_ne!(basis(&document, 0), "assumed", "{document:#}");
        assert_eq!(basis(&document, 1), "assumed", "beta was never called");
        let text = world.openmux(["route", "explain", "acme/tiny"]).run().stdout;
        assert!(text.contains("alpha first token") && text.contains("(n=1.0, "), "{text}");

        let rows = measured(world.home.path());
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].0.provider.as_str(), rows[0].1.successes, rows[0].1.faults), ("alpha", 1, 0));
    }
}

#[test]
#[cfg(unix)]
fn the_store_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::of(vec![answer(Protocol::OpenaiChat)]);
    assert_eq!(world.chat([]).run().code, Some(0));
    for entry in std::fs::read_dir(world.home.path().join("data")).unwrap() {
        let entry = entry.unwrap();
        let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{}", entry.path().display());
    }
}

#[test]
fn every_attempt_is_recorded_failures_too() {
    let protocol = Protocol::OpenaiChat;
    let failing = Server::start(vec![wire::openai_error(503, "server_error", None, "Overloaded")]);
    let world = World::new(protocol, vec![failing, Server::start(vec![answer(protocol)])]);
    assert_eq!(world.chat([]).run().code, Some(0));
    let counts: Vec<(String, u32, u32)> = measured(world.home.path())
        .into_iter()
        .map(|(endpoint, measured)| (endpoint.provider.to_string(), measured.successes, measured.faults))
        .collect();
    assert_eq!(counts, [("alpha".to_owned(), 0, 1), ("beta".to_owned(), 1, 0)]);
}

#[test]
fn chats_that_run_at_once_lose_no_observation() {
    const MANY: usize = 16;
    let gate = Gate::new();
    let mut steps: Vec<Step> = wire::openai_events(&["Hello"], Some((7, 3))).into_iter().map(Step::bytes).collect();
    steps.insert(0, Step::Pause(gate.clone()));
    let world = World::openai(vec![Server::repeating(Script::stream(steps))]);
    let running: Vec<Running> = (0..MANY).map(|_| world.chat([]).spawn()).collect();
    world.servers[0].wait_hits(MANY);
    gate.open();
    for (at, output) in running.into_iter().map(Running::wait).enumerate() {
        let shown = (output.code, output.stdout.as_str(), output.stderr.as_str());
        assert_eq!(shown, (Some(0), "Hello\n", ""), "chat {at}");
    }
    let successes: u32 = measured(world.home.path()).iter().map(|(_, measured)| measured.successes).sum();
    assert_eq!(successes, 16);
}

#[test]
fn a_dry_run_sends_nothing_and_uses_up_no_seed() {
    let world = World::of(vec![answer(Protocol::OpenaiChat), answer(Protocol::OpenaiChat)]);
    let args = |more: &'static str| ["chat", "-m", "acme/tiny", "-o", "json", "hi", more];
    let seed = |output: &Output| {
        let document: Value = serde_json::from_str(&output.stdout).unwrap();
        document["decision"]["seed"].as_u64().unwrap()
    };
    let first = seed(&world.openmux(args("there")).run());
    let dry = seed(&world.openmux(args("--dry-run")).run());
    assert_eq!(dry, seed(&world.openmux(args("--dry-run")).run()));
    let next = seed(&world.openmux(args("there")).run());
    assert_eq!((dry, next), (first + 1, first + 1));
    assert_eq!(world.hits(), [2]);
}

#[test]
fn what_could_cost_too_much_is_not_sent() {
    let world = World::of(vec![]);
    insta::assert_snapshot!(world.chat(["--max-cost", "0.001"]).run().snapshot(), @r"
    exit: 11
    --- stdout

    --- stderr
    error: not sent: it could cost $0.008258, more than --max-cost 0.001
      bound  66 in x $1.00/M + 4,096 out x $2.00/M at alpha
      fix:   --max-tokens with a smaller number, or --max-cost 0.008258
    ");
    assert_eq!(world.hits(), [0]);
    assert_eq!(world.chat([]).env("OPENMUX_MAX_COST", "0.001").run().code, Some(11));
    let json = world.chat(["--max-cost", "0.001", "-o", "json"]).run();
    assert_eq!(error_line(&json)["code"], "refused.max_cost");
    let world = World::of(vec![answer(Protocol::OpenaiChat)]);
    assert_eq!(world.chat(["--max-cost", "0.001", "--max-tokens", "10"]).run().code, Some(0));
}

#[test]
fn offline_refuses_to_send_and_nothing_else() {
    let world = World::of(vec![]);
    insta::assert_snapshot!(world.chat(["--offline"]).run().snapshot(), @r"
    exit: 11
    --- stdout

    --- stderr
    error: not sent: --offline refuses the network
      fix:  leave out --offline, or see the decision with --dry-run
    ");
    assert_eq!(world.chat([]).env("OPENMUX_OFFLINE", "1").run().code, Some(11));
    assert_eq!(world.chat(["--offline", "--dry-run"]).run().code, Some(0));
    assert_eq!(world.openmux(["--offline", "route", "explain", "acme/tiny"]).run().code, Some(0));
}

#[test]
fn the_sandbox_records_nothing_and_meets_no_real_provider() {
    let world = World::of(vec![]);
    let output = world.openmux(["--sandbox", "chat", "-m", "acme/tiny", "hi"]).run();
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
    assert!(output.stderr.contains("simulated"), "{}", output.snapshot());
    assert_eq!(world.hits(), [0]);
    assert!(!world.home.path().join("data/obs.db").exists());
}

#[test]
fn which_limit_fired_is_kept() {
    let events = wire::openai_events(&["Hello"], None);
    let texts = events.iter().position(|event| event.contains("Hello")).unwrap();
    let stalled = Script::stream(vec![Step::bytes(events[..=texts].concat()), Step::HangForever]);
    let silent = Script::raw(vec![Step::HangForever]);
    for (script, code) in [(silent, "limit:first_token"), (stalled, "limit:idle")] {
        let world = World::of(vec![script]);
        let limits = ["--retries", "0", "--first-token-timeout", "600ms", "--idle-timeout", "600ms"];
        assert_eq!(world.chat(limits).run().code, Some(9), "{code}");
        let store = Sqlite::open_existing(&world.home.path().join("data/obs.db")).unwrap().expect("there is a store");
        let seen = store.attempts(Timestamp::UNIX_EPOCH, Timestamp::MAX).unwrap();
        assert_eq!(seen.iter().map(|seen| seen.code.as_deref()).collect::<Vec<_>>(), [Some(code)]);
    }
}

#[test]
fn a_damaged_store_is_put_aside_and_said() {
    let world = World::of(vec![answer(Protocol::OpenaiChat)]);
    world.home.write("data/obs.db", &"not a database ".repeat(100));
    let output = world.chat([]).run();
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "Hello, you.\n"));
    insta::assert_snapshot!(output.stderr.replace(&*world.home.path().to_string_lossy(), "$TMP"), @"warning: $TMP/data/obs.db was damaged; it was moved to $TMP/data/obs.db.damaged");
    assert_eq!(measured(world.home.path()).len(), 1);
}

#[test]
fn the_length_of_the_users_own_answers_is_expected_of_the_next_one() {
    let long = Script::stream(
        wire::openai_events(&["Hello"], Some((7, 4000))).into_iter().map(Step::bytes).collect::<Vec<_>>(),
    );
    let world = World::openai(vec![Server::repeating(long)]);
    let request = |more: &[&str]| {
        let args = ["route", "explain", "-m", "acme/tiny", "hi", "-o", "json"].into_iter().chain(more.iter().copied());
        let output = world.openmux(args).run();
        let document: Value = serde_json::from_str(&output.stdout).unwrap();
        let of = |key: &str| document["request"][key].clone();
        (of("expected_output_tokens"), of("expected_output_basis"), of("expected_output_n"))
    };
    assert_eq!(request(&[]), (250.into(), "assumed".into(), Value::Null));
    assert_eq!(world.chat([]).run().code, Some(0));
    // One answer of 4,000 beside four assumed of 250.
    assert_eq!(request(&[]), (435.into(), "measured".into(), 1.into()));
    assert_eq!(request(&["--max-tokens", "100"]), (100.into(), "measured".into(), 1.into()));
    assert_eq!(request(&["--tokens", "1000/400"]), (400.into(), "stated".into(), Value::Null));
    let text = world.openmux(["route", "explain", "-m", "acme/tiny", "hi"]).run().stdout;
    assert!(text.contains("435 out expected (from your last answer)"), "{text}");
}

/// A disk without room is to a program what a limit of nothing on the size of its files is: the answer comes, what could not
/// be kept is said, and what was kept before stays whole.
#[test]
#[cfg(unix)]
fn a_full_disk_fails_no_chat() {
    let world = World::openai(vec![Server::repeating(answer(Protocol::OpenaiChat))]);
    let chat = ["chat", "-m", "acme/tiny", "hi"];
    for kept in 0..2 {
        let output = world.shell("trap '' XFSZ; ulimit -f 0; exec \"$0\" \"$@\"", chat).run();
        assert_eq!((output.code, output.stdout.as_str()), (Some(0), "Hello, you.\n"));
        assert!(output.stderr.starts_with("warning: nothing is recorded: "), "{}", output.stderr);
        assert_eq!(output.stderr.lines().count(), 1, "{}", output.stderr);
        let output = world.openmux(chat).run();
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
        assert_eq!(measured(world.home.path())[0].1.successes, kept + 1);
    }
    let file = rusqlite::Connection::open(world.home.path().join("data/obs.db")).unwrap();
    let verdict: String = file.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(verdict, "ok");
}
