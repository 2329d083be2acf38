//! Nothing leaves the data directory: no file elsewhere, no network packet.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::fixtures::{files_below, topics};
use crate::support::{Run, Sandbox};

/// Folders that programs commonly write to, all empty, and the variables that name them.
const PLACES: [(&str, &str); 7] = [
    ("HOME", "places/home"),
    ("XDG_CONFIG_HOME", "places/config"),
    ("XDG_CACHE_HOME", "places/cache"),
    ("XDG_STATE_HOME", "places/state"),
    ("XDG_RUNTIME_DIR", "places/run"),
    ("TMPDIR", "places/tmp"),
    ("TMP", "places/tmp2"),
];

/// `rag` with `places/` for all of these, behind `wrapper` where there is one.
fn rag(sandbox: &Sandbox, wrapper: &[&str], args: &[&str]) -> Run {
    let plain = sandbox.command(args);
    let mut words = wrapper
        .iter()
        .map(std::ffi::OsStr::new)
        .chain([plain.get_program()])
        .chain(plain.get_args());
    let mut command = Command::new(words.next().unwrap());
    command.args(words).current_dir(sandbox.path()).env_clear();
    command.envs(
        plain.get_envs().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned()))),
    );
    for (name, place) in PLACES {
        std::fs::create_dir_all(sandbox.path().join(place)).unwrap();
        command.env(name, sandbox.path().join(place));
    }
    Run::of(&mut command)
}

fn everything(sandbox: &Sandbox, wrapper: &[&str]) -> Vec<Value> {
    let runs = [
        &["ingest", "--dir", "docs", "--json", "--data-dir"][..],
        &["search", "bees", "--json", "--data-dir"],
        &["ask", "What are combs made of?", "--json", "--data-dir"],
        &["doctor", "--json", "--data-dir"],
        &["index", "verify", "--json", "--data-dir"],
    ];
    let data = if wrapper.is_empty() { "data" } else { "offline" };
    runs.iter()
        .map(|args| rag(sandbox, wrapper, &[args, &[data][..]].concat()).ok().json())
        .collect()
}

#[test]
fn nothing_is_written_outside_the_data_directory() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    let before = files_below(&sandbox.path().join("docs"));
    everything(&sandbox, &[]);
    // The lists of data directories and of compared files, without any indexed text.
    let lists = ["state/rag/.lock", "state/rag/checked.json", "state/rag/places.json"];
    for file in files_below(&sandbox.path().join("places")) {
        assert!(lists.contains(&file.as_str()), "{file}");
        let path = sandbox.path().join("places").join(&file);
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!text.contains("bees") && !text.contains("combs"), "{file}: {text}");
        assert!(
            path.metadata().unwrap().permissions().mode().is_multiple_of(0o100),
            "{file} can be read by others"
        );
    }
    assert_eq!(files_below(&sandbox.path().join("docs")), before);
    let mut top: Vec<String> = std::fs::read_dir(sandbox.path())
        .unwrap()
        .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    top.sort();
    assert_eq!(top, ["data", "docs", "home", "places", "share"]);
    // Documents may be private, so everything derived from them is the user's alone.
    let is_private =
        |path: &Path| path.metadata().unwrap().permissions().mode().is_multiple_of(0o100);
    for file in files_below(&sandbox.data()) {
        let path = sandbox.data().join(&file);
        assert!(
            is_private(&path) || is_private(path.parent().unwrap()),
            "{file} can be read by others"
        );
    }
    // The folder of the caches may be chosen separately.
    assert!(is_private(&sandbox.data().join("cache/cache.db")));
}

#[test]
fn the_network_is_not_needed() {
    let wrapper = ["unshare", "--net"];
    let available = Command::new(wrapper[0])
        .args([wrapper[1], "true"])
        .output()
        .is_ok_and(|output| output.status.success());
    if !available {
        eprintln!("skipped: `unshare --net` does not work here");
        return;
    }
    let sandbox = Sandbox::new();
    topics(&sandbox);
    let (with, without) = (everything(&sandbox, &[]), everything(&sandbox, &wrapper));
    assert!(Path::new(&sandbox.path().join("offline/indexes")).is_dir());
    assert_eq!(with[0]["corpus_id"], without[0]["corpus_id"]);
    assert_eq!(with[1]["hits"], without[1]["hits"]);
    assert_eq!(
        (&with[2]["answer"], &with[2]["citations"]),
        (&without[2]["answer"], &without[2]["citations"])
    );
}
