//! Manual pages in the macros `man` and `mdoc` of troff: what a reader of the page sees, without
//! requests, comments and changes of font.

use super::doc::BlockKind;
use super::lines::lines;
use super::rendered::{Inline, Rendered};
use crate::strings::StrExt as _;

pub(super) fn parse(source: &str) -> Rendered {
    let mut page = Page::default();
    for line in lines(source) {
        page.line(line.of(source), line.start);
    }
    page.flush();
    page.out
}

#[derive(Default)]
struct Page {
    out: Rendered,
    content: Inline,
    /// The next line of text is the tag of a paragraph.
    tag_follows: bool,
    is_bullet: bool,
    /// The paragraph has a tag, which is a line above it.
    is_tagged: bool,
    in_code: bool,
    /// Inside `.ig`, or the definition of a macro.
    is_ignored: bool,
    /// The heading that is the text of the next line.
    heading_follows: Option<u8>,
    /// The rows of a table, between `.TS` and `.TE`.
    table: Option<Vec<Vec<Inline>>>,
    in_format: bool,
    /// Rows above its first rule.
    n_headers: Option<usize>,
    /// The first row of the format sets names in another type than the rows below.
    names_columns: bool,
    n_formats: usize,
    /// What parts the cells of the table.
    tab: char,
    /// The rows of a list with columns, between `.Bl -column` and `.El`.
    columns: Option<Vec<Vec<Inline>>>,
    /// Inside a cell of several lines, between `T{` and `T}`.
    in_cell: bool,
    name: String,
}

impl Page {
    fn line(&mut self, line: &str, at: usize) {
        if self.is_ignored {
            self.is_ignored = !line.trim_end().starts_with("..");
            return;
        }
        let Some(request) = line.strip_prefix(['.', '\'']) else {
            self.text(line, at);
            return;
        };
        let rest = request.trim_start();
        let at = at + line.len() - rest.len();
        let len = rest.find(|c: char| c.is_whitespace() || c == '\\').unwrap_or(rest.len());
        let (name, arguments) = rest.parted(len);
        self.request(name, arguments, at + len);
    }

    fn text(&mut self, line: &str, at: usize) {
        if self.table.is_some() {
            self.table_line(line, at);
            return;
        }
        if line.trim().is_empty() && !self.in_code {
            self.flush();
            return;
        }
        let mut content = Inline::default();
        escaped(line, at, &mut content);
        self.add(content);
    }

    /// Adds a line of text.
    fn add(&mut self, line: Inline) {
        if let Some(level) = self.heading_follows.take() {
            self.out.heading(level, &line);
            return;
        }
        if !self.content.text.is_empty() {
            let gap = if self.tag_follows {
                self.content.put(',', 0, 0);
                ' '
            } else if self.in_code || (self.is_tagged && !self.content.text.contains('\n')) {
                '\n'
            } else {
                ' '
            };
            self.content.put(gap, 0, 0);
        }
        let is_blank = line.is_blank();
        self.content.append(line);
        if self.tag_follows && !is_blank {
            self.tag_follows = false;
            self.is_tagged = true;
        }
    }

