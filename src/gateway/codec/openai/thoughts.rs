//! What a model thought, in the words of those who tell it: `reasoning_content` as DeepSeek and many after it, or `reasoning`
//! and, one by one, `reasoning_details`, as `OpenRouter` does.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::super::answer::{Answer, Piece};
use super::super::json::{Wrong, member, needed, object, only, text};
use super::super::members::Members;
use super::super::signed::parted;
use crate::chat::{Part, REDACTED_THINKING};

/// How thoughts are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Telling {
    /// In `reasoning_content`.
    #[default]
    Content,
    /// In `reasoning` and `reasoning_details`.
    Details,
    /// Not at all.
    Nothing,
}

/// `OpenRouter`'s name of the form of Anthropic's thoughts, and what Google's are.
const ANTHROPIC: &str = "anthropic-claude-v1";

/// What a turn of the model's says that it thought.
#[derive(Debug, Default)]
pub(super) struct Thoughts {
    /// The thoughts.
    pub(super) parts: Vec<Part>,
    /// What calls of tools are signed with, by their ids.
    pub(super) calls: HashMap<String, String>,
}

/// The thoughts of a turn: `reasoning_details`, else `reasoning` with its `signature`; what is there one by one is there in
/// one text too.
///
/// # Errors
/// What is wrong, with its place.
pub(super) fn read(fields: &Map<String, Value>, at: &str) -> Result<Thoughts, Wrong> {
    let plain = match (text(fields, "reasoning", at)?, text(fields, "reasoning_content", at)?) {
        (Some(one), Some(other)) if one != other => {
            return Err(format!("{at}: reasoning and reasoning_content say different things"));
        }
        (one, other) => one.or(other).unwrap_or_default(),
    };
    let mut thoughts = details(fields, at)?;
    let signature = text(fields, "signature", at)?.filter(|text| !text.is_empty());
    if thoughts.parts.is_empty() && (!plain.is_empty() || signature.is_some()) {
        thoughts.parts.push(Part::Reasoning { text: plain.to_owned(), signature: signature.map(str::to_owned) });
    }
    Ok(thoughts)
}

/// Thoughts one by one. An encrypted one that has the id of a call is the call's signature: so `OpenRouter` tells Gemini's.
fn details(fields: &Map<String, Value>, at: &str) -> Result<Thoughts, Wrong> {
    let at = format!("{at}.reasoning_details");
    let items = match member(fields, "reasoning_details") {
        None | Some(Value::Null) => return Ok(Thoughts::default()),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(format!("{at}: not an array")),
    };
    let calls: HashSet<&str> = match member(fields, "tool_calls") {
        Some(Value::Array(calls)) => calls.iter().filter_map(|call| call.get("id")?.as_str()).collect(),
        _ => HashSet::new(),
    };
    let mut thoughts = Thoughts::default();
    for (index, item) in items.iter().enumerate() {
        let at = format!("{at}[{index}]");
        let fields = object(item, &at)?;
        only(fields, &at, &["type", "text", "summary", "data", "signature", "id", "format", "index"])?;
        let (words, signature) = match needed(fields, "type", &at)? {
            "reasoning.text" => ("text", "signature"),
            "reasoning.summary" => ("summary", "signature"),
            "reasoning.encrypted" => ("text", "data"),
            other => return Err(format!("{at}.type: \"{other}\" is none of reasoning.text, .summary, .encrypted")),
        };
        let words = text(fields, words, &at)?.unwrap_or_default();
        let seal = text(fields, signature, &at)?.filter(|seal| !seal.is_empty());
        let call = text(fields, "id", &at)?.filter(|id| calls.contains(id));
        match (signature, seal, call) {
            ("data", Some(seal), Some(call)) => {
                thoughts.calls.entry(parted(call).0.to_owned()).or_insert_with(|| seal.to_owned());
            }
            ("data", Some(seal), None) => {
                let redacted = text(fields, "format", &at)? == Some(ANTHROPIC) && !seal.starts_with(REDACTED_THINKING);
                let seal = if redacted { format!("{REDACTED_THINKING}{seal}") } else { seal.to_owned() };
                thoughts.parts.push(Part::Reasoning { text: words.to_owned(), signature: Some(seal) });
            }
            (_, None, _) if words.is_empty() => {}
            (_, seal, _) => {
                thoughts.parts.push(Part::Reasoning { text: words.to_owned(), signature: seal.map(str::to_owned) });
            }
        }
    }
    Ok(thoughts)
}

/// A thought among the parts of a turn.
///
/// # Errors
/// It says nothing.
pub(super) fn part(fields: &Map<String, Value>, at: &str) -> Result<Part, Wrong> {
    let plain = text(fields, "text", at)?.unwrap_or_default().to_owned();
    let signature = text(fields, "signature", at)?.map(str::to_owned);
    if plain.is_empty() && signature.is_none() {
        return Err(format!("{at}.text: missing, and no signature either"));
    }
    Ok(Part::Reasoning { text: plain, signature })
}

/// Writes the thoughts of an answer into its message.
pub(super) fn tell(answer: &Answer, telling: Telling, message: &mut Members<'_>) {
    let told = (!answer.reasoning.is_empty()).then_some(answer.reasoning.as_str());
    match telling {
        Telling::Content => {
            // Several signatures belong to a thought each, so the thoughts are told one by one as well.
            if let Some(thoughts) = answer.signed_thoughts() {
                message.value("reasoning_details", &thoughts);
            }
            if told.is_some() {
                message.known("reasoning_content", told);
            }
        }
        Telling::Details => {
            message.known("reasoning", told);
            let thoughts = answer.pieces().filter_map(|piece| match piece {
                Piece::Thought(text, signature) => Some((text, signature)),
                _ => None,
            });
            let details = thoughts.enumerate().map(|(index, (text, signature))| detail(index, text, signature));
            let details: Vec<Value> = details.collect();
            if !details.is_empty() {
                message.value("reasoning_details", &details);
            }
        }
        Telling::Nothing => {}
    }
}

/// A thought, or a piece of one; one that has only a signature is opaque.
pub(super) fn detail(index: usize, text: &str, signature: Option<&str>) -> Value {
    match signature {
        Some(signature) if text.is_empty() => {
            json!({ "type": "reasoning.encrypted", "data": signature, "index": index })
        }
        Some(signature) => {
            json!({ "type": "reasoning.text", "text": text, "signature": signature, "index": index })
        }
        None => json!({ "type": "reasoning.text", "text": text, "index": index }),
    }
}
