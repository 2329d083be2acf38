//! Groups glyphs into lines and lines into columns, in reading order.
//!
//! Consecutive glyphs on one base line are a run, in drawing order: text that was written together
//! is drawn together. Runs on one base line that nearly touch are one line. A band of lines with a
//! common free strip from top to bottom and running text on both sides has columns. All other lines
//! are read from top to bottom.

use std::collections::{BTreeMap, HashMap};

use super::glyphs::{Glyph, Rule};
use super::letters::{is_right_to_left, push};
use super::ruled::{Grid, grids};

/// A line of one column.
#[derive(Clone, Debug)]
pub(super) struct TextLine {
    pub(super) text: String,
    pub(super) x0: f64,
    pub(super) x1: f64,
    pub(super) y: f64,
    pub(super) size: f64,
    /// Rotation in quarter turns.
    pub(super) turn: i32,
    /// The cell of a table with rules.
    pub(super) cell: Option<Cell>,
    /// Gaps between words that may part cells: the offset after it in the text, and its ends.
    pub(super) gaps: Vec<(usize, f64, f64)>,
}

impl TextLine {
    /// The parts between the gaps that `is_parting` accepts.
    pub(super) fn parts(&self, is_parting: impl Fn(f64, f64) -> bool) -> Vec<Self> {
        let mut parts = Vec::new();
        let (mut from, mut x0) = (0, self.x0);
        let ends = self.gaps.iter().filter(|(_, x0, x1)| is_parting(*x0, *x1)).copied();
        for (to, x1, next) in ends.chain([(self.text.len(), self.x1, self.x1)]) {
            let text = self.text.get(from..to).unwrap_or_default().trim().to_owned();
            parts.push(Self { text, x0, x1, gaps: Vec::new(), ..*self });
            (from, x0) = (to, next);
        }
        parts
    }
}

/// A cell of a table with rules: it spans `rows` and `columns` from the first of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    /// The number of the table on its page.
    pub(super) table: usize,
    pub(super) row: usize,
    pub(super) column: usize,
    pub(super) n_rows: usize,
    pub(super) n_columns: usize,
}

/// The lines of a page in reading order.
pub(super) fn lines(glyphs: Vec<Glyph>, rules: &[Rule]) -> Vec<TextLine> {
    let mut glyphs = without_repeats(glyphs);
    let mut read = Vec::new();
    let (tables, mut stands) = (ruled_tables(&mut glyphs, rules), Vec::new());
    for (table, lines) in tables.iter().enumerate().filter(|(_, table)| !table.1.is_empty()) {
        let (x0, x1, y) = lines.0.bounds();
        let (text, size) = (String::new(), lines.1[0].size);
        let cell = Cell { table, row: 0, column: 0, n_rows: 0, n_columns: 0 };
        stands.push(TextLine {
            text,
            x0,
            x1,
            y,
            size,
            turn: 0,
            cell: Some(cell),
            gaps: Vec::new(),
        });
    }
    // Most pages have one direction. A stamp in the margin is read after the text.
    let mut turns: Vec<(usize, i32)> = (0..4)
        .map(|turn| (glyphs.iter().filter(|glyph| glyph.turn == turn).count(), turn))
        .collect();
    turns.sort_by_key(|(n, turn)| (std::cmp::Reverse(*n), *turn));
    for (n, turn) in turns {
        if n == 0 && (turn != 0 || stands.is_empty()) {
            continue;
        }
        let (of_turn, rest) = glyphs.into_iter().partition(|glyph| glyph.turn == turn);
        glyphs = rest;
        let mut rows = rows(join(runs(of_turn)));
        if turn == 0 {
            rows.append(&mut stands);
            rows.sort_by(|a, b| a.y.total_cmp(&b.y).then(a.x0.total_cmp(&b.x0)));
        }
        order(&rows, 0, &mut read);
    }
    // Each table is read at its place in the page.
    let mut tables: Vec<Vec<TextLine>> = tables.into_iter().map(|(_, lines)| lines).collect();
    read.into_iter()
        .flat_map(|line| match line.cell {
            Some(cell) => std::mem::take(&mut tables[cell.table]),
            None => vec![line],
        })
        .collect()
}

