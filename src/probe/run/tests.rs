//! A run against scripted endpoints, in paused time.

use std::cell::RefCell;
use std::collections::BTreeMap;

use tokio::time::sleep;

use super::super::sample::tests::{sample, timed_out};
use super::*;
use crate::catalog::Catalog;

/// Answers of one target in turn, the last one for ever: how long each takes, and what it is.
type Script = Vec<(u64, Sample)>;

/// One call that was made.
#[derive(Debug, Clone, PartialEq)]
struct Made {
    began: Duration,
    target: usize,
    ended: Duration,
    late: Option<Duration>,
    prompt: String,
}

struct Scripted {
    scripts: Vec<Script>,
    asked: RefCell<Vec<usize>>,
    /// In the order in which they ended.
    made: RefCell<Vec<Made>>,
    began: Instant,
    stop_after: Option<(usize, watch::Sender<bool>)>,
}

impl Scripted {
    fn new(scripts: Vec<Script>) -> Self {
        let asked = RefCell::new(vec![0; scripts.len()]);
        Self { scripts, asked, made: RefCell::default(), began: Instant::now(), stop_after: None }
    }

    fn calls(&self) -> Vec<Made> {
        self.made.borrow().clone()
    }

    fn count(&self, target: usize) -> usize {
        self.asked.borrow()[target]
    }
}

impl Caller for Scripted {
    async fn call(&self, due: &Due) -> Sample {
        let at = self.count(due.target);
        self.asked.borrow_mut()[due.target] += 1;
        let script = &self.scripts[due.target];
        let (millis, sample) = script.get(at).or(script.last()).cloned().unwrap();
        let began = self.began.elapsed();
        sleep(Duration::from_millis(millis)).await;
        let (target, ended, prompt) = (due.target, self.began.elapsed(), format!("{:?}", due.request.messages));
        self.made.borrow_mut().push(Made { began, target, ended, late: due.late, prompt });
        if let Some((calls, stop)) = &self.stop_after
            && *calls == self.made.borrow().len()
        {
            stop.send(true).unwrap();
        }
        sample
    }
}

fn answer(class: ErrorClass, millis: u64) -> (u64, Sample) {
    (millis, Sample { cost: Some(Usd::from_pico(1_000)), ..sample(class, millis) })
}

fn good(millis: u64) -> Script {
    vec![answer(ErrorClass::Ok, millis)]
}

fn targets(n: usize) -> Vec<Target> {
    let model = ModelId::new("anthropic/claude-sonnet-5");
    let endpoints = Catalog::builtin().endpoints_for(&model);
    let bound = Usd::from_pico(2_000);
    let target = |endpoint| Target { model: model.clone(), endpoint, bound, most: 1_000 };
    endpoints.into_iter().take(n).map(target).collect()
}

fn schedule(rounds: u32) -> Schedule {
    Schedule {
        kind: Kind::Ping,
        rounds,
        parallel: 1,
        until_known: false,
        every: None,
        seed: 7,
        budget: Usd::from_pico(i64::MAX),
    }
}

async fn probe(schedule: Schedule, scripts: Vec<Script>) -> (Report, Scripted) {
    let caller = Scripted::new(scripts);
    let (_stop, cancel) = watch::channel(false);
    let report = run(&schedule, &targets(caller.scripts.len()), &caller, cancel).await;
    (report, caller)
}

#[tokio::test(start_paused = true)]
async fn rounds_are_interleaved_one_call_at_a_time_and_polite() {
    let (report, caller) = probe(schedule(10), vec![good(300), good(20), good(1500)]).await;
    assert!(report.tallies.iter().all(|tally| tally.made().count() == 10 && tally.ended == Ended::Rounds));
    let calls = caller.calls();
    for round in calls.chunks(3) {
        let mut visited: Vec<usize> = round.iter().map(|call| call.target).collect();
        visited.sort_unstable();
        assert_eq!(visited, [0, 1, 2]);
    }
    let firsts: Vec<usize> = calls.chunks(3).map(|round| round[0].target).collect();
    assert!(firsts.iter().any(|first| *first != firsts[0]), "each round has its own order: {firsts:?}");
    let mut last: BTreeMap<usize, Duration> = BTreeMap::new();
    for pair in calls.windows(2) {
        let gap = pair[1].began.checked_sub(pair[0].ended).expect("one in flight at a time");
        assert!(gap >= Duration::from_millis(200), "{gap:?}");
    }
    for Made { began, target, late, .. } in &calls {
        if let Some(before) = last.insert(*target, *began) {
            assert!(*began - before >= Duration::from_secs(1), "a second between two calls of one endpoint");
        }
        assert_eq!(*late, None, "there is no plan to be late by");
    }
    let mut prompts: Vec<&str> = calls.iter().map(|call| call.prompt.as_str()).collect();
    prompts.sort_unstable();
    prompts.dedup();
    assert_eq!(prompts.len(), 30, "no prompt is sent twice");
}

#[tokio::test(start_paused = true)]
async fn one_seed_gives_one_order() {
    let (_, one) = probe(schedule(5), vec![good(10), good(10), good(10)]).await;
    let (_, other) = probe(schedule(5), vec![good(10), good(10), good(10)]).await;
    assert_eq!(one.calls(), other.calls());
}

