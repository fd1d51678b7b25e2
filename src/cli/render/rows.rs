//! Rows as text for programs, one after another: whoever prints thousands need not have them all at once.

use super::json;
use super::sheet::{Cell, Printing, Sheet};
use crate::cli::args::Format;
use crate::cli::error::CliError;

/// How rows are written.
#[derive(Debug)]
pub(crate) struct Rows<'s> {
    format: Format,
    /// Which cells, and what stands before each.
    columns: Vec<(usize, String)>,
    /// What stands before the first row, and behind the last one.
    opening: String,
    closing: &'s str,
}

impl<'s> Rows<'s> {
    /// The rows of a list; `None` where a format needs to see all of them before the first one is written.
    ///
    /// # Errors
    /// A chosen field is no column.
    pub(crate) fn of(sheet: &'s Sheet, printing: &Printing<'_>) -> Result<Option<Self>, CliError> {
        let chosen = sheet.chosen(printing)?;
        let name = |at: &usize| sheet.columns[*at].name;
        let between = |first: bool, sign: &str| if first { String::new() } else { sign.to_owned() };
        let head = |(place, at): (usize, &usize)| {
            let first = place == 0;
            let text = match printing.format {
                Format::Tsv => between(first, "\t"),
                Format::Csv => between(first, ","),
                _ => format!("{}\"{}\":", between(first, ","), name(at)),
            };
            (*at, text)
        };
        let columns = chosen.iter().enumerate().map(head).collect();
        let (opening, closing) = match printing.format {
            Format::Json => (json::opening(sheet.schema, &printing.envelope) + "[", "]}\n"),
            Format::Csv => (chosen.iter().map(name).collect::<Vec<_>>().join(",") + "\r\n", ""),
            Format::Jsonl | Format::Tsv | Format::Ids => (String::new(), ""),
            _ => return Ok(None),
        };
        Ok(Some(Self { format: printing.format, columns, opening, closing }))
    }

    /// What stands before the first row.
    pub(crate) fn open(&self, out: &mut String) {
        out.push_str(&self.opening);
    }

    /// What stands behind the last one.
    pub(crate) fn close(&self, out: &mut String) {
        out.push_str(self.closing);
    }

    /// Writes a row straight into the text; `differing` are the columns that JSON says it differs in, where lists say that.
    pub(crate) fn row(&self, row: &[Cell], number: usize, differing: Option<&Cell>, out: &mut String) {
        match self.format {
            Format::Tsv => {
                for (at, head) in &self.columns {
                    out.push_str(head);
                    row[*at].write_bare(out);
                }
                out.push('\n');
            }
            Format::Csv => {
                for (at, head) in &self.columns {
                    out.push_str(head);
                    quoted(&row[*at].bare(), out);
                }
                out.push_str("\r\n");
            }
            Format::Ids => {
                row.iter().take(1).for_each(|id| id.write_bare(out));
                out.push('\n');
            }
            _ => {
                if number > 0 && self.format == Format::Json {
                    out.push(',');
                }
                out.push('{');
                for (at, head) in &self.columns {
                    out.push_str(head);
                    row[*at].json(out);
                }
                if let Some(differing) = differing {
                    out.push_str(if self.columns.is_empty() { "\"differs\":" } else { ",\"differs\":" });
                    differing.json(out);
                }
                out.push_str(if self.format == Format::Json { "}" } else { "}\n" });
            }
        }
    }
}

/// A value of CSV (RFC 4180).
fn quoted(text: &str, out: &mut String) {
    if text.contains(['"', ',', '\n', '\r']) {
        out.extend(["\"", &text.replace('"', "\"\""), "\""]);
    } else {
        out.push_str(text);
    }
}
