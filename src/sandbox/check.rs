//! What reading a request has in common: fields, sizes, files, and the beginning that is marked for the cache.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use serde_json::Value;

use super::dialect::{Failure, Mark};
use super::wants::Begun;

/// The model that is asked for, where the body names it.
pub(super) fn model(body: &Value) -> Option<&str> {
    body.get("model").and_then(Value::as_str).filter(|model| !model.is_empty())
}

/// Whether the field is there and not `null`.
pub(super) fn has(body: &Value, field: &str) -> bool {
    body.get(field).is_some_and(|value| !value.is_null())
}

/// The text in a field, where there is one that is not empty.
pub(super) fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// The list in a field; empty where there is none.
pub(super) fn list<'a>(value: &'a Value, field: &str) -> &'a [Value] {
    value.get(field).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// The first of `fields` that the request carries.
pub(super) fn first_of(body: &Value, fields: &[&'static str]) -> Option<&'static str> {
    fields.iter().copied().find(|field| has(body, field))
}

/// The first field that is not one of `known`.
pub(super) fn stranger<'a>(value: &'a Value, known: &[&str]) -> Option<&'a str> {
    value.as_object()?.keys().map(String::as_str).find(|name| !known.contains(name))
}

/// An output limit; `Err` where it is none.
pub(super) fn output_limit(body: &Value, field: &str) -> Result<Option<u64>, ()> {
    match body.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => value.as_u64().filter(|limit| *limit > 0).map(Some).ok_or(()),
    }
}

/// A quarter of the bytes of the texts in `contents` (strings, or parts and lists of parts with a `text`), rounded up.
pub(super) fn input_tokens<'a>(contents: impl Iterator<Item = &'a Value>) -> u64 {
    let bytes: usize = contents.map(text_bytes).sum();
    (bytes as u64).div_ceil(4).max(1)
}

fn text_bytes(content: &Value) -> usize {
    match content {
        Value::String(text) => text.len(),
        Value::Array(parts) => parts.iter().map(text_bytes).sum(),
        Value::Object(part) => {
            ["text", "content", "parts"].iter().filter_map(|key| part.get(*key)).map(text_bytes).sum()
        }
        _ => 0,
    }
}

/// Everything before the last mark `word` in `pieces`, of an input of `input_tokens`.
pub(super) fn mark(pieces: &[Option<&Value>], word: &str, input_tokens: u64) -> Option<Mark> {
    let all: String = pieces.iter().flatten().map(|piece| piece.to_string()).collect();
    let end = all.rfind(&format!("\"{word}\""))?;
    // FNV-1a.
    let hash = all
        .bytes()
        .take(end)
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    Some(Mark { hash, tokens: (end as u64).div_ceil(4).min(input_tokens) })
}

/// The bytes of a file, or why there are none, as a fragment.
pub(super) fn decoded(data: &str) -> Result<Vec<u8>, &'static str> {
    match STANDARD.decode(data) {
        Ok(bytes) if bytes.is_empty() => Err("is empty"),
        Ok(bytes) => Ok(bytes),
        Err(_) => Err("is not valid base64"),
    }
}

/// The same in proto JSON, which takes both alphabets, padded or not.
pub(super) fn decoded_either(data: &str) -> Result<Vec<u8>, &'static str> {
    let text = data.trim_end_matches('=').replace('-', "+").replace('_', "/");
    match STANDARD_NO_PAD.decode(text) {
        Ok(bytes) if bytes.is_empty() => Err("is empty"),
        Ok(bytes) => Ok(bytes),
        Err(_) => Err("is not valid base64"),
    }
}

/// The bytes and media type of a `data:` URL.
pub(super) fn data_url(url: &str) -> Option<Result<(String, Vec<u8>), &'static str>> {
    let rest = url.strip_prefix("data:")?;
    let Some((mime, data)) = rest.split_once(";base64,") else { return Some(Err("is not a base64 data URL")) };
    Some(decoded(data).map(|bytes| (mime.to_owned(), bytes)))
}

/// What a file says it is by its first bytes.
pub(super) fn sniffed(bytes: &[u8]) -> Option<&'static str> {
    let known: [(&[u8], &str); 5] = [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF8", "image/gif"),
        (b"%PDF-", "application/pdf"),
        (b"RIFF", "image/webp"),
    ];
    known.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, mime)| *mime)
}

