use std::fs;

use super::*;

pub(crate) mod retrieval;

#[track_caller]
fn check(text: &str, language: Option<&str>, expected: &str) {
    let mut found = Vec::new();
    let mut last = 0;
    index_terms(text, language, &mut |term| {
        assert!(
            text.get(term.start..term.end).is_some_and(|raw| !raw.is_empty()),
            "{term:?} covers characters of {text:?}"
        );
        found.push(format!("{}@{}", term.text, term.position));
        last = last.max(term.position);
    });
    assert_eq!(found.join(" "), expected, "terms of {text:?}");
}

#[test]
fn words_are_normalized_and_stemmed() {
    check("The quick foxes", Some("en"), "the@0 quick@1 fox@2");
    check("The quick foxes", None, "the@0 quick@1 foxes@2");
    check("Café CAFÉ cafe\u{301} naïve", None, "cafe@0 cafe@1 cafe@2 naive@3");
    check("ﬁle ＦＵＬＬ H₂O x² 6½", None, "file@0 full@1 h2o@2 x2@3 6½@4");
    check("Straße Äpfel Häuser", Some("deu"), "strass@0 apfel@1 haus@2");
    check("Москва ёлка стои\u{301}т", None, "москва@0 елка@1 стоит@2");
    check("Ὀδυσσεύς", None, "οδυσσευσ@0");
    check("İstanbul ILIK", None, "istanbul@0 ilik@1");
    check("co\u{ad}operate", None, "cooperate@0");
    check("1,234,567.5 ١٢٣", None, "1234567.5@0 1234567@0 123@1");
    check("$1,299.00 1.299,00", None, "1299.00@0 1299@0 1299.00@1 1299@1");
    check("978-3-16", None, "978-3-16@0 978@0 3@1 16@2");
    check(
        "978-3-16-148410-0",
        None,
        "978-3-16-148410-0@0 9783161484100@0 978@0 3@1 16@2 148410@3 0@4",
    );
}

#[test]
fn words_with_accents_are_indexed_without_them_too() {
    // Snowball needs the accent to know the suffix; both forms share a position.
    check("mangée", Some("fr"), "mang@0 mange@0");
    check("canciones", Some("es"), "cancion@0");
}

#[test]
fn apostrophes() {
    check("don't Newton's we'll O'Brien it's", None, "dont@0 newton@1 we@2 obrien@3 it@4");
    check("l'homme dell’arte d’Artagnan’s", None, "homme@0 arte@1 artagnan@2");
    check("rock 'n' roll", None, "rock@0 n@1 roll@2");
}

#[test]
fn compounds_are_indexed_whole_and_in_parts() {
    check("foo_bar", None, "foo_bar@0 foobar@0 foo@0 bar@1");
    check("foo-bar", None, "foo-bar@0 foobar@0 foo@0 bar@1");
    check("fooBar FooBar", None, "foobar@0 foo@0 bar@0 foobar@1 foo@1 bar@1");
    check("v1.2.3", None, "v1.2.3@0 1.2.3@0 1@0 2@1 3@2");
    check("192.168.0.1", None, "192.168.0.1@0 192@0 168@1 0@2 1@3");
    check("3.14 12:30", None, "3.14@0 3@0 14@1 12:30@2 12@2 30@3");
    check("std::fs::write", None, "std::fs::write@0 std@0 fs@1 write@2");
    check("path/to/file.rs", None, "path/to/file.rs@0 path@0 to@1 file.rs@2 filers@2 file@2 rs@3");
    check(
        "user@example.com",
        None,
        "user@example.com@0 user@0 example.com@1 examplecom@1 example@1 com@2",
    );
    check("C++ C# g++.", None, "c++@0 c@0 c#@1 c@1 g++@2 g@2");
    check(
        ".NET node.js AT&T",
        None,
        ".net@0 net@0 node.js@1 nodejs@1 node@1 js@2 at&t@3 att@3 at@3 t@4",
    );
    check("--no-cache -k", None, "--no-cache@0 no-cache@0 nocache@0 no@0 cache@1 -k@2 k@2");
    check("__init__ ____ --- ...", None, "__init__@0 init@0");
    check(
        "HTTPServer iPhone IPv6 PhD mRNA",
        None,
        "httpserver@0 http@0 server@0 iphone@1 ipv6@2 phd@3 mrna@4",
    );
    check("U.S.A. e.g.", None, "u.s.a@0 usa@0 u@0 s@1 a@2 e.g@3 eg@3 e@3 g@4");
    check("e-mails", Some("en"), "e-mails@0 email@0 e@0 mail@1");
    check("end.Next word--word", None, "end.next@0 endnext@0 end@0 next@1 word@2 word@3");
}

