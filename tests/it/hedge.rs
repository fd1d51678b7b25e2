//! Two providers side by side: who is asked when, whose bytes reach the caller, and what is remembered of the slower one.
//! The servers answer when the test says, so that nothing here is about time.
#![expect(clippy::unwrap_used, reason = "a test may panic, and its helpers are tests")]

use std::time::Duration;

use openmux::catalog::{CancelBilling, Catalog, ModelId, Protocol, ProviderId};
use openmux::chat::{ChatEvent, ChatRequest, Message, Role};
use openmux::dispatch::{ChatReport, Dispatcher, Notice, Observer, Plan, Reach, Suppose, Wire, route_request};
use openmux::observe::{CostState, ErrorClass, Flags, Observation, Source};
use openmux::routing::{Constraints, Decision, Hedge, Hedging, Limits, Policy};
use openmux::store::{Memory, ObservationStore};
use openmux::units::Usd;
use openmux::upstream::auth::{Keyring, Signer, Vars};
use openmux::upstream::transport::{Transport, TransportConfig};
use tokio::sync::watch;

use super::support::gate::Gate;
use super::support::server::{Script, Server, Step};
use super::support::wire;

/// Private providers of one model, in the order in which they are tried; each bills what was made until it was cancelled.
fn catalog(servers: &[Server]) -> Catalog {
    let mut overlay = String::new();
    for (server, name) in servers.iter().zip(["alpha", "beta", "gamma"]) {
        overlay += &format!(
            "[provider.{name}]\nprotocol = \"{}\"\nbase_url = \"{}/v1\"\nauth = \"none\"\nbills_on_cancel = \"{}\"\n\
             [[endpoint]]\nprovider = \"{name}\"\nmodel = \"acme/tiny\"\nid = \"tiny-1\"\ncontext = 8192\n\
             max_output = 4096\nprice = {{ input = \"1\", output = \"2\" }}\n",
            Protocol::OpenaiChat.name(),
            server.base_url(),
            CancelBilling::None.name()
        );
    }
    let overlay = openmux::catalog::file::Overlay::parse("test", &overlay).unwrap();
    Catalog::builtin().with_overlays(vec![overlay]).unwrap()
}

/// What was told, in its order.
#[derive(Debug, Default)]
struct Heard {
    told: Vec<String>,
    text: String,
    /// Opened as soon as anything of that kind was told.
    gate: Option<(&'static str, Gate)>,
}

impl Observer for Heard {
    fn event(&mut self, event: ChatEvent) -> bool {
        if let ChatEvent::Text(text) = event {
            self.text.push_str(&text);
        }
        true
    }

    fn notice(&mut self, notice: Notice) {
        let told = match notice {
            Notice::Trying { endpoint } => format!("trying {}", endpoint.provider),
            Notice::FailingOver { from, to, class } => {
                format!("{} to {}: {}", from.provider, to.provider, class.name())
            }
            Notice::Hedging { slow, endpoint, .. } => format!("hedging {} with {}", slow.provider, endpoint.provider),
            Notice::NotHedged { over, .. } => format!("not hedged with {}", over.endpoint.provider),
            Notice::Answering { endpoint } => format!("{} answers", endpoint.provider),
            other => format!("{other:?}"),
        };
        if let Some((word, gate)) = &self.gate
            && told.starts_with(word)
        {
            gate.open();
        }
        self.told.push(told);
    }
}

/// One chat to be hedged, and how.
struct Case {
    stream: bool,
    hold: bool,
    hedged: bool,
    day_cap: Option<Usd>,
    /// The second is asked when nothing has come for so long. The first one stands at a gate: there is nothing to wait for.
    after: Duration,
    /// How the caller stops it.
    stop: Option<watch::Sender<bool>>,
    /// The gate opens when this is told.
    open_at: Option<(&'static str, Gate)>,
}

const PLAIN: Case = Case {
    stream: true,
    hold: false,
    hedged: true,
    day_cap: None,
    after: Duration::from_millis(1),
    stop: None,
    open_at: None,
};

struct Told {
    report: ChatReport,
    heard: Heard,
    seen: Vec<Observation>,
    hedging: Hedging,
    decision: Decision,
}

impl Told {
    fn classes(&self) -> Vec<String> {
        let each = |one: &openmux::dispatch::AttemptReport| {
            let flags: Vec<&str> =
                one.outcome.flags.names().filter(|word| !["reused", "client_busy", "burst"].contains(word)).collect();
            format!("{} {} {}", one.endpoint.provider, one.outcome.class.name(), flags.join(" "))
        };
        self.report.attempts.iter().map(each).collect()
    }

