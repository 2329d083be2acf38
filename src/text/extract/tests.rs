use encoding_rs::{BIG5, EUC_JP, EUC_KR, Encoding, GB18030, ISO_2022_JP, SHIFT_JIS, WINDOWS_1252};
use proptest::prelude::*;

use super::*;
use crate::document::{Lines, Span};

mod documents;
mod markup;
mod markup_marks;
#[cfg(feature = "office")]
mod office;
mod records;

/// The blocks of a document, one line each: kind, then text.
fn blocks(path: &str, text: &str) -> Vec<String> {
    let doc = extract(path, text.as_bytes()).unwrap();
    let mut end = 0;
    doc.blocks
        .iter()
        .map(|block| {
            assert!(end <= block.span.start && !block.span.is_empty(), "{:?}", doc.blocks);
            end = block.span.end;
            let text = &doc.text[block.span.range()];
            match &block.kind {
                BlockKind::Heading { level, text } => format!("h{level} {text}"),
                BlockKind::Table { .. } => format!("table {text}"),
                kind => format!("{} {text}", format!("{kind:?}").to_lowercase()),
            }
        })
        .collect()
}

fn title(path: &str, text: &str) -> Option<String> {
    extract(path, text.as_bytes()).unwrap().title
}

mod decoding {
    use super::*;

    fn text_of(bytes: &[u8]) -> String {
        extract("a.txt", bytes).unwrap().text
    }

    fn check(text: &str, encoding: &'static Encoding) {
        let (bytes, _, unmappable) = encoding.encode(text);
        assert!(!unmappable, "{}", encoding.name());
        assert_eq!(text_of(&bytes), text, "{}", encoding.name());
    }

