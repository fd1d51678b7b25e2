//! Normalised token counts: `input` and `output` are totals, everything else is a subset of one of them.

use rust_decimal::Decimal;

use crate::units::Tokens;

/// What one answer used. `None` is "not reported", which is not zero.
///
/// `input` contains cached, cache-write, audio, image and video tokens; `output` contains reasoning, audio, image,
/// video and citation tokens; `cache_write` contains `cache_write_1h`; the `cache_*_read` overlaps lie inside both
/// `cache_read` and their modality. Adapters bring every provider's convention into this one (`metrics.md` 5.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Usage {
    /// All input tokens.
    pub input: Option<Tokens>,
    /// All output tokens.
    pub output: Option<Tokens>,
    /// Input read from a prompt cache.
    pub cache_read: Option<Tokens>,
    /// Input written to a prompt cache, whatever its lifetime.
    pub cache_write: Option<Tokens>,
    /// Of `cache_write`, what is kept for an hour.
    pub cache_write_1h: Option<Tokens>,
    /// Audio in the input.
    pub input_audio: Option<Tokens>,
    /// Images in the input.
    pub input_image: Option<Tokens>,
    /// Video in the input.
    pub input_video: Option<Tokens>,
    /// Cached audio: inside both `cache_read` and `input_audio`.
    pub cache_audio_read: Option<Tokens>,
    /// Cached images: inside both `cache_read` and `input_image`.
    pub cache_image_read: Option<Tokens>,
    /// Reasoning in the output.
    pub reasoning: Option<Tokens>,
    /// Audio in the output.
    pub output_audio: Option<Tokens>,
    /// Images in the output.
    pub output_image: Option<Tokens>,
    /// Video in the output.
    pub output_video: Option<Tokens>,
    /// Citations in the output.
    pub citation: Option<Tokens>,
    /// Web searches made.
    pub web_searches: u32,
    /// Images sent that are priced apiece.
    pub input_images: u32,
    /// Images made that are priced apiece.
    pub output_images: u32,
    /// Seconds of media sent that are priced by the second.
    pub input_seconds: Decimal,
    /// Seconds of media made that are priced by the second.
    pub output_seconds: Decimal,
    /// The service tier that the response reports (`batch`, `flex`, `priority`), where it is not the standard one.
    pub service_tier: Option<String>,
}

impl Usage {
    /// Usage of a plain text call.
    #[must_use]
    pub fn text(input: u64, output: u64) -> Self {
        Self { input: Some(Tokens::new(input)), output: Some(Tokens::new(output)), ..Self::default() }
    }
}
