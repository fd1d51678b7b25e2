//! A chat for programs, and its closing line for people.

use serde_json::{Map, Value};

use super::decision;
use super::json::literal;
use super::money::dollars;
use super::text::{duration, grouped};
use crate::catalog::{ModelId, Usage};
use crate::chat::{ChatEvent, ChatRequest};
use crate::dispatch::{AttemptReport, ChatReport, Reach};
use crate::observe::CostState;
use crate::routing::Decision;
use crate::units::{Tokens, Usd};
use crate::upstream::auth::{Found, Lazy};
use crate::upstream::{Call, adapter};

/// What was said, put together.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The answer's text.
    pub text: String,
    /// The reasoning, where it streams.
    pub reasoning: String,
    /// Tool calls: id, name, arguments.
    pub calls: Vec<(String, String, String)>,
}

impl Answer {
    /// Takes one event in.
    pub(crate) fn add(&mut self, event: &ChatEvent) {
        match event {
            ChatEvent::Text(text) => self.text.push_str(text),
            ChatEvent::Reasoning(text) => self.reasoning.push_str(text),
            ChatEvent::ToolCall { index, id, name, arguments } => {
                let at = usize::try_from(*index).unwrap_or(0).min(127);
                if self.calls.len() <= at {
                    self.calls.resize(at + 1, Default::default());
                }
                let call = &mut self.calls[at];
                call.0.push_str(id.as_deref().unwrap_or_default());
                call.1.push_str(name.as_deref().unwrap_or_default());
                call.2.push_str(arguments);
            }
            _ => {}
        }
    }

    /// The tool calls as JSON.
    pub(crate) fn calls_json(&self) -> Vec<Value> {
        let call = |(id, name, arguments): &(String, String, String)| {
            let mut object = Map::new();
            object.insert("id".to_owned(), id.as_str().into());
            object.insert("name".to_owned(), name.as_str().into());
            let parsed = serde_json::from_str(arguments).unwrap_or_else(|_| arguments.as_str().into());
            object.insert("arguments".to_owned(), parsed);
            Value::from(object)
        };
        self.calls.iter().map(call).collect()
    }
}

/// The exact cost of an attempt: the provider's own bill where it sends one, else the price sheet's.
fn cost(attempt: &AttemptReport) -> Option<(Usd, &'static str)> {
    if let Some(billed) = attempt.outcome.billed {
        return Some((billed, "provider"));
    }
    match (&attempt.cost, attempt.cost_state) {
        (Some(Ok(cost)), CostState::Exact) => Some((cost.total, "catalog")),
        _ => None,
    }
}

/// `anthropic/claude-sonnet-5 at anthropic: 1,204 in, 41 out, $0.0014, 1.1 s`.
pub(crate) fn closing_line(model: &ModelId, report: &ChatReport, simulated: bool) -> Option<String> {
    let attempt = report.attempts.last()?;
    if report.answered().is_none() && attempt.cost_state == CostState::None {
        return None;
    }
    let mark = if simulated { " (simulated)" } else { "" };
    let usage = attempt.outcome.usage.as_ref();
    let count = |tokens: Option<Tokens>| tokens.map_or_else(|| "?".to_owned(), |tokens| grouped(tokens.count()));
    let mut parts = match usage {
        Some(usage) => vec![format!("{} in, {} out", count(usage.input), count(usage.output))],
        None => vec!["usage not reported".to_owned()],
    };
    if let Some(cached) = usage.and_then(|usage| usage.cache_read).filter(|cached| *cached > Tokens::ZERO) {
        parts.push(format!("{} cached", grouped(cached.count())));
    }
    parts.push(match cost(attempt) {
        Some((amount, "provider")) => format!("{} by the provider's bill", dollars(amount)),
        Some((amount, _)) => format!("{}{}", dollars(amount), if simulated { " at list price, not spent" } else { "" }),
        None => match &attempt.cost {
            Some(Err(error)) => format!("cost unknown ({error})"),
            _ => "cost unknown".to_owned(),
        },
    });
    parts.push(duration(report.elapsed));
    let unknown =
        report.attempts.iter().rev().skip(1).filter(|attempt| attempt.cost_state == CostState::Unknown).count();
    if unknown > 0 {
        parts.push(format!("{unknown} failed before it that may be billed"));
    }
    Some(format!("{model} at {}{mark}: {}", attempt.endpoint.provider, parts.join(", ")))
}

