//! What went wrong, for people and for programs: one sentence, facts, one fix, an exit code.

use serde_json::{Map, Value};

use super::args::Format;
use super::contract::Exit;
use super::render::text::{Style, visible_lines, width, wrap};
use crate::catalog::file::OverlayError;
pub(crate) use crate::gateway::codec::json::nearest;

/// What to do about a bug.
pub(crate) const REPORT: &str = "report it with the command you ran, without keys";

/// A failure that ends the command. There is none without something that mends it: [`Wrong::fix`] makes one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct CliError {
    /// The exit code.
    pub exit: Exit,
    /// The code in JSON: the exit's name, and a detail after a dot.
    pub code: String,
    /// One sentence in the user's words, without a full stop.
    pub message: String,
    /// Facts: a key and a value each; a value may have several lines.
    pub facts: Vec<(String, String)>,
    /// One runnable command or one thing to do.
    pub fix: String,
    /// Further members of the JSON form.
    pub extra: Map<String, Value>,
}

/// What went wrong; an error once it is said what mends it.
#[derive(Debug, Clone)]
#[must_use]
pub(crate) struct Wrong(CliError);

impl Wrong {
    /// Adds a fact.
    pub(crate) fn fact(self, key: &str, value: impl Into<String>) -> Self {
        Self(self.0.fact(key, value))
    }

    /// Adds a member of the JSON form.
    pub(crate) fn with(self, key: &str, value: impl Into<Value>) -> Self {
        Self(self.0.with(key, value))
    }

    /// Adds which of the known names was probably meant, if one is near.
    pub(crate) fn near(self, typed: &str, known: &[&str]) -> Self {
        match nearest(typed, known) {
            Some(near) => self.fact("did you mean", near),
            None => self,
        }
    }

    /// The same with all of them, one of which mends it; `key` is the word for them.
    pub(crate) fn one_of(self, typed: &str, known: &[&str], key: &str) -> CliError {
        let fix = match nearest(typed, known) {
            Some(near) => format!("write {near} in place of {typed}"),
            None => format!("write one of these {key} in place of {typed}"),
        };
        self.near(typed, known).fact(key, known.join(" ")).fix(fix)
    }

    /// Says what mends it: one runnable command or one thing to do.
    pub(crate) fn fix(self, fix: impl Into<String>) -> CliError {
        CliError { fix: fix.into(), ..self.0 }
    }
}

impl CliError {
    /// A failure of this exit code; `detail` follows its name in the JSON code.
    #[expect(clippy::new_ret_no_self, reason = "it is an error once it has a fix")]
    pub(crate) fn new(exit: Exit, detail: &str, message: impl Into<String>) -> Wrong {
        let code = if detail.is_empty() { exit.name().to_owned() } else { format!("{}.{detail}", exit.name()) };
        let (message, facts, fix, extra) = (message.into(), Vec::new(), String::new(), Map::new());
        Wrong(Self { exit, code, message, facts, fix, extra })
    }

    /// The command line cannot be understood.
    pub(crate) fn usage(message: impl Into<String>) -> Wrong {
        Self::new(Exit::Usage, "", message)
    }

    /// The command has no such format.
    pub(crate) fn no_format(format: Format, formats: &[&str]) -> Self {
        let name = clap::ValueEnum::to_possible_value(&format);
        let name = name.as_ref().map_or("", |value| value.get_name());
        Self::usage(format!("this command has no format \"{name}\""))
            .fact("formats", formats.join(" "))
            .fix("leave out -o, or unset OPENMUX_OUTPUT; -o json is there everywhere")
    }

    /// A file of the user's has something wrong in it, of which the place is told.
    pub(crate) fn in_file(detail: &str, error: &OverlayError) -> Self {
        let fix = format!("correct line {} of {}", error.line, error.file);
        Self::new(Exit::Config, detail, error.to_string()).fix(fix)
    }

