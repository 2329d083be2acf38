//! `rag cache`: what is in it, and emptying it.

use serde_json::json;

use crate::fixtures::topics;
use crate::support::Sandbox;

#[test]
fn counts_are_told_by_table() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    let stats = || sandbox.rag(["cache", "stats", "--json"]).ok().json()["tables"]["embeddings"].clone();
    assert_eq!(stats(), json!({ "count": 0, "bytes": 0, "oldest": null, "newest": null }));
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
fn a_purge_empties_and_says_what() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    for purge in
        [&["cache", "purge", "all"][..], &["cache", "purge", "embeddings"], &["cache", "--purge", "embeddings"]]
    {
        sandbox.rag(["ingest", "--dir", "docs", "--index", "again", "--json"]).ok();
        let purged = sandbox.rag([purge, &["--json"]].concat()).ok().json();
        assert_eq!(purged["purged"]["embeddings"]["count"], 6, "{purge:?}");
        assert_eq!(sandbox.rag(["cache", "stats", "--json"]).json()["tables"]["embeddings"]["count"], 0);
        sandbox.rag(["index", "remove", "--index", "again"]).ok();
    }
    assert_eq!(sandbox.rag(["cache", "purge", "all", "--json"]).ok().json()["purged"]["embeddings"]["count"], 0);
}

#[test]
fn the_index_does_not_need_the_cache() {
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
    sandbox.rag(["cache", "purge", "embeddings,answer"]).exits(2).says("no cache table `answer`").says("embeddings");
    sandbox.rag(["cache", "purge", ""]).exits(2);
    assert_eq!(sandbox.rag(["cache", "stats", "--json"]).json()["tables"]["embeddings"]["count"], 6);
    sandbox.rag(["cache"]).exits(2);
    sandbox.rag(["cache", "--stats", "--purge", "all"]).exits(2);
}
