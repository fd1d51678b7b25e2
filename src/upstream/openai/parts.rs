//! Pieces of messages as all of OpenAI's dialects say them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::chat::{ChatRequest, Media, MediaKind, MediaSource, Part, Role, ToolCall, ToolResult};

/// The name of a PDF that has none: the dialects demand one beside its bytes.
const UNNAMED_PDF: &str = "document.pdf";

/// Where a file is: the address itself, or its bytes as a `data:` URL.
pub(in crate::upstream) fn address(media: &Media) -> String {
    match &media.source {
        MediaSource::Url(url) => url.clone(),
        MediaSource::Bytes(bytes) => format!("data:{};base64,{}", media.mime, STANDARD.encode(bytes)),
    }
}

/// The name that goes along with a document.
pub(in crate::upstream) fn file_name(media: &Media) -> &str {
    media.name.as_deref().filter(|name| !name.is_empty()).unwrap_or(UNNAMED_PDF)
}

/// The arguments of a call: always the text of an object.
pub(in crate::upstream) fn arguments(call: &ToolCall) -> &str {
    if call.arguments.trim().is_empty() { "{}" } else { &call.arguments }
}

/// The text of a tool's answer. The dialects have no flag for one that failed, so its text says so.
pub(in crate::upstream) fn result_text(result: &ToolResult) -> String {
    let text: String = result.content.iter().filter_map(Part::as_text).collect();
    let says_so = text.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("error"));
    if result.is_error && !says_so { format!("Error: {text}") } else { text }
}

/// The role on the wire. One that is not known there is the nearest that is.
pub(in crate::upstream) fn role(role: Role, knows_developer: bool) -> &'static str {
    match role {
        Role::Developer if knows_developer => "developer",
        Role::System | Role::Developer => "system",
        Role::User => "user",
        Role::Assistant => "assistant",
    }
}

/// Pieces that stand where none of these dialects has a place for them.
pub(in crate::upstream) fn misplaced(request: &ChatRequest) -> impl Iterator<Item = &'static str> {
    let pieces = request.messages.iter().flat_map(|message| message.parts.iter().map(|part| (message.role, part)));
    pieces.filter_map(|(role, part)| match (role, part) {
        (_, Part::Text(_)) => None,
        (Role::User, Part::Media(_) | Part::ToolResult(_)) => None,
        (Role::Assistant, Part::ToolCall(_) | Part::Reasoning { .. }) => None,
        (Role::System | Role::Developer, Part::Media(_)) => Some("media in instructions"),
        (Role::Assistant, Part::Media(_)) => Some("media in the assistant's turns"),
        (_, Part::ToolCall(_) | Part::Reasoning { .. }) => {
            Some("tool calls or reasoning outside the assistant's turns")
        }
        (_, Part::ToolResult(_)) => Some("tool results outside the user's turns"),
    })
}

/// What of a tool's answers is not text.
pub(in crate::upstream) fn media_in_results(request: &ChatRequest) -> impl Iterator<Item = MediaKind> {
    let parts = request.messages.iter().flat_map(|message| &message.parts);
    let results = parts.filter(|part| matches!(part, Part::ToolResult(_)));
    results.flat_map(Part::media).map(|media| media.kind)
}

/// Names, each once, in the order in which they first occur.
pub(in crate::upstream) fn once(names: impl IntoIterator<Item = &'static str>) -> Vec<&'static str> {
    let mut known = Vec::new();
    for name in names {
        if !known.contains(&name) {
            known.push(name);
        }
    }
    known
}
