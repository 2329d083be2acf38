//! Ranked hits to the passages that an answer may use.
//!
//! Hits with equal scores are ordered by path and position, whatever their ranks: the same passages
//! give the same answer however a tie was broken.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::document::{Chunk, Citation, Hit, Lines, Span, Unit};
use crate::strings::StrExt as _;

/// How much evidence to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub max_passages: usize,
    /// Passages of one file. Further ones of a long file seldom add what other files lack.
    pub max_per_source: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_passages: 8, max_per_source: 5 }
    }
}

/// One passage that an answer may use.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The passage, with overlapping neighbours merged into it.
    pub hit: Hit,
    /// 0 for the best; passages with equal scores share a place.
    pub place: usize,
}

impl Evidence {
    /// BM25 of the passage as a share of the best in the corpus, in quarters: an unrelated new
    /// document seldom moves it.
    #[must_use]
    pub fn lexical(&self) -> f64 {
        const STEPS: f64 = 4.0;
        let lexical = self.hit.contributions.lexical;
        lexical.map_or(0.0, |lexical| (lexical.normalised * STEPS).round() / STEPS)
    }

    /// Cosine of the passage with the question.
    pub(super) fn cosine(&self) -> Option<f64> {
        let cosine = self.hit.contributions.dense.map(|dense| dense.score);
        cosine.filter(|cosine| cosine.is_finite())
    }
}

/// The evidence among `hits`, best first, without duplicates.
#[must_use]
pub fn choose(hits: &[Hit], limits: Limits) -> Vec<Evidence> {
    let mut chosen: Vec<(Evidence, WordSet)> = Vec::new();
    for candidate in placed(hits) {
        let words = WordSet::of(&candidate.hit);
        if chosen.iter().any(|(_, others)| others.is_near_duplicate(&words)) {
            continue;
        }
        if let Some((kept, words)) = chosen
            .iter_mut()
            .find_map(|entry| merge_overlap(&mut entry.0.hit, &candidate.hit).then_some(entry))
        {
            *words = WordSet::of(&kept.hit);
            continue;
        }
        let from_source =
            chosen.iter().filter(|(kept, _)| is_same_file(&kept.hit, &candidate.hit)).count();
        if from_source < limits.max_per_source && chosen.len() < limits.max_passages {
            chosen.push((candidate, words));
        }
    }
    chosen.into_iter().map(|(evidence, _)| evidence).collect()
}

/// `evidence` in the order of the documents, by path and position, with neighbours merged: passages
/// of one section of one file that are at most `max_gap` bytes apart. The order depends on the set
/// of passages only.
#[must_use]
pub fn in_order(mut evidence: Vec<Evidence>, max_gap: usize) -> Vec<Evidence> {
    evidence.sort_by(|a, b| identity(&a.hit).cmp(&identity(&b.hit)));
    let mut ordered: Vec<Evidence> = Vec::with_capacity(evidence.len());
    for next in evidence {
        if let Some(last) = ordered.last_mut()
            && (merge_overlap(&mut last.hit, &next.hit)
                || append(&mut last.hit, &next.hit, max_gap))
        {
            last.place = last.place.min(next.place);
        } else {
            ordered.push(next);
        }
    }
    ordered
}

/// Appends `next` to `kept` when only white space can be between them.
fn append(kept: &mut Hit, next: &Hit, max_gap: usize) -> bool {
    let (a, b) = (&mut kept.chunk, &next.chunk);
    let is_next = kept.root == next.root && kept.path == next.path && a.heading == b.heading;
    let gap = b.bytes.start.checked_sub(a.bytes.end).filter(|gap| is_next && *gap <= max_gap);
    let Some(gap) = gap else { return false };
    a.text.push_str(["", "\n", "\n\n"][gap.min(2)]);
    let start = a.text.len();
    a.units.extend(shifted(&b.units, start, 0));
    a.text.push_str(&b.text);
    a.bytes = Span::new(a.bytes.start, b.bytes.end);
    a.lines = union(a.lines, b.lines);
    true
}

/// The best `n` passages as citations, for a question without a supported answer.
#[must_use]
pub fn nearest(evidence: &[Evidence], n: usize) -> Vec<Citation> {
    let mut best: Vec<&Evidence> = evidence.iter().collect();
    best.sort_by_key(|piece| piece.place);
    best.into_iter()
        .take(n)
        .zip(1..)
        .map(|(piece, n)| Citation { n, hit: piece.hit.clone(), quoted: Vec::new() })
        .collect()
}

/// The hits by rank, ties by path and position, each with its place.
fn placed(hits: &[Hit]) -> Vec<Evidence> {
    let mut sorted: Vec<&Hit> = hits.iter().collect();
    sorted.sort_by(|a, b| a.rank.cmp(&b.rank).then_with(|| b.score.total_cmp(&a.score)));
    let mut placed: Vec<Evidence> = Vec::with_capacity(hits.len());
    for group in sorted.chunk_by(|a, b| a.score.total_cmp(&b.score).is_eq()) {
        let place = placed.len();
        let mut group = group.to_vec();
        group.sort_by(|a, b| identity(a).cmp(&identity(b)));
        placed.extend(group.into_iter().map(|hit| Evidence { hit: hit.clone(), place }));
    }
    placed
}

