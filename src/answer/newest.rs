//! The newest statement wins: of mails of one thread, or of dated notes, that say the same kind of
//! thing about the words of a question, only the newest is quoted. Documents without dates, and
//! documents that are no series, keep the order that they have.

use super::evidence::Evidence;
use super::score::Candidate;
use crate::dates::{self, Day};
use crate::document::{Hit, UnitKind, extension_of};
use crate::strings::StrExt as _;

/// A document of a series.
#[derive(PartialEq)]
struct Dated {
    /// What the documents of the series have in common.
    series: String,
    day: Day,
    /// The whole statement of a date, which orders the mails of one day.
    at: String,
}

/// The unit that the newest document of a series puts in the place of the first of `ranked`, which
/// are the units of a ranking; the first itself where nothing newer says as much.
pub(super) fn newest(
    ranked: &[usize],
    candidates: &[Candidate],
    evidence: &[Evidence],
) -> Option<usize> {
    let dated: Vec<Option<Dated>> =
        evidence.iter().map(|piece| dated(&piece.hit, evidence)).collect();
    let is_older = |older: usize, newer: usize| {
        let (Some(a), Some(b)) = (&dated[older], &dated[newer]) else { return false };
        a.series == b.series && (a.day, &a.at) < (b.day, &b.at)
    };
    let first = *ranked.first()?;
    let older = &candidates[first];
    let newer = ranked.iter().copied().filter(|&other| {
        let newer = &candidates[other];
        is_older(older.source, newer.source) && says_as_much(older, newer)
    });
    // Of one document the unit with the best score, which comes first.
    let newest = newer.reduce(|best, other| {
        if is_older(candidates[best].source, candidates[other].source) { other } else { best }
    });
    newest.or(Some(first))
}

/// Whether a sentence has every word of the question that the other has, in itself or in the title
/// of its document, and what the question asks for. Where that is unknown, as in questions that
/// ask why, most of the words must be in the sentence itself.
fn says_as_much(older: &Candidate, newer: &Candidate) -> bool {
    let is_prose = |candidate: &Candidate| {
        matches!(candidate.kind, UnitKind::Sentence | UnitKind::Item { .. })
    };
    let n_terms = older.found.positions.len();
    let count = |candidate: &Candidate| (0..n_terms).filter(|at| candidate.found.has(*at)).count();
    let has_all = (0..n_terms)
        .all(|term| !older.found.has(term) || newer.found.has(term) || newer.in_title(term));
    let (own, before) = (count(newer), count(older));
    let has_type = |candidate: &Candidate| candidate.features.has_type > 0.0;
    is_prose(older)
        && is_prose(newer)
        && has_all
        && newer.features.has_type >= older.features.has_type
        && (own * 2 > before || own > 0 && has_type(older) && has_type(newer))
}

/// The date of a document and its series: the thread of a mail, or the folder of dated notes.
fn dated(hit: &Hit, evidence: &[Evidence]) -> Option<Dated> {
    let same = |piece: &&Evidence| piece.hit.root == hit.root && piece.hit.path == hit.path;
    let (folder, name) = hit.path.rsplit_once('/').unwrap_or(("", &hit.path));
    let at = match extension_of(name) {
        "mbox" => record(hit, "date"),
        "eml" | "msg" => evidence.iter().filter(same).find_map(|piece| record(&piece.hit, "date")),
        _ => None,
    };
    if let Some(at) = at {
        let subject = hit.title.as_deref().or(hit.chunk.heading.first().map(String::as_str));
        let series = thread(subject.unwrap_or_default());
        return Some(Dated { series, day: dates::stated(&at)?, at });
    }
    let day = dates::stated(name).filter(|day| day.day > 0)?;
    Some(Dated { series: format!("{}/{folder}", hit.root), day, at: String::new() })
}

/// The value of a record of a passage, such as `Date: …`.
fn record(hit: &Hit, key: &str) -> Option<String> {
    let records = hit.chunk.units.iter().filter(|unit| unit.kind == UnitKind::Record);
    records
        .filter_map(|unit| hit.chunk.text.slice(unit.span.range()).split_once(':'))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case(key))
        .map(|(_, value)| value.trim().to_owned())
}

/// A subject without the marks of replies, which differ by language.
fn thread(subject: &str) -> String {
    let mut rest = subject.trim();
    while let Some((mark, after)) = rest.split_once(':') {
        let is_mark =
            (2..=4).contains(&mark.chars().count()) && mark.chars().all(char::is_alphabetic);
        if !is_mark {
            break;
        }
        rest = after.trim_start();
    }
    rest.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_has_one_subject() {
        assert_eq!(thread("Re: AW: Lighthouse kickoff"), "lighthouse kickoff");
        assert_eq!(thread("Lighthouse: kickoff"), "lighthouse: kickoff");
    }
}
