//! Ranked passages by question and corpus.
//!
//! Scores are stored as bits, so a cached ranking equals the computed one exactly.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::rows::{Lookup, Reading};
use super::store::Cache;
use super::table::{Key, Table};
use crate::document::{
    Chunk, Contribution, Contributions, Hit, Lines, Note, Rank, Span, Unit, UnitKind,
};

#[derive(Deserialize, Serialize)]
struct StoredRanking {
    hits: Vec<StoredHit>,
    /// Kind, what the query has, and the word of the index.
    notes: Vec<(char, String, String)>,
    /// Bits of [`Ranking::nearness`].
    nearness: Option<u32>,
    /// See [`Origin`](super::Origin); absent in a row of an older version.
    #[serde(default)]
    index: Option<String>,
}

/// The result of a search.
pub struct Ranking {
    pub hits: Vec<Hit>,
    pub notes: Vec<Note>,
    /// Of the query to exemplars of risks.
    pub nearness: Option<f32>,
}

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
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    units: Vec<StoredUnit>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    table_header: String,
    also: Vec<(String, usize)>,
    lexical: Option<StoredContribution>,
    dense: Option<StoredContribution>,
    rerank: Option<StoredContribution>,
}

/// Kind, span in the text, bytes, lines, location and the page on which it ends.
#[derive(Deserialize, Serialize)]
struct StoredUnit(char, [usize; 2], [usize; 2], [usize; 2], [Option<String>; 2]);

const UNIT_KINDS: [(char, UnitKind); 8] = [
    ('s', UnitKind::Sentence),
    ('i', UnitKind::Item { first: true }),
    ('j', UnitKind::Item { first: false }),
    ('h', UnitKind::Heading),
    ('c', UnitKind::Code),
    ('n', UnitKind::Header),
    ('r', UnitKind::Row),
    ('e', UnitKind::Record),
];

impl StoredUnit {
    fn new(unit: &Unit) -> Self {
        let Unit { span, kind, bytes, lines, location, end } = unit;
        let name =
            UNIT_KINDS.iter().find(|(_, known)| known == kind).map_or('s', |(name, _)| *name);
        Self(
            name,
            [span.start, span.end],
            [bytes.start, bytes.end],
            [lines.first, lines.last],
            [location, end].map(|place| place.as_ref().map(ToString::to_string)),
        )
    }

    /// `None` for a unit that is not in `text`.
    fn into_unit(self, text: &str) -> Option<Unit> {
        let Self(name, span, bytes, [first, last], places) = self;
        let [location, end] = places.map(|place| place.and_then(|place| place.parse().ok()));
        text.get(span[0]..span[1])?;
        (bytes[0] <= bytes[1]).then_some(Unit {
            span: Span { start: span[0], end: span[1] },
            kind: UNIT_KINDS.iter().find(|(known, _)| *known == name)?.1,
            bytes: Span { start: bytes[0], end: bytes[1] },
            lines: Lines { first, last },
            location,
            end,
        })
    }
}

/// Rank, then the bits of score, normalised score and weight.
#[derive(Deserialize, Serialize)]
struct StoredContribution(StoredRank, u64, u64, u64);

#[derive(Deserialize, Serialize)]
enum StoredRank {
    At(usize),
    Beyond(usize),
}

impl From<Contribution> for StoredContribution {
    fn from(from: Contribution) -> Self {
        let rank = match from.rank {
            Rank::At(rank) => StoredRank::At(rank),
            Rank::Beyond(n) => StoredRank::Beyond(n),
        };
        Self(rank, from.score.to_bits(), from.normalised.to_bits(), from.weight.to_bits())
    }
}

impl From<StoredContribution> for Contribution {
    fn from(StoredContribution(rank, score, normalised, weight): StoredContribution) -> Self {
        let rank = match rank {
            StoredRank::At(rank) => Rank::At(rank),
            StoredRank::Beyond(n) => Rank::Beyond(n),
        };
        Self {
            rank,
            score: f64::from_bits(score),
            normalised: f64::from_bits(normalised),
            weight: f64::from_bits(weight),
        }
    }
}

