//! Outcomes of questions, searches and requests, recorded in metrics, traces and analytics.
//!
//! A server has one [`Observer`], shared by all its threads.

#[cfg_attr(not(feature = "telemetry"), path = "no_otlp.rs")]
mod otlp;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::analysis::untrusted::Risk;
use crate::analytics::{self, Access, Analytics, Load, Question, Record};
use crate::ask;
use crate::cache::{Cache, Caching, Table};
use crate::config::{Mode, Recording};
use crate::document::{Hit, Note};
use crate::engine::Engine;
use crate::error::{Kind, Result, locked};
use crate::jobs::{Job, State};
use crate::search;
use crate::telemetry::{self, CacheTable, Feature, Ingested, SpanData, Stages, Trace};

pub use otlp::{Exporter, export};

/// How often a server samples itself.
const SAMPLE: Duration = Duration::from_secs(30);
/// How often samples of histograms are moved into buckets.
const UPKEEP: Duration = Duration::from_secs(5);

/// A question or search as it was requested.
#[derive(Clone, Copy, Debug)]
pub struct QueryContext<'a> {
    pub text: &'a str,
    pub mode: Mode,
    pub k: usize,
    /// How many passages were reranked.
    pub rerank: usize,
    pub caching: Caching,
    pub has_filter: bool,
    /// The request set the intent.
    pub has_intent: bool,
    pub session: Option<&'a str>,
    pub is_streamed: bool,
    pub is_batch: bool,
    /// Time in the queue.
    pub queue_ms: Option<f64>,
    /// The trace of its request, if any, and the time since it was queued.
    pub traced: Option<(Trace, Duration)>,
}

impl<'a> QueryContext<'a> {
    /// A request without options, as commands make it.
    pub fn plain(engine: &Engine, text: &'a str) -> Self {
        let config = &engine.config;
        Self {
            text,
            mode: config.search_mode,
            k: config.search_k,
            rerank: config.rerank,
            caching: Caching::Use,
            has_filter: false,
            has_intent: false,
            session: None,
            is_streamed: false,
            is_batch: false,
            queue_ms: None,
            traced: None,
        }
    }
}

/// The stable word for a fault, as errors of servers have it.
pub fn code(kind: Kind) -> &'static str {
    match kind {
        Kind::Usage => "usage",
        Kind::Busy => "busy",
        Kind::Damaged => "damaged",
        Kind::Outside => "outside",
        Kind::Interrupted => "interrupted",
        Kind::Late => "timeout",
        Kind::Failed => "internal",
    }
}

/// Records the events of a server.
pub struct Observer {
    analytics: Option<Analytics>,
    /// Unix milliseconds of the start. Jobs that ended earlier are not counted.
    since_ms: u64,
    /// Finished jobs that are counted.
    counted: Mutex<BTreeSet<String>>,
    /// Questions and searches since the last sample, and their time in microseconds.
    answered: AtomicU64,
    answering_us: AtomicU64,
}

impl Observer {
    /// Starts analytics, if the settings want them.
    pub fn new(engine: &Engine) -> Self {
        let records = engine.config.analytics;
        let analytics = (records.scope >= Recording::Servers)
            .then(|| Analytics::start(engine.records(), records, engine.clock()));
        Self {
            analytics,
            since_ms: engine.now_ms(),
            counted: Mutex::default(),
            answered: AtomicU64::new(0),
            answering_us: AtomicU64::new(0),
        }
    }

    /// Records an answered question.
    pub fn asked(&self, engine: &Engine, response: &ask::Response, context: &QueryContext<'_>) {
        let t = response.timings;
        let stages = Stages {
            queue_ms: context.queue_ms,
            embedding_ms: stage_ms(t.embedding_ms),
            search_ms: Some(t.search_ms),
            generation_ms: Some(t.generation_ms),
            total_ms: t.total_ms + context.queue_ms.unwrap_or_default(),
        };
        let attributes = || {
            vec![
                ("rag.intent", response.intent.name().into()),
                ("rag.generator", response.generator.name().into()),
                ("rag.mode", context.mode.name().into()),
                ("rag.supported", response.answer.supported.into()),
                ("rag.citations", response.answer.citations.len().into()),
                ("rag.cache.answer_hit", response.cache.answer_hit.into()),
                ("rag.cache.retrieval_hit", response.cache.retrieval_hit.into()),
            ]
        };
        spans(engine, "ask", context, &stages, attributes);
        telemetry::asked(&telemetry::Asked {
            intent: response.intent.name(),
            generator: response.generator.name(),
            mode: context.mode.name(),
            supported: response.answer.supported,
            stages,
            features: &features(context),
        });
        let level = |risk: &Risk| risk.level().name();
        telemetry::risks("question", std::iter::once(level(&response.risk)));
        telemetry::risks("passage", response.flagged.iter().map(|passage| level(&passage.risk)));
        self.count(stages.total_ms);
        self.record(engine, || Record::Question(Box::new(question(response, context))));
    }

