//! `openmux catalog`: update, status, diff, rollback, path; and for whoever publishes one: key, release.

mod changes;
mod diff;
mod fetch;
mod files;
mod publish;
mod release;
mod status;
mod update;

use serde_json::Value;

pub(crate) use self::diff::diff;
pub(crate) use self::fetch::{SOURCE, USUAL, allowed_source, shown_source};
use self::files::Files;
pub(crate) use self::publish::{key, release};
pub(crate) use self::status::status;
pub(crate) use self::update::update;
use super::args::{CatalogRollback, Format};
use super::error::CliError;
use super::render::narrow::each_line;
use super::settings::Settings;
use super::{Outcome, print};
use crate::catalog::{About, Signed};

/// Prints where the updated catalog is, or would be.
///
/// # Errors
/// There is no place for it.
pub(crate) fn path(settings: &Settings) -> Outcome {
    let files = Files::of(settings)?;
    if as_json(settings)? {
        let places = [("current", &files.current), ("previous", &files.previous)];
        let mut document = serde_json::Map::new();
        document.insert("schema".to_owned(), "catalog.path/1".into());
        let shown = |path: &std::path::Path| Value::from(path.display().to_string());
        document.extend(places.map(|(name, path)| (name.to_owned(), shown(path))));
        let overlays = settings.config_dir.as_ref().map(|folder| folder.join("catalog.d"));
        document.insert("overlays".to_owned(), overlays.as_deref().map_or(Value::Null, shown));
        return print(&format!("{}\n", Value::Object(document)));
    }
    print(&format!("{}\n", files.current.display()))
}

/// Puts the catalog before the last update, or the embedded one, in the place of the current one.
///
/// # Errors
/// The files cannot be moved, or another process is at it.
pub(crate) fn rollback(settings: &Settings, args: &CatalogRollback) -> Outcome {
    let files = Files::of(settings)?;
    let json = as_json(settings)?;
    let _lock = files.lock()?;
    let was = settings.tables().generated().to_owned();
    let nothing = if args.embedded {
        let nothing = !files.current.exists();
        files.forget()?;
        nothing
    } else {
        !files.back()?
    };
    let now = settings.tables();
    let kind = if now.update().is_some() { "an update" } else { "the one in the program" };
    if json {
        let outcome = serde_json::json!({
            "schema": "catalog.rollback/1",
            "before": was,
            "after": now.generated(),
            "source": if now.update().is_some() { "updated" } else { "bundled" },
        });
        return print(&format!("{outcome}\n"));
    }
    if nothing {
        let told = format!("Catalog {was} is the one in the program: there is nothing to go back from");
        return print(&each_line(&told, settings.width.max(40)));
    }
    print(&format!("Catalog {was} -> {} ({kind})\n", now.generated()))
}

/// Who signed the catalog that is in use, for people.
fn signed_by(signed: &Signed) -> String {
    let day: String = signed.issued.chars().take(10).collect();
    format!("Signed by {} (release {} of {day})", signed.by, signed.serial)
}

/// The same for programs.
fn signed(about: Option<&About>) -> Value {
    let told = |signed: &Signed| serde_json::json!({"by": signed.by, "key": signed.key, "serial": signed.serial, "issued": signed.issued});
    about.and_then(|about| about.signed.as_ref()).map_or(Value::Null, told)
}

/// Whether a page is wanted as JSON; it has no other form than that and text.
///
/// # Errors
/// Another format was asked for.
fn as_json(settings: &Settings) -> Result<bool, CliError> {
    match settings.format {
        None | Some(Format::Text | Format::Table) => Ok(false),
        Some(Format::Json) => Ok(true),
        Some(other) => Err(CliError::no_format(other, &["text", "json"])),
    }
}