    fn stats(&self, provider: &str) -> openmux::observe::StatsState {
        let of = self.seen.iter().filter(|seen| seen.endpoint.provider.as_str() == provider);
        openmux::observe::StatsState::of(of, &openmux::observe::Learning::default()).unwrap()
    }
}

/// Asks `acme/tiny` at these servers; the second is asked as soon as the first has not answered at once.
async fn chat(servers: &[Server], case: Case) -> Told {
    let (catalog, keys, store) = (catalog(servers), Keyring::default(), Memory::new());
    let now = || "2026-11-24T10:00:00Z".parse().unwrap();
    let dispatcher = Dispatcher::new(&catalog, &store, &keys, &now);
    let model = ModelId::new("acme/tiny");
    let mut request = ChatRequest::new(model.clone(), vec![Message::text(Role::User, "hi")]);
    request.stream = case.stream;
    let order = ["alpha", "beta", "gamma"].map(ProviderId::new).to_vec();
    let constraints = Constraints { order, ..Constraints::default() };
    let reaches: Vec<Reach> = dispatcher.reach_wanting(&model, None, false, Some(&request), &constraints);
    let route = route_request(&request, constraints);
    let routed = dispatcher.route(&route, Some(&request), &reaches, &Policy::default(), 1, Suppose::Nothing);
    assert_eq!(routed.decision.ranked.len(), servers.len(), "{:?}", routed.decision.rejected);
    let planned = dispatcher.hedge(&routed.decision, case.hedged).ok();
    let stop = case.stop.unwrap_or_default();
    let plan = Plan {
        hedges: None,
        retries: None,
        resume: false,
        request: &request,
        reaches: &reaches,
        decision: &routed.decision,
        route_limits: Limits { max_attempts: 4, retries: 0, first_token: None, max_wait: Duration::ZERO },
        idle: None,
        total: None,
        before: 0,
        hold: case.hold,
        group: [1; 16],
        // Nobody looks whether this machine is busy. It is, and then what was seen would not be learned from.
        source: Source::Gateway,
        talk: None,
        day_cap: case.day_cap,
        purses: &[],
        hedge: planned.map(|hedge| Hedge { after: case.after, ..hedge }),
    };
    let transport = Transport::new(&TransportConfig::default()).unwrap();
    let signer = Signer::new(Vars::default());
    let wire = Wire { transport: &transport, signer: &signer };
    let mut heard = Heard { gate: case.open_at, ..Heard::default() };
    let report = dispatcher.chat(&plan, wire, stop.subscribe(), &mut heard).await;
    let (seen, hedging) = (store.observations(), store.hedging(now()).unwrap());
    Told { report, heard, seen, hedging, decision: routed.decision }
}

/// How long a chat may take before something is wrong with it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs a chat on a thread of its own while the test opens gates.
fn meanwhile(servers: &[Server], case: Case, steps: impl FnOnce()) -> Told {
    std::thread::scope(|scope| {
        let chatting = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let ended = async { tokio::time::timeout(PATIENCE, chat(servers, case)).await };
            runtime.block_on(ended).expect("the chat did not end: who lost was not cancelled")
        });
        steps();
        chatting.join().unwrap()
    })
}

/// An answer that begins when the gate opens.
fn gated(gate: &Gate, text: &str) -> Script {
    let mut steps = vec![Step::bytes(wire::openai_events(&[], None)[0].clone()), Step::Pause(gate.clone())];
    steps.extend(wire::openai_events(&[text], Some((7, 3))).into_iter().skip(1).map(Step::bytes));
    Script::stream(steps)
}

/// It begins, and says nothing until the client goes away.
fn silent() -> Script {
    silent_after(&Gate::new())
}

