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

/// Renders `columns` of a list into `fits` columns of text.
pub(crate) fn render(sheet: &Sheet, mut columns: Vec<usize>, fits: usize, style: Style) -> Printed {
    let wanted: Vec<bool> = (0..sheet.columns.len()).map(|at| columns.contains(&at)).collect();
    let shown = |row, at: usize| if wanted[at] { sheet.shown(row, at) } else { String::new() };
    let cells: Vec<Vec<String>> =
        (0..sheet.rows.len()).map(|row| (0..sheet.columns.len()).map(|at| shown(row, at)).collect()).collect();
    let header = |at: usize| sheet.columns[at].header;
    let widest = |at: usize| cells.iter().map(|row| width(&row[at])).chain([width(header(at))]).max().unwrap_or(0);
    let widths: Vec<usize> = (0..sheet.columns.len()).map(widest).collect();
    let mut hidden = Vec::new();
    let needed = |columns: &[usize], first: usize| {
        let rest: usize = columns.iter().skip(1).map(|&at| widths[at] + 2).sum();
        first + rest
    };
    while let Some(&first) = columns.first() {
        let droppable = columns.iter().enumerate().skip(1).filter(|&(_, &at)| sheet.columns[at].rank > 0);
        let Some((place, &at)) = droppable.max_by_key(|&(place, &at)| (sheet.columns[at].rank, place)) else { break };
        let wish = if sheet.columns[at].rank >= MINOR { ID_WISH } else { ID_FLOOR };
        if needed(&columns, widths[first].min(wish)) <= fits {
            break;
        }
        hidden.push(header(at));
        columns.remove(place);
    }
    let Some(&first) = columns.first() else { return Printed { text: String::new(), hidden } };
    let rest = needed(&columns, 0);
    let room = fits.saturating_sub(rest).max(ID_FLOOR.min(widths[first]));
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(columns.iter().map(|&at| header(at)));
    for row in &cells {
        let line = columns.iter().map(|&at| if at == first { cut_middle(&row[at], room) } else { row[at].clone() });
        table.add_row(line);
    }
    for (place, &at) in columns.iter().enumerate() {
        if let Some(column) = table.column_mut(place) {
            column.set_padding((0, 2));
            if sheet.columns[at].is_right() {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
    }
    let mut text = String::new();
    for (number, line) in table.lines().enumerate() {
        let line = line.trim_end();
        text += &if number == 0 { style.dim(line) } else { line.to_owned() };
        text.push('\n');
    }
    hidden.reverse();
    Printed { text, hidden }
}