/// Takes the glyphs of tables with rules: the lines of each, cell by cell.
fn ruled_tables(glyphs: &mut Vec<Glyph>, rules: &[Rule]) -> Vec<(Grid, Vec<TextLine>)> {
    let mut tables = Vec::new();
    for (table, grid) in grids(rules, glyphs).into_iter().enumerate() {
        let mut cells: BTreeMap<(usize, usize), Vec<Glyph>> = BTreeMap::new();
        glyphs.retain(|glyph| match grid.cell(glyph) {
            Some(cell) => {
                cells.entry(cell).or_default().push(glyph.clone());
                false
            }
            None => true,
        });
        let mut lines = Vec::new();
        for ((row, column), glyphs) in cells {
            let is_same = |r: usize, c: usize| grid.origin(r, c) == (row, column);
            let n_rows = (row..grid.n_rows()).take_while(|r| is_same(*r, column)).count();
            let n_columns = (column..grid.n_columns()).take_while(|c| is_same(row, *c)).count();
            let cell = Some(Cell { table, row, column, n_rows, n_columns });
            let of_cell = rows(join(runs(glyphs)));
            lines.extend(of_cell.into_iter().map(|line| TextLine { cell, ..line }));
        }
        tables.push((grid, lines));
    }
    tables
}

/// Leaves out glyphs that are drawn again at about the same place, as bold type, shadows and the
/// labels of forms are.
fn without_repeats(glyphs: Vec<Glyph>) -> Vec<Glyph> {
    let mut drawn = Drawn::default();
    for glyph in glyphs {
        if glyph.text.trim().is_empty() || !drawn.has(&glyph, NEAR) {
            drawn.add(glyph);
        } else {
            drawn.drop_start_of_repeat(&glyph);
        }
    }
    drawn.kept
}

/// How near a repeated glyph is, in its size.
const NEAR: f64 = 0.12;

/// How near the first letter of a repeated word may be, where both words are spaced differently.
const LESS_NEAR: f64 = 0.36;

/// The glyphs of a page so far, and their index by place.
#[derive(Default)]
struct Drawn {
    kept: Vec<Glyph>,
    seen: HashMap<(i64, i64), Vec<usize>>,
}

impl Drawn {
    /// The side of a cell of the index, in points.
    const CELL: f64 = 6.0;

    fn add(&mut self, glyph: Glyph) {
        self.seen.entry(Self::cell(&glyph)).or_default().push(self.kept.len());
        self.kept.push(glyph);
    }

    fn cell(glyph: &Glyph) -> (i64, i64) {
        ((glyph.x0 / Self::CELL).floor() as i64, (glyph.y / Self::CELL).floor() as i64)
    }

    /// Whether another glyph is the same as this one.
    fn has(&self, glyph: &Glyph, near: f64) -> bool {
        let cells = |at: f64, reach: f64| {
            ((at - reach) / Self::CELL).floor() as i64..=((at + reach) / Self::CELL).floor() as i64
        };
        let reach = (2.0 * near * glyph.size).min(3.0 * Self::CELL);
        cells(glyph.x0, reach)
            .flat_map(|x| cells(glyph.y, reach).map(move |y| (x, y)))
            .filter_map(|cell| self.seen.get(&cell))
            .flat_map(|there| there.iter().rev().take(16))
            .any(|&i| {
                let other: &Glyph = &self.kept[i];
                other.text == glyph.text
                    && other.turn == glyph.turn
                    && (other.x0 - glyph.x0).abs() < near * glyph.size
                    && (other.y - glyph.y).abs() < 1.5 * near * glyph.size
                    && (other.size - glyph.size).abs() < near * glyph.size
            })
    }

    /// Drops the last glyph, if it is the first letter of a word that `glyph` shows to be a repeat.
    fn drop_start_of_repeat(&mut self, glyph: &Glyph) {
        let Some(last) = self.kept.last().cloned() else { return };
        let is_start = (last.x1 - glyph.x0).abs() < 0.2 * glyph.size && last.y == glyph.y;
        if !is_start || last.text.trim().is_empty() {
            return;
        }
        let cell = self.seen.entry(Self::cell(&last)).or_default();
        cell.pop();
        self.kept.pop();
        if !self.has(&last, LESS_NEAR) {
            self.add(last);
        }
    }
}

