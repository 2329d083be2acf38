use proptest::prelude::*;

use std::collections::BTreeMap;

use super::parse::{MAX_BYTES, MAX_DEPTH, MAX_TESTS};
use super::*;
use crate::error::Kind;

fn meta() -> BTreeMap<String, Vec<String>> {
    [("tags", vec!["HowTo", "linux"]), ("version", vec!["10"]), ("Author", vec!["Ada Lovelace"])]
        .into_iter()
        .map(|(key, values)| (key.to_owned(), values.into_iter().map(str::to_owned).collect()))
        .collect()
}

/// Matches against `docs` + `guides/deep/setup.md`, Markdown, English, 2,048 bytes, changed on
/// 2026-03-31 at noon.
#[track_caller]
fn check(filter: &str, expected: bool) {
    let meta = meta();
    let document = DocumentFacts {
        root: "./docs/",
        real: "/home/u/docs",
        path: "guides/deep/setup.md",
        format: Some("markdown"),
        language: Some("en"),
        modified_s: Some(1_774_958_400),
        size_bytes: 2048,
        meta: &meta,
    };
    let parsed = Filter::parse(filter).unwrap();
    assert_eq!(parsed.matches(&document), expected, "{filter}");
    let again = Filter::parse(&parsed.to_string()).unwrap();
    assert_eq!(
        (again.to_string(), again.matches(&document)),
        (parsed.to_string(), expected),
        "{filter}"
    );
}

#[test]
fn composed_and_decomposed_paths_are_equal() {
    let (nfc, nfd) = ("Gr\u{f6}\u{df}en", "Gro\u{308}\u{df}en");
    for folder in [nfc, nfd] {
        let root = format!("/home/{folder}");
        let path = format!("{folder}/a.md");
        for typed in [nfc, nfd] {
            let holds = |pattern: &str| {
                let glob = PathGlob::new(pattern).unwrap().relative_to(&format!("/home/{typed}"));
                glob.matches(crate::naming::Folder { given: "d", real: &root }, &path)
            };
            assert!(
                holds(typed) && holds(&format!("{typed}/*")) && holds(&format!("{typed}/a.md"))
            );
            assert!(holds("Gr*\u{df}en/*") && holds(&format!("./{typed}/a.md")));
            assert!(holds(&format!("d/{typed}/a.md")) && !holds("Grossen/*"));
        }
    }
}

#[test]
fn a_question_mark_is_one_character() {
    let holds = |pattern: &str, path: &str| {
        let folder = crate::naming::Folder { given: "d", real: "/home/u" };
        PathGlob::new(pattern).unwrap().matches(folder, path)
    };
    assert!(holds("Gr??en.md", "Gr\u{f6}\u{df}en.md") && holds("?.md", "\u{1f3fa}.md"));
    assert!(holds("?.md", "a.md") && holds("?/b.md", "\u{e9}/b.md") && holds("[^/]?", "\u{e9}b"));
    assert!(
        !holds("???.md", "Gr\u{f6}\u{df}en.md")
            && !holds("?", "ab")
            && !holds("??.md", "\u{f6}.md")
    );
}

#[test]
fn every_field_compares() {
    for yes in [
        "path:guides/**",
        "path:guides",
        "path:/guides/deep",
        "path:docs/guides/*/setup.md",
        "path:docs/**",
        "path:*.md",
        "path:deep",
        "path:**/setup.*",
        "path:{guides,other}/**",
        "domain:guides",
        "domain:GUIDES",
        "domain:howto",
        "type:markdown",
        "type:md",
        "lang:EN",
        "date:2026",
        "date:2026-03",
        "date=2026-03-31",
        "date>=2026-03-31",
        "date<=2026-03-31",
        "date<2026-04",
        "date>2025",
        "date<=9999-12-31",
        "date<9999",
        "date>0000-02-29",
        "size=2k",
        "size:2048",
        "size<3KiB",
        "size<=2kb",
        "size>=2048b",
        "size>1k",
        "meta.tags:linux",
        "meta.TAGS:LINUX",
        "meta.tag:linux",
        "meta.authors:\"ada lovelace\"",
        "meta.version>9",
        "meta.version<=10.0",
        "meta.author:\"ada lovelace\"",
        "meta.author:*",
        "meta.author = *",
    ] {
        check(yes, true);
        check(&format!("not {yes}"), false);
    }
    for no in [
        "path:*.rs",
        "path:deep/**",
        "path:guides/*.md",
        "path:docs/deep",
        "domain:deep",
        "domain:setup.md",
        "type:text",
        "lang:de",
        "date>2026-03-31",
        "date<2026",
        "size<2k",
        "meta.tags:windows",
        "meta.ta:linux",
        "meta.absent:*",
        "meta.version>10",
    ] {
        check(no, false);
        check(&format!("NOT {no}"), true);
    }
}

