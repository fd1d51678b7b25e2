//! A store that lives as long as its process: for `--sandbox` and for tests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::codec::{self, Encoded, Sheets};
use super::words::day_of;
use super::{
    Conversation, KEPT_FOR, LEARNED_DAYS, ObservationStore, Reservation, SetAside, StateKey, Stay, StoreError,
};
use crate::catalog::{EndpointId, ModelId};
use crate::observe::hourly::{Hour, hour_of};
use crate::observe::ledger::{Mix, mix};
use crate::observe::{CostState, EndpointStats, Flags, Learning, Measured, Observation, Source, StatsState};
use crate::routing::{Hedging, Kept, decision_hex};
use crate::units::Usd;

/// So many attempts and decisions are kept; a process that serves may live long.
const ATTEMPTS: usize = 50_000;
const DECISIONS: usize = 500;

/// Keeps the newest of them.
fn trim<T>(kept: &mut Vec<T>, most: usize) {
    // Seldom, and many at once.
    if kept.len() >= most + most / 4 {
        kept.drain(..kept.len() - most);
    }
}

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
    budgets: Vec<(String, i64, SetAside)>,
    /// Id and moment of each decision, and its texts: the same as on disk.
    decisions: Vec<([u8; 16], Timestamp, Encoded)>,
    seed: u64,
    /// By endpoint and host: when, and what.
    learned: BTreeMap<(EndpointId, String), (Timestamp, Vec<String>)>,
    sessions: BTreeMap<(Conversation, StateKey), Stay>,
}

impl Inner {
    /// What a scope has used up of a day, and whether anybody has set money aside yet; where nobody has, it is what the
    /// source of that name spent.
    fn used(&self, scope: &str, at: Timestamp) -> (SetAside, bool) {
        let day = day_of(at);
        let mut rows = self.budgets.iter().filter(|(name, on, _)| name == scope && *on == day).peekable();
        if rows.peek().is_some() {
            let add = |sum: SetAside, (.., one): &(String, i64, SetAside)| SetAside {
                spent: sum.spent + one.spent,
                open: sum.open + one.open,
            };
            return (rows.fold(SetAside::default(), add), true);
        }
        let today = self.observations.iter().filter(|seen| seen.source.name() == scope && day_of(seen.at) == day);
        let mut used = SetAside::default();
        for seen in today {
            match seen.billed.or(seen.cost) {
                Some(spent) => used.spent += spent,
                // What nobody knows is as much as it can have been.
                None if seen.cost_state == CostState::Unknown => used.open += seen.asked.bound.unwrap_or_default(),
                None => {}
            }
        }
        (used, false)
    }
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

fn read((id, _, encoded): &([u8; 16], Timestamp, Encoded)) -> Result<Kept, StoreError> {
    codec::decode(*id, &encoded.row, |_| Ok(Some(encoded.sheet.text.clone())))
}

impl ObservationStore for Memory {
    fn record(&self, seen: &Observation) -> Result<(), StoreError> {
        let mut inner = self.lock();
        let state = inner.states.entry(StateKey::of(seen)).or_insert_with(|| StatsState::new(seen.at));
        state.set_back_at_end_of(seen);
        state.observe(seen, &Learning::default());
        inner.observations.push(seen.clone());
        trim(&mut inner.observations, ATTEMPTS);
        Ok(())
    }

    fn stats(&self, keys: &[StateKey], now: Timestamp) -> Result<BTreeMap<EndpointId, EndpointStats>, StoreError> {
        let (inner, learning) = (self.lock(), Learning::default());
        let mut known = BTreeMap::new();
        for key in keys {
            let of_any_key = || inner.states.iter().filter(|(known, _)| known.endpoint == key.endpoint);
            let Some((key, state)) = (match key.key_fingerprint {
                Some(_) => inner.states.get_key_value(key),
                None => of_any_key().max_by_key(|(_, state)| state.updated),
            }) else {
                continue;
            };
            let past = || {
                let here = |seen: &&Observation| key.covers(seen) && seen.at < now;
                StatsState::of(inner.observations.iter().filter(here), &learning)
            };
            let state = if state.updated > now { past() } else { Some(state.clone()) };
            known.extend(state.map(|state| (key.endpoint.clone(), state.at(now, &learning))));
        }
        Ok(known)
    }

    fn claim_trial(&self, key: &StateKey, now: Timestamp, until: Timestamp) -> Result<bool, StoreError> {
        Ok(self.lock().states.get_mut(key).is_none_or(|state| state.breaker.claim(now, until)))
    }

    fn warm(&self, conversation: Conversation, now: Timestamp) -> Result<Vec<Stay>, StoreError> {
        let inner = self.lock();
        let here = inner.sessions.iter().filter(|((id, _), _)| *id == conversation).map(|(_, kept)| kept);
        let mut found: Vec<Stay> = here.filter(|kept| kept.at <= now && kept.at + KEPT_FOR > now).cloned().collect();
        found.sort_by(|a, b| b.at.cmp(&a.at).then_with(|| a.key.cmp(&b.key)));
        Ok(found)
    }

    fn keep_warm(&self, conversation: Conversation, kept: &Stay) -> Result<(), StoreError> {
        let mut inner = self.lock();
        inner.sessions.insert((conversation, kept.key.clone()), kept.clone());
        inner.sessions.retain(|_, other| other.at + KEPT_FOR > kept.at);
        Ok(())
    }

