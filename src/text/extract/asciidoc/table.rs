//! Tables of `AsciiDoc`.

use super::super::rendered::Inline;
use super::{Reader, is_left_out};

/// Columns or rows that a cell spans.
const MAX_SPAN: usize = 100;

/// A cell, and how many columns and rows it spans.
struct Cell {
    text: Inline,
    columns: usize,
    rows: usize,
}

impl Reader<'_> {
    pub(super) fn table(&mut self, first: usize, fence: &str) -> usize {
        let mut end = first + 1;
        while end < self.lines.len() && self.lines.content(end).trim_end() != fence {
            end += 1;
        }
        let separator = fence.chars().next().unwrap_or('|');
        let is_csv = separator == ','
            || self.options.contains("format=csv")
            || self.options.contains("format=\"csv\"");
        let separator = if is_csv { ',' } else { separator };
        let mut columns = columns(&self.options);
        let mut cells: Vec<Cell> = Vec::new();
        let first_row = (first + 1..end).find(|i| !self.lines.is_blank(*i));
        // The span of the next cell stands before its separator.
        let mut span = (1, 1, 1);
        for i in first + 1..end {
            let line = self.lines.content(i);
            if is_left_out(line) {
                continue;
            }
            let before = cells.len();
            self.cells(line, self.lines.start(i), separator, is_csv, &mut span, &mut cells);
            if columns == 0 && Some(i) == first_row {
                columns = cells[before..].iter().map(|cell| cell.columns).sum();
            }
        }
        // The first row is the header if it has a line to itself and an empty line follows.
        let is_first_above_gap = first_row
            .is_some_and(|row| row == first + 1 && self.lines.is_blank(row + 1) && row + 1 < end);
        let has_header = self.options.contains("header") || is_first_above_gap;
        let is_whole_row = first_row.is_some() && has_header;
        let rows = placed(cells, columns.max(1));
        let headers =
            usize::from(is_whole_row && !self.options.contains("noheader") && rows.len() > 1);
        self.out.table(headers, rows);
        (end + 1).min(self.lines.len())
    }

    /// Adds the cells of a line; text before the first separator continues the last cell.
    fn cells(
        &self,
        line: &str,
        at: usize,
        separator: char,
        is_csv: bool,
        span: &mut (usize, usize, usize),
        cells: &mut Vec<Cell>,
    ) {
        let mut start = 0;
        for (nth, piece) in line.split(separator).enumerate() {
            let offset = at + start;
            start += piece.len() + separator.len_utf8();
            if nth == 0 && !is_csv {
                // The style of the first cell, such as `2+` or `a`, is not text.
                if is_cell_style(piece) {
                    *span = spans(piece);
                } else if let Some(cell) = cells.last_mut() {
                    let trimmed = piece.trim_start();
                    let item = trimmed.strip_prefix("* ").or_else(|| trimmed.strip_prefix("- "));
                    let text = item.unwrap_or(piece);
                    cell.text.insert(if item.is_some() { "; " } else { " " }, offset, 0);
                    self.inline(text, offset + piece.len() - text.len(), &mut cell.text);
                }
                continue;
            }
            let (mut text, mut next) = (piece, (1, 1, 1));
            if !is_csv
                && start < line.len()
                && let Some((before, style)) = piece.rsplit_once(' ')
                && !style.is_empty()
                && is_cell_style(style)
                && style.contains(['+', '*', '.', '^', '<', '>'])
            {
                (text, next) = (before, spans(style));
            }
            let mut content = Inline::default();
            self.inline(
                text.trim_matches('"'),
                offset + usize::from(text.starts_with('"')),
                &mut content,
            );
            let (columns, rows, copies) = std::mem::replace(span, next);
            for _ in 0..copies {
                cells.push(Cell { text: content.clone(), columns, rows });
            }
        }
    }
}

/// The rows of cells. A cell that spans rows or columns is repeated in them, unless it is a title
/// of the whole table.
fn placed(cells: Vec<Cell>, columns: usize) -> Vec<Vec<Inline>> {
    let mut rows: Vec<Vec<Inline>> = Vec::new();
    let mut row: Vec<Inline> = Vec::new();
    // For each column the cell from above, and how many more rows it spans.
    let mut above: Vec<(usize, Inline)> = vec![(0, Inline::default()); columns];
    for cell in cells {
        fill(&mut row, &mut above);
        if row.len() >= columns {
            rows.push(std::mem::take(&mut row));
            fill(&mut row, &mut above);
        }
        for nth in 0..cell.columns.min(columns) {
            let is_title = cell.columns >= columns && nth > 0;
            let text = if is_title { Inline::default() } else { cell.text.clone() };
            if let Some(place) = above.get_mut(row.len()) {
                *place = (cell.rows - 1, text.clone());
            }
            row.push(text);
        }
        fill(&mut row, &mut above);
        if row.len() >= columns {
            rows.push(std::mem::take(&mut row));
        }
    }
    if !row.is_empty() {
        rows.push(row);
    }
    rows
}

/// Adds the cells that reach down from the rows above.
fn fill(row: &mut Vec<Inline>, above: &mut [(usize, Inline)]) {
    while let Some((n, text)) = above.get_mut(row.len()).filter(|(n, _)| *n > 0) {
        *n -= 1;
        row.push(text.clone());
    }
}

/// The columns and rows that a cell spans, and how often it is repeated: `2.3+`, `4*`.
fn spans(style: &str) -> (usize, usize, usize) {
    let style = style.trim();
    let number = |text: &str| text.parse().unwrap_or(1).clamp(1, MAX_SPAN);
    if let Some((copies, _)) = style.split_once('*') {
        return (1, 1, number(copies));
    }
    let Some((spans, _)) = style.split_once('+') else { return (1, 1, 1) };
    let (columns, rows) = spans.split_once('.').unwrap_or((spans, ""));
    (number(columns), number(rows), 1)
}

/// The number of columns that the options of a table state; 0 when they do not.
fn columns(options: &str) -> usize {
    let Some((_, rest)) = options.split_once("cols=") else { return 0 };
    let list = match rest.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().unwrap_or_default(),
        None => rest.split(',').next().unwrap_or_default(),
    };
    let count = |column: &str| match column.trim().split_once('*') {
        Some((n, _)) => n.parse().unwrap_or(1_usize).min(1000),
        None => match column.trim().parse::<usize>() {
            Ok(n) if !list.contains(',') && n < 100 && !rest.starts_with('"') => n,
            _ => 1,
        },
    };
    list.split([',', ';']).map(count).sum()
}

fn is_cell_style(text: &str) -> bool {
    let text = text.trim();
    text.len() <= 8 && text.chars().all(|c| c.is_ascii_digit() || "+*.^<>adehlms".contains(c))
}
