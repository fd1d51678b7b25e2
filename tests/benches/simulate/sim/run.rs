//! Plays one router against one world: a queue of events under a virtual clock, rate limits, prompt caches and bills.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use super::workload::{Question, Request, Workload};
use super::world::{Fate, Trouble, World};

/// Whoever has seen nothing after this long has gone, in seconds.
pub const PATIENCE: f64 = 60.0;

/// How an attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Answered,
    /// Broken off after the first token.
    Cut,
    Failed,
    /// Failed with a status that says so: 503 or 529.
    Overloaded,
    RateLimited,
    /// Given up by the router, which waited for a first token.
    TimedOut,
}

/// What a host says of its limits: how many are allowed a minute, and how many are left.
#[derive(Debug, Clone, Copy)]
pub struct Left {
    pub requests: [f64; 2],
    pub tokens: [f64; 2],
}

/// An attempt, as whoever made it sees it.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    pub host: usize,
    pub began: f64,
    pub ending: Ending,
    pub ttft: Option<f64>,
    /// From the first token to the last.
    pub decode: f64,
    /// From the start to the end, or to the failure.
    pub took: f64,
    pub input: u32,
    pub cached: u32,
    pub written: u32,
    pub output: u32,
    pub retry_after: Option<f64>,
    pub left: Option<Left>,
}

impl Seen {
    /// Whether a whole answer came.
    pub fn answered(&self) -> bool {
        self.ending == Ending::Answered
    }
}

/// What a router wants.
#[derive(Debug, Clone, Copy)]
pub enum Step {
    /// Call this host, and give it so many seconds to a first token.
    Try(usize, f64),
    Wait(f64),
    GiveUp,
}

/// The moment at which a router is asked.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    pub now: f64,
    /// Requests under way at each host.
    pub in_flight: &'a [u32],
}

/// A rule for where a request goes.
pub trait Router {
    /// What next, after these attempts for the same request, the last of which has failed.
    fn next(&mut self, question: &Question, tried: &[Seen], view: View<'_>) -> Step;
    /// A first token has come.
    fn first_token(&mut self, _host: usize, _ttft: f64, _now: f64) {}
    /// An attempt has ended.
    fn seen(&mut self, question: &Question, seen: &Seen, now: f64);
    /// A request is over.
    fn done(&mut self, _question: &Question) {}
}

/// What became of a request.
#[derive(Debug, Clone, Copy, Default)]
pub struct Outcome {
    pub ok: bool,
    /// From the arrival to the first token, or to the end of all hope.
    pub waited: f64,
    pub decode: f64,
    /// Everything that was billed, and what of it was for nothing. USD.
    pub cost: f64,
    pub wasted: f64,
    pub attempts: u32,
    pub refused: u32,
    /// Input tokens that a cache served.
    pub cached: u32,
    /// Where it went first.
    pub first: Option<usize>,
    pub arrived: f64,
}

/// What became of everything.
#[derive(Debug, Clone, Default)]
pub struct Played {
    pub outcomes: Vec<Outcome>,
    /// How often the router was asked, and how long it thought, in nanoseconds.
    pub asked: u64,
    pub thought: u64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum What {
    Arrive(usize),
    Ask(usize),
    FirstToken(usize, usize),
    End(usize, usize),
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Event {
    at: f64,
    number: u64,
    what: What,
}

impl Eq for Event {}

impl Ord for Event {
    /// The earliest is the greatest; of two at once, the one that was planned first.
    fn cmp(&self, other: &Self) -> Ordering {
        other.at.total_cmp(&self.at).then(other.number.cmp(&self.number))
    }
}

impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What a minute allows of one thing, refilled continuously; a third of it may come at once.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    limit: f64,
    at: f64,
}

impl Bucket {
    fn new(limit: f64) -> Self {
        Self { left: limit / 3.0, limit, at: 0.0 }
    }

    fn refill(&mut self, now: f64, share: f64) {
        let most = self.limit * share / 3.0;
        self.left = (self.left + (now - self.at) * self.limit * share / 60.0).min(most);
        self.at = now;
    }

