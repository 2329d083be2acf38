//! `rag ingest`: its summary, the files it reads again, the files it skips, and the folders of an
//! index.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::fixtures::{TOPICS, error_of, files_below, paths, search, set_age, topics, write_old};
use crate::support::{Run, Sandbox};
use crate::sweep::{Random, TINY, use_tiny_model};
use crate::tools::engine_on;

#[test]
fn the_summary_has_the_documented_fields() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    let summary = sandbox.ingest();
    let kinds: BTreeMap<&str, fn(&Value) -> bool> = [
        ("job_id", Value::is_string as fn(&Value) -> bool),
        ("corpus_id", Value::is_string),
        ("index_dir", Value::is_string),
        ("documents", Value::is_u64),
        ("chunks", Value::is_u64),
        ("dimension", Value::is_u64),
        ("skipped", Value::is_u64),
        ("failed", Value::is_array),
        ("seconds", Value::is_f64),
    ]
    .into();
    for (field, is_right) in kinds {
        assert!(is_right(&summary[field]), "{field} in {summary}");
    }
    assert_eq!(summary["cache"], json!({ "hits": 0, "misses": 6, "hit_rate": 0.0, "damaged": 0 }));
    assert_eq!(
        (&summary["documents"], &summary["chunks"], &summary["dimension"]),
        (&json!(6), &json!(6), &json!(384))
    );
    let corpus_id = summary["corpus_id"].as_str().unwrap();
    assert!(
        corpus_id.len() == 16 && corpus_id.bytes().all(|b| b.is_ascii_hexdigit()),
        "{corpus_id}"
    );
    assert!(sandbox.path().join(index_dir(&summary)).join("meta.json").is_file());
}

#[test]
fn the_summary_is_on_stdout_and_progress_on_stderr() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    let run = sandbox
        .rag(["ingest", "--dir", "docs"])
        .ok()
        .prints("corpus id")
        .prints("documents")
        .says("vectors");
    assert!(!run.stdout.contains('%') || run.stdout.contains("hit rate"), "{run}");
    let quiet = sandbox.rag(["ingest", "--dir", "docs", "--quiet"]).ok().prints("unchanged");
    assert_eq!(quiet.stderr, "");
}

#[test]
fn folders_are_given_with_or_without_the_dir_flag() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    write_old(&sandbox, "notes/otter.md", "# Otters\n\nThe otter sleeps on its back.\n");
    let documents = |args: &[&str]| sandbox.rag(args).ok().json()["documents"].clone();
    assert_eq!(documents(&["ingest", "docs", "--json"]), 6);
    assert_eq!(documents(&["ingest", "--index", "two", "docs", "--json", "notes"]), 7);
    assert_eq!(documents(&["ingest", "--index", "both", "--dir", "docs", "notes", "--json"]), 7);
    sandbox.rag(["ingest", "-"]).exits(2).says("`./-`");
    write_old(&sandbox, "-/seal.md", "# Seals\n\nThe seal barks.\n");
    assert_eq!(documents(&["ingest", "--index", "dash", "./-", "--json"]), 1);
}

#[test]
fn an_ingest_without_a_folder_updates_the_folders_of_the_index() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    write_old(&sandbox, "notes/otter.md", "# Otters\n\nThe otter sleeps on its back.\n");
    let run = sandbox
        .rag(["ingest"])
        .exits(2)
        .says("the index `default` does not exist")
        .says("`rag ingest DIR`");
    assert!(!sandbox.data().exists(), "{run}");
    sandbox.rag(["ingest", "docs", "notes"]).ok();
    let unchanged = sandbox.rag(["ingest", "--json"]).ok().json();
    assert_eq!(
        (&unchanged["documents"], &unchanged["committed"]),
        (&json!(7), &json!(false)),
        "{unchanged}"
    );

    write_old(&sandbox, "notes/seal.md", "# Seals\n\nThe seal barks.\n");
    std::fs::remove_file(sandbox.path().join("docs/tides.md")).unwrap();
    // Also from another folder: the index knows its folders by their full paths.
    let elsewhere = sandbox.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let mut command = sandbox.command(["ingest", "--json", "--data-dir"]);
    let changed = Run::of(command.arg(sandbox.data()).current_dir(elsewhere)).ok().json();
    assert_eq!(
        (&changed["documents"], &changed["read"], &changed["removed"]),
        (&json!(7), &json!(1), &json!(1)),
        "{changed}"
    );
    sandbox.rag(["search", "--mode", "lexical", "seal"]).ok().prints("notes/seal.md");
    assert_eq!(
        sandbox.rag(["index", "show", "--json"]).ok().json()["roots"],
        json!(["docs", "notes"])
    );

    sandbox
        .rag(["ingest", "--include", "*.md"])
        .exits(2)
        .says("`--include` and `--exclude` require a folder");
    sandbox.rag(["ingest", "--only"]).exits(2).says("`--only` requires the folders");
    sandbox.rag(["ingest", "--index", "other"]).exits(2).says("the index `other` does not exist");
}

