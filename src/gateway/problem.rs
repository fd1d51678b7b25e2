//! Why a request gets no answer, in no dialect: a status, a class, whose it is, one fix.

mod cure;
mod told;

use std::time::Duration;

use hyper::StatusCode;
use serde_json::{Map, Value};

use self::cure::cure;
use super::codec::literal;
use crate::catalog::ModelId;
use crate::catalog::resolve::ResolveError;
use crate::chat::SILENCE;
use crate::dispatch::{AttemptReport, ChatReport, OverBudget, Purse};
use crate::observe::{CostState, ErrorClass};
use crate::routing::{Decision, GiveUp, Rejected, Rejection};
pub(crate) use told::{estimate, marks, seam, seam_members};

/// Why a request gets no answer, or only a part of one.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// The HTTP status.
    pub status: StatusCode,
    /// The word for programs, e.g. `overloaded`, `model_not_found`.
    pub code: String,
    /// One sentence.
    pub message: String,
    /// Which parameter of the request is at fault, if one is.
    pub param: Option<String>,
    /// The class of the last attempt, where one was made.
    pub class: Option<ErrorClass>,
    /// Whose it is, where the class alone does not tell.
    pub owner: Option<&'static str>,
    /// What to do about it.
    pub fix: Option<String>,
    /// How long to wait before asking again.
    pub retry_after: Option<Duration>,
    /// Every attempt that failed, in order.
    pub previous: Vec<Value>,
    /// The providers that could not be used, each with why.
    pub rejected: Vec<Value>,
}

impl Problem {
    /// One of this status.
    pub(crate) fn new(status: StatusCode, code: &str, message: impl Into<String>) -> Self {
        Self {
            status,
            code: code.to_owned(),
            message: short(message.into()),
            param: None,
            class: None,
            owner: None,
            fix: None,
            retry_after: None,
            previous: Vec::new(),
            rejected: Vec::new(),
        }
    }

