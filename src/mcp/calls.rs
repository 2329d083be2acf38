//! Arguments and results of the tools.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::shape::{self, Budget};
use super::tools::{MAX_DOCUMENTS, MAX_HITS, MAX_PASSAGES};
use crate::answer::Intent;
use crate::ask::{self, passage_risk};
use crate::cache::Caching;
use crate::config::{self, Mode};
use crate::documents::{self, Page, Paging};
use crate::engine::Engine;
use crate::error::{Fault, Kind, Reason, Result};
use crate::filter::Filter;
use crate::index::{Record, State, Stored};
use crate::naming;
use crate::search;
use crate::service::{Priority, Question, Reply, RequestKind};
use crate::tokens::Indexes;
use crate::wire::input;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SearchArgs {
    query: String,
    k: Option<u64>,
    mode: Option<String>,
    filter: Option<String>,
    pub index: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskArgs {
    question: String,
    intent: Option<String>,
    filter: Option<String>,
    llm: Option<String>,
    pub index: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassageArgs {
    path: String,
    line: Option<u64>,
    passage: Option<u64>,
    passages: Option<u64>,
    pub index: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentsArgs {
    filter: Option<String>,
    limit: Option<u64>,
    cursor: Option<String>,
    pub index: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexesArgs {}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IngestArgs {
    pub dirs: Vec<String>,
    pub index: Option<String>,
}

/// Parses the arguments of a tool.
///
/// # Errors
/// A usage fault that names the argument that does not fit the tool's schema.
pub fn arguments<T: DeserializeOwned>(given: Option<Map<String, Value>>) -> Result<T> {
    input::read(&Value::Object(given.unwrap_or_default())).map_err(|misfit| {
        let hint = misfit.hint().unwrap_or_else(|| "see the input schema of the tool".to_owned());
        Fault::usage(misfit.words("the arguments object")).hint(hint)
    })
}

/// The name of an index, or the default.
pub fn index_name(given: Option<&String>, default: &str) -> Result<String> {
    let name = given.map_or(default, String::as_str);
    match config::is_name(name) {
        true => Ok(name.to_owned()),
        false => Err(Fault::usage(format!("invalid index name `{name}`"))
            .hint("`list_indexes` lists the indexes")),
    }
}

impl SearchArgs {
    /// # Errors
    /// A usage fault for an invalid mode, number or filter.
    pub fn question(self) -> Result<Question> {
        let mode = self.mode.map(|name| {
            Mode::of_name(&name).ok_or_else(|| one_of("mode", &Mode::ALL.map(Mode::name)))
        });
        Ok(Question {
            k: self.k.map(|k| in_range("k", Some(k), k, MAX_HITS)).transpose()?,
            ..question(
                self.query,
                RequestKind::Passages { mode: mode.transpose()? },
                self.filter.as_deref(),
                self.index,
            )?
        })
    }
}

impl AskArgs {
    /// # Errors
    /// A usage fault for an invalid intent or filter.
    pub fn question(self) -> Result<Question> {
        let names: Vec<&str> = Intent::ALL.iter().map(|intent| intent.name()).collect();
        let intent = self
            .intent
            .map(|name| Intent::from_name(&name).ok_or_else(|| one_of("intent", &names)));
        let kind = RequestKind::Answer {
            intent: intent.transpose()?,
            generator: None,
            llm: self.llm,
            session: None,
            earlier: Vec::new(),
        };
        question(self.question, kind, self.filter.as_deref(), self.index)
    }
}

fn question(
    text: String,
    kind: RequestKind,
    filter_text: Option<&str>,
    index: Option<String>,
) -> Result<Question> {
    let filter = filter(filter_text)?;
    Ok(Question {
        text,
        kind,
        index,
        k: None,
        caching: Caching::Use,
        filter,
        priority: Priority::Normal,
    })
}

/// The result of `search` or `ask`.
///
/// # Errors
/// As [`answer`].
pub fn reply(reply: &Reply, max_bytes: usize) -> Result<Value> {
    match reply {
        Reply::Passages(found) => Ok(passages(found, max_bytes)),
        Reply::Answer(response) => answer(response, max_bytes),
        Reply::Vectors(_) | Reply::Scores(_) => Err(Fault::failed("no tool returns vectors")),
    }
}

/// The result of `search`.
fn passages(found: &search::Response, max_bytes: usize) -> Value {
    let mut budget = Budget::new(max_bytes);
    let mut hits = Vec::new();
    for hit in &found.hits {
        let mut object = shape::hit(hit, &passage_risk(hit));
        object["rank"] = hit.rank.into();
        object["score"] = hit.score.into();
        if !budget.push(&mut hits, object) {
            break;
        }
    }
    let mut result = json!({
        "index": found.index,
        "mode": found.mode.name(),
        "hits": hits,
        "truncated": budget.is_truncated(),
    });
    if found.index_empty {
        result["index_empty"] = true.into();
    }
    if found.pending.is_some() {
        result["vectors_pending"] = true.into();
    }
    result
}

/// The result of `ask`.
///
/// # Errors
/// When the language model broke off, so its text is not an answer.
fn answer(response: &ask::Response, max_bytes: usize) -> Result<Value> {
    if response.is_broken_off() {
        let reason =
            response.writing.as_ref().and_then(|writing| writing.trouble.as_ref()?.reason_given());
        let fault = Fault::outside("the language model broke off").hint("ask again");
        return Err(fault.reason(reason.unwrap_or(Reason::BrokenOff)));
    }
    let mut budget = Budget::new(max_bytes);
    // At least half of the budget is for the citations.
    let answer = budget.text(&response.answer.text, max_bytes / 2);
    let mut unsupported = Vec::new();
    for sentence in &response.checks.unsupported {
        budget.push(&mut unsupported, sentence.as_str().into());
    }
    let mut citations = Vec::new();
    for citation in &response.answer.citations {
        let mut object = shape::citation(citation, &passage_risk(&citation.hit));
        object["n"] = citation.n.into();
        if !budget.push(&mut citations, object) {
            break;
        }
    }
    let mut result = json!({
        "index": response.index,
        "answer": answer,
        "supported": response.answer.supported,
        "intent": response.intent.name(),
        "generator": response.generator.name(),
        "citations": citations,
        "truncated": budget.is_truncated(),
    });
    if response.index_empty {
        result["index_empty"] = true.into();
    }
    if !unsupported.is_empty() {
        result["unsupported"] = unsupported.into();
    }
    if response.is_cut() {
        result["cut"] =
            "the language model reached its length limit; the answer is incomplete".into();
    }
    if response.fallback.is_some() {
        result["fallback"] = "the language model failed; the answer quotes passages instead".into();
    }
    Ok(result)
}

pub fn get_passage(args: &PassageArgs, engine: &Engine, max_bytes: usize) -> Result<Value> {
    let n_wanted = in_range("passages", args.passages, 3, MAX_PASSAGES)?;
    let found = documents::show(engine, &args.path).map_err(|fault| match fault.kind() {
        Kind::Usage => Fault::usage(fault.to_string())
            .hint("`list_documents` lists the documents with their paths"),
        _ => fault,
    });
    let documents::Document { roots, record, chunks } = found?;
    let first = first_passage(args, &chunks)?;
    let mut budget = Budget::new(max_bytes);
    let mut passages = Vec::new();
    for (n, stored) in chunks.iter().enumerate().skip(first).take(n_wanted) {
        let mut object = shape::stored(stored);
        object["n"] = (n + 1).into();
        if !budget.push(&mut passages, object) {
            break;
        }
    }
    let next = first + passages.len();
    let mut result = json!({
        "index": engine.config.index,
        "path": name(&roots, &record),
        "total": chunks.len(),
        "of": chunks.len(),
        "passages": passages,
        "truncated": budget.is_truncated(),
    });
    let title = chunks.first().and_then(|stored| stored.title.as_deref());
    for (key, value) in [("type", record.format.as_deref()), ("title", title)] {
        if let Some(value) = value {
            result[key] = shape::clean(value).into();
        }
    }
    if next < chunks.len() {
        result["next_passage"] = (next + 1).into();
    }
    Ok(result)
}

/// The position of the first passage to return.
fn first_passage(args: &PassageArgs, chunks: &[Stored]) -> Result<usize> {
    let first = match (args.line, args.passage) {
        (Some(_), Some(_)) => return Err(Fault::usage("give `line` or `passage`, not both")),
        (Some(line), None) => {
            chunks.iter().position(|stored| stored.chunk.lines.last as u64 >= line.max(1))
        }
        (None, n) => usize::try_from(n.unwrap_or(1)).ok().and_then(|n| n.checked_sub(1)),
    };
    first.filter(|first| *first < chunks.len()).ok_or_else(|| {
        let (n, line) = (chunks.len(), chunks.last().map_or(0, |last| last.chunk.lines.last));
        Fault::usage("the document has no passage there")
            .hint(format!("the last passage is number {n} and ends at line {line}"))
    })
}

pub fn list_documents(args: &DocumentsArgs, engine: &Engine, max_bytes: usize) -> Result<Value> {
    let limit = in_range("limit", args.limit, 100, MAX_DOCUMENTS)?;
    let page = page(engine, args.filter.as_deref(), args.cursor.as_deref(), limit)?;
    let mut budget = Budget::new(max_bytes);
    let mut objects = Vec::new();
    for record in &page.records {
        let mut object = json!({
            "path": name(&page.roots, record),
            "size": record.size,
            "chunks": record.chunks,
        });
        for (key, value) in [("type", &record.format), ("language", &record.language)] {
            if let Some(value) = value {
                object[key] = value.as_ref().into();
            }
        }
        if record.modified_s != 0 {
            object["modified"] = record.modified_s.into();
        }
        if !budget.push(&mut objects, object) {
            break;
        }
    }
    let n_listed = objects.len();
    let mut result = json!({ "index": engine.config.index, "documents": objects });
    if (page.next.is_some() || n_listed < page.records.len())
        && let Some(last) = n_listed.checked_sub(1).and_then(|last| page.records.get(last))
    {
        result["next"] = documents::cursor(last).into();
    }
    Ok(result)
}

pub fn list_indexes(engine: &Engine, allowed: &Indexes, max_bytes: usize) -> Result<Value> {
    let mut budget = Budget::new(max_bytes);
    let mut indexes = Vec::new();
    let own = allowed.default_of(&engine.config.index);
    for name in engine.store.names()?.into_iter().filter(|name| allowed.allows(name)) {
        let mut object = json!({ "name": name, "is_default": name == own });
        match engine.store.meta(&name) {
            Ok(meta) => {
                object["documents"] = meta.counts.documents.into();
                object["chunks"] = meta.counts.chunks.into();
                object["model"] = meta.model.name.into();
                object["created"] = meta.created.into();
            }
            Err(fault) if fault.kind() == Kind::Damaged => object["damaged"] = true.into(),
            Err(fault) => return Err(fault),
        }
        if !budget.push(&mut indexes, object) {
            break;
        }
    }
    Ok(json!({ "indexes": indexes }))
}

/// The next `limit` documents after a cursor.
///
/// # Errors
/// A usage fault for an invalid filter or cursor.
pub fn page(
    engine: &Engine,
    filter_text: Option<&str>,
    cursor: Option<&str>,
    limit: usize,
) -> Result<Page> {
    let paging = Paging {
        state: State::Indexed,
        filter: filter(filter_text)?,
        after: cursor.map(str::to_owned),
        limit,
    };
    documents::page(&engine.store.open(&engine.config.index)?, &paging)
}

/// The path of a document with its root, as all tools show it.
pub fn name(roots: &[crate::index::Root], record: &Record) -> String {
    naming::name(roots.get(record.root).map_or("", |root| &root.given), &record.path)
}

fn filter(text: Option<&str>) -> Result<Option<Filter>> {
    let parse = |text| Ok(Filter::parse(text)?.relative_to(&config::working_dir()));
    text.map(parse).transpose()
}

fn in_range(what: &str, given: Option<u64>, default: u64, max: u64) -> Result<usize> {
    match given.unwrap_or(default.min(max)) {
        n if (1..=max).contains(&n) => Ok(n as usize),
        n => Err(Fault::usage(format!("`{what}` must be from 1 to {max}, not {n}"))),
    }
}

fn one_of(what: &str, names: &[&str]) -> Fault {
    Fault::usage(format!("unknown {what}")).hint(format!("use one of {}", names.join(", ")))
}
