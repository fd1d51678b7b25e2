//! What a run says of each endpoint: percentiles only where the sample allows them, ranges, and which neighbours cannot be
//! told apart. Pure.

use std::time::Duration;

use super::run::{Ended, Report, Sample, Tally};
use super::verdict::{Comparison, Samples};
use crate::observe::{Percentile, Why, median_ranks};
use crate::units::Usd;

/// One endpoint in the order of its speed.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Which target.
    pub target: usize,
    /// Calls that were made.
    pub attempts: u32,
    /// Whole answers.
    pub successes: u32,
    /// Median wait for the first token; `None` below eight samples.
    pub ttft_p50: Option<Duration>,
    /// Where that median lies with 95 % confidence; `None` below six samples.
    pub ttft_interval: Option<(Duration, Duration)>,
    /// The shortest and the longest wait.
    pub ttft_range: Option<(Duration, Duration)>,
    /// Median speed in tokens per second; `None` below eight samples.
    pub speed_p50: Option<f64>,
    /// Why most of the answers say nothing of the speed, where none does.
    pub speed_why: Option<Why>,
    /// Median time to the end; `None` below eight samples.
    pub total_p50: Option<Duration>,
    /// What it cost, in USD, as far as it was told.
    pub cost: Usd,
    /// Calls that may have cost something that nobody told.
    pub unknown_cost: u32,
    /// How it compares with the line above; `None` at the first one and where either has no sample.
    pub above: Option<Comparison>,
    /// Why it was not asked any more.
    pub ended: Ended,
    /// The calls that failed.
    pub failures: Vec<Sample>,
}

/// The lines of a run: the shortest wait first, those without any last.
#[must_use]
pub fn lines(report: &Report) -> Vec<Line> {
    let waits: Vec<Samples> = report.tallies.iter().map(Tally::waits).collect();
    let mut order: Vec<(Option<Duration>, usize)> =
        report.tallies.iter().enumerate().map(|(at, tally)| (middle(&ttfts(tally)), at)).collect();
    order.sort_by_key(|(middle, at)| (middle.is_none(), *middle, *at));
    let mut lines: Vec<Line> = Vec::new();
    for (middle, at) in order {
        let mut line = line(at, &report.tallies[at]);
        if let (Some(above), Some(_)) = (lines.last(), middle) {
            line.above = above.ttft_range.map(|_| Comparison::of(&waits[at], &waits[above.target]));
        }
        lines.push(line);
    }
    lines
}

fn line(target: usize, tally: &Tally) -> Line {
    let ttfts = ttfts(tally);
    let good = || tally.made().filter(|sample| sample.class.is_success());
    let mut speeds: Vec<f64> = good().filter_map(|sample| sample.speed.ok()).collect();
    speeds.sort_by(f64::total_cmp);
    let mut totals: Vec<Duration> = good().filter_map(|sample| sample.total).collect();
    totals.sort_unstable();
    let count = |samples: usize| u32::try_from(samples).unwrap_or(u32::MAX);
    Line {
        target,
        attempts: count(tally.made().count()),
        successes: count(good().count()),
        ttft_p50: Percentile::P50.of(&ttfts),
        ttft_interval: median_ranks(ttfts.len()).map(|(low, high)| (ttfts[low - 1], ttfts[high - 1])),
        ttft_range: ttfts.first().copied().zip(ttfts.last().copied()),
        speed_p50: Percentile::P50.of(&speeds),
        speed_why: speeds.is_empty().then(|| most(good().filter_map(|sample| sample.speed.err()))).flatten(),
        total_p50: Percentile::P50.of(&totals),
        cost: tally.made().filter_map(|sample| sample.cost).sum(),
        unknown_cost: count(tally.made().filter(|sample| sample.cost.is_none()).count()),
        above: None,
        ended: tally.ended,
        failures: tally.made().filter(|sample| !sample.class.is_success()).cloned().collect(),
    }
}

/// The most frequent reason, the first of equals.
fn most(reasons: impl Iterator<Item = Why>) -> Option<Why> {
    let mut counts: Vec<(Why, u32)> = Vec::new();
    for why in reasons {
        match counts.iter_mut().find(|(known, _)| *known == why) {
            Some((_, count)) => *count += 1,
            None => counts.push((why, 1)),
        }
    }
    counts.iter().rev().max_by_key(|(_, count)| *count).map(|(why, _)| *why)
}

/// The waits that count, shortest first.
fn ttfts(tally: &Tally) -> Vec<Duration> {
    let mut ttfts: Vec<Duration> = tally.made().filter_map(Sample::counted_ttft).collect();
    ttfts.sort_unstable();
    ttfts
}

/// The middle one, however few there are: for the order of the lines, never shown.
fn middle(sorted: &[Duration]) -> Option<Duration> {
    sorted.get(sorted.len().div_ceil(2).checked_sub(1)?).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::{ErrorClass, Flags};

    fn tally(waits: &[Option<u64>]) -> Tally {
        let sample = |wait: &Option<u64>| {
            Some(Sample {
                class: if wait.is_some() { ErrorClass::Ok } else { ErrorClass::Overloaded },
                ttft: wait.map(Duration::from_millis),
                total: wait.map(|wait| Duration::from_millis(2 * wait)),
                speed: wait.map(|_| 50.0).ok_or(Why::Failed),
                http_status: None,
                retry_after: None,
                cost: wait.map(|_| Usd::from_pico(10)),
                flags: Flags::NONE,
            })
        };
        Tally { samples: waits.iter().map(sample).collect(), ended: Ended::Rounds }
    }

    fn report(tallies: Vec<Tally>) -> Vec<Line> {
        lines(&Report { tallies, spent: Usd::ZERO, late: Duration::ZERO })
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
        assert_eq!(lines[2].failures.len(), 10);
        assert_eq!(lines[0].cost, Usd::from_pico(100));
    }

    #[test]
    fn there_is_no_median_below_eight_samples_and_no_interval_below_six() {
        let shown = |n| {
            let line = report(vec![tally(&around(300, n))]).remove(0);
            (line.ttft_p50.is_some(), line.ttft_interval.is_some(), line.ttft_range.is_some(), line.speed_p50.is_some())
        };
        assert_eq!(shown(0), (false, false, false, false));
        assert_eq!(shown(3), (false, false, true, false));
        assert_eq!(shown(6), (false, true, true, false));
        assert_eq!(shown(8), (true, true, true, true));
    }

    #[test]
    fn where_no_answer_tells_the_speed_the_line_says_why() {
        let mut tally = tally(&around(100, 5));
        for (sample, why) in tally.samples.iter_mut().flatten().zip([Why::Burst, Why::TooShort, Why::TooShort]) {
            sample.speed = Err(why);
        }
        assert_eq!(report(vec![tally.clone()])[0].speed_why, None, "two answers tell it");
        for sample in tally.samples.iter_mut().flatten().skip(3) {
            sample.speed = Err(Why::Burst);
        }
        assert_eq!(report(vec![tally])[0].speed_why, Some(Why::Burst));
    }

    #[test]
    fn three_rounds_settle_no_order_and_a_cached_prompt_has_no_wait() {
        let lines = report(vec![tally(&around(100, 3)), tally(&around(900, 3))]);
        assert!(!lines[1].above.unwrap().is_settled());
        let mut cached = tally(&around(100, 2));
        cached.samples[0].as_mut().unwrap().flags = Flags::CACHE_HIT;
        let line = report(vec![cached]).remove(0);
        assert_eq!((line.attempts, line.successes), (2, 2));
        assert_eq!(line.ttft_range.map(|(least, most)| least == most), Some(true));
    }
}
