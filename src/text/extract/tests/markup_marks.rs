//! Marks of LaTeX, org, `AsciiDoc` and manual pages that are less common.

use super::markup::{check, read};

#[test]
fn latex_has_authors_captions_and_addresses() {
    let source = "\\documentclass{article}\n\\usepackage[ngerman]{babel}\n\\newtheorem{satz}{Sat\
        z}\n\
                  \\title{Die M\\\"uhle}\\author{A. Berg\\and B. Lind}\n\\begin{document}\n\
                  Das \"`Ger\"at\"' steht in der Hauptstra\"se, siehe \
                  \\url{https://a.example/x%20y} und \\href{https://b.example/%7E}{hier}.\n\
                  \\begin{lstlisting}[language=C,caption={Der Anfang}]\nint n; % 1\n\
                  \\end{lstlisting}\n\\begin{satz}[Euklid]Es gibt mehr.\\end{satz}\n\
                  \\begin{itemize}\\item<1-> Eins\\pause\\item<2-> Zwei\\end{itemize}\n\
                  \\end{document}";
    check(
        "a.tex",
        source,
        &[
            "paragraph Das „Gerät“ steht in der Hauptstraße, siehe https://a.example/x%20y und h\
             ier.",
            "paragraph Der Anfang",
            "code int n; % 1",
            "paragraph Satz (Euklid). Es gibt mehr.",
            "listitem - Eins",
            "listitem - Zwei",
        ],
    );
    let authors = [("author", "A. Berg"), ("author", "B. Lind")];
    assert_eq!(super::markup::metadata(&read("a.tex", source)), authors);
    // Without the package a quote is a quote.
    check("b.tex", "\\begin{document}He said \"a\".\\end{document}", &["paragraph He said \"a\"."]);
}

#[test]
fn a_letter_of_latex_has_its_subject_and_its_lines() {
    let source = "\\setkomavar{subject}{Invoice 4711}\\begin{document}\\begin{letter}{Ms Weber\\\\\
                  Main Street 3}\\opening{Dear Ms Weber,}\nplease pay.\n\\closing{Yours}\n\
                  \\end{letter}\\end{document}";
    let expected = [
        "paragraph Ms Weber Main Street 3",
        "paragraph Dear Ms Weber,",
        "paragraph please pay.",
        "paragraph Yours",
    ];
    check("a.tex", source, &expected);
    assert_eq!(read("a.tex", source).title.as_deref(), Some("Invoice 4711"));
}

#[test]
fn org_leaves_out_commented_trees_and_shows_notes_and_captions() {
    check(
        "a.org",
        "* Water\n#+CAPTION: Water by month\n| Month | Litres |\n|-------+--------|\n| <l>   \
         |    <r> |\n\
         | April |    120 |\n\nSee[fn:1] and more[fn:: nine of ten].\n[fn:1] It froze.\n\
         * COMMENT Secret\nhidden\n** Below\nhidden too\n* Result\n: drip 5\n1. red\n2. [@5] bla\
          ck\n",
        &[
            "h1 Water",
            "paragraph Water by month",
            "table Month | Litres\nApril | 120",
            "paragraph See and more (nine of ten).",
            "paragraph It froze.",
            "h1 Result",
            "code drip 5",
            "listitem 1. red",
            "listitem 2. black",
        ],
    );
}

#[test]
fn asciidoc_has_labels_numbers_quotations_and_links() {
    check(
        "a.adoc",
        "= T\n:docs: https://d.example\n\n[NOTE]\n====\nIt weighs 31 kg.\n====\n\n. Open\n.. slo\
         wly\n. Wait\n\n\
         [quote, A. Berg, Diary]\n____\nWater wins.\n____\n\nSee {docs}/pump[the guide], H~2~O (\
          C) 2026 and \
         +++<u>raw</u>+++.\n",
        &[
            "h1 T",
            "paragraph NOTE: It weighs 31 kg.",
            "listitem 1. Open",
            "listitem   a. slowly",
            "listitem 2. Wait",
            "quote Water wins.",
            "quote — A. Berg, Diary",
            "paragraph See the guide, H2O © 2026 and raw.",
        ],
    );
}