#[test]
fn scripts_without_spaces() {
    check("我爱北京 2023年", Some("zh"), "我@0 我爱@0 爱@1 爱北@1 北@2 北京@2 京@3 2023@4 年@5");
    check("Rust语言", None, "rust@0 语@1 语言@1 言@2");
    check("ﾄﾞｱを", Some("ja"), "ド@0 ドア@0 ア@1 アを@1 を@2");
    check("한국어 검색", Some("ko"), "한@0 한국@0 국@1 국어@1 어@2 검@3 검색@3 색@4");
    check("\u{1112}\u{1161}\u{11ab}", None, "한@0");
    check("ภาษาไทยง่าย", Some("th"), "ภาษา@0 ไทย@1 ง่าย@2");
    check("हिन्दी में खोज", Some("hi"), "हिन्दी@0 में@1 खोज@2");
    check("الكِتَاب والكتاب", None, "الكتاب@0 والكتاب@1");
    check("🦀 rocks", None, "🦀@0 rocks@1");
}

#[test]
fn long_words_are_cut_in_index_and_query() {
    let long = "x".repeat(200);
    check(&long, None, &format!("{}@0", "x".repeat(64)));
    assert_eq!(query_terms(&long, &[]).terms[0].variants, ["x".repeat(64)]);
}

/// `variants*weight`, a `p` for parts; then the phrases as `variants+offset`.
#[track_caller]
fn check_query(text: &str, languages: &[&str], expected: &str) {
    let query = query_terms(text, languages);
    let mut found: Vec<String> = query
        .terms
        .iter()
        .map(|term| {
            format!(
                "{}*{}{}",
                term.variants.join("|"),
                term.weight,
                if term.is_part { "p" } else { "" }
            )
        })
        .collect();
    for phrase in &query.phrases {
        let terms: Vec<String> = phrase
            .terms
            .iter()
            .map(|term| format!("{}+{}", term.variants.join("|"), term.offset))
            .collect();
        found.push(format!("[{}]", terms.join(" ")));
    }
    assert_eq!(found.join(" "), expected, "query {text:?}");
}

#[test]
fn questions() {
    check_query("What is the capital of France?", &["en"], "capit|capital*1 franc|france*1");
    check_query("who is it", &["en"], "who*1 is*1 it*1");
    check_query("Who leads the WHO?", &["en"], "lead|leads*1 who*1");
    check_query("THE WHO", &["en"], "the*1 who*1");
    check_query(
        "the file name",
        &["en"],
        "file*1 filenam|filename*0.15p name|name*1".replace("name|name", "name").as_str(),
    );
    check_query("serialised", &["en"], "serialis|serialised|serial|serialized*1");
    check_query("color", &["en"], "color|colour*1");
    check_query("universities", &["en", "fr"], "univers|universit|universities*1");
    check_query(
        "-word NOT foo:bar",
        &[],
        "word*1 wordnot*0.15p not*1 notfoo*0.15p foo*1 foobar*0.15p bar*1",
    );
    check_query("", &["en"], "");
    check_query("?!", &["en"], "");
    check_query("rust rust rust", &[], "rust*1.5");
}

#[test]
fn compounds_in_questions() {
    check_query("foo_bar", &[], "foo_bar*0.5 foobar*0.3p foo*0.6p bar*0.6p");
    check_query("HashMap", &[], "hashmap*1 hash*0.6p map*0.6p");
    check_query("C++", &[], "c++*1 c*0.3p");
    check_query("北京大学", &["zh"], "北京*1 京大*1 大学*1");
    check_query("书", &["zh"], "书*1");
}

