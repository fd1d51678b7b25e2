//! The local providers over real HTTP: every fault to the byte, determinism, and what a client may rely on.

mod asking;
#[cfg(all(feature = "bedrock", feature = "vertex"))]
mod clouds;
mod content;
mod random;
mod wire;

use std::fmt::Write as _;
use std::sync::OnceLock;
use std::time::Duration;

use asking::{ask, exchanged, frames, signed};
use futures_util::future::join_all;
use openmux::catalog::{Auth, Protocol, ProviderId};
use openmux::sandbox::{Credential, Fault, HEADER, KEY, Running, Sandbox, SandboxProvider, Scenario};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

const BOTH: [Protocol; 2] = [Protocol::OpenaiChat, Protocol::AnthropicMessages];

/// What came later than the two.
const NEW: [Protocol; 5] = [
    Protocol::OpenaiResponses,
    Protocol::Gemini,
    Protocol::VertexGemini,
    Protocol::VertexAnthropic,
    Protocol::BedrockConverse,
];

/// As fast as it gets, with answers of four tokens.
const FAST: &str = "seed = 1\n[default]\nttft_ms = 0\ntokens_per_second = 10000\ntokens = 4\n";

fn provider(id: &str, protocol: Protocol) -> SandboxProvider {
    let auth = match protocol {
        Protocol::AnthropicMessages => Auth::Header("x-api-key".to_owned()),
        Protocol::Gemini => Auth::Header("x-goog-api-key".to_owned()),
        Protocol::VertexGemini | Protocol::VertexAnthropic => Auth::Google,
        Protocol::BedrockConverse => Auth::Aws,
        _ => Auth::Bearer,
    };
    SandboxProvider { id: ProviderId::new(id), name: id.to_owned(), spoken: vec![(protocol, auth)] }
}

async fn start(scenario: &str, providers: &[(&str, Protocol)]) -> Running {
    let scenario = Scenario::parse("test", scenario).unwrap();
    let providers = providers.iter().map(|(id, protocol)| provider(id, *protocol)).collect();
    Sandbox::start(scenario, providers).await.unwrap()
}

/// One for all tests, since making one is slow; it keeps no connection, as each test has a runtime of its own.
fn client() -> Client {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    let make = || Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
    CLIENT.get_or_init(make).clone()
}

async fn chat(sandbox: &Running, id: &str, protocol: Protocol, extra: &Value) -> Response {
    signed(sandbox, id, protocol, extra).await.send().await.unwrap()
}

/// Head, body and end of a response as one text; `quiet` is the silence that counts as none coming any more.
async fn transcript(request: RequestBuilder, quiet: Duration) -> String {
    let Ok(response) = timeout(quiet, request.send()).await else { return "(silence)\n".to_owned() };
    let mut response = response.unwrap();
    let mut text = format!("{}\n", response.status().as_u16());
    for (name, value) in response.headers() {
        if name != "date" {
            writeln!(text, "{name}: {}", value.to_str().unwrap()).unwrap();
        }
    }
    text.push('\n');
    let mut body = Vec::new();
    let end = loop {
        match timeout(quiet, response.chunk()).await {
            Ok(Ok(Some(bytes))) => body.extend_from_slice(&bytes),
            Ok(Ok(None)) => break "end",
            Ok(Err(_)) => break "closed in the middle",
            Err(_) => break "silence",
        }
    };
    let framed = text.contains("vnd.amazon.eventstream");
    text += &if framed { frames(&body) } else { String::from_utf8(body).unwrap() };
    if !text.ends_with('\n') {
        text.push('\n');
    }
    text + "(" + end + ")\n"
}

/// The text of an answer, streamed or not, of either protocol.
fn text_of(body: &str) -> String {
    let events = body.lines().filter_map(|line| line.strip_prefix("data: "));
    let events = if body.starts_with('{') { vec![body] } else { events.collect() };
    let texts = events.into_iter().filter_map(|event| serde_json::from_str::<Value>(event).ok());
    let places = ["/choices/0/delta/content", "/delta/text", "/choices/0/message/content", "/content/0/text"];
    texts.filter_map(|event| places.iter().find_map(|place| Some(event.pointer(place)?.as_str()?.to_owned()))).collect()
}

