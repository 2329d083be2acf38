//! Jobs, sessions and usage statistics.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::answers::{CacheUseJson, CitedPassageJson, TimesJson, course};
use super::location;
use crate::analytics::{DocumentCount, ErrorCount, Latency, QuestionCount, Report};
use crate::ask::{CacheUse, Timings};
use crate::document::Location;
use crate::jobs::{Job, State, Work};
use crate::naming;
use crate::sessions::{Cited, Flag, Made, Summary, Turn};
use crate::strings::StrExt as _;

/// A job; times are Unix seconds with fractions
#[derive(Serialize, ToSchema)]
#[schema(as = Job)]
pub struct JobJson<'a> {
    id: &'a str,
    /// ingest
    kind: &'static str,
    /// queued, running, succeeded, failed or cancelled
    state: &'static str,
    /// critical, high, normal, low or background
    priority: &'static str,
    /// Jobs that must succeed first
    after: &'a [String],
    index: &'a str,
    /// Embedding model
    model: &'a str,
    /// The folders to ingest
    dirs: Vec<&'a str>,
    /// Number of starts
    attempts: u32,
    /// Maximum number of starts
    max_attempts: u32,
    created: f64,
    started: Option<f64>,
    /// Null until the job ends
    ended: Option<f64>,
    /// Process id while running
    pid: Option<u32>,
    /// Cancellation was requested
    cancel_requested: bool,
    /// Same as `cancel_requested`
    #[schema(deprecated)]
    cancel_asked: bool,
    progress: ProgressJson<'a>,
    /// Why it failed
    reason: Option<&'a str>,
    /// Files that are skipped because they crashed the process repeatedly
    quarantined_files: Vec<&'a str>,
    /// Same as `quarantined_files`
    #[schema(deprecated)]
    files_set_aside: Vec<&'a str>,
    /// The result: `corpus_id`, `documents`, `chunks`, `read`, `n_failed`, …
    result: Option<&'a Value>,
}

/// Progress of a job
#[derive(Serialize, ToSchema)]
#[schema(as = Progress)]
struct ProgressJson<'a> {
    /// Completed fraction, from 0 to 1
    fraction: f64,
    /// Same as `fraction`
    #[schema(deprecated)]
    share: f64,
    /// scan, bm25, vectors or save
    stage: &'a str,
    message: &'a str,
    /// Completed units of the stage
    done: u64,
    /// Units of the stage; 0 while unknown
    total: u64,
    /// Estimated seconds until the stage ends
    eta_seconds: Option<u64>,
}

pub fn job(job: &Job) -> Value {
    let Work::Ingest(spec) = &job.spec.work;
    let seconds = |ms: u64| ms as f64 / 1000.0;
    let p = &job.progress;
    json!(JobJson {
        id: &job.id,
        kind: "ingest",
        state: job.state.name(),
        priority: job.spec.priority.name(),
        after: &job.spec.after,
        index: &spec.index,
        model: &spec.model,
        dirs: spec.shown_dirs().collect(),
        attempts: job.attempts,
        max_attempts: job.spec.max_attempts,
        created: seconds(job.created_ms),
        started: job.started_ms.map(seconds),
        ended: job.ended_ms.map(seconds),
        pid: job.pid.filter(|_| job.state == State::Running),
        cancel_requested: job.cancel_asked,
        cancel_asked: job.cancel_asked,
        progress: ProgressJson {
            fraction: p.share,
            share: p.share,
            stage: &p.stage,
            message: &p.message,
            done: p.done,
            total: p.total,
            eta_seconds: p.eta_s,
        },
        reason: job.reason.as_ref().map(|reason| &*reason.message),
        quarantined_files: job.set_aside().collect(),
        files_set_aside: job.set_aside().collect(),
        result: job.result.as_ref(),
    })
}

/// A session in a list; times are Unix seconds
#[derive(Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionJson<'a> {
    id: &'a str,
    turns: u64,
    first_question: &'a str,
    /// Given by the user
    title: Option<&'a str>,
    created: i64,
    /// Time of the last question
    last_used: i64,
    /// Same as `last_used`
    #[schema(deprecated)]
    used: i64,
}

