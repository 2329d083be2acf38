//! `POST /v1/chat/completions`: the last message of the user is the question, the messages before
//! it are its conversation.

use std::fmt;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value, json};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::sse::{self, Stream};
use super::{App, Error, index_of, no_model, refuse_fields_of_ask};
use crate::ask::{self, n_tokens};
use crate::cache::Caching;
use crate::llm::{Finish, Usage};
use crate::naming;
use crate::serve::body::Json;
use crate::serve::error::Result;
use crate::serve::guard::{self, RequestId};
use crate::serve::routes::ask::answered;
use crate::service::{Priority, Question, RequestKind, Ticket, Update};
use crate::sessions::Turn;
use crate::wire::CitationJson;
use crate::wire::input::Misfit;

/// Exchanges before the question that count; a follow-up leans on none that lies further back.
const MAX_EARLIER: usize = 20;

/// What stands before the sources at the end of an answer.
const SOURCES: &str = "\n\nSources:\n";

/// What is said when there is nothing to say.
const UNSUPPORTED: &str = "Nothing in the index supports an answer.";

/// What is said when there is nothing to answer from.
const EMPTY: &str = "The index is empty.";

/// A conversation that ends with a question
#[derive(Debug, Deserialize, ToSchema)]
pub struct ChatBody {
    /// `rag`, or `rag:NAME` for another index
    #[schema(pattern = "^rag(:[A-Za-z0-9_][A-Za-z0-9._-]{0,99})?$")]
    model: String,
    #[schema(min_items = 1)]
    messages: Vec<Message>,
    /// Send the answer as it is being made
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    /// A question has one answer
    #[schema(minimum = 1, maximum = 1)]
    n: Option<u64>,
    /// No tool is ever called: none or auto
    #[schema(schema_with = tool_choice_schema)]
    tool_choice: Option<Value>,
    /// The older name of `tool_choice`
    #[schema(schema_with = tool_choice_schema)]
    function_call: Option<Value>,
    /// Answers are text
    #[schema(schema_with = response_format_schema)]
    response_format: Option<Value>,
    /// Answers are text
    #[schema(schema_with = modalities_schema)]
    modalities: Option<Value>,
    /// There are no probabilities of tokens
    #[schema(schema_with = logprobs_schema)]
    logprobs: Option<bool>,
    /// What else clients send: it has no effect. Sampling parameters mean nothing where sentences
    /// are quoted, and tools are not called.
    #[serde(flatten)]
    #[schema(ignore)]
    more: Map<String, Value>,
}

/// A message. Fields of others have no effect.
#[derive(Debug, Deserialize)]
struct Message {
    role: MessageRole,
    content: Option<Content>,
}

/// A message of the user has a text; those of others may have none.
impl PartialSchema for Message {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let asked = || text().min_length(Some(1)).max_length(Some(1 << 15)).pattern(Some("\\S"));
        let part = ObjectBuilder::new()
            .property("type", one_of(&["text"]))
            .property("text", asked())
            .required("type")
            .required("text");
        let parts = ArrayBuilder::new().items(part).min_items(Some(1));
        let question = ObjectBuilder::new()
            .property("role", one_of(&["user"]))
            .property("content", OneOfBuilder::new().item(asked()).item(parts))
            .required("role")
            .required("content");
        let other = ObjectBuilder::new()
            .property("role", one_of(&["system", "developer", "assistant", "tool", "function"]))
            .property("content", OneOfBuilder::new().item(text()).item(nothing()))
            .required("role");
        let words = "user and assistant are the conversation; messages of the others have no \
             effect. Images, audio and \
            files are passed over before the question, and refused in it";
        RefOr::T(
            OneOfBuilder::new().item(question).item(other).description(Some(words)).build().into(),
        )
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

/// A part of a message. Images, audio and files are passed over before the question, and refused in
/// it.
#[derive(Debug, Deserialize)]
struct Part {
    #[serde(rename = "type")]
    kind: PartKind,
    /// The text of a part of the type text
    text: Option<String>,
    /// The text of a part of the type refusal
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
    /// Send a last piece that counts tokens
    include_usage: Option<bool>,
}

fn one_of(words: &[&str]) -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words.iter().copied()))
}

fn nothing() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::Null)
}

fn tool_choice_schema() -> RefOr<Schema> {
    let words = "No tool is ever called: none or auto";
    RefOr::T(
        OneOfBuilder::new()
            .item(one_of(&["none", "auto"]))
            .item(nothing())
            .description(Some(words))
            .build()
            .into(),
    )
}