/// One provider for each fault, so that they are waited for together.
async fn every_fault(protocol: Protocol, stream: bool) -> String {
    let mut scenario = FAST.to_owned();
    for fault in Fault::ALL {
        let name = fault.name();
        write!(scenario, "[provider.{name}]\nfault = \"{name}\"\nretry_after_s = 7\nfault_after_tokens = 2\n").unwrap();
    }
    let providers: Vec<_> = Fault::ALL.iter().map(|fault| (fault.name(), protocol)).collect();
    let sandbox = start(&scenario, &providers).await;
    let extra = match protocol {
        Protocol::OpenaiChat if stream => json!({"stream": true, "stream_options": {"include_usage": true}}),
        _ => json!({"stream": stream}),
    };
    let transcripts = join_all(Fault::ALL.iter().map(|fault| async {
        let hangs = matches!(fault, Fault::NeverAnswer | Fault::HangAfterHeaders | Fault::StallMidStream);
        let quiet = Duration::from_secs(if hangs { 2 } else { 30 });
        let request = signed(&sandbox, fault.name(), protocol, &extra).await;
        format!("=== {}\n{}", fault.name(), transcript(request, quiet).await)
    }));
    transcripts.await.concat()
}

/// All at once: three faults of each are told from a slow machine by two seconds of silence.
#[tokio::test]
async fn every_fault_to_the_byte() {
    let all = [BOTH[0], BOTH[1], NEW[0], NEW[1], NEW[3], NEW[4]];
    let kinds: Vec<_> = all.into_iter().flat_map(|protocol| [(protocol, true), (protocol, false)]).collect();
    let transcripts = join_all(kinds.iter().map(|(protocol, stream)| every_fault(*protocol, *stream))).await;
    for ((protocol, stream), transcript) in kinds.into_iter().zip(transcripts) {
        let kind = if stream { "stream" } else { "whole" };
        insta::assert_snapshot!(format!("every_fault_{}_{kind}", protocol.name()), transcript);
    }
}

#[tokio::test]
async fn good_answers_to_the_byte() {
    let sandbox = start(FAST, &[("openai", BOTH[0]), ("anthropic", BOTH[1])]).await;
    let mut all = String::new();
    for (id, protocol) in [("openai", BOTH[0]), ("anthropic", BOTH[1])] {
        for stream in [true, false] {
            let request = ask(&sandbox, id, protocol, &json!({"stream": stream})).bearer_auth(KEY);
            writeln!(all, "=== {id} {stream}\n{}", transcript(request, Duration::from_secs(30)).await).unwrap();
        }
    }
    insta::assert_snapshot!(all);
}

#[tokio::test]
async fn the_same_seed_gives_the_same_bytes() {
    let run = async |seed: u64| {
        let scenario = FAST.replace("seed = 1", &format!("seed = {seed}")).replace("tokens = 4", "tokens = 80");
        let sandbox = start(&scenario, &[("a", BOTH[0]), ("b", BOTH[1])]).await;
        let mut bodies = Vec::new();
        for (id, protocol) in [("a", BOTH[0]), ("b", BOTH[1]), ("a", BOTH[0])] {
            bodies.push(chat(&sandbox, id, protocol, &json!({"stream": true})).await.text().await.unwrap());
        }
        bodies
    };
    let (once, again, other) = (run(1).await, run(1).await, run(2).await);
    assert_eq!(once, again);
    assert_ne!(once[0], once[2], "two requests in a row differ");
    assert_ne!(once[0], other[0], "another seed gives another answer");
}

