//! Slips at the keyboard, and wishes that nothing fulfils: each is told with what is nearest.

use super::super::support::command::{Home, Stdin};

/// What is said on stderr, where the command ends with this code and prints nothing.
fn said(args: &[&str], code: i32) -> String {
    let output = Home::new().openmux(args.iter().copied()).run();
    assert_eq!((output.code, output.stdout.as_str()), (Some(code), ""), "{args:?}: {}", output.snapshot());
    output.stderr
}

#[test]
fn a_prompt_without_a_command_is_sent_to_chat_and_a_slip_to_its_command() {
    insta::assert_snapshot!(said(&["why is the sky blue?"], 2), @r#"
    error: there is no command "why is the sky blue?"; a prompt goes behind chat
      commands  models providers route catalog check chat serve usage config sandbox
                completions help
      fix:      openmux chat -m MODEL "..."
    "#);
    for words in [&["prompt"][..], &["hello", "there"], &["-o", "json", "--color", "never", "prompt"]] {
        let text = said(words, 2);
        assert!(text.contains("openmux chat -m MODEL") && !text.contains("route in place"), "{words:?}: {text}");
    }
    for (slip, command) in [("model", "models"), ("chta", "chat"), ("mod", "models"), ("complete", "completions")] {
        let text = said(&[slip, "list"], 2);
        assert!(text.contains(&format!("write {command} in place of {slip}")), "{slip}: {text}");
    }
    insta::assert_snapshot!(said(&["models", "list", "--jq", ".data"], 2), @r"
    error: there is no jq in this program
      fix:  openmux ... -o json | jq '.data[]'
    ");
}

#[test]
fn a_version_of_the_schemas_can_be_asked_for() {
    let home = Home::new();
    let list =
        |args: &[&str]| home.openmux(["models", "list", "gpt-5", "--limit", "2"].iter().chain(args).copied()).run();
    let plain = list(&["-o", "json"]);
    for asked in [&["-o", "json@1"][..], &["--output=json@1"], &["-ojson@1"]] {
        assert_eq!(list(asked).stdout, plain.stdout, "{asked:?}");
    }
    assert_eq!(list(&["-o", "jsonl@1"]).stdout, list(&["-o", "jsonl"]).stdout);
    let variable = home.openmux(["models", "list", "gpt-5", "--limit", "2"]).env("OPENMUX_OUTPUT", "json@1").run();
    assert_eq!(variable.stdout, plain.stdout);
    for wrong in ["json@2", "csv@1", "json@"] {
        assert_eq!(list(&["-o", wrong]).code, Some(2), "{wrong}");
    }
    let error = home.openmux(["models", "show", "no-such-model-at-all", "-o", "json@1"]).run();
    assert!(error.stderr.starts_with("{\"error\":"), "{}", error.snapshot());
}

#[test]
fn a_list_without_a_row_says_what_was_asked_and_what_is_nearest() {
    let list = |args: &str| said(&["models", "list"].into_iter().chain(args.split(' ')).collect::<Vec<_>>(), 0);
    assert_eq!(list("zzzzz"), "note: no model matches: zzzzz\n");
    let dear = list("--vendor anthropic --tools --max-price 0.01");
    assert!(
        dear.starts_with("note: no model matches: --max-price 0.01 --vendor anthropic --tools; without --max-price 0.01 the cheapest is anthropic/"),
        "{dear}"
    );
    let short = list("--min-context 200m");
    assert!(short.contains("--min-context 200M; without --min-context 200M the longest is "), "{short}");
    let stranger = said(&["models", "list", "--vendor", "antropic", "--tools"], 3);
    assert!(stranger.contains("did you mean  anthropic"), "{stranger}");
    let pair = list("sonnet --vendor openai");
    assert!(pair.starts_with("note: no model matches: sonnet --vendor openai; without sonnet "), "{pair}");
    let unknown = said(&["models", "list", "--provider", "antropic"], 3);
    assert!(unknown.contains("did you mean  anthropic"), "{unknown}");
    let home = Home::new();
    let cased = home.openmux(["models", "list", "sonnet-5", "--provider", "Anthropic", "-o", "ids"]).run();
    assert!(cased.stdout.contains("anthropic/claude-sonnet-5\n"), "{}", cased.snapshot());
}

#[test]
fn who_names_a_family_is_shown_that_family() {
    let text = said(&["models", "show", "gpt"], 3);
    assert!(text.contains("openmux models list gpt\n"), "{text}");
    let text = said(&["models", "show", "claude-sonet-4"], 3);
    assert!(text.contains("openmux models list sonnet\n"), "{text}");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the scripts are files")]
fn every_shell_has_its_script() {
    let home = Home::new();
    for (shell, file) in [("powershell", "_openmux.ps1"), ("elvish", "openmux.elv"), ("bash", "openmux.bash")] {
        let output = home.openmux(["completions", shell]).run();
        let committed = std::fs::read_to_string(super::super::generated::top(&format!("completions/{file}"))).unwrap();
        assert_eq!((output.code, output.stdout), (Some(0), committed), "{shell}");
    }
}

#[test]
fn a_prompt_that_is_too_long_is_told_which_models_would_take_it() {
    let home = Home::new();
    let args = ["chat", "-m", "gpt-4o", "-"];
    let run =
        home.openmux(args).env("OPENAI_API_KEY", "sk-0123456789").stdin(Stdin::Bytes("word ".repeat(160_000).into()));
    let output = run.run();
    assert_eq!((output.code, output.stdout.as_str()), (Some(6), ""), "{}", output.snapshot());
    let line = output.stderr.lines().find_map(|line| line.trim().strip_prefix("would fit")).unwrap_or_default();
    let named: Vec<&str> = line.split_whitespace().filter(|word| word.contains('/')).collect();
    assert!(named.first().is_some_and(|id| id.starts_with("openai/")), "{}", output.snapshot());
    // Whoever follows the advice can send it.
    for id in named {
        let shown = home.openmux(["models", "show", id, "-o", "json"]).run();
        let document: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
        assert!(document["data"]["context_tokens"].as_u64().unwrap() > 160_000, "{id}");
    }
}
