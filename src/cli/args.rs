//! What was typed, and nothing more: values are checked here, but nothing is resolved. `settings` says what it means.

mod values;

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Style as ClapStyle, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::units::{Tokens, Usd, UsdPerMtok};
pub(crate) use values::duration;
pub use values::{Limit, Shape};
use values::{date, days, number, per_mtok, preset, set, shape, timestamp, tokens, usd};

const STYLES: Styles = Styles::styled()
    .header(ClapStyle::new().bold())
    .usage(ClapStyle::new().bold())
    .error(AnsiColor::Red.on_default().bold())
    .literal(ClapStyle::new())
    .placeholder(ClapStyle::new().dimmed());

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "openmux",
    version,
    about = "Compare LLM models and providers, call them, and choose between them.",
    long_about = "Compare LLM models and providers, call them, and choose between them.\n\n\
        You name the model; openmux picks the provider, says why in dollars, and moves on to the next one when it \
        fails. Prices and limits come from a catalog inside the program; keys come from the environment.",
    after_help = "Try\n  \
        openmux models list --tools --max-price 1\n  \
        openmux providers compare claude-sonnet-5\n  \
        openmux --sandbox chat -m anthropic/claude-sonnet-5 \"Hello!\"\n\n\
        More: openmux <COMMAND> -h, openmux help output|exit-codes|environment|routing",
    styles = STYLES,
    max_term_width = 100,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = false
)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// The command.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command, before or after it.
#[derive(Debug, Clone, Args)]
pub struct Global {
    /// Output format [default: a table on a terminal, TSV in a pipe] [env: OPENMUX_OUTPUT].
    #[arg(short, long, global = true, value_enum, value_name = "FORMAT", help_heading = "Output")]
    pub output: Option<Format>,
    /// Short for -o json.
    #[arg(long, global = true, conflicts_with = "output", help_heading = "Output")]
    pub json: bool,
    /// When to use colour: auto, always or never.
    #[arg(
        long,
        global = true,
        value_enum,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Output",
        hide_possible_values = true
    )]
    pub color: Color,
    /// Say nothing but errors on stderr.
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Output")]
    pub quiet: bool,
    /// Say more on stderr: decisions and timings; -vv also the wire, without keys.
    #[arg(short, long, global = true, action = clap::ArgAction::Count, help_heading = "Output")]
    pub verbose: u8,
    /// Refuse whatever needs the network [env: OPENMUX_OFFLINE].
    #[arg(long, global = true, help_heading = "Network")]
    pub offline: bool,
    /// Run against simulated providers on this machine: calm, outage, rate-limit, slow, mid-stream, or a TOML file.
    #[arg(
        long,
        global = true,
        value_name = "SCENARIO",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "calm",
        help_heading = "Network"
    )]
    pub sandbox: Option<String>,
}

/// Output formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "each is the format of its name")]
pub enum Format {
    Table,
    Wide,
    Json,
    Jsonl,
    Csv,
    Tsv,
    Md,
    Ids,
    Text,
}

/// When to use colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "each is what its name says")]
pub enum Color {
    Auto,
    Always,
    Never,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Find models by price, context and abilities; everything known about one.
    #[command(subcommand, arg_required_else_help = true)]
    Models(Models),
    /// Who serves a model, at what price, how fast; which providers there are.
    #[command(subcommand, arg_required_else_help = true)]
    Providers(Providers),
    /// Which provider a call would use, and why.
    #[command(subcommand, arg_required_else_help = true)]
    Route(Route),
    /// Send one prompt, stream the answer.
    Chat(Box<ChatArgs>),
    /// Run simulated providers on this machine until Ctrl-C.
    Sandbox(SandboxArgs),
    /// Help on a command or a topic: output, exit-codes, environment, routing.
    Help(HelpArgs),
}

/// `openmux models`.
#[derive(Debug, Subcommand)]
pub enum Models {
    /// Find models by price, context and abilities. Works offline.
    List(Box<ModelsList>),
    /// Everything known about one model, provider by provider. Works offline.
    Show(ModelsShow),
}

/// `openmux providers`.
#[derive(Debug, Subcommand)]
pub enum Providers {
    /// Every provider: kind, key, models, address. Works offline.
    List(ProvidersList),
    /// Who serves a model, at what price, how fast; best first. Works offline.
    Compare(ProvidersCompare),
}

/// `openmux route`.
#[derive(Debug, Subcommand)]
pub enum Route {
    /// Which provider a call would use, and why, before anything is sent. Works offline.
    Explain(Box<RouteExplain>),
}

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
    /// Served by one of these.
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
    /// Add the price of one such call: 8000/1000, or 8000/1000/7000 with cached input.
    #[arg(long, value_name = "IN/OUT[/CACHED]", value_parser = shape, help_heading = "Show")]
    pub tokens: Option<Shape>,
    /// Layout.
    #[command(flatten)]
    pub list: ListArgs,
    /// The moment of the answer.
    #[command(flatten)]
    pub at: At,
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
    /// Unit of throughput.
    #[arg(long, value_enum, value_name = "UNIT", default_value = "tok/s")]
    pub unit: Unit,
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
    openmux providers list --callable -o ids")]
