//! Jupyter notebooks: text cells as Markdown, code cells with their output.

use serde_json::Value;

use super::build::Build;
use super::doc::{BlockKind, Extracted, NoText};
use super::{decode, markdown};
use crate::document::{Format, Location};
use crate::strings::StrExt as _;

/// Longer output is data rather than a result.
const MAX_OUTPUT_BYTES: usize = 20_000;

pub(super) fn parse(bytes: &[u8]) -> Result<Extracted, NoText> {
    let text = decode::decode(bytes, None)?.text;
    let notebook: Value = serde_json::from_str(&text)
        .map_err(|e| NoText::Damaged(format!("its JSON is broken: {e}").into()))?;
    // Old notebooks have their cells in worksheets.
    let cells = notebook
        .get("cells")
        .or_else(|| notebook.pointer("/worksheets/0/cells"))
        .and_then(Value::as_array);
    let Some(cells) = cells else { return Err(NoText::Damaged("it has no cells".into())) };
    let mut build = Build::default();
    let mut title = None;
    for (n, cell) in cells.iter().enumerate() {
        build.place(Location::Cell(n + 1));
        let source = text_of(cell.get("source").or_else(|| cell.get("input")));
        match cell.get("cell_type").and_then(Value::as_str) {
            Some("markdown") => {
                let (heading, blocks, _) = markdown::parse(&source);
                title = title.or(heading.filter(|_| n < 2));
                build.append(&source, blocks, 0);
            }
            Some("heading") => {
                let level =
                    cell.get("level").and_then(Value::as_u64).and_then(|n| u8::try_from(n).ok());
                build.heading(level.unwrap_or(1).clamp(1, 6), &source);
            }
            Some("code") => {
                build.block(BlockKind::Code, &source);
                for output in cell.get("outputs").and_then(Value::as_array).into_iter().flatten() {
                    let text = output.get("text").or_else(|| output.pointer("/data/text~1plain"));
                    let shown = text_of(text);
                    let end =
                        shown.char_indices().map(|(at, _)| at).find(|at| *at >= MAX_OUTPUT_BYTES);
                    build.block(BlockKind::Code, shown.slice(..end.unwrap_or(shown.len())));
                }
            }
            _ => {
                build.block(BlockKind::Paragraph, &source);
            }
        }
    }
    let stated = notebook.pointer("/metadata/title").and_then(Value::as_str).map(str::to_owned);
    build.finish(Format::Notebook, stated.or(title).as_deref())
}

/// A text, which may be stored as a list of lines.
fn text_of(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(lines)) => lines.iter().filter_map(Value::as_str).collect(),
        _ => String::new(),
    }
}
