//! What the files of configuration set, which of them holds, where each value is from, and what a project's file may not do.

mod untrusted;

use openmux::catalog::Protocol;
use serde_json::Value;

use super::super::support::command::{Home, Output};
use super::super::support::server::Server;
use super::{World, answer};

/// The user's own file.
const OWN: &str = "config/config.toml";
/// The file of a project in the folder where the tests run.
const PROJECT: &str = ".openmux.toml";

fn home(own: &str, project: &str) -> Home {
    let home = Home::new();
    for (name, text) in [(OWN, own), (PROJECT, project)] {
        if !text.is_empty() {
            home.write(name, text);
        }
    }
    home
}

/// Value and origin of a key.
fn held(home: &Home, key: &str) -> (Value, String) {
    let output = home.openmux(["config", "show", key, "-o", "json"]).run();
    of_one(&output, key)
}

fn of_one(output: &Output, key: &str) -> (Value, String) {
    let document: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{}", output.snapshot()));
    let row = document["data"].as_array().unwrap().iter().find(|row| row["key"] == key);
    let row = row.unwrap_or_else(|| panic!("{key}: {}", output.snapshot()));
    let from = row["from"].as_str().unwrap();
    (row["value"].clone(), from.rsplit('/').next().unwrap().to_owned())
}

#[test]
fn every_value_has_its_origin() {
    let own = "[defaults]\nmodel = \"fast\"\nprofile = \"eu\"\ntimeout = \"2m\"\nmax_cost = 0.5\n\n[aliases]\n\
        fast = \"anthropic/claude-haiku-4.5\"\n\n[profiles.eu]\nregion = \"require:eu\"\nignore = [\"poe\", \"kilo\"]\n\n\
        [providers.openai]\nkey_cmd = [\"op\", \"read\", \"op://private/openai\"]\n";
    let home = home(own, "[defaults]\nmodel = \"claude-sonnet-5\"\ntime_value = \"30\"\n");
    let run = home
        .openmux(["config", "show", "-o", "table"])
        .env("OPENMUX_TIMEOUT", "90s")
        .env("ANTHROPIC_API_KEY", "sk-0123456789");
    insta::assert_snapshot!(run.run().snapshot());
    assert_eq!(held(&home, "defaults.model"), ("claude-sonnet-5".into(), ".openmux.toml:2".to_owned()));
    assert_eq!(held(&home, "aliases.fast"), ("anthropic/claude-haiku-4.5".into(), "config.toml:8".to_owned()));
    let output = home.openmux(["config", "show", "model", "-o", "wide"]).env("COLUMNS", "300").run();
    assert!(output.stdout.trim_end().ends_with("config/config.toml:2"), "what it goes before: {}", output.snapshot());
}

#[test]
fn flags_go_before_variables_and_variables_before_files() {
    let home = home("[defaults]\noutput = \"csv\"\noffline = true\n", "");
    let output = home.openmux(["config", "show", "output"]).run();
    assert_eq!(
        output.stdout.lines().nth(1).map(|line| line.split(',').take(2).collect()),
        Some(vec!["defaults.output", "csv"])
    );
    let run = |args: &[&str], variable: &str| {
        let args = ["config", "show"].iter().chain(args).copied();
        of_one(&home.openmux(args).env("OPENMUX_OUTPUT", variable).run(), "defaults.output").1
    };
    assert_eq!(run(&[], "json"), "$OPENMUX_OUTPUT");
    assert_eq!(run(&["-o", "json"], "tsv"), "--output");
    assert_eq!(run(&["--json"], "tsv"), "--json");
    let refused = home.openmux(["chat", "-m", "claude-sonnet-5", "hi"]).env("ANTHROPIC_API_KEY", "sk-0123456789").run();
    assert_eq!(refused.code, Some(11), "offline holds: {}", refused.snapshot());
}

