//! Where a router loses over the one that is told the truth: every request's difference, by what befell it.

use super::run::{Outcome, Played};
use super::score::Worth;
use super::world::{Trouble, World};

/// What befell a request of the router, the first that holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// One of the two got no answer.
    Lost,
    /// It went first to a host in trouble.
    Trouble,
    /// It was refused for load.
    Refused,
    /// An attempt of it failed.
    Failed,
    /// It went elsewhere within the first ten minutes, when little was known.
    Early,
    /// It went elsewhere, and less of it was cached.
    Colder,
    /// It went elsewhere.
    Elsewhere,
    /// It went to the same host.
    Same,
}

impl Cause {
    pub const ALL: [Self; 8] = [
        Self::Lost,
        Self::Trouble,
        Self::Refused,
        Self::Failed,
        Self::Early,
        Self::Colder,
        Self::Elsewhere,
        Self::Same,
    ];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Trouble => "trouble",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Early => "early",
            Self::Colder => "colder",
            Self::Elsewhere => "elsewhere",
            Self::Same => "same",
        }
    }

    fn of(ours: &Outcome, told: &Outcome, world: &World) -> Self {
        let trouble = ours.first.and_then(|host| world.trouble(host, ours.arrived));
        match () {
            () if ours.ok != told.ok => Self::Lost,
            () if trouble.is_some_and(|trouble| trouble != Trouble::Squeeze) => Self::Trouble,
            () if ours.refused > 0 => Self::Refused,
            () if ours.attempts > 1 => Self::Failed,
            () if ours.first == told.first => Self::Same,
            () if ours.arrived < 600.0 => Self::Early,
            () if ours.cached < told.cached => Self::Colder,
            () => Self::Elsewhere,
        }
    }
}

/// By cause, what a router loses more than the one that is told the truth, in USD for a thousand requests.
pub type Causes = [f64; Cause::ALL.len()];

/// The causes of one run against another of the same requests.
pub fn causes(ours: &Played, told: &Played, world: &World, worth: Worth) -> Causes {
    let mut sums = Causes::default();
    for (ours, told) in ours.outcomes.iter().zip(&told.outcomes) {
        let more = worth.loss(ours) - worth.loss(told);
        sums[Cause::of(ours, told, world) as usize] += more;
    }
    let many = ours.outcomes.len().max(1) as f64;
    sums.map(|sum| sum / many * 1000.0)
}
