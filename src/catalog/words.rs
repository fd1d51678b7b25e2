//! The closed vocabularies of the catalog: each value has one word, in the data, in overlays and in output.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::Offset;

/// An enum whose values have a word each: `ALL`, `name` and `parse`.
macro_rules! words {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $value:ident = $word:literal),+ $(,)? }) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$doc])* $value),+ }

        impl $name {
            /// Every value, in order.
            pub const ALL: [Self; [$($word),+].len()] = [$(Self::$value),+];

            /// Its word in the catalog, in overlays and in output.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$value => $word),+ }
            }

            /// The value of that word.
            #[must_use]
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$value),)+ _ => None }
            }
        }
    };
}
pub(super) use words;

words! {
    /// A wire dialect.
    #[expect(missing_docs, reason = "each is the dialect of its name")]
    Protocol {
        OpenaiChat = "openai-chat",
        OpenaiResponses = "openai-responses",
        AnthropicMessages = "anthropic-messages",
        Gemini = "gemini",
        VertexGemini = "vertex-gemini",
        VertexAnthropic = "vertex-anthropic",
        BedrockConverse = "bedrock-converse",
        CohereV2 = "cohere-v2",
        Ollama = "ollama",
        SapOrchestration = "sap-orchestration",
        Watsonx = "watsonx",
    }
}

words! {
    /// What kind of business a provider is.
    ProviderKind {
        /// It made the models it serves.
        Lab = "lab",
        /// A general cloud with its own accounts and regions.
        Cloud = "cloud",
        /// It runs others' (mostly open-weight) models.
        Host = "host",
        /// It passes requests on to other providers.
        Gateway = "gateway",
        /// A subscription; there is no price per token.
        Plan = "plan",
        /// A server on the user's own machine.
        Local = "local",
    }
}

impl ProviderKind {
    /// What the words of a provider's id say; one that nothing else is known of runs others' models.
    #[must_use]
    pub fn guessed(id: &str) -> Self {
        let has = |words: &[&str]| words.iter().any(|word| id.contains(word));
        if has(&["plan", "coding", "subscription"]) {
            Self::Plan
        } else if has(&["gateway", "router", "routing"]) {
            Self::Gateway
        } else {
            Self::Host
        }
    }
}

words! {
    /// What kind of model it is; only `chat` is routed to.
    #[expect(missing_docs, reason = "each is the kind of its name")]
    ModelKind {
        Chat = "chat",
        Completion = "completion",
        Embedding = "embedding",
        Rerank = "rerank",
        Image = "image",
        Video = "video",
        Tts = "tts",
        Stt = "stt",
        Realtime = "realtime",
        Moderation = "moderation",
        Ocr = "ocr",
    }
}

words! {
    /// Something that an endpoint is said to be able, or said to be unable, to do. Silence is "unknown".
    #[expect(missing_docs, reason = "each is the ability of its name")]
    Capability {
        Tools = "tools",
        NoTools = "no_tools",
        Reasoning = "reasoning",
        Structured = "structured",
        Temperature = "temperature",
        NoTemperature = "no_temperature",
        Cache = "cache",
        ParallelTools = "parallel_tools",
        WebSearch = "web_search",
        ComputerUse = "computer_use",
    }
}

words! {
    /// What goes in or comes out of a model.
    #[expect(missing_docs, reason = "each is the modality of its name")]
    Modality {
        Text = "text",
        Image = "image",
        Audio = "audio",
        Video = "video",
        Pdf = "pdf",
    }
}

words! {
    /// Where an endpoint is in its life. `Retired` rejects it; `Unlisted` and `Deprecated` warn.
    Status {
        /// Listed by a fresh source, with no word of an end.
        Active = "active",
        /// The provider calls it alpha.
        Alpha = "alpha",
        /// The provider calls it beta.
        Beta = "beta",
        /// In no fresh list; only an old source has it.
        Unlisted = "unlisted",
        /// The provider has announced its end.
        Deprecated = "deprecated",
        /// It is gone.
        Retired = "retired",
    }
}

impl Status {
    /// Where it is in its life at a moment: whose announced last day (UTC, `YYYY-MM-DD`) is over is gone, whatever lists say.
    #[must_use]
    pub fn at(self, last_day: Option<&str>, now: Timestamp) -> Self {
        let is_over = |day: Date| day < Offset::UTC.to_datetime(now).date();
        if last_day.and_then(|day| day.parse().ok()).is_some_and(is_over) { Self::Retired } else { self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_back() {
        assert!(Protocol::ALL.into_iter().all(|value| Protocol::parse(value.name()) == Some(value)));
        assert!(Capability::ALL.into_iter().all(|value| Capability::parse(value.name()) == Some(value)));
        assert_eq!(Status::parse("gone"), None);
    }

    #[test]
    fn what_has_had_its_last_day_is_gone() {
        let at = |moment: &str, day: Option<&str>| Status::Active.at(day, moment.parse().unwrap());
        assert_eq!(at("2026-12-11T23:59:59Z", Some("2026-12-11")), Status::Active, "on that day it may still answer");
        assert_eq!(at("2026-12-12T00:00:00Z", Some("2026-12-11")), Status::Retired);
        assert_eq!(at("2026-12-12T00:00:00Z", Some("2026-12")), Status::Active, "a month is no day");
        assert_eq!(at("2027-01-01T00:00:00Z", None), Status::Active);
    }
}
