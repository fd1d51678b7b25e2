//! What was spent, and what is set aside: read whole, and reserved in one transaction that survives a loss of power.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, Row, Transaction, TransactionBehavior, params};

use super::super::words::{day_of, headroom_of, pico};
use super::super::{Reservation, SetAside, StoreError};
use super::open::{jittered, patient};
use super::rows::{COST_STATES, PHASES, SOURCES, place};
use crate::catalog::price::SheetVersion;
use crate::catalog::{EndpointId, ModelId, Protocol, ProviderId, Usage};
use crate::observe::{Asked, CostState, ErrorClass, Flags, Observation, Streamed, Timings, TokenSource};
use crate::units::{Tokens, Usd};

const DAY: i64 = 86_400;

/// An attempt, in the order that [`attempt`] reads.
const ATTEMPT: &str =
    "SELECT ts_ms, provider, upstream_model, model, host, protocol, key_fp, grp, src, class, phase, http, code,
            connect_us, head_us, ttft_us, ttfa_us, decode_us, e2e_us, in_tok, cached_tok, cw5_tok, cw1h_tok,
            out_tok, reason_tok, events, reads, retry_after_ms, cost_pd, bill_pd, cost_state, finish, flags, dns_us,
            tcp_us, tls_us, sched_lag_us, stream_tok, n1_tok, burst_pm, tok_src, effort, prompt_ver,
            warm_tok, obs.room, price_ver, expect_pd, bound_pd, est_tok, streamed
     FROM obs JOIN endpoint ON endpoint.id = obs.ep";

/// Every attempt of a span, oldest first. A row that a newer version wrote in words of its own is left out.
pub(super) fn attempts(
    connection: &Connection,
    since: Timestamp,
    until: Timestamp,
) -> Result<Vec<Observation>, StoreError> {
    let mut found = Vec::new();
    each(connection, since, until, |seen| found.push(seen))?;
    Ok(found)
}

/// The same, one after the other.
pub(super) fn each(
    connection: &Connection,
    since: Timestamp,
    until: Timestamp,
    mut take: impl FnMut(Observation),
) -> Result<(), StoreError> {
    let sheets = sheets(connection)?;
    let mut statement =
        connection.prepare_cached(&format!("{ATTEMPT} WHERE ts_ms >= ?1 AND ts_ms < ?2 ORDER BY ts_ms, obs.id"))?;
    let mut rows = statement.query(params![since.as_millisecond(), until.as_millisecond()])?;
    while let Some(row) = rows.next()? {
        if let Some(seen) = attempt(row, &sheets)? {
            take(seen);
        }
    }
    Ok(())
}

pub(super) fn of_request_sql() -> String {
    format!("{ATTEMPT} WHERE ts_ms >= ?1 AND ts_ms < ?2 AND grp = ?3 ORDER BY ts_ms, obs.id")
}

/// Every attempt of one request, which lie in a span, oldest first.
pub(super) fn of_request(
    connection: &Connection,
    group: [u8; 16],
    since: Timestamp,
    until: Timestamp,
) -> Result<Vec<Observation>, StoreError> {
    let sheets = sheets(connection)?;
    let mut statement = connection.prepare_cached(&of_request_sql())?;
    let mut rows = statement.query(params![since.as_millisecond(), until.as_millisecond(), group.as_slice()])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.extend(attempt(row, &sheets)?);
    }
    Ok(found)
}

pub(super) fn attempts_of_sql() -> String {
    format!("{ATTEMPT} WHERE obs.ep = ?1 AND ts_ms < ?2 ORDER BY ts_ms DESC, obs.id DESC LIMIT ?3")
}