pub fn session(summary: &Summary) -> Value {
    let Summary { id, turns, first_question, title, created, used } = summary;
    let (turns, title, created, used) = (*turns, title.as_deref(), *created, *used);
    json!(SessionJson { id, turns, first_question, title, created, last_used: used, used })
}

/// A session as JSON Lines: one object per question.
pub fn exported(id: &str, turns: &[Turn]) -> String {
    let line = |turn: &Turn| {
        let mut object = self::turn(turn);
        object["session"] = id.into();
        format!("{object}\n")
    };
    turns.iter().map(line).collect()
}

/// A session as Markdown: its questions as headings, its answers with their sources.
pub fn conversation(title: &str, turns: &[Turn]) -> String {
    let title = format!("# {}\n", title.one_line());
    std::iter::once(title).chain(turns.iter().map(markdown)).collect()
}

fn markdown(turn: &Turn) -> String {
    let answer = match turn.supported {
        true => turn.answer.trim_end(),
        false => "Nothing in the index supports an answer.",
    };
    let mut lines = vec![format!("\n## {}\n", turn.question.one_line()), answer.to_owned()];
    if turn.supported && !turn.citations.is_empty() {
        lines.push(String::new());
        lines.extend(turn.citations.iter().map(|cited| {
            let name = naming::name(&cited.root, &cited.path);
            format!("{}. {name}, {}", cited.n, place(cited))
        }));
    }
    lines.join("\n") + "\n"
}

fn place(cited: &Cited) -> String {
    match (&cited.location, cited.first == cited.last) {
        (Some(location), _) => location.clone(),
        (None, true) => format!("line {}", cited.first),
        (None, false) => format!("lines {}–{}", cited.first, cited.last),
    }
}

/// A question of a session and its answer
#[derive(Serialize, ToSchema)]
#[schema(as = Turn)]
pub struct TurnJson<'a> {
    /// Unix seconds
    at: i64,
    index: &'a str,
    /// The question as asked
    question: &'a str,
    /// The question as searched
    resolved: &'a str,
    /// The answer with its marks `[n]`; empty when nothing supported one
    answer: &'a str,
    supported: bool,
    intent: &'a str,
    /// What generated it: extractive or llm
    generator: &'a str,
    citations: Vec<CitedJson<'a>>,
    /// The language model that wrote it, or the embedding model
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    model: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    timings: Option<TimesJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    cache: Option<CacheUseJson>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    checks: Option<KeptChecksJson<'a>>,
    /// Why the text of the language model is incomplete
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    llm: Option<KeptWritingJson<'a>>,
    /// Why the answer quotes documents instead
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    fallback: Option<KeptFaultJson<'a>>,
    /// The risk of the question
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    risk: Option<FlagJson<'a>>,
    /// Sources with prompt injections
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    injections: Option<Vec<KeptInjectionJson<'a>>>,
    /// Vectors that the index lacked then
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    vectors_pending: Option<KeptPendingJson>,
}

/// Checks of a stored answer
#[derive(Serialize, ToSchema)]
#[schema(as = KeptChecks)]
struct KeptChecksJson<'a> {
    /// Sentences that no cited source supports
    unsupported: &'a [String],
}

/// The language model of a stored answer
#[derive(Serialize, ToSchema)]
#[schema(as = KeptWriting)]
struct KeptWritingJson<'a> {
    error: Option<&'a str>,
    /// repeating (cut off because it repeated itself) or broken
    finish: &'static str,
}

/// A failure of a stored answer
#[derive(Serialize, ToSchema)]
#[schema(as = KeptFault)]
struct KeptFaultJson<'a> {
    message: &'a str,
}

/// A source of a stored answer with a prompt injection
#[derive(Serialize, ToSchema)]
#[schema(as = KeptInjection)]
struct KeptInjectionJson<'a> {
    n: Option<usize>,
    path: &'a str,
    risk: FlagJson<'a>,
}

/// A level of risk
#[derive(Serialize, ToSchema)]
#[schema(as = Flag)]
struct FlagJson<'a> {
    level: &'a str,
    reasons: &'a [String],
}

/// Vectors that an index lacked
#[derive(Serialize, ToSchema)]
#[schema(as = KeptPending)]
struct KeptPendingJson {
    done: u64,
    total: u64,
}

