//! E-books: the chapters of an EPUB in reading order.

use std::collections::HashMap;

use super::super::build::Build;
use super::super::doc::{Extracted, NoText};
use super::super::html;
use super::super::xml::{self, Node};
use super::archive::{Archive, Properties, resolved};
use crate::document::Format;
use crate::strings::{StrExt as _, percent_decoded};

pub(super) fn epub(bytes: &[u8]) -> Result<Extracted, NoText> {
    let mut archive = Archive::open(bytes)?;
    if archive.text("META-INF/rights.xml")?.is_some() {
        return Err(NoText::Encrypted);
    }
    let mut package = None;
    xml::walk(&archive.required("META-INF/container.xml")?, &mut |node| {
        if let Node::Open(element) = node
            && element.name == "rootfile"
        {
            package = package.take().or_else(|| element.get("full-path").map(str::to_owned));
        }
        true
    })?;
    let package =
        package.ok_or_else(|| NoText::Damaged("its container names no package".into()))?;
    let folder = package.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
    let text = archive.required(&package)?;
    let properties = Properties::read(&text)?;
    let mut items: HashMap<String, String> = HashMap::new();
    let mut chapters = Vec::new();
    xml::walk(&text, &mut |node| {
        if let Node::Open(element) = node {
            match element.name.as_str() {
                // The table of contents only repeats the headings.
                "item"
                    if !element
                        .get("properties")
                        .is_some_and(|p| p.split(' ').any(|p| p == "nav")) =>
                {
                    if let (Some(id), Some(href)) = (element.get("id"), element.get("href")) {
                        items.insert(id.to_owned(), resolved(&folder, &percent_decoded(href)));
                    }
                }
                "itemref" => {
                    chapters.extend(element.get("idref").and_then(|id| items.get(id)).cloned());
                }
                _ => {}
            }
        }
        true
    })?;
    let mut build = Build::default();
    for chapter in &chapters {
        if let Some(text) = archive.text(chapter)? {
            let page = html::parse(&with_notes(&text));
            build.append(&page.text, page.blocks, 0);
        }
    }
    properties.write(&mut build);
    build.finish(Format::Epub, properties.title())
}

/// Maximum length of a mark with its tags.
const MAX_MARK_BYTES: usize = 1000;

/// A chapter with its notes as text, and without the marks that refer to them: a mark would join
/// the word before it.
fn with_notes(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('<') {
        out.push_str(before);
        let head = after.slice(..after.len().min(MAX_MARK_BYTES));
        let tag = head.split('>').next().unwrap_or_default();
        let is_mark = tag.starts_with("a ")
            && (tag.contains("\"noteref\"") || tag.contains("\"doc-noteref\""));
        if is_mark && let Some(end) = head.find("</a>") {
            rest = after.slice(end + "</a>".len()..);
            continue;
        }
        // Navigation of a web page may be in an aside; in a book it has notes.
        let (name, behind) = match (after.strip_prefix("aside"), after.strip_prefix("/aside")) {
            (Some(behind), _) => ("div", behind),
            (_, Some(behind)) => ("/div", behind),
            _ => ("", after),
        };
        out.push('<');
        out.push_str(name);
        rest = behind;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_are_text_and_their_marks_are_not() {
        let source = "<p>A fire.<a epub:type=\"noteref\" href=\"#n\">1</a></p><aside \
                      id=\"n\"><p>In 1832.</p></aside>";
        assert_eq!(with_notes(source), "<p>A fire.</p><div id=\"n\"><p>In 1832.</p></div>");
        assert_eq!(with_notes("a < b"), "a < b");
    }
}
