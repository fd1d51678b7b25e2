//! Of every kind of assertion each answer is seen that there can be.

use std::collections::{BTreeMap, BTreeSet};

use super::super::super::support::command::Home;
use super::{OF_OFFERS, OF_PROVIDERS, home, rows, run};

/// What is asserted of a model, a provider and the catalog, as `openmux help check` has it.
const KINDS: [(&str, &[&str]); 3] = [
    (
        "model",
        &[
            "exists",
            "has",
            "max_call_price",
            "max_price_cache_read",
            "max_price_cache_write",
            "max_price_in",
            "max_price_out",
            "max_ttft",
            "min_availability",
            "min_callable",
            "min_context",
            "min_output",
            "min_providers",
            "min_tps",
            "not_retiring",
            "served_by",
        ],
    ),
    ("provider", &["exists", "has_key", "min_availability", "serves"]),
    ("catalog", &["max_age"]),
];

/// What is known whatever it is: the providers there are, and of which day the catalog is.
const NEVER_UNKNOWN: [(&str, &str); 2] = [("provider", "exists"), ("catalog", "max_age")];

#[test]
fn every_kind_of_assertion_has_every_answer() {
    let mut seen: BTreeMap<(&str, String), BTreeSet<String>> = BTreeMap::new();
    for (kind, cases) in [("model", OF_OFFERS), ("provider", OF_PROVIDERS)] {
        for (claim, _, verdict) in cases {
            let line = claim.lines().find(|line| !line.starts_with("tokens")).unwrap();
            let name = line.split(" = ").next().unwrap().to_owned();
            seen.entry((kind, name)).or_default().insert((*verdict).to_owned());
        }
    }
    let home = home();
    // Of a name that could be two models nobody knows whether it is there.
    home.write("two.toml", "[[model]]\nid = \"ember-1\"\nexists = true\n");
    home.write("age.toml", "[catalog]\nmax_age = 0\n");
    let later = home.openmux(["check", "--file", "age.toml", "-o", "jsonl", "--at", "2026-11-25T12:00:00Z"]).run();
    let of_file = |file: &str| run(&home, &format!("--file {file} -o jsonl"));
    for (kind, output) in [("model", of_file("two.toml")), ("catalog", of_file("age.toml")), ("catalog", later)] {
        for row in rows(&output) {
            let word = |key: &str| row[key].as_str().unwrap().to_owned();
            seen.entry((kind, word("assertion"))).or_default().insert(word("verdict"));
        }
    }
    let help = Home::new().openmux(["help", "check"]).run().stdout;
    for (kind, names) in KINDS {
        let of_kind: Vec<&str> = seen.keys().filter(|(of, _)| *of == kind).map(|(_, name)| name.as_str()).collect();
        assert_eq!(of_kind, names, "{kind}");
        for name in names {
            let verdicts: Vec<&str> = seen[&(kind, (*name).to_owned())].iter().map(String::as_str).collect();
            let all = if NEVER_UNKNOWN.contains(&(kind, name)) { &["no", "ok"][..] } else { &["no", "ok", "unknown"] };
            assert_eq!(verdicts, all, "{kind} {name}");
            assert!(help.contains(name), "help check has no {name}");
        }
    }
}
