//! The tools of a request: functions, groups of them, and those that only this dialect has, which go on as they are.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value, json};

use super::super::json::{Wrong, few, list, needed, object, text};
use super::super::openai::tools::tool;
use crate::catalog::Protocol;
use crate::chat::{Force, Native, Tool, flat_name};

/// Who speaks the dialect.
pub(super) const HERE: &[Protocol] = &[Protocol::OpenaiResponses];

/// Groups and the names of functions in them, by the names that the functions have elsewhere.
pub(crate) type Grouped = BTreeMap<String, (String, String)>;

/// What of a function has a place in the canonical form.
const KNOWN: [&str; 7] = ["type", "name", "description", "parameters", "input_schema", "strict", "function"];
/// What beside it there is, and only this dialect knows.
const MORE: &str = "members of tools that openmux does not know";

/// What a request offers the model.
#[derive(Debug, Default)]
pub(super) struct Offered {
    /// Functions, those in groups as well.
    pub(super) functions: Vec<Tool>,
    /// Which of them are in groups.
    pub(super) grouped: Grouped,
    /// What goes on untouched.
    pub(super) native: Vec<Native>,
    /// Whether the list itself is among that.
    pub(super) has_own: bool,
    names: HashSet<String>,
}

/// The tools of a request.
///
/// # Errors
/// What is wrong, with its place.
pub(super) fn offered(items: &[Value]) -> Result<Offered, Wrong> {
    few(items, "tools")?;
    let mut offered = Offered::default();
    let mut own = Vec::with_capacity(items.len());
    for (number, item) in items.iter().enumerate() {
        let at = format!("tools[{number}]");
        let fields = object(item, &at)?;
        match text(fields, "type", &at)? {
            None | Some("function") => own.push(offered.function(fields, None, &at)?),
            // Anthropic's word for a function.
            Some("custom") if fields.contains_key("input_schema") => own.push(offered.function(fields, None, &at)?),
            Some("namespace") => {
                offered.group(fields, &at)?;
                own.push(item.clone());
            }
            Some(kind) => {
                offered.own(kind);
                own.push(item.clone());
            }
        }
    }
    if offered.has_own {
        offered.native.push(Native { protocols: HERE, name: "tools", value: own.into(), force: Force::Form });
    }
    Ok(offered)
}

impl Offered {
    /// A function; as it goes on in a list that goes on untouched.
    fn function(&mut self, fields: &Map<String, Value>, group: Option<&str>, at: &str) -> Result<Value, Wrong> {
        let is_known = |name: &String| KNOWN.contains(&name.as_str());
        let bare: Map<String, Value> = fields
            .iter()
            .filter(|(name, _)| is_known(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let mut function = tool(&bare.into(), at, |_| Ok(()))?;
        if fields.iter().any(|(name, value)| !is_known(name) && !value.is_null()) {
            self.note(MORE, Force::Wish);
        }
        let whole = if fields.contains_key("function") || fields.contains_key("input_schema") {
            json!({ "type": "function", "name": function.name, "description": function.description,
                    "parameters": function.parameters, "strict": function.strict.unwrap_or(false) })
        } else {
            fields.clone().into()
        };
        if let Some(group) = group {
            let flat = flat_name(group, &function.name);
            let name = std::mem::replace(&mut function.name, flat.clone());
            self.grouped.insert(flat, (group.to_owned(), name));
        }
        if !self.names.insert(function.name.clone()) {
            return Err(format!("{at}: there are two tools called \"{}\"", function.name));
        }
        self.functions.push(function);
        Ok(whole)
    }

    /// Functions in a group, which stand on their own elsewhere.
    fn group(&mut self, fields: &Map<String, Value>, at: &str) -> Result<(), Wrong> {
        let group = needed(fields, "name", at)?;
        let tools = list(fields, "tools", at)?;
        few(tools, &format!("{at}.tools"))?;
        for (number, item) in tools.iter().enumerate() {
            let at = format!("{at}.tools[{number}]");
            let fields = object(item, &at)?;
            match text(fields, "type", &at)? {
                None | Some("function") => _ = self.function(fields, Some(group), &at)?,
                Some(kind) => self.own(kind),
            }
        }
        self.has_own = true;
        Ok(())
    }

    /// A tool that only this dialect has. The answer of a model that may search is an answer without that as well; whoever
    /// gives it a shell or files means them.
    fn own(&mut self, kind: &str) {
        let (name, force) = match kind {
            kind if kind.starts_with("web_search") => ("tools.web_search", Force::Wish),
            "image_generation" => ("tools.image_generation", Force::Wish),
            "tool_search" => ("tools.tool_search", Force::Wish),
            "custom" => ("tools.custom", Force::Term),
            "local_shell" | "shell" => ("tools.shell", Force::Term),
            "apply_patch" => ("tools.apply_patch", Force::Term),
            "file_search" => ("tools.file_search", Force::Term),
            "code_interpreter" => ("tools.code_interpreter", Force::Term),
            "mcp" => ("tools.mcp", Force::Term),
            kind if kind.starts_with("computer") => ("tools.computer", Force::Term),
            _ => ("tools of a type that openmux does not know", Force::Term),
        };
        self.note(name, force);
    }

    fn note(&mut self, name: &'static str, force: Force) {
        self.has_own = true;
        note(&mut self.native, name, force);
    }
}

/// Notes that something only this dialect has is there, once.
pub(super) fn note(native: &mut Vec<Native>, name: &'static str, force: Force) {
    if !native.iter().any(|known| known.name == name) {
        native.push(Native { protocols: HERE, name, value: Value::Null, force });
    }
}
