//! What each tool takes and yields: arguments in, a question to the service or a JSON object out.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::shape::{self, Budget};
use super::tools::{MOST_DOCUMENTS, MOST_HITS, MOST_PASSAGES};
use crate::answer::Intent;
use crate::ask::{self, injection_kinds};
use crate::cache::Caching;
use crate::config::{self, Mode};
use crate::documents::{self, Page, Paging};
use crate::engine::Engine;
use crate::error::{Fault, Kind, Reason, Result};
use crate::filter::Filter;
use crate::index::{Record, State};
use crate::naming;
use crate::search;
use crate::service::{Priority, Question, Reply, RequestKind};
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

/// # Errors
/// A usage fault that says what does not fit the tool's schema.
pub fn arguments<T: DeserializeOwned>(given: Option<Map<String, Value>>) -> Result<T> {
    input::read(&Value::Object(given.unwrap_or_default())).map_err(|misfit| {
        let hint = misfit
            .hint()
            .unwrap_or_else(|| "the tool's input schema says what it takes".to_owned());
        Fault::usage(misfit.words("the list of arguments")).hint(hint)
    })
}

/// The name of an index, or the default.
pub fn index_name(given: Option<&String>, default: &str) -> Result<String> {
    let name = given.map_or(default, String::as_str);
    match config::is_name(name) {
        true => Ok(name.to_owned()),
        false => {
            Err(Fault::usage("that cannot be the name of an index")
                .hint("`list_indexes` shows them"))
        }
    }
}

