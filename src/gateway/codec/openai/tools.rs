//! Tool definitions in the forms in which people have them: OpenAI's two, Anthropic's, or a plain object.

use std::collections::HashSet;

use serde_json::{Map, Value, json};

use super::super::json::{Wrong, few, flag, needed, object, only, text};
use crate::chat::{Tool, ToolChoice};

/// Checks a schema: the place in it (empty at its root) and why, where it is none.
pub(crate) type Check = fn(&Value) -> Result<(), (String, String)>;

/// The tools of a request.
///
/// # Errors
/// One is none, or two have one name.
pub(crate) fn tools(items: &[Value]) -> Result<Vec<Tool>, Wrong> {
    few(items, "tools")?;
    let mut names = HashSet::new();
    let mut tools: Vec<Tool> = Vec::with_capacity(items.len());
    for (at, item) in items.iter().enumerate() {
        // Whether it is a schema the provider says: compiling one takes longer than everything else here.
        let tool = tool(item, &format!("tools[{at}]"), |_| Ok(()))?;
        if !names.insert(tool.name.clone()) {
            return Err(format!("tools[{at}]: there are two tools called \"{}\"", tool.name));
        }
        tools.push(tool);
    }
    Ok(tools)
}

/// The one tool that must be called.
///
/// # Errors
/// There is none of that name.
pub(crate) fn chosen(name: &str, tools: &[Tool]) -> Result<ToolChoice, Wrong> {
    let known = tools.iter().any(|tool| tool.name == name);
    known
        .then(|| ToolChoice::Named(name.to_owned()))
        .ok_or_else(|| format!("tool_choice: no tool is called \"{name}\""))
}

/// One tool; `check` says whether the schema of its arguments is one, and if not, where in it and why.
///
/// # Errors
/// What is wrong, with its place.
pub(crate) fn tool(value: &Value, at: &str, check: Check) -> Result<Tool, Wrong> {
    let outer = object(value, at)?;
    match text(outer, "type", at)? {
        None | Some("function") => {}
        // Anthropic's word for a function; OpenAI's for a tool that takes any text.
        Some("custom") if outer.contains_key("input_schema") => {}
        Some("custom") => return Err(format!("{at}.type: a \"custom\" tool without input_schema cannot be given")),
        Some(other) => return Err(format!("{at}.type: \"{other}\" is run by a provider; only functions can be given")),
    }
    if let Some(inner) = outer.get("function") {
        only(outer, at, &["type", "function"])?;
        let at = format!("{at}.function");
        return function(object(inner, &at)?, &at, check);
    }
    function(outer, at, check)
}

fn function(tool: &Map<String, Value>, at: &str, check: Check) -> Result<Tool, Wrong> {
    only(tool, at, &["type", "name", "description", "parameters", "input_schema", "strict"])?;
    let name = needed(tool, "name", at)?;
    if !is_name(name) {
        return Err(format!("{at}.name: \"{name}\" is not 1 to 64 of A-Z a-z 0-9 _ -"));
    }
    let (key, parameters) = match (tool.get("parameters"), tool.get("input_schema")) {
        (Some(_), Some(_)) => return Err(format!("{at}: parameters and input_schema say the same thing twice")),
        (Some(parameters), None) => ("parameters", parameters.clone()),
        (None, Some(parameters)) => ("input_schema", parameters.clone()),
        // A tool that takes nothing.
        (None, None) => ("parameters", json!({ "type": "object", "properties": {} })),
    };
    let place = format!("{at}.{key}");
    let is_object = object(&parameters, &place)?.get("type").is_none_or(|kind| kind == "object");
    if !is_object {
        return Err(format!("{place}.type: arguments are always an \"object\""));
    }
    check(&parameters).map_err(|(inner, why)| format!("{place}{inner}: {why}"))?;
    Ok(Tool {
        name: name.to_owned(),
        description: text(tool, "description", at)?.map(str::to_owned),
        parameters,
        strict: flag(tool, "strict", at)?,
    })
}

/// What every provider takes as a name.
pub(crate) fn is_name(name: &str) -> bool {
    is_named(name, 64)
}

/// A name of at most so many signs.
pub(crate) fn is_named(name: &str, longest: usize) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    (1..=longest).contains(&name.len()) && name.chars().all(fits)
}
