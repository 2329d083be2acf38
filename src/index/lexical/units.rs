//! The stored form of the units of a passage: a few bytes each, because an index has millions.
//!
//! Numbers are LEB128 and relative to the previous unit. A change requires a higher `FORMAT` in
//! `generation.rs`.

use crate::document::{Chunk, Lines, Location, Span, Unit, UnitKind};

const KINDS: [UnitKind; 8] = [
    UnitKind::Sentence,
    UnitKind::Item { first: true },
    UnitKind::Item { first: false },
    UnitKind::Heading,
    UnitKind::Code,
    UnitKind::Header,
    UnitKind::Row,
    UnitKind::Record,
];

/// Bits of the kind in the first byte of a unit; the flags follow.
const KIND_MASK: u8 = 0x07;
/// The bytes of the file are those of the text, as far as the previous unit shows.
const PLAIN: u8 = 0x08;
/// The location differs from the previous unit's, and follows.
const MOVED: u8 = 0x10;
/// The page on which the unit ends follows.
const ENDS_ELSEWHERE: u8 = 0x20;

/// The units of a chunk and its table header; empty when it has neither.
pub(super) fn encode(chunk: &Chunk) -> Vec<u8> {
    let mut out = Vec::new();
    if chunk.units.is_empty() && chunk.table_header.is_empty() {
        return out;
    }
    put_text(&chunk.table_header, &mut out);
    put(chunk.units.len(), &mut out);
    let mut before = Before::new(chunk.bytes, chunk.lines);
    for unit in &chunk.units {
        let location = unit.location.as_ref();
        let is_moved = location != before.location.as_ref();
        let gap = unit.span.start.saturating_sub(before.text);
        let is_plain =
            unit.bytes.start == before.bytes + gap && unit.bytes.len() == unit.span.len();
        let kind = KINDS.iter().position(|kind| *kind == unit.kind).unwrap_or(0) as u8;
        let flags = [(is_plain, PLAIN), (is_moved, MOVED), (unit.end.is_some(), ENDS_ELSEWHERE)];
        out.push(
            flags.iter().filter(|(is_set, _)| *is_set).fold(kind, |all, (_, flag)| all | flag),
        );
        put(gap, &mut out);
        put(unit.span.len(), &mut out);
        if !is_plain {
            put_signed(unit.bytes.start, before.bytes, &mut out);
            put(unit.bytes.len(), &mut out);
        }
        put_signed(unit.lines.first, before.line, &mut out);
        put(unit.lines.last.saturating_sub(unit.lines.first), &mut out);
        if is_moved {
            put_text(&location.map(ToString::to_string).unwrap_or_default(), &mut out);
        }
        if let Some(end) = &unit.end {
            put_text(&end.to_string(), &mut out);
        }
        before.advance(unit);
    }
    out
}

/// The units and the table header that [`encode`] stored for a chunk with this text, these bytes
/// and lines; `None` when they are invalid.
pub(super) fn decode(
    stored: &[u8],
    text: &str,
    bytes: Span,
    lines: Lines,
) -> Option<(Vec<Unit>, String)> {
    let mut rest = stored;
    if rest.is_empty() {
        return Some((Vec::new(), String::new()));
    }
    let table_header = take_text(&mut rest)?;
    let n_units = take(&mut rest)?;
    let mut units = Vec::with_capacity(n_units.min(rest.len()));
    let mut before = Before::new(bytes, lines);
    for _ in 0..n_units {
        let unit = take_unit(&mut rest, &before)?;
        text.get(unit.span.range())?;
        before.advance(&unit);
        units.push(unit);
    }
    rest.is_empty().then_some((units, table_header))
}

fn take_unit(rest: &mut &[u8], before: &Before) -> Option<Unit> {
    let (&flags, after) = rest.split_first()?;
    *rest = after;
    let kind = KINDS[usize::from(flags & KIND_MASK)];
    let gap = take(rest)?;
    let start = before.text.checked_add(gap)?;
    let span = Span { start, end: start.checked_add(take(rest)?)? };
    let bytes = if flags & PLAIN != 0 {
        let start = before.bytes.checked_add(gap)?;
        Span { start, end: start.checked_add(span.end - span.start)? }
    } else {
        let start = take_signed(before.bytes, rest)?;
        Span { start, end: start.checked_add(take(rest)?)? }
    };
    let first = take_signed(before.line, rest)?;
    let lines = Lines { first, last: first.checked_add(take(rest)?)? };
    let location = match flags & MOVED {
        0 => before.location.clone(),
        _ => match take_text(rest)? {
            none if none.is_empty() => None,
            text => Some(text.parse().ok()?),
        },
    };
    let end = match flags & ENDS_ELSEWHERE {
        0 => None,
        _ => Some(take_text(rest)?.parse().ok()?),
    };
    Some(Unit { span, kind, bytes, lines, location, end })
}

/// What the next unit is relative to: the end of the previous one.
struct Before {
    text: usize,
    bytes: usize,
    line: usize,
    location: Option<Location>,
}

