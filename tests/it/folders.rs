//! The folders of an index: added, left alone, removed; and confirmation before documents are
//! removed.

use std::path::Path;

use serde_json::{Value, json};

use crate::fixtures::{error_of, files_below, paths, search, topics, write_old};
use crate::support::{Run, Sandbox};
use crate::tools::has_tool;

fn ingest(sandbox: &Sandbox, args: &[&str]) -> Value {
    sandbox.rag([&["ingest", "--json"], args].concat()).ok().json()
}

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    write_old(&sandbox, "birds/heron.md", "# Herons\n\nThe heron waits in the reeds.\n");
    write_old(
        &sandbox,
        "birds/same.md",
        "# Bees\n\nHoney bees dance to tell the others where flowers are.\n",
    );
    write_old(&sandbox, "notes/salmon.md", "# Salmon\n\nThe salmon leaps up the river.\n");
    sandbox
}

fn folders(sandbox: &Sandbox) -> Value {
    sandbox.rag(["index", "show", "--json"]).ok().json()["roots"].clone()
}

/// The hits of several searches, with exact scores.
fn found(sandbox: &Sandbox, data: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for question in ["Why do bees dance?", "heron reeds", "salmon river", "magma", "bread"] {
        for mode in ["lexical", "dense", "hybrid"] {
            let more = ["--explain", "-k", "50", "--no-cache", "--mode", mode, "--data-dir", data];
            all.push(search(sandbox, question, &more)["hits"].clone());
        }
    }
    all
}

/// Expects that the index equals one built of these folders at once.
#[track_caller]
fn assert_equals_index_of(sandbox: &Sandbox, dirs: &[&str]) {
    let _ = std::fs::remove_dir_all(sandbox.path().join("twin"));
    let mut args = vec!["--data-dir", "twin", "--no-cache"];
    dirs.iter().for_each(|dir| args.extend(["--dir", *dir]));
    let twin = ingest(sandbox, &args);
    let show = sandbox.rag(["index", "show", "--json"]).ok().json();
    for field in ["corpus_id", "documents", "chunks"] {
        assert_eq!(show[field], twin[field], "{field}: {show}");
    }
    assert_eq!(found(sandbox, "data"), found(sandbox, "twin"));
    sandbox.rag(["index", "verify"]).ok();
}

#[test]
fn an_ingest_leaves_the_other_folders_as_they_are() {
    let sandbox = sandbox();
    ingest(&sandbox, &["--dir", "docs"]);
    // The second folder comes after the first, the third before both; the cache is not used.
    let second = ingest(&sandbox, &["--dir", "notes", "--no-cache"]);
    assert_eq!(
        (&second["documents"], &second["read"], &second["removed"]),
        (&json!(7), &json!(1), &json!(0))
    );
    assert_eq!(second["cache"]["misses"], 1, "only what is new is embedded: {second}");
    assert_equals_index_of(&sandbox, &["docs", "notes"]);
    let third = ingest(&sandbox, &["--dir", "birds", "--no-cache"]);
    assert_eq!(
        (&third["documents"], &third["read"], &third["removed"]),
        (&json!(9), &json!(2), &json!(0))
    );
    assert_eq!(
        (&third["removed_documents"], &third["cache"]["misses"]),
        (&json!([]), &json!(2)),
        "{third}"
    );
    assert_equals_index_of(&sandbox, &["birds", "docs", "notes"]);
    assert_eq!(folders(&sandbox), json!(["birds", "docs", "notes"]));
    assert_eq!(ingest(&sandbox, &["--dir", "./docs/"])["committed"], false);

    // A folder that the ingest does not name is not read, even where it is missing.
    std::fs::rename(sandbox.path().join("birds"), sandbox.path().join("away")).unwrap();
    std::fs::remove_file(sandbox.path().join("notes/salmon.md")).unwrap();
    write_old(
        &sandbox,
        "docs/new.md",
        "# Glaciers\n\nA glacier grinds its valley into a trough.\n",
    );
    let fourth = ingest(&sandbox, &["--dir", "docs"]);
    assert_eq!((&fourth["documents"], &fourth["removed"]), (&json!(10), &json!(0)), "{fourth}");
    assert_eq!(paths(&search(&sandbox, "salmon leaps", &["--mode", "lexical"])), ["salmon.md"]);
}

