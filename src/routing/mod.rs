//! The decision: PURE. No clock, no I/O, no async, no ambient randomness; it sees lengths and needs, never prompts.
//!
//! [`decide`] filters (every reason is kept), scores the rest in dollars, orders them by that score, and settles a
//! near-tie at the head. The order is also the failover chain: with `A = q*s + (1-q)*f` the expected cost of trying an
//! endpoint once, going first is right for the lower `A/q`, and `A/q` is the score (`routing.md` 3).

mod balance;
mod counterfactual;
mod decision;
mod failover;
mod filter;
mod hedge;
mod input;
mod output;
mod policy;
mod ramp;
mod retries;
mod rule;
mod score;
mod whatif;
mod wishes;

use std::borrow::Cow;
use std::time::Duration;

use jiff::Timestamp;

pub use balance::TieBreak;
pub use counterfactual::{Difference, Outcome, Tally, Verdict, happened, would};
pub use decision::{Decision, Ranked, Rejected};
pub use failover::{Failover, GiveUp, Limits, Step};
pub use filter::Rejection;
pub use hedge::{HEDGED_WITHIN, Hedge, Hedging, Unhedged};
pub use input::{Input, Kept, Placed, decision_hex};
pub use output::Expected;
pub use policy::{Constraints, PRIOR_OUTPUT, Policy, Preset};
pub use ramp::{Admission, Return};
pub use retries::RetryBudget;
pub use rule::Rule;
pub use score::{Basis, Estimate, Expectation, Score, Term, TermKind};
pub use whatif::{Change, Flip, Question, Rates, Why};
pub use wishes::{Ability, Judgement, Measure, Threshold};

use crate::catalog::price::Item;
use crate::catalog::{CancelBilling, Endpoint, EndpointId, ModelId, Origin, ProviderId, ProviderKind};
use crate::observe::EndpointStats;
use crate::units::{Tokens, Usd, UsdPerMtok};

/// What a request needs beside room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Needs {
    /// It sets a sampling temperature.
    pub temperature: bool,
    /// It brings tools.
    pub tools: bool,
    /// It brings images.
    pub images: bool,
    /// It brings PDF documents.
    pub pdfs: bool,
}

/// A conversation whose prefix was sent to an endpoint before, so that its prompt cache may hold it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warm {
    /// Where.
    pub endpoint: EndpointId,
    /// How many input tokens of this request may be in that cache.
    pub tokens: Tokens,
}

/// A request as routing sees it: lengths, needs and limits; no prompt text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouteRequest {
    /// The model.
    pub model: ModelId,
    /// Input tokens: counted where the user gave them, estimated from the text otherwise.
    pub input: Tokens,
    /// Whether `input` is an estimate.
    pub input_estimated: bool,
    /// Of `input`, what nobody can know before a provider has read it (what is inside a PDF): it is weighed, and rules no
    /// endpoint out.
    pub guessed: Tokens,
    /// More input tokens than the request can have; [`Tokens::MAX`] where nothing but the endpoint's own window bounds
    /// them (documents).
    pub input_bound: Tokens,
    /// Of `input`, what any endpoint's prompt cache would serve.
    pub cached: Tokens,
    /// Of `input`, what providers are told to keep in their prompt caches: all up to there.
    pub marked: Tokens,
    /// Of that, what is to be kept for an hour.
    pub marked_1h: Tokens,
    /// Output tokens that are expected.
    pub expected_output: Tokens,
    /// Where that figure comes from.
    pub output_from: Expected,
    /// The most output tokens that were asked for.
    pub max_output: Option<Tokens>,
    /// Whether the answer is asked for as a stream.
    pub stream: bool,
    /// What it needs.
    pub needs: Needs,
    /// Where the conversation's prefix may be cached; at most once an endpoint.
    pub warm: Vec<Warm>,
    /// Who made the signed reasoning and tool calls that go along: only they, and who shares their signatures, can take
    /// them back. Each once.
    pub state: Vec<Origin>,
    /// Whether it is a turn of a conversation that may go on.
    pub continues: bool,
    /// What is not negotiable.
    pub constraints: Constraints,
}

