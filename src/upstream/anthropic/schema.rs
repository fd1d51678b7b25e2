//! JSON Schemas in the form that the API accepts.
//!
//! It takes a part of the language, and only objects that name all their properties. What it refuses (bounds, patterns,
//! formats of its own) goes into the description, for the model to follow, as the official SDK does it; whether the
//! answer satisfies the whole schema is checked here once it has come.

use serde_json::{Map, Value};

/// String formats that the API knows.
const FORMATS: [&str; 10] =
    ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// Whether an answer can be held to it: an object whose property names are free cannot be described.
pub(super) fn is_expressible(schema: &Value) -> bool {
    match schema {
        Value::Object(object) => {
            let is_open = object.get("additionalProperties").is_some_and(Value::is_object)
                || object.contains_key("patternProperties");
            !is_open
                && object.iter().all(|(key, value)| match (key.as_str(), value) {
                    ("enum" | "const" | "default" | "examples", _) => true,
                    ("properties" | "$defs" | "definitions", Value::Object(named)) => {
                        named.values().all(is_expressible)
                    }
                    _ => is_expressible(value),
                })
        }
        Value::Array(items) => items.iter().all(is_expressible),
        _ => true,
    }
}

/// The schema without what the API refuses. Whatever satisfies the original and names no further properties satisfies
/// this one.
pub(super) fn accepted(schema: &Value) -> Value {
    let Value::Object(object) = schema else { return schema.clone() };
    let mut kept = Map::new();
    let mut notes = Vec::new();
    let is_reference = object.contains_key("$ref");
    for (key, value) in object {
        match key.as_str() {
            "$defs" | "definitions" => {
                kept.insert(key.clone(), named(value));
            }
            "$ref" => {
                kept.insert(key.clone(), value.clone());
            }
            // Nothing else may stand beside a reference.
            _ if is_reference => {}
            "properties" => {
                kept.insert(key.clone(), named(value));
            }
            "items" => {
                kept.insert(key.clone(), accepted(value));
            }
            "anyOf" | "allOf" => {
                kept.insert(key.clone(), listed(value));
            }
            "oneOf" => {
                kept.entry("anyOf").or_insert_with(|| listed(value));
            }
            "type" | "enum" | "const" | "required" | "title" | "description" | "default" => {
                kept.insert(key.clone(), value.clone());
            }
            "format" if value.as_str().is_some_and(|format| FORMATS.contains(&format)) => {
                kept.insert(key.clone(), value.clone());
            }
            "minItems" if matches!(value.as_u64(), Some(0 | 1)) => {
                kept.insert(key.clone(), value.clone());
            }
            "additionalProperties" | "$schema" | "$id" | "$comment" | "examples" => {}
            _ => notes.push(format!("{key}: {value}")),
        }
    }
    let is_object = kept.contains_key("properties") || kept.get("type").and_then(Value::as_str) == Some("object");
    if is_object {
        kept.insert("additionalProperties".into(), false.into());
    }
    if !notes.is_empty() {
        let notes = format!("{{{}}}", notes.join(", "));
        let description = match kept.get("description").and_then(Value::as_str) {
            Some(said) => format!("{said}\n\n{notes}"),
            None => notes,
        };
        kept.insert("description".into(), description.into());
    }
    Value::Object(kept)
}

fn named(schemas: &Value) -> Value {
    match schemas {
        Value::Object(object) => object.iter().map(|(name, schema)| (name.clone(), accepted(schema))).collect(),
        other => other.clone(),
    }
}

fn listed(schemas: &Value) -> Value {
    match schemas {
        Value::Array(items) => items.iter().map(accepted).collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_api_refuses_becomes_words() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object",
            "properties": {
                "age": { "type": "integer", "minimum": 1, "description": "In years." },
                "tags": { "type": "array", "minItems": 2, "items": { "$ref": "#/$defs/tag" } },
                "default": { "oneOf": [{ "type": "null" }, { "type": "object", "properties": {} }] },
            },
            "required": ["age"],
            "$defs": { "tag": { "type": "string", "pattern": "^a", "format": "email" } },
        });
        let expected = json!({
            "type": "object",
            "properties": {
                "age": { "type": "integer", "description": "In years.\n\n{minimum: 1}" },
                "tags": { "type": "array", "items": { "$ref": "#/$defs/tag" }, "description": "{minItems: 2}" },
                "default": { "anyOf": [
                    { "type": "null" },
                    { "type": "object", "properties": {}, "additionalProperties": false },
                ] },
            },
            "required": ["age"],
            "$defs": { "tag": { "type": "string", "format": "email", "description": "{pattern: \"^a\"}" } },
            "additionalProperties": false,
        });
        assert_eq!(accepted(&schema), expected);
        assert!(is_expressible(&schema));
    }

    #[test]
    fn a_map_of_free_names_cannot_be_asked_for() {
        let map = json!({ "type": "object", "additionalProperties": { "type": "string" } });
        assert!(!is_expressible(&json!({ "type": "object", "properties": { "of": map } })));
        assert!(!is_expressible(&json!({ "patternProperties": {} })));
        assert!(is_expressible(&json!({ "type": "object", "additionalProperties": true })));
        assert!(is_expressible(&json!({ "properties": { "patternProperties": { "type": "string" } } })));
    }
}