#[test]
fn changes_are_indexed_when_a_folder_is_added_before_the_others() {
    let sandbox = sandbox();
    ingest(&sandbox, &["--dir", "docs", "--dir", "notes"]);
    write_old(
        &sandbox,
        "docs/bees.md",
        "# Wasps\n\nWasps chew wood into paper nests, and quarrel.\n",
    );
    std::fs::remove_file(sandbox.path().join("docs/tides.md")).unwrap();
    // Read again and found unchanged.
    crate::fixtures::set_age(&sandbox.path().join("docs/bread.txt"), 77);
    let args = ["--dir", "birds", "--dir", "docs", "--no-cache"];
    let run = ingest(&sandbox, &args);
    assert_eq!(
        (&run["documents"], &run["removed_documents"]),
        (&json!(8), &json!(["docs/tides.md"])),
        "{run}"
    );
    assert_eq!((&run["read"], &run["cache"]["misses"]), (&json!(4), &json!(3)), "{run}");
    assert_equals_index_of(&sandbox, &["birds", "docs", "notes"]);
    assert_eq!(ingest(&sandbox, &args)["committed"], false);
}

#[test]
fn a_folder_is_removed_by_name_or_by_path() {
    let sandbox = sandbox();
    ingest(&sandbox, &["--dir", "birds", "--dir", "docs", "--dir", "notes"]);
    let before = found(&sandbox, "data");
    sandbox
        .rag(["index", "remove-folder", "doc"])
        .exits(2)
        .says("`doc` is not a folder of the index")
        .says("birds, docs, notes");
    let run = sandbox.rag(["index", "remove-folder", "birds"]).exits(2);
    assert!(run.stderr.contains("2 documents") && run.stderr.contains("--yes"), "{run}");
    assert_eq!(found(&sandbox, "data"), before);

    // The folder is missing from the disk too; nothing is read or embedded.
    std::fs::rename(sandbox.path().join("birds"), sandbox.path().join("away")).unwrap();
    let removed =
        sandbox.rag(["index", "remove-folder", "./birds/", "--yes", "--json"]).ok().json();
    assert_eq!(removed["removed"], json!(["birds/heron.md", "birds/same.md"]));
    assert_eq!((&removed["documents"], &removed["chunks"]), (&json!(7), &json!(7)));
    assert_equals_index_of(&sandbox, &["docs", "notes"]);
    assert_eq!(ingest(&sandbox, &["--dir", "docs"])["committed"], false);
    sandbox.rag(["index", "rollback"]).ok();
    std::fs::rename(sandbox.path().join("away"), sandbox.path().join("birds")).unwrap();
    assert_equals_index_of(&sandbox, &["birds", "docs", "notes"]);

    // One document needs no confirmation.
    let place = sandbox.path().join("notes");
    sandbox
        .rag(["index", "remove-folder", place.to_str().unwrap()])
        .ok()
        .prints("notes/salmon.md")
        .says("removed 1 document");
    assert_equals_index_of(&sandbox, &["birds", "docs"]);
    for folder in ["docs", "birds"] {
        sandbox.rag(["index", "remove-folder", folder, "--yes"]).ok();
    }
    assert_eq!(
        (folders(&sandbox), search(&sandbox, "bees", &[])["hits"].clone()),
        (json!([]), json!([]))
    );
    sandbox.rag(["index", "verify"]).ok();
    assert_eq!(ingest(&sandbox, &["--dir", "docs"])["documents"], 6);
}

