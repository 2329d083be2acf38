//! An answer made of the documents' own sentences.
//!
//! Every sentence is scored, the best is taken, and then what adds to it. A lead-in takes the list
//! or code that it announces along; steps stay a list; code stays a fence. What was chosen is then
//! told in the order of the documents.

use crate::analysis::Kind;
use crate::document::{Answer, Hit};
use crate::error::Result;

use super::evidence::{self, Evidence, Limits};
use super::intent::{AnswerType, Intent};
use super::question::Question;
use super::render::{Quote, Section, code_lines};
use super::score::{self, Candidate};
use super::support::Strength;
use super::{Options, Tools, compare, parts, render};

/// How far below the best a further sentence may score.
const REACH: f64 = 1.0;
/// The same where sentences of other places are wanted.
const WIDE_REACH: f64 = 2.5;
/// Share of a sentence's words that may have been said already.
const MAX_REPEATED: f64 = 0.7;
/// A list may run on for this many times the words of a paragraph: it is read line by line.
const LIST_STRETCH: usize = 2;
const MAX_ITEMS: usize = 10;
/// Sentences of a summary, each from another place as far as there are any.
const SUMMARY_SENTENCES: usize = 5;
/// A passage that has this share of a part's weight was found for that part.
const RELATED: f64 = 0.5;

/// The passages that an answer to `question` may rest on: those of a question with several parts,
/// and of one that wants a summary, are more.
#[must_use]
pub fn evidence(question: &str, hits: &[Hit], options: &Options) -> Vec<Evidence> {
    let intent = options.intent.unwrap_or_else(|| Intent::of(question));
    let stretch = parts::parts(question).len() * if intent == Intent::Summary { 2 } else { 1 };
    evidence::choose(
        hits,
        Limits { max_passages: options.limits.max_passages * stretch, ..options.limits },
    )
}

/// Answers `question` from its [`evidence()`], or says that it does not support an answer: then the
/// text is empty and the citations are the nearest passages. Of a question with several parts,
/// those parts are answered that can be, each in its paragraph.
///
/// # Errors
/// Whatever [`Tools::similarity`] reports.
pub fn answer(
    question: &str,
    evidence: &[Evidence],
    tools: &Tools<'_>,
    options: &Options,
) -> Result<Answer> {
    let intent = options.intent.unwrap_or_else(|| Intent::of(question));
    if intent == Intent::Comparison
        && let Some(sections) = compare::sections(question, evidence, tools, options)
    {
        return Ok(render::render(sections, evidence));
    }
    let questions = parts::questions(question);
    let n = questions.len();
    let share = Options {
        max_words: options.max_words.div_ceil(n),
        max_compared: options.max_compared.div_ceil(n),
        ..*options
    };
    let mut sections: Vec<Section> = Vec::new();
    for question in &questions {
        let mut quotes = quotes(question, n > 1, evidence, tools, &share)?;
        quotes.retain(|quote| {
            !sections.iter().flat_map(|said| &said.quotes).any(|said| said.is_same(quote))
        });
        if !quotes.is_empty() {
            sections.push(Section { label: None, quotes });
        }
    }
    if sections.is_empty() {
        return Ok(Answer {
            text: String::new(),
            supported: false,
            citations: evidence::nearest(evidence, options.max_nearest),
        });
    }
    Ok(render::render(sections, evidence))
}

/// What answers one question, the best first; nothing when the evidence does not support an answer.
fn quotes(
    question: &str,
    is_part: bool,
    evidence: &[Evidence],
    tools: &Tools<'_>,
    options: &Options,
) -> Result<Vec<Quote>> {
    let wish = Wish::of(question, options);
    let asked = Question::new(question, wish.intent.requests(), tools);
    let mut candidates = score::candidates(&asked, &wish, evidence);
    // The cosines of a passage that was found for another part say nothing about this one.
    let is_related = |source: usize| {
        !is_part
            || candidates
                .iter()
                .any(|other| other.source == source && other.features.passage >= RELATED)
    };
    let related = evidence
        .iter()
        .enumerate()
        .filter(|&(source, _)| is_related(source))
        .map(|(_, piece)| piece);
    let is_supported =
        Strength::of(question, wish.wanted, &asked, &candidates, related).margin() > 0.0;
    let shortlist = shortlist(&mut candidates, wish.intent, tools, options)?;
    if !is_supported {
        return Ok(Vec::new());
    }
    let chosen = choose(&candidates, &shortlist, &wish, evidence, options);
    Ok(chosen.into_iter().map(|at| Quote::of(&candidates, at)).collect())
}

