//! `POST /ask/batch`: several questions in one request, answered in order.

use std::collections::VecDeque;
use std::fmt;

use axum::response::{IntoResponse as _, Response};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::ask::{AskBody, AskReply, answered};
use super::params;
use crate::serve::app::App;
use crate::serve::body::Json;
use crate::serve::error::{Error, ErrorObject, Result};
use crate::serve::extractors::Call;
use crate::serve::guard::{self, Allowed};
use crate::serve::limits::MAX_BATCH;
use crate::service::Ticket;

/// Questions of one batch in the queue or in progress: enough for all workers, while other clients
/// still find room in the queue.
const AHEAD: usize = 8;

/// Questions and the options of all of them
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct BatchBody {
    /// At most 64
    #[schema(min_items = 1, max_items = 64)]
    questions: Vec<BatchQuestion>,
    /// Index name (default: the configured index)
    index: Option<String>,
    /// Passages to retrieve
    #[schema(minimum = 1, maximum = 1000)]
    k: Option<usize>,
    #[schema(schema_with = params::filter_schema)]
    filter: Option<String>,
    /// Read and write the cache (default: true)
    use_cache: Option<bool>,
    /// Recompute, and replace cached values
    #[serde(default)]
    refresh: bool,
    /// What generates the answers: extractive or llm
    #[schema(pattern = "^(extractive|llm)$")]
    generator: Option<String>,
    /// Name of the language model to write with, one of `features.llms` of `GET /config`
    llm: Option<String>,
    /// Queue priority: critical, high, normal, low or background (default: normal). critical and
    /// high need the scope admin
    #[schema(pattern = "^(critical|high|normal|low|background)$")]
    priority: Option<String>,
}

/// A question, as text or with an id and an intent
#[derive(Debug)]
enum BatchQuestion {
    Text(String),
    Full(FullQuestion),
}

impl<'de> Deserialize<'de> for BatchQuestion {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = BatchQuestion;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or an object with a `query`")
            }

            fn visit_str<E>(self, text: &str) -> Result<BatchQuestion, E> {
                Ok(BatchQuestion::Text(text.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<BatchQuestion, A::Error> {
                FullQuestion::deserialize(MapAccessDeserializer::new(fields))
                    .map(BatchQuestion::Full)
            }
        }
        input.deserialize_any(Either)
    }
}

impl PartialSchema for BatchQuestion {
    fn schema() -> RefOr<Schema> {
        // No minimum length: an empty question gets an error in its place.
        let text = ObjectBuilder::new().schema_type(Type::String);
        let full = Ref::from_schema_name(FullQuestion::name());
        let words = "A question, as text or with an id and an intent";
        RefOr::T(OneOfBuilder::new().item(text).item(full).description(Some(words)).build().into())
    }
}

impl ToSchema for BatchQuestion {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((FullQuestion::name().into_owned(), FullQuestion::schema()));
        FullQuestion::schemas(schemas);
    }
}

/// A question with an id and an intent
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct FullQuestion {
    /// Any JSON value, returned with the answer
    id: Option<Value>,
    query: String,
    #[schema(pattern = "^(definition|how-to|troubleshooting|comparison|factoid|list|summary)$")]
    intent: Option<String>,
}

/// Answers, in the order of the questions
#[derive(Serialize, ToSchema)]
struct BatchReply<'a> {
    answers: Vec<BatchAnswer<'a>>,
    /// The id of the request, as in the header `X-Request-ID`
    request_id: &'a str,
}

/// The outcome of one question
#[derive(Serialize, ToSchema)]
struct BatchAnswer<'a> {
    /// The `id` of the question
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a Value>,
    #[serde(flatten)]
    outcome: Outcome<'a>,
}

/// An answer or an error
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
/// question. A question that fails gets an `error` in its place, and the others are answered.
#[utoipa::path(
    post,
    path = "/ask/batch",
    tag = "questions",
    request_body = BatchBody,
    responses((status = 200, description = "The answers", body = BatchReply))
)]
pub async fn ask_batch(
    Call { app, id, allowed }: Call,
    Json(mut body): Json<BatchBody>,
) -> Result<Response> {
    body.index = allowed.index(body.index, &app)?;
    if body.questions.is_empty() || body.questions.len() > MAX_BATCH {
        return Err(Error::usage(format!("`questions` must have 1 to {MAX_BATCH} items")));
    }
    let questions: Vec<(Option<Value>, AskBody)> = body.split();
    // An invalid question fails the request before any question is answered.
    for (_, question) in &questions {
        question.question(&allowed, &app.engine().config)?;
    }
    let mut tickets = VecDeque::new();
    let mut outcomes = Vec::with_capacity(questions.len());
    let mut questions = questions.into_iter();
    loop {
        while tickets.len() < AHEAD
            && let Some((name, question)) = questions.next()
        {
            tickets.push_back((name, submit(&app, &question, &allowed).await));
        }
        let Some((name, ticket)) = tickets.pop_front() else { break };
        let response = match ticket {
            Ok(mut ticket) => answered(&mut ticket).await,
            Err(error) => Err(error),
        };
        if let Err(error) = &response {
            guard::record(&app, error, "/ask/batch");
        }
        outcomes.push((name, response));
    }
    let answers = outcomes.iter().map(|(name, response)| BatchAnswer {
        id: name.as_ref(),
        outcome: match response {
            Ok(response) => Outcome::Answer(Box::new(AskReply::new(response, &id, None))),
            Err(error) => Outcome::Failed { error: error.json(&id.0) },
        },
    });
    Ok(axum::Json(BatchReply { answers: answers.collect(), request_id: &id.0 }).into_response())
}

async fn submit(app: &App, question: &AskBody, allowed: &Allowed) -> Result<Ticket> {
    Ok(app.service.ask(question.question(allowed, &app.engine().config)?).await?.of_batch())
}

impl BatchBody {
    /// Each question with its id and the options of the batch.
    fn split(self) -> Vec<(Option<Value>, AskBody)> {
        let Self { questions, index, k, filter, use_cache, refresh, generator, llm, priority } =
            self;
        let options = AskBody {
            index,
            k,
            filter,
            use_cache,
            refresh,
            generator,
            llm,
            priority,
            ..AskBody::default()
        };
        let one = |question| match question {
            BatchQuestion::Text(query) => (None, AskBody { query, ..options.clone() }),
            BatchQuestion::Full(FullQuestion { id, query, intent }) => {
                (id, AskBody { query, intent, ..options.clone() })
            }
        };
        questions.into_iter().map(one).collect()
    }
}
