//! How an endpoint comes back after a pause: what share it gets, and whether this request is among it.

use serde_json::{Value, json};

use super::text::duration;
use crate::routing::{Admission, Decision, Policy, Ranked, Return};

/// What its row says; empty where few are in flight there, which changes nothing.
pub(super) fn remark(entry: &Ranked) -> String {
    match entry.returning {
        Some(Return { admission: Admission::HeldBack, .. }) => ", held back".to_owned(),
        Some(Return { percent, admission: Admission::Drawn, .. }) => format!(", back at {percent} %"),
        _ => String::new(),
    }
}

/// Who comes back, and what that does to this request; `None` where it does nothing.
pub(super) fn told(decision: &Decision) -> Option<String> {
    let share = |(place, entry): (usize, &Ranked)| {
        let returning = entry.returning?;
        let does = match returning.admission {
            Admission::Few => return None,
            Admission::Drawn => "has drawn this one",
            Admission::HeldBack if place == 0 => "has not drawn this one, which nobody else can have",
            Admission::HeldBack => "has not drawn this one, so it comes last",
        };
        let Return { since, percent, .. } = returning;
        let provider = &entry.endpoint.provider;
        Some(format!(
            "{provider} answers again since {since}: with {} in flight there, it gets {percent} % of what comes; seed {} {does}",
            entry.in_flight, decision.seed
        ))
    };
    let each: Vec<String> = decision.ranked.iter().enumerate().filter_map(share).collect();
    (!each.is_empty()).then(|| each.join("; "))
}

/// The steps in which it gets more.
pub(super) fn steps(policy: &Policy) -> String {
    if policy.ramp_step.is_zero() {
        return "after a pause an endpoint gets everything again".to_owned();
    }
    let shares = Return::shares().map(|percent| percent.to_string()).join(", ");
    let (free, each) = (policy.ramp_free, duration(policy.ramp_step));
    format!("after a pause an endpoint gets {shares} % of what comes beyond {free} in flight there, for {each} each")
}

/// The member `returning` for programs.
pub(super) fn json(returning: &Return) -> Value {
    let by = if returning.admission == Admission::Few { "few" } else { "seed" };
    let Return { since, percent, .. } = returning;
    json!({ "since": since.to_string(), "percent": percent, "admitted": returning.admitted(), "by": by })
}