fn response_format_schema() -> RefOr<Schema> {
    let text = ObjectBuilder::new().property("type", one_of(&["text"])).required("type");
    let words = "Answers are text";
    RefOr::T(OneOfBuilder::new().item(text).item(nothing()).description(Some(words)).build().into())
}

fn modalities_schema() -> RefOr<Schema> {
    let text = ArrayBuilder::new().items(one_of(&["text"]));
    let words = "Answers are text";
    RefOr::T(OneOfBuilder::new().item(text).item(nothing()).description(Some(words)).build().into())
}

fn logprobs_schema() -> RefOr<Schema> {
    let no = ObjectBuilder::new().schema_type(Type::Boolean).enum_values(Some([false]));
    let words = "There are no probabilities of tokens";
    RefOr::T(OneOfBuilder::new().item(no).item(nothing()).description(Some(words)).build().into())
}

impl<'de> Deserialize<'de> for Content {
    fn deserialize<D: Deserializer<'de>>(input: D) -> std::result::Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Content;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an array of parts")
            }

            fn visit_str<E>(self, text: &str) -> std::result::Result<Content, E> {
                Ok(Content::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(
                self,
                mut items: A,
            ) -> std::result::Result<Content, A::Error> {
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
    fn question(&self, app: &App) -> Result<Question> {
        let index = index_of(&self.model, &app.engine().config.index)?;
        let refused = self
            .refused()
            .or_else(|| self.messages.iter().enumerate().find_map(|(n, m)| m.refused(n)));
        if let Some(misfit) = refused {
            return Err(Error::misfit(&misfit, "the body"));
        }
        refuse_fields_of_ask(&self.more)?;
        let last = self.messages.iter().rposition(|message| message.role == MessageRole::User);
        let last = last.ok_or_else(|| {
            Error::usage("`messages` has no message of the user").param("messages")
        })?;
        if let Some(misfit) = self.messages[last].refused_as_question(last) {
            return Err(Error::misfit(&misfit, "the body"));
        }
        let said: Vec<(MessageRole, String)> =
            self.messages[..last].iter().map(|m| (m.role, m.text())).collect();
        Ok(Question {
            text: self.messages[last].text(),
            wanted: RequestKind::Answer {
                intent: None,
                generator: None,
                session: None,
                earlier: conversation(&said),
            },
            index: Some(index.to_owned()),
            k: None,
            caching: Caching::Use,
            filter: None,
            priority: Priority::Normal,
        })
    }

    /// The first parameter that asks for what cannot be given. Those that mean nothing here are no
    /// reason to refuse.
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
        let no_call = "asks for the call of a tool, and this server calls none: send none or auto";
        let only_text = "can only be text: answers quote documents";
        let checks = [
            ("n", self.n.is_none_or(|n| n == 1), "can only be 1: a question has one answer"),
            ("tool_choice", is_auto(&self.tool_choice), no_call),
            ("function_call", is_auto(&self.function_call), no_call),
            ("response_format", is_text, only_text),
            ("modalities", self.modalities.as_ref().is_none_or(are_text), only_text),
            (
                "logprobs",
                self.logprobs != Some(true),
                "cannot be given: answers have no probabilities of tokens",
            ),
        ];
        checks
            .into_iter()
            .find(|(_, is_fine, _)| !is_fine)
            .map(|(name, _, words)| Misfit::of(name, words))
    }

    /// Tokens of all messages, roughly.
    fn n_tokens(&self) -> u64 {
        self.messages.iter().map(|message| n_tokens(&message.text()) as u64).sum()
    }

    fn wants_usage(&self) -> bool {
        self.stream_options.as_ref().is_some_and(|options| options.include_usage == Some(true))
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

    /// A part that lacks what its type promises; `n` is the number of the message.
    fn refused(&self, n: usize) -> Option<Misfit> {
        let lacks = |part: &Part| {
            matches!(part.kind, PartKind::Text | PartKind::Refusal) && part.text().is_none()
        };
        let at = self.parts().iter().position(lacks)?;
        let field = if self.parts()[at].kind == PartKind::Text { "text" } else { "refusal" };
        Some(Misfit::of(format!("messages[{n}].content[{at}].{field}"), "is missing"))
    }

    /// What this message cannot have when it is the question.
    fn refused_as_question(&self, n: usize) -> Option<Misfit> {
        let unread =
            self.parts().iter().enumerate().find_map(|(at, part)| Some((at, part.kind.unread()?)));
        if let Some((at, thing)) = unread {
            let words = format!("is {thing}, and questions are read as text alone");
            return Some(Misfit::of(format!("messages[{n}].content[{at}]"), words));
        }
        let is_blank = self.text().trim().is_empty();
        is_blank
            .then(|| Misfit::of(format!("messages[{n}].content"), "is empty: it is the question"))
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
    /// What a part is that nobody reads here.
    fn unread(self) -> Option<&'static str> {
        match self {
            Self::Text | Self::Refusal => None,
            Self::ImageUrl => Some("an image"),
            Self::InputAudio => Some("audio"),
            Self::File => Some("a file"),
        }
    }
}

/// Questions with their answers, the last ones.
fn conversation(said: &[(MessageRole, String)]) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    for (role, text) in said {
        match (role, turns.last_mut()) {
            (MessageRole::User, _) => {
                turns.push(Turn { question: text.clone(), ..Turn::default() })
            }
            (MessageRole::Assistant, Some(turn)) => {
                let answer = text.split(SOURCES).next().unwrap_or_default();
                // What was said before proved to be no answer.
                turn.supported = !answer.ends_with(UNSUPPORTED);
                if turn.supported {
                    answer.clone_into(&mut turn.answer);
                }
            }
            _ => {}
        }
    }
    turns.retain(|turn| !turn.question.trim().is_empty());
    turns.drain(..turns.len().saturating_sub(MAX_EARLIER));
    turns
}

/// Answer the last message
///
/// The answer comes from the index that the model names; the sources stand at its end, and as
/// `citations` in the message. Of the parameters of OpenAI's interface, those that mean nothing
/// here have no effect (`temperature`, `top_p`, `stop`, `max_tokens`, `seed`, `tools`, …). Those
/// that ask for another kind of reply are refused: `n` above 1, a `tool_choice` that requires a
/// call, a `response_format` other than text, `logprobs`, and an image, audio or a file in the
/// question.
#[utoipa::path(
    post,
    path = "/v1/chat/completions",
    tag = "openai",
    request_body = ChatBody,
    responses(
        (status = 200, description = "The answer; with `stream`, events", content(
            (Value = "application/json"), (sse::SentEvent = "text/event-stream"))),
        (status = 404, description = "There is no such model", body = crate::serve::error::ErrorBody),
        (status = 502, description = "The language model failed; `reason` says how", body = crate::serve::error::ErrorBody),
        (status = 503, description = "Too many wait, the language model is left alone for a while \
             after it failed, or the \
            server is being stopped", body = crate::serve::error::ErrorBody),
        (status = 504, description = "It took too long", body = crate::serve::error::ErrorBody),
    )
)]
pub async fn chat_completions(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    Json(body): Json<ChatBody>,
) -> Result<Response> {
    let question = body.question(&app)?;
    let mut ticket = app.service.ask(question).await.map_err(|problem| match problem {
        crate::service::Problem::NoIndex(_) => no_model(&body.model),
        problem => problem.into(),
    })?;
    let frame = Frame { id, created: app.engine().now_s(), model: body.model.clone() };
    if body.stream == Some(true) {
        return Ok(sse::response(move |stream| streamed(app, frame, body, ticket, stream)));
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

/// What is the same in every piece of an answer.
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

    fn piece(&self, delta: &Value, finish: Option<&str>) -> String {
        let mut piece = self.object("chat.completion.chunk");
        piece["choices"] =
            json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish }]);
        piece.to_string()
    }
}

