//! What was spent: attempts summed by day, model, provider or source. Pure; money is added exactly.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use super::{CostState, Observation, Source};
use crate::catalog::price::SheetVersion;
use crate::units::{Tokens, Usd};

/// What a line of the ledger is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is the key of its name")]
pub enum By {
    Day,
    Model,
    Provider,
    Source,
    Sheet,
}

impl By {
    /// Every key, in the order in which columns stand.
    pub const ALL: [Self; 5] = [Self::Day, Self::Model, Self::Provider, Self::Source, Self::Sheet];

    /// Its word on the command line and in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Source => "source",
            Self::Sheet => "sheet",
        }
    }

    /// The key of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|by| by.name() == word)
    }

    /// What an attempt is filed under; days are UTC.
    #[must_use]
    pub fn of(self, seen: &Observation) -> String {
        match self {
            Self::Day => seen.at.to_zoned_datetime(TimeZone::UTC).date().to_string(),
            Self::Model => seen.model.to_string(),
            Self::Provider => seen.endpoint.provider.to_string(),
            Self::Source => seen.source.name().to_owned(),
            Self::Sheet => seen.asked.sheet.as_deref().map_or_else(|| "none".to_owned(), SheetVersion::name),
        }
    }
}

/// Attempts that belong together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Line {
    /// What they are filed under, in the order that was asked for.
    pub keys: Vec<String>,
    /// Requests; one that failed over has several attempts.
    pub requests: u64,
    /// Attempts.
    pub attempts: u64,
    /// Attempts that gave a whole answer.
    pub successes: u64,
    /// Input tokens, as reported.
    pub input: Tokens,
    /// Of these, read from prompt caches.
    pub cached: Tokens,
    /// Output tokens, as reported.
    pub output: Tokens,
    /// Of these, reasoning.
    pub reasoning: Tokens,
    /// What the priced attempts cost by the catalog's sheets.
    pub cost: Usd,
    /// What was spent: the provider's own bill where it gave one, else `cost`.
    pub spent: Usd,
    /// What providers billed, and what the sheets say of the same attempts; `None` where nobody gave a bill.
    pub billed: Option<(Usd, Usd)>,
    /// Attempts whose bill is not what the sheet says, by more than [`DRIFT`].
    pub drifted: u64,
    /// What decisions expected, and what the sheets made of the same attempts afterwards; `None` where nothing was expected.
    pub expected: Option<(Usd, Usd)>,
    /// How many attempts that are.
    pub forecast: u64,
    /// Attempts that may have been billed, and nobody said how much.
    pub unknown: u64,
    /// Of `unknown`, those that failed.
    pub unknown_failed: u64,
    /// The most that those of `unknown` cost whose bound is known.
    pub unknown_bound: Usd,
    /// Of `unknown`, those whose bound is not known.
    pub unbounded: u64,
}

/// A bill and a sheet agree where they differ by no more than this, in picodollars: $1e-9.
pub const DRIFT: i64 = 1_000;

/// By how much the bill of an attempt lies above what the sheet says; `None` where there are not both.
#[must_use]
pub fn drift(seen: &Observation) -> Option<Usd> {
    seen.billed.zip(seen.cost).map(|(billed, cost)| billed - cost)
}

/// Whether a bill and a sheet disagree.
#[must_use]
pub fn is_drift(drift: Usd) -> bool {
    let size = if drift < Usd::ZERO { -drift } else { drift };
    size > Usd::from_pico(DRIFT)
}

/// What a mean call of one's own is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mix {
    /// How many calls it is the mean of.
    pub calls: u64,
    /// Input tokens.
    pub input: Tokens,
    /// Of these, read from a cache.
    pub cached: Tokens,
    /// Output tokens.
    pub output: Tokens,
}

/// The mean of the calls that were answered with their usage; probes are nobody's own. `None` without any.
#[must_use]
pub fn mix<'a>(attempts: impl Iterator<Item = &'a Observation>) -> Option<Mix> {
    let (mut calls, mut input, mut cached, mut output) = (0_u64, 0_u64, 0_u64, 0_u64);
    for seen in attempts.filter(|seen| seen.class.is_success() && seen.source != Source::Probe) {
        let Some(usage) = &seen.usage else { continue };
        let (Some(fed), Some(given)) = (usage.input, usage.output) else { continue };
        calls += 1;
        input = input.saturating_add(fed.count());
        cached = cached.saturating_add(usage.cache_read.unwrap_or_default().count());
        output = output.saturating_add(given.count());
    }
    Mix::of(calls, input, cached, output)
}

