//! Who may use whom: the table of the architecture as data, held against every file of `src/`.

#![expect(clippy::disallowed_methods, reason = "the sources are files")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// A module and the modules that it may use, beside itself.
const MODULES: &[(&str, &[&str])] = &[
    ("units", &[]),
    ("recent", &[]),
    ("catalog", &["recent", "units"]),
    ("chat", &["catalog", "units"]),
    ("observe", &["catalog", "chat", "units"]),
    // Not chat: it sees lengths and needs, never prompts.
    ("routing", &["catalog", "observe", "units"]),
    // Of routing, its values: what a decision was made of is kept.
    ("store", &["catalog", "observe", "recent", "routing", "units"]),
    ("upstream", &["catalog", "chat", "observe", "recent", "units"]),
    ("probe", &["catalog", "chat", "observe", "store", "upstream", "units"]),
    ("dispatch", &["catalog", "chat", "observe", "routing", "store", "upstream", "units"]),
    // Of upstream, the framers alone: see `NARROW`.
    ("sandbox", &["catalog", "chat", "units", "upstream"]),
    // Of the store, the trait alone: see `NARROW`.
    ("gateway", &["catalog", "chat", "dispatch", "observe", "routing", "store", "units"]),
    (
        "cli",
        &[
            "catalog", "chat", "dispatch", "gateway", "observe", "probe", "routing", "sandbox", "store", "units",
            "upstream",
        ],
    ),
];

/// Where a module may use a part of another alone: who, of whom, the part.
const NARROW: &[(&str, &str, &str)] = &[("sandbox", "upstream", "wire"), ("gateway", "store", "ObservationStore")];

/// A crate that is confined, and the files (or, with a `/` at the end, folders) that may name it.
const CONFINED: &[(&str, &[&str])] = &[
    // Exact decimals: the units, the price sheet with the usage that it bills, and what prints them.
    // The generator reads price sheets, and one provider reports its bill as a number.
    (
        "rust_decimal",
        &[
            "units.rs",
            "catalog/price",
            "catalog/usage.rs",
            "catalog/builtin/",
            "upstream/openai/usage.rs",
            "cli/render/",
        ],
    ),
    ("rusqlite", &["store/sqlite"]),
    ("redis", &["store/redis/"]),
    ("reqwest", &["upstream/transport"]),
    ("tower_layer", &["upstream/transport"]),
    ("tower_service", &["upstream/transport"]),
    // The client's side of TLS, where the handshake is stamped.
    ("rustls", &["upstream/transport"]),
    ("rustls_platform_verifier", &["upstream/transport"]),
    ("axum", &["sandbox/"]),
    // The gateway's side of HTTP: bodies that are driven by whoever writes them need no `Send`, and no router.
    ("hyper", &["gateway/"]),
    ("hyper_util", &["gateway/server.rs"]),
    // The clouds' own libraries: credentials and signing. The framer reads AWS's event streams.
    ("aws_config", &["upstream/auth/"]),
    ("aws_credential_types", &["upstream/auth/"]),
    ("aws_sigv4", &["upstream/auth/"]),
    ("aws_types", &["upstream/auth/"]),
    // The sandbox's service accounts have a key, and their assertions are verified; releases of the catalog are signed.
    ("aws_lc_rs", &["sandbox/oauth.rs", "catalog/release.rs"]),
    ("google_cloud_auth", &["upstream/auth/"]),
    ("aws_smithy_eventstream", &["upstream/wire/"]),
    ("aws_smithy_types", &["upstream/wire/", "upstream/auth/"]),
    // What kind of file goes along, and whether an answer has the shape that was asked for.
    ("infer", &["gateway/codec/media.rs"]),
    ("jsonschema", &["chat/", "cli/"]),
    ("percent_encoding", &["upstream/", "sandbox/", "gateway/routes.rs"]),
    ("memchr", &["upstream/wire/"]),
    ("mimalloc", &["main.rs"]),
    ("clap", &["cli/"]),
    ("clap_complete", &["cli/"]),
    // Whether an updated catalog is as it was written.
    ("crc32fast", &["catalog/builtin/stored.rs"]),
    ("anyhow", &["cli/"]),
    ("dirs", &["cli/"]),
    ("terminal_size", &["cli/"]),
    ("tracing_subscriber", &["cli/"]),
    // The user's own files.
    ("toml", &["catalog/file", "sandbox/scenario", "cli/"]),
    // Formats: the catalog's file and snapshot, the adapters, the simulated providers, the gateway's codec, the output.
    (
        "serde",
        &["catalog/file", "catalog/builtin/", "catalog/fresh/", "upstream/", "sandbox/", "gateway/", "store/", "cli/"],
    ),
    // The runtime: whoever waits for the network, for a clock, or for a process that prints a key.
    (
        "tokio",
        &[
            "dispatch/",
            "upstream/auth/",
            "upstream/transport",
            "upstream/exchange",
            "probe/run",
            "sandbox/",
            "gateway/",
            "cli/",
        ],
    ),
];

