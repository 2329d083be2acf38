//! `POST /ask`: answers a question, in one reply or as a stream of events.

use std::sync::Arc;

use axum::response::{IntoResponse as _, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::sse::{self, Stream};
use super::{params, sessions};
use crate::answer;
use crate::ask;
use crate::config::Config;
use crate::serve::app::App;
use crate::serve::body::Json;
use crate::serve::error::{Error, ErrorBody, Result, fault_json};
use crate::serve::extractors::Call;
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
    /// Kind of answer: definition, factoid, list, … (default: detected from the question)
    #[schema(pattern = "^(definition|how-to|troubleshooting|comparison|factoid|list|summary)$")]
    pub intent: Option<String>,
    /// Index name (default: the configured index)
    pub index: Option<String>,
    /// Passages to retrieve
    #[schema(minimum = 1, maximum = 1000)]
    pub k: Option<usize>,
    #[schema(schema_with = params::filter_schema)]
    pub filter: Option<String>,
    /// The session that the question continues, created by `POST /sessions`
    pub session: Option<String>,
    /// Read and write the cache (default: true)
    pub use_cache: Option<bool>,
    /// Recompute, and replace cached values
    #[serde(default)]
    pub refresh: bool,
    /// Send the answer as server-sent events while it is generated
    #[serde(default)]
    pub stream: bool,
    /// What generates the answer: extractive or llm
    #[schema(pattern = "^(extractive|llm)$")]
    pub generator: Option<String>,
    /// Name of the language model to write with, one of `features.llms` of `GET /config`
    pub llm: Option<String>,
    /// Queue priority: critical, high, normal, low or background (default: normal). critical and
    /// high need the scope admin
    #[schema(pattern = "^(critical|high|normal|low|background)$")]
    pub priority: Option<String>,
}

impl AskBody {
    /// The question, parsed, without its session.
    pub fn question(&self, allowed: &Allowed, config: &Config) -> Result<Question> {
        Ok(Question {
            text: self.query.clone(),
            kind: RequestKind::Answer {
                intent: params::intent(self.intent.as_deref())?,
                generator: params::generator(self.generator.as_deref())?,
                llm: params::language_model(self.llm.as_deref(), config)?,
                session: None,
                earlier: Vec::new(),
            },
            index: self.index.clone(),
            k: params::k(self.k)?,
            caching: params::caching(self.use_cache, self.refresh),
            filter: params::filter(self.filter.as_deref())?,
            priority: params::priority(self.priority.as_deref(), allowed)?,
        })
    }
}

/// An answer
#[derive(Serialize, ToSchema)]
pub struct AskReply<'a> {
    #[serde(flatten)]
    answer: AnswerJson<'a>,
    /// The id of the request, as in the header `X-Request-ID`
    request_id: &'a str,
    /// The session of the question
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    /// The steps of an answer that says how to do something
    #[serde(skip_serializing_if = "Option::is_none")]
    diagram: Option<DiagramJson>,
}

/// The steps of an answer
#[derive(Serialize, ToSchema)]
#[schema(as = Diagram)]
struct DiagramJson {
    steps: Vec<String>,
    /// The same as a flowchart of Mermaid
    mermaid: String,
}

impl DiagramJson {
    fn new(response: &ask::Response) -> Option<Self> {
        let mermaid = answer::diagram(&response.question, &response.answer, response.intent)?;
        Some(Self { steps: answer::steps_of(&response.answer, response.intent), mermaid })
    }
}

impl<'a> AskReply<'a> {
    pub fn new(response: &'a ask::Response, id: &'a RequestId, session: Option<&'a str>) -> Self {
        let answer = AnswerJson::new(response, &fault_json);
        Self { answer, request_id: &id.0, session, diagram: DiagramJson::new(response) }
    }
}

/// Answer a question from the index, with citations
///
/// The reply is that of `rag ask --json`, with `request_id` and `session`. When nothing in the
/// index supports an answer, the status is still 200, and `supported` is false. With `stream`, the
/// reply is a sequence of events: `metadata`, `retrieval`, `token` (repeated), `citations`, and
/// `done` with the whole reply, or `error`.
#[utoipa::path(
    post,
    path = "/ask",
    tag = "questions",
    request_body = AskBody,
    responses(
        (status = 200, description = "The answer; with `stream`, events", content(
            (AskReply = "application/json"), (sse::SentEvent = "text/event-stream"))),
        (status = 404, description = "No such index or session", body = ErrorBody),
        (
            status = 502,
            description = "The language model failed; `reason` says why",
            body = ErrorBody,
        ),
        (
            status = 503,
            description = "The queue is full, the language model is paused after failures, \
                or the server is shutting down",
            body = ErrorBody,
        ),
        (status = 504, description = "Timed out", body = ErrorBody),
    )
)]
pub async fn ask(
    Call { app, id, allowed }: Call,
    Json(mut body): Json<AskBody>,
) -> Result<Response> {
    body.index = allowed.index(body.index, &app)?;
    let mut question = body.question(&allowed, &app.engine().config)?;
    if let (Some(name), RequestKind::Answer { session, .. }) = (&body.session, &mut question.kind) {
        *session = Some(sessions::session_id(&allowed, name)?);
    }
    let ticket = app.service.ask(question).await?;
    if body.stream {
        return Ok(sse::response(move |stream| stream_answer(app, id, body, ticket, stream)));
    }
    let mut ticket = ticket;
    let response = answered(&mut ticket).await?;
    Ok(axum::Json(AskReply::new(&response, &id, body.session.as_deref())).into_response())
}

/// Waits for the answer, up to the configured time limit.
pub async fn answered(ticket: &mut Ticket) -> Result<Arc<ask::Response>> {
    match ticket.outcome().await? {
        Reply::Answer(response) => Ok(response),
        _ => Err(Error::internal()),
    }
}

/// Sends events until the answer is complete or the client has left.
pub async fn stream_answer(
    app: Arc<App>,
    id: RequestId,
    body: AskBody,
    mut ticket: Ticket,
    stream: Stream,
) {
    let index = body.index.as_ref().unwrap_or(&app.engine().config.index);
    let metadata = json!({ "request_id": *id.0, "index": index, "question": body.query });
    if !stream.send("metadata", metadata).await {
        return;
    }
    loop {
        let update = tokio::select! {
            update = ticket.next() => update,
            // Dropping the ticket cancels the question.
            () = stream.closed() => return,
        };
        let (name, data) = match update {
            Ok(Some(Update::Retrieved(found))) => {
                let hits: Vec<HitJson<'_>> =
                    found.hits.iter().map(|hit| HitJson::new(hit, false)).collect();
                let (timings, cache) = wire::course(found.timings, found.cache);
                ("retrieval", json!({ "hits": hits, "timings": timings, "cache": cache }))
            }
            Ok(Some(Update::Text(text))) => ("token", json!({ "text": *text })),
            Ok(None) => break,
            Err(problem) => return send_error(&app, problem.into(), &id, stream).await,
        };
        if !stream.send(name, data).await {
            return;
        }
    }
    match answered(&mut ticket).await {
        Ok(response) => {
            let reply = json!(AskReply::new(&response, &id, body.session.as_deref()));
            if stream.send("citations", json!({ "citations": reply["citations"] })).await {
                stream.end("done", reply).await;
            }
        }
        Err(error) => send_error(&app, error, &id, stream).await,
    }
}

/// Ends a stream with an error, and records it: the response has already been sent.
async fn send_error(app: &App, error: Error, id: &RequestId, stream: Stream) {
    guard::record(app, &error, "/ask");
    stream.end("error", json!({ "error": error.json(&id.0) })).await;
}