    /// The same with what to do about it.
    pub(crate) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }

    /// Whose it is: `provider`, `your key`, `your request`, `your network`, `openmux`.
    #[must_use]
    pub fn owner(&self) -> &'static str {
        match (self.owner, self.class) {
            (Some(owner), _) => owner,
            (_, Some(class)) => class.owner(),
            _ if self.status.is_server_error() => "openmux",
            _ if self.status == StatusCode::UNAUTHORIZED => "your key",
            _ => "your request",
        }
    }

    /// How many whole seconds to wait before asking again, never fewer than what was asked for.
    pub(crate) fn retry_seconds(&self) -> Option<u64> {
        self.retry_after.map(|wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
    }

    /// A request that cannot be read; `wrong` has its place before it: `messages[0].role: missing`.
    pub(crate) fn invalid(wrong: &str) -> Self {
        let wrong = wrong.trim_start_matches('.');
        let place = wrong.split_once(": ").map(|(place, _)| place).filter(|place| !place.contains(' '));
        let problem = Self::new(StatusCode::BAD_REQUEST, "invalid_request", wrong);
        Self { param: place.map(|place| short(place.to_owned())), fix: Some(cure(wrong)), ..problem }
    }

    /// An option that is not understood, or cannot be honoured.
    pub(crate) fn refused(refused: super::codec::options::Refused) -> Self {
        Self::invalid(&refused.wrong).fix(refused.fix)
    }

    /// A name that is no model's.
    pub(crate) fn no_model(error: &ResolveError) -> Self {
        let problem = Self {
            param: Some("model".to_owned()),
            ..Self::new(StatusCode::NOT_FOUND, "model_not_found", error.to_string())
        };
        let cause = match error {
            ResolveError::OwnName { error, .. } => error.as_ref(),
            other => other,
        };
        let near = match cause {
            ResolveError::OwnName { .. } => Vec::new(),
            ResolveError::Unknown { suggestions, .. } => suggestions.iter().map(ToString::to_string).collect(),
            ResolveError::Ambiguous { candidates, .. } => candidates.clone(),
            ResolveError::UnknownSuffix { variants, .. } => variants.clone(),
        };
        if near.is_empty() {
            problem.fix("GET /v1/models lists them")
        } else {
            problem.fix(format!("did you mean {}?", near.join(", ")))
        }
    }

    /// Nobody may be used.
    pub(crate) fn unroutable(decision: &Decision, model: &ModelId) -> Self {
        let rejected: Vec<Value> = decision.rejected.iter().map(rejection).collect();
        let Some(first) = nearest(decision) else {
            let message = format!("nobody serves {model} for chat");
            let nobody = Self::new(StatusCode::NOT_FOUND, "no_provider", message);
            return Self { rejected, ..nobody }.fix("another model; GET /v1/models lists those that somebody serves");
        };
        let provider = &decision
            .rejected
            .iter()
            .find(|entry| entry.reasons.contains(first))
            .map(|entry| entry.endpoint.provider.to_string())
            .unwrap_or_default();
        let of = |status, class, what: String, fix: String| Self {
            class,
            ..Self::new(status, first.code(), format!("no provider of {model} can be used: {what}")).fix(fix)
        };
        let problem = match first {
            Rejection::NoCredential { looked_in } => {
                let name = looked_in.first().map_or("PROVIDER_API_KEY", String::as_str);
                let fix = format!("set {name} (or another provider's key) where openmux serve runs");
                of(StatusCode::UNAUTHORIZED, Some(ErrorClass::Auth), "no key is set".to_owned(), fix)
            }
            Rejection::MissingSetting { variables } => {
                let fix = format!("set {} where openmux serve runs", variables.join(", "));
                of(StatusCode::UNAUTHORIZED, Some(ErrorClass::Auth), format!("{provider} needs a setting"), fix)
            }
            Rejection::Unsupported { parameter } => {
                let what = format!("none can be told {parameter}");
                let fix = match *parameter {
                    SILENCE => "add a user's message".to_owned(),
                    parameter => format!("leave out {parameter}"),
                };
                of(StatusCode::BAD_REQUEST, Some(ErrorClass::Unsupported), what, fix)
            }
            Rejection::ContextTooSmall { needed, limit } | Rejection::InputTooLong { needed, limit } => {
                let what = format!("about {needed} tokens are needed, {provider} takes {limit}");
                of(
                    StatusCode::BAD_REQUEST,
                    Some(ErrorClass::TooLarge),
                    what,
                    "a shorter prompt, or another model".to_owned(),
                )
            }
            Rejection::OutputTooSmall { needed, limit } => {
                let what = format!("an answer of {needed} tokens is longer than any can give");
                of(
                    StatusCode::BAD_REQUEST,
                    Some(ErrorClass::Unsupported),
                    what,
                    format!("max_tokens of at most {limit}"),
                )
            }
            Rejection::ForeignState { made_by } => {
                let what = format!("only {made_by} can take back what it signed");
                of(StatusCode::BAD_REQUEST, Some(ErrorClass::Unsupported), what, "leave the signatures out".to_owned())
            }
            Rejection::AboveMaxCost { .. } | Rejection::UnboundedCost { .. } => of(
                StatusCode::PAYMENT_REQUIRED,
                None,
                "it could cost more than one request may".to_owned(),
                "max_tokens with a smaller number, or OPENMUX_MAX_COST where openmux serve runs".to_owned(),
            ),
            Rejection::Retired { .. } => of(
                StatusCode::NOT_FOUND,
                Some(ErrorClass::NotFound),
                format!("{provider} has retired it"),
                "another model".to_owned(),
            ),
            other => {
                let what = format!("{provider}: {}", other.code());
                of(StatusCode::NOT_FOUND, None, what, "GET /v1/route/explain says why, provider by provider".to_owned())
            }
        };
        Self { rejected, ..problem }
    }

    /// No attempt has answered.
    pub(crate) fn failed(report: &ChatReport, decision: &Decision, model: &ModelId) -> Self {
        if let Some(over) = report.over_budget.as_ref().filter(|_| report.attempts.is_empty()) {
            return Self::over_budget(over);
        }
        let Some(last) = report.failed() else { return Self::unasked(report, decision, model) };
        let class = last.outcome.class;
        let (status, code, word, fix) = words(class);
        let provider = &last.endpoint.provider;
        let said = last.outcome.error.as_ref().map(|error| error.message.trim()).filter(|text| !text.is_empty());
        let said = said.map(|text| format!(": {text}")).unwrap_or_default();
        let count = report.attempts.len();
        let message = match count {
            1 => format!("{provider} {word}{said}"),
            several => format!("all {several} attempts failed; the last: {provider} {word}{said}"),
        };
        let asked = last.outcome.error.as_ref().and_then(|error| error.retry_after);
        let fix = match report.gave_up {
            Some(GiveUp::Storm) => {
                "ask again in a moment: too many requests fail at once for each to be tried elsewhere"
            }
            _ if last.outcome.is_impatient() => "ask again with a longer timeout, or with none",
            _ => fix,
        };
        Self {
            class: Some(class),
            owner: Some(last.outcome.owner()),
            retry_after: asked,
            previous: attempts(report),
            ..Self::new(status, code, message).fix(fix)
        }
    }

    /// Nobody was asked.
    fn unasked(report: &ChatReport, decision: &Decision, model: &ModelId) -> Self {
        match report.gave_up.filter(|_| decision.chosen().is_some()) {
            Some(GiveUp::Storm) => {
                let message = "nobody was asked: too many requests fail at once for each to be tried";
                let storm = Self::new(StatusCode::SERVICE_UNAVAILABLE, "too_many_failures", message);
                Self { owner: Some("provider"), retry_after: Some(Duration::from_secs(1)), ..storm }
                    .fix("ask again in a moment")
            }
            Some(GiveUp::Deadline) => {
                let message = "nobody was asked: the time that the request allows was over";
                let over = Self::new(StatusCode::GATEWAY_TIMEOUT, "deadline", message);
                Self { owner: Some("your request"), ..over }.fix("ask again with a longer timeout, or with none")
            }
            Some(_) => {
                let message = "nobody was asked: the request was stopped before";
                let stopped = Self::new(StatusCode::GATEWAY_TIMEOUT, ErrorClass::Aborted.name(), message);
                Self { class: Some(ErrorClass::Aborted), ..stopped }.fix("ask again")
            }
            None => Self::unroutable(decision, model),
        }
    }

    fn over_budget(over: &OverBudget) -> Self {
        if let Some(purse) = &over.purse {
            return Self::over_purse(over, purse);
        }
        let message = match (&over.reason, over.bound) {
            (Some(reason), _) => format!("not sent: the budget of the day cannot be kept: {reason}"),
            (None, Some(bound)) => {
                format!(
                    "not sent: it could cost ${}, more than is left of today's ${}",
                    bound.exact(),
                    over.cap.exact()
                )
            }
            (None, None) => "not sent: no bound on its cost is known, and the day has a budget".to_owned(),
        };
        Self::new(StatusCode::PAYMENT_REQUIRED, "day_budget", message)
            .fix("max_tokens with a smaller number, or day_usd under [budget] in config.toml")
    }
}

