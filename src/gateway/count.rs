//! How many connections are open, how many requests are served at once, and how much room their bodies take.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Places that are taken.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicUsize);

/// So many places among them, until it is dropped.
#[derive(Debug)]
pub(super) struct Permit(Arc<Counter>, usize);

/// What a request with a body takes up while it is served.
#[derive(Debug)]
pub(super) struct Held {
    /// Its place among those that are served at once.
    pub _place: Permit,
    /// The bytes of its body, and of what it is read into.
    pub _bytes: Permit,
}

impl Counter {
    /// A place, where fewer than `most` are taken.
    pub(super) fn take(self: &Arc<Self>, most: usize) -> Option<Permit> {
        // The permit gives it back at once where there was none.
        let mut permit = self.none();
        permit.grow(1, most).then_some(permit)
    }

    /// No place yet.
    pub(super) fn none(self: &Arc<Self>) -> Permit {
        Permit(Arc::clone(self), 0)
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Permit {
    /// So many places more; false where not `most` were left, and then it is to be dropped.
    pub(super) fn grow(&mut self, by: usize, most: usize) -> bool {
        let before = self.0.0.fetch_add(by, Ordering::SeqCst);
        self.1 += by;
        before + by <= most
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.0.fetch_sub(self.1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_that_is_given_back_is_free_again() {
        let counter = Arc::new(Counter::default());
        let first = counter.take(2);
        let second = counter.take(2);
        assert!(first.is_some() && second.is_some() && counter.take(2).is_none());
        assert_eq!(counter.taken(), 2);
        drop(first);
        assert!(counter.take(2).is_some());
        let mut room = counter.none();
        assert!(room.grow(7, 8) && !room.grow(1, 8) && counter.taken() == 9);
        drop(room);
        assert_eq!(counter.taken(), 1);
    }
}
