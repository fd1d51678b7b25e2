//! Where observations go and where the next decision reads them: [`Memory`] for one process, `sqlite` for a machine, and
//! [`Behind`] before it where a process serves many requests and none may wait for the disk. Several machines share what
//! they see through [`mod@redis`].
//!
//! The only write is [`ObservationStore::record`], the only read that routing needs is [`ObservationStore::stats`]. What a
//! decision was made of is kept beside them ([`ObservationStore::keep_decision`]), so that it can be made again.

mod behind;
mod codec;
mod memory;
pub mod redis;
mod schema;
mod spool;
pub mod sqlite;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::Timestamp;

pub use behind::{Behind, Say, Word};
pub use memory::Memory;

use crate::catalog::{EndpointId, ModelId, Protocol};
use crate::observe::hourly::Hour;
use crate::observe::ledger::Mix;
use crate::observe::{EndpointStats, Measured, Observation};
use crate::routing::{Hedging, Kept};
use crate::units::{Tokens, Usd};

/// Why the store could not be read or written. It never fails a chat.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

/// Which endpoint's state is asked for: an endpoint as used with one key, because limits and quotas belong to a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StateKey {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The fingerprint of the key, empty where none is needed; `None` where none is at hand: whichever was used last
    /// speaks for the endpoint.
    pub key_fingerprint: Option<String>,
}

impl StateKey {
    /// The state that an attempt belongs to.
    #[must_use]
    pub fn of(seen: &Observation) -> Self {
        Self { endpoint: seen.endpoint.clone(), key_fingerprint: Some(seen.key_fingerprint.clone()) }
    }

    /// Whether it stands for the state that an attempt belongs to.
    #[must_use]
    pub fn covers(&self, seen: &Observation) -> bool {
        self.endpoint == seen.endpoint
            && self.key_fingerprint.as_ref().is_none_or(|known| *known == seen.key_fingerprint)
    }
}

/// How long what was learned of an endpoint is believed, in days.
pub const LEARNED_DAYS: i64 = 30;
/// A conversation as the store knows it: a salted hash, never a word of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Conversation(pub [u8; 16]);

/// Where a conversation was answered last, and how much of it lies in a prompt cache there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stay {
    /// The endpoint, as used with one key.
    pub key: StateKey,
    /// The dialect that was spoken.
    pub protocol: Protocol,
    /// Tokens that its prompt cache may hold; 0 where it holds nothing.
    pub tokens: Tokens,
    /// When.
    pub at: Timestamp,
}

/// For how long conversations are remembered.
pub const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);

/// What became of a wish to set money aside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reservation {
    /// It is set aside under this number.
    Granted(i64),
    /// It would exceed the cap: so much is spent or set aside already.
    Exceeded(Usd),
}

/// What a scope has used up of a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SetAside {
    /// What was spent.
    pub spent: Usd,
    /// What is set aside for what is under way, or was never settled: it counts as spent.
    pub open: Usd,
}

impl SetAside {
    /// Both.
    #[must_use]
    pub fn total(self) -> Usd {
        self.spent + self.open
    }

    /// What it leaves of a day's budget, never less than nothing.
    #[must_use]
    pub fn left_of(self, day: Usd) -> Usd {
        if self.total() < day { day - self.total() } else { Usd::ZERO }
    }
}

/// How sharing with other machines goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sharing {
    /// Through what: an address without its password.
    pub through: String,
    /// Whether that can be used; where not, this machine goes on by itself.
    pub up: bool,
    /// What was told to others.
    pub told: u64,
    /// What others told.
    pub heard: u64,
    /// What could not be told.
    pub lost: u64,
}

/// Keeps observations and gives back their fold.
pub trait ObservationStore: Send + Sync {
    /// Keeps one attempt.
    ///
    /// # Errors
    /// It could not be written; the caller says so and goes on.
    fn record(&self, seen: &Observation) -> Result<(), StoreError>;

    /// The fold of each endpoint as of `now`; an endpoint without attempts is left out. Of a moment in the past it is what
    /// was known then.
    ///
    /// # Errors
    /// It could not be read; the caller says so and decides on priors.
    fn stats(&self, keys: &[StateKey], now: Timestamp) -> Result<BTreeMap<EndpointId, EndpointStats>, StoreError>;

    /// Takes the one trial of an endpoint whose cool-down is over, for an attempt that will have ended by `until`; false
    /// where it is not due, or somebody else has taken it.
    ///
    /// # Errors
    /// It could not be written; the caller goes on as if it were granted.
    fn claim_trial(&self, key: &StateKey, now: Timestamp, until: Timestamp) -> Result<bool, StoreError>;

    /// Where a conversation was within [`KEPT_FOR`] before `now`, each endpoint once, the newest first.
    ///
    /// # Errors
    /// It could not be read; the caller decides as if nothing were cached.
    fn warm(&self, conversation: Conversation, now: Timestamp) -> Result<Vec<Stay>, StoreError>;

    /// Keeps where a conversation is now.
    ///
    /// # Errors
    /// It could not be written; the next turn is decided as if nothing were cached.
    fn keep_warm(&self, conversation: Conversation, kept: &Stay) -> Result<(), StoreError>;

    /// The raw samples of every endpoint since a moment, for display.
    ///
    /// # Errors
    /// It could not be read.
    fn measured(&self, since: Timestamp) -> Result<BTreeMap<EndpointId, Measured>, StoreError>;

    /// How many requests there were since a moment, probes aside, and how many of them asked two side by side.
    ///
    /// # Errors
    /// It could not be read: nobody is asked beside another.
    fn hedging(&self, since: Timestamp) -> Result<Hedging, StoreError>;