impl Problem {
    /// A client has spent what it may. Not 429: clients ask again by themselves after that, which cures nothing here.
    fn over_purse(over: &OverBudget, purse: &Purse) -> Self {
        let (of, key) = if purse.monthly { ("this month's", "month_usd") } else { ("today's", "day_usd") };
        let (whose, cap) = (&purse.whose, purse.cap.exact());
        let message = match (&over.reason, over.bound) {
            (Some(reason), _) => format!("not sent: the budget of {whose} cannot be kept: {reason}"),
            (None, Some(bound)) => {
                format!("not sent: it could cost ${}, more than is left of {of} ${cap} of {whose}", bound.exact())
            }
            (None, None) => format!("not sent: no bound on its cost is known, and {whose} has a budget"),
        };
        Self::new(StatusCode::PAYMENT_REQUIRED, "client_budget", message)
            .fix(format!("max_tokens with a smaller number, or a larger {key} of {whose} where openmux serve runs"))
    }
}

/// The reason that is told: the commonest of those that the client can cure, else of all.
fn nearest(decision: &Decision) -> Option<&Rejection> {
    let rank = |reason: &Rejection| match reason {
        Rejection::NoCredential { .. } | Rejection::MissingSetting { .. } => 1,
        Rejection::Unsupported { .. }
        | Rejection::ContextTooSmall { .. }
        | Rejection::InputTooLong { .. }
        | Rejection::OutputTooSmall { .. }
        | Rejection::ForeignState { .. } => 0,
        Rejection::Retired { .. } => 3,
        Rejection::NotSimulated | Rejection::ProtocolUnsupported { .. } | Rejection::NoBaseUrl => 4,
        _ => 2,
    };
    // Of each provider what stands most in the way: only where that is cured the next one matters.
    let worst = decision.rejected.iter().filter_map(|entry| entry.reasons.iter().max_by_key(|reason| rank(reason)));
    worst.min_by_key(|reason| rank(reason))
}

fn rejection(entry: &Rejected) -> Value {
    let codes: Vec<&str> = entry.reasons.iter().map(Rejection::code).collect();
    serde_json::json!({ "provider": entry.endpoint.provider.as_str(), "reasons": codes })
}

/// One attempt for programs; `ms` writes a time.
pub(crate) fn attempt(attempt: &AttemptReport, ms: impl Fn(Duration) -> Value) -> Map<String, Value> {
    let outcome = &attempt.outcome;
    let text = |text: Option<&String>| text.map_or(Value::Null, |text| text.as_str().into());
    let mut object = Map::new();
    object.insert("provider".to_owned(), attempt.endpoint.provider.as_str().into());
    object.insert("upstream_model".to_owned(), attempt.endpoint.upstream_model.as_str().into());
    object.insert("class".to_owned(), outcome.class.name().into());
    object.insert("http_status".to_owned(), outcome.http_status.map_or(Value::Null, Value::from));
    object.insert("ms".to_owned(), outcome.timings.e2e.map_or(Value::Null, ms));
    object.insert("request_id".to_owned(), text(outcome.request_id.as_ref()));
    object.insert("message".to_owned(), text(outcome.error.as_ref().map(|error| &error.message)));
    let state = match attempt.cost_state {
        CostState::Exact => "exact",
        CostState::None => "none",
        CostState::Unknown => "unknown",
    };
    object.insert("cost_state".to_owned(), state.into());
    object
}

