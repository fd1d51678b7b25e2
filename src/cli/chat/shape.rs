//! An answer with a schema: held back until it is known to satisfy it, and asked for once more where it does not.

use super::super::error::CliError;
use super::super::printer::Printer;
use super::super::prompt::{Checker, Verdict};
use super::super::render::chat::cost;
use super::super::{note, warn};
use super::Asked;
use super::send::{Held, Session};
use crate::chat::{ChatEvent, ChatRequest, Message, Role};
use crate::dispatch::{AttemptReport, ChatReport, Observer, Routed, Suppose, route_request};
use crate::gateway::codec::answer::Answer;
use crate::observe::{CostState, ErrorClass};
use crate::routing::Policy;
use crate::units::Usd;

/// What all requests of a chat came to, and which attempt's answer is told.
pub(super) struct Shaped {
    /// All attempts, in order.
    pub(super) report: ChatReport,
    /// Whether the answer satisfies the schema; `None` where there is none, or no answer to check.
    pub(super) valid: Option<bool>,
    /// Why it does not, a reason each.
    pub(super) wrong: Vec<String>,
    /// Which attempt's answer is told.
    at: Option<usize>,
}

impl Shaped {
    /// A chat without a schema, or without an answer.
    pub(super) fn plain(report: ChatReport) -> Self {
        let at = report.answered().is_some().then(|| report.attempts.len() - 1);
        Self { report, valid: None, wrong: Vec::new(), at }
    }

    /// The same with the attempts at the models before.
    pub(super) fn after(self, fallen: &crate::dispatch::Fallen) -> Self {
        let before = fallen.whole(ChatReport { attempts: Vec::new(), ..self.report.clone() }).attempts.len();
        Self { report: fallen.whole(self.report), at: self.at.map(|at| at + before), ..self }
    }

    /// The attempt whose answer is told, if there is an answer.
    pub(super) fn answered(&self) -> Option<&AttemptReport> {
        self.report.attempts.get(self.at?)
    }
}

/// Asks, checks, and asks once more where the answer does not fit.
///
/// # Errors
/// The schema is none.
pub(super) async fn ask(
    asked: &Asked<'_>,
    session: &mut Session<'_>,
    routed: &Routed,
    policy: (&Policy, u64),
    printer: &mut Printer<'_>,
) -> Result<Shaped, CliError> {
    let Some(schema) = &asked.request.schema else {
        return Ok(Shaped::plain(session.send(asked.request, routed, printer).await));
    };
    let checker = Checker::new(schema)?;
    let (report, events) = held(session, asked.request, routed, printer).await;
    let mut told = Shaped::plain(report);
    let Some(wrong) = judge(asked, &checker, &mut told, &events, printer) else { return Ok(told) };
    let cut = told.answered().is_some_and(|attempt| attempt.outcome.class == ErrorClass::OkTruncated);
    let again = if cut || session.signalled.is_some() {
        None
    } else {
        again(asked, session, policy, &Answer::of(&events).text, &wrong, &told.report)
    };
    let Some((request, second)) = again else {
        tell(&events, None, printer);
        return Ok(told);
    };
    note(asked.settings, &format!("the answer does not satisfy the schema ({}); asking once more", wrong[0]));
    let (second, more) = held(session, &request, &second, printer).await;
    let first_at = told.at;
    let mut both = Shaped::plain(second);
    if both.answered().is_some() {
        let unfit = judge(asked, &checker, &mut both, &more, printer);
        if unfit.is_some() {
            tell(&more, None, printer);
        }
        both.at = both.at.map(|at| at + told.report.attempts.len());
    } else {
        // What the first request gave is better than nothing.
        let unsent = if both.report.over_budget.is_some() { "the day's budget does not hold it" } else { "no attempt" };
        let class = both.report.attempts.last().map_or(unsent, |attempt| attempt.outcome.class.name());
        if session.signalled.is_none() {
            warn(asked.settings, &format!("asking once more failed: {class}"));
        }
        (both.at, both.valid, both.wrong) = (first_at, told.valid, told.wrong);
        if let Some(attempt) = first_at.and_then(|at| told.report.attempts.get(at)) {
            printer.told_by(&attempt.endpoint);
        }
        tell(&events, None, printer);
    }
    both.report.elapsed += told.report.elapsed;
    let mut attempts = told.report.attempts;
    attempts.append(&mut both.report.attempts);
    both.report.attempts = attempts;
    Ok(both)
}

