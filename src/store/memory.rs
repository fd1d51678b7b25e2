//! A store that lives as long as its process: for `--sandbox` and for tests.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::{LEARNED_DAYS, ObservationStore, Reservation, StateKey, StoreError};
use crate::catalog::EndpointId;
use crate::observe::{EndpointStats, Measured, Observation, StatsState, decode_speed};
use crate::units::Usd;

/// Observations of one process, and their fold.
#[derive(Debug, Default)]
pub struct Memory {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    states: BTreeMap<StateKey, StatsState>,
    observations: Vec<Observation>,
    /// Scope, day, and what is set aside or spent.
    budgets: Vec<(String, i64, Usd)>,
    seed: u64,
    /// By endpoint and host: when, and what.
    learned: BTreeMap<(EndpointId, String), (Timestamp, Vec<String>)>,
}

impl Memory {
    /// An empty store.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Every attempt so far, oldest first.
    #[must_use]
    pub fn observations(&self) -> Vec<Observation> {
        self.lock().observations.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ObservationStore for Memory {
    fn record(&self, seen: &Observation) -> Result<(), StoreError> {
        let mut inner = self.lock();
        let key = StateKey { endpoint: seen.endpoint.clone(), key_fingerprint: seen.key_fingerprint.clone() };
        inner.states.entry(key).or_insert_with(|| StatsState::new(seen.at)).observe(seen);
        inner.observations.push(seen.clone());
        Ok(())
    }

    fn stats(&self, keys: &[StateKey], now: Timestamp) -> Result<BTreeMap<EndpointId, EndpointStats>, StoreError> {
        let inner = self.lock();
        let known = keys.iter().filter_map(|key| Some((key.endpoint.clone(), inner.states.get(key)?.at(now))));
        Ok(known.collect())
    }

    fn measured(&self, since: Timestamp) -> Result<BTreeMap<EndpointId, Measured>, StoreError> {
        let mut found: BTreeMap<EndpointId, Measured> = BTreeMap::new();
        for seen in self.lock().observations.iter().filter(|seen| seen.at >= since) {
            let ttft = seen.counted_ttft().and_then(|ttft| u64::try_from(ttft.as_micros()).ok());
            found.entry(seen.endpoint.clone()).or_default().add(
                seen.at,
                seen.counted_class(),
                ttft,
                decode_speed(seen),
            );
        }
        Ok(found)
    }

    fn attempts(&self, since: Timestamp, until: Timestamp) -> Result<Vec<Observation>, StoreError> {
        let inner = self.lock();
        Ok(inner.observations.iter().filter(|seen| since <= seen.at && seen.at < until).cloned().collect())
    }

    fn reserve(&self, scope: &str, at: Timestamp, bound: Usd, cap: Usd) -> Result<Reservation, StoreError> {
        let mut inner = self.lock();
        let day = at.as_second().div_euclid(86_400);
        let used = inner.budgets.iter().filter(|(name, on, _)| name == scope && *on == day);
        let used: Usd = used.map(|(.., amount)| *amount).sum();
        if used + bound > cap {
            return Ok(Reservation::Exceeded(used));
        }
        inner.budgets.push((scope.to_owned(), day, bound));
        Ok(Reservation::Granted(i64::try_from(inner.budgets.len()).unwrap_or(i64::MAX)))
    }

    fn settle(&self, reservation: i64, spent: Usd) -> Result<(), StoreError> {
        let mut inner = self.lock();
        let place = usize::try_from(reservation).ok().and_then(|number| number.checked_sub(1));
        if let Some((.., amount)) = place.and_then(|place| inner.budgets.get_mut(place)) {
            *amount = spent;
        }
        Ok(())
    }

    fn learned(&self, endpoint: &EndpointId, host: &str, now: Timestamp) -> Result<Vec<String>, StoreError> {
        let inner = self.lock();
        let kept = inner.learned.get(&(endpoint.clone(), host.to_owned()));
        let days = |from: Timestamp| now.as_second().div_euclid(86_400) - from.as_second().div_euclid(86_400);
        Ok(kept.filter(|(at, _)| days(*at) <= LEARNED_DAYS).map(|(_, facts)| facts.clone()).unwrap_or_default())
    }

    fn learn(&self, endpoint: &EndpointId, host: &str, at: Timestamp, facts: &[String]) -> Result<(), StoreError> {
        self.lock().learned.insert((endpoint.clone(), host.to_owned()), (at, facts.to_vec()));
        Ok(())
    }

    fn peek_seed(&self) -> Result<u64, StoreError> {
        Ok(self.lock().seed)
    }

    fn take_seed(&self) -> Result<u64, StoreError> {
        let mut inner = self.lock();
        let seed = inner.seed;
        inner.seed = seed.wrapping_add(1);
        Ok(seed)
    }

    fn salt(&self) -> Result<[u8; 16], StoreError> {
        Ok([0; 16])
    }
}