/// The same, and opens a gate once it has been asked.
fn silent_after(asked: &Gate) -> Script {
    let role = Step::bytes(wire::openai_events(&[], None)[0].clone());
    Script::stream(vec![Step::Open(asked.clone()), role, Step::HangForever])
}

fn quick(text: &str) -> Script {
    wire::openai_stream(&[text], Some((7, 3)))
}

fn overloaded() -> Script {
    wire::openai_error(503, "server_error", None, "Overloaded")
}

fn hits(servers: &[Server]) -> Vec<usize> {
    servers.iter().map(Server::hits).collect()
}

#[test]
fn the_second_wins_and_nothing_of_the_first_is_said_or_learned_as_exact() {
    let asked = Gate::new();
    let servers = [Server::start(vec![silent_after(&asked)]), Server::start(vec![gated(&asked, "fast")])];
    let told = meanwhile(&servers, PLAIN, || servers[0].wait_left(1));
    assert_eq!(told.heard.text, "fast");
    assert_eq!(told.heard.told, ["trying alpha", "hedging alpha with beta", "beta answers"]);
    assert_eq!(told.classes(), ["alpha aborted censored hedged cancelled", "beta ok hedged"]);
    assert_eq!(hits(&servers), [1, 1]);
    assert_eq!(told.report.answered().unwrap().endpoint.provider.as_str(), "beta");
    let [slow, fast] = told.seen.as_slice() else { panic!("{:?}", told.seen) };
    assert_eq!((slow.cost_state, slow.cost, fast.cost_state), (CostState::Unknown, None, CostState::Exact));
    assert_eq!(slow.asked.bound, told.decision.ranked[0].bound, "what it may be billed at most");
    assert_eq!((slow.counted_ttft(), slow.cut_off().is_some()), (None, true));
    // No fault, no success, no cool-down; one wait, longer than what was seen of it.
    let learned = told.stats("alpha");
    assert_eq!((learned.recent.tried(), learned.limited, learned.last_fault), (0.0, 0.0, None));
    assert!(learned.breaker.cooling.is_none());
    assert!(learned.ttft.weight > 0.0 && libm::exp(learned.ttft.mean) > slow.cut_off().unwrap().as_secs_f64());
    assert_eq!(told.hedging, Hedging { requests: 1, hedged: 1 });
}

#[test]
fn the_first_wins_late_and_the_second_is_cancelled() {
    let first = Gate::new();
    let servers = [Server::start(vec![gated(&first, "first")]), Server::start(vec![silent()])];
    let told = meanwhile(&servers, PLAIN, || {
        servers[1].wait_hits(1);
        first.open();
        servers[1].wait_left(1);
    });
    assert_eq!(told.heard.text, "first");
    assert_eq!(told.heard.told, ["trying alpha", "hedging alpha with beta", "alpha answers"]);
    assert_eq!(told.classes(), ["beta aborted censored hedged cancelled", "alpha ok hedged"]);
    assert_eq!((hits(&servers), told.hedging.hedged), (vec![1, 1], 1));
}

#[test]
fn nobody_else_is_asked_in_time_or_without_the_wish() {
    for (hedged, after) in [(true, Duration::from_secs(3600)), (false, Duration::ZERO)] {
        let servers = [Server::start(vec![quick("first")]), Server::start(Vec::new())];
        let told = meanwhile(&servers, Case { hedged, after, ..PLAIN }, || {});
        assert_eq!((told.heard.text.as_str(), hits(&servers)), ("first", vec![1, 0]));
        assert_eq!((told.classes(), told.hedging), (vec!["alpha ok ".to_owned()], Hedging { requests: 1, hedged: 0 }));
    }
}

#[test]
fn where_one_fails_the_other_goes_on_alone() {
    let (first, second) = (Gate::new(), Gate::new());
    let failing = Script::stream(vec![Step::Pause(first.clone()), Step::Close]);
    let servers = [Server::start(vec![failing]), Server::start(vec![gated(&second, "second")])];
    let case = Case { open_at: Some(("alpha to beta", second.clone())), ..PLAIN };
    let told = meanwhile(&servers, case, || {
        second.wait_reached();
        first.open();
    });
    assert_eq!(told.heard.text, "second");
    assert_eq!(
        told.heard.told,
        ["trying alpha", "hedging alpha with beta", "alpha to beta: provider_fault", "beta answers"]
    );
    assert_eq!(told.classes(), ["alpha provider_fault hedged", "beta ok hedged"]);
    assert_eq!(hits(&servers), [1, 1]);
}

