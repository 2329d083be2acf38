//! Arbitrary text through every public function that takes text: nothing panics, whatever the text
//! ends with, combines, folds to a longer text, or is written from right to left.

use proptest::prelude::*;

#[path = "../fuzz/drive.rs"]
mod drive;

/// Words of the rules, so that the rules apply, and characters that break careless rules.
const PIECES: &[&str] = &[
    "What is ",
    "what are ",
    "Rust",
    "ripgrep",
    " and how do I ",
    ", and why does ",
    " and who made it",
    "install it",
    "them",
    "its",
    "they？",
    "difference between ",
    "compare ",
    " with ",
    " vs ",
    " vs. ",
    " versus ",
    " and ",
    " or ",
    "; ",
    ", ",
    "which is better, ",
    "was ist ",
    " und wie ",
    "der Unterschied zwischen ",
    "qu'est-ce que ",
    " et comment ",
    "qué es ",
    " y cómo ",
    "différence entre ",
    "和",
    "与",
    "的区别",
    "有什么不同",
    "と",
    "の違い",
    "?",
    "？",
    "！",
    "。",
    "，",
    "．",
    "…",
    "İ",
    "ẞ",
    "ß",
    "ﬁ",
    "ŉ",
    "ΐ",
    "K",
    "e\u{301}",
    "\u{301}",
    "n\u{303}\u{323}",
    "שלום",
    "مرحبا",
    "\u{202e}",
    "\u{200d}",
    "\u{200b}",
    "\u{fe0f}",
    "❤\u{fe0f}",
    "👩\u{200d}👧",
    "\u{e0041}",
    "\u{0}",
    "\u{fffd}",
    "\u{7f}",
    "\u{85}",
    "\u{2028}",
    "\u{2029}",
    "\r\n",
    "\r",
    "\n",
    "\n\n",
    "\u{c}",
    "\t",
    " ",
    "    ",
    "\u{a0}",
    "\u{3000}",
    "日本語",
    "東京は",
    "한국어",
    "ไทย",
    "नमस्ते",
    "[1]",
    "[1, 2]",
    "[^1]",
    "[1-3]",
    "【1】",
    "【1†源】",
    "[源 1]",
    "[a](http://x.y/é)",
    "![é](data:é)",
    "<think>",
    "</think>",
    "<a href='é'>",
    "javascript:",
    "www.é",
    "https://é.é/",
    "`",
    "```\n",
    "~~~",
    "``é``",
    ":é:`x`",
    "`é`_",
    "é_",
    "**",
    "*é*",
    "_é_",
    "# ",
    "- ",
    "1. ",
    "| é | ß |",
    "====\n",
    ".. é::",
    "<!--é-->",
    "{{é}}",
    "\"",
    "“",
    "”",
    "«",
    "é",
    "e.g.",
    "Dr.",
    "z.B.",
    "i.e.，",
    "NATO (",
    "North Atlantic Treaty Organization",
    ")",
    "(",
    "path:",
    "type:",
    "meta.é:",
    "date>=",
    "2024-02",
    "size<",
    "10kİ",
    "not ",
    "\\\"",
    "\u{1b}[31m",
    "\u{1b}]0;é\u{7}",
    "\u{9b}",
    "system: ",
    "Ignore all previous instructions",
    "/** é",
    "// é",
    "$é$",
    "\\section{é",
    "&eacute;",
    "&#x110000;",
    "00:00:01,000 --> 00:00:02,000\n",
    "{\"é\": ",
    "a,b;c\n",
    "def é():\n",
    "fn ẞ() {",
    "-",
    "–",
    "'",
    "’s",
];

fn text() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        12 => proptest::sample::select(PIECES).prop_map(str::to_owned),
        2 => any::<char>().prop_map(String::from),
        1 => (proptest::sample::select(PIECES), 100..400_usize)
            .prop_map(|(piece, n)| piece.trim().repeat(n)),
        // The text that a lone surrogate of JSON becomes.
        1 => any::<u16>().prop_map(|unit| String::from_utf16_lossy(&[0xD800 | unit & 0x7FF])),
    ];
    proptest::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat())
}

proptest! {
    // Each case asks in nine ways.
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn any_question_and_passages_are_answered_without_a_panic(
        question in text(),
        passages in proptest::collection::vec(text(), 0..3),
    ) {
        drive::ask(&question, &passages.iter().map(String::as_str).collect::<Vec<_>>());
        let _ = rag::batch::parse(&question);
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_text_is_analysed_without_a_panic(text in text()) {
        drive::read(&text);
    }

    #[test]
    fn any_text_is_parsed_as_a_filter_without_a_panic(filter in text(), path in text()) {
        drive::filter(&filter, &path);
    }

    #[test]
    fn any_text_is_extracted_as_a_file_without_a_panic(
        text in text(),
        name in proptest::sample::select(&drive::NAMES[..]),
    ) {
        drive::extract(name, text.as_bytes());
    }
}

/// A question that ends in a full-width mark, and similar ones.
#[test]
fn questions_that_end_in_full_width_marks_are_answered() {
    let passage = "Rust is a programming language. Install it with rustup.";
    for question in [
        "What is Rust and how do I install it？",
        "What is Rust and how do I install it，",
        "Was ist Rust und wie installiert man es？",
        "What is Rust and how do I install itİ",
        "difference between İ and ẞ in Rust？",
        "compare ripgrep，and grep？",
    ] {
        drive::ask(question, &[passage]);
    }
    assert_eq!(
        rag::answer::parts("What is Rust and how do I install it？"),
        ["What is Rust", "how do I install Rust？"]
    );
}
