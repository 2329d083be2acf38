//! Code by its outline: parts that are definitions, each under the names of those around it.
//!
//! A node of the outline that fits into a passage is not looked into. A larger one gives way to
//! what it consists of; what stands between that is a unit like any other, but for a line that only
//! opens it, which goes with the first thing in it. What has a name becomes a part by itself, as a
//! section does; statements and fields without one are units of the part of what they belong to.

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
        let mut made = Made {
            chunker: self,
            parts: Vec::new(),
            takes_more: false,
            names: Vec::new(),
            at: 0,
            opens: true,
            lead: None,
            budget: None,
        };
        let whole = Node { span: Span::new(0, text.trim_end().len()), depth: 0, name: None };
        if made.take(&whole) {
            return made.parts;
        }
        let mut i = 0;
        while let Some(node) = nodes.get(i) {
            made.come_to(node.span.start, node.depth);
            let n_inside =
                nodes[i + 1..].iter().take_while(|inner| inner.depth > node.depth).count();
            if made.take(node) {
                i += n_inside;
            } else if n_inside == 0 {
                made.divide(node);
            } else {
                made.open(node);
            }
            i += 1;
        }
        made.come_to(text.len(), 0);
        made.parts
    }
}

struct Made<'c, 'a> {
    chunker: &'c Chunker<'a>,
    parts: Vec<Part>,
    /// Whether what has no name may go to the last part, if it is under the same names.
    takes_more: bool,
    /// Of each node around the place reached.
    names: Vec<Option<String>>,
    /// The place reached.
    at: usize,
    /// Nothing of the innermost node has been taken yet.
    opens: bool,
    /// Where the line begins that opened it, if that still wants to go with something.
    lead: Option<usize>,
    /// Tokens that a text may have under the names that were asked for last.
    budget: Option<(Vec<String>, usize)>,
}

impl Made<'_, '_> {
    /// Takes a node as a whole, if it fits.
    fn take(&mut self, node: &Node) -> bool {
        let path = self.path(node);
        let budget = self.budget(&path);
        // What stands by itself repeats nothing.
        let max = if node.name.is_some() || node.span.start == 0 {
            budget
        } else {
            self.chunker.rest_budget(budget)
        };
        let span = Span::new(self.lead.unwrap_or(node.span.start), node.span.end);
        // What cannot fit is not worth counting.
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

    /// Takes a node that is too large and consists of nothing smaller.
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

    /// Takes what stands before `to`, where something of a depth begins, and leaves the nodes that
    /// end there.
    fn come_to(&mut self, to: usize, depth: usize) {
        let text = &self.chunker.doc.text;
        if !self.opens {
            let mut is_first = true;
            // The rest of the line, and lines that end what was begun, belong to what stands
            // before.
            for line in lines(text.slice(self.at..to)) {
                let content = line.of(text.slice(self.at..to));
                let is_word = content.contains(char::is_alphanumeric);
                if !is_first && is_word && !is_closing(content.trim_start()) {
                    let rest = self.at + line.start;
                    self.names.truncate(depth);
                    self.pieces(Span::new(rest, to), self.path_here(), false);
                    break;
                }
                let keeps = is_first || is_word || self.takes_more;
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

    /// Takes what is no node as lines.
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
            Some(part) if self.takes_more && !is_apart && part.section.path == path => {
                part.body_tokens += tokens;
                part.units.extend(units);
            }
            _ => {
                let section = Section { heading: None, path, body: 0..0, is_leaf: true };
                self.parts.push(Part { section, units, body_tokens: tokens, heading_tokens: 0 });
            }
        }
        self.takes_more = !is_apart;
    }

    /// Lets the last unit go on to `end`.
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

    /// The closer to a definition's own margin, and after an empty line, the better a place to
    /// divide.
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
