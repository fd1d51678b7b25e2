//! The rules of hosted systems: each order worked out anew.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use openmux::catalog::{EndpointId, ModelId, ProviderId};
use openmux::routing::{Basis, Candidate, Decision, Policy, Preset, Ranked, RouteRequest, TermKind};
use rust_decimal::prelude::ToPrimitive;

use super::world::{Decider, World, now};
use super::{Verdict, catches, ensure, holds, misread, spoiled, tried};

const HOSTED: [Preset; 4] = [Preset::Zenmux, Preset::ZenmuxOrigin, Preset::OpenrouterClassic, Preset::Order];

/// The same world under a rule, for a model whose author serves it in one place.
fn under(preset: Preset, world: &World) -> World {
    let policy = Policy { ramp_free: 1, ..Policy::preset(preset) };
    let mut world = World { policy, ..world.clone() };
    let own = usize::try_from(world.luck).unwrap_or(0) % world.specs.len();
    for (at, spec) in world.specs.iter_mut().enumerate() {
        spec.endpoint.model = ModelId::new("anthropic/m");
        if at == own {
            spec.endpoint.id.provider = ProviderId::new("anthropic");
        }
    }
    world
}

fn unmeasured(entry: &Ranked) -> bool {
    !matches!(entry.expectation.ttft_s.basis, Basis::Measured { .. })
}

fn faulty(world: &World, entry: &Ranked) -> bool {
    let spec = world.spec(&entry.endpoint);
    spec.stats.last_fault.is_some_and(|at| at + Duration::from_secs(30) > now())
}

/// What comes before the rule: who is held back after a pause, the request's own order, reopening, what is preferred.
fn before(world: &World, decision: &Decision, entry: &Ranked) -> (bool, usize, Option<Timestamp>, u8) {
    let reopens = entry.cooling.filter(|_| decision.all_cooling).map(|cooling| cooling.until);
    (entry.is_held_back(), world.place(&entry.endpoint), reopens, entry.grade())
}

/// Each rule's order, as far as it is not drawn.
fn ruled(decider: Decider<'_>, world: &World) -> Verdict {
    for preset in HOSTED {
        let world = under(preset, world);
        let decision = world.decide(decider);
        let key = |entry: &Ranked| {
            let own = entry.endpoint.provider.as_str() == "anthropic";
            let millis = (entry.expectation.ttft_s.value * 1e9).to_u64().unwrap();
            let rule = match preset {
                Preset::Zenmux => (u8::from(unmeasured(entry)), millis),
                Preset::ZenmuxOrigin => (if own { 0 } else { 1 + u8::from(unmeasured(entry)) }, millis),
                Preset::OpenrouterClassic => {
                    (2 * u8::from(!entry.score.price_known) + u8::from(faulty(&world, entry)), 0)
                }
                _ => (0, 0),
            };
            (before(&world, &decision, entry), rule)
        };
        let named = |entry: &Ranked| (key(entry), entry.endpoint.clone());
        let drawn = preset == Preset::OpenrouterClassic;
        let sorted =
            if drawn { decision.ranked.is_sorted_by_key(key) } else { decision.ranked.is_sorted_by_key(named) };
        ensure(sorted, || format!("{} is not in order", preset.name()))?;
        ensure(decision.ranked.iter().all(|entry| entry.tie.is_none()), || "a rule settles no near-ties".to_owned())?;
        let summed = decision.ranked.iter().all(|entry| !entry.score.terms.is_empty());
        ensure(summed, || "the terms are not printed".to_owned())?;
    }
    Ok(())
}

/// Removing a candidate reorders no two others.
fn removal(decider: Decider<'_>, world: &World) -> Verdict {
    for preset in HOSTED {
        let world = under(preset, world);
        let all = world.decide(decider);
        for gone in 0..world.specs.len() {
            let mut fewer = world.clone();
            fewer.specs.remove(gone);
            let after = fewer.decide(decider);
            let place = |id: &EndpointId| after.ranked.iter().position(|entry| entry.endpoint == *id);
            let left: Vec<usize> = all.ranked.iter().filter_map(|entry| place(&entry.endpoint)).collect();
            ensure(left.is_sorted(), || format!("{}: without {gone} the order is {left:?}", preset.name()))?;
        }
    }
    Ok(())
}

