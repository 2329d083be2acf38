//! The automatic numbers of headings, clauses and list items of Word, as Word shows them.
//!
//! A paragraph, or its style, names a list and a level. Lists with the same definition share their
//! counters, unless a list restarts a level.

use std::collections::HashMap;

use super::super::doc::NoText;
use super::super::xml::{self, Node};

/// Levels of a list.
const N_LEVELS: usize = 9;

#[derive(Clone, Debug, Default)]
struct Level {
    start: u32,
    format: String,
    /// Such as `%1.%2`.
    text: String,
    /// All numbers are decimal.
    is_legal: bool,
    /// The level restarts after this many outer levels; by default after any.
    restart: Option<usize>,
    style: Option<String>,
}

#[derive(Debug, Default)]
struct List {
    definition: String,
    /// Levels that restart when the list is first used.
    restarts: Vec<(usize, u32)>,
    levels: HashMap<usize, Level>,
    is_used: bool,
}

/// The lists of a document and their counters.
#[derive(Debug, Default)]
pub(super) struct Numbering {
    lists: HashMap<String, List>,
    definitions: HashMap<String, HashMap<usize, Level>>,
    counters: HashMap<String, [Option<u32>; N_LEVELS]>,
}

/// How a paragraph of a list begins.
#[derive(Debug, PartialEq)]
pub(super) enum Mark {
    Bullet,
    Number(String),
    /// The level shows nothing.
    Nothing,
}

impl Numbering {
    pub(super) fn read(text: &str) -> Result<Self, NoText> {
        let mut numbering = Self::default();
        // Definitions by the name of their style, and the ones that refer to such a name.
        let mut named: HashMap<String, String> = HashMap::new();
        let mut linked: Vec<(String, String)> = Vec::new();
        let (mut definition, mut list) = (String::new(), None::<String>);
        let mut current: Option<(usize, Level)> = None;
        let mut overridden = 0;
        xml::walk(text, &mut |node| {
            let element = match node {
                Node::Open(element) => element,
                Node::Close("lvl") => {
                    if let Some((n, level)) = current.take() {
                        let levels = match &list {
                            Some(id) => numbering.lists.get_mut(id).map(|list| &mut list.levels),
                            None => numbering.definitions.get_mut(&definition),
                        };
                        levels.map(|levels| levels.insert(n, level));
                    }
                    return true;
                }
                Node::Close("num") => {
                    list = None;
                    return true;
                }
                _ => return true,
            };
            let value = element.get("val").unwrap_or_default();
            let number = |name: &str| {
                element.get(name).and_then(|n| n.parse().ok()).filter(|n| *n < N_LEVELS)
            };
            match element.name.as_str() {
                "abstractNum" => {
                    element.get("abstractNumId").unwrap_or_default().clone_into(&mut definition);
                    numbering.definitions.entry(definition.clone()).or_default();
                }
                "styleLink" => drop(named.insert(value.to_owned(), definition.clone())),
                "numStyleLink" => linked.push((definition.clone(), value.to_owned())),
                "num" => {
                    let id = element.get("numId").unwrap_or_default().to_owned();
                    numbering.lists.entry(id.clone()).or_default();
                    list = Some(id);
                }
                "abstractNumId" => {
                    if let Some(list) = list.as_ref().and_then(|id| numbering.lists.get_mut(id)) {
                        value.clone_into(&mut list.definition);
                    }
                }
                "lvlOverride" => overridden = number("ilvl").unwrap_or(0),
                "startOverride" => {
                    if let Some(list) = list.as_ref().and_then(|id| numbering.lists.get_mut(id)) {
                        list.restarts.push((overridden, value.parse().unwrap_or(1)));
                    }
                }
                "lvl" => {
                    let level = Level { format: "decimal".into(), ..Level::default() };
                    current = number("ilvl").map(|n| (n, level));
                }
                name => {
                    if let Some((_, level)) = &mut current {
                        match name {
                            "start" => level.start = value.parse().unwrap_or(1),
                            "numFmt" => value.clone_into(&mut level.format),
                            "lvlText" => value.clone_into(&mut level.text),
                            "isLgl" => level.is_legal = !matches!(value, "0" | "false"),
                            "lvlRestart" => level.restart = value.parse().ok(),
                            "pStyle" => level.style = Some(value.to_owned()),
                            _ => {}
                        }
                    }
                }
            }
            true
        })?;
        for (definition, name) in linked {
            let levels = named.get(&name).and_then(|other| numbering.definitions.get(other));
            if let Some(levels) = levels.cloned() {
                numbering.definitions.insert(definition, levels);
            }
        }
        Ok(numbering)
    }

    /// The level of a list that belongs to a style.
    pub(super) fn level_of_style(&self, list: &str, style: &str) -> Option<usize> {
        let list = self.lists.get(list)?;
        let levels = list.levels.iter().chain(self.definitions.get(&list.definition)?);
        levels.filter(|(_, level)| level.style.as_deref() == Some(style)).map(|(n, _)| *n).min()
    }

