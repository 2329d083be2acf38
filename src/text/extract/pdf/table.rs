//! Tables: cells between rules, and consecutive rows of cells that are aligned in columns.

use std::collections::BTreeMap;

use super::layout::{Cell, TextLine};
use super::words::Words;

/// A table, and the lines of the page that it is made of.
pub(super) struct Table {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) rows: Vec<Vec<String>>,
    /// Rows at the top that name the columns.
    pub(super) headers: usize,
}

/// More columns are a drawing.
const MAX_COLUMNS: usize = 40;

/// More rows are divided.
const MAX_ROWS: usize = 400;

/// The distance of rows in their size, at most. Rows of typescripts have two blank lines between.
const MAX_STEP: f64 = 4.0;

/// The lines at one height, from left to right.
struct Row<'a> {
    cells: Vec<&'a TextLine>,
    from: usize,
    to: usize,
    y: f64,
    size: f64,
}

fn rows(lines: &[TextLine]) -> Vec<Row<'_>> {
    let mut rows: Vec<Row<'_>> = Vec::new();
    for (i, line) in lines.iter().enumerate() {
        match rows.last_mut() {
            Some(row)
                if line.cell.is_none()
                    && row.cells[0].cell.is_none()
                    && (line.y - row.y).abs() < 0.35 * line.size.min(row.size)
                    && row.cells.iter().all(|cell| cell.turn == line.turn)
                    && row.cells.len() < MAX_COLUMNS =>
            {
                row.cells.push(line);
                row.to = i + 1;
            }
            _ => {
                rows.push(Row {
                    cells: vec![line],
                    from: i,
                    to: i + 1,
                    y: line.y,
                    size: line.size,
                });
            }
        }
    }
    for row in &mut rows {
        row.cells.sort_by(|a, b| a.x0.total_cmp(&b.x0));
    }
    rows
}

/// The tables of a page, in the order of its lines.
pub(super) fn tables(lines: &[TextLine], words: &Words) -> Vec<Table> {
    let rows = rows(lines);
    let mut tables = Vec::new();
    let mut i = 0;
    while i < rows.len() {
        if let Some(cell) = rows[i].cells[0].cell {
            let of_table =
                |row: &&Row<'_>| row.cells[0].cell.is_some_and(|other| other.table == cell.table);
            let n = rows[i..].iter().take_while(of_table).count();
            tables.push(ruled(&rows[i..i + n], words));
            i += n;
            continue;
        }
        if rows[i].cells.len() < 2 {
            i += 1;
            continue;
        }
        let mut end = region(&rows, i);
        while end > i + 1 {
            if let Some(table) = table(&rows[i..end], words) {
                tables.push(table);
                break;
            }
            // A list may follow the table: part them at the widest gap.
            match widest_gap(&rows[i..end]) {
                Some(n) => end = i + n,
                None => break,
            }
        }
        i = end;
    }
    tables
}

