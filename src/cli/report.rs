//! From a decision without a candidate, or a chat without an answer, to one error: class, owner, one fix.

mod bound;
mod dear;
mod fault;
pub(crate) mod fits;
mod keys;
mod unsupported;

use std::collections::BTreeSet;

use super::contract::Exit;
use super::error::CliError;
use super::platform::set_key;
use super::render::chat::attempts_json;
use super::render::explain::{reason, unbounded};
use super::render::text::{duration, first_of, grouped, one_line};
use crate::catalog::ModelId;
use crate::dispatch::{AttemptReport, ChatReport, Reach};
use crate::observe::{ErrorClass, Fault, Flags};
use crate::routing::{Decision, GiveUp, Rejected, Rejection};
use crate::upstream::exchange::Limit;
pub(crate) use bound::bound_text;
use dear::too_dear;
pub(crate) use keys::{better_key, is_variable};
use keys::{everywhere, no_credential};
use unsupported::{lacking, unsupported};

/// Why no provider may be used. Of `reaches` the prices are told, where there are any.
pub(crate) fn unroutable(decision: &Decision, model: &ModelId, reaches: &[Reach]) -> CliError {
    let wished = |reason: &Rejection| {
        matches!(reason, Rejection::NotAllowed | Rejection::Ignored | Rejection::Gateway | Rejection::NotSimulated)
    };
    let wanted: Vec<&Rejected> = decision.rejected.iter().filter(|entry| !entry.reasons.iter().any(wished)).collect();
    let Some(nearest) =
        wanted.iter().min_by_key(|entry| (uncallable(entry), entry.reasons.len(), rank(entry), entry.endpoint.clone()))
    else {
        return nobody(decision, model);
    };
    if let Some(parameter) = lacking(&wanted) {
        return unsupported(parameter, model, true).with("model", model.as_str());
    }
    let provider = &nearest.endpoint.provider;
    let Some(first) = nearest.reasons.iter().min_by_key(|reason| priority(reason)) else {
        return nobody(decision, model);
    };
    let others = if wanted.len() > 1 { format!(" (nor can {} others)", wanted.len() - 1) } else { String::new() };
    let error = match first {
        Rejection::NoCredential { looked_in } => no_key(&wanted, provider.as_str(), looked_in),
        Rejection::AboveMaxCost { .. } => too_dear(decision, &wanted, uncallable(nearest), reaches),
        Rejection::UnboundedCost { .. } => {
            let why = unbounded(&decision.request);
            let error = CliError::new(Exit::Refused, "max_cost", "not sent: no bound on its cost is known");
            match why.strip_prefix("give ") {
                Some(flag) => error.fix(format!("{flag} N")),
                None => error.fact("reason", why).fix("leave out --max-cost, or the attachment"),
            }
        }
        Rejection::AboveMaxPrice { .. } => {
            CliError::new(Exit::Refused, "max_price", format!("no provider of {model} is cheap enough"))
                .fix("a higher --max-price-in or --max-price-out")
        }
        Rejection::Beyond { measure, .. } => {
            let message = format!("no provider of {model} is known to keep to {}", measure.flag());
            CliError::new(Exit::Refused, "threshold", message)
                .fact(provider.as_str(), reason(first, provider))
                .fix(format!("{} with prefer: in place of require:", measure.flag()))
        }
        Rejection::Quantization { .. } | Rejection::Region { .. } | Rejection::NotStated { .. } => {
            CliError::new(Exit::Refused, first.code(), format!("no provider of {model} is as you require"))
                .fact(provider.as_str(), reason(first, provider))
                .fix(format!("openmux route explain {model} --all"))
        }
        Rejection::ContextTooSmall { needed, limit } | Rejection::InputTooLong { needed, limit } => {
            CliError::new(Exit::Rejected, "too_large", format!("the prompt is too long for {model}"))
                .fact(
                    "prompt",
                    format!(
                        "about {} tokens with its answer; {provider} takes {}",
                        grouped(needed.count()),
                        grouped(limit.count())
                    ),
                )
                .fix(format!(
                    "shorten it, or look for a larger window: openmux models list --min-context {}",
                    needed.count()
                ))
        }
        Rejection::ForeignState { made_by } => CliError::new(
            Exit::Rejected,
            "foreign_state",
            format!("no other provider can take back the reasoning or tool calls that {made_by} signed"),
        )
        .fix(format!("--provider {made_by}, or --messages without signatures")),
        Rejection::OutputTooSmall { needed, limit } => CliError::new(
            Exit::Rejected,
            "max_tokens",
            format!("no provider of {model} gives an answer of {} tokens", grouped(needed.count())),
        )
        .fix(format!("--max-tokens {}", limit.count())),
        Rejection::Unsupported { parameter } => unsupported(parameter, model, false),
        Rejection::Retired { since } => {
            let when = since.as_ref().map(|day| format!(" on {day}")).unwrap_or_default();
            CliError::new(Exit::NotFound, "retired", format!("{model} was retired{when} at {provider}{others}"))
                .fix(format!("openmux models list --vendor {} --sort released --reverse", model.author()))
        }
        Rejection::MissingSetting { variables } => {
            CliError::new(Exit::Auth, "missing_setting", format!("{provider} needs {}", variables.join(", ")))
                .fix(set_key(variables.first().and_then(|name| name.split(' ').next()).unwrap_or("NAME")))
        }
        other => {
            CliError::new(Exit::NotFound, "no_provider", format!("no provider of {model} can be used by this version"))
                .fact(provider.as_str(), reason(other, provider))
                .fix(format!("openmux route explain {model} --all"))
        }
    };
    error.with("model", model.as_str())
}

