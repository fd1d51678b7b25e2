//! `config show`: every value that holds, where it is from, and what it goes before.

use super::{Entry, Origin, origin};
use crate::catalog::resolve::taken;
use crate::cli::args::{ConfigShow, Format};
use crate::cli::catalog::{SOURCE, USUAL, shown_source};
use crate::cli::contract::{Exit, SETTINGS};
use crate::cli::error::CliError;
use crate::cli::prompt;
use crate::cli::render::sheet::{Cell, Column, Sheet, Show};
use crate::cli::render::text::{cut_middle, width};
use crate::cli::settings::Settings;
use crate::gateway::Wished;
use crate::upstream::auth::{Found, find_key};

/// What holds for a key.
struct Held {
    key: String,
    value: Option<String>,
    origin: Origin,
    /// What it goes before.
    over: Vec<String>,
}

/// A key of a layer with its value and its origin.
type Said = (String, String, Origin);

/// The list: all of it, or one key and those below it.
pub(super) fn sheet(settings: &Settings, args: &ConfigShow) -> Result<Sheet, CliError> {
    let mut held = held(settings)?;
    if let Some(wanted) = &args.key {
        let wanted = wanted.replace('-', "_");
        let at =
            |key: &str, name: &str| key.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        let is_meant = |held: &Held| at(&held.key, &wanted) || at(&held.key, &format!("defaults.{wanted}"));
        if !held.iter().any(is_meant) && !super::TABLES.contains(&wanted.as_str()) {
            return Err(unknown_key(&wanted, &held));
        }
        held.retain(is_meant);
    }
    let columns = vec![
        Column::new("key", "", "KEY", Show::Plain, 0),
        Column::new("value", "", "VALUE", Show::Plain, 0),
        Column::new("from", "", "FROM", Show::Plain, 1),
        Column::new("origin", "", "ORIGIN", Show::Plain, 10),
        Column::new("over", "", "OVER", Show::Plain, 10),
    ];
    let room = room(&held, settings);
    let row = |held: Held| {
        let over = if held.over.is_empty() { Cell::Unknown } else { Cell::words(held.over) };
        let value = match held.value {
            Some(value) => {
                let short = cut_middle(&value, room);
                Cell::Text(value).told(short)
            }
            None => Cell::Unknown,
        };
        let (short, kind) = (held.origin.short(), Cell::Text(held.origin.kind().to_owned()));
        vec![Cell::Text(held.key), value, Cell::Text(held.origin.to_string()).told(short), kind, over]
    };
    let rows = held.into_iter().map(row).collect();
    Ok(Sheet { schema: "config.show/1", command: "config show", columns, rows, marked: Vec::new() })
}

/// How many columns a value may take in a table.
fn room(held: &[Held], settings: &Settings) -> usize {
    if settings.format == Some(Format::Wide) {
        return usize::MAX;
    }
    let widest = |of: &dyn Fn(&Held) -> usize| held.iter().map(of).max().unwrap_or_default();
    let (key, from) = (widest(&|held| width(&held.key)), widest(&|held| width(&held.origin.short())));
    let beside = settings.width.saturating_sub(key + from + 4);
    if beside >= 10 { beside } else { settings.width.saturating_sub(key.min(24) + 2).max(10) }
}

fn unknown_key(wanted: &str, all: &[Held]) -> CliError {
    let bare = |held: &Held| held.key.strip_prefix("defaults.").unwrap_or(&held.key).to_owned();
    let names: Vec<String> = all.iter().map(bare).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let error = CliError::new(Exit::NotFound, "key", format!("no setting is called \"{wanted}\""));
    error.near(wanted, &names).fix("openmux config show")
}

