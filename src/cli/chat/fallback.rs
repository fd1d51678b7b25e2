//! Moving on to another model, along the chain that the user listed, and only after the failures that were agreed to.

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
use crate::dispatch::{ChatReport, Dispatcher, FallbackClass, agreed};
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
        let class = report.ended_in(session.hold, printer.answer.text.is_empty())?;
        let over = session.total.is_some_and(|total| total.is_zero())
            || matches!(report.gave_up, Some(GiveUp::Deadline)) && session.limits.first_token.is_none();
        if over || session.signalled.is_some() {
            return None;
        }
        self.go_on(dispatcher, class, Some(report)).await
    }

    async fn go_on(
        &self,
        dispatcher: &Dispatcher<'_>,
        class: FallbackClass,
        report: Option<&ChatReport>,
    ) -> Option<Outcome> {
        let (next, rest) = self.rest.split_first()?;
        if !agreed(&self.args.ask.fallback_on, class) {
            return None;
        }
        let (from, to) = (self.request.model.clone(), next.request.model.clone());
        note(self.settings, &format!("falling back from {from} to {to}: {}", class.name()));
        self.fallen.borrow_mut().step((from, to), class, report);
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
