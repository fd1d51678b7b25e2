//! Conversations: where the prefix of each was sent, and when. A day's worth.

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, params};

use super::super::{Conversation, KEPT_FOR, StateKey, Stay, StoreError};
use crate::catalog::{EndpointId, Protocol, ProviderId};
use crate::units::Tokens;

/// Where a conversation was within a day of `now`, the newest first.
pub(super) fn warm(
    connection: &Connection,
    conversation: Conversation,
    now: Timestamp,
) -> Result<Vec<Stay>, StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT provider, upstream_model, key_fp, protocol, tokens, at_ms FROM session
         WHERE hash = ?1 AND at_ms <= ?2 AND at_ms > ?3 ORDER BY at_ms DESC, provider, upstream_model, key_fp",
    )?;
    let now = now.as_millisecond();
    let oldest = now.saturating_sub(i64::try_from(KEPT_FOR.as_millis()).unwrap_or(i64::MAX));
    let rows = statement.query_map(params![conversation.0.as_slice(), now, oldest], |row| {
        let endpoint = EndpointId { provider: ProviderId::new(row.get::<_, String>(0)?), upstream_model: row.get(1)? };
        let key = StateKey { endpoint, key_fingerprint: row.get(2)? };
        Ok((key, row.get::<_, String>(3)?, row.get::<_, i64>(4)?, row.get::<_, i64>(5)?))
    })?;
    let mut found = Vec::new();
    for row in rows {
        let (key, protocol, tokens, at) = row?;
        let Some(protocol) = Protocol::parse(&protocol) else { continue };
        let Ok(at) = Timestamp::from_millisecond(at) else { continue };
        found.push(Stay { key, protocol, tokens: Tokens::new(u64::try_from(tokens).unwrap_or(0)), at });
    }
    Ok(found)
}

/// Keeps where a conversation is now, and forgets what is older than a day.
pub(super) fn keep(connection: &mut Connection, conversation: Conversation, kept: &Stay) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    insert(&transaction, conversation, kept)?;
    forget(&transaction, kept.at)?;
    transaction.commit()?;
    Ok(())
}

/// The same within a transaction of somebody else's.
pub(super) fn insert(transaction: &Transaction<'_>, conversation: Conversation, kept: &Stay) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached(
        "INSERT OR REPLACE INTO session(hash, provider, upstream_model, key_fp, protocol, tokens, at_ms)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    statement.execute(params![
        conversation.0.as_slice(),
        kept.key.endpoint.provider.as_str(),
        kept.key.endpoint.upstream_model,
        kept.key.key_fingerprint,
        kept.protocol.name(),
        i64::try_from(kept.tokens.count()).unwrap_or(i64::MAX),
        kept.at.as_millisecond(),
    ])?;
    Ok(())
}

/// Forgets what is older than a day.
pub(super) fn forget(transaction: &Transaction<'_>, now: Timestamp) -> Result<(), StoreError> {
    let oldest = now.as_millisecond().saturating_sub(i64::try_from(KEPT_FOR.as_millis()).unwrap_or(i64::MAX));
    transaction.prepare_cached("DELETE FROM session WHERE at_ms <= ?1")?.execute([oldest])?;
    Ok(())
}
