//! `rag search`: its JSON, its flags, its matches and their positions.

use serde_json::{Value, json};

use crate::fixtures::{error_of, indexed, paths, search, write_old};
use crate::support::{Sandbox, shared_data};
use crate::tools::{engine, search_request};
use rag::cache::Caching;
use rag::config::Mode;
use rag::search::Searcher;

/// A sandbox with an index of these files.
fn with(files: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::new();
    for (path, text) in files {
        write_old(&sandbox, &format!("docs/{path}"), text);
    }
    sandbox.ingest();
    sandbox
}

fn lexical(sandbox: &Sandbox, query: &str) -> Vec<String> {
    paths(&search(sandbox, query, &["--mode", "lexical"])).into_iter().map(str::to_owned).collect()
}

#[test]
fn json_output_has_the_documented_fields() {
    let sandbox = indexed();
    let found = search(&sandbox, "How do bees tell where flowers are?", &[]);
    assert_eq!(
        (&found["query"], &found["mode"]),
        (&json!("How do bees tell where flowers are?"), &json!("hybrid"))
    );
    assert_eq!(found["index"], "default");
    assert_eq!(found["corpus_id"], sandbox.ingest()["corpus_id"]);
    for field in ["embedding_ms", "search_ms", "total_ms"] {
        assert!(found["timings"][field].as_f64().is_some_and(|ms| ms >= 0.0), "{field} in {found}");
    }
    assert!(found["cache"].is_object());
    let hit = &found["hits"][0];
    assert_eq!(
        (&hit["rank"], &hit["root"], &hit["path"], &hit["page"]),
        (&json!(1), &json!("docs"), &json!("bees.md"), &Value::Null)
    );
    assert!(hit["score"].is_f64() && hit["heading"].is_array() && hit["text"].is_string(), "{hit}");
    assert!(
        hit["lines"].as_array().is_some_and(|l| l.len() == 2 && l.iter().all(Value::is_u64)),
        "{hit}"
    );
    assert!(
        hit["bytes"].as_array().is_some_and(|b| b.len() == 2 && b.iter().all(Value::is_u64)),
        "{hit}"
    );
    assert!(hit.get("explain").is_none(), "{hit}");
}

#[test]
fn scores_fall_and_ranks_rise() {
    let sandbox = indexed();
    for mode in ["hybrid", "lexical", "dense"] {
        let found = search(&sandbox, "the moon and the bread and the bees", &["--mode", mode]);
        let hits = found["hits"].as_array().unwrap();
        assert!(hits.len() >= 3, "{found}");
        assert_eq!(found["mode"], mode);
        let scores: Vec<f64> = hits.iter().map(|hit| hit["score"].as_f64().unwrap()).collect();
        assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
        let ranks: Vec<u64> = hits.iter().map(|hit| hit["rank"].as_u64().unwrap()).collect();
        assert_eq!(ranks, (1..=hits.len() as u64).collect::<Vec<_>>());
    }
}

#[test]
fn dense_search_finds_passages_without_a_common_word() {
    let sandbox = indexed();
    let query = "insects pointing colleagues to blossoms";
    assert_eq!(lexical(&sandbox, query), [""; 0]);
    assert_eq!(paths(&search(&sandbox, query, &["--mode", "dense"]))[0], "bees.md");
    assert_eq!(paths(&search(&sandbox, query, &[]))[0], "bees.md");
}

#[test]
fn k_limits_the_hits() {
    let sandbox = indexed();
    for k in ["1", "3"] {
        assert_eq!(paths(&search(&sandbox, "bees", &["-k", k])).len().to_string(), k);
    }
    sandbox.rag(["search", "bees", "-k", "0"]).exits(2).says("-k").says("at least 1");
    sandbox.rag(["search", "bees", "-k", "1001"]).exits(2).says("at most 1000");
    sandbox.rag(["search", "bees", "-k", "ten"]).exits(2);
}

#[test]
fn explain_shows_both_retrievers() {
    let sandbox = indexed();
    let found = search(&sandbox, "bees", &["--explain"]);
    let parts = &found["hits"][0]["explain"];
    for name in ["lexical", "dense"] {
        for field in ["rank", "score", "normalised", "weight"] {
            assert!(parts[name][field].is_number(), "{name}.{field} in {parts}");
        }
    }
    let sum: f64 = ["lexical", "dense"]
        .map(|name| {
            parts[name]["normalised"].as_f64().unwrap() * parts[name]["weight"].as_f64().unwrap()
        })
        .iter()
        .sum();
    assert!((sum - found["hits"][0]["score"].as_f64().unwrap()).abs() < 1e-9, "{found}");
    assert_eq!(found["hits"][1]["explain"]["lexical"], Value::Null);
    sandbox
        .rag(["search", "bees", "--explain"])
        .ok()
        .prints("lexical rank 1")
        .prints("lexical no match");
}

