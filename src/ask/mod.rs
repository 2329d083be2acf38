//! A question in, an answer with its sources out.
//!
//! `question ─resolve→ query ─find→ hits ─choose→ evidence ─┬ kept for this question and evidence
//! ┬→ answer` `                                                        └ extract or generate, keep
//! ┘`
//!
//! The answer is looked up after retrieval, by what it would be made of. A changed document changes
//! the evidence; an unrelated new one does not.

mod extract;
mod generate;

use std::sync::Arc;
use std::time::Instant;

use crate::analysis;
use crate::analysis::untrusted::{InjectionKind, injections};
use crate::answer::{
    self, CHECKS_VERSION, Evidence, Exchange, Intent, Options, PROMPT_VERSION, Prompt,
};
use crate::cache::{CachedAnswer, Caching, Key};
use crate::config::Generator;
use crate::disk::Blake;
use crate::document::{Answer, Chunk, Citation, Hit, context_line};
use crate::engine::{Engine, QueryStage, Stop};
use crate::error::{Fault, Kind, Result, caught};
use crate::filter::Filter;
use crate::index::Snapshot;
use crate::llm::{Client, Finish};
use crate::search::{self, Pending, Searcher, milliseconds};
use crate::sessions::{Cited, Turn};
use crate::telemetry;
use extract::{Rarity, Weights};
pub use generate::{Checks, Writing, n_tokens, probe};

/// Version of what an extractive answer is made by; raise it when the same evidence may give
/// another answer.
const EXTRACTIVE_VERSION: u32 = 8;

/// Exchanges of a conversation that a language model is told.
const MAX_EARLIER: usize = 6;

/// What is asked.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub question: String,
    /// What kind of answer; `None` to tell from the question.
    pub intent: Option<Intent>,
    pub caching: Caching,
    /// The conversation so far, oldest first. Where a turn does not say what was made of its
    /// question, that is made here.
    pub earlier: Vec<Turn>,
    /// Which documents count.
    pub filter: Option<Filter>,
    /// When to give up.
    pub stop: Stop,
}

/// Milliseconds by stage.
#[derive(Clone, Copy, Debug, Default)]
pub struct Timings {
    pub embedding_ms: f64,
    pub search_ms: f64,
    pub generation_ms: f64,
    pub total_ms: f64,
}

/// What of an answer came out of the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheUse {
    pub answer_hit: bool,
    pub retrieval_hit: bool,
    pub embed_hits: u64,
    pub embed_misses: u64,
    pub rerank_hits: u64,
    pub rerank_misses: u64,
}

