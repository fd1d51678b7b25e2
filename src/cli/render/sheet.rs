//! One list in every format: columns with a name for programs and a header for people, rows of typed cells.

pub(crate) use super::cell::Cell;
use super::cell::{compare, letters};
use super::rows::Rows;
use super::{json, money, table, text};
use crate::cli::args::Format;
use crate::cli::error::CliError;

/// How a cell is shown to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    /// As it is.
    Plain,
    /// `200K`.
    Tokens,
    /// `3.00`.
    Price,
    /// `$0.039`.
    Dollars,
    /// `620 ms`.
    Millis,
    /// `2 h`: how long ago.
    Seconds,
    /// `99.1 %`.
    Percent,
    /// `+12 %`: how far above 0 a share lies.
    Change,
    /// `yes`, or nothing.
    Mark,
    /// A sign where a difference is not settled, and nothing where it is.
    Near,
    /// A plain figure, at the right.
    Number,
    /// A letter for each ability that has one.
    Letters,
}

/// A column.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    /// Its name for `--fields` and in JSON.
    pub name: &'static str,
    /// A shorter name that `--fields` and `--sort` also take.
    pub short: &'static str,
    /// Its heading for people; empty where it is never in a table by itself.
    pub header: &'static str,
    /// How its cells are shown.
    pub show: Show,
    /// When it is in a table: 0 always, 1 to 9 dropped where the table is too wide (the highest first), 10 only in
    /// `wide`, 11 only when asked for by `--fields`.
    pub rank: u8,
}

impl Column {
    /// A column; see the fields.
    pub(crate) const fn new(
        name: &'static str,
        short: &'static str,
        header: &'static str,
        show: Show,
        rank: u8,
    ) -> Self {
        Self { name, short, header, show, rank }
    }

    fn is_called(&self, name: &str) -> bool {
        self.name == name || self.short == name
    }

    /// A cell for people.
    pub(crate) fn human(&self, cell: &Cell) -> String {
        match (cell, self.show) {
            (Cell::Told(told), _) => text::visible(&told.1).into_owned(),
            (Cell::Unknown, Show::Mark | Show::Near) => String::new(),
            (Cell::Unknown, _) => "-".to_owned(),
            (Cell::Count(count), Show::Tokens) => text::short_count(*count),
            (Cell::Money(amount), Show::Price) => money::price(*amount),
            (Cell::Money(amount), Show::Dollars) => money::dollars(crate::units::Usd::from_decimal(*amount)),
            (Cell::Count(millis), Show::Millis) => text::duration(std::time::Duration::from_millis(*millis)),
            (Cell::Count(seconds), Show::Seconds) => text::age(std::time::Duration::from_secs(*seconds)),
            (Cell::Figure(share, _), Show::Percent) => text::percent(*share),
            (Cell::Money(share), Show::Change) => money::change(*share),
            (Cell::Words(names), Show::Letters) => letters(names),
            (Cell::Flag(settled), Show::Near) => if *settled { "" } else { "≈" }.to_owned(),
            (Cell::Flag(flag), Show::Mark) => if *flag { "yes" } else { "" }.to_owned(),
            (Cell::Flag(flag), _) => if *flag { "yes" } else { "no" }.to_owned(),
            (cell, _) => text::visible(&cell.bare()).into_owned(),
        }
    }

    /// Whether its cells stand at the right.
    pub(crate) fn is_right(&self) -> bool {
        use Show::{Change, Dollars, Millis, Number, Percent, Price, Seconds, Tokens};
        matches!(self.show, Tokens | Price | Dollars | Millis | Seconds | Percent | Number | Change)
    }
}

/// Marks what was measured of another kind of call than the one that is asked about.
pub(crate) const ELSEWHERE: char = '^';

/// Marks a price of a call that does not come out of the rates beside it: of other hours, of its size, with a fee.
pub(crate) const OTHER_RATES: char = '+';

/// Marks a provider that is never called: a fetched list alone knows it.
pub(crate) const UNCALLED: char = '!';

/// A mark on a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Which row.
    pub row: usize,
    /// Which column.
    pub column: usize,
    /// `*`, `~`, [`ELSEWHERE`], [`OTHER_RATES`] or [`UNCALLED`].
    pub sign: char,
}

/// A list.
#[derive(Debug, Clone)]
pub(crate) struct Sheet {
    /// Name and version of the JSON form, e.g. `models.list/1`.
    pub schema: &'static str,
    /// What the list is called in messages, e.g. `models list`.
    pub command: &'static str,
    /// Its columns; the first is the id.
    pub columns: Vec<Column>,
    /// Its rows, a cell for each column.
    pub rows: Vec<Vec<Cell>>,
    /// Marks of cells: `*` where they differ from the author's own endpoint, `~` where sources disagree. A person sees
    /// the mark, JSON lists the names of the columns that differ.
    pub marked: Vec<Mark>,
}

/// How a list is to be printed.
#[derive(Debug, Clone)]
pub(crate) struct Printing<'a> {
    /// The format.
    pub format: Format,
    /// Chosen columns; empty is the default set.
    pub fields: &'a [String],
    /// How many columns of text fit.
    pub width: usize,
    /// Escapes.
    pub style: text::Style,
    /// Facts of the envelope.
    pub envelope: json::Envelope<'a>,
}