/// Consecutive glyphs on a base line.
struct Run {
    glyphs: Vec<Glyph>,
    x0: f64,
    x1: f64,
    y: f64,
    size: f64,
}

impl Run {
    fn new(glyph: Glyph) -> Self {
        let (x0, x1, y, size) = (glyph.x0, glyph.x1, glyph.y, glyph.size);
        Self { glyphs: vec![glyph], x0, x1, y, size }
    }

    fn take(&mut self, glyphs: impl IntoIterator<Item = Glyph>) {
        for glyph in glyphs {
            // A line may begin with the raised mark of a note.
            if glyph.size > 1.2 * self.size {
                self.y = glyph.y;
            }
            self.x0 = self.x0.min(glyph.x0);
            self.x1 = self.x1.max(glyph.x1);
            self.size = self.size.max(glyph.size);
            self.glyphs.push(glyph);
        }
    }

    /// Whether both are on about the same base line; an exponent is slightly off it.
    fn is_level_with(&self, y: f64, size: f64) -> bool {
        let far = (self.y - y).abs();
        far < 0.25 * self.size.min(size)
            || (far < 0.55 * self.size.max(size)
                && size.min(self.size) < 0.85 * size.max(self.size))
    }
}

fn runs(glyphs: Vec<Glyph>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for glyph in glyphs {
        let is_blank = glyph.text.trim().is_empty();
        if let Some(run) = runs.last_mut() {
            let last = &run.glyphs[run.glyphs.len() - 1];
            let gap = if glyph.x0 >= last.x0 { glyph.x0 - last.x1 } else { last.x0 - glyph.x1 };
            // Right-to-left text moves back from glyph to glyph.
            let continues = (-0.5..1.2).contains(&(gap / run.size.max(glyph.size)))
                && (glyph.x0 >= last.x0 - 0.3 * glyph.size
                    || is_right_to_left(&glyph.text)
                    || is_right_to_left(&last.text));
            if continues && run.is_level_with(glyph.y, glyph.size) {
                run.take([glyph]);
                continue;
            }
        }
        if !is_blank {
            runs.push(Run::new(glyph));
        }
    }
    runs
}

/// Joins runs that nearly touch, in any drawing order.
fn join(mut runs: Vec<Run>) -> Vec<Run> {
    runs.sort_by(|a, b| a.y.total_cmp(&b.y).then(a.x0.total_cmp(&b.x0)));
    let mut done: Vec<Run> = Vec::new();
    for run in runs {
        /// How many runs back, in the lines directly above, one at the same level may be.
        const BACK: usize = 24;
        let near = done.iter_mut().rev().take(BACK).find(|other| {
            let gap = if run.x0 >= other.x0 { run.x0 - other.x1 } else { other.x0 - run.x1 };
            // A heading beside a line of another column is no nearer for its size.
            let size = run.size.min(other.size);
            other.is_level_with(run.y, run.size)
                && gap < 0.7 * size
                && gap >= -run.size.max(other.size)
        });
        match near {
            Some(other) => {
                other.take(run.glyphs);
            }
            None => done.push(run),
        }
    }
    done
}

/// The lines from top to bottom.
fn rows(runs: Vec<Run>) -> Vec<TextLine> {
    let mut lines: Vec<TextLine> =
        runs.into_iter().map(line).filter(|line| !line.text.is_empty()).collect();
    lines.sort_by(|a, b| a.y.total_cmp(&b.y).then(a.x0.total_cmp(&b.x0)));
    lines
}

