//! A turn of the model as it comes, sorted into blocks that begin, grow and end: what all dialects that stream one go by.
//!
//! What is said is one block after the other. Calls of tools grow beside one another and beside what is said, until the turn
//! ends: only then is it known that all of their arguments have come.

use std::collections::BTreeMap;

use super::answer::call_id;
use super::signed::signed;
use crate::chat::{ChatEvent, REDACTED_THINKING};

/// What a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// What the model says.
    Text,
    /// What it says to refuse.
    Refusal,
    /// What it thinks.
    Thought,
    /// The call of a tool of that number.
    Call(u32),
}

/// How a block begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Start<'a> {
    /// What the model says.
    Text,
    /// What it says to refuse.
    Refusal,
    /// What it thinks.
    Thought,
    /// A thought that nobody may read, in full: how it is signed.
    Sealed(&'a str),
    /// The call of a tool.
    Call {
        number: u32,
        /// What its result names, and in it what the call is signed with.
        id: &'a str,
        name: &'a str,
        /// The first piece of its arguments.
        arguments: &'a str,
    },
}

/// What happens to a block, by its place: blocks are numbered from 0 as they begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step<'a> {
    Begins(usize, Start<'a>),
    Grows(usize, Kind, &'a str),
    /// It is signed: a thought ends so, and a call where that was not known when it began.
    Signed(usize, Kind, &'a str),
    Ends(usize, Kind),
}

/// The turn as far as it has come.
#[derive(Debug, Default)]
pub(super) struct Turn {
    /// How many blocks have begun.
    count: usize,
    /// The block that what is said next may belong to.
    open: Option<(usize, Kind)>,
    /// The calls that have begun, by their numbers.
    calls: BTreeMap<u32, usize>,
    /// What is known of calls before their names: a call begins with its name.
    unnamed: BTreeMap<u32, Unnamed>,
}

#[derive(Debug, Default)]
struct Unnamed {
    id: Option<String>,
    arguments: String,
    signature: Option<String>,
}

impl Turn {
    /// Takes one event in, and tells what happens.
    pub(super) fn event(&mut self, event: &ChatEvent, mut tell: impl FnMut(Step<'_>)) {
        match event {
            ChatEvent::Text(piece) => {
                let at = self.open(Kind::Text, &mut tell);
                tell(Step::Grows(at, Kind::Text, piece));
            }
            ChatEvent::Refusal(piece) => {
                let at = self.open(Kind::Refusal, &mut tell);
                tell(Step::Grows(at, Kind::Refusal, piece));
            }
            ChatEvent::Reasoning(piece) => {
                let at = self.open(Kind::Thought, &mut tell);
                tell(Step::Grows(at, Kind::Thought, piece));
            }
            ChatEvent::ToolCall { index, id, name, arguments } => match self.calls.get(index) {
                Some(_) if arguments.is_empty() => {}
                Some(at) => tell(Step::Grows(*at, Kind::Call(*index), arguments)),
                None => {
                    let unnamed = self.unnamed.entry(*index).or_default();
                    unnamed.id = unnamed.id.take().or_else(|| id.clone());
                    unnamed.arguments.push_str(arguments);
                    if let Some(name) = name {
                        self.call(*index, name, &mut tell);
                    }
                }
            },
            ChatEvent::Signature { index: Some(index), signature } => match self.calls.get(index) {
                Some(at) => tell(Step::Signed(*at, Kind::Call(*index), signature)),
                None => {
                    let unnamed = self.unnamed.entry(*index).or_default();
                    unnamed.signature.get_or_insert_default().push_str(signature);
                }
            },
            ChatEvent::Signature { index: None, signature } => self.sign(signature, &mut tell),
            // What is whole at once takes a place of its own ([`Turn::place`]) where a dialect has it.
            ChatEvent::Item(_)
            | ChatEvent::Started { .. }
            | ChatEvent::Usage(_)
            | ChatEvent::Billed(_)
            | ChatEvent::StopSequence(_)
            | ChatEvent::Finished { .. } => {}
        }
    }

    /// The place of something that is whole at once; what was said before it ends.
    pub(super) fn place(&mut self, mut tell: impl FnMut(Step<'_>)) -> usize {
        self.close(&mut tell);
        self.count += 1;
        self.count - 1
    }

    /// The turn is whole: all that is open ends.
    pub(super) fn end(&mut self, mut tell: impl FnMut(Step<'_>)) {
        self.close(&mut tell);
        let mut calls: Vec<_> = std::mem::take(&mut self.calls).into_iter().collect();
        calls.sort_unstable_by_key(|(_, at)| *at);
        calls.into_iter().for_each(|(number, at)| tell(Step::Ends(at, Kind::Call(number))));
    }

    fn begin(&mut self, start: Start<'_>, tell: &mut impl FnMut(Step<'_>)) -> usize {
        self.close(tell);
        let at = self.count;
        self.count += 1;
        tell(Step::Begins(at, start));
        at
    }

    /// The block of that kind that is open, or a new one.
    fn open(&mut self, kind: Kind, tell: &mut impl FnMut(Step<'_>)) -> usize {
        if let Some((at, _)) = self.open.filter(|(_, open)| *open == kind) {
            return at;
        }
        let start = match kind {
            Kind::Text => Start::Text,
            Kind::Refusal => Start::Refusal,
            Kind::Thought | Kind::Call(_) => Start::Thought,
        };
        let at = self.begin(start, tell);
        self.open = Some((at, kind));
        at
    }

    fn close(&mut self, tell: &mut impl FnMut(Step<'_>)) {
        if let Some((at, kind)) = self.open.take() {
            tell(Step::Ends(at, kind));
        }
    }

    fn call(&mut self, number: u32, name: &str, tell: &mut impl FnMut(Step<'_>)) {
        let Unnamed { id, arguments, signature } = self.unnamed.remove(&number).unwrap_or_default();
        // Some providers give none; a result has to name it.
        let id = id.unwrap_or_else(|| call_id(number));
        let id = signed(&id, signature.as_deref());
        let at = self.begin(Start::Call { number, id: &id, name, arguments: &arguments }, tell);
        self.calls.insert(number, at);
    }

    /// A signature ends its thought.
    fn sign(&mut self, signature: &str, tell: &mut impl FnMut(Step<'_>)) {
        if signature.starts_with(REDACTED_THINKING) {
            let at = self.begin(Start::Sealed(signature), tell);
            self.open = Some((at, Kind::Thought));
        } else {
            let at = self.open(Kind::Thought, tell);
            tell(Step::Signed(at, Kind::Thought, signature));
        }
        self.close(tell);
    }
}