    fn request(&mut self, name: &str, arguments: &str, at: usize) {
        if name == "El" && self.columns.is_some() {
            self.end_columns();
            return;
        }
        match name {
            "Bl" if arguments.contains("-column") => {
                self.flush();
                self.columns = Some(Vec::new());
            }
            "It" | "Ta" if self.columns.is_some() => self.cells(name, words(arguments, at)),
            "Ex" | "Rv" if arguments.contains("-std") => self.standard(name, arguments, at),
            "OP" => {
                let mut option = Inline::default();
                option.insert("[", at, 0);
                option.append(joined(words(arguments, at), " "));
                option.insert("]", at, 0);
                self.add(option);
            }
            "TH" | "Dt" => {
                let values: Vec<String> =
                    words(arguments, at).into_iter().map(|word| word.text).collect();
                self.name = values.first().cloned().unwrap_or_default();
                if let Some(section) = values.get(1) {
                    let name = self.name.to_lowercase();
                    let title =
                        if section.is_empty() { name } else { format!("{name}({section})") };
                    self.out.title = Some(title);
                }
                if name == "TH" {
                    for (key, value) in [("date", 2), ("version", 3)] {
                        self.out.metadata(key, values.get(value).map_or("", String::as_str));
                    }
                }
            }
            "Dd" => self.out.metadata("date", arguments.trim().trim_matches('$')),
            "SH" | "SS" | "Sh" | "Ss" => {
                self.flush();
                let level = if name.ends_with(['H', 'h']) { 1 } else { 2 };
                let heading = joined(words(arguments, at), " ");
                if heading.is_blank() {
                    self.heading_follows = Some(level);
                } else {
                    self.out.heading(level, &heading);
                }
            }
            // One more tag of the same text.
            "TQ" if self.is_tagged && !self.content.text.contains('\n') => self.tag_follows = true,
            "TP" | "TQ" => {
                self.flush();
                self.tag_follows = true;
            }
            "IP" | "It" | "HP" => {
                self.flush();
                let is_mdoc = name == "It";
                let mut words = words(arguments, at);
                if !is_mdoc {
                    // The second argument is the width.
                    words.truncate(1);
                }
                let tag = if is_mdoc { mdoc(words) } else { joined(words, " ") };
                if !tag.is_blank() {
                    self.tag_follows = name != "HP";
                    let is_bullet = !tag.text.contains(char::is_alphanumeric);
                    self.add(tag);
                    self.is_tagged &= !is_bullet;
                    self.is_bullet = is_bullet;
                    self.tag_follows &= !is_bullet;
                }
            }
            "PP" | "P" | "LP" | "Pp" | "sp" | "RS" | "RE" | "Bl" | "El" | "Lp" | "bp" => {
                self.flush();
            }
            "nf" | "EX" | "Bd" => {
                self.flush();
                self.in_code = true;
            }
            "fi" | "EE" | "Ed" => {
                self.flush();
                self.in_code = false;
            }
            "B" | "I" | "SM" | "SB" | "UR" | "MT" | "R" | "CW" => {
                self.add(joined(words(arguments, at), " "));
            }
            "BR" | "RB" | "BI" | "IB" | "RI" | "IR" | "MR" | "SY" => {
                let gap = if name == "SY" { " " } else { "" };
                self.add(joined(words(arguments, at), gap));
            }
            "TS" => {
                self.flush();
                self.table = Some(Vec::new());
                (self.in_format, self.tab, self.in_cell) = (true, '\t', false);
                (self.n_headers, self.names_columns, self.n_formats) = (None, false, 0);
            }
            "TE" => {
                if let Some(rows) = self.table.take() {
                    let named = self.n_headers.or(self.names_columns.then_some(1));
                    let headers = named.filter(|n| *n < rows.len()).unwrap_or(0);
                    self.out.table(headers, rows);
                }
            }
            "ig" | "de" | "am" | "de1" => self.is_ignored = true,
            _ if name.starts_with(|c: char| c.is_ascii_uppercase()) && name.len() <= 3 => {
                self.mdoc_request(name, arguments, at);
            }
            _ => {}
        }
    }

    /// A request of `mdoc` whose arguments are text.
    fn mdoc_request(&mut self, name: &str, arguments: &str, at: usize) {
        const SILENT: [&str; 13] =
            ["Os", "Bk", "Ek", "Rs", "Re", "Ns", "Sm", "UE", "ME", "YS", "PD", "AT", "UC"];
        if SILENT.contains(&name) {
            return;
        }
        let mut words = words(arguments, at);
        let mut request = Inline::default();
        request.insert(name, at, 0);
        words.insert(0, request);
        let mut line = mdoc(words);
        if name == "Nm" && line.is_blank() {
            line.insert(&self.name.to_lowercase(), at, 0);
        }
        if name == "Nd" {
            let mut dash = Inline::default();
            dash.insert("– ", at, 0);
            dash.append(line);
            line = dash;
        }
        if !line.is_blank() {
            self.add(line);
        }
    }

    /// The cells of a row of a list with columns: `Ta` parts them.
    fn cells(&mut self, name: &str, words: Vec<Inline>) {
        let mut cells: Vec<Vec<Inline>> = vec![Vec::new()];
        for word in words {
            if word.text == "Ta" {
                cells.push(Vec::new());
            } else if let Some(cell) = cells.last_mut() {
                cell.push(word);
            }
        }
        let content = std::mem::take(&mut self.content);
        let Some(rows) = &mut self.columns else { return };
        if let Some(cell) = rows.last_mut().and_then(|row| row.last_mut())
            && !content.is_blank()
        {
            cell.put(' ', 0, 0);
            cell.append(content);
        }
        if name == "It" {
            if rows.is_empty() {
                let is_strong = |words: &Vec<Inline>| {
                    words.first().is_some_and(|word| matches!(word.text.as_str(), "Sy" | "Em"))
                };
                self.names_columns = cells.iter().all(is_strong);
            }
            rows.push(Vec::new());
        }
        if let Some(row) = rows.last_mut() {
            row.extend(cells.into_iter().map(mdoc));
        }
    }

