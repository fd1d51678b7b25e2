//! Help is complete and true: every flag has a text, every example runs.

#![expect(clippy::disallowed_methods, reason = "the sources are files")]

use std::collections::BTreeSet;

use clap::Command;
use openmux::cli::contract::{ENVIRONMENT, Exit, SETTINGS};

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

/// Without what roff and Markdown put before signs.
fn plain(text: &str) -> String {
    ["\\fB", "\\fI", "\\fR"]
        .iter()
        .fold(text.replace("\\-", "-").replace("\\|", "|"), |text, font| text.replace(font, ""))
}

/// One source, three places: whatever is an option, a variable, a key or an exit code is in help, man page and README.
#[test]
fn nothing_is_missing_from_help_man_and_readme() {
    let root = root();
    let home = Home::new();
    let file = |name: &str| plain(&std::fs::read_to_string(crate::generated::top(name)).unwrap());
    let readme = file("README.md");
    let words = |text: &str| -> BTreeSet<String> {
        text.split(|c: char| !(c.is_alphanumeric() || "-_.".contains(c)))
            .map(|word| word.trim_end_matches('.').to_owned())
            .collect()
    };
    let (commands, _) =
        readme.split_once("<!-- table: commands -->").and_then(|(_, rest)| rest.split_once("<!-- end")).unwrap();
    let mut count = 0;
    for (name, command) in all(&root) {
        let page = file(&format!("man/{}.1", name.replace(' ', "-")));
        let help = home.openmux(name.split(' ').skip(1).chain(["--help"])).run().stdout;
        let own = name.trim_start_matches("openmux ");
        let row = commands.lines().find(|line| line.starts_with(&format!("| `{own}` |"))).unwrap_or_default();
        assert!(command.has_subcommands() || !row.is_empty(), "{name} is not in the README");
        let everywhere = commands.lines().find(|line| line.starts_with("| each of them |")).unwrap();
        let (help, page, row) = (words(&help), words(&page), words(&format!("{row} {everywhere}")));
        for flag in command.get_arguments().filter(|flag| !flag.is_hide_set()) {
            let Some(long) = flag.get_long().map(|long| format!("--{long}")) else { continue };
            let is_told = command.has_subcommands() || row.contains(&long);
            assert!(help.contains(&long) && page.contains(&long) && is_told, "{name} {long}");
            count += 1;
        }
    }
    assert!(count > 300, "{count} options");
    let topic = |name: &str| openmux::cli::topics().into_iter().find(|(topic, _)| *topic == name).unwrap().1;
    let (man, config) = (file("man/openmux.1"), file("man/openmux-config.1"));
    for (names, _) in ENVIRONMENT {
        for name in names.split(", ") {
            let places = [&topic("environment"), &man, &readme];
            assert!(places.iter().all(|place| words(place).contains(name)), "{name}");
        }
    }
    for setting in SETTINGS {
        let places = [&topic("config"), &config, &readme];
        assert!(places.iter().all(|place| words(place).contains(setting.key)), "{}", setting.key);
    }
    for exit in Exit::ALL {
        let (code, name) = (exit.code().to_string(), exit.name());
        assert!(
            topic("exit-codes").lines().any(|line| line.trim_start().starts_with(&format!("{code}  {name}"))),
            "{name}"
        );
        assert!(man.contains(&format!("\n{code}\n{name}: ")), "{name} is not in the man page");
        assert!(readme.contains(&format!("| {code} | `{name}` | ")), "{name} is not in the README");
    }
}

/// `-h` of every command fits the smallest terminal with its prompt, and names every option.
#[test]
fn short_help_fits_24_lines_and_leaves_out_no_option() {
    let root = root();
    let home = Home::new();
    for (name, command) in all(&root) {
        let words: Vec<&str> = name.split(' ').skip(1).collect();
        let short = home.openmux(words.iter().copied().chain(["-h"])).run();
        assert_eq!((short.code, short.stderr.as_str()), (Some(0), ""), "{}", short.snapshot());
        let long = home.openmux(words.iter().copied().chain(["--help"])).run().stdout;
        assert!(short.stdout.lines().count() <= 23, "{name}: {}", short.stdout);
        assert!(short.stdout.len() < long.len(), "{name}");
        for line in short.stdout.lines() {
            assert!(line.chars().count() <= 80 && line.trim_end() == line, "{name}: {line}");
        }
        let told = short.stdout.replace("[no-]", "");
        for flag in command.get_arguments().filter(|flag| !flag.is_global_set() && !flag.is_hide_set()) {
            let Some(long) = flag.get_long().filter(|long| !["help", "version"].contains(long)) else { continue };
            let bare = long.strip_prefix("no-").unwrap_or(long);
            let is_told = [long, bare].iter().any(|name| told.contains(&format!("--{name}")));
            assert!(is_told, "{name} -h says nothing of --{long}: {}", short.stdout);
        }
        if command.has_subcommands() && name != "openmux" {
            let bare = home.openmux(words.iter().copied()).run();
            assert_eq!((bare.code, bare.stderr), (Some(2), short.stdout), "{name} alone prints its short help");
        }
    }
    assert_eq!(home.openmux(["-h"]).run().stdout, home.openmux([]).run().stdout);
}

#[test]
fn short_help_has_words_where_there_is_room() {
    let home = Home::new();
    insta::assert_snapshot!(home.openmux(["models", "list", "-h"]).run().stdout);
    insta::assert_snapshot!(home.openmux(["models", "show", "-h"]).run().stdout);
    insta::assert_snapshot!(home.openmux(["chat", "-h"]).run().stdout);
    insta::assert_snapshot!(home.openmux(["models"]).run().stderr);
    insta::assert_snapshot!(home.openmux([]).run().stdout);
}

/// Topics and the first page, on narrow terminals: nothing but single words passes the width.
#[test]
fn topics_fit_narrow_terminals() {
    let home = Home::new();
    for (topic, text) in openmux::cli::topics().into_iter().chain([("", String::new())]) {
        for width in [40, 60] {
            let words: Vec<&str> = ["help", topic].into_iter().filter(|word| !word.is_empty()).collect();
            let output = home.openmux(words).env("COLUMNS", width.to_string()).run();
            for line in output.stdout.lines() {
                let is_word = line.split_whitespace().count() <= 1;
                assert!(line.chars().count() <= width || is_word, "{topic} at {width}: {line}");
                assert_eq!(line.trim_end(), line, "{topic} at {width}");
            }
            // The same words in the same order.
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert!(topic.is_empty() || words(&output.stdout) == words(&text), "{topic} at {width}");
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

/// Words of a POSIX shell are advice on Windows as well, unless they come from where both are told.
#[test]
fn advice_with_words_of_a_shell_comes_from_one_place() {
    let mut folders = vec![crate::generated::top("src/cli"), crate::generated::top("src/upstream")];
    let mut wrong = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            if path.extension().is_none_or(|extension| extension != "rs") || path.ends_with("cli/platform.rs") {
                continue;
            }
            let is_advice = |line: &&str| {
                ["\"export ", "</dev/null", "/dev/stdin is", "iconv"].iter().any(|word| line.contains(word))
            };
            wrong.extend(code.lines().filter(is_advice).map(|line| format!("{}: {}", path.display(), line.trim())));
        }
    }
    assert!(wrong.is_empty(), "put it into cli/platform.rs: {wrong:#?}");
}
