//! `POST /api/chat` and `POST /api/generate`: the last user message, or the prompt, is the
//! question. The answer comes in lines of JSON while it is written, unless `stream` is false.

use std::sync::Arc;
use std::time::Instant;

use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{
    ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, SchemaType, Type,
};
use utoipa::{PartialSchema, ToSchema};

use super::names::{index_of, no_model, timestamp};
use crate::ask::{self, n_tokens};
use crate::llm::Usage;
use crate::serve::app::App;
use crate::serve::body::Json;
use crate::serve::error::{OllamaError, Result};
use crate::serve::extractors::Call;
use crate::serve::guard::{self, Allowed, RequestId};
use crate::serve::routes::ndjson::{self, Lines};
use crate::serve::routes::openai::extras::Extras;
use crate::serve::routes::openai::reply::{
    self, Author, Writing, citations, conversation, finish, sources, text,
};
use crate::service::{Problem, Question};
use crate::wire::input::Misfit;

/// A conversation that ends with a question; unknown fields are ignored
#[derive(Debug, Deserialize, ToSchema)]
pub struct OllamaChatBody {
    /// `rag`, or `rag:NAME` for another index
    #[schema(pattern = "^rag(:[A-Za-z0-9_][A-Za-z0-9._-]{0,99})?$")]
    model: String,
    /// Without messages, the reply says that the model is loaded
    #[serde(default)]
    messages: Vec<OllamaMessage>,
    /// Send the answer in lines while it is generated (default: true)
    stream: Option<bool>,
    /// Must be absent or empty: answers are text
    #[schema(schema_with = format_schema)]
    format: Option<Value>,
    /// Other parameters, which are ignored.
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Map<String, Value>,
}

/// A message; unknown fields are ignored
#[derive(Debug, Deserialize)]
struct OllamaMessage {
    role: String,
    content: Option<String>,
    images: Option<Vec<Value>>,
}

/// User messages have a text; other messages may have none, such as a call of a tool.
impl PartialSchema for OllamaMessage {
    fn schema() -> RefOr<Schema> {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let question = ObjectBuilder::new()
            .property("role", text().enum_values(Some(["user"])))
            .property(
                "content",
                text().min_length(Some(1)).max_length(Some(1 << 15)).pattern(Some("\\S")),
            )
            .property("images", images_schema())
            .required("role")
            .required("content");
        let null_or_text = text().schema_type(SchemaType::from_iter([Type::String, Type::Null]));
        let other = ObjectBuilder::new()
            .property("role", text().enum_values(Some(["system", "assistant", "tool"])))
            .property("content", null_or_text)
            .required("role");
        let words = "Messages of user and assistant are the conversation; other roles are ignored. \
             Images are refused in the question, and ignored before it";
        let either = OneOfBuilder::new().item(question).item(other).description(Some(words));
        RefOr::T(Schema::OneOf(either.build()))
    }
}

impl ToSchema for OllamaMessage {}

impl OllamaMessage {
    fn text(&self) -> &str {
        self.content.as_deref().unwrap_or_default()
    }
}

/// A question; unknown fields are ignored
#[derive(Debug, Deserialize, ToSchema)]
pub struct GenerateBody {
    /// `rag`, or `rag:NAME` for another index
    #[schema(pattern = "^rag(:[A-Za-z0-9_][A-Za-z0-9._-]{0,99})?$")]
    model: String,
    /// The question. Without one, the reply says that the model is loaded
    #[serde(default)]
    #[schema(max_length = 32768)]
    prompt: String,
    /// Must be absent or empty: text between two others is not generated
    #[schema(max_length = 0)]
    suffix: Option<String>,
    /// Send the answer in lines while it is generated (default: true)
    stream: Option<bool>,
    /// Must be absent or empty: answers are text
    #[schema(schema_with = format_schema)]
    format: Option<Value>,
    /// Must be empty
    #[schema(schema_with = images_schema)]
    images: Option<Vec<Value>>,
    /// Other parameters, which are ignored.
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Map<String, Value>,
}

fn format_schema() -> RefOr<Schema> {
    let schema = ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .max_length(Some(0))
        .description(Some("Must be absent or empty: answers are text"));
    RefOr::T(schema.into())
}

fn images_schema() -> RefOr<Schema> {
    let schema = ArrayBuilder::new()
        .schema_type(SchemaType::from_iter([Type::Array, Type::Null]))
        .max_items(Some(0))
        .description(Some("Must be empty: questions are text"));
    RefOr::T(Schema::Array(schema.build()))
}

/// The form of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Chat,
    Generate,
}

impl Shape {
    fn route(self) -> &'static str {
        match self {
            Self::Chat => "/api/chat",
            Self::Generate => "/api/generate",
        }
    }

    fn with_text(self, line: &mut Value, text: &str) {
        match self {
            Self::Chat => line["message"] = json!({ "role": "assistant", "content": text }),
            Self::Generate => line["response"] = text.into(),
        }
    }
}

