//! The items of a response's output as far as they have been told.

use serde::Deserialize;
use serde_json::Value;

use crate::chat::{ChatEvent, flat_name, is_call};
use crate::upstream::DecodeError;

/// Where a thought streams: one and the same may be told in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channel {
    Summary,
    Content,
}

/// Which item a piece belongs to, as far as the provider says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) index: Option<u64>,
    pub(super) id: Option<&'a str>,
}

/// What separates the parts of a thought.
const BETWEEN_PARTS: &str = "\n\n";

/// All items, in the order in which they began.
#[derive(Debug, Default)]
pub(super) struct Items {
    items: Vec<Item>,
    calls: u32,
    /// Whether something else was said that the client is to do.
    has_others: bool,
    searches: u32,
}

#[derive(Debug, Default)]
struct Item {
    index: Option<u64>,
    id: Option<String>,
    /// llama.cpp gives some of its calls no other id.
    call_id: Option<String>,
    /// Which tool call of the answer it is, if it is one.
    call: Option<u32>,
    /// Its text or arguments so far.
    said: String,
    /// Its thought so far, where it streams, and which part came last.
    thought: String,
    channel: Option<Channel>,
    part: Option<u64>,
    is_signed: bool,
    /// Whether what it says is a refusal.
    refuses: bool,
    /// Whether it was told as it came.
    is_told: bool,
}

#[derive(Debug, Default, Deserialize)]
struct Wire {
    #[serde(rename = "type")]
    kind: String,
    id: Option<String>,
    call_id: Option<String>,
    name: Option<String>,
    /// The group that the function stands in.
    namespace: Option<String>,
    arguments: Option<String>,
    content: Option<Content>,
    summary: Option<Vec<Part>>,
    encrypted_content: Option<String>,
}

/// Some imitations send a message's text as it is.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Debug, Deserialize)]
struct Part {
    text: Option<String>,
    refusal: Option<String>,
}

impl Items {
    /// Whether the model called a tool.
    pub(super) fn has_calls(&self) -> bool {
        self.calls > 0 || self.has_others
    }

    /// How often the provider has searched the web.
    pub(super) const fn searches(&self) -> u32 {
        self.searches
    }

    /// An item begins. Its content is told later, in pieces or when it is done.
    pub(super) fn begin(
        &mut self,
        item: &Value,
        index: Option<u64>,
        out: &mut Vec<ChatEvent>,
    ) -> Result<(), DecodeError> {
        let wire = read(item)?;
        if self.find(index, &wire).is_none() {
            self.add(index, &wire, String::new(), out)?;
        }
        Ok(())
    }

    /// An item is done: tells what of it has not been told in pieces.
    pub(super) fn settle(
        &mut self,
        item: &Value,
        index: Option<u64>,
        out: &mut Vec<ChatEvent>,
    ) -> Result<(), DecodeError> {
        let wire = read(item)?;
        let arguments = wire.arguments.clone().unwrap_or_default();
        let at = match self.find(index, &wire) {
            Some(at) => at,
            None => self.add(index, &wire, arguments.clone(), out)?,
        };
        let raw = item;
        let item = &mut self.items[at];
        match wire.kind.as_str() {
            "function_call" => item.all_arguments(&arguments, out),
            "message" => item.all_text(&wire, out),
            "reasoning" => {
                item.all_thoughts(&wire, out);
                let signature = wire.encrypted_content.filter(|signature| !signature.is_empty());
                if let Some(signature) = signature.filter(|_| !std::mem::replace(&mut item.is_signed, true)) {
                    out.push(ChatEvent::Signature { index: None, signature });
                }
            }
            // Tools that the server runs itself, and whatever comes to exist: for who speaks the dialect.
            _ if std::mem::replace(&mut item.is_told, true) => {}
            kind => {
                self.has_others |= is_call(raw);
                let searched = raw["action"]["type"].as_str().is_none_or(|action| action == "search");
                self.searches += u32::from(kind == "web_search_call" && searched);
                out.push(ChatEvent::Item(raw.clone()));
            }
        }
        Ok(())
    }

    /// The whole output. Items are settled by it where they are known; where nothing has been told it is all there is.
    pub(super) fn complete(&mut self, output: &[Value], out: &mut Vec<ChatEvent>) -> Result<(), DecodeError> {
        let is_untold = self.items.iter().all(Item::is_untold);
        for (index, item) in (0..).zip(output) {
            if is_untold || self.find(Some(index), &read(item)?).is_some() {
                self.settle(item, Some(index), out)?;
            }
        }
        Ok(())
    }

