//! How many connections are open, and how many requests are served, at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Places that are taken.
#[derive(Debug, Default)]
pub(super) struct Counter(AtomicUsize);

/// A place among them, until it is dropped.
#[derive(Debug)]
pub(super) struct Permit(Arc<Counter>);

impl Counter {
    /// A place, where fewer than `most` are taken.
    pub(super) fn take(self: &Arc<Self>, most: usize) -> Option<Permit> {
        // The permit gives it back at once where there was none.
        let before = self.0.fetch_add(1, Ordering::SeqCst);
        let permit = Permit(Arc::clone(self));
        (before < most).then_some(permit)
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::SeqCst);
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
    }
}
