//! Amazon Bedrock's `ConverseStream`.

use openmux::upstream::wire::Frame;

fn event(name: &str, payload: &str) -> Frame {
    Frame::Event { message_type: "event".to_owned(), name: name.to_owned(), payload: payload.to_owned().into() }
}

/// The rule of the protocol: `messageStop` ends the answer, and `metadata` comes after it where all goes well.
pub(crate) fn end_was_seen(frames: &[Frame]) -> bool {
    frames.iter().any(|frame| matches!(frame, Frame::Event { name, .. } if name == "messageStop"))
}

/// Frames that say nothing to this version.
pub(crate) fn strangers() -> Vec<Frame> {
    let novel = Frame::Event {
        message_type: "novelty".to_owned(),
        name: "messageStop".to_owned(),
        payload: r#"{"stopReason":"end_turn"}"#.into(),
    };
    vec![
        Frame::Comment,
        event("novelty", r#"{"contentBlockIndex":0,"delta":{"text":"x"}}"#),
        event("novelty", "not JSON"),
        event("initial-response", "{}"),
        Frame::Sse { event: "messageStop".to_owned(), data: r#"{"stopReason":"end_turn"}"#.to_owned() },
        novel,
    ]
}

/// Fields of an event that this version reads.
pub(crate) fn fields(frame: &Frame) -> &'static [&'static str] {
    let Frame::Event { name, .. } = frame else { return &[] };
    match name.as_str() {
        "messageStart" => &["/role"],
        "contentBlockStart" => &["/contentBlockIndex", "/start", "/start/toolUse", "/start/toolUse/toolUseId"],
        "contentBlockDelta" => &[
            "/contentBlockIndex",
            "/delta",
            "/delta/text",
            "/delta/toolUse",
            "/delta/toolUse/input",
            "/delta/reasoningContent",
            "/delta/reasoningContent/text",
            "/delta/reasoningContent/signature",
            "/delta/reasoningContent/redactedContent",
        ],
        "contentBlockStop" => &["/contentBlockIndex"],
        "messageStop" => &["/stopReason"],
        _ => &[],
    }
}
