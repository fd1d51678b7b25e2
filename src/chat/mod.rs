//! The one canonical form of a conversation: what is asked, and what comes back as events.
//!
//! Every protocol is translated to and from these types in `upstream`; nothing here knows a wire format.

mod cache;
mod message;
mod wishes;

use crate::catalog::ModelId;
pub use crate::catalog::{Origin, Usage};
pub use cache::{CacheMark, CachePlace};
pub use message::{
    Detail, Media, MediaKind, MediaSource, Message, Part, REDACTED_THINKING, Role, ToolCall, ToolResult,
};
pub use wishes::{AnswerSchema, Effort, Force, Native, Tool, ToolChoice, flat_name};

/// What is asked of a model, whoever serves it.
#[derive(Debug, Clone, PartialEq)]
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
    /// The share of probability that is sampled from, as its exact literal.
    pub top_p: Option<serde_json::Number>,
    /// The seed of the model's sampling.
    pub seed: Option<i64>,
    /// Texts at which the answer ends; they are not part of it.
    pub stop: Vec<String>,
    /// What the model may call.
    pub tools: Vec<Tool>,
    /// Whether it must call, and what; `None` leaves it to the provider.
    pub tool_choice: Option<ToolChoice>,
    /// Whether it may call several tools in one answer; `None` leaves it to the provider.
    pub parallel_tools: Option<bool>,
    /// The JSON Schema that the answer must satisfy.
    pub schema: Option<AnswerSchema>,
    /// How hard it should think; `None` leaves it to the provider.
    pub effort: Option<Effort>,
    /// Whether the stable beginning of the conversation is to be kept in the provider's prompt cache, where the
    /// protocol wants that marked; elsewhere it is kept anyway.
    pub cache: bool,
    /// Where exactly that is, where somebody says so; then `cache` says nothing.
    pub marks: Vec<CacheMark>,
    /// Further parameters of the provider's own API, sent as they are (`--set KEY=JSON`).
    pub extra: serde_json::Map<String, serde_json::Value>,
    /// Parameters that a client set in its own dialect, for endpoints that speak it.
    pub native: Vec<Native>,
    /// Whether what an answer is poorer without is left out where it cannot be told ([`Force::Wish`]).
    pub relaxed: bool,
    /// Whether the answer is asked for as a stream.
    pub stream: bool,
    /// Whether the last message is the beginning of the answer, which is to be gone on with.
    pub continues: bool,
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
    /// A piece of words with which the model refuses, where its dialect tells them apart; never empty. Token-bearing.
    Refusal(String),
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
    /// An item of an answer of OpenAI Responses that no other dialect has, whole: what a client's own tool without a schema
    /// is to do, or what a tool that the provider runs has done. Token-bearing.
    Item(serde_json::Value),
    /// What the provider wants back when this turn is sent again: the signature of its reasoning, or of a tool call.
    /// Opaque, not token-bearing.
    Signature {
        /// The tool call of the answer that it belongs to, which it goes before where its provider says both at once; `None`
        /// is the reasoning before it.
        index: Option<u32>,
        /// The provider's own characters.
        signature: String,
    },
    /// What the answer used so far; the last one counts.
    Usage(Box<Usage>),
    /// What the provider says that it bills, in US dollars; kept beside our own figure.
    Billed(crate::units::Usd),
    /// Which of the request's stop sequences ended the answer, where the provider says so; comes before the end. Not
    /// token-bearing.
    StopSequence(String),
    /// The provider's own end of the answer. A decoder never invents it.
    Finished {
        /// The normalised reason.
        finish: Finish,
        /// The provider's own word for it.
        native: String,
    },
}

impl ChatRequest {
    /// A request for a streamed answer that wishes for nothing beside it.
    #[must_use]
    pub fn new(model: ModelId, messages: Vec<Message>) -> Self {
        Self {
            model,
            messages,
            max_tokens: None,
            temperature: None,
            top_p: None,
            seed: None,
            stop: Vec::new(),
            tools: Vec::new(),
            tool_choice: None,
            parallel_tools: None,
            schema: None,
            effort: None,
            cache: false,
            marks: Vec::new(),
            extra: serde_json::Map::new(),
            native: Vec::new(),
            relaxed: false,
            stream: true,
            continues: false,
        }
    }

    /// Whether something that endpoints of that dialect are not told rules them out.
    #[must_use]
    pub fn demands(&self, native: &Native) -> bool {
        match native.force {
            Force::Form | Force::Hint => false,
            Force::Wish => !self.relaxed,
            Force::Term => true,
        }
    }

    /// Whether there is something to leave out where nobody can be told, and it is left out from now on.
    pub fn relax(&mut self) -> bool {
        let wishes = self.native.iter().any(|native| native.force == Force::Wish);
        wishes && !std::mem::replace(&mut self.relaxed, true)
    }

    /// Every image and document of the conversation, those in tool results too.
    pub fn media(&self) -> impl Iterator<Item = &Media> {
        self.messages.iter().flat_map(|message| &message.parts).flat_map(Part::media)
    }
}

impl ChatEvent {
    /// Whether this event carries tokens of the answer, its reasoning or a tool call (`metrics.md` 1.3).
    #[must_use]
    pub fn bears_tokens(&self) -> bool {
        match self {
            Self::Text(text) | Self::Refusal(text) | Self::Reasoning(text) => !text.is_empty(),
            Self::Item(_) => true,
            Self::ToolCall { name, arguments, .. } => name.is_some() || !arguments.is_empty(),
            Self::Started { .. }
            | Self::Signature { .. }
            | Self::Usage(_)
            | Self::Billed(_)
            | Self::StopSequence(_)
            | Self::Finished { .. } => false,
        }
    }

    /// Whether this event carries a part of the answer itself, not of the reasoning before it.
    #[must_use]
    pub fn bears_answer(&self) -> bool {
        match self {
            Self::Reasoning(_) => false,
            Self::Item(item) => is_call(item),
            event => event.bears_tokens(),
        }
    }
}

/// What only OpenAI's dialects take: instructions alone.
pub const SILENCE: &str = "a conversation without a user's turn";

/// Whether an item of OpenAI Responses is something that the client is to do.
#[must_use]
pub fn is_call(item: &serde_json::Value) -> bool {
    const CALLS: [&str; 5] =
        ["custom_tool_call", "local_shell_call", "shell_call", "apply_patch_call", "computer_call"];
    item.get("type").and_then(serde_json::Value::as_str).is_some_and(|kind| CALLS.contains(&kind))
}
