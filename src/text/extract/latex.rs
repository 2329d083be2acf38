//! LaTeX as the printed page: commands, comments and layout are left out; accents, symbols,
//! quantities and the author's macros become their text; footnotes follow their paragraph.

mod labels;
mod language;
mod names;
mod source;
mod symbols;
mod table;

use std::cell::Cell;
use std::collections::HashMap;

use super::doc::BlockKind;
use super::rendered::{Inline, Rendered};
use crate::strings::StrExt as _;
use labels::{Labels, is_reference};
use language::{Theorem, has_german_shorthands, shorthand, skip_overlay, theorems};
use names::{dropped_arguments, is_accent, is_code, is_left_out, section_level};
use source::{
    Macro, address, definition, delimited, group, macros, name_len, option, skip_options,
    skip_space, stated,
};
use symbols::{accented, symbol, unit};
use table::Table;

/// Deeper arguments in arguments are left out.
const MAX_DEPTH: usize = 12;

/// Columns or rows that a cell spans.
const MAX_SPAN: usize = 100;

/// Bytes that the macros of a document may expand to.
const MAX_EXPANSION_BYTES: usize = 1 << 20;

pub(super) fn parse(source: &str) -> Rendered {
    let theorems = theorems(source);
    let context = Context {
        macros: macros(source),
        labels: Labels::read(source, &theorems),
        theorems,
        has_shorthands: has_german_shorthands(source),
        fuel: Cell::new(MAX_EXPANSION_BYTES),
    };
    let mut rendered = Rendered::default();
    for name in ["setkomavar{subject}", "title", "author", "date"] {
        // Authors are parted by `\and`.
        for value in stated(source, name).into_iter().flat_map(|value| value.split("\\and")) {
            let value = plain(value, &context, 0).one_line();
            match name {
                "author" | "date" => rendered.metadata(name, &value),
                _ if !value.is_empty() => rendered.title = Some(value),
                _ => {}
            }
        }
    }
    let mut reader = Reader::new(source, &context, 0);
    reader.out = rendered;
    reader.run(labels::body(source).unwrap_or(0), source.len());
    reader.end_table();
    reader.flush();
    reader.out
}

struct Context {
    macros: HashMap<String, Macro>,
    theorems: HashMap<String, Theorem>,
    labels: Labels,
    /// The document writes `"a` for `ä`.
    has_shorthands: bool,
    fuel: Cell<usize>,
}

/// The text of a piece of LaTeX.
fn plain(text: &str, context: &Context, depth: usize) -> String {
    if depth > MAX_DEPTH {
        return String::new();
    }
    let mut reader = Reader::new(text, context, depth);
    reader.is_inline = true;
    reader.run(0, text.len());
    reader.content.text
}

struct Reader<'a> {
    source: &'a str,
    context: &'a Context,
    depth: usize,
    out: Rendered,
    /// Only text is wanted, as for a macro: nothing ends a paragraph.
    is_inline: bool,
    /// The paragraph, item or cell so far.
    content: Inline,
    kind: BlockKind,
    notes: Vec<Inline>,
    /// For each open list, the number of its next item if it is numbered.
    lists: Vec<Option<usize>>,
    n_quotes: usize,
    table: Option<Table>,
    in_math: bool,
}

impl<'a> Reader<'a> {
    fn new(source: &'a str, context: &'a Context, depth: usize) -> Self {
        Self {
            source,
            context,
            depth,
            out: Rendered::default(),
            is_inline: false,
            content: Inline::default(),
            kind: BlockKind::Paragraph,
            notes: Vec::new(),
            lists: Vec::new(),
            n_quotes: 0,
            table: None,
            in_math: false,
        }
    }

