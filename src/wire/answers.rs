//! Search results and answers.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{PendingJson, location};
use crate::analysis::untrusted::Risk;
use crate::ask::{CacheUse, FlaggedPassage, Response, Timings, Writing, passage_risk};
use crate::document::{Citation, Contribution, Contributions, Extent, Hit, Location, Rank};
use crate::error::{Fault, Reason};
use crate::filter::Filter;
use crate::search;

/// A ranked passage
#[derive(Serialize, ToSchema)]
#[schema(as = Hit)]
pub struct HitJson<'a> {
    /// Rank, from 1
    rank: usize,
    score: f64,
    /// The ingested folder, as it was named
    root: &'a str,
    /// Path relative to the root
    path: &'a str,
    /// First and last line, from 1
    #[schema(value_type = Vec<usize>, min_items = 2, max_items = 2)]
    lines: [usize; 2],
    /// First byte, and the end (exclusive)
    #[schema(value_type = Vec<usize>, min_items = 2, max_items = 2)]
    bytes: [usize; 2],
    /// Page number, in documents with pages
    page: Option<usize>,
    /// Last page, if different
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    last_page: Option<usize>,
    /// Page, slide, sheet and cell, message or notebook cell
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<Value>,
    /// Last location, if different
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    last_location: Option<Value>,
    /// Same as `location`
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(deprecated)]
    place: Option<Value>,
    /// Title of the document
    title: Option<&'a str>,
    /// Enclosing headings, outermost first
    heading: &'a [String],
    text: &'a str,
    /// Other places with the same text
    also: Vec<AlsoJson<'a>>,
    /// Rank and score from each retriever; only with `explain`
    #[serde(skip_serializing_if = "Option::is_none")]
    explain: Option<ExplainJson>,
    /// Kinds of prompt injection in the passage
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    injections: Vec<&'static str>,
    /// Same as `injections`
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, deprecated)]
    orders: Vec<&'static str>,
    /// The risk of the passage, unless it is none
    #[serde(skip_serializing_if = "Option::is_none")]
    risk: Option<RiskJson>,
}

/// How likely a text tries to instruct a language model
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Risk)]
struct RiskJson {
    /// none, low, medium or high
    level: &'static str,
    /// Kinds of prompt injection; `similar` for a question that resembles known ones
    reasons: Vec<&'static str>,
}

impl From<&Risk> for RiskJson {
    fn from(risk: &Risk) -> Self {
        Self { level: risk.level().name(), reasons: risk.reasons() }
    }
}

/// Another place with the same text
#[derive(Serialize, ToSchema)]
#[schema(as = Copy)]
struct AlsoJson<'a> {
    path: &'a str,
    /// First line, from 1
    line: usize,
}

/// Rank and score of a passage from each retriever
#[derive(Serialize, ToSchema)]
#[schema(as = Explanation)]
struct ExplainJson {
    lexical: Option<ContributionJson>,
    dense: Option<ContributionJson>,
    rerank: Option<ContributionJson>,
}

/// Rank and score of a passage from one retriever
#[derive(Serialize, ToSchema)]
#[schema(as = Contribution)]
struct ContributionJson {
    /// Rank from this retriever, from 1; null where only `beyond` is known
    rank: Option<usize>,
    /// Number of passages that this retriever ranks before this one, at least
    #[serde(skip_serializing_if = "Option::is_none")]
    beyond: Option<usize>,
    /// BM25 score, cosine similarity, or the cross-encoder's score (rerank)
    score: f64,
    /// Normalized score: about 1 for a passage that answers the query
    normalized: f64,
    /// Same as `normalized`
    #[schema(deprecated)]
    normalised: f64,
    /// Weight of this retriever in the fusion
    weight: f64,
}

impl ContributionJson {
    fn new(contribution: Option<Contribution>) -> Option<Self> {
        contribution.map(|Contribution { rank, score, normalised, weight }| {
            let (rank, beyond) = match rank {
                Rank::At(rank) => (Some(rank), None),
                Rank::Beyond(n) => (None, Some(n)),
            };
            Self { rank, beyond, score, normalized: normalised, normalised, weight }
        })
    }
}

impl<'a> HitJson<'a> {
    pub fn new(hit: &'a Hit, explain: bool) -> Self {
        Self::at(hit, &hit.chunk.extent(), explain)
    }

