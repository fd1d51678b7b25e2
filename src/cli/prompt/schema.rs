//! The shape that an answer must have: read, checked, and held against the answer.

use std::path::Path;

use jsonschema::Validator;
use serde_json::Value;

use super::super::error::CliError;
use super::super::render::text::one_line;
use super::super::settings::read_text;
use super::in_file;
use crate::chat::AnswerSchema;
use crate::gateway::codec::json::parse;

/// A schema from a file, or from the argument itself where that is a JSON object.
///
/// # Errors
/// The file cannot be read, or the schema is none.
pub(super) fn read(typed: &str) -> Result<AnswerSchema, CliError> {
    let inline = typed.trim_start().starts_with('{');
    let bad = |wrong: String| match inline {
        true => no_schema(&wrong),
        false => in_file(Path::new(typed), &wrong),
    };
    let text = if inline { typed.to_owned() } else { read_text(Path::new(typed))? };
    let schema = parse(&text).map_err(bad)?;
    if !schema.is_object() {
        return Err(bad("not a JSON Schema, which is an object".to_owned()));
    }
    compile(&schema).map_err(|wrong| bad(placed(wrong)))?;
    Ok(AnswerSchema { name: name(&schema), schema })
}

fn no_schema(wrong: &str) -> CliError {
    CliError::usage(format!("--schema: {wrong}")).fix("--schema with a JSON Schema, or a file that holds one")
}

fn placed((place, why): (String, String)) -> String {
    if place.is_empty() { why } else { format!("{place}: {why}") }
}

/// The name that some protocols demand: the schema's title where it can be one.
fn name(schema: &Value) -> String {
    let title = schema["title"].as_str().unwrap_or_default();
    let fits = |c: char| if c.is_ascii_alphanumeric() || c == '_' || c == '-' { c } else { '_' };
    let name: String = title.chars().take(64).map(fits).collect();
    if name.chars().any(|c| c.is_ascii_alphanumeric()) { name } else { "answer".to_owned() }
}

/// A schema that can be checked against; it may refer to itself alone, never to a file or the network.
///
/// # Errors
/// It is no schema: the place in it (empty at its root), and why.
pub(super) fn compile(schema: &Value) -> Result<Validator, (String, String)> {
    jsonschema::validator_for(schema).map_err(|error| {
        let place = dotted(error.instance_path().as_str());
        let why = error.to_string();
        // A reference that leads out of it.
        match why.split('\'').nth(1).filter(|_| why.contains("retriev")) {
            Some(target) => (place, format!("it refers to {}; only references within it are followed", short(target))),
            None => (place, short(&why)),
        }
    })
}

/// Whether it is a schema; else as [`compile`].
///
/// # Errors
/// It is no schema.
pub(super) fn compiles(schema: &Value) -> Result<(), (String, String)> {
    compile(schema).map(|_| ())
}

/// Holds answers against a schema.
#[derive(Debug)]
pub(crate) struct Checker(Validator);

/// What an answer is, by its schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It satisfies the schema as it is.
    Fits,
    /// It does without the fence of Markdown around it: the text inside.
    Fenced(String),
    /// It does not: why, a reason a line, at most five.
    Misfit(Vec<String>),
}

impl Checker {
    /// # Errors
    /// The schema is none; [`read`] has seen to that.
    pub(crate) fn new(schema: &AnswerSchema) -> Result<Self, CliError> {
        compile(&schema.schema).map(Self).map_err(|wrong| no_schema(&placed(wrong)))
    }

    /// What an answer is.
    pub(crate) fn check(&self, answer: &str) -> Verdict {
        match self.wrong(answer) {
            None => Verdict::Fits,
            Some(wrong) => match unfenced(answer).filter(|inside| self.wrong(inside).is_none()) {
                Some(inside) => Verdict::Fenced(inside.to_owned()),
                None => Verdict::Misfit(wrong),
            },
        }
    }

