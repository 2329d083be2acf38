//! Texts that ask several questions, and the merged ranking of their parts.
//!
//! Conservative: a part must be a question by itself. "What is X and how do I install it?" is two,
//! with *it* replaced by *X*; "What are the pros and cons of X?" is one. The caller searches for
//! every part and merges the rankings with [`merge`].

use std::collections::HashSet;

use crate::document::Hit;
use crate::strings::StrExt as _;

/// A text of more parts is a form to fill in, not a question.
const MAX_PARTS: usize = 4;

/// The queries to search for: the question itself, or its parts when it has several. A comparison
/// is searched for as a whole, and each of its things by itself.
#[must_use]
pub fn parts(question: &str) -> Vec<String> {
    let things = things(question);
    if things.len() > 1 {
        return std::iter::once(question.trim().to_owned()).chain(queries(&things)).collect();
    }
    questions(question)
}

/// Merges the rankings of a question's parts: the best passage of each part, then the second best
/// of each, and so on, without duplicates, with new ranks. A passage keeps the score and
/// contributions of the ranking in which it comes first.
#[must_use]
pub fn merge(parts: &[(String, Vec<Hit>)]) -> Vec<Hit> {
    let mut seen = HashSet::new();
    let longest = parts.iter().map(|(_, hits)| hits.len()).max().unwrap_or(0);
    let mut merged: Vec<Hit> = (0..longest)
        .flat_map(|place| parts.iter().filter_map(move |(_, hits)| hits.get(place)))
        .filter(|hit| seen.insert((hit.root.clone(), hit.path.clone(), hit.chunk.bytes)))
        .cloned()
        .collect();
    merged.iter_mut().zip(1..).for_each(|(hit, rank)| hit.rank = rank);
    merged
}

/// The questions of a text; the whole text when it asks one, or cannot be split.
pub(super) fn questions(text: &str) -> Vec<String> {
    let whole = vec![text.trim().to_owned()];
    let mut found: Vec<String> = Vec::new();
    let sentences = text.split_inclusive(['?', '？']).map(str::trim);
    for sentence in sentences.filter(|sentence| !sentence.is_empty()) {
        // A statement belongs to its question: "I use Linux. What …?"
        if !sentence.ends_with(['?', '？']) && !is_request(sentence) {
            return whole;
        }
        for piece in clauses(sentence) {
            match found.first().map(|first| resolve(piece, first)) {
                None => found.push(piece.to_owned()),
                Some(Some(piece)) => found.push(piece),
                Some(None) => return whole,
            }
        }
    }
    if (2..=MAX_PARTS).contains(&found.len()) { found } else { whole }
}