/// A table with rules: each row has one line of one cell.
fn ruled(lines: &[Row<'_>], words: &Words) -> Table {
    let mut texts: BTreeMap<(usize, usize), (Cell, String)> = BTreeMap::new();
    let (mut n_rows, mut n_columns) = (0, 0);
    for line in lines.iter().flat_map(|row| &row.cells) {
        let Some(cell) = line.cell else { continue };
        n_rows = n_rows.max(cell.row + cell.n_rows);
        n_columns = n_columns.max(cell.column + cell.n_columns);
        let (_, text) =
            texts.entry((cell.row, cell.column)).or_insert_with(|| (cell, String::new()));
        words.append(text, &line.text.replace('|', "¦"), ' ');
    }
    let mut rows = vec![vec![String::new(); n_columns]; n_rows];
    let mut n_above = 0;
    for (cell, text) in texts.into_values() {
        // A cell beside several rows, or above several columns, names each of them.
        let is_above = cell.row < 2 && cell.n_columns > 1;
        n_above = n_above.max(if is_above && cell.column > 0 { cell.row + 1 } else { 0 });
        let columns = if is_above { cell.n_columns } else { 1 };
        for row in &mut rows[cell.row..cell.row + cell.n_rows] {
            row[cell.column..cell.column + columns].fill(text.clone());
        }
    }
    rows.retain(|row| row.iter().any(|text| !text.is_empty()));
    let used: Vec<bool> =
        (0..n_columns).map(|c| rows.iter().any(|row| !row[c].is_empty())).collect();
    for row in &mut rows {
        let mut used = used.iter();
        row.retain(|_| used.next().copied().unwrap_or_default());
    }
    let n_above = n_above.min(rows.len().saturating_sub(1));
    let headers = n_above + usize::from(is_header(&rows, n_above));
    let from = lines.first().map_or(0, |row| row.from);
    Table { from, to: lines.last().map_or(from, |row| row.to), rows, headers }
}

/// The row after the widest gap between rows, if one is wider than others.
fn widest_gap(rows: &[Row<'_>]) -> Option<usize> {
    let steps = || rows.windows(2).map(|pair| pair[1].y - pair[0].y);
    let least = steps().fold(f64::INFINITY, f64::min);
    let (n, step) = steps().enumerate().max_by(|a, b| a.1.total_cmp(&b.1))?;
    (step > 1.2 * least).then_some(n + 1)
}

/// The end of the rows, from row `i`, that may be one table.
fn region(rows: &[Row<'_>], i: usize) -> usize {
    let (mut end, mut n_single, mut least) = (i + 1, 0, f64::INFINITY);
    let (mut left, mut right) = (f64::INFINITY, f64::NEG_INFINITY);
    for row in rows.get(i..).unwrap_or_default().iter().take(1) {
        left = row.cells.iter().map(|cell| cell.x0).fold(left, f64::min);
        right = row.cells.iter().map(|cell| cell.x1).fold(right, f64::max);
    }
    while end < rows.len() && end - i < MAX_ROWS {
        let (last, row) = (&rows[end - 1], &rows[end]);
        if row.cells[0].cell.is_some() {
            break;
        }
        let step = row.y - last.y;
        let is_other_size = (row.size - last.size).abs() > 0.25 * last.size;
        if step <= 0.0 || step > MAX_STEP * row.size || step > 2.4 * least || is_other_size {
            break;
        }
        if row.cells[0].turn != last.cells[0].turn {
            break;
        }
        if row.cells.len() == 1 {
            let cell = row.cells[0];
            n_single += 1;
            if n_single > 2 || cell.x1 - cell.x0 > 0.6 * (right - left) {
                break;
            }
        } else {
            n_single = 0;
            left = row.cells.iter().map(|cell| cell.x0).fold(left, f64::min);
            right = row.cells.iter().map(|cell| cell.x1).fold(right, f64::max);
        }
        least = least.min(step);
        end += 1;
    }
    // A last line in one cell belongs to the table only if it continues a cell.
    while end > i + 1 && rows[end - 1].cells.len() == 1 {
        let (last, row) = (&rows[end - 2], &rows[end - 1]);
        let is_below_inner = row.cells[0].x0 > last.cells[0].x1;
        if is_below_inner && row.y - last.y < 1.4 * row.size {
            break;
        }
        end -= 1;
    }
    end
}

/// The horizontal extent of a column.
#[derive(Clone, Copy)]
struct Column {
    x0: f64,
    x1: f64,
}

/// The columns of cells: intervals that overlap are one.
fn columns<'a>(cells: impl Iterator<Item = &'a TextLine>) -> Vec<Column> {
    let mut spans: Vec<Column> = cells.map(|cell| Column { x0: cell.x0, x1: cell.x1 }).collect();
    spans.sort_by(|a, b| a.x0.total_cmp(&b.x0));
    let mut columns: Vec<Column> = Vec::new();
    for span in spans {
        match columns.last_mut() {
            Some(column) if span.x0 < column.x1 => column.x1 = column.x1.max(span.x1),
            _ => columns.push(span),
        }
    }
    columns
}

/// The first and the last column that a cell touches, or the nearest.
fn columns_of(cell: &TextLine, columns: &[Column]) -> (usize, usize) {
    let touched = |column: &Column| cell.x0 < column.x1 && column.x0 < cell.x1;
    let first = columns.iter().position(touched);
    let last = columns.iter().rposition(touched);
    if let (Some(first), Some(last)) = (first, last) {
        return (first, last);
    }
    let middle = f64::midpoint(cell.x0, cell.x1);
    let far = |column: &Column| (f64::midpoint(column.x0, column.x1) - middle).abs();
    let nearest = (0..columns.len()).min_by(|&a, &b| far(&columns[a]).total_cmp(&far(&columns[b])));
    (nearest.unwrap_or_default(), nearest.unwrap_or_default())
}

/// The columns that a cell names from above. It is centred over them.
fn spanned(cell: &TextLine, columns: &[Column]) -> (usize, usize) {
    let middle = f64::midpoint(cell.x0, cell.x1);
    let touched = columns_of(cell, columns);
    let is_centred = |first: usize, last: usize| {
        (f64::midpoint(columns[first].x0, columns[last].x1) - middle).abs() < 0.8 * cell.size
    };
    if is_centred(touched.0, touched.1) {
        return touched;
    }
    // With the next columns on one side or on both.
    let (first, last) = touched;
    let before = first.saturating_sub(1);
    let after = (last + 1).min(columns.len() - 1);
    [(first, after), (before, last), (before, after)]
        .into_iter()
        .find(|(first, last)| is_centred(*first, *last))
        .unwrap_or(touched)
}

fn table(rows: &[Row<'_>], words: &Words) -> Option<Table> {
    let n_many = rows.iter().filter(|row| row.cells.len() > 1).count();
    let most = rows.iter().map(|row| row.cells.len()).max()?;
    if n_many < if most > 2 { 2 } else { 3 } {
        return None;
    }
    let many = rows.iter().filter(|row| row.cells.len() > 1);
    let mut found = columns(many.flat_map(|row| row.cells.iter().copied()));
    if found.len() < most {
        // A cell spans columns.
        let full = rows.iter().filter(|row| row.cells.len() == most);
        found = columns(full.flat_map(|row| row.cells.iter().copied()));
    }
    // A first row with cells between the columns spans them.
    let below = rows.iter().skip(1).filter(|row| row.cells.len() > 1);
    let of_below = columns(below.flat_map(|row| row.cells.iter().copied()));
    let is_above = rows[0].cells.len() < most && of_below.len() == most && rows.len() > 2;
    if is_above {
        found = of_below;
    }
    if found.len() < most.max(2) || found.len() > MAX_COLUMNS {
        return None;
    }
    let parted = parted(rows, &found);
    let parted: Vec<Row<'_>> = rows
        .iter()
        .zip(&parted)
        .map(|(row, cells)| Row { cells: cells.iter().collect(), ..*row })
        .collect();
    let rows = parted.as_slice();
    let (mut n_clashes, mut n_cells) = (0, 0);
    let mut spans = vec![false; rows.len()];
    let mut placed: Vec<Vec<String>> = Vec::new();
    for (r, row) in rows.iter().enumerate() {
        let mut texts = vec![String::new(); found.len()];
        for cell in &row.cells {
            let (first, last) =
                if is_above && r == 0 { spanned(cell, &found) } else { columns_of(cell, &found) };
            spans[r] |= last > first;
            n_cells += 1;
            if !texts[first].is_empty() {
                n_clashes += 1;
            }
            // A cell above several columns names each of them.
            let last = if placed.len() < 2 { last } else { first };
            for text in &mut texts[first..=last] {
                words.append(text, &cell.text.replace('|', "¦"), ' ');
            }
        }
        placed.push(texts);
    }
    let n_spanning = spans.iter().filter(|spans| **spans).count();
    if n_clashes * 5 > rows.len() || n_spanning * 3 > rows.len() {
        return None;
    }
    if n_cells * 2 < rows.len() * found.len() || is_list(&placed) || is_running_text(&placed) {
        return None;
    }
    let n_aligned = (0..found.len()).filter(|&c| is_aligned(rows, &found, c)).count();
    if n_aligned * 5 < found.len() * 4 {
        return None;
    }
    if !has_words(&placed) {
        return None;
    }
    let n_above = spans.iter().take(2).take_while(|spans| **spans).count();
    let merged = merge_wrapped(rows, placed, n_above, words);
    if merged.len() < 2 {
        return None;
    }
    let headers = n_above.min(merged.len() - 1) + usize::from(is_header(&merged, n_above));
    Some(Table { from: rows.first()?.from, to: rows.last()?.to, rows: merged, headers })
}

/// The cells of rows. Names that nearly touch are parted where the columns below them are.
fn parted(rows: &[Row<'_>], columns: &[Column]) -> Vec<Vec<TextLine>> {
    let cells_of = |cell: &TextLine| {
        let (first, last) = columns_of(cell, columns);
        let parts = cell.parts(|x0, x1| {
            columns.windows(2).any(|pair| {
                let middle = f64::midpoint(pair[0].x1, pair[1].x0);
                (x0 - 0.5 * cell.size..x1 + 0.5 * cell.size).contains(&middle)
            })
        });
        let places: Vec<_> = parts.iter().map(|part| columns_of(part, columns)).collect();
        let is_parted = places.iter().all(|(first, last)| first == last)
            && places.windows(2).all(|pair| pair[0].1 < pair[1].0);
        if last > first && is_parted { parts } else { vec![cell.clone()] }
    };
    rows.iter().map(|row| row.cells.iter().flat_map(|cell| cells_of(cell)).collect()).collect()
}

/// Whether most cells of a column begin, end or are centred at the same place.
fn is_aligned(rows: &[Row<'_>], columns: &[Column], column: usize) -> bool {
    let of_column = || {
        let cells = rows.iter().filter(|row| row.cells.len() > 1).flat_map(|row| &row.cells);
        cells.filter(|cell| columns_of(cell, columns) == (column, column))
    };
    let is_common = |place: &dyn Fn(&TextLine) -> f64| {
        let mut places: Vec<f64> = of_column().map(|cell| place(cell)).collect();
        places.sort_by(f64::total_cmp);
        let Some(middle) = places.get(places.len() / 2) else { return true };
        let near = 0.6 * rows[0].size;
        let n = places.iter().filter(|place| (*place - middle).abs() < near).count();
        n * 5 >= places.len() * 3
    };
    is_common(&|cell| cell.x0)
        || is_common(&|cell| cell.x1)
        || is_common(&|cell| f64::midpoint(cell.x0, cell.x1))
}

/// Whether the first of two columns has only the marks of items: `•`, `1.`, `(a)`, `[12]`.
fn is_list(rows: &[Vec<String>]) -> bool {
    let is_mark = |text: &String| {
        let n_chars = text.chars().count();
        let n_letters = text.chars().filter(|c| c.is_alphanumeric()).count();
        n_chars > 0 && n_chars <= 8 && n_letters <= 5 && {
            n_letters == 0 || text.ends_with(['.', ')', ']', ':'])
        }
    };
    let filled = || rows.iter().filter(|row| !row[0].is_empty());
    rows[0].len() == 2 && filled().filter(|row| is_mark(&row[0])).count() * 2 > filled().count()
}

/// Whether the cells are words and numbers. Formulas and figures are symbols.
fn has_words(rows: &[Vec<String>]) -> bool {
    let is_word = |text: &str| {
        text.split(|c: char| !c.is_alphabetic()).any(|word| word.chars().nth(2).is_some())
    };
    let filled = || rows.iter().flatten().filter(|text| !text.is_empty());
    let n = filled().count();
    let n_words = filled().filter(|text| is_word(text)).count();
    let n_numbers = filled().filter(|text| !is_word(text) && is_number(text)).count();
    n_words * 6 >= n && (n_words + n_numbers) * 3 >= n * 2
}

/// Whether both of two columns are running text.
fn is_running_text(rows: &[Vec<String>]) -> bool {
    rows[0].len() == 2
        && (0..2)
            .all(|c| rows.iter().map(|row| row[c].chars().count()).sum::<usize>() > 30 * rows.len())
}

/// Appends the further lines of a cell to its first.
fn merge_wrapped(
    rows: &[Row<'_>],
    placed: Vec<Vec<String>>,
    n_above: usize,
    words: &Words,
) -> Vec<Vec<String>> {
    let steps: Vec<f64> = rows.windows(2).map(|pair| pair[1].y - pair[0].y).collect();
    // The gap below the header says nothing about the rows.
    let widest = steps.iter().skip(n_above + 1).copied().fold(0.0, f64::max);
    let mut merged: Vec<Vec<String>> = Vec::new();
    for (i, texts) in placed.into_iter().enumerate() {
        let step = i.checked_sub(1).map_or(f64::INFINITY, |i| steps[i]);
        let n_filled = texts.iter().filter(|text| !text.is_empty()).count();
        let is_close = step < 1.45 * rows[i].size
            && step * 1.2 < widest
            && !texts.iter().any(|text| is_number(text));
        let begins_lower = texts
            .iter()
            .filter(|text| !text.is_empty())
            .all(|text| text.starts_with(|c: char| c.is_lowercase() || c == '('));
        let is_tight = step < 1.45 * rows[i].size && texts[0].is_empty() && begins_lower;
        let above = merged.last_mut().filter(|above| {
            i > n_above
                && n_filled < texts.len()
                && (is_close || is_tight)
                && texts
                    .iter()
                    .zip(above.iter())
                    .all(|(text, cell)| text.is_empty() || !cell.is_empty())
        });
        match above {
            Some(above) => {
                for (cell, text) in above.iter_mut().zip(texts).filter(|(_, text)| !text.is_empty())
                {
                    words.append(cell, &text, ' ');
                }
            }
            None => merged.push(texts),
        }
    }
    merged
}

fn is_number(text: &str) -> bool {
    let mut chars = text
        .trim_start_matches(['+', '-', '−', '–', '~', '<', '>', '≤', '≥', '(', '$', '€', '£', ' '])
        .chars();
    chars.next().is_some_and(|c| c.is_ascii_digit())
}

/// Whether row `n` names the columns below it.
fn is_header(rows: &[Vec<String>], n: usize) -> bool {
    let (Some(row), Some(below)) = (rows.get(n), rows.get(n + 1..)) else { return false };
    if below.is_empty() {
        return false;
    }
    let is_empty = |text: &String| text.is_empty();
    let others = row.iter().skip(1);
    if row[0].is_empty()
        && others.clone().filter(|text| !is_empty(text)).count() * 2 >= row.len() - 1
    {
        return below.iter().any(|row| !row[0].is_empty());
    }
    if others.clone().any(|text| is_number(text)) {
        return false;
    }
    let is_numeric = |c: usize| {
        let filled = || below.iter().filter(|row| !row[c].is_empty());
        filled().count() > 0
            && filled().filter(|row| is_number(&row[c])).count() * 2 > filled().count()
    };
    if (1..row.len()).any(|c| !row[c].is_empty() && is_numeric(c)) {
        return true;
    }
    let is_short = row.iter().all(|text| !text.is_empty() && text.chars().count() <= 30);
    row.len() > 2 && is_short && !is_number(&row[0])
}