impl Mix {
    /// The mean of so many calls with these sums of tokens, to the nearest token; `None` of no calls.
    #[must_use]
    pub fn of(calls: u64, input: u64, cached: u64, output: u64) -> Option<Self> {
        let mean = |sum: u64| Tokens::new(sum.saturating_add(calls / 2) / calls.max(1));
        (calls > 0).then(|| Self { calls, input: mean(input), cached: mean(cached), output: mean(output) })
    }
}

impl Line {
    fn add(&mut self, seen: &Observation) {
        self.attempts += 1;
        self.successes += u64::from(seen.class.is_success());
        if let Some(usage) = &seen.usage {
            let count = |tokens: Option<Tokens>| tokens.unwrap_or_default();
            self.input = self.input + count(usage.input);
            self.cached = self.cached + count(usage.cache_read);
            self.output = self.output + count(usage.output);
            self.reasoning = self.reasoning + count(usage.reasoning);
        }
        self.cost += seen.cost.unwrap_or_default();
        if let Some(spent) = seen.billed.or(seen.cost) {
            self.spent += spent;
        }
        if let Some((billed, cost)) = seen.billed.zip(seen.cost) {
            let (all, ours) = self.billed.unwrap_or_default();
            self.billed = Some((all + billed, ours + cost));
        }
        self.drifted += u64::from(drift(seen).is_some_and(is_drift));
        if let Some((expected, cost)) = seen.asked.expected.zip(seen.cost) {
            let (all, ours) = self.expected.unwrap_or_default();
            self.expected = Some((all + expected, ours + cost));
            self.forecast += 1;
        }
        if seen.cost_state == CostState::Unknown && seen.billed.is_none() {
            self.unknown += 1;
            self.unknown_failed += u64::from(!seen.class.is_success());
            match seen.asked.bound {
                Some(bound) => self.unknown_bound += bound,
                None => self.unbounded += 1,
            }
        }
    }
}

/// Sums attempts by these keys, in the order of the keys; without keys there is one line, also for no attempts.
#[must_use]
pub fn sum(attempts: &[Observation], by: &[By]) -> Vec<Line> {
    let mut lines: BTreeMap<Vec<String>, (Line, BTreeSet<[u8; 16]>)> = BTreeMap::new();
    if by.is_empty() {
        lines.insert(Vec::new(), Default::default());
    }
    for seen in attempts {
        let keys: Vec<String> = by.iter().map(|by| by.of(seen)).collect();
        let (line, requests) = lines.entry(keys).or_default();
        line.add(seen);
        requests.insert(seen.group);
    }
    let whole = |(keys, (line, requests)): (Vec<String>, (Line, BTreeSet<[u8; 16]>))| Line {
        keys,
        requests: u64::try_from(requests.len()).unwrap_or(u64::MAX),
        ..line
    };
    lines.into_iter().map(whole).collect()
}

impl Source {
    /// The word in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Chat => "chat",
            Self::Gateway => "gateway",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Usage;
    use crate::observe::ErrorClass;
    use crate::observe::tests_support::seen;

    fn paid(at: &str, group: u8, cost: &str) -> Observation {
        let mut seen = seen(at, ErrorClass::Ok);
        seen.group = [group; 16];
        seen.usage = Some(Usage::text(100, 20));
        seen.cost = Some(cost.parse().unwrap());
        seen.cost_state = CostState::Exact;
        seen
    }

    #[test]
    fn a_request_that_failed_over_is_one_request_of_two_attempts() {
        let mut failed = seen("2026-11-24T23:59:59Z", ErrorClass::StreamBroken);
        failed.group = [1; 16];
        failed.cost_state = CostState::Unknown;
        let mut billed = paid("2026-11-25T00:00:00Z", 2, "0.1");
        billed.billed = Some("0.11".parse().unwrap());
        let attempts = [failed, paid("2026-11-24T23:59:59Z", 1, "0.000000000001"), billed];
        let days = sum(&attempts, &[By::Day]);
        assert_eq!(days.iter().map(|line| line.keys[0].as_str()).collect::<Vec<_>>(), ["2026-11-24", "2026-11-25"]);
        assert_eq!((days[0].requests, days[0].attempts, days[0].successes), (1, 2, 1));
        assert_eq!((days[0].unknown, days[0].unknown_failed), (1, 1));
        let all = &sum(&attempts, &[])[0];
        assert_eq!(all.cost.exact(), "0.100000000001");
        assert_eq!(all.spent.exact(), "0.110000000001");
        assert_eq!(
            all.billed.map(|(billed, cost)| (billed.exact(), cost.exact())),
            Some(("0.11".into(), "0.1".into()))
        );
        assert_eq!((all.input.count(), all.output.count()), (200, 40));
        assert_eq!(sum(&[], &[]).len(), 1);
        assert_eq!(sum(&[], &[By::Model]).len(), 0);
    }
}
