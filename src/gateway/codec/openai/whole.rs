//! A whole answer, what it used, and an error, as OpenAI writes them.

use serde_json::{Map, Value};

use super::super::answer::Answer;
use super::super::signed::signed;
use super::super::{Dialect, Ended, details};
use super::thoughts::{self, Telling};
use crate::catalog::Usage;
use crate::chat::{ChatEvent, Finish};
use crate::gateway::problem::Problem;
use crate::units::Tokens;

/// The document of a whole answer.
#[must_use]
pub fn completion(events: &[ChatEvent], ended: &Ended, telling: Telling) -> Value {
    let answer = Answer::of(events);
    let mut message = match answer.message(ended.maker.as_ref()) {
        Value::Object(message) => message,
        _ => Map::new(),
    };
    // Clients expect a text, with what was thought beside it.
    message.insert("content".to_owned(), answer.spoken().map_or(Value::Null, Value::from));
    message.entry("refusal").or_insert(Value::Null);
    thoughts::tell(&answer, telling, &mut message);
    if let Some(Value::Array(calls)) = message.get_mut("tool_calls") {
        calls.iter_mut().filter_map(Value::as_object_mut).for_each(sign);
    }
    let finish = ended.finish.as_ref();
    let mut choice = Map::with_capacity(5);
    choice.insert("index".to_owned(), 0.into());
    choice.insert("message".to_owned(), message.into());
    choice.insert("logprobs".to_owned(), Value::Null);
    choice.insert("finish_reason".to_owned(), finish.map_or(Value::Null, |(finish, _)| finish_reason(*finish).into()));
    choice.insert("native_finish_reason".to_owned(), finish.map_or(Value::Null, |(_, native)| native.as_str().into()));
    let mut document = Map::with_capacity(8);
    document.insert("id".to_owned(), Dialect::OpenaiChat.answer_id(&ended.id).into());
    document.insert("object".to_owned(), "chat.completion".into());
    document.insert("created".to_owned(), ended.created.into());
    document.insert("model".to_owned(), ended.model.as_str().into());
    document.insert("provider".to_owned(), ended.provider.as_str().into());
    document.insert("choices".to_owned(), Value::Array(vec![choice.into()]));
    document.insert("usage".to_owned(), usage(ended));
    if let Some(metadata) = &ended.metadata {
        document.insert("openmux".to_owned(), metadata.clone());
    }
    document.into()
}

/// Puts a call's signature into its id.
fn sign(call: &mut Map<String, Value>) {
    let signature = call.shift_remove("signature");
    let id = call.get("id").and_then(Value::as_str).unwrap_or_default();
    let id = signed(id, signature.as_ref().and_then(Value::as_str)).into_owned();
    call.insert("id".to_owned(), id.into());
}

/// OpenAI's word. It has none for what this version does not know; the provider's own stands beside it.
#[must_use]
pub const fn finish_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Other => "stop",
        finish => finish.name(),
    }
}

/// What was used and what it cost; unknown counts are null, and so is the whole where nothing was reported.
#[must_use]
pub fn usage(ended: &Ended) -> Value {
    if ended.usage.is_none() && ended.cost.is_none() {
        return Value::Null;
    }
    let counted = ended.usage.clone().unwrap_or_default();
    let count = |tokens: Option<Tokens>| tokens.map_or(Value::Null, |tokens| tokens.count().into());
    let Usage { input, output, cache_read, cache_write, reasoning, .. } = &counted;
    let mut object = Map::with_capacity(7);
    object.insert("prompt_tokens".to_owned(), count(*input));
    object.insert("completion_tokens".to_owned(), count(*output));
    object.insert("total_tokens".to_owned(), count(input.zip(*output).map(|(input, output)| input + output)));
    let details = |pairs: &[(&str, Option<Tokens>)]| {
        let told = pairs.iter().filter_map(|(name, tokens)| Some(((*name).to_owned(), (*tokens)?.count().into())));
        told.collect::<Map<String, Value>>()
    };
    let input = details(&[
        ("cached_tokens", *cache_read),
        ("cache_write_tokens", *cache_write),
        ("audio_tokens", counted.input_audio),
        ("image_tokens", counted.input_image),
    ]);
    let output = details(&[
        ("reasoning_tokens", *reasoning),
        ("audio_tokens", counted.output_audio),
        ("image_tokens", counted.output_image),
    ]);
    if !input.is_empty() {
        object.insert("prompt_tokens_details".to_owned(), input.into());
    }
    if !output.is_empty() {
        object.insert("completion_tokens_details".to_owned(), output.into());
    }
    object.extend(ended.costs());
    object.into()
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
