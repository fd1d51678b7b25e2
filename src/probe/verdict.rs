//! When a probe knows enough, and which neighbours it cannot tell apart: pure (`metrics.md` 2.4).

use crate::observe::{median_interval, paired_ratio, signed_rank_p};

/// At these rounds the samples are looked at, and at no others: looking after each would find differences that are not
/// there.
pub const LOOKS: [u32; 5] = [8, 10, 15, 20, 30];
/// The chance of a false order that each look may add.
const ALPHA: f64 = 0.01;
/// An interval so narrow, relative to its median, is precise enough.
const PRECISE: f64 = 0.15;

/// The samples of one endpoint by round, in seconds; `None` where a round gave none.
pub type Samples = Vec<Option<f64>>;

/// What is known of two endpoints.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comparison {
    /// The ratio of the first to the second, robustly over pairs of one round each; `None` without pairs.
    pub ratio: Option<f64>,
    /// The chance of samples so far apart if neither were faster; two-sided.
    pub p: f64,
    /// Pairs that were compared.
    pub pairs: usize,
}

impl Comparison {
    /// Compares two endpoints over the rounds in which both gave a sample.
    #[must_use]
    pub fn of(one: &Samples, other: &Samples) -> Self {
        let pairs = pairs(one, other);
        Self { ratio: paired_ratio(&pairs), p: chance(&pairs), pairs: pairs.len() }
    }

    /// Whether the order of the two is settled.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.p < ALPHA
    }
}

/// Whether the order of two endpoints is settled: [`Comparison::is_settled`] without the ratio.
#[must_use]
pub fn are_settled(one: &Samples, other: &Samples) -> bool {
    chance(&pairs(one, other)) < ALPHA
}

/// The rounds in which both gave a sample.
fn pairs(one: &Samples, other: &Samples) -> Vec<(f64, f64)> {
    one.iter().zip(other).filter_map(|(a, b)| Some(((*a)?, (*b)?))).collect()
}

fn chance(pairs: &[(f64, f64)]) -> f64 {
    let logs: Vec<f64> = pairs.iter().map(|(a, b)| libm::log(a / b)).collect();
    signed_rank_p(&logs)
}

/// The median and its distribution-free interval of at least 95 %; `None` below six samples.
#[must_use]
pub fn interval(samples: &Samples) -> Option<(f64, f64, f64)> {
    let mut sorted: Vec<f64> = samples.iter().flatten().copied().collect();
    sorted.sort_by(f64::total_cmp);
    let (low, high) = median_interval(&sorted)?;
    Some((sorted[sorted.len().div_ceil(2) - 1], low, high))
}

/// Whether an endpoint needs no more samples: its median is known well enough, or its place among all others is
/// settled. Asked only at [`LOOKS`].
#[must_use]
pub fn is_done(at: usize, all: &[Samples]) -> bool {
    let Some(own) = all.get(at) else { return true };
    if let Some((median, low, high)) = interval(own)
        && (high - low) / 2.0 <= PRECISE * median
    {
        return true;
    }
    let mut rivals = all.iter().enumerate().filter(|(other, _)| *other != at).peekable();
    rivals.peek().is_some() && rivals.all(|(_, rival)| are_settled(own, rival))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::statistics_tests::uniform;

    fn samples(values: &[f64]) -> Samples {
        values.iter().copied().map(Some).collect()
    }

    #[test]
    fn twice_as_fast_is_settled_after_eight_pairs() {
        let slow = samples(&[2.0, 2.2, 1.9, 2.4, 2.1, 2.3, 1.8, 2.0]);
        let fast = samples(&[1.0, 1.1, 0.9, 1.2, 1.0, 1.3, 0.9, 1.0]);
        let comparison = Comparison::of(&slow, &fast);
        assert!(comparison.is_settled() && comparison.ratio.unwrap() > 1.8);
        assert!(is_done(0, &[slow.clone(), fast.clone()]));
        let seven: Vec<Samples> = [slow, fast].map(|all| all[..7].to_vec()).into();
        assert!(!Comparison::of(&seven[0], &seven[1]).is_settled(), "below eight pairs nothing can be");
    }

    #[test]
    fn a_narrow_interval_is_enough_and_alone_is_never_settled_by_order() {
        let narrow = samples(&[1.0, 1.01, 1.02, 0.99, 1.0, 1.01, 0.98, 1.0]);
        assert!(is_done(0, &[narrow]));
        let wide = samples(&[1.0, 3.0, 0.5, 2.0, 1.5, 4.0, 0.7, 1.1]);
        assert!(!is_done(0, &[wide]));
    }

    #[test]
    fn a_round_without_a_sample_is_no_pair() {
        let one: Samples = vec![Some(1.0), None, Some(2.0)];
        let other: Samples = vec![Some(1.0), Some(1.0), None];
        assert_eq!(Comparison::of(&one, &other).pairs, 1);
    }

    /// V22: of 10,000 runs of two endpoints that are equally fast, five looks settle an order in at most 5 %.
    #[test]
    fn five_looks_seldom_find_a_difference_that_is_not_there() {
        let mut uniform = uniform(42);
        // About lognormal with the spread of real waits, and a common drift, as rounds are minutes apart.
        let mut wait = |drift: f64| Some(drift * libm::exp(0.4 * ((0..6).map(|_| uniform()).sum::<f64>() - 3.0)));
        let runs = 10_000;
        let mut false_orders = 0;
        for _ in 0..runs {
            let (mut one, mut other): (Samples, Samples) = (Vec::new(), Vec::new());
            let settled = LOOKS.iter().any(|look| {
                while one.len() < usize::try_from(*look).unwrap() {
                    let drift = 1.0 + 0.1 * f64::from(u32::try_from(one.len()).unwrap() % 3);
                    one.push(wait(drift));
                    other.push(wait(drift));
                }
                are_settled(&one, &other)
            });
            false_orders += u32::from(settled);
        }
        assert!(false_orders * 20 <= runs, "{false_orders} of {runs}");
        assert!(false_orders > 0, "a test that never errs finds nothing either");
    }
}
