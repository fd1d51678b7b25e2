//! The budget of a day: enforced before anything is sent, by all processes together.

use openmux::catalog::Protocol;
use serde_json::Value;

use super::super::support::command::Running;
use super::super::support::gate::Gate;
use super::super::support::server::{Script, Server, Step};
use super::super::support::wire;
use super::{World, answer, error_line};

/// At $1 in and $2 out per 1M tokens, `hi` with `--max-tokens 100` is at most 66 and 100 tokens: $0.000266.
const BOUND: &str = "0.000266";
/// What it does cost: 7 and 3 tokens.
const COST: f64 = 0.000_013;

fn budgeted(world: &World, day_usd: &str) {
    world.home.write("config/config.toml", &format!("[budget]\nday_usd = {day_usd}\n"));
}

fn budget(world: &World) -> Value {
    let output = world.openmux(["usage", "-o", "json"]).run();
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    document["budget"].clone()
}

#[test]
fn what_does_not_fit_into_the_day_is_not_sent() {
    let world = World::of(vec![answer(Protocol::OpenaiChat)]);
    budgeted(&world, "0.0001");
    insta::assert_snapshot!(world.chat(["--max-tokens", "100"]).run().snapshot(), @r"
    exit: 11
    --- stdout

    --- stderr
    error: not sent: it could cost $0.000266, and $0.0001 is left of today's $0.0001
      today  $0 is spent or set aside since 00:00 UTC
      bound  at most 66 tokens in + 100 out
      fix:   a larger day_usd under [budget] in config.toml, or --max-tokens with a
             small number
    ");
    let json = error_line(&world.chat(["--max-tokens", "100", "-o", "json"]).run());
    assert_eq!((&json["code"], &json["exit"]), (&"refused.day_budget".into(), &11.into()));
    assert_eq!(
        (json["bound_usd"].to_string(), json["budget_usd"].to_string()),
        (BOUND.to_owned(), "0.0001".to_owned())
    );
    assert_eq!(world.hits(), [0]);
    assert!(world.chat(["--max-tokens", "5"]).run().code == Some(0));
    let dry = world.chat(["--dry-run", "--max-tokens", "100"]).run();
    assert!(dry.code == Some(0), "a dry run spends nothing");
    let explained = world.openmux(["route", "explain", "-m", "acme/tiny", "--max-tokens", "100", "hi"]).run();
    // What chat would refuse is said before: of $0.0001 nothing but the few tokens above is spent.
    for output in [dry, explained] {
        let said = output.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        let told =
            "chat would not send it (exit 11): it can cost $0.000266, and $0.000087 is left of today's $0.0001 (UTC)";
        assert!(said.contains(told), "{}", output.snapshot());
    }
    for args in ["chat -m acme/tiny --dry-run --max-tokens 5 hi", "route explain -m acme/tiny --max-tokens 5 hi"] {
        let output = world.openmux(args.split(' ').chain(["-o", "json"])).run();
        let budget = serde_json::from_str::<Value>(&output.stdout).unwrap()["budget"].clone();
        assert_eq!(
            (&budget["fits"], budget["left_usd"].to_string()),
            (&true.into(), "0.000087".to_owned()),
            "{budget}"
        );
    }
    assert!(
        world.openmux(["--sandbox", "chat", "-m", "acme/tiny", "hi"]).run().code == Some(0),
        "nor does the sandbox"
    );
    assert_eq!(world.hits(), [1]);
}

#[test]
fn what_was_spent_is_counted_and_what_is_left_is_said() {
    let world = World::openai(vec![Server::repeating(answer(Protocol::OpenaiChat))]);
    // The first goes out before there is a budget, and counts all the same.
    assert_eq!(world.chat([]).run().code, Some(0));
    assert_eq!(budget(&world), Value::Null);
    budgeted(&world, "0.0003");
    let spent = |budget: &Value| budget["spent_usd"].as_f64().unwrap();
    assert!((spent(&budget(&world)) - COST).abs() < 1e-12);
    assert_eq!(world.chat(["--max-tokens", "100"]).run().code, Some(0));
    let now = budget(&world);
    assert!((spent(&now) - 2.0 * COST).abs() < 1e-12, "{now}");
    assert!(now["set_aside_usd"] == 0 && (now["left_usd"].as_f64().unwrap() - 0.000_274).abs() < 1e-12, "{now}");
    assert_eq!(world.chat(["--max-tokens", "100"]).run().code, Some(0));
    let refused = world.chat(["--max-tokens", "100"]).run();
    assert_eq!(refused.code, Some(11), "{}", refused.snapshot());
    let said = refused.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(said.contains("and $0.000261 is left of today's $0.0003"), "{said}");
    let said = world.openmux(["usage", "-o", "table"]).run().stderr;
    insta::assert_snapshot!(said, @"note: budget of chats today (UTC): $0.000039 spent; $0.000261 left of $0.0003");
}

/// What may have been billed counts as spent, at its bound.
#[test]
fn a_failure_that_may_be_billed_is_counted_at_its_bound() {
    let cut: Vec<Step> = wire::openai_events(&["Hel"], None).into_iter().take(2).map(Step::bytes).collect();
    let world = World::openai(vec![Server::repeating(Script::stream(cut))]);
    budgeted(&world, "0.0005");
    assert_eq!(world.chat(["--max-tokens", "100"]).run().code, Some(10));
    assert_eq!(budget(&world)["set_aside_usd"].to_string(), BOUND);
    let second = world.chat(["--max-tokens", "100"]).run();
    assert_eq!(second.code, Some(11), "{}", second.snapshot());
    // A refusal costs nothing, and is given back.
    let world = World::openai(vec![Server::repeating(wire::openai_error(400, "invalid_request_error", None, "no"))]);
    budgeted(&world, "0.0005");
    assert_eq!(world.chat(["--max-tokens", "100"]).run().code, Some(6));
    assert_eq!(budget(&world)["left_usd"].to_string(), "0.0005");
}

/// A failover is another attempt that has to fit.
#[test]
fn each_provider_that_is_tried_has_to_fit() {
    let failing = Server::start(vec![Script::stream(vec![Step::bytes("data: {\n\n")])]);
    let world = World::openai(vec![failing, Server::start(vec![answer(Protocol::OpenaiChat)])]);
    // The second is twenty-one times as dear.
    budgeted(&world, "0.001");
    let output = world.chat(["--max-tokens", "100"]).run();
    assert_eq!(output.code, Some(8), "{}", output.snapshot());
    assert!(
        output.stderr.contains("not tried") && output.stderr.contains("beta: it could cost $0.005586"),
        "{}",
        output.snapshot()
    );
    assert_eq!(world.hits(), [1, 0]);
}

/// Eight at once, and room for three: three go out whoever is first, and no cent more is ever set aside.
#[test]
fn processes_side_by_side_share_the_day() {
    let gate = Gate::new();
    let mut steps: Vec<Step> = wire::openai_events(&["Hello"], Some((7, 3))).into_iter().map(Step::bytes).collect();
    steps.insert(0, Step::Pause(gate.clone()));
    let world = World::openai(vec![Server::repeating(Script::stream(steps))]);
    budgeted(&world, "0.0008");
    let mut running: Vec<Running> = (0..8).map(|_| world.chat(["--max-tokens", "100"]).spawn()).collect();
    world.servers[0].wait_hits(3);
    // Those that do not fit end while the others wait for their answers.
    while running.len() > 3 {
        let at = running.iter_mut().position(Running::has_ended);
        let Some(at) = at else {
            std::thread::yield_now();
            continue;
        };
        assert_eq!(running.remove(at).wait().code, Some(11));
    }
    assert_eq!(budget(&world)["set_aside_usd"].to_string(), "0.000798");
    gate.open();
    let codes: Vec<Option<i32>> = running.into_iter().map(|one| one.wait().code).collect();
    assert_eq!(codes, [Some(0); 3]);
    assert_eq!(world.hits(), [3]);
    let after = budget(&world);
    assert_eq!(
        (after["set_aside_usd"].to_string(), after["spent_usd"].to_string()),
        ("0".to_owned(), "0.000039".to_owned())
    );
}

/// A budget that nobody can keep is no budget: nothing is sent.
#[test]
fn without_a_store_nothing_is_sent_under_a_budget() {
    let world = World::of(Vec::new());
    budgeted(&world, "5");
    world.home.write("not-a-folder", "");
    let output = world.chat([]).env("OPENMUX_DATA_DIR", world.home.path().join("not-a-folder")).run();
    insta::assert_snapshot!(output.snapshot(), @r"
    exit: 5
    --- stdout

    --- stderr
    error: not sent: the budget of the day cannot be kept
      reason  $TMP/not-a-folder/obs.db: cannot make its folder: File
              exists
      fix:    make OPENMUX_DATA_DIR writable, or take day_usd out of [budget] in
              config.toml
    ");
    assert_eq!(world.hits(), [0]);
}

#[test]
fn what_cannot_be_bounded_is_not_sent_under_a_budget() {
    let world = World::of(Vec::new());
    budgeted(&world, "5");
    let output = world.chat(["--set", "n=50"]).run();
    insta::assert_snapshot!(output.snapshot(), @r"
    exit: 11
    --- stdout

    --- stderr
    error: not sent: the budget of the day cannot bound --set n
      fix:  leave out --set n
    ");
    assert_eq!(world.hits(), [0]);
}
