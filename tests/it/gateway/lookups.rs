//! What can be looked up: models and their prices, decisions, what became of an answer, and counts.

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
      "created": null,
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
        format!("gen_ai_client_token_usage_sum{{{of},gen_ai_token_type=\"input\"}} 7"),
        format!("gen_ai_client_operation_duration_seconds_count{{{of}}} 1"),
        format!("gen_ai_client_operation_time_to_first_chunk_seconds_count{{{of}}} 1"),
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
