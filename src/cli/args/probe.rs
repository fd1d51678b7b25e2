//! What was typed of `providers probe`.

use std::time::Duration;

use clap::Args;

use super::lists::{ListArgs, Unit};
use super::values::{duration, probe_kind, usd};
use crate::probe::plan::Kind;
use crate::units::Usd;

/// `openmux providers probe`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Real calls are made, and cost money: what they can cost at most is printed before the first one and \
    set aside from $5 a day, which all processes share. Beyond $1 a run nothing is sent without --max-cost or --yes \
    (exit 11). An endpoint gets at most 200 calls a day. config.toml sets all three: [probe] max_run_usd, max_day_usd, \
    max_probes_per_day. Days are UTC.\n\n\
    Ten rounds tell twice as fast from as fast, and no more: ≈ marks a row that is not surely slower than the one above. \
    A call that a time limit cut off (30 s to the first token, 120 s where the model reasons) counts as at least that. \
    Calls that failed otherwise, or were answered from a cache, are not in the times. Exit 0 if anybody answered.\n\n\
    Examples\n  \
    openmux --sandbox providers probe claude-sonnet-5 --dry-run\n  \
    openmux --sandbox providers probe claude-sonnet-5 --quick --kind ping\n  \
    openmux --sandbox providers probe anthropic/claude-sonnet-5 --rounds 1 -o json"
)]
pub struct ProvidersProbe {
    /// A model, and the providers that are asked [default: all of the model's that have a key].
    #[arg(value_name = "MODEL|PROVIDER", required = true)]
    pub targets: Vec<String>,
    /// Ask these only; one that needs no key is asked only where it is named.
    #[arg(long, value_name = "P,P", value_delimiter = ',')]
    pub provider: Vec<String>,
    /// What is asked: ping (does it answer, how soon), speed (how fast too), long (after 10k tokens of input), burst
    /// (speed, several calls at once).
    #[arg(long, value_name = "KIND", value_parser = probe_kind, default_value = "speed")]
    pub kind: Kind,
    /// Calls at once to an endpoint, for --kind burst [default: 4].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=64))]
    pub parallel: Option<u32>,
    /// Three rounds: does it answer, roughly how fast; each time is shown, no medians.
    #[arg(long, conflicts_with_all = ["precise", "rounds"], help_heading = "How much")]
    pub quick: bool,
    /// As many rounds as it takes to know the median within 15 % or to settle the order; at most 30.
    #[arg(long, conflicts_with = "rounds", help_heading = "How much")]
    pub precise: bool,
    /// So many rounds [default: 10].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=200), help_heading = "How much")]
    pub rounds: Option<u32>,
    /// Begin a round at this fixed interval, at least 1s, whatever became of the last one: 30s, 5m.
    #[arg(long, value_name = "TIME", value_parser = interval, help_heading = "How much")]
    pub every: Option<Duration>,
    /// Fix the order, the pauses and the prompts; a repeated prompt may come from a cache.
    #[arg(long, value_name = "N", help_heading = "How much")]
    pub seed: Option<u64>,
    /// The most that this run may cost in USD, in place of 1.
    #[arg(long, value_name = "USD", value_parser = usd, help_heading = "Budget")]
    pub max_cost: Option<Usd>,
    /// Accept whatever bound is printed, also beyond $5 a day and 200 calls.
    #[arg(long, help_heading = "Budget")]
    pub yes: bool,
    /// Also ask those whose price is not known; nothing bounds what they cost.
    #[arg(long, help_heading = "Budget")]
    pub allow_unpriced: bool,
    /// Print whom it would ask and what it can cost at most; send nothing.
    #[arg(long, help_heading = "Budget")]
    pub dry_run: bool,
    /// Layout.
    #[command(flatten)]
    pub list: ListArgs,
    /// Unit of throughput [default: tok/s].
    #[arg(long, value_enum, value_name = "UNIT")]
    pub unit: Option<Unit>,
}

/// A second at least: nobody is asked more often.
fn interval(text: &str) -> Result<Duration, String> {
    let every = duration(text)?.0.filter(|every| *every >= Duration::from_secs(1));
    every.ok_or_else(|| "at least 1s".to_owned())
}
