//! What was typed of the commands that look things up.

use clap::{Args, ValueEnum};

use super::measured::Since;
use super::values::{Limit, Shape, date, days, duration, per_mtok, shape, span, timestamp, tokens};
use crate::units::{Tokens, UsdPerMtok};

/// How a list is ordered, cut and laid out.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Show")]
pub struct ListArgs {
    /// Choose and order the columns, in any format (a wrong name lists them all).
    #[arg(long, value_name = "F,F", value_delimiter = ',')]
    pub fields: Vec<String>,
    /// Order by these columns; unknown values come last.
    #[arg(long, value_name = "F,F", value_delimiter = ',')]
    pub sort: Vec<String>,
    /// Reverse the order.
    #[arg(long)]
    pub reverse: bool,
    /// Show at most so many rows.
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
}

/// `openmux models list`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples\n  \
    openmux models list --tools --min-context 200k --sort price --limit 10\n  \
    openmux models list sonnet -o json | jq -r '.data[].id'\n  \
    openmux models list --free -o ids")]
pub struct ModelsList {
    /// All must occur in the id or the name, e.g. `sonnet 4`.
    pub words: Vec<String>,
    /// Made by one of these.
    #[arg(long, value_name = "V,V", value_delimiter = ',', help_heading = "Filter")]
    pub vendor: Vec<String>,
    /// Served by one of these; prices, limits and abilities are theirs then.
    #[arg(long, value_name = "P,P", value_delimiter = ',', help_heading = "Filter")]
    pub provider: Vec<String>,
    /// Calls tools.
    #[arg(long, help_heading = "Filter")]
    pub tools: bool,
    /// Takes images.
    #[arg(long, help_heading = "Filter")]
    pub vision: bool,
    /// Reasons before it answers.
    #[arg(long, help_heading = "Filter")]
    pub reasoning: bool,
    /// Answers by a JSON Schema.
    #[arg(long, help_heading = "Filter")]
    pub structured: bool,
    /// Context of at least so many tokens: 200k, 1m.
    #[arg(long, value_name = "N", value_parser = tokens, help_heading = "Filter")]
    pub min_context: Option<Tokens>,
    /// Input price of at most so many USD per 1M tokens.
    #[arg(long, value_name = "USD", value_parser = per_mtok, help_heading = "Filter")]
    pub max_price: Option<UsdPerMtok>,
    /// Its weights are published.
    #[arg(long, help_heading = "Filter")]
    pub open_weights: bool,
    /// Some provider states a price of zero.
    #[arg(long, help_heading = "Filter")]
    pub free: bool,
    /// A key is set for at least one of its providers.
    #[arg(long, help_heading = "Filter")]
    pub callable: bool,
    /// Released after this day: 2026-01-31.
    #[arg(long, value_name = "DATE", value_parser = date, help_heading = "Filter")]
    pub released_after: Option<String>,
    /// Not to be retired within so many days: 90d.
    #[arg(long, value_name = "DAYS", value_parser = days, help_heading = "Filter")]
    pub not_retiring: Option<u32>,
    /// Also retired models and other kinds (embedding, image, ...).
    #[arg(long, help_heading = "Filter")]
    pub all: bool,
    /// Add the price of one such call: 8000/1000, or 8000/1000/7000 with cached input; `--sort cheapest` orders by the
    /// least that anybody takes.
    #[arg(long, value_name = "IN/OUT[/CACHED]", value_parser = shape, help_heading = "Show")]
    pub tokens: Option<Shape>,
    /// Layout.
    #[command(flatten)]
    pub list: ListArgs,
    /// Unit of throughput [default: tok/s].
    #[arg(long, value_enum, value_name = "UNIT", help_heading = "Show")]
    pub unit: Option<Unit>,
    /// How far back measured figures reach.
    #[command(flatten)]
    pub window: Window,
    /// The moment of the answer.
    #[command(flatten)]
    pub at: At,
}

/// How far back measured figures reach.
#[derive(Debug, Clone, Args)]
pub struct Window {
    /// Measured figures are of this long, or of the time since this day: 72h, 30d, 2026-11-01 [default: 72h].
    #[arg(long, value_name = "SPAN|DATE", value_parser = span, help_heading = "Show")]
    pub window: Option<Since>,
}

/// The moment that an offline answer is for.
#[derive(Debug, Clone, Args)]
pub struct At {
    /// Answer as of this moment (RFC 3339): prices by the hour, ages, cool-downs.
    #[arg(long, value_name = "TIME", value_parser = timestamp, help_heading = "Show")]
    pub at: Option<jiff::Timestamp>,
}