/// A printed list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Printed {
    /// What goes to stdout.
    pub text: String,
    /// Headings of columns that did not fit.
    pub hidden: Vec<&'static str>,
}

impl Sheet {
    /// The position of a column by either of its names.
    ///
    /// # Errors
    /// There is none of that name; the message lists those that are.
    pub(crate) fn position(&self, name: &str) -> Result<usize, CliError> {
        if let Some(at) = self.columns.iter().position(|column| column.is_called(name)) {
            return Ok(at);
        }
        let names: Vec<&str> = self.columns.iter().map(|c| if c.short.is_empty() { c.name } else { c.short }).collect();
        Err(CliError::usage(format!("{} has no field \"{name}\"", self.command)).one_of(name, &names, "fields"))
    }

    /// Sorts by columns; unknown values come last in both directions, and equal rows keep their order.
    ///
    /// # Errors
    /// A name is no column.
    pub(crate) fn sort(&mut self, names: &[String], reverse: bool) -> Result<(), CliError> {
        let mut positions = Vec::new();
        for name in names {
            positions.push(self.position(name)?);
        }
        if positions.is_empty() && reverse {
            self.rows.reverse();
        }
        if positions.is_empty() {
            return Ok(());
        }
        let mut order: Vec<usize> = (0..self.rows.len()).collect();
        order.sort_by(|&a, &b| {
            let by = positions.iter().map(|&at| compare(&self.rows[a][at], &self.rows[b][at], reverse));
            by.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
        });
        self.marked = self
            .marked
            .iter()
            .filter_map(|mark| Some(Mark { row: order.iter().position(|&at| at == mark.row)?, ..*mark }))
            .collect();
        self.rows = order.iter().map(|&at| std::mem::take(&mut self.rows[at])).collect();
        Ok(())
    }

    /// Prints the list.
    ///
    /// # Errors
    /// A chosen field is no column.
    pub(crate) fn print(&self, printing: &Printing<'_>) -> Result<Printed, CliError> {
        if let Some(rows) = Rows::of(self, printing)? {
            return Ok(Printed { text: self.written(&rows), hidden: Vec::new() });
        }
        let chosen = self.named(printing)?;
        Ok(match printing.format {
            Format::Md => Printed { text: self.markdown(&self.in_table(&chosen, 9)), hidden: Vec::new() },
            _ => self.table(printing, &chosen),
        })
    }

    /// The columns that were asked for by name.
    fn named(&self, printing: &Printing<'_>) -> Result<Vec<usize>, CliError> {
        printing.fields.iter().map(|name| self.position(name)).collect()
    }

    /// The same, all where none was.
    ///
    /// # Errors
    /// A name is no column.
    pub(super) fn chosen(&self, printing: &Printing<'_>) -> Result<Vec<usize>, CliError> {
        let named = self.named(printing)?;
        Ok(if named.is_empty() { (0..self.columns.len()).collect() } else { named })
    }

    /// Every row. After the first ones room is made for as much again of each that is left: megabytes that move each time
    /// they grow are paid for twice.
    fn written(&self, rows: &Rows<'_>) -> String {
        const FIRST: usize = 64;
        let mut out = String::new();
        rows.open(&mut out);
        let tells = self.marked.iter().any(|mark| !matches!(mark.sign, ELSEWHERE | OTHER_RATES | UNCALLED));
        for (number, row) in self.rows.iter().enumerate() {
            if number == FIRST {
                let left = self.rows.len() - FIRST;
                out.reserve(out.len() / FIRST * (left + left / 8));
            }
            let differing = tells.then(|| {
                let differing = self.marked.iter().filter(|mark| mark.row == number && mark.sign == '*');
                Cell::words(differing.map(|mark| self.columns[mark.column].name))
            });
            rows.row(row, number, differing.as_ref(), &mut out);
        }
        rows.close(&mut out);
        out
    }

    /// The columns of a table: the chosen ones, else all up to a rank.
    fn in_table(&self, chosen: &[usize], rank: u8) -> Vec<usize> {
        if !chosen.is_empty() {
            return chosen.to_vec();
        }
        (0..self.columns.len()).filter(|&at| self.columns[at].rank <= rank).collect()
    }

    fn table(&self, printing: &Printing<'_>, chosen: &[usize]) -> Printed {
        let wide = printing.format == Format::Wide;
        let columns = self.in_table(chosen, if wide { 10 } else { 9 });
        let fits = if wide { usize::MAX } else { printing.width };
        table::render(self, &columns, fits, printing.style)
    }

    /// A cell for people, with its mark.
    pub(crate) fn shown(&self, row: usize, column: usize) -> String {
        let mut text = self.columns[column].human(&self.rows[row][column]);
        text.extend(self.marked.iter().filter(|mark| (mark.row, mark.column) == (row, column)).map(|mark| mark.sign));
        text
    }

    fn markdown(&self, columns: &[usize]) -> String {
        let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
        let escape = |text: String| text.replace('|', "\\|");
        let mut out = line(columns.iter().map(|&at| self.columns[at].header.to_owned()).collect());
        let rule = |&at: &usize| if self.columns[at].is_right() { "---:" } else { "---" }.to_owned();
        out += &line(columns.iter().map(rule).collect());
        for row in 0..self.rows.len() {
            out += &line(columns.iter().map(|&at| escape(self.shown(row, at))).collect());
        }
        out
    }
}
