//! Bundles: a saved index loads as it was, and the contents of a foreign archive are checked, not
//! trusted. A refused load leaves the data directory as it was and touches nothing outside it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::OnceLock;
use std::time::Duration;

use rag::disk::{block_sums, sha256_hex};
use rag::error::Kind;
use rag::index::Store;
use serde_json::{Value, json};
use tar::EntryType;

use crate::fixtures::{copy_dir, write_old};
use crate::support::{Run, Sandbox, installed, project_data};
use crate::tools::{answer, has_tool, leftovers, listing, thorough};

/// An entry of an archive, as free as the format allows.
#[derive(Clone)]
struct Entry {
    name: Vec<u8>,
    kind: EntryType,
    link: Vec<u8>,
    data: Vec<u8>,
    /// The size in the header, where it differs from the real one.
    size: Option<u64>,
}

impl Entry {
    fn file(name: &str, data: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            kind: EntryType::Regular,
            link: Vec::new(),
            data: data.into(),
            size: None,
        }
    }

    fn other(name: &str, kind: EntryType, link: &str) -> Self {
        Self { name: name.into(), kind, link: link.into(), data: Vec::new(), size: None }
    }
}

fn archive(entries: &[Entry]) -> Vec<u8> {
    let mut tar = Vec::new();
    for entry in entries {
        let mut header = tar::Header::new_gnu();
        let old = header.as_old_mut();
        let n = entry.name.len().min(old.name.len());
        old.name[..n].copy_from_slice(&entry.name[..n]);
        let n = entry.link.len().min(old.linkname.len());
        old.linkname[..n].copy_from_slice(&entry.link[..n]);
        header.set_entry_type(entry.kind);
        header.set_size(entry.size.unwrap_or(entry.data.len() as u64));
        header.set_mode(0o777);
        header.set_cksum();
        tar.extend_from_slice(header.as_bytes());
        tar.extend_from_slice(&entry.data);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    tar
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    sealed(&zstd::encode_all(bytes, 1).expect("zstd"))
}

/// Appends the seal, which an attacker can make too: a skippable frame of 32 bytes with the SHA-256
/// of everything before.
fn sealed(bytes: &[u8]) -> Vec<u8> {
    let mut bundle = [bytes, b"\x5A\x2A\x4D\x18\x20\0\0\0"].concat();
    let sum = sha256_hex(&bundle);
    bundle.extend(
        (0..32).map(|n| u8::from_str_radix(&sum[2 * n..2 * n + 2], 16).expect("two digits")),
    );
    bundle
}

/// The bytes before the seal.
fn unsealed(bundle: &[u8]) -> &[u8] {
    let inner = &bundle[..bundle.len() - 40];
    assert!(sealed(inner) == bundle, "a bundle ends with a seal");
    inner
}

fn entries(bundle: &[u8]) -> Vec<Entry> {
    // Every zstd decoder skips the seal.
    let mut archive = tar::Archive::new(zstd::Decoder::new(bundle).expect("zstd"));
    let entries = archive.entries().expect("tar").map(|entry| {
        let mut entry = entry.expect("an entry");
        let mut data = Vec::new();
        std::io::Read::read_to_end(&mut entry, &mut data).expect("its bytes");
        Entry::file(&entry.path().expect("a name").display().to_string(), data)
    });
    entries.collect()
}

/// Changes `meta.json` and updates every checksum of it.
fn with_meta(good: &[Entry], change: impl FnOnce(&mut Value)) -> Vec<Entry> {
    let mut entries = good.to_vec();
    let mut meta: Value = serde_json::from_slice(&entries[1].data).expect("JSON");
    change(&mut meta);
    entries[1].data = serde_json::to_vec(&meta).expect("JSON");
    let sum = sha256_hex(&entries[1].data);
    with_manifest(&entries, |manifest| manifest["meta_sha256"] = sum.into())
}

fn with_manifest(good: &[Entry], change: impl FnOnce(&mut Value)) -> Vec<Entry> {
    let mut entries = good.to_vec();
    let mut manifest: Value = serde_json::from_slice(&entries[0].data).expect("JSON");
    change(&mut manifest);
    entries[0].data = serde_json::to_vec(&manifest).expect("JSON");
    entries
}

/// Replaces a file and updates all checksums, as only the maker of a bundle can.
fn with_file(good: &[Entry], n: usize, data: Vec<u8>) -> Vec<Entry> {
    let name = String::from_utf8(good[n].name.clone()).expect("UTF-8");
    let blocks: String = block_sums(&data).iter().map(|crc| format!("{crc:08x}")).collect();
    let sums = json!({ "bytes": data.len(), "sha256": sha256_hex(&data), "blocks": blocks });
    let mut entries = with_meta(good, |meta| meta["files"][&name] = sums);
    entries[n].data = data;
    entries
}

/// Renames a file consistently in `meta.json` and the archive.
fn with_name(good: &[Entry], n: usize, name: &str) -> Vec<Entry> {
    let from = String::from_utf8(good[n].name.clone()).expect("UTF-8");
    let mut entries = with_meta(good, |meta| {
        let files = meta["files"].as_object_mut().expect("an object");
        let entry = files.remove(&from).expect("the file");
        files.insert(name.to_owned(), entry);
    });
    entries[n].name = name.as_bytes().to_vec();
    entries
}

const SEARCH: [&str; 5] = ["search", "blue boat", "--json", "-k", "20"];

/// A sandbox with an index of two generations and its bundle, `good.tar.zst`.
fn source() -> Sandbox {
    let source = Sandbox::new();
    for n in 0..4 {
        let text = format!("# Boat {n}\n\nThe blue boat {n} carries sailors.\n");
        write_old(&source, &format!("docs/{n}.md"), text);
    }
    source.ingest();
    write_old(&source, "docs/3.md", "# Boat three\n\nThe red boat carries nobody.\n");
    source.ingest();
    source.rag(["index", "save", "good.tar.zst"]).ok();
    source
}

/// The bundle of [`source`], which is the same every time.
fn good_bundle() -> Vec<u8> {
    static BUNDLE: OnceLock<Vec<u8>> = OnceLock::new();
    let make = || std::fs::read(source().path().join("good.tar.zst")).expect("a bundle");
    BUNDLE.get_or_init(make).clone()
}

/// A bundle, and a sandbox with another index to load it into.
struct World {
    target: Sandbox,
    bundle: Vec<u8>,
}

fn world() -> World {
    let target = Sandbox::new();
    target.write("docs/own.md", "# Own\n\nA document of one's own.\n");
    target.ingest();
    target.rag(["index", "list"]).ok();
    World { target, bundle: good_bundle() }
}

impl World {
    fn load(&self, args: &[&str]) -> Run {
        self.target.rag(["index", "load", "bundle.tar.zst"].iter().chain(args))
    }

    fn place(&self, bundle: &[u8]) {
        self.target.write("bundle.tar.zst", bundle);
    }

    /// Everything in the sandbox except the pid in the lock file.
    fn listed(&self) -> BTreeMap<String, String> {
        let mut found = listing(self.target.path());
        found.remove("data/indexes/.lock");
        found
    }

    /// Expects a refusal with one of these codes that changes nothing.
    #[track_caller]
    fn refused(&self, what: &str, bundle: &[u8], codes: &[i32]) {
        self.place(bundle);
        let before = self.listed();
        let run = self.load(&["--as", "new"]);
        assert!(run.code.is_some_and(|code| codes.contains(&code)), "{what}\n{run}");
        assert!(!run.stderr.is_empty() && run.stdout.is_empty(), "{what}\n{run}");
        assert!(!run.stderr.contains("RUST_BACKTRACE"), "{what}: a panic shows\n{run}");
        assert_eq!(self.listed(), before, "{what}");
    }
}

#[test]
fn a_bundle_loads_the_same_index_any_number_of_times() {
    let world = world();
    let good = answer(source().rag(SEARCH).ok().json());
    world.place(&world.bundle);
    // The name that it was saved under is taken here.
    let before = world.listed();
    world.load(&[]).exits(2).says("--replace");
    assert_eq!(world.listed(), before);
    for name in ["first", "second"] {
        world.load(&["--as", name]).ok();
        let mut found =
            answer(world.target.rag(SEARCH.into_iter().chain(["--index", name])).ok().json());
        found["index"] = good["index"].clone();
        assert_eq!(found, good);
        world.target.rag(["index", "verify", "--index", name]).ok();
    }
    world.load(&["--as", "first"]).exits(2).says("`first`");
    world.load(&["--as", "../x"]).exits(2);
    world.load(&["--replace"]).ok();
    assert_eq!(answer(world.target.rag(SEARCH).ok().json()), good);
    // Saved again it is the same file: the same index makes the same bundle on every machine.
    world.target.rag(["index", "save", "again.tar.zst"]).ok();
    assert!(
        std::fs::read(world.target.path().join("again.tar.zst")).expect("a bundle") == world.bundle
    );
    // A damaged pointer still occupies its name.
    world.target.write("data/indexes/names/first.json", "{");
    world.load(&["--as", "first"]).exits(2);
    world.load(&["--as", "first", "--replace"]).ok();
    world.target.rag(["index", "verify", "--index", "first"]).ok();
}

/// Two data directories with different histories on different days: one folder, one model, one
/// bundle.
#[test]
fn the_same_corpus_makes_the_same_bundle_whatever_its_history() {
    let sandbox = Sandbox::new();
    let (first, grown) = grow(&sandbox);
    let save = |data: &str, file: &str| {
        sandbox.rag(["index", "save", file, "--data-dir", data]).ok();
        std::fs::read(sandbox.path().join(file)).expect("a bundle")
    };
    let once = ingest_to(&sandbox, "once");
    assert_eq!(once["corpus_id"], grown);
    assert_ne!(first, grown);
    let bundle = save("once", "once.tar.zst");
    assert!(save("grown", "grown.tar.zst") == bundle, "the bundle depends on the history");
    // Compacted, and loaded elsewhere.
    sandbox.rag(["index", "compact", "--data-dir", "grown"]).ok();
    assert!(save("grown", "compacted.tar.zst") == bundle, "the bundle depends on compaction");
    sandbox.rag(["index", "load", "grown.tar.zst", "--data-dir", "other"]).ok();
    assert!(save("other", "other.tar.zst") == bundle, "the bundle depends on a load");
    // The bundle has no creation time; a loaded index has.
    let meta: Value = serde_json::from_slice(&entries(&bundle)[1].data).expect("JSON");
    assert_eq!(meta["created"], 0);
    assert_ne!(
        sandbox.rag(["index", "show", "--json", "--data-dir", "other"]).ok().json()["created"],
        0
    );
    let ranks = |data: &str| {
        answer(sandbox.rag(SEARCH.into_iter().chain(["--data-dir", data])).ok().json())
    };
    let of_once = ranks("once");
    assert_eq!((ranks("grown"), ranks("other")), (of_once.clone(), of_once));
    assert!(!meta.to_string().contains(&sandbox.data().display().to_string()));
    // One more letter makes another bundle.
    write_boat(&sandbox, 5, "The blue boat carries sailors to harbours");
    ingest_to(&sandbox, "once");
    assert!(save("once", "changed.tar.zst") != bundle);
    let left = std::fs::read_dir(sandbox.path()).expect("a folder").flatten();
    assert!(!left.into_iter().any(|e| e.file_name().to_string_lossy().contains(".tmp")));
}

fn write_boat(sandbox: &Sandbox, n: usize, text: &str) {
    let path = format!("docs/{}/{n}.md", n % 3);
    write_old(sandbox, &path, format!("# Boat {n}\n\n{text} {n}.\n"));
}

fn ingest_to(sandbox: &Sandbox, data: &str) -> Value {
    sandbox.rag(["ingest", "--dir", "docs", "--json", "--data-dir", data]).ok().json()
}

/// Grows a corpus: other texts first, files that come and go, one still fresh when it is read, a
/// document removed and restored. Returns the first and the last corpus id.
fn grow(sandbox: &Sandbox) -> (Value, Value) {
    for n in 0..8 {
        write_boat(sandbox, n, "The red boat carries cooks to harbour");
    }
    write_old(sandbox, "docs/gone.md", "# Gone\n\nThe ferry is gone.\n");
    let first = ingest_to(sandbox, "grown")["corpus_id"].clone();
    for n in (0..14).rev() {
        write_boat(sandbox, n, "The blue boat carries sailors to harbour");
        if n % 4 == 0 {
            ingest_to(sandbox, "grown");
        }
    }
    std::fs::remove_file(sandbox.path().join("docs/gone.md")).expect("a removal");
    sandbox.write("docs/1/4.md", "# Boat 4\n\nSomething else.\n");
    ingest_to(sandbox, "grown");
    write_boat(sandbox, 4, "The blue boat carries sailors to harbour");
    sandbox.write("docs/empty.md", "");
    crate::fixtures::set_age(&sandbox.path().join("docs/empty.md"), 1000);
    let grown = ingest_to(sandbox, "grown");
    sandbox.rag(["documents", "remove", "0/3.md", "--data-dir", "grown"]).ok();
    sandbox.rag(["documents", "restore", "0/3.md", "--data-dir", "grown"]).ok();
    assert_eq!(ingest_to(sandbox, "grown")["corpus_id"], grown["corpus_id"]);
    (first, grown["corpus_id"].clone())
}

/// Without its model an index is searched by words; other modes name the missing model.
#[test]
fn a_loaded_index_without_its_model_is_searched_by_words() {
    let (source, target) = (source(), Sandbox::new());
    target.write("bundle.tar.zst", good_bundle());
    let rag = |args: &[&str]| Run::of(&mut installed(&target, args));
    let loaded = rag(&["index", "load", "bundle.tar.zst", "--json"]).ok();
    let json = loaded.json();
    assert_eq!((&json["model"], &json["model_here"]), (&"all-MiniLM-L6-v2".into(), &false.into()));
    let shown = source.rag(["index", "show", "--json"]).ok().json();
    assert_eq!(
        (&json["fingerprint"], &json["corpus_id"]),
        (&shown["model"]["fingerprint"], &shown["corpus_id"])
    );
    assert!(json["format"].as_u64() > Some(0));
    let loaded = rag(&["index", "load", "bundle.tar.zst", "--as", "again"]).ok();
    loaded
        .says("no model named `all-MiniLM-L6-v2`")
        .says("`--mode lexical`")
        .says("rag model pull all-MiniLM-L6-v2");
    rag(&["index", "verify"]).ok();
    rag(&["search", "blue boat", "--mode", "lexical"]).ok().prints("0.md");
    for mode in ["hybrid", "dense"] {
        let refused = rag(&["search", "blue boat", "--mode", mode]).exits(1);
        refused.says("no model named").says("`--mode lexical`").says("rag model pull");
    }
    // Another model under that name is not mistaken for it.
    let models = target.data().join("models");
    copy_dir(
        &project_data().join("models/all-MiniLM-L6-v2-fp32"),
        &models.join("all-MiniLM-L6-v2"),
    );
    let loaded = rag(&["index", "load", "bundle.tar.zst", "--as", "third"]).ok();
    loaded.says("another version than that of the index").says("`--mode lexical`");
    rag(&["search", "blue boat"])
        .exits(1)
        .says("another version of the model")
        .says("`--mode lexical`");
}

#[test]
fn a_failed_save_leaves_the_existing_bundle() {
    let sandbox = source();
    std::fs::create_dir(sandbox.path().join("folder")).expect("a folder");
    sandbox.rag(["index", "save", "folder"]).exits(1);
    sandbox.rag(["index", "save", "absent/file.tar.zst"]).exits(1).says("absent");
    sandbox
        .rag(["index", "save", "x.tar.zst", "--index", "other"])
        .exits(1)
        .says("no index named `other`");
    let before = std::fs::read(sandbox.path().join("good.tar.zst")).expect("a bundle");
    let vectors = crate::tools::files(&crate::tools::current(&sandbox.data()));
    let npy =
        vectors.iter().find(|path| path.extension().is_some_and(|e| e == "npy")).expect("vectors");
    let mut bytes = std::fs::read(npy).expect("a file");
    bytes[200] ^= 1;
    std::fs::remove_file(npy).expect("a removal");
    std::fs::write(npy, bytes).expect("a file");
    sandbox.rag(["index", "save", "good.tar.zst", "--force"]).exits(5).says(".npy");
    assert!(std::fs::read(sandbox.path().join("good.tar.zst")).expect("a bundle") == before);
    let left = std::fs::read_dir(sandbox.path()).expect("a folder").flatten();
    assert!(!left.into_iter().any(|e| e.file_name().to_string_lossy().ends_with(".tmp")));
}

#[test]
fn archive_entries_that_no_index_has_are_refused() {
    let world = world();
    let good = entries(&world.bundle);
    let canary = world.target.write("canary", "untouched");
    let canary_name = canary.display().to_string();
    let other = |name: &str, kind| Entry::other(name, kind, &canary_name);
    let mut extras: Vec<(&str, Vec<Entry>)> = vec![
        ("a name above", vec![Entry::file("../canary", "overwritten")]),
        ("far above", vec![Entry::file("bm25/../../../../canary", "overwritten")]),
        ("an absolute name", vec![Entry::file(&canary_name, "overwritten")]),
        (
            "a symbolic link, then a file through it",
            vec![other("bm25/link", EntryType::Symlink), Entry::file("bm25/link", "x")],
        ),
        (
            "a link to a folder, then a file below it",
            vec![other("out", EntryType::Symlink), Entry::file("out/canary", "x")],
        ),
        ("a hard link", vec![other("bm25/hard", EntryType::Link)]),
        ("a character device", vec![other("dev", EntryType::Char)]),
        ("a block device", vec![other("dev", EntryType::Block)]),
        ("a FIFO", vec![other("pipe", EntryType::Fifo)]),
        ("a folder", vec![other("bm25", EntryType::Directory)]),
        ("a sparse file", vec![other("sparse", EntryType::GNUSparse)]),
        ("a backslash", vec![Entry::file("bm25\\x", "x")]),
        ("a file not announced", vec![Entry::file("bm25/extra", "x")]),
        ("a second manifest", vec![good[0].clone()]),
        ("a second meta.json", vec![good[1].clone()]),
        ("an announced file twice", vec![good[2].clone()]),
        ("no name", vec![Entry::file("", "x")]),
        ("a dot", vec![Entry::file(".", "x")]),
        ("two dots", vec![Entry::file("..", "x")]),
        (
            "a PAX header",
            vec![Entry { kind: EntryType::XHeader, ..Entry::file("pax", "20 path=../canary\n") }],
        ),
        (
            "a global PAX header",
            vec![Entry {
                kind: EntryType::XGlobalHeader,
                ..Entry::file("pax", "20 path=../canary\n")
            }],
        ),
        (
            "a long name",
            vec![
                Entry {
                    kind: EntryType::GNULongName,
                    ..Entry::file("././@LongLink", "../canary\0")
                },
                Entry::file("x", "x"),
            ],
        ),
        ("an unknown kind", vec![Entry { kind: EntryType::new(b'Z'), ..Entry::file("z", "z") }]),
    ];
    for (what, name) in
        [("NUL", &b"bm25/a\0b"[..]), ("not UTF-8", b"bm25/\xFF\xFE"), ("a line end", b"bm25/a\nb")]
    {
        extras.push((what, vec![Entry { name: name.to_vec(), ..Entry::file("", "x") }]));
    }
    for (what, extra) in &extras {
        // After the first announced file, and at the end.
        for at in [3, good.len()] {
            let mut entries = good.clone();
            entries.splice(at..at, extra.iter().cloned());
            world.refused(what, &compressed(&archive(&entries)), &[5]);
        }
    }
    assert_eq!(std::fs::read(&canary).expect("a file"), b"untouched");
    println!("{} kinds of entries", extras.len());
}

#[test]
fn archives_that_differ_from_their_manifest_are_refused() {
    let world = world();
    let good = entries(&world.bundle);
    let refused =
        |what: &str, entries: &[Entry]| world.refused(what, &compressed(&archive(entries)), &[5]);
    for n in 2..good.len() {
        let name = String::from_utf8_lossy(&good[n].name).into_owned();
        let change = |what: &str, change: &dyn Fn(&mut Vec<Entry>)| {
            let mut entries = good.clone();
            change(&mut entries);
            refused(&format!("{name} {what}"), &entries);
        };
        change("missing", &|entries| drop(entries.remove(n)));
        change("larger", &|entries| entries[n].data.push(0));
        change("smaller", &|entries| entries[n].data.truncate(good[n].data.len() - 1));
        change("other bytes", &|entries| entries[n].data[0] ^= 1);
        change("empty", &|entries| entries[n].data.clear());
    }
    let mut swapped = good.clone();
    swapped.swap(0, 1);
    refused("meta.json first", &swapped);
    refused("nothing but a manifest", &good[..1]);
    refused("no files", &good[..2]);
    refused("no entries", &[]);
    for (what, change) in [
        ("another kind", json!({ "kind": "rag-model" })),
        ("an older version", json!({ "version": 1 })),
        ("a newer version", json!({ "version": 3 })),
        ("another sum", json!({ "meta_sha256": "00" })),
        ("numbers below zero", json!({ "files": -1 })),
        ("a kind that is no text", json!({ "kind": [] })),
    ] {
        let entries = with_manifest(&good, |manifest| {
            for (name, value) in change.as_object().expect("an object") {
                manifest[name] = value.clone();
            }
        });
        refused(&format!("a manifest of {what}"), &entries);
    }
    // The manifest's name is used only where the user gives none.
    for name in ["../x", "a/b", "", ".hidden", "-rf", "a\0b", "a\nb"] {
        let entries = with_manifest(&good, |manifest| manifest["name"] = name.into());
        world.place(&compressed(&archive(&entries)));
        let before = world.listed();
        assert!(matches!(world.load(&[]).code, Some(2 | 5)), "{name:?}");
        assert_eq!(world.listed(), before, "{name:?}");
    }
    for text in
        ["", "{", "[]", "null", "{\"kind\":\"rag-index\"}", "\u{FFFD}", &"[".repeat(100_000)]
    {
        let mut entries = good.clone();
        entries[0].data = text.as_bytes().to_vec();
        refused("a manifest that is none", &entries);
    }
    for (what, size) in [
        ("8 GiB", (8 << 30) - 1),
        ("2^60", 1 << 60),
        ("2^64 - 1", u64::MAX),
        ("one more", good[2].data.len() as u64 + 1),
    ] {
        for n in [0, 1, 2] {
            let mut entries = good.clone();
            entries[n].size = Some(size);
            refused(&format!("entry {n} declared as {what}"), &entries);
        }
    }
}

#[test]
fn a_hostile_meta_json_is_refused() {
    let world = world();
    let good = entries(&world.bundle);
    for name in [
        "bm25/../../x",
        "../x",
        "/tmp/x",
        "bm25/..",
        "..",
        ".",
        "",
        "meta.json",
        "bm25",
        "bm25/a/b",
        "a\\b",
        "bm25/ä",
        "bm25/x\0",
    ] {
        world.refused(
            &format!("a file {name:?}"),
            &compressed(&archive(&with_name(&good, 2, name))),
            &[5],
        );
    }
    let changes: Vec<(&str, Box<dyn Fn(&mut Value)>)> = vec![
        ("a corpus id above", Box::new(|m| m["corpus_id"] = "../x".into())),
        ("no corpus id", Box::new(|m| m["corpus_id"] = "".into())),
        ("a hidden corpus id", Box::new(|m| m["corpus_id"] = ".lock".into())),
        ("the corpus id of no folder", Box::new(|m| m["corpus_id"] = "a/b".into())),
        (
            "a corpus id too long for a file name",
            Box::new(|m| m["corpus_id"] = "a".repeat(300).into()),
        ),
        ("more chunks than there are", Box::new(|m| m["counts"]["chunks"] = u64::MAX.into())),
        ("fewer rows than there are", Box::new(|m| m["counts"]["rows"] = 0.into())),
        ("more rows than there are", Box::new(|m| m["counts"]["rows"] = u64::MAX.into())),
        ("vectors of absurd length", Box::new(|m| m["vectors"][0]["rows"] = u64::MAX.into())),
        (
            "vectors of overflowing length",
            Box::new(|m| m["vectors"][0]["rows"] = (1u64 << 62).into()),
        ),
        ("no vectors", Box::new(|m| m["vectors"] = json!([]))),
        ("vectors elsewhere", Box::new(|m| m["vectors"][0]["file"] = "../../../x.npy".into())),
        (
            "vectors that are the documents",
            Box::new(|m| m["vectors"][0]["file"] = "documents.jsonl".into()),
        ),
        ("no dimension", Box::new(|m| m["model"]["dimension"] = 0.into())),
        ("an absurd dimension", Box::new(|m| m["model"]["dimension"] = u64::MAX.into())),
        ("a dimension that overflows", Box::new(|m| m["model"]["dimension"] = (1u64 << 61).into())),
        (
            "block sums of no hexadecimal digits",
            Box::new(|m| m["files"]["documents.jsonl"]["blocks"] = "zzzzzzzz".into()),
        ),
        (
            "block sums cut short",
            Box::new(|m| m["files"]["documents.jsonl"]["blocks"] = "00".into()),
        ),
        (
            "block sums of other bytes",
            Box::new(|m| m["files"]["documents.jsonl"]["blocks"] = "00000000".into()),
        ),
        ("an absurd size", Box::new(|m| m["files"]["documents.jsonl"]["bytes"] = u64::MAX.into())),
        ("roots that are no list", Box::new(|m| m["roots"] = 7.into())),
        ("no files", Box::new(|m| m["files"] = json!({}))),
        ("an older format", Box::new(|m| m["format"] = 0.into())),
        ("a newer format", Box::new(|m| m["format"] = 4_000_000_000u32.into())),
        ("a format that is no number", Box::new(|m| m["format"] = "one".into())),
    ];
    for (what, change) in &changes {
        // A bundle of another version is not damaged.
        let codes: &[i32] =
            if what.contains("er format") || what.contains("too long") { &[1, 5] } else { &[5] };
        world.refused(what, &compressed(&archive(&with_meta(&good, change))), codes);
    }
}

/// Garbage files with correct checksums, as only an attacker can make them. Refused on load, or
/// loaded and then right, damaged or empty in a search; never a panic.
#[test]
fn garbage_files_with_correct_checksums_never_panic() {
    let world = world();
    let good = entries(&world.bundle);
    let (mut refused, mut loaded) = (0, 0);
    for n in 2..good.len() {
        let data = &good[n].data;
        let mut garbage = vec![
            Vec::new(),
            vec![0; data.len()],
            vec![0xFF; data.len()],
            data[..data.len() / 2].to_vec(),
        ];
        let flips = if thorough() { 60 } else { 3 };
        for flip in 0..flips {
            let mut bytes = data.clone();
            bytes[data.len() * flip / flips] ^= 0x81;
            garbage.push(bytes);
        }
        for (kind, bytes) in garbage.into_iter().enumerate() {
            let what = format!("{} rubbish {kind}", String::from_utf8_lossy(&good[n].name));
            world.place(&compressed(&archive(&with_file(&good, n, bytes))));
            let run = world.load(&["--as", "rubbish", "--replace", "--json"]);
            assert!(!run.stderr.contains("RUST_BACKTRACE"), "{what}: a panic shows\n{run}");
            if run.code != Some(0) {
                refused += 1;
                assert_eq!(run.code, Some(5), "{what}\n{run}");
                continue;
            }
            loaded += 1;
            for mode in ["lexical", "dense"] {
                let run = world
                    .target
                    .rag(SEARCH.into_iter().chain(["--index", "rubbish", "--mode", mode]));
                assert!(matches!(run.code, Some(0 | 1 | 3 | 5)), "{what}\n{run}");
                assert!(!run.stderr.contains("RUST_BACKTRACE"), "{what}: a panic shows\n{run}");
            }
        }
    }
    println!("{refused} refused, {loaded} loaded");
    assert!(refused > loaded, "{refused} refused, {loaded} loaded");
}

/// Loads in this process, counted by outcome.
struct Loads {
    dir: tempfile::TempDir,
    loaded: Cell<usize>,
    refused: Cell<usize>,
}

impl Loads {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        Self { dir, loaded: Cell::new(0), refused: Cell::new(0) }
    }

    /// Loads a bundle: it is refused as damaged, or the whole index is there.
    #[track_caller]
    fn check(&self, what: &str, bytes: &[u8]) {
        let (file, data) = (self.dir.path().join("bundle.tar.zst"), self.dir.path().join("data"));
        std::fs::write(&file, bytes).expect("a file");
        let store = Store::new(&data);
        let lock = store.lock(Duration::ZERO, &|| false).expect("the lock");
        match rag::index::load(&store, &file, Some("new"), true, 0) {
            Ok((_, meta)) => {
                assert_eq!(rag::index::verify(&store, "new").expect("a check"), [], "{what}");
                assert_eq!(meta.counts.documents, 4, "{what}");
                self.loaded.update(|n| n + 1);
            }
            Err(fault) => {
                assert_eq!(fault.kind(), Kind::Damaged, "{what}: {fault}");
                self.refused.update(|n| n + 1);
            }
        }
        assert_eq!(leftovers(&data), [""; 0], "{what}");
        drop(lock);
        let _ = std::fs::remove_dir_all(data);
    }
}

