//! `[columns]`: what a table shows where no `--fields` were typed. Programs are not surprised by it: TSV, CSV and JSON stay
//! as they are.
//!
//! ```toml
//! [columns]
//! models_list       = ["id", "context", "input", "output"]
//! providers_compare = ["provider", "price", "ttft"]
//! ```

use crate::catalog::file::{OverlayError, Reader};

/// Lists whose columns can be chosen; the command has a space for `_`.
const LISTS: [&str; 4] = ["models_list", "models_show", "providers_list", "providers_compare"];

/// The columns of one list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    /// The command: `models list`.
    pub(super) command: String,
    /// Their names.
    pub(super) names: Vec<String>,
    /// Where a complaint about them belongs.
    pub(super) place: OverlayError,
}

impl Columns {
    /// Reads the table.
    pub(super) fn all(table: &Reader<'_, '_>) -> Result<Vec<Self>, OverlayError> {
        table.known(&LISTS)?;
        let read = |key: String| {
            let names = table.list(&key)?.unwrap_or_default();
            Ok(Self { command: key.replace('_', " "), names, place: table.error(&key, "") })
        };
        table.keys().into_iter().map(read).collect()
    }
}
