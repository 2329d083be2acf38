//! The text of a markup as a reader of the rendered page sees it, with the place of every character
//! in the source.

use super::doc::{Block, BlockKind};
use super::origin::OffsetMap;
use crate::document::Span;
use crate::strings::StrExt as _;

/// A piece of rendered text.
#[derive(Clone, Debug, Default)]
pub(super) struct Inline {
    pub(super) text: String,
    /// Offset and length in the source of each character.
    places: Vec<(usize, usize)>,
}

impl Inline {
    /// A character for `len` bytes of the source.
    pub(super) fn put(&mut self, c: char, at: usize, len: usize) {
        self.text.push(c);
        self.places.push((at, len));
    }

    /// A text that stands for the source at `at`.
    pub(super) fn insert(&mut self, text: &str, at: usize, len: usize) {
        for (nth, c) in text.chars().enumerate() {
            self.put(c, at, if nth == 0 { len } else { 0 });
        }
    }

    /// The source text at `at`, as it is.
    pub(super) fn copy(&mut self, text: &str, at: usize) {
        for (offset, c) in text.char_indices() {
            self.put(c, at + offset, c.len_utf8());
        }
    }

    pub(super) fn append(&mut self, other: Self) {
        self.text.push_str(&other.text);
        self.places.extend(other.places);
    }

    /// Removes spaces at the end, but no line ends.
    pub(super) fn trim_trailing_spaces(&mut self) {
        while self.text.ends_with(' ') {
            self.text.pop();
            self.places.pop();
        }
    }

    /// Removes white space at the end.
    pub(super) fn trim_end(&mut self) {
        while self.text.ends_with(char::is_whitespace) {
            self.text.pop();
            self.places.pop();
        }
    }

    /// The parts between empty lines.
    pub(super) fn paragraphs(&self) -> Vec<Self> {
        let mut found = vec![Self::default()];
        let mut line = Self::default();
        for (c, &(at, len)) in
            self.text.chars().chain(['\n']).zip(self.places.iter().chain([&(0, 0)]))
        {
            if c != '\n' {
                line.put(c, at, len);
                continue;
            }
            let line = std::mem::take(&mut line);
            match found.last_mut() {
                Some(_) if line.is_blank() => found.push(Self::default()),
                Some(last) => {
                    if let (false, Some((at, len))) = (last.text.is_empty(), last.places.last()) {
                        last.put('\n', at + len, 0);
                    }
                    last.append(line);
                }
                None => {}
            }
        }
        found.retain(|paragraph| !paragraph.is_blank());
        found
    }

    pub(super) fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }

    /// The text without a character.
    pub(super) fn without(&self, mark: char) -> Self {
        let mut out = Self::default();
        for (c, &(at, len)) in self.text.chars().zip(&self.places).filter(|(c, _)| *c != mark) {
            out.put(c, at, len);
        }
        out
    }

    /// The text with each run of white space as one space, and none at the ends.
    pub(super) fn squeezed(&self) -> Self {
        let mut out = Self::default();
        let mut space = None;
        for (c, &(at, len)) in self.text.chars().zip(&self.places) {
            if c.is_whitespace() {
                space = space.or(Some(at));
                continue;
            }
            if let Some(at) = space.take().filter(|_| !out.text.is_empty()) {
                out.put(' ', at, 0);
            }
            out.put(c, at, len);
        }
        out
    }

    /// The text without white space at the end of it and without empty lines at its start.
    fn trimmed(self, kind: &BlockKind) -> Self {
        let keeps_indent =
            matches!(kind, BlockKind::Code | BlockKind::ListItem | BlockKind::Table { .. });
        let trimmed = self.text.trim_end();
        let start = match trimmed.find(|c: char| !c.is_whitespace()) {
            Some(first) if keeps_indent => {
                trimmed.get(..first).and_then(|before| before.rfind('\n')).map_or(0, |at| at + 1)
            }
            Some(first) => first,
            None => 0,
        };
        let Some(text) = trimmed.get(start..) else { return self };
        let n_before = self.text.get(..start).map_or(0, |before| before.chars().count());
        let n = text.chars().count();
        Self { text: text.to_owned(), places: self.places[n_before..n_before + n].to_vec() }
    }
}

/// Rendered blocks, front to back.
#[derive(Default)]
pub(super) struct Rendered {
    pub(super) title: Option<String>,
    pub(super) metadata: Vec<(String, String)>,
    text: String,
    map: OffsetMap,
    source_end: usize,
    blocks: Vec<Block>,
}

impl Rendered {
    /// Adds a block, unless it is empty.
    pub(super) fn block(&mut self, kind: BlockKind, content: Inline) {
        let content = content.trimmed(&kind);
        if content.is_blank() {
            return;
        }
        if let Some(last) = self.blocks.last() {
            let is_list = matches!(kind, BlockKind::ListItem | BlockKind::Record);
            let gap = if is_list && last.kind == kind { "\n" } else { "\n\n" };
            self.map.jump(self.source_end);
            self.map.unit(gap.len(), 0);
            self.text.push_str(gap);
        }
        let start = self.text.len();
        for (c, &(at, len)) in content.text.chars().zip(&content.places) {
            self.map.jump(at);
            self.map.unit(c.len_utf8(), len);
            self.source_end = at + len;
        }
        self.text.push_str(&content.text);
        self.blocks.push(Block { span: Span::new(start, self.text.len()), kind });
    }

    /// Adds a heading.
    pub(super) fn heading(&mut self, level: u8, content: &Inline) {
        let content = content.squeezed();
        let text = content.text.clone();
        self.block(BlockKind::Heading { level, text }, content);
    }

    /// Adds a paragraph or the like, whose lines are joined.
    pub(super) fn prose(&mut self, kind: BlockKind, content: &Inline) {
        self.block(kind, content.squeezed());
    }

    /// Adds a table: rows of cells.
    pub(super) fn table(&mut self, headers: usize, rows: Vec<Vec<Inline>>) {
        let mut content = Inline::default();
        for (nth, row) in rows.into_iter().enumerate() {
            let at = content.places.last().map_or(0, |(at, len)| at + len);
            if nth > 0 {
                content.put('\n', at, 0);
            }
            for (column, cell) in row.into_iter().enumerate() {
                if column > 0 {
                    let at = content.places.last().map_or(at, |(at, len)| at + len);
                    content.insert(" | ", at, 0);
                }
                content.append(cell.squeezed());
            }
            content.trim_trailing_spaces();
        }
        self.block(BlockKind::Table { headers }, content);
    }

    /// Adds metadata, unless it is empty or too long.
    pub(super) fn metadata(&mut self, key: &str, value: &str) {
        let value = value.one_line();
        if !value.is_empty() && value.len() <= 1000 {
            self.metadata.push((key.to_lowercase(), value));
        }
    }

    pub(super) fn finish(self) -> (String, OffsetMap, Vec<Block>) {
        (self.text, self.map, self.blocks)
    }
}
