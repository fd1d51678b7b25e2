//! Decisions of the past: made again, under another policy, and all of them under others.
#![expect(clippy::disallowed_methods, reason = "a store and fixtures are files")]

use openmux::catalog::{Endpoint, EndpointId, ModelId, Pricing, Protocol, ProviderId, ProviderKind};
use openmux::dispatch::shape;
use openmux::routing::{Candidate, Constraints, Input, Kept, Policy, Warm};
use openmux::store::ObservationStore;
use openmux::store::sqlite::Sqlite;
use openmux::units::Tokens;
use serde_json::Value;

use super::super::generated::{held, top};
use super::super::support::command::{Home, Output};
use super::super::support::decisions::kept;
use super::super::support::server::Server;
use super::super::support::wire;
use super::{World, answer};

const OPENAI: Protocol = Protocol::OpenaiChat;
/// A seed that lets the first in where it gets a tenth.
const DRAWN: u64 = 17;

/// Two providers; the first turns the first call away.
fn failing_first() -> World {
    let first = vec![wire::openai_error(503, "server_error", None, "Overloaded"), answer(OPENAI)];
    World::openai(vec![Server::start(first), Server::repeating(answer(OPENAI))])
}

fn document(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("no JSON: {}", output.snapshot()))
}

/// A snapshot without the ids and moments of the run.
fn page(output: &Output, id: &str, at: &str) -> String {
    let page = output.snapshot().replace(id, "ID").replace(&id[..8], "ID8").replace(at, "MOMENT");
    // A moment is as long as it has digits, so the first sentence is broken here or there.
    ["this\nversion", "this version\ngives"].iter().fold(page, |page, broken| {
        let whole = broken.replace('\n', " ");
        page.replacen(broken, &whole, 1)
    })
}

/// One chat, with the id and the moment of its decision.
fn chatted(world: &World, more: &[&'static str]) -> (String, String) {
    let output = world.chat(["-o", "json"].into_iter().chain(more.iter().copied())).run();
    let document = document(&output);
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&document["decision_id"]), text(&document["decision"]["at"]))
}

