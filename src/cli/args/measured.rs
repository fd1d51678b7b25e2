//! What was typed of the commands that show what was measured and spent.

use clap::Args;

use super::lists::{At, ListArgs};
use super::values::{Shape, shape, span};

/// `openmux usage`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "Days are UTC. Attempts that may have been billed without anybody saying how much are counted, \
    never guessed; AT MOST is what they can have cost. What was paid is never computed anew: each attempt keeps the \
    version of the price sheet it was priced by. A budget for all chats of a day is `day_usd = 5` under [budget] in \
    config.toml.\n\nExamples\n  \
    openmux usage\n  \
    openmux usage --since 30d --by day,provider\n  \
    openmux usage --by model -o csv > spend.csv\n  \
    openmux usage --each --since 7d -o csv > attempts.csv"
)]
pub struct UsageArgs {
    /// Sum by these: day, model, provider, source, sheet (the price sheet: its day and hash).
    #[arg(long, value_name = "K,K", value_delimiter = ',', default_value = "provider,model")]
    pub by: Vec<String>,
    /// A row for each attempt, in place of sums: for export.
    #[arg(long, conflicts_with = "by")]
    pub each: bool,
    /// From this long ago, or this day on: 12h, 7d, 2026-11-01.
    #[arg(long, value_name = "SPAN|DATE", value_parser = span, default_value = "30d", help_heading = "Filter")]
    pub since: Since,
    /// Until the end of this day.
    #[arg(long, value_name = "DATE", value_parser = super::values::date, help_heading = "Filter")]
    pub until: Option<String>,
    /// Of these models.
    #[arg(long, value_name = "M,M", value_delimiter = ',', help_heading = "Filter")]
    pub model: Vec<String>,
    /// At these providers.
    #[arg(long, value_name = "P,P", value_delimiter = ',', help_heading = "Filter")]
    pub provider: Vec<String>,
    /// From these: chat, probe, gateway.
    #[arg(long, value_name = "S,S", value_delimiter = ',', help_heading = "Filter")]
    pub source: Vec<String>,
    /// Layout.
    #[command(flatten)]
    pub list: ListArgs,
    /// The moment of the answer.
    #[command(flatten)]
    pub at: At,
}

/// `openmux providers history`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples\n  \
    openmux providers history anthropic\n  \
    openmux providers history claude-sonnet-5 --since 12h --by hour")]
pub struct ProvidersHistory {
    /// A provider, or a model.
    #[arg(value_name = "PROVIDER|MODEL")]
    pub of: String,
    /// From this long ago, or this day on: 12h, 7d, 2026-11-01.
    #[arg(long, value_name = "SPAN|DATE", value_parser = span, default_value = "7d")]
    pub since: Since,
    /// Rows of an hour or a day (UTC).
    #[arg(long, value_enum, value_name = "SPAN", default_value = "day")]
    pub by: Step,
    /// Times are those of calls of this size, or of the nearest size there is [default: 1000/400].
    #[arg(long, value_name = "IN/OUT[/CACHED]", value_parser = shape)]
    pub tokens: Option<Shape>,
    /// Unit of throughput [default: tok/s].
    #[arg(long, value_enum, value_name = "UNIT")]
    pub unit: Option<super::Unit>,
    /// Layout.
    #[command(flatten)]
    pub list: ListArgs,
    /// The moment of the answer.
    #[command(flatten)]
    pub at: At,
}

/// Where a span begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// So many seconds ago.
    Ago(u64),
    /// At the beginning of this day, UTC.
    Day(String),
}

/// How long a row of a history lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
#[expect(missing_docs, reason = "each is the span of its name")]
pub enum Step {
    Hour,
    Day,
}
