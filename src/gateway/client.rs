//! Clients with names: each has a token of its own, what it may ask, how much a minute, and for how much money.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;

use super::guard::Token;
use super::limit::Bucket;
use super::problem::Problem;
use crate::catalog::{ModelId, ProviderId};
use crate::dispatch::{ChatReport, Purse};
use crate::observe::ErrorClass;
use crate::units::Usd;

/// What one client may do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Allowance {
    /// The most that its chats of a day (UTC) may cost together.
    pub day_usd: Option<Usd>,
    /// The same of a month (UTC).
    pub month_usd: Option<Usd>,
    /// Chats a minute.
    pub requests_per_minute: Option<u64>,
    /// Tokens a minute, read and written.
    pub tokens_per_minute: Option<u64>,
    /// The models that it may ask; empty is all.
    pub models: Vec<ModelId>,
    /// The providers that it may use; empty is all.
    pub providers: Vec<ProviderId>,
}

/// A client with a name.
#[derive(Debug)]
pub struct Client {
    /// Its name, which logs and counts tell; its token, nobody does.
    pub name: String,
    /// What it may do.
    pub allowance: Allowance,
    token: Token,
    requests: Option<Mutex<Bucket>>,
    tokens: Option<Mutex<Bucket>>,
}

impl Client {
    /// A client that has asked nothing yet.
    #[must_use]
    pub fn new(name: String, token: Token, allowance: Allowance) -> Self {
        let bucket = |most: Option<u64>| most.map(|most| Mutex::new(Bucket::new(most)));
        let (requests, tokens) = (bucket(allowance.requests_per_minute), bucket(allowance.tokens_per_minute));
        Self { name, allowance, token, requests, tokens }
    }

    /// Whether it is the same client with the same allowance, so that the minute that it is in goes on.
    pub(super) fn is_as(&self, other: &Self) -> bool {
        self.name == other.name && self.allowance == other.allowance && self.token.is(&other.token)
    }

    /// What it shows.
    pub(super) const fn token(&self) -> &Token {
        &self.token
    }

    /// Whether its money is counted.
    #[must_use]
    pub const fn is_budgeted(&self) -> bool {
        self.allowance.day_usd.is_some() || self.allowance.month_usd.is_some()
    }

    /// Whether there is a model or a provider that it may not ask.
    pub(super) const fn is_narrowed(&self) -> bool {
        !self.allowance.models.is_empty() || !self.allowance.providers.is_empty()
    }

    /// Its budgets.
    pub(super) fn purses(&self) -> Vec<Purse> {
        let Allowance { day_usd, month_usd, .. } = self.allowance;
        let purse = |cap: Option<Usd>, monthly| cap.map(|cap| Purse { whose: self.name.clone(), cap, monthly });
        purse(day_usd, false).into_iter().chain(purse(month_usd, true)).collect()
    }

    /// Whether it may ask a model.
    ///
    /// # Errors
    /// It may not.
    pub(super) fn may_ask(&self, model: &ModelId) -> Result<(), Problem> {
        let allowed = &self.allowance.models;
        if allowed.is_empty() || allowed.contains(model) {
            return Ok(());
        }
        let names: Vec<&str> = allowed.iter().map(ModelId::as_str).collect();
        let message = format!("the token of {} may ask {} alone, not {model}", self.name, names.join(", "));
        let problem = Problem::new(StatusCode::FORBIDDEN, "model_not_allowed", message);
        Err(problem.fix("ask for what it allows, or have the tokens file changed where openmux serve runs"))
    }

    /// Takes one of the chats of a minute, and of its tokens what this one is expected to take.
    ///
    /// # Errors
    /// It has had its share of this minute.
    pub(super) fn take(&self, tokens: u64, now: Timestamp) -> Result<(), Problem> {
        for (bucket, amount, what) in [(&self.requests, 1, "requests"), (&self.tokens, tokens, "tokens")] {
            let Some(mut bucket) = bucket.as_ref().map(|one| one.lock().unwrap_or_else(PoisonError::into_inner)) else {
                continue;
            };
            if let Err(wait) = bucket.take(amount, now) {
                return Err(self.too_fast(bucket.most(), what, wait));
            }
        }
        Ok(())
    }

    fn too_fast(&self, most: i64, what: &str, wait: Duration) -> Problem {
        let message = format!("the token of {} has {most} {what} a minute, and has used them", self.name);
        Problem {
            class: Some(ErrorClass::RateLimited),
            retry_after: Some(wait),
            ..Problem::new(StatusCode::TOO_MANY_REQUESTS, "client_rate_limited", message)
        }
        .fix(format!(
            "ask again in {} s, or have {what}_per_minute raised where openmux serve runs",
            wait.as_secs() + 1
        ))
    }

    /// A chat that was expected to take so many tokens has ended.
    pub(super) fn ended(&self, expected: u64, report: &ChatReport) {
        let used = report.attempts.iter().filter_map(|attempt| attempt.outcome.usage.as_ref());
        let used: Vec<u64> = used
            .map(|usage| usage.input.unwrap_or_default().count() + usage.output.unwrap_or_default().count())
            .collect();
        // Where nobody has said what was used, what was expected stands, unless nobody was asked.
        if let Some(bucket) = self.tokens.as_ref().filter(|_| !used.is_empty() || report.attempts.is_empty()) {
            bucket.lock().unwrap_or_else(PoisonError::into_inner).correct(expected, used.iter().sum());
        }
    }
}