    fn utf16(text: &str, bytes_of: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes_of).collect()
    }

    #[test]
    fn encodings_are_detected_from_bytes() {
        check("Der Bär läuft über die Brücke. Ça va? Señor Núñez mañana.", WINDOWS_1252);
        check("これは日本語の文章です。文字コードを当てるための試験です。\n二行目。", SHIFT_JIS);
        check("これは日本語の文章です。文字コードを当てるための試験です。\n二行目。", EUC_JP);
        check(
            "이것은 한국어 문장입니다. 문자 인코딩을 알아내기 위한 시험입니다.\n둘째 줄.",
            EUC_KR,
        );
        check("這是一個中文句子，用來測試字元編碼的偵測。\n第二行也是繁體中文。", BIG5);
        check("这是一个中文句子，用来测试字符编码的检测。\n第二行也是简体中文。", GB18030);
        check("これは日本語です。", ISO_2022_JP);
    }

    #[test]
    fn utf16_is_detected_with_and_without_a_mark() {
        for text in ["Plain words in a file.\r\nAnother line.", "这是一个句子。\n另一行 text"]
        {
            for (bytes_of, mark) in
                [(u16::to_le_bytes as fn(u16) -> _, [0xFF, 0xFE]), (u16::to_be_bytes, [0xFE, 0xFF])]
            {
                let bytes = utf16(text, bytes_of);
                assert_eq!(text_of(&bytes), text);
                let marked = [mark.as_slice(), &bytes].concat();
                assert_eq!(text_of(&marked), text);
                assert_eq!(text_of(&[marked.as_slice(), b"x"].concat()), format!("{text}\u{FFFD}"));
            }
        }
    }

    #[test]
    fn a_byte_order_mark_is_not_text() {
        let doc = extract("a.txt", b"\xEF\xBB\xBFword").unwrap();
        assert_eq!(
            (doc.text.as_str(), doc.origin.bytes(Span::new(0, 4))),
            ("word", Span::new(3, 7))
        );
    }

    #[test]
    fn broken_bytes_become_replacement_characters() {
        let lone_surrogate = "größer und höher "
            .as_bytes()
            .iter()
            .chain(b"\xED\xA0\x80 end")
            .copied()
            .collect::<Vec<_>>();
        assert_eq!(text_of(&lone_surrogate), "größer und höher \u{FFFD} end");
        let torn = ["Ελληνικά γράμματα".as_bytes(), b" \xCE end"].concat();
        assert_eq!(text_of(&torn), "Ελληνικά γράμματα \u{FFFD} end");
        let lone_in_utf16 = [
            &utf16("\u{feff}one and two ", u16::to_le_bytes),
            &0xD800_u16.to_le_bytes()[..],
            b"b\0",
        ]
        .concat();
        assert_eq!(text_of(&lone_in_utf16), "one and two \u{FFFD}b");
    }

    #[test]
    fn a_declaration_is_used_unless_the_bytes_contradict_it() {
        let check = |path: &str, bytes: &[u8], expected: &str| {
            let text = extract(path, bytes).unwrap().text;
            assert!(text.contains(expected), "{path}: {text:?}");
        };
        check("a.html", b"<meta charset=koi8-r><p>\xF0\xD2\xC9\xD7\xC5\xD4", "Привет");
        check("a.html", b"<META http-equiv=x content='text/html; charset=ISO-8859-2'><p>\xB1", "ą");
        check("a.xml", b"<?xml version='1.0' encoding='iso-8859-7'?><a>\xE1\xE2</a>", "αβ");
        check("a.py", b"#!/usr/bin/python\n# -*- coding: latin-1 -*-\nname = '\xE9'\n", "é");
        check("a.css", b"@charset \"windows-1251\";\n/* \xEF\xF0\xE8 */", "при");
        // Valid non-ASCII UTF-8 is never a single-byte encoding.
        check("a.html", "<meta charset=iso-8859-1><p>größer".as_bytes(), "größer");
        check("a.html", "<meta charset=utf-16><p>größer".as_bytes(), "größer");
        check("a.html", "<meta charset=no-such-thing><p>größer".as_bytes(), "größer");
        check("a.py", b"# coding\xE9: nothing", "nothing");
    }

    fn check_binary(bytes: &[u8]) {
        let found = extract("a.txt", bytes);
        assert!(matches!(found, Err(NoText::Binary(_))), "{found:?}");
    }

    #[test]
    fn binary_files_have_no_text() {
        check_binary(&vec![0xFF; 65536]);
        check_binary(b"\x89PNG\r\n\x1A\nwords");
        check_binary(b"\x1F\x8Bwords");
        check_binary(b"text with a \0 in it");
        check_binary(b"\x01\x02\x03 words \x04\x05\x06\x0E");
        check_binary(&(0..=255).cycle().take(4096).collect::<Vec<u8>>());
        check_binary(&(0..4096_u32).flat_map(|n| (n * n).to_le_bytes()).collect::<Vec<u8>>());
        assert_eq!(NoText::Binary("data".into()).text(), "binary (data)");
        for blank in ["", " ", "\r\n\t\n", "\u{feff}\n"] {
            assert_eq!(extract("a.md", blank.as_bytes()), Err(NoText::Empty));
        }
        assert_eq!(extract("a.html", b"<p> <br>"), Err(NoText::Empty));
        // Logs with colours, manual pages with overstrikes and words that look like signatures are
        // text.
        assert!(extract("a.log", b"\x1B[31merror\x1B[0m: it broke").is_ok());
        assert!(extract("ls.txt", b"N\x08NA\x08AM\x08ME\x08E").is_ok());
        assert!(extract("a.txt", b"ID3 tags and RIFF files, BZh too").is_ok());
        assert!(extract("a.txt", b"RIFF and so on").is_ok());
    }

    #[test]
    fn lines_end_with_any_of_three_endings() {
        let doc = extract("a.txt", b"one\ntwo\r\nthree\rfour\n\nsix").unwrap();
        let line_of = |word: &str| {
            let at = doc.text.find(word).unwrap();
            doc.origin.lines(Span::new(at, at + word.len()))
        };
        let lines = ["one", "two", "three", "four", "six"].map(|word| line_of(word).first);
        assert_eq!(lines, [1, 2, 3, 4, 6]);
        assert_eq!(line_of("two\r\nthree"), Lines { first: 2, last: 3 });
        assert_eq!(doc.origin.lines(Span::new(0, 4)), Lines { first: 1, last: 1 });
        assert_eq!(
            doc.origin.lines(Span::new(doc.text.len(), doc.text.len())),
            Lines { first: 6, last: 6 }
        );
    }

    proptest! {
        /// In any encoding, the bytes of a character decode to that character.
        #[test]
        fn characters_are_mapped_to_their_bytes(
            text in "[a-c \n日本語あア가나다é€𝄞😀]{1,60}",
            which in 0..8_usize,
        ) {
            let bytes = match which {
                0 => utf16(&text, u16::to_le_bytes),
                1 => utf16(&text, u16::to_be_bytes),
                2 => text.as_bytes().to_vec(),
                n => [SHIFT_JIS, EUC_KR, BIG5, GB18030, EUC_JP][n - 3].encode(&text).0.into_owned(),
            };
            let decoded = match which {
                0 => [b"\xFF\xFE".as_slice(), &bytes].concat(),
                1 => [b"\xFE\xFF".as_slice(), &bytes].concat(),
                _ => bytes,
            };
            let names =
                ["utf-8", "utf-8", "utf-8", "shift_jis", "euc-kr", "big5", "gb18030", "euc-jp"];
            let name = names[which];
            let Ok(found) = decode::decode(&decoded, Some(name)) else { return Ok(()) };
            let origin = Origin::new(&found.text, found.map, None);
            let mut end = if which < 2 { 2 } else { 0 };
            for (at, c) in found.text.char_indices() {
                let span = origin.bytes(Span::new(at, at + c.len_utf8()));
                prop_assert_eq!(span.start, end);
                end = span.end;
                let piece = &decoded[span.range()];
                let back = match which {
                    0 => encoding_rs::UTF_16LE.decode_without_bom_handling(piece).0.into_owned(),
                    1 => encoding_rs::UTF_16BE.decode_without_bom_handling(piece).0.into_owned(),
                    2 => String::from_utf8_lossy(piece).into_owned(),
                    n => {
                        let encoding = [SHIFT_JIS, EUC_KR, BIG5, GB18030, EUC_JP][n - 3];
                        encoding.decode_without_bom_handling(piece).0.into_owned()
                    }
                };
                prop_assert_eq!(back, c.to_string());
            }
            prop_assert_eq!(end, decoded.len());
        }

        #[test]
        fn no_bytes_cause_a_panic(
            bytes in proptest::collection::vec(any::<u8>(), 0..300),
            path in 0..6_usize,
        ) {
            let path = ["a", "a.md", "a.rst", "a.html", "a.rs", "a.txt"][path];
            if let Ok(doc) = extract(path, &bytes) {
                for block in &doc.blocks {
                    let _ = &doc.text[block.span.range()];
                    prop_assert!(doc.origin.bytes(block.span).end <= bytes.len());
                }
            }
        }
    }
}

