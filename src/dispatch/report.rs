//! What a chat came to: every attempt, and which of them gave the answer.

use std::time::Duration;

use super::{AttemptReport, OverBudget, Seam};
use crate::catalog::Usage;
use crate::routing::GiveUp;
use crate::units::{Tokens, Usd};

/// What a chat came to.
#[derive(Debug, Clone, PartialEq)]
pub struct ChatReport {
    /// Every attempt, in order.
    pub attempts: Vec<AttemptReport>,
    /// Why no further attempt was made, where the last one failed.
    pub gave_up: Option<GiveUp>,
    /// Where one endpoint went on with what another had begun, in the answer's order.
    pub seams: Vec<Seam>,
    /// The attempt that broke off what the caller has, where those that followed added nothing.
    pub broke_off: Option<usize>,
    /// The attempt that was not made because the day's budget does not hold it.
    pub over_budget: Option<OverBudget>,
    /// From the first attempt to the end.
    pub elapsed: Duration,
}

/// What several requests of one chat came to: those that gave a part of the answer count, and what failed before them may
/// be billed.
#[derive(Debug, Clone, PartialEq)]
pub struct Total {
    /// The exact cost, and who says so; `None` where that of a part is not known.
    pub cost: Option<(Usd, &'static str)>,
    /// Why there is no cost, where a sheet says so.
    pub why: Option<String>,
    /// The cost by the price sheets.
    pub list_price: Option<Usd>,
    /// What was used; what a part does not report is not known of all.
    pub usage: Option<Usage>,
}

impl ChatReport {
    /// The attempt that answered.
    #[must_use]
    pub fn answered(&self) -> Option<&AttemptReport> {
        self.attempts.last().filter(|attempt| attempt.outcome.class.is_success())
    }

    /// The attempt whose failure the chat's is: the last one, unless it was to go on with what an earlier one broke off.
    #[must_use]
    pub fn failed(&self) -> Option<&AttemptReport> {
        self.broke_off.and_then(|at| self.attempts.get(at)).or(self.attempts.last())
    }

    /// Whether an attempt gave a part of the answer: by its place among all.
    #[must_use]
    pub fn is_part(&self, at: usize) -> bool {
        let attempt = self.attempts.get(at);
        attempt.is_some_and(|attempt| attempt.outcome.class.is_success())
            || self.seams.iter().any(|seam| seam.attempt == at)
    }

    /// What it came to.
    #[must_use]
    pub fn total(&self) -> Total {
        let given: Vec<&AttemptReport> =
            self.attempts.iter().enumerate().filter(|(at, _)| self.is_part(*at)).map(|(_, attempt)| attempt).collect();
        let answered = given.iter().any(|attempt| attempt.outcome.class.is_success());
        let counted = if answered { given } else { self.failed().into_iter().collect() };
        let costs: Option<Vec<(Usd, &'static str)>> = counted.iter().map(|attempt| attempt.charged_by()).collect();
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
        let usages: Option<Vec<Usage>> = counted.iter().map(|attempt| self.used(attempt)).collect();
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

    /// What an attempt used. What was reported before a part broke off is not what it came to in the end.
    fn used(&self, attempt: &AttemptReport) -> Option<Usage> {
        let usage = attempt.outcome.usage.clone();
        if self.seams.is_empty() || attempt.outcome.class.is_success() {
            return usage;
        }
        Some(Usage { output: None, reasoning: None, ..usage.unwrap_or_default() })
    }

    /// The same report with earlier attempts before its own.
    #[must_use]
    pub fn after(mut self, earlier: Vec<AttemptReport>) -> Self {
        let before = earlier.len();
        let own = std::mem::replace(&mut self.attempts, earlier);
        self.attempts.extend(own);
        self.seams.iter_mut().for_each(|seam| seam.attempt += before);
        self.broke_off = self.broke_off.map(|at| at + before);
        self
    }
}

/// The counts that are shown, added up.
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
