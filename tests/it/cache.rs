//! `rag cache`: counts, purging, warming, and caches that are locked, missing or foreign.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::fixtures::{search, topics};
use crate::support::{Run, Sandbox};
use crate::sweep::{Sweep, replace_database, use_tiny_model};
use crate::tools::{answer, thorough};

#[test]
fn stats_count_rows_and_lookups_by_table() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    let stats =
        || sandbox.rag(["cache", "stats", "--json"]).ok().json()["tables"]["embeddings"].clone();
    let empty = json!({
        "count": 0, "bytes": 0, "oldest": null, "newest": null,
        "budget_bytes": 4_294_967_296_u64, "ttl_seconds": 0,
        "hits": 0, "misses": 0, "hit_rate": 0.0, "damaged": 0, "evicted": 0,
    });
    assert_eq!(stats(), empty);
    sandbox.ingest();
    let filled = stats();
    assert_eq!(filled["count"], 6);
    // A key of 32 bytes and 384 floats a row.
    assert_eq!(filled["bytes"], 6 * (32 + 384 * 4));
    assert!(filled["oldest"].as_i64().unwrap() <= filled["newest"].as_i64().unwrap());
    sandbox.rag(["cache", "--stats"]).ok().prints("embeddings").prints("6");
    assert_eq!(sandbox.rag(["cache", "--stats"]).stdout, sandbox.rag(["cache", "stats"]).stdout);
}

#[test]
fn a_purge_empties_the_tables_and_reports_them() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    for purge in [
        &["cache", "purge", "all"][..],
        &["cache", "purge", "embeddings"],
        &["cache", "--purge", "embeddings"],
    ] {
        sandbox.rag(["ingest", "--dir", "docs", "--index", "again", "--json"]).ok();
        let purged = sandbox.rag([purge, &["--json"]].concat()).ok().json();
        assert_eq!(purged["purged"]["embeddings"]["count"], 6, "{purge:?}");
        assert_eq!(
            sandbox.rag(["cache", "stats", "--json"]).json()["tables"]["embeddings"]["count"],
            0
        );
        sandbox.rag(["index", "remove", "--yes", "--index", "again"]).ok();
    }
    let purged = sandbox.rag(["cache", "purge", "all", "--json"]).ok().json();
    assert_eq!(purged["purged"]["embeddings"]["count"], 0);
}

#[test]
fn a_purge_by_tag_removes_what_was_made_from_it() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    sandbox.ingest();
    sandbox.write("other/kites.md", "Kites carry messages over the harbour.\n");
    sandbox.rag(["ingest", "--dir", "other", "--index", "other"]).ok();
    let ask = |index: &str| {
        let args = ["ask", "What carries messages?", "--index", index, "--json"];
        sandbox.rag(args).json()["cache"]["answer_hit"] == true
    };
    let ask_both = || ["default", "other"].map(ask);
    let purge = |args: &[&str]| {
        let purged = sandbox.rag([&["cache", "purge", "--json"], args].concat()).ok().json();
        let names: Vec<&String> = purged["purged"].as_object().unwrap().keys().collect();
        assert_eq!(names, ["answers", "retrieval"], "{args:?}");
        purged["purged"]["answers"]["count"].as_u64().unwrap()
    };
    ask_both();
    assert_eq!(ask_both(), [true, true]);
    let embeddings =
        || sandbox.rag(["cache", "stats", "--json"]).json()["tables"]["embeddings"].clone();
    let before = embeddings()["count"].clone();
    for tag in ["default", "docs", "docs/bees.md", "./docs/"] {
        assert_eq!(purge(&["--tag", tag]), 1, "{tag}");
        assert_eq!(ask_both(), [false, true], "{tag}");
    }
    assert_eq!(purge(&["--tag", "other/kites.md", "--tag", "default"]), 2);
    assert_eq!(ask_both(), [false, false]);
    assert_eq!(purge(&["--tag", "docs/bee", "--domain", "docs"]), 0);
    assert_eq!(ask_both(), [true, true]);
    assert_eq!(embeddings()["count"], before, "they hold no text");

    let run = |args: &[&str]| sandbox.rag([&["cache", "purge"], args].concat());
    run(&[]).exits(2);
    run(&["--tag", ""]).exits(2).says("a tag is empty");
    run(&["rerank", "--tag", "docs"]).exits(2).says("rows of `rerank` have neither");
    run(&["--domain", "https://x.org/a"]).exits(2).says("not the name of a host");
    run(&["retrieval", "--tag", "other"]).ok().prints("retrieval");
    assert!(ask("other"), "its answer stays");
}

#[test]
fn an_index_works_without_the_cache() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    sandbox.ingest();
    std::fs::remove_dir_all(sandbox.data().join("cache")).unwrap();
    sandbox.rag(["search", "bees"]).ok().prints("bees.md");
    assert_eq!(sandbox.ingest()["committed"], false);
}