/// Every attempt of a chat, in order, with the time to its first token.
pub(super) fn attempts(report: &ChatReport) -> Vec<Value> {
    let ms = |time: Duration| literal(&millis(time));
    let one = |seen: &AttemptReport| {
        let mut object = attempt(seen, ms);
        object.insert("ttft_ms".to_owned(), seen.outcome.timings.ttft.map_or(Value::Null, ms));
        estimate(&mut object, seen.estimate);
        marks(&mut object, seen);
        Value::from(object)
    };
    report.attempts.iter().map(one).collect()
}

/// Milliseconds with a thousandth.
pub(crate) fn millis(time: Duration) -> String {
    let mut text = (time.as_micros() / 1000).to_string();
    text.push('.');
    let micros = time.subsec_micros() % 1000;
    text.extend([micros / 100, micros / 10 % 10, micros % 10].map(|digit| char::from_digit(digit, 10).unwrap_or('0')));
    text
}

/// A text in which a client may have written anything, and any amount of it: its beginning and its end.
fn short(text: String) -> String {
    const BEGINNING: usize = 700;
    const END: usize = 300;
    let Some((cut, _)) = text.char_indices().nth(BEGINNING) else { return text };
    let (beginning, rest) = text.split_at(cut);
    match rest.char_indices().rev().nth(END) {
        Some((last, _)) if last > 0 => format!("{beginning} ... {}", &rest[last..]),
        _ => text,
    }
}

/// What a failure of a class is here: its status, its code, what the provider did, and what to do.
fn words(class: ErrorClass) -> (StatusCode, &'static str, &'static str, &'static str) {
    const LATER: &str = "try again later, or set a key for another provider";
    let code = class.name();
    match class {
        ErrorClass::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, code, "is overloaded", LATER),
        ErrorClass::ProviderTimeout => (StatusCode::GATEWAY_TIMEOUT, code, "was not in time", LATER),
        ErrorClass::StreamBroken => {
            (StatusCode::BAD_GATEWAY, code, "broke the answer off", "ask again; without stream a break fails over")
        }
        ErrorClass::Unreachable => (StatusCode::BAD_GATEWAY, code, "cannot be reached", LATER),
        ErrorClass::RateLimited => (
            StatusCode::TOO_MANY_REQUESTS,
            code,
            "is limiting the gateway's key",
            "wait, or set a key for another provider",
        ),
        ErrorClass::Quota => (
            StatusCode::PAYMENT_REQUIRED,
            code,
            "says that the account has no credit",
            "add credit there, or set a key for another provider",
        ),
        ErrorClass::Auth => (
            StatusCode::UNAUTHORIZED,
            code,
            "rejected the gateway's key",
            "set a valid key where openmux serve runs (openmux providers check)",
        ),
        ErrorClass::Forbidden => (
            StatusCode::FORBIDDEN,
            code,
            "does not permit that to the gateway's key",
            "ask for access there, or set a key for another provider",
        ),
        ErrorClass::NotFound => {
            (StatusCode::NOT_FOUND, code, "does not know the model", "another model, or another provider")
        }
        ErrorClass::Invalid | ErrorClass::Unsupported => {
            (StatusCode::BAD_REQUEST, code, "refused the request", "change the request as it says")
        }
        ErrorClass::TooLarge => (
            StatusCode::BAD_REQUEST,
            "context_length_exceeded",
            "says that the prompt is too long",
            "a shorter prompt, or another model",
        ),
        ErrorClass::Conflict => (StatusCode::CONFLICT, code, "refused the request", "ask again"),
        ErrorClass::Aborted => (StatusCode::GATEWAY_TIMEOUT, code, "was stopped", "ask again"),
        ErrorClass::LocalNetwork => (
            StatusCode::BAD_GATEWAY,
            code,
            "cannot be reached, nor can others",
            "check the connection of the machine that openmux serve runs on",
        ),
        ErrorClass::LocalConfig => {
            (StatusCode::BAD_GATEWAY, code, "cannot be called", "start the server there, or correct its address")
        }
        ErrorClass::ClientBug => {
            (StatusCode::BAD_GATEWAY, code, "sent an answer that openmux could not read", "please report it")
        }
        _ => (StatusCode::BAD_GATEWAY, code, "failed", LATER),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_have_a_thousandth() {
        let told = [0, 5, 999, 12_345, 1_060_700].map(|micros| millis(Duration::from_micros(micros)));
        assert_eq!(told, ["0.000", "0.005", "0.999", "12.345", "1060.700"]);
    }
}