/// Crates that any module may name: types, bytes and pure functions.
const FREE: &[&str] = &[
    "base64",
    "bytes",
    "data_encoding",
    "futures_util",
    "hmac",
    "http",
    "jiff",
    "libm",
    "serde_json",
    "sha2",
    "strsim",
    "thiserror",
    "tracing",
    "unicode_width",
    "openmux",
];

/// The most lines of a file, without the `mod tests` at its end, and the files that may be longer.
const LONGEST: usize = 450;
const LONGER: &[(&str, &str)] = &[];

/// Words that mean that something is not finished, in pieces so that this file does not hold them.
const UNFINISHED: [(&str, &str); 6] =
    [("todo", "!("), ("unimplemented", "!("), ("dbg", "!("), ("FIX", "ME"), ("XX", "X"), ("#[all", "ow(")];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below a folder: its path from `root`, and its text.
fn sources(folder: &str) -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&root().join(folder), &mut found);
    found.sort();
    let named = |path: &PathBuf| path.strip_prefix(root()).unwrap().to_string_lossy().replace('\\', "/");
    found.iter().map(|path| (named(path), std::fs::read_to_string(path).unwrap())).collect()
}

/// The source without the `mod tests` at its end.
fn without_tests(source: &str) -> &str {
    let at = ["\n#[cfg(test)]\nmod tests", "\n#[cfg(test)]\npub(crate) mod tests"]
        .into_iter()
        .filter_map(|start| source.find(start))
        .min();
    at.map_or(source, |at| &source[..=at])
}

/// The source with comments, strings and characters blanked, so that what is left is code.
fn code(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let skipped = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |at| at + 2)
        } else if let Some(raw) = raw_string(rest).filter(|_| !out.ends_with(is_word)) {
            raw
        } else if first == '"' {
            quoted(rest, '"')
        } else if first == '\'' && is_character(rest) {
            quoted(rest, '\'')
        } else {
            0
        };
        if skipped == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
        } else {
            out.push(' ');
            rest = &rest[skipped..];
        }
    }
    out
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// How long the raw string is that begins here, if one does.
fn raw_string(text: &str) -> Option<usize> {
    let after = text.strip_prefix("br").or_else(|| text.strip_prefix('r'))?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    let body = after[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let opened = text.len() - body.len();
    Some(body.find(&end).map_or(text.len(), |at| opened + at + end.len()))
}

/// How long the literal is that begins with this quote.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if character == quote => return at + quote.len_utf8(),
            _ => {}
        }
    }
    text.len()
}

/// A character and not a lifetime.
fn is_character(text: &str) -> bool {
    let mut after = text.chars().skip(1);
    after.next() == Some('\\') || after.next() == Some('\'')
}

/// The words of code with the separators that make paths of them: `use`, `crate`, `::`, `{`, ...
fn words(code: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let length = if is_word(first) {
            rest.find(|character| !is_word(character)).unwrap_or(rest.len())
        } else if rest.starts_with("::") {
            2
        } else {
            first.len_utf8()
        };
        if !first.is_whitespace() {
            words.push(&rest[..length]);
        }
        rest = &rest[length..];
    }
    words
}

