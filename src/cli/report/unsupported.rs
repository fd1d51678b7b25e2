//! What was asked for and nobody can be told: the parameter by name, and what to do about it.

use super::super::contract::Exit;
use super::super::error::CliError;
use crate::catalog::ModelId;
use crate::routing::{Rejected, Rejection};

/// What every provider lacks, whether or not there is a key for it: then no key would help.
pub(super) fn lacking(wanted: &[&Rejected]) -> Option<&'static str> {
    let dead = |entry: &&&Rejected| {
        let gone = |reason: &Rejection| {
            matches!(reason, Rejection::Retired { .. } | Rejection::ProtocolUnsupported { .. } | Rejection::NoBaseUrl)
        };
        entry.reasons.iter().any(gone)
    };
    let alive: Vec<&&Rejected> = wanted.iter().filter(|entry| !dead(entry)).collect();
    let lacks = |entry: &Rejected| -> Vec<&'static str> {
        let parameters = entry.reasons.iter().map(|reason| match reason {
            Rejection::Unsupported { parameter } => Some(*parameter),
            _ => None,
        });
        parameters.flatten().collect()
    };
    let (first, rest) = alive.split_first()?;
    lacks(first).into_iter().find(|parameter| rest.iter().all(|entry| lacks(entry).contains(parameter)))
}

/// Nobody, or nobody with a key, can do what was asked for.
pub(super) fn unsupported(parameter: &str, model: &ModelId, everybody: bool) -> CliError {
    let verb = if parameter.contains(" input") { "carry" } else { "take" };
    let message = match everybody {
        true => format!("no provider of {model} can {verb} {parameter}"),
        false => format!("no usable provider of {model} can {verb} {parameter}"),
    };
    CliError::new(Exit::Rejected, "unsupported", message).with("parameter", parameter).fix(cure(parameter, model))
}

/// What to do about something that cannot be said, by what it is.
fn cure(parameter: &str, model: &ModelId) -> String {
    let is = |word: &str| parameter.contains(word);
    if is("by URL") {
        "attach the file itself: -a FILE".to_owned()
    } else if is("image") {
        "openmux models list --vision".to_owned()
    } else if is("PDF") {
        "attach its text, or its pages as images".to_owned()
    } else if is("tool result") {
        "leave that out of --messages".to_owned()
    } else if is("parallel") {
        "leave out --no-parallel-tools".to_owned()
    } else if is("tool choice") || is("tool_choice") || is("choice of") {
        "leave out --tool-choice".to_owned()
    } else if is("tool") {
        "openmux models list --tools".to_owned()
    } else if is("schema") || is("structured") {
        "openmux models list --structured".to_owned()
    } else if is("effort") || is("reasoning") || is("thinking") {
        format!("another --effort, or none; openmux models show {model} names the levels")
    } else if is("stop") {
        "leave out --stop".to_owned()
    } else if is("seed") {
        "leave out --set seed".to_owned()
    } else if is("top_p") || is("top-p") {
        "leave out --top-p".to_owned()
    } else if is("temperature") {
        "leave out --temperature".to_owned()
    } else if is("cache") {
        "leave out --cache".to_owned()
    } else {
        format!("leave out {parameter}")
    }
}
