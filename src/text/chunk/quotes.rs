//! What an answer may quote of a passage: sentences, rows, records and code, each with its place.
//!
//! A block is divided once, by its kind, and the passages get the pieces that they contain. Only
//! the pieces of the last block are kept: the next passage often begins in it.

use std::cell::RefCell;
use std::rc::Rc;

use crate::analysis::passages;
use crate::document::{Format, Span, Unit, UnitKind};
use crate::strings::StrExt as _;
use crate::text::extract::{Block, BlockKind, Extracted, lines};

/// Divides the blocks of one document.
pub(super) struct Quotes<'a> {
    doc: &'a Extracted,
    /// The document is source code: the comments in it are prose, and `analysis::readable` finds
    /// them when an answer is made.
    is_code: bool,
    /// The block divided last, by index, and its pieces.
    last: RefCell<Option<(usize, Rc<[Piece]>)>>,
}

/// A part of the text, and what it is.
type Piece = (Span, UnitKind);

impl<'a> Quotes<'a> {
    pub(super) fn new(doc: &'a Extracted) -> Self {
        // Logs are files of lines, too, but their lines are records.
        let is_code = !doc.outline.is_empty()
            || matches!(doc.format, Format::Code | Format::Json)
                && doc.blocks.iter().all(|block| block.kind == BlockKind::Code);
        Self { doc, is_code, last: RefCell::default() }
    }

    /// The units of the passage with this span of the text, and the header rows of the table that
    /// it continues.
    pub(super) fn of(&self, passage: Span) -> (Vec<Unit>, String) {
        let mut units = Vec::new();
        if self.is_code {
            return (units, String::new());
        }
        let blocks = &self.doc.blocks;
        let first = blocks.partition_point(|block| block.span.end <= passage.start);
        let n_blocks = blocks[first..].partition_point(|block| block.span.start < passage.end);
        let mut table_header = String::new();
        for at in first..first + n_blocks {
            let pieces = self.pieces(at);
            let before = pieces.partition_point(|(span, _)| span.end <= passage.start);
            if at == first && before > 0 {
                table_header = self.header(&pieces[..before]);
            }
            let inside = pieces[before..].iter().take_while(|(span, _)| span.start < passage.end);
            units.extend(inside.filter_map(|piece| self.unit(*piece, passage)));
        }
        (units, table_header)
    }

    fn pieces(&self, at: usize) -> Rc<[Piece]> {
        let mut last = self.last.borrow_mut();
        match &*last {
            Some((known, pieces)) if *known == at => Rc::clone(pieces),
            _ => {
                let pieces: Rc<[Piece]> = divided(self.doc, &self.doc.blocks[at]).into();
                *last = Some((at, Rc::clone(&pieces)));
                pieces
            }
        }
    }

    /// The part of a piece that is in a passage.
    fn unit(&self, (span, kind): Piece, passage: Span) -> Option<Unit> {
        let clipped = Span::new(span.start.max(passage.start), span.end.min(passage.end));
        let span = trimmed(&self.doc.text, clipped)?;
        let location = self.doc.place_at(span.start);
        // A row of a spreadsheet has a place for each cell, and begins at its first one.
        let end = self.doc.place_at(span.end.saturating_sub(1));
        let end = end.filter(|end| location != Some(*end) && end.page().is_some());
        Some(Unit {
            span: Span::new(span.start - passage.start, span.end - passage.start),
            kind,
            bytes: self.doc.origin.bytes(span),
            lines: self.doc.origin.lines(span),
            location: location.cloned(),
            end: end.cloned(),
        })
    }

    fn header(&self, pieces: &[Piece]) -> String {
        let rows = pieces.iter().take_while(|(_, kind)| *kind == UnitKind::Header);
        let rows: Vec<&str> = rows.map(|(span, _)| self.doc.text.slice(span.range())).collect();
        rows.join("\n")
    }
}

/// The pieces of a block, in order.
fn divided(doc: &Extracted, block: &Block) -> Vec<Piece> {
    match block.kind {
        BlockKind::Heading { .. } => vec![(block.span, UnitKind::Heading)],
        // A line of JSON is a record.
        BlockKind::Code if doc.format == Format::JsonLines => vec![(block.span, UnitKind::Record)],
        BlockKind::Code => vec![(block.span, UnitKind::Code)],
        BlockKind::Record => vec![(block.span, UnitKind::Record)],
        BlockKind::Table { headers } => rows(&doc.text, block.span, headers),
        BlockKind::Paragraph | BlockKind::Quote => sentences(&doc.text, block.span),
        BlockKind::ListItem => {
            let mut pieces = sentences(&doc.text, block.span);
            for (n, (_, kind)) in pieces.iter_mut().enumerate() {
                if *kind == UnitKind::Sentence {
                    *kind = UnitKind::Item { first: n == 0 };
                }
            }
            pieces
        }
    }
}

fn sentences(text: &str, block: Span) -> Vec<Piece> {
    let at = |offset| block.start + offset;
    let found = passages(text.slice(block.range())).into_iter();
    found.map(|piece| (Span::new(at(piece.span.start), at(piece.span.end)), piece.kind)).collect()
}

/// The lines of a table; rules between rows, as in Markdown, are not rows.
fn rows(text: &str, table: Span, headers: usize) -> Vec<Piece> {
    let is_row = |line: &Span| {
        text.slice(line.range()).chars().any(|c| !c.is_whitespace() && !"|-:+=".contains(c))
    };
    lines(text.slice(table.range()))
        .filter_map(|line| {
            trimmed(text, Span::new(table.start + line.start, table.start + line.end))
        })
        .filter(is_row)
        .enumerate()
        .map(|(n, row)| (row, if n < headers { UnitKind::Header } else { UnitKind::Row }))
        .collect()
}

/// A span without surrounding white space; `None` when it has nothing else.
fn trimmed(text: &str, span: Span) -> Option<Span> {
    let inside = text.slice(span.range());
    let start = span.start + (inside.len() - inside.trim_start().len());
    let end = start + inside.trim().len();
    (start < end).then(|| Span::new(start, end))
}
