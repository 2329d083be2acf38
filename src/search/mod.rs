//! A question in, ranked passages out.
//!
//! `question ─┬ embed → dense ┐`
//! `          └ analyse → BM25 ┴ fuse → one per place → second look, if asked for → hits`

mod rerank;

use std::sync::Arc;
use std::time::Instant;

use crate::analysis;
use crate::cache::{Caching, Key, Table};
use crate::config::Mode;
use crate::disk::Blake;
use crate::document::Hit;
use crate::engine::{Engine, QueryStage, Stop};
use crate::error::{Fault, Result};
use crate::filter::Filter;
use crate::index::{Allowed, Meta, Snapshot, Stored};
use crate::model::{Embedder, EmbeddingRole, verify_folder};
use crate::rank::{self, Candidate, Fused, Fusion, LATE_VERSION, Verdict};
use crate::telemetry;
use crate::vector::{Vector, dot};
use rerank::{Look, Looked};

/// Longest question in bytes. A longer one is a document, and the model reads the first page of it
/// at most.
const MAX_QUERY_BYTES: usize = 32 * 1024;

/// What to look for.
#[derive(Clone, Debug)]
pub struct Request {
    pub query: String,
    pub mode: Mode,
    /// Passages wanted.
    pub k: usize,
    /// Best passages that get a second look; 0 for none.
    pub rerank: usize,
    pub caching: Caching,
    /// Which documents count; nothing of any other takes part in the ranking.
    pub filter: Option<Filter>,
    /// When to give up.
    pub stop: Stop,
}

/// Milliseconds by stage. Stages overlap, so that they may add up to more than the total.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Timings {
    pub embedding_ms: f64,
    pub search_ms: f64,
    pub total_ms: f64,
}

/// What was found.
pub struct Response {
    pub query: String,
    pub mode: Mode,
    pub index: String,
    pub corpus_id: String,
    pub hits: Vec<Hit>,
    pub timings: Timings,
    /// Embedding look-ups: 1 hit, 1 miss, or neither when nothing was embedded.
    pub embed_hits: u64,
    pub embed_misses: u64,
    /// Second looks that were in the cache, and that were not.
    pub rerank_hits: u64,
    pub rerank_misses: u64,
    /// The ranking came out of the cache.
    pub retrieval_hit: bool,
    /// The filter leaves no document at all.
    pub nothing_allowed: bool,
    /// The index has no passage at all.
    pub index_empty: bool,
    /// The index has no vectors yet.
    pub pending: Option<Pending>,
}

/// Vectors that an index waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pending {
    /// Vectors made, as far as that is known.
    pub done: u64,
    pub total: u64,
    /// Somebody makes them. Else whoever did was stopped, and the next ingest of the same folders
    /// goes on.
    pub in_progress: bool,
}

impl Pending {
    /// What the index of this name waits for.
    pub fn of(engine: &Engine, index: &str, meta: &Meta) -> Option<Self> {
        (meta.pending > 0).then(|| {
            let made = engine.store.progress(index);
            let (done, total) = made.unwrap_or((0, meta.pending));
            Self { done, total, in_progress: made.is_some() }
        })
    }
}

/// One generation, open, and the model once a question needed it. Serves any number of questions.
pub struct Searcher {
    pub snapshot: Arc<Snapshot>,
    /// Threads that compare vectors, and networks that a second look may run side by side; never
    /// changes a result.
    pub threads: usize,
    vectors: Vectors,
    /// Questions whose searches have been begun.
    ahead: Vec<Ahead>,
    /// The filter that was used last, as text, and what it leaves.
    allowed: Option<(String, Allowed)>,
}

/// A question that was compared with every chunk before its turn came.
struct Ahead {
    query: String,
    embedded: Embedded,
    /// By ordinal, as [`Snapshot::dense_scores`] yields them.
    cosines: Vec<f32>,
    /// Its share of the time that comparing took.
    scan_ms: f64,
}

/// The model of an index, loaded when a text needs it, and the vector of the question that was
/// asked last.
#[derive(Default)]
pub struct Vectors {
    embedder: Option<Embedder>,
    asked: Option<(String, Vector)>,
}

impl Searcher {
    /// Opens the configured index.
    pub fn open(engine: &Engine) -> Result<Self> {
        let snapshot = engine.store.open(&engine.config.index)?;
        Ok(Self::with_snapshot(Arc::new(snapshot), engine.config.threads))
    }

