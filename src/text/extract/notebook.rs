//! Jupyter notebooks: text cells as Markdown, code cells with their output.

use serde_json::Value;

use super::build::Build;
use super::doc::{BlockKind, Extracted, NoText};
use super::{decode, embedded, html, markdown};
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
                let heading = text_cell(&source, &mut build);
                title = title.or(heading.filter(|_| n < 2));
            }
            Some("heading") => {
                let level =
                    cell.get("level").and_then(Value::as_u64).and_then(|n| u8::try_from(n).ok());
                build.heading(level.unwrap_or(1).clamp(1, 6), &source);
            }
            Some("code") => {
                build.block(BlockKind::Code, &source);
                for output in cell.get("outputs").and_then(Value::as_array).into_iter().flatten() {
                    shown(output, &mut build);
                }
            }
            _ => {
                build.block(BlockKind::Paragraph, &source);
            }
        }
    }
    let authors = notebook.pointer("/metadata/authors").and_then(Value::as_array);
    for author in authors.into_iter().flatten() {
        let name = author.get("name").unwrap_or(author);
        build.metadata("author", name.as_str().unwrap_or_default());
    }
    let stated = notebook.pointer("/metadata/title").and_then(Value::as_str).map(str::to_owned);
    build.finish(Format::Notebook, stated.or(title).as_deref())
}

/// Adds a cell of Markdown; returns its title.
fn text_cell(source: &str, build: &mut Build) -> Option<String> {
    let stripped = embedded::without_embedded(source).map(|(text, _)| text);
    let source = stripped.as_deref().unwrap_or(source);
    let (heading, blocks, _) = markdown::parse(source);
    build.append(source, blocks, 0);
    heading
}

/// Adds an output: its lines are records. An error is one record without the code that led to it,
/// which is in the notebook.
fn shown(output: &Value, build: &mut Build) {
    let data = |kind: &str| {
        let data = output.get("data").unwrap_or(output);
        text_of(data.get(kind))
    };
    if output.get("output_type").and_then(Value::as_str) == Some("error")
        || output.get("output_type").and_then(Value::as_str) == Some("pyerr")
    {
        let part = |key: &str| without_colours(&text_of(output.get(key)));
        let (name, message) = (part("ename"), part("evalue"));
        build.block(BlockKind::Record, &format!("{name}: {message}"));
        return;
    }
    // A frame of data is a table; what fits a line is as good without one.
    let page = data("text/html");
    let plain = data("text/plain");
    // Objects that are made to be shown as a page have only a name as text.
    let is_page = !page.is_empty() && (plain.is_empty() || is_object(&plain));
    if is_page || (page.contains("<table") && plain.trim().contains('\n')) {
        let page = html::parse(&page);
        build.append(&page.text, page.blocks, 0);
        return;
    }
    let markdown = data("text/markdown");
    if !markdown.is_empty() {
        text_cell(&markdown, build);
        return;
    }
    let text = match output.get("text") {
        text @ Some(_) => text_of(text),
        None if plain.is_empty() || is_object(&plain) => {
            let formula = data("text/latex");
            if formula.is_empty() { plain } else { formula.replace('$', "") }
        }
        None => plain,
    };
    let text = without_colours(&text);
    if is_object(&text) {
        return;
    }
    let text = embedded::without_embedded(&text).map_or(text, |(text, _)| text);
    let end = text.char_indices().map(|(at, _)| at).find(|at| *at >= MAX_OUTPUT_BYTES);
    for line in text.slice(..end.unwrap_or(text.len())).split('\n') {
        // A progress bar writes its line again and again.
        let line = line.trim_end_matches('\r').rsplit('\r').next().unwrap_or(line);
        build.block(BlockKind::Record, line);
    }
}

/// Whether a text is the name of an object, such as that of a picture.
fn is_object(text: &str) -> bool {
    let text = text.trim();
    text.starts_with('<') && text.ends_with('>') && !text.contains('\n')
}

/// A text without the escape sequences of terminals.
fn without_colours(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut parts = text.split("\u{1b}[");
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        let is_final = |c: char| ('@'..='~').contains(&c);
        out.push_str(part.split_once(is_final).map_or("", |(_, rest)| rest));
    }
    out
}

/// A text, which may be stored as a list of lines.
fn text_of(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(lines)) => lines.iter().filter_map(Value::as_str).collect(),
        _ => String::new(),
    }
}
