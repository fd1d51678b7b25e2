//! The driver: rounds over all endpoints, one call in flight at a time, no retries, no failover (`metrics.md` 2.3, 2.4).
//!
//! It knows no HTTP: a [`Caller`] makes the calls, so that the driver runs under a scripted one and a paused clock.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::plan::{self, Kind};
use super::verdict::{self, LOOKS, Samples};
use crate::catalog::{Capability, Endpoint, ModelId};
use crate::chat::{ChatRequest, Effort};
use crate::observe::{ErrorClass, Flags, Why};
use crate::units::Usd;
use crate::upstream::exchange::Limits;

/// The longest wait that an endpoint may ask for; one that asks for more is left alone from then on.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// An endpoint that is probed.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its model.
    pub model: ModelId,
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The most that one call can cost, in USD; zero where that is not known and was accepted.
    pub bound: Usd,
}

/// What one call came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// How it ended.
    pub class: ErrorClass,
    /// From the connection being up to the first token.
    pub ttft: Option<Duration>,
    /// From the connection being up to the end, or to the failure.
    pub total: Option<Duration>,
    /// Tokens per second from the first token to the last, or why that says nothing.
    pub speed: Result<f64, Why>,
    /// The HTTP status, if there was one.
    pub http_status: Option<u16>,
    /// What the provider asked to wait.
    pub retry_after: Option<Duration>,
    /// What it cost, in USD; `None` where it may have cost something that nobody told.
    pub cost: Option<Usd>,
    /// What is to be known before its times are believed.
    pub flags: Flags,
}

impl Sample {
    /// The wait for the first token, where the call counts for it.
    #[must_use]
    pub fn counted_ttft(&self) -> Option<Duration> {
        let untimed = Flags::CACHE_HIT | Flags::WARMUP | Flags::SUSPENDED | Flags::CLIENT_BUSY;
        self.ttft.filter(|_| self.class.is_success() && !self.flags.has(untimed))
    }
}

/// Makes the calls.
pub trait Caller {
    /// Makes one call of the target at that place, once.
    fn call(&mut self, target: usize, request: &ChatRequest, limits: Limits) -> impl Future<Output = Sample>;

    /// By how much the next call begins later than a fixed schedule says; `None` where it follows none.
    fn late(&mut self, late: Option<Duration>) {
        let _ = late;
    }
}

/// How much is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Schedule {
    /// What is asked.
    pub kind: Kind,
    /// The most rounds.
    pub rounds: u32,
    /// Whether an endpoint of which enough is known is left alone ([`verdict::is_done`]).
    pub until_known: bool,
    /// A fixed time from the beginning of one round to the next, whatever the answers take; without it a round begins
    /// when the last one is over.
    pub every: Option<Duration>,
    /// Orders, pauses and prompts follow from it.
    pub seed: u64,
    /// No call is made that could take the sum beyond this, in USD.
    pub budget: Usd,
}

/// Why an endpoint is not asked any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// All rounds are over.
    Rounds,
    /// Enough is known of it.
    Known,
    /// It said twice in a row that it is asked too often.
    RateLimited,
    /// It asked to wait this long.
    AskedToWait(Duration),
    /// It would fail alike each time.
    Hopeless(ErrorClass),
    /// The money was used up.
    Budget,
    /// The caller stopped it.
    Cancelled,
}

impl Ended {
    /// The word in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rounds => "rounds",
            Self::Known => "known",
            Self::RateLimited | Self::AskedToWait(_) => "rate_limited",
            Self::Hopeless(_) => "hopeless",
            Self::Budget => "budget",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Everything that was seen of one endpoint.
#[derive(Debug, Clone, PartialEq)]
pub struct Tally {
    /// By round; `None` where it was not asked.
    pub samples: Vec<Option<Sample>>,
    /// Why it was not asked any more.
    pub ended: Ended,
}

impl Tally {
    /// Waits for the first token by round, in seconds, of the calls that count.
    #[must_use]
    pub fn waits(&self) -> Samples {
        self.samples.iter().map(|sample| Some(sample.as_ref()?.counted_ttft()?.as_secs_f64())).collect()
    }

