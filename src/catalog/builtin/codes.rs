//! How the embedded tables are laid out: column numbers and short codes, shared by the reader and the generator.
//!
//! Both tables are tab-separated text, one record a line, sorted by their first columns. An empty or missing column is
//! "unknown". A set is its members' codes in a row (modalities, capabilities) or joined by commas (ids, variants).
//!
//! A price column is `key=decimal` joined by `;`: a key is an item or fee code (`i=3`), behind a service tier's prefix
//! (`b.i=1.5`), or with a context tier (`i>200000=6`, `i>=128000=6`); a decimal
//! of `-` is a rate that nobody states. `z.i=0.15` is an off-peak rate and
//! `z=600-0@12345,0-0@67` the off-peak spans: first minute, end minute, ISO weekdays.

use crate::catalog::price::Item;

/// Columns of `models.tsv`.
pub(super) mod model {
    /// `author/slug`.
    pub(in super::super) const ID: usize = 0;
    /// Start of its block in `endpoints.tsv`, in bytes.
    pub(in super::super) const OFFSET: usize = 1;
    /// Length of that block in bytes, the last line feed included.
    pub(in super::super) const LENGTH: usize = 2;
    /// Name for people; empty where it is the slug.
    pub(in super::super) const NAME: usize = 3;
    /// Codes of its kinds in a row.
    pub(in super::super) const KINDS: usize = 4;
    /// Release date.
    pub(in super::super) const RELEASED: usize = 5;
    /// Knowledge cut-off.
    pub(in super::super) const KNOWLEDGE: usize = 6;
    /// `1` open weights, `0` closed.
    pub(in super::super) const OPEN_WEIGHTS: usize = 7;
    /// Largest context window.
    pub(in super::super) const CONTEXT: usize = 8;
    /// Largest answer.
    pub(in super::super) const MAX_OUTPUT: usize = 9;
    /// `1` where the name moves to newer weights.
    pub(in super::super) const FLOATING: usize = 10;
}

/// Columns of `endpoints.tsv`.
pub(super) mod endpoint {
    /// Provider id.
    pub(in super::super) const PROVIDER: usize = 0;
    /// Wire id.
    pub(in super::super) const ID: usize = 1;
    /// Code of its kind.
    pub(in super::super) const KIND: usize = 2;
    /// Code of its status; empty is active.
    pub(in super::super) const STATUS: usize = 3;
    /// Its variants, joined by commas.
    pub(in super::super) const VARIANT: usize = 4;
    /// Its price sheet.
    pub(in super::super) const PRICE: usize = 5;
    /// Context window.
    pub(in super::super) const CONTEXT: usize = 6;
    /// Longest input.
    pub(in super::super) const MAX_INPUT: usize = 7;
    /// Longest answer.
    pub(in super::super) const MAX_OUTPUT: usize = 8;
    /// Codes of what goes in.
    pub(in super::super) const INPUT: usize = 9;
    /// Codes of what comes out.
    pub(in super::super) const OUTPUT: usize = 10;
    /// Codes of its capabilities.
    pub(in super::super) const CAPABILITIES: usize = 11;
    /// Code of its protocol.
    pub(in super::super) const PROTOCOL: usize = 12;
    /// Code of the alternate protocol.
    pub(in super::super) const ALTERNATE: usize = 13;
    /// Region.
    pub(in super::super) const REGION: usize = 14;
    /// Ways to steer reasoning, joined by `;`.
    pub(in super::super) const REASONING: usize = 15;
    /// Field of the reasoning stream.
    pub(in super::super) const REASONING_FIELD: usize = 16;
    /// Shortest cached prefix.
    pub(in super::super) const CACHE_MIN: usize = 17;
    /// Disputed price: `input low..high;output low..high`, without the words.
    pub(in super::super) const DISPUTE: usize = 18;
    /// Last day.
    pub(in super::super) const SUNSET: usize = 19;
    /// Base URL of its own.
    pub(in super::super) const BASE_URL: usize = 20;
    /// Quantisation.
    pub(in super::super) const QUANT: usize = 21;
    /// Who serves it behind a gateway.
    pub(in super::super) const UPSTREAM: usize = 22;
    /// `1` where the wire id moves to newer weights.
    pub(in super::super) const FLOATING: usize = 23;
    /// First day at this provider.
    pub(in super::super) const RELEASED: usize = 24;
    /// Other wire ids, joined by commas.
    pub(in super::super) const AKA: usize = 25;
    /// Of an update: `1` where its source listed it the last time, `0` where only before, nothing where it never did;
    /// then, after an `@`, the day of its facts where that is another than the update's or the embedded tables'.
    pub(in super::super) const SEEN: usize = 26;
}

/// A list of names and their codes, in the order of the values that they are of.
pub(super) type Codes = [(&'static str, &'static str)];

