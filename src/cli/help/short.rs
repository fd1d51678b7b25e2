//! What `-h` prints: every option of a command by name, with words as far as they fit a small terminal; `--help` has all.

use clap::{Arg, ArgAction, Command};

use super::super::render::text::{Style, width, wrap};

/// Lines of the smallest terminal, but for the one with the prompt.
const LINES: usize = 23;

/// The short help of a command; `name` is all of its name, `openmux models list`.
pub(crate) fn short(command: &Command, name: &str, columns: usize, style: Style) -> String {
    let page = Page::of(command, name);
    // What is worth the least goes first, as long as the page does not fit.
    let mut cut = Cut { examples: page.examples.len().min(3), roomy: true, ..Cut::default() };
    loop {
        let fits = page.lines(&cut, columns, style).len() <= LINES;
        if fits || !page.cut_more(&mut cut) {
            break;
        }
    }
    // What is left of the room shows how it is used.
    let more = |examples: usize| page.lines(&Cut { examples, ..cut.clone() }, columns, style);
    let wanted = (cut.examples..=page.examples.len().min(3)).rev().map(more).find(|lines| lines.len() <= LINES);
    wanted.unwrap_or_else(|| page.lines(&cut, columns, style)).join("\n") + "\n"
}

/// Options under one heading.
struct Group<'c> {
    heading: String,
    options: Vec<&'c Arg>,
}

/// What a page is made of.
struct Page<'c> {
    name: &'c str,
    about: String,
    usage: String,
    /// Commands below it, and arguments: a name and what it is.
    words: Vec<(String, String)>,
    groups: Vec<Group<'c>>,
    examples: Vec<String>,
}

/// What is left out of a page, or told without words.
#[derive(Clone, Default)]
struct Cut {
    examples: usize,
    /// Whether there are empty lines between the parts.
    roomy: bool,
    /// Groups that are names alone.
    bare: Vec<usize>,
    /// Whether names of values are left out of those.
    valueless: bool,
}

impl<'c> Page<'c> {
    fn of(command: &'c Command, name: &'c str) -> Self {
        let text = |about: Option<&clap::builder::StyledStr>| about.map(ToString::to_string).unwrap_or_default();
        let usage = command.clone().render_usage().to_string();
        let below = command.get_subcommands().map(|below| (below.get_name().to_owned(), text(below.get_about())));
        let arguments = command.get_positionals().filter(|arg| !arg.is_hide_set());
        let arguments = arguments.map(|arg| (values(arg).join(" "), text(arg.get_help())));
        let mut groups: Vec<Group<'c>> = Vec::new();
        for arg in command.get_arguments().filter(|arg| is_option(arg)) {
            let heading = arg.get_help_heading().unwrap_or("Options");
            match groups.iter_mut().find(|group| group.heading == heading) {
                Some(group) => group.options.push(arg),
                None => groups.push(Group { heading: heading.to_owned(), options: vec![arg] }),
            }
        }
        let after = text(command.get_after_help());
        let examples = after.split("\n\n").filter_map(|part| part.strip_prefix("Examples\n"));
        Self {
            name,
            about: text(command.get_about()),
            usage: usage.trim_start_matches("Usage:").trim().to_owned(),
            words: below.chain(arguments).collect(),
            groups,
            examples: examples.flat_map(str::lines).map(|line| line.trim().to_owned()).collect(),
        }
    }

    /// Leaves out one thing more; false where nothing is left that could be.
    fn cut_more(&self, cut: &mut Cut) -> bool {
        let worded = (0..self.groups.len()).filter(|at| !cut.bare.contains(at));
        if cut.examples > 1 {
            cut.examples = 1;
        } else if let Some(longest) = worded.max_by_key(|at| (self.groups[*at].options.len(), *at)) {
            cut.bare.push(longest);
        } else if cut.roomy {
            cut.roomy = false;
        } else if !cut.valueless {
            cut.valueless = true;
        } else {
            return false;
        }
        true
    }

    fn lines(&self, cut: &Cut, columns: usize, style: Style) -> Vec<String> {
        let mut lines = wrap(&self.about, columns);
        lines.push(String::new());
        lines.extend(hung(&style.bold("Usage:"), 7, &self.usage, columns));
        if !self.words.is_empty() {
            lines.push(String::new());
            lines.extend(table(&self.words, columns));
        }
        for (at, group) in self.groups.iter().enumerate().filter(|(at, _)| !cut.bare.contains(at)) {
            if cut.roomy || at == 0 {
                lines.push(String::new());
            }
            lines.push(style.bold(&format!("{}:", group.heading)));
            let rows = group.options.iter().map(|arg| (named(arg, true), help(arg)));
            lines.extend(table(&rows.collect::<Vec<_>>(), columns));
        }
        let bare = self.groups.iter().enumerate().filter(|(at, _)| cut.bare.contains(at));
        let mut runs: Vec<(&str, Vec<String>)> =
            bare.map(|(_, group)| (group.heading.as_str(), run(&group.options, !cut.valueless))).collect();
        let everywhere = EVERYWHERE.iter().map(|name| match name.split([' ', '[']).next() {
            Some(bare) if cut.valueless => bare.to_owned(),
            _ => (*name).to_owned(),
        });
        runs.push(("Everywhere", everywhere.collect()));
        let pad = runs.iter().map(|(heading, _)| heading.len()).max().unwrap_or(0).min(columns / 4) + 2;
        if cut.roomy || cut.bare.len() == self.groups.len() {
            lines.push(String::new());
        }
        for (heading, names) in runs {
            let text = filled(&names, columns.saturating_sub(pad).max(20));
            let label = format!("{}{}", style.bold(heading), " ".repeat(pad.saturating_sub(heading.len()).max(1)));
            for (at, line) in text.iter().enumerate() {
                let before = if at == 0 { label.clone() } else { " ".repeat(pad) };
                lines.push(before + line);
            }
        }
        if cut.roomy && cut.examples > 0 {
            lines.push(String::new());
        }
        let fitting = self.examples.iter().filter(|example| width(example) + 2 <= columns);
        lines.extend(fitting.take(cut.examples).map(|example| format!("  {example}")));
        if cut.roomy {
            lines.push(String::new());
        }
        lines.extend(wrap(&format!("More: {} --help", self.name), columns));
        lines
    }
}