/// What kind of answer is wished for.
pub(super) struct Wish {
    pub intent: Intent,
    pub wanted: AnswerType,
    pub wants_code: bool,
}

impl Wish {
    fn of(question: &str, options: &Options) -> Self {
        let intent = options.intent.unwrap_or_else(|| Intent::of(question));
        Self {
            intent,
            wanted: AnswerType::of(question),
            wants_code: super::intent::wants_code(question),
        }
    }

    /// How far below the best a further sentence may score.
    fn reach(&self) -> f64 {
        match self.intent {
            Intent::Summary => WIDE_REACH,
            _ => REACH,
        }
    }

    fn wants_list(&self) -> bool {
        matches!(self.intent, Intent::HowTo | Intent::List)
    }
}

/// Scores the candidates and returns the best ones, best first, their nearness to the question
/// counted where it can be had.
fn shortlist(
    candidates: &mut [Candidate],
    intent: Intent,
    tools: &Tools<'_>,
    options: &Options,
) -> Result<Vec<usize>> {
    candidates.iter_mut().for_each(|candidate| candidate.score = candidate.features.score(intent));
    // A heading names what is said below it and says nothing itself; least of all one that asks.
    let mut order: Vec<usize> =
        (0..candidates.len()).filter(|&at| !candidates[at].is_title()).collect();
    let by_score = |candidates: &[Candidate], order: &mut Vec<usize>| {
        order.sort_by(|&a, &b| candidates[b].score.total_cmp(&candidates[a].score).then(a.cmp(&b)));
    };
    by_score(candidates, &mut order);
    order.truncate(options.max_compared);
    if let (Some(similarity), false) = (tools.similarity, order.is_empty()) {
        let texts: Vec<String> = order.iter().map(|&at| candidates[at].text.clone()).collect();
        for (&at, cosine) in order.iter().zip(similarity(&texts)?) {
            candidates[at].features.cosine =
                if cosine.is_finite() { cosine.clamp(0.0, 1.0) } else { 0.0 };
            candidates[at].score = candidates[at].features.score(intent);
        }
        by_score(candidates, &mut order);
    }
    Ok(order)
}

/// The candidates to quote, by index, unordered.
fn choose(
    candidates: &[Candidate],
    shortlist: &[usize],
    wish: &Wish,
    evidence: &[Evidence],
    options: &Options,
) -> Vec<usize> {
    let Some(&best) = shortlist.first() else { return Vec::new() };
    if let Some(list) = list_around(candidates, best, wish, options) {
        return list;
    }
    let max_sentences = if wish.intent == Intent::Summary {
        SUMMARY_SENTENCES.max(options.max_sentences)
    } else {
        options.max_sentences
    };
    let mut chosen = Chosen {
        candidates,
        indices: Vec::new(),
        n_words: 0,
        n_sentences: 0,
        max_sentences,
        options,
    };
    if wish.intent == Intent::HowTo
        && let Some((lead, code)) = instructions_after(candidates, best)
    {
        chosen.push(best);
        if lead != best {
            chosen.push(lead);
        }
        chosen.add_code(code);
        return chosen.indices;
    }
    let order = match wish.intent {
        Intent::Summary => varied(candidates, shortlist, evidence),
        _ => shortlist.to_vec(),
    };
    for at in order {
        let is_first = chosen.indices.is_empty();
        let candidate = &candidates[at];
        if !is_first
            && (candidate.score < candidates[best].score - wish.reach()
                || candidate.features.is_odd > 0.0
                || chosen.repeats(at))
        {
            continue;
        }
        // Asked when, a sentence without a date beside one with it is padding.
        if !is_first && candidates[best].features.fits > candidate.features.fits {
            continue;
        }
        if candidate.kind == Kind::Code {
            if is_first
                || wish.wants_code && !chosen.has_code() && chosen.has_source(candidate.source)
            {
                chosen.add_code(at);
            }
            continue;
        }
        if is_first || chosen.fits(at) {
            chosen.add(at, wish);
        }
        if is_first
            && wish.intent == Intent::Troubleshooting
            && let Some(remedy) = remedy(candidates, at).filter(|&remedy| chosen.fits(remedy))
        {
            chosen.add(remedy, wish);
        }
    }
    chosen.indices
}

