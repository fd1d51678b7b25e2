//! A whole answer, what it used, and an error, as OpenAI writes them.

use serde_json::{Map, Value};

use super::super::answer::{Answer, Call, call_json};
use super::super::members::Members;
use super::super::signed::signed;
use super::super::{Dialect, Ended, details};
use super::thoughts::{self, Telling};
use crate::catalog::{Origin, Usage};
use crate::chat::{ChatEvent, Finish};
use crate::gateway::problem::Problem;

/// The JSON document of a whole answer.
#[must_use]
pub fn completion(events: &[ChatEvent], ended: &Ended, telling: Telling) -> String {
    let answer = Answer::of(events);
    let mut out = String::with_capacity(1024 + answer.text.len() + answer.reasoning.len());
    Members::write(&mut out, |document| {
        document.text("id", &Dialect::OpenaiChat.answer_id(&ended.id));
        document.text("object", "chat.completion");
        document.literal("created", ended.created);
        document.text("model", &ended.model);
        document.text("provider", &ended.provider);
        let choices = document.name("choices");
        choices.push('[');
        Members::write(choices, |choice| {
            choice.literal("index", 0);
            choice.object("message", |turn| message(&answer, ended.maker.as_ref(), telling, turn));
            choice.null("logprobs");
            let finish = ended.finish.as_ref();
            choice.known("finish_reason", finish.map(|(finish, _)| finish_reason(*finish)));
            choice.known("native_finish_reason", finish.map(|(_, native)| native.as_str()));
        });
        choices.push(']');
        usage(ended, document.name("usage"));
        if let Some(metadata) = &ended.metadata {
            document.value("openmux", metadata);
        }
    });
    out
}

/// The turn in the form of [`Answer::message`], but for its thoughts, and for signatures of calls, which are in their ids.
fn message(answer: &Answer, maker: Option<&Origin>, telling: Telling, turn: &mut Members<'_>) {
    turn.text("role", "assistant");
    // Clients expect a text, with what was thought beside it.
    turn.known("content", answer.spoken().as_deref());
    if let Some((_, Some(signature))) = answer.first_thought().filter(|_| telling == Telling::Content) {
        turn.text("signature", signature);
    }
    let refuses = !answer.refusal.is_empty();
    if refuses {
        turn.text("refusal", &answer.refusal);
    }
    let call = |call: Call| {
        let id = signed(&call.id, call.signature.as_deref()).into_owned();
        call_json(Call { id, signature: None, ..call })
    };
    if answer.calls_tools() {
        turn.value("tool_calls", &answer.said_calls().map(call).collect::<Vec<_>>());
    }
    if let Some(origin) = answer.origin(maker) {
        turn.value("origin", &origin);
    }
    if !refuses {
        turn.null("refusal");
    }
    thoughts::tell(answer, telling, turn);
}

/// OpenAI's word. It has none for what this version does not know; the provider's own stands beside it.
#[must_use]
pub const fn finish_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Other => "stop",
        finish => finish.name(),
    }
}

/// Writes what was used and what it cost; unknown counts are null, and so is the whole where nothing was reported.
pub fn usage(ended: &Ended, out: &mut String) {
    if ended.usage.is_none() && ended.cost.is_none() {
        out.push_str("null");
        return;
    }
    let nothing = Usage::default();
    let counted = ended.usage.as_ref().unwrap_or(&nothing);
    let Usage { input, output, cache_read, cache_write, reasoning, .. } = counted;
    Members::write(out, |usage| {
        usage.count("prompt_tokens", *input);
        usage.count("completion_tokens", *output);
        usage.count("total_tokens", input.zip(*output).map(|(input, output)| input + output));
        let input = [
            ("cached_tokens", *cache_read),
            ("cache_write_tokens", *cache_write),
            ("audio_tokens", counted.input_audio),
            ("image_tokens", counted.input_image),
        ];
        let output = [
            ("reasoning_tokens", *reasoning),
            ("audio_tokens", counted.output_audio),
            ("image_tokens", counted.output_image),
        ];
        for (name, counts) in [("prompt_tokens_details", &input[..]), ("completion_tokens_details", &output)] {
            let known = counts.iter().filter(|(_, tokens)| tokens.is_some());
            if known.clone().next().is_some() {
                usage.object(name, |details| known.for_each(|(name, tokens)| details.count(name, *tokens)));
            }
        }
        ended.costs().for_each(|(name, amount)| usage.usd(name, amount));
    });
}

/// An error in OpenAI's envelope, with what openmux knows of it beside.
#[must_use]
pub fn error(problem: &Problem) -> Value {
    let mut error = Map::new();
    error.insert("message".to_owned(), problem.message.as_str().into());
    error.insert("type".to_owned(), kind(problem).into());
    error.extend(details(problem));
    let mut document = Map::new();
    document.insert("error".to_owned(), error.into());
    document.into()
}

/// OpenAI's type of an error, by its status.
fn kind(problem: &Problem) -> &'static str {
    match problem.status.as_u16() {
        401 => "authentication_error",
        402 => "insufficient_quota",
        403 => "permission_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    }
}
