//! `/feedback`: what users say about answers, kept in words, and its export as questions for
//! `rag eval`.

use std::collections::{BTreeMap, BTreeSet};

use axum::http::{HeaderName, StatusCode, header};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{documents, params};
use crate::analytics::{self, Feedback, Rated, Reason, Record};
use crate::config::Recording;
use crate::evaluate;
use crate::index::State as DocumentState;
use crate::naming;
use crate::serve::app::App;
use crate::serve::body::Json;
use crate::serve::error::{Error, Result};
use crate::serve::extractors::{Call, Query};
use crate::serve::sandbox;

/// As the longest question.
const MAX_QUESTION_BYTES: usize = 32_768;
const MAX_COMMENT_BYTES: usize = 4_096;
const MAX_SOURCES: usize = 100;

/// Feedback on an answer
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FeedbackBody {
    /// The question as asked. It is stored in words
    #[schema(min_length = 1, max_length = 32768, pattern = "\\S")]
    question: String,
    /// Index name (default: the configured index)
    #[schema(pattern = "^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$")]
    index: Option<String>,
    /// Whether the answer helped
    helpful: bool,
    /// Why not: wrong, incomplete, outdated, unanswerable (the documents have no answer) or other
    #[schema(pattern = "^(wrong|incomplete|outdated|unanswerable|other)$")]
    reason: Option<String>,
    /// In the user's words
    #[schema(max_length = 4096)]
    comment: Option<String>,
    /// Name of the document that has the answer, if the user knows one
    #[schema(max_length = 4096)]
    expected: Option<String>,
    /// `supported` of the answer (default: true)
    supported: Option<bool>,
    /// The sources of the answer
    #[serde(default)]
    #[schema(max_items = 100)]
    sources: Vec<FeedbackSource>,
}

/// A source of an answer
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FeedbackSource {
    /// `root` of the citation
    #[schema(max_length = 4096)]
    root: String,
    /// `path` of the citation
    #[schema(max_length = 4096)]
    path: String,
}

/// The feedback is stored
#[derive(Serialize, ToSchema)]
pub struct FeedbackReply {
    /// Days until it is deleted
    keep_days: u64,
}

/// Selects feedback
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ExportQuery {
    /// Only feedback on answers from this index (default: all indexes)
    #[param(pattern = "^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$")]
    index: Option<String>,
}

impl FeedbackBody {
    fn feedback(self, default: &str) -> Result<Feedback> {
        let reason = self.reason.as_deref();
        let reason = params::named("reason", reason, &Reason::ALL, Reason::name)?;
        if self.question.trim().is_empty() || self.question.len() > MAX_QUESTION_BYTES {
            let what = format!("`question` must have from 1 to {MAX_QUESTION_BYTES} bytes");
            return Err(Error::usage(what).param("question"));
        }
        let (comment, expected) = (self.comment.unwrap_or_default(), self.expected);
        let expected = expected.map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
        if comment.len().max(expected.as_ref().map_or(0, String::len)) > MAX_COMMENT_BYTES {
            let what = format!("`comment` and `expected` have at most {MAX_COMMENT_BYTES} bytes");
            return Err(Error::usage(what).param("comment"));
        }
        let documents: BTreeSet<(String, String)> =
            self.sources.into_iter().map(|source| (source.root, source.path)).collect();
        let is_long = |(root, path): &(String, String)| root.len() + path.len() > MAX_COMMENT_BYTES;
        if documents.len() > MAX_SOURCES || documents.iter().any(is_long) {
            let what = format!("`sources` has at most {MAX_SOURCES} names of documents");
            return Err(Error::usage(what).param("sources"));
        }
        Ok(Feedback {
            index: sandbox::index_name(self.index.as_deref(), default)?.to_owned(),
            question: self.question,
            helpful: self.helpful,
            reason: reason.filter(|_| !self.helpful),
            comment: comment.trim().to_owned(),
            supported: self.supported.unwrap_or(true),
            documents: documents.into_iter().collect(),
            expected,
        })
    }
}

