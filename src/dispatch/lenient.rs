//! `--lenient`: a hint about sampling or thinking that an endpoint does not take is left out there, and said, instead of
//! the endpoint. What an answer is made of, how long it may be and what goes in is never left out.

use std::borrow::Cow;

use super::Reach;
use crate::catalog::Capability;
use crate::chat::ChatRequest;

/// A hint that may be left out: its name, whether a request gives it, and how it is taken out.
type Hint = (&'static str, fn(&ChatRequest) -> bool, fn(&mut ChatRequest));

const HINTS: [Hint; 4] = [
    ("temperature", |request| request.temperature.is_some(), |request| request.temperature = None),
    ("top_p", |request| request.top_p.is_some(), |request| request.top_p = None),
    ("seed", |request| request.seed.is_some(), |request| request.seed = None),
    ("effort", |request| request.effort.is_some(), |request| request.effort = None),
];

/// The request without the hints that an endpoint does not take, and their names; the request itself where it takes all.
#[must_use]
pub fn softened<'a>(reach: &Reach, request: &'a ChatRequest) -> (Cow<'a, ChatRequest>, Vec<&'static str>) {
    let lacks = |request: &ChatRequest| {
        let cold = request.temperature.is_some() && reach.endpoint.can(Capability::NoTemperature);
        reach.lacks(request).len() + usize::from(cold)
    };
    let mut soft = Cow::Borrowed(request);
    let mut dropped = Vec::new();
    let mut lacking = lacks(request);
    for (name, given, take_out) in HINTS {
        if lacking == 0 {
            break;
        }
        if !given(&soft) {
            continue;
        }
        let mut without = soft.clone().into_owned();
        take_out(&mut without);
        let left = lacks(&without);
        if left < lacking {
            (soft, lacking) = (Cow::Owned(without), left);
            dropped.push(name);
        }
    }
    (soft, dropped)
}
