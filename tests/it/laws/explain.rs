//! The explanation is the score.

use openmux::catalog::{ModelId, ProviderKind, Usage};
use openmux::chat::{ChatRequest, Message, Role};
use openmux::routing::{
    Constraints, Decision, Expected, Needs, Policy, Ranked, RouteRequest, Score, Term, TermKind, decide,
};
use openmux::units::{Tokens, Usd};

use super::tie::may_lead;
use super::world::{Decider, World, now};
use super::{Verdict, catches, ensure, holds, misread, spoiled};

/// What the expected request costs there, billed anew: with the prefix cached as often as the cache holds it; and
/// the next turn of a conversation.
fn billed(world: &World, entry: &Ranked) -> Option<(Usd, Option<Usd>)> {
    let (request, spec) = (&world.request, world.spec(&entry.endpoint));
    let limits = [request.max_output, spec.endpoint.max_output].into_iter().flatten();
    let output = limits.fold(request.expected_output, Tokens::min);
    let bill = |input: Tokens, cached: Tokens, output: Tokens| {
        let usage =
            Usage { input: Some(input), output: Some(output), cache_read: Some(cached.min(input)), ..Usage::default() };
        match &spec.endpoint.pricing {
            Some(sheet) => {
                sheet.cost(&usage, now()).ok().map(|cost| cost.total).filter(|_| spec.candidate().is_priced())
            }
            None => (spec.kind == ProviderKind::Local).then_some(Usd::ZERO),
        }
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a share is within 0 and 1")]
    let trillionths = |share: f64| (share * 1e12).round_ties_even() as u64;
    let hits = trillionths(entry.expectation.cache_hit.map_or(0.0, |hit| hit.value));
    let mixed = |one: Usd, other: Usd| one.share(hits) + other.share(1_000_000_000_000 - hits);
    let warm = request.warm.iter().find(|warm| warm.endpoint == entry.endpoint).map(|warm| warm.tokens);
    let cold = bill(request.input, request.cached, output)?;
    let turn = match warm.filter(|warm| *warm > request.cached) {
        Some(warm) => mixed(bill(request.input, warm, output)?, cold),
        None => cold,
    };
    if !request.continues {
        return Some((turn, None));
    }
    let whole = request.input + output;
    let next = mixed(bill(whole, whole, Tokens::ZERO)?, bill(whole, Tokens::ZERO, Tokens::ZERO)?);
    Some((turn, Some(next.share(trillionths(world.policy.continuation)))))
}

/// The total is the sum of its terms, the terms are what they say, and the order is by total outside the near-tie at
/// the head.
fn sums(decider: Decider<'_>, world: &World) -> Verdict {
    let decision = world.decide(decider);
    for entry in &decision.ranked {
        let Score { terms, price_known } = &entry.score;
        let kinds: Vec<TermKind> = terms.iter().map(|term| term.kind).collect();
        ensure(kinds.is_sorted() && kinds.windows(2).all(|two| two[0] != two[1]), || format!("terms are {kinds:?}"))?;
        let sum: Usd = terms.iter().map(|term| term.amount).sum();
        ensure(sum == entry.score.total(), || format!("{sum} is not {}", entry.score.total()))?;
        let rounded = terms.iter().all(|term| term.amount.rounded() == term.amount);
        ensure(rounded, || "a term has more than 12 places".to_owned())?;
        let printed = entry.score.amount(TermKind::Price);
        ensure(printed.is_some() == *price_known, || format!("{}: {terms:?}", entry.endpoint))?;
        let printed = printed.map(|price| price + entry.score.amount(TermKind::Switch).unwrap_or_default());
        let next = entry.score.amount(TermKind::Next);
        let billed = billed(world, entry).map(|(turn, next)| (turn.rounded(), next.map(Usd::rounded)));
        let printed = printed.map(|price| (price, next));
        ensure(printed == billed, || format!("{} prints {printed:?} and bills {billed:?}", entry.endpoint))?;
    }
    ordered(world, &decision)
}

fn ordered(world: &World, decision: &Decision) -> Verdict {
    let key = |entry: &Ranked| {
        let reopens = entry.cooling.filter(|_| decision.all_cooling).map(|cooling| cooling.until);
        let place = world.place(&entry.endpoint);
        let class = (entry.is_held_back(), place, reopens, entry.grade(), !entry.score.price_known);
        (class, entry.score.total(), entry.endpoint.clone())
    };
    let [first, rest @ ..] = decision.ranked.as_slice() else { return Ok(()) };
    ensure(rest.is_sorted_by_key(key), || format!("{rest:?} is not in order"))?;
    ensure(rest.iter().all(|entry| entry.tie.is_none()), || "a tie is settled behind the head".to_owned())?;
    match first.tie {
        None => ensure(rest.iter().all(|entry| key(first) < key(entry)), || "the head is not the best".to_owned()),
        Some(tie) => {
            let leads = may_lead(world, decision).iter().any(|entry| entry.endpoint == first.endpoint);
            ensure(leads && !decision.all_cooling, || format!("{} does not lead", first.endpoint))?;
            ensure(tie.among >= 2 && tie.among <= decision.ranked.len(), || format!("{tie:?}"))
        }
    }
}

fn nudged(kind: TermKind, cents: &'static str) -> impl Fn(&mut Decision) {
    move |decision| {
        let terms = decision.ranked.iter_mut().flat_map(|entry| &mut entry.score.terms);
        terms.filter(|term| term.kind == kind).for_each(|term| term.amount += cents.parse().unwrap_or_default());
    }
}

#[test]
fn the_total_is_the_sum_of_its_terms_and_the_order_is_by_total() {
    holds(sums);
    // A price that is printed without what it really costs.
    catches(sums, &spoiled(nudged(TermKind::Price, "0.0001")));
    catches(sums, &spoiled(nudged(TermKind::Next, "0.0001")));
    catches(
        sums,
        &misread(|candidate| {
            if candidate.endpoint.pricing.is_none() {
                candidate.kind = ProviderKind::Local;
            }
        }),
    );
    // A term that was compared and is not printed.
    catches(
        sums,
        &spoiled(|decision| {
            decision.ranked.iter_mut().for_each(|entry| entry.score.terms.retain(|term| term.kind != TermKind::Load));
        }),
    );
    // A term that is counted twice.
    catches(
        sums,
        &spoiled(|decision| {
            let twice = |terms: &mut Vec<Term>| terms.extend(terms.last().copied());
            decision.ranked.iter_mut().for_each(|entry| twice(&mut entry.score.terms));
        }),
    );
    catches(sums, &spoiled(|decision| decision.ranked.reverse()));
    // A near-tie that is settled again behind the head.
    catches(
        sums,
        &spoiled(|decision| {
            if let [_, a, b, ..] = decision.ranked.as_mut_slice() {
                std::mem::swap(a, b);
            }
        }),
    );
}

#[test]
fn the_margin_is_what_separates_the_first_from_the_best_of_the_others() {
    holds(|decider, world| {
        let decision = world.decide(decider);
        let totals: Vec<Usd> = decision.ranked.iter().map(|entry| entry.score.total()).collect();
        let expected = totals.get(1..).and_then(|rest| rest.iter().min()).map(|best| *best - totals[0]);
        ensure(decision.margin() == expected, || format!("{:?} is not {expected:?}", decision.margin()))
    });
}

/// No `..` here: a field that could hold text has to be looked at before it joins.
#[test]
fn a_decision_holds_no_prompt() {
    let secret = "the quick brown fox";
    let chat = ChatRequest {
        messages: vec![Message::text(Role::System, secret), Message::text(Role::User, secret)],
        stop: vec![secret.to_owned()],
        extra: serde_json::from_str(&format!("{{\"user\": \"{secret}\"}}")).unwrap(),
        ..ChatRequest::new(ModelId::new("a/m"), Vec::new())
    };
    let request = openmux::dispatch::route_request(&chat, Constraints::default());
    let decision = decide(&request, &[], &Policy::default(), now(), 0);
    assert!(!format!("{decision:?}").contains("quick"));
    let RouteRequest {
        model: _,
        input: Tokens { .. },
        input_estimated: true,
        guessed: Tokens { .. },
        input_bound: Tokens { .. },
        cached: Tokens { .. },
        marked: Tokens { .. },
        marked_1h: Tokens { .. },
        expected_output: Tokens { .. },
        output_from: Expected::Assumed,
        max_output: None,
        stream: true,
        needs: Needs { temperature: false, tools: false, images: false, pdfs: false },
        warm: _,
        state: _,
        continues: false,
        constraints:
            Constraints {
                order: _,
                only: _,
                ignore: _,
                max_price_in: _,
                max_price_out: _,
                max_cost: _,
                allow_unpriced: _,
                no_gateways: _,
                thresholds: _,
                quantization: _,
                region: _,
                require: _,
                lenient: false,
            },
    } = request
    else {
        panic!("{request:?}");
    };
}