pub struct ProvidersList {
    /// All must occur in the id or the name.
    pub words: Vec<String>,
    /// Kinds: lab, cloud, host, gateway, plan, local.
    #[arg(long, value_name = "K,K", value_delimiter = ',', help_heading = "Filter")]
    pub kind: Vec<String>,
    /// A key is set, or none is needed.
    #[arg(long, help_heading = "Filter")]
    pub callable: bool,
    /// Layout.
    #[command(flatten)]
    pub list: ListArgs,
}

/// `openmux providers compare`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples\n  \
    openmux providers compare claude-sonnet-5 --tokens 8000/1000\n  \
    openmux providers compare claude-sonnet-5 --sort price --limit 5 -o md")]
pub struct ProvidersCompare {
    /// The model: author/slug, a bare slug that one author has, or an alias.
    pub model: String,
    /// The call that is priced, in tokens: input, output, cached input.
    #[arg(long, value_name = "IN/OUT[/CACHED]", value_parser = shape, default_value = "1000/400")]
    pub tokens: Shape,
    /// What to favour: price, latency, throughput or balanced [default: balanced].
    #[arg(long, value_name = "PRESET", value_parser = preset)]
    pub prefer: Option<crate::routing::Preset>,
    /// Every region, instead of one row a provider.
    #[arg(long)]
    pub all: bool,
    /// Layout.
    #[command(flatten)]
    pub list: ListArgs,
    /// Unit of throughput.
    #[arg(long, value_enum, value_name = "UNIT", default_value = "tok/s")]
    pub unit: Unit,
    /// The moment of the answer.
    #[command(flatten)]
    pub at: At,
}

/// What is asked of a model; `chat` and `route explain` share it.
#[derive(Debug, Clone, Args)]
pub struct Ask {
    /// The model: author/slug, a bare slug that one author has, an alias, or model:provider [env: OPENMUX_MODEL].
    #[arg(short, long, value_name = "MODEL")]
    pub model: Option<String>,
    /// Instructions for the whole conversation, or @FILE.
    #[arg(short, long, value_name = "TEXT|@FILE")]
    pub system: Option<String>,
    /// A JSON array of messages to begin with: [{"role": "user", "content": "..."}].
    #[arg(long, value_name = "FILE")]
    pub messages: Option<PathBuf>,
    /// The most tokens the answer may have.
    #[arg(long, value_name = "N", value_parser = tokens)]
    pub max_tokens: Option<Tokens>,
    /// Sampling temperature.
    #[arg(long, value_name = "T", value_parser = number, allow_negative_numbers = true)]
    pub temperature: Option<serde_json::Number>,
    /// A further parameter of the provider's own API, as JSON or plain text: seed=7, top_p=0.9.
    #[arg(long, value_name = "KEY=JSON", value_parser = set)]
    pub set: Vec<(String, serde_json::Value)>,
    /// Do not read stdin.
    #[arg(long)]
    pub no_stdin: bool,
    /// How long stdin may stay silent.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30s", hide = true)]
    pub stdin_timeout: Limit,
    /// What is traded and what is not negotiable.
    #[command(flatten)]
    pub choice: Choice,
}

/// What is traded and what is not negotiable.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Choice of provider")]
pub struct Choice {
    /// Use this provider only; commas list several [env: OPENMUX_PROVIDER].
    #[arg(long, value_name = "P,P", value_delimiter = ',')]
    pub provider: Vec<String>,
    /// Try these first, in this order.
    #[arg(long, value_name = "P,P", value_delimiter = ',')]
    pub order: Vec<String>,
    /// Use only these.
    #[arg(long, value_name = "P,P", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Never use these.
    #[arg(long, value_name = "P,P", value_delimiter = ',')]
    pub ignore: Vec<String>,
    /// Never use gateways.
    #[arg(long)]
    pub no_gateways: bool,
    /// What to favour: price, latency, throughput or balanced [default: balanced].
    #[arg(long, value_name = "PRESET", value_parser = preset)]
    pub prefer: Option<crate::routing::Preset>,
    /// What an hour of waiting is worth, in USD [default: 18].
    #[arg(long, value_name = "USD/H", value_parser = usd, conflicts_with = "prefer")]
    pub time_value: Option<Usd>,
    /// The dearest input price, USD per 1M tokens.
    #[arg(long, value_name = "USD", value_parser = per_mtok)]
    pub max_price_in: Option<UsdPerMtok>,
    /// The dearest output price, USD per 1M tokens.
    #[arg(long, value_name = "USD", value_parser = per_mtok)]
    pub max_price_out: Option<UsdPerMtok>,
    /// Refuse, before sending, what could cost more than this [env: OPENMUX_MAX_COST].
    #[arg(long, value_name = "USD", value_parser = usd)]
    pub max_cost: Option<Usd>,
    /// Use endpoints whose price is not known.
    #[arg(long)]
    pub allow_unpriced: bool,
    /// The region to prefer where a provider has several [env: OPENMUX_REGION].
    #[arg(long, value_name = "REGION")]
    pub region: Option<String>,
    /// Settle near-ties with this seed [default: a counter of your calls].
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
}

