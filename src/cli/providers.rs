//! `openmux providers list`: every provider, its kind, whether a key is there and where from, what it serves.

use std::collections::BTreeMap;

use super::args::ProvidersList;
use super::error::{CliError, nearest};
use super::offline::{Offline, column_names};
use super::render::sheet::{Cell, Column, Sheet, Show};
use super::settings::Settings;
use super::{Outcome, facts, local, note};
use crate::catalog::{Auth, ModelKind, Provider, ProviderKind, Status};
use crate::dispatch::{Dispatcher, Reach};
use crate::upstream::auth::{Found, Keyring, find_key};
use crate::upstream::shown_url;

const COLUMNS: [Column; 13] = [
    Column::new("id", "provider", "PROVIDER", Show::Plain, 0),
    Column::new("name", "", "NAME", Show::Plain, 5),
    Column::new("kind", "", "KIND", Show::Plain, 1),
    Column::new("key", "", "KEY", Show::Plain, 2),
    Column::new("key_source", "", "KEY FROM", Show::Plain, 3),
    Column::new("models", "", "MODELS", Show::Number, 4),
    Column::new("callable", "", "CALLABLE", Show::Mark, 10),
    Column::new("protocols", "", "PROTOCOLS", Show::Plain, 10),
    Column::new("base_url", "", "ADDRESS", Show::Plain, 10),
    Column::new("base_url_from", "", "ADDRESS FROM", Show::Plain, 10),
    Column::new("missing_settings", "", "NOT SET", Show::Plain, 10),
    Column::new("doc", "", "DOCUMENTATION", Show::Plain, 11),
    Column::new("looked_in", "", "LOOKED IN", Show::Plain, 9),
];

/// Runs the command.
///
/// # Errors
/// An overlay is broken, a kind or a field does not exist.
pub(crate) fn list(settings: &Settings, args: &ProvidersList) -> Outcome {
    if args.local {
        return local::list(settings, args);
    }
    let format = settings.list_format()?;
    let kinds = kinds(&args.kind)?;
    let offline = Offline::open(settings, None)?;
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for model in offline.catalog.models() {
        let mut seen: Vec<String> = Vec::new();
        for endpoint in model.endpoints() {
            let provider = endpoint.provider();
            let counts_here = endpoint.kind() == ModelKind::Chat && endpoint.status_at(offline.now) != Status::Retired;
            if counts_here && !seen.iter().any(|known| known == provider) {
                seen.push(provider.to_owned());
            }
        }
        for provider in seen {
            *counts.entry(provider).or_default() += 1;
        }
    }
    let dispatcher = offline.dispatcher(None, None);
    let mut rows = Vec::new();
    for provider in offline.catalog.providers() {
        let kept = kinds.is_empty() || kinds.contains(&provider.kind);
        let named = |word: &String| {
            let word = word.to_lowercase();
            provider.id.as_str().contains(&word) || provider.name.to_lowercase().contains(&word)
        };
        let row = Row::of(&dispatcher, &provider);
        if kept && args.words.iter().all(named) && (!args.callable || row.callable) {
            rows.push(row.cells(&provider, counts.get(provider.id.as_str()).copied().unwrap_or(0)));
        }
    }
    let mut sheet = Sheet {
        schema: "providers.list/1",
        command: "providers list",
        columns: COLUMNS.to_vec(),
        rows,
        marked: Vec::new(),
    };
    let sort = column_names(&args.list.sort);
    let (printed, found) = offline.lay_out(&mut sheet, format, &args.list, &sort, args.list.reverse)?;
    if found == 0 {
        let providers = offline.catalog.providers();
        let ids: Vec<&str> = providers.iter().map(|provider| provider.id.as_str()).collect();
        let near = args.words.iter().find_map(|word| nearest(&word.to_lowercase(), &ids));
        let near = near.map(|near| format!("; did you mean {near}?")).unwrap_or_default();
        note(settings, &format!("no provider matches{near}"));
    }
    let legend = format!(
        "{found} providers. MODELS counts chat models that are not retired. Keys come from the environment, from \
         config.toml, or from a cloud's own log-in; `providers check` tries them."
    );
    offline.close(&printed.text, format, &legend, &printed.hidden)
}

fn kinds(typed: &[String]) -> Result<Vec<ProviderKind>, CliError> {
    let mut kinds = Vec::new();
    for name in typed {
        let known = if name == "official" { Some(ProviderKind::Lab) } else { ProviderKind::parse(name) };
        let names = ProviderKind::ALL.map(ProviderKind::name);
        let error = || CliError::usage(format!("there is no kind \"{name}\"")).one_of(name, &names, "kinds");
        kinds.push(known.ok_or_else(error)?);
    }
    Ok(kinds)
}

struct Row {
    reach: Option<Reach>,
    found: Found,
    looked_in: Vec<String>,
    callable: bool,
}

impl Row {
    fn of(dispatcher: &Dispatcher<'_>, provider: &Provider) -> Self {
        let reach = dispatcher.reach_provider(provider).filter(|reach| reach.unsupported.is_none());
        let auth = provider.protocols.first().map_or(Auth::Bearer, |spoken| spoken.auth.clone());
        let found = match &reach {
            Some(reach) if reach.protocol.is_some() => reach.found.clone(),
            _ => find_key(provider, &auth, dispatcher.keys),
        };
        let looked_in = match &found {
            Found::Missing { looked_in } => looked_in.clone(),
            // Where it would have been looked for.
            _ => match find_key(provider, &auth, &Keyring::default()) {
                Found::Missing { looked_in } => looked_in,
                _ => provider.env_names("key").to_vec(),
            },
        };
        let known = reach.as_ref().is_some_and(|reach| reach.protocol.is_some() && reach.missing_settings.is_empty());
        let callable = known && !matches!(found, Found::Missing { .. });
        Self { reach, found, looked_in, callable }
    }

    fn cells(self, provider: &Provider, models: u64) -> Vec<Cell> {
        let (key, source) = match self.found {
            Found::Key { source, .. } | Found::Lazy { source, .. } => ("yes".into(), Cell::Text(source)),
            Found::NotNeeded => ("not needed".into(), Cell::Unknown),
            Found::Missing { .. } => (String::new(), Cell::Unknown),
        };
        let words = |words: Vec<String>| if words.is_empty() { Cell::Unknown } else { Cell::words(words) };
        let template = provider.protocols.first().map(|spoken| spoken.base_url.clone());
        let (url, from, missing) = match self.reach {
            Some(reach) if reach.protocol.is_some() => {
                let url = Some(reach.base_url).filter(|url| !url.is_empty());
                (url, reach.overridden_by, reach.missing_settings)
            }
            _ => (template, None, Vec::new()),
        };
        let protocols = provider.protocols.iter().map(|spoken| spoken.protocol.name());
        vec![
            Cell::Text(provider.id.to_string()),
            Cell::Text(provider.name.clone()),
            Cell::Text(facts::kind_name(provider.kind).to_owned()),
            Cell::text(Some(key).filter(|key| !key.is_empty())),
            source,
            Cell::Count(models),
            Cell::Flag(self.callable),
            Cell::words(protocols),
            Cell::text(url.map(|url| shown_url(&url))),
            Cell::text(from),
            words(missing),
            Cell::text(provider.doc.clone()),
            words(self.looked_in),
        ]
    }
}
