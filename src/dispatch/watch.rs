//! Whether this machine was there all the time: it may have slept, or had no time for us, and then the stamps are wrong.

use std::pin::Pin;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::observe::Flags;

/// How often a look is taken.
const TICK: Duration = Duration::from_millis(10);
/// A look that comes so much too late is one at which nobody was there.
const LATE: Duration = Duration::from_millis(20);
/// So many of them are no accident.
const LATE_TICKS: u32 = 2;
/// A clock on the wall that goes on for so much longer than a stopwatch has seen a sleep, or was set.
const ASLEEP: Duration = Duration::from_secs(1);

/// Runs an attempt and watches meanwhile. `now` is the clock on the wall, and `ticking` whether to look every 10 ms:
/// whoever runs many attempts on one thread looks once for all of them.
pub(super) async fn watched<T>(
    now: &(dyn Fn() -> Timestamp + Sync),
    ticking: bool,
    mut attempt: Pin<&mut impl Future<Output = T>>,
) -> (T, Flags) {
    let (wall, began) = (now(), Instant::now());
    let mut late = 0;
    let mut ticker = interval_at(began + TICK, TICK);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let done = loop {
        tokio::select! {
            biased;
            done = attempt.as_mut() => break done,
            due = ticker.tick(), if ticking => {
                late += u32::from(Instant::now().saturating_duration_since(due) > LATE);
            }
        }
    };
    let walked = Duration::try_from(now().duration_since(wall)).unwrap_or_default();
    let slept = walked.saturating_sub(began.elapsed()) > ASLEEP;
    let flags = Flags::NONE.with_if(Flags::SUSPENDED, slept).with_if(Flags::CLIENT_BUSY, late > LATE_TICKS);
    (done, flags)
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::Mutex;

    use tokio::time::{advance, sleep};

    use super::*;

    fn stopped() -> Timestamp {
        Timestamp::UNIX_EPOCH
    }

    /// Nobody is there for so long, so many times; in between all is well.
    async fn absent(times: u32, millis: u64) {
        for _ in 0..times {
            // The clock moves on and nobody is polled, as when the thread is not scheduled.
            advance(Duration::from_millis(millis)).await;
            sleep(Duration::from_millis(100)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn three_late_looks_are_no_accident() {
        for (times, millis, flags) in [
            (0, 0, Flags::NONE),
            (2, 500, Flags::NONE),
            (3, 29, Flags::NONE),
            (3, 31, Flags::CLIENT_BUSY),
            (9, 500, Flags::CLIENT_BUSY),
        ] {
            assert_eq!(watched(&stopped, true, pin!(absent(times, millis))).await.1, flags, "{times} x {millis} ms");
            assert_eq!(watched(&stopped, false, pin!(absent(times, millis))).await.1, Flags::NONE);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_ran_ahead_has_seen_a_sleep() {
        for (moved, flags) in
            [(0, Flags::NONE), (900, Flags::NONE), (1_100, Flags::SUSPENDED), (3_600_000, Flags::SUSPENDED)]
        {
            let began = Instant::now();
            let ahead = Mutex::new(0);
            let clock = || stopped() + began.elapsed() + Duration::from_millis(*ahead.lock().unwrap());
            let attempt = async {
                sleep(Duration::from_secs(5)).await;
                *ahead.lock().unwrap() = moved;
            };
            assert_eq!(watched(&clock, true, pin!(attempt)).await.1, flags, "{moved} ms ahead");
        }
        // Set back is not asleep.
        let clock = || stopped() - began_ago();
        assert_eq!(watched(&clock, true, pin!(sleep(Duration::from_secs(5)))).await.1, Flags::NONE);
    }

    /// A clock that is set back by an hour each time that it is looked at.
    fn began_ago() -> Duration {
        use std::sync::atomic::{AtomicU64, Ordering};
        static LOOKS: AtomicU64 = AtomicU64::new(0);
        Duration::from_secs(3600 * LOOKS.fetch_add(1, Ordering::Relaxed))
    }
}
