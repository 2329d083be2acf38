//! Sample folders, and small helpers of several modules.

use std::path::Path;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::support::{Run, Sandbox, has_loopback};

/// Six short documents on six topics. Bees dance in one of them only.
pub const TOPICS: [(&str, &str); 6] = [
    (
        "bees.md",
        "# Bees\n\nHoney bees dance to tell the others where flowers are.\n\nTheir combs are made \
         of wax.\n",
    ),
    ("tides.md", "# Tides\n\nThe moon pulls the sea, so the tide rises twice a day.\n"),
    ("bread.txt", "Sourdough bread rises because wild yeast makes gas in the dough.\n"),
    (
        "code/save.rs",
        "/// Writes foo_bar to disk.\nfn save() {\n    std::fs::write(\"foo_bar\", \
         \"x\").unwrap();\n}\n",
    ),
    (
        "trains.html",
        "<html><head><title>Trains</title></head><body><p>Night trains cross the \
         Alps.</p></body></html>",
    ),
    (
        "deep/er/volcano.rst",
        "Volcanoes\n=========\n\nA volcano erupts when magma finds a way up.\n",
    ),
];

/// A query that every [`harbour`] answers.
pub const BLUE_BOATS: &str = "\"blue boats\" carry sailors across the bay";

/// A document that differs from the others of its kind in numbers only.
pub fn harbour(n: usize) -> String {
    format!(
        "# Harbour {n}\n\nThe blue boats of harbour {n} carry {} sailors across the bay.\n\n## \
         Bread\n\nBaker {n} sells {} loaves.\n",
        n * 3,
        n * 7
    )
}

/// Writes [`TOPICS`] to `docs/` with old modification times.
pub fn topics(sandbox: &Sandbox) {
    for (path, text) in TOPICS {
        write_old(sandbox, &format!("docs/{path}"), text);
    }
}

/// A sandbox with [`TOPICS`] in `docs/` and an index of them.
pub fn indexed() -> Sandbox {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    sandbox.ingest();
    sandbox
}

/// As [`indexed`]; `None`, with a notice, without a loopback interface.
pub fn indexed_with_loopback() -> Option<Sandbox> {
    has_loopback().then(indexed)
}

/// Writes a file with an old modification time, which the next ingest trusts.
pub fn write_old(sandbox: &Sandbox, path: &str, content: impl AsRef<[u8]>) {
    set_age(&sandbox.write(path, content), 1_000);
}

/// Sets the modification time, in seconds after a day in 2020.
pub fn set_age(path: &Path, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000 + seconds);
    std::fs::File::options()
        .append(true)
        .open(path)
        .and_then(|f| f.set_modified(time))
        .expect("a time is set");
}

/// `rag search QUERY --json` with more arguments: the JSON, whatever the exit code.
#[track_caller]
pub fn search(sandbox: &Sandbox, query: &str, more: &[&str]) -> Value {
    let mut args = vec!["search", "--json"];
    args.extend(more);
    args.extend(["--", query]);
    let run = sandbox.rag(&args);
    assert!(matches!(run.code, Some(0 | 3)), "{run}");
    run.json()
}

/// Paths of the hits, best first.
pub fn paths(found: &Value) -> Vec<&str> {
    found["hits"]
        .as_array()
        .expect("hits")
        .iter()
        .map(|hit| hit["path"].as_str().expect("a path"))
        .collect()
}

/// The `error` object that a run with `--json` left on stderr.
#[track_caller]
pub fn error_of(run: &Run) -> Value {
    let last = run.stderr.lines().last().unwrap_or_default();
    let value: Value =
        serde_json::from_str(last).unwrap_or_else(|e| panic!("no JSON error: {e}\n{run}"));
    value["error"].clone()
}

/// Every file below `dir`, relative, sorted.
pub fn files_below(dir: &Path) -> Vec<String> {
    fn visit(dir: &Path, top: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(dir).expect("a folder").map(|e| e.expect("an entry")) {
            if entry.file_type().expect("a type").is_dir() {
                visit(&entry.path(), top, found);
            } else {
                found.push(
                    entry.path().strip_prefix(top).expect("below").to_string_lossy().into_owned(),
                );
            }
        }
    }
    let mut found = Vec::new();
    visit(dir, dir, &mut found);
    found.sort();
    found
}

/// Copies a folder recursively, with hard links where possible.
pub fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for file in files_below(from) {
        let target = to.join(&file);
        std::fs::create_dir_all(target.parent().expect("a parent")).expect("a folder");
        std::fs::hard_link(from.join(&file), &target)
            .or_else(|_| std::fs::copy(from.join(&file), &target).map(drop))
            .expect("a copy");
    }
}