    /// A piece of text, or of a refusal.
    pub(super) fn text(&mut self, place: &Place<'_>, piece: &str, refuses: bool, out: &mut Vec<ChatEvent>) {
        if !piece.is_empty() {
            let item = self.item(place);
            item.said.push_str(piece);
            item.refuses = refuses;
            out.push(words(piece.to_owned(), refuses));
        }
    }

    /// A piece of a thought.
    pub(super) fn thought(
        &mut self,
        place: &Place<'_>,
        channel: Channel,
        part: Option<u64>,
        piece: &str,
        out: &mut Vec<ChatEvent>,
    ) {
        let item = self.item(place);
        if piece.is_empty() || *item.channel.get_or_insert(channel) != channel {
            return;
        }
        let is_next = !item.thought.is_empty() && item.part != part;
        item.part = part;
        let piece = format!("{}{piece}", if is_next { BETWEEN_PARTS } else { "" });
        item.thought.push_str(&piece);
        out.push(ChatEvent::Reasoning(piece));
    }

    /// A piece of a call's arguments.
    ///
    /// # Errors
    /// The call has not begun.
    pub(super) fn arguments(
        &mut self,
        place: &Place<'_>,
        piece: &str,
        out: &mut Vec<ChatEvent>,
    ) -> Result<(), DecodeError> {
        let call = self.call(place);
        let item = call.ok_or_else(|| DecodeError::Corrupt("arguments of a call that has not begun".to_owned()))?;
        item.say_arguments(piece, out);
        Ok(())
    }

    /// All of a call's arguments.
    pub(super) fn all_arguments(&mut self, place: &Place<'_>, arguments: &str, out: &mut Vec<ChatEvent>) {
        if let Some(item) = self.call(place) {
            item.all_arguments(arguments, out);
        }
    }

    fn add(
        &mut self,
        index: Option<u64>,
        wire: &Wire,
        arguments: String,
        out: &mut Vec<ChatEvent>,
    ) -> Result<usize, DecodeError> {
        let mut item = Item { index, id: wire.id.clone(), call_id: wire.call_id.clone(), ..Item::default() };
        if wire.kind == "function_call" {
            let name = wire.name.clone().filter(|name| !name.is_empty());
            let name = name.ok_or_else(|| DecodeError::Corrupt("a call names no function".to_owned()))?;
            let namespace = wire.namespace.as_ref().filter(|namespace| !namespace.is_empty());
            let name = namespace.map_or(name.clone(), |namespace| flat_name(namespace, &name));
            let id = wire.call_id.clone().or_else(|| wire.id.clone());
            item.call = Some(self.calls);
            item.said.clone_from(&arguments);
            out.push(ChatEvent::ToolCall { index: self.calls, id, name: Some(name), arguments });
            self.calls = self.calls.saturating_add(1);
        }
        self.items.push(item);
        Ok(self.items.len() - 1)
    }

    fn find(&self, index: Option<u64>, wire: &Wire) -> Option<usize> {
        let by_id = || self.position(&Place { index, id: wire.id.as_deref() });
        by_id().or_else(|| self.position(&Place { index, id: wire.call_id.as_deref() }))
    }

    /// The index decides where both sides have one, since some proxies change the ids on the way.
    fn position(&self, place: &Place<'_>) -> Option<usize> {
        let has_id =
            |item: &&Item| [&item.id, &item.call_id].into_iter().flatten().any(|id| Some(id.as_str()) == place.id);
        self.items.iter().rposition(|item| match (item.index, place.index) {
            (Some(known), Some(index)) => known == index,
            _ => place.id.is_some() && has_id(&item),
        })
    }

    /// The item at a place, which begins here where nobody has said so; without a place, the last one.
    fn item(&mut self, place: &Place<'_>) -> &mut Item {
        let is_nowhere = place.index.is_none() && place.id.is_none();
        let last = self.items.len().checked_sub(1).filter(|_| is_nowhere);
        let at = self.position(place).or(last).unwrap_or_else(|| {
            self.items.push(Item { index: place.index, id: place.id.map(str::to_owned), ..Item::default() });
            self.items.len() - 1
        });
        &mut self.items[at]
    }

