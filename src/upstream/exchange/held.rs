//! Events that are held back before the first token: as long as they are few, an attempt that fails has shown nothing.

use super::Sink;
use crate::chat::ChatEvent;

/// The most events that are held.
const EVENTS: usize = 64;
/// The most bytes of text in them.
const BYTES: usize = 256 * 1024;

#[derive(Default)]
pub(super) struct Held {
    events: Vec<ChatEvent>,
    bytes: usize,
}

impl Held {
    /// Takes an event in; of several reports of usage in a row the last one counts.
    pub(super) fn push(&mut self, event: ChatEvent) {
        self.bytes += bytes_of(&event);
        match (self.events.last_mut(), event) {
            (Some(last @ ChatEvent::Usage(_)), event @ ChatEvent::Usage(_)) => *last = event,
            (_, event) => self.events.push(event),
        }
    }

    /// Whether there are more than are held.
    pub(super) fn is_full(&self) -> bool {
        self.events.len() > EVENTS || self.bytes > BYTES
    }

    /// Gives them up, in their order; whether all were taken.
    pub(super) fn give(self, sink: &mut Sink<'_>) -> bool {
        self.events.into_iter().all(sink)
    }
}

fn bytes_of(event: &ChatEvent) -> usize {
    let of = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    match event {
        ChatEvent::Started { id, model } => of(id) + of(model),
        ChatEvent::Text(text)
        | ChatEvent::Refusal(text)
        | ChatEvent::Reasoning(text)
        | ChatEvent::StopSequence(text) => text.len(),
        ChatEvent::Item(item) => item.to_string().len(),
        ChatEvent::ToolCall { id, name, arguments, .. } => of(id) + of(name) + arguments.len(),
        ChatEvent::Signature { signature, .. } => signature.len(),
        ChatEvent::Finished { native, .. } => native.len(),
        ChatEvent::Usage(_) | ChatEvent::Billed(_) => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Usage;

    fn signature(bytes: usize) -> ChatEvent {
        ChatEvent::Signature { index: None, signature: "s".repeat(bytes) }
    }

    fn all(held: Held) -> Vec<ChatEvent> {
        let mut given = Vec::new();
        assert!(held.give(&mut |event| {
            given.push(event);
            true
        }));
        given
    }

    #[test]
    fn a_few_are_held_and_more_are_given_up_in_their_order() {
        let mut held = Held::default();
        (1..=EVENTS).for_each(|size| held.push(signature(size)));
        assert!(!held.is_full());
        held.push(signature(0));
        assert!(held.is_full());
        let given = all(held);
        assert_eq!((given.len(), &given[1]), (EVENTS + 1, &signature(2)));
        let mut held = Held::default();
        held.push(signature(BYTES));
        assert!(!held.is_full());
        held.push(signature(1));
        assert!(held.is_full());
    }

    #[test]
    fn usage_that_is_told_again_and_again_fills_nothing() {
        let mut held = Held::default();
        (0..1000).for_each(|output| held.push(ChatEvent::Usage(Box::new(Usage::text(7, output)))));
        assert_eq!(all(held), [ChatEvent::Usage(Box::new(Usage::text(7, 999)))]);
    }
}
