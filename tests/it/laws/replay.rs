//! A decision that was kept is made again to the byte, whatever the world is like.

use std::time::Duration;

use openmux::catalog::price::{FeeItem, Item, OffPeak, Rate, ServiceTier, Window};
use openmux::catalog::{Origin, Protocol, ProviderId};
use openmux::observe::{Bucket, CacheHits, Cooling, ErrorClass, Headroom};
use openmux::routing::{Candidate, Expected, Input, Kept, Policy, Rule, decide, decision_hex};
use openmux::store::{Memory, ObservationStore};
use openmux::units::Tokens;

use super::world::{World, now};
use super::{Verdict, ensure, tried};

/// What carries an input from one process to another.
type Carrier<'a> = &'a dyn Fn(&Input) -> Input;

/// The store, which writes it as text.
fn stored(input: &Input) -> Input {
    let store = Memory::new();
    let id = [0xab; 16];
    store.keep_decision(Kept::new(id, input.clone(), &input.decide())).unwrap();
    let mut found = store.decision(&decision_hex(&id)[..4]).unwrap();
    found.remove(0).input
}

/// The world as an input, with what worlds are dull about: moments between two milliseconds, floats without an end, limits
/// of the provider's, hours and tiers of a price sheet.
fn input(world: &World) -> Input {
    let mut luck = world.luck;
    let mut next = |most: u64| {
        luck = luck.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (luck >> 33) % most
    };
    let at = now() + Duration::from_nanos(next(1_000_000_000));
    let mut candidates: Vec<Candidate<'static>> =
        world.specs.iter().map(|spec| spec.candidate().into_owned()).collect();
    for candidate in &mut candidates {
        #[expect(clippy::cast_precision_loss, reason = "any float will do")]
        let mut odd = || 1.0 / (next(1_000_003) as f64 + 3.0);
        let stats = &mut candidate.stats;
        stats.ttft.weight += odd();
        stats.ttft.mean += odd();
        stats.ttft_by_size[1].squares += odd();
        stats.speed_lasting.weight += odd();
        stats.lasting.faults += odd();
        stats.recent.successes += odd();
        stats.cache = CacheHits { asked: odd(), served: odd() / 2.0 };
        if next(3) == 0 {
            let said = at - Duration::from_nanos(next(20_000_000_000));
            let full_at = said + Duration::from_nanos(next(60_000_000_000));
            let bucket = |limit| Some(Bucket { limit, left: limit / 50, at: said, full_at });
            stats.headroom = Headroom { requests: bucket(60), tokens: bucket(30_000) };
        }
        if next(4) == 0 {
            stats.cooling =
                stats.cooling.map(|cooling| Cooling { until: at + Duration::from_nanos(next(3)), ..cooling });
        }
        stats.half_open = next(5) == 0;
        if next(4) == 0 {
            let until = at - Duration::from_nanos(1 + next(90_000_000_000));
            stats.half_open = true;
            stats.paused = Some(Cooling { until, class: ErrorClass::Overloaded });
        }
        if next(4) == 0 {
            let back = at - Duration::from_nanos(next(40_000_000_000));
            (stats.cooling, stats.half_open, stats.paused, stats.reopened) = (None, false, None, Some(back));
        }
        stats.last_success = (next(3) == 0).then_some(at - Duration::from_nanos(17));
        candidate.hides_reasoning = next(6) == 0;
        candidate.keeps_marks = next(2) == 0;
        candidate.foreign_state = (next(8) == 0).then(|| ProviderId::new("p1"));
        candidate.lacks = if next(8) == 0 { vec!["a word of an adapter"] } else { Vec::new() };
        let Some(sheet) = candidate.endpoint.to_mut().pricing.as_mut() else { continue };
        let base = |text: &str| Rate::flat(text.parse().unwrap());
        if next(4) == 0 {
            let windows = vec![Window { from: 660, to: 60, weekdays: if next(2) == 0 { vec![2] } else { Vec::new() } }];
            sheet.off_peak = Some(OffPeak { windows, rates: [(Item::Input, "0.135".parse().unwrap())].into() });
        }
        if next(5) == 0 {
            sheet.service.entry(ServiceTier::Batch).or_default().insert(Item::Output, base("1.000000000001"));
            sheet.fees.insert(
                FeeItem::Request,
                openmux::catalog::price::Fee { price: "0.0000000000000125".parse().unwrap(), per: 3 },
            );
        }
    }
    let mut request = world.request.clone();
    if next(3) == 0 {
        request.input_bound = Tokens::MAX;
    }
    if next(3) == 0 {
        request.state = vec![Origin { provider: ProviderId::new("p1"), protocol: Protocol::AnthropicMessages }];
    }
    request.output_from = [Expected::Assumed, Expected::Stated, Expected::Measured { answers: 1 + next(40) }]
        [usize::try_from(next(3)).unwrap()];
    let mut policy = world.policy.clone();
    if next(4) == 0 {
        policy.rule = Rule::ALL[usize::try_from(next(5)).unwrap()];
    }
    policy.cache_lifetime += Duration::from_nanos(next(1_000_000_000));
    policy.cache_min = Tokens::new(next(4096));
    policy.ramp_step += Duration::from_nanos(next(5_000_000_000));
    policy.ramp_free += u32::try_from(next(2)).unwrap();
    policy.prior_output = Tokens::new(1 + next(4096));
    policy.prior_answers += 1.0 / f64::from(u32::try_from(next(1_000_003)).unwrap() + 3);
    Input { request, candidates, policy, now: at, seed: world.seed }
}

