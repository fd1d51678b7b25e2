//! Drives attempts of the real client against the paced server.

use std::collections::BTreeMap;
use std::time::Instant;

use jiff::Timestamp;
use openmux::catalog::{Catalog, Endpoint, EndpointId, ModelId, Protocol, ProviderId};
use openmux::chat::{ChatEvent, ChatRequest, Message, Role};
use openmux::dispatch::{Dispatcher, Marks, Notice, Observer, Once, Reach, Wire};
use openmux::observe::{Observation, Source};
use openmux::store::{Memory, ObservationStore};
use openmux::units::Tokens;
use openmux::upstream::auth::{Found, Keyring, Signer, Vars};
use openmux::upstream::exchange::{Limits, Outcome};
use openmux::upstream::transport::{Transport, TransportConfig};
use tokio::runtime::Runtime;
use tokio::sync::watch;

use super::{Paced, Truth};

/// A client with its connections, on one thread as the command has it.
pub(crate) struct Client {
    runtime: Runtime,
    transport: Transport,
    signer: Signer,
    catalog: Catalog,
    keys: Keyring,
}

/// One attempt: what the client made of it, what it was sent, what was kept of it, and when each token-bearing event
/// reached the caller.
pub(crate) struct Run {
    pub(crate) outcome: Outcome,
    pub(crate) truth: Truth,
    pub(crate) seen: Observation,
    pub(crate) events: Vec<(ChatEvent, Instant)>,
}

impl Run {
    /// What was said, thoughts and answer alike.
    pub(crate) fn text(&self) -> String {
        let text = |event: &ChatEvent| match event {
            ChatEvent::Text(text) | ChatEvent::Reasoning(text) => text.clone(),
            _ => String::new(),
        };
        self.events.iter().map(|(event, _)| text(event)).collect()
    }
}

/// Notes when events come, and calls somebody each time.
struct Stamping<'a> {
    events: Vec<(ChatEvent, Instant)>,
    each: &'a dyn Fn(),
}

impl Observer for Stamping<'_> {
    fn event(&mut self, event: ChatEvent) -> bool {
        #[expect(clippy::disallowed_methods, reason = "held against the server's own stamps")]
        let now = Instant::now();
        if event.bears_tokens() {
            self.events.push((event, now));
        }
        (self.each)();
        true
    }

    fn notice(&mut self, notice: Notice) {
        panic!("{notice:?}");
    }
}

impl Client {
    pub(crate) fn new() -> Self {
        Self {
            runtime: tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime"),
            transport: Transport::new(&TransportConfig::default()).expect("a client"),
            signer: Signer::new(Vars::new(BTreeMap::<String, String>::new())),
            catalog: Catalog::builtin(),
            keys: Keyring::default(),
        }
    }

    /// Makes one attempt, over a kept connection where there is one.
    pub(crate) fn attempt(&self, server: &Paced, protocol: Protocol, script: &str) -> Run {
        let now = || Timestamp::UNIX_EPOCH;
        self.attempt_at(server, protocol, script, (&now, &|| {}))
    }

    /// The same with a clock on the wall, and somebody who is called with each event.
    pub(crate) fn attempt_at(
        &self,
        server: &Paced,
        protocol: Protocol,
        script: &str,
        (now, each): (&(dyn Fn() -> Timestamp + Sync), &dyn Fn()),
    ) -> Run {
        let reach = self.reach(server, protocol, script);
        let messages = vec![Message::text(Role::User, "Say something of a lamp.")];
        let request = ChatRequest::new(reach.endpoint.model.clone(), messages);
        let store = Memory::new();
        let dispatcher = Dispatcher::new(&self.catalog, &store, &self.keys, now);
        let once = Once {
            request: &request,
            reach: &reach,
            wire: Wire { transport: &self.transport, signer: &self.signer },
            limits: Limits::default(),
            hold: false,
            group: [1; 16],
            source: Source::Chat,
            marks: Marks::default(),
        };
        let mut stamping = Stamping { events: Vec::new(), each };
        let (_stop, cancel) = watch::channel(false);
        let report = self.runtime.block_on(dispatcher.once(&once, cancel, &mut stamping));
        let mut kept = store.attempts(Timestamp::MIN, Timestamp::MAX).expect("memory is read");
        Run { outcome: report.outcome, truth: server.truth(), seen: kept.remove(0), events: stamping.events }
    }

    /// An endpoint whose model is the script, at a provider without any way of its own.
    fn reach(&self, server: &Paced, protocol: Protocol, script: &str) -> Reach {
        let id = EndpointId { provider: ProviderId::new("openai"), upstream_model: script.to_owned() };
        let mut provider = self.catalog.provider(&id.provider).expect("it is known");
        provider.headers.clear();
        let version = if protocol == Protocol::BedrockConverse { "" } else { "/v1" };
        Reach {
            endpoint: Endpoint { max_output: Some(Tokens::new(4096)), ..Endpoint::new(id, ModelId::new("acme/paced")) },
            provider,
            protocol: Some(protocol),
            unsupported: None,
            no_base_url: false,
            base_url: server.base_url() + version,
            overridden_by: None,
            missing_settings: Vec::new(),
            found: Found::NotNeeded,
            outside_sandbox: false,
        }
    }
}
