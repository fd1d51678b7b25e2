//! The policy as text.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Float, Span, StoreError, named, parsed, span, time};
use crate::observe::Learning;
use crate::routing::{Policy, Preset, Rule};
use crate::units::Tokens;

#[derive(Debug, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Trade {
    preset: Option<String>,
    rule: String,
    wait: String,
    stream: String,
    retry: String,
    failure: Span,
    reject: Span,
    reject_cost: String,
    learning: Lesson,
    speed: Float,
    speed_samples: Float,
    lasting_speed_samples: Float,
    availability: Float,
    attempts: Float,
    lasting_attempts: Float,
    cache_hit: Float,
    cache_attempts: Float,
    continuation: Float,
    cache_lifetime: Span,
    cache_min: u64,
    output: u64,
    answers: Float,
    near_tie: u32,
    ramp_step: Span,
    ramp_free: u32,
    max_attempts: u32,
    retries: u32,
    first_token_factor: Float,
    first_token_per_1k: Span,
    first_token_min: Span,
    first_token_max: Span,
    first_token_hidden: Span,
}

impl Default for Trade {
    fn default() -> Self {
        let mut trade = Self::of(&Policy::default());
        // A policy without a name is one that `--time-value` made.
        trade.preset = None;
        // What an old row does not say was fixed then, at this.
        (trade.speed_samples, trade.lasting_speed_samples) = (Float(4.0), Float(4.0));
        (trade.first_token_factor, trade.first_token_per_1k) = (Float(4.0), span(Duration::ZERO));
        trade.ramp_step = span(Duration::ZERO);
        trade
    }
}

impl Trade {
    pub(super) fn of(policy: &Policy) -> Self {
        let Policy {
            preset,
            rule,
            wait_value,
            stream_value,
            retry_cost,
            failure_wait,
            reject_wait,
            reject_cost,
            learning,
            prior_speed,
            prior_speed_samples,
            lasting_speed_samples,
            prior_availability,
            prior_attempts,
            lasting_attempts,
            prior_cache_hit,
            prior_cache_attempts,
            continuation,
            cache_lifetime,
            cache_min,
            prior_output,
            prior_answers,
            near_tie_percent,
            ramp_step,
            ramp_free,
            max_attempts,
            retries,
            first_token_factor,
            first_token_per_1k,
            first_token_min,
            first_token_max,
            first_token_hidden,
        } = policy;
        Self {
            preset: preset.map(|preset| preset.name().to_owned()),
            rule: rule.name().to_owned(),
            wait: wait_value.exact(),
            stream: stream_value.exact(),
            retry: retry_cost.exact(),
            failure: span(*failure_wait),
            reject: span(*reject_wait),
            reject_cost: reject_cost.exact(),
            learning: Lesson::of(learning),
            speed: Float(*prior_speed),
            speed_samples: Float(*prior_speed_samples),
            lasting_speed_samples: Float(*lasting_speed_samples),
            availability: Float(*prior_availability),
            attempts: Float(*prior_attempts),
            lasting_attempts: Float(*lasting_attempts),
            cache_hit: Float(*prior_cache_hit),
            cache_attempts: Float(*prior_cache_attempts),
            continuation: Float(*continuation),
            cache_lifetime: span(*cache_lifetime),
            cache_min: cache_min.count(),
            output: prior_output.count(),
            answers: Float(*prior_answers),
            near_tie: *near_tie_percent,
            ramp_step: span(*ramp_step),
            ramp_free: *ramp_free,
            max_attempts: *max_attempts,
            retries: *retries,
            first_token_factor: Float(*first_token_factor),
            first_token_per_1k: span(*first_token_per_1k),
            first_token_min: span(*first_token_min),
            first_token_max: span(*first_token_max),
            first_token_hidden: span(*first_token_hidden),
        }
    }

