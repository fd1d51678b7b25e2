//! One fact of a list, in every form but that of its column.

use std::borrow::Cow;
use std::fmt::Write as _;

use rust_decimal::Decimal;

use super::{json, text};

/// One fact. Unknown is not zero: it prints `-` for people, nothing in delimited text, `null` in JSON. It takes 24 bytes: a
/// list may have a hundred thousand.
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
    Words(Box<[Cow<'static, str>]>),
    /// Any of them, and what people are told in its place.
    Told(Box<(Cell, String)>),
    /// Several of them.
    List(Box<[Cell]>),
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
        Self::Told(Box::new((self, words.into())))
    }

    /// The cell itself, whatever people are told.
    fn plain(&self) -> &Self {
        match self {
            Self::Told(told) => told.0.plain(),
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
            Self::Count(count) => return write_digits(*count, 0, out),
            Self::Money(amount) => return write_exact(*amount, out),
            Self::Figure(value, places) => write!(out, "{value:.places$}"),
            Self::Flag(flag) => write!(out, "{flag}"),
            Self::Words(words) => return json::between(words, out, |word, out| out.push_str(word)),
            Self::Told(told) => return told.0.write_bare(out),
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
            Self::Told(told) => told.0.json(out),
            Self::List(cells) => {
                out.push('[');
                json::between(cells, out, Self::json);
                out.push(']');
            }
        }
    }
}

/// An exact decimal without exponent and trailing zeros, written straight into a text: a list may have ten thousand.
fn write_exact(amount: Decimal, out: &mut String) {
    let (Ok(mut digits), mut scale) = (u64::try_from(amount.mantissa().unsigned_abs()), amount.scale()) else {
        // Writing into a string cannot fail.
        let _ = write!(out, "{}", amount.normalize());
        return;
    };
    while scale > 0 && digits.is_multiple_of(10) {
        digits /= 10;
        scale -= 1;
    }
    if amount.is_sign_negative() && digits > 0 {
        out.push('-');
    }
    write_digits(digits, scale, out);
}

/// A number whose last `scale` digits, at most 28, stand behind the point.
fn write_digits(mut digits: u64, scale: u32, out: &mut String) {
    let (mut text, mut written) = ([b'0'; 32], 0);
    // A digit stands before the point, too.
    let least = if scale > 0 { scale + 2 } else { 1 };
    for place in text.iter_mut().rev() {
        if scale > 0 && written == scale {
            *place = b'.';
        } else if written >= least && digits == 0 {
            break;
        } else {
            *place += u8::try_from(digits % 10).unwrap_or_default();
            digits /= 10;
        }
        written += 1;
    }
    let from = text.len().saturating_sub(usize::try_from(written).unwrap_or_default());
    out.push_str(text.get(from..).and_then(|text| std::str::from_utf8(text).ok()).unwrap_or_default());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_small() {
        assert_eq!(size_of::<Cell>(), 24);
    }

    #[test]
    fn a_decimal_is_written_as_its_own_library_writes_it() {
        let numbers = [0, 1, -1, 5, 10, 1_000, -2_500, 123_456_789, i64::MAX, i64::MIN];
        for number in numbers {
            for scale in 0..=28 {
                let amount = Decimal::from_i128_with_scale(i128::from(number), scale);
                assert_eq!(Cell::Money(amount).bare(), amount.normalize().to_string(), "{number} {scale}");
            }
        }
        for amount in [Decimal::MAX, Decimal::MIN, -Decimal::ZERO] {
            assert_eq!(Cell::Money(amount).bare(), amount.normalize().to_string());
        }
        for count in [0, 7, 10, 4096, u64::MAX] {
            assert_eq!(Cell::Count(count).bare(), count.to_string());
        }
    }
}