/// The shortlist with the best sentence of each section first: a summary says something of
/// everything.
fn varied(candidates: &[Candidate], shortlist: &[usize], evidence: &[Evidence]) -> Vec<usize> {
    let section = |at: usize| {
        let hit = &evidence[candidates[at].source].hit;
        (&hit.root, &hit.path, &hit.chunk.heading)
    };
    let is_new =
        |n: usize| shortlist[..n].iter().all(|&before| section(before) != section(shortlist[n]));
    let (first, further): (Vec<usize>, Vec<usize>) = (0..shortlist.len()).partition(|&n| is_new(n));
    first.into_iter().chain(further).map(|n| shortlist[n]).collect()
}

/// What helps, a few sentences behind the one that says what is wrong. It seldom repeats the words
/// of the complaint, so its score says nothing.
fn remedy(candidates: &[Candidate], best: usize) -> Option<usize> {
    const MAX_AHEAD: usize = 3;
    let is_near = |at: &usize| {
        candidates[*at].source == candidates[best].source && candidates[*at].kind != Kind::Heading
    };
    let ahead = best + 1..candidates.len().min(best + 1 + MAX_AHEAD);
    let mut ahead = ahead.take_while(is_near);
    if candidates[best].helps {
        return None;
    }
    ahead.find(|&at| candidates[at].helps && candidates[at].features.is_odd == 0.0)
}

struct Chosen<'a> {
    candidates: &'a [Candidate],
    indices: Vec<usize>,
    n_words: usize,
    n_sentences: usize,
    max_sentences: usize,
    options: &'a Options,
}

impl Chosen<'_> {
    fn fits(&self, at: usize) -> bool {
        self.n_sentences < self.max_sentences
            && self.n_words + self.candidates[at].n_words <= self.options.max_words
    }

    fn has_source(&self, source: usize) -> bool {
        self.indices.iter().any(|&at| self.candidates[at].source == source)
    }

    fn has_code(&self) -> bool {
        self.indices.iter().any(|&at| self.candidates[at].kind == Kind::Code)
    }

    /// Whether most of a sentence has been said by another.
    fn repeats(&self, at: usize) -> bool {
        let terms = &self.candidates[at].found.terms;
        self.indices.iter().any(|&other| {
            let said = &self.candidates[other].found.terms;
            let shared = terms.iter().filter(|term| said.contains(term)).count();
            at == other || shared as f64 > MAX_REPEATED * terms.len().min(said.len()) as f64
        })
    }

    /// Adds a sentence; with it, what it leans on and what it announces.
    fn add(&mut self, at: usize, wish: &Wish) {
        self.push(at);
        let before = at.checked_sub(1).filter(|&before| self.is_beside(before, at));
        if let Some(before) = before
            && score::leans(&self.candidates[at].text)
            && matches!(self.candidates[before].kind, Kind::Sentence | Kind::Item { .. })
            && self.candidates[before].features.is_odd == 0.0
            && !self.indices.contains(&before)
            && self.fits(before)
        {
            self.push(before);
        }
        // "There is a command called x." "It does y."
        const SHORT: usize = 15;
        if wish.wanted == AnswerType::Anything
            && self.n_sentences == 1
            && self.candidates[at].n_words < SHORT
            && self.candidates.get(at + 1).is_some_and(|next| {
                next.kind == Kind::Sentence
                    && next.features.is_odd == 0.0
                    && score::leans(&next.text)
            })
            && self.is_beside(at, at + 1)
            && self.fits(at + 1)
        {
            self.push(at + 1);
        }
        let announces = self.candidates[at].text.ends_with([':', '：']);
        let next =
            Some(at + 1).filter(|&next| next < self.candidates.len() && self.is_beside(at, next));
        if let Some(next) = next
            && self.candidates[next].kind == Kind::Code
            && (announces || wish.wants_code)
            && !self.has_code()
        {
            self.add_code(next);
        }
    }

    fn add_code(&mut self, at: usize) {
        if !self.indices.contains(&at) && !code_lines(&self.candidates[at].text).is_empty() {
            self.indices.push(at);
        }
    }

    fn push(&mut self, at: usize) {
        self.indices.push(at);
        self.n_words += self.candidates[at].n_words;
        self.n_sentences += 1;
    }

    fn is_beside(&self, first: usize, second: usize) -> bool {
        self.candidates[first].source == self.candidates[second].source
    }
}

