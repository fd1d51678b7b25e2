//! The answers of `check`: a page for people, workflow commands for GitHub, JUnit's XML for everybody else.

use super::text::{Style, one_line, visible, visible_lines, width, wrap};
use crate::cli::assert::{Row, Tally, Verdict};

/// The widest that the subjects make their column.
const WIDEST: usize = 36;
/// The least room for what is said beside a subject.
const ROOM: usize = 30;

/// A line for each answer, what to do below it, and what all come to.
pub(crate) fn page(rows: &[Row], columns: usize, style: Style) -> String {
    let columns = columns.clamp(40, 120);
    let word = rows.iter().map(|row| row.verdict.name().len()).max().unwrap_or(2);
    let longest = rows.iter().map(|row| width(&subject(row))).max().unwrap_or_default().min(WIDEST);
    let beside = columns.saturating_sub(word + longest + 4) >= ROOM;
    let indent = if beside { word + longest + 4 } else { word + 2 };
    let room = columns.saturating_sub(indent).max(20);
    let mut out = String::new();
    for row in rows {
        let verdict = row.verdict.name();
        let styled = match row.verdict {
            Verdict::Ok => verdict.to_owned(),
            Verdict::No => style.red(verdict),
            Verdict::Unknown(_) => style.yellow(verdict),
        };
        let subject = subject(row);
        let mut lines = wrap(&clean(&message(row)), room);
        lines.extend(place(row).map(|place| style.dim(&place)));
        let label = |at: usize| if at == 0 { "fix: " } else { "     " };
        let fix = row.fix.as_deref().map(|fix| wrap(&clean(fix), room.saturating_sub(5))).unwrap_or_default();
        lines.extend(fix.iter().enumerate().map(|(at, line)| format!("{}{line}", style.dim(label(at)))));
        let gap = " ".repeat(word - verdict.len() + 2);
        let mut first = format!("{styled}{gap}{subject}");
        let mut rest = lines.iter();
        // A subject that is wider than its column has a line of its own.
        if beside && width(&subject) <= longest {
            let pad = " ".repeat(longest - width(&subject) + 2);
            first += &format!("{pad}{}", rest.next().map(String::as_str).unwrap_or_default());
        }
        out += first.trim_end();
        out.push('\n');
        for line in rest {
            out += &format!("{}{line}\n", " ".repeat(indent));
        }
    }
    out + &Tally::of(rows).told() + "\n"
}

/// What an answer is about.
fn subject(row: &Row) -> String {
    clean(&row.subject)
}

/// What is said, with the provider whose offer is meant where that is not said.
fn message(row: &Row) -> String {
    match &row.provider {
        Some(provider) if *provider != row.subject && !row.message.contains(provider.as_str()) => {
            format!("{} ({provider})", row.message)
        }
        _ => row.message.clone(),
    }
}

/// Where it is asserted; an answer that holds needs no place.
fn place(row: &Row) -> Option<String> {
    let (file, line) = (row.file.as_ref()?, row.line?);
    (row.verdict != Verdict::Ok).then(|| format!("{}:{line}", clean(file)))
}

fn clean(text: &str) -> String {
    visible(&one_line(text)).into_owned()
}

/// An error for each no, a warning for each unknown, and what all come to.
pub(crate) fn github(rows: &[Row]) -> String {
    let mut out = String::new();
    for row in rows {
        let command = match row.verdict {
            Verdict::Ok => continue,
            Verdict::No => "error",
            Verdict::Unknown(_) => "warning",
        };
        let mut properties = Vec::new();
        if let (Some(file), Some(line)) = (&row.file, row.line) {
            properties.push(format!("file={}", property(file)));
            properties.push(format!("line={line}"));
        }
        let at = row.provider.as_ref().filter(|provider| **provider != row.subject);
        let at = at.map(|provider| format!(" at {provider}")).unwrap_or_default();
        properties.push(format!("title={}", property(&format!("{} {}{at}", row.subject, row.assertion))));
        let fix = row.fix.as_ref().map(|fix| format!("\nfix: {fix}")).unwrap_or_default();
        out += &format!("::{command} {}::{}\n", properties.join(","), data(&(message(row) + &fix)));
    }
    out + &Tally::of(rows).told() + "\n"
}

/// The text of a workflow command: what would end it is written by its number, what could steer a terminal as a sign.
fn data(text: &str) -> String {
    visible_lines(text).replace('%', "%25").replace('\n', "%0A")
}

/// A property of one, where a colon and a comma would end it too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// A suite for each file (and one for the command line), a case for each answer: a no is a failure, an unknown an error.
pub(crate) fn junit(rows: &[Row]) -> String {
    let mut names: Vec<Option<&str>> = Vec::new();
    for row in rows {
        if !names.contains(&row.file.as_deref()) {
            names.push(row.file.as_deref());
        }
    }
    let counts = |tally: Tally| {
        format!("tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"0\"", tally.all(), tally.no, tally.unknown)
    };
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    out += &format!("<testsuites name=\"openmux check\" {}>\n", counts(Tally::of(rows)));
    for name in names {
        let cases = || rows.iter().filter(|row| row.file.as_deref() == name);
        let counts = counts(Tally::of(cases()));
        out += &format!("  <testsuite name=\"{}\" {counts}>\n", xml(name.unwrap_or("command line")));
        cases().for_each(|row| out += &case(row));
        out += "  </testsuite>\n";
    }
    out + "</testsuites>\n"
}

fn case(row: &Row) -> String {
    let at = row.provider.as_ref().map(|provider| format!(" at {provider}")).unwrap_or_default();
    let place = match (&row.file, row.line) {
        (Some(file), Some(line)) => format!(" file=\"{}\" line=\"{line}\"", xml(file)),
        _ => String::new(),
    };
    // Several of one name are told apart by what is wanted, as a list of abilities is.
    let wanted = match row.assertion.as_ref() {
        "has" | "served_by" | "serves" => format!(" {}", row.wanted.bare()),
        _ => String::new(),
    };
    let head = format!(
        "    <testcase classname=\"{}\" name=\"{}\"{place}",
        xml(&row.subject),
        xml(&format!("{}{wanted}{at}", row.assertion))
    );
    let kind = match row.verdict {
        Verdict::Ok => return format!("{head}/>\n"),
        Verdict::No => "failure",
        Verdict::Unknown(_) => "error",
    };
    let fix = row.fix.as_ref().map(|fix| format!("fix: {fix}")).unwrap_or_default();
    let (message, fix, verdict) = (xml(&row.message), xml(&fix), row.verdict.name());
    format!("{head}>\n      <{kind} type=\"{verdict}\" message=\"{message}\">{fix}</{kind}>\n    </testcase>\n")
}

/// Text of an element or an attribute; what XML cannot hold at all is shown as a sign.
fn xml(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\n' | '\r' | '\t' => out.push_str(&format!("&#{};", u32::from(c))),
            c if c < ' ' || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}