#[test]
fn a_key_that_is_not_there_is_told_with_the_nearest() {
    let home = Home::new();
    insta::assert_snapshot!(home.openmux(["config", "show", "modle"]).run().snapshot(), @r#"
    exit: 3
    --- stdout

    --- stderr
    error: no setting is called "modle"
      did you mean  model
      fix:          openmux config show
    "#);
}

#[test]
fn a_file_that_was_named_holds_in_place_of_the_usual_one() {
    let home = home("[defaults]\nmodel = \"gpt-5\"\n", "");
    home.write("other.toml", "[defaults]\nmodel = \"gpt-4o\"\n");
    let show = ["config", "show", "-o", "json"];
    let named = home.openmux(show.into_iter().chain(["--config", "other.toml"])).run();
    assert_eq!(of_one(&named, "defaults.model").0, "gpt-4o");
    let named = home.openmux(show).env("OPENMUX_CONFIG", "other.toml").run();
    assert_eq!(of_one(&named, "defaults.model").0, "gpt-4o");
    let missing = home.openmux(["models", "list", "--config", "nowhere.toml"]).run();
    assert_eq!(missing.code, Some(3), "{}", missing.snapshot());
}

#[test]
fn what_cannot_be_meant_is_an_error_with_its_place() {
    let broken = [
        "[default]\nmodel = \"x\"\n",
        "[defaults]\nmodle = \"x\"\n",
        "[defaults]\ntimeout = \"soon\"\n",
        "[defaults]\noutput = \"yaml\"\n",
        "[defaults]\nretries = -1\n",
        "[defaults]\nprovider = \"a\"\nonly = [\"b\"]\n",
        "[aliases]\nFast = \"gpt-5\"\n",
        "[catalog]\nurl = \"http://models.example/api.json\"\n",
        "[catalog]\ntrusted_keys = { acme = \"sk-1\" }\n",
        "[catalog]\ntrusted_key = 1\n",
        "[[endpoint]]\nid = \"x\"\n",
    ];
    let told: Vec<String> = broken
        .iter()
        .map(|text| {
            let output = home(text, "").openmux(["models", "list", "-o", "ids"]).env("COLUMNS", "200").run();
            assert_eq!(output.code, Some(5), "{}", output.snapshot());
            let line = output.stderr.lines().next().unwrap_or_default();
            line.split_once("config.toml").map_or_else(|| line.to_owned(), |(_, rest)| rest.to_owned())
        })
        .collect();
    insta::assert_snapshot!(told.join("\n"), @r#"
    :1: default: unknown key; did you mean "defaults"?
    :2: defaults.modle: unknown key; did you mean "model"?
    :2: defaults.timeout: not a time such as 30s, 2m or 500ms
    :2: defaults.output: is none of table, wide, json, jsonl, csv, tsv, md, ids
    :2: defaults.retries: should be a whole number
    :3: defaults.only: provider says already whom to ask: one of them
    :2: aliases.Fast: an alias is lower-case letters, digits, ".", "_" and "-"
    :2: catalog.url: http://models.example/api.json can be changed on its way
    :2: catalog.trusted_keys.acme: is no public key: one is 44 characters, as openmux catalog key prints them
    :2: catalog.trusted_key: unknown key; did you mean "trusted_keys"?
    :1: endpoint: belongs in a file in catalog.d beside this one, or in a project's file
    "#);
}

#[test]
fn an_alias_stands_wherever_a_model_is_named() {
    let world = World::of(vec![answer(Protocol::OpenaiChat)]);
    world
        .home
        .write(OWN, "[defaults]\nmodel = \"fast\"\n\n[aliases]\nfast = \"acme/tiny\"\nsonnet = \"claude-sonnet-5\"\n");
    let output = world.openmux(["chat", "hi"]).run();
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "Hello, you.\n"), "{}", output.snapshot());
    let fine: [&[&str]; 9] = [
        &["models", "show", "fast"],
        &["models", "show", "fast:alpha"],
        &["models", "show", "FAST"],
        &["providers", "compare", "fast"],
        &["route", "explain", "fast"],
        &["route", "explain", "-m", "fast", "hi"],
        &["check", "fast"],
        &["chat", "-n", "-m", "fast:alpha", "--fallback", "sonnet", "hi"],
        &["--sandbox", "providers", "probe", "sonnet", "--dry-run"],
    ];
    for args in fine {
        let output = world.openmux(args.iter().copied()).run();
        assert_eq!(output.code, Some(0), "{args:?}: {}", output.snapshot());
    }
    let shown = world.openmux(["models", "show", "fast"]).run().stdout;
    assert_eq!(shown.lines().nth(1), Some("\"fast\" stands for acme/tiny (config.toml:5)"));
    let document: Value =
        serde_json::from_str(&world.openmux(["models", "show", "fast", "-o", "json"]).run().stdout).unwrap();
    assert_eq!((&document["data"]["alias"], &document["data"]["alias_of"]), (&"fast".into(), &"acme/tiny".into()));
}

