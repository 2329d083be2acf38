//! `--filter`: restricts the documents of both retrievers before ranking.

use serde_json::{Value, json};

use crate::fixtures::{error_of, indexed, paths, search, set_age, write_old};
use crate::support::Sandbox;
use crate::tools::{engine, search_request};
use rag::cache::Caching;
use rag::config::Mode;
use rag::document::Rank;
use rag::filter::Filter;
use rag::search::{Request, Searcher};

/// Sorted paths of all hits under a filter.
fn left(sandbox: &Sandbox, filter: &str) -> Vec<String> {
    let found = search(sandbox, "rises", &["--mode", "dense", "-k", "50", "--filter", filter]);
    let mut paths: Vec<String> = paths(&found).into_iter().map(str::to_owned).collect();
    paths.sort();
    paths
}

/// A file that matches worse than five hundred others is found by every retriever when only it is
/// allowed, with the scores that it has without a filter.
#[test]
fn a_poor_match_is_found_when_the_filter_allows_only_it() {
    let sandbox = Sandbox::new();
    for n in 0..500 {
        let text = format!(
            "The lighthouse keeper of the lighthouse wrote down that {n} boats came and went that \
             day.\n"
        );
        write_old(&sandbox, &format!("docs/many/{n}.txt"), text);
    }
    let poor = "This is a long tale of harbours, fish, nets and weather, of bread and of what \
         people say in the evening, \
         in which a lighthouse comes up once and nobody goes there.\n";
    write_old(&sandbox, "docs/one/tale.md", poor);
    sandbox.ingest();
    let engine = engine(&sandbox);
    let mut searcher = Searcher::open(&engine).unwrap();
    for mode in [Mode::Lexical, Mode::Dense, Mode::Hybrid] {
        let mut find = |filter: Option<&str>, k| {
            let filter = filter.map(|filter| Filter::parse(filter).unwrap());
            let request =
                Request { filter, ..search_request("lighthouse keeper", mode, k, Caching::Off) };
            searcher.search(&engine, &request).unwrap().hits
        };
        let all = find(None, 501);
        let open = all.iter().find(|hit| &*hit.path == "one/tale.md");
        assert!(
            find(None, 10).iter().all(|hit| &*hit.path != "one/tale.md"),
            "{mode:?}: the test needs a poor file"
        );
        for filter in
            ["path:one/**", "type:markdown", "not type:text", "domain:one and path:tale.md"]
        {
            let hits = find(Some(filter), 1);
            assert_eq!(hits.len(), 1, "{mode:?} {filter}");
            assert_eq!((&*hits[0].path, hits[0].rank), ("one/tale.md", 1));
            let contributions = hits[0].contributions;
            // Term rarity is that of the whole index; ranks are those among the allowed documents.
            if let (Some(own), Some(open)) =
                (contributions.lexical, open.and_then(|hit| hit.contributions.lexical))
            {
                assert_eq!(
                    (own.score, own.rank, own.normalised),
                    (open.score, Rank::At(1), 1.0),
                    "{mode:?} {filter}"
                );
            }
            if let (Some(own), Some(open)) =
                (contributions.dense, open.and_then(|hit| hit.contributions.dense))
            {
                assert_eq!((own.score, own.rank), (open.score, Rank::At(1)), "{mode:?} {filter}");
            }
        }
        assert!(
            find(Some("not path:one"), 501).iter().all(|hit| hit.path.starts_with("many/")),
            "{mode:?}"
        );
    }
}

#[test]
fn every_field_and_operator_filters() {
    let sandbox = indexed();
    set_age(&sandbox.path().join("docs/tides.md"), 400 * 86_400);
    write_old(
        &sandbox,
        "docs/deutsch.md",
        "Die Bienen tanzen, um den anderen zu sagen, wo die Blumen blühen und stehen.\n",
    );
    sandbox.ingest();
    let rust = "code/save.rs";
    for (filter, expected) in [
        ("path:*.md", &["bees.md", "deutsch.md", "tides.md"][..]),
        ("path:docs/deep/** or path:code", &[rust, "deep/er/volcano.rst"]),
        ("domain:deep", &["deep/er/volcano.rst"]),
        ("type:markdown and not lang:de", &["bees.md", "tides.md"]),
        ("type:rs", &[rust]),
        ("type:html or type:rst and size<1k", &["deep/er/volcano.rst", "trains.html"]),
        ("(type:html or type:rst) and not path:deep", &["trains.html"]),
        ("lang:de", &["deutsch.md"]),
        ("date>=2021", &["tides.md"]),
        ("date:2020-09 and size<70", &["bread.txt", "deep/er/volcano.rst"]),
        ("NOT (path:*.md OR path:*.rs OR path:*.html OR path:deep)", &["bread.txt"]),
    ] {
        assert_eq!(left(&sandbox, filter), expected, "{filter}");
    }
}

