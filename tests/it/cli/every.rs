//! What holds for every command, whatever it does: closed pipes, silent pipes, no home, colours, widths. The commands are
//! clap's own, so that a new one is covered by itself; where it needs words, it needs a line in [`WORDS`].

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::support::command::{Home, Output, Run, Stdin};
use super::super::support::decisions;
use super::super::support::help::all;

/// What a command needs to run to its end, offline or in the sandbox. One that is not here is run as it is.
const WORDS: [(&str, &[&str]); 13] = [
    ("catalog diff", &["current", "overlaid"]),
    ("catalog key", &["release.key"]),
    ("completions", &["bash"]),
    ("chat", &["-n", "-m", "claude-sonnet-5", "--no-stdin", "hi"]),
    ("check", &["claude-sonnet-5", "--max-price-in", "3"]),
    ("config trust", &["--list"]),
    ("models show", &["claude-sonnet-5"]),
    ("providers check", &["--sandbox"]),
    ("providers compare", &["claude-sonnet-5"]),
    ("providers history", &["anthropic"]),
    ("providers probe", &["--sandbox", "claude-sonnet-5", "--rounds", "1"]),
    ("route explain", &["claude-sonnet-5"]),
    ("serve", &["--offline"]),
];

/// Commands that run until they are stopped or need the network, with what ends them at once, and the exit code that this is.
const SERVERS: [(&str, &[&str], i32); 4] = [
    ("catalog release", &["openmux.catalog", "--key", "nowhere.key"], 3),
    ("catalog update", &["--offline"], 11),
    ("sandbox", &["--scenario", "nowhere.toml"], 3),
    ("serve", &[], 11),
];

/// Commands that reach for the network, if only to be refused, and those that show the clock or measure.
const ONLINE: [&str; 3] = ["catalog update", "providers check", "providers probe"];

/// Every command with its words, and how it ends.
fn every() -> Vec<(String, Vec<String>, i32)> {
    let mut root = openmux::cli::command();
    root.build();
    let mut commands = Vec::new();
    for (name, command) in all(&root) {
        let Some(name) = name.strip_prefix("openmux ") else { continue };
        if command.has_subcommands() {
            continue;
        }
        let words = WORDS.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, words)| words);
        let (more, code) =
            SERVERS.iter().find(|(known, ..)| *known == name).map_or((&[][..], 0), |(_, more, code)| (more, *code));
        let all = name.split(' ').chain(words.iter().copied()).chain(more.iter().copied());
        commands.push((name.to_owned(), all.map(str::to_owned).collect(), code));
    }
    commands
}

/// A home in which something was decided, so that every command has something to say.
fn home() -> Home {
    let home = Home::new();
    drop(decisions::kept(&home, Some("3f2a9c1b9d4e4b7fa1c05e6d2b8f7a90")));
    home
}

fn run(home: &Home, words: &[String], more: &[&str]) -> Run {
    home.openmux(words.iter().map(String::as_str).chain(more.iter().copied()))
}

#[test]
fn every_word_is_of_a_command_that_there_is() {
    let commands = every();
    let names: BTreeSet<&str> = commands.iter().map(|(name, ..)| name.as_str()).collect();
    assert!(names.len() > 15, "{names:?}");
    for name in WORDS.iter().map(|(name, _)| *name).chain(SERVERS.iter().map(|(name, ..)| *name)) {
        assert!(names.contains(name), "{name}");
    }
    let home = home();
    for (name, words, code) in commands {
        let output = run(&home, &words, &[]).run();
        assert_eq!(output.code, Some(code), "{name} needs a line in WORDS: {}", output.snapshot());
    }
}

#[test]
fn a_reader_that_is_gone_is_no_failure() {
    let home = home();
    for (name, words, code) in every() {
        let quiet = run(&home, &words, &["-q"]).stdout_closed().run();
        assert_eq!(quiet.code, Some(code), "{name}: {}", quiet.snapshot());
        assert!(code != 0 || quiet.stderr.is_empty(), "{name}: {}", quiet.snapshot());
    }
}

