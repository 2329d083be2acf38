//! LaTeX: sections, lists and listings. The text stays as written; preamble and comments are not
//! blocks.

use super::doc::{Block, BlockKind};
use super::lines::{Line, lines};
use crate::document::Span;
use crate::strings::StrExt as _;

/// The title and the blocks.
pub(super) fn parse(text: &str) -> (Option<String>, Vec<Block>) {
    // Without `\begin{document}` it is a part of a document.
    let mut in_body = !text.contains("\\begin{document}");
    let mut body = Body::default();
    let mut verbatim: Option<&str> = None;
    for line in lines(text) {
        let content = line.of(text).trim();
        let begins = |name: &str| content.starts_with(&format!("\\begin{{{name}}}"));
        if !in_body {
            in_body = begins("document");
        } else if let Some(name) = verbatim {
            body.extend(line);
            if content.contains(&format!("\\end{{{name}}}")) {
                verbatim = None;
                body.close();
            }
        } else if let Some(name) = VERBATIM.into_iter().find(|name| begins(name)) {
            body.begin(line, BlockKind::Code);
            verbatim = Some(name);
        } else if content.is_empty()
            || content.starts_with('%')
            || begins("document")
            || matches!(content, "\\end{document}" | "\\maketitle")
        {
            body.close();
        } else if let Some((level, text)) = section(content) {
            body.begin(line, BlockKind::Heading { level, text });
            body.close();
        } else if content.starts_with("\\item") {
            body.begin(line, BlockKind::ListItem);
        } else if body.open.is_some() {
            body.extend(line);
        } else {
            body.begin(line, BlockKind::Paragraph);
        }
    }
    body.close();
    let blocks = body.blocks;
    let title = text.find("\\title");
    let title = title.and_then(|at| argument(without_option(text.slice(at + 6..).trim_start())));
    (title, blocks)
}

/// A text without the `[…]` that it starts with.
fn without_option(text: &str) -> &str {
    let option = text.strip_prefix('[').and_then(|option| option.split_once(']'));
    option.map_or(text, |(_, rest)| rest)
}

/// Environments whose content is code.
const VERBATIM: [&str; 4] = ["verbatim", "lstlisting", "minted", "alltt"];

/// The blocks, and the one that the next line may extend.
#[derive(Default)]
struct Body {
    blocks: Vec<Block>,
    open: Option<Block>,
}

impl Body {
    fn begin(&mut self, line: Line, kind: BlockKind) {
        self.close();
        self.open = Some(Block { span: Span::new(line.start, line.end), kind });
    }

    fn extend(&mut self, line: Line) {
        if let Some(block) = &mut self.open {
            block.span.end = line.end;
        }
    }

    fn close(&mut self) {
        self.blocks.extend(self.open.take());
    }
}

/// Level and heading of a line that starts a section.
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
    let rest = without_option(rest.slice(name_end..).trim_start_matches('*'));
    Some((level, argument(rest)?))
}

/// The text in the braces that a text starts with, without commands.
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
                    // An escaped character, or a line break.
                    out.extend(chars.next().map(|c| if c == '\\' { ' ' } else { c }));
                }
            }
            '~' => out.push(' '),
            c => out.push(c),
        }
    }
    None
}
