//! `openmux catalog key` and `openmux catalog release`: a catalog for others, signed.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::catalog::fresh::{adopt, complete};
use crate::catalog::release::{Issue, Release, SigningKey};
use crate::catalog::{About, Catalog, Stored};
use crate::cli::args::{CatalogKey, CatalogRelease};
use crate::cli::contract::Exit;
use crate::cli::error::CliError;
use crate::cli::render::text::grouped;
use crate::cli::settings::{self, Settings, read_text, reason, write_whole};
use crate::cli::{Outcome, note, print, warn};

/// The most entries that are named among those that nobody takes over.
const NAMED: usize = 5;

/// Prints the public key of a signing key, which is made where there is none.
///
/// # Errors
/// The file is something else, others can read it, or it cannot be written.
pub(crate) fn key(settings: &Settings, args: &CatalogKey) -> Outcome {
    let json = super::as_json(settings)?;
    let is_new = std::fs::symlink_metadata(&args.file).is_err();
    let key = if is_new {
        let key = SigningKey::generate().ok_or_else(|| {
            CliError::new(Exit::Config, "random", "this system gives no random numbers")
                .fix("make the key on another machine")
        })?;
        write_whole(&args.file, key.text().as_bytes(), true).map_err(|error| unwritable(&args.file, &error))?;
        note(settings, &format!("{} is new: keep it to yourself, and a copy of it safe", args.file.display()));
        key
    } else {
        read_key(&args.file)?
    };
    let public = key.public().to_string();
    if json {
        let file = args.file.display().to_string();
        let document = json!({"schema": "catalog.key/1", "file": file, "new": is_new, "public_key": public});
        return print(&format!("{document}\n"));
    }
    note(settings, &format!("whoever trusts it writes: [catalog] trusted_keys = {{ NAME = \"{public}\" }}"));
    print(&format!("{public}\n"))
}

/// Writes a release.
///
/// # Errors
/// There is no such key or catalog, or the file cannot be written.
pub(crate) fn release(settings: &Settings, args: &CatalogRelease) -> Outcome {
    let json = super::as_json(settings)?;
    let key = read_key(&args.key)?;
    let catalog = super::diff::named(settings, &args.catalog)?;
    let now = settings::now();
    let serial = match args.serial {
        Some(serial) => serial,
        None => u64::try_from(now.as_second())
            .map_err(|_| CliError::usage("the clock stands before 1970").fix("set the clock"))?,
    };
    let (whole, offers) = complete(&catalog);
    let about = About {
        date: now.to_string().chars().take(10).collect(),
        fetched: now.to_string(),
        source: args.catalog.clone(),
        embedded: catalog.update().map_or(Catalog::embedded(), |about| &about.embedded).to_owned(),
        providers: offers.iter().map(|offer| &offer.id.provider).collect::<BTreeSet<_>>().len(),
        endpoints: offers.len(),
        priced: offers.iter().filter(|offer| offer.pricing.is_some()).count(),
        ..About::default()
    };
    let text = whole.text(&about);
    let warnings = not_taken(&catalog, &text)?;
    let issue = Issue { serial, issued: now.to_string() };
    let bytes = Release::signed(&issue, &text, &key);
    write_whole(&args.file, &bytes, false).map_err(|error| unwritable(&args.file, &error))?;
    warnings.iter().for_each(|warning| warn(settings, warning));
    let (file, public) = (args.file.display().to_string(), key.public().to_string());
    if json {
        let document = json!({
            "schema": "catalog.release/1", "file": file, "serial": serial, "issued": issue.issued, "public_key": public,
            "providers": about.providers, "endpoints": about.endpoints, "priced": about.priced,
            "warnings": warnings.into_iter().map(Value::from).collect::<Vec<_>>(),
        });
        return print(&format!("{document}\n"));
    }
    let [offers, providers, priced] =
        [about.endpoints, about.providers, about.priced].map(|count| grouped(count as u64));
    print(&format!(
        "{file}: release {serial} of {}\n{offers} offers of {providers} providers, {priced} with a price\nSigned by {public}\n",
        about.date
    ))
}

/// What of a release nobody takes over, in sentences: a release says what is offered, never where a key goes.
fn not_taken(catalog: &Catalog, text: &str) -> Result<Vec<String>, CliError> {
    let stored = Stored::parse(text.as_bytes().to_vec()).map_err(|error| {
        CliError::bug("catalog", "the catalog that was made cannot be read").fact("reason", error.to_string())
    })?;
    let (_, list) = adopt(&stored);
    let left: Vec<_> = list.refused.iter().chain(&list.reduced).collect();
    let embedded = Catalog::builtin();
    let moved: Vec<String> = catalog
        .providers()
        .into_iter()
        .filter(|provider| embedded.provider(&provider.id).is_some_and(|known| known != *provider))
        .map(|provider| provider.id.to_string())
        .collect();
    let mut warnings = Vec::new();
    if !left.is_empty() {
        let named: Vec<String> = left.iter().take(NAMED).map(|left| format!("{} {}", left.what, left.why)).collect();
        let more = if left.len() > NAMED { format!("; {} more", left.len() - NAMED) } else { String::new() };
        warnings.push(format!(
            "{} entries are taken over by nobody, or in part: {}{more}",
            left.len(),
            named.join("; ")
        ));
    }
    if !moved.is_empty() {
        let names = moved.join(", ");
        warnings.push(format!("what your overlays say of {names} stays with you: where a key goes is in no release"));
    }
    Ok(warnings)
}

/// The key in a file.
fn read_key(path: &Path) -> Result<SigningKey, CliError> {
    let text = read_text(path).map_err(|error| match error.exit {
        Exit::NotFound => error.fix(format!("openmux catalog key {} makes one", path.display())),
        _ => error,
    })?;
    if let Some(mode) = open_to_others(path) {
        let message =
            format!("others can read {} (mode {mode:o}): a key that others have signs nothing", path.display());
        return Err(CliError::new(Exit::Config, "key", message).fix(format!("chmod 600 {}", path.display())));
    }
    SigningKey::parse(&text).ok_or_else(|| {
        CliError::new(Exit::Config, "key", format!("{} is no signing key", path.display()))
            .fix("openmux catalog key FILE makes one, where FILE is not there yet")
    })
}

/// The mode of a file that others can read or write.
#[cfg(unix)]
fn open_to_others(path: &Path) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(path).ok()?.permissions().mode() & 0o777;
    Some(mode).filter(|mode| mode & 0o077 != 0)
}

/// Elsewhere files have no such mode.
#[cfg(not(unix))]
fn open_to_others(_path: &Path) -> Option<u32> {
    None
}

fn unwritable(path: &Path, error: &std::io::Error) -> CliError {
    CliError::new(Exit::Config, "file", format!("cannot write {}", path.display()))
        .fact("reason", reason(error))
        .fix("give the path of a file in a folder that you may write to")
}