    /// Over a generation that is open.
    pub fn with_snapshot(snapshot: Arc<Snapshot>, threads: usize) -> Self {
        Self { snapshot, threads, vectors: Vectors::default(), ahead: Vec::new(), allowed: None }
    }

    /// Goes over to another generation, of this index or another one; a model that fits stays
    /// loaded.
    pub fn switch_to(&mut self, snapshot: Arc<Snapshot>) {
        if Arc::ptr_eq(&self.snapshot, &snapshot) {
            return;
        }
        if self.snapshot.meta().model.fingerprint != snapshot.meta().model.fingerprint {
            self.vectors = Vectors::default();
        }
        self.ahead.clear();
        (self.snapshot, self.allowed) = (snapshot, None);
    }

    /// Makes it fit for use after a panic: what may be half done is dropped, and a model that was
    /// not running stays loaded.
    pub fn recover(&mut self) {
        self.vectors.embedder.take_if(|embedder| !embedder.is_sound());
        self.vectors.asked = None;
        self.ahead.clear();
        self.allowed = None;
    }

    /// Loads the model, which the first question would wait for.
    ///
    /// # Errors
    /// As [`load`].
    pub fn warm(&mut self, engine: &Engine) -> Result<()> {
        self.embedder(engine).map(drop)
    }

    /// The model of the index, loaded when it is not yet.
    ///
    /// # Errors
    /// As [`load`].
    pub fn embedder(&mut self, engine: &Engine) -> Result<&mut Embedder> {
        match &mut self.vectors.embedder {
            Some(embedder) => Ok(embedder),
            none => Ok(none.insert(load(engine, &self.snapshot)?)),
        }
    }

    /// Ranks the passages of the index, or takes the ranking of the same question, corpus and
    /// settings from the cache.
    ///
    /// # Errors
    /// As [`Searcher::search`].
    pub fn find(&mut self, engine: &Engine, request: &Request) -> Result<Response> {
        let start = Instant::now();
        let query = validate(&request.query)?;
        engine.check_stop(&request.stop)?;
        let meta = self.snapshot.meta();
        let corpus = corpus(meta).to_owned();
        let key = ranking_key(engine, meta, query, request);
        if request.caching.reads()
            && let Some(hits) = engine.cache().ranking(&key, &corpus, engine.now_s())
        {
            let total_ms = milliseconds(start);
            let timings = Timings { embedding_ms: 0.0, search_ms: total_ms, total_ms };
            telemetry::debug!(
                mode = request.mode.name(),
                hits = hits.len(),
                total_ms,
                "ranking found in the cache"
            );
            return Ok(Response {
                hits,
                timings,
                retrieval_hit: true,
                ..nothing(engine, meta, query, request)
            });
        }
        let found = self.search(engine, request)?;
        if request.caching.writes() && !found.nothing_allowed {
            engine.cache().put_ranking(key, &corpus, &found.hits, engine.now_s());
        }
        Ok(found)
    }

    /// Begins the searches for several questions at once: those whose ranking is not known are
    /// compared with the vectors in one pass, which takes little longer than for one of them.
    /// Whoever then searches for them over the same generation finds this done. What fails here
    /// fails there again, and is told of there.
    pub fn prefetch(&mut self, engine: &Engine, requests: &[Request]) {
        self.ahead.clear();
        let Self { snapshot, threads, vectors: Vectors { embedder, .. }, ahead, .. } = self;
        let meta = snapshot.meta();
        if meta.pending > 0 {
            return;
        }
        let mut begun: Vec<(String, Embedded)> = Vec::new();
        for request in requests.iter().filter(|request| request.mode != Mode::Lexical) {
            let Ok(query) = validate(&request.query) else { continue };
            let is_known = || {
                let key = ranking_key(engine, meta, query, request);
                request.caching.reads()
                    && engine.cache().has_ranking(&key, corpus(meta), engine.now_s())
            };
            if begun.iter().any(|(other, _)| other == query) || is_known() {
                continue;
            }
            let stop = &request.stop.stage(QueryStage::Retrieval);
            if let Ok(embedded) = embed(
                engine,
                snapshot,
                embedder,
                EmbeddingRole::Query,
                query,
                request.caching,
                stop,
            ) {
                begun.push((query.to_owned(), embedded));
            }
        }
        // Nothing is to be compared where all are known.
        if begun.is_empty() {
            return;
        }
        let scan = Instant::now();
        let vectors: Vec<&[f32]> =
            begun.iter().map(|(_, embedded)| embedded.vector.as_slice()).collect();
        let Ok(cosines) = snapshot.dense_scores(&vectors, *threads) else { return };
        let scan_ms = milliseconds(scan) / begun.len() as f64;
        let begun = begun.into_iter().zip(cosines);
        *ahead = begun
            .map(|((query, embedded), cosines)| Ahead { query, embedded, cosines, scan_ms })
            .collect();
    }

