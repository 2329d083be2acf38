//! HTML becomes the text that a reader of the page would see, and every character knows where in
//! the source it stood.
//!
//! There is no tree: the tokenizer says where tags are, and what lies between two tags is text. So
//! depth costs nothing and no nesting is wrong. What state is needed (lists, tables, `pre`, the
//! main part) is a few counters.
//!
//! The page is first surveyed: how much text stands in its main part, in navigation, elsewhere.
//! Then it is rendered without what is not its main matter. When nothing would be left, everything
//! is kept.

mod elements;
mod entities;

use elements::{closes_itself, is_block, is_container, is_inline, is_never_text, is_void};
use entities::{decode_entities, entity};
use html5gum::Tokenizer;
use html5gum::emitters::callback::{CallbackEmitter, CallbackEvent};

use super::origin::OffsetMap;
use super::{Block, BlockKind};
use crate::document::Span;
use crate::strings::{StrExt as _, shorten};

pub(super) struct Page {
    pub(super) title: Option<String>,
    pub(super) text: String,
    pub(super) map: OffsetMap,
    pub(super) blocks: Vec<Block>,
}

pub(super) fn parse(source: &str) -> Page {
    let survey = render(source, Keep::NOT_HIDDEN);
    let n = survey.n_chars;
    let n_main = n[Zone::Main as usize];
    let n_article = n[Zone::Article as usize];
    let n_body = n_main + n_article + n[Zone::Body as usize];
    let keep = if n.iter().sum::<usize>() == 0 {
        Keep::EVERYTHING
    } else if n_body == 0 {
        Keep::NOT_HIDDEN
    } else if n_main * 4 >= n_body {
        Keep { zones: [true, true, false, false, false], hidden: false }
    } else if n_main + n_article > 0 {
        Keep { zones: [true, true, true, false, false], hidden: false }
    } else {
        Keep { zones: [true, true, true, true, false], hidden: false }
    };
    let is_all = (0..n.len()).all(|zone| keep.zones[zone] || n[zone] == 0) && !keep.hidden;
    let page = if is_all { survey } else { render(source, keep) };
    page.finish()
}

/// Where on the page a text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Zone {
    Main,
    Article,
    Body,
    /// Header or footer outside main part, article and section.
    Margin,
    /// Navigation and asides.
    Navigation,
}

#[derive(Clone, Copy)]
struct Keep {
    zones: [bool; 5],
    hidden: bool,
}

impl Keep {
    const NOT_HIDDEN: Self = Self { zones: [true; 5], hidden: false };
    const EVERYTHING: Self = Self { zones: [true; 5], hidden: true };
}

fn render(source: &str, keep: Keep) -> Renderer<'_> {
    let mut renderer = Renderer::new(source, keep);
    let mut tag = Tag::default();
    let mut text_start = 0;
    let mut emitter =
        CallbackEmitter::new(|event: CallbackEvent<'_>, span: html5gum::Span<usize>| {
            match event {
                CallbackEvent::OpenStartTag { name } => {
                    renderer.text(text_start, span.start);
                    // A tag that the file ends in is no text.
                    text_start = source.len();
                    tag.clear(name);
                }
                CallbackEvent::AttributeName { name } => tag.attribute(name),
                CallbackEvent::AttributeValue { value } => tag.value(value),
                CallbackEvent::CloseStartTag { self_closing } => {
                    text_start = span.end;
                    renderer.open(&tag, self_closing, span.end);
                }
                CallbackEvent::EndTag { name } => {
                    renderer.text(text_start, span.start);
                    text_start = span.end;
                    renderer.close(name);
                }
                CallbackEvent::Comment { .. } | CallbackEvent::Doctype { .. } => {
                    renderer.text(text_start, span.start);
                    text_start = span.end;
                }
                CallbackEvent::String { .. } | CallbackEvent::Error(_) => {}
            }
            None::<std::convert::Infallible>
        });
    emitter.naively_switch_states(true);
    let Ok(()) = Tokenizer::new_with_emitter(source, emitter).finish();
    renderer.text(text_start, source.len());
    renderer
}