fn line(run: Run) -> TextLine {
    let mut glyphs = run.glyphs;
    let n_left = glyphs.iter().filter(|glyph| is_right_to_left(&glyph.text)).count();
    let runs_left =
        n_left * 2 > glyphs.iter().filter(|glyph| glyph.text.contains(char::is_alphabetic)).count();
    glyphs.sort_by(|a, b| a.x0.total_cmp(&b.x0));
    if runs_left && n_left > 0 {
        glyphs.reverse();
        // Numbers and words of other scripts run to the right.
        let mut i = 0;
        while i < glyphs.len() {
            let n = glyphs[i..]
                .iter()
                .take_while(|glyph| glyph.text.contains(|c: char| c.is_ascii_alphanumeric()))
                .count();
            glyphs[i..i + n].reverse();
            i += n.max(1);
        }
    }
    let (size, y) = (common_size(&glyphs), base_line(&glyphs));
    let typed = typed_spacing(&glyphs);
    if typed.is_some() {
        glyphs.retain(|glyph| !glyph.text.trim().is_empty());
    }
    let spaced = typed.map_or_else(|| letter_spacing(&glyphs), |gap| vec![Some(gap); glyphs.len()]);
    let (mut text, mut gaps) = (String::new(), Vec::new());
    let mut last_shown: Option<&Glyph> = None;
    for (i, glyph) in glyphs.iter().enumerate() {
        let is_blank = glyph.text.trim().is_empty();
        if let Some(last) = last_shown.filter(|_| !is_blank && spaced[i].is_none())
            && gap(last, glyph) > WIDE_GAP * glyph.size
        {
            gaps.push((text.len(), last.x1, glyph.x0));
        }
        last_shown = if is_blank { last_shown } else { Some(glyph) };
        if let Some(last) = i.checked_sub(1).map(|i| &glyphs[i]) {
            let least = spaced[i].unwrap_or(0.15 * glyph.size.min(last.size));
            let is_apart = gap(last, glyph) > least || is_note_mark(&text, last, glyph, y, size);
            if is_apart && !text.ends_with(' ') {
                text.push(' ');
            }
        }
        for c in glyph.text.chars() {
            push(&mut text, c);
        }
    }
    TextLine {
        text: text.trim().to_owned(),
        x0: run.x0,
        x1: run.x1,
        y: run.y,
        size,
        turn: glyphs.first().map_or(0, |glyph| glyph.turn),
        cell: None,
        gaps,
    }
}

/// A gap that may part cells, in the size of the type. Justified text has some that are as wide.
const WIDE_GAP: f64 = 0.8;

/// The free space between two glyphs.
fn gap(last: &Glyph, glyph: &Glyph) -> f64 {
    if glyph.x0 >= last.x0 { glyph.x0 - last.x1 } else { last.x0 - glyph.x1 }
}

/// For each glyph of a word in spaced letters, the gap before it that ends the word.
///
/// Five or more single letters with the same gap between them are such words. Spaces part them, or
/// wider gaps.
fn letter_spacing(glyphs: &[Glyph]) -> Vec<Option<f64>> {
    const LEAST_LETTERS: usize = 5;
    let mut limits = vec![None; glyphs.len()];
    let letters: Vec<usize> =
        (0..glyphs.len()).filter(|&i| !glyphs[i].text.trim().is_empty()).collect();
    let has_blank = |n: usize| letters[n] > letters[n - 1] + 1;
    let gap_before = |n: usize| gap(&glyphs[letters[n - 1]], &glyphs[letters[n]]);
    let is_spaced = |n: usize| {
        let gap = gap_before(n) / glyphs[letters[n]].size;
        (0.12..if has_blank(n) { 3.0 } else { 1.2 }).contains(&gap)
    };
    let mut n = 1;
    while n < letters.len() {
        let end = (n..letters.len()).find(|&n| !is_spaced(n)).unwrap_or(letters.len());
        // The glyphs at the ends are single letters only if nothing else is beside them.
        let from = if n > 1 { n + 1 } else { n };
        let to = if end < letters.len() { end.saturating_sub(1) } else { end };
        let mut gaps: Vec<f64> =
            (from..to.max(from)).filter(|&n| !has_blank(n)).map(gap_before).collect();
        gaps.sort_by(f64::total_cmp);
        let is_letter = |n: &usize| glyphs[letters[*n]].text.contains(char::is_alphabetic);
        let n_letters = (from - 1..to).filter(is_letter).count();
        if gaps.len() + 1 >= LEAST_LETTERS
            && n_letters >= LEAST_LETTERS
            && n_letters * 4 >= (to + 1 - from) * 3
        {
            // Kerning varies the gap a little; a space adds a quarter of the size.
            let limit = gaps[gaps.len() / 3] + 0.16 * glyphs[letters[from]].size;
            if gaps.iter().filter(|gap| **gap <= limit).count() * 3 >= gaps.len() * 2 {
                for n in from..to {
                    limits[letters[n]] = Some(limit);
                }
            }
        }
        n = end.max(n) + 1;
    }
    limits
}

