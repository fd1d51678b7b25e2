//! After the last attempt: the end of the answer, the closing line, the exit code.

use serde_json::Value;

use super::super::args::Format;
use super::super::contract::Exit;
use super::super::error::CliError;
use super::super::printer::Printer;
use super::super::render::chat::{self as render, Said};
use super::super::render::pace;
use super::super::{Outcome, out, report, warn};
use super::shape::Shaped;
use super::{Asked, budget};
use crate::chat::Finish;
use crate::dispatch::AttemptReport;
use crate::observe::ErrorClass;
use crate::routing::{Decision, decision_hex};

impl Asked<'_> {
    /// Ends the output and says how it went.
    pub(super) async fn close(
        &self,
        mut printer: Printer<'_>,
        told: &Shaped,
        decision: &Decision,
        (signalled, kept): (Option<Exit>, Option<[u8; 16]>),
    ) -> Outcome {
        let settings = self.settings;
        let simulated = settings.sandbox.is_some();
        if let Some(exit) = printer.written(signalled).await {
            return Ok(exit);
        }
        if let Some(outcome) = printer.unread() {
            return outcome;
        }
        // The sandbox keeps nothing that could be asked for later.
        let id = kept.filter(|_| !simulated).map(|id| decision_hex(&id));
        let decision_id = || id.clone().map_or(Value::Null, Value::from);
        let (report, answered, model) = (&told.report, told.answered(), &self.request.model);
        match (self.format, answered) {
            (Format::Json, Some(attempt)) => {
                let said = Said { answer: &printer.answer, valid: told.valid };
                let mut document = render::json(model, decision, report, attempt, &said, simulated);
                if !self.fallen.borrow().is_empty() {
                    document.insert("fallbacks".to_owned(), self.fallen.borrow().json());
                }
                document.insert("decision_id".to_owned(), decision_id());
                printer.write(&format!("{}\n", Value::Object(document)));
            }
            (Format::Jsonl, Some(attempt)) => {
                let said = Said { answer: &printer.answer, valid: told.valid };
                let mut end = render::end_event(report, attempt, &said, simulated);
                if !self.fallen.borrow().is_empty() {
                    end.insert("fallbacks".to_owned(), self.fallen.borrow().json());
                }
                end.insert("decision_id".to_owned(), decision_id());
                printer.write(&format!("{}\n", Value::Object(end)));
            }
            _ => printer.finish_text(answered.is_some()),
        }
        if let Some(exit) = printer.written(signalled).await {
            return Ok(exit);
        }
        if let Some(outcome) = printer.unread() {
            return outcome;
        }
        let wants_line = self.args.usage || ((settings.err_is_terminal || simulated) && !self.args.no_usage);
        let shown = answered.or(report.attempts.last());
        let line = shown.and_then(|shown| render::closing_line(model, report, shown, simulated));
        if let Some(line) = line.filter(|_| wants_line && self.format == Format::Text && !settings.quiet) {
            out::talk(&format!("{}\n", settings.err.dim(&line)));
        }
        if settings.verbose > 0 && !settings.quiet {
            let lines = report.attempts.iter().map(|attempt| format!("{}\n", settings.err.dim(&pace::line(attempt))));
            out::talk(&lines.collect::<String>());
        }
        if let Some(id) = id.filter(|_| settings.verbose > 0) {
            let line = format!("decision {id}: openmux route replay {} shows it again", &id[..8]);
            out::talk(&format!("{}\n", settings.err.dim(&line)));
        }
        if let Some(exit) = signalled {
            return Ok(exit);
        }
        let Some(attempt) = answered else {
            // What was held back never reached stdout.
            let streams = self.format == Format::Text && !self.args.no_stream && self.request.schema.is_none();
            let shown = streams && !printer.answer.text.is_empty();
            if let Some(error) = budget::refused(report, decision) {
                return Err(error.with("model", model.as_str()));
            }
            let error = budget::also(report, report::failed(report, decision, model, shown));
            return Err(match settings.proxy() {
                Some(proxy) if error.exit == Exit::Unavailable || error.code == "config.proxy" => {
                    error.fact("through the proxy", proxy)
                }
                _ => error,
            });
        };
        self.judge(attempt.outcome.class, attempt, told)
    }

    /// A whole answer may still be less than what was asked for.
    fn judge(&self, class: ErrorClass, attempt: &AttemptReport, told: &Shaped) -> Outcome {
        let strict = self.args.strict;
        let cut = match self.request.max_tokens {
            Some(most) => format!("cut off at --max-tokens {most}"),
            None => "cut off at the model's longest answer".to_owned(),
        };
        let no_answer = "the model spent all its tokens on reasoning and gave no answer";
        match class {
            ErrorClass::OkTruncated if strict => {
                return Err(CliError::new(Exit::Incomplete, "length", format!("the answer was {cut}"))
                    .fix("--max-tokens with a larger number"));
            }
            ErrorClass::OkTruncated => warn(self.settings, &format!("{cut} (with --strict this is exit 10)")),
            ErrorClass::OkNoAnswer if strict => {
                return Err(CliError::new(Exit::Incomplete, "no_answer", no_answer)
                    .fix("--max-tokens with a larger number, or --effort low"));
            }
            ErrorClass::OkNoAnswer => warn(self.settings, &format!("{no_answer} (with --strict this is exit 10)")),
            ErrorClass::OkFiltered => return Err(report::filtered(attempt)),
            _ => {}
        }
        if let Some((Finish::Other, native)) = &attempt.outcome.finish {
            let provider = &attempt.endpoint.provider;
            let why = match native.as_str() {
                "[DONE]" => "without a reason".to_owned(),
                native => format!("for a reason that is not known here, {native}"),
            };
            warn(self.settings, &format!("{provider} ended the answer {why}: it may be cut off"));
        }
        if told.valid != Some(false) {
            return Ok(Exit::Ok);
        }
        let wrong = told.wrong.iter().take(3).cloned().collect::<Vec<_>>();
        if strict {
            return Err(CliError::new(Exit::Incomplete, "schema", "the answer does not satisfy the schema")
                .fact("reason", wrong.join("\n"))
                .fix("run it again, or with a model of openmux models list --structured"));
        }
        let why = wrong.join("; ");
        warn(self.settings, &format!("the answer does not satisfy the schema: {why} (with --strict this is exit 10)"));
        Ok(Exit::Ok)
    }
}
