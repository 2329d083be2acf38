//! Shared by the sweeps: points that are tried and counted, a random generator with a printed seed,
//! system calls that fail or kill, the whole contents of an index, and a model that costs almost
//! nothing.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::SystemTime;

use rag::cache::Caching;
use rag::config::Mode;
use rag::document::Hit;
use rag::engine::Engine;
use rag::error::Fault;
use rag::search::Searcher;

use crate::support::{Run, Sandbox, project_data};
use crate::tools::{has_tool, search_request};

/// Points of one kind, each of which holds or is violated. A violation does not end the sweep.
pub struct Sweep {
    name: String,
    tried: usize,
    violated: Vec<String>,
}

impl Sweep {
    pub fn new(name: &str) -> Self {
        Self { name: name.to_owned(), tried: 0, violated: Vec::new() }
    }

    /// Tries one point; a panic violates it.
    pub fn point(&mut self, what: &str, check: impl FnOnce()) {
        self.tried += 1;
        if let Err(panic) = catch_unwind(AssertUnwindSafe(check)) {
            let why = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or(panic.downcast_ref::<&str>().copied());
            self.violated.push(format!("{what}: {}", why.unwrap_or("it panicked")));
        }
    }

    /// Reports the outcome in a line that `scripts/test --all` shows, and fails unless every point
    /// held.
    #[track_caller]
    pub fn end(self, more: impl AsRef<str>) {
        let Self { name, tried, violated } = self;
        let more = more.as_ref();
        let gap = if more.is_empty() { "" } else { "; " };
        report(&format!("{name}: {tried} points tried, {} violated{gap}{more}", violated.len()));
        assert!(
            violated.is_empty(),
            "{name}: {} of {tried} violated, such as\n{}",
            violated.len(),
            some(&violated)
        );
    }
}

fn some(violated: &[String]) -> String {
    let cut = |why: &String| why.chars().take(3000).collect::<String>();
    violated.iter().take(5).map(cut).collect::<Vec<_>>().join("\n\n")
}

/// Prints a line about a result and appends it to the file that `RAG_TEST_REPORT` names.
pub fn report(line: &str) {
    println!("{line}");
    let Some(path) = std::env::var_os("RAG_TEST_REPORT") else { return };
    let file = std::fs::OpenOptions::new().create(true).append(true).open(&path);
    file.and_then(|mut file| writeln!(file, "{line}")).expect("a line in the report");
}

/// A repeatable random generator: `RAG_TEST_SEED` sets the seed that a failed run printed.
pub struct Random {
    pub seed: u64,
    state: u64,
}

impl Random {
    pub fn new() -> Self {
        let now = SystemTime::UNIX_EPOCH.elapsed();
        Self::seeded(now.map_or(0, |now| u64::from(now.subsec_nanos())))
    }

    /// With this seed, unless `RAG_TEST_SEED` sets another.
    pub fn seeded(default: u64) -> Self {
        let given = std::env::var("RAG_TEST_SEED").ok();
        let seed = given.map_or(default, |seed| seed.parse().expect("a seed is a number"));
        println!("RAG_TEST_SEED={seed}");
        Self { seed, state: seed }
    }

    fn next(&mut self) -> u64 {
        // SplitMix64.
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `n`.
    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n.max(1) as u64).expect("it is below a usize")
    }

    pub fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// System calls that change something on disk.
pub const CHANGING: [&str; 14] = [
    "write",
    "pwrite64",
    "fsync",
    "fdatasync",
    "rename",
    "renameat",
    "linkat",
    "unlink",
    "unlinkat",
    "rmdir",
    "ftruncate",
    "fallocate",
    "mkdir",
    "flock",
];

/// Whether `strace` can trace processes here.
pub fn can_trace() -> bool {
    has_tool("strace", &["-f", "--seccomp-bpf", "-o", "/dev/null", "true"])
}

/// `rag` under `strace`, whose log is the file `trace` of the sandbox.
pub fn traced(sandbox: &Sandbox, strace: &[&str], rag: &[&str]) -> Run {
    // With a filter only the traced calls stop. Signals cannot be injected then.
    let has_signal = strace.iter().any(|arg| arg.contains("signal="));
    let filter: &[&str] = if has_signal { &[] } else { &["--seccomp-bpf"] };
    let args = [&["-f", "-o", "trace"], filter, strace].concat();
    Run::of(&mut sandbox.under("strace", &args, rag))
}

