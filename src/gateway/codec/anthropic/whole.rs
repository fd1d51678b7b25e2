//! A whole message, what it used, and an error, as Anthropic writes them.

use serde_json::{Map, Value, json};

use super::super::answer::{Answer, Piece, arguments};
use super::super::members::written;
use super::super::signed::signed;
use super::super::{Dialect, Ended, Likely, details, literal};
use crate::catalog::Usage;
use crate::chat::{ChatEvent, Finish, REDACTED_THINKING};
use crate::gateway::problem::Problem;
use crate::units::{Tokens, Usd};

/// The JSON document of a whole message. With `hides_thoughts` only the signatures of thoughts are in it.
#[must_use]
pub fn message(events: &[ChatEvent], ended: &Ended, hides_thoughts: bool) -> String {
    let answer = Answer::of(events);
    let is_told = ended.usage.as_ref().is_some_and(|usage| usage.output.is_some());
    let output = ended.likely.output.or_else(|| (!is_told).then(|| about(&answer)));
    let likely = Likely { output, ..ended.likely };
    let blocks = answer.pieces().filter_map(|piece| block(piece, hides_thoughts));
    let mut document = Map::new();
    document.insert("id".to_owned(), Dialect::AnthropicMessages.answer_id(&ended.id).into());
    document.insert("type".to_owned(), "message".into());
    document.insert("role".to_owned(), "assistant".into());
    document.insert("model".to_owned(), ended.model.as_str().into());
    document.insert("provider".to_owned(), ended.provider.as_str().into());
    document.insert("content".to_owned(), blocks.collect());
    let sequence = events.iter().rev().find_map(|event| match event {
        ChatEvent::StopSequence(text) => Some(text.as_str()),
        _ => None,
    });
    document.extend(stop(ended, sequence, !answer.refusal.is_empty()));
    document.insert("usage".to_owned(), usage(ended, likely).into());
    if let Some(metadata) = &ended.metadata {
        document.insert("openmux".to_owned(), metadata.clone());
    }
    written(&document)
}

fn block(piece: Piece<'_>, hides_thoughts: bool) -> Option<Value> {
    Some(match piece {
        Piece::Text(text) | Piece::Refusal(text) => json!({ "type": "text", "text": text }),
        Piece::Thought(_, Some(signature)) if signature.starts_with(REDACTED_THINKING) => {
            json!({ "type": "redacted_thinking", "data": signature.strip_prefix(REDACTED_THINKING) })
        }
        Piece::Thought(_, None) if hides_thoughts => return None,
        Piece::Thought(text, signature) => {
            let text = if hides_thoughts { "" } else { text };
            json!({ "type": "thinking", "thinking": text, "signature": signature.unwrap_or_default() })
        }
        Piece::Call(call) => {
            let id = signed(&call.id, call.signature.as_deref());
            json!({ "type": "tool_use", "id": id, "name": call.name, "input": arguments(&call.arguments) })
        }
        Piece::Item(_) => return None,
    })
}

/// How the answer ended: in Anthropic's word, at which text where the provider says it (Anthropic's own dialect does), and in
/// the provider's word.
pub(super) fn stop(ended: &Ended, sequence: Option<&str>, refuses: bool) -> [(String, Value); 3] {
    let (reason, native) = match &ended.finish {
        Some((Finish::Stop | Finish::Other, native)) if refuses => ("refusal".into(), native.as_str().into()),
        Some((finish, native)) => (stop_reason(*finish, native).into(), native.as_str().into()),
        None => (Value::Null, Value::Null),
    };
    [("stop_reason", reason), ("stop_sequence", sequence.into()), ("native_stop_reason", native)]
        .map(|(name, value)| (name.to_owned(), value))
}

/// Anthropic's word. Where the provider spoke the dialect it is its own.
fn stop_reason(finish: Finish, native: &str) -> &str {
    match (finish, native) {
        (Finish::Stop, "stop_sequence")
        | (Finish::Length, "model_context_window_exceeded")
        | (Finish::Other, "pause_turn") => native,
        (Finish::Stop | Finish::Other, _) => "end_turn",
        (Finish::Length, _) => "max_tokens",
        (Finish::ToolCalls, _) => "tool_use",
        (Finish::Filter, _) => "refusal",
        // No answer ends so.
        (Finish::Error, _) => "error",
    }
}

