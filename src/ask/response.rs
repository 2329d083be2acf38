//! What is answered, and what is reported meanwhile.

use super::injections::FlaggedPassage;
use crate::analysis::untrusted::Risk;
use crate::answer::Intent;
use crate::config::Generator;
use crate::document::{Answer, Hit, Note};
use crate::error::{Fault, Reason};
use crate::filter::Filter;
use crate::llm::{Finish, Usage};
use crate::search::{Pending, Stale};
use crate::sessions::{Cited, Turn};
use crate::sessions::{Flag, Made, Passage};

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
    /// The index is a copy that cannot be compared with that of the depot.
    pub stale: Option<Stale>,
    /// Words and phrases of the question that no passage has, and what was searched instead.
    pub notes: Vec<Note>,
}

impl Response {
    /// The turn that a session stores: the words, and places instead of passages.
    pub fn turn(&self, now_s: i64) -> Turn {
        let cited = self.answer.citations.iter().map(|citation| {
            let (extent, whole) = (citation.extent(), &citation.hit.chunk);
            Cited {
                n: citation.n,
                root: citation.hit.root.to_string(),
                path: citation.hit.path.to_string(),
                first: extent.lines.first,
                last: extent.lines.last,
                passage: Some(Passage {
                    lines: (whole.lines.first, whole.lines.last),
                    bytes: (whole.bytes.start, whole.bytes.end),
                }),
                location: extent.location.as_ref().map(ToString::to_string),
                last_location: extent.last_location.as_ref().map(ToString::to_string),
                quotes: citation.quotes().map(str::to_owned).collect(),
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
            made: Some(Box::new(self.made())),
        }
    }

    fn made(&self) -> Made {
        let (t, cache) = (self.timings, self.cache);
        let flag = |risk: &Risk| Flag {
            level: risk.level().name().to_owned(),
            reasons: risk.reasons().iter().map(ToString::to_string).collect(),
        };
        let trouble = self.writing.as_ref().and_then(|writing| writing.trouble.as_ref());
        let injections = self
            .flagged
            .iter()
            .map(|passage| (passage.n, passage.hit.path.to_string(), flag(&passage.risk)));
        Made {
            model: self.model.clone(),
            embedding_ms: t.embedding_ms,
            search_ms: t.search_ms,
            generation_ms: t.generation_ms,
            total_ms: t.total_ms,
            answer_hit: cache.answer_hit,
            retrieval_hit: cache.retrieval_hit,
            embed_hits: cache.embed_hits,
            embed_misses: cache.embed_misses,
            rerank_hits: cache.rerank_hits,
            rerank_misses: cache.rerank_misses,
            unsupported: self.checks.unsupported.clone(),
            error: trouble.map(sentence),
            repeated: self.finish() == Some(Finish::Repeating),
            fallback: self.fallback.as_ref().map(sentence),
            risk: flag(&self.risk),
            injections: injections.collect(),
            pending: self.pending.map(|pending| (pending.done, pending.total)),
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

/// What failed, without names of servers and files.
fn sentence(fault: &Fault) -> String {
    fault.reason_given().map_or("the language model failed", Reason::sentence).to_owned()
}
