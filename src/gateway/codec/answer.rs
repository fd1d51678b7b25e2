//! What a model said, put together from its events: text, reasoning, tool calls, and the turn that a script sends back.

use serde_json::{Map, Value};

use crate::chat::{ChatEvent, Origin, REDACTED_THINKING};

/// A call of a tool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Call {
    /// Its id, which its result names.
    pub id: String,
    /// The tool.
    pub name: String,
    /// The text of its arguments.
    pub arguments: String,
    /// What its maker wants back with it.
    pub signature: Option<String>,
}

/// What a turn is made of, in the order in which it began.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Block {
    Text(String),
    /// Words of a refusal.
    Refusal(String),
    Reasoning {
        text: String,
        signature: Option<String>,
    },
    /// The call of that number.
    Call(usize),
    /// An item of OpenAI Responses that no other dialect has.
    Item(Value),
}

/// A piece of a turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece<'a> {
    /// A text.
    Text(&'a str),
    /// A refusal.
    Refusal(&'a str),
    /// A thought, with what its maker wants back.
    Thought(&'a str, Option<&'a str>),
    /// A call of a tool.
    Call(Call),
    /// An item of OpenAI Responses that no other dialect has.
    Item(&'a Value),
}

/// What was said, put together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The answer's text, and what it says to refuse.
    pub text: String,
    /// What it says to refuse, where that was told apart.
    pub refusal: String,
    /// The reasoning, where it streams.
    pub reasoning: String,
    blocks: Vec<Block>,
    calls: Vec<Call>,
}

impl Answer {
    /// The answer that some events make.
    pub(crate) fn of(events: &[ChatEvent]) -> Self {
        let mut answer = Self::default();
        events.iter().for_each(|event| answer.add(event));
        answer
    }

    /// Takes one event in.
    pub(crate) fn add(&mut self, event: &ChatEvent) {
        match event {
            ChatEvent::Text(text) => {
                self.text.push_str(text);
                match self.blocks.last_mut() {
                    Some(Block::Text(last)) => last.push_str(text),
                    _ => self.blocks.push(Block::Text(text.clone())),
                }
            }
            ChatEvent::Refusal(text) => {
                self.text.push_str(text);
                self.refusal.push_str(text);
                match self.blocks.last_mut() {
                    Some(Block::Refusal(last)) => last.push_str(text),
                    _ => self.blocks.push(Block::Refusal(text.clone())),
                }
            }
            ChatEvent::Item(item) => self.blocks.push(Block::Item(item.clone())),
            ChatEvent::Reasoning(text) => {
                self.reasoning.push_str(text);
                match self.blocks.last_mut() {
                    // A signature ends a block: what follows is another.
                    Some(Block::Reasoning { text: last, signature: None }) => last.push_str(text),
                    _ => self.blocks.push(Block::Reasoning { text: text.clone(), signature: None }),
                }
            }
            ChatEvent::ToolCall { index, id, name, arguments } => {
                let call = self.call(*index);
                call.id.push_str(id.as_deref().unwrap_or_default());
                call.name.push_str(name.as_deref().unwrap_or_default());
                call.arguments.push_str(arguments);
            }
            ChatEvent::Signature { index: Some(index), signature } => {
                self.call(*index).signature.get_or_insert_default().push_str(signature);
            }
            ChatEvent::Signature { index: None, signature } => match self.last_said() {
                // What nobody may read is a thought of its own.
                Some(Block::Reasoning { signature: last @ None, .. }) if !signature.starts_with(REDACTED_THINKING) => {
                    *last = Some(signature.clone());
                }
                _ => self.blocks.push(Block::Reasoning { text: String::new(), signature: Some(signature.clone()) }),
            },
            ChatEvent::Started { .. }
            | ChatEvent::Usage(_)
            | ChatEvent::Billed(_)
            | ChatEvent::StopSequence(_)
            | ChatEvent::Finished { .. } => {}
        }
    }

    /// Somebody else goes on: what was signed before is of no use to them, nor beside their name.
    pub(crate) fn join(&mut self) {
        for block in &mut self.blocks {
            if let Block::Reasoning { signature, .. } = block {
                *signature = None;
            }
        }
        self.blocks.retain(|block| *block != Block::Reasoning { text: String::new(), signature: None });
    }

    /// What was said last, whatever was called since.
    fn last_said(&mut self) -> Option<&mut Block> {
        self.blocks.iter_mut().rev().find(|block| is_said(block))
    }

    fn call(&mut self, index: u32) -> &mut Call {
        let at = usize::try_from(index).unwrap_or(0).min(127);
        if self.calls.len() <= at {
            self.calls.resize(at + 1, Call::default());
        }
        if !self.blocks.contains(&Block::Call(at)) {
            self.blocks.push(Block::Call(at));
        }
        &mut self.calls[at]
    }

    /// What the turn is made of, in order. A text that goes on after a call is another piece.
    pub(crate) fn pieces(&self) -> impl Iterator<Item = Piece<'_>> {
        self.blocks.iter().filter_map(|block| match block {
            Block::Text(text) => Some(Piece::Text(text)),
            Block::Refusal(text) => Some(Piece::Refusal(text)),
            Block::Item(item) => Some(Piece::Item(item)),
            Block::Reasoning { text, signature } => Some(Piece::Thought(text, signature.as_deref())),
            Block::Call(at) => self.said_call(*at).map(Piece::Call),
        })
    }

    fn is_signed(&self) -> bool {
        let signed = |block: &Block| matches!(block, Block::Reasoning { signature: Some(_), .. });
        self.blocks.iter().any(signed) || self.calls.iter().any(|call| call.signature.is_some())
    }

    /// The thoughts one by one, where they are to be told apart.
    pub(crate) fn signed_thoughts(&self) -> Option<Value> {
        apart(self.pieces().filter_map(|piece| match piece {
            Piece::Thought(text, signature) => Some((text, signature)),
            Piece::Text(_) | Piece::Refusal(_) | Piece::Call(_) | Piece::Item(_) => None,
        }))
    }

    /// Whether the model wants tools called.
    pub(crate) fn calls_tools(&self) -> bool {
        self.said_calls().next().is_some()
    }

    /// The text without what refuses; `None` where there is none.
    pub(crate) fn spoken(&self) -> Option<String> {
        let text = |block: &Block| if let Block::Text(text) = block { Some(text.clone()) } else { None };
        Some(self.blocks.iter().filter_map(text).collect::<String>()).filter(|text| !text.is_empty())
    }

    /// The calls, each with an id, which some providers do not give.
    pub(super) fn said_calls(&self) -> impl Iterator<Item = Call> {
        (0..self.calls.len()).filter_map(|at| self.said_call(at))
    }

    /// A call; a number that a provider left out is none.
    fn said_call(&self, at: usize) -> Option<Call> {
        let call = self.calls.get(at).filter(|call| !call.name.is_empty())?;
        let id = if call.id.is_empty() { call_id(at) } else { call.id.clone() };
        Some(Call { id, ..call.clone() })
    }

    /// The tool calls as JSON: `id`, `name`, and `arguments` as an object.
    pub(crate) fn calls_json(&self) -> Vec<Value> {
        let call = |call: Call| {
            let mut object = Map::new();
            object.insert("id".to_owned(), call.id.as_str().into());
            object.insert("name".to_owned(), call.name.as_str().into());
            object.insert("arguments".to_owned(), arguments(&call.arguments));
            Value::from(object)
        };
        self.said_calls().map(call).collect()
    }

    /// The turn in the form that `--messages` reads, so that a script can append it and go on.
    /// Signatures are of use to `maker` alone, so it stands beside them.
    pub(crate) fn message(&self, maker: Option<&Origin>) -> Value {
        let mut object = Map::new();
        object.insert("role".to_owned(), "assistant".into());
        let first = self.first_thought();
        let said: Vec<&Block> = self.told().skip(usize::from(first.is_some())).collect();
        object.insert("content".to_owned(), content(&said));
        if let Some((text, signature)) = first {
            if !text.is_empty() {
                object.insert("reasoning".to_owned(), text.into());
            }
            if let Some(signature) = signature {
                object.insert("signature".to_owned(), signature.into());
            }
        }
        if !self.refusal.is_empty() {
            object.insert("refusal".to_owned(), self.refusal.as_str().into());
        }
        let calls: Vec<Value> = self.said_calls().map(call_json).collect();
        if !calls.is_empty() {
            object.insert("tool_calls".to_owned(), calls.into());
        }
        if let Some(origin) = self.origin(maker) {
            object.insert("origin".to_owned(), origin);
        }
        object.into()
    }

    /// What was said and is no refusal, which has a place of its own.
    fn told(&self) -> impl Iterator<Item = &Block> {
        self.blocks.iter().filter(|block| is_said(block) && !matches!(block, Block::Refusal(_)))
    }

    /// The one thought of the turn, with its signature, where the turn begins with it.
    pub(super) fn first_thought(&self) -> Option<(&str, Option<&str>)> {
        let mut told = self.told();
        match told.next() {
            Some(Block::Reasoning { text, signature }) if !told.any(is_reasoning) => Some((text, signature.as_deref())),
            _ => None,
        }
    }

    /// Who made the turn's signatures, where it has any.
    pub(super) fn origin(&self, maker: Option<&Origin>) -> Option<Value> {
        maker.filter(|_| self.is_signed()).map(origin)
    }
}

