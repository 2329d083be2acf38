//! Records in PostgreSQL: a table for each kind, partitioned by day.
//!
//! A batch is one transaction with one statement a table. Its rows have their ids before the first
//! try, so a try that is repeated after a lost reply adds nothing.

use serde_json::{Value, json};

use super::record::{Access, Question, Record};
use crate::disk::{self, Blake};
use crate::error::{Context as _, Result};
use crate::ledger::{Param, Postgres};

/// Records that one statement reads.
const PAGE: i64 = 2000;

const QUERIES: &str = "INSERT INTO query_logs (id, timestamp, query_text, query_hash, client_id, \
    session_hash, index_name, retrieval_time_ms, generation_time_ms, total_time_ms, \
    sources_count, relevance_scores, avg_relevance_score, model_used, tokens_generated, \
    used_reranking, used_hybrid_search, used_query_expansion, expansion_count, success, metadata) \
    SELECT r.id, to_timestamp(r.at), r.query_text, r.query_hash, r.client_id, r.session_hash, \
    r.index_name, r.retrieval_time_ms, r.generation_time_ms, r.total_time_ms, r.sources_count, \
    r.relevance_scores, r.avg_relevance_score, r.model_used, r.tokens_generated, \
    r.used_reranking, r.used_hybrid_search, r.used_query_expansion, r.expansion_count, true, \
    r.metadata FROM jsonb_to_recordset($1) AS r (id uuid, at bigint, query_text text, \
    query_hash text, client_id text, session_hash text, index_name text, \
    retrieval_time_ms double precision, generation_time_ms double precision, \
    total_time_ms double precision, sources_count integer, relevance_scores jsonb, \
    avg_relevance_score double precision, model_used text, tokens_generated integer, \
    used_reranking boolean, used_hybrid_search boolean, used_query_expansion boolean, \
    expansion_count integer, metadata jsonb) ON CONFLICT DO NOTHING";
const ACCESSES: &str = "INSERT INTO document_accesses (query_id, timestamp, rank, document_id, \
    file_name, chunk_id, relevance_score, index_name) SELECT r.query_id, to_timestamp(r.at), \
    r.rank, r.document_id, r.file_name, r.chunk_id, r.relevance_score, r.index_name \
    FROM jsonb_to_recordset($1) AS r (query_id uuid, at bigint, rank integer, document_id text, \
    file_name text, chunk_id text, relevance_score double precision, index_name text) \
    ON CONFLICT DO NOTHING";
const ERRORS: &str = "INSERT INTO error_logs (id, timestamp, error_type, error_message, service, \
    operation, client_id, severity, metadata) SELECT r.id, to_timestamp(r.at), r.error_type, \
    r.error_message, r.service, r.operation, r.client_id, r.severity, r.metadata \
    FROM jsonb_to_recordset($1) AS r (id uuid, at bigint, error_type text, error_message text, \
    service text, operation text, client_id text, severity text, metadata jsonb) \
    ON CONFLICT DO NOTHING";
const METRICS: &str = "INSERT INTO system_metrics (id, timestamp, service, cpu_cores, \
    memory_bytes, queue_length, active_connections, cache_hit_rate, documents, passages, \
    mean_query_ms, queries_per_minute, metadata) SELECT r.id, to_timestamp(r.at), r.service, \
    r.cpu_cores, r.memory_bytes, r.queue_length, r.active_connections, r.cache_hit_rate, \
    r.documents, r.passages, r.mean_query_ms, r.queries_per_minute, r.metadata \
    FROM jsonb_to_recordset($1) AS r (id uuid, at bigint, service text, \
    cpu_cores double precision, memory_bytes bigint, queue_length bigint, \
    active_connections bigint, cache_hit_rate double precision, documents bigint, \
    passages bigint, mean_query_ms double precision, queries_per_minute double precision, \
    metadata jsonb) ON CONFLICT DO NOTHING";
const FEEDBACK: &str = "INSERT INTO feedback (id, timestamp, index_name, helpful, metadata) \
    SELECT r.id, to_timestamp(r.at), r.index_name, r.helpful, r.metadata \
    FROM jsonb_to_recordset($1) AS r (id uuid, at bigint, index_name text, helpful boolean, \
    metadata jsonb) ON CONFLICT DO NOTHING";

