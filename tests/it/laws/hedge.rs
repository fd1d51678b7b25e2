//! A second request: never unless asked for, never where a cancelled answer is billed to its end or may be, never beyond the
//! limit of cost or the share of requests, never before it is worth its price; and planned wherever none of that forbids it.

use std::time::Duration;

use openmux::catalog::{CancelBilling, EndpointId};
use openmux::routing::{Decision, Hedge, Hedging, Ranked, TermKind, Unhedged, decide};
use openmux::units::Usd;

use super::world::World;
use super::{Verdict, ensure, tried};

/// What is different about a planner with a planted bug: it sees another decision or another wish, or says another plan.
#[derive(Clone, Copy)]
struct Bug {
    sees: fn(&mut Decision),
    hears: fn(Option<Hedging>) -> Option<Hedging>,
    says: fn(&mut Hedge),
}

const NONE: Bug = Bug { sees: |_| {}, hears: |wish| wish, says: |_| {} };

/// A decision of this world; luck says what its endpoints bill, what the limit of cost is, and whether it is a stream.
fn decision(world: &World) -> Decision {
    let mut decision = world.decide(&decide);
    let mut luck = world.luck;
    let mut draw = |sides: u64| {
        let drawn = luck % sides;
        luck /= sides;
        drawn
    };
    decision.request.stream = draw(4) > 0;
    for entry in &mut decision.ranked {
        let billing = [CancelBilling::Partial, CancelBilling::None, CancelBilling::Full, CancelBilling::Unknown];
        entry.bills_on_cancel =
            billing[usize::try_from([0, 0, 1, 1, 2, 3][usize::try_from(draw(6)).unwrap()]).unwrap()];
        entry.half_open |= draw(8) == 0;
    }
    let bounds: Vec<Usd> = decision.ranked.iter().filter_map(|entry| entry.bound).take(2).collect();
    if let ([first, second], 0..=2) = (bounds.as_slice(), draw(4)) {
        decision.request.constraints.max_cost =
            Some(*first + second.share([0, 500_000_000_000, 1_000_000_000_000][usize::try_from(draw(3)).unwrap()]));
    }
    decision
}

fn wishes(world: &World) -> [Option<Hedging>; 5] {
    let requests = world.luck % 1000;
    [
        None,
        Some(Hedging::default()),
        Some(Hedging { requests, hedged: 1 + requests / 20 }),
        Some(Hedging { requests, hedged: 2 + requests / 20 }),
        Some(Hedging { requests, hedged: world.luck % 100 }),
    ]
}

fn pico(amount: Usd) -> i128 {
    amount.to_pico().unwrap().into()
}

/// What this call alone is expected to cost.
fn price(entry: &Ranked) -> Option<i128> {
    let term = |kind| entry.score.amount(kind).map(pico);
    Some(term(TermKind::Price)? + term(TermKind::Switch).unwrap_or_default())
}

fn cheap_to_cancel(decision: &Decision, entry: &Ranked) -> bool {
    match entry.bills_on_cancel {
        CancelBilling::None => true,
        CancelBilling::Partial => decision.request.stream,
        CancelBilling::Full | CancelBilling::Unknown => false,
    }
}

/// Seconds until the answer is to be seen, beyond its first token.
fn rest(decision: &Decision, entry: &Ranked) -> f64 {
    let tokens = u32::try_from(entry.expectation.output.count()).unwrap();
    if decision.request.stream { 0.0 } else { f64::from(tokens) / entry.expectation.tokens_per_s.value }
}

/// When a wait is long and worth the price of the second, in seconds; `None` where it never is.
fn due(decision: &Decision, first: &Ranked, second: &Ranked) -> Option<(f64, f64)> {
    let value = pico(decision.policy.wait_value * Duration::from_secs(1));
    #[expect(clippy::cast_precision_loss, reason = "held against to a millisecond")]
    let worth = (value > 0).then(|| price(second).map(|price| price as f64 / value as f64))??;
    let long = first.expectation.ttft_p95_s + rest(decision, first);
    Some((long, worth + second.expectation.ttft_s.value + rest(decision, second)))
}

/// Whether nothing forbids this pair.
fn may(decision: &Decision, first: &Ranked, second: &Ranked) -> bool {
    let both = first.bound.zip(second.bound).map(|(one, other)| one + other);
    let limit = decision.request.constraints.max_cost;
    let due = due(decision, first, second).map(|(long, worth)| long.max(worth));
    cheap_to_cancel(decision, first)
        && cheap_to_cancel(decision, second)
        && second.cooling.is_none()
        && !second.half_open
        && !second.is_held_back()
        && both.is_some_and(|both| limit.is_none_or(|limit| both <= limit))
        && due.is_some_and(|due| !decision.request.stream || due < first.first_token_limit.as_secs_f64())
}