    /// Ranks the passages of the index.
    ///
    /// # Errors
    /// A usage fault for an empty question; whatever keeps the index or the model from being read.
    pub fn search(&mut self, engine: &Engine, request: &Request) -> Result<Response> {
        let start = Instant::now();
        let query = validate(&request.query)?;
        let stop = &request.stop.stage(QueryStage::Retrieval);
        let Self { snapshot, threads, vectors: Vectors { embedder, asked }, ahead, allowed } = self;
        let snapshot = &*snapshot;
        let allowed = match &request.filter {
            None => None,
            Some(filter) => Some(leaves(snapshot, filter, allowed)?),
        };
        if allowed.is_some_and(|allowed| allowed.documents == 0) {
            let timings = Timings { total_ms: milliseconds(start), ..Timings::default() };
            let nothing = nothing(engine, snapshot.meta(), query, request);
            return Ok(Response { timings, nothing_allowed: true, ..nothing });
        }
        let allowed = allowed.map(|allowed| allowed.chunks.as_slice());
        let languages = snapshot.meta().query_languages();
        let by_meaning = request.mode != Mode::Lexical && snapshot.meta().pending == 0;
        if request.mode == Mode::Dense && !by_meaning {
            return Err(Fault::failed(format!(
                "the index `{}` has no vectors yet",
                engine.config.index
            ))
            .hint(
                "search by words meanwhile: `--mode lexical`, or `hybrid`, which then does \
                     the same",
            ));
        }
        let terms = (request.mode != Mode::Dense).then(|| analysis::query_terms(query, &languages));
        let ahead = ahead
            .iter()
            .position(|ahead| by_meaning && ahead.query == query)
            .map(|at| ahead.swap_remove(at));
        // Loading the model takes longer than anything else, so the lexical leg runs beside it.
        // Where it is loaded and others have the other cores, a thread is not worth its while.
        let to_embed = by_meaning && ahead.is_none();
        let beside = to_embed && (*threads > 1 || embedder.is_none());
        let mut by_model = || {
            embed(engine, snapshot, embedder, EmbeddingRole::Query, query, request.caching, stop)
        };
        let by_words = || {
            terms.as_ref().map(|terms| lexical_scores(snapshot, query, terms, &languages, allowed))
        };
        let (lexical, embedded) = if beside {
            std::thread::scope(|scope| {
                let embedding = scope.spawn(by_model);
                let lexical = by_words();
                let failed = |_| Err(Fault::failed("embedding the question failed"));
                (lexical, Some(embedding.join().unwrap_or_else(failed)))
            })
        } else {
            (by_words(), to_embed.then(&mut by_model))
        };
        let (lexical, embedded) = (lexical.transpose()?, embedded.transpose()?);
        engine.check_stop(stop)?;
        let scan = Instant::now();
        let (scanned_ms, begun_ms) =
            ahead.as_ref().map_or((0.0, 0.0), |a| (a.scan_ms, a.embedded.milliseconds + a.scan_ms));
        let (embedded, mut dense) = match ahead {
            Some(ahead) => (Some(ahead.embedded), Some(ahead.cosines)),
            None => {
                let vector = embedded.as_ref().map(|embedded| embedded.vector.as_slice());
                let dense =
                    vector.map(|vector| snapshot.dense_scores(&[vector], *threads)).transpose()?;
                (embedded, dense.and_then(|mut dense| dense.pop()))
            }
        };
        if let (Some(dense), Some(allowed)) = (&mut dense, allowed) {
            mask(dense, allowed, f32::NAN);
        }
        // A quoted phrase must occur, however near the meaning is.
        if let (Some(lexical), Some(dense)) = (&lexical, &mut dense)
            && terms.is_some_and(|terms| !terms.phrases.is_empty())
        {
            let without = dense.iter_mut().zip(lexical).filter(|(_, score)| **score <= 0.0);
            without.for_each(|(cosine, _)| *cosine = f32::NAN);
        }
        engine.check_stop(stop)?;
        let fusion = Fusion { dense_weight: engine.config.dense_weight };
        // Copies and overlaps take no place of their own, so more are looked at than are wanted.
        let wanted = request.k.max(request.rerank);
        let depth = wanted.saturating_mul(2).saturating_add(20);
        let ranking = rank::fuse(lexical.as_deref(), dense.as_deref(), fusion, depth);
        telemetry::trace!(
            by_words = lexical.is_some(),
            by_meaning = dense.is_some(),
            candidates = ranking.len(),
            dense_weight = fusion.dense_weight,
            "fused"
        );
        let mut hits = hits(snapshot, &ranking, wanted)?;
        let mut looked = Looked::default();
        if request.rerank > 0 {
            let n = request.rerank.min(hits.len());
            let look = Look {
                engine,
                snapshot,
                question: query,
                caching: request.caching,
                stop,
                threads: *threads,
            };
            looked = look.rerank(embedder, &mut hits[..n])?;
        }
        hits.truncate(request.k);
        hits.iter_mut().zip(1..).for_each(|(hit, rank)| hit.rank = rank);
        let total_ms = milliseconds(start) + begun_ms;
        let timings = Timings {
            embedding_ms: embedded.as_ref().map_or(0.0, |e| e.milliseconds),
            // What did not wait for the vector.
            search_ms: if embedded.is_some() { milliseconds(scan) + scanned_ms } else { total_ms },
            total_ms,
        };
        let response = Response {
            hits,
            timings,
            embed_hits: embedded.as_ref().map_or(0, |e| u64::from(e.hit)),
            embed_misses: embedded.as_ref().map_or(0, |e| u64::from(!e.hit)),
            rerank_hits: looked.hits,
            rerank_misses: looked.misses,
            ..nothing(engine, snapshot.meta(), query, request)
        };
        telemetry::debug!(
            index = response.index.as_str(),
            mode = response.mode.name(),
            hits = response.hits.len(),
            rerank = request.rerank,
            embedding_ms = response.timings.embedding_ms,
            search_ms = response.timings.search_ms,
            total_ms = response.timings.total_ms,
            "searched"
        );
        *asked = embedded.map(|e| (query.to_owned(), e.vector));
        Ok(response)
    }
}