#[test]
fn a_pipe_that_is_open_and_silent_keeps_nobody() {
    let home = home();
    for (name, words, code) in every() {
        // Whoever waited for stdin would wait for 30 s.
        let output = run(&home, &words, &[]).stdin(Stdin::OpenPipe).timeout(Duration::from_secs(25)).run();
        assert_eq!(output.code, Some(code), "{name}: {}", output.snapshot());
    }
}

#[test]
#[cfg(target_os = "linux")]
fn without_a_home_or_with_one_that_cannot_be_written_every_answer_is_there() {
    for (name, words, code) in every() {
        let there = Home::new();
        let first = run(&there, &words, &[]).run();
        let homeless = run(&there, &words, &[]).env_clear().run();
        // Nobody can make a file there, not even root.
        let kernels = run(&there, &words, &[]).env_clear().env("HOME", "/proc").run();
        for output in [homeless, kernels] {
            // Trust is kept in the home alone, and so is a newer catalog.
            let needs_home = name == "config trust" || name.starts_with("catalog ");
            let may_fail = needs_home && output.code == Some(5) && output.stderr.contains("set OPENMUX_");
            assert!(
                output.code == Some(code) || output.code == first.code || may_fail,
                "{name}: {}",
                output.snapshot()
            );
            assert!(!output.stderr.contains("bug"), "{name}: {}", output.snapshot());
        }
        if !ONLINE.contains(&name.as_str()) {
            let written = |folder: &str| std::fs::read_dir(there.path().join(folder)).unwrap().count();
            assert_eq!((written("config"), written("data")), (0, 0), "{name} wrote a file");
        }
    }
}

/// Exit code and both outputs of a run, where a table is wanted.
fn as_table(home: &Home, words: &[String], width: usize) -> Output {
    run(home, words, &[]).env("OPENMUX_OUTPUT", "table").env("COLUMNS", width.to_string()).run()
}

/// What is printed to be copied, and the narrowest terminal that it fits: a script, a path behind its label, an address.
const NARROWEST: [(&str, usize); 3] = [("completions", 80), ("catalog status", 80), ("chat", 60)];

