//! A value that satisfies a JSON Schema: always the same one, and as small as it may be.

use serde_json::{Map, Value, json};

/// How deep a value may nest; a schema that wants more gets `null` there.
const DEEPEST: usize = 24;

/// A value of that shape: the properties that are required, or all where none is.
pub(super) fn specimen(schema: &Value) -> Value {
    value(schema, schema, 0)
}

fn value(root: &Value, schema: &Value, depth: usize) -> Value {
    if depth > DEEPEST {
        return Value::Null;
    }
    let inner = |schema: &Value| value(root, schema, depth + 1);
    if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
        return target.strip_prefix('#').and_then(|pointer| root.pointer(pointer)).map_or(Value::Null, inner);
    }
    if let Some(constant) = schema.get("const") {
        return constant.clone();
    }
    if let Some(first) = schema.get("enum").and_then(Value::as_array).and_then(|values| values.first()) {
        return first.clone();
    }
    for key in ["anyOf", "oneOf"] {
        if let Some(first) = schema.get(key).and_then(Value::as_array).and_then(|schemas| schemas.first()) {
            return inner(first);
        }
    }
    if let Some(all) = schema.get("allOf").and_then(Value::as_array) {
        return merged(all.iter().map(inner).collect());
    }
    match kind(schema) {
        "object" => object(schema, inner),
        "array" => array(schema, inner),
        "string" => json!(string(schema)),
        "integer" | "number" => number(schema),
        "boolean" => json!(true),
        _ => Value::Null,
    }
}

/// The type, in lower case (Gemini's own schemas shout); of several the first that is not `null`.
fn kind(schema: &Value) -> &'static str {
    let named = |word: &str| {
        let word = word.to_ascii_lowercase();
        ["object", "array", "string", "integer", "number", "boolean"].into_iter().find(|kind| *kind == word)
    };
    match schema.get("type") {
        Some(Value::String(word)) => named(word).unwrap_or("null"),
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).find_map(named).unwrap_or("null"),
        _ if schema.get("properties").is_some() => "object",
        _ if schema.get("items").is_some() => "array",
        // Without a type anything will do; a text can be seen.
        _ => "string",
    }
}

/// All objects in one; else the first.
fn merged(values: Vec<Value>) -> Value {
    let mut all = Map::new();
    for value in values {
        match value {
            Value::Object(members) => all.extend(members),
            other => return other,
        }
    }
    Value::Object(all)
}

fn object(schema: &Value, inner: impl Fn(&Value) -> Value) -> Value {
    let none = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
    let required: Vec<&str> =
        schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let wanted = |name: &str| required.is_empty() || required.contains(&name);
    let mut members: Map<String, Value> = properties
        .iter()
        .filter(|(name, _)| wanted(name))
        .map(|(name, schema)| (name.clone(), inner(schema)))
        .collect();
    for name in required.into_iter().filter(|name| !properties.contains_key(*name)) {
        members.insert(name.to_owned(), json!("sandbox"));
    }
    Value::Object(members)
}

fn array(schema: &Value, inner: impl Fn(&Value) -> Value) -> Value {
    let bound = |key: &str| schema.get(key).and_then(Value::as_u64);
    let length = bound("minItems").unwrap_or(1).max(1).min(bound("maxItems").unwrap_or(u64::MAX)).min(64);
    let items = schema.get("items").cloned().unwrap_or_else(|| json!({}));
    Value::Array((0..length).map(|_| inner(&items)).collect())
}

fn string(schema: &Value) -> String {
    let text = match schema.get("format").and_then(Value::as_str) {
        Some("date-time") => "2026-01-01T00:00:00Z",
        Some("date") => "2026-01-01",
        Some("time") => "00:00:00Z",
        Some("duration") => "PT1S",
        Some("email") => "sandbox@example.com",
        Some("hostname") => "example.com",
        Some("ipv4") => "127.0.0.1",
        Some("ipv6") => "::1",
        Some("uuid") => "00000000-0000-4000-8000-000000000000",
        Some("uri") => "https://example.com/",
        _ => "sandbox",
    };
    let bound = |key: &str| schema.get(key).and_then(Value::as_u64).and_then(|length| usize::try_from(length).ok());
    let mut text = text.to_owned();
    while text.len() < bound("minLength").unwrap_or(0).min(4096) {
        text.push('x');
    }
    text.truncate(bound("maxLength").unwrap_or(usize::MAX));
    text
}

/// The least number that is allowed, or 1, or the greatest; never a float that JSON did not say.
fn number(schema: &Value) -> Value {
    let bound = |key: &str| schema.get(key).and_then(Value::as_i64);
    let step = bound("multipleOf").filter(|step| *step > 0).unwrap_or(1);
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|least| least.saturating_add(1)));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|most| most.saturating_sub(1)));
    let start = least.unwrap_or_else(|| most.unwrap_or(1).min(step));
    let over = start.rem_euclid(step);
    json!(if over == 0 { start } else { start.saturating_add(step - over) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_satisfies_the_schema() {
        let schemas = [
            json!({"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer", "minimum": 7}},
                   "required": ["b"], "additionalProperties": false}),
            json!({"type": "object", "properties": {"a": {"type": ["null", "string"], "minLength": 12}}}),
            json!({"type": "array", "items": {"enum": ["x", "y"]}, "minItems": 3}),
            json!({"type": "array", "items": {"type": "boolean"}, "maxItems": 0}),
            json!({"$ref": "#/$defs/n", "$defs": {"n": {"type": "number", "exclusiveMinimum": 2, "multipleOf": 5}}}),
            json!({"anyOf": [{"const": 4}, {"type": "string"}]}),
            json!({"allOf": [{"type": "object", "properties": {"a": {"type": "string", "maxLength": 2}}},
                             {"type": "object", "required": ["z"]}]}),
            json!({"type": "string", "format": "date"}),
            json!({"type": "integer", "maximum": -3}),
            json!({}),
        ];
        for schema in schemas {
            let made = specimen(&schema);
            assert!(jsonschema::is_valid(&schema, &made), "{schema} {made}");
        }
    }

    #[test]
    fn a_schema_without_end_gets_a_value_all_the_same() {
        let schema = json!({"$ref": "#/$defs/n", "$defs": {"n": {"type": "object", "required": ["n"],
                            "properties": {"n": {"$ref": "#/$defs/n"}}}}});
        assert!(specimen(&schema).is_object());
    }

    #[test]
    fn shouted_types_are_understood() {
        assert_eq!(specimen(&json!({"type": "OBJECT", "properties": {"n": {"type": "INTEGER"}}})), json!({"n": 1}));
    }
}
