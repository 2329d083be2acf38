//! The passage of what a document states about itself outside its text: author, date, status and
//! the like, one record a line. So these are found, quoted and cited like text.

use super::chunk::Limits;
use super::extract::{BlockKind, Extracted};
use crate::document::{Chunk, Lines, Location, Span, Unit, UnitKind, context_line, embedded_text};
use crate::strings::{StrExt as _, capitalised};

/// Keys that say something about the file as a file.
const OF_THE_FILE: [&str; 3] = ["title", "language", "unreadable"];

/// The passage, or `None` when the text itself has everything. In `source`, a file of text, the
/// records have their lines; it is empty for files that are not text.
pub fn stated(
    doc: &Extracted,
    source: &[u8],
    limits: &Limits,
    count: &dyn Fn(&str) -> usize,
) -> Option<Chunk> {
    let source = std::str::from_utf8(source).unwrap_or_default();
    let context = context_line(doc.title.as_deref(), &[]);
    let location = match doc.place_at(0) {
        found @ Some(Location::Page(_) | Location::Slide(_)) => found.cloned(),
        _ => None,
    };
    let (mut text, mut units) = (String::new(), Vec::new());
    for (key, values) in entries(doc) {
        let record = format!("{}: {}", capitalised(&key), values.join(", "));
        let more = if text.is_empty() { record } else { format!("\n{record}") };
        let longer = format!("{text}{more}");
        if count(&embedded_text(&context, &longer)) > limits.max_tokens {
            continue;
        }
        let span = Span::new(text.len() + usize::from(!text.is_empty()), longer.len());
        let (bytes, lines) = place(source, &key, values[0]);
        let (kind, location) = (UnitKind::Record, location.clone());
        units.push(Unit { span, kind, bytes, lines, location, end: None });
        text = longer;
    }
    let placed = || units.iter().filter(|unit| !unit.bytes.is_empty());
    let first = placed().map(|unit| unit.bytes.start).min().unwrap_or(0);
    let last = placed().map(|unit| unit.bytes.end).max().unwrap_or(0);
    let lines = Lines {
        first: units.iter().map(|unit| unit.lines.first).min()?,
        last: units.iter().map(|unit| unit.lines.last).max()?,
    };
    Some(Chunk {
        heading: Vec::new(),
        text,
        bytes: Span::new(first, last),
        lines,
        place: location,
        units,
        table_header: String::new(),
    })
}

/// The keys and values that no record of the text has, in their order, each key once.
fn entries(doc: &Extracted) -> Vec<(String, Vec<&str>)> {
    let records = doc.blocks.iter().filter(|block| block.kind == BlockKind::Record).take(40);
    let records: Vec<String> =
        records.map(|block| doc.text.slice(block.span.range()).one_line()).collect();
    let mut entries: Vec<(String, Vec<&str>)> = Vec::new();
    for (key, value) in &doc.metadata {
        let is_known = records.iter().any(|record| record.contains(value.as_str()));
        if is_known || OF_THE_FILE.contains(&key.as_str()) {
            continue;
        }
        match entries.iter_mut().find(|(known, _)| known == key) {
            Some((_, values)) => values.push(value),
            None => entries.push((key.clone(), vec![value])),
        }
    }
    entries
}

/// The bytes and the line of a value in a file, preferably in a line that has its key, too; the
/// start of the file if it is not there as stated.
fn place(source: &str, key: &str, value: &str) -> (Span, Lines) {
    /// Values are stated at the top; those of HTML may follow long scripts.
    const TOP_BYTES: usize = 64 << 10;
    let top = source.slice(..TOP_BYTES.min(source.len()));
    let (mut start, mut number, mut found) = (0, 0, None);
    for line in top.split_inclusive('\n') {
        number += 1;
        if let Some(at) = line.find(value) {
            let span = Span::new(start + at, start + at + value.len());
            let has_key = line.to_lowercase().contains(&key.to_lowercase());
            if has_key || found.is_none() {
                found = Some((span, Lines { first: number, last: number }));
            }
            if has_key {
                break;
            }
        }
        start += line.len();
    }
    found.unwrap_or((Span::new(0, 0), Lines { first: 1, last: 1 }))
}

#[cfg(test)]
mod tests {
    use super::super::extract::extract;
    use super::*;

    fn of(path: &str, file: &str) -> Option<Chunk> {
        let limits = Limits { max_tokens: 200, overlap_tokens: 0 };
        let doc = extract(path, file.as_bytes()).unwrap();
        stated(&doc, file.as_bytes(), &limits, &|text| text.split_whitespace().count())
    }

    #[test]
    fn what_a_document_states_outside_its_text_is_a_passage() {
        let file = "---\ntitle: Pumps\nauthor: Ada Lovelace\ntags: [water, iron]\n---\n\n\
             # Pumps\n\nBy night.\n";
        let chunk = of("a.md", file).unwrap();
        assert_eq!(chunk.text, "Author: Ada Lovelace\nTags: water, iron");
        let lines: Vec<usize> = chunk.units.iter().map(|unit| unit.lines.first).collect();
        assert_eq!((lines, chunk.lines), (vec![3, 4], Lines { first: 3, last: 4 }));
        assert_eq!(&file[chunk.units[0].bytes.range()], "Ada Lovelace");
        assert_eq!(chunk.text.slice(chunk.units[1].span.range()), "Tags: water, iron");

        let page = "<html><head><title>T</title>\n<meta name=author content='Ada Lovelace'>\n\
                    <meta property=\"article:published_time\" content=\"2024-05-04T10:00\">\n\
                    </head><body><p>Pumps lift water.</p></body></html>";
        let chunk = of("a.html", page).unwrap();
        assert_eq!(chunk.text, "Author: Ada Lovelace\nDate: 2024-05-04");
        assert_eq!(chunk.units[1].lines.first, 3);
    }

    #[test]
    fn what_the_text_has_as_a_record_is_not_repeated() {
        assert_eq!(of("a.rst", "PEP: 8\nTitle: Style\nAuthor: Guido\n\nText.\n"), None);
        assert_eq!(of("a.rst", "Title\n=====\n\n:Author: Ada\n\nText.\n"), None);
        assert_eq!(of("a.md", "# Pumps\n\nText.\n"), None);
    }
}
