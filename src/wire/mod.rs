//! The JSON of the CLI, HTTP and MCP interfaces. It is a contract: fields may be added, never
//! renamed or removed. A field with a better name is kept as a deprecated copy. The types here also
//! yield the `OpenAPI` schemas. [`input`] reads the JSON of requests.

mod answers;
mod evaluation;
mod indexes;
pub mod input;
mod records;

pub use answers::{
    AnswerJson, CacheUseJson, CitationJson, HitJson, SearchJson, TimesJson, answer, course, search,
};
pub use evaluation::evaluation;
pub use indexes::{
    CacheJson, ChangedJson, DocumentJson, IndexJson, PassageJson, PurgedJson, RolledBackJson,
    VerifiedJson, cache_stats, changed, document, index, passages, purged, rolled_back, verified,
};
pub use records::{
    JobJson, SessionJson, StatsJson, TurnJson, conversation, exported, job, session, stats, turn,
};

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::document::Location;
use crate::search::Pending;

/// Progress of the vectors of an index, until it has all of them
#[derive(Serialize, ToSchema)]
#[schema(as = VectorsPending)]
struct PendingJson {
    /// Vectors computed
    done: u64,
    /// Vectors needed
    total: u64,
    /// A job computes them now; otherwise the next ingest continues
    in_progress: bool,
    /// Same as `in_progress`
    #[schema(deprecated)]
    being_made: bool,
}

impl PendingJson {
    fn new(pending: Option<Pending>) -> Option<Self> {
        pending.map(|Pending { done, total, in_progress }| Self {
            done,
            total,
            in_progress,
            being_made: in_progress,
        })
    }
}

/// Progress of the vectors of an index; `None` once it has all of them.
pub fn pending(pending: Option<Pending>) -> Option<Value> {
    PendingJson::new(pending).map(|pending| json!(pending))
}

/// A location inside a document, such as a page or a cell.
pub fn location(location: &Location) -> Value {
    let kind = location.kind();
    match location {
        Location::Page(n) | Location::Slide(n) | Location::Message(n) | Location::Cell(n) => {
            json!({ "kind": kind, kind: n })
        }
        Location::Sheet(name, cell) => json!({ "kind": kind, "sheet": name, "cell": cell }),
        Location::Attachment { message, name, at } => {
            let mut value = json!({ "kind": kind, "attachment": name });
            if let Some(message) = message {
                value["message"] = json!(message);
            }
            if let Some(at) = at {
                value["place"] = self::location(at);
            }
            value
        }
        Location::File { name, at } => {
            let mut value = json!({ "kind": kind, "file": name });
            if let Some(at) = at {
                value["place"] = self::location(at);
            }
            value
        }
    }
}
