use super::*;

/// A PDF with a content stream for each page, in Helvetica.
fn pdf(pages: &[String]) -> Vec<u8> {
    let mut objects = vec!["<</Type/Catalog/Pages 2 0 R>>".to_owned()];
    let kids: Vec<String> = (0..pages.len()).map(|n| format!("{} 0 R", 4 + 2 * n)).collect();
    objects.push(format!("<</Type/Pages/Count {}/Kids[{}]>>", pages.len(), kids.join(" ")));
    objects.push("<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>".to_owned());
    for (n, content) in pages.iter().enumerate() {
        objects.push(format!(
            "<</Type/Page/Parent 2 0 R/MediaBox[0 0 600 800]/Resources<</Font<</F 3 0 R>>>>\
             /Contents {} 0 R>>",
            5 + 2 * n
        ));
        objects.push(format!("<</Length {}>>stream\n{content}\nendstream", content.len()));
    }
    let (mut file, mut offsets) = ("%PDF-1.4\n".to_owned(), Vec::new());
    for (n, object) in objects.iter().enumerate() {
        offsets.push(file.len());
        file.push_str(&format!("{} 0 obj\n{object}\nendobj\n", n + 1));
    }
    let at = file.len();
    file.push_str(&format!("xref\n0 {}\n0000000000 65535 f \n", offsets.len() + 1));
    for offset in &offsets {
        file.push_str(&format!("{offset:010} 00000 n \n"));
    }
    let size = offsets.len() + 1;
    file.push_str(&format!("trailer<</Size {size}/Root 1 0 R>>\nstartxref\n{at}\n%%EOF"));
    file.into_bytes()
}

/// A text at a place, in a size; `y` grows downwards from the top of the page.
fn show(x: f64, y: f64, size: f64, text: &str) -> String {
    format!("BT /F {size} Tf {x} {} Td ({text}) Tj ET\n", 800.0 - y)
}

fn read(pages: &[String]) -> Extracted {
    parse(&pdf(pages)).unwrap()
}

fn blocks(extracted: &Extracted) -> Vec<&str> {
    extracted.blocks.iter().map(|block| &extracted.text[block.span.range()]).collect()
}

#[test]
fn spaced_letters_are_words() {
    for spacing in [1.8, 3.0, 5.0, 8.0] {
        let heading = format!("{spacing} Tc {} 0 Tc\n", show(50.0, 50.0, 12.0, "FIRST AID KIT"));
        let text = show(50.0, 90.0, 10.0, "The kit hangs at the door.");
        let extracted = read(&[heading + &text]);
        assert!(extracted.text.starts_with("FIRST AID KIT\n"), "{spacing}: {}", extracted.text);
    }
    let mut word = show(50.0, 50.0, 10.0, "The word");
    let spaced = show(100.0, 50.0, 10.0, "geheim");
    word.push_str(&format!("3 Tc {spaced} 0 Tc\n"));
    word.push_str(&show(160.0, 50.0, 10.0, "is spaced"));
    assert_eq!(read(&[word]).text, "The word geheim is spaced");
    let initials = show(50.0, 50.0, 10.0, "points a b c d e of the line");
    assert_eq!(read(&[initials]).text, "points a b c d e of the line");
}

#[test]
fn text_that_is_drawn_twice_is_read_once() {
    let bold =
        show(50.0, 50.0, 10.0, "All summer long") + &show(50.4, 50.0, 10.0, "All summer long");
    let shadow = show(50.0, 90.0, 20.0, "Hello") + &show(51.0, 91.0, 20.0, "Hello");
    assert_eq!(read(&[bold]).text, "All summer long");
    assert_eq!(read(&[shadow]).text, "Hello");
}

#[test]
fn raised_marks_of_notes_are_apart() {
    let mark =
        "BT /F 10 Tf 50 700 Td (The fee) Tj 4 Ts /F 6 Tf (1) Tj 0 Ts /F 10 Tf ( is due) Tj ET";
    assert_eq!(read(&[mark.to_owned()]).text, "The fee 1 is due");
    let unit = "BT /F 10 Tf 50 700 Td (about 20 m) Tj 4 Ts /F 6 Tf (2) Tj ET";
    assert_eq!(read(&[unit.to_owned()]).text, "about 20 m2");
}

