//! What a probe sends, in which order and at what cost at most: pure (`metrics.md` 2).

use std::time::Duration;

use jiff::Timestamp;

use crate::catalog::{Capability, Endpoint, ModelId, ProviderKind, Usage};
use crate::chat::{ChatRequest, Effort, Message, Role};
use crate::units::{Tokens, Usd};
use crate::upstream::steer::Ways;

/// The version of the prompts: samples of two versions are not mixed.
pub const PROMPT_VERSION: i64 = 1;

/// What a probe measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Whether it answers, and how soon.
    Ping,
    /// The wait for the first token and the speed after it.
    Speed,
    /// The same after about ten thousand tokens of input.
    Long,
    /// As `Speed`, several at once: how an endpoint bears the user's own concurrency.
    Burst,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Ping, Self::Speed, Self::Long, Self::Burst];

    /// Its word on the command line and in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Speed => "speed",
            Self::Long => "long",
            Self::Burst => "burst",
        }
    }

    /// The kind of that word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == word)
    }

    /// The output cap at an endpoint, in tokens. What reasons needs room for its thoughts before it says a word.
    #[must_use]
    pub fn cap(self, endpoint: &Endpoint) -> u64 {
        let cap = match (self, thinks(endpoint)) {
            (Self::Ping, false) => 16,
            (Self::Speed | Self::Burst, false) => 128,
            (Self::Long, false) => 256,
            (_, true) => 1024,
        };
        endpoint.max_output.map_or(cap, |most| cap.min(most.count()))
    }
}

/// Whether an endpoint reasons even at the least effort that it can be asked for.
#[must_use]
pub fn thinks(endpoint: &Endpoint) -> bool {
    endpoint.can(Capability::Reasoning) && lowest_effort(endpoint) != Some(Effort::None)
}

/// The least effort that an endpoint can be asked for; `None` where nothing is to be said about it.
#[must_use]
pub fn lowest_effort(endpoint: &Endpoint) -> Option<Effort> {
    let ways = Ways::of(endpoint);
    let from_nothing = ways.budget.is_some_and(|(least, _)| least == 0);
    if ways.toggle || from_nothing || ways.levels.contains(&Effort::None) {
        return Some(Effort::None);
    }
    Effort::WORDS.into_iter().find(|level| ways.levels.contains(level))
}

/// The topics of the prompt: prose, because repetitive output flatters speculative decoding.
const TOPICS: [&str; 64] = [
    "a lighthouse in winter",
    "the first trains",
    "growing tomatoes",
    "a quiet harbour",
    "old maps",
    "bread baking",
    "desert rain",
    "a village market",
    "night fishing",
    "paper making",
    "mountain huts",
    "river ferries",
    "clock repair",
    "bee keeping",
    "a long bridge",
    "city gardens",
    "snow ploughs",
    "street musicians",
    "salt marshes",
    "stone walls",
    "sailing at dawn",
    "a small museum",
    "tidal pools",
    "apple orchards",
    "a railway station",
    "weather balloons",
    "glass blowing",
    "wild horses",
    "a postal route",
    "rooftop gardens",
    "coral reefs",
    "wind mills",
    "a chess club",
    "ice skating",
    "olive harvests",
    "canal boats",
    "forest fires",
    "letter writing",
    "tea houses",
    "volcanic soil",
    "bird migration",
    "a town library",
    "spice trade",
    "mountain passes",
    "shadow theatre",
    "cave paintings",
    "a bicycle workshop",
    "rain gauges",
    "fog at sea",
    "wooden toys",
    "peat bogs",
    "an observatory",
    "hot springs",
    "silk weaving",
    "a country fair",
    "tin mines",
    "swimming lessons",
    "moss",
    "harvest festivals",
    "a ferry crossing",
    "stargazing",
    "pottery",
    "hedgerows",
    "a night train",
];

/// So many words of filler make `long` about ten thousand tokens: 1.19 tokens a word in o200k.
const FILLER_WORDS: usize = 8_400;

/// The most tokens that a `long` prompt has in o200k.
const LONG_TOKENS: u64 = 10_100;

/// The prompt of one probe. The nonce stands first, so that no prefix of it was ever cached.
#[must_use]
pub fn prompt(kind: Kind, nonce: u64) -> String {
    let topic = TOPICS[usize::try_from(nonce % 64).unwrap_or(0)];
    match kind {
        Kind::Ping => format!("[{nonce:016x}] Say one short sentence about {topic}."),
        Kind::Speed | Kind::Burst => {
            format!("[{nonce:016x}] Write one plain paragraph of about 180 words about {topic}. No lists, no headings.")
        }
        Kind::Long => {
            let mut text = format!("[{nonce:016x}] Below are notes in no order.\n\n");
            let mut state = nonce;
            for _ in 0..FILLER_WORDS {
                let word = TOPICS[usize::try_from(mix(&mut state) % 64).unwrap_or(0)];
                text.push_str(word.rsplit(' ').next().unwrap_or(word));
                text.push(' ');
            }
            text.push_str(&format!("\n\nWrite one plain paragraph of about 180 words about {topic}. No lists."));
            text
        }
    }
}

