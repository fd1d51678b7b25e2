//! What clients insist on that check what they are told: a number where the vendor's schema has one, a list in the vendor's form.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::super::support::server::{Script, Server};
use super::super::support::wire;
use super::{Response, World, hello};

const VERSION: &[(&str, &str)] = &[("anthropic-version", "2023-06-01")];

fn message(world: &World, more: Value) -> Response {
    let mut body = hello(json!({ "max_tokens": 50 }));
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    world.post("/v1/messages", &body.to_string(), VERSION)
}

/// The usage that an event of a stream tells.
fn told(answer: &Response, kind: &str) -> Value {
    let events = answer.events();
    let events: Vec<Value> = events.iter().map(|event| serde_json::from_str(event).unwrap()).collect();
    let event = events.iter().find(|event| event["type"] == kind);
    let event = event.unwrap_or_else(|| panic!("{kind}: {answer:?}"));
    if kind == "message_start" { event["message"]["usage"].clone() } else { event["usage"].clone() }
}

#[test]
fn a_message_has_numbers_whoever_answers_and_says_which_are_guessed() {
    let pieces = ["Hello", ", you."];
    let guessed = json!({ "input_tokens": 5, "output_tokens": 0, "cache_read_input_tokens": null,
                          "cache_creation_input_tokens": null, "estimated": ["input_tokens"] });
    let world = World::new(vec![Server::start(vec![wire::openai_stream(&pieces, Some((7, 3)))])]);
    let answer = message(&world, json!({ "stream": true }));
    assert_eq!(told(&answer, "message_start"), guessed);
    let last = told(&answer, "message_delta");
    assert_eq!(
        (&last["input_tokens"], &last["output_tokens"], &last["estimated"]),
        (&json!(7), &json!(3), &Value::Null)
    );
    // Of a provider that reports nothing the guess is all there is.
    let world = World::new(vec![Server::start(vec![wire::openai_stream(&pieces, None)])]);
    let answer = message(&world, json!({ "stream": true }));
    let last = told(&answer, "message_delta");
    assert_eq!((&last["input_tokens"], &last["estimated"]), (&json!(5), &json!(["input_tokens", "output_tokens"])));
    assert!(last["output_tokens"].as_u64().is_some_and(|tokens| tokens > 0), "{last}");
    assert_eq!(last["cost"], Value::Null, "a guess has no cost");
    let said = json!({ "role": "assistant", "content": "Hello, you." });
    let whole = json!({ "id": "x", "object": "chat.completion", "created": 1, "model": "m",
                        "choices": [{ "index": 0, "message": said, "finish_reason": "stop" }] });
    let world = World::new(vec![Server::start(vec![Script::json(200, &whole)])]);
    let usage = message(&world, json!({})).json()["usage"].clone();
    let numbers = ["input_tokens", "output_tokens", "estimated"].map(|name| usage[name].clone());
    assert_eq!(numbers, [json!(5), json!(3), json!(["input_tokens", "output_tokens"])]);
    // Who tells the input first is not second-guessed.
    let script = wire::anthropic_stream(&pieces, (7, 3));
    let world = World::with(vec![Server::start(vec![script])], "anthropic-messages", |_| {});
    let first = told(&message(&world, json!({ "stream": true })), "message_start");
    assert_eq!((&first["input_tokens"], &first["estimated"]), (&json!(7), &Value::Null));
}

/// Who speaks the dialect has words for an end that nobody else has.
#[test]
fn an_end_in_the_dialects_own_words_is_told_in_them() {
    for (reason, told) in [
        ("model_context_window_exceeded", "model_context_window_exceeded"),
        ("pause_turn", "pause_turn"),
        ("stop_sequence", "stop_sequence"),
        ("max_tokens", "max_tokens"),
        ("unheard_of", "end_turn"),
    ] {
        let said = json!([{ "type": "text", "text": "Hello." }]);
        let whole = json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": said,
                            "stop_reason": reason, "stop_sequence": null,
                            "usage": { "input_tokens": 7, "output_tokens": 3 } });
        let server = Server::start(vec![Script::json(200, &whole)]);
        let world = World::with(vec![server], "anthropic-messages", |_| {});
        let answer = message(&world, json!({})).json();
        assert_eq!((&answer["stop_reason"], &answer["native_stop_reason"]), (&told.into(), &reason.into()), "{answer}");
    }
}