/// Everything that holds, in order: the settings, what else the files say, keys of the environment.
fn held(settings: &Settings) -> Result<Vec<Held>, CliError> {
    let entries = settings.config.entries();
    let profile = prompt::profile(settings, None)?.map(|profile| format!("profiles.{}.", profile.name));
    let of_profile = entries.iter().filter_map(|entry| {
        let key = entry.key.strip_prefix(profile.as_deref()?)?;
        Some((format!("defaults.{key}"), entry.value.clone(), place(entry)))
    });
    let said = |entry: &Entry| (entry.key.clone(), entry.value.clone(), place(entry));
    let layers: [Vec<Said>; 5] = [
        flags(settings),
        variables(settings),
        of_profile.collect(),
        entries.iter().map(said).collect(),
        settings.config.silenced().iter().map(said).collect(),
    ];
    let of_settings = SETTINGS.iter();
    let mut all: Vec<Held> = of_settings
        .map(|setting| holds(&format!("defaults.{}", setting.key), &layers, setting.builtin.map(str::to_owned)))
        .collect();
    let caps = super::ProbeCaps::default();
    let (resume, hedge) = super::Config::default().serve();
    let called = |wished| {
        let name = Wished::ALL.into_iter().find(|(_, known)| *known == wished);
        name.map_or("", |(name, _)| name).to_owned()
    };
    let limits = [
        ("probe.max_run_usd", Some(caps.run.exact())),
        ("probe.max_day_usd", Some(caps.day.exact())),
        ("probe.max_probes_per_day", Some(caps.calls.to_string())),
        ("budget.day_usd", None),
        ("serve.resume", Some(called(resume))),
        ("serve.hedge", Some(called(hedge))),
        ("serve.origins", None),
        ("catalog.url", Some(USUAL.to_owned())),
    ];
    all.extend(limits.into_iter().map(|(key, builtin)| holds(key, &layers, builtin)));
    let keys = keys(settings)?;
    let table = |key: &str| key.rsplit_once('.').map(|(table, _)| table.to_owned());
    let mut ordered: Vec<&Entry> = entries.iter().collect();
    // The project's file is read first, and its tables would stand between those of the user's own.
    ordered.sort_by_key(|entry| {
        let table = entry.key.split(['.', '[']).next().unwrap_or_default();
        ["aliases", "columns", "profiles", "providers", "provider", "endpoint"].iter().position(|known| *known == table)
    });
    let names: Vec<&str> = entries.iter().filter_map(|entry| entry.key.strip_prefix("aliases.")).collect();
    let hidden_models = taken(&settings.tables(), &names);
    for entry in ordered {
        let told = all.iter().any(|held| held.key == entry.key);
        let hidden =
            keys.iter().any(|(key, ..)| entry.key.starts_with("providers.") && table(key) == table(&entry.key));
        if !told && !hidden {
            let mut held = holds(&entry.key, &layers, None);
            let model =
                entry.key.strip_prefix("aliases.").and_then(|name| hidden_models.iter().find(|(of, _)| *of == name));
            held.over.extend(model.map(|(_, model)| format!("the catalog's {model}")));
            all.push(held);
        }
    }
    for (key, value, origin) in keys {
        let own = entries.iter().filter(|entry| table(&entry.key) == table(&key));
        let over = own.map(|entry| place(entry).to_string()).collect();
        all.push(Held { key, value: Some(value), origin, over });
    }
    Ok(all)
}

fn place(entry: &Entry) -> Origin {
    Origin::File(entry.file.clone(), entry.line)
}

/// What the first layer says that says anything of a key, or of what shuts it out.
fn holds(key: &str, layers: &[Vec<Said>], builtin: Option<String>) -> Held {
    let mut first: Option<&Said> = None;
    let mut over = Vec::new();
    let mut shut = false;
    for layer in layers {
        if let Some(said) = layer.iter().find(|(known, ..)| known == key) {
            match first {
                None if !shut => first = Some(said),
                _ => over.push(said.2.to_string()),
            }
        }
        shut |= layer.iter().any(|(known, ..)| known != key && origin::shuts_out(known, key));
    }
    let key = key.to_owned();
    match (first, builtin.filter(|_| !shut)) {
        (Some((_, value, origin)), _) => Held { key, value: Some(value.clone()), origin: origin.clone(), over },
        (None, Some(value)) => Held { key, value: Some(value), origin: Origin::BuiltIn, over },
        (None, None) => Held { key, value: None, origin: Origin::Unset, over },
    }
}

/// What was typed of the options of every command.
fn flags(settings: &Settings) -> Vec<Said> {
    let typed = &settings.typed;
    let name = |format: Format| clap::ValueEnum::to_possible_value(&format).map(|value| value.get_name().to_owned());
    let output = match (typed.output.and_then(name), typed.json) {
        (Some(name), _) => Some((name, "--output")),
        (None, true) => Some(("json".to_owned(), "--json")),
        (None, false) => None,
    };
    let said = |key: &str, value: String, flag: &str| (format!("defaults.{key}"), value, Origin::Flag(flag.to_owned()));
    let output = output.map(|(name, flag)| said("output", name, flag));
    output.into_iter().chain(typed.offline.then(|| said("offline", "true".to_owned(), "--offline"))).collect()
}

/// Variables that stand in for flags. A region that is required goes before the variable.
fn variables(settings: &Settings) -> Vec<Said> {
    let profile = prompt::profile(settings, None).ok().flatten();
    let regions = [profile, Some(&settings.config.defaults.choice)];
    let firm =
        regions.into_iter().flatten().filter_map(|profile| profile.choice.region.as_ref()).any(|region| region.firm);
    let said = SETTINGS.iter().filter(|setting| !(firm && setting.key == "region")).filter_map(|setting| {
        let name = setting.variable?;
        let value = settings.keys.vars.plain(name)?;
        Some((format!("defaults.{}", setting.key), value.to_owned(), Origin::Variable(name.to_owned())))
    });
    let source = settings
        .keys
        .vars
        .plain(SOURCE)
        .map(|url| ("catalog.url".to_owned(), shown_source(url), Origin::Variable(SOURCE.to_owned())));
    said.chain(source).collect()
}

/// Providers whose key a variable holds.
fn keys(settings: &Settings) -> Result<Vec<Said>, CliError> {
    let (catalog, _) = settings.catalog()?;
    let found = catalog.providers().into_iter().filter_map(|provider| {
        let auth = &provider.protocols.first()?.auth;
        let (Found::Key { source, .. } | Found::Lazy { source, .. }) = find_key(&provider, auth, &settings.keys) else {
            return None;
        };
        settings.keys.vars.plain(&source)?;
        Some((format!("providers.{}.key", provider.id), "(not shown)".to_owned(), Origin::Variable(source)))
    });
    Ok(found.collect())
}