/// The request of one probe at an endpoint: streamed, capped, with the least effort that it can be asked for.
#[must_use]
pub fn request(kind: Kind, model: &ModelId, endpoint: &Endpoint, nonce: u64) -> ChatRequest {
    ChatRequest {
        max_tokens: Some(kind.cap(endpoint)),
        effort: lowest_effort(endpoint),
        ..ChatRequest::new(model.clone(), vec![Message::text(Role::User, prompt(kind, nonce))])
    }
}

/// More input tokens than a probe can have. A token is at least one byte, and 64 are for the chat template; of `long`,
/// which is plain words, twice what o200k makes of it.
#[must_use]
pub fn input_bound(kind: Kind) -> Tokens {
    if kind == Kind::Long {
        return Tokens::new(2 * LONG_TOKENS);
    }
    let longest = (0..64).map(|nonce| prompt(kind, nonce).len()).max().unwrap_or(0);
    Tokens::new(u64::try_from(longest).unwrap_or(u64::MAX / 2) + 64)
}

/// The most that one probe can cost at an endpoint, in USD; `None` where its price is not known.
#[must_use]
pub fn bound(kind: Kind, endpoint: &Endpoint, provider: ProviderKind) -> Option<Usd> {
    match &endpoint.pricing {
        Some(pricing) => pricing.worst_case(input_bound(kind), Tokens::new(kind.cap(endpoint)), (false, false)),
        None => (provider == ProviderKind::Local).then_some(Usd::ZERO),
    }
}

/// What one probe costs at an endpoint if all goes as usual, in USD, at the prices of that moment: a short answer as long
/// as it may be; half the room of one that begins with thoughts, whose length nobody knows. `None` where its price is
/// not known.
#[must_use]
pub fn expected(kind: Kind, endpoint: &Endpoint, provider: ProviderKind, at: Timestamp) -> Option<Usd> {
    let Some(pricing) = &endpoint.pricing else { return (provider == ProviderKind::Local).then_some(Usd::ZERO) };
    let input = match kind {
        Kind::Ping => 30,
        Kind::Speed | Kind::Burst => 45,
        Kind::Long => LONG_TOKENS,
    };
    let cap = kind.cap(endpoint);
    let output = if thinks(endpoint) { cap.div_ceil(2) } else { cap };
    let usage = Usage { input: Some(Tokens::new(input)), output: Some(Tokens::new(output)), ..Usage::default() };
    pricing.cost(&usage, at).ok().map(|cost| cost.total)
}

/// The order in which a round visits `n` endpoints: fresh for every round, so that drift hits all alike.
#[must_use]
pub fn order(seed: u64, round: u32, n: usize) -> Vec<usize> {
    let mut state = seed ^ (u64::from(round) << 32);
    let mut order: Vec<usize> = (0..n).collect();
    for last in (1..n).rev() {
        let below = u64::try_from(last).unwrap_or(0) + 1;
        order.swap(last, usize::try_from(mix(&mut state) % below).unwrap_or(0));
    }
    order
}

/// The pause before a probe: 0.2 to 0.8 s, and at least a second after the last one at the same endpoint.
#[must_use]
pub fn pause(seed: u64, probe: u64, since_last: Option<Duration>) -> Duration {
    let mut state = seed ^ probe.rotate_left(17);
    let jittered = Duration::from_millis(200 + mix(&mut state) % 601);
    let polite = since_last.map_or(Duration::ZERO, |since| Duration::from_secs(1).saturating_sub(since));
    jittered.max(polite)
}