mod formats {
    use super::*;

    #[test]
    fn formats_are_detected_by_name_or_first_bytes() {
        let check = |path: &str, text: &str, expected: Format| {
            assert_eq!(extract(path, text.as_bytes()).unwrap().format, expected, "{path}");
        };
        check("docs/README.MD", "text", Format::Markdown);
        check("a.rst", "text", Format::ReStructuredText);
        check("a.htm", "text", Format::Html);
        check("page", " <!DOCTYPE html><p>text", Format::Html);
        check("src/a.rs", "text", Format::Code);
        check("Makefile", "text", Format::Code);
        check("bin/run", "#!/bin/sh\ntext", Format::Code);
        check("COPYING", "text", Format::Plain);
        check("a.d/notes", "text", Format::Plain);
    }

    #[test]
    fn titles_are_one_line_of_bounded_length() {
        assert_eq!(title("a.md", "# A\u{A0} long\ttitle"), Some("A long title".to_owned()));
        let long = title("a.md", &format!("# {}", "word ".repeat(100))).unwrap();
        assert!(long.chars().count() <= 121 && long.ends_with("word…"), "{long}");
        assert_eq!(title("a.md", "# ---\n\ntext"), None);
    }
}

mod markdown_blocks {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(blocks("a.md", text), expected, "{text:?}");
    }

    #[test]
    fn headings_of_both_kinds() {
        check(
            "# One #\ntext\n## Two\nmore",
            &["h1 One", "paragraph text", "h2 Two", "paragraph more"],
        );
        check("One\n===\n\nTwo\n---\ntext", &["h1 One", "h2 Two", "paragraph text"]);
        check(
            "#no heading\n\n####### seven",
            &["paragraph #no heading", "paragraph ####### seven"],
        );
        check("   ### in\n\n    # code", &["h3 in", "code     # code"]);
        check("text\n# Heading\rtext", &["paragraph text", "h1 Heading", "paragraph text"]);
        check("a\nb\nc\nd\n---\ne", &["paragraph a\nb\nc\nd", "paragraph e"]);
    }

    #[test]
    fn headings_have_no_markup() {
        let check = |text: &str, expected: &str| {
            assert_eq!(blocks("a.md", text), [format!("h2 {expected}")]);
        };
        check("## The `walk` *function* {#walk}", "The walk function");
        check("## See [the **book**](http://x/y) and [more][m]", "See the book and more");
        check("## snake_case and _emphasis_ \\_kept\\_", "snake_case and emphasis _kept_");
        check(
            "## <a id=\"x\"></a>Vec<T> ![logo](l.png)",
            "VecT> logo".replace("VecT>", "Vec").as_str(),
        );
        check("## C\\# & __init__", "C# & __init__");
    }

    #[test]
    fn code_stays_whole_and_has_no_headings() {
        check(
            "```sh\n# not a heading\n```\ntext",
            &["code ```sh\n# not a heading\n```", "paragraph text"],
        );
        check("~~~~\n~~~\n```\n~~~~", &["code ~~~~\n~~~\n```\n~~~~"]);
        check("```\nopen", &["code ```\nopen"]);
        check(
            "text\n\n    code\n\n    more\n\ntext",
            &["paragraph text", "code     code\n\n    more", "paragraph text"],
        );
        check(
            "1. item\n\n   ```\n   # x\n   ```\n",
            &["listitem 1. item", "code    ```\n   # x\n   ```"],
        );
    }

    #[test]
    fn lists_quotes_and_tables() {
        check("- a\n  b\n- c\n  * d", &["listitem - a\n  b", "listitem - c", "listitem   * d"]);
        check("born in\n1970. A year", &["paragraph born in\n1970. A year"]);
        check("> a\n> # b\n\nc", &["quote > a\n> # b", "paragraph c"]);
        check("a | b\n--|--\n1 | 2\n\nc", &["table a | b\n--|--\n1 | 2", "paragraph c"]);
        check("a\n\n***\n\nb", &["paragraph a", "paragraph b"]);
    }

    #[test]
    fn comments_and_definitions_are_not_blocks() {
        check("<!-- a\n# b -->\ntext", &["paragraph text"]);
        check("<!-- open\ntext", &["paragraph <!-- open\ntext"]);
        check("<!-- a --> text", &["paragraph <!-- a --> text"]);
        check("[a]: http://x\n[^1]: A note.", &["paragraph [^1]: A note."]);
        check("---\ntitle: \"The: Title\"\ntags: [a]\n---\n# H\n", &["h1 H"]);
        check("+++\ntitle = 'T'\n+++\ntext", &["paragraph text"]);
        check("---\n\nno front matter\n\n---\n", &["paragraph no front matter"]);
    }

    #[test]
    fn the_title_comes_from_the_front_matter_or_the_first_heading() {
        let check = |text: &str, expected: Option<&str>| {
            assert_eq!(title("a.md", text).as_deref(), expected, "{text:?}");
        };
        check("---\ntitle: \"The: Title\"\n---\n# H\n", Some("The: Title"));
        check("+++\ntitle = 'T'\n+++\ntext", Some("T"));
        check("![badge](x)\n\n## Sub\n\n# H", Some("H"));
        check("## Chapter\n\n### Section\n\n### Section", Some("Chapter"));
        check("## One\n\n## Two", None);
        check("text", None);
    }
}

