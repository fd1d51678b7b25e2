//! What is noted of each request when it ends: no prompt, no answer, no key.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::Gateway;
use super::client::Client;
use super::codec::literal;
use super::decided::Decided;
use super::problem::{Problem, millis};
use crate::dispatch::{AttemptReport, ChatReport};
use crate::observe::{ErrorClass, Flags};

/// Characters of a name that a client has written.
const LONGEST: usize = 200;

/// One request, noted when it is dropped.
pub(super) struct Served {
    gateway: Arc<Gateway>,
    at: Timestamp,
    began: Instant,
    client: Option<Arc<Client>>,
    line: Line,
}

/// What is noted of one request.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Line {
    /// When it came.
    pub at: Timestamp,
    /// The method.
    pub method: String,
    /// The path, without its query.
    pub path: String,
    /// The route that the path is one of; empty where it is none.
    pub route: &'static str,
    /// The name of whoever asked, where it has one.
    pub client: Option<String>,
    /// The status that was sent.
    pub status: u16,
    /// From its head to the last byte of its answer.
    pub took: Duration,
    /// The model as it was named, where nothing was decided yet.
    pub named: Option<String>,
    /// Why it has no answer.
    pub refused: Option<Refused>,
    /// What was asked, where it was a chat.
    pub chat: Option<Asked>,
}

/// Why a request has no answer: in words of ours alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The word for programs, e.g. `invalid_request`.
    pub code: String,
    /// The place of what is at fault in the request: its name, and nothing that is there.
    pub param: Option<String>,
    /// The class of the failure, where it has one.
    pub class: Option<ErrorClass>,
}

/// What is noted of one chat.
#[derive(Debug, Clone, PartialEq)]
pub struct Asked {
    /// The model that was asked last.
    pub model: String,
    /// The id of its decision.
    pub decision: String,
    /// What it came to; `None` while it is under way.
    pub report: Option<Arc<ChatReport>>,
}

impl Asked {
    /// Every attempt, in order.
    #[must_use]
    pub fn attempts(&self) -> &[AttemptReport] {
        self.report.as_ref().map_or(&[], |report| &report.attempts)
    }

    /// How often another provider went on with what one had begun.
    #[must_use]
    pub fn resumed(&self) -> usize {
        self.report.as_ref().map_or(0, |report| report.seams.len())
    }
}

impl Served {
    /// It has come.
    pub(super) fn new(gateway: &Arc<Gateway>, method: &str, path: &str) -> Self {
        let at = (gateway.owned.now)();
        let line = Line { at, method: method.to_owned(), path: path.to_owned(), ..Line::default() };
        Self { gateway: Arc::clone(gateway), at, began: Instant::now(), client: None, line }
    }

    /// What its path is.
    pub(super) fn route(&mut self, route: &'static str) {
        self.line.route = route;
    }

    /// Who asks.
    pub(super) fn asked_by(&mut self, client: Option<Arc<Client>>) {
        self.line.client = client.as_ref().map(|client| client.name.clone());
        self.client = client;
    }

    /// Who asks, where that has a name.
    pub(super) const fn client(&self) -> Option<&Arc<Client>> {
        self.client.as_ref()
    }

    /// The status of its answer.
    pub(super) fn status(&mut self, status: http::StatusCode) {
        self.line.status = status.as_u16();
    }

    /// It is refused, or nobody has answered.
    pub(super) fn refused(&mut self, problem: &Problem) {
        self.status(problem.status);
        let Problem { code, param, class, .. } = problem;
        self.line.refused = Some(Refused { code: code.clone(), param: param.as_deref().map(beginning), class: *class });
    }

    /// The model that it names.
    pub(super) fn names(&mut self, model: &str) {
        self.line.named = Some(beginning(model));
    }

    /// The answer begins; where nothing follows, the client went away.
    pub(super) fn begun(&mut self, decided: &Decided) {
        let model = decided.request.model.as_str().to_owned();
        self.line.chat = Some(Asked { model, decision: decided.hex(), report: None });
    }

    /// The chat has ended.
    pub(super) fn chat(&mut self, decided: &Decided, report: &Arc<ChatReport>) {
        if let Some(client) = &self.client {
            client.ended(decided.wishes.taken.get(), report, self.gateway.owned.store.as_ref());
        }
        let model = decided.request.model.as_str().to_owned();
        self.line.chat = Some(Asked { model, decision: decided.hex(), report: Some(Arc::clone(report)) });
    }
}

/// What a client has written, at the length of a name.
fn beginning(text: &str) -> String {
    text.chars().take(LONGEST).collect()
}

impl Drop for Served {
    fn drop(&mut self) {
        // What nobody waited for has no status; nginx has a number for it.
        if self.line.status == 0 {
            self.line.status = 499;
        }
        self.line.at = self.at;
        self.line.took = self.began.elapsed();
        self.gateway.metrics.count(&self.line);
        (self.gateway.config.log)(std::mem::take(&mut self.line));
    }
}

/// Whether it was one of two that were asked at once.
pub(super) fn is_hedged(attempt: &AttemptReport) -> bool {
    attempt.outcome.flags.has(Flags::HEDGED)
}

impl Line {
    /// The note as JSON, for logs.
    #[must_use]
    pub fn json(&self) -> Value {
        let mut object = Map::new();
        let mut put = |key: &str, value: Value| {
            object.insert(key.to_owned(), value);
        };
        put("at", self.at.to_string().into());
        put("method", self.method.as_str().into());
        put("path", self.path.as_str().into());
        put("status", self.status.into());
        put("ms", literal(&millis(self.took)));
        if let Some(client) = &self.client {
            put("client", client.as_str().into());
        }
        if let Some(Refused { code, param, .. }) = &self.refused {
            put("code", code.as_str().into());
            if let Some(param) = param {
                put("param", param.as_str().into());
            }
        }
        if let Some(named) = self.named.as_ref().filter(|_| self.chat.is_none()) {
            put("model", named.as_str().into());
        }
        let class = self.refused.as_ref().and_then(|refused| refused.class);
        if let Some(class) = class.filter(|_| self.chat.as_ref().is_none_or(|asked| asked.attempts().is_empty())) {
            put("class", class.name().into());
        }
        if let Some(asked) = &self.chat {
            let attempts = asked.attempts();
            put("model", asked.model.as_str().into());
            put("decision_id", asked.decision.as_str().into());
            put("attempts", attempts.len().into());
            if attempts.is_empty() && self.refused.is_none() {
                put("class", ErrorClass::Aborted.name().into());
            }
            if let Some(last) = attempts.last() {
                put("provider", last.endpoint.provider.as_str().into());
                put("class", last.outcome.class.name().into());
                let usage = last.outcome.usage.as_ref();
                let count =
                    |count: Option<crate::units::Tokens>| count.map_or(Value::Null, |count| count.count().into());
                put("input_tokens", count(usage.and_then(|usage| usage.input)));
                put("output_tokens", count(usage.and_then(|usage| usage.output)));
                let cost = asked.report.as_ref().and_then(|report| report.cost());
                put("cost_usd", cost.map_or(Value::Null, |cost| literal(&cost.exact())));
                if let Some(estimate) = asked.report.as_ref().and_then(|report| report.cost_estimate()) {
                    put("cost_estimate_usd", literal(&estimate.exact()));
                }
            }
            if asked.resumed() > 0 {
                put("resumed", asked.resumed().into());
            }
            if asked.attempts().iter().any(is_hedged) {
                put("hedged", true.into());
            }
        }
        object.into()
    }
}