#[test]
fn unknown_facts_match_nothing() {
    let meta = BTreeMap::new();
    let document = DocumentFacts {
        root: ".",
        real: "/home/u",
        path: "a",
        format: None,
        language: None,
        modified_s: None,
        size_bytes: 0,
        meta: &meta,
    };
    for filter in ["type:text", "lang:en", "date>=1970", "date<9999", "meta.a:*", "domain:a"] {
        assert!(!Filter::parse(filter).unwrap().matches(&document), "{filter}");
    }
}

#[test]
fn not_binds_before_and_and_before_or() {
    check("lang:en or lang:de and lang:fr", true);
    check("(lang:en or lang:de) and lang:fr", false);
    check("not lang:de and lang:en", true);
    check("not (lang:de or lang:en)", false);
    check("not not lang:en", true);
    check("lang:de Or (lang:fr OR (lang:en AND type:markdown))", true);
    let text = |filter: &str| Filter::parse(filter).unwrap().to_string();
    assert_eq!(text(" lang:DE  or type:md and(size<1k) "), "(lang:de or (type:md and size<1024))");
    assert_eq!(text("path:\"a b/(c)\""), "path:\"a b/(c)\"");
}

#[track_caller]
fn refuse(filter: &str, column: usize, why: &str) {
    let fault = Filter::parse(filter).unwrap_err();
    let message = fault.to_string();
    assert_eq!(fault.kind(), Kind::Usage, "{filter}");
    assert!(
        message.contains(&format!("at column {column}: ")) && message.contains(why),
        "{filter}: {message}"
    );
    let caret = message.lines().last().unwrap();
    assert!(caret.trim() == "^" && caret.chars().count() == 2 + column, "{filter}: {message}");
}

#[test]
fn errors_point_at_their_column() {
    refuse("", 1, "a test such as");
    refuse("  ", 3, "a test such as");
    refuse("type:markdown && lang:de", 15, "expected `and`, `or` or the end");
    refuse("type:markdown lang:de", 15, "expected `and`, `or` or the end");
    refuse("type:markdown and", 18, "a test such as");
    refuse("(type:markdown", 1, "never closed");
    refuse("(type:markdown lang:de)", 16, "expected `and`, `or` or `)`");
    refuse("type:markdown)", 14, "no opening one");
    refuse("colour:red", 1, "no field `colour`");
    refuse("meta.:x", 1, "no field");
    refuse("lang:de or type", 16, "after `type`");
    refuse("type:", 6, "expected a value");
    refuse("path:\"a", 6, "this quote");
    refuse("path:\"\"", 6, "is empty");
    refuse("lang<de", 5, "has no order");
    refuse("size<big", 6, "is not a size");
    refuse("size<99999999999g", 6, "is not a size");
    refuse("date:2026-02-30", 6, "is not a date");
    refuse("date:2025-02-29", 6, "is not a date");
    refuse("date:2026-13", 6, "is not a date");
    refuse("date:2026-00", 6, "is not a date");
    refuse("date:2026-01-00", 6, "is not a date");
    refuse("date:26", 6, "is not a date");
    refuse("date:2026-01-01-01", 6, "is not a date");
    refuse("lang:ü and path:a[", 17, "unclosed");
}

