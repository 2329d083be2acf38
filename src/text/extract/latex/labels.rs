//! What references of a document show: the numbers that LaTeX gives to sections, figures, tables,
//! equations, theorems and items of lists. Numbers that depend on other files are not known.

use std::collections::HashMap;

use super::super::rendered::Inline;
use super::language::{Theorem, is_german};
use super::names::is_code;
use super::source::{group, name_len, option, skip_options};
use crate::strings::{StrExt as _, capitalised};

/// Larger documents have their labels in brackets.
const MAX_LABELS: usize = 20_000;

/// The labels of a document, and the numbers of its captions.
#[derive(Default)]
pub(super) struct Labels {
    by_name: HashMap<String, Target>,
    /// By the offset of the command: `Figure 3`.
    captions: HashMap<usize, String>,
    is_german: bool,
}

#[derive(Clone)]
struct Target {
    kind: Kind,
    number: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Kind {
    Chapter,
    Section,
    Figure,
    Table,
    Equation,
    Item,
    /// The name that the document gives to it.
    Theorem(String),
}

impl Kind {
    fn word(&self, is_german: bool) -> &str {
        match (self, is_german) {
            (Self::Chapter, false) => "chapter",
            (Self::Chapter, true) => "Kapitel",
            (Self::Section, false) => "section",
            (Self::Section, true) => "Abschnitt",
            (Self::Figure, false) => "figure",
            (Self::Figure, true) => "Abbildung",
            (Self::Table, false) => "table",
            (Self::Table, true) => "Tabelle",
            (Self::Equation, false) => "equation",
            (Self::Equation, true) => "Gleichung",
            (Self::Item, false) => "item",
            (Self::Item, true) => "Punkt",
            (Self::Theorem(name), _) => name,
        }
    }
}

/// Where the text of a whole document begins.
pub(super) fn body(source: &str) -> Option<usize> {
    let begin = "\\begin{document}";
    source.find(begin).map(|at| at + begin.len())
}

/// Whether a command refers to labels.
pub(super) fn is_reference(name: &str) -> bool {
    matches!(name, "ref" | "eqref" | "pageref" | "autoref" | "cref" | "Cref" | "vref" | "nameref")
}

impl Labels {
    /// What a command such as `ref` or `cref` shows for labels parted by commas.
    fn shown(&self, command: &str, labels: &str) -> String {
        let shown: Vec<String> =
            labels.split(',').map(|label| self.shown_one(command, label.trim())).collect();
        shown.join(", ")
    }

    fn shown_one(&self, command: &str, label: &str) -> String {
        let Some(Target { kind, number }) = self.by_name.get(label) else {
            return format!("[{label}]");
        };
        let number = match kind {
            Kind::Equation if command != "ref" => format!("({number})"),
            _ => number.clone(),
        };
        match command {
            "ref" | "eqref" | "vref" => number,
            // Pages and titles are not counted.
            "pageref" | "nameref" => format!("[{label}]"),
            "Cref" => format!("{} {number}", capitalised(kind.word(self.is_german))),
            _ => format!("{} {number}", kind.word(self.is_german)),
        }
    }

    /// Writes the reference at `at`, whose name ends at `end`; returns the offset after it.
    pub(super) fn write(&self, source: &str, at: usize, end: usize, out: &mut Inline) -> usize {
        let from = skip_options(source, end);
        let Some((start, to)) = group(source, from) else { return end };
        let shown = self.shown(source.slice(at + 1..end), source.slice(start..to));
        out.insert(&shown, at, to + 1 - at);
        to + 1
    }

    /// The caption at an offset with its number before it: `Figure 3: `.
    pub(super) fn numbered(&self, at: usize, depth: usize, caption: Inline) -> Inline {
        let mut out = Inline::default();
        // Deeper arguments have offsets of their own.
        if let Some(number) = self.captions.get(&at).filter(|_| depth == 0) {
            out.insert(number, at, 0);
        }
        out.append(caption);
        out
    }