impl Searcher {
    /// The index, and what makes vectors for it.
    pub fn split(&mut self) -> (&Snapshot, &mut Vectors) {
        (&self.snapshot, &mut self.vectors)
    }
}

impl Vectors {
    /// Cosines between a question's vector and other texts, through the cache.
    pub fn similarities(
        &mut self,
        engine: &Engine,
        snapshot: &Snapshot,
        question: &str,
        texts: &[String],
        caching: Caching,
        stop: &Stop,
    ) -> Result<Similarities> {
        let vector = match self.asked.take() {
            Some((asked, vector)) if asked == question => vector,
            _ => {
                embed(
                    engine,
                    snapshot,
                    &mut self.embedder,
                    EmbeddingRole::Query,
                    question,
                    caching,
                    stop,
                )?
                .vector
            }
        };
        let mut found = Similarities { cosines: Vec::new(), hits: 0, misses: 0 };
        for text in texts {
            let embedded = embed(
                engine,
                snapshot,
                &mut self.embedder,
                EmbeddingRole::Passage,
                text,
                caching,
                stop,
            )?;
            found.hits += u64::from(embedded.hit);
            found.misses += u64::from(!embedded.hit);
            found.cosines.push(f64::from(dot(vector.as_slice(), embedded.vector.as_slice())));
        }
        self.asked = Some((question.to_owned(), vector));
        Ok(found)
    }
}

/// Cosines, and how many of the texts' vectors were in the cache.
pub struct Similarities {
    pub cosines: Vec<f64>,
    pub hits: u64,
    pub misses: u64,
}

/// A response to a request for which nothing was found, or not yet.
fn nothing(engine: &Engine, meta: &Meta, query: &str, request: &Request) -> Response {
    let index = &engine.config.index;
    Response {
        query: query.to_owned(),
        mode: request.mode,
        index: index.clone(),
        corpus_id: meta.corpus_id.clone(),
        hits: Vec::new(),
        timings: Timings::default(),
        embed_hits: 0,
        embed_misses: 0,
        rerank_hits: 0,
        rerank_misses: 0,
        retrieval_hit: false,
        nothing_allowed: false,
        index_empty: meta.counts.chunks == 0,
        pending: Pending::of(engine, index, meta),
    }
}

/// Version of what [`Searcher::search`] makes of a question; raise it when the same question,
/// corpus and settings may rank otherwise than before.
const RANKING_VERSION: u32 = 2;