#[test]
fn quotes_are_phrases() {
    check_query("the \"quick fox\"", &["en"], "quick*1 quickfox*0.15p fox*1 [quick+0 fox+1]");
    check_query(
        "“state of the art”",
        &["en"],
        "state*1 art|art*1 [state+0 of+1 the+2 art+3]".replace("art|art", "art").as_str(),
    );
    check_query(
        "\"foo_bar baz\"",
        &[],
        "foo_bar*0.5 foobar*0.3p foo*0.6p bar*0.6p baz*1 [foo+0 bar+1 baz+2]",
    );
    check_query("\"C++ templates\"", &[], "c++*1 c*0.3p templates*1 [c+++0 templates+1]");
    check_query("\"北京大学\"", &["zh"], "北京*1 京大*1 大学*1 [北京+0 京大+1 大学+2]");
    check_query(
        "a 5\" pipe and \"lone",
        &[],
        "a*1 5*1 pipe*1 pipeand*0.15p and*1 andlone*0.15p lone*1",
    );
    check_query("\"\" \"...\"", &[], "");
}

#[test]
fn a_query_of_little_more_than_a_phrase_is_a_quotation() {
    let is_quotation = |text: &str| query_terms(text, &["en"]).is_quotation;
    assert!(is_quotation("\"broken pipe\""));
    assert!(is_quotation("what is a \"broken pipe\" in python"));
    assert!(!is_quotation("broken pipe"));
    assert!(!is_quotation("how \"pertinent\" data can be retrieved automatically from articles"));
}

#[test]
fn names_of_documents_are_numbers_with_a_word_and_file_names() {
    let names = |text: &str| -> Vec<String> {
        let join = |term: &PhraseTerm| term.variants.join("|");
        let name = |name: &Vec<PhraseTerm>| name.iter().map(join).collect::<Vec<_>>().join(" ");
        query_terms(text, &["en"]).names.iter().map(name).collect()
    };
    let pep = ["pep8|pep08|pep008|pep0008|pep00008", "pep 8|08|008|0008|00008"];
    for text in ["What is PEP 8?", "pep-0008", "PEP8"] {
        assert_eq!(names(text), pep, "{text}");
    }
    assert_eq!(names("Where does src/walk.rs sort?"), ["src/walk.rs", "walk.rs"]);
    assert_eq!(names("revenue in 2018"), [""; 0]);
}

#[test]
fn german_umlauts_may_be_two_letters() {
    let mut indexed = Vec::new();
    index_terms("Behörde", Some("de"), &mut |term| indexed.push(term.text.to_owned()));
    let variants = |word: &str| query_terms(word, &["de"]).terms.remove(0).variants;
    assert!(variants("Behoerde").iter().any(|form| indexed.contains(form)), "{indexed:?}");
    assert!(variants("Behörde").contains(&"behoerde".to_owned()));
}

#[test]
fn mistakes_are_counted_in_letters() {
    assert_eq!(mistakes("test", "test", 1), Some(0));
    assert_eq!(mistakes("tset", "test", 1), Some(1));
    assert_eq!(mistakes("dangel", "dangl", 1), Some(1));
    assert_eq!(mistakes("honny", "honey", 1), Some(1));
    assert_eq!(mistakes("kitten", "sitting", 2), None);
    assert_eq!(mistakes("kitten", "sitting", 3), Some(3));
    assert_eq!(mistakes("", "ab", 2), Some(2));
    assert_eq!(halves("netzgerat").first(), Some(&("netz", "gerat")));
    assert_eq!(written("Two dangling pointers", "dangl", &["en"]), Some("dangling"));
}

#[track_caller]
fn check_sentences(text: &str, expected: &[&str]) {
    let found: Vec<&str> = sentences(text).into_iter().map(|span| &text[span.range()]).collect();
    assert_eq!(found, expected, "sentences of {text:?}");
}

