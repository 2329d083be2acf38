//! `POST /v1/responses`: OpenAI's newer interface for answers. The last user message of `input` is
//! the question; a stored response is a turn of a session, which `previous_response_id` continues.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type};

use super::extras::Extras;
use super::names::{index_of, no_model};
use super::reply::{self, Author, Writing, citations, conversation, finish, sources, text};
use crate::ask::{self, n_tokens};
use crate::llm::Usage;
use crate::serve::app::App;
use crate::serve::body::Json;
use crate::serve::error::{Error, ErrorBody, Result};
use crate::serve::extractors::Call;
use crate::serve::guard::{self, RequestId};
use crate::serve::routes::ask::answered;
use crate::serve::routes::sessions;
use crate::serve::routes::sse::{self, Stream};
use crate::service::{Problem, Ticket};
use crate::strings::StrExt as _;
use crate::wire::input::Misfit;

/// Ids of responses; the name of the session follows, where the response is stored.
const PREFIX: &str = "resp_";

/// A question, perhaps with its conversation; unknown fields are ignored
#[derive(Debug, Deserialize, ToSchema)]
pub struct ResponsesBody {
    /// `rag`, or `rag:NAME` for another index
    #[schema(pattern = "^rag(:[A-Za-z0-9_][A-Za-z0-9._-]{0,99})?$")]
    model: String,
    #[schema(schema_with = input_schema)]
    input: Value,
    /// Send the answer as server-sent events while it is generated
    stream: Option<bool>,
    /// Keep the question and its answer for `previous_response_id` (default: true). A request with
    /// earlier messages in `input` is not stored
    store: Option<bool>,
    /// The id of the response that the question continues
    previous_response_id: Option<String>,
    /// none or auto; tools are never called
    #[schema(schema_with = super::chat::tool_choice_schema)]
    tool_choice: Option<Value>,
    /// Must be a text format
    #[schema(schema_with = text_schema)]
    text: Option<Value>,
    /// Must be false: a response is generated while the client waits
    #[schema(schema_with = background_schema)]
    background: Option<bool>,
    /// Other parameters, which are ignored.
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Map<String, Value>,
}

fn string() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

fn input_schema() -> RefOr<Schema> {
    let required = || string().min_length(Some(1)).max_length(Some(1 << 15)).pattern(Some("\\S"));
    let message = ObjectBuilder::new()
        .property("role", string().enum_values(Some(["user"])))
        .property("content", required())
        .required("role")
        .required("content");
    let messages = ArrayBuilder::new().items(message).min_items(Some(1));
    let words = "The question, or messages of which the last one of the user is the question";
    let either = OneOfBuilder::new().item(required()).item(messages).description(Some(words));
    RefOr::T(Schema::OneOf(either.build()))
}

fn text_schema() -> RefOr<Schema> {
    let kind = string().enum_values(Some(["text"]));
    let format = ObjectBuilder::new().property("type", kind).required("type");
    let text = ObjectBuilder::new().property("format", format);
    super::chat::one_of(text, super::chat::null(), "Must be a text format")
}

fn background_schema() -> RefOr<Schema> {
    let no = ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([false]));
    let words = "Must be false: a response is generated while the client waits";
    super::chat::one_of(no, super::chat::null(), words)
}

/// A message of `input`. Reasoning, calls of tools and other items are no part of a conversation.
fn message(item: &Value, n: usize) -> Result<(Author, String), Misfit> {
    if item["type"].as_str().is_some_and(|kind| kind != "message") {
        return Ok((Author::Other, String::new()));
    }
    let author = match item["role"].as_str() {
        Some("user") => Author::User,
        Some("assistant") => Author::Assistant,
        Some("system" | "developer") => Author::Other,
        _ => {
            let words = "must be one of user, assistant, system, developer";
            return Err(Misfit::of(format!("input[{n}].role"), words));
        }
    };
    let content = match &item["content"] {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let mut texts = Vec::new();
            for (at, part) in parts.iter().enumerate() {
                match (part["type"].as_str(), part["text"].as_str()) {
                    (Some("input_text" | "output_text" | "text"), Some(text)) => texts.push(text),
                    (Some("refusal"), _) => {}
                    _ if author == Author::User => {
                        let path = format!("input[{n}].content[{at}]");
                        return Err(Misfit::of(path, "must be text: questions are text"));
                    }
                    _ => {}
                }
            }
            texts.join("\n")
        }
        _ => {
            let words = "must be a string or an array of parts";
            return Err(Misfit::of(format!("input[{n}].content"), words));
        }
    };
    Ok((author, content))
}

