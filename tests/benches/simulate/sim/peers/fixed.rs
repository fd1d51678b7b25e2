//! Rules that anyone can write down in a line.

use std::collections::BTreeMap;

use super::super::catalogs::Host;
use super::super::run::{Ending, Router, Seen, Step, View};
use super::super::workload::Question;
use super::{LIMIT, Recent, failed, lowest, price, was_tried};

/// A list, from the top (TensorZero's `routing`, Portkey's `fallback`).
#[derive(Debug)]
pub struct Order(Vec<usize>);

impl Order {
    pub fn listed(hosts: &[Host]) -> Self {
        Self((0..hosts.len()).collect())
    }

    pub fn cheapest(hosts: &[Host]) -> Self {
        let mut order: Vec<usize> = (0..hosts.len()).collect();
        order.sort_by(|&a, &b| price(&hosts[a]).total_cmp(&price(&hosts[b])));
        Self(order)
    }
}

impl Router for Order {
    fn next(&mut self, _question: &Question, tried: &[Seen], _view: View<'_>) -> Step {
        let next = self.0.iter().copied().find(|&host| !was_tried(tried, host));
        next.map_or(Step::GiveUp, |host| Step::Try(host, LIMIT))
    }

    fn seen(&mut self, _question: &Question, _seen: &Seen, _now: f64) {}
}

/// What nobody ships and anyone could: a conversation stays where it was answered, else the lowest mean of the last ten
/// times to first token, 10 s for each; after a failure 30 s of rest, after a 429 what it asks for or 5 s.
#[derive(Debug)]
pub struct Affinity {
    ttft: Vec<Recent>,
    rests_until: Vec<f64>,
    home: BTreeMap<usize, usize>,
}

impl Affinity {
    pub fn new(hosts: &[Host]) -> Self {
        Self { ttft: vec![Recent::default(); hosts.len()], rests_until: vec![0.0; hosts.len()], home: BTreeMap::new() }
    }
}

impl Router for Affinity {
    fn next(&mut self, question: &Question, tried: &[Seen], view: View<'_>) -> Step {
        let home = self.home.get(&question.session).copied();
        let place = |host: usize| {
            let rests = if self.rests_until[host] > view.now { 1e6 } else { 0.0 };
            let away = if home == Some(host) { 0.0 } else { 1e3 };
            rests + away + self.ttft[host].mean_since(view.now - 3600.0).unwrap_or(0.0)
        };
        let open = (0..self.ttft.len()).filter(|&host| !was_tried(tried, host));
        lowest(open, place).map_or(Step::GiveUp, |host| Step::Try(host, 10.0))
    }

    fn seen(&mut self, question: &Question, seen: &Seen, now: f64) {
        if failed(seen) {
            let rest = if seen.ending == Ending::RateLimited { seen.retry_after.unwrap_or(5.0) } else { 30.0 };
            self.rests_until[seen.host] = now + rest;
        } else {
            self.ttft[seen.host].push(now, seen.ttft.unwrap_or_default(), 10);
            self.home.insert(question.session, seen.host);
        }
    }
}
