//! The laws of `Failover`: a driver plays scripted failures against it and the log is judged by rules, each of which a
//! deliberate bug has to break.

use std::time::Duration;

use openmux::catalog::{EndpointId, Pricing, ProviderId, ProviderKind};
use openmux::observe::{ErrorClass, Failover as Next};
use openmux::routing::{Candidate, Constraints, Decision, Failover, GiveUp, Limits, Policy, Step, decide};
use openmux::units::Tokens;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};

use crate::laws::world::{now, plain};

/// One attempt's fate.
#[derive(Debug, Clone, Copy)]
struct Fate {
    class: ErrorClass,
    retry_after: Option<Duration>,
    took: Duration,
    came: Came,
}

/// What came of an answer before it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    Nothing,
    /// Text that may be gone on with.
    Text,
    /// Something that cannot be gone on with, such as a part of a tool call.
    Else,
}

#[derive(Debug, Clone)]
struct Scenario {
    contexts: Vec<Option<u64>>,
    limits: Limits,
    fates: Vec<Fate>,
    seed: u64,
    /// Who can go on with an answer; `None` where nobody asked for that.
    can: Option<Vec<bool>>,
    /// Whether the caller sees nothing before the answer is whole.
    held: bool,
}

impl Scenario {
    fn can(&self, index: usize) -> bool {
        self.can.as_ref().is_some_and(|can| can[index])
    }
}

/// What happened, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Tried { index: usize, again: bool, first_token: Option<Duration>, resume: bool },
    Failed { class: ErrorClass, retry_after: Option<Duration> },
    Shown,
    Broke,
    Waited(Duration),
    GaveUp(GiveUp),
}

fn scenarios() -> impl Strategy<Value = Scenario> {
    let seconds = |most: u64| (0..=most * 10).prop_map(|tenths| Duration::from_millis(tenths * 100));
    let class = prop::sample::select(&ErrorClass::ALL[4..]);
    let lively = prop::sample::select(vec![ErrorClass::Overloaded, ErrorClass::RateLimited, ErrorClass::TooLarge]);
    let came = prop_oneof![10 => Just(Came::Nothing), 5 => Just(Came::Text), 1 => Just(Came::Else)];
    let fate = (prop_oneof![class, lively], prop::option::of(seconds(12)), seconds(9), came);
    let fate = fate.prop_map(|(class, retry_after, took, came)| Fate { class, retry_after, took, came });
    let limits = (1_u32..8, 0_u32..4, prop::option::of(seconds(60)), seconds(8)).prop_map(
        |(max_attempts, retries, first_token, max_wait)| Limits { max_attempts, retries, first_token, max_wait },
    );
    let context = prop::sample::select(vec![Some(8), Some(32), Some(128), None]);
    let can = prop::option::of(prop::collection::vec(any::<bool>(), 6));
    let rest = (any::<u64>(), can, prop::bool::weighted(0.3));
    (prop::collection::vec(context, 1..6), limits, prop::collection::vec(fate, 12), rest)
        .prop_map(|(contexts, limits, fates, (seed, can, held))| Scenario { contexts, limits, fates, seed, can, held })
}

/// A decision over endpoints with these windows (in thousands), in this order.
fn decision(scenario: &Scenario) -> Decision {
    let mut sheet = Pricing::default();
    sheet.set("input", "1").unwrap();
    sheet.set("output", "1").unwrap();
    let order: Vec<ProviderId> = (0..scenario.contexts.len()).map(|at| ProviderId::new(format!("p{at}"))).collect();
    let endpoints: Vec<_> = order
        .iter()
        .zip(&scenario.contexts)
        .map(|(provider, context)| {
            let mut endpoint = plain(&EndpointId { provider: provider.clone(), upstream_model: "m".into() });
            endpoint.context = context.map(|thousands| Tokens::new(thousands * 1000));
            endpoint.pricing = Some(sheet.clone());
            endpoint
        })
        .collect();
    let candidates: Vec<Candidate<'_>> =
        endpoints.iter().map(|endpoint| Candidate::new(endpoint, ProviderKind::Host)).collect();
    let constraints = Constraints { order, ..Constraints::default() };
    let (input, output) = (Tokens::new(100), Tokens::new(100));
    let request = openmux::dispatch::shape(&endpoints[0].model, input, output, Tokens::ZERO, constraints);
    decide(&request, &candidates, &Policy::default(), now(), scenario.seed)
}

