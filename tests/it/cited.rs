//! The places of documents of every format: what citations print is taken by `rag show`.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

use serde_json::Value;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::fixtures::write_old;
use crate::support::Sandbox;
use crate::tools::copy_tree;

/// A mail with a text, and with a mail that has one.
const NESTED: &str = "\
From: Ada <ada@x.org>\nSubject: Reports\nMIME-Version: 1.0\n\
Content-Type: multipart/mixed; boundary=a\n\n\
--a\nContent-Type: text/plain\n\nThe reports of the harbour.\n\
--a\nContent-Type: text/plain; name=\"first (1), page 2.txt\"\n\
Content-Disposition: attachment\n\nThe first report of the harbour.\n\
--a\nContent-Type: message/rfc822\n\nFrom: Bo <bo@x.org>\nSubject: Second\nMIME-Version: 1.0\n\
Content-Type: multipart/mixed; boundary=b\n\n\
--b\nContent-Type: text/plain\n\nThe second one is attached.\n\
--b\nContent-Type: text/plain; name=\"second - (2).txt\"\n\
Content-Disposition: attachment\n\nThe second report of the harbour.\n\
--b--\n--a--\n";

/// Documents of every format, also one in another.
fn all_formats() -> Sandbox {
    let sandbox = Sandbox::new();
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/formats/corpus");
    copy_tree(&corpus, &sandbox.path().join("docs"));
    let docs = sandbox.path().join("docs");
    for entry in std::fs::read_dir(&docs).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "words") {
            std::fs::remove_file(path).unwrap();
        }
    }
    write_old(&sandbox, "docs/plan (1).md", "# Plan\n\nThe harbour opens in May.\n");
    let calendar = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:Harbour\nEND:VEVENT\nEND:VCALENDAR\n";
    write_old(&sandbox, "docs/plan.ics", calendar);
    write_old(&sandbox, "docs/nested.eml", NESTED);
    let mut zip = ZipWriter::new(File::create(docs.join("all (2).zip")).unwrap());
    for name in ["writer.pdf", "nested.eml", "slides.pptx", "plan (1).md"] {
        zip.start_file(format!("in/{name}"), SimpleFileOptions::default()).unwrap();
        zip.write_all(&std::fs::read(docs.join(name)).unwrap()).unwrap();
    }
    zip.finish().unwrap();
    sandbox.ingest();
    sandbox
}

#[test]
fn a_printed_citation_of_every_format_is_shown() {
    let sandbox = all_formats();
    let args = ["search", "a harbour and its books", "-k", "400", "--mode", "dense"];
    let hits = sandbox.rag([&args[..], &["--json"]].concat()).ok().json();
    let hits = hits["hits"].as_array().unwrap();
    let printed = sandbox.rag([&args[..], &["--format", "context", "--tokens", "999999"]].concat());
    let printed = printed.ok().stdout;
    let mut kinds = BTreeSet::new();
    for hit in hits {
        let n = hit["rank"].as_u64().unwrap();
        let (_, line) = printed.split_once(&format!("\n## [{n}] ")).unwrap();
        let place = line.lines().next().unwrap();
        let place = place.split_once(" — ").map_or(place, |(place, _)| place);
        let shown = sandbox.rag(["show", place, "-C", "0", "--json"]).ok().json();
        let passages = shown["passages"].as_array().unwrap();
        let is_same = |passage: &Value| passage["text"] == hit["text"] && passage["cited"] == true;
        assert!(passages.iter().any(is_same), "{place}: {hit}\n{shown}");
        kinds.insert(hit["location"]["kind"].as_str().unwrap_or("line").to_owned());
    }
    let expected = ["attachment", "cell", "file", "line", "message", "page", "sheet", "slide"];
    assert_eq!(kinds.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn a_number_is_what_the_document_counts() {
    let sandbox = all_formats();
    let cited = |place: &str| {
        let shown = sandbox.rag(["show", place, "-C", "0", "--json"]).ok().json();
        let passages = shown["passages"].as_array().unwrap().clone();
        assert!(!passages.is_empty(), "{place}");
        passages[0]["location"].clone()
    };
    assert_eq!(cited("writer.pdf:1")["page"], 1);
    assert_eq!(cited("slides.pptx:2")["slide"], 2);
    assert_eq!(cited("letters.mbox:2")["message"], 2);
    assert_eq!(cited("notes.ipynb:2")["cell"], 2);
    sandbox.rag(["show", "writer.pdf:99"]).exits(2).says("no text at page 99");
    sandbox.rag(["show", "slides.pptx (slide 99)"]).exits(2).says("no text at slide 99");
    // Editors and `fzf` get the same number.
    let lines = sandbox.rag(["search", "harbour", "-k", "400", "--format", "lines"]).ok();
    let of_pdf =
        lines.stdout.lines().filter_map(|line| line.strip_prefix("docs/empty-password.pdf:"));
    let pages: Vec<&str> = of_pdf.map(|rest| rest.split(':').next().unwrap()).collect();
    assert!(!pages.is_empty(), "{lines}");
    for page in pages {
        sandbox.rag(["show", &format!("docs/empty-password.pdf:{page}")]).ok();
    }
}