#[test]
fn plain_output_shows_rank_path_and_passage() {
    let sandbox = indexed();
    let run = sandbox.rag(["search", "honey bees", "-k", "1"]).ok();
    assert!(run.stdout.starts_with(" 1  docs/bees.md:3  "), "{run}");
    let run = run.prints("Honey bees dance");
    assert_eq!(run.stderr, "");
}

#[test]
fn no_match_exits_3_with_a_message_on_stderr() {
    let sandbox = indexed();
    let run = sandbox
        .rag(["search", "xylophone", "--mode", "lexical"])
        .exits(3)
        .says("nothing in the index `default`");
    assert_eq!(run.stdout, "");
    let run = sandbox.rag(["search", "xylophone", "--mode", "lexical", "--json"]).exits(3);
    assert_eq!((run.json()["hits"].clone(), run.stderr.as_str()), (json!([]), ""));
    assert_eq!(sandbox.rag(["search", "xylophone", "--mode", "lexical", "-q"]).exits(3).stderr, "");
}

#[test]
fn empty_and_overlong_questions_are_refused() {
    let sandbox = indexed();
    for query in ["", "  \t\n"] {
        for command in ["search", "ask"] {
            let run = sandbox.rag([command, query, "--json"]).exits(2);
            assert_eq!(error_of(&run)["message"], "the question is empty", "{run}");
        }
    }
    let long = "word ".repeat(10_000);
    sandbox.rag(["search", &long]).exits(2).says("the limit of 32768");
    sandbox.rag(["search", &long[..30_000]]).exits(0);
}

#[test]
fn identifiers_are_found_whole_and_in_parts() {
    let sandbox = with(&[
        ("underscore.md", "Call foo_bar before anything else.\n"),
        ("dash.md", "Install the foo-bar package.\n"),
        ("version.md", "Released as v1.2.3 in spring.\n"),
        ("other.md", "Released as v1.3.2 in autumn.\n"),
        ("path.md", "Files are written by std::fs::write at the end.\n"),
        ("cpp.md", "The parser is written in C++ by hand.\n"),
        ("c.md", "The kernel is written in C by hand.\n"),
        ("camel.md", "See HttpServerFactory for the details.\n"),
    ]);
    let first = |query: &str| lexical(&sandbox, query).first().cloned().unwrap_or_default();
    assert_eq!(first("foo_bar"), "underscore.md");
    assert_eq!(first("foo-bar"), "dash.md");
    assert_eq!(first("v1.2.3"), "version.md");
    assert_eq!(first("v1.3.2"), "other.md");
    assert_eq!(first("std::fs::write"), "path.md");
    assert_eq!(first("C++"), "cpp.md");
    assert_eq!(first("HttpServerFactory"), "camel.md");
    assert_eq!(first("http server factory"), "camel.md");
}

#[test]
fn quoted_words_match_as_a_phrase() {
    let sandbox = with(&[
        ("exact.md", "The night train to Vienna leaves at nine.\n"),
        ("mixed.md", "The train leaves Vienna at night.\n"),
    ]);
    assert_eq!(lexical(&sandbox, "\"night train\""), ["exact.md"]);
    assert_eq!(lexical(&sandbox, "night train").len(), 2);
    // An unclosed quote is not an error.
    assert_eq!(lexical(&sandbox, "\"night train").len(), 2);
    // In a long question the phrase is preferred.
    let long = "which line to Vienna leaves at nine and is called a \"night train\" by travellers";
    assert_eq!(lexical(&sandbox, long), ["exact.md", "mixed.md"]);
}

#[test]
fn a_phrase_that_occurs_nowhere_is_searched_as_words() {
    let sandbox = with(&[("mixed.md", "The train leaves Vienna at night.\n")]);
    // Little more than the phrase was asked for.
    sandbox.rag(["search", "\"night train\""]).exits(3);
    let long = "which line leaves Vienna and is called \"night train\" by many travellers";
    let found = search(&sandbox, long, &[]);
    assert_eq!(paths(&found), ["mixed.md"]);
    let note = "no passage has the phrase \"night train\"; searched for its words";
    assert_eq!(found["notes"], json!([note]));
    // Also when it is asked again.
    for _ in 0..2 {
        sandbox.rag(["search", long]).ok().says(note);
    }
}