mod rst_blocks {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(blocks("a.rst", text), expected, "{text:?}");
    }

    #[test]
    fn levels_follow_the_order_of_first_appearance() {
        check(
            "=====\nTitle\n=====\n\nOne\n---\n\ntext\n\nDeep\n....\n\nTwo\n---\n",
            &["h1 Title", "h2 One", "paragraph text", "h3 Deep", "h2 Two"],
        );
        check("A ``b``\n-------\n\nC\n==\n", &["h1 A b", "h2 C"]);
        assert_eq!(
            title("a.rst", ".. _x:\n\nTitle\n=====\n\nA\n-\n\nSub\n---\n").as_deref(),
            Some("Title")
        );
        assert_eq!(title("a.rst", "One\n===\n\nTwo\n===\n"), None);
    }

    #[test]
    fn directives_are_text_and_comments_are_not() {
        check(
            ".. note:: Mind this.\n   And that.\n\ntext",
            &["paragraph .. note:: Mind this.\n   And that.", "paragraph text"],
        );
        check(".. a comment\n   goes on\n\n   and on\n\ntext", &["paragraph text"]);
        check(
            "see::\n\n   code\n\n   more\n\ntext",
            &["paragraph see::", "code    code\n\n   more", "paragraph text"],
        );
        check("=====  =====\na      b\n=====  =====", &["table a | b"]);
        check("- a\n- b\n  c", &["listitem - a", "listitem - b\n  c"]);
    }
}

