//! What is refused before anything is asked, whatever comes over the wire.

use std::time::Duration;

use openmux::gateway::Token;
use serde_json::json;

use super::{World, ask, hello};

fn quick(world: &mut openmux::gateway::Config) {
    world.arrival = Duration::from_millis(50);
}

#[test]
fn bodies_that_are_no_request_are_refused_in_words() {
    let world = World::new(vec![]);
    let deep = format!("{{\"messages\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
    let invalid = b"{\"model\":\"acme/tiny\",\"messages\":[{\"role\":\"user\",\"content\":\"\xff\xfe\"}]}";
    for (body, said) in [
        (b"{\"model\"".as_slice(), "the body is not JSON"),
        (b"", "the body is not JSON"),
        (b"[1,2]", "the body is not a JSON object"),
        (b"null", "the body is not a JSON object"),
        (deep.as_bytes(), "recursion limit exceeded"),
        (invalid, "the body is not JSON: invalid unicode"),
    ] {
        let answer = ask(world.addr, "POST", "/v1/chat/completions", body, &[]);
        assert_eq!((answer.status, answer.error("code")), (400, "invalid_json".into()), "{answer:?}");
        assert!(answer.error("message").as_str().unwrap().contains(said), "{answer:?}");
    }
}

#[test]
fn a_body_of_100_mb_is_refused_and_read_no_further_than_it_must() {
    let world = World::new(vec![]);
    let answer = ask(world.addr, "POST", "/v1/chat/completions", &vec![b' '; 100 * 1024 * 1024], &[]);
    assert_eq!((answer.status, answer.error("code")), (413, "body_too_large".into()), "{answer:?}");
    // A client that asks first is spared the way.
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\nconnection: close\r\n\
                content-length: 104857600\r\n\r\n";
    assert!(world.raw(head.as_bytes()).starts_with("HTTP/1.1 413"));
    assert_eq!(world.get("/healthz").status, 200);
}

#[test]
fn who_is_too_slow_is_not_waited_for() {
    let world = World::with(vec![], "openai-chat", quick);
    assert_eq!(world.raw(b"POST /v1/chat/completions HTTP/1.1\r\nhost: local"), "", "closed without a word");
    let half =
        "POST /v1/chat/completions HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: 50\r\n\r\n{\"mo";
    assert!(world.raw(half.as_bytes()).starts_with("HTTP/1.1 408"));
}

#[test]
fn a_flood_of_headers_is_refused() {
    let world = World::new(vec![]);
    let many: String = (0..300).map(|at| format!("x-{at}: y\r\n")).collect();
    let long = format!("x-long: {}\r\n", "y".repeat(200_000));
    for headers in [many, long] {
        let answer = world.raw(format!("GET /healthz HTTP/1.1\r\nhost: localhost\r\n{headers}\r\n").as_bytes());
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
        assert_eq!(in_words(&answer), "head_too_large", "{answer}");
    }
    let long = world.raw(format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "y".repeat(70_000)).as_bytes());
    assert_eq!((long.starts_with("HTTP/1.1 414"), in_words(&long)), (true, "uri_too_long".to_owned()), "{long}");
    let nonsense = world.raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 TLS, and not HTTP\r\n\r\n");
    assert!(nonsense.starts_with("HTTP/1.1 400"), "{nonsense}");
    assert_eq!(in_words(&nonsense), "bad_request", "{nonsense}");
    let twice = "GET /v1/models HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
    let twice = world.raw(twice.as_bytes());
    assert_eq!((twice.starts_with("HTTP/1.1 400"), in_words(&twice)), (true, "invalid_request".to_owned()), "{twice}");
}

/// The code of a refusal, of which all is there that the others have.
fn in_words(answer: &str) -> String {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    assert_eq!(length.parse(), Ok(body.len()), "{answer}");
    assert!(head.contains("content-type: application/json"), "{answer}");
    let error = serde_json::from_str::<serde_json::Value>(body).unwrap()["error"].take();
    assert!(error["fix"].is_string() && error["message"].is_string(), "{answer}");
    error["code"].as_str().unwrap().to_owned()
}

