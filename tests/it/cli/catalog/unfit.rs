//! Overlays that name what only an update knows: without that update the rest is as much use as before.

use serde_json::{Value, json};

use super::super::super::support::command::{Home, Output};
use super::{list, undated};

/// What the user says of a provider, an offer and a sibling that only the list has, and of one that the program has.
const OVERLAY: &str = r#"
[provider.novel]
key_env = "NOVEL_API_KEY"

[[endpoint]]
provider = "novel"
id = "first"
price = { input = "1", output = "2" }

[[endpoint]]
provider = "anthropic"
id = "claude-opus-99-1"
hide = true

[[endpoint]]
provider = "groq"
id = "mine"
model = "groq/mine"
like = "anthropic/claude-opus-99.1"

[[endpoint]]
provider = "anthropic"
id = "claude-sonnet-5"
price = { input = "1.5", output = "7" }
"#;

fn novel() -> Value {
    let mut list = list();
    list["novel"] = json!({"id": "novel", "models": {"first": {"cost": {"input": 3, "output": 4}}}});
    list["anthropic"]["models"]["claude-opus-99-1"] = json!({"cost": {"input": 4, "output": 20}});
    list
}

fn update(home: &Home, list: &Value) -> Output {
    home.write("api.json", &list.to_string());
    home.openmux(["catalog", "update", "--from", "api.json"]).run()
}

#[test]
fn what_only_an_update_has_is_passed_over_without_it() {
    let home = Home::new();
    let first = update(&home, &novel());
    assert_eq!(first.code, Some(0), "{}", first.snapshot());
    home.write("config/catalog.d/novel.toml", OVERLAY);
    let listed = |name: &str| home.openmux(["models", "list", name, "--fields", "id,input", "-o", "tsv"]).run();
    let with = listed("novel/first");
    assert_eq!((with.stdout.as_str(), with.stderr.as_str()), ("novel/first\t1\n", ""));
    let back = home.openmux(["catalog", "rollback"]).run();
    assert_eq!(back.code, Some(0), "{}", back.snapshot());
    for args in [
        &["--sandbox", "chat", "-m", "claude-sonnet-5", "hi"][..],
        &["models", "show", "claude-sonnet-5"],
        &["providers", "list"],
        &["route", "explain", "claude-sonnet-5"],
        &["catalog", "status"],
        &["check", "claude-sonnet-5", "--max-price-in", "1.5"],
        &["config", "show"],
    ] {
        let output = home.openmux(args.iter().copied()).run();
        assert_eq!(output.code, Some(0), "{args:?}: {}", output.snapshot());
        assert_eq!(output.stderr.matches("warning: ").count(), 1, "{args:?}: {}", output.snapshot());
    }
    let rest = listed("anthropic/claude-sonnet-5");
    assert_eq!(rest.stdout.lines().next(), Some("anthropic/claude-sonnet-5\t1.5"));
    insta::assert_snapshot!(rest.snapshot(), @r#"
    exit: 0
    --- stdout
    anthropic/claude-sonnet-5	1.5
    anthropic/claude-sonnet-5.5	2

    --- stderr
    warning: $TMP/config/catalog.d/novel.toml:2: provider.novel.base_url: is missing: "novel" is a new provider; this is passed over, as are 3 more; fix: openmux catalog update where a list has it, else correct line 2 of $TMP/config/catalog.d/novel.toml
    "#);
    // What another list lacks is passed over as well; one that has it all mends it.
    assert_eq!(update(&home, &list()).code, Some(0));
    assert_eq!(listed("novel/first").stdout, "");
    assert_eq!(update(&home, &novel()).code, Some(0));
    assert_eq!(listed("novel/first").stdout, with.stdout);
}

#[test]
fn an_update_does_not_take_from_an_overlay_what_it_rests_on() {
    let home = Home::new();
    assert_eq!(update(&home, &novel()).code, Some(0));
    home.write("config/catalog.d/novel.toml", OVERLAY);
    let refused = update(&home, &list());
    insta::assert_snapshot!(undated(&refused.snapshot()), @r#"
    exit: 5
    --- stdout

    --- stderr
    error: what you have of your own does not fit the new catalog:
    $TMP/config/catalog.d/novel.toml:2: provider.novel.base_url: is
    missing: "novel" is a new provider
      in use  the catalog of TODAY stays (an update)
      fix:    correct line 2 of $TMP/config/catalog.d/novel.toml, then
              openmux catalog update
    "#);
    assert_eq!(home.openmux(["models", "list", "novel/first", "-o", "ids"]).run().stdout, "novel/first\n");
}
