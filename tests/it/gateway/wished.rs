//! What a request may wish and the gateway's configuration forbids or allows: that a stream that breaks off is gone on with,
//! and that a second provider is asked beside a slow one.

use openmux::gateway::{Config, Wished};
use openmux::observe::{ErrorClass, Flags};
use openmux::routing::{Policy, Preset};
use serde_json::{Value, json};

use super::super::support::gate::Gate;
use super::super::support::server::{Script, Server, Step};
use super::super::support::wire;
use super::{Response, World, hello};

const SEAM: &str = ": openmux: alpha broke off after 5 characters (stream_broken), and beta goes on\n\n";

/// `Hel`, `lo`, and then the connection is gone.
fn cut() -> Script {
    let pieces = ["Hel", "lo"].map(wire::openai_text).concat();
    Script::stream(vec![Step::bytes(pieces), Step::Close])
}

/// One that breaks off, and one that goes on with what it is given.
fn broken(change: impl FnOnce(&mut Config)) -> World {
    let servers =
        vec![Server::start(vec![cut()]), Server::start(vec![wire::openai_stream(&[", you", "."], Some((11, 2)))])];
    World::of_whom(servers, "prefill = \"plain\"", change)
}

/// A stream that wishes this.
fn wishing(wish: Value) -> Value {
    hello(json!({ "stream": true, "stream_options": { "include_usage": true }, "openmux": wish }))
}

/// The text of a stream of Chat Completions, and the last chunk.
fn read(answer: &Response) -> (String, Value) {
    let events = answer.events();
    let chunks = events.iter().filter(|event| *event != "[DONE]").map(|event| serde_json::from_str::<Value>(event));
    let chunks: Vec<Value> = chunks.map(Result::unwrap).collect();
    let text = chunks.iter().filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str()).collect();
    (text, chunks.last().cloned().unwrap_or_default())
}

#[test]
fn a_stream_that_broke_off_is_gone_on_with_and_the_seam_is_told() {
    let world = broken(|_| {});
    let body = wishing(json!({ "resume": true })).to_string();
    let answer = world.post("/v1/chat/completions", &body, &[("x-openmux-metadata", "enabled")]);
    let (text, last) = read(&answer);
    assert_eq!(
        (text.as_str(), answer.events().last().map(String::as_str)),
        ("Hello, you.", Some("[DONE]")),
        "{answer:?}"
    );
    let (before, after) = answer.body.split_once(SEAM).unwrap_or_else(|| panic!("no seam: {answer:?}"));
    assert!(before.contains("\"lo\"") && after.contains("\", you\""), "between the two: {answer:?}");
    // What the first part cost nobody knows, and so not what both did; a zero would be a lie.
    let usage = json!({ "prompt_tokens": null, "completion_tokens": null, "total_tokens": null, "cost": null,
                        "cost_estimate": 0.000324 });
    let told = &last["openmux"];
    let parts = [&told["attempts"][0]["cost_estimate_usd"], &told["attempts"][1]["cost_estimate_usd"]];
    assert_eq!(
        parts,
        [&serde_json::from_str("0.000009").unwrap(), &Value::Null],
        "an estimate where there is no bill: {last}"
    );
    assert_eq!((&last["usage"], &last["provider"]), (&usage, &"beta".into()), "{last}");
    let seam = json!({ "provider": "beta", "from": "alpha", "class": "stream_broken", "characters": 5, "bytes": 5 });
    assert_eq!((&told["seams"], told["attempts"].as_array().map(Vec::len)), (&json!([seam]), Some(2)), "{last}");
    let sent = world.servers[1].requests().remove(0).json();
    assert_eq!(sent["messages"][1], json!({ "role": "assistant", "content": "Hello" }), "{sent}");
    assert!(sent.get("openmux").is_none(), "no provider is told: {sent}");
    let kept = world.get(&format!("/v1/generation/{}", answer.header("x-openmux-decision-id"))).json();
    assert_eq!((&kept["data"]["class"], &kept["data"]["total_cost"]), (&"ok".into(), &Value::Null), "{kept}");
    let metrics = world.get("/metrics").body;
    for line in ["openmux_resumed_total 1", "openmux_hedged_total 0", "openmux_failovers_total 1"] {
        assert!(metrics.lines().any(|other| other == line), "{line} in {metrics}");
    }
    let (attempts, log) = world.end();
    let classes: Vec<ErrorClass> = attempts.iter().map(|seen| seen.class).collect();
    assert_eq!(classes, [ErrorClass::StreamBroken, ErrorClass::Ok]);
    let line = |key: &str| log[0][key].clone();
    let told = ["class", "attempts", "resumed", "cost_usd", "cost_estimate_usd", "hedged"].map(line);
    assert_eq!(told, [json!("ok"), json!(2), json!(1), Value::Null, json!(0.000324), Value::Null], "{log:?}");
}

