//! Builds the text of a format that is not text: blocks in order, each with its place.

use super::doc::{Block, BlockKind, Extracted, NoText, opening_heading};
use super::placeholder::is_placeholder;
use crate::document::{Format, Location, Span};
use crate::strings::StrExt as _;

/// Maximum text of one file: a hundred books.
const MAX_TEXT_BYTES: usize = 64 << 20;

/// Blocks, written front to back.
#[derive(Default)]
pub(super) struct Build {
    text: String,
    blocks: Vec<Block>,
    places: Vec<(usize, Location)>,
    metadata: Vec<(String, String)>,
    is_full: bool,
}

impl Build {
    /// Sets the place of the blocks that follow.
    pub(super) fn place(&mut self, place: Location) {
        // The offset is before the line ends that precede the next block.
        self.places.push((self.text.len(), place));
    }

    /// Sets the place from an offset of the last block.
    #[cfg(feature = "pdf")]
    pub(super) fn place_within(&mut self, offset: usize, place: Location) {
        let start = self.blocks.last().map_or(0, |block| block.span.start);
        self.places.push(((start + offset).min(self.text.len()), place));
    }

    pub(super) fn heading(&mut self, level: u8, text: &str) {
        let text = text.one_line();
        self.block(BlockKind::Heading { level, text: text.clone() }, &text);
    }

    /// Adds a block, unless it is empty. Returns false when the text is full.
    pub(super) fn block(&mut self, kind: BlockKind, text: &str) -> bool {
        let is_code = matches!(kind, BlockKind::Code | BlockKind::Table { .. });
        let text = text.trim_end();
        let n_spaces = text.bytes().take_while(|byte| *byte == b' ').count();
        let indent = text.slice(..n_spaces);
        let text = if is_code { text.trim_start_matches(['\n', '\r']) } else { text.trim_start() };
        if text.is_empty() || self.is_full {
            return !self.is_full;
        }
        if self.text.len() + text.len() > MAX_TEXT_BYTES {
            self.is_full = true;
            return false;
        }
        let mut start = self.separate(&kind);
        if kind == BlockKind::ListItem {
            // The indent shows the level of the item; it is not part of the text.
            self.text.push_str(indent);
            start += indent.len();
        }
        self.text.push_str(text);
        self.blocks.push(Block { span: Span::new(start, self.text.len()), kind });
        true
    }

    /// Adds a row to the last block if that is a table, otherwise starts one.
    pub(super) fn row(&mut self, begins: bool, text: &str) -> bool {
        let text = text.trim_end();
        match self.blocks.last_mut() {
            Some(block)
                if !begins && matches!(block.kind, BlockKind::Table { .. }) && !text.is_empty() =>
            {
                if self.text.len() + text.len() > MAX_TEXT_BYTES {
                    self.is_full = true;
                    return false;
                }
                self.text.push('\n');
                self.text.push_str(text);
                block.span.end = self.text.len();
                true
            }
            _ => self.block(BlockKind::Table { headers: 0 }, text),
        }
    }

    /// Sets how many rows of the table that was just written name its columns.
    pub(super) fn headers(&mut self, n: usize) {
        if let Some(BlockKind::Table { headers }) =
            self.blocks.last_mut().map(|block| &mut block.kind)
        {
            *headers = n;
        }
    }

    /// Adds the blocks of another text; headings move down by `deeper` levels.
    pub(super) fn append(&mut self, text: &str, blocks: Vec<Block>, deeper: u8) -> bool {
        for block in blocks {
            let kind = match block.kind {
                BlockKind::Heading { level, text } => {
                    BlockKind::Heading { level: level.saturating_add(deeper), text }
                }
                kind => kind,
            };
            if !self.block(kind, text.slice(block.span.range())) {
                return false;
            }
        }
        true
    }

    /// Adds the text of another file, of which each block has its place in that file.
    pub(super) fn attach(
        &mut self,
        found: Extracted,
        deeper: u8,
        place: impl Fn(Option<Location>) -> Location,
    ) -> bool {
        let mut places = found.places.into_iter().peekable();
        for block in found.blocks {
            let mut current = None;
            while let Some((_, at)) = places.next_if(|(at, _)| *at <= block.span.start) {
                current = Some(at);
            }
            if current.is_some() {
                self.place(place(current));
            }
            let span = block.span;
            if !self.append(&found.text, vec![block], deeper) {
                return false;
            }
            // Pages that begin inside the block, which ends where the text now ends.
            while let Some((at, within)) = places.next_if(|(at, _)| *at < span.end) {
                let start = self.text.len().saturating_sub(span.end - at);
                self.places.push((start, place(Some(within))));
            }
        }
        true
    }

    /// Adds metadata, unless it is empty or too long.
    pub(super) fn metadata(&mut self, key: &str, value: &str) {
        let value = value.one_line();
        if !value.is_empty() && value.len() <= 1000 {
            self.metadata.push((key.to_owned(), value));
        }
    }

    pub(super) fn finish(self, format: Format, title: Option<&str>) -> Result<Extracted, NoText> {
        if self.is_full {
            return Err(NoText::TooMuch(
                format!("more than {} MiB of text", MAX_TEXT_BYTES >> 20).into(),
            ));
        }
        if !self.text.contains(char::is_alphanumeric) {
            return Err(NoText::NoWords);
        }
        let is_title = |title: &String| {
            title.contains(char::is_alphanumeric) && !is_placeholder("title", title)
        };
        let title = title.map(str::to_owned).filter(is_title);
        let title = title.or_else(|| opening_heading(&self.blocks));
        let extracted = Extracted::rendered(format, title.as_deref(), self.text, self.blocks);
        Ok(Extracted { places: self.places, metadata: self.metadata, ..extracted })
    }

    fn separate(&mut self, kind: &BlockKind) -> usize {
        if let Some(last) = self.blocks.last() {
            let is_list =
                last.kind == *kind && matches!(kind, BlockKind::ListItem | BlockKind::Record);
            self.text.push_str(if is_list { "\n" } else { "\n\n" });
        }
        self.text.len()
    }
}
