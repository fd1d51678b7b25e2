//! What is noted of each request when it ends: no prompt, no answer, no key.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::Gateway;
use super::client::Client;
use super::codec::members::Members;
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
    /// In a place of its own: it is handed on from step to step.
    line: Box<Line>,
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
        let line = Box::new(line);
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
        (self.gateway.config.log)(std::mem::take(&mut *self.line));
    }
}

/// Whether it was one of two that were asked at once.
pub(super) fn is_hedged(attempt: &AttemptReport) -> bool {
    attempt.outcome.flags.has(Flags::HEDGED)
}

impl Line {
    /// Writes the note as a JSON object in one line, for logs.
    pub fn write(&self, text: &mut String) {
        Members::write(text, |line| self.tell(line));
    }

    fn tell(&self, line: &mut Members<'_>) {
        line.text("at", &self.at.to_string());
        line.text("method", &self.method);
        line.text("path", &self.path);
        line.literal("status", self.status);
        line.literal("ms", millis(self.took));
        if let Some(client) = &self.client {
            line.text("client", client);
        }
        if let Some(Refused { code, param, .. }) = &self.refused {
            line.text("code", code);
            if let Some(param) = param {
                line.text("param", param);
            }
        }
        if let Some(named) = self.named.as_ref().filter(|_| self.chat.is_none()) {
            line.text("model", named);
        }
        let class = self.refused.as_ref().and_then(|refused| refused.class);
        if let Some(class) = class.filter(|_| self.chat.as_ref().is_none_or(|asked| asked.attempts().is_empty())) {
            line.text("class", class.name());
        }
        if let Some(asked) = &self.chat {
            asked.tell(self.refused.is_some(), line);
        }
    }
}

impl Asked {
    fn tell(&self, is_refused: bool, line: &mut Members<'_>) {
        let attempts = self.attempts();
        line.text("model", &self.model);
        line.text("decision_id", &self.decision);
        line.literal("attempts", attempts.len());
        if attempts.is_empty() && !is_refused {
            line.text("class", ErrorClass::Aborted.name());
        }
        if let Some(last) = attempts.last() {
            line.text("provider", last.endpoint.provider.as_str());
            line.text("class", last.outcome.class.name());
            let usage = last.outcome.usage.as_ref();
            line.count("input_tokens", usage.and_then(|usage| usage.input));
            line.count("output_tokens", usage.and_then(|usage| usage.output));
            line.usd("cost_usd", self.report.as_ref().and_then(|report| report.cost()));
            if let Some(estimate) = self.report.as_ref().and_then(|report| report.cost_estimate()) {
                line.usd("cost_estimate_usd", Some(estimate));
            }
        }
        if self.resumed() > 0 {
            line.literal("resumed", self.resumed());
        }
        if attempts.iter().any(is_hedged) {
            line.literal("hedged", true);
        }
    }
}