async fn held(
    session: &mut Session<'_>,
    request: &ChatRequest,
    routed: &Routed,
    printer: &mut Printer<'_>,
) -> (ChatReport, Vec<ChatEvent>) {
    let mut held = Held::new(printer);
    let report = session.send(request, routed, &mut held).await;
    (report, held.events)
}

/// Checks an answer and tells it where it fits, or where there is nothing to check; otherwise gives why it does not.
fn judge(
    asked: &Asked<'_>,
    checker: &Checker,
    told: &mut Shaped,
    events: &[ChatEvent],
    printer: &mut Printer<'_>,
) -> Option<Vec<String>> {
    let class = told.answered()?.outcome.class;
    let answer = Answer::of(events);
    if answer.calls_tools() || matches!(class, ErrorClass::OkNoAnswer | ErrorClass::OkFiltered) {
        tell(events, None, printer);
        return None;
    }
    match checker.check(&answer.text) {
        Verdict::Fits => tell(events, None, printer),
        Verdict::Fenced(inside) => {
            note(asked.settings, "the answer was taken out of the Markdown fence around it");
            tell(events, Some(&inside), printer);
        }
        Verdict::Misfit(wrong) => {
            told.valid = Some(false);
            told.wrong.clone_from(&wrong);
            return Some(wrong);
        }
    }
    told.valid = Some(true);
    None
}

/// Passes the events on, with another text in the place of the one that was said where there is one.
fn tell(events: &[ChatEvent], instead: Option<&str>, printer: &mut Printer<'_>) {
    let mut instead = instead.map(str::to_owned);
    let replaced = instead.is_some();
    for event in events {
        let event = match event {
            ChatEvent::Text(_) | ChatEvent::Refusal(_) if replaced => match instead.take() {
                Some(text) => ChatEvent::Text(text),
                None => continue,
            },
            other => other.clone(),
        };
        if !printer.event(event) {
            return;
        }
    }
}

/// The second request: the conversation with the answer and what is wrong with it, and the decision for it; `None` where
/// it may not be sent.
fn again(
    asked: &Asked<'_>,
    session: &Session<'_>,
    (policy, seed): (&Policy, u64),
    answer: &str,
    wrong: &[String],
    first: &ChatReport,
) -> Option<(ChatRequest, Routed)> {
    let mut request = asked.request.clone();
    request.messages.push(Message::text(Role::Assistant, answer));
    request.messages.push(Message::text(
        Role::User,
        format!(
            "That answer does not satisfy the JSON Schema that was asked for: {}. Answer again, with nothing but JSON \
             that satisfies it.",
            wrong.join("; ")
        ),
    ));
    let mut constraints = asked.constraints.clone();
    if let Some(limit) = constraints.max_cost {
        // What the first request cost is no longer there for the second.
        let left = spent(first).filter(|spent| *spent <= limit).map(|spent| limit - spent);
        let Some(left) = left else {
            note(asked.settings, "not asked once more: nothing is known to be left of --max-cost");
            return None;
        };
        constraints.max_cost = Some(left);
    }
    let route = route_request(&request, constraints);
    let route = match session.talk {
        Some(talk) => session.dispatcher.recall(route, (talk, &request), session.reaches, policy),
        None => route,
    };
    let routed = session.dispatcher.route(&route, Some(&request), session.reaches, policy, seed, Suppose::Nothing);
    if routed.decision.chosen().is_none() {
        let why =
            if asked.constraints.max_cost.is_some() { "more than is left of --max-cost" } else { "nobody is open" };
        note(asked.settings, &format!("not asked once more: {why}"));
        return None;
    }
    Some((request, routed))
}

/// What the attempts cost; `None` where that of one is not known.
fn spent(report: &ChatReport) -> Option<Usd> {
    let each = report.attempts.iter().filter(|attempt| attempt.cost_state != CostState::None);
    let costs: Option<Vec<Usd>> = each.map(|attempt| cost(attempt).map(|(amount, _)| amount)).collect();
    costs.map(|costs| costs.into_iter().fold(Usd::ZERO, |sum, cost| sum + cost))
}
