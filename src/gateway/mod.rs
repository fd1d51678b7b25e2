//! The same [`Dispatcher`](crate::dispatch::Dispatcher) over HTTP: a local gateway that existing clients of OpenAI and
//! Anthropic use unchanged. No decision is made here; a request is read ([`codec`]), routed and executed by the dispatcher, and written.
//!
//! One thread takes connections in and hands them to worker threads, each with a runtime, a client and a pool of its own
//! ([`serve`]); nothing of a request crosses threads. An answer is driven by whoever writes it (`run`, `reply`): where the
//! client reads slowly the provider is read from slowly, and where it goes away the attempt is stopped and recorded.

mod chat;
mod client;
pub mod codec;
mod count;
mod count_tokens;
mod cross;
mod decided;
mod explain;
mod flights;
mod generation;
mod guard;
mod intake;
mod limit;
mod metrics;
mod models;
mod outlet;
pub(crate) mod problem;
mod reply;
mod routes;
mod run;
mod served;
mod server;
mod wishes;

use std::rc::Rc;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::dispatch::{FallbackClass, Line, Owned};
use crate::routing::{Constraints, Hedging, Policy};
use crate::units::Usd;
pub use client::{Allowance, Client};
use count::Counter;
pub use explain::Explained;
use flights::Flights;
pub use guard::Token;
use metrics::Metrics;
pub use problem::Problem;
pub use served::{Asked, Line as LogLine, Refused};
pub use server::{Renewal, Serving, serve};
pub use wishes::Wished;

/// How a gateway behaves.
pub struct Config {
    /// What clients must show; `None` lets anybody in who is on this machine.
    pub token: Option<Token>,
    /// Clients with names, each with a token of its own.
    pub clients: Vec<Arc<Client>>,
    /// The names, beside those of this machine, that a `Host` header may hold.
    pub hosts: Vec<String>,
    /// The pages that may ask, beside those of this machine, as a browser writes their `Origin`.
    pub origins: Vec<String>,
    /// The largest body of a request, in bytes.
    pub largest_body: usize,
    /// The most bytes that the bodies of all requests take up together, with what they are read into.
    pub bodies: usize,
    /// The most requests at once.
    pub at_once: usize,
    /// How long a request's head, and then its body, may take to arrive.
    pub arrival: Duration,
    /// How long a client may read nothing of an answer that waits for it.
    pub reading: Duration,
    /// How long the head of a stream waits for the first token, so that a failure before it has a status of its own; and
    /// how long a stream is silent before a comment says that somebody is still there.
    pub quiet: Duration,
    /// What is not negotiable in any request; a request may narrow it. Its order, its lenience and what it merely prefers
    /// hold where a request says nothing else.
    pub constraints: Constraints,
    /// What is traded, where a request says nothing else.
    pub policy: Policy,
    /// The models to go on to, where a request names none.
    pub fallback: Vec<String>,
    /// After which failures; empty is after those that every provider was tried for.
    pub fallback_on: Vec<FallbackClass>,
    /// Whether a stream that breaks off in the middle is gone on with by a provider that can.
    pub resume: Wished,
    /// Whether a second provider is asked beside a slow one.
    pub hedge: Wished,
    /// How long one chat may take; `None` is no limit.
    pub total: Option<Duration>,
    /// How long all attempts may take to a first token; without a value what the decision says, and `Some(None)` is no limit.
    pub first_token: Option<Option<Duration>>,
    /// The longest silence within an answer; `None` is no limit.
    pub idle: Option<Duration>,
    /// The most that all requests of a day (UTC) may cost together.
    pub day_cap: Option<Usd>,
    /// Takes what is noted of each request.
    pub log: Box<dyn Fn(LogLine) + Send + Sync>,
    /// Puts a decision into words, as `route explain -o json` does.
    pub explain: Option<Explain>,
}

/// Puts a decision into words.
pub type Explain = Box<dyn Fn(&Explained<'_>) -> Value + Send + Sync>;

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config").field("token", &self.token).field("at_once", &self.at_once).finish_non_exhaustive()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            token: None,
            clients: Vec::new(),
            hosts: Vec::new(),
            origins: Vec::new(),
            largest_body: 32 * 1024 * 1024,
            bodies: 1024 * 1024 * 1024,
            at_once: 1024,
            arrival: Duration::from_secs(30),
            reading: Duration::from_secs(60),
            quiet: Duration::from_secs(10),
            constraints: Constraints::default(),
            policy: Policy::default(),
            fallback: Vec::new(),
            fallback_on: Vec::new(),
            resume: Wished::Asked,
            hedge: Wished::Never,
            total: Some(Duration::from_secs(600)),
            first_token: None,
            idle: Some(Duration::from_secs(30)),
            day_cap: None,
            log: Box::new(|_| {}),
            explain: None,
        }
    }
}

/// Everything that all threads of a gateway share: what it goes by, until that is renewed, and what it has counted.
#[derive(Debug)]
pub struct Gateway {
    owned: Owned,
    config: Config,
    under_way: Arc<Counter>,
    /// The bytes of their bodies.
    bodies: Arc<Counter>,
    flights: Arc<Flights>,
    /// Chats since the start, and those of which two providers were asked at once.
    hedges: Arc<Mutex<Hedging>>,
    metrics: Arc<Metrics>,
    /// The list of models: keys and catalog stay as they are.
    models: OnceLock<Bytes>,
    /// The same for Anthropic's clients.
    told: OnceLock<Arc<[models::Told]>>,
}

impl Gateway {
    /// A gateway that does not listen yet.
    #[must_use]
    pub fn new(owned: Owned, config: Config) -> Self {
        Self {
            owned,
            config,
            under_way: Arc::default(),
            bodies: Arc::default(),
            flights: Arc::default(),
            hedges: Arc::default(),
            metrics: Arc::default(),
            models: OnceLock::new(),
            told: OnceLock::new(),
        }
    }

    /// Something done to what was hedged.
    fn hedges<T>(&self, change: impl FnOnce(&mut Hedging) -> T) -> T {
        change(&mut self.hedges.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The same gateway, which goes by something else from now on. What it has counted stays.
    fn again(&self, owned: Owned, mut config: Config) -> Self {
        for client in &mut config.clients {
            if let Some(same) = self.config.clients.iter().find(|other| other.is_as(client)) {
                *client = Arc::clone(same);
            }
        }
        Self {
            under_way: Arc::clone(&self.under_way),
            bodies: Arc::clone(&self.bodies),
            flights: Arc::clone(&self.flights),
            hedges: Arc::clone(&self.hedges),
            metrics: Arc::clone(&self.metrics),
            ..Self::new(owned, config)
        }
    }
}

/// What one thread has for itself, and what the requests go by that begin now.
#[derive(Debug)]
struct Worker {
    gateway: Arc<Gateway>,
    line: Rc<Line>,
    /// Chats whose clients went away.
    orphans: mpsc::UnboundedSender<run::Orphan>,
    /// Whether the gateway is about to stop.
    draining: tokio::sync::watch::Receiver<bool>,
}
