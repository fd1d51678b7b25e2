//! What can be looked up: models and their prices, decisions, what became of an answer, and counts.

use openmux::gateway::{Config, Explained};
use openmux::routing::{Question, decide};
use openmux::units::Tokens;
use serde_json::{Value, json};

use super::super::support::server::Server;
use super::super::support::wire;
use super::{World, hello};

fn good() -> super::super::support::server::Script {
    wire::openai_whole("Hello, you.", (7, 3))
}

#[test]
fn the_list_has_what_a_key_is_there_for() {
    let world = World::new(vec![Server::start(vec![]), Server::start(vec![])]);
    let list = world.get("/v1/models");
    assert_eq!(list.json()["object"], "list");
    let rows = list.json()["data"].as_array().unwrap().clone();
    let tiny: Vec<&Value> = rows.iter().filter(|row| row["id"] == "acme/tiny").collect();
    insta::assert_snapshot!(serde_json::to_string_pretty(tiny[0]).unwrap(), @r#"
    {
      "id": "acme/tiny",
      "object": "model",
      "created": 0,
      "released": null,
      "owned_by": "acme",
      "name": "tiny",
      "display_name": "tiny",
      "context_length": 8192,
      "architecture": {
        "input_modalities": [],
        "output_modalities": []
      },
      "input_modalities": [],
      "output_modalities": [],
      "capabilities": {
        "reasoning": false
      },
      "pricing": {
        "prompt": "0.000001",
        "completion": "0.000002"
      },
      "pricings": {
        "prompt": [
          {
            "value": 1,
            "unit": "perMTokens",
            "currency": "USD"
          }
        ],
        "completion": [
          {
            "value": 2,
            "unit": "perMTokens",
            "currency": "USD"
          }
        ]
      },
      "priced_by": "alpha",
      "providers": [
        "alpha",
        "beta"
      ]
    }
    "#);
    assert!(rows.iter().all(|row| row["id"] != "anthropic/claude-sonnet-5"), "no key is set for anybody who serves it");
    assert_eq!(world.get("/api/v1/models").body, list.body);
    assert_eq!(world.get("/v1/models/acme/tiny").json(), *tiny[0]);
    assert_eq!(world.get("/v1/models/acme/none").status, 404);
}

#[test]
fn the_endpoints_of_a_model_have_their_prices_and_what_was_measured() {
    let world = World::new(vec![Server::start(vec![good()]), Server::start(vec![])]);
    assert_eq!(world.chat(&hello(json!({}))).status, 200);
    let told = world.get("/v1/models/acme/tiny/endpoints").json();
    let rows = told["data"]["endpoints"].as_array().unwrap();
    let of = |tag: &str| rows.iter().find(|row| row["tag"] == tag).unwrap();
    assert_eq!(
        (&of("alpha")["pricing"]["prompt"], &of("beta")["pricing"]["completion"]),
        (&"0.000001".into(), &"0.000042".into())
    );
    assert_eq!(of("alpha")["uptime_last_1d"].to_string(), "100.00", "one answer of one");
    assert_eq!(of("beta")["uptime_last_1d"], Value::Null, "unknown is not zero");
    assert_eq!(of("alpha")["callable"], true);
}

#[test]
fn what_became_of_an_answer_can_be_asked_by_its_id() {
    let overloaded = wire::openai_error(503, "server_error", None, "Overloaded");
    let world = World::new(vec![Server::start(vec![overloaded]), Server::start(vec![good()])]);
    let answer = world.chat(&hello(json!({})));
    let id = answer.json()["id"].as_str().unwrap().to_owned();
    let told = world.get(&format!("/v1/generation/{id}")).json();
    let data = &told["data"];
    assert_eq!(
        (&data["provider_name"], &data["model"], &data["class"]),
        (&"beta".into(), &"acme/tiny".into(), &"ok".into())
    );
    assert_eq!((&data["tokens_prompt"], &data["tokens_completion"]), (&7.into(), &3.into()));
    assert_eq!(data["total_cost"], answer.json()["usage"]["cost"]);
    assert_eq!(data["provider_responses"].as_array().map(Vec::len), Some(2));
    let hex = answer.header("x-openmux-decision-id");
    assert_eq!(world.get(&format!("/api/v1/generation?id={hex}")).json(), told);
    for id in ["nonsense", &"0".repeat(32), "%2e%2e%2f"] {
        assert_eq!(world.get(&format!("/v1/generation/{id}")).status, 404, "{id}");
    }
}

/// The same question in each dialect, by its word.
fn spoken(more: Value) -> [(&'static str, Value); 3] {
    let with = |mut body: Value| {
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let said = json!([{ "role": "user", "content": "Tell me a tale." }]);
    [
        ("chat", with(json!({ "model": "acme/tiny", "messages": said, "max_completion_tokens": 50 }))),
        ("responses", with(json!({ "model": "acme/tiny", "input": "Tell me a tale.", "max_output_tokens": 50 }))),
        ("messages", with(json!({ "model": "acme/tiny", "messages": said, "max_tokens": 50, "system": "" }))),
    ]
}

#[test]
fn a_body_of_any_dialect_is_explained() {
    let explains = |config: &mut Config| {
        let told = |explained: &Explained<'_>| {
            let Question { request, candidates, policy, now, seed } = *explained.question;
            let decision = decide(request, candidates, policy, now, seed);
            let first = decision.chosen().map(|first| first.endpoint.provider.to_string());
            json!({ "input": request.input.count(), "most": request.max_output.map(Tokens::count), "first": first })
        };
        config.explain = Some(Box::new(told));
    };
    let world = World::with(vec![Server::start(vec![]), Server::start(vec![])], "openai-chat", explains);
    let explain = |query: &str, body: &Value, headers: &[(&str, &str)]| {
        world.post(&format!("/v1/route/explain{query}"), &body.to_string(), headers)
    };
    let limits = json!({ "total_s": 600.0, "first_token_s": null });
    let expected = json!({ "input": 8, "most": 50, "first": "beta", "limits": limits });
    for (word, body) in spoken(json!({ "provider": { "only": ["beta"] } })) {
        let told = explain(&format!("?dialect={word}"), &body, &[]);
        assert_eq!((told.status, told.json()), (200, expected.clone()), "{word}: {told:?}");
        // Of a chat nothing else than messages can be told from Messages: what that does not know might be news.
        let apart = |other: &&str| *other != word && (*other == "responses" || word == "responses");
        for (other, _) in spoken(json!({})).into_iter().filter(|(other, _)| apart(other)) {
            let refused = explain(&format!("?dialect={other}"), &body, &[]);
            assert_eq!(refused.status, 400, "{word} is not {other}: {refused:?}");
        }
    }
    // Where nobody says so, it is what the body or its headers look like.
    let [(_, chat), (_, responses), (_, messages)] = spoken(json!({ "provider": { "only": ["beta"] } }));
    for (body, headers) in
        [(&chat, &[][..]), (&responses, &[]), (&messages, &[("anthropic-version", "2023-06-01")][..])]
    {
        assert_eq!(explain("", body, headers).json(), expected, "{body}");
    }
    // What a dialect does not know goes on untouched: nothing of it is a mistake.
    assert_eq!(explain("", &messages, &[]).status, 200);
    for (query, param) in [("?dialect=gemini", "dialect"), ("?model=acme/tiny", "model")] {
        let refused = explain(query, &chat, &[]);
        assert_eq!((refused.status, refused.error("param")), (400, param.into()), "{refused:?}");
    }
}

#[test]
fn a_count_is_the_same_whatever_is_said_about_routing() {
    let world = World::new(vec![Server::start(vec![]), Server::start(vec![])]);
    let [_, _, (_, plain)] = spoken(json!({}));
    let count = |more: Value| {
        let mut body = plain.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        world.post("/v1/messages/count_tokens", &body.to_string(), &[])
    };
    let plain = count(json!({}));
    assert_eq!((plain.status, plain.header("x-openmux-estimated")), (200, "input_tokens"), "{plain:?}");
    for more in [
        json!({ "provider": { "only": ["beta"], "sort": "price" } }),
        json!({ "models": ["acme/tiny:beta"], "session_id": "agent-7" }),
        json!({ "model": "acme/tiny:nitro", "fallbacks": ["acme/tiny:alpha"] }),
    ] {
        let counted = count(more);
        assert_eq!((counted.status, &counted.body), (200, &plain.body), "{counted:?}");
    }
    // What a chat is refused for is refused here.
    for (more, status) in [
        (json!({ "models": ["acme/none"] }), 404),
        (json!({ "model": "acme/none" }), 404),
        (json!({ "provider": { "only": ["nobody"] } }), 400),
        (json!({ "provider": { "colour": "red" } }), 400),
        (json!({ "model": "acme/tiny:alpha", "provider": { "only": ["beta"] } }), 400),
    ] {
        let refused = count(more.clone());
        assert_eq!((refused.status, &refused.json()["type"]), (status, &"error".into()), "{more}: {refused:?}");
        let mut body = spoken(json!({}))[2].1.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let chat = world.post("/v1/messages", &body.to_string(), &[]);
        assert_eq!((chat.status, chat.error("message")), (status, refused.error("message")), "{more}");
    }
}

#[test]
fn everything_is_counted_by_the_names_of_the_conventions() {
    let overloaded = wire::openai_error(503, "server_error", None, "Overloaded");
    let streamed = wire::openai_stream(&["Hello", ", you."], Some((7, 3)));
    let world = World::new(vec![Server::start(vec![overloaded]), Server::start(vec![streamed])]);
    assert_eq!(world.chat(&hello(json!({ "stream": true }))).status, 200);
    assert_eq!(world.chat(&hello(json!({ "n": 2 }))).status, 400);
    let text = world.get("/metrics").body;
    let of = "gen_ai_operation_name=\"chat\",gen_ai_provider_name=\"beta\",gen_ai_request_model=\"acme/tiny\"";
    for line in [
        format!("gen_ai_client_inference_usage_input_tokens_total{{{of},gen_ai_token_modality=\"unknown\"}} 7"),
        format!("gen_ai_client_inference_operation_output_tokens_sum{{{of}}} 3"),
        format!("gen_ai_client_inference_duration_seconds_count{{{of}}} 1"),
        format!("gen_ai_client_inference_time_to_first_chunk_seconds_count{{{of}}} 1"),
        "openmux_attempts_total{provider=\"alpha\",class=\"overloaded\"} 1".to_owned(),
        "openmux_failovers_total 1".to_owned(),
        format!("openmux_cost_usd_total{{{of}}} 0.000273"),
        "openmux_requests_under_way 0".to_owned(),
        "http_server_request_duration_seconds_count{http_request_method=\"POST\",http_route=\"/v1/chat/completions\",\
         http_response_status_code=\"400\"} 1"
            .to_owned(),
    ] {
        assert!(text.lines().any(|known| known == line), "{line}\nis not in\n{text}");
    }
    // A name and its type stand once each.
    let types: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
    let mut once = types.clone();
    once.dedup();
    assert_eq!(types, once);
}
