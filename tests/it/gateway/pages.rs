//! Pages and desktop apps: a browser says from where they ask, asks before they do, and shows them what it was told to.

use serde_json::json;

use super::super::support::server::Server;
use super::super::support::wire;
use super::{Response, World, ask, hello};
use openmux::gateway::Token;

const APP: &str = "app://obsidian.md";
const OWN: &str = "http://localhost:3000";

/// What a browser says with a question before it asks.
const ASKS: (&str, &str) = ("access-control-request-method", "POST");

fn world(token: Option<&str>) -> World {
    let streamed = wire::openai_stream(&["Hello."], Some((7, 3)));
    World::with(vec![Server::repeating(streamed)], "openai-chat", |config| {
        config.origins = vec![APP.to_owned()];
        config.token = token.and_then(Token::new);
    })
}

/// What a browser asks before a page may.
fn question(world: &World, path: &str, origin: &str, more: &[(&str, &str)]) -> Response {
    let headers = [("origin", origin), ASKS, ("access-control-request-headers", "authorization,content-type")];
    ask(world.addr, "OPTIONS", path, b"", &[&headers[..], more].concat())
}

#[test]
fn a_page_that_may_ask_is_let_through_by_its_browser() {
    for token in [None, Some("let-me-in")] {
        let world = world(token);
        for origin in [APP, OWN] {
            let asked = question(&world, "/v1/chat/completions", origin, &[]);
            assert_eq!((asked.status, asked.body.as_str()), (204, ""), "{asked:?}");
            let said =
                ["origin", "methods", "headers"].map(|what| asked.header(&format!("access-control-allow-{what}")));
            assert_eq!(said, [origin, "POST", "authorization,content-type"]);
            assert_eq!(asked.header("vary"), "origin");
            assert_eq!(asked.header("access-control-max-age"), "600");
            assert_eq!(asked.header("access-control-allow-private-network"), "", "it did not ask for that");
            let body = hello(json!({ "stream": true })).to_string();
            let shown = [("origin", origin), ("authorization", "Bearer let-me-in")];
            let answer = world.post("/v1/chat/completions", &body, &shown);
            assert_eq!(answer.status, 200, "{answer:?}");
            let said = ["allow-origin", "expose-headers"].map(|what| answer.header(&format!("access-control-{what}")));
            assert_eq!((said, answer.header("vary")), ([origin, "*"], "origin"), "{answer:?}");
            // Only who asks with OPTIONS asks whether it may.
            let plain = world.post("/v1/messages/count_tokens", &body, &[&shown[..], &[ASKS]].concat());
            assert_eq!(plain.status, 200, "{plain:?}");
        }
        let private = [("access-control-request-private-network", "true")];
        let asked = question(&world, "/v1/models", APP, &private);
        assert_eq!(asked.header("access-control-allow-private-network"), "true");
        assert_eq!(asked.header("access-control-allow-methods"), "GET, HEAD");
        let (_, log) = world.end();
        assert_eq!(log[0]["status"], 204, "{log:?}");
    }
    // A refusal can be read, too.
    let world = world(Some("let-me-in"));
    let refused = world.post("/v1/chat/completions", "{}", &[("origin", APP)]);
    assert_eq!((refused.status, refused.header("access-control-allow-origin")), (401, APP), "{refused:?}");
}

#[test]
fn every_other_page_is_turned_away_and_told_nothing() {
    let world = world(None);
    for origin in ["https://evil.example", "null", "app://obsidian.md.evil", "chrome-extension://other"] {
        let body = hello(json!({})).to_string();
        let answers = [
            question(&world, "/v1/chat/completions", origin, &[]),
            world.post("/v1/chat/completions", &body, &[("origin", origin)]),
        ];
        for answer in answers {
            assert_eq!((answer.status, answer.error("code")), (403, "wrong_origin".into()), "{answer:?}");
            assert_eq!(answer.header("access-control-allow-origin"), "", "{answer:?}");
            let fix = answer.error("fix");
            let named = format!("[serve] origins = [\"{origin}\"] in config.toml, where you trust it");
            assert_eq!(fix == named.as_str(), origin != "null", "{fix}");
        }
    }
    let renamed = question(&world, "/v1/chat/completions", APP, &[("host", "evil.example")]);
    assert_eq!((renamed.status, renamed.error("code")), (403, "wrong_host".into()), "{renamed:?}");
    let twice = "GET /v1/models HTTP/1.1\r\nhost: localhost\r\nhost: evil.example\r\nconnection: close\r\n\r\n";
    let twice = world.raw(twice.as_bytes());
    assert!(twice.starts_with("HTTP/1.1 400 ") && twice.contains("there are two Host headers"), "{twice}");
    // Without a page there is nobody to tell.
    let plain = ask(world.addr, "OPTIONS", "/v1/chat/completions", b"", &[]);
    assert_eq!((plain.status, plain.error("code")), (405, "method_not_allowed".into()), "{plain:?}");
    assert_eq!(world.get("/v1/models").header("access-control-allow-origin"), "");
    assert_eq!(world.hits(), [0]);
}
