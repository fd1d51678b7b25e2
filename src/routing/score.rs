//! The score: a sum of terms in dollars, each with the inputs it was computed from.
//!
//! Times and rates are estimated in floats through `libm` (the same on every machine), then made whole nanoseconds and
//! parts per trillion before they touch money; every term is rounded half-even to 1e-12 USD before it is summed.

use std::time::Duration;

use jiff::Timestamp;

use super::{Candidate, Policy, RouteRequest};
use crate::catalog::ProviderKind;
use crate::observe::InputSize;
use crate::units::{Tokens, Usd};

/// Where a figure comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Basis {
    /// From the price sheet.
    Catalog,
    /// From this machine's own attempts: how many (decayed), and how old the newest is.
    Measured {
        /// Decayed number of samples.
        n: f64,
        /// Age of the newest.
        age: Duration,
    },
    /// From the headers of the provider's own answers: how old they are.
    Header {
        /// Age of the newest.
        age: Duration,
    },
    /// A stated prior: nothing was measured.
    Assumed,
    /// Nobody knows it.
    Unknown,
}

impl Basis {
    /// The word in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Catalog => "catalog",
            Self::Measured { .. } => "measured",
            Self::Header { .. } => "header",
            Self::Assumed => "assumed",
            Self::Unknown => "unknown",
        }
    }
}

/// What a term stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TermKind {
    /// The exact price of the expected request.
    Price,
    /// What writing the prompt cache costs beyond that, where the request says what is to be kept.
    Write,
    /// Waiting for the first token and for the answer's length.
    Wait,
    /// The odds of a failure times what a failed attempt costs.
    Risk,
    /// The odds of being turned away for load times what that costs.
    Load,
    /// Leaving a prompt cache that is warm elsewhere.
    Switch,
    /// The input of a conversation's next turn, times the odds that there is one.
    Next,
}

impl TermKind {
    /// Every term, in the order in which they are printed.
    pub const ALL: [Self; 7] = [Self::Price, Self::Write, Self::Wait, Self::Risk, Self::Load, Self::Switch, Self::Next];

    /// Whether most decisions do without it.
    #[must_use]
    pub const fn is_rare(self) -> bool {
        matches!(self, Self::Write | Self::Switch | Self::Next)
    }

    /// The word in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Price => "price",
            Self::Write => "write",
            Self::Wait => "wait",
            Self::Risk => "risk",
            Self::Load => "load",
            Self::Switch => "switch",
            Self::Next => "next",
        }
    }
}

/// One term of a score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Term {
    /// What it stands for.
    pub kind: TermKind,
    /// What it comes to.
    pub amount: Usd,
    /// Where its inputs come from.
    pub basis: Basis,
}

/// A score: the sum of its terms.
#[derive(Debug, Clone, PartialEq)]
pub struct Score {
    /// The terms, in the order of [`TermKind::ALL`].
    pub terms: Vec<Term>,
    /// Whether the price is known; where it is not, the price term is absent and the endpoint sorts last.
    pub price_known: bool,
}

impl Score {
    /// The sum of the terms.
    #[must_use]
    pub fn total(&self) -> Usd {
        self.terms.iter().map(|term| term.amount).sum()
    }

    /// What this call alone is expected to cost: its price, what of it is written to a cache, and what more of it is not
    /// cached here; `None` is unknown.
    #[must_use]
    pub fn call(&self) -> Option<Usd> {
        let beside = |kind: TermKind| self.amount(kind).unwrap_or_default();
        Some(self.amount(TermKind::Price)? + beside(TermKind::Write) + beside(TermKind::Switch))
    }

    /// The amount of one term, if it is there.
    #[must_use]
    pub fn amount(&self, kind: TermKind) -> Option<Usd> {
        self.terms.iter().find(|term| term.kind == kind).map(|term| term.amount)
    }
}

/// A figure and where it comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The figure; its unit is that of the field.
    pub value: f64,
    /// Where it comes from.
    pub basis: Basis,
}

/// What is expected of one attempt at an endpoint.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Expectation {
    /// Mean time to first token, seconds.
    pub ttft_s: Estimate,
    /// Its 95th percentile, seconds; the less is known of the endpoint, the higher.
    pub ttft_p95_s: f64,
    /// Input tokens that no cache is expected to serve.
    pub fresh: Tokens,
    /// Input tokens that are expected to be written to its prompt cache, and of these for an hour.
    pub written: (Tokens, Tokens),
    /// Decode speed, tokens per second.
    pub tokens_per_s: Estimate,
    /// The chance that an attempt succeeds, 0 to 1.
    pub availability: Estimate,
    /// Seconds that a failed attempt loses.
    pub failure_s: Estimate,
    /// The chance of being turned away for load, 0 to 1.
    pub rejection: Estimate,
    /// The share of a warm prompt that the cache serves, 0 to 1; `None` where nothing is warm and nothing goes on.
    pub cache_hit: Option<Estimate>,
    /// What the next turn's input is expected to cost here, in USD, a term of its own; `None` for a single question.
    pub next_turn: Option<Usd>,
    /// Output tokens.
    pub output: Tokens,
}

