//! Source code and configuration: blocks by indentation and empty lines.
//!
//! A block starts at a line without indentation that follows an empty line. So a function with the
//! comments and attributes directly above it is one block, and a configuration file is divided at
//! its empty lines. [`syntax`](super::syntax) adds an outline where the grammar is known.

use super::doc::{Block, BlockKind};
use super::lines::lines;
use crate::document::Span;

pub(super) fn parse(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut after_gap = true;
    for line in lines(text) {
        let content = line.of(text);
        if content.trim().is_empty() {
            after_gap = true;
            continue;
        }
        let begins = after_gap && !content.starts_with([' ', '\t']) && !is_closing(content);
        match blocks.last_mut() {
            Some(block) if !begins => block.span.end = line.end,
            _ => {
                blocks.push(Block { span: Span::new(line.start, line.end), kind: BlockKind::Code });
            }
        }
        after_gap = false;
    }
    blocks
}

/// A line that closes an earlier block, even after an empty line.
pub(in crate::text) fn is_closing(line: &str) -> bool {
    line.starts_with(['}', ')', ']'])
        || ["end", "else", "elif", "except", "finally", "catch", "fi", "done", "esac"].iter().any(
            |word| {
                line.strip_prefix(word).is_some_and(|rest| {
                    !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_')
                })
            },
        )
}
