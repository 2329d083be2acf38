//! XML: events for the formats based on it, and the text of plain XML files.
//!
//! Entities that a file defines are left out, so none can expand without limit.

use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::{Reader, XmlVersion};

use super::doc::{Block, BlockKind, NoText};
use super::html::Page;
use super::origin::OffsetMap;
use crate::document::Span;
use crate::strings::StrExt as _;

/// A start tag.
#[derive(Debug)]
pub(super) struct Element {
    /// Without prefix.
    pub(super) name: String,
    attributes: Vec<(String, String)>,
}

impl Element {
    fn new(start: &BytesStart<'_>) -> Self {
        let mut attributes = Vec::new();
        for attribute in start.attributes().with_checks(false).flatten() {
            if let Ok(value) = attribute.normalized_value(XmlVersion::Implicit1_0) {
                attributes.push((text_of(attribute.key.as_ref()), value.into_owned()));
            }
        }
        Self { name: text_of(start.local_name().as_ref()), attributes }
    }

    /// The value of an attribute, by its name with prefix or else without.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let local = |key: &str| key.rsplit(':').next() == Some(name);
        let exact = self.attributes.iter().find(|(key, _)| key == name);
        exact
            .or_else(|| self.attributes.iter().find(|(key, _)| local(key)))
            .map(|(_, value)| value.as_str())
    }
}

fn text_of(name: &(impl AsRef<str> + ?Sized)) -> String {
    name.as_ref().to_owned()
}

/// An event.
#[derive(Debug)]
pub(super) enum Node<'n> {
    Open(&'n Element),
    /// The name without prefix. An empty element is opened and closed.
    Close(&'n str),
    Text(&'n str),
}

/// Calls `visit` with each event until it returns false.
pub(super) fn walk(text: &str, visit: &mut dyn FnMut(Node<'_>) -> bool) -> Result<(), NoText> {
    let mut reader = reader(text);
    loop {
        let event = reader
            .read_event()
            .map_err(|e| NoText::Damaged(format!("its XML is broken: {e}").into()))?;
        let continues = match event {
            Event::Start(start) => visit(Node::Open(&Element::new(&start))),
            Event::Empty(start) => {
                let element = Element::new(&start);
                visit(Node::Open(&element)) && visit(Node::Close(&element.name))
            }
            Event::End(end) => visit(Node::Close(&text_of(end.local_name().as_ref()))),
            Event::Text(text) => visit(Node::Text(&text)),
            Event::CData(text) => visit(Node::Text(&text)),
            Event::GeneralRef(entity) => visit(Node::Text(&resolved(&entity))),
            Event::Eof => return Ok(()),
            _ => true,
        };
        if !continues {
            return Ok(());
        }
    }
}

fn reader(text: &str) -> Reader<&[u8]> {
    let mut reader = Reader::from_str(text);
    // Wrong end tags are tolerated.
    reader.config_mut().check_end_names = false;
    reader.config_mut().allow_unmatched_ends = true;
    reader.config_mut().allow_dangling_amp = true;
    reader
}

/// The value of a reference; a space for an entity that XML does not predefine.
fn resolved(entity: &BytesRef<'_>) -> String {
    match entity.resolve_char_ref() {
        Ok(Some(c)) => c.to_string(),
        _ => resolve_predefined_entity(entity).unwrap_or(" ").to_owned(),
    }
}

/// Inline elements.
const INLINE: &str = "a abbr acronym b bold citetitle code command email em emphasis emph ext-link \
     filename foreignphrase hi \
    i italic link literal option phrase q quote ref s small span strong sub subscript sup \
    superscript term tt u ulink \
    underline uri userinput varname xref";

/// The text of a file that is mostly text; `None` for a file that is mostly tags and attributes, or
/// is broken.
pub(super) fn parse(source: &str) -> Option<Page> {
    let mut reader = reader(source);
    let mut page = Renderer::default();
    let mut depth = 0_u8;
    loop {
        let before = usize::try_from(reader.buffer_position()).ok()?;
        let event = reader.read_event().ok()?;
        let after = usize::try_from(reader.buffer_position()).ok()?;
        match event {
            Event::Start(start) => {
                depth = depth.saturating_add(1);
                page.begin(&text_of(start.local_name().as_ref()), depth);
            }
            Event::Empty(start) => page.break_at(&text_of(start.local_name().as_ref())),
            Event::End(end) => {
                depth = depth.saturating_sub(1);
                page.break_at(&text_of(end.local_name().as_ref()));
            }
            Event::Text(text) => {
                page.copy(source.slice(after - text.len()..after), after - text.len());
            }
            Event::CData(text) => page.copy(&text, after - 3 - text.len()),
            Event::GeneralRef(entity) => page.replace(&resolved(&entity), before, after - before),
            Event::Eof => break,
            _ => {}
        }
    }
    page.end_block();
    let is_prose = page.text.len() * 10 >= source.len() * 3;
    let Renderer { title, text, map, blocks, .. } = page;
    (is_prose && !text.is_empty()).then_some(Page {
        title,
        text,
        map,
        blocks,
        metadata: Vec::new(),
    })
}

#[derive(Default)]
struct Renderer {
    title: Option<String>,
    text: String,
    map: OffsetMap,
    blocks: Vec<Block>,
    block_start: usize,
    heading: Option<u8>,
    needs_space: bool,
}

impl Renderer {
    fn begin(&mut self, name: &str, depth: u8) {
        self.break_at(name);
        if matches!(name, "title" | "head" | "heading") {
            self.heading = Some(depth.saturating_sub(1).clamp(1, 6));
        }
    }

    fn break_at(&mut self, name: &str) {
        if !INLINE.split_ascii_whitespace().any(|inline| inline == name) {
            self.end_block();
        }
    }

    fn copy(&mut self, raw: &str, start: usize) {
        let mut at = 0;
        for piece in raw.split_inclusive(char::is_whitespace) {
            let word = piece.trim_end_matches(char::is_whitespace);
            self.replace(word, start + at, word.len());
            self.needs_space |= word.len() < piece.len();
            at += piece.len();
        }
    }

    /// Writes text for `len` bytes of the source.
    fn replace(&mut self, text: &str, at: usize, len: usize) {
        if text.trim().is_empty() {
            self.needs_space |= !text.is_empty();
            return;
        }
        self.map.seek(at);
        let gap = match self.text.len() > self.block_start {
            false if self.blocks.is_empty() => "",
            false => "\n\n",
            true if self.needs_space => " ",
            true => "",
        };
        if !gap.is_empty() {
            self.text.push_str(gap);
            self.map.unit(gap.len(), 0);
        }
        if self.block_start == self.text.len() - gap.len() {
            self.block_start = self.text.len();
        }
        self.needs_space = false;
        self.text.push_str(text);
        if text.len() == len {
            self.map.copy(len);
        } else {
            self.map.unit(text.len(), len);
        }
    }

    fn end_block(&mut self) {
        self.needs_space = false;
        let heading = self.heading.take();
        let text = self.text.slice(self.block_start..);
        if text.is_empty() {
            return;
        }
        let kind = match heading {
            Some(level) => {
                self.title.get_or_insert_with(|| text.to_owned());
                BlockKind::Heading { level, text: text.to_owned() }
            }
            None => BlockKind::Paragraph,
        };
        self.blocks.push(Block { span: Span::new(self.block_start, self.text.len()), kind });
        self.block_start = self.text.len();
    }
}
