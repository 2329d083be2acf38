//! Glyphs become lines, lines columns, and columns are read one after another.
//!
//! Glyphs that follow each other on one base line are a run, in the order in which the page draws them: what an author
//! wrote together is drawn together. Runs on one base line that nearly touch are one line. A band of lines that share
//! a free strip from top to bottom, with running text on both sides, stands in columns; all else is read from top to
//! bottom.

use super::glyphs::Glyph;

/// A line of one column.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) x0: f64,
    pub(super) x1: f64,
    pub(super) y: f64,
    pub(super) size: f64,
}

/// The lines of a page in the order in which they are read.
pub(super) fn lines(mut glyphs: Vec<Glyph>) -> Vec<Line> {
    let mut read = Vec::new();
    // Most pages have one direction; a stamp in the margin is read after the text.
    let mut turns: Vec<(usize, i32)> =
        (0..4).map(|turn| (glyphs.iter().filter(|glyph| glyph.turn == turn).count(), turn)).collect();
    turns.sort_by_key(|(n, turn)| (std::cmp::Reverse(*n), *turn));
    for (n, turn) in turns {
        if n == 0 {
            continue;
        }
        let (of_turn, rest) = glyphs.into_iter().partition(|glyph| glyph.turn == turn);
        glyphs = rest;
        let rows = rows(joined(runs(of_turn)));
        order(&rows, 0, &mut read);
    }
    read
}

/// Glyphs that follow each other on a base line.
struct Run {
    glyphs: Vec<Glyph>,
    x0: f64,
    x1: f64,
    y: f64,
    size: f64,
}

impl Run {
    fn of(glyph: Glyph) -> Self {
        let (x0, x1, y, size) = (glyph.x0, glyph.x1, glyph.y, glyph.size);
        Self { glyphs: vec![glyph], x0, x1, y, size }
    }

    fn take(&mut self, glyphs: impl IntoIterator<Item = Glyph>) {
        for glyph in glyphs {
            self.x0 = self.x0.min(glyph.x0);
            self.x1 = self.x1.max(glyph.x1);
            self.size = self.size.max(glyph.size);
            self.glyphs.push(glyph);
        }
    }

    /// Whether both stand on about one base line; an exponent stands somewhat off it.
    fn is_level_with(&self, y: f64, size: f64) -> bool {
        let far = (self.y - y).abs();
        far < 0.25 * self.size.min(size)
            || (far < 0.55 * self.size.max(size) && size.min(self.size) < 0.85 * size.max(self.size))
    }
}

fn runs(glyphs: Vec<Glyph>) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for glyph in glyphs {
        let is_blank = glyph.text.trim().is_empty();
        if let Some(run) = runs.last_mut() {
            let last = &run.glyphs[run.glyphs.len() - 1];
            // Bold that is made by drawing twice.
            let is_again = last.text == glyph.text
                && (last.x0 - glyph.x0).abs() < 0.1 * glyph.size
                && (last.y - glyph.y).abs() < 0.1 * glyph.size;
            if is_again && !is_blank {
                continue;
            }
            let gap = if glyph.x0 >= last.x0 { glyph.x0 - last.x1 } else { last.x0 - glyph.x1 };
            // Text that runs to the left steps back from glyph to glyph.
            let goes_on = (-0.5..1.2).contains(&(gap / run.size.max(glyph.size)))
                && (glyph.x0 >= last.x0 - 0.3 * glyph.size
                    || is_right_to_left(&glyph.text)
                    || is_right_to_left(&last.text));
            if goes_on && run.is_level_with(glyph.y, glyph.size) {
                run.take([glyph]);
                continue;
            }
        }
        if !is_blank {
            runs.push(Run::of(glyph));
        }
    }
    runs
}

