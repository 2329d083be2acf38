//! The JSON that scripts rely on. Fields may be added, never renamed or removed.

use serde::Serialize;
use serde_json::{Value, json};

use crate::document::{Citation, Hit, Leg};

/// The fields of one hit.
#[derive(Serialize)]
pub struct HitJson<'a> {
    rank: usize,
    score: f64,
    root: &'a str,
    path: &'a str,
    lines: [usize; 2],
    bytes: [usize; 2],
    page: Option<usize>,
    title: Option<&'a str>,
    heading: &'a [String],
    text: &'a str,
    /// The same words elsewhere: path and first line.
    also: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    explain: Option<Value>,
}

impl<'a> HitJson<'a> {
    pub fn new(hit: &'a Hit, explain: bool) -> Self {
        let leg = |leg: Option<Leg>| {
            leg.map(|leg| {
                json!({ "rank": leg.rank, "score": leg.score, "normalised": leg.normalised, "weight": leg.weight })
            })
        };
        Self {
            rank: hit.rank,
            score: hit.score,
            root: &hit.root,
            path: &hit.path,
            lines: [hit.chunk.lines.first, hit.chunk.lines.last],
            bytes: [hit.chunk.bytes.start, hit.chunk.bytes.end],
            page: hit.chunk.page,
            title: hit.title.as_deref(),
            heading: &hit.chunk.heading,
            text: &hit.chunk.text,
            also: hit.also.iter().map(|(path, line)| json!({ "path": &**path, "line": line })).collect(),
            explain: explain.then(|| json!({ "lexical": leg(hit.legs.lexical), "dense": leg(hit.legs.dense) })),
        }
    }
}

/// A numbered source of an answer.
#[derive(Serialize)]
pub struct CitationJson<'a> {
    n: usize,
    #[serde(flatten)]
    hit: HitJson<'a>,
}

impl<'a> CitationJson<'a> {
    pub fn new(citation: &'a Citation) -> Self {
        Self { n: citation.n, hit: HitJson::new(&citation.hit, false) }
    }
}
