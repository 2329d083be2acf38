use std::sync::Arc;

use super::*;
use crate::document::{Answer, Chunk, Contribution, Contributions, Hit, Lines, Rank, Span};

mod excerpts;
mod generated;
mod measure;
mod units;

/// A hit of `path` whose text begins at byte `start`; scores fall with rank.
fn hit(rank: usize, path: &str, start: usize, text: &str) -> Hit {
    Hit {
        rank,
        score: 1.0 / rank as f64,
        root: Arc::from("/root"),
        path: Arc::from(path),
        title: None,
        chunk: Chunk {
            heading: Vec::new(),
            text: text.to_owned(),
            bytes: Span::new(start, start + text.len()),
            lines: Lines { first: start + 1, last: start + text.lines().count() },
            place: None,
            units: Vec::new(),
            table_header: String::new(),
        },
        also: Vec::new(),
        contributions: Contributions {
            lexical: Some(Contribution {
                rank: Rank::At(rank),
                score: 1.0,
                normalised: 1.0,
                weight: 1.0,
            }),
            ..Contributions::default()
        },
    }
}

/// Rarity by the hits themselves: a word that none of them has is rarest.
fn ask(question: &str, hits: &[Hit], options: &Options) -> Answer {
    let texts: Vec<String> = hits.iter().map(|hit| hit.chunk.text.clone()).collect();
    let index = crate::analysis::tests::retrieval::Bm25::new(&texts, Some("en"));
    let weight = |term: &str| f64::from(index.idf(term));
    let tools =
        Tools { weight: &weight, languages: &["en"], n_corrected: 0, zero: 0.0, similarity: None };
    answer(question, &evidence(question, hits, options), &tools, options).expect("nothing can fail")
}

/// Checks that the answer has `expected`. The choice is learned, so neighbours may be quoted, too.
#[track_caller]
fn check_answer(question: &str, texts: &[&str], expected: &str) {
    let hits: Vec<Hit> = texts
        .iter()
        .zip(1..)
        .map(|(text, rank)| hit(rank, &format!("{rank}.md"), 0, text))
        .collect();
    let answer = ask(question, &hits, &Options::default());
    assert!(answer.text.contains(expected), "answer to {question:?}: {}", answer.text);
    if answer.supported {
        assert_eq!(
            citations::check(&answer.text, &answer.citations),
            [],
            "marks of {:?}",
            answer.text
        );
    }
}

const ELSEWHERE: &str = "The harbour has two basins. Ships wait outside for the tide.";

#[test]
fn a_fact_is_quoted() {
    check_answer(
        "When was the lighthouse built?",
        &[
            "The **lighthouse** was built in 1887 by the harbour board.[3] It has a red lamp.",
            ELSEWHERE,
        ],
        "The lighthouse was built in 1887 by the harbour board. [1]",
    );
}

#[test]
fn a_dependent_sentence_brings_the_one_before_it() {
    check_answer(
        "How heavy is the lens of the lighthouse?",
        &[
            "The lens was ground in Paris. It weighs two tonnes, and the lens of a lighthouse is \
             seldom that heavy. Visitors are welcome.",
            ELSEWHERE,
        ],
        "The lens was ground in Paris. [1] It weighs two tonnes, and the lens of a lighthouse is \
         seldom that heavy. [1]",
    );
}

#[test]
fn steps_stay_a_list() {
    check_answer(
        "How do I clean the lamp?",
        &[
            "To clean the lamp, follow these steps:\n\n1. Switch the lamp off.\n2. Wipe the glass \
             with\n   a dry cloth.\n3. Switch it on.\n\nThe lamp is old.",
            ELSEWHERE,
        ],
        "To clean the lamp, follow these steps: [1]\n1. Switch the lamp off. [1]\n2. Wipe the \
         glass with a dry cloth. [1]\n3. Switch it on. [1]",
    );
}

#[test]
fn code_stays_code() {
    check_answer(
        "How do I start the lamp service?",
        &[
            "The lamp service is a daemon. To start the lamp service, run:\n\n```sh\nlampd --start \
             args[1]\n```\n\nIt logs to a file.",
            ELSEWHERE,
        ],
        "To start the lamp service, run: [1]\n```sh\nlampd --start args[1]\n```\n[1]",
    );
}