mod plain_blocks {
    use super::*;

    fn check(text: &str, expected: &[&str]) {
        assert_eq!(blocks("a.txt", text), expected, "{text:?}");
    }

    #[test]
    fn paragraphs_are_separated_by_empty_lines() {
        check("one\ntwo\n\n \nthree", &["paragraph one\ntwo", "paragraph three"]);
        check("\r\n\r\none\r\n\r\ntwo\r\n", &["paragraph one", "paragraph two"]);
    }

    #[test]
    fn unambiguous_headings() {
        check(
            "Title\n=====\n\ntext\n\nPart\n----\ntext",
            &["h1 Title", "paragraph text", "h2 Part", "paragraph text"],
        );
        check(
            "NAME\n    ls - list\n\nSEE ALSO\n    dir",
            &["h1 NAME", "paragraph     ls - list", "h1 SEE ALSO", "paragraph     dir"],
        );
        check(
            "1.  Introduction\n\ntext\n\n1.2. Terms\n\ntext",
            &["h1 1.  Introduction", "paragraph text", "h2 1.2. Terms", "paragraph text"],
        );
        check(
            "a (1.2-3) unstable; urgency=low\n\n  * b",
            &["h1 a (1.2-3) unstable; urgency=low", "paragraph   * b"],
        );
    }

    #[test]
    fn lines_that_only_look_like_headings() {
        check("OK\n\nDO NOT\ndo that", &["paragraph OK", "paragraph DO NOT\ndo that"]);
        check(
            "1. Do this first.\n\n2. Do that",
            &["paragraph 1. Do this first.", "paragraph 2. Do that"],
        );
        check(
            "a\n--\n\n  indented\n  --------",
            &["paragraph a\n--", "paragraph   indented\n  --------"],
        );
        check("1.1  Intro . . . . . 3", &["paragraph 1.1  Intro . . . . . 3"]);
    }
}

mod code_blocks {
    use super::*;

    #[test]
    fn a_function_with_its_comment_is_one_block() {
        let text = "use a;\n\n/// Says it.\nfn one() {\n    a();\n\n    b();\n}\n\nfn two() {}\n";
        let expected = [
            "code use a;",
            "code /// Says it.\nfn one() {\n    a();\n\n    b();\n}",
            "code fn two() {}",
        ];
        assert_eq!(blocks("a.rs", text), expected);
        assert_eq!(
            blocks("a.sh", "if a\nthen b\n\nelse c\n\nfi\n"),
            ["code if a\nthen b\n\nelse c\n\nfi"]
        );
        assert_eq!(blocks("a.py", "  x = 1\n\n  y = 2\n"), ["code   x = 1\n\n  y = 2"]);
    }
}

mod pages {
    use super::*;

    fn check(html: &str, expected: &str) {
        assert_eq!(extract("a.html", html.as_bytes()).unwrap().text, expected, "{html}");
    }

