//! Measurements: forms of questions, runs, baselines, variants, reports, and the language model.

use serde_json::{Value, json};

use crate::fixtures::{error_of, indexed, indexed_with_loopback};
use crate::support::llm::{LlmServer, Request, Step};
use crate::support::{Run, Sandbox};

/// A question about each topic, with the document that answers it.
const QUESTIONS: [(&str, &str); 7] = [
    ("how do bees tell the others where flowers are", "bees.md"),
    ("what pulls the sea", "tides.md"),
    ("why does sourdough bread rise", "bread.txt"),
    ("what does foo_bar write", "code/save.rs"),
    ("which trains cross the Alps", "trains.html"),
    ("when does a volcano erupt", "deep/er/volcano.rst"),
    ("what are the combs of bees made of", "bees.md"),
];

/// Writes [`QUESTIONS`] to `q.jsonl`.
fn questions(sandbox: &Sandbox) {
    let line = |(query, path): (&str, &str)| {
        format!("{}\n", json!({ "query": query, "relevant": { path: 1 } }))
    };
    sandbox.write("q.jsonl", QUESTIONS.map(line).concat());
}

/// Writes questions with known answers to `a.jsonl`: one is answered, one asks for more than any
/// sentence says, one is not answered by the documents.
fn known_answers(sandbox: &Sandbox) {
    let source = |line: usize| json!([{ "path": "bees.md", "lines": [line, line] }]);
    let lines = [
        json!({ "id": "dance", "question": "How do honey bees tell the others where flowers are?",
            "kind": "how-to", "answer": [["honey bees (dance|sing)"]], "source": source(3) }),
        json!({ "id": "more", "question": "What are the combs of bees made of?", "kind": "fact",
            "answer": [["made of wax"], ["and of gold"]], "source": source(5) }),
        json!({ "id": "none", "question": "Who won the chess tournament in Reykjavik?",
            "kind": "unanswerable", "answer": [], "source": [], "unanswerable": true }),
    ];
    sandbox.write("a.jsonl", lines.map(|line| format!("{line}\n")).concat());
}

/// A BEIR folder whose ids are no names of files.
fn beir(sandbox: &Sandbox) {
    sandbox.write(
        "beir/corpus.jsonl",
        "{\"_id\": \"a/1\", \"title\": \"Bees\", \"text\": \"Honey bees dance.\"}\n\
         {\"_id\": \".2\", \"title\": \"\", \"text\": \"The moon pulls the sea.\"}\n",
    );
    sandbox.write(
        "beir/queries.jsonl",
        "{\"_id\": \"q1\", \"text\": \"how do bees dance\"}\n\
         {\"_id\": \"q2\", \"text\": \"what pulls the sea\"}\n\
         {\"_id\": \"q3\", \"text\": \"not judged\"}\n",
    );
    sandbox.write(
        "beir/qrels/test.tsv",
        "query-id\tcorpus-id\tscore\nq1\ta/1\t1\nq2\t.2\t2\nq2\ta/1\t0\n",
    );
}

fn eval(sandbox: &Sandbox, args: &[&str]) -> Run {
    sandbox.rag([&["eval"], args].concat())
}

#[test]
fn every_row_has_intervals_and_tests_against_the_reference() {
    let sandbox = indexed();
    questions(&sandbox);
    let found = eval(&sandbox, &["q.jsonl", "--json"]).ok().json();
    assert_eq!((&found["queries"], &found["reference"]), (&json!(7), &json!("hybrid")));
    let hybrid = &found["modes"]["hybrid"];
    assert!(hybrid["ndcg@10"].as_f64().unwrap() > 0.8, "{found}");
    let interval = hybrid["ci95"]["ndcg@10"].as_array().unwrap();
    let bound = |n: usize| interval[n].as_f64().unwrap();
    assert!(bound(0) <= hybrid["ndcg@10"].as_f64().unwrap() && bound(1) <= 1.0, "{found}");
    let tests = found["tests"].as_array().unwrap();
    let modes: Vec<&Value> = tests.iter().map(|test| &test["mode"]).collect();
    assert!(modes.contains(&&json!("lexical")) && modes.contains(&&json!("dense")), "{found}");
    assert!(tests.iter().all(|test| (0.0..=1.0).contains(&test["p"].as_f64().unwrap())));
    assert!(found["latency_ms"]["dense"]["p99"].is_f64(), "{found}");
    let again = eval(&sandbox, &["q.jsonl", "--json"]).ok().json();
    assert_eq!((&again["modes"], &again["tests"]), (&found["modes"], &found["tests"]));
    let one = eval(&sandbox, &["q.jsonl", "--json", "--mode", "lexical"]).ok().json();
    assert_eq!(one["modes"].as_object().unwrap().len(), 1);
}

