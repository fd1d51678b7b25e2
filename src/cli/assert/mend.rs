//! What to do about an answer: one command, and behind it what it is for.

use super::claim::Claim;
use crate::catalog::Endpoint;
use crate::cli::error::CliError;

/// To look at another provider's offer of a model.
pub(super) fn elsewhere(model: &str, provider: &impl std::fmt::Display, why: &str) -> String {
    format!("openmux check {model} --provider {provider}   ({why})")
}

/// To read what is known of a model.
pub(super) fn read(model: &impl std::fmt::Display, why: &str) -> String {
    format!("openmux models show {model}   ({why})")
}

/// To have what is so written into a lock.
pub(super) fn relock(lock: &str, why: &str) -> String {
    format!("openmux check --lock {lock} --update-lock   ({why})")
}

/// To have one more offer written into a lock.
pub(super) fn lock_too(model: &str, provider: &str, lock: &str) -> String {
    format!("openmux check {model} --provider {provider} --lock {lock} --update-lock   (adds it)")
}

/// The model of an offer, with its variant, as it would be typed.
pub(super) fn typed(endpoint: &Endpoint) -> String {
    match endpoint.variant.first() {
        Some(variant) => format!("{}:{variant}", endpoint.model),
        None => endpoint.model.to_string(),
    }
}

/// What to do about a claim that no other provider is known to keep to.
pub(super) fn kept_by_nobody(claim: &Claim, model: &str) -> Option<String> {
    let nobody = "no provider is known to keep to it";
    Some(match claim {
        Claim::Price(..) | Claim::CallPrice(_) => format!("openmux models show {model} --prices   ({nobody})"),
        Claim::Context(_) | Claim::Output(_) | Claim::Has(_) => read(&model, nobody),
        Claim::NotRetiring(_) => read(&model, "nobody is known to serve it for longer"),
        Claim::Providers(_) => read(&model, "who serves it"),
        claim if claim.is_measured() => format!("openmux providers compare {model}   (what was measured of others)"),
        _ => return None,
    })
}

/// What was probably meant, else what the error itself says to do.
pub(super) fn near(error: &CliError) -> Option<String> {
    let fact = |key: &str| error.facts.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str());
    let command = if error.code.ends_with("provider") { "openmux providers list" } else { "openmux models show" };
    let told = |names: &str, why: &str| {
        let mut names = names.lines();
        let first = names.next().filter(|name| !name.contains(' '))?;
        let others: Vec<&str> = names.collect();
        let or = if others.is_empty() { String::new() } else { format!(", or {}", others.join(", ")) };
        Some(format!("{command} {first}   ({why}{or})"))
    };
    let meant = fact("did you mean").and_then(|names| told(names, "if that is meant"));
    let meant = meant.or_else(|| fact("could be").and_then(|names| told(names, "say which is meant: this")));
    let readings = || fact("could be").map(|names| format!("say which: {}", names.replace('\n', ", ")));
    meant.or_else(readings).or_else(|| Some(error.fix.clone()))
}