#[test]
fn unknown_tables_are_refused_and_nothing_is_purged() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    sandbox.ingest();
    sandbox
        .rag(["cache", "purge", "embeddings,answer"])
        .exits(2)
        .says("no cache table `answer`")
        .says("embeddings");
    sandbox.rag(["cache", "purge", ""]).exits(2);
    assert_eq!(
        sandbox.rag(["cache", "stats", "--json"]).json()["tables"]["embeddings"]["count"],
        6
    );
    sandbox.rag(["cache"]).exits(2);
    sandbox.rag(["cache", "--stats", "--purge", "all"]).exits(2);
}

/// Look-ups of all processes are counted; exactly the warmed questions are cached answers.
#[test]
fn warmed_questions_are_answered_from_the_cache_and_counted() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    sandbox.ingest();
    let table =
        |name: &str| sandbox.rag(["cache", "stats", "--json"]).ok().json()["tables"][name].clone();
    sandbox.write(
        "questions.txt",
        "Why do bees dance?\n\n{\"query\": \"What pulls the sea?\", \"relevant\": {}}\n",
    );
    let warmed = sandbox.rag(["cache", "warm", "questions.txt", "--json"]).ok().json();
    assert_eq!(warmed, json!({ "questions": 2, "known": 0, "failed": 0 }));
    assert_eq!(table("answers")["count"], 2);
    assert_eq!(table("answers")["misses"], 2);
    let again = sandbox.rag(["cache", "warm", "questions.txt", "--json"]).ok().json();
    assert_eq!(again, json!({ "questions": 2, "known": 2, "failed": 0 }));
    let asked = sandbox.rag(["ask", "What pulls the sea?", "--json"]).json();
    let expected = json!({
        "answer_hit": true, "retrieval_hit": true,
        "embed_hits": 0, "embed_misses": 0, "rerank_hits": 0, "rerank_misses": 0,
    });
    assert_eq!(asked["cache"], expected);
    assert_eq!(table("answers")["hits"], 3);
    assert_eq!(table("answers")["hit_rate"], 0.6);
    // A similar question is a different question.
    let near = sandbox.rag(["ask", "What pulls the seas?", "--json"]).json();
    assert_eq!(near["cache"]["answer_hit"], false);
    sandbox.write("questions.txt", "What pulls the sea?\n{\"q\": 1}\n");
    sandbox.rag(["cache", "warm", "questions.txt"]).exits(4).says("line 2");
    sandbox.rag(["cache", "warm", "absent.txt"]).exits(2).says("absent.txt");
}

#[test]
fn a_purge_of_some_tables_keeps_the_others_and_shrinks_the_file() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    sandbox.ingest();
    sandbox.rag(["ask", "Why do bees dance?"]);
    let counts = || {
        let tables = sandbox.rag(["cache", "stats", "--json"]).ok().json()["tables"].clone();
        ["embeddings", "retrieval", "answers"].map(|name| tables[name]["count"].as_u64().unwrap())
    };
    let [embeddings, 1, 1] = counts() else { panic!("{:?}", counts()) };
    let purged = sandbox.rag(["cache", "purge", "answers,retrieval", "--json"]).ok().json();
    assert_eq!(purged["purged"].as_object().unwrap().len(), 2);
    assert_eq!(purged["purged"]["answers"]["count"], 1);
    assert_eq!(counts(), [embeddings, 0, 0]);
    let purged = sandbox.rag(["cache", "purge", "all", "--json"]).ok().json();
    assert!(purged["freed_bytes"].as_u64().unwrap() > 0, "{purged}");
    assert_eq!(counts(), [0, 0, 0]);
}

/// A sandbox with an index, and the ranking of a question.
fn asked() -> (Sandbox, Value) {
    let sandbox = Sandbox::new();
    use_tiny_model(&sandbox);
    topics(&sandbox);
    sandbox.ingest();
    let good = answer(search(&sandbox, "bees and bread", &["--no-cache"]));
    (sandbox, good)
}

/// Another process holds the cache for ten seconds, like a stopped process: commands wait a bounded
/// time and succeed.
#[test]
fn commands_work_beside_a_locked_cache() {
    let (sandbox, good) = asked();
    let path = sandbox.data().join("cache/cache.db");
    let held = Duration::from_millis(if thorough() { 10_000 } else { 300 });
    let mut sweep = Sweep::new("commands beside a cache that is held");
    std::thread::scope(|scope| {
        let (locked, is_locked) = std::sync::mpsc::channel();
        let (over, wait) = std::sync::mpsc::channel::<()>();
        scope.spawn(move || {
            let connection = rusqlite::Connection::open(path).unwrap();
            connection.execute_batch("BEGIN EXCLUSIVE").unwrap();
            locked.send(()).unwrap();
            // A pause that ends early when all commands are done.
            let _ = wait.recv_timeout(held);
        });
        is_locked.recv().unwrap();
        sandbox.write("docs/new.md", "Bees and bread are new here.\n");
        sweep.point("a search", || {
            assert_eq!(answer(search(&sandbox, "bees and bread", &[])), good);
        });
        sweep.point("an answer", || {
            assert!(matches!(sandbox.rag(["ask", "Why do bees dance?"]).code, Some(0 | 3)));
        });
        sweep.point("an ingest", || assert_eq!(sandbox.ingest()["documents"], 7));
        drop(over);
    });
    sweep.point("a search afterwards", || {
        assert_eq!(search(&sandbox, "bees and bread", &[])["hits"][0]["path"], "new.md");
        sandbox.rag(["cache", "stats"]).ok();
    });
    sweep.end("");
}

