//! Sections: a heading and the blocks up to the next one.

use std::ops::Range;

use crate::text::extract::{BlockKind, Extracted};

/// A section without its subsections.
pub(super) struct Section {
    /// Index of its heading among the blocks; `None` before the first heading.
    pub(super) heading: Option<usize>,
    /// Headings from the outermost to its own, without the document's title.
    pub(super) path: Vec<String>,
    pub(super) body: Range<usize>,
    /// Whether it has no subsections.
    pub(super) is_leaf: bool,
}

impl Section {
    pub(super) fn is_below(&self, path: &[String]) -> bool {
        self.path.len() > path.len() && self.path.starts_with(path)
    }
}

/// All sections in order, also those without a body.
pub(super) fn sections(doc: &Extracted) -> Vec<Section> {
    let mut sections = vec![Section { heading: None, path: Vec::new(), body: 0..0, is_leaf: true }];
    let mut open: Vec<(u8, &str)> = Vec::new();
    let mut last_level = u8::MAX;
    for (i, block) in doc.blocks.iter().enumerate() {
        let BlockKind::Heading { level, text } = &block.kind else {
            if let Some(section) = sections.last_mut() {
                section.body.end = i + 1;
            }
            continue;
        };
        while open.last().is_some_and(|(outer, _)| outer >= level) {
            open.pop();
        }
        open.push((*level, text));
        if let Some(section) = sections.last_mut() {
            section.is_leaf = *level <= last_level;
        }
        last_level = *level;
        let names = || open.iter().map(|(_, text)| *text);
        let repeats_title = names()
            .next()
            .is_some_and(|name| doc.title.as_deref().is_some_and(|title| is_same(name, title)));
        let path = names()
            .skip(usize::from(repeats_title))
            .filter(|name| !name.is_empty())
            .map(str::to_owned)
            .collect();
        sections.push(Section { heading: Some(i), path, body: i + 1..i + 1, is_leaf: true });
    }
    if sections[0].body.is_empty() {
        sections.remove(0);
    }
    sections
}

/// Whether a heading repeats the title. Titles of web pages also name the site, before or after.
fn is_same(heading: &str, title: &str) -> bool {
    let words =
        |text: &str| text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ");
    let (heading, title) = (words(heading), words(title));
    let is_parted = |rest: &str| rest.starts_with(|c: char| !c.is_alphanumeric());
    let is_parted_before = |rest: &str| rest.ends_with(|c: char| !c.is_alphanumeric());
    heading == title
        || (heading.len() > 3
            && (title.strip_prefix(&heading).is_some_and(|rest| is_parted(rest.trim_start()))
                || title
                    .strip_suffix(&heading)
                    .is_some_and(|rest| is_parted_before(rest.trim_end()))))
}