#[test]
fn where_both_fail_the_third_is_asked() {
    let gate = Gate::new();
    let first = Script::stream(vec![Step::Pause(gate.clone()), Step::Close]);
    let servers = [Server::start(vec![first]), Server::start(vec![overloaded()]), Server::start(vec![quick("third")])];
    let told = meanwhile(&servers, PLAIN, || {
        servers[1].wait_hits(1);
        gate.open();
    });
    assert_eq!(told.heard.text, "third");
    assert_eq!(hits(&servers), [1, 1, 1]);
    let mut classes = told.classes();
    assert_eq!(classes.pop().unwrap(), "gamma ok ");
    classes.sort();
    assert_eq!(classes, ["alpha provider_fault hedged", "beta overloaded hedged"]);
}

#[test]
fn the_caller_cancels_both() {
    let servers = [Server::start(vec![silent()]), Server::start(vec![silent()])];
    let stop = watch::Sender::new(false);
    let told = meanwhile(&servers, Case { stop: Some(stop.clone()), ..PLAIN }, || {
        servers.iter().for_each(|server| server.wait_hits(1));
        stop.send_replace(true);
    });
    assert_eq!(told.heard.text, "");
    assert!(told.report.answered().is_none());
    let aborted = |one: &openmux::dispatch::AttemptReport| one.outcome.class == ErrorClass::Aborted;
    assert!(told.report.attempts.iter().all(aborted) && told.report.attempts.len() == 2, "{:?}", told.classes());
    assert!(told.seen.iter().all(|seen| !seen.flags.has(Flags::SPARED) && seen.flags.has(Flags::ABORTED)));
}

#[test]
fn an_answer_that_is_held_back_or_not_streamed_is_hedged_as_well() {
    for (stream, hold) in [(true, true), (false, true)] {
        let asked = Gate::new();
        let slow = || Script::raw(vec![Step::Open(asked.clone()), Step::HangForever]);
        let slow = if stream { silent_after(&asked) } else { slow() };
        let fast = if stream { gated(&asked, "fast") } else { wire::openai_whole("fast", (7, 3)).after(&asked) };
        let servers = [Server::start(vec![slow]), Server::start(vec![fast])];
        let told = meanwhile(&servers, Case { stream, hold, ..PLAIN }, || servers[0].wait_left(1));
        assert_eq!(told.heard.text, "fast");
        assert_eq!(told.classes(), ["alpha aborted censored hedged cancelled", "beta ok hedged"]);
    }
}

#[test]
fn where_the_one_that_began_breaks_off_unseen_the_cancelled_one_is_asked_again() {
    let asked = Gate::new();
    let broken = Script::stream(vec![Step::Pause(asked.clone()), Step::bytes(wire::openai_text("half")), Step::Close]);
    let servers = [Server::start(vec![silent_after(&asked), quick("again")]), Server::start(vec![broken])];
    let told = meanwhile(&servers, Case { hold: true, ..PLAIN }, || servers[0].wait_left(1));
    assert_eq!(told.heard.text, "again");
    assert_eq!(told.classes(), ["alpha aborted censored hedged cancelled", "beta stream_broken hedged", "alpha ok "]);
    assert_eq!(hits(&servers), [2, 1]);
}

#[test]
fn what_the_day_does_not_hold_is_not_asked() {
    let gate = Gate::new();
    let servers = [Server::start(vec![gated(&gate, "first")]), Server::start(Vec::new())];
    // Either is at most about $0.0083.
    let day_cap = Some("0.009".parse().unwrap());
    let told = meanwhile(&servers, Case { day_cap, open_at: Some(("not hedged", gate)), ..PLAIN }, || {});
    assert_eq!((told.heard.text.as_str(), hits(&servers)), ("first", vec![1, 0]));
    assert_eq!(told.heard.told, ["trying alpha", "not hedged with beta"]);
    assert_eq!(told.classes(), ["alpha ok "]);
}
