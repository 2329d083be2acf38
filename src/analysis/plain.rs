//! Plain text of a sentence: markup removed, hard wraps joined, code spans kept.
//!
//! `[12]` never survives outside code, because a bracketed number in an answer cites one of its
//! sources. Footnote marks attached to a word are removed; free-standing ones become `(12)`.

use crate::strings::StrExt as _;
use crate::strings::{lines, with_line_feeds};

/// `text` without inline Markdown or reStructuredText, heading and list marks, tags and comments;
/// white space is collapsed. In a code fence only the line ends change.
#[must_use]
pub fn plain(text: &str) -> String {
    let text = text.trim();
    if is_fence(text) {
        return with_line_feeds(text);
    }
    let mut out = String::with_capacity(text.len());
    let lines: Vec<&str> =
        lines(text).map(|line| line.trim().trim_start_matches('>').trim_start()).collect();
    let first = lines.first().copied().and_then(callout);
    let lines: Vec<&str> = first
        .as_deref()
        .into_iter()
        .chain(lines.iter().copied().skip(first.iter().len()))
        .collect();
    let joined = join(&lines);
    let joined = strip_block_marks(&joined);
    match row(joined) {
        Some(cells) => inline(&cells, &mut out),
        None => inline(joined, &mut out),
    }
    let out = collapse(&out);
    // reStructuredText introduces code with two colons; after a space they are not shown.
    match out.strip_suffix("::") {
        Some(sentence) if sentence.is_empty() || sentence.ends_with(' ') => {
            sentence.trim_end().to_owned()
        }
        Some(sentence) => format!("{sentence}:"),
        None => out,
    }
}

/// Whether `text` begins with the opening line of a code fence; ``` ```this``` ``` is a code span.
pub(super) fn is_fence(text: &str) -> bool {
    let first = lines(text).next().unwrap_or("");
    first.starts_with("~~~")
        || first.starts_with("```") && !first.trim_start_matches('`').contains('`')
}

/// The text of an ATX heading, if `line` is one.
pub(super) fn heading(line: &str) -> Option<&str> {
    let rest = line.trim_start_matches('#');
    let level = line.len() - rest.len();
    if !(1..=6).contains(&level) || !(rest.is_empty() || rest.starts_with([' ', '\t'])) {
        return None;
    }
    let text = rest.trim().trim_end_matches('#').trim_end();
    Some(text.rfind(" {#").map_or(text, |at| text.slice(..at)))
}

/// The text of a list item without its mark, if `line` is one.
pub(super) fn item(line: &str) -> Option<&str> {
    let marked = line.strip_prefix(['-', '*', '+', '•', '◦', '▪', '‣', '–']).or_else(|| {
        // reStructuredText numbers items marked with `#.` by itself.
        let digits = line.bytes().take_while(u8::is_ascii_digit).count();
        let digits = if line.starts_with('#') { 1 } else { digits };
        let rest = line.slice(digits..);
        if (1..=3).contains(&digits) { rest.strip_prefix(['.', ')']) } else { None }
    })?;
    let text = marked.strip_prefix([' ', '\t'])?.trim_start();
    let text =
        ["[ ] ", "[x] ", "[X] "].iter().find_map(|done| text.strip_prefix(done)).unwrap_or(text);
    (!text.is_empty()).then_some(text)
}

/// The title of a callout, such as `[!note]- Low bridge`, or its kind.
fn callout(line: &str) -> Option<String> {
    let (kind, title) = line.strip_prefix("[!")?.split_once(']')?;
    let is_kind = !kind.is_empty() && kind.len() <= 20 && !kind.contains(char::is_whitespace);
    let title = title.trim_start_matches(['-', '+']).trim();
    let (first, rest) = (kind.get(..1)?, kind.get(1..)?);
    let shown = if title.is_empty() {
        format!("{}{}", first.to_uppercase(), rest.to_lowercase())
    } else {
        title.trim_end_matches(':').to_owned()
    };
    is_kind.then(|| format!("{shown}:"))
}

