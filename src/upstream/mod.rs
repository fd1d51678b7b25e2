//! The provider's side: wire dialects as pure functions and frame-by-frame decoders, and the one driver that does I/O.
//!
//! An [`Adapter`] encodes a request, decodes frames and classifies failures; it has no client, no credential and no
//! clock. `exchange` drives one adapter over one `transport`. A decoder never invents an end: a stream that stops
//! without the provider's own end event is a truncated answer.

pub mod adapt;
pub mod anthropic;
pub mod auth;
pub mod bedrock;
mod body;
pub mod check;
pub mod classify;
pub mod exchange;
pub mod gemini;
pub mod headroom;
pub mod openai;
pub mod responses;
pub mod steer;
pub mod transport;
pub mod wire;

use std::time::Duration;

pub(crate) use body::shown as shown_url;
use bytes::Bytes;

use crate::catalog::{Endpoint, ModelId, OutputLimitField, Protocol, Provider};
use crate::chat::{ChatEvent, ChatRequest, Part, Role, SILENCE};
use crate::observe::ErrorClass;
pub use adapt::Adaptation;
use wire::Frame;

/// Everything that encoding one request needs.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Which endpoint is called.
    pub endpoint: &'a Endpoint,
    /// Who serves it, with its quirks and headers.
    pub provider: &'a Provider,
    /// Where, without a trailing slash and with all variables filled in.
    pub base_url: &'a str,
    /// What is asked.
    pub request: &'a ChatRequest,
}

impl Call<'_> {
    /// Which field carries the output limit.
    #[must_use]
    pub fn output_limit_field(&self) -> OutputLimitField {
        self.provider.output_limit
    }
}

/// Why a request cannot be put into a protocol.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The wire id would change the path of the URL.
    #[error("the model id \"{0}\" cannot be a part of a URL")]
    UnsafeModelId(String),
    /// The base URL and the path do not make a URL; without what may be secret in it.
    #[error("\"{0}\" is no base URL: http or https, without user, query or fragment")]
    BadUrl(String),
    /// A header of the provider's cannot be sent.
    #[error("the header \"{0}\" of the provider cannot be sent")]
    BadHeader(String),
    /// The protocol has no way to say this; [`Adapter::lacks`] names it before anything is sent.
    #[error("this protocol cannot carry {0}")]
    Inexpressible(&'static str),
    /// The protocol demands an output limit and none is known.
    #[error("this protocol needs an output limit and the catalog knows none")]
    NoOutputLimit,
}

/// Why bytes of a provider cannot be an answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// A known event with a payload that cannot be read: corrupt, never "unknown, skipped".
    #[error("{0}")]
    Corrupt(String),
    /// The provider reports a failure inside a response that began well.
    #[error("{}", .0.message)]
    Upstream(UpstreamError),
    /// The bytes stopped without the provider's own end.
    #[error("the stream ended without the provider's end event")]
    Truncated,
}

/// A failure as the provider told it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamError {
    /// What it permits next.
    pub class: ErrorClass,
    /// The provider's own words, one line, stripped of markup and control characters, at most 300 characters.
    pub message: String,
    /// The provider's own code or type, at most 64 characters.
    pub code: Option<String>,
    /// How long it asks to wait.
    pub retry_after: Option<Duration>,
    /// Its id of the request.
    pub request_id: Option<String>,
}

