//! A chat for programs, and its closing line for people.

use serde_json::{Map, Value};

use super::json::literal;
use super::money::dollars;
use super::pace::timing;
use super::text::{duration, grouped};
use crate::catalog::{ModelId, Origin, Usage};
use crate::dispatch::{AttemptReport, ChatReport, Seam};
use crate::gateway::codec::answer::Answer;
use crate::gateway::problem;
use crate::observe::{CostState, Flags};
use crate::routing::{Decision, TermKind};
use crate::units::{Tokens, Usd};

/// The exact cost of one attempt: the provider's own bill where it sends one, else the price sheet's.
pub(crate) fn cost(attempt: &AttemptReport) -> Option<(Usd, &'static str)> {
    attempt.charged().map(|amount| (amount, if attempt.outcome.billed.is_some() { "provider" } else { "catalog" }))
}

/// What several requests of one chat came to: those that gave a part of the answer count, and what failed before them may
/// be billed.
struct Total {
    cost: Option<(Usd, &'static str)>,
    /// Why there is no cost, where a sheet says so.
    why: Option<String>,
    list_price: Option<Usd>,
    usage: Option<Usage>,
}

fn total(report: &ChatReport) -> Total {
    let given = parts(report);
    let answered = given.iter().any(|attempt| attempt.outcome.class.is_success());
    let counted = if answered { given } else { report.failed().into_iter().collect() };
    let costs: Option<Vec<(Usd, &'static str)>> = counted.iter().map(|attempt| cost(attempt)).collect();
    let summed = costs.filter(|costs| !costs.is_empty()).map(|costs| {
        let amount = costs.iter().fold(Usd::ZERO, |sum, (amount, _)| sum + *amount);
        let basis = costs[0].1;
        (amount, if costs.iter().all(|(_, other)| *other == basis) { basis } else { "mixed" })
    });
    let listed = |attempt: &&AttemptReport| match &attempt.cost {
        Some(Ok(cost)) => Some(cost.total),
        _ => None,
    };
    let list: Option<Vec<Usd>> = counted.iter().map(listed).collect();
    let usages: Option<Vec<Usage>> = counted.iter().map(|attempt| usage(report, attempt)).collect();
    Total {
        cost: summed,
        why: counted.iter().find_map(|attempt| match &attempt.cost {
            Some(Err(error)) => Some(error.to_string()),
            _ => None,
        }),
        list_price: list.filter(|list| !list.is_empty()).map(|list| list.into_iter().fold(Usd::ZERO, |a, b| a + b)),
        usage: usages.filter(|usages| !usages.is_empty()).map(|usages| sum(&usages)),
    }
}

/// The attempts that gave a part of the answer, in its order.
fn parts(report: &ChatReport) -> Vec<&AttemptReport> {
    report.attempts.iter().enumerate().filter(|(at, _)| report.is_part(*at)).map(|(_, attempt)| attempt).collect()
}

/// What an attempt used. What was reported before a part broke off is not what it came to in the end.
fn usage(report: &ChatReport, attempt: &AttemptReport) -> Option<Usage> {
    let usage = attempt.outcome.usage.clone();
    if report.seams.is_empty() || attempt.outcome.class.is_success() {
        return usage;
    }
    Some(Usage { output: None, reasoning: None, ..usage.unwrap_or_default() })
}

/// The counts that are shown, added up; what one of them does not report is not known of all.
fn sum(usages: &[Usage]) -> Usage {
    let add = |count: fn(&Usage) -> Option<Tokens>| {
        let counts: Option<Vec<Tokens>> = usages.iter().map(count).collect();
        counts.map(|counts| counts.into_iter().fold(Tokens::ZERO, |one, other| one + other))
    };
    Usage {
        input: add(|usage| usage.input),
        output: add(|usage| usage.output),
        cache_read: add(|usage| usage.cache_read),
        cache_write: add(|usage| usage.cache_write),
        reasoning: add(|usage| usage.reasoning),
        ..Usage::default()
    }
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
    let total = total(report);
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
    parts.push(match total.cost.or(cost(told).filter(|_| !seam.is_empty())) {
        Some((amount, _)) if !unbilled.is_empty() => {
            let mark = if simulated { " at list price" } else { "" };
            format!("{}{mark} and what {unbilled} charges for its part", dollars(amount))
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

/// A seam for programs: who went on with what whom had begun, and where in the text.
pub(crate) fn seam_members(seam: &Seam) -> [(&'static str, Value); 5] {
    [
        ("provider", seam.to.provider.as_str().into()),
        ("from", seam.from.provider.as_str().into()),
        ("class", seam.class.name().into()),
        ("characters", seam.characters.into()),
        ("bytes", seam.bytes.into()),
    ]
}

fn seams_json(report: &ChatReport) -> Value {
    let object =
        |seam| seam_members(seam).into_iter().map(|(key, value)| (key.to_owned(), value)).collect::<Map<_, _>>();
    report.seams.iter().map(object).map(Value::Object).collect()
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
    }
    object.insert("timing".to_owned(), timing(attempt));
    for (mark, word) in [(Flags::HEDGED, "hedged"), (Flags::SPARED, "cancelled")] {
        if outcome.flags.has(mark) {
            object.insert(word.to_owned(), true.into());
        }
    }
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
    let total = total(report);
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