    fn run(&mut self, start: usize, end: usize) {
        let source = self.source;
        let mut at = start;
        while at < end {
            let rest = source.slice(at..end);
            let Some(c) = rest.chars().next() else { break };
            at = match c {
                '\\' => match self.command(at) {
                    Some(next) => next,
                    None => break,
                },
                '%' => {
                    let line = rest.find('\n').map_or(end, |n| at + n + 1);
                    let blank = source.slice(line..end);
                    line + (blank.len() - blank.trim_start_matches([' ', '\t']).len())
                }
                '{' | '}' => at + 1,
                '$' => {
                    let n = if rest.starts_with("$$") { 2 } else { 1 };
                    self.in_math = !self.in_math;
                    at + n
                }
                '~' => self.put(' ', at, 1),
                '&' if self.table.is_some() => {
                    self.end_cell();
                    at + 1
                }
                '^' | '_' if self.in_math => {
                    let degree = rest.slice(1..).trim_start_matches('{').starts_with("\\circ");
                    if !degree {
                        self.content.put(c, at, 1);
                    }
                    at + 1
                }
                '-' if rest.starts_with("---") => self.put('—', at, 3),
                '-' if rest.starts_with("--") => self.put('–', at, 2),
                '`' if rest.starts_with("``") => self.put('“', at, 2),
                '\'' if rest.starts_with("''") => self.put('”', at, 2),
                '"' if self.context.has_shorthands && self.kind != BlockKind::Code => {
                    let next = rest.chars().nth(1);
                    match next.and_then(|c| Some((c, shorthand(c)?))) {
                        Some((c, shown)) => {
                            self.content.insert(shown, at, 1 + c.len_utf8());
                            at + 1 + c.len_utf8()
                        }
                        None => self.put(c, at, 1),
                    }
                }
                '`' => self.put('‘', at, 1),
                '\n' if self.kind == BlockKind::Code => self.put('\n', at, 1),
                '\n' => {
                    let gap = rest.len() - rest.trim_start().len();
                    if rest.slice(..gap).matches('\n').count() > 1 {
                        self.flush();
                    } else {
                        self.content.put(' ', at, 1);
                    }
                    at + gap
                }
                c => self.put(c, at, c.len_utf8()),
            };
        }
    }

    fn put(&mut self, c: char, at: usize, len: usize) -> usize {
        self.content.put(c, at, len);
        at + len
    }