    /// How long until there is so much.
    fn wait(&self, need: f64, share: f64) -> f64 {
        ((need - self.left) / (self.limit * share / 60.0)).max(0.0)
    }
}

#[derive(Debug, Clone, Copy)]
struct Warmth {
    tokens: u32,
    at: f64,
}

/// A run under way.
struct Run<'a> {
    world: &'a World,
    workload: &'a Workload,
    events: BinaryHeap<Event>,
    number: u64,
    in_flight: Vec<u32>,
    buckets: Vec<[Bucket; 2]>,
    /// By session and host.
    warm: Vec<Warmth>,
    tried: Vec<Vec<Seen>>,
    played: Played,
    stopwatch: &'a dyn Fn() -> u64,
}

/// Plays a router against a world. `stopwatch` counts nanoseconds.
pub fn play(world: &World, workload: &Workload, router: &mut dyn Router, stopwatch: &dyn Fn() -> u64) -> Played {
    let hosts = &world.market.hosts;
    let cold = Warmth { tokens: 0, at: f64::NEG_INFINITY };
    let mut run = Run {
        world,
        workload,
        events: BinaryHeap::new(),
        number: 0,
        in_flight: vec![0; hosts.len()],
        buckets: hosts.iter().map(|host| [Bucket::new(host.rpm), Bucket::new(host.ktpm * 1000.0)]).collect(),
        warm: vec![cold; workload.sessions * hosts.len()],
        tried: vec![Vec::new(); workload.requests.len()],
        played: Played { outcomes: vec![Outcome::default(); workload.requests.len()], asked: 0, thought: 0 },
        stopwatch,
    };
    for (id, request) in workload.requests.iter().enumerate() {
        run.plan(request.at, What::Arrive(id));
    }
    while let Some(event) = run.events.pop() {
        run.happen(event, router);
    }
    run.played
}

impl Run<'_> {
    fn plan(&mut self, at: f64, what: What) {
        self.number += 1;
        self.events.push(Event { at, number: self.number, what });
    }

    fn happen(&mut self, event: Event, router: &mut dyn Router) {
        match event.what {
            What::Arrive(id) => {
                self.played.outcomes[id].arrived = event.at;
                self.ask(id, event.at, router);
            }
            What::Ask(id) => self.ask(id, event.at, router),
            What::FirstToken(id, attempt) => {
                let seen = self.tried[id][attempt];
                router.first_token(seen.host, seen.ttft.unwrap_or_default(), event.at);
            }
            What::End(id, attempt) => self.end(id, attempt, event.at, router),
        }
    }

    fn ask(&mut self, id: usize, now: f64, router: &mut dyn Router) {
        let request = &self.workload.requests[id];
        let left = request.at + PATIENCE - now;
        if left <= 0.0 {
            return self.lost(id, now, router);
        }
        let before = (self.stopwatch)();
        let step = router.next(&request.seen, &self.tried[id], View { now, in_flight: &self.in_flight });
        self.played.thought += (self.stopwatch)() - before;
        self.played.asked += 1;
        match step {
            Step::GiveUp => self.lost(id, now, router),
            Step::Wait(wait) => self.plan(now + wait.clamp(1e-3, left), What::Ask(id)),
            Step::Try(host, limit) => self.send(id, host, limit.min(left), now),
        }
    }

    fn lost(&mut self, id: usize, now: f64, router: &mut dyn Router) {
        let request = &self.workload.requests[id];
        self.played.outcomes[id].waited = (now - request.at).min(PATIENCE);
        self.forget(id, router);
    }

    fn forget(&mut self, id: usize, router: &mut dyn Router) {
        router.done(&self.workload.requests[id].seen);
        self.tried[id] = Vec::new();
    }

    fn send(&mut self, id: usize, host: usize, limit: f64, now: f64) {
        let request = &self.workload.requests[id];
        let attempt = self.tried[id].len();
        let outcome = &mut self.played.outcomes[id];
        outcome.first.get_or_insert(host);
        outcome.attempts += 1;
        self.in_flight[host] += 1;
        let mut seen = Seen {
            host,
            began: now,
            ending: Ending::RateLimited,
            ttft: None,
            decode: 0.0,
            took: 0.0,
            input: request.seen.input,
            cached: 0,
            written: 0,
            output: 0,
            retry_after: None,
            left: None,
        };
        match self.admit(request, host, now) {
            Err(wait) => {
                outcome_refused(&mut self.played.outcomes[id]);
                seen.took = self.world.refusal(request, host, attempt);
                seen.retry_after = self.world.market.hosts[host].retry_after.then(|| wait.ceil().max(1.0));
            }
            Ok(()) => self.serve(id, limit, &mut seen),
        }
        if self.world.market.hosts[host].tells_limits && matches!(seen.ending, Ending::Answered | Ending::RateLimited) {
            let [requests, tokens] = self.buckets[host];
            seen.left = Some(Left { requests: [requests.limit, requests.left], tokens: [tokens.limit, tokens.left] });
        }
        self.tried[id].push(seen);
        self.plan(now + seen.took, What::End(id, attempt));
        if let Some(ttft) = seen.ttft {
            self.plan(now + ttft, What::FirstToken(id, attempt));
        }
    }

