//! What would change a decision: at which price, time value, first token or key another endpoint would go first.
//!
//! Nothing here decides: every statement was made by asking [`decide`] at both of its sides, a unit apart, so that it is
//! true of the decision that would be made then. It is computed for who asks, never within a decision.

mod change;
mod flips;

use std::borrow::Cow;

use jiff::Timestamp;

use change::{Varied, cured};

use super::{Candidate, Decision, Policy, Preset, Ranked, Rejection, RouteRequest, Rule, decide};
use crate::catalog::price::Item;
use crate::catalog::{Endpoint, EndpointId, Status};
use crate::units::{Tokens, Usd, UsdPerMtok};

/// Everything that a decision was made from, to ask what it would be otherwise.
#[derive(Debug, Clone, Copy)]
pub struct Question<'a> {
    /// What was asked.
    pub request: &'a RouteRequest,
    /// Who was weighed.
    pub candidates: &'a [Candidate<'a>],
    /// With what.
    pub policy: &'a Policy,
    /// When.
    pub now: Timestamp,
    /// The seed.
    pub seed: u64,
}

/// What is changed, with nothing else being different.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// The value of time; in millionths of a dollar an hour.
    TimeValue,
    /// The price of plain input or output at an endpoint; in millionths of a dollar per 1M tokens.
    Price {
        /// Whose.
        endpoint: EndpointId,
        /// [`Item::Input`] or [`Item::Output`].
        item: Item,
    },
    /// The time to the first token of an endpoint, as if it were surely measured; in milliseconds.
    Ttft {
        /// Whose.
        endpoint: EndpointId,
    },
}

/// Where another endpoint goes first: between two values that lie one unit apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flip {
    /// What is changed.
    pub change: Change,
    /// What it is now, in the unit of the change.
    pub now: u64,
    /// The last value at which it is still as it is now.
    pub holds_at: u64,
    /// The first value at which it is not.
    pub flips_at: u64,
    /// Who goes first there.
    pub to: EndpointId,
}

/// The rates that an endpoint's expected request is billed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Rates {
    /// Of plain input.
    pub input: Option<UsdPerMtok>,
    /// Of output.
    pub output: Option<UsdPerMtok>,
    /// Of input that a cache serves; where there is none it is charged as plain input.
    pub cache_read: Option<UsdPerMtok>,
    /// Of input that is written to a cache.
    pub cache_write: Option<UsdPerMtok>,
    /// The same for an hour.
    pub cache_write_1h: Option<UsdPerMtok>,
    /// For each request, in USD.
    pub request: Usd,
    /// Of plain input in a conversation's next turn, which is larger.
    pub next_input: Option<UsdPerMtok>,
    /// Of input that a cache serves then.
    pub next_cache_read: Option<UsdPerMtok>,
}

/// Why an endpoint does not go first, or that it does.
#[derive(Debug, Clone, PartialEq)]
pub enum Why {
    /// It goes first.
    First,
    /// It is usable, and others go before it.
    Behind {
        /// Its place, from 1.
        place: usize,
        /// What alone would put it first: nothing where the list is empty.
        flips: Vec<Flip>,
    },
    /// It may not be used.
    Rejected {
        /// Every reason.
        reasons: Vec<Rejection>,
        /// What it would come to if none of them were there, and its place by that sum, from 1, among those that are
        /// usable; `None` where no price is known, or the rule is not the sum.
        otherwise: Option<(Usd, usize)>,
    },
    /// It was not weighed: it does not serve the model.
    NotServed,
}

impl<'a> Question<'a> {
    /// The decision as it is.
    #[must_use]
    pub fn decide(&self) -> Decision {
        decide(self.request, self.candidates, self.policy, self.now, self.seed)
    }

    /// The decision at another value of a change, given in its unit.
    #[must_use]
    pub fn at(&self, change: &Change, value: u64) -> Decision {
        Varied::new(self, change).at(value)
    }

    /// The same question over those alone that the decision ranks: who is rejected stays rejected whatever a price, a
    /// time or their value is.
    fn among<'b>(&self, candidates: &'b [Candidate<'b>]) -> Question<'b>
    where
        'a: 'b,
    {
        Question { candidates, ..*self }
    }

    fn usable(&self, decision: &Decision) -> Vec<Candidate<'a>> {
        let ranked =
            |candidate: &&Candidate<'_>| decision.ranked.iter().any(|entry| entry.endpoint == candidate.endpoint.id);
        self.candidates.iter().filter(ranked).cloned().collect()
    }

    /// What alone would put another endpoint first: the value of time, a worse price or first token of the first, a better
    /// one of the second.
    #[must_use]
    pub fn flips(&self, decision: &Decision) -> Vec<Flip> {
        let usable = self.usable(decision);
        let question = self.among(&usable);
        let [first, second, ..] = decision.ranked.as_slice() else { return Vec::new() };
        let mut flips = question.time_flips(decision);
        flips.extend(question.levers(first, true));
        flips.extend(question.levers(second, false));
        flips
    }

    /// Why an endpoint does not go first.
    #[must_use]
    pub fn why(&self, decision: &Decision, endpoint: &EndpointId) -> Why {
        if let Some(at) = decision.ranked.iter().position(|entry| entry.endpoint == *endpoint) {
            if at == 0 {
                return Why::First;
            }
            let usable = self.usable(decision);
            let question = self.among(&usable);
            let mut flips = question.levers(&decision.ranked[at], false);
            flips.extend(question.time_flips(decision).into_iter().filter(|flip| flip.to == *endpoint));
            return Why::Behind { place: at + 1, flips };
        }
        let Some(rejected) = decision.rejected.iter().find(|entry| entry.endpoint == *endpoint) else {
            return Why::NotServed;
        };
        Why::Rejected { reasons: rejected.reasons.clone(), otherwise: self.otherwise(decision, endpoint) }
    }

