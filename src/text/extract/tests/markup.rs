//! Markup that is rendered: LaTeX, Org, `AsciiDoc`, manual pages, reStructuredText.

use super::super::*;
use super::blocks;
use crate::document::Span;

pub(super) fn check(path: &str, text: &str, expected: &[&str]) {
    assert_eq!(blocks(path, text), expected, "{text}");
}

pub(super) fn read(path: &str, text: &str) -> Extracted {
    extract(path, text.as_bytes()).unwrap()
}

pub(super) fn metadata(doc: &Extracted) -> Vec<(&str, &str)> {
    doc.metadata.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

#[test]
fn latex_is_read_as_printed() {
    let source = "\\documentclass{article}\n\\newcommand{\\ship}[1]{\\emph{#1} (ship)}\n\
         \\title{On \\emph{Kelp}}\n\\author{A. M\\\"uller}\n\\begin{document}\n\\maketitle\n% a \
         note\n\
         \\section{Growth}\\label{g}\nIt grows % not shown\nin \
         \\SI{4.5}{\\metre\\per\\second}~\\cite{x}.\n\
         \\ship{Tern} saw na\\\"{\\i}ve gulls\\footnote{In \\textbf{May}.}, as Sm\\o{}rg\\aa rd \
         said.\n\
         \\begin{verbatim}\n\\section{no}\n\\end{verbatim}\n\\iffalse hidden \
         \\fi\n\\end{document}\nafter";
    check(
        "a.tex",
        source,
        &[
            "h2 Growth",
            "paragraph It grows in 4.5 m/s. Tern (ship) saw naïve gulls, as Smørgård said.",
            "paragraph In May.",
            "code \\section{no}",
        ],
    );
    let doc = read("a.tex", source);
    assert_eq!(doc.title.as_deref(), Some("On Kelp"));
    assert_eq!(metadata(&doc), [("author", "A. Müller")]);
    let at = doc.text.find("gulls").unwrap();
    assert_eq!(doc.origin.lines(Span::new(at, at + 5)).first, 11);
}

#[test]
fn latex_has_tables_and_lists() {
    check(
        "a.tex",
        "\\begin{table}[h]\\caption{Depths}\\begin{tabular}{lrr}\\toprule\nStation & \
         \\multicolumn{2}{c}{Depth}\\\\ \\midrule\nArdmore & & 14.2\\\\\nKil\\&bride & 9.7\n\
         \\end{tabular}\\end{table}\n\\begin{enumerate}\n\\item One\n\\item Two --- $\\alpha \\leq \
         3$\n\
         \\end{enumerate}\n\\begin{quote}Said.\\end{quote}",
        &[
            "paragraph Depths",
            "table Station | Depth | Depth\nArdmore |  | 14.2\nKil&bride | 9.7",
            "listitem 1. One",
            "listitem 2. Two — α ≤ 3",
            "quote Said.",
        ],
    );
    assert_eq!(
        read("b.tex", "\\begin{tabular}{l}A & B\\\\\\hline C & D\\end{tabular}").blocks[0].kind,
        BlockKind::Table { headers: 1 }
    );
}

#[test]
fn latex_macros_expand_within_limits() {
    let bomb = "\\newcommand{\\a}{x\\b\\b}\\newcommand{\\b}{\\a\\a}\\begin{document}\\a \
         end\\end{document}";
    assert!(read("a.tex", bomb).text.len() < 4 << 20);
    let deep = format!("{}x", "\\footnote{".repeat(10_000));
    assert!(extract("a.tex", deep.as_bytes()).is_ok_and(|doc| doc.text.contains('x')));
}

#[test]
fn org_is_read_as_exported() {
    let source = "#+TITLE: House jobs\n#+FILETAGS: :home:\n* TODO [#A] Mend the *gutter* :roof:\n  \
         DEADLINE: <2026-05-20 Wed>\n  :PROPERTIES:\n  :CUSTOM_ID: g\n  :CONTACT: Fenwick\n  \
         :END:\n  It \
         leaks at the [[https://x.org][third\n  bracket]].\n# comment\n#+BEGIN_SRC sh\n* no \
         headline\n#+END_SRC\n\
         | Dish | Oven |\n|------+------|\n| Pie  |  |\n";
    check(
        "a.org",
        source,
        &[
            "h1 Mend the gutter",
            "record DEADLINE: <2026-05-20 Wed>",
            "record CONTACT: Fenwick",
            "paragraph It leaks at the third bracket.",
            "code * no headline",
            "table Dish | Oven\nPie |",
        ],
    );
    let doc = read("a.org", source);
    assert_eq!(doc.title.as_deref(), Some("House jobs"));
    assert_eq!(metadata(&doc), [("tags", "home"), ("tags", "roof")]);
    check("b.org", "- Term :: meaning\n- a\n  b", &["record Term\nmeaning", "listitem - a b"]);
}

#[test]
fn asciidoc_has_its_attributes_substituted() {
    let source = "= Beacon guide\nR. Tamsin <r@x.org>\nv4.2, 2024-05-01\n:port: 9345\n:url-port: \
         {port}/udp\n\n\
         == Ports\n\nIt listens on *port {url-port}*,\n// hidden\nsee <<_ports,the ports>> and \
         {unknown}.\n\n\
         ////\nhidden\n////\n\n[source,bash]\n----\n# {port}\n----\n\n* one\n** two\n\n\
         Term:: meaning\n";
    check(
        "a.adoc",
        source,
        &[
            "h1 Beacon guide",
            "h2 Ports",
            "paragraph It listens on port 9345/udp, see the ports and {unknown}.",
            "code # {port}",
            "listitem - one",
            "listitem   - two",
            "record Term\nmeaning",
        ],
    );
    let doc = read("a.adoc", source);
    assert_eq!(doc.title.as_deref(), Some("Beacon guide"));
    assert_eq!(
        metadata(&doc),
        [("author", "R. Tamsin"), ("version", "4.2"), ("date", "2024-05-01")]
    );
    check(
        "b.adoc",
        "[%header,cols=2*]\n|===\n|Mode |Interval\n|Eco\n|90 seconds\n|===",
        &["table Mode | Interval\nEco | 90 seconds"],
    );
    check("c.adoc", "|===\n|A |B\n\n|1 |\n|===", &["table A | B\n1 |"]);
}

#[test]
fn manual_pages_have_no_requests() {
    let source = ".\\\" comment\n.TH FROBD 8 \"May 2024\" \"1.4\"\n.SH NAME\nfrobd \\- a \
         daemon\n.SH OPTIONS\n.TP\n\
         .BR \\-d , \" \\-\\-debug\"\nPrint \\fBall\\fR messages.\n.IP \\(bu 2\nA \
         point.\n.PP\nSee\n.BR x (1).\n\
         .nf\nkeep\n  this\n.fi\n.TS\ntab(@);\nl l.\nA@B\n_\n1@T{\ntwo\nlines\nT}\n.TE\n";
    check(
        "man/frobd.8",
        source,
        &[
            "h1 NAME",
            "paragraph frobd - a daemon",
            "h1 OPTIONS",
            "listitem -d, --debug\nPrint all messages.",
            "listitem • A point.",
            "paragraph See x(1).",
            "code keep\n  this",
            "table A | B\n1 | two lines",
        ],
    );
    let doc = read("frobd.8", source);
    assert_eq!((doc.format, doc.title.as_deref()), (Format::Man, Some("frobd(8)")));
    assert_eq!(metadata(&doc), [("date", "May 2024"), ("version", "1.4")]);
    check(
        "ls.1",
        ".Dd May 1, 2024\n.Dt LS 1\n.Os\n.Sh NAME\n.Nm ls\n.Nd list files\n.Sh SYNOPSIS\n.Nm\n.Op \
         Fl la\n.Ar file\n\
         .Bl -tag\n.It Fl a\nAll, see\n.Xr sh 1 .\n.El\n",
        &[
            "h1 NAME",
            "paragraph ls – list files",
            "h1 SYNOPSIS",
            "paragraph ls [-la] file",
            "listitem -a\nAll, see sh(1).",
        ],
    );
    assert_eq!(read("notes.1", "Release 1\n\ntext").format, Format::Plain);
}

#[test]
fn restructured_text_has_fields_and_tables() {
    let source = "PEP: 572\nTitle: Assignment\n Expressions\nAuthor: Ada <a@x.org>\nStatus: \
         Final\n\n\nAbstract\n\
         ========\n\nText.\n";
    let doc = read("pep-0572.rst", source);
    assert_eq!(doc.title.as_deref(), Some("Assignment Expressions"));
    assert!(
        metadata(&doc).contains(&("status", "Final")) && metadata(&doc).contains(&("pep", "572"))
    );
    assert_eq!(blocks("a.rst", source)[2], "record Author: Ada <a@x.org>");
    let doc = read("a.rst", "Tee\n===\n\n:Author: Ada\n:Version: 2\n   beta\n\n:ref:`x` is text\n");
    assert_eq!(metadata(&doc), [("author", "Ada"), ("version", "2 beta")]);
    check(
        "a.rst",
        "+---+-----+\n| A | B   |\n+===+=====+\n| 1 | two |\n|   | 2nd |\n+---+-----+\n\n=== \
         ===\nC   D\n=== ===\nx   y\n\
         z\n=== ===\n\n..\n\n  text",
        &["table A | B\n1 | two 2nd", "table C | D\nx | y\nz |", "paragraph text"],
    );
}

#[test]
fn notes_in_an_aside_are_text_and_navigation_is_not() {
    let html = "<body><p>Main.</p><aside epub:type='footnote'><p>Note.</p></aside><nav>See \
         also</nav></body>";
    assert_eq!(read("a.html", html).text, "Main.\n\nNote.");
}

#[test]
fn rows_of_names_head_a_table_of_a_page() {
    let headers = |html: &str| match read("a.html", html).blocks[0].kind {
        BlockKind::Table { headers } => headers,
        _ => 99,
    };
    assert_eq!(headers("<table><tr><th>a<th>b<tr><th>x<td>1</table>"), 1);
    assert_eq!(headers("<table><thead><tr><td>a<tr><td>b</thead><tbody><tr><td>1</table>"), 2);
    assert_eq!(headers("<table><tr><td>a<tr><td>1</table>"), 0);
    assert_eq!(headers("<table><tr><th>a<tr><th>b</table>"), 0);
}

#[test]
fn cells_of_latex_span_rows() {
    check(
        "a.tex",
        "\\begin{tabular}{lll}\n\\multicolumn{3}{c}{Clearances}\\\\ \\hline\n\
         Bay & Valve & mm\\\\ \\hline\n\
         \\multirow{2}{*}{One} & Intake & 0.2\\\\\n & Exhaust & 0.3\\\\\nTwo & Intake & 0.4\n\
         \\end{tabular}",
        &["table Clearances |  |\nBay | Valve | mm\n\
           One | Intake | 0.2\nOne | Exhaust | 0.3\nTwo | \
           Intake | 0.4"],
    );
}

#[test]
fn tables_of_restructuredtext_may_be_csv_or_lists() {
    check(
        "a.rst",
        ".. csv-table:: Clearances\n   :header: \"Bay\", \"Valve, mm\"\n   :widths: 1, 2\n\n   \
         \"One\", \
         0.2\n   \"Two, new\", 0.3\n\nAfter.",
        &[
            "paragraph Clearances",
            "table Bay | Valve, mm\nOne | 0.2\nTwo, new | 0.3",
            "paragraph After.",
        ],
    );
    let source = ".. list-table::\n   :header-rows: 1\n\n   * - Bay\n     - Valve\n   \
                  * - One\n     - \
                  0.2\n       mm\n   * - Two\n     -\n\nAfter.";
    check("b.rst", source, &["table Bay | Valve\nOne | 0.2 mm\nTwo |", "paragraph After."]);
    let doc = read("b.rst", source);
    let at = doc.text.find("0.2").unwrap();
    assert_eq!(doc.origin.lines(Span::new(at, at + 3)).first, 7);
    assert_eq!(doc.blocks[0].kind, BlockKind::Table { headers: 1 });
}

#[test]
fn asciidoc_has_conditions() {
    let source = "= Pump\n:edition: full\n\nifdef::edition[]\nShown one.\nendif::[]\n\
                  ifndef::edition[]\nHidden one.\n\nHidden, too.\nendif::[]\n\
                  ifeval::[\"{edition}\" == \"lite\"]\nHidden three.\nendif::[]\n\n\
                  ifdef::draft,edition[Shown two.]\n\n\
                  ----\nrun\nifdef::draft[]\nnot this\nendif::[]\nstop\n----\n\nEnd.";
    check(
        "a.adoc",
        source,
        &[
            "h1 Pump",
            "paragraph Shown one.",
            "paragraph Shown two.",
            "code run\nstop",
            "paragraph End.",
        ],
    );
    let doc = read("a.adoc", source);
    let at = doc.text.find("Shown two").unwrap();
    assert_eq!(doc.origin.lines(Span::new(at, at + 5)).first, 16);
}

#[test]
fn raised_numbers_and_numbered_items_are_read_as_shown() {
    check(
        "a.html",
        "<p>Ten is 10<sup>1</sup>, 5 s<sup>-1</sup>, the fee<sup>2</sup> and bees.<sup><a \
         href='#f'>1</a></sup> On 1<sup>st</sup> May.</p><ol start=4><li>four<li>five<li \
         value=9>nine</ol><p>Counted. <a href='#r'>↩</a></p>",
        &[
            "paragraph Ten is 10¹, 5 s⁻¹, the fee 2 and bees. 1 On 1st May.",
            "listitem 4. four",
            "listitem 5. five",
            "listitem 9. nine",
            "paragraph Counted.",
        ],
    );
}

#[test]
fn notes_beside_the_main_part_are_text_unless_they_are_links() {
    let page = |aside: &str| {
        format!(
            "<body><main><p>The pump runs on mains power.</p></main><aside>{aside}</aside></body>"
        )
    };
    let main = "paragraph The pump runs on mains power.";
    check("a.html", &page("<p>Keep it dry.</p>"), &[main, "paragraph Keep it dry."]);
    check("a.html", &page("<ul><li><a href='b'>Valves</a></li></ul>"), &[main]);
}

#[test]
fn references_of_latex_show_their_numbers() {
    let read = |preamble: &str, body: &str| {
        let source = format!("{preamble}\\begin{{document}}\n{body}\n\\end{{document}}\n");
        extract("a.tex", source.as_bytes()).unwrap().text
    };
    let article = |body: &str| read("\\documentclass{article}\n", body);
    let check = |text: &str, expected: &str| assert!(text.contains(expected), "{expected}\n{text}");
    let text = article(
        "\\section{One}\\label{sec:one}\n\\section*{Unnumbered}\n\\section{Two}\n\
         \\subsection{Deep}\\label{sec:deep}\nSee Section~\\ref{sec:one} and \\cref{sec:deep}. \
         \\Cref{sec:one,sec:deep} agree.\n\n\\appendix\\section{Data}\\label{app}\nSo does \
         Appendix~\\ref{app}, but not \\ref{gone} on page~\\pageref{app}.",
    );
    check(&text, "See Section 1 and section 2.1. Section 1, Section 2.1 agree.");
    check(&text, "So does Appendix A, but not [gone] on page [app].");
    let text = article(
        "\\begin{equation}\\label{eq:a}a=b\\end{equation}\n\\begin{align}\nc&=d \\nonumber\\\\\n\
         e&=f \\label{eq:e}\\\\\ng&=h \\label{eq:g}\n\\end{align}\n\
         \\begin{equation*}x\\end{equation*}\n\\[y\\]\n\
         \\begin{equation}z\\tag{Z}\\label{eq:z}\\end{equation}\n\
         \\begin{equation}z\\label{eq:last}\\end{equation}\n\n\
         By \\eqref{eq:a}, \\eqref{eq:e}, \\ref{eq:g}, \\eqref{eq:z} and \\autoref{eq:last}.",
    );
    check(&text, "By (1), (2), 3, (Z) and equation (4).");
    let text = article(
        "\\begin{figure}\\input{plot}\\caption{A kiln}\\label{fig:kiln}\\end{figure}\n\
         \\begin{table}\\caption[short]{Heats}\\label{tab:heat}\\begin{tabular}{l}a\\\\b\
         \\end{tabular}\\end{table}\n\
         \\begin{figure*}\\caption{A pot}\\label{fig:pot}\\end{figure*}\n\n\
         Figure~\\ref{fig:pot}, \\cref{fig:kiln} and \\cref{tab:heat}. % \\label{fig:no}\n\
         \\begin{enumerate}\\item one\\item two\\label{it}\\end{enumerate} Item \\ref{it}.",
    );
    check(&text, "Figure 2, figure 1 and table 1.");
    check(&text, "Figure 1: A kiln");
    check(&text, "Table 1: Heats");
    check(&text, "Item 2.");
    // Chapters number figures; a document in German has German words.
    let text = read(
        "\\documentclass{scrbook}\\usepackage[ngerman]{babel}\n\
         \\newtheorem{satz}{Satz}\\newtheorem{lemma}[satz]{Lemma}\n",
        "\\chapter{A}\\chapter{B}\\section{C}\\label{c}\n\\begin{figure}\\caption{x}\\label{f}\
         \\end{figure}\n\\begin{satz}\\label{s}x\\end{satz}\n\
         \\begin{lemma}\\label{l}y\\end{lemma}\n\n\
         Siehe \\cref{f}, \\cref{c}, \\cref{l} und \\ref{s}.",
    );
    check(&text, "Siehe Abbildung 2.1, Abschnitt 2.1, Lemma 2 und 1.");
    // References work inside macros. In code, `\label` is only text.
    let text = read(
        "\\newcommand{\\fig}[1]{Fig.~\\ref{#1}}\n",
        "\\begin{verbatim}\\section{x}\\label{no}\\end{verbatim}\n\\section{S}\\label{s}\n\n\
         \\fig{s}, \\ref{no}, \\hyperref[s]{the section}.",
    );
    check(&text, "Fig. 1, [no], the section.");
    // What other files number is not known.
    check(&article("\\input{first}\\section{S}\\label{s}\n\nSee \\ref{s}."), "See [s].");
    let part = extract("b.tex", b"\\section{S}\\label{s}\n\nSee \\ref{s}.").unwrap().text;
    check(&part, "See [s].");
}
