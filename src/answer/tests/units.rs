//! Answers from passages whose units are known.

use super::*;
use crate::document::{Location, Unit, UnitKind};

/// A hit whose text consists of these units, one a line; each is on the page of its number.
fn structured(rank: usize, path: &str, units: &[(UnitKind, &str)]) -> Hit {
    let texts: Vec<&str> = units.iter().map(|(_, text)| *text).collect();
    let mut hit = hit(rank, path, 0, &texts.join("\n"));
    let mut at = 0;
    for (n, (kind, text)) in (1..).zip(units) {
        let span = Span::new(at, at + text.len());
        let (lines, location) = (Lines { first: n, last: n }, Some(Location::Page(n)));
        hit.chunk.units.push(Unit { span, kind: *kind, bytes: span, lines, location, end: None });
        at = span.end + 1;
    }
    hit
}

#[track_caller]
fn check(question: &str, units: &[(UnitKind, &str)], expected: &str, place: &str) {
    let hits = [structured(1, "a.pdf", units), hit(2, "b.md", 0, ELSEWHERE)];
    let answer = ask(question, &hits, &Options::default());
    assert_eq!(answer.text, expected, "answer to {question:?}");
    let extent = answer.citations[0].extent();
    assert_eq!(extent.within().as_deref(), Some(place), "{question:?}");
}

use UnitKind::{Header, Heading, Record, Row, Sentence};

#[test]
fn a_citation_has_the_place_of_its_sentence() {
    let units = [
        (Heading, "The lighthouse"),
        (Sentence, "It has two lamps and a keeper."),
        (Sentence, "The lighthouse was built in 1887 by the harbour board."),
        (Sentence, "Visitors are welcome on Sundays."),
    ];
    let hits = [structured(1, "a.pdf", &units), hit(2, "b.md", 0, ELSEWHERE)];
    let answer = ask("When was the lighthouse built?", &hits, &Options::default());
    let quoted = &answer.citations[0].quoted;
    assert!(quoted.contains(&2), "{answer:?}");
    // Unit 0 is on page 1.
    let pages = (quoted[0] + 1, quoted[quoted.len() - 1] + 1);
    let place = if pages.0 == pages.1 {
        format!("page {}", pages.0)
    } else {
        format!("pages {}–{}", pages.0, pages.1)
    };
    assert_eq!(answer.citations[0].extent().within(), Some(place));
}

const TORQUES: &[(UnitKind, &str)] = &[
    (Heading, "Torque settings"),
    (Header, "Part | M6 | M8 | M10"),
    (Row, "Cylinder head | 11 Nm | 27 Nm | 53 Nm"),
    (Row, "Oil pan | 9 Nm | 22 Nm | 44 Nm"),
    (Row, "Water pump | 10 Nm | | 48 Nm"),
];

#[test]
fn a_row_is_quoted_alone_with_its_header() {
    check(
        "What is the torque of the M8 bolts of the oil pan?",
        TORQUES,
        "Oil pan | M6 9 Nm | M8 22 Nm | M10 44 Nm [1]",
        "page 4",
    );
    check(
        "Which tenant lives on the third floor?",
        &[
            (Header, "Floor | Tenant"),
            (Row, "Second | Herr Ott"),
            (Row, "Third | Madame Quartermain"),
            (Sentence, "The bins are emptied on Mondays."),
        ],
        "Third | Tenant Madame Quartermain [1]",
        "page 3",
    );
}

#[test]
fn the_name_of_a_column_is_not_a_person() {
    let units = [(Header, "Valve | Intake | Exhaust"), (Row, "two | 0.22 | 0.27")];
    let hits = [structured(1, "a.pdf", &units), hit(2, "b.md", 0, ELSEWHERE)];
    let answer = ask("Who wrote Valves?", &hits, &Options::default());
    assert!(!answer.supported, "{answer:?}");
}

