//! Source code as an answer reads it: comments are prose without their marks, and the lines between them are code.
//!
//! What a mark is depends on the language, and the file's name says which: `#` begins a heading in one file and a comment
//! in another.

use std::borrow::Cow;

/// Extensions or whole names of files, and what their comments begin with; longer marks first.
const MARKS: &[(&str, &[&str])] = &[
    (
        "rs c h cc cpp cxx hh hpp java js jsx mjs ts tsx go swift kt kts scala cs dart php proto zig groovy gradle scss \
         less css thrift v m mm",
        &["///", "//!", "//", "/**", "/*!", "/*", "**/", "*/", "*"],
    ),
    (
        "py pyi sh bash zsh fish rb pl pm r toml yaml yml ini conf cfg cmake mk nix jl ex exs tcl ps1 env tf awk \
         dockerfile makefile gnumakefile justfile containerfile gemfile rakefile",
        &["#!", "#'", "##", "#:", "#"],
    ),
    ("sql lua hs elm adb ads", &["-- |", "---", "--"]),
];

/// `text` of the file at `path` as Markdown: comments without marks, runs of code lines fenced. Text that is no source
/// code comes back as it is.
#[must_use]
pub fn readable<'a>(path: &str, text: &'a str) -> Cow<'a, str> {
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    let extension = name.rsplit('.').next().unwrap_or(&name);
    let is_among = |names: &&str| names.split_ascii_whitespace().any(|name| name == extension);
    let Some((_, marks)) = MARKS.iter().find(|(names, _)| is_among(names)) else { return Cow::Borrowed(text) };
    let mut out = String::with_capacity(text.len() + 64);
    // A run of code ends at an empty line: a long function is quoted in part.
    let mut in_code = false;
    let mut in_block = false;
    for line in text.lines() {
        let comment = uncommented(line, marks, &mut in_block);
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

/// The text of a line that is a comment, without its mark.
fn uncommented<'a>(line: &'a str, marks: &[&str], in_block: &mut bool) -> Option<&'a str> {
    let bare = line.trim();
    if *in_block {
        *in_block = !bare.contains("*/");
        let bare = bare.trim_end_matches("*/").trim_end();
        return Some(bare.strip_prefix('*').map_or(bare, |rest| rest.strip_prefix(' ').unwrap_or(rest)));
    }
    let mark = marks.iter().find(|mark| bare.starts_with(**mark))?;
    // `*p = 1;` is code; a block comment whose beginning lies in another passage goes on with `* `.
    if *mark == "*" && !(bare == "*" || bare.starts_with("* ")) {
        return None;
    }
    *in_block = mark.starts_with("/*") && !bare.contains("*/");
    let rest = &bare[mark.len()..];
    // `#!/bin/sh` is for the system.
    if *mark == "#!" {
        return Some("");
    }
    let rest = rest.trim_end_matches("*/").trim_end();
    Some(rest.strip_prefix(' ').unwrap_or(rest))
}
