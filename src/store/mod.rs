//! Where observations go and where the next decision reads them: [`Memory`] for one process, `sqlite` for a machine.
//!
//! The only write is [`ObservationStore::record`], the only read that routing needs is [`ObservationStore::stats`].

mod memory;
mod schema;
mod spool;
pub mod sqlite;

use std::collections::BTreeMap;

use jiff::Timestamp;

pub use memory::Memory;

use crate::catalog::{EndpointId, ModelId};
use crate::observe::hourly::Hour;
use crate::observe::ledger::Mix;
use crate::observe::{EndpointStats, Measured, Observation};
use crate::units::Usd;

/// Why the store could not be read or written. It never fails a chat.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct StoreError(pub String);

/// Which endpoint's state is asked for: an endpoint as used with one key, because limits and quotas belong to a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StateKey {
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The fingerprint of the key; empty without one.
    pub key_fingerprint: String,
}

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
}

/// Keeps observations and gives back their fold.
pub trait ObservationStore: Send + Sync {
    /// Keeps one attempt.
    ///
    /// # Errors
    /// It could not be written; the caller says so and goes on.
    fn record(&self, seen: &Observation) -> Result<(), StoreError>;

    /// The fold of each endpoint as of `now`; an endpoint without attempts is left out.
    ///
    /// # Errors
    /// It could not be read; the caller says so and decides on priors.
    fn stats(&self, keys: &[StateKey], now: Timestamp) -> Result<BTreeMap<EndpointId, EndpointStats>, StoreError>;

    /// The raw samples of every endpoint since a moment, for display.
    ///
    /// # Errors
    /// It could not be read.
    fn measured(&self, since: Timestamp) -> Result<BTreeMap<EndpointId, Measured>, StoreError>;

    /// Every attempt from one moment to before another, oldest first.
    ///
    /// # Errors
    /// It could not be read.
    fn attempts(&self, since: Timestamp, until: Timestamp) -> Result<Vec<Observation>, StoreError>;

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
}
