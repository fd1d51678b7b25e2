//! What is asked: sessions of turns with growing contexts, and single questions, in waves.

use super::chance::{Draw, For};

/// What a router sees of a request.
#[derive(Debug, Clone, Copy)]
pub struct Question {
    /// Its number; requests are in order of arrival.
    pub id: usize,
    /// Which conversation it belongs to.
    pub session: usize,
    /// Whether it is a turn of a conversation that may go on, which whoever asks knows.
    pub continues: bool,
    /// Input tokens; every turn repeats the one before it.
    pub input: u32,
}

/// A request.
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// What a router sees.
    pub seen: Question,
    /// When it arrives, in seconds.
    pub at: f64,
    /// How long the answer is, in tokens.
    pub output: u32,
    /// The input of the turn before, which a cache may hold.
    pub repeats: u32,
    /// The request that is the turn before.
    pub before: Option<usize>,
}

/// Requests within an hour.
#[derive(Debug, Clone)]
pub struct Workload {
    pub requests: Vec<Request>,
    pub sessions: usize,
}

/// How many requests a session has in the mean: 0.3 single ones, else 1 + floor of an exponential of mean 6.
const TURNS: f64 = 0.3 + 0.7 * (1.0 + 5.514);

impl Workload {
    /// So many requests a second for so long; `bursty` makes the arrivals come in clumps (Gamma of shape 1/4).
    pub fn new(seed: u64, rate: f64, seconds: f64, bursty: bool) -> Self {
        let mut requests = Vec::new();
        let mut session = 0_usize;
        let mut at = 0.0;
        loop {
            let mut draw = Draw::of(seed, For::Arrival, [session as u64, 0, 0]);
            at += gap(&mut draw, TURNS / rate / wave(at), bursty);
            if at >= seconds {
                break;
            }
            conversation(seed, session, at, seconds, &mut requests);
            session += 1;
        }
        requests.sort_by(|a: &Request, b: &Request| a.at.total_cmp(&b.at));
        let mut last = vec![None; session];
        for (id, request) in requests.iter_mut().enumerate() {
            request.seen.id = id;
            request.before = last[request.seen.session].replace(id);
        }
        Self { requests, sessions: session }
    }
}

/// From a calm of 0.4 to a peak of 1.6 of the mean, every ten minutes.
fn wave(at: f64) -> f64 {
    1.0 + 0.6 * libm::sin(at / 600.0 * 2.0 * core::f64::consts::PI)
}

fn gap(draw: &mut Draw, mean: f64, bursty: bool) -> f64 {
    if !bursty {
        return draw.exponential(mean);
    }
    // A fourth of the arrivals stand four means apart, the others follow at once.
    if draw.unit() < 0.25 { draw.exponential(mean * 3.7) } else { draw.exponential(mean * 0.1) }
}

fn conversation(seed: u64, session: usize, begins: f64, seconds: f64, requests: &mut Vec<Request>) {
    let mut draw = Draw::of(seed, For::Session, [session as u64, 0, 0]);
    let single = draw.unit() < 0.3;
    let turns = if single { 1 } else { 1 + draw.exponential(6.0) as u32 };
    let mut at = begins;
    let mut input = draw.lognormal(1500.0, 1.0).clamp(20.0, 60_000.0) as u32;
    let mut repeats = 0;
    for turn in 0..turns {
        let mut size = Draw::of(seed, For::Size, [session as u64, u64::from(turn), 0]);
        let output = size.lognormal(220.0, 0.7).clamp(8.0, 3000.0) as u32;
        let seen = Question { id: 0, session, continues: !single, input };
        requests.push(Request { seen, at, output, repeats, before: None });
        repeats = input;
        input = (input + output + size.lognormal(90.0, 1.0) as u32).min(120_000);
        at += 4.0
            + f64::from(output) / 60.0
            + Draw::of(seed, For::Gap, [session as u64, u64::from(turn), 0]).lognormal(18.0, 1.0);
        if at >= seconds {
            break;
        }
    }
}
