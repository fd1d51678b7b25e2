//! What surrounds the command: no home, no disk, colours, widths, and variables of ours.

use openmux::catalog::Protocol;

use super::super::support::command::{Home, Output, Run};
use super::super::support::server::{Script, Server, Step};
use super::stdout::OFFLINE;
use super::{World, answer};

/// The moment of all that depends on one.
const AT: [&str; 2] = ["--at", "2026-11-24T12:00:00Z"];

#[test]
fn offline_commands_need_no_variable_at_all() {
    let home = Home::new();
    for args in OFFLINE {
        let output = home.openmux(args.iter().copied()).env_clear().run();
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{args:?}: {}", output.snapshot());
        assert!(!output.stdout.is_empty(), "{args:?}");
    }
}

#[test]
fn without_a_home_or_a_disk_a_chat_works_and_says_what_it_cannot_keep() {
    let homeless = |run: Run| run.env_clear().env("OPENAI_API_KEY", "sk-0123456789");
    let server = Server::repeating(answer(Protocol::OpenaiChat));
    let home = Home::new();
    let file = home.write("a-file", "");
    let args = ["chat", "-m", "gpt-4o-mini", "hi"];
    let run = || home.openmux(args).env("OPENAI_BASE_URL", server.base_url()).env("OPENAI_API_KEY", "sk-0123456789");
    let output = homeless(home.openmux(args)).env("OPENAI_BASE_URL", server.base_url()).run();
    insta::assert_snapshot!(output.snapshot(), @r"
    exit: 0
    --- stdout
    Hello, you.

    --- stderr
    warning: nothing is recorded: there is no home directory (set OPENMUX_DATA_DIR)
    ");
    insta::assert_snapshot!(run().env("OPENMUX_DATA_DIR", &file).run().snapshot(), @r"
    exit: 0
    --- stdout
    Hello, you.

    --- stderr
    warning: nothing is recorded: $TMP/a-file/obs.db: cannot make its folder: File exists
    ");
    assert_eq!(run().env("OPENMUX_DATA_DIR", &file).env("OPENMUX_CONFIG_DIR", &file).run().code, Some(5));
}

#[test]
fn a_switch_is_on_or_off_and_nothing_between() {
    let home = Home::new();
    let chat = |value: &str| {
        let run = home.openmux(["chat", "-m", "gpt-5", "--retries", "0", "hi"]).env("OPENMUX_OFFLINE", value);
        run.env("OPENAI_API_KEY", "sk-0123456789").env("OPENAI_BASE_URL", "http://127.0.0.1:1/v1").run()
    };
    for on in ["1", "true", "TRUE"] {
        assert_eq!(chat(on).code, Some(11), "{}", chat(on).snapshot());
    }
    for off in ["0", "false", "", " "] {
        assert_ne!(chat(off).code, Some(11), "{}", chat(off).snapshot());
    }
    insta::assert_snapshot!(chat("no").snapshot(), @r#"
    exit: 2
    --- stdout

    --- stderr
    error: OPENMUX_OFFLINE holds "no": neither 1 (or true) nor 0 (or false)
      fix:  unset OPENMUX_OFFLINE
    "#);
}

#[test]
fn directories_follow_our_own_variables_then_xdg() {
    let world = World::of(vec![answer(Protocol::OpenaiChat), answer(Protocol::OpenaiChat)]);
    let path = world.home.path();
    std::fs::create_dir_all(path.join("xdg/config/openmux")).unwrap();
    std::fs::rename(path.join("config/catalog.d"), path.join("xdg/config/openmux/catalog.d")).unwrap();
    let run = || world.chat([]).env_remove("OPENMUX_CONFIG_DIR").env_remove("OPENMUX_DATA_DIR");
    let xdg = |run: Run| {
        run.env("XDG_CONFIG_HOME", path.join("xdg/config")).env("XDG_STATE_HOME", path.join("xdg/state")).run()
    };
    assert_eq!(xdg(run()).code, Some(0));
    assert!(path.join("xdg/state/openmux/obs.db").exists());
    assert_eq!(run().run().code, Some(3), "without XDG the overlay is not found");
    let output = run().env("XDG_CONFIG_HOME", "xdg/config").run();
    assert_eq!(output.code, Some(3), "a relative path is not XDG's");
    assert_eq!(xdg(run().env("OPENMUX_DATA_DIR", path.join("own"))).code, Some(0));
    assert!(path.join("own/obs.db").exists());
}

#[test]
fn a_broken_overlay_is_an_error_that_names_its_place() {
    let home = Home::new();
    let text = "[[endpoint]]\nprovider = \"openai\"\nmodel = \"acme/tiny\"\nid = \"tiny\"\nprice = { inptu = \"1\" }\n";
    home.write("config/catalog.d/mine.toml", text);
    // Wide enough for any temporary directory's name.
    let output = home.openmux(["models", "list"]).env("COLUMNS", "200").run();
    insta::assert_snapshot!(output.snapshot(), @r#"
    exit: 5
    --- stdout

    --- stderr
    error: $TMP/config/catalog.d/mine.toml:5: endpoint[0].price.inptu: unknown key; did you mean "input"?
      fix:  correct line 5 of $TMP/config/catalog.d/mine.toml
    "#);
    home.write("config/catalog.d/mine.toml", "[provider.\n");
    assert_eq!(home.openmux(["models", "list"]).run().code, Some(5));
}

/// Variables, the flag, and whether a pipe gets escapes.
type ColourCase = (&'static [(&'static str, &'static str)], &'static str, bool);

#[test]
fn colour_is_decided_by_flag_then_variables_then_the_terminal() {
    let home = Home::new();
    let cases: [ColourCase; 12] = [
        (&[], "auto", false),
        (&[("NO_COLOR", "1")], "auto", false),
        (&[("CLICOLOR", "1")], "auto", false),
        (&[("CLICOLOR_FORCE", "1")], "auto", true),
        (&[("CLICOLOR_FORCE", "0")], "auto", false),
        (&[("CLICOLOR_FORCE", "")], "auto", false),
        (&[("CLICOLOR_FORCE", "1"), ("CLICOLOR", "0")], "auto", true),
        (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], "auto", false),
        (&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "")], "auto", true),
        (&[("CLICOLOR_FORCE", "1")], "never", false),
        (&[("NO_COLOR", "1")], "always", true),
        (&[("TERM", "dumb")], "always", true),
    ];
    let commands: [&[&str]; 6] = [
        &["models", "list", "sonnet", "--limit", "1", "-o", "table"],
        &["route", "explain", "claude-sonnet-5"],
        &["models", "list", "--help"],
        &["models", "list", "--bogus"],
        &["chat", "-m", "claude-sonet-5", "hi"],
        &["help", "chat"],
    ];
    for (variables, flag, expected) in cases {
        for args in commands {
            let all = args.iter().copied().chain(["--color", flag]);
            let run = home.openmux(all).env_remove("NO_COLOR");
            let output = variables.iter().fold(run, |run, (name, value)| run.env(name, value)).run();
            let escapes = output.stdout.contains('\x1b') || output.stderr.contains('\x1b');
            assert_eq!(escapes, expected, "{variables:?} --color {flag} {args:?}: {}", output.snapshot());
        }
    }
}

#[test]
fn data_for_programs_is_never_coloured() {
    let home = Home::new();
    for format in ["json", "jsonl", "csv", "tsv", "md", "ids"] {
        let output = home.openmux(["models", "list", "sonnet", "-o", format, "--color", "always"]).run();
        assert!(output.code == Some(0) && !output.stdout.contains('\x1b'), "{format}");
    }
    let output = home.openmux(["chat", "-m", "claude-sonet-5", "hi", "-o", "json", "--color", "always"]).run();
    assert!(!output.stderr.contains('\x1b'), "{}", output.snapshot());
}

/// Pages whose lines never pass the width; the second value is the narrowest width that holds what cannot be cut.
const PAGES: [(&[&str], usize); 15] = [
    (&["models", "list", "-o", "table"], 40),
    (&["models", "list", "sonnet", "-o", "table", "--tokens", "8000/1000"], 40),
    (&["providers", "list", "-o", "table"], 40),
    (&["providers", "compare", "claude-sonnet-5", "-o", "table"], 40),
    (&["models", "show", "claude-sonnet-4"], 40),
    (&["models", "show", "claude-sonnet-5", "--prices"], 40),
    (&["models", "show", "qwen3-max", "--prices"], 40),
    (&["route", "explain", "claude-sonnet-5"], 40),
    (&["route", "explain", "claude-sonnet-5", "--all"], 40),
    (&["route", "explain", "gpt-5", "-v", "--max-cost", "0.0001"], 40),
    (&["route", "explain", "claude-sonnet-5", "--strict"], 40),
    (&["models", "list", "--fields", "nope"], 40),
    (&["chat", "-m", "claude-sonet-4", "hi"], 60),
    (&["chat", "-m", "gpt-5", "hi"], 40),
    (&["chat", "--api-key", "x"], 40),
];

#[test]
fn no_line_is_wider_than_the_terminal_or_ends_in_spaces() {
    let home = Home::new();
    for (args, narrowest) in PAGES {
        for width in [40, 60, 80, 200] {
            let has_moment = !matches!(args[0], "chat") && args != PAGES[2].0;
            let at = AT.iter().copied().filter(|_| has_moment);
            let output = home.openmux(args.iter().copied().chain(at)).env("COLUMNS", width.to_string()).run();
            for line in output.stdout.lines().chain(output.stderr.lines()) {
                let columns = line.chars().count();
                let is_word = width < 60 && line.split_whitespace().count() == 1;
                assert!(
                    width < narrowest || columns <= width || is_word,
                    "{columns} of {width} columns, {args:?}:\n{line}"
                );
                assert_eq!(line.trim_end(), line, "{args:?} at {width}");
            }
        }
    }
}

#[test]
fn a_terminal_that_knows_ascii_alone_gets_ascii() {
    let home = Home::new();
    for args in [
        &["models", "list", "sonnet", "-o", "table"][..],
        &["models", "list", "sonnet", "-o", "wide"],
        &["providers", "compare", "claude-sonnet-5", "-o", "table"],
        &["route", "explain", "claude-sonnet-5", "--all"],
    ] {
        let page = |locale: &str| {
            let output = home.openmux(args.iter().copied().chain(AT)).env("LC_ALL", locale).env("COLUMNS", "40").run();
            assert_eq!(output.code, Some(0), "{}", output.snapshot());
            output.stdout
        };
        let (plain, rich) = (page("C"), page("C.UTF-8"));
        assert!(plain.is_ascii(), "{args:?}: {plain}");
        assert_eq!(plain, rich.replace('…', "~"), "{args:?}: nothing else differs");
    }
    for args in [
        "chat --dry-run -m claude-sonnet-5 hi",
        "providers probe claude-sonnet-5 --sandbox --rounds 1 -o table",
        "config show -o table",
        "config path -o table",
    ] {
        let page = |locale: &str| {
            let output = home.openmux(args.split(' ')).env("LC_ALL", locale).env("COLUMNS", "40").run();
            output.stdout + &output.stderr
        };
        let (plain, rich) = (page("C"), page("C.UTF-8"));
        assert!(plain.is_ascii() && !rich.is_ascii(), "{args}: {plain}\n{rich}");
    }
    let cut = home.openmux(["models", "list", "sonnet", "-o", "table"]).env("LC_ALL", "C").env("COLUMNS", "40").run();
    assert!(cut.stdout.contains('~'), "{}", cut.snapshot());
}

#[test]
fn the_first_column_is_cut_in_its_middle_and_keeps_24_columns() {
    let home = Home::new();
    let table = |width: &str| home.openmux(["models", "list", "-o", "table"]).env("COLUMNS", width).run().stdout;
    let ids = home.openmux(["models", "list", "-o", "ids"]).run().stdout;
    for width in ["10", "40"] {
        for (row, id) in table(width).lines().skip(1).zip(ids.lines()) {
            let cell = row.split("  ").next().unwrap();
            assert!(cell == id || cell.chars().count() >= 24, "\"{cell}\" for {id} at {width}");
            let (head, tail) = cell.split_once('…').unwrap_or((cell, ""));
            assert!(id.starts_with(head) && id.ends_with(tail), "\"{cell}\" is no cut of {id}");
        }
    }
    for (row, id) in table("200").lines().skip(1).zip(ids.lines()) {
        assert!(row.starts_with(id), "with room enough an id is whole: {row}");
    }
}

/// A chat of two providers with these variables, and who was asked.
fn chat_with(variables: &[(&str, &str)], args: &[&str]) -> (Output, Vec<usize>) {
    let good = || Server::repeating(answer(Protocol::OpenaiChat));
    let world = World::openai(vec![good(), good()]);
    let run = world.openmux(args.iter().copied());
    let output = variables.iter().fold(run, |run, (name, value)| run.env(name, value)).run();
    (output, world.hits())
}

#[test]
fn variables_stand_in_for_flags_and_flags_win() {
    let (output, hits) = chat_with(&[("OPENMUX_MODEL", "acme/tiny")], &["chat", "hi"]);
    assert_eq!((output.code, hits), (Some(0), vec![1, 0]), "{}", output.snapshot());
    let chat = ["chat", "-m", "acme/tiny", "hi"];
    assert_eq!(chat_with(&[("OPENMUX_PROVIDER", "beta")], &chat).1, [0, 1]);
    let pinned = ["chat", "-m", "acme/tiny", "--provider", "alpha", "hi"];
    assert_eq!(chat_with(&[("OPENMUX_PROVIDER", "beta")], &pinned).1, [1, 0]);
    assert_eq!(chat_with(&[("OPENMUX_PROVIDER", "beta")], &["chat", "-m", "acme/tiny:alpha", "hi"]).1, [1, 0]);
    let (output, _) = chat_with(&[("OPENMUX_OUTPUT", "json")], &chat);
    assert!(output.stdout.starts_with("{\"schema\":\"chat/1\""), "{}", output.snapshot());
    let (output, _) = chat_with(&[("OPENMUX_OUTPUT", "json")], &["chat", "-m", "acme/tiny", "-o", "text", "hi"]);
    assert_eq!(output.stdout, "Hello, you.\n");
}

#[test]
fn variables_that_hold_nonsense_are_usage_errors() {
    let chat = ["chat", "-m", "acme/tiny", "hi"];
    for (name, value) in [("OPENMUX_OUTPUT", "yaml"), ("OPENMUX_TIMEOUT", "soon"), ("OPENMUX_MAX_COST", "cheap")] {
        let (output, hits) = chat_with(&[(name, value)], &chat);
        assert_eq!((output.code, hits), (Some(2), vec![0, 0]), "{}", output.snapshot());
        assert!(output.stderr.contains(&format!("{name} holds \"{value}\"")), "{}", output.snapshot());
    }
    let (output, _) = chat_with(&[("OPENMUX_PROVIDER", "nobody")], &chat);
    assert_eq!(output.code, Some(3), "{}", output.snapshot());
}

#[test]
fn the_total_time_can_be_limited_by_a_variable() {
    let world = World::of(vec![Script::raw(vec![Step::HangForever])]);
    let output = world.chat([]).env("OPENMUX_TIMEOUT", "300ms").run();
    assert_eq!(output.code, Some(9), "{}", output.snapshot());
    assert!(output.stderr.contains("--timeout"), "{}", output.snapshot());
}

#[test]
fn a_variable_of_ours_that_means_nothing_is_said_once() {
    let home = Home::new();
    let run = || {
        let args = ["models", "list", "sonnet", "--limit", "1", "-o", "ids"];
        home.openmux(args).env("OPENMUX_MODLE", "x").env("OPENMUX_ZZZ", "x")
    };
    assert_eq!(
        run().run().stderr,
        "warning: unknown variable OPENMUX_MODLE (did you mean OPENMUX_MODEL?), OPENMUX_ZZZ\n"
    );
}
