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
}

impl Alias {
    /// The name, and what it stands for.
    pub(super) fn told(&self) -> (String, String) {
        (self.name.clone(), self.target.clone())
    }

    /// Reads the table.
    pub(super) fn all(table: &Reader<'_, '_>) -> Result<Vec<Self>, OverlayError> {
        let read = |name: String| {
            if !is_name(&name) {
                return Err(table.error(&name, "an alias is lower-case letters, digits, \".\", \"_\" and \"-\""));
            }
            let target = table.text(&name)?.unwrap_or_default();
            let place = table.error(&name, "");
            Ok(Self { name, target, place })
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

/// The catalog with these names.
///
/// # Errors
/// One of them means a model already.
pub(super) fn laid_over(aliases: &[Alias], catalog: Catalog) -> Result<Catalog, OverlayError> {
    let names: Vec<&str> = aliases.iter().map(|alias| alias.name.as_str()).collect();
    let hidden = taken(&catalog, &names);
    let hidden = hidden.and_then(|(name, model)| Some((aliases.iter().find(|alias| alias.name == name)?, model)));
    if let Some((alias, model)) = hidden {
        let message = format!("is a name of {model} already: call the alias something else");
        return Err(OverlayError { message, ..alias.place.clone() });
    }
    Ok(catalog.with_names(aliases.iter().map(|alias| (alias.name.clone(), alias.target.clone()))))
}
