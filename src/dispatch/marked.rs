//! How much of a chat providers are told to keep in their prompt caches: what stands before the last mark, in the order in
//! which they read it.

use super::weigh::{Weight, message_weight, part_weight, tool_weight};
use crate::chat::{CachePlace, ChatRequest, Part, Role};
use crate::units::Tokens;

/// Tokens up to the last mark, and of these up to the last one that is to be kept for an hour; zero where there is none.
/// Where a request leaves it to us which part of it is stable, that is all but its last turn.
pub(super) fn marked(request: &ChatRequest) -> (Tokens, Tokens) {
    if request.marks.is_empty() {
        let kept = if request.cache { stable(request) } else { Tokens::ZERO };
        return (kept, Tokens::ZERO);
    }
    let up_to = |hours: bool| {
        let marks = request.marks.iter().filter(|mark| mark.hour || !hours).map(|mark| mark.place);
        let last = marks.max_by_key(|place| order(request, *place));
        last.map_or(Tokens::ZERO, |place| before(request, place))
    };
    (up_to(false), up_to(true))
}

fn tokens(weights: impl Iterator<Item = Weight>) -> Tokens {
    weights.fold(Weight::default(), Weight::plus).tokens_expected()
}

/// Tools, instructions, and the turns before the user's last one.
fn stable(request: &ChatRequest) -> Tokens {
    let last = request.messages.iter().rposition(|message| message.role == Role::User).unwrap_or(0);
    let is_stable = |at: usize| at < last || is_instruction(request, at);
    let messages = (0..request.messages.len()).filter(|at| is_stable(*at));
    tokens(request.tools.iter().map(tool_weight).chain(messages.map(|at| message_weight(&request.messages[at]))))
}

fn is_instruction(request: &ChatRequest, at: usize) -> bool {
    request.messages.get(at).is_some_and(|message| matches!(message.role, Role::System | Role::Developer))
}

/// Where the end of a place stands among others: tools first, then instructions, then the turns.
fn order(request: &ChatRequest, place: CachePlace) -> (u8, usize, usize, usize) {
    match place {
        CachePlace::Tool(number) => (0, number, 0, 0),
        CachePlace::Part { message, part, within } => {
            let group = if is_instruction(request, message) { 1 } else { 2 };
            (group, message, part, within.unwrap_or(usize::MAX))
        }
        CachePlace::End => (3, 0, 0, 0),
    }
}

/// What stands before the end of a place: tools first, then instructions, then the turns.
fn before(request: &ChatRequest, place: CachePlace) -> Tokens {
    let tools = |count: usize| request.tools.iter().take(count).map(tool_weight);
    let (message, part, within) = match place {
        CachePlace::Tool(number) => return tokens(tools(number.saturating_add(1))),
        CachePlace::Part { message, part, within } => (message, part, within),
        CachePlace::End => (usize::MAX, usize::MAX, None),
    };
    let instruction = is_instruction(request, message);
    let whole = |at: usize| {
        let first = is_instruction(request, at);
        if instruction { first && at < message } else { first || at < message }
    };
    let wholes =
        request.messages.iter().enumerate().filter(|(at, _)| whole(*at)).map(|(_, message)| message_weight(message));
    let parts = request.messages.get(message).map_or(&[][..], |message| message.parts.as_slice());
    let begun = parts.iter().take(part);
    let last = parts.get(part).map(|part| match (part, within) {
        (Part::ToolResult(result), Some(piece)) => {
            result.content.iter().take(piece.saturating_add(1)).map(part_weight).fold(Weight::default(), Weight::plus)
        }
        (part, _) => part_weight(part),
    });
    tokens(tools(usize::MAX).chain(wholes).chain(begun.map(part_weight)).chain(last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::ModelId;
    use crate::chat::{CacheMark, Message, Tool};

    fn asked(marks: &[(CachePlace, bool)]) -> (u64, u64) {
        let text = |role, count: usize| Message::text(role, "word".repeat(count));
        let messages =
            vec![text(Role::System, 100), text(Role::User, 20), text(Role::Assistant, 30), text(Role::User, 7)];
        let mut request = ChatRequest::new(ModelId::new("a/b"), messages);
        let tool = Tool { name: "look".to_owned(), description: None, parameters: serde_json::json!({}), strict: None };
        request.tools = vec![tool.clone(), tool];
        request.marks = marks.iter().map(|(place, hour)| CacheMark { place: *place, hour: *hour }).collect();
        let (all, hour) = marked(&request);
        assert!(all <= super::super::route_request(&request, crate::routing::Constraints::default()).input);
        (all.count(), hour.count())
    }

    #[test]
    fn what_stands_before_the_last_mark_is_kept() {
        let part = |message| CachePlace::Part { message, part: 0, within: None };
        // A tool is nine and a half: its name, its schema, and what surrounds it.
        assert_eq!(asked(&[]), (0, 0));
        assert_eq!(asked(&[(CachePlace::Tool(0), false)]), (10, 0));
        assert_eq!(asked(&[(CachePlace::Tool(1), true), (part(0), false)]), (119, 19));
        assert_eq!(asked(&[(part(0), true), (part(2), false)]), (169, 119));
        assert_eq!(asked(&[(CachePlace::End, false)]), (176, 0));
        let mut request = ChatRequest::new(ModelId::new("a/b"), vec![Message::text(Role::User, "word")]);
        request.cache = true;
        assert_eq!(marked(&request), (Tokens::ZERO, Tokens::ZERO), "nothing of it is stable");
        request.messages.insert(0, Message::text(Role::System, "word".repeat(9)));
        assert_eq!(marked(&request), (Tokens::new(9), Tokens::ZERO));
    }
}