    /// A hit with the place of a part of it.
    fn at(hit: &'a Hit, extent: &Extent, explain: bool) -> Self {
        let page = |place: &Option<Location>| place.as_ref().and_then(Location::page);
        let last_location = extent.last_location.as_ref().map(location);
        let first_location = extent.location.as_ref().map(location);
        Self {
            rank: hit.rank,
            score: hit.score,
            root: &hit.root,
            path: &hit.path,
            lines: [extent.lines.first, extent.lines.last],
            bytes: [extent.bytes.start, extent.bytes.end],
            page: page(&extent.location),
            last_page: page(&extent.last_location),
            location: first_location.clone(),
            last_location,
            place: first_location,
            title: hit.title.as_deref(),
            heading: &hit.chunk.heading,
            text: &hit.chunk.text,
            also: hit.also.iter().map(|(path, line)| AlsoJson { path, line: *line }).collect(),
            explain: explain.then(|| {
                let Contributions { lexical, dense, rerank } = hit.contributions;
                let (lexical, dense, rerank) = (
                    ContributionJson::new(lexical),
                    ContributionJson::new(dense),
                    ContributionJson::new(rerank),
                );
                ExplainJson { lexical, dense, rerank }
            }),
            injections: Vec::new(),
            orders: Vec::new(),
            risk: None,
        }
    }

    /// Adds the risk of the passage. An answer lists those of its sources in one place instead.
    #[must_use]
    fn with_risk(self, risk: &Risk) -> Self {
        let injections = risk.reasons();
        let risk = (!injections.is_empty()).then(|| risk.into());
        Self { orders: injections.clone(), injections, risk, ..self }
    }
}

/// A numbered source of an answer: a passage, with the place of the sentences that are cited
#[derive(Serialize, ToSchema)]
#[schema(as = Citation)]
pub struct CitationJson<'a> {
    /// The number of the mark `[n]` in the answer
    n: usize,
    #[serde(flatten)]
    hit: HitJson<'a>,
    /// Parts of `text` that the answer quotes or rests on, where they are known
    quotes: Vec<&'a str>,
    passage: CitedPassageJson,
}

/// The place of the whole cited passage, which `text` is from
#[derive(Serialize, ToSchema)]
#[schema(as = CitedPassage)]
pub(super) struct CitedPassageJson {
    /// First and last line, from 1
    #[schema(value_type = Vec<usize>, min_items = 2, max_items = 2)]
    pub lines: [usize; 2],
    /// First byte, and the end (exclusive)
    #[schema(value_type = Vec<usize>, min_items = 2, max_items = 2)]
    pub bytes: [usize; 2],
}

impl<'a> CitationJson<'a> {
    pub fn new(citation: &'a Citation) -> Self {
        let chunk = &citation.hit.chunk;
        Self {
            n: citation.n,
            hit: HitJson::at(&citation.hit, &citation.extent(), false),
            quotes: citation.quotes().collect(),
            passage: CitedPassageJson {
                lines: [chunk.lines.first, chunk.lines.last],
                bytes: [chunk.bytes.start, chunk.bytes.end],
            },
        }
    }
}

/// Milliseconds per stage; stages overlap
#[derive(Serialize, ToSchema)]
#[schema(as = Timings)]
pub struct TimesJson {
    embedding_ms: f64,
    search_ms: f64,
    /// Only in answers
    #[serde(skip_serializing_if = "Option::is_none")]
    generation_ms: Option<f64>,
    total_ms: f64,
}

/// Cache hits and misses
#[derive(Serialize, ToSchema)]
#[schema(as = CacheUse)]
pub struct CacheUseJson {
    /// Only in answers
    #[serde(skip_serializing_if = "Option::is_none")]
    answer_hit: Option<bool>,
    retrieval_hit: bool,
    embed_hits: u64,
    embed_misses: u64,
    rerank_hits: u64,
    rerank_misses: u64,
}