fn text(response: &ask::Response) -> &str {
    let text = response.answer.text.as_str();
    match text.is_empty() {
        true if response.index_empty => EMPTY,
        true => UNSUPPORTED,
        false => text,
    }
}

/// Where the marks in an answer lead; passages that support none are no sources of it.
fn sources(response: &ask::Response) -> String {
    if !response.answer.supported {
        return String::new();
    }
    let lines = response.answer.citations.iter().map(|citation| {
        let hit = &citation.hit;
        format!("[{}] {}:{}", citation.n, naming::name(&hit.root, &hit.path), hit.chunk.lines.first)
    });
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() { String::new() } else { format!("{SOURCES}{}", lines.join("\n")) }
}

fn citations(response: &ask::Response) -> Value {
    json!(response.answer.citations.iter().map(CitationJson::new).collect::<Vec<_>>())
}

fn finish(response: &ask::Response) -> &'static str {
    match response.writing.as_ref().map(|writing| writing.finish) {
        Some(Finish::Length | Finish::Repeating) => "length",
        _ => "stop",
    }
}

/// Tokens as the language model counted them; an estimate where none did.
fn usage(body: &ChatBody, response: &ask::Response, content: &str) -> Value {
    let counted = response.writing.as_ref().and_then(|writing| writing.usage);
    let Usage { prompt_tokens, completion_tokens, .. } = counted.unwrap_or(Usage {
        prompt_tokens: body.n_tokens(),
        completion_tokens: n_tokens(content) as u64,
        cached_tokens: None,
    });
    json!({
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    })
}

