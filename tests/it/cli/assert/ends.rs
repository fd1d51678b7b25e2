//! What has had its last day is gone, for `check` and for every other command; what nobody tried is not known.

use super::super::super::support::command::{Home, Output};
use super::{home, rows};

/// A moment after the last day of `late`, and of the model at OpenAI itself.
const AFTER: &str = "2027-06-01T00:00:00Z";

fn at(home: &Home, args: &str, moment: &str) -> Output {
    home.openmux(args.split(' ').chain(["--at", moment])).env("COLUMNS", "120").run()
}

#[test]
fn whatever_is_asserted_of_a_model_after_its_last_day_is_no() {
    let home = home();
    for (moment, code) in [("2026-12-11T23:00:00Z", 0), ("2026-12-12T00:00:00Z", 1), (AFTER, 1)] {
        let output = at(&home, "check openai/gpt-5 --max-price-in 100", moment);
        assert_eq!(output.code, Some(code), "{moment}: {}", output.snapshot());
    }
    // On the day itself nothing else calls it gone, and neither does a plain check.
    for args in ["check openai/gpt-5", "check openai/gpt-5 --not-retiring 0d", "check acme/tiny:late"] {
        let output = at(&home, args, "2026-12-11T12:00:00Z");
        assert_eq!(output.code, Some(0), "{}", output.snapshot());
    }
    let today = at(&home, "check acme/tiny:late -o table", "2026-12-11T12:00:00Z").stdout;
    assert!(today.contains("not retired: retires after today, 2026-12-11 (late)"), "{today}");
    let listed = |days: &str| {
        let args = format!("models list openai/gpt-5 --not-retiring {days} -o ids");
        at(&home, &args, "2026-12-11T12:00:00Z").stdout.lines().any(|id| id == "openai/gpt-5")
    };
    assert_eq!((listed("0d"), listed("1d")), (true, false));
    let output = at(&home, "check openai/gpt-5 --max-price-in 100 -o table", AFTER);
    assert!(output.stdout.contains("openai retired it on 2026-12-11"), "{}", output.snapshot());
    let counted = |moment| rows(&at(&home, "check acme/tiny --min-providers 1 -o jsonl", moment))[0]["found"].clone();
    // Two of them have a last day: `past` and `late`.
    assert_eq!(counted("2026-11-23T00:00:00Z").as_u64().unwrap() - 2, counted(AFTER).as_u64().unwrap());
}

#[test]
fn a_model_after_its_last_day_is_not_routed_to_and_shown_as_retired() {
    let home = home();
    let explained = |moment| {
        let output = at(&home, "route explain acme/tiny:late", moment);
        let line = output.stdout.lines().find(|line| line.starts_with("  -  late "));
        line.unwrap_or_else(|| panic!("{}", output.snapshot())).to_owned()
    };
    assert!(!explained("2026-12-01T00:00:00Z").contains("retired"), "{}", explained("2026-12-01T00:00:00Z"));
    assert!(explained(AFTER).contains("retired 2026-12-11"), "{}", explained(AFTER));
    let shown = |moment| at(&home, "models show acme/tiny:late --fields provider,status -o tsv", moment).stdout;
    assert_eq!((shown("2026-12-01T00:00:00Z"), shown(AFTER)), ("late\tactive\n".into(), "late\tretired\n".into()));
    let listed = |moment| at(&home, "models list gpt-5 --provider openai -o ids", moment).stdout;
    let has = |text: &str| text.lines().any(|line| line == "openai/gpt-5");
    assert!(has(&listed("2026-12-01T00:00:00Z")) && !has(&listed(AFTER)));
}

#[test]
fn a_deprecated_offer_is_not_said_to_have_no_end() {
    let output = at(&home(), "check acme/tiny:weak -o table", "2026-11-24T12:00:00Z");
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
    assert!(output.stdout.contains("not retired: weak calls it deprecated and names no day"), "{}", output.snapshot());
}

/// A key that was never seen is none: a command is not run for this, a blank variable holds nothing.
#[test]
fn a_key_that_cannot_work_is_no_key() {
    let home = home();
    let has_key = |command: &str| {
        home.write("config/config.toml", &format!("[providers.mute]\nkey_cmd = [\"{command}\"]\n"));
        home.openmux(["check", "--has-key", "mute", "-o", "table"]).env("COLUMNS", "120").env("PATH", "/bin").run()
    };
    insta::assert_snapshot!([has_key("false"), has_key("nowhere"), has_key("/nonexist")].map(|output| output.snapshot()).join("\n"), @r"
    exit: 3
    --- stdout
    unknown  mute  has a key, from the key_cmd false: unknown, it was not run
                   fix: openmux providers check mute
    1 check: 1 unknown

    --- stderr

    exit: 1
    --- stdout
    no  mute  has a key, from the key_cmd nowhere: no, there is no such program
              fix: correct key_cmd of [providers.mute]; openmux config path says where
    1 check: 1 no

    --- stderr

    exit: 1
    --- stdout
    no  mute  has a key, from the key_cmd /nonexist: no, there is no such program
              fix: correct key_cmd of [providers.mute]; openmux config path says where
    1 check: 1 no

    --- stderr
    ");
    home.write("config/config.toml", "");
    let blank = home.openmux(["check", "--has-key", "mute"]).env("MUTE_KEY", " \t").run();
    assert_eq!(blank.code, Some(1), "{}", blank.snapshot());
}

#[test]
fn a_lock_keeps_what_it_says_of_a_model_that_nobody_knows_now() {
    let home = home();
    assert_eq!(at(&home, "check acme/tiny:sure --lock m.lock", "2026-11-24T12:00:00Z").code, Some(0));
    home.write("config/catalog.d/acme.toml", "");
    for args in ["check --lock m.lock", "check --lock m.lock --update-lock"] {
        let output = at(&home, args, "2026-11-24T12:00:00Z");
        assert_eq!(output.code, Some(3), "as plain check says: {}", output.snapshot());
    }
    home.write("config/catalog.d/acme.toml", &super::overlay(super::FACTS));
    assert_eq!(at(&home, "check --lock m.lock", "2026-11-24T12:00:00Z").code, Some(0), "nothing was dropped");
}

/// A lock that is a link stays one, and one of an unknown model says so.
#[test]
#[cfg(unix)]
fn a_lock_is_written_where_its_link_leads() {
    let home = home();
    let folder = home.path().join("locks");
    std::fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink(folder.join("real.lock"), home.path().join("m.lock")).unwrap();
    home.write("locks/real.lock", "version = 1\n");
    let output = at(&home, "check acme/tiny:sure --lock m.lock --update-lock", "2026-11-24T12:00:00Z");
    assert_eq!(output.code, Some(0), "{}", output.snapshot());
    assert!(std::fs::symlink_metadata(home.path().join("m.lock")).unwrap().is_symlink());
    assert!(std::fs::metadata(folder.join("real.lock")).unwrap().len() > 100);
    let unknown = at(&home, "check nonexistent --lock n.lock -o table", "2026-11-24T12:00:00Z");
    assert!(unknown.stdout.contains("no model is called \"nonexistent\""), "{}", unknown.snapshot());
    let ids = at(&home, "check acme/tiny:sure --max-price-in 9 --min-context 1 -o ids", "2026-11-24T12:00:00Z");
    assert_eq!(ids.stdout, "acme/tiny\n");
}