#[tokio::test(start_paused = true)]
async fn two_refusals_in_a_row_end_an_endpoint_and_nothing_is_retried() {
    let limited = || answer(ErrorClass::RateLimited, 5);
    let scripts = vec![
        good(10),
        vec![limited(), answer(ErrorClass::Ok, 5), limited(), limited()],
        vec![answer(ErrorClass::Auth, 5)],
        vec![answer(ErrorClass::ProviderFault, 5)],
    ];
    let (report, caller) = probe(schedule(6), scripts).await;
    assert_eq!([0, 1, 2, 3].map(|at| caller.count(at)), [6, 4, 1, 6]);
    assert_eq!(report.tallies[1].ended, Ended::RateLimited);
    assert_eq!(report.tallies[2].ended, Ended::Hopeless(ErrorClass::Auth));
    assert_eq!(report.tallies[3].ended, Ended::Rounds);
    assert_eq!(report.tallies[3].seconds(), vec![None; 6], "a failure has no time");
}

#[tokio::test(start_paused = true)]
async fn what_asks_to_wait_is_waited_for_within_reason() {
    let asks = |seconds| {
        let (millis, sample) = answer(ErrorClass::Overloaded, 5);
        (millis, Sample { retry_after: Some(Duration::from_secs(seconds)), ..sample })
    };
    let (_, caller) = probe(schedule(2), vec![vec![asks(12), answer(ErrorClass::Ok, 5)]]).await;
    let calls = caller.calls();
    assert!(calls[1].began - calls[0].ended >= Duration::from_secs(12), "{calls:?}");
    let (report, caller) = probe(schedule(5), vec![vec![asks(31)], good(5)]).await;
    assert_eq!(report.tallies[0].ended, Ended::AskedToWait(Duration::from_secs(31)));
    assert_eq!((caller.count(0), caller.count(1)), (1, 5));
    assert!(caller.calls().last().unwrap().ended < Duration::from_secs(10), "the others do not wait for it");
}