    /// What cannot happen has happened.
    pub(crate) fn bug(detail: &str, message: impl Into<String>) -> Self {
        Self::new(Exit::Bug, detail, message).fix(REPORT)
    }

    /// What was measured cannot be read.
    pub(crate) fn no_measurements(error: &impl ToString) -> Self {
        Self::new(Exit::Config, "store", "the measurements cannot be read")
            .fact("reason", error.to_string())
            .fix("move obs.db away (`openmux config path` says where it is); a new one is made")
    }

    /// There can be no HTTP client.
    pub(crate) fn no_client(reason: impl Into<String>) -> Self {
        Self::new(Exit::Config, "transport", "cannot make an HTTP client")
            .fact("reason", reason)
            .fix("see HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and SSL_CERT_FILE")
    }

    /// Adds a fact.
    pub(crate) fn fact(mut self, key: &str, value: impl Into<String>) -> Self {
        self.facts.push((key.to_owned(), value.into()));
        self
    }

    /// The same with another fix.
    pub(crate) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = fix.into();
        self
    }

    /// Adds a member of the JSON form.
    pub(crate) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.extra.insert(key.to_owned(), value.into());
        self
    }

    /// For people: `error: ...`, indented facts, `fix: ...`; wrapped to `columns`.
    pub(crate) fn human(&self, style: Style, columns: usize) -> String {
        let columns = columns.clamp(40, 200);
        let mut lines = wrap(&visible_lines(&format!("error: {}", self.message)), columns);
        if let Some(first) = lines.first_mut()
            && let Some(rest) = first.strip_prefix("error:")
        {
            *first = format!("{}{rest}", style.red("error:"));
        }
        let fix = Some(("fix:".to_owned(), self.fix.clone()));
        let keys = self.facts.iter().map(|(key, _)| width(key));
        let pad = keys.max().unwrap_or(4).max(4) + 2;
        for (key, value) in self.facts.iter().cloned().chain(fix) {
            let mut label = key;
            for text in visible_lines(&value).lines() {
                for line in wrap(text, columns.saturating_sub(pad + 2).max(20)) {
                    let space = " ".repeat(pad.saturating_sub(width(&label)));
                    lines.push(format!("  {}{space}{line}", style.dim(&label)));
                    label.clear();
                }
            }
        }
        lines.join("\n") + "\n"
    }

    /// For programs: one JSON line.
    pub(crate) fn json(&self) -> String {
        let mut error = Map::new();
        error.insert("code".to_owned(), self.code.as_str().into());
        error.insert("exit".to_owned(), self.exit.code().into());
        error.insert("message".to_owned(), self.message.as_str().into());
        for (key, value) in &self.facts {
            error.insert(key.replace(' ', "_"), value.as_str().into());
        }
        error.extend(self.extra.clone());
        error.insert("fix".to_owned(), self.fix.as_str().into());
        let mut document = Map::new();
        document.insert("error".to_owned(), error.into());
        format!("{}\n", Value::Object(document))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_facts_and_a_fix_within_its_width() {
        let error = CliError::new(Exit::Auth, "no_key", "no key for openai")
            .fact("looked in", "OPENAI_API_KEY (not set)")
            .fix("export OPENAI_API_KEY=...");
        insta::assert_snapshot!(error.human(Style::default(), 80), @r"
        error: no key for openai
          looked in  OPENAI_API_KEY (not set)
          fix:       export OPENAI_API_KEY=...
        ");
        assert_eq!(
            error.json(),
            "{\"error\":{\"code\":\"auth.no_key\",\"exit\":4,\"message\":\"no key for openai\",\
             \"looked_in\":\"OPENAI_API_KEY (not set)\",\"fix\":\"export OPENAI_API_KEY=...\"}}\n"
        );
        let long = CliError::usage("a sentence that is much longer than forty columns of text can hold")
            .fix("say it in fewer words");
        assert!(long.human(Style::default(), 40).lines().all(|line| width(line) <= 40));
    }
}