/// `-e` arguments that inject a fault into the `n`-th such call of a thread, or, with a `+` after
/// the number, into all from that one on.
pub fn inject(call: &str, what: &str, n: impl std::fmt::Display) -> [String; 4] {
    ["-e".into(), format!("trace={call}"), "-e".into(), format!("inject={call}:{what}:when={n}")]
}

/// Whether a run under `strace` was ended by SIGKILL or SIGABRT.
pub fn was_killed(run: &Run) -> bool {
    matches!(run.code, None | Some(137 | 134))
}

/// The listed calls of a `strace` log, in order: thread, name, the thread's count of that name so
/// far, and the whole line.
pub fn calls_in<'a>(
    trace: &'a str,
    listed: &[&'static str],
) -> Vec<(&'a str, &'static str, usize, &'a str)> {
    let mut made: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut calls = Vec::new();
    for line in trace.lines() {
        let (thread, rest) = line.split_once(' ').unwrap_or_default();
        let call = rest.trim_start().split('(').next().unwrap_or_default();
        if let Some(name) = listed.iter().find(|name| **name == call) {
            let n = made.entry((thread, name)).or_default();
            *n += 1;
            calls.push((thread, *name, *n, line));
        }
    }
    calls
}

/// Path, first line, text and the bits of the score of each hit, best first.
pub type Ranking = Vec<(String, usize, String, u64)>;

/// The ranking of a search without a filter and without a rerank.
pub fn ranking(
    searcher: &mut Searcher,
    engine: &Engine,
    (question, mode, k): (&str, Mode, usize),
    caching: Caching,
) -> Result<Ranking, Fault> {
    let request = search_request(question, mode, k, caching);
    let hits = searcher.search(engine, &request)?.hits.into_iter();
    let entry = |hit: Hit| {
        (hit.path.to_string(), hit.chunk.lines.first, hit.chunk.text, hit.score.to_bits())
    };
    Ok(hits.map(entry).collect())
}

/// Replaces a file under a new inode: generations share files by hard links, and a map of the old
/// file must not change.
pub fn replace(path: &Path, bytes: &[u8]) {
    let temp = path.with_extension("bad");
    std::fs::write(&temp, bytes).expect("a file");
    std::fs::rename(&temp, path).expect("a rename");
}

/// Replaces a file and removes the logs that SQLite keeps beside a database.
pub fn replace_database(path: &Path, bytes: &[u8]) {
    for suffix in ["-wal", "-shm"] {
        let name = format!("{}{suffix}", path.file_name().expect("a name").display());
        let _ = std::fs::remove_file(path.with_file_name(name));
    }
    replace(path, bytes);
}

/// Everything that an index stores and answers: two equal values cannot be distinguished by a
/// query.
#[derive(Clone, PartialEq)]
pub struct Contents {
    pub corpus_id: String,
    /// State and hash by path, behind the number of its folder from the second on.
    pub documents: BTreeMap<String, String>,
    /// Heading and text, and the bits of the vector, by path and first byte.
    pub chunks: BTreeMap<(String, usize), (String, Vec<u32>)>,
    answers: BTreeMap<&'static str, Ranking>,
}

/// The key of a document: its path, prefixed with the number of its root from the second root on.
fn name_in(root: usize, path: &str) -> String {
    if root == 0 { path.to_owned() } else { format!("{root}:{path}") }
}

