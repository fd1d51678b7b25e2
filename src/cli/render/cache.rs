//! Where the prompt cache of a conversation is warm, and what it costs to go elsewhere.

use std::fmt::Write as _;

use super::money::dollars;
use super::text::grouped;
use crate::routing::{Decision, Rejection, TermKind};

/// Where the conversation may be cached, and what the first costs for leaving that.
pub(crate) fn told(decision: &Decision) -> String {
    let warm = decision.request.warm.iter().map(|warm| {
        format!("{} may hold {} tokens of this conversation", warm.endpoint.provider, grouped(warm.tokens.count()))
    });
    let mut text = warm.collect::<Vec<_>>().join("; ");
    if let Some(left) = left_behind(decision) {
        let _ = write!(text, "; {left}");
    }
    text
}

/// What it means that a conversation does not go where its prompt cache is warmest; `None` where it does.
pub(crate) fn left_behind(decision: &Decision) -> Option<String> {
    let first = decision.chosen()?;
    let warmest = decision.request.warm.iter().max_by_key(|warm| (warm.tokens, std::cmp::Reverse(&warm.endpoint)))?;
    if decision.request.warm_at(&first.endpoint) >= warmest.tokens {
        return None;
    }
    let (here, there) = (&first.endpoint.provider, &warmest.endpoint.provider);
    let switch = first.score.amount(TermKind::Switch).map_or_else(|| "an unknown sum".to_owned(), dollars);
    let why = match decision.ranked.iter().find(|entry| entry.endpoint == warmest.endpoint) {
        Some(entry) if entry.is_held_back() => format!("{there} comes back after a pause, and not with this request"),
        Some(entry) => format!("{} less in all", dollars(entry.score.total() - first.score.total())),
        None => {
            let rejected = decision.rejected.iter().find(|entry| entry.endpoint == warmest.endpoint);
            let code = rejected.and_then(|entry| entry.reasons.first()).map_or("not weighed", Rejection::code);
            format!("{there} is out: {}", code.replace('_', " "))
        }
    };
    Some(format!("leaving the prompt cache at {there} for {here} costs {switch} ({why})"))
}