    /// Reads a command; returns the offset after it, or `None` at the end of the document.
    fn command(&mut self, at: usize) -> Option<usize> {
        let source = self.source;
        let len = name_len(source, at + 1);
        if len == 0 {
            return Some(self.mark(at));
        }
        let name = source.slice(at + 1..at + 1 + len);
        let end = at + 1 + len;
        let end = if self.in_math { end } else { skip_overlay(source, end) };
        if let Some(level) = section_level(name) {
            return Some(self.heading(level, end));
        }
        if let Some(text) = symbol(name) {
            self.content.insert(text, at, end - at);
            return Some(if self.in_math { end } else { self.after_name(end) });
        }
        if let Some(known) = self.context.macros.get(name) {
            return Some(self.expand(known, at, end));
        }
        Some(match name {
            "begin" => return self.begin(end),
            "end" => return self.end(end),
            "newcommand" | "renewcommand" | "providecommand" | "DeclareRobustCommand" | "def" => {
                definition(source, end).map_or(end, |(_, (_, end))| end)
            }
            "iffalse" => source.slice(end..).find("\\fi").map_or(source.len(), |n| end + n + 3),
            "item" => self.item(end),
            "bibitem" => {
                self.flush();
                self.kind = BlockKind::ListItem;
                self.skip(end, 1)
            }
            "footnote" | "thanks" | "footnotetext" | "marginpar" | "sidenote" | "marginnote"
            | "endnote" => {
                let end = skip_options(source, end);
                self.argument(end, |reader, note| reader.notes.push(note))
            }
            "caption" | "captionof" => {
                let from =
                    if name == "captionof" { self.skip(end, 1) } else { skip_options(source, end) };
                self.argument(from, |reader, caption| {
                    let held = std::mem::take(&mut reader.content);
                    let caption = reader.context.labels.numbered(at, reader.depth, caption);
                    reader.out.prose(BlockKind::Paragraph, &caption);
                    reader.content = held;
                })
            }
            "SI" | "qty" | "num" | "si" | "unit" | "SIrange" | "qtyrange" | "numrange" | "ang" => {
                self.quantity(name, at, end)
            }
            "verb" | "lstinline" | "mintinline" => self.verb(name, end),
            "href" => address(source, end).map_or(end, |(_, to)| to + 1),
            "opening" | "closing" | "encl" | "ps" => {
                self.flush();
                self.argument(end, |reader, line| {
                    reader.out.prose(BlockKind::Paragraph, &line);
                })
            }
            "url" | "path" | "nolinkurl" => match address(source, end) {
                Some((from, to)) => {
                    self.content.copy(source.slice(from..to), from);
                    to + 1
                }
                None => end,
            },
            "frac" | "dfrac" | "tfrac" | "nicefrac" | "sfrac" => {
                let next = self.argument(end, |reader, over| reader.content.append(over));
                self.content.insert("/", next, 0);
                self.argument(next, |reader, under| reader.content.append(under))
            }
            "multicolumn" => {
                let n = group(source, end)
                    .and_then(|(from, to)| source.slice(from..to).trim().parse().ok());
                let from = self.skip(end, 2);
                let next = self.argument(from, |reader, cell| reader.content.append(cell));
                let n = n.unwrap_or(1_usize).min(MAX_SPAN);
                if let Some(table) = &mut self.table {
                    table.wide.push((table.row.len(), n));
                }
                for _ in 1..n {
                    self.end_cell();
                }
                next
            }
            "multirow" => {
                let n = group(source, skip_options(source, end))
                    .and_then(|(from, to)| source.slice(from..to).trim().parse().ok());
                let from = self.skip(end, 2);
                self.argument(from, |reader, cell| {
                    if let Some(table) = &mut reader.table {
                        let n = n.unwrap_or(1_usize).min(MAX_SPAN);
                        table.tall.push((table.row.len(), n, cell.clone()));
                    }
                    reader.content.append(cell);
                })
            }
            "hline" | "midrule" | "cline" | "cmidrule" | "toprule" | "bottomrule" | "endhead" => {
                if let Some(table) = &mut self.table
                    && table.headers.is_none()
                    && !table.rows.is_empty()
                {
                    table.headers = Some(table.rows.len());
                }
                let end = match delimited(source, end, b'(', b')') {
                    Some((_, close)) => close + 1,
                    None => skip_options(source, end),
                };
                if matches!(name, "cline" | "cmidrule") { self.skip(end, 1) } else { end }
            }
            "par" | "maketitle" | "newpage" | "clearpage" | "tableofcontents" => {
                self.flush();
                self.after_name(end)
            }
            "tabularnewline" => {
                self.end_row();
                end
            }
            _ if is_reference(name) => {
                self.context.labels.write(source, at, end, &mut self.content)
            }
            _ if is_accent(name) => self.accent(name, at, end),
            _ => match dropped_arguments(name) {
                Some(n) => {
                    let next = self.skip(skip_options(source, end), n);
                    // A full stop follows the word, not the gap before the citation.
                    if source.slice(next..).starts_with(['.', ',', ';', ':', ')', '?', '!']) {
                        self.content.trim_end();
                    }
                    next
                }
                None => self.after_name(skip_options(source, end)),
            },
        })
    }

    /// White space after a name belongs to it.
    fn after_name(&self, at: usize) -> usize {
        let rest = self.source.slice(at..);
        let gap = rest.len() - rest.trim_start_matches([' ', '\t']).len();
        // `\foo{}` ends the name.
        if rest.starts_with("{}") { at + 2 } else { at + gap }
    }

    /// A command of one character that is not a letter.
    fn mark(&mut self, at: usize) -> usize {
        let source = self.source;
        let Some(c) = source.slice(at + 1..).chars().next() else { return source.len() };
        let end = at + 1 + c.len_utf8();
        match c {
            '\\' => {
                let end = skip_options(source, end);
                if self.table.is_some() {
                    self.end_row();
                } else {
                    self.content.put(' ', at, 2);
                }
                end
            }
            '%' | '$' | '&' | '#' | '_' | '{' | '}' => self.put(c, at, 2),
            ' ' | ',' | ';' | ':' | '>' | '\n' => self.put(' ', at, 2),
            '(' | ')' => {
                self.in_math = c == '(';
                end
            }
            '[' | ']' => {
                self.in_math = c == '[';
                self.content.put(' ', at, 2);
                end
            }
            '"' | '\'' | '`' | '^' | '~' | '=' | '.' => {
                self.accent(source.slice(at + 1..end), at, end)
            }
            _ => end,
        }
    }

