//! The store of a machine: one SQLite file that many processes share. The only folder that names rusqlite.
//!
//! One short transaction an attempt, `BEGIN IMMEDIATE` from the start; waiting for another process is jittered, because
//! SQLite's own waiting is not fair, and bounded, because a write must never delay a chat: what cannot be written in time
//! goes to the spool beside the file, and whoever writes next takes it in (`metrics.md` 3).

mod batch;
mod decisions;
mod history;
mod learned;
mod ledger;
mod open;
mod rows;
mod session;
mod state;
mod upkeep;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use data_encoding::HEXLOWER;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::spool::Spool;
use super::words::sixteen;
use super::{Conversation, ObservationStore, Reservation, SetAside, StateKey, Stay, StoreError};
use crate::catalog::{EndpointId, ModelId};
use crate::observe::hourly::Hour;
use crate::observe::ledger::Mix;
use crate::observe::{EndpointStats, Measured, Observation};
use crate::routing::{Hedging, Kept};
use crate::units::Usd;
pub(super) use batch::{Batch, Written};
pub(super) use open::jittered;

/// An open observation store.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    spool: Spool,
    connection: Mutex<Connection>,
    /// The file that is open.
    file: Mutex<open::Identity>,
}

/// Why an attempt was not written.
enum Refused {
    Busy,
    Other(StoreError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Other(error)
    }
}

impl From<rusqlite::Error> for Refused {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked) => Self::Busy,
            _ => Self::Other(error.into()),
        }
    }
}

fn write(connection: &mut Connection, seen: &Observation) -> Result<(), Refused> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    rows::keep(&transaction, seen)?;
    upkeep::cap(&transaction, 1)?;
    transaction.commit()?;
    Ok(())
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self(error.to_string())
    }
}

impl Sqlite {
    fn of(path: &Path, connection: Connection) -> Self {
        // More statements than the sixteen that are kept unasked.
        connection.set_prepared_statement_cache_capacity(64);
        let (spool, file) = (Spool::beside(path), Mutex::new(open::identity(path)));
        Self { path: path.to_owned(), spool, connection: Mutex::new(connection), file }
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn meta(connection: &Connection, key: &str) -> Result<String, StoreError> {
        Ok(connection.query_row("SELECT v FROM meta WHERE k = ?1", [key], |row| row.get(0))?)
    }
}

impl ObservationStore for Sqlite {
    fn record(&self, seen: &Observation) -> Result<(), StoreError> {
        let mut connection = self.lock();
        match write(&mut connection, seen) {
            Ok(()) => {}
            // Another process holds the file for longer than a chat may wait.
            Err(Refused::Busy) => return self.spool.append(std::slice::from_ref(seen)),
            Err(Refused::Other(error)) => return Err(error),
        }
        // What others could not write in time, and what has grown old: neither may fail the attempt that was kept.
        if let Err(error) = upkeep::take_in(&mut connection, &self.spool) {
            tracing::debug!(%error, "the spool was not taken in");
        }
        if let Err(error) = upkeep::prune(&mut connection, seen.at) {
            tracing::debug!(%error, "old rows were not removed");
        }
        Ok(())
    }

    fn stats(&self, keys: &[StateKey], now: Timestamp) -> Result<BTreeMap<EndpointId, EndpointStats>, StoreError> {
        let connection = self.lock();
        // One reading of all, as of one moment; a transaction for each would take and give back the file's locks every time.
        let reading = connection.unchecked_transaction()?;
        let mut found = BTreeMap::new();
        for key in keys {
            let ids = state::endpoints(&reading, key)?;
            // One endpoint under several hosts, protocols or keys: the state that was written last speaks for it.
            let mut newest: Option<(Timestamp, EndpointStats)> = None;
            for id in ids {
                let Some(known) = state::stats_at(&reading, id, now)? else { continue };
                if newest.as_ref().is_none_or(|(updated, _)| *updated < known.0) {
                    newest = Some(known);
                }
            }
            found.extend(newest.map(|(_, stats)| (key.endpoint.clone(), stats)));
        }
        Ok(found)
    }

    fn claim_trial(&self, key: &StateKey, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let mut connection = self.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let newest = transaction
            .query_row(
                "SELECT id FROM endpoint JOIN state ON state.ep = endpoint.id
                 WHERE provider = ?1 AND upstream_model = ?2 AND key_fp = ?3 ORDER BY upd_ms DESC, id DESC LIMIT 1",
                params![key.endpoint.provider.as_str(), key.endpoint.upstream_model, key.key_fingerprint],
                |row| row.get::<_, i64>(0),
            )
            .optional()?;
        let claimed = newest.map_or(Ok(true), |endpoint| state::claim(&transaction, endpoint, now, until))?;
        transaction.commit()?;
        Ok(claimed)
    }

    fn warm(&self, conversation: Conversation, now: Timestamp) -> Result<Vec<Stay>, StoreError> {
        session::warm(&self.lock(), conversation, now)
    }

    fn keep_warm(&self, conversation: Conversation, kept: &Stay) -> Result<(), StoreError> {
        session::keep(&mut self.lock(), conversation, kept)
    }

