//! Where a decision's expectations come from.

use super::text::age;
use crate::routing::{Basis, Decision};

/// Where waits and odds come from: measured by whom and when, or assumed.
pub(super) fn text(decision: &Decision) -> String {
    let mut parts = Vec::new();
    let (mut wait, mut speed, mut odds) = (None, None, None);
    for entry in &decision.ranked {
        let expectation = &entry.expectation;
        let (ttft, fast, whole) = (expectation.ttft_s, expectation.tokens_per_s, expectation.availability);
        if let Some(from) = measured(ttft.basis) {
            parts.push(format!("{} first token {:.2} s ({from})", entry.endpoint.provider, ttft.value));
            continue;
        }
        let mut known = Vec::new();
        match measured(fast.basis) {
            Some(from) => known.push(format!("{:.0} tok/s ({from})", fast.value)),
            None => drop(speed.get_or_insert(fast.value)),
        }
        match measured(whole.basis) {
            Some(from) => known.push(format!("{:.1} % available ({from})", whole.value * 100.0)),
            None => drop(odds.get_or_insert(whole.value * 100.0)),
        }
        wait.get_or_insert(ttft.value);
        if !known.is_empty() {
            parts.push(format!("{} {}", entry.endpoint.provider, known.join(", ")));
        }
    }
    let Some(wait) = wait else { return parts.join("; ") };
    let of = if parts.is_empty() { "" } else { "all else " };
    let mut told = vec![format!("{of}assumed, on the good side: first token {wait:.2} s")];
    told.extend(speed.map(|speed| format!("{speed:.0} tok/s")));
    told.extend(odds.map(|odds| format!("{odds:.1} % available")));
    parts.push(told.join(", ") + if parts.is_empty() { " (nothing measured)" } else { "" });
    parts.join("; ")
}

/// `n=7.9, 2 min old`, where it was measured.
fn measured(basis: Basis) -> Option<String> {
    let Basis::Measured { n, age: old } = basis else { return None };
    Some(format!("n={n:.1}, {} old", age(old)))
}
