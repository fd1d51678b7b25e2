//! Requests of the official clients (`tests/fixtures/sdk/`: openai 3.54 and 6.49, anthropic 2.12 and 1.12 with its
//! Bedrock and Vertex clients, google-genai 3.4, boto3 1.44, as they were captured on loopback in November 2026) are
//! accepted as they were sent, with the sandbox's credentials in place of the made-up ones.
#![expect(clippy::disallowed_methods, reason = "fixtures are files")]

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use openmux::sandbox::{AWS_ACCESS_KEY_ID, AWS_REGION, AWS_SECRET_ACCESS_KEY};
use sha2::{Digest, Sha256};

use super::*;

/// Headers that are not replayed: those that the client here sets itself, and credentials.
const LEFT_OUT: [&str; 6] =
    ["host", "connection", "content-length", "authorization", "x-goog-api-key", "accept-encoding"];

fn captured(name: &str) -> Vec<Value> {
    let path = format!("{}/tests/fixtures/sdk/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The path without the switch of the server that captured it.
fn path(request: &Value) -> &str {
    let path = request["path"].as_str().unwrap();
    match path.strip_prefix("/m/").and_then(|rest| rest.split_once('/')) {
        Some((_, rest)) => &path[path.len() - rest.len() - 1..],
        None => path,
    }
}

/// Whose request it is: the id of a local provider, or nothing where the sandbox has none for it.
fn provider_of(path: &str) -> Option<&'static str> {
    let known = [
        ("/v1/chat/completions", "openai"),
        ("/v1/responses", "responses"),
        ("/v1/messages", "anthropic"),
        ("/converse", "bedrock"),
        ("publishers/google/", "vertex"),
        ("publishers/anthropic/", "claude"),
        ("/v1/models/", "google"),
    ];
    known.iter().find(|(part, _)| path.contains(part)).map(|(_, id)| *id)
}

async fn everyone() -> Running {
    let providers = [
        ("openai", BOTH[0]),
        ("responses", NEW[0]),
        ("anthropic", BOTH[1]),
        ("bedrock", NEW[4]),
        ("vertex", NEW[2]),
        ("claude", NEW[3]),
        ("google", NEW[1]),
    ];
    start(FAST, &providers).await
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The day of a date.
fn day(date: &str) -> &str {
    date.get(..8).unwrap_or(date)
}

/// Signs as boto3 does: the headers that it lists, the path encoded once more. Nothing of the server's or the client's.
fn signature(path: &str, headers: &[(&str, &str)], date: &str, body: &str) -> String {
    let encoded = path.replace('%', "%25").replace(':', "%3A").replace('@', "%40");
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let listed: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let payload = hex(&Sha256::digest(body));
    let canonical = format!("POST\n{encoded}\n\n{listed}\n{}\n{payload}", names.join(";"));
    let scope = format!("{}/{AWS_REGION}/bedrock/aws4_request", day(date));
    let text = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(&Sha256::digest(canonical)));
    let mac = |key: Vec<u8>, part: &str| {
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(part.as_bytes());
        mac.finalize().into_bytes().to_vec()
    };
    let key = [day(date), AWS_REGION, "bedrock", "aws4_request"]
        .into_iter()
        .fold(format!("AWS4{AWS_SECRET_ACCESS_KEY}").into_bytes(), mac);
    let signature = hex(&mac(key, &text));
    format!(
        "AWS4-HMAC-SHA256 Credential={AWS_ACCESS_KEY_ID}/{scope}, SignedHeaders={}, Signature={signature}",
        names.join(";")
    )
}

#[tokio::test]
async fn requests_of_the_official_clients_are_accepted_as_they_are_sent() {
    let sandbox = everyone().await;
    let Credential::Google { document } = &sandbox.places[&ProviderId::new("vertex")][0].credential else {
        panic!("Google's")
    };
    let vertex = exchanged(document).await;
    let Credential::Google { document } = &sandbox.places[&ProviderId::new("claude")][0].credential else {
        panic!("Google's")
    };
    let claude = exchanged(document).await;
    let mut accepted = std::collections::BTreeMap::<&str, u32>::new();
    for request in ["openai", "anthropic", "bedrock", "vertex"].into_iter().flat_map(captured) {
        let path = path(&request);
        let Some(id) = provider_of(path) else { continue };
        let below = format!("/{id}{path}");
        let body = request["body"].to_string();
        let mut replay = client().post(format!("http://{}{below}", sandbox.addr));
        for header in request["headers"].as_array().unwrap() {
            let (name, value) = (header[0].as_str().unwrap(), header[1].as_str().unwrap());
            if !LEFT_OUT.contains(&name.to_ascii_lowercase().as_str()) {
                replay = replay.header(name, value);
            }
        }
        replay = match id {
            "google" => replay.header("x-goog-api-key", KEY),
            "vertex" => replay.bearer_auth(&vertex),
            "claude" => replay.bearer_auth(&claude),
            "bedrock" => {
                let find = |wanted: &str| {
                    let headers = request["headers"].as_array().unwrap().iter();
                    let mut found = headers.filter(|header| header[0].as_str().unwrap().eq_ignore_ascii_case(wanted));
                    found.next().map(|header| header[1].as_str().unwrap())
                };
                let date = find("x-amz-date").unwrap();
                let host = sandbox.addr.to_string();
                let mut headers = vec![("content-type", "application/json"), ("host", &host), ("x-amz-date", date)];
                headers.extend(find("x-amz-security-token").map(|token| ("x-amz-security-token", token)));
                replay.header("authorization", signature(&below, &headers, date, &body))
            }
            _ => replay.bearer_auth(KEY),
        };
        let response = replay.body(body).send().await.unwrap();
        let status = response.status();
        assert_eq!(status, 200, "{below}: {}", response.text().await.unwrap());
        *accepted.entry(id).or_default() += 1;
    }
    let all: Vec<_> = accepted.into_iter().collect();
    assert_eq!(all, [("anthropic", 5), ("bedrock", 6), ("claude", 4), ("google", 2), ("openai", 5), ("vertex", 4)]);
}

#[tokio::test]
async fn a_signature_must_be_right_in_every_part_and_fresh() {
    let now: Timestamp = "2026-11-24T07:43:01Z".parse().unwrap();
    let clock: openmux::sandbox::Clock = std::sync::Arc::new(move || now);
    let scenario = Scenario::parse("test", FAST).unwrap();
    let providers = vec![provider("bedrock", Protocol::BedrockConverse)];
    let sandbox = Sandbox::start_on(scenario, providers, 0, Some(clock)).await.unwrap();
    let host = sandbox.addr.to_string();
    let path = "/bedrock/model/arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aprofile%2Fus.m%3A0/converse";
    let body = json!({"messages": [{"role": "user", "content": [{"text": "hé"}]}]}).to_string();
    let mut all = String::new();
    let mut note = async |what: &str, date: &str, change: &dyn Fn(String) -> String, body_sent: &str| {
        let headers = [("content-type", "application/json"), ("host", host.as_str()), ("x-amz-date", date)];
        let authorization = change(signature(path, &headers, date, &body));
        let request = client().post(format!("http://{host}{path}")).header("content-type", "application/json");
        let request = request.header("x-amz-date", date).header("authorization", authorization);
        let response = request.body(body_sent.to_owned()).send().await.unwrap();
        let status = response.status().as_u16();
        let kind = response.headers().get("x-amzn-errortype").map(|kind| kind.to_str().unwrap().to_owned());
        let text = if status == 200 { String::new() } else { response.text().await.unwrap() };
        writeln!(all, "{what}: {status} {} {text}", kind.unwrap_or_default()).unwrap();
    };
    let as_it_is = |text: String| text;
    note("good", "20261124T074301Z", &as_it_is, &body).await;
    note("five minutes old", "20261124T073801Z", &as_it_is, &body).await;
    note("older", "20261124T073800Z", &as_it_is, &body).await;
    note("from the future", "20261124T074802Z", &as_it_is, &body).await;
    note("another body", "20261124T074301Z", &as_it_is, &body.replace("hé", "ha")).await;
    note("another key", "20261124T074301Z", &|text| text.replace(AWS_ACCESS_KEY_ID, "AKIDOTHER"), &body).await;
    note("another region", "20261124T074301Z", &|text| text.replace(AWS_REGION, "eu-west-1"), &body).await;
    note("another service", "20261124T074301Z", &|text| text.replace("/bedrock/", "/s3/"), &body).await;
    note("another day", "20261124T074301Z", &|text| text.replace("/20261124/", "/20261123/"), &body).await;
    note("date unsigned", "20261124T074301Z", &|text| text.replace(";x-amz-date", ""), &body).await;
    note("no signature", "20261124T074301Z", &|text| text.split(", Sig").next().unwrap().to_owned(), &body).await;
    note("no date", "now", &as_it_is, &body).await;
    insta::assert_snapshot!(all);
}
