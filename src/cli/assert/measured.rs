//! What one's own measurements say to an assertion: yes or no where the 95 % interval lies on one side of the limit, else
//! that it cannot be told.

use std::time::Duration;

use super::claim::Claim;
use super::row::Finding;
use crate::cli::render::sheet::Cell;
use crate::cli::render::text::{duration, percent};
use crate::observe::{Judged, MEDIAN_FLOOR, Measured, Samples, Stratum, Wait, median_interval, wilson};

/// What the measurements of an endpoint say to a claim; `None` where it is no question for them. `exact` asks for calls of
/// that very kind, else the nearest kind will do.
pub(super) fn endpoint(claim: &Claim, known: Option<&Measured>, asked: &Stratum, exact: bool) -> Option<Finding> {
    let samples = known.and_then(|known| match exact {
        true => known.samples.get_key_value(asked),
        false => known.nearest(asked),
    });
    let elsewhere = known.is_some_and(|known| known.samples.values().any(|samples| !samples.waits.is_empty()));
    let none = if elsewhere { format!("nothing was measured at {}", asked.name()) } else { NOTHING.to_owned() };
    Some(match claim {
        Claim::Ttft(most) => wait(samples, *most, none),
        Claim::Tps(least) => speed(samples, *least, none),
        Claim::Availability(least) => availability(known.map(Measured::judged), *least),
        _ => return None,
    })
}

const NOTHING: &str = "nothing was measured in that time";

/// The two samples between which the median lies with 95 % confidence; `None` where there are too few.
fn between<T: Copy>(sorted: &[T]) -> Option<(T, T)> {
    median_interval(sorted).filter(|_| sorted.len() >= MEDIAN_FLOOR)
}

fn too_few(n: usize) -> String {
    format!("n={n} is too few for a median, which takes {MEDIAN_FLOOR}")
}

fn wait(found: Option<(&Stratum, &Samples)>, most: Duration, none: String) -> Finding {
    let wanted = Cell::Count(millis(most));
    let limit = duration(most);
    let unknown = |why: String| Finding::unknown(wanted.clone(), format!("ttft ? <= {limit}"), why);
    let Some((stratum, samples)) = found.filter(|(_, samples)| !samples.waits.is_empty()) else { return unknown(none) };
    let mut sorted = samples.waits.clone();
    sorted.sort();
    let (Some((low, high)), Some(median)) = (between(&sorted), samples.ttft(crate::observe::Percentile::P50)) else {
        return unknown(too_few(sorted.len()));
    };
    let shown = |wait: Wait| {
        let sign = if wait.at_least { ">= " } else { "" };
        format!("{sign}{}", duration(wait.duration()))
    };
    let basis = format!("n={} at {}", sorted.len(), stratum.name());
    let told = format!("ttft {} <= {limit} ({basis})", shown(median));
    let known = Cell::Count(millis(median.duration()));
    if low.duration() > most {
        let why = format!("the median is surely at least {}", shown(low));
        return Finding::decided(false, (wanted, known), told, why);
    }
    if high.duration() <= most && !high.at_least {
        return Finding::decided(true, (wanted, known), told, "");
    }
    let why = format!("the median lies between {} and {}", shown(low), shown(high));
    Finding::unknown(wanted, told, why).found(known)
}

#[expect(clippy::cast_precision_loss, reason = "a limit of a few digits")]
fn of_millionths(value: u64) -> f64 {
    value as f64 / 1e6
}

fn speed(found: Option<(&Stratum, &Samples)>, least: u64, none: String) -> Finding {
    let least = of_millionths(least);
    let wanted = Cell::Figure(least, 1);
    let unknown = |why: String| Finding::unknown(wanted.clone(), format!("tps ? >= {least:.1}"), why);
    let Some((stratum, samples)) = found.filter(|(_, samples)| !samples.speeds.is_empty()) else {
        return unknown(none);
    };
    let mut sorted = samples.speeds.clone();
    sorted.sort_by(f64::total_cmp);
    let (Some((low, high)), Some(median)) = (between(&sorted), samples.speed(crate::observe::Percentile::P50)) else {
        return unknown(too_few(sorted.len()));
    };
    let told = format!("tps {median:.1} >= {least:.1} (n={} at {})", sorted.len(), stratum.name());
    let known = Cell::Figure(median, 1);
    if low >= least {
        return Finding::decided(true, (wanted, known), told, "");
    }
    if high < least {
        let why = format!("the median is surely at most {high:.1}");
        return Finding::decided(false, (wanted, known), told, why);
    }
    Finding::unknown(wanted, told, format!("the median lies between {low:.1} and {high:.1}")).found(known)
}