#[test]
fn only_removes_the_other_folders_and_names_their_documents() {
    let sandbox = sandbox();
    ingest(&sandbox, &["--dir", "birds", "--dir", "docs", "--dir", "notes"]);
    let run = sandbox.rag(["ingest", "--only", "--dir", "notes", "--json"]).exits(2);
    let error = error_of(&run);
    assert!(
        error["message"].as_str().unwrap().contains("birds (2 documents), docs (6 documents)"),
        "{error}"
    );
    assert_eq!(folders(&sandbox), json!(["birds", "docs", "notes"]));
    let run = ingest(&sandbox, &["--only", "--dir", "docs", "--dir", "notes", "--yes"]);
    assert_eq!(run["removed_documents"], json!(["birds/heron.md", "birds/same.md"]));
    assert_eq!(
        (&run["removed"], &run["documents"], &run["read"]),
        (&json!(2), &json!(7), &json!(0))
    );
    assert_equals_index_of(&sandbox, &["docs", "notes"]);
    // Nothing is removed, so nothing is asked.
    ingest(&sandbox, &["--only", "--dir", "docs", "--dir", "notes"]);
    // One folder replaces another and takes its number.
    let run = ingest(&sandbox, &["--only", "--dir", "docs", "--dir", "birds", "--yes"]);
    assert_eq!(run["removed_documents"], json!(["notes/salmon.md"]));
    assert_equals_index_of(&sandbox, &["birds", "docs"]);
}

#[test]
fn removed_documents_are_counted_and_named() {
    let sandbox = Sandbox::new();
    for n in 10..24 {
        write_old(&sandbox, &format!("docs/{n}.md"), format!("Number {n} is here.\n"));
    }
    ingest(&sandbox, &["--dir", "docs"]);
    for n in 10..22 {
        std::fs::remove_file(sandbox.path().join(format!("docs/{n}.md"))).unwrap();
    }
    let run = sandbox.rag(["ingest", "--dir", "docs"]).ok().prints("12 removed");
    run.says("removed docs/10.md").says("removed docs/19.md").says("2 more");
    // Also in a rebuilt index, and where a pattern excludes a file.
    std::fs::remove_file(sandbox.path().join("docs/22.md")).unwrap();
    write_old(&sandbox, "docs/a.txt", "A text.\n");
    let mut command = sandbox.command(["ingest", "--dir", "docs", "--json"]);
    let run =
        Run::of(command.env("RAG_CHUNK_MAX_TOKENS", "50")).ok().says("rebuilding the index").json();
    assert_eq!((&run["removed"], &run["removed_documents"]), (&json!(1), &json!(["docs/22.md"])));
    let mut command = sandbox.command(["ingest", "--dir", "docs", "--exclude", "*.txt", "--json"]);
    let run = Run::of(command.env("RAG_CHUNK_MAX_TOKENS", "50")).ok().json();
    assert_eq!((&run["removed"], &run["removed_documents"]), (&json!(1), &json!(["docs/a.txt"])));
    let jobs = sandbox.rag(["jobs", "list", "--json"]).ok().json();
    let result = &jobs["jobs"].as_array().unwrap().last().unwrap()["result"];
    assert_eq!(
        (&result["removed"], &result["removed_documents"]),
        (&json!(1), &json!(["docs/a.txt"]))
    );
}

