//! The JSON that scripts rely on. Fields may be added, never renamed or removed.

use serde::Serialize;
use serde_json::{Value, json};

use crate::analysis::untrusted::OrderKind;
use crate::analytics::{Asked, Report};
use crate::ask::{CacheUse, Ordering, Response, Timings, kinds_of_orders};
use crate::cache::{Purged, TableStats};
use crate::document::{Citation, Hit, Leg, Legs, Place};
use crate::documents::Changed;
use crate::error::{Fault, Result};
use crate::filter::Filter;
use crate::index::{self, Meta, Record, Root, Stored};
use crate::jobs::{Job, State, Work};
use crate::llm::Finish;
use crate::search;
use crate::sessions::{Summary, Turn};

/// The fields of one hit.
#[derive(Serialize)]
pub struct HitJson<'a> {
    rank: usize,
    score: f64,
    root: &'a str,
    path: &'a str,
    lines: [usize; 2],
    bytes: [usize; 2],
    page: Option<usize>,
    /// Page, slide, sheet and cell, message or notebook cell.
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<Value>,
    title: Option<&'a str>,
    heading: &'a [String],
    text: &'a str,
    /// The same words elsewhere: path and first line.
    also: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explain: Option<Value>,
    /// What kinds of orders the passage tries to give.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    orders: Vec<&'static str>,
}

impl<'a> HitJson<'a> {
    pub fn new(hit: &'a Hit, explain: bool) -> Self {
        let leg = |leg: Option<Leg>| {
            leg.map(|leg| {
                json!({ "rank": leg.rank, "score": leg.score, "normalised": leg.normalised, "weight": leg.weight })
            })
        };
        Self {
            rank: hit.rank,
            score: hit.score,
            root: &hit.root,
            path: &hit.path,
            lines: [hit.chunk.lines.first, hit.chunk.lines.last],
            bytes: [hit.chunk.bytes.start, hit.chunk.bytes.end],
            page: hit.chunk.place.as_ref().and_then(Place::page),
            place: hit.chunk.place.as_ref().map(place),
            title: hit.title.as_deref(),
            heading: &hit.chunk.heading,
            text: &hit.chunk.text,
            also: hit.also.iter().map(|(path, line)| json!({ "path": &**path, "line": line })).collect(),
            explain: explain.then(|| {
                let Legs { lexical, dense, rerank } = hit.legs;
                json!({ "lexical": leg(lexical), "dense": leg(dense), "rerank": leg(rerank) })
            }),
            orders: Vec::new(),
        }
    }

    /// With the orders that the passage tries to give; an answer lists those of its sources itself.
    #[must_use]
    pub fn with_orders(self, kinds: &[OrderKind]) -> Self {
        Self { orders: kinds.iter().map(|kind| kind.name()).collect(), ..self }
    }
}

pub fn place(place: &Place) -> Value {
    let kind = place.kind();
    match place {
        Place::Page(n) | Place::Slide(n) | Place::Message(n) | Place::Cell(n) => json!({ "kind": kind, kind: n }),
        Place::Sheet(name, cell) => json!({ "kind": kind, "sheet": name, "cell": cell }),
    }
}

/// A numbered source of an answer.
#[derive(Serialize)]
pub struct CitationJson<'a> {
    n: usize,
    #[serde(flatten)]
    hit: HitJson<'a>,
}

impl<'a> CitationJson<'a> {
    pub fn new(citation: &'a Citation) -> Self {
        Self { n: citation.n, hit: HitJson::new(&citation.hit, false) }
    }
}

/// What was found.
pub fn search(response: &search::Response, filter: Option<&Filter>, explain: bool) -> Value {
    let hits = response.hits.iter();
    let hits: Vec<HitJson<'_>> =
        hits.map(|hit| HitJson::new(hit, explain).with_orders(&kinds_of_orders(hit))).collect();
    let t = response.timings;
    json!({
        "query": response.query,
        "mode": response.mode.name(),
        "filter": filter.map(ToString::to_string),
        "index": response.index,
        "corpus_id": response.corpus_id,
        "hits": hits,
        "timings": { "embedding_ms": t.embedding_ms, "search_ms": t.search_ms, "total_ms": t.total_ms },
        "cache": {
            "retrieval_hit": response.retrieval_hit,
            "embed_hits": response.embed_hits,
            "embed_misses": response.embed_misses,
            "rerank_hits": response.rerank_hits,
            "rerank_misses": response.rerank_misses,
        },
        "vectors_pending": pending(response.pending),
    })
}

/// Times and cache of an answer, which are known before the answer is.
pub fn course(t: Timings, cache: CacheUse) -> (Value, Value) {
    (
        json!({
            "embedding_ms": t.embedding_ms,
            "search_ms": t.search_ms,
            "generation_ms": t.generation_ms,
            "total_ms": t.total_ms,
        }),
        json!({
            "answer_hit": cache.answer_hit,
            "retrieval_hit": cache.retrieval_hit,
            "embed_hits": cache.embed_hits,
            "embed_misses": cache.embed_misses,
            "rerank_hits": cache.rerank_hits,
            "rerank_misses": cache.rerank_misses,
        }),
    )
}