#[test]
fn cells_of_asciidoc_span_columns_and_rows() {
    check(
        "a.adoc",
        "[cols=\"1,1,1\",options=\"header\"]\n|===\n|Name 2+|Price\n\n.2+|Seal |3 |marks\n|4 |pe\
         nce\n\n\
         a|Motor\n\n* sealed\n|5\n|6\n3+|All prices of 1901\n|===\n",
        &["table Name | Price | Price\nSeal | 3 | marks\nSeal | 4 | pence\nMotor; sealed | 5 \
             | 6\n\
           All prices of 1901 |  |"],
    );
}

#[test]
fn manual_pages_have_columns_and_standard_sentences() {
    check(
        "a.1",
        ".Dd May 2, 2026\n.Dt SLURP 1\n.Os\n.Sh SIGNALS\n.Bl -column \"Signal\" \"Action\"\n.It \
         Sy Signal Ta Sy Action\n\
         .It Dv SIGHUP Ta read\nagain\n.It Dv SIGINT Ta stop\n.El\n.Sh EXIT STATUS\n.Ex -std\n",
        &[
            "h1 SIGNALS",
            "table Signal | Action\nSIGHUP | read again\nSIGINT | stop",
            "h1 EXIT STATUS",
            "paragraph The slurp utility exits 0 on success, and >0 if an error occurs.",
        ],
    );
    let source = ".TH A 5\n.SH KEYS\n.TS\nallbox tab(|);\nlb lb\nl n.\nKey|Default\nretries|5\n.\
        TE\n\
                  .SY pump\n.OP \\-x file\n";
    check(
        "a.5",
        source,
        &["h1 KEYS", "table Key | Default\nretries | 5", "paragraph pump [-x file]"],
    );
    let doc = read("a.5", source);
    let headers = doc.blocks.iter().find_map(|block| match block.kind {
        super::BlockKind::Table { headers } => Some(headers),
        _ => None,
    });
    assert_eq!(headers, Some(1));
}

#[test]
fn asciidoc_has_titles_of_two_lines() {
    let source = "git-rope(1)\n===========\n\nNAME\n----\ngit-rope - Tie `HEAD`\n\nUse of `-q`\n\
                  ~~~~~~~~~~~\nIt is quiet.\n\nDeeper\n^^^^^^\nDown.\n\nDeepest\n+++++++\nLow.\n\n\
                  .Listing\n--------\nText\n====\n--------\n\n* item\n+\n--\nNote\n----\n\
                  code\n----\n\
                  --\n\nLAST\n----\nEnd.\n";
    check(
        "a.adoc",
        source,
        &[
            "h1 git-rope(1)",
            "h2 NAME",
            "paragraph git-rope - Tie `HEAD`",
            "h3 Use of -q",
            "paragraph It is quiet.",
            "h4 Deeper",
            "paragraph Down.",
            "h5 Deepest",
            "paragraph Low.",
            "paragraph Listing",
            "code Text\n====",
            "listitem - item",
            "paragraph Note",
            "code code",
            "h2 LAST",
            "paragraph End.",
        ],
    );
    let doc = read("a.adoc", source);
    assert_eq!(doc.title.as_deref(), Some("git-rope(1)"));
    let at = doc.text.find("quiet").unwrap();
    assert_eq!(doc.origin.lines(crate::document::Span::new(at, at + 5)).first, 10);
    // An author below, and a delimiter that only resembles an underline.
    check(
        "b.adoc",
        "Pump\n====\nA. Berg <a@b.example>\n\nRun the following command:\n----\ngo\n----\n\
         Then:\n----\nstop\n----\n",
        &[
            "h1 Pump",
            "paragraph Run the following command:",
            "code go",
            "paragraph Then:",
            "code stop",
        ],
    );
}

#[test]
fn terms_of_asciidoc_share_their_meaning() {
    check(
        "a.adoc",
        "`-q`::\n`--quiet`::\n\tSuppress all\n\tmessages, see linkgit:git-log[1].\n// hidden\n\
         +\nMore.\n\nWhy::\n\n  Because.\n\ntop;;\n\tThe root.\nlinkgit:git-pull[1]:: It pulls.\n\n\
         Empty::\n\n* item\n\nSee linkgit:git-log[1] and man:ls[1p], unknown:x[y].\n",
        &[
            "record `-q`, `--quiet`\nSuppress all messages, see git-log(1).",
            "paragraph More.",
            "record Why\nBecause.",
            "record top\nThe root.",
            "record git-pull(1)\nIt pulls.",
            "record Empty",
            "listitem - item",
            "paragraph See git-log(1) and ls(1p), unknown:x[y].",
        ],
    );
    // In other formats, too.
    check(
        "a.1",
        ".TH A 1\n.SH X\n.TP\n.B \\-q\n.TQ\n.B \\-\\-quiet\nSuppress.\n.TP\n.B \\-v\nSay more.\n",
        &["h1 X", "listitem -q, --quiet\nSuppress.", "listitem -v\nSay more."],
    );
    check(
        "a.html",
        "<dl><dt>-q</dt><dt>--quiet</dt><dd>Suppress.</dd></dl>",
        &["paragraph -q\n--quiet\nSuppress."],
    );
}

