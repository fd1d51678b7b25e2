//! One answer, and what all of them come to.

use std::borrow::Cow;

use super::claim::Place;
use crate::cli::contract::Exit;
use crate::cli::render::sheet::Cell;

/// The answer to an assertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It holds.
    Ok,
    /// It does not.
    No,
    /// It could not be told; the exit code says why.
    Unknown(Exit),
}

impl Verdict {
    /// Its word in output.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::No => "no",
            Self::Unknown(_) => "unknown",
        }
    }
}

/// What was found about one claim.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Finding {
    /// The answer.
    pub(super) verdict: Verdict,
    /// What is asserted.
    pub(super) wanted: Cell,
    /// What is so.
    pub(super) found: Cell,
    /// Both in words: `price_in 15.00 <= 10.00`.
    pub(super) told: String,
    /// Why not, or why nobody can tell; empty where it holds.
    pub(super) why: String,
    /// What to do.
    pub(super) fix: Option<String>,
}

impl Finding {
    /// A claim whose two sides could be compared.
    pub(super) fn decided(holds: bool, (wanted, found): (Cell, Cell), told: String, why: impl Into<String>) -> Self {
        let verdict = if holds { Verdict::Ok } else { Verdict::No };
        let why = if holds { String::new() } else { why.into() };
        Self { verdict, wanted, found, told, why, fix: None }
    }

    /// A claim of which nobody knows.
    pub(super) fn unknown(wanted: Cell, told: String, why: impl Into<String>) -> Self {
        let (verdict, why) = (Verdict::Unknown(Exit::NotFound), why.into());
        Self { verdict, wanted, found: Cell::Unknown, told, why, fix: None }
    }

    /// The same with what is known.
    pub(super) fn found(mut self, found: Cell) -> Self {
        self.found = found;
        self
    }

    /// The same with something to do.
    pub(super) fn fix(mut self, fix: Option<String>) -> Self {
        self.fix = self.fix.or(fix);
        self
    }
}

/// One line of the answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    /// The answer.
    pub(crate) verdict: Verdict,
    /// What it is about: a model, a provider, `catalog`.
    pub(crate) subject: String,
    /// The provider whose offer it is about.
    pub(crate) provider: Option<String>,
    /// The name of the assertion.
    pub(crate) assertion: Cow<'static, str>,
    /// What is asserted.
    pub(crate) wanted: Cell,
    /// What is so.
    pub(crate) found: Cell,
    /// Both in words, with the reason.
    pub(crate) message: String,
    /// What to do.
    pub(crate) fix: Option<String>,
    /// The file that asserts it.
    pub(crate) file: Option<String>,
    /// The line there.
    pub(crate) line: Option<usize>,
}

impl Row {
    /// What was found, of whom.
    pub(super) fn new(
        subject: &str,
        provider: Option<&str>,
        assertion: impl Into<Cow<'static, str>>,
        finding: Finding,
        place: Option<&Place>,
    ) -> Self {
        let Finding { verdict, wanted, found, told, why, fix } = finding;
        let message = match verdict {
            Verdict::Ok => told,
            _ if told.is_empty() => why,
            verdict => format!("{told}: {}, {why}", verdict.name()),
        };
        Self {
            verdict,
            subject: subject.to_owned(),
            provider: provider.map(str::to_owned),
            assertion: assertion.into(),
            wanted,
            found,
            message,
            fix,
            file: place.map(|place| place.file.clone()),
            line: place.map(|place| place.line),
        }
    }
}

/// How many answers there are of each kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Tally {
    /// What holds.
    pub(crate) ok: usize,
    /// What does not.
    pub(crate) no: usize,
    /// What could not be told.
    pub(crate) unknown: usize,
}

impl Tally {
    /// Of these rows.
    pub(crate) fn of<'r>(rows: impl IntoIterator<Item = &'r Row>) -> Self {
        rows.into_iter().fold(Self::default(), |mut tally, row| {
            match row.verdict {
                Verdict::Ok => tally.ok += 1,
                Verdict::No => tally.no += 1,
                Verdict::Unknown(_) => tally.unknown += 1,
            }
            tally
        })
    }

    /// How many there are.
    pub(crate) const fn all(self) -> usize {
        self.ok + self.no + self.unknown
    }

    /// `5 checks: 3 ok, 1 no, 1 unknown`.
    pub(crate) fn told(self) -> String {
        let checks = if self.all() == 1 { "check" } else { "checks" };
        let kinds = [(self.ok, "ok"), (self.no, "no"), (self.unknown, "unknown")];
        let kinds: Vec<String> =
            kinds.iter().filter(|(count, _)| *count > 0).map(|(count, kind)| format!("{count} {kind}")).collect();
        format!("{} {checks}: {}", self.all(), kinds.join(", "))
    }
}

/// How the command ends: a "no" beats an "unknown"; of several reasons for those the lowest code.
pub(super) fn exit(rows: &[Row]) -> Exit {
    if rows.iter().any(|row| row.verdict == Verdict::No) {
        return Exit::Negative;
    }
    let unknown = rows.iter().filter_map(|row| match row.verdict {
        Verdict::Unknown(exit) => Some(exit),
        _ => None,
    });
    unknown.min_by_key(|exit| exit.code()).unwrap_or(Exit::Ok)
}