/// In this process, for speed: cut or flipped anywhere, a bundle is refused; with a new seal, as an
/// attacker would make it, it is refused or loaded as it was.
#[test]
fn cut_and_flipped_bundles_are_refused() {
    let world = world();
    let good = world.bundle.clone();
    let inner = unsealed(&good);
    let loads = Loads::new();
    let check = |what: &str, bytes: &[u8]| loads.check(what, bytes);
    let points = if thorough() { good.len() } else { 250 };
    for n in 0..points {
        let at = good.len() * n / points;
        check(&format!("cut at {at}"), &good[..at]);
        let mut bad = good.clone();
        bad[at] ^= 1 << (n % 8);
        check(&format!("byte {at} flipped"), &bad);
    }
    check("one byte more", &[&good[..], b"\0"].concat());
    // None of them was accepted.
    assert_eq!((loads.loaded.get(), loads.refused.get()), (0, 2 * points + 1));
    check("whole", &good);
    assert_eq!(loads.loaded.get(), 1);
    println!("{points} flips and as many cuts refused");

    let points = if thorough() { inner.len() } else { 100 };
    for n in 0..points {
        let at = inner.len() * n / points;
        check(&format!("cut at {at} and sealed"), &sealed(&inner[..at]));
        let mut bad = inner.to_vec();
        bad[at] ^= 1 << (n % 8);
        check(&format!("byte {at} flipped and sealed"), &sealed(&bad));
    }
    let (loaded, refused) = (loads.loaded.get(), loads.refused.get());
    println!("{loaded} loaded, {refused} refused");
    assert!(refused > 3 * points, "{loaded} loaded, {refused} refused");
    for bytes in [
        &b""[..],
        b"\x28\xB5\x2F\xFD",
        b"not a bundle",
        &[0; 4096],
        b"PK\x03\x04zip",
        &archive(&entries(&world.bundle)),
    ] {
        world.refused("not zstd", bytes, &[5]);
        world.refused("not zstd, sealed", &sealed(bytes), &[5]);
    }
    for bytes in [&b""[..], &[0; 512], &[0; 1 << 20], &[0xFF; 1024], &b"x".repeat(10_000)] {
        world.refused("not tar", &compressed(bytes), &[5]);
    }
}

