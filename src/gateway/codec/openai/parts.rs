//! The content of a message: a text, or pieces of text, images, documents and thoughts.

use serde_json::{Map, Value};

use super::super::cache::CONTROL;
use super::super::json::{Wrong, member, needed, object, only, text};
use super::super::media::{located, looked_at, source};
use super::thoughts;
use crate::chat::{MediaKind, Part};

/// Whether the content is a text that says nothing.
pub(super) fn is_blank(fields: &Map<String, Value>) -> bool {
    member(fields, "content").is_some_and(|content| content == "")
}

/// `content`: a text, or an array of parts.
pub(super) fn content(fields: &Map<String, Value>, at: &str) -> Result<Vec<Part>, Wrong> {
    match member(fields, "content") {
        Some(Value::String(text)) if text.is_empty() => Ok(Vec::new()),
        Some(Value::String(text)) => Ok(vec![Part::Text(text.clone())]),
        Some(Value::Array(items)) => {
            items.iter().enumerate().map(|(index, item)| part(item, &format!("{at}.content[{index}]"))).collect()
        }
        Some(_) => Err(format!("{at}.content: neither text nor an array of parts")),
        None => Err(format!("{at}.content: missing")),
    }
}

fn part(value: &Value, at: &str) -> Result<Part, Wrong> {
    let fields = object(value, at)?;
    match needed(fields, "type", at)? {
        "text" => {
            only(fields, at, &["type", "text", CONTROL])?;
            let text = text(fields, "text", at)?.ok_or_else(|| format!("{at}.text: missing"))?;
            Ok(Part::Text(text.to_owned()))
        }
        "reasoning" => {
            only(fields, at, &["type", "text", "signature"])?;
            thoughts::part(fields, at)
        }
        "image_url" => {
            only(fields, at, &["type", "image_url", CONTROL])?;
            image_url(fields.get("image_url").unwrap_or(&Value::Null), &format!("{at}.image_url"))
        }
        "file" => {
            only(fields, at, &["type", "file", CONTROL])?;
            let at = format!("{at}.file");
            let file = object(fields.get("file").unwrap_or(&Value::Null), &at)?;
            only(file, &at, &["filename", "file_data"])?;
            let name = text(file, "filename", &at)?.map(str::to_owned);
            located(needed(file, "file_data", &at)?, None, name, &format!("{at}.file_data"))
        }
        kind @ ("image" | "document") => {
            only(fields, at, &["type", "source", "title", CONTROL])?;
            let name = text(fields, "title", at)?.map(str::to_owned);
            source(kind, fields.get("source").unwrap_or(&Value::Null), name, &format!("{at}.source"))
        }
        other => Err(format!("{at}.type: \"{other}\" is none of text, image_url, file, image, document, reasoning")),
    }
}

/// OpenAI's image: an address, or an object with one.
fn image_url(value: &Value, at: &str) -> Result<Part, Wrong> {
    if let Value::String(url) = value {
        return located(url, Some(MediaKind::Image), None, &format!("{at}.url"));
    }
    let fields = object(value, at)?;
    only(fields, at, &["url", "detail"])?;
    let image = located(needed(fields, "url", at)?, Some(MediaKind::Image), None, &format!("{at}.url"))?;
    looked_at(image, fields, at)
}
