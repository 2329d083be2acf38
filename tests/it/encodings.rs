//! Text in every encoding, binary noise, and entries of a folder that are not plain files. The text
//! is found, and the bytes of a hit, read from the original file in its encoding, are the passage.

use std::ffi::OsStr;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use encoding_rs::{
    BIG5, EUC_JP, EUC_KR, Encoding, GB18030, ISO_8859_2, KOI8_R, SHIFT_JIS, UTF_8, UTF_16BE,
    UTF_16LE, WINDOWS_1252,
};
use rag::cache::Caching;
use rag::config::Mode;
use serde_json::Value;

use crate::support::{Run, Sandbox, shared_data};
use crate::sweep::{Sweep, use_tiny_model};
use crate::tools::{SetOnDrop, has_tool, paths, search_request, thorough, wait_for};

fn utf16(text: &str, mark: &[u8], order: fn(u16) -> [u8; 2]) -> Vec<u8> {
    mark.iter().copied().chain(text.encode_utf16().flat_map(order)).collect()
}

fn legacy(text: &str, encoding: &'static Encoding) -> Vec<u8> {
    let (bytes, _, lossy) = encoding.encode(text);
    assert!(!lossy, "{text:?} is not in {}", encoding.name());
    bytes.into_owned()
}

const FRENCH: &str =
    "Les élèves préfèrent le café crème à la forêt enchantée où naît la rivière.\n";
const POLISH: &str = "Zażółć gęślą jaźń, a potem idź przez łąkę nad rzekę, gdzie rosną wierzby.\n";
const RUSSIAN: &str = "Съешь же ещё этих мягких французских булок, да выпей чаю на берегу реки.\n";
const JAPANESE: &str = "吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。\n";
const KOREAN: &str =
    "모든 국민은 법 앞에 평등하다. 누구든지 성별이나 종교에 의하여 차별을 받지 아니한다.\n";
const SIMPLIFIED: &str = "白日依山尽，黄河入海流。欲穷千里目，更上一层楼。\n";
const TRADITIONAL: &str = "床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。\n";

struct Case {
    name: &'static str,
    encoding: &'static Encoding,
    text: String,
    bytes: Vec<u8>,
    question: &'static str,
}

fn cases() -> Vec<Case> {
    // Detection needs more than one line.
    let long = |line: &str| line.repeat(12);
    let mut cases = Vec::new();
    let mut add = |name, encoding, text: String, bytes, question| {
        cases.push(Case { name, encoding, text, bytes, question });
    };
    for (name, encoding, line, question) in [
        ("latin1.txt", WINDOWS_1252, FRENCH, "forêt enchantée"),
        ("latin2.txt", ISO_8859_2, POLISH, "wierzby nad rzekę"),
        ("koi8.txt", KOI8_R, RUSSIAN, "французских булок"),
        ("sjis.txt", SHIFT_JIS, JAPANESE, "吾輩は猫"),
        ("eucjp.txt", EUC_JP, JAPANESE, "見当がつかぬ"),
        ("euckr.txt", EUC_KR, KOREAN, "국민은 평등하다"),
        ("gb.txt", GB18030, SIMPLIFIED, "黄河入海流"),
        ("big5.txt", BIG5, TRADITIONAL, "床前明月光"),
    ] {
        add(name, encoding, long(line), legacy(&long(line), encoding), question);
    }
    let mixed = format!("# Überschrift 🚢\r\n\r\n{FRENCH}{RUSSIAN}{JAPANESE}");
    add("utf8.md", UTF_8, mixed.clone(), mixed.clone().into_bytes(), "forêt enchantée");
    add(
        "utf8-mark.md",
        UTF_8,
        mixed.clone(),
        [b"\xEF\xBB\xBF", mixed.as_bytes()].concat(),
        "forêt enchantée",
    );
    add(
        "utf16le-mark.txt",
        UTF_16LE,
        mixed.clone(),
        utf16(&mixed, &[0xFF, 0xFE], u16::to_le_bytes),
        "forêt enchantée",
    );
    add(
        "utf16be-mark.txt",
        UTF_16BE,
        mixed.clone(),
        utf16(&mixed, &[0xFE, 0xFF], u16::to_be_bytes),
        "forêt enchantée",
    );
    add(
        "utf16le.txt",
        UTF_16LE,
        long(FRENCH),
        utf16(&long(FRENCH), &[], u16::to_le_bytes),
        "forêt enchantée",
    );
    add(
        "utf16be.txt",
        UTF_16BE,
        long(FRENCH),
        utf16(&long(FRENCH), &[], u16::to_be_bytes),
        "forêt enchantée",
    );
    let newlines = "The first line.\rThe second one.\r\nThe third of them.\n\rThe fifth has a \
         walrus.\u{2028}Still the fifth.\n";
    add("newlines.txt", UTF_8, newlines.into(), newlines.as_bytes().to_vec(), "walrus");
    cases
}

