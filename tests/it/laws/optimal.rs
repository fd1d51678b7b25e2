//! The order by score is the order of least expected loss, against brute force over every order.

use std::time::Duration;

use jiff::Timestamp;
use openmux::routing::{Candidate, Policy, Ranked, RouteRequest, TermKind, decide};
use openmux::units::Usd;
use rust_decimal::prelude::ToPrimitive;

use super::world::{Decider, World};
use super::{Verdict, catches, ensure, holds, misread, spoiled};

/// One endpoint in the sum of `routing.md` 3: the chance that it answers, what an answer costs, what a failure costs.
#[derive(Clone, Copy)]
struct Arm {
    q: f64,
    s: f64,
    f: f64,
}

fn dollars(amount: Usd) -> f64 {
    amount.decimal().to_f64().unwrap()
}

fn arm(entry: &Ranked, policy: &Policy) -> Arm {
    let lost = Duration::from_secs_f64(entry.expectation.failure_s.value);
    let risk = entry.score.amount(TermKind::Risk).unwrap_or_default();
    let failure = policy.wait_value * lost + policy.retry_cost;
    Arm { q: entry.expectation.availability.value, s: dollars(entry.score.total() - risk), f: dollars(failure) }
}

/// The expected loss of trying in this order, with `last` for when all of them fail.
fn loss(order: &[Arm], last: f64) -> f64 {
    let mut reached = 1.0;
    let mut sum = 0.0;
    for Arm { q, s, f } in order {
        sum += reached * (q * s + (1.0 - q) * f);
        reached *= 1.0 - q;
    }
    sum + reached * last
}

/// The least loss over all orders.
fn least(arms: &mut Vec<Arm>, done: usize, last: f64) -> f64 {
    if done == arms.len() {
        return loss(arms, last);
    }
    let mut best = f64::INFINITY;
    for next in done..arms.len() {
        arms.swap(done, next);
        best = best.min(least(arms, done + 1, last));
        arms.swap(done, next);
    }
    best
}

/// No order of trying loses less than the one that was decided, whatever it costs when all of them fail. Where a
/// near-tie at the head was settled, the order by total is what is held to that.
fn optimal(decider: Decider<'_>, world: &World) -> Verdict {
    let mut free = world.long_back();
    free.request.constraints.order.clear();
    free.request.constraints.thresholds.clear();
    let decision = free.decide(decider);
    let mut ranked: Vec<&Ranked> = decision.ranked.iter().filter(|entry| entry.score.price_known).collect();
    if decision.all_cooling || ranked.len() > 6 {
        return Ok(());
    }
    if ranked.first().is_some_and(|first| first.tie.is_some()) {
        ranked.sort_by_key(|entry| entry.score.total());
    }
    let arms: Vec<Arm> = ranked.iter().map(|entry| arm(entry, &free.policy)).collect();
    for last in [0.0, 0.02, 5.0] {
        let (ours, best) = (loss(&arms, last), least(&mut arms.clone(), 0, last));
        ensure(ours <= best + 1e-10, || format!("{ours} is lost where {best} would do"))?;
    }
    Ok(())
}

#[test]
fn no_order_loses_less_than_the_one_that_is_decided() {
    holds(optimal);
    let without = |kind: TermKind| {
        spoiled(move |decision| {
            let rest = |entry: &Ranked| entry.score.total() - entry.score.amount(kind).unwrap_or_default();
            decision.ranked.sort_by_key(|entry| (rest(entry), entry.endpoint.clone()));
            decision.ranked.iter_mut().for_each(|entry| entry.tie = None);
        })
    };
    for kind in [TermKind::Price, TermKind::Wait, TermKind::Risk] {
        catches(optimal, &without(kind));
    }
    // A risk that is the chance of failure instead of its odds: the same where little fails, wrong where much does.
    let chance = spoiled(|decision| {
        let wrong = |entry: &Ranked| {
            let risk = dollars(entry.score.amount(TermKind::Risk).unwrap_or_default());
            dollars(entry.score.total()) - risk * (1.0 - entry.expectation.availability.value)
        };
        decision.ranked.sort_by(|a, b| wrong(a).total_cmp(&wrong(b)));
        decision.ranked.iter_mut().for_each(|entry| entry.tie = None);
    });
    catches(optimal, &chance);
    // A misreading decides the order, the true expectations judge it.
    let slow_first = |request: &RouteRequest, all: &[Candidate<'_>], policy: &Policy, now: Timestamp, seed: u64| {
        let wrong = misread(|candidate| {
            let stats = &mut candidate.stats;
            let sizes = stats.ttft_by_size.iter_mut();
            sizes.chain([&mut stats.ttft, &mut stats.ttft_lasting]).for_each(|times| times.mean *= -1.0);
        })(request, all, policy, now, seed);
        let mut right = decide(request, all, policy, now, seed);
        right.ranked.sort_by_key(|entry| wrong.ranked.iter().position(|other| other.endpoint == entry.endpoint));
        right.ranked.iter_mut().for_each(|entry| entry.tie = None);
        right
    };
    catches(optimal, &slow_first);
}
