//! JSON: a versioned envelope, exact decimal literals, fields in a fixed order.

use serde_json::{Map, Value};

pub(crate) use crate::gateway::codec::{literal, quote};

/// Facts that every JSON document carries.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Envelope<'a> {
    /// The catalog's date, `YYYY-MM-DD`.
    pub catalog_date: &'a str,
    /// Its age in days.
    pub age_days: i64,
    /// Whether it is an update, not what the program has in it.
    pub updated: bool,
    /// How many overlays of the user's lie over it.
    pub overlays: usize,
    /// What the reader should know.
    pub warnings: &'a [String],
}

/// The document: `{"schema": ..., "catalog": ..., "warnings": [...], "data": ...}`, on one line; `data` writes JSON
/// straight into it, since there may be megabytes.
pub(crate) fn document(schema: &str, envelope: &Envelope<'_>, data: impl FnOnce(&mut String)) -> String {
    let mut out = opening(schema, envelope);
    data(&mut out);
    out.push_str("}\n");
    out
}

/// The document up to its data.
pub(super) fn opening(schema: &str, envelope: &Envelope<'_>) -> String {
    let mut out = Value::Object(head(schema, envelope)).to_string();
    // The object goes on.
    out.pop();
    out.push_str(",\"data\":");
    out
}

/// The members that come before the data.
pub(crate) fn head(schema: &str, envelope: &Envelope<'_>) -> Map<String, Value> {
    let mut catalog = Map::new();
    catalog.insert("date".to_owned(), envelope.catalog_date.into());
    catalog.insert("age_days".to_owned(), envelope.age_days.into());
    catalog.insert("source".to_owned(), (if envelope.updated { "updated" } else { "bundled" }).into());
    catalog.insert("overlays".to_owned(), envelope.overlays.into());
    let mut document = Map::new();
    document.insert("schema".to_owned(), schema.into());
    document.insert("catalog".to_owned(), catalog.into());
    document.insert("warnings".to_owned(), envelope.warnings.to_vec().into());
    document
}

/// Several values with commas between them.
pub(crate) fn between<T>(items: &[T], out: &mut String, write: impl Fn(&T, &mut String)) {
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        write(item, out);
    }
}
