//! LiteLLM's router: five strategies over one cool-down and retry rule.
//!
//! A 429 cools a deployment down at once for `Retry-After` or 5 s, and so does an error share above one half of at
//! least five in the calendar minute. Two retries, at once while any deployment is healthy; the one that failed is not
//! excluded.

use super::super::catalogs::Host;
use super::super::chance::{Draw, For};
use super::super::run::{self, Ending, Seen, Step, View};
use super::super::workload::Question;
use super::{LIMIT, Recent, lowest, price};

/// Which deployment among the healthy ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strategy {
    /// At random.
    Shuffle,
    /// Fewest under way.
    LeastBusy,
    /// Lowest mean of the last ten times to first token; never used counts as 0.
    Latency,
    /// Lowest input plus output price.
    Cost,
    /// Fewest tokens in this calendar minute, within the limits.
    Usage,
}

#[derive(Debug, Clone, Default)]
struct Deployment {
    cooling_until: f64,
    minute: u64,
    attempts: u32,
    failures: u32,
    tokens: f64,
    requests: f64,
    ttft: Recent,
}

/// The router.
#[derive(Debug)]
pub struct Router {
    strategy: Strategy,
    hosts: Vec<Host>,
    deployments: Vec<Deployment>,
    seed: u64,
    /// Waits for one request, since it last was another's turn.
    waits: (usize, u32),
}

const RETRIES: usize = 2;

impl Router {
    pub fn new(strategy: Strategy, hosts: Vec<Host>, seed: u64) -> Self {
        let deployments = vec![Deployment::default(); hosts.len()];
        Self { strategy, hosts, deployments, seed, waits: (0, 0) }
    }

    fn turn_minute(&mut self, now: f64) {
        let minute = (now / 60.0) as u64;
        for deployment in self.deployments.iter_mut().filter(|deployment| deployment.minute != minute) {
            (deployment.minute, deployment.attempts, deployment.failures) = (minute, 0, 0);
            (deployment.tokens, deployment.requests) = (0.0, 0.0);
        }
    }

    fn choose(&self, question: &Question, healthy: &[usize], nth: usize, view: View<'_>) -> Option<usize> {
        let healthy_hosts = healthy.iter().copied();
        match self.strategy {
            Strategy::Shuffle => {
                let mut draw = Draw::of(self.seed, For::Choice, [question.id as u64, nth as u64, 0]);
                healthy.get(draw.below(healthy.len())).copied()
            }
            Strategy::LeastBusy => lowest(healthy_hosts, |host| f64::from(view.in_flight[host])),
            Strategy::Latency => {
                let mean = |host: usize| self.deployments[host].ttft.mean_since(view.now - 3600.0).unwrap_or(0.0);
                lowest(healthy_hosts, mean)
            }
            Strategy::Cost => lowest(healthy_hosts, |host| price(&self.hosts[host])),
            Strategy::Usage => {
                let fits = |host: &usize| {
                    let (deployment, limits) = (&self.deployments[*host], &self.hosts[*host]);
                    deployment.tokens + f64::from(question.input) <= limits.ktpm * 1000.0
                        && deployment.requests + 1.0 < limits.rpm
                };
                lowest(healthy_hosts.filter(fits), |host| self.deployments[host].tokens)
            }
        }
    }
}

impl run::Router for Router {
    fn next(&mut self, question: &Question, tried: &[Seen], view: View<'_>) -> Step {
        self.turn_minute(view.now);
        let waits = if self.waits.0 == question.id { self.waits.1 } else { 0 };
        if tried.len() + waits as usize > RETRIES {
            return Step::GiveUp;
        }
        let healthy: Vec<usize> =
            (0..self.hosts.len()).filter(|&host| self.deployments[host].cooling_until <= view.now).collect();
        let nth = tried.len() + waits as usize;
        if let Some(host) = self.choose(question, &healthy, nth, view) {
            let deployment = &mut self.deployments[host];
            deployment.requests += 1.0;
            return Step::Try(host, LIMIT);
        }
        self.waits = (question.id, waits + 1);
        let asked = tried.last().and_then(|seen| seen.retry_after).filter(|asked| *asked <= 60.0);
        Step::Wait(asked.unwrap_or((0.5 * f64::from(1 << waits)).min(8.0)))
    }

    fn seen(&mut self, _question: &Question, seen: &Seen, now: f64) {
        self.turn_minute(now);
        let deployment = &mut self.deployments[seen.host];
        deployment.attempts += 1;
        deployment.tokens += f64::from(seen.input + seen.output);
        if seen.answered() {
            deployment.ttft.push(now, seen.ttft.unwrap_or_default(), 10);
            return;
        }
        deployment.failures += 1;
        let failing = deployment.attempts >= 5 && deployment.failures * 2 > deployment.attempts;
        if seen.ending == Ending::RateLimited || failing {
            let pause = seen.retry_after.unwrap_or(5.0);
            deployment.cooling_until = now + pause;
        }
    }
}
