//! Links of a terminal (OSC 8) from a place to its file, at its line or page. Pure.

use std::path::Path;

use crate::config::Links;
use crate::naming;

/// A place in a file, or the address of a web page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// An absolute path, or an address.
    pub path: String,
    /// Not for formats without lines.
    pub line: Option<usize>,
    pub page: Option<usize>,
}

impl Target {
    /// Whether it is a web page.
    pub fn is_address(&self) -> bool {
        naming::is_address(&self.path)
    }

    /// The address of the place. `host` is the name of this machine: the terminal may be on
    /// another one.
    fn address(&self, links: Links, host: &str) -> String {
        if self.is_address() {
            return encoded(&self.path, "/:?=&#%");
        }
        let path = encoded(&self.path, "/");
        match (links, self.line, self.page) {
            (Links::Editor, line, None) => format!("vscode://file{path}:{}", line.unwrap_or(1)),
            (_, _, Some(page)) => format!("file://{host}{path}#page={page}"),
            (_, Some(line), _) => format!("file://{host}{path}#{line}"),
            _ => format!("file://{host}{path}"),
        }
    }
}

/// `text` as a link to a place. `text` must be harmless already.
pub fn linked(text: &str, target: &Target, links: Links, host: &str) -> String {
    let is_linkable = target.is_address() || Path::new(&target.path).is_absolute();
    if !is_linkable {
        return text.to_owned();
    }
    format!("\x1b]8;;{}\x1b\\{text}\x1b]8;;\x1b\\", target.address(links, host))
}

/// `text` without bytes that a URL or the terminal could misread.
fn encoded(text: &str, kept: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match char::from(byte) {
            c if c.is_ascii_alphanumeric() || "-._~".contains(c) || kept.contains(c) => out.push(c),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(path: &str, line: Option<usize>, page: Option<usize>, links: Links, expected: &str) {
        let target = Target { path: path.to_owned(), line, page };
        assert_eq!(target.address(links, "host"), expected);
    }

    #[test]
    fn a_link_leads_to_the_line_and_no_name_leaves_it() {
        check("/a b/ü.md", Some(7), None, Links::File, "file://host/a%20b/%C3%BC.md#7");
        check("/a.md", Some(7), None, Links::Editor, "vscode://file/a.md:7");
        check("/a.pdf", None, Some(3), Links::Editor, "file://host/a.pdf#page=3");
        check("/a.docx", None, None, Links::File, "file://host/a.docx");
        check("https://e.org/a?b=c", Some(1), None, Links::File, "https://e.org/a?b=c");
        check("/x\x1b\\\x07;#?.md", None, None, Links::File, "file://host/x%1B%5C%07%3B%23%3F.md");
        let nowhere = Target { path: "a.md".into(), line: None, page: None };
        assert_eq!(linked("a.md", &nowhere, Links::File, "host"), "a.md");
    }
}
