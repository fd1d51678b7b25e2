//! What is generated and committed is what the generator makes; `UPDATE=1` writes it.

#[path = "../../src/catalog/builtin/generate.rs"]
mod catalog;

use std::path::Path;

fn held(path: &Path, wanted: &str) {
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, wanted).unwrap();
        return;
    }
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    let place = path.display();
    assert!(
        committed == wanted,
        "{place} is not what its generator makes; run UPDATE=1 cargo test --test it generated"
    );
}

#[test]
fn the_embedded_catalog_is_what_its_inputs_give() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/catalog/builtin");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let (snapshot, aliases) = (read("input/snapshot.json"), read("input/aliases.json"));
    let (conflicts, kinds) = (read("input/price_conflicts.json"), read("kinds.tsv"));
    let inputs = catalog::Inputs { snapshot: &snapshot, aliases: &aliases, conflicts: &conflicts, kinds: &kinds };
    for (name, content) in catalog::generate(&inputs).0 {
        held(&folder.join(name), &content);
    }
}
