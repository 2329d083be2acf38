//! Documents of every format, written by real programs, and files made to break their parsers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::ZlibEncoder;
use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use crate::support::{Run, Sandbox, shared_data};
use crate::sweep::{Sweep, use_tiny_model};
use crate::tools::thorough;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/formats/corpus")
}

/// The child process in which an ingest reads risky formats, with the protocol of the ingest.
pub struct Worker(Child);

impl Worker {
    pub fn start() -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_rag"));
        Self(
            command
                .arg("extract-worker")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap(),
        )
    }

    fn read(&mut self, path: &Path) -> Value {
        let bytes = std::fs::read(path).unwrap();
        self.ask(&json!({ "path": path, "bytes": bytes.len(), "cpu_s": 60 }), &bytes)
            .unwrap_or_else(|| panic!("{} kills its reader", path.display()))
    }

    /// The answer to a request; `None` when the child dies.
    pub fn ask(&mut self, request: &Value, bytes: &[u8]) -> Option<Value> {
        let input = self.0.stdin.as_mut().unwrap();
        writeln!(input, "{request}").unwrap();
        input.write_all(bytes).unwrap();
        input.flush().unwrap();
        let mut output = BufReader::new(self.0.stdout.as_mut().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        let head: Value = serde_json::from_str(&line).ok()?;
        let mut answer = vec![0; usize::try_from(head["bytes"].as_u64().unwrap()).unwrap()];
        output.read_exact(&mut answer).unwrap();
        Some(serde_json::from_slice(&answer).unwrap())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

fn words(text: &str) -> Vec<String> {
    let text = text.to_lowercase();
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// Share of the words of `reference` that `found` contains, with multiplicity.
fn recall(reference: &[String], found: &[String]) -> f64 {
    let mut have = BTreeMap::<&str, usize>::new();
    found.iter().for_each(|word| *have.entry(word).or_default() += 1);
    let mut met = 0;
    for word in reference {
        if let Some(n) = have.get_mut(word.as_str()).filter(|n| **n > 0) {
            *n -= 1;
            met += 1;
        }
    }
    f64::from(met) / reference.len().max(1) as f64
}

/// Length of the longest common subsequence of words over the number of common words.
fn order(reference: &[String], found: &[String]) -> f64 {
    let mut places = BTreeMap::<&str, Vec<usize>>::new();
    found.iter().enumerate().rev().for_each(|(at, word)| places.entry(word).or_default().push(at));
    let sequence: Vec<usize> =
        reference.iter().filter_map(|word| places.get_mut(word.as_str())?.pop()).collect();
    let mut tails: Vec<usize> = Vec::new();
    for at in &sequence {
        let i = tails.partition_point(|tail| tail < at);
        if i == tails.len() {
            tails.push(*at);
        } else {
            tails[i] = *at;
        }
    }
    tails.len() as f64 / sequence.len().max(1) as f64
}

#[test]
fn the_words_of_every_format_are_extracted_in_order() {
    let mut worker = Worker::start();
    let mut formats = Vec::new();
    let mut names: Vec<PathBuf> =
        std::fs::read_dir(corpus()).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    for path in names {
        let Ok(expected) = std::fs::read_to_string(format!("{}.words", path.display())) else {
            continue;
        };
        let answer = worker.read(&path);
        let text = answer["Text"]["text"]
            .as_str()
            .unwrap_or_else(|| panic!("{}: {answer}", path.display()));
        let (expected, found) = (words(&expected), words(text));
        let (recall, order) = (recall(&expected, &found), order(&expected, &found));
        assert!(
            recall >= 0.97 && order >= 0.85,
            "{}: recall {recall}, order {order}\n{text}",
            path.display()
        );
        formats.push(answer["Text"]["format"].as_str().unwrap().to_owned());
    }
    formats.dedup();
    formats.sort();
    formats.dedup();
    let expected = [
        "docx", "epub", "mail", "mbox", "notebook", "odp", "ods", "odt", "pdf", "pptx", "rtf",
        "xlsx",
    ];
    assert_eq!(formats, expected);
}

/// Headings of a document of the corpus.
fn headings(worker: &mut Worker, name: &str) -> Vec<String> {
    let answer = worker.read(&corpus().join(name));
    let blocks = answer["Text"]["blocks"].as_array().unwrap();
    let headings = blocks.iter().filter(|block| block[2] == "h");
    headings.filter_map(|block| block[3][1].as_str().map(str::to_owned)).collect()
}

#[test]
fn headings_are_extracted_from_every_format_that_has_them() {
    let mut worker = Worker::start();
    let names = [
        "word.docx",
        "writer.docx",
        "writer.odt",
        "writer.rtf",
        "writer.pdf",
        "slides.pptx",
        "impress.odp",
    ];
    for name in names.into_iter().chain(["book.epub", "notes.ipynb", "page.eml"]) {
        let found = headings(&mut worker, name);
        for heading in ["The Lamp", "Wörter mit Umlauten", "Fog Signals"] {
            assert!(found.iter().any(|h| h == heading), "{name} lacks {heading:?}: {found:?}");
        }
    }
    assert_eq!(headings(&mut worker, "sheets.xlsx"), ["Stations", "Costs 1897"]);
}

fn copy(sandbox: &Sandbox, name: &str, to: &str) {
    sandbox.write(&format!("docs/{to}"), std::fs::read(corpus().join(name)).unwrap());
}

/// The first hit of a lexical search in a document.
fn hit_in(sandbox: &Sandbox, query: &str, path: &str) -> Value {
    let args = ["search", "--json", "--mode", "lexical", "-k", "40", query];
    let found = sandbox.rag(args).ok().json();
    let hit = found["hits"].as_array().unwrap().iter().find(|hit| hit["path"] == path);
    hit.unwrap_or_else(|| panic!("{query} does not find {path}: {found}")).clone()
}

#[test]
fn citations_name_page_slide_sheet_message_and_cell() {
    let sandbox = Sandbox::new();
    for name in
        ["writer.pdf", "slides.pptx", "sheets.xlsx", "letters.mbox", "notes.ipynb", "writer.odt"]
    {
        copy(&sandbox, name, name);
    }
    sandbox.ingest();
    let place = |query: &str, path: &str| hit_in(&sandbox, query, path);
    let hit = place("diaphone harbour office", "writer.pdf");
    assert_eq!((&hit["page"], &hit["place"]), (&json!(1), &json!({ "kind": "page", "page": 1 })));
    let hit = place("diaphone harbour office", "slides.pptx");
    assert_eq!(
        (&hit["page"], &hit["place"]),
        (&Value::Null, &json!({ "kind": "slide", "slide": 4 }))
    );
    let hit = place("colza oil 1234.5", "sheets.xlsx");
    assert_eq!(hit["place"], json!({ "kind": "sheet", "sheet": "Costs 1897", "cell": "B3" }));
    let hit = place("diaphone harbour office", "letters.mbox");
    assert_eq!(hit["place"], json!({ "kind": "message", "message": 3 }));
    let hit = place("diaphone harbour office", "notes.ipynb");
    assert_eq!(hit["place"], json!({ "kind": "cell", "cell": 4 }));
    assert!(place("diaphone harbour office", "writer.odt").get("place").is_none());
    let shown = sandbox.rag(["search", "--mode", "lexical", "colza oil 1234.5"]).ok();
    shown.prints("sheets.xlsx (sheet Costs 1897!B3)");
}

#[test]
fn a_mailbox_larger_than_other_files_may_be_is_read_message_by_message() {
    let sandbox = Sandbox::new();
    let message = |n: usize, more: &str| {
        format!(
            "From ada@x.org Mon Feb  2 09:10:00 2026\nFrom: Ada <ada@x.org>\nSubject: Boat {n}\n\n\
             The boat number {n} was painted in the harbour.\n{more}\n\n"
        )
    };
    let large = "Planks and nails. ".repeat(5000);
    let mut all: String = (1..=300).map(|n| message(n, "")).collect();
    all += &message(0, &large);
    all += &message(301, "It is called the Cormorant.\n");
    assert!(all.len() > 100_000);
    sandbox.write("docs/boats.mbox", &all);
    sandbox.write("docs/boats.txt", &all.replace("From ", "of "));
    let limit = ("RAG_INGEST_MAX_FILE_BYTES", "50000");
    let ingest = || {
        let mut command = sandbox.command(["ingest", "--json", "--dir", "docs"]);
        Run::of(command.env(limit.0, limit.1)).exits(4).json()
    };
    let first = ingest();
    assert_eq!(
        (&first["documents"], &first["failed"][0]["path"]),
        (&1.into(), &"docs/boats.txt".into())
    );
    let hit = hit_in(&sandbox, "What is the Cormorant?", "boats.mbox");
    // The message that is too long is left out and does not count.
    let last =
        if hit["last_location"].is_null() { &hit["location"] } else { &hit["last_location"] };
    assert_eq!(last, &json!({ "kind": "message", "message": 301 }), "{hit}");
    assert!(
        sandbox.rag(["search", "planks nails", "--json"]).ok().json()["hits"]
            .as_array()
            .unwrap()
            .iter()
            .all(|hit| !hit["text"].as_str().unwrap().contains("Planks"))
    );
    assert_eq!(ingest()["corpus_id"], first["corpus_id"]);
}

#[test]
fn the_content_of_a_file_decides_its_format() {
    let sandbox = Sandbox::new();
    copy(&sandbox, "writer.pdf", "a.txt");
    copy(&sandbox, "word.docx", "b.zip");
    copy(&sandbox, "writer.rtf", "c.doc");
    copy(&sandbox, "letters.mbox", "d");
    copy(&sandbox, "letter.eml", "e");
    sandbox.write("docs/f.pdf", "No PDF but a note about barnacles.");
    let report = sandbox.ingest();
    assert_eq!(
        (&report["documents"], &report["skipped"], &report["failed"]),
        (&json!(6), &json!(0), &json!([])),
        "{report}"
    );
}

#[test]
fn a_file_without_text_is_reported_with_advice() {
    let sandbox = Sandbox::new();
    copy(&sandbox, "password.pdf", "locked.pdf");
    copy(&sandbox, "empty-password.pdf", "open.pdf");
    let scan = pdf(&[
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 100 100] /Contents 4 0 R /Resources << \
         /XObject << /I 5 0 R >> >> >>",
        "<< /Length 28 >> stream\nq 90 0 0 90 5 5 cm /I Do Q  \nendstream",
        "<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /BitsPerComponent 8 /ColorSpace \
         /DeviceGray /Length 1 >> \
         stream\n0\nendstream",
    ]);
    sandbox.write("docs/scan.pdf", scan);
    sandbox.write("docs/torn.pdf", "%PDF-1.7\nand nothing else");
    sandbox.write(
        "docs/old.doc",
        [&b"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"[..], &wide("WordDocument")].concat(),
    );
    let run = sandbox.rag(["ingest", "--dir", "docs", "--json"]).exits(4);
    let report = run.json();
    let rows = |name: &str| {
        let rows = report[name].as_array().unwrap().iter();
        rows.map(|row| (row["path"].as_str().unwrap().to_owned(), row.to_string()))
            .collect::<BTreeMap<_, _>>()
    };
    let (no_text, failed) = (rows("no_text"), rows("failed"));
    assert_eq!(report["documents"], 1, "{report}");
    for (path, part) in [("docs/locked.pdf", "encrypted"), ("docs/scan.pdf", "ocrmypdf")] {
        assert!(no_text[path].contains(part), "{path}: {report}");
    }
    for path in ["docs/torn.pdf", "docs/old.doc"] {
        assert!(failed[path].contains("damaged"), "{path}: {report}");
    }
    sandbox.rag(["ingest", "--dir", "docs"]).exits(4).says("no text docs/scan.pdf: scanned");
}

#[test]
fn front_matter_becomes_metadata_and_not_text() {
    let sandbox = Sandbox::new();
    let page = "---\ntitle: \"Keeping bees\"\ntags: [insects, honey]\ndate: \
         2024-05-01\n---\n\nSmoke calms a hive.\n";
    sandbox.write("docs/bees.md", page);
    sandbox.ingest();
    let found = sandbox.rag(["search", "--json", "--mode", "lexical", "smoke hive"]).ok().json();
    assert_eq!(
        (&found["hits"][0]["title"], &found["hits"][0]["text"]),
        (&json!("Keeping bees"), &json!("Smoke calms a hive."))
    );
    let indexes = std::fs::read_dir(sandbox.data().join("indexes")).unwrap();
    let table = indexes.filter_map(|entry| {
        std::fs::read_to_string(entry.unwrap().path().join("documents.jsonl")).ok()
    });
    let record: Value = serde_json::from_str(&table.collect::<String>()).unwrap();
    assert_eq!(record["meta"], json!({ "tags": ["insects", "honey"], "date": ["2024-05-01"] }));
    let tagged = |filter: &str| {
        sandbox.rag(["search", "--json", "--mode", "lexical", "--filter", filter, "smoke"]).code
    };
    assert_eq!((tagged("meta.tags:honey"), tagged("meta.tags:wax")), (Some(0), Some(3)));
}

fn wide(text: &str) -> Vec<u8> {
    text.bytes().flat_map(|b| [b, 0]).collect()
}

/// A PDF of these objects, the first of which is its catalog.
fn pdf(objects: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let mut out = b"%PDF-1.7\n".to_vec();
    let mut table = format!("xref\n0 {}\n0000000000 65535 f \n", objects.len() + 1);
    for (n, object) in objects.iter().enumerate() {
        writeln!(table, "{:010} 00000 n ", out.len()).unwrap();
        out.extend(format!("{} 0 obj\n", n + 1).bytes());
        out.extend(object.as_ref());
        out.extend(b"\nendobj\n");
    }
    let at = out.len();
    out.extend(table.bytes());
    out.extend(
        format!("trailer << /Size {} /Root 1 0 R >>\nstartxref\n{at}\n%%EOF\n", objects.len() + 1)
            .bytes(),
    );
    out
}

/// A ZIP archive of parts: name, text around `@`, inner text and its repetitions.
fn zipped(parts: &[(&str, &str, &str, usize)]) -> Vec<u8> {
    let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, around, inner, n) in parts {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        let (before, after) = around.split_once('@').unwrap_or((around, ""));
        zip.write_all(before.as_bytes()).unwrap();
        let block = inner.repeat((1 << 16) / inner.len().max(1) + 1);
        let mut left = n * inner.len();
        while left > 0 {
            let m = left.min(block.len());
            zip.write_all(&block.as_bytes()[..m]).unwrap();
            left -= m;
        }
        zip.write_all(after.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn docx(document: (&str, &str, usize)) -> Vec<u8> {
    let (around, inner, n) = document;
    zipped(&[("[Content_Types].xml", "<Types/>", "", 0), ("word/document.xml", around, inner, n)])
}

/// A content stream that unpacks to this many bytes.
fn flate_bomb(bytes: usize) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    let block = b"q Q ".repeat(1 << 18);
    (0..bytes / block.len()).for_each(|_| encoder.write_all(&block).unwrap());
    let packed = encoder.finish().unwrap();
    let head = format!("<< /Filter /FlateDecode /Length {} >> stream\n", packed.len());
    [head.as_bytes(), &packed, b"\nendstream"].concat()
}

const CATALOG: &str = "<< /Type /Catalog /Pages 2 0 R >>";
const PAGES: &str = "<< /Type /Pages /Kids [3 0 R] /Count 1 >>";
const PAGE: &str = "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Contents 4 0 R >>";

/// Files made to take unbounded memory, time or stack, each with a part of its fault. An empty
/// part: the file is read, or found to be empty.
fn bombs() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let deep = |open: &str, close: &str, n: usize| [open.repeat(n), close.repeat(n)].concat();
    let million_pages =
        format!("<< /Type /Pages /Count 1000000 /Kids [{}] >>", "3 0 R ".repeat(1_000_000));
    let laughs: String = (1..30)
        .map(|n| format!("<!ENTITY e{n} '{}'>", format!("&e{};", n - 1).repeat(10)))
        .collect();
    let laughs =
        format!("<!DOCTYPE d [<!ENTITY e0 'ha'>{laughs}]><d><p><t>a laugh: &e29;</t></p></d>");
    let sheet = "<worksheet><sheetData><row r='1'><c r='A1' \
         t='str'><v>@</v></c></row></sheetData></worksheet>";
    let book = "<workbook xmlns:r='r'><sheets><sheet name='S' r:id='r1'/></sheets></workbook>";
    let relations = "<Relationships><Relationship Id='r1' Type='worksheet' \
         Target='worksheets/s.xml'/></Relationships>";
    let xlsx = zipped(&[
        ("[Content_Types].xml", "<Types/>", "", 0),
        ("xl/workbook.xml", book, "", 0),
        ("xl/_rels/workbook.xml.rels", relations, "", 0),
        ("xl/worksheets/s.xml", sheet, "word ", 80_000_000),
    ]);
    let parts = (0..2_000).fold(String::from("From: a@b.c\nMIME-Version: 1.0\n"), |mut text, n| {
        write!(text, "Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n").unwrap();
        text
    });
    vec![
        ("nested.pdf", pdf(&[CATALOG, PAGES, PAGE, &deep("[", "]", 1_000_000)]), ""),
        (
            "kids.pdf",
            pdf(&["<< /Pages 2 0 R >>", "<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 >>"]),
            "",
        ),
        ("loop.pdf", pdf(&[CATALOG, PAGES, PAGE, "4 0 R"]), ""),
        (
            "flate.pdf",
            pdf(&[CATALOG.into(), PAGES.into(), PAGE.into(), flate_bomb(2 << 30)]),
            "more than",
        ),
        (
            "pages.pdf",
            pdf(&[CATALOG, &million_pages, PAGE, "<< /Length 0 >> stream\n\nendstream"]),
            "more than",
        ),
        (
            "bomb.docx",
            docx(("<document><p><r><t>@</t></r></p></document>", "word ", 80_000_000)),
            "MiB",
        ),
        ("deep.docx", docx((&deep("<tbl><tr><tc>", "</tc></tr></tbl>", 100_000), "", 0)), ""),
        ("laughs.docx", docx((&laughs, "", 0)), ""),
        ("bomb.xlsx", xlsx, "MiB"),
        ("laughs.xml", laughs.clone().into_bytes(), ""),
        ("deep.html", [deep("<div>", "", 100_000), "a word".into()].concat().into_bytes(), ""),
        ("deep.json", deep("[", "]", 100_000).into_bytes(), ""),
        (
            "deep.ipynb",
            format!("{{\"cells\": {}}}", deep("[", "]", 100_000)).into_bytes(),
            "damaged",
        ),
        ("deep.rtf", format!("{{\\rtf1 {}", "{".repeat(100_000)).into_bytes(), "deeper"),
        ("deep.eml", parts.into_bytes(), ""),
        // Text is not read by the child: its size is bounded, and chunking must be linear.
        ("letters.txt", vec![b'x'; 2 << 20], ""),
        ("line.txt", b"pelican ".repeat(1 << 18), ""),
        ("ideographs.txt", "\u{9CE5}".repeat(1 << 18).into_bytes(), ""),
        ("marks.txt", format!("e{}", "\u{301}".repeat(1 << 19)).into_bytes(), ""),
        ("deep.md", [deep("> ", "", 100_000), "a word".into()].concat().into_bytes(), ""),
        (
            "lists.md",
            (0..1_000)
                .map(|n| format!("{}- item {n}\n", " ".repeat(n * 2)))
                .collect::<String>()
                .into_bytes(),
            "",
        ),
        ("brackets.md", deep("[", "](", 100_000).into_bytes(), ""),
        ("large.txt", vec![b'y'; (32 << 20) + 1], "ingest.max_file_bytes"),
    ]
}

#[test]
fn files_made_to_break_parsers_fail_alone() {
    let sandbox = Sandbox::new();
    use_tiny_model(&sandbox);
    sandbox.write("docs/honest.md", "# Honest\n\nThe ferry leaves at noon.\n");
    copy(&sandbox, "word.docx", "zzz.docx");
    let bombs = bombs();
    for (name, bytes, _) in &bombs {
        sandbox.write(&format!("docs/{name}"), bytes);
    }
    let report = sandbox.rag(["ingest", "--dir", "docs", "--json"]).exits(4).json();
    let failed = report["failed"].as_array().unwrap();
    let mut sweep = Sweep::new("files that are made to break their parsers");
    for (name, _, reason) in &bombs {
        let row = failed.iter().find(|row| row["path"] == format!("docs/{name}"));
        sweep.point(name, || match row {
            None => assert!(reason.is_empty(), "it did not fail: {report}"),
            Some(row) => {
                assert!(
                    row["reason"].as_str().unwrap().contains(reason)
                        && !row.to_string().contains("bug"),
                    "{row}"
                );
            }
        });
    }
    sweep.end(if thorough() { longest(&bombs) } else { String::new() });
    let found = sandbox.rag(["search", "--json", "--mode", "lexical", "ferry"]).ok().json();
    assert_eq!(found["hits"][0]["path"], "honest.md");
    let found = sandbox.rag(["search", "--json", "--mode", "lexical", "kilmarnock"]).ok().json();
    assert_eq!(found["hits"][0]["path"], "zzz.docx", "a reader that died is replaced");
}

/// The file that takes an ingest the longest, and how long, vectors included.
fn longest(bombs: &[(&'static str, Vec<u8>, &str)]) -> String {
    let time =
        |(name, bytes, _): &(&'static str, Vec<u8>, &str)| (ingest_alone(name, bytes), *name);
    let (time, name) = bombs.iter().map(time).max().unwrap();
    format!("the longest alone: {name}, {:.1} s", time.as_secs_f64())
}

/// How long an ingest of one file takes.
fn ingest_alone(name: &str, bytes: &[u8]) -> Duration {
    let sandbox = Sandbox::new();
    use_tiny_model(&sandbox);
    sandbox.write(&format!("docs/{name}"), bytes);
    let start = Instant::now();
    let run = sandbox.rag(["ingest", "--dir", "docs", "--json"]);
    assert!(matches!(run.code, Some(0 | 4)), "{name}");
    start.elapsed()
}

/// A line of 1 GB is refused by its size.
#[test]
fn a_line_of_a_gigabyte_is_refused() {
    if !thorough() {
        return;
    }
    let sandbox = Sandbox::new();
    sandbox.write("docs/honest.md", "The ferry leaves at noon.\n");
    let mut file = std::fs::File::create(sandbox.path().join("docs/line.txt")).unwrap();
    let block = b"pelican ".repeat(1 << 17);
    (0..1 << 10).for_each(|_| file.write_all(&block).unwrap());
    drop(file);
    let run = sandbox.rag(["ingest", "--dir", "docs", "--json"]).exits(4);
    assert!(
        run.json()["failed"][0]["reason"].as_str().unwrap().contains("ingest.max_file_bytes"),
        "{run}"
    );
}

#[test]
fn pdfs_have_the_words_that_pdftotext_finds() {
    let Some(folder) = shared_data("pypdf_samples") else { return };
    if Command::new("pdftotext").arg("-v").stderr(Stdio::null()).status().is_err() {
        eprintln!("skipped: there is no pdftotext");
        return;
    }
    let mut worker = Worker::start();
    let (mut recalls, mut orders) = (Vec::new(), Vec::new());
    for path in
        crate::fixtures::files_below(&folder).into_iter().filter(|path| path.ends_with(".pdf"))
    {
        let path = folder.join(path);
        let reference = Command::new("pdftotext")
            .args(["-q", "-enc", "UTF-8"])
            .arg(&path)
            .arg("-")
            .output()
            .unwrap();
        let reference = words(&String::from_utf8_lossy(&reference.stdout));
        let answer = worker.read(&path);
        let no_text = answer["NoText"]["kind"].as_str();
        assert!(
            answer["Text"].is_object() || matches!(no_text, Some("scanned" | "encrypted")),
            "{}: {answer}",
            path.display()
        );
        if !reference.is_empty() {
            let found = words(answer["Text"]["text"].as_str().unwrap_or_default());
            recalls.push(recall(&reference, &found));
            orders.push(order(&reference, &found));
        }
    }
    let median = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    let (recall, order) = (median(recalls), median(orders));
    assert!(recall >= 0.97 && order >= 0.97, "recall {recall}, order {order}");
}