/// Line numbers as an editor counts them: `\n`, `\r\n` and a lone `\r` end a line.
fn line_of(text: &str, offset: usize) -> usize {
    let (before, after) = text.as_bytes().split_at(offset);
    let count = |end: &[u8]| before.windows(end.len()).filter(|window| *window == end).count();
    let is_between = before.ends_with(b"\r") && after.starts_with(b"\n");
    1 + count(b"\n") + count(b"\r") - count(b"\r\n") - usize::from(is_between)
}

#[test]
fn a_hit_has_the_bytes_of_the_file_in_every_encoding() {
    let (sandbox, cases) = (Sandbox::new(), cases());
    for case in &cases {
        sandbox.write(&format!("docs/{}", case.name), &case.bytes);
    }
    // A window so small that some passages are in the middle of the file.
    sandbox.write("rag.toml", "[chunk]\nmax_tokens = 48\noverlap_tokens = 4\n");
    let summary = sandbox.ingest();
    assert_eq!(
        (&summary["documents"], &summary["skipped"]),
        (&cases.len().into(), &0.into()),
        "{summary:#}"
    );
    for Case { name, encoding, text, bytes, question } in cases {
        let filter = format!("path:{name}");
        let search = ["search", question, "--json", "-k", "100", "--filter", &filter];
        let response = sandbox.rag(search.into_iter().chain(["--mode", "lexical"])).ok().json();
        let hits = response["hits"].as_array().expect("hits");
        assert!(!hits.is_empty(), "{name}: {question} is not found");
        let response = sandbox.rag(search).ok().json();
        let all = response["hits"].as_array().expect("hits");
        for hit in hits.iter().chain(all) {
            let span = |i: usize| {
                usize::try_from(hit["bytes"][i].as_u64().expect("a number")).expect("small")
            };
            let passage = hit["text"].as_str().expect("a text");
            let (decoded, _) = encoding.decode_without_bom_handling(&bytes[span(0)..span(1)]);
            assert_eq!(decoded, passage, "{name}: bytes {}..{}", span(0), span(1));
            // The passage is at the same position in the text as its bytes in the file.
            let mark = usize::from(bytes.starts_with(b"\xEF\xBB\xBF")) * 3;
            let mark = mark
                + usize::from(bytes.starts_with(b"\xFF\xFE") || bytes.starts_with(b"\xFE\xFF")) * 2;
            let (before, _) = encoding.decode_without_bom_handling(&bytes[mark..span(0)]);
            assert!(
                text.starts_with(&*before) && text[before.len()..].starts_with(passage),
                "{name}"
            );
            let lines = [
                line_of(&text, before.len()),
                line_of(&text, before.len() + passage.trim_end().len() - 1),
            ];
            assert_eq!(hit["lines"], serde_json::json!(lines), "{name}: {passage:?}");
        }
    }
}

fn skip_reasons(summary: &Value) -> u64 {
    summary["skip_reasons"].as_object().expect("an object").values().filter_map(Value::as_u64).sum()
}

/// Bytes of a fixed xorshift sequence.
fn noise() -> impl Iterator<Item = u8> {
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    std::iter::repeat_with(move || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed.to_le_bytes()[3]
    })
}

