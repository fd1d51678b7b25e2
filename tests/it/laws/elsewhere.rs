//! What a request would have come to elsewhere: what was seen where it was seen, else what was expected.

use std::time::Duration;

use openmux::catalog::{EndpointId, ModelId, ProviderId, Usage};
use openmux::observe::{CostState, ErrorClass, Observation, Timings};
use openmux::routing::{
    Candidate, Failover, Input, Kept, Limits, Outcome, Policy, Preset, Step, Tally, Verdict as Said, decide, happened,
    would,
};
use openmux::units::{Tokens, Usd};

use super::super::support::attempts;
use super::world::{World, now, plain};
use super::{Verdict, ensure, tried};

const WHOLE: u64 = 1_000_000_000_000;

fn seen(endpoint: &EndpointId, class: ErrorClass, luck: u64) -> Observation {
    let answered = class.is_success();
    Observation {
        at: now(),
        endpoint: endpoint.clone(),
        model: ModelId::new("a/m"),
        group: [7; 16],
        class,
        http_status: None,
        timings: Timings {
            connect: luck.is_multiple_of(3).then(|| Duration::from_micros(luck % 90_000)),
            ttft: answered.then(|| Duration::from_micros(100_000 + luck % 3_000_000)),
            decode: answered.then(|| Duration::from_micros(luck % 7_000_000)),
            e2e: Some(Duration::from_micros(luck % 9_000_000)),
            ..Timings::default()
        },
        usage: answered.then(|| Usage::text(1 + luck % 5000, 1 + luck % 3000)),
        cost: answered.then(|| Usd::from_pico(i64::try_from(luck % 1_000_000_007).unwrap())),
        cost_state: if answered { CostState::Exact } else { CostState::Unknown },
        finish: None,
        asked: openmux::observe::Asked::default(),
        ..attempts::answered(endpoint.provider.as_str(), 0)
    }
}

/// The world's request carried out by the real state machine against made-up answers.
fn carried_out(world: &World) -> Option<(Kept, Vec<Observation>)> {
    use ErrorClass::{Auth, Ok, OkTruncated, Overloaded, ProviderFault, ProviderTimeout, RateLimited, StreamBroken};
    let candidates = world.specs.iter().map(|spec| spec.candidate().into_owned()).collect();
    let (request, policy) = (world.request.clone(), world.policy.clone());
    let input = Input { request, candidates, policy, now: now(), seed: world.seed };
    let decision = input.decide();
    let limits = Limits {
        max_attempts: decision.policy.max_attempts,
        retries: decision.policy.retries,
        first_token: None,
        max_wait: Duration::from_secs(3600),
    };
    let (mut failover, mut elapsed) = (Failover::new(&decision, limits), Duration::ZERO);
    let mut luck = world.luck;
    let mut attempts = Vec::new();
    loop {
        luck = luck.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        match failover.next(elapsed) {
            Step::Wait(wait) => elapsed += wait,
            Step::GiveUp(_) => break,
            Step::Try { endpoint, .. } => {
                let classes = [
                    Ok,
                    Overloaded,
                    ProviderFault,
                    RateLimited,
                    Auth,
                    OkTruncated,
                    ProviderTimeout,
                    StreamBroken,
                    Overloaded,
                ];
                let class = classes[usize::try_from(luck >> 40).unwrap() % classes.len()];
                attempts.push(seen(&endpoint, class, luck >> 20));
                if class.is_success() {
                    break;
                }
                failover.failed(class, None, elapsed);
            }
        }
    }
    let kept = Kept::new([7; 16], input, &decision);
    (!attempts.is_empty()).then_some((kept, attempts))
}

type Judge<'a> = &'a dyn Fn(&Kept, &[&Observation], &Policy) -> Option<Outcome>;

/// Under the policy that decided, what happened is what would have happened.
fn recorded(judge: Judge<'_>, world: &World) -> Verdict {
    let Some((kept, attempts)) = carried_out(world) else { return Ok(()) };
    let attempts: Vec<&Observation> = attempts.iter().collect();
    let (truth, again) = (happened(&attempts), judge(&kept, &attempts, &kept.input.policy));
    ensure(truth == again && truth.is_some(), || format!("{truth:?} became {again:?} with {attempts:#?}"))
}

/// Under any policy nothing is made of more than one request, and nothing of nothing.
fn whole(judge: Judge<'_>, world: &World) -> Verdict {
    let Some((kept, attempts)) = carried_out(world) else { return Ok(()) };
    let attempts: Vec<&Observation> = attempts.iter().collect();
    for preset in Preset::ALL {
        let outcome = judge(&kept, &attempts, &kept.input.traded(&Policy::preset(preset))).unwrap();
        let fits = outcome.failed <= WHOLE && outcome.measured <= WHOLE && outcome.paid >= Usd::ZERO;
        ensure(fits, || format!("{}: {outcome:?}", preset.name()))?;
        let first = kept.input.decide_by(&kept.input.traded(&Policy::preset(preset)));
        let there = attempts.iter().find(|seen| first.chosen().is_some_and(|entry| entry.endpoint == seen.endpoint));
        let answered = there.is_some_and(|seen| seen.class.is_success());
        // Whoever answered in truth, asked first, answers.
        ensure(!answered || (outcome.failed == 0 && outcome.measured == WHOLE), || format!("{outcome:?}"))?;
    }
    Ok(())
}