impl Contents {
    /// The contents of the index `default` and its answers to `question` in every mode; `None`
    /// where there is no such index.
    ///
    /// Fails unless the index is whole: every checksum right; BM25, vectors and document table
    /// consistent; nothing stored twice.
    #[track_caller]
    pub fn of(engine: &Engine, question: &str) -> Option<Self> {
        let name = &engine.config.index;
        engine.store.pointer(name).expect("a pointer that can be read")?;
        let problems = rag::index::verify(&engine.store, name).expect("an index that can be read");
        assert!(problems.is_empty(), "{problems:?}");
        let mut searcher = Searcher::open(engine).expect("an index that can be opened");
        let snapshot = &searcher.snapshot;
        let is_pending = snapshot.meta().pending > 0;
        let mut documents = BTreeMap::new();
        for record in snapshot.documents().expect("a table") {
            let before = documents.insert(
                name_in(record.root, &record.path),
                format!("{:?} {}", record.state, record.hash),
            );
            assert!(before.is_none(), "{} is in the table twice", record.path);
        }
        let (mut chunks, mut rows) = (BTreeMap::new(), Vec::new());
        let visit = &mut |stored: rag::index::Stored, row| {
            let chunk = stored.chunk;
            let key = (name_in(stored.root, &stored.path), chunk.bytes.start);
            rows.push((key.clone(), row));
            let before =
                chunks.insert(key, (format!("{:?} {}", chunk.heading, chunk.text), Vec::new()));
            assert!(before.is_none(), "a chunk is in the index twice: {before:?}");
        };
        snapshot.for_each(visit).expect("chunks");
        for (key, row) in rows.into_iter().filter(|_| !is_pending) {
            let vector = snapshot.vector(row).expect("a vector");
            chunks.get_mut(&key).expect("a chunk").1 =
                vector.into_iter().map(f32::to_bits).collect();
        }
        let corpus_id = snapshot.meta().corpus_id.clone();
        let mut answers = BTreeMap::new();
        for mode in Mode::ALL.into_iter().filter(|mode| !is_pending || *mode == Mode::Lexical) {
            let query = (question, mode, 20);
            let found = ranking(&mut searcher, engine, query, Caching::Off).expect("an answer");
            answers.insert(mode.name(), found);
        }
        Some(Self { corpus_id, documents, chunks, answers })
    }

    /// The contents that are published before the vectors are made.
    pub fn without_vectors(&self) -> Self {
        let mut text = self.clone();
        text.chunks.values_mut().for_each(|(_, vector)| vector.clear());
        text.answers.retain(|mode, _| *mode == Mode::Lexical.name());
        text
    }

    /// Fails with the first difference.
    #[track_caller]
    pub fn must_be(&self, other: &Self, what: &str) {
        let difference = first_difference(&self.documents, &other.documents)
            .or_else(|| first_difference(&self.chunks, &other.chunks))
            .or_else(|| first_difference(&self.answers, &other.answers));
        assert!(difference.is_none(), "{what}: {}", difference.unwrap_or_default());
        assert_eq!(self.corpus_id, other.corpus_id, "{what}");
    }
}

impl Debug for Contents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let vectors = self.chunks.values().filter(|(_, vector)| !vector.is_empty()).count();
        let Self { corpus_id, documents, chunks, .. } = self;
        write!(
            f,
            "{corpus_id}: {} files, {} chunks, {vectors} vectors",
            documents.len(),
            chunks.len()
        )
    }
}

fn first_difference<K: Ord + Debug, V: PartialEq + Debug>(
    a: &BTreeMap<K, V>,
    b: &BTreeMap<K, V>,
) -> Option<String> {
    let key = a.keys().chain(b.keys()).find(|key| a.get(key) != b.get(key))?;
    Some(format!("{key:?} is {:?} instead of {:?}", a.get(key), b.get(key)))
}

/// Makes a model with eight numbers per token the sandbox's model: looked up in a table and
/// averaged. Every part is real, but it costs so little that a test measures everything else. A
/// `rag.toml` configures it; [`TINY`] is its name.
///
/// Must come before the sandbox's first command.
pub fn use_tiny_model(sandbox: &Sandbox) {
    let (share, real) = (sandbox.path().join("share/rag"), project_data());
    let below = "models/all-MiniLM-L6-v2";
    let source = sandbox.path().join("tiny");
    for dir in [share.join("models"), source.join("1_Pooling")] {
        std::fs::create_dir_all(dir).expect("a folder");
    }
    std::os::unix::fs::symlink(real.join("runtime"), share.join("runtime")).expect("a link");
    for file in ["tokenizer.json", "modules.json", "sentence_bert_config.json"] {
        std::fs::copy(real.join(below).join(file), source.join(file)).expect("a copy");
    }
    let pooling = format!(
        "{{\"word_embedding_dimension\": {TINY_NUMBERS}, \"pooling_mode_mean_tokens\": true}}"
    );
    sandbox.write("tiny/1_Pooling/config.json", pooling);
    sandbox.write("tiny/model.onnx", tiny_network());
    sandbox.rag(["model", "add", "tiny", "--data-dir", "share/rag"]).ok();
    sandbox.write("rag.toml", format!("model = \"{TINY}\"\n"));
}