#[test]
fn sentences_end_at_full_stops_but_not_at_abbreviations() {
    check_sentences("One. Two! Three?", &["One.", "Two!", "Three?"]);
    check_sentences(
        "Dr. J. K. Rowling met Mr. Smith on Jan. 5, 2010. See Fig. 3.",
        &["Dr. J. K. Rowling met Mr. Smith on Jan. 5, 2010.", "See Fig. 3."],
    );
    check_sentences(
        "As in e.g. Smith et al. (2010). Then v1.2.3 came.",
        &["As in e.g. Smith et al. (2010).", "Then v1.2.3 came."],
    );
    check_sentences(
        "He got vitamin C. The U.S. Army left at 5 p.m. They slept.",
        &["He got vitamin C.", "The U.S. Army left at 5 p.m.", "They slept."],
    );
    check_sentences(
        "It is so.[3] Next \"one.\" \"Why?\" he asked.",
        &["It is so.[3]", "Next \"one.\"", "\"Why?\" he asked."],
    );
    check_sentences(
        "all in small letters. not one capital.",
        &["all in small letters.", "not one capital."],
    );
    check_sentences("你好。再见！「是。」他说。", &["你好。", "再见！", "「是。」", "他说。"]);
    check_sentences("「はい。」と言った。次だ。", &["「はい。」と言った。", "次だ。"]);
    check_sentences("यह पहला है। यह दूसरा है।", &["यह पहला है।", "यह दूसरा है।"]);
    check_sentences("هل هذا سؤال؟ نعم.", &["هل هذا سؤال؟", "نعم."]);
    check_sentences("", &[]);
    check_sentences(" \n ", &[]);
}

#[test]
fn names_numbers_and_abbreviations_do_not_end_a_sentence() {
    for whole in [
        "It was built in 1888 by J. Smørgaard of Ardmore.",
        "It was built by I. K. Brunel and J. Locke.",
        "The photo (J. Smith, 1901) shows Author: A. Turing.",
        "See No. 5, Sec. IV, vol. 2 and Fig. S3 (cf. Table 2).",
        "It rose by approx. 3.5 mm, e.g. Tuesday at 5 p.m. Greenwich time.",
        "Er kam am 3. Mai 1888 um 9 Uhr an.",
        "Die Pumpe steht im 2. Obergeschoss neben Nr. 7.",
        "Man nimmt z. B. Wasser, d. h. Regenwasser, i. d. R. Brunnenwasser.",
        "Er lebte bis 44 v. Chr. in Rom.",
        "La lettre de M. Dupont, écrite par Mme. Curie.",
        "El Sr. García y la Sra. López.",
        "Написал А. С. Пушкин, см. рис. 3 и т. е. Ниже.",
        "Use `a. B` and `std::Vec!` as in example.com. It",
    ] {
        let whole = whole.strip_suffix(" It").unwrap_or(whole);
        check_sentences(whole, &[whole]);
    }
    check_sentences(
        "He got vitamin C. Citrus fruits have it. Plan B. Trains from A to B. Buses.",
        &[
            "He got vitamin C.",
            "Citrus fruits have it.",
            "Plan B.",
            "Trains from A to B.",
            "Buses.",
        ],
    );
    check_sentences(
        "Built in 1888. 27 mm is enough. (See below.) **So it is.** _Yes._ “No.” Wait… Go!",
        &[
            "Built in 1888.",
            "27 mm is enough.",
            "(See below.)",
            "**So it is.**",
            "_Yes._",
            "“No.”",
            "Wait…",
            "Go!",
        ],
    );
    check_sentences("Das war 1888. Die Uhr ging.", &["Das war 1888.", "Die Uhr ging."]);
    check_sentences("Բարեւ։ Ինչպես ես։", &["Բարեւ։", "Ինչպես ես։"]);
    check_sentences(
        "He ran `it`. `Vec` is one.[^1] Run `x!`!",
        &["He ran `it`.", "`Vec` is one.[^1]", "Run `x!`!"],
    );
}