/// A request of either route.
struct Asked {
    shape: Shape,
    model: String,
    /// The conversation, up to the question; empty to load the model.
    messages: Vec<(Author, String)>,
    is_streamed: bool,
    /// Fields that are not those of the route.
    unknown: Map<String, Value>,
}

impl Asked {
    fn of_chat(body: OllamaChatBody) -> Result<Self, Misfit> {
        refuse_format(body.format.as_ref())?;
        let is_question = |message: &OllamaMessage| message.role == "user";
        let last = body.messages.iter().rposition(is_question);
        if last.is_none() && !body.messages.is_empty() {
            return Err(Misfit::of("messages", "has no message with the role user"));
        }
        if let Some(n) = last {
            let question = &body.messages[n];
            if question.images.as_ref().is_some_and(|images| !images.is_empty()) {
                return Err(Misfit::of(format!("messages[{n}].images"), NO_IMAGES));
            }
            if question.text().trim().is_empty() {
                let words = "is empty: the last user message is the question";
                return Err(Misfit::of(format!("messages[{n}].content"), words));
            }
        }
        let messages = body.messages.into_iter().take(last.map_or(0, |last| last + 1));
        Ok(Self {
            shape: Shape::Chat,
            model: body.model,
            messages: messages
                .map(|message| (author(&message.role), message.content.unwrap_or_default()))
                .collect(),
            is_streamed: body.stream.unwrap_or(true),
            unknown: body.unknown,
        })
    }

    fn of_generate(body: GenerateBody) -> Result<Self, Misfit> {
        refuse_format(body.format.as_ref())?;
        if body.images.as_ref().is_some_and(|images| !images.is_empty()) {
            return Err(Misfit::of("images", NO_IMAGES));
        }
        if body.suffix.as_ref().is_some_and(|suffix| !suffix.is_empty()) {
            let words = "must be absent: text between two others is not generated";
            return Err(Misfit::of("suffix", words));
        }
        let is_empty = body.prompt.trim().is_empty();
        let question = (!is_empty).then_some((Author::User, body.prompt));
        Ok(Self {
            shape: Shape::Generate,
            model: body.model,
            messages: question.into_iter().collect(),
            is_streamed: body.stream.unwrap_or(true),
            unknown: body.unknown,
        })
    }

    /// The extra fields of the body and of its `options`.
    fn extras(&self, app: &App, allowed: &Allowed, headers: &HeaderMap) -> Result<Extras> {
        let mut fields = self.unknown.clone();
        if let Some(options) = self.unknown.get("options").and_then(Value::as_object) {
            for (name, value) in options {
                fields.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
        Extras::new(allowed, &app.engine().config, &fields, headers)
    }
}

const NO_IMAGES: &str = "must be empty: questions are text";

fn refuse_format(format: Option<&Value>) -> Result<(), Misfit> {
    match format {
        None | Some(Value::Null) => Ok(()),
        Some(format) if format == "" => Ok(()),
        Some(_) => Err(Misfit::of("format", "must be absent: answers are text")),
    }
}

fn author(role: &str) -> Author {
    match role {
        "user" => Author::User,
        "assistant" => Author::Assistant,
        _ => Author::Other,
    }
}

/// Answer the last user message, in the form of Ollama's API
///
/// As `POST /v1/chat/completions`: the model names the index, sources are at the end of the text,
/// and `k`, `filter`, `session` and `intent` may be added as fields, in `options` or as headers.
#[utoipa::path(
    post,
    path = "/api/chat",
    tag = "ollama",
    request_body = OllamaChatBody,
    responses(
        (
            status = 200,
            description = "The answer, one JSON object a line; one object without `stream`",
            content((String = "application/x-ndjson"), (Value = "application/json")),
        ),
        (status = 404, description = "No such model", body = OllamaError),
        (status = 502, description = "The language model failed", body = OllamaError),
        (status = 504, description = "Timed out", body = OllamaError),
    )
)]
pub async fn chat(
    Call { app, id, allowed }: Call,
    headers: HeaderMap,
    Json(body): Json<OllamaChatBody>,
) -> Result<Response> {
    answer(app, id, &allowed, &headers, Asked::of_chat(body)?).await
}

