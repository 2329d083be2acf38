//! Events to metrics, one call each. Cheap enough for every request; no-ops while metrics are off.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::recorder::is_on;
use super::table as t;

use crate::error::locked;
use crate::strings::named;

/// Milliseconds by stage; `None` for a stage that did not run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stages {
    pub queue_ms: Option<f64>,
    pub embedding_ms: Option<f64>,
    pub search_ms: Option<f64>,
    pub generation_ms: Option<f64>,
    pub total_ms: f64,
}

named! {
    /// A feature that a request used.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Feature {
        Filter = "filter",
        Session = "session",
        Stream = "stream",
        Rerank = "rerank",
        Intent = "intent",
        Refresh = "refresh",
        NoCache = "no_cache",
        Batch = "batch",
    }
}

/// A question that was answered or abstained from.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub intent: &'static str,
    pub generator: &'static str,
    pub mode: &'static str,
    pub supported: bool,
    pub stages: Stages,
    pub features: &'a [Feature],
}

pub fn asked(asked: &Asked<'_>) {
    if is_on() {
        t::QUESTIONS.add(&[asked.intent, asked.generator, bool_name(asked.supported)], 1);
        stages(&asked.stages);
        features(asked.mode, asked.features);
    }
}

/// Counts the passages of a question or a search, with the score of the best.
pub fn retrieved(n: usize, best_score: Option<f64>) {
    if is_on() {
        t::SOURCES.observe(&[], n as f64);
        if let Some(score) = best_score {
            t::RELEVANCE.observe(&[], score);
        }
    }
}

/// Sets the size of the default index.
pub fn index(documents: u64, passages: u64) {
    t::INDEX_DOCUMENTS.set(&[], documents as f64);
    t::INDEX_PASSAGES.set(&[], passages as f64);
}

/// Counts texts at risk of prompt injection: `text` is `question` or `passage`. The level `none` is
/// not counted.
pub fn risks(text: &'static str, levels: impl Iterator<Item = &'static str>) {
    if is_on() {
        levels.filter(|level| *level != "none").for_each(|level| t::RISKS.add(&[text, level], 1));
    }
}

/// Counts a search that was not part of a question.
pub fn searched(mode: &'static str, by_stage: &Stages, used: &[Feature]) {
    if is_on() {
        t::SEARCHES.add(&[mode], 1);
        stages(by_stage);
        features(mode, used);
    }
}

fn stages(stages: &Stages) {
    let Stages { queue_ms, embedding_ms, search_ms, generation_ms, total_ms } = *stages;
    let all = [
        ("queue", queue_ms),
        ("embedding", embedding_ms),
        ("search", search_ms),
        ("generation", generation_ms),
        ("total", Some(total_ms)),
    ];
    for (stage, ms) in all {
        if let Some(ms) = ms {
            t::STAGE_DURATION.observe(&[stage], ms / 1e3);
        }
    }
}

fn features(mode: &'static str, used: &[Feature]) {
    used.iter()
        .map(|feature| feature.name())
        .chain([mode])
        .for_each(|name| t::FEATURES.add(&[name], 1));
}

/// Counts a search whose words were extended or replaced: `acronym` or `replacement`.
pub fn expanded(kind: &'static str) {
    t::EXPANSIONS.add(&[kind], 1);
}

/// Counts a request that ended in an error.
pub fn failed(code: &str) {
    t::ERRORS.add(&[code], 1);
}

/// Counts a request as in flight, from the reading of its head until this is dropped.
#[derive(Debug)]
pub struct InFlight(());

impl InFlight {
    pub fn begin() -> Self {
        t::HTTP_IN_FLIGHT.shift(&[], 1.0);
        Self(())
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        t::HTTP_IN_FLIGHT.shift(&[], -1.0);
    }
}

/// A finished request.
#[derive(Clone, Copy, Debug)]
pub struct Served<'a> {
    /// The template, such as `/sessions/{id}`; never the path.
    pub route: &'a str,
    pub method: &'a str,
    pub status: u16,
    pub elapsed: Duration,
    pub received_bytes: u64,
    pub sent_bytes: u64,
}