/// Puts runs together that nearly touch, whatever the order in which they were drawn.
fn joined(mut runs: Vec<Run>) -> Vec<Run> {
    runs.sort_by(|a, b| a.y.total_cmp(&b.y).then(a.x0.total_cmp(&b.x0)));
    let mut done: Vec<Run> = Vec::new();
    for run in runs {
        /// Runs of the lines right above: how far back one that is level can stand.
        const BACK: usize = 24;
        let near = done.iter_mut().rev().take(BACK).find(|other| {
            let gap = if run.x0 >= other.x0 { run.x0 - other.x1 } else { other.x0 - run.x1 };
            other.is_level_with(run.y, run.size) && (-1.0..0.7).contains(&(gap / run.size.max(other.size)))
        });
        match near {
            Some(other) => {
                if run.size > 1.2 * other.size {
                    other.y = run.y;
                }
                other.take(run.glyphs);
            }
            None => done.push(run),
        }
    }
    done
}

/// Lines from top to bottom.
fn rows(runs: Vec<Run>) -> Vec<Line> {
    let mut lines: Vec<Line> = runs.into_iter().map(line).filter(|line| !line.text.is_empty()).collect();
    lines.sort_by(|a, b| a.y.total_cmp(&b.y).then(a.x0.total_cmp(&b.x0)));
    lines
}

fn line(run: Run) -> Line {
    let mut glyphs = run.glyphs;
    let n_left = glyphs.iter().filter(|glyph| is_right_to_left(&glyph.text)).count();
    let runs_left = n_left * 2 > glyphs.iter().filter(|glyph| glyph.text.contains(char::is_alphabetic)).count();
    glyphs.sort_by(|a, b| a.x0.total_cmp(&b.x0));
    if runs_left && n_left > 0 {
        glyphs.reverse();
        // Numbers and words of other scripts run to the right within it.
        let mut i = 0;
        while i < glyphs.len() {
            let n =
                glyphs[i..].iter().take_while(|glyph| glyph.text.contains(|c: char| c.is_ascii_alphanumeric())).count();
            glyphs[i..i + n].reverse();
            i += n.max(1);
        }
    }
    let mut text = String::new();
    for (i, glyph) in glyphs.iter().enumerate() {
        if let Some(last) = i.checked_sub(1).map(|i| &glyphs[i]) {
            let gap = if glyph.x0 >= last.x0 { glyph.x0 - last.x1 } else { last.x0 - glyph.x1 };
            if gap > 0.15 * glyph.size.min(last.size) && !text.ends_with(' ') {
                text.push(' ');
            }
        }
        for c in glyph.text.chars() {
            push(&mut text, c);
        }
    }
    Line { text: text.trim().to_owned(), x0: run.x0, x1: run.x1, y: run.y, size: common_size(&glyphs) }
}

/// The size of most glyphs.
fn common_size(glyphs: &[Glyph]) -> f64 {
    let mut sizes: Vec<f64> = glyphs.iter().map(|glyph| glyph.size).collect();
    sizes.sort_by(f64::total_cmp);
    sizes.get(sizes.len() / 2).copied().unwrap_or_default()
}

/// Ligatures are letters, all spaces are one space, and an accent that stands by itself joins its letter.
fn push(text: &mut String, c: char) {
    let letters = match c {
        '\u{FB00}' => "ff",
        '\u{FB01}' => "fi",
        '\u{FB02}' => "fl",
        '\u{FB03}' => "ffi",
        '\u{FB04}' => "ffl",
        '\u{FB05}' | '\u{FB06}' => "st",
        '\u{AD}' => "-",
        c if c.is_whitespace() => {
            if !text.ends_with(' ') {
                text.push(' ');
            }
            return;
        }
        _ => {
            if let Some(accent) = text.chars().next_back().and_then(combining)
                && c.is_alphabetic()
                && let Some(whole) = unicode_normalization::char::compose(plain_letter(c), accent)
            {
                text.pop();
                text.push(whole);
                return;
            }
            text.push(c);
            return;
        }
    };
    text.push_str(letters);
}

fn plain_letter(c: char) -> char {
    match c {
        '\u{131}' => 'i',
        '\u{237}' => 'j',
        c => c,
    }
}

/// The combining form of an accent that TeX draws before its letter. The marks of ASCII are not among them: they are
/// characters by themselves.
fn combining(c: char) -> Option<char> {
    Some(match c {
        '\u{B4}' => '\u{301}',
        '\u{A8}' => '\u{308}',
        '\u{2C6}' => '\u{302}',
        '\u{2DC}' => '\u{303}',
        '\u{2C7}' => '\u{30C}',
        '\u{2DA}' => '\u{30A}',
        '\u{2D8}' => '\u{306}',
        '\u{B8}' => '\u{327}',
        _ => return None,
    })
}

