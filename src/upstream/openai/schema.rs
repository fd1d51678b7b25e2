//! Whether a JSON Schema may be asked for in OpenAI's strict mode, which takes a subset of the language.

use serde_json::{Map, Value};

/// What strict mode knows; a schema with any other word is refused there.
const WORDS: [&str; 23] = [
    "$defs",
    "$ref",
    "$schema",
    "additionalProperties",
    "anyOf",
    "const",
    "definitions",
    "description",
    "enum",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "items",
    "maxItems",
    "maximum",
    "minItems",
    "minimum",
    "multipleOf",
    "pattern",
    "properties",
    "required",
    "title",
    "type",
];
/// The formats of strings that it knows.
const FORMATS: [&str; 9] = ["date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uuid"];
/// The deepest nesting, and the most properties and values of enumerations in all.
const DEEPEST: usize = 10;
const MOST_PROPERTIES: usize = 5000;
const MOST_VALUES: usize = 1000;

/// Whether strict mode takes it: an object whose every object lists all of its properties as required and allows no
/// others, in the words that it knows.
#[must_use]
pub(in crate::upstream) fn is_strict(schema: &Value) -> bool {
    let mut size = Size::default();
    let is_object = schema.get("type").and_then(Value::as_str) == Some("object");
    is_object && size.fits(schema, 0) && size.properties <= MOST_PROPERTIES && size.values <= MOST_VALUES
}

/// What has been counted so far.
#[derive(Default)]
struct Size {
    properties: usize,
    values: usize,
}

impl Size {
    fn fits(&mut self, schema: &Value, depth: usize) -> bool {
        let Value::Object(schema) = schema else { return false };
        if depth > DEEPEST || schema.keys().any(|word| !WORDS.contains(&word.as_str())) {
            return false;
        }
        if !["type", "anyOf", "$ref", "enum", "const"].iter().any(|word| schema.contains_key(*word)) {
            return false;
        }
        if schema.get("format").is_some_and(|format| !format.as_str().is_some_and(|name| FORMATS.contains(&name))) {
            return false;
        }
        self.values += schema.get("enum").and_then(Value::as_array).map_or(0, Vec::len);
        let mut fits = is_closed(schema);
        for word in ["properties", "$defs", "definitions"] {
            let inner = schema.get(word).and_then(Value::as_object);
            let inner: Vec<&Value> = inner.into_iter().flat_map(Map::values).collect();
            if word == "properties" {
                self.properties += inner.len();
            }
            fits = fits && inner.into_iter().all(|schema| self.fits(schema, depth + 1));
        }
        let ways = schema.get("anyOf").and_then(Value::as_array).into_iter().flatten();
        fits = fits && ways.into_iter().all(|way| self.fits(way, depth + 1));
        fits && schema.get("items").is_none_or(|items| self.fits(items, depth + 1))
    }
}

/// Whether an object has exactly its properties; whatever is no object has none to miss.
fn is_closed(schema: &Map<String, Value>) -> bool {
    let kinds = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.as_slice(),
        Some(kind) => std::slice::from_ref(kind),
        None => &[],
    };
    if !kinds.iter().any(|kind| kind == "object") && !schema.contains_key("properties") {
        return true;
    }
    let required = schema.get("required").and_then(Value::as_array);
    let is_required = |name: &String| required.is_some_and(|names| names.iter().any(|known| known == name));
    let properties = schema.get("properties").and_then(Value::as_object);
    schema.get("additionalProperties") == Some(&Value::Bool(false))
        && properties.is_none_or(|properties| properties.keys().all(is_required))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn object(properties: &Value, required: &Value) -> Value {
        json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false })
    }

    #[test]
    fn closed_objects_of_known_words_are_strict() {
        assert!(is_strict(&object(&json!({ "a": { "type": "string" } }), &json!(["a"]))));
        assert!(is_strict(&object(&json!({ "a": { "type": ["integer", "null"], "minimum": 0 } }), &json!(["a"]))));
        assert!(is_strict(&object(&json!({ "a": { "anyOf": [{ "$ref": "#" }, { "type": "null" }] } }), &json!(["a"]))));
        let inner = object(&json!({ "b": { "enum": ["x", "y"] } }), &json!(["b"]));
        assert!(is_strict(&object(&json!({ "a": { "type": "array", "items": inner } }), &json!(["a"]))));
        assert!(is_strict(&object(&json!({}), &json!([]))));
    }

    #[test]
    fn whatever_is_open_or_unknown_there_is_not() {
        let text = json!({ "type": "string" });
        for schema in [
            json!({ "type": "object", "properties": { "a": text }, "required": ["a"] }),
            object(&json!({ "a": text, "b": text }), &json!(["a"])),
            object(&json!({ "a": { "type": "string", "minLength": 1 } }), &json!(["a"])),
            object(&json!({ "a": { "type": "string", "format": "uri" } }), &json!(["a"])),
            object(&json!({ "a": { "oneOf": [text] } }), &json!(["a"])),
            object(&json!({ "a": {} }), &json!(["a"])),
            object(&json!({ "a": { "type": "object", "properties": { "b": text } } }), &json!(["a"])),
            json!({ "anyOf": [object(&json!({}), &json!([]))] }),
            json!({ "type": "array", "items": text }),
            json!(true),
        ] {
            assert!(!is_strict(&schema), "{schema}");
        }
        let mut deep = object(&json!({}), &json!([]));
        for _ in 0..11 {
            deep = object(&json!({ "a": deep }), &json!(["a"]));
        }
        assert!(!is_strict(&deep));
    }
}
