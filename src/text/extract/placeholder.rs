//! Values that programs write into the metadata of every file, which say nothing of the document.

/// Values of any key, in lower case, without brackets around them.
const EMPTY: [&str; 14] = [
    "anonymous",
    "unspecified",
    "unknown",
    "none",
    "null",
    "n/a",
    "na",
    "nil",
    "undefined",
    "default",
    "not specified",
    "no author",
    "-",
    "?",
];

/// Users and libraries that are no authors.
const NO_AUTHORS: [&str; 18] = [
    "author",
    "user",
    "admin",
    "administrator",
    "owner",
    "root",
    "guest",
    "microsoft office user",
    "windows user",
    "microsoft",
    "openpyxl",
    "python-docx",
    "python-pptx",
    "xlsxwriter",
    "apache poi",
    "libreoffice",
    "unbekannt",
    "inconnu",
];

/// Titles of new files.
const NO_TITLES: [&str; 13] = [
    "title",
    "no title",
    "document",
    "new document",
    "word document",
    "presentation",
    "new page",
    "powerpoint presentation",
    "slide 1",
    "unbenannt",
    "ohne titel",
    "sans titre",
    "sin título",
];

/// Beginnings of titles that printer drivers make of file names.
const PRINTED: [&str; 5] = [
    "microsoft word - ",
    "microsoft powerpoint - ",
    "microsoft excel - ",
    "microsoft office word - ",
    "untitled",
];

/// Endings of file names.
const FILES: [&str; 17] = [
    ".doc", ".docx", ".tex", ".dvi", ".pdf", ".indd", ".odt", ".ppt", ".pptx", ".xls", ".xlsx",
    ".qxd", ".ods", ".odp", ".rtf", ".ps", ".wpd",
];

/// Whether the value of a key says nothing of the document.
pub(super) fn is_placeholder(key: &str, value: &str) -> bool {
    let value = plain(value);
    match key {
        "title" => is_no_title(&value),
        "author" => is_empty(&value) || NO_AUTHORS.contains(&value.as_str()),
        "subject" | "keywords" | "description" | "date" => is_empty(&value),
        _ => false,
    }
}

fn is_empty(value: &str) -> bool {
    value.is_empty() || EMPTY.contains(&value)
}

fn is_no_title(value: &str) -> bool {
    // `Document1`, `Untitled-2`.
    let stem = value.trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '-' | ' ' | '_'));
    is_empty(value)
        || NO_TITLES.contains(&value)
        || (stem.len() < value.len() && ["document", "dokument", "presentation"].contains(&stem))
        || PRINTED.iter().any(|begin| value.starts_with(begin))
        || FILES.iter().any(|end| value.ends_with(end))
}

/// In lower case, without brackets and quotation marks around it.
fn plain(value: &str) -> String {
    let marks = ['(', ')', '[', ']', '<', '>', '"', '\'', '“', '”'];
    value.trim().trim_matches(marks).trim().to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_no_metadata() {
        for (key, value) in [
            ("author", "(anonymous)"),
            ("author", "Anonymous"),
            ("author", "python-docx"),
            ("author", "Microsoft Office User"),
            ("subject", "unspecified"),
            ("title", "Microsoft Word - x.doc"),
            ("title", "untitled"),
            ("title", "Untitled document"),
            ("title", "Document1"),
            ("title", "report_final.pdf"),
            ("title", "[No Title]"),
        ] {
            assert!(is_placeholder(key, value), "{key}: {value}");
        }
        for (key, value) in [
            ("author", "Ada Lovelace"),
            ("author", "Una Nonymous"),
            ("title", "The anonymous letter"),
            ("title", "Document retention"),
            ("title", "1984"),
            ("subject", "None of the above"),
            ("status", "unknown"),
        ] {
            assert!(!is_placeholder(key, value), "{key}: {value}");
        }
    }
}
