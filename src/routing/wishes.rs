//! What a request asks of an endpoint beside room and price: thresholds on what is estimated, and abilities that some
//! source must state.

use super::{Basis, Constraints, Estimate, Expectation};
use crate::catalog::geo::geographies;
use crate::catalog::{Capability, Endpoint, Modality};

/// An estimate that can be limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Measure {
    /// Expected time to the first token, in seconds: at most.
    Ttft,
    /// Decode speed, in tokens per second: at least.
    Throughput,
    /// The chance that an attempt succeeds, 0 to 1: at least.
    Availability,
}

impl Measure {
    /// Every measure.
    pub const ALL: [Self; 3] = [Self::Ttft, Self::Throughput, Self::Availability];

    /// The flag that limits it.
    #[must_use]
    pub const fn flag(self) -> &'static str {
        match self {
            Self::Ttft => "--max-ttft",
            Self::Throughput => "--min-throughput",
            Self::Availability => "--min-availability",
        }
    }

    /// The member in JSON, with its unit.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ttft => "max_ttft_s",
            Self::Throughput => "min_tokens_per_s",
            Self::Availability => "min_availability",
        }
    }

    const fn of(self, expectation: &Expectation) -> Estimate {
        match self {
            Self::Ttft => expectation.ttft_s,
            Self::Throughput => expectation.tokens_per_s,
            Self::Availability => expectation.availability,
        }
    }
}

/// What is known of an endpoint against a threshold. What was not measured is neither a pass nor a fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// It was measured, and keeps to it.
    Within,
    /// It was measured, and does not: the estimate, in millionths of the measure's unit.
    Beyond(u64),
    /// Nothing was measured, or so long ago that it says nothing.
    Unmeasured,
}

/// A limit on an estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    /// On what.
    pub measure: Measure,
    /// The limit, in millionths of the measure's unit.
    pub millionths: u64,
    /// Whether what is measured beyond it is rejected (`require:`); else it only goes behind the others (`prefer:`).
    pub firm: bool,
}

/// Below so many (decayed) samples an estimate is the prior's word and nobody's measurement.
const LEAST_SAMPLES: f64 = 0.5;

impl Threshold {
    /// How an endpoint of which this is expected stands to it.
    #[must_use]
    pub fn judge(&self, expectation: &Expectation) -> Judgement {
        let estimate = self.measure.of(expectation);
        match estimate.basis {
            Basis::Measured { n, .. } if n >= LEAST_SAMPLES => {}
            _ => return Judgement::Unmeasured,
        }
        let found = millionths(estimate.value);
        let within = match self.measure {
            Measure::Ttft => found <= self.millionths,
            Measure::Throughput | Measure::Availability => found >= self.millionths,
        };
        if within { Judgement::Within } else { Judgement::Beyond(found) }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the value is clamped into range")]
fn millionths(value: f64) -> u64 {
    libm::rint(value.clamp(0.0, 1e9) * 1e6) as u64
}

/// Something that some source must say an endpoint can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ability {
    /// It can do this.
    Can(Capability),
    /// It takes this as input.
    Takes(Modality),
}

impl Ability {
    /// Every ability that can be required.
    pub const ALL: [Self; 11] = [
        Self::Can(Capability::Tools),
        Self::Can(Capability::ParallelTools),
        Self::Can(Capability::Structured),
        Self::Can(Capability::Reasoning),
        Self::Can(Capability::Cache),
        Self::Can(Capability::WebSearch),
        Self::Can(Capability::ComputerUse),
        Self::Takes(Modality::Image),
        Self::Takes(Modality::Pdf),
        Self::Takes(Modality::Audio),
        Self::Takes(Modality::Video),
    ];

    /// The word of `--require`, as in the lists' `CAN` column.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Can(capability) => capability.name(),
            Self::Takes(Modality::Image) => "vision",
            Self::Takes(other) => other.name(),
        }
    }

    /// The ability of that word; `-` and `_` mean the same.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        let word = word.to_ascii_lowercase().replace('-', "_");
        Self::ALL.into_iter().find(|ability| ability.name() == word)
    }

    /// Whether some source says so.
    #[must_use]
    pub fn stated(self, endpoint: &Endpoint) -> bool {
        match self {
            Self::Can(capability) => endpoint.can(capability),
            Self::Takes(modality) => endpoint.input.contains(&modality),
        }
    }
}

impl Constraints {
    /// Whether an endpoint's quantisation may be used.
    #[must_use]
    pub fn takes_quantization(&self, endpoint: &Endpoint) -> bool {
        let own = endpoint.quant.as_deref().unwrap_or("unknown");
        self.quantization.is_empty() || self.quantization.iter().any(|wanted| wanted.eq_ignore_ascii_case(own))
    }

    /// Whether an endpoint lies in the region that is required. Where nobody says where it is, it does not: data may not
    /// leave a region on a guess.
    #[must_use]
    pub fn takes_region(&self, endpoint: &Endpoint) -> bool {
        let Some(wanted) = &self.region else { return true };
        let within = |own: &str| own == wanted || geographies(own).contains(&wanted.as_str());
        endpoint.region.as_deref().is_some_and(within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abilities_have_one_word_each_and_it_is_read_back() {
        for ability in Ability::ALL {
            assert_eq!(Ability::parse(ability.name()), Some(ability));
        }
        assert_eq!(Ability::parse("Parallel-Tools"), Some(Ability::Can(Capability::ParallelTools)));
        assert_eq!(Ability::parse("telepathy"), None);
    }
}
