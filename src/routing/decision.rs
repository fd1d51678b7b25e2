//! The outcome: a plain value that is printed, logged, replayed, and executed.

use std::time::Duration;

use jiff::Timestamp;

use super::{Credential, Expectation, Measure, Policy, Rejection, Return, RouteRequest, Score, TieBreak};
use crate::catalog::{CancelBilling, EndpointId, ProviderKind, Status};
use crate::observe::Cooling;
use crate::units::{Tokens, Usd};

/// An endpoint that may be used, with its place in the order.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    /// Which endpoint.
    pub endpoint: EndpointId,
    /// Its region, where it has one.
    pub region: Option<String>,
    /// What kind of business its provider is.
    pub kind: ProviderKind,
    /// Where it is in its life.
    pub status: Status,
    /// How it is paid.
    pub credential: Credential,
    /// Its context window.
    pub context: Option<Tokens>,
    /// The most that this request can cost here.
    pub bound: Option<Usd>,
    /// How long it may take to its first token while another candidate is open.
    pub first_token_limit: Duration,
    /// Requests in flight here.
    pub in_flight: u32,
    /// What is billed of an answer that is cancelled here.
    pub bills_on_cancel: CancelBilling,
    /// Its cool-down, where all candidates are cooling and it is used all the same.
    pub cooling: Option<Cooling>,
    /// Whether an attempt here is the one trial after a cool-down.
    pub half_open: bool,
    /// The pause before that trial.
    pub paused: Option<Cooling>,
    /// That it comes back after a pause, and whether it is to have this request.
    pub returning: Option<Return>,
    /// What was preferred of it and was measured otherwise.
    pub missed: Vec<Measure>,
    /// What was asked of it and was not measured, so that it is neither a pass nor a fail.
    pub unproven: Vec<Measure>,
    /// What is expected of it.
    pub expectation: Expectation,
    /// What it comes to.
    pub score: Score,
    /// How a near-tie at the head was settled; only the first has one.
    pub tie: Option<TieBreak>,
}

impl Ranked {
    /// How it stands to the thresholds: 0 keeps to all of them, 1 was not measured against one, 2 misses one. A lower
    /// grade goes first, whatever the score.
    #[must_use]
    pub fn grade(&self) -> u8 {
        match (self.missed.is_empty(), self.unproven.is_empty()) {
            (true, true) => 0,
            (true, false) => 1,
            (false, _) => 2,
        }
    }

    /// Whether it comes back after a pause and is not to have this request: then it goes behind all others.
    #[must_use]
    pub fn is_held_back(&self) -> bool {
        self.returning.is_some_and(|returning| !returning.admitted())
    }
}

/// An endpoint that may not be used, and every reason why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// Which endpoint.
    pub endpoint: EndpointId,
    /// Its region, where it has one.
    pub region: Option<String>,
    /// Every reason; never empty.
    pub reasons: Vec<Rejection>,
}

/// Which endpoint serves a request, which ones follow, and why the others do not.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The moment of the decision.
    pub at: Timestamp,
    /// The seed that settles near-ties.
    pub seed: u64,
    /// What was asked.
    pub request: RouteRequest,
    /// What was weighed with.
    pub policy: Policy,
    /// Whether every usable endpoint was cooling down, so that cool-downs were set aside.
    pub all_cooling: bool,
    /// Usable endpoints in the order in which they are tried.
    pub ranked: Vec<Ranked>,
    /// The others, by name.
    pub rejected: Vec<Rejected>,
}

impl Decision {
    /// The endpoint that is tried first.
    #[must_use]
    pub fn chosen(&self) -> Option<&Ranked> {
        self.ranked.first()
    }

    /// By how much the first beats the best of the others; negative where a near-tie was settled against the score, or the
    /// best is held back after a pause.
    #[must_use]
    pub fn margin(&self) -> Option<Usd> {
        let [first, rest @ ..] = self.ranked.as_slice() else { return None };
        let best = rest.iter().map(|entry| entry.score.total()).min()?;
        Some(best - first.score.total())
    }
}
