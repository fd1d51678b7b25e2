//! Which call prices are compared for: the one that was asked about, else the mean of the user's own, else a stated default.

use std::time::Duration;

use super::args::Shape;
use super::offline::Offline;
use super::render::text::grouped;
use crate::catalog::ModelId;
use crate::units::Tokens;

/// How far back one's own calls are looked at.
const BACK: Duration = Duration::from_secs(30 * 86_400);
/// Fewer of them say little.
const ENOUGH: u64 = 8;
/// `--tokens` where nothing else is known.
const DEFAULT: Shape = Shape { input: Tokens::new(1_000), output: Tokens::new(400), cached: Tokens::ZERO };

/// A call, and why it is this one.
pub(crate) struct Call {
    /// Its tokens.
    pub(crate) shape: Shape,
    /// Why.
    pub(crate) basis: Basis,
}

/// Where a call comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Basis {
    /// `--tokens`.
    Asked,
    /// The mean of so many calls of the model.
    Model(u64),
    /// The mean of so many calls of any model.
    History(u64),
    /// Nobody said, and there is no history.
    Default,
}

impl Basis {
    /// The word in output.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Model(_) => "history_of_model",
            Self::History(_) => "history",
            Self::Default => "default",
        }
    }
}

impl Call {
    /// What was asked about, else the user's own mean, else the default.
    pub(crate) fn of(offline: &Offline<'_>, asked: Option<Shape>, model: &ModelId) -> Self {
        if let Some(shape) = asked {
            return Self { shape, basis: Basis::Asked };
        }
        let since = offline.now.checked_sub(BACK).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let own = |model: Option<&ModelId>| {
            let mix = offline.store.mix(model, since).ok().flatten().filter(|mix| mix.calls >= ENOUGH)?;
            Some((Shape { input: mix.input, output: mix.output, cached: mix.cached }, mix.calls))
        };
        if let Some((shape, calls)) = own(Some(model)) {
            return Self { shape, basis: Basis::Model(calls) };
        }
        match own(None) {
            Some((shape, calls)) => Self { shape, basis: Basis::History(calls) },
            None => Self { shape: DEFAULT, basis: Basis::Default },
        }
    }

    /// The call in words, and why it is this one.
    pub(crate) fn told(&self) -> String {
        let Shape { input, output, cached } = self.shape;
        let cached = match cached {
            Tokens::ZERO => "nothing cached".to_owned(),
            some => format!("{} cached", grouped(some.count())),
        };
        let why = match self.basis {
            Basis::Asked => String::new(),
            Basis::Model(calls) => format!(": the mean of your {calls} calls of it in 30 days"),
            Basis::History(calls) => format!(": the mean of your {calls} calls of any model in 30 days"),
            Basis::Default => ": the default, until you have called 8 times (or say --tokens)".to_owned(),
        };
        format!("Call = {} in + {} out, {cached}{why}", grouped(input.count()), grouped(output.count()))
    }
}