#[test]
fn markup_divides_sentences() {
    check_sentences(
        "# A title\nA paragraph that is\nhard-wrapped. End.",
        &["# A title", "A paragraph that is\nhard-wrapped.", "End."],
    );
    check_sentences("Title\n=====\nText", &["Title", "Text"]);
    check_sentences(
        "Steps:\n\n1. Open it.\n2. Close it\n   again.\n- so",
        &["Steps:", "1. Open it.", "2. Close it\n   again.", "- so"],
    );
    let link = "Recall in [“How Code Is\nGeneric”][the-performance-of-code-using-generics] in \
                Chapter 10.";
    check_sentences(link, &[link]);
    check_sentences("Between 0 and\n255. If you wrap.", &["Between 0 and\n255.", "If you wrap."]);
    check_sentences(
        "Run:\n```sh\na. B\n\nc\n```\nDone.",
        &["Run:", "```sh\na. B\n\nc\n```", "Done."],
    );
    check_sentences(
        "Like this::\n\n    let x = 1;\n\n    y. Z\n\nDone.",
        &["Like this::", "let x = 1;\n\n    y. Z", "Done."],
    );
    // A passage may begin within a fence.
    check_sentences(
        "let v = vec![1, 2];\n\nfor i in &v {\n    println!(\"{i}\");\n}\n```\n\nSo it is. Done.",
        &[
            "let v = vec![1, 2];\n\nfor i in &v {\n    println!(\"{i}\");\n}\n```",
            "So it is.",
            "Done.",
        ],
    );
    check_sentences("let a = 1;\n\nlet b = [1, 2];", &["let a = 1;\n\nlet b = [1, 2];"]);
    check_sentences(
        "It is so. See:\n```\nlet a = 1;\nlet b = 2;",
        &["It is so.", "See:", "```\nlet a = 1;\nlet b = 2;"],
    );
    check_sentences("> Quoted text\n> goes on. And on.", &["> Quoted text\n> goes on.", "And on."]);
    check_sentences("| a | b |\n|---|---|\n| 1. X | 2 |", &["| a | b |", "| 1. X | 2 |"]);
    check_sentences(
        "A Short Title\nThe paragraph under it is a good deal longer than that.",
        &["A Short Title", "The paragraph under it is a good deal longer than that."],
    );
    check_sentences("<div>\nText.\n<!-- note -->\n</div>", &["Text."]);
    check_sentences("One is open.<br/>Two is shut.", &["One is open.<br/>", "Two is shut."]);
}

#[test]
fn a_sentence_does_not_end_inside_code() {
    check_sentences("It leaves `$?` = 255. Then so.", &["It leaves `$?` = 255.", "Then so."]);
    check_sentences("Run `a ```? B` now. E.", &["Run `a ```? B` now.", "E."]);
    check_sentences("Run `a ```? B` or ``c`. D``. E.", &["Run `a ```? B` or ``c`. D``.", "E."]);
}

#[track_caller]
fn check_plain(text: &str, expected: &str) {
    assert_eq!(plain(text), expected, "plain {text:?}");
}

