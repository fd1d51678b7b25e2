//! What a local provider has served: every chat that reached it counts once.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// An answer of which the last byte was sent.
pub const WHOLE: &str = "whole";
/// A request that is refused for what it is, whatever the scenario says.
pub const REFUSED: &str = "refused";
/// A reply that its client left: before its head, or before the end of an answer that would have been whole.
pub const LEFT: &str = "left";

/// Counts by what was served: [`WHOLE`], [`REFUSED`], [`LEFT`], or the name of a fault.
#[derive(Debug, Default)]
pub(super) struct Counts(Mutex<BTreeMap<&'static str, u64>>);

impl Counts {
    /// As they are now.
    pub(super) fn now(&self) -> BTreeMap<&'static str, u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A reply of that kind is planned; it counts when it has been served, or left.
    pub(super) fn plan(self: &Arc<Self>, kind: &'static str) -> Planned {
        Planned { of: Arc::clone(self), kind, served: false }
    }
}

/// A reply that counts when this is dropped.
#[derive(Debug)]
pub(super) struct Planned {
    of: Arc<Counts>,
    kind: &'static str,
    served: bool,
}

impl Planned {
    /// It is of another kind.
    pub(super) const fn is(&mut self, kind: &'static str) {
        self.kind = kind;
    }

    /// Its head is sent: a fault has been met.
    pub(super) fn begun(&mut self) {
        self.served |= self.kind != WHOLE;
    }

    /// Its last byte is sent.
    pub(super) const fn ended(&mut self) {
        self.served = true;
    }
}

impl Drop for Planned {
    fn drop(&mut self) {
        let kind = if self.served { self.kind } else { LEFT };
        *self.of.0.lock().unwrap_or_else(PoisonError::into_inner).entry(kind).or_default() += 1;
    }
}
