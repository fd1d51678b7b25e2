//! Pages that were laid out for 78 columns, on narrower terminals.

use super::text::{width, wrap};

/// The same words in lines of at most `columns`, as far as they have spaces.
pub(crate) fn narrow(text: &str, columns: usize) -> String {
    let laid_out = text.lines().map(width).max().unwrap_or_default();
    if laid_out <= columns {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let mut whole = line.to_owned();
        let hang = hang(line);
        // What was broken because the next word did not fit is one text.
        let mut last = width(line);
        while let Some(next) = lines.next_if(|next| goes_on(next, hang, last, laid_out)) {
            whole = format!("{whole} {}", next.trim_start());
            last = width(next);
        }
        for part in broken(&whole, hang, columns) {
            out += part.trim_end();
            out.push('\n');
        }
    }
    out
}

/// Each line by itself in lines of at most `columns`, as far as it has spaces.
pub(crate) fn each_line(text: &str, columns: usize) -> String {
    let lines = text.lines().flat_map(|line| broken(line, hang(line), columns));
    lines.map(|line| line.trim_end().to_owned() + "\n").collect()
}

/// Where the text of a line begins: behind its indent, or behind terms with at least two spaces after each.
fn hang(line: &str) -> usize {
    let indent = line.len() - line.trim_start().len();
    let text = line.trim_end().rfind("  ").map_or(0, |at| at + 2);
    text.max(indent)
}

/// Whether a line is the rest of the one before it.
fn goes_on(next: &str, at: usize, last: usize, laid_out: usize) -> bool {
    let text = next.trim_start();
    let first = text.split(' ').next().unwrap_or_default();
    !text.is_empty()
        && next.len() - text.len() == at
        && !text.contains("  ")
        && last + 1 + width(first) > laid_out.saturating_sub(3)
}

/// A line in as many as it takes.
fn broken(line: &str, hang: usize, columns: usize) -> Vec<String> {
    if width(line) <= columns {
        return vec![line.to_owned()];
    }
    let (term, text) = line.split_at_checked(hang).unwrap_or(("", line));
    // A term that takes half of the line, or leaves no room for a word of its text, stands above it.
    let longest = text.split(' ').map(width).max().unwrap_or_default();
    let (above, indent) = if hang * 2 > columns || (hang > 0 && hang + longest > columns) {
        (Some(term), 6.min(columns / 4))
    } else {
        (None, hang)
    };
    let room = columns.saturating_sub(indent).max(12);
    let start = term.len() - term.trim_start().len();
    let terms = wrap(above.unwrap_or_default(), columns.saturating_sub(start).max(12));
    let mut lines: Vec<String> = terms.into_iter().map(|part| " ".repeat(start) + &part).collect();
    for (at, part) in wrap(text, room).into_iter().enumerate() {
        let before = if at == 0 && above.is_none() { term.to_owned() } else { " ".repeat(indent) };
        lines.push(before + &part);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_and_terms_keep_their_shape() {
        let page = "Flags win over variables; an empty variable counts as\nunset.\n\n  price   the exact price of the \
                    request, with\n          tiers and fees\n  OPENMUX_A\n      what it is\n";
        insta::assert_snapshot!(narrow(page, 30), @r"
        Flags win over variables; an
        empty variable counts as
        unset.

          price   the exact price of
                  the request, with
                  tiers and fees
          OPENMUX_A
              what it is
        ");
        assert_eq!(narrow(page, 80), page);
    }
}