    /// Reads the labels of a document with these theorems.
    pub(super) fn read(source: &str, theorems: &HashMap<String, Theorem>) -> Self {
        let Some(body) = body(source) else { return Self::default() };
        let preamble = source.slice(..body);
        let mut counting = Counting {
            source,
            theorems,
            labels: Self { is_german: is_german(source), ..Self::default() },
            has_chapters: source.contains("\\chapter{") || source.contains("\\chapter["),
            equations_within_sections: preamble.contains("\\numberwithin{equation}{section}")
                || preamble.contains("\\counterwithin{equation}{section}"),
            is_appendix: false,
            counters: HashMap::new(),
            sections: [0; 5],
            figures: 0,
            tables: 0,
            equations: 0,
            is_unnumbered: false,
            open: Vec::new(),
            current: None,
        };
        match counting.run(body) {
            Some(()) => counting.labels,
            // What another file numbers is not known.
            None => Self { is_german: counting.labels.is_german, ..Self::default() },
        }
    }
}

/// An open environment.
struct Open {
    name: String,
    /// What a label after its end refers to.
    outer: Option<Target>,
    /// Of a numbered list: items so far.
    n_items: Option<usize>,
}

struct Counting<'a> {
    source: &'a str,
    labels: Labels,
    has_chapters: bool,
    is_appendix: bool,
    equations_within_sections: bool,
    theorems: &'a HashMap<String, Theorem>,
    counters: HashMap<String, usize>,
    /// Of chapters, sections and the three levels below.
    sections: [usize; 5],
    figures: usize,
    tables: usize,
    equations: usize,
    /// The row of equations has no number.
    is_unnumbered: bool,
    open: Vec<Open>,
    current: Option<Target>,
}

impl<'a> Counting<'a> {
    /// Counts up to the end of the document; `None` when a part of it is in another file.
    fn run(&mut self, start: usize) -> Option<()> {
        let source = self.source;
        let bytes = source.as_bytes();
        let mut at = start;
        while let Some(byte) = bytes.get(at) {
            match byte {
                b'%' => at += bytes[at..].iter().position(|b| *b == b'\n').unwrap_or(bytes.len()),
                b'\\' => {
                    let len = name_len(source, at + 1);
                    if len == 0 {
                        if bytes.get(at + 1) == Some(&b'\\') {
                            self.end_row();
                        }
                        at += 2;
                        continue;
                    }
                    let name = source.slice(at + 1..at + 1 + len);
                    if self.is_verbatim() && name != "end" {
                        at += 1 + len;
                        continue;
                    }
                    if name == "end" && self.argument(at + 1 + len) == "document" {
                        return Some(());
                    }
                    self.command(name, at, at + 1 + len)?;
                    at += 1 + len;
                }
                _ => at += 1,
            }
        }
        Some(())
    }