/// What rankings of a corpus are kept under: what is in it, whatever it is called.
fn corpus(meta: &Meta) -> &str {
    meta.content_id.as_ref().unwrap_or(&meta.corpus_id)
}

/// Everything that a ranking depends on.
fn ranking_key(engine: &Engine, meta: &Meta, query: &str, request: &Request) -> Key {
    // The filter asks the table of files, which holds more than the corpus id depends on: the times
    // of last change.
    let (filter, table) = match &request.filter {
        None => (String::new(), ""),
        Some(filter) => (filter.key(), meta.table_sha256()),
    };
    let mut roots = Blake::new(32);
    meta.roots.iter().for_each(|root| roots.add(root.given.as_bytes()));
    let look_weight = if request.rerank > 0 { engine.config.rerank_weight } else { 0.0 };
    Key::of(
        "retrieval v1",
        [
            &RANKING_VERSION.to_le_bytes()[..],
            &analysis::VERSION.to_le_bytes(),
            query.as_bytes(),
            corpus(meta).as_bytes(),
            &roots.finish::<32>(),
            meta.model.fingerprint.as_bytes(),
            request.mode.name().as_bytes(),
            &(request.k as u64).to_le_bytes(),
            &engine.config.dense_weight.to_bits().to_le_bytes(),
            filter.as_bytes(),
            table.as_bytes(),
            &[u8::from(meta.pending > 0)],
            &(request.rerank as u64).to_le_bytes(),
            &look_weight.to_bits().to_le_bytes(),
            &LATE_VERSION.to_le_bytes(),
        ],
    )
}

/// What a filter leaves of the index: known from the question before, if that had the same one.
fn leaves<'a>(
    snapshot: &Snapshot,
    filter: &Filter,
    known: &'a mut Option<(String, Allowed)>,
) -> Result<&'a Allowed> {
    let text = filter.key();
    let kept = known.take_if(|(before, _)| *before == text);
    let (text, allowed) = match kept {
        Some(kept) => kept,
        None => (text, snapshot.allowed(filter)?),
    };
    Ok(&known.insert((text, allowed)).1)
}

/// Sets what is not allowed to `none`.
fn mask(scores: &mut [f32], allowed: &[bool], none: f32) {
    scores
        .iter_mut()
        .zip(allowed)
        .filter(|(_, allowed)| !**allowed)
        .for_each(|(score, _)| *score = none);
}

/// The lexical leg; for a short question with what the acronyms in it stand for, as the best
/// passages explain them.
fn lexical_scores(
    snapshot: &Snapshot,
    query: &str,
    terms: &analysis::Query,
    languages: &[&str],
    allowed: Option<&[bool]>,
) -> Result<Vec<f32>> {
    const EXPLAINING: usize = 5;
    let of = |terms: &analysis::Query| {
        let mut scores = snapshot.lexical_scores(terms)?;
        if let Some(allowed) = allowed {
            mask(&mut scores, allowed, 0.0);
        }
        Ok(scores)
    };
    let scores = of(terms)?;
    if !analysis::may_expand(terms) {
        return Ok(scores);
    }
    let best = rank::fuse(Some(&scores), None, Fusion { dense_weight: 0.0 }, EXPLAINING);
    // Many equals: nothing tells which of them to read.
    if best.len() > 2 * EXPLAINING {
        return Ok(scores);
    }
    let mut texts: Vec<String> = best
        .iter()
        .map(|fused| Ok(snapshot.fetch(fused.ordinal)?.chunk.text))
        .collect::<Result<_>>()?;
    // Ordinals depend on the history of the index; texts do not.
    texts.sort_unstable();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut expanded = terms.clone();
    if analysis::expand(&mut expanded, query, &texts, languages) {
        of(&expanded)
    } else {
        Ok(scores)
    }
}

/// The question without the space around it.
///
/// # Errors
/// A usage fault for what is no question.
pub fn validate(query: &str) -> Result<&str> {
    let query = query.trim();
    if query.is_empty() {
        return Err(Fault::usage("the question is empty"));
    }
    if query.len() > MAX_QUERY_BYTES {
        return Err(Fault::usage(format!(
            "the question has {} bytes; {MAX_QUERY_BYTES} are the most",
            query.len()
        )));
    }
    Ok(query)
}

struct Embedded {
    vector: Vector,
    hit: bool,
    milliseconds: f64,
}

