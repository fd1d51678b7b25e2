//! A store for a process that serves: what is seen counts at once, and is on the disk within 100 ms; no request waits for
//! the disk to write. What other processes write counts within a second.

mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use jiff::Timestamp;

use self::writer::Writing;
use super::sqlite::{Batch, Sqlite};
use super::words::day_of;
use super::{Conversation, KEPT_FOR, ObservationStore, Reservation, SetAside, StateKey, Stay, StoreError};
use crate::catalog::{EndpointId, ModelId};
use crate::observe::hourly::Hour;
use crate::observe::ledger::Mix;
use crate::observe::{EndpointStats, Learning, Measured, Observation, StatsState};
use crate::routing::{Hedging, Kept};
use crate::units::Usd;

/// So many attempts wait no longer: a batch is small, and so is what it holds in memory.
const BATCH: usize = 128;
/// So many decisions are written at once: with what they were made of they are the largest by far.
const DECISIONS: usize = 64;
/// So many conversations are remembered here; the disk remembers all of a day.
const CONVERSATIONS: usize = 4096;
/// What the disk said of so many conversations that are under way is remembered.
const UNDER_WAY: usize = 512;
/// What the disk said so lately holds when an answer is there; meanwhile another process may have written.
const LATELY: Duration = Duration::from_secs(10);
/// A conversation is remembered at so many endpoints, the newest.
const STAYS: usize = 16;

/// What is said of the store when it comes to be, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Word {
    /// Something is not as it should be.
    Warning(String),
    /// It is as it should be, or so again.
    Note(String),
}

/// Takes what is to be said.
pub type Say = Box<dyn Fn(&Word) + Send + Sync>;

/// A store that writes behind the requests.
#[derive(Debug)]
pub struct Behind {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

struct Shared {
    /// Writes.
    disk: Sqlite,
    /// Reads for requests, while the other writes.
    reader: Sqlite,
    known: Mutex<Known>,
    /// Held while a batch is on its way to the disk.
    writing: Mutex<Writing>,
    /// Held by whoever looks long.
    looking: Mutex<()>,
    wake: Condvar,
    salt: [u8; 16],
    say: Say,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("path", &self.disk.path()).finish_non_exhaustive()
    }
}

/// What was learned of an endpoint at a host, and a moment as of which it is known.
type Learned = BTreeMap<(EndpointId, String), (Timestamp, Vec<String>)>;

#[derive(Debug, Default)]
struct Known {
    /// The state of every endpoint that was asked for; `None` where nothing is known of it.
    states: BTreeMap<StateKey, Option<StatsState>>,
    sessions: BTreeMap<Conversation, Vec<Stay>>,
    /// What the disk said of a conversation whose answer is still to come.
    under_way: BTreeMap<Conversation, (Timestamp, Vec<Stay>)>,
    learned: Learned,
    /// When each host answered last.
    answered: BTreeMap<String, Timestamp>,
    waiting: Batch,
    seed: u64,
    /// Whether the disk has got what others had spooled.
    stale: bool,
    over: bool,
}

impl Known {
    /// Folds an attempt into the state of its key.
    fn fold(&mut self, mut key: StateKey, seen: &Observation) {
        let place = match self.states.get_mut(&key) {
            Some(place) => place,
            None => self.states.entry(key.clone()).or_default(),
        };
        let state = place.get_or_insert_with(|| StatsState::new(seen.at));
        state.set_back_at_end_of(seen);
        state.observe(seen, &Learning::default());
        // Whichever key was used last speaks for an endpoint of which none is at hand.
        let fingerprint = key.key_fingerprint.take();
        if self.states.contains_key(&key) {
            let used = StateKey { key_fingerprint: fingerprint, ..key.clone() };
            let last = self.states.get(&used).cloned().flatten();
            self.states.insert(key, last);
        }
    }

    fn answered(&mut self, seen: &Observation) {
        match self.answered.get_mut(&seen.host) {
            Some(at) => *at = seen.at.max(*at),
            None => drop(self.answered.insert(seen.host.clone(), seen.at)),
        }
    }
}

impl Behind {
    /// Opens the store at a path, as [`Sqlite::open`] does. What becomes of it while it serves is said to `say`.
    ///
    /// # Errors
    /// As [`Sqlite::open`].
    pub fn open(path: &Path, say: Say) -> Result<(Self, Option<String>), StoreError> {
        let (disk, note) = Sqlite::open(path)?;
        let (reader, _) = Sqlite::open(path)?;
        disk.be_small()?;
        reader.be_small()?;
        let salt = disk.salt()?;
        // Whoever starts next begins elsewhere; the low half counts the decisions of this process.
        let known = Known { seed: disk.take_seed()? << 32, ..Known::default() };
        let (known, wake) = (Mutex::new(known), Condvar::new());
        let shared = Arc::new(Shared {
            disk,
            reader,
            known,
            writing: Mutex::default(),
            looking: Mutex::default(),
            wake,
            salt,
            say,
        });
        let writer = Arc::clone(&shared);
        let thread = std::thread::Builder::new().name("store".to_owned()).spawn(move || writer.run());
        let thread = thread.map_err(|error| StoreError(format!("no thread to write with: {error}")))?;
        Ok((Self { shared, thread: Some(thread) }, note))
    }