/// Binary files are skipped and counted; broken text is indexed as far as possible. Nothing fails
/// and nothing panics.
#[test]
fn binary_noise_is_skipped_and_broken_text_is_indexed() {
    let sandbox = Sandbox::new();
    let mut random = noise();
    let mut random = |n: usize| random.by_ref().take(n).collect::<Vec<u8>>();
    let noise: Vec<(&str, Vec<u8>)> = vec![
        ("ff.txt", vec![0xFF; 64 << 10]),
        ("zeros.txt", vec![0; 64 << 10]),
        ("nul.txt", b"text with a \0 in it and more text around".to_vec()),
        ("random.txt", random(64 << 10)),
        ("random.md", random(4096)),
        ("random.html", random(4096)),
        ("controls.txt", (0..4096).map(|n| (n % 32) as u8).collect()),
        ("empty.txt", Vec::new()),
        ("blank.txt", b" \t\r\n\x0C\n".to_vec()),
        ("mark.txt", vec![0xFF, 0xFE]),
        ("mark8.txt", vec![0xEF, 0xBB, 0xBF]),
        ("utf32.txt", [&[0xFF, 0xFE, 0, 0][..], &b"a\0\0\0b\0\0\0"[..]].concat()),
        ("picture.png", b"\x89PNG\r\n\x1A\n0000".to_vec()),
    ];
    let indexed: Vec<(&str, Vec<u8>)> = vec![
        (
            "surrogate.txt",
            b"The lone \xED\xA0\x80 surrogate stands beside a pelican on the quay. ".repeat(8),
        ),
        (
            "broken.txt",
            "Une phrase très entière, "
                .repeat(20)
                .into_bytes()
                .into_iter()
                .chain(*b"then \xC3 broken, pelican")
                .collect(),
        ),
        (
            "torn16.txt",
            utf16("A pelican in UTF-16, torn in the middle", &[0xFF, 0xFE], u16::to_le_bytes)
                .into_iter()
                .chain([0x41])
                .collect(),
        ),
        (
            "lone16.txt",
            utf16("A pelican beside half a pair ", &[0xFF, 0xFE], u16::to_le_bytes)
                .into_iter()
                .chain([0, 0xD8, 0x41, 0])
                .collect(),
        ),
        ("line.txt", b"pelican ".repeat(20_000)),
        ("word.txt", [&b"pelican "[..], &b"x".repeat(200_000)].concat()),
    ];
    for (name, bytes) in noise.iter().chain(&indexed) {
        sandbox.write(&format!("docs/{name}"), bytes);
    }
    let summary = sandbox.ingest();
    assert_eq!(summary["failed"], serde_json::json!([]));
    assert_eq!(summary["documents"], indexed.len(), "{summary:#}");
    assert_eq!(summary["skipped"], noise.len(), "{summary:#}");
    assert_eq!(skip_reasons(&summary), noise.len() as u64);
    let found = paths(
        &sandbox.rag(["search", "pelican", "--json", "-k", "500", "--mode", "lexical"]).ok().json(),
    );
    for (name, _) in &indexed {
        assert!(found.iter().any(|path| path == name), "{name} is not found");
    }
    sandbox.rag(["index", "verify"]).ok();
}