#[test]
fn a_misspelt_word_finds_the_one_of_the_index() {
    let sandbox = indexed();
    let run = sandbox.rag(["search", "honny"]).ok();
    run.says("no passage has `honny`; searched for `honey`").prints("bees.md");
    // Lexical mode finds what was typed.
    let run = sandbox.rag(["search", "honny", "--mode", "lexical"]).exits(3);
    run.says("no passage has `honny`; did you mean `honey`?");
    // A word that occurs is not replaced, nor one that the model knows.
    for query in ["honey bees", "money bees"] {
        assert_eq!(search(&sandbox, query, &[]).get("notes"), None, "{query}");
    }
}

#[test]
fn two_words_written_together_are_found() {
    let sandbox = with(&[
        ("supply.md", "Zum Netz gehört ein Gerät mit zwei Buchsen.\n"),
        ("other.md", "Die Lampe hängt an der Decke.\n"),
    ]);
    assert_eq!(lexical(&sandbox, "Netzgerät"), ["supply.md"]);
}

#[test]
fn numbers_are_found_with_and_without_separators() {
    let sandbox = with(&[
        ("price.md", "The pump costs $1,299.00 without the hose.\n"),
        ("book.md", "The manual has the number 978-3-16-148410-0 on its back.\n"),
        ("other.md", "Nothing here has a number.\n"),
    ]);
    for query in ["1299", "1,299", "$1,299.00", "1.299,00"] {
        assert_eq!(lexical(&sandbox, query), ["price.md"], "{query}");
    }
    for query in ["9783161484100", "978-3-16-148410-0"] {
        assert_eq!(lexical(&sandbox, query), ["book.md"], "{query}");
    }
}

#[test]
fn a_document_that_is_named_comes_first() {
    let sandbox = with(&[
        ("pep-0572.rst", "This adds a way to assign to variables within an expression.\n"),
        ("style.md", "PEP 572 and again PEP 572: some like PEP 572, and some do not.\n"),
        ("src/walk.rs", "//! Lists folders.\npub fn run() {}\n"),
        ("hive.md", "# Bees: The Dance Language\n\nThey tell where the clover is.\n"),
        (
            "bees.md",
            "# Insects\n\nThe dance of bees, a language? Bees dance, and the language of the \
                     dance is a dance of language.\n",
        ),
        ("guide.md", "The order of walk.rs is explained here: walk.rs sorts by name.\n"),
        ("other.md", "A page about gardens, bees and the weather in spring.\n"),
        ("more.md", "Trains to Vienna leave at nine in the evening.\n"),
    ]);
    let first = |query: &str| paths(&search(&sandbox, query, &[]))[0].to_owned();
    for query in ["What does PEP 572 propose?", "pep-0572", "what is pep572"] {
        assert_eq!(first(query), "pep-0572.rst", "{query}");
    }
    assert_eq!(first("What does walk.rs do?"), "src/walk.rs");
    assert_eq!(first("Does the dance language say where clover is?"), "hive.md");
}

#[test]
fn of_many_files_alike_the_named_one_comes_first() {
    let mut files = Vec::new();
    for (company, at) in [("acme", 1), ("birch", 2), ("cedar", 3), ("dune", 4)] {
        for year in 2018..2024 {
            let text = format!(
                "Revenue grew to {} million. It was {} million in {}.\n",
                year - 1900 + at,
                year - 1901 + at,
                year - 1
            );
            files.push((format!("{company}_{year}_report.md"), text));
        }
    }
    let files: Vec<(&str, &str)> = files.iter().map(|(p, t)| (p.as_str(), t.as_str())).collect();
    let sandbox = with(&files);
    for (company, year) in [("Birch", 2022), ("Dune", 2018), ("Acme", 2021)] {
        let query = format!("What revenue did {company} report for FY{year}?");
        let path = format!("{}_{year}_report.md", company.to_lowercase());
        assert_eq!(paths(&search(&sandbox, &query, &[]))[0], path, "{query}");
    }
}

