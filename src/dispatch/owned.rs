//! What a process that serves many requests owns: everything that a [`Dispatcher`] borrows, loaded once.

use std::sync::{Arc, Mutex};

use jiff::Timestamp;

use super::{Clerk, Dispatcher, Sandboxed, Wire};
use crate::catalog::Catalog;
use crate::routing::RetryBudget;
use crate::store::ObservationStore;
use crate::upstream::auth::{Keyring, Signer};
use crate::upstream::transport::{Transport, TransportConfig, TransportError};

/// Everything that decisions and their execution read from outside, owned; threads share it.
pub struct Owned {
    /// What exists and what it costs.
    pub catalog: Catalog,
    /// What was measured.
    pub store: Arc<dyn ObservationStore>,
    /// Who does there what may take long.
    pub clerk: Arc<Clerk>,
    /// A snapshot of the environment, and where else keys come from.
    pub keys: Keyring,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// Simulated providers, and nothing else, where it runs in the sandbox.
    pub sandbox: Option<Sandboxed>,
    /// The region that is preferred where a provider has several.
    pub region: Option<String>,
    /// How the outside is reached.
    pub transport: TransportConfig,
    /// The attempts beyond the second that all requests share.
    pub retries: Arc<Mutex<RetryBudget>>,
}

impl std::fmt::Debug for Owned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Owned").field("catalog", &self.catalog.generated()).finish_non_exhaustive()
    }
}

/// The connections and the credentials of one thread: both live with its runtime.
#[derive(Debug)]
pub struct Line {
    transport: Transport,
    signer: Signer,
}

impl Owned {
    /// The façade over it.
    #[must_use]
    pub fn dispatcher(&self) -> Dispatcher<'_> {
        Dispatcher {
            catalog: &self.catalog,
            store: self.store.as_ref(),
            keys: &self.keys,
            now: &self.now,
            sandbox: self.sandbox.as_ref(),
            region: self.region.as_deref(),
            clerk: Some(&self.clerk),
        }
    }

    /// A line of its own for one thread.
    ///
    /// # Errors
    /// A proxy or a certificate cannot be used.
    pub fn line(&self) -> Result<Line, TransportError> {
        // In the sandbox the clouds' chains see nothing of the real environment.
        let vars = self.sandbox.as_ref().map_or(&self.keys.vars, |sandbox| &sandbox.vars);
        Ok(Line { transport: Transport::new(&self.transport)?, signer: Signer::new(vars.clone()) })
    }
}

impl Line {
    /// What carries chats out.
    #[must_use]
    pub const fn wire(&self) -> Wire<'_> {
        Wire { transport: &self.transport, signer: &self.signer }
    }
}

/// Sixteen bytes that tell this request's attempts and its decision apart from others'. The first counts time, in steps of
/// 64 ms (it begins anew after 16 s): what is kept by its id at about one moment then lies on the same few pages of a store
/// that writes many at once. The others are random: so are six of the eight digits that people are shown.
#[must_use]
pub fn group(now: Timestamp) -> [u8; 16] {
    use std::hash::{BuildHasher, Hasher};
    let mut bytes = [0; 16];
    for half in bytes.chunks_mut(8) {
        let word = std::collections::hash_map::RandomState::new().build_hasher().finish();
        half.copy_from_slice(&word.to_le_bytes());
    }
    let [.., step] = (now.as_millisecond() / 64).to_be_bytes();
    bytes[0] = step;
    bytes
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_of_a_moment_lie_side_by_side_and_are_never_the_same() {
        let at = |millis: i64| group(Timestamp::from_millisecond(1_700_000_000_000 + millis).unwrap());
        let here = at(0);
        assert_eq!(here[0], at(63)[0]);
        assert_eq!(here[0].wrapping_add(1), at(64)[0]);
        let many: BTreeSet<_> = (0..1000).map(|_| at(0)).collect();
        assert_eq!(many.len(), 1000);
        // All but the first: each place has about as many values as there can be.
        for place in 1..16 {
            let values: BTreeSet<u8> = many.iter().map(|id| id[place]).collect();
            assert!(values.len() > 128, "{place}: {}", values.len());
        }
    }
}