    fn accent(&mut self, accent: &str, at: usize, end: usize) -> usize {
        let source = self.source;
        let (base, next) = match group(source, end) {
            Some((from, to)) => (source.slice(from..to).to_owned(), to + 1),
            None => {
                let from = skip_space(source, end);
                let len = match source.slice(from..).chars().next() {
                    Some('\\') => 1 + name_len(source, from + 1),
                    Some(c) => c.len_utf8(),
                    None => 0,
                };
                (source.slice(from..from + len).to_owned(), from + len)
            }
        };
        let base = match base.trim() {
            "\\i" => "i".to_owned(),
            "\\j" => "j".to_owned(),
            base => plain(base, self.context, self.depth + 1),
        };
        self.content.insert(&accented(accent, &base), at, next - at);
        next
    }

    /// Expands a macro.
    fn expand(&mut self, known: &Macro, at: usize, end: usize) -> usize {
        let source = self.source;
        let mut arguments: Vec<&str> = Vec::new();
        let mut next = end;
        if let Some(default) = &known.default {
            match option(source, next) {
                Some((from, to)) => {
                    arguments.push(source.slice(from..to));
                    next = to + 1;
                }
                None => arguments.push(default),
            }
        }
        while arguments.len() < known.n_arguments.min(9) {
            let Some((from, to)) = group(source, next) else { break };
            arguments.push(source.slice(from..to));
            next = to + 1;
        }
        if known.n_arguments == 0 {
            next = self.after_name(next);
        }
        let mut body = known.body.clone();
        for (nth, argument) in arguments.iter().enumerate() {
            body = body.replace(&format!("#{}", nth + 1), argument);
        }
        let cost = body.len() + 1;
        if cost <= self.context.fuel.get() {
            self.context.fuel.set(self.context.fuel.get() - cost);
            let text = plain(&body, self.context, self.depth + 1);
            self.content.insert(&text, at, next - at);
        }
        next
    }

    fn quantity(&mut self, name: &str, at: usize, end: usize) -> usize {
        let source = self.source;
        let mut next = skip_options(source, end);
        let mut arguments = Vec::new();
        let n = match name {
            "num" | "si" | "unit" | "ang" => 1,
            "SIrange" | "qtyrange" => 3,
            _ => 2,
        };
        while arguments.len() < n {
            next = skip_options(source, next);
            let Some((from, to)) = group(source, next) else { break };
            arguments.push(source.slice(from..to));
            next = to + 1;
        }
        let number = |text: &str| {
            let text = plain(text, self.context, self.depth + 1);
            match text.split_once(['e', 'E']) {
                Some((digits, power)) => format!("{digits} × 10^{power}"),
                None => text.replace("+-", " ± "),
            }
        };
        let text = match (name, arguments.as_slice()) {
            ("num", [value]) => number(value),
            ("ang", [value]) => format!("{}°", value.trim_end_matches(';')),
            ("si" | "unit", [value]) => unit(value),
            ("numrange", [from, to]) => format!("{} to {}", number(from), number(to)),
            (_, [value, of]) => format!("{} {}", number(value), unit(of)),
            (_, [from, to, of]) => format!("{} to {} {}", number(from), number(to), unit(of)),
            _ => arguments.join(" "),
        };
        self.content.insert(&text, at, next - at);
        next
    }

    fn verb(&mut self, name: &str, end: usize) -> usize {
        let source = self.source;
        let mut from = skip_options(source, end);
        if name == "mintinline" {
            from = self.skip(from, 1);
        }
        let Some(quote) = source.slice(from..).chars().next() else { return source.len() };
        let close = if quote == '{' { '}' } else { quote };
        let from = from + quote.len_utf8();
        let line = source.slice(from..).split('\n').next().unwrap_or_default();
        let Some(len) = line.find(close) else { return from };
        self.content.copy(line.slice(..len), from);
        from + len + close.len_utf8()
    }