/// The gap between words of a line in which a space was typed after each letter, and more between
/// words: `L I S T   O F   N O T E S`.
fn typed_spacing(glyphs: &[Glyph]) -> Option<f64> {
    const LEAST_LETTERS: usize = 6;
    let letters: Vec<usize> =
        (0..glyphs.len()).filter(|&i| !glyphs[i].text.trim().is_empty()).collect();
    let pairs = || letters.windows(2).map(|pair| (&glyphs[pair[0]], &glyphs[pair[1]]));
    let is_capital = |letter: &&usize| glyphs[**letter].text.chars().all(char::is_uppercase);
    if letters.len() < LEAST_LETTERS
        || letters.iter().filter(is_capital).count() < letters.len()
        || letters.windows(2).any(|pair| pair[1] == pair[0] + 1)
    {
        return None;
    }
    let mut gaps: Vec<f64> = pairs().map(|(last, next)| gap(last, next)).collect();
    let is_after_one = |pair: &[f64], limit: f64| pair.iter().all(|gap| *gap > limit);
    let least = gaps.iter().copied().fold(f64::INFINITY, f64::min);
    let limit = 1.7 * least;
    // Words of one letter are labels.
    let has_short_word = gaps.windows(2).any(|pair| is_after_one(pair, limit));
    gaps.retain(|gap| *gap > limit);
    (!gaps.is_empty() && gaps.len() * 2 < letters.len() && !has_short_word).then_some(limit)
}

/// The base line of most glyphs.
fn base_line(glyphs: &[Glyph]) -> f64 {
    let size = common_size(glyphs);
    let mut ys: Vec<f64> =
        glyphs.iter().filter(|glyph| glyph.size > 0.9 * size).map(|glyph| glyph.y).collect();
    ys.sort_by(f64::total_cmp);
    ys.get(ys.len() / 2).copied().unwrap_or_default()
}

/// Whether a space parts two glyphs because one is the raised mark of a note: `fee` and `1`. Units
/// and powers are short words and numbers.
fn is_note_mark(text: &str, last: &Glyph, glyph: &Glyph, y: f64, size: f64) -> bool {
    let is_raised = |glyph: &Glyph| glyph.size < 0.85 * size && glyph.y < y - 0.15 * size;
    let is_mark = |glyph: &Glyph| {
        is_raised(glyph) && glyph.text.contains(|c: char| c.is_ascii_digit() || "*†‡§¶".contains(c))
    };
    if is_mark(glyph) && !is_raised(last) {
        let word = text.rsplit(|c: char| !c.is_alphabetic()).next().unwrap_or_default();
        let is_unit = matches!(word, "min" | "sec" | "mol" | "rad" | "log" | "sin" | "cos" | "tan");
        return word.chars().count() > 2 && !is_unit
            || text.ends_with(['.', ',', ';', ':', '!', '?', '"', '”', '’', ')', '»'])
                && text.chars().rev().nth(1).is_some_and(char::is_alphabetic);
    }
    is_mark(last)
        && !is_raised(glyph)
        && glyph.text.contains(char::is_alphabetic)
        && (text.len() <= 3 || text.ends_with(char::is_numeric))
}

/// The median size of glyphs.
fn common_size(glyphs: &[Glyph]) -> f64 {
    let mut sizes: Vec<f64> = glyphs.iter().map(|glyph| glyph.size).collect();
    sizes.sort_by(f64::total_cmp);
    sizes.get(sizes.len() / 2).copied().unwrap_or_default()
}

/// A free strip between two columns.
#[derive(Clone, Copy)]
struct Strip {
    from: f64,
    to: f64,
}

