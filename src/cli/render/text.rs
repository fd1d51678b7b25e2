//! Words and figures for people: counts, durations, cutting to a width.

use std::borrow::Cow;
use std::time::Duration;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::catalog::file::checks::is_hidden;

/// Escape sequences, or nothing where colour is off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Style {
    /// Whether escapes are written.
    pub on: bool,
}

impl Style {
    fn wrap(self, code: &str, text: &str) -> String {
        if self.on && !text.is_empty() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// The answer.
    pub(crate) fn bold(self, text: &str) -> String {
        self.wrap("1", text)
    }

    /// Secondary.
    pub(crate) fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    /// A warning.
    pub(crate) fn yellow(self, text: &str) -> String {
        self.wrap("33", text)
    }

    /// An error.
    pub(crate) fn red(self, text: &str) -> String {
        self.wrap("31;1", text)
    }
}

/// `200K`, `1M`, `1.05M`, `4096`: a count of tokens, never rounded up.
pub(crate) fn short_count(count: u64) -> String {
    let scaled = |unit: u64, letter: char| {
        let whole = count / unit;
        let hundredths = (count % unit) * 100 / unit;
        let digits = if whole >= 100 || hundredths == 0 {
            String::new()
        } else if hundredths.is_multiple_of(10) || whole >= 10 {
            format!(".{}", hundredths / 10)
        } else {
            format!(".{hundredths:02}")
        };
        let digits = if digits == ".0" { String::new() } else { digits };
        format!("{whole}{digits}{letter}")
    };
    match count {
        0..=9_999 => count.to_string(),
        10_000..=999_999 => scaled(1_000, 'K'),
        _ => scaled(1_000_000, 'M'),
    }
}

/// `8,000`.
pub(crate) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// `620 ms`, `1.9 s`, `3 min`.
pub(crate) fn duration(time: Duration) -> String {
    let millis = time.as_millis();
    match millis {
        0..=999 => format!("{millis} ms"),
        1_000..=99_949 => format!("{}.{} s", (millis + 50) / 1000, ((millis + 50) % 1000) / 100),
        100_000..=599_999 => format!("{} s", millis / 1000),
        _ => format!("{} min", millis / 60_000),
    }
}

/// `5 s`, `12 min`, `3 h`, `4 d`: how old something is.
pub(crate) fn age(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7_199 => format!("{} min", seconds / 60),
        seconds @ 7_200..=172_799 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// A share: `99.1 %`.
pub(crate) fn percent(share: f64) -> String {
    format!("{:.1} %", share * 100.0)
}

/// Bars, a sign each: the higher the share, the higher the bar; a dot where nothing is known. ASCII where the terminal may
/// know nothing else.
pub(crate) fn bars(shares: &[Option<f64>], unicode: bool) -> String {
    const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    const ASCII: [char; 8] = ['_', ',', '-', '~', '=', '+', '*', '#'];
    let (signs, none) = if unicode { (BLOCKS, '·') } else { (ASCII, '.') };
    let sign = |share: &Option<f64>| {
        share.map_or(none, |share| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it lies in 0 to 7")]
            let step = (share.clamp(0.0, 1.0) * 7.0) as usize;
            signs[step.min(7)]
        })
    };
    shares.iter().map(sign).collect()
}

/// A page for people; where the terminal may know nothing but ASCII, our own signs are those that come nearest.
pub(crate) fn page(text: &str, unicode: bool) -> Cow<'_, str> {
    const SIGNS: [(char, char); 5] = [('…', '~'), ('≈', '~'), ('≥', '>'), ('²', '2'), ('–', '-')];
    if unicode || text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let plain = |c: char| SIGNS.iter().find(|(sign, _)| *sign == c).map_or(c, |(_, plain)| *plain);
    Cow::Owned(text.chars().map(plain).collect())
}

