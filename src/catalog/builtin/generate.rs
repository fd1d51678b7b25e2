//! Writes the embedded tables from `input/`. It is no part of the library: the integration tests include it, compare
//! what it writes with what is committed, and write it anew with `UPDATE=1`.

#[path = "../file/checks.rs"]
mod checks;
#[path = "generate/endpoints.rs"]
mod endpoints;
#[path = "generate/kinds.rs"]
mod kinds;
#[path = "generate/prices.rs"]
mod prices;
#[path = "generate/providers.rs"]
mod providers;
#[path = "generate/vendors.rs"]
mod vendors;

use std::collections::{BTreeMap, BTreeSet};

use openmux::catalog::{Endpoint, Model, ModelId, ModelKind, Provider, provider_line, write};
use openmux::units::Tokens;
use serde::Deserialize;

/// What the input says, in the library's own types; everything is sorted by id.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) generated: String,
    pub(crate) providers: Vec<Provider>,
    pub(crate) models: Vec<Model>,
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) aliases: BTreeMap<String, String>,
}

/// The embedded files.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tables {
    pub(crate) models: String,
    pub(crate) endpoints: String,
    pub(crate) aliases: String,
    pub(crate) providers: String,
    pub(crate) generated: String,
}

impl Tables {
    /// All of them, from checked facts.
    pub(crate) fn write(facts: &Facts) -> Self {
        let written = write(&facts.models, &facts.endpoints, &BTreeMap::new());
        Self {
            models: written.models,
            endpoints: written.endpoints,
            aliases: facts.aliases.iter().map(|(spelling, model)| format!("{spelling}\t{model}\n")).collect(),
            providers: facts.providers.iter().map(|provider| format!("{}\n", provider_line(provider))).collect(),
            generated: format!("{}\n", facts.generated),
        }
    }
}

/// Everything that is wrong with the input, one line each.
#[derive(Debug, Default)]
pub(crate) struct Problems(pub(crate) Vec<String>);

impl Problems {
    /// Notes a problem with one record.
    pub(crate) fn add(&mut self, record: &str, problem: impl std::fmt::Display) {
        self.0.push(format!("{record}: {problem}"));
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Snapshot {
    schema: u32,
    generated: String,
    currency: String,
    #[serde(rename = "price_unit")]
    _price_unit: String,
    #[serde(rename = "sources")]
    _sources: serde_json::Value,
    providers: Vec<providers::Record>,
    models: BTreeMap<String, ModelRecord>,
    endpoints: Vec<endpoints::Record>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelRecord {
    author: String,
    name: String,
    kinds: Vec<String>,
    #[serde(rename = "providers")]
    _providers: u32,
    released: Option<String>,
    knowledge: Option<String>,
    open_weights: Option<bool>,
    context: Option<u64>,
    max_output: Option<u64>,
    #[serde(default)]
    floating: bool,
}

/// Reads and checks the three input files.
pub(crate) fn read(snapshot: &str, aliases: &str, conflicts: &str) -> Result<Facts, Problems> {
    let mut problems = Problems::default();
    let parsed = (|| {
        Ok::<_, serde_json::Error>((
            serde_json::from_str::<Snapshot>(snapshot)?,
            serde_json::from_str::<BTreeMap<String, String>>(aliases)?,
            serde_json::from_str::<Vec<prices::Conflict>>(conflicts)?,
        ))
    })();
    let (mut snapshot, mut aliases, conflicts) = match parsed {
        Ok(parsed) => parsed,
        Err(error) => return Err(Problems(vec![error.to_string()])),
    };
    if snapshot.schema != 1 || snapshot.currency != "USD" || !checks::is_date(&snapshot.generated, false) {
        problems.add("snapshot", "unknown schema, currency or date");
    }
    let all: Vec<String> = snapshot.models.keys().cloned().collect();
    let renamed = vendors::renamed(&all.iter().map(String::as_str).collect());
    let is = |id: &mut String| {
        if let Some(meant) = renamed.get(id.as_str()) {
            id.clone_from(meant);
        }
    };
    snapshot.models.retain(|id, _| !renamed.contains_key(id.as_str()));
    snapshot.endpoints.iter_mut().for_each(|record| is(&mut record.model));
    aliases.values_mut().for_each(is);
    aliases.extend(renamed.iter().map(|(id, meant)| ((*id).to_owned(), meant.clone())));
    let mut models: Vec<Model> = snapshot.models.iter().map(|(id, record)| model(id, record, &mut problems)).collect();
    models.sort_by(|a, b| a.id.cmp(&b.id));
    let urls: BTreeSet<(String, String)> = snapshot
        .endpoints
        .iter()
        .filter_map(|record| Some((record.provider.clone(), record.base_url.clone()?)))
        .collect();
    let providers = providers::read(snapshot.providers, &urls, &mut problems);
    let endpoints = endpoints::read(snapshot.endpoints, &providers, &models, &conflicts, &mut problems);
    let ids: BTreeSet<&str> = models.iter().map(|model| model.id.as_str()).collect();
    for (spelling, model) in &aliases {
        if !ids.contains(model.as_str()) {
            problems.add(spelling, format!("is an alias of the unknown model {model}"));
        }
        if *spelling != spelling.to_lowercase() || spelling.contains(char::is_whitespace) {
            problems.add(spelling, "an alias is lower case and has no spaces");
        }
    }
    // A spelling that is itself an id means that model.
    let aliases = aliases.into_iter().filter(|(spelling, _)| !ids.contains(spelling.as_str())).collect();
    if problems.0.is_empty() {
        Ok(Facts { generated: snapshot.generated, providers, models, endpoints, aliases })
    } else {
        Err(problems)
    }
}

fn model(id: &str, record: &ModelRecord, problems: &mut Problems) -> Model {
    if !checks::is_model_id(id) || !id.starts_with(&format!("{}/", record.author)) {
        problems.add(id, "is not author/slug");
    }
    Model {
        id: ModelId::new(id),
        name: record.name.trim().to_owned(),
        kinds: record.kinds.iter().filter_map(|kind| named(kind, ModelKind::parse, id, problems)).collect(),
        released: date(record.released.clone(), id, problems),
        knowledge: date(record.knowledge.clone(), id, problems),
        open_weights: record.open_weights,
        context: tokens(record.context, id, problems),
        max_output: tokens(record.max_output, id, problems),
        floating: record.floating,
    }
}

/// The value of this name, or a problem.
fn named<T>(name: &str, parse: fn(&str) -> Option<T>, record: &str, problems: &mut Problems) -> Option<T> {
    let value = parse(name);
    if value.is_none() {
        problems.add(record, format!("unknown word \"{name}\""));
    }
    value
}

/// A date; the epoch is some source's "unknown".
fn date(text: Option<String>, record: &str, problems: &mut Problems) -> Option<String> {
    let text = text.filter(|text| text != "1970-01-01")?;
    if !checks::is_date(&text, true) {
        problems.add(record, format!("{text} is no date"));
    }
    Some(text)
}

/// A count of tokens; zero is "unknown".
fn tokens(count: Option<u64>, record: &str, problems: &mut Problems) -> Option<Tokens> {
    let count = count.filter(|&count| count > 0)?;
    let reported = Tokens::reported(count);
    if reported.is_none() {
        problems.add(record, format!("{count} tokens are out of range"));
    }
    reported
}
