//! Prints a chat as it comes: text, or events, on stdout; what happens between attempts on stderr.

use std::time::Duration;

use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio::time::timeout;

use super::args::Format;
use super::chat::stop_signal;
use super::contract::Exit;
use super::record::Recorder;
use super::render::money::dollars;
use super::render::text::{duration, harmless, harmless_json};
use super::settings::Settings;
use super::writer::Writer;
use super::{Outcome, note, unwritable, warn};
use crate::catalog::{EndpointId, ModelId};
use crate::chat::ChatEvent;
use crate::dispatch::{Notice, Observer, Reach, Recording, Seam};
use crate::gateway::codec::answer::Answer;
use crate::gateway::problem::seam_members;
use crate::observe::ErrorClass;
use crate::upstream::auth::Found;

/// What was said so far, and where it goes.
pub(crate) struct Printer<'a> {
    /// Where it goes.
    pub settings: &'a Settings,
    /// Text, JSON or events.
    pub format: Format,
    /// The model that was asked.
    pub model: &'a ModelId,
    /// Whether reasoning is shown on stderr.
    pub show_reasoning: bool,
    /// The endpoints that the decision weighed, to name the key that one of them rejects.
    pub reaches: &'a [Reach],
    /// What was said, put together.
    pub answer: Answer,
    /// Keeps what goes over the wire, where that was asked for.
    pub recorder: Option<Recorder>,
    current: Option<EndpointId>,
    started: bool,
    ends_with_newline: bool,
    writer: Writer,
}

impl<'a> Printer<'a> {
    /// Nothing was said yet.
    pub(crate) fn new(settings: &'a Settings, format: Format, model: &'a ModelId, reaches: &'a [Reach]) -> Self {
        Self {
            settings,
            format,
            model,
            show_reasoning: false,
            reaches,
            answer: Answer::default(),
            recorder: None,
            current: None,
            started: false,
            ends_with_newline: true,
            writer: Writer::new(),
        }
    }

    /// Whose answer is told from now on.
    pub(crate) fn told_by(&mut self, endpoint: &EndpointId) {
        self.current = Some(endpoint.clone());
    }

    /// Writes data. What a model says must not steer a terminal; into a pipe it goes as it is.
    pub(crate) fn write(&mut self, text: &str) {
        self.writer.data(match (self.settings.out_is_terminal, self.format) {
            (false, _) => text.to_owned(),
            (true, Format::Text) => harmless(text),
            (true, _) => harmless_json(text),
        });
    }

    /// Turns true where nobody reads stdout any more.
    pub(crate) fn gone(&self) -> watch::Receiver<bool> {
        self.writer.gone()
    }

    /// Waits until everything is written, or a signal comes and says how to end. After one that came before, what nobody
    /// takes is waited for no longer than a second.
    pub(crate) async fn written(&mut self, signalled: Option<Exit>) -> Option<Exit> {
        let patience = if signalled.is_some() { Duration::from_secs(1) } else { Duration::MAX };
        let ended = tokio::select! {
            biased;
            written = timeout(patience, self.writer.written()) => written.map_err(|_| signalled),
            exit = stop_signal() => Err(Some(exit)),
        };
        let Err(exit) = ended else { return None };
        self.writer.give_up();
        exit
    }

    /// How the command ends where nobody reads: in peace, unless the answer was lost to a stdout that cannot be written.
    pub(crate) fn unread(&self) -> Option<Outcome> {
        match self.writer.broken() {
            Some(error) => Some(Err(unwritable(&error))),
            None => self.writer.is_gone().then_some(Ok(Exit::Ok)),
        }
    }

    fn event_line(&mut self, kind: &str, members: &[(&str, Value)]) {
        let mut object = Map::new();
        object.insert("type".to_owned(), kind.into());
        for (key, value) in members {
            object.insert((*key).to_owned(), value.clone());
        }
        self.write(&format!("{}\n", Value::Object(object)));
    }

    fn start_line(&mut self) {
        if self.started {
            return;
        }
        self.started = true;
        let provider = self.current.as_ref().map_or(Value::Null, |endpoint| endpoint.provider.as_str().into());
        let mut members = vec![("model", Value::from(self.model.as_str())), ("provider", provider)];
        if self.settings.sandbox.is_some() {
            members.push(("simulated", true.into()));
        }
        self.event_line("start", &members);
    }

    /// The text ends with exactly one newline; then each tool call is a line of JSON.
    pub(crate) fn finish_text(&mut self, whole: bool) {
        if self.format != Format::Text {
            return;
        }
        if !self.ends_with_newline {
            self.write("\n");
        }
        if whole {
            let line = |call| format!("{}\n", Value::from(Map::from_iter([("tool_call".to_owned(), call)])));
            let calls: String = self.answer.calls_json().into_iter().map(line).collect();
            if !calls.is_empty() {
                self.write(&calls);
            }
        }
    }
}

