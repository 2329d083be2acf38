use proptest::prelude::*;

use super::*;
use crate::document::{Format, Lines, UnitKind};
use crate::text::{Block, BlockKind, extract};

/// Roughly the tokens of `WordPiece`: four letters of a word, or one other character.
fn count(text: &str) -> usize {
    let mut n = 0;
    let mut n_letters = 0;
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            n += usize::from(n_letters % 4 == 0);
            n_letters += 1;
        } else {
            n += usize::from(!c.is_whitespace());
            n_letters = 0;
        }
    }
    n
}

fn chunks(path: &str, text: &str, max_tokens: usize, overlap_tokens: usize) -> Vec<Chunk> {
    let doc = extract(path, text.as_bytes()).unwrap();
    chunk(&doc, &Limits { max_tokens, overlap_tokens }, &count)
}

/// Each passage as its heading path, an arrow and its text.
fn check(text: &str, max_tokens: usize, overlap_tokens: usize, expected: &[&str]) {
    let found: Vec<String> = chunks("a.md", text, max_tokens, overlap_tokens)
        .iter()
        .map(|chunk| format!("{} → {}", chunk.heading.join(" / "), chunk.text))
        .collect();
    assert_eq!(found, expected, "{text}");
}

/// A paragraph of `n` sentences of ten tokens each.
fn sentences(n: usize) -> String {
    let sentence = |i: usize| format!("This is line {i} of the text in it.");
    (10..10 + n).map(sentence).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_passage_is_a_section() {
    let (one, two) = (sentences(6), sentences(7));
    check(
        &format!("# Title\n\n## One\n\n{one}\n\n## Two\n\n### Deep\n\n{two}"),
        100,
        0,
        &[&format!("One → {one}"), &format!("Two / Deep → {two}")],
    );
}

#[test]
fn sections_of_a_line_are_merged() {
    check("# T\n\n## One\n\na\n\n## Two\n\nb", 100, 0, &[" → ## One\n\na\n\n## Two\n\nb"]);
    check("# T\n\nIntro.\n\n## One\n\na", 100, 0, &[" → Intro.\n\n## One\n\na"]);
    check(
        "# T\n\n## V2\n\n### Added\n\na\n\n### Fixed\n\nb",
        100,
        0,
        &["V2 → ### Added\n\na\n\n### Fixed\n\nb"],
    );
    check(
        "# T\n\n## V2\n\n### Added\n\na\n\n## V1\n\n### Fixed\n\nb",
        100,
        0,
        &[" → ## V2\n\n### Added\n\na\n\n## V1\n\n### Fixed\n\nb"],
    );
    let long = sentences(9);
    check(
        &format!("# T\n\n## One\n\na\n\n## Two\n\n{long}"),
        110,
        0,
        &["One → a", &format!("Two → {long}")],
    );
    let under_one = format!("# T\n\n## One\n\n### In\n\n{long}\n\n### Tiny\n\na\n\n## Two\n\nb");
    check(&under_one, 120, 0, &[&format!("One / In → {long}"), "One / Tiny → a", "Two → b"]);
}

#[test]
fn no_passage_is_only_a_heading() {
    let long = sentences(9);
    let both = format!("## Empty\n\n## Two\n\n{long}");
    check(&format!("# T\n\n{both}"), 110, 0, &[&format!("Two → {both}")]);
    let found = chunks("a.md", &format!("# T\n\n## Empty\n\n## Two\n\n{}", sentences(12)), 100, 0);
    assert_eq!(found.iter().map(|c| c.text.matches("This").count()).collect::<Vec<_>>(), [6, 6]);
    assert!(
        found[0].text.starts_with("## Empty\n\n## Two\n\nThis") && found[0].heading == ["Two"],
        "{found:#?}"
    );
    check(
        &format!("# T\n\n## One\n\n{long}\n\n## Empty"),
        110,
        0,
        &[&format!("One → {long}\n\n## Empty")],
    );
    check("# T\n\n## A\n\n## B", 100, 0, &[" → ## A\n\n## B"]);
    check("# Only", 100, 0, &[" → # Only"]);
}

#[test]
fn paragraphs_stay_whole_where_they_fit() {
    let paragraphs: Vec<String> = [3, 4, 3, 4].map(sentences).to_vec();
    let expected = [paragraphs[..2].join("\n\n"), paragraphs[2..].join("\n\n")]
        .map(|text| format!(" → {text}"));
    check(&paragraphs.join("\n\n"), 80, 0, &[&expected[0], &expected[1]]);
}

#[test]
fn passages_are_about_equal() {
    let sizes = |n: usize| {
        chunks("a.txt", &sentences(n), 100, 0).iter().map(|c| count(&c.text)).collect::<Vec<_>>()
    };
    assert_eq!(sizes(10), [100]);
    assert_eq!(sizes(11), [60, 50]);
    assert_eq!(sizes(21), [70, 70, 70]);
}

#[test]
fn the_end_of_a_passage_is_repeated() {
    let found = chunks("a.txt", &sentences(12), 100, 25);
    assert_eq!(found.len(), 2);
    let tail = &found[0].text[found[0].text.len() - 70..];
    assert!(found[1].text.starts_with(tail.trim_start()), "{found:#?}");
    assert_eq!(found[1].text.matches("This").count() + found[0].text.matches("This").count(), 14);
    // Not from one section to the next, and not where code begins.
    let text = format!("## A\n\n{}\n\n## B\n\n{}", sentences(8), sentences(8));
    assert_eq!(
        chunks("a.md", &text, 100, 25)
            .iter()
            .map(|c| c.text.matches("This").count())
            .collect::<Vec<_>>(),
        [8, 8]
    );
}

#[test]
fn code_is_divided_between_functions_then_lines() {
    let function = |name: &str, n: usize| {
        format!("/// Does it.\nfn {name}() {{\n{}}}\n", "    call(1, 2);\n".repeat(n))
    };
    let text = format!("{}\n{}\n{}", function("one", 9), function("two", 9), function("three", 40));
    let found = chunks("a.rs", &text, 160, 20);
    assert_eq!(found[0].text, format!("{}\n{}", function("one", 9), function("two", 9)).trim_end());
    assert!(found[1].text.starts_with("/// Does it.\nfn three() {"), "{found:#?}");
    assert!(found[2..].iter().all(|c| c.text.starts_with("    call(1, 2);\n")), "{found:#?}");
}

#[test]
fn sentences_end_in_every_script_but_not_where_a_line_wraps() {
    let chinese = "这是第一句话，用来说明问题。这是第二句话！这是第三句话吗？".repeat(4);
    let found = chunks("a.txt", &chinese, 60, 0);
    assert!(
        found.len() > 1 && found.iter().all(|c| c.text.ends_with(['。', '！', '？'])),
        "{found:#?}"
    );
    let wrapped =
        "The quick brown fox jumps over the lazy dog again and\nagain until v1.Foo, e.g. the dog, \
         is tired. "
            .repeat(6);
    let found = chunks("a.txt", &wrapped, 50, 0);
    assert!(found.len() > 3 && found.iter().all(|c| c.text.ends_with("tired.")), "{found:#?}");
}

#[test]
fn text_without_sentences_is_divided() {
    let n = 200_000;
    for text in [
        "x".repeat(n),
        "é".repeat(n),
        "word ".repeat(n),
        "a.".repeat(n),
        "{\n".repeat(n),
        "e\u{301}".repeat(n),
    ] {
        let found = chunks("a.md", &text, 50, 10);
        assert!(found.iter().all(|c| count(&c.text) <= 50));
        let total: usize = found.iter().map(|c| c.text.len()).sum();
        // Text without letters and digits is left out.
        assert!(
            total >= text.trim_end().len() - n / 10 || text.starts_with('{'),
            "{total} of {}",
            text.len()
        );
    }
}

#[test]
fn long_headings_leave_room() {
    let heading = "many words in a heading ".repeat(20);
    let text = format!(
        "# Title\n\n## Outer {heading}\n\n### Inner\n\n{}\n\n## {heading}\n\n{}",
        sentences(8),
        sentences(8)
    );
    let found = chunks("a.md", &text, 120, 0);
    assert_eq!(found[0].heading, ["Inner"]);
    assert!(found[1].heading[0].ends_with('…'), "{found:#?}");
    let context = count(&context_line(Some("Title"), &found[1].heading));
    assert!((20..=40).contains(&context), "{context}");
    assert_eq!(found.iter().map(|c| c.text.matches("This").count()).collect::<Vec<_>>(), [8, 8]);
}

#[test]
fn a_heading_that_equals_the_title_is_not_repeated() {
    let found = |html: &str| chunks("a.html", html, 100, 0).remove(0).heading;
    let body = sentences(6);
    assert_eq!(
        found(&format!("<title>Guide — Site</title><h1>Guide</h1><h2>Part</h2>{body}")),
        ["Part"]
    );
    assert_eq!(
        found(&format!("<title>Site: Guide</title><h1>GUIDE</h1><h2>Part</h2>{body}")),
        ["Part"]
    );
    assert_eq!(
        found(&format!("<title>Guidelines</title><h1>Guide</h1><h2>Part</h2>{body}")),
        ["Guide", "Part"]
    );
}

#[test]
fn rules_and_dots_give_no_passages() {
    check("-----\n\n. . .", 100, 0, &[]);
}

#[test]
fn spans_and_lines_are_those_of_the_file() {
    let text = format!("# T\r\n\r\n## One\r\n\r\n{}\r\n\r\n```\r\nlet x;\r\n```\r\n", sentences(6));
    let found = chunks("a.md", &text, 100, 0).remove(0);
    assert_eq!((found.lines.first, found.lines.last), (5, 9));
    assert_eq!(&text[found.bytes.range()], found.text);
}

/// The units of all passages, each with its first line, its kind and its text.
fn units(chunks: &[Chunk]) -> Vec<(usize, UnitKind, &str)> {
    let units = chunks.iter().flat_map(|chunk| chunk.units.iter().map(move |unit| (chunk, unit)));
    units.map(|(chunk, u)| (u.lines.first, u.kind, &chunk.text[u.span.range()])).collect()
}

#[test]
fn units_follow_the_structure_of_the_document() {
    let text = "# T\n\n## One\n\nIt is. It was\nonce.\n\n> Said. Done.\n\n- a one. Two.\n- b\n\n\
                ```sh\nrun. It\n```\n\n<!-- No. -->\n\nEnd: 5 kg\n";
    let found = chunks("a.md", text, 200, 0);
    assert_eq!(
        units(&found),
        [
            (5, UnitKind::Sentence, "It is."),
            (5, UnitKind::Sentence, "It was\nonce."),
            (8, UnitKind::Sentence, "> Said."),
            (8, UnitKind::Sentence, "Done."),
            (10, UnitKind::Item { first: true }, "- a one."),
            (10, UnitKind::Item { first: false }, "Two."),
            (11, UnitKind::Item { first: true }, "- b"),
            (13, UnitKind::Code, "```sh\nrun. It\n```"),
            (19, UnitKind::Sentence, "End: 5 kg"),
        ]
    );
}

/// A document of one block.
fn block(kind: BlockKind, text: &str) -> Extracted {
    let span = Span::new(0, text.len());
    Extracted::rendered(Format::Pdf, None, text.to_owned(), vec![Block { span, kind }])
}

#[test]
fn rows_and_records_are_units() {
    let limits = Limits { max_tokens: 100, overlap_tokens: 0 };
    let table = block(BlockKind::Table { headers: 1 }, "Part | M8\n--- | ---\nPan | 22 Nm. Or\n");
    assert_eq!(
        units(&chunk(&table, &limits, &count)),
        [(1, UnitKind::Header, "Part | M8"), (3, UnitKind::Row, "Pan | 22 Nm. Or")]
    );
    let record = block(BlockKind::Record, "10:02 Panic. No room\n  at main.rs:3\n  at lib.rs:4");
    assert_eq!(
        units(&chunk(&record, &limits, &count)),
        [(1, UnitKind::Record, "10:02 Panic. No room\n  at main.rs:3\n  at lib.rs:4")]
    );
}

#[test]
fn a_long_table_keeps_its_header() {
    let rows: Vec<String> = (0..40).map(|n| format!("part {n} | {n} kg of iron")).collect();
    let text = format!("Part | Weight\n{}", rows.join("\n"));
    let table = block(BlockKind::Table { headers: 1 }, &text);
    let found = chunk(&table, &Limits { max_tokens: 60, overlap_tokens: 20 }, &count);
    assert!(found.len() > 3, "{found:?}");
    assert_eq!(found[0].table_header, "");
    assert!(found[1..].iter().all(|chunk| chunk.table_header == "Part | Weight"), "{found:?}");
}

#[test]
fn a_unit_has_the_pages_on_which_it_begins_and_ends() {
    let text = "The one is here. The two is\nthere. The three is far.";
    let mut doc = block(BlockKind::Paragraph, text);
    doc.places = vec![(0, Location::Page(1)), (17, Location::Page(2)), (28, Location::Page(3))];
    let found = chunk(&doc, &Limits { max_tokens: 100, overlap_tokens: 0 }, &count).remove(0);
    let pages: Vec<_> = found.units.iter().map(|unit| unit.location.clone().unwrap()).collect();
    assert_eq!(pages, [Location::Page(1), Location::Page(2), Location::Page(3)]);
    assert_eq!(found.extent().within().unwrap(), "pages 1–3");
    assert_eq!(found.extent_of(&[0]).within().unwrap(), "page 1");
    assert_eq!(found.extent_of(&[1]).within().unwrap(), "pages 2–3");
    assert_eq!(found.extent_of(&[1]).lines, Lines { first: 1, last: 2 });
    assert_eq!(found.extent_of(&[1, 2]).within().unwrap(), "pages 2–3");
}

/// Documents of random pieces.
fn document() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => "([A-Za-z]{1,9}[ .,]{1,2}){1,40}",
        1 => "[日本語。、！ \n]{1,80}",
        // With digits it would be base64, which is left out.
        1 => "[A-Za-z+/]{1,300}",
        1 => "(- [a-z ]{1,30}\n){1,6}",
        1 => "```\n([ ]{0,4}[a-z(){};]{1,30}\n){1,12}(\n[a-z]{1,20}\n){0,3}```",
        1 => "a \\| b\n--\\|--\n([a-z]{1,9} \\| [a-z]{1,9}\n){1,9}",
        1 => "<!-- [a-z ]{0,60} -->",
        1 => "[-*_]{3,9}",
        1 => "[éẽ\u{301}👍🏽\u{200D} ]{1,40}",
        1 => "(\r\n|\r|\n){1,3}[a-z]{1,5}",
    ];
    let heading = (1..5_usize, "[A-Z][a-z]{1,8}( [a-z]{1,8}){0,2}")
        .prop_map(|(level, text)| format!("{} {text}", "#".repeat(level)));
    proptest::collection::vec(prop_oneof![3 => piece, 1 => heading], 1..25)
        .prop_map(|pieces| pieces.join("\n\n"))
}