    /// The calls that were made, without those that the caller stopped.
    pub fn made(&self) -> impl Iterator<Item = &Sample> {
        self.samples.iter().flatten().filter(|sample| sample.class != ErrorClass::Aborted)
    }
}

/// What a run came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// A tally for each target.
    pub tallies: Vec<Tally>,
    /// What was spent at most, in USD: a call whose cost nobody told counts as its bound.
    pub spent: Usd,
    /// By how much the latest round of a fixed schedule began too late.
    pub late: Duration,
}

/// Asks every target in every round, until the schedule ends or `cancel` turns true.
pub async fn run(
    schedule: &Schedule,
    targets: &[Target],
    caller: &mut impl Caller,
    cancel: watch::Receiver<bool>,
) -> Report {
    let run = Run {
        schedule,
        targets,
        cancel,
        began: Instant::now(),
        states: targets.iter().map(|_| State::default()).collect(),
        report: Report { tallies: Vec::new(), spent: Usd::ZERO, late: Duration::ZERO },
        calls: 0,
    };
    run.all(caller).await
}

/// Where one endpoint stands.
#[derive(Debug, Default)]
struct State {
    samples: Vec<Option<Sample>>,
    ended: Option<Ended>,
    asked: Option<Instant>,
    not_before: Option<Instant>,
    limited: u32,
}

struct Run<'a> {
    schedule: &'a Schedule,
    targets: &'a [Target],
    cancel: watch::Receiver<bool>,
    began: Instant,
    states: Vec<State>,
    report: Report,
    calls: u64,
}

impl Run<'_> {
    async fn all(mut self, caller: &mut impl Caller) -> Report {
        for round in 0..self.schedule.rounds {
            if self.states.iter().all(|state| state.ended.is_some()) || !self.on_time(round).await {
                break;
            }
            self.round(round, caller).await;
            if self.schedule.until_known && LOOKS.contains(&(round + 1)) {
                self.look();
            }
        }
        let last = if self.is_cancelled() { Ended::Cancelled } else { Ended::Rounds };
        let tally = |state: State| Tally { samples: state.samples, ended: state.ended.unwrap_or(last) };
        self.report.tallies = self.states.into_iter().map(tally).collect();
        self.report
    }

    /// Waits until a round of a fixed schedule is due; false where the caller stopped it.
    async fn on_time(&mut self, round: u32) -> bool {
        if let Some(every) = self.schedule.every {
            let due = self.began + every.saturating_mul(round);
            self.report.late = self.report.late.max(Instant::now().saturating_duration_since(due));
            self.until(due).await;
        }
        !self.is_cancelled()
    }

    async fn round(&mut self, round: u32, caller: &mut impl Caller) {
        for state in &mut self.states {
            state.samples.push(None);
        }
        let mut first = true;
        for at in plan::order(self.schedule.seed, round, self.targets.len()) {
            let target = &self.targets[at];
            if self.states[at].ended.is_some() {
                continue;
            }
            if self.report.spent + target.bound > self.schedule.budget {
                self.states[at].ended = Some(Ended::Budget);
                continue;
            }
            // The first call of a fixed round is due when the round is; the others follow it.
            let due = self.schedule.every.filter(|_| first).map(|every| self.began + every.saturating_mul(round));
            first = false;
            self.pause(at, due.is_some()).await;
            if self.is_cancelled() {
                return;
            }
            caller.late(due.map(|due| Instant::now().saturating_duration_since(due)));
            let (kind, seed) = (self.schedule.kind, self.schedule.seed);
            let request = plan::request(kind, &target.model, &target.endpoint, plan::nonce(seed, self.calls));
            self.calls += 1;
            let sample = caller.call(at, &request, limits(&target.endpoint)).await;
            self.report.spent += sample.cost.unwrap_or(target.bound);
            self.states[at].take(sample);
        }
    }

    /// The jittered gap unless a fixed schedule says when, a second between two calls of one endpoint, and what it asked
    /// to wait.
    async fn pause(&mut self, at: usize, scheduled: bool) {
        let (now, state) = (Instant::now(), &self.states[at]);
        // Nothing was sent before the very first call.
        let gap = if scheduled {
            state.asked.map(|asked| asked + plan::POLITE)
        } else {
            (self.calls > 0)
                .then(|| now + plan::pause(self.schedule.seed, self.calls, state.asked.map(|asked| now - asked)))
        };
        if let Some(due) = gap.max(state.not_before) {
            self.until(due).await;
        }
        self.states[at].asked = Some(Instant::now());
    }

    async fn until(&self, due: Instant) {
        let mut cancel = self.cancel.clone();
        tokio::select! {
            () = sleep_until(due) => {}
            // A caller that is gone cannot stop it any more.
            Ok(_) = cancel.wait_for(|stop| *stop) => {}
        }
    }

    fn is_cancelled(&self) -> bool {
        *self.cancel.borrow()
    }

    /// Leaves those alone of which enough is known.
    fn look(&mut self) {
        let waits = |state: &State| Tally { samples: state.samples.clone(), ended: Ended::Rounds }.waits();
        let all: Vec<Samples> = self.states.iter().map(waits).collect();
        for (at, state) in self.states.iter_mut().enumerate() {
            if state.ended.is_none() && verdict::is_done(at, &all) {
                state.ended = Some(Ended::Known);
            }
        }
    }
}

