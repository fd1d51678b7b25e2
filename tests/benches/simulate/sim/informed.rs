//! A reference between the peers and the bound: a router that is told every host's true parameters and present trouble,
//! and yet not the fate of the next attempt. What it loses over the bound is chance, which nobody can route around.

use std::collections::BTreeMap;

use super::run::{Ending, Router, Seen, Step, View};
use super::score::Worth;
use super::workload::Question;
use super::world::{Trouble, World};

/// What it is called in the table.
pub const NAME: &str = "(told the truth)";

/// The chance that a conversation goes on.
const GOES_ON: f64 = 0.82;

/// The router.
#[derive(Debug)]
pub struct Informed<'a> {
    world: &'a World,
    worth: Worth,
    /// By conversation and host: tokens, and when.
    warm: BTreeMap<(usize, usize), (u32, f64)>,
    full_until: Vec<f64>,
}

impl<'a> Informed<'a> {
    pub fn new(world: &'a World, worth: Worth) -> Self {
        Self { world, worth, warm: BTreeMap::new(), full_until: vec![0.0; world.market.hosts.len()] }
    }

    /// What going to a host first is expected to cost, by the same sum as the score; and how long to wait there.
    fn expected(&self, question: &Question, at_host: usize, now: f64) -> (f64, f64) {
        let host = &self.world.market.hosts[at_host];
        let (slower, faster, errors, hangs) = match self.world.trouble(at_host, now) {
            Some(Trouble::Slow) => (4.0, 0.5, host.errors, host.hangs),
            Some(Trouble::BrownOut) => (1.6, 0.8, 0.35, host.hangs),
            Some(Trouble::Down) => (1.0, 1.0, 0.97, host.hangs),
            Some(Trouble::Hang) => (1.0, 1.0, host.errors, 0.65),
            Some(Trouble::Squeeze) | None => (1.0, 1.0, host.errors, host.hangs),
        };
        let (tokens, at) = self.warm.get(&(question.session, at_host)).copied().unwrap_or((0, f64::NEG_INFINITY));
        let keeps = host.cache_read.is_some();
        let warm = keeps && tokens >= self.world.market.cache_min && now - at < host.cache_ttl;
        let hit = if warm { host.cache_hit } else { 0.0 };
        let (input, output) = (question.input, 280);
        let tokens = tokens.min(input);
        let mixed = |share: f64, cached: u32, input: u32, output: u32| {
            let cost = |cached: u32| self.world.cost(at_host, [input, cached, output]);
            share * cost(cached) + (1.0 - share) * cost(0)
        };
        let later = if question.continues {
            GOES_ON * mixed(if keeps { host.cache_hit } else { 0.0 }, input, input + output, 0)
        } else {
            0.0
        };
        let fresh = f64::from(input) - hit * f64::from(tokens);
        let spread = libm::exp(host.ttft_spread * host.ttft_spread / 2.0);
        // The mean of the Pareto factor is 9.
        let first = (host.ttft * spread * (1.0 + 8.0 * host.tail) + host.prefill * fresh / 1000.0) * slower;
        let length = f64::from(output) / (host.speed * faster) * libm::exp(host.speed_spread * host.speed_spread / 2.0);
        let p95 = (host.ttft * libm::exp(1.645 * host.ttft_spread) + host.prefill * fresh / 1000.0) * slower;
        let patience = (3.0 * p95).clamp(4.0, 30.0);
        let fails = (hangs + (1.0 - hangs) * errors).min(0.999);
        let lost = (hangs * patience + (1.0 - hangs) * errors * 0.5) / fails.max(1e-9);
        let risk = fails / (1.0 - fails) * (self.worth.wait * lost);
        let now = mixed(hit, tokens, input, output);
        (self.worth.of_answer(now, first, length) + later + risk, patience)
    }
}

impl Router for Informed<'_> {
    fn next(&mut self, question: &Question, tried: &[Seen], view: View<'_>) -> Step {
        let hosts = 0..self.world.market.hosts.len();
        let place = |host: usize| {
            let (cost, patience) = self.expected(question, host, view.now);
            let again = tried.iter().filter(|seen| seen.host == host).count() as f64;
            let full = if self.full_until[host] > view.now { 1e3 } else { 0.0 };
            (cost + full + again * 1e4, patience, host)
        };
        let best = hosts.map(place).min_by(|a, b| a.0.total_cmp(&b.0));
        best.filter(|_| tried.len() < 6).map_or(Step::GiveUp, |(_, patience, host)| Step::Try(host, patience))
    }

    fn seen(&mut self, question: &Question, seen: &Seen, now: f64) {
        match seen.ending {
            Ending::Answered => {
                self.warm.insert((question.session, seen.host), (seen.input, seen.began));
            }
            Ending::RateLimited => self.full_until[seen.host] = now + seen.retry_after.unwrap_or(2.0),
            _ => {}
        }
    }
}
