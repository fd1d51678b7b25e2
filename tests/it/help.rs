//! Help is complete and true: every flag has a text, every example runs.

#![expect(clippy::disallowed_methods, reason = "the sources are files")]

use std::collections::BTreeSet;

use clap::Command;
use openmux::cli::contract::{ENVIRONMENT, SETTINGS};

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
fn every_topic_is_named_wherever_topics_are() {
    let root = root();
    let help = root.find_subcommand("help").unwrap();
    let argument = help.get_arguments().find(|argument| argument.get_id() == "topic").unwrap();
    let places = [
        root.get_after_help().map(ToString::to_string),
        help.get_about().map(ToString::to_string),
        argument.get_help().map(ToString::to_string),
        Some(Home::new().openmux([]).run().stdout),
        Some(std::fs::read_to_string(crate::generated::top("man/openmux-help.1")).unwrap().replace("\\-", "-")),
    ];
    for (topic, _) in openmux::cli::topics() {
        for place in &places {
            let words: Vec<&str> =
                place.as_deref().unwrap().split(|c: char| !c.is_alphanumeric() && c != '-').collect();
            assert!(words.contains(&topic), "{topic} is not in: {place:?}");
        }
    }
}

/// Names that begin with `OPENMUX_` in a text.
fn variables(text: &str) -> BTreeSet<String> {
    let names = text.match_indices("OPENMUX_").map(|(at, _)| {
        text[at..].chars().take_while(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || *c == '_').collect::<String>()
    });
    names.filter(|name| name.len() > "OPENMUX_".len()).collect()
}

#[test]
fn every_variable_of_ours_is_read_and_told() {
    let told: BTreeSet<String> = ENVIRONMENT.iter().flat_map(|(names, _)| variables(names)).collect();
    let mut read = BTreeSet::new();
    let mut folders = vec![crate::generated::top("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("cli/contract.rs")
            {
                let text = std::fs::read_to_string(&path).unwrap();
                // In quotes and by itself: a name that something is asked by.
                let quoted =
                    text.split('"').filter(|word| word.starts_with("OPENMUX_") && variables(word).contains(*word));
                read.extend(quoted.map(str::to_owned));
            }
        }
    }
    assert!(read.len() > 8, "{read:?}");
    assert_eq!(read, told, "what is read (left) is what contract.rs tells (right)");
}

#[test]
fn every_setting_is_a_flag_and_every_flag_names_its_variable() {
    let root = root();
    let commands = all(&root);
    let flags: Vec<(&str, String)> = commands
        .iter()
        .flat_map(|(_, command)| command.get_arguments())
        .filter_map(|flag| Some((flag.get_long()?, flag.get_help().map(ToString::to_string).unwrap_or_default())))
        .collect();
    for setting in SETTINGS {
        let long = setting.key.replace('_', "-");
        let found: Vec<&str> = flags.iter().filter(|(name, _)| *name == long).map(|(_, help)| help.as_str()).collect();
        assert!(!found.is_empty(), "--{long} is no flag");
        if let Some(variable) = setting.variable {
            assert!(found.iter().any(|help| help.contains(&format!("[env: {variable}]"))), "--{long}: {found:?}");
        }
    }
    let told: BTreeSet<String> = ENVIRONMENT.iter().flat_map(|(names, _)| variables(names)).collect();
    for (flag, help) in flags {
        assert!(variables(&help).is_subset(&told), "--{flag}: {help}");
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
