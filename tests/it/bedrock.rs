//! Amazon Bedrock over real HTTP: the framer is chosen by the content type, and a stream that breaks is a failure. And
//! which of its regional endpoints stands for it.

use std::collections::BTreeSet;

use openmux::catalog::{Catalog, ModelId, ProviderId};
use openmux::chat::ChatEvent;
use openmux::dispatch::{Dispatcher, Reach};
use openmux::observe::ErrorClass;
use openmux::store::Memory;
use openmux::upstream::Call;
use openmux::upstream::auth::{Keyring, Vars};
use openmux::upstream::exchange::{Limits, Outcome, exchange};
use openmux::upstream::transport::{Transport, TransportConfig};

use super::fixtures::{self, Case, world};
use super::support::server::{Script, Server, Step};

const EVENTSTREAM: &str = "application/vnd.amazon.eventstream";

fn case(name: &str) -> Case {
    fixtures::all().into_iter().find(|case| case.name == format!("bedrock-converse/{name}")).unwrap()
}

/// One attempt at a server that answers with these bytes.
fn attempt(name: &str, script: Script) -> (Vec<ChatEvent>, Outcome) {
    let server = Server::start(vec![script]);
    let case = case(name);
    let world = world(&case);
    let base_url = server.base_url();
    let call = Call { base_url: &base_url, ..world.call() };
    let adapter = case.adapter();
    let request = adapter.encode(&call).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut events = Vec::new();
    let outcome = runtime.block_on(async {
        let transport = Transport::new(&TransportConfig::default()).unwrap();
        let (_stop, cancel) = tokio::sync::watch::channel(false);
        let mut sink = |event| {
            events.push(event);
            true
        };
        exchange(&transport, adapter, &call, request, Limits::default(), cancel, &mut sink).await
    });
    let seen = server.requests().remove(0);
    assert_eq!(seen.path, "/model/model-1/converse-stream");
    assert_eq!(seen.header("accept"), Some(EVENTSTREAM));
    (events, outcome)
}

fn stream(bytes: &[u8]) -> Script {
    Script::body(200, EVENTSTREAM, bytes).header("x-amzn-requestid", "6c1a2c2e")
}

#[test]
fn an_event_stream_becomes_an_answer() {
    let bytes = case("tool-use").response.unwrap();
    let (events, outcome) = attempt("tool-use", stream(&bytes));
    assert_eq!((outcome.class, outcome.request_id.as_deref()), (ErrorClass::Ok, Some("6c1a2c2e")));
    assert_eq!(fixtures::lines(&(events, Ok(()))), case("tool-use").expect);
}

#[test]
fn a_stream_that_breaks_is_the_providers_fault_and_what_was_whole_counts() {
    let bytes = case("plain").response.unwrap();
    for at in [0, 4, 9, 40, 80] {
        let mut broken = bytes.clone();
        broken[at] ^= 0x40;
        let (events, outcome) = attempt("plain", stream(&broken));
        assert_eq!(outcome.class, ErrorClass::ProviderFault, "byte {at}");
        assert!(events.is_empty() && !outcome.shown, "byte {at} shows {events:?}");
    }
    let mut broken = bytes.clone();
    let last = broken.len() - 1;
    broken[last] ^= 1;
    let (events, outcome) = attempt("plain", stream(&broken));
    assert_eq!((outcome.class, outcome.shown), (ErrorClass::ProviderFault, true));
    assert_eq!(fixtures::lines(&(events, Ok(()))), case("plain").expect[..3]);
    assert!(outcome.error.unwrap().message.starts_with("the event stream is corrupt"));
}

#[test]
fn a_stream_that_stops_is_broken_and_one_that_stays_open_after_its_end_is_whole() {
    let bytes = case("plain").response.unwrap();
    let (_, outcome) = attempt("plain", stream(&bytes[..bytes.len() - 300]));
    assert_eq!(outcome.class, ErrorClass::StreamBroken);
    let mut open = format!("HTTP/1.1 200 OK\r\ncontent-type: {EVENTSTREAM}\r\n\r\n").into_bytes();
    open.extend(bytes);
    let (events, outcome) = attempt("plain", Script::raw(vec![Step::bytes(open), Step::HangForever]));
    assert_eq!(outcome.class, ErrorClass::Ok, "{events:?}");
}

