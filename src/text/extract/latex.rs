//! LaTeX: the text stays as written, and its sections are known. Preamble and comments are no
//! blocks.

use super::lines::lines;
use super::{Block, BlockKind};
use crate::document::Span;
use crate::strings::StrExt as _;

/// The title and the blocks.
pub(super) fn parse(text: &str) -> (Option<String>, Vec<Block>) {
    // Without a preamble it is a part of a document.
    let mut in_body = !text.contains("\\begin{document}");
    let mut blocks: Vec<Block> = Vec::new();
    let mut open: Option<(Span, BlockKind)> = None;
    let mut verbatim: Option<&str> = None;
    for line in lines(text) {
        let content = line.of(text).trim();
        let begins = |name: &str| content.starts_with(&format!("\\begin{{{name}}}"));
        if !in_body {
            in_body = begins("document");
            continue;
        }
        if let Some(name) = verbatim {
            if let Some((span, _)) = &mut open {
                span.end = line.end;
            }
            if content.contains(&format!("\\end{{{name}}}")) {
                verbatim = None;
                close(&mut open, &mut blocks);
            }
            continue;
        }
        if let Some(name) =
            ["verbatim", "lstlisting", "minted", "alltt"].into_iter().find(|name| begins(name))
        {
            close(&mut open, &mut blocks);
            open = Some((Span::new(line.start, line.end), BlockKind::Code));
            verbatim = Some(name);
            continue;
        }
        let is_rule = content.is_empty()
            || content.starts_with('%')
            || begins("document")
            || content == "\\end{document}";
        if is_rule || content == "\\maketitle" {
            close(&mut open, &mut blocks);
            continue;
        }
        if let Some((level, heading)) = section(content) {
            close(&mut open, &mut blocks);
            let kind = BlockKind::Heading { level, text: heading };
            blocks.push(Block { span: Span::new(line.start, line.end), kind });
            continue;
        }
        if content.starts_with("\\item") {
            close(&mut open, &mut blocks);
            open = Some((Span::new(line.start, line.end), BlockKind::ListItem));
            continue;
        }
        match &mut open {
            Some((span, _)) => span.end = line.end,
            None => open = Some((Span::new(line.start, line.end), BlockKind::Paragraph)),
        }
    }
    close(&mut open, &mut blocks);
    let title = text.find("\\title").and_then(|at| {
        let rest = text.slice(at + 6..).trim_start();
        let rest = rest
            .strip_prefix('[')
            .and_then(|short| short.split_once(']'))
            .map_or(rest, |(_, rest)| rest);
        argument(rest)
    });
    (title, blocks)
}

fn close(open: &mut Option<(Span, BlockKind)>, blocks: &mut Vec<Block>) {
    blocks.extend(open.take().map(|(span, kind)| Block { span, kind }));
}

/// Level and words of a line that begins a section.
fn section(line: &str) -> Option<(u8, String)> {
    const LEVELS: [(&str, u8); 7] = [
        ("part", 1),
        ("chapter", 1),
        ("section", 2),
        ("subsection", 3),
        ("subsubsection", 4),
        ("paragraph", 5),
        ("frametitle", 3),
    ];
    let rest = line.strip_prefix('\\')?;
    let name_end = rest.find(|c: char| !c.is_ascii_alphabetic())?;
    let (_, level) = LEVELS.into_iter().find(|(name, _)| *name == rest.slice(..name_end))?;
    let rest = rest.slice(name_end..).trim_start_matches('*');
    let rest = rest
        .strip_prefix('[')
        .and_then(|short| short.split_once(']'))
        .map_or(rest, |(_, rest)| rest);
    Some((level, argument(rest)?))
}

/// What stands in the braces that a text begins with, without commands.
fn argument(text: &str) -> Option<String> {
    let text = text.trim_start().strip_prefix('{')?;
    let mut depth = 1;
    let mut out = String::new();
    let mut chars = text.chars().take(1000).peekable();
    while let Some(c) = chars.next() {
        match c {
            '{' => depth += 1,
            '}' => {
                depth -= 1;
                if depth == 0 {
                    let words = out.split_whitespace().collect::<Vec<_>>().join(" ");
                    return (!words.is_empty()).then_some(words);
                }
            }
            '\\' => {
                if chars.peek().is_some_and(char::is_ascii_alphabetic) {
                    while chars.next_if(char::is_ascii_alphabetic).is_some() {}
                    out.push(' ');
                } else {
                    // An escaped mark, or a line break.
                    out.extend(chars.next().map(|c| if c == '\\' { ' ' } else { c }));
                }
            }
            '~' => out.push(' '),
            c => out.push(c),
        }
    }
    None
}
