//! The parts of a simulated answer, and the numbers that everything random here is drawn from.

use super::dialect::{Block, Kind};
use super::wants::{Begun, Task, Wants};

/// How an answer begins, with the provider's name in the middle. No reader may take the text for a model's.
const PREFIX: (&str, &str) = ("[sandbox] This is a simulated answer from ", " (no model was called).");

/// What a simulated model thinks, where its thinking is asked for.
const THOUGHT: &str = "[sandbox] Nobody thinks here, but a real model would begin like this.";

const PROSE: [&str; 20] = [
    "Its words are drawn from a short list and say nothing about the question.",
    "What is real is everything around them: the wire format, the timing, the count of tokens, and the failures.",
    "The first token arrives when the scenario says so, and the others follow at a steady pace.",
    "Prices are those of the real provider, so a cost that is shown is what this many tokens would have cost there.",
    "The same seed gives the same words and the same delays.",
    "No key was needed, nothing left this machine, and nobody sent a bill.",
    "A router can be watched here while providers fail in every way that they fail elsewhere.",
    "One of them may be overloaded, and another may close the connection in the middle of a sentence.",
    "An answer that stops early is told apart from one that is complete.",
    "A slow endpoint loses requests to a faster one as soon as its slowness has been measured.",
    "A limit on the rate is no outage, and a request may go elsewhere in the meantime.",
    "The explanation of a decision shows the same numbers that the decision was made with.",
    "Each word of this answer is counted as one token.",
    "Punctuation is free, which real tokenizers do not grant.",
    "A real model would have read the question before it answered.",
    "This one only counts the bytes of the question and divides by four.",
    "Long answers repeat themselves, and so does this one.",
    "Short answers end sooner, which is their main advantage.",
    "The numbers are small, and they add up.",
    "To ask a real model, set a key and leave the sandbox out.",
];

/// A source of numbers that are the same on every machine: `SplitMix64`.
#[derive(Debug, Clone)]
pub(super) struct Draw(u64);

impl Draw {
    /// A source of its own for the `ordinal`-th request at `provider` under `seed`.
    pub(super) fn new(seed: u64, provider: &str, ordinal: u64) -> Self {
        // FNV-1a keeps providers apart; the mixing below does the rest.
        let name = provider
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
        let mut mix = Self(seed);
        let mut mix = Self(mix.next() ^ name);
        Self(mix.next() ^ ordinal)
    }

    /// The next number.
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number from `low` to `high`, both included; `low` where the range is empty.
    pub(super) fn within(&mut self, low: u64, high: u64) -> u64 {
        let number = self.next();
        match high.checked_sub(low).and_then(|span| span.checked_add(1)) {
            Some(span) => low + number % span,
            None => low,
        }
    }
}

/// The parts of an answer of `tokens` tokens; the thinking before it is not counted among them, and what is made to
/// measure (a call, a document) is as long as it is.
pub(super) fn blocks(provider: &str, wants: &Wants, tokens: u64, draw: &mut Draw) -> Vec<Block> {
    let mut blocks = Vec::new();
    if wants.thinks {
        blocks.push(Block { kind: Kind::Reasoning, pieces: words(THOUGHT) });
    }
    blocks.push(match wants.task() {
        Task::Prose => {
            let pieces = match &wants.begun {
                Some(begun) => further(provider, begun, tokens, draw),
                None => pieces(provider, &wants.said(), tokens, draw),
            };
            Block { kind: Kind::Text, pieces }
        }
        Task::Document(value) => Block { kind: Kind::Text, pieces: slices(&value.to_string()) },
        Task::Call { name, arguments } => Block { kind: Kind::Call { name }, pieces: slices(&arguments.to_string()) },
    });
    blocks
}

/// Cuts an answer down to `limit` tokens, at least one; whether there was anything to cut.
pub(super) fn limited(blocks: &mut Vec<Block>, limit: u64) -> bool {
    let mut left = usize::try_from(limit.max(1)).unwrap_or(usize::MAX);
    let mut cut = false;
    for block in blocks.iter_mut() {
        cut |= block.pieces.len() > left;
        block.pieces.truncate(left);
        left -= block.pieces.len();
    }
    blocks.retain(|block| !block.pieces.is_empty());
    cut
}

/// The text as the pieces that are streamed, each of which is one token. There are `tokens` of them, and at least one:
/// the first is `[sandbox]`, so that even an answer of one token says what it is. What is `said` of the request is
/// never left out.
fn pieces(provider: &str, said: &str, tokens: u64, draw: &mut Draw) -> Vec<String> {
    let mut pieces = words(&format!("{}{provider}{} {said}", PREFIX.0, PREFIX.1));
    let least = if said.is_empty() { 1 } else { pieces.len() };
    let wanted = usize::try_from(tokens).unwrap_or(usize::MAX).max(least);
    let mut at = usize::try_from(draw.within(0, PROSE.len() as u64 - 1)).unwrap_or(0);
    while pieces.len() < wanted {
        pieces.extend(PROSE[at % PROSE.len()].split_whitespace().map(|word| format!(" {word}")));
        // A step of one to three sentences never lands on the one just said.
        at += usize::try_from(draw.within(1, 3)).unwrap_or(1);
    }
    pieces.truncate(wanted);
    pieces
}

