//! Sessions over a real book, without a language model: does search find the sections that a
//! follow-up refers to?
//!
//! `dialogues.jsonl` holds twelve dialogues. Each question names sections, as a file and a heading,
//! one of which must contain the top passage; each follow-up also names its full wording. Every
//! full wording finds its section, so the test measures the completion of follow-ups, not search.

use std::path::Path;

use rag::answer::resolve;
use rag::cache::Caching;
use rag::config::Mode;
use rag::engine::Engine;
use rag::search::Searcher;
use serde_json::Value;

use crate::support::{Sandbox, shared_data};
use crate::tools::{engine, search_request};

/// Whether the best passage for `query` is in one of the sections.
fn finds(
    searcher: &mut Searcher,
    engine: &Engine,
    book: &Path,
    query: &str,
    gold: &[Value],
) -> bool {
    let request = search_request(query, Mode::Hybrid, 1, Caching::default());
    let found = searcher.search(engine, &request).expect("a search");
    let Some(hit) = found.hits.first() else { return false };
    gold.iter().any(|section| {
        let section = section.as_str().and_then(|section| section.split_once(' '));
        let (path, heading) = section.expect("a file and a heading");
        let (first, last) = lines_of_section(&book.join(path), heading);
        let lines = hit.chunk.lines;
        *hit.path == *path && lines.first.max(first) <= last && lines.last >= first
    })
}

/// First and last line of a section of a Markdown file, counted from 1.
fn lines_of_section(path: &Path, heading: &str) -> (usize, usize) {
    let text = std::fs::read_to_string(path).expect("a chapter");
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.iter().position(|line| *line == heading);
    let first = first.unwrap_or_else(|| panic!("{} has no {heading}", path.display()));
    let mut in_code = false;
    let is_heading = |line: &&str| {
        in_code ^= line.starts_with("```");
        !in_code && line.starts_with('#')
    };
    let n_lines = lines[first + 1..].iter().position(is_heading).unwrap_or(lines.len() - first - 1);
    (first + 1, first + 1 + n_lines)
}

#[test]
fn follow_ups_find_the_right_passage_in_most_dialogues() {
    let Some(book) = shared_data("rustbook_en") else { return };
    let sandbox = Sandbox::new();
    sandbox.rag(["ingest", "--quiet", "--dir", book.to_str().expect("UTF-8")]).ok();
    let engine = engine(&sandbox);
    let mut searcher = Searcher::open(&engine).expect("an index");
    let dialogues: Vec<Value> = include_str!("dialogues.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(dialogues.len(), 12);
    let mut tally = Tally::default();
    for dialogue in &dialogues {
        let mut earlier: Vec<String> = Vec::new();
        let mut is_whole = true;
        for turn in dialogue["turns"].as_array().expect("turns") {
            let question = turn["ask"].as_str().expect("a question");
            let gold = turn["gold"].as_array().expect("sections");
            let resolved = {
                let before: Vec<&str> = earlier.iter().map(String::as_str).collect();
                let weight = |term: &str| searcher.snapshot.term_weight(term).expect("a weight");
                resolve(question, &before, &["en"], &weight)
            };
            let full_wording = turn["means"].as_str();
            assert_eq!(
                resolved.is_follow_up,
                full_wording.is_some(),
                "{question:?} became {:?}",
                resolved.query
            );
            if let Some(full_wording) = full_wording {
                let mut is_found = |query: &str| finds(&mut searcher, &engine, &book, query, gold);
                let is_right = is_found(&resolved.query);
                tally.n_follow_ups += 1;
                tally.n_right += u32::from(is_right);
                tally.n_right_as_typed += u32::from(is_found(question));
                tally.n_right_written_out += u32::from(is_found(full_wording));
                is_whole &= is_right;
                if !is_right {
                    println!("missed: {question:?} as {:?}", resolved.query);
                }
            } else {
                assert_eq!(resolved.query, question);
            }
            earlier.push(resolved.query);
        }
        tally.n_whole += u32::from(is_whole);
    }
    println!("{tally:?}");
    assert!(tally.n_whole >= 10, "{tally:?}");
    assert!(tally.n_right_as_typed < tally.n_right, "{tally:?}");
    assert_eq!(
        tally.n_right_written_out, tally.n_follow_ups,
        "these test search, not the completion of follow-ups: {tally:?}"
    );
}

#[derive(Debug, Default)]
struct Tally {
    /// Dialogues in which every follow-up finds the right passage.
    n_whole: u32,
    n_follow_ups: u32,
    n_right: u32,
    /// Hits of the follow-ups as typed.
    n_right_as_typed: u32,
    /// Hits of the full wordings.
    n_right_written_out: u32,
}
