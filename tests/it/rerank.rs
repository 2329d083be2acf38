//! The late-interaction rerank: its effect, its explanation, and its cached scores.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::fixtures::{indexed, paths, search, topics, write_old};
use crate::support::{Run, Sandbox};

const QUESTION: &str = "how bees tell each other where flowers are";

fn scores(found: &Value) -> BTreeMap<String, f64> {
    let hits = found["hits"].as_array().unwrap().iter();
    let score = |hit: &Value| {
        (hit["path"].as_str().unwrap().to_owned(), hit["explain"]["rerank"]["score"].as_f64())
    };
    hits.map(score).filter_map(|(path, score)| Some((path, score?))).collect()
}

fn counts(found: &Value) -> (u64, u64) {
    let count = |field: &str| found["cache"][field].as_u64().unwrap();
    (count("rerank_hits"), count("rerank_misses"))
}

#[test]
fn a_rerank_is_optional_and_explained() {
    let sandbox = indexed();
    let plain = search(&sandbox, QUESTION, &["--explain"]);
    assert!(
        plain["hits"].as_array().unwrap().iter().all(|hit| hit["explain"]["rerank"].is_null()),
        "{plain}"
    );
    assert_eq!(counts(&plain), (0, 0));

    let found = search(&sandbox, QUESTION, &["--explain", "--rerank=3"]);
    assert_eq!((scores(&found).len(), counts(&found)), (3, (0, 3)));
    assert_eq!(paths(&found)[0], "bees.md");
    let best = scores(&found).into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
    assert!(best.0 == "bees.md" && best.1 > 0.3 && best.1 <= 1.0, "{best:?}");
    let hits = found["hits"].as_array().unwrap();
    let totals: Vec<f64> = hits.iter().map(|hit| hit["score"].as_f64().unwrap()).collect();
    assert!(totals.is_sorted_by(|a, b| a >= b), "{totals:?}");
    for (hit, rank) in hits.iter().zip(1..) {
        assert_eq!(hit["rank"], rank);
        let parts = ["lexical", "dense", "rerank"].map(|part| &hit["explain"][part]);
        let term = |part: &&Value| Some(part["normalised"].as_f64()? * part["weight"].as_f64()?);
        let sum: f64 = parts.iter().filter_map(term).sum();
        assert!((sum - hit["score"].as_f64().unwrap()).abs() < 1e-9, "{hit}");
    }
    sandbox
        .rag(["search", QUESTION, "--explain", "--rerank"])
        .ok()
        .prints("rerank  rank 1, score 0.");
    sandbox
        .rag(["search", QUESTION, "--rerank=1001"])
        .exits(2)
        .says("--rerank")
        .says("at most 1000");
}

#[test]
fn rerank_scores_are_cached_by_question_and_passage() {
    let sandbox = indexed();
    let first = search(&sandbox, QUESTION, &["--rerank=6", "--explain"]);
    assert_eq!((scores(&first).len(), counts(&first)), (6, (0, 6)));
    // The whole ranking is cached.
    let again = search(&sandbox, QUESTION, &["--rerank=6", "--explain"]);
    assert_eq!((&again["hits"], &again["cache"]["retrieval_hit"]), (&first["hits"], &json!(true)));

    // Other rankings of the same passages load no model: there is no library to load it with.
    for more in [&["-k", "9"][..], &["--mode", "dense"]] {
        let args = [&["search", QUESTION, "--json", "--explain", "--rerank=6"], more].concat();
        let found = Run::of(sandbox.command(args).env("ORT_DYLIB_PATH", "nowhere.so")).ok().json();
        assert_eq!((counts(&found), scores(&found)), ((6, 0), scores(&first)), "{more:?}");
    }
    write_old(
        &sandbox,
        "docs/hornets.md",
        "# Hornets\n\nHornets tell each other of bees and flowers.\n",
    );
    sandbox.ingest();
    let grown = search(&sandbox, QUESTION, &["--rerank=7", "--explain"]);
    assert_eq!(counts(&grown), (6, 1));
    assert!(scores(&first).iter().all(|(path, score)| scores(&grown)[path] == *score), "{grown}");

    // A damaged or purged table costs only time.
    sandbox.rag(["cache", "purge", "rerank,retrieval"]).ok();
    let again = search(&sandbox, QUESTION, &["--rerank=7", "--explain"]);
    assert_eq!((counts(&again), scores(&again)), ((0, 7), scores(&grown)));
    assert_eq!(
        search(&sandbox, QUESTION, &["--rerank=7", "--no-cache"])["cache"]["rerank_misses"],
        7
    );
}

#[test]
fn threads_change_no_rerank_score() {
    let sandbox = Sandbox::new();
    topics(&sandbox);
    for n in 0..20 {
        write_old(
            &sandbox,
            &format!("docs/valves/{n}.md"),
            format!("# Boiler {n}\n\nValve {n} opens at {} bar.\n", n * 3),
        );
    }
    sandbox.ingest();
    let with = |threads: &str| {
        let question = "at how many bar does valve 7 open?";
        let args =
            ["search", question, "--json", "--rerank=26", "--explain", "-k", "26", "--no-cache"];
        Run::of(sandbox.command(args).env("RAG_THREADS", threads)).ok().json()["hits"].clone()
    };
    let one = with("1");
    assert_eq!(one.as_array().unwrap().len(), 26);
    assert_eq!(one, with("3"));
}

#[test]
fn ask_and_eval_use_the_rerank() {
    let sandbox = indexed();
    let answer = sandbox.rag(["ask", QUESTION, "--rerank=5", "--json"]).ok().json();
    assert_eq!(counts(&answer), (0, 5));
    let twin = sandbox.rag(["ask", QUESTION, "--rerank=5", "--no-cache", "--json"]).ok().json();
    assert_eq!((&twin["answer"], &twin["citations"]), (&answer["answer"], &answer["citations"]));

    sandbox.write(
        "gold.jsonl",
        json!({ "query": QUESTION, "relevant": { "bees.md": 1 } }).to_string(),
    );
    assert!(sandbox.rag(["eval", "gold.jsonl", "--json"]).ok().json()["modes"]["rerank"].is_null());
    let mut command = sandbox.command(["eval", "gold.jsonl", "--json"]);
    let measured = Run::of(command.env("RAG_SEARCH_RERANK", "5")).ok().json();
    assert_eq!(measured["modes"]["rerank"]["ndcg@10"], 1.0);
    assert!(measured["latency_ms"]["rerank"]["p50"].is_f64(), "{measured}");
}
