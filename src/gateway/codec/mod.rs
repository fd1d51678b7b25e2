//! What clients say and hear, one dialect a folder: from JSON to the canonical form, and from events back to JSON.

pub(crate) mod answer;
pub mod anthropic;
pub(crate) mod cache;
pub(crate) mod json;
pub(crate) mod media;
pub(crate) mod members;
pub mod openai;
pub mod options;
pub mod prices;
pub mod responses;
pub(crate) mod signed;
mod turn;

use http::HeaderMap;
use serde_json::{Map, Value};

use super::problem::Problem;
use crate::catalog::{Origin, Usage};
use crate::chat::{ChatEvent, ChatRequest, Finish};
use crate::dispatch::Seam;
use crate::units::{Tokens, Usd};
use members::written;

/// A dialect that clients speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAI Chat Completions; also that of everything that is no chat.
    OpenaiChat,
    /// OpenAI Responses.
    OpenaiResponses,
    /// Anthropic Messages.
    AnthropicMessages,
}

impl Dialect {
    /// All of them.
    const ALL: [Self; 3] = [Self::OpenaiChat, Self::OpenaiResponses, Self::AnthropicMessages];

    /// What ids of answers begin with.
    const fn prefix(self) -> &'static str {
        match self {
            Self::OpenaiChat => "chatcmpl-",
            Self::OpenaiResponses => "resp_",
            Self::AnthropicMessages => "msg_",
        }
    }

    /// The id of an answer, by that of its decision.
    #[must_use]
    pub fn answer_id(self, decision: &str) -> String {
        format!("{}{decision}", self.prefix())
    }

    /// The id of the decision behind an answer's id, in any dialect.
    #[must_use]
    pub fn decision_id(answer: &str) -> &str {
        Self::ALL.into_iter().find_map(|dialect| answer.strip_prefix(dialect.prefix())).unwrap_or(answer)
    }

    /// The request in a body, with what its headers say beside it.
    ///
    /// # Errors
    /// What is wrong, with its place before it.
    pub fn read(self, headers: &HeaderMap, body: &Map<String, Value>) -> Result<Asked, String> {
        match self {
            Self::OpenaiChat => openai::ask::read(body),
            Self::OpenaiResponses => responses::ask::read(body),
            Self::AnthropicMessages => anthropic::ask::read(headers, body),
        }
    }

    /// An error in the dialect's envelope; `id` is that of the request, once it has one.
    #[must_use]
    pub fn error(self, problem: &Problem, id: Option<&str>) -> Value {
        match self {
            Self::OpenaiChat | Self::OpenaiResponses => openai::whole::error(problem),
            Self::AnthropicMessages => anthropic::whole::error(problem, id),
        }
    }
}

/// A request as it was asked.
#[derive(Debug)]
pub struct Asked {
    /// The model as it was named; [`Asked::request`] holds the same, unresolved.
    pub model: String,
    /// The request.
    pub request: ChatRequest,
    /// How its answer is put.
    pub voice: Box<dyn Voice>,
}

/// How the answer to one request is put, in the dialect that it was asked in.
pub trait Voice: std::fmt::Debug {
    /// The JSON document of a whole answer.
    fn whole(&self, events: &[ChatEvent], ended: &Ended) -> String;
    /// A stream is to end with what was used, in dialects where that is a matter of asking.
    fn include_usage(&mut self) {}
    /// A stream of an answer by the id of its decision, begun at that second, of that model.
    fn stream(&self, decision: &str, created: i64, model: &str) -> Box<dyn Stream>;
}

/// How an answer ended, for whoever writes its end.
#[derive(Debug, Clone, PartialEq)]
pub struct Ended {
    /// The decision's id: 32 hex digits.
    pub id: String,
    /// When it was decided, in seconds since 1970.
    pub created: i64,
    /// The model that was asked for.
    pub model: String,
    /// Who answered.
    pub provider: String,
    /// How it ended, and in the provider's own word.
    pub finish: Option<(Finish, String)>,
    /// Who made its signatures, where it has any.
    pub maker: Option<Origin>,
    /// What was used, as reported.
    pub usage: Option<Usage>,
    /// What was likely read and written, for dialects that must say a number where nobody reports one.
    pub likely: Likely,
    /// What it cost in USD: the provider's own bill, else by the price sheet; `None` is not known.
    pub cost: Option<Usd>,
    /// The same by estimate, where a part of the answer has no cost that is known.
    pub estimate: Option<Usd>,
    /// What of the request the provider was not told, because it does not take it.
    pub dropped: Vec<String>,
    /// How it was routed, where the client asked to be told.
    pub metadata: Option<Value>,
}

