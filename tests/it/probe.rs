//! The driver of probes against simulated providers over real HTTP, on a clock that jumps from one event to the next:
//! what is measured is what the scenario says, however busy the machine is.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use openmux::catalog::{Auth, Catalog, ModelId, Protocol, ProviderId};
use openmux::chat::ChatEvent;
use openmux::dispatch::{Dispatcher, Marks, Notice, Observer, Once, Reach, Sandboxed, Simulated, Wire};
use openmux::observe::{Health, Source};
use openmux::probe::plan::{self, Kind};
use openmux::probe::report::{Line, lines};
use openmux::probe::run::{Caller, Due, Schedule, Target, run};
use openmux::probe::sample::{Ended, Sample};
use openmux::sandbox::{Credential, Running, Sandbox, SandboxProvider, Scenario};
use openmux::store::{Memory, ObservationStore};
use openmux::units::Usd;
use openmux::upstream::auth::{Found, Keyring, Secret, Signer, Vars};
use openmux::upstream::transport::{Transport, TransportConfig};
use tokio::sync::watch;

const MODEL: &str = "anthropic/claude-sonnet-5";

/// The simulated ones, and the middle of the waits that each scenario gives them, in ms.
const PROVIDERS: [(&str, Protocol); 3] = [
    ("anthropic", Protocol::AnthropicMessages),
    ("openrouter", Protocol::OpenaiChat),
    ("vercel", Protocol::OpenaiChat),
];
const CALM: [u64; 3] = [280, 360, 450];
const SLOW: [u64; 3] = [1_250, 325, 1_050];

/// Makes the calls, and notes whom it called.
struct Live<'a> {
    dispatcher: &'a Dispatcher<'a>,
    reaches: &'a [Reach],
    wire: Wire<'a>,
    called: RefCell<Vec<usize>>,
}

struct Nobody;

impl Observer for Nobody {
    fn event(&mut self, _: ChatEvent) -> bool {
        true
    }

    fn notice(&mut self, notice: Notice) {
        panic!("{notice:?}");
    }
}

impl Caller for Live<'_> {
    async fn call(&self, due: &Due) -> Sample {
        self.called.borrow_mut().push(due.target);
        let once = Once {
            request: &due.request,
            reach: &self.reaches[due.target],
            wire: self.wire,
            limits: due.limits,
            hold: false,
            group: [0; 16],
            source: Source::Probe,
            marks: Marks { prompt_version: Some(plan::PROMPT_VERSION), sched_lag: due.late, ..Marks::default() },
        };
        let (_stop, cancel) = watch::channel(false);
        let report = self.dispatcher.once(&once, cancel, &mut Nobody).await;
        let cost = report.cost.and_then(Result::ok).map(|cost| cost.total);
        Sample::of(&report.outcome, cost.or(Some(Usd::ZERO)))
    }
}