#[test]
fn a_filter_is_in_the_json_and_in_the_key_of_the_cache() {
    let sandbox = indexed();
    let ask = |filter: &str| search(&sandbox, "what rises?", &["--filter", filter]);
    let first = ask(" type:MD and not(path:bees.md) ");
    assert_eq!(first["filter"], "(type:md and not path:bees.md)");
    assert_eq!(paths(&first), ["tides.md"]);
    assert_eq!(first["cache"]["retrieval_hit"], false);
    let again = ask("type:md and not path:bees.md");
    assert_eq!((&again["cache"]["retrieval_hit"], &again["hits"]), (&json!(true), &first["hits"]));
    let other = ask("type:md");
    assert_eq!((&other["cache"]["retrieval_hit"], paths(&other).len()), (&json!(false), 2));
    assert_eq!(search(&sandbox, "what rises?", &[])["filter"], Value::Null);
    // File times are not part of the corpus id; a cached ranking for another time is not reused.
    assert_eq!(paths(&ask("date>=2022")), [""; 0]);
    set_age(&sandbox.path().join("docs/tides.md"), 800 * 86_400);
    sandbox.ingest();
    assert_eq!(paths(&ask("date>=2022")), ["tides.md"]);
}

#[test]
fn a_filter_without_a_matching_document_is_reported() {
    let sandbox = indexed();
    let nothing = ["--filter", "path:nowhere/**"];
    for command in ["search", "ask"] {
        let with = |more: &[&str]| sandbox.rag([&[command, "bees"], &nothing[..], more].concat());
        with(&[]).exits(3).says("the filter matches no document");
        let found = with(&["--json"]).exits(3).json();
        assert_eq!(found["filter"], "path:nowhere/**");
    }
    let run = sandbox.rag(["search", "bees", "--filter", "path:tide.md"]).exits(3);
    run.says("no document has `path:tide.md`; did you mean `path:tides.md`?");
    // Allowed documents without a match are another case.
    let run =
        sandbox.rag(["search", "bees", "--mode", "lexical", "--filter", "path:tides.md"]).exits(3);
    assert!(!run.stderr.contains("filter"), "{run}");
}

#[test]
fn answers_cite_allowed_documents_only() {
    let sandbox = indexed();
    let question = "How do bees tell the others where flowers are?";
    let ask = |more: &[&str]| sandbox.rag([&["ask", question, "--json"], more].concat());
    assert_eq!(ask(&["--filter", "type:md"]).ok().json()["citations"][0]["path"], "bees.md");
    let without = ask(&["--filter", "not path:bees.md"]).exits(3).json();
    assert_eq!(without["filter"], "not path:bees.md");
    let cited = without["citations"].as_array().unwrap();
    assert!(cited.iter().all(|cited| cited["path"] != "bees.md"), "{without}");
    assert_eq!(ask(&[]).ok().json()["citations"][0]["path"], "bees.md");
}

#[test]
fn an_evaluation_searches_allowed_documents_only() {
    let sandbox = indexed();
    sandbox
        .write("questions.jsonl", "{\"query\": \"bees dance\", \"relevant\": {\"bees.md\": 1}}\n");
    let eval = |filter: &str| {
        sandbox.rag(["eval", "questions.jsonl", "--json", "--filter", filter]).ok().json()
    };
    assert_eq!(eval("type:md")["modes"]["hybrid"]["recall@100"], 1.0);
    assert_eq!(eval("not path:bees.md")["modes"]["hybrid"]["recall@100"], 0.0);
}

#[test]
fn an_invalid_filter_exits_2_and_points_at_the_column() {
    let sandbox = indexed();
    let bad = "type:markdown && lang:de";
    for command in [
        &["search", "bees"][..],
        &["ask", "bees"],
        &["chat"],
        &["eval", "none"],
        &["documents", "list"],
    ] {
        let run = sandbox.rag([command, &["--filter", bad]].concat()).exits(2);
        run.says("at column 15")
            .says(&format!("\n  {bad}\n  {}^\n", " ".repeat(14)))
            .says("hint: the fields are");
    }
    let run = sandbox.rag(["search", "bees", "--json", "--filter", "colour:red"]).exits(2);
    assert!(error_of(&run)["message"].as_str().unwrap().contains("there is no field `colour`"));
    let deep = format!("{}lang:en{}", "(".repeat(10_000), ")".repeat(10_000));
    sandbox.rag(["search", "bees", "--filter", &deep]).exits(2).says("the limit of 4096");
    // Text with a meaning in SQL, patterns or shells is an ordinary value.
    for odd in
        ["path:\"' OR 1=1; --\"", "domain:%_", "meta.a:\"\\\\\\\"\"", "lang:$HOME", "path:\".*\""]
    {
        sandbox
            .rag(["search", "bees", "--filter", odd.trim()])
            .exits(3)
            .says("matches no document");
    }
}