/// The options of every command.
const EVERYWHERE: [&str; 8] =
    ["-o FORMAT", "--json", "--color WHEN", "-q", "-v", "--config FILE", "--offline", "--sandbox[=SCENARIO]"];

/// Whether it is an option of the command's own.
fn is_option(arg: &Arg) -> bool {
    let help =
        matches!(arg.get_action(), ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version);
    !(arg.is_positional() || arg.is_hide_set() || arg.is_global_set() || help)
}

/// The names of its values, as they are shown.
fn values(arg: &Arg) -> Vec<String> {
    let names = arg.get_value_names().unwrap_or_default();
    let more =
        if arg.is_positional() && arg.get_num_args().is_some_and(|many| many.max_values() > 1) { "..." } else { "" };
    names.iter().map(|name| format!("{name}{more}")).collect()
}

/// `-m, --model MODEL`.
fn named(arg: &Arg, valued: bool) -> String {
    let long = arg.get_long().map(|long| format!("--{long}"));
    let short = arg.get_short().map(|short| format!("-{short}"));
    let name = short.into_iter().chain(long).collect::<Vec<_>>().join(", ");
    let takes = valued && arg.get_action().takes_values();
    if takes { format!("{name} {}", values(arg).join(" ")) } else { name }
}

/// The same of several options, each in few letters; what has a `--no-` to it is told once.
fn run(options: &[&Arg], valued: bool) -> Vec<String> {
    let has = |long: &str| options.iter().any(|arg| arg.get_long() == Some(long));
    let told =
        options.iter().filter(|arg| !arg.get_long().is_some_and(|long| long.strip_prefix("no-").is_some_and(has)));
    told.map(|arg| {
        let long = arg.get_long().unwrap_or_default();
        if has(&format!("no-{long}")) { format!("--[no-]{long}") } else { named(arg, valued).replace(", ", "|") }
    })
    .collect()
}

fn help(arg: &Arg) -> String {
    arg.get_help().map(ToString::to_string).unwrap_or_default()
}

/// Two columns, a line each.
fn table(rows: &[(String, String)], columns: usize) -> Vec<String> {
    let widest = rows.iter().map(|(name, _)| width(name)).max().unwrap_or(0).min(columns * 2 / 5);
    rows.iter()
        .map(|(name, text)| {
            let pad = widest.max(width(name));
            format!("  {name:<pad$}  {}", clause(text, columns.saturating_sub(pad + 4))).trim_end().to_owned()
        })
        .collect()
}

/// Names with two spaces between them, in lines of at most so many columns.
fn filled(names: &[String], most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for name in names {
        match lines.last_mut().filter(|line| width(line) + 2 + width(name) <= most) {
            Some(line) => *line += &format!("  {name}"),
            None => lines.push(name.clone()),
        }
    }
    lines
}

/// As much of a text as fits, up to where a thought ends.
fn clause(text: &str, most: usize) -> String {
    let text = text.lines().next().unwrap_or_default();
    let ends = [" [", "; ", ". ", ": ", " (", ", "];
    let cuts = ends.iter().flat_map(|end| text.match_indices(end).map(|(at, _)| &text[..at]));
    let is_whole = |part: &str| {
        ["()", "[]"].iter().all(|pair| {
            let count = |sign: &str| part.matches(sign).count();
            count(&pair[..1]) == count(&pair[1..])
        })
    };
    let fits = |part: &&str| width(part) <= most && !part.is_empty() && is_whole(part);
    let fitting = std::iter::once(text).chain(cuts).filter(fits);
    if let Some(longest) = fitting.max_by_key(|part| part.len()) {
        return longest.to_owned();
    }
    let first = wrap(text, most.saturating_sub(3)).into_iter().next().unwrap_or_default();
    if width(&first) + 3 <= most { first + "..." } else { String::new() }
}

/// A text behind a label, its further lines below it.
fn hung(label: &str, indent: usize, text: &str, columns: usize) -> Vec<String> {
    let lines = wrap(text, columns.saturating_sub(indent).max(20));
    let first = lines.first().map(|line| format!("{label} {line}"));
    first.into_iter().chain(lines.iter().skip(1).map(|line| " ".repeat(indent) + line)).collect()
}
