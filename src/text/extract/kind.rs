//! What a file is: by its first bytes where those tell, else by its name.

use super::NoText;
use crate::document::Format;

/// Extensions that are code or configuration: lines matter more than paragraphs.
const CODE_EXTENSIONS: &str = "\
    adb ads asm awk bash bat bib c cc cfg cjs clj cljs cmake cmd cocci conf cpp cs css cts cu cxx d dart diff \
    edn el elm env erl ex exs f f90 fish fs fsx gemspec go gradle graphql groovy h hcl hh hpp hrl hs hxx inc ini \
    java jl js json5 jsonc jsx kt kts less lisp lock log lua m mjs mk ml mli mm mts nim nix pas \
    patch php pl pm po pot properties proto ps1 py pyi pyx r rake rb rkt rs s sass scala scm scss sh sql \
    swift tcl tf tfvars thrift toml ts tsx v vb vim vue xsd xsl yaml yml zig zsh";

const CODE_NAMES: &str = "\
    brewfile build cmakelists.txt containerfile dockerfile gemfile gnumakefile jenkinsfile justfile kconfig \
    makefile procfile rakefile vagrantfile workspace";

/// What package managers write down for themselves: thousands of lines of names, versions and hashes that would crowd out
/// every passage about the packages. What people ask of them stands in the manifest beside.
const LOCK_FILES: &str = "\
    bun.lock cargo.lock composer.lock conan.lock deno.lock flake.lock gemfile.lock go.sum go.work.sum gradle.lockfile mix.lock \
    npm-shrinkwrap.json package-lock.json package.resolved packages.lock.json pdm.lock pipfile.lock pnpm-lock.yaml \
    podfile.lock poetry.lock pubspec.lock uv.lock yarn.lock";

/// Whether a text says of itself, in a comment at its top, that a program wrote it. Both marks are conventions of many tools
/// and languages: `@generated`, and the line that Go defines. Prose of every other kind may well speak of them.
pub(super) fn says_it_is_generated(format: Format, text: &str) -> bool {
    const TOP_LINES: usize = 20;
    const COMMENTS: [&str; 7] = ["//", "/*", "*", "#", "--", ";", "%"];
    let is_mark = |line: &str| {
        let line = line.trim();
        let mut words = line.split(|c: char| c.is_whitespace() || "*/()<>".contains(c));
        COMMENTS.iter().any(|comment| line.starts_with(comment))
            && (words.any(|word| word.trim_end_matches(['.', ',']) == "@generated")
                || (line.contains("Code generated ") && line.ends_with("DO NOT EDIT.")))
    };
    matches!(format, Format::Code | Format::Plain) && text.lines().take(TOP_LINES).any(is_mark)
}

pub(super) fn format_of(path: &str, bytes: &[u8]) -> Result<Format, NoText> {
    let name = path.rsplit('/').next().unwrap_or(path).to_lowercase();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    if let Some(known) = by_content(extension, bytes) {
        return known;
    }
    if is_among(LOCK_FILES, &name) {
        return Err(NoText::Generated("lock file".into()));
    }
    let format = match extension {
        "md" | "markdown" | "mdown" | "mkd" | "mdx" | "qmd" | "rmd" => Format::Markdown,
        "rst" | "rest" => Format::ReStructuredText,
        "html" | "htm" | "xhtml" => Format::Html,
        "csv" | "tsv" | "tab" => Format::Csv,
        "json" | "geojson" | "webmanifest" => Format::Json,
        "jsonl" | "ndjson" => Format::JsonLines,
        "tex" | "ltx" | "latex" => Format::Latex,
        "srt" | "vtt" => Format::Subtitles,
        "xml" => Format::Xml,
        // Words in a drawing are too few to be worth its coordinates.
        "svg" => return Err(NoText::Binary("SVG image".into())),
        _ if is_among(CODE_NAMES, &name) => Format::Code,
        _ if is_among(CODE_EXTENSIONS, extension) => Format::Code,
        _ if bytes.starts_with(b"#!") => Format::Code,
        _ if begins_like_html(bytes) => Format::Html,
        _ if begins_like(bytes, "<?xml") => Format::Xml,
        _ if begins_like(bytes, "WEBVTT") => Format::Subtitles,
        _ => Format::Plain,
    };
    Ok(format)
}

/// What the bytes say, whatever the name; `None` when they could be any text.
fn by_content(extension: &str, bytes: &[u8]) -> Option<Result<Format, NoText>> {
    // Some writers put a line or two before the mark, and readers are told to look for it.
    let head = &bytes[..bytes.len().min(1024)];
    if bytes.starts_with(b"%PDF-") || (extension == "pdf" && find(head, b"%PDF-").is_some()) {
        return Some(Ok(Format::Pdf));
    }
    if bytes.starts_with(b"{\\rtf") {
        return Some(Ok(Format::Rtf));
    }
    if bytes.starts_with(b"PK\x03\x04") {
        return Some(zip_format(bytes).ok_or_else(|| NoText::Binary("ZIP archive".into())));
    }
    if bytes.starts_with(b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1") {
        return Some(Err(compound_file(bytes)));
    }
    if let Some(what) = binary_kind(bytes) {
        return Some(Err(NoText::Binary(what.into())));
    }
    if extension == "ipynb" && begins_like(bytes, "{") {
        return Some(Ok(Format::Notebook));
    }
    if begins_like_mailbox(bytes) {
        return Some(Ok(Format::Mbox));
    }
    let wanted = match extension {
        "eml" => 1,
        "" | "msg" | "mail" => 3,
        _ => return None,
    };
    (mail_headers(head) >= wanted).then_some(Ok(Format::Mail))
}

