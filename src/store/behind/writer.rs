//! The thread that writes, and what becomes of what cannot be written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;
use std::time::Duration;

use super::super::codec::Sheets;
use super::super::sqlite::{Batch, Sqlite, Written};
use super::super::{ObservationStore, StoreError};
use super::{BATCH, CONVERSATIONS, DECISIONS, Learned, Shared, StateKey, Word};
use crate::observe::StatsState;

/// How long something may wait to be written.
const WITHIN: Duration = Duration::from_millis(100);
/// After so many rounds without anything of our own a look is taken at what others wrote.
const ROUNDS: u32 = 10;
/// So many attempts wait in memory for a file that cannot be written; what is beyond that goes to the spool.
pub(super) const PATIENCE: usize = 4096;

/// How writing goes.
#[derive(Debug, Default)]
pub(super) struct Writing {
    /// Whether it was said that something cannot be written.
    said: bool,
    /// Attempts that were lost since then.
    lost: usize,
    /// What the decisions share that were written last.
    sheets: Sheets,
}

impl Shared {
    /// Writes every 100 ms what has come, until the store is dropped.
    pub(super) fn run(&self) {
        let (mut quiet, mut busy) = (0, false);
        let mut version = self.disk.data_version().unwrap_or(0);
        loop {
            let known = self.lock();
            let (known, _) = self
                .wake
                .wait_timeout_while(known, WITHIN, |known| !known.over && (busy || known.waiting.seen.len() < BATCH))
                .unwrap_or_else(PoisonError::into_inner);
            let (over, nothing) = (known.over, known.waiting.is_empty());
            drop(known);
            quiet = if nothing { quiet + 1 } else { 0 };
            busy = !self.write();
            if over {
                return;
            }
            if quiet >= ROUNDS || !nothing {
                quiet = 0;
                // What this process wrote itself is known already, unless it came from the spool.
                let now = self.disk.data_version().unwrap_or(version);
                if std::mem::take(&mut self.lock().stale) || now != version {
                    version = now;
                    self.refresh();
                }
            }
        }
    }

    /// Writes what waits. What cannot be written, because others hold the file or the disk is full, waits on, or goes to
    /// the spool; false where that is so.
    pub(super) fn write(&self) -> bool {
        let mut writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let followed = self.follow();
        let batch = self.lock().waiting.take();
        if batch.is_empty() {
            return true;
        }
        match followed.and_then(|()| self.disk.write_batch(&batch, &mut writing.sheets)) {
            Ok(Written::All { more, left }) => {
                self.lock().stale |= more;
                match left {
                    Some(error) => self.fails(&mut writing, &error),
                    None => self.works(&mut writing),
                }
                return true;
            }
            Ok(Written::Busy) => {}
            Err(error) => self.fails(&mut writing, &error),
        }
        self.keep(&mut writing, batch);
        false
    }

    /// Goes on with what lies at the path where that is another file than before: what goes to one that was removed is lost.
    fn follow(&self) -> Result<(), StoreError> {
        if !self.disk.is_gone() {
            return Ok(());
        }
        Sqlite::reopen([&self.disk, &self.reader])?;
        self.disk.be_small()?;
        self.reader.be_small()?;
        // What is known here is known under it.
        self.disk.take_salt(self.salt)?;
        self.lock().stale = true;
        let path = self.disk.path().display();
        (self.say)(&Word::Warning(format!(
            "{path} was removed or replaced: what is measured goes to the one that is there now"
        )));
        Ok(())
    }

    /// Keeps what could not be written.
    fn keep(&self, writing: &mut Writing, mut batch: Batch) {
        let mut known = self.lock();
        if !known.over && batch.seen.len() + known.waiting.seen.len() <= PATIENCE {
            let newer = std::mem::take(&mut known.waiting);
            batch.append(newer);
            batch.kept.truncate(DECISIONS);
            while batch.stays.len() > CONVERSATIONS {
                batch.stays.pop_first();
            }
            known.waiting = batch;
            return;
        }
        let over = known.over;
        drop(known);
        if let Err(error) = self.disk.spool_all(&batch.seen) {
            self.fails(writing, &error);
            writing.lost += batch.seen.len();
        }
        if over && writing.lost > 0 {
            let lost = writing.lost;
            (self.say)(&Word::Warning(format!("{lost} attempts were not kept")));
        }
    }

    fn fails(&self, writing: &mut Writing, error: &StoreError) {
        if !std::mem::replace(&mut writing.said, true) {
            let path = self.disk.path().display();
            (self.say)(&Word::Warning(format!(
                "what is measured cannot be written to {path} ({error}): it waits in memory, {PATIENCE} attempts at most, \
                 and is written when there is room again"
            )));
        }
    }

    fn works(&self, writing: &mut Writing) {
        let (said, lost) = (std::mem::take(&mut writing.said), std::mem::take(&mut writing.lost));
        if said {
            let path = self.disk.path().display();
            let less = if lost == 0 { String::new() } else { format!("; {lost} attempts were not kept") };
            (self.say)(&Word::Note(format!("what is measured is written to {path} again{less}")));
        }
    }

    /// Takes over what is on the disk, with what is not there yet folded in again.
    pub(super) fn refresh(&self) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        self.take_over(self.read_again());
    }

    /// What the disk knows of all that was asked for.
    pub(super) fn read_again(&self) -> Read {
        let known = self.lock();
        let keys: Vec<StateKey> = known.states.keys().cloned().collect();
        let learned: Vec<_> = known.learned.iter().map(|(place, (at, _))| (place.clone(), *at)).collect();
        drop(known);
        let states = keys.into_iter().filter_map(|key| Some((self.reader.state(&key).ok()??, key)));
        let states = states.map(|(state, key)| (key, Some(state))).collect();
        let facts = learned.into_iter().filter_map(|(place, at)| {
            let facts = self.reader.learned(&place.0, &place.1, at).ok()?;
            Some((place, (at, facts)))
        });
        Read { states, learned: facts.collect() }
    }

    /// Puts that in the place of what is known here. Nothing of what waits is on the disk.
    pub(super) fn take_over(&self, read: Read) {
        let mut guard = self.lock();
        let known = &mut *guard;
        let replaced: BTreeSet<StateKey> = read.states.keys().cloned().collect();
        known.states.extend(read.states);
        let waiting = std::mem::take(&mut known.waiting.seen);
        for seen in &waiting {
            // Of an endpoint that was asked for meanwhile it is folded in already.
            let key = StateKey::of(seen);
            if replaced.contains(&key) {
                known.fold(key, seen);
            } else if let Some(last) = known.states.get(&key).cloned() {
                let any = StateKey { key_fingerprint: None, ..key };
                known.states.entry(any).and_modify(|known| *known = last);
            }
        }
        known.waiting.seen = waiting;
        let facts = read.learned.into_iter().filter(|(place, _)| !known.waiting.facts.contains_key(place));
        known.learned.extend(facts);
    }
}

/// What the disk knows.
#[derive(Debug)]
pub(super) struct Read {
    states: BTreeMap<StateKey, Option<StatsState>>,
    learned: Learned,
}
