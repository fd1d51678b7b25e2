//! Clients with names: how much a minute, for how much money, what they may ask, and where their names are told.

use std::sync::Arc;

use openmux::catalog::{ModelId, ProviderId};
use openmux::gateway::{Allowance, Client, Token};
use serde_json::{Value, json};

use super::super::support::command::Home;
use super::super::support::server::{Script, Server, Step};
use super::super::support::wire;
use super::{Response, World, hello};

/// The gateway's own token.
const OWN: &str = "own-token-0123456789";
/// The tokens of two clients.
const ALICE: &str = "alice-token-0123456789";
const BOB: &str = "bob-token-0123456789";

/// Two providers, and two clients: one that may do so much, and one that may do everything.
fn world(allowance: Allowance) -> World {
    let answer = || Server::repeating(wire::openai_whole("Hello.", (7, 3)));
    World::with(vec![answer(), answer()], "openai-chat", |config| {
        let client = |name: &str, token, allowance| {
            Arc::new(Client::new(name.to_owned(), Token::new(token).unwrap(), allowance))
        };
        config.token = Token::new(OWN);
        config.clients = vec![client("alice", ALICE, allowance), client("bob", BOB, Allowance::default())];
    })
}

fn ask(world: &World, token: &str, more: Value) -> Response {
    let header = format!("Bearer {token}");
    world.post("/v1/chat/completions", &hello(more).to_string(), &[("authorization", &header)])
}

fn get(world: &World, token: &str, path: &str) -> Response {
    super::ask(world.addr, "GET", path, b"", &[("authorization", &format!("Bearer {token}"))])
}

#[test]
fn so_many_requests_a_minute_and_then_a_wait() {
    let world = world(Allowance { requests_per_minute: Some(2), ..Allowance::default() });
    for _ in 0..2 {
        assert_eq!(ask(&world, ALICE, json!({})).status, 200);
    }
    let refused = ask(&world, ALICE, json!({}));
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=30).contains(&wait), "{refused:?}");
    assert_eq!((refused.status, refused.error("code")), (429, "client_rate_limited".into()));
    assert_eq!((refused.error("class"), refused.error("owner")), ("rate_limited".into(), "your key".into()));
    assert_eq!(refused.error("message"), "the token of alice has 2 requests a minute, and has used them");
    assert!(refused.error("fix").as_str().unwrap().starts_with("ask again in "), "{refused:?}");
    assert_eq!(ask(&world, BOB, json!({})).status, 200, "others have their own");
    assert_eq!(world.servers[0].hits(), 3);
    for token in ["", "alice-token", "alice-token-01234567890"] {
        let refused = ask(&world, token, json!({}));
        assert_eq!((refused.status, refused.header("www-authenticate")), (401, "Bearer"));
    }
}

/// Its tokens are nobody's: nothing is sent.
#[test]
fn counting_tokens_is_a_request_of_the_minute() {
    let world = world(Allowance { requests_per_minute: Some(2), tokens_per_minute: Some(300), ..Allowance::default() });
    let body = json!({ "model": "acme/tiny", "messages": [{ "role": "user", "content": "word ".repeat(600) }] });
    let count = |token: &str| {
        world.post("/v1/messages/count_tokens", &body.to_string(), &[("authorization", &format!("Bearer {token}"))])
    };
    assert_eq!(count(ALICE).json(), json!({ "input_tokens": 754 }));
    assert_eq!(ask(&world, ALICE, json!({ "max_tokens": 100 })).status, 200, "no token was taken");
    for refused in [count(ALICE), ask(&world, ALICE, json!({}))] {
        assert_eq!((refused.status, refused.header("retry-after").is_empty()), (429, false), "{refused:?}");
        assert!(refused.error("message").as_str().unwrap().contains("2 requests a minute"), "{refused:?}");
    }
    assert_eq!(count(BOB).status, 200);
    assert_eq!(world.servers[0].hits(), 1);
}

