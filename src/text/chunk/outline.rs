//! Divides code by its outline into definitions, each with the names of the enclosing ones as path.
//!
//! A node that fits into a passage is taken whole. A larger one is replaced by its children; text
//! between those is a unit of its own, except that a single line which opens the node goes with the
//! first child. A named node becomes a part, like a section. Statements and fields without a name
//! are units of the enclosing part.

use super::sections::Section;
use super::units::{Cut, Divider, Unit};
use super::{Chunker, Part};
use crate::document::Span;
use crate::strings::StrExt as _;
use crate::text::extract::{Node, is_closing, lines};

impl Chunker<'_> {
    /// The parts of a document that has an outline.
    pub(super) fn outlined(&self) -> Vec<Part> {
        let text = &self.doc.text;
        let nodes = &self.doc.outline;
        let mut outliner = Outliner {
            chunker: self,
            parts: Vec::new(),
            is_open: false,
            names: Vec::new(),
            at: 0,
            opens: true,
            lead: None,
            budget: None,
        };
        let whole = Node { span: Span::new(0, text.trim_end().len()), depth: 0, name: None };
        if outliner.take(&whole) {
            return outliner.parts;
        }
        let mut i = 0;
        while let Some(node) = nodes.get(i) {
            outliner.advance(node.span.start, node.depth);
            let n_inside =
                nodes[i + 1..].iter().take_while(|inner| inner.depth > node.depth).count();
            if outliner.take(node) {
                i += n_inside;
            } else if n_inside == 0 {
                outliner.divide(node);
            } else {
                outliner.open(node);
            }
            i += 1;
        }
        outliner.advance(text.len(), 0);
        outliner.parts
    }
}

struct Outliner<'c, 'a> {
    chunker: &'c Chunker<'a>,
    parts: Vec<Part>,
    /// Unnamed nodes with the same path go to the last part.
    is_open: bool,
    /// Names of the nodes that enclose the current offset.
    names: Vec<Option<String>>,
    /// The current offset.
    at: usize,
    /// Nothing of the innermost node has been taken yet.
    opens: bool,
    /// Start of the line that opens the innermost node, until the line is taken with a child.
    lead: Option<usize>,
    /// The last path and its budget of tokens.
    budget: Option<(Vec<String>, usize)>,
}

impl Outliner<'_, '_> {
    /// Takes a node as a whole, if it fits.
    fn take(&mut self, node: &Node) -> bool {
        let path = self.path(node);
        let budget = self.budget(&path);
        // A part that starts a passage repeats nothing.
        let max = if node.name.is_some() || node.span.start == 0 {
            budget
        } else {
            self.chunker.rest_budget(budget)
        };
        let span = Span::new(self.lead.unwrap_or(node.span.start), node.span.end);
        // Obviously too long: counting is skipped.
        if span.len() > max.saturating_mul(8) {
            return false;
        }
        let tokens = divider(self.chunker, max).weigh(span);
        if tokens > max {
            return false;
        }
        let unit = Unit { span, tokens, lead: 0, cut: self.cut(span.start), is_code: true };
        self.push(path, node.name.is_some(), vec![unit]);
        self.reach(span.end);
        true
    }

    /// Takes a node that is too large and has no children.
    fn divide(&mut self, node: &Node) {
        let span = Span::new(self.lead.unwrap_or(node.span.start), node.span.end);
        self.pieces(span, self.path(node), node.name.is_some());
        self.reach(span.end);
    }

    fn open(&mut self, node: &Node) {
        self.names.push(node.name.clone());
        self.at = self.lead.take().unwrap_or(node.span.start);
        self.opens = true;
    }

    /// Takes the text before `to`, where a node of `depth` begins, and leaves the nodes that end
    /// there.
    fn advance(&mut self, to: usize, depth: usize) {
        let text = &self.chunker.doc.text;
        if !self.opens {
            let mut is_first = true;
            // The rest of the line, and lines of closing brackets, belong to the previous unit.
            for line in lines(text.slice(self.at..to)) {
                let content = line.of(text.slice(self.at..to));
                let is_word = content.contains(char::is_alphanumeric);
                if !is_first && is_word && !is_closing(content.trim_start()) {
                    let rest = self.at + line.start;
                    self.names.truncate(depth);
                    self.pieces(Span::new(rest, to), self.path_here(), false);
                    break;
                }
                let keeps = is_first || is_word || self.is_open;
                if keeps && !content.trim().is_empty() {
                    self.extend(self.at + line.start + content.trim_end().len());
                }
                is_first = false;
            }
        } else if lines(text.slice(self.at..to).trim_end()).count() <= 1 {
            self.lead = Some(self.at);
        } else {
            self.pieces(Span::new(self.at, to), self.path_here(), false);
        }
        self.names.truncate(depth);
        (self.at, self.opens) = (to, false);
    }

    fn reach(&mut self, at: usize) {
        (self.at, self.opens, self.lead) = (at, false, None);
    }

    /// Adds the text between nodes, divided at lines.
    fn pieces(&mut self, span: Span, path: Vec<String>, is_apart: bool) {
        let max = self.chunker.rest_budget(self.budget(&path));
        let mut units = Vec::new();
        divider(self.chunker, max).push_code(span, self.cut(span.start), &mut units);
        self.push(path, is_apart, units);
    }

    fn push(&mut self, path: Vec<String>, is_apart: bool, units: Vec<Unit>) {
        let Some(tokens) = units.iter().map(|unit| unit.tokens).reduce(|a, b| a + b) else {
            return;
        };
        match self.parts.last_mut() {
            Some(part) if self.is_open && !is_apart && part.section.path == path => {
                part.body_tokens += tokens;
                part.units.extend(units);
            }
            _ => {
                let section = Section { heading: None, path, body: 0..0, is_leaf: true };
                self.parts.push(Part { section, units, body_tokens: tokens, heading_tokens: 0 });
            }
        }
        self.is_open = !is_apart;
    }

    /// Extends the last unit to `end`.
    fn extend(&mut self, end: usize) {
        let divider = divider(self.chunker, usize::MAX);
        if let Some(part) = self.parts.last_mut()
            && let Some(unit) = part.units.last_mut()
        {
            let more = divider.weigh(Span::new(unit.span.end, end));
            unit.span.end = end;
            unit.tokens += more;
            part.body_tokens += more;
        }
    }

    /// The kind of cut before an offset. It is better directly in a named definition and after an
    /// empty line.
    fn cut(&self, at: usize) -> Cut {
        let before = self.chunker.doc.text.slice(..at);
        let gap = before.slice(before.trim_end().len()..);
        let is_after_gap = lines(gap).count() > 1;
        let n_within = self.names.iter().rev().take_while(|name| name.is_none()).count();
        match (n_within, is_after_gap) {
            (0, true) => Cut::Item,
            (0, false) | (_, true) => Cut::Stanza,
            _ => Cut::Line,
        }
    }

    fn path_here(&self) -> Vec<String> {
        self.names.iter().flatten().cloned().collect()
    }

    fn path(&self, node: &Node) -> Vec<String> {
        self.names.iter().flatten().chain(&node.name).cloned().collect()
    }

    fn budget(&mut self, path: &[String]) -> usize {
        match &self.budget {
            Some((known, budget)) if known == path => *budget,
            _ => {
                let budget = self.chunker.budget(&self.chunker.fitted(path));
                self.budget = Some((path.to_vec(), budget));
                budget
            }
        }
    }
}

fn divider<'c>(chunker: &'c Chunker<'_>, max: usize) -> Divider<'c> {
    Divider { text: &chunker.doc.text, count: chunker.count, max }
}
