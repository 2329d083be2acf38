//! Formats that are read in this process: their text and its origin.

use super::super::*;
use crate::document::{Location, Span};

fn read(path: &str, text: &str) -> Extracted {
    extract(path, text.as_bytes()).unwrap_or_else(|e| panic!("{path}: {e:?}"))
}

#[test]
fn rows_of_csv_are_lines_of_cells() {
    let doc = read("a.csv", "\u{feff}name,port\r\nIona,\"Fionnphort,\r\nMull\"\r\nEigg,\r\n");
    assert_eq!(doc.format, Format::Csv);
    assert_eq!(doc.blocks[0].kind, BlockKind::Table { headers: 1 });
    assert_eq!(doc.text, "name | port\nIona | Fionnphort, Mull\nEigg |");
    let at = doc.text.find("Mull").unwrap();
    assert_eq!(doc.origin.lines(Span::new(at, at + 4)).first, 3);
    // Numbers are not names of columns.
    let doc = read("a.tsv", "1\t2\n3\t4\n5\t6\n");
    assert_eq!(doc.blocks[0].kind, BlockKind::Table { headers: 0 });
    assert_eq!(read("a.csv", "Ort;Preis\nUlm;1,50\n").text, "Ort | Preis\nUlm | 1,50");
}

#[test]
fn every_line_of_json_lines_is_a_block() {
    let doc = read("a.jsonl", "\u{feff}{\"a\": 1}\n\n{\"a\": 2}\n");
    let blocks: Vec<&str> = doc.blocks.iter().map(|block| &doc.text[block.span.range()]).collect();
    assert_eq!(blocks, ["{\"a\": 1}", "{\"a\": 2}"]);
}

#[test]
fn subtitles_have_no_numbers_and_times() {
    let source = "1\n00:00:01,000 --> 00:00:02,000\n<i>Land</i> ahead,\nsays the \
         <b>mate</b>.\n\n2\n00:00:03,000 --> \
                  00:00:04,000\nWhere?\n";
    let doc = read("a.srt", source);
    assert_eq!(doc.text, "Land ahead,\nsays the mate.\nWhere?");
    let at = doc.text.find("Where").unwrap();
    let span = Span::new(at, at + 5);
    assert_eq!(
        (doc.origin.lines(span).first, &source[doc.origin.bytes(span).range()]),
        (8, "Where")
    );
    let doc = read("a.vtt", "WEBVTT\n\nNOTE not said\n\n00:01.000 --> 00:02.000\nAye.\n");
    assert_eq!(doc.text, "Aye.");
    let source = "WEBVTT\n\n00:01.000 --> 00:02.000\n<v Anouk>Where is it?\n\n00:02.000 --> \
         00:03.000\n<v.loud Bastian>Berth 14.</v>\n\n00:03.000 --> 00:04.000\n<v.loud \
         Bastian>North side.\n";
    let doc = read("a.vtt", source);
    assert_eq!(doc.text, "Anouk: Where is it?\n\nBastian: Berth 14.\nNorth side.");
    assert!(
        doc.blocks.iter().all(|block| block.kind == BlockKind::Record) && doc.blocks.len() == 2
    );
}

#[test]
fn xml_is_rendered_if_it_is_mostly_text() {
    let source = "<?xml version='1.0'?><book><title>Tides &amp; Currents</title><para>The \
         <emphasis>spring</emphasis> tide \
                  follows\n  the full moon by a day or two, whatever the almanac of the harbour \
                  says.</para></book>";
    let doc = read("a.xml", source);
    let text = "Tides & Currents\n\nThe spring tide follows the full moon by a day or two, \
         whatever the almanac of the harbour says.";
    assert_eq!(doc.text, text);
    assert_eq!((doc.title.as_deref(), doc.blocks.len()), (Some("Tides & Currents"), 2));
    for word in ["Currents", "spring", "almanac"] {
        let at = doc.text.find(word).unwrap();
        assert_eq!(&source[doc.origin.bytes(Span::new(at, at + word.len())).range()], word);
    }
    let settings = "<server port='80'><log level='debug' path='/var/log/a'/></server>";
    assert_eq!(read("b.xml", settings).text, settings);
}

#[test]
fn front_matter_has_metadata() {
    let doc = read(
        "a.md",
        "---\ntitle: T\ntags:\n  - one\n  - \"two\"\nother: x\nauthor: 'Me'\n---\nText\n",
    );
    let expected = [("tags", "one"), ("tags", "two"), ("author", "Me")]
        .map(|(k, v)| (k.to_owned(), v.to_owned()));
    assert_eq!((doc.title.as_deref(), doc.metadata.as_slice()), (Some("T"), &expected[..]));
    let doc =
        read("a.md", "+++\ntitle = \"T\"\ndate = 2024-01-02\ntags = [\"a\", 'b']\n+++\nText\n");
    assert_eq!(doc.metadata.len(), 3);
}

#[test]
fn places_are_found_by_offset() {
    let mut build = build::Build::default();
    build.place(Location::Slide(1));
    build.heading(1, "One");
    build.place(Location::Slide(2));
    build.heading(1, "Two");
    let doc = build.finish(Format::Pptx, None).unwrap();
    let at = doc.text.find("Two").unwrap();
    assert_eq!(
        (doc.place_at(0), doc.place_at(at)),
        (Some(&Location::Slide(1)), Some(&Location::Slide(2)))
    );
}

#[test]
fn places_round_trip_as_text() {
    let places = [
        Location::Page(3),
        Location::Slide(2),
        Location::Sheet("Costs! 1897".into(), "B4".into()),
        Location::Message(9),
        Location::Cell(12),
    ];
    for place in places {
        assert_eq!(place.to_string().parse(), Ok(place));
    }
    assert_eq!("shelf 3".parse::<Location>(), Err(()));
}

#[test]
fn notes_have_tags_and_pages_have_metadata() {
    let note = "---\naliases: [Big kiln]\ntags: [clay]\n---\n# Kiln\n\n\
                Lit on Friday. #pottery #trips/skye, \
                #42 #fff\n\n```\n#no\n```\n\n#pottery";
    let found = extract("a.md", note.as_bytes()).unwrap();
    let stated: Vec<(&str, &str)> =
        found.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(
        stated,
        [("aliases", "Big kiln"), ("tags", "clay"), ("tags", "pottery"), ("tags", "trips/skye")]
    );
    let page = "<head><title>Kiln</title><meta name=author content='Ida &amp; Ben'>\
                <meta property='article:published_time' content='2024-05-01T10:00Z'>\
                <meta name=description content=' How  to fire '><meta property=og:description \
                content='How to fire'><meta name=viewport content=x></head><p>Lit.";
    let found = extract("a.html", page.as_bytes()).unwrap();
    let stated: Vec<(&str, &str)> =
        found.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    assert_eq!(
        stated,
        [("author", "Ida & Ben"), ("date", "2024-05-01"), ("description", "How to fire")]
    );
}
