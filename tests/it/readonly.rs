//! Folders that must not be written to and files that must not be read. Reading works and leaves no
//! trace; writing is refused at once.
//!
//! Mode bits do not bind root, so as root the commands run as `nobody`, through `setpriv`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::support::{Run, Sandbox};
use crate::tools::{FOLDER, answer, has_tool, listing, paths};

/// Runs `rag` as a user bound by mode bits.
struct Bound {
    as_root: bool,
}

impl Bound {
    /// `None`, with a notice, where there is no such user.
    fn new(sandbox: &Sandbox) -> Option<Self> {
        let probe = sandbox.write("probe", "x");
        chmod(&probe, 0o000);
        let as_root = std::fs::read(&probe).is_ok();
        std::fs::remove_file(&probe).expect("a removal");
        let args = [
            "--reuid",
            "65534",
            "--regid",
            "65534",
            "--clear-groups",
            "test",
            "-x",
            env!("CARGO_BIN_EXE_rag"),
        ];
        if as_root && !has_tool("setpriv", &args) {
            return None;
        }
        chmod(sandbox.path(), 0o755);
        Some(Self { as_root })
    }

    fn rag(&self, sandbox: &Sandbox, args: &[&str]) -> Run {
        if !self.as_root {
            return sandbox.rag(args);
        }
        let user = ["--reuid", "65534", "--regid", "65534", "--clear-groups"];
        Run::of(&mut sandbox.under("setpriv", &user, args))
    }
}

fn chmod(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("a mode");
}

/// Sets modes below a folder so that everyone may read and no one may write.
fn freeze(dir: &Path) {
    for (name, what) in listing(dir) {
        chmod(&dir.join(name), if what == FOLDER { 0o555 } else { 0o444 });
    }
    chmod(dir, 0o555);
}

/// Restores the modes, so that a user other than root can remove the sandbox.
fn thaw(dir: &Path) {
    chmod(dir, 0o755);
    for (name, what) in listing(dir) {
        if what == FOLDER {
            chmod(&dir.join(name), 0o755);
        }
    }
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox
        .write("docs/boats.md", "# Boats\n\nThe blue boat carries nine sailors across the bay.\n");
    sandbox.write("docs/bread.md", "# Bread\n\nThe baker needs flour, water, salt and patience.\n");
    sandbox
}

#[test]
fn a_read_only_data_directory_is_searched_without_a_trace() {
    let sandbox = sandbox();
    let Some(bound) = Bound::new(&sandbox) else { return };
    sandbox.ingest();
    let search = ["search", "blue boat", "--json"];
    let before = answer(sandbox.rag(search).ok().json());
    let ask = sandbox.rag(["ask", "how many sailors does the boat carry?", "--json"]).ok().json();
    freeze(&sandbox.data());
    let listed = listing(&sandbox.data());
    for mode in ["hybrid", "lexical", "dense"] {
        bound.rag(&sandbox, &["search", "blue boat", "--json", "--mode", mode]).ok();
    }
    // With the question's vector in the cache, and with a new question.
    assert_eq!(answer(bound.rag(&sandbox, &search).ok().json()), before);
    let new = bound.rag(&sandbox, &["search", "what does a baker need", "--json"]).ok().json();
    assert_eq!(paths(&new)[0], "bread.md");
    let asked = bound
        .rag(&sandbox, &["ask", "how many sailors does the boat carry?", "--json"])
        .ok()
        .json();
    assert_eq!(asked["answer"], ask["answer"]);
    for args in [
        &["index", "verify"][..],
        &["index", "list"],
        &["index", "show"],
        &["cache", "stats"],
        &["doctor"],
    ] {
        bound.rag(&sandbox, args).ok();
    }
    bound.rag(&sandbox, &["index", "save", "-q", "/dev/null/x.tar.zst"]).exits(1);

    sandbox.write("docs/new.md", "# New\n\nSomething else.\n");
    let data = sandbox.data().display().to_string();
    bound
        .rag(&sandbox, &["ingest", "--dir", "docs"])
        .exits(1)
        .says("data/jobs")
        .says("ermission denied");
    bound.rag(&sandbox, &["index", "remove", "--yes"]).exits(1).says("data/indexes");
    assert_eq!(listing(&sandbox.data()), listed, "something was written to {data}");
    thaw(&sandbox.data());
    assert_eq!(sandbox.ingest()["documents"], 3);
}