/// `openmux models show`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples\n  \
    openmux models show claude-sonnet-5\n  \
    openmux models show claude-sonnet-5 --prices\n  \
    openmux models show claude-sonnet-5 --tokens 8000/1000/7000")]
pub struct ModelsShow {
    /// The model: author/slug, a bare slug that one author has, an alias, or model:provider.
    pub model: String,
    /// The whole price sheet at every provider, all billing items.
    #[arg(long)]
    pub prices: bool,
    /// Every region, variant and twin, instead of one row a provider.
    #[arg(long)]
    pub all: bool,
    /// Add the price of one such call.
    #[arg(long, value_name = "IN/OUT[/CACHED]", value_parser = shape)]
    pub tokens: Option<Shape>,
    /// Layout.
    #[command(flatten)]
    pub list: ListArgs,
    /// Unit of throughput [default: tok/s].
    #[arg(long, value_enum, value_name = "UNIT")]
    pub unit: Option<Unit>,
    /// How far back measured figures reach.
    #[command(flatten)]
    pub window: Window,
    /// The moment of the answer.
    #[command(flatten)]
    pub at: At,
}

/// Unit of throughput.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Unit {
    /// Tokens per second.
    #[value(name = "tok/s")]
    PerSecond,
    /// Tokens per minute.
    #[value(name = "tok/min")]
    PerMinute,
}

/// `openmux providers list`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples\n  \
    openmux providers list --kind cloud\n  \
    openmux providers list --callable -o ids\n  \
    openmux providers list --local")]
pub struct ProvidersList {
    /// All must occur in the id or the name.
    pub words: Vec<String>,
    /// Kinds: lab, cloud, host, gateway, plan, local.
    #[arg(long, value_name = "K,K", value_delimiter = ',', help_heading = "Filter")]
    pub kind: Vec<String>,
    /// A key is set, or none is needed.
    #[arg(long, help_heading = "Filter")]
    pub callable: bool,
    /// Look for servers on this machine (ollama, lmstudio, llamacpp, vllm, your own) and say how to use what runs.
    #[arg(long, conflicts_with_all = ["kind", "callable"], help_heading = "Filter")]
    pub local: bool,
    /// Layout.
    #[command(flatten)]
    pub list: ListArgs,
}

/// `openmux providers check`.
#[derive(Debug, Clone, Args)]
#[command(
    after_help = "A list of models is fetched, which costs nothing. `ok` is exit 0. Where several fail, the exit code \
    is the first of these that occurs: 4 (key), 5 (set-up), 3, 6, 7 (limits), 9 (time), 8 (unreachable).\n\n\
    Examples\n  \
    openmux providers check\n  \
    openmux providers check anthropic openai -o json\n  \
    openmux --sandbox providers check"
)]
pub struct ProvidersCheck {
    /// Providers by id [default: every one that has a key].
    #[arg(value_name = "PROVIDER")]
    pub providers: Vec<String>,
    /// One provider's answer: 30s, 500ms; 0 is no limit.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10s", help_heading = "Limits")]
    pub timeout: Limit,
    /// Layout.
    #[command(flatten)]
    pub list: ListArgs,
}

/// `openmux providers compare`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples\n  \
    openmux providers compare claude-sonnet-5 --tokens 8000/1000\n  \
    openmux providers compare claude-sonnet-5 --sort price --limit 5 -o md\n  \
    openmux providers compare deepseek-v4-pro --max-price-in 0.5 --no-gateways")]
// Variables that are for calls leave nobody out here, so these have words of their own.
#[command(mut_arg("provider", |arg| arg.help("Compare these only")))]
#[command(mut_arg("max_cost", |arg| arg.help("Leave out what such a call could cost more than this at")))]
pub struct ProvidersCompare {
    /// The model: author/slug, a bare slug that one author has, or an alias.
    pub model: String,
    /// The call that is priced, in tokens: input, output, cached input [default: the mean of your own calls, else 1000/400].
    #[arg(long, value_name = "IN/OUT[/CACHED]", value_parser = shape)]
    pub tokens: Option<Shape>,
    /// What is traded and what is not negotiable.
    #[command(flatten)]
    pub choice: super::Choice,
    /// Every region, instead of one row a provider; also those that are not within your limits.
    #[arg(long)]
    pub all: bool,
    /// Layout.
    #[command(flatten)]
    pub list: ListArgs,
    /// Unit of throughput [default: tok/s].
    #[arg(long, value_enum, value_name = "UNIT")]
    pub unit: Option<Unit>,
    /// How far back measured figures reach.
    #[command(flatten)]
    pub window: Window,
    /// The moment of the answer.
    #[command(flatten)]
    pub at: At,
}
