//! What this gateway knows of what others have told, beside its own store.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use jiff::Timestamp;

use super::super::{Conversation, KEPT_FOR, ObservationStore, StateKey, Stay, StoreError};
use super::wire::News;
use crate::catalog::EndpointId;
use crate::observe::{EndpointStats, Observation, Together};

/// So many conversations of others are remembered.
const CONVERSATIONS: usize = 16_384;
/// So many endpoints, each as used with one key.
const ENDPOINTS: usize = 16_384;

/// The own store, and what others have told.
pub(super) struct Known {
    pub(super) local: Box<dyn ObservationStore>,
    seen: Mutex<BTreeMap<StateKey, Together>>,
    stays: Mutex<BTreeMap<Conversation, Vec<Stay>>>,
    salt: RwLock<[u8; 16]>,
}

impl Known {
    pub(super) fn new(local: Box<dyn ObservationStore>) -> Result<Self, StoreError> {
        let salt = RwLock::new(local.salt()?);
        Ok(Self { local, seen: Mutex::default(), stays: Mutex::default(), salt })
    }

    fn seen(&self) -> MutexGuard<'_, BTreeMap<StateKey, Together>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stays(&self) -> MutexGuard<'_, BTreeMap<Conversation, Vec<Stay>>> {
        self.stays.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The salt that keys and conversations are hashed with.
    pub(super) fn salt(&self) -> [u8; 16] {
        *self.salt.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hashes as the others do from now on; true where that is new. What this machine knew under its own salt is left
    /// behind: nobody can tell which key it was of.
    pub(super) fn take_salt(&self, salt: [u8; 16]) -> Result<bool, StoreError> {
        let new = self.salt() != salt;
        if new {
            self.local.take_salt(salt)?;
            *self.salt.write().unwrap_or_else(PoisonError::into_inner) = salt;
        }
        Ok(new)
    }

    /// What this machine alone knows of an endpoint.
    fn own(&self, key: &StateKey, now: Timestamp) -> Option<EndpointStats> {
        self.local.stats(std::slice::from_ref(key), now).ok()?.remove(&key.endpoint)
    }

    /// Tells the fold of an endpoint something; where there is none yet, it begins with what this machine knows.
    fn tell(&self, key: &StateKey, now: Timestamp, tell: impl FnOnce(&mut Together)) {
        let known = self.seen().contains_key(key);
        // The own store is not asked while others wait for the lock.
        let own = if known { None } else { self.own(key, now) };
        let mut seen = self.seen();
        if seen.len() >= ENDPOINTS && !seen.contains_key(key) {
            seen.clear();
        }
        tell(seen.entry(key.clone()).or_insert_with(|| Together::new(own.as_ref())));
    }

    /// An attempt of this process.
    pub(super) fn made(&self, attempt: &Observation) {
        self.tell(&StateKey::of(attempt), attempt.at, |together| together.made(attempt));
    }

    /// Something that others have told.
    pub(super) fn hear(&self, news: News, now: Timestamp) {
        match news {
            News::Seen(attempt) => self.tell(&StateKey::of(&attempt), now, |together| together.heard(&attempt)),
            News::Stay(conversation, stay) => {
                let mut all = self.stays();
                if all.len() >= CONVERSATIONS && !all.contains_key(&conversation) {
                    let mut moments: Vec<Timestamp> =
                        all.values().filter_map(|stays| Some(stays.first()?.at)).collect();
                    moments.sort_unstable();
                    let middle = moments.get(moments.len() / 2).copied();
                    all.retain(|_, stays| stays.first().map(|stay| stay.at) > middle);
                }
                let stays = all.entry(conversation).or_default();
                // What two machines tell may come in another order than it was.
                if !stays.iter().any(|other| other.key == stay.key && other.at > stay.at) {
                    stays.retain(|other| other.key != stay.key);
                    stays.insert(0, stay);
                }
            }
        }
    }

    /// Adds what others have told to what this machine knows.
    pub(super) fn add(&self, keys: &[StateKey], found: &mut BTreeMap<EndpointId, EndpointStats>, now: Timestamp) {
        let seen = self.seen();
        for key in keys {
            let Some(together) = of(&seen, key) else { continue };
            let own = found.remove(&key.endpoint);
            found.insert(key.endpoint.clone(), together.at(own, now));
        }
    }

    /// Takes the trial after a pause on this machine; false where it is not due, or taken.
    pub(super) fn claim(&self, key: &StateKey, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        let due = self.own(key, now).is_some_and(|own| own.half_open);
        if due && !self.local.claim_trial(key, now, until)? {
            return Ok(false);
        }
        Ok(self.seen().get_mut(key).is_none_or(|together| together.claim(now, until)))
    }

    /// Another machine has it.
    pub(super) fn claimed(&self, key: &StateKey, until: Timestamp) {
        if let Some(together) = self.seen().get_mut(key) {
            together.claimed(until);
        }
    }

    /// Where a conversation was, as this machine and the others know it, the newest first.
    pub(super) fn warm(&self, conversation: Conversation, now: Timestamp) -> Result<Vec<Stay>, StoreError> {
        let mut found = self.local.warm(conversation, now)?;
        if let Some(told) = self.stays().get(&conversation) {
            found.extend(told.iter().filter(|stay| stay.at <= now && stay.at + KEPT_FOR > now).cloned());
            found.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.key.cmp(&b.key)));
            let mut known: Vec<StateKey> = Vec::new();
            found.retain(|stay| {
                let new = !known.contains(&stay.key);
                known.extend(new.then(|| stay.key.clone()));
                new
            });
        }
        Ok(found)
    }
}

/// The fold of an endpoint; where no key is at hand, that of whichever others used last.
fn of<'a>(seen: &'a BTreeMap<StateKey, Together>, key: &StateKey) -> Option<&'a Together> {
    if key.key_fingerprint.is_some() {
        return seen.get(key);
    }
    let here = seen.range(key.clone()..).take_while(|(other, _)| other.endpoint == key.endpoint);
    here.max_by_key(|(_, together)| together.updated()).map(|(_, together)| together)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::ErrorClass;
    use crate::observe::tests_support::seen;
    use crate::store::Memory;

    #[test]
    fn ten_thousand_endpoints_are_told_apart_and_there_is_an_end_to_it() {
        let known = Known::new(Box::new(Memory::new())).unwrap();
        let one = seen("2026-11-24T10:00:00Z", ErrorClass::Ok);
        let at = |number: usize| {
            let mut other = one.clone();
            other.endpoint.upstream_model = format!("model-{number}");
            other
        };
        let hear = |number| known.hear(News::Seen(Box::new(at(number))), one.at);
        (0..10_000).for_each(hear);
        for _ in 0..3 {
            let failed = Observation { class: ErrorClass::Overloaded, ..at(7) };
            known.hear(News::Seen(Box::new(failed)), one.at);
        }
        let cooling = |number| {
            let (key, mut found) = (StateKey::of(&at(number)), BTreeMap::new());
            known.add(std::slice::from_ref(&key), &mut found, one.at);
            found.remove(&key.endpoint).map(|stats| stats.cooling.is_some())
        };
        assert_eq!(
            (cooling(7), cooling(8), cooling(9_999), cooling(10_000)),
            (Some(true), Some(false), Some(false), None)
        );
        (10_000..ENDPOINTS + 10).for_each(hear);
        assert!(known.seen().len() <= ENDPOINTS);
        assert_eq!(cooling(ENDPOINTS + 9), Some(false), "the newest are known");
    }
}