/// The code that tells how, and the sentence that announces it, shortly after the best sentence.
fn instructions_after(candidates: &[Candidate], best: usize) -> Option<(usize, usize)> {
    const MAX_AHEAD: usize = 4;
    let source = candidates[best].source;
    if !matches!(candidates[best].kind, Kind::Sentence | Kind::Item { .. }) {
        return None;
    }
    (best..candidates.len().min(best + MAX_AHEAD))
        .take_while(|&at| candidates[at].source == source && candidates[at].kind != Kind::Heading)
        .find(|&at| {
            let code = candidates
                .get(at + 1)
                .filter(|next| next.source == source && next.kind == Kind::Code);
            candidates[at].text.ends_with([':', '：'])
                && code.is_some_and(|code| !code_lines(&code.text).is_empty())
        })
        .map(|lead| (lead, lead + 1))
}

/// The list that the best candidate announces or belongs to, if a list is what is wanted. A table
/// is a list of its rows.
fn list_around(
    candidates: &[Candidate],
    best: usize,
    wish: &Wish,
    options: &Options,
) -> Option<Vec<usize>> {
    let source = candidates[best].source;
    let is_row = |at: usize| {
        wish.intent == Intent::List && candidates.get(at).is_some_and(|c| c.kind == Kind::Row)
    };
    let is_item = |at: usize| {
        candidates.get(at).is_some_and(|c| {
            c.source == source && (matches!(c.kind, Kind::Item { .. }) || is_row(at))
        })
    };
    let is_first =
        |at: usize| matches!(candidates[at].kind, Kind::Item { first: true } | Kind::Row);
    let announces = |at: usize| candidates[at].text.ends_with([':', '：']);
    let start = if is_item(best) && wish.wants_list() {
        (0..=best).rev().take_while(|&at| is_item(at)).last()?
    } else if is_item(best + 1) && !is_item(best) && (wish.wants_list() || announces(best)) {
        best + 1
    } else if wish.wants_list()
        && let Some(lead) = (best + 1..=best + 2)
            .find(|&at| is_item(at + 1) && !is_item(at) && (announces(at) || is_row(at + 1)))
    {
        lead + 1
    } else {
        return None;
    };
    let mut list = Vec::new();
    let mut n_words = 0;
    let lead = start.checked_sub(1).filter(|&lead| {
        candidates[lead].source == source
            && candidates[lead].kind == Kind::Sentence
            && (announces(lead) || lead == best)
    });
    if start > best + 1 {
        list.push(best);
    }
    if let Some(lead) = lead {
        list.push(lead);
        n_words += candidates[lead].n_words;
    }
    let mut n_items = 0;
    for at in (start..candidates.len()).take_while(|&at| is_item(at)) {
        n_items += usize::from(is_first(at));
        n_words += candidates[at].n_words;
        if n_items > MAX_ITEMS || n_words > options.max_words * LIST_STRETCH {
            break;
        }
        list.push(at);
    }
    // A list that shares one line with the question is a list of something else.
    let n_on_topic = list.iter().filter(|&&at| candidates[at].features.coverage > 0.0).count();
    let is_on_topic = candidates[best].features.titled >= 0.5
        || lead.is_some_and(|lead| candidates[lead].features.coverage >= 0.4)
        || n_on_topic * 2 > list.len();
    let has_best = list.contains(&best);
    (is_on_topic && has_best && list.iter().filter(|&&at| is_first(at)).count() > 1).then_some(list)
}