fn strip_block_marks(line: &str) -> &str {
    if let Some(text) = heading(line) {
        return text;
    }
    let mut line = line
        .strip_prefix("[^")
        .and_then(|note| note.split_once("]: "))
        .map_or(line, |(_, text)| text);
    while let Some(text) = item(line) {
        line = text;
    }
    line
}

/// The cells of a table row with bars between them only.
fn row(line: &str) -> Option<String> {
    let cells = line.strip_prefix('|')?.trim_end().strip_suffix('|')?;
    Some(cells.split('|').map(str::trim).collect::<Vec<_>>().join(" | "))
}

/// Hard-wrapped lines as one. There is no space at the seam in scripts without spaces and after a
/// hyphenated word.
fn join(lines: &[&str]) -> String {
    let mut joined = String::new();
    for line in lines {
        // A backslash is Markdown's hard break.
        let line =
            line.strip_suffix('\\').filter(|line| !line.ends_with('\\')).unwrap_or(line).trim_end();
        let keeps_hyphen = joined.ends_with('-')
            && !joined.ends_with(" -")
            && line.starts_with(char::is_lowercase);
        let is_unspaced_seam = joined.ends_with(is_unspaced) && line.starts_with(is_unspaced);
        let seam_has_space =
            !joined.is_empty() && !line.is_empty() && !keeps_hyphen && !is_unspaced_seam;
        if seam_has_space {
            joined.push(' ');
        }
        joined.push_str(line);
    }
    joined
}

fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{2e80}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{ff00}'..='\u{ffef}'
        | '\u{20000}'..='\u{3ffff}')
}

fn collapse(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_code = false;
    for word in text.split_whitespace() {
        // Removed markup must not leave a space before the full stop. In code a dot may be a word.
        if !out.is_empty() && (in_code || !matches!(word, "." | "," | ";" | "!" | "?" | ")")) {
            out.push(' ');
        }
        in_code ^= word.matches('`').count() % 2 == 1;
        out.push_str(word);
    }
    out
}

/// Copies `text` to `out` without inline markup.
fn inline(text: &str, out: &mut String) {
    let mut at = 0;
    while let Some(c) = text.slice(at..).chars().next() {
        let rest = text.slice(at..);
        at += match c {
            '`' => code_span(rest, out),
            '{' => template_tag(rest, out).unwrap_or_else(|| copy(c, out)),
            '<' => tag(rest, out),
            '!' if rest.starts_with("![[") && rest.contains("]]") => embedded(rest, out),
            '!' if rest.starts_with("![") => {
                link(rest.slice(1..), out).map_or_else(|| copy(c, out), |len| len + 1)
            }
            '[' => link(rest, out).or_else(|| note(rest, out)).unwrap_or_else(|| copy(c, out)),
            '*' | '_' | '~' => emphasis(text.slice(..at), rest, out),
            '=' if rest.starts_with("==") => highlight(text.slice(..at), rest, out),
            '^' => caret(text.slice(..at), rest, out),
            '\\' => escaped(rest, out),
            '&' => entity(rest, out),
            ':' => role(rest, out),
            '\u{ad}' => c.len_utf8(),
            c => copy(c, out),
        };
    }
}