#[test]
fn paths_and_methods_that_are_not_there_say_so() {
    let world = World::new(vec![]);
    for (method, path, status, code) in [
        ("GET", "/v1/chat/completions", 405, "method_not_allowed"),
        ("DELETE", "/healthz", 405, "method_not_allowed"),
        ("POST", "/v1/nothing", 404, "not_found"),
        ("GET", "/api/v2/models", 404, "not_found"),
        ("GET", "/v1/../healthz/..", 404, "not_found"),
    ] {
        let answer = ask(world.addr, method, path, b"", &[]);
        assert_eq!((answer.status, answer.error("code")), (status, code.into()), "{method} {path}: {answer:?}");
    }
    assert_eq!(ask(world.addr, "GET", "/v1/chat/completions", b"", &[]).header("allow"), "POST");
    assert_eq!(ask(world.addr, "HEAD", "/healthz", b"", &[]).status, 200);
    assert_eq!(world.get("/readyz").json()["status"], "ok");
}

#[test]
fn pages_and_strange_names_are_turned_away_before_anything_is_read() {
    let world = World::new(vec![]);
    let body = hello(json!({})).to_string();
    for (headers, code) in [
        (&[("host", "evil.example")][..], "wrong_host"),
        (&[("origin", "https://evil.example")], "wrong_origin"),
        (&[("origin", "null")], "wrong_origin"),
    ] {
        let answer = world.post("/v1/chat/completions", &body, headers);
        assert_eq!((answer.status, answer.error("code")), (403, code.into()), "{answer:?}");
    }
}

#[test]
fn a_token_is_asked_for_where_one_is_set() {
    let world = World::with(vec![], "openai-chat", |config| config.token = Token::new("let-me-in"));
    let with = |headers: &[(&str, &str)]| world.post("/v1/chat/completions", "{}", headers).status;
    assert_eq!(with(&[]), 401);
    assert_eq!(with(&[("authorization", "Bearer let-me-out")]), 401);
    assert_eq!(with(&[("authorization", "Bearer let-me-in")]), 400, "past the door");
    assert_eq!(with(&[("x-api-key", "let-me-in")]), 400);
    assert_eq!(world.get("/healthz").status, 200, "whether it lives anybody may ask");
}

#[test]
fn more_requests_than_are_allowed_are_told_to_come_back() {
    let world = World::with(vec![], "openai-chat", |config| config.at_once = 0);
    for path in ["/v1/chat/completions", "/v1/messages/count_tokens", "/v1/route/explain"] {
        let answer = world.post(path, &hello(json!({})).to_string(), &[]);
        assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{path}: {answer:?}");
    }
    assert_eq!(world.chat(&hello(json!({}))).error("code"), "busy");
}

/// A short text can be read into very many values.
#[test]
fn the_values_of_a_body_and_the_room_for_all_of_them_have_bounds() {
    let body = |count: usize| format!(r#"{{"model":"acme/tiny","messages":[0{}]}}"#, ",0".repeat(count));
    let refused = |world: &World, count| {
        let answer = world.post("/v1/chat/completions", &body(count), &[]);
        (answer.status, answer.error("code"))
    };
    let world = World::new(vec![]);
    assert_eq!(refused(&world, 250_000), (413, "body_too_large".into()));
    assert_eq!(refused(&world, 240_000), (400, "invalid_request".into()), "it was read");
    let world = World::with(vec![], "openai-chat", |config| config.bodies = 10_000);
    assert_eq!(refused(&world, 100), (503, "busy".into()));
    for _ in 0..10 {
        assert_eq!(refused(&world, 10), (400, "invalid_request".into()), "what is served is given back");
    }
    let long = json!({ "messages": "x".repeat(20_000) }).to_string();
    assert_eq!(world.post("/v1/chat/completions", &long, &[]).status, 503);
}