/// Search results
#[derive(Serialize, ToSchema)]
#[schema(as = Found)]
pub struct SearchJson<'a> {
    query: &'a str,
    /// hybrid, lexical or dense
    mode: &'static str,
    /// The filter, if any
    filter: Option<String>,
    index: &'a str,
    /// Digest of the index contents
    corpus_id: &'a str,
    /// Best first
    hits: Vec<HitJson<'a>>,
    /// The risk of the query
    risk: RiskJson,
    timings: TimesJson,
    cache: CacheUseJson,
    /// Null once the index has all vectors
    vectors_pending: Option<PendingJson>,
    /// Present and true when the index has no passages
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    index_empty: bool,
    /// Seconds since this copy of the index was compared with the shared one. Present while the
    /// place of the shared one cannot be reached
    #[serde(skip_serializing_if = "Option::is_none")]
    index_age_s: Option<u64>,
    /// Words and phrases of the query that no passage has, and what was searched for instead
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    notes: Vec<String>,
}

impl<'a> SearchJson<'a> {
    pub fn new(response: &'a search::Response, filter: Option<&Filter>, explain: bool) -> Self {
        let hit = |hit| HitJson::new(hit, explain).with_risk(&passage_risk(hit));
        let t = response.timings;
        Self {
            query: &response.query,
            mode: response.mode.name(),
            filter: filter.map(ToString::to_string),
            index: &response.index,
            corpus_id: &response.corpus_id,
            hits: response.hits.iter().map(hit).collect(),
            risk: (&response.risk).into(),
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
            index_age_s: response.stale.as_ref().and_then(|stale| stale.age_s),
            notes: response.notes.iter().map(ToString::to_string).collect(),
        }
    }
}

pub fn search(response: &search::Response, filter: Option<&Filter>, explain: bool) -> Value {
    json!(SearchJson::new(response, filter, explain))
}

/// Timings and cache use of an answer; a stream sends them before the answer.
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
    /// The question as asked
    question: &'a str,
    /// The question as searched: follow-ups are completed from the conversation
    resolved: &'a str,
    /// The answer, with a mark `[n]` after each statement from source n; empty when nothing in the
    /// index supports one
    answer: &'a str,
    /// False when nothing in the index supports an answer, or the text of the language model
    supported: bool,
    /// Estimated probability, in hundredths, that the sources support an answer; null for what a
    /// language model wrote
    confidence: Option<f64>,
    /// Kind of answer
    intent: &'static str,
    /// What generated it: extractive or llm
    generator: &'static str,
    /// The language model that wrote it, or the embedding model
    model: &'a str,
    /// The filter, if any
    filter: Option<String>,
    index: &'a str,
    /// Digest of the index contents
    corpus_id: &'a str,
    /// The sources; without a supported answer, the nearest passages
    citations: Vec<CitationJson<'a>>,
    timings: TimesJson,
    cache: CacheUseJson,
    /// The call of the language model; null for a cached answer, or without a language model
    llm: Option<WritingJson<'a>>,
    checks: ChecksJson<'a>,
    /// The risk of the question
    risk: RiskJson,
    /// Passages with prompt injections
    injections: Vec<InjectionJson<'a>>,
    /// Same as `injections`
    #[schema(deprecated)]
    orders: Vec<InjectionJson<'a>>,
    /// Why the extractive generator answered instead of the language model
    fallback: Option<Value>,
    /// Null once the index has all vectors
    vectors_pending: Option<PendingJson>,
    /// Present and true when the index has no passages
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    index_empty: bool,
    /// Seconds since this copy of the index was compared with the shared one. Present while the
    /// place of the shared one cannot be reached
    #[serde(skip_serializing_if = "Option::is_none")]
    index_age_s: Option<u64>,
    /// Words and phrases of the question that no passage has, and what was searched for instead
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    notes: Vec<String>,
}

/// The call of a language model
#[derive(Serialize, ToSchema)]
#[schema(as = Writing)]
struct WritingJson<'a> {
    /// The model, as reported by its server
    model: &'a str,
    /// complete, length, repeating (cut off because it repeated itself), interrupted or broken
    finish: &'static str,
    /// Why the text is incomplete
    error: Option<String>,
    /// Same as `error`
    #[schema(deprecated)]
    trouble: Option<String>,
    /// Stable code for `error`
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'static str>,
    attempts: u32,
    usage: Option<UsageJson>,
}