/// The real machine, seen through spectacles; plain ones change nothing.
#[derive(Clone, Copy)]
struct Spectacles {
    limits: fn(Limits) -> Limits,
    elapsed: fn(Duration) -> Duration,
    class: fn(ErrorClass) -> ErrorClass,
    hint: fn(Option<Duration>) -> Option<Duration>,
    deaf_to_shown: bool,
    /// Lets everybody go on, whoever can, and whether or not that was asked for.
    eager: bool,
    /// Takes what the caller has for what nobody has seen.
    secretive: bool,
    /// Counts the time for a first token from the beginning, whatever came since.
    hurried: bool,
    /// Tries the same endpoint once more before any other.
    stubborn: bool,
    /// Goes through the chain from its end.
    backwards: bool,
    /// Gives up for good where it should wait.
    impatient: bool,
    /// Leaves an attempt its time, whatever is left of the whole.
    generous: bool,
}

const PLAIN: Spectacles = Spectacles {
    limits: |limits| limits,
    elapsed: |elapsed| elapsed,
    class: |class| class,
    hint: |hint| hint,
    deaf_to_shown: false,
    eager: false,
    secretive: false,
    hurried: false,
    stubborn: false,
    backwards: false,
    impatient: false,
    generous: false,
};

/// Plays the scenario to its end and writes down what happened.
fn play(scenario: &Scenario, through: Spectacles) -> Result<Vec<(Duration, Event)>, String> {
    let mut decision = decision(scenario);
    let length = decision.ranked.len();
    if through.backwards {
        decision.ranked.reverse();
    }
    let can = |endpoint: &EndpointId| {
        let index = endpoint.provider.as_str().trim_start_matches('p').parse().unwrap_or(0);
        through.eager || scenario.can(index)
    };
    let mut machine = Failover::new(&decision, (through.limits)(scenario.limits)).resuming(can);
    let mut fates = scenario.fates.iter();
    let mut log: Vec<(Duration, Event)> = Vec::new();
    let mut at = Duration::ZERO;
    let mut halved = false;
    for _ in 0..200 {
        let last =
            log.iter().rev().find_map(|(_, event)| if let Event::Tried { .. } = event { Some(*event) } else { None });
        let failed = matches!(log.last(), Some((_, Event::Failed { class, .. })) if class.failover() == (Next::Next { retry_same: true }));
        let step = match (machine.next((through.elapsed)(at)), last) {
            (
                Step::Try { endpoint, first_token, patience, resume, .. },
                Some(Event::Tried { index, again: false, .. }),
            ) if through.stubborn && failed => {
                Step::Try { index, endpoint, first_token, patience, again: true, resume }
            }
            (Step::Wait(_), _) if through.impatient => Step::GiveUp(GiveUp::Exhausted),
            (step, _) => step,
        };
        match step {
            Step::GiveUp(why) => {
                log.push((at, Event::GaveUp(why)));
                return Ok(log);
            }
            Step::Wait(wait) => {
                log.push((at, Event::Waited(wait)));
                // Whoever asks too early is told to wait on.
                halved = !halved;
                at += if halved { wait / 2 } else { wait };
            }
            Step::Try { index, again, first_token, resume, .. } => {
                let index = if through.backwards { length - 1 - index } else { index };
                let first_token = first_token.map(|limit| if through.generous { limit * 3 } else { limit });
                log.push((at, Event::Tried { index, again, first_token, resume }));
                let Some(fate) = fates.next() else { return Err("attempts: more than anybody allows".to_owned()) };
                at += fate.took;
                match fate.came {
                    Came::Nothing => {}
                    Came::Text => {
                        log.push((at, Event::Broke));
                        let shown = !scenario.held && !through.secretive;
                        machine.broke(shown, if through.hurried { Duration::ZERO } else { at });
                    }
                    Came::Else if scenario.held => {
                        log.push((at, Event::Shown));
                        machine.begin_anew();
                    }
                    Came::Else => {
                        log.push((at, Event::Shown));
                        if !through.deaf_to_shown {
                            machine.committed();
                        }
                    }
                }
                log.push((at, Event::Failed { class: fate.class, retry_after: fate.retry_after }));
                machine.failed((through.class)(fate.class), (through.hint)(fate.retry_after), at);
            }
        }
    }
    Err("it never ends".to_owned())
}

/// What is known at some point of the log.
#[derive(Default)]
struct Past {
    tries: Vec<u32>,
    closed: Vec<bool>,
    /// After a failure that allows it: from when it may be tried again, as far as the provider said.
    again_from: Vec<Option<Duration>>,
    current: usize,
    attempts: u32,
    again: u32,
    shown: bool,
    stopped: bool,
    /// Who can go on with an answer.
    can: Vec<bool>,
    /// Since when an answer waits to be gone on with.
    begun: Option<Duration>,
}

impl Past {
    /// Whether somebody is in question, now that there may be an answer to go on with.
    fn is_asked(&self, at: usize) -> bool {
        !self.closed[at] && (self.can[at] || self.begun.is_none())
    }

    fn open(&self) -> Option<usize> {
        (0..self.tries.len()).find(|&at| self.tries[at] == 0 && self.is_asked(at))
    }