/// The tables that have the whole record in `metadata`.
const TABLES: [&str; 4] = ["query_logs", "error_logs", "system_metrics", "feedback"];

/// The rows of a batch, by table.
#[derive(Default)]
struct Rows {
    queries: Vec<Value>,
    accesses: Vec<Value>,
    errors: Vec<Value>,
    metrics: Vec<Value>,
    feedback: Vec<Value>,
}

/// The key of keyed hashes, the same for every server.
pub(super) fn key(postgres: &Postgres) -> Result<Vec<u8>> {
    let found = postgres.query("SELECT value FROM rag_keys WHERE name = 'analytics'", &[])?;
    Ok(found.first().map(|row| row.text(0)).unwrap_or_default().into_bytes())
}

/// Stores records whose texts are hidden already.
pub(super) fn add(postgres: &Postgres, records: &[(i64, Record)]) -> Result<()> {
    postgres.ensure_days(&records.iter().map(|(at, _)| *at).collect::<Vec<_>>())?;
    let mut rows = Rows::default();
    for (at, record) in records {
        rows.take(*at, record)?;
    }
    let Rows { queries, accesses, errors, metrics, feedback } = rows;
    let statements = [
        (QUERIES, queries),
        (ACCESSES, accesses),
        (ERRORS, errors),
        (METRICS, metrics),
        (FEEDBACK, feedback),
    ];
    postgres.transaction(|transaction| {
        for (sql, rows) in statements.iter().filter(|(_, rows)| !rows.is_empty()) {
            transaction.execute(sql, &[Param::Json(Value::Array(rows.clone()))])?;
        }
        Ok(())
    })
}

impl Rows {
    fn take(&mut self, at: i64, record: &Record) -> Result<()> {
        let id = disk::random_id()?;
        let metadata = serde_json::to_value(record).or_failed(|| "cannot write a record".into())?;
        match record {
            Record::Question(question) => {
                let accesses = question.accesses.iter().zip(1..);
                self.accesses.extend(accesses.map(|(access, rank)| {
                    let Access { root, path, lines, score } = access;
                    json!({
                        "query_id": id, "at": at, "rank": rank,
                        "document_id": document_id(root, path), "file_name": path,
                        "chunk_id": format!("{}-{}", lines[0], lines[1]),
                        "relevance_score": score, "index_name": question.index,
                    })
                }));
                self.queries.push(query(&id, at, question, &metadata));
            }
            Record::Error { code, route } => {
                let is_ours = matches!(code.as_str(), "internal" | "damaged" | "disk_full");
                let is_outside = matches!(code.as_str(), "outside" | "timeout" | "busy");
                let severity = match (is_ours, is_outside) {
                    (true, _) => "error",
                    (false, true) => "warning",
                    (false, false) => "info",
                };
                self.errors.push(json!({
                    "id": id, "at": at, "error_type": code, "error_message": null,
                    "service": "rag", "operation": route, "client_id": null,
                    "severity": severity, "metadata": metadata,
                }));
            }
            Record::System { memory_bytes, cpu, queue, load } => {
                let load = load.clone().unwrap_or_default();
                self.metrics.push(json!({
                    "id": id, "at": at, "service": "rag", "cpu_cores": cpu,
                    "memory_bytes": memory_bytes, "queue_length": queue,
                    "active_connections": load.connections, "cache_hit_rate": load.hit_rate,
                    "documents": load.documents, "passages": load.passages,
                    "mean_query_ms": load.mean_query_ms,
                    "queries_per_minute": load.queries_per_minute, "metadata": metadata,
                }));
            }
            Record::Feedback(feedback) => self.feedback.push(json!({
                "id": id, "at": at, "index_name": feedback.index, "helpful": feedback.helpful,
                "metadata": metadata,
            })),
        }
        Ok(())
    }
}

fn query(id: &str, at: i64, question: &Question, metadata: &Value) -> Value {
    let scores: Vec<f64> = question.accesses.iter().map(|access| access.score).collect();
    let mean = (!scores.is_empty()).then(|| scores.iter().sum::<f64>() / scores.len() as f64);
    json!({
        "id": id, "at": at,
        "query_text": Some(&question.text).filter(|text| !text.is_empty()),
        "query_hash": question.hash, "client_id": question.client,
        "session_hash": question.session, "index_name": question.index,
        "retrieval_time_ms": question.search_ms, "generation_time_ms": question.generation_ms,
        "total_time_ms": question.total_ms, "sources_count": question.hits,
        "relevance_scores": scores, "avg_relevance_score": mean,
        "model_used": Some(&question.model).filter(|model| !model.is_empty()),
        "tokens_generated": question.tokens, "used_reranking": question.is_reranked,
        "used_hybrid_search": question.mode == "hybrid",
        "used_query_expansion": question.expansions > 0,
        "expansion_count": question.expansions, "metadata": metadata,
    })
}

