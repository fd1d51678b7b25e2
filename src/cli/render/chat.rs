//! A chat for programs, and its closing line for people.

use serde_json::{Map, Value};

use super::json::literal;
use super::money::dollars;
use super::pace::timing;
use super::text::{duration, grouped};
use crate::catalog::{ModelId, Origin, Usage};
use crate::dispatch::{AttemptReport, ChatReport};
use crate::gateway::codec::answer::Answer;
use crate::gateway::problem;
use crate::observe::{CostState, Flags};
use crate::routing::{Decision, TermKind};
use crate::units::{Tokens, Usd};

/// The exact cost of one attempt: the provider's own bill where it sends one, else the price sheet's.
pub(crate) fn cost(attempt: &AttemptReport) -> Option<(Usd, &'static str)> {
    attempt.charged_by()
}

/// `anthropic/claude-sonnet-5 at anthropic: 1,204 in, 41 out, $0.0014, 1.1 s`; `told` is the attempt that is shown.
pub(crate) fn closing_line(
    model: &ModelId,
    report: &ChatReport,
    told: &AttemptReport,
    simulated: bool,
) -> Option<String> {
    let answered = told.outcome.class.is_success();
    if !answered && told.cost_state == CostState::None {
        return None;
    }
    let mark = if simulated { " (simulated)" } else { "" };
    let total = report.total();
    let count = |tokens: Option<Tokens>| tokens.map_or_else(|| "?".to_owned(), |tokens| grouped(tokens.count()));
    // Of an answer with seams the last part alone is known to its end.
    let seam = if report.seams.is_empty() { "" } else { " after the seam" };
    let shown = if seam.is_empty() { total.usage } else { told.outcome.usage.clone() };
    let mut parts = match &shown {
        Some(usage) => vec![format!("{} in, {} out{seam}", count(usage.input), count(usage.output))],
        None => vec!["usage not reported".to_owned()],
    };
    if let Some(usage) = &shown {
        let further =
            [(usage.cache_read, "cached"), (usage.cache_write, "written to the cache"), (usage.reasoning, "reasoning")];
        for (tokens, what) in further {
            if let Some(tokens) = tokens.filter(|tokens| *tokens > Tokens::ZERO) {
                parts.push(format!("{} {what}", grouped(tokens.count())));
            }
        }
    }
    let unbilled = unbilled(report);
    let charges = || match parts_by_estimate(report) {
        Some(estimate) => format!("about {} for the part of {unbilled} (an estimate)", dollars(estimate)),
        None => format!("what {unbilled} charges for its part"),
    };
    parts.push(match total.cost.or(cost(told).filter(|_| !seam.is_empty())) {
        Some((amount, _)) if !unbilled.is_empty() => {
            let mark = if simulated { " at list price" } else { "" };
            format!("{}{mark} and {}", dollars(amount), charges())
        }
        Some((amount, "provider")) => format!("{} by the provider's bill", dollars(amount)),
        Some((amount, _)) => format!("{}{}", dollars(amount), if simulated { " at list price, not spent" } else { "" }),
        None => total.why.map_or_else(|| "cost unknown".to_owned(), |why| format!("cost unknown ({why})")),
    });
    let requests = report.attempts.iter().filter(|attempt| attempt.outcome.class.is_success()).count();
    if requests > 1 {
        parts.push(format!("{requests} requests"));
    }
    parts.push(duration(report.elapsed));
    let unknown = |spared: bool| {
        let whole = report.attempts.iter().enumerate().filter(|(at, _)| !report.is_part(*at));
        let of = whole.map(|(_, attempt)| attempt).filter(|attempt| attempt.outcome.flags.has(Flags::SPARED) == spared);
        let unsure = |attempt: &&AttemptReport| attempt.cost_state == CostState::Unknown;
        of.filter(unsure).filter(|one| !std::ptr::eq(*one, told) && !one.outcome.class.is_success()).collect::<Vec<_>>()
    };
    let failed = unknown(false).len();
    if failed > 0 {
        parts.push(format!("{failed} failed before it that may be billed"));
    }
    for slower in unknown(true) {
        parts.push(format!("{} was cancelled and may be billed", slower.endpoint.provider));
    }
    Some(format!("{model} at {}{mark}: {}", told.endpoint.provider, parts.join(", ")))
}

/// Whose parts of an answer with seams have no known cost; empty where all have.
fn unbilled(report: &ChatReport) -> String {
    let broken = report.seams.iter().filter_map(|seam| report.attempts.get(seam.attempt));
    let mut names: Vec<&str> =
        broken.filter(|part| cost(part).is_none()).map(|part| part.endpoint.provider.as_str()).collect();
    names.dedup();
    names.join(" and ")
}

/// What those parts come to by estimate; `None` where one of them has none.
fn parts_by_estimate(report: &ChatReport) -> Option<Usd> {
    let broken = report.seams.iter().filter_map(|seam| report.attempts.get(seam.attempt));
    broken.filter(|part| cost(part).is_none()).map(|part| part.estimate).sum()
}

