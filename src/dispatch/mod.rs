//! The one façade that `chat`, `route explain`, `providers compare` and `serve` call.
//!
//! It gathers candidates ([`Dispatcher::reach`]), asks `routing` for a decision ([`Dispatcher::route`]) and executes it
//! ([`Dispatcher::chat`]), recording every attempt. What is explained and what is executed are the same [`Decision`].

mod attempt;
mod budget;
mod chat;
mod check;
mod clerk;
mod control;
mod doubt;
mod fallback;
mod hedge;
mod lenient;
mod marked;
mod owned;
mod reach;
mod ready;
mod record;
mod report;
mod resume;
mod session;
mod signing;
mod turn;
mod watch;
mod weigh;

use jiff::Timestamp;

pub use attempt::{Forecast, Marks, Once};
pub use budget::{OverBudget, Purse};
pub use chat::{Notice, Observer, Plan, Wire};
pub use check::{Checked, Health};
pub use clerk::Clerk;
pub use fallback::{Fall, FallbackClass, Fallen, agreed};
pub use lenient::softened;
pub use owned::{Line, Owned, group};
pub use reach::{Reach, Sandboxed, Simulated};
pub use record::{RecordedResponse, Recording};
pub use report::{AttemptReport, ChatReport, Total};
pub use resume::{Joint, Obstacle, Seam};
pub use session::Talk;
pub use turn::{Prepared, Turn, limits};
pub use weigh::route_request;

use crate::catalog::{Catalog, ModelId};
use crate::chat::ChatRequest;
use crate::routing::{
    Candidate, Constraints, Credential, Decision, Expected, Input, Needs, Policy, RouteRequest, decide,
};
use crate::store::{ObservationStore, StateKey};
use crate::units::Tokens;
use crate::upstream::auth::{Found, Keyring};

/// Everything that a decision and its execution read from outside.
#[derive(Clone, Copy)]
pub struct Dispatcher<'a> {
    /// What exists and what it costs.
    pub catalog: &'a Catalog,
    /// What was measured.
    pub store: &'a dyn ObservationStore,
    /// A snapshot of the environment, and where else keys come from.
    pub keys: &'a Keyring,
    /// The clock.
    pub now: &'a (dyn Fn() -> Timestamp + Sync),
    /// Simulated providers, and nothing else, where the command runs in the sandbox.
    pub sandbox: Option<&'a Sandboxed>,
    /// The region that is preferred where a provider has several.
    pub region: Option<&'a str>,
    /// Who does at the store what may take long; `None` where it is done in place.
    pub clerk: Option<&'a Clerk>,
}

impl<'a> Dispatcher<'a> {
    /// One outside of the sandbox that prefers no region and does everything in place.
    #[must_use]
    pub fn new(
        catalog: &'a Catalog,
        store: &'a dyn ObservationStore,
        keys: &'a Keyring,
        now: &'a (dyn Fn() -> Timestamp + Sync),
    ) -> Self {
        Self { catalog, store, keys, now, sandbox: None, region: None, clerk: None }
    }
}

/// Which keys a decision supposes that are not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Suppose {
    /// None: a chat.
    Nothing,
    /// Every key, where not one is set.
    AllWhereNone,
    /// Every key: a comparison leaves nobody out for lack of one.
    All,
}

impl Suppose {
    /// Every key where not one is set, if that is wished for.
    #[must_use]
    pub const fn where_none(wished: bool) -> Self {
        if wished { Self::AllWhereNone } else { Self::Nothing }
    }
}

/// A decision, and what could not be read on the way to it.
#[derive(Debug, Clone)]
pub struct Routed {
    /// The decision.
    pub decision: Decision,
    /// What it was made of.
    pub input: Input,
    /// Whether the decision supposes every key.
    pub supposed: bool,
    /// Why measurements could not be read, if they could not.
    pub warning: Option<String>,
}

/// Everything that a decision weighs, and what could not be read on the way to it.
#[derive(Debug, Clone)]
pub struct Gathered<'a> {
    /// The request, with what the user's own answers let expect of this one.
    pub request: RouteRequest,
    /// The candidates.
    pub candidates: Vec<Candidate<'a>>,
    /// The moment that they were read at.
    pub now: Timestamp,
    /// Whether every key is supposed.
    pub supposed: bool,
    /// Why measurements could not be read, if they could not.
    pub warning: Option<String>,
}

