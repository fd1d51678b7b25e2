//! The laws of `decide` as functions over a [`Decider`], each tried on the real one and on one with a planted bug:
//! a law is not done until a deliberate bug has failed it.

mod back;
mod elsewhere;
mod explain;
mod hedge;
mod optimal;
mod order;
mod rejection;
mod replay;
mod rules;
mod tie;
mod warm;
mod whatif;
mod wishes;
pub(crate) mod world;

use jiff::Timestamp;
use openmux::routing::{Candidate, Decision, Policy, RouteRequest, decide};
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use world::{Decider, World, worlds};

/// What a law finds in one world: nothing, or how it is broken.
type Verdict = Result<(), String>;

/// Tries a law on so many worlds, always the same ones.
fn tried(law: impl Fn(Decider<'_>, &World) -> Verdict, decider: Decider<'_>, cases: u32, shrink: u32) -> Verdict {
    let config = Config { cases, failure_persistence: None, max_shrink_iters: shrink, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let outcome =
        runner.run(&worlds(), |world| law(decider, &world).map_err(proptest::test_runner::TestCaseError::fail));
    match outcome {
        Ok(()) => Ok(()),
        Err(TestError::Fail(why, world)) => Err(format!("{why}\nin {world:#?}")),
        Err(TestError::Abort(why)) => panic!("the law could not be tried: {why}"),
    }
}

/// The law holds for the real `decide`.
#[track_caller]
fn holds(law: impl Fn(Decider<'_>, &World) -> Verdict) {
    if let Err(why) = tried(law, &decide, 1500, 4000) {
        panic!("{why}");
    }
}

/// The law fails a `decide` with this bug in it.
#[track_caller]
fn catches(law: impl Fn(Decider<'_>, &World) -> Verdict, bug: Decider<'_>) {
    assert!(tried(law, bug, 4000, 0).is_err(), "the planted bug went unnoticed");
}

/// A bug that spoils the decision.
fn spoiled(
    spoil: impl Fn(&mut Decision),
) -> impl Fn(&RouteRequest, &[Candidate<'_>], &Policy, Timestamp, u64) -> Decision {
    move |request, candidates, policy, now, seed| {
        let mut decision = decide(request, candidates, policy, now, seed);
        spoil(&mut decision);
        decision
    }
}

/// A bug that misreads the candidates.
fn misread(
    misread: impl Fn(&mut Candidate<'_>),
) -> impl Fn(&RouteRequest, &[Candidate<'_>], &Policy, Timestamp, u64) -> Decision {
    move |request, candidates, policy, now, seed| {
        let mut candidates = candidates.to_vec();
        candidates.iter_mut().for_each(&misread);
        decide(request, &candidates, policy, now, seed)
    }
}

/// A bug that misreads the request.
fn misasked(
    misread: impl Fn(&mut RouteRequest),
) -> impl Fn(&RouteRequest, &[Candidate<'_>], &Policy, Timestamp, u64) -> Decision {
    move |request, candidates, policy, now, seed| {
        let mut request = request.clone();
        misread(&mut request);
        decide(&request, candidates, policy, now, seed)
    }
}

fn ensure(holds: bool, why: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(why()) }
}
