//! `rag status`, `rag init` and `rag config`.

use serde_json::json;

use crate::fixtures::{indexed, write_old};
use crate::support::{Run, Sandbox};

#[test]
fn status_says_what_is_indexed_and_how_fresh_it_is() {
    let sandbox = Sandbox::new();
    let empty = sandbox.rag(["status"]).ok();
    assert!(empty.stdout.contains("none yet") && empty.stdout.contains("rag ingest"), "{empty}");
    let sandbox = indexed();
    let fresh = sandbox.rag(["status"]).ok();
    assert!(fresh.stdout.contains("default: 6 documents"), "{fresh}");
    assert!(fresh.stdout.contains("no file has changed since"), "{fresh}");
    assert!(!fresh.stdout.contains("better"), "{fresh}");
    assert!(fresh.stdout.lines().count() <= 10, "{fresh}");
    write_old(&sandbox, "docs/new.md", "New.\n");
    write_old(&sandbox, "docs/bees.md", "# Bees\n\nBees changed.\n");
    std::fs::remove_file(sandbox.path().join("docs/tides.md")).unwrap();
    let stale = sandbox.rag(["status"]).ok();
    assert!(stale.stdout.contains("since then 1 file new, 1 file changed, 1 file gone"), "{stale}");
    assert!(stale.stdout.contains("read what has changed: rag ingest"), "{stale}");
    let json = sandbox.rag(["status", "--json"]).ok().json();
    assert_eq!(json["files"], json!({ "new": 1, "changed": 1, "gone": 1 }));
    assert_eq!(json["index"]["documents"], 6);
    sandbox.ingest();
    assert_eq!(sandbox.rag(["status", "--json"]).ok().json()["files"]["changed"], 0);
}

#[test]
fn a_setting_is_changed_and_the_rest_of_the_file_kept() {
    let sandbox = Sandbox::new();
    let file = sandbox.path().join("home/.config/rag/config.toml");
    sandbox.write("home/.config/rag/config.toml", "# Mine\n[search]\nk = 5 # few\n");
    let text = || std::fs::read_to_string(&file).unwrap();
    sandbox.rag(["config", "set", "search.k", "7"]).ok();
    assert_eq!(text(), "# Mine\n[search]\nk = 7  # few\n");
    sandbox.rag(["config", "set", "search.mode", "lexical"]).ok();
    sandbox.rag(["config", "set", "index", "notes"]).ok();
    assert_eq!(sandbox.rag(["config", "get", "search.k"]).ok().stdout, "7\n");
    assert_eq!(sandbox.rag(["config", "get", "index"]).ok().stdout, "notes\n");
    let get = sandbox.rag(["config", "get", "search.mode", "--json"]).ok().json();
    assert_eq!(get["value"], "lexical");
    assert!(get["from"].as_str().is_some_and(|from| from.contains("config.toml:")), "{get}");
    let before = text();
    sandbox.rag(["config", "set", "search.k", "many"]).exits(2).says("search.k");
    sandbox.rag(["config", "set", "search.kk", "1"]).exits(2).says("did you mean `search.k`?");
    assert_eq!(text(), before, "a wrong value changes nothing");
    sandbox.rag(["config", "unset", "search.mode"]).ok();
    assert_eq!(sandbox.rag(["config", "get", "search.mode"]).ok().stdout, "hybrid\n");
    let changed = sandbox.rag(["config", "list", "--changed"]).ok();
    assert!(changed.stdout.contains("search.k") && !changed.stdout.contains("search.mode"));
    // The project's file comes later; it may not say where questions are sent.
    sandbox.rag(["config", "set", "search.k", "9", "--project"]).ok();
    assert_eq!(sandbox.rag(["config", "get", "search.k"]).ok().stdout, "9\n");
    sandbox.rag(["config", "set", "search.k", "3"]).ok().says("takes precedence");
    let refused = ["config", "set", "llm.base_url", "http://x.org/v1", "--project"];
    sandbox.rag(refused).exits(2).says("must not set");
    // A secret is not shown.
    let set = sandbox.rag(["config", "set", "llm.api_key", "sk-1234567890"]).ok();
    assert!(!set.stderr.contains("sk-12") && text().contains("sk-1234567890"), "{set}");
}

#[test]
fn a_new_configuration_file_is_valid_and_a_broken_one_can_be_edited() {
    let sandbox = Sandbox::new();
    let run = sandbox.rag(["init"]).ok();
    let path = sandbox.path().join("rag.toml");
    assert!(run.stdout.trim_end().ends_with("/rag.toml"), "{run}");
    assert!(std::fs::read_to_string(&path).unwrap().contains("# search.k = 10"));
    sandbox.rag(["config", "list"]).ok();
    sandbox.rag(["init"]).exits(2).says("rag.toml exists");
    sandbox.rag(["init", "--force"]).ok();
    std::fs::write(&path, "search.k = \n").unwrap();
    sandbox.rag(["config", "list"]).exits(2).says("rag.toml:1");
    sandbox.write("fix", "#!/bin/sh\necho 'search.k = 4' > \"$1\"\n");
    let mut edit = sandbox.command(["config", "edit", "--project"]);
    Run::of(edit.env("EDITOR", "sh fix")).ok().says("is valid");
    assert_eq!(sandbox.rag(["config", "get", "search.k"]).ok().stdout, "4\n");
}

#[test]
fn questions_that_were_asked_become_a_file_for_eval() {
    let sandbox = indexed();
    sandbox.rag(["eval", "init"]).exits(3).says("no feedback");
    sandbox.rag(["ask", "--session", "s", "How do bees tell where flowers are?"]).ok();
    sandbox.rag(["ask", "--session", "s", "Who won the world cup?"]).exits(3);
    let run = sandbox.rag(["eval", "init", "--drafts"]).ok().says("1 draft");
    assert_eq!(run.stdout.lines().count(), 1, "{run}");
    sandbox.write("questions.jsonl", &run.stdout);
    let report =
        sandbox.rag(["eval", "questions.jsonl", "--mode", "lexical", "--json"]).ok().json();
    assert_eq!(report["queries"], 1, "{report}");
    assert_eq!(report["modes"]["lexical"]["mrr@10"], 1.0, "{report}");
}