    fn measured(&self, since: Timestamp) -> Result<BTreeMap<EndpointId, Measured>, StoreError> {
        let mut found: BTreeMap<EndpointId, Measured> = BTreeMap::new();
        ledger::each(&self.lock(), since, Timestamp::MAX, |seen| match found.get_mut(&seen.endpoint) {
            Some(measured) => measured.add(&seen),
            None => found.entry(seen.endpoint.clone()).or_default().add(&seen),
        })?;
        Ok(found)
    }

    fn hedging(&self, since: Timestamp) -> Result<Hedging, StoreError> {
        history::hedging(&self.lock(), since)
    }

    fn mix(&self, model: Option<&ModelId>, since: Timestamp) -> Result<Option<Mix>, StoreError> {
        history::mix(&self.lock(), model, since)
    }

    fn hours(&self, since: Timestamp, until: Timestamp) -> Result<Vec<Hour>, StoreError> {
        history::hours(&self.lock(), since, until)
    }

    fn oldest(&self) -> Result<Option<Timestamp>, StoreError> {
        history::oldest(&self.lock())
    }

    fn attempts(&self, since: Timestamp, until: Timestamp) -> Result<Vec<Observation>, StoreError> {
        ledger::attempts(&self.lock(), since, until)
    }

    fn of_request(&self, group: [u8; 16], since: Timestamp, until: Timestamp) -> Result<Vec<Observation>, StoreError> {
        ledger::of_request(&self.lock(), group, since, until)
    }

    fn keep_decision(&self, kept: Kept) -> Result<(), StoreError> {
        decisions::keep(&mut self.lock(), &kept)
    }

    fn decision(&self, prefix: &str) -> Result<Vec<Kept>, StoreError> {
        decisions::find(&self.lock(), prefix)
    }

    fn decisions(
        &self,
        since: Timestamp,
        until: Timestamp,
        each: &mut dyn FnMut(Result<Kept, StoreError>),
    ) -> Result<(), StoreError> {
        decisions::each(&self.lock(), since, until, each)
    }

    fn reserve(&self, scope: &str, at: Timestamp, bound: Usd, cap: Usd) -> Result<Reservation, StoreError> {
        ledger::reserve(&mut self.lock(), scope, at, bound, cap)
    }

    fn set_aside(&self, scope: &str, at: Timestamp) -> Result<SetAside, StoreError> {
        ledger::set_aside(&self.lock(), scope, at)
    }

    fn settle(&self, reservation: i64, spent: Usd) -> Result<(), StoreError> {
        ledger::settle(&mut self.lock(), reservation, spent)
    }

    fn learned(&self, endpoint: &EndpointId, host: &str, now: Timestamp) -> Result<Vec<String>, StoreError> {
        learned::read(&self.lock(), endpoint, host, now)
    }

    fn learn(&self, endpoint: &EndpointId, host: &str, at: Timestamp, facts: &[String]) -> Result<(), StoreError> {
        learned::write(&self.lock(), endpoint, host, at, facts)
    }

    fn peek_seed(&self) -> Result<u64, StoreError> {
        let seed = Self::meta(&self.lock(), "seed")?;
        seed.parse().map_err(|_| StoreError(format!("the seed \"{seed}\" is not a number")))
    }

    fn take_seed(&self) -> Result<u64, StoreError> {
        let mut connection = self.lock();
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let seed = Self::meta(&transaction, "seed")?;
        let seed: u64 = seed.parse().map_err(|_| StoreError(format!("the seed \"{seed}\" is not a number")))?;
        transaction.execute("UPDATE meta SET v = ?1 WHERE k = 'seed'", [seed.wrapping_add(1).to_string()])?;
        transaction.commit()?;
        Ok(seed)
    }

    fn salt(&self) -> Result<[u8; 16], StoreError> {
        sixteen(&Self::meta(&self.lock(), "salt")?).ok_or_else(|| StoreError("the salt is damaged".to_owned()))
    }

    fn take_salt(&self, salt: [u8; 16]) -> Result<(), StoreError> {
        self.lock().execute("UPDATE meta SET v = ?1 WHERE k = 'salt'", [HEXLOWER.encode(&salt)])?;
        Ok(())
    }

    fn machine(&self) -> Result<Option<[u8; 16]>, StoreError> {
        let connection = self.lock();
        let make = "INSERT OR IGNORE INTO meta(k, v) VALUES ('machine', lower(hex(randomblob(16))))";
        connection.execute(make, [])?;
        Ok(sixteen(&Self::meta(&connection, "machine")?))
    }
}

#[cfg(test)]
impl Sqlite {
    /// Holds the file as a writer that does not come to its end.
    pub(super) fn hold(&self) {
        self.lock().execute_batch("BEGIN IMMEDIATE").unwrap();
    }

    /// Whether there is no room on the disk.
    pub(super) fn fill(&self, full: bool) {
        let connection = self.lock();
        let pages: i64 = connection.query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
        let most = if full { pages } else { 1_000_000 };
        connection.query_row(&format!("PRAGMA max_page_count = {most}"), [], |_| Ok(())).unwrap();
    }

    /// Keeps decisions out.
    pub(super) fn refuse_decisions(&self) {
        let trigger = "CREATE TRIGGER no BEFORE INSERT ON decision BEGIN SELECT RAISE(ABORT, 'no'); END";
        self.lock().execute_batch(trigger).unwrap();
    }

    /// Lets it go.
    pub(super) fn release(&self) {
        self.lock().execute_batch("ROLLBACK").unwrap();
    }
}

#[cfg(test)]
mod tests;
