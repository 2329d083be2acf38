//! Messages of Outlook: rewritten as mail of the internet, which is then read as any other.

use super::streams::{Streams, latin, time, u32_at, u64_at, utf_16};
use crate::strings::StrExt as _;
use crate::text::extract::doc::{Extracted, NoText, ReadInner};
use crate::text::extract::mail;

/// Attachments of one message; more are not read.
const MAX_ATTACHMENTS: usize = 100;

/// Messages attached to messages are read down to this depth.
const MAX_DEPTH: usize = 3;

/// Parts a mail that this module writes: no content has it, because contents are base64.
const BOUNDARY: &str = "==part==";

pub(super) fn message(
    streams: &mut Streams<'_>,
    depth: usize,
    read: ReadInner,
) -> Result<Extracted, NoText> {
    let head = streams.get("/__properties_version1.0").unwrap_or_default();
    mail::message(&rewritten(streams, "", head.get(32..).unwrap_or_default(), 0), depth, read)
}

/// The message in a storage, with its properties of fixed length.
fn rewritten(streams: &mut Streams<'_>, storage: &str, fixed: &[u8], depth: usize) -> Vec<u8> {
    let mut get = |tag: &str| text(streams, storage, tag);
    let subject = get("0037");
    let name = get("0C1A").or_else(|| get("0042"));
    let address = get("5D01").or_else(|| get("0C1F")).filter(|address| address.contains('@'));
    let (to, cc) = (get("0E04"), get("0E03"));
    let (plain, page) = (get("1000"), get("1013"));
    let date = [0x0039_0040, 0x0E06_0040, 0x3007_0040].into_iter().find_map(|tag| date(fixed, tag));

    let mut out = Vec::new();
    let mut header = |name: &str, value: Option<String>| {
        let value = value.filter(|value| !value.is_empty());
        out.extend(value.map(|value| format!("{name}: {value}\r\n")).unwrap_or_default().bytes());
    };
    let address = address.map(|address| format!(" <{}>", address.one_line()));
    let name = name.map(|name| encoded_word(&name)).unwrap_or_default();
    header("From", Some(format!("{name}{}", address.unwrap_or_default())));
    for (field, people) in [("To", to), ("Cc", cc)] {
        let people = people.unwrap_or_default();
        let people: Vec<String> =
            people.split(';').map(str::trim).filter(|one| !one.is_empty()).map(person).collect();
        header(field, Some(people.join(", ")));
    }
    header("Date", date);
    header("Subject", subject.map(|subject| encoded_word(&subject)));
    header("MIME-Version", Some("1.0".to_owned()));
    header("Content-Type", Some(format!("multipart/mixed; boundary=\"{BOUNDARY}{depth}\"")));
    match (plain.filter(|text| !text.trim().is_empty()), page) {
        (Some(plain), _) => add(&mut out, depth, "text/plain; charset=utf-8", "", plain.as_bytes()),
        (None, Some(page)) => add(&mut out, depth, "text/html; charset=utf-8", "", page.as_bytes()),
        (None, None) => {}
    }
    for name in streams.names(&format!("{storage}/")).into_iter().take(4 * MAX_ATTACHMENTS) {
        if name.starts_with("__attach_version1.0") {
            attach(streams, &format!("{storage}/{name}"), depth, &mut out);
        }
    }
    out.extend(format!("\r\n--{BOUNDARY}{depth}--\r\n").bytes());
    out
}

/// Adds the file or the message in a storage of an attachment.
fn attach(streams: &mut Streams<'_>, storage: &str, depth: usize, out: &mut Vec<u8>) {
    let name = text(streams, storage, "3707").or_else(|| text(streams, storage, "3704"));
    let inner = format!("{storage}/__substg1.0_3701000D");
    if let Some(head) = streams.get(&format!("{inner}/__properties_version1.0")) {
        if depth + 1 < MAX_DEPTH {
            let message = rewritten(streams, &inner, head.get(24..).unwrap_or_default(), depth + 1);
            out.extend(format!("\r\n--{BOUNDARY}{depth}\r\n").bytes());
            out.extend(b"Content-Type: message/rfc822\r\n\r\n");
            out.extend(message);
        }
        return;
    }
    let Some(content) = streams.get(&format!("{storage}/__substg1.0_37010102")) else { return };
    let disposition = format!(
        "Content-Disposition: attachment; filename*=utf-8''{}\r\n",
        escaped(&name.unwrap_or_default())
    );
    add(out, depth, "application/octet-stream", &disposition, &content);
}

/// A text of a storage, by the tag of its property.
fn text(streams: &mut Streams<'_>, storage: &str, tag: &str) -> Option<String> {
    let mut stream = |kind: &str| streams.get(&format!("{storage}/__substg1.0_{tag}{kind}"));
    if let Some(wide) = stream("001F") {
        return Some(utf_16(&wide).trim_end_matches('\0').to_owned());
    }
    let bytes = stream("001E").or_else(|| stream("0102"))?;
    let text = match std::str::from_utf8(&bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => latin(&bytes),
    };
    Some(text.trim_end_matches('\0').to_owned())
}

/// A date among properties of fixed length: sixteen bytes each, the tag first, the value last.
fn date(fixed: &[u8], tag: u32) -> Option<String> {
    let property = fixed.chunks_exact(16).find(|property| u32_at(property, 0) == Some(tag))?;
    let time = time(u64_at(property, 8)?)?;
    jiff::fmt::rfc2822::to_string(&time.to_zoned_datetime(jiff::tz::TimeZone::UTC)).ok()
}

/// A recipient: an address, or a name.
fn person(name: &str) -> String {
    let name = name.trim_matches('\'');
    if name.contains('@') && !name.contains(' ') { format!("<{name}>") } else { encoded_word(name) }
}

fn encoded_word(text: &str) -> String {
    format!("=?utf-8?B?{}?=", base64(text.one_line().as_bytes()))
}

/// Adds a part of the mail.
fn add(out: &mut Vec<u8>, depth: usize, kind: &str, head: &str, content: &[u8]) {
    out.extend(format!("\r\n--{BOUNDARY}{depth}\r\nContent-Type: {kind}\r\n{head}").bytes());
    out.extend(b"Content-Transfer-Encoding: base64\r\n\r\n");
    out.extend(base64(content).bytes());
}

/// A name as a value of RFC 5987.
fn escaped(name: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    name.bytes()
        .map(
            |byte| {
                if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
            },
        )
        .collect()
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len() * 4 / 3 + 4);
    for three in bytes.chunks(3) {
        let byte = |n: usize| u32::from(three.get(n).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for n in 0..4 {
            let letter = LETTERS[(bits >> (18 - 6 * n) & 63) as usize];
            out.push(if n <= three.len() { char::from(letter) } else { '=' });
        }
    }
    out
}