#[test]
fn comments_of_source_code_are_quoted_without_their_marks() {
    let text = "/// Switches the lamp on and waits\n/// until it burns.\npub fn switch_on() {}\n";
    let answer = ask(
        "What switches the lamp on?",
        &[hit(1, "lamp.rs", 0, text), hit(2, "b.md", 0, ELSEWHERE)],
        &Options::default(),
    );
    assert!(answer.text.starts_with("Switches the lamp on and waits until it burns. [1]"));
    assert_eq!(answer.citations[0].hit.chunk.text, text, "the citation shows the file");
}

#[test]
fn a_heading_that_asks_is_no_answer() {
    check_answer(
        "How heavy is the lens?",
        &[
            "## How heavy is the lens?\n\nIt weighs two tonnes with its frame.\n\n## Who ground \
             it?\n\nA workshop in Paris did.",
            ELSEWHERE,
        ],
        "It weighs two tonnes with its frame. [1]",
    );
}

#[test]
fn a_problem_gets_its_cause_and_its_remedy() {
    check_answer(
        "Why does the lamp fail to start?",
        &[
            "The lamp fails to start because its oil is frozen. That happens in hard winters. Warm \
             the tank, or use `lampd --heat` overnight. The tank is green.",
            ELSEWHERE,
        ],
        "The lamp fails to start because its oil is frozen. [1] That happens in hard winters. [1] \
         Warm the tank, or use `lampd --heat` overnight. [1]",
    );
}

#[test]
fn a_summary_covers_every_section() {
    check_answer(
        "Describe the lighthouse",
        &[
            "The lighthouse stands on the northern cliff of the island. The lighthouse has a red \
             lamp and a horn.",
            "The lighthouse was built of granite in 1887 by the board.",
            ELSEWHERE,
        ],
        "The lighthouse stands on the northern cliff of the island. [1] The lighthouse has a red \
         lamp and a horn. [1] The lighthouse was built of granite in 1887 by the board. [2]",
    );
}

#[test]
fn a_comparison_is_answered_by_what_mentions_both() {
    let texts = [
        "A beacon is a fixed light on land or on a pile. Beacons are painted red.",
        "While a beacon stands still, a buoy moves with the water.",
        ELSEWHERE,
    ];
    check_answer("What is the difference between a beacon and a buoy?", &texts, texts[1]);
}

#[test]
fn every_part_of_a_question_is_answered() {
    let texts = [
        "The foghorn is a compressed-air siren on the roof. Gulls hate it.",
        "To test the foghorn, open the valve for a second. The valve is blue.",
        ELSEWHERE,
    ];
    let question = "What is the foghorn and how do I test it?";
    check_answer(question, &texts, "The foghorn is a compressed-air siren on the roof. [1]");
    check_answer(question, &texts, "\n\nTo test the foghorn, open the valve for a second. [2]");
    // An unsupported part is left out.
    check_answer(
        "What is the foghorn? Who won the cycling race in Flanders?",
        &texts,
        "The foghorn is a compressed-air siren on the roof. [1]",
    );
}

#[test]
fn questions_are_split_into_parts() {
    let check =
        |question: &str, expected: &[&str]| assert_eq!(parts(question), expected, "{question:?}");
    check(
        "What is a beacon and how do I install one?",
        &["What is a beacon", "how do I install one?"],
    );
    check("What is rag, and how do I install it?", &["What is rag", "how do I install rag?"]);
    check("What is a beacon? What is a buoy?", &["What is a beacon?", "What is a buoy?"]);
    check(
        "Was ist ein Index und wie baue ich einen?",
        &["Was ist ein Index", "wie baue ich einen?"],
    );
    check("什么是信标？什么是浮标？", &["什么是信标？", "什么是浮标？"]);
    check(
        "What is the difference between a beacon and a buoy?",
        &["What is the difference between a beacon and a buoy?", "beacon", "buoy"],
    );
    check(
        "lexical vs dense search",
        &["lexical vs dense search", "lexical search", "dense search"],
    );
    check(
        "Compare Box, Rc and Arc in Rust",
        &["Compare Box, Rc and Arc in Rust", "Box", "Rc", "Arc"],
    );
    check("线程与进程的区别是什么？", &["线程与进程的区别是什么？", "线程", "进程"]);
    for single in [
        "What are the pros and cons of buoys?",
        "How do I set up the VS Code editor?",
        "Explain what a buoy is and how it works",
        "Who painted the beacon and when?",
        "How do I install and start the lamp?",
        "When did he build it and where did it stand?",
        "I use Linux. How do I install rag?",
        "What did Tesla and Edison argue about?",
        "",
    ] {
        check(single, &[single]);
    }
}

