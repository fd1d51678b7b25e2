//! What time it is.

#[cfg(debug_assertions)]
use std::sync::OnceLock;

use jiff::{SignedDuration, Timestamp};

/// The wall clock.
#[expect(clippy::disallowed_methods, reason = "the command line passes the clock in")]
pub(crate) fn now() -> Timestamp {
    Timestamp::now() + moved()
}

/// By how much the clock is taken for moved: in what is built for tests, so that they hold on every day, and nowhere else.
#[cfg(debug_assertions)]
#[expect(clippy::disallowed_methods, reason = "the clock is asked before there are settings")]
fn moved() -> SignedDuration {
    static MOVED: OnceLock<SignedDuration> = OnceLock::new();
    *MOVED.get_or_init(|| {
        let seconds = std::env::var("TEST_CLOCK_MOVED_S").ok().and_then(|seconds| seconds.parse().ok());
        SignedDuration::from_secs(seconds.unwrap_or(0))
    })
}

#[cfg(not(debug_assertions))]
const fn moved() -> SignedDuration {
    SignedDuration::ZERO
}