/// The big list of naughty strings, as documents and as questions.
#[test]
fn naughty_strings_are_plain_text_and_plain_questions() {
    let Some(folder) = shared_data("blns") else { return };
    let files = crate::tools::files(&folder);
    let Some(list) = files.iter().find(|path| path.extension().is_some_and(|e| e == "txt")) else {
        eprintln!("skipped: {} has no .txt file", folder.display());
        return;
    };
    let text = String::from_utf8_lossy(&std::fs::read(list).expect("the list")).into_owned();
    let strings: Vec<&str> =
        text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty()).collect();
    assert!(strings.len() > 200, "{}", strings.len());
    let sandbox = Sandbox::new();
    sandbox.write("docs/blns.txt", &text);
    for (n, string) in strings.iter().enumerate() {
        sandbox.write(
            &format!("docs/{}/{n}.md", n % 10),
            format!("# Number {n}\n\nThe string is {string}\n"),
        );
    }
    let summary = sandbox.ingest();
    // Strings of control characters only are not text.
    let skipped = summary["skipped"].as_u64().expect("a count");
    assert_eq!(summary["documents"], strings.len() as u64 + 1 - skipped, "{summary:#}");
    assert!(skipped <= 4, "{summary:#}");
    // In this process: a question may be any string but white space.
    let engine = crate::tools::engine(&sandbox);
    let mut searcher = rag::search::Searcher::open(&engine).expect("an index");
    for string in &strings {
        let request = search_request(string, Mode::Lexical, 10, Caching::Off);
        match searcher.search(&engine, &request) {
            Err(fault) if fault.kind() == rag::error::Kind::Usage && string.trim().is_empty() => {}
            found => drop(found.unwrap_or_else(|fault| panic!("{string:?}: {fault}"))),
        }
    }
    // Nothing of it acts on a terminal.
    let run = sandbox.rag(["search", "number strings", "-k", "200"]).ok();
    assert!(!run.stdout.chars().any(|c| c.is_control() && c != '\n'), "{run}");
    println!("{} strings", strings.len());
}

/// FIFOs, sockets, devices, loops, names that are not UTF-8, holes of a terabyte, deeply nested
/// folders: no hang, and a summary that counts them.
#[test]
fn special_files_never_hang_an_ingest() {
    let sandbox = Sandbox::new();
    sandbox.write("docs/plain.md", "# Plain\n\nThe pelican is plain.\n");
    let docs = sandbox.path().join("docs");
    let mut skipped = 0;
    let _listener = UnixListener::bind(docs.join("socket.txt")).inspect(|_| skipped += 1);
    skipped += make_special_files(&sandbox);
    std::fs::write(
        docs.join(OsStr::from_bytes(b"caf\xE9.md")),
        "# Name\n\nThe pelican with a Latin-1 name.\n",
    )
    .expect("a file");
    std::fs::write(
        docs.join("new\nline \u{202E}.md"),
        "# Name\n\nThe pelican with a strange name.\n",
    )
    .expect("a file");
    let sparse = std::fs::File::create(docs.join("sparse.txt")).expect("a file");
    let has_sparse = sparse.set_len(1 << 40).is_ok();
    if !has_sparse {
        eprintln!("skipped: no file of a terabyte here");
        std::fs::remove_file(docs.join("sparse.txt")).expect("a removal");
    }
    let ran =
        sandbox.rag(["ingest", "--dir", "docs", "--json"]).exits(if has_sparse { 4 } else { 0 });
    let summary = ran.json();
    assert_eq!(summary["skipped"], skipped, "{summary:#}");
    let found = paths(&sandbox.rag(["search", "pelican", "--json"]).ok().json());
    assert_eq!(
        found.len(),
        usize::try_from(summary["documents"].as_u64().expect("a count")).expect("few")
    );
    assert!(
        found.contains(&"caf\\xE9.md".to_owned())
            && found.contains(&"new\nline \u{202E}.md".to_owned()),
        "{found:?}"
    );
    if has_sparse {
        assert!(
            summary["failed"][0]["path"].as_str().is_some_and(|path| path.ends_with("sparse.txt"))
        );
    }
    let shown = sandbox.rag(["search", "pelican"]).ok();
    assert!(!shown.stdout.contains('\u{202E}'), "{shown}");
}