fn is_right_to_left(text: &str) -> bool {
    text.chars().any(|c| matches!(c, '\u{590}'..='\u{8FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFF}'))
}

/// A free strip between two columns.
#[derive(Clone, Copy)]
struct Strip {
    from: f64,
    to: f64,
}

/// Columns within columns are looked for so deep.
const MAX_DEPTH: usize = 4;

/// Pages of more lines than this are drawings and tables, where looking for columns takes long and finds none.
const MAX_LINES: usize = 3000;

/// Appends lines, sorted from top to bottom, in the order in which they are read.
fn order(lines: &[Line], depth: usize, read: &mut Vec<Line>) {
    if depth == MAX_DEPTH || lines.len() > MAX_LINES {
        read.extend_from_slice(lines);
        return;
    }
    let mut i = 0;
    while i < lines.len() {
        let Some((end, strip)) = band(&lines[i..]) else {
            read.push(lines[i].clone());
            i += 1;
            continue;
        };
        let middle = f64::midpoint(strip.from, strip.to);
        let (left, right): (Vec<Line>, Vec<Line>) =
            lines[i..i + end].iter().cloned().partition(|line| f64::midpoint(line.x0, line.x1) < middle);
        order(&left, depth + 1, read);
        order(&right, depth + 1, read);
        i += end;
    }
}

/// The longest band of lines, from the first, that stands in columns: its length and the widest strip.
fn band(lines: &[Line]) -> Option<(usize, Strip)> {
    let size = lines.first()?.size;
    let narrow = 0.7 * size;
    let mut free = vec![Strip { from: f64::NEG_INFINITY, to: f64::INFINITY }];
    let mut end = 0;
    for line in lines {
        let mut next = Vec::with_capacity(free.len() + 1);
        for strip in &free {
            for part in
                [Strip { to: strip.to.min(line.x0), ..*strip }, Strip { from: strip.from.max(line.x1), ..*strip }]
            {
                if part.to - part.from >= narrow {
                    next.push(part);
                }
            }
        }
        // Two parts of a strip that the line does not touch are the strip itself, twice.
        next.dedup_by(|b, a| a.from == b.from && a.to == b.to);
        let is_inner = |strip: &Strip| {
            let so_far = &lines[..=end];
            so_far.iter().any(|line| line.x1 <= strip.from) && so_far.iter().any(|line| line.x0 >= strip.to)
        };
        let had_inner = free.iter().any(|strip| strip.from.is_finite() && strip.to.is_finite());
        let has_inner = next.iter().any(is_inner);
        if had_inner && !has_inner && end > 0 && stands_in_columns(&lines[..end], &free).is_some() {
            break;
        }
        if next.is_empty() || (!has_inner && next.iter().all(|s| s.from.is_infinite() && s.to.is_infinite())) {
            break;
        }
        free = next;
        end += 1;
    }
    stands_in_columns(&lines[..end], &free).map(|strip| (end, strip))
}

/// The widest strip with running text on both sides.
fn stands_in_columns(lines: &[Line], free: &[Strip]) -> Option<Strip> {
    /// Lines on either side, and their usual length in ems: less is a table, which is read by rows.
    const LEAST_LINES: usize = 3;
    const LEAST_EMS: f64 = 9.0;
    let runs_on = |side: &dyn Fn(&Line) -> bool| {
        let mut widths: Vec<f64> = lines.iter().filter(|line| side(line)).map(|l| (l.x1 - l.x0) / l.size).collect();
        widths.sort_by(f64::total_cmp);
        widths.len() >= LEAST_LINES && widths[widths.len() / 2] >= LEAST_EMS
    };
    let mut strips: Vec<Strip> = free.iter().copied().filter(|s| s.from.is_finite() && s.to.is_finite()).collect();
    strips.retain(|strip| runs_on(&|line| line.x1 <= strip.from) && runs_on(&|line| line.x0 >= strip.to));
    strips.into_iter().max_by(|a, b| (a.to - a.from).total_cmp(&(b.to - b.from)))
}
