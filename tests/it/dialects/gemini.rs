//! Gemini, on AI Studio and on Vertex AI.

use openmux::upstream::wire::Frame;
use serde_json::Value;

/// Whether the provider's own end is among these frames: a finish reason, or why the prompt was refused.
pub(crate) fn end_seen(frames: &[Frame]) -> bool {
    frames.iter().any(|frame| {
        let Frame::Sse { data, .. } = frame else { return false };
        serde_json::from_str::<Value>(data).is_ok_and(|chunk| {
            let reason = chunk["candidates"][0]["finishReason"].as_str();
            reason.is_some_and(|reason| reason != "FINISH_REASON_UNSPECIFIED")
                || chunk["promptFeedback"]["blockReason"].is_string()
        })
    })
}

/// Frames of tomorrow, which change nothing.
pub(crate) fn strangers() -> [Frame; 4] {
    let sse = |event: &str, data: &str| Frame::Sse { event: event.to_owned(), data: data.to_owned() };
    [
        Frame::Comment,
        sse("", r#"{"novelty":{"candidates":[{"finishReason":"STOP"}]}}"#),
        sse("novelty", "not JSON"),
        sse("", r#"{"candidates":[{"content":{"parts":[{"novelty":{"text":"x"}}],"role":"model"}}]}"#),
    ]
}

/// Fields that are read, and that cannot be a number below zero. Counts are not among them: wrong ones cost the usage, not
/// the answer.
pub(crate) const TYPED_FIELDS: [&str; 16] = [
    "/responseId",
    "/modelVersion",
    "/candidates",
    "/candidates/0",
    "/candidates/0/index",
    "/candidates/0/content",
    "/candidates/0/content/parts",
    "/candidates/0/content/parts/0",
    "/candidates/0/content/parts/0/text",
    "/candidates/0/content/parts/0/thought",
    "/candidates/0/content/parts/0/thoughtSignature",
    "/candidates/0/content/parts/0/functionCall",
    "/candidates/0/content/parts/0/functionCall/name",
    "/candidates/0/content/parts/0/functionCall/args",
    "/candidates/0/finishReason",
    "/promptFeedback",
];
