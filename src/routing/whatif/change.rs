//! One thing changed and nothing else.

use std::borrow::Cow;
use std::time::Duration;

use super::{Change, Question};
use crate::catalog::EndpointId;
use crate::catalog::price::Rate;
use crate::observe::Moments;
use crate::routing::{Candidate, Credential, Decision, Policy, decide};
use crate::units::{Usd, UsdPerMtok};

/// A question with one thing changed, to be asked at many values: all that stays is copied once.
pub(super) struct Varied<'a, 'b> {
    question: &'b Question<'a>,
    change: &'b Change,
    candidates: Cow<'b, [Candidate<'a>]>,
    policy: Cow<'b, Policy>,
}

impl<'a, 'b> Varied<'a, 'b> {
    pub(super) fn new(question: &'b Question<'a>, change: &'b Change) -> Self {
        let (candidates, policy) = (Cow::Borrowed(question.candidates), Cow::Borrowed(question.policy));
        Self { question, change, candidates, policy }
    }

    /// The decision at a value, in the unit of the change.
    pub(super) fn at(&mut self, value: u64) -> Decision {
        match self.change {
            Change::TimeValue => self.policy = Cow::Owned(self.question.policy.with_time_value(hourly(value))),
            Change::Price { endpoint, item } => {
                if let Some(pricing) =
                    self.candidate(endpoint).and_then(|candidate| candidate.endpoint.to_mut().pricing.as_mut())
                {
                    // One flat rate, whatever the size and the hour.
                    pricing.rates.insert(*item, Rate::flat(UsdPerMtok::from_millionths(value)));
                    if let Some(off_peak) = pricing.off_peak.as_mut() {
                        off_peak.rates.remove(item);
                    }
                }
            }
            Change::Ttft { endpoint } => {
                if let Some(candidate) = self.candidate(endpoint) {
                    answers_in(candidate, value);
                }
            }
        }
        let Question { request, now, seed, .. } = *self.question;
        decide(request, &self.candidates, &self.policy, now, seed)
    }

    /// Who goes first at a value.
    pub(super) fn first(&mut self, value: u64) -> Option<EndpointId> {
        self.at(value).ranked.into_iter().next().map(|entry| entry.endpoint)
    }

    fn candidate(&mut self, endpoint: &EndpointId) -> Option<&mut Candidate<'a>> {
        let at = self.candidates.iter().position(|known| known.endpoint.id == *endpoint)?;
        self.candidates.to_mut().get_mut(at)
    }
}

/// The candidate with a key and all settings.
pub(super) fn cured<'a>(candidate: &Candidate<'a>) -> Candidate<'a> {
    Candidate { credential: Credential::Supposed, missing_settings: Vec::new(), ..candidate.clone() }
}

/// The candidate as if its time to the first token were known for sure.
fn answers_in(candidate: &mut Candidate<'_>, millis: u64) {
    let seconds = float(i64::try_from(millis.max(1)).unwrap_or(i64::MAX)) / 1000.0;
    let sure = Moments { weight: 1e12, mean: libm::log(seconds), squares: 0.0 };
    let stats = &mut candidate.stats;
    (stats.ttft, stats.ttft_lasting, stats.ttft_by_size) = (sure, sure, [sure; crate::observe::InputSize::KNOWN]);
    stats.age = stats.age.or(Some(Duration::ZERO));
}

/// Dollars an hour from millionths.
pub(super) fn hourly(millionths: u64) -> Usd {
    Usd::from_pico(i64::try_from(millionths.saturating_mul(1_000_000)).unwrap_or(i64::MAX))
}

pub(super) fn millis(seconds: f64) -> u64 {
    whole(seconds.clamp(0.0, 1e6) * 1000.0)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the callers keep the value in range")]
pub(super) fn whole(value: f64) -> u64 {
    libm::rint(value) as u64
}

#[expect(clippy::cast_precision_loss, reason = "it only says where to look; `decide` says what is there")]
pub(super) const fn float(value: i64) -> f64 {
    value as f64
}
