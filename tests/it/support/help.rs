//! What stands below the options in a command's help: prose and examples.

use clap::Command;

/// The text after the options, taken apart.
#[derive(Debug, Default)]
pub(crate) struct AfterHelp {
    /// Paragraphs.
    pub(crate) prose: Vec<String>,
    /// Command lines under "Examples" or "Try".
    pub(crate) examples: Vec<String>,
}

impl AfterHelp {
    /// Of this command, without those below it.
    pub(crate) fn of(command: &Command) -> Self {
        let text = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        let mut parts = Self::default();
        for paragraph in text.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()) {
            match paragraph.split_once('\n') {
                Some(("Examples" | "Try", lines)) => {
                    parts.examples.extend(lines.lines().map(|line| line.trim().to_owned()));
                }
                _ => parts.prose.push(paragraph.replace('\n', " ")),
            }
        }
        parts
    }
}

/// A command and all below it, each with its full name (`openmux models list`).
pub(crate) fn all(command: &Command) -> Vec<(String, &Command)> {
    let mut found = Vec::new();
    gather(command, "", &mut found);
    found
}

fn gather<'a>(command: &'a Command, above: &str, found: &mut Vec<(String, &'a Command)>) {
    let name = format!("{above}{}", command.get_name());
    found.push((name.clone(), command));
    for below in command.get_subcommands() {
        gather(below, &format!("{name} "), found);
    }
}