#[test]
fn an_unchanged_folder_commits_nothing() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    let first = sandbox.ingest();
    let second = sandbox.ingest();
    assert_eq!((&first["committed"], &second["committed"]), (&json!(true), &json!(false)));
    assert_eq!(second["index_dir"], first["index_dir"]);
    assert_eq!((&second["read"], &second["cache"]["misses"]), (&json!(0), &json!(0)));
    assert_eq!(generations(&sandbox).len(), 1);
}

#[test]
fn only_changed_files_are_read_and_embedded() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    let first = sandbox.ingest();
    write_old(
        &sandbox,
        "docs/bees.md",
        "# Wasps\n\nWasps chew wood into paper nests, and quarrel.\n",
    );
    write_old(
        &sandbox,
        "docs/new.md",
        "# Glaciers\n\nA glacier grinds its valley into a trough.\n",
    );
    std::fs::remove_file(sandbox.path().join("docs/tides.md")).unwrap();
    let second = sandbox.ingest();
    assert_eq!(second["committed"], true);
    assert_ne!(second["corpus_id"], first["corpus_id"]);
    assert_eq!((&second["read"], &second["removed"]), (&json!(2), &json!(1)), "{second}");
    assert_eq!((&second["documents"], &second["cache"]["misses"]), (&json!(6), &json!(2)));
    assert_eq!(paths(&search(&sandbox, "wasps quarrel", &["--mode", "lexical"])), ["bees.md"]);
    assert_eq!(paths(&search(&sandbox, "glacier", &["--mode", "lexical"])), ["new.md"]);
    for gone in ["honey", "moon"] {
        assert_eq!(paths(&search(&sandbox, gone, &["--mode", "lexical"])), [""; 0], "{gone}");
    }
    assert!(!paths(&search(&sandbox, "moon and tide", &["--mode", "dense"])).contains(&"tides.md"));
}

#[test]
fn a_touched_file_is_read_and_changes_nothing() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    let first = sandbox.ingest();
    set_age(&sandbox.path().join("docs/bees.md"), 77);
    let second = sandbox.ingest();
    assert_eq!((&second["read"], &second["corpus_id"]), (&json!(1), &first["corpus_id"]));
    assert_eq!(second["cache"], json!({ "hits": 0, "misses": 0, "hit_rate": 0.0, "damaged": 0 }));
    assert_eq!(sandbox.ingest()["read"], 0);
}

/// A file younger than the file system's clock resolution may change again within the same tick.
#[test]
fn a_change_of_a_fresh_file_is_seen_despite_equal_size_and_time() {
    let sandbox = Sandbox::new();
    let soon = std::time::SystemTime::now() + std::time::Duration::from_secs(3600);
    let write = |text: &str| {
        let path = sandbox.write("docs/a.md", text);
        let file = std::fs::File::options().append(true).open(path).unwrap();
        file.set_modified(soon).unwrap();
    };
    write("The cat sat.\n");
    sandbox.ingest();
    write("The dog sat.\n");
    assert_eq!(sandbox.ingest()["read"], 1);
    assert_eq!(paths(&search(&sandbox, "dog", &["--mode", "lexical"])), ["a.md"]);
}

