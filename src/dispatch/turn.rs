//! What every decision about a chat begins with, wherever it is asked: who is weighed, which conversation it is a turn of,
//! what is remembered of that; and the limits of carrying it out.

use std::time::Duration;

use super::{Dispatcher, Reach, Talk};
use crate::catalog::resolve::Resolved;
use crate::chat::ChatRequest;
use crate::routing::{Decision, Limits, Policy, RouteRequest};

/// The longest wait between two tries of one endpoint.
const MAX_WAIT: Duration = Duration::from_secs(30);
/// How long all attempts may take to a first token, and where the model thinks in hiding.
const FIRST_TOKEN: Duration = Duration::from_secs(60);
const FIRST_TOKEN_HIDDEN: Duration = Duration::from_secs(180);

/// A chat that is to be decided.
#[derive(Debug, Clone, Copy)]
pub struct Turn<'a> {
    /// The model, and what its name says beside.
    pub resolved: &'a Resolved,
    /// What is asked.
    pub chat: &'a ChatRequest,
    /// What is traded.
    pub policy: &'a Policy,
    /// The session that was named.
    pub session: Option<&'a str>,
    /// Whether it is a turn of a conversation: what has no words is none.
    pub talks: bool,
    /// Whether every region of a provider is weighed.
    pub all: bool,
}

/// The same, ready to be decided.
#[derive(Debug)]
pub struct Prepared {
    /// The endpoints that are weighed.
    pub reaches: Vec<Reach>,
    /// The conversation.
    pub talk: Option<Talk>,
    /// What routing needs to know.
    pub route: RouteRequest,
}

impl Dispatcher<'_> {
    /// Who is weighed for a chat, and what is remembered of its conversation. `route` is what routing needs to know of the
    /// chat alone.
    #[must_use]
    pub fn prepare(&self, turn: Turn<'_>, route: RouteRequest) -> Prepared {
        let Turn { resolved, chat, policy, session, talks, all } = turn;
        let variant = resolved.variant.as_deref();
        let reaches = self.reach_wanting(&resolved.model, variant, all, Some(chat), &route.constraints);
        let talk = self.talk(session, chat).filter(|_| talks);
        let route = match talk {
            Some(talk) => self.recall(route, (talk, chat), &reaches, policy),
            None => route,
        };
        Prepared { reaches, talk, route }
    }
}

/// The limits over all attempts of a decision; `first_token` where the caller has one, or wants none.
#[must_use]
pub fn limits(decision: &Decision, reaches: &[Reach], first_token: Option<Option<Duration>>) -> Limits {
    let chosen = decision.chosen().map(|first| &first.endpoint);
    let hidden = reaches.iter().any(|reach| Some(&reach.endpoint.id) == chosen && reach.hides_reasoning());
    let usual = if hidden { FIRST_TOKEN_HIDDEN } else { FIRST_TOKEN };
    Limits {
        max_attempts: decision.policy.max_attempts,
        retries: decision.policy.retries,
        first_token: first_token.unwrap_or(Some(usual)),
        max_wait: MAX_WAIT,
    }
}
