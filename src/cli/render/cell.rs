//! One fact of a list, in every form but that of its column.

use std::borrow::Cow;
use std::fmt::Write as _;

use rust_decimal::Decimal;

use super::{json, text};

/// One fact. Unknown is not zero: it prints `-` for people, nothing in delimited text, `null` in JSON.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum Cell {
    /// Nobody knows.
    #[default]
    Unknown,
    /// Words.
    Text(String),
    /// A count.
    Count(u64),
    /// Money or a price: exact.
    Money(Decimal),
    /// A measured figure and how many decimals it is worth.
    Figure(f64, usize),
    /// Yes or no.
    Flag(bool),
    /// Several words.
    Words(Vec<Cow<'static, str>>),
    /// Any of them, and what people are told in its place.
    Told(Box<Cell>, String),
    /// Several of them.
    List(Vec<Cell>),
}

impl Cell {
    /// Words, or unknown where there are none.
    pub(crate) fn text(text: Option<impl Into<String>>) -> Self {
        text.map_or(Self::Unknown, |text| Self::Text(text.into()))
    }

    /// Several words.
    pub(crate) fn words<W: Into<Cow<'static, str>>>(words: impl IntoIterator<Item = W>) -> Self {
        Self::Words(words.into_iter().map(Into::into).collect())
    }

    /// A count, or unknown.
    pub(crate) fn count(count: Option<u64>) -> Self {
        count.map_or(Self::Unknown, Self::Count)
    }

    /// Money, or unknown.
    pub(crate) fn money(amount: Option<Decimal>) -> Self {
        amount.map_or(Self::Unknown, Self::Money)
    }

    /// A cell with other words for people.
    pub(crate) fn told(self, words: impl Into<String>) -> Self {
        Self::Told(Box::new(self), words.into())
    }

    /// The cell itself, whatever people are told.
    fn plain(&self) -> &Self {
        match self {
            Self::Told(cell, _) => cell.plain(),
            cell => cell,
        }
    }

    /// Whether it says yes.
    pub(crate) fn is_yes(&self) -> bool {
        *self.plain() == Self::Flag(true)
    }

    /// The bare value for delimited text.
    pub(crate) fn bare(&self) -> String {
        let mut out = String::new();
        self.write_bare(&mut out);
        out
    }

    /// The same, written straight into a text.
    pub(super) fn write_bare(&self, out: &mut String) {
        // Writing into a string cannot fail.
        let _ = match self {
            Self::Unknown => Ok(()),
            Self::Text(text) if text::is_one_line(text) => out.write_str(text),
            Self::Text(text) => out.write_str(&text::one_line(text)),
            Self::Count(count) => write!(out, "{count}"),
            Self::Money(amount) => write!(out, "{}", amount.normalize()),
            Self::Figure(value, places) => write!(out, "{value:.places$}"),
            Self::Flag(flag) => write!(out, "{flag}"),
            Self::Words(words) => return json::between(words, out, |word, out| out.push_str(word)),
            Self::Told(cell, _) => return cell.write_bare(out),
            Self::List(cells) => return json::between(cells, out, Self::write_bare),
        };
    }

    pub(super) fn json(&self, out: &mut String) {
        match self {
            Self::Unknown => out.push_str("null"),
            Self::Text(text) => json::quote(text, out),
            Self::Count(_) | Self::Money(_) | Self::Figure(..) | Self::Flag(_) => self.write_bare(out),
            Self::Words(words) => {
                out.push('[');
                json::between(words, out, |word, out| json::quote(word, out));
                out.push(']');
            }
            Self::Told(cell, _) => cell.json(out),
            Self::List(cells) => {
                out.push('[');
                json::between(cells, out, Self::json);
                out.push(']');
            }
        }
    }
}

/// The letters of the abilities that have one.
pub(super) fn letters(names: &[Cow<'static, str>]) -> String {
    let known = crate::cli::facts::LETTERS.iter().filter(|(name, _)| names.iter().any(|known| known == name));
    known.map(|(_, letter)| letter).collect()
}

/// Which of two cells comes first; an unknown one is last in both directions.
pub(super) fn compare(a: &Cell, b: &Cell, reverse: bool) -> std::cmp::Ordering {
    use std::cmp::Ordering;
    let known = match (a.plain(), b.plain()) {
        (Cell::Unknown, Cell::Unknown) => return Ordering::Equal,
        (Cell::Unknown, _) => return Ordering::Greater,
        (_, Cell::Unknown) => return Ordering::Less,
        (Cell::Count(a), Cell::Count(b)) => a.cmp(b),
        (Cell::Money(a), Cell::Money(b)) => a.cmp(b),
        (Cell::Figure(a, _), Cell::Figure(b, _)) => a.total_cmp(b),
        (Cell::Flag(a), Cell::Flag(b)) => b.cmp(a),
        (a, b) => a.bare().cmp(&b.bare()),
    };
    if reverse { known.reverse() } else { known }
}
