//! Marks of the prompt cache in OpenAI's dialect, where `OpenRouter` and `LiteLLM` take them: at a part, at a message (its
//! last part), at a tool, at the whole request.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::super::cache::{CONTROL, mark};
use super::super::json::{Wrong, member, object, set};
use crate::chat::{CacheMark, CachePlace, Message};

/// The marks of a request whose messages have been read.
///
/// # Errors
/// One is none that can be set.
pub(super) fn of(body: &Map<String, Value>, messages: &[Message]) -> Result<Vec<CacheMark>, Wrong> {
    let mut marks = Vec::new();
    for (number, tool) in items(body, "tools").iter().enumerate() {
        mark(object(tool, "tools")?, &format!("tools[{number}]"), CachePlace::Tool(number), &mut marks)?;
    }
    for (number, (item, message)) in items(body, "messages").iter().zip(messages).enumerate() {
        in_message(object(item, "messages")?, (number, message), &format!("messages[{number}]"), &mut marks)?;
    }
    mark(body, "", CachePlace::End, &mut marks)?;
    Ok(marks)
}

/// Tools without their marks.
pub(super) fn bare(tools: &[Value]) -> Cow<'_, [Value]> {
    if !tools.iter().any(|tool| tool.get(CONTROL).is_some()) {
        return Cow::Borrowed(tools);
    }
    let mut bare = tools.to_vec();
    bare.iter_mut().filter_map(Value::as_object_mut).for_each(|tool| drop(tool.shift_remove(CONTROL)));
    Cow::Owned(bare)
}

/// The place of the first mark among messages, where nobody can take one.
pub(super) fn first(messages: &[Value]) -> Option<String> {
    let is_marked = |value: &Value| value.as_object().is_some_and(|fields| set(fields, CONTROL).is_some());
    let in_message = |(number, message): (usize, &Value)| {
        let parts = message.as_object().map_or(&[][..], |fields| items(fields, "content"));
        let part = || parts.iter().position(is_marked).map(|part| format!("[{number}].content[{part}].{CONTROL}"));
        if is_marked(message) { Some(format!("[{number}].{CONTROL}")) } else { part() }
    };
    messages.iter().enumerate().find_map(in_message)
}

fn in_message(
    fields: &Map<String, Value>,
    (message, read): (usize, &Message),
    at: &str,
    marks: &mut Vec<CacheMark>,
) -> Result<(), Wrong> {
    let content = items(fields, "content");
    let is_result = member(fields, "role").is_some_and(|role| role == "tool");
    // Thoughts stand before what a message holds, a refusal and calls of tools after it.
    let refusal = set(fields, "refusal").is_some_and(|text| text != "");
    let after = usize::from(refusal) + items(fields, "tool_calls").len();
    let before = read.parts.len().saturating_sub(content.len() + after);
    for (number, part) in content.iter().enumerate() {
        let place = match is_result {
            true => CachePlace::Part { message, part: 0, within: Some(number) },
            false => CachePlace::Part { message, part: before + number, within: None },
        };
        mark(object(part, at)?, &format!("{at}.content[{number}]"), place, marks)?;
    }
    let last = read.parts.len().saturating_sub(1);
    mark(fields, at, CachePlace::Part { message, part: last, within: None }, marks)
}

fn items<'a>(fields: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    member(fields, name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::super::messages::messages;
    use super::*;

    fn marks(body: &str) -> Result<Vec<CacheMark>, Wrong> {
        let Value::Object(body) = serde_json::from_str(body).unwrap() else { panic!("{body}") };
        of(&body, &messages(items(&body, "messages"), "messages").unwrap())
    }

    #[test]
    fn a_mark_is_where_it_was_set() {
        let body = r#"{"tools":[{"name":"a"},{"name":"b","cache_control":{"type":"ephemeral","ttl":"1h"}}],
            "messages":[
              {"role":"system","content":"s","cache_control":{"type":"ephemeral"}},
              {"role":"user","content":[{"type":"text","text":"x"},{"type":"text","text":"y","cache_control":{"type":"ephemeral","ttl":"5m"}}]},
              {"role":"assistant","reasoning":"hm","content":[{"type":"text","text":"z","cache_control":{"type":"ephemeral"}}],
               "tool_calls":[{"id":"c","type":"function","function":{"name":"a","arguments":"{}"}}]},
              {"role":"tool","tool_call_id":"c","content":[{"type":"text","text":"r","cache_control":{"type":"ephemeral"}}]},
              {"role":"assistant","content":"k","cache_control":null}],
            "cache_control":{"type":"ephemeral","ttl":"1h"}}"#;
        let part = |message, part, within| CachePlace::Part { message, part, within };
        let expected = [
            (CachePlace::Tool(1), true),
            (part(0, 0, None), false),
            (part(1, 1, None), false),
            (part(2, 1, None), false),
            (part(3, 0, Some(0)), false),
            (CachePlace::End, true),
        ];
        assert_eq!(marks(body).unwrap(), expected.map(|(place, hour)| CacheMark { place, hour }));
        for (mark, wrong) in [
            (r#"{"type":"forever"}"#, "messages[0].content[0].cache_control.type: \"forever\" is not \"ephemeral\""),
            (
                r#"{"type":"ephemeral","ttl":"2h"}"#,
                "messages[0].content[0].cache_control.ttl: \"2h\" is neither 5m nor 1h",
            ),
            (r#""yes""#, "messages[0].content[0].cache_control: not an object"),
        ] {
            let part = format!(r#"{{"type":"text","text":"x","cache_control":{mark}}}"#);
            let body = format!(r#"{{"messages":[{{"role":"user","content":[{part}]}}]}}"#);
            assert_eq!(marks(&body).unwrap_err(), wrong);
        }
    }
}
