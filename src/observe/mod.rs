//! What verbs came to, told to metrics and analytics in one call each. Whoever serves holds one
//! [`Observer`].

#[cfg_attr(not(feature = "telemetry"), path = "no_otlp.rs")]
mod otlp;

use std::collections::BTreeSet;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::analytics::{self, Analytics, Question, Record};
use crate::ask;
use crate::cache::{Cache, Caching};
use crate::config::{Mode, Recording};
use crate::document::Hit;
use crate::engine::Engine;
use crate::error::{Kind, Result};
use crate::jobs::{Job, State};
use crate::search;
use crate::telemetry::{self, CacheTable, Feature, Ingested, SpanData, Stages, Trace};

pub use otlp::{Exporter, export};

/// How often a server samples itself.
const SAMPLE: Duration = Duration::from_secs(30);
/// How often samples of histograms are folded.
const UPKEEP: Duration = Duration::from_secs(5);

/// A question or a search as it reached us.
#[derive(Clone, Copy, Debug)]
pub struct How<'a> {
    pub text: &'a str,
    pub mode: Mode,
    pub k: usize,
    /// Passages that got a second look.
    pub rerank: usize,
    pub caching: Caching,
    pub has_filter: bool,
    /// Somebody said what kind of answer is wanted.
    pub has_intent: bool,
    pub session: Option<&'a str>,
    pub is_streamed: bool,
    pub is_batch: bool,
    /// How long it waited for a worker.
    pub queue_ms: Option<f64>,
    /// The request that it is part of, where that is traced, and how long ago it was taken into the
    /// line.
    pub traced: Option<(Trace, Duration)>,
}

impl<'a> How<'a> {
    /// As the settings have it, alone and at once.
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

/// Takes what happens in a server. Shared by all its threads.
pub struct Observer {
    analytics: Option<Analytics>,
    /// Unix milliseconds of the start: jobs that ended before are not this server's news.
    since_ms: u64,
    /// Jobs whose end has been counted.
    counted: Mutex<BTreeSet<String>>,
}

impl Observer {
    /// Begins to record, unless the settings say no.
    pub fn new(engine: &Engine) -> Self {
        let records = engine.config.analytics;
        let analytics = (records.of >= Recording::Servers).then(|| {
            Analytics::start(&analytics::dir(&engine.config.data_dir), records, engine.clock())
        });
        Self { analytics, since_ms: engine.now_ms(), counted: Mutex::default() }
    }

    /// A question was answered.
    pub fn asked(&self, engine: &Engine, response: &ask::Response, how: &How<'_>) {
        let t = response.timings;
        let stages = Stages {
            queue_ms: how.queue_ms,
            embedding_ms: took(t.embedding_ms),
            search_ms: Some(t.search_ms),
            generation_ms: Some(t.generation_ms),
            total_ms: t.total_ms + how.queue_ms.unwrap_or_default(),
        };
        let attributes = || {
            vec![
                ("rag.intent", response.intent.name().into()),
                ("rag.generator", response.generator.name().into()),
                ("rag.mode", how.mode.name().into()),
                ("rag.supported", response.answer.supported.into()),
                ("rag.citations", response.answer.citations.len().into()),
                ("rag.cache.answer_hit", response.cache.answer_hit.into()),
                ("rag.cache.retrieval_hit", response.cache.retrieval_hit.into()),
            ]
        };
        spans(engine, "ask", how, &stages, attributes);
        telemetry::asked(&telemetry::Asked {
            intent: response.intent.name(),
            generator: response.generator.name(),
            mode: how.mode.name(),
            supported: response.answer.supported,
            stages,
            features: &features(how),
        });
        self.record(engine, || Record::Question(Box::new(question(response, how))));
    }

    /// A search was done, one of its own.
    pub fn searched(&self, engine: &Engine, response: &search::Response, how: &How<'_>) {
        let t = response.timings;
        let stages = Stages {
            queue_ms: how.queue_ms,
            embedding_ms: took(t.embedding_ms),
            search_ms: Some(t.search_ms),
            generation_ms: None,
            total_ms: t.total_ms + how.queue_ms.unwrap_or_default(),
        };
        let attributes = || {
            vec![
                ("rag.mode", response.mode.name().into()),
                ("rag.hits", response.hits.len().into()),
                ("rag.cache.retrieval_hit", response.retrieval_hit.into()),
            ]
        };
        spans(engine, "search", how, &stages, attributes);
        telemetry::searched(response.mode.name(), &stages, &features(how));
        self.record(engine, || Record::Question(Box::new(searching(response, how))));
    }

