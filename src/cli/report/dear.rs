//! That a call could cost more than it may.

use super::super::contract::Exit;
use super::super::error::CliError;
use super::super::render::money::dollars;
use super::{bound_text, uncallable};
use crate::dispatch::Reach;
use crate::routing::{Decision, Rejected, Rejection};

/// Nobody keeps to the limit of a call's cost: how far the one that comes nearest is from it, and what of that an answer
/// can be shortened by.
pub(super) fn too_dear(decision: &Decision, wanted: &[&Rejected], is_uncallable: bool, reaches: &[Reach]) -> CliError {
    let like = wanted.iter().filter(|entry| uncallable(entry) == is_uncallable);
    let bounds = like.flat_map(|entry| entry.reasons.iter().map(move |reason| (&entry.endpoint, reason)));
    let bounds = bounds.filter_map(|(endpoint, reason)| match reason {
        Rejection::AboveMaxCost { bound, least, limit } => Some((*bound, *least, *limit, endpoint)),
        _ => None,
    });
    let nearest = bounds.min();
    let reach = nearest.and_then(|(.., endpoint)| reaches.iter().find(|reach| reach.endpoint.id == *endpoint));
    let (bound, least, limit) = nearest.map(|(bound, least, limit, _)| (bound, least, limit)).unwrap_or_default();
    let fix = if least > limit {
        format!("--max-cost {}   (the prompt alone can cost {})", bound.exact(), dollars(least))
    } else {
        format!("--max-tokens with a smaller number, or --max-cost {}", bound.exact())
    };
    let message = format!("not sent: it could cost {}, more than --max-cost {}", dollars(bound), limit.exact());
    CliError::new(Exit::Refused, "max_cost", message).fact("bound", bound_text(decision, reach)).fix(fix)
}
