//! What a request came to, and what it would have come to under another policy: off-policy evaluation of one's own traffic.
//!
//! Where the other policy calls an endpoint that was tried for the request in truth, what was seen there is what would have
//! been seen. For any other endpoint it is the expectation that the decision had at the time, for the tokens that the
//! request really used. Everything is added in whole picodollars, nanoseconds and trillionths, so that the same rows give
//! the same sums everywhere.

use std::collections::VecDeque;
use std::time::Duration;

use super::score::{seconds, whole};
use super::{Decision, Kept, Policy, Ranked};
use crate::catalog::{EndpointId, ProviderKind, Usage};
use crate::observe::{CostState, ErrorClass, Failover, INTERVAL_LEAST, Observation, sum_interval};
use crate::units::{Tokens, Usd};

/// A share of one, in trillionths.
type Share = u64;

const ALL: Share = 1_000_000_000_000;

/// What one request came to, or is expected to have come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Outcome {
    /// What was paid: the provider's own bill where there is one, else the price sheet's.
    pub paid: Usd,
    /// Attempts that may have been billed without anybody saying how much, or whose price is not known; not in `paid`.
    pub unknown: u32,
    /// Time until the first token, with what failed attempts took; until the whole answer where it is not streamed.
    pub wait: Duration,
    /// Time from the first token to the last.
    pub stream: Duration,
    /// The chance that nobody answered, in trillionths.
    pub failed: u64,
    /// How much of it was seen and not estimated, in trillionths.
    pub measured: u64,
    /// Whether another endpoint goes first than did.
    pub differs: bool,
}

/// What a request came to. `None` where no attempt is known, or where it ended by what is nobody's but ours: the user
/// stopped it, or this machine's network was down.
#[must_use]
pub fn happened(attempts: &[&Observation]) -> Option<Outcome> {
    use ErrorClass::{Aborted, ClientBug, LocalConfig, LocalNetwork};
    let last = attempts.last()?;
    if attempts.iter().any(|seen| matches!(seen.class, Aborted | LocalNetwork | LocalConfig | ClientBug)) {
        return None;
    }
    let mut outcome = Outcome { measured: ALL, ..Outcome::default() };
    attempts.iter().for_each(|seen| outcome.see(seen, ALL));
    outcome.failed = if last.class.is_success() { 0 } else { ALL };
    Some(outcome)
}

/// What a request would have come to under a policy; `None` where it is not known what it came to.
#[must_use]
pub fn would(kept: &Kept, attempts: &[&Observation], policy: &Policy) -> Option<Outcome> {
    let truth = happened(attempts)?;
    let decision = kept.input.decide_by(policy);
    let first = kept.order.first().map(|placed| &placed.endpoint);
    let differs = decision.chosen().map(|entry| &entry.endpoint) != first;
    if same_course(kept, attempts, &decision) {
        return Some(Outcome { differs, ..truth });
    }
    Some(Outcome { differs, ..walk(kept, attempts, &decision) })
}

/// Whether a decision has the order of the real one as far as that was followed.
fn same_course(kept: &Kept, attempts: &[&Observation], decision: &Decision) -> bool {
    let reached = kept.order.iter().rposition(|placed| attempts.iter().any(|seen| seen.endpoint == placed.endpoint));
    let Some(reached) = reached else { return false };
    let same = |(placed, entry): (&super::Placed, &Ranked)| placed.endpoint == entry.endpoint;
    decision.ranked.len() > reached && kept.order.iter().zip(&decision.ranked).take(reached + 1).all(same)
}

/// Follows the order of a decision; at each endpoint some of the mass that is left ends.
fn walk(kept: &Kept, attempts: &[&Observation], decision: &Decision) -> Outcome {
    let mut outcome = Outcome::default();
    let mut left = ALL;
    let mut seen: VecDeque<&Observation> = attempts.iter().copied().collect();
    let most = usize::try_from(decision.policy.max_attempts).unwrap_or(usize::MAX);
    let mut made = 0;
    for entry in decision.ranked.iter().take(most) {
        made += 1;
        match take(&mut seen, Some(&entry.endpoint)) {
            Some(real) => left = outcome.follow(real, attempts, left),
            None => left = outcome.expect(kept, entry, (decision, attempts), left),
        }
        if left == 0 {
            return outcome;
        }
    }
    // Further tries of an endpoint, as they were made.
    while made < most
        && let Some(real) = take(&mut seen, None)
    {
        if !decision.ranked.iter().any(|entry| entry.endpoint == real.endpoint) {
            continue;
        }
        made += 1;
        left = outcome.follow(real, attempts, left);
        if left == 0 {
            return outcome;
        }
    }
    outcome.failed += left;
    outcome
}

