//! PDF: the text of each page in reading order, under the headings of the outline.
//!
//! A PDF has no words, lines or paragraphs, only positioned glyphs. [`glyphs`] collects them,
//! [`layout`] makes lines of them in reading order, and this module makes paragraphs and headings.

mod glyphs;
mod layout;
mod outline;

use hayro_interpret::InterpreterCache;
use hayro_interpret::hayro_syntax::{DecryptionError, LoadPdfError, Pdf};
use layout::TextLine;
use outline::text_string;

use super::build::Build;
use super::doc::{BlockKind, Extracted, NoText};
use crate::document::{Format, Location};

/// The longest real documents have a few thousand pages.
const MAX_PAGES: usize = 20_000;

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
        pages.push(layout::lines(shown.glyphs));
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
    let outline = outline::outline(&pdf);
    let build = assemble(&pages, &outline);
    let title = title(&pdf).or_else(|| largest(pages.first()?, &pages));
    let mut extracted = build.finish(Format::Pdf, title.as_deref())?;
    let author = pdf.metadata().author.as_deref().map(text_string);
    if let Some(author) = author.filter(|author| !author.trim().is_empty()) {
        extracted.metadata.push(("author".to_owned(), author));
    }
    Ok(extracted)
}

/// The title that the file states, unless it is a file name or a program's default.
fn title(pdf: &Pdf) -> Option<String> {
    let title = text_string(pdf.metadata().title.as_deref()?);
    let title = title.trim();
    let is_name =
        [".doc", ".docx", ".tex", ".dvi", ".pdf", ".indd", ".odt", ".ppt", ".xls", ".qxd"]
            .iter()
            .any(|end| title.to_lowercase().ends_with(end));
    let is_default = title.to_lowercase().starts_with("microsoft word -")
        || title.eq_ignore_ascii_case("untitled");
    (title.chars().filter(|c| c.is_alphabetic()).count() >= 3 && !is_name && !is_default)
        .then(|| title.to_owned())
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

fn assemble(pages: &[Vec<TextLine>], outline: &[outline::Entry]) -> Build {
    let mut build = Build::default();
    let body = body_size(pages);
    // Without an outline, lines in large type are headings: each size is a level.
    let mut sizes: Vec<i64> = Vec::new();
    if outline.is_empty() {
        let large = |line: &&TextLine| line.size > 1.15 * body && line.text.chars().count() <= 120;
        sizes = pages.iter().flatten().filter(large).map(|line| line.size.round() as i64).collect();
        sizes.sort_unstable_by_key(|size| std::cmp::Reverse(*size));
        sizes.dedup();
    }
    let mut entries = outline.iter().peekable();
    for (n, lines) in pages.iter().enumerate() {
        build.place(Location::Page(n + 1));
        let mut i = 0;
        let mut paragraph = Paragraph::default();
        while i < lines.len() {
            // Titles are in the order of the outline. One that is not on its page is skipped.
            while entries.peek().is_some_and(|entry| entry.page < n) {
                entries.next();
            }
            let here = entries.clone().take_while(|entry| entry.page == n).take(16);
            let title = here.enumerate().find_map(|(skip, entry)| {
                let n_lines = title_lines(lines, i, &entry.title, body)?;
                Some((skip, entry.level, n_lines))
            });
            if let Some((skip, level, n_lines)) = title {
                paragraph.end(&mut build);
                let text: Vec<&str> =
                    lines[i..i + n_lines].iter().map(|line| line.text.as_str()).collect();
                build.heading(level, &text.join(" "));
                entries.nth(skip);
                i += n_lines;
                continue;
            }
            let line = &lines[i];
            let rank = sizes.iter().position(|size| *size == line.size.round() as i64);
            let is_words = line.text.chars().filter(|c| c.is_alphabetic()).count() >= 2;
            if let Some(rank) = rank
                .filter(|_| line.size > 1.15 * body && line.text.chars().count() <= 120 && is_words)
            {
                paragraph.end(&mut build);
                build.heading(u8::try_from(rank + 1).unwrap_or(6).min(6), &line.text);
            } else {
                paragraph.push(line, right_of(lines, i), &mut build);
            }
            i += 1;
        }
        paragraph.end(&mut build);
    }
    build
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

/// A paragraph, line by line.
#[derive(Default)]
struct Paragraph {
    text: String,
    last: Option<TextLine>,
    /// The distance of its lines; 0 while there is only one.
    pitch: f64,
    right: f64,
}

impl Paragraph {
    fn push(&mut self, line: &TextLine, right: f64, build: &mut Build) {
        if let Some(last) = &self.last {
            let step = line.y - last.y;
            let usual = if self.pitch > 0.0 { self.pitch } else { 1.45 * last.size };
            let is_apart = step > 1.3 * usual || step < -0.5 * last.size;
            let is_other_size = (line.size - last.size).abs() > 0.12 * last.size.max(line.size);
            let ends_short = last.x1 < self.right - 3.0 * last.size && ends_sentence(&self.text);
            let is_indented =
                line.x0 > last.x0 + 0.9 * line.size && line.x0 < last.x0 + 4.0 * line.size;
            let on_one_line = step.abs() < 0.3 * line.size;
            let is_item = line.text.starts_with(['•', '▪', '◦', '‣', '–']);
            if !on_one_line
                && (is_item
                    || is_apart
                    || is_other_size
                    || ends_short
                    || (is_indented && ends_sentence(&self.text)))
            {
                self.end(build);
            }
        }
        match &self.last {
            None => self.text.push_str(&line.text),
            Some(last) => {
                let step = line.y - last.y;
                if step > 0.3 * line.size {
                    self.pitch = if self.pitch > 0.0 { self.pitch.min(step) } else { step };
                }
                let begins_lower = line.text.starts_with(char::is_lowercase);
                let ends_in_hyphen = self.text.ends_with(['-', '\u{2010}'])
                    && self.text.chars().rev().nth(1).is_some_and(char::is_alphabetic);
                // A full line is wrapped; after a shorter one the break is intended.
                let is_wrapped =
                    last.x1 >= self.right - 0.15 * (self.right - last.x0) || begins_lower;
                if ends_in_hyphen && begins_lower {
                    self.text.pop();
                } else if !ends_in_hyphen {
                    self.text.push(if is_wrapped || step.abs() < 0.3 * line.size {
                        ' '
                    } else {
                        '\n'
                    });
                }
                self.text.push_str(&line.text);
            }
        }
        self.right = right;
        self.last = Some(line.clone());
    }

    fn end(&mut self, build: &mut Build) {
        build.block(BlockKind::Paragraph, &std::mem::take(&mut self.text));
        *self = Self::default();
    }
}

fn ends_sentence(text: &str) -> bool {
    text.trim_end_matches(['"', '\'', ')', '”', '’', '»'])
        .ends_with(['.', '!', '?', ':', ';', '。', '！', '？'])
}