#[test]
fn an_alias_goes_before_a_model_of_its_name_and_says_so_once() {
    let home = home("[aliases]\ngpt-5 = \"gpt-4o\"\nclaude-sonnet-4-5 = \"gpt-4o\"\n", "");
    let output = home.openmux(["models", "list", "gpt-5-nano", "-o", "ids"]).run();
    insta::assert_snapshot!(output.snapshot(), @r"
    exit: 0
    --- stdout
    openai/gpt-5-nano

    --- stderr
    warning: gpt-5 is gpt-4o, as $TMP/config/config.toml:2 says, and not the catalog's openai/gpt-5; fix: call the alias something else
    warning: claude-sonnet-4-5 is gpt-4o, as $TMP/config/config.toml:3 says, and not the catalog's anthropic/claude-sonnet-4.5; fix: call the alias something else
    ");
    let shown = home.openmux(["models", "show", "claude-sonnet-4-5", "-o", "json"]).run();
    let document: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(document["data"]["alias_of"], "gpt-4o", "{}", shown.snapshot());
    // By its id it is what it always was.
    let named = home.openmux(["models", "show", "anthropic/claude-sonnet-4-5", "-o", "json"]).run();
    assert!(named.stdout.contains("\"id\":\"anthropic/claude-sonnet-4.5\""), "{}", named.snapshot());
}

#[test]
fn an_alias_of_nothing_says_what_it_stands_for() {
    let home = home("[aliases]\nfast = \"claude-haku-4.5\"\n", "");
    let output = home.openmux(["models", "show", "fast"]).run();
    insta::assert_snapshot!(output.snapshot(), @r#"
    exit: 3
    --- stdout

    --- stderr
    error: fast stands for "claude-haku-4.5", but no model is called
    "claude-haku-4.5"
      did you mean  anthropic/claude-haiku-4.5
                    anthropic/claude-haiku-5.5
                    anthropic/claude-opus-4.5
      fix:          openmux config show aliases.fast
    "#);
}

#[test]
fn defaults_are_what_flags_would_be() {
    let good = || Server::repeating(answer(Protocol::OpenaiChat));
    let world = World::openai(vec![good(), good(), good()]);
    let own = |text: &str| {
        world.home.write(OWN, text);
    };
    let chat = |more: &[&str]| {
        let before = world.hits();
        let output = world.chat(more.iter().copied()).run();
        let asked: Vec<usize> = world.hits().iter().zip(before).map(|(now, before)| now - before).collect();
        (output.code, asked)
    };
    own("[defaults]\nprovider = \"beta\"\n");
    assert_eq!(chat(&[]), (Some(0), vec![0, 1, 0]));
    assert_eq!(chat(&["--provider", "alpha"]), (Some(0), vec![1, 0, 0]), "a flag goes before it");
    assert_eq!(world.openmux(["chat", "-m", "acme/tiny:gamma", "hi"]).run().code, Some(0), "so does a name that pins");
    let compared = world.openmux(["providers", "compare", "acme/tiny", "-o", "ids"]).run().stdout;
    assert_eq!(compared.lines().count(), 3, "a comparison leaves nobody out: {compared}");
    own("[defaults]\nignore = [\"alpha\"]\n");
    assert_eq!(chat(&[]), (Some(0), vec![0, 1, 0]));
    own("[defaults]\nprofile = \"p\"\nignore = [\"alpha\"]\n[profiles.p]\nignore = [\"beta\", \"alpha\"]\n");
    assert_eq!(chat(&[]), (Some(0), vec![0, 0, 1]), "a profile goes before them");
    own("[defaults]\nmax_cost = \"0.000000001\"\n");
    assert_eq!(chat(&[]), (Some(11), vec![0, 0, 0]));
    assert_eq!(chat(&["--max-cost", "1"]), (Some(0), vec![1, 0, 0]));
    own("[defaults]\nprofile = \"nobody\"\n");
    assert_eq!(chat(&[]).0, Some(3));
}

#[test]
fn defaults_of_how_it_is_asked_and_shown_are_what_flags_would_be() {
    let good = || Server::repeating(answer(Protocol::OpenaiChat));
    let world = World::openai(vec![good(), good()]);
    world.home.write("config/catalog.d/zz.toml", BILLING);
    let hedge = |more: &[&str]| {
        let args = ["route", "explain", "-m", "acme/tiny", "-o", "json", "hi"];
        let output = world.openmux(args.into_iter().chain(more.iter().copied())).run();
        serde_json::from_str::<Value>(&output.stdout).unwrap()["hedge"]["planned"].clone()
    };
    let line = |more: &[&str]| world.chat(more.iter().copied()).run().stderr.contains("acme/tiny at ");
    let listed =
        || world.openmux(["providers", "compare", "acme/tiny", "-o", "wide"]).env("COLUMNS", "400").run().stdout;
    assert_eq!((hedge(&[]), line(&[])), (Value::Null, false));
    assert!(listed().contains(" TOK/S"), "{}", listed());
    world.home.write(OWN, "[defaults]\nhedge = true\nusage = true\nunit = \"tok/min\"\nwindow = \"30d\"\n");
    assert_eq!((hedge(&[]), hedge(&["--no-hedge"])), (true.into(), Value::Null));
    assert_eq!((line(&[]), line(&["--no-usage"])), (true, false));
    assert!(listed().contains(" TOK/MIN"), "{}", listed());
    for (key, value, place) in
        [("hedge", "true", 2), ("usage", "true", 3), ("unit", "tok/min", 4), ("window", "30d", 5)]
    {
        let key = format!("defaults.{key}");
        assert_eq!(held(&world.home, &key), (value.into(), format!("config.toml:{place}")));
    }
    assert_eq!(held(&world.home, "defaults.resume").0, "false");
    // A project's file may not make calls dearer by itself; how something is shown is its own affair.
    world.home.write(OWN, "");
    world.home.write(PROJECT, "[defaults]\nhedge = true\nresume = true\nunit = \"tok/min\"\n");
    assert_eq!(hedge(&[]), Value::Null);
    let told = world.openmux(["config", "show"]).env("COLUMNS", "300").run();
    assert!(
        told.stderr.contains("left out: defaults.hedge (line 2), defaults.resume (line 3);"),
        "{}",
        told.snapshot()
    );
    assert!(listed().contains(" TOK/MIN"), "{}", listed());
}

/// What is billed of an answer that is cancelled, without which nobody is hedged.
const BILLING: &str = "[provider.alpha]\nkind = \"host\"\nbills_on_cancel = \"none\"\n\
    [provider.beta]\nkind = \"host\"\nbills_on_cancel = \"none\"\n";

#[test]
fn tables_have_the_columns_that_were_chosen_and_scripts_see_no_difference() {
    let chosen = home("[columns]\nmodels_list = [\"context\", \"id\"]\n", "");
    let plain = Home::new();
    let list =
        |home: &Home, format: &str| home.openmux(["models", "list", "sonnet", "--limit", "1", "-o", format]).run();
    assert!(list(&chosen, "table").stdout.starts_with("CONTEXT  MODEL\n"), "{}", list(&chosen, "table").snapshot());
    for format in ["tsv", "csv", "ids", "wide"] {
        assert_eq!(list(&chosen, format).stdout, list(&plain, format).stdout, "{format}");
    }
    let wrong = home("[columns]\nmodels_list = [\"contxt\"]\n", "");
    let output = wrong.openmux(["models", "list", "-o", "table"]).env("COLUMNS", "200").run();
    assert_eq!(output.code, Some(5));
    let told = "config.toml:2: columns.models_list: models list has no field \"contxt\"\n  did you mean  context";
    assert!(output.stderr.contains(told), "{}", output.snapshot());
}

#[test]
fn a_projects_file_goes_before_the_users_own() {
    let good = || Server::repeating(answer(Protocol::OpenaiChat));
    let world = World::openai(vec![good(), good()]);
    world.home.write(OWN, "[defaults]\nmodel = \"gpt-5\"\nprovider = \"alpha\"\n");
    world.home.write("repo/.openmux.toml", "[defaults]\nmodel = \"acme/tiny\"\nprovider = \"beta\"\n");
    world.home.write("repo/src/lib.rs", "");
    let output = world.shell("cd repo/src && exec \"$0\" \"$@\"", ["chat", "hi"]).run();
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{}", output.snapshot());
    assert_eq!(world.hits(), [0, 1]);
}

#[test]
fn what_a_projects_file_leaves_open_stays_as_the_users_own_has_it() {
    let own = "[defaults]\noutput = \"csv\"\noffline = true\n";
    let home = home(own, "[defaults]\nunit = \"tok/min\"\n");
    let shown = home.openmux(["config", "show", "output"]).run();
    assert!(shown.stdout.contains("\ndefaults.output,csv,"), "{}", shown.snapshot());
    let offline = || {
        let run = home.openmux(["chat", "-m", "claude-sonnet-5", "hi"]).env("ANTHROPIC_API_KEY", "sk-0123456789");
        run.run().code
    };
    assert_eq!(offline(), Some(11));
    // It says the same of its own.
    home.write(OWN, "[defaults]\noutput = \"csv\"\noffline = false\n");
    home.write(PROJECT, "[defaults]\noutput = \"jsonl\"\noffline = true\n");
    let shown = home.openmux(["config", "show", "output"]).run();
    assert!(shown.stdout.starts_with('{') && shown.stdout.contains("\"jsonl\""), "{}", shown.snapshot());
    assert_eq!(offline(), Some(11));
}

/// A project's file that would run a command, send a key elsewhere and spend more.
fn greedy(elsewhere: &str) -> String {
    format!(
        "[defaults]\nmodel = \"acme/tiny\"\nmax_cost = \"9\"\n\n[providers.alpha]\n\
         key_cmd = [\"sh\", \"-c\", \"touch ran; echo sk-9876543210-other\"]\n\n[provider.alpha]\n\
         base_url = \"{elsewhere}/v1\"\n\n[budget]\nday_usd = 99\n"
    )
}

#[test]
fn a_projects_file_runs_nothing_and_sends_no_key_elsewhere_until_it_is_trusted() {
    let elsewhere = Server::repeating(answer(Protocol::OpenaiChat));
    let good = Server::repeating(answer(Protocol::OpenaiChat));
    let world = World::openai(vec![good]);
    world.home.write(OWN, "[defaults]\nmax_cost = \"1\"\n[budget]\nday_usd = 5\n");
    world.home.write(PROJECT, &greedy(&elsewhere.base_url()));
    let ran = || world.home.path().join("ran").exists();
    // With a key of the user's: it goes where the user's own overlay says.
    let output = world.openmux(["chat", "hi"]).env("COLUMNS", "300").run();
    assert_eq!(
        (output.code, world.hits(), elsewhere.hits(), ran()),
        (Some(0), vec![1], 0, false),
        "{}",
        output.snapshot()
    );
    insta::assert_snapshot!(output.stderr.replace(&*world.home.path().to_string_lossy(), "~"), @"warning: ~/.openmux.toml is not trusted, so this of it is left out: defaults.max_cost (line 3), providers.alpha (line 6), provider.alpha (line 9), budget.day_usd (line 12); `openmux config trust --dry-run` says what it wants, without it the file is taken as it is now");
    // Without one: there is no key, and no command is run for one.
    let keyless = || world.home.openmux(["chat", "hi"]);
    let output = keyless().run();
    assert_eq!((output.code, elsewhere.hits(), ran()), (Some(4), 0, false), "{}", output.snapshot());
    assert_eq!(held(&world.home, "defaults.max_cost"), ("1".into(), "config.toml:2".to_owned()));
    assert_eq!(held(&world.home, "budget.day_usd"), ("5".into(), "config.toml:4".to_owned()));
    // What is agreed to is told beforehand, also where nothing else is.
    let looked = world.openmux(["config", "trust", "--dry-run", "-q"]).run();
    insta::assert_snapshot!(looked.stderr.replace(&*world.home.path().to_string_lossy(), "~").replace(&elsewhere.base_url(), "URL"), @r"
    note: it may run `sh -c touch ran; echo sk-9876543210-other` for the key of alpha
    note: it may set provider.alpha.base_url to URL/v1
    note: it goes beyond your own limits: defaults.max_cost (line 3), budget.day_usd (line 12)
    note: ~/.openmux.toml is not trusted by --dry-run; `openmux config trust` does that
    ");
    let output = keyless().run();
    assert_eq!((output.code, elsewhere.hits(), ran()), (Some(4), 0, false), "{}", output.snapshot());
    // Trusted, all of it holds.
    let trust = world.openmux(["config", "trust"]).run();
    assert_eq!(trust.code, Some(0));
    insta::assert_snapshot!(trust.stderr.replace(&*world.home.path().to_string_lossy(), "~").replace(&elsewhere.base_url(), "URL"), @r"
    note: it may run `sh -c touch ran; echo sk-9876543210-other` for the key of alpha
    note: it may set provider.alpha.base_url to URL/v1
    note: it goes beyond your own limits: defaults.max_cost (line 3), budget.day_usd (line 12)
    note: ~/.openmux.toml is trusted as it is now; `openmux config trust --remove` takes that back
    ");
    let output = keyless().run();
    assert_eq!((output.code, elsewhere.hits(), ran()), (Some(0), 1, true), "{}", output.snapshot());
    assert_eq!(output.stderr, "");
    assert_eq!(held(&world.home, "defaults.max_cost"), ("9".into(), ".openmux.toml:3".to_owned()));
    // A changed file is another one.
    std::fs::remove_file(world.home.path().join("ran")).unwrap();
    world.home.write(PROJECT, &(greedy(&elsewhere.base_url()) + "# more\n"));
    let output = keyless().run();
    assert_eq!((output.code, elsewhere.hits(), ran()), (Some(4), 1, false), "{}", output.snapshot());
    let listed = world.openmux(["config", "trust", "--list"]).run();
    assert!(listed.stdout.contains("\tchanged\t"), "{}", listed.snapshot());
    // Trust can be taken back.
    world.home.write(PROJECT, &greedy(&elsewhere.base_url()));
    assert_eq!(world.openmux(["config", "trust", "--remove"]).run().code, Some(0));
    let output = keyless().run();
    assert_eq!((output.code, elsewhere.hits(), ran()), (Some(4), 1, false), "{}", output.snapshot());
    assert_eq!(world.openmux(["config", "trust", "--remove"]).run().code, Some(3));
}