/// Tokens that an answer has by its length: one for every four characters, as of a request.
fn about(answer: &Answer) -> Tokens {
    let calls = answer.pieces().map(|piece| match piece {
        Piece::Call(call) => call.name.chars().count() + call.arguments.chars().count(),
        Piece::Text(text) | Piece::Refusal(text) | Piece::Thought(text, _) => text.chars().count(),
        Piece::Item(_) => 0,
    });
    Tokens::new(u64::try_from(calls.sum::<usize>()).unwrap_or(u64::MAX).div_ceil(4))
}

/// What was used and what it cost. Cached and written input lies beside the rest of it.
pub(super) fn usage(ended: &Ended, likely: Likely) -> Map<String, Value> {
    let mut object = counts(&ended.usage.clone().unwrap_or_default(), likely);
    let usd = |amount: Option<Usd>| amount.map_or(Value::Null, |amount| literal(&amount.exact()));
    object.extend(ended.costs().map(|(name, amount)| (name.to_owned(), usd(amount))));
    object
}

/// The counts alone. Those of the cache are null where they are unknown; the other two are numbers in Anthropic's schema,
/// and where the provider has told none the estimate stands there and `estimated` names it.
pub(super) fn counts(usage: &Usage, likely: Likely) -> Map<String, Value> {
    let Usage { input, output, cache_read, cache_write, cache_write_1h, reasoning, web_searches, .. } = usage;
    let count = |tokens: Option<Tokens>| tokens.map_or(Value::Null, |tokens| tokens.count().into());
    let known = |tokens: &Option<Tokens>| tokens.map_or(0, Tokens::count);
    let beside = known(cache_read).saturating_add(known(cache_write));
    let fresh = input.unwrap_or(likely.input).count().saturating_sub(beside);
    let said = output.or(likely.output).map_or(0, Tokens::count);
    let mut object = Map::new();
    object.insert("input_tokens".to_owned(), fresh.into());
    object.insert("output_tokens".to_owned(), said.into());
    object.insert("cache_read_input_tokens".to_owned(), count(*cache_read));
    object.insert("cache_creation_input_tokens".to_owned(), count(*cache_write));
    if let Some(hour) = cache_write_1h {
        let minutes = known(cache_write).saturating_sub(hour.count());
        let lifetimes = json!({ "ephemeral_5m_input_tokens": minutes, "ephemeral_1h_input_tokens": hour.count() });
        object.insert("cache_creation".to_owned(), lifetimes);
    }
    if let Some(reasoning) = reasoning {
        let details = json!({ "thinking_tokens": reasoning.count() });
        object.insert("output_tokens_details".to_owned(), details);
    }
    if *web_searches > 0 {
        object.insert("server_tool_use".to_owned(), json!({ "web_search_requests": web_searches }));
    }
    if let Some(tier) = &usage.service_tier {
        object.insert("service_tier".to_owned(), tier.as_str().into());
    }
    let guessed = [("input_tokens", input), ("output_tokens", output)].into_iter().filter(|(_, told)| told.is_none());
    let guessed: Vec<&str> = guessed.map(|(name, _)| name).collect();
    if !guessed.is_empty() {
        object.insert("estimated".to_owned(), guessed.into());
    }
    object
}

/// An error in Anthropic's envelope, with what openmux knows of it beside.
#[must_use]
pub fn error(problem: &Problem, id: Option<&str>) -> Value {
    let mut error = Map::new();
    error.insert("type".to_owned(), kind(problem).into());
    error.insert("message".to_owned(), problem.message.as_str().into());
    error.extend(details(problem));
    json!({ "type": "error", "error": error, "request_id": id })
}

/// Anthropic's type of an error, by its status.
fn kind(problem: &Problem) -> &'static str {
    match problem.status.as_u16() {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        503 => "overloaded_error",
        504 => "timeout_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    }
}