/// How many columns a text takes.
pub(crate) fn width(text: &str) -> usize {
    // Most cells are ASCII, of which the crate looks at every character backwards.
    let plain = text.bytes().all(|byte| (b' '..0x7f).contains(&byte));
    if plain { text.len() } else { text.width() }
}

/// Cuts the middle out of a text that is too wide; the end tells ids apart.
pub(crate) fn cut_middle(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    if most <= 1 {
        return "…".chars().take(most).collect();
    }
    let left = (most - 1) / 2;
    let right = most - 1 - left;
    format!("{}…{}", take_width(text.chars(), left), {
        let tail = take_width(text.chars().rev(), right);
        tail.chars().rev().collect::<String>()
    })
}

fn take_width(chars: impl Iterator<Item = char>, most: usize) -> String {
    let mut used = 0;
    chars
        .take_while(|c| {
            used += c.width().unwrap_or(0);
            used <= most
        })
        .collect()
}

/// Breaks a text into lines of at most `most` columns at spaces; a longer word stands alone.
pub(crate) fn wrap(text: &str, most: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.width() + 1 + word.width() > most {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

/// A note below an explanation: its label, and beside it the text, in lines of at most `columns` but no fewer than 30 of its
/// own.
pub(crate) fn labelled(label: &str, text: &str, columns: usize) -> String {
    let lines = wrap(text, columns.saturating_sub(9).max(30)).into_iter().enumerate();
    lines.map(|(at, line)| format!("{:<9}{line}\n", if at == 0 { label } else { "" })).collect()
}

/// Whether a text is one line already, with single spaces only.
pub(crate) fn is_one_line(text: &str) -> bool {
    let mut last = b' ';
    for byte in text.bytes() {
        match byte {
            b'!'..=b'~' => {}
            b' ' if last != b' ' => {}
            b' ' | 0..0x20 | 0x7f => return false,
            // Few texts have more than ASCII in them.
            _ => return is_one_line_of_any(text),
        }
        last = byte;
    }
    text.is_empty() || last != b' '
}

fn is_one_line_of_any(text: &str) -> bool {
    !text.contains(char::is_control) && !text.contains("  ") && !text.starts_with(' ') && !text.ends_with(' ')
}

/// The first `most` names, and how many more there are.
pub(crate) fn first_of<T: AsRef<str>>(names: &[T], most: usize) -> String {
    let shown: Vec<&str> = names.iter().take(most).map(AsRef::as_ref).collect();
    let more = names.len() - shown.len();
    if more == 0 { shown.join(" ") } else { format!("{} and {more} more", shown.join(" ")) }
}

/// The same with commas, as in a sentence.
pub(crate) fn listed<T: AsRef<str>>(names: &[T], most: usize) -> String {
    let shown: Vec<&str> = names.iter().take(most).map(AsRef::as_ref).collect();
    let more = names.len() - shown.len();
    if more == 0 { shown.join(", ") } else { format!("{} and {more} more", shown.join(", ")) }
}

/// The same lines without spaces at their ends.
pub(crate) fn trim_ends(text: &str) -> String {
    text.lines().flat_map(|line| [line.trim_end(), "\n"]).collect()
}

/// A provider's or file's text on one line, without control characters.
pub(crate) fn one_line(text: &str) -> String {
    if is_one_line(text) {
        return text.to_owned();
    }
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    clean.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// What files, lists and providers say, for people: a sign stands for whatever could steer a terminal (cursor, colours, title,
/// clipboard), break the line, turn the text beside it around, or is not seen at all. Programs get the text as it is.
pub(crate) fn visible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().map(|c| if is_hidden(c) { sign(c) } else { c }).collect())
}

/// The same of a text that may have several lines.
pub(crate) fn visible_lines(text: &str) -> String {
    text.split('\n').map(visible).collect::<Vec<_>>().join("\n")
}

/// A model's answer for a terminal: lines and tabs stay, and what scripts and emoji are joined by.
pub(crate) fn harmless(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && !matches!(c, '\n' | '\t') { sign(c) } else { c }).collect()
}

