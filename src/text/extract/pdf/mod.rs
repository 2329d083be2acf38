//! PDF: the text of each page in reading order, under the headings of the outline.
//!
//! A PDF has no words, lines or paragraphs, only positioned glyphs. [`glyphs`] collects them,
//! [`layout`] makes lines of them in reading order, [`furniture`] takes out running heads and page
//! numbers, and this module makes headings, [`table`]s and [`paragraph`]s.

mod furniture;
mod glyphs;
mod layout;
mod letters;
mod outline;
mod paragraph;
mod ruled;
mod table;
mod words;

use hayro_interpret::InterpreterCache;
use hayro_interpret::hayro_syntax::{DecryptionError, LoadPdfError, Pdf};
use layout::TextLine;
use outline::text_string;
use paragraph::{Done, Paragraph};
use words::Words;

use super::build::Build;
use super::doc::{BlockKind, Extracted, NoText};
use super::placeholder::is_placeholder;
use crate::document::{Format, Location};
use crate::strings::StrExt as _;

/// The longest real documents have a few thousand pages.
const MAX_PAGES: usize = 20_000;

/// Above this share of glyphs without characters, the rest is mostly labels of figures.
const MAX_UNKNOWN: f64 = 0.7;

/// Below this share, the unknown glyphs are mostly symbols of formulas.
const MIN_REPORTED: f64 = 0.1;

fn unreadable(share: f64) -> String {
    format!("a PDF whose fonts do not say the characters of {:.0} % of its glyphs", 100.0 * share)
}

pub(super) fn parse(bytes: &[u8]) -> Result<Extracted, NoText> {
    let pdf = Pdf::new(bytes.to_vec()).map_err(|e| match e {
        LoadPdfError::Decryption(
            DecryptionError::UnsupportedAlgorithm | DecryptionError::PasswordProtected,
        ) => NoText::Encrypted,
        LoadPdfError::Decryption(_) => NoText::Damaged("its encryption is invalid".into()),
        LoadPdfError::Invalid => NoText::Damaged("it has no pages".into()),
    })?;
    let n_pages = pdf.pages().len();
    if n_pages > MAX_PAGES {
        return Err(NoText::TooMuch(format!("{n_pages} pages, more than {MAX_PAGES}").into()));
    }
    let mut pages: Vec<Vec<TextLine>> = Vec::with_capacity(n_pages);
    let (mut n_images, mut n_unknown, mut n_known) = (0, 0, 0);
    // Reading a font takes long, and pages share fonts.
    let cache = InterpreterCache::new();
    for page in pdf.pages().iter() {
        let shown = glyphs::glyphs(&pdf, page, &cache);
        if shown.is_full {
            return Err(NoText::TooMuch("a page has more than 400,000 characters".into()));
        }
        n_images += usize::from(shown.n_images > 0);
        n_unknown += shown.n_unknown;
        n_known += shown.glyphs.len();
        pages.push(layout::lines(shown.glyphs, &shown.rules));
    }
    if n_known == 0 {
        return Err(if n_unknown > 0 {
            NoText::Unsupported("a PDF without the characters of its glyphs".into())
        } else if n_images > 0 {
            NoText::Scanned(n_pages)
        } else {
            NoText::NoWords
        });
    }
    let share = n_unknown as f64 / (n_known + n_unknown) as f64;
    if share > MAX_UNKNOWN {
        return Err(NoText::Unsupported(unreadable(share).into()));
    }
    let outline = outline::outline(&pdf);
    let body = body_size(&pages);
    let heads = furniture::remove(&mut pages, body);
    let mut build = assemble(&pages, &heads, &outline);
    if share > MIN_REPORTED {
        build.metadata("unreadable", &unreadable(share));
    }
    let title = title(&pdf).or_else(|| largest(pages.first()?, &pages));
    let mut extracted = build.finish(Format::Pdf, title.as_deref())?;
    extracted.metadata.append(&mut stated(&pdf));
    Ok(extracted)
}

/// What the file states besides its title.
fn stated(pdf: &Pdf) -> Vec<(String, String)> {
    let metadata = pdf.metadata();
    let date = metadata.creation_date;
    let date = date.map(|date| format!("{:04}-{:02}-{:02}", date.year, date.month, date.day));
    let text =
        |bytes: &Option<Vec<u8>>| bytes.as_deref().map(|bytes| text_string(bytes).one_line());
    let values = [
        ("author", text(&metadata.author)),
        ("date", date),
        ("subject", text(&metadata.subject)),
        ("keywords", text(&metadata.keywords)),
    ];
    let values = values.into_iter().filter_map(|(key, value)| Some((key, value?)));
    let is_short = |value: &str| !value.is_empty() && value.len() <= 1000;
    values
        .filter(|(_, value)| is_short(value))
        .map(|(key, value)| (key.to_owned(), value))
        .collect()
}

