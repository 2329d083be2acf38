//! Records: rows of CSV and TSV, lines of JSON Lines. The text stays as written.

use super::doc::{Block, BlockKind};
use super::lines::lines;
use crate::document::Span;
use crate::strings::StrExt as _;

/// The first row is the heading of the others, so that each passage has the names of its columns;
/// the rest is a table. Quoted line ends do not end a row.
pub(super) fn csv(text: &str) -> Vec<Block> {
    let mut rows: Vec<Span> = Vec::new();
    let mut in_quotes = false;
    for line in lines(text) {
        let content = line.of(text);
        match rows.last_mut() {
            Some(row) if in_quotes => row.end = line.end,
            _ if content.trim().is_empty() => continue,
            _ => rows.push(Span::new(line.start, line.end)),
        }
        in_quotes ^= content.bytes().filter(|b| *b == b'"').count() % 2 == 1;
    }
    let Some((first, rest)) = rows.split_first() else { return Vec::new() };
    let head = text.slice(first.range());
    let separator = ['\t', ';', ','].into_iter().find(|c| head.contains(*c)).unwrap_or(',');
    let names: Vec<&str> =
        head.split(separator).map(|name| name.trim().trim_matches('"')).collect();
    // A first row with numbers has no names of columns.
    let is_head =
        rest.len() > 1 && names.iter().all(|name| name.is_empty() || name.parse::<f64>().is_err());
    let mut blocks = Vec::new();
    if is_head {
        blocks.push(Block {
            span: *first,
            kind: BlockKind::Heading { level: 1, text: names.join(", ") },
        });
    }
    let body = if is_head { rest } else { &rows };
    if let (Some(from), Some(to)) = (body.first(), body.last()) {
        blocks.push(Block {
            span: Span::new(from.start, to.end),
            kind: BlockKind::Table { headers: 0 },
        });
    }
    blocks
}

/// Each line is a block.
pub(super) fn json_lines(text: &str) -> Vec<Block> {
    lines(text)
        .filter(|line| !line.of(text).trim().is_empty())
        .map(|line| Block { span: Span::new(line.start, line.end), kind: BlockKind::Code })
        .collect()
}
