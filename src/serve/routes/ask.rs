//! `POST /ask`: an answer, whole or as it is being written.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::sse::{self, Stream};
use super::{App, Error, asking, sessions};
use crate::ask;
use crate::serve::body::Json;
use crate::serve::error::{ErrorBody, Result, fault_json};
use crate::serve::guard::{self, Allowed, RequestId};
use crate::service::{Question, Reply, RequestKind, Ticket, Update};
use crate::wire::{self, AnswerJson, HitJson};

/// A question
#[derive(Clone, Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AskBody {
    /// The question
    #[schema(min_length = 1, max_length = 32768, pattern = "\\S")]
    pub query: String,
    /// What kind of answer: definition, factoid, list, …; told from the question when it is not
    /// given
    #[schema(pattern = "^(definition|how-to|troubleshooting|comparison|factoid|list|summary)$")]
    pub intent: Option<String>,
    /// Name of the index
    pub index: Option<String>,
    /// Passages to consider
    #[schema(minimum = 1, maximum = 1000)]
    pub k: Option<usize>,
    #[schema(schema_with = asking::filter_schema)]
    pub filter: Option<String>,
    /// A conversation that it continues, made by `POST /sessions`
    pub session: Option<String>,
    /// Read and write the cache; true when it is not given
    pub use_cache: Option<bool>,
    /// Compute anew and replace what the cache has
    #[serde(default)]
    pub refresh: bool,
    /// Send the answer as it is being made, as server-sent events
    #[serde(default)]
    pub stream: bool,
    /// Who writes the answer: extractive or llm
    #[schema(pattern = "^(extractive|llm)$")]
    pub generator: Option<String>,
    /// critical, high, normal, low or background; what is above normal needs the scope admin
    #[schema(pattern = "^(critical|high|normal|low|background)$")]
    pub priority: Option<String>,
}

impl AskBody {
    /// The question, understood, within no conversation yet.
    pub fn question(&self, allowed: Allowed) -> Result<Question> {
        Ok(Question {
            text: self.query.clone(),
            wanted: RequestKind::Answer {
                intent: asking::intent(self.intent.as_deref())?,
                generator: asking::generator(self.generator.as_deref())?,
                session: None,
                earlier: Vec::new(),
            },
            index: self.index.clone(),
            k: asking::k(self.k)?,
            caching: asking::caching(self.use_cache, self.refresh),
            filter: asking::filter(self.filter.as_deref())?,
            priority: asking::priority(self.priority.as_deref(), allowed)?,
        })
    }
}

/// An answer
#[derive(Serialize, ToSchema)]
pub struct AskReply<'a> {
    #[serde(flatten)]
    answer: AnswerJson<'a>,
    /// As in the header `X-Request-ID`
    request_id: &'a str,
    /// The conversation that it was asked in
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
}

impl<'a> AskReply<'a> {
    pub fn new(response: &'a ask::Response, id: &'a RequestId, session: Option<&'a str>) -> Self {
        Self { answer: AnswerJson::new(response, &fault_json), request_id: &id.0, session }
    }
}

/// Answer a question from the index, with citations
///
/// The reply is that of `rag ask --json`, with `request_id` and the `session`. That nothing
/// supports an answer is no error: `supported` is false then. With `stream` come events:
/// `metadata`, `retrieval`, `token`, …, `citations`, `done` with the whole reply, or `error`.
#[utoipa::path(
    post,
    path = "/ask",
    tag = "questions",
    request_body = AskBody,
    responses(
        (status = 200, description = "The answer; with `stream`, events", content(
            (AskReply = "application/json"), (sse::SentEvent = "text/event-stream"))),
        (status = 404, description = "There is no such index or session", body = ErrorBody),
        (status = 502, description = "The language model failed; `reason` says how", body = ErrorBody),
        (status = 503, description = "Too many wait, the language model is left alone for a while \
             after it failed, or the \
            server is being stopped", body = ErrorBody),
        (status = 504, description = "It took too long", body = ErrorBody),
    )
)]
pub async fn ask(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    Extension(allowed): Extension<Allowed>,
    Json(body): Json<AskBody>,
) -> Result<Response> {
    let mut question = body.question(allowed)?;
    if let (Some(name), RequestKind::Answer { session, .. }) = (&body.session, &mut question.wanted)
    {
        *session = Some(sessions::own(&app, allowed, name)?);
    }
    let ticket = app.service.ask(question).await?;
    if body.stream {
        return Ok(sse::response(move |stream| streamed(app, id, body, ticket, stream)));
    }
    let mut ticket = ticket;
    let response = answered(&mut ticket).await?;
    Ok(axum::Json(AskReply::new(&response, &id, body.session.as_deref())).into_response())
}

/// Waits for an answer as long as one may take.
pub async fn answered(ticket: &mut Ticket) -> Result<Arc<ask::Response>> {
    match ticket.outcome().await? {
        Reply::Answer(response) => Ok(response),
        Reply::Passages(_) | Reply::Vectors(_) => Err(Error::internal()),
    }
}

/// Tells what happens until there is an answer, or nobody listens.
async fn streamed(app: Arc<App>, id: RequestId, body: AskBody, mut ticket: Ticket, stream: Stream) {
    let index = body.index.as_ref().unwrap_or(&app.engine().config.index);
    let metadata = json!({ "request_id": *id.0, "index": index, "question": body.query });
    if !stream.send("metadata", &metadata).await {
        return;
    }
    loop {
        let update = tokio::select! {
            update = ticket.next() => update,
            // Whoever has left is not waited for: the ticket is given back.
            () = stream.left() => return,
        };
        let (name, data) = match update {
            Ok(Some(Update::Found(found))) => {
                let hits: Vec<HitJson<'_>> =
                    found.hits.iter().map(|hit| HitJson::new(hit, false)).collect();
                let (timings, cache) = wire::course(found.timings, found.cache);
                ("retrieval", json!({ "hits": hits, "timings": timings, "cache": cache }))
            }
            Ok(Some(Update::Text(text))) => ("token", json!({ "text": *text })),
            Ok(None) => break,
            Err(problem) => return failed(&app, problem.into(), &id, stream).await,
        };
        if !stream.send(name, &data).await {
            return;
        }
    }
    match answered(&mut ticket).await {
        Ok(response) => {
            let reply = json!(AskReply::new(&response, &id, body.session.as_deref()));
            if stream.send("citations", &json!({ "citations": reply["citations"] })).await {
                stream.end("done", &reply).await;
            }
        }
        Err(error) => failed(&app, error, &id, stream).await,
    }
}

/// Ends a stream with an error, which no response can carry to the log any more.
async fn failed(app: &App, error: Error, id: &RequestId, stream: Stream) {
    guard::note(app, &error, "/ask");
    stream.end("error", &json!({ "error": error.json(&id.0) })).await;
}
