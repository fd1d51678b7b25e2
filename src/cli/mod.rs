//! The command line: the only module that may use clap, anyhow, the environment, files and stdout.
//!
//! `args` is what was typed, `settings` what it means; one file a subcommand; `render` turns values into text.

pub mod args;
mod assert;
mod catalog;
mod chat;
mod check;
mod clouds;
mod compare;
mod complete;
mod config;
pub mod contract;
mod day;
mod error;
mod explain;
mod facts;
mod help;
mod history;
mod local;
mod measured;
mod mix;
mod models;
mod offline;
mod out;
mod platform;
mod printer;
mod probe;
mod prompt;
mod providers;
mod record;
mod render;
mod replay;
mod report;
mod sandbox;
mod serve;
mod settings;
mod show;
mod simulate;
mod tokens;
mod unparsed;
mod usage;
mod writer;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use args::{Catalog, Cli, Command, Models, Providers, Route};
use contract::Exit;
use error::CliError;
use settings::Settings;

/// The clap command, for the generators of completions and man pages.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Text of the help topics, for the generators: name and text.
#[must_use]
pub fn topics() -> Vec<(&'static str, String)> {
    help::topics()
}

/// What a command leaves behind: its exit code.
type Outcome = Result<Exit, CliError>;

/// Runs the command line; `typed` begins with the program's name.
#[must_use]
pub fn main(typed: Vec<OsString>) -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        out::talk(&format!(
            "error: this is a bug in openmux {} (at {place})\n  fix:  {}\n",
            env!("CARGO_PKG_VERSION"),
            error::REPORT
        ));
    }));
    let exit = std::panic::catch_unwind(|| run(typed)).unwrap_or(Exit::Bug);
    ExitCode::from(exit.code())
}

fn run(typed: Vec<OsString>) -> Exit {
    let (out_style, err_style, width) = settings::before_parsing(&typed);
    let json = unparsed::wants_json(&typed);
    let ended = |outcome: Outcome| outcome.unwrap_or_else(|error| fail(&error, json, err_style, width));
    if let Some(fits) = complete::asked(&typed) {
        return ended(print(&fits));
    }
    if typed.len() <= 1 {
        return ended(print(&help::first_page(out_style, width)));
    }
    let choice = |style: render::text::Style| {
        if style.on { clap::ColorChoice::Always } else { clap::ColorChoice::Never }
    };
    let words: Vec<_> = typed.iter().map(|word| word.to_string_lossy()).collect();
    let command = args::command_for(&words).color(choice(out_style)).term_width(width.min(100));
    let parsed = command.try_get_matches_from(&typed).and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return ended(unparsed::end(&error, &typed, (out_style, err_style), width)),
    };
    let (settings, warnings) = match Settings::resolve(&cli.global) {
        Ok(resolved) => resolved,
        Err(error) => return fail(&error, json, err_style, width),
    };
    if !settings.quiet {
        for warning in &warnings {
            warn(&settings, warning);
        }
    }
    trace(&settings);
    let (json, err_style, width) = (settings.json_errors(), settings.err, settings.width);
    let settings = match configured(settings, &cli.command) {
        Ok(settings) => settings,
        Err(error) => return fail(&error, json, err_style, width),
    };
    match dispatch(&settings, cli.command) {
        Ok(exit) => exit,
        Err(error) => fail(&error, settings.json_errors(), settings.err, settings.width),
    }
}

/// Reads the configuration, which help and completions do without, as does whoever looks for its files; says what is careless
/// about keys to whoever uses them.
fn configured(settings: Settings, command: &Command) -> Result<Settings, CliError> {
    let plain = matches!(command, Command::Help(_) | Command::Completions(_))
        || matches!(command, Command::Config(args::Config::Path(_) | args::Config::Trust(_)));
    if plain {
        return Ok(settings);
    }
    let (settings, untrusted, cautions) = settings.configured()?;
    if let Some(said) = untrusted {
        warn(&settings, &said);
    }
    let uses_keys = matches!(
        command,
        Command::Chat(_)
            | Command::Serve(_)
            | Command::Providers(Providers::List(_) | Providers::Check(_) | Providers::Probe(_))
    );
    for caution in cautions.iter().filter(|_| uses_keys && settings.sandbox.is_none()) {
        warn(&settings, caution);
    }
    Ok(settings)
}