    fn retryable(&self) -> bool {
        (0..self.tries.len()).any(|at| self.again_from[at].is_some() && self.is_asked(at))
    }

    fn fail(&mut self, scenario: &Scenario, class: ErrorClass, retry_after: Option<Duration>, at: Duration) {
        let current = self.current;
        match class.failover() {
            Next::Stop if class == ErrorClass::Invalid && self.begun.is_some() => self.can[current] = false,
            Next::Done | Next::Stop => self.stopped = true,
            Next::Next { retry_same } => {
                self.again_from[current] = retry_same.then(|| at + retry_after.unwrap_or_default());
            }
            Next::NextIfFits if class == ErrorClass::TooLarge => {
                if let Some(limit) = scenario.contexts[current] {
                    for (closed, context) in self.closed.iter_mut().zip(&scenario.contexts) {
                        *closed |= context.is_some_and(|context| context <= limit);
                    }
                }
            }
            Next::NextIfFits => {}
        }
    }
}

/// The laws. The word before the colon names the one that is broken.
fn lawful(scenario: &Scenario, log: &[(Duration, Event)]) -> Result<(), String> {
    let links = scenario.contexts.len();
    let limits = scenario.limits;
    let mut past = Past {
        tries: vec![0; links],
        closed: vec![false; links],
        again_from: vec![None; links],
        can: (0..links).map(|at| scenario.can(at)).collect(),
        ..Past::default()
    };
    for &(at, event) in log {
        let rule = |holds: bool, name: &str| if holds { Ok(()) } else { Err(format!("{name}: {event:?} at {at:?}")) };
        let anew = matches!(event, Event::Tried { resume: false, .. });
        if anew && scenario.held && past.begun.is_some() {
            rule(past.open().is_none(), "prefers")?;
            past.begun = None;
        }
        let since = past.begun.unwrap_or_default();
        let left = limits.first_token.map(|limit| limit.saturating_sub(at - since));
        let may_go_on =
            !past.shown && !past.stopped && past.attempts < limits.max_attempts && left != Some(Duration::ZERO);
        match event {
            Event::Tried { index, again, first_token, resume } => {
                rule(!resume || (scenario.can(index) && past.begun.is_some()), "resume")?;
                rule(resume || past.begun.is_none(), "anew")?;
                rule(past.attempts < limits.max_attempts, "attempts")?;
                rule(!past.shown, "shown")?;
                rule(!past.stopped, "stop")?;
                rule(
                    left.is_none_or(|left| !left.is_zero() && first_token.is_some_and(|limit| limit <= left)),
                    "deadline",
                )?;
                rule(again == (past.tries[index] > 0), "again")?;
                rule(past.open().is_none_or(|open| open == index), "open")?;
                rule(!past.closed[index], "closed")?;
                if again {
                    rule(past.again < limits.retries, "retries")?;
                    rule(past.again_from[index].is_some(), "same")?;
                    rule(past.again_from[index].is_some_and(|from| from <= at), "hint")?;
                    past.again += 1;
                }
                past.tries[index] += 1;
                past.attempts += 1;
                past.again_from[index] = None;
                past.current = index;
                let another = past.open().is_some() && past.attempts < limits.max_attempts;
                rule(!another || first_token.is_some_and(|limit| limit <= Duration::from_secs(30)), "patience")?;
            }
            Event::Failed { class, retry_after } => past.fail(scenario, class, retry_after, at),
            Event::Shown => {
                past.shown = !scenario.held;
                past.begun = None;
            }
            Event::Broke => past.begun = Some(at),
            // What nobody has seen may begin anew at any time.
            Event::Waited(_) | Event::GaveUp(_) if scenario.held && past.begun.is_some() => {}
            Event::Waited(wait) => {
                rule(may_go_on && past.open().is_none() && past.retryable() && past.again < limits.retries, "idle")?;
                rule(!wait.is_zero() && wait <= limits.max_wait && left.is_none_or(|left| wait < left), "max_wait")?;
            }
            Event::GaveUp(why) => {
                let over = match why {
                    GiveUp::Final => past.shown || past.stopped,
                    GiveUp::Attempts => past.attempts >= limits.max_attempts,
                    GiveUp::Deadline => left.is_some() && (left == Some(Duration::ZERO) || past.open().is_none()),
                    GiveUp::Exhausted => past.open().is_none() && (!past.retryable() || past.again >= limits.retries),
                    GiveUp::TooLong => past.open().is_none() && past.retryable(),
                    // One request alone knows of no other.
                    GiveUp::Storm => false,
                };
                rule(over, "gave_up")?;
            }
        }
    }
    Ok(())
}

