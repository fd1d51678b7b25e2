//! Who goes before whom: by the sum of the terms, or by the rule of a hosted system, for parity and comparison.
//!
//! Whatever the rule, who is held back after a pause comes last; else the request's own order comes first, then what it
//! prefers; a rule only says how those are ordered between whom that leaves a choice. Each place is the candidate's own: no
//! rule looks at another candidate, so that removing one never reorders two others.

use jiff::{SignedDuration, Timestamp};

use super::balance::mix;
use super::{Basis, Candidate, Policy, Ranked, RouteRequest, TermKind};
use crate::catalog::Catalog;
use crate::units::Usd;

/// How long after a fault the classic rule of OpenRouter puts an endpoint behind the others.
const OUTAGE: SignedDuration = SignedDuration::from_secs(30);

/// By what the usable endpoints are ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// By the sum of the terms, near-ties at the head by load and seed: openmux's own.
    Score,
    /// By the expected time to the first token, those that were measured first (ZenMux).
    Ttft,
    /// The model's author's own endpoint first, then by time to first token (ZenMux, until 2026).
    OriginFirst,
    /// Those without a fault in the last 30 s first, within them a draw with a chance of 1/price² (OpenRouter, until 2026).
    InverseSquarePrice,
    /// As the request lists them, the others by name.
    Listed,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 5] = [Self::Score, Self::Ttft, Self::OriginFirst, Self::InverseSquarePrice, Self::Listed];

    /// The word in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Score => "score",
            Self::Ttft => "ttft",
            Self::OriginFirst => "origin_first",
            Self::InverseSquarePrice => "inverse_square_price",
            Self::Listed => "listed",
        }
    }
}

/// Where a candidate stands: compared field by field, the lower first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// Whether it comes back after a pause and is not to have this request.
    held_back: bool,
    /// In the request's own order.
    listed: usize,
    /// When it reopens, where all are cooling.
    reopens: Option<Timestamp>,
    /// How it stands to what the request prefers.
    grade: u8,
    /// The rule's own classes: unknown prices and unmeasured times come last.
    class: u8,
    /// The sum of the terms, where that is the rule.
    sum: Usd,
    /// Another figure that is at least zero, as bits, which order as the figures do.
    figure: u64,
}

/// Where the request's own order puts a candidate; behind all that are listed where it is not.
pub(super) fn listed(request: &RouteRequest, ranked: &Ranked) -> usize {
    let order = &request.constraints.order;
    order.iter().position(|provider| *provider == ranked.endpoint.provider).unwrap_or(order.len())
}

/// The place of a candidate by the policy's rule.
pub(super) fn place(
    request: &RouteRequest,
    candidate: &Candidate<'_>,
    policy: &Policy,
    ranked: &Ranked,
    (now, seed): (Timestamp, u64),
    all_cooling: bool,
) -> Place {
    let ttft = ranked.expectation.ttft_s;
    let unmeasured = !matches!(ttft.basis, Basis::Measured { .. });
    let (class, sum, figure) = match policy.rule {
        Rule::Score => (u8::from(!ranked.score.price_known), ranked.score.total(), 0.0),
        Rule::Ttft => (u8::from(unmeasured), Usd::ZERO, ttft.value),
        Rule::OriginFirst if is_own(candidate) => (0, Usd::ZERO, ttft.value),
        Rule::OriginFirst => (1 + u8::from(unmeasured), Usd::ZERO, ttft.value),
        Rule::InverseSquarePrice => {
            let faulty = candidate.stats.last_fault.is_some_and(|at| now.duration_since(at) < OUTAGE);
            // With the next turn, as ever: what was decided stays so when it is decided again.
            let next = ranked.score.amount(TermKind::Next).unwrap_or_default();
            match ranked.score.amount(TermKind::Price).map(|price| price + next) {
                Some(price) => (u8::from(faulty), Usd::ZERO, drawn(price, seed, ranked)),
                None => (2 + u8::from(faulty), Usd::ZERO, 0.0),
            }
        }
        Rule::Listed => (0, Usd::ZERO, 0.0),
    };
    Place {
        held_back: ranked.is_held_back(),
        listed: listed(request, ranked),
        reopens: if all_cooling { ranked.cooling.map(|cooling| cooling.until) } else { None },
        grade: ranked.grade(),
        class,
        sum,
        figure: figure.max(0.0).to_bits(),
    }
}

/// Whether the model's author serves it.
fn is_own(candidate: &Candidate<'_>) -> bool {
    let own = Catalog::own_provider(candidate.endpoint.model.author());
    own == Some(candidate.endpoint.id.provider.as_str())
}

/// A waiting time drawn at a rate of 1/price²: who has the shortest goes first, which each does with a chance in
/// proportion to its rate, and so on among those that are left.
fn drawn(price: Usd, seed: u64, ranked: &Ranked) -> f64 {
    let price = pico(price);
    // The middle of one of 2^53 equal parts of 0..1: never 0 or 1.
    let share = (f64_of(mix(seed, &ranked.endpoint) >> 11) + 0.5) / 9_007_199_254_740_992.0;
    -libm::log(share) * price * price
}

/// An amount in picodollars.
fn pico(amount: Usd) -> f64 {
    f64_of(amount.to_pico().and_then(|pico| u64::try_from(pico).ok()).unwrap_or(u64::MAX))
}

#[expect(clippy::cast_precision_loss, reason = "a draw needs no more than 53 bits")]
const fn f64_of(value: u64) -> f64 {
    value as f64
}

/// The candidates in the order of their places, equal ones by name.
pub(super) fn ordered(ranked: Vec<Ranked>, places: &[Place]) -> Vec<Ranked> {
    let mut order: Vec<usize> = (0..ranked.len()).collect();
    order
        .sort_unstable_by(|&a, &b| places[a].cmp(&places[b]).then_with(|| ranked[a].endpoint.cmp(&ranked[b].endpoint)));
    let mut slots: Vec<Option<Ranked>> = ranked.into_iter().map(Some).collect();
    // They are large: room is made for all of them at once.
    let mut sorted = Vec::with_capacity(order.len());
    sorted.extend(order.into_iter().filter_map(|at| slots[at].take()));
    sorted
}