fn identity(hit: &Hit) -> (&str, &str, Span, &str) {
    (&hit.root, &hit.path, hit.chunk.bytes, &hit.chunk.text)
}

fn is_same_file(a: &Hit, b: &Hit) -> bool {
    a.root == b.root && a.path == b.path
}

/// Hashes of the distinct words of a passage, ascending.
struct WordSet(Vec<u64>);

impl WordSet {
    fn of(hit: &Hit) -> Self {
        let mut words: Vec<u64> = hit.chunk.text.split_whitespace().map(hash).collect();
        words.sort_unstable();
        words.dedup();
        Self(words)
    }

    /// Whether two passages share at least 90 % of their words: a licence header, a copied
    /// paragraph.
    fn is_near_duplicate(&self, other: &Self) -> bool {
        let (few, many) =
            if self.0.len() <= other.0.len() { (&self.0, &other.0) } else { (&other.0, &self.0) };
        let (mut shared, mut rest) = (0, many.as_slice());
        // At best all of the few are among the many.
        if few.len() * 10 >= many.len() * 9 {
            for word in few {
                rest = &rest[rest.partition_point(|other| other < word)..];
                shared += usize::from(rest.first() == Some(word));
            }
        }
        let all = few.len() + many.len() - shared;
        all == 0 || shared * 10 >= all * 9
    }
}

fn hash(word: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    word.hash(&mut hasher);
    hasher.finish()
}

/// Merges `next` into `kept` when they overlap in one file, so that the shared text occurs once.
fn merge_overlap(kept: &mut Hit, next: &Hit) -> bool {
    if !is_same_file(kept, next) || kept.chunk.bytes.overlap(next.chunk.bytes) == 0 {
        return false;
    }
    let (a, b) = if kept.chunk.bytes.start <= next.chunk.bytes.start {
        (&kept.chunk, &next.chunk)
    } else {
        (&next.chunk, &kept.chunk)
    };
    let (text, units) = if a.text.contains(&b.text) {
        (a.text.clone(), a.units.clone())
    } else if b.text.contains(&a.text) {
        (b.text.clone(), b.units.clone())
    } else {
        let Some(shared) = shared_len(&a.text, &b.text) else { return false };
        (format!("{}{}", a.text, b.text.slice(shared..)), joined(a, b, shared))
    };
    let bytes = Span::new(a.bytes.start, a.bytes.end.max(b.bytes.end));
    let lines = union(a.lines, b.lines);
    let (heading, place, table_header) =
        (a.heading.clone(), a.place.clone(), a.table_header.clone());
    kept.chunk = Chunk { heading, text, bytes, lines, place, units, table_header };
    true
}

/// The units of two passages whose texts share `shared` bytes. A unit that `b` has whole and `a`
/// only in part is that of `b`.
fn joined(a: &Chunk, b: &Chunk, shared: usize) -> Vec<Unit> {
    let further = shifted(&b.units, a.text.len(), shared);
    let start = further.first().map_or(usize::MAX, |unit| unit.span.start);
    let mut units: Vec<Unit> =
        a.units.iter().filter(|unit| unit.span.start < start).cloned().collect();
    if let (Some(last), Some(next)) = (units.last_mut(), further.first())
        && last.span.end > next.span.start
    {
        // `b` begins within this unit.
        last.span.end = next.span.end;
        last.bytes.end = last.bytes.end.max(next.bytes.end);
        last.lines = union(last.lines, next.lines);
        units.extend(further.into_iter().skip(1));
        return units;
    }
    units.extend(further);
    units
}

/// Units of a text without its first `shared` bytes, in a text in which the rest begins at `at`.
fn shifted(units: &[Unit], at: usize, shared: usize) -> Vec<Unit> {
    let moved = |offset: usize| (at + offset).saturating_sub(shared);
    units
        .iter()
        .filter(|unit| unit.span.end > shared)
        .map(|unit| Unit {
            span: Span::new(moved(unit.span.start), moved(unit.span.end)),
            ..unit.clone()
        })
        .collect()
}

fn union(a: Lines, b: Lines) -> Lines {
    Lines { first: a.first.min(b.first), last: a.last.max(b.last) }
}

/// Length of the longest text that ends `a` and begins `b`. A few shared bytes are chance.
fn shared_len(a: &str, b: &str) -> Option<usize> {
    const MIN_BYTES: usize = 12;
    (MIN_BYTES..=a.len().min(b.len()))
        .rev()
        .find(|&len| a.as_bytes().ends_with(&b.as_bytes()[..len]) && b.is_char_boundary(len))
}
