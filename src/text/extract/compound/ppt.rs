//! Presentations of `PowerPoint` as written before 2007: the text of each slide under its title,
//! and the speaker's notes.
//!
//! The document is a stream of records, of which some contain others. A directory gives the
//! current record of each slide; others are what earlier savings left.

use std::collections::HashMap;

use super::streams::{Streams, latin, u16_at, u32_at, utf_16};
use super::summary;
use crate::document::{Format, Location};
use crate::text::extract::build::Build;
use crate::text::extract::doc::{BlockKind, Extracted, NoText};

/// Records of one file that are looked at.
const MAX_RECORDS: usize = 1 << 20;

const SLIDE_LIST: u16 = 0x0FF0;
const SLIDE_PERSIST: u16 = 0x03F3;
const TEXT_HEADER: u16 = 0x0F9F;
const TEXT_CHARS: u16 = 0x0FA0;
const TEXT_BYTES: u16 = 0x0FA8;
const OUTLINE_TEXT: u16 = 0x0F9E;
const SLIDE: u16 = 0x03EE;
const NOTES: u16 = 0x03F0;
const SLIDE_SHOW_INFO: u16 = 0x03F9;
const USER_EDIT: u16 = 0x0FF5;
const PERSIST_DIRECTORY: u16 = 0x1772;

pub(super) fn ppt(streams: &mut Streams<'_>) -> Result<Extracted, NoText> {
    let stream = streams.required("/PowerPoint Document")?;
    let user = streams.required("/Current User")?;
    if u32_at(&user, 12) == Some(0xF3D1_C4DF) {
        return Err(NoText::Encrypted);
    }
    let edit = u32_at(&user, 16).unwrap_or(0) as usize;
    let (document, offsets) = directory(&stream, edit);
    let missing = || NoText::Damaged("it has no document".into());
    let document = offsets.get(&document).and_then(|at| Record::at(&stream, *at));
    let mut n_left = MAX_RECORDS;
    let mut lists: HashMap<u16, Vec<Entry>> = HashMap::new();
    walk(document.ok_or_else(missing)?.content, &mut n_left, &mut |record| {
        if record.kind == SLIDE_LIST {
            lists.insert(record.instance, entries(record.content));
        }
        record.kind != SLIDE_LIST
    });
    let record = |entry: &Entry, kind: u16| {
        let record = Record::at(&stream, *offsets.get(&entry.reference)?)?;
        (record.kind == kind).then_some(record.content)
    };
    let notes = lists.remove(&2).unwrap_or_default();
    let mut build = Build::default();
    let mut title = None;
    for (n, entry) in lists.remove(&0).unwrap_or_default().iter().enumerate() {
        let Some(content) = record(entry, SLIDE) else { continue };
        let slide = Slide::read(content, &entry.texts, &mut n_left);
        if slide.is_hidden {
            continue;
        }
        build.place(Location::Slide(n + 1));
        title = title.or_else(|| slide.title());
        slide.write(&mut build);
        // The notes name the slide that they are of.
        let of_slide = |notes: &&Entry| {
            let atom = record(notes, NOTES).and_then(|content| Record::at(content, 0));
            atom.and_then(|atom| u32_at(atom.content, 0)) == Some(entry.identifier)
        };
        if let Some(notes) = notes.iter().find(of_slide)
            && let Some(content) = record(notes, NOTES)
        {
            Slide::read(content, &notes.texts, &mut n_left).write(&mut build);
        }
    }
    let stated = summary::read(streams, &mut build);
    let stated = stated.filter(|title| !title.to_lowercase().starts_with("powerpoint"));
    build.finish(Format::Ppt, stated.or(title).as_deref())
}

/// The reference of the document, and the offset of each record by its reference. The latest
/// saving is the first that is read.
fn directory(stream: &[u8], mut edit: usize) -> (u32, HashMap<u32, usize>) {
    let mut offsets = HashMap::new();
    let mut document = None;
    for _ in 0..1000 {
        let Some(record) = Record::at(stream, edit).filter(|edit| edit.kind == USER_EDIT) else {
            break;
        };
        let field = |at| u32_at(record.content, at).unwrap_or(0);
        document.get_or_insert(field(16));
        let table = Record::at(stream, field(12) as usize);
        if let Some(table) = table.filter(|table| table.kind == PERSIST_DIRECTORY) {
            let mut words = table.content.chunks_exact(4).filter_map(|word| u32_at(word, 0));
            while let Some(head) = words.next() {
                let (first, n) = (head & 0xF_FFFF, head >> 20);
                for (nth, offset) in words.by_ref().take(n as usize).enumerate() {
                    offsets.entry(first + nth as u32).or_insert(offset as usize);
                }
            }
        }
        let previous = field(8) as usize;
        if previous == 0 || previous >= edit {
            break;
        }
        edit = previous;
    }
    (document.unwrap_or(0), offsets)
}

