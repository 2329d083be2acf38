//! `POST /ask/batch`: many questions at once, answered in their order.

use std::fmt;
use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::ask::{AskBody, AskReply, answered};
use super::{App, Error, asking};
use crate::serve::body::Json;
use crate::serve::error::{ErrorObject, Result};
use crate::serve::guard::{self, Allowed, RequestId};
use crate::service::Ticket;

const MAX_QUESTIONS: usize = 64;

/// Questions of one batch that wait or are worked on at once: enough for all workers, and room for
/// others in the line.
const AHEAD: usize = 8;

/// Questions, and how they are to be answered
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchBody {
    /// At most 64
    #[schema(min_items = 1, max_items = 64)]
    questions: Vec<OneOfMany>,
    /// Name of the index
    index: Option<String>,
    /// Passages to consider
    #[schema(minimum = 1, maximum = 1000)]
    k: Option<usize>,
    #[schema(schema_with = asking::filter_schema)]
    filter: Option<String>,
    /// Read and write the cache; true when it is not given
    use_cache: Option<bool>,
    /// Compute anew and replace what the cache has
    #[serde(default)]
    refresh: bool,
    /// Who writes the answers: extractive or llm
    #[schema(pattern = "^(extractive|llm)$")]
    generator: Option<String>,
    /// critical, high, normal, low or background; what is above normal needs the scope admin
    #[schema(pattern = "^(critical|high|normal|low|background)$")]
    priority: Option<String>,
}

/// A question, or one with an id and an intent of its own
#[derive(Debug)]
enum OneOfMany {
    Text(String),
    Full(FullQuestion),
}

impl<'de> Deserialize<'de> for OneOfMany {
    fn deserialize<D: Deserializer<'de>>(input: D) -> std::result::Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = OneOfMany;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an object with a `query`")
            }

            fn visit_str<E>(self, text: &str) -> std::result::Result<OneOfMany, E> {
                Ok(OneOfMany::Text(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                fields: A,
            ) -> std::result::Result<OneOfMany, A::Error> {
                FullQuestion::deserialize(MapAccessDeserializer::new(fields)).map(OneOfMany::Full)
            }
        }
        input.deserialize_any(Either)
    }
}

impl PartialSchema for OneOfMany {
    fn schema() -> RefOr<Schema> {
        // An empty one has an error in its place.
        let text = ObjectBuilder::new().schema_type(Type::String);
        let full = Ref::from_schema_name(FullQuestion::name());
        let words = "A question, or one with an id and an intent of its own";
        RefOr::T(OneOfBuilder::new().item(text).item(full).description(Some(words)).build().into())
    }
}

impl ToSchema for OneOfMany {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((FullQuestion::name().into_owned(), FullQuestion::schema()));
        FullQuestion::schemas(schemas);
    }
}

/// A question with an id and an intent of its own
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FullQuestion {
    /// Whatever you call it; handed back with the answer
    id: Option<Value>,
    query: String,
    #[schema(pattern = "^(definition|how-to|troubleshooting|comparison|factoid|list|summary)$")]
    intent: Option<String>,
}

/// Answers, in the order of the questions
#[derive(Serialize, ToSchema)]
struct BatchReply<'a> {
    answers: Vec<OneAnswer<'a>>,
    /// As in the header `X-Request-ID`
    request_id: &'a str,
}

/// What became of one question
#[derive(Serialize, ToSchema)]
struct OneAnswer<'a> {
    /// That of its question
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a Value>,
    #[serde(flatten)]
    outcome: Outcome<'a>,
}

/// An answer, or why there is none
#[derive(Serialize, ToSchema)]
#[serde(untagged)]
enum Outcome<'a> {
    Answer(Box<AskReply<'a>>),
    Failed {
        #[schema(value_type = ErrorObject)]
        error: Value,
    },
}

/// Answer many questions
///
/// The replies are those of `POST /ask`, in the order of the questions, each with the `id` of its
/// question if it has one. A question that fails has an `error` in its place and does not stop the
/// others.
#[utoipa::path(
    post,
    path = "/ask/batch",
    tag = "questions",
    request_body = BatchBody,
    responses((status = 200, description = "The answers", body = BatchReply, content_type = "application/json"))
)]
pub async fn ask_batch(
    State(app): State<Arc<App>>,
    Extension(id): Extension<RequestId>,
    Extension(allowed): Extension<Allowed>,
    Json(body): Json<BatchBody>,
) -> Result<Response> {
    if body.questions.is_empty() || body.questions.len() > MAX_QUESTIONS {
        return Err(Error::usage(format!("`questions` has from 1 to {MAX_QUESTIONS} questions")));
    }
    let questions: Vec<(Option<Value>, AskBody)> = body.split();
    // What is wrong for all is wrong before any is asked.
    for (_, question) in &questions {
        question.question(allowed)?;
    }
    let mut waiting = std::collections::VecDeque::new();
    let mut outcomes = Vec::with_capacity(questions.len());
    let mut questions = questions.into_iter();
    loop {
        while waiting.len() < AHEAD
            && let Some((name, question)) = questions.next()
        {
            let ticket = match question.question(allowed) {
                Ok(question) => {
                    app.service.ask(question).await.map(Ticket::of_batch).map_err(Error::from)
                }
                Err(error) => Err(error),
            };
            waiting.push_back((name, ticket));
        }
        let Some((name, ticket)) = waiting.pop_front() else { break };
        let response = match ticket {
            Ok(mut ticket) => answered(&mut ticket).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &response {
            guard::note(&app, error, "/ask/batch");
        }
        outcomes.push((name, response));
    }
    let answers = outcomes.iter().map(|(name, response)| OneAnswer {
        id: name.as_ref(),
        outcome: match response {
            Ok(response) => Outcome::Answer(Box::new(AskReply::new(response, &id, None))),
            Err(error) => Outcome::Failed { error: error.json(&id.0) },
        },
    });
    Ok(axum::Json(BatchReply { answers: answers.collect(), request_id: &id.0 }).into_response())
}

impl BatchBody {
    fn split(self) -> Vec<(Option<Value>, AskBody)> {
        let Self { questions, index, k, filter, use_cache, refresh, generator, priority } = self;
        let like = AskBody {
            index,
            k,
            filter,
            use_cache,
            refresh,
            generator,
            priority,
            ..AskBody::default()
        };
        let one = |question| match question {
            OneOfMany::Text(query) => (None, AskBody { query, ..like.clone() }),
            OneOfMany::Full(FullQuestion { id, query, intent }) => {
                (id, AskBody { query, intent, ..like.clone() })
            }
        };
        questions.into_iter().map(one).collect()
    }
}
