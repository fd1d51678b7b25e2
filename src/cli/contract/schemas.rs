//! JSON Schemas of everything that is printed as JSON, made from `contract.txt`. They are open: within a version members are
//! only ever added, so a reader must not mind more of them. The tests close them, so that none is added in silence.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The contract as text; its head says how it is read.
const TEXT: &str = include_str!("../contract.txt");

/// A named object, or one of several.
#[derive(Debug, Default)]
struct Named<'t> {
    union: bool,
    members: Vec<&'t str>,
    about: Vec<&'t str>,
}

/// The contract, read.
#[derive(Debug)]
struct Contract<'t> {
    order: Vec<&'t str>,
    named: BTreeMap<&'t str, Named<'t>>,
    members: BTreeMap<&'t str, (&'t str, &'t str)>,
}

/// Name and meaning of each document, in the order of the contract.
#[must_use]
pub fn documents() -> Vec<(&'static str, String)> {
    let contract = Contract::read(TEXT);
    let documents = contract.order.iter().filter(|name| name.contains('/'));
    documents.map(|name| (*name, contract.named[name].about.join(" "))).collect()
}

/// The JSON Schema of a document.
///
/// # Errors
/// There is no such document (`None`), or the contract lacks a line, which its tests rule out.
pub fn schema(name: &str) -> Result<Value, Option<String>> {
    let contract = Contract::read(TEXT);
    if !name.contains('/') || !contract.named.contains_key(name) {
        return Err(None);
    }
    contract.document(name).map_err(Some)
}

/// The columns of a list by its document, each with its meaning: the members that every row has.
pub(crate) fn columns(document: &str) -> Vec<(&'static str, &'static str)> {
    let contract = Contract::read(TEXT);
    let data =
        contract.named.get(document).and_then(|named| named.members.iter().find_map(|m| m.strip_prefix("data:")));
    // models show prints a list of endpoints.
    let row = match data.map(|kind| kind.trim_end_matches("[]")) {
        Some("shown_model") => "endpoint",
        Some(row) => row,
        None => return Vec::new(),
    };
    let members = contract.all_members(row).unwrap_or_default();
    let fixed = members.into_iter().filter(|(_, member)| !member.ends_with('?'));
    fixed.filter_map(|(owner, member)| Some((member, contract.told(row, owner, member)?.1))).collect()
}

impl<'t> Contract<'t> {
    fn read(text: &'t str) -> Self {
        let mut contract = Self { order: Vec::new(), named: BTreeMap::new(), members: BTreeMap::new() };
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let current = contract.order.last().copied().unwrap_or_default();
            if let Some(about) = line.trim_start().strip_prefix("-- ") {
                contract.named.entry(current).or_default().about.push(about);
            } else if line.starts_with(' ') {
                contract.named.entry(current).or_default().members.extend(line.split_whitespace());
            } else if let Some((head, members)) = line.split_once(" = ") {
                let (kind, name) = head.split_once(' ').unwrap_or(("", head));
                contract.order.push(name);
                let members = members.split_whitespace().collect();
                contract.named.insert(name, Named { union: kind == "union", members, about: Vec::new() });
            } else {
                let mut parts = line.splitn(3, "  ");
                let mut part = || parts.next().unwrap_or_default();
                contract.members.insert(part(), (part(), part()));
            }
        }
        contract
    }

    fn document(&self, name: &str) -> Result<Value, String> {
        let mut schema = Map::new();
        schema.insert("$schema".to_owned(), "https://json-schema.org/draft/2020-12/schema".into());
        schema.insert("title".to_owned(), name.into());
        let mut needed = Vec::new();
        schema.extend(self.body(name, &mut needed)?);
        let mut parts = Map::new();
        let mut at = 0;
        while let Some(part) = needed.get(at).cloned() {
            parts.insert(part.clone(), self.body(&part, &mut needed)?.into());
            at += 1;
        }
        if !parts.is_empty() {
            schema.insert("$defs".to_owned(), parts.into());
        }
        Ok(schema.into())
    }

    /// What a named object is; the objects that it needs are added to `needed`.
    fn body(&self, name: &str, needed: &mut Vec<String>) -> Result<Map<String, Value>, String> {
        let named = self.named.get(name).ok_or_else(|| format!("there is no object {name}"))?;
        let mut schema = Map::new();
        if !named.about.is_empty() {
            schema.insert("description".to_owned(), named.about.join(" ").into());
        }
        if named.union {
            let each = named.members.iter().map(|one| self.kind(one, needed)).collect::<Result<Vec<_>, _>>()?;
            schema.insert("oneOf".to_owned(), each.into());
            return Ok(schema);
        }
        let (mut properties, mut required, mut others) = (Map::new(), Vec::new(), None);
        for (owner, member) in self.all_members(name)? {
            let (member, kind) = member.split_once(':').map_or((member, None), |(name, kind)| (name, Some(kind)));
            if member == "*" {
                others = kind;
                continue;
            }
            let bare = member.trim_end_matches('?');
            let (known, about) = self
                .told(name, owner, bare)
                .ok_or_else(|| format!("{name} has a member {bare}, which is not described"))?;
            let mut property = self.kind(kind.unwrap_or(known), needed)?;
            property.insert("description".to_owned(), about.into());
            properties.insert(bare.to_owned(), property.into());
            if bare == member {
                required.push(Value::from(bare));
            }
        }
        schema.insert("type".to_owned(), "object".into());
        schema.insert("properties".to_owned(), properties.into());
        schema.insert("required".to_owned(), required.into());
        if let Some(kind) = others {
            schema.insert("additionalProperties".to_owned(), self.kind(kind, needed)?.into());
        }
        Ok(schema)
    }

    /// Type and meaning of a member of an object that another one may list.
    fn told(&self, name: &str, owner: &str, member: &str) -> Option<(&'t str, &'t str)> {
        let keys = [format!("{name}.{member}"), format!("{owner}.{member}"), member.to_owned()];
        keys.iter().find_map(|key| self.members.get(key.as_str())).copied()
    }

    /// The members of an object, each with the object that lists it.
    fn all_members(&self, name: &str) -> Result<Vec<(&'t str, &'t str)>, String> {
        let (name, named) = self.named.get_key_value(name).ok_or_else(|| format!("there is no object {name}"))?;
        let mut all = Vec::new();
        for member in &named.members {
            match member.strip_prefix('+') {
                Some(other) => all.extend(self.all_members(other)?),
                None => all.push((*name, *member)),
            }
        }
        Ok(all)
    }

    /// The schema of a type.
    fn kind(&self, kind: &str, needed: &mut Vec<String>) -> Result<Map<String, Value>, String> {
        if let Some(kind) = kind.strip_suffix('~') {
            return Ok(or_null(self.kind(kind, needed)?));
        }
        let value = if let Some(each) = kind.strip_suffix("[]") {
            json!({ "type": "array", "items": self.kind(each, needed)? })
        } else if let Some(each) = kind.strip_suffix("{}") {
            json!({ "type": "object", "additionalProperties": self.kind(each, needed)? })
        } else if let Some(word) = kind.strip_prefix('=') {
            json!({ "const": word })
        } else if kind.contains('/') {
            json!({ "enum": kind.split('/').collect::<Vec<_>>() })
        } else {
            match kind {
                "any" => json!({}),
                "text" => json!({ "type": "string" }),
                "moment" => json!({ "type": "string", "format": "date-time" }),
                "flag" => json!({ "type": "boolean" }),
                "count" => json!({ "type": "integer", "minimum": 0 }),
                "int" => json!({ "type": "integer" }),
                "share" => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
                "number" | "money" => json!({ "type": "number" }),
                object if self.named.contains_key(object) => {
                    if !needed.iter().any(|known| known == object) {
                        needed.push(object.to_owned());
                    }
                    json!({ "$ref": format!("#/$defs/{object}") })
                }
                unknown => return Err(format!("there is no type {unknown}")),
            }
        };
        Ok(value.as_object().cloned().unwrap_or_default())
    }
}