/// What an answer says of a file: `I see a PNG image of 1,234 bytes.`; `Err` where the bytes are something else.
pub(super) fn remark(mime: &str, bytes: &[u8]) -> Result<String, String> {
    let found = sniffed(bytes);
    if found != Some(mime) {
        let found = found.unwrap_or("something unknown");
        return Err(format!("the file is said to be {mime}, and its bytes are those of {found}"));
    }
    let kind = match mime {
        "image/png" => "PNG image",
        "image/jpeg" => "JPEG image",
        "image/gif" => "GIF image",
        "image/webp" => "WebP image",
        _ => "PDF document",
    };
    let size = bytes.len();
    Ok(format!("I see a {kind} of {} {}.", thousands(size), if size == 1 { "byte" } else { "bytes" }))
}

/// What an answer says of a file at an address.
pub(super) fn remark_url(kind: &str, url: &str) -> Result<String, String> {
    if url.starts_with("https://") || url.starts_with("http://") {
        return Ok(format!("I was shown {kind} at an address, which the sandbox does not fetch."));
    }
    Err(format!("the address of {kind} must begin with https://"))
}

fn thousands(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Whether a name is one that tools may have: 1 to `longest` letters, digits, `_` and `-`.
pub(super) fn is_tool_name(name: &str, longest: usize) -> bool {
    (1..=longest).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

/// The families of Claude that go on with an answer; later ones refuse it.
const BEGUN_CLAUDES: [&str; 11] = [
    "claude-3",
    "haiku-4-5",
    "opus-4-0",
    "opus-4-1",
    "opus-4-5",
    "opus-4-2025",
    "opus-4@",
    "sonnet-4-0",
    "sonnet-4-2025",
    "sonnet-4-5",
    "sonnet-4@",
];

/// The beginning of the answer, where the last message is the model's own; refused as Claude's hosts do.
pub(super) fn begun_claude(model: &str, last: Option<&Value>, thinks: bool) -> Result<Option<Begun>, Failure> {
    let Some(last) = last.filter(|last| text(last, "role") == Some("assistant")) else { return Ok(None) };
    let said = match last.get("content") {
        Some(Value::String(said)) => said.clone(),
        Some(Value::Array(blocks)) => blocks.iter().filter_map(|block| text(block, "text")).collect(),
        _ => String::new(),
    };
    let refused = |message: &str| Err(Failure::field("messages", message));
    let known = BEGUN_CLAUDES.iter().any(|family| model.contains(family));
    if model.contains("claude") && !known {
        return refused(
            "This model does not support assistant message prefill. The conversation must end with a user message.",
        );
    }
    if thinks {
        return refused("Expected `thinking` or `redacted_thinking`, but found `text`.");
    }
    if said.ends_with(char::is_whitespace) {
        return refused("messages: final assistant content cannot end with trailing whitespace");
    }
    Ok(Some(Begun { text: said, echoed: false }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn files_are_told_by_their_bytes() {
        let png = b"\x89PNG\r\n\x1a\n".repeat(200);
        assert_eq!(remark("image/png", &png).unwrap(), "I see a PNG image of 1,600 bytes.");
        assert!(remark("image/jpeg", &png).unwrap_err().contains("image/png"));
        assert_eq!(remark("application/pdf", b"%PDF-1.7").unwrap(), "I see a PDF document of 8 bytes.");
        assert_eq!(thousands(1_234_567), "1,234,567");
        assert_eq!(decoded("!"), Err("is not valid base64"));
        assert_eq!(decoded(""), Err("is empty"));
        assert_eq!(decoded_either("_-8"), Ok(vec![0xff, 0xef]));
        assert_eq!(decoded_either("/+8="), Ok(vec![0xff, 0xef]));
        assert!(data_url("https://x").is_none());
        assert_eq!(data_url("data:image/png;base64,AAAA").unwrap().unwrap(), ("image/png".to_owned(), vec![0, 0, 0]));
    }

    #[test]
    fn a_marked_beginning_is_the_same_whatever_follows() {
        let turns = |last: &str| json!([{"content": [{"text": "long", "cache_control": {}}]}, {"content": last}]);
        let (one, two) = (turns("a"), turns("b"));
        assert_eq!(mark(&[None, Some(&one)], "cache_control", 9), mark(&[None, Some(&two)], "cache_control", 9));
        assert_eq!(mark(&[Some(&one)], "cachePoint", 9), None);
        assert_eq!(mark(&[Some(&one)], "cache_control", 3).unwrap().tokens, 3);
    }

    #[test]
    fn texts_are_counted_at_any_depth() {
        assert_eq!(input_tokens([json!("12345"), json!([{"text": "123"}])].iter()), 2);
        assert_eq!(input_tokens([json!([{"type": "tool_result", "content": [{"text": "12345678"}]}])].iter()), 2);
        assert_eq!(input_tokens([json!(null)].iter()), 1);
    }
}
