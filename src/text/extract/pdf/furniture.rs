//! Running heads, feet and page numbers: the outermost lines of a page that the pages beside it
//! have at the same height.
//!
//! They are removed, because they interrupt sentences. The words of one are kept where it first
//! occurs.

use std::collections::HashSet;

use super::layout::TextLine;

/// How many levels from the edge may be a head or foot.
const MAX_LEVELS: usize = 4;

/// How far, in points, a head may move between pages.
const TOLERANCE: f64 = 4.0;

/// Pages on both sides to compare: left and right pages may have different heads.
const NEIGHBOURS: usize = 2;

/// The lines at one height.
struct Level {
    lines: Vec<usize>,
    text: String,
    /// Its text in lower case with `#` for each number.
    key: String,
    numbers: Vec<i64>,
    y: f64,
    size: f64,
}

impl Level {
    fn is_only_number(&self) -> bool {
        let words = self.key.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
        self.numbers.len().clamp(1, 2) == self.numbers.len()
            && words.clone().count() <= 2
            && words.into_iter().all(|word| {
                matches!(
                    word,
                    "page"
                        | "of"
                        | "p"
                        | "pg"
                        | "seite"
                        | "von"
                        | "sur"
                        | "de"
                        | "página"
                        | "pagina"
                )
            })
    }

    /// Whether the other, `step` pages on, is the same head or foot.
    fn recurs_in(&self, other: &Self, step: i64) -> bool {
        if self.key != other.key || (self.y - other.y).abs() > TOLERANCE {
            return false;
        }
        let counts = self.numbers.iter().zip(&other.numbers).any(|(a, b)| b - a == step);
        if self.is_only_number() {
            return counts;
        }
        if self.numbers == other.numbers {
            return self.lines.len() < 3;
        }
        // `Chapter 3` and `Chapter 4` at the top of two pages are headings.
        const NUMBERED: &[&str] = &[
            "chapter",
            "section",
            "step",
            "part",
            "lesson",
            "exercise",
            "question",
            "figure",
            "table",
            "appendix",
            "unit",
            "day",
            "week",
            "kapitel",
            "abschnitt",
            "article",
            "rule",
        ];
        let opens = self.key.split_whitespace().next().unwrap_or_default();
        counts && self.numbers.len() < 6 && !NUMBERED.contains(&opens)
    }
}

/// The first and the last levels of a page, from the edge inwards.
fn edges(lines: &[TextLine]) -> [Vec<Level>; 2] {
    let Some(turn) = lines.first().map(|line| line.turn) else { return [Vec::new(), Vec::new()] };
    let mut order: Vec<usize> =
        (0..lines.len()).filter(|&i| lines[i].turn == turn && lines[i].cell.is_none()).collect();
    order.sort_by(|&a, &b| {
        lines[a].y.total_cmp(&lines[b].y).then(lines[a].x0.total_cmp(&lines[b].x0))
    });
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for i in order {
        match groups.last_mut() {
            Some(group) if (lines[i].y - lines[group[0]].y).abs() < 0.4 * lines[i].size => {
                group.push(i);
            }
            _ => groups.push(vec![i]),
        }
    }
    let level = |group: &Vec<usize>| level(lines, group);
    [
        groups.iter().take(MAX_LEVELS).map(level).collect(),
        groups.iter().rev().take(MAX_LEVELS).map(level).collect(),
    ]
}

fn level(lines: &[TextLine], group: &[usize]) -> Level {
    let mut by_x = group.to_vec();
    by_x.sort_by(|&a, &b| lines[a].x0.total_cmp(&lines[b].x0));
    let text = by_x.iter().map(|&i| lines[i].text.as_str()).collect::<Vec<_>>().join(" ");
    let (key, numbers) = key(&text);
    let (y, size) = (lines[group[0]].y, lines[group[0]].size);
    Level { lines: by_x, text, key, numbers, y, size }
}