#[test]
fn sixteen_processes_share_one_new_cache() {
    let (sandbox, _) = asked();
    std::fs::remove_dir_all(sandbox.data().join("cache")).unwrap();
    let question = |n: usize| format!("where do bees number {n} find bread");
    let started: Vec<_> =
        (0..16).map(|n| sandbox.spawn(["search", "--json", &question(n)])).collect();
    let answers: Vec<Value> = started
        .into_iter()
        .map(|child| {
            answer(
                Run::from_output(&child.wait_with_output().unwrap(), "search".into()).ok().json(),
            )
        })
        .collect();
    let mut sweep = Sweep::new("sixteen processes on a new cache");
    for (n, first) in answers.iter().enumerate() {
        sweep.point(&question(n), || {
            let again = search(&sandbox, &question(n), &[]);
            assert_eq!(again["cache"]["retrieval_hit"], true, "the ranking is not cached");
            assert_eq!(&answer(again), first);
            assert_eq!(&answer(search(&sandbox, &question(n), &["--no-cache"])), first);
        });
    }
    sweep.end("");
    sandbox.rag(["doctor"]).ok();
}

/// A cache that is deleted, foreign or of a newer version: the same answers, a new cache where the
/// old file is not a cache, and a newer one left alone. Sessions and jobs are not replaced: they
/// are refused with a hint.
#[test]
fn a_missing_foreign_or_newer_cache_changes_no_answer() {
    let (sandbox, good) = asked();
    sandbox.rag(["ask", "--session", "s", "Why do bees dance?"]);
    let mut sweep = Sweep::new("something else in the place of the cache");
    for what in ["deleted", "a folder", "text", "another database", "empty", "newer"] {
        sweep.point(what, || replace_cache(&sandbox, &good, what));
    }
    sweep.end("");
    let sessions = sandbox.data().join("sessions/sessions.db");
    make_newer(&sessions);
    sandbox
        .rag(["ask", "--session", "s", "And tides?"])
        .exits(1)
        .says("newer version")
        .says("hint");
    replace_database(&sessions, "This is no database. ".repeat(400).as_bytes());
    sandbox.rag(["ask", "--session", "s", "And tides?"]).exits(5).says("sessions.db").says("hint");
    let jobs = sandbox.data().join("jobs/jobs.jsonl");
    std::fs::write(&jobs, "{\"v\":99,\"seq\":1}\n").unwrap();
    sandbox.rag(["ingest", "--dir", "docs"]).exits(1).says("newer version").says("hint");
}

/// Stamps a database as written by a newer version.
fn make_newer(path: &Path) {
    let connection = rusqlite::Connection::open(path).unwrap();
    let script = "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA user_version = 99";
    connection.execute_batch(script).unwrap();
}

/// Puts something else in place of the cache; searches and ingests must not notice.
fn replace_cache(sandbox: &Sandbox, good: &Value, what: &str) {
    let cache = sandbox.data().join("cache/cache.db");
    replace_database(&cache, b"");
    std::fs::remove_file(&cache).unwrap();
    match what {
        "a folder" => std::fs::create_dir(&cache).unwrap(),
        "text" => std::fs::write(&cache, "This is no database. ".repeat(400)).unwrap(),
        "another database" => {
            let other = rusqlite::Connection::open(&cache).unwrap();
            let script = "CREATE TABLE embeddings (name TEXT); PRAGMA user_version = 2";
            other.execute_batch(script).unwrap();
        }
        "empty" => std::fs::write(&cache, "").unwrap(),
        "newer" => {
            search(sandbox, "bees and bread", &[]);
            make_newer(&cache);
        }
        _ => {}
    }
    let before = std::fs::read(&cache).unwrap_or_default();
    assert_eq!(answer(search(sandbox, "bees and bread", &[])), *good);
    let again = search(sandbox, "bees and bread", &[]);
    let is_cached = again["cache"]["retrieval_hit"] == true;
    assert_eq!(answer(again), *good);
    sandbox.write("docs/more.md", format!("The {what} is here.\n"));
    assert_eq!(sandbox.ingest()["documents"], 7);
    std::fs::remove_file(sandbox.path().join("docs/more.md")).unwrap();
    sandbox.ingest();
    match what {
        "newer" => assert_eq!(std::fs::read(&cache).unwrap(), before),
        "a folder" => std::fs::remove_dir(&cache).unwrap(),
        _ => assert!(is_cached, "there is no new cache"),
    }
}
