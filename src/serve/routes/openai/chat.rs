//! `POST /v1/chat/completions`: the last user message is the question, the messages before it are
//! the conversation.

use std::fmt;
use std::sync::Arc;

use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

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
use crate::serve::routes::sse::{self, Stream};
use crate::service::{Question, Ticket};
use crate::wire::input::Misfit;

/// A conversation that ends with a question
#[derive(Debug, Deserialize, ToSchema)]
pub struct ChatBody {
    /// `rag`, or `rag:NAME` for another index
    #[schema(pattern = "^rag(:[A-Za-z0-9_][A-Za-z0-9._-]{0,99})?$")]
    model: String,
    #[schema(min_items = 1)]
    messages: Vec<Message>,
    /// Send the answer as server-sent events while it is generated
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    /// Must be 1: a question has one answer
    #[schema(minimum = 1, maximum = 1)]
    n: Option<u64>,
    /// none or auto; tools are never called
    #[schema(schema_with = tool_choice_schema)]
    tool_choice: Option<Value>,
    /// Older name of `tool_choice`
    #[schema(schema_with = tool_choice_schema)]
    function_call: Option<Value>,
    /// Must be text
    #[schema(schema_with = response_format_schema)]
    response_format: Option<Value>,
    /// Must be text
    #[schema(schema_with = modalities_schema)]
    modalities: Option<Value>,
    /// Must be false: answers have no token probabilities
    #[schema(schema_with = logprobs_schema)]
    logprobs: Option<bool>,
    /// Other parameters, which are ignored: quotes are not sampled, and tools are not called.
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Map<String, Value>,
}

/// A message. Unknown fields are ignored.
#[derive(Debug, Deserialize)]
struct Message {
    role: MessageRole,
    content: Option<Content>,
}

/// User messages have a text; other messages may have none.
impl PartialSchema for Message {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let required = || text().min_length(Some(1)).max_length(Some(1 << 15)).pattern(Some("\\S"));
        let part = ObjectBuilder::new()
            .property("type", string_of(&["text"]))
            .property("text", required())
            .required("type")
            .required("text");
        let parts = ArrayBuilder::new().items(part).min_items(Some(1));
        let question = ObjectBuilder::new()
            .property("role", string_of(&["user"]))
            .property("content", OneOfBuilder::new().item(required()).item(parts))
            .required("role")
            .required("content");
        let other = ObjectBuilder::new()
            .property("role", string_of(&["system", "developer", "assistant", "tool", "function"]))
            .property("content", OneOfBuilder::new().item(text()).item(null()))
            .required("role");
        let words = "Messages of user and assistant are the conversation; other roles are ignored. \
             Images, audio and files are refused in the question, and ignored before it";
        one_of(question, other, words)
    }
}

impl ToSchema for Message {}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum MessageRole {
    System,
    Developer,
    User,
    Assistant,
    Tool,
    Function,
}

/// A text, or parts of a message.
#[derive(Debug)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

/// A part of a message. Images, audio and files are refused in the question, and ignored before it.
#[derive(Debug, Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: PartKind,
    /// Of the type text
    text: Option<String>,
    /// Of the type refusal
    refusal: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum PartKind {
    Text,
    Refusal,
    ImageUrl,
    InputAudio,
    File,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
struct StreamOptions {
    /// Send a last chunk with token counts
    include_usage: Option<bool>,
}

fn string_of(values: &[&str]) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(values.iter().copied()))
}

pub fn null() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Null)
}

pub fn one_of(
    a: impl Into<RefOr<Schema>>,
    b: impl Into<RefOr<Schema>>,
    words: &str,
) -> RefOr<Schema> {
    RefOr::T(OneOfBuilder::new().item(a).item(b).description(Some(words)).build().into())
}

pub fn tool_choice_schema() -> RefOr<Schema> {
    one_of(string_of(&["none", "auto"]), null(), "none or auto; tools are never called")
}

fn response_format_schema() -> RefOr<Schema> {
    let text = ObjectBuilder::new().property("type", string_of(&["text"])).required("type");
    one_of(text, null(), "Must be text")
}

fn modalities_schema() -> RefOr<Schema> {
    let text = ArrayBuilder::new().items(string_of(&["text"]));
    one_of(text, null(), "Must be text")
}

fn logprobs_schema() -> RefOr<Schema> {
    let no = ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([false]));
    one_of(no, null(), "Must be false: answers have no token probabilities")
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Content;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array of parts")
            }

            fn visit_str<E>(self, text: &str) -> Result<Content, E> {
                Ok(Content::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Content, A::Error> {
                let mut parts = Vec::new();
                while let Some(part) = items.next_element()? {
                    parts.push(part);
                }
                Ok(Content::Parts(parts))
            }
        }
        input.deserialize_any(Either)
    }
}

