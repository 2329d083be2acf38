//! A table that is read cell by cell.

use super::super::rendered::Inline;

#[derive(Default)]
pub(super) struct Table {
    pub(super) rows: Vec<Vec<Inline>>,
    pub(super) row: Vec<Inline>,
    pub(super) headers: Option<usize>,
    /// Cells of the row that span further columns: the column and their number.
    pub(super) wide: Vec<(usize, usize)>,
    /// Cells that span further rows: the column, the number of rows left, the text.
    pub(super) tall: Vec<(usize, usize, Inline)>,
}

impl Table {
    /// Ends a row. A merged cell is repeated in the columns that it spans, unless it is a title of
    /// the whole table, and in the rows.
    pub(super) fn end_row(&mut self) {
        let mut row = std::mem::take(&mut self.row);
        let is_alone = row.iter().filter(|cell| !cell.is_blank()).count() < 2;
        for (column, n) in std::mem::take(&mut self.wide) {
            let Some(cell) = row.get(column).filter(|_| !is_alone).cloned() else { continue };
            let last = (column + n).min(row.len());
            row[(column + 1).min(last)..last].fill(cell);
        }
        for (column, n_left, cell) in &mut self.tall {
            if let Some(blank) = row.get_mut(*column).filter(|cell| cell.is_blank()) {
                blank.clone_from(cell);
            }
            *n_left = n_left.saturating_sub(1);
        }
        self.tall.retain(|(_, n_left, _)| *n_left > 0);
        if row.iter().any(|cell| !cell.is_blank()) {
            self.rows.push(row);
        }
    }
}