/// Model kinds.
pub(super) const KINDS: &Codes = &[
    ("chat", "c"),
    ("completion", "p"),
    ("embedding", "e"),
    ("rerank", "k"),
    ("image", "i"),
    ("video", "v"),
    ("tts", "t"),
    ("stt", "s"),
    ("realtime", "r"),
    ("moderation", "m"),
    ("ocr", "o"),
];

/// Statuses; active is the empty column.
pub(super) const STATUSES: &Codes =
    &[("active", ""), ("alpha", "a"), ("beta", "b"), ("unlisted", "u"), ("deprecated", "d"), ("retired", "r")];

/// Protocols.
pub(super) const PROTOCOLS: &Codes = &[
    ("openai-chat", "oc"),
    ("openai-responses", "or"),
    ("anthropic-messages", "am"),
    ("gemini", "ge"),
    ("vertex-gemini", "vg"),
    ("vertex-anthropic", "va"),
    ("bedrock-converse", "bc"),
    ("cohere-v2", "co"),
    ("ollama", "ol"),
    ("sap-orchestration", "sap"),
    ("watsonx", "wx"),
];

/// Modalities.
pub(super) const MODALITIES: &Codes = &[("text", "t"), ("image", "i"), ("audio", "a"), ("video", "v"), ("pdf", "p")];

/// Capabilities.
pub(super) const CAPABILITIES: &Codes = &[
    ("tools", "t"),
    ("no_tools", "T"),
    ("reasoning", "r"),
    ("structured", "s"),
    ("temperature", "h"),
    ("no_temperature", "H"),
    ("cache", "c"),
    ("parallel_tools", "p"),
    ("web_search", "w"),
    ("computer_use", "u"),
];

/// Price keys that are items billed by the token.
pub(super) const ITEMS: &Codes = &[
    ("input", "i"),
    ("cache_read", "r"),
    ("cache_write", "w"),
    ("cache_write_1h", "W"),
    ("input_audio", "ia"),
    ("input_image_tokens", "ii"),
    ("input_video_tokens", "iv"),
    ("cache_audio_read", "ra"),
    ("cache_image_read", "ri"),
    ("output", "o"),
    ("reasoning", "t"),
    ("output_audio", "oa"),
    ("output_image_tokens", "oi"),
    ("output_video_tokens", "ov"),
    ("citation", "c"),
];

/// Price keys that are fees.
pub(super) const FEES: &Codes = &[
    ("per_request", "q1"),
    ("requests_per_1k", "q1k"),
    ("web_search_per_1k", "s1k"),
    ("per_input_image", "pi"),
    ("per_output_image", "po"),
    ("per_input_second", "si"),
    ("per_output_second", "so"),
];

/// Prefixes of price keys: service tiers, and `z` for off-peak hours.
pub(super) const SERVICES: &Codes = &[("batch", "b"), ("flex", "f"), ("priority", "p")];

/// The prefix of off-peak rates, and alone the key of the off-peak spans.
pub(super) const OFF_PEAK: &str = "z";

/// The name behind a code.
pub(super) fn name(codes: &Codes, code: &str) -> Option<&'static str> {
    codes.iter().find(|(_, known)| *known == code).map(|&(name, _)| name)
}

/// The value behind a code.
pub(super) fn value<T: Copy>(codes: &Codes, all: &[T], code: &str) -> Option<T> {
    codes.iter().position(|(_, known)| *known == code).and_then(|at| all.get(at).copied())
}

/// The code of an item, by its number.
pub(super) fn item(item: Item) -> &'static str {
    ITEMS.get(item as usize).map_or("", |&(_, code)| code)
}

/// The code of a name; a test holds that each has one.
pub(super) fn code(codes: &Codes, name: &str) -> &'static str {
    codes.iter().find(|(known, _)| *known == name).map_or("", |&(_, code)| code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::{Capability, Modality, ModelKind, Protocol, Status};

    #[test]
    fn codes_stand_in_the_order_of_their_values() {
        let names = |codes: &Codes| codes.iter().map(|(name, _)| *name).collect::<Vec<_>>();
        assert_eq!(names(KINDS), ModelKind::ALL.map(ModelKind::name));
        assert_eq!(names(STATUSES), Status::ALL.map(Status::name));
        assert_eq!(names(PROTOCOLS), Protocol::ALL.map(Protocol::name));
        assert_eq!(names(CAPABILITIES), Capability::ALL.map(Capability::name));
        assert_eq!(names(MODALITIES), Modality::ALL.map(Modality::name));
        assert_eq!(names(ITEMS), Item::ALL.map(Item::key));
        assert!(Item::ALL.into_iter().enumerate().all(|(at, item)| item as usize == at));
        for letters in [KINDS, CAPABILITIES, MODALITIES] {
            assert!(letters.iter().all(|(_, code)| code.len() == 1), "has() looks for one letter");
        }
    }
}
