//! The live failure suite (`routing.md` 4.6): for every way in which a provider fails, how often each one is called, who
//! answers, what the client sees, what is left alone afterwards and until when, and what is written of the cost.

use openmux::catalog::Protocol;
use openmux::observe::ErrorClass;
use serde_json::{Value, json};

use super::super::support::server::{Script, Server, Step};
use super::super::support::wire;
use super::{World, answer};

/// One line of the suite: what the first of two providers does to every request, and what is promised.
struct Case {
    name: &'static str,
    fails: fn() -> Script,
    /// The exit code, and the bytes on stdout.
    exit: i32,
    stdout: &'static str,
    /// Requests that the first and the second provider get.
    hits: [usize; 2],
    /// How the first attempt is recorded, and what is known of its cost: `none`, `exact` or `unknown`.
    class: &'static str,
    cost: &'static str,
    /// For how long the first provider is left alone, in whole seconds as far as that is not drawn; 0 is not at all.
    pause: std::ops::RangeInclusive<u64>,
}

const ANSWER: &str = "Hello, you.\n";
const NO_PAUSE: std::ops::RangeInclusive<u64> = 0..=0;
/// Two seconds, a fifth more or less.
const SHORT: std::ops::RangeInclusive<u64> = 1..=3;
const HOUR: std::ops::RangeInclusive<u64> = 3600..=3601;

fn refused(status: u16, kind: &str, code: Option<&str>, message: &str) -> Script {
    wire::openai_error(status, kind, code, message)
}

/// A stream of these steps.
fn streamed(steps: Vec<Step>) -> Script {
    Script::stream(steps)
}

fn role() -> Step {
    let chunk = json!({
        "id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "m",
        "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": null}],
    });
    Step::bytes(format!("data: {chunk}\n\n"))
}

fn error_event() -> Step {
    Step::bytes("data: {\"error\": {\"message\": \"Something broke\", \"type\": \"server_error\", \"code\": 500}}\n\n")
}