/// Archives, reproducible builds and some copies give all files one time.
#[test]
fn changes_that_keep_size_and_time_are_seen() {
    let sandbox = Sandbox::new();
    let path = |name: &str| sandbox.path().join("docs").join(name);
    let write = |name: &str, text: &str| {
        sandbox.write(&format!("docs/{name}"), text);
        set_age(&path(name), 1000);
    };
    let found = |words: &str| paths(&search(&sandbox, words, &["--mode", "lexical"])).join(", ");
    write("a.md", "The puma sleeps.\n");
    write("b.md", "The lynx sleeps.\n");
    sandbox.ingest();
    assert_eq!(sandbox.ingest()["read"], 0);

    // Two files swap their names.
    std::fs::rename(path("a.md"), path("c.md")).unwrap();
    std::fs::rename(path("b.md"), path("a.md")).unwrap();
    std::fs::rename(path("c.md"), path("b.md")).unwrap();
    assert_eq!(sandbox.ingest()["read"], 2);
    assert_eq!((&*found("lynx"), &*found("puma")), ("a.md", "b.md"));

    // Another word of the same length, in place.
    let time = path("b.md").metadata().unwrap().modified().unwrap();
    std::fs::write(path("b.md"), "The wolf sleeps.\n").unwrap();
    std::fs::File::options().append(true).open(path("b.md")).unwrap().set_modified(time).unwrap();
    assert_eq!(sandbox.ingest()["read"], 1);
    assert_eq!(found("wolf"), "b.md");
    assert_eq!(sandbox.ingest()["read"], 0);
}

#[test]
fn hidden_and_ignored_files_are_not_indexed() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    for (path, text) in [
        ("docs/.hidden.md", "secret"),
        ("docs/.hidden/x.md", "secret"),
        ("docs/.gitignore", "*.log\nbuild/\n"),
        ("docs/noise.log", "noise"),
        ("docs/build/out.md", "noise"),
        ("docs/deep/.ragignore", "draft-*\n!../noise.log\n"),
        ("docs/deep/draft-1.md", "draft"),
    ] {
        write_old(&sandbox, path, text);
    }
    let summary = sandbox.ingest();
    assert_eq!((&summary["documents"], &summary["skipped"]), (&json!(6), &json!(0)), "{summary}");
    for word in ["secret", "noise", "draft"] {
        assert_eq!(paths(&search(&sandbox, word, &["--mode", "lexical"])), [""; 0], "{word}");
    }
}

#[test]
fn include_and_exclude_select_files() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    let documents = |more: &[&str]| {
        let args = [&["ingest", "--dir", "docs", "--json"], more].concat();
        sandbox.rag(args).ok().json()["documents"].as_u64().unwrap()
    };
    assert_eq!(documents(&["--include", "*.md"]), 2);
    assert_eq!(documents(&["--include", "*.md", "--include", "code/"]), 3);
    assert_eq!(documents(&["--exclude", "deep"]), 5);
    assert_eq!(documents(&["--include", "*.md", "--exclude", "bees.*"]), 1);
    assert_eq!(paths(&search(&sandbox, "moon bees magma", &["--mode", "lexical"])), ["tides.md"]);
    sandbox.rag(["ingest", "--dir", "docs", "--include", "a{b"]).exits(2).says("a{b");
}

#[test]
fn files_without_text_are_skipped_and_counted() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    write_old(&sandbox, "docs/program", b"\x7fELF\x02\x01\x01\0\0\0\0\0\xff\xfe\x00\x01");
    write_old(&sandbox, "docs/nothing.md", "");
    std::os::unix::fs::symlink("bees.md", sandbox.path().join("docs/link.md")).unwrap();
    let summary = sandbox.ingest();
    assert_eq!((&summary["documents"], &summary["skipped"]), (&json!(6), &json!(3)), "{summary}");
    assert_eq!(
        summary["skip_reasons"]
            .as_object()
            .unwrap()
            .values()
            .map(|n| n.as_u64().unwrap())
            .sum::<u64>(),
        3
    );
    assert_eq!(summary["skip_reasons"]["symbolic link"], 1);
    let again = sandbox.ingest();
    assert_eq!((&again["committed"], &again["skipped"]), (&json!(false), &json!(3)));
}

