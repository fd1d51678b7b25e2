//! What is billed, by which words, and how the counts of a [`Usage`] nest.

use std::fmt;

use rust_decimal::Decimal;

use crate::catalog::Usage;
use crate::units::Tokens;

/// Something billed by the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the item of its name")]
pub enum Item {
    Input,
    CacheRead,
    CacheWrite,
    CacheWrite1h,
    InputAudio,
    InputImage,
    InputVideo,
    CacheAudioRead,
    CacheImageRead,
    Output,
    Reasoning,
    OutputAudio,
    OutputImage,
    OutputVideo,
    Citation,
}

impl Item {
    /// Every item, totals before their subsets.
    pub const ALL: [Self; 15] = [
        Self::Input,
        Self::CacheRead,
        Self::CacheWrite,
        Self::CacheWrite1h,
        Self::InputAudio,
        Self::InputImage,
        Self::InputVideo,
        Self::CacheAudioRead,
        Self::CacheImageRead,
        Self::Output,
        Self::Reasoning,
        Self::OutputAudio,
        Self::OutputImage,
        Self::OutputVideo,
        Self::Citation,
    ];

    /// The key in the catalog, in overlays and in JSON.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::CacheRead => "cache_read",
            Self::CacheWrite => "cache_write",
            Self::CacheWrite1h => "cache_write_1h",
            Self::InputAudio => "input_audio",
            Self::InputImage => "input_image_tokens",
            Self::InputVideo => "input_video_tokens",
            Self::CacheAudioRead => "cache_audio_read",
            Self::CacheImageRead => "cache_image_read",
            Self::Output => "output",
            Self::Reasoning => "reasoning",
            Self::OutputAudio => "output_audio",
            Self::OutputImage => "output_image_tokens",
            Self::OutputVideo => "output_video_tokens",
            Self::Citation => "citation",
        }
    }

    /// The sets that directly contain this one; an overlap has two.
    pub(super) const fn parents(self) -> &'static [Self] {
        match self {
            Self::Input | Self::Output => &[],
            Self::CacheRead | Self::CacheWrite | Self::InputAudio | Self::InputImage | Self::InputVideo => {
                &[Self::Input]
            }
            Self::CacheWrite1h => &[Self::CacheWrite],
            Self::CacheAudioRead => &[Self::CacheRead, Self::InputAudio],
            Self::CacheImageRead => &[Self::CacheRead, Self::InputImage],
            Self::Reasoning | Self::OutputAudio | Self::OutputImage | Self::OutputVideo | Self::Citation => {
                &[Self::Output]
            }
        }
    }

    /// Whether this set lies strictly inside `outer`.
    pub(super) fn inside(self, outer: Self) -> bool {
        self.parents().iter().any(|&parent| parent == outer || parent.inside(outer))
    }

    /// How deep this set lies; totals are 0.
    pub(super) fn depth(self) -> usize {
        self.parents().iter().map(|parent| 1 + parent.depth()).max().unwrap_or(0)
    }

    pub(super) const fn count(self, usage: &Usage) -> Option<Tokens> {
        match self {
            Self::Input => usage.input,
            Self::CacheRead => usage.cache_read,
            Self::CacheWrite => usage.cache_write,
            Self::CacheWrite1h => usage.cache_write_1h,
            Self::InputAudio => usage.input_audio,
            Self::InputImage => usage.input_image,
            Self::InputVideo => usage.input_video,
            Self::CacheAudioRead => usage.cache_audio_read,
            Self::CacheImageRead => usage.cache_image_read,
            Self::Output => usage.output,
            Self::Reasoning => usage.reasoning,
            Self::OutputAudio => usage.output_audio,
            Self::OutputImage => usage.output_image,
            Self::OutputVideo => usage.output_video,
            Self::Citation => usage.citation,
        }
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.key())
    }
}

/// Something billed by the call, the piece or the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the item of its name")]
pub enum FeeItem {
    Request,
    WebSearch,
    InputImages,
    OutputImages,
    InputSeconds,
    OutputSeconds,
}

impl FeeItem {
    /// Every fee.
    pub const ALL: [Self; 6] = [
        Self::Request,
        Self::WebSearch,
        Self::InputImages,
        Self::OutputImages,
        Self::InputSeconds,
        Self::OutputSeconds,
    ];

    /// What it is called in output: `request`, `web_search`, `input_image`, `output_image`, `input_second`,
    /// `output_second`.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::WebSearch => "web_search",
            Self::InputImages => "input_image",
            Self::OutputImages => "output_image",
            Self::InputSeconds => "input_second",
            Self::OutputSeconds => "output_second",
        }
    }

    pub(super) fn count(self, usage: &Usage) -> Decimal {
        match self {
            Self::Request => Decimal::ONE,
            Self::WebSearch => Decimal::from(usage.web_searches),
            Self::InputImages => Decimal::from(usage.input_images),
            Self::OutputImages => Decimal::from(usage.output_images),
            Self::InputSeconds => usage.input_seconds,
            Self::OutputSeconds => usage.output_seconds,
        }
    }
}

/// What a key of a price table means: the one place that maps sheets' and vectors' words to items and units.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PriceKey {
    /// USD per 1M tokens of this item.
    Token(Item),
    /// The same, on a service tier.
    ServiceToken(ServiceTier, Item),
    /// USD per so many of this fee's things.
    Fee(FeeItem, u32),
}

impl PriceKey {
    /// The meaning of a key of the snapshot, of an overlay or of the cost vectors; `None` for a key that is none.
    #[must_use]
    pub fn parse(key: &str) -> Option<Self> {
        if let Some(item) = Item::ALL.into_iter().find(|item| item.key() == key) {
            return Some(Self::Token(item));
        }
        for tier in ServiceTier::ALL {
            if let Some(rest) = key.strip_prefix(tier.name()).and_then(|rest| rest.strip_prefix('_')) {
                return Item::ALL
                    .into_iter()
                    .find(|item| item.key() == rest)
                    .map(|item| Self::ServiceToken(tier, item));
            }
        }
        Some(match key {
            "input_image" => Self::Token(Item::InputImage),
            "output_image" => Self::Token(Item::OutputImage),
            "input_video" => Self::Token(Item::InputVideo),
            "output_video" => Self::Token(Item::OutputVideo),
            "per_request" => Self::Fee(FeeItem::Request, 1),
            "request" | "requests_per_1k" => Self::Fee(FeeItem::Request, 1000),
            "web_search" | "web_search_per_1k" => Self::Fee(FeeItem::WebSearch, 1000),
            "per_input_image" => Self::Fee(FeeItem::InputImages, 1),
            "per_output_image" => Self::Fee(FeeItem::OutputImages, 1),
            "per_input_second" => Self::Fee(FeeItem::InputSeconds, 1),
            "per_output_second" => Self::Fee(FeeItem::OutputSeconds, 1),
            "audio_seconds" => Self::Fee(FeeItem::InputSeconds, 3600),
            _ => return None,
        })
    }
}

/// A way of being served that has its own price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the tier of its name")]
pub enum ServiceTier {
    Batch,
    Flex,
    Priority,
}

impl ServiceTier {
    /// Every tier but the standard one.
    pub const ALL: [Self; 3] = [Self::Batch, Self::Flex, Self::Priority];

    /// The prefix of its keys and the word that providers report.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Batch => "batch",
            Self::Flex => "flex",
            Self::Priority => "priority",
        }
    }
}