impl Before {
    fn new(bytes: Span, lines: Lines) -> Self {
        Self { text: 0, bytes: bytes.start, line: lines.first, location: None }
    }

    fn advance(&mut self, unit: &Unit) {
        self.text = unit.span.end;
        self.bytes = unit.bytes.end;
        self.line = unit.lines.last;
        self.location.clone_from(&unit.location);
    }
}

fn put(mut n: usize, out: &mut Vec<u8>) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn take(rest: &mut &[u8]) -> Option<usize> {
    let mut n = 0_usize;
    for shift in (0..usize::BITS).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        let bits = usize::from(byte & 0x7f);
        n |= bits.checked_shl(shift).filter(|shifted| shifted >> shift == bits)?;
        if byte < 0x80 {
            return Some(n);
        }
    }
    None
}

/// Stores `n` by its difference from `base`: the lowest bit is set when it is smaller.
fn put_signed(n: usize, base: usize, out: &mut Vec<u8>) {
    put(n.abs_diff(base) << 1 | usize::from(n < base), out);
}

fn take_signed(base: usize, rest: &mut &[u8]) -> Option<usize> {
    let stored = take(rest)?;
    let difference = stored >> 1;
    if stored & 1 == 0 { base.checked_add(difference) } else { base.checked_sub(difference) }
}

fn put_text(text: &str, out: &mut Vec<u8>) {
    put(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

fn take_text(rest: &mut &[u8]) -> Option<String> {
    let len = take(rest)?;
    let (text, after) = rest.split_at_checked(len)?;
    *rest = after;
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn location() -> impl Strategy<Value = Option<Location>> {
        prop_oneof![
            Just(None),
            (1..9_usize).prop_map(|n| Some(Location::Page(n))),
            (1..9_usize).prop_map(|n| Some(Location::Slide(n))),
            ("[a-zÄ! ]{1,8}", "[A-C][1-9]").prop_map(|(a, b)| Some(Location::Sheet(a, b))),
        ]
    }

    fn chunk() -> impl Strategy<Value = Chunk> {
        let place = (0..300_usize, 0..300_usize, 1..400_usize, 0..3_usize);
        let end = proptest::option::of(1..9_usize);
        let unit =
            (0..9_usize, 1..200_usize, 0..KINDS.len(), location(), place, any::<bool>(), end);
        (proptest::collection::vec(unit, 0..12), "[a-z |]{0,20}").prop_map(
            |(units, table_header)| {
                let (mut at, mut found) = (0, Vec::new());
                for (gap, len, kind, location, place, is_plain, end) in units {
                    let (start, n_bytes, line, n_lines) = place;
                    let span = Span::new(at + gap, at + gap + len);
                    let start = if is_plain { 100 + span.start } else { start };
                    let n_bytes = if is_plain { len } else { n_bytes };
                    found.push(Unit {
                        span,
                        kind: KINDS[kind],
                        bytes: Span::new(start, start + n_bytes),
                        lines: Lines { first: line, last: line + n_lines },
                        location,
                        end: end.map(Location::Page),
                    });
                    at = span.end;
                }
                Chunk {
                    heading: Vec::new(),
                    text: "x".repeat(at),
                    bytes: Span::new(100, 100 + at),
                    lines: Lines { first: 7, last: 9 },
                    place: None,
                    units: found,
                    table_header,
                }
            },
        )
    }

    proptest! {
        #[test]
        fn units_round_trip(chunk in chunk()) {
            let stored = encode(&chunk);
            let found = decode(&stored, &chunk.text, chunk.bytes, chunk.lines);
            prop_assert_eq!(found, Some((chunk.units, chunk.table_header)));
        }

        #[test]
        fn damage_is_rejected_or_harmless(
            chunk in chunk(),
            at in any::<prop::sample::Index>(),
            byte in any::<u8>(),
        ) {
            let mut stored = encode(&chunk);
            if !stored.is_empty() {
                let at = at.index(stored.len());
                stored[at] = byte;
            }
            if let Some((units, _)) = decode(&stored, &chunk.text, chunk.bytes, chunk.lines) {
                prop_assert!(units.iter().all(|unit| chunk.text.get(unit.span.range()).is_some()));
            }
        }
    }

    #[test]
    fn a_sentence_of_a_text_file_takes_few_bytes() {
        let text = "x".repeat(100);
        let unit = |start, end, line| Unit {
            span: Span::new(start, end),
            kind: UnitKind::Sentence,
            bytes: Span::new(1_000_000 + start, 1_000_000 + end),
            lines: Lines { first: line, last: line },
            location: None,
            end: None,
        };
        let chunk = Chunk {
            heading: Vec::new(),
            bytes: Span::new(1_000_000, 1_000_000 + text.len()),
            text,
            lines: Lines { first: 20_000, last: 20_002 },
            place: None,
            units: vec![unit(0, 49, 20_000), unit(50, 100, 20_002)],
            table_header: String::new(),
        };
        assert_eq!(encode(&chunk).len(), 2 + 2 * 5);
    }
}
