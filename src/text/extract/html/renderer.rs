//! Renders the events of the tokenizer as text.

use super::elements::{closes_itself, is_block, is_container, is_inline, is_never_text, is_void};
use super::entities::entity;
use super::metadata;
use super::tag::Tag;
use super::writer::{Gap, Writer};
use super::zones::{Keep, N_ZONES, Zone};
use crate::strings::StrExt as _;
use crate::text::extract::doc::BlockKind;
use crate::text::extract::scripts::raised;
use crate::text::extract::table::repeated;

/// An element whose end matters. Inside it, only elements of the same name are counted, so its end
/// is found however its contents are nested.
struct Open {
    name: Vec<u8>,
    depth: usize,
}

impl Open {
    fn new(name: &[u8]) -> Self {
        Self { name: name.to_vec(), depth: 1 }
    }
}

/// The rows of the outermost table.
#[derive(Default)]
struct Rows {
    /// Rows at the top that have only names of columns.
    n_headers: usize,
    n: usize,
    in_head: bool,
    /// About the current row.
    n_cells: usize,
    has_data: bool,
    has_text: bool,
    /// The column of the current cell, from 0.
    column: usize,
    /// Where the text of the current cell starts, and the further columns and rows that it spans.
    cell: (usize, usize, usize),
    /// Rows so far with a cell, and cells that span later ones: column, last row, text.
    n_rows: usize,
    above: Vec<(usize, usize, String)>,
}

impl Rows {
    fn end_row(&mut self) {
        // A caption has text, too.
        if self.has_text && self.n_cells > 0 {
            if (self.in_head || !self.has_data) && self.n_headers == self.n {
                self.n_headers += 1;
            }
            self.n += 1;
        }
        (self.n_cells, self.column, self.cell) = (0, 0, (0, 0, 0));
        (self.has_data, self.has_text) = (false, false);
    }

    /// The cell of an earlier row that is in the current column.
    fn above(&self) -> Option<String> {
        let mut above = self.above.iter();
        above.find(|(column, ..)| *column == self.column).map(|(.., text)| text.clone())
    }

    /// The header rows, once all rows are read. Without a row of data there are none.
    fn headers(&self) -> usize {
        if self.n_headers < self.n { self.n_headers } else { 0 }
    }
}

pub(super) struct Renderer<'a> {
    source: &'a str,
    keep: Keep,
    pub(super) out: Writer,
    /// The `title` element, entities not decoded.
    pub(super) title: Option<String>,
    pub(super) metadata: Vec<(String, String)>,
    /// Bytes of rendered text by [`Zone`].
    pub(super) n_bytes: [usize; N_ZONES],
    /// Those of links in [`Zone::Aside`].
    pub(super) n_links: usize,
    in_link: bool,

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
    /// No text has followed the `pre` tag yet: a line break is part of the tag.
    is_pre_start: bool,
    /// For each open list, the number of its next item if it is numbered.
    lists: Vec<Option<usize>>,
    n_tables: usize,
    in_cell: bool,
    rows: Rows,
    n_quotes: usize,
    raised: Raised,
}

/// Text above the line.
#[derive(Clone, Copy, PartialEq)]
enum Raised {
    No,
    Text,
    /// A link to a note.
    Mark,
}

/// Deeper lists are indented like this one.
const MAX_INDENT: usize = 6;

/// More `meta` tags, and cells that span rows, are ignored.
const MAX_METADATA: usize = 64;
const MAX_SPANNING: usize = 256;

/// Deeper nesting of navigation, asides and the like is an attack.
const MAX_ZONES: usize = 64;

impl<'a> Renderer<'a> {
    pub(super) fn new(source: &'a str, keep: Keep) -> Self {
        Self {
            source,
            keep,
            out: Writer::with_capacity(source.len() / 2),
            title: None,
            metadata: Vec::new(),
            n_bytes: [0; N_ZONES],
            n_links: 0,
            in_link: false,
            marker: None,
            is_item: false,
            in_term: false,
            after_term: false,
            zones: Vec::new(),
            skipped: None,
            heading: None,
            in_title: false,
            in_pre: false,
            is_pre_start: false,
            lists: Vec::new(),
            n_tables: 0,
            in_cell: false,
            rows: Rows::default(),
            n_quotes: 0,
            raised: Raised::No,
        }
    }

    fn zone(&self) -> Zone {
        self.zones.last().map_or(Zone::Body, |(zone, _)| *zone)
    }

