//! What the order depends on, and what it does not.

use std::cell::Cell;

use jiff::Timestamp;
use openmux::catalog::price::{Item, Rate};
use openmux::routing::{Candidate, Decision, Policy, RouteRequest, TermKind, decide};
use openmux::units::{Usd, UsdPerMtok};
use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::tie::near_tied;
use super::world::{Decider, Spec, World};
use super::{Verdict, catches, ensure, holds, misread, spoiled};

/// Same inputs, same decision, to the byte.
fn pure(decider: Decider<'_>, world: &World) -> Verdict {
    let (first, second) = (world.decide(decider), world.decide(decider));
    ensure(format!("{first:?}") == format!("{second:?}"), || "two runs differ".to_owned())
}

/// The order of the candidates does not matter.
fn input_order(decider: Decider<'_>, world: &World) -> Verdict {
    let decision = world.decide(decider);
    let mut turned = world.clone();
    turned.specs.reverse();
    let mut shuffled = world.clone();
    let mut luck = world.luck | 1;
    for at in (1..shuffled.specs.len()).rev() {
        luck = luck.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        shuffled.specs.swap(at, usize::try_from(luck >> 33).unwrap() % (at + 1));
    }
    for other in [turned, shuffled] {
        let after = other.decide(decider);
        ensure(after == decision, || format!("{:?} became {:?}", names(&decision), names(&after)))?;
    }
    Ok(())
}

fn names(decision: &Decision) -> Vec<String> {
    decision.ranked.iter().map(|entry| format!("{} {}", entry.endpoint, entry.score.total())).collect()
}

/// Removing a candidate never reorders two that are not near-tied.
fn removal(decider: Decider<'_>, world: &World) -> Verdict {
    let before = world.decide(decider);
    for gone in 0..world.specs.len() {
        let mut fewer = world.clone();
        fewer.specs.remove(gone);
        let after = fewer.decide(decider);
        let place = |id| after.ranked.iter().position(|entry| entry.endpoint == id);
        for (at, first) in before.ranked.iter().enumerate() {
            for second in &before.ranked[at + 1..] {
                let (Some(one), Some(two)) = (place(first.endpoint.clone()), place(second.endpoint.clone())) else {
                    continue;
                };
                ensure(one < two || near_tied(first.score.total(), second.score.total()), || {
                    format!("without {}, {:?} became {:?}", world.specs[gone].id(), names(&before), names(&after))
                })?;
            }
        }
    }
    Ok(())
}

fn halved(price: UsdPerMtok) -> UsdPerMtok {
    (price.decimal() / Decimal::TWO).to_string().parse().unwrap()
}