#[test]
fn no_line_passes_the_width_or_ends_in_spaces() {
    let home = home();
    let mut wrong = Vec::new();
    for (name, words, _) in every() {
        let narrowest = NARROWEST.iter().find(|(known, _)| *known == name).map_or(40, |(_, narrowest)| *narrowest);
        for width in [40, 60, 80, 120, 200] {
            let output = as_table(&home, &words, width);
            for line in output.stdout.lines().chain(output.stderr.lines()) {
                let columns = line.chars().count();
                // A note is one line for whoever looks for it, and a word cannot be broken.
                let is_note = ["note: ", "warning: "].iter().any(|word| line.starts_with(word));
                let is_word = width < 60 && line.split_whitespace().count() == 1;
                if columns > width && width >= narrowest && !is_note && !is_word {
                    wrong.push(format!("{name}: {columns} of {width}: {line}"));
                }
                if line.trim_end() != line {
                    wrong.push(format!("{name} at {width} ends in spaces: {line:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Help of every command is as wide as the terminal allows.
#[test]
fn help_fits_every_width() {
    let home = Home::new();
    for (name, ..) in every() {
        for width in ["60", "120", "200"] {
            let words = name.split(' ').chain(["--help"]);
            let output = home.openmux(words).env("COLUMNS", width).run();
            let longest = output.stdout.lines().map(|line| line.chars().count()).max().unwrap_or_default();
            assert!(output.code == Some(0) && longest <= 100, "{name} at {width}: {longest}");
        }
    }
}

/// Variables, the flag, whether a pipe gets escapes, and whether a terminal does.
type Colours = (&'static [(&'static str, &'static str)], &'static str, bool, bool);

const COLOURS: [Colours; 12] = [
    (&[], "auto", false, true),
    (&[("NO_COLOR", "1")], "auto", false, false),
    (&[("NO_COLOR", "")], "auto", false, true),
    (&[("CLICOLOR", "0")], "auto", false, false),
    (&[("CLICOLOR", "1")], "auto", false, true),
    (&[("CLICOLOR_FORCE", "1")], "auto", true, true),
    (&[("CLICOLOR_FORCE", "0")], "auto", false, true),
    (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], "auto", false, false),
    (&[("TERM", "dumb")], "auto", false, false),
    (&[("TERM", "dumb"), ("CLICOLOR_FORCE", "1")], "auto", true, true),
    (&[("CLICOLOR_FORCE", "1")], "never", false, false),
    (&[("NO_COLOR", "1"), ("TERM", "dumb")], "always", true, true),
];

/// A table, an error of ours, a usage error of clap's, help, a topic that is plain text everywhere.
const COLOURED: [&[&str]; 4] = [
    &["models", "list", "sonnet", "--limit", "1", "-o", "table"],
    &["models", "show", "claude-sonet-5"],
    &["models", "list", "--bogus"],
    &["config", "--help"],
];

#[test]
fn colour_is_decided_alike_in_pipes_and_on_terminals() {
    let home = Home::new();
    let terminal = has_script(&home);
    for (variables, flag, piped, shown) in COLOURS {
        for args in COLOURED {
            let words = args.iter().copied().chain(["--color", flag]);
            let set = |run: Run| {
                let run = run.env_remove("NO_COLOR").env("TERM", "xterm");
                variables.iter().fold(run, |run, (name, value)| run.env(name, value))
            };
            let output = set(home.openmux(words.clone())).run();
            let escapes = (output.stdout + &output.stderr).contains('\x1b');
            assert_eq!(escapes, piped, "in a pipe: {variables:?} --color {flag} {args:?}");
            if terminal {
                // `script` gives the command a terminal, and copies what is shown on it.
                let words: Vec<&str> = words.collect();
                let line = format!("script -qefc 'openmux {}' /dev/null", words.join(" "));
                let output = set(home.shell_line(&line)).run();
                assert_eq!(
                    output.stdout.contains('\x1b'),
                    shown,
                    "on a terminal: {variables:?} --color {flag} {args:?}"
                );
            }
        }
    }
}

/// On a terminal a list is a table with a line below it; in a pipe it is neither.
#[test]
fn a_terminal_gets_a_table_and_a_pipe_does_not() {
    let home = Home::new();
    if !has_script(&home) {
        return;
    }
    for args in
        ["models list sonnet", "providers list", "providers compare claude-sonnet-5", "config show", "config path"]
    {
        let piped = home.shell_line(&format!("openmux {args} | cat")).run();
        let shown = home.shell_line(&format!("script -qefc 'openmux {args}' /dev/null")).run();
        let head = |output: &Output| output.stdout.lines().next().unwrap_or_default().to_owned();
        assert!(head(&piped).contains('\t'), "{args}: {}", piped.snapshot());
        assert!(
            !head(&shown).contains('\t') && head(&shown).starts_with(|c: char| c.is_ascii_uppercase()),
            "{args}: {}",
            shown.snapshot()
        );
    }
}

/// How far a probe is stands on one line of a terminal, and nowhere else.
#[test]
fn progress_is_for_terminals_that_can_take_it_back() {
    let home = Home::new();
    if !has_script(&home) {
        return;
    }
    let line = "script -qefc 'openmux --sandbox providers probe claude-sonnet-5 --rounds 1 MORE' /dev/null";
    let shown = |more: &str, set: &dyn Fn(Run) -> Run| {
        let output = set(home.shell_line(&line.replace("MORE", more)).env("TERM", "xterm")).run();
        assert_eq!(output.code, Some(0), "{}", output.snapshot());
        output.stdout.contains("\r\x1b[K")
    };
    assert!(shown("", &|run| run));
    assert!(!shown("-q", &|run| run) && !shown("-v", &|run| run));
    assert!(!shown("", &|run| run.env("CI", "true")) && !shown("", &|run| run.env("TERM", "dumb")));
    let piped = home.openmux(["--sandbox", "providers", "probe", "claude-sonnet-5", "--rounds", "1"]).run();
    assert!(!piped.stderr.contains('\r') && !piped.stdout.contains('\r'), "{}", piped.snapshot());
}

/// Whether the machine can give a command a terminal; says so where it cannot.
fn has_script(home: &Home) -> bool {
    let there = cfg!(target_os = "linux") && home.shell_line("command -v script").run().code == Some(0);
    if !there {
        // Not `eprintln!`, which a passing test swallows.
        drop(std::io::Write::write_all(
            &mut std::io::stderr(),
            b"!! SKIPPED, script is not installed: colours on a terminal\n",
        ));
    }
    there
}
