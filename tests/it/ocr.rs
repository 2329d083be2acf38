//! Pictures and scanned pages are read where the user wants it and the programs are installed.
//! `ocr/` has a picture of two lines of text, and a PDF file of two such pictures.

use std::path::Path;

use crate::fixtures::files_below;
use crate::support::{Run, Sandbox};
use crate::tools::has_tool;

fn scans() -> Sandbox {
    let sandbox = Sandbox::new();
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/ocr");
    for file in files_below(&dir) {
        sandbox.write(&format!("scans/{file}"), std::fs::read(dir.join(&file)).unwrap());
    }
    sandbox
}

#[test]
fn pictures_and_scanned_pages_have_text_if_the_user_wants_it() {
    let tools = [("tesseract", "--version"), ("ocrmypdf", "--version")];
    if !tools.iter().all(|(tool, flag)| has_tool(tool, &[flag])) {
        return;
    }
    let sandbox = scans();
    sandbox.rag(["ingest", "--dir", "scans"]).ok().says("scanned: its 2 pages are images");
    let rag =
        |args: &[&str]| Run::of(sandbox.command(args).env("RAG_INGEST_OCR", "yes")).ok().json();
    let run = rag(&["ingest", "--dir", "scans", "--json"]);
    assert_eq!((&run["documents"], &run["read"]), (&2.into(), &2.into()), "{run}");
    let find = |words: &str| rag(&["search", words, "--json"])["hits"][0].clone();
    let picture = find("ferry to the island");
    assert_eq!(picture["path"], "timetable.png", "{picture}");
    assert!(picture["text"].as_str().unwrap().contains("half past nine"), "{picture}");
    let page = find("keeper Marta Olsen");
    assert_eq!(page["path"], "lighthouse.pdf", "{page}");
    let text = page["text"].as_str().unwrap();
    assert!(text.contains("granite") && text.contains("Marta Olsen"), "{page}");
    assert_eq!((&page["page"], &page["last_page"]), (&1.into(), &2.into()), "{page}");
    // Nothing has changed since, so nothing is read again.
    let run = rag(&["ingest", "--dir", "scans", "--json"]);
    assert_eq!(run["read"], 0, "{run}");
}
