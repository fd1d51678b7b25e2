//! Prompt caches: a warm one is never held against its endpoint, it is hit by a share, and what comes next is priced.

use openmux::catalog::price::Item;
use openmux::catalog::{Origin, Protocol, ProviderId};
use openmux::routing::{Decision, Expected, Ranked, TermKind, Warm, decide};
use openmux::units::{Tokens, Usd};

use super::world::{Decider, Spec, World};
use super::{Verdict, catches, ensure, holds, misasked, misread, spoiled};

/// Whether what the cache serves costs no more than what it does not.
fn caches_save(spec: &Spec) -> bool {
    let Some(sheet) = &spec.endpoint.pricing else { return true };
    let Some(rate) = sheet.rates.get(&Item::CacheRead) else { return true };
    let dearest = rate.tiers.iter().map(|tier| tier.price).fold(rate.base, Option::max);
    let input = &sheet.rates.get(&Item::Input);
    input.is_some_and(|input| input.tiers.iter().all(|tier| dearest <= tier.price) && dearest <= input.base)
}

fn place<'a>(decision: &'a Decision, world: &World, at: usize) -> Option<(usize, &'a Ranked)> {
    decision.ranked.iter().enumerate().find(|(_, entry)| entry.endpoint == *world.specs[at].id())
}

/// Of two decisions that differ in one warm cache, its endpoint costs no more and stands no further back in the one that
/// knows of it, and nobody else costs anything else.
fn never_worse(decider: Decider<'_>, world: &World) -> Verdict {
    let at = usize::try_from(world.luck % u64::try_from(world.specs.len()).unwrap()).unwrap();
    if !caches_save(&world.specs[at]) {
        return Ok(());
    }
    let mut cold = world.clone();
    cold.request.warm.clear();
    let mut warm = cold.clone();
    let tokens = Tokens::new(1 + world.luck % warm.request.input.count());
    warm.request.warm = vec![Warm { endpoint: world.specs[at].id().clone(), tokens }];
    let (before, after) = (cold.decide(decider), warm.decide(decider));
    let Some((first, was)) = place(&before, world, at) else { return Ok(()) };
    let Some((now, is)) = place(&after, world, at) else { return Err(format!("{} is out", was.endpoint)) };
    ensure(is.score.total() <= was.score.total(), || format!("{} instead of {}", is.score.total(), was.score.total()))?;
    ensure(now <= first, || format!("{} fell from {first} to {now}", was.endpoint))?;
    for entry in after.ranked.iter().filter(|entry| entry.endpoint != was.endpoint) {
        let cold = before.ranked.iter().find(|other| other.endpoint == entry.endpoint).map(|other| other.score.total());
        ensure(cold == Some(entry.score.total()), || format!("{} costs another sum", entry.endpoint))?;
    }
    Ok(())
}

#[test]
fn a_warm_cache_never_makes_its_endpoint_look_worse() {
    holds(never_worse);
    // The price as if everybody were warm, and nobody pays for leaving.
    catches(
        never_worse,
        &spoiled(|decision| {
            let whole = |entry: &Ranked| entry.score.total() - entry.score.amount(TermKind::Switch).unwrap_or_default();
            decision.ranked.sort_by_key(|entry| (whole(entry), entry.endpoint.clone()));
            decision.ranked.iter_mut().for_each(|entry| entry.score.terms.retain(|term| term.kind != TermKind::Switch));
        }),
    );
    // Whoever is warm pays for it.
    catches(
        never_worse,
        &spoiled(|decision| {
            let warm = decision.request.warm.clone();
            for entry in decision.ranked.iter_mut().filter(|entry| warm.iter().any(|w| w.endpoint == entry.endpoint)) {
                let terms = entry.score.terms.iter_mut().filter(|term| term.kind == TermKind::Switch);
                terms.for_each(|term| term.amount += "0.001".parse().unwrap());
            }
        }),
    );
    // A cache anywhere is a cache everywhere.
    catches(
        never_worse,
        &misasked(|request| {
            let most = request.warm.iter().map(|warm| warm.tokens).max().unwrap_or_default();
            request.cached = request.cached.max(most);
            request.warm.clear();
        }),
    );
    // The near-tie is drawn by lot although one of them is warm.
    catches(never_worse, &|request, all, policy, now, seed| {
        let mut decision = decide(request, all, policy, now, seed);
        if decision.ranked.first().is_some_and(|first| first.tie.is_some_and(|tie| tie.by_cache)) {
            decision.ranked[..2].rotate_left(1);
        }
        decision
    });
}

/// The share that a cache serves is one, is told where it matters and nowhere else, and rises with what was seen.
fn share(decider: Decider<'_>, world: &World) -> Verdict {
    let decision = world.decide(decider);
    let asked = !world.request.warm.is_empty() || world.request.continues;
    for entry in &decision.ranked {
        let hit = entry.expectation.cache_hit.map(|hit| hit.value);
        ensure(hit.is_some() == asked, || format!("{}: {hit:?}", entry.endpoint))?;
        let Some(hit) = hit else { continue };
        ensure((0.0..=1.0).contains(&hit), || format!("{}: a share of {hit}", entry.endpoint))?;
        let (seen, policy) = (world.spec(&entry.endpoint).stats.cache, &world.policy);
        let (low, high) = (0.0_f64.min(policy.prior_cache_hit), 1.0_f64.max(policy.prior_cache_hit));
        ensure(low <= hit && hit <= high, || format!("{}: {hit}", entry.endpoint))?;
        // It leans from what is assumed to what was seen, and never past it.
        if seen.asked > 0.0 {
            let own = seen.served / seen.asked;
            let between = policy.prior_cache_hit.min(own) - 1e-9..=policy.prior_cache_hit.max(own) + 1e-9;
            ensure(between.contains(&hit), || format!("{}: {hit} of {own}", entry.endpoint))?;
        }
    }
    Ok(())
}