/// The vector of a text, by the model that the index was built with. A vector in the cache costs no
/// model.
fn embed(
    engine: &Engine,
    snapshot: &Snapshot,
    embedder: &mut Option<Embedder>,
    role: EmbeddingRole,
    text: &str,
    caching: Caching,
    stop: &Stop,
) -> Result<Embedded> {
    let start = Instant::now();
    let stop = stop.stage(QueryStage::Embedding);
    engine.check_stop(&stop)?;
    let model = &snapshot.meta().model;
    let key = Key::embedding(&model.fingerprint, role.name(), text);
    let cached = caching
        .reads()
        .then(|| {
            engine.cache().embedding(&key, &model.fingerprint, model.dimension, engine.now_s())
        })
        .flatten();
    if let Some(vector) = cached {
        return Ok(Embedded { vector, hit: true, milliseconds: milliseconds(start) });
    }
    let embedder = match embedder {
        Some(embedder) => embedder,
        none => none.insert(load(engine, snapshot)?),
    };
    // Loading it may have taken long.
    engine.check_stop(&stop)?;
    let vector = embedder.embed(role, text)?;
    if caching.writes() {
        engine.cache().put(
            Table::Embeddings,
            key,
            &model.fingerprint,
            vector.to_bytes(),
            engine.now_s(),
        );
    }
    Ok(Embedded { vector, hit: false, milliseconds: milliseconds(start) })
}

/// The model of the index.
///
/// # Errors
/// When the model of that name on this machine is another one: its vectors would be compared with
/// strangers.
pub fn load(engine: &Engine, snapshot: &Snapshot) -> Result<Embedder> {
    let model = &snapshot.meta().model;
    let files = engine.model(&model.name).map_err(|fault| or_by_words(&fault))?;
    if files.fingerprint != model.fingerprint {
        // A manifest with a wrong digit makes another model of it.
        if let Some(damage) = verify_folder(&files.dir)?.into_iter().next() {
            return Err(damage);
        }
        return Err(Fault::failed(format!(
            "the index was built with another version of the model `{}`",
            model.name
        ))
        .hint("run `rag ingest` again, or search with `--mode lexical`"));
    }
    Embedder::load(files, &engine.runtime_library().map_err(|fault| or_by_words(&fault))?)
}

/// What works without the model.
fn or_by_words(fault: &Fault) -> Fault {
    let same = Fault::new(fault.kind(), fault.to_string());
    match fault.hint_text() {
        Some(hint) => same.hint(format!("search by words meanwhile (`--mode lexical`), or {hint}")),
        None => same,
    }
}

/// Fetches the ranked passages, orders equals by place, and keeps one for each place.
fn hits(snapshot: &Snapshot, ranking: &[Fused], k: usize) -> Result<Vec<Hit>> {
    let mut found: Vec<(Fused, Stored)> = ranking
        .iter()
        .map(|fused| Ok((*fused, snapshot.fetch(fused.ordinal)?)))
        .collect::<Result<_>>()?;
    // Ordinals depend on the history of the index; places do not.
    found.sort_by(|(a, x), (b, y)| {
        let place = |s: &Stored| (s.root, s.path.clone(), s.chunk.bytes.start);
        b.score.total_cmp(&a.score).then_with(|| place(x).cmp(&place(y)))
    });
    let candidates: Vec<Candidate<'_>> = found
        .iter()
        .map(|(_, s)| Candidate {
            document: (s.root, &s.path),
            bytes: s.chunk.bytes,
            text: &s.chunk.text,
        })
        .collect();
    let places = rank::one_per_place(&candidates);
    let mut also: Vec<Vec<(Arc<str>, usize)>> = vec![Vec::new(); found.len()];
    for (place, (_, stored)) in places.iter().zip(&found) {
        if let Verdict::CopyOf(kept) = place {
            also[*kept].push((stored.path.as_str().into(), stored.chunk.lines.first));
        }
    }
    let roots: Vec<Arc<str>> =
        snapshot.meta().roots.iter().map(|root| root.given.as_str().into()).collect();
    let kept = found
        .into_iter()
        .zip(places)
        .zip(also)
        .filter(|((_, place), _)| *place == Verdict::Kept)
        .take(k);
    Ok(kept
        .enumerate()
        .map(|(i, (((fused, stored), _), also))| Hit {
            rank: i + 1,
            score: fused.score,
            root: roots.get(stored.root).cloned().unwrap_or_else(|| "".into()),
            path: stored.path.into(),
            title: stored.title.map(Into::into),
            chunk: stored.chunk,
            also,
            contributions: fused.contributions,
        })
        .collect())
}

pub fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}
