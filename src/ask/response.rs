//! What is answered, and what is reported meanwhile.

use super::injections::FlaggedPassage;
use crate::analysis::untrusted::Risk;
use crate::answer::Intent;
use crate::config::Generator;
use crate::document::{Answer, Hit, Note};
use crate::error::Fault;
use crate::filter::Filter;
use crate::llm::{Finish, Usage};
use crate::search::Pending;
use crate::sessions::{Cited, Turn};

/// Milliseconds by stage.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timings {
    pub embedding_ms: f64,
    pub search_ms: f64,
    pub generation_ms: f64,
    pub total_ms: f64,
}

/// What the cache contributed to an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheUse {
    pub answer_hit: bool,
    pub retrieval_hit: bool,
    pub embed_hits: u64,
    pub embed_misses: u64,
    pub rerank_hits: u64,
    pub rerank_misses: u64,
}

/// Progress of an answer.
pub enum Event<'a> {
    /// The passages that the answer will draw on.
    Found { hits: &'a [Hit], timings: Timings, cache: CacheUse },
    /// The next piece of the answer, as the language model writes it.
    Text(&'a str),
}

/// What the language model did.
#[derive(Debug)]
pub struct Writing {
    /// The model, as the server names it.
    pub model: String,
    pub finish: Finish,
    /// Why the text is incomplete.
    pub trouble: Option<Fault>,
    pub usage: Option<Usage>,
    pub attempts: u32,
}

/// What the checks of a language model's text removed or marked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checks {
    /// Numbers that the text cited and that no source has; removed.
    pub removed: Vec<usize>,
    /// Sentences that no cited source supports. The answer keeps them, unless it has no others:
    /// then it is empty.
    pub unsupported: Vec<String>,
    /// Number of addresses that no source has; removed.
    pub addresses: usize,
}

/// An answer and how it was made.
pub struct Response {
    pub question: String,
    /// The query: the question, completed from the conversation.
    pub resolved: String,
    pub answer: Answer,
    pub intent: Intent,
    /// The generator that wrote the answer.
    pub generator: Generator,
    /// The language model that wrote the answer, or the embedding model that found it.
    pub model: String,
    pub index: String,
    pub corpus_id: String,
    pub filter: Option<Filter>,
    /// The filter excludes every document.
    pub nothing_allowed: bool,
    /// The index has no passages.
    pub index_empty: bool,
    pub timings: Timings,
    pub cache: CacheUse,
    /// The run of the language model; `None` for a cached or an extractive answer.
    pub writing: Option<Writing>,
    pub checks: Checks,
    /// Why the extractive generator answered instead of the language model.
    pub fallback: Option<Fault>,
    /// The risk of the question.
    pub risk: Risk,
    /// Cited passages, and passages that the language model read, that contain injections.
    pub flagged: Vec<FlaggedPassage>,
    /// The index has no vectors yet.
    pub pending: Option<Pending>,
    /// Words and phrases of the question that no passage has, and what was searched instead.
    pub notes: Vec<Note>,
}

impl Response {
    /// The turn that a session stores: the words, and places instead of passages.
    pub fn turn(&self, now_s: i64) -> Turn {
        let cited = self.answer.citations.iter().map(|citation| {
            let lines = citation.extent().lines;
            Cited {
                n: citation.n,
                root: citation.hit.root.to_string(),
                path: citation.hit.path.to_string(),
                first: lines.first,
                last: lines.last,
            }
        });
        Turn {
            at: now_s,
            index: self.index.clone(),
            question: self.question.clone(),
            resolved: self.resolved.clone(),
            answer: self.answer.text.clone(),
            supported: self.answer.supported,
            intent: self.intent.name().to_owned(),
            generator: self.generator.name().to_owned(),
            citations: cited.collect(),
        }
    }

    /// Whether the text was cut: its tokens were used up, or it repeated itself.
    pub fn is_cut(&self) -> bool {
        matches!(self.finish(), Some(Finish::Length | Finish::Repeating))
    }

    /// Whether the language model was stopped before the end of its text.
    pub fn is_broken_off(&self) -> bool {
        matches!(self.finish(), Some(Finish::Broken | Finish::Interrupted))
    }

    fn finish(&self) -> Option<Finish> {
        self.writing.as_ref().map(|writing| writing.finish)
    }
}
