//! How long the answer is expected to be: as it was stated, as the user's own answers were, or as is assumed.

use super::{Policy, RouteRequest};
use crate::observe::Moments;
use crate::units::Tokens;

/// Where the expected length of an answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Expected {
    /// The user stated it: nothing changes it.
    Stated,
    /// From the user's own answers of this model, leant on what is assumed.
    Measured {
        /// Decayed number of answers, as a whole number; at least 1.
        answers: u64,
    },
    /// A stated prior: no answer of this model was seen.
    #[default]
    Assumed,
}

impl Expected {
    /// The word in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stated => "stated",
            Self::Measured { .. } => "measured",
            Self::Assumed => "assumed",
        }
    }
}

impl RouteRequest {
    /// The input tokens that are known to be there, as far as counting characters knows: without what is guessed.
    #[must_use]
    pub fn known_input(&self) -> Tokens {
        self.input.saturating_sub(self.guessed)
    }

    /// The same request with the output that the answers so far let expect, unless it was stated; never more than was
    /// asked for. `answers` are the logarithms of output tokens, by endpoint of the model.
    ///
    /// What is expected is the mean of the tokens themselves, because a cost is linear in them.
    #[must_use]
    pub fn learned<'a>(mut self, answers: impl IntoIterator<Item = &'a Moments>, policy: &Policy) -> Self {
        if self.output_from == Expected::Stated {
            return self;
        }
        let seen = answers.into_iter().fold(Moments::default(), |all, one| all.and(one));
        let most = self.max_output.unwrap_or(Tokens::MAX);
        if seen.weight < FEWEST {
            self.expected_output = policy.prior_output.min(most);
            self.output_from = Expected::Assumed;
            return self;
        }
        let prior = (libm::log(float(policy.prior_output.count())), 0.0);
        let (mean, variance) = seen.shrunk(prior, policy.prior_answers);
        self.expected_output = Tokens::new(whole(libm::exp(mean + variance / 2.0)).max(1)).min(most);
        self.output_from = Expected::Measured { answers: whole(seen.weight).max(1) };
        self
    }
}

/// Less than this is left of a single answer after half an hour of its lasting half-life: it says nothing any more.
const FEWEST: f64 = 0.05;

#[expect(clippy::cast_precision_loss, reason = "a count of tokens is far below 2^53")]
fn float(tokens: u64) -> f64 {
    tokens as f64
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is held within what no answer exceeds")]
fn whole(value: f64) -> u64 {
    libm::rint(value.clamp(0.0, 1e9)) as u64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::ModelId;
    use crate::routing::{Constraints, Needs};
    use proptest::prelude::*;

    fn request(max_output: Option<u64>, output_from: Expected) -> RouteRequest {
        RouteRequest {
            model: ModelId::new("a/b"),
            input: Tokens::new(1000),
            input_estimated: true,
            guessed: Tokens::ZERO,
            input_bound: Tokens::new(4000),
            cached: Tokens::ZERO,
            expected_output: Tokens::new(400),
            output_from,
            max_output: max_output.map(Tokens::new),
            stream: true,
            needs: Needs::default(),
            warm: Vec::new(),
            state: Vec::new(),
            continues: false,
            constraints: Constraints::default(),
        }
    }

    fn answers(of: u64, many: f64) -> Moments {
        Moments { weight: many, mean: libm::log(float(of)), squares: 0.0 }
    }

    fn expected(request: RouteRequest, seen: &[Moments]) -> (u64, Expected) {
        let learned = request.learned(seen, &Policy::default());
        (learned.expected_output.count(), learned.output_from)
    }

    #[test]
    fn what_was_stated_stays_and_what_is_not_known_is_assumed() {
        let seen = [answers(4000, 50.0)];
        assert_eq!(expected(request(None, Expected::Stated), &seen), (400, Expected::Stated));
        assert_eq!(expected(request(None, Expected::Assumed), &[]), (250, Expected::Assumed));
        assert_eq!(expected(request(Some(50), Expected::Assumed), &[]), (50, Expected::Assumed));
        let faded = [answers(4000, 0.01)];
        assert_eq!(expected(request(None, Expected::Assumed), &faded), (250, Expected::Assumed));
    }

    #[test]
    fn four_answers_weigh_as_much_as_what_is_assumed() {
        // Half-way between ln 250 and ln 4000 is ln 1000.
        let seen = [answers(4000, 3.0), answers(4000, 1.0)];
        assert_eq!(expected(request(None, Expected::Assumed), &seen), (1000, Expected::Measured { answers: 4 }));
        assert_eq!(expected(request(Some(600), Expected::Assumed), &seen).0, 600);
    }

    #[test]
    fn answers_that_vary_are_longer_on_average_than_their_middle() {
        let even = [answers(250, 40.0)];
        let varied = [Moments { squares: 40.0, ..even[0] }];
        assert_eq!(expected(request(None, Expected::Assumed), &even).0, 250);
        // The variance 1 shrinks to 40/44.
        let mean = 250.0 * libm::exp(40.0 / 44.0 / 2.0);
        assert_eq!(expected(request(None, Expected::Assumed), &varied).0, whole(mean));
    }

    proptest! {
        #[test]
        fn it_lies_between_what_is_assumed_and_what_was_seen(of in 1_u64..100_000, many in 0.1_f64..500.0, cut in 0_usize..3) {
            let parts = [answers(of, many / 3.0); 3];
            let (got, from) = expected(request(None, Expected::Assumed), &parts);
            prop_assert!(got >= of.min(250).saturating_sub(1) && got <= of.max(250) + 1, "{got} of {of}");
            prop_assert_eq!(from.name(), "measured");
            // However the answers lie over the endpoints.
            let merged = [parts[..cut].iter().chain(&parts[cut..]).fold(Moments::default(), |all, one| all.and(one))];
            prop_assert!(expected(request(None, Expected::Assumed), &merged).0.abs_diff(got) <= 1);
        }
    }
}
