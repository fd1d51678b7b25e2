//! Moving on to another model, along the chain that the user listed, and only after the failures that were agreed to.

use std::cell::RefCell;

use serde_json::{Value, json};

use super::super::args::FallbackClass;
use super::super::error::CliError;
use super::super::settings::Settings;
use super::super::{Outcome, facts, note, prompt};
use super::Asked;
use super::send::Session;
use crate::catalog::Catalog;
use crate::catalog::resolve::Resolved;
use crate::chat::ChatRequest;
use crate::cli::args::ChatArgs;
use crate::cli::printer::Printer;
use crate::dispatch::{AttemptReport, ChatReport, Dispatcher};
use crate::observe::{ErrorClass, Failover};
use crate::routing::{Constraints, GiveUp};

/// A model of the chain, ready to be asked.
#[derive(Debug)]
pub(super) struct Link {
    /// The model.
    pub(super) resolved: Resolved,
    /// The request for it.
    pub(super) request: ChatRequest,
    /// What is not negotiable of it.
    pub(super) constraints: Constraints,
}

/// The models after the first, each with the same request.
///
/// # Errors
/// One of them does not exist, or its pinned provider is ruled out.
pub(super) fn links(
    settings: &Settings,
    catalog: &Catalog,
    args: &ChatArgs,
    first: &ChatRequest,
) -> Result<Vec<Link>, CliError> {
    let link = |name: &String| {
        let resolved = facts::model(catalog, name)?;
        let constraints = prompt::constraints(settings, catalog, &resolved, &args.ask.choice)?;
        let request = ChatRequest { model: resolved.model.clone(), ..first.clone() };
        Ok(Link { resolved, request, constraints })
    };
    args.ask.fallback.iter().map(link).collect()
}

/// What came before the model that is asked now.
#[derive(Debug, Default)]
pub(super) struct Fallen {
    /// Attempts at the models before.
    attempts: Vec<AttemptReport>,
    /// From which model to which, why, and after how many attempts at the first.
    steps: Vec<(String, String, FallbackClass, usize)>,
    /// How long they took.
    elapsed: std::time::Duration,
}

impl Fallen {
    /// The steps for programs.
    pub(super) fn json(&self) -> Value {
        let step = |(from, to, class, attempts): &(String, String, FallbackClass, usize)| json!({ "from": from, "to": to, "class": class.name(), "attempts": attempts });
        self.steps.iter().map(step).collect::<Vec<_>>().into()
    }

    /// Whether the first model is still the one that is asked.
    pub(super) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The whole report: also the attempts at the models before.
    pub(super) fn whole(&self, report: ChatReport) -> ChatReport {
        let mut report = report.after(self.attempts.clone());
        report.elapsed += self.elapsed;
        report
    }

    /// One model more that gave no answer.
    fn step(
        &mut self,
        step: (String, String, FallbackClass, usize),
        attempts: &[AttemptReport],
        took: std::time::Duration,
    ) {
        self.steps.push(step);
        self.attempts.extend_from_slice(attempts);
        self.elapsed += took;
    }

    /// How long the models before took.
    pub(super) const fn elapsed(&self) -> std::time::Duration {
        self.elapsed
    }
}

/// Whether a failure is one after which another model is asked: those that were named, else those for which every provider
/// was tried. A refusal by a content filter is never among them unless it was named.
pub(super) fn agreed(args: &ChatArgs, class: FallbackClass) -> bool {
    if !args.ask.fallback_on.is_empty() {
        return args.ask.fallback_on.contains(&class);
    }
    match class {
        FallbackClass::Unusable => true,
        FallbackClass::Class(class) => {
            matches!(class.failover(), Failover::Next { .. }) && class != ErrorClass::LocalConfig
        }
    }
}

impl Asked<'_> {
    /// Asks the next model after one of which no provider may be used; `None` where there is none, or that was not agreed.
    pub(super) async fn without_provider(&self, dispatcher: &Dispatcher<'_>) -> Option<Outcome> {
        self.go_on(dispatcher, FallbackClass::Unusable, None).await
    }

    /// Asks the next model after one that gave no answer; `None` where there is none, where that was not agreed, or where
    /// something was shown, a signal came or time is over.
    pub(super) async fn without_answer(
        &self,
        dispatcher: &Dispatcher<'_>,
        session: &Session<'_>,
        printer: &Printer<'_>,
        report: &ChatReport,
    ) -> Option<Outcome> {
        let last = report.attempts.last()?;
        let class = last.outcome.class;
        let filtered = class == ErrorClass::OkFiltered && printer.answer.text.is_empty();
        let over = session.total.is_some_and(|total| total.is_zero())
            || matches!(report.gave_up, Some(GiveUp::Deadline)) && session.limits.first_token.is_none();
        let shown = (last.outcome.shown || report.broke_off.is_some()) && !session.hold && !filtered;
        if shown || over || session.signalled.is_some() || (class.is_success() && !filtered) {
            return None;
        }
        self.go_on(dispatcher, FallbackClass::Class(class), Some(report)).await
    }

    async fn go_on(
        &self,
        dispatcher: &Dispatcher<'_>,
        class: FallbackClass,
        report: Option<&ChatReport>,
    ) -> Option<Outcome> {
        let (next, rest) = self.rest.split_first()?;
        if !agreed(self.args, class) {
            return None;
        }
        let (from, to) = (self.request.model.to_string(), next.request.model.to_string());
        note(self.settings, &format!("falling back from {from} to {to}: {}", class.name()));
        let (attempts, took) =
            report.map_or((&[][..], std::time::Duration::ZERO), |report| (report.attempts.as_slice(), report.elapsed));
        self.fallen.borrow_mut().step((from, to, class, attempts.len()), attempts, took);
        let asked = Asked {
            request: &next.request,
            resolved: &next.resolved,
            constraints: next.constraints.clone(),
            rest,
            ..*self
        };
        Some(Box::pin(asked.run(dispatcher)).await)
    }
}

/// Nothing came before.
pub(super) fn none() -> RefCell<Fallen> {
    RefCell::new(Fallen::default())
}