impl ChatBody {
    /// The question with its conversation.
    fn question(&self, index: &str, extras: Extras) -> Result<Question> {
        let refused = self.messages.iter().enumerate().find_map(|(n, m)| m.refused(n));
        if let Some(misfit) = refused {
            return Err(misfit.into());
        }
        let last = self.messages.iter().rposition(|message| message.role == MessageRole::User);
        let last = last.ok_or_else(|| {
            Error::usage("`messages` has no message with the role user").param("messages")
        })?;
        if let Some(misfit) = self.messages[last].refused_as_question(last) {
            return Err(misfit.into());
        }
        let earlier: Vec<(Author, String)> =
            self.messages[..last].iter().map(|m| (m.role.author(), m.text())).collect();
        Ok(extras.question(self.messages[last].text(), index, conversation(&earlier)))
    }

    /// The first parameter that asks for a kind of reply that is not supported.
    fn refused(&self) -> Option<Misfit> {
        let is = |value: &Option<Value>, fine: &[Value]| {
            value.as_ref().is_none_or(|value| fine.contains(value))
        };
        let are_text =
            |all: &Value| all.as_array().is_some_and(|all| all.iter().all(|one| one == "text"));
        let is_auto = |value: &Option<Value>| {
            let of_allowed = value.as_ref().map(|value| &value["allowed_tools"]["mode"]);
            is(value, &[json!("none"), json!("auto")]) || of_allowed == Some(&json!("auto"))
        };
        let is_text = self.response_format.as_ref().is_none_or(|format| format["type"] == "text");
        let no_call = "must be none or auto: tools are never called";
        let only_text = "must be text";
        let checks = [
            ("n", self.n.is_none_or(|n| n == 1), "must be 1: a question has one answer"),
            ("tool_choice", is_auto(&self.tool_choice), no_call),
            ("function_call", is_auto(&self.function_call), no_call),
            ("response_format", is_text, only_text),
            ("modalities", self.modalities.as_ref().is_none_or(are_text), only_text),
            (
                "logprobs",
                self.logprobs != Some(true),
                "must be false: answers have no token probabilities",
            ),
        ];
        checks
            .into_iter()
            .find(|(_, is_fine, _)| !is_fine)
            .map(|(name, _, words)| Misfit::of(name, words))
    }

    /// An estimate of the tokens of all messages.
    fn n_tokens(&self) -> u64 {
        self.messages.iter().map(|message| n_tokens(&message.text()) as u64).sum()
    }

    fn wants_usage(&self) -> bool {
        self.stream_options.as_ref().is_some_and(|options| options.include_usage == Some(true))
    }
}

impl MessageRole {
    fn author(self) -> Author {
        match self {
            Self::User => Author::User,
            Self::Assistant => Author::Assistant,
            Self::System | Self::Developer | Self::Tool | Self::Function => Author::Other,
        }
    }
}

impl Message {
    fn parts(&self) -> &[Part] {
        match &self.content {
            Some(Content::Parts(parts)) => parts,
            _ => &[],
        }
    }

    fn text(&self) -> String {
        match &self.content {
            Some(Content::Text(text)) => text.clone(),
            Some(Content::Parts(parts)) => {
                parts.iter().filter_map(Part::text).collect::<Vec<_>>().join("\n")
            }
            None => String::new(),
        }
    }

    /// A part without the field of its type; `n` is the index of the message.
    fn refused(&self, n: usize) -> Option<Misfit> {
        let lacks = |part: &Part| {
            matches!(part.kind, PartKind::Text | PartKind::Refusal) && part.text().is_none()
        };
        let at = self.parts().iter().position(lacks)?;
        let field = if self.parts()[at].kind == PartKind::Text { "text" } else { "refusal" };
        Some(Misfit::of(format!("messages[{n}].content[{at}].{field}"), "is missing"))
    }

    /// Why this message cannot be the question.
    fn refused_as_question(&self, n: usize) -> Option<Misfit> {
        let media =
            self.parts().iter().enumerate().find_map(|(at, part)| Some((at, part.kind.media()?)));
        if let Some((at, media)) = media {
            let words = format!("is {media}; questions must be text");
            return Some(Misfit::of(format!("messages[{n}].content[{at}]"), words));
        }
        let is_blank = self.text().trim().is_empty();
        is_blank.then(|| {
            Misfit::of(
                format!("messages[{n}].content"),
                "is empty: the last user message is the question",
            )
        })
    }
}

impl Part {
    fn text(&self) -> Option<&str> {
        match self.kind {
            PartKind::Text => self.text.as_deref(),
            PartKind::Refusal => self.refusal.as_deref(),
            _ => None,
        }
    }
}

impl PartKind {
    /// The medium of a part that is not text.
    fn media(self) -> Option<&'static str> {
        match self {
            Self::Text | Self::Refusal => None,
            Self::ImageUrl => Some("an image"),
            Self::InputAudio => Some("audio"),
            Self::File => Some("a file"),
        }
    }
}

