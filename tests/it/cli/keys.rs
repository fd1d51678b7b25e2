//! `config.toml`: where keys come from beside the environment, and what is said of each place.

use std::path::Path;

use openmux::catalog::Protocol;

use super::super::support::command::{Home, Output, Run};
use super::super::support::server::Server;
use super::stdout::OFFLINE;
use super::{World, answer, error_line};

/// A world of one provider, `alpha`, whose configuration is this.
fn configured(text: &str) -> World {
    let world = World::of(vec![answer(Protocol::OpenaiChat)]);
    private(&world.home.write("config/config.toml", text));
    world
}

#[cfg(unix)]
fn mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Nobody else can read it.
fn private(path: &Path) {
    #[cfg(unix)]
    mode(path, 0o600);
}

/// A chat without a key in the environment.
fn chat(world: &World) -> Run {
    world.home.openmux(["chat", "-m", "acme/tiny", "hi"])
}

fn list(home: &Home, format: &str) -> Output {
    home.openmux(["providers", "list", "--callable", "--fields", "id,key,key_source", "-o", format]).run()
}

#[test]
fn a_key_comes_from_a_file_in_the_home_or_beside_the_configuration() {
    for (written, place) in [("~/.secrets/alpha", ".secrets/alpha"), ("alpha.key", "config/alpha.key")] {
        let world = configured(&format!("[providers.alpha]\nkey_file = \"{written}\"\n"));
        private(&world.home.write(place, "sk-from-a-file-0123456789\n"));
        let output = chat(&world).run();
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{}", output.snapshot());
        let sent = world.servers[0].requests()[0].header("authorization").map(str::to_owned);
        assert_eq!(sent.as_deref(), Some("Bearer sk-from-a-file-0123456789"));
        let listed = list(&world.home, "tsv");
        assert!(listed.stdout.contains(&format!("alpha\tyes\tkey_file {written}\n")), "{}", listed.snapshot());
    }
}