#[test]
fn common_words_in_a_path_name_no_document() {
    let other = |what: &str| {
        format!("# {what}\n\nBefore you get to the {what}, you get a card first. Get it early.\n")
    };
    let (travel, profile, tools) = (other("travel"), other("profile"), other("tools"));
    let sandbox = with(&[
        ("first-time-travel-get-in.md", travel.as_str()),
        ("first-time-travel-get-profile.md", profile.as_str()),
        ("get-tools.md", tools.as_str()),
        ("benefits.md", "# Pay\n\nThe first paycheck comes three weeks after the start.\n"),
        ("leave.md", "# Leave\n\nYou get leave in the first month.\n"),
        ("tools.md", "# Tools\n\nYou get your tools in the first week.\n"),
    ]);
    let query = "When do I get my first paycheck?";
    assert_eq!(paths(&search(&sandbox, query, &["--mode", "lexical"]))[0], "benefits.md");
}

#[test]
fn the_one_passage_with_an_identifier_comes_first() {
    let mut log: String = (0..400)
        .map(|n| {
            format!("2026-02-11 INFO worker-{} request {n} answered in {} ms\n", n % 7, n % 90)
        })
        .collect();
    log.push_str("2026-02-11 ERROR worker-3 E4471: connection to the ledger refused\n");
    log.extend((400..800).map(|n| format!("2026-02-12 INFO request {n} answered late\n")));
    let sandbox = with(&[("app.log", &log)]);
    for query in ["E4471", "What is E4471?"] {
        let found = search(&sandbox, query, &["-k", "1"]);
        assert!(found["hits"][0]["text"].as_str().unwrap().contains("E4471"), "{query}: {found}");
    }
}

#[test]
fn languages_without_spaces_are_searched_by_words() {
    let sandbox = with(&[
        ("zh.md", "离线检索系统在本机计算向量,不会上传任何文件。\n"),
        ("zh-other.md", "春天的花园里有很多蜜蜂和蝴蝶。\n"),
        ("ja.md", "東京の地下鉄は毎日何百万人もの乗客を運んでいる。\n"),
        ("th.md", "แมวชอบนอนบนหลังคาบ้านในตอนเช้า\n"),
    ]);
    for (query, path) in [
        ("向量检索", "zh.md"),
        ("蜜蜂", "zh-other.md"),
        ("地下鉄の乗客", "ja.md"),
        ("แมวบนหลังคา", "th.md"),
    ] {
        assert_eq!(lexical(&sandbox, query).first().map(String::as_str), Some(path), "{query}");
        assert!(paths(&search(&sandbox, query, &[])).contains(&path), "{query}");
    }
}

#[test]
fn copies_of_a_passage_share_one_hit() {
    let text = "# Heron\n\nThe heron waits in the reeds.\n";
    let sandbox =
        with(&[("a.md", text), ("b/c.md", text), ("d.md", text), ("e.md", "The salmon leaps.\n")]);
    let found = search(&sandbox, "heron", &["--mode", "lexical"]);
    assert_eq!(paths(&found), ["a.md"]);
    assert_eq!(
        found["hits"][0]["also"],
        json!([{ "path": "b/c.md", "line": 3 }, { "path": "d.md", "line": 3 }])
    );
    sandbox.rag(["search", "heron", "--mode", "lexical"]).ok().prints("also in 2 other places");
}

#[test]
fn spans_are_the_bytes_and_lines_of_the_original_file() {
    let mut original = String::from("# Überschrift – ñandú\r\n\r\nVorspann.\r\n\r\n");
    for n in 0..60 {
        original.push_str(&format!(
            "## Kapitel {n}\n\nAbsatz {n}: naïve Größe № {n} 🎉 ist «schön».\nZweite Zeile {n}.\n\n"
        ));
    }
    let sandbox = with(&[("lang.md", &original), ("plain.txt", "one\ntwo\n\nthree Kapitel\n")]);
    let read = |path: &str| std::fs::read(sandbox.path().join("docs").join(path)).unwrap();
    let mut n_checked = 0;
    for query in ["Kapitel 7", "Absatz 42", "three", "Vorspann"] {
        let found = search(&sandbox, query, &["-k", "100"]);
        for hit in found["hits"].as_array().unwrap() {
            let bytes = read(hit["path"].as_str().unwrap());
            let at =
                |field: &str, i: usize| usize::try_from(hit[field][i].as_u64().unwrap()).unwrap();
            let (start, end) = (at("bytes", 0), at("bytes", 1));
            assert_eq!(
                std::str::from_utf8(&bytes[start..end]).unwrap(),
                hit["text"].as_str().unwrap(),
                "{hit}"
            );
            let line_of =
                |offset: usize| bytes[..offset].iter().filter(|b| **b == b'\n').count() + 1;
            assert_eq!(
                (at("lines", 0), at("lines", 1)),
                (line_of(start), line_of(end - 1)),
                "{hit}"
            );
            n_checked += 1;
        }
    }
    assert!(n_checked >= 8, "{n_checked} hits");
}