/// `openmux route explain`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "With -m the other words and stdin are the prompt, as in `openmux chat`; without -m the first \
    word is the model.\n\nExamples\n  \
    openmux route explain claude-sonnet-5 --tokens 8000/1000\n  \
    git diff | openmux route explain -m claude-sonnet-5 \"Review this\"\n  \
    openmux route explain claude-sonnet-5 --at 2026-11-24T12:00:00Z --seed 1")]
pub struct RouteExplain {
    /// The model, or with -m the prompt.
    #[arg(value_name = "MODEL|PROMPT")]
    pub words: Vec<String>,
    /// What is asked.
    #[command(flatten)]
    pub ask: Ask,
    /// The call that is weighed, in place of a prompt [default: 1000/400].
    #[arg(long, value_name = "IN/OUT[/CACHED]", value_parser = shape, help_heading = "Show")]
    pub tokens: Option<Shape>,
    /// Show every rejected endpoint, and every region.
    #[arg(long, help_heading = "Show")]
    pub all: bool,
    /// Without any key: exit 4 instead of ranking as if every key were set.
    #[arg(long, help_heading = "Show")]
    pub strict: bool,
    /// The moment of the answer.
    #[command(flatten)]
    pub at: At,
}

/// `openmux chat`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "The prompt is the words, then stdin where something is piped in; `-` is stdin alone.\n\n\
    Examples\n  \
    openmux chat -m anthropic/claude-sonnet-5 \"Hello!\"\n  \
    git diff | openmux chat -m claude-haiku-4.5 \"Write a commit message\"\n  \
    openmux --sandbox=outage chat -m anthropic/claude-sonnet-5 \"Hello!\"\n  \
    openmux chat -m claude-sonnet-5 -o json \"Hello!\" | jq -r .text")]
pub struct ChatArgs {
    /// The prompt; `-` is stdin.
    pub prompt: Vec<String>,
    /// What is asked.
    #[command(flatten)]
    pub ask: Ask,
    /// Ask for the whole answer at once, and print all of it or nothing.
    #[arg(long, help_heading = "Answer")]
    pub no_stream: bool,
    /// Print the route, the request without its key, and the cost bound; send nothing.
    #[arg(short = 'n', long, help_heading = "Answer")]
    pub dry_run: bool,
    /// Print provider, tokens, cost and time on stderr at the end [default: on a terminal].
    #[arg(short, long, conflicts_with = "no_usage", help_heading = "Answer")]
    pub usage: bool,
    /// Do not print that line.
    #[arg(long, help_heading = "Answer")]
    pub no_usage: bool,
    /// Treat an answer that is cut off as a failure (exit 10).
    #[arg(long, help_heading = "Answer")]
    pub strict: bool,
    /// Print the model's reasoning on stderr, where it streams any.
    #[arg(long, help_heading = "Answer")]
    pub show_reasoning: bool,
    /// Further tries of a provider, once no other is left.
    #[arg(long, value_name = "N", default_value_t = 2, help_heading = "Limits")]
    pub retries: u32,
    /// The whole request: 30s, 2m, 500ms; 0 is no limit [default: 10m] [env: OPENMUX_TIMEOUT].
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Limits")]
    pub timeout: Option<Limit>,
    /// Making a connection.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "10s", help_heading = "Limits")]
    pub connect_timeout: Limit,
    /// The first token, over all providers [default: 60s, 180s for hidden reasoning].
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Limits")]
    pub first_token_timeout: Option<Limit>,
    /// Silence within the answer.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30s", help_heading = "Limits")]
    pub idle_timeout: Limit,
}

/// `openmux sandbox`.
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples\n  \
    openmux sandbox --scenario outage --port 9000")]
pub struct SandboxArgs {
    /// calm, outage, rate-limit, slow, mid-stream, or a TOML file.
    #[arg(long, value_name = "SCENARIO", default_value = "calm")]
    pub scenario: String,
    /// The port on 127.0.0.1; 0 takes a free one.
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub port: u16,
    /// The model whose providers are simulated.
    #[arg(short, long, value_name = "MODEL", default_value = "anthropic/claude-sonnet-5")]
    pub model: String,
}

/// `openmux help`.
#[derive(Debug, Clone, Args)]
pub struct HelpArgs {
    /// A command, or: output, exit-codes, environment, routing.
    pub topic: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
