//! What was spent: attempts summed by day, model, provider or source. Pure; money is added exactly.

use std::collections::{BTreeMap, BTreeSet};

use jiff::tz::TimeZone;

use super::{CostState, Observation, Source};
use crate::units::{Tokens, Usd};

/// What a line of the ledger is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is the key of its name")]
pub enum By {
    Day,
    Model,
    Provider,
    Source,
}

impl By {
    /// Every key, in the order in which columns stand.
    pub const ALL: [Self; 4] = [Self::Day, Self::Model, Self::Provider, Self::Source];

    /// Its word on the command line and in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Model => "model",
            Self::Provider => "provider",
            Self::Source => "source",
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
    /// Attempts that may have been billed, and nobody said how much.
    pub unknown: u64,
    /// Of `unknown`, those that failed.
    pub unknown_failed: u64,
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
        if seen.cost_state == CostState::Unknown && seen.billed.is_none() {
            self.unknown += 1;
            self.unknown_failed += u64::from(!seen.class.is_success());
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
