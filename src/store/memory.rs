//! A store that lives as long as its process: for `--sandbox` and for tests.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::{ObservationStore, StateKey, StoreError};
use crate::catalog::EndpointId;
use crate::observe::{EndpointStats, Measured, Observation, StatsState, decode_speed};

/// Observations of one process, and their fold.
#[derive(Debug, Default)]
pub struct Memory {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    states: BTreeMap<StateKey, StatsState>,
    observations: Vec<Observation>,
    seed: u64,
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
            let ttft = seen.timings.ttft.and_then(|ttft| u64::try_from(ttft.as_micros()).ok());
            found.entry(seen.endpoint.clone()).or_default().add(seen.class, ttft, decode_speed(seen));
        }
        Ok(found)
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
