//! Looking up one line of a sorted table without parsing the others.

use super::codes::Codes;

/// The first column of a tab-separated line.
pub(super) fn first_column(line: &str) -> &str {
    column(line, 0)
}

/// A column by its number; missing columns are empty. Columns are short, so counting bytes beats searching for tabs;
/// a listing calls this some hundred thousand times.
pub(super) fn column(line: &str, number: usize) -> &str {
    let (mut left, mut start) = (number, 0);
    for (at, byte) in line.bytes().enumerate() {
        if byte == b'\t' {
            if left == 0 {
                return line.get(start..at).unwrap_or_default();
            }
            left -= 1;
            start = at + 1;
        }
    }
    if left == 0 { line.get(start..).unwrap_or_default() } else { "" }
}

/// As many columns as listings ask for.
const FOUND: usize = 20;

/// A line whose first columns are found once: a listing asks each line for a dozen.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cells<'t> {
    line: &'t str,
    starts: [u32; FOUND + 1],
}

impl<'t> Cells<'t> {
    pub(super) fn new(line: &'t str) -> Self {
        // A column that is missing begins, and ends, after the end.
        let mut starts = [u32::try_from(line.len() + 1).unwrap_or(u32::MAX); FOUND + 1];
        let tabs = line.bytes().enumerate().filter(|&(_, byte)| byte == b'\t').map(|(at, _)| at + 1);
        for (start, at) in starts.iter_mut().zip(std::iter::once(0).chain(tabs)) {
            *start = u32::try_from(at).unwrap_or(u32::MAX);
        }
        Self { line, starts }
    }

    /// The whole line.
    pub(super) fn line(&self) -> &'t str {
        self.line
    }

    /// A column by its number; missing columns are empty.
    pub(super) fn column(&self, number: usize) -> &'t str {
        let Some(&[start, next]) = self.starts.get(number..number + 2) else { return column(self.line, number) };
        self.line.get(start as usize..next as usize - 1).unwrap_or_default()
    }
}

/// A column, or `None` where it is empty.
pub(super) fn filled(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// The name behind a code.
pub(super) fn name(codes: &Codes, code: &str) -> Option<&'static str> {
    codes.iter().find(|(_, known)| *known == code).map(|&(name, _)| name)
}

/// The line with this key, in a table whose lines are sorted by it (bytewise): a binary search over bytes.
pub(super) fn find<'t>(table: &'t str, key: &str, key_of: fn(&str) -> &str) -> Option<&'t str> {
    let bytes = table.as_bytes();
    let (mut low, mut high) = (0, bytes.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let before = bytes.get(low..middle)?.iter().rposition(|&byte| byte == b'\n');
        let start = before.map_or(low, |at| low + at + 1);
        let after = bytes.get(middle..)?.iter().position(|&byte| byte == b'\n');
        let end = after.map_or(bytes.len(), |at| middle + at);
        let line = table.get(start..end)?;
        match key_of(line).cmp(key) {
            std::cmp::Ordering::Equal => return Some(line),
            std::cmp::Ordering::Less => low = end + 1,
            std::cmp::Ordering::Greater => high = start,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_found_once_are_the_columns() {
        let long = (0..30).map(|number| format!("c{number}")).collect::<Vec<_>>().join("\t");
        for line in ["", "a", "a\t", "\ta", "a\t\té\t", long.as_str()] {
            for number in 0..32 {
                assert_eq!(Cells::new(line).column(number), column(line, number), "{line} {number}");
            }
        }
    }

    #[test]
    fn every_line_is_found_and_nothing_else_is() {
        let table = "a\t1\nab\t2\nb\t3\né\t4\n";
        for line in table.lines() {
            assert_eq!(find(table, first_column(line), first_column), Some(line));
        }
        for absent in ["", "0", "aa", "abc", "c", "ê", "zz"] {
            assert_eq!(find(table, absent, first_column), None, "{absent}");
        }
        assert_eq!(find("", "a", first_column), None);
        assert_eq!(find("a", "a", first_column), Some("a"));
    }
}