#[tokio::test(start_paused = true)]
async fn the_budget_is_never_exceeded_and_an_unknown_cost_counts_as_its_bound() {
    let budget = Usd::from_pico(9_000);
    let (report, caller) = probe(Schedule { budget, ..schedule(10) }, vec![good(5), good(5)]).await;
    assert_eq!((report.spent, caller.calls().len()), (Usd::from_pico(8_000), 8));
    assert!(report.tallies.iter().all(|tally| tally.ended == Ended::Budget));
    let (millis, sample) = answer(ErrorClass::StreamBroken, 5);
    let untold = vec![(millis, Sample { cost: None, ..sample })];
    let (report, caller) = probe(Schedule { budget, ..schedule(10) }, vec![untold]).await;
    assert_eq!((report.spent, caller.calls().len()), (Usd::from_pico(8_000), 4));
    // Calls that are under way count as their bound: three of them are $6e-9, and no fourth is sent.
    let every = Some(Duration::from_secs(1));
    let budget = Usd::from_pico(7_000);
    let (report, caller) = probe(Schedule { budget, every, ..schedule(10) }, vec![good(60_000)]).await;
    assert_eq!((report.spent, caller.calls().len()), (Usd::from_pico(3_000), 3));
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_gets_no_more_calls_than_it_may_have_today() {
    let caller = Scripted::new(vec![good(5), good(5)]);
    let mut targets = targets(2);
    targets[1].most = 3;
    let (_stop, cancel) = watch::channel(false);
    let report = run(&schedule(5), &targets, &caller, cancel).await;
    assert_eq!((caller.count(0), caller.count(1)), (5, 3));
    assert_eq!([0, 1].map(|at: usize| report.tallies[at].ended), [Ended::Rounds, Ended::Daily]);
}

#[tokio::test(start_paused = true)]
async fn an_endpoint_of_which_enough_is_known_is_left_alone() {
    let precise = Schedule { until_known: true, ..schedule(30) };
    let noisy: Script = [100, 900, 150, 700, 90, 1200, 400, 250, 610, 330]
        .into_iter()
        .cycle()
        .take(30)
        .map(|millis| answer(ErrorClass::Ok, millis))
        .collect();
    let (report, caller) = probe(precise, vec![good(100), noisy]).await;
    assert_eq!((caller.count(0), report.tallies[0].ended), (8, Ended::Known));
    assert_eq!((caller.count(1), report.tallies[1].ended), (30, Ended::Rounds));
}

#[tokio::test(start_paused = true)]
async fn a_stop_ends_it_at_once_with_what_there_is() {
    for every in [None, Some(Duration::from_secs(2))] {
        let (stop, cancel) = watch::channel(false);
        let mut caller = Scripted::new(vec![good(10), good(10)]);
        caller.stop_after = Some((3, stop));
        let report = run(&Schedule { every, ..schedule(10) }, &targets(2), &caller, cancel).await;
        assert_eq!(caller.calls().len(), 3);
        assert_eq!(report.tallies.iter().map(|tally| tally.made().count()).sum::<usize>(), 3);
        assert!(report.tallies.iter().all(|tally| tally.ended == Ended::Cancelled));
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_network_nobody_is_asked_again() {
    let nowhere = || vec![answer(ErrorClass::Unreachable, 5)];
    let (report, caller) = probe(schedule(10), vec![nowhere(), nowhere(), nowhere()]).await;
    assert_eq!(caller.calls().len(), 3);
    assert!(report.tallies.iter().all(|tally| tally.ended == Ended::Offline));
    let (_, caller) = probe(schedule(10), vec![nowhere()]).await;
    assert_eq!(caller.calls().len(), 2);
    let (_, caller) = probe(schedule(10), vec![nowhere(), good(5)]).await;
    assert_eq!(caller.calls().len(), 20, "one of them alone is down");
}

#[tokio::test(start_paused = true)]
async fn a_burst_is_several_calls_at_once_and_one_refusal_of_them_is_no_end() {
    let limited = || answer(ErrorClass::RateLimited, 5);
    let some = vec![answer(ErrorClass::Ok, 100), answer(ErrorClass::Ok, 300), limited(), limited()];
    let some: Script = some.into_iter().cycle().take(12).collect();
    let burst = Schedule { kind: Kind::Burst, parallel: 4, ..schedule(3) };
    let (report, caller) = probe(burst, vec![some, good(50)]).await;
    assert_eq!((caller.count(0), caller.count(1)), (12, 12));
    assert_eq!(report.tallies[0].ended, Ended::Rounds);
    assert_eq!(report.tallies[0].seconds(), [Some(0.3); 3]);
    let mut began: Vec<Duration> = caller.calls().iter().map(|call| call.began).collect();
    began.sort_unstable();
    began.dedup();
    assert_eq!(began.len(), 6, "two endpoints in three rounds");
    let (report, caller) = probe(burst, vec![vec![limited()], good(50)]).await;
    assert_eq!((caller.count(0), report.tallies[0].ended), (8, Ended::RateLimited));
    let budget = Usd::from_pico(7_999);
    let (report, caller) = probe(Schedule { budget, ..burst }, vec![good(50)]).await;
    assert_eq!((caller.count(0), report.tallies[0].ended), (0, Ended::Budget), "four calls could cost $8e-9");
}

/// V16: 20 calls a tenth of a second apart; the fourth stalls for two seconds.
#[tokio::test(start_paused = true)]
async fn a_stalled_call_delays_no_other_and_none_is_skipped() {
    let every = Some(Duration::from_millis(100));
    let mut script: Script = (0..20).map(|_| answer(ErrorClass::Ok, 20)).collect();
    script[3] = answer(ErrorClass::Ok, 2_000);
    let (report, caller) = probe(Schedule { every, ..schedule(20) }, vec![script]).await;
    let mut calls = caller.calls();
    calls.sort_by_key(|call| call.began);
    assert_eq!(calls.len(), 20);
    for (beat, call) in (0..).zip(&calls) {
        assert_eq!((call.began, call.late), (Duration::from_millis(100) * beat, Some(Duration::ZERO)), "{beat}");
    }
    let seconds = report.tallies[0].seconds();
    assert_eq!((seconds[3], seconds.iter().flatten().count()), (Some(2.0), 20), "each is booked in its own round");
    assert_eq!(report.tallies[0].late, Some(Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_too_late_says_by_how_much() {
    let every = Some(Duration::from_secs(1));
    // Everybody hangs: the 33rd call has to wait until the first one is given up, at 60 s.
    let hanging = vec![(60_000, timed_out(60))];
    let (report, caller) = probe(Schedule { every, ..schedule(34) }, vec![hanging]).await;
    let calls = caller.calls();
    assert!(calls[..32].iter().all(|call| call.late == Some(Duration::ZERO)));
    let late = calls[32..].iter().map(|call| call.late.unwrap().as_secs()).collect::<Vec<_>>();
    assert_eq!((calls.len(), late), (34, vec![28, 28]), "due at 32 s and 33 s, sent at 60 s and 61 s");
    assert_eq!(report.tallies[0].late, Some(Duration::from_secs(28)));
    // What an endpoint asks for is obeyed, and is late by it.
    let (millis, sample) = answer(ErrorClass::Overloaded, 5);
    let asks = (millis, Sample { retry_after: Some(Duration::from_secs(3)), ..sample });
    let (_, caller) = probe(Schedule { every, ..schedule(2) }, vec![vec![asks, answer(ErrorClass::Ok, 5)]]).await;
    assert_eq!(caller.calls()[1].late, Some(Duration::from_millis(2_005)));
}

#[tokio::test(start_paused = true)]
async fn a_fixed_schedule_spreads_its_calls_over_the_round() {
    let every = Some(Duration::from_secs(9));
    let (_, caller) = probe(Schedule { every, ..schedule(4) }, vec![good(10), good(10), good(10)]).await;
    let began: Vec<u64> = caller.calls().iter().map(|call| call.began.as_secs()).collect();
    assert_eq!(began, [0, 3, 6, 9, 12, 15, 18, 21, 24, 27, 30, 33]);
}
