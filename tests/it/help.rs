//! Help is complete and true: every flag has a text, every example runs.

use clap::Command;

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
    drop(home.write("api.json", r#"{"anthropic":{"models":{"claude-sonnet-5":{"cost":{"input":2,"output":10}}}}}"#));
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
    if example.contains("openmux catalog update") {
        let (before, _) = example.split_once(" --from").unwrap_or((example, ""));
        return format!("{before} --from api.json");
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