/// Whether it could not be called whatever the request were: what is wrong with the request is told of those that could.
fn uncallable(entry: &Rejected) -> bool {
    use Rejection::{MissingSetting, NoBaseUrl, NoCredential, ProtocolUnsupported, Retired};
    let barred = |reason: &Rejection| {
        matches!(
            reason,
            NoCredential { .. } | MissingSetting { .. } | ProtocolUnsupported { .. } | NoBaseUrl | Retired { .. }
        )
    };
    entry.reasons.iter().any(barred)
}

/// Which reason is told: what the user can cure comes first.
fn priority(reason: &Rejection) -> u8 {
    match reason {
        Rejection::Retired { .. } => 0,
        Rejection::ProtocolUnsupported { .. } | Rejection::NoBaseUrl => 1,
        Rejection::AboveMaxCost { .. } | Rejection::UnboundedCost { .. } => 2,
        Rejection::ContextTooSmall { .. } | Rejection::InputTooLong { .. } | Rejection::OutputTooSmall { .. } => 3,
        Rejection::Unsupported { .. }
        | Rejection::AboveMaxPrice { .. }
        | Rejection::ForeignState { .. }
        | Rejection::Beyond { .. }
        | Rejection::Quantization { .. }
        | Rejection::Region { .. }
        | Rejection::NotStated { .. } => 4,
        Rejection::NoCredential { .. } | Rejection::MissingSetting { .. } => 5,
        _ => 6,
    }
}

/// Among entries with equally many reasons, a missing key is nearer to a cure than a retired model.
fn rank(entry: &Rejected) -> u8 {
    let curable = entry.reasons.iter().map(|reason| match reason {
        Rejection::AboveMaxCost { .. } | Rejection::UnboundedCost { .. } => 0,
        Rejection::NoCredential { .. } | Rejection::MissingSetting { .. } => 1,
        Rejection::ContextTooSmall { .. } | Rejection::InputTooLong { .. } | Rejection::OutputTooSmall { .. } => 2,
        Rejection::Unsupported { .. }
        | Rejection::AboveMaxPrice { .. }
        | Rejection::Unpriced { .. }
        | Rejection::Beyond { .. }
        | Rejection::Quantization { .. }
        | Rejection::Region { .. }
        | Rejection::NotStated { .. } => 3,
        Rejection::Retired { .. } => 4,
        _ => 5,
    });
    curable.max().unwrap_or(9)
}

