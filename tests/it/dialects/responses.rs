//! OpenAI Responses.

use openmux::upstream::wire::Frame;
use serde_json::Value;

/// Whether the provider's own end is among these frames.
pub(crate) fn end_seen(frames: &[Frame]) -> bool {
    const ENDS: [&str; 2] = ["response.completed", "response.incomplete"];
    frames.iter().any(|frame| {
        let Frame::Sse { data, .. } = frame else { return false };
        let event = serde_json::from_str::<Value>(data).unwrap_or_default();
        ENDS.iter().any(|end| event["type"] == *end)
    })
}

/// Frames of tomorrow, and Chat's terminator, which change nothing.
pub(crate) fn strangers() -> [Frame; 4] {
    let sse = |event: &str, data: &str| Frame::Sse { event: event.to_owned(), data: data.to_owned() };
    [
        Frame::Comment,
        sse("response.novelty", r#"{"type":"response.novelty","output_index":0,"item_id":"msg_1","delta":"x"}"#),
        sse("response.novelty", "not JSON"),
        sse("", "[DONE]"),
    ]
}

/// Fields of an event that cannot be a number below zero. Counts are not among them: wrong ones cost the usage, not the
/// answer.
pub(crate) fn typed_fields(event: &Value) -> &'static [&'static str] {
    let is_known = matches!(event["item"]["type"].as_str(), Some("message" | "reasoning" | "function_call"));
    match event["type"].as_str() {
        Some("response.created" | "response.in_progress") => &["/response", "/response/id", "/response/model"],
        Some("response.output_item.added" | "response.output_item.done") if !is_known => {
            &["/item", "/item/type", "/output_index"]
        }
        Some("response.output_item.added" | "response.output_item.done") => {
            &["/item", "/item/type", "/item/id", "/item/call_id", "/item/name", "/item/arguments", "/output_index"]
        }
        Some(
            "response.output_text.delta"
            | "response.refusal.delta"
            | "response.reasoning_text.delta"
            | "response.reasoning_summary_text.delta"
            | "response.function_call_arguments.delta",
        ) => &["/delta", "/item_id", "/output_index"],
        Some("response.function_call_arguments.done") => &["/arguments", "/item_id"],
        Some("response.completed" | "response.incomplete") => {
            &["/response", "/response/status", "/response/output", "/response/incomplete_details"]
        }
        _ => &[],
    }
}
