//! The statistics of small samples: intervals that keep their word, percentiles with a floor, and tests of order
//! (`metrics.md` 1.5, 1.6 and 2.4).

/// The 95 % Wilson interval of a share: `successes` of `n`; `None` without a sample.
#[must_use]
pub fn wilson(successes: u64, n: u64) -> Option<(f64, f64)> {
    const Z: f64 = 1.959_963_984_540_054;
    if n == 0 {
        return None;
    }
    let n = float(n);
    let share = float(successes) / n;
    let scale = 1.0 + Z * Z / n;
    let centre = (share + Z * Z / (2.0 * n)) / scale;
    let half = Z * libm::sqrt(share * (1.0 - share) / n + Z * Z / (4.0 * n * n)) / scale;
    Some(((centre - half).max(0.0), (centre + half).min(1.0)))
}

/// What an availability means in a word, as far as its interval allows one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// At least 95 %, surely.
    Up,
    /// Below 95 %, surely.
    Degraded,
    /// Below 80 %, surely.
    Down,
    /// The sample does not say.
    Unknown,
}

/// Attempts that count for availability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judged {
    /// Whole answers.
    pub successes: u32,
    /// The provider's faults.
    pub faults: u32,
}

impl Judged {
    /// How many there are.
    #[must_use]
    pub const fn count(self) -> u32 {
        self.successes + self.faults
    }

    /// The share of them that were whole answers; `None` without any.
    #[must_use]
    pub fn share(self) -> Option<f64> {
        (self.count() > 0).then(|| f64::from(self.successes) / f64::from(self.count()))
    }

    /// The 95 % interval of that share (Wilson's); `None` without any.
    #[must_use]
    pub fn interval(self) -> Option<(f64, f64)> {
        wilson(u64::from(self.successes), u64::from(self.count()))
    }

    /// What that share means in a word, as far as the sample allows one.
    #[must_use]
    pub fn health(self) -> Health {
        Health::of(u64::from(self.successes), u64::from(self.count()))
    }
}

impl Health {
    /// Of `successes` whole answers among `n` that count.
    #[must_use]
    pub fn of(successes: u64, n: u64) -> Self {
        match wilson(successes, n) {
            Some((low, _)) if low >= 0.95 => Self::Up,
            Some((_, high)) if high < 0.80 => Self::Down,
            Some((_, high)) if high < 0.95 => Self::Degraded,
            _ => Self::Unknown,
        }
    }

    /// The word in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Unknown => "unknown",
        }
    }
}

/// A percentile that is shown, with the fewest samples that can certify it at 95 % confidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is the percentile of its name")]
pub enum Percentile {
    P10,
    P50,
    P75,
    P90,
    P95,
    P99,
}

impl Percentile {
    const fn percent(self) -> usize {
        match self {
            Self::P10 => 10,
            Self::P50 => 50,
            Self::P75 => 75,
            Self::P90 => 90,
            Self::P95 => 95,
            Self::P99 => 99,
        }
    }

    /// The fewest samples.
    #[must_use]
    pub const fn floor(self) -> usize {
        match self {
            Self::P50 => 8,
            Self::P75 => 18,
            // The slow tail of a speed is the mirror of a wait's.
            Self::P10 | Self::P90 => 46,
            Self::P95 => 93,
            Self::P99 => 473,
        }
    }

    /// Nearest rank of sorted samples; `None` below the floor.
    #[must_use]
    pub fn of<T: Copy>(self, sorted: &[T]) -> Option<T> {
        sorted.get(self.rank(sorted.len())? - 1).copied()
    }

    /// The rank (from 1) of this percentile among so many sorted samples; `None` below the floor.
    #[must_use]
    pub fn rank(self, samples: usize) -> Option<usize> {
        (samples >= self.floor()).then(|| (samples * self.percent()).div_ceil(100).max(1))
    }
}

