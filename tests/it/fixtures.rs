//! Sample folders, and small things that several modules need.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, SystemTime};

use rag::config::{Config, World};
use rag::engine::Engine;
use serde_json::Value;

use crate::support::{Run, Sandbox, project_data};

/// Six short documents about six things. In no other do bees dance.
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

/// Writes [`TOPICS`] to `docs/`, none of them fresh.
pub fn topics(sandbox: &Sandbox) {
    for (path, text) in TOPICS {
        write_old(sandbox, &format!("docs/{path}"), text);
    }
}

/// Writes a file that was last changed long ago, so that its time is trusted by the next ingest.
pub fn write_old(sandbox: &Sandbox, path: &str, content: impl AsRef<[u8]>) {
    set_age(&sandbox.write(path, content), 1_000);
}

/// Sets the time of last change, in seconds after a day in 2020.
pub fn set_age(path: &Path, seconds: u64) {
    let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_600_000_000 + seconds);
    std::fs::File::options()
        .append(true)
        .open(path)
        .and_then(|f| f.set_modified(time))
        .expect("a time is set");
}

/// An engine in this process, on the sandbox's data directory.
pub fn engine(sandbox: &Sandbox) -> Engine {
    static NEVER: AtomicBool = AtomicBool::new(false);
    let exe = Some(env!("CARGO_BIN_EXE_rag").into());
    let mut world = World { cwd: sandbox.path().to_owned(), exe, cores: 2, ..World::default() };
    world
        .env
        .insert("ORT_DYLIB_PATH".into(), project_data().join("runtime/libonnxruntime.so").into());
    world.env.insert("XDG_DATA_HOME".into(), sandbox.path().join("share").into());
    let data = sandbox.data().to_string_lossy().into_owned();
    let config =
        Config::load(&world, &[("data_dir", data, "--data-dir".into())]).expect("a configuration");
    Engine::new(config, || SystemTime::UNIX_EPOCH, &NEVER)
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

/// Copies a folder and all in it; hard links where it can.
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