#[test]
fn so_many_tokens_a_minute_as_expected_and_then_as_used() {
    let world = world(Allowance { tokens_per_minute: Some(300), ..Allowance::default() });
    // Each is expected to take about a hundred, and takes ten: what was not used is given back.
    for _ in 0..8 {
        let answer = ask(&world, ALICE, json!({ "max_tokens": 100 }));
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    let large = "word ".repeat(600);
    let body = json!({ "max_tokens": 100, "messages": [{ "role": "user", "content": large }] });
    let refused = ask(&world, ALICE, body);
    assert_eq!((refused.status, refused.error("code")), (429, "client_rate_limited".into()));
    assert_eq!(refused.error("message"), "the token of alice has 300 tokens a minute, and has used them");
}

#[test]
fn a_budget_is_set_aside_before_and_settled_after() {
    // `hi` with a hundred tokens is at most $0.000266, and costs $0.000013.
    for (allowance, key) in [
        (Allowance { day_usd: Some("0.0003".parse().unwrap()), ..Allowance::default() }, "day_usd"),
        (Allowance { month_usd: Some("0.0003".parse().unwrap()), ..Allowance::default() }, "month_usd"),
    ] {
        let world = world(allowance);
        let body = || json!({ "max_tokens": 100 });
        let statuses: Vec<u16> = (0..4).map(|_| ask(&world, ALICE, body()).status).collect();
        assert_eq!(statuses, [200, 200, 200, 402], "three times $0.000013 leave too little");
        let refused = ask(&world, ALICE, body());
        assert_eq!((refused.error("code"), refused.error("owner")), ("client_budget".into(), "your request".into()));
        assert_eq!(refused.header("retry-after"), "", "asking again cures nothing");
        let fix = refused.error("fix");
        assert!(fix.as_str().unwrap().contains(&format!("a larger {key} of alice")), "{fix}");
        assert_eq!(ask(&world, ALICE, json!({ "max_tokens": 50 })).status, 200, "a smaller one fits");
        assert_eq!(ask(&world, BOB, body()).status, 200);
        assert_eq!(world.servers[0].hits(), 5);
    }
}

/// Eight at once, and room for three.
#[test]
fn a_budget_is_never_overspent_by_many_at_once() {
    let gate = super::super::support::gate::Gate::new();
    let mut steps: Vec<Step> = wire::openai_events(&["Hello"], Some((7, 3))).into_iter().map(Step::bytes).collect();
    steps.insert(0, Step::Pause(gate.clone()));
    let world = World::with(vec![Server::repeating(Script::stream(steps))], "openai-chat", |config| {
        let cap = |usd: &str| Some(usd.parse().unwrap());
        let allowance = Allowance { day_usd: cap("0.0008"), month_usd: cap("5"), ..Allowance::default() };
        config.clients = vec![Arc::new(Client::new("alice".to_owned(), Token::new(ALICE).unwrap(), allowance))];
    });
    let statuses = std::thread::scope(|scope| {
        let one = || ask(&world, ALICE, json!({ "stream": true, "max_tokens": 100 })).status;
        let asked: Vec<_> = (0..8).map(|_| scope.spawn(one)).collect();
        world.servers[0].wait_hits(3);
        while asked.iter().filter(|one| one.is_finished()).count() < 5 {
            std::thread::yield_now();
        }
        gate.open();
        asked.into_iter().map(|one| one.join().unwrap()).collect::<Vec<_>>()
    });
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 3, "{statuses:?}");
    assert_eq!((statuses.iter().filter(|status| **status == 402).count(), world.servers[0].hits()), (5, 3));
}

#[test]
fn a_client_asks_what_it_may() {
    let allowance = Allowance {
        models: vec![ModelId::new("acme/tiny")],
        providers: vec![ProviderId::new("beta")],
        ..Allowance::default()
    };
    let world = world(allowance);
    let answer = ask(&world, ALICE, json!({}));
    assert_eq!((answer.status, answer.header("x-openmux-provider")), (200, "beta"), "{answer:?}");
    assert_eq!(ask(&world, BOB, json!({})).header("x-openmux-provider"), "alpha");
    for (more, code) in [
        (json!({ "model": "anthropic/claude-sonnet-5" }), "model_not_allowed"),
        (json!({ "models": ["acme/tiny", "anthropic/claude-sonnet-5"] }), "model_not_allowed"),
        (json!({ "provider": { "only": ["alpha"] } }), "not_allowed"),
        (json!({ "model": "acme/tiny:alpha" }), "not_allowed"),
    ] {
        let refused = ask(&world, ALICE, more);
        assert_eq!((refused.status, refused.error("code")), (403, code.into()), "{refused:?}");
    }
    let explained = super::ask(
        world.addr,
        "POST",
        "/v1/route/explain",
        hello(json!({ "provider": { "only": ["alpha"] } })).to_string().as_bytes(),
        &[("authorization", &format!("Bearer {ALICE}"))],
    );
    assert_eq!(explained.status, 403, "what is explained is what is done");
}