/// What is expected of one attempt here, from what was measured and the policy's priors.
pub(super) fn expect(
    request: &RouteRequest,
    candidate: &Candidate<'_>,
    policy: &Policy,
    now: Timestamp,
) -> Expectation {
    let (stats, learning) = (&candidate.stats, &policy.learning);
    let basis = |n: f64| match stats.age {
        Some(age) if n > 0.0 => Basis::Measured { n, age },
        _ => Basis::Assumed,
    };
    let output = [request.max_output, candidate.endpoint.max_output]
        .into_iter()
        .flatten()
        .fold(request.expected_output, Tokens::min);
    let hit = stats.cache.shrunk(policy.prior_cache_hit, policy.prior_cache_attempts);
    let cached = f64_of(request.warm_at(&candidate.endpoint.id)) * hit;
    let fresh = request.input.saturating_sub(request.cached.max(Tokens::new(whole(cached))));
    // What was measured of this size leans on all sizes of late.
    let usual = learning.usual_ttft(&stats.ttft, &stats.ttft_lasting);
    let of_size = InputSize::of(Some(fresh)).place().map(|place| stats.ttft_by_size[place]).unwrap_or_default();
    let (mean, variance) = of_size.shrunk(usual, learning.lasting_samples);
    let doubt = learning.prior_ttft_doubt / (1.0 + stats.ttft_lasting.weight);
    let speed = stats.speed_lasting.shrunk((libm::log(policy.prior_speed), 0.0), policy.prior_speed_samples);
    let (speed, _) = stats.speed.shrunk(speed, policy.lasting_speed_samples);
    let usual = stats.lasting.shrunk(policy.prior_availability, policy.prior_attempts);
    let availability = stats.recent.shrunk(usual, policy.lasting_attempts);
    let answered = stats.recent.tried() + stats.limited;
    let refused = stats.limited / (answered + policy.prior_attempts);
    let told = stats.headroom.rejection(request.input + output, candidate.in_flight, now);
    let rejection = told.map_or(refused, |told| told.max(refused));
    let asks_cache = !request.warm.is_empty() || request.continues;
    Expectation {
        ttft_s: Estimate { value: libm::exp(mean + variance / 2.0), basis: basis(stats.ttft_lasting.weight) },
        ttft_p95_s: libm::exp(mean + 1.645 * libm::sqrt(variance + doubt)),
        fresh,
        written: written(request, candidate, policy, fresh),
        tokens_per_s: Estimate { value: libm::exp(speed), basis: basis(stats.speed_lasting.weight) },
        availability: Estimate { value: availability.clamp(1e-6, 1.0), basis: basis(stats.lasting.tried()) },
        failure_s: Estimate {
            value: stats.failure_s.unwrap_or(policy.failure_wait.as_secs_f64()),
            basis: basis(stats.failure_s.map_or(0.0, |_| stats.lasting.faults)),
        },
        rejection: Estimate {
            value: rejection.clamp(0.0, 0.999),
            // Whichever says more decides.
            basis: match (told, stats.headroom.said()) {
                (Some(told), Some(at)) if told >= refused => {
                    Basis::Header { age: Duration::try_from(now.duration_since(at)).unwrap_or_default() }
                }
                _ => basis(answered),
            },
        },
        cache_hit: asks_cache.then(|| Estimate { value: hit, basis: basis(stats.cache.asked) }),
        next_turn: next_turn(request, candidate, policy, (output, hit), now),
        output,
    }
}

/// Scores one candidate.
pub(super) fn score(
    request: &RouteRequest,
    candidate: &Candidate<'_>,
    policy: &Policy,
    expectation: &Expectation,
    now: Timestamp,
) -> Score {
    let mut terms = Vec::with_capacity(TermKind::ALL.len());
    let (price, switch) = prices(request, candidate, expectation, now);
    if let Some(amount) = price {
        terms.push(Term { kind: TermKind::Price, amount: amount.rounded(), basis: Basis::Catalog });
    }
    if let Some(amount) = writing(request, candidate, expectation, now) {
        terms.push(Term { kind: TermKind::Write, amount: amount.rounded(), basis: Basis::Catalog });
    }
    let first = policy.wait_value * seconds(expectation.ttft_s.value);
    let length = f64_of(expectation.output) / expectation.tokens_per_s.value.max(1e-3);
    let rest = policy.stream_value * seconds(length);
    terms.push(Term { kind: TermKind::Wait, amount: first + rest, basis: expectation.ttft_s.basis });
    let failure = policy.wait_value * seconds(expectation.failure_s.value) + policy.retry_cost;
    let q = expectation.availability;
    terms.push(Term { kind: TermKind::Risk, amount: failure.share(odds(1.0 - q.value)), basis: q.basis });
    let turned_away = policy.wait_value * policy.reject_wait + policy.reject_cost;
    let p = expectation.rejection;
    terms.push(Term { kind: TermKind::Load, amount: turned_away.share(odds(p.value)), basis: p.basis });
    if let Some(amount) = switch {
        terms.push(Term { kind: TermKind::Switch, amount: amount.rounded(), basis: Basis::Catalog });
    }
    if let Some(amount) = expectation.next_turn {
        terms.push(Term { kind: TermKind::Next, amount, basis: Basis::Catalog });
    }
    Score { price_known: price.is_some(), terms }
}

