//! `POST /v1/chat/completions`: the last message of the user is the question, what stands before it the conversation.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::sse::{self, Stream};
use super::{App, Error, index_of, no_model, refuse};
use crate::ask::{self, n_tokens};
use crate::cache::Caching;
use crate::filter::shown;
use crate::llm::{Finish, Usage};
use crate::serve::body::Json;
use crate::serve::error::Result;
use crate::serve::guard::RequestId;
use crate::serve::routes::ask::answered;
use crate::service::{Priority, Question, Ticket, Update, Wanted};
use crate::sessions::Turn;
use crate::wire::CitationJson;

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
    model: String,
    #[schema(min_items = 1)]
    messages: Vec<Message>,
    /// Send the answer as it is being made
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    /// One answer is what there is
    #[schema(minimum = 1, maximum = 1)]
    n: Option<u64>,
    /// The rest of what clients send. What would change the meaning of the answer is refused, what could only colour it has
    /// no effect.
    #[serde(flatten)]
    #[schema(ignore)]
    more: Map<String, Value>,
}

/// A message
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Message {
    /// system and developer have no effect; user and assistant are the conversation
    role: Role,
    content: Option<Content>,
    /// Taken without effect
    #[serde(rename = "name")]
    _name: Option<String>,
    /// Taken without effect
    #[serde(rename = "refusal")]
    #[schema(ignore)]
    _refusal: Option<Value>,
    /// Taken without effect: what this interface said of an answer before
    #[serde(rename = "citations")]
    #[schema(ignore)]
    _citations: Option<Value>,
    #[serde(rename = "supported")]
    #[schema(ignore)]
    _supported: Option<Value>,
    #[schema(ignore)]
    tool_calls: Option<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum Role {
    System,
    Developer,
    User,
    Assistant,
}

/// A text, or pieces of one
#[derive(Debug, Deserialize, ToSchema)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Piece>),
}

/// A piece of a text
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Piece {
    #[serde(rename = "type")]
    #[schema(pattern = "^text$")]
    kind: String,
    text: String,
}

#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct StreamOptions {
    /// Send a last piece that counts tokens
    include_usage: Option<bool>,
    /// Taken without effect
    #[serde(rename = "include_obfuscation")]
    _include_obfuscation: Option<bool>,
}

/// Parameters that can only colour an answer: taken without effect.
const COLOUR: [&str; 17] = [
    "frequency_penalty",
    "max_completion_tokens",
    "max_tokens",
    "metadata",
    "parallel_tool_calls",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning_effort",
    "safety_identifier",
    "seed",
    "service_tier",
    "store",
    "temperature",
    "top_p",
    "user",
    "verbosity",
];