fn dispatch(settings: &Settings, command: Command) -> Outcome {
    match command {
        Command::Models(Models::List(args)) => models::list(settings, &args),
        Command::Models(Models::Show(args)) => show::show(settings, &args),
        Command::Providers(Providers::List(args)) => providers::list(settings, &args),
        Command::Providers(Providers::Check(args)) => check::check(settings, &args),
        Command::Providers(Providers::Probe(args)) => probe::probe(settings, &args),
        Command::Providers(Providers::Compare(args)) => compare::compare(settings, &args),
        Command::Providers(Providers::History(args)) => history::history(settings, &args),
        Command::Usage(args) => usage::usage(settings, &args),
        Command::Route(Route::Explain(args)) => explain::explain(settings, &args),
        Command::Route(Route::Replay(args)) => replay::replay(settings, &args),
        Command::Route(Route::Simulate(args)) => simulate::simulate(settings, &args),
        Command::Catalog(Catalog::Update(args)) => catalog::update(settings, &args),
        Command::Catalog(Catalog::Status(args)) => catalog::status(settings, &args),
        Command::Catalog(Catalog::Diff(args)) => catalog::diff(settings, &args),
        Command::Catalog(Catalog::Rollback(args)) => catalog::rollback(settings, &args),
        Command::Catalog(Catalog::Key(args)) => catalog::key(settings, &args),
        Command::Catalog(Catalog::Release(args)) => catalog::release(settings, &args),
        Command::Catalog(Catalog::Path) => catalog::path(settings),
        Command::Check(args) => assert::check(settings, &args),
        Command::Chat(args) => chat::chat(settings, &args),
        Command::Serve(args) => serve::run(settings, &args),
        Command::Sandbox(args) => sandbox::run(settings, &args),
        Command::Config(args) => config::run(settings, &args),
        Command::Completions(args) => complete::run(&args),
        Command::Help(args) => help::help(settings, &args),
    }
}

/// Writes data and says how the command ended.
fn print(text: &str) -> Outcome {
    match out::data(text) {
        Ok(_) => Ok(Exit::Ok),
        Err(error) => Err(unwritable(&error)),
    }
}

/// Writes what people read: in ASCII, where their locale knows nothing else.
fn print_page(settings: &Settings, text: &str) -> Outcome {
    print(&render::text::page(text, settings.unicode))
}

/// stdout cannot be written, and not because its reader is gone: a full disk.
fn unwritable(error: &std::io::Error) -> CliError {
    CliError::new(Exit::Config, "stdout", "cannot write to stdout")
        .fact("reason", settings::reason(error))
        .fix("make room where the output goes, or send it elsewhere")
}

fn fail(error: &CliError, json: bool, style: render::text::Style, width: usize) -> Exit {
    out::talk(&if json { error.json() } else { error.human(style, width) });
    error.exit
}

/// The line of a warning.
fn warning(style: render::text::Style, text: &str) -> String {
    format!("{} {}\n", style.yellow("warning:"), render::text::visible(text))
}

/// The line of a note.
fn noted(style: render::text::Style, text: &str) -> String {
    format!("{}\n", style.dim(&format!("note: {}", render::text::visible(text))))
}

/// A warning for people, one line.
fn warn(settings: &Settings, text: &str) {
    if !settings.quiet {
        out::talk(&render::text::page(&warning(settings.err, text), settings.unicode));
    }
}

/// A note for people, one line.
fn note(settings: &Settings, text: &str) {
    if !settings.quiet {
        out::talk(&render::text::page(&noted(settings.err, text), settings.unicode));
    }
}

/// What surrounds a table for a person: dim, on stderr, on a terminal only.
fn footer(settings: &Settings, format: args::Format, text: &str) {
    if format.is_page() && settings.err_is_terminal && settings.out_is_terminal && !settings.quiet {
        for line in render::text::wrap(
            &render::text::page(&render::text::visible(text), settings.unicode),
            settings.width.clamp(40, 100),
        ) {
            out::talk(&format!("{}\n", settings.err.dim(&line)));
        }
    }
}

/// `-vv` shows the wire, without keys.
fn trace(settings: &Settings) {
    use tracing_subscriber::layer::{Layer, SubscriberExt};
    use tracing_subscriber::util::SubscriberInitExt;
    if settings.verbose >= 2 {
        // Only our own lines: a library could log a header that holds a key.
        let filter = tracing_subscriber::filter::Targets::new().with_target("openmux", tracing::Level::DEBUG);
        let lines = tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_ansi(settings.err.on)
            .without_time()
            .with_target(false);
        let _ = tracing_subscriber::registry().with(lines.with_filter(filter)).try_init();
    }
}
