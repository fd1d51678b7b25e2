//! Everything that one decision is made of, as a value that owns it: what is kept of a decision and decided again.

use data_encoding::HEXLOWER;
use jiff::Timestamp;

use super::{Candidate, Credential, Decision, Policy, RouteRequest, decide};
use crate::catalog::EndpointId;
use crate::units::Usd;

/// The arguments of [`decide`], owned. Like them it holds no prompt text and no key.
#[derive(Debug, Clone)]
pub struct Input {
    /// What was asked.
    pub request: RouteRequest,
    /// Who was weighed.
    pub candidates: Vec<Candidate<'static>>,
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
        decide(&self.request, &self.candidates, policy, self.now, self.seed)
    }

    /// Another trade between money and time with everything else of the policy as it was: the limits that were asked for,
    /// and how the measurements were folded.
    #[must_use]
    pub fn traded(&self, trade: &Policy) -> Policy {
        Policy {
            learning: self.policy.learning,
            ramp_step: self.policy.ramp_step,
            ramp_free: self.policy.ramp_free,
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
    pub fn candidate(&self, id: &EndpointId) -> Option<&Candidate<'static>> {
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
    /// The name of the client of a gateway that asked, where it has one.
    pub client: Option<String>,
    /// The decision for the model that was asked before, where this one is the next of a chain.
    pub after: Option<[u8; 16]>,
}

impl Kept {
    /// What is to be kept of a decision of this version.
    #[must_use]
    pub fn new(id: [u8; 16], input: Input, decision: &Decision) -> Self {
        Self {
            id,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            input,
            order: placed(decision),
            client: None,
            after: None,
        }
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
    HEXLOWER.encode(id)
}

fn placed(decision: &Decision) -> Vec<Placed> {
    let exact = |total: Usd| total.to_pico().map(Usd::from_pico);
    let placed = |entry: &super::Ranked| Placed { endpoint: entry.endpoint.clone(), total: exact(entry.score.total()) };
    decision.ranked.iter().map(placed).collect()
}