    /// Records a search that was not part of a question.
    pub fn searched(
        &self,
        engine: &Engine,
        response: &search::Response,
        context: &QueryContext<'_>,
    ) {
        let t = response.timings;
        let stages = Stages {
            queue_ms: context.queue_ms,
            embedding_ms: stage_ms(t.embedding_ms),
            search_ms: Some(t.search_ms),
            generation_ms: None,
            total_ms: t.total_ms + context.queue_ms.unwrap_or_default(),
        };
        let attributes = || {
            vec![
                ("rag.mode", response.mode.name().into()),
                ("rag.hits", response.hits.len().into()),
                ("rag.cache.retrieval_hit", response.retrieval_hit.into()),
            ]
        };
        spans(engine, "search", context, &stages, attributes);
        telemetry::searched(response.mode.name(), &stages, &features(context));
        telemetry::retrieved(response.hits.len(), response.hits.first().map(|hit| hit.score));
        let level = |risk: &Risk| risk.level().name();
        telemetry::risks("question", std::iter::once(level(&response.risk)));
        let passages = response.hits.iter().map(|hit| level(&ask::passage_risk(hit)));
        telemetry::risks("passage", passages);
        self.count(stages.total_ms);
        self.record(engine, || Record::Question(Box::new(searching(response, context))));
    }

    fn count(&self, total_ms: f64) {
        self.answered.fetch_add(1, Ordering::Relaxed);
        self.answering_us.fetch_add((total_ms.max(0.0) * 1e3) as u64, Ordering::Relaxed);
    }

    /// What happened since the last call, `seconds` ago.
    fn load(&self, engine: &Engine, seconds: Option<f64>) -> Load {
        let n = self.answered.swap(0, Ordering::Relaxed) as f64;
        let ms = self.answering_us.swap(0, Ordering::Relaxed) as f64 / 1e3;
        let counters = Table::ALL.map(|table| engine.cache().counters(table));
        let hits: u64 = counters.iter().map(|counters| counters.hits).sum();
        let all = hits + counters.iter().map(|counters| counters.misses).sum::<u64>();
        let counts = engine.store.meta(&engine.config.index).ok().map(|meta| meta.counts);
        Load {
            connections: None,
            hit_rate: (all > 0).then(|| hits as f64 / all as f64),
            documents: counts.map(|counts| counts.documents),
            passages: counts.map(|counts| counts.chunks),
            mean_query_ms: (n > 0.0).then(|| ms / n),
            queries_per_minute: seconds.map(|seconds| n * 60.0 / seconds.max(1e-3)),
        }
    }

    /// Records an error. `route` is a route template or the name of a tool, never a path.
    pub fn failed(&self, engine: &Engine, code: &str, route: &str) {
        telemetry::failed(code);
        self.record(engine, || Record::Error { code: code.to_owned(), route: route.to_owned() });
    }

    /// Counts the jobs in each state, and those that ended since the last call. Cheap enough for
    /// every scrape.
    pub fn jobs(&self, engine: &Engine) {
        let Ok(jobs) = engine.jobs.list(engine.now_ms()) else { return };
        for state in
            [State::Queued, State::Running, State::Succeeded, State::Failed, State::Cancelled]
        {
            telemetry::jobs(state.name(), jobs.iter().filter(|job| job.state == state).count());
        }
        let mut counted = locked(&self.counted);
        // Jobs that left the log cannot end again.
        counted.retain(|id| jobs.iter().any(|job| job.id == *id));
        for job in jobs.iter().filter(|job| job.ended_ms.is_some_and(|at| at >= self.since_ms)) {
            if counted.insert(job.id.clone()) {
                telemetry::ingested(job.state.name(), ingested(job));
            }
        }
    }

