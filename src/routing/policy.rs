//! What is traded ([`Policy`]: data, so it prints) and what is not negotiable ([`Constraints`]).

use std::time::Duration;

use super::{Ability, Rule, Threshold};
use crate::catalog::ProviderId;
use crate::observe::Learning;
use crate::units::{Tokens, Usd, UsdPerMtok, UsdPerSecond};

/// Output tokens that are expected where nothing better is known (`decisions.md` 13).
pub const PRIOR_OUTPUT: Tokens = Tokens::new(250);

/// A named trade between money and time, or the rule of a hosted system by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Preset {
    /// Waiting costs next to nothing.
    Price,
    /// Half a cent for a second of waiting ($18 an hour).
    Balanced,
    /// Two cents for a second before the first token.
    Latency,
    /// Two cents for a second of the answer's own length.
    Throughput,
    /// ZenMux's rule: the shortest time to the first token.
    Zenmux,
    /// ZenMux's earlier rule: the author's own endpoint, then the shortest time to the first token.
    ZenmuxOrigin,
    /// OpenRouter's earlier rule: no fault in the last 30 s, then a draw by 1/price².
    OpenrouterClassic,
    /// As `--order` lists them, the others by name.
    Order,
}

impl Preset {
    /// Every preset.
    pub const ALL: [Self; 8] = [
        Self::Price,
        Self::Balanced,
        Self::Latency,
        Self::Throughput,
        Self::Zenmux,
        Self::ZenmuxOrigin,
        Self::OpenrouterClassic,
        Self::Order,
    ];

    /// The word of `--prefer`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Price => "price",
            Self::Balanced => "balanced",
            Self::Latency => "latency",
            Self::Throughput => "throughput",
            Self::Zenmux => "zenmux",
            Self::ZenmuxOrigin => "zenmux-origin",
            Self::OpenrouterClassic => "openrouter-classic",
            Self::Order => "order",
        }
    }

    /// The preset of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|preset| preset.name() == name)
    }

    /// By what it orders.
    #[must_use]
    pub const fn rule(self) -> Rule {
        match self {
            Self::Price | Self::Balanced | Self::Latency | Self::Throughput => Rule::Score,
            Self::Zenmux => Rule::Ttft,
            Self::ZenmuxOrigin => Rule::OriginFirst,
            Self::OpenrouterClassic => Rule::InverseSquarePrice,
            Self::Order => Rule::Listed,
        }
    }

    /// Dollars a second before the first token, and dollars a second of the answer after it (`routing.md`).
    const fn time_values(self) -> (&'static str, &'static str) {
        match self {
            Self::Price => ("0.0002", "0"),
            // A hosted system's rule does not weigh time; its terms are printed all the same.
            Self::Balanced | Self::Zenmux | Self::ZenmuxOrigin | Self::OpenrouterClassic | Self::Order => {
                ("0.005", "0.0015")
            }
            Self::Latency => ("0.02", "0.002"),
            Self::Throughput => ("0.002", "0.02"),
        }
    }
}

/// Everything that a decision weighs with: all constants are data, and `route explain -v` prints them.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// The preset it was made from; `None` where `--time-value` set the value of time.
    pub preset: Option<Preset>,
    /// By what the usable endpoints are ordered.
    pub rule: Rule,
    /// What a second before the first token is worth.
    pub wait_value: UsdPerSecond,
    /// What a second of the answer's own length is worth.
    pub stream_value: UsdPerSecond,
    /// What a failed attempt costs beside the time it wastes.
    pub retry_cost: Usd,
    /// Seconds that a failed attempt wastes.
    pub failure_wait: Duration,
    /// Seconds that a rejected (429) round trip wastes.
    pub reject_wait: Duration,
    /// What a rejected round trip costs beside its time.
    pub reject_cost: Usd,
    /// How attempts are folded into estimates; the prior of the time to first token is there.
    pub learning: Learning,
    /// Decode speed where nothing was measured, in tokens per second.
    pub prior_speed: f64,
    /// How many answers that prior weighs: few, because the speed of an endpoint hardly differs from answer to answer.
    pub prior_speed_samples: f64,
    /// How many answers the speed of the long run weighs beside those of late.
    pub lasting_speed_samples: f64,
    /// Availability where nothing was measured.
    pub prior_availability: f64,
    /// How many attempts the prior of availability weighs.
    pub prior_attempts: f64,
    /// How many attempts the lasting availability weighs beside those of the last minutes.
    pub lasting_attempts: f64,
    /// The share of a warm prompt that a cache serves where that was never seen.
    pub prior_cache_hit: f64,
    /// How many attempts that prior weighs.
    pub prior_cache_attempts: f64,
    /// The chance that a conversation goes on for another turn.
    pub continuation: f64,
    /// How long a prompt cache keeps what was sent, from the last use.
    pub cache_lifetime: Duration,
    /// The shortest prefix that a prompt cache keeps, where the catalog does not say.
    pub cache_min: Tokens,
    /// Output tokens where no answer of the model was seen.
    pub prior_output: Tokens,
    /// How many answers that prior weighs.
    pub prior_answers: f64,
    /// Two totals are a near-tie within this many percent of the best.
    pub near_tie_percent: u32,
    /// How long each step takes in which an endpoint that comes back after a pause gets more of what comes (`ramp.rs`).
    pub ramp_step: Duration,
    /// So many requests of one process in flight run over nobody who comes back.
    pub ramp_free: u32,
    /// Most attempts for one request.
    pub max_attempts: u32,
    /// Most tries of an endpoint that was tried already.
    pub retries: u32,
    /// How many times the 95th percentile of the wait is the limit for a first token.
    pub first_token_factor: f64,
    /// What a thousand tokens that no cache holds add to the limit for a first token.
    pub first_token_per_1k: Duration,
    /// The shortest limit for a first token, but for that.
    pub first_token_min: Duration,
    /// The longest limit for a first token, unless the model reasons in hiding.
    pub first_token_max: Duration,
    /// The limit for a first token where the model reasons in hiding.
    pub first_token_hidden: Duration,
}