impl Strip {
    /// Whether there are lines on both sides: each end is the edge of a line, or infinite.
    fn is_inner(&self) -> bool {
        self.from.is_finite() && self.to.is_finite()
    }
}

/// Deeper nested columns are not detected.
const MAX_DEPTH: usize = 4;

/// Pages with more lines are drawings and tables: searching them for columns takes long and finds
/// none.
const MAX_LINES: usize = 3000;

/// Minimum lines on each side of a strip, half of them long. With fewer it is a table, which is
/// read by rows.
const LEAST_LINES: usize = 3;
const LEAST_LONG: usize = LEAST_LINES.div_ceil(2);

/// A band with more free strips is a table.
const MAX_STRIPS: usize = 32;

/// Whether a line is as long as running text in a narrow column.
fn is_long(line: &TextLine) -> bool {
    const LEAST_EMS: f64 = 9.0;
    (line.x1 - line.x0) / line.size >= LEAST_EMS
}

/// Appends lines, which are sorted from top to bottom, in reading order.
fn order(lines: &[TextLine], depth: usize, read: &mut Vec<TextLine>) {
    if depth == MAX_DEPTH || lines.len() > MAX_LINES {
        read.extend_from_slice(lines);
        return;
    }
    let below = below(lines);
    let mut i = 0;
    while i < lines.len() {
        let Some((end, strip)) = band(&lines[i..], &below[i]) else {
            read.push(lines[i].clone());
            i += 1;
            continue;
        };
        let middle = f64::midpoint(strip.from, strip.to);
        let (left, right): (Vec<TextLine>, Vec<TextLine>) = lines[i..i + end]
            .iter()
            .cloned()
            .partition(|line| f64::midpoint(line.x0, line.x1) < middle);
        order(&left, depth + 1, read);
        order(&right, depth + 1, read);
        i += end;
    }
}

/// A line and all below it.
#[derive(Clone, Copy)]
struct Below {
    leftmost: f64,
    rightmost: f64,
    /// Number of lines as long as running text.
    n_long: usize,
}

fn below(lines: &[TextLine]) -> Vec<Below> {
    let mut so_far = Below { leftmost: f64::INFINITY, rightmost: f64::NEG_INFINITY, n_long: 0 };
    let mut below = vec![so_far; lines.len()];
    for (below, line) in below.iter_mut().zip(lines).rev() {
        so_far.leftmost = so_far.leftmost.min(line.x0);
        so_far.rightmost = so_far.rightmost.max(line.x1);
        so_far.n_long += usize::from(is_long(line));
        *below = so_far;
    }
    below
}

/// The longest band of lines, from the first, with columns: its length and the widest strip.
///
/// The search ends early where no column is possible: a table of 3,000 numbers or a figure with as
/// many labels took half a minute when the whole page was searched from each line.
fn band(lines: &[TextLine], below: &Below) -> Option<(usize, Strip)> {
    if below.n_long < 2 * LEAST_LONG {
        return None;
    }
    let size = lines.first()?.size;
    let narrow = 0.7 * size;
    let mut free = vec![Strip { from: f64::NEG_INFINITY, to: f64::INFINITY }];
    let mut end = 0;
    for line in lines {
        let mut next = Vec::with_capacity(free.len() + 1);
        for strip in &free {
            for part in [
                Strip { to: strip.to.min(line.x0), ..*strip },
                Strip { from: strip.from.max(line.x1), ..*strip },
            ] {
                // A line inside it may leave a strip on its other side.
                let is_divisible = part.is_inner()
                    || part.from < below.rightmost - narrow && part.to > below.leftmost + narrow;
                if part.to - part.from >= narrow && is_divisible {
                    next.push(part);
                }
            }
        }
        // A strip that the line does not touch appears twice.
        next.dedup_by(|b, a| a.from == b.from && a.to == b.to);
        if next.len() > MAX_STRIPS {
            next.sort_by(|a, b| (b.to - b.from).total_cmp(&(a.to - a.from)));
            next.truncate(MAX_STRIPS);
        }
        let had_inner = free.iter().any(Strip::is_inner);
        let has_inner = next.iter().any(Strip::is_inner);
        if had_inner && !has_inner && end > 0 && column_strip(&lines[..end], &free).is_some() {
            break;
        }
        if next.is_empty()
            || (!has_inner && next.iter().all(|s| s.from.is_infinite() && s.to.is_infinite()))
        {
            break;
        }
        free = next;
        end += 1;
    }
    column_strip(&lines[..end], &free).map(|strip| (end, strip))
}

