//! What was found, and what was answered.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{PendingJson, place};
use crate::analysis::untrusted::InjectionKind;
use crate::ask::{CacheUse, FlaggedPassage, Response, Timings, injection_kinds};
use crate::document::{Citation, Contribution, Contributions, Hit, Location};
use crate::error::{Fault, Reason};
use crate::filter::Filter;
use crate::llm::Finish;
use crate::search;

/// A passage that was found
#[derive(Serialize, ToSchema)]
#[schema(as = Hit)]
pub struct HitJson<'a> {
    /// Place in the ranking, from 1
    rank: usize,
    score: f64,
    /// The folder that was ingested, as it was named then
    root: &'a str,
    /// Path below that folder
    path: &'a str,
    /// First and last line, from 1
    #[schema(value_type = Vec<usize>, min_items = 2, max_items = 2)]
    lines: [usize; 2],
    /// First byte, and the one behind the last
    #[schema(value_type = Vec<usize>, min_items = 2, max_items = 2)]
    bytes: [usize; 2],
    /// Page of a document that has pages
    page: Option<usize>,
    /// Page, slide, sheet and cell, message or notebook cell
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<Value>,
    /// Title of the document
    title: Option<&'a str>,
    /// The headings that it stands under, outermost first
    heading: &'a [String],
    text: &'a str,
    /// The same words elsewhere
    also: Vec<AlsoJson<'a>>,
    /// What each leg of the search says of it
    #[serde(skip_serializing_if = "Option::is_none")]
    explain: Option<ExplainJson>,
    /// What kinds of orders the passage tries to give to a model
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    orders: Vec<&'static str>,
}

/// Where the same words stand
#[derive(Serialize, ToSchema)]
#[schema(as = Copy)]
struct AlsoJson<'a> {
    path: &'a str,
    /// First line, from 1
    line: usize,
}

/// What each leg of a search says of a passage
#[derive(Serialize, ToSchema)]
#[schema(as = Explanation)]
struct ExplainJson {
    lexical: Option<LegJson>,
    dense: Option<LegJson>,
    rerank: Option<LegJson>,
}

/// What one leg of a search says of a passage
#[derive(Serialize, ToSchema)]
#[schema(as = Contribution)]
struct LegJson {
    /// Place in the ranking of this leg, from 1
    rank: usize,
    /// BM25 score, cosine, or mean of the best cosines between tokens
    score: f64,
    /// The score on the leg's scale: about 1 for a passage that answers
    normalised: f64,
    /// How much the leg counts
    weight: f64,
}

impl LegJson {
    fn new(leg: Option<Contribution>) -> Option<Self> {
        leg.map(|Contribution { rank, score, normalised, weight }| Self {
            rank,
            score,
            normalised,
            weight,
        })
    }
}

impl<'a> HitJson<'a> {
    pub fn new(hit: &'a Hit, explain: bool) -> Self {
        Self {
            rank: hit.rank,
            score: hit.score,
            root: &hit.root,
            path: &hit.path,
            lines: [hit.chunk.lines.first, hit.chunk.lines.last],
            bytes: [hit.chunk.bytes.start, hit.chunk.bytes.end],
            page: hit.chunk.place.as_ref().and_then(Location::page),
            place: hit.chunk.place.as_ref().map(place),
            title: hit.title.as_deref(),
            heading: &hit.chunk.heading,
            text: &hit.chunk.text,
            also: hit.also.iter().map(|(path, line)| AlsoJson { path, line: *line }).collect(),
            explain: explain.then(|| {
                let Contributions { lexical, dense, rerank } = hit.contributions;
                let (lexical, dense, rerank) =
                    (LegJson::new(lexical), LegJson::new(dense), LegJson::new(rerank));
                ExplainJson { lexical, dense, rerank }
            }),
            orders: Vec::new(),
        }
    }

    /// With the orders that the passage tries to give; an answer lists those of its sources itself.
    #[must_use]
    pub fn with_orders(self, kinds: &[InjectionKind]) -> Self {
        Self { orders: kinds.iter().map(|kind| kind.name()).collect(), ..self }
    }
}

/// A numbered source of an answer
#[derive(Serialize, ToSchema)]
#[schema(as = Citation)]
pub struct CitationJson<'a> {
    /// The number that `[n]` in the answer refers to
    n: usize,
    #[serde(flatten)]
    hit: HitJson<'a>,
}

impl<'a> CitationJson<'a> {
    pub fn new(citation: &'a Citation) -> Self {
        Self { n: citation.n, hit: HitJson::new(&citation.hit, false) }
    }
}