pub fn served(served: &Served<'_>) {
    if is_on() {
        let Served { route, method, status, elapsed, received_bytes, sent_bytes } = *served;
        let class = ["1xx", "2xx", "3xx", "4xx", "5xx"]
            .get(usize::from(status / 100).wrapping_sub(1))
            .copied();
        // Every class starts at 0, so that a rate does not miss the first error.
        ["2xx", "4xx", "5xx"]
            .into_iter()
            .for_each(|class| t::HTTP_REQUESTS.add(&[route, method, class], 0));
        t::HTTP_REQUESTS.add(&[route, method, class.unwrap_or("other")], 1);
        t::HTTP_DURATION.observe(&[route, method], elapsed.as_secs_f64());
        t::HTTP_RECEIVED.add(&[route], received_bytes);
        t::HTTP_SENT.add(&[route], sent_bytes);
    }
}

/// Sets the number of open connections.
pub fn connections(n: u64) {
    t::HTTP_CONNECTIONS.set(&[], n as f64);
}

/// The load of a lane of questions, and its totals since the start.
#[derive(Clone, Copy, Debug, Default)]
pub struct LaneState {
    pub waiting: usize,
    pub workers: usize,
    pub busy: usize,
    pub refused: u64,
    pub left: u64,
    pub shared: u64,
}

/// Sets the metrics of a lane: `own` or `written`.
pub fn lane(name: &str, lane: &LaneState) {
    if is_on() {
        let gauges =
            [(&t::WAITING, lane.waiting), (&t::WORKERS, lane.workers), (&t::RUNNING, lane.busy)];
        gauges.into_iter().for_each(|(gauge, n)| gauge.set(&[name], n as f64));
        let counters =
            [(&t::REFUSED, lane.refused), (&t::LEFT, lane.left), (&t::JOINED, lane.shared)];
        counters.into_iter().for_each(|(counter, n)| counter.absolute(&[name], n));
    }
}

/// Totals of an ingest.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ingested {
    pub read: u64,
    pub skipped: u64,
    pub failed: u64,
    pub removed: u64,
    pub chunks: u64,
    pub seconds: f64,
}

/// Counts a finished ingest. `report` is `None` unless it succeeded.
pub fn ingested(outcome: &str, report: Option<Ingested>) {
    t::INGESTS.add(&[outcome], 1);
    if let Some(Ingested { read, skipped, failed, removed, chunks, seconds }) = report {
        for (what, n) in
            [("read", read), ("skipped", skipped), ("failed", failed), ("removed", removed)]
        {
            t::INGEST_FILES.add(&[what], n);
        }
        t::INGEST_CHUNKS.add(&[], chunks);
        t::INGEST_DURATION.observe(&[], seconds);
    }
}

/// Counts an operation on a cache table: a look-up (`hit`, `miss` or `damaged`, which is a miss
/// too), or a row `kept`.
pub fn cache_operation(table: &'static str, outcome: &'static str) {
    static LOOKED_UP: Mutex<BTreeMap<&str, (u64, u64)>> = Mutex::new(BTreeMap::new());
    if is_on() {
        t::CACHE_OPERATIONS.add(&[table, outcome], 1);
        let mut looked_up = locked(&LOOKED_UP);
        let (hits, misses) = looked_up.entry(table).or_default();
        *hits += u64::from(outcome == "hit");
        *misses += u64::from(outcome == "miss");
        t::CACHE_HIT_RATIO.set(&[table], *hits as f64 / (*hits + *misses).max(1) as f64);
    }
}

/// Counts a look-up in the shared store (`hit` or `miss`, and `damaged` or `error` beside a miss),
/// or a row that was `set`, or `dropped`, or not written because of an `error`.
pub fn shared_operation(table: &'static str, outcome: &'static str) {
    t::SHARED_OPERATIONS.add(&[table, outcome], 1);
}

/// The connections to an engine outside this machine, and its last reply.
pub fn engine(name: &str, used: usize, idle: usize, latency: Option<Duration>) {
    t::ENGINE_CONNECTIONS.set(&[name, "used"], used as f64);
    t::ENGINE_CONNECTIONS.set(&[name, "idle"], idle as f64);
    if let Some(latency) = latency {
        t::ENGINE_LATENCY.set(&[name], latency.as_secs_f64());
    }
}

/// Counts a search among the vectors of an engine by outcome: `ok`, `exact`, `absent`, `short`,
/// `wrong` or `failed`.
pub fn nearest(engine: &str, outcome: &str) {
    t::NEAREST_OPERATIONS.add(&[engine, outcome], 1);
}

/// Records the time of a request (`propose` or `write`) to the engine that has vectors.
pub fn nearest_time(engine: &str, operation: &str, elapsed: Duration) {
    t::NEAREST_SECONDS.observe(&[engine, operation], elapsed.as_secs_f64());
}

