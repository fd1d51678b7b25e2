//! What was typed of the commands that ask a model, or say what asking would do.

use std::path::PathBuf;

use clap::Args;

use super::lists::At;
use super::values::{
    Limit, Region, Shape, ability, duration, effort, fallback_class, max_ttft, min_availability, min_throughput,
    number, per_mtok, preset, region, session, set, shape, some_tokens, tool_choice, usd,
};
use crate::chat::{Effort, ToolChoice};
use crate::dispatch::FallbackClass;
use crate::routing::{Ability, Threshold};
use crate::units::{Tokens, Usd, UsdPerMtok};

/// What is asked of a model; `chat` and `route explain` share it.
#[derive(Debug, Clone, Args)]
pub struct Ask {
    /// The model: author/slug, a bare slug that one author has, an alias, or model:provider [env: OPENMUX_MODEL].
    #[arg(short, long, value_name = "MODEL")]
    pub model: Option<String>,
    /// Instructions for the whole conversation, or @FILE.
    #[arg(short, long, value_name = "TEXT|@FILE")]
    pub system: Option<String>,
    /// A file that goes along: PNG, JPEG, GIF, WebP, PDF or UTF-8 text, told by its bytes; a URL is fetched, `-` is
    /// stdin; repeatable.
    #[arg(short, long, value_name = "FILE|URL|-")]
    pub attach: Vec<String>,
    /// A JSON array of messages to begin with, in OpenAI's form, or `-`: [{"role": "user", "content": "..."}].
    #[arg(long, value_name = "FILE|-")]
    pub messages: Option<PathBuf>,
    /// Tools that the model may call: a JSON object or array in OpenAI's or Anthropic's form; repeatable.
    #[arg(long, value_name = "FILE", help_heading = "Tools and shape")]
    pub tool: Vec<PathBuf>,
    /// Whether it must call one: auto, none, required, or the name of the one.
    #[arg(long, value_name = "CHOICE", value_parser = tool_choice, requires = "tool", help_heading = "Tools and shape")]
    pub tool_choice: Option<ToolChoice>,
    /// At most one call in an answer.
    #[arg(long, requires = "tool", help_heading = "Tools and shape")]
    pub no_parallel_tools: bool,
    /// The JSON Schema that the answer must satisfy; it is checked here too, and asked for once more where it fails.
    #[arg(long, value_name = "FILE|JSON", help_heading = "Tools and shape")]
    pub schema: Option<String>,
    /// How hard to think: none, minimal, low, medium, high, xhigh, max, or a number of tokens.
    #[arg(long, value_name = "EFFORT", value_parser = effort)]
    pub effort: Option<Effort>,
    /// The most tokens the answer may have.
    #[arg(long, value_name = "N", value_parser = some_tokens)]
    pub max_tokens: Option<Tokens>,
    /// Sampling temperature.
    #[arg(long, value_name = "T", value_parser = number, allow_negative_numbers = true)]
    pub temperature: Option<serde_json::Number>,
    /// The share of probability that is sampled from.
    #[arg(long, value_name = "P", value_parser = number)]
    pub top_p: Option<serde_json::Number>,
    /// A text at which the answer ends; repeatable.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub stop: Vec<String>,
    /// Mark the beginning of the conversation for the provider's prompt cache, where that must be asked for.
    #[arg(long)]
    pub cache: bool,
    /// Which conversation this is a turn of, in any words: it stays where its prompt cache is warm as long as that saves
    /// money. No message is kept: --messages gives them [default: told by its first messages].
    #[arg(long, value_name = "ID", value_parser = session)]
    pub session: Option<String>,
    /// A further parameter of the provider's own API, as JSON or plain text: seed=7, top_k=40.
    #[arg(long, value_name = "KEY=JSON", value_parser = set)]
    pub set: Vec<(String, serde_json::Value)>,
    /// Do not read stdin.
    #[arg(long)]
    pub no_stdin: bool,
    /// How long stdin may stay silent.
    #[arg(long, value_name = "TIME", value_parser = duration, default_value = "30s", hide = true)]
    pub stdin_timeout: Limit,
    /// Where no token has come in the time that the decision says, ask a second provider as well: the first to begin
    /// answers, the other is cancelled. It can cost twice as much; `route explain --hedge` says when and how much.
    #[arg(long, conflicts_with = "no_hedge", help_heading = "Choice of provider")]
    pub hedge: bool,
    /// Do not, whatever the configuration says.
    #[arg(long, help_heading = "Choice of provider")]
    pub no_hedge: bool,
    /// Go on to these models, in this order, where every provider of the one before has failed or none can be used.
    #[arg(long, value_name = "MODEL,MODEL", value_delimiter = ',', help_heading = "Choice of provider")]
    pub fallback: Vec<String>,
    /// After which failures --fallback goes on [default: unusable and those that every other provider was tried for].
    #[arg(
        long,
        value_name = "CLASS,CLASS",
        value_delimiter = ',',
        value_parser = fallback_class,
        help_heading = "Choice of provider"
    )]
    pub fallback_on: Vec<FallbackClass>,
    /// What is traded and what is not negotiable.
    #[command(flatten)]
    pub choice: Choice,
}

