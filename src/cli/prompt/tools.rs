//! Tool definitions from files, in the forms in which people have them: OpenAI's two, Anthropic's, or a plain object.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::super::args::Ask;
use super::super::error::CliError;
use super::super::settings::read_text;
use super::in_file;
use super::schema::compiles;
use crate::chat::{Tool, ToolChoice};
use crate::gateway::codec::json::{Wrong, parse};
use crate::gateway::codec::openai::tools::tool;

/// The tools of all files, in order, and the choice among them.
///
/// # Errors
/// A file cannot be read, holds no tools, two tools have one name, or the choice names none of them.
pub(super) fn read(ask: &Ask) -> Result<(Vec<Tool>, Option<ToolChoice>), CliError> {
    let mut tools: Vec<Tool> = Vec::new();
    for path in &ask.tool {
        for tool in of(path, &read_text(path)?)? {
            if tools.iter().any(|known| known.name == tool.name) {
                return Err(in_file(path, &format!("there are two tools called \"{}\"", tool.name)));
            }
            tools.push(tool);
        }
    }
    if let Some(ToolChoice::Named(name)) = &ask.tool_choice
        && !tools.iter().any(|tool| tool.name == *name)
    {
        let names: Vec<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
        let error = CliError::usage(format!("--tool-choice: no tool is called \"{name}\""));
        return Err(match names.is_empty() {
            true => error.fix("--tool FILE with its definition"),
            false => error.one_of(name, &names, "tools"),
        });
    }
    Ok((tools, ask.tool_choice.clone()))
}

fn of(path: &PathBuf, text: &str) -> Result<Vec<Tool>, CliError> {
    tools(text).map_err(|wrong| in_file(Path::new(path), &wrong))
}

fn tools(text: &str) -> Result<Vec<Tool>, Wrong> {
    match parse(text)? {
        Value::Array(items) if items.is_empty() => Err("holds no tool".to_owned()),
        Value::Array(items) => {
            items.iter().enumerate().map(|(at, item)| tool(item, &format!("[{at}]"), compiles)).collect()
        }
        item @ Value::Object(_) => Ok(vec![tool(&item, "", compiles)?]),
        _ => Err("neither a tool nor a JSON array of tools".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCHEMA: &str = r#"{"type":"object","properties":{"city":{"type":"string"}},"required":["city"]}"#;

    #[test]
    fn four_forms_say_the_same() {
        let forms = [
            format!(r#"{{"type":"function","function":{{"name":"w","description":"d","parameters":{SCHEMA}}}}}"#),
            format!(r#"{{"type":"function","name":"w","description":"d","parameters":{SCHEMA},"strict":null}}"#),
            format!(r#"[{{"name":"w","description":"d","input_schema":{SCHEMA}}}]"#),
            format!(r#"{{"name":"w","description":"d","parameters":{SCHEMA}}}"#),
        ];
        let expected = vec![Tool {
            name: "w".to_owned(),
            description: Some("d".to_owned()),
            parameters: SCHEMA.parse().unwrap(),
            strict: None,
        }];
        for form in forms {
            assert_eq!(tools(&form).as_ref(), Ok(&expected), "{form}");
        }
        let bare = tools(r#"{"name":"now","strict":true}"#).unwrap().remove(0);
        assert_eq!(
            (bare.parameters.to_string().as_str(), bare.strict),
            (r#"{"type":"object","properties":{}}"#, Some(true))
        );
    }

    #[test]
    fn mistakes_are_placed() {
        for (text, wrong) in [
            ("[]", "holds no tool"),
            ("3", "neither a tool nor a JSON array of tools"),
            ("{", "not JSON: EOF while parsing an object at line 1 column 1"),
            (r#"[{"name":"a"},{"name":"b c"}]"#, "[1].name: \"b c\" is not 1 to 64 of A-Z a-z 0-9 _ -"),
            (r#"{"description":"d"}"#, ".name: missing"),
            (r#"{"name":"a","parameters":"x"}"#, ".parameters: not an object"),
            (r#"{"name":"a","parameters":{"type":"array"}}"#, ".parameters.type: arguments are always an \"object\""),
            (
                r#"{"name":"a","parametres":{"type":"object"}}"#,
                ".parametres: this version cannot send it; did you mean parameters",
            ),
            (r#"{"type":"web_search"}"#, ".type: \"web_search\" is run by a provider; only functions can be given"),
        ] {
            assert_eq!(tools(text).unwrap_err(), wrong, "{text}");
        }
        let schema = r#"[{"name":"a","input_schema":{"type":"object","properties":{"b":{"type":"integr"}}}}]"#;
        let wrong = tools(schema).unwrap_err();
        assert!(wrong.starts_with("[0].input_schema.properties.b.type: "), "{wrong}");
    }
}