/// The title that the file states, unless it is a file name or a program's default.
fn title(pdf: &Pdf) -> Option<String> {
    let title = text_string(pdf.metadata().title.as_deref()?);
    let title = title.trim();
    let has_letters = title.chars().filter(|c| c.is_alphabetic()).count() >= 3;
    (has_letters && !is_placeholder("title", title)).then(|| title.to_owned())
}

/// The line of the first page in the largest type, if that is larger than the body's.
fn largest(first: &[TextLine], pages: &[Vec<TextLine>]) -> Option<String> {
    let line =
        first.iter().take(12).max_by(|a, b| a.size.total_cmp(&b.size).then(b.y.total_cmp(&a.y)))?;
    let is_title =
        line.size > 1.15 * body_size(pages) && (4..=150).contains(&line.text.chars().count());
    is_title.then(|| line.text.clone())
}

/// The type size of most characters.
fn body_size(pages: &[Vec<TextLine>]) -> f64 {
    let mut by_size = std::collections::BTreeMap::<i64, usize>::new();
    for line in pages.iter().flatten() {
        *by_size.entry((line.size * 10.0).round() as i64).or_default() += line.text.len();
    }
    by_size.into_iter().max_by_key(|(_, n)| *n).map_or(10.0, |(size, _)| size as f64 / 10.0)
}

/// Builds the text, front to back.
struct Assembly<'a> {
    build: Build,
    words: Words,
    paragraph: Paragraph,
    /// Texts that would cut the paragraph: notes at the foot of its page, and heads.
    after: Vec<String>,
    outline: std::iter::Peekable<std::slice::Iter<'a, outline::Entry>>,
    body_size: f64,
    /// The sizes of headings, if there is no outline: each is a level.
    heading_sizes: Vec<i64>,
}

fn assemble(pages: &[Vec<TextLine>], heads: &[Vec<String>], outline: &[outline::Entry]) -> Build {
    let body = body_size(pages);
    let mut sizes: Vec<i64> = Vec::new();
    if outline.is_empty() {
        let large = |line: &&TextLine| line.size > 1.15 * body && line.text.chars().count() <= 120;
        sizes = pages.iter().flatten().filter(large).map(|line| line.size.round() as i64).collect();
        sizes.sort_unstable_by_key(|size| std::cmp::Reverse(*size));
        sizes.dedup();
    }
    let mut assembly = Assembly {
        build: Build::default(),
        words: Words::of(pages),
        paragraph: Paragraph::new(paragraph::leading(pages)),
        after: Vec::new(),
        outline: outline.iter().peekable(),
        body_size: body,
        heading_sizes: sizes,
    };
    for (n, (lines, heads)) in pages.iter().zip(heads).enumerate() {
        assembly.page(n, lines, heads);
    }
    assembly.end_paragraph();
    assembly.build
}