/// Whether an endpoint can be paid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// A key was found there.
    Found {
        /// The name of the variable that holds it; never the key.
        source: String,
    },
    /// None is needed.
    NotNeeded,
    /// No key at all is set, and the decision is made as if every key were.
    Supposed,
    /// None of these places held one.
    Missing {
        /// The variables that were looked at.
        looked_in: Vec<String>,
    },
}

/// An endpoint being weighed, with everything that is known of it at the moment of the decision.
#[derive(Debug, Clone)]
pub struct Candidate<'a> {
    /// The endpoint: borrowed where it is weighed, owned where the weighing is kept.
    pub endpoint: Cow<'a, Endpoint>,
    /// What kind of business its provider is.
    pub kind: ProviderKind,
    /// Whether it can be paid.
    pub credential: Credential,
    /// The protocol or scheme that this version cannot do, if it is one.
    pub unsupported: Option<String>,
    /// What the request asks for that cannot be said in the endpoint's protocol.
    pub lacks: Vec<&'static str>,
    /// Who made the signed reasoning or tool calls of the conversation that this endpoint cannot take, if somebody did.
    pub foreign_state: Option<ProviderId>,
    /// Whether no address is known.
    pub no_base_url: bool,
    /// Variables that its address needs and that are not set.
    pub missing_settings: Vec<String>,
    /// Whether the command runs in the sandbox and the sandbox does not simulate it.
    pub outside_sandbox: bool,
    /// Whether its model reasons without streaming that, so that a long silence is normal.
    pub hides_reasoning: bool,
    /// What is billed of an answer that is cancelled.
    pub bills_on_cancel: CancelBilling,
    /// Whether it is told what to keep in its prompt cache.
    pub keeps_marks: bool,
    /// Requests in flight here, from this process.
    pub in_flight: u32,
    /// What was measured.
    pub stats: EndpointStats,
}

impl RouteRequest {
    /// How many input tokens of this request an endpoint's prompt cache may hold.
    #[must_use]
    pub fn warm_at(&self, endpoint: &EndpointId) -> Tokens {
        self.warm.iter().find(|warm| warm.endpoint == *endpoint).map_or(Tokens::ZERO, |warm| warm.tokens)
    }

    /// What makes the most that it can cost dearer: images or documents, and what is to be kept in a cache for an hour.
    #[must_use]
    pub fn bound_kinds(&self) -> (bool, bool) {
        (self.needs.images || self.needs.pdfs, self.marked_1h > Tokens::ZERO)
    }
}

impl<'a> Candidate<'a> {
    /// One that needs no key, that nothing speaks against and of which nothing was measured.
    #[must_use]
    pub fn new(endpoint: &'a Endpoint, kind: ProviderKind) -> Self {
        Self {
            endpoint: Cow::Borrowed(endpoint),
            kind,
            credential: Credential::NotNeeded,
            unsupported: None,
            lacks: Vec::new(),
            foreign_state: None,
            no_base_url: false,
            missing_settings: Vec::new(),
            outside_sandbox: false,
            hides_reasoning: false,
            bills_on_cancel: CancelBilling::Unknown,
            keeps_marks: false,
            in_flight: 0,
            stats: EndpointStats::default(),
        }
    }

