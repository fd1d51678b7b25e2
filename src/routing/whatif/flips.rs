//! Where a changed price, first token or value of time puts another endpoint first.

use std::time::Duration;

use super::change::{Varied, float, millis, whole};
use super::{Change, Flip, Question};
use crate::catalog::EndpointId;
use crate::catalog::price::Item;
use crate::routing::rule::listed;
use crate::routing::{Decision, Ranked, Rule};

/// The dearest time value that is looked at, in millionths of a dollar an hour.
const DEAREST_TIME: u64 = 10_000_000_000;
/// The dearest price that is looked at, in millionths of a dollar per 1M tokens.
const DEAREST_PRICE: u64 = 999_999_000_000;
/// The longest time to a first token that is looked at, in milliseconds.
const LONGEST: u64 = 600_000;
/// How far from where a sum should cross another it is looked for: as far as rounding may shift it.
const AROUND: u64 = 2;
/// How many places are looked at on one side of the time value.
const MOST_PLACES: usize = 64;

impl Question<'_> {
    /// What an endpoint's own prices and first token would have to be for it to go first, or no longer to.
    pub(super) fn levers(&self, entry: &Ranked, leads: bool) -> Vec<Flip> {
        let rates = self.rates(entry);
        let endpoint = entry.endpoint.clone();
        let prices = [(Item::Input, rates.input), (Item::Output, rates.output)];
        let mut changes: Vec<(Change, u64, u64)> = prices
            .into_iter()
            .filter_map(|(item, rate)| {
                let now = rate?.to_millionths()?;
                Some((Change::Price { endpoint: endpoint.clone(), item }, now, DEAREST_PRICE))
            })
            .collect();
        let now = millis(entry.expectation.ttft_s.value);
        changes.push((Change::Ttft { endpoint: endpoint.clone() }, now, LONGEST));
        let flip = |(change, now, most): (Change, u64, u64)| {
            let mut varied = Varied::new(self, &change);
            let end = if leads { most.max(now) } else { 0 };
            let ends = [now, end].map(|value| varied.at(value));
            let [first, last] = &ends;
            let goes_first = |decision: &Decision| decision.chosen().is_some_and(|entry| entry.endpoint == endpoint);
            if goes_first(first) != leads || goes_first(last) == leads {
                return None;
            }
            let places = self.places(&endpoint, [(now, first), (end, last)]);
            let holds = |value: u64| (varied.first(value).as_ref() == Some(&endpoint)) == leads;
            let (holds_at, flips_at) = edge(now, end, &places, holds);
            let to = varied.first(flips_at)?;
            Some(Flip { change, now, holds_at, flips_at, to })
        };
        changes.into_iter().filter_map(flip).collect()
    }

    /// Where the sum of an endpoint, a straight line through two values of its own lever, meets the best of the others or
    /// enters or leaves a near-tie with it; the nearest to the first value comes first.
    fn places(&self, endpoint: &EndpointId, [near, far]: [(u64, &Decision); 2]) -> Vec<u64> {
        let own = |decision: &Decision| {
            let entry = decision.ranked.iter().find(|entry| entry.endpoint == *endpoint)?;
            entry.score.total().to_pico().map(float)
        };
        let others = near.1.ranked.iter().filter(|entry| entry.endpoint != *endpoint && !entry.is_held_back());
        let best = others.filter_map(|entry| entry.score.total().to_pico()).min().map(float);
        let (Some(from), Some(to), Some(best)) = (own(near.1), own(far.1), best) else { return Vec::new() };
        let [start, end] = [near.0, far.0].map(|value| float(i64::try_from(value).unwrap_or(i64::MAX)));
        let tie = self.near_tie();
        let meets = |sum: f64| start + (sum - from) / (to - from) * (end - start);
        let mut places: Vec<f64> = [best, best * tie, best / tie].map(meets).into();
        places.retain(|place| place.is_finite() && (start.min(end)..=start.max(end)).contains(place));
        places.sort_by(|a, b| (a - start).abs().total_cmp(&(b - start).abs()));
        places.into_iter().map(whole).collect()
    }

    /// By how much a sum may exceed the best one in a near-tie.
    fn near_tie(&self) -> f64 {
        1.0 + f64::from(self.policy.near_tie_percent) / 100.0
    }

    /// The nearest values of time, below and above, at which another endpoint goes first.
    pub(super) fn time_flips(&self, decision: &Decision) -> Vec<Flip> {
        let Some(first) = decision.chosen() else { return Vec::new() };
        if self.policy.rule != Rule::Score || decision.all_cooling {
            return Vec::new();
        }
        let hour = self.policy.wait_value * Duration::from_secs(3600);
        let Some(now) = hour.to_pico().and_then(|pico| u64::try_from(pico / 1_000_000).ok()) else { return Vec::new() };
        let change = Change::TimeValue;
        let mut varied = Varied::new(self, &change);
        let mut same = |value: u64| varied.first(value).as_ref() == Some(&first.endpoint);
        if !same(now) {
            return Vec::new();
        }
        let places = self.crossings(decision);
        let below = places.iter().rev().copied().filter(|place| *place < now).chain([0]);
        let above = places.iter().copied().filter(|place| *place > now).chain([DEAREST_TIME]);
        let sides: [Vec<u64>; 2] = [below.take(MOST_PLACES).collect(), above.take(MOST_PLACES).collect()];
        let mut flips = Vec::new();
        for side in sides {
            // Between two crossings nothing changes: a look at the middle, and past the last, is enough.
            let middles = side.windows(2).map(|two| two[0].midpoint(two[1]));
            let mut known = now;
            for (place, value) in side.iter().zip(middles.chain(side.last().copied())) {
                if same(value) {
                    known = value;
                    continue;
                }
                let (holds_at, flips_at) = edge(known, value, &[*place], &mut same);
                if let Some(to) = Varied::new(self, &change).first(flips_at) {
                    flips.push(Flip { change: change.clone(), now, holds_at, flips_at, to });
                }
                break;
            }
        }
        flips
    }

    /// The values of time at which two sums cross, or one leaves the near-tie of the best: a sum is a straight line in it.
    fn crossings(&self, decision: &Decision) -> Vec<u64> {
        let head = |entry: &&Ranked| {
            let group = |entry: &Ranked| {
                (entry.is_held_back(), listed(self.request, entry), entry.grade(), entry.score.price_known)
            };
            decision.chosen().is_some_and(|first| group(first) == group(entry))
        };
        // At nothing, and at $3,600 an hour: a dollar a second.
        let [still, dear] = [0, 3_600_000_000].map(|value| self.at(&Change::TimeValue, value));
        let total = |decision: &Decision, endpoint: &EndpointId| {
            let entry = decision.ranked.iter().find(|entry| entry.endpoint == *endpoint)?;
            entry.score.total().to_pico().map(float)
        };
        let line = |entry: &Ranked| {
            let base = total(&still, &entry.endpoint)?;
            Some((base, (total(&dear, &entry.endpoint)? - base) / 3_600_000_000.0))
        };
        let lines: Vec<(f64, f64)> = decision.ranked.iter().filter(head).filter_map(line).collect();
        let best_at = |value: f64| lines.iter().map(|(base, slope)| base + slope * value).fold(f64::INFINITY, f64::min);
        let near = self.near_tie();
        let mut places = Vec::new();
        for &(base, slope) in &lines {
            for &(other_base, other_slope) in &lines {
                for factor in [1.0, near] {
                    let value = (factor * other_base - base) / (slope - factor * other_slope);
                    if !(0.0..float(i64::try_from(DEAREST_TIME).unwrap_or(i64::MAX))).contains(&value) {
                        continue;
                    }
                    let other = other_base + other_slope * value;
                    if other <= best_at(value) * (1.0 + 1e-9) {
                        places.push(whole(value));
                    }
                }
            }
        }
        places.sort_unstable();
        places.dedup();
        places
    }
}

/// What [`bisect`] finds, looked for around some places first: where it is there, a few looks are enough.
fn edge(holds: u64, fails: u64, places: &[u64], mut same: impl FnMut(u64) -> bool) -> (u64, u64) {
    let (low, high) = (holds.min(fails), holds.max(fails));
    for place in places {
        let [below, above] = [place.saturating_sub(AROUND), place.saturating_add(AROUND)].map(|at| at.clamp(low, high));
        let (near, far) = if holds < fails { (below, above) } else { (above, below) };
        if !same(far) && same(near) {
            return bisect(near, far, same);
        }
    }
    bisect(holds, fails, same)
}

/// The two neighbours between which `same` ends, going from where it holds to where it does not.
fn bisect(holds: u64, fails: u64, mut same: impl FnMut(u64) -> bool) -> (u64, u64) {
    let (mut holds, mut fails) = (holds, fails);
    while holds.abs_diff(fails) > 1 {
        let middle = holds.midpoint(fails);
        if same(middle) { holds = middle } else { fails = middle }
    }
    (holds, fails)
}
