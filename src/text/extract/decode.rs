//! Decodes a file of any encoding. Every character is mapped to its bytes.
//!
//! The encoding is taken, in this order, from a byte order mark, the file's own declaration, valid
//! UTF-8, UTF-16 without a mark, UTF-8 with a few broken bytes, or statistics of the bytes. A
//! declaration that contradicts the bytes is ignored. A file that is text in none of these ways is
//! binary and skipped.

use chardetng::{EncodingDetector, Iso2022JpDetection, Utf8Detection};
use encoding_rs::{Encoding, ISO_2022_JP, UTF_8, UTF_16BE, UTF_16LE};

use super::doc::NoText;
use super::origin::OffsetMap;

/// A file as characters, without its byte order mark.
#[derive(Debug, Default)]
pub(super) struct Decoded {
    pub(super) text: String,
    pub(super) map: OffsetMap,
}

/// Decodes a file. `declared` is the name of the encoding that the file states, if any.
pub(super) fn decode(bytes: &[u8], declared: Option<&str>) -> Result<Decoded, NoText> {
    let decoded = match bytes {
        [0xFF, 0xFE, 0, 0, ..] | [0, 0, 0xFE, 0xFF, ..] => {
            return Err(NoText::Binary("UTF-32".into()));
        }
        [0xEF, 0xBB, 0xBF, ..] => utf8(bytes, 3),
        [0xFF, 0xFE, ..] => utf16(bytes, 2, u16::from_le_bytes),
        [0xFE, 0xFF, ..] => utf16(bytes, 2, u16::from_be_bytes),
        _ => unmarked(bytes, declared)?,
    };
    if is_noise(&decoded.text) {
        return Err(NOT_TEXT);
    }
    Ok(decoded)
}

const NOT_TEXT: NoText = NoText::Binary(std::borrow::Cow::Borrowed("data"));

fn unmarked(bytes: &[u8], declared: Option<&str>) -> Result<Decoded, NoText> {
    if let Some(order) = utf16_without_mark(bytes) {
        let decoded = utf16(bytes, 0, order);
        if !is_noise(&decoded.text) {
            return Ok(decoded);
        }
    }
    if bytes.contains(&0) {
        return Err(NOT_TEXT);
    }
    let is_utf8 = std::str::from_utf8(bytes).is_ok();
    let is_ascii = bytes.is_ascii();
    if let Some(encoding) = declared.and_then(|name| Encoding::for_label(name.trim().as_bytes())) {
        // The declaration is readable as ASCII, so the file is not UTF-16; browsers read it as
        // UTF-8.
        let is_unicode = [UTF_8, UTF_16LE, UTF_16BE].contains(&encoding);
        // Any bytes are valid in a single-byte encoding, but text is not valid UTF-8 by accident.
        let is_contradicted = encoding.is_single_byte() && is_utf8 && !is_ascii;
        if is_unicode {
            return Ok(utf8(bytes, 0));
        }
        if !is_contradicted {
            let decoded = legacy(bytes, encoding);
            if replaced(&decoded.text) * 100 <= decoded.text.len() {
                return Ok(decoded);
            }
        }
    }
    let has_escapes = is_ascii && bytes.contains(&0x1B);
    if (is_utf8 && !has_escapes) || is_mostly_utf8(bytes) {
        return Ok(utf8(bytes, 0));
    }
    let encoding = detect(bytes);
    if is_utf8 && encoding != ISO_2022_JP {
        return Ok(utf8(bytes, 0));
    }
    // Text in any language has line ends or spaces.
    if bytes.len() >= 256 && !bytes.iter().any(u8::is_ascii) {
        return Err(NOT_TEXT);
    }
    Ok(legacy(bytes, encoding))
}

/// The statistics are stable after the first part of a file.
const MAX_DETECT_BYTES: usize = 1 << 20;

fn detect(bytes: &[u8]) -> &'static Encoding {
    let mut detector = EncodingDetector::new(Iso2022JpDetection::Allow);
    detector.feed(&bytes[..bytes.len().min(MAX_DETECT_BYTES)], bytes.len() <= MAX_DETECT_BYTES);
    detector.guess(None, Utf8Detection::Deny)
}

