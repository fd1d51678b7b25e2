//! Marks of the prompt cache: Anthropic's `cache_control`, which `OpenRouter` and `LiteLLM` take in OpenAI's dialect too.

use serde_json::{Map, Value};

use super::json::{Wrong, needed, object, only, set, text};
use crate::chat::{CacheMark, CachePlace};

/// The member's name.
pub(crate) const CONTROL: &str = "cache_control";

/// Takes in the mark of an object that stands at `at`, if it has one.
///
/// # Errors
/// It is no mark that can be set.
pub(crate) fn mark(
    fields: &Map<String, Value>,
    at: &str,
    place: CachePlace,
    marks: &mut Vec<CacheMark>,
) -> Result<(), Wrong> {
    let Some(mark) = set(fields, CONTROL) else { return Ok(()) };
    let at = if at.is_empty() { CONTROL.to_owned() } else { format!("{at}.{CONTROL}") };
    let mark = object(mark, &at)?;
    only(mark, &at, &["type", "ttl"])?;
    match needed(mark, "type", &at)? {
        "ephemeral" => {}
        other => return Err(format!("{at}.type: \"{other}\" is not \"ephemeral\"")),
    }
    let hour = match text(mark, "ttl", &at)? {
        None | Some("5m") => false,
        Some("1h") => true,
        Some(other) => return Err(format!("{at}.ttl: \"{other}\" is neither 5m nor 1h")),
    };
    marks.push(CacheMark { place, hour });
    Ok(())
}
