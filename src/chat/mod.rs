//! The one canonical form of a conversation: what is asked, and what comes back as events.
//!
//! Every protocol is translated to and from these types in `upstream`; nothing here knows a wire format.

use crate::catalog::ModelId;
pub use crate::catalog::Usage;

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Instructions that hold for the whole conversation.
    System,
    /// The person or the program that asks.
    User,
    /// The model.
    Assistant,
}

/// One piece of a message. Images, files and tool results join with their protocols.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Part {
    /// Plain text.
    Text(String),
}

/// One turn of the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who speaks.
    pub role: Role,
    /// What is said, in order; never empty.
    pub parts: Vec<Part>,
}

impl Message {
    /// A message of one piece of text.
    #[must_use]
    pub fn text(role: Role, text: impl Into<String>) -> Self {
        Self { role, parts: vec![Part::Text(text.into())] }
    }

    /// All text of the message, joined.
    #[must_use]
    pub fn joined(&self) -> String {
        self.parts.iter().map(|Part::Text(text)| text.as_str()).collect()
    }
}

/// What is asked of a model, whoever serves it.
#[derive(Debug, Clone)]
pub struct ChatRequest {
    /// The model, apart from who serves it.
    pub model: ModelId,
    /// The conversation, oldest first; never empty.
    pub messages: Vec<Message>,
    /// The most tokens the answer may have; `None` leaves it to the provider, or to the endpoint's own maximum where
    /// the protocol demands a number.
    pub max_tokens: Option<u64>,
    /// The sampling temperature, as its exact literal; `None` leaves it to the provider.
    pub temperature: Option<serde_json::Number>,
    /// Further parameters of the provider's own API, sent as they are (`--set KEY=JSON`).
    pub extra: serde_json::Map<String, serde_json::Value>,
    /// Whether the answer is asked for as a stream.
    pub stream: bool,
}

/// Why the model stopped, normalised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// It was done, or met a stop sequence.
    Stop,
    /// It ran into the output limit or the context window.
    Length,
    /// It wants tools called.
    ToolCalls,
    /// A content filter, or a refusal by one, ended the answer.
    Filter,
    /// The provider says that the answer failed.
    Error,
    /// A reason this version does not know; the native word says which.
    Other,
}

impl Finish {
    /// The word used in output: `stop`, `length`, `tool_calls`, `content_filter`, `error`, `other`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::Filter => "content_filter",
            Self::Error => "error",
            Self::Other => "other",
        }
    }
}

/// One thing that a provider said, in canonical form.
#[derive(Debug, Clone, PartialEq)]
pub enum ChatEvent {
    /// The answer has begun: the provider's id of it and the model it names. Not token-bearing.
    Started {
        /// The provider's id of this answer, if it gave one.
        id: Option<String>,
        /// The model as the provider names it.
        model: Option<String>,
    },
    /// A piece of the answer; never empty. Token-bearing.
    Text(String),
    /// A piece of the model's reasoning, kept apart from the answer; never empty. Token-bearing.
    Reasoning(String),
    /// A piece of a tool call. Token-bearing.
    ToolCall {
        /// Which call of the answer this belongs to, from 0.
        index: u32,
        /// The call's id, in its first piece.
        id: Option<String>,
        /// The tool's name, in its first piece.
        name: Option<String>,
        /// A piece of the arguments' JSON text; may be empty in the first piece.
        arguments: String,
    },
    /// What the answer used so far; the last one counts.
    Usage(Usage),
    /// What the provider says that it bills, in US dollars; kept beside our own figure.
    Billed(crate::units::Usd),
    /// The provider's own end of the answer. A decoder never invents it.
    Finished {
        /// The normalised reason.
        finish: Finish,
        /// The provider's own word for it.
        native: String,
    },
}

impl ChatEvent {
    /// Whether this event carries tokens of the answer, its reasoning or a tool call (`metrics.md` 1.3).
    #[must_use]
    pub fn bears_tokens(&self) -> bool {
        match self {
            Self::Text(text) | Self::Reasoning(text) => !text.is_empty(),
            Self::ToolCall { name, arguments, .. } => name.is_some() || !arguments.is_empty(),
            Self::Started { .. } | Self::Usage(_) | Self::Billed(_) | Self::Finished { .. } => false,
        }
    }

    /// Whether this event carries a part of the answer itself, not of the reasoning before it.
    #[must_use]
    pub fn bears_answer(&self) -> bool {
        self.bears_tokens() && !matches!(self, Self::Reasoning(_))
    }
}
