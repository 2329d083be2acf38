//! The rerank by a cross-encoder: its effect, its explanation, and its cached scores.
//!
//! The cross-encoder counts the tokens that question and passage share; `rerank/overlap.py` writes
//! it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::fixtures::{indexed as plain, paths, search, topics, write_old};
use crate::support::server::Server;
use crate::support::{Run, Sandbox, has_loopback, project_data};

const QUESTION: &str = "how bees tell each other where flowers are";

/// Adds the cross-encoder as `overlap` and makes it the configured one.
fn with_reranker(sandbox: Sandbox) -> Sandbox {
    let folder = sandbox.path().join("downloads/overlap");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("model.onnx"), include_bytes!("rerank/overlap.onnx")).unwrap();
    for file in ["tokenizer.json", "tokenizer_config.json"] {
        std::fs::copy(project_data().join("models/all-MiniLM-L6-v2").join(file), folder.join(file))
            .unwrap();
    }
    let config = json!({ "model_type": "bert", "max_position_embeddings": 64,
        "architectures": ["BertForSequenceClassification"] });
    std::fs::write(folder.join("config.json"), config.to_string()).unwrap();
    sandbox.rag(["model", "add", "downloads/overlap"]).ok().says("rerank.model");
    sandbox.write("rag.toml", "[rerank]\nmodel = \"overlap\"\n");
    sandbox
}

fn indexed() -> Sandbox {
    with_reranker(plain())
}

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
    let sandbox = plain();
    let unranked = search(&sandbox, QUESTION, &["--explain"]);
    assert!(
        unranked["hits"].as_array().unwrap().iter().all(|hit| hit["explain"]["rerank"].is_null()),
        "{unranked}"
    );
    assert_eq!(counts(&unranked), (0, 0));
    sandbox.rag(["search", QUESTION, "--rerank"]).exits(2).says("--rerank").says("rerank.model");

    let sandbox = with_reranker(sandbox);
    assert_eq!(counts(&search(&sandbox, QUESTION, &["--rerank=0"])), (0, 0));
    // All passages are among the best 20.
    assert_eq!(counts(&search(&sandbox, QUESTION, &["--no-cache"])), (0, 6));
    let found = search(&sandbox, QUESTION, &["--explain", "--rerank=3"]);
    assert_eq!((scores(&found).len(), counts(&found)), (3, (0, 3)));
    assert_eq!(paths(&found)[0], "bees.md");
    let best = scores(&found).into_iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
    assert!(best.0 == "bees.md" && best.1 >= 3.0 && best.1.fract() == 0.0, "{best:?}");
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
    sandbox.rag(["search", QUESTION, "--explain"]).ok().prints("rerank  rank 1, score ");
    sandbox
        .rag(["search", QUESTION, "--rerank=1001"])
        .exits(2)
        .says("--rerank")
        .says("at most 1000");
}

#[test]
fn a_model_of_the_wrong_kind_is_refused() {
    let sandbox = indexed();
    let run = |model: &str| {
        Run::of(sandbox.command(["search", QUESTION]).env("RAG_RERANK_MODEL", model)).exits(2)
    };
    run("nothing").says("RAG_RERANK_MODEL").says("no model named `nothing`");
    run("all-MiniLM-L6-v2").says("is no cross-encoder");
    sandbox
        .rag(["ingest", "--dir", "docs", "--model", "overlap"])
        .exits(2)
        .says("`overlap` is a cross-encoder");

    let folder = sandbox.path().join("downloads/overlap");
    std::fs::copy(
        project_data().join("models/all-MiniLM-L6-v2-fp32/model.onnx"),
        folder.join("model.onnx"),
    )
    .unwrap();
    std::fs::copy(
        project_data().join("models/all-MiniLM-L6-v2-fp32/model.onnx.data"),
        folder.join("model.onnx.data"),
    )
    .unwrap();
    sandbox
        .rag(["model", "add", "downloads/overlap", "--name", "vectors"])
        .exits(2)
        .says("a cross-encoder gives one score");
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
    let sandbox = with_reranker(Sandbox::new());
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
    let mut command = sandbox.command(["eval", "gold.jsonl", "--json"]);
    let plain = Run::of(command.env("RAG_SEARCH_RERANK", "0")).ok().json();
    assert!(plain["modes"]["rerank"].is_null(), "{plain}");
    let measured = sandbox.rag(["eval", "gold.jsonl", "--json"]).ok().json();
    assert_eq!(measured["modes"]["rerank"]["ndcg@10"], 1.0);
    assert!(measured["latency_ms"]["rerank"]["p50"].is_f64(), "{measured}");
}

#[test]
fn a_server_scores_documents_of_clients_with_the_cross_encoder() {
    if !has_loopback() {
        return;
    }
    let sandbox = indexed();
    let server = Server::start(&sandbox, &[]);
    let documents = ["tides", "bees tell each other", "where flowers are, bees tell"];
    let body = json!({ "model": "overlap", "query": QUESTION, "documents": documents });
    let results = server.post("/v1/rerank", &body).ok().json()["results"].clone();
    let results = results.as_array().unwrap();
    let order: Vec<u64> = results.iter().map(|found| found["index"].as_u64().unwrap()).collect();
    assert_eq!(order, [2, 1, 0], "{results:?}");
    let scores = results.iter().map(|found| found["relevance_score"].as_f64().unwrap());
    assert!(scores.clone().all(|score| (0.0..=1.0).contains(&score)), "{results:?}");
    assert!(scores.is_sorted_by(|a, b| a >= b));
    let models = server.get("/v1/models").ok().json()["data"].clone();
    assert_eq!(models.as_array().unwrap().last().unwrap()["id"], "overlap");
    server.stop();
}