impl Observer for Printer<'_> {
    fn event(&mut self, event: ChatEvent) -> bool {
        self.answer.add(&event);
        match (&event, self.format) {
            (ChatEvent::Text(text) | ChatEvent::Refusal(text), Format::Text) => {
                self.ends_with_newline = text.ends_with('\n');
                self.write(text);
            }
            (ChatEvent::Reasoning(text), Format::Text) if self.show_reasoning && !self.settings.quiet => {
                let shown = if self.settings.err_is_terminal { harmless(text) } else { text.clone() };
                self.writer.talk(self.settings.err.dim(&shown));
            }
            (_, Format::Jsonl) => {
                self.start_line();
                match &event {
                    ChatEvent::Text(text) | ChatEvent::Refusal(text) => {
                        self.event_line("text", &[("text", text.as_str().into())]);
                    }
                    ChatEvent::Reasoning(text) => self.event_line("reasoning", &[("text", text.as_str().into())]),
                    ChatEvent::ToolCall { index, id, name, arguments } => self.event_line(
                        "tool_call",
                        &[
                            ("index", (*index).into()),
                            ("id", id.clone().map_or(Value::Null, Value::from)),
                            ("name", name.clone().map_or(Value::Null, Value::from)),
                            ("arguments", arguments.as_str().into()),
                        ],
                    ),
                    ChatEvent::Signature { index, signature } => self.event_line(
                        "signature",
                        &[("index", index.map_or(Value::Null, Value::from)), ("signature", signature.as_str().into())],
                    ),
                    ChatEvent::Item(_)
                    | ChatEvent::Started { .. }
                    | ChatEvent::Usage(_)
                    | ChatEvent::Billed(_)
                    | ChatEvent::StopSequence(_)
                    | ChatEvent::Finished { .. } => {}
                }
            }
            _ => {}
        }
        !self.writer.is_gone()
    }

    fn seam(&mut self, seam: &Seam) {
        self.answer.join();
        if self.format == Format::Jsonl {
            self.event_line("resume", &seam_members(seam));
        }
    }

    fn records(&self) -> bool {
        self.recorder.is_some()
    }

    fn recorded(&mut self, recording: Recording) {
        let Some(recorder) = &mut self.recorder else { return };
        let reach = self.reaches.iter().find(|reach| reach.endpoint.id == recording.endpoint);
        if let Some(Err(why)) = reach.map(|reach| recorder.keep(&recording, reach)) {
            warn(self.settings, &format!("this exchange was not kept: {why}"));
        }
    }

    fn notice(&mut self, notice: Notice) {
        let settings = self.settings;
        match notice {
            Notice::Trying { endpoint } => self.current = Some(endpoint),
            Notice::FailingOver { from, to, class } => {
                note(settings, &format!("failing over from {} to {}: {}", from.provider, to.provider, class.name()));
                if class == ErrorClass::Auth {
                    let source = self.reaches.iter().find(|reach| reach.endpoint.id == from).map(|reach| &reach.found);
                    match source {
                        Some(Found::Key { source, .. }) => {
                            warn(settings, &format!("{} rejected the key from {source}", from.provider));
                        }
                        Some(Found::Lazy { source, .. }) => {
                            warn(settings, &format!("signing in to {} with {source} failed", from.provider));
                        }
                        _ => {}
                    }
                }
                self.current = Some(to);
            }
            Notice::Retrying { endpoint, class, wait } => {
                self.current = Some(endpoint.clone());
                let when = if wait.is_zero() { "at once".to_owned() } else { format!("in {}", duration(wait)) };
                note(settings, &format!("trying {} again {when}: {}", endpoint.provider, class.name()));
            }
            Notice::Hedging { slow, endpoint, after, bound } => {
                let (slow, other, after) = (&slow.provider, &endpoint.provider, duration(after));
                let most = dollars(bound);
                note(
                    settings,
                    &format!("no token from {slow} after {after}: also asking {other} (at most {most} more)"),
                );
            }
            Notice::NotHedged { slow, after, over } => {
                let (slow, other, after) = (&slow.provider, &over.endpoint.provider, duration(after));
                let cap = dollars(over.cap);
                let why = over.reason.map_or_else(
                    || format!("the day's budget of {cap} does not hold it"),
                    |reason| format!("the day's budget cannot be kept: {reason}"),
                );
                note(settings, &format!("no token from {slow} after {after}, but {other} is not asked: {why}"));
            }
            Notice::Answering { endpoint } => self.current = Some(endpoint),
            Notice::Adapting { endpoint, change } => {
                note(
                    settings,
                    &format!("asking {} again {change}: it refused the request as it was", endpoint.provider),
                );
            }
            Notice::Dropped { endpoint, hints } => {
                let what = hints.join(", ");
                warn(
                    settings,
                    &format!("{what} is not sent to {}, which does not take it (--lenient)", endpoint.provider),
                );
            }
            Notice::Resuming { seam, since } => {
                let why = match since {
                    Some((other, class)) => format!("{} at {}", class.name(), other.provider),
                    None => seam.class.name().to_owned(),
                };
                let (to, from) = (&seam.to.provider, &seam.from.provider);
                let count = seam.characters;
                let unit = if count == 1 { "character" } else { "characters" };
                note(settings, &format!("resuming at {to} what {from} broke off after {count} {unit}: {why}"));
                self.current = Some(seam.to);
            }
            Notice::NotResumed(why) => note(settings, &format!("not resumed: {why}")),
            Notice::NotRecorded(why) => warn(settings, &format!("this attempt was not recorded: {why}")),
            // It is nothing that the answer, the bill or the next decision needs.
            Notice::NotKept(why) if settings.verbose > 0 => {
                note(settings, &format!("the decision was not kept: {why}"))
            }
            Notice::NotKept(_) => {}
        }
    }
}