/// Parameters that would change what an answer is: taken only with a value that says what holds anyway.
fn meaningful() -> [(&'static str, Vec<Value>); 14] {
    [
        ("audio", vec![]),
        ("function_call", vec![json!("none"), json!("auto")]),
        ("functions", vec![json!([])]),
        ("logit_bias", vec![json!({})]),
        ("logprobs", vec![json!(false)]),
        ("modalities", vec![json!(["text"])]),
        ("moderation", vec![]),
        ("prediction", vec![]),
        ("response_format", vec![json!({ "type": "text" })]),
        ("stop", vec![json!([])]),
        ("tool_choice", vec![json!("none"), json!("auto")]),
        ("tools", vec![json!([])]),
        ("top_logprobs", vec![json!(0)]),
        ("web_search_options", vec![]),
    ]
}

impl ChatBody {
    /// The question with its conversation.
    fn question(&self, app: &App) -> Result<Question> {
        let index = index_of(&self.model, &app.engine().config.index)?;
        if self.n.is_some_and(|n| n != 1) {
            return Err(Error::usage("there is one answer to a question: `n` is 1").param("n"));
        }
        for (name, harmless) in meaningful() {
            refuse(name, self.more.get(name), &harmless)?;
        }
        let is_known = |name: &str| COLOUR.contains(&name) || meaningful().iter().any(|(known, _)| *known == name);
        if let Some(name) = self.more.keys().find(|name| !is_known(name)) {
            return Err(Error::usage(format!("there is no parameter `{name}`")));
        }
        let mut said = Vec::new();
        for message in &self.messages {
            refuse("messages", message.tool_calls.as_ref(), &[json!([])])?;
            said.push((message.role, message.content.as_ref().map(Content::text).transpose()?.unwrap_or_default()));
        }
        let last = said.iter().rposition(|(role, _)| *role == Role::User);
        let last = last.ok_or_else(|| Error::usage("`messages` has no message of the user").param("messages"))?;
        let earlier = conversation(&said[..last]);
        Ok(Question {
            text: said.swap_remove(last).1,
            wanted: Wanted::Answer { intent: None, generator: None, session: None, earlier },
            index: Some(index.to_owned()),
            k: None,
            caching: Caching::Use,
            filter: None,
            priority: Priority::Normal,
        })
    }

    /// Tokens of all messages, roughly.
    fn n_tokens(&self) -> u64 {
        let contents = self.messages.iter().filter_map(|message| message.content.as_ref()?.text().ok());
        contents.map(|text| n_tokens(&text) as u64).sum()
    }

    fn wants_usage(&self) -> bool {
        self.stream_options.as_ref().is_some_and(|options| options.include_usage == Some(true))
    }
}

impl Content {
    fn text(&self) -> Result<String> {
        match self {
            Self::Text(text) => Ok(text.clone()),
            Self::Parts(parts) => {
                if parts.iter().any(|part| part.kind != "text") {
                    return Err(Error::usage("a message may have text and nothing else").param("messages"));
                }
                Ok(parts.iter().map(|part| part.text.as_str()).collect::<Vec<_>>().join("\n"))
            }
        }
    }
}

/// Questions with their answers, the last ones.
fn conversation(said: &[(Role, String)]) -> Vec<Turn> {
    let mut turns: Vec<Turn> = Vec::new();
    for (role, text) in said {
        match (role, turns.last_mut()) {
            (Role::User, _) => turns.push(Turn { question: text.clone(), ..Turn::default() }),
            (Role::Assistant, Some(turn)) => {
                let answer = text.split(SOURCES).next().unwrap_or_default();
                answer.clone_into(&mut turn.answer);
                turn.supported = true;
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
/// The answer comes from the index that the model names; the sources stand at its end, and as `citations` in the message. Of
/// the parameters of OpenAI's interface, those that only colour an answer are taken without effect (`temperature`, `top_p`,
/// `max_tokens`, `seed`, …), and those that would change what it is are refused (`tools`, `response_format`, `stop`, …).
#[utoipa::path(
    post,
    path = "/v1/chat/completions",
    tag = "openai",
    request_body = ChatBody,
    responses(
        (status = 200, description = "The answer; with `stream`, events", content(
            (Value = "application/json"), (sse::SentEvent = "text/event-stream"))),
        (status = 404, description = "There is no such model", body = crate::serve::error::ErrorBody),
        (status = 502, description = "The language model failed", body = crate::serve::error::ErrorBody),
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
        crate::service::Problem::NoIndex(_) => no_model(),
        problem => problem.into(),
    })?;
    let frame = Frame { id, created: app.engine().now_s(), model: body.model.clone() };
    if body.stream == Some(true) {
        return Ok(sse::response(move |stream| streamed(frame, body, ticket, stream)));
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
        piece["choices"] = json!([{ "index": 0, "delta": delta, "logprobs": null, "finish_reason": finish }]);
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
        format!("[{}] {}:{}", citation.n, shown(&hit.root, &hit.path), hit.chunk.lines.first)
    });
    let lines: Vec<String> = lines.collect();
    if lines.is_empty() { String::new() } else { format!("{SOURCES}{}", lines.join("\n")) }
}

fn citations(response: &ask::Response) -> Value {
    json!(response.answer.citations.iter().map(CitationJson::new).collect::<Vec<_>>())
}

fn finish(response: &ask::Response) -> &'static str {
    match response.writing.as_ref().map(|writing| writing.finish) {
        Some(Finish::Length) => "length",
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
async fn streamed(frame: Frame, body: ChatBody, mut ticket: Ticket, stream: Stream) {
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
            let error = json!({ "error": error.compatible().json(&frame.id.0) });
            stream.plain(&error.to_string()).await;
            return;
        }
    };
    // What was told as it was written is the beginning of the answer; all of it, when nothing was.
    let rest = text(&response).strip_prefix(&sent).unwrap_or_default();
    let end = format!("{rest}{}", sources(&response));
    let mut last = frame.piece(&json!({ "content": end, "citations": citations(&response) }), None);
    let mut is_heard = stream.plain(&last).await;
    last = frame.piece(&json!({ "supported": response.answer.supported }), Some(finish(&response)));
    is_heard = is_heard && stream.plain(&last).await;
    if is_heard && body.wants_usage() {
        let mut piece = frame.object("chat.completion.chunk");
        piece["choices"] = json!([]);
        piece["usage"] = usage(&body, &response, &format!("{}{}", text(&response), sources(&response)));
        is_heard = stream.plain(&piece.to_string()).await;
    }
    if is_heard {
        stream.plain("[DONE]").await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_is_questions_with_their_answers() {
        let said = |role, text: &str| (role, text.to_owned());
        let turns = conversation(&[
            said(Role::System, "be kind"),
            said(Role::Assistant, "Hello."),
            said(Role::User, "How do I install it?"),
            said(Role::User, "On Linux."),
            said(Role::Assistant, "With a script [1].\n\nSources:\n[1] a.md:1"),
            said(Role::User, " "),
            said(Role::Assistant, "?"),
        ]);
        let turns: Vec<(&str, &str)> = turns.iter().map(|turn| (&*turn.question, &*turn.answer)).collect();
        assert_eq!(turns, [("How do I install it?", ""), ("On Linux.", "With a script [1].")]);
    }
}