/// Whether broken bytes are rare in this UTF-8, as in a log with one damaged line. Encoded
/// surrogates count as valid.
fn is_mostly_utf8(bytes: &[u8]) -> bool {
    let (mut whole, mut broken) = (0_usize, 0_usize);
    let mut rest = bytes;
    while !rest.is_empty() {
        let valid = match std::str::from_utf8(rest) {
            Ok(_) => rest.len(),
            Err(e) => e.valid_up_to(),
        };
        // Every non-ASCII character has exactly one byte of the form 11xxxxxx.
        whole += rest[..valid].iter().filter(|&&b| b >= 0xC0).count();
        rest = &rest[valid..];
        rest = match rest {
            [] => rest,
            [0xED, 0xA0..=0xBF, 0x80..=0xBF, rest @ ..] => {
                whole += 1;
                rest
            }
            [_, rest @ ..] => {
                broken += 1;
                rest
            }
        };
    }
    whole > 0 && broken * 8 <= whole
}

/// The byte order in which a file without a mark is UTF-16. UTF-16 text has spaces, line ends or
/// Latin letters, so it has zero bytes.
fn utf16_without_mark(bytes: &[u8]) -> Option<ByteOrder> {
    let head = &bytes[..bytes.len().min(1 << 14) / 2 * 2];
    let n_zero = head.iter().filter(|&&b| b == 0).count();
    let n_high = head.iter().filter(|b| !b.is_ascii()).count();
    // Any two Latin letters look like a Han character, but real ones also have non-ASCII bytes.
    if n_zero == 0 || (n_zero * 8 < head.len() && n_high * 8 < head.len()) {
        return None;
    }
    let score = |order: ByteOrder| {
        let units = head.chunks_exact(2).map(|pair| order([pair[0], pair[1]]));
        let (mut n_likely, mut n_ascii) = (0, 0);
        for c in char::decode_utf16(units).flatten() {
            n_likely += usize::from(is_likely(c));
            n_ascii += usize::from(c.is_ascii());
        }
        (n_likely * 20 >= head.len() * 9).then_some(n_likely + n_ascii)
    };
    let (little, big) = (score(u16::from_le_bytes), score(u16::from_be_bytes));
    let order: ByteOrder = if big > little { u16::from_be_bytes } else { u16::from_le_bytes };
    little.max(big).map(|_| order)
}

type ByteOrder = fn([u8; 2]) -> u16;

/// Letters and digits of all scripts, white space, and the punctuation that goes with them.
fn is_likely(c: char) -> bool {
    c.is_alphanumeric()
        || c.is_ascii_graphic()
        || matches!(c, ' ' | '\n' | '\r' | '\t' | '\u{2000}'..='\u{206F}')
        || matches!(c, '\u{3000}'..='\u{303F}' | '\u{FF00}'..='\u{FFEF}')
}

fn utf8(bytes: &[u8], mark: usize) -> Decoded {
    let mut decoded = Decoded::default();
    decoded.map.seek(mark);
    decoded.text.reserve(bytes.len());
    let mut n_broken = 0;
    for piece in bytes[mark..].utf8_chunks() {
        if !piece.valid().is_empty() {
            decoded.push_broken(n_broken);
            n_broken = 0;
        }
        decoded.text.push_str(piece.valid());
        decoded.map.copy(piece.valid().len());
        n_broken += piece.invalid().len();
    }
    decoded.push_broken(n_broken);
    decoded
}

fn utf16(bytes: &[u8], mark: usize, order: ByteOrder) -> Decoded {
    let mut decoded = Decoded::default();
    decoded.map.seek(mark);
    decoded.text.reserve(bytes.len());
    let pairs = bytes[mark..].chunks_exact(2);
    let is_torn = !pairs.remainder().is_empty();
    for unit in char::decode_utf16(pairs.map(|pair| order([pair[0], pair[1]]))) {
        match unit {
            Ok(c) => decoded.push(c, c.len_utf16() * 2),
            Err(_) => decoded.push(char::REPLACEMENT_CHARACTER, 2),
        }
    }
    if is_torn {
        decoded.push(char::REPLACEMENT_CHARACTER, 1);
    }
    decoded
}

impl Decoded {
    /// Replaces consecutive broken bytes by one character: a lone surrogate has three.
    fn push_broken(&mut self, n: usize) {
        if n > 0 {
            self.push(char::REPLACEMENT_CHARACTER, n);
        }
    }

    fn push(&mut self, c: char, source: usize) {
        self.text.push(c);
        self.map.unit(c.len_utf8(), source);
    }
}