#[test]
fn plain_text() {
    check_plain("## A *title* ##", "A title");
    check_plain(
        "This is **bold** and __bold__, *so* and _so_.",
        "This is bold and bold, so and so.",
    );
    check_plain(
        "snake_case, _private and 2 * 3 * 4, ~/x",
        "snake_case, _private and 2 * 3 * 4, ~/x",
    );
    check_plain(
        "A [link](http://x.y/z_(a) \"t\") and ![img](i.png), [`Vec`][vec], [this][1].",
        "A link and img, `Vec`, this.",
    );
    check_plain(
        "As [[Kiln]] and [[Kiln#Firing]], [[kilns/Big|the big one]] ![[plan.png]].",
        "As Kiln and Kiln > Firing, the big one plan.png.",
    );
    check_plain("Code `a[1] * b` stays; ``x`` too.", "Code `a[1] * b` stays; `x` too.");
    check_plain("Notes[1][2, 3] go[^n] and [5] stays.", "Notes go and (5) stays.");
    check_plain("- [ ] do\n  this", "do this");
    check_plain(
        "See {% slack_channel \"penguins\" %} for {%- raw -%}news.",
        "See penguins for news.",
    );
    check_plain("{{< figure src=\"a.png\" >}} The [desk]({% page \"/desk\" %}).", "The desk.");
    check_plain("Braces {x} and {{y}} and {% stay.", "Braces {x} and {{y}} and {% stay.");
    check_plain("One line \\\nand a `C:\\` one\\\\\nmore.", "One line and a `C:\\` one\\ more.");
    check_plain("1. First", "First");
    check_plain("> quoted\n> text", "quoted text");
    check_plain("well-\nknown 中\n文", "well-known 中文");
    check_plain(
        "2<sup>8</sup> <em>is</em> &lt; `Vec<T>` and Vec<T> a < b <!-- no -->",
        "2^8 is < `Vec<T>` and Vec<T> a < b",
    );
    check_plain(":func:`foo` and `link <http://x>`_ ok::", "`foo` and link ok:");
    check_plain("| a | `b` |", "a | `b`");
    check_plain("::", "");
    check_plain("As follows ::", "As follows");
    check_plain(
        "Put a backslash (\"`\\`\") first, `\\!`.",
        "Put a backslash (\"`\\`\") first, `\\!`.",
    );
    check_plain("\\*not\\* markup", "*not* markup");
    check_plain("It is ==red== where a == b^2 or x==y.", "It is red where a == b^2 or x==y.");
    check_plain("The hull^[painted in May] is dry. ^hull-1", "The hull (painted in May) is dry.");
    check_plain("^hull-1 It is 2 ^3 high.", "It is 2 ^3 high.");
    check_plain("See ![[deck.png|300]] and ![[Hull|the hull]].", "See deck.png and the hull.");
    check_plain("> [!warning]- Low bridge\n> It is 3 m.", "Low bridge: It is 3 m.");
    check_plain("> [!NOTE]\n> It is 3 m.", "Note: It is 3 m.");
    check_plain("&copy; 2026, 9&#8211;12 &deg;C", "© 2026, 9–12 °C");
    check_plain("```\n**x**\n```", "```\n**x**\n```");
}

#[test]
fn acronyms_are_found_with_their_definitions() {
    let check = |text: &str, expected: &[(&str, &str)]| {
        let found = acronyms::acronyms(text);
        let found: Vec<(&str, &str)> =
            found.iter().map(|a| (a.short.as_str(), a.long.as_str())).collect();
        assert_eq!(found, expected, "{text:?}");
    };
    check("The write-ahead log (WAL) grows.", &[("WAL", "write-ahead log")]);
    check("A WAL (write-ahead log) grows.", &[("WAL", "write-ahead log")]);
    check("of the tumor necrosis factor (TNF) and (see RNA)", &[("TNF", "tumor necrosis factor")]);
    check("World Health Organization (WHO)(WHO", &[("WHO", "World Health Organization")]);
    check("It is late (NASA). So (IT) () (A", &[]);
}

#[test]
fn comments_become_prose_and_code_is_fenced() {
    let check = |path: &str, text: &str, expected: &str| {
        assert_eq!(readable(path, text), expected, "{path}: {text:?}");
    };
    check("a.md", "# Title\n// text", "# Title\n// text");
    check(
        "src/lib.rs",
        "//! A room.\n\n/// Adds. It is\n/// quick.\n///\n/// ```\n/// add(1);\n/// ```\nfn add() \
         {\n    *a = 1; // sum\n}",
        "A room.\n\nAdds. It is\nquick.\n\n```\nadd(1);\n```\n\n```rs\nfn add() {\n    *a = 1; // \
         sum\n}\n```\n",
    );
    check("a.c", "/* One.\n * Two. */\nint x;", "One.\nTwo.\n\n```c\nint x;\n```\n");
    check(
        "a.c",
        "/*\n** One **two**.\n**\n** **p is it. */\n**p = 1;",
        "\nOne **two**.\n\n**p is it.\n\n```c\n**p = 1;\n```\n",
    );
    check("a.c", "** Goes on.\n**\n*/", "Goes on.\n\n\n");
    check("a.java", "* Goes on.\n */\nvoid f();", "Goes on.\n\n\n```java\nvoid f();\n```\n");
    check(
        "x/run.sh",
        "#!/bin/sh\n# Runs it.\nrun --fast\n\nstop",
        "\nRuns it.\n\n```sh\nrun --fast\n```\n\n\n\n```sh\nstop\n```\n",
    );
    check(
        "a.py",
        "def f():\n    \"\"\"Adds.\n\n    Slowly.\n    \"\"\"\n    return \"\"\"x\"\"\"",
        "\n```py\ndef f():\n```\n\nAdds.\n\nSlowly.\n\n\n```py\n    return \"\"\"x\"\"\"\n```\n",
    );
    check("a.py", "    Goes on.\n    \"\"\"\n    x = 1", "Goes on.\n\n\n```py\n    x = 1\n```\n");
    check("a.py", "'''One line.'''\nx = 1", "One line.\n\n```py\nx = 1\n```\n");
    check("a.c", "/* in */ int x;\n/** Two. **/", "\n```c\n/* in */ int x;\n```\n\nTwo.\n");
    check("a.rs.bak", "// Adds.\nfn f();", "Adds.\n\n```rs\nfn f();\n```\n");
    check("a.el", ";;; Says.\n(f)", "Says.\n\n```el\n(f)\n```\n");
    check(
        "bin/fetch",
        "# Fetches it.\nfetch() {\n    get \"$1\" || die\n}",
        "Fetches it.\n\n```sh\nfetch() {\n    get \"$1\" || die\n}\n```\n",
    );
    check(
        "README",
        "Run `a \"$b\" && c || d; done` to begin.",
        "Run `a \"$b\" && c || d; done` to begin.",
    );
    check("Dockerfile", "# From here.\nFROM x", "From here.\n\n```dockerfile\nFROM x\n```\n");
}

