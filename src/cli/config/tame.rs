//! What a project's file may not say by itself: whoever clones a repository has not read it. It may choose models,
//! providers and presets, name aliases and profiles, and lower what may be spent. Until the user trusts it, it may not:
//!
//! - run a command, name a key, or send one elsewhere (`[providers]`, `[provider]`);
//! - say what is offered, at what price, where (`[[endpoint]]`): `max_cost`, budgets and `region` are held against that;
//! - say where catalogs are fetched from (`[catalog]`), or which pages may ask a gateway (`[serve] origins`);
//! - raise a limit of money or of attempts, or ask those whose price is unknown;
//! - give up what the user's own file requires, nor take its profile or its aliases away.

use super::{Config, Entry};
use crate::catalog::file::Overlay;
use crate::cli::args::Choice;
use crate::routing::{Policy, Threshold};

/// What is left of a project's file that is not trusted, its overlay not; the second value is what is left out: the path and
/// line of each.
pub(super) fn tame(mut config: Config, overlay: &Overlay, own: &Config) -> (Config, Vec<(String, usize)>) {
    let mut refused = Vec::new();
    refused.extend(config.providers.iter().map(|table| format!("providers.{}", table.id)));
    config.providers.clear();
    refused.extend(overlay.tables());
    if config.published.url.take().is_some() {
        refused.push("catalog".to_owned());
    }
    let caps = own.probe();
    lower("probe.max_run_usd", &mut config.probe.run, Some(caps.run), &mut refused);
    lower("probe.max_day_usd", &mut config.probe.day, Some(caps.day), &mut refused);
    lower("probe.max_probes_per_day", &mut config.probe.calls, Some(caps.calls), &mut refused);
    lower("budget.day_usd", &mut config.day_budget, own.day_budget, &mut refused);
    let (resume, hedge) = own.serve();
    lower("serve.resume", &mut config.serve.resume, Some(resume), &mut refused);
    lower("serve.hedge", &mut config.serve.hedge, Some(hedge), &mut refused);
    if config.serve.origins.take().is_some() {
        refused.push("serve.origins".to_owned());
    }
    let retries = own.defaults.retries.unwrap_or(Policy::default().retries);
    lower("defaults.retries", &mut config.defaults.retries, Some(retries), &mut refused);
    let limits = &own.defaults.choice.choice;
    within("defaults", &mut config.defaults.choice.choice, limits, &mut refused);
    if own.defaults.profile.is_some()
        && config.defaults.profile.is_some()
        && config.defaults.profile != own.defaults.profile
    {
        config.defaults.profile = None;
        refused.push("defaults.profile".to_owned());
    }
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
    config.aliases.retain(|alias| {
        let replaces = alias.replaces(&own.aliases);
        if replaces {
            refused.push(format!("aliases.{}", alias.name));
        }
        !replaces
    });
    config.aliases.iter_mut().for_each(|alias| alias.foreign = true);
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
    (config, told)
}

/// Whether a key is of this path: the key itself, or one below it.
fn is_at(key: &str, path: &str) -> bool {
    key.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
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

/// What the user requires of a measured figure stays required.
fn wished(path: &str, theirs: &mut Option<Threshold>, own: Option<&Threshold>, refused: &mut Vec<String>) {
    let firm = own.filter(|wish| wish.firm);
    if firm.is_some() && theirs.is_some() && theirs.as_ref() != firm {
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
    for (key, theirs, own) in [
        ("allow_unpriced", &mut theirs.allow_unpriced, own.allow_unpriced),
        ("lenient", &mut theirs.lenient, own.lenient),
    ] {
        if *theirs && !own {
            *theirs = false;
            refused.push(at(key));
        }
    }
    wished(&at("max_ttft"), &mut theirs.max_ttft, own.max_ttft.as_ref(), refused);
    wished(&at("min_throughput"), &mut theirs.min_throughput, own.min_throughput.as_ref(), refused);
    wished(&at("min_availability"), &mut theirs.min_availability, own.min_availability.as_ref(), refused);
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