#[test]
fn rankings_of_parts_are_merged() {
    let part = |hits: &[(&str, &str)]| {
        (
            String::new(),
            hits.iter()
                .zip(1..)
                .map(|((path, text), rank)| hit(rank, path, 0, text))
                .collect::<Vec<_>>(),
        )
    };
    let merged = merge(&[
        part(&[("a", "one"), ("b", "two"), ("c", "six")]),
        part(&[("b", "two"), ("d", "ten")]),
    ]);
    let found: Vec<(usize, &str)> = merged.iter().map(|hit| (hit.rank, &*hit.path)).collect();
    assert_eq!(found, [(1, "a"), (2, "b"), (3, "d"), (4, "c")]);
    assert!(merge(&[]).is_empty());
}

#[test]
fn a_table_is_a_list() {
    check_answer(
        "List the lamp colours",
        &[
            "These are the lamp colours of the coast.\n\n| Place | Colour |\n|---|---|\n| North | \
             red |\n| South | green |",
            ELSEWHERE,
        ],
        "These are the lamp colours of the coast. [1]\n- Place | Colour [1]\n- North | red [1]\n- \
         South | green [1]",
    );
}

#[test]
fn sources_are_numbered_in_order_of_use() {
    let hits = [
        hit(1, "a.md", 0, "The keeper of the lighthouse lives in the village."),
        hit(2, "b.md", 0, "Nothing of note happened in spring."),
        hit(3, "c.md", 0, "The keeper of the lighthouse keeps bees in the tower."),
    ];
    let answer = ask("What does the keeper of the lighthouse keep?", &hits, &Options::default());
    assert!(answer.supported);
    let cited: Vec<(usize, &str)> =
        answer.citations.iter().map(|citation| (citation.n, &*citation.hit.path)).collect();
    assert!(cited.iter().map(|(n, _)| *n).eq(1..=cited.len()), "{cited:?}");
    assert!(cited.iter().all(|(_, path)| *path != "b.md"), "only what is used is cited: {cited:?}");
}

#[test]
fn an_unsupported_question_is_not_answered() {
    let hits = [
        hit(1, "a.md", 0, "The lighthouse was built in 1887 by the harbour board."),
        hit(2, "b.md", 0, ELSEWHERE),
    ];
    for question in [
        "What is the capital of Zorbland?",
        "Who won the cycling race in Flanders?",
        "",
        "?!",
        "\"\"",
    ] {
        let answer = ask(question, &hits, &Options::default());
        assert!(!answer.supported && answer.text.is_empty(), "{question:?}: {answer:?}");
        assert_eq!(answer.citations.len(), 2, "the nearest passages are cited");
    }
    assert!(!ask("When was the lighthouse built?", &[], &Options::default()).supported);
}

#[test]
fn an_answer_has_at_most_max_words() {
    let long = "The lighthouse was built of stone in 1887. The lighthouse was built up in 1901 \
         with iron. The lighthouse was built anew in 1950, of concrete.";
    for max_words in [1, 9, 20, 60] {
        let options = Options { max_words, ..Options::default() };
        let answer = ask(
            "When was the lighthouse built?",
            &[hit(1, "a.md", 0, long), hit(2, "b.md", 0, ELSEWHERE)],
            &options,
        );
        // The best sentence is quoted even when it alone is too long.
        let limit = max_words.max(9);
        assert!(score::n_words(&plain_of(&answer)) <= limit, "{max_words}: {}", answer.text);
    }
}

/// The answer without its marks.
fn plain_of(answer: &Answer) -> String {
    let mut text = answer.text.clone();
    for (span, _) in marks(&answer.text).into_iter().rev() {
        text.replace_range(span.range(), "");
    }
    text
}

#[test]
fn similarities_are_computed_once_and_their_faults_are_reported() {
    let hits = [
        hit(
            1,
            "a.md",
            0,
            "The lighthouse was built in 1887. It has a red lamp. Ships see it from afar.",
        ),
        hit(2, "b.md", 0, ELSEWHERE),
    ];
    let pieces = evidence("When was the lighthouse built?", &hits, &Options::default());
    let weight = |_: &str| 1.0;
    let calls = std::cell::Cell::new(0);
    let near = |texts: &[String]| {
        calls.set(calls.get() + 1);
        assert!(texts.len() <= 12);
        Ok(vec![f64::NAN; texts.len()])
    };
    let tools = Tools {
        weight: &weight,
        languages: &["en"],
        n_corrected: 0,
        zero: 0.0,
        similarity: Some(&near),
    };
    assert!(answer("When was the lighthouse built?", &pieces, &tools, &Options::default()).is_ok());
    assert_eq!(calls.get(), 1);
    let broken = |_: &[String]| Err(crate::error::Fault::failed("no model"));
    let tools = Tools { similarity: Some(&broken), ..tools };
    assert!(
        answer("When was the lighthouse built?", &pieces, &tools, &Options::default()).is_err()
    );
}