#[test]
fn filters_have_limits() {
    let deep = |n: usize| format!("{}lang:en{}", "(".repeat(n), ")".repeat(n));
    assert!(Filter::parse(&deep(MAX_DEPTH - 1)).is_ok());
    let message = Filter::parse(&deep(MAX_DEPTH)).unwrap_err().to_string();
    assert!(message.contains("at column 65: it is nested deeper than 64\n  …(((("), "{message}");
    for text in [deep(10_000), "not ".repeat(10_000), "(".repeat(10_000)] {
        assert!(Filter::parse(&text).unwrap_err().to_string().contains("more than the limit"));
    }
    assert!(
        Filter::parse(&"(".repeat(MAX_BYTES)).unwrap_err().to_string().contains("nested deeper")
    );
    let many = |n: usize| vec!["size>1"; n].join(" or ");
    assert!(Filter::parse(&many(MAX_TESTS)).is_ok());
    assert!(Filter::parse(&many(MAX_TESTS + 1)).unwrap_err().to_string().contains("tests"));
    let long = format!("lang:{}", "ü".repeat(1000));
    let message = Filter::parse(&format!("{long} ?")).unwrap_err().to_string();
    assert!(message.contains("at column 1007") && message.chars().count() < 300, "{message}");
}

/// Filters by the grammar.
fn filters() -> impl Strategy<Value = String> {
    let word = "[a-zA-Z0-9.*?/(){}\\[\\]\\\\\" ü_-]{1,12}";
    let quoted =
        |value: String| format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""));
    let test = prop_oneof![
        ("path|domain|type|lang", word)
            .prop_map(move |(key, value)| format!("{key}:{}", quoted(value))),
        ("meta\\.[a-z]{1,5}", "[:=<>]|<=|>=", word)
            .prop_map(move |(key, op, value)| format!("{key}{op}{}", quoted(value))),
        ("[:<>]|<=|>=", 0u64..10_000_000).prop_map(|(op, n)| format!("size{op}{n}")),
        ("[:<>]|<=|>=", 1000u32..9999, 1u32..13)
            .prop_map(|(op, y, m)| format!("date{op}{y}-{m:02}")),
    ];
    test.prop_recursive(6, 40, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| format!("not {inner}")),
            inner.clone().prop_map(|inner| format!("( {inner})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("{a} and {b}")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("{a} OR {b}")),
        ]
    })
}

proptest! {
    #[test]
    fn the_canonical_text_is_stable(filter in filters()) {
        // A pattern for paths may be invalid; everything else is valid by the grammar.
        match Filter::parse(&filter) {
            Ok(parsed) => {
                let text = parsed.to_string();
                let again = Filter::parse(&text)
                    .map_err(|e| TestCaseError::fail(format!("{filter} → {text}: {e}")))?;
                prop_assert_eq!(again.to_string(), text);
            }
            Err(fault) => prop_assert!(filter.contains("path:"), "{}: {}", filter, fault),
        }
    }

    #[test]
    fn any_text_is_a_filter_or_a_usage_fault(text in "\\PC{0,80}") {
        fuzz(&text);
    }
}

fn fuzz(text: &str) {
    match Filter::parse(text) {
        Ok(filter) => drop(Filter::parse(&filter.to_string()).unwrap()),
        Err(fault) => assert_eq!(fault.kind(), Kind::Usage),
    }
}

/// Pieces of the grammar in any order, from a fixed seed.
#[test]
fn pieces_in_any_order_do_no_harm() {
    let pieces = [
        "(", ")", "not ", " and ", " or ", "path", ":", "<", "<=", "=", "\"", "\\", "**", "{", "}",
        "[", "]", "size", "1k", "date", "2026-03", "meta.", "tags", "ü", "\u{202e}", "\n", " ",
        "lang:de", "',--;", "%_", "\0",
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..3_000 {
        let mut text = String::new();
        for _ in 0..state % 24 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            text.push_str(pieces[(state >> 33) as usize % pieces.len()]);
        }
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        fuzz(&text);
    }
}
