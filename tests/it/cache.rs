//! `rag cache`: what is in it, and emptying it.

use serde_json::json;

use crate::fixtures::topics;
use crate::support::Sandbox;

#[test]
fn counts_are_told_by_table() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    let stats = || sandbox.rag(["cache", "stats", "--json"]).ok().json()["tables"]["embeddings"].clone();
    let empty = json!({
        "count": 0, "bytes": 0, "oldest": null, "newest": null, "budget_bytes": 4_294_967_296_u64, "ttl_seconds": 0,
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

/// Look-ups of all processes are counted; a warmed question is an answer out of the cache, and no other is.
#[test]
fn warmed_questions_are_known_and_counted() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    sandbox.ingest();
    let table = |name: &str| sandbox.rag(["cache", "stats", "--json"]).ok().json()["tables"][name].clone();
    sandbox.write("questions.txt", "Why do bees dance?\n\n{\"query\": \"What pulls the sea?\", \"relevant\": {}}\n");
    let warmed = sandbox.rag(["cache", "warm", "questions.txt", "--json"]).ok().json();
    assert_eq!(warmed, json!({ "questions": 2, "known": 0, "failed": 0 }));
    assert_eq!(table("answers")["count"], 2);
    assert_eq!(table("answers")["misses"], 2);
    let again = sandbox.rag(["cache", "warm", "questions.txt", "--json"]).ok().json();
    assert_eq!(again, json!({ "questions": 2, "known": 2, "failed": 0 }));
    let asked = sandbox.rag(["ask", "What pulls the sea?", "--json"]).json();
    assert_eq!(
        asked["cache"],
        json!({ "answer_hit": true, "retrieval_hit": true, "embed_hits": 0, "embed_misses": 0, "rerank_hits": 0, "rerank_misses": 0 })
    );
    assert_eq!(table("answers")["hits"], 3);
    assert_eq!(table("answers")["hit_rate"], 0.6);
    // Nearly the same question is another question.
    let near = sandbox.rag(["ask", "What pulls the seas?", "--json"]).json();
    assert_eq!(near["cache"]["answer_hit"], false);
    sandbox.write("questions.txt", "What pulls the sea?\n{\"q\": 1}\n");
    sandbox.rag(["cache", "warm", "questions.txt"]).exits(4).says("line 2");
    sandbox.rag(["cache", "warm", "absent.txt"]).exits(2).says("absent.txt");
}

#[test]
fn a_purge_of_one_table_leaves_the_others_and_the_file_shrinks() {
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