/// An ingest with a limit of 1000 bytes per file.
fn ingest_small(sandbox: &Sandbox) -> Run {
    let mut command = sandbox.command(["ingest", "--dir", "docs", "--json"]);
    Run::of(command.env("RAG_INGEST_MAX_FILE_BYTES", "1000"))
}

#[test]
fn a_file_over_the_size_limit_is_named_and_the_rest_is_indexed() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    write_old(&sandbox, "docs/large.md", "large words ".repeat(100));
    let run = ingest_small(&sandbox).exits(4);
    let failed = &run.json()["failed"];
    assert_eq!(
        (failed.as_array().unwrap().len(), &failed[0]["path"]),
        (1, &json!("docs/large.md")),
        "{failed}"
    );
    assert!(
        failed[0]["reason"].as_str().unwrap().contains("ingest.max_file_bytes = 1000"),
        "{failed}"
    );
    assert_eq!(run.json()["documents"], 6);
    // It is tried again each time, and indexed once the limit allows it.
    assert_eq!(ingest_small(&sandbox).exits(4).json()["failed"][0]["path"], "docs/large.md");
    assert_eq!(sandbox.ingest()["documents"], 7);
    assert_eq!(paths(&search(&sandbox, "large", &["--mode", "lexical"])), ["large.md"]);
}

#[test]
fn an_unreadable_file_keeps_its_last_version() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    ingest_small(&sandbox).ok();
    write_old(&sandbox, "docs/bees.md", "hornets ".repeat(200));
    let run = ingest_small(&sandbox).exits(4);
    assert!(run.stdout.contains("the index keeps its last version"), "{run}");
    assert_eq!(run.json()["documents"], 6);
    assert_eq!(paths(&search(&sandbox, "honey dance", &["--mode", "lexical"])), ["bees.md"]);
    assert_eq!(sandbox.ingest()["read"], 1);
    assert_eq!(paths(&search(&sandbox, "honey dance", &["--mode", "lexical"])), [""; 0]);
    assert_eq!(paths(&search(&sandbox, "hornets", &["--mode", "lexical"])), ["bees.md"]);
}

#[test]
fn an_unlistable_folder_keeps_its_documents() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    sandbox.ingest();
    let deep = sandbox.path().join("docs/deep");
    let mode = |mode| {
        std::fs::set_permissions(&deep, std::os::unix::fs::PermissionsExt::from_mode(mode))
            .unwrap();
    };
    mode(0o000);
    let readable = std::fs::read_dir(&deep).is_ok();
    let run = sandbox.rag(["ingest", "--dir", "docs", "--json"]);
    mode(0o755);
    if readable {
        eprintln!("skipped: this user may read every folder");
        return;
    }
    assert_eq!(run.exits(4).json()["documents"], 6);
    assert_eq!(paths(&search(&sandbox, "magma", &["--mode", "lexical"])), ["volcano.rst"]);
}

#[test]
fn equal_chunks_are_embedded_once() {
    let sandbox = Sandbox::new();
    for n in 0..12 {
        write_old(&sandbox, &format!("docs/{n}.md"), TOPICS[0].1);
    }
    let summary = sandbox.ingest();
    assert_eq!(
        (&summary["chunks"], &summary["cache"]["misses"]),
        (&json!(12), &json!(1)),
        "{summary}"
    );
    let show = sandbox.rag(["index", "show", "--json"]).ok().json();
    assert_eq!((&show["chunks"], &show["vectors"]), (&json!(12), &json!(1)));
}