/// The Big List of Naughty Strings through every function.
#[test]
fn naughty_strings() {
    let Some(path) = retrieval::data("blns/blns.txt") else { return };
    let text = String::from_utf8_lossy(&fs::read(path).expect("readable")).into_owned();
    exercise(&text);
    text.lines().for_each(exercise);
}

fn exercise(text: &str) {
    let _ = acronyms::acronyms(text);
    for path in ["a.rs", "b.py", "c.sql", "d"] {
        let _ = passages(&readable(path, text));
    }
    const LANGUAGES: &[&str] = &[
        "ar", "da", "nl", "en", "fi", "fr", "de", "el", "hu", "it", "no", "pt", "ro", "ru", "es",
        "sv", "ta", "tr", "zh", "",
    ];
    for language in LANGUAGES {
        let mut last = 0;
        index_terms(text, Some(language), &mut |term| {
            assert!(!term.text.is_empty() && term.text.len() <= 80, "{term:?}");
            assert!(!text[term.start..term.end].is_empty());
            last = last.max(term.position);
        });
    }
    for term in query_terms(text, LANGUAGES).terms {
        assert!(
            !term.variants.is_empty() && term.variants.iter().all(|variant| !variant.is_empty())
        );
    }
    let mut end = 0;
    for span in sentences(text) {
        assert!(span.start >= end && span.end > span.start, "sentences run forwards");
        end = span.end;
        let sentence = &text[span.range()];
        assert_eq!(sentence, sentence.trim());
        let _ = plain(sentence);
    }
    let _ = plain(text);
}

/// Any text, text with much markup, and text in scripts with special rules.
const ANY_TEXT: &str = concat!(
    r"\PC{0,80}",
    r#"|[a-zA-Z0-9 ._'"`*\[\]()<>#:/@&+-]{0,60}"#,
    r"|[\p{Han}\p{Thai}\p{Arabic}\p{Greek}é。 \n>|`-]{0,40}",
);

proptest::proptest! {
    #[test]
    fn nothing_panics(text in ANY_TEXT) {
        exercise(&text);
    }

    /// The query terms of a word match its index terms, in any script and language.
    #[test]
    fn a_word_matches_itself(
        word in "[\\p{L}\\p{N}_.'-]{1,20}",
        language in proptest::sample::select(vec!["en", "de", "fr", "ru", "tr", "zh"]),
    ) {
        let mut indexed = Vec::new();
        index_terms(&word, Some(language), &mut |term| indexed.push(term.text.to_owned()));
        let query = query_terms(&word, &[language]);
        proptest::prop_assert_eq!(query.terms.is_empty(), indexed.is_empty());
        for term in query.terms {
            let is_indexed = term.variants.iter().any(|variant| indexed.contains(variant));
            proptest::prop_assert!(is_indexed, "{:?} of {:?} in {:?}", term, word, indexed);
        }
    }
}