/// One answer. `fault` says how a fault is told to whoever reads this.
pub fn answer(response: &Response, fault: &dyn Fn(&Fault) -> Value) -> Value {
    let writing = response.writing.as_ref().map(|writing| {
        let usage = writing.usage.map(|usage| {
            json!({
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "cached_tokens": usage.cached_tokens,
            })
        });
        json!({
            "model": writing.model,
            "finish": finish(writing.finish),
            "trouble": writing.trouble,
            "attempts": writing.attempts,
            "usage": usage,
        })
    });
    let orders: Vec<Value> = response
        .orders
        .iter()
        .map(|Ordering { n, hit, kinds }| {
            json!({
                "n": n,
                "path": *hit.path,
                "lines": [hit.chunk.lines.first, hit.chunk.lines.last],
                "kinds": kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>(),
            })
        })
        .collect();
    let citations: Vec<CitationJson<'_>> = response.answer.citations.iter().map(CitationJson::new).collect();
    let (timings, cache) = course(response.timings, response.cache);
    json!({
        "question": response.question,
        "resolved": response.resolved,
        "answer": response.answer.text,
        "supported": response.answer.supported,
        "intent": response.intent.name(),
        "generator": response.generator.name(),
        "model": response.model,
        "filter": response.filter.as_ref().map(ToString::to_string),
        "index": response.index,
        "corpus_id": response.corpus_id,
        "citations": citations,
        "timings": timings,
        "cache": cache,
        "llm": writing,
        "checks": {
            "removed": response.checks.removed,
            "unsupported": response.checks.unsupported,
            "addresses": response.checks.addresses,
        },
        "orders": orders,
        "fallback": response.fallback.as_ref().map(fault),
        "vectors_pending": pending(response.pending),
    })
}

fn finish(finish: Finish) -> &'static str {
    match finish {
        Finish::Complete => "complete",
        Finish::Length => "length",
        Finish::Interrupted => "interrupted",
        Finish::Broken => "broken",
    }
}

/// A job. Times are Unix seconds with fractions.
pub fn job(job: &Job) -> Value {
    let Work::Ingest(spec) = &job.spec.work;
    let seconds = |ms: u64| ms as f64 / 1000.0;
    let p = &job.progress;
    json!({
        "id": job.id,
        "kind": "ingest",
        "state": job.state.name(),
        "priority": job.spec.priority.name(),
        "after": job.spec.after,
        "index": spec.index,
        "model": spec.model,
        "dirs": spec.shown_dirs().collect::<Vec<_>>(),
        "attempts": job.attempts,
        "max_attempts": job.spec.max_attempts,
        "created": seconds(job.created_ms),
        "started": job.started_ms.map(seconds),
        "ended": job.ended_ms.map(seconds),
        "pid": job.pid.filter(|_| job.state == State::Running),
        "cancel_asked": job.cancel_asked,
        "progress": {
            "share": p.share, "stage": p.stage, "message": p.message, "done": p.done, "total": p.total,
            "eta_seconds": p.eta_s,
        },
        "reason": job.reason.as_ref().map(|reason| reason.message.as_str()),
        "files_set_aside": job.set_aside().collect::<Vec<_>>(),
        "result": job.result,
    })
}

/// What an index knows of a file.
pub fn document(roots: &[Root], record: &Record) -> Value {
    json!({
        "root": roots.get(record.root).map(|root| &root.given),
        "path": record.path,
        "state": record.state,
        "reason": record.reason,
        "type": record.format,
        "language": record.language,
        "size": record.size,
        "chunks": record.chunks,
        "modified": (record.modified_s != 0).then_some(record.modified_s),
        "meta": record.meta,
    })
}

/// The passages of a document, in its order.
pub fn passages(chunks: &[Stored]) -> Value {
    let passage = |stored: &Stored| {
        let chunk = &stored.chunk;
        json!({
            "lines": [chunk.lines.first, chunk.lines.last],
            "bytes": [chunk.bytes.start, chunk.bytes.end],
            "page": chunk.place.as_ref().and_then(Place::page),
            "place": chunk.place.as_ref().map(place),
            "heading": chunk.heading,
            "text": chunk.text,
        })
    };
    chunks.iter().map(passage).collect()
}

/// Documents that were taken out or let in again; `what` says which.
pub fn changed(what: &str, changed: &Changed) -> Value {
    json!({
        what: changed.paths,
        "corpus_id": changed.corpus_id,
        "documents": changed.documents,
        "chunks": changed.chunks,
        "withdrawn_answers": changed.withdrawn,
    })
}

pub fn cache_stats(stats: &[TableStats], file_bytes: u64) -> Value {
    let table = |s: &TableStats| {
        let value = json!({
            "count": s.count,
            "bytes": s.bytes,
            "budget_bytes": s.budget_bytes,
            "ttl_seconds": s.ttl_s,
            "oldest": s.oldest,
            "newest": s.newest,
            "hits": s.counters.hits,
            "misses": s.counters.misses,
            "hit_rate": s.counters.hit_rate(),
            "damaged": s.counters.damaged,
            "evicted": s.counters.evicted,
        });
        (s.table.name().to_owned(), value)
    };
    let tables: serde_json::Map<_, _> = stats.iter().map(table).collect();
    json!({ "tables": tables, "file_bytes": file_bytes })
}