/// Whatever else is counted beside the tokens stands where Anthropic's clients look for it.
#[test]
fn what_is_counted_beside_the_tokens_is_told() {
    let beside = json!({ "cache_creation": { "ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20 },
                         "cache_creation_input_tokens": 30, "cache_read_input_tokens": 5,
                         "output_tokens_details": { "thinking_tokens": 4 },
                         "server_tool_use": { "web_search_requests": 2 }, "service_tier": "priority" });
    let mut usage = json!({ "input_tokens": 7, "output_tokens": 9 });
    usage.as_object_mut().unwrap().extend(beside.as_object().unwrap().clone());
    let said = json!([{ "type": "text", "text": "Hello." }]);
    let whole = json!({ "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "content": said,
                        "stop_reason": "end_turn", "stop_sequence": null, "usage": usage });
    let server = Server::start(vec![Script::json(200, &whole)]);
    let world = World::with(vec![server], "anthropic-messages", |_| {});
    let told = message(&world, json!({})).json()["usage"].clone();
    for (name, value) in usage.as_object().unwrap() {
        assert_eq!(told[name], *value, "{name}: {told}");
    }
}

/// Anthropic's clients go by the type of an error, whoever answers.
#[test]
fn an_error_has_the_type_that_its_status_has_there() {
    for (status, code, told, kind) in [
        (402, "insufficient_quota", 402, "billing_error"),
        (403, "x", 403, "permission_error"),
        (503, "x", 503, "overloaded_error"),
        (504, "x", 504, "timeout_error"),
    ] {
        let world = World::new(vec![Server::repeating(wire::openai_error(status, "x", Some(code), "no"))]);
        let answer = message(&world, json!({ "num_retries": 0 }));
        assert_eq!((answer.status, answer.error("type")), (told, kind.into()), "{answer:?}");
    }
}

#[test]
fn what_clears_a_long_conversation_may_be_left_undone_and_is_named() {
    let clears = json!({ "edits": [{ "type": "clear_thinking_20251015", "keep": "all" },
                                   { "type": "clear_tool_uses_20250919" }] });
    let sums_up = json!({ "edits": [{ "type": "compact_20260112" }] });
    let world = World::new(vec![Server::repeating(wire::openai_whole("Hello.", (7, 3)))]);
    let answer = message(&world, json!({ "context_management": clears }));
    assert_eq!((answer.status, answer.header("x-openmux-dropped")), (200, "context_management"), "{answer:?}");
    let refused = message(&world, json!({ "context_management": sums_up }));
    assert_eq!((refused.status, refused.error("code")), (400, "unsupported".into()), "{refused:?}");
    // Claude Code's agents say how much is to be said, and nothing of thinking.
    let answer = message(&world, json!({ "output_config": { "effort": "low" } }));
    assert_eq!((answer.status, answer.header("x-openmux-dropped")), (200, "output_config"), "{answer:?}");
    let server = Server::repeating(wire::anthropic_whole("Hello.", (7, 3)));
    let world = World::with(vec![server], "anthropic-messages", |_| {});
    for context in [clears, sums_up] {
        let answer = message(&world, json!({ "context_management": context }));
        assert_eq!((answer.status, answer.header("x-openmux-dropped")), (200, ""), "{answer:?}");
        assert_eq!(world.servers[0].requests().last().unwrap().json()["context_management"], context);
    }
}

/// How many pages of text or of pictures a PDF has, its bytes do not tell.
#[test]
fn what_is_inside_a_pdf_rules_nobody_out() {
    let server = Server::repeating(wire::anthropic_whole("Hello.", (7, 3)));
    let world = World::with(vec![server], "anthropic-messages", |_| {});
    let mut pdf = b"%PDF-1.7\n".to_vec();
    pdf.resize(400_000, b'x');
    let source = json!({ "type": "base64", "media_type": "application/pdf", "data": BASE64_STANDARD.encode(&pdf) });
    let asked = |said: &str| {
        let content = json!([{ "type": "document", "source": source }, { "type": "text", "text": said }]);
        message(&world, json!({ "messages": [{ "role": "user", "content": content }] }))
    };
    let answer = asked("What is this?");
    assert_eq!(answer.status, 200, "{answer:?}");
    // What is counted still does.
    let refused = asked(&"word ".repeat(8000));
    assert_eq!((refused.status, refused.error("code")), (400, "context_too_small".into()), "{refused:?}");
    assert_eq!(world.hits(), [1]);
}

#[test]
fn a_model_of_an_unknown_day_has_a_number_and_no_day() {
    let world = World::new(vec![Server::start(vec![])]);
    let row = world.get("/v1/models/acme/tiny").json();
    assert_eq!((&row["created"], &row["released"]), (&json!(0), &Value::Null));
    let rows = world.get("/v1/models").json();
    assert!(rows["data"].as_array().unwrap().iter().all(|row| row["created"].is_i64()), "{rows}");
    let told = world.get("/v1/models/acme/tiny/endpoints").json();
    assert_eq!((&told["data"]["created"], &told["data"]["released"]), (&json!(0), &Value::Null));
}

#[test]
fn anthropics_clients_get_its_own_list_a_page_at_a_time() {
    let servers = ["tiny", "small", "vast"].map(|model| (Server::start(vec![]), model));
    let world = World::serving(servers.into(), "openai-chat", |_| {});
    let get = |path: &str, headers: &[(&str, &str)]| super::ask(world.addr, "GET", path, b"", headers);
    let all = get("/v1/models?limit=1000", VERSION).json();
    let ids: Vec<String> =
        all["data"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
    assert!(["acme/small", "acme/tiny", "acme/vast"].iter().all(|id| ids.iter().any(|known| known == id)), "{ids:?}");
    let tiny = json!({ "type": "model", "id": "acme/tiny", "display_name": "tiny",
                       "created_at": "1970-01-01T00:00:00Z" });
    assert!(all["data"].as_array().unwrap().contains(&tiny), "{all}");
    assert_eq!((&all["has_more"], &all["first_id"]), (&json!(false), &json!(ids[0])));
    assert_eq!(get("/v1/models/acme/tiny", VERSION).json(), tiny);
    // However they say who they are.
    for (path, headers) in [
        ("/v1/models?limit=1000", &[("x-api-key", "sk-any")][..]),
        ("/api/anthropic/v1/models?limit=1000", &[]),
        ("/anthropic/v1/models?limit=1000&beta=true", &[]),
    ] {
        assert_eq!(get(path, headers).json(), all, "{path}");
    }
    let both = [("authorization", "Bearer sk-any"), ("x-api-key", "sk-any")];
    for headers in [&both[..1], &both] {
        assert_eq!(get("/v1/models", headers).json()["object"], "list", "{headers:?}");
    }
    let days: Vec<&str> =
        all["data"].as_array().unwrap().iter().map(|row| row["created_at"].as_str().unwrap()).collect();
    assert!(days.is_sorted_by(|one, next| one >= next) && days[0] > "1970-01-02", "the newest first: {days:?}");
    // Forwards, and back.
    let mut walked = Vec::new();
    let mut query = "limit=2".to_owned();
    loop {
        let page = get(&format!("/v1/models?{query}"), VERSION).json();
        walked.extend(page["data"].as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap().to_owned()));
        assert_eq!(page["last_id"], json!(walked.last()));
        if page["has_more"] == false {
            break;
        }
        query = format!("limit=2&after_id={}", page["last_id"].as_str().unwrap());
    }
    assert_eq!(walked, ids);
    let back = get(&format!("/v1/models?limit=1&before_id={}", ids[2]), VERSION).json();
    assert_eq!((&back["first_id"], &back["has_more"]), (&json!(ids[1]), &json!(true)));
    let first = get(&format!("/v1/models?before_id={}", ids[1]), VERSION).json();
    assert_eq!((&first["last_id"], &first["has_more"]), (&json!(ids[0]), &json!(false)));
    for (query, param) in [
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("after_id=acme/none", "after_id"),
        ("before_id=acme/tiny&after_id=acme/tiny", "before_id"),
    ] {
        let refused = get(&format!("/v1/models?{query}"), VERSION);
        assert_eq!((refused.status, refused.error("param")), (400, param.into()), "{query}: {refused:?}");
        assert_eq!(
            (refused.json()["type"].clone(), refused.error("fix").is_string()),
            ("error".into(), true),
            "{query}"
        );
    }
}

#[test]
fn a_stream_says_who_answered_and_what_it_cost_whether_or_not_that_was_asked() {
    let script = wire::openai_stream(&["Hello", ", you."], Some((7, 3)));
    let world = World::new(vec![Server::repeating(script)]);
    let answer = world.chat(&hello(json!({ "stream": true })));
    let comment = answer.body.lines().find_map(|line| line.strip_prefix(": openmux: ")).unwrap_or_default();
    let told: Value = serde_json::from_str(comment).unwrap_or_else(|_| panic!("{answer:?}"));
    assert_eq!((&told["provider"], told["usage"]["cost"].to_string()), (&json!("alpha"), "0.000013".to_owned()));
    assert_eq!(told["usage"]["completion_tokens"], 3);
    assert!(answer.body.ends_with("\n\ndata: [DONE]\n\n"), "{answer:?}");
    assert!(answer.events().iter().all(|event| !event.contains("cost")), "{answer:?}");
    let asked = world.chat(&hello(json!({ "stream": true, "stream_options": { "include_usage": true } })));
    assert!(!asked.body.contains(": openmux: "), "{asked:?}");
}