/// <https://github.com/minimaxir/big-list-of-naughty-strings>
#[test]
fn no_question_makes_a_search_fail() {
    let mut questions: Vec<String> = [
        "\"",
        "\"\"",
        "\" \"",
        "*",
        "a*",
        "?",
        "AND",
        "OR NOT",
        "a AND (b",
        "field:value",
        "-bees",
        "+",
        "[1 TO 2]",
        "bees~2",
        "bees^1e309",
        "\\",
        "/regex.*/",
        "\0",
        "a\0b",
        "\u{202e}seeb",
        "🐝🐝🐝",
        "ﷺ",
        "\u{fffd}",
        "𝔅𝔢𝔢𝔰",
        "''';--",
        "<bees>",
        "...",
        "::",
        "_",
        "\u{301}\u{301}",
        "\u{200b}",
    ]
    .map(str::to_owned)
    .to_vec();
    questions.push("a".repeat(30_000));
    questions.push("bees ".repeat(5_000));
    questions.push("\"".repeat(9_999));
    questions.push("蜂".repeat(9_000));
    if let Some(dir) = shared_data("blns") {
        let list = std::fs::read_to_string(dir.join("blns.txt")).unwrap();
        questions.extend(list.lines().filter(|line| !line.starts_with('#')).map(str::to_owned));
    }
    let sandbox = indexed();
    let engine = engine(&sandbox);
    let mut searcher = Searcher::open(&engine).unwrap();
    for question in questions {
        for mode in [Mode::Hybrid, Mode::Lexical] {
            let request = search_request(&question, mode, 3, Caching::Off);
            match searcher.search(&engine, &request) {
                Ok(found) => {
                    assert!(found.hits.iter().all(|hit| hit.score.is_finite()), "{question:?}");
                }
                Err(fault) => assert!(question.trim().is_empty(), "{question:?}: {fault}"),
            }
        }
    }
}

#[test]
fn a_question_like_a_flag_follows_two_dashes() {
    let sandbox = indexed();
    sandbox.rag(["search", "--bees"]).exits(2);
    sandbox.rag(["search", "--", "--bees"]).ok().prints("bees.md");
}

#[test]
fn a_query_may_be_unquoted_words_or_standard_input() {
    let sandbox = indexed();
    let query = |args: &[&str]| sandbox.rag(args).ok().json()["query"].clone();
    assert_eq!(query(&["search", "honey", "bees", "--json"]), "honey bees");
    assert_eq!(
        query(&["search", "-k", "1", "honey", "--mode", "lexical", "bees", "--json"]),
        "honey bees"
    );
    // Quotes that reach the program mark an exact phrase.
    assert_eq!(query(&["search", "--json", "\"Honey bees\"", "dance"]), "\"Honey bees\" dance");
    let piped = sandbox.rag_with_input(["search", "--json", "-"], b"honey bees\n").ok();
    assert_eq!(piped.json()["query"], "honey bees");
}

#[test]
fn question_files_may_be_standard_input() {
    let sandbox = indexed();
    let known = br#"{"query": "how do bees dance", "relevant": {"bees.md": 1}}"#;
    sandbox.rag_with_input(["eval", "-"], known).ok().prints("hybrid");
    sandbox
        .rag_with_input(["cache", "warm", "-"], known)
        .ok()
        .prints("1 question: 0 already cached, 0 failed");
}

#[test]
fn document_text_cannot_control_the_terminal() {
    let sandbox =
        with(&[("evil.md", "# Evil \x1b[2J\n\nclear\x1b]0;owned\x07 the \u{202e}screen\n")]);
    for args in [
        &["search", "screen"][..],
        &["ask", "What does evil clear?"],
        &["search", "screen", "--explain"],
    ] {
        let run = sandbox.rag(args);
        assert!(!run.stdout.contains(['\x1b', '\x07', '\u{202e}']), "{run}");
    }
    // JSON contains the original text.
    assert!(search(&sandbox, "screen", &[])["hits"][0]["text"].as_str().unwrap().contains('\x1b'));
}