/// Decodes byte by byte, to map each character to its bytes. Runs of ASCII are copied.
fn legacy(bytes: &[u8], encoding: &'static Encoding) -> Decoded {
    let mut decoded = Decoded::default();
    decoded.text.reserve(bytes.len() * 3 / 2);
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let is_stateful = encoding == ISO_2022_JP;
    // One byte may complete several characters: four bytes of GB18030 may be three.
    let mut out = [0_u8; 32];
    let mut pending = 0;
    let mut at = 0;
    while at < bytes.len() {
        if pending == 0 && !is_stateful {
            let run = bytes[at..].iter().take_while(|b| b.is_ascii()).count();
            if run > 0 {
                decoded
                    .text
                    .push_str(std::str::from_utf8(&bytes[at..at + run]).unwrap_or_default());
                decoded.map.copy(run);
                at += run;
                continue;
            }
        }
        let last = at + 1 == bytes.len();
        let (_, _, written, _) = decoder.decode_to_utf8(&bytes[at..=at], &mut out, last);
        pending += 1;
        at += 1;
        if written > 0 || last {
            let piece = std::str::from_utf8(&out[..written]).unwrap_or_default();
            decoded.text.push_str(piece);
            if piece.is_empty() {
                decoded.map.seek(bytes.len());
            } else {
                decoded.map.unit(piece.len(), pending);
            }
            pending = 0;
        }
    }
    decoded
}

fn replaced(text: &str) -> usize {
    text.matches(char::REPLACEMENT_CHARACTER).count() * char::REPLACEMENT_CHARACTER.len_utf8()
}

/// Whether more than one character in ten is a control or replacement character. Tabs, form feeds,
/// backspaces of overstruck manual pages and escapes of coloured logs do not count.
fn is_noise(text: &str) -> bool {
    let n_controls = text
        .bytes()
        .filter(|b| matches!(b, 0..=7 | 0x0B | 0x0E..=0x1A | 0x1C..=0x1F | 0x7F))
        .count();
    let n_other = if text.is_ascii() {
        0
    } else {
        text.chars()
            .filter(|&c| c == char::REPLACEMENT_CHARACTER || ('\u{80}'..'\u{A0}').contains(&c))
            .count()
    };
    if n_controls + n_other == 0 {
        return false;
    }
    text.contains('\0') || (n_controls + n_other) * 10 > text.chars().count()
}

/// The encoding that a file declares: in an XML declaration, an HTML `meta`, a CSS `@charset`, or a
/// `coding:` line of Python, Emacs or Vim.
pub(super) fn declared(bytes: &[u8], is_markup: bool) -> Option<&str> {
    let head = &bytes[..bytes.len().min(4096)];
    if head.starts_with(b"<?xml") {
        let end = find(head, b"?>")?;
        return value_after(&head[..end], b"encoding");
    }
    if head.starts_with(b"@charset") {
        return value_after(&head[..head.len().min(64)], b"@charset");
    }
    if is_markup {
        let mut rest = head;
        while let Some(at) = find(rest, b"<meta") {
            rest = &rest[at + 5..];
            let tag = &rest[..find(rest, b">").unwrap_or(rest.len())];
            if let Some(name) = value_after(tag, b"charset") {
                return Some(name);
            }
        }
        return None;
    }
    let two_lines = head.split_inclusive(|&b| b == b'\n').take(2).map(<[u8]>::len).sum();
    let line = &head[..two_lines];
    let at = find(line, b"coding")?;
    matches!(line.get(at + 6), Some(b':' | b'='))
        .then(|| value_after(&line[at..], b"coding"))
        .flatten()
}

/// The name after `key` and after an equals sign, a colon, spaces and a quote.
fn value_after<'a>(bytes: &'a [u8], key: &[u8]) -> Option<&'a str> {
    let rest = &bytes[find(bytes, key)? + key.len()..];
    let start =
        rest.iter().position(|b| !matches!(b, b'=' | b':' | b' ' | b'\t' | b'"' | b'\''))?;
    let rest = &rest[start..];
    let end = rest
        .iter()
        .position(|b| !b.is_ascii_alphanumeric() && !b"-_.:".contains(b))
        .unwrap_or(rest.len());
    std::str::from_utf8(&rest[..end]).ok().filter(|name| !name.is_empty())
}

fn find(bytes: &[u8], lower: &[u8]) -> Option<usize> {
    bytes.windows(lower.len()).position(|window| window.eq_ignore_ascii_case(lower))
}
