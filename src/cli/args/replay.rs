//! What was typed of the commands that look back at decisions.

use clap::Args;

use super::Since;
use super::lists::ListArgs;
use super::values::{preset, span, usd};
use crate::routing::Preset;
use crate::units::Usd;

/// `openmux route replay`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "What every chat decided is kept on this machine for 90 days: lengths, prices, measurements; no \
    prompt, no key. -o json gives the same bytes on every machine. The exit code is 1 where this version decides \
    otherwise.\n\nExamples\n  \
    openmux route replay\n  \
    openmux route replay 3f2a9c1b -o json\n  \
    openmux route replay 3f2a9c1b --policy price"
)]
pub struct RouteReplay {
    /// The beginning of its id, as chat -v and -o json print it [default: the last decision].
    #[arg(value_name = "ID")]
    pub id: Option<String>,
    /// What this policy would have chosen: price, latency, throughput or balanced.
    #[arg(long, value_name = "PRESET", value_parser = preset)]
    pub policy: Option<Preset>,
    /// What would have been chosen with an hour of waiting worth so much, in USD.
    #[arg(long, value_name = "USD/H", value_parser = usd, conflicts_with = "policy")]
    pub time_value: Option<Usd>,
    /// Show every rejected endpoint.
    #[arg(long)]
    pub all: bool,
}

/// `openmux route simulate`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "`actual` is what happened. `recorded` is every decision made again with the policy that it was made \
    with. Where a policy calls a provider that was tried for that request, what was seen there counts; elsewhere the \
    expectation of that time, for the tokens that the request really used: MEASURED says how much of it was seen, and ~ \
    marks money that is partly estimated. `less` and `more` hold with 95 % over the choice of requests (paired \
    bootstrap, 20 requests at least); that an estimate may be wrong is not in it.\n\nExamples\n  \
    openmux route simulate --since 30d --policy price,latency\n  \
    openmux route simulate --model claude-sonnet-5 -o csv > what-if.csv"
)]
pub struct RouteSimulate {
    /// The policies [default: all].
    #[arg(long, value_name = "P,P", value_delimiter = ',', value_parser = preset)]
    pub policy: Vec<Preset>,
    /// A further policy: an hour of waiting is worth so much, in USD.
    #[arg(long, value_name = "USD/H", value_parser = usd)]
    pub time_value: Option<Usd>,
    /// From this long ago, or this day on: 12h, 7d, 2026-11-01.
    #[arg(long, value_name = "SPAN|DATE", value_parser = span, default_value = "30d", help_heading = "Filter")]
    pub since: Since,
    /// Of these models.
    #[arg(long, value_name = "M,M", value_delimiter = ',', help_heading = "Filter")]
    pub model: Vec<String>,
    /// Layout.
    #[command(flatten)]
    pub list: ListArgs,
}