#[test]
fn known_answers_are_right_partly_right_wrong_or_refused() {
    let sandbox = indexed();
    known_answers(&sandbox);
    let found = eval(&sandbox, &["a.jsonl", "--json", "--worst", "5"]).ok().json();
    let answers = &found["sets"][0]["answers"]["hybrid"];
    let group = |name: &str, n: u32, right: f64, partly: f64| {
        let group = &answers[name];
        let expected = (json!(n), json!(right), json!(partly));
        assert_eq!((group["n"].clone(), group["right"].clone(), group["partly"].clone()), expected);
    };
    group("answerable", 2, 0.5, 0.5);
    group("unanswerable", 1, 1.0, 0.0);
    assert_eq!(answers["kinds"]["how-to"]["cited"], 1.0, "{answers}");
    assert_eq!(
        (&answers["answerable"]["in_10"], &answers["lines_to_answer"]),
        (&json!(1.0), &json!(0.0))
    );
    let worst = &found["sets"][0]["worst"];
    assert_eq!(worst.as_array().unwrap().len(), 1, "{worst}");
    assert_eq!(
        (&worst[0]["id"], &worst[0]["answer"]["verdict"]),
        (&json!("more"), &json!("partly"))
    );
    assert_eq!(worst[0]["answer"]["missing"], json!(["and of gold"]));
    assert!(worst[0]["ranks"]["lexical"].is_u64(), "{worst}");
    let shown = eval(&sandbox, &["a.jsonl", "--worst", "1"]).ok();
    shown.prints("lacks: and of gold").prints("ranks: lexical 1").prints("without an answer");
}

