//! What else is to be known of an attempt before its times are believed: a small set.

use std::ops::BitOr;

/// A set of marks of one attempt. The bits are those of `obs.flags`; what a newer version wrote stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Flags(u16);

/// Every mark and its word.
const WORDS: [(Flags, &str); 14] = [
    (Flags::REUSED, "reused"),
    (Flags::WARMUP, "warmup"),
    (Flags::SUSPENDED, "suspended"),
    (Flags::CLIENT_BUSY, "client_busy"),
    (Flags::CACHE_HIT, "cache_hit"),
    (Flags::BURST, "burst"),
    (Flags::H2, "h2"),
    (Flags::CENSORED, "censored"),
    (Flags::ABORTED, "aborted"),
    (Flags::UNCONFIRMED, "unconfirmed"),
    (Flags::LOADING, "loading"),
    (Flags::HEDGED, "hedged"),
    (Flags::SPARED, "cancelled"),
    (Flags::IMPATIENT, "impatient"),
];

impl Flags {
    /// No mark.
    pub const NONE: Self = Self(0);
    /// A kept connection carried it.
    pub const REUSED: Self = Self(1);
    /// It opened the connection for those after it, and counts for no time.
    pub const WARMUP: Self = Self(1 << 1);
    /// This machine slept meanwhile.
    pub const SUSPENDED: Self = Self(1 << 2);
    /// This machine had no time for us: what was read was stamped too late.
    pub const CLIENT_BUSY: Self = Self(1 << 3);
    /// A part of the input came from the provider's prompt cache.
    pub const CACHE_HIT: Self = Self(1 << 4);
    /// More than half of what was streamed came in one read.
    pub const BURST: Self = Self(1 << 5);
    /// It went over HTTP/2.
    pub const H2: Self = Self(1 << 6);
    /// A limit of ours fired before the first token, or another was faster: the wait is known to be at least as long.
    pub const CENSORED: Self = Self(1 << 7);
    /// The user stopped it.
    pub const ABORTED: Self = Self(1 << 8);
    /// Nobody was reached who could tell whether it was the provider or the network.
    pub const UNCONFIRMED: Self = Self(1 << 9);
    /// A server of the user's own was still loading its model: it will take a while, and is no outage.
    pub const LOADING: Self = Self(1 << 10);
    /// It was one of two that were asked side by side.
    pub const HEDGED: Self = Self(1 << 11);
    /// It was cancelled because the other of the two began to answer: how long it would have taken is not known.
    pub const SPARED: Self = Self(1 << 12);
    /// The caller's own limit fired before the endpoint had had the time that the decision gives it: nobody's failure.
    pub const IMPATIENT: Self = Self(1 << 13);

    /// The marks of either.
    #[must_use]
    pub const fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// The marks of either where `when`, else the set as it is.
    #[must_use]
    pub const fn with_if(self, other: Self, when: bool) -> Self {
        if when { self.with(other) } else { self }
    }

    /// The set without those marks.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether any of those marks is set.
    #[must_use]
    pub const fn has(self, any: Self) -> bool {
        self.0 & any.0 != 0
    }

    /// The bits as they are stored.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// The set of those bits; bits beyond sixteen are none of ours.
    #[must_use]
    pub fn from_bits(bits: i64) -> Self {
        Self(u16::try_from(bits & 0xffff).unwrap_or(0))
    }

    /// The words of the marks that are set.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        WORDS.into_iter().filter(move |(mark, _)| self.has(*mark)).map(|(_, word)| word)
    }
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.with(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_kept_apart_and_survive_storage() {
        let both = Flags::REUSED | Flags::UNCONFIRMED;
        assert_eq!(both.names().collect::<Vec<_>>(), ["reused", "unconfirmed"]);
        assert_eq!(Flags::from_bits(i64::from(both.bits())), both);
        assert!(both.has(Flags::REUSED) && !both.has(Flags::H2 | Flags::BURST));
        assert_eq!(Flags::NONE.with_if(Flags::H2, false), Flags::NONE);
        let mut bits: Vec<u16> = WORDS.iter().map(|(mark, _)| mark.bits()).collect();
        bits.dedup();
        assert!(bits.len() == WORDS.len() && bits.iter().all(|bit| bit.count_ones() == 1), "{bits:?}");
    }
}