#[test]
fn a_row_of_csv_is_quoted_with_its_heading() {
    let mut csv = structured(1, "a.csv", &[(Row, "Ulm,5 kg,iron"), (Row, "Bonn,7 kg,tin")]);
    csv.chunk.heading = vec!["town, weight, metal".to_owned()];
    let hits = [csv, hit(2, "b.md", 0, ELSEWHERE)];
    let answer = ask("What is the weight of Bonn?", &hits, &Options::default());
    assert_eq!(answer.text, "Bonn | weight 7 kg | metal tin [1]");
}

const CHAT: &[(UnitKind, &str)] = &[
    (Record, "[05.01.26, 10:00:12] Anouk: Did you book the hut?"),
    (Record, "[05.01.26, 10:02:40] Bastian: Yes, the hut is booked from the 9th to the 12th"),
    (Record, "[05.01.26, 10:03:01] Anouk: great, what do we owe you?"),
    (Record, "[05.01.26, 10:05:33] Bastian: 84 each, dogs are 12 extra"),
];

#[test]
fn a_message_is_quoted_whole_and_alone() {
    let booked =
        "[05.01.26, 10:02:40] Bastian: Yes, the hut is booked from the 9th to the 12th [1]";
    check("From when to when is the hut booked?", CHAT, booked, "page 2");
    check("Did Bastian book the hut?", CHAT, booked, "page 2");
    check(
        "What do we owe Bastian?",
        CHAT,
        "[05.01.26, 10:05:33] Bastian: 84 each, dogs are 12 extra [1]",
        "page 4",
    );
    let boat = [
        (Record, "Anouk: hello all"),
        (Record, "Bastian: the boat is moored at berth 14"),
        (Record, "Anouk: and who has the key?"),
        (Record, "Bastian: the key is with Maren"),
        (Record, "Anouk: thanks"),
    ];
    check(
        "Where is the boat moored?",
        &boat,
        "Bastian: the boat is moored at berth 14 [1]",
        "page 2",
    );
}

#[test]
fn a_log_line_keeps_its_trace() {
    let units = [
        (Record, "10:01 INFO the pump is on"),
        (Record, "10:02 ERROR the pump loses pressure\n    at pump.rs:12\n    at main.rs:3"),
        (Record, "10:03 INFO the lamp is on"),
    ];
    let hits = [structured(1, "a.log", &units), hit(2, "b.md", 0, ELSEWHERE)];
    let answer = ask("Why did the pump lose pressure?", &hits, &Options::default());
    assert!(answer.text.contains("loses pressure\nat pump.rs:12\nat main.rs:3 [1]"), "{answer:?}");
    assert!(!answer.text.contains("lamp"), "{answer:?}");
}

#[test]
fn units_of_joined_passages_are_joined() {
    let sentences = ["The pier is old and long.", "The lamp is red.", "The bell rings at noon."];
    let whole = |from: usize| {
        let units: Vec<_> = sentences[from..][..2].iter().map(|text| (Sentence, *text)).collect();
        let mut hit = structured(from + 1, "a.pdf", &units);
        let offset = sentences[..from].iter().map(|text| text.len() + 1).sum::<usize>();
        hit.chunk.bytes = Span::new(offset, offset + hit.chunk.text.len());
        hit
    };
    for order in [[0, 1], [1, 0]] {
        let hits = order.map(whole);
        let joined = &choose(&hits, Limits::default())[0].hit.chunk;
        let texts: Vec<&str> =
            joined.units.iter().map(|unit| &joined.text[unit.span.range()]).collect();
        assert_eq!(texts, sentences, "{order:?}");
    }
}

#[test]
fn a_written_sentence_is_cited_where_its_words_are() {
    let units = [
        (Sentence, "The pier is old and long."),
        (Sentence, "The lamp of the tower was lit in 1887."),
        (Sentence, "The bell rings at noon."),
    ];
    let sources = [Evidence { hit: structured(1, "a.pdf", &units), place: 0 }];
    let vetted = vet("In 1887 the lamp was lit. [1]", &sources, &["en"]);
    assert_eq!(vetted.citations[0].quoted, [1]);
    let vetted =
        vet("The lamp was lit in 1887 [1]. The bell rings at noon [1].", &sources, &["en"]);
    assert_eq!(vetted.citations[0].extent().within().unwrap(), "pages 2–3");
}