/// The widest strip with running text on both sides.
fn column_strip(lines: &[TextLine], free: &[Strip]) -> Option<Strip> {
    let is_text = |side: &dyn Fn(&TextLine) -> bool| {
        let of_side = || lines.iter().filter(|line| side(line));
        let (n, n_long) = (of_side().count(), of_side().filter(|line| is_long(line)).count());
        n >= LEAST_LINES && n - n_long <= n / 2
    };
    let mut strips: Vec<Strip> = free.iter().copied().filter(Strip::is_inner).collect();
    strips.retain(|strip| {
        is_text(&|line| line.x1 <= strip.from) && is_text(&|line| line.x0 >= strip.to)
    });
    strips.into_iter().max_by(|a, b| (a.to - a.from).total_cmp(&(b.to - b.from)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn glyphs(text: &str, x: f64, y: f64, size: f64) -> impl Iterator<Item = Glyph> {
        text.chars().enumerate().map(move |(n, c)| {
            let x0 = x + 0.5 * size * n as f64;
            Glyph { text: c.to_string(), x0, x1: x0 + 0.5 * size, y, size, turn: 0 }
        })
    }

    /// A page of columns, each a list of lines at the same heights.
    fn read(columns: &[(f64, &[&str])], size: f64) -> Vec<String> {
        let column = |(x, texts): &(f64, &[&str])| {
            let x = *x;
            let line = |(n, text): (usize, &&str)| {
                glyphs(text, x, 1.2 * size * n as f64, size).collect::<Vec<_>>()
            };
            texts.iter().enumerate().flat_map(line).collect::<Vec<_>>()
        };
        lines(columns.iter().flat_map(column).collect(), &[])
            .into_iter()
            .map(|line| line.text)
            .collect()
    }

    #[test]
    fn columns_of_text_are_read_one_after_another_and_tables_by_rows() {
        let left = [
            "the keeper of the light counts",
            "every ship that enters the bay",
            "and writes its name in a book",
            "before he goes to bed at dawn",
        ];
        let right = [
            "the ferry crosses four times a",
            "day and carries bread and mail",
            "to the people on the far shore",
            "who wave to it from their pier",
        ];
        assert_eq!(read(&[(50.0, &left), (250.0, &right)], 10.0), [left, right].concat());
        let numbers = ["1.0", "2.0", "3.0", "4.0"];
        let rows = read(&[(50.0, &numbers), (100.0, &numbers), (150.0, &numbers)], 10.0);
        assert_eq!(
            rows,
            ["1.0", "1.0", "1.0", "2.0", "2.0", "2.0", "3.0", "3.0", "3.0", "4.0", "4.0", "4.0"]
        );
    }

    /// A page of numbers, and one of labels, with a few lines of text.
    #[test]
    fn tables_and_figures_are_read_fast() {
        let column: Vec<&str> = vec!["0.123"; 60];
        let mut table: Vec<(f64, &[&str])> =
            (0..17).map(|n| (20.0 + 31.0 * f64::from(n), &column[..])).collect();
        let mut last = vec![""; 62];
        last.extend(["a caption that says what the numbers of the table above it are about"; 6]);
        table.push((20.0, &last));
        let read = read(&table, 4.0);
        assert_eq!(read.iter().filter(|text| *text == "0.123").count(), 17 * 60);
        assert_eq!(read.iter().filter(|text| text.starts_with("a caption")).count(), 6);
        let label = |n: u32| {
            let (x, y) = (f64::from(n * 7919 % 500), f64::from(n * 104_729 % 700));
            glyphs("p12", x, y, 3.0)
        };
        let labels = lines((0..2500).flat_map(label).collect(), &[]);
        assert!(labels.len() > 1000, "{}", labels.len());
    }
}
