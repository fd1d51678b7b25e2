//! Tables for people: no borders, two spaces between columns, dropped columns before cut ids. The only file that names
//! comfy-table.

use comfy_table::{CellAlignment, Table, presets};

use super::sheet::{Printed, Sheet};
use super::text::{Style, cut_middle, width};

/// The narrowest that the first column is ever cut to.
const ID_FLOOR: usize = 24;
/// Columns of this rank and above give way before the first column is cut below [`ID_WISH`].
const MINOR: u8 = 6;
/// Nine of ten ids are no wider.
const ID_WISH: usize = 44;

/// A column that may be shown: its cells for people, from top to bottom.
struct Laid {
    at: usize,
    cells: Vec<String>,
    width: usize,
}

impl Laid {
    fn new(sheet: &Sheet, at: usize) -> Self {
        let cells: Vec<String> = (0..sheet.rows.len()).map(|row| sheet.shown(row, at)).collect();
        let widest = cells.iter().map(|cell| width(cell)).max().unwrap_or(0);
        Self { at, cells, width: widest.max(width(sheet.columns[at].header)) }
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
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(columns.iter().map(|column| sheet.columns[column.at].header));
    for row in 0..sheet.rows.len() {
        table.add_row(columns.iter_mut().enumerate().map(|(place, column)| {
            let cell = std::mem::take(&mut column.cells[row]);
            if place == 0 { cut_middle(&cell, room) } else { cell }
        }));
    }
    for (place, laid) in columns.iter().enumerate() {
        if let Some(column) = table.column_mut(place) {
            column.set_padding((0, 2));
            if sheet.columns[laid.at].is_right() {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    let mut text = String::new();
    for (number, line) in table.lines().enumerate() {
        let line = line.trim_end();
        if number == 0 {
            text += &style.dim(line);
        } else {
            text += line;
        }
        text.push('\n');
    }
    hidden.reverse();
    Printed { text, hidden }
}