/// What is in a ZIP archive, by the names in its directory; `None` for an archive of anything.
fn zip_format(bytes: &[u8]) -> Option<Format> {
    // OpenDocument and EPUB begin with an entry that says what they are, never compressed.
    let head = &bytes[..bytes.len().min(256)];
    if let Some(at) = find(head, b"mimetype") {
        let kind = &head[at + 8..];
        let kinds = [
            (&b"application/epub+zip"[..], Format::Epub),
            (b"application/vnd.oasis.opendocument.text", Format::Odt),
            (b"application/vnd.oasis.opendocument.presentation", Format::Odp),
            (b"application/vnd.oasis.opendocument.spreadsheet", Format::Ods),
        ];
        if let Some((_, format)) = kinds.into_iter().find(|(name, _)| kind.starts_with(name)) {
            return Some(format);
        }
    }
    // Names stand uncompressed in the directory, which is at the end.
    let end = bytes.windows(4).rposition(|w| w == b"PK\x05\x06")?;
    let size = u32::from_le_bytes(bytes.get(end + 12..end + 16)?.try_into().ok()?) as usize;
    let directory = &bytes[end.saturating_sub(size)..end];
    let has = |name: &[u8]| find(directory, name).is_some();
    let kinds =
        [(&b"word/document"[..], Format::Docx), (b"ppt/presentation", Format::Pptx), (b"xl/workbook", Format::Xlsx)];
    if has(b"[Content_Types].xml") {
        return kinds.into_iter().find(|(name, _)| has(name)).map(|(_, format)| format);
    }
    has(b"META-INF/container.xml").then_some(Format::Epub)
}

/// Old office files, and new ones that are encrypted.
fn compound_file(bytes: &[u8]) -> NoText {
    let wide = |name: &str| name.bytes().flat_map(|b| [b, 0]).collect::<Vec<u8>>();
    let has = |name: &str| find(bytes, &wide(name)).is_some();
    match () {
        () if has("EncryptedPackage") => NoText::Encrypted,
        () if has("WordDocument") => NoText::Unsupported("an old Word file".into()),
        () if has("PowerPoint Document") => NoText::Unsupported("an old PowerPoint file".into()),
        () if has("Workbook") || has("Book") => NoText::Unsupported("an old Excel file".into()),
        () => NoText::Binary("compound file".into()),
    }
}

/// `From name date`, and a header right below it.
fn begins_like_mailbox(bytes: &[u8]) -> bool {
    let Some(rest) = bytes.strip_prefix(b"From ") else { return false };
    let Some(end) = rest.iter().take(200).position(|b| *b == b'\n') else { return false };
    let has_year = rest[..end].windows(4).any(|w| w.iter().all(u8::is_ascii_digit));
    has_year && header_name(&rest[end + 1..]).is_some()
}

/// Number of headers at the top that only mail has.
fn mail_headers(head: &[u8]) -> usize {
    const NAMES: &str = "from to cc subject date received return-path message-id mime-version delivered-to reply-to";
    let mut n = 0;
    for line in head.split(|b| *b == b'\n') {
        match header_name(line) {
            Some(name) => n += usize::from(is_among(NAMES, &name.to_ascii_lowercase())),
            None if line.starts_with(b" ") || line.starts_with(b"\t") => {}
            None => break,
        }
    }
    n
}

fn header_name(line: &[u8]) -> Option<&str> {
    let end = line.iter().take(60).position(|b| *b == b':')?;
    let name = &line[..end];
    let is_name = !name.is_empty() && name.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-');
    std::str::from_utf8(name).ok().filter(|_| is_name)
}

fn is_among(words: &str, word: &str) -> bool {
    words.split(' ').any(|other| other == word)
}

fn begins_like_html(bytes: &[u8]) -> bool {
    begins_like(bytes, "<!doctype html") || begins_like(bytes, "<html")
}

fn begins_like(bytes: &[u8], start: &str) -> bool {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes).trim_ascii_start();
    bytes.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start.as_bytes()))
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// First bytes of well-known formats without text of their own, or whose text takes another reader.
const MAGIC: &[(&[u8], &str)] = &[
    (b"%!PS", "PostScript"),
    (b"PK\x05\x06", "ZIP archive"),
    (b"\x1F\x8B", "gzip"),
    (b"BZh", "bzip2"),
    (b"\xFD7zXZ\0", "xz"),
    (b"\x28\xB5\x2F\xFD", "zstd"),
    (b"7z\xBC\xAF\x27\x1C", "7-Zip archive"),
    (b"Rar!\x1A\x07", "RAR archive"),
    (b"\x7FELF", "ELF program"),
    (b"\x89PNG", "PNG image"),
    (b"\xFF\xD8\xFF", "JPEG image"),
    (b"GIF87a", "GIF image"),
    (b"GIF89a", "GIF image"),
    (b"RIFF", "media"),
    (b"OggS", "Ogg media"),
    (b"ID3", "MP3 audio"),
    (b"SQLite format 3\0", "SQLite database"),
    (b"\0asm", "WebAssembly"),
    (b"\xCA\xFE\xBA\xBE", "program"),
    (b"wOFF", "font"),
    (b"wOF2", "font"),
    (b"!<arch>\n", "archive"),
];

fn binary_kind(bytes: &[u8]) -> Option<&'static str> {
    MAGIC
        .iter()
        .find(|(magic, _)| bytes.starts_with(magic))
        // Short magics are also words; only text lacks a zero byte.
        .filter(|(magic, _)| magic.len() > 4 || *magic == b"%!PS" || !magic.is_ascii() || bytes.contains(&0))
        .map(|&(_, what)| what)
}