#[test]
fn the_seam_is_a_comment_in_every_dialect() {
    for (path, body) in [
        ("/v1/responses", json!({ "input": "hi" })),
        ("/v1/messages", json!({ "messages": [{ "role": "user", "content": "hi" }], "max_tokens": 50 })),
    ] {
        let world = broken(|config| config.resume = Wished::Always);
        let mut whole = json!({ "model": "acme/tiny", "stream": true });
        whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        let answer = world.post(path, &whole.to_string(), &[]);
        assert!(answer.body.contains(SEAM), "{answer:?}");
        let said = |event: &String| {
            let event: Value = serde_json::from_str(event).unwrap();
            let delta = &event["delta"];
            delta["text"].as_str().or(delta.as_str()).map(str::to_owned)
        };
        assert_eq!(answer.events().iter().filter_map(said).collect::<String>(), "Hello, you.", "{answer:?}");
        let end = ["message_stop", "response.completed"];
        let last: Value = serde_json::from_str(answer.events().last().unwrap()).unwrap();
        assert!(end.iter().any(|end| last["type"] == *end), "{last}");
    }
}

#[test]
fn what_the_configuration_forbids_no_request_can_wish() {
    let cases = [
        (Wished::Never, json!({ "resume": true }), false),
        (Wished::Asked, json!({}), false),
        (Wished::Asked, json!({ "resume": false }), false),
        (Wished::Always, json!({ "resume": null }), true),
        (Wished::Always, json!({ "resume": false }), false),
    ];
    for (may, wish, resumed) in cases {
        let world = broken(|config| config.resume = may);
        let answer = world.chat(&wishing(wish.clone()));
        let ends = answer.events().last().map(String::as_str) == Some("[DONE]");
        assert_eq!(
            (ends, answer.body.contains(SEAM), world.hits()[1]),
            (resumed, resumed, resumed.into()),
            "{may:?} {wish}"
        );
        let warned = answer.header("x-openmux-warning");
        let expected = "openmux.resume: this gateway's configuration forbids it";
        assert_eq!(warned, if may == Wished::Never { expected } else { "" });
    }
    let world = broken(|_| {});
    for (wish, wrong) in [
        (json!({ "resum": true }), "openmux.resum: there is no such option; did you mean resume?"),
        (json!({ "hedge": "yes" }), "openmux.hedge: neither true nor false"),
        (json!(true), "openmux: not an object"),
    ] {
        let refused = world.chat(&wishing(wish));
        assert_eq!((refused.status, refused.error("message")), (400, wrong.into()), "{refused:?}");
    }
    assert_eq!(world.hits(), [0, 0]);
}