/// The same for a document on every server.
fn document_id(root: &str, path: &str) -> String {
    disk::hex(&Blake::new(16).field(root.as_bytes()).field(path.as_bytes()).finish::<16>())
}

/// See [`super::place::Place::read`].
pub(super) fn read(
    postgres: &Postgres,
    since_s: i64,
    visit: &mut dyn FnMut(i64, Option<Record>),
) -> Result<bool> {
    let parts = TABLES.map(|table| {
        format!("SELECT timestamp, id, metadata FROM {table} WHERE timestamp >= to_timestamp($1)")
    });
    let sql = format!(
        "SELECT extract(epoch FROM timestamp)::bigint, id::text, metadata FROM ({}) AS r \
         WHERE (timestamp, id) > (to_timestamp($2), $3::text::uuid) \
         ORDER BY timestamp, id LIMIT $4",
        parts.join(" UNION ALL ")
    );
    // Times have whole seconds, so the last row of a page is exactly where the next one begins.
    let (mut at, mut id) = (since_s.saturating_sub(1), "0".repeat(32));
    let mut is_empty = true;
    loop {
        let params = [
            Param::Real(since_s as f64),
            Param::Real(at as f64),
            Param::text(&*id),
            Param::Int(PAGE),
        ];
        let page = postgres.query(&sql, &params)?;
        for row in &page {
            is_empty = false;
            visit(row.int(0), serde_json::from_value(row.json(2)).ok());
        }
        match page.last() {
            Some(last) if page.len() as i64 == PAGE => (at, id) = (last.int(0), last.text(1)),
            _ => return Ok(!is_empty),
        }
    }
}

/// Removes every record and returns their number. The key is replaced, so that later records cannot
/// be linked to earlier ones.
pub(super) fn clear(postgres: &Postgres) -> Result<u64> {
    postgres.transaction(|transaction| {
        let mut removed = 0;
        for table in TABLES {
            removed += transaction.execute(&format!("DELETE FROM {table}"), &[])?;
        }
        transaction.execute("DELETE FROM document_accesses", &[])?;
        let key = Param::text(disk::random_id()?);
        transaction.execute("UPDATE rag_keys SET value = $1 WHERE name = 'analytics'", &[key])?;
        Ok(removed)
    })
}

/// Removes the names of documents from all records, and returns how many records had one.
pub(super) fn forget(postgres: &Postgres, is_gone: &dyn Fn(&str, &str) -> bool) -> Result<u64> {
    let with_documents = ["query_logs", "feedback"];
    let parts = with_documents.map(|table| {
        format!(
            "SELECT d->>0 AS root, d->>1 AS path FROM {table}, \
                 jsonb_array_elements(metadata->'documents') AS d"
        )
    });
    let sql = format!("SELECT DISTINCT root, path FROM ({}) AS named", parts.join(" UNION "));
    let named = postgres.query(&sql, &[])?;
    let mut changed = 0;
    for row in named {
        let (root, path) = (row.text(0), row.text(1));
        if !is_gone(&root, &path) {
            continue;
        }
        for table in with_documents {
            let sql = format!(
                "UPDATE {table} SET metadata = jsonb_set(metadata, '{{documents}}', \
                 (SELECT coalesce(jsonb_agg(d), '[]') \
                 FROM jsonb_array_elements(metadata->'documents') AS d \
                 WHERE NOT (d->>0 = $1 AND d->>1 = $2))) \
                 WHERE metadata->'documents' @> \
                 jsonb_build_array(jsonb_build_array($1::text, $2::text))"
            );
            changed += postgres.execute(&sql, &[Param::text(&*root), Param::text(&*path)])?;
        }
        let sql = "DELETE FROM document_accesses WHERE document_id = $1";
        postgres.execute(sql, &[Param::text(document_id(&root, &path))])?;
    }
    Ok(changed)
}