#[track_caller]
fn check_marks(text: &str, expected: &[usize]) {
    let found: Vec<usize> = marks(text)
        .into_iter()
        .map(|(span, n)| {
            assert_eq!(text[span.range()], format!("[{n}]"));
            n
        })
        .collect();
    assert_eq!(found, expected, "marks of {text:?}");
}

#[test]
fn marks_are_found() {
    check_marks("One. [1] Two.[2][13]", &[1, 2, 13]);
    check_marks("[0] [a] [1, 2] [] [ 1] [1234567] [", &[]);
    check_marks("`a[1]` and ``b`[2]`` but [3]", &[3]);
    check_marks("```\na[1]\n```\n[2]", &[2]);
    check_marks("```a[1]``` [2]", &[2]);
    check_marks("an odd ` tick [1]", &[1]);
    check_marks("~~~\na[1]\n~~~ [2] ~ [3]", &[2, 3]);
    check_marks("```\nnever closed [1]", &[]);
    check_marks("中[1]文", &[1]);
}

#[test]
fn a_paragraph_from_one_source_is_marked_once_for_readers() {
    let check = |text: &str, shown: &str| assert_eq!(with_one_mark_a_paragraph(text), shown);
    check("One. [1] Two. [1]", "One. Two. [1]");
    check("One. [1] Two. [2] Three. [2]", "One. [1] Two. Three. [2]");
    check("Both. [1][2] Two. [2]", "Both. [1][2] Two. [2]");
    check("One: [1]\n- a [1]\n- b [1]", "One:\n- a\n- b [1]");
    check("Run: [1]\n```\na[1]\n```\n[1]\nThen. [1]", "Run:\n```\na[1]\n```\nThen. [1]");
    check("One. [1]\n\nTwo. [1]", "One. [1]\n\nTwo. [1]");
    check("None.", "None.");
}

#[test]
fn marks_and_citations_must_agree() {
    let citations = [
        crate::document::Citation { n: 1, hit: hit(1, "a", 0, "x"), quoted: Vec::new() },
        crate::document::Citation { n: 2, hit: hit(2, "b", 0, "y"), quoted: Vec::new() },
    ];
    assert_eq!(citations::check("a [1] b [2]", &citations), []);
    assert_eq!(
        citations::check("a [1] b [3]", &citations),
        [Mismatch::Unknown { n: 3 }, Mismatch::Unused { n: 2 }]
    );
}

#[test]
fn evidence_has_no_duplicates() {
    let texts = |hits: &[Hit], limits: Limits| {
        choose(hits, limits).into_iter().map(|evidence| evidence.hit.chunk.text).collect::<Vec<_>>()
    };
    let all = Limits { max_passages: 9, max_per_source: 9 };
    let first = "one two three four five six seven";
    let next = "five six seven eight nine ten";
    let offset = first.find("five").expect("it is there");
    // Overlapping neighbours become one passage, whichever came first.
    for (a, b) in [((1, 0, first), (2, offset, next)), ((2, 0, first), (1, offset, next))] {
        let hits = [hit(a.0, "a", a.1, a.2), hit(b.0, "a", b.1, b.2)];
        assert_eq!(texts(&hits, all), ["one two three four five six seven eight nine ten"]);
        let merged = &choose(&hits, all)[0].hit.chunk;
        assert_eq!(merged.bytes, Span::new(0, offset + next.len()));
    }
    // The same words in another file are the same evidence.
    assert_eq!(texts(&[hit(1, "a", 0, first), hit(2, "b", 0, first)], all), [first]);
    // One file does not crowd out the others.
    let hits = [
        hit(1, "a", 0, "p q"),
        hit(2, "a", 10, "r s"),
        hit(3, "a", 20, "t u"),
        hit(4, "b", 0, "v w"),
    ];
    assert_eq!(texts(&hits, Limits { max_passages: 3, max_per_source: 2 }), ["p q", "r s", "v w"]);
}

