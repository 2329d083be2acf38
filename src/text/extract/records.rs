//! Files of records: CSV and TSV by rows, JSON Lines by lines. The text stays as it is.

use super::lines::lines;
use super::{Block, BlockKind};
use crate::document::Span;
use crate::strings::StrExt as _;

/// The first row is the heading of all others, so that each passage says what its columns are; the
/// rest is a table. A row goes on over line ends that are quoted.
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
    // Names of columns are words; a first row with numbers is a row like the others.
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
        blocks.push(Block { span: Span::new(from.start, to.end), kind: BlockKind::Table });
    }
    blocks
}

/// Each line is a value by itself.
pub(super) fn json_lines(text: &str) -> Vec<Block> {
    lines(text)
        .filter(|line| !line.of(text).trim().is_empty())
        .map(|line| Block { span: Span::new(line.start, line.end), kind: BlockKind::Code })
        .collect()
}
