//! Shared by the tests of damage, crashes and crowds: folders compared and copied, answers without
//! their timings, waiting for conditions, and the engine in this process, where thousands of
//! searches are affordable.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use rag::cache::Caching;
use rag::config::{Config, Mode, World};
use rag::engine::{Engine, Stop};
use rag::search::Request;
use serde_json::Value;

use crate::fixtures::files_below;
use crate::support::{Sandbox, project_data};

/// Longest wait for a condition. Only a hang takes this long; nothing here measures speed.
pub const HANG: Duration = Duration::from_secs(120);

/// Waits until `ready` returns a value.
#[track_caller]
pub fn wait_for<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = ready() {
            return value;
        }
        assert!(start.elapsed() < HANG, "waited too long for {what}");
        std::thread::park_timeout(Duration::from_millis(1));
    }
}

/// Sets a flag when it is dropped, so that other threads end however this one ends.
pub struct SetOnDrop<'a>(pub &'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The value of a folder in a [`listing`].
pub const FOLDER: &str = "folder";

/// Every name below `dir` with a description: size and SHA-256 of a file, `folder` or `other` for
/// anything else.
pub fn listing(dir: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(folder) = todo.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            let kind = entry.file_type().expect("a file type");
            let what = if kind.is_file() {
                let bytes = std::fs::read(&path).unwrap_or_default();
                format!("{} {}", bytes.len(), rag::disk::sha256_hex(&bytes))
            } else {
                if kind.is_dir() {
                    todo.push(path.clone());
                }
                if kind.is_dir() { FOLDER.to_owned() } else { "other".to_owned() }
            };
            let name = path.strip_prefix(dir).expect("below").to_string_lossy().into_owned();
            found.insert(name, what);
        }
    }
    found
}

/// Plain files below `dir`, sorted.
pub fn files(dir: &Path) -> Vec<PathBuf> {
    listing(dir)
        .into_iter()
        .filter(|(_, what)| what.contains(' '))
        .map(|(name, _)| dir.join(name))
        .collect()
}

/// Copies a folder with its times; hard links become separate files.
pub fn copy_tree(from: &Path, to: &Path) {
    let status =
        Command::new("cp").args(["-R", "--preserve=mode,timestamps"]).arg(from).arg(to).status();
    assert!(status.is_ok_and(|status| status.success()), "cp {} {}", from.display(), to.display());
}

/// Names that only a running or killed process leaves behind.
pub fn leftovers(data: &Path) -> Vec<String> {
    let is_leftover = |name: &str| {
        name.contains("/.building-") || name.contains(".tmp") || name.ends_with("pending")
    };
    listing(&data.join("indexes"))
        .into_keys()
        .map(|name| format!("/{name}"))
        .filter(|n| is_leftover(n))
        .collect()
}

/// Folders of generations: all but `names`.
pub fn generations(data: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(data.join("indexes")) else { return Vec::new() };
    let names = entries
        .flatten()
        .filter(|e| e.path().is_dir())
        .map(|e| e.file_name().to_string_lossy().into_owned());
    let mut names: Vec<String> = names.filter(|name| name != "names").collect();
    names.sort();
    names
}

/// The folder of the current generation.
pub fn current(data: &Path) -> PathBuf {
    let text = std::fs::read(data.join("indexes/names/default.json")).expect("a pointer");
    let pointer: Value = serde_json::from_slice(&text).expect("JSON");
    data.join("indexes").join(pointer["current"]["generation"].as_str().expect("a generation"))
}

/// A search response without timings and cache state.
pub fn answer(mut response: Value) -> Value {
    for field in ["timings", "cache"] {
        response.as_object_mut().expect("an object").remove(field);
    }
    response
}

/// Paths of the hits, in order.
pub fn paths(response: &Value) -> Vec<String> {
    let hits = response["hits"].as_array().expect("hits");
    hits.iter().map(|hit| hit["path"].as_str().expect("a path").to_owned()).collect()
}

/// Rows in the vector files of the unfinished generation that are not all zeros: the vectors made
/// so far.
pub fn rows_made(data: &Path) -> usize {
    let Ok(entries) = std::fs::read_dir(data.join("indexes")) else { return 0 };
    let building =
        entries.flatten().find(|e| e.file_name().to_string_lossy().starts_with(".building-"));
    let Some(Ok(inside)) = building.map(|building| std::fs::read_dir(building.path())) else {
        return 0;
    };
    let vectors = inside
        .flatten()
        .map(|e| e.path())
        .filter(|path| path.extension().is_some_and(|e| e == "npy"));
    vectors.filter_map(|path| rows_of(&path)).sum()
}

