//! The share of answers that contain the gold span, and of questions that are refused: `XQuAD`
//! asked over its own paragraphs and over the Rust book.
//!
//! Retrieval is plain BM25 over paragraphs, without vectors: the harder of the two modes.

use std::fs;
use std::sync::Arc;

use crate::analysis::tests::retrieval::{Bm25, data};
use crate::answer::{Options, Tools, answer, check, score};
use crate::document::{Chunk, Contribution, Contributions, Hit, Lines, Rank, Span};

struct Corpus {
    chunks: Vec<(String, Chunk)>,
    index: Bm25,
    language: &'static str,
}

impl Corpus {
    fn new(chunks: Vec<(String, Chunk)>, language: &'static str) -> Self {
        let texts: Vec<String> = chunks
            .iter()
            .map(|(_, chunk)| format!("{}\n{}", chunk.heading.join(" > "), chunk.text))
            .collect();
        Self { index: Bm25::new(&texts, Some(language)), chunks, language }
    }

    fn hits(&self, question: &str, k: usize) -> Vec<Hit> {
        let found = self.index.search(question, &[self.language], 0.9, 0.4);
        let ranked = found.into_iter().zip(1..).take(k);
        let hits = ranked.map(|((at, score), rank)| {
            let (path, chunk) = &self.chunks[at as usize];
            let lexical = Contribution {
                rank: Rank::At(rank),
                score: f64::from(score),
                normalised: 1.0,
                weight: 1.0,
            };
            Hit {
                rank,
                score: f64::from(score),
                root: Arc::from("/"),
                path: Arc::from(path.as_str()),
                title: None,
                chunk: chunk.clone(),
                also: Vec::new(),
                contributions: Contributions { lexical: Some(lexical), ..Contributions::default() },
            }
        });
        hits.collect()
    }
}

/// Each with its gold spans.
type Questions = Vec<(String, Vec<String>)>;

fn chunk(text: String, heading: Vec<String>, start: usize) -> Chunk {
    Chunk {
        heading,
        bytes: Span::new(start, start + text.len()),
        text,
        lines: Lines { first: 1, last: 1 },
        place: None,
        units: Vec::new(),
        table_header: String::new(),
    }
}

/// The paragraphs of a question-answering set, and its questions with their gold spans.
fn questions(name: &str, language: &'static str) -> Option<(Corpus, Questions)> {
    let folder = data(name)?;
    let corpus = fs::read_to_string(folder.join("corpus.jsonl")).expect("readable");
    let chunks = corpus.lines().map(|line| {
        let doc: serde_json::Value = serde_json::from_str(line).expect("JSON");
        (string(&doc["_id"]), chunk(string(&doc["text"]), Vec::new(), 0))
    });
    let chunks = chunks.collect();
    let answers: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(folder.join("answers.json")).expect("readable"))
            .expect("JSON");
    let mut questions = Vec::new();
    for paragraph in array(&answers["data"]).flat_map(|document| array(&document["paragraphs"])) {
        for question in array(&paragraph["qas"]) {
            questions.push((
                string(&question["question"]),
                array(&question["answers"]).map(|answer| string(&answer["text"])).collect(),
            ));
        }
    }
    Some((Corpus::new(chunks, language), questions))
}

fn string(value: &serde_json::Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn array(value: &serde_json::Value) -> impl Iterator<Item = &serde_json::Value> {
    value.as_array().into_iter().flatten()
}

/// A folder of Markdown, split at headings and at about a thousand bytes.
fn book(name: &str, language: &'static str) -> Option<Corpus> {
    const CHUNK_BYTES: usize = 1000;
    let folder = data(name)?;
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("readable")
        .map(|entry| entry.expect("readable").path())
        .collect();
    files.sort();
    let mut chunks = Vec::new();
    for file in
        files.iter().filter(|file| file.extension().is_some_and(|extension| extension == "md"))
    {
        let text = fs::read_to_string(file).expect("readable");
        let path = file.file_name().expect("a file").to_string_lossy().into_owned();
        let (mut heading, mut open, mut in_code) = (Vec::<String>::new(), String::new(), false);
        for paragraph in text.split("\n\n") {
            let level =
                if in_code { 0 } else { paragraph.bytes().take_while(|&b| b == b'#').count() };
            if !in_code
                && !open.is_empty()
                && (level > 0 || open.len() + paragraph.len() > CHUNK_BYTES)
            {
                let start = chunks.len() * 100_000;
                chunks
                    .push((path.clone(), chunk(std::mem::take(&mut open), heading.clone(), start)));
            }
            in_code ^= paragraph.matches("```").count() % 2 == 1;
            if level > 0 {
                heading.truncate(level - 1);
                heading.push(paragraph[level..].trim().to_owned());
            } else {
                open.push_str(paragraph);
                open.push_str("\n\n");
            }
        }
        let start = chunks.len() * 100_000;
        chunks.push((path, chunk(open, heading, start)));
    }
    Some(Corpus::new(chunks, language))
}

struct Tally {
    /// Shares of all questions.
    refused: f64,
    right: f64,
    /// Mean over answers.
    words: f64,
}

fn tally(corpus: &Corpus, questions: &[(String, Vec<String>)]) -> Tally {
    let (mut n_answered, mut n_right, mut n_words) = (0, 0, 0);
    let languages = [corpus.language];
    let weight = |term: &str| f64::from(corpus.index.idf(term));
    let tools = Tools {
        weight: &weight,
        languages: &languages,
        n_corrected: 0,
        zero: 0.0,
        similarity: None,
    };
    for (question, spans) in questions {
        let pieces =
            crate::answer::evidence(question, &corpus.hits(question, 8), &Options::default());
        let said =
            answer(question, &pieces, &tools, &Options::default()).expect("nothing can fail");
        if said.supported {
            assert_eq!(check(&said.text, &said.citations), [], "{}", said.text);
            n_answered += 1;
            n_right += usize::from(spans.iter().any(|span| said.text.contains(span)));
            n_words += score::n_words(&said.text);
        }
    }
    let share = |n: usize| n as f64 / questions.len() as f64;
    Tally {
        refused: 1.0 - share(n_answered),
        right: share(n_right),
        words: n_words as f64 / n_answered.max(1) as f64,
    }
}

struct Expected {
    right: f64,
    wrongly_refused: f64,
    rightly_refused: f64,
}

fn check_on(set: &str, other: &str, language: &'static str, expected: &Expected) {
    let (Some((own, questions)), Some(other)) = (questions(set, language), book(other, language))
    else {
        return;
    };
    let on_own = tally(&own, &questions);
    let on_other = tally(&other, &questions);
    let Tally { refused, right, words } = on_own;
    eprintln!(
        "{set}: right {right:.3} in {words:.1} words, refused {refused:.3}; of another book \
         refused {:.3}",
        on_other.refused
    );
    assert!(right >= expected.right && refused <= expected.wrongly_refused && words <= 90.0);
    assert!(on_other.refused >= expected.rightly_refused);
}

#[test]
fn english() {
    check_on(
        "xquad_en",
        "rustbook_en",
        "en",
        &Expected { right: 0.83, wrongly_refused: 0.09, rightly_refused: 0.95 },
    );
}

#[test]
fn chinese() {
    check_on(
        "xquad_zh",
        "rustbook_zh",
        "zh",
        &Expected { right: 0.82, wrongly_refused: 0.11, rightly_refused: 0.9 },
    );
}
