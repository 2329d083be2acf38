//! Answers made of the documents' own sentences.
//!
//! Every sentence is scored; the best is taken, then what adds to it. A lead-in takes the list or
//! code that it announces along; steps stay a list, code stays a fence. The chosen sentences are
//! rendered in the order of the documents.

use super::evidence::{self, Evidence, Limits};
use super::intent::{AnswerType, Intent};
use super::options::{Options, Tools};
use super::question::Question;
use super::render::{Quote, Section, code_lines};
use super::score::{self, Candidate};
use super::spec::AnswerSpec;
use super::support::Strength;
use super::{compare, metadata, newest, parts, render};
use crate::document::{Answer, Hit, UnitKind};
use crate::error::Result;

// Set by hand. `tests/measure.rs` and `scripts/bench answers` show their effect on XQuAD.

/// Largest share of a sentence's terms that another chosen sentence may have.
const MAX_REPEATED: f64 = 0.7;
/// Words of a list, as a multiple of those of a paragraph: a list is read line by line.
const LIST_STRETCH: usize = 2;
const MAX_ITEMS: usize = 10;
/// Sentences of a summary, each from another section as far as there are any.
const SUMMARY_SENTENCES: usize = 5;
/// Least share of a part's weight in a passage that was found for that part.
const RELATED: f64 = 0.5;

/// The passages that an answer to `question` may use. A question with several parts and a request
/// for a summary get more.
#[must_use]
pub fn evidence(question: &str, hits: &[Hit], options: &Options) -> Vec<Evidence> {
    let intent = options.intent.unwrap_or_else(|| Intent::of(question));
    let stretch = parts::parts(question).len() * if intent == Intent::Summary { 2 } else { 1 };
    let max_passages = options.limits.max_passages * stretch;
    evidence::choose(hits, Limits { max_passages, ..options.limits })
}

