//! What outcomes come to: money, waiting and failures as one sum, and the figures beside it.

use super::run::{Outcome, PATIENCE, Played};
use super::world::{Trouble, World};

/// What time is worth, in USD a second.
#[derive(Debug, Clone, Copy)]
pub struct Worth {
    /// Before the first token.
    pub wait: f64,
    /// While the answer comes.
    pub stream: f64,
}

impl Worth {
    /// The answer's own length weighs 0.3 of the wait, as in the policy.
    pub fn of(wait: f64) -> Self {
        Self { wait, stream: 0.3 * wait }
    }

    /// What an answer costs in money and time.
    pub fn of_answer(self, cost: f64, waited: f64, decode: f64) -> f64 {
        cost + self.wait * waited + self.stream * decode
    }

    /// What a failure costs: what was waited, and as long again as patience lasts.
    pub fn of_failure(self, cost: f64, waited: f64) -> f64 {
        cost + self.wait * (waited + PATIENCE)
    }

    /// What an outcome comes to.
    pub fn loss(self, outcome: &Outcome) -> f64 {
        if outcome.ok {
            self.of_answer(outcome.cost, outcome.waited, outcome.decode)
        } else {
            self.of_failure(outcome.cost, outcome.waited)
        }
    }
}

/// The figures of one run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Figures {
    pub requests: f64,
    /// The share of whole answers that began within the patience.
    pub ok: f64,
    /// Waits of answered requests, from the arrival, in seconds.
    pub p50: f64,
    pub p95: f64,
    pub p99: f64,
    /// USD for a thousand whole answers, and for a thousand requests what was billed for nothing.
    pub spent: f64,
    pub wasted: f64,
    /// Attempts a request, and refusals for a thousand.
    pub attempts: f64,
    pub refused: f64,
    /// Requests that went to a host in trouble although it had been a favourite, an episode; seconds until five
    /// requests in a row went elsewhere; seconds from its end to the first that went there again.
    pub caught: f64,
    pub shift: f64,
    pub back: f64,
    /// Microseconds a decision.
    pub micros: f64,
}

/// The loss in USD for a thousand requests.
pub fn loss(played: &Played, worth: Worth) -> f64 {
    let sum: f64 = played.outcomes.iter().map(|outcome| worth.loss(outcome)).sum();
    sum / played.outcomes.len().max(1) as f64 * 1000.0
}

/// The figures of a run.
pub fn figures(played: &Played, world: &World) -> Figures {
    let outcomes = &played.outcomes;
    let many = outcomes.len().max(1) as f64;
    let mut waits: Vec<f64> = outcomes.iter().filter(|outcome| outcome.ok).map(|outcome| outcome.waited).collect();
    waits.sort_by(f64::total_cmp);
    let at =
        |share: f64| waits.get(((waits.len() as f64 * share) as usize).min(waits.len().saturating_sub(1))).copied();
    let sum = |of: &dyn Fn(&Outcome) -> f64| outcomes.iter().map(of).sum::<f64>();
    let (caught, shift, back) = shifts(outcomes, world);
    Figures {
        requests: many,
        ok: waits.len() as f64 / many,
        p50: at(0.5).unwrap_or(f64::NAN),
        p95: at(0.95).unwrap_or(f64::NAN),
        p99: at(0.99).unwrap_or(f64::NAN),
        spent: sum(&|outcome| outcome.cost) / waits.len().max(1) as f64 * 1000.0,
        wasted: sum(&|outcome| outcome.wasted) / many * 1000.0,
        attempts: sum(&|outcome| f64::from(outcome.attempts)) / many,
        refused: sum(&|outcome| f64::from(outcome.refused)) / many * 1000.0,
        caught,
        shift,
        back,
        micros: played.thought as f64 / played.asked.max(1) as f64 / 1000.0,
    }
}

/// How a router met the episodes of hosts that had got a third of the requests of five minutes before.
fn shifts(outcomes: &[Outcome], world: &World) -> (f64, f64, f64) {
    let mut caught = Vec::new();
    let mut shift = Vec::new();
    let mut back = Vec::new();
    let from = |at: f64| outcomes.partition_point(|outcome| outcome.arrived < at);
    for (host, episodes) in world.episodes.iter().enumerate() {
        for episode in episodes.iter().filter(|episode| episode.trouble != Trouble::Squeeze && episode.begins > 60.0) {
            let here = |outcome: &&Outcome| outcome.first == Some(host);
            let (before, begins, ends) = (from(episode.begins - 300.0), from(episode.begins), from(episode.ends));
            let favour = outcomes[before..begins].iter().filter(here).count();
            if favour * 3 < begins - before || favour < 2 {
                continue;
            }
            caught.push(outcomes[begins..ends].iter().filter(here).count() as f64);
            let away =
                outcomes[begins..ends].windows(5).find(|five| five.iter().all(|outcome| outcome.first != Some(host)));
            shift.push(away.map_or(episode.ends, |five| five[0].arrived) - episode.begins);
            if let Some(again) = outcomes[ends..].iter().find(here) {
                back.push(again.arrived - episode.ends);
            }
        }
    }
    let mean =
        |values: &[f64]| if values.is_empty() { f64::NAN } else { values.iter().sum::<f64>() / values.len() as f64 };
    (mean(&caught), mean(&shift), mean(&back))
}