type Improvement = (&'static str, fn(&mut Spec));

/// Ways in which a candidate can be better than it is: faster, cheaper, steadier.
const BETTER: [Improvement; 8] = [
    ("faster to its first token", |spec| {
        let stats = &mut spec.stats;
        let sizes = stats.ttft_by_size.iter_mut();
        sizes.chain([&mut stats.ttft, &mut stats.ttft_lasting]).for_each(|times| times.mean -= 0.7);
    }),
    ("faster after it", |spec| {
        spec.stats.speed.mean += 0.7;
        spec.stats.speed_lasting.mean += 0.7;
    }),
    ("a fault was a success", |spec| {
        for share in [&mut spec.stats.recent, &mut spec.stats.lasting] {
            let turned = share.faults.min(1.0);
            share.faults -= turned;
            share.successes += turned;
        }
    }),
    ("a rate limit was a success", |spec| {
        let turned = spec.stats.limited.min(1.0);
        spec.stats.limited -= turned;
        spec.stats.recent.successes += turned;
        spec.stats.lasting.successes += turned;
    }),
    ("more successes", |spec| {
        spec.stats.recent.successes += 3.0;
        spec.stats.lasting.successes += 3.0;
    }),
    ("cheaper by the token", |spec| {
        let Some(sheet) = spec.endpoint.pricing.as_mut() else { return };
        for rate in sheet.rates.values_mut() {
            *rate = Rate { base: rate.base.map(halved), tiers: rate.tiers.clone() };
            rate.tiers.iter_mut().for_each(|tier| tier.price = tier.price.map(halved));
        }
    }),
    ("its cache hits more often", |spec| {
        let rate = |item| spec.endpoint.pricing.as_ref().and_then(|sheet| sheet.base(item));
        // Where cached input is the dearer one, hits are no gain.
        if rate(Item::CacheRead) <= rate(Item::Input) {
            spec.stats.cache.asked += 4.0;
            spec.stats.cache.served += 4.0;
        }
    }),
    ("cheaper by the call", |spec| {
        if let Some(sheet) = spec.endpoint.pricing.as_mut() {
            sheet.fees.clear();
        }
    }),
];

/// A faster, cheaper or steadier candidate never ranks lower.
fn better(decider: Decider<'_>, world: &World) -> Verdict {
    // A first sample can show that a threshold is missed, which nobody knew before.
    let mut world = world.clone();
    world.request.constraints.thresholds.clear();
    let before = world.decide(decider);
    for (place, entry) in before.ranked.iter().enumerate() {
        for (how, improve) in BETTER {
            let mut improved = world.clone();
            improve(improved.specs.iter_mut().find(|spec| *spec.id() == entry.endpoint).unwrap());
            let after = improved.decide(decider);
            let now_at = after.ranked.iter().position(|other| other.endpoint == entry.endpoint);
            ensure(now_at.is_some_and(|now_at| now_at <= place), || {
                format!("{}: {how}, and {:?} became {:?}", entry.endpoint, names(&before), names(&after))
            })?;
        }
    }
    Ok(())
}

/// What the design threw out: each term scaled to 0..1 between the least and the greatest of the candidates.
fn normalised(decision: &mut Decision) {
    let amount = |at: usize, kind, decision: &Decision| {
        decision.ranked[at].score.amount(kind).unwrap_or_default().decimal().to_f64().unwrap()
    };
    let all: Vec<usize> = (0..decision.ranked.len()).collect();
    let scaled = |at: usize, kind| {
        let values: Vec<f64> = all.iter().map(|&at| amount(at, kind, decision)).collect();
        let least = values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        if most > least { (values[at] - least) / (most - least) } else { 0.0 }
    };
    let sums: Vec<f64> = all.iter().map(|&at| TermKind::ALL.iter().map(|&kind| scaled(at, kind)).sum()).collect();
    let mut order = all.clone();
    order.sort_by(|&a, &b| sums[a].total_cmp(&sums[b]));
    decision.ranked = order.into_iter().map(|at| decision.ranked[at].clone()).collect();
}

#[test]
fn same_inputs_give_the_same_decision_to_the_byte() {
    holds(pure);
    let runs = Cell::new(0_u64);
    let restless =
        |request: &RouteRequest, candidates: &[Candidate<'_>], policy: &Policy, now: Timestamp, seed: u64| {
            runs.set(runs.get() + 1);
            decide(request, candidates, policy, now, seed ^ runs.get())
        };
    catches(pure, &restless);
}

#[test]
fn the_order_of_the_candidates_does_not_matter() {
    holds(input_order);
    let as_given =
        |request: &RouteRequest, candidates: &[Candidate<'_>], policy: &Policy, now: Timestamp, seed: u64| {
            // A sort by total alone: exact ties stay as they came.
            let mut decision = decide(request, candidates, policy, now, seed);
            let came = |entry: &openmux::routing::Ranked| {
                candidates.iter().position(|candidate| candidate.endpoint.id == entry.endpoint)
            };
            let behind_head = decision.ranked.get_mut(1..).unwrap_or_default();
            for group in behind_head.chunk_by_mut(|a, b| a.score.total() == b.score.total()) {
                group.sort_by_key(came);
            }
            decision
        };
    catches(input_order, &as_given);
    let unsorted =
        |request: &RouteRequest, candidates: &[Candidate<'_>], policy: &Policy, now: Timestamp, seed: u64| {
            let mut decision = decide(request, candidates, policy, now, seed);
            decision
                .rejected
                .sort_by_key(|entry| candidates.iter().position(|candidate| candidate.endpoint.id == entry.endpoint));
            decision
        };
    catches(input_order, &unsorted);
}

#[test]
fn removing_a_candidate_reorders_no_two_that_are_not_near_tied() {
    holds(removal);
    catches(removal, &spoiled(normalised));
}

#[test]
fn faster_cheaper_or_steadier_never_ranks_lower() {
    holds(better);
    catches(
        better,
        &misread(|candidate| {
            let stats = &mut candidate.stats;
            let sizes = stats.ttft_by_size.iter_mut();
            sizes.chain([&mut stats.ttft, &mut stats.ttft_lasting]).for_each(|times| times.mean *= -1.0);
        }),
    );
    catches(
        better,
        &misread(|candidate| {
            candidate.stats.speed.mean *= -1.0;
            candidate.stats.speed_lasting.mean *= -1.0;
        }),
    );
    catches(
        better,
        &misread(|candidate| {
            for share in [&mut candidate.stats.recent, &mut candidate.stats.lasting] {
                std::mem::swap(&mut share.faults, &mut share.successes);
            }
        }),
    );
    let flipped = |kind: TermKind| {
        spoiled(move |decision| {
            let order_of = |entry: &openmux::routing::Ranked| {
                let term = entry.score.amount(kind).unwrap_or_default();
                let (total, twice): (Usd, Usd) = (entry.score.total(), term + term);
                total - twice
            };
            decision.ranked.sort_by_key(|entry| (order_of(entry), entry.endpoint.clone()));
        })
    };
    for kind in [TermKind::Price, TermKind::Wait, TermKind::Risk, TermKind::Load] {
        catches(better, &flipped(kind));
    }
}
