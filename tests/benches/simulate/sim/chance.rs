//! Chance as a function of names: what happens to (request, host, try) depends on the seed and on these alone, so every
//! router meets the same world whatever it does (common random numbers).

/// What a draw is for, so that no two purposes share one.
#[derive(Debug, Clone, Copy)]
pub enum For {
    Arrival,
    Session,
    Size,
    Gap,
    Episode,
    Fate,
    First,
    Tail,
    Speed,
    Cache,
    Cut,
    Delay,
    Belief,
    Choice,
}

/// A stream of draws that belongs to one name.
#[derive(Debug, Clone, Copy)]
pub struct Draw(u64);

impl Draw {
    pub fn of(seed: u64, purpose: For, [a, b, c]: [u64; 3]) -> Self {
        let mut state =
            seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (purpose as u64 + 1).wrapping_mul(0xd6e8_feb8_6659_fd93);
        for word in [a, b, c] {
            state = scrambled(state ^ word.wrapping_mul(0xa076_1d64_78bd_642f).wrapping_add(0x2545_f491_4f6c_dd1d));
        }
        Self(state)
    }

    /// Uniform in the open interval (0, 1).
    pub fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        ((scrambled(self.0) >> 11) as f64 + 0.5) / 9_007_199_254_740_992.0
    }

    /// Exponential with this mean.
    pub fn exponential(&mut self, mean: f64) -> f64 {
        -mean * libm::log(self.unit())
    }

    /// Lognormal with this median; `sigma` is of the logarithm.
    pub fn lognormal(&mut self, median: f64, sigma: f64) -> f64 {
        median * libm::exp(sigma * self.normal())
    }

    /// Standard normal (Box and Muller).
    pub fn normal(&mut self) -> f64 {
        let radius = libm::sqrt(-2.0 * libm::log(self.unit()));
        radius * libm::cos(2.0 * core::f64::consts::PI * self.unit())
    }

    /// A whole number below `bound`.
    pub fn below(&mut self, bound: usize) -> usize {
        ((self.unit() * bound as f64) as usize).min(bound.saturating_sub(1))
    }
}

/// The finalizer of splitmix64.
fn scrambled(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