fn no_key(wanted: &[&Rejected], provider: &str, looked_in: &[String]) -> CliError {
    let lack = |entry: &&&Rejected| entry.reasons.iter().all(|reason| matches!(reason, Rejection::NoCredential { .. }));
    let lacking: Vec<&&Rejected> = wanted.iter().filter(lack).collect();
    let message = match lacking.as_slice() {
        [_] | [] => format!("no key for {provider}"),
        several => format!("no key for any of {} providers", several.len()),
    };
    let mut variables: Vec<&str> = lacking
        .iter()
        .flat_map(|entry| &entry.reasons)
        .filter_map(|reason| match reason {
            Rejection::NoCredential { looked_in } => looked_in.first().map(String::as_str),
            _ => None,
        })
        .collect();
    // The model's own provider is the one people most often have a key for.
    variables.sort_by_key(|name| {
        (!matches!(*name, "ANTHROPIC_API_KEY" | "OPENAI_API_KEY" | "GEMINI_API_KEY" | "OPENROUTER_API_KEY"), *name)
    });
    variables.dedup();
    let more = if variables.len() > 4 { format!(" and {} more", variables.len() - 4) } else { String::new() };
    let listed: Vec<&str> = variables.iter().copied().take(4).collect();
    let first =
        variables.first().copied().or_else(|| looked_in.first().map(String::as_str)).unwrap_or("PROVIDER_API_KEY");
    let places = match lacking.as_slice() {
        [_] => everywhere(looked_in),
        _ => format!("{}{more} (not set)", listed.join(", ")),
    };
    CliError::new(Exit::Auth, "no_key", message)
        .fact("looked in", places)
        .fix(format!("{}   or try it without a key: openmux --sandbox chat ...", set_key(first)))
}

fn nobody(decision: &Decision, model: &ModelId) -> CliError {
    let only = &decision.request.constraints.only;
    let serves = decision.rejected.iter().any(|entry| only.contains(&entry.endpoint.provider));
    if !only.is_empty() && !decision.rejected.is_empty() && !serves {
        let names: Vec<String> = only.iter().map(ToString::to_string).collect();
        let serving: BTreeSet<&str> = decision.rejected.iter().map(|entry| entry.endpoint.provider.as_str()).collect();
        return CliError::new(Exit::NotFound, "not_served", format!("{} does not serve {model}", names.join(", ")))
            .fact("served by", first_of(&serving.into_iter().collect::<Vec<_>>(), 12))
            .fix(format!("openmux providers compare {model}"));
    }
    if decision.rejected.is_empty() {
        return CliError::new(Exit::NotFound, "not_served", format!("nobody serves {model} for chat"))
            .fix(format!("openmux models show {model} --all"));
    }
    CliError::new(Exit::NotFound, "no_provider", format!("every provider of {model} was left out"))
        .fix(format!("openmux route explain {model} --all"))
}

/// The answer was ended by a content filter: what there is of it is on stdout.
pub(crate) fn filtered(attempt: &AttemptReport) -> CliError {
    let native = attempt.outcome.finish.as_ref().map_or("content_filter", |(_, native)| native.as_str());
    CliError::new(
        Exit::Rejected,
        "filtered",
        format!("{} ended the answer by its content filter", attempt.endpoint.provider),
    )
    .fact("finish", native)
    .fix("change the prompt, or choose another model")
}