impl Ended {
    /// What it cost, which may not be known; then the estimate, where there is one.
    fn costs(&self) -> impl Iterator<Item = (&'static str, Option<Usd>)> {
        [("cost", self.cost)].into_iter().chain(self.estimate.map(|amount| ("cost_estimate", Some(amount))))
    }
}

/// What a request and its answer likely came to, by openmux's own estimate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Likely {
    /// Tokens of the request, as its decision was made with.
    pub input: Tokens,
    /// Tokens of the answer, as they were counted when it came; `None` where it came at once.
    pub output: Option<Tokens>,
}

/// How a dialect streams an answer: pieces of server-sent events, each whole.
pub trait Stream {
    /// Before anything else: so many tokens the request likely has, for dialects that say so before the provider does.
    fn expects(&mut self, _input: Tokens) {}
    /// Another model than before is asked, before anything of an answer has come: its answer has this id, and was begun at
    /// that second.
    fn falls_back(&mut self, decision: &str, created: i64, model: &str);
    /// One event of the answer.
    fn event(&mut self, event: &ChatEvent, out: &mut String);
    /// The answer is whole.
    fn end(&mut self, ended: &Ended, out: &mut String);
    /// It broke off: what follows is never mistaken for an end.
    fn failed(&mut self, problem: &Problem, out: &mut String);
    /// Nothing has come for a while.
    fn alive(&mut self, out: &mut String);
    /// What comes next is said by another provider than what came before. A comment says so, which no client reads.
    fn seam(&mut self, seam: &Seam, out: &mut String) {
        let Seam { from, to, class, characters, .. } = seam;
        let (from, to, class) = (&from.provider, &to.provider, class.name());
        let comment = format!("{from} broke off after {characters} characters ({class}), and {to} goes on");
        // A comment is one line, whatever an overlay calls a provider.
        out.extend([": openmux: ", &comment.replace(['\r', '\n'], " "), "\n\n"]);
    }
}

/// Writes a JSON string.
pub(crate) fn quote(text: &str, out: &mut String) {
    // All of them are looked at, which is less work than to stop at the first: many at once are.
    let escapes = text.bytes().fold(false, |any, byte| any | (byte < b' ') | (byte == b'"') | (byte == b'\\'));
    if escapes {
        out.push_str(&written(&text));
    } else {
        out.push('"');
        out.push_str(text);
        out.push('"');
    }
}

/// A JSON string.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    quote(text, &mut out);
    out
}

/// A number with exactly these characters; text that is no number becomes a string, so that nothing is lost.
pub(crate) fn literal(text: &str) -> Value {
    text.parse::<serde_json::Number>().map_or_else(|_| text.into(), Value::Number)
}

/// What openmux knows of a problem beside the words of any dialect.
fn details(problem: &Problem) -> Map<String, Value> {
    let text = |text: &Option<String>| text.as_deref().map_or(Value::Null, Value::from);
    let mut members = Map::new();
    members.insert("param".to_owned(), text(&problem.param));
    members.insert("code".to_owned(), problem.code.as_str().into());
    members.insert("class".to_owned(), problem.class.map_or(Value::Null, |class| class.name().into()));
    members.insert("owner".to_owned(), problem.owner().into());
    members.insert("fix".to_owned(), text(&problem.fix));
    if let Some(seconds) = problem.retry_seconds() {
        members.insert("retry_after".to_owned(), seconds.into());
    }
    for (name, told) in [("previous_errors", &problem.previous), ("rejected", &problem.rejected)] {
        if !told.is_empty() {
            members.insert(name.to_owned(), told.clone().into());
        }
    }
    members
}
