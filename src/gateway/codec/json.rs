//! Reading JSON that somebody else wrote: every mistake is placed, and nothing in it is passed over.

use serde_json::{Map, Number, Value};

/// What is wrong, with the place in the document before it: `[0].role: missing`.
pub(crate) type Wrong = String;

/// The name nearest to what was typed, where one is near.
pub(crate) fn nearest<'a>(typed: &str, names: &[&'a str]) -> Option<&'a str> {
    // Looking at a long text takes long, and no name is long.
    if typed.len() > 80 {
        return None;
    }
    // A beginning in common is not enough: of what was typed half is there, too (`top_logprobs` is no `top_p`).
    let alike = |name: &&&str| strsim::osa_distance(typed, name) * 2 <= typed.chars().count();
    let scored = names.iter().filter(alike).map(|name| (strsim::jaro_winkler(typed, name), *name));
    scored.filter(|(near, _)| *near > 0.8).max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

/// The document in a text.
pub(crate) fn parse(text: &str) -> Result<Value, Wrong> {
    serde_json::from_str(text).map_err(|error| format!("not JSON: {error}"))
}

/// An object.
pub(crate) fn object<'a>(value: &'a Value, at: &str) -> Result<&'a Map<String, Value>, Wrong> {
    value.as_object().ok_or_else(|| format!("{at}: not an object"))
}

/// So many names are compared with less work than one is hashed.
const COMPARED: usize = 32;

/// A member, as they are looked for in every request: of what a client writes most has few.
pub(crate) fn member<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    if object.len() > COMPARED {
        return object.get(key);
    }
    object.iter().find(|(name, _)| *name == key).map(|(_, value)| value)
}

/// A member that is a text; absent and null are none.
pub(crate) fn text<'a>(object: &'a Map<String, Value>, key: &str, at: &str) -> Result<Option<&'a str>, Wrong> {
    match member(object, key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => Err(format!("{at}.{key}: not a text")),
    }
}

/// A member that must be a text and hold something.
pub(crate) fn needed<'a>(object: &'a Map<String, Value>, key: &str, at: &str) -> Result<&'a str, Wrong> {
    match text(object, key, at)? {
        Some("") => Err(format!("{at}.{key}: empty")),
        Some(text) => Ok(text),
        None => Err(format!("{at}.{key}: missing")),
    }
}

/// A member that is true or false.
pub(crate) fn flag(object: &Map<String, Value>, key: &str, at: &str) -> Result<Option<bool>, Wrong> {
    match member(object, key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => Err(format!("{at}.{key}: neither true nor false")),
    }
}

/// A member that says something.
pub(crate) fn set<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    member(object, key).filter(|value| !value.is_null())
}

/// A member that is a number, as its exact literal.
pub(crate) fn number(object: &Map<String, Value>, key: &str) -> Result<Option<Number>, Wrong> {
    match set(object, key) {
        None => Ok(None),
        Some(Value::Number(number)) => Ok(Some(number.clone())),
        Some(_) => Err(format!("{key}: not a number")),
    }
}

/// A member that is a whole number above 0.
pub(crate) fn count(object: &Map<String, Value>, key: &str) -> Result<Option<u64>, Wrong> {
    match set(object, key).map(Value::as_u64) {
        None => Ok(None),
        Some(Some(count)) if count > 0 => Ok(Some(count)),
        Some(_) => Err(format!("{key}: not a whole number above 0")),
    }
}

/// The most tools of a request, and the most calls of a turn: far more than any provider takes.
const MOST: usize = 4096;

/// A list that is not longer than anybody needs.
pub(crate) fn few(items: &[Value], at: &str) -> Result<(), Wrong> {
    let count = items.len();
    (count <= MOST).then_some(()).ok_or_else(|| format!("{at}: {count} are more than the {MOST} that are taken"))
}

/// A member that is a list.
pub(crate) fn list<'a>(object: &'a Map<String, Value>, key: &str, at: &str) -> Result<&'a [Value], Wrong> {
    match set(object, key) {
        None => Ok(&[]),
        Some(Value::Array(items)) => Ok(items),
        Some(_) => Err(format!("{at}.{key}: not an array")),
    }
}

/// The members that are none of those. Null says nothing.
pub(crate) fn others(object: &Map<String, Value>, known: &[&str]) -> Map<String, Value> {
    let strange = object.iter().filter(|(key, value)| !known.contains(&key.as_str()) && !value.is_null());
    strange.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// Refuses members that would be dropped. What says nothing (null, an empty list) is no loss; an empty object asks for something
/// with nothing chosen about it (`web_search_options: {}`).
pub(crate) fn only(object: &Map<String, Value>, at: &str, known: &[&str]) -> Result<(), Wrong> {
    let empty = |value: &Value| match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        _ => false,
    };
    let stranger = object.iter().find(|(key, value)| !known.contains(&key.as_str()) && !empty(value));
    match stranger {
        None => Ok(()),
        Some((key, _)) => {
            let hint = nearest(key, known).map(|near| format!("; did you mean {near}")).unwrap_or_default();
            Err(format!("{at}.{key}: this version cannot send it{hint}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_member_is_found_among_few_and_among_many() {
        let mut object = Map::new();
        for count in 0..2 * COMPARED {
            assert_eq!(member(&object, &count.to_string()), None, "of {count}");
            object.insert(count.to_string(), count.into());
            assert!((0..=count).all(|known| member(&object, &known.to_string()) == Some(&known.into())), "of {count}");
        }
    }
}
