//! The catalog that commands use: the embedded one, an update in its place where there is one, the user's overlays over
//! it. A file of an update that cannot be used is said once and passed over: no command fails because of it.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use jiff::Timestamp;

use super::{Settings, broken_overlay, read_regular, read_text, reason};
use crate::catalog::file::Overlay;
use crate::catalog::{Catalog, ModelKind, Protocol, Provider, ProviderId, Status, Stored};
use crate::cli::contract::Exit;
use crate::cli::error::CliError;
use crate::cli::{config, day, note, warn};
use crate::upstream::BUILT;

/// The largest file of an update; the embedded tables have 2 MB.
const LARGEST: u64 = 128 << 20;

impl Settings {
    /// The catalog with the user's overlays.
    ///
    /// # Errors
    /// An overlay cannot be read or is broken.
    pub(crate) fn catalog(&self) -> Result<(Catalog, usize), CliError> {
        self.laid_over(self.tables())
    }

    /// A catalog with the user's overlays over it, and how many there are. What they say of something that this catalog
    /// lacks is passed over with a warning: another one had it, or will.
    ///
    /// # Errors
    /// An overlay cannot be read or is broken.
    pub(crate) fn laid_over(&self, catalog: Catalog) -> Result<(Catalog, usize), CliError> {
        let overlays = self.overlays()?;
        let count = overlays.len();
        let given = overlays.iter().flat_map(|overlay| {
            let name = overlay.name().to_owned();
            overlay.addresses().into_iter().map(move |(id, protocol)| (name.clone(), id, protocol))
        });
        let given: Vec<(String, ProviderId, Protocol)> = given.collect();
        let (catalog, passed) = catalog.with_what_fits(overlays).map_err(broken_overlay)?;
        if let Some(first) = passed.first() {
            let more = match passed.len() - 1 {
                0 => String::new(),
                1 => ", as is 1 more".to_owned(),
                more => format!(", as are {more} more"),
            };
            self.warn_once(&format!(
                "{first}; this is passed over{more}; fix: openmux catalog update where a list has it, else correct line {} of {}",
                first.line, first.file
            ));
        }
        bypassed(&catalog, &given).iter().for_each(|text| self.warn_once(text));
        let (catalog, told) = self.config.named(catalog).map_err(|error| config::broken(&error))?;
        told.iter().for_each(|text| self.warn_once(text));
        Ok((catalog, count))
    }

    /// What of the user's overlays fits a catalog and does not fit another.
    ///
    /// # Errors
    /// An overlay cannot be read or is broken.
    pub(crate) fn unfit(&self, before: &Catalog, after: &Catalog) -> Result<Option<CliError>, CliError> {
        let overlays = self.overlays()?;
        let passed = |catalog: &Catalog| {
            catalog.clone().with_what_fits(overlays.clone()).map(|(_, passed)| passed).map_err(broken_overlay)
        };
        let (was, is) = (passed(before)?, passed(after)?);
        Ok(is.into_iter().find(|error| !was.contains(error)).map(broken_overlay))
    }

    /// The overlays, in the order in which they are laid.
    fn overlays(&self) -> Result<Vec<Overlay>, CliError> {
        let mut overlays = Vec::new();
        for path in self.overlay_files()? {
            let text = read_text(&path).map_err(|error| CliError { exit: Exit::Config, ..error })?;
            let overlay = Overlay::parse(&path.display().to_string(), &text).map_err(broken_overlay)?;
            overlays.push(overlay);
        }
        overlays.extend(self.project.clone());
        Ok(overlays)
    }

    /// A warning that is given once, however often its cause is met.
    pub(crate) fn warn_once(&self, text: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.insert(text.to_owned()) {
            warn(self, text);
        }
    }

    /// The update that is in use, or the embedded tables: where there is none, where it is older, or cannot be used.
    pub(crate) fn tables(&self) -> Catalog {
        let Some(path) = self.update_file() else { return Catalog::builtin() };
        match stored(&path) {
            Ok(Some(stored)) if stored.about().date.as_str() >= Catalog::embedded() => {
                Catalog::updated(Arc::new(stored))
            }
            Ok(stored) => {
                if let Some(signed) = stored.and_then(|stored| stored.about().signed.clone()) {
                    let day: String = signed.issued.chars().take(10).collect();
                    self.warn_once(&format!(
                        "the catalog that {} signed on {day} is passed over: the one in the program is newer; \
                         fix: openmux catalog update",
                        signed.by
                    ));
                }
                Catalog::builtin()
            }
            Err(why) => {
                self.warn_once(&format!("{} is not used: {why}; fix: openmux catalog update", path.display()));
                Catalog::builtin()
            }
        }
    }