/// The messages of `input`, up to the question, which is the last.
fn messages(input: &Value) -> Result<Vec<(Author, String)>, Misfit> {
    let mut all = match input {
        Value::String(text) => vec![(Author::User, text.clone())],
        Value::Array(items) => {
            items.iter().enumerate().map(|(n, item)| message(item, n)).collect::<Result<_, _>>()?
        }
        _ => return Err(Misfit::of("input", "must be a string or an array of messages")),
    };
    let last = all.iter().rposition(|(author, _)| *author == Author::User);
    all.truncate(last.map_or(0, |last| last + 1));
    match all.last() {
        None => Err(Misfit::of("input", "has no message with the role user")),
        Some((_, text)) if text.trim().is_empty() => Err(Misfit::of("input", "has no question")),
        Some(_) => Ok(all),
    }
}

/// The session of the response with this id.
fn session_of(id: &str) -> Option<&str> {
    id.strip_prefix(PREFIX)?.split_once('_').map(|(session, _)| session)
}

impl ResponsesBody {
    /// The first parameter that asks for a kind of reply that is not supported.
    fn refused(&self) -> Option<Misfit> {
        let choice = self.tool_choice.as_ref();
        let is_auto = choice.is_none_or(|choice| {
            *choice == "none" || *choice == "auto" || choice["mode"] == "auto" || choice.is_null()
        });
        let format = self.text.as_ref().map(|text| &text["format"]["type"]);
        let is_text = format.is_none_or(|kind| kind.is_null() || *kind == "text");
        let checks = [
            ("tool_choice", is_auto, "must be none or auto: tools are never called"),
            ("text", is_text, "must be a text format"),
            (
                "background",
                self.background != Some(true),
                "must be false: a response is generated while the client waits",
            ),
        ];
        let refused = checks.into_iter().find(|(_, is_fine, _)| !is_fine);
        refused.map(|(name, _, words)| Misfit::of(name, words))
    }
}

/// Answer the last user message, in the form of OpenAI's Responses API
///
/// As `POST /v1/chat/completions`: the model names the index, sources are at the end of the text,
/// and `k`, `filter`, `session` and `intent` may be added as fields or headers. A response is kept
/// for as long as a session, and `previous_response_id` continues it.
#[utoipa::path(
    post,
    path = "/v1/responses",
    tag = "openai",
    request_body = ResponsesBody,
    responses(
        (status = 200, description = "The response; with `stream`, events", content(
            (Value = "application/json"), (sse::SentEvent = "text/event-stream"))),
        (status = 404, description = "No such model or response", body = ErrorBody),
        (
            status = 502,
            description = "The language model failed; `reason` says why",
            body = ErrorBody,
        ),
        (status = 504, description = "Timed out", body = ErrorBody),
    )
)]
pub async fn responses(
    Call { app, id, allowed }: Call,
    headers: HeaderMap,
    Json(body): Json<ResponsesBody>,
) -> Result<Response> {
    let index = index_of(&app, &allowed, &body.model)?;
    if let Some(refused) = body.refused() {
        return Err(refused.into());
    }
    let mut all = messages(&body.input)?;
    let question = all.pop().map(|(_, text)| text).unwrap_or_default();
    let n_prompt_tokens =
        all.iter().map(|(_, text)| n_tokens(text)).sum::<usize>() + n_tokens(&question);
    let mut extras = Extras::new(&allowed, &app.engine().config, &body.unknown, &headers)?;
    let mut stored = None;
    if let Some(previous) = &body.previous_response_id {
        let session = session_of(previous).ok_or_else(|| no_response(previous))?;
        extras.session =
            Some(sessions::session_id(&allowed, session).map_err(|_| no_response(previous))?);
        stored = Some(session.to_owned());
    } else if extras.session.is_none() && all.is_empty() && body.store != Some(false) {
        let session = app.blocking(|app| Ok(app.service.new_session()?)).await?;
        stored = Some(App::session_name(&session, allowed.token()));
        extras.session = Some(session);
    }
    let question = extras.question(question, &index, conversation(&all));
    let ticket = app.service.ask(question).await.map_err(|problem| match problem {
        Problem::NoIndex(_) => no_model(&body.model),
        problem => problem.into(),
    })?;
    let reply_id = match stored {
        Some(session) => format!("{PREFIX}{session}_{}", id.0.slice(..id.0.len().min(8))),
        None => format!("{PREFIX}{}", id.0),
    };
    let frame = Frame { reply_id, id, created: app.engine().now_s(), body, n_prompt_tokens };
    if frame.body.stream == Some(true) {
        return Ok(sse::response(move |stream| stream_answer(app, frame, ticket, stream)));
    }
    let mut ticket = ticket;
    let response = answered(&mut ticket).await.map_err(|error| frame.explained(error))?;
    Ok(axum::Json(frame.finished(&response)).into_response())
}

