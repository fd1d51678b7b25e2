//! Completion: what fits at the cursor, asked by the scripts in `completions/`. Looks into the catalog and the user's
//! overlays and configuration, never at the network, and writes nothing. Whatever is broken just fits nothing.

mod line;
mod values;

use std::ffi::OsString;

use clap::Arg;

use super::args::{CompletionsArgs, Shell, command_for};
use super::render::text::visible;
use super::{Outcome, print};
use crate::catalog::file::checks::is_hidden;
use values::Wanted;

/// The script of a shell.
const fn script(shell: Shell) -> &'static str {
    match shell {
        Shell::Bash => include_str!("../../completions/openmux.bash"),
        Shell::Zsh => include_str!("../../completions/_openmux"),
        Shell::Fish => include_str!("../../completions/openmux.fish"),
        Shell::Powershell => include_str!("../../completions/_openmux.ps1"),
        Shell::Elvish => include_str!("../../completions/openmux.elv"),
    }
}

/// Prints the script of a shell.
///
/// # Errors
/// stdout cannot be written.
pub(crate) fn run(args: &CompletionsArgs) -> Outcome {
    print(script(args.shell))
}

/// What fits, where a script asks (`openmux completions SHELL -- ...`): a line each, `word<TAB>what it is`; `:files` where
/// the shell should offer files. Asked before anything is parsed, for it must be quick and cannot fail.
pub(crate) fn asked(typed: &[OsString]) -> Option<String> {
    let words: Vec<String> = typed.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let [_, command, shell, dashes, asked @ ..] = words.as_slice() else { return None };
    if command != "completions" || dashes != "--" {
        return None;
    }
    Some(match (shell.as_str(), asked) {
        // bash: the line, the place of the cursor in it, and where readline breaks words.
        ("bash", [line, point, breaks]) => {
            let point = point.parse().unwrap_or(line.len());
            let cut = line::before(line, point);
            let words = line::words(cut);
            let Some((current, before)) = words.split_last() else { return Some(String::new()) };
            let known = line::replaced(cut, current, breaks);
            lines(&fitting(before, current), |word, _| word.get(known..).unwrap_or_default().to_owned())
        }
        // The others split as they mean it: the words before the cursor, and what is at it.
        (_, [before @ .., current]) => {
            let before: Vec<String> = std::iter::once("openmux".to_owned()).chain(before.iter().cloned()).collect();
            lines(&fitting(&before, current), |word, about| match about {
                "" => word.to_owned(),
                about => format!("{word}\t{}", visible(about)),
            })
        }
        _ => String::new(),
    })
}

fn lines(wanted: &Wanted, line: impl Fn(&str, &str) -> String) -> String {
    match wanted {
        Wanted::Files => ":files\n".to_owned(),
        Wanted::Words(words) => {
            let fit = words.iter().filter(|(word, _)| is_one_word(word));
            fit.map(|(word, about)| line(word, about) + "\n").collect()
        }
    }
}

/// Whether a shell takes this for one word as it stands. bash puts what is completed into the line without quotes, and names
/// come from files and lists of others, too: what could be more than a word there is not offered.
fn is_one_word(word: &str) -> bool {
    // Nearly all are no more than this, and a TAB may offer thousands.
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/' | b':');
    word.bytes().all(is_plain)
        || !word.contains(|c: char| c.is_whitespace() || is_hidden(c) || "$`\"'\\;&|<>(){}[]*?!#^".contains(c))
}

/// What fits at the cursor; `before` begins with the program's name.
fn fitting(before: &[String], current: &str) -> Wanted {
    let root = command_for(before);
    let (mut command, mut path) = (&root, Vec::new());
    let (mut place, mut waiting, mut escaped) = (0_usize, None, false);
    for word in before.iter().skip(1) {
        if waiting.take().is_some() {
            continue;
        }
        if escaped || word == "-" || !word.starts_with('-') {
            match command.find_subcommand(word).filter(|_| !escaped && place == 0) {
                Some(below) => {
                    path.push(below.get_name().to_owned());
                    command = below;
                }
                None => place += 1,
            }
        } else if word == "--" {
            escaped = true;
        } else {
            waiting = left_open(&root, command, word);
        }
    }
    let at = values::Place { path: &path, before };
    if let Some(arg) = waiting {
        return at.values(arg, "", current);
    }
    if !escaped && current.starts_with('-') && current != "-" {
        if let Some((name, typed)) = current.split_once('=')
            && let Some(arg) = named(&root, command, name.trim_start_matches('-'))
        {
            return at.values(arg, &format!("{name}="), typed);
        }
        return Wanted::of(flags(&root, command), current);
    }
    let positional = command.get_positionals().collect::<Vec<_>>();
    let last = positional.last().filter(|arg| arg.get_num_args().is_none_or(|many| many.max_values() > 1));
    let mut fits = match positional.get(place).or(last) {
        Some(arg) => at.values(arg, "", current),
        None => Wanted::Words(Vec::new()),
    };
    if let (0, Wanted::Words(words)) = (place, &mut fits) {
        let below = command.get_subcommands().map(|below| (below.get_name().to_owned(), about(below.get_about())));
        words.extend(below.filter(|(name, _)| name.starts_with(current)));
    }
    fits
}

