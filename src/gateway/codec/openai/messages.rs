//! Conversations in OpenAI's form, and with Anthropic's blocks for images and documents: those of requests, and those of
//! `chat --messages`.
//!
//! `help messages` and the man page describe the form; the command line and the gateway write the model's turn in it.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Map, Value};

use super::super::cache::CONTROL;
use super::super::json::{Wrong, few, flag, list, member, needed, object, only, others, parse, set, text};
use super::super::signed::parted;
use super::marks;
use super::parts::{content, is_blank};
use super::thoughts::{self, Thoughts};
use super::tools::is_name;
use crate::catalog::{Protocol, ProviderId};
use crate::chat::{Message, Origin, Part, Role, ToolCall, ToolResult};

/// The messages of a document.
///
/// # Errors
/// What is wrong, with its place.
pub(crate) fn read(document: &str) -> Result<Vec<Message>, Wrong> {
    let Value::Array(items) = parse(document)? else {
        return Err("not a JSON array of messages".to_owned());
    };
    if items.is_empty() {
        return Err("holds no message".to_owned());
    }
    if let Some(at) = marks::first(&items) {
        return Err(format!("{at}: this version cannot send it"));
    }
    let messages = messages(&items, "")?;
    // A gateway's client is told who was not told; here it could only be lost.
    for (number, message) in messages.iter().enumerate() {
        for (at, part) in message.parts.iter().enumerate() {
            if let Some(detail) = part.media().find_map(|media| media.detail) {
                let place = format!("[{number}].content[{at}].image_url.detail");
                return Err(format!("{place}: \"{}\" cannot be asked for, only \"auto\"", detail.word()));
            }
        }
    }
    Ok(messages)
}

/// The messages of a list that stands at `at`.
///
/// # Errors
/// What is wrong, with its place.
pub(super) fn messages(items: &[Value], at: &str) -> Result<Vec<Message>, Wrong> {
    let mut seen = Seen::default();
    items.iter().enumerate().map(|(index, item)| message(item, &format!("{at}[{index}]"), &mut seen)).collect()
}

/// The same, with what stands beside the content of each and only this dialect may know, by its number.
///
/// # Errors
/// What is wrong, with its place.
pub(crate) fn messages_and_more(items: &[Value], at: &str) -> Result<(Vec<Message>, Map<String, Value>), Wrong> {
    let mut seen = Seen::default();
    let mut beside = Map::new();
    let read = |(index, item): (usize, &Value)| {
        seen.beside = Some(Map::new());
        let message = message(item, &format!("{at}[{index}]"), &mut seen)?;
        if let Some(more) = seen.beside.take().filter(|more| !more.is_empty()) {
            beside.insert(index.to_string(), more.into());
        }
        Ok(message)
    };
    let messages = items.iter().enumerate().map(read).collect::<Result<Vec<_>, Wrong>>()?;
    Ok((messages, beside))
}

/// What is noted while messages are read.
#[derive(Debug, Default)]
struct Seen {
    /// Which tool each call named, for the results that name the call alone.
    calls: BTreeMap<String, String>,
    /// What stands beside the content of the message that is read; `None` where nobody can be told.
    beside: Option<Map<String, Value>>,
}

impl Seen {
    /// Notes members that are none of those, or refuses them.
    fn only(&mut self, fields: &Map<String, Value>, at: &str, known: &[&str]) -> Result<(), Wrong> {
        match &mut self.beside {
            None => only(fields, at, known),
            Some(beside) => {
                beside.extend(others(fields, known));
                Ok(())
            }
        }
    }
}

fn message(value: &Value, at: &str, seen: &mut Seen) -> Result<Message, Wrong> {
    let fields = object(value, at)?;
    let role = match needed(fields, "role", at)? {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" => Role::User,
        "assistant" => return assistant(fields, at, seen),
        "tool" => return tool(fields, at, seen),
        other => {
            return Err(format!("{at}.role: \"{other}\" is none of system, developer, user, assistant, tool"));
        }
    };
    seen.only(fields, at, &["role", "content", CONTROL])?;
    let mut parts = content(fields, at)?;
    if is_blank(fields) {
        parts.push(Part::Text(String::new()));
    }
    if parts.is_empty() {
        return Err(format!("{at}.content: empty"));
    }
    if role != Role::User && parts.iter().any(|part| !matches!(part, Part::Text(_))) {
        return Err(format!("{at}.content: only text, where instructions are given"));
    }
    Ok(Message::of(role, parts))
}

