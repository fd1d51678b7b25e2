//! `tests/fixtures/classes.toml`: what every failure means and permits, each row as a provider sends it, over the wire and
//! through its protocol's adapter (V10 of `metrics.md` 6.3).
#![expect(clippy::unwrap_used, reason = "a test may panic, and its helpers are tests")]
#![expect(clippy::disallowed_methods, reason = "fixtures are files, and tests read them")]

use std::collections::BTreeMap;
use std::time::Duration;

use aws_smithy_eventstream::frame::write_message_to;
use aws_smithy_types::event_stream::{Header, HeaderValue, Message as Frame};
use openmux::catalog::{Catalog, Endpoint, EndpointId, ModelId, Protocol, Provider, ProviderId};
use openmux::chat::{ChatRequest, Message, Role};
use openmux::observe::ErrorClass;
use openmux::observe::{Cooldown, Failover};
use openmux::units::Tokens;
use openmux::upstream::exchange::{Limits, Outcome, exchange};
use openmux::upstream::transport::{Transport, TransportConfig};
use openmux::upstream::{Call, adapter};
use serde::Deserialize;

use super::support::server::{Script, Server, Step};
use super::support::wire;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sheet {
    class: Vec<Permits>,
    group: Vec<Group>,
}

/// What a class permits.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Permits {
    class: String,
    counts: String,
    retry: bool,
    failover: String,
    cooldown: String,
    differs: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    source: String,
    provider: String,
    protocol: String,
    rows: Vec<Row>,
}

/// What a provider sends, and what it means.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Row {
    status: u16,
    headers: BTreeMap<String, String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    body: String,
    /// Bytes before the events.
    raw: String,
    /// Payloads of a stream of events without names.
    sse: Option<Vec<String>>,
    /// Names and payloads of a stream of events.
    events: Option<Vec<(String, String)>>,
    /// The name of an exception in one of AWS's event streams.
    exception: Option<String>,
    /// Whether that frame's checksum is wrong.
    damaged: bool,
    /// Whether the answer has begun with a token before.
    begins: bool,
    /// How many percent of the window the prompt fills.
    fills: usize,
    class: String,
    wait: Option<String>,
    adapts: Option<String>,
}

fn sheet() -> Sheet {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/classes.toml");
    toml::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn class(name: &str) -> ErrorClass {
    ErrorClass::ALL.into_iter().find(|class| class.name() == name).unwrap_or_else(|| panic!("no class {name}"))
}

#[test]
fn a_class_says_whether_it_counts_retries_fails_over_and_cools() {
    let sheet = sheet();
    let named: Vec<&str> = sheet.class.iter().map(|row| row.class.as_str()).collect();
    let mut all: Vec<&str> = ErrorClass::ALL.map(ErrorClass::name).to_vec();
    all.sort_unstable();
    let mut sorted = named.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, all, "one row each");
    for row in &sheet.class {
        assert_eq!(permits(class(&row.class)), said(row), "{}", row.class);
        assert!(row.differs.as_ref().is_none_or(|why| why.len() > 20), "{}", row.class);
    }
}

fn said(row: &Permits) -> (String, bool, String, String) {
    (row.counts.clone(), row.retry, row.failover.clone(), row.cooldown.clone())
}

/// What the code says of a class, in the words of the file.
fn permits(class: ErrorClass) -> (String, bool, String, String) {
    let counts = match class {
        _ if class.is_success() => "success",
        _ if class.is_provider_fault() => "fault",
        ErrorClass::RateLimited => "limited",
        _ => "no",
    };
    let (retry, failover) = match class.failover() {
        Failover::Done | Failover::Stop => (false, "no"),
        Failover::Next { retry_same } => (retry_same, "yes"),
        Failover::NextIfFits => (false, "fits"),
    };
    let cooldown = match class.cooldown() {
        Cooldown::None => "none".to_owned(),
        Cooldown::Fixed(pause) if pause == Duration::from_secs(3600) => "1h".to_owned(),
        Cooldown::Fixed(pause) => format!("{pause:?}"),
        Cooldown::Hint(first, most) => format!("hint {first:?}..{most:?}"),
        Cooldown::InARow(least, first, most) => format!("in a row {least} {first:?}..{most:?}"),
    };
    (counts.to_owned(), retry, failover.to_owned(), cooldown)
}