impl Policy {
    /// The policy of a preset. What is assumed of an endpoint that was never called is on the good side, so that it is
    /// called once; the simulation (`tests/benches/simulate`) chose these constants.
    #[must_use]
    pub fn preset(preset: Preset) -> Self {
        let (wait, stream) = preset.time_values();
        let dollars = |text: &str| text.parse::<Usd>().unwrap_or_default();
        Self {
            preset: Some(preset),
            rule: preset.rule(),
            wait_value: wait.parse().unwrap_or_default(),
            stream_value: stream.parse().unwrap_or_default(),
            retry_cost: dollars("0.004"),
            failure_wait: Duration::from_secs(1),
            reject_wait: Duration::from_millis(120),
            reject_cost: dollars("0.0003"),
            learning: Learning::default(),
            prior_speed: 240.0,
            prior_speed_samples: 0.5,
            lasting_speed_samples: 1.0,
            prior_availability: 0.992,
            prior_attempts: 8.0,
            lasting_attempts: 2.0,
            prior_cache_hit: 0.8,
            prior_cache_attempts: 2.0,
            continuation: 0.7,
            cache_lifetime: Duration::from_secs(300),
            cache_min: Tokens::new(1024),
            prior_output: PRIOR_OUTPUT,
            prior_answers: 4.0,
            near_tie_percent: 2,
            ramp_step: Duration::from_secs(10),
            ramp_free: 32,
            max_attempts: 4,
            retries: 2,
            first_token_factor: 2.0,
            first_token_per_1k: Duration::from_millis(100),
            first_token_min: Duration::from_secs(3),
            first_token_max: Duration::from_secs(30),
            first_token_hidden: Duration::from_secs(120),
        }
    }

    /// The balanced policy with another value of time, in dollars an hour; the answer's own length weighs 0.3 of it.
    #[must_use]
    pub fn time_value(per_hour: Usd) -> Self {
        Self {
            preset: None,
            wait_value: UsdPerSecond::from_hourly(per_hour),
            stream_value: UsdPerSecond::from_hourly(per_hour.share(300_000_000_000)),
            ..Self::preset(Preset::Balanced)
        }
    }
}

impl Policy {
    /// The same with another value of time, in dollars an hour; the answer's own length keeps its share of it.
    #[must_use]
    pub fn with_time_value(&self, per_hour: Usd) -> Self {
        let second = Duration::from_secs(1);
        let pico = |value: UsdPerSecond| (value * second).to_pico().map(i128::from);
        let share = match (pico(self.wait_value), pico(self.stream_value)) {
            (Some(wait), Some(stream)) if wait > 0 => u64::try_from(stream * 1_000_000_000_000 / wait).ok(),
            _ => None,
        };
        let stream = per_hour.share(share.unwrap_or(300_000_000_000));
        Self {
            preset: None,
            wait_value: UsdPerSecond::from_hourly(per_hour),
            stream_value: UsdPerSecond::from_hourly(stream),
            ..self.clone()
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self::preset(Preset::Balanced)
    }
}

/// What is not negotiable.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Constraints {
    /// Providers to try first, in this order; the rest follow by score.
    pub order: Vec<ProviderId>,
    /// The only providers that may be used; empty is all.
    pub only: Vec<ProviderId>,
    /// Providers that may not be used.
    pub ignore: Vec<ProviderId>,
    /// The dearest acceptable input price.
    pub max_price_in: Option<UsdPerMtok>,
    /// The dearest acceptable output price.
    pub max_price_out: Option<UsdPerMtok>,
    /// The dearest acceptable worst case of this request.
    pub max_cost: Option<Usd>,
    /// Whether an endpoint without a known price may be used although priced ones exist.
    pub allow_unpriced: bool,
    /// Whether gateways are left out.
    pub no_gateways: bool,
    /// Limits on what is estimated; at most one of each measure.
    pub thresholds: Vec<Threshold>,
    /// The only quantisations that may be used, in lower case; `unknown` stands for those nobody states. Empty is all.
    pub quantization: Vec<String>,
    /// The only region or geography that may be used.
    pub region: Option<String>,
    /// What some source must say that the endpoint can do.
    pub require: Vec<Ability>,
    /// Whether a sampling hint that an endpoint does not take is left out, instead of the endpoint.
    pub lenient: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_presets_hold_the_values_of_the_design() {
        let shown: Vec<_> = Preset::ALL
            .into_iter()
            .filter(|preset| preset.rule() == Rule::Score)
            .map(|preset| {
                let policy = Policy::preset(preset);
                format!("{} {} {}", preset.name(), policy.wait_value.exact(), policy.stream_value.exact())
            })
            .collect();
        assert_eq!(shown, ["price 0.0002 0", "balanced 0.005 0.0015", "latency 0.02 0.002", "throughput 0.002 0.02"]);
        let policy = Policy::time_value("18".parse().unwrap());
        assert_eq!((policy.wait_value.exact(), policy.stream_value.exact()), ("0.005".into(), "0.0015".into()));
        assert_eq!(policy.retry_cost.exact(), "0.004");
        for hours in ["0", "0.37", "18", "4321.5"].map(|text| text.parse().unwrap()) {
            assert_eq!(Policy::default().with_time_value(hours), Policy::time_value(hours), "{hours}");
        }
        assert!(Preset::ALL.into_iter().all(|preset| Preset::parse(preset.name()) == Some(preset)));
    }
}
