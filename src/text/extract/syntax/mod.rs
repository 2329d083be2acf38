//! The outline of source code: the definitions of a file, by which the chunker divides it.
//!
//! A node of the outline is any node of the syntax tree that starts a line: a function with its
//! comment and attributes, a method of a class, a statement, a field, an argument. What does not
//! start a line is not worth dividing. So one rule serves every language, and only names need a
//! table.
//!
//! The parsers are C, generated and partly written by hand, and the input is untrusted: [`outline`]
//! must run in a process that may crash. The result depends on the text alone: the work of the
//! parser is limited by counting steps, not by a clock.

mod languages;

use std::ops::ControlFlow;

use tree_sitter::{Node as Tree, ParseOptions, ParseState};

use super::doc::Node;
use super::lines::lines;
use crate::document::Span;
use crate::strings::StrExt as _;
use languages::{Language, wraps};

/// Larger files are data.
const MAX_BYTES: usize = 1 << 20;

/// Longer lines are minified code.
const MAX_LINE_BYTES: usize = 10_000;

/// Bytes per hundred steps of the parser. Ordinary code has 45 or more, mostly 150. With fewer, the
/// parser tries to make sense of text that is not code, and its steps get slower with depth.
const BYTES_PER_STEPS: usize = 16;

/// Bytes that the parser reads at once.
const READ_BYTES: usize = 1 << 10;

/// How many times the parser may read the text. A malformed quotation is read to its end from each
/// place where it might start.
const MAX_READINGS: usize = 50;

/// Deeper nodes are ignored.
const MAX_DEPTH: usize = 24;

/// Whether the language of a file is known to [`outline`], and the file looks written by hand.
pub fn has_outline(path: &str, text: &str) -> bool {
    text.len() <= MAX_BYTES
        && Language::of(path, text).is_some()
        && lines(text).all(|line| line.end - line.start <= MAX_LINE_BYTES)
}

/// The outline of a file of code, in order. Empty when its language is unknown or it is mostly
/// syntax errors.
pub fn outline(path: &str, text: &str) -> Vec<Node> {
    let Some(language) = Language::of(path, text).filter(|_| has_outline(path, text)) else {
        return Vec::new();
    };
    let Some(mut parser) = language.parser() else { return Vec::new() };
    let mut steps_left = 200 + text.len() / BYTES_PER_STEPS;
    let mut on_progress = |_: &ParseState| {
        steps_left = steps_left.saturating_sub(1);
        if steps_left > 0 { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let mut reads_left = (1 + text.len() / READ_BYTES) * MAX_READINGS;
    let mut read = |at: usize, _| {
        reads_left = reads_left.saturating_sub(1);
        let end = if reads_left > 0 { text.len().min(at + READ_BYTES) } else { at };
        text.as_bytes().get(at..end).unwrap_or_default()
    };
    let options = ParseOptions::new().progress_callback(&mut on_progress);
    let tree = parser.parse_with_options(&mut read, None, Some(options));
    // The tree of a truncated text is useless.
    let Some(tree) = tree.filter(|_| reads_left > 0) else { return Vec::new() };
    let mut walk = Walk { language, text, found: Vec::new(), error_bytes: 0 };
    walk.run(&tree);
    // The parser recovers from nearly any error, but its tree of prose or of another language is
    // noise.
    if walk.error_bytes * 4 > text.len() { Vec::new() } else { with_comments(walk.found, text) }
}

struct Walk<'a> {
    language: &'a Language,
    text: &'a str,
    found: Vec<Definition>,
    error_bytes: usize,
}

struct Definition {
    node: Node,
    /// A comment or attribute, which belongs to the next node.
    leads: bool,
}

/// A node of the outline that encloses the current one.
struct Open {
    level: usize,
    start: usize,
    /// It has the name of its child definition, which is not a separate node.
    wraps: bool,
}

impl Walk<'_> {
    /// Visits every node, parents first. The cursor has the path back, so depth needs no stack.
    fn run(&mut self, tree: &tree_sitter::Tree) {
        let mut cursor = tree.walk();
        let mut level = 0_usize;
        let mut open: Vec<Open> = Vec::new();
        let mut error_end = 0;
        loop {
            while open.last().is_some_and(|outer| outer.level >= level) {
                open.pop();
            }
            let node = cursor.node();
            if node.is_error() && node.start_byte() >= error_end {
                error_end = node.end_byte();
                self.error_bytes += node.end_byte() - node.start_byte();
            }
            let is_flat = node.start_position().row == node.end_position().row;
            let mut descends = !is_flat;
            let is_new = |start: usize| open.last().is_none_or(|outer| outer.start < start);
            if level > 0
                && let Some(start) = self.line_start(node).filter(|start| is_new(*start))
                && !open.last().is_some_and(|outer| outer.wraps && outer.level + 1 == level)
            {
                let leads = is_lead(node);
                descends &= open.len() + 1 < MAX_DEPTH && !leads;
                let name = self.language.name(node, self.text, open.is_empty());
                open.push(Open { level, start, wraps: name.is_some() && wraps(node) });
                let node =
                    Node { span: Span::new(start, node.end_byte()), depth: open.len() - 1, name };
                self.found.push(Definition { node, leads });
            }
            if descends && cursor.goto_first_child() {
                level += 1;
                continue;
            }
            while !cursor.goto_next_sibling() {
                if !cursor.goto_parent() {
                    return;
                }
                level -= 1;
            }
        }
    }

    /// The start of the line that a node starts; `None` when it starts none, or is only a container
    /// of others.
    fn line_start(&self, node: Tree<'_>) -> Option<usize> {
        const CONTAINERS: &str = "block statement_list body_statement compound_statement \
             statement_block declaration_list class_body \
            field_declaration_list interface_body enum_body block_body then else do_group \
            switch_body match_block \
            var_spec_list ERROR";
        const MAX_INDENT: usize = 400;
        if !node.is_named()
            || node.start_byte() == node.end_byte()
            || node.start_position().column > MAX_INDENT
        {
            return None;
        }
        let start = node.start_byte() - node.start_position().column;
        let is_first =
            self.text.slice(start..node.start_byte()).bytes().all(|b| b == b' ' || b == b'\t');
        let is_container = || CONTAINERS.split_ascii_whitespace().any(|kind| kind == node.kind());
        (is_first && !is_container()).then_some(start)
    }
}

/// Whether a node belongs to the next one.
fn is_lead(node: Tree<'_>) -> bool {
    let kind = node.kind();
    kind.ends_with("comment")
        || matches!(
            kind,
            "attribute_item"
                | "inner_attribute_item"
                | "decorator"
                | "attribute_list"
                | "access_specifier"
        )
}

/// Merges each run of comments and attributes into the node directly below it, or into one node.
fn with_comments(found: Vec<Definition>, text: &str) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::with_capacity(found.len());
    let mut lead: Option<Node> = None;
    for Definition { mut node, leads } in found {
        node.span.end = node.span.start + text.slice(node.span.range()).trim_end().len();
        if let Some(before) = lead.take() {
            let gap = text.slice(before.span.end.min(node.span.start)..node.span.start);
            // `private:` is a node and a colon.
            let is_right_below = matches!(gap.trim(), "" | ":") && lines(gap).count() <= 1;
            if before.depth == node.depth && is_right_below {
                node.span.start = before.span.start;
            } else {
                nodes.push(before);
            }
        }
        if leads {
            lead = Some(node);
        } else {
            nodes.push(node);
        }
    }
    nodes.extend(lead);
    nodes
}