    /// Every attempt from one moment to before another, oldest first.
    ///
    /// # Errors
    /// It could not be read.
    fn attempts(&self, since: Timestamp, until: Timestamp) -> Result<Vec<Observation>, StoreError>;

    /// The hosts that answered from one moment to before another.
    ///
    /// # Errors
    /// It could not be read.
    fn answered(&self, since: Timestamp, until: Timestamp) -> Result<BTreeSet<String>, StoreError> {
        let attempts = self.attempts(since, until)?.into_iter();
        Ok(attempts.filter(|seen| seen.class.is_success()).map(|seen| seen.host).collect())
    }

    /// Every attempt of one request from one moment to before another, oldest first. A request's attempts have one group.
    ///
    /// # Errors
    /// It could not be read.
    fn of_request(&self, group: [u8; 16], since: Timestamp, until: Timestamp) -> Result<Vec<Observation>, StoreError>;

    /// The mean of one's own calls since a moment, of one model or of any, as [`crate::observe::ledger::mix`] takes it.
    ///
    /// # Errors
    /// It could not be read.
    fn mix(&self, model: Option<&ModelId>, since: Timestamp) -> Result<Option<Mix>, StoreError>;

    /// What is left of the hours from one moment to before another, oldest first: of all attempts, those too whose rows are
    /// still kept.
    ///
    /// # Errors
    /// It could not be read.
    fn hours(&self, since: Timestamp, until: Timestamp) -> Result<Vec<Hour>, StoreError>;

    /// The moment from which on every attempt is still kept as a row of its own; `None` where that is all of them, or
    /// there are none.
    ///
    /// # Errors
    /// It could not be read.
    fn oldest(&self) -> Result<Option<Timestamp>, StoreError>;

    /// Keeps what a decision was made of, as long as attempts are kept.
    ///
    /// # Errors
    /// It could not be written; the caller may say so, and goes on.
    fn keep_decision(&self, kept: Kept) -> Result<(), StoreError>;

    /// The decisions whose id, as 32 hex digits, begins with `prefix`, the newest first, at most two; of an empty one the
    /// last that was made.
    ///
    /// # Errors
    /// They could not be read, or one is damaged or of a newer version.
    fn decision(&self, prefix: &str) -> Result<Vec<Kept>, StoreError>;

    /// Every decision from one moment to before another, oldest first, one after the other: there may be thousands. One
    /// that is damaged or of a newer version is an error of its own.
    ///
    /// # Errors
    /// They could not be read.
    fn decisions(
        &self,
        since: Timestamp,
        until: Timestamp,
        each: &mut dyn FnMut(Result<Kept, StoreError>),
    ) -> Result<(), StoreError>;

    /// Sets money aside for what is about to be sent, so that processes side by side keep one cap: granted where what is
    /// set aside and spent in `scope` on the day (UTC) of `at` stays within `cap`. A scope is a source's name: what that
    /// source had spent on the day before anybody set money aside counts too.
    ///
    /// # Errors
    /// It could not be written: nothing may be sent on it.
    fn reserve(&self, scope: &str, at: Timestamp, bound: Usd, cap: Usd) -> Result<Reservation, StoreError>;

    /// What `scope` has used up of the day (UTC) of `at`.
    ///
    /// # Errors
    /// It could not be read.
    fn set_aside(&self, scope: &str, at: Timestamp) -> Result<SetAside, StoreError>;

    /// Replaces what was set aside by what was spent.
    ///
    /// # Errors
    /// It could not be written; what was set aside counts as spent.
    fn settle(&self, reservation: i64, spent: Usd) -> Result<(), StoreError>;

    /// What was learned of an endpoint at a host, within the last [`LEARNED_DAYS`]: each a word of `upstream`'s.
    ///
    /// # Errors
    /// It could not be read: the endpoint is asked as the catalog says.
    fn learned(&self, endpoint: &EndpointId, host: &str, now: Timestamp) -> Result<Vec<String>, StoreError>;

    /// Keeps what was learned of an endpoint at a host in place of what was known; nothing forgets it.
    ///
    /// # Errors
    /// It could not be written: the next process finds it out again.
    fn learn(&self, endpoint: &EndpointId, host: &str, at: Timestamp, facts: &[String]) -> Result<(), StoreError>;

    /// The seed that the next decision will use.
    ///
    /// # Errors
    /// It could not be read.
    fn peek_seed(&self) -> Result<u64, StoreError>;

    /// Takes the seed: the next one is another.
    ///
    /// # Errors
    /// It could not be written.
    fn take_seed(&self) -> Result<u64, StoreError>;

    /// The salt of key fingerprints on this machine.
    ///
    /// # Errors
    /// It could not be read or made.
    fn salt(&self) -> Result<[u8; 16], StoreError>;

    /// Takes over the salt that several machines share, in place of its own.
    ///
    /// # Errors
    /// It could not be written.
    fn take_salt(&self, salt: [u8; 16]) -> Result<(), StoreError>;

    /// Sixteen bytes that tell this store apart from those of other machines; `None` where it does not outlive its process.
    ///
    /// # Errors
    /// They could not be read or made.
    fn machine(&self) -> Result<Option<[u8; 16]>, StoreError> {
        Ok(None)
    }

    /// Takes so much of what all machines together may have in a minute, by that name; how long there is to wait where it is not
    /// enough. `None` where it is shared with nobody, or nobody knows: then each machine's own rule holds alone.
    fn take_minute(&self, name: &str, most: u64, amount: u64) -> Option<Result<(), Duration>> {
        let _ = (name, most, amount);
        None
    }

    /// So much more of it was used than was taken, or less.
    fn owe_minute(&self, name: &str, most: u64, more: i64) {
        let _ = (name, most, more);
    }

    /// With whom it shares; `None` where it does not.
    fn sharing(&self) -> Option<Sharing> {
        None
    }
}
