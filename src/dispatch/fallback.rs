//! Moving on to another model, along the chain that somebody listed, and only after the failures that were agreed to.

use std::time::Duration;

use super::{AttemptReport, ChatReport};
use crate::catalog::ModelId;
use crate::observe::{ErrorClass, Failover};

/// What a model can end in so that another one is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FallbackClass {
    /// No provider of it may be used.
    Unusable,
    /// Its last attempt failed so.
    Class(ErrorClass),
}

impl FallbackClass {
    /// The word on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unusable => "unusable",
            Self::Class(class) => class.name(),
        }
    }

    /// All that can be named. What the caller stopped, and what is wrong here, no other model cures; an answer needs none.
    pub fn all() -> impl Iterator<Item = Self> {
        use ErrorClass::{Aborted, LocalConfig, LocalNetwork, Ok, OkNoAnswer, OkTruncated};
        let never =
            |class: &ErrorClass| matches!(class, Ok | OkTruncated | OkNoAnswer | Aborted | LocalNetwork | LocalConfig);
        let classes = ErrorClass::ALL.into_iter().filter(move |class| !never(class)).map(Self::Class);
        [Self::Unusable].into_iter().chain(classes)
    }
}

/// Whether a failure is one after which another model is asked: those that were named, else those for which every provider
/// was tried. A refusal by a content filter is never among them unless it was named.
#[must_use]
pub fn agreed(named: &[FallbackClass], class: FallbackClass) -> bool {
    if !named.is_empty() {
        return named.contains(&class);
    }
    match class {
        FallbackClass::Unusable => true,
        FallbackClass::Class(class) => {
            matches!(class.failover(), Failover::Next { .. }) && class != ErrorClass::LocalConfig
        }
    }
}

/// One step from a model to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fall {
    /// The model that gave no answer.
    pub from: ModelId,
    /// The model that is asked after it.
    pub to: ModelId,
    /// Why.
    pub class: FallbackClass,
    /// After how many attempts at the first.
    pub attempts: usize,
}

/// What came before the model that is asked now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Fallen {
    /// Every step, in order.
    pub steps: Vec<Fall>,
    /// Attempts at the models before.
    attempts: Vec<AttemptReport>,
    /// How long they took.
    elapsed: Duration,
}

impl Fallen {
    /// Whether the first model is still the one that is asked.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// How many attempts there were at the models before.
    #[must_use]
    pub const fn attempts(&self) -> usize {
        self.attempts.len()
    }

    /// How long the models before took.
    #[must_use]
    pub const fn elapsed(&self) -> Duration {
        self.elapsed
    }

    /// One model more that gave no answer; `report` is what it came to, where somebody was asked.
    pub fn step(&mut self, (from, to): (ModelId, ModelId), class: FallbackClass, report: Option<&ChatReport>) {
        let attempts = report.map_or(&[][..], |report| report.attempts.as_slice());
        self.steps.push(Fall { from, to, class, attempts: attempts.len() });
        self.attempts.extend_from_slice(attempts);
        self.elapsed += report.map_or(Duration::ZERO, |report| report.elapsed);
    }

    /// The whole report: also the attempts at the models before.
    #[must_use]
    pub fn whole(&self, report: ChatReport) -> ChatReport {
        let mut report = report.after(self.attempts.clone());
        report.elapsed += self.elapsed;
        report
    }

    /// The steps for programs.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        let step = |step: &Fall| {
            serde_json::json!({
                "from": step.from.as_str(), "to": step.to.as_str(), "class": step.class.name(),
                "attempts": step.attempts,
            })
        };
        self.steps.iter().map(step).collect::<Vec<_>>().into()
    }
}

impl ChatReport {
    /// What it ended in, for whoever could ask another model: `None` where it has answered, or something of an answer is with
    /// the caller. `held` says that nothing was handed on before it was whole, `silent` that the answer has no words.
    #[must_use]
    pub fn ended_in(&self, held: bool, silent: bool) -> Option<FallbackClass> {
        let last = self.attempts.last()?;
        let class = last.outcome.class;
        let filtered = class == ErrorClass::OkFiltered && silent;
        let shown = (last.outcome.shown || self.broke_off.is_some()) && !held && !filtered;
        let answered = class.is_success() && !filtered;
        (!shown && !answered).then_some(FallbackClass::Class(class))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_word_another_model_is_asked_after_what_every_provider_was_tried_for() {
        let agreed_to = |named: &[FallbackClass]| {
            FallbackClass::all().filter(|class| agreed(named, *class)).map(FallbackClass::name).collect::<Vec<_>>()
        };
        insta::assert_snapshot!(agreed_to(&[]).join(" "), @"unusable provider_fault overloaded provider_timeout stream_broken unreachable rate_limited quota auth forbidden not_found conflict client_bug");
        assert_eq!(agreed_to(&[FallbackClass::Class(ErrorClass::OkFiltered)]), ["ok_filtered"]);
    }
}
