//! The README shows what the program does: its console blocks are run, its tables come from the contract.
//!
//! In the README, a `console` block is a session (`$ ` before each command, output below), `<!-- file: PATH -->` writes
//! the block that follows into the home of the sessions after it, and `<!-- table: NAME -->` to `<!-- end -->` is a
//! table. `UPDATE=1` writes outputs and tables anew.
#![cfg(unix)]

use std::fmt::Write as _;
use std::io::Write as _;

use openmux::cli::contract::{ENVIRONMENT, Exit, SETTINGS};

use crate::generated::{held, top};
use crate::support::command::Home;
use crate::support::examples;
use crate::support::help::all;
use crate::support::stable::stable;

#[test]
fn what_it_shows_is_what_the_program_prints() {
    held(&top("README.md"), &current(&readme()));
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a test reads the repository's own files")]
fn it_has_five_examples_and_two_commands_to_begin_with() {
    let readme = readme();
    assert_eq!((1..9).filter(|number| readme.contains(&format!("\n### {number}. "))).count(), 5);
    let (_, after) = readme.split_once("\n```sh\n").unwrap();
    let (commands, _) = after.split_once("```").unwrap();
    let commands: Vec<&str> = commands.lines().collect();
    let [first, "cargo test --locked"] = commands[..] else { panic!("{commands:?}") };
    // The first command is the first example, which is run below, and what `.ci/run` runs.
    let arguments = first.strip_prefix("cargo run --release -- ").unwrap();
    assert!(readme.contains(&format!("\n$ openmux {arguments}\n")), "{arguments}");
    let ci = std::fs::read_to_string(top(".ci/run")).unwrap();
    assert!(ci.contains(&format!("target/release/openmux {arguments}")), "{arguments}");
}

#[expect(clippy::disallowed_methods, reason = "a file of the repository")]
fn readme() -> String {
    std::fs::read_to_string(top("README.md")).unwrap()
}

/// The README with the outputs and tables of today.
fn current(readme: &str) -> String {
    let mut out = String::new();
    let mut files: Vec<(String, String)> = Vec::new();
    let mut lines = readme.lines();
    while let Some(line) = lines.next() {
        out += &format!("{line}\n");
        if line == "```console" {
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            out += &session(&block, &files);
            out += "```\n";
        } else if let Some(path) = comment(line, "file") {
            let fence = lines.next().unwrap();
            let block: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            files.push((path.to_owned(), block.join("\n")));
            out += &format!("{fence}\n{}\n```\n", block.join("\n"));
        } else if let Some(name) = comment(line, "table") {
            assert!(lines.by_ref().any(|line| line == "<!-- end -->"), "table {name} has no end");
            out += &table(name);
            out += "<!-- end -->\n";
        }
    }
    out
}

/// Its `sh` blocks are commands too; `support::examples` says how they are run without a key, and which are not.
#[test]
fn every_command_of_its_sh_blocks_runs() {
    let readme = readme().replace("\\\n", " ");
    let home = examples::home(false);
    let mut count = 0;
    for block in readme.split("\n```sh\n").skip(1) {
        for line in block.lines().take_while(|line| *line != "```").filter(|line| !line.trim().is_empty()) {
            let command = line.split("   # ").next().unwrap_or_default().trim();
            if can_run(command) {
                examples::run(&home, command);
                count += 1;
            }
        }
    }
    assert!(count > 8, "{count}");
}

/// The cookbook's nightly probe adds a row a provider, with its day, and no header.
#[test]
fn the_nightly_probe_adds_rows_that_a_spreadsheet_reads() {
    let readme = readme();
    let line = readme.lines().find(|line| line.ends_with(">>probes.csv")).expect("a probe to CSV");
    let home = examples::home(false);
    let mut rows = 0;
    for night in 1..=2 {
        examples::run(&home, line);
        let kept = home.shell_line("cat probes.csv").run().stdout;
        for row in kept.lines() {
            let cells: Vec<&str> = row.split(',').collect();
            let [day, provider, wait, cost] = cells[..] else { panic!("{kept}") };
            assert!(day.len() == 10 && day.starts_with("20") && !provider.is_empty(), "{row}");
            assert!(wait.is_empty() || wait.parse::<f64>().is_ok(), "{row}");
            assert!(cost.is_empty() || cost.parse::<f64>().is_ok(), "{row}");
        }
        rows = if night == 1 { kept.lines().count() } else { rows };
        assert!(rows > 0 && kept.lines().count() == rows * night, "{kept}");
    }
}

/// The block below a comment of this kind.
fn block_below<'r>(readme: &'r str, comment: &str) -> Vec<&'r str> {
    let mut lines = readme.lines().skip_while(|line| *line != comment).skip(2);
    lines.by_ref().take_while(|line| *line != "```").collect()
}