    /// Looks at the disk, with everything on it that was seen so far: one looks at a time, because it may be at much.
    fn looked<T>(&self, look: impl FnOnce(&Sqlite) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let _one = self.shared.looking.lock().unwrap_or_else(PoisonError::into_inner);
        look(&self.settled()?)
    }

    /// The disk, with everything on it that was seen so far; a connection of its own, so that neither requests nor the
    /// writing wait for whoever looks long.
    fn settled(&self) -> Result<Sqlite, StoreError> {
        self.shared.write();
        let path = self.shared.disk.path();
        Sqlite::open_existing(path)?.ok_or_else(|| StoreError(format!("{} is gone", path.display())))
    }
}

impl Drop for Behind {
    fn drop(&mut self) {
        self.shared.lock().over = true;
        self.shared.wake.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known, with the states of these endpoints, which are read from the disk where they were not asked for
    /// before: nobody else waits for that.
    fn with_states<'a>(
        &self,
        keys: impl Iterator<Item = &'a StateKey> + Clone,
    ) -> Result<MutexGuard<'_, Known>, StoreError> {
        let known = self.lock();
        let missing: Vec<&StateKey> = keys.filter(|key| !known.states.contains_key(key)).collect();
        if missing.is_empty() {
            return Ok(known);
        }
        drop(known);
        let read = missing.into_iter().map(|key| Ok((key, self.reader.state(key)?)));
        let read = read.collect::<Result<Vec<_>, StoreError>>()?;
        let mut known = self.lock();
        for (key, state) in read {
            // Another thread may have been faster, and have seen something since.
            known.states.entry(key.clone()).or_insert(state);
        }
        Ok(known)
    }
}

impl ObservationStore for Behind {
    fn record(&self, seen: &Observation) -> Result<(), StoreError> {
        // What is on the disk comes first.
        let key = StateKey::of(seen);
        let mut known = self.shared.with_states(std::iter::once(&key))?;
        known.fold(key, seen);
        if seen.class.is_success() {
            known.answered(seen);
        }
        known.waiting.seen.push(seen.clone());
        if known.waiting.seen.len() == BATCH {
            self.shared.wake.notify_one();
        }
        Ok(())
    }

    fn stats(&self, keys: &[StateKey], now: Timestamp) -> Result<BTreeMap<EndpointId, EndpointStats>, StoreError> {
        let mut known = self.shared.with_states(keys.iter())?;
        let Known { states, waiting, .. } = &mut *known;
        let mut found = BTreeMap::new();
        for key in keys {
            let mut state = states.get_mut(key).and_then(Option::as_mut);
            // The clock was set back: nobody is left alone until it has caught up.
            if let Some(state) = &mut state
                && state.set_back(now)
            {
                waiting.set_back.insert(key.clone(), now);
            }
            // Another thread may have seen something a moment later.
            let state = state.map(|state| state.at(now.max(state.updated), &Learning::default()));
            found.extend(state.map(|stats| (key.endpoint.clone(), stats)));
        }
        Ok(found)
    }

    fn claim_trial(&self, key: &StateKey, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        // Rare, and of all processes together only one may have it.
        self.shared.write();
        let claimed = self.shared.disk.claim_trial(key, now, until)?;
        let mut known = self.shared.with_states(std::iter::once(key))?;
        if claimed && let Some(Some(state)) = known.states.get_mut(key) {
            state.breaker.claim(now, until);
        }
        Ok(claimed)
    }

    fn warm(&self, conversation: Conversation, now: Timestamp) -> Result<Vec<Stay>, StoreError> {
        if let Some(kept) = self.shared.lock().sessions.get(&conversation) {
            let fresh = kept.iter().filter(|kept| kept.at <= now && kept.at + KEPT_FOR > now);
            return Ok(fresh.cloned().collect());
        }
        let read = self.shared.reader.warm(conversation, now)?;
        let under_way = &mut self.shared.lock().under_way;
        if under_way.len() >= UNDER_WAY {
            under_way.clear();
        }
        under_way.insert(conversation, (now, read.clone()));
        Ok(read)
    }

    fn keep_warm(&self, conversation: Conversation, kept: &Stay) -> Result<(), StoreError> {
        let mut known = self.shared.lock();
        if !known.sessions.contains_key(&conversation) {
            let read = known.under_way.remove(&conversation);
            let fresh = |at: Timestamp| kept.at.duration_since(at).unsigned_abs() < LATELY;
            let read = if let Some((_, read)) = read.filter(|(at, _)| fresh(*at)) {
                read
            } else {
                drop(known);
                let read = self.shared.reader.warm(conversation, kept.at).unwrap_or_default();
                known = self.shared.lock();
                read
            };
            if known.sessions.len() >= CONVERSATIONS {
                // The disk remembers all but those that are not there yet.
                let Known { sessions, waiting, .. } = &mut *known;
                sessions.retain(|id, _| waiting.stays.keys().any(|(unwritten, _)| unwritten == id));
            }
            known.sessions.entry(conversation).or_insert(read);
        }
        let stays = known.sessions.entry(conversation).or_default();
        stays.retain(|other| other.key != kept.key);
        stays.insert(0, kept.clone());
        stays.truncate(STAYS);
        known.waiting.stays.insert((conversation, kept.key.clone()), kept.clone());
        Ok(())
    }

