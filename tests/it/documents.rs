//! `rag documents`, `rag index compact` and `rag index rollback`.

use serde_json::{Value, json};

use crate::fixtures::{TOPICS, files_below, paths, search, set_age, topics, write_old};
use crate::support::{Run, Sandbox};
use crate::sweep::{can_trace, inject, traced};
use crate::tools::{copy_tree, generations, leftovers};

/// Occurs in one document only, and in no question or name.
const CANARY: &str = "xylocarpous";
const SECRET: &str = "docs/private/secret.md";
const QUESTION: &str = "Which code word opens the vault?";

fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    let text = format!(
        "# Vault\n\nThe code word that opens the vault is {CANARY}.\n\nNobody else knows it.\n"
    );
    write_old(&sandbox, SECRET, text);
    sandbox.ingest();
    sandbox
}

/// Files below the data directory that contain the canary, the write-ahead log of a database
/// included.
fn with_canary(sandbox: &Sandbox) -> Vec<String> {
    let data = sandbox.data();
    let mut files = files_below(&data);
    files.retain(|file| {
        let bytes = std::fs::read(data.join(file)).unwrap();
        bytes.windows(CANARY.len()).any(|window| window.eq_ignore_ascii_case(CANARY.as_bytes()))
    });
    files
}

fn list(sandbox: &Sandbox, more: &[&str]) -> Value {
    let run = sandbox.rag([&["documents", "list", "--json"], more].concat());
    assert!(matches!(run.code, Some(0 | 3)), "{run}");
    run.json()
}

