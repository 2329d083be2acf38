//! The numbers of headings and list items of `OpenDocument`, as a reader sees them.

use std::collections::HashMap;

use super::super::xml::Element;
use super::numbering::numeral;

/// Levels of a list style.
const N_LEVELS: usize = 10;

/// How the items of a level begin.
#[derive(Clone, Debug, Default)]
struct Level {
    is_bullet: bool,
    /// `1`, `a`, `A`, `i`, `I` or nothing.
    format: String,
    prefix: String,
    suffix: String,
    /// The number of levels that are shown.
    shown: usize,
    /// Such as `%1%.%2%`, which replaces prefix, suffix and the number of levels.
    pattern: Option<String>,
    start: usize,
}

type Counters = [usize; N_LEVELS];

/// The name of the style of headings.
const OUTLINE: &str = "\0outline";

/// The list styles and the open lists of a document.
#[derive(Debug, Default)]
pub(super) struct Lists {
    styles: HashMap<String, HashMap<usize, Level>>,
    /// The list style that is being defined.
    defined: String,
    /// The styles of the open lists, and whether an item began that has no paragraph yet.
    open: Vec<(String, bool)>,
    counters: Counters,
    outline: Counters,
    /// Counters of the lists that ended, by style.
    ended: HashMap<String, Counters>,
    restart: Option<usize>,
}

impl Lists {
    /// Reads an element of a list style.
    pub(super) fn define(&mut self, element: &Element) {
        let get = |name: &str| element.get(name).unwrap_or_default();
        let is_bullet = match element.name.as_str() {
            "list-style" => {
                get("style:name").clone_into(&mut self.defined);
                return;
            }
            "outline-style" => {
                OUTLINE.clone_into(&mut self.defined);
                return;
            }
            "list-level-style-bullet" | "list-level-style-image" => true,
            "list-level-style-number" | "outline-level-style" => false,
            _ => return,
        };
        let number = |name: &str| element.get(name).and_then(|n| n.parse::<usize>().ok());
        let Some(n) = number("text:level").filter(|n| (1..=N_LEVELS).contains(n)) else { return };
        let level = Level {
            is_bullet,
            format: get("style:num-format").to_owned(),
            prefix: get("style:num-prefix").to_owned(),
            suffix: get("style:num-suffix").to_owned(),
            shown: number("text:display-levels").unwrap_or(1).clamp(1, n),
            pattern: element.get("loext:num-list-format").map(str::to_owned),
            start: number("text:start-value").unwrap_or(1),
        };
        self.styles.entry(self.defined.clone()).or_default().insert(n - 1, level);
    }

    pub(super) fn end_style(&mut self) {
        self.defined.clear();
    }

    pub(super) fn begin(&mut self, list: &Element) {
        let outer = self.open.last().map(|(style, _)| style.clone());
        let style = list.get("text:style-name").map(str::to_owned).or_else(|| outer.clone());
        let style = style.unwrap_or_default();
        if outer.is_none() {
            let continues = list.get("text:continue-numbering") == Some("true")
                || list.get("text:continue-list").is_some();
            let counters = self.ended.get(&style).copied().filter(|_| continues);
            self.counters = counters.unwrap_or_default();
        }
        self.open.push((style, false));
    }

    pub(super) fn end(&mut self) {
        if let Some((style, _)) = self.open.pop()
            && self.open.is_empty()
        {
            self.ended.insert(style, self.counters);
        }
    }

    pub(super) fn begin_item(&mut self, start: Option<usize>) {
        if let Some((_, begins)) = self.open.last_mut() {
            *begins = true;
        }
        self.restart = start;
    }

    pub(super) fn end_item(&mut self) {
        if let Some((_, begins)) = self.open.last_mut() {
            *begins = false;
        }
    }

    /// The number of lists around the innermost one.
    pub(super) fn depth(&self) -> Option<usize> {
        self.open.len().checked_sub(1)
    }

    /// The bullet, as `-`, or the number of the next paragraph, which may be a heading.
    pub(super) fn mark(&mut self, heading: Option<usize>) -> Option<String> {
        if let Some((_, begins)) = self.open.last_mut() {
            if !std::mem::take(begins) {
                return None;
            }
            let n = (self.open.len() - 1).min(N_LEVELS - 1);
            let style = self.open.last().map_or("", |(style, _)| style.as_str());
            let restart = self.restart.take();
            return label(self.styles.get(style), &mut self.counters, n, restart)
                .or_else(|| Some("-".to_owned()));
        }
        let n = heading?.checked_sub(1).filter(|n| *n < N_LEVELS)?;
        label(self.styles.get(OUTLINE), &mut self.outline, n, None)
            .filter(|label| !label.is_empty() && label != "-")
    }
}

/// Counts an item; `None` if the style does not define the level.
fn label(
    style: Option<&HashMap<usize, Level>>,
    counters: &mut Counters,
    n: usize,
    restart: Option<usize>,
) -> Option<String> {
    let style = style?;
    let level = style.get(&n)?;
    let start = |n: usize| style.get(&n).map_or(1, |level| level.start);
    counters[n] = match (restart, counters[n]) {
        (Some(restart), _) => restart,
        (None, 0) => start(n),
        (None, count) => count.saturating_add(1),
    };
    for (outer, count) in counters.iter_mut().enumerate().take(n) {
        if *count == 0 {
            *count = start(outer);
        }
    }
    counters[n + 1..].fill(0);
    if level.is_bullet {
        return Some("-".to_owned());
    }
    let shown = |n: usize| {
        let format = match style.get(&n).map_or("1", |level| level.format.as_str()) {
            "" => "none",
            "a" => "lowerLetter",
            "A" => "upperLetter",
            "i" => "lowerRoman",
            "I" => "upperRoman",
            _ => "decimal",
        };
        numeral(u32::try_from(counters[n]).unwrap_or(u32::MAX), format)
    };
    if level.format.is_empty() {
        return Some(format!("{}{}", level.prefix, level.suffix).trim().to_owned());
    }
    if let Some(pattern) = &level.pattern {
        let mut text = pattern.clone();
        for outer in (0..=n).rev() {
            text = text.replace(&format!("%{}%", outer + 1), &shown(outer));
        }
        return Some(text.trim().to_owned());
    }
    let numbers: Vec<String> =
        (n + 1 - level.shown..=n).map(shown).filter(|number| !number.is_empty()).collect();
    Some(format!("{}{}{}", level.prefix, numbers.join("."), level.suffix).trim().to_owned())
}