fn seams_json(report: &ChatReport) -> Value {
    report.seams.iter().map(problem::seam).map(Value::Object).collect()
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

fn attempt_json(attempt: &AttemptReport, apart: bool) -> Value {
    let outcome = &attempt.outcome;
    let mut object = problem::attempt(attempt, millis);
    if apart {
        object.insert("usage".to_owned(), usage_json(attempt.outcome.usage.as_ref()));
        let amount = cost(attempt).map_or(Value::Null, |(amount, _)| literal(&amount.exact()));
        object.insert("cost_usd".to_owned(), amount);
        problem::estimate(&mut object, attempt.estimate);
    }
    object.insert("timing".to_owned(), timing(attempt));
    problem::marks(&mut object, attempt);
    if outcome.flags.has(Flags::UNCONFIRMED) {
        object.insert("unconfirmed".to_owned(), true.into());
    }
    if !attempt.adapted.is_empty() {
        let changes: Vec<String> = attempt.adapted.iter().map(ToString::to_string).collect();
        object.insert("adapted".to_owned(), changes.into());
    }
    object.into()
}

/// Every attempt, in order; those of an answer with seams each with what it used and cost.
pub(crate) fn attempts_json(report: &ChatReport) -> Value {
    report.attempts.iter().map(|attempt| attempt_json(attempt, !report.seams.is_empty())).collect::<Vec<_>>().into()
}

fn maker(told: &AttemptReport) -> Option<Origin> {
    Some(Origin { provider: told.endpoint.provider.clone(), protocol: told.protocol? })
}

/// The event that closes an answer: finish, usage, cost, times, and the turn for `--messages`.
pub(crate) fn end_event(
    report: &ChatReport,
    told: &AttemptReport,
    said: &Said<'_>,
    simulated: bool,
) -> Map<String, Value> {
    let mut object = Map::new();
    object.insert("type".to_owned(), "end".into());
    if let Some(valid) = said.valid {
        object.insert("schema_valid".to_owned(), valid.into());
    }
    closing_members(&mut object, report, told, simulated);
    object.insert("message".to_owned(), said.answer.message(maker(told).as_ref()));
    object.insert("attempts".to_owned(), attempts_json(report));
    object
}

fn closing_members(object: &mut Map<String, Value>, report: &ChatReport, told: &AttemptReport, simulated: bool) {
    let total = report.total();
    let mut put = |key: &str, value: Value| {
        object.insert(key.to_owned(), value);
    };
    let outcome = &told.outcome;
    // An answer begins where its first part does.
    let timings =
        &report.seams.first().and_then(|seam| report.attempts.get(seam.attempt)).unwrap_or(told).outcome.timings;
    if !report.seams.is_empty() {
        put("seams", seams_json(report));
    }
    let finish = outcome.finish.as_ref();
    put("finish", finish.map_or(Value::Null, |(finish, _)| finish.name().into()));
    put("finish_native", finish.map_or(Value::Null, |(_, native)| native.as_str().into()));
    put("usage", usage_json(total.usage.as_ref()));
    put("cost_usd", total.cost.map_or(Value::Null, |(amount, _)| literal(&amount.exact())));
    put("cost_basis", total.cost.map_or(Value::Null, |(_, basis)| basis.into()));
    if let Some(estimate) = total.estimate {
        put("cost_estimate_usd", literal(&estimate.exact()));
    }
    put("list_price_usd", total.list_price.map_or(Value::Null, |amount| literal(&amount.exact())));
    put("ttft_ms", timings.ttft.map_or(Value::Null, millis));
    put("connect_ms", timings.connect.map_or(Value::Null, millis));
    put("elapsed_ms", millis(report.elapsed));
    put("simulated", simulated.into());
}

/// What was said, and whether it has the shape that was asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Said<'a> {
    /// What was said.
    pub answer: &'a Answer,
    /// Whether it satisfies the schema; `None` where there is none, or where tools were called instead.
    pub valid: Option<bool>,
}

/// The whole answer as one document; `told` is the attempt that gave it.
pub(crate) fn json(
    model: &ModelId,
    decision: &Decision,
    report: &ChatReport,
    told: &AttemptReport,
    said: &Said<'_>,
    simulated: bool,
) -> Map<String, Value> {
    let answer = said.answer;
    let mut object = Map::new();
    object.insert("schema".to_owned(), "chat/1".into());
    object.insert("text".to_owned(), answer.text.as_str().into());
    if !answer.reasoning.is_empty() {
        object.insert("reasoning".to_owned(), answer.reasoning.as_str().into());
    }
    if answer.calls_tools() {
        object.insert("tool_calls".to_owned(), answer.calls_json().into());
    }
    if let Some(valid) = said.valid {
        object.insert("schema_valid".to_owned(), valid.into());
    }
    object.insert("message".to_owned(), answer.message(maker(told).as_ref()));
    object.insert("model".to_owned(), model.as_str().into());
    object.insert("provider".to_owned(), told.endpoint.provider.as_str().into());
    object.insert("upstream_model".to_owned(), told.endpoint.upstream_model.as_str().into());
    closing_members(&mut object, report, told, simulated);
    object.insert("attempts".to_owned(), attempts_json(report));
    let mut decided = Map::new();
    decided.insert("at".to_owned(), decision.at.to_string().into());
    decided.insert("seed".to_owned(), decision.seed.into());
    if let Some(switch) = decision.chosen().and_then(|first| first.score.amount(TermKind::Switch)) {
        decided.insert("switch_usd".to_owned(), literal(&switch.exact()));
    }
    object.insert("decision".to_owned(), decided.into());
    object
}