/// The model's own turn: what it thought, what it said, what it called.
fn assistant(fields: &Map<String, Value>, at: &str, seen: &mut Seen) -> Result<Message, Wrong> {
    const KNOWN: [&str; 11] = [
        "role",
        "content",
        "reasoning",
        "reasoning_content",
        "reasoning_details",
        "signature",
        "tool_calls",
        "refusal",
        "origin",
        // What a reader was shown beside the text; no model is told.
        "annotations",
        CONTROL,
    ];
    // Without those the turn would be another.
    if let Some(lost) = ["audio", "function_call"].into_iter().find(|name| set(fields, name).is_some()) {
        return Err(format!("{at}.{lost}: this version cannot send it"));
    }
    seen.only(fields, at, &KNOWN)?;
    let Thoughts { mut parts, calls: signatures } = thoughts::read(fields, at)?;
    if set(fields, "content").is_some() {
        parts.extend(content(fields, at)?);
    }
    if let Some(refusal) = text(fields, "refusal", at)?.filter(|text| !text.is_empty()) {
        parts.push(Part::Text(refusal.to_owned()));
    }
    for mut call in calls(fields, at)? {
        call.signature = call.signature.or_else(|| signatures.get(&call.id).cloned());
        // Some providers count their calls from 0 in each turn: the last of an id is meant.
        seen.calls.insert(call.id.clone(), call.name.clone());
        parts.push(Part::ToolCall(call));
    }
    // What is left of a turn that was stopped says nothing, and stands in the way of nothing.
    if parts.is_empty() && is_blank(fields) {
        parts.push(Part::Text(String::new()));
    }
    if parts.is_empty() {
        return Err(format!("{at}.content: missing, and no tool_calls either"));
    }
    Ok(Message { role: Role::Assistant, parts, origin: origin(fields, at)? })
}

/// Who made the turn's signatures: `origin`, as our own answers say it.
fn origin(fields: &Map<String, Value>, at: &str) -> Result<Option<Origin>, Wrong> {
    let at = format!("{at}.origin");
    let Some(value) = fields.get("origin").filter(|value| !value.is_null()) else { return Ok(None) };
    let fields = object(value, &at)?;
    only(fields, &at, &["provider", "protocol"])?;
    let word = needed(fields, "protocol", &at)?;
    let protocol = Protocol::parse(word).ok_or_else(|| format!("{at}.protocol: \"{word}\" is no protocol"))?;
    Ok(Some(Origin { provider: ProviderId::new(needed(fields, "provider", &at)?), protocol }))
}

/// What a turn calls; no id is there twice.
fn calls(fields: &Map<String, Value>, at: &str) -> Result<Vec<ToolCall>, Wrong> {
    let items = list(fields, "tool_calls", at)?;
    few(items, &format!("{at}.tool_calls"))?;
    let mut ids = HashSet::new();
    let read = |(index, item): (usize, &Value)| {
        let at = format!("{at}.tool_calls[{index}]");
        let call = call(item, &at)?;
        if ids.insert(call.id.clone()) { Ok(call) } else { Err(format!("{at}.id: \"{}\" is there twice", call.id)) }
    };
    items.iter().enumerate().map(read).collect()
}

fn call(value: &Value, at: &str) -> Result<ToolCall, Wrong> {
    let fields = object(value, at)?;
    only(fields, at, &["id", "type", "index", "function", "signature", "extra_content"])?;
    if let Some(other) = text(fields, "type", at)?.filter(|kind| *kind != "function") {
        return Err(format!("{at}.type: \"{other}\" is not \"function\""));
    }
    let inner = format!("{at}.function");
    let function = object(member(fields, "function").unwrap_or(&Value::Null), &inner)?;
    only(function, &inner, &["name", "arguments"])?;
    let name = needed(function, "name", &inner)?;
    if !is_name(name) {
        return Err(format!("{inner}.name: \"{name}\" is not 1 to 64 of A-Z a-z 0-9 _ -"));
    }
    let arguments = arguments_of(function, &inner)?;
    let (id, within) = parted(needed(fields, "id", at)?);
    let signature = text(fields, "signature", at)?.map(str::to_owned).or(google(fields, at)?).or(within);
    Ok(ToolCall { id: id.to_owned(), name: name.to_owned(), arguments, signature })
}