/// What is told while an answer is being made.
pub enum Event<'a> {
    /// The passages from which the answer will be made.
    Found { hits: &'a [Hit], timings: Timings, cache: CacheUse },
    /// A piece of the answer, as the language model writes it.
    Text(&'a str),
}

/// The answer and how it came about.
pub struct Response {
    pub question: String,
    /// What was searched for: the question, with what it takes over from the conversation.
    pub resolved: String,
    pub answer: Answer,
    pub intent: Intent,
    /// Who wrote the answer.
    pub generator: Generator,
    /// The model that wrote it, or whose vectors found it.
    pub model: String,
    pub index: String,
    pub corpus_id: String,
    /// Which documents counted.
    pub filter: Option<Filter>,
    /// The filter leaves no document at all.
    pub nothing_allowed: bool,
    /// The index has no passage at all.
    pub index_empty: bool,
    pub timings: Timings,
    pub cache: CacheUse,
    /// What the language model did; `None` for a kept answer, or when none was asked.
    pub writing: Option<Writing>,
    pub checks: Checks,
    /// Why the extractive generator answered in the language model's place.
    pub fallback: Option<Fault>,
    /// Passages that try to give orders to a model: those that are cited, and those that the
    /// language model read.
    pub flagged: Vec<FlaggedPassage>,
    /// The index has no vectors yet: how many are made, and of how many.
    pub pending: Option<Pending>,
}

/// A passage that tries to give orders.
#[derive(Clone, Debug, PartialEq)]
pub struct FlaggedPassage {
    /// Its number in the answer; `None` when the answer does not cite it.
    pub n: Option<usize>,
    pub hit: Hit,
    /// Each kind once.
    pub kinds: Vec<InjectionKind>,
}

impl Response {
    /// What a conversation keeps of it: the words, and places instead of passages.
    pub fn turn(&self, now_s: i64) -> Turn {
        let cited = self.answer.citations.iter().map(|citation| Cited {
            n: citation.n,
            root: citation.hit.root.to_string(),
            path: citation.hit.path.to_string(),
            first: citation.hit.chunk.lines.first,
            last: citation.hit.chunk.lines.last,
        });
        Turn {
            at: now_s,
            index: self.index.clone(),
            question: self.question.clone(),
            resolved: self.resolved.clone(),
            answer: self.answer.text.clone(),
            supported: self.answer.supported,
            intent: self.intent.name().to_owned(),
            generator: self.generator.name().to_owned(),
            citations: cited.collect(),
        }
    }

    /// Whether the text was cut: its tokens were used up, or it went round in circles.
    pub fn is_cut(&self) -> bool {
        self.writing
            .as_ref()
            .is_some_and(|writing| matches!(writing.finish, Finish::Length | Finish::Repeating))
    }

    /// Whether the language model did not come to an end.
    pub fn is_broken_off(&self) -> bool {
        self.writing
            .as_ref()
            .is_some_and(|writing| matches!(writing.finish, Finish::Broken | Finish::Interrupted))
    }
}

/// One open index that answers any number of questions.
pub struct Asker {
    searcher: Searcher,
    /// Where the configuration has a language model write.
    client: Option<Arc<Client>>,
}

/// What was found for a question.
struct Retrieved {
    hits: Vec<Hit>,
    timings: Timings,
    cache: CacheUse,
    nothing_allowed: bool,
    pending: Option<Pending>,
}

/// An answer and what is told of its making.
struct Made {
    kept: CachedAnswer,
    answer: Answer,
    /// What the language model was shown, this time or when the answer was made.
    read: Vec<Evidence>,
    writing: Option<Writing>,
}

impl Asker {
    /// Opens the configured index.
    ///
    /// # Errors
    /// Whatever keeps the index from being read; settings of a language model that make no sense.
    pub fn open(engine: &Engine) -> Result<Self> {
        let client = match engine.config.generator {
            Generator::Extractive => None,
            Generator::Llm => Some(client(engine)?),
        };
        Ok(Self { searcher: Searcher::open(engine)?, client })
    }

    /// Over a generation that is open, with a language model that others may share.
    pub fn with_snapshot(
        snapshot: Arc<Snapshot>,
        threads: usize,
        client: Option<Arc<Client>>,
    ) -> Self {
        Self { searcher: Searcher::with_snapshot(snapshot, threads), client }
    }

    /// Goes over to another generation and another language model, or none.
    pub fn switch_to(&mut self, snapshot: Arc<Snapshot>, client: Option<Arc<Client>>) {
        self.searcher.switch_to(snapshot);
        self.client = client;
    }

    /// Makes it fit for use after a panic.
    pub fn recover(&mut self) {
        self.searcher.recover();
    }

    /// As [`Asker::ask`]; a panic is a fault, after which the asker may be used again.
    ///
    /// # Errors
    /// Those of [`Asker::ask`], and a panic.
    pub fn ask_catching_panics(
        &mut self,
        engine: &Engine,
        request: &Request,
        on: &mut dyn FnMut(Event<'_>),
    ) -> Result<Response> {
        let mut is_done = false;
        let response = caught("answering this question", || {
            let response = self.ask(engine, request, on);
            is_done = true;
            response
        });
        if !is_done {
            self.recover();
        }
        response
    }

    /// What finds passages for it.
    pub fn searcher(&mut self) -> &mut Searcher {
        &mut self.searcher
    }

    /// The language model, where this configuration has it write.
    fn writer(&self, engine: &Engine) -> Option<Arc<Client>> {
        self.client.clone().filter(|_| engine.config.generator == Generator::Llm)
    }

    /// Another asker of the same index and the same language model, for another thread.
    ///
    /// # Errors
    /// As [`Asker::open`].
    pub fn fork(&self, engine: &Engine) -> Result<Self> {
        let mut searcher = Searcher::open(engine)?;
        searcher.threads = self.searcher.threads;
        Ok(Self { searcher, client: self.client.clone() })
    }

    /// This asker as one of `n` that work side by side, which share the threads between them.
    #[must_use]
    pub fn share_threads(mut self, n: usize) -> Self {
        self.searcher.threads = (self.searcher.threads / n.max(1)).max(1);
        self
    }

    /// Answers a question.
    ///
    /// # Errors
    /// Whatever keeps the index or the model from being read; a language model that says nothing.
    /// That nothing supports an answer is no fault: the answer says so.
    pub fn ask(
        &mut self,
        engine: &Engine,
        request: &Request,
        on: &mut dyn FnMut(Event<'_>),
    ) -> Result<Response> {
        let start = Instant::now();
        let earlier = exchanges(&request.earlier);
        let resolved = self.resolved(engine, request, &earlier)?;
        let intent = request.intent.unwrap_or_else(|| Intent::of(&resolved));
        let Retrieved { hits, mut timings, mut cache, nothing_allowed, pending } =
            self.find(engine, request, &resolved, intent)?;
        on(Event::Found { hits: &hits, timings, cache });

        let generation = Instant::now();
        engine.check_stop(&request.stop)?;
        let mut question = Asked { request, resolved, intent, earlier, stop: request.stop.clone() };
        let options = Options {
            intent: Some(intent),
            max_words: engine.config.ask_max_words,
            ..Options::default()
        };
        let evidence = answer::evidence(&question.resolved, &hits, &options);
        let (mut generator, mut fallback) = (engine.config.generator, None);
        let mut made = match self.writer(engine).filter(|_| !evidence.is_empty()) {
            Some(client) => self.generated(engine, &client, &question, &evidence, &mut cache, on),
            None => {
                question.stop = request.stop.stage(QueryStage::Generation);
                self.extracted(engine, &question, &evidence, &options, &mut cache)
            }
        };
        if let Err(fault) = &made
            && matches!(fault.kind(), Kind::Outside | Kind::Late)
            && engine.config.falls_back
        {
            fallback = made.err();
            generator = Generator::Extractive;
            question.stop = request.stop.stage(QueryStage::Generation);
            made = self.extracted(engine, &question, &evidence, &options, &mut cache);
        }
        let Made { kept, answer, read, writing } = made?;
        timings.generation_ms = milliseconds(generation);
        timings.total_ms = milliseconds(start);
        telemetry::debug!(
            intent = intent.name(),
            generator = generator.name(),
            supported = answer.supported,
            citations = answer.citations.len(),
            evidence = evidence.len(),
            fell_back = fallback.is_some(),
            generation_ms = timings.generation_ms,
            total_ms = timings.total_ms,
            "answered"
        );
        let meta = self.searcher.snapshot.meta();
        Ok(Response {
            question: request.question.clone(),
            resolved: question.resolved,
            flagged: ordering(&answer.citations, &read),
            answer,
            intent,
            generator,
            model: if kept.writer.is_empty() { meta.model.name.clone() } else { kept.writer },
            index: engine.config.index.clone(),
            corpus_id: meta.corpus_id.clone(),
            filter: request.filter.clone(),
            nothing_allowed,
            index_empty: meta.counts.chunks == 0,
            timings,
            cache,
            writing,
            checks: Checks {
                removed: kept.removed,
                unsupported: kept.unsupported,
                addresses: kept.addresses,
            },
            fallback,
            pending,
        })
    }

    /// The question as it would be asked without the conversation before it.
    fn resolved(&self, engine: &Engine, request: &Request, earlier: &[Exchange]) -> Result<String> {
        let question = request.question.trim();
        if request.earlier.is_empty() {
            return Ok(question.to_owned());
        }
        let snapshot = &self.searcher.snapshot;
        let weights = Weights::new(snapshot);
        let languages = snapshot.meta().query_languages();
        let resolve = |question: &str, before: &[String]| {
            let before: Vec<&str> = before.iter().map(String::as_str).collect();
            answer::resolve(question, &before, &languages, &|term| weights.of(term))
        };
        let mut before: Vec<String> = Vec::new();
        for turn in &request.earlier {
            let is_known = !turn.resolved.is_empty();
            before.push(if is_known {
                turn.resolved.clone()
            } else {
                resolve(&turn.question, &before).query
            });
        }
        let carried = resolve(question, &before);
        weights.finish()?;
        let stop = &request.stop;
        // A model that fails here fails again, and is told of, when it is to answer.
        match self.writer(engine) {
            Some(client) if carried.is_follow_up => {
                let rewritten =
                    generate::rewritten(&client, question, earlier, &|| engine.should_stop(stop));
                Ok(rewritten.ok().flatten().unwrap_or(carried.query))
            }
            _ => Ok(carried.query),
        }
    }

    /// Sentences of the evidence, kept or anew.
    fn extracted(
        &mut self,
        engine: &Engine,
        question: &Asked<'_>,
        evidence: &[Evidence],
        options: &Options,
        cache: &mut CacheUse,
    ) -> Result<Made> {
        let (snapshot, vectors) = self.searcher.split();
        let meta = snapshot.meta();
        let key = question.key(
            evidence,
            &meta.query_languages(),
            &[
                Generator::Extractive.name().as_bytes(),
                &EXTRACTIVE_VERSION.to_le_bytes(),
                &analysis::VERSION.to_le_bytes(),
                meta.model.fingerprint.as_bytes(),
                engine.config.search_mode.name().as_bytes(),
                &(engine.config.ask_max_words as u64).to_le_bytes(),
            ],
        );
        let scope = Generator::Extractive.name();
        let caching = question.request.caching;
        let rarity = Rarity::new(snapshot);
        let known =
            known(engine, &key, scope, caching, evidence, |kept| rarity.is_still(&kept.rarity));
        cache.answer_hit = known.is_some();
        if let Some((kept, answer)) = known {
            rarity.finish()?;
            return Ok(Made { kept, answer, read: Vec::new(), writing: None });
        }
        let (answer, rarity) = extract::answer(
            engine,
            (snapshot, vectors),
            rarity,
            question,
            evidence,
            options,
            cache,
        )?;
        let kept = CachedAnswer { rarity, ..kept(&answer, evidence) };
        if caching.writes() {
            engine.cache().put_answer(key, scope, &kept, engine.now_s());
        }
        Ok(Made { kept, answer, read: Vec::new(), writing: None })
    }

    /// What a language model makes of the evidence, kept or anew.
    fn generated(
        &self,
        engine: &Engine,
        client: &Client,
        question: &Asked<'_>,
        evidence: &[Evidence],
        cache: &mut CacheUse,
        on: &mut dyn FnMut(Event<'_>),
    ) -> Result<Made> {
        let llm = &engine.config.llm;
        let Asked { resolved, intent, earlier, .. } = question;
        let prompt = generate::prompt(
            resolved,
            *intent,
            earlier,
            evidence.to_vec(),
            engine.config.llm_evidence_tokens,
        );
        let Prompt { system, user, sources } = &prompt;
        let languages = self.searcher.snapshot.meta().query_languages();
        let key = question.key(
            sources,
            &languages,
            &[
                Generator::Llm.name().as_bytes(),
                &PROMPT_VERSION.to_le_bytes(),
                &CHECKS_VERSION.to_le_bytes(),
                system.as_bytes(),
                user.as_bytes(),
                llm.base_url.as_bytes(),
                llm.model.as_bytes(),
                &llm.temperature.to_bits().to_le_bytes(),
                &llm.max_tokens.to_le_bytes(),
            ],
        );
        let caching = question.request.caching;
        let known = known(engine, &key, &llm.model, caching, sources, |_| true);
        cache.answer_hit = known.is_some();
        if let Some((kept, answer)) = known {
            on(Event::Text(&answer.text));
            return Ok(Made { kept, answer, read: prompt.sources, writing: None });
        }
        let stop = &question.stop;
        let written =
            generate::write(client, &prompt, &languages, &|| engine.should_stop(stop), on);
        let (answer, checks, mut writing) = match written {
            Err(fault) if fault.kind() == Kind::Interrupted => {
                return Err(engine.check_stop(stop).err().unwrap_or(fault));
            }
            written => written?,
        };
        if writing.finish == Finish::Interrupted
            && let Err(late) = engine.check_stop(stop)
            && late.kind() == Kind::Late
        {
            (writing.finish, writing.trouble) = (Finish::Broken, Some(late));
        }
        let kept = CachedAnswer {
            removed: checks.removed,
            unsupported: checks.unsupported,
            addresses: checks.addresses,
            writer: writing.model.clone(),
            ..kept(&answer, sources)
        };
        // What was cut short is not what the model would say.
        if caching.writes() && writing.finish == Finish::Complete {
            engine.cache().put_answer(key, &llm.model, &kept, engine.now_s());
        }
        Ok(Made { kept, answer, read: prompt.sources, writing: Some(writing) })
    }

    /// Ranks passages for every part of the question.
    fn find(
        &mut self,
        engine: &Engine,
        request: &Request,
        resolved: &str,
        intent: Intent,
    ) -> Result<Retrieved> {
        let k = intent.k(engine.config.search_k);
        let mut timings = Timings::default();
        let mut cache = CacheUse { retrieval_hit: true, ..CacheUse::default() };
        let (mut parts, mut pending) = (Vec::new(), None);
        let mut nothing_allowed = false;
        for query in answer::parts(resolved) {
            let search = search::Request {
                query,
                mode: engine.config.search_mode,
                k,
                rerank: engine.config.rerank,
                caching: request.caching,
                filter: request.filter.clone(),
                stop: request.stop.clone(),
            };
            let found = self.searcher.find(engine, &search)?;
            timings.embedding_ms += found.timings.embedding_ms;
            timings.search_ms += found.timings.search_ms;
            nothing_allowed |= found.nothing_allowed;
            cache.retrieval_hit &= found.retrieval_hit;
            cache.embed_hits += found.embed_hits;
            cache.embed_misses += found.embed_misses;
            pending = found.pending;
            cache.rerank_hits += found.rerank_hits;
            cache.rerank_misses += found.rerank_misses;
            parts.push((search.query, found.hits));
        }
        let hits = if parts.len() == 1 { parts.remove(0).1 } else { answer::merge(&parts) };
        Ok(Retrieved { hits, timings, cache, nothing_allowed, pending })
    }
}

/// The language model of the configuration, for any number of askers.
///
/// # Errors
/// A usage fault that names the setting that is missing or wrong.
pub fn client(engine: &Engine) -> Result<Arc<Client>> {
    Ok(Arc::new(generate::client(&engine.config.llm)?))
}

/// A question, understood.
struct Asked<'a> {
    request: &'a Request,
    resolved: String,
    intent: Intent,
    earlier: Vec<Exchange>,
    /// When to give up making the answer. Quoting is bounded by its stage; a language model by its
    /// own times.
    stop: Stop,
}

impl Asked<'_> {
    /// Everything that an answer depends on; the rarity of words, which few answers depend on, each
    /// lists itself. `languages` are those of the index, by which sentences are read.
    fn key(&self, evidence: &[Evidence], languages: &[&str], more: &[&[u8]]) -> Key {
        let evidence = digest(evidence);
        let mut read_as = Blake::new(32);
        languages.iter().for_each(|language| read_as.add(language.as_bytes()));
        let read_as: [u8; 32] = read_as.finish();
        let own: [&[u8]; 5] = [
            self.request.question.trim().as_bytes(),
            self.resolved.as_bytes(),
            self.intent.name().as_bytes(),
            &evidence,
            &read_as,
        ];
        Key::of("answer v1", own.into_iter().chain(more.iter().copied()))
    }
}

/// The end of a conversation, as a language model is told of it.
fn exchanges(turns: &[Turn]) -> Vec<Exchange> {
    let told = turns.iter().rev().take(MAX_EARLIER).rev();
    told.map(|turn| Exchange { question: turn.question.clone(), answer: turn.answer.clone() })
        .collect()
}

/// The answer that is kept for this question and this evidence, with the passages of today.
fn known(
    engine: &Engine,
    key: &Key,
    scope: &str,
    caching: Caching,
    evidence: &[Evidence],
    holds: impl FnOnce(&CachedAnswer) -> bool,
) -> Option<(CachedAnswer, Answer)> {
    if !caching.reads() {
        return None;
    }
    let mut answer = None;
    let kept = engine.cache().answer(key, scope, engine.now_s(), |kept| {
        answer = rendered(kept, evidence);
        answer.is_some() && holds(kept)
    })?;
    Some((kept, answer?))
}

/// BLAKE2b over the evidence, in order: where each piece stands, what it says, and how near its
/// vector is.
fn digest(evidence: &[Evidence]) -> [u8; 32] {
    let mut hash = Blake::new(32);
    for Evidence { hit, place } in evidence {
        let chunk = &hit.chunk;
        hash.add(&(*place as u64).to_le_bytes());
        for text in [&*hit.root, &*hit.path, hit.title.as_deref().unwrap_or_default(), &chunk.text]
        {
            hash.add(text.as_bytes());
        }
        hash.add(&(chunk.heading.len() as u64).to_le_bytes());
        chunk.heading.iter().for_each(|heading| hash.add(heading.as_bytes()));
        let places = [chunk.bytes.start, chunk.bytes.end, chunk.lines.first, chunk.lines.last];
        places.iter().for_each(|n| hash.add(&(*n as u64).to_le_bytes()));
        hash.add(chunk.place.as_ref().map(ToString::to_string).unwrap_or_default().as_bytes());
        hash.add(&hit.contributions.dense.map_or(0, |leg| leg.score.to_bits()).to_le_bytes());
    }
    hash.finish()
}

/// What of an answer cannot be had from the evidence.
fn kept(answer: &Answer, evidence: &[Evidence]) -> CachedAnswer {
    let at = |citation: &Citation| evidence.iter().position(|piece| piece.hit == citation.hit);
    let sources =
        answer.citations.iter().filter_map(|citation| Some((citation.n, at(citation)?))).collect();
    CachedAnswer {
        text: answer.text.clone(),
        supported: answer.supported,
        sources,
        ..CachedAnswer::default()
    }
}

/// A kept answer with the passages of today; `None` when it does not fit them.
fn rendered(kept: &CachedAnswer, evidence: &[Evidence]) -> Option<Answer> {
    let cite =
        |(n, at): &(usize, usize)| Some(Citation { n: *n, hit: evidence.get(*at)?.hit.clone() });
    let citations = kept.sources.iter().map(cite).collect::<Option<_>>()?;
    Some(Answer { text: kept.text.clone(), supported: kept.supported, citations })
}

/// Which passages try to give orders, the cited ones first.
fn ordering(citations: &[Citation], read: &[Evidence]) -> Vec<FlaggedPassage> {
    let cited = citations.iter().map(|citation| (Some(citation.n), &citation.hit));
    let is_cited = |hit: &Hit| citations.iter().any(|citation| citation.hit == *hit);
    let uncited = read.iter().map(|piece| (None, &piece.hit)).filter(|(_, hit)| !is_cited(hit));
    let passages = cited.chain(uncited).map(|(n, hit)| FlaggedPassage {
        n,
        hit: hit.clone(),
        kinds: injection_kinds(hit),
    });
    passages.filter(|passage| !passage.kinds.is_empty()).collect()
}

/// What kinds of orders a passage tries to give, with all that a model is told of it: path, title
/// and headings too.
pub fn injection_kinds(hit: &Hit) -> Vec<InjectionKind> {
    injection_kinds_in(&hit.path, hit.title.as_deref(), &hit.chunk)
}

/// As [`injection_kinds`], for a passage that is no hit.
pub fn injection_kinds_in(path: &str, title: Option<&str>, chunk: &Chunk) -> Vec<InjectionKind> {
    let text = [path, &context_line(title, &chunk.heading), &chunk.text].join("\n");
    let mut kinds: Vec<InjectionKind> =
        injections(&text).into_iter().map(|injection| injection.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::{Contributions, Lines, Span};

    /// Everything that an answer is made of is in its key: the question as asked and as understood,
    /// the intent, the evidence and its order, and whatever a generator adds, versions of prompt
    /// and rules among it.
    #[test]
    fn every_part_of_a_key_counts() {
        let piece = |path: &str, text: &str| Evidence {
            place: 0,
            hit: Hit {
                rank: 1,
                score: 0.5,
                root: "docs".into(),
                path: path.into(),
                title: None,
                chunk: Chunk {
                    heading: Vec::new(),
                    text: text.to_owned(),
                    bytes: Span::new(0, text.len()),
                    lines: Lines { first: 1, last: 1 },
                    place: None,
                },
                also: Vec::new(),
                contributions: Contributions::default(),
            },
        };
        let key =
            |question: &str, resolved: &str, intent, evidence: &[Evidence], more: &[&[u8]]| {
                let request = Request { question: question.to_owned(), ..Request::default() };
                let resolved = resolved.to_owned();
                Asked {
                    request: &request,
                    resolved,
                    intent,
                    earlier: Vec::new(),
                    stop: Stop::default(),
                }
                .key(evidence, &["en"], more)
            };
        let evidence = [piece("a", "one"), piece("b", "two")];
        let swapped = [piece("b", "two"), piece("a", "one")];
        let version = |n: u32| n.to_le_bytes();
        let (first, second) = (version(PROMPT_VERSION), version(PROMPT_VERSION + 1));
        let keys = [
            key("q", "q", Intent::List, &evidence, &[&first]),
            key("q?", "q", Intent::List, &evidence, &[&first]),
            key("q", "q of x", Intent::List, &evidence, &[&first]),
            key("q", "q", Intent::Summary, &evidence, &[&first]),
            key("q", "q", Intent::List, &swapped, &[&first]),
            key("q", "q", Intent::List, &evidence[..1], &[&first]),
            key("q", "q", Intent::List, &[piece("a", "one"), piece("b", "too")], &[&first]),
            key("q", "q", Intent::List, &evidence, &[&second]),
        ];
        for (n, one) in keys.iter().enumerate() {
            assert!(keys[..n].iter().all(|other| other != one), "{n}");
        }
        assert_eq!(
            keys[0],
            key(" q ", "q", Intent::List, &evidence, &[&first]),
            "the score of a hit is no evidence"
        );
    }
}
