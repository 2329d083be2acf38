//! Files embedded in a text as `data:` addresses or base64: pictures, fonts, keys. Their letters
//! are not words.

use std::collections::HashSet;
use std::ops::Range;

use super::origin::OffsetMap;
use crate::strings::StrExt as _;

/// The text without embedded files, and its map to the source; `None` when there are none.
pub(super) fn without_embedded(source: &str) -> Option<(String, OffsetMap)> {
    without_hidden(source, Vec::new(), &Vec::new)
}

/// The text without embedded files and with these changes. In `code`, what is embedded is visibly
/// shortened: readers would take a listing with a gap for the whole. Of long tokens and keys there
/// nothing is left out.
pub(super) fn without_hidden(
    source: &str,
    mut changes: Vec<(Range<usize>, String)>,
    code: &dyn Fn() -> Vec<Range<usize>>,
) -> Option<(String, OffsetMap)> {
    /// More letters without a space are a file.
    const MAX_TOKEN: usize = 1000;
    let embedded = embedded(source);
    let code = if embedded.is_empty() { Vec::new() } else { code() };
    for range in embedded {
        let before = code.partition_point(|code| code.end <= range.start);
        if code.get(before).is_none_or(|code| code.start > range.start) {
            changes.push((range, String::new()));
            continue;
        }
        let found = source.slice(range.clone());
        let kept = match found.find(',').filter(|_| found.get(..5).is_some_and(is_address)) {
            Some(comma) => comma + 1,
            None if range.len() <= MAX_TOKEN => continue,
            None => 0,
        };
        let shown = range.len().min(kept + 24);
        if shown < range.len() {
            changes.push((range.start + shown..range.end, "…".to_owned()));
        }
    }
    changes.sort_by_key(|(range, _)| (range.start, range.end));
    without(source, changes)
}

fn is_address(begin: &str) -> bool {
    begin.eq_ignore_ascii_case("data:")
}

fn without(source: &str, changes: Vec<(Range<usize>, String)>) -> Option<(String, OffsetMap)> {
    if changes.is_empty() {
        return None;
    }
    let mut text = String::with_capacity(source.len());
    let mut map = OffsetMap::default();
    let mut start = 0;
    for (range, shown) in changes.into_iter().chain([(source.len()..source.len(), String::new())]) {
        // A file may be embedded in a comment.
        let kept = source.slice(start..range.start.max(start));
        map.seek(start);
        map.copy(kept.len());
        text.push_str(kept);
        if range.start >= start && !shown.is_empty() {
            map.seek(range.start);
            map.unit(shown.len(), range.len());
            text.push_str(&shown);
        }
        start = start.max(range.end);
    }
    Some((text, map))
}

fn embedded(source: &str) -> Vec<Range<usize>> {
    let bytes = source.as_bytes();
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        if let Some(end) = address_end(source, at) {
            found.push(at..end);
            at = end;
        } else if is_base64(bytes[at]) {
            let len = bytes[at..].iter().take_while(|b| is_base64(**b)).count();
            // `data:` begins inside the run of letters before its colon.
            if bytes.get(at + len) == Some(&b':') && bytes[at..at + len].ends_with(b"data") {
                let address = at + len - 4;
                if let Some(end) = address_end(source, address) {
                    found.push(address..end);
                    at = end;
                    continue;
                }
            }
            if is_encoded(&bytes[at..at + len]) {
                found.push(at..at + len);
            }
            at += len;
        } else {
            at += 1;
        }
    }
    found
}

/// The end of the `data:` address that starts at `at`.
fn address_end(source: &str, at: usize) -> Option<usize> {
    let bytes = source.as_bytes();
    let rest = bytes.get(at..)?;
    if !rest.get(..5)?.eq_ignore_ascii_case(b"data:") {
        return None;
    }
    let is_type = |b: &u8| b.is_ascii_alphanumeric() || b"/+-.;=_".contains(b);
    let type_len = rest[5..].iter().take(200).take_while(|b| is_type(b)).count();
    let kind = &rest[5..5 + type_len];
    if rest.get(5 + type_len) != Some(&b',') || !kind.contains(&b'/') {
        return None;
    }
    let is_base64_file = kind.ends_with(b";base64");
    let close = match at.checked_sub(1).map(|before| bytes[before]) {
        Some(quote @ (b'"' | b'\'')) => Some(quote),
        Some(b'<') => Some(b'>'),
        Some(b'(') => Some(b')'),
        _ => None,
    };
    let body = &rest[6 + type_len..];
    let len = if is_base64_file {
        body.iter().take_while(|b| is_base64(**b) || b"=%-_".contains(b)).count()
    } else {
        let ends = |b: &u8| match close {
            Some(close) => *b == close || *b == b'\n',
            None => b.is_ascii_whitespace(),
        };
        body.iter().position(ends).unwrap_or(body.len())
    };
    Some(at + 6 + type_len + len)
}

fn is_base64(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/')
}

/// Whether a run of letters is base64: no name or path is that long, and encoded bytes have all of
/// capitals, small letters and digits, and most letters of the alphabet.
fn is_encoded(run: &[u8]) -> bool {
    /// MIME breaks lines at 76, PEM at 64.
    const MIN_LEN: usize = 60;
    /// 60 random letters have about 39.
    const MIN_DIFFERENT: usize = 24;
    if run.len() < MIN_LEN {
        return false;
    }
    let different: HashSet<u8> = run.iter().copied().collect();
    let n = |is: fn(&u8) -> bool| run.iter().filter(|b| is(b)).count();
    different.len() >= MIN_DIFFERENT
        && n(u8::is_ascii_uppercase) * 5 >= run.len()
        && n(u8::is_ascii_lowercase) * 5 >= run.len()
        && n(u8::is_ascii_digit) * 20 >= run.len()
}