#[test]
fn asciidoc_keeps_code_and_the_lines_of_a_synopsis() {
    check(
        "a.adoc",
        "[verse]\n'git log' [-q] {empty}\ngit log `--all`\n\n[synopsis]\ngit add [-n]\n\
        git add *.c\n\n\
         [verse, A. Berg]\nWater\nwins.\n\n\
         Put (\"`\\`\") or `+{x}+` first, \"`so`\" `a *b* c` and *bold*.\n",
        &[
            "code git log [-q]\ngit log --all",
            "code git add [-n]\ngit add *.c",
            "quote Water wins.",
            "quote — A. Berg",
            "paragraph Put (\"`\\`\") or `{x}` first, \"so\" `a *b* c` and bold.",
        ],
    );
    check(
        "b.adoc",
        "a::\n  One.\n  --\n  * two\n  --\n\nEnd.",
        &["record a\nOne.", "listitem - two", "paragraph End."],
    );
}

#[test]
fn org_keeps_code_in_ticks() {
    check(
        "a.org",
        "* Use of =-q=\nPut =\\= and ~$?~ first, *bold*.\n- ~-q~ :: Be\n  quiet.\n#+BEGIN_EXAMPLE\n\
         a ~b~\n#+END_EXAMPLE\n",
        &[
            "h1 Use of -q",
            "paragraph Put `\\` and `$?` first, bold.",
            "record `-q`\nBe quiet.",
            "code a ~b~",
        ],
    );
}

#[test]
fn a_page_in_markdown_shows_preformatted_lines() {
    let source = "To reload:\n\
        <pre><code class=\"cmd\"><span class=\"bash\">one --a &lt;file&gt;</span>\n\
                  \n<span class=\"bash\">cp <from> x<br>end</span></code></pre>\n\n\
                  Then <pre>\nx\n</pre> stop.\n\
                  In `<pre>` no.\n\n```\n<pre>a</pre>\n```\n\n<pre\n";
    check(
        "a.md",
        source,
        &[
            "paragraph To reload:",
            "code ```\none --a <file>\n\ncp <from> x\nend\n```",
            "paragraph Then ",
            "code ```\nx\n```",
            "paragraph  stop.\nIn `<pre>` no.",
            "code ```\n<pre>a</pre>\n```",
            "paragraph <pre",
        ],
    );
    let doc = read("a.md", source);
    let at = doc.text.find("cp").unwrap();
    assert_eq!(doc.origin.lines(crate::document::Span::new(at, at + 2)).first, 4);
}

#[test]
fn two_colons_alone_only_announce_code_in_restructuredtext() {
    check(
        "a.rst",
        "Run this.\n\n::\n\n  go now\n\nEnd.",
        &["paragraph Run this.", "code   go now", "paragraph End."],
    );
}

proptest::proptest! {
    #[test]
    fn any_order_of_marks_is_read(
        marks in proptest::collection::vec(proptest::sample::select(vec![
            "<pre", "<pre>", "</pre>", "<br>", "<b>", "&lt;", "&", "`", "``", "```", "~~~", "\n",
            "\n\n", "\r\n", "    ", "word", "é", "::", ";;", "a:: ", "--", "----", "====", "____",
            "+", "[verse]", "'", "* ", "= ", "linkgit:a[1]", "\\", "//", "data:a/b;base64,AAAA",
        ]), 0..30),
    ) {
        let text = format!("Text\n{}\nend", marks.concat());
        for path in ["a.md", "a.adoc", "a.rst", "a.1"] {
            let doc = read(path, &text);
            for block in &doc.blocks {
                let bytes = doc.origin.bytes(block.span);
                proptest::prop_assert!(text.get(bytes.range()).is_some(), "{path} {text:?}");
            }
            super::blocks(path, &text);
        }
    }
}
