//! What is said of a second request beside the first: when, to whom, what it costs; or why there is none.

use std::time::Duration;

use serde_json::{Map, Value, json};

use super::json::literal;
use super::money::dollars;
use super::text::{duration, labelled};
use crate::catalog::CancelBilling;
use crate::routing::{Hedge, Hedging, Unhedged};

/// Why there is none, in words; `None` where nobody asked for one.
pub(crate) fn reason(why: &Unhedged) -> Option<String> {
    Some(match why {
        Unhedged::NotAsked => return None,
        Unhedged::Alone => "there is no other candidate".to_owned(),
        Unhedged::Bills { endpoint, whole: true, .. } => {
            format!("{} bills a whole answer although it is cancelled (without --no-stream less)", endpoint.provider)
        }
        Unhedged::Bills { endpoint, how: CancelBilling::Unknown, .. } => {
            format!("whether {} bills an answer that is cancelled is not known", endpoint.provider)
        }
        Unhedged::Bills { endpoint, .. } => {
            format!("{} bills an answer to its end although it is cancelled", endpoint.provider)
        }
        Unhedged::Cooling(endpoint) => format!("{} is being left alone, or has just been", endpoint.provider),
        Unhedged::Unbounded(endpoint) => format!("no bound on the cost at {} is known", endpoint.provider),
        Unhedged::AboveMaxCost { both, limit } => {
            format!("both together could cost {}, more than --max-cost {}", dollars(*both), limit.exact())
        }
        Unhedged::HistoryUnread => "how often that was done of late cannot be read".to_owned(),
        Unhedged::ShareSpent(Hedging { requests, hedged }) => {
            let (percent, reserve) = Hedging::limit();
            format!(
                "{hedged} of your last {requests} requests were hedged, and {percent} % and {reserve} more is the limit"
            )
        }
        Unhedged::FreeTime => "your time is worth nothing (--time-value, --prefer)".to_owned(),
        Unhedged::TooLate { after, limit } => format!(
            "a second call is worth its price after {} only, and after {} the next provider is tried anyway",
            duration(*after),
            duration(*limit)
        ),
    })
}

/// The line for people; empty where nobody asked for one.
pub(crate) fn text(hedge: &Result<Hedge, Unhedged>, columns: usize) -> String {
    let told = match hedge {
        Ok(hedge) => planned(hedge),
        Err(why) => match reason(why) {
            Some(why) => format!("nobody is asked beside the first: {why}"),
            None => return String::new(),
        },
    };
    labelled("Hedge", &told, columns)
}

fn planned(hedge: &Hedge) -> String {
    format!(
        "no token from {} after {}: {} is asked as well, the first to begin answers, the other is cancelled; {} more \
         expected, at most {} more, at most {} for both; {} takes up to {} in 95 of 100 cases ({}), and from {} on the wait \
         is worth the second call",
        hedge.first.provider,
        duration(hedge.after),
        hedge.second.provider,
        dollars(hedge.expected),
        dollars(hedge.bound),
        dollars(hedge.both),
        hedge.first.provider,
        duration(hedge.p95),
        hedge.basis.name(),
        duration(hedge.worth),
    )
}

/// The member `hedge` for programs, where somebody asked for one.
pub(crate) fn put(document: &mut Map<String, Value>, hedge: &Result<Hedge, Unhedged>) {
    let seconds = |time: Duration| literal(&format!("{:.6}", time.as_secs_f64()));
    let told = match hedge {
        Ok(hedge) => json!({
            "planned": true,
            "first": hedge.first.provider.as_str(),
            "second": hedge.second.provider.as_str(),
            "after_s": seconds(hedge.after),
            "first_p95_s": seconds(hedge.p95),
            "first_p95_basis": hedge.basis.name(),
            "worth_from_s": seconds(hedge.worth),
            "expected_usd": literal(&hedge.expected.exact()),
            "bound_usd": literal(&hedge.bound.exact()),
            "both_bound_usd": literal(&hedge.both.exact()),
        }),
        Err(why) => match reason(why) {
            Some(text) => json!({ "planned": false, "code": why.code(), "reason": text }),
            None => return,
        },
    };
    document.insert("hedge".to_owned(), told);
}