fn millis(time: std::time::Duration) -> Value {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX).into()
}

/// The usage split, unknown counts as null.
fn usage_json(usage: Option<&Usage>) -> Value {
    let Some(usage) = usage else { return Value::Null };
    let count = |tokens: Option<Tokens>| tokens.map_or(Value::Null, |tokens| tokens.count().into());
    let mut object = Map::new();
    object.insert("input_tokens".to_owned(), count(usage.input));
    object.insert("output_tokens".to_owned(), count(usage.output));
    object.insert("cache_read_tokens".to_owned(), count(usage.cache_read));
    object.insert("cache_write_tokens".to_owned(), count(usage.cache_write));
    object.insert("reasoning_tokens".to_owned(), count(usage.reasoning));
    object.into()
}

fn attempt_json(attempt: &AttemptReport) -> Value {
    let outcome = &attempt.outcome;
    let mut object = Map::new();
    object.insert("provider".to_owned(), attempt.endpoint.provider.as_str().into());
    object.insert("upstream_model".to_owned(), attempt.endpoint.upstream_model.as_str().into());
    object.insert("class".to_owned(), outcome.class.name().into());
    object.insert("http_status".to_owned(), outcome.http_status.map_or(Value::Null, Value::from));
    object.insert("ms".to_owned(), outcome.timings.e2e.map_or(Value::Null, millis));
    object.insert("request_id".to_owned(), outcome.request_id.clone().map_or(Value::Null, Value::from));
    object.insert(
        "message".to_owned(),
        outcome.error.as_ref().map_or(Value::Null, |error| error.message.as_str().into()),
    );
    let state = match attempt.cost_state {
        CostState::Exact => "exact",
        CostState::None => "none",
        CostState::Unknown => "unknown",
    };
    object.insert("cost_state".to_owned(), state.into());
    object.into()
}

/// Every attempt, in order.
pub(crate) fn attempts_json(report: &ChatReport) -> Value {
    report.attempts.iter().map(attempt_json).collect::<Vec<_>>().into()
}

/// The members that close an answer: finish, usage, cost, times.
pub(crate) fn end_event(report: &ChatReport, simulated: bool) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("type".to_owned(), "end".into());
    closing_members(&mut object, report, simulated);
    object
}

fn closing_members(object: &mut Map<String, Value>, report: &ChatReport, simulated: bool) {
    let Some(attempt) = report.attempts.last() else { return };
    let mut put = |key: &str, value: Value| {
        object.insert(key.to_owned(), value);
    };
    let outcome = &attempt.outcome;
    let finish = outcome.finish.as_ref();
    put("finish", finish.map_or(Value::Null, |(finish, _)| finish.name().into()));
    put("finish_native", finish.map_or(Value::Null, |(_, native)| native.as_str().into()));
    put("usage", usage_json(outcome.usage.as_ref()));
    let known = cost(attempt);
    put("cost_usd", known.map_or(Value::Null, |(amount, _)| literal(&amount.exact())));
    put("cost_basis", known.map_or(Value::Null, |(_, basis)| basis.into()));
    let ours = match &attempt.cost {
        Some(Ok(cost)) => literal(&cost.total.exact()),
        _ => Value::Null,
    };
    put("list_price_usd", ours);
    put("ttft_ms", outcome.timings.ttft.map_or(Value::Null, millis));
    put("connect_ms", outcome.timings.connect.map_or(Value::Null, millis));
    put("elapsed_ms", millis(report.elapsed));
    put("simulated", simulated.into());
}