/// What a run came to.
struct Ran {
    /// By the names of the providers.
    lines: Vec<(&'static str, Line)>,
    /// Whom it called, in order.
    called: Vec<usize>,
    spent: Usd,
    budget: Usd,
    store: Memory,
}

fn sandboxed(running: &Running) -> Sandboxed {
    let mut providers: BTreeMap<ProviderId, BTreeMap<Protocol, Simulated>> = BTreeMap::new();
    for (id, places) in &running.places {
        for place in places {
            let Credential::Key { key, auth } = &place.credential else { panic!("{place:?}") };
            let found = Found::Key { source: "sandbox".into(), secret: Secret::new(key.clone()), auth: auth.clone() };
            let simulated = Simulated { base_url: place.base_url.clone(), found };
            providers.entry(id.clone()).or_default().insert(place.protocol, simulated);
        }
    }
    Sandboxed { providers, vars: Vars::default() }
}

async fn probe(scenario: &str, kind: Kind, rounds: u32, seed: u64) -> Ran {
    let scenario = Scenario::builtin(scenario).unwrap();
    let providers = PROVIDERS.map(|(id, protocol)| {
        let auth = if protocol == Protocol::OpenaiChat { Auth::Bearer } else { Auth::Header("x-api-key".into()) };
        SandboxProvider { id: ProviderId::new(id), name: id.to_owned(), spoken: vec![(protocol, auth)] }
    });
    let running = Sandbox::start(scenario, providers.into()).await.unwrap();
    let (catalog, store, keys, sandboxed) =
        (Catalog::builtin(), Memory::new(), Keyring::default(), sandboxed(&running));
    let now = || Timestamp::UNIX_EPOCH;
    let dispatcher = Dispatcher {
        catalog: &catalog,
        store: &store,
        keys: &keys,
        now: &now,
        sandbox: Some(&sandboxed),
        region: None,
        clerk: None,
    };
    let model = ModelId::new(MODEL);
    let all = dispatcher.reach(&model, None, false);
    let of = |(id, _): &(&str, Protocol)| all.iter().find(|reach| reach.provider.id.as_str() == *id).unwrap().clone();
    let reaches: Vec<Reach> = PROVIDERS.iter().map(of).collect();
    let target = |reach: &Reach| Target {
        model: model.clone(),
        endpoint: reach.endpoint.clone(),
        bound: plan::bound(kind, &reach.endpoint, reach.provider.kind).unwrap(),
        most: 1_000,
    };
    let targets: Vec<Target> = reaches.iter().map(target).collect();
    let budget: Usd = (0..rounds).flat_map(|_| targets.iter().map(|target| target.bound)).sum();
    let schedule = Schedule { kind, rounds, parallel: 1, until_known: false, every: None, seed, budget };
    let transport = Transport::new(&TransportConfig::default()).unwrap();
    let signer = Signer::new(Vars::default());
    let wire = Wire { transport: &transport, signer: &signer };
    let live = Live { dispatcher: &dispatcher, reaches: &reaches, wire, called: RefCell::default() };
    let (_stop, cancel) = watch::channel(false);
    let report = run(&schedule, &targets, &live, cancel).await;
    let called = live.called.into_inner();
    let lines = lines(&report).into_iter().map(|line| (PROVIDERS[line.target].0, line)).collect();
    Ran { lines, called, spent: report.spent, budget, store }
}

/// Whom it says to be faster, where that is settled, is faster; how many intervals hold the middle, and how many there are.
fn judge(ran: &Ran, middles: [u64; 3]) -> (usize, usize) {
    for pair in ran.lines.windows(2) {
        if pair[1].1.above.unwrap().is_settled() {
            assert!(middles[pair[0].1.target] < middles[pair[1].1.target], "{} before {}", pair[0].0, pair[1].0);
        }
    }
    let holds = |(_, line): &&(&str, Line)| {
        let (low, high) = line.ttft.interval.unwrap();
        let middle = Duration::from_millis(middles[line.target]);
        low.time <= middle && middle <= high.time
    };
    (ran.lines.iter().filter(holds).count(), ran.lines.len())
}

#[tokio::test(start_paused = true)]
async fn simulated_providers_are_ranked_within_the_stated_intervals_and_the_budget() {
    for (scenario, middles, fastest) in [("calm", CALM, "anthropic"), ("slow", SLOW, "openrouter")] {
        let (mut held, mut all) = (0, 0);
        for seed in 0..8 {
            let ran = probe(scenario, Kind::Ping, 10, seed).await;
            let (holds, of) = judge(&ran, middles);
            (held, all) = (held + holds, all + of);
            assert_eq!(ran.lines[0].0, fastest, "{scenario} {seed}");
            // Where the one call of four seconds hit the fastest, ten rounds do not settle it, and say so.
            let (first, second) = (&ran.lines[0].1, &ran.lines[1].1);
            let hit = first.ttft.range.unwrap().1.time >= Duration::from_secs(4);
            assert_eq!(second.above.unwrap().is_settled(), !hit, "{scenario} {seed}: its gap is wide");
            assert!(Usd::ZERO < ran.spent && ran.spent <= ran.budget);
            for round in ran.called.chunks(3) {
                let mut visited = round.to_vec();
                visited.sort_unstable();
                assert_eq!(visited, [0, 1, 2], "each round visits each of them once");
            }
        }
        assert!(held * 100 >= 95 * all, "{scenario}: {held} of {all} intervals hold the middle");
    }
}

#[tokio::test(start_paused = true)]
async fn a_speed_is_the_one_that_the_scenario_says() {
    let ran = probe("calm", Kind::Speed, 8, 1).await;
    for (provider, tokens_per_second) in [("anthropic", 80.0), ("openrouter", 70.0), ("vercel", 55.0)] {
        let line = &ran.lines.iter().find(|(name, _)| *name == provider).unwrap().1;
        let speed = line.speed_p50.unwrap();
        assert!((speed / tokens_per_second - 1.0).abs() < 0.03, "{provider}: {speed}");
        assert_eq!((line.judged().health(), line.judged().count(), line.ended), (Health::Unknown, 8, Ended::Rounds));
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_for_asking_too_often_is_no_fault_and_in_no_time() {
    let ran = probe("rate-limit", Kind::Ping, 10, 3).await;
    let limited: Vec<&Line> = ran.lines.iter().map(|(_, line)| line).filter(|line| line.limited > 0).collect();
    let [line] = limited.as_slice() else { panic!("the first call of all is refused: {limited:?}") };
    assert_eq!((line.limited, line.successes, line.faults, line.attempts), (1, 9, 0, 10));
    assert_eq!((line.judged().share(), line.ttft.n), (Some(1.0), 9));
    let measured = ran.store.measured(Timestamp::UNIX_EPOCH).unwrap();
    let all = measured.values().fold((0, 0, 0), |(ok, faults, limited), seen| {
        (ok + seen.successes, faults + seen.faults, limited + seen.limited)
    });
    assert_eq!(all, (29, 0, 1), "what is kept for `providers compare` says the same");
}
