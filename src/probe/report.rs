//! What a run says of each endpoint: percentiles only where the sample allows them, ranges, and which neighbours cannot be
//! told apart. Pure.

use std::time::Duration;

use super::run::Report;
use super::sample::{Ended, Sample, Tally, Wait};
use super::verdict::{Comparison, Samples};
use crate::observe::{ErrorClass, Flags, Judged, Percentile, Why, median_interval};
use crate::units::Usd;

/// Waits of one kind, as far as the sample allows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Waits {
    /// Of how many rounds.
    pub n: usize,
    /// The median; `None` below eight rounds.
    pub p50: Option<Wait>,
    /// Where that median lies with 95 % confidence; `None` below six rounds.
    pub interval: Option<(Wait, Wait)>,
    /// `None` below 46 rounds.
    pub p90: Option<Wait>,
    /// `None` below 93 rounds.
    pub p95: Option<Wait>,
    /// The shortest and the longest of all calls.
    pub range: Option<(Wait, Wait)>,
}

/// One endpoint in the order of its waits.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Which target.
    pub target: usize,
    /// Calls that were made.
    pub attempts: u32,
    /// Whole answers.
    pub successes: u32,
    /// Failures that are the provider's.
    pub faults: u32,
    /// Refusals because it was asked too often.
    pub limited: u32,
    /// Waits for the first token.
    pub ttft: Waits,
    /// All of them in order of the rounds.
    pub each_ttft: Vec<Wait>,
    /// Waits for the first token of the answer.
    pub ttfa: Waits,
    /// Times to the end.
    pub total: Waits,
    /// All speeds in tokens per second, in order of the rounds.
    pub each_speed: Vec<f64>,
    /// Median speed in tokens per second; `None` below eight rounds.
    pub speed_p50: Option<f64>,
    /// The slow tail: nine of ten were faster; `None` below 46 rounds.
    pub speed_p10: Option<f64>,
    /// Why answers say nothing of the speed, and of how many that is true, the most frequent first.
    pub no_speed: Vec<(Why, u32)>,
    /// What it cost, in USD, as far as it was told.
    pub cost: Usd,
    /// Calls that may have cost something that nobody told.
    pub unknown_cost: u32,
    /// Calls that are not in the times because nothing had warmed their connection.
    pub warmups: u32,
    /// Calls that are not in the times because a part of the prompt came from a cache.
    pub cached: u32,
    /// Calls that are not in the times because this machine slept, or was too busy to read in time.
    pub busy: u32,
    /// How it compares with the line above; `None` at the first one and where either has no sample.
    pub above: Option<Comparison>,
    /// Why it was not asked any more.
    pub ended: Ended,
    /// By how much its latest call began too late; `None` without a fixed schedule.
    pub late: Option<Duration>,
    /// The calls that failed.
    pub failures: Vec<Sample>,
}

impl Line {
    /// Calls that count for availability: whole answers and provider faults.
    #[must_use]
    pub const fn judged(&self) -> Judged {
        Judged { successes: self.successes, faults: self.faults }
    }
}

/// The lines of a run: the shortest wait first, those without any last.
#[must_use]
pub fn lines(report: &Report) -> Vec<Line> {
    let seconds: Vec<Samples> = report.tallies.iter().map(Tally::seconds).collect();
    let mut order: Vec<(Option<Wait>, usize)> =
        report.tallies.iter().enumerate().map(|(at, tally)| (middle(tally), at)).collect();
    order.sort_by_key(|(middle, at)| (middle.is_none(), *middle, *at));
    let mut lines: Vec<Line> = Vec::new();
    for (middle, at) in order {
        let mut line = line(at, &report.tallies[at]);
        if let (Some(above), Some(_)) = (lines.last(), middle) {
            line.above = above.ttft.range.map(|_| Comparison::of(&seconds[at], &seconds[above.target]));
        }
        lines.push(line);
    }
    lines
}

fn line(target: usize, tally: &Tally) -> Line {
    let of = |is: fn(&Sample) -> bool| tally.made().filter(move |sample| is(sample));
    let count = |is: fn(&Sample) -> bool| u32::try_from(of(is).count()).unwrap_or(u32::MAX);
    let mut speeds: Vec<f64> = tally.speeds().into_iter().flatten().collect();
    speeds.sort_by(f64::total_cmp);
    Line {
        target,
        attempts: count(|_| true),
        successes: count(|sample| sample.class.is_success()),
        // Where nobody at all was reached it was hardly their fault.
        faults: if tally.ended == Ended::Offline { 0 } else { count(|sample| sample.class.is_provider_fault()) },
        limited: count(|sample| sample.class == ErrorClass::RateLimited),
        ttft: waits(tally, Sample::counted_ttft),
        each_ttft: tally.made().filter_map(Sample::counted_ttft).collect(),
        ttfa: waits(tally, Sample::counted_ttfa),
        total: waits(tally, Sample::counted_total),
        each_speed: tally.made().filter_map(Sample::counted_speed).collect(),
        speed_p50: Percentile::P50.of(&speeds),
        speed_p10: Percentile::P10.of(&speeds),
        no_speed: no_speed(tally),
        cost: tally.made().filter_map(|sample| sample.cost).sum(),
        unknown_cost: count(|sample| sample.cost.is_none()),
        warmups: count(|sample| sample.flags.has(Flags::WARMUP) && sample.class.is_success()),
        cached: count(|sample| sample.flags.has(Flags::CACHE_HIT) && !sample.flags.has(Flags::WARMUP)),
        busy: count(|sample| sample.flags.has(Flags::SUSPENDED | Flags::CLIENT_BUSY)),
        above: None,
        ended: tally.ended,
        late: tally.late,
        failures: of(|sample| !sample.class.is_success()).cloned().collect(),
    }
}