fn text(piece: &str) -> Step {
    Step::bytes(wire::openai_text(piece))
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case { name: "429 with Retry-After", fails: || refused(429, "rate_limit_error", None, "Slow down").header("retry-after", "20"),
           exit: 0, stdout: ANSWER, hits: [1, 1], class: "rate_limited", cost: "none", pause: 20..=21 },
    Case { name: "429 with retry-after-ms", fails: || refused(429, "rate_limit_error", None, "Slow down").header("retry-after-ms", "7000"),
           exit: 0, stdout: ANSWER, hits: [1, 1], class: "rate_limited", cost: "none", pause: 7..=8 },
    Case { name: "429 with a reset header", fails: || refused(429, "rate_limit_error", None, "Slow down")
               .header("x-ratelimit-remaining-requests", "0").header("x-ratelimit-reset-requests", "12s"),
           exit: 0, stdout: ANSWER, hits: [1, 1], class: "rate_limited", cost: "none", pause: 12..=13 },
    Case { name: "429 with a hint in the body", fails: || refused(429, "rate_limit_error", None, "Please try again in 9s."),
           exit: 0, stdout: ANSWER, hits: [1, 1], class: "rate_limited", cost: "none", pause: 9..=10 },
    Case { name: "429 without a hint", fails: || refused(429, "rate_limit_error", None, "Slow down"),
           exit: 0, stdout: ANSWER, hits: [1, 1], class: "rate_limited", cost: "none", pause: 1..=2 },
    Case { name: "429 that means no credit", fails: || refused(429, "insufficient_quota", Some("insufficient_quota"), "You exceeded your current quota"),
           exit: 0, stdout: ANSWER, hits: [1, 1], class: "quota", cost: "none", pause: HOUR },
    Case { name: "529", fails: || refused(529, "overloaded_error", None, "Overloaded"),
           exit: 0, stdout: ANSWER, hits: [1, 1], class: "overloaded", cost: "none", pause: 8..=13 },
    Case { name: "500", fails: || refused(500, "server_error", None, "Internal error"),
           exit: 0, stdout: ANSWER, hits: [1, 1], class: "provider_fault", cost: "none", pause: SHORT },
    Case { name: "401", fails: || refused(401, "invalid_request_error", Some("invalid_api_key"), "Incorrect API key"),
           exit: 0, stdout: ANSWER, hits: [1, 1], class: "auth", cost: "none", pause: HOUR },
    Case { name: "402 within 400", fails: || refused(400, "invalid_request_error", None, "Your credit balance is too low to access the API"),
           exit: 0, stdout: ANSWER, hits: [1, 1], class: "quota", cost: "none", pause: HOUR },
    Case { name: "404 of the model", fails: || refused(404, "invalid_request_error", Some("model_not_found"), "The model does not exist"),
           exit: 0, stdout: ANSWER, hits: [1, 1], class: "not_found", cost: "none", pause: HOUR },
    Case { name: "400 by the caller", fails: || refused(400, "invalid_request_error", None, "messages: roles must alternate"),
           exit: 6, stdout: "", hits: [1, 0], class: "invalid", cost: "none", pause: NO_PAUSE },
    Case { name: "400 of the context", fails: || refused(400, "invalid_request_error", Some("context_length_exceeded"), "maximum context length is 8192 tokens"),
           exit: 6, stdout: "", hits: [1, 0], class: "too_large", cost: "none", pause: NO_PAUSE },
    Case { name: "a connection that is reset", fails: || Script::raw(vec![Step::Reset]),
           exit: 0, stdout: ANSWER, hits: [1, 1], class: "provider_fault", cost: "unknown", pause: SHORT },
    Case { name: "a cut before the first token", fails: || streamed(vec![role(), Step::Close]),
           exit: 0, stdout: ANSWER, hits: [1, 1], class: "provider_fault", cost: "unknown", pause: SHORT },
    Case { name: "malformed events", fails: || streamed(vec![Step::bytes("data: {\"choices\": [{\n\n")]),
           exit: 0, stdout: ANSWER, hits: [1, 1], class: "provider_fault", cost: "unknown", pause: SHORT },
    Case { name: "an error event within 200", fails: || streamed(vec![role(), error_event()]),
           exit: 0, stdout: ANSWER, hits: [1, 1], class: "provider_fault", cost: "unknown", pause: SHORT },
    Case { name: "an empty 200", fails: || Script::body(200, "text/event-stream", ""),
           exit: 0, stdout: ANSWER, hits: [1, 1], class: "provider_fault", cost: "unknown", pause: SHORT },
    Case { name: "an answer without a word", fails: || wire::openai_stream(&[], Some((7, 0))),
           exit: 0, stdout: ANSWER, hits: [1, 1], class: "provider_fault", cost: "unknown", pause: SHORT },
    Case { name: "a page within 200", fails: || Script::body(200, "text/html", "<html><title>Log in</title></html>"),
           exit: 0, stdout: ANSWER, hits: [1, 1], class: "provider_fault", cost: "unknown", pause: SHORT },
    // The limit is the user's own, and shorter than what the provider may take: nobody is left alone for it.
    Case { name: "a hang before the head", fails: || Script::raw(vec![Step::HangForever]),
           exit: 9, stdout: "", hits: [1, 0], class: "provider_timeout", cost: "unknown", pause: NO_PAUSE },
    Case { name: "a hang after the head", fails: || streamed(vec![Step::HangForever]),
           exit: 9, stdout: "", hits: [1, 0], class: "provider_timeout", cost: "unknown", pause: NO_PAUSE },
    Case { name: "a hang after the role", fails: || streamed(vec![role(), Step::HangForever]),
           exit: 9, stdout: "", hits: [1, 0], class: "provider_timeout", cost: "unknown", pause: NO_PAUSE },
    Case { name: "a hang in the middle", fails: || streamed(vec![role(), text("Hel"), Step::HangForever]),
           exit: 9, stdout: "Hel\n", hits: [1, 0], class: "provider_timeout", cost: "unknown", pause: SHORT },
    Case { name: "a cut in the middle", fails: || streamed(vec![role(), text("Hel"), Step::Close]),
           exit: 10, stdout: "Hel\n", hits: [1, 0], class: "stream_broken", cost: "unknown", pause: SHORT },
    Case { name: "a clean end without a finish", fails: || streamed(vec![role(), text("Hel")]),
           exit: 10, stdout: "Hel\n", hits: [1, 0], class: "stream_broken", cost: "unknown", pause: SHORT },
    Case { name: "an error event in the middle", fails: || streamed(vec![role(), text("Hel"), error_event()]),
           exit: 10, stdout: "Hel\n", hits: [1, 0], class: "stream_broken", cost: "unknown", pause: SHORT },
];

