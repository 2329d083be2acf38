//! What the requests of other APIs lack: number of passages, filter, session, intent and language
//! model, as extra fields of the body or as headers. A field takes precedence over a header.

use axum::http::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::answer::Intent;
use crate::cache::Caching;
use crate::config::Config;
use crate::filter::Filter;
use crate::serve::error::{Error, Result};
use crate::serve::guard::Allowed;
use crate::serve::routes::{params, sessions};
use crate::service::{Priority, Question, RequestKind};
use crate::sessions::Turn;
use crate::wire::input;

/// The names of the fields; a header is a name after `X-Rag-`.
const NAMES: [&str; 5] = ["k", "filter", "session", "intent", "llm"];

const HEADER_PREFIX: &str = "x-rag-";

/// As given.
#[derive(Debug, Default, Deserialize)]
struct Fields {
    k: Option<usize>,
    filter: Option<String>,
    session: Option<String>,
    intent: Option<String>,
    llm: Option<String>,
}

/// The parsed fields.
#[derive(Debug, Default)]
pub struct Extras {
    k: Option<usize>,
    filter: Option<Filter>,
    /// The id of the session.
    pub session: Option<String>,
    intent: Option<Intent>,
    llm: Option<String>,
}

impl Extras {
    /// # Errors
    /// A usage error that names the field; status 404 for an unknown session. `index` is refused:
    /// to ignore it would let an answer rest on documents that the client meant to exclude.
    pub fn new(
        allowed: &Allowed,
        config: &Config,
        body: &Map<String, Value>,
        headers: &HeaderMap,
    ) -> Result<Self> {
        if body.get("index").is_some_and(|value| !value.is_null()) {
            return Err(Error::usage("`index` has no effect on this route")
                .param("index")
                .hint("the model `rag:NAME` answers from the index NAME"));
        }
        let given = body.iter().filter(|(name, _)| NAMES.contains(&name.as_str()));
        let given: Map<String, Value> = given.map(|(k, v)| (k.clone(), v.clone())).collect();
        let fields: Fields = input::read(&Value::Object(given))
            .map_err(|misfit| Error::misfit(&misfit, "the body"))?;
        let named = NAMES.iter().filter_map(|name| {
            let value = headers.get(format!("{HEADER_PREFIX}{name}"))?;
            Some(((*name).to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        });
        let headers: Fields = input::read_text(named.collect())
            .map_err(|misfit| Error::misfit(&misfit, "the headers"))?;
        let filter = fields.filter.or(headers.filter);
        let intent = fields.intent.or(headers.intent);
        let session = fields.session.or(headers.session);
        let llm = fields.llm.or(headers.llm);
        Ok(Self {
            k: params::k(fields.k.or(headers.k)).map_err(|error| error.param("k"))?,
            filter: params::filter(filter.as_deref()).map_err(|error| error.param("filter"))?,
            session: session
                .map(|name| sessions::session_id(allowed, &name))
                .transpose()
                .map_err(|error| error.param("session"))?,
            intent: params::intent(intent.as_deref()).map_err(|error| error.param("intent"))?,
            llm: params::language_model(llm.as_deref(), config)
                .map_err(|error| error.param("llm"))?,
        })
    }

    /// The question to an index. A session has its own conversation, which takes the place of
    /// `earlier`.
    pub fn question(self, text: String, index: &str, earlier: Vec<Turn>) -> Question {
        let Self { k, filter, session, intent, llm } = self;
        Question {
            text,
            kind: RequestKind::Answer { intent, generator: None, llm, session, earlier },
            index: Some(index.to_owned()),
            k,
            caching: Caching::Use,
            filter,
            priority: Priority::Normal,
        }
    }
}