#[test]
fn an_exception_inside_the_stream_has_its_own_class_before_the_first_token() {
    let (events, outcome) = attempt("error-first", stream(&case("error-first").response.unwrap()));
    assert_eq!((events.len(), outcome.class), (0, ErrorClass::RateLimited));
    let (_, outcome) = attempt("error-mid-stream", stream(&case("error-mid-stream").response.unwrap()));
    assert_eq!(outcome.class, ErrorClass::StreamBroken);
}

/// What stands for Amazon Bedrock with this environment and `--region`.
fn chosen(model: &str, vars: &[(&str, &str)], region: Option<&str>) -> Reach {
    let catalog = Catalog::builtin();
    let vars = Vars::new(vars.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    let keys = Keyring { vars, ..Keyring::default() };
    let store = Memory::new();
    let now = || jiff::Timestamp::UNIX_EPOCH;
    let dispatcher = Dispatcher { region, ..Dispatcher::new(&catalog, &store, &keys, &now) };
    let bedrock = ProviderId::new("amazon-bedrock");
    let mut reaches = dispatcher.reach(&ModelId::new(model), None, false);
    reaches.retain(|reach| reach.endpoint.id.provider == bedrock);
    assert_eq!(reaches.len(), 1);
    reaches.remove(0)
}

#[test]
fn the_geography_of_the_configured_region_is_the_default() {
    let sonnet = "anthropic/claude-sonnet-5";
    for (region, expected) in [
        ("us-east-1", "us.anthropic.claude-sonnet-5"),
        ("eu-central-1", "eu.anthropic.claude-sonnet-5"),
        ("ap-northeast-1", "jp.anthropic.claude-sonnet-5"),
        ("ap-northeast-2", "apac.anthropic.claude-sonnet-5"),
        ("ap-southeast-2", "au.anthropic.claude-sonnet-5"),
        ("us-gov-west-1", "us-gov.anthropic.claude-sonnet-5"),
        ("sa-east-1", "anthropic.claude-sonnet-5"),
    ] {
        for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
            let reach = chosen(sonnet, &[(name, region)], None);
            assert_eq!(reach.endpoint.id.upstream_model, expected, "{name}={region}");
            assert_eq!(reach.base_url, format!("https://bedrock-runtime.{region}.amazonaws.com"));
            assert!(reach.missing_settings.is_empty() && reach.unsupported.is_none());
        }
    }
    let unset = chosen(sonnet, &[], None);
    assert_eq!(unset.endpoint.id.upstream_model, "anthropic.claude-sonnet-5");
    assert_eq!(unset.missing_settings, ["AWS_REGION"]);
}

#[test]
fn a_wished_region_wins_and_one_that_cannot_be_called_is_named() {
    let sonnet = "anthropic/claude-sonnet-5";
    let vars = [("AWS_REGION", "us-east-1")];
    let global = chosen(sonnet, &vars, Some("global"));
    assert_eq!(global.endpoint.id.upstream_model, "global.anthropic.claude-sonnet-5");
    assert!(global.missing_settings.is_empty());
    let european = chosen(sonnet, &vars, Some("eu"));
    assert_eq!(european.endpoint.id.upstream_model, "eu.anthropic.claude-sonnet-5");
    assert_eq!(european.missing_settings, ["AWS_REGION in eu"]);
    assert_eq!(chosen(sonnet, &vars, Some("eu-west-1")).endpoint.region.as_deref(), Some("eu"));
}

#[test]
fn every_model_of_bedrock_can_be_put_on_its_wire() {
    let catalog = Catalog::builtin();
    let provider = catalog.provider(&ProviderId::new("amazon-bedrock")).unwrap();
    let base_url = "https://bedrock-runtime.us-east-1.amazonaws.com";
    let mut seen = BTreeSet::new();
    for model in catalog.models() {
        for endpoint in catalog.endpoints_for(&ModelId::new(model.id())) {
            if endpoint.id.provider != provider.id || endpoint.protocol.map(|p| p.name()) != Some("bedrock-converse") {
                continue;
            }
            let messages = vec![openmux::chat::Message::text(openmux::chat::Role::User, "hi")];
            let request = openmux::chat::ChatRequest::new(endpoint.model.clone(), messages);
            let call = Call { endpoint: &endpoint, provider: &provider, base_url, request: &request };
            let encoded = openmux::upstream::bedrock::BedrockConverse;
            let encoded = openmux::upstream::Adapter::encode(&encoded, &call).unwrap();
            assert!(encoded.uri().path().ends_with("/converse-stream"));
            seen.insert(endpoint.id.upstream_model);
        }
    }
    assert!(seen.len() > 200, "{}", seen.len());
}
