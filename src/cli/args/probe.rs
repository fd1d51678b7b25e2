//! What was typed of `providers probe`.

use clap::Args;

use super::lists::ListArgs;
use super::values::{Limit, duration, probe_kind, usd};
use crate::probe::plan::Kind;
use crate::units::Usd;

/// `openmux providers probe`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Real calls are made, and cost money: what they can cost at most is printed before the first one and \
    set aside from $5 a day. Beyond $1 a run nothing is sent without --max-cost or --yes (exit 11). Ten rounds tell \
    twice as fast from as fast, and no more.\n\nExamples\n  \
    openmux --sandbox providers probe claude-sonnet-5 --dry-run\n  \
    openmux --sandbox providers probe claude-sonnet-5 --quick --kind ping\n  \
    openmux --sandbox providers probe anthropic/claude-sonnet-5 --rounds 1"
)]
pub struct ProvidersProbe {
    /// A model, and the providers that are asked [default: all of the model's that have a key].
    #[arg(value_name = "MODEL|PROVIDER", required = true)]
    pub targets: Vec<String>,
    /// Ask these only; one that needs no key is asked only where it is named.
    #[arg(long, value_name = "P,P", value_delimiter = ',')]
    pub provider: Vec<String>,
    /// What is asked: ping (does it answer, how soon), speed (how fast too), long (after 10k tokens of input).
    #[arg(long, value_name = "KIND", value_parser = probe_kind, default_value = "speed")]
    pub kind: Kind,
    /// Three rounds: does it answer, roughly how fast; no medians.
    #[arg(long, conflicts_with_all = ["precise", "rounds"], help_heading = "How much")]
    pub quick: bool,
    /// As many rounds as it takes to know the median within 15 % or to settle the order; at most 30.
    #[arg(long, conflicts_with = "rounds", help_heading = "How much")]
    pub precise: bool,
    /// So many rounds [default: 10].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=200), help_heading = "How much")]
    pub rounds: Option<u32>,
    /// Begin a round at this fixed interval, whatever the answers take: 30s, 5m.
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "How much")]
    pub every: Option<Limit>,
    /// Fix the order, the pauses and the prompts; a repeated prompt may come from a cache.
    #[arg(long, value_name = "N", help_heading = "How much")]
    pub seed: Option<u64>,
    /// The most that this run may cost in USD, in place of 1.
    #[arg(long, value_name = "USD", value_parser = usd, help_heading = "Budget")]
    pub max_cost: Option<Usd>,
    /// Accept whatever bound is printed, also beyond $5 a day.
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
}
