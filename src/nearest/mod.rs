//! What proposes the passages nearest to a question: a scan of the index itself, or an engine that
//! several servers share, PostgreSQL with pgvector or Qdrant.
//!
//! An engine has the vectors of a generation under the keys of their texts. It proposes keys; the
//! caller computes their cosines from the generation, so an engine decides which passages are
//! compared and never how they score. A vector has the numbers of the generations that it was born
//! and died in: a generation is a filter, a rollback another number. Vectors are written before the
//! pointer to their generation, so a reader finds them all; a generation that is not in the engine
//! is scanned.

#[cfg(not(feature = "cluster"))]
mod left_out;
#[cfg(feature = "cluster")]
mod pgvector;
#[cfg(feature = "cluster")]
mod publish;
#[cfg(feature = "cluster")]
mod qdrant;
mod space;
#[cfg(feature = "cluster")]
mod watch;

use std::fmt;
use std::sync::Arc;

#[cfg(not(feature = "cluster"))]
use left_out::{LeftOut as Pgvector, LeftOut as Qdrant};
#[cfg(feature = "cluster")]
use pgvector::Pgvector;
#[cfg(feature = "cluster")]
use qdrant::Qdrant;
pub use space::{Generation, KEY_BYTES, Key, Proposed, Rows, Space, Status};

use crate::config::{NearestEngine, NearestPlace, OnFailure};
use crate::error::Result;
use crate::ledger::Migration;

/// What proposes candidates.
#[derive(Clone, Default)]
pub enum Nearest {
    /// The index itself.
    #[default]
    Scan,
    Pgvector(Arc<Pgvector>),
    Qdrant(Arc<Qdrant>),
}

impl Nearest {
    /// The engine of the settings. Nothing is sent yet.
    ///
    /// # Errors
    /// A usage fault for an address or a file of certificates that cannot be used.
    pub fn open(place: &NearestPlace) -> Result<Self> {
        match place.engine {
            NearestEngine::Scan => Ok(Self::Scan),
            NearestEngine::Pgvector => Ok(Self::Pgvector(Arc::new(Pgvector::open(place)?))),
            NearestEngine::Qdrant => Ok(Self::Qdrant(Arc::new(Qdrant::open(place)?))),
        }
    }

    pub fn is_scan(&self) -> bool {
        matches!(self, Self::Scan)
    }

    pub fn name(&self) -> &'static str {
        match self {
            Self::Scan => NearestEngine::Scan.name(),
            Self::Pgvector(_) => NearestEngine::Pgvector.name(),
            Self::Qdrant(_) => NearestEngine::Qdrant.name(),
        }
    }

    pub fn on_failure(&self) -> OnFailure {
        match self {
            Self::Scan => OnFailure::Fail,
            Self::Pgvector(engine) => engine.on_failure(),
            Self::Qdrant(engine) => engine.on_failure(),
        }
    }

    /// The number of a generation; `None` when the engine does not have all of it.
    ///
    /// # Errors
    /// [`Kind::Outside`](crate::error::Kind::Outside) when the engine does not answer.
    pub fn number(&self, generation: &Generation) -> Result<Option<i64>> {
        match self {
            Self::Scan => Ok(None),
            Self::Pgvector(engine) => engine.number(generation),
            Self::Qdrant(engine) => engine.number(generation),
        }
    }

    /// The `wanted` texts of a generation that are nearest to `query`, best first. There are fewer
    /// when the generation has fewer, or is no longer in the engine.
    ///
    /// # Errors
    /// As [`Nearest::number`].
    pub fn propose(
        &self,
        generation: &Generation,
        number: i64,
        query: &[f32],
        wanted: usize,
    ) -> Result<Vec<Proposed>> {
        match self {
            Self::Scan => Ok(Vec::new()),
            Self::Pgvector(engine) => engine.propose(generation, number, query, wanted),
            Self::Qdrant(engine) => engine.propose(generation, number, query, wanted),
        }
    }

    /// Writes what the engine lacks of a generation; nothing when it has all. May be repeated after
    /// any failure.
    ///
    /// # Errors
    /// As [`Nearest::number`]; [`Kind::Busy`](crate::error::Kind::Busy) when another machine writes
    /// for too long.
    pub fn publish(&self, generation: &Generation, rows: &Rows<'_>) -> Result<()> {
        match self {
            Self::Scan => Ok(()),
            Self::Pgvector(engine) => engine.publish(generation, rows),
            Self::Qdrant(engine) => engine.publish(generation, rows),
        }
    }

    /// Deletes the vectors of an index that neither the generations in `kept` need, of which the
    /// first is current, nor later ones.
    ///
    /// # Errors
    /// As [`Nearest::number`].
    pub fn retire(&self, index: &str, kept: &[Generation]) -> Result<()> {
        match self {
            Self::Scan => Ok(()),
            Self::Pgvector(engine) => engine.retire(index, kept),
            Self::Qdrant(engine) => engine.retire(index, kept),
        }
    }

    /// Whether the engine can be written: a sentence about it.
    ///
    /// # Errors
    /// As [`Nearest::number`], with what to do.
    pub fn check(&self) -> Result<Option<String>> {
        match self {
            Self::Scan => Ok(None),
            Self::Pgvector(engine) => engine.check().map(Some),
            Self::Qdrant(engine) => engine.check().map(Some),
        }
    }

    /// Brings the tables of vectors up to date; `None` for an engine without tables.
    ///
    /// # Errors
    /// As [`Nearest::number`]; a fault for tables of a newer version.
    pub fn migrate(&self) -> Result<Option<Migration>> {
        match self {
            Self::Scan | Self::Qdrant(_) => Ok(None),
            Self::Pgvector(engine) => engine.migrate().map(Some),
        }
    }

    /// `None` for a scan.
    pub fn status(&self) -> Option<Status> {
        match self {
            Self::Scan => None,
            Self::Pgvector(engine) => Some(engine.status()),
            Self::Qdrant(engine) => Some(engine.status()),
        }
    }
}

impl fmt::Debug for Nearest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