/// Token counts of a language model
#[derive(Serialize, ToSchema)]
#[schema(as = TokenUse)]
struct UsageJson {
    prompt_tokens: u64,
    completion_tokens: u64,
    /// Prompt tokens from the server's cache; null when it does not report them
    cached_tokens: Option<u64>,
}

/// Problems in the text of a language model, fixed or marked
#[derive(Serialize, ToSchema)]
#[schema(as = Checks)]
struct ChecksJson<'a> {
    /// Cited numbers that are not sources; removed from the answer
    removed_citations: &'a [usize],
    /// Same as `removed_citations`
    #[schema(deprecated)]
    removed: &'a [usize],
    /// Sentences that no cited source supports; kept in the answer
    unsupported: &'a [String],
    /// Number of URLs that are in no source; removed from the answer
    removed_urls: usize,
    /// Same as `removed_urls`
    #[schema(deprecated)]
    addresses: usize,
}

/// A passage with a prompt injection
#[derive(Clone, Serialize, ToSchema)]
#[schema(as = Injection)]
struct InjectionJson<'a> {
    /// Number of its citation; null when the answer does not cite it
    n: Option<usize>,
    path: &'a str,
    /// First and last line, from 1
    #[schema(value_type = Vec<usize>, min_items = 2, max_items = 2)]
    lines: [usize; 2],
    /// Kinds of prompt injection
    kinds: Vec<&'static str>,
    risk: RiskJson,
}

impl<'a> InjectionJson<'a> {
    fn new(FlaggedPassage { n, hit, risk }: &'a FlaggedPassage) -> Self {
        let lines = [hit.chunk.lines.first, hit.chunk.lines.last];
        Self { n: *n, path: &hit.path, lines, kinds: risk.reasons(), risk: risk.into() }
    }
}

/// An answer as JSON. `fault` renders a fault of the language model for the reader.
pub fn answer(response: &Response, fault: &dyn Fn(&Fault) -> Value) -> Value {
    json!(AnswerJson::new(response, fault))
}

impl<'a> AnswerJson<'a> {
    /// As [`answer`].
    pub fn new(response: &'a Response, fault: &dyn Fn(&Fault) -> Value) -> Self {
        let (timings, cache) = course(response.timings, response.cache);
        let checks = &response.checks;
        let injections: Vec<_> = response.flagged.iter().map(InjectionJson::new).collect();
        Self {
            question: &response.question,
            resolved: &response.resolved,
            answer: &response.answer.text,
            supported: response.answer.supported,
            confidence: response.answer.confidence.map(|share| (share * 100.0).round() / 100.0),
            intent: response.intent.name(),
            generator: response.generator.name(),
            model: &response.model,
            filter: response.filter.as_ref().map(ToString::to_string),
            index: &response.index,
            corpus_id: &response.corpus_id,
            citations: response.answer.citations.iter().map(CitationJson::new).collect(),
            timings,
            cache,
            llm: response.writing.as_ref().map(|writing| WritingJson::new(writing, fault)),
            checks: ChecksJson {
                removed_citations: &checks.removed,
                removed: &checks.removed,
                unsupported: &checks.unsupported,
                removed_urls: checks.addresses,
                addresses: checks.addresses,
            },
            risk: (&response.risk).into(),
            orders: injections.clone(),
            injections,
            fallback: response.fallback.as_ref().map(fault),
            vectors_pending: PendingJson::new(response.pending),
            index_empty: response.index_empty,
            index_age_s: response.stale.as_ref().and_then(|stale| stale.age_s),
            notes: response.notes.iter().map(ToString::to_string).collect(),
        }
    }
}

impl<'a> WritingJson<'a> {
    fn new(writing: &'a Writing, fault: &dyn Fn(&Fault) -> Value) -> Self {
        let trouble = writing.trouble.as_ref();
        let error = trouble.and_then(|why| Some(fault(why)["message"].as_str()?.to_owned()));
        Self {
            model: &writing.model,
            finish: writing.finish.name(),
            trouble: error.clone(),
            error,
            reason: trouble.and_then(Fault::reason_given).map(Reason::name),
            attempts: writing.attempts,
            usage: writing.usage.map(|usage| UsageJson {
                prompt_tokens: usage.prompt_tokens,
                completion_tokens: usage.completion_tokens,
                cached_tokens: usage.cached_tokens,
            }),
        }
    }
}
