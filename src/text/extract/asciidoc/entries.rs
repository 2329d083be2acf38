//! Terms of `AsciiDoc` and their meanings: `term:: meaning`, where the terms above a meaning share
//! it.

use super::super::doc::BlockKind;
use super::super::rendered::Inline;
use super::begins::term;
use super::{Reader, is_left_out};
use crate::strings::StrExt as _;

impl Reader<'_> {
    /// Reads the entry that begins at line `first`; returns the line after it.
    pub(super) fn entry(&mut self, first: usize) -> usize {
        let mut content = Inline::default();
        let mut i = first;
        let mut mark = "";
        while let Some(found) = term(self.lines.content(i).trim_end())
            && (i == first || found.mark == mark)
        {
            let start = self.lines.start(i);
            if i > first {
                content.insert(", ", start, 0);
            }
            let mut shown = Inline::default();
            self.inline(found.text, start, &mut shown);
            content.append(shown.squeezed());
            mark = found.mark;
            let meaning = found.meaning;
            i += 1;
            if !meaning.is_empty() {
                let at = start + found.text.len() + mark.len();
                return self.meaning(i, (meaning, at), content);
            }
            let next = self.lines.skip_blank(i);
            if term(self.lines.content(next)).is_some_and(|next| next.mark == mark) {
                i = next;
            }
        }
        // A meaning may follow an empty line.
        let next = self.lines.skip_blank(i);
        if next >= self.lines.len() || self.ends_paragraph(next) {
            self.out.block(BlockKind::Record, content);
            return i;
        }
        self.meaning(next, ("", self.lines.start(next)), content)
    }

    /// Writes an entry whose meaning begins with a text and continues at line `i`.
    fn meaning(&mut self, mut i: usize, (text, at): (&str, usize), mut entry: Inline) -> usize {
        let mut meaning = Inline::default();
        self.inline(text, at, &mut meaning);
        let first = i;
        while i < self.lines.len() && !self.ends_paragraph(i) {
            i += 1;
        }
        self.joined(first, i, 0, &mut meaning);
        let meaning = meaning.squeezed();
        if !meaning.is_blank() {
            entry.put('\n', at, 0);
            entry.append(meaning);
        }
        self.out.block(BlockKind::Record, entry);
        i
    }

    /// Adds lines as one text, the first without its first `skip` bytes. Links and emphasis may go
    /// over the end of a line, but not over a comment.
    pub(super) fn joined(&self, first: usize, end: usize, skip: usize, content: &mut Inline) {
        let is_comment = |i: usize| is_left_out(self.lines.content(i));
        let mut from = first;
        while from < end {
            let to = (from..end).find(|i| is_comment(*i)).unwrap_or(end);
            if from < to {
                let span = self.lines.span(from, to);
                let start = span.start + if from == first { skip } else { 0 };
                content.put(' ', start, 0);
                self.inline(self.lines.text().slice(start..span.end), start, content);
            }
            from = to + 1;
        }
    }
}