#[test]
fn every_row_is_what_the_page_says() {
    let sheet = sheet();
    let mut wrong = Vec::new();
    let mut rows = 0;
    for group in &sheet.group {
        assert!(group.source.starts_with("metrics.md 4."), "{}", group.source);
        let protocol = Protocol::ALL.into_iter().find(|known| known.name() == group.protocol).unwrap();
        let provider = Catalog::builtin().provider(&ProviderId::new(group.provider.as_str())).unwrap();
        let server = Server::start(group.rows.iter().map(|row| script(row, protocol)).collect());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let transport = Transport::new(&TransportConfig::default()).unwrap();
        for row in &group.rows {
            rows += 1;
            let (outcome, adapted) = runtime.block_on(served(&provider, protocol, &server, &transport, row));
            let wait = outcome.error.as_ref().and_then(|error| error.retry_after);
            let expected = row.wait.as_deref().map(|wait| {
                Duration::from_secs_f64(wait.strip_suffix('s').and_then(|wait| wait.parse().ok()).unwrap())
            });
            if (outcome.class, wait, &adapted) != (class(&row.class), expected, &row.adapts) {
                let name = outcome.class.name();
                wrong.push(format!("{} {name} {wait:?} {adapted:?} for {row:?}: {:?}", group.provider, outcome.error));
            }
        }
        assert_eq!(server.hits(), group.rows.len(), "each row was asked for once");
    }
    assert!(wrong.is_empty(), "{} of {rows} rows:\n{}", wrong.len(), wrong.join("\n"));
    assert!(rows > 180, "{rows}");
}

async fn served(
    provider: &Provider,
    protocol: Protocol,
    server: &Server,
    transport: &Transport,
    row: &Row,
) -> (Outcome, Option<String>) {
    let id = EndpointId { provider: provider.id.clone(), upstream_model: "m".into() };
    let mut endpoint = Endpoint::new(id, ModelId::new("acme/m"));
    endpoint.context = Some(Tokens::new(1_000));
    endpoint.max_output = Some(Tokens::new(100));
    let prompt = "abcd".repeat((row.fills * 10).max(1));
    let request = ChatRequest::new(endpoint.model.clone(), vec![Message::text(Role::User, prompt)]);
    let base_url = server.base_url();
    let call = Call { endpoint: &endpoint, provider, base_url: &base_url, request: &request };
    let adapter = adapter(protocol).unwrap();
    let encoded = adapter.encode(&call).unwrap();
    let (_stop, cancel) = tokio::sync::watch::channel(false);
    let limits = Limits { total: Some(Duration::from_secs(30)), ..Limits::default() };
    let outcome = exchange(transport, adapter, &call, encoded, limits, cancel, &mut |_| true).await;
    let adapted = outcome.error.as_ref().and_then(|error| adapter.adapt(&call, error));
    (outcome, adapted.map(|change| change.to_string()))
}

fn script(row: &Row, protocol: Protocol) -> Script {
    let event = |name: &str, data: &str| match name {
        "" => format!("data: {data}\n\n"),
        name => format!("event: {name}\ndata: {data}\n\n"),
    };
    let streamed = row.sse.is_some() || row.events.is_some() || row.exception.is_some();
    if !streamed {
        let plain = if row.body.starts_with('{') { "application/json" } else { "text/plain" };
        let script = Script::body(row.status, row.kind.as_deref().unwrap_or(plain), row.body.clone());
        return row.headers.iter().fold(script, |script, (name, value)| script.header(name, value));
    }
    let mut bytes = row.raw.clone().into_bytes();
    if let Some(name) = &row.exception {
        if row.begins {
            bytes.extend(frame("event", "messageStart", r#"{"role":"assistant"}"#));
            let delta = r#"{"contentBlockIndex":0,"delta":{"text":"Hi"}}"#;
            bytes.extend(frame("event", "contentBlockDelta", delta));
        }
        let mut last = frame("exception", name, r#"{"message":"no"}"#);
        if row.damaged {
            let at = last.len() - 6;
            last[at] ^= 1;
        }
        bytes.extend(last);
        return Script::stream_of("application/vnd.amazon.eventstream", vec![Step::bytes(bytes)]);
    }
    if row.begins {
        assert_eq!(protocol, Protocol::AnthropicMessages);
        let events = wire::anthropic_events(&["Hi"], (7, 3));
        let texts = events.iter().position(|event| event.contains("Hi")).unwrap();
        bytes.extend(events.into_iter().take(texts + 1).collect::<String>().into_bytes());
    }
    bytes.extend(row.sse.iter().flatten().flat_map(|data| event("", data).into_bytes()));
    bytes.extend(row.events.iter().flatten().flat_map(|(name, data)| event(name, data).into_bytes()));
    Script::stream(vec![Step::bytes(bytes)])
}

/// One frame of AWS's event streams.
fn frame(kind: &str, name: &str, payload: &str) -> Vec<u8> {
    let text = |text: &str| HeaderValue::String(text.to_owned().into());
    let named = if kind == "exception" { ":exception-type" } else { ":event-type" };
    let message = Frame::new(payload.as_bytes().to_vec())
        .add_header(Header::new(":message-type", text(kind)))
        .add_header(Header::new(named, text(name)))
        .add_header(Header::new(":content-type", text("application/json")));
    let mut bytes = Vec::new();
    write_message_to(&message, &mut bytes).unwrap();
    bytes
}