fn checked(law: fn(Judge<'_>, &World) -> Verdict, judge: Judge<'_>) -> Verdict {
    tried(|_, world| law(judge, world), &decide, 1500, 0)
}

#[test]
fn the_recorded_policy_reproduces_what_happened() {
    checked(recorded, &would).unwrap();
    checked(whole, &would).unwrap();
}

#[test]
fn a_judge_who_forgets_is_noticed() {
    let forgets_the_last = |kept: &Kept, attempts: &[&Observation], policy: &Policy| {
        would(kept, &attempts[..attempts.len().max(2) - 1], policy)
    };
    assert!(checked(recorded, &forgets_the_last).is_err());
    let knows_one_policy = |kept: &Kept, attempts: &[&Observation], _: &Policy| {
        would(kept, attempts, &kept.input.traded(&Policy::preset(Preset::Price)))
    };
    assert!(checked(recorded, &knows_one_policy).is_err());
    let sees_nothing = |kept: &Kept, attempts: &[&Observation], policy: &Policy| {
        would(kept, attempts, policy).map(|outcome| Outcome { measured: 0, ..outcome })
    };
    assert!(checked(whole, &sees_nothing).is_err());
}

/// Two endpoints; the dear one is known to be fast, and was asked.
fn pair() -> (Kept, Observation) {
    let weighed = |name: &str, input: &str, output: &str| {
        let id = EndpointId { provider: ProviderId::new(name), upstream_model: "m".into() };
        let mut endpoint = plain(&id);
        let mut sheet = openmux::catalog::Pricing::default();
        sheet.set("input", input).unwrap();
        sheet.set("output", output).unwrap();
        endpoint.pricing = Some(sheet);
        Candidate::new(&endpoint, openmux::catalog::ProviderKind::Host).into_owned()
    };
    let constraints = openmux::routing::Constraints::default();
    let asked =
        openmux::dispatch::shape(&ModelId::new("a/m"), Tokens::new(900), Tokens::new(250), Tokens::ZERO, constraints);
    let mut fast = weighed("fast", "10", "20");
    fast.stats.ttft_lasting = openmux::observe::Moments { weight: 500.0, mean: 0.01_f64.ln(), squares: 0.0 };
    let candidates = vec![weighed("slow", "1", "2"), fast];
    let input = Input { request: asked, candidates, policy: Policy::preset(Preset::Latency), now: now(), seed: 0 };
    let decision = input.decide();
    assert_eq!(decision.chosen().unwrap().endpoint.provider.as_str(), "fast");
    let mut attempt = seen(&decision.chosen().unwrap().endpoint, ErrorClass::Ok, 0);
    attempt.timings.ttft = Some(Duration::from_millis(12));
    attempt.usage = Some(Usage::text(1000, 2000));
    attempt.cost = Some("0.05".parse().unwrap());
    (Kept::new([7; 16], input, &decision), attempt)
}

#[test]
fn an_endpoint_that_was_not_tried_is_what_was_expected_of_it_for_the_tokens_that_were_used() {
    let (kept, attempt) = pair();
    let price = kept.input.traded(&Policy::preset(Preset::Price));
    let outcome = would(&kept, &[&attempt], &price).unwrap();
    assert!(outcome.differs);
    // It answers with 0.992, at 1,000 x $1 + 2,000 x $2 a million; else the fast one does what it did.
    let expected =
        "0.005".parse::<Usd>().unwrap().share(992_000_000_000) + "0.05".parse::<Usd>().unwrap().share(8_000_000_000);
    assert_eq!(outcome.paid, expected);
    assert_eq!((outcome.failed, outcome.measured), (0, 8_000_000_000));
    // e to the power of ln 0.6 + 0.125, then 2,000 tokens at 240 a second; a failure takes a second.
    let (wait, stream) = (outcome.wait.as_secs_f64(), outcome.stream.as_secs_f64());
    let first = 0.6 * 0.125_f64.exp();
    assert!((wait - (0.992 * first + 0.008 * (1.0 + 0.012))).abs() < 1e-6, "{wait}");
    assert!((stream - 0.992 * 2000.0 / 240.0).abs() < 1e-6, "{stream}");
}

#[test]
fn a_change_is_only_told_where_it_is_more_than_chance() {
    let (kept, attempt) = pair();
    let price = kept.input.traded(&Policy::preset(Preset::Price));
    let truth = happened(&[&attempt]).unwrap();
    let tally = |many: usize, outcome: &Outcome| {
        let mut tally = Tally::default();
        (0..many).for_each(|_| tally.add(outcome, &truth));
        tally
    };
    let outcome = would(&kept, &[&attempt], &price).unwrap();
    let verdicts =
        |tally: &Tally| [tally.paid_change(), tally.wait_change(), tally.failed_change()].map(|one| one.verdict);
    assert_eq!(verdicts(&tally(19, &outcome)), [Said::TooFew, Said::TooFew, Said::Same]);
    assert_eq!(verdicts(&tally(20, &outcome)), [Said::Less, Said::More, Said::Same]);
    let mut mixed = tally(15, &outcome);
    (0..15).for_each(|_| mixed.add(&Outcome { paid: truth.paid + truth.paid, ..truth }, &truth));
    assert_eq!(mixed.paid_change().verdict, Said::NotSeparable);
    assert_eq!(tally(20, &truth).paid_change().sum, 0);
    assert!(tally(20, &truth).is_measured() && !mixed.is_measured());
}

#[test]
fn what_the_user_stopped_says_nothing() {
    let (kept, mut attempt) = pair();
    attempt.class = ErrorClass::Aborted;
    assert_eq!((happened(&[&attempt]), happened(&[])), (None, None));
    assert_eq!(would(&kept, &[&attempt], &Policy::default()), None);
}
