//! How hard a model is to think, and how its thoughts are told: OpenAI's `reasoning_effort`, and beside it `OpenRouter`'s
//! `reasoning` and `include_reasoning`.

use serde_json::{Map, Value};

use super::super::json::{Wrong, flag, object, only, set, text};
use super::thoughts::Telling;
use crate::chat::Effort;

/// What a request says about thinking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wish {
    /// How hard.
    pub effort: Option<Effort>,
    /// How it is told.
    pub telling: Telling,
}

/// What a body says.
///
/// # Errors
/// What is wrong, with its place; also where it says two things that do not go together.
pub(super) fn read(body: &Map<String, Value>) -> Result<Wish, Wrong> {
    let root = |wrong: Wrong| wrong.trim_start_matches('.').to_owned();
    let word = text(body, "reasoning_effort", "").map_err(root)?;
    let plain = word.map(|word| level(word, "reasoning_effort")).transpose()?;
    let include = flag(body, "include_reasoning", "").map_err(root)?;
    let by_name = match include {
        None => Telling::Content,
        Some(true) => Telling::Details,
        Some(false) => Telling::Nothing,
    };
    let Some(value) = set(body, "reasoning") else { return Ok(Wish { effort: plain, telling: by_name }) };
    let at = "reasoning";
    let fields = object(value, at)?;
    only(fields, at, &["effort", "max_tokens", "enabled", "exclude", "summary"])?;
    let said = effort(fields, at)?;
    if let (Some(_), Some(_)) = (plain, said)
        && plain != said
    {
        return Err("reasoning_effort: reasoning says something else".to_owned());
    }
    summary(fields, "summary", at)?;
    let exclude = flag(fields, "exclude", at)?;
    if let (Some(include), Some(exclude)) = (include, exclude)
        && include == exclude
    {
        return Err("include_reasoning: reasoning.exclude says something else".to_owned());
    }
    let telling = if exclude == Some(true) || include == Some(false) { Telling::Nothing } else { Telling::Details };
    Ok(Wish { effort: plain.or(said), telling })
}

/// How hard, in the words of a `reasoning` object: `effort` or `max_tokens`, or `enabled` alone.
///
/// # Errors
/// What is wrong, with its place; also where two of them do not go together.
pub(crate) fn effort(fields: &Map<String, Value>, at: &str) -> Result<Option<Effort>, Wrong> {
    let word = text(fields, "effort", at)?;
    let word = word.map(|word| level(word, &format!("{at}.effort"))).transpose()?;
    let most = match set(fields, "max_tokens").map(Value::as_u64) {
        None => None,
        Some(Some(tokens)) if tokens > 0 => Some(Effort::Budget(tokens)),
        Some(_) => return Err(format!("{at}.max_tokens: not a whole number above 0")),
    };
    let said = match (word, most) {
        (Some(_), Some(_)) => return Err(format!("{at}.max_tokens: {at}.effort says the same in another way")),
        (one, other) => one.or(other),
    };
    match (flag(fields, "enabled", at)?, said) {
        (None, said) => Ok(said),
        (Some(false), None | Some(Effort::None)) => Ok(Some(Effort::None)),
        (Some(true), None) => Ok(Some(Effort::On)),
        (Some(true), Some(said)) if said != Effort::None => Ok(Some(said)),
        (Some(_), Some(_)) => {
            let other = if word.is_some() { "effort" } else { "max_tokens" };
            Err(format!("{at}.enabled: {at}.{other} says something else"))
        }
    }
}

/// How thoughts are summed up is each provider's own matter; that they are is what happens anyway.
///
/// # Errors
/// It is no such word.
pub(crate) fn summary(fields: &Map<String, Value>, name: &str, at: &str) -> Result<(), Wrong> {
    match text(fields, name, at)? {
        None | Some("auto" | "concise" | "detailed") => Ok(()),
        Some(other) => Err(format!("{at}.{name}: \"{other}\" is none of auto, concise, detailed")),
    }
}