    /// The call at a place; without a place, the last one.
    fn call(&mut self, place: &Place<'_>) -> Option<&mut Item> {
        let is_nowhere = place.index.is_none() && place.id.is_none();
        let last = || self.items.iter().rposition(|item| item.call.is_some()).filter(|_| is_nowhere);
        let at = self.position(place).or_else(last)?;
        self.items.get_mut(at).filter(|item| item.call.is_some())
    }
}

impl Item {
    /// Whether nothing of it has reached the caller.
    fn is_untold(&self) -> bool {
        self.said.is_empty() && self.thought.is_empty() && self.call.is_none() && !self.is_told
    }

    fn say_arguments(&mut self, piece: &str, out: &mut Vec<ChatEvent>) {
        if let Some(index) = self.call.filter(|_| !piece.is_empty()) {
            self.said.push_str(piece);
            out.push(ChatEvent::ToolCall { index, id: None, name: None, arguments: piece.to_owned() });
        }
    }

    fn all_arguments(&mut self, arguments: &str, out: &mut Vec<ChatEvent>) {
        let rest = rest(arguments, &self.said);
        self.say_arguments(rest, out);
    }

    fn all_text(&mut self, wire: &Wire, out: &mut Vec<ChatEvent>) {
        let rest = rest(&wire.parts().concat(), &self.said).to_owned();
        if rest.is_empty() {
            return;
        }
        if self.said.is_empty() {
            // Nothing has streamed: each part is what it is.
            match &wire.content {
                Some(Content::Parts(parts)) => out.extend(parts.iter().filter_map(Part::event)),
                _ => out.push(ChatEvent::Text(rest.clone())),
            }
        } else {
            out.push(words(rest.clone(), self.refuses));
        }
        self.said.push_str(&rest);
    }

    /// Its whole thought, in the channel in which it streamed, else in its own words rather than in a summary of them.
    fn all_thoughts(&mut self, wire: &Wire, out: &mut Vec<ChatEvent>) {
        let own = wire.parts().join(BETWEEN_PARTS);
        let summary: Vec<&str> = wire.summary.iter().flatten().filter_map(Part::words).collect();
        let summary = summary.join(BETWEEN_PARTS);
        let whole = match self.channel {
            Some(Channel::Content) => own,
            Some(Channel::Summary) => summary,
            None if own.is_empty() => summary,
            None => own,
        };
        let rest = rest(&whole, &self.thought).to_owned();
        if !rest.is_empty() {
            self.thought.push_str(&rest);
            out.push(ChatEvent::Reasoning(rest));
        }
    }
}

impl Wire {
    fn parts(&self) -> Vec<&str> {
        match &self.content {
            None => Vec::new(),
            Some(Content::Text(text)) => vec![text],
            Some(Content::Parts(parts)) => parts.iter().filter_map(Part::words).collect(),
        }
    }
}

impl Part {
    fn words(&self) -> Option<&str> {
        self.text.as_deref().or(self.refusal.as_deref())
    }

    fn event(&self) -> Option<ChatEvent> {
        let said = self.words().filter(|said| !said.is_empty())?;
        Some(words(said.to_owned(), self.text.is_none()))
    }
}

/// What is said, or how it is refused.
fn words(piece: String, refuses: bool) -> ChatEvent {
    if refuses { ChatEvent::Refusal(piece) } else { ChatEvent::Text(piece) }
}

/// An item as it came. Of those that this version does not know, only that they are there.
fn read(item: &Value) -> Result<Wire, DecodeError> {
    let kind = item.get("type").and_then(Value::as_str);
    let kind = kind.ok_or_else(|| DecodeError::Corrupt("an item has no type".to_owned()))?;
    if !matches!(kind, "function_call" | "message" | "reasoning") {
        let id = item.get("id").and_then(Value::as_str).map(str::to_owned);
        return Ok(Wire { kind: kind.to_owned(), id, ..Wire::default() });
    }
    Wire::deserialize(item).map_err(|error| DecodeError::Corrupt(format!("an item cannot be read: {error}")))
}

/// What of a whole has not been said yet; nothing where what was said is not its beginning.
fn rest<'a>(whole: &'a str, said: &str) -> &'a str {
    whole.strip_prefix(said).unwrap_or_default()
}