#[tokio::test]
async fn an_answer_says_that_it_is_simulated_and_counts_its_tokens() {
    let sandbox = start(&FAST.replace("tokens = 4", "tokens = 30"), &[("a", BOTH[0]), ("b", BOTH[1])]).await;
    for (id, protocol) in [("a", BOTH[0]), ("b", BOTH[1])] {
        let start = format!("[sandbox] This is a simulated answer from {id} (no model was called). ");
        for stream in [false, true] {
            let response = chat(&sandbox, id, protocol, &json!({"stream": stream})).await;
            assert_eq!(response.headers()[HEADER], "test");
            let text = text_of(&response.text().await.unwrap());
            assert!(text.starts_with(&start), "{text}");
            assert_eq!(text.split(' ').count(), 30, "{text}");
        }
        // The 12 bytes of "How are you?" make three tokens.
        let whole: Value =
            serde_json::from_str(&chat(&sandbox, id, protocol, &json!({})).await.text().await.unwrap()).unwrap();
        let usage = whole["usage"].as_object().unwrap();
        let first_two: Vec<u64> = ["prompt_tokens", "input_tokens", "completion_tokens", "output_tokens"]
            .iter()
            .filter_map(|key| usage.get(*key)?.as_u64())
            .collect();
        assert_eq!(first_two, [3, 30]);
    }
}

#[tokio::test]
async fn an_output_limit_cuts_the_answer_and_says_so() {
    let sandbox = start(&FAST.replace("tokens = 4", "tokens = 30"), &[("a", BOTH[0]), ("b", BOTH[1])]).await;
    for (id, protocol, field, place, word) in [
        ("a", BOTH[0], "max_tokens", "/choices/0/finish_reason", "length"),
        ("a", BOTH[0], "max_completion_tokens", "/choices/0/finish_reason", "length"),
        ("b", BOTH[1], "max_tokens", "/stop_reason", "max_tokens"),
    ] {
        let body = chat(&sandbox, id, protocol, &json!({field: 3})).await.text().await.unwrap();
        assert_eq!(text_of(&body), "[sandbox] This is");
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(body.pointer(place).unwrap(), word);
    }
}

#[tokio::test]
async fn an_outage_hits_the_first_request_alone_wherever_it_goes() {
    let calm = Scenario::names().filter(|name| *name != "calm");
    assert_eq!(calm.collect::<Vec<_>>(), ["outage", "rate-limit", "slow", "mid-stream"]);
    for (first, second, status) in [(("a", BOTH[0]), ("b", BOTH[1]), 503), (("b", BOTH[1]), ("a", BOTH[0]), 529)] {
        let providers = vec![provider("a", BOTH[0]), provider("b", BOTH[1])];
        let sandbox = Sandbox::start(Scenario::builtin("outage").unwrap(), providers).await.unwrap();
        // A request that is refused for its key is not the first that is tried.
        assert_eq!(ask(&sandbox, first.0, first.1, &json!({})).send().await.unwrap().status(), 401);
        let short = json!({"max_tokens": 2});
        assert_eq!(chat(&sandbox, first.0, first.1, &short).await.status(), status);
        assert_eq!(chat(&sandbox, second.0, second.1, &short).await.status(), 200);
        assert_eq!(chat(&sandbox, first.0, first.1, &short).await.status(), 200);
        let requests: Vec<u64> = sandbox.requests().into_values().collect();
        assert_eq!(requests, if first.0 == "a" { [3, 1] } else { [1, 3] });
    }
}

#[tokio::test]
async fn a_fault_hits_as_many_requests_as_it_is_told_to() {
    let scenario = format!("{FAST}fault = \"server-error\"\ntimes = 2\n");
    let sandbox = start(&scenario, &[("a", BOTH[0]), ("b", BOTH[1])]).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(chat(&sandbox, "a", BOTH[0], &json!({})).await.status().as_u16());
    }
    assert_eq!(statuses, [500, 500, 200]);
    assert_eq!(chat(&sandbox, "b", BOTH[1], &json!({})).await.status(), 500);
}

#[tokio::test]
async fn a_parameter_is_refused_until_it_is_left_out() {
    let scenario = format!("{FAST}fault = \"refuse-parameter\"\n");
    let sandbox = start(&scenario, &[("a", BOTH[0]), ("b", BOTH[1])]).await;
    for (id, protocol) in [("a", BOTH[0]), ("b", BOTH[1])] {
        let refused = chat(&sandbox, id, protocol, &json!({})).await;
        assert_eq!(refused.status(), 400);
        assert!(refused.text().await.unwrap().contains("temperature"));
        assert_eq!(chat(&sandbox, id, protocol, &json!({"temperature": null})).await.status(), 200);
    }
}