#[test]
fn intents() {
    use Intent::{Comparison, Definition, Factoid, HowTo, List, Summary, Troubleshooting};
    let cases: &[(Intent, &[&str])] = &[
        (
            HowTo,
            &[
                "How do I set up VS Code?",
                "How do I install it?",
                "how to install",
                "How can I run rag without a network?",
                "How do I handle errors?",
                "Wie kann ich es installieren?",
                "Wie installiere ich rag?",
                "Comment puis-je l'installer ?",
                "如何安装？",
                "どうやってインストールしますか",
            ],
        ),
        (
            Troubleshooting,
            &[
                "Why does the ingest fail?",
                "Why can't rag find the model?",
                "What should I do when the index is damaged?",
                "How do I fix a locked database?",
                "rag doctor is not working",
                "Warum ist die Suche so langsam?",
                "Pourquoi une erreur s'affiche-t-elle ?",
                "为什么启动失败？",
                "なぜエラーになりますか",
            ],
        ),
        (
            Comparison,
            &[
                "What is the difference between `Box<T>` and `Rc<T>`?",
                "hybrid vs. lexical search",
                "Compare threads and tasks",
                "How does String differ from &str?",
                "Was ist der Unterschied zwischen Box und Rc?",
                "Quelle est la différence entre Box et Rc ?",
                "线程和进程的区别是什么？",
                "スレッドとプロセスの違いは",
            ],
        ),
        (
            Summary,
            &[
                "Summarise the chapter on ownership",
                "Give me an overview of the cache",
                "What is this document about?",
                "Explain how the cache works",
                "Describe the lighthouse.",
                "How do plants breathe?",
                "How does the cache work?",
                "Erkläre den Cache",
                "总结一下缓存",
            ],
        ),
        (
            List,
            &[
                "What are the rules of ownership?",
                "List all exit codes",
                "Which formats are there?",
                "Welche Formate gibt es?",
                "有哪些格式？",
            ],
        ),
        (
            Definition,
            &[
                "What is ownership?",
                "What is a linked list?",
                "define borrowing",
                "Was ist ein Index?",
                "什么是所有权？",
            ],
        ),
        (
            Factoid,
            &[
                "Who built the lighthouse?",
                "When was it built?",
                "Why is the sky blue?",
                "What word describes a house with two doors?",
                "How many exit codes does the program that came with the lamp have?",
                "",
            ],
        ),
    ];
    for (intent, questions) in cases {
        for question in *questions {
            assert_eq!(Intent::of(question), *intent, "{question:?}");
        }
    }
    for intent in Intent::ALL {
        assert_eq!(Intent::from_name(intent.name()), Some(*intent));
        assert!(intent.k(10) >= 10);
    }
}

/// Words and marks that caused bugs.
const PIECES: &str = "(the |lighthouse |built |1887 |how |lamp |`|```\n|``|~~~|[1]|[2] |a[3]|: \
     |\\. |\\? |\n|\n\n|# |- |1\\. |\\*\\*|_|> |\\| |<b>|    x=1;\n|中文。|\"){0,40}";

proptest::proptest! {
    #[test]
    fn an_answer_cites_what_it_uses_and_nothing_else(
        question in PIECES,
        texts in proptest::collection::vec(PIECES, 0..5),
        seed in 0..4_usize,
    ) {
        let mut hits: Vec<Hit> = texts.iter().zip(1..).map(|(text, rank)| {
            let mut hit = hit(rank, if rank % 2 == 0 { "a" } else { "b" }, rank * 10, text);
            hit.score = 1.0 / (rank / 2 + 1) as f64;
            hit
        }).collect();
        let first = ask(&question, &hits, &Options::default());
        if first.supported {
            let mismatches = citations::check(&first.text, &first.citations);
            proptest::prop_assert_eq!(mismatches, [], "{}", first.text);
            proptest::prop_assert!(!first.citations.is_empty());
        } else {
            proptest::prop_assert!(first.text.is_empty());
        }
        let mut numbered = first.citations.iter().zip(1..);
        proptest::prop_assert!(numbered.all(|(citation, n)| citation.n == n));
        // Hits with equal scores may come in either order.
        let n = hits.len();
        for at in 1..n {
            if hits[at].score.total_cmp(&hits[at - 1].score).is_eq() && seed % 2 == 0 {
                hits.swap(at, at - 1);
                hits[at].rank = at + 1;
                hits[at - 1].rank = at;
            }
        }
        if n > 0 {
            hits.rotate_left(seed % n);
        }
        let again = ask(&question, &hits, &Options::default());
        proptest::prop_assert_eq!(again.text, first.text);
    }
}
