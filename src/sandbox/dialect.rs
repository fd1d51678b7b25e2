//! What all protocols have in common: what is asked, what is answered, and how a failure is told.

use http::HeaderMap;
use serde_json::Value;

use super::anthropic::AnthropicMessages;
use super::bedrock::BedrockConverse;
use super::eventstream;
use super::gemini::Gemini;
use super::openai::OpenaiChat;
use super::responses::OpenaiResponses;
use super::vertex::VertexAnthropic;
use super::wants::Wants;
use crate::catalog::Protocol;

/// When `created` says an answer was made: a fixed instant, since nothing here reads a clock.
pub(super) const CREATED: u64 = 1_767_225_600;

/// One chat request, as far as it shapes the reply.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Ask {
    /// The model, echoed.
    pub(super) model: String,
    /// Whether the answer is streamed.
    pub(super) stream: bool,
    /// Whether a streamed answer reports its usage.
    pub(super) stream_usage: bool,
    /// The output limit, in tokens.
    pub(super) max_tokens: Option<u64>,
    /// A quarter of the bytes of all texts, rounded up.
    pub(super) input_tokens: u64,
    /// What of it is marked for the prompt cache.
    pub(super) mark: Option<Mark>,
    /// The first parameter in it that `refuse-parameter` refuses.
    pub(super) refusable: Option<&'static str>,
    /// What the answer must be.
    pub(super) wants: Wants,
}

/// The beginning of a request that is marked for the prompt cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// The same for the same beginning.
    pub(super) hash: u64,
    /// How long it is, at most the whole input.
    pub(super) tokens: u64,
}

/// Why an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finish {
    /// It is complete.
    Stop,
    /// It ends with a call of a tool.
    ToolCalls,
    /// It reached the output limit.
    Length,
    /// It does not say.
    Unsaid,
}

/// What a part of an answer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// The thinking before it, apart from the text.
    Reasoning,
    /// Text.
    Text,
    /// The call of a tool; its pieces are the JSON of the arguments.
    Call { name: String },
}

/// One part of an answer: its pieces are what is streamed, one token each, and there is at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Block {
    pub(super) kind: Kind,
    pub(super) pieces: Vec<String>,
}

impl Block {
    /// All of it.
    pub(super) fn text(&self) -> String {
        self.pieces.concat()
    }

    /// The arguments of a call; a call that the output limit cut has none that can be read.
    pub(super) fn arguments(&self) -> Value {
        serde_json::from_str(&self.text()).unwrap_or_else(|_| Value::Object(serde_json::Map::new()))
    }
}

/// One answer, before it is put into a protocol.
#[derive(Debug)]
pub(super) struct Answer<'a> {
    pub(super) ask: &'a Ask,
    /// What ids are made of: 16 hexadecimal digits.
    pub(super) id: String,
    /// Its parts, never none.
    pub(super) blocks: Vec<Block>,
    pub(super) finish: Finish,
    /// Whether this provider reports usage at all.
    pub(super) reports_usage: bool,
    /// Whether the marked beginning was in the cache before.
    pub(super) cached: bool,
}

impl Answer<'_> {
    /// How many tokens the answer has.
    pub(super) fn output_tokens(&self) -> u64 {
        self.blocks.iter().map(|block| block.pieces.len() as u64).sum()
    }

    /// How many of them are reasoning.
    pub(super) fn reasoning_tokens(&self) -> u64 {
        let reasoning = self.blocks.iter().filter(|block| block.kind == Kind::Reasoning);
        reasoning.map(|block| block.pieces.len() as u64).sum()
    }

    /// Tokens of the input that were read from the prompt cache.
    pub(super) fn cache_read(&self) -> u64 {
        self.ask.mark.filter(|_| self.cached).map_or(0, |mark| mark.tokens)
    }

    /// Tokens of the input that were written to the prompt cache.
    pub(super) fn cache_write(&self) -> u64 {
        self.ask.mark.filter(|_| !self.cached).map_or(0, |mark| mark.tokens)
    }

    /// Tokens of the input that have nothing to do with the cache.
    pub(super) fn uncached(&self) -> u64 {
        self.ask.input_tokens.saturating_sub(self.cache_read() + self.cache_write())
    }

    /// What a provider wants back with the thinking of the block at `index`.
    pub(super) fn signature(&self, index: usize) -> String {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(format!("openmux-sandbox {} {index}", self.id))
    }

    /// The id of the call in the block at `index`.
    pub(super) fn call_id(&self, prefix: &str, index: usize) -> String {
        format!("{prefix}{}{index:02}", self.id)
    }
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Failure {
    NoKey,
    WrongKey,
    /// The credential is refused for a reason of its own: the provider's code and words.
    Denied {
        code: &'static str,
        message: String,
    },
    NoSuchPath {
        method: String,
        path: String,
    },
    NoSuchModel {
        model: String,
    },
    /// The request is at fault; `parameter` is the field that is named in the envelope.
    Invalid {
        parameter: Option<&'static str>,
        message: String,
    },
    /// The parameter is fine elsewhere, but not at this model.
    Unsupported {
        parameter: &'static str,
    },
    TooLarge,
    RateLimited {
        model: String,
        retry_after_s: Option<u64>,
    },
    Quota,
    Server,
    Overloaded,
}

impl Failure {
    /// The request is at fault, in these words.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::Invalid { parameter: None, message: message.into() }
    }

    /// One field of the request is at fault, in these words.
    pub(super) fn field(parameter: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { parameter: Some(parameter), message: message.into() }
    }
}

/// A failure as a response: its status, headers of its own, and its envelope.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Envelope {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Value,
}

