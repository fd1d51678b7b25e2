//! `openmux providers list`: every provider, its kind, whether a key is there, what it serves.

use std::collections::BTreeMap;

use super::args::ProvidersList;
use super::error::{CliError, nearest};
use super::offline::{Offline, column_names};
use super::render::sheet::{Cell, Column, Sheet, Show};
use super::settings::Settings;
use super::{Outcome, facts, note};
use crate::catalog::{Auth, ModelKind, Provider, ProviderKind, Status};
use crate::upstream::BUILT;
use crate::upstream::auth::{Address, Found, address, find_key};

const COLUMNS: [Column; 12] = [
    Column::new("id", "provider", "PROVIDER", Show::Plain, 0),
    Column::new("name", "", "NAME", Show::Plain, 5),
    Column::new("kind", "", "KIND", Show::Plain, 1),
    Column::new("key", "", "KEY", Show::Plain, 2),
    Column::new("key_env", "", "KEY FROM", Show::Plain, 6),
    Column::new("models", "", "MODELS", Show::Number, 4),
    Column::new("callable", "", "CALLABLE", Show::Mark, 10),
    Column::new("protocols", "", "PROTOCOLS", Show::Plain, 10),
    Column::new("base_url", "", "ADDRESS", Show::Plain, 10),
    Column::new("base_url_from", "", "ADDRESS FROM", Show::Plain, 10),
    Column::new("missing_settings", "", "NOT SET", Show::Plain, 10),
    Column::new("doc", "", "DOCUMENTATION", Show::Plain, 11),
];

/// Runs the command.
///
/// # Errors
/// An overlay is broken, a kind or a field does not exist.
pub(crate) fn list(settings: &Settings, args: &ProvidersList) -> Outcome {
    let format = settings.list_format()?;
    let kinds = kinds(&args.kind)?;
    let offline = Offline::open(settings, None)?;
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    for model in offline.catalog.models() {
        let mut seen: Vec<String> = Vec::new();
        for endpoint in model.endpoints() {
            let provider = endpoint.provider();
            let counts_here = endpoint.kind() == ModelKind::Chat && endpoint.status() != Status::Retired;
            if counts_here && !seen.iter().any(|known| known == provider) {
                seen.push(provider.to_owned());
            }
        }
        for provider in seen {
            *counts.entry(provider).or_default() += 1;
        }
    }
    let mut rows = Vec::new();
    for provider in offline.catalog.providers() {
        let kept = kinds.is_empty() || kinds.contains(&provider.kind);
        let named = |word: &String| {
            let word = word.to_lowercase();
            provider.id.as_str().contains(&word) || provider.name.to_lowercase().contains(&word)
        };
        let row = Row::of(settings, &provider);
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
        note(settings, "no provider matches");
    }
    let legend =
        format!("{found} providers. MODELS counts chat models that are not retired. Keys come from the environment.");
    offline.close(&printed.text, format, &legend, &printed.hidden)
}

fn kinds(typed: &[String]) -> Result<Vec<ProviderKind>, CliError> {
    let mut kinds = Vec::new();
    for name in typed {
        let known = if name == "official" { Some(ProviderKind::Lab) } else { ProviderKind::parse(name) };
        let names = ProviderKind::ALL.map(ProviderKind::name);
        let error = || {
            let error = CliError::usage(format!("there is no kind \"{name}\""));
            let error = nearest(name, &names).map_or(error.clone(), |near| error.fact("did you mean", near));
            error.fact("kinds", names.join(" "))
        };
        kinds.push(known.ok_or_else(error)?);
    }
    Ok(kinds)
}

struct Row {
    found: Found,
    callable: bool,
    address: Option<Address>,
    looked_in: Vec<String>,
}

impl Row {
    fn of(settings: &Settings, provider: &Provider) -> Self {
        let spoken = provider.protocols.iter().find(|spoken| BUILT.contains(&spoken.protocol));
        let auth = spoken.map_or(Auth::Bearer, |spoken| spoken.auth.clone());
        let found = find_key(provider, &auth, &settings.keys);
        let address = spoken.map(|spoken| address(provider, spoken.protocol, &spoken.base_url, &settings.keys.vars));
        let known = matches!(address, Some(Address::Known { .. })) && !matches!(auth, Auth::Unsupported(_));
        let callable = known && !matches!(found, Found::Missing { .. });
        let looked_in = match &found {
            Found::Missing { looked_in } => looked_in.clone(),
            Found::Key { source, .. } | Found::Lazy { source, .. } => vec![source.clone()],
            Found::NotNeeded => provider.env_names("key").to_vec(),
        };
        Self { found, callable, address, looked_in }
    }

    fn cells(self, provider: &Provider, models: u64) -> Vec<Cell> {
        let key = match &self.found {
            Found::Key { .. } | Found::Lazy { .. } => Cell::Text("yes".to_owned()),
            Found::NotNeeded => Cell::Text("not needed".to_owned()),
            Found::Missing { .. } => Cell::Unknown,
        };
        let (url, from, missing) = match self.address {
            Some(Address::Known { url, overridden_by }) => (Some(url), overridden_by, Vec::new()),
            Some(Address::Missing(names)) => (None, None, names),
            None => (provider.protocols.first().map(|spoken| spoken.base_url.clone()), None, Vec::new()),
        };
        let protocols = provider.protocols.iter().map(|spoken| spoken.protocol.name().to_owned()).collect();
        vec![
            Cell::Text(provider.id.to_string()),
            Cell::Text(provider.name.clone()),
            Cell::Text(facts::kind_name(provider.kind).to_owned()),
            key,
            if self.looked_in.is_empty() { Cell::Unknown } else { Cell::Words(self.looked_in) },
            Cell::Count(models),
            Cell::Flag(self.callable),
            Cell::Words(protocols),
            Cell::text(url),
            Cell::text(from),
            if missing.is_empty() { Cell::Unknown } else { Cell::Words(missing) },
            Cell::text(provider.doc.clone()),
        ]
    }
}