/// The sample job for CI is green where all holds, and red where a model goes or a fact is not that of the lock.
#[test]
fn the_sample_job_runs_green_and_red() {
    let readme = readme();
    let job = block_below(&readme, "<!-- job: models -->");
    let step = job.iter().find_map(|line| line.trim().strip_prefix("- run: openmux ")).expect("a step that checks");
    let home = Home::new();
    drop(home.write("models.check.toml", &block_below(&readme, "<!-- file: models.check.toml -->").join("\n")));
    let run = |step: &str, day: &str| {
        let moment = format!("{day}T12:00:00Z");
        home.openmux(step.split(' ').chain(["--at", &moment])).run()
    };
    let missing = run(step, "2026-11-24");
    assert_eq!(missing.code, Some(3), "a lock that was not committed is no green: {}", missing.snapshot());
    let first = run(&step.replace(" --locked", ""), "2026-11-24");
    assert_eq!(first.code, Some(0), "{}", first.snapshot());
    let green = run(step, "2026-11-25");
    assert_eq!((green.code, green.stdout.as_str()), (Some(0), "9 checks: 9 ok\n"), "{}", green.snapshot());
    let red = run(step, "2026-12-01");
    assert_eq!(red.code, Some(1), "{}", red.snapshot());
    assert!(
        red.stdout.starts_with("::error file=models.check.toml,line=13,title=openai/gpt-5 not_retiring at openai::"),
        "{}",
        red.stdout
    );
    assert!(red.stdout.contains("fix: openmux models show openai/gpt-5"), "{}", red.stdout);
    drop(home.write(
        "config/catalog.d/dearer.toml",
        "[[endpoint]]\nprovider = \"anthropic\"\nmodel = \"anthropic/claude-sonnet-5\"\nid = \"claude-sonnet-5\"\n\
         price = { input = \"2.50\", output = \"10\" }\n",
    ));
    let red = run(step, "2026-11-25");
    assert_eq!(red.code, Some(1), "{}", red.snapshot());
    assert!(
        red.stdout.contains("title=anthropic/claude-sonnet-5 locked.price.input at anthropic::price input 2 -> 2.5"),
        "{}",
        red.stdout
    );
    assert!(red.stdout.lines().any(|line| line.starts_with("::error file=models.lock,line=")), "{}", red.stdout);
}

fn comment<'a>(line: &'a str, kind: &str) -> Option<&'a str> {
    line.strip_prefix(&format!("<!-- {kind}: "))?.strip_suffix(" -->")
}

/// Commands and what each prints now; what was shown stays where it differs in times and ports alone.
fn session(block: &[&str], files: &[(String, String)]) -> String {
    let home = Home::new();
    for (path, text) in files {
        home.write(path, text);
    }
    let mut out = String::new();
    let mut rest = block;
    while let Some((prompt, below)) = rest.split_first() {
        let command = prompt.strip_prefix("$ ").unwrap_or_else(|| panic!("not a command: {prompt}"));
        let end = below.iter().position(|line| line.starts_with("$ ")).unwrap_or(below.len());
        let shown: String = below[..end].iter().map(|line| format!("{line}\n")).collect();
        rest = &below[end..];
        let printed = if can_run(command) { run(&home, command) } else { shown.clone() };
        out += &format!("{prompt}\n{}", if timeless(&shown) == timeless(&printed) { shown } else { printed });
    }
    out
}