/// Answer the last user message
///
/// The answer comes from the index that the model names. Its sources are listed at the end of the
/// text, and as `citations` in the message. `k`, `filter`, `session`, `intent` and `llm` are those
/// of `POST /ask`; the headers `X-Rag-K`, `X-Rag-Filter`, `X-Rag-Session`, `X-Rag-Intent` and
/// `X-Rag-Llm` do the same. Parameters of OpenAI's API without a meaning here are ignored
/// (`temperature`, `top_p`, `stop`, `max_tokens`, `seed`, `tools`, …). Parameters that ask for
/// another kind of reply are refused: `n` above 1, a `tool_choice` that requires a call, a
/// `response_format` other than text, `logprobs`, and images, audio or files in the question.
#[utoipa::path(
    post,
    path = "/v1/chat/completions",
    tag = "openai",
    request_body = ChatBody,
    responses(
        (status = 200, description = "The answer; with `stream`, events", content(
            (Value = "application/json"), (sse::SentEvent = "text/event-stream"))),
        (status = 404, description = "No such model", body = ErrorBody),
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
pub async fn chat_completions(
    Call { app, id, allowed }: Call,
    headers: HeaderMap,
    Json(body): Json<ChatBody>,
) -> Result<Response> {
    let index = index_of(&app, &allowed, &body.model)?;
    if let Some(refused) = body.refused() {
        return Err(refused.into());
    }
    let extras = Extras::new(&allowed, &app.engine().config, &body.unknown, &headers)?;
    let question = body.question(&index, extras)?;
    let mut ticket = app.service.ask(question).await.map_err(|problem| match problem {
        crate::service::Problem::NoIndex(_) => no_model(&body.model),
        problem => problem.into(),
    })?;
    let frame = Frame { id, created: app.engine().now_s(), model: body.model.clone() };
    if body.stream == Some(true) {
        return Ok(sse::response(move |stream| stream_answer(app, frame, body, ticket, stream)));
    }
    let response = answered(&mut ticket).await?;
    let content = format!("{}{}", text(&response), sources(&response));
    let mut reply = frame.object("chat.completion");
    reply["choices"] = json!([{
        "index": 0,
        "message": {
            "role": "assistant",
            "content": content,
            "refusal": null,
            "citations": citations(&response),
            "supported": response.answer.supported,
            "unsupported": response.checks.unsupported,
        },
        "logprobs": null,
        "finish_reason": finish(&response),
    }]);
    reply["usage"] = usage(&body, &response, &content);
    Ok(axum::Json(reply).into_response())
}

/// The fields that all chunks of an answer share.
struct Frame {
    id: RequestId,
    created: i64,
    model: String,
}

impl Frame {
    fn object(&self, kind: &str) -> Value {
        let id = format!("chatcmpl-{}", self.id.0);
        json!({ "id": id, "object": kind, "created": self.created, "model": self.model })
    }

    fn chunk(&self, delta: &Value, finish: Option<&str>) -> String {
        let mut chunk = self.object("chat.completion.chunk");
        chunk["choices"] =
            json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish }]);
        chunk.to_string()
    }
}

fn usage(body: &ChatBody, response: &ask::Response, content: &str) -> Value {
    let Usage { prompt_tokens, completion_tokens, .. } =
        reply::usage(response, body.n_tokens(), content);
    json!({
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    })
}

/// Sends the answer in chunks until it is complete or the client has left.
async fn stream_answer(
    app: Arc<App>,
    frame: Frame,
    body: ChatBody,
    ticket: Ticket,
    stream: Stream,
) {
    if !stream.plain(frame.chunk(&json!({ "role": "assistant", "content": "" }), None)).await {
        return;
    }
    let mut writing = Writing::new(ticket);
    let outcome = loop {
        let piece = tokio::select! {
            piece = writing.next() => piece,
            // Dropping the ticket cancels the question.
            () = stream.closed() => return,
        };
        match piece {
            Ok(Some(text)) => {
                if !stream.plain(frame.chunk(&json!({ "content": *text }), None)).await {
                    return;
                }
            }
            Ok(None) => break writing.end().await,
            Err(error) => break Err(error),
        }
    };
    let (response, end) = match outcome {
        Ok(outcome) => outcome,
        Err(error) => {
            guard::record(&app, &error, "/v1/chat/completions");
            let error = json!({ "error": error.openai().json(&frame.id.0) });
            stream.plain(error.to_string()).await;
            return;
        }
    };
    let last = json!({ "content": end, "citations": citations(&response) });
    let checks = json!({
        "supported": response.answer.supported,
        "unsupported": response.checks.unsupported,
    });
    let mut chunks = vec![frame.chunk(&last, None), frame.chunk(&checks, Some(finish(&response)))];
    if body.wants_usage() {
        let mut chunk = frame.object("chat.completion.chunk");
        chunk["choices"] = json!([]);
        let content = format!("{}{}", text(&response), sources(&response));
        chunk["usage"] = usage(&body, &response, &content);
        chunks.push(chunk.to_string());
    }
    chunks.push("[DONE]".to_owned());
    for chunk in chunks {
        if !stream.plain(chunk).await {
            return;
        }
    }
}