/// Say whether an answer helped
///
/// The question is stored in words, with the sources of its answer, as long as other records of
/// usage (`analytics.keep_days`). `GET /feedback/export` gives it to `rag eval`, and `rag stats
/// --purge` deletes it.
#[utoipa::path(
    post,
    path = "/feedback",
    tag = "questions",
    request_body = FeedbackBody,
    responses((status = 201, description = "The feedback is stored", body = FeedbackReply))
)]
pub async fn feedback(
    Call { app, allowed, .. }: Call,
    Json(mut body): Json<FeedbackBody>,
) -> Result<(StatusCode, axum::Json<FeedbackReply>)> {
    body.index = allowed.index(body.index, &app)?;
    let records = app.engine().config.analytics;
    if records.scope == Recording::Off {
        return Err(Error::conflict("this server stores no feedback")
            .hint("the setting `analytics.record` is off"));
    }
    let feedback = body.feedback(&app.engine().config.index)?;
    app.blocking(move |app| {
        let engine = app.engine();
        let place = engine.records();
        let batch = vec![Record::Feedback(Box::new(feedback))];
        Ok(analytics::record_now(&place, records, app.engine().now_s(), batch)?)
    })
    .await?;
    Ok((StatusCode::CREATED, axum::Json(FeedbackReply { keep_days: records.keep_days })))
}

/// Export feedback as questions for `rag eval`
///
/// A helpful answer makes its sources relevant; an answer that should have been none makes its
/// question unanswerable. Feedback that does not say what is right is left out, and so are
/// documents that the index no longer has.
#[utoipa::path(
    get,
    path = "/feedback/export",
    tag = "questions",
    params(ExportQuery),
    responses((
        status = 200,
        description = "One JSON object per question",
        body = String,
        content_type = "application/x-ndjson",
    ))
)]
pub async fn feedback_export(
    Call { app, allowed, .. }: Call,
    Query(ExportQuery { index }): Query<ExportQuery>,
) -> Result<([(HeaderName, &'static str); 2], String)> {
    let indexes = allowed.indexes();
    if let Some(name) = &index {
        sandbox::index_name(Some(name), "").map_err(|error| error.param("index"))?;
    }
    let lines = app.blocking(move |app| {
        let engine = app.engine();
        let place = engine.records();
        let mut rated = analytics::feedback(&place, 0)?;
        rated.retain(|rated| index.as_ref().is_none_or(|index| rated.feedback.index == *index));
        rated.retain(|rated| indexes.allows(&rated.feedback.index));
        let names = names(app, &rated);
        let is_known = |index: &str, name: &str| {
            names.get(index).is_some_and(|names: &BTreeSet<String>| names.contains(name))
        };
        let lines = evaluate::from_feedback(&rated, &is_known);
        Ok(lines.iter().map(|line| format!("{line}\n")).collect::<String>())
    });
    let headers = [
        (header::CONTENT_TYPE, "application/x-ndjson"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"feedback.jsonl\""),
    ];
    Ok((headers, lines.await?))
}

/// The names of all documents of each index that feedback is about. An index that is gone or
/// damaged has none.
fn names(app: &App, rated: &[Rated]) -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    for Rated { feedback, .. } in rated {
        if all.contains_key(&feedback.index) {
            continue;
        }
        let names = documents::snapshot(app, Some(&feedback.index)).and_then(|snapshot| {
            let roots = &snapshot.meta().roots;
            let indexed = snapshot
                .documents()?
                .into_iter()
                .filter(|record| record.state == DocumentState::Indexed);
            let name = |record: crate::index::Record| {
                let root = roots.get(record.root).map_or("", |root| &root.given);
                naming::name(root, &record.path)
            };
            Ok(indexed.map(name).collect())
        });
        all.insert(feedback.index.clone(), names.unwrap_or_default());
    }
    all
}