    /// The same with an endpoint of its own.
    #[must_use]
    pub fn into_owned(self) -> Candidate<'static> {
        Candidate {
            endpoint: Cow::Owned(self.endpoint.into_owned()),
            kind: self.kind,
            credential: self.credential,
            unsupported: self.unsupported,
            lacks: self.lacks,
            foreign_state: self.foreign_state,
            no_base_url: self.no_base_url,
            missing_settings: self.missing_settings,
            outside_sandbox: self.outside_sandbox,
            hides_reasoning: self.hides_reasoning,
            bills_on_cancel: self.bills_on_cancel,
            keeps_marks: self.keeps_marks,
            in_flight: self.in_flight,
            stats: self.stats,
        }
    }

    /// The base rate of an item; a local server's is an explicit zero.
    #[must_use]
    pub fn price(&self, item: Item) -> Option<UsdPerMtok> {
        let known = self.endpoint.pricing.as_ref().and_then(|pricing| pricing.base(item));
        if known.is_none() && self.kind == ProviderKind::Local { Some(UsdPerMtok::ZERO) } else { known }
    }

    /// Whether its price for plain input and output is known.
    #[must_use]
    pub fn is_priced(&self) -> bool {
        self.price(Item::Input).is_some() && self.price(Item::Output).is_some()
    }

    /// The most that this request can cost here, in USD; `None` where no bound is known.
    #[must_use]
    pub fn bound(&self, request: &RouteRequest) -> Option<Usd> {
        self.bound_of(request, request.max_output.or(self.endpoint.max_output)?)
    }

    /// The same with at most so much output.
    fn bound_of(&self, request: &RouteRequest, output: Tokens) -> Option<Usd> {
        let Some(pricing) = &self.endpoint.pricing else {
            return (self.kind == ProviderKind::Local).then_some(Usd::ZERO);
        };
        pricing.worst_case(self.input_bound(request)?, output, request.bound_kinds())
    }

    /// The most input tokens that this request can have here: no endpoint takes more than its window.
    fn input_bound(&self, request: &RouteRequest) -> Option<Tokens> {
        if request.input_bound < Tokens::MAX {
            return Some(request.input_bound);
        }
        self.endpoint.max_input.or(self.endpoint.context)
    }
}

