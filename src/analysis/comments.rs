//! Source code as Markdown: comments become prose without their marks, other lines become fenced
//! code.
//!
//! The file name determines the language and its comment marks: `#` opens a heading in one file and
//! a comment in another.

use std::borrow::Cow;

use crate::document::kind_name;
use crate::strings::StrExt as _;

/// The comment syntax of some languages.
struct Marks {
    /// Extensions or whole names of files.
    names: &'static str,
    /// Opening marks, the longer ones first.
    opens: &'static [&'static str],
    /// The opening marks of block comments, each with its closing mark.
    blocks: &'static [(&'static str, &'static str)],
}

const MARKS: &[Marks] = &[
    Marks {
        names: "rs c h cc cpp cxx hh hpp hxx inl java js jsx mjs cjs ts tsx mts cts go swift kt \
             kts scala cs dart php proto \
                zig groovy gradle scss less css thrift v m mm json5 jsonc cu fs fsx",
        opens: &["///", "//!", "//", "/**", "/*!", "/*", "**/", "*/", "**", "*"],
        blocks: &[("/**", "*/"), ("/*!", "*/"), ("/*", "*/")],
    },
    Marks {
        names: "py pyi pyx",
        opens: &["#!", "##", "#:", "#", "r\"\"\"", "\"\"\"", "r'''", "'''"],
        blocks: &[("r\"\"\"", "\"\"\""), ("\"\"\"", "\"\"\""), ("r'''", "'''"), ("'''", "'''")],
    },
    Marks {
        names: "sh bash zsh fish rb rake gemspec pl pm r toml yaml yml ini conf cfg properties \
             cmake mk nix jl ex exs tcl \
                ps1 env tf awk dockerfile makefile gnumakefile justfile containerfile gemfile \
                rakefile",
        opens: &["#!", "#'", "##", "#:", "#", "=begin", "=end"],
        blocks: &[("=begin", "=end")],
    },
    Marks { names: "sql lua hs elm adb ads", opens: &["-- |", "---", "--"], blocks: &[] },
    Marks {
        names: "lisp el clj cljs edn scm rkt asm",
        opens: &[";;;;", ";;;", ";;", ";"],
        blocks: &[],
    },
    Marks { names: "erl hrl", opens: &["%%%", "%%", "%"], blocks: &[] },
];

/// `text` of the file at `path` as Markdown: comments without marks, runs of code lines fenced.
/// Text that is not source code is returned unchanged.
#[must_use]
pub fn readable<'a>(path: &str, text: &'a str) -> Cow<'a, str> {
    let name = kind_name(path);
    let extension =
        if is_script(path, text) { "sh" } else { name.rsplit('.').next().unwrap_or(&name) };
    let is_among = |names: &&str| names.split_ascii_whitespace().any(|name| name == extension);
    let Some(marks) = MARKS.iter().find(|marks| is_among(&marks.names)) else {
        return Cow::Borrowed(text);
    };
    let mut out = String::with_capacity(text.len() + 64);
    // An empty line ends a fence, so that part of a long function can be quoted.
    let mut in_code = false;
    let mut until = marks.open_block(text);
    for line in text.lines() {
        let comment = uncommented(line, marks, &mut until);
        let is_code = comment.is_none() && !line.trim().is_empty();
        if is_code != in_code {
            out.push_str(if is_code { "\n```" } else { "```\n" });
            out.push_str(if is_code { extension } else { "" });
            out.push('\n');
            in_code = is_code;
        }
        out.push_str(comment.unwrap_or(line));
        out.push('\n');
    }
    if in_code {
        out.push_str("```\n");
    }
    Cow::Owned(out)
}

/// Whether a file without an extension is a shell script. Names in capitals, such as `README`, are
/// not.
fn is_script(path: &str, text: &str) -> bool {
    const SIGNS: [&str; 8] = ["() {", "\"$", "$(", " || ", " && ", "; then", "; do", "esac"];
    let name = path.rsplit('/').next().unwrap_or(path);
    let is_plain = name.chars().all(|c| c.is_ascii_lowercase() || c == '-' || c == '_');
    is_plain
        && (text.starts_with("#!")
            || SIGNS.iter().filter(|sign| text.contains(**sign)).count() >= 3)
}

impl Marks {
    /// The closing mark of a block comment that an earlier passage opened. Detected only for quotes
    /// alone on a line and without a partner.
    fn open_block(&self, text: &str) -> Option<&'static str> {
        let ends_first = |mark: &str| {
            let first = text
                .lines()
                .find(|line| line.contains(mark))
                .is_some_and(|line| line.trim() == mark);
            first && text.matches(mark).count() % 2 == 1
        };
        self.blocks.iter().find(|(open, end)| open == end && ends_first(end)).map(|(_, end)| *end)
    }
}

/// The text of a comment line without its mark. `until` is the closing mark of the open block.
fn uncommented<'a>(
    line: &'a str,
    marks: &Marks,
    until: &mut Option<&'static str>,
) -> Option<&'a str> {
    let bare = line.trim();
    if let Some(end) = *until {
        let text = bare.split_once(end).map_or(bare, |(text, _)| {
            *until = None;
            text
        });
        return Some(match end {
            "*/" => without_stars(
                ["**", "*"].iter().find_map(|mark| continued(text, mark)).unwrap_or(text),
            ),
            _ => text.trim_end(),
        });
    }
    let mark = marks.opens.iter().find(|mark| bare.starts_with(**mark))?;
    // `*p = 1;` is code; a block comment that began in an earlier passage continues with `* `.
    if matches!(*mark, "*" | "**") {
        return continued(bare, mark).map(|text| text.trim_end_matches("*/").trim_end());
    }
    if *mark == "#!" {
        return Some("");
    }
    let rest = bare.slice(mark.len()..);
    let Some((_, end)) = marks.blocks.iter().find(|(open, _)| open == mark) else {
        return Some(without_space(rest.trim_end_matches("*/").trim_end()));
    };
    match rest.split_once(end) {
        // A line with code after the comment is code.
        Some((_, after)) if after.contains(char::is_alphanumeric) => None,
        Some((text, _)) => Some(without_space(without_stars(text))),
        None => {
            *until = Some(end);
            Some(without_space(rest))
        }
    }
}

/// The text of a line of a block comment whose lines begin with `mark`: one or two stars.
fn continued<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    let text = line.strip_prefix(mark)?;
    if text.is_empty() { Some(text) } else { text.strip_prefix([' ', '\t']) }
}

/// A block may end with `**/` too.
fn without_stars(text: &str) -> &str {
    text.trim_end().trim_end_matches('*').trim_end()
}

fn without_space(text: &str) -> &str {
    text.strip_prefix(' ').unwrap_or(text)
}
