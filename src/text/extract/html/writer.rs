//! The rendered text: blocks, the gaps in and between them, and the map to the source.

use crate::document::Span;
use crate::strings::{StrExt as _, shorten};
use crate::text::extract::doc::{Block, BlockKind};
use crate::text::extract::origin::OffsetMap;

/// What is written before the next text of the same block. The widest gap wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Gap {
    None,
    Space,
    Cell,
    Line,
}

pub(super) struct Writer {
    text: String,
    map: OffsetMap,
    blocks: Vec<Block>,
    /// Start of the current block.
    block_start: usize,
    /// Kind of the current block, once it has text.
    kind: BlockKind,
    gap: Gap,
    /// Ends of cells since the last text of the row.
    n_cells: usize,
}

impl Writer {
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self {
            text: String::with_capacity(bytes),
            map: OffsetMap::default(),
            blocks: Vec::new(),
            block_start: 0,
            kind: BlockKind::Paragraph,
            gap: Gap::None,
            n_cells: 0,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// The text from an offset on.
    pub(super) fn since(&self, start: usize) -> &str {
        self.text.slice(start.min(self.text.len())..)
    }

    /// The text of the current block, if the next text continues its last word.
    pub(super) fn last_word(&self) -> &str {
        let is_apart = self.gap != Gap::None || self.n_cells > 0;
        if is_apart { "" } else { self.text.slice(self.block_start..) }
    }

    /// Whether the current block has text.
    pub(super) fn is_in_block(&self) -> bool {
        self.text.len() > self.block_start
    }

    pub(super) fn widen(&mut self, gap: Gap) {
        self.gap = self.gap.max(gap);
    }

    /// Writes the gap before the next text of the current block, which is not empty.
    pub(super) fn continue_block(&mut self, at: usize) {
        match std::mem::replace(&mut self.gap, Gap::None) {
            Gap::None => {}
            Gap::Space => self.insert(" ", at),
            Gap::Cell => {}
            Gap::Line => self.insert("\n", at),
        }
        self.end_cells(at);
    }

    /// Ends the cells before the next text; blank ones keep their column.
    pub(super) fn end_cells(&mut self, at: usize) {
        let n = std::mem::take(&mut self.n_cells);
        self.insert(&" | ".repeat(n), at);
    }

    pub(super) fn next_cells(&mut self, n: usize) {
        self.n_cells = self.n_cells.saturating_add(n).min(1000);
        self.widen(Gap::Cell);
    }

    /// Begins a row: blank cells at the end of the last one are not written.
    pub(super) fn next_row(&mut self) {
        self.n_cells = 0;
        self.widen(Gap::Line);
    }

    /// Sets the number of header rows of the current block, if that is a table.
    pub(super) fn set_headers(&mut self, n: usize) {
        if let BlockKind::Table { headers } = &mut self.kind {
            *headers = n;
        }
    }

    /// Begins a block. A list item is indented by `depth`.
    pub(super) fn begin_block(&mut self, kind: BlockKind, depth: usize, at: usize) {
        self.gap = Gap::None;
        self.kind = kind;
        if let Some(last) = self.blocks.last() {
            let is_item = self.kind == BlockKind::ListItem;
            let is_list = is_item && last.kind == BlockKind::ListItem;
            self.insert(if is_list { "\n" } else { "\n\n" }, at);
            if is_item {
                self.insert(&"  ".repeat(depth), at);
            }
            self.block_start = self.text.len();
        }
        self.end_cells(at);
    }

    /// Ends the current block, if it has text.
    pub(super) fn end_block(&mut self) {
        (self.gap, self.n_cells) = (Gap::None, 0);
        if !self.is_in_block() {
            return;
        }
        let len = self.block_start + self.text.slice(self.block_start..).trim_end().len();
        self.truncate(len);
        let mut kind = std::mem::replace(&mut self.kind, BlockKind::Paragraph);
        if let BlockKind::Heading { text, .. } = &mut kind {
            // A mark that links the heading to itself is not part of it.
            let is_mark = |c: char| c.is_whitespace() || "¶§#🔗".contains(c);
            text.push_str(self.text.slice(self.block_start..len).trim_matches(is_mark));
            if text.is_empty() {
                kind = BlockKind::Paragraph;
            }
        }
        self.blocks.push(Block { span: Span::new(self.block_start, len), kind });
        self.block_start = len;
    }

    /// Writes text that is the same in the source.
    pub(super) fn copy(&mut self, text: &str, at: usize) {
        self.map.seek(at);
        self.map.copy(text.len());
        self.text.push_str(text);
    }

    /// Writes text for `source_len` bytes of the source.
    pub(super) fn replace(&mut self, text: &str, at: usize, source_len: usize) {
        if text.is_empty() {
            return;
        }
        self.map.seek(at);
        self.map.unit(text.len(), source_len);
        self.text.push_str(text);
    }

    /// Writes text that is not in the source.
    pub(super) fn insert(&mut self, text: &str, at: usize) {
        self.replace(text, at, 0);
    }

    pub(super) fn finish(mut self) -> (String, OffsetMap, Vec<Block>) {
        self.end_block();
        self.truncate(self.blocks.last().map_or(0, |block| block.span.end));
        (self.text, self.map, self.blocks)
    }

    fn truncate(&mut self, len: usize) {
        shorten(&mut self.text, len);
        self.map.truncate(len);
    }
}
