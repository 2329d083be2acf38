//! Conversations over a real book, without a model that rewrites: does the search find what a follow-up means?
//!
//! `dialogues.jsonl` holds twelve dialogues. For every question it names the sections, each as a file and a heading, of
//! which one must be the top passage.

use std::path::Path;

use rag::answer::resolve;
use rag::cache::Caching;
use rag::config::Mode;
use rag::engine::Engine;
use rag::search::{Request, Searcher};
use serde_json::Value;

use crate::fixtures::engine;
use crate::support::{Sandbox, shared_data};

/// Whether the best passage for `query` lies in one of the sections.
fn finds(searcher: &mut Searcher, engine: &Engine, book: &Path, query: &str, gold: &[Value]) -> bool {
    let request = Request { query: query.to_owned(), mode: Mode::Hybrid, k: 1, caching: Caching::default() };
    let found = searcher.search(engine, &request).expect("a search");
    let Some(hit) = found.hits.first() else { return false };
    if std::env::var_os("SHOW").is_some() { println!("   {query:?} -> {}:{}-{} {:?}", hit.path, hit.chunk.lines.first, hit.chunk.lines.last, hit.chunk.heading); }
    gold.iter().any(|place| {
        let (path, heading) = place.as_str().and_then(|place| place.split_once(' ')).expect("a file and a heading");
        let text = std::fs::read_to_string(book.join(path)).expect("a chapter");
        let lines: Vec<&str> = text.lines().collect();
        let first = lines.iter().position(|line| *line == heading).unwrap_or_else(|| panic!("{path} has no {heading}"));
        let mut in_code = false;
        let is_heading = |line: &&str| {
            in_code ^= line.starts_with("```");
            !in_code && line.starts_with('#')
        };
        let n_lines = lines[first + 1..].iter().position(is_heading).unwrap_or(lines.len() - first - 1);
        // Lines are counted from 1.
        let (first, last) = (first + 1, first + 1 + n_lines);
        *hit.path == *path
            && (first..=last).contains(&hit.chunk.lines.first.max(first))
            && hit.chunk.lines.last >= first
    })
}

#[test]
fn the_top_passage_of_a_follow_up_is_the_right_one() {
    let Some(book) = shared_data("rustbook_en") else { return };
    let sandbox = Sandbox::new();
    sandbox.rag(["ingest", "--quiet", "--dir", book.to_str().expect("UTF-8")]).ok();
    let engine = engine(&sandbox);
    let mut searcher = Searcher::open(&engine).expect("an index");
    let dialogues: Vec<Value> =
        include_str!("dialogues.jsonl").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(dialogues.len(), 12);
    // Dialogues whose every follow-up is found, follow-ups that are found, and those that are found as they stand.
    let (mut n_whole, mut n_found, mut n_unresolved, mut n_follow_ups) = (0, 0, 0, 0);
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
            let is_right = finds(&mut searcher, &engine, &book, &resolved.query, gold);
            if resolved.is_follow_up {
                n_follow_ups += 1;
                n_found += u32::from(is_right);
                n_unresolved += u32::from(finds(&mut searcher, &engine, &book, question, gold));
                is_whole &= is_right;
                if !is_right {
                    println!("missed: {question:?} as {:?}", resolved.query);
                }
            } else {
                assert!(turn["follows"] != true, "{question:?} leans on what was said");
            }
            assert!(turn["follows"] == resolved.is_follow_up, "{question:?} became {:?}", resolved.query);
            earlier.push(resolved.query);
        }
        n_whole += u32::from(is_whole);
    }
    println!(
        "{n_whole} of 12 dialogues; {n_found} of {n_follow_ups} follow-ups, {n_unresolved} of them without the conversation"
    );
    assert!(n_whole >= 10, "{n_whole} of 12 dialogues");
    assert!(n_unresolved < n_found);
}