    fn end_columns(&mut self) {
        self.cells("Ta", Vec::new());
        let mut rows = self.columns.take().unwrap_or_default();
        if let Some(row) = rows.last_mut() {
            row.pop();
        }
        let headers = usize::from(self.names_columns && rows.len() > 1);
        self.out.table(headers, rows);
    }

    /// Writes the sentence that `.Ex -std` or `.Rv -std` prints.
    fn standard(&mut self, name: &str, arguments: &str, at: usize) {
        let given = arguments.replace("-std", "");
        let given = given.trim();
        let program = if given.is_empty() { self.name.to_lowercase() } else { given.to_owned() };
        let sentence = if name == "Ex" {
            format!("The {program} utility exits 0 on success, and >0 if an error occurs.")
        } else {
            format!(
                "The {program}() function returns the value 0 if successful; otherwise the value \
                 -1 is returned and the global variable errno is set to indicate the error."
            )
        };
        let mut line = Inline::default();
        line.insert(&sentence, at, 0);
        self.add(line);
    }

    /// A line of a table for the preprocessor `tbl`.
    fn table_line(&mut self, line: &str, at: usize) {
        if self.in_format {
            // The format ends with a full stop; options before it end with a semicolon.
            if let Some((_, tab)) = line.split_once("tab(") {
                self.tab = tab.chars().next().unwrap_or('\t');
            }
            if !line.trim_end().ends_with(';') {
                // A bold or centred first row above others names the columns.
                let format = line.to_ascii_lowercase();
                let is_bold = format.contains(['b', 'c']) || format.contains("f(cb)");
                match self.n_formats {
                    0 => self.names_columns = is_bold && !line.trim_end().ends_with('.'),
                    1 => self.names_columns &= !format.contains('b'),
                    _ => {}
                }
                self.n_formats += 1;
            }
            self.in_format = !line.trim_end().ends_with('.');
            return;
        }
        let Some(rows) = &mut self.table else { return };
        if !self.in_cell && matches!(line.trim(), "_" | "=" | "") {
            if !rows.is_empty() && self.n_headers.is_none() {
                self.n_headers = Some(rows.len());
            }
            return;
        }
        let is_end = self.in_cell && line.starts_with("T}");
        if self.in_cell && !is_end {
            if let Some(cell) = rows.last_mut().and_then(|row| row.last_mut()) {
                cell.put(' ', at, 0);
                escaped(line, at, cell);
            }
            return;
        }
        if !is_end {
            rows.push(Vec::new());
        }
        self.in_cell = false;
        let Some(row) = rows.last_mut() else { return };
        let mut start = 0;
        for (nth, cell) in line.split(self.tab).enumerate() {
            let mut content = Inline::default();
            self.in_cell = cell.trim() == "T{";
            let closes = nth == 0 && is_end;
            if !self.in_cell && !closes {
                escaped(cell, at + start, &mut content);
            }
            if !closes {
                row.push(content);
            }
            start += cell.len() + self.tab.len_utf8();
        }
    }

    fn flush(&mut self) {
        let content = std::mem::take(&mut self.content);
        let is_tagged = std::mem::take(&mut self.is_tagged);
        let is_bullet = std::mem::take(&mut self.is_bullet);
        self.tag_follows = false;
        match (self.in_code, is_tagged) {
            (true, _) => self.out.block(BlockKind::Code, content),
            // The tag stays a line above its text.
            (false, true) => self.out.block(BlockKind::ListItem, content),
            (false, false) if is_bullet => self.out.prose(BlockKind::ListItem, &content),
            (false, false) => self.out.prose(BlockKind::Paragraph, &content),
        }
    }
}

/// The arguments of a request; quotes keep white space.
fn words(arguments: &str, at: usize) -> Vec<Inline> {
    let mut found = Vec::new();
    let mut rest = arguments;
    loop {
        let trimmed = rest.trim_start();
        let start = at + arguments.len() - trimmed.len();
        if trimmed.is_empty() || trimmed.starts_with("\\\"") {
            return found;
        }
        let mut word = Inline::default();
        if let Some(quoted) = trimmed.strip_prefix('"') {
            let len = quoted.find('"').unwrap_or(quoted.len());
            escaped(quoted.slice(..len), start + 1, &mut word);
            rest = quoted.slice((len + 1).min(quoted.len())..);
        } else {
            let mut is_escaped = false;
            let ends = |c: char| {
                let ends = c.is_whitespace() && !is_escaped;
                is_escaped = c == '\\' && !is_escaped;
                ends
            };
            let len = trimmed.find(ends).unwrap_or(trimmed.len());
            escaped(trimmed.slice(..len), start, &mut word);
            rest = trimmed.slice(len..);
        }
        found.push(word);
    }
}