/// What is to be kept and is not in the cache yet: what is read from there stands before it. Too little is not kept.
fn written(request: &RouteRequest, candidate: &Candidate<'_>, policy: &Policy, fresh: Tokens) -> (Tokens, Tokens) {
    let least = candidate.endpoint.cache_min.unwrap_or(policy.cache_min);
    if !candidate.keeps_marks || request.marked < least {
        return (Tokens::ZERO, Tokens::ZERO);
    }
    let read = request.input.saturating_sub(fresh);
    let beyond = |marked: Tokens| marked.min(request.input).saturating_sub(read);
    (beyond(request.marked), beyond(request.marked_1h))
}

/// What that costs beyond reading it; `None` where nothing is to be kept, or its sheet has no price for it.
fn writing(
    request: &RouteRequest,
    candidate: &Candidate<'_>,
    expectation: &Expectation,
    now: Timestamp,
) -> Option<Usd> {
    if !candidate.keeps_marks || request.marked == Tokens::ZERO {
        return None;
    }
    let pricing = candidate.endpoint.pricing.as_ref()?;
    pricing.of_writing((request.input, expectation.output), expectation.written, now)
}

/// The price as if the warmest cache were here, and what it costs more because it is elsewhere.
fn prices(
    request: &RouteRequest,
    candidate: &Candidate<'_>,
    expectation: &Expectation,
    now: Timestamp,
) -> (Option<Usd>, Option<Usd>) {
    let hit = expectation.cache_hit.map_or(0.0, |hit| hit.value);
    // What is stated to be cached is cached; what may be warm is there as often as it was.
    let cost = |warm: Tokens| {
        let certain = request.cached.min(request.input);
        let cold = price(candidate, request.input, certain, expectation.output, now)?;
        if warm <= certain {
            return Some(cold);
        }
        let cached = price(candidate, request.input, warm.min(request.input), expectation.output, now)?;
        Some(mixed(cached, cold, hit))
    };
    let warmest = request.warm.iter().map(|warm| warm.tokens).max();
    let Some(warmest) = warmest else { return (cost(Tokens::ZERO), None) };
    let (best, here) = (cost(warmest), cost(request.warm_at(&candidate.endpoint.id)));
    (best, here.zip(best).map(|(here, best)| here - best))
}

/// What the input of the next turn is expected to cost here, times the chance that there is one: it repeats this turn and
/// its answer, from the cache as often as the cache holds it.
fn next_turn(
    request: &RouteRequest,
    candidate: &Candidate<'_>,
    policy: &Policy,
    (output, hit): (Tokens, f64),
    now: Timestamp,
) -> Option<Usd> {
    if !request.continues {
        return None;
    }
    let input = request.input + output;
    let cost = |cached| price(candidate, input, cached, Tokens::ZERO, now);
    let (cached, cold) = cost(input).zip(cost(Tokens::ZERO))?;
    Some(mixed(cached, cold, hit).share(whole(policy.continuation.clamp(0.0, 1.0) * 1e12)).rounded())
}

/// The first as often as `share`, the second otherwise.
fn mixed(one: Usd, other: Usd, share: f64) -> Usd {
    let share = whole(share.clamp(0.0, 1.0) * 1e12);
    one.share(share) + other.share(1_000_000_000_000 - share)
}

fn price(candidate: &Candidate<'_>, input: Tokens, cached: Tokens, output: Tokens, now: Timestamp) -> Option<Usd> {
    match &candidate.endpoint.pricing {
        Some(pricing) => pricing.of_text(input, cached, output, now),
        None => (candidate.kind == ProviderKind::Local).then_some(Usd::ZERO),
    }
}

/// `p / (1 - p)` in parts per trillion.
fn odds(p: f64) -> u64 {
    let odds = (p / (1.0 - p).max(1e-6)).clamp(0.0, 1e6);
    whole(odds * 1e12)
}

/// Seconds as whole nanoseconds.
pub(super) fn seconds(value: f64) -> Duration {
    Duration::from_nanos(whole(value.clamp(0.0, 1e6) * 1e9))
}

/// The nearest whole number; a float is only ever made whole here.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the callers clamp the value into range")]
pub(super) fn whole(value: f64) -> u64 {
    libm::rint(value) as u64
}

#[expect(clippy::cast_precision_loss, reason = "a count of tokens is far below 2^53")]
pub(super) fn f64_of(tokens: Tokens) -> f64 {
    tokens.count() as f64
}