/// Answer a question, in the form of Ollama's API
///
/// As `POST /api/chat`, with one question and no conversation.
#[utoipa::path(
    post,
    path = "/api/generate",
    tag = "ollama",
    request_body = GenerateBody,
    responses(
        (
            status = 200,
            description = "The answer, one JSON object a line; one object without `stream`",
            content((String = "application/x-ndjson"), (Value = "application/json")),
        ),
        (status = 404, description = "No such model", body = OllamaError),
        (status = 502, description = "The language model failed", body = OllamaError),
        (status = 504, description = "Timed out", body = OllamaError),
    )
)]
pub async fn generate(
    Call { app, id, allowed }: Call,
    headers: HeaderMap,
    Json(body): Json<GenerateBody>,
) -> Result<Response> {
    answer(app, id, &allowed, &headers, Asked::of_generate(body)?).await
}

async fn answer(
    app: Arc<App>,
    id: RequestId,
    allowed: &Allowed,
    headers: &HeaderMap,
    mut asked: Asked,
) -> Result<Response> {
    let index = index_of(&app, allowed, &asked.model)?;
    let extras = asked.extras(&app, allowed, headers)?;
    let n_prompt_tokens = asked.messages.iter().map(|(_, text)| n_tokens(text)).sum::<usize>();
    let frame = Frame {
        id,
        start: Instant::now(),
        shape: asked.shape,
        model: asked.model.clone(),
        n_prompt_tokens,
    };
    let Some((_, question)) = asked.messages.pop() else {
        let names = app.blocking(|app| Ok(app.engine().store.names()?)).await?;
        // The model of the configured index is listed before there is an index.
        if index != app.engine().config.index && !names.contains(&index) {
            return Err(no_model(&asked.model));
        }
        let mut line = frame.line(&app, "");
        line["done"] = true.into();
        line["done_reason"] = "load".into();
        return Ok(axum::Json(line).into_response());
    };
    let question: Question = extras.question(question, &index, conversation(&asked.messages));
    let ticket = app.service.ask(question).await.map_err(|problem| match problem {
        Problem::NoIndex(_) => no_model(&asked.model),
        problem => problem.into(),
    })?;
    let mut writing = Writing::new(ticket);
    if asked.is_streamed {
        return Ok(ndjson::response(move |lines| stream_answer(app, frame, writing, lines)));
    }
    while writing.next().await?.is_some() {}
    let (response, _) = writing.end().await?;
    let content = format!("{}{}", text(&response), sources(&response));
    Ok(axum::Json(frame.last_line(&app, &response, &content)).into_response())
}

/// What all lines of an answer share.
struct Frame {
    id: RequestId,
    start: Instant,
    shape: Shape,
    model: String,
    n_prompt_tokens: usize,
}

impl Frame {
    fn line(&self, app: &App, text: &str) -> Value {
        let mut line = json!({
            "model": self.model,
            "created_at": timestamp(app.engine().now_s()),
            "done": false,
        });
        self.shape.with_text(&mut line, text);
        line
    }

    /// The line with the citations and the counts; `text` is the content that it carries.
    fn last_line(&self, app: &App, response: &ask::Response, text: &str) -> Value {
        let content = format!("{}{}", reply::text(response), sources(response));
        let Usage { prompt_tokens, completion_tokens, .. } =
            reply::usage(response, self.n_prompt_tokens as u64, &content);
        // Clients divide by these.
        let ns = |ms: f64| ((ms * 1e6) as u64).max(1);
        let generation_ms = response.timings.generation_ms;
        let mut line = self.line(app, text);
        let fields = json!({
            "done": true,
            "done_reason": finish(response),
            "total_duration": self.start.elapsed().as_nanos() as u64,
            "load_duration": 0,
            "prompt_eval_count": prompt_tokens,
            "prompt_eval_duration": ns(response.timings.total_ms - generation_ms),
            "eval_count": completion_tokens,
            "eval_duration": ns(generation_ms),
            "citations": citations(response),
            "supported": response.answer.supported,
            "unsupported": response.checks.unsupported,
        });
        if let (Some(line), Value::Object(fields)) = (line.as_object_mut(), fields) {
            line.extend(fields);
        }
        if self.shape == Shape::Generate {
            line["context"] = json!([]);
        }
        line
    }
}

/// Sends the answer in lines until it is complete or the client has left.
async fn stream_answer(app: Arc<App>, frame: Frame, mut writing: Writing, lines: Lines) {
    let outcome = loop {
        let piece = tokio::select! {
            piece = writing.next() => piece,
            // Dropping the ticket cancels the question.
            () = lines.closed() => return,
        };
        match piece {
            Ok(Some(text)) => {
                if !lines.send(&frame.line(&app, &text)).await {
                    return;
                }
            }
            Ok(None) => break writing.end().await,
            Err(error) => break Err(error),
        }
    };
    match outcome {
        Ok((response, end)) => {
            if lines.send(&frame.line(&app, &end)).await {
                lines.send(&frame.last_line(&app, &response, "")).await;
            }
        }
        Err(error) => {
            guard::record(&app, &error, frame.shape.route());
            lines.send(&error.ollama().body(&frame.id.0)).await;
        }
    }
}
