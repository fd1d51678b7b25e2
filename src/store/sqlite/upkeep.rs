//! What a store does beside the attempt of the moment: takes in what others spooled, and lets old rows go.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};

use super::super::StoreError;
use super::super::spool::{FILES, Spool};
use super::rows::{self, When};

/// Raw rows are kept for so many days.
const RAW_DAYS: i64 = 90;
/// So many attempts are kept, and so many decisions.
const RAW_ROWS: i64 = 200_000;
/// Hourly sums are kept for two years.
const HOURLY_DAYS: i64 = 730;
/// Rows that one transaction removes, and transactions of one run: others wait for neither.
const BATCH: i64 = 500;
const BATCHES: usize = 4;
const DAY: i64 = 86_400;
/// A day that is further from the last one than this may be a clock that runs ahead.
const BELIEVED_DAYS: i64 = 31;

/// Writes what was spooled, once: a file of the spool is emptied after the commit, and a crash between the two is noticed
/// by the hash of what was taken. Whether there was anything.
pub(super) fn take_in(connection: &mut Connection, spool: &Spool) -> Result<bool, StoreError> {
    let mut any = false;
    for at in 0..FILES {
        if !spool.holds_any(at) {
            continue;
        }
        let mark = if at == 0 { "spool".to_owned() } else { format!("spool-{at}") };
        // The store comes first: whoever waited for it with a file of the spool in hand would keep that from all who write.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let Some(taken) = spool.take(at)? else { continue };
        let done: Option<String> =
            transaction.query_row("SELECT v FROM meta WHERE k = ?1", [&mark], |row| row.get(0)).optional()?;
        rows::keep_all(&transaction, &taken.unseen(done.as_deref()), When::Once)?;
        transaction.execute("INSERT OR REPLACE INTO meta(k, v) VALUES (?1, ?2)", params![mark, taken.mark()])?;
        transaction.commit()?;
        taken.empty()?;
        connection.execute("DELETE FROM meta WHERE k = ?1", [&mark])?;
        any = true;
    }
    Ok(any)
}

/// Removes the first of the attempts and decisions that are too many, where something is written: so many at once that it
/// keeps up with that, and never many more.
pub(super) fn cap(transaction: &Transaction<'_>, written: usize) -> Result<(), rusqlite::Error> {
    cap_to(transaction, written, RAW_ROWS)
}

fn cap_to(transaction: &Transaction<'_>, written: usize, most: i64) -> Result<(), rusqlite::Error> {
    let at_once = BATCH.max(i64::try_from(written).unwrap_or(i64::MAX).saturating_mul(2));
    // Rows are numbered as they are written; to count them would be to read them.
    for (ends, remove) in [
        ("SELECT (SELECT min(id) FROM obs), (SELECT max(id) FROM obs)", "DELETE FROM obs WHERE id < ?1"),
        ("SELECT (SELECT min(n) FROM decision), (SELECT max(n) FROM decision)", "DELETE FROM decision WHERE n < ?1"),
    ] {
        let ends = transaction.prepare_cached(ends)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (Some(first), Some(last)): (Option<i64>, Option<i64>) = ends else { continue };
        let kept_from = last - most + 1;
        if kept_from - first >= BATCH {
            transaction.prepare_cached(remove)?.execute([kept_from.min(first + at_once)])?;
        }
    }
    Ok(())
}

/// Removes what has grown old. One process a day does; a run that is not done goes on with the next attempt. A clock that
/// is far from the last one that was seen is believed on the next day alone.
pub(super) fn prune(connection: &mut Connection, now: Timestamp) -> Result<(), StoreError> {
    let today = now.as_second().div_euclid(DAY);
    let done = |connection: &Connection| {
        connection.execute("INSERT OR REPLACE INTO meta(k, v) VALUES ('pruned_day', ?1)", [today.to_string()])
    };
    let pruned = "SELECT v FROM meta WHERE k = 'pruned_day'";
    let pruned: Option<String> = connection.prepare_cached(pruned)?.query_row([], |row| row.get(0)).optional()?;
    match pruned.and_then(|day| day.parse::<i64>().ok()).map(|day| today - day) {
        // What began yesterday may end today.
        Some(-1..=0) => return Ok(()),
        Some(1..=BELIEVED_DAYS) => {}
        _ => {
            done(connection)?;
            return Ok(());
        }
    }
    let oldest = (now.as_second() - RAW_DAYS * DAY).saturating_mul(1000);
    let hour = (now.as_second() - HOURLY_DAYS * DAY).div_euclid(3600);
    for _ in 0..BATCHES {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let old = transaction.execute(
            "DELETE FROM obs WHERE id IN (SELECT id FROM obs WHERE ts_ms < ?1 ORDER BY ts_ms LIMIT ?2)",
            params![oldest, BATCH],
        )?;
        let decisions = transaction.execute(
            "DELETE FROM decision WHERE n IN (SELECT n FROM decision WHERE ts_ms < ?1 ORDER BY ts_ms LIMIT ?2)",
            params![oldest, BATCH],
        )?;
        // A sheet carries the moment of the last decision that used it.
        let sheets = transaction.execute(
            "DELETE FROM traded WHERE sha256 IN (SELECT sha256 FROM traded WHERE last_ms <
               max(?1, COALESCE((SELECT min(ts_ms) FROM decision), ?1)) LIMIT ?2)",
            params![oldest, BATCH],
        )?;
        let mut hourly = 0;
        for table in ["tally", "hist"] {
            let keys = if table == "tally" { "ep, hour, class" } else { "ep, metric, hour, bin" };
            hourly += transaction.execute(
                &format!("DELETE FROM {table} WHERE ({keys}) IN (SELECT {keys} FROM {table} WHERE hour < ?1 LIMIT ?2)"),
                params![hour, BATCH],
            )?;
        }
        let nothing = old + decisions + sheets + hourly == 0;
        if nothing {
            done(&transaction)?;
        }
        transaction.commit()?;
        if nothing {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Sqlite;
    use super::*;
    use crate::observe::ErrorClass;
    use crate::observe::tests_support::seen;

    /// However much is written in a day: the first rows go, a few at a time, and never more than are too many.
    #[test]
    fn what_is_beyond_so_many_rows_goes_in_the_order_in_which_it_came() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Sqlite::open(&folder.path().join("obs.db")).unwrap();
        let mut connection = store.lock();
        let transaction = connection.transaction().unwrap();
        for number in 0..1500_u16 {
            let mut group = [0; 16];
            group[..2].copy_from_slice(&number.to_be_bytes());
            rows::keep(&transaction, &seen("2026-11-24T10:00:00Z", ErrorClass::Ok)).unwrap();
            transaction.execute("INSERT INTO decision(id, ts_ms, input) VALUES (?1, 0, '')", [group]).unwrap();
        }
        let kept = || -> (i64, i64, i64) {
            let count = "SELECT (SELECT count(*) FROM obs), count(*), min(n) FROM decision";
            transaction.query_row(count, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap()
        };
        cap_to(&transaction, 1, 1001).unwrap();
        assert_eq!(kept(), (1500, 1500, 1), "a few more are nothing");
        cap_to(&transaction, 1, 700).unwrap();
        assert_eq!(kept(), (1000, 1000, 501));
        cap_to(&transaction, 400, 100).unwrap();
        assert_eq!(kept(), (200, 200, 1301), "as many again as are written");
        cap_to(&transaction, 400, 10).unwrap();
        assert_eq!(kept(), (200, 200, 1301));
    }
}