fn tried(through: Spectacles, shrink: u32) -> Result<(), String> {
    let config = Config { cases: 3000, failure_persistence: None, max_shrink_iters: shrink, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let outcome = runner.run(&scenarios(), |scenario| {
        let verdict = play(&scenario, through)
            .and_then(|log| lawful(&scenario, &log).map_err(|why| format!("{why}\nin {log:#?}")));
        verdict.map_err(TestCaseError::fail)
    });
    match outcome {
        Ok(()) => Ok(()),
        Err(TestError::Fail(why, scenario)) => Err(format!("{why}\nof {scenario:?}")),
        Err(TestError::Abort(why)) => panic!("{why}"),
    }
}

#[test]
fn failover_keeps_its_laws() {
    if let Err(why) = tried(PLAIN, 4000) {
        panic!("{why}");
    }
}

#[test]
fn an_answer_in_one_piece_has_its_time_and_not_that_of_all_first_tokens() {
    let limits = Limits {
        max_attempts: 2,
        retries: 0,
        first_token: Some(Duration::from_secs(9)),
        max_wait: Duration::from_secs(1),
    };
    let scenario = Scenario { contexts: vec![None, None], limits, fates: Vec::new(), seed: 1, can: None, held: false };
    let decision = decision(&scenario);
    let own = decision.ranked[0].first_token_limit;
    let streamed = Failover::new(&decision, limits).next(Duration::ZERO);
    assert!(
        matches!(streamed, Step::Try { first_token: Some(limit), patience, .. } if limit == own && patience == own)
    );
    // What has no limit is taken for 8,192 tokens, and nobody is slower than 20 a second for long.
    let mut whole = Failover::new(&decision, limits).whole(&decision);
    let most = own + Duration::from_millis(409_600);
    let first = whole.next(Duration::ZERO);
    assert!(matches!(first, Step::Try { first_token: Some(limit), patience, .. } if limit == most && patience == most));
    whole.failed(ErrorClass::ProviderTimeout, None, most);
    let second = whole.next(Duration::from_secs(600));
    assert!(
        matches!(second, Step::Try { index: 1, first_token: None, patience, .. } if patience == most),
        "{second:?}"
    );
}

#[test]
fn a_deliberate_bug_breaks_each_of_them() {
    let more = |limits: Limits| Limits { max_attempts: limits.max_attempts + 1, ..limits };
    let keen = |limits: Limits| Limits { retries: limits.retries + 1, ..limits };
    let patient = |limits: Limits| Limits { max_wait: limits.max_wait * 2 + Duration::from_secs(1), ..limits };
    let fits = |class| if class == ErrorClass::TooLarge { ErrorClass::NotFound } else { class };
    let never_stops = |class: ErrorClass| match class.failover() {
        Next::Stop => ErrorClass::NotFound,
        _ => class,
    };
    let always_again = |class: ErrorClass| match class.failover() {
        Next::Next { .. } => ErrorClass::Overloaded,
        _ => class,
    };
    let bugs = [
        ("attempts", Spectacles { limits: more, ..PLAIN }),
        ("retries", Spectacles { limits: keen, ..PLAIN }),
        ("max_wait", Spectacles { limits: patient, ..PLAIN }),
        ("deadline", Spectacles { elapsed: |_| Duration::ZERO, ..PLAIN }),
        ("deadline", Spectacles { generous: true, ..PLAIN }),
        ("shown", Spectacles { deaf_to_shown: true, ..PLAIN }),
        ("stop", Spectacles { class: never_stops, ..PLAIN }),
        ("closed", Spectacles { class: fits, ..PLAIN }),
        ("same", Spectacles { class: always_again, ..PLAIN }),
        ("hint", Spectacles { hint: |_| None, ..PLAIN }),
        ("open", Spectacles { stubborn: true, ..PLAIN }),
        ("open", Spectacles { backwards: true, ..PLAIN }),
        ("gave_up", Spectacles { impatient: true, ..PLAIN }),
        ("gave_up", Spectacles { hurried: true, ..PLAIN }),
        ("resume", Spectacles { eager: true, ..PLAIN }),
        ("anew", Spectacles { secretive: true, ..PLAIN }),
    ];
    for (rule, bug) in bugs {
        // A bug may break another law first; it is caught where its own law is among those that it breaks.
        let mut broken = std::collections::BTreeSet::new();
        let config = Config { cases: 800, failure_persistence: None, ..Config::default() };
        let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
        let seen = std::cell::RefCell::new(&mut broken);
        let played = runner.run(&scenarios(), |scenario| {
            let verdict = play(&scenario, bug).and_then(|log| lawful(&scenario, &log));
            if let Err(why) = verdict {
                seen.borrow_mut().insert(why.split(':').next().unwrap_or_default().to_owned());
            }
            Ok(())
        });
        played.unwrap();
        assert!(broken.contains(rule), "the bug against {rule} only broke {broken:?}");
    }
}