fn same(carrier: Carrier<'_>, world: &World) -> Verdict {
    let before = input(world);
    let after = carrier(&before);
    let (first, second) = (before.decide(), after.decide());
    let differs = || format!("{first:#?}\nbecame {second:#?}");
    ensure(format!("{first:?}") == format!("{second:?}"), differs)?;
    // What the decision does not say itself is in the input.
    let (input, after) = (format!("{before:?}"), format!("{after:?}"));
    ensure(input == after, || format!("{input}\nbecame {after}"))
}

#[test]
fn a_kept_decision_is_made_again_to_the_byte() {
    if let Err(why) = tried(|_, world| same(&stored, world), &decide, 1500, 4000) {
        panic!("{why}");
    }
}

type Loss = (&'static str, fn(&mut Input));

/// What a worse codec would lose, each on its own.
const BUGS: [Loss; 30] = [
    ("nanoseconds", |input| {
        input.now = jiff::Timestamp::from_millisecond(input.now.as_millisecond()).unwrap();
    }),
    ("the last bits of a float", |input| {
        let means = input.candidates.iter_mut().map(|candidate| &mut candidate.stats.ttft.mean);
        means.for_each(|mean| *mean = format!("{mean:.12}").parse().unwrap());
    }),
    ("the tiers of a price", |input| {
        let sheets = input.candidates.iter_mut().filter_map(|candidate| candidate.endpoint.to_mut().pricing.as_mut());
        sheets.flat_map(|sheet| sheet.rates.values_mut()).for_each(|rate| rate.tiers.clear());
    }),
    ("off-peak hours", |input| {
        let sheets = input.candidates.iter_mut().filter_map(|candidate| candidate.endpoint.to_mut().pricing.as_mut());
        sheets.for_each(|sheet| sheet.off_peak = None);
    }),
    ("fees", |input| {
        let sheets = input.candidates.iter_mut().filter_map(|candidate| candidate.endpoint.to_mut().pricing.as_mut());
        sheets.for_each(|sheet| sheet.fees.clear());
    }),
    ("the factor of a sheet", |input| {
        let sheets = input.candidates.iter_mut().filter_map(|candidate| candidate.endpoint.to_mut().pricing.as_mut());
        sheets.for_each(|sheet| sheet.multiplier = openmux::catalog::Pricing::default().multiplier);
    }),
    ("what is left of a limit", |input| {
        input.candidates.iter_mut().for_each(|candidate| candidate.stats.headroom = Headroom::default());
    }),
    ("what an endpoint lacks", |input| input.candidates.iter_mut().for_each(|candidate| candidate.lacks.clear())),
    ("the warm cache", |input| input.request.warm.clear()),
    ("the half of a seed", |input| input.seed &= u64::from(u32::MAX)),
    ("requests in flight", |input| input.candidates.iter_mut().for_each(|candidate| candidate.in_flight = 0)),
    ("where a key was looked for", |input| {
        for candidate in &mut input.candidates {
            if let openmux::routing::Credential::Missing { looked_in } = &mut candidate.credential {
                looked_in.clear();
            }
        }
    }),
    ("the pause that is over", |input| {
        input.candidates.iter_mut().for_each(|candidate| candidate.stats.paused = None);
    }),
    ("the return after a pause", |input| {
        input.candidates.iter_mut().for_each(|candidate| candidate.stats.reopened = None);
    }),
    ("the step of a return", |input| input.policy.ramp_step = Policy::default().ramp_step),
    ("how few run nobody over", |input| input.policy.ramp_free = Policy::default().ramp_free),
    ("who cannot take the state", |input| {
        input.candidates.iter_mut().for_each(|candidate| candidate.foreign_state = None);
    }),
    ("whose state goes along", |input| input.request.state.clear()),
    ("where the expected output comes from", |input| input.request.output_from = Expected::Assumed),
    ("the thresholds", |input| input.request.constraints.thresholds.clear()),
    ("whether a threshold is firm", |input| {
        input.request.constraints.thresholds.iter_mut().for_each(|limit| limit.firm = false);
    }),
    ("the quantisations", |input| input.request.constraints.quantization.clear()),
    ("the region", |input| input.request.constraints.region = None),
    ("what is required", |input| input.request.constraints.require.clear()),
    ("leniency", |input| input.request.constraints.lenient = false),
    ("the rule", |input| input.policy.rule = Rule::Score),
    ("the life of a cache", |input| input.policy.cache_lifetime = Policy::default().cache_lifetime),
    ("the least of a cache", |input| input.policy.cache_min = Policy::default().cache_min),
    ("the prior of the output", |input| input.policy.prior_output = Policy::default().prior_output),
    ("the weight of that prior", |input| input.policy.prior_answers = Policy::default().prior_answers),
];

#[test]
fn what_a_worse_codec_loses_is_noticed() {
    for (what, lose) in BUGS {
        let worse = |input: &Input| {
            let mut after = stored(input);
            lose(&mut after);
            after
        };
        let caught = tried(|_, world| same(&worse, world), &decide, 1000, 0);
        assert!(caught.is_err(), "the loss of {what} went unnoticed");
    }
}
