//! A release that was fetched: whether it is signed by whom the user trusts, and newer than what was here.

use std::path::PathBuf;

use data_encoding::HEXLOWER;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use crate::catalog::Signed;
use crate::catalog::release::{PublicKey, Release, ReleaseError};
use crate::cli::contract::Exit;
use crate::cli::error::{CliError, Wrong};
use crate::cli::settings::{Settings, read_text, reason, write_whole};

/// How far ahead of this machine's clock a publisher's may be.
const AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// A release that one of the user's keys signed, and who that is.
///
/// # Errors
/// Nobody who is trusted signed it, or it is not what they signed.
pub(super) fn opened(settings: &Settings, bytes: &[u8], shown: &str) -> Result<(Release, Signed), CliError> {
    let named = settings.config.published().keys();
    let keys: Vec<PublicKey> = named.iter().map(|(_, key)| *key).collect();
    let release = Release::open(bytes, &keys).map_err(|error| refused(&error, &named, shown))?;
    let by = named.into_iter().find(|(_, key)| *key == release.key).map(|(name, _)| name).unwrap_or_default();
    let issue = release.issue.clone();
    let signed = Signed { by, key: release.key.to_string(), serial: issue.serial, issued: issue.issued };
    Ok((release, signed))
}

fn refused(error: &ReleaseError, trusted: &[(String, PublicKey)], shown: &str) -> CliError {
    let message = format!("{shown} is not used: {error}");
    match error {
        ReleaseError::Untrusted(key) if trusted.is_empty() => not_taken("untrusted", "your configuration", message)
            .fix(format!("ask who publishes it for their key; if it is this one, [catalog] trusted_keys = {{ NAME = \"{key}\" }} in config.toml")),
        ReleaseError::Untrusted(_) => {
            let names: Vec<&str> = trusted.iter().map(|(name, _)| name.as_str()).collect();
            not_taken("untrusted", "the publisher", message)
                .fact("trusted", names.join(", "))
                .fix("ask the publisher whether their key has changed; openmux config show catalog has those that you trust")
        }
        ReleaseError::Truncated => not_taken("truncated", "the publisher", message).fix("try again"),
        ReleaseError::OtherForm | ReleaseError::Content(_) => not_taken("form", "the publisher", message)
            .fix("openmux --version: ask the publisher for one that this version reads"),
        ReleaseError::Foreign | ReleaseError::Altered => not_taken("altered", "the publisher", message)
            .fix("try again; if it stays so, tell the publisher: somebody may have put another file there"),
    }
}

/// A catalog without a signature, where one is asked for.
pub(super) fn unsigned(trusted: &[(String, PublicKey)], shown: &str) -> CliError {
    let names: Vec<&str> = trusted.iter().map(|(name, _)| name.as_str()).collect();
    let message = format!("{shown} is not used: nobody signed it, and you trust signed catalogs alone");
    not_taken("unsigned", "the publisher", message)
        .fact("trusted", names.join(", "))
        .fix("the address of a release; this one nevertheless: openmux catalog update --allow unsigned")
}

fn not_taken(class: &str, owner: &str, message: String) -> Wrong {
    CliError::new(Exit::Refused, "signature", message).with("class", class).with("owner", owner)
}

/// The releases that were in use here: the last serial of each key, and a hash of what it was.
#[derive(Debug)]
pub(super) struct Seen {
    list: Option<PathBuf>,
    /// Key, serial, hash.
    all: Vec<(String, u64, String)>,
}

impl Seen {
    /// Reads the list, in the data folder; an empty one where there is none.
    ///
    /// # Errors
    /// It cannot be read.
    pub(super) fn read(settings: &Settings) -> Result<Self, CliError> {
        let list = settings.data_dir.as_ref().map(|folder| folder.join("releases"));
        let text = match &list {
            Some(path) if path.exists() => read_text(path).map_err(|error| CliError { exit: Exit::Config, ..error })?,
            _ => String::new(),
        };
        let read = |line: &str| match line.split(' ').collect::<Vec<_>>()[..] {
            [key, serial, hash] => Some((key.to_owned(), serial.parse().ok()?, hash.to_owned())),
            _ => None,
        };
        Ok(Self { list, all: text.lines().filter_map(read).collect() })
    }

    /// Whether a release is news: issued by now, and no older than the last of its key, unless that is allowed.
    ///
    /// # Errors
    /// It is not.
    pub(super) fn check(
        &self,
        signed: &Signed,
        bytes: &[u8],
        now: Timestamp,
        older_too: bool,
        shown: &str,
    ) -> Result<(), CliError> {
        let issued: Option<Timestamp> = signed.issued.parse().ok();
        if issued.is_none_or(|issued| issued.duration_since(now) > AHEAD) {
            let message = format!("{shown} is not used: it says that it was made on {}", signed.issued);
            return Err(not_taken("future", "the publisher", message)
                .fact("now", now.to_string())
                .fix("set this machine's clock, or tell the publisher that theirs is wrong"));
        }
        let Some((_, serial, known)) = self.all.iter().find(|(key, ..)| *key == signed.key) else { return Ok(()) };
        let is_older = signed.serial < *serial;
        if older_too || (!is_older && (signed.serial > *serial || *known == hash(bytes))) {
            return Ok(());
        }
        let why =
            if is_older { "is older than the one that was here" } else { "has the serial of another that was here" };
        let message = format!("{shown} is not used: this release of {} {why}", signed.by);
        Err(not_taken("replayed", "the publisher", message)
            .fact("it is", format!("{} of {}", signed.serial, signed.issued))
            .fact("was here", serial.to_string())
            .fix("somebody may be holding back the newer one; if it is meant: openmux catalog update --allow older"))
    }

    /// Remembers a release that is in use now. One of before that was allowed is where it goes on from.
    ///
    /// # Errors
    /// The list cannot be written.
    pub(super) fn keep(mut self, signed: &Signed, bytes: &[u8]) -> Result<(), CliError> {
        let Some(list) = self.list.take() else { return Ok(()) };
        self.all.retain(|(key, ..)| *key != signed.key);
        self.all.push((signed.key.clone(), signed.serial, hash(bytes)));
        let text: String = self.all.iter().map(|(key, serial, hash)| format!("{key} {serial} {hash}\n")).collect();
        let folder = list.parent().unwrap_or(&list);
        let written = std::fs::create_dir_all(folder).and_then(|()| write_whole(&list, text.as_bytes(), false));
        written.map_err(|error| {
            CliError::new(Exit::Config, "catalog", format!("cannot write {}", list.display()))
                .fact("reason", reason(&error))
                .fix("make it writable, or set OPENMUX_DATA_DIR")
        })
    }
}

fn hash(bytes: &[u8]) -> String {
    HEXLOWER.encode(&Sha256::digest(bytes))
}