/// Sends the answer in pieces until it is whole, or nobody listens.
async fn streamed(app: Arc<App>, frame: Frame, body: ChatBody, mut ticket: Ticket, stream: Stream) {
    if !stream.plain(&frame.piece(&json!({ "role": "assistant", "content": "" }), None)).await {
        return;
    }
    let mut sent = String::new();
    let outcome = loop {
        let update = tokio::select! {
            update = ticket.next() => update,
            // Whoever has left is not waited for: the ticket is given back.
            () = stream.left() => return,
        };
        match update {
            Ok(Some(Update::Text(text))) => {
                sent.push_str(&text);
                if !stream.plain(&frame.piece(&json!({ "content": *text }), None)).await {
                    return;
                }
            }
            Ok(Some(Update::Found(_))) => {}
            Ok(None) => break answered(&mut ticket).await,
            Err(problem) => break Err(problem.into()),
        }
    };
    let response = match outcome {
        Ok(response) => response,
        Err(error) => {
            guard::note(&app, &error, "/v1/chat/completions");
            let error = json!({ "error": error.compatible().json(&frame.id.0) });
            stream.plain(&error.to_string()).await;
            return;
        }
    };
    let end = format!("{}{}", rest(text(&response), &sent), sources(&response));
    let mut last = frame.piece(&json!({ "content": end, "citations": citations(&response) }), None);
    let mut is_heard = stream.plain(&last).await;
    let checks = json!({ "supported": response.answer.supported, "unsupported": response.checks.unsupported });
    last = frame.piece(&checks, Some(finish(&response)));
    is_heard = is_heard && stream.plain(&last).await;
    if is_heard && body.wants_usage() {
        let mut piece = frame.object("chat.completion.chunk");
        piece["choices"] = json!([]);
        piece["usage"] =
            usage(&body, &response, &format!("{}{}", text(&response), sources(&response)));
        is_heard = stream.plain(&piece.to_string()).await;
    }
    if is_heard {
        stream.plain("[DONE]").await;
    }
}

/// What of `text` follows what was `sent` while it was written: its end, all of it when nothing was
/// sent, and a paragraph of its own when what was sent has proved to be no answer.
fn rest(text: &str, sent: &str) -> String {
    match text.strip_prefix(sent) {
        Some(rest) => rest.to_owned(),
        None => format!("\n\n{text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_ends_with_what_was_not_sent() {
        assert_eq!(rest("Bees dance.", "Bees "), "dance.");
        assert_eq!(rest(UNSUPPORTED, ""), UNSUPPORTED);
        assert_eq!(rest(UNSUPPORTED, "I was told to"), format!("\n\n{UNSUPPORTED}"));
    }

    #[test]
    fn a_conversation_is_questions_with_their_answers() {
        let said = |role, text: &str| (role, text.to_owned());
        let turns = conversation(&[
            said(MessageRole::System, "be kind"),
            said(MessageRole::Assistant, "Hello."),
            said(MessageRole::User, "How do I install it?"),
            said(MessageRole::User, "On Linux."),
            said(MessageRole::Assistant, "With a script [1].\n\nSources:\n[1] a.md:1"),
            said(MessageRole::Tool, "{}"),
            said(MessageRole::User, "And why?"),
            said(MessageRole::Assistant, &format!("I was told to.\n\n{UNSUPPORTED}")),
            said(MessageRole::User, " "),
            said(MessageRole::Assistant, "?"),
        ]);
        let turns: Vec<(&str, &str)> =
            turns.iter().map(|turn| (&*turn.question, &*turn.answer)).collect();
        assert_eq!(
            turns,
            [("How do I install it?", ""), ("On Linux.", "With a script [1]."), ("And why?", "")]
        );
    }
}
