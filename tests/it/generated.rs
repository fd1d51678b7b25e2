//! What is generated and committed (catalog tables, man pages, completions, JSON Schemas) is what its generator writes;
//! `UPDATE=1` writes it anew.

mod completions;
#[path = "../../src/catalog/builtin/generate.rs"]
mod generate;
mod man;

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

pub(crate) use generate::{Facts, Tables};

pub(crate) const SNAPSHOT: &str = include_str!("../../src/catalog/builtin/input/snapshot.json");
const ALIASES: &str = include_str!("../../src/catalog/builtin/input/aliases.json");
const CONFLICTS: &str = include_str!("../../src/catalog/builtin/input/price_conflicts.json");

/// What the input says, read once.
pub(crate) static FACTS: LazyLock<Facts> = LazyLock::new(|| match generate::read(SNAPSHOT, ALIASES, CONFLICTS) {
    Ok(facts) => facts,
    Err(problems) => panic!("the input is not valid:\n{}", problems.0.join("\n")),
});

#[test]
fn the_catalog_tables_are_current() {
    let tables = Tables::write(&FACTS);
    let folder = top("src/catalog/builtin");
    let files = [
        ("models.tsv", &tables.models),
        ("endpoints.tsv", &tables.endpoints),
        ("aliases.tsv", &tables.aliases),
        ("providers.jsonl", &tables.providers),
        ("generated.txt", &tables.generated),
    ];
    for (name, text) in files {
        held(&folder.join(name), text);
    }
    assert!(
        files.iter().map(|(_, text)| text.len()).sum::<usize>() < 2_100_000,
        "the tables are embedded: keep them small"
    );
}

#[test]
fn the_man_pages_are_current() {
    held_folder("man", &man::pages());
}

#[test]
fn the_completions_are_current() {
    held_folder("completions", &completions::scripts());
}

#[test]
fn the_schemas_are_current() {
    let file = |name: &str| {
        let schema = openmux::cli::contract::schemas::schema(name).unwrap();
        (format!("{}.json", name.replace('/', ".")), serde_json::to_string_pretty(&schema).unwrap() + "\n")
    };
    let documents = openmux::cli::contract::schemas::documents();
    held_folder("src/cli/schemas", &documents.iter().map(|(name, _)| file(name)).collect::<Vec<_>>());
}

#[test]
fn what_is_wrong_with_the_input_is_told() {
    let broken = |from: &str, to: &str| {
        assert!(SNAPSHOT.contains(from), "{from}");
        let problems = generate::read(&SNAPSHOT.replacen(from, to, 1), ALIASES, CONFLICTS).unwrap_err();
        problems.0.join("\n")
    };
    let said = broken("\"https://api.302.ai/v1\"", "\"http://api.302.ai/v1\"");
    assert!(said.starts_with("302ai: http://api.302.ai/v1: keys must not travel in the clear"), "{said}");
    assert_eq!(broken("\"ABACUS_API_KEY\"", "\"ABACUS-KEY\""), "abacus: ABACUS-KEY cannot be exported");
    let said = broken("\"id\":\"abacus\"", "\"id\":\"abakus\"");
    assert!(said.contains("abacus:claude-sonnet-4-20250514: unknown provider"), "{said}");
    let said = broken("\"input\":\"3\"", "\"input\":\"-3\"");
    assert!(said.ends_with("input: \"-3\" is negative"), "{said}");
    let said = broken("\"anthropic/claude-sonnet-5\":{", "\"anthropic/claude-sonnet-5x\":{");
    assert!(said.contains("unknown model anthropic/claude-sonnet-5"), "{said}");
    assert!(broken("\"id\":\"abacus\"", "\"idd\":\"abacus\"").contains("unknown field `idd`"));
}

/// A path from the top of the package.
pub(crate) fn top(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The file has this content, or gets it.
#[expect(clippy::disallowed_methods, reason = "the generators' switch and their output")]
pub(crate) fn held(path: &Path, wanted: &str) {
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    if committed == wanted {
        return;
    }
    let same = committed.lines().zip(wanted.lines()).take_while(|(old, new)| old == new).count();
    let line = |text: &str| text.lines().nth(same).unwrap_or("(the end)").to_owned();
    assert!(
        std::env::var_os("UPDATE").is_some(),
        "{}:{} is not what its generator writes: run UPDATE=1 cargo test --test it\n- {}\n+ {}",
        path.display(),
        same + 1,
        line(&committed),
        line(wanted)
    );
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, wanted).unwrap();
}

/// A folder at the top holds these files and no others.
fn held_folder(name: &str, wanted: &[(String, String)]) {
    let folder = top(name);
    for (file, content) in wanted {
        held(&folder.join(file), content);
    }
    for entry in std::fs::read_dir(&folder).unwrap() {
        let file = entry.unwrap().file_name().into_string().unwrap();
        assert!(wanted.iter().any(|(known, _)| *known == file), "{name}/{file} is made by nothing: remove it");
    }
}
