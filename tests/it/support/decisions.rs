//! A store with decisions that version 0.1.0 kept.
#![expect(clippy::disallowed_methods, reason = "a store and fixtures are files")]

use openmux::store::sqlite::Sqlite;
use rusqlite::{Connection, params};
use serde_json::Value;

use super::command::Home;

/// Puts the decisions of the fixture into a home's store, the last one newest and under another id where one is given;
/// gives the open store and the ids.
pub(crate) fn kept(home: &Home, last: Option<&str>) -> (Connection, Vec<String>) {
    let path = home.path().join("data/obs.db");
    drop(Sqlite::open(&path).unwrap());
    let raw = Connection::open(&path).unwrap();
    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/decisions/0.1.0.jsonl");
    let lines = std::fs::read_to_string(fixture).unwrap();
    let mut ids = Vec::new();
    for (at, line) in (0_i64..).zip(lines.lines()) {
        let kept: Value = serde_json::from_str(line).unwrap();
        let text = |key: &str| kept[key].as_str().unwrap().to_owned();
        let id = last.filter(|_| ids.len() + 1 == lines.lines().count()).map_or(text("id"), str::to_owned);
        let sheet = "INSERT OR IGNORE INTO traded(sha256, last_ms, sheet) VALUES (?1, 0, ?2)";
        raw.execute(sheet, params![text("sha256"), text("sheet")]).unwrap();
        let decision = "INSERT INTO decision(id, ts_ms, input) VALUES (unhex(?1), ?2, ?3)";
        raw.execute(decision, params![id, at, text("input")]).unwrap();
        ids.push(id);
    }
    (raw, ids)
}