    #[test]
    fn the_text_is_what_a_reader_sees() {
        check("<p>one <b>two</b>\n  three<p>four", "one two three\n\nfour");
        check("a<br>b<br/>c", "a\nb\nc");
        check(
            "<ul><li>a<li>b<ul><li>c</ul></ul><ol start=1><li>x<li>y</ol>",
            "- a\n- b\n  - c\n1. x\n2. y",
        );
        check(
            "<dl><dt>term<dd>meaning<dt>other</dt><dd><p>more</p><p>still</dl>",
            "term\nmeaning\n\nother\nmore\n\nstill",
        );
        check(
            "<table><tr><th>a<th>b<tr><td>1<td><p>2</p><p>3</table>after",
            "a | b\n1 | 2 3\n\nafter",
        );
        check(
            "<table><tr><td></td><td colspan=2>b<td>c<tr><td>1<td><td>2<td></table>",
            " | b | b | c\n1 |  | 2",
        );
        check(
            "<table><tr><th rowspan=2>Bay<th colspan=2>Clearance<tr><th>Intake<th>Exhaust\
             <tr><td rowspan=2>one<td>1<td>2<tr><td>3<td>4</table>",
            "Bay | Clearance | Clearance\nBay | Intake | Exhaust\none | 1 | 2\none | 3 | 4",
        );
        let captioned =
            "<table><caption>Sizes</caption><thead><tr><th>a<th>b<tbody><tr><td>1<td>2</table>";
        let found = extract("a.html", captioned.as_bytes()).unwrap();
        assert_eq!(found.blocks[1].kind, BlockKind::Table { headers: 1 });
        check(
            "<table><tr><td colspan=2>Title<tr><td>1<td rowspan=9>a<tr><td>2<td>b</table>c",
            "Title\n1 | a\n2 | a | b\n\nc",
        );
        check("<p><ruby>漢<rp>(</rp><rt>kan</rt>字<rt>ji</ruby>が", "漢字が");
        check("x<pre>\n  a &lt; b\n\n  c</pre>y", "x\n\n  a < b\n\n  c\n\ny");
        check("<p>A <img src=x alt='red  fox'> ran", "A red fox ran");
        check("<h1>A <a>b</a><a class=headerlink>¶</a></h1>c", "A b\n\nc");
        check("a<!-- b -->c<script>d < e</script><style>f</style>g", "acg");
        check("a<p>b <a href=", "a\n\nb");
    }

    #[test]
    fn entities_are_decoded() {
        check(
            "&lt;&amp;&eacute;&#x41;&#66;&nbsp;&hellip;&notin;&bogus; & &copy 2024 AT&T",
            "<&éAB …∉&bogus; & © 2024 AT&T",
        );
        check("<title>A &amp; B</title><p>c", "c");
        assert_eq!(
            title("a.html", "<title>\n A &amp; B </title><h1>C</h1>").as_deref(),
            Some("A & B")
        );
        assert_eq!(title("a.html", "<h1>C</h1>d").as_deref(), Some("C"));
    }

    #[test]
    fn blocks_have_kinds() {
        let html = "<h2>A <code>b</code> §</h2><p>c</p><blockquote><p>d</blockquote>\
             <ul><li>e</ul><pre>f</pre><table><td>g</table>";
        let expected = ["h2 A b", "paragraph c", "quote d", "listitem - e", "code f", "table g"];
        assert_eq!(blocks("a.html", html), expected);
        assert_eq!(blocks("a.html", "<h1>A<p>b</h1>c"), ["h1 A", "paragraph b", "paragraph c"]);
    }

    #[test]
    fn only_the_main_content_is_kept() {
        check(
            "<nav>n</nav><header>h</header><main>m \
             <aside>a</aside><footer>in</footer></main><footer>f</footer>",
            "m\n\na\n\nin",
        );
        check("<header>h</header><article>a</article><p>b</p><footer>f</footer>", "a\n\nb");
        check(
            "<header>h</header><p>b</p><nav><ul><li>n</ul></nav><footer>f</footer>",
            "h\n\nb\n\nf",
        );
        check(
            "<div role=navigation><div>n</div></div><div role=main><div>m</div>n</div>x",
            "m\n\nn",
        );
        check(
            "<p hidden>a</p>b<span style='display: none'>c<span>d</span></span>e<div \
             aria-hidden=true>f</div>",
            "be",
        );
        check("<td class='linenos other'><pre>1\n2</pre></td>a", "a");
    }

    #[test]
    fn everything_is_kept_if_nothing_would_be_left() {
        check("<nav>a<ul><li>b</ul></nav>", "a\n\n- b");
        check("<div hidden>a</div>", "a");
        check("<main></main><p>a", "a");
    }

    #[test]
    fn an_unclosed_element_does_not_hide_the_page() {
        check("<div><p hidden>a</div><p>b", "b");
        check("<p hidden>a<p>b", "b");
        check("<main><nav>a</main>b", "b");
    }