#[test]
fn a_folder_keeps_its_patterns() {
    let sandbox = sandbox();
    let documents = |args: &[&str]| ingest(&sandbox, args)["documents"].as_u64().unwrap();
    assert_eq!(documents(&["--dir", "docs", "--include", "*.md", "--exclude", "tides.*"]), 1);
    assert_eq!(documents(&["--dir", "notes"]), 2, "patterns are those of one folder");
    let shown = sandbox.rag(["index", "show", "--json"]).ok().json()["folders"].clone();
    assert_eq!(
        (&shown[0]["include"], &shown[0]["exclude"]),
        (&json!(["*.md"]), &json!(["tides.*"])),
        "{shown}"
    );
    sandbox.rag(["index", "show"]).ok().prints("docs: --include '*.md' --exclude 'tides.*'");
    assert_eq!(documents(&["--dir", "docs"]), 2);
    assert_eq!(documents(&["--dir", "docs", "--dir", "birds"]), 4);
    // Rebuilt: folders that the ingest does not name keep their patterns.
    let mut command = sandbox.command(["ingest", "--dir", "birds", "--json"]);
    assert_eq!(Run::of(command.env("RAG_CHUNK_MAX_TOKENS", "50")).ok().json()["documents"], 4);
    assert_eq!(
        documents(&["--dir", "docs", "--exclude", "tides.*"]),
        8,
        "new patterns replace both"
    );
    assert_eq!(documents(&["--dir", "docs", "--include", "*"]), 9);
    // New patterns alone are a change.
    let run = ingest(&sandbox, &["--dir", "notes", "--include", "*.md"]);
    assert_eq!((&run["committed"], &run["documents"]), (&json!(true), &json!(9)));
    write_old(&sandbox, "notes/more.txt", "More.\n");
    assert_eq!(documents(&["--dir", "notes"]), 9);
}

#[test]
fn a_missing_folder_fails_the_ingest_and_removes_nothing() {
    let sandbox = sandbox();
    ingest(&sandbox, &["--dir", "birds", "--dir", "docs"]);
    std::fs::rename(sandbox.path().join("birds"), sandbox.path().join("herons")).unwrap();
    let check = |run: Run| {
        let run = run.exits(2).says("the folder birds no longer exists");
        run.says("rag index remove-folder birds");
        assert_eq!(paths(&search(&sandbox, "heron", &["--mode", "lexical"])).len(), 1);
    };
    check(sandbox.rag(["ingest", "--dir", "docs", "--dir", "birds"]));
    check(sandbox.rag(["ingest", "--only", "--yes", "--dir", "birds"]));
    // An index of another chunking cannot be reused, so the folder must be read.
    check(Run::of(sandbox.command(["ingest", "--dir", "docs"]).env("RAG_CHUNK_MAX_TOKENS", "50")));
    // Another folder at its path is not the folder.
    std::os::unix::fs::symlink("herons", sandbox.path().join("birds")).unwrap();
    check(Run::of(sandbox.command(["ingest", "--dir", "docs"]).env("RAG_CHUNK_MAX_TOKENS", "50")));
    sandbox.rag(["index", "remove-folder", "birds", "--yes"]).ok();
    assert_eq!(ingest(&sandbox, &["--dir", "herons"])["documents"], 8);
}

/// An unmounted mount point exists and is empty.
#[test]
fn a_folder_that_is_not_mounted_is_missing() {
    let sandbox = Sandbox::new();
    sandbox.write("drive/nothing", "");
    std::fs::remove_file(sandbox.path().join("drive/nothing")).unwrap();
    let script = "mount -t tmpfs none drive && echo The heron waits. > drive/a.md && $0 ingest \
         --dir drive --quiet";
    let mounted = sandbox.with_private_mounts(script);
    if mounted.code != Some(0) {
        eprintln!("skipped: nothing can be mounted here: {}", mounted.stderr);
        return;
    }
    sandbox
        .rag(["ingest", "--dir", "drive"])
        .exits(2)
        .says("the folder drive no longer exists")
        .says("restore or mount the folder");
    assert_eq!(paths(&search(&sandbox, "heron", &["--mode", "lexical"])), ["a.md"]);
    sandbox.rag(["index", "remove-folder", "drive"]).ok();
    assert_eq!(ingest(&sandbox, &["--dir", "drive"])["documents"], 0);
}