#[test]
fn no_cache_neither_reads_nor_writes_the_cache() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    let rows = || {
        sandbox.rag(["cache", "stats", "--json"]).ok().json()["tables"]["embeddings"]["count"]
            .clone()
    };
    sandbox.rag(["ingest", "--dir", "docs", "--no-cache", "--json"]).ok();
    assert_eq!(rows(), 0);
    let ingest = |index: &str, more: &[&str]| {
        let args = [&["ingest", "--dir", "docs", "--json", "--index", index], more].concat();
        sandbox.rag(args).ok().json()["cache"].clone()
    };
    ingest("second", &[]);
    assert_eq!(rows(), 6);
    assert_eq!(ingest("third", &["--no-cache"])["hits"], 0);
    assert_eq!(ingest("fourth", &[])["hits"], 6);
    assert_eq!(rows(), 6);
}

#[test]
fn a_second_data_directory_with_the_same_cache_embeds_nothing() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    let ingest = |data: &str| {
        let mut command =
            sandbox.command(["ingest", "--dir", "docs", "--json", "--data-dir", data]);
        Run::of(command.env("RAG_CACHE_DIR", sandbox.path().join("shared"))).ok().json()
    };
    let (first, second) = (ingest("one"), ingest("two"));
    assert_eq!(second["cache"], json!({ "hits": 6, "misses": 0, "hit_rate": 1.0, "damaged": 0 }));
    assert_eq!(second["corpus_id"], first["corpus_id"]);
}

#[test]
fn named_indexes_do_not_mix() {
    let sandbox = Sandbox::new();
    write_old(&sandbox, "birds/a.md", "The heron waits.\n");
    write_old(&sandbox, "fish/a.md", "The salmon leaps.\n");
    for name in ["birds", "fish"] {
        sandbox.rag(["ingest", "--dir", name, "--index", name]).ok();
    }
    let found = |index: &str, query: &str| {
        paths(&search(&sandbox, query, &["--index", index, "--mode", "lexical"])).len()
    };
    assert_eq!([found("birds", "heron"), found("birds", "salmon")], [1, 0]);
    assert_eq!([found("fish", "heron"), found("fish", "salmon")], [0, 1]);
}

#[test]
fn several_folders_make_one_index() {
    let sandbox = Sandbox::new();
    write_old(&sandbox, "birds/a.md", "The heron waits.\n");
    write_old(&sandbox, "fish/a.md", "The salmon leaps.\n");
    // A folder named twice, even by two names, counts once.
    let args = ["ingest", "--dir", "fish", "--dir", "birds", "--dir", "./birds/", "--json"];
    assert_eq!(sandbox.rag(args).ok().json()["documents"], 2);
    let hits = search(&sandbox, "heron salmon", &["--mode", "lexical"]);
    let mut roots: Vec<&str> =
        hits["hits"].as_array().unwrap().iter().map(|h| h["root"].as_str().unwrap()).collect();
    roots.sort_unstable();
    assert_eq!(roots, ["birds", "fish"]);
    let again = sandbox.rag(["ingest", "--dir", "birds", "--dir", "fish", "--json"]).ok().json();
    assert_eq!(again["committed"], false);
}

#[test]
fn unsuitable_folders_are_refused_before_any_write() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    sandbox
        .rag(["ingest", "--dir", "docs", "--dir", "docs/deep"])
        .exits(2)
        .says("docs/deep is inside docs");
    sandbox.rag(["ingest", "--dir", "nowhere"]).exits(2).says("there is no folder nowhere");
    sandbox.rag(["ingest", "--dir", "docs/bees.md"]).exits(2).says("docs/bees.md is not a folder");
    let run = sandbox.rag(["ingest", "--dir", "nowhere", "--json"]).exits(2);
    assert_eq!(error_of(&run)["code"], 2);
    assert!(!sandbox.data().exists());
}

#[test]
fn changed_chunking_rebuilds_the_index() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    let first = sandbox.ingest();
    let small = || {
        let mut command = sandbox.command(["ingest", "--dir", "docs", "--json"]);
        Run::of(command.env("RAG_CHUNK_MAX_TOKENS", "16").env("RAG_CHUNK_OVERLAP_TOKENS", "0")).ok()
    };
    let second = small().says("chunking changed");
    let second = second.json();
    assert_ne!(second["corpus_id"], first["corpus_id"]);
    assert!(second["chunks"].as_u64() > first["chunks"].as_u64(), "{second}");
    assert_eq!(second["read"], 6);
    assert_eq!(small().json()["committed"], false);
}