fn no_speed(tally: &Tally) -> Vec<(Why, u32)> {
    let mut counts: Vec<(Why, u32)> = Vec::new();
    for why in tally.made().filter(|sample| sample.class.is_success()).filter_map(|sample| sample.speed.err()) {
        match counts.iter_mut().find(|(known, _)| *known == why) {
            Some((_, count)) => *count += 1,
            None => counts.push((why, 1)),
        }
    }
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts
}

fn waits(tally: &Tally, of: fn(&Sample) -> Option<Wait>) -> Waits {
    let sorted = sorted(tally, of);
    let all = || tally.made().filter_map(of);
    Waits {
        n: sorted.len(),
        p50: Percentile::P50.of(&sorted),
        interval: median_interval(&sorted),
        p90: Percentile::P90.of(&sorted),
        p95: Percentile::P95.of(&sorted),
        range: all().min().zip(all().max()),
    }
}

/// One wait of each round, shortest first.
fn sorted(tally: &Tally, of: fn(&Sample) -> Option<Wait>) -> Vec<Wait> {
    let mut sorted: Vec<Wait> = tally.waits(of).into_iter().flatten().collect();
    sorted.sort_unstable();
    sorted
}

/// The middle wait, however few there are: for the order of the lines, never shown.
fn middle(tally: &Tally) -> Option<Wait> {
    let sorted = sorted(tally, Sample::counted_ttft);
    sorted.get(sorted.len().div_ceil(2).checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::super::sample::tests::{sample, timed_out};
    use super::*;
    use crate::observe::Health;

    fn of(samples: Vec<Sample>) -> Tally {
        Tally { rounds: samples.into_iter().map(|sample| vec![sample]).collect(), ended: Ended::Rounds, late: None }
    }

    fn tally(waits: &[Option<u64>]) -> Tally {
        let failed = || Sample { cost: None, ..sample(ErrorClass::Overloaded, 5) };
        of(waits.iter().map(|wait| wait.map_or_else(failed, |millis| sample(ErrorClass::Ok, millis))).collect())
    }

    fn report(tallies: Vec<Tally>) -> Vec<Line> {
        lines(&Report { tallies, spent: Usd::ZERO })
    }

    fn around(millis: u64, n: u64) -> Vec<Option<u64>> {
        (0..n).map(|at| Some(millis + (at * 7) % 10)).collect()
    }

    #[test]
    fn the_fastest_is_first_and_who_never_answered_is_last() {
        let lines = report(vec![tally(&[None; 10]), tally(&around(900, 10)), tally(&around(300, 10))]);
        assert_eq!(lines.iter().map(|line| line.target).collect::<Vec<_>>(), [2, 1, 0]);
        assert!(lines[1].above.unwrap().is_settled() && lines[1].above.unwrap().ratio.unwrap() > 2.5);
        assert_eq!((lines[0].above, lines[2].above), (None, None));
        assert_eq!((lines[2].attempts, lines[2].successes, lines[2].unknown_cost), (10, 0, 10));
        assert_eq!((lines[2].failures.len(), lines[2].faults), (10, 10));
        assert_eq!((lines[2].judged().health(), lines[1].judged().health()), (Health::Down, Health::Unknown));
        assert_eq!(lines[0].cost, Usd::from_pico(10_000));
    }

    #[test]
    fn no_figure_stands_on_too_few_samples() {
        let shown = |n| {
            let line = report(vec![tally(&around(300, n))]).remove(0);
            let Waits { n, p50, interval, p90, p95, range } = line.ttft;
            (n, [p50, interval.map(|i| i.0), p90, p95, range.map(|r| r.0)].map(|wait| u8::from(wait.is_some())))
        };
        for (n, there) in [
            (0, [0, 0, 0, 0, 0]),
            (3, [0, 0, 0, 0, 1]),
            (6, [0, 1, 0, 0, 1]),
            (8, [1, 1, 0, 0, 1]),
            (46, [1, 1, 1, 0, 1]),
            (93, [1, 1, 1, 1, 1]),
        ] {
            assert_eq!(shown(n), (usize::try_from(n).unwrap(), there), "{n}");
        }
        let line = report(vec![tally(&around(300, 8))]).remove(0);
        assert_eq!((line.speed_p50, line.speed_p10), (Some(50.0), None));
    }

    #[test]
    fn timeouts_are_not_lost_from_the_percentiles() {
        let mut samples: Vec<Sample> = (0..3).map(|_| sample(ErrorClass::Ok, 200)).collect();
        samples.extend((0..7).map(|_| timed_out(30)));
        let line = report(vec![of(samples)]).remove(0);
        assert_eq!(line.ttft.p50, Some(Wait { time: Duration::from_secs(30), at_least: true }));
        assert_eq!((line.successes, line.faults, line.ttft.n), (3, 7, 10));
        let fast = tally(&around(300, 10));
        let slow = of((0..10).map(|_| timed_out(30)).collect());
        assert!(report(vec![slow, fast])[1].above.unwrap().is_settled(), "who never answers in time is surely slower");
    }

    #[test]
    fn three_rounds_settle_no_order_and_a_cached_prompt_has_no_wait() {
        let lines = report(vec![tally(&around(100, 3)), tally(&around(900, 3))]);
        assert!(!lines[1].above.unwrap().is_settled());
        let mut cached = tally(&around(100, 3));
        cached.rounds[0][0].flags = Flags::CACHE_HIT;
        cached.rounds[1][0].flags = Flags::WARMUP;
        let line = report(vec![cached]).remove(0);
        assert_eq!((line.attempts, line.successes, line.cached, line.warmups), (3, 3, 1, 1));
        assert_eq!((line.each_ttft.len(), line.total.n, line.each_speed.len()), (1, 1, 2));
    }
}
