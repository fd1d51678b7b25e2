//! `[defaults]`: flags that are not typed. All keys of a profile, and these.
//!
//! ```toml
//! [defaults]
//! model    = "anthropic/claude-sonnet-5"
//! timeout  = "2m"
//! max_cost = "0.50"
//! ```

use clap::ValueEnum as _;

use super::Profile;
use crate::catalog::file::{OverlayError, Reader};
use crate::cli::args::{Format, Limit, Since, Unit, duration, span};
use crate::cli::contract::SETTINGS;
use crate::cli::settings::LIST_FORMATS;

/// What the files say of flags.
#[derive(Debug, Clone, Default)]
pub(crate) struct Defaults {
    /// `-m`.
    pub(crate) model: Option<String>,
    /// `--profile`.
    pub(crate) profile: Option<String>,
    /// `-o`.
    pub(crate) output: Option<Format>,
    /// `--offline`.
    pub(crate) offline: Option<bool>,
    /// `--timeout`.
    pub(crate) timeout: Option<Limit>,
    /// `--connect-timeout`.
    pub(crate) connect_timeout: Option<Limit>,
    /// `--first-token-timeout`.
    pub(crate) first_token_timeout: Option<Limit>,
    /// `--idle-timeout`.
    pub(crate) idle_timeout: Option<Limit>,
    /// `--retries`.
    pub(crate) retries: Option<u32>,
    /// `--hedge`.
    pub(crate) hedge: Option<bool>,
    /// `--resume`.
    pub(crate) resume: Option<bool>,
    /// `--usage`, and where it is `false`, `--no-usage`.
    pub(crate) usage: Option<bool>,
    /// `--unit`.
    pub(crate) unit: Option<Unit>,
    /// `--window`.
    pub(crate) window: Option<Since>,
    /// What a profile says, too.
    pub(crate) choice: Profile,
}

impl Defaults {
    /// Reads the table.
    pub(super) fn read(table: &Reader<'_, '_>) -> Result<Self, OverlayError> {
        table.known(&SETTINGS.map(|setting| setting.key))?;
        let limit = |key: &str| match table.amount(key)? {
            Some(text) => duration(&text).map(Some).map_err(|why| table.error(key, why)),
            None => Ok(None),
        };
        let retries = match table.amount("retries")? {
            Some(text) => Some(text.parse().map_err(|_| table.error("retries", "should be a whole number"))?),
            None => None,
        };
        let format = |name: &str| {
            let listed = LIST_FORMATS.contains(&name).then(|| Format::from_str(name, false).ok()).flatten();
            listed.ok_or_else(|| format!("is none of {}", LIST_FORMATS.join(", ")))
        };
        let choice = Profile::among("defaults".to_owned(), table)?;
        if !choice.choice.provider.is_empty() && !choice.choice.only.is_empty() {
            return Err(table.error("only", "provider says already whom to ask: one of them"));
        }
        Ok(Self {
            model: table.text("model")?,
            profile: table.text("profile")?,
            output: table.parsed("output", format)?,
            offline: table.flag("offline")?,
            timeout: limit("timeout")?,
            connect_timeout: limit("connect_timeout")?,
            first_token_timeout: limit("first_token_timeout")?,
            idle_timeout: limit("idle_timeout")?,
            retries,
            hedge: table.flag("hedge")?,
            resume: table.flag("resume")?,
            usage: table.flag("usage")?,
            unit: table
                .parsed("unit", |name| Unit::from_str(name, false).map_err(|_| "is not tok/s or tok/min".into()))?,
            window: table.parsed("window", span)?,
            choice,
        })
    }

    /// What this says, and where it says nothing, what another does.
    pub(super) fn over(self, below: Self) -> Self {
        Self {
            model: self.model.or(below.model),
            profile: self.profile.or(below.profile),
            output: self.output.or(below.output),
            offline: self.offline.or(below.offline),
            timeout: self.timeout.or(below.timeout),
            connect_timeout: self.connect_timeout.or(below.connect_timeout),
            first_token_timeout: self.first_token_timeout.or(below.first_token_timeout),
            idle_timeout: self.idle_timeout.or(below.idle_timeout),
            retries: self.retries.or(below.retries),
            hedge: self.hedge.or(below.hedge),
            resume: self.resume.or(below.resume),
            usage: self.usage.or(below.usage),
            unit: self.unit.or(below.unit),
            window: self.window.or(below.window),
            choice: self.choice.over(&below.choice),
        }
    }
}
