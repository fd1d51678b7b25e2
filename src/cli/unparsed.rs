//! A command line that clap does not understand, in the words of every other error; and help, which is no error.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::args::command;
use super::contract::Exit;
use super::error::CliError;
use super::render::text::{Style, trim_ends};
use super::{Outcome, out, print};

/// Prints help or the version where that was asked for.
///
/// # Errors
/// It was not.
pub(super) fn end(error: &clap::Error, typed: &[OsString], out_style: Style, err_style: Style) -> Outcome {
    let text = |style: Style| {
        let rendered = error.render();
        trim_ends(&if style.on { rendered.ansi().to_string() } else { rendered.to_string() })
    };
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => print(&text(out_style)),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            out::talk(&text(err_style));
            Ok(Exit::Usage)
        }
        kind => Err(better(kind, typed).unwrap_or_else(|| told(error, typed))),
    }
}

/// Whether the command line asks for JSON, as far as that can be told before it is parsed.
pub(super) fn wants_json(typed: &[OsString]) -> bool {
    let words: Vec<&str> = typed.iter().filter_map(|word| word.to_str()).take_while(|word| *word != "--").collect();
    let pair = |pair: &[&str]| matches!(pair, ["-o" | "--output", "json" | "jsonl"]);
    let one = ["--json", "-ojson", "-ojsonl", "--output=json", "--output=jsonl", "-o=json", "-o=jsonl"];
    words.iter().any(|word| one.contains(word)) || words.windows(2).any(pair)
}

/// An error that deserves more than clap's words.
fn better(kind: ErrorKind, typed: &[OsString]) -> Option<CliError> {
    let words: Vec<&str> = typed.iter().skip(1).filter_map(|word| word.to_str()).collect();
    if kind == ErrorKind::UnknownArgument
        && words.iter().any(|word| *word == "-k" || word.starts_with("--api-key") || word.starts_with("--key"))
    {
        return Some(
            CliError::usage("a key is never given on the command line, where every process can see it")
                .fix("export ANTHROPIC_API_KEY=...   (openmux providers list -o wide names each variable)"),
        );
    }
    let below_zero = |word: &str| word.starts_with('-') && word.parse::<f64>().is_ok();
    if kind == ErrorKind::UnknownArgument
        && let Some([option, value]) = words.windows(2).find(|pair| pair[0].starts_with("--") && below_zero(pair[1]))
    {
        return Some(
            CliError::usage(format!("{option} takes no number below zero, such as {value}"))
                .fix(format!("{option} {}", value.trim_start_matches('-'))),
        );
    }
    let first = words.iter().find(|word| !word.starts_with('-'))?;
    if kind == ErrorKind::InvalidSubcommand && first.contains(' ') {
        return Some(CliError::usage("a prompt needs a command in front of it").fix("openmux chat -m MODEL \"...\""));
    }
    None
}

/// What the standard library says of a number, and the same for people.
const PLAIN: [(&str, &str); 4] = [
    ("invalid digit found in string", "not a whole number"),
    ("cannot parse integer from empty string", "not a whole number"),
    ("number too large to fit in target type", "too large a number"),
    ("invalid float literal", "not a number"),
];

/// What clap says: a sentence, what there is in its place, how the command is called.
fn told(error: &clap::Error, typed: &[OsString]) -> CliError {
    let text = error.render().to_string();
    let mut parts = text.split("\n\n").map(str::trim);
    let mut lines = parts.next().unwrap_or_default().lines().map(str::trim);
    let mut message = lines.next().unwrap_or_default().trim_start_matches("error: ").to_owned();
    let mut values = None;
    for line in lines {
        match line.strip_prefix("[possible values: ").and_then(|rest| rest.strip_suffix(']')) {
            Some(all) => values = Some(all.replace(", ", " ")),
            None => message = format!("{message} {line}"),
        }
    }
    for (rust, plain) in PLAIN {
        message = message.replace(rust, plain);
    }
    let help = format!("openmux {}--help", path(typed));
    let near = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    let wrong = [ContextKind::InvalidSubcommand, ContextKind::InvalidValue, ContextKind::InvalidArg];
    let first = |kinds: [ContextKind; 3]| kinds.into_iter().find_map(|kind| word(error.get(kind)?));
    let near = first(near);
    let mut told = CliError::usage(message);
    if let Some(near) = &near {
        told = told.fact("did you mean", near);
    }
    if let Some(values) = values {
        told = told.fact("values", values);
    }
    for part in parts {
        let tips = part.lines().filter_map(|line| line.trim().strip_prefix("tip: ")).filter(|_| near.is_none());
        told = tips.fold(told, |told, tip| told.fact("tip", tip));
        if let Some(usage) = part.strip_prefix("Usage: ") {
            told = told.fact("usage", usage.lines().map(str::trim).collect::<Vec<_>>().join("\n"));
        }
    }
    match near.zip(first(wrong)) {
        Some((near, wrong)) => told.fix(format!("write {near} in place of {wrong}")),
        None => told.fix(help),
    }
}

/// The first word of a context.
fn word(value: &ContextValue) -> Option<String> {
    match value {
        ContextValue::String(word) => Some(word.clone()),
        ContextValue::Strings(words) => words.first().cloned(),
        _ => None,
    }
}

/// The commands that were typed, each with a space behind it.
fn path(typed: &[OsString]) -> String {
    let mut command = command::<&str>(&[]);
    let mut path = String::new();
    for word in typed.iter().skip(1).filter_map(|word| word.to_str()) {
        let Some(below) = command.find_subcommand(word).cloned() else { continue };
        path += &format!("{word} ");
        command = below;
    }
    path
}
