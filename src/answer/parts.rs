//! Questions that are several, and the rankings of their parts put together.
//!
//! Conservative: a part must be a question by itself. "What is X and how do I install it?" is two,
//! with *X* put for *it*; "What are the pros and cons of X?" is one. Whoever retrieves looks for
//! every part and hands over what [`merge`] made of it.

use std::collections::HashSet;

use crate::document::Hit;
use crate::strings::StrExt as _;

/// More parts than this are a form to fill in, not a question.
const MAX_PARTS: usize = 4;

/// What to retrieve for a question: the question itself when it is one, its parts when it is
/// several. Two things compared are looked for together, as the question stands, and each by
/// itself.
#[must_use]
pub fn parts(question: &str) -> Vec<String> {
    let things = things(question);
    if things.len() > 1 {
        return std::iter::once(question.trim().to_owned()).chain(sought(&things)).collect();
    }
    questions(question)
}

/// The rankings of the parts of one question as one: the best passage of each part, then the second
/// best of each, and so on, none twice, ranked anew. A passage keeps its score and legs from the
/// ranking that it came first in.
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

/// The questions that one text asks; the text itself when it is one question or cannot be told
/// apart.
pub(super) fn questions(text: &str) -> Vec<String> {
    let whole = vec![text.trim().to_owned()];
    let mut found: Vec<String> = Vec::new();
    for sentence in
        text.split_inclusive(['?', '？']).map(str::trim).filter(|sentence| !sentence.is_empty())
    {
        // What is not asked belongs to what is: "I use Linux. What …?"
        if !sentence.ends_with(['?', '？']) && !asks(&word_list(sentence)) {
            return whole;
        }
        for piece in clauses(sentence) {
            match found.first().map(|first| resolved(piece, first)) {
                None => found.push(piece.to_owned()),
                Some(Some(piece)) => found.push(piece),
                Some(None) => return whole,
            }
        }
    }
    if (2..=MAX_PARTS).contains(&found.len()) { found } else { whole }
}

/// What may stand between two questions in one sentence, and what the second one begins with:
/// question words, each with what must follow so that it asks ("and how do I"), and does not
/// describe ("and how it works"). `*` is anything.
const JOINTS: &[(&[&str], &str, &[&str])] = &[
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
        let joint = JOINTS.iter().find_map(|(marks, follows, openers)| {
            let mark = marks.iter().find(|mark| lower.slice(at..).starts_with(**mark))?;
            let mut words = lower.slice(at + mark.len()..).split_whitespace();
            let opens = openers.contains(&words.next()?);
            let next = words.next()?;
            let fits = opens && (*follows == "*" || follows.split(' ').any(|word| word == next));
            (fits && words.next().is_some()).then_some(mark.len())
        });
        if let Some(len) = joint
            && at > start
            && asks(&word_list(sentence.slice(start..at)))
        {
            clauses.push(sentence.slice(start..at).trim());
            start = at + len;
        }
    }
    clauses.push(sentence.slice(start..).trim());
    clauses
}

/// Whether words begin like a question or a request, and go on.
fn asks(words: &[String]) -> bool {
    const OPENERS: &str = "what how when where why who which is are was were do does did can could \
         should would define explain \
        describe list was wie wer wann wo warum wieso welche welcher welches comment pourquoi \
        quand qu quel quelle que \
        qué cómo quién cuándo dónde cuál";
    words.len() > 2 && OPENERS.split_ascii_whitespace().any(|opener| opener == words[0])
}

fn word_list(text: &str) -> Vec<String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_lowercase)
        .collect()
}

/// `part` with the subject of the `first` question put for a pronoun; `None` when it has a pronoun
/// and the first has no subject that could be told.
fn resolved(part: &str, first: &str) -> Option<String> {
    const PRONOUNS: &[&str] =
        &["it", "its", "they", "them", "their", "he", "she", "him", "his", "her"];
    let bare = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let words: Vec<&str> = part.split_whitespace().collect();
    let Some(at) = words.iter().position(|word| PRONOUNS.contains(&bare(word).as_str())) else {
        return Some(part.to_owned());
    };
    let subject = subject(first)?;
    let mark = words[at].chars().next_back().filter(|c| matches!(c, '?' | '？' | ','));
    let put = format!("{subject}{}", mark.map(String::from).unwrap_or_default());
    let words = words.iter().enumerate().map(|(i, word)| if i == at { put.as_str() } else { word });
    Some(words.collect::<Vec<_>>().join(" "))
}

/// What a question is about, where its form says so.
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

/// How a comparison is worded: what stands before the things, between them, and behind them.
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

/// The two to four things that a question compares, as it names them; empty when it compares none
/// that can be told.
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
    let lower = question.to_ascii_lowercase();
    let Some(start) = opens.iter().find_map(|open| Some(lower.find(open)? + open.len())) else {
        return Vec::new();
    };
    let end = if closes.is_empty() {
        lower.len()
    } else {
        let Some(close) = closes.iter().find_map(|close| lower.slice(start..).find(close)) else {
            return Vec::new();
        };
        start + close
    };
    let mut rest = question.slice(start..end);
    if let Some(stop) = rest.find(['?', '？', ';']) {
        rest = rest.slice(..stop);
    }
    let mut things = Vec::new();
    while let Some((at, len)) = between
        .iter()
        .filter_map(|mark| Some((rest.to_ascii_lowercase().find(mark)?, mark.len())))
        .min_by_key(|&(at, len)| (at, std::cmp::Reverse(len)))
    {
        things.push(rest.slice(..at));
        rest = rest.slice(at + len..);
    }
    things.push(rest);
    // "… in Rust", "… when writing": where the comparison is made, not what is compared.
    let last = things.len() - 1;
    for aside in [" in ", " when ", " with respect to ", " for ", " bei ", " dans ", " en "] {
        if things[..last].iter().all(|thing| !thing.contains(aside)) {
            things[last] = things[last].split(aside).next().unwrap_or(things[last]);
        }
    }
    let things: Vec<String> = things.into_iter().map(|thing| named(thing).to_owned()).collect();
    let is_thing = |thing: &String| {
        (1..=6).contains(&thing.split_whitespace().count())
            && thing.chars().any(char::is_alphanumeric)
    };
    let distinct: HashSet<String> = things.iter().map(|thing| thing.to_lowercase()).collect();
    let are_told_apart = distinct.len() == things.len() && (2..=MAX_PARTS).contains(&things.len());
    if are_told_apart && things.iter().all(is_thing) { things } else { Vec::new() }
}

/// A thing without its article and what a short question puts before it.
fn named(thing: &str) -> &str {
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

/// What to look for so that each thing is found: "lexical" of "lexical and dense search" is looked
/// for as "lexical search".
fn sought(things: &[String]) -> Vec<String> {
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