/// Thoughts with their signatures, as OpenRouter's `reasoning_details`, where there are several and one of them is signed: in
/// one text nobody could tell which signature belongs to which.
pub(crate) fn apart<'a>(thoughts: impl Iterator<Item = (&'a str, Option<&'a str>)>) -> Option<Value> {
    let thoughts: Vec<_> = thoughts.collect();
    if thoughts.len() < 2 || thoughts.iter().all(|(_, signature)| signature.is_none()) {
        return None;
    }
    let detail = |(index, (text, signature)): (usize, (&str, Option<&str>))| serde_json::json!({ "type": "reasoning.text", "text": text, "signature": signature, "index": index });
    Some(thoughts.into_iter().enumerate().map(detail).collect::<Vec<_>>().into())
}

/// Who made the signatures of a turn, as it stands beside them.
pub(crate) fn origin(maker: &Origin) -> Value {
    serde_json::json!({ "provider": maker.provider.as_str(), "protocol": maker.protocol.name() })
}

fn is_said(block: &Block) -> bool {
    !matches!(block, Block::Call(_) | Block::Item(_))
}

fn is_reasoning(block: &Block) -> bool {
    matches!(block, Block::Reasoning { .. })
}

/// Text alone is a text; with reasoning in between it is a list of parts; nothing is null.
fn content(blocks: &[&Block]) -> Value {
    if blocks.is_empty() {
        return Value::Null;
    }
    if !blocks.iter().any(|block| is_reasoning(block)) {
        let text = |block: &&Block| match block {
            Block::Text(text) => text.clone(),
            _ => String::new(),
        };
        return blocks.iter().map(text).collect::<String>().into();
    }
    let part = |block: &&Block| {
        let (kind, text) = match block {
            Block::Text(text) => ("text", text),
            Block::Reasoning { text, .. } => ("reasoning", text),
            _ => return None,
        };
        let mut object = Map::new();
        object.insert("type".to_owned(), kind.into());
        object.insert("text".to_owned(), text.as_str().into());
        if let Block::Reasoning { signature: Some(signature), .. } = block {
            object.insert("signature".to_owned(), signature.as_str().into());
        }
        Some(Value::from(object))
    };
    blocks.iter().filter_map(part).collect::<Vec<_>>().into()
}

