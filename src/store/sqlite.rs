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

/// An open observation store.
#[derive(Debug)]
pub struct Sqlite {
    path: PathBuf,
    spool: Spool,
    connection: Mutex<Connection>,
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
        Self { path: path.to_owned(), spool: Spool::beside(path), connection: Mutex::new(connection) }
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
            Err(Refused::Busy) => return self.spool.append(seen),
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

    fn keep_decision(&self, kept: &Kept) -> Result<(), StoreError> {
        decisions::keep(&mut self.lock(), kept)
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
        let hex: String = salt.iter().map(|byte| format!("{byte:02x}")).collect();
        self.lock().execute("UPDATE meta SET v = ?1 WHERE k = 'salt'", [hex])?;
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

    /// Lets it go.
    pub(super) fn release(&self) {
        self.lock().execute_batch("ROLLBACK").unwrap();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::observe::{Asked, ErrorClass, Timings};
    use crate::store::Memory;

    fn key(seen: &Observation) -> StateKey {
        StateKey::of(seen)
    }

    fn sample(at: &str, class: ErrorClass) -> Observation {
        let mut seen = crate::observe::tests_support::seen(at, class);
        let (ttft, dns) = (Some(Duration::from_millis(420)), Some(Duration::from_micros(77)));
        seen.timings = Timings { ttft, dns, ..Timings::default() };
        seen
    }

    #[test]
    fn sqlite_and_memory_give_the_same_fold() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/obs.db");
        let (disk, note) = Sqlite::open(&path).unwrap();
        assert_eq!(note, None);
        let memory = Memory::new();
        let attempts = [
            sample("2026-11-24T10:00:00Z", ErrorClass::Ok),
            sample("2026-11-24T10:20:00Z", ErrorClass::RateLimited),
            sample("2026-11-24T11:00:00Z", ErrorClass::ProviderFault),
        ];
        for seen in &attempts {
            disk.record(seen).unwrap();
            memory.record(seen).unwrap();
        }
        let now = "2026-11-24T11:00:01Z".parse().unwrap();
        let keys = [key(&attempts[0])];
        assert_eq!(disk.stats(&keys, now).unwrap(), memory.stats(&keys, now).unwrap());
        drop(disk);
        let again = Sqlite::open_existing(&path).unwrap().unwrap();
        assert_eq!(again.stats(&keys, now).unwrap(), memory.stats(&keys, now).unwrap());
    }

    #[test]
    fn a_conversation_is_remembered_for_a_day_at_each_endpoint() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, _) = Sqlite::open(&folder.path().join("obs.db")).unwrap();
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let kept = |provider: &str, tokens: u64, when: &str| {
            let mut key = key(&sample("2026-11-24T10:00:00Z", ErrorClass::Ok));
            key.endpoint.provider = crate::catalog::ProviderId::new(provider);
            let (protocol, tokens) = (crate::catalog::Protocol::AnthropicMessages, crate::units::Tokens::new(tokens));
            Stay { key, protocol, tokens, at: at(when) }
        };
        let (one, other) = (Conversation([1; 16]), Conversation([2; 16]));
        for store in [&disk as &dyn ObservationStore, &Memory::new()] {
            store.keep_warm(one, &kept("p", 100, "2026-11-24T10:00:00Z")).unwrap();
            store.keep_warm(one, &kept("q", 200, "2026-11-24T10:01:00Z")).unwrap();
            store.keep_warm(one, &kept("p", 300, "2026-11-24T10:02:00Z")).unwrap();
            store.keep_warm(other, &kept("p", 7, "2026-11-24T10:00:00Z")).unwrap();
            let newest = [kept("p", 300, "2026-11-24T10:02:00Z"), kept("q", 200, "2026-11-24T10:01:00Z")];
            assert_eq!(store.warm(one, at("2026-11-24T10:02:00Z")).unwrap(), newest);
            assert_eq!(store.warm(one, at("2026-11-24T10:01:00Z")).unwrap(), newest[1..], "the rest was not yet");
            assert_eq!(store.warm(one, at("2026-11-25T10:01:30Z")).unwrap(), newest[..1], "a day is over");
            store.keep_warm(other, &kept("q", 8, "2026-11-25T10:01:30Z")).unwrap();
            assert_eq!(store.warm(one, at("2026-11-24T10:02:00Z")).unwrap(), newest[..1], "what is old is gone");
        }
    }

    #[test]
    fn sqlite_and_memory_give_the_same_attempts() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, _) = Sqlite::open(&folder.path().join("obs.db")).unwrap();
        let memory = Memory::new();
        let mut full = sample("2026-11-24T10:00:00.123Z", ErrorClass::StreamBroken);
        full.usage = Some(crate::catalog::Usage {
            cache_read: Some(crate::units::Tokens::new(3)),
            cache_write: Some(crate::units::Tokens::new(7)),
            cache_write_1h: Some(crate::units::Tokens::new(2)),
            ..crate::catalog::Usage::text(10, 20)
        });
        full.cost = Some("0.000000000001".parse().unwrap());
        full.billed = Some("0.5".parse().unwrap());
        full.cost_state = crate::observe::CostState::Unknown;
        full.source = crate::observe::Source::Probe;
        full.group = [9; 16];
        let micros = |micros| Some(Duration::from_micros(micros));
        (full.timings.tcp, full.timings.tls, full.timings.sched_lag) = (micros(1), micros(2), micros(3));
        let source = Some(crate::observe::TokenSource::Characters);
        full.streamed = crate::observe::Streamed { tokens: Some(4), first: Some(5), burst_pm: Some(6), source };
        (full.effort, full.prompt_version) = (Some("low".to_owned()), Some(7));
        full.flags = crate::observe::Flags::REUSED | crate::observe::Flags::UNCONFIRMED;
        full.code = Some("overloaded".into());
        full.retry_after = Some(Duration::from_millis(1500));
        let sheet = crate::catalog::price::SheetVersion::of(&crate::catalog::price::Pricing::default(), "2026-11-24");
        full.asked = Asked {
            input: Some(crate::units::Tokens::new(11)),
            stream: Some(false),
            expected: Some("0.25".parse().unwrap()),
            bound: Some("0.75".parse().unwrap()),
            sheet: Some(std::sync::Arc::new(sheet)),
        };
        let mut used = sample("2026-11-24T10:30:00Z", ErrorClass::OkTruncated);
        used.usage = Some(crate::catalog::Usage::text(7, 8));
        let mut probe = Observation { source: crate::observe::Source::Probe, ..used.clone() };
        probe.usage = Some(crate::catalog::Usage::text(1_000, 8));
        for seen in [&full, &sample("2026-11-24T10:20:00Z", ErrorClass::Ok), &used, &probe] {
            disk.record(seen).unwrap();
            memory.record(seen).unwrap();
        }
        let since = "2026-11-24T10:00:00Z".parse().unwrap();
        let whole = "2026-11-24T11:00:00Z".parse().unwrap();
        assert_eq!(disk.attempts(since, whole).unwrap(), memory.attempts(since, whole).unwrap());
        assert_eq!(disk.hours(since, whole).unwrap(), memory.hours(since, whole).unwrap());
        assert_eq!(disk.measured(since).unwrap(), memory.measured(since).unwrap());
        assert_eq!(disk.oldest(), Ok(None));
        for model in [None, Some(ModelId::new("a/m")), Some(ModelId::new("a/other"))] {
            assert_eq!(disk.mix(model.as_ref(), since).unwrap(), memory.mix(model.as_ref(), since).unwrap());
        }
        let first = "2026-11-24T10:20:00Z".parse().unwrap();
        assert_eq!(disk.attempts(since, first).unwrap(), [full]);
    }

    #[test]
    fn what_is_set_aside_never_exceeds_its_cap() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, _) = Sqlite::open(&folder.path().join("obs.db")).unwrap();
        let at: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
        let usd = |text: &str| text.parse::<Usd>().unwrap();
        for store in [&disk as &dyn ObservationStore, &Memory::new()] {
            let ask = |bound: &str| store.reserve("probe", at, usd(bound), usd("0.05")).unwrap();
            let Reservation::Granted(first) = ask("0.03") else { panic!("there is room") };
            assert_eq!(ask("0.03"), Reservation::Exceeded(usd("0.03")));
            store.settle(first, usd("0.01")).unwrap();
            assert!(matches!(ask("0.04"), Reservation::Granted(_)));
            assert_eq!(ask("0.000000000001"), Reservation::Exceeded(usd("0.05")));
            let tomorrow = at + Duration::from_secs(86_400);
            let other_day = store.reserve("probe", tomorrow, usd("0.05"), usd("0.05")).unwrap();
            assert!(matches!(other_day, Reservation::Granted(_)));
            assert!(matches!(store.reserve("chat", at, usd("0.05"), usd("0.05")).unwrap(), Reservation::Granted(_)));
        }
    }

    #[test]
    fn a_failure_that_may_be_the_networks_is_shown_against_nobody() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, _) = Sqlite::open(&folder.path().join("obs.db")).unwrap();
        let sure = sample("2026-11-24T10:00:00Z", ErrorClass::Unreachable);
        let unsure = Observation { flags: crate::observe::Flags::UNCONFIRMED, ..sure.clone() };
        for store in [&disk as &dyn ObservationStore, &Memory::new()] {
            store.record(&sure).unwrap();
            store.record(&unsure).unwrap();
            let measured = store.measured("2026-11-24T09:00:00Z".parse().unwrap()).unwrap();
            assert_eq!(measured[&sure.endpoint].faults, 1);
        }
    }

    #[test]
    fn what_was_learned_is_kept_for_a_month_and_can_be_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, _) = Sqlite::open(&folder.path().join("obs.db")).unwrap();
        let at: Timestamp = "2026-11-24T10:00:00Z".parse().unwrap();
        let days = |days: u64| at + Duration::from_secs(days * 86_400);
        let endpoint = key(&sample("2026-11-24T10:00:00Z", ErrorClass::Ok)).endpoint;
        let facts = ["without a".to_owned(), "with b in place of c".to_owned()];
        for store in [&disk as &dyn ObservationStore, &Memory::new()] {
            assert!(store.learned(&endpoint, "h", at).unwrap().is_empty());
            store.learn(&endpoint, "h", at, &facts).unwrap();
            assert_eq!(store.learned(&endpoint, "h", days(30)).unwrap(), facts);
            assert!(store.learned(&endpoint, "h", days(31)).unwrap().is_empty());
            assert!(store.learned(&endpoint, "elsewhere", at).unwrap().is_empty());
            store.learn(&endpoint, "h", at, &[]).unwrap();
            assert!(store.learned(&endpoint, "h", at).unwrap().is_empty());
        }
    }

    #[test]
    fn the_seed_is_peeked_at_by_one_and_taken_by_the_other() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Sqlite::open(&folder.path().join("obs.db")).unwrap();
        assert_eq!((store.peek_seed().unwrap(), store.peek_seed().unwrap()), (0, 0));
        assert_eq!((store.take_seed().unwrap(), store.peek_seed().unwrap()), (0, 1));
        assert_ne!(store.salt().unwrap(), [0; 16]);
    }
}