#[test]
fn overlapping_folders_are_refused() {
    let sandbox = Sandbox::new();
    write_old(&sandbox, "docs/a.md", "The first.\n");
    write_old(&sandbox, "docs/api/b.md", "The second.\n");
    write_old(&sandbox, "docs-old/c.md", "The third.\n");
    std::os::unix::fs::symlink("docs/api", sandbox.path().join("api")).unwrap();
    let all = ["ingest", "--dir", "docs", "--dir", "docs-old", "--dir"];
    sandbox.rag([&all[..], &["docs/api"]].concat()).exits(2).says("docs/api is inside docs");
    sandbox.rag([&all[..], &["docs-old/../api/"]].concat()).exits(2).says("is inside docs");
    assert!(!sandbox.data().exists());
    assert_eq!(
        ingest(&sandbox, &["--dir", "docs", "--dir", "docs-old", "--dir", "docs/."])["documents"],
        3
    );
    let refused = sandbox.rag(["ingest", "--dir", "api"]).exits(2);
    refused.says("api is inside docs").says("`rag ingest --dir docs` updates it");
    sandbox.rag(["ingest", "--dir", "."]).exits(2).says("docs is inside .").says("remove-folder");
    assert_eq!(ingest(&sandbox, &["--only", "--yes", "--dir", "docs/api"])["documents"], 1);
    sandbox
        .rag(["ingest", "--dir", "docs"])
        .exits(2)
        .says("docs/api is inside docs")
        .says("remove-folder docs/api");
    assert_eq!(folders(&sandbox), json!(["docs/api"]));
    assert_eq!(ingest(&sandbox, &["--only", "--dir", "docs"])["documents"], 2);
}

#[test]
fn two_folders_with_the_same_name_stay_separate() {
    let sandbox = sandbox();
    write_old(&sandbox, "other/docs/owl.md", "# Owls\n\nThe owl hunts at night.\n");
    ingest(&sandbox, &["--dir", "docs"]);
    let data = sandbox.data();
    let mut command = sandbox.command([
        "ingest",
        "--dir",
        "docs",
        "--json",
        "--data-dir",
        data.to_str().unwrap(),
    ]);
    command.current_dir(sandbox.path().join("other"));
    assert_eq!(Run::of(&mut command).ok().json()["documents"], 7);
    let full = sandbox.path().canonicalize().unwrap().join("other/docs");
    assert_eq!(folders(&sandbox), json!(["docs", full]));
}

/// Where only a part of `meta.json` can be read, the folders come from that part.
#[test]
fn a_damaged_index_forgets_no_folder() {
    let sandbox = sandbox();
    ingest(&sandbox, &["--dir", "birds", "--dir", "docs"]);
    sandbox.rag(["documents", "remove", "docs/tides.md"]).ok();
    let before = sandbox.rag(["index", "show", "--json"]).ok().json();
    let meta = sandbox.path().join(before["index_dir"].as_str().unwrap()).join("meta.json");
    let pointer = sandbox.data().join("indexes/names/default.json");
    for path in [&meta, &pointer] {
        let text = std::fs::read_to_string(path).unwrap();
        let name = if *path == meta { "\"tool\": \"" } else { "\"seal\": \"" };
        std::fs::write(path, text.replacen(name, &format!("{name}x"), 1)).unwrap();
        let run = sandbox.rag(["ingest", "--dir", "docs", "--json"]).ok().says("damaged");
        assert_eq!(
            (&run.json()["corpus_id"], &run.json()["documents"]),
            (&before["corpus_id"], &json!(7)),
            "{run}"
        );
    }
    // Removed documents are named even if the index cannot be opened.
    let current = sandbox.rag(["index", "show", "--json"]).ok().json();
    let current = sandbox.path().join(current["index_dir"].as_str().unwrap());
    let terms =
        files_below(&current).into_iter().find(|file| file.ends_with(".term")).expect("terms");
    std::fs::remove_file(current.join(terms)).unwrap();
    std::fs::remove_file(sandbox.path().join("docs/bread.txt")).unwrap();
    let run = sandbox.rag(["ingest", "--dir", "docs", "--json"]).ok().says("rebuilding it").json();
    assert_eq!(run["removed_documents"], json!(["docs/bread.txt"]));
    for file in files_below(&sandbox.data()).iter().filter(|file| file.ends_with("meta.json")) {
        std::fs::write(sandbox.data().join(file), "{").unwrap();
    }
    sandbox.rag(["ingest", "--dir", "docs"]).exits(5).says("rag ingest --only --dir FOLDER");
    assert_eq!(ingest(&sandbox, &["--only", "--dir", "docs"])["documents"], 5);
}