/// The nonce of a probe.
#[must_use]
pub fn nonce(seed: u64, probe: u64) -> u64 {
    let mut state = seed.wrapping_add(probe.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    mix(&mut state)
}

/// The next number of a splitmix sequence.
fn mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    fn endpoints() -> Vec<Endpoint> {
        Catalog::builtin().endpoints_for(&ModelId::new("anthropic/claude-sonnet-5"))
    }

    #[test]
    fn every_round_visits_everybody_once_and_rounds_differ() {
        let orders: Vec<Vec<usize>> = (0..20).map(|round| order(7, round, 5)).collect();
        for order in &orders {
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3, 4]);
        }
        assert!(orders.iter().any(|order| *order != orders[0]));
        let firsts = |at: usize| (0..500).filter(|round| order(3, *round, 5)[0] == at).count();
        assert!((0..5).all(|at| (60..150).contains(&firsts(at))), "each is first about as often");
    }

    #[test]
    fn prompts_begin_with_their_nonce_and_stay_within_their_bound() {
        for kind in Kind::ALL {
            for nonce in [0, 1, u64::MAX, 0x1234_5678_9abc_def0] {
                let text = prompt(kind, nonce);
                assert!(text.starts_with(&format!("[{nonce:016x}]")));
                let bound = input_bound(kind).count();
                let bytes = u64::try_from(text.len()).unwrap();
                // Plain English words are never shorter than this, in the tokens of anybody.
                let least = if kind == Kind::Long { bytes / 4 } else { bytes + 64 };
                assert!(least <= bound, "{} {bytes} {bound}", kind.name());
            }
            assert_ne!(prompt(kind, 1), prompt(kind, 65));
        }
        let words = prompt(Kind::Long, 3).split_whitespace().count();
        assert!((8_400..8_450).contains(&words), "the tokens of this many words were counted: {words}");
    }

    #[test]
    fn what_is_expected_is_below_the_bound_and_burst_is_speed() {
        let at = Timestamp::UNIX_EPOCH;
        let is_priced = |endpoint: &&Endpoint| bound(Kind::Ping, endpoint, ProviderKind::Host) > Some(Usd::ZERO);
        for endpoint in endpoints().iter().filter(is_priced) {
            for kind in Kind::ALL {
                let bound = bound(kind, endpoint, ProviderKind::Host).unwrap();
                let expected = expected(kind, endpoint, ProviderKind::Host, at).unwrap();
                assert!(Usd::ZERO < expected && expected < bound, "{}: {expected:?} {bound:?}", kind.name());
            }
            assert_eq!(Kind::Burst.cap(endpoint), Kind::Speed.cap(endpoint));
        }
        assert_eq!(prompt(Kind::Burst, 9), prompt(Kind::Speed, 9));
        // The figures of the methodology, at $3 and $15 per million: 20k tokens in, 256 out.
        let mut endpoint = endpoints().remove(0);
        endpoint.capabilities.remove(&Capability::Reasoning);
        endpoint.reasoning_options.clear();
        endpoint.max_output = None;
        let mut pricing = endpoint.pricing.take().unwrap();
        (pricing.rates, pricing.fees, pricing.off_peak) = Default::default();
        pricing.set("input", "3").unwrap();
        pricing.set("output", "15").unwrap();
        endpoint.pricing = Some(pricing);
        let long = |usd: Option<Usd>| usd.unwrap().exact();
        assert_eq!(long(bound(Kind::Long, &endpoint, ProviderKind::Host)), "0.06444");
        assert_eq!(long(expected(Kind::Long, &endpoint, ProviderKind::Host, at)), "0.03414");
    }

    #[test]
    fn a_probe_asks_for_the_least_effort_and_what_thinks_gets_room() {
        let mut endpoint = endpoints().remove(0);
        endpoint.max_output = None;
        endpoint.reasoning_options = vec!["effort:low|high".into()];
        endpoint.capabilities.insert(Capability::Reasoning);
        assert_eq!((lowest_effort(&endpoint), Kind::Speed.cap(&endpoint)), (Some(Effort::Low), 1024));
        endpoint.reasoning_options = vec!["toggle".into(), "effort:low|high".into()];
        assert_eq!((lowest_effort(&endpoint), Kind::Speed.cap(&endpoint)), (Some(Effort::None), 128));
        endpoint.max_output = Some(Tokens::new(64));
        assert_eq!(Kind::Speed.cap(&endpoint), 64);
    }

    #[test]
    fn an_unknown_price_has_no_bound() {
        let mut endpoint = endpoints().into_iter().find(|endpoint| endpoint.pricing.is_some()).unwrap();
        assert!(bound(Kind::Speed, &endpoint, ProviderKind::Host).unwrap() > Usd::ZERO);
        endpoint.pricing = None;
        assert_eq!(bound(Kind::Speed, &endpoint, ProviderKind::Host), None);
        assert_eq!(bound(Kind::Speed, &endpoint, ProviderKind::Local), Some(Usd::ZERO));
    }

    #[test]
    fn pauses_are_jittered_and_polite() {
        for probe in 0..200 {
            let pause = super::pause(1, probe, None);
            assert!((200..=800).contains(&pause.as_millis()));
        }
        assert!(super::pause(1, 0, Some(Duration::from_millis(100))) >= Duration::from_millis(900));
    }
}