#[test]
fn a_corpus_id_can_be_set() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    let run = Run::of(
        sandbox.command(["ingest", "--dir", "docs", "--json"]).env("CORPUS_ID", "release-7"),
    )
    .ok();
    assert_eq!(
        (&run.json()["corpus_id"], &run.json()["index_dir"]),
        (&json!("release-7"), &json!("data/indexes/release-7"))
    );
    assert_eq!(search(&sandbox, "bees", &[])["corpus_id"], "release-7");
    for bad in ["../up", ".hidden", "a b"] {
        Run::of(sandbox.command(["ingest", "--dir", "docs"]).env("CORPUS_ID", bad))
            .exits(2)
            .says("CORPUS_ID");
    }
}

#[test]
fn the_corpus_id_depends_on_content_and_not_on_location_or_time() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    for (path, text) in TOPICS {
        set_age(&sandbox.write(&format!("elsewhere/copy/{path}"), text), 9);
    }
    let ingest = |dir: &str, data: &str| {
        sandbox.rag(["ingest", "--dir", dir, "--data-dir", data, "--json"]).ok().json()["corpus_id"]
            .clone()
    };
    let id = ingest("docs", "one");
    assert_eq!(ingest("elsewhere/copy", "two"), id);
    std::fs::rename(sandbox.path().join("docs/bees.md"), sandbox.path().join("docs/renamed.md"))
        .unwrap();
    assert_ne!(ingest("docs", "three"), id);
}

#[test]
fn unchanged_files_of_a_generation_are_hard_links() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    let first = sandbox.path().join(index_dir(&sandbox.ingest()));
    write_old(
        &sandbox,
        "docs/new.md",
        "# Glaciers\n\nA glacier grinds its valley into a trough.\n",
    );
    let second = sandbox.path().join(index_dir(&sandbox.ingest()));
    let inode = |path: PathBuf| std::fs::metadata(path).unwrap().ino();
    let (before, after) = (files_below(&first), files_below(&second));
    let shared: Vec<&String> = before
        .iter()
        .filter(|file| after.contains(file) && inode(first.join(file)) == inode(second.join(file)))
        .collect();
    // The first generation's only segment has a few files; its vectors are one file, with their
    // codes and keys.
    for ending in [".npy", ".codes", ".keys"] {
        assert!(shared.iter().any(|file| file.ends_with(ending)), "{shared:?}");
    }
    assert!(
        shared.iter().filter(|file| file.starts_with("bm25/")).count() >= 4,
        "{shared:?} of {before:?}"
    );
    assert!(!shared.iter().any(|file| file.as_str() == "meta.json"), "{shared:?}");
}

#[test]
fn only_the_previous_generation_is_kept() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    let dirs: Vec<PathBuf> = (0..3)
        .map(|n| {
            write_old(&sandbox, "docs/n.md", "number ".repeat(n + 1));
            sandbox.path().join(index_dir(&sandbox.ingest()))
        })
        .collect();
    assert_eq!(dirs.iter().map(|dir| dir.exists()).collect::<Vec<_>>(), [false, true, true]);
    assert_eq!(generations(&sandbox).len(), 2);
}

#[test]
fn another_folder_replaces_the_first_only_with_the_only_flag() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    sandbox.ingest();
    write_old(&sandbox, "other/a.md", "The heron waits.\n");
    let run = sandbox.rag(["ingest", "--dir", "other", "--json"]).ok();
    assert_eq!((&run.json()["documents"], &run.json()["removed"]), (&json!(7), &json!(0)));
    assert_eq!(paths(&search(&sandbox, "bees", &["--mode", "lexical"])), ["bees.md"]);
    let run = sandbox.rag(["ingest", "--only", "--yes", "--dir", "other", "--json"]).ok();
    assert_eq!((&run.json()["documents"], &run.json()["removed"]), (&json!(1), &json!(6)));
    assert_eq!(paths(&search(&sandbox, "bees", &["--mode", "lexical"])), [""; 0]);
}

