//! Looking up one line of a sorted table without parsing the others.

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
        Self::first(line).0
    }

    /// The first line of a text, and where it ends. Line ends and tabs are found in one pass, eight bytes at a time: a
    /// listing goes over megabytes.
    fn first(text: &'t str) -> (Self, usize) {
        let (mut starts, mut found) = ([0; FOUND + 1], 1);
        let mut words = text.as_bytes().chunks(8);
        let (mut at, mut end) = (0, None);
        while end.is_none() {
            let word = eight(words.next().unwrap_or_default());
            let (mut tabs, ends) = (marks(word, b'\t'), marks(word, b'\n'));
            if ends != 0 {
                // Tabs before the line's end alone.
                tabs &= (ends & ends.wrapping_neg()) - 1;
                end = Some(at + place(ends));
            }
            while tabs != 0 {
                if let Some(start) = starts.get_mut(found) {
                    *start = u32::try_from(at + place(tabs) + 1).unwrap_or(u32::MAX);
                    found += 1;
                }
                tabs &= tabs - 1;
            }
            at += 8;
        }
        let end = end.unwrap_or(text.len());
        // A column that is missing begins, and ends, after the end.
        let after = u32::try_from(end + 1).unwrap_or(u32::MAX);
        starts.iter_mut().skip(found).for_each(|start| *start = after);
        (Self { line: text.get(..end).unwrap_or_default(), starts }, end)
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

/// The lines of a table with their columns.
#[derive(Debug, Clone)]
pub(super) struct Rows<'t>(pub(super) &'t str);

impl<'t> Iterator for Rows<'t> {
    type Item = Cells<'t>;

    fn next(&mut self) -> Option<Cells<'t>> {
        if self.0.is_empty() {
            return None;
        }
        let (cells, end) = Cells::first(self.0);
        self.0 = self.0.get(end + 1..).unwrap_or_default();
        Some(cells)
    }
}

/// Eight bytes as one word, the first one lowest; line ends stand for those that a text lacks.
fn eight(bytes: &[u8]) -> u64 {
    if let Ok(all) = <[u8; 8]>::try_from(bytes) {
        return u64::from_le_bytes(all);
    }
    let mut all = [b'\n'; 8];
    all.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
    u64::from_le_bytes(all)
}

/// The top bit of each byte of a word that is this one.
fn marks(word: u64, byte: u8) -> u64 {
    const LOW: u64 = 0x7f7f_7f7f_7f7f_7f7f;
    let other = word ^ u64::from_ne_bytes([byte; 8]);
    !(((other & LOW) + LOW) | other | LOW)
}

/// The place of the first mark.
fn place(marks: u64) -> usize {
    usize::try_from(marks.trailing_zeros() / 8).unwrap_or_default()
}

/// A column, or `None` where it is empty.
pub(super) fn filled(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// The lines whose keys begin so, in a table whose lines are sorted by them (bytewise).
pub(super) fn beginning<'t>(table: &'t str, prefix: &str, key_of: fn(&str) -> &str) -> impl Iterator<Item = &'t str> {
    let bytes = table.as_bytes();
    let (mut low, mut high) = (0, bytes.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let (start, end) = around(bytes, low, middle);
        if key_of(table.get(start..end).unwrap_or_default()) < prefix { low = end + 1 } else { high = start }
    }
    let rest = table.get(low..).unwrap_or_default();
    let prefix = prefix.to_owned();
    rest.lines().take_while(move |line| key_of(line).starts_with(&prefix))
}

/// Start and end of the line around a place, none before `low`.
fn around(bytes: &[u8], low: usize, place: usize) -> (usize, usize) {
    let before = bytes.get(low..place).and_then(|bytes| bytes.iter().rposition(|&byte| byte == b'\n'));
    let after = bytes.get(place..).and_then(|bytes| bytes.iter().position(|&byte| byte == b'\n'));
    (before.map_or(low, |at| low + at + 1), after.map_or(bytes.len(), |at| place + at))
}

/// The line with this key, in a table whose lines are sorted by it (bytewise): a binary search over bytes.
pub(super) fn find<'t>(table: &'t str, key: &str, key_of: fn(&str) -> &str) -> Option<&'t str> {
    let bytes = table.as_bytes();
    let (mut low, mut high) = (0, bytes.len());
    while low < high {
        let middle = low + (high - low) / 2;
        let (start, end) = around(bytes, low, middle);
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
    fn a_pass_over_a_table_finds_its_lines() {
        let text = "a\tb\n\n\té\tlonger than a word\t\nx\u{8}\u{b}\t\u{89}\u{8a}y\nseven..\neight...\n\tnine....\t";
        for end in (0..=text.len()).filter(|&end| text.is_char_boundary(end)) {
            let text = &text[..end];
            let rows: Vec<Cells<'_>> = Rows(text).collect();
            assert_eq!(rows.iter().map(Cells::line).collect::<Vec<_>>(), text.lines().collect::<Vec<_>>(), "{end}");
            for cells in rows {
                for number in 0..6 {
                    assert_eq!(cells.column(number), column(cells.line(), number), "{end} {number}");
                }
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

    #[test]
    fn what_begins_so_is_what_a_look_at_every_line_finds() {
        let table = "a\t1\nab\t2\nabc\nb\t3\nb\u{e9}\n\u{e9}\t4\n";
        for prefix in ["", "0", "a", "ab", "abc", "abcd", "b", "b\u{e9}", "c", "\u{e9}", "zz"] {
            let every: Vec<&str> = table.lines().filter(|line| first_column(line).starts_with(prefix)).collect();
            assert_eq!(beginning(table, prefix, first_column).collect::<Vec<_>>(), every, "{prefix}");
        }
        assert_eq!(beginning("", "a", first_column).count(), 0);
        assert_eq!(beginning("ab", "a", first_column).collect::<Vec<_>>(), ["ab"]);
    }
}