#[tokio::test]
async fn what_a_real_provider_refuses_is_refused() {
    let sandbox = start(FAST, &[("a", BOTH[0]), ("b", BOTH[1])]).await;
    let mut all = String::new();
    let mut note = async |what: &str, request: RequestBuilder| {
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        writeln!(all, "{what}: {status} {}", response.text().await.unwrap()).unwrap();
    };
    for (id, protocol) in [("a", BOTH[0]), ("b", BOTH[1])] {
        let good = |extra: Value| ask(&sandbox, id, protocol, &extra).bearer_auth(KEY);
        let base = &sandbox.places[&ProviderId::new(id)][0].base_url;
        note("no key", ask(&sandbox, id, protocol, &json!({}))).await;
        note("empty key", ask(&sandbox, id, protocol, &json!({})).bearer_auth("")).await;
        note("other header", ask(&sandbox, id, protocol, &json!({"model": null})).header("x-api-key", KEY)).await;
        note("wrong key", ask(&sandbox, id, protocol, &json!({})).bearer_auth("sk-real")).await;
        note("models", client().get(format!("{base}/models")).bearer_auth(KEY)).await;
        note("wrong path", client().post(format!("{base}/embeddings")).bearer_auth(KEY)).await;
        note("no JSON", good(json!({})).body("{")).await;
        note("no model", good(json!({"model": null}))).await;
        note("no messages", good(json!({"messages": []}))).await;
        note("no limit", good(json!({"max_tokens": 0}))).await;
    }
    note("both limits", chat_with(&sandbox, "a", &json!({"max_tokens": 1, "max_completion_tokens": 1}))).await;
    note("usage unstreamed", chat_with(&sandbox, "a", &json!({"stream_options": {}}))).await;
    let new = ask(&sandbox, "b", BOTH[1], &json!({})).bearer_auth(KEY).header("anthropic-version", "2026-10-21");
    let mut new = new.build().unwrap();
    new.headers_mut().remove("anthropic-version");
    note("no version", RequestBuilder::from_parts(client(), new)).await;
    let new = client().post(format!("{}/messages", sandbox.places[&ProviderId::new("b")][0].base_url)).bearer_auth(KEY);
    let body = json!({"model": "m", "max_tokens": 1, "top_p": 1, "messages": [{"role": "user", "content": "x"}]});
    note("new version", new.header("anthropic-version", "2026-10-21").body(body.to_string())).await;
    note("no provider", client().post(format!("http://{}/c/v1/messages", sandbox.addr))).await;
    insta::assert_snapshot!(all);
}

fn chat_with(sandbox: &Running, id: &str, extra: &Value) -> RequestBuilder {
    ask(sandbox, id, Protocol::OpenaiChat, extra).bearer_auth(KEY)
}

#[tokio::test]
async fn usage_can_be_withheld() {
    let scenario = format!("{FAST}usage = \"none\"\n");
    let sandbox = start(&scenario, &[("a", BOTH[0]), ("b", BOTH[1])]).await;
    for (id, protocol) in [("a", BOTH[0]), ("b", BOTH[1])] {
        for stream in [false, true] {
            let body = chat(&sandbox, id, protocol, &json!({"stream": stream})).await.text().await.unwrap();
            assert!(!body.contains("usage"), "{body}");
        }
    }
}

#[tokio::test]
async fn tokens_come_no_sooner_than_the_scenario_says() {
    let scenario = "[default]\nttft_ms = 60\ntokens_per_second = 50\ntokens = 4\n";
    let sandbox = start(scenario, &[("a", BOTH[0])]).await;
    let sent = Instant::now();
    let mut response = chat(&sandbox, "a", BOTH[0], &json!({"stream": true})).await;
    let mut tokens = Vec::new();
    while let Some(bytes) = response.chunk().await.unwrap() {
        let text = std::str::from_utf8(&bytes).unwrap();
        tokens.extend(text.matches("delta\":{\"content\"").map(|_| sent.elapsed()));
    }
    assert_eq!(tokens.len(), 4);
    for (index, at) in tokens.iter().enumerate() {
        assert!(*at >= Duration::from_millis(60 + 20 * index as u64), "token {index} came after {at:?}");
    }
}