#[test]
fn an_emptied_folder_makes_an_empty_index() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    sandbox.ingest();
    std::fs::remove_dir_all(sandbox.path().join("docs")).unwrap();
    std::fs::create_dir(sandbox.path().join("docs")).unwrap();
    let summary = sandbox.ingest();
    assert_eq!(
        (&summary["documents"], &summary["chunks"], &summary["removed"]),
        (&json!(0), &json!(0), &json!(6))
    );
    for mode in ["hybrid", "lexical", "dense"] {
        sandbox.rag(["search", "bees", "--mode", mode]).exits(3);
    }
    sandbox.rag(["ask", "What do bees do?"]).exits(3);
    sandbox.rag(["index", "verify"]).ok();
}

#[test]
fn the_data_directory_is_not_ingested_into_itself() {
    let sandbox = Sandbox::new();
    write_old(&sandbox, "a.md", "The heron waits.\n");
    write_old(&sandbox, "data/corpus/b.md", "The salmon leaps.\n");
    let ingest = || {
        sandbox
            .rag(["ingest", "--dir", ".", "--exclude", "home", "--exclude", "share", "--json"])
            .ok()
            .json()
    };
    assert_eq!(ingest()["documents"], 2);
    assert_eq!((&ingest()["documents"], &ingest()["committed"]), (&json!(2), &json!(false)));
}

/// Words that make documents similar enough for ties, and long enough for several chunks.
const WORDS: [&str; 12] = [
    "river", "stone", "bridge", "winter", "harbour", "copper", "engine", "letter", "garden",
    "signal", "mirror", "salt",
];

fn text(random: &mut Random) -> String {
    let mut text = format!("# {} {}\n\n", WORDS[random.below(12)], WORDS[random.below(12)]);
    for _ in 0..=random.below(3) {
        let words: Vec<&str> = (0..8 + random.below(60)).map(|_| WORDS[random.below(12)]).collect();
        text.push_str(&format!("The {}.\n\n", words.join(" ")));
    }
    text
}

/// Changes, adds, removes or renames one file of `docs/`.
fn edit(sandbox: &Sandbox, random: &mut Random) {
    let docs = sandbox.path().join("docs");
    let files = if docs.is_dir() { files_below(&docs) } else { Vec::new() };
    let any = |random: &mut Random| files[random.below(files.len())].clone();
    match random.below(5) {
        0 | 1 if !files.is_empty() => {
            write_old(sandbox, &format!("docs/{}", any(random)), text(random));
        }
        2 if files.len() > 3 => std::fs::remove_file(docs.join(any(random))).unwrap(),
        3 if !files.is_empty() => {
            let target = format!("{}.md", WORDS[random.below(12)]);
            std::fs::rename(docs.join(any(random)), docs.join(target)).unwrap();
        }
        _ => write_old(
            sandbox,
            &format!("docs/{}{}.md", WORDS[random.below(12)], random.below(9)),
            text(random),
        ),
    }
}

#[test]
fn an_updated_index_equals_a_fresh_one() {
    let sandbox = Sandbox::new();
    let seed = 0x2545_f491_4f6c_dd1d;
    let mut random = Random::seeded(seed);
    let ingest = |data: &str| {
        let args = ["ingest", "--dir", "docs", "--json", "--data-dir", data];
        let mut command = sandbox.command(args);
        command.env("RAG_CACHE_DIR", sandbox.path().join("cache"));
        Run::of(command.env("RAG_CHUNK_MAX_TOKENS", "48")).ok().json()
    };
    let hits = |data: &str, query: &str| {
        let args = ["search", query, "--json", "--explain", "-k", "50", "--data-dir", data];
        let mut command = sandbox.command(args);
        let run = Run::of(command.env("RAG_CACHE_DIR", sandbox.path().join("cache")));
        (run.code, run.json()["hits"].clone())
    };
    for _ in 0..12 {
        edit(&sandbox, &mut random);
    }
    for round in 0..9 {
        for _ in 0..=random.below(3) {
            edit(&sandbox, &mut random);
        }
        let updated = ingest("updated");
        if round % 3 != 2 {
            continue;
        }
        let data = format!("fresh-{round}");
        let fresh = ingest(&data);
        for field in ["corpus_id", "documents", "chunks"] {
            assert_eq!(
                updated[field], fresh[field],
                "{field} after round {round} of seed {seed:#x}"
            );
        }
        for query in ["copper bridge in winter", "letter", "\"salt mirror\""] {
            assert_eq!(
                hits("updated", query),
                hits(&data, query),
                "{query} after round {round} of seed {seed:#x}"
            );
        }
    }
    sandbox.rag(["index", "verify", "--data-dir", "updated"]).ok();
}