#[test]
fn without_a_decision_there_is_nothing_to_replay() {
    let home = Home::new();
    insta::assert_snapshot!(home.openmux(["route", "replay"]).run().snapshot(), @r"
    exit: 3
    --- stdout

    --- stderr
    error: no decision is kept on this machine
      kept  what `openmux chat` decided in the last 90 days
      fix:  openmux chat -v ... prints the id of what it decides
    ");
    insta::assert_snapshot!(home.openmux(["route", "simulate"]).run().snapshot(), @r"
    exit: 0
    --- stdout

    --- stderr
    note: nothing was decided and sent in that time
    ");
    insta::assert_snapshot!(home.openmux(["--sandbox", "route", "replay", "ab"]).run().snapshot(), @r#"
    exit: 3
    --- stdout

    --- stderr
    error: no decision that is kept begins with "ab"
      fix:  leave out --sandbox, which keeps nothing
    "#);
    insta::assert_snapshot!(home.openmux(["route", "replay", "last"]).run().snapshot(), @r#"
    exit: 2
    --- stdout

    --- stderr
    error: "last" is no id of a decision: it has other than hex digits
      fix:  an id as `openmux chat -v` or `-o json` (decision_id) prints it, or its
            beginning
    "#);
    assert!(!home.path().join("data/obs.db").exists(), "a command that only reads makes no store");
}

#[test]
fn a_decision_is_replayed_as_it_was_explained() {
    let world = World::openai(vec![Server::repeating(answer(OPENAI)), Server::start(Vec::new())]);
    let (id, at) = chatted(&world, &[]);
    insta::assert_snapshot!(page(&world.openmux(["route", "replay"]).run(), &id, &at), @r"
    exit: 0
    --- stdout
    Decision ID8 of MOMENT by openmux 0.1.0: this version gives the same order and sums.

    alpha would answer. Nothing was sent.
    acme/tiny: about 5 tokens in, 250 out expected (assumed)

         PROVIDER           PRICE    + WAIT    + RISK    + LOAD   = TOTAL
      1  alpha           $0.00051  $0.00496  $0.00007  $0.00000  $0.00554  chosen
      2  beta            $0.01061  $0.00496  $0.00007  $0.00000  $0.01564  +182 %

    Margin   $0.0101 behind it: beta, mostly price ($0.0101 more)
    Chain    alpha TIME, beta TIME: how long each may take to its first token
             while another is open
    At most  $0.008258 for this call at alpha
    Policy   balanced: $0.005 a second to the first token, $0.0015 a second of
             answer, $0.004 a failed call
    Data     assumed, on the good side: first token TIME, 240 tok/s, 99.2 %
             available (nothing measured)
    Replay   --at MOMENT --seed 1

    --- stderr
    ");

    // To the byte what `route explain` prints of that moment, under its own head.
    let replayed = world.openmux(["route", "replay", &id[..6], "-o", "json"]).run().stdout;
    let explain = ["route", "explain", "-m", "acme/tiny", "hi", "--seed", "1", "--at", &at, "-o", "json"];
    let explained = world.openmux(explain).run().stdout;
    let decision = |text: &str| text[text.find("\"at\":").unwrap()..].to_owned();
    // What would change it is asked of the present alone.
    let (explained, _) = explained.split_once(",\"would_change\":").unwrap();
    assert_eq!(decision(&replayed), decision(explained) + "}\n");

    // Nothing of today is in it: not the keys, not the catalog, not what was measured since.
    chatted(&world, &["words-nobody-keeps"]);
    let bare = world.home.openmux(["route", "replay", &id, "-o", "json"]).run();
    assert_eq!(bare.stdout, replayed);
    let last = document(&world.openmux(["route", "replay", "-o", "json"]).run());
    assert_ne!(last["decision_id"], id.as_str());
    let text = std::fs::read(world.home.path().join("data/obs.db")).unwrap();
    let holds = |word: &[u8]| text.windows(word.len()).any(|part| part == word);
    assert!(holds(b"ALPHA_KEY"), "where the key was found is kept");
    assert!(!holds(b"sk-alpha") && !holds(b"nobody-keeps"), "no key and no prompt is");
}

/// What a gateway decided while a provider came back after a pause.
#[test]
fn who_is_held_back_after_a_pause_is_told() {
    let now: jiff::Timestamp = "2026-11-24T12:00:00Z".parse().unwrap();
    let weighed = |name: &str, price: &str| {
        let id = EndpointId { provider: ProviderId::new(name), upstream_model: "tiny-1".into() };
        let mut endpoint = Endpoint::new(id, ModelId::new("acme/tiny"));
        let mut sheet = Pricing::default();
        assert!(sheet.set("input", price).unwrap() && sheet.set("output", price).unwrap());
        endpoint.pricing = Some(sheet);
        endpoint.context = Some(Tokens::new(128_000));
        Candidate::new(&endpoint, ProviderKind::Host).into_owned()
    };
    let mut alpha = weighed("alpha", "1");
    alpha.stats.reopened = Some(now - std::time::Duration::from_secs(4));
    alpha.in_flight = 32;
    let candidates = vec![alpha, weighed("beta", "2"), weighed("gamma", "3")];
    let tokens = Tokens::new;
    let mut request = shape(&ModelId::new("acme/tiny"), tokens(1000), tokens(400), tokens(0), Constraints::default());
    request.warm = vec![Warm { endpoint: candidates[0].endpoint.id.clone(), tokens: tokens(900) }];
    let home = Home::new();
    let (store, _) = Sqlite::open(&home.path().join("data/obs.db")).unwrap();
    // One seed draws it, another does not.
    for (at, seed) in [(1, DRAWN), (2, 0)] {
        let input =
            Input { request: request.clone(), candidates: candidates.clone(), policy: Policy::default(), now, seed };
        store.keep_decision(Kept::new([at; 16], input.clone(), &input.decide())).unwrap();
    }
    drop(store);
    insta::assert_snapshot!(home.openmux(["route", "replay", "0202"]).run().snapshot(), @r"
    exit: 0
    --- stdout
    Decision 02020202 of 2026-11-24T12:00:00Z by openmux 0.1.0: this version gives
    the same order and sums.

    beta would answer. Nothing was sent.
    acme/tiny: 1,000 tokens in, 400 out expected

         PROVIDER           PRICE    + WAIT    + RISK   = TOTAL
      1  beta            $0.00280  $0.00590  $0.00007  $0.00877  chosen
      2  gamma           $0.00420  $0.00590  $0.00007  $0.01017  +16 %
      3  alpha           $0.00140  $0.00590  $0.00007  $0.00737  -16 %, held back

    Margin   $0.0014 behind it: gamma, mostly price ($0.0014 more)
    Cache    alpha may hold 900 tokens of this conversation; leaving the prompt
             cache at alpha for beta costs $0 (alpha comes back after a pause, and
             not with this request)
    Chain    beta TIME, gamma TIME, alpha TIME: how long each may take to its
             first token while another is open
    Return   alpha answers again since 2026-11-24T11:59:56Z: with 32 in flight
             there, it gets 10 % of what comes; seed 0 has not drawn this one, so it
             comes last
    At most  not known (give --max-tokens) for this call at beta
    Policy   balanced: $0.005 a second to the first token, $0.0015 a second of
             answer, $0.004 a failed call
    Data     assumed, on the good side: first token TIME, 240 tok/s, 99.2 %
             available (nothing measured)
    Replay   --at 2026-11-24T12:00:00Z --seed 0

    --- stderr
    ");
    let drawn = home.openmux(["route", "replay", "0101"]).run();
    let told = ["alpha would answer", "back at 10 %", "seed 17"];
    assert!(told.iter().all(|told| drawn.stdout.contains(told)), "{}", drawn.snapshot());
    let returning = |id: &str, at: usize| {
        document(&home.openmux(["route", "replay", id, "-o", "json"]).run())["candidates"][at]["returning"].to_string()
    };
    insta::assert_snapshot!(returning("0202", 2), @r#"{"since":"2026-11-24T11:59:56Z","percent":10,"admitted":false,"by":"seed"}"#);
    insta::assert_snapshot!(returning("0101", 0), @r#"{"since":"2026-11-24T11:59:56Z","percent":10,"admitted":true,"by":"seed"}"#);
    assert_eq!(returning("0202", 0), "null");
}

#[test]
fn another_policy_is_marked_as_what_was_not_decided() {
    let world = World::openai(vec![Server::repeating(answer(OPENAI)), Server::start(Vec::new())]);
    let (id, at) = chatted(&world, &[]);
    let other = world.openmux(["route", "replay", &id, "--policy", "price"]).run();
    insta::assert_snapshot!(page(&other, &id, &at), @r"
    exit: 0
    --- stdout
    Decision ID8 of MOMENT by openmux 0.1.0: this version gives the same order and sums.
    Not what was decided: this is price, under which alpha goes first; it was
    balanced, and alpha.

    alpha would answer. Nothing was sent.
    acme/tiny: about 5 tokens in, 250 out expected (assumed)

         PROVIDER           PRICE    + WAIT    + RISK    + LOAD   = TOTAL
      1  alpha           $0.00050  $0.00014  $0.00003  $0.00000  $0.00067  chosen
      2  beta            $0.01060  $0.00014  $0.00003  $0.00000  $0.01077  +1497 %

    Margin   $0.0101 behind it: beta, mostly price ($0.0101 more)
    Chain    alpha TIME, beta TIME: how long each may take to its first token
             while another is open
    At most  $0.008258 for this call at alpha
    Policy   price: $0.0002 a second to the first token, $0 a second of answer,
             $0.004 a failed call
    Data     assumed, on the good side: first token TIME, 240 tok/s, 99.2 %
             available (nothing measured)
    Replay   --at MOMENT --seed 1

    --- stderr
    ");
    let document = document(&world.openmux(["route", "replay", "--time-value", "36", "-o", "json"]).run());
    assert_eq!(document["counterfactual"], true);
    assert_eq!(document["policy"]["wait_usd_per_s"].to_string(), "0.01");
    assert_eq!(document["policy"]["retries"], 2);
}

#[test]
fn chat_says_which_decision_it_was() {
    let world = failing_first();
    let output = world.chat(["-v", "-o", "jsonl"]).run();
    let end: Value = serde_json::from_str(output.stdout.lines().last().unwrap()).unwrap();
    let id = end["decision_id"].as_str().unwrap();
    let line = format!("decision {id}: openmux route replay {} shows it again", &id[..8]);
    assert_eq!(output.stderr.lines().last(), Some(line.as_str()));
    let replayed = document(&world.openmux(["route", "replay", &id[..8], "-o", "json"]).run());
    assert_eq!((&replayed["chosen"], &replayed["same_order"]), (&"alpha".into(), &true.into()));
    // The sandbox keeps nothing, and so promises nothing.
    let sandbox = world.openmux(["--sandbox=outage", "-v", "chat", "-m", "claude-sonnet-5", "-o", "json", "hi"]).run();
    assert!(sandbox.stderr.contains("failing over"), "{}", sandbox.snapshot());
    assert_eq!(document(&sandbox)["decision_id"], Value::Null);
}

#[test]
fn what_happened_is_what_the_recorded_policy_would_have_done() {
    let world = failing_first();
    for _ in 0..3 {
        chatted(&world, &[]);
    }
    let output = world.openmux(["route", "simulate", "--policy", "price,latency", "-o", "table"]).run();
    let waits = |word: &str| word.split_once('.').is_some_and(|(_, places)| places.len() == 3);
    let shown = output.snapshot();
    let masked = shown.split(' ').map(|word| if waits(word) { "S.SSS" } else { word }.to_owned());
    insta::assert_snapshot!(masked.collect::<Vec<_>>().join(" "), @r"
    exit: 0
    --- stdout
    POLICY    REQUESTS  DIFFERS  MEASURED       PAID  CHANGE  WAITED  CHANGE  FAILED
    actual           3        -   100.0 %  $0.000819  -        S.SSS  -         0.00
    recorded         3        0   100.0 %  $0.000819  same     S.SSS  same      0.00
    price            3        0   100.0 %  $0.000819  same     S.SSS  same      0.00
    latency          3        0   100.0 %  $0.000819  same     S.SSS  same      0.00

    --- stderr
    note: 3 requests: too few for an interval, which needs 20
    ");
    let rows = document(&world.openmux(["route", "simulate", "-o", "json"]).run())["data"].clone();
    let row = |name: &str| rows.as_array().unwrap().iter().find(|row| row["policy"] == name).unwrap().clone();
    let usage = document(&world.openmux(["usage", "--by", "source", "-o", "json"]).run());
    let spent = usage["data"][0]["cost_usd"].to_string();
    assert_eq!(row("actual")["paid_usd"].to_string(), spent);
    assert_eq!(row("recorded")["paid_usd"].to_string(), spent);
    assert_eq!(row("recorded")["wait_s"], row("actual")["wait_s"]);
    assert_eq!((&row("recorded")["differing"], &row("recorded")["paid_verdict"]), (&0.into(), &"same".into()));
    assert_eq!(rows.as_array().unwrap().len(), 10);
}

#[test]
fn with_enough_requests_a_difference_is_told_from_chance() {
    let world = World::openai(vec![Server::start(Vec::new()), Server::repeating(answer(OPENAI))]);
    // Once beta is known to be fast, whoever is in a great hurry pays for it; alpha is never tried.
    chatted(&world, &["--provider", "beta"]);
    for _ in 0..20 {
        chatted(&world, &["--time-value", "10000"]);
    }
    let output = world.openmux(["route", "simulate", "--policy", "price", "-o", "json"]).run();
    assert_eq!(output.stderr, "", "{}", output.snapshot());
    let rows = document(&output)["data"].clone();
    let text = |key: &str| rows[2][key].to_string();
    assert_eq!((text("requests"), text("differing")), ("21".to_owned(), "20".to_owned()));
    // One was seen; the others are seen as far as alpha was expected to fail.
    assert_eq!((text("measured"), text("failures")), ("0.0552".to_owned(), "0.00".to_owned()));
    assert_eq!((text("paid_verdict"), text("wait_verdict")), ("\"less\"".to_owned(), "\"more\"".to_owned()));
    // 7 tokens in, 3 out: $0.000273 at beta, $0.000013 at alpha.
    assert_eq!(rows[0]["paid_usd"].to_string(), "0.005733");
    let paid = 0.000_273 + 20.0 * (0.992 * 0.000_013 + 0.008 * 0.000_273);
    assert!((rows[2]["paid_usd"].as_f64().unwrap() - paid).abs() < 1e-9, "{}", text("paid_usd"));
    let number = |key: &str| rows[2][key].as_f64().unwrap();
    assert!(number("paid_change_low_usd") <= number("paid_change_usd"));
    assert!(number("paid_change_usd") <= number("paid_change_high_usd") && number("paid_change_high_usd") < 0.0);
    let table = world.openmux(["route", "simulate", "--policy", "price", "-o", "table"]).run();
    assert!(table.stdout.lines().nth(3).is_some_and(|line| line.contains('~')), "{}", table.snapshot());
    assert!(!table.stdout.lines().nth(1).is_some_and(|line| line.contains('~')), "{}", table.snapshot());
    assert_eq!(world.hits(), [0, 21]);
}

/// Decisions that version 0.1.0 kept, with what it printed of them: they stay as they are for good. Only what is printed
/// may grow (`UPDATE=1`); the order and the sums may not change.
#[test]
fn decisions_of_this_version_are_made_again_by_every_later_one() {
    let home = Home::new();
    let (raw, ids) = kept(&home, None);
    let mut printed = String::new();
    for id in &ids {
        let output = home.openmux(["route", "replay", id, "-o", "json"]).run();
        assert_eq!(output.code, Some(0), "{}", output.snapshot());
        printed += &output.stdout;
    }
    assert_eq!(printed.lines().count(), 6);
    held(&top("tests/fixtures/decisions/0.1.0.replayed.jsonl"), &printed);

    // A sum that was another one is noticed.
    raw.execute("UPDATE decision SET input = replace(input, '\"order\":[[', '\"order\":[[1')", []).unwrap();
    let output = home.openmux(["route", "replay", "-o", "json"]).run();
    assert_ne!(output.code, Some(0), "{}", output.snapshot());
}