/// A level of effort by its word.
///
/// # Errors
/// There is none of that word; `at` is its place.
pub(crate) fn level(word: &str, at: &str) -> Result<Effort, Wrong> {
    let known = Effort::WORDS.into_iter().find(|effort| effort.word() == Some(word));
    let words = || Effort::WORDS.into_iter().filter_map(Effort::word).collect::<Vec<_>>().join(", ");
    known.ok_or_else(|| format!("{at}: \"{word}\" is none of {}", words()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(json: &str) -> Result<Wish, Wrong> {
        let Value::Object(body) = serde_json::from_str(json).unwrap() else { panic!("{json}") };
        read(&body)
    }

    #[test]
    fn every_way_to_say_it_is_heard() {
        use Telling::{Content, Details, Nothing};
        for (json, effort, telling) in [
            ("{}", None, Content),
            (r#"{"reasoning_effort":"low"}"#, Some(Effort::Low), Content),
            (r#"{"reasoning":{}}"#, None, Details),
            (r#"{"reasoning":{"effort":"high"}}"#, Some(Effort::High), Details),
            (
                r#"{"reasoning":{"effort":"high","enabled":true},"reasoning_effort":"high"}"#,
                Some(Effort::High),
                Details,
            ),
            (r#"{"reasoning":{"max_tokens":2000}}"#, Some(Effort::Budget(2000)), Details),
            (r#"{"reasoning":{"max_tokens":2000,"exclude":true}}"#, Some(Effort::Budget(2000)), Nothing),
            (r#"{"reasoning":{"enabled":true}}"#, Some(Effort::On), Details),
            (r#"{"reasoning":{"enabled":false}}"#, Some(Effort::None), Details),
            (r#"{"reasoning":{"effort":"none","enabled":false}}"#, Some(Effort::None), Details),
            (r#"{"reasoning":{"summary":"auto","exclude":false}}"#, None, Details),
            (r#"{"include_reasoning":true}"#, None, Details),
            (r#"{"include_reasoning":false}"#, None, Nothing),
            (r#"{"include_reasoning":false,"reasoning":{"effort":"low"}}"#, Some(Effort::Low), Nothing),
            (r#"{"include_reasoning":true,"reasoning":{"exclude":false}}"#, None, Details),
        ] {
            assert_eq!(wish(json), Ok(Wish { effort, telling }), "{json}");
        }
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for (json, wrong) in [
            (
                r#"{"reasoning":{"effort":"low","max_tokens":5}}"#,
                "reasoning.max_tokens: reasoning.effort says the same in another way",
            ),
            (
                r#"{"reasoning":{"effort":"low","enabled":false}}"#,
                "reasoning.enabled: reasoning.effort says something else",
            ),
            (
                r#"{"reasoning":{"effort":"none","enabled":true}}"#,
                "reasoning.enabled: reasoning.effort says something else",
            ),
            (
                r#"{"reasoning":{"max_tokens":5,"enabled":false}}"#,
                "reasoning.enabled: reasoning.max_tokens says something else",
            ),
            (r#"{"reasoning":{"max_tokens":0}}"#, "reasoning.max_tokens: not a whole number above 0"),
            (
                r#"{"reasoning":{"effort":"low"},"reasoning_effort":"high"}"#,
                "reasoning_effort: reasoning says something else",
            ),
            (
                r#"{"reasoning":{"max_tokens":5},"reasoning_effort":"high"}"#,
                "reasoning_effort: reasoning says something else",
            ),
            (
                r#"{"include_reasoning":true,"reasoning":{"exclude":true}}"#,
                "include_reasoning: reasoning.exclude says something else",
            ),
            (
                r#"{"include_reasoning":false,"reasoning":{"exclude":false}}"#,
                "include_reasoning: reasoning.exclude says something else",
            ),
            (r#"{"include_reasoning":"yes"}"#, "include_reasoning: neither true nor false"),
            (r#"{"reasoning":"high"}"#, "reasoning: not an object"),
            (r#"{"reasoning":{"efort":"high"}}"#, "reasoning.efort: this version cannot send it; did you mean effort"),
            (r#"{"reasoning":{"summary":"long"}}"#, "reasoning.summary: \"long\" is none of auto, concise, detailed"),
        ] {
            assert_eq!(wish(json).unwrap_err(), wrong, "{json}");
        }
    }
}