impl Envelope {
    pub(super) fn new(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body }
    }
}

/// One event of a stream, before it is framed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Event {
    /// Its name; empty where the protocol has none.
    pub(super) name: String,
    /// Its payload.
    pub(super) data: String,
    /// Whether it is an exception, where frames say so.
    pub(super) is_exception: bool,
}

impl Event {
    /// One with a name.
    pub(super) fn named(name: impl Into<String>, data: &Value) -> Self {
        Self { name: name.into(), data: data.to_string(), is_exception: false }
    }

    /// One without.
    pub(super) fn plain(data: impl ToString) -> Self {
        Self { name: String::new(), data: data.to_string(), is_exception: false }
    }

    /// The same with a payload that stops half-way.
    pub(super) fn broken(mut self) -> Self {
        let half = self.data.len() / 2 + 1;
        let end = (0..=half).rev().find(|at| self.data.is_char_boundary(*at)).unwrap_or(0);
        self.data.truncate(end);
        self
    }
}

/// A whole stream, token by token, so that it can stop after any of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Stream {
    /// What comes before the first token.
    pub(super) opening: Vec<Event>,
    /// What each token is sent as, with whatever begins or ends around it; may be nothing.
    pub(super) tokens: Vec<Vec<Event>>,
    /// What a complete stream ends with.
    pub(super) closing: Vec<Event>,
}

impl Stream {
    /// How many events there are up to and without the token at `sent`.
    pub(super) fn events_before(&self, sent: usize) -> usize {
        self.opening.len() + self.tokens.iter().take(sent).map(Vec::len).sum::<usize>()
    }
}

/// How events become bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// Server-sent events.
    Sse,
    /// The event stream of AWS.
    Aws,
}

impl Framing {
    /// The media type of a stream.
    pub(super) const fn content_type(self) -> &'static str {
        match self {
            Self::Sse => "text/event-stream; charset=utf-8",
            Self::Aws => "application/vnd.amazon.eventstream",
        }
    }

    /// The bytes of some events.
    pub(super) fn bytes(self, events: &[Event]) -> Vec<u8> {
        events.iter().flat_map(|event| self.one(event)).collect()
    }

    fn one(self, event: &Event) -> Vec<u8> {
        match self {
            Self::Sse if event.name.is_empty() => format!("data: {}\n\n", event.data).into_bytes(),
            Self::Sse => format!("event: {}\ndata: {}\n\n", event.name, event.data).into_bytes(),
            Self::Aws => {
                let (kind, named) =
                    if event.is_exception { ("exception", ":exception-type") } else { ("event", ":event-type") };
                let headers =
                    [(named, event.name.as_str()), (":content-type", "application/json"), (":message-type", kind)];
                eventstream::frame(&headers, event.data.as_bytes())
            }
        }
    }
}

/// Which request of a protocol a path stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Route {
    /// The model, where the path names it.
    pub(super) model: Option<String>,
    /// Whether the path asks for a stream.
    pub(super) stream: bool,
}

impl Route {
    /// A path that says nothing but which protocol it is.
    pub(super) const PLAIN: Self = Self { model: None, stream: false };
}

/// One wire dialect, seen from the provider's side. Everything in it is pure.
pub(super) trait Dialect: Send + Sync {
    /// What stands between the provider's own address and what a client appends.
    fn base(&self) -> &'static str {
        "/v1"
    }

    /// Which chat request the path below the provider's address stands for; `query` is empty where there is none.
    fn route(&self, path: &str, query: &str) -> Option<Route>;

    /// The header in which a response carries its id.
    fn request_id_header(&self) -> &'static str;

    /// What is asked, or what is wrong with the request.
    fn ask(&self, route: &Route, headers: &HeaderMap, body: &Value) -> Result<Ask, Failure>;

    /// The response that tells a failure.
    fn failure(&self, failure: &Failure, request_id: &str) -> Envelope;

    /// Whether a wait that is asked for stands in the header `retry-after`.
    fn has_retry_after(&self) -> bool {
        true
    }

    /// The list of models.
    fn models(&self) -> Value;

    /// What a `GET` of the path below the provider's address shows: the list of models, for one.
    fn shown(&self, path: &str) -> Option<Value> {
        path.ends_with("/models").then(|| self.models())
    }

    /// The body of an answer that is not streamed.
    fn whole(&self, answer: &Answer<'_>) -> Value;

    /// The same as a stream.
    fn stream(&self, answer: &Answer<'_>) -> Stream;

    /// A failure inside a stream after `events` events, and whatever the provider sends after it.
    fn error_events(&self, failure: &Failure, request_id: &str, events: usize) -> Vec<Event>;

    /// How its streams are framed.
    fn framing(&self) -> Framing {
        Framing::Sse
    }
}

/// The dialect of a protocol; `None` where the sandbox does not speak it.
pub(super) fn dialect(protocol: Protocol) -> Option<&'static dyn Dialect> {
    match protocol {
        Protocol::OpenaiChat => Some(&OpenaiChat),
        Protocol::OpenaiResponses => Some(&OpenaiResponses),
        Protocol::AnthropicMessages => Some(&AnthropicMessages),
        Protocol::Gemini => Some(&Gemini { on_vertex: false }),
        Protocol::VertexGemini => Some(&Gemini { on_vertex: true }),
        Protocol::VertexAnthropic => Some(&VertexAnthropic),
        Protocol::BedrockConverse => Some(&BedrockConverse),
        Protocol::CohereV2 | Protocol::Ollama | Protocol::SapOrchestration | Protocol::Watsonx => None,
    }
}
