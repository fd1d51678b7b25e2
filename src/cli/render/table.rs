//! Tables for people: no borders, two spaces between columns, dropped columns before cut ids.

use super::sheet::{Printed, Sheet};
use super::text::{Style, cut_middle, width};

/// The narrowest that the first column is ever cut to.
const ID_FLOOR: usize = 24;
/// Columns of this rank and above give way before the first column is cut below [`ID_WISH`].
const MINOR: u8 = 6;
/// Nine of ten ids are no wider.
const ID_WISH: usize = 44;

/// A column that may be shown: its cells for people, from top to bottom, in one text.
struct Laid {
    at: usize,
    text: String,
    /// Where each cell ends in the text, and how wide it is.
    cells: Vec<(usize, usize)>,
    width: usize,
}

impl Laid {
    fn new(sheet: &Sheet, at: usize) -> Self {
        let header = width(sheet.columns[at].header);
        Self::of((0..sheet.rows.len()).map(|row| sheet.shown(row, at)), at, header)
    }

    fn of(shown: impl ExactSizeIterator<Item = String>, at: usize, header: usize) -> Self {
        let mut laid = Self { at, text: String::new(), cells: Vec::with_capacity(shown.len()), width: header };
        for cell in shown {
            let wide = width(&cell);
            laid.text += &cell;
            laid.cells.push((laid.text.len(), wide));
            laid.width = laid.width.max(wide);
        }
        laid
    }

    /// A cell, and how wide it is.
    fn cell(&self, row: usize) -> (&str, usize) {
        let start = row.checked_sub(1).map_or(0, |before| self.cells[before].0);
        let (end, wide) = self.cells[row];
        (&self.text[start..end], wide)
    }

    /// The same with the middle cut out of whatever is wider.
    fn cut(&self, room: usize, header: usize) -> Self {
        let cells = (0..self.cells.len()).map(|row| cut_middle(self.cell(row).0, room));
        Self::of(cells, self.at, header)
    }
}

/// Renders `columns` of a list into `fits` columns of text.
pub(crate) fn render(sheet: &Sheet, columns: &[usize], fits: usize, style: Style) -> Printed {
    let mut columns: Vec<Laid> = columns.iter().map(|&at| Laid::new(sheet, at)).collect();
    let mut hidden = Vec::new();
    let needed = |columns: &[Laid], first: usize| {
        let rest: usize = columns.iter().skip(1).map(|column| column.width + 2).sum();
        first + rest
    };
    while let Some(first) = columns.first() {
        let rank = |column: &Laid| sheet.columns[column.at].rank;
        let droppable = columns.iter().enumerate().skip(1).filter(|(_, column)| rank(column) > 0);
        let Some((place, last)) = droppable.max_by_key(|(place, column)| (rank(column), *place)) else { break };
        let wish = if rank(last) >= MINOR { ID_WISH } else { ID_FLOOR };
        if needed(&columns, first.width.min(wish)) <= fits {
            break;
        }
        hidden.push(sheet.columns[last.at].header);
        columns.remove(place);
    }
    let Some(first) = columns.first() else { return Printed { text: String::new(), hidden } };
    let room = fits.saturating_sub(needed(&columns, 0)).max(ID_FLOOR.min(first.width));
    let header = |column: &Laid| sheet.columns[column.at].header;
    if first.width > room {
        columns[0] = first.cut(room, width(header(first)));
    }
    let right: Vec<bool> = columns.iter().map(|column| sheet.columns[column.at].is_right()).collect();
    let line = |text: &mut String, cell: &dyn Fn(&Laid) -> (&str, usize)| {
        for (column, right) in columns.iter().zip(&right) {
            let (cell, wide) = cell(column);
            let spaces = column.width.saturating_sub(wide);
            let (before, after) = if *right { (spaces, 2) } else { (0, spaces + 2) };
            spaced(text, before);
            text.push_str(cell);
            spaced(text, after);
        }
        text.truncate(text.trim_end_matches(' ').len());
    };
    let mut headers = String::new();
    line(&mut headers, &|column| (header(column), width(header(column))));
    let wide: usize = columns.iter().map(|column| column.width + 2).sum();
    let mut text = String::with_capacity((sheet.rows.len() + 1) * (wide + 1) + 16);
    text += &style.dim(&headers);
    text.push('\n');
    for row in 0..sheet.rows.len() {
        line(&mut text, &|column| column.cell(row));
        text.push('\n');
    }
    hidden.reverse();
    Printed { text, hidden }
}

fn spaced(text: &mut String, mut count: usize) {
    const SPACES: &str = "                                ";
    while count > 0 {
        let some = count.min(SPACES.len());
        text.push_str(&SPACES[..some]);
        count -= some;
    }
}
