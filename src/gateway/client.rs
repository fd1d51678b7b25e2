//! Clients with names: each has a token of its own, what it may ask, how much a minute, and for how much money.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use jiff::Timestamp;

use super::guard::Token;
use super::limit::Bucket;
use super::problem::Problem;
use crate::catalog::{ModelId, ProviderId};
use crate::dispatch::{AttemptReport, ChatReport, Owned, Purse};
use crate::observe::ErrorClass;
use crate::store::ObservationStore;
use crate::units::{Tokens, Usd};

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
    /// Whether it sees everybody's counts, as the gateway's own token does.
    pub all_metrics: bool,
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

    /// Takes one of the chats of a minute, and of its tokens what this one is expected to take: of this gateway's own, then of
    /// what all gateways have that share it.
    ///
    /// # Errors
    /// It has had its share of this minute.
    pub(super) async fn take(&self, tokens: u64, owned: &Owned, now: Timestamp) -> Result<(), Problem> {
        self.take_one(owned, now).await?;
        self.take_of(&self.tokens, "tokens", tokens, (owned, now)).await.inspect_err(|_| {
            // What is not sent is no request of the minute.
            self.correct(&self.requests, "requests", (1, 0), owned.store.as_ref());
        })
    }

    /// Takes one of the requests of a minute, and none of its tokens.
    ///
    /// # Errors
    /// It has had its share of this minute.
    pub(super) async fn take_one(&self, owned: &Owned, now: Timestamp) -> Result<(), Problem> {
        self.take_of(&self.requests, "requests", 1, (owned, now)).await
    }

    async fn take_of(
        &self,
        bucket: &Option<Mutex<Bucket>>,
        what: &str,
        amount: u64,
        (owned, now): (&Owned, Timestamp),
    ) -> Result<(), Problem> {
        let Some(bucket) = bucket else { return Ok(()) };
        let locked = || bucket.lock().unwrap_or_else(PoisonError::into_inner);
        let most = locked().most();
        locked().take(amount, now).map_err(|wait| self.too_fast(most, what, wait))?;
        // Nobody waits for the lock while the others are asked, and no other request for their answer.
        match owned.clerk.take_minute(self.shared(what), most.unsigned_abs(), amount).await {
            Some(Err(wait)) => {
                locked().correct(amount, 0);
                Err(self.too_fast(most, what, wait))
            }
            Some(Ok(())) | None => Ok(()),
        }
    }

    /// So much was taken, and so much was used, of this gateway's own and of what all have.
    fn correct(
        &self,
        bucket: &Option<Mutex<Bucket>>,
        what: &str,
        (taken, used): (u64, u64),
        store: &dyn ObservationStore,
    ) {
        let Some(bucket) = bucket else { return };
        let mut bucket = bucket.lock().unwrap_or_else(PoisonError::into_inner);
        bucket.correct(taken, used);
        let count = |amount: u64| i64::try_from(amount).unwrap_or(i64::MAX);
        let (most, more) = (bucket.most().unsigned_abs(), count(used).saturating_sub(count(taken)));
        store.owe_minute(&self.shared(what), most, more);
    }

    /// The name of a limit among gateways.
    fn shared(&self, what: &str) -> String {
        format!("{}:{what}", self.name)
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
    pub(super) fn ended(&self, expected: u64, report: &ChatReport, store: &dyn ObservationStore) {
        let taken: Vec<Option<Tokens>> = report.attempts.iter().map(AttemptReport::taken).collect();
        let known: u64 = taken.iter().flatten().map(|taken| taken.count()).sum();
        // Where nobody knows what an attempt took, what was expected stands.
        let used = if taken.contains(&None) { known.max(expected) } else { known };
        self.correct(&self.tokens, "tokens", (expected, used), store);
    }
}