    #[test]
    fn depth_costs_nothing() {
        let n = 100_000;
        let html = format!(
            "{}deep{}",
            "<div><nav><table><ul><blockquote>".repeat(n),
            "</span></section></nav></main>".repeat(n)
        );
        check(&html, "deep");
        assert!(extract("a.html", "<p hidden>".repeat(n).as_bytes()).is_err());
        assert!(extract("a.html", "&".repeat(n).as_bytes()).is_ok());
        assert!(extract("a.html", format!("<a {}>b", "x=y ".repeat(n)).as_bytes()).is_ok());
    }

    #[test]
    fn spans_are_mapped_through_entities_and_encodings() {
        let html = "<meta charset=shift_jis>\n<p>日本 &amp;\n  <b>語</b></p>";
        let (bytes, ..) = SHIFT_JIS.encode(html);
        let doc = extract("a.html", &bytes).unwrap();
        assert_eq!(doc.text, "日本 & 語");
        let source = |part: &str| {
            let at = doc.text.find(part).unwrap();
            let span = Span::new(at, at + part.len());
            let bytes = &bytes[doc.origin.bytes(span).range()];
            (SHIFT_JIS.decode(bytes).0.into_owned(), doc.origin.lines(span))
        };
        assert_eq!(source("本"), ("本".to_owned(), Lines { first: 2, last: 2 }));
        assert_eq!(source("&"), ("&amp;".to_owned(), Lines { first: 2, last: 2 }));
        assert_eq!(
            source("本 & 語"),
            ("本 &amp;\n  <b>語".to_owned(), Lines { first: 2, last: 3 })
        );
    }

    /// Parts of a page, and the words that a reader sees of them.
    fn page() -> impl Strategy<Value = Vec<(String, Option<String>)>> {
        let word = "[a-z]{1,6}".prop_map(|word| (word.clone(), Some(word)));
        let markup = prop_oneof![
            Just("<p>"),
            Just("</p>"),
            Just("<div\r\n class='a>b'>"),
            Just("</div>"),
            Just("<br>"),
            Just("<LI>"),
            Just("<ul>"),
            Just("</ul>"),
            Just("<td>"),
            Just("<table>"),
            Just("</table>"),
            Just("<h1>"),
            Just("</h1>"),
            Just("<b a=\"1&amp;2\" b=c\rd='é'>"),
            Just("</b \r\n>"),
            Just("<!-- x > y -->"),
            Just("<!x>"),
            Just("<?y?>"),
            Just("<pre>\r\n"),
            Just("</pre>"),
            Just("<script>z<z</script>"),
            Just("\r"),
            Just("\r\n"),
            Just(" "),
            Just("<style>\r\n</style>"),
            Just("<dt>"),
            Just("<dd>"),
            Just("<blockquote>"),
            Just("</blockquote>"),
        ];
        let entity = prop_oneof![
            Just(("&eacute;".to_owned(), Some("é".to_owned()))),
            Just(("&#x4E2D;".to_owned(), Some("中".to_owned()))),
            Just(("&frac12".to_owned(), Some("½".to_owned()))),
        ];
        let part =
            prop_oneof![3 => word, 4 => markup.prop_map(|tag| (tag.to_owned(), None)), 1 => entity];
        proptest::collection::vec(part, 0..40)
    }

    proptest! {
        #[test]
        fn words_are_kept_and_mapped_to_their_source(parts in page()) {
            let mut html = String::new();
            let mut expected = Vec::new();
            for (source, word) in &parts {
                // A tag keeps a word from running into the next entity or word.
                html.push_str("<i>");
                if let Some(word) = word {
                    expected.push((html.len(), source.len(), word.clone()));
                }
                html.push_str(source);
            }
            let Ok(doc) = extract("a.html", html.as_bytes()) else {
                prop_assert!(expected.is_empty());
                return Ok(());
            };
            let mut at = 0;
            for (source, len, word) in expected {
                let found = doc.text[at..].find(&word);
                prop_assert!(found.is_some(), "{word} in {:?} of {html:?}", &doc.text[at..]);
                let start = at + found.unwrap();
                at = start + word.len();
                let bytes = doc.origin.bytes(Span::new(start, at));
                prop_assert_eq!(bytes, Span::new(source, source + len), "{} {}", word, &html);
            }
            prop_assert!(!doc.text[at..].chars().any(char::is_alphabetic));
            for block in &doc.blocks {
                let text = &doc.text[block.span.range()];
                prop_assert!(!text.trim().is_empty() && text.trim_end() == text);
            }
        }
    }
}
