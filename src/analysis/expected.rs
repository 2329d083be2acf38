//! What an answer should contain: patterns in the syntax of Python, and the form in which texts are
//! compared to them.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex::{Regex, RegexBuilder};
use unicode_normalization::UnicodeNormalization as _;

/// A regular expression that ignores case; a dot matches line ends too.
#[derive(Clone, Debug)]
pub struct Pattern(Regex);

impl Pattern {
    /// # Errors
    /// What is wrong with the pattern. Look-around and references to groups are not supported.
    pub fn new(python: &str) -> Result<Self, String> {
        let translated = translated(python);
        let built = RegexBuilder::new(&translated)
            .case_insensitive(true)
            .dot_matches_new_line(true)
            .build();
        built.map(Self).map_err(|e| {
            let why = e.to_string();
            why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned()
        })
    }

    /// The pattern that matches `text` as it is.
    pub fn literal(text: &str) -> String {
        regex::escape(text)
    }

    pub fn is_match(&self, text: &str) -> bool {
        self.0.is_match(text)
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

/// A pattern of Python in the syntax of `regex`: Python takes a brace that opens no repetition, and
/// `[`, `&`, `~` within brackets, as they are.
fn translated(python: &str) -> String {
    let mut out = String::with_capacity(python.len());
    let mut rest = python.chars();
    let mut in_class = false;
    while let Some(c) = rest.next() {
        match c {
            '\\' => match rest.next() {
                Some('Z') => out.push_str(r"\z"),
                Some(plain @ ('<' | '>')) => out.push(plain),
                Some(next) => out.extend(['\\', next]),
                None => out.push('\\'),
            },
            '[' | '&' | '~' if in_class => out.extend(['\\', c]),
            '[' => {
                in_class = true;
                out.push(c);
                // A bracket that comes first closes nothing.
                let mut ahead = rest.clone();
                let first = ahead.next();
                let (negated, first) =
                    if first == Some('^') { (true, ahead.next()) } else { (false, first) };
                if first == Some(']') {
                    out.push_str(if negated { r"^\]" } else { r"\]" });
                    rest = ahead;
                }
            }
            ']' => {
                in_class = false;
                out.push(c);
            }
            '{' if !in_class => match repetition(rest.as_str()) {
                Some(at_least) => out.push_str(at_least),
                None => out.push_str(r"\{"),
            },
            c => out.push(c),
        }
    }
    out
}

/// The opening brace of a repetition such as `{2,4}`; `rest` is what follows the brace. Python
/// allows a missing lower bound, which becomes 0. `None` when the brace opens no repetition.
fn repetition(rest: &str) -> Option<&'static str> {
    let (bounds, _) = rest.split_once('}')?;
    let (least, most) = bounds.split_once(',').unwrap_or((bounds, "0"));
    let is_number = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let is_repetition = is_number(least) && is_number(most) && !bounds.is_empty();
    is_repetition.then_some(if least.is_empty() { "{0" } else { "{" })
}

static MARKUP: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(
        r"(?s)<!--.*?-->|</?(?:a|b|i|p|h\d|li|ol|ul|em|code|strong|sup|sub|td|tr|span)\b[^>]*>",
    )
    .ok()
});
static PEP: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r":pep:`(\d+)`").ok());
static LINE_MARK: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"(?m)^\s*(?:>|//[/!]?)(?:\s|$)").ok());
static ROLE: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r":[\w:]+:`|[`*]").ok());

fn replaced<'a>(text: &'a str, regex: &LazyLock<Option<Regex>>, with: &str) -> Cow<'a, str> {
    regex.as_ref().map_or(Cow::Borrowed(text), |regex| regex.replace_all(text, with))
}

/// A text on one line, with plain quotes and dashes, and without the markup of Markdown,
/// reStructuredText and HTML.
pub fn comparable(text: &str) -> String {
    let characters = text.nfkc().filter_map(|c| match c {
        '“' | '”' => Some('"'),
        '‘' | '’' => Some('\''),
        '–' | '—' | '−' => Some('-'),
        '\u{ad}' => None,
        c => Some(c),
    });
    let text: String = characters.collect();
    let text = replaced(&text, &MARKUP, "");
    let text = replaced(&text, &PEP, "PEP $1");
    let text = replaced(&text, &LINE_MARK, " ");
    let text = replaced(&text, &ROLE, "");
    let text = without_underscores(&text);
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c.is_whitespace() {
            true if out.ends_with(' ') => {}
            true => out.push(' '),
            false => out.push(c),
        }
    }
    out
}

/// A text without the underscores that stand around emphasized words.
fn without_underscores(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied();
    let is_word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let is_inner = |c: Option<char>| c.is_some_and(|c| !c.is_whitespace() && c != '_');
    let closes = |open: usize, i: usize| {
        chars[i] == '_' && is_inner(at(i - 1)) && !is_word(at(i + 1)) && i > open + 1
    };
    let mut out = String::with_capacity(text.len());
    let mut i = 0;
    while let Some(c) = at(i) {
        let opens = c == '_' && is_inner(at(i + 1)) && (i == 0 || !is_word(at(i - 1)));
        let end = if opens { (i + 2..chars.len()).find(|end| closes(i, *end)) } else { None };
        match end {
            Some(end) => {
                out.extend(&chars[i + 1..end]);
                i = end + 1;
            }
            None => {
                out.push(c);
                i += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pattern: &str, text: &str, expected: bool) {
        let pattern = Pattern::new(pattern).unwrap_or_else(|e| panic!("{pattern}: {e}"));
        assert_eq!(pattern.is_match(text), expected, "{pattern:?} in {text:?}");
    }

    #[test]
    fn patterns_follow_the_syntax_of_python() {
        check("two or more", "TWO OR MORE", true);
        check("a.b", "a\nb", true);
        check("fn main() {", "fn main {", true);
        check(r"x\{2\}", "x{2}", true);
        check("ab{2}c", "abbc", true);
        check("ab{,2}c", "ac", true);
        check("[[&]x", "&x", true);
        check("[]x]y", "]y", true);
        check("[^]x]y", "]y", false);
        check(r"end\Z", "the end", true);
        check(r"\<b\>", "<b>", true);
        assert!(Pattern::new("(?=x)").unwrap_err().contains("look-around"));
        assert!(Pattern::new("(x").is_err());
    }

    #[test]
    fn texts_are_compared_without_markup() {
        let check = |text: &str, expected: &str| assert_eq!(comparable(text), expected, "{text:?}");
        check("“It’s” – a\nb", "\"It's\" - a b");
        check("a <b class='x'>bold</b><!-- not\nthis --> <T>", "a bold <T>");
        check("see :pep:`572` and :ref:`this`", "see PEP 572 and this");
        check("> quoted\n/// doc\n// x", " quoted doc x");
        check(
            "an _important word_, snake_case and __init__",
            "an important word, snake_case and __init__",
        );
        check("soft\u{ad}ware `code` **bold**", "software code bold");
        for regex in [&MARKUP, &PEP, &LINE_MARK, &ROLE] {
            assert!(regex.is_some());
        }
    }
}
