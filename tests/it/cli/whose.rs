//! What is said where no provider is to blame, and of requests that were changed for an endpoint.

use openmux::catalog::Protocol;
use serde_json::json;

use super::super::support::server::{Script, Server, closed_port};
use super::super::support::wire;
use super::{Home, World, answer, error_line};

/// Three providers at names that exist nowhere: where there is no network, and where there is, nobody is reached.
fn nowhere() -> Home {
    let home = Home::new();
    let provider = |name: &str| {
        format!(
            "[provider.{name}]\nprotocol = \"openai-chat\"\nbase_url = \"https://{name}.invalid/v1\"\n\
             key_env = \"{}_KEY\"\n[[endpoint]]\nprovider = \"{name}\"\nmodel = \"acme/tiny\"\nid = \"tiny-1\"\n\
             context = 8192\nmax_output = 4096\nprice = {{ input = \"1\", output = \"2\" }}\n",
            name.to_uppercase()
        )
    };
    home.write("config/catalog.d/private.toml", &["alpha", "beta", "gamma"].map(provider).concat());
    home
}

#[test]
fn without_a_network_one_message_says_so_and_nobody_is_blamed() {
    let home = nowhere();
    let run = |more: &[&str]| {
        let args = ["chat", "-m", "acme/tiny", "--seed", "1", "--retries", "0", "hi"];
        let run = home.openmux(args.into_iter().chain(more.iter().copied()));
        ["ALPHA_KEY", "BETA_KEY", "GAMMA_KEY"].iter().fold(run, |run, name| run.env(name, "sk-0123456789")).run()
    };
    let output = run(&[]);
    assert_eq!(output.code, Some(8), "{}", output.snapshot());
    let said = output.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        said.contains("error: no network: neither these 2 providers nor any other could be reached"),
        "{}",
        output.snapshot()
    );
    assert!(said.contains("fix: check the connection and the proxy settings"), "{said}");
    assert_eq!(output.stderr.matches("failing over").count(), 1, "no storm: {said}");
    let error = error_line(&run(&["-o", "json"]));
    assert_eq!((&error["code"], &error["class"]), (&json!("unavailable.no_network"), &json!("local_network")));
    let classes: Vec<_> = error["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["class"]).collect();
    assert_eq!(classes, [&json!("local_network"), &json!("local_network")]);
    // Nothing of it counts against anybody.
    let compared = home.openmux(["providers", "compare", "acme/tiny", "-o", "json"]).run();
    assert!(!compared.stdout.contains("\"down\"") && !compared.stdout.contains("\"degraded\""), "{}", compared.stdout);
}

#[test]
fn a_provider_that_stands_alone_is_blamed_with_a_mark() {
    let home = nowhere();
    let args = ["chat", "-m", "acme/tiny", "--seed", "1", "--retries", "0", "hi", "-o", "json"];
    let output = home.openmux(args).env("ALPHA_KEY", "sk-0123456789").run();
    let error = error_line(&output);
    assert_eq!((&error["code"], &error["class"]), (&json!("unavailable.unreachable"), &json!("unreachable")));
    assert_eq!(error["attempts"][0]["unconfirmed"], json!(true), "{}", output.snapshot());
}

