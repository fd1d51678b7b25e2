//! What fits as the value of an option or an argument: models, providers, profiles, columns, words of ours, files.

use std::borrow::Cow;
use std::collections::BTreeSet;

use clap::Arg;

use super::super::args::{Global, command_for};
use super::super::contract::{SETTINGS, schemas};
use super::super::help;
use super::super::settings::Settings;
use crate::catalog::resolve::resolve;
use crate::catalog::{Catalog, ModelId};
use crate::chat::Effort;
use crate::probe::plan::Kind;
use crate::routing::{Ability, Preset};
use crate::sandbox::Scenario;

/// What is offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Wanted {
    /// Names of files, which the shell knows best.
    Files,
    /// Words, each with what it is.
    Words(Vec<(String, String)>),
}

impl Wanted {
    /// Of these words those that begin so.
    pub(super) fn of(words: Vec<(String, String)>, typed: &str) -> Self {
        Self::Words(words.into_iter().filter(|(word, _)| word.starts_with(typed)).collect())
    }
}

/// Where the cursor is: the commands, and all words before it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'w> {
    /// `models`, `list`.
    pub(super) path: &'w [String],
    /// Everything that was typed before.
    pub(super) before: &'w [String],
}

impl Place<'_> {
    /// Values of an option or argument that begin as typed, each behind `head`.
    pub(super) fn values(&self, arg: &Arg, head: &str, typed: &str) -> Wanted {
        // Of a list the last one is being typed.
        let name = arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string).unwrap_or_default();
        let is_list = arg.get_value_delimiter() == Some(',') || name.contains(',');
        let (listed, typed) = match typed.rfind(',').filter(|_| is_list) {
            Some(at) => typed.split_at(at + 1),
            None => ("", typed),
        };
        let possible = arg.get_possible_values();
        let words = if possible.is_empty() || !arg.get_action().takes_values() {
            match self.source(arg.get_id().as_str(), &name, typed) {
                Some(words) => words,
                None => return Wanted::Files,
            }
        } else {
            let each = possible.iter().filter(|value| !value.is_hide_set());
            let told = |value: &clap::builder::PossibleValue| super::about(value.get_help());
            each.map(|value| (value.get_name().to_owned(), told(value))).collect()
        };
        let Wanted::Words(fits) = Wanted::of(words, typed) else { return Wanted::Files };
        Wanted::Words(fits.into_iter().map(|(word, about)| (format!("{head}{listed}{word}"), about)).collect())
    }

    /// The words that a value can be, by the name of the value; `None` is a file.
    fn source(&self, id: &str, name: &str, typed: &str) -> Option<Vec<(String, String)>> {
        let plain = |words: &[&str]| words.iter().map(|word| ((*word).to_owned(), String::new())).collect();
        Some(match (id, name) {
            ("profile", _) => profiles(),
            ("topic", _) if self.before.last().is_some_and(|word| word == "output") => documents(),
            ("topic", _) => topics(),
            (_, "F,F") => schemas::columns(&self.document()).into_iter().map(owned).collect(),
            (_, "FILE" | "FILE|-" | "FILE|URL|-" | "FILE|JSON" | "DIR" | "TEXT|@FILE") => return None,
            (_, "SCENARIO") => plain(&Scenario::names().collect::<Vec<_>>()),
            (_, "PRESET") => plain(&Preset::ALL.map(Preset::name)),
            (_, "CAN,CAN") => plain(&Ability::ALL.map(Ability::name)),
            (_, "EFFORT") => plain(&Effort::WORDS.into_iter().filter_map(Effort::word).collect::<Vec<_>>()),
            (_, "KIND") => plain(&Kind::ALL.map(Kind::name)),
            (_, "V,V") => vendors(&catalog()),
            (_, "P,P" | "P" | "PROVIDER") => providers(&catalog()),
            (_, "PROVIDER|MODEL" | "MODEL|PROVIDER") => {
                let catalog = catalog();
                providers(&catalog).into_iter().chain(models(&catalog, typed)).chain(aliases()).collect()
            }
            (_, "MODEL" | "M,M" | "MODEL,MODEL" | "MODEL|PROMPT") => {
                models(&catalog(), typed).into_iter().chain(aliases()).collect()
            }
            ("before" | "after", _) if typed.contains(['.', '/']) => return None,
            ("before" | "after", _) => plain(&["embedded", "current", "previous"]),
            ("key", _) => SETTINGS.iter().map(|setting| owned((setting.key, ""))).collect(),
            _ => Vec::new(),
        })
    }

    /// The document whose columns `--fields` chooses from.
    fn document(&self) -> String {
        let has = |flag: &str| self.before.iter().any(|word| word == flag);
        match self.path.join(".").as_str() {
            "usage" if has("--each") => "usage.each/1".to_owned(),
            "providers.list" if has("--local") => "providers.local/1".to_owned(),
            "providers.probe" if has("--dry-run") => "providers.probe.plan/1".to_owned(),
            path => format!("{path}/1"),
        }
    }
}

fn owned((word, about): (&str, &str)) -> (String, String) {
    (word.to_owned(), about.to_owned())
}

/// The environment and the configuration; without them, where they are broken.
fn settings() -> Option<Settings> {
    let settings = Settings::resolve(&Global::default()).ok()?.0;
    settings.configured().map(|(settings, ..)| settings).ok()
}