/// The first real attempt that is left, at one endpoint or at any.
fn take<'a>(seen: &mut VecDeque<&'a Observation>, at: Option<&EndpointId>) -> Option<&'a Observation> {
    let place = seen.iter().position(|seen| at.is_none_or(|endpoint| seen.endpoint == *endpoint))?;
    seen.remove(place)
}

impl Outcome {
    /// Adds a real attempt that happens with this share.
    fn see(&mut self, seen: &Observation, share: Share) {
        let timings = seen.timings;
        let connect = timings.connect.unwrap_or_default();
        let whole = timings.e2e.unwrap_or_default();
        if seen.class.is_success() {
            self.wait += part(connect + timings.ttft.unwrap_or(whole), share);
            self.stream += part(timings.ttft.and(timings.decode).unwrap_or_default(), share);
        } else {
            self.wait += part(connect + whole, share);
        }
        match seen.billed.or(seen.cost) {
            Some(paid) if share == ALL => self.paid += paid,
            Some(paid) => self.paid += paid.share(share),
            None => self.unknown += u32::from(seen.cost_state == CostState::Unknown),
        }
    }

    /// Goes on with a real attempt; what is left over after it.
    fn follow(&mut self, real: &Observation, attempts: &[&Observation], left: Share) -> Share {
        self.see(real, left);
        if real.class.is_success() {
            self.measured += left;
            return 0;
        }
        // A break after tokens that ended the request may have been shown: then nothing is sent again.
        let ended = attempts.last().is_some_and(|last| std::ptr::eq(*last, real));
        if real.class.failover() == Failover::Stop || (ended && real.class == ErrorClass::StreamBroken) {
            self.measured += left;
            self.failed += left;
            return 0;
        }
        left
    }

    /// Goes on with an endpoint that was not tried, as it was expected to do; what is left over after it.
    fn expect(
        &mut self,
        kept: &Kept,
        entry: &Ranked,
        (decision, attempts): (&Decision, &[&Observation]),
        left: Share,
    ) -> Share {
        let expectation = &entry.expectation;
        let refused = times(left, whole(expectation.rejection.value * 1e12));
        let answered = times(left - refused, whole(expectation.availability.value * 1e12));
        let failed = left - refused - answered;
        let usage = usage(kept, entry, attempts);
        let output = usage.output.unwrap_or(expectation.output);
        let stream = seconds(tokens(output) / expectation.tokens_per_s.value.max(1e-3));
        let first = seconds(expectation.ttft_s.value);
        if kept.input.request.stream {
            self.wait += part(first, answered);
            self.stream += part(stream, answered);
        } else {
            self.wait += part(first + stream, answered);
        }
        self.wait += part(decision.policy.reject_wait, refused) + part(seconds(expectation.failure_s.value), failed);
        match price(kept, entry, &usage) {
            Some(price) => self.paid += price.share(answered),
            None => self.unknown += 1,
        }
        refused + failed
    }
}

/// What the request used in truth, with what this endpoint's cache was expected to serve of it; the expectation where
/// nobody reported a usage.
fn usage(kept: &Kept, entry: &Ranked, attempts: &[&Observation]) -> Usage {
    let request = &kept.input.request;
    let reported = attempts.iter().rev().filter_map(|seen| seen.usage.as_ref());
    let real = reported.into_iter().find(|usage| usage.input.is_some() && usage.output.is_some());
    let (input, output) = match real {
        Some(real) => (real.input.unwrap_or(request.input), real.output.unwrap_or(entry.expectation.output)),
        None => (request.input, entry.expectation.output),
    };
    let hit = entry.expectation.cache_hit.map_or(0.0, |hit| hit.value);
    let warm = Tokens::new(whole(tokens(request.warm_at(&entry.endpoint)) * hit));
    let cached = request.cached.max(warm).min(input);
    Usage {
        input: Some(input),
        output: Some(output),
        cache_read: (cached > Tokens::ZERO).then_some(cached),
        reasoning: real.and_then(|real| real.reasoning),
        ..Usage::default()
    }
}

fn price(kept: &Kept, entry: &Ranked, usage: &Usage) -> Option<Usd> {
    let candidate = kept.input.candidate(&entry.endpoint)?;
    match &candidate.endpoint.pricing {
        Some(pricing) => pricing.cost(usage, kept.input.now).ok().map(|cost| cost.total),
        None => (candidate.kind == ProviderKind::Local).then_some(Usd::ZERO),
    }
}

