//! The thread that writes, and what becomes of what cannot be written.

use std::sync::PoisonError;
use std::time::Duration;

use super::super::StoreError;
use super::super::sqlite::{Batch, Written};
use super::{BATCH, CONVERSATIONS, DECISIONS, Shared, StateKey, Word};

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
        let batch = std::mem::take(&mut self.lock().waiting);
        if batch.is_empty() {
            return true;
        }
        match self.disk.write_batch(&batch) {
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
        let Writing { said, lost } = std::mem::take(writing);
        if said {
            let path = self.disk.path().display();
            let less = if lost == 0 { String::new() } else { format!("; {lost} attempts were not kept") };
            (self.say)(&Word::Note(format!("what is measured is written to {path} again{less}")));
        }
    }

    /// Takes over what is on the disk, with what is not there yet folded in again.
    pub(super) fn refresh(&self) {
        let _writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let keys: Vec<StateKey> = self.lock().states.keys().cloned().collect();
        let read: Vec<_> = keys.into_iter().filter_map(|key| Some((self.reader.state(&key).ok()?, key))).collect();
        let mut known = self.lock();
        known.states.extend(read.into_iter().map(|(state, key)| (key, state)));
        let waiting = std::mem::take(&mut known.waiting.seen);
        waiting.iter().for_each(|seen| known.fold(seen));
        known.waiting.seen = waiting;
    }
}
