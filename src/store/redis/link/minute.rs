//! Limits a minute that several machines share: one bucket in Redis for each, refilled by Redis's own clock.

use std::time::Duration;

use redis::cmd;

use super::super::slot::Slot;
use super::{PREFIX, Teller};

/// Takes from a bucket that was full at first, and gets a minute's worth evenly each minute. `ARGV`: a minute's worth, how
/// much is taken (or given back, where it is less than nothing), and whether whatever is there is enough. What it says is how
/// many milliseconds there are to wait; with none it has been taken. More than a minute's worth passes a full bucket, and is
/// owed. All numbers lie far below those that Lua holds exactly.
const TAKE: &str = r"
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local most, amount = tonumber(ARGV[1]), tonumber(ARGV[2])
local full = most * 60000
local left = tonumber(redis.call('HGET', KEYS[1], 'left') or full)
local at = tonumber(redis.call('HGET', KEYS[1], 'at') or now)
left = math.min(full, left + math.max(0, now - at) * most)
local short = math.min(amount, most) * 60000 - left
if ARGV[3] == '0' and short > 0 then return math.ceil(short / most) end
left = math.min(full, left - amount * 60000)
redis.call('HSET', KEYS[1], 'left', string.format('%.0f', left), 'at', string.format('%.0f', math.max(now, at)))
redis.call('PEXPIRE', KEYS[1], string.format('%.0f', math.ceil((full - left) / most) + 60000))
return 0
";

/// The largest share that is counted with; beyond it nothing is limited in earnest.
const LARGEST: u64 = 10_000_000_000;

/// What is taken of which bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::store::redis) struct Minute {
    /// Whose, and of what.
    pub(in crate::store::redis) name: String,
    /// A minute's worth.
    pub(in crate::store::redis) most: u64,
}

impl Teller {
    /// Takes so much, where somebody still waits to be told; what there is to wait, where it is not enough.
    pub(super) fn take_minute(&mut self, of: &Minute, amount: u64, slot: &Slot<Option<Result<(), Duration>>>) {
        if slot.is_given_up() {
            return;
        }
        let wait = self.minute(of, i64::try_from(amount.min(LARGEST)).unwrap_or(0), false);
        let told = wait.map(|wait| if wait == 0 { Ok(()) } else { Err(Duration::from_millis(wait)) });
        if let (Some(Ok(())), false) = (told, slot.answer(told)) {
            // Nobody waited for it: it was let through by this machine's own rule, and counts.
            tracing::debug!(name = of.name, "a share of the minute was granted too late to matter");
        }
    }

    /// So much more was used than was taken, or less; what cannot be told is let go with the minute that it was of.
    pub(super) fn owe_minute(&mut self, of: &Minute, more: i64) {
        let most = i64::try_from(LARGEST).unwrap_or(i64::MAX);
        let _ = self.minute(of, more.clamp(-most, most), true);
    }

    fn minute(&mut self, of: &Minute, amount: i64, force: bool) -> Option<u64> {
        let most = of.most.clamp(1, LARGEST);
        let mut script = cmd("EVAL");
        script.arg(TAKE).arg(1).arg(format!("{PREFIX}minute:{}:{most}", of.name));
        script.arg(most).arg(amount).arg(u8::from(force));
        self.with(|line| script.query::<u64>(line))
    }
}