#[test]
fn what_is_listed_is_what_the_token_may_ask() {
    let look = |world: &World, token: &str, path: &str| {
        super::ask(world.addr, "GET", path, b"", &[("authorization", &format!("Bearer {token}"))])
    };
    let listed = |world: &World, token: &str| {
        let rows = look(world, token, "/v1/models").json()["data"].clone();
        let row = |row: &Value| (row["id"].as_str().unwrap().to_owned(), row["providers"].to_string());
        // Who runs on this machine needs no key.
        let is_ours = |(id, _): &(String, String)| token != BOB || id.starts_with("acme/");
        rows.as_array().unwrap().iter().map(row).filter(is_ours).collect::<Vec<_>>()
    };
    let all = [("acme/tiny".to_owned(), r#"["alpha","beta"]"#.to_owned())];
    let one_provider = world(Allowance { providers: vec![ProviderId::new("beta")], ..Allowance::default() });
    for _ in 0..2 {
        assert_eq!(listed(&one_provider, BOB), all, "nobody gets another's list");
        assert_eq!(listed(&one_provider, ALICE), [("acme/tiny".to_owned(), r#"["beta"]"#.to_owned())]);
    }
    let (model, endpoints) = ("/v1/models/acme/tiny", "/v1/models/acme/tiny/endpoints");
    let anthropics = ["/anthropic/v1/models?limit=1000", "/anthropic/v1/models/acme/tiny"];
    assert_eq!(look(&one_provider, ALICE, model).json()["priced_by"], "beta");
    assert_eq!(look(&one_provider, BOB, model).json()["priced_by"], "alpha");
    let tags = |token| look(&one_provider, token, endpoints).json()["data"]["endpoints"].as_array().unwrap().len();
    assert_eq!((tags(ALICE), tags(BOB)), (1, 2));
    let other_model = world(Allowance { models: vec![ModelId::new("openai/gpt-5")], ..Allowance::default() });
    assert_eq!((listed(&other_model, ALICE), listed(&other_model, BOB)), (Vec::new(), all.to_vec()));
    let ids = |token| {
        let rows = look(&other_model, token, anthropics[0]).json()["data"].clone();
        rows.as_array().unwrap().iter().filter(|row| row["id"] == "acme/tiny").count()
    };
    assert_eq!([ids(BOB), ids(ALICE), ids(BOB)], [1, 0, 1], "in Anthropic's form, too");
    for path in [model, endpoints, anthropics[1]] {
        let refused = look(&other_model, ALICE, path);
        assert_eq!((refused.status, refused.error("code")), (403, "model_not_allowed".into()), "{refused:?}");
        assert_eq!(look(&other_model, BOB, path).status, 200);
    }
    // What the gateway itself leaves out nobody sees.
    let answer = || Server::repeating(wire::openai_whole("Hello.", (7, 3)));
    let narrowed = World::with(vec![answer(), answer()], "openai-chat", |config| {
        config.constraints.ignore = vec![ProviderId::new("alpha")];
    });
    let rows = narrowed.get("/v1/models").json()["data"].clone();
    let tiny = rows.as_array().unwrap().iter().find(|row| row["id"] == "acme/tiny").unwrap();
    assert_eq!(tiny["providers"], json!(["beta"]));
    assert_eq!(narrowed.get(model).json()["providers"], json!(["beta"]));
}

#[test]
fn the_name_is_told_and_the_token_is_not() {
    let world = world(Allowance { requests_per_minute: Some(1), ..Allowance::default() });
    let answer = ask(&world, ALICE, json!({}));
    assert_eq!(ask(&world, ALICE, json!({})).status, 429);
    let id = answer.header("x-openmux-decision-id");
    let kept = get(&world, OWN, &format!("/v1/generation/{id}"));
    assert_eq!(kept.json()["data"]["client"], "alice", "{kept:?}");
    let metrics = get(&world, OWN, "/metrics").body;
    for line in [
        "openmux_client_requests_total{client=\"alice\",http_response_status_code=\"200\"} 1",
        "openmux_client_requests_total{client=\"alice\",http_response_status_code=\"429\"} 1",
        "openmux_client_cost_usd_total{client=\"alice\"} 0.000013",
    ] {
        assert!(metrics.lines().any(|other| other == line), "{line} in {metrics}");
    }
    let log = world.log.lock().unwrap().clone();
    let clients: Vec<Value> = log.iter().map(|line| line["client"].clone()).collect();
    assert_eq!(clients, ["alice".into(), "alice".into(), Value::Null, Value::Null]);
    assert!(!format!("{log:?}{metrics}{kept:?}").contains("token-0123456789"));
}

#[test]
fn a_client_sees_what_is_its_own() {
    let world = world(Allowance::default());
    let id = ask(&world, ALICE, json!({})).header("x-openmux-decision-id").to_owned();
    assert_eq!(ask(&world, BOB, json!({})).status, 200);
    let status = |token| get(&world, token, &format!("/v1/generation/{id}")).status;
    assert_eq!([ALICE, BOB, OWN].map(status), [200, 404, 200]);
    insta::assert_snapshot!(get(&world, BOB, "/metrics").body, @r#"
    # HELP openmux_client_requests_total Requests of clients with names.
    # TYPE openmux_client_requests_total counter
    openmux_client_requests_total{client="bob",http_response_status_code="200"} 1
    openmux_client_requests_total{client="bob",http_response_status_code="404"} 1
    # HELP openmux_client_cost_usd_total What their chats cost, exact, where it is known.
    # TYPE openmux_client_cost_usd_total counter
    openmux_client_cost_usd_total{client="bob"} 0.000013
    "#);
    let all = get(&world, OWN, "/metrics").body;
    assert!(all.contains("client=\"alice\"") && all.contains("openmux_attempts_total{"), "{all}");
}

/// With named clients alone there is no other token to look with.
#[test]
fn a_client_that_may_sees_everybodys_counts_and_nobodys_answers() {
    let world = world(Allowance { all_metrics: true, ..Allowance::default() });
    let id = ask(&world, BOB, json!({})).header("x-openmux-decision-id").to_owned();
    let all = get(&world, ALICE, "/metrics").body;
    assert!(all.contains("client=\"bob\"") && all.contains("openmux_attempts_total{"), "{all}");
    assert_eq!(get(&world, ALICE, &format!("/v1/generation/{id}")).status, 404);
}

#[test]
fn an_unknown_method_is_no_label_of_its_own() {
    let world = World::new(vec![Server::start(Vec::new())]);
    assert_eq!(super::ask(world.addr, "BREW", "/v1/models", b"", &[]).status, 405);
    let metrics = world.get("/metrics").body;
    assert!(metrics.contains("http_request_method=\"_OTHER\"") && !metrics.contains("BREW"), "{metrics}");
}

#[test]
fn the_file_is_read_whole_or_not_at_all() {
    let home = Home::new();
    let path = home.write("tokens.toml", "[[token]]\nname = \"alice\"\ntoken_env = \"ALICE_TOKEN\"\nday_used = 5\n");
    let serve =
        |path: &std::path::Path| home.openmux(["--sandbox", "serve", "--tokens", &path.display().to_string()]).run();
    insta::assert_snapshot!(serve(&path).snapshot(), @r#"
    exit: 5
    --- stdout

    --- stderr
    error: $TMP/tokens.toml:4: token[0].day_used: unknown key; did you
    mean "day_usd"?
      fix:  correct line 4 of $TMP/tokens.toml
    "#);
    let gone = serve(&home.path().join("none.toml"));
    assert!(gone.code == Some(5) && gone.stderr.contains("cannot read"), "{}", gone.snapshot());
}