/// Decides which endpoint serves a request, and in which order the others follow.
///
/// Pure: the same arguments give the same decision to the byte. Every candidate is ranked or rejected, exactly once;
/// a rejection carries every reason. The order of `candidates` does not matter; no two may have the same id.
#[must_use]
pub fn decide(
    request: &RouteRequest,
    candidates: &[Candidate<'_>],
    policy: &Policy,
    now: Timestamp,
    seed: u64,
) -> Decision {
    let mut rejected = Vec::new();
    let mut open = Vec::new();
    let hard = candidates.iter().map(|candidate| (candidate, filter::reasons(request, candidate, policy, now)));
    let hard: Vec<_> = hard.collect();
    let any_priced = hard.iter().any(|(candidate, reasons)| reasons.is_empty() && candidate.is_priced());
    for (candidate, mut reasons) in hard {
        reasons.extend(unpriced(request, candidate, any_priced));
        if reasons.is_empty() { open.push(candidate) } else { rejected.push(reject(candidate, reasons, now)) }
    }
    let all_cooling = open.iter().all(|candidate| candidate.stats.cooling.is_some_and(|at| at.until > now));
    let mut ranked = Vec::with_capacity(open.len());
    let mut places = Vec::with_capacity(open.len());
    for candidate in open {
        let cooling = candidate.stats.cooling.and_then(|cooling| filter::cooling(cooling, now));
        match cooling {
            Some(reason) if !all_cooling => rejected.push(reject(candidate, vec![reason], now)),
            _ => {
                let entry = rank(request, candidate, policy, (now, seed));
                places.push(rule::place(request, candidate, policy, &entry, (now, seed), all_cooling));
                ranked.push(entry);
            }
        }
    }
    let mut ranked = rule::ordered(ranked, &places);
    if !all_cooling && policy.rule == Rule::Score {
        balance::settle(&mut ranked, request, policy, seed);
    }
    rejected.sort_by(|a, b| a.endpoint.cmp(&b.endpoint));
    Decision {
        at: now,
        seed,
        request: request.clone(),
        policy: policy.clone(),
        all_cooling: all_cooling && !ranked.is_empty(),
        ranked,
        rejected,
    }
}

/// Unknown is not free: without a price an endpoint is used only when pinned, allowed, or when none has one.
fn unpriced(request: &RouteRequest, candidate: &Candidate<'_>, any_priced: bool) -> Option<Rejection> {
    let constraints = &request.constraints;
    let pinned = constraints.only == [candidate.endpoint.id.provider.clone()];
    if candidate.is_priced() || pinned || constraints.allow_unpriced {
        return None;
    }
    if candidate.kind == ProviderKind::Plan {
        return Some(Rejection::PlanPrice);
    }
    let missing = [Item::Input, Item::Output].into_iter().find(|&item| candidate.price(item).is_none());
    let wholly = candidate.endpoint.pricing.is_none();
    // The filter has said so already where a price limit asks for the very item.
    let said = |item| match item {
        Item::Input => constraints.max_price_in.is_some(),
        _ => constraints.max_price_out.is_some(),
    };
    let already = [Item::Input, Item::Output].into_iter().any(|item| candidate.price(item).is_none() && said(item));
    (any_priced && !already).then_some(Rejection::Unpriced { missing: if wholly { None } else { missing } })
}

fn reject(candidate: &Candidate<'_>, reasons: Vec<Rejection>, now: Timestamp) -> Rejected {
    let mut reasons = reasons;
    if !reasons.iter().any(|reason| matches!(reason, Rejection::CoolingDown { .. })) {
        let cooling = candidate.stats.cooling.and_then(|cooling| filter::cooling(cooling, now));
        reasons.extend(cooling);
    }
    Rejected { endpoint: candidate.endpoint.id.clone(), region: candidate.endpoint.region.clone(), reasons }
}

fn rank(request: &RouteRequest, candidate: &Candidate<'_>, policy: &Policy, (now, seed): (Timestamp, u64)) -> Ranked {
    let expectation = score::expect(request, candidate, policy, now);
    let score = score::score(request, candidate, policy, &expectation, now);
    let limit = first_token_limit(candidate, policy, &expectation);
    let (mut missed, mut unproven) = (Vec::new(), Vec::new());
    for threshold in &request.constraints.thresholds {
        match threshold.judge(&expectation) {
            Judgement::Within => {}
            Judgement::Beyond(_) => missed.push(threshold.measure),
            Judgement::Unmeasured => unproven.push(threshold.measure),
        }
    }
    Ranked {
        endpoint: candidate.endpoint.id.clone(),
        region: candidate.endpoint.region.clone(),
        kind: candidate.kind,
        status: candidate.endpoint.status,
        credential: candidate.credential.clone(),
        context: candidate.endpoint.context,
        bound: candidate.bound(request),
        first_token_limit: limit,
        in_flight: candidate.in_flight,
        bills_on_cancel: candidate.bills_on_cancel,
        cooling: candidate.stats.cooling.filter(|cooling| cooling.until > now),
        half_open: candidate.stats.half_open,
        paused: candidate.stats.paused,
        returning: Return::of(candidate, policy, now, seed),
        missed,
        unproven,
        expectation,
        score,
        tie: None,
    }
}

/// The 95th percentile of the wait times a factor, within bounds, and more for what is to be read; a time of its own where
/// the model reasons in hiding.
fn first_token_limit(candidate: &Candidate<'_>, policy: &Policy, expectation: &Expectation) -> Duration {
    if candidate.hides_reasoning {
        return policy.first_token_hidden;
    }
    let adaptive = score::seconds(policy.first_token_factor * expectation.ttft_p95_s);
    let reading = score::seconds(policy.first_token_per_1k.as_secs_f64() * score::f64_of(expectation.fresh) / 1000.0);
    (adaptive.max(policy.first_token_min) + reading).min(policy.first_token_max)
}
