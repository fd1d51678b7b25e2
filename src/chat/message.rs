//! The turns of a conversation and what they are made of.

use bytes::Bytes;

use crate::catalog::Origin;

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Instructions that hold for the whole conversation.
    System,
    /// Instructions of the application's developer; a system message where a provider knows no such role.
    Developer,
    /// The person or the program that asks; results of tools come from here.
    User,
    /// The model.
    Assistant,
}

/// What a file that goes along is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaKind {
    /// A picture: PNG, JPEG, GIF or WebP.
    Image,
    /// A PDF document.
    Pdf,
}

impl MediaKind {
    /// The word in output: `image`, `pdf`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Pdf => "pdf",
        }
    }
}

/// Where the bytes of a file are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaSource {
    /// Here.
    Bytes(Bytes),
    /// At an address that the provider fetches itself.
    Url(String),
}

/// An image or a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Media {
    /// What it is.
    pub kind: MediaKind,
    /// Its media type, e.g. `image/png`; sniffed from the bytes where they are here.
    pub mime: String,
    /// Its bytes, or where they are.
    pub source: MediaSource,
    /// Its file name, where it has one.
    pub name: Option<String>,
    /// How closely an image is to be looked at, where somebody says so.
    pub detail: Option<Detail>,
}

/// How closely an image is looked at, which some providers charge for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// A small copy of it.
    Low,
    /// All of it, in tiles.
    High,
    /// As it is.
    Original,
}

impl Detail {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Low, Self::High, Self::Original];

    /// OpenAI's word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::High => "high",
            Self::Original => "original",
        }
    }
}

/// A call of a tool, by the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// The call's id, which its result names.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The arguments, as the text of a JSON object; empty is `{}`.
    pub arguments: String,
    /// What the provider wants back with it (Gemini's `thoughtSignature`).
    pub signature: Option<String>,
}

/// What a tool answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolResult {
    /// The call that it answers.
    pub call_id: String,
    /// The tool, where it is known; some protocols match results by it.
    pub name: Option<String>,
    /// What it said: text, and images where the protocol takes them.
    pub content: Vec<Part>,
    /// Whether it failed.
    pub is_error: bool,
}

/// What stands before the data of a redacted thought of Anthropic's in [`Part::Reasoning`]'s signature and in
/// [`ChatEvent::Signature`](super::ChatEvent::Signature): so it comes back as what it was. The API's own signatures are
/// Base64, which has no colon.
pub const REDACTED_THINKING: &str = "redacted_thinking:";

/// One piece of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// Plain text.
    Text(String),
    /// An image or a document.
    Media(Media),
    /// A call of a tool; in turns of the assistant.
    ToolCall(ToolCall),
    /// The result of one; in turns of the user.
    ToolResult(ToolResult),
    /// What the model thought; in turns of the assistant.
    Reasoning {
        /// The thought; empty where only its signature was told.
        text: String,
        /// What the provider wants back with it, opaque.
        signature: Option<String>,
    },
}

impl Part {
    /// The text of a plain piece.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The images and documents in it.
    pub fn media(&self) -> Box<dyn Iterator<Item = &Media> + '_> {
        match self {
            Self::Media(media) => Box::new(std::iter::once(media)),
            Self::ToolResult(result) => Box::new(result.content.iter().flat_map(Self::media)),
            _ => Box::new(std::iter::empty()),
        }
    }
}

/// One turn of the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order; never empty.
    pub parts: Vec<Part>,
    /// Who made it, where that is known; in turns of the assistant.
    pub origin: Option<Origin>,
}

impl Message {
    /// A message of one piece of text.
    #[must_use]
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self { role, parts: vec![Part::Text(text.into())], origin: None }
    }

    /// A message of these pieces.
    #[must_use]
    pub const fn of(role: Role, parts: Vec<Part>) -> Self {
        Self { role, parts, origin: None }
    }

    /// Whether it holds a signature, which only its maker can take back.
    #[must_use]
    pub fn is_signed(&self) -> bool {
        self.parts.iter().any(|part| match part {
            Part::ToolCall(call) => call.signature.is_some(),
            Part::Reasoning { signature, .. } => signature.is_some(),
            _ => false,
        })
    }

    /// All plain text of the message, joined.
    #[must_use]
    pub fn joined(&self) -> String {
        self.parts.iter().filter_map(Part::as_text).collect()
    }
}