    /// Skips `n` arguments in braces.
    fn skip(&self, at: usize, n: usize) -> usize {
        let mut at = skip_options(self.source, at);
        for _ in 0..n {
            let Some((_, end)) = group(self.source, at) else { break };
            at = skip_options(self.source, end + 1);
        }
        at
    }

    /// Gives the text of the argument at `at` to `take`; returns the offset after it.
    fn argument(&mut self, at: usize, take: impl FnOnce(&mut Self, Inline)) -> usize {
        let Some((from, to)) = group(self.source, at) else { return at };
        if self.depth < MAX_DEPTH {
            let mut inner = Reader::new(self.source, self.context, self.depth + 1);
            inner.is_inline = true;
            inner.run(from, to);
            let (content, notes) = (inner.content, inner.notes);
            take(self, content);
            self.notes.extend(notes);
        }
        to + 1
    }

    fn heading(&mut self, level: u8, end: usize) -> usize {
        self.flush();
        let from = skip_options(self.source, end);
        self.argument(from, |reader, heading| reader.out.heading(level, &heading))
    }

    fn item(&mut self, end: usize) -> usize {
        self.flush();
        self.kind = BlockKind::ListItem;
        let label = option(self.source, end);
        let next = label.map_or(end, |(_, to)| to + 1);
        let indent = "  ".repeat(self.lists.len().saturating_sub(1).min(6));
        let marker = match (label, self.lists.last_mut()) {
            (Some((from, to)), _) => {
                let label = plain(self.source.slice(from..to), self.context, self.depth + 1);
                format!("{} ", label.trim())
            }
            (None, Some(Some(n))) => {
                *n += 1;
                format!("{}. ", *n - 1)
            }
            _ => "- ".to_owned(),
        };
        self.content.insert(&format!("{indent}{marker}"), end, 0);
        skip_space(self.source, next)
    }

    fn begin(&mut self, at: usize) -> Option<usize> {
        let source = self.source;
        let Some((from, to)) = group(source, at) else { return Some(at) };
        let name = source.slice(from..to).trim();
        let base = name.trim_end_matches('*');
        let end = to + 1;
        if is_code(base) || is_left_out(base) {
            let close = format!("\\end{{{name}}}");
            let len = source.slice(end..).find(&close).unwrap_or(source.len() - end);
            if is_code(base) {
                self.flush();
                self.caption_of_code(end);
                let from = skip_options(source, end);
                let from = if base == "minted" { self.skip(from, 1) } else { from };
                let mut code = Inline::default();
                code.copy(source.slice(from.min(end + len)..end + len), from);
                self.out.block(BlockKind::Code, code);
            }
            return Some((end + len + close.len()).min(source.len()));
        }
        Some(match base {
            // Code with marked words, as pandoc writes it.
            "Highlighting" => {
                self.flush();
                self.kind = BlockKind::Code;
                skip_options(source, end)
            }
            "itemize" | "enumerate" | "description" | "compactitem" | "compactenum" => {
                self.flush();
                self.lists.push(base.contains("enum").then_some(1));
                skip_options(source, end)
            }
            "quote" | "quotation" | "displayquote" | "verse" => {
                self.flush();
                self.n_quotes += 1;
                end
            }
            "tabular" | "tabularx" | "tabulary" | "longtable" | "supertabular" | "tblr"
            | "array" => {
                self.flush();
                self.table = Some(Table::default());
                let is_wide = base.starts_with("tabular") && (name != base || base.len() > 7);
                self.skip(end, if is_wide { 2 } else { 1 })
            }
            "frame" => {
                self.flush();
                let from = skip_options(source, end);
                self.argument(from, |reader, heading| reader.out.heading(3, &heading))
            }
            "abstract" => {
                self.flush();
                let mut heading = Inline::default();
                heading.insert("Abstract", from, to - from);
                self.out.heading(2, &heading);
                end
            }
            "thebibliography" | "minipage" | "multicols" | "wrapfigure" | "columns" | "column"
            | "adjustbox" | "spacing" => {
                self.flush();
                self.skip(end, 1)
            }
            "equation" | "align" | "gather" | "multline" | "eqnarray" | "displaymath" | "math" => {
                self.in_math = true;
                self.content.put(' ', from, 0);
                end
            }
            _ => {
                self.flush();
                self.name_theorem(base, end);
                skip_options(source, end)
            }
        })
    }

