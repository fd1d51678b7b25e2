//! What a chat came to: every attempt, and which of them gave the answer.

use std::time::Duration;

use super::{AttemptReport, OverBudget, Seam};
use crate::routing::GiveUp;
use crate::units::Usd;

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

    /// What the answers cost that came, exactly: the one that is told, its parts, and one that another model's was preferred
    /// to. `None` where that is not known of each. What failed may be billed, too: its own attempt tells.
    #[must_use]
    pub fn cost(&self) -> Option<Usd> {
        let came = self.attempts.iter().enumerate().filter(|(at, _)| self.is_part(*at)).map(|(_, attempt)| attempt);
        let mut came = came.map(AttemptReport::charged).peekable();
        came.peek()?;
        came.sum()
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