#[test]
fn the_share_that_a_cache_serves_is_between_none_and_all() {
    holds(share);
    catches(share, &misread(|candidate| candidate.stats.cache.asked *= 0.3));
    catches(
        share,
        &spoiled(|decision| {
            for hit in decision.ranked.iter_mut().filter_map(|entry| entry.expectation.cache_hit.as_mut()) {
                hit.value += 0.3;
            }
        }),
    );
    catches(share, &misasked(|request| request.continues = false));
}

/// A conversation that goes on costs what its next turn's input costs, and nothing else of it changes.
fn continued(decider: Decider<'_>, world: &World) -> Verdict {
    let mut single = world.clone();
    single.request.continues = false;
    let mut going = world.clone();
    going.request.continues = true;
    let (once, on) = (single.decide(decider), going.decide(decider));
    for entry in &on.ranked {
        let Some(alone) = once.ranked.iter().find(|other| other.endpoint == entry.endpoint) else {
            return Err(format!("{} is out", entry.endpoint));
        };
        ensure(alone.expectation.next_turn.is_none(), || "a single question has a next turn".to_owned())?;
        let next = entry.expectation.next_turn;
        ensure(next.is_some() == entry.score.price_known, || format!("{}: {next:?}", entry.endpoint))?;
        let next = next.unwrap_or_default();
        let more = entry.score.total() - alone.score.total();
        let told = entry.score.amount(TermKind::Next);
        ensure(told == entry.expectation.next_turn, || format!("{}: {told:?} is its term", entry.endpoint))?;
        let price = |entry: &Ranked| entry.score.call();
        ensure(price(entry) == price(alone), || format!("{}: its own price is another", entry.endpoint))?;
        ensure(more == next && next >= Usd::ZERO, || format!("{}: {more} instead of {next}", entry.endpoint))?;
        // No more than the whole prompt and answer at the price without a cache.
        let spec = world.spec(&entry.endpoint);
        if !caches_save(spec) {
            continue;
        }
        let whole = world.request.input + entry.expectation.output;
        let dearest =
            spec.endpoint.pricing.as_ref().and_then(|sheet| sheet.worst_case(whole, Tokens::ZERO, (false, false)));
        ensure(dearest.is_none_or(|most| next <= most), || format!("{}: {next} of {dearest:?}", entry.endpoint))?;
    }
    Ok(())
}

#[test]
fn a_conversation_that_goes_on_costs_its_next_turn_and_no_more() {
    holds(continued);
    // The next turn is told and not counted.
    catches(
        continued,
        &spoiled(|decision| {
            decision.ranked.iter_mut().for_each(|entry| entry.score.terms.retain(|term| term.kind != TermKind::Next));
        }),
    );
    // It is counted within the price of this turn.
    catches(
        continued,
        &spoiled(|decision| {
            for score in decision.ranked.iter_mut().map(|entry| &mut entry.score) {
                let next = score.amount(TermKind::Next).unwrap_or_default();
                score.terms.retain(|term| term.kind != TermKind::Next);
                let price = score.terms.iter_mut().filter(|term| term.kind == TermKind::Price);
                price.for_each(|term| term.amount += next);
            }
        }),
    );
    catches(continued, &misasked(|request| request.continues = true));
    // It is counted as if the conversation went on for ever.
    catches(continued, &|request, all, policy, now, seed| {
        let endless = openmux::routing::Policy { continuation: 1.0, ..policy.clone() };
        let mut decision = decide(request, all, &endless, now, seed);
        let usual = decide(request, all, policy, now, seed);
        for entry in &mut decision.ranked {
            let told = usual.ranked.iter().find(|other| other.endpoint == entry.endpoint);
            entry.expectation.next_turn = told.and_then(|told| told.expectation.next_turn);
        }
        decision
    });
}

/// What another provider signed rejects an endpoint, with its maker; nothing else is decided by it.
#[test]
fn what_another_provider_signed_is_a_reason_of_its_own() {
    let law = |decider: Decider<'_>, world: &World| {
        let mut bound = world.clone();
        let maker = ProviderId::new("maker");
        bound.request.state = vec![Origin { provider: maker.clone(), protocol: Protocol::AnthropicMessages }];
        bound.request.output_from = Expected::Assumed;
        let at = usize::try_from(world.luck % u64::try_from(world.specs.len()).unwrap()).unwrap();
        bound.specs[at].foreign_state = Some(maker.clone());
        let decision = bound.decide(decider);
        let gone = decision.rejected.iter().find(|entry| entry.endpoint == *bound.specs[at].id());
        let told = gone.is_some_and(|entry| {
            let ours = |reason: &openmux::routing::Rejection| {
                matches!(reason, openmux::routing::Rejection::ForeignState { made_by } if *made_by == maker)
            };
            entry.reasons.iter().filter(|reason| ours(reason)).count() == 1
        });
        ensure(told, || format!("{gone:?}"))
    };
    holds(law);
    catches(law, &misread(|candidate| candidate.foreign_state = None));
}