/// Rows of cells at these places.
fn grid(y: f64, pitch: f64, columns: &[f64], rows: &[&[&str]]) -> String {
    let mut content = String::new();
    for (r, row) in rows.iter().enumerate() {
        for (x, cell) in columns.iter().zip(*row).filter(|(_, cell)| !cell.is_empty()) {
            content.push_str(&show(*x, y + pitch * r as f64, 10.0, cell));
        }
    }
    content
}

#[test]
fn rows_of_a_table_are_lines_and_blank_cells_keep_their_column() {
    let text =
        show(50.0, 50.0, 10.0, "The clearances are measured on a cold engine by two people.");
    let rows: &[&[&str]] = &[
        &["Valve", "Intake", "Exhaust", "Spare"],
        &["Bay one", "0.20 mm", "", "0.31 mm"],
        &["Bay two", "", "0.27 mm", ""],
    ];
    let extracted = read(&[text + &grid(90.0, 18.0, &[50.0, 150.0, 250.0, 350.0], rows)]);
    let (block, kind) = (blocks(&extracted)[1], &extracted.blocks[1].kind);
    assert_eq!(
        block,
        "Valve | Intake | Exhaust | Spare\nBay one | 0.20 mm |  | 0.31 mm\nBay two |  | 0.27 mm |"
    );
    assert_eq!(*kind, BlockKind::Table { headers: 1 });
}

#[test]
fn cells_of_several_lines_are_one_and_a_record_has_no_header() {
    let rows: &[&[&str]] =
        &[&["Fault", "Cause", "Remedy"], &["No start", "The fuse of the", "Replace it"]];
    let mut content = grid(50.0, 24.0, &[50.0, 150.0, 300.0], rows);
    content.push_str(&show(150.0, 86.0, 10.0, "pump is blown"));
    content.push_str(&grid(110.0, 24.0, &[50.0, 150.0, 300.0], &[&["Noise", "Air", "Bleed it"]]));
    let extracted = read(&[content]);
    assert_eq!(
        extracted.text,
        "Fault | Cause | Remedy\nNo start | The fuse of the pump is blown | Replace it\nNoise | \
         Air | Bleed it"
    );
    let record: &[&[&str]] = &[&["Name", "Anna Berg"], &["Town", "Keswick"], &["Role", "keeper"]];
    let extracted = read(&[grid(50.0, 14.0, &[50.0, 120.0], record)]);
    assert_eq!(extracted.text, "Name | Anna Berg\nTown | Keswick\nRole | keeper");
    assert_eq!(extracted.blocks[0].kind, BlockKind::Table { headers: 0 });
}

#[test]
fn lists_are_no_tables() {
    let items: &[&[&str]] = &[&["1.", "Open the valve"], &["2.", "Close the lid"], &["3.", "Wait"]];
    let extracted = read(&[grid(50.0, 14.0, &[50.0, 80.0], items)]);
    assert!(!extracted.text.contains('|'), "{}", extracted.text);
}

/// Pages with a head and a foot.
fn book(
    bodies: &[&[&str]],
    head: &dyn Fn(usize) -> String,
    foot: &dyn Fn(usize) -> String,
) -> Extracted {
    let page = |(n, lines): (usize, &&[&str])| {
        let mut content = show(50.0, 40.0, 9.0, &head(n)) + &show(280.0, 770.0, 9.0, &foot(n));
        for (i, line) in lines.iter().enumerate() {
            content.push_str(&show(50.0, 80.0 + 12.0 * i as f64, 10.0, line));
        }
        content
    };
    read(&bodies.iter().enumerate().map(page).collect::<Vec<_>>())
}

#[test]
fn heads_and_feet_are_left_out_and_a_sentence_over_two_pages_is_whole() {
    let bodies: &[&[&str]] = &[
        &["The rules are short.", "A vessel that has not paid the"],
        &["mooring fee may be towed to the basin.", "Lights are on at dusk."],
    ];
    let extracted = book(bodies, &|_| "Harbour rules".to_owned(), &|n| (17 + n).to_string());
    assert_eq!(
        extracted.text,
        "Harbour rules\n\nThe rules are short.\n\nA vessel that has not paid the mooring fee may \
         be \
         towed to the basin. Lights are on at dusk."
    );
    let mooring = extracted.text.find("mooring").unwrap();
    assert_eq!(extracted.place_at(mooring), Some(&Location::Page(2)));
    assert_eq!(extracted.place_at(mooring - 5), Some(&Location::Page(1)));
    let head = |n: usize| if n.is_multiple_of(2) { "The book" } else { "A chapter" }.to_owned();
    let bodies: &[&[&str]] =
        &[&["One it is."], &["Two it is."], &["Three it is."], &["Four it is."]];
    let extracted = book(bodies, &head, &|n| format!("Page {} of 4", n + 1));
    assert_eq!(extracted.text.matches("The book").count(), 1, "{}", extracted.text);
    assert!(!extracted.text.contains("of 4"), "{}", extracted.text);
}

