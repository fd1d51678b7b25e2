//! How a chat ended is noted, wherever the end came from: whose it was, what it cost, and against whom it counts.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::sync::Arc;

use openmux::dispatch::FallbackClass;
use openmux::gateway::{Allowance, Client, Token};
use openmux::observe::{ErrorClass, Flags};
use serde_json::{Value, json};

use super::super::support::server::{Script, Server, Step};
use super::super::support::wire;
use super::{World, hello};

const TOKEN: &str = "alice-token-0123456789";

/// A provider that says this and then nothing more.
fn says(events: &str) -> Server {
    Server::start(vec![Script::stream(vec![Step::bytes(events.to_owned()), Step::HangForever])])
}

/// A stream of which the first words are there; what follows is left unread.
fn begun(world: &World, body: &Value) -> BufReader<TcpStream> {
    let body = body.to_string();
    let mut socket = TcpStream::connect(world.addr).unwrap();
    let head = format!("POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {TOKEN}\r\n");
    write!(socket, "{head}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut reader = BufReader::new(socket);
    let mut line = String::new();
    while !line.contains("Hello") {
        line.clear();
        assert!(reader.read_line(&mut line).unwrap() > 0, "it begins");
    }
    reader
}

/// Which of the texts it ended at, where the provider says so.
#[test]
fn the_text_that_ended_an_answer_is_told() {
    let events = wire::anthropic_events(&["Hello."], (7, 3)).concat();
    let ended = |text: &str| {
        text.replace(
            r#""stop_reason":"end_turn","stop_sequence":null"#,
            r#""stop_reason":"stop_sequence","stop_sequence":"END""#,
        )
    };
    let streamed = ended(&events);
    assert_ne!(streamed, events);
    let whole = json!({
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "stop_sequence",
        "stop_sequence": "END", "usage": { "input_tokens": 7, "output_tokens": 3 },
        "content": [{ "type": "text", "text": "Hello." }],
    });
    let scripts = vec![Script::stream(vec![Step::bytes(streamed)]), Script::json(200, &whole)];
    let world = World::with(vec![Server::start(scripts)], "anthropic-messages", |_| {});
    let mut body = hello(json!({ "stop_sequences": ["END", "STOP"], "max_tokens": 50, "stream": true }));
    let ask = |body: &Value| world.post("/v1/messages", &body.to_string(), &[]);
    let answer = ask(&body);
    let told = r#""delta":{"stop_reason":"stop_sequence","stop_sequence":"END","native_stop_reason":"stop_sequence"}"#;
    assert!(answer.body.contains(told), "{answer:?}");
    body["stream"] = false.into();
    let answer = ask(&body).json();
    assert_eq!((&answer["stop_reason"], &answer["stop_sequence"]), (&json!("stop_sequence"), &json!("END")));
}

#[test]
fn a_limit_of_the_clients_own_is_not_held_against_the_provider() {
    for body in [
        json!({ "timeout": 0.2 }),
        json!({ "timeout": 0.2, "stream": true }),
        json!({ "stream_timeout": 0.2, "stream": true }),
    ] {
        let world = World::new(vec![Server::start(vec![Script::stream(vec![Step::HangForever])])]);
        let answer = world.chat(&hello(body.clone()));
        assert_eq!((answer.status, answer.error("class")), (504, "provider_timeout".into()), "{body}: {answer:?}");
        assert_eq!(answer.error("owner"), "your request", "{body}: {answer:?}");
        assert_eq!(answer.error("fix"), "ask again with a longer timeout, or with none");
        let (attempts, _) = world.end();
        assert!(attempts[0].flags.has(Flags::IMPATIENT), "{body}: {attempts:?}");
        assert_eq!(attempts[0].counted_class(), ErrorClass::Aborted, "{body}");
    }
}

#[test]
fn a_limit_that_the_client_has_set_for_itself_closes_no_provider_to_others() {
    let mut scripts = vec![Script::stream(vec![Step::HangForever]); 8];
    scripts.push(wire::openai_whole("Hello.", (7, 3)));
    let world = World::new(vec![Server::start(scripts), Server::start(vec![])]);
    for _ in 0..8 {
        let only = json!({ "timeout": 0.05, "num_retries": 0, "provider": { "only": ["alpha"] } });
        assert_eq!(world.chat(&hello(only)).status, 504);
    }
    let answer = world.chat(&hello(json!({})));
    assert_eq!((answer.status, answer.header("x-openmux-provider")), (200, "alpha"), "{answer:?}");
}

#[test]
fn where_no_time_is_left_to_ask_anybody_that_is_what_is_said() {
    let world = World::new(vec![Server::start(vec![])]);
    let answer = world.chat(&hello(json!({ "stream": true, "stream_timeout": "1e-9" })));
    let told = ["code", "owner", "fix"].map(|name| answer.error(name));
    assert_eq!(answer.status, 504, "{answer:?}");
    assert_eq!(told, ["deadline", "your request", "ask again with a longer timeout, or with none"].map(Value::from));
}

#[test]
fn what_a_client_left_is_noted_with_what_it_came_to() {
    let allowance = Allowance { tokens_per_minute: Some(100), ..Allowance::default() };
    let world = World::with(
        vec![says(&wire::openai_text("Hello, this is a rather long beginning"))],
        "openai-chat",
        |config| {
            config.clients = vec![Arc::new(Client::new("alice".to_owned(), Token::new(TOKEN).unwrap(), allowance))];
        },
    );
    drop(begun(&world, &hello(json!({ "stream": true, "max_tokens": 1 }))));
    world.servers[0].wait_left(1);
    let (attempts, log) = world.end();
    assert_eq!(attempts.iter().map(|seen| seen.class).collect::<Vec<_>>(), [ErrorClass::Aborted]);
    let noted = ["status", "class", "attempts", "provider", "client", "cost_usd"].map(|name| &log[0][name]);
    assert_eq!(noted, [&200.into(), &"aborted".into(), &1.into(), &"alpha".into(), &"alice".into(), &Value::Null]);
}

#[test]
fn tokens_that_came_count_although_the_client_left_before_the_end() {
    let long = format!("Hello{}", " word".repeat(400));
    let allowance = Allowance { tokens_per_minute: Some(300), ..Allowance::default() };
    let world = World::with(vec![says(&wire::openai_text(&long))], "openai-chat", |config| {
        config.clients = vec![Arc::new(Client::new("alice".to_owned(), Token::new(TOKEN).unwrap(), allowance))];
    });
    drop(begun(&world, &hello(json!({ "stream": true, "max_tokens": 1 }))));
    world.servers[0].wait_left(1);
    // The attempt has ended there; that it is noted here is waited for.
    let asked = || {
        let body = hello(json!({ "max_tokens": 1 })).to_string();
        let authorization = format!("Bearer {TOKEN}");
        world.post("/v1/chat/completions", &body, &[("authorization", &authorization)]).status
    };
    while world.log.lock().unwrap().is_empty() {
        std::thread::yield_now();
    }
    assert_eq!(asked(), 429);
}

#[test]
fn what_was_set_aside_for_a_stream_that_was_left_is_given_back_but_for_what_it_likely_cost() {
    let answers = || Script::stream(vec![Step::bytes(wire::openai_text("Hello")), Step::HangForever]);
    let world = World::with(vec![Server::start(vec![answers(), answers(), answers()])], "openai-chat", |config| {
        // A stream without max_tokens is at most 4,096 tokens at $2 a million, and this holds one of them.
        config.day_cap = Some("0.01".parse().unwrap());
    });
    for left in 1..=3 {
        drop(begun(&world, &hello(json!({ "stream": true }))));
        world.servers[0].wait_left(left);
        while world.log.lock().unwrap().len() < left {
            std::thread::yield_now();
        }
    }
    assert_eq!(world.end().0.len(), 3);
}

#[test]
fn an_answer_that_was_given_up_for_another_models_is_in_the_cost() {
    let filtered = Script::json(
        200,
        &json!({
            "id": "1", "object": "chat.completion", "created": 1, "model": "m",
            "choices": [{ "index": 0, "message": { "role": "assistant", "content": "" }, "finish_reason": "content_filter" }],
            "usage": { "prompt_tokens": 1000, "completion_tokens": 0, "total_tokens": 1000 },
        }),
    );
    let servers = vec![
        (Server::start(vec![filtered]), "tiny"),
        (Server::start(vec![wire::openai_whole("Hello.", (7, 3))]), "spare"),
    ];
    let world = World::serving(servers, "openai-chat", |_| {});
    let answer = world.chat(&hello(json!({ "content_policy_fallbacks": [{ "acme/tiny": ["acme/spare"] }] })));
    // $1 a million in for the first; $21 in and $42 out for the second.
    let both = "0.001273";
    assert_eq!((answer.status, answer.header("x-openmux-cost")), (200, both), "{answer:?}");
    assert_eq!(answer.json()["usage"]["cost"].to_string(), both);
    let metrics = world.get("/metrics").body;
    for (model, cost) in [("acme/tiny", "0.001"), ("acme/spare", "0.000273")] {
        let line = metrics.lines().find(|line| line.starts_with("openmux_cost_usd_total") && line.contains(model));
        assert!(line.is_some_and(|line| line.ends_with(&format!(" {cost}"))), "{model}: {metrics}");
    }
    let (_, log) = world.end();
    assert_eq!(log[0]["cost_usd"].to_string(), both);
}

#[test]
fn the_gateways_own_fallback_locks_nobody_out() {
    let servers =
        || vec![(Server::start(vec![wire::openai_whole("Hello.", (7, 3))]), "tiny"), (Server::start(vec![]), "spare")];
    let only = |config: &mut openmux::gateway::Config| {
        config.fallback = vec!["acme/spare".to_owned()];
        let allowance = Allowance { models: vec![openmux::catalog::ModelId::new("acme/tiny")], ..Allowance::default() };
        config.clients = vec![Arc::new(Client::new("alice".to_owned(), Token::new(TOKEN).unwrap(), allowance))];
    };
    let world = World::serving(servers(), "openai-chat", only);
    let authorization = format!("Bearer {TOKEN}");
    let ask = |more: Value| {
        world.post("/v1/chat/completions", &hello(more).to_string(), &[("authorization", &authorization)])
    };
    assert_eq!(ask(json!({})).status, 200);
    // What the client itself names is refused.
    assert_eq!(ask(json!({ "models": ["acme/spare"] })).status, 403);
}

#[test]
fn one_request_is_for_so_many_models_and_no_more() {
    let world = World::new(vec![Server::start(vec![])]);
    let models: Vec<String> = (0..16).map(|number| format!("acme/model-{number}")).collect();
    let answer = world.chat(&hello(json!({ "models": models })));
    assert_eq!(
        (answer.status, answer.error("message")),
        (400, "models[15]: 17 models are named, and at most 16 are asked".into())
    );
}

#[test]
fn a_stream_of_which_nothing_was_said_is_filtered_as_a_whole_answer_is() {
    let end = wire::openai_events(&[], None).concat().replace("\"stop\"", "\"content_filter\"");
    let filtered = Script::stream(vec![Step::bytes(end)]);
    let spare = wire::openai_stream(&["Hello"], Some((7, 3)));
    let servers = vec![(Server::start(vec![filtered]), "tiny"), (Server::start(vec![spare]), "spare")];
    let world = World::serving(servers, "openai-chat", |config| {
        config.fallback = vec!["acme/spare".to_owned()];
        config.fallback_on = vec![FallbackClass::Class(ErrorClass::OkFiltered)];
    });
    let answer = world.chat(&hello(json!({ "stream": true })));
    assert!(answer.body.contains("Hello") && answer.body.contains("acme/spare"), "{answer:?}");
}

#[test]
fn what_is_under_way_when_the_time_to_end_is_over_is_stopped_and_recorded() {
    let world = World::with(vec![says(&wire::openai_text("Hello"))], "openai-chat", |_| {});
    let reader = begun(&world, &hello(json!({ "stream": true })));
    let (attempts, log) = world.hurry();
    assert_eq!(attempts.iter().map(|seen| seen.class).collect::<Vec<_>>(), [ErrorClass::Aborted]);
    assert_eq!((&log[0]["class"], &log[0]["provider"]), (&"aborted".into(), &"alpha".into()));
    drop(reader);
}