/// The same or null.
fn or_null(mut schema: Map<String, Value>) -> Map<String, Value> {
    let with_null = |words: Vec<Value>| words.into_iter().chain([Value::Null]).collect::<Vec<_>>();
    match (schema.get("type").cloned(), schema.get("enum").cloned()) {
        (Some(kind), _) => {
            schema.insert("type".to_owned(), vec![kind, "null".into()].into());
            schema
        }
        (_, Some(Value::Array(words))) => {
            schema.insert("enum".to_owned(), with_null(words).into());
            schema
        }
        _ => Map::from_iter([("anyOf".to_owned(), json!([schema, { "type": "null" }]))]),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_line_of_the_contract_is_used_and_none_is_missing() {
        let contract = Contract::read(TEXT);
        let mut used = BTreeSet::new();
        let (mut needed, mut met) = (Vec::new(), BTreeSet::new());
        let documents = contract.order.iter().filter(|name| name.contains('/')).map(|name| (*name).to_owned());
        needed.extend(documents);
        let mut at = 0;
        while let Some(name) = needed.get(at).cloned() {
            assert!(contract.body(&name, &mut needed).is_ok(), "{name}: {:?}", contract.body(&name, &mut Vec::new()));
            if !contract.named[name.as_str()].union {
                for (owner, member) in contract.all_members(&name).unwrap() {
                    let bare = member.split(':').next().unwrap().trim_end_matches('?');
                    met.insert(owner);
                    let told = [format!("{name}.{bare}"), format!("{owner}.{bare}"), bare.to_owned()];
                    used.extend(told.into_iter().find(|key| contract.members.contains_key(key.as_str())));
                }
            }
            at += 1;
        }
        let idle: Vec<_> = contract.members.keys().filter(|key| !used.contains(**key)).collect();
        assert!(idle.is_empty(), "described and nowhere a member: {idle:?}");
        let reached = |name: &&&str| met.contains(**name) || needed.iter().any(|known| known == **name);
        let idle: Vec<_> = contract.order.iter().filter(|name| !reached(name)).collect();
        assert!(idle.is_empty(), "objects that nothing has: {idle:?}");
        assert_eq!(contract.order.len(), contract.named.len(), "an object is there twice");
    }

    #[test]
    fn a_schema_says_what_a_line_says() {
        let text = "object a/1 = schema x? y:count~ b:b[] *:text\n    -- What it is.\nobject b = x\nschema  text  s\n\
                    x  on/off~  a switch\ny  text  why\nb  b  no\n";
        let contract = Contract::read(text);
        let made = contract.document("a/1").unwrap();
        assert_eq!(made["description"], "What it is.");
        assert_eq!(made["properties"]["y"], json!({ "type": ["integer", "null"], "minimum": 0, "description": "why" }));
        assert_eq!(made["properties"]["b"]["items"], json!({ "$ref": "#/$defs/b" }));
        assert_eq!(made["$defs"]["b"]["properties"]["x"]["enum"], json!(["on", "off", null]));
        assert_eq!(made["required"], json!(["schema", "y", "b"]));
        assert_eq!(made["additionalProperties"], json!({ "type": "string" }));
        assert!(contract.document("a/2").is_err());
    }
}