/// What a person sees: both streams in the order of writing, and lists as tables.
fn run(home: &Home, command: &str) -> String {
    let mut run = home.shell_line(&format!("exec 2>&1; {command}"));
    if !command.contains(" chat") {
        run = run.env("OPENMUX_OUTPUT", "table");
    }
    let output = run.run();
    assert_eq!(output.code, Some(0), "{command}\n{}", output.snapshot());
    let text = output.stdout.replace(&*home.path().to_string_lossy(), "~");
    if text.ends_with('\n') || text.is_empty() { text } else { text + "\n" }
}

/// Whether the machine has what the command needs beside openmux; says so where it has not.
fn can_run(command: &str) -> bool {
    let needed = ["jq", "curl"].into_iter().filter(|tool| format!("| {command}").contains(&format!("| {tool} ")));
    let missing = needed.into_iter().find(|tool| {
        let found = Home::new().shell_line(&format!("command -v {tool}")).run();
        found.code != Some(0)
    });
    if let Some(tool) = missing {
        // Not `eprintln!`, which a passing test swallows.
        drop(writeln!(std::io::stderr(), "!! SKIPPED, {tool} is not installed: {command}"));
    }
    missing.is_none()
}

/// Without ports, durations and moments with a fraction of a second, which are those of the run.
fn timeless(text: &str) -> String {
    let mut out = String::new();
    for line in stable(text).lines() {
        match line.split_once("--at ").filter(|(_, rest)| rest.contains('.')) {
            Some((before, rest)) => {
                let (_, after) = rest.split_once(' ').unwrap_or((rest, ""));
                out += &format!("{before}--at TIME {after}\n");
            }
            None => out += &format!("{line}\n"),
        }
    }
    out
}

fn table(name: &str) -> String {
    let mut out = String::new();
    match name {
        "exit-codes" => {
            out += "| code | name | when | try again |\n|---|---|---|---|\n";
            for exit in Exit::ALL {
                let (code, name, when) = (exit.code(), exit.name(), exit.meaning());
                writeln!(out, "| {code} | `{name}` | {when} | {} |", exit.retry()).unwrap();
            }
        }
        "environment" => {
            out += "| variable | meaning |\n|---|---|\n";
            for (names, meaning) in ENVIRONMENT {
                let names: Vec<String> = names.split(", ").map(|name| format!("`{name}`")).collect();
                writeln!(out, "| {} | {meaning} |", names.join(", ")).unwrap();
            }
        }
        "defaults" => {
            out +=
                "| key of `[defaults]` | flag | variable | built in | in `[profiles.NAME]` |\n|---|---|---|---|---|\n";
            for setting in SETTINGS {
                let (key, flag) = (setting.key, setting.key.replace('_', "-"));
                let variable = setting.variable.map(|name| format!("`{name}`")).unwrap_or_default();
                let (builtin, too) = (setting.builtin.unwrap_or_default(), if setting.in_profile { "too" } else { "" });
                writeln!(out, "| `{key}` | `--{flag}` | {variable} | {builtin} | {too} |").unwrap();
            }
        }
        "commands" => {
            out += "| command | what it does | options |\n|---|---|---|\n";
            let mut root = openmux::cli::command();
            root.build();
            let flags = |command: &clap::Command, everywhere: bool| {
                let own = command.get_arguments().filter(|flag| flag.is_global_set() == everywhere);
                let own =
                    own.filter(|flag| !flag.is_hide_set() && !["help", "version"].contains(&flag.get_id().as_str()));
                let names: Vec<String> = own.filter_map(|flag| Some(format!("`--{}`", flag.get_long()?))).collect();
                names.join(" ")
            };
            for (name, command) in all(&root) {
                if command.has_subcommands() {
                    continue;
                }
                let about = command.get_about().map(ToString::to_string).unwrap_or_default();
                let name = name.trim_start_matches("openmux ");
                writeln!(out, "| `{name}` | {} | {} |", about.replace('|', "\\|"), flags(command, false)).unwrap();
            }
            writeln!(out, "| each of them | | {} `--help` |", flags(&root, true)).unwrap();
        }
        name => panic!("there is no table {name}"),
    }
    out
}
