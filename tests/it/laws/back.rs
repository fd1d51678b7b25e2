//! An endpoint that comes back after a pause: it gets its share and no more, the rest comes to the others first, and nobody
//! is left out.

use std::time::Duration;

use jiff::Timestamp;
use openmux::routing::{Admission, Candidate, Policy, RouteRequest, decide};

use super::world::{Decider, Spec, World, now};
use super::{Verdict, catches, ensure, holds, misread, spoiled, tried};

/// Who comes back is ranked or rejected as it would be else, behind all others where it is held back; among those that are
/// not the order is as ever.
fn behind(decider: Decider<'_>, world: &World) -> Verdict {
    let decision = world.decide(decider);
    let plain = world.long_back().decide(&decide);
    ensure(decision.rejected == plain.rejected, || "a return rejects or cures".to_owned())?;
    let mut ids: Vec<_> = decision.ranked.iter().map(|entry| &entry.endpoint).collect();
    let mut all: Vec<_> = plain.ranked.iter().map(|entry| &entry.endpoint).collect();
    ids.sort();
    all.sort();
    ensure(ids == all, || format!("{ids:?} of {all:?} are ranked"))?;
    let order: Vec<bool> = decision.ranked.iter().map(|entry| entry.is_held_back()).collect();
    ensure(order.is_sorted(), || format!("somebody is held back before others: {order:?}"))?;
    for entry in &decision.ranked {
        let Spec { stats, in_flight, .. } = world.spec(&entry.endpoint);
        // The steps are of ten seconds.
        let percent = stats.reopened.and_then(|at| match now().duration_since(at).as_secs() {
            0..10 => Some(10),
            10..20 => Some(25),
            20..30 => Some(50),
            _ => None,
        });
        let told = entry.returning.map(|returning| returning.percent);
        ensure(told == percent, || format!("{} is told {told:?}, not {percent:?}", entry.endpoint))?;
        let few = entry.returning.is_some_and(|returning| returning.admission == Admission::Few);
        ensure(few == (percent.is_some() && *in_flight < world.policy.ramp_free), || {
            format!("{} with {in_flight}", entry.endpoint)
        })?;
    }
    Ok(())
}

const SEEDS: u64 = 400;

/// Over many seeds it gets its share, whoever else there is.
fn shared(decider: Decider<'_>, world: &World) -> Verdict {
    let mut world = world.long_back();
    let at = usize::try_from(world.luck).unwrap_or(0) % world.specs.len();
    let (ago, share) = [(3, 0.10), (14, 0.25), (29, 0.50)][usize::try_from(world.luck % 3).unwrap()];
    let spec = &mut world.specs[at];
    (spec.stats.cooling, spec.stats.reopened) = (None, Some(now() - Duration::from_secs(ago)));
    spec.in_flight = 2;
    let id = spec.id().clone();
    let mut admitted = 0;
    for seed in 0..SEEDS {
        let decision = world.decide_with(decider, world.seed.wrapping_add(seed));
        let Some(place) = decision.ranked.iter().position(|entry| entry.endpoint == id) else { return Ok(()) };
        let held_back = decision.ranked[place].is_held_back();
        ensure(!held_back || place + 1 == decision.ranked.len(), || format!("held back, and {place} from the front"))?;
        admitted += u32::from(!held_back);
    }
    let draws = f64::from(u32::try_from(SEEDS).unwrap());
    // Five standard deviations of a draw.
    let allowed = 5.0 * (draws * share * (1.0 - share)).sqrt();
    ensure((f64::from(admitted) - draws * share).abs() <= allowed, || {
        format!("{id} gets {admitted} of {draws} requests, not {share}")
    })
}

#[test]
fn who_is_held_back_comes_last_and_is_never_left_out() {
    holds(behind);
    catches(behind, &spoiled(|decision| decision.ranked.retain(|entry| !entry.is_held_back())));
    // Told, and not done.
    catches(
        behind,
        &spoiled(|decision| {
            decision.ranked.sort_by_key(|entry| (entry.score.total(), entry.endpoint.clone()));
        }),
    );
    // Without an end.
    catches(behind, &misread(|candidate| candidate.stats.reopened = candidate.stats.reopened.map(|at| at.max(now()))));
    // Few are held back as well.
    catches(behind, &misread(|candidate| candidate.in_flight += 1));
    catches(behind, &misread(|candidate| candidate.stats.reopened = None));
}

#[test]
fn who_comes_back_gets_its_share() {
    tried(shared, &decide, 120, 100).unwrap();
    let caught = |bug: Decider<'_>| assert!(tried(shared, bug, 120, 0).is_err(), "the planted bug went unnoticed");
    // All or nothing: the seed decides nothing.
    caught(&|request: &RouteRequest, all: &[Candidate<'_>], policy: &Policy, now: Timestamp, _: u64| {
        decide(request, all, policy, now, 7)
    });
    // A step too early.
    caught(&|request: &RouteRequest, all: &[Candidate<'_>], policy: &Policy, now: Timestamp, seed: u64| {
        let hasty = Policy { ramp_step: policy.ramp_step / 2, ..policy.clone() };
        decide(request, all, &hasty, now, seed)
    });
    caught(&misread(|candidate| candidate.in_flight = 0));
}