/// The size of a cache table.
#[derive(Clone, Copy, Debug, Default)]
pub struct CacheTable {
    pub rows: u64,
    pub bytes: u64,
    pub budget_bytes: u64,
    pub evicted: u64,
}

pub fn cache_table(table: &str, now: &CacheTable) {
    if is_on() {
        let gauges = [
            (&t::CACHE_ROWS, now.rows as f64),
            (&t::CACHE_BYTES, now.bytes as f64),
            (&t::CACHE_BUDGET, now.budget_bytes as f64),
        ];
        gauges.into_iter().for_each(|(gauge, value)| gauge.set(&[table], value));
        t::CACHE_EVICTED.absolute(&[table], now.evicted);
    }
}

/// Sets the number of jobs in a state.
pub fn jobs(state: &str, n: usize) {
    t::JOBS.set(&[state], n as f64);
}

/// Counts a text that was embedded.
pub fn embedded(role: &str, tokens: usize, elapsed: Duration) {
    static TOKENS: AtomicU64 = AtomicU64::new(0);
    static MICROSECONDS: AtomicU64 = AtomicU64::new(0);
    if is_on() {
        let (tokens, us) = (tokens as u64, elapsed.as_micros() as u64);
        let all = TOKENS.fetch_add(tokens, Ordering::Relaxed) + tokens;
        let took_us = MICROSECONDS.fetch_add(us, Ordering::Relaxed) + us;
        t::MODEL_TEXTS.add(&[role], 1);
        t::MODEL_TOKENS.add(&[role], tokens);
        t::MODEL_DURATION.observe(&[], elapsed.as_secs_f64());
        t::MODEL_SPEED.set(&[], all as f64 / (took_us.max(1) as f64 / 1e6));
    }
}

/// Tokens as the language model counts them.
#[derive(Clone, Copy, Debug, Default)]
pub struct LlmTokens {
    pub prompt: u64,
    pub cached: u64,
    pub completion: u64,
}

/// Counts a call of the language model by outcome: `complete`, `length`, `interrupted`, `broken`,
/// `failed`, or `refused` while the breaker is open.
pub fn llm_called(outcome: &str, tries: u32, tokens: LlmTokens) {
    if is_on() {
        t::LLM_CALLS.add(&[outcome], 1);
        t::LLM_TRIES.add(&[], tries.into());
        let LlmTokens { prompt, cached, completion } = tokens;
        for (kind, n) in [("prompt", prompt), ("cached", cached), ("completion", completion)] {
            t::LLM_TOKENS.add(&[kind], n);
        }
    }
}

/// Records the speed of a call of the language model.
pub fn llm_speed(completion_tokens: u64, elapsed: Duration) {
    if is_on() && completion_tokens > 0 {
        t::LLM_SPEED.observe(&[], completion_tokens as f64 / elapsed.as_secs_f64().max(1e-6));
    }
}

/// Sets whether the breaker of an outside service is open.
pub fn breaker(service: &str, is_open: bool) {
    t::BREAKER_OPEN.set(&[service], f64::from(u8::from(is_open)));
}

/// Counts the breaker of a language model: 1 when it has opened, -1 when it has closed.
pub fn llm_breaker(change: i8) {
    t::BREAKER_OPEN.shift(&["llm"], f64::from(change));
}

/// Counts a WebSocket as open until this is dropped.
#[derive(Debug)]
pub struct OpenSocket(());

impl OpenSocket {
    pub fn begin() -> Self {
        t::WEBSOCKETS.shift(&[], 1.0);
        Self(())
    }
}

impl Drop for OpenSocket {
    fn drop(&mut self) {
        t::WEBSOCKETS.shift(&[], -1.0);
    }
}

/// Counts a message of a WebSocket: `received` or `sent`.
pub fn socket_message(direction: &str) {
    t::WEBSOCKET_MESSAGES.add(&[direction], 1);
}

/// Counts a delivery of a webhook: `delivered`, `failed` or `dropped`.
pub fn webhook(outcome: &str) {
    t::WEBHOOKS.add(&[outcome], 1);
}

/// Counts records of analytics: `written`, `dropped` or `failed`.
pub fn analytics(outcome: &str, n: u64) {
    t::ANALYTICS_RECORDS.add(&[outcome], n);
}

fn bool_name(value: bool) -> &'static str {
    if value { "true" } else { "false" }
}