/// A text with `#` for its numbers, and the numbers.
fn key(text: &str) -> (String, Vec<i64>) {
    let (mut key, mut numbers) = (String::new(), Vec::new());
    let bare = text.trim_matches(|c: char| !c.is_alphanumeric());
    if let Some(number) = roman(bare) {
        return ("#".to_owned(), vec![number]);
    }
    let mut digits = String::new();
    for c in text.chars().chain(['\0']) {
        if c.is_ascii_digit() && digits.len() < 9 {
            digits.push(c);
            continue;
        }
        if !digits.is_empty() {
            numbers.push(digits.parse().unwrap_or_default());
            digits.clear();
            key.push('#');
        }
        if c != '\0' {
            key.extend(c.to_lowercase());
        }
    }
    (key, numbers)
}

/// The value of a small Roman numeral.
fn roman(text: &str) -> Option<i64> {
    if text.is_empty() || text.len() > 8 {
        return None;
    }
    let values: Vec<i64> = text
        .chars()
        .map(|c| match c {
            'i' => Some(1),
            'v' => Some(5),
            'x' => Some(10),
            'l' => Some(50),
            'c' => Some(100),
            _ => None,
        })
        .collect::<Option<_>>()?;
    let mut sum = 0;
    for (i, value) in values.iter().enumerate() {
        let is_less = values.get(i + 1).is_some_and(|next| value < next);
        sum += if is_less { -value } else { *value };
    }
    Some(sum)
}

/// Removes heads and feet. Returns, per page, those that occur for the first time.
pub(super) fn remove(pages: &mut [Vec<TextLine>], body_size: f64) -> Vec<Vec<String>> {
    let edges: Vec<[Vec<Level>; 2]> = pages.iter().map(|lines| edges(lines)).collect();
    let mut seen: HashSet<String> = HashSet::new();
    let mut first = Vec::with_capacity(pages.len());
    for (n, lines) in pages.iter_mut().enumerate() {
        let mut removed: HashSet<usize> = HashSet::new();
        let mut kept = Vec::new();
        for side in 0..2 {
            let levels = &edges[n][side];
            let n_outer = outer_levels(levels);
            for (depth, level) in levels.iter().enumerate() {
                // Further in, only small type and page numbers: text may recur, too.
                let may_be = depth < n_outer
                    || (level.size < 0.95 * body_size || level.is_only_number())
                        && outer_levels(&levels[depth..]) == 1;
                if !may_be || !is_furniture(level, n, side, &edges, body_size) {
                    break;
                }
                removed.extend(&level.lines);
                let has_words = level.key.chars().filter(|c| c.is_alphabetic()).count() >= 3;
                if has_words && !level.is_only_number() && seen.insert(level.key.clone()) {
                    kept.push(level.text.clone());
                }
            }
        }
        // The title of the document is often its head, too.
        for line in lines.iter().filter(|line| line.size > 1.15 * body_size) {
            seen.insert(key(&line.text).0);
        }
        let mut i = 0;
        lines.retain(|_| {
            i += 1;
            !removed.contains(&(i - 1))
        });
        first.push(kept);
    }
    first
}

/// The levels up to the first gap; the first only, if there is none.
fn outer_levels(levels: &[Level]) -> usize {
    let is_gap = |pair: &[Level]| (pair[0].y - pair[1].y).abs() > 1.8 * pair[0].size;
    levels.windows(2).position(is_gap).map_or(1, |last| last + 1)
}

fn is_furniture(
    level: &Level,
    n: usize,
    side: usize,
    edges: &[[Vec<Level>; 2]],
    body_size: f64,
) -> bool {
    if level.text.chars().count() > 200 {
        return false;
    }
    let from = n.saturating_sub(NEIGHBOURS);
    let to = (n + NEIGHBOURS + 1).min(edges.len());
    let n_alike = (from..to)
        .filter(|&other| other != n)
        .filter(|&other| {
            let step = other as i64 - n as i64;
            edges[other][side].iter().any(|there| level.recurs_in(there, step))
        })
        .count();
    // Slides may repeat a title.
    let is_large = level.size > 1.15 * body_size && !level.is_only_number();
    n_alike >= if is_large { 2 } else { 1 }
}
