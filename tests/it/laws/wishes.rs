//! Thresholds: what is required is never relaxed, what is preferred only reorders, and what was not measured is neither.

use openmux::routing::{Basis, Decision, Estimate, Expectation, Measure, Ranked};

use super::tie::near_tied;
use super::world::{Decider, Spec, World};
use super::{Verdict, catches, ensure, holds, misasked, spoiled};

fn estimate(expectation: &Expectation, measure: Measure) -> Estimate {
    match measure {
        Measure::Ttft => expectation.ttft_s,
        Measure::Throughput => expectation.tokens_per_s,
        Measure::Availability => expectation.availability,
    }
}

/// Whether it was measured: half a sample at least.
fn known(estimate: Estimate) -> bool {
    matches!(estimate.basis, Basis::Measured { n, .. } if n >= 0.5)
}

/// Whether it was measured on the wrong side of the limit, to a millionth.
fn beyond(expectation: &Expectation, measure: Measure, millionths: u64) -> bool {
    let estimate = estimate(expectation, measure);
    #[expect(clippy::cast_precision_loss, reason = "limits are small")]
    let limit = millionths as f64 / 1e6;
    let by = if measure == Measure::Ttft { estimate.value - limit } else { limit - estimate.value };
    known(estimate) && by > 5e-7
}

/// Whether a candidate is measured beyond what is required, worked out from what it is expected to do where nothing is.
pub(super) fn misses_firmly(world: &World, spec: &Spec) -> bool {
    let mut alone = World { specs: vec![spec.clone()], ..world.clone() };
    alone.specs[0].stats.cooling = None;
    let firm: Vec<_> = world.request.constraints.thresholds.iter().filter(|wish| wish.firm).copied().collect();
    let constraints = &mut alone.request.constraints;
    constraints.thresholds.clear();
    (constraints.max_price_in, constraints.max_price_out, constraints.max_cost) = (None, None, None);
    constraints.allow_unpriced = true;
    let decision = alone.decide(&openmux::routing::decide);
    // What is rejected for another reason is rejected all the same.
    decision
        .ranked
        .first()
        .is_some_and(|entry| firm.iter().any(|wish| beyond(&entry.expectation, wish.measure, wish.millionths)))
}

/// Nothing ranked was measured beyond a firm limit; what is missed and what is not known is said; the grade goes first.
fn graded(decider: Decider<'_>, world: &World) -> Verdict {
    let decision = world.decide(decider);
    for entry in &decision.ranked {
        for wish in &world.request.constraints.thresholds {
            let misses = beyond(&entry.expectation, wish.measure, wish.millionths);
            ensure(!(wish.firm && misses), || format!("{} is ranked beyond {wish:?}", entry.endpoint))?;
            ensure(entry.missed.contains(&wish.measure) == misses, || format!("{} and {wish:?}", entry.endpoint))?;
            let open = !known(estimate(&entry.expectation, wish.measure));
            ensure(entry.unproven.contains(&wish.measure) == open, || format!("{} and {wish:?}", entry.endpoint))?;
        }
    }
    let key = |entry: &Ranked| {
        let reopens = entry.cooling.filter(|_| decision.all_cooling).map(|cooling| cooling.until);
        (entry.is_held_back(), world.place(&entry.endpoint), reopens, entry.grade())
    };
    ensure(decision.ranked.is_sorted_by_key(key), || "a lower grade goes before a higher one".to_owned())
}

/// What is only preferred rejects nobody, cures nobody, and leaves the order within a grade as it was.
fn soft(decider: Decider<'_>, world: &World) -> Verdict {
    let wished = world.decide(decider);
    let mut plain = world.clone();
    plain.request.constraints.thresholds.retain(|wish| wish.firm);
    let plain = plain.decide(decider);
    ensure(wished.rejected == plain.rejected, || "a preference rejects or cures".to_owned())?;
    ensure(wished.ranked.len() == plain.ranked.len(), || "a preference loses somebody".to_owned())?;
    let place = |decision: &Decision, entry: &Ranked| {
        decision.ranked.iter().position(|other| other.endpoint == entry.endpoint).unwrap()
    };
    let order = |entry: &Ranked| plain.ranked[place(&plain, entry)].grade();
    for (at, first) in wished.ranked.iter().enumerate() {
        for second in &wished.ranked[at + 1..] {
            let alike = first.grade() == second.grade() && order(first) == order(second);
            let kept = place(&plain, first) < place(&plain, second);
            ensure(!alike || kept || near_tied(first.score.total(), second.score.total()), || {
                format!("{} and {} changed places", first.endpoint, second.endpoint)
            })?;
        }
    }
    Ok(())
}

#[test]
fn what_is_required_is_never_relaxed_and_what_is_unknown_is_said() {
    holds(graded);
    catches(graded, &misasked(|request| request.constraints.thresholds.clear()));
    catches(graded, &misasked(|request| request.constraints.thresholds.iter_mut().for_each(|wish| wish.firm = false)));
    // An unknown that is taken for a pass.
    catches(graded, &spoiled(|decision| decision.ranked.iter_mut().for_each(|entry| entry.unproven.clear())));
    // The sum before the grade.
    catches(
        graded,
        &spoiled(|decision| {
            decision.ranked.sort_by_key(|entry| (entry.score.total(), entry.endpoint.clone()));
        }),
    );
}

#[test]
fn what_is_preferred_only_reorders() {
    holds(soft);
    catches(soft, &misasked(|request| request.constraints.thresholds.iter_mut().for_each(|wish| wish.firm = true)));
    catches(
        soft,
        &spoiled(|decision| {
            if !decision.request.constraints.thresholds.is_empty() {
                decision.ranked.reverse();
            }
        }),
    );
}
