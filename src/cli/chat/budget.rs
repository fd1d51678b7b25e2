//! The budget of a day: what is said where a chat does not fit into it, or would not.

use serde_json::{Map, Value};

use super::super::contract::Exit;
use super::super::error::CliError;
use super::super::render::explain::unbounded;
use super::super::render::json::literal;
use super::super::render::money::dollars;
use super::super::render::text::labelled;
use super::super::report::bound_text;
use super::super::settings::Settings;
use crate::dispatch::{ChatReport, OverBudget};
use crate::observe::Source;
use crate::routing::Decision;
use crate::store::{ObservationStore, SetAside};
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

/// What today's budget leaves for a call that is only looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Today {
    day: Usd,
    used: SetAside,
    /// The most that the call can cost where it would go first; `None` where no bound is known.
    bound: Option<Usd>,
    /// Whether anybody would be asked.
    is_asked: bool,
}

impl Today {
    /// What is left at a moment; `None` where no budget holds, or the store cannot tell.
    pub(crate) fn of(settings: &Settings, store: &dyn ObservationStore, decision: &Decision) -> Option<Self> {
        let day = settings.config.day_budget().filter(|_| settings.sandbox.is_none())?;
        let used = store.set_aside(Source::Chat.name(), decision.at).ok()?;
        let first = decision.chosen();
        Some(Self { day, used, bound: first.and_then(|first| first.bound), is_asked: first.is_some() })
    }

    /// Whether chat would send it; `None` where nobody would be asked. What costs nothing fits into any day.
    fn fits(self) -> Option<bool> {
        let holds = self.bound.is_some_and(|bound| bound == Usd::ZERO || self.used.total() + bound <= self.day);
        self.is_asked.then_some(holds)
    }

    /// A line for people.
    pub(crate) fn text(self, width: usize) -> String {
        let (left, day) = (dollars(self.used.left_of(self.day)), dollars(self.day));
        let left = format!("{left} is left of today's {day} (UTC)");
        let text = match (self.fits(), self.bound) {
            (None | Some(true), _) => left,
            (Some(false), Some(bound)) => {
                format!("chat would not send it (exit 11): it can cost {}, and {left}", dollars(bound))
            }
            (Some(false), None) => format!("chat would not send it (exit 11): no bound on its cost is known; {left}"),
        };
        labelled("Budget", &text, width)
    }

    /// The same for programs.
    pub(crate) fn json(self) -> Value {
        let mut members = members(self.day, self.used);
        members.insert("fits".to_owned(), self.fits().into());
        members.into()
    }
}

/// The budget of a day for programs: what is spent, set aside and left of it.
pub(crate) fn members(day: Usd, used: SetAside) -> Map<String, Value> {
    let amounts =
        [("day_usd", day), ("spent_usd", used.spent), ("set_aside_usd", used.open), ("left_usd", used.left_of(day))];
    amounts.into_iter().map(|(name, amount)| (name.to_owned(), literal(&amount.exact()))).collect()
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