    /// A request ended in an error. `route` is a template or the name of a tool, never a path.
    pub fn failed(&self, engine: &Engine, code: &str, route: &str) {
        telemetry::failed(code);
        self.record(engine, || Record::Error { code: code.to_owned(), route: route.to_owned() });
    }

    /// Looks at the log of jobs: how many there are in each state, and which ended since the last
    /// look. Cheap enough for every scrape.
    pub fn jobs(&self, engine: &Engine) {
        let Ok(jobs) = engine.jobs.list(engine.now_ms()) else { return };
        for state in
            [State::Queued, State::Running, State::Succeeded, State::Failed, State::Cancelled]
        {
            telemetry::jobs(state.name(), jobs.iter().filter(|job| job.state == state).count());
        }
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        // What the log has forgotten cannot end again.
        counted.retain(|id| jobs.iter().any(|job| job.id == *id));
        for job in jobs.iter().filter(|job| job.ended_ms.is_some_and(|at| at >= self.since_ms)) {
            if counted.insert(job.id.clone()) {
                telemetry::ingested(job.state.name(), ingested(job));
            }
        }
    }

    /// Samples memory, processor, queue, jobs and caches now and then, on a thread of its own,
    /// until the sampler is dropped. `host` is what has the engine; `queue` tells how much waits
    /// there.
    pub fn sample<H: AsRef<Engine> + Send + 'static>(
        self: &Arc<Self>,
        host: H,
        queue: impl Fn(&H) -> usize + Send + 'static,
    ) -> Sampler {
        let (stop, stopped) = channel();
        let observer = Arc::clone(self);
        let thread = std::thread::Builder::new().name("sampler".into()).spawn(move || {
            let engine = host.as_ref();
            // Its own connection: counting rows must keep nobody waiting.
            let cache = Cache::open(&engine.config.cache_dir, engine.config.cache);
            let mut cpu = telemetry::process().1.unwrap_or_default();
            let mut last = None::<Instant>;
            loop {
                if last.is_none_or(|last| last.elapsed() >= SAMPLE) {
                    let seconds = last.map(|last| last.elapsed().as_secs_f64());
                    last = Some(Instant::now());
                    observer.jobs(engine);
                    caches(&cache);
                    let (memory, used) = telemetry::process();
                    let used = used.unwrap_or(cpu);
                    let cores = seconds.map_or(0.0, |seconds| (used - cpu) / seconds);
                    cpu = used;
                    observer.record(engine, || Record::System {
                        memory_bytes: memory.unwrap_or_default(),
                        cpu: cores,
                        queue: queue(&host) as u64,
                    });
                }
                telemetry::upkeep();
                match stopped.recv_timeout(UPKEEP) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
                }
            }
        });
        Sampler { stop: Some(stop), thread: thread.ok() }
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

/// Records a question of a command, where the settings want those too.
///
/// # Errors
/// Whatever keeps the file from being written; the answer has been given all the same.
pub fn asked_once(engine: &Engine, response: &ask::Response) -> Result<()> {
    once(engine, || question(response, &How::plain(engine, &response.question)))
}

/// As [`asked_once`], for a search.
///
/// # Errors
/// As [`asked_once`].
pub fn searched_once(engine: &Engine, response: &search::Response) -> Result<()> {
    once(engine, || searching(response, &How::plain(engine, &response.query)))
}

fn once(engine: &Engine, question: impl FnOnce() -> Question) -> Result<()> {
    let records = engine.config.analytics;
    if records.of < Recording::Everybody {
        return Ok(());
    }
    let batch = vec![Record::Question(Box::new(question()))];
    analytics::record_now(&analytics::dir(&engine.config.data_dir), records, engine.now_s(), batch)
}

fn question(response: &ask::Response, how: &How<'_>) -> Question {
    let t = response.timings;
    Question {
        intent: response.intent.name().to_owned(),
        generator: response.generator.name().to_owned(),
        mode: how.mode.name().to_owned(),
        supported: response.answer.supported,
        hits: response.answer.citations.len() as u64,
        answer_hit: response.cache.answer_hit,
        retrieval_hit: response.cache.retrieval_hit,
        embedding_ms: took(t.embedding_ms),
        search_ms: t.search_ms,
        generation_ms: Some(t.generation_ms),
        total_ms: t.total_ms + how.queue_ms.unwrap_or_default(),
        // The nearest passages of a question without an answer were not read for it.
        documents: match response.answer.supported {
            true => documents(response.answer.citations.iter().map(|citation| &citation.hit)),
            false => Vec::new(),
        },
        ..begun(&response.index, how)
    }
}

fn searching(response: &search::Response, how: &How<'_>) -> Question {
    let t = response.timings;
    Question {
        is_search: true,
        mode: response.mode.name().to_owned(),
        supported: !response.hits.is_empty(),
        hits: response.hits.len() as u64,
        retrieval_hit: response.retrieval_hit,
        embedding_ms: took(t.embedding_ms),
        search_ms: t.search_ms,
        total_ms: t.total_ms + how.queue_ms.unwrap_or_default(),
        documents: documents(response.hits.iter()),
        ..begun(&response.index, how)
    }
}

/// What is known before there is an answer.
fn begun(index: &str, how: &How<'_>) -> Question {
    Question {
        text: how.text.to_owned(),
        index: index.to_owned(),
        k: how.k as u64,
        queue_ms: how.queue_ms,
        session: how.session.map(str::to_owned),
        ..Question::default()
    }
}

/// The time of a stage, if there was one.
fn took(ms: f64) -> Option<f64> {
    (ms > 0.0).then_some(ms)
}

/// Each document once.
fn documents<'a>(hits: impl Iterator<Item = &'a Hit>) -> Vec<(String, String)> {
    let all: BTreeSet<(String, String)> =
        hits.map(|hit| (hit.root.to_string(), hit.path.to_string())).collect();
    all.into_iter().collect()
}

