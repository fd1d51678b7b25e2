//! Anthropic Messages, also on Vertex AI.

use openmux::upstream::wire::Frame;
use serde_json::Value;

/// Whether the provider's own end is among these frames.
pub(crate) fn end_seen(frames: &[Frame]) -> bool {
    frames.iter().any(|frame| {
        let Frame::Sse { data, .. } = frame else { return false };
        serde_json::from_str::<Value>(data).is_ok_and(|event| event["type"] == "message_stop")
    })
}

/// Frames of tomorrow, which change nothing.
pub(crate) fn strangers() -> [Frame; 4] {
    let sse = |event: &str, data: &str| Frame::Sse { event: event.to_owned(), data: data.to_owned() };
    [
        Frame::Comment,
        sse("novelty", r#"{"type":"novelty","index":0,"delta":{"type":"text_delta","text":"x"}}"#),
        sse("novelty", "not JSON"),
        sse("ping", r#"{"type":"ping"}"#),
    ]
}

/// Fields of an event that cannot be a number below zero. Counts are not among them: wrong ones cost the usage, not the
/// answer, as the fixtures `usage-*` tell.
pub(crate) fn typed_fields(event: &Value) -> &'static [&'static str] {
    const KNOWN: [&str; 4] = ["text", "thinking", "redacted_thinking", "tool_use"];
    let is_known = event["content_block"]["type"].as_str().is_some_and(|kind| KNOWN.contains(&kind));
    match event["type"].as_str() {
        Some("message_start") => &["/message", "/message/id", "/message/model"],
        Some("content_block_start") if is_known => &[
            "/index",
            "/content_block",
            "/content_block/type",
            "/content_block/text",
            "/content_block/thinking",
            "/content_block/data",
            "/content_block/id",
            "/content_block/name",
        ],
        Some("content_block_start") => &["/index", "/content_block", "/content_block/type"],
        Some("content_block_delta") => &[
            "/index",
            "/delta",
            "/delta/type",
            "/delta/text",
            "/delta/thinking",
            "/delta/signature",
            "/delta/partial_json",
        ],
        Some("message_delta") => &["/delta", "/delta/stop_reason"],
        _ => &[],
    }
}