/// Why a chat has no answer. With several attempts the last one's class decides.
pub(crate) fn failed(report: &ChatReport, decision: &Decision, model: &ModelId, text: bool) -> CliError {
    let Some(attempt) = report.failed() else { return unroutable(decision, model, &[]) };
    let provider = attempt.endpoint.provider.as_str();
    let error = by_class(report, attempt, model, text);
    let error = said(error, attempt);
    let error = if report.attempts.len() > 1 { error.fact("tried", tried(report)) } else { error };
    let error = match report.gave_up {
        Some(GiveUp::TooLong) => {
            let asked = attempt.outcome.error.as_ref().and_then(|error| error.retry_after).unwrap_or_default();
            error.fact("asks to wait", duration(asked)).with("retry_after_s", asked.as_secs())
        }
        _ => match attempt.outcome.error.as_ref().and_then(|error| error.retry_after) {
            Some(asked) => error.with("retry_after_s", asked.as_secs()),
            None => error,
        },
    };
    let error = match attempt.outcome.http_status {
        Some(status) => error.with("http_status", status),
        None => error,
    };
    let error = match &attempt.outcome.request_id {
        Some(id) => error.with("request_id", id.as_str()),
        None => error,
    };
    error
        .with("provider", provider)
        .with("model", model.as_str())
        .with("class", attempt.outcome.class.name())
        .with("owner", attempt.outcome.owner())
        .with("attempts", attempts_json(report))
}

fn by_class(report: &ChatReport, attempt: &AttemptReport, model: &ModelId, text: bool) -> CliError {
    let provider = attempt.endpoint.provider.as_str();
    let outcome = &attempt.outcome;
    let others = report.attempts.len() > 1;
    if let Some(error) = fault::local(report, attempt) {
        return error;
    }
    if let Some((limit, waited)) = outcome.limit {
        return timed_out(provider, limit, waited, attempt, text);
    }
    if let Some(error) = &attempt.unsigned {
        return no_credential(provider, attempt.key_source.as_deref().unwrap_or("the environment"), error);
    }
    match outcome.class {
        ErrorClass::Auth => {
            let source = attempt.key_source.as_deref().unwrap_or("the environment");
            let ending =
                attempt.key_ending.as_ref().map(|ending| format!(" (ends in ...{ending})")).unwrap_or_default();
            let cure = attempt.key_cure.map_or_else(|| better_key(attempt.key_source.as_deref()), str::to_owned);
            CliError::new(Exit::Auth, "rejected_key", format!("{provider} rejected the key from {source}{ending}"))
                .fix(cure)
        }
        ErrorClass::Forbidden => {
            CliError::new(Exit::Auth, "forbidden", format!("{provider} does not permit this key to do that"))
                .fix("--provider with another provider, or ask for access")
        }
        ErrorClass::NotFound => CliError::new(
            Exit::NotFound,
            "model_gone",
            format!("{provider} does not know {}", attempt.endpoint.upstream_model),
        )
        .fix(format!("openmux providers compare {model}")),
        ErrorClass::TooLarge => {
            CliError::new(Exit::Rejected, "too_large", format!("the prompt is too long for {model} at {provider}"))
                .fix("openmux models list --min-context 1m")
        }
        ErrorClass::Invalid | ErrorClass::Unsupported | ErrorClass::OkFiltered | ErrorClass::Conflict => {
            CliError::new(Exit::Rejected, outcome.class.name(), format!("{provider} refused the request"))
                .fix("change the request as it says; --dry-run shows what is sent")
        }
        ErrorClass::RateLimited => {
            let times = report.attempts.iter().filter(|other| other.endpoint == attempt.endpoint).count();
            let count =
                if times > 1 { format!(" {times} times in {}", duration(report.elapsed)) } else { String::new() };
            let fix = match report.gave_up {
                Some(GiveUp::TooLong) => "wait that long, or set a key for another provider",
                _ => "wait, or --retries 5, or set a key for another provider",
            };
            CliError::new(Exit::Limited, "rate", format!("{provider} is limiting this key{count}")).fix(fix)
        }
        ErrorClass::Quota => CliError::new(
            Exit::Limited,
            "quota",
            format!("{provider} says the account has no credit; waiting will not help"),
        )
        .fix("add credit there, or use another provider"),
        ErrorClass::Overloaded if is_loading(attempt) => {
            CliError::new(Exit::Unavailable, "loading", format!("{provider} is still loading its model"))
                .fix("run it again in a minute")
        }
        ErrorClass::Unreachable => {
            let error = CliError::new(Exit::Unavailable, "unreachable", format!("cannot reach {}", attempt.host));
            match attempt.fault {
                Some(Fault::Unconfirmed) => error
                    .fact("unconfirmed", "no other provider is set up that could tell whether it is your network")
                    .fix("check the connection; a key for another provider would settle it"),
                _ => error.fix("try again, or --ignore it"),
            }
        }
        ErrorClass::LocalConfig => {
            CliError::new(Exit::Config, "local", format!("cannot call {provider} at {}", attempt.host))
                .fix("start the server there, or correct its address")
        }
        ErrorClass::LocalNetwork => {
            CliError::new(Exit::Unavailable, "no_network", "no network".to_owned()).fix("check the connection")
        }
        ErrorClass::StreamBroken => {
            let kept = if text && outcome.shown { "; what came is on stdout" } else { "" };
            CliError::new(
                Exit::Incomplete,
                "stream_broken",
                format!("the answer is incomplete: {provider} broke it off{kept}"),
            )
            .fact("received", received(attempt, text))
            .fix("run it again; --no-stream fails over even then")
        }
        ErrorClass::ClientBug => {
            CliError::new(Exit::Bug, "client", format!("openmux could not read {provider}'s answer"))
                .fix("please report it")
        }
        _ => {
            let word = if outcome.class == ErrorClass::Overloaded { "is overloaded" } else { "failed" };
            let all = if others {
                format!("all {} attempts failed; the last: {provider} {word}", report.attempts.len())
            } else {
                format!("{provider} {word}")
            };
            CliError::new(Exit::Unavailable, outcome.class.name(), all)
                .fix("try again later, or another provider (openmux providers compare)")
        }
    }
}