/// The announced size of a bomb's entry.
const BOMB: u64 = 1 << 30;

/// A sealed bundle of these entries and one more, of a gigabyte of zeros.
fn bomb(before: &[Entry], kind: EntryType, name: &str) -> Vec<u8> {
    let mut out = zstd::Encoder::new(Vec::new(), 1).expect("zstd");
    let mut head = archive(before);
    head.truncate(head.len() - 1024);
    let last = archive(&[Entry { kind, size: Some(BOMB), ..Entry::file(name, "") }]);
    out.write_all(&head).and_then(|()| out.write_all(&last[..512])).expect("zstd");
    let zeros = vec![0; 1 << 20];
    for _ in 0..BOMB >> 20 {
        out.write_all(&zeros).expect("zstd");
    }
    sealed(&out.finish().expect("zstd"))
}

/// A gigabyte of zeros behind 40 KB: under a name announced as small, as a manifest, as a name,
/// after the end. Memory and file size are limited from outside, so that a loader that unpacks it
/// dies.
#[test]
fn decompression_bombs_stop_at_the_announced_size() {
    let limits = ["--as=600000000", "--fsize=100000000", "--cpu=60"];
    if !has_tool("prlimit", &[limits[0], limits[1], limits[2], "true"]) {
        return;
    }
    let world = world();
    let good = entries(&world.bundle);
    let name = String::from_utf8(good[2].name.clone()).expect("UTF-8");
    let huge = with_meta(&good, |meta| meta["files"][&name]["bytes"] = BOMB.into());
    let bombs = [
        ("an announced file", bomb(&good[..2], EntryType::Regular, &name)),
        ("a manifest", bomb(&[], EntryType::Regular, "manifest.json")),
        ("a meta.json", bomb(&good[..1], EntryType::Regular, "meta.json")),
        ("a long name", bomb(&good[..2], EntryType::GNULongName, "././@LongLink")),
        ("a long link", bomb(&good[..2], EntryType::GNULongLink, "././@LongLink")),
        ("a PAX header", bomb(&good[..2], EntryType::XHeader, "pax")),
        ("a file not announced", bomb(&good[..3], EntryType::Regular, "bm25/other")),
        ("a file announced, with another sum", bomb(&huge[..2], EntryType::Regular, &name)),
    ];
    for (what, bytes) in &bombs {
        world.place(bytes);
        let before = world.listed();
        let load = ["index", "load", "bundle.tar.zst", "--as", "new"];
        let run = Run::of(&mut world.target.under("prlimit", &limits, load));
        // A file announced as a gigabyte is written as one, up to the limit.
        let is_limit = *what == "a file announced, with another sum"
            && (run.code.is_none() || run.code == Some(1));
        assert!(is_limit || run.code == Some(5), "{what}\n{run}");
        if is_limit {
            world.target.rag(["index", "remove", "--yes", "--index", "absent"]).exits(1);
        }
        assert_eq!(world.listed(), before, "{what}");
    }
    println!("{} bombs of {} to {} bytes", bombs.len(), bombs[0].1.len(), bombs[1].1.len());
}
