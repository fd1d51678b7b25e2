//! What is said to change a decision changes it: each side of every flip is decided anew.

use openmux::catalog::EndpointId;
use openmux::catalog::price::Rate;
use openmux::observe::Moments;
use openmux::routing::{Candidate, Change, Credential, Flip, Question, Why, decide};
use openmux::units::{Usd, UsdPerMtok};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::world::{Spec, World, now, worlds};
use super::{Verdict, ensure};

/// Asks in a world.
fn asking<T>(world: &World, ask: impl FnOnce(&Question<'_>) -> T) -> T {
    let candidates: Vec<Candidate<'_>> = world.specs.iter().map(Spec::candidate).collect();
    let (request, policy, seed) = (&world.request, &world.policy, world.seed);
    ask(&Question { request, candidates: &candidates, policy, now: now(), seed })
}

/// Who goes first at a value of a change, by a world that is changed by hand.
fn first_at(world: &World, change: &Change, value: u64) -> Option<EndpointId> {
    let mut world = world.clone();
    let spec = |world: &mut World, id: &EndpointId| world.specs.iter().position(|spec| spec.id() == id).unwrap();
    match change {
        Change::TimeValue => {
            let per_hour: Usd = UsdPerMtok::from_millionths(value).exact().parse().unwrap();
            world.policy = world.policy.with_time_value(per_hour);
        }
        Change::Price { endpoint, item } => {
            let at = spec(&mut world, endpoint);
            let sheet = world.specs[at].endpoint.pricing.as_mut().unwrap();
            sheet.rates.insert(*item, Rate::flat(UsdPerMtok::from_millionths(value)));
        }
        Change::Ttft { endpoint } => {
            let at = spec(&mut world, endpoint);
            #[expect(clippy::cast_precision_loss, reason = "milliseconds")]
            let mean = libm::log(value.max(1) as f64 / 1000.0);
            let sure = Moments { weight: 1e12, mean, squares: 0.0 };
            let stats = &mut world.specs[at].stats;
            (stats.ttft, stats.ttft_lasting, stats.ttft_by_size) = (sure, sure, [sure; 4]);
            stats.age = stats.age.or(Some(std::time::Duration::ZERO));
        }
    }
    world.decide(&decide).ranked.into_iter().next().map(|entry| entry.endpoint)
}

/// Both sides of every flip, and what lies between now and it; `spoil` is a planted bug.
fn true_flips(world: &World, spoil: fn(&mut Flip), seen: &mut usize) -> Verdict {
    let decision = world.decide(&decide);
    let Some(first) = decision.chosen().map(|entry| entry.endpoint.clone()) else { return Ok(()) };
    let mut flips = asking(world, |question| question.flips(&decision));
    for entry in decision.ranked.iter().skip(1) {
        let Why::Behind { flips: own, .. } = asking(world, |question| question.why(&decision, &entry.endpoint)) else {
            return Err(format!("{} is not behind", entry.endpoint));
        };
        let leads = own.iter().all(|flip| flip.to == entry.endpoint);
        ensure(leads, || format!("{} is told of others: {own:?}", entry.endpoint))?;
        flips.extend(own);
    }
    for flip in &mut flips {
        spoil(flip);
        *seen += 1;
        ensure(flip.holds_at.abs_diff(flip.flips_at) == 1, || format!("{flip:?} is not to the unit"))?;
        let at = |value: u64| first_at(world, &flip.change, value);
        ensure(at(flip.flips_at) == Some(flip.to.clone()), || format!("{:?} at {flip:?}", at(flip.flips_at)))?;
        // Of an endpoint that is behind, another may go first until it does itself.
        let stays = |value: u64| match &flip.change {
            Change::TimeValue => at(value).as_ref() == Some(&first),
            Change::Price { endpoint, .. } | Change::Ttft { endpoint } if *endpoint == first => {
                at(value).as_ref() == Some(&first)
            }
            Change::Price { endpoint, .. } | Change::Ttft { endpoint } => at(value).as_ref() != Some(endpoint),
        };
        ensure(flip.to != first, || format!("{flip:?} is no change"))?;
        for eighths in 0..=8 {
            let (from, to) = (i128::from(flip.now), i128::from(flip.holds_at));
            let value = u64::try_from(from + (to - from) * eighths / 8).unwrap();
            ensure(stays(value), || format!("{value} lies before {flip:?}, and {:?} goes first", at(value)))?;
        }
    }
    Ok(())
}

/// Endpoints with the variables that they lack.
type Keys = Vec<(EndpointId, Vec<String>)>;

/// A key that is said to put its endpoint first does.
fn true_keys(world: &World, spoil: fn(&mut Keys), seen: &mut usize) -> Verdict {
    let decision = world.decide(&decide);
    let mut keys = asking(world, |question| question.keys(&decision));
    spoil(&mut keys);
    for entry in &decision.rejected {
        let mut keyed = world.clone();
        let spec = keyed.specs.iter_mut().find(|spec| *spec.id() == entry.endpoint).unwrap();
        spec.credential = Credential::NotNeeded;
        spec.missing_settings.clear();
        let after = keyed.decide(&decide);
        let leads = after.chosen().is_some_and(|first| first.endpoint == entry.endpoint);
        let told = keys.iter().any(|(endpoint, _)| *endpoint == entry.endpoint);
        let keyless = matches!(world.spec(&entry.endpoint).credential, Credential::Missing { .. });
        let unset = !world.spec(&entry.endpoint).missing_settings.is_empty();
        ensure(told == (leads && (keyless || unset)), || format!("{}: told {told}, leads {leads}", entry.endpoint))?;
        *seen += usize::from(told);
    }
    Ok(())
}

fn tried(mut law: impl FnMut(&World) -> Verdict, cases: u32) -> Verdict {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 0, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let law = std::cell::RefCell::new(&mut law);
    let outcome =
        runner.run(&worlds(), |world| (law.borrow_mut())(&world).map_err(proptest::test_runner::TestCaseError::fail));
    outcome.map_err(|error| error.to_string())
}

#[test]
fn each_side_of_a_flip_is_as_it_is_told() {
    let mut seen = 0;
    tried(|world| true_flips(world, |_| {}, &mut seen), 150).unwrap();
    assert!(seen > 100, "{seen} flips in all the worlds");
    let caught = |spoil: fn(&mut Flip)| {
        let mut seen = 0;
        assert!(tried(|world| true_flips(world, spoil, &mut seen), 150).is_err(), "the planted bug went unnoticed");
    };
    caught(|flip| std::mem::swap(&mut flip.holds_at, &mut flip.flips_at));
    // One unit beside it, towards where nothing changes yet.
    caught(|flip| {
        let away = flip.flips_at > flip.holds_at;
        let moved = |value: u64| if away { value.saturating_sub(1) } else { value + 1 };
        (flip.holds_at, flip.flips_at) = (moved(flip.holds_at), moved(flip.flips_at));
    });
    // Far beyond it, where it has long changed.
    caught(|flip| {
        if flip.flips_at > flip.holds_at && matches!(flip.change, Change::TimeValue) {
            (flip.holds_at, flip.flips_at) = (flip.holds_at * 2 + 10, flip.flips_at * 2 + 10);
            flip.holds_at = flip.flips_at - 1;
        }
    });
}

#[test]
fn a_key_is_told_where_its_endpoint_would_go_first_and_only_there() {
    let mut seen = 0;
    tried(|world| true_keys(world, |_| {}, &mut seen), 600).unwrap();
    assert!(seen > 5, "{seen} keys in all the worlds");
    let caught = |spoil: fn(&mut Keys)| {
        let mut seen = 0;
        assert!(tried(|world| true_keys(world, spoil, &mut seen), 600).is_err(), "the planted bug went unnoticed");
    };
    caught(|keys| drop(keys.pop()));
    caught(|keys| {
        let others = keys.iter().map(|(endpoint, names)| {
            (EndpointId { provider: endpoint.provider.clone(), upstream_model: "m0".to_owned() }, names.clone())
        });
        *keys = others.collect();
    });
}