/// A start tag with the attributes that matter.
#[derive(Default)]
struct Tag {
    name: Vec<u8>,
    attribute: Vec<u8>,
    role: Vec<u8>,
    class: Vec<u8>,
    alt: Vec<u8>,
    is_hidden: bool,
}

impl Tag {
    fn clear(&mut self, name: &[u8]) {
        for part in
            [&mut self.name, &mut self.attribute, &mut self.role, &mut self.class, &mut self.alt]
        {
            part.clear();
        }
        self.name.extend_from_slice(name);
        self.is_hidden = false;
    }

    fn attribute(&mut self, name: &[u8]) {
        self.attribute.clear();
        self.attribute.extend_from_slice(name);
        self.is_hidden |= name == b"hidden";
    }

    fn value(&mut self, value: &[u8]) {
        match self.attribute.as_slice() {
            b"role" => self.role.extend_from_slice(value),
            b"class" => self.class.extend_from_slice(value),
            b"alt" => self.alt.extend_from_slice(value),
            b"aria-hidden" => self.is_hidden |= value == b"true",
            b"style" => {
                let style: Vec<u8> =
                    value.iter().filter(|b| !b.is_ascii_whitespace()).copied().collect();
                self.is_hidden |=
                    style.windows(12).any(|w| w.eq_ignore_ascii_case(b"display:none"));
            }
            _ => {}
        }
    }

    /// Line numbers beside code, and the marks that link a heading to itself.
    fn is_decoration(&self) -> bool {
        self.has_class(&[b"linenos", b"lineno", b"gutter", b"headerlink", b"anchorjs-link"])
    }

    fn has_class(&self, any_of: &[&[u8]]) -> bool {
        self.class.split(u8::is_ascii_whitespace).any(|class| any_of.contains(&class))
    }
}

/// An element whose end matters. Only elements of the same name are counted inside it, so that its
/// own end is found however its contents nest.
struct Open {
    name: Vec<u8>,
    depth: usize,
}

impl Open {
    fn new(name: &[u8]) -> Self {
        Self { name: name.to_vec(), depth: 1 }
    }
}

/// What must come before the next text of the same block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    None,
    Space,
    Cell,
    Line,
}

struct Renderer<'a> {
    source: &'a str,
    keep: Keep,
    out: String,
    map: OffsetMap,
    blocks: Vec<Block>,
    title: Option<String>,
    n_chars: [usize; 5],

    /// Start of the current block in `out`.
    block_start: usize,
    /// What the current block is, once it has text.
    kind: BlockKind,
    gap: Gap,
    /// Marker to be written before the first text of a list item.
    marker: Option<String>,
    is_item: bool,
    in_term: bool,
    /// Whether what follows explains the term that the current block begins with.
    after_term: bool,

    zones: Vec<(Zone, Open)>,
    skipped: Option<Open>,
    heading: Option<u8>,
    in_title: bool,
    in_pre: bool,
    pre_is_fresh: bool,
    /// For each open list the number of its next item, if it numbers them.
    lists: Vec<Option<usize>>,
    n_tables: usize,
    in_cell: bool,
    n_quotes: usize,
}

/// Lists within lists are shown so deep.
const MAX_INDENT: usize = 6;

/// Deeper nesting of navigation, asides and the like than this is not a page but an attack.
const MAX_ZONES: usize = 64;

impl<'a> Renderer<'a> {
    fn new(source: &'a str, keep: Keep) -> Self {
        Self {
            source,
            keep,
            out: String::with_capacity(source.len() / 2),
            map: OffsetMap::default(),
            blocks: Vec::new(),
            title: None,
            n_chars: [0; 5],
            block_start: 0,
            kind: BlockKind::Paragraph,
            gap: Gap::None,
            marker: None,
            is_item: false,
            in_term: false,
            after_term: false,
            zones: Vec::new(),
            skipped: None,
            heading: None,
            in_title: false,
            in_pre: false,
            pre_is_fresh: false,
            lists: Vec::new(),
            n_tables: 0,
            in_cell: false,
            n_quotes: 0,
        }
    }