/// The option that takes the next word as its value, after this one.
fn left_open<'c>(root: &'c clap::Command, command: &'c clap::Command, word: &str) -> Option<&'c Arg> {
    let takes_next = |arg: &&Arg| arg.get_action().takes_values() && !arg.is_require_equals_set();
    if let Some(name) = word.strip_prefix("--") {
        return named(root, command, name).filter(takes_next);
    }
    let mut letters = word.chars().skip(1);
    while let Some(letter) = letters.next() {
        let known = every(root, command).find(|arg| arg.get_short() == Some(letter))?;
        if known.get_action().takes_values() {
            return letters.next().is_none().then_some(known);
        }
    }
    None
}

/// Options of the command, and those of every command.
fn every<'c>(root: &'c clap::Command, command: &'c clap::Command) -> impl Iterator<Item = &'c Arg> {
    command.get_arguments().chain(root.get_arguments().filter(|arg| arg.is_global_set()))
}

fn named<'c>(root: &'c clap::Command, command: &'c clap::Command, name: &str) -> Option<&'c Arg> {
    every(root, command)
        .find(|arg| arg.get_long() == Some(name) || arg.get_short().is_some_and(|one| name == one.to_string()))
}

fn flags(root: &clap::Command, command: &clap::Command) -> Vec<(String, String)> {
    let known = every(root, command).filter(|arg| !arg.is_hide_set());
    let mut flags: Vec<(String, String)> = known
        .flat_map(|arg| {
            let long = arg.get_long().map(|long| format!("--{long}"));
            let short = arg.get_short().map(|short| format!("-{short}"));
            long.into_iter().chain(short).map(|flag| (flag, about(arg.get_help())))
        })
        .collect();
    flags.push(("--help".to_owned(), "Print help".to_owned()));
    flags.sort();
    flags.dedup_by(|a, b| a.0 == b.0);
    flags
}

/// The first sentence.
fn about(text: Option<&clap::builder::StyledStr>) -> String {
    let text = text.map(ToString::to_string).unwrap_or_default();
    text.lines().next().unwrap_or_default().split(". ").next().unwrap_or_default().trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(line: &str) -> Vec<String> {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        let (current, before) = words.split_last().unwrap();
        match fitting(before, current) {
            Wanted::Files => vec![":files".to_owned()],
            Wanted::Words(words) => words.into_iter().map(|(word, _)| word).collect(),
        }
    }

    #[test]
    fn what_fits_follows_from_what_stands_before() {
        assert_eq!(fits("openmux mod"), ["models"]);
        assert_eq!(fits("openmux models "), ["list", "show"]);
        assert_eq!(fits("openmux -v --color never models s"), ["show"]);
        assert_eq!(fits("openmux chat --max-p"), ["--max-price-in", "--max-price-out"]);
        assert_eq!(fits("openmux models list --output js"), ["json", "jsonl"]);
        assert_eq!(fits("openmux models list --output=js"), ["--output=json", "--output=jsonl"]);
        assert_eq!(fits("openmux models list --fields id,ret"), ["id,retires"]);
        assert_eq!(fits("openmux usage --each --fields price_sheet_"), ["price_sheet_sha256"]);
        assert_eq!(fits("openmux models show anthropic/claude-sonnet-5:anth"), ["anthropic/claude-sonnet-5:anthropic"]);
        assert_eq!(fits("openmux chat -qm claude-sonnet-5."), ["claude-sonnet-5.5"]);
        assert_eq!(fits("openmux chat --only poe,anthropi"), ["poe,anthropic"]);
        assert_eq!(fits("openmux chat -a "), [":files"]);
        assert_eq!(fits("openmux chat --model claude-sonnet-5 -- --max"), Vec::<String>::new());
        assert_eq!(fits("openmux providers compare Anthropic/Claude-opus-4.6-f"), ["Anthropic/Claude-opus-4.6-fast"]);
        assert_eq!(fits("openmux providers check anthropic openrou"), ["openrouter"]);
        assert_eq!(fits("openmux help rout"), ["route", "routing"]);
        assert_eq!(fits("openmux catalog diff emb"), ["embedded"]);
        assert_eq!(fits("openmux catalog diff current p"), ["previous"]);
        assert_eq!(fits("openmux catalog diff ./"), [":files"]);
    }
}