    fn argument(&self, at: usize) -> &'a str {
        group(self.source, at).map_or("", |(from, to)| self.source.slice(from..to))
    }

    fn innermost(&self) -> &str {
        self.open.last().map_or("", |open| &open.name)
    }

    fn is_verbatim(&self) -> bool {
        is_code(self.innermost()) || self.innermost() == "comment"
    }

    fn command(&mut self, name: &str, at: usize, end: usize) -> Option<()> {
        let is_starred = self.source.slice(end..).starts_with('*');
        match name {
            "chapter" | "section" | "subsection" | "subsubsection" | "paragraph" if !is_starred => {
                self.section(name);
            }
            "appendix" => {
                self.is_appendix = true;
                self.sections = [0; 5];
            }
            "caption" if !is_starred => self.caption(at),
            "item" => {
                let numbered = self.open.last_mut().and_then(|open| open.n_items.as_mut());
                if let Some(n) = numbered.filter(|_| option(self.source, end).is_none()) {
                    *n += 1;
                    let number = n.to_string();
                    self.current = Some(Target { kind: Kind::Item, number });
                }
            }
            "begin" => self.begin(self.argument(end)),
            "end" => self.end(self.argument(end)),
            "nonumber" | "notag" => self.is_unnumbered = true,
            "tag" => {
                let number = self.argument(end).to_owned();
                self.is_unnumbered = true;
                self.current = Some(Target { kind: Kind::Equation, number });
            }
            "label" if self.labels.by_name.len() < MAX_LABELS => {
                let label = self.argument(skip_options(self.source, end)).trim().to_owned();
                if let Some(target) = self.current.clone().filter(|_| !label.is_empty()) {
                    self.labels.by_name.insert(label, target);
                }
            }
            "setcounter" | "addtocounter" | "stepcounter" | "refstepcounter" => return None,
            "input" | "include" | "subfile" | "import" | "subimport"
                if !self.open.iter().any(|open| is_float(&open.name)) =>
            {
                return None;
            }
            _ => {}
        }
        Some(())
    }

    fn section(&mut self, name: &str) {
        let level = ["chapter", "section", "subsection", "subsubsection", "paragraph"]
            .iter()
            .position(|other| *other == name)
            .unwrap_or(0);
        self.sections[level] += 1;
        self.sections[level + 1..].fill(0);
        if level == 0 {
            (self.figures, self.tables, self.equations) = (0, 0, 0);
        }
        if level == 1 && self.equations_within_sections {
            self.equations = 0;
        }
        // Paragraphs have no number; a label in one refers to its section.
        if level < 4 {
            let kind = if level == 0 { Kind::Chapter } else { Kind::Section };
            self.current = Some(Target { kind, number: self.section_number(level) });
        }
    }

    fn section_number(&self, level: usize) -> String {
        let first = usize::from(!self.has_chapters);
        let numbers = self.sections.iter().enumerate().take(level + 1).skip(first);
        let numbers = numbers.map(|(n, count)| match self.is_appendix && n == first {
            true => letter(*count),
            false => count.to_string(),
        });
        numbers.collect::<Vec<_>>().join(".")
    }

    /// `3`, or `2.3` in the second chapter.
    fn within(&self, n: usize, is_in_section: bool) -> String {
        match (self.has_chapters, is_in_section) {
            (_, true) => format!("{}.{n}", self.section_number(1)),
            (true, false) if self.sections[0] > 0 => format!("{}.{n}", self.section_number(0)),
            _ => n.to_string(),
        }
    }

    fn caption(&mut self, at: usize) {
        let mut names = self.open.iter().rev().map(|open| open.name.trim_end_matches('*'));
        let kind = match names.find(|name| is_float(name)) {
            Some("figure" | "wrapfigure" | "sidewaysfigure") => Kind::Figure,
            Some("table" | "wraptable" | "sidewaystable" | "longtable") => Kind::Table,
            // Parts of a figure have letters.
            _ => return,
        };
        let n = match kind {
            Kind::Figure => &mut self.figures,
            _ => &mut self.tables,
        };
        *n += 1;
        let n = *n;
        let number = self.within(n, false);
        let word = capitalised(kind.word(self.labels.is_german));
        self.labels.captions.insert(at, format!("{word} {number}: "));
        self.current = Some(Target { kind, number });
    }

    fn begin(&mut self, name: &str) {
        let n_items = (name == "enumerate").then_some(0);
        let outer = self.current.clone();
        self.open.push(Open { name: name.to_owned(), outer, n_items });
        self.is_unnumbered = false;
        if is_equation(name) {
            self.current = Some(self.next_equation());
        } else if let Some(Theorem { shown, counter: Some(counter) }) = self.theorems.get(name) {
            let n = self.counters.entry(counter.clone()).or_default();
            *n += 1;
            let number = n.to_string();
            self.current = Some(Target { kind: Kind::Theorem(shown.clone()), number });
        } else if matches!(name, "subequations" | "subfigure" | "subtable") {
            // Their numbers have letters.
            self.current = None;
        }
    }

    fn end(&mut self, name: &str) {
        if self.innermost() != name {
            return;
        }
        if is_equation(name) && !self.is_unnumbered {
            self.equations += 1;
        }
        self.is_unnumbered = false;
        if let Some(open) = self.open.pop() {
            self.current = open.outer;
        }
    }

    fn next_equation(&self) -> Target {
        let number = self.within(self.equations + 1, self.equations_within_sections);
        Target { kind: Kind::Equation, number }
    }

    /// Each row of aligned equations has a number.
    fn end_row(&mut self) {
        if !matches!(self.innermost(), "align" | "gather" | "eqnarray" | "flalign" | "alignat") {
            return;
        }
        if !self.is_unnumbered {
            self.equations += 1;
        }
        self.is_unnumbered = false;
        self.current = Some(self.next_equation());
    }
}

fn is_equation(name: &str) -> bool {
    matches!(
        name,
        "equation" | "align" | "gather" | "eqnarray" | "flalign" | "alignat" | "multline"
    )
}

fn is_float(name: &str) -> bool {
    matches!(
        name.trim_end_matches('*'),
        "figure"
            | "wrapfigure"
            | "sidewaysfigure"
            | "table"
            | "wraptable"
            | "sidewaystable"
            | "longtable"
            | "subfigure"
            | "subtable"
    )
}

/// The number of an appendix: `A`.
fn letter(n: usize) -> String {
    let letter = n.checked_sub(1).and_then(|n| u8::try_from(n).ok()).filter(|n| *n < 26);
    letter.map_or_else(|| n.to_string(), |n| char::from(b'A' + n).to_string())
}
