//! What every command that only looks things up begins with and ends with: catalog, measurements, a moment; a list laid
//! out and its footer.

use jiff::Timestamp;

use super::args::{Format, ListArgs};
use super::contract::Exit;
use super::error::CliError;
use super::render::json::Envelope;
use super::render::sheet::{Printed, Printing, Sheet};
use super::render::text::page;
use super::settings::{self, Settings};
use super::{Outcome, footer, print, warn};
use crate::catalog::Catalog;
use crate::dispatch::{Dispatcher, Sandboxed};
use crate::store::ObservationStore;

/// Everything that such a command reads.
pub(crate) struct Offline<'a> {
    /// What was asked of every command.
    pub settings: &'a Settings,
    /// The catalog with the user's overlays.
    pub catalog: Catalog,
    /// What was measured.
    pub store: Box<dyn ObservationStore>,
    /// The moment that the answer is for.
    pub now: Timestamp,
    /// What was said on stderr, and stands in JSON too.
    pub warnings: Vec<String>,
    overlays: usize,
    clock: Box<dyn Fn() -> Timestamp + Sync>,
}

impl<'a> Offline<'a> {
    /// Reads catalog and measurements, and says what could not be read.
    ///
    /// # Errors
    /// An overlay cannot be read or is broken.
    pub(crate) fn open(settings: &'a Settings, at: Option<Timestamp>) -> Result<Self, CliError> {
        let now = at.unwrap_or_else(settings::now);
        let (opened, warning) = Self::at(settings, now)?;
        settings::note_age(settings, &opened.catalog, now);
        Ok(opened.warned(warning))
    }

    /// The same for what is done on behalf of a command that has said so already.
    ///
    /// # Errors
    /// An overlay cannot be read or is broken.
    pub(crate) fn quietly(settings: &'a Settings) -> Result<Self, CliError> {
        Ok(Self::at(settings, settings::now())?.0)
    }

    /// What there is at a moment, and why measurements could not be read.
    fn at(settings: &'a Settings, now: Timestamp) -> Result<(Self, Option<String>), CliError> {
        let (catalog, overlays) = settings.catalog()?;
        let (store, warning) = settings.store_to_show();
        let opened =
            Self { settings, catalog, store, now, warnings: Vec::new(), overlays, clock: Box::new(move || now) };
        Ok((opened, warning))
    }

    /// The same with what a chat would decide on: in a sandbox nothing that was measured before.
    pub(crate) fn deciding(mut self) -> Self {
        if self.settings.sandbox.is_some() {
            self.store = self.settings.store_to_read().0;
        }
        self
    }

    /// The same with a further warning, said on stderr.
    pub(crate) fn warned(mut self, warning: Option<String>) -> Self {
        if let Some(text) = warning {
            warn(self.settings, &text);
            self.warnings.push(text);
        }
        self
    }

    /// The façade over what was read, at the chosen moment.
    pub(crate) fn dispatcher<'b>(&'b self, sandbox: Option<&'b Sandboxed>, region: Option<&'b str>) -> Dispatcher<'b> {
        Dispatcher {
            catalog: &self.catalog,
            store: self.store.as_ref(),
            keys: &self.settings.keys,
            now: self.clock.as_ref(),
            sandbox,
            region: region.or_else(|| self.settings.region()),
        }
    }

    /// The facts of the JSON envelope.
    pub(crate) fn envelope(&self) -> Envelope<'_> {
        self.settings.envelope(&self.catalog, self.overlays, self.now, &self.warnings)
    }

    /// Sorts and cuts a list as its options say, and lays it out; the second value is how many rows there were.
    ///
    /// # Errors
    /// A field does not exist.
    pub(crate) fn lay_out(
        &self,
        sheet: &mut Sheet,
        format: Format,
        list: &ListArgs,
        sort: &[String],
        reverse: bool,
    ) -> Result<(Printed, usize), CliError> {
        sheet.sort(sort, reverse)?;
        let found = sheet.rows.len();
        sheet.rows.truncate(list.limit.unwrap_or(usize::MAX));
        let chosen = self.settings.config.columns(sheet.command);
        let chosen = chosen.filter(|_| list.fields.is_empty() && format == Format::Table);
        let printing = Printing {
            format,
            fields: chosen.map_or(&list.fields, |(names, _)| names),
            width: self.settings.width,
            style: self.settings.out,
            envelope: self.envelope(),
        };
        match (sheet.print(&printing), chosen) {
            (Err(error), Some((_, place))) => {
                let message = format!("{}:{}: {}: {}", place.file, place.line, place.path, error.message);
                Err(CliError { exit: Exit::Config, code: "config.file".to_owned(), message, ..error })
            }
            (printed, _) => Ok((printed?, found)),
        }
    }

    /// Writes a list, then what a person should know of it: the legend, the catalog's age, the columns that did not fit.
    ///
    /// # Errors
    /// stdout cannot be written.
    pub(crate) fn close(&self, text: &str, format: Format, legend: &str, hidden: &[&str]) -> Outcome {
        let for_people = matches!(format, Format::Table | Format::Wide);
        let outcome = if for_people { print(&page(text, self.settings.unicode))? } else { print(text)? };
        let age = settings::age_days(&self.catalog, self.now);
        let hidden = if hidden.is_empty() {
            String::new()
        } else {
            format!(" Hidden: {} (-o wide shows all).", hidden.join(", "))
        };
        let days = if age == 1 { "day" } else { "days" };
        footer(
            self.settings,
            format,
            &format!("{legend} Catalog {}, {age} {days} old.{hidden}", self.catalog.generated()),
        );
        Ok(outcome)
    }
}

/// Names of columns as they are typed: `-` and `_` mean the same.
pub(crate) fn column_names(typed: &[String]) -> Vec<String> {
    typed.iter().map(|name| name.replace('-', "_")).collect()
}