    fn finish(mut self) -> Page {
        self.end_block();
        let title = self
            .title
            .map(|title| decode_entities(&title))
            .filter(|t| !t.trim().is_empty())
            .or_else(|| {
                self.blocks.iter().find_map(|block| match &block.kind {
                    BlockKind::Heading { level: 1, text } => Some(text.clone()),
                    _ => None,
                })
            });
        let len = self.blocks.last().map_or(0, |block| block.span.end);
        shorten(&mut self.out, len);
        self.map.truncate(len);
        Page { title, text: self.out, map: self.map, blocks: self.blocks }
    }

    fn zone(&self) -> Zone {
        self.zones.last().map_or(Zone::Body, |(zone, _)| *zone)
    }

    fn open(&mut self, tag: &Tag, self_closing: bool, end: usize) {
        let name = tag.name.as_slice();
        if let Some(skipped) = &mut self.skipped {
            if skipped.name != name {
                return;
            }
            if !closes_itself(name) {
                skipped.depth += 1;
                return;
            }
            self.skipped = None;
        }
        if let Some((_, zone)) = self.zones.last_mut()
            && zone.name == name
        {
            zone.depth += 1;
        } else if let Some(zone) = self.zone_of(tag)
            && self.zones.len() < MAX_ZONES
        {
            self.end_block();
            self.zones.push((zone, Open::new(name)));
        }
        let is_hidden = (tag.is_hidden || tag.is_decoration()) && !self.keep.hidden;
        let is_foreign_leaf = self_closing && name == b"svg";
        if (is_never_text(name) || is_hidden) && !is_void(name) && !is_foreign_leaf {
            if is_hidden && !is_inline(name) {
                self.end_block();
            }
            self.skipped = Some(Open::new(name));
            return;
        }
        match name {
            b"title" => self.in_title = self.title.is_none(),
            b"br" => self.widen(if self.in_cell { Gap::Space } else { Gap::Line }),
            b"img" | b"area" if !tag.alt.is_empty() => {
                let alt = String::from_utf8_lossy(&tag.alt).into_owned();
                self.inserted_text(&alt, end);
            }
            b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" => {
                self.end_block();
                self.end_item();
                self.heading = Some(name[1] - b'0');
            }
            b"dt" => {
                self.end_term();
                self.soft_break();
                self.in_term = true;
            }
            b"dd" => {
                self.end_term();
                self.soft_break();
            }
            b"pre" | b"listing" | b"xmp" => {
                self.end_block();
                self.heading = None;
                (self.in_pre, self.pre_is_fresh) = (true, true);
            }
            b"ul" | b"menu" | b"dir" => {
                self.end_block();
                self.lists.push(None);
            }
            b"ol" => {
                self.end_block();
                self.lists.push(Some(1));
            }
            b"li" => {
                self.end_block();
                self.is_item = true;
                self.marker = Some(match self.lists.last_mut() {
                    Some(Some(n)) => {
                        *n += 1;
                        format!("{}. ", *n - 1)
                    }
                    _ => "- ".to_owned(),
                });
            }
            b"table" => {
                self.end_block();
                self.heading = None;
                self.n_tables += 1;
                self.in_cell = false;
            }
            b"tr" => {
                self.in_cell = false;
                self.widen(Gap::Line);
            }
            b"td" | b"th" if self.n_tables > 0 => {
                self.widen(Gap::Cell);
                self.in_cell = true;
            }
            b"caption" => self.end_block(),
            b"blockquote" => {
                self.end_block();
                self.n_quotes += 1;
            }
            b"p" if self.heading.is_some() && self.out.len() > self.block_start => {
                self.end_block();
                self.heading = None;
            }
            _ if is_block(name) => self.soft_break(),
            _ => {}
        }
    }

    fn close(&mut self, name: &[u8]) {
        if let Some(skipped) = &mut self.skipped {
            if skipped.name == name {
                skipped.depth -= 1;
                if skipped.depth == 0 {
                    self.skipped = None;
                }
                return;
            }
            // An element left open does not swallow the rest of the page.
            if name != b"body" && !(closes_itself(&skipped.name) && is_container(name)) {
                return;
            }
            self.skipped = None;
        }
        match name {
            b"title" => self.in_title = false,
            b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" => {
                self.end_block();
                self.heading = None;
            }
            b"pre" | b"listing" | b"xmp" => {
                self.end_block();
                self.in_pre = false;
            }
            b"ul" | b"ol" | b"menu" | b"dir" => {
                self.end_block();
                self.end_item();
                self.lists.pop();
            }
            b"table" => {
                self.end_block();
                self.n_tables = self.n_tables.saturating_sub(1);
                self.in_cell = self.n_tables > 0;
            }
            b"td" | b"th" => self.in_cell = false,
            b"tr" => self.widen(Gap::Line),
            b"blockquote" => {
                self.end_block();
                self.n_quotes = self.n_quotes.saturating_sub(1);
            }
            b"caption" => self.end_block(),
            b"li" => {
                self.end_block();
                self.end_item();
            }
            b"dt" => self.end_term(),
            _ if is_block(name) => self.soft_break(),
            _ => {}
        }
        self.leave_zone(name);
    }

    fn leave_zone(&mut self, name: &[u8]) {
        let Some(at) = self.zones.iter().rposition(|(_, open)| open.name == name) else { return };
        if at + 1 == self.zones.len() && self.zones[at].1.depth > 1 {
            self.zones[at].1.depth -= 1;
            return;
        }
        // A zone that was never closed ends with the one around it; but an inner `div` does not end
        // an outer one.
        if at + 1 == self.zones.len() || matches!(name, b"main" | b"article" | b"body" | b"html") {
            self.end_block();
            self.zones.truncate(at);
        }
    }

    fn zone_of(&self, tag: &Tag) -> Option<Zone> {
        let is_in_main = matches!(self.zone(), Zone::Main | Zone::Article);
        if tag.has_class(&[
            b"nav-panel",
            b"navheader",
            b"navfooter",
            b"sphinxsidebar",
            b"breadcrumb",
            b"breadcrumbs",
        ]) {
            return Some(Zone::Navigation);
        }
        let zone = match (tag.name.as_slice(), tag.role.as_slice()) {
            (b"nav" | b"aside", _) | (_, b"navigation" | b"complementary" | b"search") => {
                Zone::Navigation
            }
            (b"main", _) | (_, b"main") => Zone::Main,
            (b"article", _) if self.zone() != Zone::Main => Zone::Article,
            (b"header" | b"footer", _) | (_, b"banner" | b"contentinfo") if !is_in_main => {
                Zone::Margin
            }
            _ => return None,
        };
        Some(zone)
    }

    /// The text between two tags.
    fn text(&mut self, start: usize, end: usize) {
        let Some(raw) = self.source.get(start..end).filter(|raw| !raw.is_empty()) else { return };
        if self.skipped.is_some() {
            return;
        }
        if self.in_title {
            self.title.get_or_insert_default().push_str(raw);
            return;
        }
        let zone = self.zone();
        if !self.keep.zones[zone as usize] {
            return;
        }
        let before = self.out.len();
        if self.in_pre {
            self.verbatim(raw, start);
        } else {
            self.words(raw, start);
        }
        self.n_chars[zone as usize] += self.out.len() - before;
    }

    fn words(&mut self, raw: &str, start: usize) {
        let bytes = raw.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            let n = rest
                .iter()
                .position(|b| b.is_ascii_whitespace() || *b == b'&')
                .unwrap_or(rest.len());
            if n > 0 {
                self.begin_text(start + at);
                self.copy(raw.slice(at..at + n), start + at);
                at += n;
                continue;
            }
            if rest[0] != b'&' {
                self.widen(Gap::Space);
                at += rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
                continue;
            }
            let (n, decoded) = entity(raw.slice(at..));
            if decoded.chars().all(char::is_whitespace) {
                self.widen(Gap::Space);
            } else {
                self.begin_text(start + at);
                self.replace(&decoded, start + at, n);
            }
            at += n;
        }
    }

    fn verbatim(&mut self, raw: &str, start: usize) {
        let mut at = 0;
        if self.pre_is_fresh {
            at = if raw.starts_with("\r\n") {
                2
            } else {
                usize::from(raw.starts_with(['\n', '\r']))
            };
        }
        self.pre_is_fresh = false;
        while at < raw.len() {
            let n = raw.slice(at..).find('&').unwrap_or(raw.len() - at);
            if n > 0 {
                let piece = raw.slice(at..at + n);
                if !piece.trim().is_empty() || self.out.len() > self.block_start {
                    self.begin_text(start + at);
                    self.copy(piece, start + at);
                }
                at += n;
                continue;
            }
            let (n, decoded) = entity(raw.slice(at..));
            self.begin_text(start + at);
            self.replace(&decoded, start + at, n);
            at += n;
        }
    }

    /// Text that stands in no text of the source, such as an image's description.
    fn inserted_text(&mut self, text: &str, at: usize) {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if text.is_empty() || !self.keep.zones[self.zone() as usize] || self.in_title {
            return;
        }
        self.begin_text(at);
        self.insert(&text, at);
    }

    /// Writes what must stand before the next piece of text.
    fn begin_text(&mut self, at: usize) {
        self.after_term = false;
        if self.out.len() > self.block_start {
            match std::mem::replace(&mut self.gap, Gap::None) {
                Gap::None => {}
                Gap::Space => self.insert(" ", at),
                Gap::Cell => self.insert(" | ", at),
                Gap::Line => self.insert("\n", at),
            }
            return;
        }
        self.gap = Gap::None;
        self.kind = match self.heading {
            Some(level) => BlockKind::Heading { level, text: String::new() },
            None if self.in_pre => BlockKind::Code,
            None if self.n_tables > 0 => BlockKind::Table,
            None if self.is_item => BlockKind::ListItem,
            None if self.n_quotes > 0 => BlockKind::Quote,
            None => BlockKind::Paragraph,
        };
        if let Some(last) = self.blocks.last() {
            let is_list = last.kind == BlockKind::ListItem && self.kind == BlockKind::ListItem;
            self.insert(if is_list { "\n" } else { "\n\n" }, at);
            if self.kind == BlockKind::ListItem {
                let depth = self.lists.len().saturating_sub(1).min(MAX_INDENT);
                self.insert(&"  ".repeat(depth), at);
            }
            self.block_start = self.out.len();
        }
        self.is_item = false;
        if let Some(marker) = self.marker.take() {
            self.insert(&marker, at);
        }
    }

    /// Ends the current block, if it has text.
    fn end_block(&mut self) {
        self.gap = Gap::None;
        self.after_term = false;
        let text = self.out.slice(self.block_start..);
        if text.is_empty() {
            return;
        }
        let len = self.block_start + text.trim_end().len();
        shorten(&mut self.out, len);
        self.map.truncate(len);
        let mut kind = std::mem::replace(&mut self.kind, BlockKind::Paragraph);
        if let BlockKind::Heading { text, .. } = &mut kind {
            // A mark that links the heading to itself is not part of it.
            let shown = self.out.slice(self.block_start..len);
            let is_mark = |c: char| c.is_whitespace() || "¶§#🔗".contains(c);
            text.push_str(shown.trim_matches(is_mark));
            if text.is_empty() {
                kind = BlockKind::Paragraph;
            }
        }
        self.blocks.push(Block { span: Span::new(self.block_start, len), kind });
        self.block_start = len;
    }

    /// A list item that had no text leaves no marker behind.
    fn end_item(&mut self) {
        self.marker = None;
        self.is_item = false;
    }

    /// A term and what explains it make one block.
    fn end_term(&mut self) {
        self.after_term |= self.in_term && self.out.len() > self.block_start;
        self.in_term = false;
    }

    /// A paragraph or the like begins or ends: in a table cell that is no more than a space.
    fn soft_break(&mut self) {
        if self.after_term {
            self.widen(Gap::Line);
        } else if self.in_cell || self.heading.is_some() {
            self.widen(Gap::Space);
        } else if !self.in_pre {
            self.end_block();
        }
    }

    fn widen(&mut self, gap: Gap) {
        self.gap = self.gap.max(gap);
    }

    fn copy(&mut self, text: &str, at: usize) {
        self.map.seek(at);
        self.map.copy(text.len());
        self.out.push_str(text);
    }

    fn replace(&mut self, text: &str, at: usize, source_len: usize) {
        if text.is_empty() {
            return;
        }
        self.map.seek(at);
        self.map.unit(text.len(), source_len);
        self.out.push_str(text);
    }

    fn insert(&mut self, text: &str, at: usize) {
        self.replace(text, at, 0);
    }
}
