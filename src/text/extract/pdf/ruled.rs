//! Tables with rules between their cells.

use std::collections::{BTreeMap, BTreeSet};

use super::glyphs::{Glyph, Rule};

/// A grid of rules. Lines are sorted; the outermost are its edges.
pub(super) struct Grid {
    xs: Vec<f64>,
    ys: Vec<f64>,
    across: Vec<Rule>,
    down: Vec<Rule>,
}

/// How far, in points, two rules that are one may be apart.
const NEAR: f64 = 2.5;

/// More rules are a drawing.
const MAX_RULES: usize = 3000;
const MAX_LINES: usize = 300;

/// The grids of a page that hold text in cells.
pub(super) fn grids(rules: &[Rule], glyphs: &[Glyph]) -> Vec<Grid> {
    if rules.len() > MAX_RULES {
        return Vec::new();
    }
    let mut groups: Vec<(Rule, Vec<Rule>)> = Vec::new();
    for rule in rules {
        let (mut bounds, mut members) = (*rule, vec![*rule]);
        // A rule may connect groups.
        groups.retain_mut(|(other, theirs)| {
            let touches = theirs.iter().any(|there| there.touches(rule));
            if touches {
                bounds = bounds.with(other);
                members.append(theirs);
            }
            !touches
        });
        groups.push((bounds, members));
    }
    groups.into_iter().filter_map(|(bounds, members)| grid(&bounds, &members, glyphs)).collect()
}

fn grid(bounds: &Rule, members: &[Rule], glyphs: &[Glyph]) -> Option<Grid> {
    let (across, down): (Vec<Rule>, Vec<Rule>) = members.iter().partition(|rule| rule.is_across());
    let xs = distinct(down.iter().map(|rule| rule.x0).chain([bounds.x0, bounds.x1]).collect());
    let ys = distinct(across.iter().map(|rule| rule.y0).chain([bounds.y0, bounds.y1]).collect());
    if xs.len() < 3 || ys.len() < 3 || xs.len() > MAX_LINES || ys.len() > MAX_LINES {
        return None;
    }
    // Two axes are a figure.
    if distinct(across.iter().map(|rule| rule.y0).collect()).len() < 2 || down.is_empty() {
        return None;
    }
    let grid = Grid { xs, ys, across, down };
    // Per cell, its glyphs and how many of them are letters.
    let mut filled: BTreeMap<(usize, usize), (usize, usize)> = BTreeMap::new();
    for glyph in glyphs.iter().filter(|glyph| !glyph.text.trim().is_empty()) {
        let Some(cell) = grid.cell(glyph) else { continue };
        let (n, n_letters) = filled.entry(cell).or_default();
        *n += 1;
        *n_letters += usize::from(glyph.text.contains(char::is_alphabetic));
    }
    let rows: BTreeSet<usize> = filled.keys().map(|(row, _)| *row).collect();
    let columns: BTreeSet<usize> = filled.keys().map(|(_, column)| *column).collect();
    let n_glyphs: usize = filled.values().map(|(n, _)| n).sum();
    // The labels of a figure are numbers and single letters.
    let n_words = filled.values().filter(|(_, n_letters)| *n_letters > 2).count();
    let is_text_in_cells = rows.len() > 1
        && columns.len() > 1
        && filled.len() * 3 >= rows.len() * columns.len()
        && rows.len() * 2 > grid.n_rows()
        && n_words * 4 >= filled.len()
        && n_glyphs <= 300 * filled.len();
    is_text_in_cells.then_some(grid)
}

fn distinct(mut places: Vec<f64>) -> Vec<f64> {
    places.sort_by(f64::total_cmp);
    places.dedup_by(|b, a| *b - *a < NEAR);
    places
}

impl Grid {
    pub(super) fn n_rows(&self) -> usize {
        self.ys.len() - 1
    }

    pub(super) fn n_columns(&self) -> usize {
        self.xs.len() - 1
    }

    /// Left, right and top.
    pub(super) fn bounds(&self) -> (f64, f64, f64) {
        (self.xs[0], self.xs[self.n_columns()], self.ys[0])
    }

    /// The row and column of the cell with a glyph: the first of those that the cell spans.
    pub(super) fn cell(&self, glyph: &Glyph) -> Option<(usize, usize)> {
        let (x, y) = (f64::midpoint(glyph.x0, glyph.x1), glyph.y - 0.3 * glyph.size);
        let column = self.xs.partition_point(|at| *at <= x).checked_sub(1)?;
        let row = self.ys.partition_point(|at| *at <= y).checked_sub(1)?;
        (glyph.turn == 0 && column < self.n_columns() && row < self.n_rows())
            .then(|| self.origin(row, column))
    }

    /// The first row and column of the cell that includes this one.
    pub(super) fn origin(&self, mut row: usize, mut column: usize) -> (usize, usize) {
        let x = f64::midpoint(self.xs[column], self.xs[column + 1]);
        let y = f64::midpoint(self.ys[row], self.ys[row + 1]);
        let is_edge = |at: f64, place: f64| (at - place).abs() < NEAR;
        while column > 0
            && !self
                .down
                .iter()
                .any(|rule| is_edge(rule.x0, self.xs[column]) && rule.y0 <= y && y <= rule.y1)
        {
            column -= 1;
        }
        while row > 0
            && !self
                .across
                .iter()
                .any(|rule| is_edge(rule.y0, self.ys[row]) && rule.x0 <= x && x <= rule.x1)
        {
            row -= 1;
        }
        (row, column)
    }
}