#[derive(Clone, Copy)]
struct Record<'a> {
    kind: u16,
    instance: u16,
    contains_records: bool,
    content: &'a [u8],
}

impl<'a> Record<'a> {
    fn at(bytes: &'a [u8], at: usize) -> Option<Self> {
        let head = u16_at(bytes, at)?;
        let content = bytes.get(at.checked_add(8)?..)?;
        let len = (u32_at(bytes, at + 4)? as usize).min(content.len());
        Some(Self {
            kind: u16_at(bytes, at + 2)?,
            instance: head >> 4,
            contains_records: head & 15 == 15,
            content: &content[..len],
        })
    }

    /// The text of a record, if it is one of text. Lines of a paragraph end with a vertical tab.
    fn text(self) -> Option<String> {
        let text = match self.kind {
            TEXT_CHARS => utf_16(self.content),
            TEXT_BYTES => latin(self.content),
            _ => return None,
        };
        Some(text.replace('\u{b}', "\n").replace('\r', "\n\n"))
    }
}

/// Passes the records, and those inside of each for which `visit` returns true.
fn walk<'a>(bytes: &'a [u8], n_left: &mut usize, visit: &mut dyn FnMut(Record<'a>) -> bool) {
    let mut open = vec![bytes];
    while let Some(rest) = open.pop() {
        let Some(record) = Record::at(rest, 0).filter(|_| *n_left > 0) else { continue };
        *n_left -= 1;
        open.push(&rest[8 + record.content.len()..]);
        if visit(record) && record.contains_records && open.len() < 64 {
            open.push(record.content);
        }
    }
}

/// A slide in a list of slides.
struct Entry {
    reference: u32,
    identifier: u32,
    /// The kinds and texts of its placeholders.
    texts: Vec<(u32, String)>,
}

fn entries(list: &[u8]) -> Vec<Entry> {
    let mut entries: Vec<Entry> = Vec::new();
    let (mut kind, mut n_left) = (0, MAX_RECORDS);
    walk(list, &mut n_left, &mut |record| {
        match record.kind {
            SLIDE_PERSIST => {
                let field = |at| u32_at(record.content, at).unwrap_or(0);
                entries.push(Entry {
                    reference: field(0),
                    identifier: field(12),
                    texts: Vec::new(),
                });
            }
            TEXT_HEADER => {
                kind = u32_at(record.content, 0).unwrap_or(0);
                // A placeholder without text counts, too.
                if let Some(entry) = entries.last_mut() {
                    entry.texts.push((kind, String::new()));
                }
            }
            _ => {
                let last = entries.last_mut().and_then(|entry| entry.texts.last_mut());
                if let (Some((_, last)), Some(text)) = (last, record.text()) {
                    *last = text;
                }
            }
        }
        true
    });
    entries
}

/// The texts of a slide or of its notes, with their kinds.
struct Slide {
    texts: Vec<(u32, String)>,
    is_hidden: bool,
}

impl Slide {
    fn read(content: &[u8], outline: &[(u32, String)], n_left: &mut usize) -> Self {
        let mut slide = Self { texts: Vec::new(), is_hidden: false };
        let mut kind = 4;
        walk(content, n_left, &mut |record| {
            match record.kind {
                SLIDE_SHOW_INFO => {
                    slide.is_hidden = u16_at(record.content, 10).is_some_and(|flags| flags & 4 > 0);
                }
                TEXT_HEADER => kind = u32_at(record.content, 0).unwrap_or(4),
                OUTLINE_TEXT => {
                    let nth = u32_at(record.content, 0).unwrap_or(0) as usize;
                    slide.texts.extend(outline.get(nth).cloned());
                }
                _ => slide.texts.extend(record.text().map(|text| (kind, text))),
            }
            true
        });
        slide
    }

    fn title(&self) -> Option<String> {
        let mut titles = self.texts.iter().filter(|(kind, _)| is_title(*kind));
        titles.next().map(|(_, text)| text.clone()).filter(|text| !text.trim().is_empty())
    }

    /// Writes the title first, wherever it is.
    fn write(mut self, build: &mut Build) {
        self.texts.sort_by_key(|(kind, _)| !is_title(*kind));
        for (kind, text) in self.texts {
            // A field, such as the number of the slide, is an asterisk.
            if is_title(kind) {
                build.heading(1, &text);
            } else {
                for paragraph in text.split("\n\n").filter(|text| text.trim() != "*") {
                    build.block(BlockKind::Paragraph, paragraph);
                }
            }
        }
    }
}

fn is_title(kind: u32) -> bool {
    matches!(kind, 0 | 6)
}