#[test]
fn numbered_headings_at_the_top_of_pages_are_no_heads() {
    let bodies: &[&[&str]] = &[&["Mix the flour."], &["Bake the bread."]];
    let extracted = book(bodies, &|n| format!("Step {}", n + 1), &|n| format!("- {} -", n + 1));
    assert!(extracted.text.contains("Step 1") && extracted.text.contains("Step 2"));
    assert!(!extracted.text.contains("- 2 -"));
}

#[test]
fn rules_part_the_cells_of_a_table() {
    // The texts are at the bottom of their cells, and the first cell spans two columns.
    let mut content = grid(
        60.0,
        30.0,
        &[52.0, 152.0, 252.0],
        &[&["", "", ""], &["Fault", "Cause", "Remedy"], &["", "Blown fuse", "Replace it"]],
    );
    content.push_str(&show(180.0, 60.0, 10.0, "Pump and motor"));
    content.push_str(&show(52.0, 108.0, 10.0, "No start or"));
    content.push_str(&show(52.0, 120.0, 10.0, "slow start"));
    let mut line = |x0: f64, y0: f64, x1: f64, y1: f64| {
        content.push_str(&format!("{x0} {} m {x1} {} l S\n", 800.0 - y0, 800.0 - y1));
    };
    for y in [40.0, 65.0, 95.0, 125.0] {
        line(50.0, y, 350.0, y);
    }
    for (x, y) in [(50.0, 40.0), (150.0, 40.0), (250.0, 65.0), (350.0, 40.0)] {
        line(x, y, x, 125.0);
    }
    let extracted = read(&[content]);
    assert_eq!(
        extracted.text,
        " | Pump and motor | Pump and motor\nFault | Cause | Remedy\n\
         No start or slow start | Blown fuse | Replace it"
    );
    assert_eq!(extracted.blocks[0].kind, BlockKind::Table { headers: 2 });
}

#[test]
fn letters_parted_by_typed_spaces_are_words() {
    let heading = show(50.0, 50.0, 12.0, "L I S T   O F   N O T E S");
    assert_eq!(read(&[heading]).text, "LIST OF NOTES");
    let labels = show(50.0, 50.0, 12.0, "A B C D E F");
    assert_eq!(read(&[labels]).text, "A B C D E F");
}

#[test]
fn widely_set_lines_are_paragraphs() {
    let mut page = String::new();
    for n in 0..4 {
        let y = 50.0 + 72.0 * f64::from(n);
        page.push_str(&show(50.0, y, 12.0, "The tenant of the mill pays the rent on the third"));
        page.push_str(&show(
            50.0,
            y + 24.0,
            12.0,
            "day of the month, and he keeps the well and the",
        ));
        page.push_str(&show(50.0, y + 48.0, 12.0, "gate in order."));
    }
    let paragraph = "The tenant of the mill pays the rent on the third day of the month, and he \
        keeps \
                     the well and the gate in order.";
    assert_eq!(blocks(&read(&[page])), [paragraph; 4]);
}

#[test]
fn names_of_columns_that_nearly_touch_are_parted() {
    let rows = [
        ["Granite", "90", "2.7", ""],
        ["Slate", "", "2.8", "soft"],
        ["Marble", "140", "", "white"],
    ];
    // The names are drawn one after another, an em apart.
    let mut page = show(50.0, 50.0, 10.0, "Stone");
    let xs = [50.0, 120.0, 154.0, 195.0];
    for (x, name) in xs[1..].iter().zip(["Price", "Weight", "Note"]) {
        page.push_str(&show(*x, 50.0, 10.0, name));
    }
    for (n, row) in rows.iter().enumerate() {
        for (x, cell) in xs.iter().zip(row).filter(|(_, cell)| !cell.is_empty()) {
            page.push_str(&show(*x, 68.0 + 18.0 * n as f64, 10.0, cell));
        }
    }
    let expected = "Stone | Price | Weight | Note\nGranite | 90 | 2.7 | \nSlate |  | 2.8 | soft\n\
                    Marble | 140 |  | white";
    assert_eq!(blocks(&read(&[page])), [expected]);
}