fn joined(words: Vec<Inline>, gap: &str) -> Inline {
    let mut out = Inline::default();
    for (nth, word) in words.into_iter().enumerate() {
        if nth > 0 {
            out.insert(gap, 0, 0);
        }
        out.append(word);
    }
    out
}

/// The words of a line of `mdoc`, with the macros among them.
fn mdoc(words: Vec<Inline>) -> Inline {
    const MACROS: &str = "Ad An Ar Cd Cm Dv Er Ev Fa Fl Fn Fo Ft Ic In Li Ms Nd Nm Pa Sy Em Tn Va \
         Vt \
         Xr Ns No Op Oo Oc Pq Po Pc Qq Sq Dq Ql Aq Bq Brq Lk Mt St Ux Bx Nx Fx Ox Xo Xc Pf Sx Sh \
         Ss \
         Cx Eo Ec D1 Dl Do Dc Qo Qc So Sc Ao Ac Bo Bc It Lb Hf";
    let mut out = Inline::default();
    let mut closing = Vec::new();
    let (mut glued, mut is_flag, mut is_reference) = (true, false, false);
    for word in words {
        let at = 0;
        if MACROS.split(' ').any(|name| name == word.text) {
            is_flag = false;
            match word.text.as_str() {
                "Fl" => is_flag = true,
                "Xr" => is_reference = true,
                "Ns" | "Pf" => glued = true,
                "Op" | "Oo" | "Bq" | "Bo" => {
                    open(&mut out, &mut closing, &mut glued, ("[", "]"), word.text == "Oo");
                }
                "Pq" | "Po" => {
                    open(&mut out, &mut closing, &mut glued, ("(", ")"), word.text == "Po");
                }
                "Dq" | "Do" | "Qq" | "Qo" => {
                    open(&mut out, &mut closing, &mut glued, ("“", "”"), word.text.ends_with('o'));
                }
                "Sq" | "So" | "Ql" => {
                    open(&mut out, &mut closing, &mut glued, ("‘", "’"), word.text == "So");
                }
                "Aq" | "Ao" => {
                    open(&mut out, &mut closing, &mut glued, ("<", ">"), word.text == "Ao");
                }
                "Oc" | "Bc" => out.insert("]", at, 0),
                "Pc" => out.insert(")", at, 0),
                _ => {}
            }
            continue;
        }
        let is_mark = word.text.chars().all(|c| ".,:;)]?!".contains(c));
        if is_reference
            && word.text.len() <= 3
            && word.text.starts_with(|c: char| c.is_ascii_digit())
        {
            out.insert(&format!("({})", word.text), at, 0);
            is_reference = false;
            continue;
        }
        if !glued && !is_mark && !out.text.is_empty() {
            out.put(' ', at, 0);
        }
        if is_flag && !is_mark {
            out.put('-', at, 0);
        }
        glued = false;
        out.append(word);
    }
    for close in closing.into_iter().rev() {
        out.insert(close, 0, 0);
    }
    out
}

/// Writes an opening mark; its closing mark comes at the end of the line, unless it has its own
/// macro.
fn open<'a>(
    out: &mut Inline,
    closing: &mut Vec<&'a str>,
    glued: &mut bool,
    (open, close): (&'a str, &'a str),
    has_macro: bool,
) {
    if !*glued && !out.text.is_empty() {
        out.put(' ', 0, 0);
    }
    out.insert(open, 0, 0);
    if !has_macro {
        closing.push(close);
    }
    *glued = true;
}

/// Writes a text without escapes.
fn escaped(text: &str, at: usize, out: &mut Inline) {
    let mut i = 0;
    while i < text.len() {
        let rest = text.slice(i..);
        let Some(c) = rest.chars().next() else { break };
        if c != '\\' {
            out.put(c, at + i, c.len_utf8());
            i += c.len_utf8();
            continue;
        }
        let (len, shown) = escape(rest);
        out.insert(shown.as_ref(), at + i, len);
        i += len;
    }
}

