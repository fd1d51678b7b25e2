//! What a router could reach at best that knew the fate of every attempt: a lower bound on the loss.
//!
//! For every session, the least loss over all ways to place its turns, looking ahead to the caches that each leaves
//! behind. Everything that is not exact is to the bound's side: no rate limits; a cache is warm wherever the session
//! has ever been if the host's lifetime lasts from the turn before, and holds the turn before; a request may be held
//! back until the host's next change of state within the patience; a second try costs what the first one's failure
//! took. (Not covered: a try that is given up although it would have been answered, then made again at the same host.)

use super::run::PATIENCE;
use super::score::Worth;
use super::workload::{Request, Workload};
use super::world::{Fate, World};

/// The lower bound, in USD for a thousand requests.
pub fn bound(world: &World, workload: &Workload, worth: Worth) -> f64 {
    let mut sessions: Vec<Vec<usize>> = vec![Vec::new(); workload.sessions];
    for request in &workload.requests {
        sessions[request.seen.session].push(request.seen.id);
    }
    let sum: f64 = sessions.iter().map(|turns| session(world, workload, worth, turns)).sum();
    sum / workload.requests.len().max(1) as f64 * 1000.0
}

/// The least loss of a session: over the sets of hosts that its turns have been at.
fn session(world: &World, workload: &Workload, worth: Worth, turns: &[usize]) -> f64 {
    let hosts = world.market.hosts.len();
    let mut least = vec![f64::INFINITY; 1 << hosts];
    least[0] = 0.0;
    for (turn, &id) in turns.iter().enumerate() {
        let request = &workload.requests[id];
        let since =
            turn.checked_sub(1).map_or(f64::INFINITY, |before| request.at - workload.requests[turns[before]].at);
        // Cold and warm, at every host.
        let costs: Vec<[f64; 2]> = (0..hosts)
            .map(|host| {
                let cold = at_best(world, request, worth, host, 0);
                let warm = cached(world, request, host, since);
                [cold, if warm == 0 { cold } else { at_best(world, request, worth, host, warm).min(cold) }]
            })
            .collect();
        let mut next = vec![f64::INFINITY; 1 << hosts];
        for (visited, &so_far) in least.iter().enumerate().filter(|(_, loss)| loss.is_finite()) {
            for (host, [cold, warm]) in costs.iter().enumerate() {
                let cost = if visited & (1 << host) == 0 { cold } else { warm };
                let after = &mut next[visited | (1 << host)];
                *after = after.min(so_far + cost);
            }
        }
        least = next;
    }
    least.into_iter().fold(f64::INFINITY, f64::min)
}

/// The most that a cache can hold of a request. What was begun up to the patience later is warm that much longer.
fn cached(world: &World, request: &Request, host: usize, since: f64) -> u32 {
    let prices = &world.market.hosts[host];
    let warm =
        prices.cache_read.is_some() && since - PATIENCE < prices.cache_ttl && request.repeats >= world.market.cache_min;
    if warm && world.cache_hits(request, host) { request.repeats } else { 0 }
}

/// The least loss of a request at one host.
fn at_best(world: &World, request: &Request, worth: Worth, host: usize, cached: u32) -> f64 {
    let changes = world.episodes[host].iter().flat_map(|episode| [episode.begins, episode.ends]);
    let starts = changes.filter(|&at| at > request.at && at < request.at + PATIENCE).map(|at| at + 1e-6);
    let starts = std::iter::once(request.at).chain(starts);
    starts.map(|at| try_from(world, request, worth, (host, cached), at)).fold(worth.of_failure(0.0, 0.0), f64::min)
}

/// The loss of trying at one host from a moment on, again at once after each failure, up to four times.
fn try_from(world: &World, request: &Request, worth: Worth, (host, cached): (usize, u32), begins: f64) -> f64 {
    let mut at = begins;
    for nth in 0..4 {
        match world.fate(request, host, nth, at, cached) {
            Fate::Answer { ttft, decode } => {
                let waited = at + ttft - request.at;
                let cost = world.cost(host, [request.seen.input, cached, request.output]);
                return worth.of_answer(cost, waited, decode);
            }
            Fate::Error { after, .. } => at += after,
            // Giving up costs at least a second, whatever the rule.
            Fate::Hang => at += 1.0,
            Fate::Cut { .. } => return f64::INFINITY,
        }
    }
    f64::INFINITY
}