pub const TINY: &str = "tiny";
pub const TINY_NUMBERS: usize = 8;

/// The network of [`use_tiny_model`] in ONNX format: one Gather over a table of noise.
fn tiny_network() -> Vec<u8> {
    /// Tokens of the tokenizer.
    const TOKENS: usize = 30_522;
    let mut random = Random { seed: 1, state: 1 };
    let noise =
        (0..TOKENS * TINY_NUMBERS).flat_map(|_| (random.below(2001) as f32 - 1000.0).to_le_bytes());
    let number = |field: u8, n: u64| [vec![field << 3], varint(n)].concat();
    let part = |field: u8, bytes: &[u8]| {
        [vec![field << 3 | 2], varint(bytes.len() as u64), bytes.to_vec()].concat()
    };
    let dimension = |name: &str, n: usize| match name {
        "" => part(1, &number(1, n as u64)),
        name => part(1, &part(2, name.as_bytes())),
    };
    // Element types: 1 is float, 7 is int64.
    let value = |name: &str, element: u64, shape: &[Vec<u8>]| {
        let tensor = [number(1, element), part(2, &shape.concat())].concat();
        [part(1, name.as_bytes()), part(2, &part(1, &tensor))].concat()
    };
    let table = [
        number(1, TOKENS as u64),
        number(1, TINY_NUMBERS as u64),
        number(2, 1),
        part(8, b"table"),
        part(9, &noise.collect::<Vec<u8>>()),
    ];
    let node = [
        part(1, b"table"),
        part(1, b"input_ids"),
        part(2, b"last_hidden_state"),
        part(4, b"Gather"),
    ];
    let ids = value("input_ids", 7, &[dimension("", 1), dimension("n", 0)]);
    let out = value(
        "last_hidden_state",
        1,
        &[dimension("", 1), dimension("n", 0), dimension("", TINY_NUMBERS)],
    );
    let graph = [
        part(1, &node.concat()),
        part(2, b"tiny"),
        part(5, &table.concat()),
        part(11, &ids),
        part(12, &out),
    ];
    let operators = [part(1, b""), number(2, 13)];
    [number(1, 8), part(7, &graph.concat()), part(8, &operators.concat())].concat()
}

fn varint(mut n: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while n >= 0x80 {
        bytes.push(n as u8 | 0x80);
        n >>= 7;
    }
    bytes.push(n as u8);
    bytes
}

/// Number of vectors in the embedding cache of a data directory.
pub fn cached_rows(data: &Path) -> usize {
    let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_WRITE;
    let Ok(connection) = rusqlite::Connection::open_with_flags(data.join("cache/cache.db"), flags)
    else {
        return 0;
    };
    let count =
        connection.query_row("SELECT count(*) FROM embeddings", [], |row| row.get::<_, i64>(0));
    count.map_or(0, |n| usize::try_from(n).expect("a count"))
}

/// Files in a data directory that nothing needs: all but whole generations, names, the cache, the
/// job log, sessions, models, and lock files.
pub fn orphans(data: &Path) -> Vec<String> {
    let names = crate::fixtures::files_below(data).into_iter();
    names.filter(|name| !is_known(name)).collect()
}

fn is_known(name: &str) -> bool {
    let parts: Vec<&str> = name.split('/').collect();
    let last = parts.last().copied().unwrap_or_default();
    match parts[0] {
        _ if rag::disk::is_temporary(last) || last == "pending" => false,
        "indexes" => parts.len() > 2 && !parts[1].starts_with('.') || name == "indexes/.lock",
        "cache" => last.starts_with("cache.db"),
        "jobs" => ["jobs.jsonl", ".lock", "worker.log"].contains(&last),
        "sessions" => last.starts_with("sessions.db"),
        part => ["models", "runtime", "runs"].contains(&part),
    }
}