/// What is asked beside one another: the first goes first however slow it is, and time is dear.
fn pair(more: Value) -> Value {
    let mut body = wishing(json!({ "hedge": true }));
    body["max_tokens"] = 10.into();
    body["provider"] = json!({ "order": ["alpha", "beta"] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

/// What is planned, as it is explained.
fn planned(world: &World, body: &Value) -> Value {
    let told = world.post("/v1/route/explain", &body.to_string(), &[]).json();
    told.get("hedge").cloned().unwrap_or_default()
}

#[test]
fn a_second_is_asked_beside_a_slow_one_and_not_too_often() {
    let good = || wire::openai_stream(&["Hello", ", you."], Some((7, 3)));
    let slow = |asked: &Gate| {
        let role = Step::bytes(wire::openai_events(&[], None)[0].clone());
        Script::stream(vec![Step::Open(asked.clone()), role, Step::HangForever])
    };
    let gates = [Gate::new(), Gate::new()];
    // Both have always been fast.
    let (mut first, mut second): (Vec<Script>, Vec<Script>) = ((0..8).map(|_| good()).collect(), Vec::new());
    second.extend((0..4).map(|_| good()));
    first.extend(gates.iter().map(slow));
    second.extend(gates.iter().map(|asked| good().after(asked)));
    let servers = vec![Server::start(first), Server::start(second)];
    let known = "kind = \"host\"\nbills_on_cancel = \"partial\"";
    let world = World::of_whom(servers, known, |config| {
        config.hedge = Wished::Asked;
        config.policy = Policy::preset(Preset::Latency);
        config.explain = Some(Box::new(|explained| {
            let told = explained.hedge.as_ref().map(|hedge| match hedge {
                Ok(hedge) => {
                    json!({ "first": hedge.first.provider.as_str(), "second": hedge.second.provider.as_str() })
                }
                Err(why) => json!({ "code": why.code() }),
            });
            told.map_or_else(|| json!({}), |hedge| json!({ "hedge": hedge }))
        }));
    });
    for _ in 0..8 {
        assert_eq!(world.chat(&pair(json!({ "openmux": null }))).header("x-openmux-provider"), "alpha");
    }
    for _ in 0..4 {
        assert_eq!(world.chat(&pair(json!({ "openmux": null, "provider": { "only": ["beta"] } }))).status, 200);
    }
    assert_eq!(planned(&world, &pair(json!({}))), json!({ "first": "alpha", "second": "beta" }));
    assert_eq!(planned(&world, &pair(json!({ "openmux": { "hedge": false } }))), Value::Null, "it is not wished");
    for at in 0..2 {
        let answer =
            world.post("/v1/chat/completions", &pair(json!({})).to_string(), &[("x-openmux-metadata", "enabled")]);
        let (text, last) = read(&answer);
        let (provider, attempts) = (answer.header("x-openmux-provider"), answer.header("x-openmux-attempts"));
        assert_eq!((text.as_str(), provider, attempts), ("Hello, you.", "beta", "2"), "{answer:?}");
        assert_eq!(last["usage"]["cost"], json!(0.000273), "of the one that answered: {last}");
        let told = &last["openmux"]["attempts"];
        let marks = |at: usize| ["provider", "hedged", "cancelled"].map(|key| told[at][key].clone());
        assert_eq!(marks(0), [json!("alpha"), json!(true), json!(true)], "{last}");
        assert_eq!(marks(1), [json!("beta"), json!(true), Value::Null], "{last}");
        world.servers[0].wait_left(at + 1);
    }
    assert_eq!(world.hits(), [10, 6]);
    // Two, and one more of twenty requests, are all that there may be.
    assert_eq!(planned(&world, &pair(json!({}))), json!({ "code": "share_spent" }));
    let metrics = world.get("/metrics").body;
    for line in ["openmux_hedged_total 2", "openmux_resumed_total 0", "openmux_failovers_total 0"] {
        assert!(metrics.lines().any(|other| other == line), "{line} in {metrics}");
    }
    let (seen, log) = world.end();
    let spared: Vec<_> = seen.iter().filter(|seen| seen.flags.has(Flags::SPARED)).collect();
    assert_eq!(spared.len(), 2, "{seen:?}");
    assert!(spared.iter().all(|seen| {
        seen.endpoint.provider.as_str() == "alpha" && seen.flags.has(Flags::CENSORED) && seen.flags.has(Flags::HEDGED)
    }));
    let hedged = log.iter().filter(|line| line["hedged"] == true).count();
    assert_eq!(hedged, 2, "{log:?}");
}

#[test]
fn a_gateway_hedges_nothing_unless_it_is_told_to() {
    let world = World::new(vec![Server::repeating(wire::openai_stream(&["Hello"], Some((7, 3))))]);
    let answer = world.chat(&pair(json!({ "provider": null })));
    assert_eq!(answer.header("x-openmux-warning"), "openmux.hedge: this gateway's configuration forbids it");
}