/// What stands behind a `::`: one name, or the first name of each path in braces, with the name after it.
fn behind<'a>(words: &[&'a str]) -> Vec<(&'a str, Option<&'a str>)> {
    let name = |at: usize| {
        let next = (words.get(at + 1) == Some(&"::")).then(|| words.get(at + 2).copied()).flatten();
        words.get(at).map(|word| (*word, next))
    };
    if words.first() != Some(&"{") {
        return name(0).into_iter().collect();
    }
    let mut depth = 0;
    let mut names = Vec::new();
    for (at, word) in words.iter().enumerate() {
        match *word {
            "{" => depth += 1,
            "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            break;
        }
        if depth == 1 && at > 0 && ["{", ","].contains(&words[at - 1]) {
            names.extend(name(at));
        }
    }
    names
}

/// The modules that a file uses from the crate's root, each with the name after it, and the outside crates it names.
fn uses(file: &str, source: &str) -> (Vec<(String, Option<String>)>, BTreeSet<String>) {
    let code = code(without_tests(source));
    let words = words(&code);
    // How many `super` lead from this file to the root.
    let depth = file.trim_end_matches("/mod.rs").trim_end_matches(".rs").split('/').count();
    let mut modules = Vec::new();
    let mut crates = BTreeSet::new();
    for (at, word) in words.iter().enumerate() {
        let first = at == 0 || words[at - 1] != "::";
        let begins_path = words.get(at + 1) == Some(&"::");
        if *word == "crate" && begins_path {
            modules.extend(behind(&words[at + 2..]));
        } else if *word == "super" && first {
            let supers = words[at..].chunks(2).take_while(|two| *two == ["super", "::"]).count();
            if supers >= depth {
                modules.extend(behind(&words[at + 2 * supers..]));
            }
        } else if first && (begins_path || (at > 0 && words[at - 1] == "use")) {
            crates.insert((*word).to_owned());
        }
    }
    let owned = |(name, next): (&str, Option<&str>)| (name.to_owned(), next.map(str::to_owned));
    (modules.into_iter().map(owned).collect(), crates)
}

/// Whether a file lies at or below a place of the table.
fn lies_in(file: &str, place: &str) -> bool {
    let below = |place: &str| file.strip_prefix(place).is_some_and(|rest| rest.starts_with(['/', '.']));
    place.strip_suffix('/').map_or_else(|| file == place || below(place), below)
}

/// Everything that one file does against the tables; `file` is its path below `src/`.
fn breaches(file: &str, source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let home = file.split(['/', '.']).next().unwrap_or_default();
    let (modules, crates) = uses(file, source);
    let allowed = MODULES.iter().find(|(module, _)| *module == home).map(|(_, allowed)| *allowed);
    match allowed {
        // `main.rs` decides nothing, and `lib.rs` names its modules.
        None if home == "main" || home == "lib" => {}
        None => found.push(format!("{file}: {home} is not in the table")),
        Some(allowed) => {
            for (module, next) in modules.iter().filter(|(module, _)| module != home) {
                let narrow = NARROW.iter().find(|(who, whom, _)| *who == home && whom == module);
                if !allowed.contains(&module.as_str()) {
                    found.push(format!("{file}: {home} may not use {module}"));
                } else if let Some((_, _, part)) = narrow
                    && next.as_deref() != Some(*part)
                {
                    found.push(format!("{file}: {home} may use {part} of {module}, and nothing else"));
                }
            }
        }
    }
    for (name, places) in CONFINED {
        if crates.contains(*name) && !places.iter().any(|place| lies_in(file, place)) {
            found.push(format!("{file}: {name} is confined to {}", places.join(", ")));
        }
    }
    found
}

fn unfinished(file: &str, source: &str) -> Vec<String> {
    let words = UNFINISHED.iter().map(|(head, tail)| format!("{head}{tail}"));
    let stands = |word: &String| {
        source.match_indices(word.as_str()).any(|(at, _)| !source[..at].ends_with(|before: char| is_word(before)))
    };
    words.filter(stands).map(|word| format!("{file} has {word}")).collect()
}

