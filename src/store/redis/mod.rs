//! What gateways on several machines share through Redis (or Valkey): what they see of the providers, where conversations
//! are, the one trial after a pause, and budgets. The own store keeps the ledger, the decisions and the history, alone.
//!
//! Every attempt is folded here at once, and told to the others on a stream; what they tell is added to the own figures
//! when a decision asks ([`crate::observe::Together`]), and to nothing else. Keys and conversations are hashed with one
//! salt, that of whoever came first. No request waits for Redis, but where money is set aside and where a trial is taken:
//! then for [`ASK`] at most, and never twice in one outage. Whatever Redis does, the own store's rules hold.

mod books;
mod known;
mod link;
mod slot;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::words::{day_of, pico};
use super::{Conversation, ObservationStore, Reservation, SetAside, Sharing, StateKey, Stay, StoreError};
use crate::catalog::{EndpointId, ModelId};
use crate::observe::hourly::Hour;
use crate::observe::ledger::Mix;
use crate::observe::{EndpointStats, Measured, Observation};
use crate::routing::{Hedging, Kept};
use crate::units::Usd;
use books::Which;
use known::Known;
use link::{Link, Minute, Verdict};
use wire::News;

/// How long a request waits for Redis where it must ask.
pub const ASK: Duration = Duration::from_millis(200);

/// Where a Redis is, and how to log in there.
#[derive(Clone)]
pub struct Address {
    client: redis::Client,
    /// Without the password and the user.
    shown: String,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Address").field(&self.shown).finish()
    }
}

impl Address {
    /// Reads `redis://USER:PASSWORD@HOST:PORT/DB`, or `rediss://` for TLS.
    ///
    /// # Errors
    /// It is none: why, without what was typed, because a password may be in it.
    pub fn parse(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or("it does not begin with redis:// or rediss://")?;
        if !["redis", "rediss", "valkey", "valkeys"].contains(&scheme) {
            return Err("it does not begin with redis:// or rediss://".to_owned());
        }
        if rest.contains(['#', '?']) {
            return Err("nothing may follow the number of the database".to_owned());
        }
        let client = redis::Client::open(url).map_err(|error| error.to_string().to_lowercase())?;
        let info = client.get_connection_info();
        let shown = format!("{scheme}://{}/{}", info.addr(), info.redis_settings().db());
        Ok(Self { client, shown })
    }

    /// The address without the password and the user.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }
}

/// What is said once when it comes to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// State is shared, or shared again.
    Together(String),
    /// Redis cannot be used: this gateway goes on by itself.
    Alone(String),
}

/// What a shared store needs beside its own one.
pub struct Setup {
    /// Where Redis is.
    pub address: Address,
    /// Sixteen bytes that nobody else has drawn.
    pub process: [u8; 16],
    /// The clock.
    pub now: fn() -> Timestamp,
    /// Takes what is to be said.
    pub say: Box<dyn Fn(&Told) + Send>,
}

/// A store of one's own, and what others have told.
pub struct Shared {
    link: Link,
    known: Arc<Known>,
    /// Budgets that were begun: what this machine had used before counts.
    opened: Mutex<BTreeSet<Which>>,
    /// What is set aside, by the own store's number: of which budget, and how much.
    held: Mutex<BTreeMap<i64, (Which, i64)>>,
}

impl Shared {
    /// Begins to share; whether Redis is there or not.
    ///
    /// # Errors
    /// The own store cannot be read, or there are no threads to share with.
    pub fn start(local: Box<dyn ObservationStore>, setup: Setup) -> Result<Self, StoreError> {
        let machine = local.machine()?.unwrap_or(setup.process);
        let known = Arc::new(Known::new(local)?);
        let link = Link::start(&known, machine, setup)?;
        Ok(Self { link, known, opened: Mutex::default(), held: Mutex::default() })
    }

    fn local(&self) -> &dyn ObservationStore {
        self.known.local.as_ref()
    }

    /// Says what this machine has used of a budget before anything is shared of it.
    fn begin(&self, which: &Which, at: Timestamp) -> Result<(), StoreError> {
        // Held while the own store is asked: what is set aside meanwhile would be counted twice.
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if !opened.contains(which) {
            let used = self.local().set_aside(&which.0, at)?.total();
            opened.retain(|(_, day)| *day + 40 > which.1);
            opened.insert(which.clone());
            self.link.open(which, pico(used));
        }
        Ok(())
    }
}

impl Drop for Shared {
    /// The own store ends here, with all that it has to write: not with a thread that nobody waits for.
    fn drop(&mut self) {
        self.link.end();
        while Arc::strong_count(&self.known) > 1 {
            std::thread::yield_now();
        }
    }
}

impl ObservationStore for Shared {
    fn record(&self, seen: &Observation) -> Result<(), StoreError> {
        self.known.made(seen);
        self.link.tell(News::Seen(Box::new(seen.clone())));
        self.local().record(seen)
    }

    fn stats(&self, keys: &[StateKey], now: Timestamp) -> Result<BTreeMap<EndpointId, EndpointStats>, StoreError> {
        let mut found = self.local().stats(keys, now)?;
        self.known.add(keys, &mut found, now);
        Ok(found)
    }

    fn claim_trial(&self, key: &StateKey, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        if !self.known.claim(key, now, until)? {
            return Ok(false);
        }
        let others = self.link.claim(key, until.duration_since(now).unsigned_abs());
        if others == Some(false) {
            self.known.claimed(key, until);
        }
        Ok(others != Some(false))
    }

    fn warm(&self, conversation: Conversation, now: Timestamp) -> Result<Vec<Stay>, StoreError> {
        self.known.warm(conversation, now)
    }

