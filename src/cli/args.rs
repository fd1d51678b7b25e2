//! What was typed, and nothing more: values are checked here, but nothing is resolved. `settings` says what it means.

mod ask;
mod assert;
mod catalog;
mod config;
mod help;
mod later;
mod lists;
mod measured;
mod probe;
mod replay;
mod serve;
mod values;

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Style as ClapStyle, Styles};
use clap::builder::{EnumValueParser, PossibleValue, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};

pub use ask::{Ask, ChatArgs, Choice, RouteExplain, SandboxArgs};
pub use assert::CheckArgs;
pub use catalog::{
    AllowedRule, CatalogDiff, CatalogKey, CatalogRelease, CatalogRollback, CatalogStatus, CatalogUpdate,
};
pub use config::{Config, ConfigPath, ConfigShow, ConfigTrust};
pub use help::{CompletionsArgs, HelpArgs, Shell};
pub use later::Later;
pub(crate) use later::command_for;
pub use lists::{At, ListArgs, ModelsList, ModelsShow, ProvidersCheck, ProvidersCompare, ProvidersList, Unit, Window};
pub use measured::{ProvidersHistory, Since, Step, UsageArgs};
pub use probe::ProvidersProbe;
pub use replay::{RouteReplay, RouteSimulate};
pub use serve::ServeArgs;
pub(crate) use values::duration;
pub use values::{Limit, Region, Shape};
pub(crate) use values::{
    ability, days, fallback_class, max_ttft, min_availability, min_throughput, per_mtok, preset, region, shape,
    share_millionths, span, speed_millionths, switch, tokens, ttft_micros, usd,
};

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
        More: openmux <COMMAND> -h,\n      openmux help output|exit-codes|environment|config|routing|messages|\n                   failures|check|dialects",
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
#[derive(Debug, Clone, Default, Args)]
pub struct Global {
    /// Output format [default: a table on a terminal, TSV in a pipe] [env: OPENMUX_OUTPUT].
    #[arg(short, long, global = true, value_parser = Versioned, value_name = "FORMAT", help_heading = "Output")]
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
    /// The configuration, in place of config.toml in its folder [env: OPENMUX_CONFIG].
    #[arg(long, global = true, value_name = "FILE", help_heading = "Files")]
    pub config: Option<PathBuf>,
    /// Refuse whatever needs the network [env: OPENMUX_OFFLINE].
    #[arg(long, global = true, help_heading = "Network")]
    pub offline: bool,
    /// Run against simulated providers on this machine: calm, outage, rate-limit, slow, mid-stream, or a TOML file; NAME:7 draws from another seed.
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
    Github,
    Junit,
}

impl Format {
    /// The format that was named. `json@1` asks for version 1 of the schemas: there is no other yet, and where there will be
    /// one the old one stays for a while.
    pub(crate) fn named(text: &str) -> Option<Self> {
        let known = |name: &str| <Self as ValueEnum>::from_str(name, true).ok();
        let pinned = |name: &str| known(name).filter(|format| matches!(format, Self::Json | Self::Jsonl));
        text.strip_suffix("@1").map_or_else(|| known(text), pinned)
    }

    /// Whether it is a table, which is for people alone.
    pub(crate) fn is_page(self) -> bool {
        matches!(self, Self::Table | Self::Wide)
    }
}

/// A format, perhaps with the version of its schemas.
#[derive(Debug, Clone)]
struct Versioned;

impl TypedValueParser for Versioned {
    type Value = Format;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &std::ffi::OsStr,
    ) -> Result<Format, clap::Error> {
        match value.to_str().and_then(Format::named) {
            Some(format) => Ok(format),
            None => EnumValueParser::<Format>::new().parse_ref(command, arg, value),
        }
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new(Format::value_variants().iter().filter_map(ValueEnum::to_possible_value)))
    }
}

/// When to use colour.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
#[expect(missing_docs, reason = "each is what its name says")]
pub enum Color {
    #[default]
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
    /// Which provider a call would use, did use, or would have used, and why.
    #[command(subcommand, arg_required_else_help = true)]
    Route(Route),
    /// Fetch newer prices and models; what is in use, since when, and what changed.
    #[command(subcommand, arg_required_else_help = true)]
    Catalog(Catalog),
    /// Assert facts about models, providers and the catalog, for CI. Works offline.
    Check(Later<CheckArgs>),
    /// Send one prompt, stream the answer.
    Chat(Later<ChatArgs>),
    /// A local gateway that clients of OpenAI and Anthropic use unchanged, until Ctrl-C.
    Serve(Later<ServeArgs>),
    /// What was spent, by day, model, provider or source. Works offline.
    Usage(Later<UsageArgs>),
    /// What is configured, and where each value is from; whom of a project's files to trust.
    #[command(subcommand, arg_required_else_help = true)]
    Config(Config),
    /// Run simulated providers on this machine until Ctrl-C.
    Sandbox(Later<SandboxArgs>),
    /// Completion for your shell: bash, zsh, fish, PowerShell or elvish.
    Completions(Later<CompletionsArgs>),
    /// Help on a command or a topic: output, exit-codes, environment, config, routing, messages, failures, check, dialects.
    Help(Later<HelpArgs>),
}

/// `openmux models`.
#[derive(Debug, Subcommand)]
pub enum Models {
    /// Find models by price, context and abilities. Works offline.
    List(Later<ModelsList>),
    /// Everything known about one model, provider by provider. Works offline.
    Show(Later<ModelsShow>),
}

/// `openmux providers`.
#[derive(Debug, Subcommand)]
pub enum Providers {
    /// Every provider: kind, key, models, address. Works offline.
    List(Later<ProvidersList>),
    /// Whether providers answer and take their keys; spends nothing.
    Check(Later<ProvidersCheck>),
    /// How fast providers answer now, measured by calls of its own; their cost is bounded and said first.
    Probe(Later<ProvidersProbe>),
    /// Who serves a model, at what price, how fast; best first. Works offline.
    Compare(Later<ProvidersCompare>),
    /// How a provider or a model did, by hour or day, as this machine saw it. Works offline.
    History(Later<ProvidersHistory>),
}

/// `openmux route`.
#[derive(Debug, Subcommand)]
pub enum Route {
    /// Which provider a call would use, and why, before anything is sent. Works offline.
    Explain(Later<RouteExplain>),
    /// Make a decision of the past again, or see what another policy would have chosen. Works offline.
    Replay(Later<RouteReplay>),
    /// What your calls would have cost and taken under other policies. Works offline.
    Simulate(Later<RouteSimulate>),
}

/// `openmux catalog`.
#[derive(Debug, Subcommand)]
pub enum Catalog {
    /// Fetch a newer catalog, check it, and use it from then on. Nothing else ever fetches one.
    Update(Later<CatalogUpdate>),
    /// Which catalog is in use, how old it is, and where its files are. Works offline.
    Status(Later<CatalogStatus>),
    /// What differs between two catalogs. Works offline.
    Diff(Later<CatalogDiff>),
    /// Go back to the catalog before the last update, or to the one in the program. Works offline.
    Rollback(Later<CatalogRollback>),
    /// Where the updated catalog is. Works offline.
    Path,
    /// The public key of a signing key, which is made where there is none: for whoever publishes a catalog. Works offline.
    Key(Later<CatalogKey>),
    /// Write a catalog for others, signed: a mirror of your own, with your prices. Works offline.
    Release(Later<CatalogRelease>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        <Cli as clap::CommandFactory>::command().debug_assert();
    }
}