#[test]
fn a_beir_folder_is_measured_on_an_index_of_its_corpus() {
    let sandbox = indexed();
    beir(&sandbox);
    let missing = eval(&sandbox, &["beir"]).exits(2);
    missing.says("question `q1`: no document `a/1` in the index `default`").says("`--dir`");
    let found = eval(&sandbox, &["beir", "--dir", "beir", "--json"]).ok().json();
    assert_eq!((&found["queries"], &found["modes"]["hybrid"]["ndcg@10"]), (&json!(2), &json!(1.0)));
    let left = std::fs::read_dir(sandbox.data()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = left.filter(|name| name.to_string_lossy().starts_with(".scratch")).collect();
    assert!(left.is_empty(), "{left:?}");
    // The configured index is as before.
    sandbox.rag(["search", "volcano"]).ok().prints("volcano.rst");
    // Sets of different size count the same.
    questions(&sandbox);
    let args = ["q.jsonl", "beir", "--dir", "docs", "--dir", "beir", "--json"];
    let both = eval(&sandbox, &args).ok().json();
    let of_set = |n: usize| both["sets"][n]["modes"]["lexical"]["mrr@10"].as_f64().unwrap();
    let of_all = both["modes"]["lexical"]["mrr@10"].as_f64().unwrap();
    assert!((of_all - f64::midpoint(of_set(0), of_set(1))).abs() < 1e-12, "{both}");
    assert_eq!((&both["queries"], &both["sets"][1]["name"]), (&json!(9), &json!("beir")));
    eval(&sandbox, &["q.jsonl", "beir", "--dir", "docs"]).exits(2).says("1 `--dir` for 2 FILEs");
}

#[test]
fn a_saved_run_scores_like_the_search_that_it_is_from() {
    let sandbox = indexed();
    questions(&sandbox);
    let own = eval(&sandbox, &["q.jsonl", "--json", "--save-run", "own.run"]).ok().json();
    let text = std::fs::read_to_string(sandbox.path().join("own.run")).unwrap();
    assert!(text.starts_with("1 Q0 bees.md 1 ") && text.contains(" hybrid\n"), "{text}");
    let run = eval(&sandbox, &["q.jsonl", "--json", "--run", "own.run"]).ok().json();
    assert_eq!(run["modes"].as_object().unwrap().keys().collect::<Vec<_>>(), ["own"]);
    for measure in ["ndcg@10", "recall@100", "mrr@10"] {
        assert_eq!(run["modes"]["own"][measure], own["modes"]["hybrid"][measure], "{measure}");
    }
    sandbox.write("bad.run", "1 Q0 tides.md 1 1 x\n9 Q0 bees.md 1 1 x\n");
    let args = ["q.jsonl", "--json", "--mode", "hybrid", "--run", "bad.run"];
    let both = eval(&sandbox, &args).ok().json();
    assert_eq!(both["modes"]["bad"]["ndcg@10"], 0.0);
    assert_eq!(both["tests"][0]["mode"], "bad");
    eval(&sandbox, &["q.jsonl", "--save-run", "own.run"]).exits(2).says("own.run exists");
    sandbox.write("other.run", "x Q0 bees.md 1 1 x\n");
    let other = eval(&sandbox, &["q.jsonl", "--run", "other.run"]).exits(2);
    other.says("the run `other` has no question of q.jsonl");
}

#[test]
fn a_significant_loss_against_the_baseline_exits_1() {
    let sandbox = indexed();
    questions(&sandbox);
    eval(&sandbox, &["q.jsonl", "--save-baseline", "base.json"]).ok();
    eval(&sandbox, &["q.jsonl", "--baseline", "base.json"]).ok().prints("against the baseline");
    let none = ["q.jsonl", "--baseline", "base.json", "--filter", "path:nothing"];
    let lost = eval(&sandbox, &none).exits(1);
    lost.says("worse than the baseline: ndcg@10 of lexical fell from").says("to 0.0000 (p = 0.0");
    let json = eval(&sandbox, &[&none[..], &["--json"]].concat()).exits(1);
    assert_eq!(json.json()["baseline"][0]["loss"], true, "{json}");
    assert_eq!(error_of(&json)["code"], 1);
    eval(&sandbox, &["q.jsonl", "--baseline", "q.jsonl"]).exits(2).says("is not a baseline");
    known_answers(&sandbox);
    let other = eval(&sandbox, &["a.jsonl", "--baseline", "base.json"]).exits(2);
    other.says("none of these questions");
}

#[test]
fn variants_of_the_settings_are_rows() {
    let sandbox = indexed();
    questions(&sandbox);
    let set = |settings: &str| eval(&sandbox, &["q.jsonl", "--json", "--set", settings]);
    let found = set("search.dense_weight=0").ok().json();
    let variant = &found["modes"]["search.dense_weight=0"];
    assert!(variant["ndcg@10"].is_f64(), "{found}");
    let tests = found["tests"].as_array().unwrap();
    assert!(tests.iter().any(|test| test["mode"] == "search.dense_weight=0"), "{found}");
    let lexical = set("search.mode=lexical,search.k=5").ok().json();
    let modes = &lexical["modes"];
    assert_eq!(modes["search.mode=lexical,search.k=5"]["mrr@10"], modes["lexical"]["mrr@10"]);
    set("search.nope=1").exits(2).says("there is no setting `search.nope`");
    set("search.dense_weight").exits(2).says("is not KEY=VALUE");
    set("search.dense_weight=9").exits(2).says("search.dense_weight = 9 (--set)");
    set("chunk.max_tokens=32").exits(2).says("takes effect when an index is built");
    let args = ["q.jsonl", "--dir", "docs", "--json", "--set", "chunk.max_tokens=32"];
    let rebuilt = eval(&sandbox, &args).ok().json();
    assert!(rebuilt["modes"]["chunk.max_tokens=32"]["ndcg@10"].is_f64(), "{rebuilt}");
    // Another index of the same documents.
    sandbox.rag(["ingest", "--index", "other", "docs"]).ok();
    set("index=other").ok();
    known_answers(&sandbox);
    let args = ["a.jsonl", "--json", "--set", "ask.max_words=5"];
    let answers = eval(&sandbox, &args).ok().json();
    assert!(answers["sets"][0]["answers"]["ask.max_words=5"]["all"]["right"].is_f64());
}

#[test]
fn the_report_is_one_page_that_loads_nothing() {
    let sandbox = indexed();
    known_answers(&sandbox);
    eval(&sandbox, &["a.jsonl", "--html", "report.html", "--worst", "3"]).ok();
    let page = std::fs::read_to_string(sandbox.path().join("report.html")).unwrap();
    for part in ["<svg viewBox", "Recall among the first N", "class=\"partly\"", "and of gold"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    for outside in ["http://", "https://", "<script", "url(", "@import", "src="] {
        assert!(!page.contains(outside), "{outside}: {page}");
    }
    sandbox.write(
        "x.jsonl",
        json!({ "query": "<b>bees</b>", "relevant": { "tides.md": 1 } }).to_string(),
    );
    eval(&sandbox, &["x.jsonl", "--html", "report.html"]).exits(2).says("report.html exists");
    eval(&sandbox, &["x.jsonl", "--html", "report.html", "--force", "--worst", "1"]).ok();
    let page = std::fs::read_to_string(sandbox.path().join("report.html")).unwrap();
    assert!(page.contains("&lt;b&gt;bees&lt;/b&gt;") && !page.contains("<b>"), "{page}");
}

#[test]
fn a_language_model_is_needed_to_draft_and_to_grade() {
    let sandbox = indexed();
    known_answers(&sandbox);
    for args in [&["a.jsonl", "--judge"][..], &["--generate", "2"]] {
        eval(&sandbox, args)
            .exits(2)
            .says("needs a language model")
            .says("hint: for example RAG_LLM");
    }
}

/// `rag eval` with a scripted language model.
fn with_model(sandbox: &Sandbox, server: &LlmServer, args: &[&str]) -> Run {
    let mut command = sandbox.command([&["eval"], args].concat());
    command
        .env("RAG_LLM_BASE_URL", server.base_url())
        .env("RAG_LLM_MODEL", "small")
        .env("RAG_LLM_ATTEMPTS", "1");
    Run::of(&mut command)
}

#[test]
fn a_language_model_grades_answers_by_several_criteria() {
    let Some(sandbox) = indexed_with_loopback() else { return };
    known_answers(&sandbox);
    let grades = |request: &Request| {
        let answer = request.message("user");
        let grade = if answer.contains("(no answer)") { 2 } else { 4 };
        let reply = json!({ "correctness": grade, "completeness": 3, "groundedness": 5 });
        Step::tokens(&["Sure: ", &reply.to_string()])
    };
    let server = LlmServer::start([Step::Act(grades)]);
    let found = with_model(&sandbox, &server, &["a.jsonl", "--judge", "--json"]).ok().json();
    let requests = server.requests();
    assert_eq!(requests.len(), 3, "one a question");
    let first = requests[0].message("user");
    assert!(
        first.contains("Honey bees dance") && first.contains("hold the right answer"),
        "{first}"
    );
    assert!(requests[0].message("system").contains("- groundedness: "));
    let hybrid = &found["modes"]["hybrid"];
    assert_eq!((&hybrid["completeness"], &hybrid["groundedness"]), (&json!(3.0), &json!(5.0)));
    let correct = hybrid["correctness"].as_f64().unwrap();
    assert!((correct - 10.0 / 3.0).abs() < 1e-9, "{found}");
    assert!(hybrid["relevance"].is_null(), "a grade that the model did not give");
    let shown = with_model(&sandbox, &server, &["a.jsonl", "--judge"]).ok();
    shown.prints("3 of 3").prints("3.33");
}

#[test]
fn drafted_questions_can_be_measured() {
    let Some(sandbox) = indexed_with_loopback() else { return };
    let long = |n: usize| {
        format!("# Boat {n}\n\nThe boat {n} is blue. {}\n", "It sails at noon. ".repeat(12))
    };
    (0..5).for_each(|n| drop(sandbox.write(&format!("docs/{n}.md"), long(n))));
    sandbox.ingest();
    // The second draft quotes what no passage has.
    let server = LlmServer::start([
        Step::tokens(&[
            "{\"question\": \"When does it sail?\", \"answer\": \"sails at **noon**\"}",
        ]),
        Step::tokens(&["{\"question\": \"When?\", \"answer\": \"at midnight\"}"]),
        Step::tokens(&["no JSON"]),
        Step::tokens(&["{\"question\": \"When does the boat sail?\", \"answer\": \"at noon.\"}"]),
    ]);
    let drafted = with_model(&sandbox, &server, &["--generate", "2"]).ok().says("2 questions in");
    assert_eq!(server.requests().len(), 4, "{drafted}");
    let lines: Vec<Value> =
        drafted.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 2, "{drafted}");
    assert_eq!((&lines[0]["id"], &lines[0]["kind"]), (&json!("draft-1"), &json!("draft")));
    assert_eq!(lines[1]["answer"], json!([["at noon\\."]]));
    sandbox.write("drafts.jsonl", &drafted.stdout);
    let found = eval(&sandbox, &["drafts.jsonl", "--json"]).ok().json();
    assert_eq!(found["sets"][0]["answers"]["hybrid"]["answerable"]["n"], 2);
    let none = LlmServer::start([Step::tokens(&["no JSON"])]);
    with_model(&sandbox, &none, &["--generate", "1"]).exits(3).says("0 questions");
}