impl<'a> TurnJson<'a> {
    /// Adds how the answer was made.
    fn with(self, made: &'a Made) -> Self {
        let times = Timings {
            embedding_ms: made.embedding_ms,
            search_ms: made.search_ms,
            generation_ms: made.generation_ms,
            total_ms: made.total_ms,
        };
        let cache = CacheUse {
            answer_hit: made.answer_hit,
            retrieval_hit: made.retrieval_hit,
            embed_hits: made.embed_hits,
            embed_misses: made.embed_misses,
            rerank_hits: made.rerank_hits,
            rerank_misses: made.rerank_misses,
        };
        let (timings, cache) = course(times, cache);
        let flag = |flag: &'a Flag| FlagJson { level: &flag.level, reasons: &flag.reasons };
        let injections = made.injections.iter();
        let injections = injections
            .map(|(n, path, risk)| KeptInjectionJson { n: *n, path, risk: flag(risk) })
            .collect();
        Self {
            model: Some(&made.model),
            timings: Some(timings),
            cache: Some(cache),
            checks: Some(KeptChecksJson { unsupported: &made.unsupported }),
            llm: (made.repeated || made.error.is_some()).then_some(KeptWritingJson {
                error: made.error.as_deref(),
                finish: if made.repeated { "repeating" } else { "broken" },
            }),
            fallback: made.fallback.as_deref().map(|message| KeptFaultJson { message }),
            risk: Some(flag(&made.risk)),
            injections: Some(injections),
            vectors_pending: made.pending.map(|(done, total)| KeptPendingJson { done, total }),
            ..self
        }
    }
}

/// The location of a cited passage
#[derive(Serialize, ToSchema)]
#[schema(as = Cited)]
struct CitedJson<'a> {
    /// The number of the mark `[n]` in the answer
    n: usize,
    /// The ingested folder, as it was named
    root: &'a str,
    /// Path relative to the root
    path: &'a str,
    /// First and last line, from 1
    #[schema(value_type = Vec<usize>, min_items = 2, max_items = 2)]
    lines: [usize; 2],
    /// Page number, in documents with pages
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    page: Option<usize>,
    /// Page, slide, sheet and cell, message or notebook cell
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    location: Option<Value>,
    /// Last location, if different
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    last_location: Option<Value>,
    /// What the answer quotes or rests on
    quotes: &'a [String],
    /// The place of the whole passage, where it is stored
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    passage: Option<CitedPassageJson>,
}

impl<'a> CitedJson<'a> {
    fn new(cited: &'a Cited) -> Self {
        let parsed = |text: &Option<String>| text.as_ref()?.parse::<Location>().ok();
        let first = parsed(&cited.location);
        Self {
            n: cited.n,
            root: &cited.root,
            path: &cited.path,
            lines: [cited.first, cited.last],
            page: first.as_ref().and_then(Location::page),
            location: first.as_ref().map(location),
            last_location: parsed(&cited.last_location).as_ref().map(location),
            quotes: &cited.quotes,
            passage: cited.passage.map(|passage| CitedPassageJson {
                lines: passage.lines.into(),
                bytes: passage.bytes.into(),
            }),
        }
    }
}

pub fn turn(turn: &Turn) -> Value {
    let json = TurnJson {
        at: turn.at,
        index: &turn.index,
        question: &turn.question,
        resolved: &turn.resolved,
        answer: &turn.answer,
        supported: turn.supported,
        intent: &turn.intent,
        generator: &turn.generator,
        citations: turn.citations.iter().map(CitedJson::new).collect(),
        model: None,
        timings: None,
        cache: None,
        checks: None,
        llm: None,
        fallback: None,
        risk: None,
        injections: None,
        vectors_pending: None,
    };
    json!(match &turn.made {
        Some(made) => json.with(made),
        None => json,
    })
}