#[test]
fn a_key_in_the_configuration_works_and_is_warned_about() {
    let world = configured("[providers.alpha]\nkey = \"sk-in-the-file-0123456789\"\n");
    let output = chat(&world).run();
    assert_eq!(
        world.servers[0].requests()[0].header("authorization"),
        Some("Bearer sk-in-the-file-0123456789"),
        "{}",
        output.snapshot()
    );
    insta::assert_snapshot!(output.snapshot(), @r"
    exit: 0
    --- stdout
    Hello, you.

    --- stderr
    warning: $TMP/config/config.toml holds the key of alpha itself; key_cmd or key_file is safer
    ");
    // What uses no key says nothing, and neither does -q.
    assert_eq!(world.home.openmux(["models", "list", "-o", "ids"]).run().stderr, "");
    assert_eq!(world.home.openmux(["providers", "list", "-q"]).run().stderr, "");
}

#[test]
#[cfg(unix)]
fn what_others_can_read_is_warned_about() {
    let world = configured("[providers.alpha]\nkey = \"sk-0123456789\"\n[providers.openai]\nkey_file = \"~/k\"\n");
    mode(&world.home.path().join("config/config.toml"), 0o644);
    mode(&world.home.write("k", "sk-abcdefghij"), 0o640);
    let output = world.home.openmux(["providers", "list", "--callable", "-o", "ids"]).env("COLUMNS", "200").run();
    insta::assert_snapshot!(output.snapshot(), @r"
    exit: 0
    --- stdout
    alpha
    llamacpp
    lmstudio
    ollama
    openai
    vllm

    --- stderr
    warning: $TMP/config/config.toml holds the key of alpha itself; key_cmd or key_file is safer
    warning: others can read $TMP/config/config.toml (mode 644): chmod 600 $TMP/config/config.toml
    warning: others can read ~/k (mode 640): chmod 600 ~/k
    ");
}

#[test]
fn the_environment_wins_over_the_configuration() {
    let world = configured("[providers.alpha]\nkey_file = \"alpha.key\"\n");
    private(&world.home.write("config/alpha.key", "sk-from-a-file-0123456789"));
    assert_eq!(chat(&world).env("ALPHA_KEY", "sk-from-the-shell").run().code, Some(0));
    assert_eq!(world.servers[0].requests()[0].header("authorization"), Some("Bearer sk-from-the-shell"));
}

#[test]
fn a_file_that_holds_no_key_is_said_where_a_key_is_missing() {
    let world = World::of(Vec::new());
    world.home.write("config/config.toml", "[providers.alpha]\nkey_file = \"~/none\"\n");
    insta::assert_snapshot!(chat(&world).run().snapshot(), @r"
    exit: 4
    --- stdout

    --- stderr
    error: no key for alpha
      looked in  ALPHA_KEY (not set), key_file ~/none (No such file or directory)
      fix:       export ALPHA_KEY=... or try it without a key: openmux --sandbox
                 chat ...
    ");
}

#[test]
#[cfg(unix)]
fn a_pipe_in_place_of_a_file_is_not_waited_for() {
    let world = World::of(Vec::new());
    world.home.write("config/config.toml", "[providers.alpha]\nkey_file = \"~/pipe\"\n");
    let made = world.home.shell_line("mkfifo pipe && mkdir -p pipes && mkfifo pipes/config.toml").run();
    assert_eq!(made.code, Some(0), "{}", made.snapshot());
    let output = chat(&world).run();
    assert_eq!(output.code, Some(4), "{}", output.snapshot());
    assert!(output.stderr.contains("key_file ~/pipe (is not a plain file)"), "{}", output.snapshot());
    let output = world.home.openmux(["models", "list"]).env("OPENMUX_CONFIG_DIR", "pipes").run();
    assert_eq!(output.code, Some(5), "{}", output.snapshot());
    let output = world.openmux(["chat", "-m", "acme/tiny", "-s", "@pipe", "hi"]).run();
    assert_eq!(output.code, Some(2), "{}", output.snapshot());
    assert!(output.stderr.contains("pipe is a pipe or a device"), "{}", output.snapshot());
    let made = world.home.shell_line("mkfifo config/catalog.d/x.toml").run();
    assert_eq!(made.code, Some(0), "{}", made.snapshot());
    let output = world.home.openmux(["models", "list"]).run();
    assert_eq!(output.code, Some(5), "{}", output.snapshot());
}

#[test]
#[cfg(unix)]
fn a_command_is_not_run_to_look_something_up() {
    let world = World::of(Vec::new());
    let text = "[providers.alpha]\nkey_cmd = [\"/bin/sh\", \"-c\", \"echo sk-0123456789; touch $HOME/ran\"]\n";
    world.home.write("config/config.toml", text);
    for args in [
        &["providers", "list"][..],
        &["models", "list"],
        &["models", "show", "acme/tiny"],
        &["providers", "compare", "acme/tiny"],
        &["route", "explain", "acme/tiny"],
        &["chat", "-n", "-m", "acme/tiny", "hi"],
    ] {
        let output = world.home.openmux(args.iter().copied()).run();
        assert_eq!(output.code, Some(0), "{}", output.snapshot());
    }
    assert!(!world.home.path().join("ran").exists());
    assert!(list(&world.home, "tsv").stdout.contains("alpha\tyes\tkey_cmd\n"));
}

#[test]
fn a_broken_configuration_is_an_error_that_names_its_place() {
    let said = |text: &str, args: &[&str]| {
        let home = Home::new();
        home.write("config/config.toml", text);
        home.openmux(args.iter().copied()).env("COLUMNS", "200").run()
    };
    let list = ["models", "list"];
    insta::assert_snapshot!(said("[providers.openai]\nkey_cdm = [\"op\"]\n", &list).snapshot(), @r#"
    exit: 5
    --- stdout

    --- stderr
    error: $TMP/config/config.toml:2: providers.openai.key_cdm: unknown key; did you mean "key_cmd"?
      fix:  correct line 2 of $TMP/config/config.toml
    "#);
    insta::assert_snapshot!(said("\n[providers.antropic]\nkey_file = \"k\"\n", &list).snapshot(), @r#"
    exit: 5
    --- stdout

    --- stderr
    error: $TMP/config/config.toml:2: providers.antropic: no provider is called "antropic"; did you mean "anthropic"?
      fix:  correct line 2 of $TMP/config/config.toml
    "#);
    let output = said("[providers.openai\n", &["models", "list", "-o", "json"]);
    assert_eq!((output.code, error_line(&output)["code"].as_str()), (Some(5), Some("config.file")));
    // Help is there for whoever has to mend it.
    assert_eq!(said("[providers.openai\n", &["help", "environment"]).code, Some(0));
    assert_eq!(said("[providers.openai\n", &["--version"]).code, Some(0));
}

#[test]
fn what_was_found_is_listed_with_its_place_and_what_was_not_with_where_it_was_looked_for() {
    let home = Home::new();
    private(&home.write("config/config.toml", "[providers.groq]\nkey_cmd = [\"pass\", \"groq\"]\n"));
    let run = |args: &str| {
        let run = home.openmux(args.split(' ')).env("ANTHROPIC_AUTH_TOKEN", "sk-0123456789");
        run.env("OPENROUTER_API_KEY", "sk-or-0123456789").run()
    };
    insta::assert_snapshot!(run("providers list --callable -o table").snapshot(), @r"
    exit: 0
    --- stdout
    PROVIDER    KIND     KEY         KEY FROM              MODELS
    anthropic   lab      yes         ANTHROPIC_AUTH_TOKEN      30
    groq        host     yes         key_cmd                   27
    llamacpp    local    not needed  -                          0
    lmstudio    local    not needed  -                          3
    ollama      local    not needed  -                         21
    openrouter  gateway  yes         OPENROUTER_API_KEY       586
    vllm        local    not needed  -                          0

    --- stderr
    ");
    let fields = "--fields id,key,key_source,looked_in";
    insta::assert_snapshot!(run(&format!("providers list anthropic {fields} -o jsonl")).snapshot(), @r#"
    exit: 0
    --- stdout
    {"id":"anthropic","key":"yes","key_source":"ANTHROPIC_AUTH_TOKEN","looked_in":["ANTHROPIC_API_KEY","ANTHROPIC_AUTH_TOKEN"]}

    --- stderr
    "#);
    insta::assert_snapshot!(run(&format!("providers list groq {fields} -o jsonl")).snapshot(), @r#"
    exit: 0
    --- stdout
    {"id":"groq","key":"yes","key_source":"key_cmd","looked_in":["GROQ_API_KEY"]}

    --- stderr
    "#);
    insta::assert_snapshot!(run(&format!("providers list mistral {fields} -o jsonl")).snapshot(), @r#"
    exit: 0
    --- stdout
    {"id":"mistral","key":null,"key_source":null,"looked_in":["MISTRAL_API_KEY"]}

    --- stderr
    "#);
}

#[test]
fn a_key_in_a_file_is_never_printed() {
    const CANARY: &str = "canary+Zq7/0123456789abcdef=";
    let home = Home::new();
    let silent = |text: &str, commands: &[&[&str]]| {
        home.write("config/config.toml", text);
        home.write("config/k", &format!("{CANARY}\nmore\n"));
        for args in commands {
            let output = home.openmux(args.iter().copied()).run();
            let said = format!("{}{}", output.stdout, output.stderr);
            assert!(!said.contains("canary") && !said.contains("abcdef="), "{text}: {}", output.snapshot());
        }
    };
    silent(&format!("[providers.anthropic]\nkey = \"{CANARY}\"\nkey_file = \"k\"\n"), &OFFLINE);
    let lists: [&[&str]; 2] = [&["providers", "list", "-o", "wide"], &["providers", "list", "-o", "json"]];
    silent(&format!("[providers.anthropic]\nkey = \"{CANARY}\"\n"), &lists);
    for broken in ["key = CANARY", "key = \"CANARY", "key = [\"CANARY\"]", "key_cmd = \"echo CANARY\"", "key CANARY"] {
        let text = format!("[providers.anthropic]\n{}\n", broken.replace("CANARY", CANARY));
        silent(&text, &[&["models", "list"], &["models", "list", "-o", "json"]]);
    }
}

/// No server is asked by a list.
#[test]
fn a_list_asks_nobody() {
    let world = World::openai(vec![Server::start(Vec::new())]);
    assert_eq!(world.openmux(["providers", "list", "-o", "json"]).run().code, Some(0));
    assert_eq!(world.hits(), [0]);
}