/// The tag of a template, as of Jekyll, Liquid and Hugo. It shows its only argument if that is
/// quoted words, and nothing if it is a path or there are several.
fn template_tag(rest: &str, out: &mut String) -> Option<usize> {
    /// So that a page of braces is not quadratic.
    const MAX_TAG_BYTES: usize = 2_000;
    const TAGS: [(&str, &str); 3] = [("{%", "%}"), ("{{<", ">}}"), ("{{%", "%}}")];
    let (open, close) = TAGS.into_iter().find(|(open, _)| rest.starts_with(open))?;
    let len = rest.slice(..rest.len().min(MAX_TAG_BYTES)).find(close)?;
    let inside = rest.slice(open.len()..len);
    let mut parts = inside.split(['"', '\'', '“', '”']);
    if let (Some(_), Some(words), Some(end), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
        && end.trim_matches(|c: char| c.is_whitespace() || c == '-').is_empty()
        && !words.contains(['/', '.'])
    {
        out.push_str(words);
    }
    Some(len + close.len())
}

fn copy(c: char, out: &mut String) -> usize {
    out.push(c);
    c.len_utf8()
}

fn run_len(text: &str, mark: char) -> usize {
    text.len() - text.trim_start_matches(mark).len()
}

/// Copies a code span, in single backticks where possible. An unmatched tick and the marks of a
/// reStructuredText reference are dropped.
fn code_span(rest: &str, out: &mut String) -> usize {
    let ticks = run_len(rest, '`');
    let Some(len) = find_run(rest.slice(ticks..), ticks) else { return ticks };
    let inside = rest.slice(ticks..ticks + len);
    let total = ticks + len + ticks;
    let after = rest.slice(total..);
    let is_reference = ticks == 1
        && after.starts_with('_')
        && !after.slice(1..).starts_with(|c: char| c.is_alphanumeric());
    if is_reference {
        out.push_str(inside.split(" <").next().unwrap_or(inside).trim());
        return total + run_len(after, '_');
    }
    if ticks == 2 && !inside.contains('`') {
        out.push('`');
        out.push_str(inside);
        out.push('`');
    } else {
        out.push_str(rest.slice(..total));
    }
    total
}

/// The offset of a run of exactly `ticks` backticks.
pub(super) fn find_run(text: &str, ticks: usize) -> Option<usize> {
    let mut at = 0;
    while let Some(found) = text.slice(at..).find('`') {
        let len = run_len(text.slice(at + found..), '`');
        if len == ticks {
            return Some(at + found);
        }
        at += found + len;
    }
    None
}

const TAGS: &str = "\
    a abbr b blockquote br center cite code dd del details div dl dt em figcaption figure font \
    h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q s samp section small span strong sub \
    summary sup table tbody td th thead tr u ul var";

/// Drops a comment or an HTML tag; keeps `Vec<T>` and `a < b`.
fn tag(rest: &str, out: &mut String) -> usize {
    if let Some(comment) = rest.strip_prefix("<!--") {
        return comment.find("-->").map_or(rest.len(), |len| 4 + len + 3);
    }
    let Some(close) = rest.find('>').filter(|&close| close < 300) else { return copy('<', out) };
    let inside = rest.slice(1..close);
    if inside.starts_with("http://") || inside.starts_with("https://") {
        out.push_str(inside);
        return close + 1;
    }
    let name = inside
        .trim_start_matches('/')
        .split(|c: char| !c.is_ascii_alphanumeric())
        .next()
        .unwrap_or("");
    let starts_as_tag =
        inside.trim_start_matches('/').starts_with(|c: char| c.is_ascii_alphabetic());
    let is_tag = starts_as_tag
        && (TAGS.split_ascii_whitespace().any(|tag| tag.eq_ignore_ascii_case(name))
            || inside.starts_with('/')
            || inside.contains("=\""));
    if !is_tag {
        return copy('<', out);
    }
    if inside == "sup" {
        // 2<sup>8</sup> is not 28.
        out.push('^');
    }
    if matches!(name, "br" | "p" | "div" | "td" | "th" | "li") {
        out.push(' ');
    }
    close + 1
}

/// Replaces `[text](target)`, `[text][reference]` and `[[note|text]]` with the text. `None` for
/// anything else.
fn link(rest: &str, out: &mut String) -> Option<usize> {
    let close = matching(rest, '[', ']')?;
    let label = rest.slice(1..close);
    let after = rest.slice(close + 1..);
    if let Some(note) = label.strip_prefix('[').and_then(|note| note.strip_suffix(']'))
        && !note.contains(['[', ']', '\n'])
        && note.contains(char::is_alphabetic)
    {
        let (target, shown) = note.split_once('|').unwrap_or((note, note));
        // A heading of the note.
        let heading = target == shown && target.contains('#');
        let text = if heading { target.replace('#', " > ") } else { shown.to_owned() };
        out.push_str(text.trim_start_matches(" > "));
        return Some(close + 1);
    }
    let target_len = if after.starts_with('(') {
        matching(after, '(', ')')? + 1
    } else if after.starts_with('[') && label.contains(char::is_alphabetic) {
        matching(after, '[', ']').filter(|&len| len < 100)? + 1
    } else {
        return None;
    };
    inline(label, out);
    Some(close + 1 + target_len)
}

/// The name of a note or a picture that a note embeds, without the width of the picture.
fn embedded(rest: &str, out: &mut String) -> usize {
    let len = rest.find("]]").map_or(rest.len(), |end| end + 2);
    let inner = rest.slice(3..len.max(5) - 2);
    let (name, shown) = inner.split_once('|').unwrap_or((inner, inner));
    let is_width = shown.bytes().all(|b| b.is_ascii_digit() || b == b'x');
    out.push_str(if is_width { name } else { shown });
    len
}

/// The offset of the bracket that closes the first one of `text`. The search is bounded, so that a
/// page of brackets is not quadratic.
fn matching(text: &str, open: char, close: char) -> Option<usize> {
    const MAX_LINK_BYTES: usize = 2_000;
    let mut depth = 0_usize;
    for (at, c) in text.char_indices().take_while(|&(at, _)| at < MAX_LINK_BYTES) {
        if c == open {
            depth += 1;
            if depth > 4 {
                return None;
            }
        } else if c == close {
            depth -= 1;
            if depth == 0 {
                return Some(at);
            }
        }
    }
    None
}

/// Drops or rewrites a footnote mark or bracketed number. `None` for anything else.
fn note(rest: &str, out: &mut String) -> Option<usize> {
    let close = rest.find(']').filter(|&close| close < 24)?;
    let label = rest.slice(1..close);
    let mut len = close + 1;
    if label.starts_with(['^', '#']) && !label.contains(' ') || label == "citation needed" {
        len += run_len(rest.slice(len..), '_');
        return Some(len);
    }
    let is_number = label.starts_with(|c: char| c.is_ascii_digit())
        && label.chars().all(|c| c.is_ascii_digit() || ", –-".contains(c))
        && label != "0";
    if !is_number {
        // A collapsed reference: [`text`] with its target elsewhere.
        let is_reference = label.starts_with('`') && label.ends_with('`') && label.len() > 2;
        return is_reference.then(|| {
            out.push_str(label);
            len
        });
    }
    len += run_len(rest.slice(len..), '_');
    if out.ends_with(char::is_whitespace) || out.is_empty() {
        out.push('(');
        out.push_str(label);
        out.push(')');
    }
    Some(len)
}

/// Drops emphasis marks and keeps literal ones: `2 * 3`, `snake_case`, `~/.config`.
fn emphasis(before: &str, rest: &str, out: &mut String) -> usize {
    let Some(mark) = rest.chars().next() else { return 0 };
    let len = run_len(rest, mark);
    let after = rest.slice(len..).chars().next();
    let last = before.chars().next_back();
    let opens = after.is_some_and(|c| !c.is_whitespace());
    let closes = last.is_some_and(|c| !c.is_whitespace());
    let is_inside_word =
        last.is_some_and(char::is_alphanumeric) && after.is_some_and(char::is_alphanumeric);
    let is_markup = match mark {
        '~' => len == 2 && opens != closes,
        // A closing mark has had its opening one dropped; a literal `_` is still there.
        '_' => {
            len <= 3
                && !is_inside_word
                && (opens && is_closed(rest.slice(len..), mark) || closes && !out.ends_with('_'))
        }
        // **p**rint
        _ if len == 2 && is_inside_word && before.matches("**").count() % 2 == 1 => true,
        _ => {
            len <= 3
                && (opens && is_closed(rest.slice(len..), mark)
                    || closes && !opens
                    || closes && !is_inside_word)
        }
    };
    if !is_markup {
        out.push_str(rest.slice(..len));
    }
    len
}

/// Drops the marks of `==marked==` text; keeps `a == b`.
fn highlight(before: &str, rest: &str, out: &mut String) -> usize {
    let inner = rest.slice(2..);
    let opens = inner.starts_with(|c: char| !c.is_whitespace() && c != '=')
        && !before.ends_with(|c: char| c.is_alphanumeric() || c == '=');
    let len = inner.find("==").filter(|len| {
        let follows = inner.slice(len + 2..).chars().next();
        opens
            && !inner.slice(..*len).ends_with(char::is_whitespace)
            && follows.is_none_or(|c| !c.is_alphanumeric() && c != '=')
    });
    match len {
        Some(len) => {
            inline(inner.slice(..len), out);
            len + 4
        }
        None => {
            out.push_str("==");
            2
        }
    }
}

/// Shows a note in the line, `^[text]`, in brackets, and drops the name of a block, ` ^name`.
fn caret(before: &str, rest: &str, out: &mut String) -> usize {
    if rest.starts_with("^[")
        && let Some(close) = matching(rest.slice(1..), '[', ']').filter(|close| *close > 1)
    {
        out.push_str(" (");
        inline(rest.slice(2..=close), out);
        out.push(')');
        return close + 2;
    }
    let name = rest.slice(1..).split(char::is_whitespace).next().unwrap_or_default();
    let is_name = name.len() > 2
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        && name.contains(|c: char| c.is_ascii_alphabetic())
        && (before.is_empty() || before.ends_with(' '));
    if is_name { 1 + name.len() } else { copy('^', out) }
}

/// Whether an opening mark has a closing partner.
fn is_closed(rest: &str, mark: char) -> bool {
    rest.match_indices(mark)
        .any(|(at, _)| at > 0 && !rest.slice(..at).ends_with(char::is_whitespace))
}

fn escaped(rest: &str, out: &mut String) -> usize {
    match rest.slice(1..).chars().next() {
        Some(c) if c.is_ascii_punctuation() => 1 + copy(c, out),
        _ => copy('\\', out),
    }
}

fn entity(rest: &str, out: &mut String) -> usize {
    const ENTITIES: &[(&str, &str)] = &[
        ("&amp;", "&"),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&apos;", "'"),
        ("&nbsp;", " "),
        ("&mdash;", "—"),
        ("&ndash;", "–"),
        ("&hellip;", "…"),
        ("&copy;", "©"),
        ("&reg;", "®"),
        ("&trade;", "™"),
        ("&deg;", "°"),
        ("&euro;", "€"),
        ("&pound;", "£"),
        ("&times;", "×"),
        ("&plusmn;", "±"),
        ("&middot;", "·"),
        ("&bull;", "•"),
        ("&laquo;", "«"),
        ("&raquo;", "»"),
        ("&lsquo;", "‘"),
        ("&rsquo;", "’"),
        ("&ldquo;", "“"),
        ("&rdquo;", "”"),
        ("&rarr;", "→"),
        ("&larr;", "←"),
        ("&le;", "≤"),
        ("&ge;", "≥"),
        ("&ne;", "≠"),
    ];
    if let Some((c, len)) = numbered_entity(rest) {
        out.push(c);
        return len;
    }
    match ENTITIES.iter().find(|(name, _)| rest.starts_with(name)) {
        Some((name, character)) => {
            out.push_str(character);
            name.len()
        }
        None => copy('&', out),
    }
}

/// The character of `&#8211;` or `&#x2013;`, and the length of its name.
fn numbered_entity(rest: &str) -> Option<(char, usize)> {
    const MAX_DIGITS: usize = 8;
    let number = rest.strip_prefix("&#")?;
    let end = number.find(';').filter(|end| *end <= MAX_DIGITS)?;
    let digits = number.slice(..end);
    let code = match digits.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => digits.parse().ok()?,
    };
    let c = char::from_u32(code).filter(|c| !c.is_control())?;
    Some((c, end + 3))
}

/// Drops the `:role:` before a reStructuredText code span.
fn role(rest: &str, out: &mut String) -> usize {
    let name_len = rest
        .slice(1..)
        .bytes()
        .take_while(|b| b.is_ascii_lowercase() || matches!(b, b':' | b'-' | b'_'))
        .count();
    let opened = rest.slice(1 + name_len..);
    if name_len > 2
        && rest.slice(..=name_len).ends_with(':')
        && opened.starts_with('`')
        && !opened.starts_with("``")
    {
        1 + name_len
    } else {
        copy(':', out)
    }
}