    /// Counts the next paragraph of a list.
    pub(super) fn next(&mut self, list: &str, n: usize) -> Option<Mark> {
        let n = n.min(N_LEVELS - 1);
        let list = self.lists.get_mut(list)?;
        let definition = self.definitions.get(&list.definition)?;
        let level = |n: usize| list.levels.get(&n).or_else(|| definition.get(&n));
        let start = |n: usize| level(n).map_or(1, |level| level.start);
        let current = level(n)?.clone();
        let counters = self.counters.entry(list.definition.clone()).or_default();
        if !list.is_used {
            for (n, start) in &list.restarts {
                counters[*n] = start.checked_sub(1);
                if *start == 0 {
                    counters[*n] = None;
                }
            }
        }
        counters[n] = Some(counters[n].map_or(start(n), |count| count.saturating_add(1)));
        for (outer, count) in counters.iter_mut().enumerate().take(n) {
            count.get_or_insert(start(outer));
        }
        for (inner, count) in counters.iter_mut().enumerate().skip(n + 1) {
            let restart = level(inner).and_then(|level| level.restart);
            if restart.is_none_or(|outer| outer > n) {
                *count = None;
            }
        }
        let mark = match current.format.as_str() {
            "bullet" => Mark::Bullet,
            _ => {
                let format = |outer: usize| match level(outer) {
                    Some(level) if !current.is_legal || level.format == "decimalZero" => {
                        level.format.as_str()
                    }
                    _ => "decimal",
                };
                let shown = |n: usize| numeral(counters[n].unwrap_or(1), format(n));
                let text = filled(&current.text, &shown);
                if text.is_empty() { Mark::Nothing } else { Mark::Number(text) }
            }
        };
        list.is_used = true;
        Some(mark)
    }
}

/// The text of a level with its numbers.
fn filled(text: &str, shown: &dyn Fn(usize) -> String) -> String {
    let mut out = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let digit = chars.peek().and_then(|c| c.to_digit(10)).filter(|n| (1..=9).contains(n));
        match (c, digit) {
            ('%', Some(digit)) => {
                chars.next();
                out.push_str(&shown(digit as usize - 1));
            }
            _ => out.push(c),
        }
    }
    out.trim().to_owned()
}

/// A number in a format of Word.
pub(super) fn numeral(n: u32, format: &str) -> String {
    match format {
        "none" => String::new(),
        "decimalZero" => format!("{n:02}"),
        "upperRoman" => roman(n),
        "lowerRoman" => roman(n).to_lowercase(),
        "upperLetter" => letters(n),
        "lowerLetter" => letters(n).to_lowercase(),
        "ordinal" => {
            let suffix = match (n % 10, n % 100) {
                (_, 11..=13) => "th",
                (1, _) => "st",
                (2, _) => "nd",
                (3, _) => "rd",
                _ => "th",
            };
            format!("{n}{suffix}")
        }
        _ => n.to_string(),
    }
}

/// `A` to `Z`, then `AA` to `ZZ`, as Word counts.
fn letters(n: u32) -> String {
    let Some(n) = n.checked_sub(1).filter(|n| *n < 780) else { return n.to_string() };
    let letter = char::from(b'A' + (n % 26) as u8);
    std::iter::repeat_n(letter, (n / 26 + 1) as usize).collect()
}

fn roman(n: u32) -> String {
    const SIGNS: [(u32, &str); 13] = [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ];
    if !(1..4000).contains(&n) {
        return n.to_string();
    }
    let (mut left, mut out) = (n, String::new());
    for (value, sign) in SIGNS {
        while left >= value {
            out.push_str(sign);
            left -= value;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(n: usize, format: &str, text: &str) -> String {
        format!(
            "<w:lvl w:ilvl='{n}'><w:start w:val='1'/><w:numFmt w:val='{format}'/><w:lvlText \
             w:val='{text}'/></w:lvl>"
        )
    }

    #[track_caller]
    fn check(numbering: &mut Numbering, list: &str, level: usize, expected: &str) {
        assert_eq!(numbering.next(list, level), Some(Mark::Number(expected.into())));
    }

    #[test]
    fn levels_count_and_restart() {
        let levels = [
            level(0, "upperRoman", "%1."),
            level(1, "decimal", "%1.%2"),
            level(2, "lowerLetter", "(%3)"),
            level(3, "bullet", "x"),
        ];
        let source = format!(
            "<w:numbering><w:abstractNum w:abstractNumId='4'>{}</w:abstractNum><w:num \
             w:numId='1'><w:abstractNumId w:val='4'/></w:num><w:num w:numId='2'><w:abstractNumId \
             w:val='4'/><w:lvlOverride w:ilvl='0'><w:startOverride \
             w:val='7'/></w:lvlOverride></w:num></w:numbering>",
            levels.concat()
        );
        let mut numbering = Numbering::read(&source).unwrap();
        check(&mut numbering, "1", 0, "I.");
        check(&mut numbering, "1", 1, "I.1");
        check(&mut numbering, "1", 1, "I.2");
        check(&mut numbering, "1", 2, "(a)");
        check(&mut numbering, "1", 2, "(b)");
        check(&mut numbering, "1", 0, "II.");
        check(&mut numbering, "1", 2, "(a)");
        assert_eq!(numbering.next("1", 3), Some(Mark::Bullet));
        check(&mut numbering, "2", 0, "VII.");
        check(&mut numbering, "2", 0, "VIII.");
        assert_eq!(numbering.next("9", 0), None);
    }

    #[test]
    fn numerals_have_the_form_that_word_shows() {
        assert_eq!((letters(1), letters(27), letters(53)), ("A".into(), "AA".into(), "AAA".into()));
        assert_eq!((roman(4), roman(1999)), ("IV".into(), "MCMXCIX".into()));
        let ordinals = [1, 2, 3, 11, 22].map(|n| numeral(n, "ordinal"));
        assert_eq!(ordinals, ["1st", "2nd", "3rd", "11th", "22nd"]);
        assert_eq!(numeral(7, "decimalZero"), "07");
    }
}
