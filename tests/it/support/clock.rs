//! The day of the tests: ages, and what a provider ends on some day, are the same whenever they are run.

use std::sync::LazyLock;

use jiff::{SignedDuration, Timestamp};

/// The variable by which a debug build of `openmux` takes its clock for moved, in seconds.
pub(crate) const MOVED: &str = "TEST_CLOCK_MOVED_S";
/// When the tests begin; the embedded catalog is six days old.
const BEGIN: Timestamp = Timestamp::constant(1_796_040_000, 0);

static BY: LazyLock<SignedDuration> = LazyLock::new(|| BEGIN.duration_since(real()));

#[expect(clippy::disallowed_methods, reason = "what the tests' clock is moved from")]
fn real() -> Timestamp {
    Timestamp::now()
}

/// By how much the clock is moved.
pub(crate) fn moved() -> String {
    BY.as_secs().to_string()
}

/// What the command line takes for now.
pub(crate) fn now() -> Timestamp {
    real() + SignedDuration::from_secs(BY.as_secs())
}