fn no_response(id: &str) -> Error {
    Error::not_found(format!("there is no stored response `{id}`"))
        .param("previous_response_id")
        .hint("responses are kept for as long as sessions, unless `store` is false")
}

/// What all events of a response share.
struct Frame {
    reply_id: String,
    id: RequestId,
    created: i64,
    body: ResponsesBody,
    n_prompt_tokens: usize,
}

impl Frame {
    /// An error of a session is one of the response that names it.
    fn explained(&self, error: Error) -> Error {
        match &self.body.previous_response_id {
            Some(previous) if error.code() == "not_found" => no_response(previous),
            _ => error,
        }
    }

    fn response(&self, status: &str) -> Value {
        let body = &self.body;
        let given = |name: &str, default: Value| body.unknown.get(name).cloned().unwrap_or(default);
        json!({
            "id": self.reply_id,
            "object": "response",
            "created_at": self.created,
            "status": status,
            "background": false,
            "error": null,
            "incomplete_details": null,
            "instructions": given("instructions", Value::Null),
            "max_output_tokens": given("max_output_tokens", Value::Null),
            "metadata": given("metadata", json!({})),
            "model": body.model,
            "output": [],
            "parallel_tool_calls": true,
            "previous_response_id": body.previous_response_id,
            "store": body.store.unwrap_or(true),
            "temperature": given("temperature", Value::Null),
            "text": { "format": { "type": "text" } },
            "tool_choice": "auto",
            "tools": given("tools", json!([])),
            "top_p": given("top_p", Value::Null),
            "truncation": "disabled",
            "usage": null,
        })
    }

    fn item(&self, status: &str, content: &Value) -> Value {
        json!({
            "id": format!("msg_{}", self.id.0),
            "type": "message",
            "status": status,
            "role": "assistant",
            "content": content,
        })
    }

    fn finished(&self, response: &ask::Response) -> Value {
        let content = format!("{}{}", text(response), sources(response));
        let is_cut = finish(response) == "length";
        let status = if is_cut { "incomplete" } else { "completed" };
        let mut reply = self.response(status);
        if is_cut {
            reply["incomplete_details"] = json!({ "reason": "max_output_tokens" });
        }
        let mut item = self.item(status, &json!([part(&content)]));
        item["citations"] = citations(response);
        item["supported"] = response.answer.supported.into();
        item["unsupported"] = json!(response.checks.unsupported);
        reply["output"] = json!([item]);
        let Usage { prompt_tokens, completion_tokens, cached_tokens } =
            reply::usage(response, self.n_prompt_tokens as u64, &content);
        reply["usage"] = json!({
            "input_tokens": prompt_tokens,
            "input_tokens_details": { "cached_tokens": cached_tokens.unwrap_or(0) },
            "output_tokens": completion_tokens,
            "output_tokens_details": { "reasoning_tokens": 0 },
            "total_tokens": prompt_tokens + completion_tokens,
        });
        reply
    }
}

fn part(text: &str) -> Value {
    json!({ "type": "output_text", "text": text, "annotations": [], "logprobs": [] })
}

/// Numbers the events of a stream.
struct Events {
    stream: Stream,
    next: u64,
}

impl Events {
    /// Sends an event; false when the client has left.
    async fn send(&mut self, kind: &'static str, mut fields: Value) -> bool {
        fields["type"] = kind.into();
        fields["sequence_number"] = self.next.into();
        self.next += 1;
        self.stream.send(kind, fields).await
    }
}

