//! Help is complete and true: every flag has a text, every example runs.

use clap::Command;

use crate::support::command::Home;
#[cfg(unix)]
use crate::support::examples;
use crate::support::help::{AfterHelp, all};

fn root() -> Command {
    let mut root = openmux::cli::command();
    root.build();
    root
}

#[test]
fn every_command_and_flag_says_what_it_is_for() {
    let root = root();
    for (name, command) in all(&root) {
        assert!(command.get_about().is_some(), "{name} has no text");
        for flag in command.get_arguments() {
            let text = flag.get_help().map(ToString::to_string).unwrap_or_default();
            assert!(!text.trim().is_empty(), "{name}: {} has no text", flag.get_id());
            assert!(!text.ends_with('.'), "{name}: {} is no sentence in a list: {text}", flag.get_id());
        }
    }
}

#[test]
fn help_fits_80_columns() {
    let home = Home::new();
    let root = root();
    for (name, _) in all(&root) {
        for flag in ["-h", "--help"] {
            let words = name.split(' ').skip(1).chain([flag]);
            let output = home.openmux(words).run();
            assert_eq!(output.code, Some(0), "{}", output.snapshot());
            for line in output.stdout.lines() {
                assert!(line.chars().count() <= 80, "{name} {flag}: {line}");
            }
        }
    }
}

#[test]
fn every_command_with_flags_of_its_own_has_an_example() {
    let root = root();
    for (name, command) in all(&root) {
        let own = command.get_arguments().any(|flag| !flag.is_global_set() && flag.get_id() != "help");
        let has_example = !AfterHelp::of(command).examples.is_empty();
        assert!(has_example || !own || name == "openmux help", "{name} has no example");
    }
}

/// The shell runs each.
#[test]
#[cfg(unix)]
fn every_example_runs() {
    let home = examples::home(true);
    let mut all_examples = Vec::new();
    let root = root();
    for (_, command) in all(&root) {
        all_examples.extend(AfterHelp::of(command).examples);
    }
    let short = home.openmux([]).run().stdout;
    let (_, tried) = short.split_once("\nTry\n").unwrap();
    all_examples.extend(tried.lines().take_while(|line| !line.is_empty()).map(|line| line.trim().to_owned()));
    assert!(all_examples.len() > 15, "{all_examples:?}");
    for example in all_examples {
        examples::run(&home, &example);
    }
}