/// A data directory that cannot be created.
#[test]
fn an_ingest_that_cannot_create_its_data_directory_names_it() {
    let sandbox = sandbox();
    let Some(bound) = Bound::new(&sandbox) else { return };
    let _ = bound.rag(&sandbox, &["doctor"]);
    chmod(sandbox.path(), 0o555);
    bound.rag(&sandbox, &["ingest", "--dir", "docs"]).exits(1).says("cannot create data/jobs");
    let asked =
        bound.rag(&sandbox, &["search", "boat"]).exits(1).says("there is no index named `default`");
    assert!(asked.stdout.is_empty());
    chmod(sandbox.path(), 0o755);
    assert!(!sandbox.data().exists());
}

/// A read-only mount: the owner may write, the file system refuses.
#[test]
fn a_read_only_mount_is_searched_and_not_written_to() {
    let probe = "mount --bind -o ro /tmp /mnt && mount -o remount,bind,ro /mnt && ! touch \
         /mnt/rag-probe 2>/dev/null";
    if !has_tool("unshare", &["-m", "sh", "-c", probe]) {
        return;
    }
    let sandbox = sandbox();
    sandbox.ingest();
    let before = answer(sandbox.rag(["search", "blue boat", "--json"]).ok().json());
    sandbox.write("docs/new.md", "# New\n\nSomething else.\n");
    let listed = listing(&sandbox.data());
    let script = r#"
        mount --bind data data && mount -o remount,bind,ro data || exit 99
        "$0" search 'blue boat' --json >after.json || exit 98
        "$0" search 'a new question' --json >/dev/null || exit 97
        "$0" ingest --dir docs 2>message; echo $? >code
    "#;
    sandbox.with_private_mounts(script).ok();
    let read = |name: &str| std::fs::read_to_string(sandbox.path().join(name)).expect(name);
    assert_eq!(answer(serde_json::from_str(&read("after.json")).expect("JSON")), before);
    assert_eq!(read("code").trim(), "1");
    assert!(read("message").contains("Read-only file system"), "{}", read("message"));
    assert_eq!(listing(&sandbox.data()), listed);
}

/// Unreadable files and folders of the corpus are named and the rest is indexed; passages read by
/// an earlier run stay.
#[test]
fn unreadable_files_are_named_and_the_rest_is_indexed() {
    let sandbox = sandbox();
    let Some(bound) = Bound::new(&sandbox) else { return };
    std::fs::create_dir(sandbox.data()).expect("a folder");
    chmod(&sandbox.data(), 0o777);
    sandbox.write("docs/closed/inside.md", "# Inside\n\nNobody sees the tulips.\n");
    chmod(&sandbox.path().join("docs/bread.md"), 0o000);
    chmod(&sandbox.path().join("docs/closed"), 0o000);
    let args = ["ingest", "--dir", "docs", "--json"];
    let summary = bound.rag(&sandbox, &args).exits(4).json();
    let failed: Vec<&str> = summary["failed"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|f| f["path"].as_str())
        .collect();
    assert_eq!(failed, ["docs/bread.md", "docs/closed"]);
    assert!(
        summary["failed"][0]["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("permission denied"))
    );
    assert_eq!(summary["documents"], 1);
    let search =
        |question: &str| paths(&bound.rag(&sandbox, &["search", question, "--json"]).ok().json());
    assert_eq!(search("blue boat"), ["boats.md"]);

    chmod(&sandbox.path().join("docs/bread.md"), 0o644);
    chmod(&sandbox.path().join("docs/closed"), 0o755);
    assert_eq!(bound.rag(&sandbox, &args).ok().json()["documents"], 3);
    // Unreadable again: unknown does not mean removed.
    chmod(&sandbox.path().join("docs/closed"), 0o000);
    assert_eq!(bound.rag(&sandbox, &args).exits(4).json()["documents"], 3);
    assert_eq!(search("tulips")[0], "closed/inside.md");
    chmod(&sandbox.path().join("docs/closed"), 0o755);
}

/// Unreadable files of the index: refused with the path, not reported as damage.
#[test]
fn an_unreadable_index_is_refused_with_its_path() {
    let sandbox = sandbox();
    let Some(bound) = Bound::new(&sandbox) else { return };
    sandbox.ingest();
    chmod(&sandbox.data().join("indexes"), 0o000);
    bound.rag(&sandbox, &["search", "boat"]).exits(1).says("data/indexes").says("ermission denied");
    bound
        .rag(&sandbox, &["ingest", "--dir", "docs"])
        .exits(1)
        .says("data/jobs")
        .says("ermission denied");
    chmod(&sandbox.data().join("indexes"), 0o755);
}