/// The length of an escape, and its text.
fn escape(text: &str) -> (usize, std::borrow::Cow<'static, str>) {
    let Some(c) = text.slice(1..).chars().next() else { return (1, "".into()) };
    let end = 1 + c.len_utf8();
    match c {
        '"' | '#' => (text.len(), "".into()),
        'f' | '*' | 'n' | 'F' | 'g' | 'k' | 'm' | 'M' => {
            let (len, name) = escape_name(text.slice(end..));
            let shown = match name {
                "R" if c == '*' => "®",
                "Tm" if c == '*' => "™",
                "lq" if c == '*' => "“",
                "rq" if c == '*' => "”",
                _ => "",
            };
            (end + len, shown.into())
        }
        's' => {
            let rest = text.slice(end..);
            let sign = usize::from(rest.starts_with(['+', '-']));
            let n = rest.slice(sign..).bytes().take_while(u8::is_ascii_digit).take(2).count();
            (end + sign + n, "".into())
        }
        '(' | '[' => {
            let (len, name) = escape_name(text.slice(1..));
            (1 + len, character(name))
        }
        'h' | 'v' | 'w' | 'l' | 'L' | 'D' | 'X' | 'Z' | 'o' | 'b' | 'x' | 'N' | 'C' => {
            let mut quoted = text.slice(end..).chars();
            let len = match quoted.next() {
                Some(quote) => quoted.as_str().find(quote).map_or(0, |n| n + 2 * quote.len_utf8()),
                None => 0,
            };
            (end + len, "".into())
        }
        '-' => (end, "-".into()),
        'e' | '\\' | 'E' => (end, "\\".into()),
        '\'' => (end, "'".into()),
        '`' => (end, "`".into()),
        '.' => (end, ".".into()),
        ' ' | '~' | '0' | '\t' => (end, " ".into()),
        '&' | '|' | '^' | '%' | 'c' | ':' | ')' | '/' | ',' | 'p' | 'd' | 'u' => (end, "".into()),
        c => (end, c.to_string().into()),
    }
}

/// The length of `(xx`, `[name]` or `x`, and the name.
fn escape_name(text: &str) -> (usize, &str) {
    if let Some(name) = text.strip_prefix('[') {
        let len = name.find(']').unwrap_or(name.len());
        return ((len + 2).min(text.len()), name.slice(..len));
    }
    let (skip, n) = if text.starts_with('(') { (1, 2) } else { (0, 1) };
    let name = text.slice(skip..);
    let len = name.char_indices().nth(n).map_or(name.len(), |(at, _)| at);
    (skip + len, name.slice(..len))
}

/// A special character.
fn character(name: &str) -> std::borrow::Cow<'static, str> {
    if let Some(hex) = name.strip_prefix('u')
        && let Some(c) = u32::from_str_radix(hex, 16).ok().and_then(char::from_u32)
    {
        return c.to_string().into();
    }
    let shown = match name {
        "em" => "—",
        "en" => "–",
        "hy" | "mi" => "-",
        "aq" => "'",
        "oq" => "‘",
        "cq" => "’",
        "lq" => "“",
        "rq" => "”",
        "dq" => "\"",
        "bu" => "•",
        "co" => "©",
        "rg" => "®",
        "tm" => "™",
        "ga" => "`",
        "ha" => "^",
        "ti" => "~",
        "rs" => "\\",
        "mu" => "×",
        "+-" => "±",
        "<=" => "≤",
        ">=" => "≥",
        "!=" => "≠",
        "->" => "→",
        "<-" => "←",
        "de" => "°",
        "ss" => "ß",
        "at" => "@",
        "sh" => "#",
        "lB" => "[",
        "rB" => "]",
        "la" => "⟨",
        "ra" => "⟩",
        "Eu" | "eu" => "€",
        "Po" => "£",
        _ => return letter(name),
    };
    shown.into()
}

/// A letter with an accent: `\(:a`, `\('e`.
fn letter(name: &str) -> std::borrow::Cow<'static, str> {
    let mut chars = name.chars();
    let (Some(accent), Some(letter), None) = (chars.next(), chars.next(), chars.next()) else {
        return "".into();
    };
    let mark = match accent {
        ':' => '\u{308}',
        '\'' => '\u{301}',
        '`' => '\u{300}',
        '^' => '\u{302}',
        '~' => '\u{303}',
        ',' => '\u{327}',
        'o' => '\u{30a}',
        '/' => return if letter == 'o' { "ø".into() } else { "Ø".into() },
        _ => return "".into(),
    };
    unicode_normalization::char::compose(letter, mark).map(String::from).unwrap_or_default().into()
}