/// Milliseconds by stage; stages overlap
#[derive(Serialize, ToSchema)]
#[schema(as = Timings)]
pub struct TimesJson {
    embedding_ms: f64,
    search_ms: f64,
    /// Of an answer only
    #[serde(skip_serializing_if = "Option::is_none")]
    generation_ms: Option<f64>,
    total_ms: f64,
}

/// What came out of the cache
#[derive(Serialize, ToSchema)]
#[schema(as = CacheUse)]
pub struct CacheUseJson {
    /// Of an answer only
    #[serde(skip_serializing_if = "Option::is_none")]
    answer_hit: Option<bool>,
    retrieval_hit: bool,
    embed_hits: u64,
    embed_misses: u64,
    rerank_hits: u64,
    rerank_misses: u64,
}

/// What was found
#[derive(Serialize, ToSchema)]
#[schema(as = Found)]
pub struct SearchJson<'a> {
    query: &'a str,
    /// hybrid, lexical or dense
    mode: &'static str,
    /// Which documents counted
    filter: Option<String>,
    index: &'a str,
    /// Stands for all that the index holds
    corpus_id: &'a str,
    /// Best first
    hits: Vec<HitJson<'a>>,
    timings: TimesJson,
    cache: CacheUseJson,
    /// Null once the index has its vectors
    vectors_pending: Option<PendingJson>,
    /// True where the index has no passage at all, and not there otherwise
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    index_empty: bool,
}

impl<'a> SearchJson<'a> {
    pub fn new(response: &'a search::Response, filter: Option<&Filter>, explain: bool) -> Self {
        let hits = response.hits.iter();
        let t = response.timings;
        Self {
            query: &response.query,
            mode: response.mode.name(),
            filter: filter.map(ToString::to_string),
            index: &response.index,
            corpus_id: &response.corpus_id,
            hits: hits
                .map(|hit| HitJson::new(hit, explain).with_orders(&injection_kinds(hit)))
                .collect(),
            timings: TimesJson {
                embedding_ms: t.embedding_ms,
                search_ms: t.search_ms,
                generation_ms: None,
                total_ms: t.total_ms,
            },
            cache: CacheUseJson {
                answer_hit: None,
                retrieval_hit: response.retrieval_hit,
                embed_hits: response.embed_hits,
                embed_misses: response.embed_misses,
                rerank_hits: response.rerank_hits,
                rerank_misses: response.rerank_misses,
            },
            vectors_pending: PendingJson::new(response.pending),
            index_empty: response.index_empty,
        }
    }
}

pub fn search(response: &search::Response, filter: Option<&Filter>, explain: bool) -> Value {
    json!(SearchJson::new(response, filter, explain))
}

/// Times and cache of an answer, which are known before the answer is.
pub fn course(t: Timings, cache: CacheUse) -> (TimesJson, CacheUseJson) {
    (
        TimesJson {
            embedding_ms: t.embedding_ms,
            search_ms: t.search_ms,
            generation_ms: Some(t.generation_ms),
            total_ms: t.total_ms,
        },
        CacheUseJson {
            answer_hit: Some(cache.answer_hit),
            retrieval_hit: cache.retrieval_hit,
            embed_hits: cache.embed_hits,
            embed_misses: cache.embed_misses,
            rerank_hits: cache.rerank_hits,
            rerank_misses: cache.rerank_misses,
        },
    )
}

/// An answer
#[derive(Serialize, ToSchema)]
#[schema(as = Answer)]
pub struct AnswerJson<'a> {
    /// As it was asked
    question: &'a str,
    /// As it was searched for: with what it takes over from the conversation
    resolved: &'a str,
    /// With `[n]` behind what source n says; empty when nothing in the index supports one
    answer: &'a str,
    /// False when nothing in the index supports an answer, or nothing of what a language model
    /// wrote
    supported: bool,
    /// What kind of answer was given
    intent: &'static str,
    /// Who wrote it: extractive or llm
    generator: &'static str,
    /// The model that wrote it, or whose vectors found it
    model: &'a str,
    /// Which documents counted
    filter: Option<String>,
    index: &'a str,
    /// Stands for all that the index holds
    corpus_id: &'a str,
    /// The sources; where nothing supports an answer, the nearest passages
    citations: Vec<CitationJson<'a>>,
    timings: TimesJson,
    cache: CacheUseJson,
    /// What the language model did; null for a kept answer, or when none was asked
    llm: Option<WritingJson<'a>>,
    checks: ChecksJson<'a>,
    /// Passages that try to give orders to a model
    orders: Vec<OrderingJson<'a>>,
    /// Why the extractive generator answered in the language model's place
    fallback: Option<Value>,
    /// Null once the index has its vectors
    vectors_pending: Option<PendingJson>,
    /// True where the index has no passage at all, and not there otherwise
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    index_empty: bool,
}