impl Cache {
    /// The cached ranking for a corpus id; counts a hit or a miss.
    pub fn ranking(&self, key: &Key, corpus: &str, now_s: i64) -> Option<Ranking> {
        let lookup = Lookup { table: Table::Retrieval, key, scope: corpus, now_s };
        self.find(lookup, |bytes| Reading::of(parse(bytes)))
    }

    /// Whether there is such a ranking; counts nothing.
    pub fn has_ranking(&self, key: &Key, corpus: &str, now_s: i64) -> bool {
        self.has(Lookup { table: Table::Retrieval, key, scope: corpus, now_s })
    }

    /// Stores the parts of a [`Ranking`] of an index.
    pub fn put_ranking(
        &self,
        key: Key,
        (index, corpus): (&str, &str),
        (hits, notes, nearness): (&[Hit], &[Note], Option<f32>),
        now_s: i64,
    ) {
        let note = |note: &Note| match note {
            Note::Corrected { word, instead } => ('c', word.clone(), instead.clone()),
            Note::Similar { word, other } => ('s', word.clone(), other.clone()),
            Note::NoPhrase(phrase) => ('p', phrase.clone(), String::new()),
            Note::NoValue { test, similar } => ('v', test.clone(), similar.clone()),
            Note::WordsOnly => ('w', String::new(), String::new()),
            Note::OtherValues { test, others } => ('o', test.clone(), others.clone()),
        };
        let stored = StoredRanking {
            hits: hits.iter().map(StoredHit::new).collect(),
            notes: notes.iter().map(note).collect(),
            nearness: nearness.map(f32::to_bits),
            index: Some(index.to_owned()),
        };
        if let Ok(bytes) = serde_json::to_vec(&stored) {
            self.put(Table::Retrieval, key, corpus, bytes, now_s);
        }
    }
}

fn parse(bytes: &[u8]) -> Option<Ranking> {
    let StoredRanking { hits, notes, nearness, .. } = serde_json::from_slice(bytes).ok()?;
    let hits = hits.into_iter().zip(1..).map(|(hit, rank)| hit.into_hit(rank));
    let note = |(kind, word, other)| match kind {
        'c' => Note::Corrected { word, instead: other },
        's' => Note::Similar { word, other },
        'v' => Note::NoValue { test: word, similar: other },
        'w' => Note::WordsOnly,
        'o' => Note::OtherValues { test: word, others: other },
        _ => Note::NoPhrase(word),
    };
    Some(Ranking {
        hits: hits.collect::<Option<_>>()?,
        notes: notes.into_iter().map(note).collect(),
        nearness: nearness.map(f32::from_bits),
    })
}

impl StoredHit {
    fn new(hit: &Hit) -> Self {
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
            units: hit.chunk.units.iter().map(StoredUnit::new).collect(),
            table_header: hit.chunk.table_header.clone(),
            also: hit.also.iter().map(|(path, line)| (path.to_string(), *line)).collect(),
            lexical: hit.contributions.lexical.map(Into::into),
            dense: hit.contributions.dense.map(Into::into),
            rerank: hit.contributions.rerank.map(Into::into),
        }
    }

    fn into_hit(self, rank: usize) -> Option<Hit> {
        let units = self.units.into_iter().map(|unit| unit.into_unit(&self.text));
        let units: Vec<Unit> = units.collect::<Option<_>>()?;
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
                units,
                table_header: self.table_header,
            },
            also: self.also.into_iter().map(|(path, line)| (Arc::from(path), line)).collect(),
            contributions: Contributions {
                lexical: self.lexical.map(Into::into),
                dense: self.dense.map(Into::into),
                rerank: self.rerank.map(Into::into),
            },
        })
    }
}
