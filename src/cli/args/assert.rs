//! What was typed of `check`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::lists::{At, Window};
use super::values::{
    Shape, ability, days, per_mtok, shape, share_millionths, speed_millionths, tokens, ttft_micros, usd,
};
use crate::routing::Ability;
use crate::units::{Tokens, Usd, UsdPerMtok};

/// `openmux check`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Every assertion is answered ok, no or unknown. Exit 0: all ok. 1: a no, which beats an unknown. Else it \
    could not be told: 3 (nobody knows the model, the provider or the fact, or there are too few samples), 4 (a probe needs \
    a key), 5 (set-up), 11 (a probe's cost or --offline); of several the lowest. `openmux help check` has the file's keys.\n\n\
    Facts are those of the author's own offer, else of the cheapest; --provider asks each that is named. Without an \
    assertion a model must exist and not be retired.\n\n\
    Examples\n  \
    openmux check claude-sonnet-5 --max-price-in 3 --has tools --not-retiring 90d\n  \
    openmux check --file models.check.toml -o github\n  \
    openmux check claude-sonnet-5 --lock models.lock\n  \
    openmux --sandbox check claude-sonnet-5 --max-ttft 5s --probe"
)]
pub struct CheckArgs {
    /// Models: author/slug, a bare slug that one author has, an alias, or model:provider.
    #[arg(value_name = "MODEL")]
    pub models: Vec<String>,
    /// Assertions from a TOML file.
    #[arg(long, value_name = "FILE")]
    pub file: Vec<PathBuf>,
    /// Keep the facts of these models in a file; where it is there, say what has changed since.
    #[arg(long, value_name = "FILE", help_heading = "Lock")]
    pub lock: Option<PathBuf>,
    /// Write the lock anew with the facts of today.
    #[arg(long, requires = "lock", help_heading = "Lock")]
    pub update_lock: bool,
    /// A lock that is not there is an error, in place of being written.
    #[arg(long, requires = "lock", conflicts_with = "update_lock", help_heading = "Lock")]
    pub locked: bool,
    /// Assert the facts of these providers' offers, each, beside the one that a model pins.
    #[arg(long, value_name = "P,P", value_delimiter = ',', help_heading = "Facts")]
    pub provider: Vec<String>,
    /// Input costs at most so many USD per 1M tokens.
    #[arg(long, visible_alias = "max-input-price", value_name = "USD", value_parser = per_mtok, help_heading = "Facts")]
    pub max_price_in: Option<UsdPerMtok>,
    /// Output costs at most so many USD per 1M tokens.
    #[arg(long, visible_alias = "max-output-price", value_name = "USD", value_parser = per_mtok, help_heading = "Facts")]
    pub max_price_out: Option<UsdPerMtok>,
    /// Input from a cache costs at most so many USD per 1M tokens.
    #[arg(long, value_name = "USD", value_parser = per_mtok, help_heading = "Facts")]
    pub max_price_cache_read: Option<UsdPerMtok>,
    /// Writing a cache costs at most so many USD per 1M tokens.
    #[arg(long, value_name = "USD", value_parser = per_mtok, help_heading = "Facts")]
    pub max_price_cache_write: Option<UsdPerMtok>,
    /// One call of the size of --tokens costs at most so many USD.
    #[arg(long, value_name = "USD", value_parser = usd, requires = "tokens", help_heading = "Facts")]
    pub max_call_price: Option<Usd>,
    /// The call that is meant, in tokens: prices and measured figures are of its size.
    #[arg(long, value_name = "IN/OUT[/CACHED]", value_parser = shape, help_heading = "Facts")]
    pub tokens: Option<Shape>,
    /// Context of at least so many tokens: 200k, 1m.
    #[arg(long, value_name = "N", value_parser = tokens, help_heading = "Facts")]
    pub min_context: Option<Tokens>,
    /// Answers of at least so many tokens.
    #[arg(long, value_name = "N", value_parser = tokens, help_heading = "Facts")]
    pub min_output: Option<Tokens>,
    /// It can do these: tools, vision, structured, reasoning, pdf, cache and others of the CAN column.
    #[arg(long, value_name = "CAN,CAN", value_delimiter = ',', value_parser = ability, help_heading = "Facts")]
    pub has: Vec<Ability>,
    /// Neither retired nor to be retired within so many days: 90d.
    #[arg(long, value_name = "DAYS", value_parser = days, help_heading = "Facts")]
    pub not_retiring: Option<u32>,
    /// Each of these serves it.
    #[arg(long, value_name = "P,P", value_delimiter = ',', help_heading = "Facts")]
    pub served_by: Vec<String>,
    /// At least so many providers serve it.
    #[arg(long, value_name = "N", help_heading = "Facts")]
    pub min_providers: Option<u32>,
    /// At least so many of its providers could be called from here: key, address and protocol are there.
    #[arg(long, value_name = "N", help_heading = "Facts")]
    pub min_callable: Option<u32>,
    /// A key is set for each of these providers.
    #[arg(long, value_name = "P,P", value_delimiter = ',', help_heading = "Facts")]
    pub has_key: Vec<String>,
    /// What the catalog says of these models (without one, most of it) is at most so many days old.
    #[arg(long, value_name = "DAYS", value_parser = days, help_heading = "Facts")]
    pub max_catalog_age: Option<u32>,
    /// The median wait for the first token is surely at most this: 1.5s.
    #[arg(long, value_name = "TIME", value_parser = ttft, help_heading = "Measured")]
    pub max_ttft: Option<Duration>,
    /// The median speed is surely at least so many tokens per second, in millionths of it.
    #[arg(
        long,
        alias = "min-throughput",
        value_name = "TOK/S",
        value_parser = speed_millionths,
        help_heading = "Measured",
        help = "The median speed is surely at least so many tokens per second"
    )]
    pub min_tps: Option<u64>,
    /// The share of whole answers, in millionths.
    #[arg(
        long,
        value_name = "SHARE",
        value_parser = share_millionths,
        help_heading = "Measured",
        help = "The share of whole answers is surely at least this: 0.95 or 95%"
    )]
    pub min_availability: Option<u64>,
    /// How far back measured figures reach.
    #[command(flatten)]
    pub window: Window,
    /// Measure first, by short calls that cost money (at most --max-cost together): waits and speeds are theirs then.
    #[arg(long, conflicts_with = "at", help_heading = "Probe")]
    pub probe: bool,
    /// The most that all probes may cost in USD [default: 1, or max_run_usd of config.toml].
    #[arg(long, value_name = "USD", value_parser = usd, requires = "probe", help_heading = "Probe")]
    pub max_cost: Option<Usd>,
    /// Rounds of a probe [default: 10].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=200), requires = "probe", help_heading = "Probe")]
    pub rounds: Option<u32>,
    /// The moment of the answer.
    #[command(flatten)]
    pub at: At,
}

fn ttft(text: &str) -> Result<Duration, String> {
    ttft_micros(text).map(Duration::from_micros)
}
