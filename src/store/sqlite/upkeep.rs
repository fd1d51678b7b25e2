//! What a store does beside the attempt of the moment: takes in what others spooled, and lets old rows go.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::super::StoreError;
use super::super::spool::Spool;
use super::rows;

/// Raw rows are kept for so many days, and so many of them.
const RAW_DAYS: i64 = 90;
const RAW_ROWS: i64 = 200_000;
/// Hourly sums are kept for two years.
const HOURLY_DAYS: i64 = 730;
/// Rows that one transaction removes, and transactions of one run: others wait for neither.
const BATCH: i64 = 500;
const BATCHES: usize = 20;
const DAY: i64 = 86_400;

/// Writes what was spooled, once: the spool is emptied after the commit, and a crash between the two is noticed by the
/// hash of what was taken. Whether there was anything.
pub(super) fn take_in(connection: &mut Connection, spool: &Spool) -> Result<bool, StoreError> {
    let Some(taken) = spool.take()? else { return Ok(false) };
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done: Option<String> =
        transaction.query_row("SELECT v FROM meta WHERE k = 'spool'", [], |row| row.get(0)).optional()?;
    rows::keep_all(&transaction, &taken.unseen(done.as_deref()))?;
    transaction.execute("INSERT OR REPLACE INTO meta(k, v) VALUES ('spool', ?1)", [taken.mark()])?;
    transaction.commit()?;
    taken.empty()?;
    connection.execute("DELETE FROM meta WHERE k = 'spool'", [])?;
    Ok(true)
}

/// Removes what has grown old. One process a day does; a run that is not done goes on with the next attempt.
pub(super) fn prune(connection: &mut Connection, now: Timestamp) -> Result<(), StoreError> {
    let today = now.as_second().div_euclid(DAY);
    let pruned: Option<String> =
        connection.query_row("SELECT v FROM meta WHERE k = 'pruned_day'", [], |row| row.get(0)).optional()?;
    if pruned.and_then(|day| day.parse::<i64>().ok()).is_some_and(|day| day >= today) {
        return Ok(());
    }
    let oldest = (now.as_second() - RAW_DAYS * DAY).saturating_mul(1000);
    let hour = (now.as_second() - HOURLY_DAYS * DAY).div_euclid(3600);
    for _ in 0..BATCHES {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let old = transaction.execute(
            "DELETE FROM obs WHERE id IN (SELECT id FROM obs WHERE ts_ms < ?1 ORDER BY ts_ms LIMIT ?2)",
            params![oldest, BATCH],
        )?;
        let many = transaction.execute(
            "DELETE FROM obs WHERE id IN (SELECT id FROM obs ORDER BY ts_ms DESC LIMIT ?1 OFFSET ?2)",
            params![BATCH, RAW_ROWS],
        )?;
        let decisions = transaction.execute(
            "DELETE FROM decision WHERE id IN (SELECT id FROM decision WHERE ts_ms < ?1 LIMIT ?2)",
            params![oldest, BATCH],
        )?;
        // A sheet carries the moment of the last decision that used it.
        let sheets = transaction.execute(
            "DELETE FROM traded WHERE sha256 IN (SELECT sha256 FROM traded WHERE last_ms < ?1 LIMIT ?2)",
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
        let done = old + many + decisions + sheets + hourly == 0;
        if done {
            transaction.execute("INSERT OR REPLACE INTO meta(k, v) VALUES ('pruned_day', ?1)", [today.to_string()])?;
        }
        transaction.commit()?;
        if done {
            break;
        }
    }
    Ok(())
}