    /// What a rejected endpoint would come to if nothing stood against it.
    fn otherwise(&self, decision: &Decision, endpoint: &EndpointId) -> Option<(Usd, usize)> {
        let candidate = self.candidates.iter().find(|known| known.endpoint.id == *endpoint)?;
        let free = Endpoint {
            status: Status::Active,
            context: None,
            max_input: None,
            max_output: candidate
                .endpoint
                .max_output
                .filter(|&most| self.request.max_output.is_none_or(|asked| asked <= most)),
            output: std::collections::BTreeSet::new(),
            input: std::collections::BTreeSet::new(),
            ..candidate.endpoint.as_ref().clone()
        };
        let mut cured = Candidate { endpoint: Cow::Borrowed(&free), ..cured(candidate) };
        (cured.unsupported, cured.no_base_url, cured.outside_sandbox) = (None, false, false);
        cured.lacks.clear();
        cured.stats.cooling = None;
        let mut request = self.request.clone();
        request.constraints = super::Constraints { allow_unpriced: true, ..super::Constraints::default() };
        request.needs = super::Needs::default();
        let alone = decide(&request, std::slice::from_ref(&cured), self.policy, self.now, self.seed);
        let score = &alone.chosen()?.score;
        if !score.price_known || self.policy.rule != Rule::Score {
            return None;
        }
        let total = score.total();
        let before = decision.ranked.iter().filter(|entry| entry.score.price_known && entry.score.total() <= total);
        Some((total, before.count() + 1))
    }

    /// Endpoints that lack nothing but a key or a setting and would go first with it, each with what it lacks; the lowest
    /// sum first.
    #[must_use]
    pub fn keys(&self, decision: &Decision) -> Vec<(EndpointId, Vec<String>)> {
        let usable = self.usable(decision);
        let mut found = Vec::new();
        for entry in &decision.rejected {
            // What is cooling is judged by the decision: it may be used all the same where everybody is.
            let lasting = entry.reasons.iter().filter(|reason| !matches!(reason, Rejection::CoolingDown { .. }));
            let lacking: Option<Vec<&[String]>> = lasting.map(lacks_only).collect();
            let Some(lacking) = lacking.filter(|lacking| !lacking.is_empty()) else { continue };
            let Some(candidate) = self.candidates.iter().find(|known| known.endpoint.id == entry.endpoint) else {
                continue;
            };
            let mut candidates = usable.clone();
            candidates.push(cured(candidate));
            let keyed = self.among(&candidates).decide();
            if let Some(first) = keyed.chosen().filter(|first| first.endpoint == entry.endpoint) {
                // Any of the variables of a key will do, all settings must be there.
                let name = |names: &[String]| names.first().cloned();
                let names = lacking.into_iter().filter_map(name).collect();
                found.push((first.score.total(), entry.endpoint.clone(), names));
            }
        }
        found.sort();
        found.into_iter().map(|(_, endpoint, names)| (endpoint, names)).collect()
    }

    /// The trades between money and time that would put another endpoint first, with whom.
    #[must_use]
    pub fn presets(&self, decision: &Decision) -> Vec<(Preset, EndpointId)> {
        let Some(first) = decision.chosen() else { return Vec::new() };
        let usable = self.usable(decision);
        let trades = Preset::ALL.into_iter().filter(|preset| preset.rule() == Rule::Score);
        let others = trades.filter(|preset| self.policy.preset != Some(*preset));
        let winner = |preset: Preset| {
            let made = decide(self.request, &usable, &Policy::preset(preset), self.now, self.seed);
            made.ranked.into_iter().next().map(|entry| (preset, entry.endpoint))
        };
        others.filter_map(winner).filter(|(_, winner)| *winner != first.endpoint).collect()
    }

    /// The rates that an endpoint's expected request is billed by.
    #[must_use]
    pub fn rates(&self, entry: &Ranked) -> Rates {
        let candidate = self.candidates.iter().find(|known| known.endpoint.id == entry.endpoint);
        let Some(pricing) = candidate.and_then(|candidate| candidate.endpoint.pricing.as_ref()) else {
            return Rates::default();
        };
        let (input, output) = (self.request.input, entry.expectation.output);
        let rate = |item: Item| pricing.rate_at(item, input, output, self.now);
        let next = |item: Item| pricing.rate_at(item, input + output, Tokens::ZERO, self.now);
        Rates {
            input: rate(Item::Input),
            output: rate(Item::Output),
            cache_read: rate(Item::CacheRead),
            cache_write: rate(Item::CacheWrite),
            cache_write_1h: rate(Item::CacheWrite1h),
            request: pricing.request_fee(),
            next_input: next(Item::Input),
            next_cache_read: next(Item::CacheRead),
        }
    }
}

/// What would cure a reason, where that is a key or a setting.
fn lacks_only(reason: &Rejection) -> Option<&[String]> {
    match reason {
        Rejection::NoCredential { looked_in } => Some(looked_in),
        Rejection::MissingSetting { variables } => Some(variables),
        _ => None,
    }
}
