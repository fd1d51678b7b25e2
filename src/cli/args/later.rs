//! Options that are made where their command is on the line.

use std::cell::RefCell;
use std::ops::Deref;

use clap::{ArgMatches, Args, Command, CommandFactory, Error, FromArgMatches};

use super::Cli;

thread_local! {
    /// The words of the line that a command is being made for; without them all commands get their options.
    static LINE: RefCell<Option<Vec<String>>> = const { RefCell::new(None) };
}

/// The whole command with the options of those commands whose names are among these words: all of them together are a third
/// of what a start costs. Of the others names and texts are there.
pub(crate) fn command_for<W: AsRef<str>>(words: &[W]) -> Command {
    LINE.set(Some(words.iter().map(|word| word.as_ref().to_owned()).collect()));
    let command = Cli::command();
    LINE.set(None);
    command
}

fn is_on_the_line(name: &str) -> bool {
    LINE.with_borrow(|line| line.as_ref().is_none_or(|words| words.iter().any(|word| word == name)))
}

/// The options of a command, made by `command` where they can be asked for.
#[derive(Debug, Clone)]
pub struct Later<T>(Box<T>);

impl<T> Deref for Later<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: Args> Args for Later<T> {
    fn group_id() -> Option<clap::Id> {
        T::group_id()
    }

    fn augment_args(command: Command) -> Command {
        if is_on_the_line(command.get_name()) { T::augment_args(command) } else { command }
    }

    fn augment_args_for_update(command: Command) -> Command {
        if is_on_the_line(command.get_name()) { T::augment_args_for_update(command) } else { command }
    }
}

impl<T: FromArgMatches> FromArgMatches for Later<T> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches(matches).map(Box::new).map(Self)
    }

    fn from_arg_matches_mut(matches: &mut ArgMatches) -> Result<Self, Error> {
        T::from_arg_matches_mut(matches).map(Box::new).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches(matches)
    }

    fn update_from_arg_matches_mut(&mut self, matches: &mut ArgMatches) -> Result<(), Error> {
        self.0.update_from_arg_matches_mut(matches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(command: &Command, path: &[&str]) -> usize {
        let found = path.iter().try_fold(command, |command, name| command.find_subcommand(name));
        found.unwrap().get_arguments().count()
    }

    #[test]
    fn the_commands_on_the_line_are_whole_and_the_others_have_their_texts() {
        let all = Cli::command();
        let some = command_for(&["-v", "models", "list", "gpt"]);
        assert_eq!(options(&some, &["models", "list"]), options(&all, &["models", "list"]));
        assert_eq!(options(&some, &["models", "show"]), 0);
        assert_eq!(options(&some, &["chat"]), 0);
        let said = |command: &Command| {
            let each = command.get_subcommands().map(|one| (one.get_name().to_owned(), one.get_about().cloned()));
            each.collect::<Vec<_>>()
        };
        assert_eq!(said(&some), said(&all));
        assert!(options(&Cli::command(), &["chat"]) > 0, "what was asked for once holds once");
    }
}
