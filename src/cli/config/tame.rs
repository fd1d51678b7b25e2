//! What a project's file may not say by itself: whoever clones a repository has not read it. It may choose models,
//! providers and presets, name aliases and profiles, set prices, and lower what may be spent. It may not run a command, name a
//! key, send one elsewhere, spend more, or go where the user's own file forbids, until the user trusts it.

use super::{Config, Entry};
use crate::catalog::file::Overlay;
use crate::cli::args::Choice;

/// What is left of a project's file that is not trusted; the second value is what is not: the path and line of each.
pub(super) fn tame(mut config: Config, overlay: Overlay, own: &Config) -> (Config, Overlay, Vec<(String, usize)>) {
    let mut refused = Vec::new();
    refused.extend(config.providers.iter().map(|table| format!("providers.{}", table.id)));
    config.providers.clear();
    let caps = own.probe();
    lower("probe.max_run_usd", &mut config.probe.run, Some(caps.run), &mut refused);
    lower("probe.max_day_usd", &mut config.probe.day, Some(caps.day), &mut refused);
    lower("probe.max_probes_per_day", &mut config.probe.calls, Some(caps.calls), &mut refused);
    lower("budget.day_usd", &mut config.day_budget, own.day_budget, &mut refused);
    let limits = &own.defaults.choice.choice;
    within("defaults", &mut config.defaults.choice.choice, limits, &mut refused);
    config.profiles.retain(|profile| {
        let replaces = own.profile(&profile.name).is_some();
        if replaces {
            refused.push(format!("profiles.{}", profile.name));
        }
        !replaces
    });
    for profile in &mut config.profiles {
        within(&format!("profiles.{}", profile.name), &mut profile.choice, limits, &mut refused);
    }
    if own.defaults.offline == Some(true) && config.defaults.offline.take() == Some(false) {
        refused.push("defaults.offline".to_owned());
    }
    let dearer = [
        ("defaults.hedge", &mut config.defaults.hedge, own.defaults.hedge),
        ("defaults.resume", &mut config.defaults.resume, own.defaults.resume),
    ];
    for (path, theirs, own) in dearer {
        if own != Some(true) && theirs.take_if(|wanted| *wanted).is_some() {
            refused.push(path.to_owned());
        }
    }
    let (overlay, elsewhere) = overlay.harmless();
    refused.extend(elsewhere);
    let covers = |entry: &Entry| refused.iter().find(|path| is_at(&entry.key, path)).cloned();
    let mut told: Vec<(String, usize)> = Vec::new();
    for entry in &config.entries {
        if let Some(path) = covers(entry)
            && told.iter().all(|(known, _)| *known != path)
        {
            told.push((path, entry.line));
        }
    }
    config.entries.retain(|entry| covers(entry).is_none());
    (config, overlay, told)
}

/// Whether a key is of this path: the key itself, or one below it.
fn is_at(key: &str, path: &str) -> bool {
    key.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// A limit may be lower than the user's, and not higher.
fn lower<T: Ord>(path: &str, theirs: &mut Option<T>, own: Option<T>, refused: &mut Vec<String>) {
    if let (Some(limit), Some(own)) = (theirs.as_ref(), own)
        && *limit > own
    {
        *theirs = None;
        refused.push(path.to_owned());
    }
}

/// What the user's own `[defaults]` rule out stays ruled out.
fn within(table: &str, theirs: &mut Choice, own: &Choice, refused: &mut Vec<String>) {
    let at = |key: &str| format!("{table}.{key}");
    lower(&at("max_cost"), &mut theirs.max_cost, own.max_cost, refused);
    lower(&at("max_price_in"), &mut theirs.max_price_in, own.max_price_in, refused);
    lower(&at("max_price_out"), &mut theirs.max_price_out, own.max_price_out, refused);
    if theirs.allow_unpriced {
        theirs.allow_unpriced = false;
        refused.push(at("allow_unpriced"));
    }
    if !own.only.is_empty() {
        for (key, names) in [("only", &mut theirs.only), ("provider", &mut theirs.provider)] {
            if names.iter().any(|name| !own.only.contains(name)) {
                names.clear();
                refused.push(at(key));
            }
        }
    }
    if !theirs.ignore.is_empty() && own.ignore.iter().any(|name| !theirs.ignore.contains(name)) {
        theirs.ignore.clear();
        refused.push(at("ignore"));
    }
    let firm = own.region.as_ref().filter(|region| region.firm);
    if firm.is_some() && theirs.region.is_some() && theirs.region.as_ref() != firm {
        theirs.region = None;
        refused.push(at("region"));
    }
    if !theirs.quantization.is_empty()
        && theirs.quantization.iter().any(|name| !own.quantization.contains(name))
        && !own.quantization.is_empty()
    {
        theirs.quantization.clear();
        refused.push(at("quantization"));
    }
    if !theirs.require.is_empty() && own.require.iter().any(|can| !theirs.require.contains(can)) {
        theirs.require.clear();
        refused.push(at("require"));
    }
}
