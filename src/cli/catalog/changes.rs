//! Differences of two catalogs as a list of rows, and how many there are of each kind.

use std::collections::BTreeSet;

use crate::catalog::diff::{Change, ChangeKind};
use crate::cli::render::sheet::{Cell, Column, Sheet, Show};

const COLUMNS: [Column; 7] = [
    Column::new("change", "", "CHANGE", Show::Plain, 0),
    Column::new("model", "", "MODEL", Show::Plain, 0),
    Column::new("provider", "", "PROVIDER", Show::Plain, 1),
    Column::new("wire_id", "id", "WIRE ID", Show::Plain, 10),
    Column::new("what", "", "WHAT", Show::Plain, 0),
    Column::new("before", "", "BEFORE", Show::Plain, 0),
    Column::new("after", "", "AFTER", Show::Plain, 0),
];

/// The list.
pub(super) fn sheet(changes: &[Change]) -> Sheet {
    let mut columns = COLUMNS;
    // A row without a model is about its provider.
    if let Some(provider) = columns.get_mut(2).filter(|_| changes.iter().any(|change| change.model.is_none())) {
        provider.rank = 0;
    }
    Sheet {
        schema: "catalog.diff/1",
        command: "catalog diff",
        columns: columns.to_vec(),
        rows: changes.iter().map(row).collect(),
        marked: Vec::new(),
    }
}

fn row(change: &Change) -> Vec<Cell> {
    let endpoint = change.endpoint.as_ref();
    vec![
        Cell::Text(change.kind.name().to_owned()),
        Cell::text(change.model.as_ref().map(|id| id.as_str())),
        Cell::text(change.provider.as_ref().map(|id| id.as_str())),
        Cell::text(endpoint.map(|id| id.upstream_model.as_str())),
        Cell::text(Some(change.what.as_str()).filter(|what| !what.is_empty())),
        Cell::text(change.before.as_deref()),
        Cell::text(change.after.as_deref()),
    ]
}

/// How many of a kind; of prices, limits and abilities how many offers have a change of that kind.
pub(super) fn count(changes: &[Change], kind: ChangeKind) -> usize {
    let of = changes.iter().filter(|change| change.kind == kind);
    of.map(|change| (&change.model, &change.provider, &change.endpoint)).collect::<BTreeSet<_>>().len()
}

/// `+ 6 models, 41 offers   - 2 offers   ~ 9 prices, 1 status`; empty where nothing changed.
pub(super) fn summary(changes: &[Change]) -> String {
    /// A kind, and its word for one and for several.
    type Told = (ChangeKind, &'static str, &'static str);
    let groups: [(char, &[Told]); 3] = [
        (
            '+',
            &[
                (ChangeKind::NewProvider, "provider", "providers"),
                (ChangeKind::NewModel, "model", "models"),
                (ChangeKind::Added, "offer", "offers"),
            ],
        ),
        (
            '-',
            &[
                (ChangeKind::GoneProvider, "provider", "providers"),
                (ChangeKind::GoneModel, "model", "models"),
                (ChangeKind::Removed, "offer", "offers"),
            ],
        ),
        (
            '~',
            &[
                (ChangeKind::Price, "price", "prices"),
                (ChangeKind::Status, "status", "statuses"),
                (ChangeKind::Limit, "limit", "limits"),
                (ChangeKind::Ability, "ability", "abilities"),
            ],
        ),
    ];
    let told = groups.into_iter().filter_map(|(sign, kinds)| {
        let counted = kinds.iter().map(|(kind, one, many)| (count(changes, *kind), one, many));
        let words = counted.filter(|(count, ..)| *count > 0);
        let words: Vec<String> =
            words.map(|(count, one, many)| format!("{count} {}", if count == 1 { one } else { many })).collect();
        (!words.is_empty()).then(|| format!("{sign} {}", words.join(", ")))
    });
    told.collect::<Vec<_>>().join("   ")
}