/// The signature where Google's own imitation of the dialect has it.
fn google(fields: &Map<String, Value>, at: &str) -> Result<Option<String>, Wrong> {
    let Some(extra) = fields.get("extra_content").filter(|value| !value.is_null()) else { return Ok(None) };
    let at = format!("{at}.extra_content");
    let extra = object(extra, &at)?;
    only(extra, &at, &["google"])?;
    let Some(google) = extra.get("google").filter(|value| !value.is_null()) else { return Ok(None) };
    let at = format!("{at}.google");
    let google = object(google, &at)?;
    only(google, &at, &["thought_signature"])?;
    Ok(text(google, "thought_signature", &at)?.map(str::to_owned))
}

/// The arguments of a call: the text of a JSON object, or one.
///
/// # Errors
/// They are neither; `at` is the place of the call.
pub(crate) fn arguments_of(fields: &Map<String, Value>, at: &str) -> Result<String, Wrong> {
    Ok(match member(fields, "arguments") {
        None | Some(Value::Null) => "{}".to_owned(),
        Some(Value::String(text)) if text.trim().is_empty() => "{}".to_owned(),
        Some(Value::String(text)) => {
            serde_json::from_str::<Map<String, Value>>(text)
                .map_err(|error| format!("{at}.arguments: not the text of a JSON object: {error}"))?;
            text.clone()
        }
        Some(object @ Value::Object(_)) => object.to_string(),
        Some(_) => return Err(format!("{at}.arguments: not the text of a JSON object")),
    })
}