    /// Where an update lies.
    pub(crate) fn update_file(&self) -> Option<PathBuf> {
        self.cache_dir.as_ref().map(|folder| folder.join("catalog.txt"))
    }

    /// `catalog.d/*.toml`, in order of their names.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub(crate) fn overlay_files(&self) -> Result<Vec<PathBuf>, CliError> {
        let Some(folder) = self.config_dir.as_ref().map(|folder| folder.join("catalog.d")) else {
            return Ok(Vec::new());
        };
        let listed = match std::fs::read_dir(&folder) {
            Ok(listed) => listed,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => {
                let message = format!("cannot read the folder {}", folder.display());
                return Err(CliError::new(Exit::Config, "overlay", message)
                    .fact("reason", reason(&error))
                    .fix("make it readable, or move it away"));
            }
        };
        let mut files: Vec<PathBuf> = listed
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
            .collect();
        files.sort();
        Ok(files)
    }
}

/// What is to be said of addresses that most chats go past: each is for one protocol, and endpoints are called in another
/// where the catalog has an address for that as well.
fn bypassed(catalog: &Catalog, given: &[(String, ProviderId, Protocol)]) -> Vec<String> {
    let provider = |id| catalog.provider(id).filter(|provider| provider.protocols.len() > 1);
    let mut several: BTreeMap<&str, (Provider, usize, BTreeMap<&'static str, usize>)> =
        given.iter().filter_map(|(_, id, _)| Some((id.as_str(), (provider(id)?, 0, BTreeMap::new())))).collect();
    if several.is_empty() {
        return Vec::new();
    }
    for endpoint in catalog.models().flat_map(|line| line.endpoints()) {
        let Some((provider, all, past)) = several.get_mut(endpoint.provider()) else { continue };
        let is_chat = endpoint.kind() == ModelKind::Chat && endpoint.status() != Status::Retired;
        let endpoint = endpoint.endpoint();
        if !is_chat || endpoint.base_url.is_some() {
            continue;
        }
        let mut spoken = endpoint.protocols().filter(|protocol| BUILT.contains(protocol));
        let called = spoken.find(|protocol| catalog.base_url(&endpoint, provider, *protocol).is_some());
        let is_given = |other| given.iter().any(|(_, id, protocol)| *id == provider.id && *protocol == other);
        *all += 1;
        if let Some(called) = called.filter(|called| !is_given(*called)) {
            *past.entry(called.name()).or_default() += 1;
        }
    }
    let told = |(file, id, protocol): &(String, ProviderId, Protocol)| {
        let (_, all, past) = several.get(id.as_str())?;
        let count: usize = past.values().sum();
        let (names, is_for) = (past.keys().copied().collect::<Vec<_>>().join(", "), protocol.name());
        // Where only a few are called in another, most go where they are sent.
        (count * 2 > *all).then(|| {
            format!(
                "{file}: provider.{id}.base_url is for {is_for}, but {count} of its {all} chat endpoints are called in \
                 {names}, at the catalog's address; fix: protocol = \"{names}\""
            )
        })
    };
    given.iter().filter_map(told).collect()
}

/// The update in a file; `None` where there is none.
///
/// # Errors
/// Why it cannot be used, as the end of a sentence.
pub(crate) fn stored(path: &Path) -> Result<Option<Stored>, String> {
    match std::fs::metadata(path) {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(reason(&error)),
        Ok(about) if about.len() > LARGEST => return Err("it is too large".to_owned()),
        Ok(_) => {}
    }
    let bytes = read_regular(path, LARGEST).map_err(|error| match error.facts.into_iter().next() {
        Some((_, reason)) => reason,
        None => "it is not a plain file".to_owned(),
    })?;
    Stored::parse(bytes).map(Some).map_err(|error| error.to_string())
}

/// How many days ago a day was.
pub(crate) fn age_days(day: &str, now: Timestamp) -> i64 {
    day::until(day, now).map_or(0, |left| (-left).max(0))
}

/// Says once that most of the catalog is old.
pub(crate) fn note_age(settings: &Settings, catalog: &Catalog, now: Timestamp) {
    let day = catalog.as_of();
    let age = age_days(day, now);
    if age <= 30 {
        return;
    }
    let text = match catalog.update().filter(|about| age_days(&about.date, now) <= 30) {
        None => format!("the catalog's prices are {age} days old ({day}); fix: openmux catalog update"),
        Some(about) => format!(
            "most of the catalog's prices are {age} days old ({day}): the update of {} lists the smaller part; \
             fix: openmux catalog update --from a list with more, or a newer openmux",
            about.date
        ),
    };
    note(settings, &text);
}
