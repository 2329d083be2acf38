//! Ranked passages by question and corpus, as they are stored.
//!
//! Scores are stored as bits: a ranking out of the cache is the ranking that was put in, to the
//! last one.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::rows::Reading;
use super::{Cache, Key, Table};
use crate::document::{Chunk, Contribution, Contributions, Hit, Lines, Span};

#[derive(Deserialize, Serialize)]
struct StoredHit {
    score: u64,
    root: String,
    path: String,
    title: Option<String>,
    heading: Vec<String>,
    text: String,
    bytes: [usize; 2],
    lines: [usize; 2],
    #[serde(default, skip_serializing_if = "Option::is_none")]
    place: Option<String>,
    also: Vec<(String, usize)>,
    lexical: Option<StoredLeg>,
    dense: Option<StoredLeg>,
    rerank: Option<StoredLeg>,
}

/// Rank, then the bits of score, normalised score and weight.
#[derive(Deserialize, Serialize)]
struct StoredLeg(usize, u64, u64, u64);

impl Cache {
    /// The ranking kept under `key` for the corpus `corpus`; counts a hit or a miss.
    pub fn ranking(&self, key: &Key, corpus: &str, now_s: i64) -> Option<Vec<Hit>> {
        self.find(Table::Retrieval, key, corpus, now_s, |bytes| {
            let stored: Option<Vec<StoredHit>> = serde_json::from_slice(bytes).ok();
            Reading::of(stored.and_then(|hits| {
                hits.into_iter().zip(1..).map(|(hit, n)| hit.into_hit(n)).collect()
            }))
        })
    }

    /// Whether there is such a ranking; counts nothing.
    pub fn has_ranking(&self, key: &Key, corpus: &str, now_s: i64) -> bool {
        self.has(Table::Retrieval, key, corpus, now_s)
    }

    /// Keeps a ranking.
    pub fn keep_ranking(&self, key: Key, corpus: &str, hits: &[Hit], now_s: i64) {
        let stored: Vec<StoredHit> = hits.iter().map(StoredHit::new).collect();
        if let Ok(bytes) = serde_json::to_vec(&stored) {
            self.keep(Table::Retrieval, key, corpus, bytes, now_s);
        }
    }
}

impl StoredHit {
    fn new(hit: &Hit) -> Self {
        let leg = |leg: Option<Contribution>| {
            leg.map(|l| {
                StoredLeg(l.rank, l.score.to_bits(), l.normalised.to_bits(), l.weight.to_bits())
            })
        };
        Self {
            score: hit.score.to_bits(),
            root: hit.root.to_string(),
            path: hit.path.to_string(),
            title: hit.title.as_deref().map(str::to_owned),
            heading: hit.chunk.heading.clone(),
            text: hit.chunk.text.clone(),
            bytes: [hit.chunk.bytes.start, hit.chunk.bytes.end],
            lines: [hit.chunk.lines.first, hit.chunk.lines.last],
            place: hit.chunk.place.as_ref().map(ToString::to_string),
            also: hit.also.iter().map(|(path, line)| (path.to_string(), *line)).collect(),
            lexical: leg(hit.contributions.lexical),
            dense: leg(hit.contributions.dense),
            rerank: leg(hit.contributions.rerank),
        }
    }

    fn into_hit(self, rank: usize) -> Option<Hit> {
        let leg = |leg: Option<StoredLeg>| {
            leg.map(|StoredLeg(rank, score, normalised, weight)| Contribution {
                rank,
                score: f64::from_bits(score),
                normalised: f64::from_bits(normalised),
                weight: f64::from_bits(weight),
            })
        };
        (self.bytes[0] <= self.bytes[1]).then(|| Hit {
            rank,
            score: f64::from_bits(self.score),
            root: self.root.into(),
            path: self.path.into(),
            title: self.title.map(Into::into),
            chunk: Chunk {
                heading: self.heading,
                text: self.text,
                bytes: Span::new(self.bytes[0], self.bytes[1]),
                lines: Lines { first: self.lines[0], last: self.lines[1] },
                place: self.place.and_then(|place| place.parse().ok()),
            },
            also: self.also.into_iter().map(|(path, line)| (Arc::from(path), line)).collect(),
            contributions: Contributions {
                lexical: leg(self.lexical),
                dense: leg(self.dense),
                rerank: leg(self.rerank),
            },
        })
    }
}