/// By the interval of the share of whole answers.
pub(super) fn availability(judged: Option<Judged>, least: u64) -> Finding {
    let least = of_millionths(least);
    let wanted = Cell::Figure(least, 4);
    let judged = judged.filter(|judged| judged.count() > 0);
    let known = judged.and_then(|judged| Some((judged, judged.share()?, judged.interval()?)));
    let Some((judged, share, (low, high))) = known else {
        return Finding::unknown(wanted, format!("availability ? >= {}", percent(least)), NOTHING);
    };
    let count = judged.count();
    let told = format!("availability {} >= {} ({}/{count})", percent(share), percent(least), judged.successes);
    let found = Cell::Figure(share, 4);
    // What failed once, or did not, says nothing yet.
    if usize::try_from(count).is_ok_and(|count| count < MEDIAN_FLOOR) {
        let why = format!("n={count} is too few for an availability, which takes {MEDIAN_FLOOR}");
        return Finding::unknown(wanted, told, why).found(found);
    }
    if low >= least {
        return Finding::decided(true, (wanted, found), told, "");
    }
    if high < least {
        return Finding::decided(false, (wanted, found), told, format!("it is surely at most {}", percent(high)));
    }
    let range = format!("it lies between {} and {}", percent(low), percent(high));
    let why = match enough(least, u64::from(judged.faults)) {
        Some(enough) if u64::from(count) < enough => {
            let more = if judged.faults == 0 { "none fails" } else { "no more of them fail" };
            format!("{range}; {enough} calls can tell, if {more}")
        }
        _ => range,
    };
    Finding::unknown(wanted, told, why).found(found)
}

/// How many calls, of which so many failed and no more, certify an availability; `None` where no number within reason does.
fn enough(least: f64, faults: u64) -> Option<u64> {
    const MOST: u64 = 100_000;
    (faults + 1..=MOST).find(|n| wilson(*n - faults, *n).is_some_and(|(low, _)| low >= least))
}

fn millis(time: Duration) -> u64 {
    crate::cli::measured::millis(time)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::assert::row::Verdict;
    use crate::cli::contract::Exit;

    const UNKNOWN: Verdict = Verdict::Unknown(Exit::NotFound);

    fn waits(millis: impl IntoIterator<Item = u64>, cut_off: usize) -> Measured {
        let waits = millis.into_iter().map(|millis| Wait { micros: 1_000 * millis, at_least: false });
        let cut = (0..cut_off).map(|_| Wait { micros: 300_000, at_least: true });
        let samples = Samples { waits: waits.chain(cut).collect(), ..Samples::default() };
        let stratum = Stratum::plain(crate::units::Tokens::new(1_000));
        Measured { samples: [(stratum, samples)].into(), ..Measured::default() }
    }

    fn ttft(known: &Measured, millis: u64) -> Verdict {
        let asked = Stratum::plain(crate::units::Tokens::new(1_000));
        endpoint(&Claim::Ttft(Duration::from_millis(millis)), Some(known), &asked, true).unwrap().verdict
    }

    #[test]
    fn a_median_is_a_yes_or_a_no_only_where_its_interval_is() {
        // Of ten the median lies between the second and the ninth.
        let ten = waits((1..=10).map(|n| 100 * n), 0);
        let at = |limit: u64| ttft(&ten, limit);
        assert_eq!([at(199), at(200), at(899), at(900)], [Verdict::No, UNKNOWN, UNKNOWN, Verdict::Ok]);
        assert_eq!(ttft(&waits([100; 7], 0), 1_000), UNKNOWN, "seven are too few, however fast");
        assert_eq!(ttft(&waits([100; 8], 0), 100), Verdict::Ok);
        assert_eq!(ttft(&waits([100; 1], 9), 1_000), UNKNOWN, "what was cut off took at least that long");
        assert_eq!(ttft(&waits([100; 1], 9), 299), Verdict::No);
    }

    #[test]
    fn an_availability_is_told_by_its_interval() {
        let judge = |successes, faults, least| availability(Some(Judged { successes, faults }), least).verdict;
        assert_eq!(judge(100, 0, 990_000), UNKNOWN, "a hundred answers do not certify 99 %");
        assert_eq!(judge(381, 0, 990_000), Verdict::Ok);
        assert_eq!(judge(10, 10, 990_000), Verdict::No);
        assert_eq!(judge(0, 0, 1), UNKNOWN);
        assert_eq!([judge(0, 7, 900_000), judge(7, 0, 1)], [UNKNOWN; 2], "seven are too few, however they ended");
        assert_eq!([judge(0, 8, 900_000), judge(8, 0, 1)], [Verdict::No, Verdict::Ok]);
        assert_eq!(enough(0.99, 0), Some(381));
        assert_eq!(enough(1.0, 0), None);
        let least = enough(0.9, 1).unwrap();
        let (fewer, exactly) = (wilson(least - 2, least - 1).unwrap().0, wilson(least - 1, least).unwrap().0);
        assert!(fewer < 0.9 && exactly >= 0.9, "{least}: {fewer} {exactly}");
    }

    #[test]
    fn a_speed_is_told_by_its_interval() {
        let stratum = Stratum::plain(crate::units::Tokens::new(1_000));
        let speeds = (1..=10).map(|n| 10.0 * f64::from(n)).collect();
        let samples = Samples { speeds, ..Samples::default() };
        let known = Measured { samples: [(stratum.clone(), samples)].into(), ..Measured::default() };
        let at = |tps: u64| endpoint(&Claim::Tps(tps * 1_000_000), Some(&known), &stratum, true).unwrap().verdict;
        assert_eq!([at(20), at(21), at(90), at(91)], [Verdict::Ok, UNKNOWN, UNKNOWN, Verdict::No]);
    }
}
