//! Where a scripted server waits for its test, so that no test sleeps and hopes.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

/// How long [`Gate::wait_reached`] waits before it gives up.
const PATIENCE: Duration = Duration::from_secs(30);

/// Holds the server up at a [`super::server::Step::Pause`] until the test lets it go on. Clones are the same gate.
#[derive(Debug, Clone)]
pub(crate) struct Gate {
    opened: watch::Sender<bool>,
    reached: Arc<(Mutex<bool>, Condvar)>,
}

impl Gate {
    /// A gate that is shut.
    pub(crate) fn new() -> Self {
        Self { opened: watch::Sender::new(false), reached: Arc::default() }
    }

    /// Lets everyone through, now and later.
    pub(crate) fn open(&self) {
        self.opened.send_replace(true);
    }

    /// Blocks until the server has come to the gate, i.e. has sent everything before it.
    pub(crate) fn wait_reached(&self) {
        let (reached, changed) = &*self.reached;
        let guard = reached.lock().unwrap_or_else(PoisonError::into_inner);
        let (_guard, wait) =
            changed.wait_timeout_while(guard, PATIENCE, |reached| !*reached).unwrap_or_else(PoisonError::into_inner);
        assert!(!wait.timed_out(), "the server did not come to the gate");
    }

    /// Says that the gate is reached, and waits for it to be open.
    pub(super) async fn pass(&self) {
        let (reached, changed) = &*self.reached;
        *reached.lock().unwrap_or_else(PoisonError::into_inner) = true;
        changed.notify_all();
        let mut opened = self.opened.subscribe();
        // The gate holds a sender itself, so that this cannot fail.
        opened.wait_for(|opened| *opened).await.expect("a gate outlives its waiters");
    }
}
