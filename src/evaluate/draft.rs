//! Drafts of questions: a language model writes one for each of some passages of the index.

use serde::Deserialize;
use serde_json::{Value, json};

use super::judge::{chat, need_language_model, object};
use super::names::Documents;
use super::stats::Random;
use crate::analysis::{Pattern, comparable};
use crate::answer;
use crate::ask;
use crate::document::{Chunk, Location, context_line};
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::filter::Filter;
use crate::index::{State, Stored};
use crate::search::Searcher;
use crate::strings::StrExt as _;

/// Shorter passages say too little.
const MIN_CHARS: usize = 200;
/// Passages that are tried for each question wanted.
const MAX_TRIES: usize = 3;
const SEED: u64 = 11;

/// A question, in the form that [`super::read`] reads.
pub struct Draft(pub Value);

#[derive(Deserialize)]
struct Drafted {
    question: String,
    answer: String,
}

/// Drafts `n` questions from passages that are drawn over all documents, the same for the same
/// index. A draft counts only if its answer is a quotation from its passage. Fewer come if too few
/// passages give one.
///
/// # Errors
/// A usage fault when no language model is configured, or no passage is long enough; those of the
/// language model.
pub fn draft(
    engine: &Engine,
    n: usize,
    filter: Option<&Filter>,
    on_draft: &mut dyn FnMut(&Draft),
) -> Result<usize> {
    need_language_model(&engine.config, "`--generate`")?;
    let client = ask::client(&engine.config.llm)?;
    let searcher = Searcher::open(engine)?;
    let documents = Documents::of(&searcher.snapshot, &engine.config.index, false)?;
    let passages = passages(&searcher, filter)?;
    if passages.is_empty() {
        return Err(Fault::usage(format!(
            "the index `{}` has no passage of {MIN_CHARS} characters to draft a question from",
            engine.config.index
        )));
    }
    let roots = &searcher.snapshot.meta().roots;
    let mut n_drafted = 0;
    for stored in passages.iter().take(n.saturating_mul(MAX_TRIES)) {
        if n_drafted == n {
            break;
        }
        engine.check_interrupted()?;
        let about = context_line(stored.title.as_deref(), &stored.chunk.heading);
        let reply = chat(engine, &client, answer::drafting(&about, &stored.chunk.text))?;
        let root = roots.get(stored.root).map_or("", |root| &root.given);
        let name = documents.name_at(root, &stored.path);
        let Some(drafted) = object(&reply).and_then(|drafted| line(&drafted, &stored.chunk, &name))
        else {
            continue;
        };
        n_drafted += 1;
        let mut drafted = drafted;
        drafted["id"] = format!("draft-{n_drafted}").into();
        on_draft(&Draft(drafted));
    }
    Ok(n_drafted)
}

/// Passages that are long enough: one of each document, in an order that looks random, then
/// another of each, and so on.
fn passages(searcher: &Searcher, filter: Option<&Filter>) -> Result<Vec<Stored>> {
    let snapshot = &searcher.snapshot;
    let mut random = Random(SEED);
    let mut drawn: Vec<(usize, usize, Stored)> = Vec::new();
    for record in snapshot.documents()? {
        let is_allowed = filter.is_none_or(|f| f.matches(&record.facts(&snapshot.meta().roots)));
        if record.state != State::Indexed || !is_allowed {
            continue;
        }
        let chunks = snapshot.chunks_of(record.root, &record.path)?;
        let mut long: Vec<Stored> = chunks
            .into_iter()
            .filter(|stored| stored.chunk.text.chars().count() >= MIN_CHARS)
            .collect();
        for round in 0..long.len() {
            let stored = long.swap_remove(random.below(long.len()));
            drawn.push((round, random.below(usize::MAX), stored));
        }
    }
    drawn.sort_by_key(|(round, order, _)| (*round, *order));
    Ok(drawn.into_iter().map(|(.., stored)| stored).collect())
}

/// A draft as a line of a file of questions; `None` if its answer is not in the passage.
fn line(drafted: &Drafted, chunk: &Chunk, path: &str) -> Option<Value> {
    let (question, answer) = (drafted.question.one_line(), comparable(drafted.answer.trim()));
    let answer = answer.trim();
    let is_quoted = |text: &str| comparable(text).contains(answer);
    if question.is_empty() || answer.is_empty() || !is_quoted(&chunk.text) {
        return None;
    }
    let unit = chunk
        .units
        .iter()
        .position(|unit| chunk.text.get(unit.span.range()).is_some_and(is_quoted));
    let extent = chunk.extent_of(&Vec::from_iter(unit));
    let source = match extent.location.as_ref().and_then(Location::page) {
        Some(page) => json!({ "path": path, "page": page }),
        None => json!({ "path": path, "lines": [extent.lines.first, extent.lines.last] }),
    };
    Some(json!({
        "id": "", "question": question, "kind": "draft",
        "answer": [[Pattern::literal(answer)]], "source": [source],
    }))
}
