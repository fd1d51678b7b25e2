//! `openmux catalog diff`: what differs between two catalogs, in any format.

use std::path::Path;
use std::sync::Arc;

use super::files::Files;
use super::{changes, release};
use crate::catalog::fresh::{Listing, merge};
use crate::catalog::release::Release;
use crate::catalog::{About, Catalog, Stored, diff};
use crate::cli::args::CatalogDiff;
use crate::cli::contract::Exit;
use crate::cli::error::CliError;
use crate::cli::offline::Offline;
use crate::cli::settings::{self, Settings, read_regular};
use crate::cli::{Outcome, note, print};

/// The most bytes of a file.
const MOST: u64 = 128 << 20;

/// Runs the command.
///
/// # Errors
/// One of the two is no catalog.
pub(crate) fn diff(settings: &Settings, args: &CatalogDiff) -> Outcome {
    let format = settings.list_format()?;
    let offline = Offline::open(settings, None)?;
    let (before, after) = (named(settings, &args.before)?, named(settings, &args.after)?);
    let found = diff::changes(&before, &after);
    let mut sheet = changes::sheet(&found);
    let (printed, count) = offline.lay_out(&mut sheet, format, &args.list, &args.list.sort, args.list.reverse)?;
    if count == 0 {
        let asked = if format.is_page() { print("") } else { print(&printed.text) };
        note(settings, &format!("{} and {} are the same", args.before, args.after));
        return asked;
    }
    let shown = if sheet.rows.len() < count { format!("{} of {count}", sheet.rows.len()) } else { count.to_string() };
    let legend = format!("{shown} changes: {}. Prices in USD per million tokens.", changes::summary(&found));
    offline.close(&printed.text, format, &legend, &printed.hidden)
}

/// The catalog that a word means.
pub(super) fn named(settings: &Settings, word: &str) -> Result<Catalog, CliError> {
    match word {
        "embedded" => Ok(Catalog::builtin()),
        "current" => Ok(settings.tables()),
        "overlaid" => Ok(settings.catalog()?.0),
        "previous" => {
            let path = Files::of(settings)?.previous;
            let failed = |why: String| {
                CliError::new(Exit::Config, "catalog", format!("{} cannot be used: {why}", path.display()))
                    .fix("openmux catalog diff embedded current")
            };
            let stored = settings::stored(&path).map_err(failed)?;
            // Before the first update the one in the program was in use.
            Ok(stored.map_or_else(Catalog::builtin, |stored| Catalog::updated(Arc::new(stored))))
        }
        path => file(settings, Path::new(path)),
    }
}

/// A file that openmux wrote, a release, or a list as it is fetched.
fn file(settings: &Settings, path: &Path) -> Result<Catalog, CliError> {
    let bytes = read_regular(path, MOST).map_err(|error| match error.exit {
        Exit::NotFound => error.fact("catalogs", "embedded, current, previous, overlaid, or a file"),
        _ => error,
    })?;
    let failed = |why: String| {
        CliError::new(Exit::Config, "catalog", format!("{} is no catalog: {why}", path.display()))
            .fix("give a list in the form of models.dev, a release, or a file that openmux catalog update wrote")
    };
    if bytes.starts_with(b"openmux-catalog") {
        let stored = Stored::parse(bytes).map_err(|error| failed(error.to_string()))?;
        return Ok(Catalog::updated(Arc::new(stored)));
    }
    if Release::is_one(&bytes) {
        let (release, _) = release::opened(settings, &bytes, &path.display().to_string())?;
        return Ok(Catalog::updated(Arc::new(release.catalog)));
    }
    let list = Listing::read(&bytes).map_err(|error| failed(error.to_string()))?;
    let merged = merge(&list, None);
    let day = Catalog::embedded().to_owned();
    let about = About { date: day.clone(), embedded: day, ..About::default() };
    let stored = Stored::parse(merged.text(&about).into_bytes()).map_err(|error| failed(error.to_string()))?;
    Ok(Catalog::updated(Arc::new(stored)))
}