/// The whole answer as one document.
pub(crate) fn json(
    request: &ChatRequest,
    decision: &Decision,
    report: &ChatReport,
    answer: &Answer,
    simulated: bool,
) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("schema".to_owned(), "chat/1".into());
    object.insert("text".to_owned(), answer.text.as_str().into());
    if !answer.reasoning.is_empty() {
        object.insert("reasoning".to_owned(), answer.reasoning.as_str().into());
    }
    if !answer.calls.is_empty() {
        object.insert("tool_calls".to_owned(), answer.calls_json().into());
    }
    object.insert("model".to_owned(), request.model.as_str().into());
    if let Some(attempt) = report.attempts.last() {
        object.insert("provider".to_owned(), attempt.endpoint.provider.as_str().into());
        object.insert("upstream_model".to_owned(), attempt.endpoint.upstream_model.as_str().into());
    }
    closing_members(&mut object, report, simulated);
    object.insert("attempts".to_owned(), attempts_json(report));
    let mut decided = Map::new();
    decided.insert("at".to_owned(), decision.at.to_string().into());
    decided.insert("seed".to_owned(), decision.seed.into());
    object.insert("decision".to_owned(), decided.into());
    object
}

/// The request as it would be sent, without its key.
pub(crate) fn request_text(request: &ChatRequest, reach: &Reach) -> String {
    let Some(encoded) = encoded(request, reach) else { return String::new() };
    let mut text = format!("\n{} {}\n", encoded.method(), encoded.uri());
    for (name, value) in encoded.headers() {
        text += &format!("{name}: {}\n", value.to_str().unwrap_or("[binary]"));
    }
    match &reach.found {
        Found::Key { source, .. } => text += &format!("(the key from {source} is added when it is sent)\n"),
        Found::Lazy { source, lazy: Lazy::Aws } => {
            text += &format!("(it is signed with the credential from {source} when it is sent)\n");
        }
        Found::Lazy { source, .. } => text += &format!("(the credential from {source} is added when it is sent)\n"),
        Found::NotNeeded | Found::Missing { .. } => {}
    }
    let body: Value = serde_json::from_slice(encoded.body()).unwrap_or_default();
    text + "\n" + &serde_json::to_string_pretty(&body).unwrap_or_default() + "\n"
}

/// The same for programs.
pub(crate) fn request_json(request: &ChatRequest, reach: &Reach) -> Value {
    let Some(encoded) = encoded(request, reach) else { return Value::Null };
    let mut object = Map::new();
    object.insert("method".to_owned(), encoded.method().as_str().into());
    object.insert("url".to_owned(), encoded.uri().to_string().into());
    object.insert("body".to_owned(), serde_json::from_slice(encoded.body()).unwrap_or_default());
    object.into()
}

fn encoded(request: &ChatRequest, reach: &Reach) -> Option<http::Request<bytes::Bytes>> {
    let call = Call { endpoint: &reach.endpoint, provider: &reach.provider, base_url: &reach.base_url, request };
    adapter(reach.protocol?)?.encode(&call).ok()
}

/// A dry run for programs.
pub(crate) fn dry_run_json(decided: &Decision, supposed: bool, request: Option<Value>) -> String {
    let mut object = Map::new();
    object.insert("schema".to_owned(), "chat.dry_run/1".into());
    object.insert("decision".to_owned(), decision::json(decided, supposed).into());
    object.insert("request".to_owned(), request.unwrap_or_default());
    format!("{}\n", Value::Object(object))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_a_tool_call_are_put_together() {
        let mut answer = Answer::default();
        let piece = |id: Option<&str>, name: Option<&str>, arguments: &str| ChatEvent::ToolCall {
            index: 0,
            id: id.map(str::to_owned),
            name: name.map(str::to_owned),
            arguments: arguments.to_owned(),
        };
        answer.add(&piece(Some("c1"), Some("look"), ""));
        answer.add(&piece(None, None, "{\"a\":"));
        answer.add(&piece(None, None, "1.50}"));
        assert_eq!(answer.calls_json()[0].to_string(), r#"{"id":"c1","name":"look","arguments":{"a":1.50}}"#);
    }
}