/// The spans of a question that has just been answered: one for all of it, one for each stage.
/// Stages are known by how long they took: the line comes first, writing last, and the search
/// follows the embedding that it waited for.
fn spans(
    engine: &Engine,
    name: &str,
    how: &How<'_>,
    stages: &Stages,
    attributes: impl FnOnce() -> Vec<(&'static str, Value)>,
) {
    let Some((trace, ago)) = how.traced.map(|(request, ago)| (request.child(), ago)) else {
        return;
    };
    let ns = |ms: f64| (ms.max(0.0) * 1e6) as u128;
    let now_ns = engine.now().as_nanos();
    let begun_ns = now_ns.saturating_sub(ago.as_nanos());
    // A batch is looked at when all of it is answered.
    let ended_ns = (begun_ns + ns(stages.total_ms)).min(now_ns);
    let tell = |trace: Trace,
                name: &str,
                begun_ns: u128,
                ended_ns: u128,
                attributes: Vec<(&'static str, Value)>| {
        // Whoever asks what is being answered already has no part in what was done before.
        let begun_ns = begun_ns.max(trace.begun_ns);
        if begun_ns <= ended_ns {
            let name = name.to_owned();
            telemetry::span(SpanData {
                trace,
                name,
                is_server: false,
                begun_ns,
                ended_ns,
                attributes,
                failed: false,
            });
        }
    };
    let mut from = begun_ns;
    for (stage, ms) in
        [("queue", stages.queue_ms), ("embed", stages.embedding_ms), ("retrieve", stages.search_ms)]
    {
        if let Some(ms) = ms {
            let to = (from + ns(ms)).min(ended_ns);
            tell(trace.child(), stage, from, to, Vec::new());
            from = to;
        }
    }
    if let Some(ms) = stages.generation_ms {
        tell(
            trace.child(),
            "generate",
            ended_ns.saturating_sub(ns(ms)).max(begun_ns),
            ended_ns,
            Vec::new(),
        );
    }
    tell(trace, name, begun_ns, ended_ns, attributes());
}

fn features(how: &How<'_>) -> Vec<Feature> {
    let used = [
        (how.has_filter, Feature::Filter),
        (how.session.is_some(), Feature::Session),
        (how.is_streamed, Feature::Stream),
        (how.is_batch, Feature::Batch),
        (how.rerank > 0, Feature::Rerank),
        (how.has_intent, Feature::Intent),
        (how.caching == Caching::Refresh, Feature::Refresh),
        (how.caching == Caching::Off, Feature::NoCache),
    ];
    used.into_iter().filter_map(|(is_used, feature)| is_used.then_some(feature)).collect()
}

fn caches(cache: &Cache) {
    // A cache that cannot be read is told of by whoever needs it.
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