    /// Writes the caption among the options of code.
    fn caption_of_code(&mut self, at: usize) {
        let Some((from, to)) = option(self.source, at) else { return };
        let options = self.source.slice(from..to);
        let Some(at) = options.find("caption=").map(|at| at + "caption=".len()) else { return };
        let (from, to) = group(self.source, from + at).unwrap_or_else(|| {
            let len = options.slice(at..).find(',').unwrap_or(options.len() - at);
            (from + at, from + at + len)
        });
        let mut caption = Inline::default();
        let text = plain(self.source.slice(from..to), self.context, self.depth + 1);
        caption.insert(&text, from, to - from);
        self.out.prose(BlockKind::Paragraph, &caption);
    }

    /// Begins the paragraph of a theorem with its kind and its name.
    fn name_theorem(&mut self, environment: &str, at: usize) {
        let Some(kind) = self.context.theorems.get(environment) else { return };
        let kind = plain(&kind.shown, self.context, self.depth + 1);
        let shown = match option(self.source, at) {
            Some((from, to)) => {
                let name = plain(self.source.slice(from..to), self.context, self.depth + 1);
                format!("{kind} ({name}). ")
            }
            None => format!("{kind}. "),
        };
        self.content.insert(&shown, at, 0);
    }

    fn end(&mut self, at: usize) -> Option<usize> {
        let Some((from, to)) = group(self.source, at) else { return Some(at) };
        let name = self.source.slice(from..to).trim().trim_end_matches('*');
        match name {
            "document" if !self.is_inline => return None,
            "equation" | "align" | "gather" | "multline" | "eqnarray" | "displaymath" | "math" => {
                self.in_math = false;
                self.content.put(' ', from, 0);
                return Some(to + 1);
            }
            "itemize" | "enumerate" | "description" | "compactitem" | "compactenum" => {
                self.flush();
                self.lists.pop();
            }
            "quote" | "quotation" | "displayquote" | "verse" => {
                self.flush();
                self.n_quotes = self.n_quotes.saturating_sub(1);
            }
            "tabular" | "tabularx" | "tabulary" | "longtable" | "supertabular" | "tblr"
            | "array" => {
                self.end_table();
            }
            _ => {
                self.flush();
            }
        }
        Some(to + 1)
    }

    fn end_cell(&mut self) {
        if let Some(table) = &mut self.table {
            table.row.push(std::mem::take(&mut self.content));
        }
    }

    fn end_row(&mut self) {
        self.end_cell();
        if let Some(table) = &mut self.table {
            table.end_row();
        }
    }

    fn end_table(&mut self) {
        self.end_row();
        let Some(table) = self.table.take() else { return };
        // A rule below the last row heads nothing.
        let headers = table.headers.filter(|n| *n < table.rows.len()).unwrap_or(0);
        self.out.table(headers, table.rows);
        self.flush();
    }

    /// Ends the paragraph or the like, and puts its notes below it.
    fn flush(&mut self) {
        if self.is_inline || self.table.is_some() {
            self.content.put(' ', 0, 0);
            return;
        }
        let content = std::mem::take(&mut self.content);
        let kind = match std::mem::replace(&mut self.kind, BlockKind::Paragraph) {
            BlockKind::Paragraph if self.n_quotes > 0 => BlockKind::Quote,
            kind => kind,
        };
        if kind == BlockKind::Code {
            self.out.block(kind, content);
        } else {
            self.out.prose(kind, &content);
        }
        for note in std::mem::take(&mut self.notes) {
            self.out.prose(BlockKind::Paragraph, &note);
        }
    }
}
