//! What a chat came to: every attempt, and which of them gave the answer.

use std::time::Duration;

use jiff::Timestamp;

use super::{Forecast, OverBudget, Seam};
use crate::catalog::price::{Cost, CostError};
use crate::catalog::{EndpointId, ModelId, Protocol, Usage};
use crate::observe::{CostState, Fault};
use crate::routing::GiveUp;
use crate::units::{Tokens, Usd};
use crate::upstream::Adaptation;
use crate::upstream::auth::AuthError;
use crate::upstream::exchange::Outcome;

/// One attempt, as it is reported.
#[derive(Debug, Clone, PartialEq)]
pub struct AttemptReport {
    /// Which endpoint.
    pub endpoint: EndpointId,
    /// Of which model.
    pub model: ModelId,
    /// The dialect that was spoken; `None` where this version has none for it.
    pub protocol: Option<Protocol>,
    /// The variable that held the key, if one was used.
    pub key_source: Option<String>,
    /// The last characters of the key.
    pub key_ending: Option<String>,
    /// What to do where it is rejected, for credentials that are obtained.
    pub key_cure: Option<&'static str>,
    /// The host that was called.
    pub host: String,
    /// When it began.
    pub at: Timestamp,
    /// What it came to.
    pub outcome: Outcome,
    /// Why its credential could not be obtained or carried, where that is why nothing was sent.
    pub unsigned: Option<AuthError>,
    /// What was changed in the request for this endpoint, because it refused it as it was, now or earlier.
    pub adapted: Vec<Adaptation>,
    /// Whose fault it was that no response came; `None` where one came, or where nothing was sent.
    pub fault: Option<Fault>,
    /// Its bill, or why there is none.
    pub cost: Option<Result<Cost, CostError>>,
    /// What is known of its cost.
    pub cost_state: CostState,
    /// What it likely cost where the caller has stopped it, which nobody tells: for budgets, and never shown as a cost.
    pub likely: Option<Usd>,
    /// What it came to by estimate, where it broke off after something of an answer had come and nobody says what that cost:
    /// never counted as a cost, and always shown as an estimate.
    pub estimate: Option<Usd>,
    /// What the decision made of it.
    pub forecast: Forecast,
}

impl AttemptReport {
    /// What it cost, exactly: the provider's own bill where it sends one, else by the price sheet.
    #[must_use]
    pub fn charged(&self) -> Option<Usd> {
        self.outcome.billed.or(self.by_sheet())
    }

    /// The same with who says so: `provider`, or `catalog`.
    #[must_use]
    pub fn charged_by(&self) -> Option<(Usd, &'static str)> {
        self.charged().map(|amount| (amount, if self.outcome.billed.is_some() { "provider" } else { "catalog" }))
    }

    pub(super) fn by_sheet(&self) -> Option<Usd> {
        match (&self.cost, self.cost_state) {
            (Some(Ok(cost)), CostState::Exact) => Some(cost.total),
            _ => None,
        }
    }

    /// The tokens that it took, in and out: as reported, else of an answer that began, its input by the estimate and what
    /// came of it. `None` where nobody knows.
    #[must_use]
    pub fn taken(&self) -> Option<Tokens> {
        if let Some(usage) = &self.outcome.usage {
            return Some(usage.input.unwrap_or_default() + usage.output.unwrap_or_default());
        }
        if self.cost_state == CostState::None {
            return Some(Tokens::ZERO);
        }
        Some(self.forecast.input? + Tokens::new(self.outcome.streamed.tokens?))
    }

    /// What it cost: nothing where it cannot have been billed, `None` where nobody knows.
    #[must_use]
    pub fn spent(&self) -> Option<Usd> {
        self.charged().or((self.cost_state == CostState::None).then_some(Usd::ZERO))
    }
}

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
    /// What it came to by estimate, where a part has no cost that is known: the others as they were billed, and that one by
    /// its input and what came of it. `None` where the cost is known, or no estimate is.
    pub estimate: Option<Usd>,
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
        let guessed = || counted.iter().map(|attempt| attempt.charged().or(attempt.estimate)).sum::<Option<Usd>>();
        let estimate = if summed.is_none() && !counted.is_empty() { guessed() } else { None };
        let listed = |attempt: &&AttemptReport| match &attempt.cost {
            Some(Ok(cost)) => Some(cost.total),
            _ => None,
        };
        let list: Option<Vec<Usd>> = counted.iter().map(listed).collect();
        let usages: Option<Vec<Usage>> = counted.iter().map(|attempt| self.used(attempt)).collect();
        Total {
            cost: summed,
            estimate,
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

    /// What the answers cost that came, exactly: the one that is told, its parts, and one that another model's was preferred
    /// to. `None` where that is not known of each. What failed may be billed, too: its own attempt tells.
    #[must_use]
    pub fn cost(&self) -> Option<Usd> {
        let came = self.attempts.iter().enumerate().filter(|(at, _)| self.is_part(*at)).map(|(_, attempt)| attempt);
        let mut came = came.map(AttemptReport::charged).peekable();
        came.peek()?;
        came.sum()
    }

    /// The same by estimate, where it is not known.
    #[must_use]
    pub fn cost_estimate(&self) -> Option<Usd> {
        if self.cost().is_some() { None } else { self.total().estimate }
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
