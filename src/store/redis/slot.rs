//! Where a request waits for an answer of the thread that talks to Redis, for as long as it may.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

#[derive(Debug)]
enum State<T> {
    Waiting,
    Answered(T),
    GivenUp,
}

/// One question.
#[derive(Debug)]
pub(super) struct Slot<T> {
    state: Mutex<State<T>>,
    answered: Condvar,
}

impl<T> Slot<T> {
    pub(super) const fn new() -> Self {
        Self { state: Mutex::new(State::Waiting), answered: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer; `None` where it does not come in time: then nobody will read it any more.
    pub(super) fn wait(&self, most: Duration) -> Option<T> {
        let waiting = |state: &mut State<T>| matches!(state, State::Waiting);
        let waited = self.answered.wait_timeout_while(self.lock(), most, waiting);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *state, State::GivenUp) {
            State::Answered(answer) => Some(answer),
            State::Waiting | State::GivenUp => None,
        }
    }

    /// Gives the answer; false where nobody waits for it any more.
    pub(super) fn answer(&self, answer: T) -> bool {
        let mut state = self.lock();
        let waits = matches!(*state, State::Waiting);
        if waits {
            *state = State::Answered(answer);
            self.answered.notify_all();
        }
        waits
    }

    /// Whether nobody waits for it any more.
    pub(super) fn is_given_up(&self) -> bool {
        matches!(*self.lock(), State::GivenUp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_or_known_to_be_unread() {
        let slot = Slot::new();
        assert!(slot.answer(1) && !slot.answer(2));
        assert_eq!(slot.wait(Duration::ZERO), Some(1));
        let late = Slot::new();
        assert_eq!(late.wait(Duration::ZERO), None);
        assert!(late.is_given_up() && !late.answer(3));
    }
}