/// What a language model did
#[derive(Serialize, ToSchema)]
#[schema(as = Writing)]
struct WritingJson<'a> {
    /// By the server's own account
    model: &'a str,
    /// complete, length, repeating (it went round in circles and was cut), interrupted or broken
    finish: &'static str,
    /// Why the text is broken off
    trouble: Option<String>,
    /// The same as a stable word
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    attempts: u32,
    usage: Option<UsageJson>,
}

/// Tokens of a language model
#[derive(Serialize, ToSchema)]
#[schema(as = TokenUse)]
struct UsageJson {
    prompt_tokens: u64,
    completion_tokens: u64,
    /// Of the prompt, those that the server had read before; null when it does not say
    cached_tokens: Option<u64>,
}

/// What was wrong with a language model's text and was put right or is marked
#[derive(Serialize, ToSchema)]
#[schema(as = Checks)]
struct ChecksJson<'a> {
    /// Numbers that were cited and not offered; they were removed
    removed: &'a [usize],
    /// Sentences that no cited source supports; they stand in the answer, if there is one
    unsupported: &'a [String],
    /// Addresses that no source has; they were removed
    addresses: usize,
}

/// A passage that tries to give orders to a model
#[derive(Serialize, ToSchema)]
#[schema(as = Ordering)]
struct OrderingJson<'a> {
    /// Its number in the answer; null when the answer does not cite it
    n: Option<usize>,
    path: &'a str,
    #[schema(value_type = Vec<usize>, min_items = 2, max_items = 2)]
    lines: [usize; 2],
    kinds: Vec<&'static str>,
}

impl<'a> OrderingJson<'a> {
    fn new(FlaggedPassage { n, hit, kinds }: &'a FlaggedPassage) -> Self {
        let lines = [hit.chunk.lines.first, hit.chunk.lines.last];
        Self {
            n: *n,
            path: &hit.path,
            lines,
            kinds: kinds.iter().map(|kind| kind.name()).collect(),
        }
    }
}

/// One answer. `fault` says how a fault is told to whoever reads this.
pub fn answer(response: &Response, fault: &dyn Fn(&Fault) -> Value) -> Value {
    json!(AnswerJson::new(response, fault))
}

impl<'a> AnswerJson<'a> {
    /// As [`answer`].
    pub fn new(response: &'a Response, fault: &dyn Fn(&Fault) -> Value) -> Self {
        let (timings, cache) = course(response.timings, response.cache);
        Self {
            question: &response.question,
            resolved: &response.resolved,
            answer: &response.answer.text,
            supported: response.answer.supported,
            intent: response.intent.name(),
            generator: response.generator.name(),
            model: &response.model,
            filter: response.filter.as_ref().map(ToString::to_string),
            index: &response.index,
            corpus_id: &response.corpus_id,
            citations: response.answer.citations.iter().map(CitationJson::new).collect(),
            timings,
            cache,
            llm: response.writing.as_ref().map(|writing| WritingJson {
                model: &writing.model,
                finish: finish(writing.finish),
                trouble: writing
                    .trouble
                    .as_ref()
                    .and_then(|why| Some(fault(why)["message"].as_str()?.to_owned())),
                reason: writing.trouble.as_ref().and_then(Fault::reason_given).map(Reason::name),
                attempts: writing.attempts,
                usage: writing.usage.map(|usage| UsageJson {
                    prompt_tokens: usage.prompt_tokens,
                    completion_tokens: usage.completion_tokens,
                    cached_tokens: usage.cached_tokens,
                }),
            }),
            checks: ChecksJson {
                removed: &response.checks.removed,
                unsupported: &response.checks.unsupported,
                addresses: response.checks.addresses,
            },
            orders: response.flagged.iter().map(OrderingJson::new).collect(),
            fallback: response.fallback.as_ref().map(fault),
            vectors_pending: PendingJson::new(response.pending),
            index_empty: response.index_empty,
        }
    }
}

fn finish(finish: Finish) -> &'static str {
    match finish {
        Finish::Complete => "complete",
        Finish::Length => "length",
        Finish::Interrupted => "interrupted",
        Finish::Repeating => "repeating",
        Finish::Broken => "broken",
    }
}