    /// Starts a thread that samples memory, processor, queue, jobs and caches until the sampler is
    /// dropped. `host` owns the engine; `queue` yields the number of waiting questions.
    pub fn sample<H: AsRef<Engine> + Send + 'static>(
        self: &Arc<Self>,
        host: H,
        queue: impl Fn(&H) -> usize + Send + 'static,
    ) -> Sampler {
        let (stop, stopped) = channel();
        let observer = Arc::clone(self);
        let thread = std::thread::Builder::new()
            .name("sampler".into())
            .spawn(move || observer.sample_until(&stopped, host.as_ref(), || queue(&host)));
        Sampler { stop: Some(stop), thread: thread.ok() }
    }

    fn sample_until(&self, stopped: &Receiver<()>, engine: &Engine, queue: impl Fn() -> usize) {
        // A separate connection, so that counting rows blocks no request.
        let cache = Cache::open(&engine.config.cache_dir, engine.config.cache);
        let mut cpu_s = telemetry::process().1.unwrap_or_default();
        let mut last = None::<Instant>;
        loop {
            if last.is_none_or(|last| last.elapsed() >= SAMPLE) {
                let seconds = last.map(|last| last.elapsed().as_secs_f64());
                last = Some(Instant::now());
                self.jobs(engine);
                caches(&cache);
                let (memory, used_s) = telemetry::process();
                let used_s = used_s.unwrap_or(cpu_s);
                let cores = seconds.map_or(0.0, |seconds| (used_s - cpu_s) / seconds);
                cpu_s = used_s;
                self.record(engine, || Record::System {
                    memory_bytes: memory.unwrap_or_default(),
                    cpu: cores,
                    queue: queue() as u64,
                    load: Some(self.load(engine, seconds)),
                });
            }
            telemetry::upkeep();
            match stopped.recv_timeout(UPKEEP) {
                Err(RecvTimeoutError::Timeout) => {}
                Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    fn record(&self, engine: &Engine, record: impl FnOnce() -> Record) {
        if let Some(analytics) = &self.analytics {
            analytics.record(engine.now_s(), record());
        }
    }
}

/// The thread that samples; dropping it ends it.
pub struct Sampler {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.stop = None;
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Records a question of a command, if the settings want those too.
///
/// # Errors
/// When the file cannot be written.
pub fn asked_once(engine: &Engine, response: &ask::Response) -> Result<()> {
    once(engine, || question(response, &QueryContext::plain(engine, &response.question)))
}

/// As [`asked_once`], for a search.
///
/// # Errors
/// As [`asked_once`].
pub fn searched_once(engine: &Engine, response: &search::Response) -> Result<()> {
    once(engine, || searching(response, &QueryContext::plain(engine, &response.query)))
}

fn once(engine: &Engine, question: impl FnOnce() -> Question) -> Result<()> {
    let records = engine.config.analytics;
    if records.scope < Recording::All {
        return Ok(());
    }
    let batch = vec![Record::Question(Box::new(question()))];
    analytics::record_now(engine.records(), records, engine.now_s(), batch)
}

fn question(response: &ask::Response, context: &QueryContext<'_>) -> Question {
    let t = response.timings;
    Question {
        intent: response.intent.name().to_owned(),
        generator: response.generator.name().to_owned(),
        mode: context.mode.name().to_owned(),
        supported: response.answer.supported,
        hits: response.answer.citations.len() as u64,
        answer_hit: response.cache.answer_hit,
        retrieval_hit: response.cache.retrieval_hit,
        embedding_ms: stage_ms(t.embedding_ms),
        search_ms: t.search_ms,
        generation_ms: Some(t.generation_ms),
        total_ms: t.total_ms + context.queue_ms.unwrap_or_default(),
        // Passages of an unsupported answer do not count as cited.
        documents: match response.answer.supported {
            true => documents(response.answer.citations.iter().map(|citation| &citation.hit)),
            false => Vec::new(),
        },
        accesses: accesses(response.answer.citations.iter().map(|citation| &citation.hit)),
        model: response.model.clone(),
        tokens: response.writing.as_ref().and_then(|w| Some(w.usage.as_ref()?.completion_tokens)),
        ..requested(&response.index, context)
    }
}

fn searching(response: &search::Response, context: &QueryContext<'_>) -> Question {
    let t = response.timings;
    Question {
        is_search: true,
        mode: response.mode.name().to_owned(),
        supported: !response.hits.is_empty(),
        hits: response.hits.len() as u64,
        retrieval_hit: response.retrieval_hit,
        embedding_ms: stage_ms(t.embedding_ms),
        search_ms: t.search_ms,
        total_ms: t.total_ms + context.queue_ms.unwrap_or_default(),
        documents: documents(response.hits.iter()),
        accesses: accesses(response.hits.iter()),
        expansions: {
            let is_other = |note: &&Note| matches!(note, Note::Corrected { .. });
            response.notes.iter().filter(is_other).count() as u64
        },
        ..requested(&response.index, context)
    }
}

/// The fields that a request determines.
fn requested(index: &str, context: &QueryContext<'_>) -> Question {
    Question {
        text: context.text.to_owned(),
        index: index.to_owned(),
        k: context.k as u64,
        queue_ms: context.queue_ms,
        session: context.session.map(str::to_owned),
        is_reranked: context.rerank > 0,
        ..Question::default()
    }
}

/// The time of a stage, unless it was skipped.
fn stage_ms(ms: f64) -> Option<f64> {
    (ms > 0.0).then_some(ms)
}

fn accesses<'a>(hits: impl Iterator<Item = &'a Hit>) -> Vec<Access> {
    let access = |hit: &Hit| Access {
        root: hit.root.to_string(),
        path: hit.path.to_string(),
        lines: [hit.chunk.lines.first, hit.chunk.lines.last],
        score: hit.score,
    };
    hits.map(access).collect()
}

/// Each document once.
fn documents<'a>(hits: impl Iterator<Item = &'a Hit>) -> Vec<(String, String)> {
    let all: BTreeSet<(String, String)> =
        hits.map(|hit| (hit.root.to_string(), hit.path.to_string())).collect();
    all.into_iter().collect()
}

/// Sends the spans of a finished question: one for all of it, one for each stage. Only durations of
/// stages are known, so their order is assumed: queue, embedding, retrieval; generation ends last.
fn spans(
    engine: &Engine,
    name: &str,
    context: &QueryContext<'_>,
    stages: &Stages,
    attributes: impl FnOnce() -> Vec<(&'static str, Value)>,
) {
    let Some((request, ago)) = context.traced else { return };
    let trace = request.child();
    let ns = |ms: f64| (ms.max(0.0) * 1e6) as u128;
    let now_ns = engine.now().as_nanos();
    let begun_ns = now_ns.saturating_sub(ago.as_nanos());
    // A batch reports all its questions at its end.
    let ended_ns = (begun_ns + ns(stages.total_ms)).min(now_ns);
    let mut from = begun_ns;
    for (stage, ms) in
        [("queue", stages.queue_ms), ("embed", stages.embedding_ms), ("retrieve", stages.search_ms)]
    {
        if let Some(ms) = ms {
            let to = (from + ns(ms)).min(ended_ns);
            send_span(trace.child(), stage, from..to, Vec::new());
            from = to;
        }
    }
    if let Some(ms) = stages.generation_ms {
        let from = ended_ns.saturating_sub(ns(ms)).max(begun_ns);
        send_span(trace.child(), "generate", from..ended_ns, Vec::new());
    }
    send_span(trace, name, begun_ns..ended_ns, attributes());
}

/// Sends a span. A request that shared the work of an earlier one gets only the part since its own
/// start.
fn send_span(trace: Trace, name: &str, ns: Range<u128>, attributes: Vec<(&'static str, Value)>) {
    let begun_ns = ns.start.max(trace.begun_ns);
    if begun_ns <= ns.end {
        telemetry::span(SpanData {
            trace,
            name: name.to_owned(),
            is_server: false,
            begun_ns,
            ended_ns: ns.end,
            attributes,
            failed: false,
        });
    }
}

fn features(context: &QueryContext<'_>) -> Vec<Feature> {
    let used = [
        (context.has_filter, Feature::Filter),
        (context.session.is_some(), Feature::Session),
        (context.is_streamed, Feature::Stream),
        (context.is_batch, Feature::Batch),
        (context.rerank > 0, Feature::Rerank),
        (context.has_intent, Feature::Intent),
        (context.caching == Caching::Refresh, Feature::Refresh),
        (context.caching == Caching::Off, Feature::NoCache),
    ];
    used.into_iter().filter_map(|(is_used, feature)| is_used.then_some(feature)).collect()
}

fn caches(cache: &Cache) {
    // Requests report a cache that cannot be read.
    for stats in cache.stats().unwrap_or_default() {
        let now = CacheTable {
            rows: stats.count,
            bytes: stats.bytes,
            budget_bytes: stats.budget_bytes,
            evicted: stats.counters.evicted,
        };
        telemetry::cache_table(stats.table.name(), &now);
    }
}

fn ingested(job: &Job) -> Option<Ingested> {
    let result = job.result.as_ref().filter(|_| job.state == State::Succeeded)?;
    let number = |key: &str| result.get(key).and_then(Value::as_u64).unwrap_or_default();
    Some(Ingested {
        read: number("read"),
        skipped: number("skipped"),
        failed: number("n_failed"),
        removed: number("removed"),
        chunks: number("chunks"),
        seconds: result.get("seconds").and_then(Value::as_f64).unwrap_or_default(),
    })
}
