//! The budget of a day: what is said where a chat does not fit into it.

use super::super::contract::Exit;
use super::super::error::CliError;
use super::super::render::explain::unbounded;
use super::super::render::json::literal;
use super::super::render::money::dollars;
use super::super::report::bound_text;
use crate::dispatch::{ChatReport, OverBudget};
use crate::routing::Decision;
use crate::units::Usd;

/// The store cannot be opened, and without it no budget is kept.
pub(super) fn unkept(reason: &str) -> CliError {
    CliError::new(Exit::Config, "store", "not sent: the budget of the day cannot be kept")
        .fact("reason", reason)
        .fix("make OPENMUX_DATA_DIR writable, or take day_usd out of [budget] in config.toml")
}

/// Nothing was sent, because the day's budget does not hold what it could cost; `None` where that was not why.
pub(super) fn refused(report: &ChatReport, decision: &Decision) -> Option<CliError> {
    let over = report.over_budget.as_ref().filter(|_| report.attempts.is_empty())?;
    if let Some(reason) = &over.reason {
        return Some(unkept(reason));
    }
    let cap = over.cap;
    let error = match over.bound {
        Some(bound) => {
            let error = CliError::new(
                Exit::Refused,
                "day_budget",
                format!(
                    "not sent: it could cost {}, and {} is left of today's {}",
                    dollars(bound),
                    dollars(left(over)),
                    dollars(cap)
                ),
            );
            error.with("bound_usd", literal(&bound.exact()))
        }
        None => CliError::new(
            Exit::Refused,
            "day_budget",
            format!("not sent: no bound on its cost is known, and today's budget is {}", dollars(cap)),
        ),
    };
    let used = over.used.unwrap_or_default();
    let error = error
        .fact("today", format!("{} is spent or set aside since 00:00 UTC", dollars(used)))
        .fact("bound", bound_text(decision, None))
        .with("budget_usd", literal(&cap.exact()))
        .with("used_usd", literal(&used.exact()));
    Some(match (over.bound, unbounded(&decision.request).strip_prefix("give ")) {
        (None, Some(flag)) => error.fix(format!("{flag} N")),
        (Some(bound), _) if bound <= cap => {
            error.fix("--max-tokens with a smaller number, or a larger day_usd under [budget] in config.toml")
        }
        _ => error.fix("a larger day_usd under [budget] in config.toml, or --max-tokens with a small number"),
    })
}

/// What is left of the day, never less than nothing.
fn left(over: &OverBudget) -> Usd {
    over.used.filter(|used| *used <= over.cap).map_or(Usd::ZERO, |used| over.cap - used)
}

/// Why no further provider was tried, where the budget is why.
pub(super) fn also(report: &ChatReport, error: CliError) -> CliError {
    match &report.over_budget {
        Some(over) => {
            let why = over.bound.map_or("nothing bounds its cost".to_owned(), |bound| {
                format!("it could cost {}, and {} is left today", dollars(bound), dollars(left(over)))
            });
            error.fact("not tried", format!("{}: {why}", over.endpoint.provider))
        }
        None => error,
    }
}