fn lawful(decision: &Decision, wish: Option<Hedging>, told: &Result<Hedge, Unhedged>) -> Verdict {
    let rule = |holds: bool, name: &str| ensure(holds, || format!("{name}: {told:?} of {wish:?}"));
    let ranked = decision.ranked.iter().take(4).collect::<Vec<_>>();
    let possible = ranked.split_first().and_then(|(first, rest)| {
        let second = rest.iter().find(|second| may(decision, first, second));
        second.map(|second| (*first, *second))
    });
    let room = wish.is_some_and(|wish| 20 * (i128::from(wish.hedged) - 1) <= i128::from(wish.requests));
    let Ok(hedge) = told else {
        return rule(possible.is_none() || !room, "planned");
    };
    rule(wish.is_some(), "asked")?;
    rule(room, "share")?;
    let of = |id: &EndpointId| {
        ranked.iter().find(|entry| entry.endpoint == *id).ok_or_else(|| format!("ranked: {id} is not"))
    };
    let (first, second) = (of(&hedge.first)?, of(&hedge.second)?);
    rule(first.endpoint == ranked[0].endpoint && first.endpoint != second.endpoint, "two")?;
    rule(cheap_to_cancel(decision, first) && cheap_to_cancel(decision, second), "bills")?;
    rule(second.cooling.is_none() && !second.half_open && !second.is_held_back(), "cooling")?;
    let both = first.bound.zip(second.bound).map(|(one, other)| one + other);
    rule(second.bound == Some(hedge.bound) && both == Some(hedge.both), "bound")?;
    rule(decision.request.constraints.max_cost.is_none_or(|limit| hedge.both <= limit), "cost")?;
    rule(price(second) == Some(pico(hedge.expected)), "expected")?;
    let (long, worth) = due(decision, first, second).ok_or("worth: never")?;
    let after = hedge.after.as_secs_f64();
    rule(after > long - 1e-3, "long")?;
    rule(after > worth - 1e-3, "worth")?;
    rule(after < long.max(worth) + 1e-3, "prompt")?;
    rule(!decision.request.stream || hedge.after < first.first_token_limit, "late")?;
    rule(possible.is_some_and(|(_, wanted)| wanted.endpoint == second.endpoint), "next")
}

fn law(world: &World, bug: Bug) -> Verdict {
    let decision = decision(world);
    for wish in wishes(world) {
        let mut seen = decision.clone();
        (bug.sees)(&mut seen);
        let mut told = seen.hedge((bug.hears)(wish));
        told.as_mut().into_iter().for_each(bug.says);
        lawful(&decision, wish, &told)?;
    }
    Ok(())
}

#[test]
fn a_second_request_keeps_its_laws() {
    if let Err(why) = tried(|_, world| law(world, NONE), &decide, 2000, 2000) {
        panic!("{why}");
    }
}

#[test]
fn a_deliberate_bug_breaks_each_of_them() {
    let bugs: [(&str, Bug); 15] = [
        ("asked", Bug { hears: |wish| wish.or(Some(Hedging::default())), ..NONE }),
        ("share", Bug { hears: |wish| wish.map(|_| Hedging::default()), ..NONE }),
        ("planned", Bug { hears: |_| None, ..NONE }),
        ("bills", Bug { sees: |decision| decision.request.stream = true, ..NONE }),
        (
            "bills",
            Bug {
                sees: |decision| {
                    let unknown = |entry: &&mut Ranked| entry.bills_on_cancel == CancelBilling::Unknown;
                    let taken = decision.ranked.iter_mut().filter(unknown);
                    taken.for_each(|entry| entry.bills_on_cancel = CancelBilling::Partial);
                },
                ..NONE
            },
        ),
        (
            "bills",
            Bug {
                sees: |decision| {
                    let full = |entry: &&mut Ranked| entry.bills_on_cancel == CancelBilling::Full;
                    decision
                        .ranked
                        .iter_mut()
                        .filter(full)
                        .for_each(|entry| entry.bills_on_cancel = CancelBilling::None);
                },
                ..NONE
            },
        ),
        ("cost", Bug { sees: |decision| decision.request.constraints.max_cost = None, ..NONE }),
        ("bound", Bug { says: |hedge| hedge.bound = hedge.expected, ..NONE }),
        ("expected", Bug { says: |hedge| hedge.expected = hedge.bound, ..NONE }),
        (
            "cooling",
            Bug { sees: |decision| decision.ranked.iter_mut().for_each(|entry| entry.half_open = false), ..NONE },
        ),
        (
            "cooling",
            Bug { sees: |decision| decision.ranked.iter_mut().for_each(|entry| entry.returning = None), ..NONE },
        ),
        (
            "long",
            Bug {
                sees: |decision| decision.ranked.iter_mut().for_each(|entry| entry.expectation.ttft_p95_s = 0.0),
                ..NONE
            },
        ),
        ("worth", Bug { sees: |decision| decision.policy.wait_value = "9".parse().unwrap(), ..NONE }),
        ("prompt", Bug { says: |hedge| hedge.after += Duration::from_secs(1), ..NONE }),
        (
            "late",
            Bug {
                sees: |decision| decision.ranked.iter_mut().for_each(|entry| entry.first_token_limit = Duration::MAX),
                ..NONE
            },
        ),
    ];
    for (rule, bug) in bugs {
        // A bug may break another law first; it is caught where its own is among those that it breaks.
        let broken = std::cell::RefCell::new(std::collections::BTreeSet::new());
        let judged = |world: &World| {
            let why = law(world, bug).err();
            broken.borrow_mut().extend(why.and_then(|why| Some(why.split_once(':')?.0.to_owned())));
            Ok(())
        };
        tried(|_, world| judged(world), &decide, 1000, 0).unwrap();
        let broken = broken.into_inner();
        assert!(broken.contains(rule), "the bug against {rule} only broke {broken:?}");
    }
}