#[test]
fn every_file_keeps_to_the_table() {
    let found: Vec<String> =
        sources("src").iter().flat_map(|(file, source)| breaches(file.trim_start_matches("src/"), source)).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn every_dependency_has_a_place_in_the_table() {
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let known: BTreeSet<&str> = FREE.iter().copied().chain(CONFINED.iter().map(|(name, _)| *name)).collect();
    let section = manifest.split("\n[").find(|section| section.starts_with("dependencies]")).unwrap();
    let names = section.lines().skip(1).filter_map(|line| line.split_once('=')).map(|(name, _)| name.trim());
    let names: Vec<String> = names.filter(|name| !name.starts_with('#')).map(|name| name.replace('-', "_")).collect();
    assert!(names.len() > 10, "{names:?}");
    let strangers: Vec<&String> = names.iter().filter(|name| !known.contains(name.as_str())).collect();
    assert!(strangers.is_empty(), "say where {strangers:?} may be used");
}

#[test]
fn nothing_is_left_unfinished() {
    let found: Vec<String> = sources("src").iter().flat_map(|(file, source)| unfinished(file, source)).collect();
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn no_file_is_too_long() {
    let mut found = Vec::new();
    for (file, source) in sources("src").iter().chain(&sources("tests/it")) {
        let lines = without_tests(source).lines().count();
        let excused = LONGER.iter().any(|(longer, _)| longer == file);
        if lines > LONGEST && !excused {
            found.push(format!("{file} has {lines} lines: split it by meaning"));
        }
        if lines <= LONGEST && excused {
            found.push(format!("{file} has {lines} lines: it needs no exception any more"));
        }
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_checker_sees_planted_breaches() {
    let breach = |file: &str, source: &str| breaches(file, source).len();
    assert_eq!(breach("routing/score.rs", "use crate::chat::Message;"), 1);
    assert_eq!(breach("routing/score.rs", "use crate::{catalog::Usage, chat::{self, Message}, store};"), 2);
    assert_eq!(breach("routing/score.rs", "fn f(m: &crate::chat::Message) {}"), 1);
    assert_eq!(breach("routing/score.rs", "use super::super::dispatch::shape;"), 1);
    assert_eq!(breach("routing/mod.rs", "use super::dispatch::shape;"), 1);
    assert_eq!(breach("units.rs", "use super::catalog;"), 1);
    assert_eq!(breach("sandbox/server.rs", "use crate::upstream::exchange::exchange;"), 1);
    assert_eq!(breach("gateway/routes.rs", "use crate::store::sqlite::Sqlite;"), 1);
    assert_eq!(breach("novel/mod.rs", ""), 1);
    assert_eq!(breach("observe/stats.rs", "use rust_decimal::Decimal;"), 1);
    assert_eq!(breach("store/memory.rs", "let c = rusqlite::Connection::open(p);"), 1);
    assert_eq!(breach("catalog/mod.rs", "use serde;"), 1);
    assert_eq!(breach("routing/mod.rs", "#[tokio::main]"), 1);
    assert_eq!(breach("dispatch.rs", "use clap::Parser; use anyhow::Result;"), 2);

    assert_eq!(breach("routing/score.rs", "// crate::chat is off limits\nuse crate::catalog::Usage;"), 0);
    assert_eq!(breach("routing/score.rs", "/// [`crate::chat`]\nconst A: &str = \"crate::chat::x\";"), 0);
    assert_eq!(breach("routing/score.rs", "const A: &str = r#\"\" crate::chat \"#; const Q: char = '\"'; // \""), 0);
    assert_eq!(breach("routing/score.rs", "fn f<'a>(x: &'a str) {}\n#[cfg(test)]\nmod tests { use crate::chat; }"), 0);
    assert_eq!(breach("routing/balance.rs", "use super::Policy; use std::time::Duration; mod axum_like {}"), 0);
    assert_eq!(breach("sandbox/server.rs", "use crate::upstream::wire::Frame;"), 0);
    assert_eq!(breach("upstream/exchange.rs", "use tokio::time::Instant;"), 0);
    assert_eq!(breach("catalog/file/reader.rs", "use toml::Table;"), 0);

    for (head, tail) in UNFINISHED {
        assert_eq!(unfinished("a.rs", &format!("fn f() {{\n    {head}{tail}\n}}")).len(), 1, "{head}");
    }
    assert!(unfinished("a.rs", "#[expect(dead_code)] fn disallow() {}").is_empty());
}
