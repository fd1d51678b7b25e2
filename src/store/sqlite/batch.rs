//! Many attempts at once, for a process that serves: one transaction, written off the request's way.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior};

use super::super::codec::{self, Encoded, Sheets};
use super::super::{Conversation, StateKey, Stay, StoreError};
use super::rows::When;
use super::{Refused, Sqlite, decisions, learned, rows, session, state, upkeep};
use crate::catalog::EndpointId;
use crate::observe::{Observation, StatsState};
use crate::routing::Kept;

/// What is to be written.
#[derive(Debug, Default)]
pub(in crate::store) struct Batch {
    /// Attempts, in order.
    pub(in crate::store) seen: Vec<Observation>,
    /// Decisions.
    pub(in crate::store) kept: Vec<Kept>,
    /// Where conversations are now, at each endpoint.
    pub(in crate::store) stays: BTreeMap<(Conversation, StateKey), Stay>,
    /// What was learned of an endpoint at a host, as of a moment.
    pub(in crate::store) facts: BTreeMap<(EndpointId, String), (Timestamp, Vec<String>)>,
    /// States from a moment that the clock has not reached, and what it says.
    pub(in crate::store) set_back: BTreeMap<StateKey, Timestamp>,
}

impl Batch {
    /// Whether there is nothing to write.
    pub(in crate::store) fn is_empty(&self) -> bool {
        self.seen.is_empty()
            && self.kept.is_empty()
            && self.stays.is_empty()
            && self.facts.is_empty()
            && self.set_back.is_empty()
    }

    /// Takes what there is, and leaves room for as many again: rows that grow one by one are moved again and again.
    pub(in crate::store) fn take(&mut self) -> Self {
        let (seen, kept) = (Vec::with_capacity(self.seen.len()), Vec::with_capacity(self.kept.len()));
        std::mem::replace(self, Self { seen, kept, ..Self::default() })
    }

    /// Adds what came later.
    pub(in crate::store) fn append(&mut self, later: Self) {
        self.seen.extend(later.seen);
        self.kept.extend(later.kept);
        self.stays.extend(later.stays);
        self.facts.extend(later.facts);
        self.set_back.extend(later.set_back);
    }
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store) enum Written {
    /// It is on the disk.
    All {
        /// Whether more came from the spool than was in it.
        more: bool,
        /// Why its decisions are not there, which are the largest of it by far.
        left: Option<StoreError>,
    },
    /// Another process held the file for too long: nothing of it was written.
    Busy,
}

impl Sqlite {
    /// Writes all of it, or all but the decisions, or nothing; `sheets` are those that were written before.
    pub(in crate::store) fn write_batch(&self, batch: &Batch, sheets: &mut Sheets) -> Result<Written, StoreError> {
        // Encoded before anybody has to wait for the connection.
        let mut encode =
            |kept| codec::encode(kept, sheets).inspect_err(|error| tracing::warn!(%error, "a decision is not kept"));
        let kept: Vec<_> = batch.kept.iter().filter_map(|kept| Some((kept, encode(kept).ok()?))).collect();
        let mut connection = self.lock();
        let (written, left) = match write(&mut connection, batch, &kept) {
            // What fails for one decision must not take the attempts with it.
            Err(Refused::Other(error)) if !kept.is_empty() => (write(&mut connection, batch, &[]), Some(error)),
            written => (written, None),
        };
        match written {
            Ok(()) => {}
            Err(Refused::Busy) => return Ok(Written::Busy),
            Err(Refused::Other(error)) => return Err(error),
        }
        let more = upkeep::take_in(&mut connection, &self.spool).unwrap_or_else(|error| {
            tracing::debug!(%error, "the spool was not taken in");
            false
        });
        if let Some(last) = batch.seen.last()
            && let Err(error) = upkeep::prune(&mut connection, last.at)
        {
            tracing::debug!(%error, "old rows were not removed");
        }
        Ok(Written::All { more, left })
    }

    /// Leaves attempts to whoever writes next.
    pub(in crate::store) fn spool_all(&self, all: &[Observation]) -> Result<(), StoreError> {
        self.spool.append(all)
    }

    /// The state of an endpoint as it was written last; `None` where nothing is known of it.
    pub(in crate::store) fn state(&self, key: &StateKey) -> Result<Option<StatsState>, StoreError> {
        let connection = self.lock();
        let mut newest: Option<StatsState> = None;
        for id in state::endpoints(&connection, key)? {
            let Some(known) = state::read_state(&connection, id)? else { continue };
            if newest.as_ref().is_none_or(|newest| newest.updated <= known.updated) {
                newest = Some(known);
            }
        }
        Ok(newest)
    }

    /// Keeps few pages in memory: what serves for months reads little, and holds what it reads itself.
    pub(in crate::store) fn be_small(&self) -> Result<(), StoreError> {
        Ok(self.lock().pragma_update(None, "cache_size", -256)?)
    }

    /// A number that changes with what other connections write, and not with what this one does.
    pub(in crate::store) fn data_version(&self) -> Result<i64, StoreError> {
        Ok(self.lock().query_row("PRAGMA data_version", [], |row| row.get(0))?)
    }
}

fn write(connection: &mut Connection, batch: &Batch, kept: &[(&Kept, Encoded)]) -> Result<(), Refused> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    rows::keep_all(&transaction, &batch.seen, When::Now)?;
    for (key, now) in &batch.set_back {
        state::set_back(&transaction, key, *now)?;
    }
    decisions::insert(&transaction, kept)?;
    for ((conversation, _), stay) in &batch.stays {
        session::insert(&transaction, *conversation, stay)?;
    }
    if let Some(now) = batch.stays.values().map(|stay| stay.at).max() {
        session::forget(&transaction, now)?;
    }
    for ((endpoint, host), (at, facts)) in &batch.facts {
        learned::write(&transaction, endpoint, host, *at, facts)?;
    }
    upkeep::cap(&transaction, batch.seen.len())?;
    transaction.commit()?;
    Ok(())
}
