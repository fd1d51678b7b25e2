//! The two hosted routers.

use std::collections::BTreeMap;

use super::super::catalogs::Host;
use super::super::chance::{Draw, For};
use super::super::run::{Router, Seen, Step, View};
use super::super::workload::Question;
use super::{LIMIT, Recent, failed, lowest, price, was_tried};

/// OpenRouter: hosts without an outage in the last 30 s first, of these a draw by 1/price^2, the others as fallbacks.
/// A conversation stays for ten minutes where it was answered if reading the cache is cheaper there.
#[derive(Debug)]
pub struct OpenRouter {
    weights: Vec<f64>,
    caches: Vec<bool>,
    last_failure: Vec<f64>,
    sticky: BTreeMap<usize, (usize, f64)>,
    seed: u64,
}

impl OpenRouter {
    pub fn new(hosts: &[Host], seed: u64) -> Self {
        Self {
            weights: hosts.iter().map(|host| 1.0 / (price(host) * price(host))).collect(),
            caches: hosts.iter().map(|host| host.cache_read.is_some_and(|read| read != host.input)).collect(),
            last_failure: vec![f64::NEG_INFINITY; hosts.len()],
            sticky: BTreeMap::new(),
            seed,
        }
    }
}

impl Router for OpenRouter {
    fn next(&mut self, question: &Question, tried: &[Seen], view: View<'_>) -> Step {
        let well = |host: usize| self.last_failure[host] < view.now - 30.0;
        let sticky = self.sticky.get(&question.session);
        if let Some(&(host, at)) = sticky
            && view.now - at < 600.0
            && well(host)
            && !was_tried(tried, host)
        {
            return Step::Try(host, LIMIT);
        }
        let open: Vec<usize> = (0..self.weights.len()).filter(|&host| !was_tried(tried, host)).collect();
        let healthy: Vec<usize> = open.iter().copied().filter(|&host| well(host)).collect();
        let among = if healthy.is_empty() { open } else { healthy };
        let total: f64 = among.iter().map(|&host| self.weights[host]).sum();
        let mut draw = Draw::of(self.seed, For::Choice, [question.id as u64, tried.len() as u64, 1]);
        let mut point = draw.unit() * total;
        let drawn = among.iter().copied().find(|&host| {
            point -= self.weights[host];
            point <= 0.0
        });
        drawn.or(among.last().copied()).map_or(Step::GiveUp, |host| Step::Try(host, LIMIT))
    }

    fn seen(&mut self, question: &Question, seen: &Seen, now: f64) {
        if failed(seen) {
            self.last_failure[seen.host] = now;
        } else if self.caches[seen.host] {
            self.sticky.insert(question.session, (seen.host, now));
        }
    }
}

/// ZenMux: the author's own host first, then by time to first token; or by that alone. It sees the whole platform, so
/// where we have no sample of ten minutes it is given the host's true median.
#[derive(Debug)]
pub struct ZenMux {
    medians: Vec<f64>,
    official: Vec<bool>,
    ttft: Vec<Recent>,
    failures: Vec<Recent>,
    original_first: bool,
}

impl ZenMux {
    pub fn new(hosts: &[Host], original_first: bool) -> Self {
        Self {
            medians: hosts.iter().map(|host| host.ttft).collect(),
            official: hosts.iter().map(|host| host.official).collect(),
            ttft: vec![Recent::default(); hosts.len()],
            failures: vec![Recent::default(); hosts.len()],
            original_first,
        }
    }

    /// Half of at least three attempts of the last minute failed.
    fn is_down(&self, host: usize, now: f64) -> bool {
        let (many, bad) =
            self.failures[host].since(now - 60.0).fold((0.0, 0.0), |(many, bad), failed| (many + 1.0, bad + failed));
        many >= 3.0 && bad * 2.0 >= many
    }
}

impl Router for ZenMux {
    fn next(&mut self, _question: &Question, tried: &[Seen], view: View<'_>) -> Step {
        let place = |host: usize| {
            let down = if self.is_down(host, view.now) { 1e6 } else { 0.0 };
            let first = if self.original_first && self.official[host] { -1e3 } else { 0.0 };
            down + first + self.ttft[host].median_since(view.now - 600.0).unwrap_or(self.medians[host])
        };
        let open = (0..self.medians.len()).filter(|&host| !was_tried(tried, host));
        lowest(open, place).map_or(Step::GiveUp, |host| Step::Try(host, LIMIT))
    }

    fn seen(&mut self, _question: &Question, seen: &Seen, now: f64) {
        self.failures[seen.host].push(now, if failed(seen) { 1.0 } else { 0.0 }, 20);
        if let Some(ttft) = seen.ttft {
            self.ttft[seen.host].push(now, ttft, 20);
        }
    }
}