fn timed_out(
    provider: &str,
    limit: Limit,
    waited: std::time::Duration,
    attempt: &AttemptReport,
    text: bool,
) -> CliError {
    let waited = duration(waited);
    let message = match limit {
        Limit::Connect => format!("no connection to {provider} within {waited}"),
        Limit::FirstToken => format!("{provider} sent no token for {waited}"),
        Limit::Idle => format!("{provider} sent nothing for {waited}, in the middle of the answer"),
        Limit::Total => format!("{provider} was not done after {waited}"),
    };
    let error = CliError::new(Exit::Timeout, "limit", message);
    let error = if attempt.outcome.shown && text { error.fact("received", received(attempt, text)) } else { error };
    error.fix(format!("{} with a longer time", limit.flag())).with("limit", limit.flag())
}

fn received(attempt: &AttemptReport, text: bool) -> String {
    let outcome = &attempt.outcome;
    let pieces = if outcome.events == 1 { "1 piece".to_owned() } else { format!("{} pieces", outcome.events) };
    let time = outcome.timings.e2e.map(duration).unwrap_or_default();
    let what = if text { "text" } else { "it" };
    format!("{pieces} of {what} in {time}; it may be billed")
}

/// Whether a server of the user's own said that its model is not there yet.
fn is_loading(attempt: &AttemptReport) -> bool {
    attempt.outcome.flags.has(Flags::LOADING)
}

/// What the provider said, and the status it said it with.
fn said(error: CliError, attempt: &AttemptReport) -> CliError {
    let outcome = &attempt.outcome;
    let error = match &outcome.error {
        Some(told) if !told.message.is_empty() => {
            let key = if outcome.told { "it says" } else { "reason" };
            let words = one_line(&told.message);
            error.fact(key, if outcome.told { format!("\"{words}\"") } else { words })
        }
        _ => error,
    };
    match (outcome.http_status, &outcome.request_id) {
        (Some(status), Some(id)) => error.fact("status", format!("{status}, request {id}")),
        (Some(status), None) if status != 200 => error.fact("status", status.to_string()),
        _ => error,
    }
}

fn tried(report: &ChatReport) -> String {
    let each = report
        .attempts
        .iter()
        .map(|attempt| format!("{} ({})", attempt.endpoint.provider, attempt.outcome.class.name()));
    format!("{}, in {}", each.collect::<Vec<_>>().join(", "), duration(report.elapsed))
}