/// Makes FIFOs, a device and links; returns how many of them an ingest skips.
fn make_special_files(sandbox: &Sandbox) -> usize {
    let docs = sandbox.path().join("docs");
    let mut skipped = 0;
    if has_tool("mkfifo", &["--version"]) {
        assert!(
            Command::new("mkfifo").arg(docs.join("fifo.txt")).status().is_ok_and(|s| s.success())
        );
        // In place of an ignore file, a FIFO would block the reader.
        sandbox.write("docs/below/inside.md", "# Inside\n\nThe pelican inside.\n");
        assert!(
            Command::new("mkfifo")
                .arg(docs.join("below/.gitignore"))
                .status()
                .is_ok_and(|s| s.success())
        );
        skipped += 1;
    }
    if Command::new("mknod")
        .arg(docs.join("zero.txt"))
        .args(["c", "1", "5"])
        .output()
        .is_ok_and(|o| o.status.success())
    {
        skipped += 1;
    } else {
        eprintln!("skipped: no device can be made here");
    }
    std::os::unix::fs::symlink("..", docs.join("loop")).expect("a link");
    std::os::unix::fs::symlink("plain.md", docs.join("link.md")).expect("a link");
    std::os::unix::fs::symlink("/etc/passwd", docs.join("passwd.txt")).expect("a link");
    std::os::unix::fs::symlink("absent", docs.join("dangling.md")).expect("a link");
    skipped + 4
}

const MIB: u64 = 1 << 20;
const LINE: &str = "The pelican waits on the quay for its fish.\n";

/// A file of a gigabyte, or in a sample of 35 MB.
fn write_gigabyte(path: &Path) {
    let block = LINE.repeat(1 << 14);
    let blocks = if thorough() { (1 << 30) / block.len() + 1 } else { 50 };
    let mut file = std::fs::File::create(path).expect("a file");
    for _ in 0..blocks {
        file.write_all(block.as_bytes()).expect("a block");
    }
}

/// Many small files, of which every 5000th is equal.
fn write_many(sandbox: &Sandbox, files: usize) {
    for n in 0..files {
        let folder = sandbox.path().join(format!("docs/{}", n / 1000));
        if n % 1000 == 0 {
            std::fs::create_dir_all(&folder).expect("a folder");
        }
        let text = format!("The pelican number {}.\n", n % 5000);
        std::fs::write(folder.join(format!("{n}.txt")), text).expect("a file");
    }
}

/// The peak memory of an ingest of a line and these files, in bytes.
fn peak_of(name: &str, contents: &[Vec<u8>]) -> u64 {
    let many = if thorough() { 100_000 } else { 2_000 };
    let sandbox = Sandbox::new();
    use_tiny_model(&sandbox);
    sandbox.write("docs/line.txt", "The pelican of one line.\n");
    for (n, content) in contents.iter().enumerate() {
        sandbox.write(&format!("docs/{n}.txt"), content);
    }
    match name {
        "a gigabyte" => write_gigabyte(&sandbox.path().join("docs/large.txt")),
        "many" => write_many(&sandbox, many),
        _ => {}
    }
    let (run, bytes) = peak(&sandbox);
    assert_eq!(run.code, Some(if name == "a gigabyte" { 4 } else { 0 }), "{run}");
    let expected = 1 + if name == "many" { many } else { contents.len() };
    assert_eq!(run.json()["documents"], expected, "{run}");
    bytes
}

/// A file of the largest size, unusual ones, a gigabyte that is too large, and very many small
/// ones: each ingest ends with a summary and takes less than 512 MiB more than the ingest of a
/// single line.
#[test]
fn large_files_and_many_files_take_little_memory() {
    // A file of the largest size takes a minute, and a hundred thousand small ones some minutes
    // more.
    let (large, strange) = if thorough() { (32 << 20, 4 << 20) } else { (1 << 20, 1 << 19) };
    let alone = peak_of("a line", &[]);
    let mut sweep = Sweep::new("large files, and many");
    let mut most = (0, "");
    let random: Vec<u8> =
        (0..strange as u64).map(|n| b'a' + (n.wrapping_mul(n) >> 3) as u8 % 26).collect();
    let words = |word: &str, bytes: usize| word.repeat(bytes / word.len()).into_bytes();
    for (name, contents) in [
        ("one word", vec![random]),
        ("one line of words", vec![words("The pelican waits. ", large)]),
        ("lines", vec![words(LINE, large / 4); 3]),
        ("ideographs", vec![words("\u{9CE5}\u{5C71}", strange)]),
        ("a gigabyte", Vec::new()),
        ("many", Vec::new()),
    ] {
        sweep.point(name, || {
            let more = peak_of(name, &contents).saturating_sub(alone) / MIB;
            most = most.max((more, name));
            assert!(more < 512, "{more} MiB beside the {} MiB of a single line", alone / MIB);
        });
    }
    sweep.end(format!("at most {} MiB, for {}", most.0, most.1));
}

