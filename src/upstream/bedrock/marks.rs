//! Cache points: blocks of their own, behind what is to be kept.

use serde_json::{Value, json};

use super::vendor::Vendor;
use crate::chat::{CacheMark, CachePlace};
use crate::upstream::Call;

/// What of a request is marked, as far as its model takes it.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Marks<'a> {
    /// Where the caller says.
    exact: &'a [CacheMark],
    /// Where it is stable, as nobody says more.
    usual: bool,
    /// Whether something can be kept for an hour.
    hours: bool,
}

impl<'a> Marks<'a> {
    /// Those of a call.
    pub(super) fn of(call: &'a Call<'_>, vendor: Vendor) -> Self {
        if !vendor.marks {
            return Self::default();
        }
        let exact = call.request.marks.as_slice();
        Self { exact, usual: call.request.cache && exact.is_empty(), hours: vendor.keeps_hours(&call.endpoint.model) }
    }

    /// Puts a point behind some blocks where a place of theirs is marked: once, and for the longer of two times.
    pub(super) fn put(&self, blocks: &mut Vec<Value>, is_here: impl Fn(CachePlace) -> bool) {
        let here = || self.exact.iter().filter(|mark| is_here(mark.place));
        let is_point = blocks.last().is_none_or(|block| block.get("cachePoint").is_some());
        if here().next().is_some() && !is_point {
            blocks.push(point(self.hours && here().any(|mark| mark.hour)));
        }
    }

    /// Puts one behind some blocks where it is up to us.
    pub(super) fn put_usual(&self, blocks: &mut Vec<Value>) {
        blocks.extend(self.usual.then(|| point(false)));
    }
}

fn point(hour: bool) -> Value {
    let point = if hour { json!({ "type": "default", "ttl": "1h" }) } else { json!({ "type": "default" }) };
    json!({ "cachePoint": point })
}

/// What of the marks of a request a model is not told.
pub(super) fn untold(marks: &[CacheMark], vendor: Vendor, model: &crate::catalog::ModelId) -> Option<&'static str> {
    if !vendor.marks {
        return Some("cache_control");
    }
    let hour = marks.iter().any(|mark| mark.hour) && !vendor.keeps_hours(model);
    hour.then_some("cache_control.ttl")
}
