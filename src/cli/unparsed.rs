//! A command line that clap does not understand, in the words of every other error; and help, which is no error.

use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::args::command_for;
use super::contract::Exit;
use super::error::CliError;
use super::help::first_page;
use super::help::short::short;
use super::platform::set_key;
use super::render::text::{Style, one_line, trim_ends};
use super::{Outcome, out, print};

/// Prints help or the version where that was asked for: `-h` and a command without the one below it get the short help. The
/// styles are those of stdout and stderr.
///
/// # Errors
/// It was not.
pub(super) fn end(error: &clap::Error, typed: &[OsString], styles: (Style, Style), columns: usize) -> Outcome {
    let (out_style, err_style) = styles;
    match error.kind() {
        ErrorKind::DisplayHelp if is_short(typed) => print(&short_help(typed, columns, out_style)),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            let rendered = error.render();
            print(&trim_ends(&if out_style.on { rendered.ansi().to_string() } else { rendered.to_string() }))
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            out::talk(&short_help(typed, columns, err_style));
            Ok(Exit::Usage)
        }
        _ => Err(better(error, typed).unwrap_or_else(|| told(error, typed))),
    }
}

/// Whether help was asked for with `-h`, perhaps in one word with others, before `--help` was.
fn is_short(typed: &[OsString]) -> bool {
    let asked = typed.iter().skip(1).filter_map(|word| word.to_str());
    let flags = |word: &str| word.bytes().all(|letter| b"hqv".contains(&letter));
    let is_cluster = |word: &str| word.strip_prefix('-').is_some_and(|word| word.contains('h') && flags(word));
    asked.take_while(|word| *word != "--").find(|word| *word == "--help" || is_cluster(word)) != Some("--help")
}

/// The short help of the command that was typed.
fn short_help(typed: &[OsString], columns: usize, style: Style) -> String {
    let path = path(typed);
    if path.is_empty() {
        return first_page(style, columns);
    }
    short(&named(&path), &format!("openmux {}", path.trim_end()), columns.min(100), style)
}

/// The command of a [`path`], with its options.
fn named(path: &str) -> clap::Command {
    let words: Vec<&str> = path.split_whitespace().collect();
    let mut root = command_for(&words);
    root.build();
    words.iter().try_fold(&root, |command, word| command.find_subcommand(word)).unwrap_or(&root).clone()
}

/// Whether the command line asks for JSON, as far as that can be told before it is parsed.
pub(super) fn wants_json(typed: &[OsString]) -> bool {
    let words: Vec<&str> = typed.iter().filter_map(|word| word.to_str()).take_while(|word| *word != "--").collect();
    let is_json = |name: &str| {
        let name = name.split('@').next().unwrap_or_default();
        ["json", "jsonl"].iter().any(|known| name.eq_ignore_ascii_case(known))
    };
    let joined = |word: &&str| {
        let value = ["--output=", "-o=", "-o"].into_iter().find_map(|flag| word.strip_prefix(flag));
        *word == "--json" || value.is_some_and(is_json)
    };
    words.iter().any(joined) || words.windows(2).any(|pair| matches!(pair[0], "-o" | "--output") && is_json(pair[1]))
}

/// An error that deserves more than clap's words.
fn better(error: &clap::Error, typed: &[OsString]) -> Option<CliError> {
    let kind = error.kind();
    let words: Vec<&str> = typed.iter().skip(1).filter_map(|word| word.to_str()).collect();
    if kind == ErrorKind::UnknownArgument
        && words.iter().any(|word| *word == "-k" || word.starts_with("--api-key") || word.starts_with("--key"))
    {
        return Some(
            CliError::usage("a key is never given on the command line, where every process can see it").fix(format!(
                "{}   (openmux providers list -o wide names each variable)",
                set_key("ANTHROPIC_API_KEY")
            )),
        );
    }
    let below_zero = |word: &str| word.starts_with('-') && word.parse::<f64>().is_ok();
    let takes_values = |option: &str| {
        let command = named(&path(typed));
        let mut all = command.get_arguments();
        all.any(|arg| arg.get_long() == option.strip_prefix("--") && arg.get_action().takes_values())
    };
    if kind == ErrorKind::UnknownArgument
        && let Some([option, value]) = words.windows(2).find(|pair| below_zero(pair[1]) && takes_values(pair[0]))
    {
        return Some(
            CliError::usage(format!("{option} takes no number below zero, such as {value}"))
                .fix(format!("{option} {}", value.trim_start_matches('-'))),
        );
    }
    if kind == ErrorKind::UnknownArgument && words.iter().any(|word| *word == "--jq" || word.starts_with("--jq=")) {
        return Some(CliError::usage("there is no jq in this program").fix("openmux ... -o json | jq '.data[]'"));
    }
    // A prompt with nothing in front of it: several words, or one that is like no command.
    let unknown = &word(error.get(ContextKind::InvalidSubcommand)?)?;
    let root = command_for::<&str>(&[]);
    let commands: Vec<&str> = root.get_subcommands().map(clap::Command::get_name).collect();
    let is_slip = !unknown.contains(' ') && commands.iter().any(|name| is_near(unknown, name));
    if path(typed).is_empty() && !is_slip {
        let shown: String = one_line(unknown).chars().take(40).collect();
        let more = if unknown.chars().count() > 40 { "..." } else { "" };
        return Some(
            CliError::usage(format!("there is no command \"{shown}{more}\"; a prompt goes behind chat"))
                .fact("commands", commands.join(" "))
                .fix("openmux chat -m MODEL \"...\""),
        );
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

/// Whether a word can be a slip in a command's name: two edits, a beginning, or much of one.
fn is_near(typed: &str, name: &str) -> bool {
    let edits = strsim::osa_distance(typed, name);
    let is_beginning = typed.len() >= 2 && name.starts_with(typed);
    (edits <= 2 && edits * 2 < name.len()) || is_beginning || strsim::jaro_winkler(typed, name) > 0.9
}

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
    let root = command_for::<&str>(&[]);
    let (mut command, mut path) = (&root, String::new());
    for word in typed.iter().skip(1).filter_map(|word| word.to_str()) {
        let Some(below) = command.find_subcommand(word) else { continue };
        path += &format!("{word} ");
        command = below;
    }
    path
}