impl Dispatcher<'_> {
    /// Decides. `asked` is the chat itself, where there is one: what an endpoint's protocol cannot carry of it rejects the
    /// endpoint.
    #[must_use]
    pub fn route(
        &self,
        request: &RouteRequest,
        asked: Option<&ChatRequest>,
        reaches: &[Reach],
        policy: &Policy,
        seed: u64,
        suppose: Suppose,
    ) -> Routed {
        self.gather(request, asked, reaches, policy, suppose).decide(policy, seed)
    }

    /// What [`Dispatcher::route`] decides from.
    #[must_use]
    pub fn gather<'a>(
        &self,
        request: &RouteRequest,
        asked: Option<&ChatRequest>,
        reaches: &'a [Reach],
        policy: &Policy,
        suppose: Suppose,
    ) -> Gathered<'a> {
        // Sampling hints may be left out where an endpoint does not take them.
        let lenient = request.constraints.lenient;
        let now = (self.now)();
        let salt = self.store.salt();
        let keys: Vec<StateKey> = reaches.iter().map(|reach| reach.state_key(salt.as_ref().ok())).collect();
        let read = self.store.stats(&keys, now);
        let warning = salt.err().or(read.as_ref().err().cloned()).map(|error| error.to_string());
        let stats = read.unwrap_or_default();
        let callable = |reach: &&Reach| reach.unsupported.is_none() && !reach.outside_sandbox;
        let mut called = reaches.iter().filter(callable).peekable();
        let none_set = called.peek().is_some() && called.all(|reach| matches!(reach.found, Found::Missing { .. }));
        let supposed = suppose == Suppose::All || (suppose == Suppose::AllWhereNone && none_set);
        let lacks = |reach: &Reach| match asked {
            Some(asked) if lenient => reach.lacks(&softened(reach, asked).0),
            Some(asked) => reach.lacks(asked),
            None => Vec::new(),
        };
        let candidates = reaches
            .iter()
            .map(|reach| Candidate {
                credential: match &reach.found {
                    Found::Key { source, .. } | Found::Lazy { source, .. } => {
                        Credential::Found { source: source.clone() }
                    }
                    Found::NotNeeded => Credential::NotNeeded,
                    Found::Missing { .. } if supposed => Credential::Supposed,
                    Found::Missing { looked_in } => Credential::Missing { looked_in: looked_in.clone() },
                },
                unsupported: reach.unsupported.clone(),
                lacks: lacks(reach),
                foreign_state: reach.cannot_take(&request.state, |origin| self.is_portable(origin)),
                no_base_url: reach.no_base_url,
                missing_settings: if supposed { Vec::new() } else { reach.missing_settings.clone() },
                outside_sandbox: reach.outside_sandbox,
                hides_reasoning: reach.hides_reasoning(),
                bills_on_cancel: reach.provider.bills_on_cancel(),
                keeps_marks: reach.keeps_marks(),
                stats: stats.get(&reach.endpoint.id).cloned().unwrap_or_default(),
                ..Candidate::new(&reach.endpoint, reach.provider.kind)
            })
            .collect();
        let request = request.clone().learned(stats.values().map(|stats| &stats.output), policy);
        Gathered { request, candidates, now, supposed, warning }
    }
}

impl Gathered<'_> {
    /// The decision.
    #[must_use]
    pub fn decide(self, policy: &Policy, seed: u64) -> Routed {
        let Self { request, candidates, now, supposed, warning } = self;
        let decision = decide(&request, &candidates, policy, now, seed);
        let candidates = candidates.into_iter().map(Candidate::into_owned).collect();
        let input = Input { request, candidates, policy: policy.clone(), now, seed };
        Routed { decision, input, supposed, warning }
    }
}

/// A request of a stated shape, for comparing without a prompt.
#[must_use]
pub fn shape(model: &ModelId, input: Tokens, output: Tokens, cached: Tokens, constraints: Constraints) -> RouteRequest {
    RouteRequest {
        model: model.clone(),
        input,
        input_estimated: false,
        guessed: Tokens::ZERO,
        input_bound: input,
        cached,
        marked: Tokens::ZERO,
        marked_1h: Tokens::ZERO,
        expected_output: output,
        output_from: Expected::Stated,
        max_output: None,
        stream: true,
        needs: Needs::default(),
        warm: Vec::new(),
        state: Vec::new(),
        continues: false,
        constraints,
    }
}
