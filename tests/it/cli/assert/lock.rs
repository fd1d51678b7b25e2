//! The lock of `check`: sorted, exact, and every kind of change told.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::Value;

use super::super::super::support::command::Home;
use super::{FACTS, home, overlay, rows, run};

/// The facts of `sure` with a part put in another's place.
fn changed(home: &Home, from: &str, to: &str) {
    assert!(FACTS.contains(from), "{from}");
    home.write("config/catalog.d/acme.toml", &overlay(&FACTS.replacen(from, to, 1)));
}

#[expect(clippy::disallowed_methods, reason = "the lock that was written")]
fn lock(home: &Home) -> String {
    std::fs::read_to_string(home.path().join("m.lock")).unwrap()
}

#[test]
fn a_lock_is_sorted_exact_and_says_nothing_where_nothing_changed() {
    let home = home();
    let first = run(&home, "acme/tiny anthropic/claude-sonnet-5 --provider sure,late,anthropic --lock m.lock -o table");
    // Nobody offers a model wherever it is asked for: what is missing is not locked.
    assert_eq!(first.code, Some(1), "{}", first.snapshot());
    assert!(!home.path().join("m.lock").exists());
    let first = run(&home, "acme/tiny:sure acme/tiny:late --lock m.lock -o table");
    insta::assert_snapshot!(first.snapshot(), @r"
    exit: 0
    --- stdout
    ok  acme/tiny  not retired: no end is announced (sure)
    ok  acme/tiny  not retired: retires in 17 days, 2026-12-11 (late)
    ok  acme/tiny  12 facts written to m.lock (sure)
    ok  acme/tiny  3 facts written to m.lock (late)
    4 checks: 4 ok

    --- stderr
    ");
    insta::assert_snapshot!(lock(&home), @r#"
    # Facts that this build relies on: `openmux check --lock` says what has changed since.
    # Prices are USD per 1M tokens. Written by openmux; `--update-lock` writes it anew.
    version = 3
    catalog = "2026-11-24"

    [[offer]]
    model = "acme/tiny"
    provider = "late"
    id = "tiny-1"
    status = "active"
    retires = "2026-12-11"
    can = []

    [[offer]]
    model = "acme/tiny"
    provider = "sure"
    id = "tiny-1"
    status = "active"
    context = 8192
    max_output = 4096
    can = ["cache", "text", "tools", "vision"]
    [offer.price]
    cache_read = "0.2"
    cache_write = "2.5"
    input = "2"
    output = "8"
    "#);
    let written = lock(&home);
    let again = run(&home, "--lock m.lock -o table");
    insta::assert_snapshot!(again.snapshot(), @r"
    exit: 0
    --- stdout
    ok  acme/tiny  3 facts as in m.lock (late)
    ok  acme/tiny  12 facts as in m.lock (sure)
    2 checks: 2 ok

    --- stderr
    ");
    assert_eq!(run(&home, "acme/tiny:late acme/tiny:sure --lock m.lock --update-lock").code, Some(0));
    assert_eq!(lock(&home), written, "the order of the command line is not that of the file");
    let names: Vec<PathBuf> = std::fs::read_dir(home.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().ends_with(".new")), "{names:?}");
    // A model that is not in it is not known to be as it was.
    let more = run(&home, "acme/tiny:dull --lock m.lock -o table");
    insta::assert_snapshot!(more.snapshot(), @r"
    exit: 3
    --- stdout
    ok       acme/tiny  not retired: no end is announced (dull)
    ok       acme/tiny  3 facts as in m.lock (late)
    ok       acme/tiny  12 facts as in m.lock (sure)
    unknown  acme/tiny  it is not in m.lock (dull)
                        fix: openmux check acme/tiny --provider dull --lock m.lock
                             --update-lock (adds it)
    4 checks: 3 ok, 1 unknown

    --- stderr
    ");
    assert_eq!(lock(&home), written);
    assert_eq!(run(&home, "acme/tiny:dull --lock m.lock --update-lock").code, Some(0));
    assert_eq!(lock(&home).matches("[[offer]]").count(), 3);
}

#[test]
fn a_temperature_that_was_fixed_and_is_not_any_more_is_a_change() {
    let home = home();
    let can = |more: &str| changed(&home, "\"tools\", \"cache\"", &format!("\"tools\", \"cache\"{more}"));
    can(", \"no_temperature\"");
    assert_eq!(run(&home, "acme/tiny:sure --lock m.lock").code, Some(0));
    for (more, verdict, exit) in [(", \"temperature\"", "no", 1), ("", "unknown", 3)] {
        can(more);
        let output = run(&home, "--lock m.lock -o jsonl");
        let told: Vec<_> = rows(&output).iter().map(|row| row["verdict"].as_str().unwrap().to_owned()).collect();
        assert_eq!((told, output.code), (vec![verdict.to_owned()], Some(exit)), "{}", output.snapshot());
    }
}

/// What changes, and what the lock says of it: its answer, the fact, and the line of the lock.
const CHANGES: &[(&str, &str, &str, &str)] = &[
    ("input = \"2\"", "input = \"2.00\"", "ok", "locked"),
    ("input = \"2\"", "input = \"2.000000000001\"", "no", "locked.price.input"),
    (
        "price = { input = \"2\", output = \"8\", cache_read = \"0.2\", cache_write = \"2.5\" }",
        "",
        "unknown",
        "locked.price.input",
    ),
    ("cache_write = \"2.5\"", "cache_write = \"2.5\", request = \"0.01\"", "no", "locked.price.request"),
    ("context = 8192", "context = 4096", "no", "locked.context"),
    ("context = 8192", "context = 16384", "no", "locked.context"),
    ("context = 8192\n", "", "unknown", "locked.context"),
    ("max_output = 4096", "max_output = 4095", "no", "locked.max_output"),
    ("\"tools\", \"cache\"", "\"tools\"", "unknown", "locked.can"),
    ("\"tools\", \"cache\"", "\"tools\", \"cache\", \"structured\"", "no", "locked.can"),
    ("\"tools\", \"cache\"", "\"tools\", \"cache\", \"no_temperature\"", "no", "locked.can"),
    ("context = 8192", "context = 8192\noutput = [\"text\", \"image\"]", "no", "locked.output"),
    // What a source denies is a no, and so is what comes, whatever goes with it.
    ("\"tools\", \"cache\"", "\"no_tools\", \"cache\"", "no", "locked.can"),
    ("\"text\", \"image\"", "\"text\"", "no", "locked.can"),
    ("\"tools\", \"cache\"", "\"tools\", \"structured\"", "no", "locked.can"),
    ("context = 8192", "context = 8192\nsunset = \"2027-03-01\"", "no", "locked.retires"),
    ("context = 8192", "context = 8192\nstatus = \"deprecated\"", "no", "locked.status"),
    ("context = 8192", "context = 8192\nstatus = \"unlisted\"", "unknown", "locked.status"),
    ("context = 8192", "context = 8192\nstatus = \"retired\"", "no", "locked.status"),
    ("id = \"tiny-1\"", "id = \"tiny-2\"", "no", "locked.id"),
    (
        "provider = \"sure\"\nmodel = \"acme/tiny\"\nid = \"tiny-1\"",
        "provider = \"mute\"\nmodel = \"acme/tiny\"\nid = \"moved\"",
        "no",
        "locked.provider",
    ),
];

#[test]
fn every_kind_of_change_is_told_and_a_new_lock_takes_it() {
    let mut told = String::new();
    for (from, to, verdict, fact) in CHANGES {
        let home = home();
        assert_eq!(run(&home, "acme/tiny:sure --lock m.lock").code, Some(0));
        changed(&home, from, to);
        let output = run(&home, "--lock m.lock -o jsonl");
        let rows = rows(&output);
        let of_fact: Vec<&Value> = rows.iter().filter(|row| row["assertion"] == *fact).collect();
        let [row] = of_fact[..] else { panic!("{fact}: {}", output.snapshot()) };
        assert_eq!(row["verdict"], *verdict, "{row}");
        let alone =
            rows.iter().all(|row| row["assertion"].as_str().unwrap().split('.').nth(1) == fact.split('.').nth(1));
        assert!(alone, "{}", output.snapshot());
        let exit = match *verdict {
            "ok" => 0,
            "no" => 1,
            _ => 3,
        };
        assert_eq!(output.code, Some(exit), "{}", output.snapshot());
        let line = usize::try_from(row["line"].as_u64().unwrap()).unwrap();
        let fix = row["fix"].as_str().map(|fix| format!("\n  fix: {fix}")).unwrap_or_default();
        let text = lock(&home);
        let locked = text.lines().nth(line - 1).unwrap_or_default();
        writeln!(told, "{}\n  at: {locked}{fix}", row["message"].as_str().unwrap()).unwrap();
        // What is gone stays gone; all else is as the new lock says.
        let updated = run(&home, "--lock m.lock --update-lock -o jsonl");
        let stays = to.contains("retired");
        assert_eq!(updated.code, Some(if stays { 1 } else { 0 }), "{}", updated.snapshot());
        let after = run(&home, "--lock m.lock -o jsonl");
        // A lock that holds nothing any more is no yes.
        let exit = match (stays, *fact) {
            (true, _) => 1,
            (false, "locked.provider") => 3,
            (false, _) => 0,
        };
        assert_eq!(after.code, Some(exit), "{}", after.snapshot());
    }
    insta::assert_snapshot!(told, @r#"
    12 facts as in m.lock
      at: model = "acme/tiny"
    price input 2 -> 2.000000000001: no, it has changed
      at: input = "2"
      fix: openmux check --lock m.lock --update-lock   (takes it as it is now)
    price input 2 -> unknown: unknown, nobody states it any more
      at: input = "2"
      fix: openmux check --lock m.lock --update-lock   (takes it as it is now)
    price request unknown -> 0.01 / 1000: no, it has changed
      at: model = "acme/tiny"
      fix: openmux check --lock m.lock --update-lock   (takes it as it is now)
    context 8192 -> 4096: no, it has changed
      at: context = 8192
      fix: openmux check --lock m.lock --update-lock   (takes it as it is now)
    context 8192 -> 16384: no, it has changed
      at: context = 8192
      fix: openmux check --lock m.lock --update-lock   (takes it as it is now)
    context 8192 -> unknown: unknown, nobody states it any more
      at: context = 8192
      fix: openmux check --lock m.lock --update-lock   (takes it as it is now)
    max_output 4096 -> 4095: no, it has changed
      at: max_output = 4096
      fix: openmux check --lock m.lock --update-lock   (takes it as it is now)
    can -cache: unknown, no source says so any more
      at: can = ["cache", "text", "tools", "vision"]
      fix: openmux check --lock m.lock --update-lock   (takes it as it is now)
    can +structured: no, it has changed
      at: can = ["cache", "text", "tools", "vision"]
      fix: openmux check --lock m.lock --update-lock   (takes it as it is now)
    can +no_temperature: no, it has changed
      at: can = ["cache", "text", "tools", "vision"]
      fix: openmux check --lock m.lock --update-lock   (takes it as it is now)
    output unknown -> text, image: no, it has changed
      at: model = "acme/tiny"
      fix: openmux check --lock m.lock --update-lock   (takes it as it is now)
    can -tools: no, it has changed
      at: can = ["cache", "text", "tools", "vision"]
      fix: openmux check --lock m.lock --update-lock   (takes it as it is now)
    can -vision: no, it has changed
      at: can = ["cache", "text", "tools", "vision"]
      fix: openmux check --lock m.lock --update-lock   (takes it as it is now)
    can -cache +structured: no, it has changed
      at: can = ["cache", "text", "tools", "vision"]
      fix: openmux check --lock m.lock --update-lock   (takes it as it is now)
    retires no day -> 2027-03-01: no, it has changed: 97 days are left
      at: model = "acme/tiny"
      fix: openmux check acme/tiny --provider dull   (who still serves it)
    status active -> deprecated: no, it has changed
      at: status = "active"
      fix: openmux check acme/tiny --provider dull   (who still serves it)
    status active -> unlisted: unknown, no fresh list has it; it may be gone
      at: status = "active"
      fix: openmux check acme/tiny --provider dull   (who still serves it)
    sure retired it
      at: status = "active"
      fix: openmux check acme/tiny --provider dull   (who still serves it)
    id tiny-1 -> tiny-2: no, it has changed
      at: id = "tiny-1"
      fix: openmux check --lock m.lock --update-lock   (takes it as it is now)
    served by sure: no, sure has no such offer in the catalog any more
      at: provider = "sure"
      fix: openmux check acme/tiny --provider mute   (who serves it)
    "#);
}

#[test]
fn a_day_that_comes_and_a_model_that_goes_are_told() {
    let home = home();
    assert_eq!(run(&home, "acme/tiny:late --lock m.lock").code, Some(0));
    let on = |day: &str| home.openmux(["check", "--lock", "m.lock", "-o", "table", "--at", day]).run();
    assert_eq!(on("2026-12-11T00:00:00Z").code, Some(0), "its last day");
    let then = on("2026-12-12T00:00:00Z");
    insta::assert_snapshot!(then.snapshot(), @r"
    exit: 1
    --- stdout
    no  acme/tiny  late retired it on 2026-12-11
                   m.lock:10
                   fix: openmux check acme/tiny --provider sure (who still serves
                        it)
    1 check: 1 no

    --- stderr
    ");
    home.write("config/catalog.d/acme.toml", "");
    insta::assert_snapshot!(run(&home, "--lock m.lock -o github").snapshot(), @r#"
    exit: 3
    --- stdout
    ::warning file=m.lock,line=7,title=acme/tiny locked.model at late::no model is called "acme/tiny" (late)%0Afix: openmux models show mistralai/mistral-tiny   (if that is meant, or inclusionai/ling-3.0-tiny, openai/whisper-tiny)
    1 check: 1 unknown

    --- stderr
    "#);
    let text = lock(&home).replace("acme/tiny", "anthropic/claude-sonnet-4-20250514").replace("late", "anthropic");
    home.write("m.lock", &text);
    insta::assert_snapshot!(run(&home, "--lock m.lock -o table").snapshot(), @r"
    exit: 1
    --- stdout
    no  anthropic/claude-sonnet-4-20250514  it is called anthropic/claude-sonnet-4
                                            now
                                            m.lock:7
                                            fix: openmux check --lock m.lock
                                                 --update-lock (takes the name over:
                                                 anthropic/claude-sonnet-4)
    1 check: 1 no

    --- stderr
    ");
    assert_eq!(run(&home, "--lock m.lock --update-lock").code, Some(0));
    assert!(
        lock(&home).contains("model = \"anthropic/claude-sonnet-4\"\n"),
        "under the name of today: {}",
        lock(&home)
    );
    home.write("m.lock", "<<<<<<< ours\n");
    insta::assert_snapshot!(run(&home, "--lock m.lock -o table").snapshot(), @r"
    exit: 5
    --- stdout

    --- stderr
    error: m.lock:1: key with no value, expected `=`
      fix:  repair it, or remove it and lock its models again
    ");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let folder = home.path().join("closed");
        std::fs::create_dir(&folder).unwrap();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o500)).unwrap();
        // Whoever is root may write anywhere.
        let output = run(&home, "gpt-5 --lock closed/m.lock");
        assert!(output.code == Some(5) || folder.join("m.lock").exists(), "{}", output.snapshot());
    }
}

/// Where something that is asked about is unknown nothing is written: what has changed stays a no.
#[test]
fn what_is_not_written_is_not_said_to_be() {
    let home = home();
    assert_eq!(run(&home, "acme/tiny:sure --lock m.lock").code, Some(0));
    let before = lock(&home);
    changed(&home, "input = \"2\"", "input = \"3\"");
    let output = run(&home, "acme/tiny:sure acme/none --lock m.lock --update-lock -o jsonl");
    assert_eq!(output.code, Some(1), "{}", output.snapshot());
    assert!(!output.stdout.contains("written"), "{}", output.snapshot());
    assert_eq!(lock(&home), before);
}