impl SearchArgs {
    /// # Errors
    /// A usage fault for a mode, a number or a filter that is none.
    pub fn question(self) -> Result<Question> {
        let mode = self.mode.map(|name| {
            Mode::parse(&name).ok_or_else(|| one_of("mode", &Mode::ALL.map(Mode::name)))
        });
        Ok(Question {
            k: self.k.map(|k| within("k", Some(k), k, MOST_HITS)).transpose()?,
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
    /// A usage fault for an intent or a filter that is none.
    pub fn question(self) -> Result<Question> {
        let names: Vec<&str> = Intent::ALL.iter().map(|intent| intent.name()).collect();
        let intent = self
            .intent
            .map(|name| Intent::from_name(&name).ok_or_else(|| one_of("intent", &names)));
        let wanted = RequestKind::Answer {
            intent: intent.transpose()?,
            generator: None,
            session: None,
            earlier: Vec::new(),
        };
        question(self.question, wanted, self.filter.as_deref(), self.index)
    }
}

fn question(
    text: String,
    wanted: RequestKind,
    by: Option<&str>,
    index: Option<String>,
) -> Result<Question> {
    let filter = filter(by)?;
    Ok(Question {
        text,
        wanted,
        index,
        k: None,
        caching: Caching::Use,
        filter,
        priority: Priority::Normal,
    })
}

/// What came of a question.
///
/// # Errors
/// As [`answer`].
pub fn reply(reply: &Reply, most_bytes: usize) -> Result<Value> {
    match reply {
        Reply::Passages(found) => Ok(passages(found, most_bytes)),
        Reply::Answer(response) => answer(response, most_bytes),
        Reply::Vectors(_) => Err(Fault::failed("no tool asks for vectors")),
    }
}

/// Passages that were found.
fn passages(found: &search::Response, most_bytes: usize) -> Value {
    let mut budget = Budget::new(most_bytes);
    let mut hits = Vec::new();
    for hit in &found.hits {
        let mut object = shape::hit(hit, &injection_kinds(hit));
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

/// An answer and what it rests on.
///
/// # Errors
/// When the language model broke off: what came is no answer.
fn answer(response: &ask::Response, most_bytes: usize) -> Result<Value> {
    if response.is_broken_off() {
        let reason =
            response.writing.as_ref().and_then(|writing| writing.trouble.as_ref()?.reason_given());
        let fault = Fault::outside("the language model broke off").hint("ask again");
        return Err(fault.reason(reason.unwrap_or(Reason::BrokenOff)));
    }
    let mut budget = Budget::new(most_bytes);
    // At least half of the room is for what the answer rests on.
    let answer = budget.text(&response.answer.text, most_bytes / 2);
    let mut unsupported = Vec::new();
    for sentence in &response.checks.unsupported {
        budget.push(&mut unsupported, sentence.as_str().into());
    }
    let mut citations = Vec::new();
    for citation in &response.answer.citations {
        let mut object = shape::hit(&citation.hit, &injection_kinds(&citation.hit));
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
        result["cut"] = "the language model did not come to an end; the answer is not whole".into();
    }
    if response.fallback.is_some() {
        result["fallback"] =
            "the language model failed; the answer quotes the passages alone".into();
    }
    Ok(result)
}

pub fn get_passage(args: &PassageArgs, engine: &Engine, most_bytes: usize) -> Result<Value> {
    let wanted = within("passages", args.passages, 3, MOST_PASSAGES)?;
    let found = documents::show(engine, &args.path).map_err(|fault| match fault.kind() {
        Kind::Usage => Fault::usage(fault.to_string())
            .hint("`list_documents` shows them, each with its folder"),
        _ => fault,
    });
    let documents::Document { roots, record, chunks } = found?;
    let first = match (args.line, args.passage) {
        (Some(_), Some(_)) => return Err(Fault::usage("give `line` or `passage`, not both")),
        (Some(line), None) => {
            chunks.iter().position(|stored| stored.chunk.lines.last as u64 >= line.max(1))
        }
        (None, n) => usize::try_from(n.unwrap_or(1)).ok().and_then(|n| n.checked_sub(1)),
    };
    let Some(first) = first.filter(|first| *first < chunks.len()) else {
        let last = chunks.last().map_or(0, |stored| stored.chunk.lines.last);
        return Err(Fault::usage("the document has no passage there").hint(format!(
            "its last passage has the number {} and ends with line {last}",
            chunks.len()
        )));
    };
    let mut budget = Budget::new(most_bytes);
    let mut passages = Vec::new();
    for (n, stored) in chunks.iter().enumerate().skip(first).take(wanted) {
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

pub fn list_documents(args: &DocumentsArgs, engine: &Engine, most_bytes: usize) -> Result<Value> {
    let limit = within("limit", args.limit, 100, MOST_DOCUMENTS)?;
    let page = page(engine, args.filter.as_deref(), args.cursor.as_deref(), limit)?;
    let mut budget = Budget::new(most_bytes);
    let mut objects = Vec::new();
    for record in &page.records {
        let mut object = json!({ "path": name(&page.roots, record), "size": record.size, "chunks": record.chunks });
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
    let told = objects.len();
    let mut result = json!({ "index": engine.config.index, "documents": objects });
    if (page.next.is_some() || told < page.records.len())
        && let Some(last) = told.checked_sub(1).and_then(|last| page.records.get(last))
    {
        result["next"] = documents::cursor(last).into();
    }
    Ok(result)
}

pub fn list_indexes(engine: &Engine, most_bytes: usize) -> Result<Value> {
    let mut budget = Budget::new(most_bytes);
    let mut indexes = Vec::new();
    for name in engine.store.names()? {
        let mut object = json!({ "name": name, "is_default": name == engine.config.index });
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

/// The next `limit` documents behind a cursor.
///
/// # Errors
/// A usage fault for a filter or a cursor that is none.
pub fn page(engine: &Engine, by: Option<&str>, behind: Option<&str>, limit: usize) -> Result<Page> {
    let paging = Paging {
        state: State::Indexed,
        filter: filter(by)?,
        behind: behind.map(str::to_owned),
        limit,
    };
    documents::page(&engine.store.open(&engine.config.index)?, &paging)
}

/// A document as people and the other tools name it.
pub fn name(roots: &[crate::index::Root], record: &Record) -> String {
    naming::name(roots.get(record.root).map_or("", |root| &root.given), &record.path)
}

fn filter(text: Option<&str>) -> Result<Option<Filter>> {
    let parse = |text| Ok(Filter::parse(text)?.relative_to(&config::here()));
    text.map(parse).transpose()
}

fn within(what: &str, given: Option<u64>, default: u64, most: u64) -> Result<usize> {
    match given.unwrap_or(default.min(most)) {
        n if (1..=most).contains(&n) => Ok(n as usize),
        n => Err(Fault::usage(format!("`{what}` is {n}; it must be from 1 to {most}"))),
    }
}

fn one_of(what: &str, names: &[&str]) -> Fault {
    Fault::usage(format!("there is no such `{what}`"))
        .hint(format!("it is one of {}", names.join(", ")))
}
