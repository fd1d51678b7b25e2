//! Which attempts may be compared: times of short and long prompts, of streams and whole answers, of a little and much
//! thinking are different things, and are never mixed (`metrics.md` 1.6).

use super::Observation;
use crate::units::Tokens;

/// How long the input is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum InputSize {
    /// At most 1,000 tokens.
    To1k,
    /// Up to 10,000.
    To10k,
    /// Up to 100,000.
    To100k,
    /// More than that.
    Above,
    /// Nobody said.
    Unknown,
}

impl InputSize {
    /// The size of so many tokens.
    #[must_use]
    pub fn of(input: Option<Tokens>) -> Self {
        match input.map(Tokens::count) {
            None => Self::Unknown,
            Some(0..=1_000) => Self::To1k,
            Some(1_001..=10_000) => Self::To10k,
            Some(10_001..=100_000) => Self::To100k,
            Some(_) => Self::Above,
        }
    }

    /// How many sizes are known ones.
    pub const KNOWN: usize = 4;

    /// Its place among the known ones, the shortest first.
    #[must_use]
    pub const fn place(self) -> Option<usize> {
        match self {
            Self::To1k => Some(0),
            Self::To10k => Some(1),
            Self::To100k => Some(2),
            Self::Above => Some(3),
            Self::Unknown => None,
        }
    }

    /// The words in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::To1k => "<=1k in",
            Self::To10k => "1k-10k in",
            Self::To100k => "10k-100k in",
            Self::Above => ">100k in",
            Self::Unknown => "unknown input",
        }
    }

    /// How many sizes lie between; one that is not known is farther than any.
    const fn distance(self, other: Self) -> u8 {
        match (self, other) {
            (Self::Unknown, Self::Unknown) => 0,
            (Self::Unknown, _) | (_, Self::Unknown) => 9,
            _ => (self as u8).abs_diff(other as u8),
        }
    }
}

/// Attempts whose times may be compared with each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stratum {
    /// How long the input was.
    pub size: InputSize,
    /// Whether the answer came as a stream.
    pub streamed: bool,
    /// How hard the model was asked to think; `None` where nothing was said.
    pub effort: Option<String>,
}

impl Stratum {
    /// A streamed answer to so many tokens, with no word about effort: what is asked where nothing else is said.
    #[must_use]
    pub fn plain(input: Tokens) -> Self {
        Self { size: InputSize::of(Some(input)), streamed: true, effort: None }
    }

    /// Where an attempt belongs: by the input that was reported, else by the estimate.
    #[must_use]
    pub fn of(seen: &Observation) -> Self {
        let reported = seen.usage.as_ref().and_then(|usage| usage.input);
        Self {
            size: InputSize::of(reported.or(seen.asked.input)),
            // What an older version kept was a stream if it has a first token.
            streamed: seen.asked.stream.unwrap_or(seen.timings.ttft.is_some()),
            effort: seen.effort.clone(),
        }
    }

    /// How far another is from this one: smaller is nearer.
    #[must_use]
    pub fn distance(&self, other: &Self) -> (bool, u8, bool) {
        (self.streamed != other.streamed, self.size.distance(other.size), self.effort != other.effort)
    }

    /// The words in output: `1k-10k in`, `<=1k in, effort high`.
    #[must_use]
    pub fn name(&self) -> String {
        let mut name = self.size.name().to_owned();
        if !self.streamed {
            name += ", not streamed";
        }
        if let Some(effort) = &self.effort {
            name += ", effort ";
            name += effort;
        }
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_end_where_they_say() {
        let sizes = [0, 1_000, 1_001, 10_000, 10_001, 100_000, 100_001].map(|n| InputSize::of(Some(Tokens::new(n))));
        use InputSize::{Above, To1k, To10k, To100k};
        assert_eq!(sizes, [To1k, To1k, To10k, To10k, To100k, To100k, Above]);
    }

    #[test]
    fn the_nearest_is_of_the_same_kind_before_it_is_of_the_same_size() {
        let asked = Stratum::plain(Tokens::new(8_000));
        let effort = Stratum { effort: Some("high".to_owned()), ..asked.clone() };
        let small = Stratum::plain(Tokens::new(10));
        let whole = Stratum { streamed: false, ..asked.clone() };
        let unknown = Stratum { size: InputSize::Unknown, ..asked.clone() };
        let mut all = [&unknown, &whole, &small, &effort, &asked];
        all.sort_by_key(|other| asked.distance(other));
        assert_eq!(all, [&asked, &effort, &small, &unknown, &whole]);
        assert_eq!(effort.name(), "1k-10k in, effort high");
    }
}
