//! A chain of models: the next one is asked where the one before has nobody left, and only before anything was said.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use openmux::dispatch::FallbackClass;
use openmux::gateway::Config;
use openmux::observe::ErrorClass;
use serde_json::{Value, json};

use super::super::support::gate::Gate;
use super::super::support::server::{Script, Server, Step};
use super::super::support::wire;
use super::{World, hello};

fn overloaded() -> Script {
    wire::openai_error(503, "server_error", None, "Overloaded")
}

fn good() -> Script {
    wire::openai_whole("Hello, you.", (7, 3))
}

/// `acme/tiny` at the first server, `acme/spare` at the second.
fn chained(tiny: Script, spare: Vec<Script>, change: impl FnOnce(&mut Config)) -> World {
    World::serving(vec![(Server::start(vec![tiny]), "tiny"), (Server::start(spare), "spare")], "openai-chat", change)
}

/// A question of which no provider is asked twice.
fn asked(more: Value) -> Value {
    let mut body = hello(json!({ "num_retries": 0 }));
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[test]
fn the_next_model_answers_and_is_named() {
    let world = chained(overloaded(), vec![good()], |_| {});
    let body = asked(json!({ "models": ["acme/spare"] })).to_string();
    let answer = world.post("/v1/chat/completions", &body, &[("x-openmux-metadata", "enabled")]);
    assert_eq!((answer.status, &answer.json()["model"]), (200, &"acme/spare".into()), "{answer:?}");
    let headers = ["x-openmux-fallback", "x-openmux-attempts", "x-openmux-provider"].map(|name| answer.header(name));
    assert_eq!(headers, ["acme/spare", "2", "beta"]);
    let told = &answer.json()["openmux"];
    let step = json!([{ "from": "acme/tiny", "to": "acme/spare", "class": "overloaded", "attempts": 1 }]);
    assert_eq!(told["fallback"], step);
    let classes: Vec<&Value> = told["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["class"]).collect();
    assert_eq!(classes, ["overloaded", "ok"]);
    assert_eq!(told["decision_id"], answer.header("x-openmux-decision-id"));
    let sent = world.servers[1].requests().remove(0).json();
    assert_eq!(sent.to_string(), r#"{"model":"spare-1","messages":[{"role":"user","content":"hi"}]}"#);
    let (attempts, log) = world.end();
    assert_eq!(attempts.len(), 2);
    assert_eq!((&log[0]["model"], &log[0]["attempts"]), (&"acme/spare".into(), &2.into()), "{log:?}");
}

#[test]
fn what_became_of_the_answer_tells_the_attempts_at_every_model() {
    let servers = vec![
        (Server::start(vec![overloaded()]), "tiny"),
        (Server::start(vec![wire::openai_error(500, "server_error", None, "Broken")]), "small"),
        (Server::start(vec![good()]), "spare"),
    ];
    let world = World::serving(servers, "openai-chat", |_| {});
    // Of the model in the middle nobody may be asked: it leads on, and nothing is kept of it.
    let chain = ["acme/small", "anthropic/claude-haiku-4.5", "acme/spare"];
    let answer = world.chat(&asked(json!({ "models": chain })));
    assert_eq!(answer.status, 200, "{answer:?}");
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    let told = world.get(&format!("/v1/generation/{id}")).json();
    let data = &told["data"];
    assert_eq!((&data["model"], &data["class"]), (&"acme/spare".into(), &"ok".into()));
    assert_eq!(data["models"], json!(["acme/tiny", "acme/small", "acme/spare"]));
    let attempts = data["provider_responses"].as_array().unwrap().iter();
    let attempts: Vec<Value> = attempts.map(|one| json!([one["model"], one["provider_name"], one["class"]])).collect();
    let expected = json!([
        ["acme/tiny", "alpha", "overloaded"],
        ["acme/small", "beta", "provider_fault"],
        ["acme/spare", "gamma", "ok"]
    ]);
    assert_eq!(Value::from(attempts), expected);
    assert_eq!(data["total_cost"], answer.json()["usage"]["cost"]);
}

#[test]
fn a_stream_is_the_next_models_from_its_first_chunk() {
    let spare = || vec![wire::openai_stream(&["Hello"], None)];
    let world = chained(overloaded(), spare(), |_| {});
    let answer = world.chat(&asked(json!({ "stream": true, "models": ["acme/spare"] })));
    assert_eq!((answer.status, answer.header("x-openmux-fallback")), (200, "acme/spare"), "{answer:?}");
    assert!(answer.body.contains("\"model\":\"acme/spare\"") && !answer.body.contains("acme/tiny"), "{answer:?}");
    // The head has gone out, with comments after it, before the first model fails.
    let said = json!([{ "role": "user", "content": "hi" }]);
    for (path, question) in [
        ("/v1/chat/completions", json!({ "messages": said })),
        ("/v1/messages", json!({ "messages": said, "max_tokens": 9 })),
        ("/v1/responses", json!({ "input": said })),
    ] {
        let gate = Gate::new();
        let late = Script::raw(vec![
            Step::Pause(gate.clone()),
            Step::bytes("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n"),
        ]);
        let world = chained(late, spare(), |config| config.quiet = Duration::from_millis(20));
        let mut body = question;
        for (name, value) in [("model", "acme/tiny".into()), ("stream", true.into()), ("num_retries", 0.into())] {
            body[name] = value;
        }
        body["models"] = json!(["acme/spare"]);
        let body = body.to_string();
        let mut socket = TcpStream::connect(world.addr).unwrap();
        let head = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length:");
        write!(socket, "{head} {}\r\n\r\n{body}", body.len()).unwrap();
        let mut lines = BufReader::new(&socket).lines();
        let waits = |line: &str| line == ": openmux is waiting for the provider" || line == "event: ping";
        assert!(lines.any(|line| waits(&line.unwrap())), "{path}");
        gate.open();
        let rest: Vec<String> = lines.map(Result::unwrap).collect();
        let data: Vec<&String> = rest.iter().filter(|line| line.starts_with("data: {")).collect();
        let named = data.iter().filter(|line| line.contains("\"model\":\"acme/spare\"")).count();
        assert!(named > 0 && !data.iter().any(|line| line.contains("acme/tiny")), "{path}: {rest:?}");
        if path == "/v1/chat/completions" {
            assert_eq!((data.len(), named), (2, 2), "{rest:?}");
        }
        let ends = ["data: [DONE]", "event: message_stop", "event: response.completed"];
        assert!(rest.iter().any(|line| ends.contains(&line.as_str())), "{path}: {rest:?}");
    }
}

#[test]
fn what_was_begun_is_no_other_models_to_go_on_with() {
    let broken = Script::stream(vec![Step::bytes(wire::openai_text("Hello")), Step::Close]);
    let world = chained(broken, vec![], |_| {});
    let answer = world.chat(&asked(json!({ "stream": true, "models": ["acme/spare"] })));
    assert!(answer.body.contains("stream_broken") && !answer.body.contains("[DONE]"), "{answer:?}");
    assert_eq!(world.hits(), [1, 0]);
}

#[test]
fn a_model_that_nobody_can_be_asked_for_leads_to_the_next() {
    let world = chained(good(), vec![], |_| {});
    let answer = world.chat(&asked(json!({ "model": "anthropic/claude-sonnet-5", "models": ["acme/tiny"] })));
    assert_eq!((answer.status, answer.header("x-openmux-fallback")), (200, "acme/tiny"), "{answer:?}");
    assert_eq!(answer.header("x-openmux-attempts"), "1");
    let none = world.chat(&asked(json!({ "model": "anthropic/claude-sonnet-5", "models": ["openai/gpt-5"] })));
    assert_eq!((none.status, none.error("code")), (401, "no_credential".into()), "the first one's reason: {none:?}");
    let unknown = world.chat(&asked(json!({ "models": ["acme/spar"] })));
    assert_eq!((unknown.status, unknown.error("param")), (404, "models[0]".into()), "{unknown:?}");
}

#[test]
fn where_all_have_failed_every_attempt_is_told() {
    let world = chained(overloaded(), vec![wire::openai_error(401, "x", Some("invalid_api_key"), "no")], |_| {});
    let answer = world.chat(&asked(json!({ "fallbacks": ["acme/spare"] })));
    assert_eq!((answer.status, answer.header("x-openmux-attempts")), (401, "2"), "{answer:?}");
    let told = answer.error("previous_errors");
    let models: Vec<&Value> = told.as_array().unwrap().iter().map(|attempt| &attempt["upstream_model"]).collect();
    assert_eq!(models, ["tiny-1", "spare-1"]);
}

/// Which model answers after a failure of the first: by whose chain it is.
#[test]
fn each_chain_follows_the_failures_that_it_is_for() {
    let invalid = || wire::openai_error(400, "invalid_request_error", None, "no such thing");
    let long = || wire::openai_error(400, "invalid_request_error", Some("context_length_exceeded"), "long");
    let filtered = || {
        Script::json(
            200,
            &json!({
                "id": "x", "object": "chat.completion", "created": 1, "model": "tiny-1",
                "choices": [{ "index": 0, "finish_reason": "content_filter",
                    "message": { "role": "assistant", "content": "" } }],
                "usage": { "prompt_tokens": 9, "completion_tokens": 0, "total_tokens": 9 },
            }),
        )
    };
    let chain = |config: &mut Config| config.fallback = vec!["acme/spare".to_owned()];
    let named = |config: &mut Config| {
        config.fallback = vec!["acme/spare".to_owned()];
        config.fallback_on = vec![FallbackClass::Class(ErrorClass::TooLarge)];
    };
    type Change = fn(&mut Config);
    let cases: [(Script, Value, Change, bool); 11] = [
        // OpenRouter's: after any error.
        (invalid(), json!({ "models": ["acme/spare"] }), |_| {}, true),
        (long(), json!({ "models": ["acme/spare"] }), |_| {}, true),
        (filtered(), json!({ "models": ["acme/spare"] }), |_| {}, false),
        // ZenMux's: after what every provider was tried for.
        (overloaded(), json!({ "provider": { "fallback": "acme/spare" } }), |_| {}, true),
        (invalid(), json!({ "provider": { "fallback": "acme/spare" } }), |_| {}, false),
        // LiteLLM's special ones.
        (long(), json!({ "context_window_fallbacks": ["acme/spare"] }), |_| {}, true),
        (overloaded(), json!({ "context_window_fallbacks": ["acme/spare"] }), |_| {}, false),
        (filtered(), json!({ "content_policy_fallbacks": ["acme/spare"] }), |_| {}, true),
        // The gateway's own.
        (overloaded(), json!({}), chain, true),
        (overloaded(), json!({ "disable_fallbacks": true }), chain, false),
        (overloaded(), json!({}), named, false),
    ];
    for (script, more, change, falls) in cases {
        let world = chained(script, if falls { vec![good()] } else { vec![] }, change);
        let answer = world.chat(&asked(more.clone()));
        assert_eq!(
            (answer.header("x-openmux-fallback") == "acme/spare", world.hits()[1]),
            (falls, usize::from(falls)),
            "{more}: {answer:?}"
        );
        assert_eq!(answer.json()["model"] == "acme/spare", falls, "{more}: {answer:?}");
    }
}

#[test]
fn a_request_never_widens_what_the_gateway_allows() {
    let alpha = |config: &mut Config| {
        config.constraints.only = vec![openmux::catalog::ProviderId::new("alpha")];
        config.constraints.max_price_in = "0.5".parse().ok();
    };
    let world = World::with(vec![Server::start(vec![]), Server::start(vec![])], "openai-chat", alpha);
    for more in [
        json!({ "provider": { "only": ["beta"] } }),
        json!({ "model": "acme/tiny:beta" }),
        json!({ "provider": { "routing": { "type": "order", "providers": ["beta"] } } }),
        json!({ "models": ["acme/tiny:beta"] }),
    ] {
        let refused = world.chat(&asked(more.clone()));
        assert_eq!((refused.status, refused.error("code")), (403, "not_allowed".into()), "{more}: {refused:?}");
        assert!(refused.error("message").as_str().unwrap().contains("alpha"), "{refused:?}");
    }
    let dear = json!({ "provider": { "max_price": { "prompt": 100 }, "order": ["beta"] } });
    let dear = world.chat(&asked(dear));
    assert_eq!((dear.status, dear.error("code")), (404, "above_max_price".into()), "{dear:?}");
    let both = world.chat(&asked(json!({ "model": "acme/tiny:alpha", "provider": { "only": ["alpha"] } })));
    assert_eq!(both.error("code"), "above_max_price", "what both say is one thing: {both:?}");
}

#[test]
fn what_a_name_pins_and_what_a_list_leaves_out_is_a_contradiction() {
    let world = World::new(vec![Server::start(vec![]), Server::start(vec![])]);
    let refused = world.chat(&asked(json!({ "model": "acme/tiny:beta", "provider": { "only": ["alpha"] } })));
    assert_eq!((refused.status, refused.error("param")), (400, "model".into()), "{refused:?}");
    assert!(refused.error("message").as_str().unwrap().contains("provider.only"), "{refused:?}");
}