/// The id of a call that its provider gave none: a result has to name it.
pub(crate) fn call_id(index: impl std::fmt::Display) -> String {
    format!("call_{index}")
}

/// A call as OpenAI writes it: the arguments are a text.
pub(super) fn call_json(call: Call) -> Value {
    let mut function = Map::new();
    function.insert("name".to_owned(), call.name.as_str().into());
    let arguments = if call.arguments.trim().is_empty() { "{}" } else { call.arguments.as_str() };
    function.insert("arguments".to_owned(), arguments.into());
    let mut object = Map::new();
    object.insert("id".to_owned(), call.id.as_str().into());
    object.insert("type".to_owned(), "function".into());
    object.insert("function".to_owned(), function.into());
    if let Some(signature) = call.signature {
        object.insert("signature".to_owned(), signature.into());
    }
    object.into()
}

/// Arguments as an object; an answer with others has failed before it came here.
pub(crate) fn arguments(text: &str) -> Value {
    if text.trim().is_empty() {
        return Map::new().into();
    }
    serde_json::from_str(text).unwrap_or_else(|_| text.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Protocol, ProviderId};

    fn piece(id: Option<&str>, name: Option<&str>, arguments: &str) -> ChatEvent {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        ChatEvent::ToolCall { index: 0, id: owned(id), name: owned(name), arguments: arguments.to_owned() }
    }

    fn signature(index: Option<u32>, text: &str) -> ChatEvent {
        ChatEvent::Signature { index, signature: text.to_owned() }
    }

    #[test]
    fn pieces_of_a_tool_call_are_put_together() {
        let mut answer = Answer::of(&[
            piece(Some("c1"), Some("look"), ""),
            piece(None, None, "{\"a\":"),
            piece(None, None, "1.50}"),
        ]);
        assert_eq!(answer.calls_json()[0].to_string(), r#"{"id":"c1","name":"look","arguments":{"a":1.50}}"#);
        answer.add(&signature(Some(0), "s"));
        assert_eq!(
            answer.message(None).to_string(),
            r#"{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"look","arguments":"{\"a\":1.50}"},"signature":"s"}]}"#
        );
        let empty = Answer::of(&[piece(Some("c1"), Some("now"), "")]);
        assert_eq!(empty.calls_json()[0]["arguments"].to_string(), "{}");
    }

    #[test]
    fn reasoning_goes_back_with_its_signature() {
        let think = |text: &str| ChatEvent::Reasoning(text.to_owned());
        let say = |text: &str| ChatEvent::Text(text.to_owned());
        let plain = Answer::of(&[think("a"), think("b"), signature(None, "s"), say("c"), say("d")]);
        assert_eq!(
            plain.message(None).to_string(),
            r#"{"role":"assistant","content":"cd","reasoning":"ab","signature":"s"}"#
        );
        let hidden = Answer::of(&[signature(None, "s"), say("c")]);
        assert_eq!(hidden.message(None).to_string(), r#"{"role":"assistant","content":"c","signature":"s"}"#);
        let maker = Origin { provider: ProviderId::new("anthropic"), protocol: Protocol::AnthropicMessages };
        assert_eq!(
            hidden.message(Some(&maker)).to_string(),
            r#"{"role":"assistant","content":"c","signature":"s","origin":{"provider":"anthropic","protocol":"anthropic-messages"}}"#
        );
        assert!(Answer::of(&[say("c")]).message(Some(&maker)).get("origin").is_none(), "nothing is signed");
        let twice = Answer::of(&[think("a"), signature(None, "s"), think("b"), signature(None, "t"), say("c")]);
        assert_eq!(
            twice.message(None)["content"].to_string(),
            r#"[{"type":"reasoning","text":"a","signature":"s"},{"type":"reasoning","text":"b","signature":"t"},{"type":"text","text":"c"}]"#
        );
        assert_eq!((twice.reasoning.as_str(), twice.text.as_str()), ("ab", "c"));
    }
}
