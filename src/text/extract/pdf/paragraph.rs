//! Makes paragraphs of lines.

use super::layout::TextLine;
use super::words::{Joint, Words};

/// A paragraph, line by line.
#[derive(Default)]
pub(super) struct Paragraph {
    text: String,
    last: Option<TextLine>,
    /// The distance of its lines; 0 while there is only one.
    pitch: f64,
    right: f64,
    /// The usual distance of lines of the document, in their size.
    leading: f64,
    /// Where further pages begin in the text: offset and page.
    breaks: Vec<(usize, usize)>,
    /// The page of the next line, if that is not the one of the last line.
    turned: Option<usize>,
}

/// The text of a paragraph, and the pages that begin in it.
pub(super) struct Done {
    pub(super) text: String,
    pub(super) breaks: Vec<(usize, usize)>,
    /// Pages that begin after it.
    pub(super) next: Option<usize>,
}

/// A wider distance of lines parts paragraphs, unless the document is set with it.
const USUAL_LEADING: f64 = 1.45;

/// No typescript has lines farther apart.
const MAX_LEADING: f64 = 3.0;

/// The distance of most lines from the one above, in their size, where they are in one column.
pub(super) fn leading(pages: &[Vec<TextLine>]) -> f64 {
    let mut counts = std::collections::BTreeMap::<i64, usize>::new();
    for pair in pages.iter().flat_map(|lines| lines.windows(2)) {
        let (last, line) = (&pair[0], &pair[1]);
        let step = (line.y - last.y) / line.size;
        let is_column = last.cell.is_none()
            && line.cell.is_none()
            && (line.size - last.size).abs() < 0.1 * line.size
            && (line.x0 - last.x0).abs() < 2.0 * line.size;
        if is_column && (0.8..=MAX_LEADING).contains(&step) {
            *counts.entry((step * 20.0).round() as i64).or_default() += 1;
        }
    }
    counts.into_iter().max_by_key(|(_, n)| *n).map_or(0.0, |(step, _)| step as f64 / 20.0)
}

impl Paragraph {
    pub(super) fn new(leading: f64) -> Self {
        Self { leading, ..Self::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.last.is_none()
    }

    /// Whether the paragraph may continue in the next column or on the next page.
    pub(super) fn is_open(&self) -> bool {
        !self.text.is_empty() && !ends_sentence(&self.text)
    }

    /// The next line is on this page.
    pub(super) fn turn(&mut self, page: usize) {
        self.turned = Some(page);
    }

    /// Adds a line. Returns the paragraph before it, if the line begins another.
    pub(super) fn push(&mut self, line: &TextLine, right: f64, words: &Words) -> Option<Done> {
        let done = self.last.is_some().then(|| self.begins_another(line)).filter(|begins| *begins);
        let done = done.map(|_| self.end());
        match &self.last {
            None => self.text.push_str(&line.text),
            Some(last) => {
                let step = line.y - last.y;
                let is_jump = self.turned.is_some() || step < -0.5 * line.size;
                if step > 0.3 * line.size && !is_jump {
                    self.pitch = if self.pitch > 0.0 { self.pitch.min(step) } else { step };
                }
                // A full line is wrapped; after a shorter one the break is intended.
                let is_wrapped = last.x1 >= self.right - 0.15 * (self.right - last.x0)
                    || line.text.starts_with(char::is_lowercase)
                    || is_jump
                    || step.abs() < 0.3 * line.size;
                if words.joint(&self.text, &line.text) == Joint::Space {
                    self.text.push(if is_wrapped { ' ' } else { '\n' });
                    if let Some(page) = self.turned.take() {
                        self.breaks.push((self.text.len(), page));
                    }
                    self.text.push_str(&line.text);
                } else {
                    words.append(&mut self.text, &line.text, ' ');
                    if let Some(page) = self.turned.take() {
                        self.breaks.push((self.text.len() - line.text.len(), page));
                    }
                }
            }
        }
        self.right = right;
        self.last = Some(line.clone());
        done
    }

    fn begins_another(&self, line: &TextLine) -> bool {
        let Some(last) = &self.last else { return false };
        let step = line.y - last.y;
        let is_other_size = (line.size - last.size).abs() > 0.12 * last.size.max(line.size);
        let is_item = line.text.starts_with(['•', '▪', '◦', '‣', '–']);
        if self.turned.is_some() || step < -0.5 * last.size {
            let is_full = last.x1 >= self.right - 2.0 * last.size;
            let goes_on = line.text.starts_with(char::is_lowercase) || is_full;
            return is_item || is_other_size || !self.is_open() || !goes_on;
        }
        let usual = if self.pitch > 0.0 { self.pitch } else { USUAL_LEADING * last.size };
        // Widely set lines are of one paragraph where a sentence goes over their end.
        let is_wide = self.leading > 1.3 * USUAL_LEADING
            && step < 1.1 * self.leading * last.size
            && !ends_sentence(&self.text)
            && (last.x1 >= self.right - 0.15 * (self.right - last.x0)
                || line.text.starts_with(char::is_lowercase));
        let is_apart = step > 1.3 * usual && !is_wide;
        let ends_short = last.x1 < self.right - 3.0 * last.size && ends_sentence(&self.text);
        let is_indented =
            line.x0 > last.x0 + 0.9 * line.size && line.x0 < last.x0 + 4.0 * line.size;
        let on_one_line = step.abs() < 0.3 * line.size;
        !on_one_line
            && (is_item
                || is_apart
                || is_other_size
                || ends_short
                || (is_indented && ends_sentence(&self.text)))
    }

    /// Takes the paragraph.
    pub(super) fn end(&mut self) -> Done {
        let Self { text, breaks, turned, .. } = std::mem::replace(self, Self::new(self.leading));
        Done { text, breaks, next: turned }
    }
}

pub(super) fn ends_sentence(text: &str) -> bool {
    text.trim_end_matches(['"', '\'', ')', '”', '’', '»'])
        .ends_with(['.', '!', '?', ':', ';', '。', '！', '？'])
}