    /// Takes from the host's buckets, or says how long until there is enough.
    fn admit(&mut self, request: &Request, host: usize, now: f64) -> Result<(), f64> {
        let share = if self.world.trouble(host, now) == Some(Trouble::Squeeze) { 0.2 } else { 1.0 };
        let [requests, tokens] = &mut self.buckets[host];
        requests.refill(now, share);
        tokens.refill(now, share);
        let need = f64::from(request.seen.input + request.output).min(tokens.limit * share / 3.0);
        let wait = requests.wait(1.0, share).max(tokens.wait(need, share));
        if wait > 1e-9 {
            return Err(wait);
        }
        requests.left -= 1.0;
        tokens.left -= need;
        Ok(())
    }

    fn serve(&mut self, id: usize, limit: f64, seen: &mut Seen) {
        let (world, request) = (self.world, &self.workload.requests[id]);
        let host = seen.host;
        let slot = request.seen.session * world.market.hosts.len() + host;
        let warmth = self.warm[slot];
        let warm =
            warmth.tokens >= world.market.cache_min && seen.began - warmth.at < world.market.hosts[host].cache_ttl;
        let prices_cache = world.market.hosts[host].cache_read.is_some();
        let hit = if warm && prices_cache && world.cache_hits(request, host) {
            warmth.tokens.min(request.repeats)
        } else {
            0
        };
        // A refusal is no try: what would have come then comes now.
        let nth =
            self.tried[id].iter().filter(|tried| tried.host == host && tried.ending != Ending::RateLimited).count();
        let fate = world.fate(request, host, nth as u32, seen.began, hit);
        let outcome = &mut self.played.outcomes[id];
        let billed = |part: f64| world.cost(host, [request.seen.input, hit, (f64::from(request.output) * part) as u32]);
        let timed_out = |seen: &mut Seen| (seen.ending, seen.took) = (Ending::TimedOut, limit);
        match fate {
            Fate::Error { after, .. } if after > limit => timed_out(seen),
            Fate::Error { after, overloaded } => {
                seen.ending = if overloaded { Ending::Overloaded } else { Ending::Failed };
                seen.took = after;
            }
            Fate::Hang => timed_out(seen),
            Fate::Answer { ttft, .. } | Fate::Cut { ttft, .. } if ttft > limit => {
                timed_out(seen);
                if world.market.hosts[host].bills_cancelled {
                    outcome.cost += billed(0.2);
                    outcome.wasted += billed(0.2);
                }
            }
            Fate::Cut { ttft, decode, part } => {
                seen.ending = Ending::Cut;
                (seen.ttft, seen.decode, seen.took) = (Some(ttft), decode * part, ttft + decode * part);
                outcome.cost += billed(part);
                outcome.wasted += billed(part);
            }
            Fate::Answer { ttft, decode } => {
                seen.ending = Ending::Answered;
                (seen.ttft, seen.decode, seen.took) = (Some(ttft), decode, ttft + decode);
                (seen.cached, seen.output) = (hit, request.output);
                let writes =
                    world.market.hosts[host].cache_write.is_some() && request.seen.input >= world.market.cache_min;
                seen.written = if writes { request.seen.input - hit } else { 0 };
                outcome.cost += billed(1.0);
                self.warm[slot] = Warmth { tokens: request.seen.input, at: seen.began };
            }
        }
    }

    fn end(&mut self, id: usize, attempt: usize, now: f64, router: &mut dyn Router) {
        let seen = self.tried[id][attempt];
        let request = &self.workload.requests[id];
        self.in_flight[seen.host] -= 1;
        router.seen(&request.seen, &seen, now);
        match seen.ending {
            Ending::Answered => {
                let outcome = &mut self.played.outcomes[id];
                outcome.ok = true;
                outcome.cached = seen.cached;
                outcome.waited = now - seen.decode - request.at;
                outcome.decode = seen.decode;
                self.forget(id, router);
            }
            // Words have been shown: there is no second try.
            Ending::Cut => self.lost(id, now, router),
            _ => self.ask(id, now, router),
        }
    }
}

fn outcome_refused(outcome: &mut Outcome) {
    outcome.refused += 1;
}
