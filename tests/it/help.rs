//! Help is complete and true: every flag has a text, every example runs.

#![expect(clippy::disallowed_methods, reason = "the sources are files")]

use std::collections::BTreeSet;

use clap::Command;
use openmux::cli::contract::{ENVIRONMENT, SETTINGS};

use crate::support::command::Home;
use crate::support::decisions;
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

/// The shell runs each: without a key, without the network, with a `git` and a `jq` of our own.
#[test]
#[cfg(unix)]
fn every_example_runs() {
    let home = Home::new();
    tool(&home, "git", "echo '+ a line'");
    tool(&home, "jq", "grep -q '^{'");
    drop(home.write("models.check.toml", "[[model]]\nid = \"claude-sonnet-5\"\nmax_price_in = \"3.00\"\n"));
    drop(decisions::kept(&home, Some("3f2a9c1b9d4e4b7fa1c05e6d2b8f7a90")));
    let mut examples = Vec::new();
    let root = root();
    for (_, command) in all(&root) {
        examples.extend(AfterHelp::of(command).examples);
    }
    let short = home.openmux([]).run().stdout;
    let (_, tried) = short.split_once("\nTry\n").unwrap();
    examples.extend(tried.lines().take_while(|line| !line.is_empty()).map(|line| line.trim().to_owned()));
    assert!(examples.len() > 15, "{examples:?}");
    for example in examples {
        let line = format!("PATH=\"$HOME:$PATH\"; {}", without_network(&example));
        let output = home.shell_line(&line).run();
        assert_eq!(output.code, Some(0), "{example}\n{}", output.snapshot());
        assert!(!output.stderr.contains("error:"), "{example}\n{}", output.snapshot());
    }
}

/// A chat becomes a dry run or stays in the sandbox; a server is stopped once it is ready.
#[cfg(unix)]
fn without_network(example: &str) -> String {
    if example.contains("openmux providers check") {
        return "openmux --sandbox providers check".to_owned();
    }
    if example.contains("openmux sandbox") {
        let (before, _) = example.split_once(" --port").unwrap_or((example, ""));
        let wait =
            "while ! grep -q '^# anthropic' ready; do sleep 0.05; done; kill -TERM $!; wait $! || test $? -eq 143";
        return format!("{before} --port 0 >ready 2>/dev/null & {wait}");
    }
    if example.contains("serve") {
        let example = example.replace("openmux serve", "openmux --sandbox serve").replace(":8080", ":0");
        let example = if example.contains("--listen") { example } else { example + " --listen 127.0.0.1:0" };
        let wait = "while ! grep -q '^listening' up; do sleep 0.05; done; kill -TERM $!; wait $! || test $? -eq 143";
        return format!("export GATEWAY_TOKEN=x; {example} 2>up & {wait}");
    }
    if example.contains("| jq") || example.contains("--sandbox") {
        return example.replace("openmux chat", "openmux --sandbox chat");
    }
    example.replace("openmux chat", "openmux chat --dry-run")
}

#[cfg(unix)]
fn tool(home: &Home, name: &str, body: &str) {
    use std::os::unix::fs::PermissionsExt;
    let path = home.write(name, &format!("#!/bin/sh\n{body}\n"));
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}