impl State {
    fn take(&mut self, sample: Sample) {
        let (class, wait) = (sample.class, sample.retry_after.unwrap_or_default());
        self.limited = if class == ErrorClass::RateLimited { self.limited + 1 } else { 0 };
        self.ended = if self.limited == 2 {
            Some(Ended::RateLimited)
        } else if wait > LONGEST_WAIT {
            Some(Ended::AskedToWait(wait))
        } else {
            is_hopeless(class).then_some(Ended::Hopeless(class))
        };
        self.not_before = (!wait.is_zero()).then(|| Instant::now() + wait);
        if let Some(last) = self.samples.last_mut() {
            *last = Some(sample);
        }
    }
}

/// Whether the same call would fail alike: a rejected key, a model that is gone, a request that is refused.
const fn is_hopeless(class: ErrorClass) -> bool {
    use ErrorClass::{Auth, Forbidden, Invalid, LocalConfig, NotFound, Quota, TooLarge, Unsupported};
    matches!(class, Auth | Forbidden | Invalid | LocalConfig | NotFound | Quota | TooLarge | Unsupported)
}

/// How long each part of a call may take: what reasons may be silent for longer.
fn limits(endpoint: &Endpoint) -> Limits {
    let thinks = endpoint.can(Capability::Reasoning) && plan::lowest_effort(endpoint) != Some(Effort::None);
    Limits {
        first_token: Some(Duration::from_secs(if thinks { 120 } else { 30 })),
        idle: Some(Duration::from_secs(30)),
        total: Some(Duration::from_secs(120)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use tokio::time::sleep;

    use super::*;
    use crate::catalog::Catalog;

    /// Answers of one target in turn, the last one for ever: how long each takes, and what it is.
    type Script = Vec<(u64, Sample)>;

    struct Scripted {
        scripts: Vec<Script>,
        /// By how much each scheduled call began too late.
        late: Vec<Duration>,
        /// When each call began, of whom, and when it ended.
        calls: Vec<(Duration, usize, Duration)>,
        prompts: Vec<ChatRequest>,
        began: Instant,
        stop_after: Option<(usize, watch::Sender<bool>)>,
    }

    impl Scripted {
        fn new(scripts: Vec<Script>) -> Self {
            Self {
                scripts,
                late: Vec::new(),
                calls: Vec::new(),
                prompts: Vec::new(),
                began: Instant::now(),
                stop_after: None,
            }
        }

        fn count(&self, target: usize) -> usize {
            self.calls.iter().filter(|call| call.1 == target).count()
        }
    }

    impl Caller for Scripted {
        async fn call(&mut self, target: usize, request: &ChatRequest, _: Limits) -> Sample {
            let at = self.count(target);
            let script = &self.scripts[target];
            let (millis, sample) = script.get(at).or(script.last()).cloned().unwrap();
            let began = self.began.elapsed();
            sleep(Duration::from_millis(millis)).await;
            self.calls.push((began, target, self.began.elapsed()));
            self.prompts.push(request.clone());
            if let Some((calls, stop)) = &self.stop_after
                && *calls == self.calls.len()
            {
                stop.send(true).unwrap();
            }
            sample
        }

        fn late(&mut self, late: Option<Duration>) {
            self.late.extend(late);
        }
    }

    fn answer(class: ErrorClass, millis: u64) -> (u64, Sample) {
        let sample = Sample {
            class,
            ttft: class.is_success().then(|| Duration::from_millis(millis)),
            total: Some(Duration::from_millis(millis)),
            speed: Err(Why::TooFewTokens),
            http_status: None,
            retry_after: None,
            cost: Some(Usd::from_pico(1_000)),
            flags: Flags::NONE,
        };
        (millis, sample)
    }

    fn good(millis: u64) -> Script {
        vec![answer(ErrorClass::Ok, millis)]
    }

    fn targets(n: usize) -> Vec<Target> {
        let model = ModelId::new("anthropic/claude-sonnet-5");
        let endpoints = Catalog::builtin().endpoints_for(&model);
        let target = |endpoint| Target { model: model.clone(), endpoint, bound: Usd::from_pico(2_000) };
        endpoints.into_iter().take(n).map(target).collect()
    }

    fn schedule(rounds: u32) -> Schedule {
        Schedule {
            kind: Kind::Ping,
            rounds,
            until_known: false,
            every: None,
            seed: 7,
            budget: Usd::from_pico(i64::MAX),
        }
    }

    async fn probe(schedule: Schedule, scripts: Vec<Script>) -> (Report, Scripted) {
        let mut caller = Scripted::new(scripts);
        let (_stop, cancel) = watch::channel(false);
        let report = run(&schedule, &targets(caller.scripts.len()), &mut caller, cancel).await;
        (report, caller)
    }

    #[tokio::test(start_paused = true)]
    async fn a_stall_makes_what_follows_late_and_nothing_is_skipped() {
        let every = Some(Duration::from_secs(2));
        let stalled = answer(ErrorClass::Ok, 9_500);
        let mut script: Script = (0..5).map(|_| answer(ErrorClass::Ok, 100)).collect();
        script.extend([stalled, answer(ErrorClass::Ok, 100)]);
        let (report, caller) = probe(Schedule { every, ..schedule(20) }, vec![script]).await;
        assert_eq!((report.tallies[0].made().count(), caller.late.len()), (20, 20));
        let late: Vec<u128> = caller.late.iter().map(Duration::as_millis).collect();
        assert!(late[..6].iter().all(|late| *late == 0), "{late:?}");
        // The stall began at 10 s and was over at 19.5 s; from then on a call a second, until the schedule is met again.
        assert_eq!(late[6..16], [7_500, 6_500, 5_500, 4_500, 3_500, 2_500, 1_500, 500, 0, 0], "{late:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn rounds_are_interleaved_one_call_at_a_time_and_polite() {
        let (report, caller) = probe(schedule(10), vec![good(300), good(20), good(1500)]).await;
        assert!(report.tallies.iter().all(|tally| tally.made().count() == 10 && tally.ended == Ended::Rounds));
        for round in caller.calls.chunks(3) {
            let mut visited: Vec<usize> = round.iter().map(|call| call.1).collect();
            visited.sort_unstable();
            assert_eq!(visited, [0, 1, 2]);
        }
        let firsts: Vec<usize> = caller.calls.chunks(3).map(|round| round[0].1).collect();
        assert!(firsts.iter().any(|first| *first != firsts[0]), "each round has its own order: {firsts:?}");
        let mut last: BTreeMap<usize, Duration> = BTreeMap::new();
        for pair in caller.calls.windows(2) {
            let gap = pair[1].0.checked_sub(pair[0].2).expect("one in flight at a time");
            assert!(gap >= Duration::from_millis(200), "{gap:?}");
        }
        for (began, target, _) in &caller.calls {
            if let Some(before) = last.insert(*target, *began) {
                assert!(*began - before >= Duration::from_secs(1), "a second between two calls of one endpoint");
            }
        }
        let mut prompts: Vec<String> = caller.prompts.iter().map(|asked| format!("{:?}", asked.messages)).collect();
        prompts.sort();
        prompts.dedup();
        assert_eq!(prompts.len(), 30, "no prompt is sent twice");
    }

    #[tokio::test(start_paused = true)]
    async fn one_seed_gives_one_order() {
        let (_, one) = probe(schedule(5), vec![good(10), good(10), good(10)]).await;
        let (_, other) = probe(schedule(5), vec![good(10), good(10), good(10)]).await;
        assert_eq!(one.calls, other.calls);
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
        assert_eq!(report.tallies[3].waits(), vec![None; 6], "a failure has no time");
    }

    #[tokio::test(start_paused = true)]
    async fn what_asks_to_wait_is_waited_for_within_reason() {
        let asks = |seconds| {
            let (millis, sample) = answer(ErrorClass::Overloaded, 5);
            (millis, Sample { retry_after: Some(Duration::from_secs(seconds)), ..sample })
        };
        let (_, caller) = probe(schedule(2), vec![vec![asks(12), answer(ErrorClass::Ok, 5)]]).await;
        assert!(caller.calls[1].0 - caller.calls[0].2 >= Duration::from_secs(12), "{:?}", caller.calls);
        let (report, caller) = probe(schedule(5), vec![vec![asks(31)], good(5)]).await;
        assert_eq!(report.tallies[0].ended, Ended::AskedToWait(Duration::from_secs(31)));
        assert_eq!((caller.count(0), caller.count(1)), (1, 5));
        assert!(caller.calls.last().unwrap().2 < Duration::from_secs(10), "the others do not wait for it");
    }

    #[tokio::test(start_paused = true)]
    async fn the_budget_is_never_exceeded_and_an_unknown_cost_counts_as_its_bound() {
        let budget = Usd::from_pico(9_000);
        let (report, caller) = probe(Schedule { budget, ..schedule(10) }, vec![good(5), good(5)]).await;
        assert_eq!((report.spent, caller.calls.len()), (Usd::from_pico(8_000), 8));
        assert!(report.tallies.iter().all(|tally| tally.ended == Ended::Budget));
        let (millis, sample) = answer(ErrorClass::StreamBroken, 5);
        let untold = vec![(millis, Sample { cost: None, ..sample })];
        let (report, caller) = probe(Schedule { budget, ..schedule(10) }, vec![untold]).await;
        assert_eq!((report.spent, caller.calls.len()), (Usd::from_pico(8_000), 4));
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
        let (stop, cancel) = watch::channel(false);
        let mut caller = Scripted::new(vec![good(10), good(10)]);
        caller.stop_after = Some((3, stop));
        let report = run(&schedule(10), &targets(2), &mut caller, cancel).await;
        assert_eq!(caller.calls.len(), 3);
        assert_eq!(report.tallies.iter().map(|tally| tally.made().count()).sum::<usize>(), 3);
        assert!(report.tallies.iter().all(|tally| tally.ended == Ended::Cancelled));
    }

    #[tokio::test(start_paused = true)]
    async fn a_fixed_schedule_keeps_its_beat_and_notes_how_late_it_was() {
        let beat = Schedule { every: Some(Duration::from_secs(10)), ..schedule(4) };
        let (report, caller) = probe(beat, vec![good(100)]).await;
        for (round, call) in caller.calls.iter().enumerate() {
            let due = Duration::from_secs(10) * u32::try_from(round).unwrap();
            assert!(call.0 >= due && call.0 < due + Duration::from_secs(1), "{call:?}");
        }
        assert_eq!(report.late, Duration::ZERO);
        let mut stalled = vec![answer(ErrorClass::Ok, 25_000)];
        stalled.extend(good(100));
        let (report, caller) = probe(beat, vec![stalled]).await;
        assert_eq!(report.late, Duration::from_secs(15), "the second round was due at 10 s");
        assert!(caller.calls[3].0 < Duration::from_secs(31), "a stall delays no later round: {:?}", caller.calls);
    }
}
