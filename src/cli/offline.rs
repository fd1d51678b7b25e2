//! What every command that only looks things up begins with and ends with: catalog, measurements, a moment; a list laid
//! out and its footer.

use std::cell::OnceCell;

use jiff::Timestamp;

use super::args::{Format, ListArgs};
use super::contract::Exit;
use super::error::CliError;
use super::out::{self, Reader};
use super::render::json::Envelope;
use super::render::rows::Rows;
use super::render::sheet::{Cell, Printed, Printing, Sheet};
use super::settings::{self, Settings};
use super::{Outcome, footer, print, print_page, unwritable, warn};
use crate::catalog::{Catalog, Days, Endpoint};
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
    /// Of which days the facts are that the command is about; unset where it is about the whole.
    days: OnceCell<Days>,
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
        let opened = Self {
            settings,
            catalog,
            store,
            now,
            warnings: Vec::new(),
            overlays,
            days: OnceCell::new(),
            clock: Box::new(move || now),
        };
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
            clerk: None,
        }
    }

    /// The facts of the JSON envelope.
    pub(crate) fn envelope(&self) -> Envelope<'_> {
        Settings::envelope_of(&self.catalog, self.day(), self.overlays, self.now, &self.warnings)
    }

    /// The command is about these offers: as old as they are is what it tells.
    pub(crate) fn is_about<'e>(&self, offers: impl IntoIterator<Item = &'e Endpoint>) {
        let days = self.catalog.days_of(offers);
        if days.most().is_some() {
            let _ = self.days.set(days);
        }
    }

    /// The day that most of what the command is about reaches.
    fn day(&self) -> &str {
        self.days.get().and_then(Days::most).unwrap_or_else(|| self.catalog.as_of())
    }

    /// A list whose rows can be printed while they are found: nothing about it is to be known first. `None` where all rows
    /// must be there.
    ///
    /// # Errors
    /// A field does not exist.
    pub(crate) fn running<'s>(
        &'s self,
        sheet: &'s Sheet,
        format: Format,
        list: &'s ListArgs,
    ) -> Result<Option<Running<'s>>, CliError> {
        if !list.sort.is_empty() || list.reverse || list.limit.is_some() {
            return Ok(None);
        }
        let printing = Printing {
            format,
            fields: &list.fields,
            width: self.settings.width,
            style: self.settings.out,
            envelope: self.envelope(),
        };
        let begun = |rows: Rows<'s>| {
            let mut text = String::with_capacity(PIECE + PIECE / 2);
            rows.open(&mut text);
            Running { rows, text, count: 0, gone: false }
        };
        Ok(Rows::of(sheet, &printing)?.map(begun))
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
        let outcome = if format.is_page() { print_page(self.settings, text)? } else { print(text)? };
        let day = self.day();
        let newest = self.catalog.update().map(|about| about.date.as_str());
        let other = otherwise(self.days.get(), day, newest);
        let age = settings::age_days(day, self.now);
        let hidden = if hidden.is_empty() {
            String::new()
        } else {
            format!(" Hidden: {} (-o wide shows all).", hidden.join(", "))
        };
        let days = if age == 1 { "day" } else { "days" };
        footer(self.settings, format, &format!("{legend} Catalog {day}, {age} {days} old{other}.{hidden}"));
        Ok(outcome)
    }
}

/// How much of a running list is written at once, in bytes.
const PIECE: usize = 64 << 10;

/// A list that is printed while its rows are found.
pub(crate) struct Running<'s> {
    rows: Rows<'s>,
    /// What is not written yet.
    text: String,
    /// How many rows there were.
    pub count: usize,
    /// Whether nobody reads any more.
    pub gone: bool,
}

impl Running<'_> {
    /// One more row.
    ///
    /// # Errors
    /// stdout cannot be written.
    pub(crate) fn row(&mut self, row: &[Cell]) -> Result<(), CliError> {
        self.rows.row(row, self.count, None, &mut self.text);
        self.count += 1;
        if self.text.len() >= PIECE {
            self.gone |= out::data(&self.text).map_err(|error| unwritable(&error))? == Reader::Gone;
            self.text.clear();
        }
        Ok(())
    }

    /// What is left to be written.
    pub(crate) fn end(mut self) -> String {
        self.rows.close(&mut self.text);
        self.text
    }
}

/// What is of another day than most, where something is: of the offers that a command is about, else of the whole.
fn otherwise(days: Option<&Days>, most: &str, newest: Option<&str>) -> String {
    match (days, newest) {
        (Some(days), _) => {
            let others = days.counts().filter(|(day, _)| *day != most);
            let told: Vec<String> =
                others.map(|(day, count)| format!("{count} of {} offers: {day}", days.total())).collect();
            if told.is_empty() { String::new() } else { format!(" ({})", told.join(", ")) }
        }
        (None, Some(newest)) if newest != most => format!(" (what its update lists: {newest})"),
        (None, _) => String::new(),
    }
}

/// Names of columns as they are typed: `-` and `_` mean the same.
pub(crate) fn column_names(typed: &[String]) -> Vec<String> {
    typed.iter().map(|name| name.replace('-', "_")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_footer_says_what_is_of_another_day() {
        let days = |days: &[&str]| days.iter().copied().collect::<Days>();
        let (old, new) = ("2026-11-24", "2026-12-01");
        assert_eq!(otherwise(Some(&days(&[old, old])), old, Some(new)), "");
        assert_eq!(otherwise(Some(&days(&[old, new, new])), new, Some(new)), " (1 of 3 offers: 2026-11-24)");
        assert_eq!(otherwise(None, old, Some(new)), " (what its update lists: 2026-12-01)");
        assert_eq!((otherwise(None, new, Some(new)), otherwise(None, old, None)), (String::new(), String::new()));
    }
}
