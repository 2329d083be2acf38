use std::io::{Cursor, Write as _};

use super::super::doc::{Extracted, NoText};
use super::super::extract;
use cfb::CompoundFile;

use crate::document::Format;

/// A compound file with these streams.
fn compound(streams: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut file = CompoundFile::create(Cursor::new(Vec::new())).unwrap();
    for (path, content) in streams {
        if let Some((storage, _)) = path.rsplit_once('/').filter(|(storage, _)| storage.len() > 1) {
            file.create_storage_all(storage).unwrap();
        }
        file.create_stream(path).unwrap().write_all(content).unwrap();
    }
    file.into_inner().into_inner()
}

fn wide(text: &str) -> Vec<u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes).collect()
}

fn blocks(found: &Extracted) -> Vec<&str> {
    found.blocks.iter().map(|block| &found.text[block.span.range()]).collect()
}

/// A record of BIFF or of `PowerPoint`.
fn biff(kind: u16, content: &[u8]) -> Vec<u8> {
    let len = u16::try_from(content.len()).unwrap();
    [&kind.to_le_bytes(), &len.to_le_bytes(), content].concat()
}

fn workbook() -> Vec<u8> {
    let bof = biff(0x809, &[0; 16]);
    let style = |format: u16| biff(0xE0, &[&[0, 0], &format.to_le_bytes()[..], &[0; 16]].concat());
    // The second string is divided between two records.
    let strings = [&[3, 0, 0, 0, 3, 0, 0, 0][..], b"\x04\0\0Part\x06\0\0Intake"].concat();
    let rest = [&[6, 0, 1][..], &wide("Spa")[..]].concat();
    let more = [&[1][..], &wide("re°")[..]].concat();
    let sheet = |name: &str, at: u32, state: u8| {
        let name = [&[u8::try_from(name.len()).unwrap(), 0], name.as_bytes()].concat();
        biff(0x85, &[&at.to_le_bytes()[..], &[state, 0], &name].concat())
    };
    let cell = |kind, row: u16, column: u16, style: u16, value: &[u8]| {
        let place = [row, column, style].map(u16::to_le_bytes).concat();
        biff(kind, &[&place[..], value].concat())
    };
    let globals = |at: [u32; 2]| {
        [
            bof.clone(),
            style(0),
            style(10),
            style(14),
            sheet("Bays", at[0], 0),
            sheet("Secret", at[1], 1),
            biff(0xFC, &[&strings[..], &rest[..]].concat()),
            biff(0x3C, &more),
            biff(0x0A, &[]),
        ]
        .concat()
    };
    let rows = [
        bof.clone(),
        cell(0xFD, 0, 0, 0, &[0, 0, 0, 0]),
        cell(0xFD, 0, 1, 0, &[1, 0, 0, 0]),
        cell(0xFD, 0, 2, 0, &[2, 0, 0, 0]),
        cell(0x203, 1, 0, 2, &39_000.0_f64.to_le_bytes()),
        cell(0x27E, 1, 1, 1, &(0.125_f64.to_bits() >> 32).to_le_bytes()[..4]),
        cell(0x06, 1, 2, 0, &[[0, 0, 0, 0, 0, 0, 0xFF, 0xFF].as_slice(), &[0; 8]].concat()),
        biff(0x207, b"\x02\0\0ok"),
        cell(0x205, 2, 1, 0, &[7, 1]),
        biff(0x0A, &[]),
    ]
    .concat();
    let secret = [bof.clone(), cell(0x204, 0, 0, 0, b"\x06\0\0hidden"), biff(0x0A, &[])].concat();
    let at = u32::try_from(globals([0, 0]).len()).unwrap();
    let next = at + u32::try_from(rows.len()).unwrap();
    let book = [globals([at, next]), rows, secret].concat();
    compound(&[("/Workbook", book)])
}

#[test]
fn a_workbook_shows_its_visible_values() {
    let found = extract("a.xls", &workbook()).unwrap();
    assert_eq!(
        blocks(&found),
        ["Bays", "Part | Intake | Spare°\n2006-10-10 | 12.50% | ok\n| #DIV/0!"]
    );
    let places: Vec<String> = found.places.iter().map(|(_, place)| place.to_string()).collect();
    assert_eq!(places, ["sheet Bays!A1", "sheet Bays!A1", "sheet Bays!A2", "sheet Bays!B3"]);
}

/// A message with an attached file, and what Outlook calls its properties.
fn outlook() -> Vec<u8> {
    let ticks = (1_700_000_000_u64 + 11_644_473_600) * 10_000_000;
    let date = [&0x0039_0040_u32.to_le_bytes()[..], &[0; 4], &ticks.to_le_bytes()].concat();
    let text = |tag: &str| format!("/__substg1.0_{tag}001F");
    let attached = |tag: &str| format!("/__attach_version1.0_#00000000/__substg1.0_{tag}");
    let streams = [
        ("/__properties_version1.0".to_owned(), [vec![0; 32], date].concat()),
        (text("0037"), wide("Kickoff – Größe")),
        (text("0C1A"), wide("Ida Brück")),
        (text("5D01"), wide("ida@example.org")),
        (text("0E04"), wide("ben@example.org; Ada King")),
        (text("1000"), wide("It is in room Curlew.\r\n\r\nOn Monday Ben wrote:\r\n> Where?\r\n")),
        (attached("3707001F"), wide("Größen.md")),
        (attached("37010102"), b"# Sizes\n\nBay two is wide.\n".to_vec()),
    ];
    let streams: Vec<(&str, Vec<u8>)> =
        streams.iter().map(|(path, content)| (path.as_str(), content.clone())).collect();
    compound(&streams)
}

#[test]
fn a_message_of_outlook_is_mail() {
    let found = extract("kickoff.msg", &outlook()).unwrap();
    assert_eq!(found.format, Format::Mail);
    assert_eq!(found.title.as_deref(), Some("Kickoff – Größe"));
    let shown = blocks(&found);
    for line in [
        "From: Ida Brück <ida@example.org>",
        "To: ben@example.org, Ada King",
        "Date: 2023-11-14T22:13:20Z",
        "It is in room Curlew.",
        "Bay two is wide.",
    ] {
        assert!(shown.contains(&line), "{line} is not in {shown:?}");
    }
    assert!(!found.text.contains("Where?"));
    let attached = found.places.last().map(|(_, place)| place.to_string());
    assert_eq!(attached.as_deref(), Some("attachment Größen.md"));
}

#[test]
fn damaged_files_are_refused() {
    for (name, file) in [("a.xls", workbook()), ("a.msg", outlook())] {
        for len in (0..file.len()).step_by(97) {
            let _ = extract(name, &file[..len]);
        }
        for at in (512..file.len()).step_by(61) {
            let mut file = file.clone();
            file[at] ^= 0xFF;
            let _ = extract(name, &file);
        }
    }
    let word = compound(&[("/WordDocument", vec![0; 900]), ("/0Table", vec![0; 90])]);
    assert!(matches!(extract("a.doc", &word), Err(NoText::Unsupported(_))));
    let slides = compound(&[("/PowerPoint Document", vec![0; 90]), ("/Current User", vec![0; 90])]);
    assert!(matches!(extract("a.ppt", &slides), Err(NoText::Damaged(_))));
}