    fn measured(&self, since: Timestamp) -> Result<BTreeMap<EndpointId, Measured>, StoreError> {
        self.looked(|disk| disk.measured(since))
    }

    fn hedging(&self, since: Timestamp) -> Result<Hedging, StoreError> {
        self.settled()?.hedging(since)
    }

    fn attempts(&self, since: Timestamp, until: Timestamp) -> Result<Vec<Observation>, StoreError> {
        self.looked(|disk| disk.attempts(since, until))
    }

    /// Of what this process was answered: whoever asks has a request that waits.
    fn answered(&self, since: Timestamp, until: Timestamp) -> Result<BTreeSet<String>, StoreError> {
        let known = self.shared.lock();
        let within = known.answered.iter().filter(|(_, at)| since <= **at && **at < until);
        Ok(within.map(|(host, _)| host.clone()).collect())
    }

    fn of_request(&self, group: [u8; 16], since: Timestamp, until: Timestamp) -> Result<Vec<Observation>, StoreError> {
        self.looked(|disk| disk.of_request(group, since, until))
    }

    fn mix(&self, model: Option<&ModelId>, since: Timestamp) -> Result<Option<Mix>, StoreError> {
        self.looked(|disk| disk.mix(model, since))
    }

    fn hours(&self, since: Timestamp, until: Timestamp) -> Result<Vec<Hour>, StoreError> {
        self.looked(|disk| disk.hours(since, until))
    }

    fn oldest(&self) -> Result<Option<Timestamp>, StoreError> {
        self.looked(|disk| disk.oldest())
    }

    /// Under a load that the disk could not follow, not every decision is kept.
    fn keep_decision(&self, kept: Kept) -> Result<(), StoreError> {
        let waiting = &mut self.shared.lock().waiting.kept;
        if waiting.len() < DECISIONS {
            waiting.push(kept);
        }
        Ok(())
    }

    fn decision(&self, prefix: &str) -> Result<Vec<Kept>, StoreError> {
        self.looked(|disk| disk.decision(prefix))
    }

    fn decisions(
        &self,
        since: Timestamp,
        until: Timestamp,
        each: &mut dyn FnMut(Result<Kept, StoreError>),
    ) -> Result<(), StoreError> {
        self.looked(|disk| disk.decisions(since, until, each))
    }

    /// Where the day has a budget every request waits for the disk: no other process may overspend it.
    fn reserve(&self, scope: &str, at: Timestamp, bound: Usd, cap: Usd) -> Result<Reservation, StoreError> {
        self.shared.disk.reserve(scope, at, bound, cap)
    }

    fn set_aside(&self, scope: &str, at: Timestamp) -> Result<SetAside, StoreError> {
        self.settled()?.set_aside(scope, at)
    }

    fn settle(&self, reservation: i64, spent: Usd) -> Result<(), StoreError> {
        self.shared.disk.settle(reservation, spent)
    }

    fn learned(&self, endpoint: &EndpointId, host: &str, now: Timestamp) -> Result<Vec<String>, StoreError> {
        let place = (endpoint.clone(), host.to_owned());
        let known = self.shared.lock();
        // What waits is not on the disk; else that is asked once a day, because what is learned is forgotten.
        let holds = |at: Timestamp| day_of(at) == day_of(now) || known.waiting.facts.contains_key(&place);
        if let Some((_, facts)) = known.learned.get(&place).filter(|(at, _)| holds(*at)) {
            return Ok(facts.clone());
        }
        drop(known);
        let facts = self.shared.reader.learned(endpoint, host, now)?;
        self.shared.lock().learned.insert(place, (now, facts.clone()));
        Ok(facts)
    }

    fn learn(&self, endpoint: &EndpointId, host: &str, at: Timestamp, facts: &[String]) -> Result<(), StoreError> {
        let mut known = self.shared.lock();
        let place = (endpoint.clone(), host.to_owned());
        known.learned.insert(place.clone(), (at, facts.to_vec()));
        known.waiting.facts.insert(place, (at, facts.to_vec()));
        Ok(())
    }

    fn peek_seed(&self) -> Result<u64, StoreError> {
        Ok(self.shared.lock().seed)
    }

    fn take_seed(&self) -> Result<u64, StoreError> {
        let mut known = self.shared.lock();
        let seed = known.seed;
        known.seed = seed.wrapping_add(1);
        Ok(seed)
    }

    fn salt(&self) -> Result<[u8; 16], StoreError> {
        Ok(self.shared.salt)
    }

    /// It is this process's own from its next start on.
    fn take_salt(&self, salt: [u8; 16]) -> Result<(), StoreError> {
        self.shared.disk.take_salt(salt)
    }

    fn machine(&self) -> Result<Option<[u8; 16]>, StoreError> {
        self.shared.disk.machine()
    }
}

#[cfg(test)]
mod tests;