/// One wire dialect: a pair of pure functions and a frame-by-frame decoder.
pub trait Adapter: Send + Sync {
    /// What the request asks for that this dialect, or this endpoint in it, cannot carry: names such as `image input by
    /// URL`, none twice. Such an endpoint is rejected before anything is sent; nothing is dropped in silence.
    fn lacks(&self, call: &Call<'_>) -> Vec<&'static str> {
        let _ = call;
        Vec::new()
    }

    /// Whether the dialect can hand over the answer that the request goes on with ([`ChatRequest::continues`]), as the
    /// request stands, to a provider whose quirks say that it takes one.
    fn continues(&self, call: &Call<'_>) -> bool {
        let _ = call;
        false
    }

    /// The HTTP request, without its credential.
    ///
    /// # Errors
    /// The request cannot be put into this protocol.
    fn encode(&self, call: &Call<'_>) -> Result<http::Request<Bytes>, EncodeError>;

    /// A decoder for one streamed answer.
    fn decoder(&self, call: &Call<'_>) -> Box<dyn Decoder>;

    /// Decodes an answer that was not streamed. The last event is [`ChatEvent::Finished`].
    ///
    /// # Errors
    /// The body is corrupt, reports a failure, or does not say how the answer finished.
    fn whole(&self, call: &Call<'_>, body: &[u8], out: &mut Vec<ChatEvent>) -> Result<(), DecodeError>;

    /// Whether reasoning that is streamed is a summary of what was thought and billed. Where it is not, it is all of it.
    fn summarizes_reasoning(&self) -> bool {
        true
    }

    /// What a response that is not a success means.
    fn classify(&self, call: &Call<'_>, head: &http::response::Parts, body: &[u8]) -> UpstreamError;

    /// What to change in the request where it was refused (400, 422) for a parameter that nobody wished for, or that has
    /// another name; `None` where it stands as it is.
    fn adapt(&self, call: &Call<'_>, error: &UpstreamError) -> Option<Adaptation> {
        let _ = (call, error);
        None
    }
}

/// Decodes one streamed answer, frame by frame.
pub trait Decoder: Send {
    /// One frame, whole.
    ///
    /// # Errors
    /// A known event is corrupt, or the provider reports a failure.
    fn frame(&mut self, frame: &Frame, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError>;

    /// Whether the provider's own terminator has been seen, so that nothing more needs to be read.
    fn ended(&self) -> bool;

    /// The bytes are at an end. Never invents [`ChatEvent::Finished`].
    ///
    /// # Errors
    /// The stream stopped before the provider's own end.
    fn end(&mut self, out: &mut Vec<ChatEvent>) -> Result<(), DecodeError>;
}

/// The adapter of a protocol; `None` where this version has none.
#[must_use]
pub fn adapter(protocol: Protocol) -> Option<&'static dyn Adapter> {
    match protocol {
        Protocol::OpenaiChat => Some(&openai::OpenaiChat),
        Protocol::OpenaiResponses => Some(&responses::OpenaiResponses),
        Protocol::AnthropicMessages => Some(&anthropic::AnthropicMessages),
        Protocol::VertexAnthropic => Some(&anthropic::VertexAnthropic),
        Protocol::Gemini => Some(&gemini::Gemini::Studio),
        Protocol::VertexGemini => Some(&gemini::Gemini::Vertex),
        Protocol::BedrockConverse => Some(&bedrock::BedrockConverse),
        _ => None,
    }
}

/// What a request asks for that cannot be said in this dialect, or to this endpoint in it: what [`Adapter::lacks`] says,
/// and what the client said in a dialect of its own.
#[must_use]
pub fn lacks(protocol: Protocol, call: &Call<'_>) -> Vec<&'static str> {
    let Some(adapter) = adapter(protocol) else { return Vec::new() };
    let foreign = call.request.native.iter();
    let foreign = foreign.filter(|native| !native.is_of(protocol) && call.request.demands(native));
    let foreign = foreign.map(|native| native.name);
    let begun = call.request.continues && !continues(protocol, call);
    let begun = begun.then_some("an answer that is begun");
    let takes_silence = matches!(protocol, Protocol::OpenaiChat | Protocol::OpenaiResponses);
    let silent = (!takes_silence && is_silent(call.request)).then_some(SILENCE);
    adapter.lacks(call).into_iter().chain(foreign).chain(begun).chain(silent).collect()
}

/// Whether nobody has said anything but instructions.
fn is_silent(request: &ChatRequest) -> bool {
    let turns = request.messages.iter().filter(|message| !matches!(message.role, Role::System | Role::Developer));
    turns.flat_map(|message| &message.parts).all(|part| part.as_text() == Some(""))
}

/// What of a request is not said in this dialect, to this endpoint, though an answer is the same: marks of the prompt cache,
/// where it keeps what it keeps by itself, how closely images are looked at, and what the model thought in earlier turns.
#[must_use]
pub fn untold(protocol: Protocol, call: &Call<'_>) -> Vec<&'static str> {
    let marks = match protocol {
        _ if call.request.marks.is_empty() => None,
        Protocol::AnthropicMessages | Protocol::VertexAnthropic => None,
        Protocol::BedrockConverse => bedrock::untold(call),
        _ => Some("cache_control"),
    };
    let says_detail = matches!(protocol, Protocol::OpenaiChat | Protocol::OpenaiResponses);
    let detail = call.request.media().any(|media| media.detail.is_some()) && !says_detail;
    let thoughts = call.request.messages.iter().flat_map(|message| &message.parts).any(|part| match part {
        Part::Reasoning { text, signature } => is_lost(protocol, call, text, signature.is_some()),
        _ => false,
    });
    marks.into_iter().chain(detail.then_some("detail")).chain(thoughts.then_some("reasoning")).collect()
}

/// Whether a thought of an earlier turn does not go back. One that is empty says nothing.
fn is_lost(protocol: Protocol, call: &Call<'_>, thought: &str, is_signed: bool) -> bool {
    let replays = call.provider.quirks.replays_reasoning;
    match protocol {
        Protocol::OpenaiChat => !thought.is_empty() && !replays,
        Protocol::OpenaiResponses => !thought.is_empty() && !is_signed && !replays,
        Protocol::AnthropicMessages | Protocol::VertexAnthropic | Protocol::BedrockConverse => {
            !thought.is_empty() && !is_signed
        }
        _ => false,
    }
}

/// Whether what is to be kept in a prompt cache is said in this dialect, to this model.
#[must_use]
pub fn keeps_marks(protocol: Protocol, model: &ModelId) -> bool {
    match protocol {
        Protocol::AnthropicMessages | Protocol::VertexAnthropic => true,
        Protocol::BedrockConverse => bedrock::keeps_marks(model),
        _ => false,
    }
}

/// Whether the answer that a request goes on with can be handed over in this dialect, to this endpoint.
#[must_use]
pub fn continues(protocol: Protocol, call: &Call<'_>) -> bool {
    call.provider.quirks.prefills(protocol, &call.endpoint.model)
        && adapter(protocol).is_some_and(|adapter| adapter.continues(call))
}

/// The protocols that this version can speak.
pub const BUILT: [Protocol; 7] = [
    Protocol::OpenaiChat,
    Protocol::OpenaiResponses,
    Protocol::AnthropicMessages,
    Protocol::VertexAnthropic,
    Protocol::Gemini,
    Protocol::VertexGemini,
    Protocol::BedrockConverse,
];

/// The largest event or body that is accepted, in bytes.
pub const MAX_FRAME: usize = 32 * 1024 * 1024;
