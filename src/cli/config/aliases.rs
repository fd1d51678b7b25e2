//! `[aliases]`: names of the user's own for models, with whatever may stand behind a model's name.
//!
//! ```toml
//! [aliases]
//! fast  = "anthropic/claude-haiku-4.5"
//! cheap = "deepseek-v3.2:deepseek"                # a provider is pinned
//! ```

use crate::catalog::Catalog;
use crate::catalog::file::{OverlayError, Reader};
use crate::catalog::resolve::taken;

/// One alias.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Alias {
    /// Its name.
    pub(super) name: String,
    /// What it stands for.
    target: String,
    /// Where a complaint about it belongs.
    place: OverlayError,
    /// Whether it is of a project's file that is not trusted.
    pub(super) foreign: bool,
}

impl Alias {
    /// The name, and what it stands for.
    pub(super) fn told(&self) -> (String, String) {
        (self.name.clone(), self.target.clone())
    }

    /// Whether it gives another meaning to the name of one of these.
    pub(super) fn replaces(&self, others: &[Self]) -> bool {
        others.iter().any(|other| other.name == self.name && other.target != self.target)
    }

    /// Reads the table.
    pub(super) fn all(table: &Reader<'_, '_>) -> Result<Vec<Self>, OverlayError> {
        let read = |name: String| {
            if !is_name(&name) {
                return Err(table.error(&name, "an alias is lower-case letters, digits, \".\", \"_\" and \"-\""));
            }
            let target = table.text(&name)?.unwrap_or_default();
            let place = table.error(&name, "");
            Ok(Self { name, target, place, foreign: false })
        };
        table.keys().into_iter().map(read).collect()
    }
}

/// Whether the user can call something so: it is typed on command lines and completed there, also in a folder whose file
/// nobody has read.
pub(super) fn is_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ['.', '_', '-'].contains(&c);
    !text.is_empty() && text.chars().all(fits)
}

/// The catalog with these names, and a sentence about each that means a model there as well: the user's own goes before it,
/// since a catalog that is newer must break nothing; one of a project's file that is not trusted does not.
pub(super) fn laid_over(aliases: &[Alias], catalog: Catalog) -> (Catalog, Vec<String>) {
    let names: Vec<&str> = aliases.iter().map(|alias| alias.name.as_str()).collect();
    let taken = taken(&catalog, &names);
    let meant = |alias: &Alias| taken.iter().find(|(name, _)| *name == alias.name).map(|(_, model)| model);
    let told = aliases.iter().filter_map(|alias| {
        let (name, target, model) = (&alias.name, &alias.target, meant(alias)?);
        let place = format!("{}:{}", alias.place.file, alias.place.line);
        Some(if alias.foreign {
            format!("{name} is {model} and not {target}, as {place} says, because that file is not trusted")
        } else {
            format!(
                "{name} is {target}, as {place} says, and not the catalog's {model}; fix: call the alias something else"
            )
        })
    });
    let told = told.collect();
    let holds = |alias: &&Alias| !(alias.foreign && meant(alias).is_some());
    let named: Vec<(String, String)> = aliases.iter().filter(holds).map(Alias::told).collect();
    (catalog.with_names(named), told)
}