proptest! {
    #[test]
    fn passages_cover_the_text_within_the_limits(
        text in document(),
        max_tokens in prop_oneof![1 => 1..24_usize, 9 => 24..200_usize],
        overlap_tokens in 0..40_usize,
        path in prop_oneof![
            4 => Just("a.md"),
            1 => Just("a.txt"),
            1 => Just("a.rst"),
            1 => Just("a.rs"),
            1 => Just("a.html"),
        ],
    ) {
        let Ok(doc) = extract(path, text.as_bytes()) else { return Ok(()) };
        let limits = Limits { max_tokens, overlap_tokens };
        let found = chunk(&doc, &limits, &count);
        prop_assert_eq!(&found, &chunk(&doc, &limits, &count));

        let mut is_covered = vec![false; text.len()];
        let mut last = Span::new(0, 0);
        for chunk in &found {
            prop_assert!(chunk.text.contains(char::is_alphanumeric));
            let context = context_line(doc.title.as_deref(), &chunk.heading);
            let tokens = count(&embedded_text(&context, &chunk.text));
            let title = doc.title.as_deref().map_or(0, count);
            let has_room = title * 3 <= max_tokens && max_tokens >= 24;
            prop_assert!(tokens <= max_tokens || !has_room, "{tokens} > {max_tokens}: {chunk:?}");
            is_covered[chunk.bytes.range()].fill(true);
            prop_assert!(last.start < chunk.bytes.start || last.is_empty());
            prop_assert!(last.end < chunk.bytes.end);
            last = chunk.bytes;
            if !matches!(path, "a.html" | "a.rst") {
                prop_assert_eq!(&text[chunk.bytes.range()], &chunk.text);
                prop_assert!(chunk.text.trim_end() == chunk.text);
            }
            let line_of = |offset: usize| {
                text[..offset].replace("\r\n", "\n").matches(['\n', '\r']).count() + 1
            };
            prop_assert_eq!(chunk.lines.first, line_of(chunk.bytes.start));
            prop_assert_eq!(chunk.lines.last, line_of(chunk.bytes.end));
            prop_assert!(chunk.units.is_empty() == (path == "a.rs") || path != "a.md");
            let mut end = 0;
            for unit in &chunk.units {
                prop_assert!(end <= unit.span.start && unit.span.start < unit.span.end);
                end = unit.span.end;
                let quote = &chunk.text[unit.span.range()];
                prop_assert_eq!(quote, quote.trim());
                prop_assert_eq!(unit.lines.first, line_of(unit.bytes.start));
                if !matches!(path, "a.html" | "a.rst") {
                    prop_assert_eq!(&text[unit.bytes.range()], quote);
                }
            }
        }
        for block in &doc.blocks {
            if let BlockKind::Heading { text: heading, .. } = &block.kind {
                // A heading that is too long for a small window may lose its end.
                let is_kept = found
                    .iter()
                    .any(|c| c.heading.contains(heading) || c.text.contains(heading.as_str()));
                let title = doc.title.as_deref().unwrap_or_default().to_lowercase();
                let is_title = title.contains(&heading.to_lowercase());
                prop_assert!(
                    is_kept || is_title || max_tokens < 100 || path != "a.md",
                    "{heading:?} of {text:?} in {found:?}"
                );
                continue;
            }
            for (at, c) in doc.text[block.span.range()].char_indices() {
                let span = Span::new(block.span.start + at, block.span.start + at + c.len_utf8());
                let bytes = doc.origin.bytes(span);
                prop_assert!(
                    !c.is_alphanumeric() || bytes.is_empty() || is_covered[bytes.start],
                    "{c:?} at {} of {text:?} in {found:#?}",
                    bytes.start
                );
            }
        }
    }
}
