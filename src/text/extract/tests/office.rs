//! Office files: what a reader sees is text, what is hidden is not.

use std::io::{Cursor, Write as _};

use zip::write::{SimpleFileOptions, ZipWriter};

use super::super::*;

/// An archive of these parts.
fn zipped(parts: &[(&str, &str)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, text) in parts {
        zip.start_file(*name, stored).unwrap();
        zip.write_all(text.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// The blocks of a file, with `#` before headings and the number of header rows before tables.
#[track_caller]
fn check(format: Format, parts: &[(&str, &str)], expected: &[&str]) {
    let doc = office::parse(format, &zipped(parts)).unwrap();
    assert_eq!(shown(&doc), expected);
}

fn shown(doc: &Extracted) -> Vec<String> {
    let block = |block: &Block| {
        let text = &doc.text[block.span.range()];
        match block.kind {
            BlockKind::Heading { .. } => format!("# {text}"),
            BlockKind::Table { headers } => format!("{headers} {text}"),
            _ => text.to_owned(),
        }
    };
    doc.blocks.iter().map(block).collect()
}

#[track_caller]
fn check_word(body: &str, expected: &[&str]) {
    let document = format!("<document><body>{body}</body></document>");
    check(Format::Docx, &[("word/document.xml", &document)], expected);
}

#[track_caller]
fn check_odt(body: &str, expected: &[&str]) {
    let content = format!(
        "<document-content><automatic-styles><style style:name='H'><text-properties \
         text:display='none'/></style><style style:name='R'><text-properties \
         style:text-position='super 58%'/></style></automatic-styles><body>{body}</body></docume\
          nt-content>"
    );
    check(Format::Odt, &[("content.xml", &content)], expected);
}

#[test]
fn hidden_and_deleted_text_of_word_does_not_divide_a_sentence() {
    let hidden =
        "<p><r><t>A </t></r><r><rPr><vanish/></rPr><t>secret </t></r><r><t>rope.</t></r></p>";
    check_word(hidden, &["A rope."]);
    let shown = "<p><r><rPr><vanish w:val='0'/></rPr><t>Seen</t></r></p>";
    check_word(shown, &["Seen"]);
    let former = "<p><r><rPr><rPrChange><rPr><vanish/></rPr></rPrChange></rPr><t>Seen</t></r></p>";
    check_word(former, &["Seen"]);
    let changed = "<p><r><t>It costs \
         </t></r><del><r><delText>nine</delText></r></del><ins><r><t>ten\
                   </t></r></ins></p>";
    check_word(changed, &["It costs ten"]);
    let symbol = "<p><r><t>At 20 </t></r><r><sym w:font='Symbol' w:char='F0B0'/><t>C, 10 m</t></\
        r><r>\
         <rPr><vertAlign w:val='superscript'/></rPr><t>2</t></r></p>";
    check_word(symbol, &["At 20 °C, 10 m²"]);
    let mark = "<p><pPr><rPr><del/></rPr></pPr><r><t>One </t></r></p><p><r><t>line</t></r></p>";
    check_word(mark, &["One line"]);
}

#[test]
fn cells_of_word_tables_keep_their_columns() {
    let cell = |text: &str| format!("<tc><p><r><t>{text}</t></r></p></tc>");
    let row = |cells: &[&str]| {
        format!("<tr>{}</tr>", cells.iter().map(|text| cell(text)).collect::<String>())
    };
    let rows = [row(&["Part", "Size", "Note"]), row(&["Valve", "", "worn"])].concat();
    check_word(&format!("<tbl>{rows}</tbl>"), &["1 Part | Size | Note\nValve | | worn"]);
    let values = [row(&["Rye", "220 degrees"]), row(&["Spelt", "210 degrees"])].concat();
    check_word(&format!("<tbl>{values}</tbl>"), &["0 Rye | 220 degrees\nSpelt | 210 degrees"]);
    let merged = "<tbl><tr><tc><tcPr><vMerge \
         w:val='restart'/></tcPr><p><r><t>North</t></r></p></tc>\
         <tc><p><r><t>1</t></r></p></tc></tr><tr><tc><tcPr><vMerge/></tcPr><p/></tc>\
         <tc><p><r><t>2</t></r></p></tc></tr></tbl>";
    check_word(merged, &["0 North | 1\nNorth | 2"]);
}

#[test]
fn headers_and_footers_of_word_are_read_once() {
    let part = |text: &str| format!("<hdr><p><r><t>{text}</t></r></p></hdr>");
    let relations = "<Relationships><Relationship Id='1' Type='x/header' Target='h1.xml'/>\
         <Relationship Id='2' Type='x/header' Target='h2.xml'/>\
         <Relationship Id='3' Type='x/footer' Target='f.xml'/></Relationships>";
    let (header, footer) = (part("ACME"), part("Reference 7"));
    let parts = [
        ("word/document.xml", "<document><p><r><t>Body.</t></r></p></document>"),
        ("word/_rels/document.xml.rels", relations),
        ("word/h1.xml", &header),
        ("word/h2.xml", &header),
        ("word/f.xml", &footer),
    ];
    check(Format::Docx, &parts, &["ACME", "Body.", "Reference 7"]);
}

#[test]
fn comments_and_hidden_text_of_open_document_are_left_out() {
    let comment =
        "<p>The fee <annotation><creator>Ann</creator><p>too low</p></annotation>is nine.</p>";
    check_odt(comment, &["The fee is nine."]);
    check_odt("<p>A <span text:style-name='H'>secret </span>rope.</p>", &["A rope."]);
    check_odt("<p>10 m<span text:style-name='R'>2</span></p>", &["10 m²"]);
    check_odt("<section text:display='none'><p>No</p></section><p>Yes</p>", &["Yes"]);
    let note = "<p>Rent.<note><note-citation>1</note-citation><note-body><p>With heat.</p>\
                </note-body></note> Monthly.</p>";
    check_odt(note, &["Rent. Monthly.", "With heat."]);
}

#[test]
fn tables_of_open_document_have_header_rows() {
    let row = |cells: [&str; 2]| {
        let cells = cells.map(|text| format!("<table-cell><p>{text}</p></table-cell>"));
        format!("<table-row>{}</table-row>", cells.concat())
    };
    let (first, second) = (row(["Floor", "Tenant"]), row(["Third", "Madame Quartermain"]));
    let plain = format!("<table>{first}{second}</table>");
    check_odt(&plain, &["1 Floor | Tenant\nThird | Madame Quartermain"]);
    let values = row(["1", "2"]);
    let marked = format!("<table><table-header-rows>{values}</table-header-rows>{second}</table>");
    check_odt(&marked, &["1 1 | 2\nThird | Madame Quartermain"]);
}

#[test]
fn hidden_sheets_and_rows_are_left_out() {
    let parts = [
        (
            "xl/workbook.xml",
            "<workbook><sheet name='A' r:id='1'/><sheet name='B' state='hidden' \
             r:id='2'/></workbook>",
        ),
        (
            "xl/_rels/workbook.xml.rels",
            "<r><Relationship Id='1' Type='x/worksheet' Target='a.xml'/><Relationship Id='2' \
             Type='x/worksheet' Target='b.xml'/></r>",
        ),
        (
            "xl/a.xml",
            "<worksheet><row r='1'><c r='A1'><v>7</v></c><c r='C1' t='b'><v>1</v></c></row><row \
             r='2' \
             hidden='1'><c r='A2'><v>8</v></c></row><row r='3'><c r='A3' \
             t='e'><f>1/0</f><v>#DIV/0!</v></c><c r='B3'><f>SUM(A1)</f></c></row></worksheet>",
        ),
        ("xl/b.xml", "<worksheet><row r='1'><c r='A1'><v>9</v></c></row></worksheet>"),
    ];
    check(Format::Xlsx, &parts, &["# A", "0 7 | | TRUE\n#DIV/0! | =SUM(A1)"]);
}

#[test]
fn a_table_is_whole_around_hidden_rows() {
    let parts = [
        ("xl/workbook.xml", "<workbook><sheet name='A' r:id='1'/></workbook>"),
        (
            "xl/_rels/workbook.xml.rels",
            "<r><Relationship Id='1' Type='x/worksheet' Target='a.xml'/></r>",
        ),
        (
            "xl/a.xml",
            "<worksheet><row r='1'><c t='str'><v>Dish</v></c><c t='str'><v>Cost</v></c></row>\
             <row r='2' hidden='1'><c t='str'><v>Fish</v></c></row><row r='3'><c \
             t='str'><v>Cake</v></c><c><v>3</v></c></row><row r='5'><c><v>8</v></c></row>\
             <headerFooter><oddHeader>&amp;LWard&amp;RPage &amp;P</oddHeader></headerFooter>\
             </worksheet>",
        ),
    ];
    check(Format::Xlsx, &parts, &["# A", "1 Dish | Cost\nCake | 3", "0 8", "Ward"]);
    let row = |hidden: &str, cells: [&str; 2]| {
        let cells = cells.map(|text| format!("<table-cell><p>{text}</p></table-cell>"));
        format!("<table-row {hidden}>{}</table-row>", cells.concat())
    };
    let rows = [
        row("", ["Dish", "Cost"]),
        row("table:visibility='collapse'", ["Fish", "9"]),
        row("", ["Cake", "3"]),
    ];
    let content = format!(
        "<document-content><body><spreadsheet><table table:name='A'>{}</table></spreadsheet></body>\
         </document-content>",
        rows.concat()
    );
    check(Format::Ods, &[("content.xml", &content)], &["# A", "1 Dish | Cost\nCake | 3"]);
}

#[test]
fn hidden_slides_are_left_out() {
    let slide = |attribute: &str, text: &str| {
        format!("<sld {attribute}><sp><p><r><t>{text}</t></r></p></sp></sld>")
    };
    let (seen, hidden) = (slide("", "Seen"), slide("show='0'", "Hidden"));
    let parts = [
        ("ppt/presentation.xml", "<p><sldId r:id='1'/><sldId r:id='2'/></p>"),
        (
            "ppt/_rels/presentation.xml.rels",
            "<r><Relationship Id='1' Type='x/slide' Target='1.xml'/><Relationship Id='2' \
             Type='x/slide' Target='2.xml'/></r>",
        ),
        ("ppt/1.xml", &hidden),
        ("ppt/2.xml", &seen),
    ];
    check(Format::Pptx, &parts, &["Seen"]);
}

#[test]
fn rich_text_shows_numbers_and_hides_what_is_hidden() {
    let check = |source: &str, expected: &[&str]| {
        assert_eq!(shown(&rtf::parse(source.as_bytes()).unwrap()), expected, "{source}");
    };
    check(r"{\rtf1 A {\v secret }rope.\par}", &["A rope."]);
    check(r"{\rtf1 A \v secret \v0 rope{\deleted s}.\par}", &["A rope."]);
    check(
        r"{\rtf1{\header ACME\par}Body.{\footnote With steam.} End.\par}",
        &["ACME", "Body. End.", "With steam."],
    );
    check(r"{\rtf1{\listtext\tab 3.1\tab}Either party.\par}", &["3.1 Either party."]);
    check(r"{\rtf1{\listtext\'b7\tab}Bread.\par}", &["- Bread."]);
    check(r"{\rtf1 Area 10 m{\super 2}, fee{\super 1}\u61616\'3f.\par}", &["Area 10 m², fee 1°."]);
}

#[test]
fn rows_and_margins_of_rich_text_are_whole() {
    let check = |source: &str, expected: &[&str]| {
        assert_eq!(shown(&rtf::parse(source.as_bytes()).unwrap()), expected, "{source}");
    };
    let nested = [
        r"{\rtf1\trowd\cellx9\cellx18\pard\intbl Hen\cell\pard\intbl\itap2 ",
        r"day\nestcell 90 g\nestcell{\*\nesttableprops\trowd\cellx3\cellx6\nestrow}",
        r"night\nestcell 10 g\nestcell{\*\nesttableprops\trowd\cellx3\cellx6\nestrow}",
        r"\pard\intbl\cell\row\pard After.\par}",
    ];
    check(&nested.concat(), &["0 Hen | day, 90 g; night, 10 g", "After."]);
    // A row without cells.
    check(r"{\rtf1\trowd\cellx9\intbl\pard One.\par\sect Two.\par}", &["One.", "Two."]);
    check(
        r"{\rtf1{\header Rev. 7\par}{\footer Page {\field{\*\fldinst PAGE}{\fldrslt 3}}}Body.\par}",
        &["Rev. 7", "Body."],
    );
}

/// An archive of these files, some of which are not text.
fn packed(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in files {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn an_archive_is_a_folder_of_documents() {
    let book = "<w:document><w:body>\
                <w:p><w:r><w:t>Bay two is wide.</w:t></w:r></w:p></w:body></w:document>";
    let office = zipped(&[("[Content_Types].xml", ""), ("word/document.xml", book)]);
    let inner = packed(&[("deep/b.csv", b"Bay,mm\nOne,2\n")]);
    let archive = packed(&[
        ("notes/a.md", b"# Kiln\n\nLit on Friday.\n"),
        ("notes/", b""),
        ("bays.docx", &office),
        ("more.zip", &inner),
        ("photo.png", b"\x89PNG\r\n\x1A\n\0\0"),
        (".git/config", b"hidden"),
        ("__MACOSX/a.md", b"hidden"),
    ]);
    let found = extract("all.zip", &archive).unwrap();
    assert_eq!(found.format, Format::Zip);
    assert_eq!(
        shown(&found),
        [
            "# bays.docx",
            "Bay two is wide.",
            "# more.zip",
            "# deep/b.csv",
            "1 Bay | mm\nOne | 2",
            "# notes/a.md",
            "# # Kiln",
            "Lit on Friday.",
        ]
    );
    let place = |text: &str| {
        let at = found.text.find(text).unwrap();
        found.place_at(at).map(ToString::to_string)
    };
    assert_eq!(place("Friday").as_deref(), Some("file notes/a.md"));
    assert_eq!(place("One").as_deref(), Some("file more.zip › deep/b.csv"));
    assert!(matches!(
        extract("a.zip", &packed(&[("a.png", b"\x89PNG\0")])),
        Err(NoText::Binary(_))
    ));
    assert!(matches!(extract("a.jar", &archive), Err(NoText::Binary(_))));
}

#[test]
fn archives_in_archives_end() {
    let mut archive = packed(&[("a.md", b"# Kiln\n")]);
    for _ in 0..8 {
        archive = packed(&[("a.zip", &archive)]);
    }
    assert!(extract("a.zip", &archive).is_err());
    let zeros = vec![b'a'; 200 << 20];
    let bomb = packed(&[("a.txt", &zeros)]);
    assert!(matches!(extract("a.zip", &bomb), Err(NoText::TooMuch(_))));
}