/// The ranks (from 1) between which the median lies with at least 95 % confidence, whatever the distribution; `None`
/// below six samples, where no ranks do.
fn median_ranks(n: usize) -> Option<(usize, usize)> {
    // The chance that fewer than `k` of `n` fall below the median, in halves of n, kept in logarithms.
    let mut log_chance = -float(u64::try_from(n).ok()?) * core::f64::consts::LN_2;
    let mut below = 0.0;
    let mut rank = 0;
    for k in 0..n {
        below += libm::exp(log_chance);
        if below > 0.025 {
            break;
        }
        rank = k + 1;
        log_chance += libm::log(small(n - k) / small(k + 1));
    }
    (rank > 0).then(|| (rank, n + 1 - rank))
}

/// The two of these between which the median lies with at least 95 % confidence; they are sorted.
#[must_use]
pub fn median_interval<T: Copy>(sorted: &[T]) -> Option<(T, T)> {
    let (low, high) = median_ranks(sorted.len())?;
    Some((*sorted.get(low - 1)?, *sorted.get(high - 1)?))
}

/// The two-sided p-value of Wilcoxon's signed-rank test that paired differences lie around 0, exact; 1 without any
/// difference. At most 40 pairs are looked at, which is more than a probe makes.
#[must_use]
pub fn signed_rank_p(differences: &[f64]) -> f64 {
    const MOST: usize = 40;
    let mut sizes: Vec<f64> = differences.iter().copied().filter(|d| d.is_finite() && *d != 0.0).take(MOST).collect();
    sizes.sort_by(|a, b| a.abs().total_cmp(&b.abs()));
    if sizes.is_empty() {
        return 1.0;
    }
    // Ranks twice over, so that the mean rank of ties is a whole number.
    let mut ranks = vec![0_usize; sizes.len()];
    let mut start = 0;
    while start < sizes.len() {
        let same = |at: &usize| (sizes[*at].abs() - sizes[start].abs()).abs() <= f64::EPSILON * sizes[start].abs();
        let end = (start..sizes.len()).take_while(same).count() + start;
        ranks[start..end].fill(start + 1 + end);
        start = end.max(start + 1);
    }
    let positive: usize = sizes.iter().zip(&ranks).filter(|(size, _)| **size > 0.0).map(|(_, rank)| rank).sum();
    let all: usize = ranks.iter().sum();
    let extreme = positive.min(all - positive);
    // How many of the 2^n assignments of signs give each sum, as far as they are asked for. Without ties every rank is
    // even, and so is every sum.
    let step = if ranks.iter().all(|rank| rank % 2 == 0) { 2 } else { 1 };
    let extreme = extreme / step;
    let mut ways = vec![0.0_f64; extreme + 1];
    ways[0] = 1.0;
    for rank in ranks.iter().map(|rank| rank / step) {
        for sum in (rank..=extreme).rev() {
            ways[sum] += ways[sum - rank];
        }
    }
    let tail: f64 = ways.iter().sum();
    (2.0 * tail / libm::exp2(small(sizes.len()))).min(1.0)
}

/// The Hodges–Lehmann estimate of a ratio: the exponential of the median of all means of two logarithms; `None` without
/// pairs of positive numbers.
#[must_use]
pub fn paired_ratio(pairs: &[(f64, f64)]) -> Option<f64> {
    let logs: Vec<f64> = pairs.iter().filter(|(a, b)| *a > 0.0 && *b > 0.0).map(|(a, b)| libm::log(a / b)).collect();
    let mut means: Vec<f64> = (0..logs.len())
        .flat_map(|i| (i..logs.len()).map(move |j| (i, j)))
        .map(|(i, j)| logs[i].midpoint(logs[j]))
        .collect();
    means.sort_by(f64::total_cmp);
    let middle = means.len() / 2;
    let median = if means.len() % 2 == 1 {
        *means.get(middle)?
    } else {
        means.get(middle.checked_sub(1)?)?.midpoint(*means.get(middle)?)
    };
    Some(libm::exp(median))
}

/// The fewest samples of which [`sum_interval`] is given: below it a percentile bootstrap is too narrow to keep its word.
pub const INTERVAL_LEAST: usize = 20;

