//! Calls every public function that takes untrusted text. The fuzzer and the property tests share
//! this file.

#![allow(
    unused_must_use,
    clippy::let_underscore_must_use,
    reason = "the calls must return; their results do not matter"
)]

use std::collections::BTreeMap;
use std::sync::Arc;

use rag::answer::{self, Exchange, Options, Stream, Tools};
use rag::document::{Chunk, Contributions, Hit, Lines, Span};
use rag::filter::{DocumentFacts, Filter, PathGlob};
use rag::naming::{Folder, Names};
use rag::rank::{self, Candidate};
use rag::{analysis, document, strings, text};

/// File names whose formats are read without a child process.
pub const NAMES: [&str; 14] = [
    "a.txt", "a.md", "a.rst", "a.html", "a.tex", "a.srt", "a.vtt", "a.csv", "a.json", "a.jsonl",
    "a.xml", "a.py", "a.rs", "Makefile",
];

const LANGUAGES: [&[&str]; 3] = [&["en"], &["de", "fr", "tr"], &[]];

/// Answers `question` from passages with these texts, by every function that needs neither a model
/// nor an index.
pub fn ask(question: &str, texts: &[&str]) {
    for languages in LANGUAGES {
        let mut query = analysis::query_terms(question, languages);
        analysis::may_expand(&query);
        analysis::expand(&mut query, question, texts, languages);
    }
    let hits: Vec<Hit> = texts.iter().enumerate().map(|(n, text)| hit(n + 1, text)).collect();
    let candidates: Vec<Candidate<'_>> = hits
        .iter()
        .map(|hit| Candidate {
            document: (0, &hit.path),
            bytes: hit.chunk.bytes,
            text: &hit.chunk.text,
        })
        .collect();
    assert_eq!(rank::one_per_place(&candidates).len(), hits.len());

    let parts = answer::parts(question);
    answer::merge(&parts.into_iter().map(|part| (part, hits.clone())).collect::<Vec<_>>());
    let weight = |term: &str| term.len() as f64 / 8.0;
    let similarity = |texts: &[String]| {
        Ok(texts.iter().map(|text| (text.len() % 10) as f64 / 10.0).collect::<Vec<f64>>())
    };
    for languages in LANGUAGES {
        let tools = Tools {
            weight: &weight,
            languages,
            n_corrected: 0,
            zero: 0.0,
            similarity: Some(&similarity),
        };
        let options = Options::default();
        let evidence = answer::evidence(question, &hits, &options);
        let answered =
            answer::answer(question, &evidence, &tools, &options).expect("nothing can fail");
        answer::check(&answered.text, &answered.citations);
        answer::resolve(question, texts, languages, &weight);
        for text in texts {
            answer::resolve(text, &[question], languages, &weight);
            answer::vet(text, &evidence, languages);
        }
        let context = [Exchange { question: question.to_owned(), answer: texts.concat() }];
        answer::rewriting(question, &context);
        let fitted = answer::fit(evidence, 300, &|text| text.len());
        answer::prompt(question, &context, fitted, "");
    }
}

/// Reads `text` as the body of a document, and as the answer of a language model.
pub fn read(body: &str) {
    let within = |span: Span| assert!(body.get(span.range()).is_some(), "{span:?} of {body:?}");
    for language in [None, Some("en"), Some("de"), Some("tr"), Some("zh")] {
        analysis::index_terms(body, language, &mut |term| within(Span::new(term.start, term.end)));
    }
    for passage in analysis::passages(body) {
        within(passage.span);
        analysis::plain(&body[passage.span.range()]);
    }
    analysis::plain(body);
    for name in NAMES {
        analysis::readable(name, body);
    }
    analysis::is_stop_word(body, "en");
    let clean = analysis::untrusted::neutralise(body);
    assert_eq!(analysis::untrusted::neutralise(&clean), clean);
    analysis::untrusted::injections(body).into_iter().for_each(|found| within(found.span));
    analysis::untrusted::defuse(body);
    answer::marks(body).into_iter().for_each(|(span, _)| within(span));
    answer::may_abstain(body);
    document::kind_name(body);
    document::extension_of(body);
    text::detect(body);
    assert!(!strings::with_line_feeds(body).contains('\r'));

    let sources = [answer::Evidence { hit: hit(1, body), place: 0 }];
    let (mut whole, mut piecewise) = (Stream::new(&sources), Stream::new(&sources));
    let mut at_once = whole.feed(body);
    at_once.push_str(&whole.finish());
    let mut in_pieces: String =
        body.chars().map(|c| piecewise.feed(c.encode_utf8(&mut [0; 4]))).collect();
    in_pieces.push_str(&piecewise.finish());
    assert_eq!(at_once, in_pieces, "of {body:?}");
}

/// Parses `text` as a filter and as a pattern.
pub fn filter(text: &str, path: &str) {
    let meta = BTreeMap::from([("tags".to_owned(), vec![text.to_owned()])]);
    let facts = DocumentFacts {
        root: text,
        real: text,
        path,
        format: Some("text"),
        language: Some("en"),
        modified_s: Some(0),
        size_bytes: 1,
        meta: &meta,
    };
    if let Ok(filter) = Filter::parse(text) {
        filter.matches(&facts);
        let shown = filter.to_string();
        let again =
            Filter::parse(&shown).unwrap_or_else(|fault| panic!("{shown:?} of {text:?}: {fault}"));
        assert_eq!(again.to_string(), shown, "of {text:?}");
    }
    let names =
        Names::new([Folder { given: text, real: path }], path, &|path| Some(path.to_owned()));
    assert!(names.means(&names.shown(0, "a/b.md"), 0, "a/b.md"), "{names:?}");
    if let Ok(glob) = PathGlob::new(text) {
        glob.relative_to(path).matches(Folder { given: text, real: path }, path);
    }
}

/// Extracts bytes as a file of the name's format and chunks the text.
pub fn extract(name: &str, bytes: &[u8]) {
    text::outline(name, &String::from_utf8_lossy(bytes));
    let Ok(extracted) = text::extract(name, bytes) else { return };
    text::language_of(&extracted);
    let limits = text::Limits { max_tokens: 40, overlap_tokens: 8 };
    for chunk in text::chunk(&extracted, &limits, &|text| text.split_whitespace().count()) {
        assert!(!chunk.text.is_empty());
    }
}

fn hit(rank: usize, text: &str) -> Hit {
    Hit {
        rank,
        score: 1.0 / rank as f64,
        root: Arc::from("docs"),
        path: Arc::from(format!("{rank}.md")),
        title: Some(Arc::from(text)),
        chunk: Chunk {
            heading: vec![text.to_owned()],
            text: text.to_owned(),
            bytes: Span::new(0, text.len()),
            lines: Lines { first: 1, last: 1 + text.lines().count() },
            place: None,
            units: Vec::new(),
            table_header: String::new(),
        },
        also: Vec::new(),
        contributions: Contributions::default(),
    }
}