/// The attempts in the store: when each began, at whom, how it ended, what is known of its cost.
fn recorded(world: &World) -> Vec<(i64, String, &'static str, &'static str)> {
    let connection = rusqlite::Connection::open(world.home.path().join("data/obs.db")).unwrap();
    let mut statement = connection
        .prepare("SELECT ts_ms, provider, class, cost_state FROM obs JOIN endpoint ON endpoint.id = ep ORDER BY obs.id")
        .unwrap();
    let rows = statement
        .query_map([], |row| {
            let class = ErrorClass::from_number(row.get(2)?).map_or("", ErrorClass::name);
            let cost = ["exact", "none", "unknown"][usize::from(row.get::<_, u8>(3)?)];
            Ok((row.get(0)?, row.get(1)?, class, cost))
        })
        .unwrap();
    rows.map(Result::unwrap).collect()
}

/// Of the first provider in an explanation: until when it is left alone after what, or that it is usable.
fn left_alone(explained: &Value) -> Option<(String, String)> {
    let alpha = explained["rejected"].as_array().unwrap().iter().find(|entry| entry["provider"] == "alpha")?;
    let reason = alpha["reasons"].as_array().unwrap().iter().find(|reason| reason["code"] == "cooling_down")?;
    let told = reason["text"].as_str().unwrap();
    let (until, class) = told.strip_prefix("cooling down until ")?.split_once(" after ")?;
    Some((until.to_owned(), class.to_owned()))
}

/// What a case does not keep of its promise; empty where it keeps all of it.
fn broken(case: &Case) -> Vec<String> {
    let mut broken = Vec::new();
    let mut same = |what: &str, is: &dyn std::fmt::Debug, should: &dyn std::fmt::Debug| {
        let (is, should) = (format!("{is:?}"), format!("{should:?}"));
        if is != should {
            broken.push(format!("{}: {what} is {is}, not {should}", case.name));
        }
    };
    let answers = Server::repeating(answer(Protocol::OpenaiChat));
    let world = World::openai(vec![Server::repeating((case.fails)()), answers]);
    let limits = ["--first-token-timeout", "400ms", "--idle-timeout", "400ms"];
    let output = world.chat(limits.into_iter().filter(|_| case.name.starts_with("a hang"))).run();
    same("the exit code", &output.code, &Some(case.exit));
    same("stdout", &output.stdout, &case.stdout);
    same("the number of requests", &world.hits(), &case.hits);
    let announced = output.stderr.contains(&format!("failing over from alpha to beta: {}", case.class));
    same("the announcement", &announced, &(case.hits[1] == 1));
    let recorded = recorded(&world);
    let written: Vec<_> = recorded.iter().map(|(_, name, class, cost)| (name.as_str(), *class, *cost)).collect();
    let mut promised = vec![("alpha", case.class, case.cost)];
    promised.extend((case.hits[1] == 1).then_some(("beta", "ok", "exact")));
    same("what is recorded", &written, &promised);
    // Another shell, a moment later, knows.
    let began = recorded[0].0;
    let soon = jiff::Timestamp::from_millisecond(began + 1000).unwrap().to_string();
    let explained = world.openmux(["route", "explain", "acme/tiny", "-o", "json", "--at", &soon]).run();
    let explained: Value = serde_json::from_str(&explained.stdout).unwrap();
    let alone = left_alone(&explained);
    same("who is next", &explained["chosen"].as_str(), &Some(if case.pause == NO_PAUSE { "alpha" } else { "beta" }));
    same("whether it is left alone", &alone.is_some(), &(case.pause != NO_PAUSE));
    if let Some((until, after)) = alone {
        let until: jiff::Timestamp = until.parse().unwrap();
        let pause = u64::try_from((until.as_millisecond() - began) / 1000).unwrap();
        same("why it is left alone", &after, &case.class);
        same(&format!("{pause} s within {:?}", case.pause), &case.pause.contains(&pause), &true);
    }
    broken
}

#[test]
fn every_failure_is_counted_announced_left_alone_and_billed_as_it_should_be() {
    let broken: Vec<String> = CASES.iter().flat_map(broken).collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

#[test]
fn the_next_shell_goes_straight_to_another_provider() {
    let answers = Server::repeating(answer(Protocol::OpenaiChat));
    let overloaded = Server::repeating(refused(503, "server_error", None, "Overloaded"));
    let world = World::openai(vec![overloaded, answers]);
    let first = world.chat([]).run();
    assert_eq!(first.stderr, "note: failing over from alpha to beta: overloaded\n");
    let second = world.chat([]).run();
    assert_eq!((second.stdout.as_str(), second.stderr.as_str()), (ANSWER, ""));
    assert_eq!(world.hits(), [1, 2]);
    let explained = world.openmux(["route", "explain", "acme/tiny"]).run();
    assert!(explained.stdout.contains("cooling down until "), "{}", explained.snapshot());
    assert!(explained.stdout.contains("overloaded"), "{}", explained.snapshot());
}
