//! Ranked hits → the passages an answer may rest on.
//!
//! The surprising rule: the order of hits with equal scores is not taken from the ranking but from
//! path and position, so that the same passages give the same answer whichever way a tie fell.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::document::{Citation, Hit, Lines, Span};
use crate::strings::StrExt as _;

/// How much evidence to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    pub max_passages: usize,
    /// Passages of one file; the rest of a long file seldom adds what another file does not say
    /// better.
    pub max_per_source: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_passages: 8, max_per_source: 4 }
    }
}

/// One passage that counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// The passage; when it swallowed an overlapping neighbour, the text and span of both.
    pub hit: Hit,
    /// 0 for the best; passages with equal scores share a place.
    pub place: usize,
}

/// The evidence among `hits`, best first: no text twice, no file too often.
#[must_use]
pub fn choose(hits: &[Hit], limits: Limits) -> Vec<Evidence> {
    let mut chosen: Vec<(Evidence, Words)> = Vec::new();
    for candidate in placed(hits) {
        let words = Words::of(&candidate.hit);
        if chosen.iter().any(|(_, others)| others.are_nearly(&words)) {
            continue;
        }
        if let Some(at) =
            chosen.iter_mut().position(|(kept, _)| swallow(&mut kept.hit, &candidate.hit))
        {
            let (kept, words) = &mut chosen[at];
            *words = Words::of(&kept.hit);
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

/// `evidence` in the order of the documents, by path and position, with neighbours made one:
/// passages of one section of one file that lie at most `max_gap` bytes apart. The order depends on
/// which passages were chosen and on nothing else.
#[must_use]
pub fn in_order(mut evidence: Vec<Evidence>, max_gap: usize) -> Vec<Evidence> {
    evidence.sort_by(|a, b| identity(&a.hit).cmp(&identity(&b.hit)));
    let mut ordered: Vec<Evidence> = Vec::with_capacity(evidence.len());
    for next in evidence {
        if let Some(last) = ordered.last_mut()
            && (swallow(&mut last.hit, &next.hit) || append(&mut last.hit, &next.hit, max_gap))
        {
            last.place = last.place.min(next.place);
        } else {
            ordered.push(next);
        }
    }
    ordered
}

/// Adds `next` to the end of `kept` when nothing but white space can lie between them.
fn append(kept: &mut Hit, next: &Hit, max_gap: usize) -> bool {
    let (a, b) = (&mut kept.chunk, &next.chunk);
    let is_next = kept.root == next.root && kept.path == next.path && a.heading == b.heading;
    let gap = b.bytes.start.checked_sub(a.bytes.end).filter(|gap| is_next && *gap <= max_gap);
    let Some(gap) = gap else { return false };
    a.text.push_str(["", "\n", "\n\n"][gap.min(2)]);
    a.text.push_str(&b.text);
    a.bytes = Span::new(a.bytes.start, b.bytes.end);
    a.lines =
        Lines { first: a.lines.first.min(b.lines.first), last: a.lines.last.max(b.lines.last) };
    true
}

/// The best pieces, numbered anew: what is shown when nothing supports an answer.
#[must_use]
pub fn nearest(evidence: &[Evidence], n: usize) -> Vec<Citation> {
    let mut best: Vec<&Evidence> = evidence.iter().collect();
    best.sort_by_key(|piece| piece.place);
    best.into_iter()
        .take(n)
        .zip(1..)
        .map(|(piece, n)| Citation { n, hit: piece.hit.clone() })
        .collect()
}

/// By rank, ties by path and position, each with its place.
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

/// The distinct words of a passage, each by a number of 64 bits, in rising order.
struct Words(Vec<u64>);

impl Words {
    fn of(hit: &Hit) -> Self {
        let number = |word: &str| {
            let mut hasher = DefaultHasher::new();
            word.hash(&mut hasher);
            hasher.finish()
        };
        let mut words: Vec<u64> = hit.chunk.text.split_whitespace().map(number).collect();
        words.sort_unstable();
        words.dedup();
        Self(words)
    }

    /// Whether two passages share nearly all their words: a licence header, a copied paragraph.
    fn are_nearly(&self, other: &Self) -> bool {
        let (few, many) =
            if self.0.len() <= other.0.len() { (&self.0, &other.0) } else { (&other.0, &self.0) };
        let (mut shared, mut rest) = (0, many.as_slice());
        // At best every one of the few is among the many.
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

/// Joins `next` to `kept` when they overlap in the same file, so that the shared text stands once.
fn swallow(kept: &mut Hit, next: &Hit) -> bool {
    if !is_same_file(kept, next) || kept.chunk.bytes.overlap(next.chunk.bytes) == 0 {
        return false;
    }
    let (a, b) = if kept.chunk.bytes.start <= next.chunk.bytes.start {
        (&kept.chunk, &next.chunk)
    } else {
        (&next.chunk, &kept.chunk)
    };
    let text = if a.text.contains(&b.text) {
        a.text.clone()
    } else if b.text.contains(&a.text) {
        b.text.clone()
    } else {
        let Some(shared) = shared_len(&a.text, &b.text) else { return false };
        format!("{}{}", a.text, b.text.slice(shared..))
    };
    let (heading, place) = (a.heading.clone(), a.place.clone());
    let lines =
        Lines { first: a.lines.first.min(b.lines.first), last: a.lines.last.max(b.lines.last) };
    let bytes = Span::new(a.bytes.start, a.bytes.end.max(b.bytes.end));
    kept.chunk.text = text;
    kept.chunk.heading = heading;
    kept.chunk.place = place;
    kept.chunk.lines = lines;
    kept.chunk.bytes = bytes;
    true
}

/// Bytes with which `a` ends and `b` begins. Fewer than a few words is chance.
fn shared_len(a: &str, b: &str) -> Option<usize> {
    const MIN_BYTES: usize = 12;
    (MIN_BYTES..=a.len().min(b.len()))
        .rev()
        .find(|&len| a.as_bytes().ends_with(&b.as_bytes()[..len]) && b.is_char_boundary(len))
}