#[test]
fn a_proxy_that_is_not_there_ends_the_request() {
    let home = nowhere();
    let proxy = format!("http://127.0.0.1:{}", closed_port());
    let run = home.openmux(["chat", "-m", "acme/tiny", "--seed", "1", "hi"]).env("HTTPS_PROXY", &proxy);
    let run = ["ALPHA_KEY", "BETA_KEY", "GAMMA_KEY"].iter().fold(run, |run, name| run.env(name, "sk-0123456789"));
    insta::assert_snapshot!(run.run().snapshot(), @r"
    exit: 5
    --- stdout

    --- stderr
    error: the proxy lets nothing through
      on the way to      gamma.invalid
      reason             Connection refused
      through the proxy  http://127.0.0.1:PORT
      fix:               correct HTTPS_PROXY, or reach it without one:
                         NO_PROXY=gamma.invalid
    ");
    let locked = Server::repeating(Script::body(407, "text/plain", "log in"));
    let run = home.openmux(["chat", "-m", "acme/tiny", "--seed", "1", "hi"]).env("HTTPS_PROXY", locked.base_url());
    insta::assert_snapshot!(run.env("ALPHA_KEY", "sk-0123456789").run().snapshot(), @r"
    exit: 5
    --- stdout

    --- stderr
    error: the proxy lets nothing through
      on the way to      alpha.invalid
      reason             proxy authorization required
      through the proxy  http://127.0.0.1:PORT
      fix:               correct HTTPS_PROXY, or reach it without one:
                         NO_PROXY=alpha.invalid
    ");
}

#[test]
fn a_parameter_that_nobody_wished_for_is_left_out_once_and_for_all() {
    let refusal = || {
        let message = "Unrecognized request argument supplied: stream_options";
        wire::openai_error(400, "invalid_request_error", None, message)
    };
    let world =
        World::of(vec![refusal(), wire::openai_stream(&["Hello"], None), wire::openai_stream(&["Hello"], None)]);
    insta::assert_snapshot!(world.chat(["--usage"]).run().snapshot(), @r"
    exit: 0
    --- stdout
    Hello

    --- stderr
    note: asking alpha again without stream_options: it refused the request as it was
    acme/tiny at alpha: usage not reported, cost unknown, TIME
    ");
    insta::assert_snapshot!(world.chat(["--usage"]).run().snapshot(), @r"
    exit: 0
    --- stdout
    Hello

    --- stderr
    acme/tiny at alpha: usage not reported, cost unknown, TIME
    ");
    let bodies: Vec<bool> =
        world.servers[0].requests().iter().map(|request| request.json().get("stream_options").is_some()).collect();
    assert_eq!(bodies, [true, false, false], "the next process knows");
    let stored = world.openmux(["usage", "-o", "json"]).run();
    let usage: serde_json::Value = serde_json::from_str(&stored.stdout).unwrap();
    assert_eq!(usage.pointer("/data/0/attempts"), Some(&json!(2)), "{}", stored.stdout);
}

#[test]
fn a_wish_goes_under_its_other_name_and_back_where_the_server_is_another_one() {
    let unknown = |name: &str| {
        wire::openai_error(
            400,
            "invalid_request_error",
            Some("unsupported_parameter"),
            &format!("Unsupported parameter: '{name}'"),
        )
    };
    let world = World::of(vec![
        unknown("max_tokens"),
        answer(Protocol::OpenaiChat),
        unknown("max_completion_tokens"),
        answer(Protocol::OpenaiChat),
    ]);
    let run = || world.chat(["--max-tokens", "9", "-o", "json"]).run();
    let first: serde_json::Value = serde_json::from_str(&run().stdout).unwrap();
    let second: serde_json::Value = serde_json::from_str(&run().stdout).unwrap();
    let spelled: Vec<&str> = ["max_tokens", "max_completion_tokens"].into_iter().collect();
    let sent: Vec<_> = world.servers[0]
        .requests()
        .iter()
        .map(|request| spelled.iter().filter(|name| request.json()[**name] == json!(9)).count())
        .collect();
    assert_eq!(sent, [1, 1, 1, 1], "the wish is never dropped");
    assert_eq!(first["attempts"].as_array().unwrap().len(), 1, "{first}");
    assert_eq!(first["attempts"][0]["adapted"].as_array().unwrap().len(), 1);
    assert_eq!(second["attempts"][0].get("adapted"), None, "{second}");
}

#[test]
fn a_wish_that_is_refused_is_never_dropped() {
    let message = "Unsupported value: 'temperature' does not support 0.2 with this model.";
    let refusal = || wire::openai_error(400, "invalid_request_error", Some("unsupported_value"), message);
    let world = World::openai(vec![Server::start(vec![refusal()]), Server::start(vec![answer(Protocol::OpenaiChat)])]);
    insta::assert_snapshot!(world.chat(["--temperature", "0.2"]).run().snapshot(), @r"
    exit: 0
    --- stdout
    Hello, you.

    --- stderr
    note: failing over from alpha to beta: unsupported
    ");
    assert!(world.servers.iter().all(|server| server.requests()[0].json()["temperature"] == json!(0.2)));
}

#[test]
fn an_answer_with_counts_that_cannot_be_is_an_answer_of_unknown_cost() {
    for count in ["-3", "18446744073709551615", "1.5", "\"many\""] {
        let mut events = wire::openai_events(&["Hello"], Some((7, 777)));
        events.iter_mut().for_each(|event| {
            *event = event.replace("\"completion_tokens\":777", &format!("\"completion_tokens\":{count}"))
        });
        let world = World::of(vec![wire::stream(events)]);
        let output = world.chat(["-o", "json"]).run();
        let document: serde_json::Value =
            serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{}", output.snapshot()));
        assert_eq!((&document["text"], &document["cost_usd"]), (&json!("Hello"), &json!(null)), "{count}");
        assert_eq!(document["attempts"][0]["cost_state"], json!("unknown"), "{count}");
    }
    let mut events = wire::openai_events(&["Hello"], Some((7, 777)));
    events.iter_mut().for_each(|event| *event = event.replace("777", "-1"));
    let world = World::of(vec![wire::stream(events)]);
    insta::assert_snapshot!(world.chat(["--usage"]).run().snapshot(), @r"
    exit: 0
    --- stdout
    Hello

    --- stderr
    acme/tiny at alpha: usage not reported, cost unknown, TIME
    ");
}

#[test]
fn an_end_without_a_reason_is_said() {
    let events = wire::openai_events(&["Hello"], Some((7, 3)));
    let events = events.into_iter().filter(|event| !event.contains("\"stop\"")).collect();
    let world = World::of(vec![wire::stream(events)]);
    insta::assert_snapshot!(world.chat([]).run().snapshot(), @r"
    exit: 0
    --- stdout
    Hello

    --- stderr
    warning: alpha ended the answer without a reason: it may be cut off
    ");
}

#[test]
fn a_tool_call_that_breaks_off_is_incomplete_and_is_not_printed() {
    let call = wire::openai_event(&json!({"choices": [{"index": 0, "delta": {"tool_calls": [
        {"index": 0, "id": "c1", "type": "function", "function": {"name": "look", "arguments": "{\"city\":\"Ro"}},
    ]}}]}));
    let world = World::of(vec![wire::stream(vec![call])]);
    let output = world.chat([]).run();
    insta::assert_snapshot!(output.snapshot(), @r"
    exit: 10
    --- stdout

    --- stderr
    error: the answer is incomplete: alpha broke it off
      received  1 piece of it in TIME; it may be billed
      reason    the stream ended without the provider's end event
      fix:      run it again; --no-stream fails over even then
    ");
}

#[test]
fn a_model_that_is_being_loaded_is_no_outage() {
    let loading = || wire::openai_error(503, "unavailable_error", None, "Loading model");
    let world = World::of(vec![loading()]);
    insta::assert_snapshot!(world.chat(["--retries", "0"]).run().snapshot(), @r#"
    exit: 8
    --- stdout

    --- stderr
    error: alpha is still loading its model
      it says  "Loading model"
      status   503
      fix:     run it again in a minute
    "#);
}