/// Every attempt at one endpoint before a moment, oldest first; at most the last so many.
pub(super) fn attempts_of(
    connection: &Connection,
    endpoint: i64,
    before: Timestamp,
    most: Option<u32>,
) -> Result<Vec<Observation>, StoreError> {
    let sheets = sheets(connection)?;
    let mut statement = connection.prepare_cached(&attempts_of_sql())?;
    let mut rows = statement.query(params![endpoint, before.as_millisecond(), most.map_or(-1, i64::from)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.extend(attempt(row, &sheets)?);
    }
    found.reverse();
    Ok(found)
}

/// The price sheets by their numbers.
type Sheets = BTreeMap<i64, Arc<SheetVersion>>;

fn sheets(connection: &Connection) -> Result<Sheets, StoreError> {
    let mut statement = connection.prepare_cached("SELECT ver, sha256, taken_ms, sheet FROM price")?;
    let rows = statement.query_map([], |row| {
        let taken = Timestamp::from_millisecond(row.get(2)?).unwrap_or(Timestamp::UNIX_EPOCH);
        let day = taken.to_string().chars().take(10).collect();
        Ok((row.get(0)?, Arc::new(SheetVersion { sha256: row.get(1)?, day, sheet: row.get(3)? })))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn attempt(row: &Row<'_>, sheets: &Sheets) -> Result<Option<Observation>, rusqlite::Error> {
    let whole = |column: usize| -> Result<Option<u64>, rusqlite::Error> {
        Ok(row.get::<_, Option<i64>>(column)?.and_then(|value| u64::try_from(value).ok()))
    };
    let micros = |column: usize| Ok::<_, rusqlite::Error>(whole(column)?.map(Duration::from_micros));
    let tokens = |column: usize| Ok::<_, rusqlite::Error>(whole(column)?.map(Tokens::new));
    let pico = |column: usize| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(column)?.map(Usd::from_pico));
    let place = |column: usize| -> Result<usize, rusqlite::Error> {
        Ok(row.get::<_, Option<i64>>(column)?.and_then(|value| usize::try_from(value).ok()).unwrap_or(usize::MAX))
    };
    let known = (
        Timestamp::from_millisecond(row.get(0)?).ok(),
        Protocol::parse(&row.get::<_, String>(5)?),
        SOURCES.get(place(8)?).copied(),
        ErrorClass::from_number(row.get(9)?),
        PHASES.get(place(10)?).copied(),
        COST_STATES.get(place(30)?).copied(),
    );
    let (Some(at), Some(protocol), Some(source), Some(class), Some(phase), Some(cost_state)) = known else {
        return Ok(None);
    };
    let (five_minutes, hour) = (tokens(21)?, tokens(22)?);
    let usage = Usage {
        input: tokens(19)?,
        cache_read: tokens(20)?,
        cache_write: five_minutes.map(|short| short + hour.unwrap_or_default()).or(hour),
        cache_write_1h: hour,
        output: tokens(23)?,
        reasoning: tokens(24)?,
        ..Usage::default()
    };
    let group: Option<Vec<u8>> = row.get(7)?;
    Ok(Some(Observation {
        at,
        endpoint: EndpointId { provider: ProviderId::new(row.get::<_, String>(1)?), upstream_model: row.get(2)? },
        model: ModelId::new(row.get::<_, String>(3)?),
        host: row.get(4)?,
        protocol,
        key_fingerprint: row.get(6)?,
        group: group.and_then(|bytes| bytes.try_into().ok()).unwrap_or_default(),
        source,
        class,
        phase,
        http_status: row.get(11)?,
        code: row.get(12)?,
        timings: Timings {
            connect: micros(13)?,
            dns: micros(33)?,
            tcp: micros(34)?,
            tls: micros(35)?,
            sched_lag: micros(36)?,
            head: micros(14)?,
            ttft: micros(15)?,
            ttfa: micros(16)?,
            decode: micros(17)?,
            e2e: micros(18)?,
        },
        usage: (usage != Usage::default()).then_some(usage),
        events: row.get(25)?,
        reads: row.get(26)?,
        streamed: Streamed {
            tokens: whole(37)?,
            first: whole(38)?,
            burst_pm: row.get(39)?,
            source: row.get::<_, Option<i64>>(40)?.and_then(TokenSource::from_number),
        },
        effort: row.get(41)?,
        prompt_version: row.get(42)?,
        retry_after: whole(27)?.map(Duration::from_millis),
        cost: pico(28)?,
        billed: pico(29)?,
        cost_state,
        finish: row.get(31)?,
        flags: Flags::from_bits(row.get(32)?),
        warm: tokens(43)?,
        headroom: headroom_of(row.get_ref(44)?.as_str().unwrap_or_default()),
        asked: Asked {
            input: tokens(48)?,
            stream: row.get(49)?,
            expected: pico(46)?,
            bound: pico(47)?,
            sheet: row.get::<_, Option<i64>>(45)?.and_then(|number| sheets.get(&number).cloned()),
        },
    }))
}

/// What a scope has used up of a day. Where nobody has set money aside yet, it is what the source of that name spent: its
/// providers' bills, else our own figures.
pub(super) fn set_aside(connection: &Connection, scope: &str, at: Timestamp) -> Result<SetAside, StoreError> {
    Ok(used(connection, scope, day_of(at))?.0)
}

/// The same; the second value says whether anybody has set money aside yet.
fn used(connection: &Connection, scope: &str, day: i64) -> Result<(SetAside, bool), rusqlite::Error> {
    let (rows, spent, open): (i64, i64, i64) = connection.query_row(
        "SELECT count(*), COALESCE(SUM(spent_pd), 0), COALESCE(SUM(CASE WHEN spent_pd IS NULL THEN reserved_pd END), 0)
         FROM budget WHERE scope = ?1 AND day = ?2",
        params![scope, day],
        |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
    )?;
    if rows > 0 {
        return Ok((SetAside { spent: Usd::from_pico(spent), open: Usd::from_pico(open) }, true));
    }
    let source = SOURCES.iter().find(|source| source.name() == scope).and_then(|source| place(&SOURCES, source));
    let begins = day.saturating_mul(DAY).saturating_mul(1000);
    // What nobody knows is as much as it can have been.
    let (spent, open): (i64, i64) = connection.query_row(
        "SELECT COALESCE(SUM(COALESCE(bill_pd, cost_pd)), 0),
                COALESCE(SUM(CASE WHEN bill_pd IS NULL AND cost_pd IS NULL AND cost_state = ?4 THEN bound_pd END), 0)
         FROM obs WHERE src = ?1 AND ts_ms >= ?2 AND ts_ms < ?3",
        params![source, begins, begins.saturating_add(DAY * 1000), place(&COST_STATES, &CostState::Unknown)],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    Ok((SetAside { spent: Usd::from_pico(spent), open: Usd::from_pico(open) }, false))
}

/// Sets money aside. What nobody settled counts as spent.
pub(super) fn reserve(
    connection: &mut Connection,
    scope: &str,
    at: Timestamp,
    bound: Usd,
    cap: Usd,
) -> Result<Reservation, StoreError> {
    let day = day_of(at);
    let inexact = || StoreError(format!("{} USD cannot be set aside exactly", bound.exact()));
    let bound_pd = bound.to_pico().ok_or_else(inexact)?;
    durably(connection, |transaction| {
        let (used, begun) = used(transaction, scope, day)?;
        if used.total() + bound > cap {
            return Ok(Reservation::Exceeded(used.total()));
        }
        let insert = "INSERT INTO budget(day, made_ms, scope, reserved_pd, spent_pd) VALUES (?1, ?2, ?3, ?4, ?5)";
        let before = [(used.spent, true), (used.open, false)].map(|(amount, settled)| (pico(amount), settled));
        for (amount, settled) in before.into_iter().filter(|(amount, _)| !begun && *amount > 0) {
            let spent = settled.then_some(amount);
            transaction.execute(insert, params![day, at.as_millisecond(), scope, amount, spent])?;
        }
        transaction.execute(insert, params![day, at.as_millisecond(), scope, bound_pd, None::<i64>])?;
        Ok(Reservation::Granted(transaction.last_insert_rowid()))
    })
}

/// Replaces what was set aside by what was spent.
pub(super) fn settle(connection: &mut Connection, reservation: i64, spent: Usd) -> Result<(), StoreError> {
    durably(connection, |transaction| {
        transaction.execute("UPDATE budget SET spent_pd = ?2 WHERE id = ?1", params![reservation, pico(spent)])?;
        Ok(())
    })
}

/// A transaction about money: it waits for others, and is on the disk when it returns.
fn durably<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, rusqlite::Error>,
) -> Result<T, StoreError> {
    connection.busy_handler(Some(patient))?;
    connection.execute_batch("PRAGMA synchronous=FULL")?;
    let done = connection.transaction_with_behavior(TransactionBehavior::Immediate).and_then(|transaction| {
        let value = work(&transaction)?;
        transaction.commit()?;
        Ok(value)
    });
    connection.execute_batch("PRAGMA synchronous=NORMAL")?;
    connection.busy_handler(Some(jittered))?;
    Ok(done?)
}