    fn keep_warm(&self, conversation: Conversation, kept: &Stay) -> Result<(), StoreError> {
        self.link.tell(News::Stay(conversation, kept.clone()));
        self.local().keep_warm(conversation, kept)
    }

    /// The own rule first, then that of all. Where Redis is away, the own rule alone holds.
    fn reserve(&self, scope: &str, at: Timestamp, bound: Usd, cap: Usd) -> Result<Reservation, StoreError> {
        let which = (scope.to_owned(), day_of(at));
        self.begin(&which, at)?;
        let number = match self.local().reserve(scope, at, bound, cap)? {
            Reservation::Granted(number) => number,
            exceeded @ Reservation::Exceeded(_) => return Ok(exceeded),
        };
        let amount = pico(bound);
        if let Some(Verdict::Exceeded(used)) = self.link.reserve(&which, amount, pico(cap)) {
            self.local().settle(number, Usd::ZERO)?;
            return Ok(Reservation::Exceeded(Usd::from_pico(used)));
        }
        self.held.lock().unwrap_or_else(PoisonError::into_inner).insert(number, (which, amount));
        Ok(Reservation::Granted(number))
    }

    fn settle(&self, reservation: i64, spent: Usd) -> Result<(), StoreError> {
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).remove(&reservation);
        if let Some((which, amount)) = held {
            self.link.owe(&which, pico(spent).saturating_sub(amount));
        }
        self.local().settle(reservation, spent)
    }

    fn take_minute(&self, name: &str, most: u64, amount: u64) -> Option<Result<(), Duration>> {
        self.link.take(Minute { name: name.to_owned(), most }, amount)
    }

    fn owe_minute(&self, name: &str, most: u64, more: i64) {
        self.link.owe_minute(Minute { name: name.to_owned(), most }, more);
    }

    fn salt(&self) -> Result<[u8; 16], StoreError> {
        Ok(self.known.salt())
    }

    fn sharing(&self) -> Option<Sharing> {
        Some(self.link.sharing())
    }

    // What follows is this machine's own.

    fn machine(&self) -> Result<Option<[u8; 16]>, StoreError> {
        self.local().machine()
    }

    fn take_salt(&self, salt: [u8; 16]) -> Result<(), StoreError> {
        self.known.take_salt(salt).map(drop)
    }

    fn measured(&self, since: Timestamp) -> Result<BTreeMap<EndpointId, Measured>, StoreError> {
        self.local().measured(since)
    }

    fn hedging(&self, since: Timestamp) -> Result<Hedging, StoreError> {
        self.local().hedging(since)
    }

    fn attempts(&self, since: Timestamp, until: Timestamp) -> Result<Vec<Observation>, StoreError> {
        self.local().attempts(since, until)
    }

    fn answered(&self, since: Timestamp, until: Timestamp) -> Result<BTreeSet<String>, StoreError> {
        self.local().answered(since, until)
    }

    fn of_request(&self, group: [u8; 16], since: Timestamp, until: Timestamp) -> Result<Vec<Observation>, StoreError> {
        self.local().of_request(group, since, until)
    }

    fn mix(&self, model: Option<&ModelId>, since: Timestamp) -> Result<Option<Mix>, StoreError> {
        self.local().mix(model, since)
    }

    fn hours(&self, since: Timestamp, until: Timestamp) -> Result<Vec<Hour>, StoreError> {
        self.local().hours(since, until)
    }

    fn oldest(&self) -> Result<Option<Timestamp>, StoreError> {
        self.local().oldest()
    }

    fn keep_decision(&self, kept: Kept) -> Result<(), StoreError> {
        self.local().keep_decision(kept)
    }

    fn decision(&self, prefix: &str) -> Result<Vec<Kept>, StoreError> {
        self.local().decision(prefix)
    }

    fn decisions(
        &self,
        since: Timestamp,
        until: Timestamp,
        each: &mut dyn FnMut(Result<Kept, StoreError>),
    ) -> Result<(), StoreError> {
        self.local().decisions(since, until, each)
    }

    fn set_aside(&self, scope: &str, at: Timestamp) -> Result<SetAside, StoreError> {
        self.local().set_aside(scope, at)
    }

    fn learned(&self, endpoint: &EndpointId, host: &str, now: Timestamp) -> Result<Vec<String>, StoreError> {
        self.local().learned(endpoint, host, now)
    }

    fn learn(&self, endpoint: &EndpointId, host: &str, at: Timestamp, facts: &[String]) -> Result<(), StoreError> {
        self.local().learn(endpoint, host, at, facts)
    }

    fn peek_seed(&self) -> Result<u64, StoreError> {
        self.local().peek_seed()
    }

    fn take_seed(&self) -> Result<u64, StoreError> {
        self.local().take_seed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_password() {
        let address = Address::parse("redis://me:s3cret-word@h.example:6380/3").unwrap();
        assert_eq!(address.shown(), "redis://h.example:6380/3");
        assert!(!format!("{address:?}").contains("s3cret"));
        assert_eq!(Address::parse("rediss://h.example").unwrap().shown(), "rediss://h.example:6379/0");
        for (wrong, why) in [
            ("h.example:6379", "it does not begin"),
            ("http://me:s3cret-word@h.example", "it does not begin"),
            ("redis://:s3cret-word@h.example/x", "database number"),
            ("redis://:s3cret-word@h.example/0?protocol=s3cret", "nothing may follow"),
            ("redis://:s3cret-word@", ""),
        ] {
            let said = Address::parse(wrong).unwrap_err();
            assert!(said.contains(why) && !said.contains("s3cret"), "{wrong}: {said}");
        }
    }
}
