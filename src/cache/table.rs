//! The tables of the cache, the keys of their rows, and the counts that commands report.

use crate::config::{Layer, Layers};
use crate::disk::Blake;
use crate::error::{Fault, Result};

/// The tables by their public names, in the order of the pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Table {
    Embeddings,
    Retrieval,
    Rerank,
    Answers,
}

impl Table {
    pub const ALL: [Self; 4] = [Self::Embeddings, Self::Retrieval, Self::Rerank, Self::Answers];

    pub fn name(self) -> &'static str {
        match self {
            Self::Embeddings => "embeddings",
            Self::Retrieval => "retrieval",
            Self::Rerank => "rerank",
            Self::Answers => "answers",
        }
    }

    pub(super) fn limits(self, layers: &Layers) -> Layer {
        match self {
            Self::Embeddings => layers.embeddings,
            Self::Retrieval => layers.retrieval,
            Self::Rerank => layers.rerank,
            Self::Answers => layers.answers,
        }
    }

    /// The tables in a comma-separated list, or all of them.
    ///
    /// # Errors
    /// A usage fault that names the unknown table.
    pub fn parse_list(text: &str) -> Result<Vec<Self>> {
        if text == "all" {
            return Ok(Self::ALL.to_vec());
        }
        text.split(',').map(|name| Self::parse(name.trim())).collect()
    }

    fn parse(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|table| table.name() == name);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            Fault::usage(format!("there is no cache table `{name}`"))
                .hint(format!("the tables are {names}; `all` means every one"))
        })
    }
}

/// What a command does with the cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Caching {
    #[default]
    Use,
    /// Computes everything again and replaces cached rows.
    Refresh,
    /// Neither reads nor writes.
    Off,
}

impl Caching {
    pub fn reads(self) -> bool {
        self == Self::Use
    }

    pub fn writes(self) -> bool {
        self != Self::Off
    }
}

/// BLAKE2b-256 over everything that a value depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key(pub(super) [u8; 32]);

impl Key {
    /// `kind` names the computation and its version, `fields` are its inputs.
    pub fn of<'a>(kind: &str, fields: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut hash = Blake::new(32).field(kind.as_bytes());
        fields.into_iter().for_each(|field| hash.add(field));
        Self(hash.finish())
    }
}

/// One row of `rag cache stats`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableStats {
    pub table: Table,
    /// Rows.
    pub count: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
    /// Upper limit of `bytes`.
    pub budget_bytes: u64,
    /// Lifetime of a row in seconds; 0 is unlimited.
    pub ttl_s: u64,
    /// Unix seconds of the oldest and newest row.
    pub oldest: Option<i64>,
    pub newest: Option<i64>,
    /// Of all processes since the file was created.
    pub counters: Counters,
}

/// What a purge removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purged {
    pub table: Table,
    /// Rows.
    pub count: u64,
    /// Bytes of keys and values.
    pub bytes: u64,
    /// Rows of the shared store; `None` when there is none.
    pub shared: Option<u64>,
}

/// The rows that servers share, as all of them count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedStats {
    /// Each table with the lifetime of its rows in seconds.
    pub tables: Vec<(Table, u64, SharedCounters)>,
    /// Memory of the server, for all of its users.
    pub memory_bytes: u64,
}

/// Look-ups in the shared store, and writes to it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SharedCounters {
    pub hits: u64,
    pub misses: u64,
    pub sets: u64,
    /// Look-ups and writes without a valid reply; such a look-up is also a miss.
    pub errors: u64,
    /// Rows with a wrong checksum or content; each is also a miss.
    pub damaged: u64,
    /// Rows not written because the store was full, paused or too slow.
    pub dropped: u64,
}

impl SharedCounters {
    /// Hits divided by all look-ups, in 0..=1; 0 when there were none.
    pub fn hit_rate(&self) -> f64 {
        let all = self.hits + self.misses;
        if all == 0 { 0.0 } else { self.hits as f64 / all as f64 }
    }

    pub(super) fn outcomes(&self) -> [(&'static str, u64); 6] {
        [
            ("hit", self.hits),
            ("miss", self.misses),
            ("set", self.sets),
            ("error", self.errors),
            ("damaged", self.damaged),
            ("dropped", self.dropped),
        ]
    }

    pub(super) fn add(&mut self, outcome: &str, n: u64) {
        let counter = match outcome {
            "hit" => &mut self.hits,
            "miss" => &mut self.misses,
            "set" => &mut self.sets,
            "error" => &mut self.errors,
            "damaged" => &mut self.damaged,
            _ => &mut self.dropped,
        };
        *counter += n;
    }
}

/// Results of look-ups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    pub hits: u64,
    pub misses: u64,
    /// Rows with a wrong checksum, size or content; each is also a miss.
    pub damaged: u64,
    /// Rows removed to stay within the budget.
    pub evicted: u64,
}

impl Counters {
    /// Hits divided by all look-ups, in 0..=1; 0 when there were none.
    pub fn hit_rate(&self) -> f64 {
        let all = self.hits + self.misses;
        if all == 0 { 0.0 } else { self.hits as f64 / all as f64 }
    }
}