#[tokio::test]
async fn a_kept_connection_does_not_wait_for_acknowledgements() {
    // Several small writes, some milliseconds apart: what Nagle's algorithm holds back.
    let scenario = "[default]\nttft_ms = 4\ntokens_per_second = 500\ntokens = 3\n";
    let sandbox = start(scenario, &[("a", BOTH[0])]).await;
    let client = Client::builder().no_proxy().build().unwrap();
    let mut times = Vec::new();
    for _ in 0..21 {
        let request = ask(&sandbox, "a", BOTH[0], &json!({"stream": true})).bearer_auth(KEY).build().unwrap();
        let sent = Instant::now();
        client.execute(request).await.unwrap().bytes().await.unwrap();
        times.push(sent.elapsed());
    }
    times.sort_unstable();
    // The script takes 8 ms; without TCP_NODELAY the median is above 40 ms.
    assert!(times[10] < Duration::from_millis(30), "median {:?}", times[10]);
}

/// Waits until no reply is under way.
async fn until_idle(sandbox: &Running) {
    let idle = async {
        while sandbox.active() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(30), idle).await.expect("the work stops");
}

#[tokio::test]
async fn a_client_that_goes_away_stops_the_work() {
    let scenario =
        "[default]\nttft_ms = 0\ntokens_per_second = 0.1\ntokens = 1000\n[provider.b]\nfault = \"never-answer\"\n";
    let sandbox = start(scenario, &[("a", BOTH[0]), ("b", BOTH[1])]).await;

    let mut response = chat(&sandbox, "a", BOTH[0], &json!({"stream": true})).await;
    response.chunk().await.unwrap().unwrap();
    assert_eq!(sandbox.active(), 1);
    drop(response);
    until_idle(&sandbox).await;

    let silent = tokio::spawn(ask(&sandbox, "b", BOTH[1], &json!({})).bearer_auth(KEY).send());
    while sandbox.active() == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    silent.abort();
    until_idle(&sandbox).await;
}

#[tokio::test]
async fn dropping_it_ends_every_reply_and_frees_the_port() {
    let scenario = "[default]\nttft_ms = 0\nfault = \"hang-after-headers\"\n[provider.b]\nfault = \"never-answer\"\n";
    let sandbox = start(scenario, &[("a", BOTH[0]), ("b", BOTH[1])]).await;
    let hanging = chat(&sandbox, "a", BOTH[0], &json!({"stream": true})).await;
    let silent = tokio::spawn(ask(&sandbox, "b", BOTH[1], &json!({})).bearer_auth(KEY).send());
    while sandbox.active() < 2 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let addr = sandbox.addr;
    drop(sandbox);
    assert!(timeout(Duration::from_secs(30), hanging.text()).await.unwrap().is_err());
    assert_eq!(timeout(Duration::from_secs(30), silent).await.unwrap().unwrap().unwrap().status(), 503);
    let again = async {
        while tokio::net::TcpStream::connect(addr).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(30), again).await.expect("nobody listens any more");
}

#[tokio::test]
async fn what_it_cannot_play_is_refused_at_the_start() {
    let refusal = async |providers: Vec<SandboxProvider>| {
        let started = Sandbox::start(Scenario::builtin("calm").unwrap(), providers).await;
        started.map(|_| ()).unwrap_err().to_string()
    };
    assert_eq!(refusal(vec![provider("a", Protocol::Ollama)]).await, "the sandbox does not speak ollama (a)");
    let unknown =
        SandboxProvider { spoken: vec![(BOTH[0], Auth::Unsupported("exchange".into()))], ..provider("a", BOTH[0]) };
    assert_eq!(refusal(vec![unknown]).await, "the sandbox cannot check the credential of a");
    assert_eq!(refusal(vec![provider("a/b", BOTH[0])]).await, "the provider id \"a/b\" cannot be a part of a path");
    assert_eq!(refusal(vec![provider("a", BOTH[0]), provider("a", BOTH[1])]).await, "the provider a is there twice");
}
