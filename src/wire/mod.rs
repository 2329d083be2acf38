//! The JSON that scripts rely on. Fields may be added, never renamed or removed. [`input`] reads
//! the JSON of requests.
//!
//! What has a type here is described by it wherever the shape of a reply is told, too.

mod answers;
mod indexes;
pub mod input;
mod records;

pub use answers::{
    AnswerJson, CacheUseJson, CitationJson, HitJson, SearchJson, TimesJson, answer, course, search,
};
pub use indexes::{
    CacheJson, ChangedJson, DocumentJson, IndexJson, PassageJson, PurgedJson, RolledBackJson,
    VerifiedJson, cache_stats, changed, document, index, passages, purged, rolled_back, verified,
};
pub use records::{JobJson, SessionJson, StatsJson, TurnJson, exported, job, session, stats, turn};

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::document::Location;
use crate::search::Pending;

/// Vectors of an index that has none yet
#[derive(Serialize, ToSchema)]
#[schema(as = VectorsPending)]
struct PendingJson {
    /// Vectors made
    done: u64,
    /// Vectors wanted
    total: u64,
    /// Somebody makes them; else the next ingest goes on
    being_made: bool,
}

impl PendingJson {
    fn new(pending: Option<Pending>) -> Option<Self> {
        pending.map(|Pending { done, total, in_progress }| Self {
            done,
            total,
            being_made: in_progress,
        })
    }
}

/// How far the vectors of an index are that has none yet.
pub fn pending(pending: Option<Pending>) -> Option<Value> {
    PendingJson::new(pending).map(|pending| json!(pending))
}

pub fn place(place: &Location) -> Value {
    let kind = place.kind();
    match place {
        Location::Page(n) | Location::Slide(n) | Location::Message(n) | Location::Cell(n) => {
            json!({ "kind": kind, kind: n })
        }
        Location::Sheet(name, cell) => json!({ "kind": kind, "sheet": name, "cell": cell }),
    }
}
