//! Near-ties at the head: who may go first, and how often.

use std::collections::BTreeMap;

use jiff::Timestamp;
use openmux::catalog::EndpointId;
use openmux::routing::{Candidate, Decision, Policy, Ranked, RouteRequest, decide};
use openmux::units::Usd;
use rust_decimal::Decimal;

use super::world::{Decider, World};
use super::{Verdict, ensure, spoiled, tried};

/// Whether two totals lie within 2 % of the lower one.
pub(super) fn near_tied(a: Usd, b: Usd) -> bool {
    let (low, high) = (a.min(b), a.max(b));
    high.decimal() <= low.decimal() * Decimal::new(102, 2) + Decimal::new(1, 12)
}

/// Who may go first, worked out anew: of those that are not held back after a pause, of the earliest place, with a known price if any has one, within 2 % of the best,
/// of those the one with the warmest cache, and of those the least loaded.
pub(super) fn may_lead<'a>(world: &World, decision: &'a Decision) -> Vec<&'a Ranked> {
    let rank =
        |entry: &Ranked| (entry.is_held_back(), world.place(&entry.endpoint), entry.grade(), !entry.score.price_known);
    let Some(first) = decision.ranked.iter().map(rank).min() else { return Vec::new() };
    let front: Vec<&Ranked> = decision.ranked.iter().filter(|entry| rank(entry) == first).collect();
    let best = front.iter().map(|entry| entry.score.total()).min().unwrap_or_default();
    let tied: Vec<&Ranked> = front.into_iter().filter(|entry| near_tied(best, entry.score.total())).collect();
    let warmest = tied.iter().map(|entry| world.request.warm_at(&entry.endpoint)).max();
    let tied: Vec<&Ranked> =
        tied.into_iter().filter(|entry| Some(world.request.warm_at(&entry.endpoint)) == warmest).collect();
    let least = tied.iter().map(|entry| entry.in_flight).min();
    tied.into_iter().filter(|entry| Some(entry.in_flight) == least).collect()
}

const SEEDS: u64 = 1500;

/// Over many seeds, near-ties of equal load are chosen equally often, and nothing outside the near-ties ever is.
fn fair(decider: Decider<'_>, world: &World) -> Verdict {
    let world = &world.long_back();
    let decision = decide_plainly(world);
    if decision.all_cooling || decision.ranked.len() < 2 {
        return Ok(());
    }
    let leaders: Vec<EndpointId> = may_lead(world, &decision).iter().map(|entry| entry.endpoint.clone()).collect();
    let mut chosen: BTreeMap<EndpointId, u64> = BTreeMap::new();
    // Seeds come from a counter.
    let seeds = if leaders.len() > 1 { SEEDS } else { 8 };
    for seed in 0..seeds {
        let first = world.decide_with(decider, world.seed.wrapping_add(seed)).ranked.swap_remove(0);
        ensure(leaders.contains(&first.endpoint), || format!("{} went before {leaders:?}", first.endpoint))?;
        *chosen.entry(first.endpoint).or_default() += 1;
    }
    if leaders.len() < 2 {
        return Ok(());
    }
    // Five standard deviations of a fair draw.
    let (draws, share) =
        (f64::from(u32::try_from(seeds).unwrap()), 1.0 / f64::from(u32::try_from(leaders.len()).unwrap()));
    let allowed = 5.0 * (draws * share * (1.0 - share)).sqrt();
    for leader in &leaders {
        let times = f64::from(u32::try_from(chosen.get(leader).copied().unwrap_or(0)).unwrap());
        ensure((times - draws * share).abs() <= allowed, || format!("{leader} is chosen {times} of {draws} times"))?;
    }
    Ok(())
}

fn decide_plainly(world: &World) -> Decision {
    world.decide(&decide)
}

#[test]
fn near_ties_of_equal_load_lead_equally_often_and_nothing_else_ever_does() {
    tried(fair, &decide, 150, 200).unwrap();
    let caught = |bug: Decider<'_>| assert!(tried(fair, bug, 600, 0).is_err(), "the planted bug went unnoticed");
    // Always the best of the near-ties: the draw is never made.
    let undrawn = |request: &RouteRequest, all: &[Candidate<'_>], policy: &Policy, now: Timestamp, seed: u64| {
        let exact = Policy { near_tie_percent: 0, ..policy.clone() };
        decide(request, all, &exact, now, seed)
    };
    caught(&undrawn);
    // Three of four seeds are one seed.
    let biased = |request: &RouteRequest, all: &[Candidate<'_>], policy: &Policy, now: Timestamp, seed: u64| {
        decide(request, all, policy, now, if seed.is_multiple_of(4) { seed } else { 7 })
    };
    caught(&biased);
    // Ties far beyond 2 %.
    let wide = |request: &RouteRequest, all: &[Candidate<'_>], policy: &Policy, now: Timestamp, seed: u64| {
        let wide = Policy { near_tie_percent: 15, ..policy.clone() };
        decide(request, all, &wide, now, seed)
    };
    caught(&wide);
    // The most loaded instead of the least.
    let turned = |request: &RouteRequest, all: &[Candidate<'_>], policy: &Policy, now: Timestamp, seed: u64| {
        let mut all = all.to_vec();
        all.iter_mut().for_each(|candidate| candidate.in_flight = 9 - candidate.in_flight);
        decide(request, &all, policy, now, seed)
    };
    caught(&turned);
    caught(&spoiled(|decision| decision.ranked.reverse()));
}