/// Runs a command at a terminal with typed input.
fn at_terminal(sandbox: &Sandbox, args: &str, typed: &str) -> Option<Run> {
    if !has_tool("script", &["--version"]) {
        return None;
    }
    // `$0` is the program; `script` gives it a terminal for all three streams.
    let script = format!("printf '{typed}' | NO_COLOR=1 script -qec \"$0 {args}\" /dev/null");
    Some(Run::of(&mut sandbox.under("sh", &["-c", &script], [""; 0])))
}

#[test]
fn removals_at_a_terminal_ask_for_confirmation() {
    let sandbox = sandbox();
    ingest(&sandbox, &["--dir", "birds", "--dir", "docs"]);
    let documents = || sandbox.rag(["index", "show", "--json"]).ok().json()["documents"].clone();
    let cases = [
        ("documents remove bees.md", "permanently remove docs/bees.md from the index? [y/N]"),
        (
            "documents remove 'docs/**'",
            "permanently remove 6 documents (docs/bees.md to docs/trains.html) from the index?",
        ),
        ("index remove-folder docs", "remove docs with 6 documents from the index `default`?"),
        ("ingest --only --dir docs", "remove birds (2 documents) from the index `default`?"),
        ("index remove", "remove the index `default` with 8 documents?"),
    ];
    for (command, question) in cases {
        for answer in ["n\\n", "\\n", "yo\\n"] {
            let Some(run) = at_terminal(&sandbox, command, answer) else { return };
            run.exits(1).prints(question).prints("nothing was removed");
            assert_eq!(documents(), 8, "{command}");
        }
    }
    let after = |command: &str, answer: &str| {
        at_terminal(&sandbox, command, answer).unwrap().ok();
        documents()
    };
    assert_eq!(after("ingest --only --dir docs", "y\\n"), 6);
    assert_eq!(after("documents remove bees.md", "Yes\\n"), 5);
    assert_eq!(after("documents remove --yes 'docs/deep/**'", ""), 4);
    at_terminal(&sandbox, "index remove", "y\\n").unwrap().ok();
    assert_eq!(sandbox.rag(["index", "list", "--json"]).ok().json(), json!([]));
}

#[test]
fn removals_without_a_terminal_need_yes() {
    let sandbox = sandbox();
    ingest(&sandbox, &["--dir", "birds", "--dir", "docs"]);
    for name in ["one", "two"] {
        sandbox.rag(["ask", "Why do bees dance?", "--session", name]).ok();
    }
    let commands: [&[&str]; 6] = [
        &["index", "remove"],
        &["index", "remove-folder", "birds"],
        &["documents", "remove", "docs/**"],
        &["documents", "remove", "bees.md", "tides.md"],
        &["sessions", "remove", "one", "two"],
        &["sessions", "remove", "--all"],
    ];
    for command in commands {
        let run = sandbox
            .rag(command)
            .exits(2)
            .says("this would")
            .says("nothing was removed")
            .says("pass `--yes`");
        assert_eq!(run.stdout, "", "{run}");
        let json = [command, &["--json"]].concat();
        assert_eq!(error_of(&sandbox.rag(&json).exits(2))["code"], 2);
    }
    assert_eq!(sandbox.rag(["index", "show", "--json"]).ok().json()["documents"], 8);
    assert_eq!(
        sandbox.rag(["sessions", "list", "--json"]).ok().json()["sessions"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    // A single named thing needs no confirmation.
    sandbox.rag(["documents", "remove", "heron.md"]).ok();
    sandbox.rag(["sessions", "remove", "one"]).ok();
    for command in commands.iter().rev() {
        let _ = sandbox.rag([command, &["--yes"][..]].concat());
    }
    assert!(!Path::new(&sandbox.data().join("indexes/names/default.json")).exists());
}
