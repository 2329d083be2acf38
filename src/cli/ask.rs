//! `rag ask`: an answer and its sources.

use clap::Args;
use serde_json::json;

use super::Flags;
use super::exit::Outcome;
use super::search::{ModeArg, heading, place};
use super::ui::{Tone, Ui, clipped, wrapped};
use super::wire::CitationJson;
use crate::ask::{Asker, Request, Response};
use crate::cache::Caching;
use crate::engine::Engine;
use crate::error::Result;

/// Answer a question from the index, with citations
///
/// The answer is made of sentences of the indexed files. When nothing there supports an answer, says so, shows the
/// nearest passages and exits with 3.
#[derive(Debug, Args)]
pub struct AskArgs {
    /// The question
    question: String,
    /// Passages to consider [default: 10]
    #[arg(short, value_name = "N")]
    k: Option<usize>,
    /// Which legs to use [default: hybrid]
    #[arg(long, value_name = "MODE")]
    mode: Option<ModeArg>,
    /// Longest answer, in words [default: 60]
    #[arg(long, value_name = "N")]
    max_words: Option<usize>,
    /// Neither read nor write the cache
    #[arg(long)]
    no_cache: bool,
    /// Compute anew and replace what the cache has
    #[arg(long, conflicts_with = "no_cache")]
    refresh: bool,
}

impl AskArgs {
    pub fn flags(&self) -> Flags {
        let k = self.k.map(|k| ("search.k", k.to_string(), "-k".to_owned()));
        let mode = self.mode.map(|mode| ("search.mode", mode.name().to_owned(), "--mode".to_owned()));
        let words = self.max_words.map(|n| ("ask.max_words", n.to_string(), "--max-words".to_owned()));
        k.into_iter().chain(mode).chain(words).collect()
    }

    fn caching(&self) -> Caching {
        match (self.no_cache, self.refresh) {
            (true, _) => Caching::Off,
            (_, true) => Caching::Refresh,
            _ => Caching::Use,
        }
    }
}

pub fn run(args: &AskArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let request = Request { question: args.question.clone(), intent: None, caching: args.caching() };
    let mut asker = Asker::open(engine)?;
    let response = asker.ask(engine, &request, &mut |_| {})?;
    show(&response, ui);
    // Freeing the network and the maps takes longer than the system's own cleaning up.
    std::mem::forget(asker);
    Ok(if response.answer.supported { Outcome::Done } else { Outcome::NothingFound })
}

/// Prints one answer.
pub(super) fn show(response: &Response, ui: &Ui) {
    let answer = &response.answer;
    if ui.json {
        let citations: Vec<CitationJson<'_>> = answer.citations.iter().map(CitationJson::new).collect();
        let t = response.timings;
        ui.json(&json!({
            "question": response.question,
            "answer": answer.text,
            "supported": answer.supported,
            "intent": response.intent.name(),
            "generator": response.generator.name(),
            "model": response.model,
            "index": response.index,
            "corpus_id": response.corpus_id,
            "citations": citations,
            "timings": {
                "embedding_ms": t.embedding_ms,
                "search_ms": t.search_ms,
                "generation_ms": t.generation_ms,
                "total_ms": t.total_ms,
            },
            "cache": {
                "answer_hit": response.cache.answer_hit,
                "retrieval_hit": response.cache.retrieval_hit,
                "embed_hits": response.cache.embed_hits,
                "embed_misses": response.cache.embed_misses,
            },
        }));
    } else {
        if answer.supported {
            ui.write(&wrapped(&answer.text, ui.width(), ""));
            ui.line("");
        } else {
            ui.line(ui.paint(Tone::Strong, "Nothing in the index supports an answer."));
            if !answer.citations.is_empty() {
                ui.line("The nearest passages:\n");
            }
        }
        for citation in &answer.citations {
            let place = place(&citation.hit);
            let room = ui.width().saturating_sub(place.chars().count() + 8).max(12);
            ui.line(format!(
                "[{}] {}  {}",
                citation.n,
                ui.paint(Tone::Place, &place),
                clipped(&heading(&citation.hit), room)
            ));
            if !answer.supported {
                ui.line(format!("    {}", clipped(&citation.hit.chunk.text, ui.width() - 4)));
            }
        }
        let t = response.timings;
        ui.detail(format!(
            "embedding {:.0} ms, search {:.0} ms, generation {:.0} ms, total {:.0} ms",
            t.embedding_ms, t.search_ms, t.generation_ms, t.total_ms
        ));
    }
}
