//! How many requests each endpoint answers now, for this process: of endpoints that are nearly as good the least busy goes
//! first, and a limit on the rate is nearer than the last answer said.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::catalog::EndpointId;
use crate::routing::Candidate;

/// Requests under way, by endpoint.
#[derive(Debug, Default)]
pub(super) struct Flights(Mutex<BTreeMap<EndpointId, u32>>);

/// The endpoints that one request asks now; all are left with it.
#[derive(Debug)]
pub(super) struct Flight {
    of: Arc<Flights>,
    asked: Vec<EndpointId>,
}

impl Flights {
    /// A request that asks nobody yet.
    pub(super) fn begin(self: &Arc<Self>) -> Flight {
        Flight { of: Arc::clone(self), asked: Vec::new() }
    }

    /// Tells candidates how busy each is.
    pub(super) fn tell(&self, candidates: &mut [Candidate<'_>]) {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.is_empty() {
            return;
        }
        for candidate in candidates {
            candidate.in_flight = counts.get(&candidate.endpoint.id).copied().unwrap_or(0);
        }
    }

    fn leave(&self, endpoints: &[EndpointId]) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for endpoint in endpoints {
            match counts.get_mut(endpoint) {
                Some(count) if *count > 1 => *count -= 1,
                _ => {
                    counts.remove(endpoint);
                }
            }
        }
    }
}

impl Flight {
    /// One more is asked, beside those that are.
    pub(super) fn beside(&mut self, endpoint: &EndpointId) {
        if !self.asked.contains(endpoint) {
            let mut counts = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
            *counts.entry(endpoint.clone()).or_default() += 1;
            self.asked.push(endpoint.clone());
        }
    }

    /// This one is asked, and nobody else any more; whether it was asked before, beside others.
    pub(super) fn instead(&mut self, endpoint: &EndpointId) -> bool {
        let left: Vec<EndpointId> = self.asked.extract_if(.., |asked| asked != endpoint).collect();
        if !left.is_empty() {
            self.of.leave(&left);
        }
        let beside = !left.is_empty() && !self.asked.is_empty();
        self.beside(endpoint);
        beside
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        self.of.leave(&self.asked);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Catalog, ModelId, ProviderKind};

    #[test]
    fn every_request_counts_where_it_is_and_nowhere_once_it_is_over() {
        let catalog = Catalog::builtin();
        let endpoints = catalog.endpoints_for(&ModelId::new("anthropic/claude-sonnet-5"));
        let flights = Arc::new(Flights::default());
        let told = || {
            let mut candidates: Vec<Candidate<'_>> =
                endpoints.iter().take(2).map(|endpoint| Candidate::new(endpoint, ProviderKind::Lab)).collect();
            flights.tell(&mut candidates);
            candidates.iter().map(|candidate| candidate.in_flight).collect::<Vec<_>>()
        };
        let (one, two) = (&endpoints[0].id, &endpoints[1].id);
        let (mut first, mut second) = (flights.begin(), flights.begin());
        assert!(!first.instead(one) && !second.instead(one));
        assert_eq!(told(), [2, 0]);
        assert!(!first.instead(two), "it moves on");
        second.beside(two);
        second.beside(two);
        assert_eq!(told(), [1, 2]);
        assert!(second.instead(two), "one of two is left");
        assert_eq!(told(), [0, 2]);
        drop(second);
        assert_eq!(told(), [0, 1]);
        drop(first);
        assert_eq!(told(), [0, 0]);
        assert!(flights.0.lock().unwrap().is_empty(), "nothing is kept of whom nobody asks");
    }
}
