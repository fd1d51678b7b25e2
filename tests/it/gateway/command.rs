//! `openmux serve` as a command: the two calls that it was made for, its door, and its end.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::{Value, json};

use super::super::support::command::{Home, Running};
use super::super::support::server::closed_port;
use super::{Response, ask};

/// A gateway before simulated providers.
pub(super) struct Served {
    pub(super) addr: SocketAddr,
    pub(super) running: Running,
}

pub(super) fn serve(home: &Home, sandbox: &str, more: &[&str]) -> Served {
    let addr: SocketAddr = ([127, 0, 0, 1], closed_port()).into();
    let listen = addr.to_string();
    let args = [sandbox, "serve", "--listen", &listen];
    until_it_listens(addr, home.openmux(args.into_iter().chain(more.iter().copied())).spawn())
}

fn until_it_listens(addr: SocketAddr, mut running: Running) -> Served {
    // A process begins when it begins.
    while TcpStream::connect(addr).is_err() {
        assert!(!running.has_ended(), "it runs");
        std::thread::sleep(Duration::from_millis(2));
    }
    Served { addr, running }
}

fn chat(served: &Served, path: &str, more: Value) -> Response {
    let mut body =
        json!({ "model": "anthropic/claude-sonnet-4", "messages": [{ "role": "user", "content": "Hello!" }] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    ask(served.addr, "POST", path, body.to_string().as_bytes(), &[("authorization", "Bearer sk-anything")])
}

#[test]
fn both_calls_run_without_a_key_and_without_a_network() {
    let home = Home::new();
    let served = serve(&home, "--sandbox", &[]);
    for path in ["/v1/chat/completions", "/api/v1/chat/completions"] {
        let answer = chat(&served, path, json!({}));
        assert_eq!(answer.status, 200, "{answer:?}");
        let text = answer.json()["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
        assert!(text.starts_with("[sandbox] This is a simulated answer"), "{text}");
        assert!(answer.json()["usage"]["cost"].is_number(), "{answer:?}");
    }
    let streamed = chat(&served, "/v1/chat/completions", json!({ "stream": true }));
    assert!(streamed.body.ends_with("data: [DONE]\n\n"), "{streamed:?}");
    served.running.signal("TERM");
    let output = served.running.wait();
    assert_eq!(output.code, Some(143), "{}", output.snapshot());
    let lines: Vec<&str> = output.stderr.lines().collect();
    assert!(
        lines.iter().any(|line| *line
            == format!(
                "listening on http://{}/v1 (for clients of OpenAI and Anthropic; Ctrl-C stops it)",
                served.addr
            )),
        "{lines:?}"
    );
    assert_eq!(lines.iter().filter(|line| line.starts_with('{')).count(), 3, "a line each: {lines:?}");
    assert!(!output.stderr.contains("Hello!"), "{}", output.stderr);
}

#[test]
fn a_decision_is_told_as_the_command_tells_it() {
    let home = Home::new();
    let served = serve(&home, "--sandbox", &["-q"]);
    let question = "/v1/route/explain?model=anthropic/claude-sonnet-5&tokens=2000/100";
    let told = ask(served.addr, "GET", question, b"", &[]).json();
    let own =
        home.openmux(["route", "explain", "anthropic/claude-sonnet-5", "--tokens", "2000/100", "-o", "json"]).run();
    let own: Value = serde_json::from_str(&own.stdout).unwrap();
    let keys = |document: &Value| document.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&told), keys(&own));
    assert_eq!((&told["schema"], &told["request"]), (&own["schema"], &own["request"]));
    let first = &told["candidates"][0];
    assert_eq!(keys(first), keys(&own["candidates"][0]));
    let body = json!({ "model": "anthropic/claude-sonnet-5", "messages": [{ "role": "user", "content": "Hello!" }] });
    let posted = ask(served.addr, "POST", "/api/v1/route/explain", body.to_string().as_bytes(), &[]).json();
    assert_eq!(posted["request"]["input_estimated"], true);
    let answer = chat(&served, "/v1/chat/completions", json!({ "model": "anthropic/claude-sonnet-5" }));
    assert_eq!(answer.header("x-openmux-provider"), posted["chosen"], "what is explained is what is done");
    for (query, param) in [("?model=none/none", "model"), ("", "model"), ("?model=x&colour=red", "colour")] {
        let wrong = ask(served.addr, "GET", &format!("/v1/route/explain{query}"), b"", &[]);
        assert_eq!(wrong.error("param"), param, "{wrong:?}");
    }
    served.running.signal("TERM");
    assert_eq!(served.running.wait().code, Some(143));
}

#[test]
fn an_outage_is_not_noticed() {
    let home = Home::new();
    let served = serve(&home, "--sandbox=outage", &["-q"]);
    let answer = chat(&served, "/v1/chat/completions", json!({}));
    assert_eq!((answer.status, answer.header("x-openmux-attempts")), (200, "2"), "{answer:?}");
    served.running.signal("INT");
    let output = served.running.wait();
    assert_eq!((output.code, output.stderr.as_str()), (Some(130), ""), "-q says nothing");
}

#[test]
fn it_listens_beyond_this_machine_with_a_token_alone() {
    let home = Home::new();
    let refused = home.openmux(["--sandbox", "serve", "--listen", "0.0.0.0:0"]).run();
    insta::assert_snapshot!(refused.snapshot(), @r"
    exit: 11
    --- stdout

    --- stderr
    error: will not listen beyond this machine without a token
      fix:  --token-env NAME, --token-file FILE or --tokens FILE, or --listen
            127.0.0.1:PORT
    ");
    let empty = home.openmux(["--sandbox", "serve", "--listen", "0.0.0.0:0", "--token-env", "NOT_SET"]).run();
    insta::assert_snapshot!(empty.snapshot(), @r"
    exit: 5
    --- stdout

    --- stderr
    error: there is no token in NOT_SET
      fix:  put one there, at least one character that is no space
    ");
    let token = home.write("token", "let-me-in\n");
    let served = serve(&home, "--sandbox", &["--token-file", &token.display().to_string()]);
    assert_eq!(chat(&served, "/v1/chat/completions", json!({})).status, 401);
    served.running.signal("TERM");
    assert_eq!(served.running.wait().code, Some(143));
}

#[test]
fn host_and_port_are_halves_of_an_address_and_a_variable_holds_the_token() {
    let home = Home::new();
    let refused = |args: &[&str]| home.openmux(["--sandbox", "serve"].iter().chain(args).copied());
    assert_eq!(refused(&["--port", "0", "--host", "0.0.0.0"]).run().code, Some(11));
    assert_eq!(refused(&["--host", "0.0.0.0"]).env("OPENMUX_SERVE_TOKEN", "").run().code, Some(11), "empty is unset");
    assert_eq!(refused(&["--listen", "127.0.0.1:0", "--port", "0"]).run().code, Some(2));
    let addr: SocketAddr = ([127, 0, 0, 1], closed_port()).into();
    let args = ["--sandbox", "serve", "--host", "localhost", "--port", &addr.port().to_string()].map(str::to_owned);
    let run = home.openmux(args.iter().map(String::as_str)).env("OPENMUX_SERVE_TOKEN", "let-me-in-0123456789");
    let served = until_it_listens(addr, run.spawn());
    let status = |token: &str| {
        let token = format!("Bearer {token}");
        ask(served.addr, "GET", "/v1/models", b"", &[("authorization", token.as_str())]).status
    };
    assert_eq!((status("another"), status("let-me-in-0123456789")), (401, 200));
    served.running.signal("TERM");
    assert_eq!(served.running.wait().code, Some(143));
}

#[test]
fn an_address_that_is_taken_is_an_error_with_a_fix() {
    let home = Home::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let output = home.openmux(["--sandbox", "serve", "--listen", &listen]).run();
    insta::assert_snapshot!(output.snapshot(), @r"
    exit: 5
    --- stdout

    --- stderr
    error: cannot listen on 127.0.0.1:PORT
      reason  Address already in use
      fix:    another port: --listen 127.0.0.1:PORT takes a free one
    ");
}

/// An agent that says something behind what its tool has answered comes to an end all the same.
#[test]
fn the_sandbox_calls_a_tool_once_a_turn() {
    let home = Home::new();
    let served = serve(&home, "--sandbox", &["-q"]);
    let tools = json!([{ "name": "look", "input_schema": { "type": "object" } }]);
    let called = json!({ "role": "assistant",
                         "content": [{ "type": "tool_use", "id": "c1", "name": "look", "input": {} }] });
    let result = json!({ "type": "tool_result", "tool_use_id": "c1", "content": "a cat" });
    let reminder = json!({ "type": "text", "text": "Mind the time." });
    let ask = |model: &str, more: &[Value]| {
        let turns: Vec<Value> =
            [json!({ "role": "user", "content": "What is there?" })].iter().chain(more).cloned().collect();
        let body = json!({ "model": model, "max_tokens": 500, "tools": tools, "messages": turns });
        let answer = ask(served.addr, "POST", "/v1/messages", body.to_string().as_bytes(), &[]);
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.json()["stop_reason"].as_str().unwrap().to_owned()
    };
    for model in ["anthropic/claude-sonnet-5:anthropic", "openai/gpt-5:openai", "google/gemini-2.5-flash:google"] {
        assert_eq!(ask(model, &[]), "tool_use", "{model}");
        let together = json!({ "role": "user", "content": [result, reminder] });
        assert_eq!(ask(model, &[called.clone(), together.clone()]), "end_turn", "{model}");
        let apart = [json!({ "role": "user", "content": [result] }), json!({ "role": "user", "content": [reminder] })];
        assert_eq!(ask(model, &[&[called.clone()][..], &apart].concat()), "end_turn", "{model}");
        // The next question is another turn.
        let said = json!({ "role": "assistant", "content": "A cat." });
        let again = json!({ "role": "user", "content": "And now?" });
        assert_eq!(ask(model, &[called.clone(), together, said, again]), "tool_use", "{model}");
    }
    served.running.signal("TERM");
    assert_eq!(served.running.wait().code, Some(143));
}
