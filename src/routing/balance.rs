//! Near-ties: candidates within a few percent of the best may go first; the one whose prompt cache holds most of the
//! conversation does, then the least loaded, then a hash of the seed.
//!
//! Only who goes first is settled here; behind it the order stays by total, so that removing a candidate never reorders
//! two that are not near-tied.

use super::rule::listed;
use super::{Policy, Ranked, RouteRequest};
use crate::catalog::EndpointId;
use crate::observe::draw;
use crate::units::{Tokens, Usd};

/// How a near-tie was settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TieBreak {
    /// How many candidates were near-tied.
    pub among: usize,
    /// Whether a warm prompt cache chose.
    pub by_cache: bool,
    /// Whether the load differed; where neither did, the seed chose.
    pub by_load: bool,
}

/// Moves the winner of a near-tie to the head.
pub(super) fn settle(ranked: &mut [Ranked], request: &RouteRequest, policy: &Policy, seed: u64) {
    let Some(best) = ranked.first() else { return };
    let ceiling = near(best.score.total(), policy);
    let group = |entry: &Ranked| (entry.is_held_back(), listed(request, entry), entry.grade(), entry.score.price_known);
    let head = group(best);
    let tied = ranked.iter().take_while(|entry| group(entry) == head && entry.score.total() <= ceiling).count();
    if tied < 2 {
        return;
    }
    let loads: Vec<u32> = ranked[..tied].iter().map(|entry| entry.in_flight).collect();
    let warmth: Vec<Tokens> = ranked[..tied].iter().map(|entry| request.warm_at(&entry.endpoint)).collect();
    let by_cache = warmth.iter().any(|tokens| *tokens != warmth[0]);
    let by_load = !by_cache && loads.iter().any(|load| *load != loads[0]);
    let coldness = |at: usize| Tokens::MAX.saturating_sub(warmth[at]);
    let first = |at: &usize| (coldness(*at), loads[*at], mix(seed, &ranked[*at].endpoint));
    let winner = (0..tied).min_by_key(first).unwrap_or(0);
    ranked[..=winner].rotate_right(1);
    ranked[0].tie = Some(TieBreak { among: tied, by_cache, by_load });
}

/// The highest total that is near-tied with the best.
fn near(best: Usd, policy: &Policy) -> Usd {
    best + best.share(u64::from(policy.near_tie_percent) * 10_000_000_000)
}

/// A draw for the endpoint, of the seed.
pub(super) fn mix(seed: u64, endpoint: &EndpointId) -> u64 {
    draw(seed, endpoint.provider.as_str().bytes().chain([0]).chain(endpoint.upstream_model.bytes()))
}
