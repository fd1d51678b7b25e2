//! Everything that one decision is made of, as a value that owns it: what is kept of a decision and decided again.

use jiff::Timestamp;

use super::{Candidate, Credential, Decision, Policy, RouteRequest, decide};
use crate::catalog::{Endpoint, EndpointId, ProviderId, ProviderKind};
use crate::observe::EndpointStats;
use crate::units::Usd;

/// A [`Candidate`] that owns its endpoint.
#[derive(Debug, Clone)]
pub struct Weighed {
    /// The endpoint.
    pub endpoint: Endpoint,
    /// What kind of business its provider is.
    pub kind: ProviderKind,
    /// Whether it can be paid; never the key.
    pub credential: Credential,
    /// The protocol or scheme that cannot be done, if it is one.
    pub unsupported: Option<String>,
    /// What the request asks for that cannot be said in the endpoint's protocol.
    pub lacks: Vec<&'static str>,
    /// Who made the signed state of the conversation that this endpoint cannot take, if somebody did.
    pub foreign_state: Option<ProviderId>,
    /// Whether no address is known.
    pub no_base_url: bool,
    /// Variables that its address needs and that are not set.
    pub missing_settings: Vec<String>,
    /// Whether the command runs in the sandbox and the sandbox does not simulate it.
    pub outside_sandbox: bool,
    /// Whether its model reasons without streaming that.
    pub hides_reasoning: bool,
    /// Requests in flight here, from this process.
    pub in_flight: u32,
    /// What was measured.
    pub stats: EndpointStats,
}

impl Weighed {
    /// It as `decide` takes it.
    #[must_use]
    pub fn candidate(&self) -> Candidate<'_> {
        Candidate {
            endpoint: &self.endpoint,
            kind: self.kind,
            credential: self.credential.clone(),
            unsupported: self.unsupported.clone(),
            lacks: self.lacks.clone(),
            foreign_state: self.foreign_state.clone(),
            no_base_url: self.no_base_url,
            missing_settings: self.missing_settings.clone(),
            outside_sandbox: self.outside_sandbox,
            hides_reasoning: self.hides_reasoning,
            in_flight: self.in_flight,
            stats: self.stats.clone(),
        }
    }
}

impl From<&Candidate<'_>> for Weighed {
    fn from(candidate: &Candidate<'_>) -> Self {
        let candidate = candidate.clone();
        Self {
            endpoint: candidate.endpoint.clone(),
            kind: candidate.kind,
            credential: candidate.credential,
            unsupported: candidate.unsupported,
            lacks: candidate.lacks,
            foreign_state: candidate.foreign_state,
            no_base_url: candidate.no_base_url,
            missing_settings: candidate.missing_settings,
            outside_sandbox: candidate.outside_sandbox,
            hides_reasoning: candidate.hides_reasoning,
            in_flight: candidate.in_flight,
            stats: candidate.stats,
        }
    }
}

/// The arguments of [`decide`], owned. Like them it holds no prompt text and no key.
#[derive(Debug, Clone)]
pub struct Input {
    /// What was asked.
    pub request: RouteRequest,
    /// Who was weighed.
    pub candidates: Vec<Weighed>,
    /// What was weighed with.
    pub policy: Policy,
    /// The moment.
    pub now: Timestamp,
    /// The seed that settles near-ties.
    pub seed: u64,
}

impl Input {
    /// The decision: the same input gives the same one, to the byte.
    #[must_use]
    pub fn decide(&self) -> Decision {
        self.decide_by(&self.policy)
    }

    /// What another policy decides of the same.
    #[must_use]
    pub fn decide_by(&self, policy: &Policy) -> Decision {
        let candidates: Vec<Candidate<'_>> = self.candidates.iter().map(Weighed::candidate).collect();
        decide(&self.request, &candidates, policy, self.now, self.seed)
    }

    /// Another trade between money and time with everything else of the policy as it was: the limits that were asked for,
    /// and how the measurements were folded.
    #[must_use]
    pub fn traded(&self, trade: &Policy) -> Policy {
        Policy {
            learning: self.policy.learning,
            max_attempts: self.policy.max_attempts,
            retries: self.policy.retries,
            ..trade.clone()
        }
    }

    /// Whether the decision supposes keys that are not set.
    #[must_use]
    pub fn supposes_keys(&self) -> bool {
        self.candidates.iter().any(|candidate| candidate.credential == Credential::Supposed)
    }

    /// The candidate of that id.
    #[must_use]
    pub fn candidate(&self, id: &EndpointId) -> Option<&Weighed> {
        self.candidates.iter().find(|candidate| candidate.endpoint.id == *id)
    }
}

/// A usable endpoint and what its score came to, as it was when the decision was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Which endpoint.
    pub endpoint: EndpointId,
    /// The sum of its terms; `None` where that is more than nine million dollars.
    pub total: Option<Usd>,
}

/// A decision as it is kept: what it was made of, and the order that came of it.
#[derive(Debug, Clone)]
pub struct Kept {
    /// The request's id, which its attempts carry too.
    pub id: [u8; 16],
    /// The version of openmux that decided.
    pub version: String,
    /// What it was made of.
    pub input: Input,
    /// The order in which endpoints were to be tried.
    pub order: Vec<Placed>,
}

impl Kept {
    /// What is to be kept of a decision of this version.
    #[must_use]
    pub fn new(id: [u8; 16], input: Input, decision: &Decision) -> Self {
        Self { id, version: env!("CARGO_PKG_VERSION").to_owned(), input, order: placed(decision) }
    }

    /// Whether a decision has the order and the sums that this one had.
    #[must_use]
    pub fn agrees_with(&self, decision: &Decision) -> bool {
        self.order == placed(decision)
    }
}

/// The id of a decision as it is printed: 32 hex digits.
#[must_use]
pub fn decision_hex(id: &[u8; 16]) -> String {
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn placed(decision: &Decision) -> Vec<Placed> {
    let exact = |total: Usd| total.to_pico().map(Usd::from_pico);
    let placed = |entry: &super::Ranked| Placed { endpoint: entry.endpoint.clone(), total: exact(entry.score.total()) };
    decision.ranked.iter().map(placed).collect()
}