/// Usage statistics; times are Unix seconds, latencies milliseconds, rates from 0 to 1
#[derive(Serialize, ToSchema)]
#[schema(as = Stats)]
pub struct StatsJson<'a> {
    /// Start of the period
    since: i64,
    /// Time of the first record
    first: Option<i64>,
    /// Time of the last record
    last: Option<i64>,
    questions: u64,
    searches: u64,
    /// Questions with a supported answer
    supported: u64,
    supported_rate: f64,
    answer_hit_rate: f64,
    retrieval_hit_rate: f64,
    sessions: u64,
    /// Answers that users found helpful
    helpful: u64,
    /// Answers that users found not helpful
    unhelpful: u64,
    /// Questions by intent
    intents: BTreeMap<&'a str, u64>,
    /// Latency by stage
    latency_ms: BTreeMap<&'a str, LatencyJson>,
    /// The most frequent questions and searches
    top: Vec<AskedJson<'a>>,
    /// The most frequent questions without a supported answer
    unanswered: Vec<AskedJson<'a>>,
    /// The documents cited or returned most often
    documents: Vec<OpenedJson<'a>>,
    errors: Vec<ErrorCountJson<'a>>,
    /// Resource use, sampled by servers
    system: Option<SystemJson>,
    /// Records with a wrong checksum, which are ignored
    damaged: u64,
}

/// Latency percentiles in milliseconds
#[derive(Serialize, ToSchema)]
#[schema(as = Latency)]
struct LatencyJson {
    count: u64,
    p50: f64,
    p90: f64,
    p95: f64,
    p99: f64,
    max: f64,
}

impl LatencyJson {
    fn new(l: &Latency) -> Self {
        Self { count: l.n, p50: l.p50, p90: l.p90, p95: l.p95, p99: l.p99, max: l.max }
    }
}

/// A question and its frequency
#[derive(Serialize, ToSchema)]
#[schema(as = Asked)]
struct AskedJson<'a> {
    /// question or search
    kind: &'static str,
    /// The text, where texts are recorded
    text: Option<&'a str>,
    hash: &'a str,
    count: u64,
    supported: u64,
    last: i64,
}

impl<'a> AskedJson<'a> {
    fn new(asked: &'a QuestionCount) -> Self {
        Self {
            kind: if asked.is_search { "search" } else { "question" },
            text: asked.text.as_deref(),
            hash: &asked.hash,
            count: asked.n,
            supported: asked.supported,
            last: asked.last,
        }
    }
}

/// A document and how often it was cited or returned
#[derive(Serialize, ToSchema)]
#[schema(as = Opened)]
struct OpenedJson<'a> {
    index: &'a str,
    path: &'a str,
    count: u64,
}

impl<'a> OpenedJson<'a> {
    fn new(opened: &'a DocumentCount) -> Self {
        Self { index: &opened.index, path: &opened.path, count: opened.n }
    }
}

/// An error and its frequency
#[derive(Serialize, ToSchema)]
#[schema(as = Wrong)]
struct ErrorCountJson<'a> {
    code: &'a str,
    route: &'a str,
    count: u64,
}

impl<'a> ErrorCountJson<'a> {
    fn new(wrong: &'a ErrorCount) -> Self {
        Self { code: &wrong.code, route: &wrong.route, count: wrong.n }
    }
}

/// Resource use of a server
#[derive(Serialize, ToSchema)]
#[schema(as = System)]
struct SystemJson {
    max_memory_bytes: u64,
    mean_cores: f64,
    max_queue: u64,
}

pub fn stats(report: &Report) -> Value {
    json!(StatsJson {
        since: report.since_s,
        first: report.span.map(|(first, _)| first),
        last: report.span.map(|(_, last)| last),
        questions: report.questions,
        searches: report.searches,
        supported: report.supported,
        supported_rate: share(report.supported, report.questions),
        answer_hit_rate: share(report.answer_hits, report.questions),
        retrieval_hit_rate: share(report.retrieval_hits, report.questions + report.searches),
        sessions: report.sessions,
        helpful: report.helpful,
        unhelpful: report.unhelpful,
        intents: report.intents.iter().map(|(name, n)| (&**name, *n)).collect(),
        latency_ms: report.latencies.iter().map(|l| (l.stage, LatencyJson::new(l))).collect(),
        top: report.top.iter().map(AskedJson::new).collect(),
        unanswered: report.unanswered.iter().map(AskedJson::new).collect(),
        documents: report.documents.iter().map(OpenedJson::new).collect(),
        errors: report.errors.iter().map(ErrorCountJson::new).collect(),
        system: report.system.map(|(max_memory_bytes, mean_cores, max_queue)| SystemJson {
            max_memory_bytes,
            mean_cores,
            max_queue,
        }),
        damaged: report.damaged,
    })
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