fn catalog() -> Catalog {
    let known = Settings::resolve(&Global::default()).ok().and_then(|(settings, _)| settings.catalog().ok());
    known.map_or_else(Catalog::builtin, |(catalog, _)| catalog)
}

fn profiles() -> Vec<(String, String)> {
    let settings = settings();
    let names: BTreeSet<&str> = settings.iter().flat_map(|settings| settings.config.profile_names()).collect();
    names.into_iter().map(|name| (name.to_owned(), String::new())).collect()
}

fn aliases() -> Vec<(String, String)> {
    settings().iter().flat_map(|settings| settings.config.alias_names()).collect()
}

fn topics() -> Vec<(String, String)> {
    let commands = command_for::<&str>(&[]);
    let commands =
        commands.get_subcommands().map(|command| (command.get_name().to_owned(), super::about(command.get_about())));
    let mut all: Vec<_> = commands.chain(help::topics().into_iter().map(|(topic, _)| owned((topic, "")))).collect();
    all.sort();
    all.dedup_by(|a, b| a.0 == b.0);
    all
}

fn documents() -> Vec<(String, String)> {
    schemas::documents().into_iter().map(|(name, about)| (name.to_owned(), about)).collect()
}

fn providers(catalog: &Catalog) -> Vec<(String, String)> {
    catalog.providers().into_iter().map(|provider| (provider.id.to_string(), provider.name)).collect()
}

fn vendors(catalog: &Catalog) -> Vec<(String, String)> {
    let authors: BTreeSet<String> =
        catalog.models().filter_map(|line| Some(line.id().split_once('/')?.0.to_owned())).collect();
    authors.into_iter().map(|author| (author, String::new())).collect()
}

/// Names that mean a model: ids, slugs that one author has, published spellings; behind a colon its providers and
/// variants. In the case in which they are being typed.
fn models(catalog: &Catalog, typed: &str) -> Vec<(String, String)> {
    let lower = typed.to_lowercase();
    let mut names: BTreeSet<Cow<'_, str>> = BTreeSet::new();
    if lower.is_empty() {
        names.extend(catalog.models().map(|line| Cow::Borrowed(line.id())));
    } else {
        names.extend(catalog.names_beginning(&lower).map(Cow::Borrowed));
    }
    if !lower.is_empty() && !lower.contains('/') {
        let all = catalog.models().filter_map(|line| Some(line.id().split_once('/')?.1));
        let mut slugs: Vec<&str> = all.filter(|slug| slug.starts_with(&lower)).collect();
        slugs.sort_unstable();
        let once = slugs.chunk_by(|a, b| a == b).filter(|same| same.len() == 1).flatten();
        names.extend(once.map(|slug| Cow::Borrowed(*slug)));
    }
    if let Some((name, suffix)) = lower.rsplit_once(':')
        && let Ok(found) = resolve(catalog, name)
    {
        names.extend(
            suffixes(catalog, &found.model)
                .into_iter()
                .filter(|one| one.starts_with(suffix))
                .map(|one| Cow::Owned(format!("{name}:{one}"))),
        );
    }
    // Lower case has as many bytes as what was typed wherever a name fits.
    let as_typed = |name: Cow<'_, str>| name.get(lower.len()..).map(|rest| (format!("{typed}{rest}"), String::new()));
    names.into_iter().filter_map(as_typed).collect()
}

/// What can stand behind the colon of a model.
fn suffixes(catalog: &Catalog, model: &ModelId) -> BTreeSet<String> {
    let endpoints =
        catalog.model_line(model.as_str()).into_iter().flat_map(|line| line.endpoints().collect::<Vec<_>>());
    endpoints
        .flat_map(|line| {
            let variants = if line.is_plain() { Vec::new() } else { line.endpoint().variant };
            variants.into_iter().chain([line.provider().to_owned()])
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_id_and_every_spelling_of_the_catalog_is_completed() {
        let catalog = Catalog::builtin();
        let mut by_beginning: std::collections::BTreeMap<String, BTreeSet<String>> = Default::default();
        let ids = catalog.models().map(|line| line.id().to_owned());
        let spellings = catalog.aliases().map(|(spelling, _)| spelling.to_owned());
        let (mut count, mut broken) = (0, 0);
        for name in ids.chain(spellings) {
            count += 1;
            broken += usize::from(name.contains([':', '@']));
            let beginning: String = name.chars().take(3).collect();
            let fits = by_beginning
                .entry(beginning.clone())
                .or_insert_with(|| models(&catalog, &beginning).into_iter().map(|(word, _)| word).collect());
            assert!(fits.contains(&name) && super::super::is_one_word(&name), "{name}");
        }
        assert!(count > 5_000 && broken > 400, "{count} {broken}");
    }

    #[test]
    fn a_suffix_is_a_provider_or_a_variant() {
        let catalog = Catalog::builtin();
        let fits = |typed: &str| models(&catalog, typed).into_iter().map(|(word, _)| word).collect::<Vec<_>>();
        assert!(fits("claude-sonnet-5:").contains(&"claude-sonnet-5:openrouter".to_owned()));
        assert_eq!(fits("openai/gpt-oss-20b:fre"), ["openai/gpt-oss-20b:free"]);
        assert_eq!(fits("no-such-model:"), Vec::<String>::new());
    }
}
