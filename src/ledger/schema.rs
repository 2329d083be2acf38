//! The schema, in steps from one version to the next. A released step never changes.
//!
//! Servers only compare versions: `rag migrate` takes the steps. A step only adds, so servers of
//! the version before and after run side by side; what an old server needs is removed one version
//! later.

/// The tables of one use of a database, with their own versions.
#[derive(Debug)]
pub(super) struct Schema {
    /// The table of versions.
    pub table: &'static str,
    pub steps: &'static [&'static str],
    /// The setting with the address.
    pub setting: &'static str,
}

/// Jobs, sessions and analytics.
pub(super) const LEDGER: Schema =
    Schema { table: "rag_schema", steps: STEPS, setting: "ledger.url" };

/// Vectors. Apart from the others: it needs an extension, and may be in another database.
pub(super) const VECTORS: Schema =
    Schema { table: "rag_vectors_schema", steps: VECTOR_STEPS, setting: "nearest.url" };

/// The version of the tables of jobs, sessions and analytics that this program needs.
pub const VERSION: u32 = STEPS.len() as u32;

impl Schema {
    pub fn version(&self) -> u32 {
        self.steps.len() as u32
    }
}

/// Taken while the schema changes (`rag` in ASCII).
pub(super) const LOCK: i64 = 0x0072_6167;