    fn wrong(&self, answer: &str) -> Option<Vec<String>> {
        let value: Value = match serde_json::from_str(answer.trim()) {
            Ok(value) => value,
            Err(error) => return Some(vec![format!("it is not JSON: {error}")]),
        };
        let told = |error: jsonschema::ValidationError<'_>| {
            let place = error.instance_path().as_str().to_owned();
            let why = short(&error.to_string());
            if place.is_empty() { why } else { format!("at {}: {why}", dotted(&place)) }
        };
        let wrong: Vec<String> = self.0.iter_errors(&value).take(5).map(told).collect();
        (!wrong.is_empty()).then_some(wrong)
    }
}

/// What stands in the one fence that is all of the text.
fn unfenced(answer: &str) -> Option<&str> {
    let inside = answer.trim().strip_prefix("```")?.strip_suffix("```")?;
    let (language, body) = inside.split_once('\n')?;
    let plain = language.trim().chars().all(|c| c.is_ascii_alphanumeric()) && !body.contains("\n```");
    plain.then(|| body.trim())
}

/// A JSON pointer as people write paths: `/a/0/b` is `.a[0].b`.
fn dotted(pointer: &str) -> String {
    let step = |step: &str| {
        let step = step.replace("~1", "/").replace("~0", "~");
        if step.bytes().all(|byte| byte.is_ascii_digit()) { format!("[{step}]") } else { format!(".{step}") }
    };
    pointer.split('/').skip(1).map(step).collect()
}

fn short(text: &str) -> String {
    let line = one_line(text);
    let cut: String = line.chars().take(200).collect();
    if cut.len() < line.len() { cut + "..." } else { cut }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checker(schema: &str) -> Checker {
        Checker::new(&read(schema).unwrap()).unwrap()
    }

    #[test]
    fn an_answer_fits_with_or_without_its_fence() {
        let checker = checker(r#"{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}"#);
        assert_eq!(checker.check(" {\"n\": 3}\n"), Verdict::Fits);
        assert_eq!(checker.check("```json\n{\"n\": 3}\n```\n"), Verdict::Fenced("{\"n\": 3}".to_owned()));
        assert_eq!(checker.check("```\n{\"n\": 3}\n```"), Verdict::Fenced("{\"n\": 3}".to_owned()));
        let Verdict::Misfit(wrong) = checker.check(r#"{"n":"3"}"#) else { panic!() };
        assert_eq!(wrong, [r#"at .n: "3" is not of type "integer""#]);
        let Verdict::Misfit(wrong) = checker.check("Here: {\"n\": 3}") else { panic!() };
        assert!(wrong[0].starts_with("it is not JSON"), "{wrong:?}");
        assert!(matches!(checker.check("```json\n{\"n\": \"3\"}\n```"), Verdict::Misfit(_)));
    }

    #[test]
    fn a_schema_is_checked_before_it_is_sent() {
        let wrong = |schema: &str| read(schema).unwrap_err().message;
        assert!(wrong(r#"{"type":"integr"}"#).starts_with("--schema: .type: "), "{}", wrong(r#"{"type":"integr"}"#));
        assert!(wrong("{\"a\"").starts_with("--schema: not JSON"));
        for elsewhere in [r#"{"$ref":"https://example.com/s.json"}"#, r#"{"$ref":"file:///etc/passwd"}"#] {
            let wrong = wrong(elsewhere);
            assert!(wrong.contains("only references within it are followed"), "{wrong}");
        }
        assert_eq!(read(r##"{"title":"A card","$ref":"#/$defs/a","$defs":{"a":{}}}"##).unwrap().name, "A_card");
        assert_eq!(read(r#"{"title":"?"}"#).unwrap().name, "answer");
    }

    #[test]
    fn places_read_as_people_write_them() {
        assert_eq!(dotted("/a/0/b~1c"), ".a[0].b/c");
    }
}