/// The 95 % percentile-bootstrap interval of a sum of differences: 2,000 resamples of as many as there are, drawn with a
/// fixed seed, so that the same samples give the same interval; `None` below [`INTERVAL_LEAST`].
#[must_use]
pub fn sum_interval(differences: &[i128]) -> Option<(i128, i128)> {
    const RESAMPLES: usize = 2000;
    if differences.len() < INTERVAL_LEAST {
        return None;
    }
    let many = u128::try_from(differences.len()).ok()?;
    let mut state = 0x5eed_u64;
    let mut draw = || {
        // splitmix64
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let at = (u128::from(z ^ (z >> 31)) * many) >> 64;
        differences[usize::try_from(at).unwrap_or(0)]
    };
    let mut sums: Vec<i128> = (0..RESAMPLES).map(|_| (0..differences.len()).map(|_| draw()).sum()).collect();
    sums.sort_unstable();
    Some((sums[RESAMPLES / 40 - 1], sums[RESAMPLES - RESAMPLES / 40]))
}

fn float(count: u64) -> f64 {
    small(usize::try_from(count).unwrap_or(usize::MAX))
}

/// Exact below 2^32, which no sample here reaches.
fn small(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_share_is_wilsons() {
        let low = |s, n| wilson(s, n).unwrap().0;
        for (successes, n, percent) in
            [(1, 1, 20.7), (10, 10, 72.2), (20, 20, 83.9), (100, 100, 96.3), (1000, 1000, 99.6)]
        {
            assert!((low(successes, n) * 100.0 - percent).abs() < 0.06, "{successes}/{n}: {}", low(successes, n));
        }
        assert_eq!(wilson(0, 0), None);
    }

    #[test]
    fn a_health_is_only_said_where_the_sample_allows_it() {
        assert_eq!(Health::of(20, 20), Health::Unknown);
        assert_eq!(Health::of(100, 100), Health::Up);
        assert_eq!(Health::of(80, 100), Health::Degraded);
        assert_eq!(Health::of(10, 100), Health::Down);
        assert_eq!(Health::of(0, 0), Health::Unknown);
    }

    /// Numbers from 0 to 1 that look drawn, the same ones each time.
    pub(crate) fn uniform(seed: u64) -> impl FnMut() -> f64 {
        let mut state = seed;
        move || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            f64::from(u32::try_from(state >> 33).unwrap()) / f64::from(1_u32 << 31)
        }
    }

    const RUNS: u32 = 10_000;

    /// V22: of 10,000 samples of a share that is known, at least nine of ten intervals hold it.
    #[test]
    fn the_interval_of_a_share_keeps_its_word() {
        let mut uniform = uniform(22);
        for (share, n) in [(0.5, 10), (0.9, 5), (0.9, 10), (0.9, 20), (0.95, 10), (0.95, 50), (0.99, 20), (0.99, 100)] {
            let holds = |_: &u32| {
                let successes = (0..n).filter(|_| uniform() < share).count();
                wilson(u64::try_from(successes).unwrap(), n).is_some_and(|(low, high)| low <= share && share <= high)
            };
            let held = (0..RUNS).filter(holds).count();
            assert!(held * 100 >= 90 * usize::try_from(RUNS).unwrap(), "{share} of {n}: {held} of {RUNS}");
        }
    }

    /// V22: of 10,000 samples at least 95 % of the intervals hold the median, however skewed the waits are.
    #[test]
    fn the_interval_of_a_median_keeps_its_word() {
        let mut uniform = uniform(23);
        // The median of an exponential is ln 2; its tail is that of a provider that is sometimes slow.
        for n in [6, 8, 10, 15, 20, 30] {
            let (low, high) = median_ranks(n).unwrap();
            let holds = |_: &u32| {
                let mut waits: Vec<f64> = (0..n).map(|_| -libm::log(1.0 - uniform())).collect();
                waits.sort_by(f64::total_cmp);
                waits[low - 1] <= core::f64::consts::LN_2 && core::f64::consts::LN_2 <= waits[high - 1]
            };
            let held = (0..RUNS).filter(holds).count();
            assert!(held * 100 >= 95 * usize::try_from(RUNS).unwrap(), "{n}: {held} of {RUNS}");
        }
    }

    #[test]
    fn the_ranks_around_the_median_are_the_published_ones() {
        let known = [
            (6, (1, 6)),
            (8, (1, 8)),
            (10, (2, 9)),
            (12, (3, 10)),
            (15, (4, 12)),
            (20, (6, 15)),
            (30, (10, 21)),
            (50, (18, 33)),
        ];
        for (n, ranks) in known {
            assert_eq!(median_ranks(n), Some(ranks), "{n}");
        }
        assert_eq!(median_ranks(5), None);
    }

    #[test]
    fn a_percentile_below_its_floor_is_none() {
        let samples: Vec<u32> = (1..=473).collect();
        assert_eq!(Percentile::P50.of(&samples[..7]), None);
        assert_eq!(Percentile::P50.of(&samples[..8]), Some(4));
        assert_eq!(Percentile::P90.of(&samples[..45]), None);
        assert_eq!(Percentile::P95.of(&samples[..93]), Some(89));
        assert_eq!(Percentile::P99.of(&samples), Some(469));
    }

    #[test]
    fn the_signed_rank_test_is_exact() {
        // The smallest p of n pairs is 2 / 2^n: below eight pairs it cannot reach 0.01.
        let apart: Vec<f64> = (1..=8).map(f64::from).collect();
        assert!((signed_rank_p(&apart) - 2.0 / 256.0).abs() < 1e-12);
        assert!((signed_rank_p(&apart[..7]) - 2.0 / 128.0).abs() < 1e-12);
        // Ties share their mean rank: 4 of 16 assignments are as extreme as all four the same way round.
        assert!((signed_rank_p(&[1.0, 1.0, -1.0, -1.0]) - 1.0).abs() < 1e-12);
        assert!((signed_rank_p(&[]) - 1.0).abs() < 1e-12);
        // The negative ranks are 1 and 3: 7 of the 128 assignments have a sum of at most 4.
        assert!((signed_rank_p(&[1.1, -2.3, 3.2, 4.8, 5.5, -0.4, 7.1]) - 0.109_375).abs() < 1e-12);
    }

    #[test]
    fn the_interval_of_a_sum_is_about_two_standard_errors_wide_and_always_the_same() {
        let even: Vec<i128> = (0..100).map(|at| if at % 2 == 0 { 1000 } else { -1000 }).collect();
        let (low, high) = sum_interval(&even).unwrap();
        // The standard error of the sum is 1,000 times the root of 100.
        assert!((-23_000..-17_000).contains(&low) && (17_000..23_000).contains(&high), "{low} {high}");
        assert_eq!(sum_interval(&even), Some((low, high)));
        assert_eq!(sum_interval(&[5; 20]), Some((100, 100)));
        assert_eq!(sum_interval(&[5; 19]), None);
        // About 95 of 100 intervals of samples around zero contain it.
        let mut state = 1_u64;
        let mut sample = || {
            let mut sum = 0;
            for _ in 0..12 {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                sum += i128::from(state >> 40) - (1 << 23);
            }
            sum
        };
        let kept = (0..200).filter(|_| {
            let sample: Vec<i128> = (0..40).map(|_| sample()).collect();
            sum_interval(&sample).is_some_and(|(low, high)| low <= 0 && 0 <= high)
        });
        let kept = kept.count();
        assert!((180..=198).contains(&kept), "{kept} of 200");
    }

    #[test]
    fn a_ratio_of_pairs_ignores_an_outlier() {
        let pairs = [(2.0, 1.0), (4.0, 2.0), (1.0, 0.5), (100.0, 1.0)];
        let ratio = paired_ratio(&pairs).unwrap();
        assert!((1.9..3.0).contains(&ratio), "{ratio}");
        assert_eq!(paired_ratio(&[]), None);
    }
}
