//! What decisions were made of: a row each, and the sheets that they share.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};

use super::super::StoreError;
use super::super::codec::{self, Encoded, Sheets};
use super::super::words::sixteen;
use crate::routing::Kept;

/// Keeps a decision. Its sheet stands in `traded` once, with the moment of the last decision that used it.
pub(super) fn keep(connection: &mut Connection, kept: &Kept) -> Result<(), StoreError> {
    let encoded = codec::encode(kept, &mut Sheets::default())?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    insert(&transaction, &[(kept, encoded)])?;
    transaction.commit()?;
    Ok(())
}

/// The same of several, within a transaction of somebody else's.
pub(super) fn insert(transaction: &Transaction<'_>, all: &[(&Kept, Encoded)]) -> Result<(), StoreError> {
    let millis = |kept: &Kept| kept.input.now.as_millisecond();
    let mut last: BTreeMap<&str, (i64, &str)> = BTreeMap::new();
    for (kept, Encoded { sheet, .. }) in all {
        let (used, _) = last.entry(&sheet.hash).or_insert((i64::MIN, &sheet.text));
        *used = millis(kept).max(*used);
    }
    let mut sheet = transaction.prepare_cached(
        "INSERT INTO traded(sha256, last_ms, sheet) VALUES (?1, ?2, ?3)
         ON CONFLICT(sha256) DO UPDATE SET last_ms = max(last_ms, excluded.last_ms)",
    )?;
    for (hash, (used, text)) in last {
        sheet.execute(params![hash, used, text])?;
    }
    let mut row =
        transaction.prepare_cached("INSERT OR REPLACE INTO decision(id, ts_ms, input) VALUES (?1, ?2, ?3)")?;
    for (kept, encoded) in all {
        row.execute(params![kept.id.as_slice(), millis(kept), encoded.row])?;
    }
    Ok(())
}

pub(super) const NEWEST: &str = "SELECT id, input FROM decision ORDER BY ts_ms DESC, n DESC LIMIT 1";
/// Not by the index of their moments, which holds all of them.
pub(super) const BETWEEN: &str =
    "SELECT id, input FROM decision WHERE id BETWEEN ?1 AND ?2 ORDER BY +ts_ms DESC, n DESC LIMIT 2";

/// The newest two decisions whose id begins so; of all of them the newest alone.
pub(super) fn find(connection: &Connection, prefix: &str) -> Result<Vec<Kept>, StoreError> {
    let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let rows = if prefix.is_empty() {
        connection.prepare_cached(NEWEST)?.query_map([], row)?.collect::<Result<Vec<(Vec<u8>, String)>, _>>()?
    } else {
        let end = |digit: char| {
            sixteen(
                &prefix
                    .chars()
                    .chain(std::iter::repeat_n(digit, 32_usize.saturating_sub(prefix.len())))
                    .collect::<String>(),
            )
        };
        let (Some(first), Some(last)) = (end('0'), end('f')) else { return Ok(Vec::new()) };
        connection.prepare_cached(BETWEEN)?.query_map([first, last], row)?.collect::<Result<_, _>>()?
    };
    rows.into_iter().map(|(id, row)| read(connection, id, &row)).collect()
}

/// Every decision of a span, oldest first.
pub(super) fn each(
    connection: &Connection,
    since: Timestamp,
    until: Timestamp,
    each: &mut dyn FnMut(Result<Kept, StoreError>),
) -> Result<(), StoreError> {
    let mut statement = connection
        .prepare_cached("SELECT id, input FROM decision WHERE ts_ms >= ?1 AND ts_ms < ?2 ORDER BY ts_ms, id")?;
    let mut rows = statement.query(params![since.as_millisecond(), until.as_millisecond()])?;
    while let Some(row) = rows.next()? {
        each(read(connection, row.get(0)?, row.get_ref(1)?.as_str().unwrap_or_default()));
    }
    Ok(())
}

fn read(connection: &Connection, id: Vec<u8>, row: &str) -> Result<Kept, StoreError> {
    let id = id.try_into().map_err(|_| StoreError("the id of a decision is damaged".to_owned()))?;
    codec::decode(id, row, |hash| {
        let mut statement = connection.prepare_cached("SELECT sheet FROM traded WHERE sha256 = ?1")?;
        Ok(statement.query_row([hash], |row| row.get(0)).optional()?)
    })
}