fn times(share: Share, factor: Share) -> Share {
    let product = u128::from(share) * u128::from(factor.min(ALL)) / u128::from(ALL);
    u64::try_from(product).unwrap_or(ALL)
}

fn part(time: Duration, share: Share) -> Duration {
    let nanos = time.as_nanos().saturating_mul(share.into()) / u128::from(ALL);
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[expect(clippy::cast_precision_loss, reason = "a count of tokens is far below 2^53")]
fn tokens(count: Tokens) -> f64 {
    count.count() as f64
}

/// What can be said of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing changed for any request.
    Same,
    /// Less, surely.
    Less,
    /// More, surely.
    More,
    /// The interval includes zero.
    NotSeparable,
    /// Too few requests for an interval.
    TooFew,
}

impl Verdict {
    /// The words in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Less => "less",
            Self::More => "more",
            Self::NotSeparable => "not separable",
            Self::TooFew => "too few",
        }
    }
}

/// The change of a sum against what happened, in the unit of the sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    /// The difference of the sums.
    pub sum: i128,
    /// Its 95 % interval over the choice of requests, paired; `None` with too few of them.
    pub interval: Option<(i128, i128)>,
    /// What can be said of it.
    pub verdict: Verdict,
}

impl Difference {
    fn of(differences: &[i128]) -> Self {
        let interval = sum_interval(differences);
        let verdict = match interval {
            _ if differences.iter().all(|difference| *difference == 0) => Verdict::Same,
            None => Verdict::TooFew,
            Some((_, high)) if high < 0 => Verdict::Less,
            Some((low, _)) if low > 0 => Verdict::More,
            Some(_) => Verdict::NotSeparable,
        };
        Self { sum: differences.iter().sum(), interval, verdict }
    }
}

/// Outcomes of many requests added up, and their differences from what happened, request by request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tally {
    /// Requests.
    pub requests: u64,
    /// Requests for which another endpoint goes first.
    pub differs: u64,
    /// What was or would have been paid.
    pub paid: Usd,
    /// Attempts whose cost is not known.
    pub unknown: u64,
    /// Time to the first token.
    pub wait: Duration,
    /// Time from the first token to the last.
    pub stream: Duration,
    /// Failed requests, in trillionths of one.
    pub failed: u128,
    /// How much was seen and not estimated, in trillionths of a request.
    pub measured: u128,
    paid_apart: Vec<i128>,
    wait_apart: Vec<i128>,
    failed_apart: Vec<i128>,
}

impl Tally {
    /// The fewest requests that have an interval.
    pub const LEAST: usize = INTERVAL_LEAST;

    /// Adds one request: what it came to or would have come to, and what it came to.
    pub fn add(&mut self, outcome: &Outcome, truth: &Outcome) {
        self.requests += 1;
        self.differs += u64::from(outcome.differs);
        self.paid += outcome.paid;
        self.unknown += u64::from(outcome.unknown);
        self.wait += outcome.wait;
        self.stream += outcome.stream;
        self.failed += u128::from(outcome.failed);
        self.measured += u128::from(outcome.measured);
        let nanos = |time: Duration| i128::try_from(time.as_nanos()).unwrap_or(i128::MAX);
        // A request that costs nine million dollars is counted as that.
        let pico = |amount: Usd| i128::from(amount.to_pico().unwrap_or(i64::MAX));
        self.paid_apart.push(pico(outcome.paid) - pico(truth.paid));
        self.wait_apart.push(nanos(outcome.wait) - nanos(truth.wait));
        self.failed_apart.push(i128::from(outcome.failed) - i128::from(truth.failed));
    }

    /// The change of what is paid, in picodollars.
    #[must_use]
    pub fn paid_change(&self) -> Difference {
        Difference::of(&self.paid_apart)
    }

    /// The change of the time to the first token, in nanoseconds over all requests.
    #[must_use]
    pub fn wait_change(&self) -> Difference {
        Difference::of(&self.wait_apart)
    }

    /// The change of the number of failed requests, in trillionths of one.
    #[must_use]
    pub fn failed_change(&self) -> Difference {
        Difference::of(&self.failed_apart)
    }

    /// Whether everything was seen and nothing estimated.
    #[must_use]
    pub fn is_measured(&self) -> bool {
        self.measured == u128::from(ALL) * u128::from(self.requests)
    }
}