const VECTOR_STEPS: &[&str] = &["
CREATE EXTENSION IF NOT EXISTS vector;
-- A space has the vectors of one index and one model. Generations are numbered in the order of
-- their publication.
CREATE TABLE rag_generations (
    space text NOT NULL, number bigint NOT NULL, generation text NOT NULL, rows bigint NOT NULL,
    is_whole boolean NOT NULL DEFAULT false, holder text, lease_until timestamptz,
    PRIMARY KEY (space, number), UNIQUE (space, generation));
-- A vector belongs to the generations from `born` on, and before `died`.
CREATE TABLE rag_vectors (
    space text NOT NULL, key uuid NOT NULL, born bigint NOT NULL, died bigint, v halfvec NOT NULL,
    PRIMARY KEY (space, key, born)) PARTITION BY LIST (space);
"];

const STEPS: &[&str] = &[
    "
CREATE TABLE rag_keys (name text PRIMARY KEY, value text NOT NULL);
-- Of keyed hashes of questions: the same on every server.
INSERT INTO rag_keys VALUES ('analytics', replace(gen_random_uuid()::text, '-', ''));

CREATE TABLE rag_sessions (
    id text PRIMARY KEY, created bigint NOT NULL, used bigint NOT NULL, turns bigint NOT NULL,
    token text, lease_until timestamptz, title text);
CREATE INDEX rag_sessions_used ON rag_sessions (used);
CREATE TABLE rag_turns (
    session text NOT NULL REFERENCES rag_sessions ON DELETE CASCADE, n bigint NOT NULL,
    at bigint NOT NULL, body text NOT NULL, crc bigint NOT NULL, PRIMARY KEY (session, n));
CREATE TABLE rag_issued (id text PRIMARY KEY, until timestamptz NOT NULL);

CREATE TABLE rag_jobs (
    id text PRIMARY KEY, ord bigint GENERATED ALWAYS AS IDENTITY,
    state text NOT NULL, priority integer NOT NULL, ready_ms bigint NOT NULL,
    after text[] NOT NULL DEFAULT '{}', ended_ms bigint,
    fence bigint NOT NULL DEFAULT 0, worker text, host text, pid bigint,
    lease_until timestamptz, reading text, body jsonb NOT NULL);
CREATE INDEX rag_jobs_queue ON rag_jobs (priority, ord) WHERE state = 'queued';
CREATE INDEX rag_jobs_running ON rag_jobs (lease_until) WHERE state = 'running';
CREATE SEQUENCE rag_job_events;

CREATE TABLE query_logs (
    id uuid NOT NULL, timestamp timestamptz NOT NULL, query_text text, query_hash text NOT NULL,
    client_id text, session_hash text, index_name text NOT NULL,
    retrieval_time_ms double precision, generation_time_ms double precision,
    total_time_ms double precision NOT NULL, sources_count integer NOT NULL,
    relevance_scores jsonb, avg_relevance_score double precision, model_used text,
    tokens_generated integer, used_reranking boolean NOT NULL,
    used_hybrid_search boolean NOT NULL, used_query_expansion boolean NOT NULL,
    expansion_count integer NOT NULL, success boolean NOT NULL, error_message text,
    metadata jsonb NOT NULL, PRIMARY KEY (id, timestamp)) PARTITION BY RANGE (timestamp);
CREATE INDEX query_logs_time ON query_logs (timestamp);
CREATE INDEX query_logs_client ON query_logs (client_id, timestamp);
CREATE INDEX query_logs_success ON query_logs (success, timestamp);
CREATE INDEX query_logs_features
    ON query_logs (used_reranking, used_hybrid_search, used_query_expansion);
CREATE TABLE document_accesses (
    query_id uuid NOT NULL, timestamp timestamptz NOT NULL, rank integer NOT NULL,
    document_id text NOT NULL, file_name text NOT NULL, chunk_id text,
    relevance_score double precision, index_name text NOT NULL,
    PRIMARY KEY (query_id, rank, timestamp)) PARTITION BY RANGE (timestamp);
CREATE INDEX document_accesses_document ON document_accesses (document_id, timestamp);
CREATE TABLE error_logs (
    id uuid NOT NULL, timestamp timestamptz NOT NULL, error_type text NOT NULL,
    error_message text, stack_trace text, service text NOT NULL, operation text NOT NULL,
    client_id text, severity text NOT NULL, metadata jsonb NOT NULL,
    PRIMARY KEY (id, timestamp)) PARTITION BY RANGE (timestamp);
CREATE INDEX error_logs_type ON error_logs (error_type, timestamp);
CREATE TABLE system_metrics (
    id uuid NOT NULL, timestamp timestamptz NOT NULL, service text NOT NULL,
    cpu_cores double precision NOT NULL, memory_bytes bigint NOT NULL,
    queue_length bigint NOT NULL, active_connections bigint, cache_hit_rate double precision,
    documents bigint, passages bigint, mean_query_ms double precision,
    queries_per_minute double precision, metadata jsonb NOT NULL,
    PRIMARY KEY (id, timestamp)) PARTITION BY RANGE (timestamp);
CREATE TABLE feedback (
    id uuid NOT NULL, timestamp timestamptz NOT NULL, index_name text NOT NULL,
    helpful boolean NOT NULL, metadata jsonb NOT NULL,
    PRIMARY KEY (id, timestamp)) PARTITION BY RANGE (timestamp);
",
    "
-- Numbers that grow with every change of something, so that servers notice it cheaply.
CREATE TABLE rag_versions (name text PRIMARY KEY, n bigint NOT NULL);
INSERT INTO rag_versions VALUES ('tokens', 0);

CREATE TABLE rag_tokens (
    n bigint GENERATED ALWAYS AS IDENTITY, name text NOT NULL, sha256 text PRIMARY KEY,
    scope text NOT NULL, indexes text NOT NULL, created_s bigint NOT NULL, expires_s bigint,
    rate_per_minute bigint, quota_per_day bigint, revoked_s bigint);

-- Who posts the end of a job to an address, and whether that is done.
CREATE TABLE rag_deliveries (
    job text NOT NULL REFERENCES rag_jobs ON DELETE CASCADE, ended_ms bigint NOT NULL,
    address text NOT NULL, holder text NOT NULL, until timestamptz NOT NULL,
    is_done boolean NOT NULL DEFAULT false, PRIMARY KEY (job, ended_ms, address));
",
    "
-- Texts that an ingest offers to other machines, and their vectors: numbers as their 32 bits.
CREATE TABLE rag_batches (
    run text NOT NULL, n bigint NOT NULL, fingerprint text NOT NULL, texts jsonb NOT NULL,
    vectors jsonb, fence bigint NOT NULL DEFAULT 0, lease_until timestamptz,
    offered timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (run, n));
",
];

/// The tables that are partitioned by day.
pub const PARTITIONED: [&str; 5] =
    ["query_logs", "document_accesses", "error_logs", "system_metrics", "feedback"];