/// What is traded and what is not negotiable.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Choice of provider")]
pub struct Choice {
    /// Take what is not said here from [profiles.NAME] of config.toml [env: OPENMUX_PROFILE].
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,
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
    /// What to favour: price, latency, throughput or balanced; or a hosted system's rule: zenmux, zenmux-origin,
    /// openrouter-classic, order [default: balanced].
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
    /// The longest expected wait for a first token: 2s, or require:2s. Beyond a limit that is required a provider is not
    /// used, beyond another it comes last; what was not measured comes between.
    #[arg(long, value_name = "[require:]TIME", value_parser = max_ttft)]
    pub max_ttft: Option<Threshold>,
    /// The least expected speed in tokens per second: 50, or require:50.
    #[arg(long, value_name = "[require:]TOK/S", value_parser = min_throughput)]
    pub min_throughput: Option<Threshold>,
    /// The least expected availability: 99%, or require:99%.
    #[arg(long, value_name = "[require:]SHARE", value_parser = min_availability)]
    pub min_availability: Option<Threshold>,
    /// Use only these quantisations: bf16,fp8; `unknown` is what nobody states.
    #[arg(long, value_name = "Q,Q", value_delimiter = ',')]
    pub quantization: Vec<String>,
    /// Use only what some source says has these: tools, structured, reasoning, cache, vision, pdf and others.
    #[arg(long, value_name = "CAN,CAN", value_delimiter = ',', value_parser = ability)]
    pub require: Vec<Ability>,
    /// Leave temperature, top-p, seed and effort out where a provider does not take them, instead of the provider.
    #[arg(long)]
    pub lenient: bool,
    /// Use endpoints whose price is not known.
    #[arg(long)]
    pub allow_unpriced: bool,
    /// The region to prefer where a provider has several; with require:eu nothing outside it is used [env:
    /// OPENMUX_REGION].
    #[arg(long, value_name = "[require:]REGION", value_parser = region)]
    pub region: Option<Region>,
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
    openmux route explain claude-sonnet-5 --why google-vertex\n  \
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
    /// Say why this provider does not go first, and what would make it.
    #[arg(long, value_name = "PROVIDER", help_heading = "Show")]
    pub why: Option<String>,
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
    openmux chat -m claude-sonnet-5 -o json \"Hello!\" | jq -r .text\n  \
    git diff | openmux chat -m claude-sonnet-5 -a - \"Is anything wrong here?\"\n  \
    openmux chat -m gpt-5 --schema '{\"type\":\"object\"}' \"A city, as JSON\"")]
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
    /// Treat an answer that is cut off, or does not satisfy --schema, as a failure (exit 10).
    #[arg(long, help_heading = "Answer")]
    pub strict: bool,
    /// Where the answer breaks off in the middle, let a provider that takes its beginning go on with it; the seam is told on
    /// stderr, and in JSON.
    #[arg(long, conflicts_with_all = ["no_stream", "no_resume"], help_heading = "Answer")]
    pub resume: bool,
    /// Do not, whatever the configuration says.
    #[arg(long, help_heading = "Answer")]
    pub no_resume: bool,
    /// Print the model's reasoning on stderr, where it streams any.
    #[arg(long, help_heading = "Answer")]
    pub show_reasoning: bool,
    /// Write every exchange, without its secrets, as a test fixture into a folder of this one.
    #[arg(long, value_name = "DIR", conflicts_with = "dry_run", help_heading = "Answer")]
    pub record: Option<PathBuf>,
    /// Further tries of a provider, once no other is left [default: 2].
    #[arg(long, value_name = "N", help_heading = "Limits")]
    pub retries: Option<u32>,
    /// The whole request: 30s, 2m, 500ms; 0 is no limit [default: 10m] [env: OPENMUX_TIMEOUT].
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Limits")]
    pub timeout: Option<Limit>,
    /// Making a connection [default: 10s].
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Limits")]
    pub connect_timeout: Option<Limit>,
    /// The first token, over all providers [default: 60s, 180s for hidden reasoning].
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Limits")]
    pub first_token_timeout: Option<Limit>,
    /// Silence within the answer [default: 30s].
    #[arg(long, value_name = "TIME", value_parser = duration, help_heading = "Limits")]
    pub idle_timeout: Option<Limit>,
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
