//! What a probe sends, in which order and at what cost at most: pure (`metrics.md` 2).

use std::time::Duration;

use crate::catalog::{Capability, Endpoint, ModelId, ProviderKind};
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
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Ping, Self::Speed, Self::Long];

    /// Its word on the command line and in output.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Speed => "speed",
            Self::Long => "long",
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
        let thinks = endpoint.can(Capability::Reasoning) && lowest_effort(endpoint) != Some(Effort::None);
        let cap = match (self, thinks) {
            (Self::Ping, false) => 16,
            (Self::Speed, false) => 128,
            (Self::Long, false) => 256,
            (_, true) => 1024,
        };
        endpoint.max_output.map_or(cap, |most| cap.min(most.count()))
    }
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

/// Two tokens of anybody's are at least this many words of filler, so that `long` is about ten thousand tokens.
const FILLER_WORDS: usize = 7_500;

/// The prompt of one probe. The nonce stands first, so that no prefix of it was ever cached.
#[must_use]
pub fn prompt(kind: Kind, nonce: u64) -> String {
    let topic = TOPICS[usize::try_from(nonce % 64).unwrap_or(0)];
    match kind {
        Kind::Ping => format!("[{nonce:016x}] Say one short sentence about {topic}."),
        Kind::Speed => {
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

/// More input tokens than a probe can have: the bytes of its prompt and 64 for the chat template.
#[must_use]
pub fn input_bound(kind: Kind) -> Tokens {
    let longest = match kind {
        Kind::Long => prompt(kind, 0).len() + 4096,
        _ => (0..64).map(|nonce| prompt(kind, nonce).len()).max().unwrap_or(0),
    };
    Tokens::new(u64::try_from(longest).unwrap_or(u64::MAX / 2) + 64)
}

/// The most that one probe can cost at an endpoint, in USD; `None` where its price is not known.
#[must_use]
pub fn bound(kind: Kind, endpoint: &Endpoint, provider: ProviderKind) -> Option<Usd> {
    match &endpoint.pricing {
        Some(pricing) => pricing.worst_case(input_bound(kind), Tokens::new(kind.cap(endpoint)), false),
        None => (provider == ProviderKind::Local).then_some(Usd::ZERO),
    }
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

/// The least time from one probe of an endpoint to the next.
pub const POLITE: Duration = Duration::from_secs(1);

/// The pause before a probe: 0.2 to 0.8 s, and at least a second after the last one at the same endpoint.
#[must_use]
pub fn pause(seed: u64, probe: u64, since_last: Option<Duration>) -> Duration {
    let mut state = seed ^ probe.rotate_left(17);
    let jittered = Duration::from_millis(200 + mix(&mut state) % 601);
    let polite = since_last.map_or(Duration::ZERO, |since| POLITE.saturating_sub(since));
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
                assert!(u64::try_from(text.len()).unwrap() + 64 <= bound, "{} {} {bound}", kind.name(), text.len());
            }
            assert_ne!(prompt(kind, 1), prompt(kind, 65));
        }
        let words = prompt(Kind::Long, 3).split_whitespace().count();
        assert!((7_500..9_000).contains(&words), "{words}");
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