type Joint = (&'static [&'static str], &'static str, &'static [&'static str]);

/// The marks between two questions in one sentence; the words that must follow the question word,
/// so that the second part asks ("and how do I") and does not describe ("and how it works"), `*`
/// being anything; the question words that begin it.
const JOINTS: &[Joint] = &[
    (
        &[", and ", " and ", "; ", ", "],
        "is are was were do does did can could should would has have had will",
        &["what", "how", "when", "where", "why", "who"],
    ),
    (&[", and ", " and ", "; "], "many much long often to far large old", &["how"]),
    (&[", and ", "; "], "*", &["who"]),
    (&[", und ", " und ", "; "], "*", &["was", "wie", "wer", "wann", "wo", "warum", "wieso"]),
    (&[", et ", " et ", "; "], "*", &["comment", "pourquoi", "quand", "qu'est-ce"]),
    (&[", y ", " y ", "; "], "*", &["cómo", "qué", "quién", "cuándo", "dónde"]),
];

/// The questions of one sentence.
fn clauses(sentence: &str) -> Vec<&str> {
    let lower = sentence.to_ascii_lowercase();
    let mut clauses = Vec::new();
    let mut start = 0;
    for (at, _) in lower.char_indices() {
        let joint = JOINTS.iter().find_map(|joint| joint_len(lower.slice(at..), joint));
        if let Some(len) = joint
            && at > start
            && is_request(sentence.slice(start..at))
        {
            clauses.push(sentence.slice(start..at).trim());
            start = at + len;
        }
    }
    clauses.push(sentence.slice(start..).trim());
    clauses
}

/// The length of the mark of `joint` that `text` begins with, if a question follows.
fn joint_len(text: &str, (marks, follows, openers): &Joint) -> Option<usize> {
    let mark = marks.iter().find(|mark| text.starts_with(**mark))?;
    let mut words = text.slice(mark.len()..).split_whitespace();
    if !openers.contains(&words.next()?) {
        return None;
    }
    let next = words.next()?;
    let is_question = *follows == "*" || follows.split(' ').any(|word| word == next);
    (is_question && words.next().is_some()).then_some(mark.len())
}

/// Whether a text of more than two words begins like a question or a request.
fn is_request(text: &str) -> bool {
    const OPENERS: &str = "what how when where why who which is are was were do does did can could \
         should would define explain \
        describe list was wie wer wann wo warum wieso welche welcher welches comment pourquoi \
        quand qu quel quelle que \
        qué cómo quién cuándo dónde cuál";
    let mut words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    let Some(first) = words.next().map(str::to_lowercase) else { return false };
    words.nth(1).is_some() && OPENERS.split_ascii_whitespace().any(|opener| opener == first)
}

/// `part` with its pronoun replaced by the subject of the `first` question; `None` when it has a
/// pronoun and the first question has no evident subject.
fn resolve(part: &str, first: &str) -> Option<String> {
    const PRONOUNS: &[&str] =
        &["it", "its", "they", "them", "their", "he", "she", "him", "his", "her"];
    let bare = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let mut words: Vec<&str> = part.split_whitespace().collect();
    let Some(at) = words.iter().position(|word| PRONOUNS.contains(&bare(word).as_str())) else {
        return Some(part.to_owned());
    };
    let subject = subject(first)?;
    let mark = words[at].chars().next_back().filter(|c| matches!(c, '?' | '？' | ','));
    let replacement = format!("{subject}{}", mark.map(String::from).unwrap_or_default());
    words[at] = &replacement;
    Some(words.join(" "))
}

/// The subject of a question, where its form makes it evident.
fn subject(question: &str) -> Option<&str> {
    const OPENINGS: &[&str] = &[
        "what is ",
        "what are ",
        "what was ",
        "what were ",
        "who is ",
        "who was ",
        "where is ",
        "where are ",
        "define ",
        "was ist ",
        "wer ist ",
        "wer war ",
        "qu'est-ce que ",
        "qué es ",
    ];
    let lower = question.to_ascii_lowercase();
    let open = OPENINGS.iter().find(|opening| lower.starts_with(**opening))?;
    let subject = question.slice(open.len()..).trim_end_matches(['?', '？', '.', ',', ' ']);
    (1..=6).contains(&subject.split_whitespace().count()).then_some(subject)
}

/// The forms of a comparison: before the things, between them, and after them.
const COMPARISONS: &[(&[&str], &[&str], &[&str])] = &[
    (
        &["difference between ", "differences between ", "comparison between ", "comparison of "],
        &[", and ", ", ", " and "],
        &[],
    ),
    (&["compare "], &[", and ", ", ", " and ", " with ", " to ", " against "], &[]),
    (&["how does ", "how do "], &[" differ from ", " compare to ", " compare with "], &[]),
    (&["how is ", "how are "], &[" different from "], &[]),
    (
        &["which is better, ", "which is better: ", "which is faster, "],
        &[", or ", ", ", " or "],
        &[],
    ),
    (&["unterschied zwischen ", "unterschiede zwischen "], &[", ", " und "], &[]),
    (&["wie unterscheidet sich ", "wie unterscheiden sich "], &[" von "], &[]),
    (&["différence entre ", "différences entre "], &[", ", " et "], &[]),
    (&["diferencia entre ", "diferencias entre "], &[", ", " y "], &[]),
    (&[""], &[" vs. ", " vs ", " versus "], &[]),
    (&[""], &["和", "与", "跟"], &["的区别", "的差别", "有什么区别", "有什么不同"]),
    (&[""], &["と"], &["の違い"]),
];

/// The two to four things that a question compares, as it names them; empty when it is not
/// evidently a comparison.
pub(super) fn things(question: &str) -> Vec<String> {
    COMPARISONS
        .iter()
        .map(|wording| things_by(question, wording))
        .find(|things| !things.is_empty())
        .unwrap_or_default()
}

fn things_by(
    question: &str,
    (opens, between, closes): &(&[&str], &[&str], &[&str]),
) -> Vec<String> {
    // The name of an editor separates nothing.
    let lowered = |text: &str| text.to_ascii_lowercase().replace(" vs code", " vs_code");
    let lower = lowered(question);
    let Some(start) = opens.iter().find_map(|open| Some(lower.find(open)? + open.len())) else {
        return Vec::new();
    };
    let close = closes.iter().find_map(|close| lower.slice(start..).find(close));
    if close.is_none() && !closes.is_empty() {
        return Vec::new();
    }
    let end = close.map_or(lower.len(), |close| start + close);
    let mut rest = question.slice(start..end);
    if let Some(stop) = rest.find(['?', '？', ';']) {
        rest = rest.slice(..stop);
    }
    let mut things = Vec::new();
    while let Some((at, len)) = between
        .iter()
        .filter_map(|mark| Some((lowered(rest).find(mark)?, mark.len())))
        .min_by_key(|&(at, len)| (at, std::cmp::Reverse(len)))
    {
        things.push(rest.slice(..at));
        rest = rest.slice(at + len..);
    }
    things.push(rest);
    // "… in Rust", "… when writing": the setting of the comparison, not a thing.
    let last = things.len() - 1;
    for aside in [" in ", " when ", " with respect to ", " for ", " bei ", " dans ", " en "] {
        if things[..last].iter().all(|thing| !thing.contains(aside)) {
            things[last] = things[last].split(aside).next().unwrap_or(things[last]);
        }
    }
    let things: Vec<String> = things.into_iter().map(|thing| bare_name(thing).to_owned()).collect();
    let is_thing = |thing: &String| {
        (1..=6).contains(&thing.split_whitespace().count())
            && thing.chars().any(char::is_alphanumeric)
    };
    let distinct: HashSet<String> = things.iter().map(|thing| thing.to_lowercase()).collect();
    let are_distinct = distinct.len() == things.len() && (2..=MAX_PARTS).contains(&things.len());
    if are_distinct && things.iter().all(is_thing) { things } else { Vec::new() }
}

/// A thing without its article and the opening of a short question.
fn bare_name(thing: &str) -> &str {
    const BEFORE: &[&str] = &[
        "what is better, ",
        "what is better: ",
        "explain ",
        "when to use ",
        "should i use ",
        "what about ",
        "using ",
        "the ",
        "a ",
        "an ",
        "der ",
        "die ",
        "das ",
        "einem ",
        "einer ",
        "le ",
        "la ",
        "les ",
        "el ",
        "un ",
        "une ",
        "una ",
    ];
    let mut thing = thing.trim().trim_end_matches(['.', ',', '!']);
    while let Some(before) = BEFORE.iter().find(|before| {
        thing.get(..before.len()).is_some_and(|head| head.eq_ignore_ascii_case(before))
    }) {
        thing = thing.slice(before.len()..).trim_start();
    }
    thing
}

/// The query for each thing: "lexical" of "lexical and dense search" becomes "lexical search".
fn queries(things: &[String]) -> Vec<String> {
    let head = things.last().and_then(|last| last.rsplit_once(' ')).map(|(_, head)| head);
    let with_head = |thing: &String| match head {
        Some(head)
            if !thing.contains(' ') && !head.to_lowercase().contains(&thing.to_lowercase()) =>
        {
            format!("{thing} {head}")
        }
        _ => thing.clone(),
    };
    things.iter().map(with_head).collect()
}