/// The text from where it has been begun: the rest of the sentence in which it breaks off, and others after it, until there
/// are `tokens` words in all; nothing where there are as many already.
fn further(provider: &str, begun: &Begun, tokens: u64, draw: &mut Draw) -> Vec<String> {
    let said = begun.text.as_str();
    let mut pieces: Vec<String> = if begun.echoed { vec![said.to_owned()] } else { Vec::new() };
    let wanted = usize::try_from(tokens).unwrap_or(usize::MAX).saturating_sub(said.split_whitespace().count());
    let first = format!("{}{provider}{}", PREFIX.0, PREFIX.1);
    // How much of a sentence the text ends with.
    let spoken = |sentence: &str| {
        let part = |end: &usize| sentence.get(..*end).is_some_and(|part| said.ends_with(part));
        (1..=sentence.len()).rev().find(part)
    };
    let sentences = PROSE.iter().copied().chain([first.as_str()]);
    let broken = sentences.filter_map(|sentence| Some((spoken(sentence)?, sentence))).max_by_key(|(end, _)| *end);
    let rest = broken.map_or("", |(end, sentence)| sentence.split_at(end).1);
    let word = |(at, word): (usize, &str)| if at == 0 { word.to_owned() } else { format!(" {word}") };
    let mut further: Vec<String> = rest.split(' ').enumerate().map(word).filter(|piece| !piece.is_empty()).collect();
    let mut at = usize::try_from(draw.within(0, PROSE.len() as u64 - 1)).unwrap_or(0);
    while further.len() < wanted {
        further.extend(PROSE[at % PROSE.len()].split_whitespace().map(|word| format!(" {word}")));
        at += usize::try_from(draw.within(1, 3)).unwrap_or(1);
    }
    further.truncate(wanted);
    pieces.append(&mut further);
    pieces
}

/// Words with the space before each.
fn words(text: &str) -> Vec<String> {
    let word = |(at, word): (usize, &str)| if at == 0 { word.to_owned() } else { format!(" {word}") };
    text.split_whitespace().enumerate().map(word).collect()
}

/// Slices of a few characters, at least one; their bounds fall within words, numbers and escapes.
fn slices(text: &str) -> Vec<String> {
    let characters: Vec<char> = text.chars().collect();
    characters.chunks(6).map(|chunk| chunk.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_says_what_it_is_however_short() {
        for tokens in [0, 1, 2, 7, 60, 1000] {
            let pieces = pieces("Anthropic", "", tokens, &mut Draw::new(1, "anthropic", 0));
            assert_eq!(pieces.len() as u64, tokens.max(1));
            assert_eq!(pieces[0], "[sandbox]");
        }
        let text = pieces("Anthropic", "", 30, &mut Draw::new(1, "anthropic", 0)).concat();
        assert!(
            text.starts_with("[sandbox] This is a simulated answer from Anthropic (no model was called). "),
            "{text}"
        );
    }

    #[test]
    fn what_is_said_of_the_request_is_never_left_out() {
        let wants = Wants { thinks: true, remarks: vec!["I see a picture.".to_owned()], ..Wants::default() };
        let mut all = blocks("Anthropic", &wants, 4, &mut Draw::new(1, "anthropic", 0));
        assert_eq!(all[0].kind, Kind::Reasoning);
        assert!(all[1].text().ends_with("(no model was called). I see a picture."), "{}", all[1].text());
        assert!(!limited(&mut all.clone(), 1000));
        assert!(limited(&mut all, 3));
        assert_eq!((all.len(), all[0].pieces.len()), (1, 3));
    }

    #[test]
    fn an_answer_that_was_begun_is_gone_on_with_where_it_broke_off() {
        let whole = pieces("Anthropic", "", 40, &mut Draw::new(1, "anthropic", 0)).concat();
        for cut in (0..whole.len()).filter(|at| whole.is_char_boundary(*at)) {
            let text = whole[..cut].trim_end().to_owned();
            let begun = |echoed| Begun { text: text.clone(), echoed };
            let rest = further("Anthropic", &begun(false), 40, &mut Draw::new(1, "google", 1)).concat();
            let all = format!("{text}{rest}");
            let count = all.split_whitespace().count();
            assert!((39..=41).contains(&count), "{count} words: {all}");
            let sentence = whole[text.len()..].split_inclusive(". ").next().unwrap_or_default().trim_end();
            assert!(rest.starts_with(sentence) || cut < 2 || sentence.is_empty() || count < 41, "{text}|{rest}");
            let echoed = further("Anthropic", &begun(true), 40, &mut Draw::new(1, "google", 1)).concat();
            assert_eq!(echoed, all);
        }
        let whole = Begun { text: whole, echoed: false };
        assert!(further("Anthropic", &whole, 40, &mut Draw::new(1, "google", 1)).is_empty());
    }

    #[test]
    fn numbers_follow_from_seed_provider_and_ordinal_alone() {
        let first = |seed, provider, ordinal| Draw::new(seed, provider, ordinal).next();
        assert_eq!(first(1, "a", 0), first(1, "a", 0));
        for other in [first(2, "a", 0), first(1, "b", 0), first(1, "a", 1)] {
            assert_ne!(first(1, "a", 0), other);
        }
        // The first output of SplitMix64 for the seed 0, as published.
        assert_eq!(Draw(0).next(), 0xe220_a839_7b1d_cdaf);
        let mut draw = Draw::new(1, "a", 0);
        assert!((0..1000).map(|_| draw.within(3, 5)).all(|number| (3..=5).contains(&number)));
        assert_eq!(draw.within(5, 3), 5);
    }
}