/// Rows of a vector file that are not all zeros.
fn rows_of(vectors: &Path) -> Option<usize> {
    /// Bytes before the first row.
    const HEADER: usize = 128;
    let keys = std::fs::metadata(vectors.with_extension("keys")).ok()?.len() / 16;
    let bytes = std::fs::read(vectors).ok()?;
    let length = bytes.len().checked_sub(HEADER)?.checked_div(usize::try_from(keys).ok()?)?;
    let rows = bytes[HEADER..].chunks(length.max(1));
    Some(rows.filter(|row| row.iter().any(|byte| *byte != 0)).count())
}

/// [`rows_made`], in bytes of vectors of the default model.
pub fn bytes_embedded(data: &Path) -> u64 {
    rows_made(data) as u64 * 384 * 4
}

/// Waits until all workers have ended: the sandbox must outlive them.
pub fn wait_for_workers(sandbox: &Sandbox) {
    let jobs = sandbox.data().join("jobs");
    wait_for("the workers' end", || {
        let has_worker =
            jobs.is_dir() && files_below(&jobs).iter().any(|name| name.starts_with("worker-"));
        (!has_worker).then_some(())
    });
}

/// Waits until the lock file holds `pid`.
pub fn wait_for_lock(data: &Path, pid: u32) {
    wait_for("the lock", || {
        let text = std::fs::read_to_string(data.join("indexes/.lock")).ok()?;
        (text.trim() == pid.to_string()).then_some(())
    });
}

/// Whether a process has the lock file of an indexes folder open, as a waiting writer has.
pub fn has_lock_open(pid: u32) -> bool {
    let open = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let mut links = open.filter_map(|fd| std::fs::read_link(fd.path()).ok());
    links.any(|link| link.ends_with("indexes/.lock"))
}

pub fn signal(pid: u32, signal: &str) {
    signals(pid, &[signal]);
}

/// Sends signals one after the other, as fast as possible.
pub fn signals(pid: u32, signals: &[&str]) {
    let kill = "for signal in \"$@\"; do kill -s \"$signal\" $PID || exit 1; done";
    let status = Command::new("sh")
        .args(["-c", kill, "sh"])
        .args(signals)
        .env("PID", pid.to_string())
        .status();
    assert!(status.is_ok_and(|status| status.success()), "kill -s {signals:?} {pid}");
}

/// Whether a program can be run; prints a notice where it cannot.
pub fn has_tool(name: &str, try_args: &[&str]) -> bool {
    let found =
        Command::new(name).args(try_args).output().is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("skipped: `{name} {}` does not work here", try_args.join(" "));
    }
    found
}

/// True where every point is tried instead of a sample.
pub fn thorough() -> bool {
    std::env::var_os("RAG_TEST_THOROUGH").is_some()
}

/// A search without a filter and without a rerank.
pub fn search_request(query: &str, mode: Mode, k: usize, caching: Caching) -> Request {
    let (filter, stop) = (None, Stop::default());
    Request { query: query.to_owned(), mode, k, rerank: 0, caching, filter, stop }
}

/// The engine of a sandbox in this process.
pub fn engine(sandbox: &Sandbox) -> Engine {
    engine_on(sandbox, "data", "all-MiniLM-L6-v2")
}

/// The engine of a data directory of a sandbox, with a model.
pub fn engine_on(sandbox: &Sandbox, data: &str, model: &str) -> Engine {
    engine_with(sandbox, data, model, &[], SystemTime::now)
}

/// The same with further environment variables and another clock.
pub fn engine_with(
    sandbox: &Sandbox,
    data: &str,
    model: &str,
    further: &[(&str, &str)],
    clock: fn() -> SystemTime,
) -> Engine {
    static NEVER: AtomicBool = AtomicBool::new(false);
    let _ = sandbox.command([""; 0]);
    let set = [
        ("HOME", sandbox.path().join("home")),
        ("XDG_DATA_HOME", sandbox.path().join("share")),
        ("ORT_DYLIB_PATH", project_data().join("runtime/libonnxruntime.so")),
        ("RAG_DATA_DIR", sandbox.path().join(data)),
        ("RAG_MODEL", model.into()),
    ];
    let further = further.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value)));
    let env = set
        .into_iter()
        .map(|(name, value)| (name.to_owned(), OsString::from(value)))
        .chain(further)
        .collect();
    let world = World {
        env,
        cwd: sandbox.path().to_owned(),
        exe_dir: None,
        exe: Some(env!("CARGO_BIN_EXE_rag").into()),
        cores: 2,
    };
    Engine::new(Config::load(&world, &[]).expect("a configuration"), clock, &NEVER)
}