impl Assembly<'_> {
    fn page(&mut self, n: usize, lines: &[TextLine], heads: &[String]) {
        if self.paragraph.is_open() {
            self.paragraph.turn(n + 1);
        } else {
            self.end_paragraph();
            self.build.place(Location::Page(n + 1));
        }
        self.after.extend_from_slice(heads);
        if self.paragraph.is_empty() {
            self.end_paragraph();
        }
        let n_notes = lines
            .iter()
            .rev()
            .take_while(|line| line.turn == lines[0].turn && line.size < 0.92 * self.body_size)
            .count();
        // A page of small type is not notes, nor is a table.
        let from = lines.len() - n_notes;
        let is_table = lines[from..]
            .windows(2)
            .any(|pair| pair[0].cell.is_some() || (pair[0].y - pair[1].y).abs() < 1.0);
        let n_lines = if n_notes * 2 < lines.len() && !is_table { from } else { lines.len() };
        let (text, notes) = lines.split_at(n_lines);
        self.lines(n, text);
        self.notes(notes);
    }

    fn lines(&mut self, n: usize, lines: &[TextLine]) {
        let mut tables = table::tables(lines, &self.words).into_iter().peekable();
        let mut i = 0;
        while i < lines.len() {
            while tables.peek().is_some_and(|table| table.from < i) {
                tables.next();
            }
            if let Some((level, n_lines, skip)) = self.title(n, lines, i) {
                self.end_paragraph();
                let text: Vec<&str> =
                    lines[i..i + n_lines].iter().map(|line| line.text.as_str()).collect();
                self.build.heading(level, &text.join(" "));
                self.outline.nth(skip);
                i += n_lines;
                continue;
            }
            if let Some(table) = tables.next_if(|table| table.from == i) {
                self.end_paragraph();
                let rows: Vec<String> = table.rows.iter().map(|row| row.join(" | ")).collect();
                let headers = table.headers;
                self.build.block(BlockKind::Table { headers }, &rows.join("\n"));
                i = table.to;
                continue;
            }
            let line = &lines[i];
            if let Some(level) = self.heading_level(line) {
                self.end_paragraph();
                self.build.heading(level, &line.text);
            } else if let Some(done) = self.paragraph.push(line, right_of(lines, i), &self.words) {
                self.finish(done);
            }
            i += 1;
        }
    }

    /// The title of the outline at line `i`: its level, its lines, and the titles before it that
    /// are not on its page.
    fn title(&mut self, n: usize, lines: &[TextLine], i: usize) -> Option<(u8, usize, usize)> {
        while self.outline.peek().is_some_and(|entry| entry.page < n) {
            self.outline.next();
        }
        let here = self.outline.clone().take_while(|entry| entry.page == n).take(16);
        here.enumerate().find_map(|(skip, entry)| {
            let n_lines = title_lines(lines, i, &entry.title, self.body_size)?;
            Some((entry.level, n_lines, skip))
        })
    }

    /// The level of a line in large type.
    fn heading_level(&self, line: &TextLine) -> Option<u8> {
        let rank = self.heading_sizes.iter().position(|size| *size == line.size.round() as i64)?;
        let is_words = line.text.chars().filter(|c| c.is_alphabetic()).count() >= 2;
        let is_short = line.text.chars().count() <= 120;
        (line.size > 1.15 * self.body_size && is_short && is_words)
            .then(|| u8::try_from(rank + 1).unwrap_or(6).min(6))
    }

    /// Adds the notes at the foot of a page after the paragraph that continues on the next page.
    fn notes(&mut self, lines: &[TextLine]) {
        let mut notes = Paragraph::default();
        for (i, line) in lines.iter().enumerate() {
            let done = notes.push(line, right_of(lines, i), &self.words);
            self.after.extend(done.map(|done| done.text));
        }
        self.after.push(notes.end().text);
        if !self.paragraph.is_open() {
            self.end_paragraph();
        }
    }

    fn end_paragraph(&mut self) {
        let done = self.paragraph.end();
        self.finish(done);
    }

    fn finish(&mut self, done: Done) {
        self.build.block(BlockKind::Paragraph, &done.text);
        for (offset, page) in done.breaks {
            self.build.place_within(offset, Location::Page(page));
        }
        for text in self.after.drain(..) {
            self.build.block(BlockKind::Paragraph, &text);
        }
        if let Some(page) = done.next {
            self.build.place(Location::Page(page));
        }
    }
}

/// How many lines from line `i` are a title, unless they are the head of the page, which repeats
/// the title in small type above it.
fn title_lines(lines: &[TextLine], i: usize, title: &str, body: f64) -> Option<usize> {
    const HEAD_DISTANCE: usize = 200;
    let n_lines = lines_of_title(&lines[i..], title)?;
    let is_small = |line: &TextLine| line.size <= 1.05 * body;
    let is_title = |j: usize| !is_small(&lines[j]) && lines_of_title(&lines[j..], title).is_some();
    let is_head = is_small(&lines[i]) && (i + 1..lines.len().min(i + HEAD_DISTANCE)).any(is_title);
    (!is_head).then_some(n_lines)
}

/// The right edge of a line's column, from the lines around it.
fn right_of(lines: &[TextLine], i: usize) -> f64 {
    const AROUND: usize = 15;
    let (x0, x1) = (lines[i].x0, lines[i].x1);
    let near = &lines[i.saturating_sub(AROUND)..(i + AROUND).min(lines.len())];
    near.iter().filter(|line| line.x0 < x1 && x0 < line.x1).map(|line| line.x1).fold(x1, f64::max)
}

/// How many lines, from the first, have the words of a title, optionally after a number.
fn lines_of_title(lines: &[TextLine], title: &str) -> Option<usize> {
    let letters = |text: &str| {
        text.chars()
            .filter(|c| c.is_alphanumeric())
            .flat_map(char::to_lowercase)
            .collect::<String>()
    };
    let title = letters(title);
    let mut found = String::new();
    for (n, line) in lines.iter().take(3).enumerate() {
        found.push_str(&letters(&line.text));
        let number = found.strip_suffix(&title);
        if !title.is_empty() && number.is_some_and(|n| n.len() <= 12 && is_number(n)) {
            return Some(n + 1);
        }
        if found.len() > title.len() + 12 {
            return None;
        }
    }
    None
}

/// An empty text, `12`, `a3` or `chapter4`.
fn is_number(text: &str) -> bool {
    let rest = ["chapter", "kapitel", "section", "appendix", "part"]
        .iter()
        .find_map(|word| text.strip_prefix(word));
    rest.unwrap_or(text).chars().filter(|c| c.is_alphabetic()).count() <= 3
}

#[cfg(test)]
mod tests;