/// What a tool answered.
fn tool(fields: &Map<String, Value>, at: &str, seen: &mut Seen) -> Result<Message, Wrong> {
    seen.only(fields, at, &["role", "tool_call_id", "name", "content", "is_error", CONTROL])?;
    let (id, _) = parted(needed(fields, "tool_call_id", at)?);
    let Some(called) = seen.calls.get(id) else {
        return Err(format!("{at}.tool_call_id: \"{id}\" is no call of an assistant's message before it"));
    };
    let name = text(fields, "name", at)?.unwrap_or(called);
    if name != called {
        return Err(format!("{at}.name: the call \"{id}\" is of {called}, not of {name}"));
    }
    let content = match member(fields, "content") {
        None | Some(Value::Null) => Vec::new(),
        Some(_) => content(fields, at)?,
    };
    if content.iter().any(|part| matches!(part, Part::Reasoning { .. })) {
        return Err(format!("{at}.content: a tool does not reason"));
    }
    let is_error = flag(fields, "is_error", at)?.unwrap_or(false);
    let result = ToolResult { call_id: id.to_owned(), name: Some(name.to_owned()), content, is_error };
    Ok(Message::of(Role::User, vec![Part::ToolResult(result)]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::MediaSource;

    const PNG: &str =
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

    fn part_of(json: &str) -> Result<Part, Wrong> {
        read(&format!(r#"[{{"role":"user","content":[{json}]}}]"#))
            .map(|mut messages| messages.remove(0).parts.remove(0))
    }

    #[test]
    fn a_whole_conversation_is_read() {
        let messages = read(
            r#"[{"role":"developer","content":"Be brief."},
                {"role":"user","content":[{"type":"text","text":"Weather?"}]},
                {"role":"assistant","content":null,"reasoning":"Hm.","signature":"s1","refusal":null,"annotations":[],
                 "tool_calls":[{"id":"c1","type":"function","signature":"s2",
                                "function":{"name":"w","arguments":"{\"city\":\"Oslo\"}"}},
                               {"id":"c2","function":{"name":"now","arguments":""}}]},
                {"role":"tool","tool_call_id":"c1","content":"rain"},
                {"role":"tool","tool_call_id":"c2","content":[],"is_error":true},
                {"role":"assistant","content":"Rain."}]"#,
        );
        let messages = messages.unwrap();
        let roles: Vec<Role> = messages.iter().map(|message| message.role).collect();
        use Role::{Assistant, Developer, User};
        assert_eq!(roles, [Developer, User, Assistant, User, User, Assistant]);
        let call = |id: &str, name: &str, arguments: &str, signature: Option<&str>| {
            Part::ToolCall(ToolCall {
                id: id.to_owned(),
                name: name.to_owned(),
                arguments: arguments.to_owned(),
                signature: signature.map(str::to_owned),
            })
        };
        assert_eq!(
            messages[2].parts,
            [
                Part::Reasoning { text: "Hm.".to_owned(), signature: Some("s1".to_owned()) },
                call("c1", "w", "{\"city\":\"Oslo\"}", Some("s2")),
                call("c2", "now", "{}", None),
            ]
        );
        let Part::ToolResult(result) = &messages[4].parts[0] else { panic!() };
        assert_eq!((result.name.as_deref(), result.is_error, result.content.len()), (Some("now"), true, 0));
    }

    #[test]
    fn images_and_documents_come_in_several_forms() {
        let image = |part: Part| match part {
            Part::Media(media) => {
                (media.kind.name(), media.mime, matches!(media.source, MediaSource::Url(_)), media.name)
            }
            other => panic!("{other:?}"),
        };
        let here = ("image", "image/png".to_owned(), false, None);
        for json in [
            format!(r#"{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{PNG}","detail":"auto"}}}}"#),
            // What it says it is does not matter; its bytes do.
            format!(r#"{{"type":"image_url","image_url":"data:image/jpeg;base64,{PNG}"}}"#),
            format!(r#"{{"type":"image","source":{{"type":"base64","media_type":"image/png","data":"{PNG}"}}}}"#),
            format!(r#"{{"type":"file","file":{{"file_data":"{PNG}"}}}}"#),
        ] {
            assert_eq!(image(part_of(&json).unwrap()), here, "{json}");
        }
        let there = part_of(r#"{"type":"image_url","image_url":{"url":"https://example.com/a.webp?x=1"}}"#).unwrap();
        assert_eq!(image(there), ("image", "image/webp".to_owned(), true, None));
        let pdf = part_of(r#"{"type":"document","title":"t","source":{"type":"url","url":"https://example.com/a"}}"#);
        assert_eq!(image(pdf.unwrap()), ("pdf", "application/pdf".to_owned(), true, Some("t".to_owned())));
        let pdf = part_of(
            r#"{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0xLjQK"}}"#,
        );
        assert_eq!(image(pdf.unwrap()), ("pdf", "application/pdf".to_owned(), false, Some("a.pdf".to_owned())));
    }

    #[test]
    fn mistakes_are_placed() {
        for (text, wrong) in [
            (r#"{"role":"user"}"#, "not a JSON array of messages"),
            ("[]", "holds no message"),
            (r#"[{"content":"x"}]"#, "[0].role: missing"),
            (r#"[{"role":"robot"}]"#, "[0].role: \"robot\" is none of system, developer, user, assistant, tool"),
            (r#"[{"role":"user"}]"#, "[0].content: missing"),
            (r#"[{"role":"user","content":3}]"#, "[0].content: neither text nor an array of parts"),
            (r#"[{"role":"user","content":"a","name":"Bo"}]"#, "[0].name: this version cannot send it"),
            (r#"[{"role":"assistant","content":null}]"#, "[0].content: missing, and no tool_calls either"),
            (
                r#"[{"role":"tool","tool_call_id":"c9","content":"x"}]"#,
                "[0].tool_call_id: \"c9\" is no call of an assistant's message before it",
            ),
            (
                r#"[{"role":"assistant","tool_calls":[{"id":"c1","function":{"name":"w","arguments":"[1]"}}]}]"#,
                "[0].tool_calls[0].function.arguments: not the text of a JSON object: invalid type: sequence, expected a map at line 1 column 0",
            ),
        ] {
            assert_eq!(read(text).unwrap_err(), wrong, "{text}");
        }
        for (json, wrong) in [
            (
                r#"{"type":"video"}"#,
                "[0].content[0].type: \"video\" is none of text, image_url, file, image, document, reasoning",
            ),
            (r#"{"type":"image_url"}"#, "[0].content[0].image_url: not an object"),
            (
                r#"{"type":"image_url","image_url":"cat.png"}"#,
                "[0].content[0].image_url.url: neither a data: URL nor an http address",
            ),
            (
                r#"{"type":"image_url","image_url":{"url":"https://example.com/a.png","detail":"high"}}"#,
                "[0].content[0].image_url.detail: \"high\" cannot be asked for, only \"auto\"",
            ),
            (
                r#"{"type":"image","source":{"type":"base64","data":"JVBERi0xLjQK"}}"#,
                "[0].content[0].source.data: its bytes are application/pdf",
            ),
            (r#"{"type":"file","file":{"file_id":"f1"}}"#, "[0].content[0].file.file_id: this version cannot send it"),
            (
                r#"{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}"#,
                "[0].content[0].cache_control: this version cannot send it",
            ),
        ] {
            assert_eq!(part_of(json).unwrap_err(), wrong, "{json}");
        }
    }
}