/// An ingest, and the peak memory of its process.
fn peak(sandbox: &Sandbox) -> (Run, u64) {
    let child = sandbox.spawn(["ingest", "--dir", "docs", "--json", "-q"]);
    let status = format!("/proc/{}/status", child.id());
    let watcher = std::thread::spawn(move || high_water_mark(Path::new(&status)));
    let output = child.wait_with_output().expect("an end");
    (Run::from_output(&output, "ingest".into()), watcher.join().expect("a watcher"))
}

/// The last high-water mark of a process's memory, in bytes; an ended process has none.
fn high_water_mark(status: &Path) -> u64 {
    let kib = |text: String| -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().trim_end_matches(" kB").parse().ok()
    };
    let mut most = 0;
    while let Some(kib) = std::fs::read_to_string(status).ok().and_then(kib) {
        most = kib;
        std::thread::park_timeout(Duration::from_millis(2));
    }
    most * 1024
}

#[test]
fn a_thousand_nested_folders_are_walked() {
    let sandbox = Sandbox::new();
    let mut folder = sandbox.path().join("docs");
    for _ in 0..1000 {
        folder.push("d");
    }
    if std::fs::create_dir_all(&folder).is_err() {
        eprintln!("skipped: no folder so deep here");
        return;
    }
    std::fs::write(folder.join("deep.md"), "# Deep\n\nThe pelican of the deep.\n").expect("a file");
    assert_eq!(sandbox.ingest()["documents"], 1);
    let run = sandbox.rag(["search", "pelican", "--json"]).ok().json();
    assert!(paths(&run)[0].ends_with("d/d/deep.md"));
}

/// Files that appear, grow, shrink and vanish while they are read: every run ends with a summary,
/// and once the folder stops changing the index equals it.
#[test]
fn an_ingest_of_a_changing_folder_ends() {
    let sandbox = Sandbox::new();
    let docs = sandbox.path().join("docs");
    for n in 0..40 {
        sandbox.write(
            &format!("docs/still-{n}.md"),
            format!("# Still {n}\n\nThe heron {n} stands still.\n"),
        );
    }
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| move_files(&docs, &over));
        let _ends_mover = SetOnDrop(&over);
        for _ in 0..5 {
            let mut child = sandbox.spawn(["ingest", "--dir", "docs", "--json"]);
            wait_for("the ingest", || child.try_wait().expect("a child"));
            let run = Run::from_output(&child.wait_with_output().expect("an end"), "ingest".into());
            assert!(matches!(run.code, Some(0 | 4)), "{run}");
            assert!(run.json()["documents"].as_u64() >= Some(40), "{run}");
        }
    });
    sandbox.ingest();
    let there = crate::tools::files(&docs).iter().filter(|path| has_text(path)).count();
    let summary = sandbox.ingest();
    assert_eq!(summary["documents"], there, "{summary:#}");
    sandbox.rag(["index", "verify"]).ok();
}

/// Writes, cuts and removes files until `over`.
fn move_files(docs: &Path, over: &AtomicBool) {
    for n in 0.. {
        if over.load(Ordering::Relaxed) {
            return;
        }
        let path = docs.join(format!("moving-{}.md", n % 20));
        let text = format!("# Moving\n\nThe swift is number {n}.\n");
        let _ = match n % 3 {
            0 => std::fs::write(&path, text.repeat(n % 50 + 1)),
            1 => std::fs::File::options().write(true).open(&path).and_then(|f| f.set_len(20)),
            _ => std::fs::remove_file(&path),
        };
    }
}

fn has_text(path: &Path) -> bool {
    std::fs::read_to_string(path).is_ok_and(|text| !text.trim().is_empty())
}