fn listed(sandbox: &Sandbox, more: &[&str]) -> Vec<String> {
    let list = list(sandbox, more);
    list.as_array().unwrap().iter().map(|d| d["path"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn documents_are_listed_and_shown() {
    let sandbox = sandbox();
    sandbox.write("docs/empty.txt", "");
    sandbox.ingest();
    let all = list(&sandbox, &[]);
    assert_eq!(all.as_array().unwrap().len(), TOPICS.len() + 1);
    let bees = &all[0];
    assert_eq!(
        (
            &bees["path"],
            &bees["type"],
            &bees["language"],
            &bees["chunks"],
            &bees["size"],
            &bees["modified"]
        ),
        (
            &json!("bees.md"),
            &json!("markdown"),
            &json!("en"),
            &json!(1),
            &json!(TOPICS[0].1.len()),
            &json!(1_600_001_000)
        )
    );
    assert_eq!(listed(&sandbox, &["--filter", "type:html"]), ["trains.html"]);
    assert_eq!(listed(&sandbox, &["--skipped"]), ["empty.txt"]);
    assert_eq!(listed(&sandbox, &["--failed"]), [""; 0]);
    sandbox
        .rag(["documents", "list", "--filter", "lang:xx"])
        .exits(3)
        .says("no document matches the filter");
    sandbox
        .rag(["documents", "list"])
        .ok()
        .prints("PATH")
        .prints("docs/bees.md")
        .prints("2020-09-13 12:43:20");
    sandbox.rag(["documents", "list", "--skipped"]).ok().prints("docs/empty.txt");
    check_show(&sandbox);
}

fn check_show(sandbox: &Sandbox) {
    for path in ["bees.md", "docs/bees.md", "./docs/bees.md"] {
        let shown = sandbox.rag(["documents", "show", path, "--json"]).ok().json();
        assert_eq!(
            (&shown["title"], &shown["state"]),
            (&json!("Bees"), &json!("indexed")),
            "{path}"
        );
        let text = shown["passages"][0]["text"].as_str().unwrap();
        assert!(text.contains("Honey bees dance") && text.contains("wax"), "{shown}");
    }
    sandbox
        .rag(["documents", "show", "bees.md"])
        .ok()
        .prints("markdown")
        .prints("Honey bees dance");
    sandbox
        .rag(["documents", "show", "*.md"])
        .exits(2)
        .says("docs/bees.md or docs/")
        .says("give it with its folder");
    sandbox
        .rag(["documents", "show", "*.pdf"])
        .exits(2)
        .says("matches no document")
        .says("rag documents list");
}

#[test]
fn a_removed_document_stays_out_until_it_is_restored() {
    let sandbox = sandbox();
    let before = sandbox.ingest();
    let removed = sandbox
        .rag(["documents", "remove", "--yes", "docs/private/", "tides.md", "--json"])
        .ok()
        .json();
    assert_eq!(removed["removed"], json!(["docs/private/secret.md", "docs/tides.md"]));
    assert_eq!((&removed["documents"], &removed["chunks"]), (&json!(5), &json!(5)));
    assert_ne!(removed["corpus_id"], before["corpus_id"]);
    for mode in ["lexical", "dense", "hybrid"] {
        let found = search(&sandbox, QUESTION, &["-k", "50", "--mode", mode]);
        assert!(
            paths(&found).iter().all(|path| !path.contains("secret") && *path != "tides.md"),
            "{found}"
        );
    }
    sandbox.rag(["index", "verify"]).ok();
    sandbox.rag(["documents", "show", "tides.md"]).exits(2);

    // The next ingest, a change of the file and a rebuilt index do not restore it.
    let again = sandbox.ingest();
    assert_eq!((&again["committed"], &again["corpus_id"]), (&json!(false), &removed["corpus_id"]));
    assert_eq!(again["skip_reasons"]["removed by `rag documents remove`"], 2);
    write_old(&sandbox, "docs/tides.md", "The tide is another one now.\n");
    set_age(&sandbox.path().join("docs/tides.md"), 9_000);
    assert_eq!(sandbox.ingest()["documents"], 5);
    let mut rebuilt = sandbox.command(["ingest", "--dir", "docs", "--json"]);
    let rebuilt = Run::of(rebuilt.env("RAG_CHUNK_MAX_TOKENS", "100")).ok().json();
    assert_eq!((&rebuilt["documents"], &rebuilt["committed"]), (&json!(5), &json!(true)));

    sandbox
        .rag(["documents", "list", "--removed"])
        .ok()
        .prints("docs/private/secret.md\ndocs/tides.md\n");
    sandbox.rag(["documents", "restore", "bees.md"]).exits(2).says("no removed document");
    let restored = sandbox.rag(["documents", "restore", "docs/tides.md", "--json"]).ok().json();
    assert_eq!(restored["restored"], json!(["docs/tides.md"]));
    assert_eq!(sandbox.ingest()["documents"], 6);
    assert_eq!(listed(&sandbox, &["--filter", "path:tides.md"]), ["tides.md"]);
    sandbox.rag(["index", "verify"]).ok();
}

#[test]
fn a_pattern_without_a_match_removes_nothing() {
    let sandbox = sandbox();
    let before = sandbox.ingest();
    sandbox
        .rag(["documents", "remove", "bees.md", "nowhere/**"])
        .exits(2)
        .says("`nowhere/**` matches no document");
    sandbox.rag(["documents", "remove", "a["]).exits(2).says("not a valid pattern for paths");
    sandbox.rag(["documents", "remove"]).exits(2);
    sandbox.rag(["documents", "list", "--removed"]).exits(3).says("no removed documents");
    let after = sandbox.ingest();
    assert_eq!((&after["committed"], &after["corpus_id"]), (&json!(false), &before["corpus_id"]));
    // All documents may be removed; the index stays.
    assert_eq!(
        sandbox.rag(["documents", "remove", "*", "--yes", "--json"]).ok().json()["documents"],
        0
    );
    sandbox.rag(["search", "bees"]).exits(3).says("the index `default` is empty");
    sandbox.rag(["index", "compact"]).ok();
    sandbox.rag(["search", "bees"]).exits(3).says("the index `default` is empty");
    sandbox
        .rag(["search", "bees", "--filter", "path:*.md"])
        .exits(3)
        .says("the index `default` is empty");
    sandbox
        .rag(["ask", QUESTION])
        .exits(3)
        .prints("The index `default` is empty.")
        .says("rag ingest");
    assert_eq!(sandbox.rag(["ask", QUESTION, "--json"]).exits(3).json()["index_empty"], true);
    sandbox.rag(["index", "verify"]).ok();
}

/// Removed from the index, the caches and the sessions at once, and after compaction from every
/// byte below the data directory.
#[test]
fn a_removed_document_is_erased_everywhere() {
    let sandbox = sandbox();
    let answered = sandbox.rag(["ask", QUESTION, "--session", "vault", "--json"]).ok().json();
    assert!(answered["answer"].as_str().unwrap().contains(CANARY), "{answered}");
    sandbox.rag(["ask", "What do bees do?", "--session", "bees"]).ok();
    search(&sandbox, QUESTION, &[]);
    let before = with_canary(&sandbox);
    assert!(
        ["cache/", "sessions/", "/bm25/"]
            .iter()
            .all(|part| before.iter().any(|f| f.contains(part))),
        "{before:?}"
    );

    let removed = sandbox.rag(["documents", "remove", "secret.md", "--json"]).ok().json();
    assert_eq!(removed["withdrawn_answers"], 1);
    let after = with_canary(&sandbox);
    assert!(after.iter().all(|file| file.contains("/bm25/")), "{after:?}");
    assert_eq!(generations(&sandbox.data()).len(), 1);
    let shown = sandbox.rag(["sessions", "show", "vault", "--json"]).ok().json();
    assert_eq!(
        (&shown["turns"][0]["question"], &shown["turns"][0]["answer"]),
        (&json!(QUESTION), &json!(""))
    );
    let cited = shown["turns"][0]["citations"].as_array().unwrap();
    assert!(cited.iter().all(|cited| cited["path"] != "private/secret.md"), "{shown}");
    let other = sandbox.rag(["sessions", "show", "bees", "--json"]).ok().json();
    assert!(!other["turns"][0]["answer"].as_str().unwrap().is_empty());
    sandbox.rag(["index", "rollback"]).exits(1).says("has no previous generation");
    let run = sandbox.rag(["ask", QUESTION, "--json"]);
    assert!(!run.stdout.contains(CANARY), "{run}");

    let question = ["--explain", "-k", "50"];
    let hits = search(&sandbox, "bees and bread", &question)["hits"].clone();
    let compacted = sandbox.rag(["index", "compact", "--json"]).ok().json();
    assert_eq!(compacted["rewritten"], true);
    assert!(compacted["bytes_after"].as_u64() < compacted["bytes_before"].as_u64(), "{compacted}");
    assert_eq!(with_canary(&sandbox), [""; 0]);
    assert_eq!(generations(&sandbox.data()).len(), 1);
    sandbox.rag(["index", "verify"]).ok();
    // The rest is unchanged, to the last bit of a score, and the next ingest continues from it.
    assert_eq!(
        search(&sandbox, "bees and bread", &[&question[..], &["--no-cache"]].concat())["hits"],
        hits
    );
    assert_eq!(sandbox.ingest()["committed"], false);
    let show = sandbox.rag(["index", "show", "--json"]).ok().json();
    assert_eq!((&show["chunks"], &show["vectors"]), (&json!(6), &json!(6)));
    assert_eq!(sandbox.rag(["index", "compact", "--json"]).ok().json()["rewritten"], false);
    assert_eq!(with_canary(&sandbox), [""; 0]);
}

#[test]
fn rollback_toggles_between_two_generations() {
    let sandbox = sandbox();
    sandbox.rag(["index", "rollback"]).exits(1).says("has no previous generation").says("hint");
    sandbox.rag(["index", "rollback", "--index", "none"]).exits(1).says("no index named `none`");
    let first = sandbox.ingest()["corpus_id"].clone();
    write_old(&sandbox, "docs/heron.md", "The heron waits in the reeds.\n");
    let second = sandbox.ingest()["corpus_id"].clone();
    for (expected, n) in [(&first, 0), (&second, 1), (&first, 0)] {
        let back = sandbox.rag(["index", "rollback", "--json"]).ok().json();
        assert_eq!(&back["corpus_id"], expected);
        assert_eq!(paths(&search(&sandbox, "heron", &["--mode", "lexical"])).len(), n);
        sandbox.rag(["index", "verify"]).ok();
    }
    // The next ingest works as before.
    assert_eq!(sandbox.ingest()["corpus_id"], second);
    assert_eq!(sandbox.rag(["index", "rollback", "--json"]).ok().json()["corpus_id"], first);

    // A damaged generation is not rolled back to.
    sandbox.rag(["index", "rollback"]).ok();
    let names = generations(&sandbox.data());
    let current = sandbox.rag(["index", "show", "--json"]).ok().json()["index_dir"].clone();
    let other =
        names.iter().find(|name| !current.as_str().unwrap().ends_with(name.as_str())).unwrap();
    let table = sandbox.data().join("indexes").join(other).join("documents.jsonl");
    let mut bytes = std::fs::read(&table).unwrap();
    bytes[20] ^= 1;
    std::fs::write(&table, bytes).unwrap();
    sandbox.rag(["index", "rollback"]).exits(5).says("documents.jsonl");
    assert_eq!(sandbox.rag(["index", "show", "--json"]).ok().json()["corpus_id"], second);
}

#[test]
fn commands_that_write_are_refused_beside_a_writer() {
    let sandbox = sandbox();
    let engine = crate::tools::engine(&sandbox);
    let _lock = engine.store.lock(std::time::Duration::ZERO, &|| false).unwrap();
    for command in [
        &["documents", "remove", "bees.md"][..],
        &["documents", "restore", "bees.md"],
        &["index", "compact"],
        &["index", "rollback"],
    ] {
        sandbox.rag(command).exits(6);
    }
}

/// SIGKILL at every rename and every removal of the three commands: one whole generation is there,
/// and the same command succeeds when run again.
#[test]
fn a_kill_at_the_commit_leaves_one_whole_generation() {
    if !can_trace() {
        return;
    }
    let sandbox = sandbox();
    write_old(&sandbox, "docs/heron.md", "The heron waits in the reeds.\n");
    sandbox.ingest();
    sandbox.rag(["ask", QUESTION, "--session", "vault"]).ok();
    copy_tree(&sandbox.data(), &sandbox.path().join("full"));
    sandbox.rag(["documents", "remove", "secret.md"]).ok();
    copy_tree(&sandbox.data(), &sandbox.path().join("removed"));
    let killed_at = |from: &str, args: &[&str], call: &str, n: usize| {
        let _ = std::fs::remove_dir_all(sandbox.data());
        copy_tree(&sandbox.path().join(from), &sandbox.data());
        traced(&sandbox, &inject(call, "signal=SIGKILL", n).each_ref().map(String::as_str), args)
    };
    let mut n_killed = 0;
    for (from, args) in [
        ("full", &["documents", "remove", "secret.md"][..]),
        ("full", &["index", "rollback"]),
        ("removed", &["index", "compact"]),
    ] {
        for call in ["rename", "unlink"] {
            for n in 1.. {
                let run = killed_at(from, args, call, n);
                if run.code == Some(0) {
                    break;
                }
                n_killed += 1;
                let what = format!("{args:?} killed at {call} {n}");
                assert!(matches!(run.code, None | Some(137)), "{what}\n{run}");
                sandbox.rag(["index", "verify"]).ok();
                assert_eq!(
                    paths(&search(&sandbox, "bees", &["--mode", "lexical"])),
                    ["bees.md"],
                    "{what}"
                );
                if args[1] == "rollback" {
                    continue;
                }
                sandbox.rag(args).ok();
                assert_eq!(leftovers(&sandbox.data()), [""; 0], "{what}");
                assert_eq!(listed(&sandbox, &["--filter", "path:private"]), [""; 0], "{what}");
                let left = with_canary(&sandbox);
                assert!(
                    left.iter().all(|file| args[1] == "remove" && file.contains("/bm25/")),
                    "{what}: {left:?}"
                );
                sandbox.rag(["index", "verify"]).ok();
            }
        }
    }
    println!("{n_killed} kills");
    assert!(n_killed >= 6, "only {n_killed} runs were killed");
}

/// An empty list says why it is empty.
#[test]
fn an_empty_list_gives_the_reason() {
    let sandbox = Sandbox::new();
    sandbox.write("docs/binary.md", b"\x00\x01\x02\x00");
    sandbox.ingest();
    let list = |args: &[&str]| sandbox.rag([&["documents", "list"], args].concat()).exits(3);
    list(&[]).says("the index `default` is empty; `--skipped` lists files that are not indexed");
    list(&["--failed"]).says("no file of the index `default` failed");
    std::fs::remove_file(sandbox.path().join("docs/binary.md")).unwrap();
    sandbox.ingest();
    list(&[]).says("the index `default` is empty: no file can be indexed");
    sandbox.write("docs/a.md", "The heron waits.\n");
    sandbox.ingest();
    list(&["--filter", "type:pdf"]).says("no document matches the filter");
    list(&["--skipped"]).says("no file of the index `default` was skipped");
}