pub fn purged(purged: &[Purged], freed_bytes: u64) -> Value {
    let table = |p: &Purged| (p.table.name().to_owned(), json!({ "count": p.count, "bytes": p.bytes }));
    let tables: serde_json::Map<_, _> = purged.iter().map(table).collect();
    json!({ "purged": tables, "freed_bytes": freed_bytes })
}

/// An index in a list; `damaged` tells of a fault what may be told.
pub fn index(name: &str, meta: &Result<Meta>, damaged: &dyn Fn(&Fault) -> String) -> Value {
    match meta {
        Ok(meta) => json!({
            "name": name, "corpus_id": meta.corpus_id, "documents": meta.counts.documents,
            "chunks": meta.counts.chunks, "model": meta.model.name, "bytes": meta.bytes(),
            "created": meta.created, "roots": meta.roots.iter().map(|root| &root.given).collect::<Vec<_>>(),
        }),
        Err(fault) => json!({ "name": name, "damaged": damaged(fault) }),
    }
}

/// What a check of every byte of an index found.
pub fn verified(name: &str, problems: &[index::Problem]) -> Value {
    let list: Vec<_> = problems.iter().map(|p| json!({ "path": p.path, "reason": p.reason })).collect();
    json!({ "index": name, "ok": problems.is_empty(), "damaged": list })
}

/// The generation that an index went back to.
pub fn rolled_back(name: &str, meta: &Meta) -> Value {
    json!({
        "index": name, "corpus_id": meta.corpus_id, "documents": meta.counts.documents,
        "chunks": meta.counts.chunks, "created": meta.created,
    })
}

/// A conversation in a list.
pub fn session(summary: &Summary) -> Value {
    json!({
        "id": summary.id,
        "turns": summary.turns,
        "first_question": summary.first_question,
        "created": summary.created,
        "used": summary.used,
    })
}

/// A conversation as a file: a line for each question.
pub fn exported(id: &str, turns: &[Turn]) -> String {
    let line = |turn: &Turn| {
        let mut object = self::turn(turn);
        object["session"] = id.into();
        format!("{object}\n")
    };
    turns.iter().map(line).collect()
}

/// One question of a conversation and its answer.
pub fn turn(turn: &Turn) -> Value {
    let citations = turn.citations.iter().map(
        |cited| json!({ "n": cited.n, "root": cited.root, "path": cited.path, "lines": [cited.first, cited.last] }),
    );
    json!({
        "at": turn.at,
        "index": turn.index,
        "question": turn.question,
        "resolved": turn.resolved,
        "answer": turn.answer,
        "supported": turn.supported,
        "intent": turn.intent,
        "generator": turn.generator,
        "citations": citations.collect::<Vec<_>>(),
    })
}

/// How far the vectors of an index are that has none yet.
pub fn pending(pending: Option<(u64, u64)>) -> Option<Value> {
    pending.map(|(done, total)| json!({ "done": done, "total": total }))
}

/// What was recorded of questions.
pub fn stats(report: &Report) -> Value {
    let asked = |asked: &Asked| {
        json!({
            "kind": if asked.is_search { "search" } else { "question" },
            "text": asked.text,
            "hash": asked.hash,
            "count": asked.n,
            "supported": asked.supported,
            "last": asked.last,
        })
    };
    let latencies: serde_json::Map<_, _> = report
        .latencies
        .iter()
        .map(|l| {
            let value = json!({ "count": l.n, "p50": l.p50, "p90": l.p90, "p95": l.p95, "p99": l.p99, "max": l.most });
            (l.stage.to_owned(), value)
        })
        .collect();
    json!({
        "since": report.since_s,
        "first": report.span.map(|(first, _)| first),
        "last": report.span.map(|(_, last)| last),
        "questions": report.questions,
        "searches": report.searches,
        "supported": report.supported,
        "supported_rate": share(report.supported, report.questions),
        "answer_hit_rate": share(report.answer_hits, report.questions),
        "retrieval_hit_rate": share(report.retrieval_hits, report.questions + report.searches),
        "sessions": report.sessions,
        "intents": report.intents.iter().map(|(name, n)| (name.clone(), json!(n))).collect::<serde_json::Map<_, _>>(),
        "latency_ms": latencies,
        "top": report.top.iter().map(asked).collect::<Vec<_>>(),
        "unanswered": report.unanswered.iter().map(asked).collect::<Vec<_>>(),
        "documents": report.documents.iter()
            .map(|d| json!({ "index": d.index, "path": d.path, "count": d.n })).collect::<Vec<_>>(),
        "errors": report.errors.iter()
            .map(|e| json!({ "code": e.code, "route": e.route, "count": e.n })).collect::<Vec<_>>(),
        "system": report.system.map(|(memory, cpu, queue)| {
            json!({ "max_memory_bytes": memory, "mean_cores": cpu, "max_queue": queue })
        }),
        "damaged": report.damaged,
    })
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
