//! One thing changed and nothing else.

use std::time::Duration;

use crate::catalog::Endpoint;
use crate::catalog::price::{Item, Rate};
use crate::observe::Moments;
use crate::routing::{Candidate, Credential};
use crate::units::{Usd, UsdPerMtok};

/// The candidate with a key and all settings.
pub(super) fn cured<'a>(candidate: &Candidate<'a>) -> Candidate<'a> {
    Candidate { credential: Credential::Supposed, missing_settings: Vec::new(), ..candidate.clone() }
}

/// The endpoint with one flat rate, whatever the size and the hour.
pub(super) fn priced(endpoint: &Endpoint, item: Item, rate: UsdPerMtok) -> Endpoint {
    let mut endpoint = endpoint.clone();
    if let Some(pricing) = endpoint.pricing.as_mut() {
        pricing.rates.insert(item, Rate::flat(rate));
        if let Some(off_peak) = pricing.off_peak.as_mut() {
            off_peak.rates.remove(&item);
        }
    }
    endpoint
}

/// The candidate as if its time to the first token were known for sure.
pub(super) fn answers_in(candidate: &mut Candidate<'_>, millis: u64) {
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