fn index_dir(summary: &Value) -> &Path {
    Path::new(summary["index_dir"].as_str().expect("an index_dir"))
}

/// Folders of generations, whole or not.
fn generations(sandbox: &Sandbox) -> Vec<String> {
    let entries = std::fs::read_dir(sandbox.data().join("indexes")).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    names.filter(|name| name != "names" && name != ".lock").collect()
}

/// A file that failed is not read again while it is unchanged.
#[test]
fn a_failed_file_is_read_again_only_after_a_change() {
    let sandbox = Sandbox::new();
    use_tiny_model(&sandbox);
    let notebook = |text: &str| {
        let cells = json!([{ "cell_type": "markdown", "source": text }]);
        json!({ "cells": cells, "nbformat": 4, "metadata": {} })
    };
    let broken = "{\"cells\": [";
    write_old(&sandbox, "docs/good.md", "# Good\n\nThe boat is blue.\n");
    write_old(&sandbox, "docs/bad.pdf", "%PDF-1.7\nno pages at all\n");
    write_old(&sandbox, "docs/notes.ipynb", notebook("The ferry is red.").to_string());
    let engine = engine_on(&sandbox, "data", TINY);
    let ingest = |retry_failed: bool| {
        let dirs = vec![sandbox.path().join("docs")];
        let request = rag::ingest::Request { dirs, retry_failed, ..Default::default() };
        rag::ingest::run(&engine, &request, &mut |_| {}).expect("an ingest")
    };
    let failed = |report: &rag::ingest::Report| {
        report
            .failed
            .iter()
            .map(|(path, _)| path.rsplit('/').next().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    let first = ingest(false);
    assert_eq!((first.read, failed(&first)), (3, vec!["bad.pdf".to_owned()]), "{first:?}");

    // Nothing has changed: nothing is read, and the failure is still reported.
    let again = ingest(false);
    assert_eq!(
        (again.read, again.committed, failed(&again)),
        (0, false, failed(&first)),
        "{again:?}"
    );
    assert_eq!(again.failed, first.failed);
    assert_eq!(ingest(true).read, 1, "a failed file is read again on request");
    assert_eq!(ingest(false).read, 0);

    // The same for a file with an earlier version in the index.
    sandbox.write("docs/notes.ipynb", broken);
    set_age(&sandbox.path().join("docs/notes.ipynb"), 2_000);
    let worse = ingest(false);
    assert_eq!(
        (worse.read, worse.documents, failed(&worse)),
        (1, 2, vec!["bad.pdf".to_owned(), "notes.ipynb".to_owned()])
    );
    let again = ingest(false);
    assert_eq!((again.read, again.documents, &again.failed), (0, 2, &worse.failed), "{again:?}");

    // A changed file is read.
    sandbox.write("docs/notes.ipynb", notebook("The ferry is red.").to_string());
    set_age(&sandbox.path().join("docs/notes.ipynb"), 3_000);
    write_old(&sandbox, "docs/bad.pdf", "%PDF-1.7\nno pages at all, again\n");
    let repaired = ingest(false);
    assert_eq!((repaired.read, failed(&repaired)), (2, vec!["bad.pdf".to_owned()]), "{repaired:?}");
    assert_eq!((ingest(false).read, ingest(false).failed.len()), (0, 1));
}