/// What is shown for a character that is not.
fn sign(hidden: char) -> char {
    match hidden {
        '\0'..='\x1f' => char::from_u32(0x2400 + u32::from(hidden)).unwrap_or('\u{fffd}'),
        '\x7f' => '\u{2421}',
        _ => '\u{fffd}',
    }
}

/// JSON for a terminal: the control characters that JSON itself lets through are escaped, so that it stays the same.
pub(crate) fn harmless_json(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() && c > '\x1f' { out += &format!("\\u{:04x}", u32::from(c)) } else { out.push(c) }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_short_and_never_rounded_up() {
        let shown = [0, 4096, 8192, 16_385, 65_536, 128_000, 200_000, 999_999, 1_000_000, 1_048_576, 1_050_000]
            .map(short_count);
        assert_eq!(shown, ["0", "4096", "8192", "16.3K", "65.5K", "128K", "200K", "999K", "1M", "1.04M", "1.05M"]);
        assert_eq!(grouped(1_234_567), "1,234,567");
    }

    #[test]
    fn the_middle_is_cut_and_the_end_kept() {
        assert_eq!(cut_middle("openrouter/deepseek/deepseek-r1:free", 20), "openroute…ek-r1:free");
        assert_eq!(cut_middle("short", 20), "short");
        assert_eq!(width(&cut_middle("日本語日本語日本語", 8)), 7);
    }

    #[test]
    fn a_model_cannot_steer_a_terminal() {
        assert_eq!(harmless("a\x1b[31m\tb\r\n\x07\u{9b}\x7fé"), "a\u{241b}[31m\tb\u{240d}\n\u{2407}\u{fffd}\u{2421}é");
        assert_eq!(harmless_json("{\"a\":\"\u{9b}é\x7f\"}\n"), "{\"a\":\"\\u009bé\\u007f\"}\n");
    }

    #[test]
    fn what_cannot_be_seen_is_shown_as_a_sign() {
        let hidden = "a\x1b[2K\r\n\tb\u{9b}31m\x7f\u{202e}c\u{200b}d\u{feff}e\u{2066}";
        assert_eq!(visible(hidden), "a␛[2K␍␊␉b\u{fffd}31m␡\u{fffd}c\u{fffd}d\u{fffd}e\u{fffd}");
        assert_eq!(visible_lines("a\u{85}\nb\u{2028}c"), "a\u{fffd}\nb\u{fffd}c");
        assert_eq!(visible("日本 é – „ö“ 👍"), "日本 é – „ö“ 👍");
        assert_eq!(one_line("a\u{9b}b\u{85}c"), "a b c", "C1 is no part of a line of data either");
    }

    #[test]
    fn one_line_has_single_spaces_inside() {
        let lines = ["", "a", "a b", "é b", "a é"];
        let none = [" ", " a", "a ", "a  b", "a\tb", "a\n", "a\x7f", "é  b", " é", "é ", "a\u{85}b"];
        assert!(lines.into_iter().all(is_one_line) && !none.into_iter().any(is_one_line));
        assert!(lines.into_iter().all(is_one_line_of_any) && !none.into_iter().any(is_one_line_of_any));
    }

    #[test]
    fn bars_grow_with_the_share_in_either_alphabet() {
        let shares = [None, Some(0.0), Some(0.5), Some(0.99), Some(1.0)];
        assert_eq!(bars(&shares, true), "·▁▄▇█");
        assert_eq!(bars(&shares, false), "._~*#");
    }

    #[test]
    fn durations_read_as_people_say_them() {
        let shown = [20, 620, 1_949, 30_000, 120_000, 600_000].map(|ms| duration(Duration::from_millis(ms)));
        assert_eq!(shown, ["20 ms", "620 ms", "1.9 s", "30.0 s", "120 s", "10 min"]);
    }
}
