//! Balancers made for interchangeable servers: peak EWMA with two choices, agentgateway's score, Prequal's hot and
//! cold.

use super::super::chance::{Draw, For};
use super::super::run::{Ending, Router, Seen, Step, View};
use super::super::workload::Question;
use super::{LIMIT, Recent, failed, lowest, was_tried};

/// Helicone: the better of two at random by peak EWMA of the time to the response's head times what is under way.
/// Failures update the EWMA too, and fast ones make a host look better. Error share above a tenth of at least 20 in a
/// tumbling minute, looked at every 5 s, takes a host out; a 429 does for `Retry-After` (30 s) and 30 s more.
#[derive(Debug)]
pub struct Helicone {
    ewma: Vec<(f64, f64)>,
    window: Vec<(u32, u32)>,
    minute: u64,
    checked: u64,
    out: Vec<bool>,
    limited_until: Vec<f64>,
    seed: u64,
    failover: bool,
}

impl Helicone {
    pub fn new(hosts: usize, seed: u64, failover: bool) -> Self {
        Self {
            ewma: vec![(0.25, 0.0); hosts],
            window: vec![(0, 0); hosts],
            minute: 0,
            checked: 0,
            out: vec![false; hosts],
            limited_until: vec![0.0; hosts],
            seed,
            failover,
        }
    }

    fn turn(&mut self, now: f64) {
        let minute = (now / 60.0) as u64;
        if minute != self.minute {
            self.minute = minute;
            self.window.fill((0, 0));
        }
        let check = (now / 5.0) as u64;
        if check != self.checked {
            self.checked = check;
            for (out, (many, bad)) in self.out.iter_mut().zip(&self.window) {
                *out = *many >= 20 && bad * 10 > *many;
            }
        }
    }

    fn sample(&mut self, host: usize, took: f64, now: f64) {
        let (ewma, at) = self.ewma[host];
        let keeps = libm::exp(-(now - at) / 30.0);
        self.ewma[host] = (if took > ewma { took } else { ewma * keeps + took * (1.0 - keeps) }, now);
    }

    fn cost(&self, host: usize, view: View<'_>) -> f64 {
        let (ewma, at) = self.ewma[host];
        ewma * libm::exp(-(view.now - at) / 30.0) * f64::from(view.in_flight[host] + 1)
    }
}

/// Two different ones of these at random, or the only one twice.
fn two(among: &[usize], draw: &mut Draw) -> Option<[usize; 2]> {
    let first = *among.get(draw.below(among.len()))?;
    let rest: Vec<usize> = among.iter().copied().filter(|&other| other != first).collect();
    Some([first, rest.get(draw.below(rest.len())).copied().unwrap_or(first)])
}

impl Router for Helicone {
    fn next(&mut self, question: &Question, tried: &[Seen], view: View<'_>) -> Step {
        self.turn(view.now);
        if !tried.is_empty() && !self.failover {
            return Step::GiveUp;
        }
        let open: Vec<usize> = (0..self.ewma.len()).filter(|&host| !was_tried(tried, host)).collect();
        let ready: Vec<usize> =
            open.iter().copied().filter(|&host| !self.out[host] && self.limited_until[host] <= view.now).collect();
        let among = if ready.is_empty() { open } else { ready };
        let mut draw = Draw::of(self.seed, For::Choice, [question.id as u64, tried.len() as u64, 2]);
        let two = two(&among, &mut draw).into_iter().flatten();
        lowest(two, |host| self.cost(host, view)).map_or(Step::GiveUp, |host| Step::Try(host, LIMIT))
    }

    fn first_token(&mut self, host: usize, ttft: f64, now: f64) {
        self.sample(host, ttft, now);
    }

    fn seen(&mut self, _question: &Question, seen: &Seen, now: f64) {
        self.turn(now);
        let (many, bad) = &mut self.window[seen.host];
        *many += 1;
        match seen.ending {
            Ending::Answered => {}
            Ending::RateLimited => self.limited_until[seen.host] = now + seen.retry_after.unwrap_or(30.0) + 30.0,
            _ => *bad += 1,
        }
        if seen.ttft.is_none() {
            self.sample(seen.host, seen.took, now);
        }
    }
}

/// agentgateway: the better of two at random (with replacement) by health / (1 + latency * (1 + 0.1 * under way)), both
/// EWMA of 0.3 a sample; latency is of the whole answer and begins at 0. With retries, which are not its default.
#[derive(Debug)]
pub struct Agentgateway {
    health: Vec<f64>,
    latency: Vec<f64>,
    seed: u64,
}

impl Agentgateway {
    pub fn new(hosts: usize, seed: u64) -> Self {
        Self { health: vec![1.0; hosts], latency: vec![0.0; hosts], seed }
    }
}

impl Router for Agentgateway {
    fn next(&mut self, question: &Question, tried: &[Seen], view: View<'_>) -> Step {
        let open: Vec<usize> = (0..self.health.len()).filter(|&host| !was_tried(tried, host)).collect();
        if open.is_empty() || tried.len() >= 4 {
            return Step::GiveUp;
        }
        let mut draw = Draw::of(self.seed, For::Choice, [question.id as u64, tried.len() as u64, 3]);
        let two = [open[draw.below(open.len())], open[draw.below(open.len())]];
        let score = |host: usize| {
            self.health[host] / (1.0 + self.latency[host] * (1.0 + 0.1 * f64::from(view.in_flight[host])))
        };
        lowest(two, |host| -score(host)).map_or(Step::GiveUp, |host| Step::Try(host, LIMIT))
    }

    fn seen(&mut self, _question: &Question, seen: &Seen, _now: f64) {
        let well = if failed(seen) { 0.0 } else { 1.0 };
        self.health[seen.host] += 0.3 * (well - self.health[seen.host]);
        if seen.answered() {
            self.latency[seen.host] += 0.3 * (seen.took - self.latency[seen.host]);
        }
    }
}

/// Prequal's rule without its probes: among hosts with no more under way than the 0.84 quantile the lowest latency,
/// else the fewest under way; errors make a host look slower, so that it is no sink.
#[derive(Debug)]
pub struct Prequal {
    ttft: Vec<Recent>,
    errors: Vec<f64>,
}

impl Prequal {
    pub fn new(hosts: usize) -> Self {
        Self { ttft: vec![Recent::default(); hosts], errors: vec![0.0; hosts] }
    }
}

impl Router for Prequal {
    fn next(&mut self, _question: &Question, tried: &[Seen], view: View<'_>) -> Step {
        let mut under_way = view.in_flight.to_vec();
        under_way.sort_unstable();
        let hot = under_way[((under_way.len() - 1) as f64 * 0.84) as usize];
        let place = |host: usize| {
            if view.in_flight[host] > hot {
                return 1e6 + f64::from(view.in_flight[host]);
            }
            self.ttft[host].median_since(view.now - 600.0).unwrap_or(1.0) * (1.0 + 4.0 * self.errors[host])
        };
        let open = (0..self.ttft.len()).filter(|&host| !was_tried(tried, host));
        lowest(open, place).map_or(Step::GiveUp, |host| Step::Try(host, LIMIT))
    }

    fn seen(&mut self, _question: &Question, seen: &Seen, now: f64) {
        let bad = if failed(seen) { 1.0 } else { 0.0 };
        self.errors[seen.host] += 0.2 * (bad - self.errors[seen.host]);
        if let Some(ttft) = seen.ttft {
            self.ttft[seen.host].push(now, ttft, 10);
        }
    }
}
