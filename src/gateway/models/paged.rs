//! The list of models as Anthropic tells it: the newest first, a page at a time.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::super::Gateway;
use super::super::client::Client;
use super::super::problem::Problem;
use super::{created, found, offered};
use crate::catalog::ModelLine;

/// Models on a page, unless the client says how many; and the most that it may say.
const USUAL: usize = 20;
const MOST: usize = 1000;

/// A model in a few words.
#[derive(Debug)]
pub(in super::super) struct Told {
    id: String,
    name: String,
    created: Timestamp,
}

impl Told {
    fn of(line: &ModelLine<'_>) -> Self {
        Self { id: line.id().to_owned(), name: line.name().to_owned(), created: created(line) }
    }

    fn value(&self) -> Value {
        let created = self.created.to_string();
        json!({ "type": "model", "id": self.id, "display_name": self.name, "created_at": created })
    }
}

/// A page of the list: `limit` models after `after_id`, or before `before_id`.
///
/// # Errors
/// The query says something else.
pub(in super::super) fn page(
    gateway: &Gateway,
    client: Option<&Client>,
    query: &[(String, String)],
) -> Result<Value, Problem> {
    let asked = |name: &str| query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let limit = match asked("limit") {
        None => USUAL,
        Some(text) => text.parse::<usize>().ok().filter(|limit| (1..=MOST).contains(limit)).ok_or_else(|| {
            Problem::invalid(&format!("limit: not a whole number from 1 to {MOST}")).fix(format!("limit={USUAL}"))
        })?,
    };
    let all = told(gateway, client);
    let at = |name: &str, id: &str| {
        let wrong = || Problem::invalid(&format!("{name}: no model of the list is called {id:?}"));
        let at = all.iter().position(|model| model.id == id);
        at.ok_or_else(|| wrong().fix("first_id or last_id of another page, or leave it out for the first"))
    };
    let (shown, more) = match (asked("after_id"), asked("before_id")) {
        (Some(_), Some(_)) => {
            let wrong = Problem::invalid("before_id: after_id says from where the page goes in the other direction");
            return Err(wrong.fix("leave one of the two out"));
        }
        (None, Some(id)) => {
            let end = at("before_id", id)?;
            let start = end.saturating_sub(limit);
            (start..end, start > 0)
        }
        (after, None) => {
            let start = after.map_or(Ok(0), |id| at("after_id", id).map(|at| at + 1))?;
            let end = (start + limit).min(all.len());
            (start..end, end < all.len())
        }
    };
    let shown = all.get(shown).unwrap_or_default();
    let id = |model: Option<&Told>| model.map(|model| model.id.clone());
    let rows: Vec<Value> = shown.iter().map(Told::value).collect();
    Ok(json!({ "data": rows, "has_more": more, "first_id": id(shown.first()), "last_id": id(shown.last()) }))
}

/// One model.
///
/// # Errors
/// There is none of that name, or the client may not ask it.
pub(in super::super) fn of_one(gateway: &Gateway, client: Option<&Client>, name: &str) -> Result<Value, Problem> {
    found(gateway, client, name).map(|(line, _)| Told::of(&line).value())
}

/// All of them: the same for all who may ask everything.
fn told(gateway: &Gateway, client: Option<&Client>) -> Arc<[Told]> {
    let client = client.filter(|client| client.is_narrowed());
    let make = || -> Arc<[Told]> {
        let mut all: Vec<Told> = offered(gateway, client).iter().map(|(line, _)| Told::of(line)).collect();
        all.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.id.cmp(&b.id)));
        Arc::from(all)
    };
    if client.is_some() { make() } else { Arc::clone(gateway.told.get_or_init(make)) }
}