/// Answers `question` from its [`evidence()`]. Where that does not support an answer, the text is
/// empty and the citations are the nearest passages. Each supported part of a question with several
/// is answered in its own paragraph.
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
    let options_of_part = Options {
        max_words: options.max_words.div_ceil(n),
        max_compared: options.max_compared.div_ceil(n),
        ..*options
    };
    let mut sections: Vec<Section> = Vec::new();
    for question in &questions {
        let mut quotes = match metadata::quotes(question, evidence, tools) {
            Some(stated) => stated,
            None => quotes(question, n > 1, evidence, tools, &options_of_part)?,
        };
        quotes.retain(|quote| {
            let mut earlier = sections.iter().flat_map(|section| &section.quotes);
            !earlier.any(|other| other.is_same(quote))
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

/// The quotes that answer one question, best first; empty when the evidence does not support an
/// answer.
fn quotes(
    question: &str,
    is_part: bool,
    evidence: &[Evidence],
    tools: &Tools<'_>,
    options: &Options,
) -> Result<Vec<Quote>> {
    let spec = AnswerSpec::of(question, options);
    let analysed = Question::new(question, spec.intent.requests(), tools);
    let mut candidates = score::candidates(&analysed, &spec, evidence);
    // The cosines of a passage that was found for another part do not count for this one.
    let is_related = |source: usize| {
        !is_part
            || candidates
                .iter()
                .any(|other| other.source == source && other.features.passage >= RELATED)
    };
    let related = (0..).zip(evidence).filter(|(source, _)| is_related(*source));
    let related = related.map(|(_, piece)| piece);
    let strength = Strength::of(question, spec.answer_type, &analysed, &candidates, related);
    let is_supported = strength.margin() > 0.0;
    let mut shortlist = shortlist(&mut candidates, spec.intent, tools, options)?;
    if !is_supported {
        return Ok(Vec::new());
    }
    newest::prefer_newest(&mut shortlist, &candidates, evidence);
    let chosen = choose(&candidates, &shortlist, &spec, evidence, options);
    Ok(chosen.into_iter().map(|at| Quote::of(&candidates, at)).collect())
}

/// Scores the candidates and returns the indices of the best, best first. Their cosines with the
/// question count where the index has vectors.
fn shortlist(
    candidates: &mut [Candidate],
    intent: Intent,
    tools: &Tools<'_>,
    options: &Options,
) -> Result<Vec<usize>> {
    for candidate in &mut *candidates {
        candidate.score = candidate.features.score(intent);
    }
    // A heading names what is said below it and says nothing itself.
    let mut order: Vec<usize> =
        (0..candidates.len()).filter(|&at| !candidates[at].is_title()).collect();
    sort_by_score(&mut order, candidates);
    order.truncate(options.max_compared);
    if let Some(similarity) = tools.similarity
        && !order.is_empty()
    {
        let texts: Vec<String> = order.iter().map(|&at| candidates[at].text.clone()).collect();
        for (&at, cosine) in order.iter().zip(similarity(&texts)?) {
            candidates[at].features.cosine =
                if cosine.is_finite() { cosine.clamp(0.0, 1.0) } else { 0.0 };
            candidates[at].score = candidates[at].features.score(intent);
        }
        sort_by_score(&mut order, candidates);
    }
    Ok(order)
}

fn sort_by_score(order: &mut [usize], candidates: &[Candidate]) {
    order.sort_by(|&a, &b| candidates[b].score.total_cmp(&candidates[a].score).then(a.cmp(&b)));
}

/// The candidates to quote, by index, unordered.
fn choose(
    candidates: &[Candidate],
    shortlist: &[usize],
    spec: &AnswerSpec,
    evidence: &[Evidence],
    options: &Options,
) -> Vec<usize> {
    let Some(&best) = shortlist.first() else { return Vec::new() };
    if let Some(list) = (List { candidates, best, spec }).find(options.max_words) {
        return list;
    }
    let mut chosen = Chosen::new(candidates, spec, options);
    if spec.intent == Intent::HowTo
        && let Some((lead, code)) = instructions_after(candidates, best)
    {
        chosen.push(best);
        if lead != best {
            chosen.push(lead);
        }
        chosen.push_code(code);
        return chosen.indices;
    }
    let order = match spec.intent {
        Intent::Summary => sections_first(candidates, shortlist, evidence),
        _ => shortlist.to_vec(),
    };
    for at in order {
        let is_first = chosen.indices.is_empty();
        if !is_first && !chosen.is_worth_adding(at, best) {
            continue;
        }
        if candidates[at].kind == UnitKind::Code {
            if is_first || chosen.wants_code_of(candidates[at].source) {
                chosen.push_code(at);
            }
            continue;
        }
        if is_first || chosen.has_room_for(at) {
            chosen.add(at);
        }
        if is_first
            && spec.intent == Intent::Troubleshooting
            && let Some(remedy) = remedy_after(candidates, at)
            && chosen.has_room_for(remedy)
        {
            chosen.add(remedy);
        }
    }
    chosen.indices
}

/// The shortlist with the best sentence of each section first, so that a summary covers all of
/// them.
fn sections_first(
    candidates: &[Candidate],
    shortlist: &[usize],
    evidence: &[Evidence],
) -> Vec<usize> {
    let section = |at: usize| {
        let hit = &evidence[candidates[at].source].hit;
        (&hit.root, &hit.path, &hit.chunk.heading)
    };
    let is_new =
        |n: usize| shortlist[..n].iter().all(|&before| section(before) != section(shortlist[n]));
    let (first, further): (Vec<usize>, Vec<usize>) = (0..shortlist.len()).partition(|&n| is_new(n));
    first.into_iter().chain(further).map(|n| shortlist[n]).collect()
}

/// The advice within a few sentences after the one that names the problem. Advice seldom repeats
/// the words of the question, so its score says nothing.
fn remedy_after(candidates: &[Candidate], best: usize) -> Option<usize> {
    const MAX_AHEAD: usize = 3;
    if candidates[best].gives_advice {
        return None;
    }
    let is_near = |at: &usize| {
        candidates[*at].source == candidates[best].source
            && candidates[*at].kind != UnitKind::Heading
    };
    let mut ahead = (best + 1..candidates.len().min(best + 1 + MAX_AHEAD)).take_while(is_near);
    ahead.find(|&at| candidates[at].gives_advice && candidates[at].features.oddness == 0.0)
}

/// The sentence that announces code and the code, shortly after the best sentence.
fn instructions_after(candidates: &[Candidate], best: usize) -> Option<(usize, usize)> {
    const MAX_AHEAD: usize = 4;
    let source = candidates[best].source;
    if !matches!(candidates[best].kind, UnitKind::Sentence | UnitKind::Item { .. }) {
        return None;
    }
    let precedes_code = |at: usize| {
        candidates.get(at + 1).is_some_and(|next| {
            next.source == source
                && next.kind == UnitKind::Code
                && !code_lines(&next.text).is_empty()
        })
    };
    (best..candidates.len().min(best + MAX_AHEAD))
        .take_while(|&at| {
            candidates[at].source == source && candidates[at].kind != UnitKind::Heading
        })
        .find(|&at| candidates[at].announces() && precedes_code(at))
        .map(|lead| (lead, lead + 1))
}

/// The sentences chosen so far.
struct Chosen<'a> {
    candidates: &'a [Candidate],
    spec: &'a AnswerSpec,
    indices: Vec<usize>,
    n_words: usize,
    n_sentences: usize,
    max_words: usize,
    max_sentences: usize,
}

impl<'a> Chosen<'a> {
    fn new(candidates: &'a [Candidate], spec: &'a AnswerSpec, options: &Options) -> Self {
        let max_sentences = match spec.intent {
            Intent::Summary => SUMMARY_SENTENCES.max(options.max_sentences),
            _ => options.max_sentences,
        };
        Self {
            candidates,
            spec,
            indices: Vec::new(),
            n_words: 0,
            n_sentences: 0,
            max_words: options.max_words,
            max_sentences,
        }
    }

    /// Whether a further sentence adds to the `best` one.
    fn is_worth_adding(&self, at: usize, best: usize) -> bool {
        let (candidate, best) = (&self.candidates[at], &self.candidates[best]);
        if candidate.is_alone() && !self.has_new_term(at) {
            return false;
        }
        candidate.score >= best.score - self.spec.reach()
            && candidate.features.oddness <= 0.0
            && (candidate.is_alone() || !self.repeats(at))
            // For a question that asks when, a sentence without a date is padding beside one that
            // has it.
            && best.features.has_type <= candidate.features.has_type
    }

    /// Whether a row or record has a term of the question that the chosen ones lack: the rows of a
    /// table are alike, and each says something about another thing.
    fn has_new_term(&self, at: usize) -> bool {
        let n_terms = self.candidates[at].found.positions.len();
        (0..n_terms).any(|term| {
            let is_known = self.indices.iter().any(|&other| self.candidates[other].found.has(term));
            self.candidates[at].has_own(term) && !is_known
        })
    }

    fn has_room_for(&self, at: usize) -> bool {
        self.n_sentences < self.max_sentences
            && self.n_words + self.candidates[at].n_words <= self.max_words
    }

    fn has_code(&self) -> bool {
        self.indices.iter().any(|&at| self.candidates[at].kind == UnitKind::Code)
    }

    /// Whether to add code of a passage: the question asks for it, and the passage is quoted.
    fn wants_code_of(&self, source: usize) -> bool {
        self.spec.wants_code
            && !self.has_code()
            && self.indices.iter().any(|&at| self.candidates[at].source == source)
    }

    /// Whether another chosen sentence has most of this one's terms.
    fn repeats(&self, at: usize) -> bool {
        let terms = &self.candidates[at].found.terms;
        self.indices.iter().any(|&other| {
            let others = &self.candidates[other].found.terms;
            let shared = terms.iter().filter(|term| others.contains(term)).count();
            at == other || shared as f64 > MAX_REPEATED * terms.len().min(others.len()) as f64
        })
    }

    /// Adds a sentence, with the sentence that it refers to and the code that it announces.
    fn add(&mut self, at: usize) {
        self.push(at);
        if let Some(before) = self.neighbour(at, at.checked_sub(1))
            && score::is_dependent(&self.candidates[at].text)
            && matches!(self.candidates[before].kind, UnitKind::Sentence | UnitKind::Item { .. })
            && self.candidates[before].features.oddness == 0.0
            && !self.indices.contains(&before)
            && self.has_room_for(before)
        {
            self.push(before);
        }
        let Some(next) = self.neighbour(at, Some(at + 1)) else { return };
        if self.is_continued_by(at, next) && self.has_room_for(next) {
            self.push(next);
        }
        if self.candidates[next].kind == UnitKind::Code
            && (self.candidates[at].announces() || self.spec.wants_code)
            && !self.has_code()
        {
            self.push_code(next);
        }
    }

    /// Whether a short first sentence is completed by the next one: "There is a command called x."
    /// "It does y."
    fn is_continued_by(&self, at: usize, next: usize) -> bool {
        const SHORT: usize = 15;
        let next = &self.candidates[next];
        self.spec.answer_type == AnswerType::Anything
            && self.n_sentences == 1
            && self.candidates[at].n_words < SHORT
            && next.kind == UnitKind::Sentence
            && next.features.oddness == 0.0
            && score::is_dependent(&next.text)
    }

    fn push_code(&mut self, at: usize) {
        if !self.indices.contains(&at) && !code_lines(&self.candidates[at].text).is_empty() {
            self.indices.push(at);
        }
    }

    fn push(&mut self, at: usize) {
        self.indices.push(at);
        self.n_words += self.candidates[at].n_words;
        self.n_sentences += 1;
    }

    /// `other`, if it is a candidate of the same passage as `at`.
    fn neighbour(&self, at: usize, other: Option<usize>) -> Option<usize> {
        let source = self.candidates[at].source;
        other.filter(|&other| self.candidates.get(other).is_some_and(|c| c.source == source))
    }
}

/// The search for the list that the best candidate announces or belongs to. A table is a list of
/// its rows.
struct List<'a> {
    candidates: &'a [Candidate],
    best: usize,
    spec: &'a AnswerSpec,
}

impl List<'_> {
    /// The lead-in and the items, if the question asks for a list and this one is about it.
    fn find(&self, max_words: usize) -> Option<Vec<usize>> {
        let start = self.start()?;
        let lead = start.checked_sub(1).filter(|&lead| self.is_lead(lead));
        let mut list = Vec::new();
        let mut n_words = 0;
        if start > self.best + 1 {
            list.push(self.best);
        }
        if let Some(lead) = lead {
            list.push(lead);
            n_words += self.candidates[lead].n_words;
        }
        let mut n_items = 0;
        for at in (start..self.candidates.len()).take_while(|&at| self.is_item(at)) {
            n_items += usize::from(self.begins_item(at));
            n_words += self.candidates[at].n_words;
            if n_items > MAX_ITEMS || n_words > max_words * LIST_STRETCH {
                break;
            }
            list.push(at);
        }
        let n_items = list.iter().filter(|&&at| self.begins_item(at)).count();
        (self.is_on_topic(&list, lead) && list.contains(&self.best) && n_items > 1).then_some(list)
    }

    /// The first item.
    fn start(&self) -> Option<usize> {
        let best = self.best;
        if self.is_item(best) && self.spec.wants_list() {
            return (0..=best).rev().take_while(|&at| self.is_item(at)).last();
        }
        let precedes_list = |at: usize| self.is_item(at + 1) && !self.is_item(at);
        let announces = |at: usize| self.candidates[at].announces();
        if precedes_list(best) && (self.spec.wants_list() || announces(best)) {
            return Some(best + 1);
        }
        if !self.spec.wants_list() {
            return None;
        }
        let lead = (best + 1..=best + 2)
            .find(|&at| precedes_list(at) && (announces(at) || self.is_row(at + 1)))?;
        Some(lead + 1)
    }

    fn is_row(&self, at: usize) -> bool {
        self.spec.intent == Intent::List
            && self.candidates.get(at).is_some_and(|candidate| candidate.kind == UnitKind::Row)
    }

    fn is_item(&self, at: usize) -> bool {
        self.candidates.get(at).is_some_and(|candidate| {
            candidate.source == self.candidates[self.best].source
                && (matches!(candidate.kind, UnitKind::Item { .. }) || self.is_row(at))
        })
    }

    fn begins_item(&self, at: usize) -> bool {
        matches!(self.candidates[at].kind, UnitKind::Item { first: true } | UnitKind::Row)
    }

    fn is_lead(&self, at: usize) -> bool {
        let candidate = &self.candidates[at];
        candidate.source == self.candidates[self.best].source
            && candidate.kind == UnitKind::Sentence
            && (candidate.announces() || at == self.best)
    }

    /// A list with a single line that shares words with the question is a list of something else.
    fn is_on_topic(&self, list: &[usize], lead: Option<usize>) -> bool {
        let coverage = |at: usize| self.candidates[at].features.coverage;
        let n_on_topic = list.iter().filter(|&&at| coverage(at) > 0.0).count();
        self.candidates[self.best].features.in_heading >= 0.5
            || lead.is_some_and(|lead| coverage(lead) >= 0.4)
            || n_on_topic * 2 > list.len()
    }
}