    fn measured(&self, since: Timestamp) -> Result<BTreeMap<EndpointId, Measured>, StoreError> {
        let mut found: BTreeMap<EndpointId, Measured> = BTreeMap::new();
        for seen in self.lock().observations.iter().filter(|seen| seen.at >= since) {
            found.entry(seen.endpoint.clone()).or_default().add(seen);
        }
        Ok(found)
    }

    fn hedging(&self, since: Timestamp) -> Result<Hedging, StoreError> {
        let inner = self.lock();
        let seen = inner.observations.iter().filter(|seen| seen.at >= since && seen.source != Source::Probe);
        let count = |hedged: bool| {
            let of = seen.clone().filter(|seen| !hedged || seen.flags.has(Flags::HEDGED));
            u64::try_from(of.map(|seen| seen.group).collect::<BTreeSet<_>>().len()).unwrap_or(u64::MAX)
        };
        Ok(Hedging { requests: count(false), hedged: count(true) })
    }

    fn attempts(&self, since: Timestamp, until: Timestamp) -> Result<Vec<Observation>, StoreError> {
        let inner = self.lock();
        Ok(inner.observations.iter().filter(|seen| since <= seen.at && seen.at < until).cloned().collect())
    }

    fn of_request(&self, group: [u8; 16], since: Timestamp, until: Timestamp) -> Result<Vec<Observation>, StoreError> {
        let inner = self.lock();
        let of = inner.observations.iter().filter(|seen| seen.group == group);
        Ok(of.filter(|seen| since <= seen.at && seen.at < until).cloned().collect())
    }

    fn mix(&self, model: Option<&ModelId>, since: Timestamp) -> Result<Option<Mix>, StoreError> {
        let inner = self.lock();
        let seen = inner.observations.iter().filter(|seen| seen.at >= since);
        Ok(mix(seen.filter(|seen| model.is_none_or(|model| seen.model == *model))))
    }

    fn hours(&self, since: Timestamp, until: Timestamp) -> Result<Vec<Hour>, StoreError> {
        let mut found: BTreeMap<(Timestamp, EndpointId), Hour> = BTreeMap::new();
        let inner = self.lock();
        for seen in inner.observations.iter().filter(|seen| hour_of(since) <= seen.at && seen.at < until) {
            let at = hour_of(seen.at);
            let empty = || Hour::empty(at, seen.endpoint.clone(), seen.model.clone());
            found.entry((at, seen.endpoint.clone())).or_insert_with(empty).add(seen);
        }
        Ok(found.into_values().collect())
    }

    fn oldest(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }

    fn keep_decision(&self, kept: Kept) -> Result<(), StoreError> {
        let encoded = codec::encode(&kept, &mut Sheets::default())?;
        let mut inner = self.lock();
        inner.decisions.push((kept.id, kept.input.now, encoded));
        trim(&mut inner.decisions, DECISIONS);
        Ok(())
    }

    fn decision(&self, prefix: &str) -> Result<Vec<Kept>, StoreError> {
        let inner = self.lock();
        let found = inner.decisions.iter().rev().filter(|(id, ..)| decision_hex(id).starts_with(prefix));
        found.take(if prefix.is_empty() { 1 } else { 2 }).map(read).collect()
    }

    fn decisions(
        &self,
        since: Timestamp,
        until: Timestamp,
        each: &mut dyn FnMut(Result<Kept, StoreError>),
    ) -> Result<(), StoreError> {
        let inner = self.lock();
        inner.decisions.iter().filter(|(_, at, _)| since <= *at && *at < until).map(read).for_each(each);
        Ok(())
    }

    fn reserve(&self, scope: &str, at: Timestamp, bound: Usd, cap: Usd) -> Result<Reservation, StoreError> {
        let mut inner = self.lock();
        let (used, begun) = inner.used(scope, at);
        if used.total() + bound > cap {
            return Ok(Reservation::Exceeded(used.total()));
        }
        let day = day_of(at);
        if !begun {
            inner.budgets.push((scope.to_owned(), day, used));
        }
        inner.budgets.push((scope.to_owned(), day, SetAside { spent: Usd::ZERO, open: bound }));
        Ok(Reservation::Granted(i64::try_from(inner.budgets.len()).unwrap_or(i64::MAX)))
    }

    fn set_aside(&self, scope: &str, at: Timestamp) -> Result<SetAside, StoreError> {
        Ok(self.lock().used(scope, at).0)
    }

    fn settle(&self, reservation: i64, spent: Usd) -> Result<(), StoreError> {
        let mut inner = self.lock();
        let place = usize::try_from(reservation).ok().and_then(|number| number.checked_sub(1));
        if let Some((.., amount)) = place.and_then(|place| inner.budgets.get_mut(place)) {
            *amount = SetAside { spent, open: Usd::ZERO };
        }
        Ok(())
    }

    fn learned(&self, endpoint: &EndpointId, host: &str, now: Timestamp) -> Result<Vec<String>, StoreError> {
        let inner = self.lock();
        let kept = inner.learned.get(&(endpoint.clone(), host.to_owned()));
        Ok(kept
            .filter(|(at, _)| day_of(now) - day_of(*at) <= LEARNED_DAYS)
            .map(|(_, facts)| facts.clone())
            .unwrap_or_default())
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

    fn take_salt(&self, _salt: [u8; 16]) -> Result<(), StoreError> {
        Ok(())
    }
}
