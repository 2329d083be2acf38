//! Groups units into passages with the lowest total cost.
//!
//! A passage costs the square of the unused share of its budget, so equal passages are cheaper than
//! full ones and a remnant. A cut costs more, the more closely related the text on both sides is.
//! Dynamic programming finds the best division in time proportional to the number of units times
//! the units per passage.

use std::ops::Range;

use super::units::{Cut, Unit};

/// Maximum units of a passage. It bounds the time for texts of many very small blocks.
const MAX_UNITS: usize = 1024;

/// Divides units into runs. `room` returns the maximum tokens of a run that starts at a unit. A
/// single unit is never divided.
pub(super) fn pack(units: &[Unit], room: impl Fn(usize) -> usize) -> Vec<Range<usize>> {
    if units.is_empty() {
        return Vec::new();
    }
    let mut sums = vec![0];
    let mut n_headings = vec![0];
    for unit in units {
        sums.push(sums[sums.len() - 1] + unit.lead + unit.tokens);
        n_headings.push(n_headings[n_headings.len() - 1] + usize::from(unit.cut == Cut::Heading));
    }
    let weight = |run: Range<usize>| sums[run.end] - sums[run.start] - units[run.start].lead;
    if weight(0..units.len()) <= room(0) && units.len() <= MAX_UNITS {
        return std::iter::once(0..units.len()).collect();
    }

    let n = units.len();
    let most = (0..n).map(&room).max().unwrap_or(0);
    // For each end, the lowest cost and the start of the last run.
    let mut best: Vec<(f64, usize)> = vec![(0.0, 0)];
    for end in 1..=n {
        let mut cheapest = (f64::INFINITY, end - 1);
        for start in (end.saturating_sub(MAX_UNITS)..end).rev() {
            let tokens = weight(start..end);
            let max = room(start);
            if tokens > max && start + 1 < end {
                if tokens > most {
                    break;
                }
                continue;
            }
            let empty = 1.0 - (tokens as f64 / max as f64).min(1.0);
            let is_only_headings = n_headings[end] - n_headings[start] == end - start;
            let mut cost =
                best[start].0 + empty * empty + if is_only_headings { 10.0 } else { 0.0 };
            if end < n {
                cost += price(units[end].cut)
                    + if units[end - 1].cut == Cut::Heading { 5.0 } else { 0.0 };
            }
            if cost < cheapest.0 {
                cheapest = (cost, start);
            }
        }
        best.push(cheapest);
    }
    let mut runs = Vec::new();
    let mut end = n;
    while end > 0 {
        let start = best[end].1;
        runs.push(start..end);
        end = start;
    }
    runs.reverse();
    runs
}

/// The cost of a cut between two units, on the scale of passages: 0.04 is a passage that is four
/// fifths full, 0.25 one that is half full.
fn price(cut: Cut) -> f64 {
    match cut {
        Cut::Block | Cut::Heading => 0.0,
        Cut::Item => 0.02,
        Cut::Announced | Cut::Listed | Cut::Stanza => 0.06,
        Cut::Sentence => 0.08,
        Cut::Line => 0.12,
        Cut::Word => 0.4,
        Cut::Char => 0.8,
    }
}