const SEEDS: u64 = 600;

/// Over many seeds the first is drawn in proportion to 1/price².
fn proportional(decider: Decider<'_>, world: &World) -> Verdict {
    let world = under(Preset::OpenrouterClassic, &world.long_back());
    let decision = world.decide(decider);
    let Some(first) = decision.ranked.first() else { return Ok(()) };
    let class = |entry: &Ranked| (before(&world, &decision, entry), faulty(&world, entry), entry.score.price_known);
    let group: Vec<&Ranked> = decision.ranked.iter().filter(|entry| class(entry) == class(first)).collect();
    let weight = |entry: &Ranked| {
        let next = entry.score.amount(TermKind::Next).unwrap_or_default();
        let price =
            entry.score.amount(TermKind::Price).and_then(|price| (price + next).decimal().to_f64()).unwrap_or(0.0);
        1.0 / (price * price)
    };
    let sum: f64 = group.iter().map(|entry| weight(entry)).sum();
    if !sum.is_finite() || group.len() < 2 {
        return Ok(());
    }
    let mut chosen: BTreeMap<EndpointId, u32> = BTreeMap::new();
    for seed in 0..SEEDS {
        let first = world.decide_with(decider, world.seed.wrapping_add(seed)).ranked.swap_remove(0);
        *chosen.entry(first.endpoint).or_default() += 1;
    }
    for entry in group {
        let (draws, share) = (f64::from(u32::try_from(SEEDS).unwrap()), weight(entry) / sum);
        let times = f64::from(chosen.get(&entry.endpoint).copied().unwrap_or(0));
        // Five standard deviations of a draw, and one whole one.
        let allowed = 5.0 * (draws * share * (1.0 - share)).sqrt() + 1.0;
        ensure((times - draws * share).abs() <= allowed, || {
            format!("{} is chosen {times} of {draws} times, not {:.1}", entry.endpoint, draws * share)
        })?;
    }
    Ok(())
}

#[test]
fn hosted_rules_order_as_they_say() {
    holds(ruled);
    catches(ruled, &spoiled(|decision| decision.ranked.reverse()));
    // The sum, whatever the rule.
    catches(
        ruled,
        &spoiled(|decision| decision.ranked.sort_by_key(|entry| (entry.score.total(), entry.endpoint.clone()))),
    );
    catches(ruled, &misread(|candidate| candidate.stats.last_fault = None));
    // What was never measured, taken for measured.
    catches(
        ruled,
        &spoiled(|decision| {
            decision.ranked.sort_by(|a, b| a.expectation.ttft_s.value.total_cmp(&b.expectation.ttft_s.value));
        }),
    );
}

#[test]
fn hosted_rules_reorder_nobody_when_somebody_goes() {
    holds(removal);
    catches(
        removal,
        &spoiled(|decision| {
            // A draw that depends on how many there are.
            let many = decision.ranked.len();
            if many > 0 {
                decision.ranked.rotate_left(many / 2);
            }
        }),
    );
}

#[test]
fn the_classic_draw_is_in_proportion_to_one_over_the_price_squared() {
    tried(proportional, &openmux::routing::decide, 60, 50).unwrap();
    let caught = |bug: Decider<'_>| assert!(tried(proportional, bug, 60, 0).is_err(), "the planted bug went unnoticed");
    caught(&spoiled(|decision| {
        decision.ranked.sort_by_key(|entry| (entry.score.amount(TermKind::Price), entry.endpoint.clone()));
    }));
    // Every seed is one seed.
    let frozen = |request: &RouteRequest, all: &[Candidate<'_>], policy: &Policy, now: Timestamp, _: u64| {
        openmux::routing::decide(request, all, policy, now, 7)
    };
    caught(&frozen);
    // Drawn alike, whatever the price.
    let alike = |request: &RouteRequest, all: &[Candidate<'_>], policy: &Policy, now: Timestamp, seed: u64| {
        let mut decision = openmux::routing::decide(request, all, policy, now, seed);
        let many = u64::try_from(decision.ranked.len().max(1)).unwrap();
        decision.ranked.rotate_left(usize::try_from(seed % many).unwrap());
        decision
    };
    caught(&alike);
}