    pub(super) fn value(self) -> Result<Policy, StoreError> {
        Ok(Policy {
            // A preset of a newer version is its numbers, without its name.
            preset: self.preset.as_deref().and_then(Preset::parse),
            rule: named("rule", &self.rule, |name| Rule::ALL.into_iter().find(|rule| rule.name() == name))?,
            wait_value: parsed("value of time", &self.wait)?,
            stream_value: parsed("value of time", &self.stream)?,
            retry_cost: parsed("amount", &self.retry)?,
            failure_wait: time(self.failure),
            reject_wait: time(self.reject),
            reject_cost: parsed("amount", &self.reject_cost)?,
            learning: self.learning.value(),
            prior_speed: self.speed.0,
            prior_speed_samples: self.speed_samples.0,
            lasting_speed_samples: self.lasting_speed_samples.0,
            prior_availability: self.availability.0,
            prior_attempts: self.attempts.0,
            lasting_attempts: self.lasting_attempts.0,
            prior_cache_hit: self.cache_hit.0,
            prior_cache_attempts: self.cache_attempts.0,
            continuation: self.continuation.0,
            cache_lifetime: time(self.cache_lifetime),
            cache_min: Tokens::new(self.cache_min),
            prior_output: Tokens::new(self.output),
            prior_answers: self.answers.0,
            near_tie_percent: self.near_tie,
            ramp_step: time(self.ramp_step),
            ramp_free: self.ramp_free,
            max_attempts: self.max_attempts,
            retries: self.retries,
            first_token_factor: self.first_token_factor.0,
            first_token_per_1k: time(self.first_token_per_1k),
            first_token_min: time(self.first_token_min),
            first_token_max: time(self.first_token_max),
            first_token_hidden: time(self.first_token_hidden),
        })
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(default)]
struct Lesson {
    rate_base: Span,
    half_life_min: Span,
    half_life_max: Span,
    cap: Float,
    recent: Span,
    lasting_factor: Float,
    lasting_min: Span,
    lasting_max: Span,
    ttft: Float,
    ttft_variance: Float,
    samples: Float,
    doubt: Float,
    lasting_samples: Float,
    failure_share: Float,
}

impl Default for Lesson {
    fn default() -> Self {
        // As above.
        Self { doubt: Float(0.0), lasting_samples: Float(4.0), ..Self::of(&Learning::default()) }
    }
}

impl Lesson {
    fn of(learning: &Learning) -> Self {
        let Learning {
            rate_base,
            half_life_min,
            half_life_max,
            cap,
            recent,
            lasting_factor,
            lasting_min,
            lasting_max,
            prior_ttft_s,
            prior_ttft_variance,
            prior_samples,
            prior_ttft_doubt,
            lasting_samples,
            failure_share,
        } = learning;
        Self {
            rate_base: span(*rate_base),
            half_life_min: span(*half_life_min),
            half_life_max: span(*half_life_max),
            cap: Float(*cap),
            recent: span(*recent),
            lasting_factor: Float(*lasting_factor),
            lasting_min: span(*lasting_min),
            lasting_max: span(*lasting_max),
            ttft: Float(*prior_ttft_s),
            ttft_variance: Float(*prior_ttft_variance),
            samples: Float(*prior_samples),
            doubt: Float(*prior_ttft_doubt),
            lasting_samples: Float(*lasting_samples),
            failure_share: Float(*failure_share),
        }
    }

    fn value(self) -> Learning {
        Learning {
            rate_base: time(self.rate_base),
            half_life_min: time(self.half_life_min),
            half_life_max: time(self.half_life_max),
            cap: self.cap.0,
            recent: time(self.recent),
            lasting_factor: self.lasting_factor.0,
            lasting_min: time(self.lasting_min),
            lasting_max: time(self.lasting_max),
            prior_ttft_s: self.ttft.0,
            prior_ttft_variance: self.ttft_variance.0,
            prior_samples: self.samples.0,
            prior_ttft_doubt: self.doubt.0,
            lasting_samples: self.lasting_samples.0,
            failure_share: self.failure_share.0,
        }
    }
}