    /// A start tag that ends at `end`.
    pub(super) fn open(&mut self, tag: &Tag, self_closing: bool, end: usize) {
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
        } else if let Some(zone) = self.zone().opened_by(tag)
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
        self.open_element(tag, end);
    }

    fn open_element(&mut self, tag: &Tag, end: usize) {
        let name = tag.name.as_slice();
        match name {
            b"title" => self.in_title = self.title.is_none(),
            b"meta" if self.metadata.len() < MAX_METADATA => {
                let stated = metadata::entry(&tag.key, &tag.content);
                let stated = stated.map(|(key, value)| (key.to_owned(), value));
                self.metadata.extend(stated.filter(|stated| !self.metadata.contains(stated)));
            }
            b"br" => self.out.widen(if self.in_cell { Gap::Space } else { Gap::Line }),
            b"img" | b"area" if !tag.alt.is_empty() => {
                let alt = String::from_utf8_lossy(&tag.alt).into_owned();
                self.inserted_text(&alt, end);
            }
            b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" => {
                self.end_block();
                self.end_item();
                self.heading = Some(name[1] - b'0');
            }
            b"dt" | b"dd" => {
                self.end_term();
                self.soft_break();
                self.in_term = name == b"dt";
            }
            b"pre" | b"listing" | b"xmp" => {
                self.end_block();
                self.heading = None;
                (self.in_pre, self.is_pre_start) = (true, true);
            }
            b"ul" | b"menu" | b"dir" | b"ol" => {
                self.end_block();
                self.lists.push((name == b"ol").then(|| tag.number().unwrap_or(1)));
            }
            b"li" => {
                if let (Some(Some(next)), Some(n)) = (self.lists.last_mut(), tag.number()) {
                    *next = n;
                }
                self.begin_item();
            }
            b"sup" => self.raised = Raised::Text,
            b"a" => {
                self.in_link = true;
                // The mark of a note is apart from its word.
                if self.raised == Raised::Text {
                    self.raised = Raised::Mark;
                    self.out.widen(Gap::Space);
                }
            }
            b"table" => {
                self.end_block();
                self.heading = None;
                self.n_tables += 1;
                self.in_cell = false;
                if self.n_tables == 1 {
                    self.rows = Rows::default();
                }
            }
            b"thead" => self.rows.in_head = true,
            b"tbody" | b"tfoot" => {
                self.end_row(end);
                self.rows.in_head = false;
            }
            b"tr" => {
                self.in_cell = false;
                self.end_row(end);
                self.out.next_row();
            }
            b"td" | b"th" if self.n_tables > 0 => self.begin_cell(tag, end),
            b"caption" => self.end_block(),
            b"blockquote" => {
                self.end_block();
                self.n_quotes += 1;
            }
            b"p" if self.heading.is_some() && self.out.is_in_block() => {
                self.end_block();
                self.heading = None;
            }
            _ if is_block(name) => self.soft_break(),
            _ => {}
        }
    }

    /// Begins a cell, after those of earlier rows that span this one.
    fn begin_cell(&mut self, tag: &Tag, at: usize) {
        if self.rows.n_cells > 0 {
            self.end_cell(true, at);
            self.out.next_cells(1);
            self.rows.column += 1;
        }
        self.write_above(at);
        self.rows.n_cells += 1;
        self.rows.cell = (self.out.len(), tag.n_spanned(), tag.n_spanned_rows());
        self.rows.has_data |= tag.name == b"td";
        self.in_cell = true;
    }

    /// Repeats the text of a cell in the columns that it spans, unless it is the only one of its
    /// row and thus a title; and keeps it for the rows that it spans.
    fn end_cell(&mut self, has_neighbours: bool, at: usize) {
        let (start, n_columns, n_rows) = std::mem::take(&mut self.rows.cell);
        if self.n_tables != 1 || (n_columns == 0 && n_rows == 0) {
            return;
        }
        let text = self.out.since(start).trim_start_matches([' ', '|', '\n']).trim_end();
        let text = repeated(text);
        for nth in 0..=n_columns {
            if nth > 0 {
                self.out.next_cells(1);
                self.rows.column += 1;
                if has_neighbours && !text.is_empty() {
                    self.inserted_text(&text, at);
                }
            }
            if n_rows > 0 && self.rows.above.len() < MAX_SPANNING {
                let last = self.rows.n_rows + n_rows;
                self.rows.above.push((self.rows.column, last, text.clone()));
            }
        }
    }

    /// Writes the cells of earlier rows that span this one, from the current column on.
    fn write_above(&mut self, at: usize) {
        while self.n_tables == 1
            && let Some(text) = self.rows.above()
        {
            self.inserted_text(&text, at);
            self.out.next_cells(1);
            self.rows.n_cells += 1;
            self.rows.column += 1;
        }
    }

    fn end_row(&mut self, at: usize) {
        if self.rows.n_cells > 0 {
            let is_alone = self.rows.n_cells < 2;
            self.end_cell(!is_alone, at);
            self.rows.column += 1;
            self.out.next_cells(1);
            self.write_above(at);
            self.rows.n_rows += 1;
            let n = self.rows.n_rows;
            self.rows.above.retain(|(_, last, _)| *last >= n);
        }
        self.rows.end_row();
    }

    fn begin_item(&mut self) {
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

    /// An end tag that ends at `end`.
    pub(super) fn close(&mut self, name: &[u8], end: usize) {
        if let Some(skipped) = &mut self.skipped {
            if skipped.name == name {
                skipped.depth -= 1;
                if skipped.depth == 0 {
                    self.skipped = None;
                }
                return;
            }
            // An element that is never closed does not hide the rest of the page.
            if name != b"body" && !(closes_itself(&skipped.name) && is_container(name)) {
                return;
            }
            self.skipped = None;
        }
        match name {
            b"title" => self.in_title = false,
            b"sup" => self.raised = Raised::No,
            b"a" => self.in_link = false,
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
                if self.n_tables == 1 {
                    self.end_row(end);
                    self.out.set_headers(self.rows.headers());
                }
                self.end_block();
                self.n_tables = self.n_tables.saturating_sub(1);
                self.in_cell = self.n_tables > 0;
            }
            b"td" | b"th" => self.in_cell = false,
            b"tr" => {
                self.end_row(end);
                self.out.next_row();
            }
            b"thead" => {
                self.end_row(end);
                self.rows.in_head = false;
            }
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
        // A zone that is never closed ends with the one around it, but the end of an inner `div`
        // does not end an outer zone.
        if at + 1 == self.zones.len() || matches!(name, b"main" | b"article" | b"body" | b"html") {
            self.end_block();
            self.zones.truncate(at);
        }
    }

    /// The text between two tags.
    pub(super) fn text(&mut self, start: usize, end: usize) {
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
        let n = self.out.len() - before;
        self.n_bytes[zone as usize] += n;
        self.n_links += if zone == Zone::Aside && self.in_link { n } else { 0 };
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
                let word = raw.slice(at..at + n);
                // The link from a note back to its mark.
                if !word.starts_with('↩') {
                    self.word(word, start + at);
                }
                at += n;
                continue;
            }
            if rest[0] != b'&' {
                self.out.widen(Gap::Space);
                at += rest.iter().take_while(|b| b.is_ascii_whitespace()).count();
                continue;
            }
            let (n, decoded) = entity(raw.slice(at..));
            if decoded.chars().all(char::is_whitespace) {
                self.out.widen(Gap::Space);
            } else {
                self.begin_text(start + at);
                self.out.replace(&decoded, start + at, n);
            }
            at += n;
        }
    }

    fn word(&mut self, word: &str, at: usize) {
        let is_raised = self.raised == Raised::Text;
        let shown = is_raised.then(|| raised(self.out.last_word(), word)).flatten();
        self.begin_text(at);
        match shown {
            Some(shown) => self.out.replace(&shown, at, word.len()),
            None => self.out.copy(word, at),
        }
    }

    fn verbatim(&mut self, raw: &str, start: usize) {
        let mut at = 0;
        if self.is_pre_start {
            at = if raw.starts_with("\r\n") {
                2
            } else {
                usize::from(raw.starts_with(['\n', '\r']))
            };
        }
        self.is_pre_start = false;
        while at < raw.len() {
            let n = raw.slice(at..).find('&').unwrap_or(raw.len() - at);
            if n > 0 {
                let piece = raw.slice(at..at + n);
                if !piece.trim().is_empty() || self.out.is_in_block() {
                    self.begin_text(start + at);
                    self.out.copy(piece, start + at);
                }
                at += n;
                continue;
            }
            let (n, decoded) = entity(raw.slice(at..));
            self.begin_text(start + at);
            self.out.replace(&decoded, start + at, n);
            at += n;
        }
    }

    /// Text that the source has only in an attribute, such as the description of an image.
    fn inserted_text(&mut self, text: &str, at: usize) {
        let text = text.one_line();
        if text.is_empty() || !self.keep.zones[self.zone() as usize] || self.in_title {
            return;
        }
        self.begin_text(at);
        self.out.insert(&text, at);
    }

    /// Writes what comes before the next piece of text.
    fn begin_text(&mut self, at: usize) {
        self.after_term = false;
        self.rows.has_text = true;
        if self.out.is_in_block() {
            self.out.continue_block(at);
            return;
        }
        let kind = match self.heading {
            Some(level) => BlockKind::Heading { level, text: String::new() },
            None if self.in_pre => BlockKind::Code,
            None if self.n_tables > 0 => BlockKind::Table { headers: 0 },
            None if self.is_item => BlockKind::ListItem,
            None if self.n_quotes > 0 => BlockKind::Quote,
            None => BlockKind::Paragraph,
        };
        let depth = self.lists.len().saturating_sub(1).min(MAX_INDENT);
        self.out.begin_block(kind, depth, at);
        self.is_item = false;
        if let Some(marker) = self.marker.take() {
            self.out.insert(&marker, at);
        }
    }

    fn end_block(&mut self) {
        self.after_term = false;
        self.out.end_block();
    }

    /// Ends a list item; one without text has no marker.
    fn end_item(&mut self) {
        self.marker = None;
        self.is_item = false;
    }

    /// Ends a term. Its explanation belongs to the same block.
    fn end_term(&mut self) {
        self.after_term |= self.in_term && self.out.is_in_block();
        self.in_term = false;
    }

    /// The start or end of a paragraph or the like; in a cell or a heading it is only a space.
    fn soft_break(&mut self) {
        if self.after_term {
            self.out.widen(Gap::Line);
        } else if self.in_cell || self.heading.is_some() {
            self.out.widen(Gap::Space);
        } else if !self.in_pre {
            self.end_block();
        }
    }
}
