//! Whose fault a failure is (`metrics.md` 4.2; V11, V12, V13 of 6.3): a played network in which names lead where the test
//! says, so that a loopback server is somebody else's.
#![expect(clippy::unwrap_used, reason = "a test may panic, and its helpers are tests")]

mod hang;
mod network;
mod tls;

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use openmux::catalog::{Auth, Catalog, Endpoint, EndpointId, ModelId, Protocol, Provider, ProviderId, ProviderKind};
use openmux::chat::{ChatEvent, ChatRequest, Message, Role};
use openmux::dispatch::{ChatReport, Dispatcher, Notice, Observer, Plan, Reach, Suppose, Wire, route_request};
use openmux::observe::Source;
use openmux::routing::{Constraints, Limits, Policy};
use openmux::store::Memory;
use openmux::upstream::auth::{Found, Keyring, Signer, Vars, find_key};
use openmux::upstream::transport::{Names, Transport, TransportConfig};

/// A provider at an address, with a key.
fn reach(name: &str, base_url: String) -> Reach {
    let id = EndpointId { provider: ProviderId::new(name), upstream_model: "m".into() };
    let variable = format!("{}_KEY", name.to_uppercase());
    let provider = Provider {
        env: BTreeMap::from([("key".to_owned(), vec![variable.clone()])]),
        ..Provider::new(id.provider.clone(), ProviderKind::Host)
    };
    let vars = Vars::new([(variable, format!("sk-{name}-0123456789"))]);
    let keys = Keyring { vars, ..Keyring::default() };
    let found = find_key(&provider, &Auth::Bearer, &keys);
    assert!(matches!(found, Found::Key { .. }));
    Reach {
        endpoint: Endpoint::new(id, ModelId::new("acme/tiny")),
        provider,
        protocol: Some(Protocol::OpenaiChat),
        unsupported: None,
        no_base_url: false,
        base_url,
        overridden_by: None,
        missing_settings: Vec::new(),
        found,
        outside_sandbox: false,
    }
}

/// What happened between attempts, and what was said.
#[derive(Debug, Default)]
struct Heard {
    notices: Vec<Notice>,
    text: String,
}

impl Observer for Heard {
    fn event(&mut self, event: ChatEvent) -> bool {
        if let ChatEvent::Text(text) = event {
            self.text.push_str(&text);
        }
        true
    }

    fn notice(&mut self, notice: Notice) {
        self.notices.push(notice);
    }
}

/// Where names lead.
#[derive(Clone, Copy)]
enum Leads {
    /// To this machine.
    Here,
    /// Nowhere: the resolver says that there is no such name.
    Nowhere,
    /// The resolver does not answer.
    Silence,
}

/// A transport in whose network each name leads where it is said; all others do not exist.
fn transport(names: &[(&'static str, Leads)], roots: Option<&str>) -> Transport {
    let names: BTreeMap<&'static str, Leads> = names.iter().copied().collect();
    let look_up = move |host: &str| match names.get(host) {
        Some(Leads::Here) => Ok(vec![IpAddr::V4(Ipv4Addr::LOCALHOST)]),
        Some(Leads::Silence) => Err(std::io::Error::other("Temporary failure in name resolution")),
        Some(Leads::Nowhere) | None => Err(std::io::Error::other("Name or service not known")),
    };
    let config = TransportConfig {
        names: Names::of(look_up),
        extra_roots: roots.map(|pem| pem.as_bytes().to_vec()),
        connect_timeout: Some(Duration::from_secs(10)),
        ..TransportConfig::default()
    };
    Transport::new(&config).unwrap()
}

/// One chat over these providers, tried in this order.
async fn chat(reaches: &[Reach], transport: &Transport, store: &Memory, retries: u32) -> (ChatReport, Heard) {
    chat_among(reaches, reaches, transport, store, retries, || "2026-11-24T10:00:00Z".parse().unwrap()).await
}

/// One chat over some of the providers that are set up, at a time.
async fn chat_among(
    reaches: &[Reach],
    all: &[Reach],
    transport: &Transport,
    store: &Memory,
    retries: u32,
    now: impl Fn() -> jiff::Timestamp + Sync,
) -> (ChatReport, Heard) {
    let (catalog, keys) = (Catalog::builtin(), Keyring::default());
    let dispatcher = Dispatcher::new(&catalog, store, &keys, &now);
    let request = ChatRequest::new(ModelId::new("acme/tiny"), vec![Message::text(Role::User, "hi")]);
    let order = reaches.iter().map(|reach| reach.provider.id.clone()).collect();
    let constraints = Constraints { order, allow_unpriced: true, ..Constraints::default() };
    let route = route_request(&request, constraints);
    let routed = dispatcher.route(&route, Some(&request), reaches, &Policy::default(), 1, Suppose::Nothing);
    assert_eq!(routed.decision.ranked.len(), reaches.len(), "{:?}", routed.decision.rejected);
    let limits = Limits {
        max_attempts: 6,
        retries,
        first_token: Some(Duration::from_secs(60)),
        max_wait: Duration::from_secs(30),
    };
    let plan = Plan {
        hedges: None,
        retries: None,
        request: &request,
        reaches: all,
        decision: &routed.decision,
        route_limits: limits,
        idle: Some(Duration::from_secs(30)),
        total: Some(Duration::from_secs(300)),
        before: 0,
        hold: false,
        resume: false,
        group: [1; 16],
        day_cap: None,
        purses: &[],
        source: Source::Chat,
        talk: None,
        hedge: None,
    };
    let signer = Signer::new(Vars::default());
    let (_stop, cancel) = tokio::sync::watch::channel(false);
    let mut heard = Heard::default();
    let wire = Wire { transport, signer: &signer };
    let report = dispatcher.chat(&plan, wire, cancel, &mut heard).await;
    (report, heard)
}

/// The classes of all attempts, by their words.
fn classes(report: &ChatReport) -> Vec<&'static str> {
    report.attempts.iter().map(|attempt| attempt.outcome.class.name()).collect()
}

/// `http://NAME:PORT/v1` of a server on this machine.
fn at(name: &str, base_url: &str) -> String {
    let port = base_url.rsplit(':').next().unwrap();
    format!("http://{name}:{port}/v1")
}

/// The same where nobody listens.
fn closed(name: &str) -> String {
    format!("http://{name}:{}/v1", super::support::server::closed_port())
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}