/// Sends the answer in events until it is complete or the client has left.
async fn stream_answer(app: Arc<App>, frame: Frame, ticket: Ticket, stream: Stream) {
    let mut events = Events { stream, next: 0 };
    let item_id = format!("msg_{}", frame.id.0);
    let place = |mut fields: Value| {
        fields["item_id"] = item_id.as_str().into();
        fields["output_index"] = 0.into();
        fields["content_index"] = 0.into();
        fields
    };
    let begun = frame.response("in_progress");
    let item = frame.item("in_progress", &json!([]));
    let is_open = events.send("response.created", json!({ "response": begun })).await
        && events.send("response.in_progress", json!({ "response": begun })).await
        && events
            .send("response.output_item.added", json!({ "output_index": 0, "item": item }))
            .await
        && events.send("response.content_part.added", place(json!({ "part": part("") }))).await;
    if !is_open {
        return;
    }
    let delta = |text: &str| place(json!({ "delta": text, "logprobs": [] }));
    let mut writing = Writing::new(ticket);
    let outcome = loop {
        let piece = tokio::select! {
            piece = writing.next() => piece,
            // Dropping the ticket cancels the question.
            () = events.stream.closed() => return,
        };
        match piece {
            Ok(Some(text)) => {
                if !events.send("response.output_text.delta", delta(&text)).await {
                    return;
                }
            }
            Ok(None) => break writing.end().await,
            Err(error) => break Err(error),
        }
    };
    match outcome {
        Ok((response, end)) => {
            let reply = frame.finished(&response);
            let item = reply["output"][0].clone();
            let whole = part_of(&item);
            let done = place(json!({ "text": whole["text"], "logprobs": [] }));
            let kind = if finish(&response) == "length" {
                "response.incomplete"
            } else {
                "response.completed"
            };
            let _ = events.send("response.output_text.delta", delta(&end)).await
                && events.send("response.output_text.done", done).await
                && events.send("response.content_part.done", place(json!({ "part": whole }))).await
                && events
                    .send("response.output_item.done", json!({ "output_index": 0, "item": item }))
                    .await
                && events.send(kind, json!({ "response": reply })).await;
        }
        Err(error) => {
            let error = frame.explained(error);
            guard::record(&app, &error, "/v1/responses");
            let mut failed = frame.response("failed");
            failed["error"] = error.openai().json(&frame.id.0);
            events.send("response.failed", json!({ "response": failed })).await;
        }
    }
}

/// The content of an item.
fn part_of(item: &Value) -> Value {
    item["content"][0].clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_user_message_is_the_question() {
        let check = |input: Value, expected: &[(Author, &str)]| {
            let found = messages(&input).unwrap();
            let found: Vec<(Author, &str)> =
                found.iter().map(|(author, text)| (*author, text.as_str())).collect();
            assert_eq!(found, expected, "{input}");
        };
        check(json!("Why?"), &[(Author::User, "Why?")]);
        check(
            json!([
                { "role": "developer", "content": "Be kind." },
                { "role": "user", "content": [{ "type": "input_text", "text": "What?" }] },
                { "type": "reasoning", "summary": [] },
                { "type": "message", "role": "assistant",
                  "content": [{ "type": "output_text", "text": "That." }] },
                { "role": "user", "content": "Why?" },
                { "role": "assistant", "content": "" },
            ]),
            &[
                (Author::Other, "Be kind."),
                (Author::User, "What?"),
                (Author::Other, ""),
                (Author::Assistant, "That."),
                (Author::User, "Why?"),
            ],
        );
        for (bad, field) in [
            (json!([]), "input"),
            (json!(7), "input"),
            (json!(" "), "input"),
            (json!([{ "role": "robot", "content": "x" }]), "input[0].role"),
            (json!([{ "role": "user", "content": 1 }]), "input[0].content"),
            (
                json!([{ "role": "user", "content": [{ "type": "input_image" }] }]),
                "input[0].content[0]",
            ),
        ] {
            assert_eq!(messages(&bad).unwrap_err().path(), Some(field), "{bad}");
        }
    }

    #[test]
    fn the_id_of_a_stored_response_names_its_session() {
        assert_eq!(session_of("resp_0ab1_c3"), Some("0ab1"));
        for id in ["", "resp_", "resp_0ab1", "0ab1_c3"] {
            assert_eq!(session_of(id), None, "{id}");
        }
    }
}
