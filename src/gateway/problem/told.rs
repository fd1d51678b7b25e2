//! What is told of an attempt and of a seam beside what every attempt has.

use serde_json::{Map, Value};

use super::super::codec::literal;
use crate::dispatch::{AttemptReport, Seam};
use crate::observe::Flags;
use crate::units::Usd;

/// What a second request beside the first makes of an attempt: that it was one of two, and was cancelled.
pub(crate) fn marks(object: &mut Map<String, Value>, attempt: &AttemptReport) {
    for (mark, word) in [(Flags::HEDGED, "hedged"), (Flags::SPARED, "cancelled")] {
        if attempt.outcome.flags.has(mark) {
            object.insert(word.to_owned(), true.into());
        }
    }
}

/// What it came to by estimate, where nobody knows what it cost.
pub(crate) fn estimate(object: &mut Map<String, Value>, estimate: Option<Usd>) {
    if let Some(amount) = estimate {
        object.insert("cost_estimate_usd".to_owned(), literal(&amount.exact()));
    }
}

/// A seam: who went on with what whom had begun, and where in the text.
pub(crate) fn seam(seam: &Seam) -> Map<String, Value> {
    seam_members(seam).into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}

/// The same, one after the other.
pub(crate) fn seam_members(seam: &Seam) -> [(&'static str, Value); 5] {
    [
        ("provider", seam.to.provider.as_str().into()),
        ("from", seam.from.provider.as_str().into()),
        ("class", seam.class.name().into()),
        ("characters", seam.characters.into()),
        ("bytes", seam.bytes.into()),
    ]
}
