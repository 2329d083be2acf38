//! Answers made of the documents' own units.
//!
//! `evidence → units → windows → features → choice → support`
//!
//! Every window of neighbouring units is a possible answer. Trees that `scripts/train` has learnt
//! estimate which window answers, first without cosines to find the units worth comparing with the
//! question, then with them. Further trees estimate whether the evidence supports an answer at all.

use std::ops::Range;

use super::evidence::{self, Evidence, Limits};
use super::features::WindowFeatures;
use super::intent::Intent;
use super::newest;
use super::options::{Options, Tools};
use super::question::Question;
use super::render::{Quote, Section};
use super::score::{self, Candidate};
use super::spec::AnswerSpec;
use super::support::{self, Choice};
use super::trees::LEARNED;
use super::window::{self, LIST_STRETCH, Measured, Window};
use super::{metadata, numbered, parts, render};
use crate::document::{Answer, Hit, UnitKind};
use crate::error::Result;

/// Sections of a summary.
const MAX_SECTIONS: usize = 3;
/// Rows and records of one answer that is no list.
const MAX_ROWS: usize = 3;

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
    let questions = parts::questions(question);
    let n = questions.len();
    let options_of_part = Options {
        max_words: options.max_words.div_ceil(n),
        max_compared: options.max_compared.div_ceil(n),
        has_second: options.has_second && n == 1,
        ..*options
    };
    let mut sections: Vec<Section> = Vec::new();
    let mut confidence = 0.0_f64;
    for question in &questions {
        let mut found = match metadata::quotes(question, evidence, tools) {
            Some(quotes) => Found { quotes, second: Vec::new(), confidence: 1.0 },
            None => find(question, evidence, tools, &options_of_part)?,
        };
        if !found.quotes.is_empty() {
            add_things(question, &mut found.quotes, evidence, tools, &options_of_part)?;
        }
        let mut quotes = found.quotes;
        quotes.retain(|quote| {
            let mut earlier = sections.iter().flat_map(|section| &section.quotes);
            !earlier.any(|other| other.is_same(quote))
        });
        // An answer is as sure as its least sure part, a refusal as its nearest.
        confidence = match (sections.is_empty(), quotes.is_empty()) {
            (true, _) => confidence.max(found.confidence),
            (false, true) => confidence,
            (false, false) => confidence.min(found.confidence),
        };
        let parts = [quotes, found.second];
        sections.extend(
            parts.into_iter().filter(|quotes| !quotes.is_empty()).map(|quotes| Section { quotes }),
        );
    }
    if sections.is_empty() {
        return Ok(Answer {
            text: String::new(),
            supported: false,
            confidence: Some(rounded(confidence)),
            citations: evidence::nearest(evidence, options.max_nearest),
        });
    }
    Ok(Answer { confidence: Some(rounded(confidence)), ..render::render(sections, evidence) })
}

/// In ten-thousandths, which a cache keeps exactly.
fn rounded(share: f64) -> f64 {
    (share * 1e4).round() / 1e4
}

/// Adds what a thing is that a comparison names and the quotes do not mention.
fn add_things(
    question: &str,
    quotes: &mut Vec<Quote>,
    evidence: &[Evidence],
    tools: &Tools<'_>,
    options: &Options,
) -> Result<()> {
    /// Least share of a thing's name in a text that mentions it.
    const MENTIONED: f64 = 0.6;
    let things = parts::things(question);
    for thing in &things {
        let name = Question::new(thing, "", tools);
        let found = name.find(&render::text(quotes));
        if name.share(|term| found.has(term)) >= MENTIONED {
            continue;
        }
        let options = Options {
            intent: Some(Intent::Definition),
            max_words: options.max_words.div_ceil(things.len()),
            has_second: false,
            ..*options
        };
        quotes.extend(find(thing, evidence, tools, &options)?.quotes);
    }
    Ok(())
}

/// What was found for one question.
struct Found {
    /// Empty when the evidence does not support an answer.
    quotes: Vec<Quote>,
    /// A further excerpt, from elsewhere.
    second: Vec<Quote>,
    /// Probability of support.
    confidence: f64,
}

/// The quotes that answer one question.
fn find(
    question: &str,
    evidence: &[Evidence],
    tools: &Tools<'_>,
    options: &Options,
) -> Result<Found> {
    let spec = AnswerSpec::of(question, options);
    let analysed = Question::new(question, spec.intent.requests(), tools);
    let unsupported = |confidence| Found { quotes: Vec::new(), second: Vec::new(), confidence };
    let Some(ranked) = Ranked::new(question, &analysed, &spec, evidence, tools, options)? else {
        return Ok(unsupported(0.0));
    };
    if let Some(units) = numbered::part(question, &ranked.candidates, evidence, options.max_words) {
        let quotes = ranked.quotes(units);
        return Ok(Found { quotes, second: Vec::new(), confidence: 1.0 });
    }
    let (best, is_newest) = ranked.best(evidence);
    let confidence = ranked.confidence(question, &analysed, &spec, evidence, tools, best);
    if confidence < LEARNED.least_confidence {
        return Ok(unsupported(confidence));
    }
    let chosen = match spec.intent {
        Intent::Summary => ranked.sections(best, evidence, options),
        _ => ranked.with_rows(best),
    };
    let mut excerpts: Vec<Range<usize>> =
        chosen.iter().map(|at| ranked.completed(*at, options.max_words)).collect();
    let mut second = None;
    if let [first] = &mut excerpts[..]
        && options.has_second
        && !is_newest
        && spec.intent != Intent::Summary
        && !ranked.unit(best).is_alone()
        && let Some(further) = ranked.second(best, first, options.max_words)
    {
        // Neighbours are one excerpt.
        let is_same = ranked.source(&further) == ranked.source(first);
        if is_same && further.start == first.end {
            first.end = further.end;
        } else if is_same && further.end == first.start {
            first.start = further.start;
        } else {
            second = Some(further);
        }
    }
    Ok(Found {
        quotes: excerpts.into_iter().flat_map(|units| ranked.quotes(units)).collect(),
        second: second.map(|units| ranked.quotes(units)).unwrap_or_default(),
        confidence,
    })
}

/// The windows of the evidence with the log-odds that each answers.
pub(super) struct Ranked {
    pub candidates: Vec<Candidate>,
    pub windows: Vec<Window>,
    pub features: Vec<WindowFeatures>,
    pub scores: Vec<f64>,
}

impl Ranked {
    /// `None` when the evidence has no text.
    pub fn new(
        text: &str,
        question: &Question<'_>,
        spec: &AnswerSpec,
        evidence: &[Evidence],
        tools: &Tools<'_>,
        options: &Options,
    ) -> Result<Option<Self>> {
        let mut candidates = score::candidates(question, spec, evidence);
        let max_words = match spec.intent {
            Intent::Summary => options.max_words.div_ceil(MAX_SECTIONS),
            _ if options.has_second => first_words(options.max_words),
            _ => options.max_words,
        };
        let windows = window::windows(&candidates, spec, max_words);
        if windows.is_empty() {
            return Ok(None);
        }
        let measure = |candidates: &[Candidate]| {
            let measured = Measured::new(text, question, spec, evidence, candidates, tools);
            let features = measured.features(&windows);
            let scores: Vec<f64> =
                features.iter().map(|features| LEARNED.choice.sum(&features.values())).collect();
            (features, scores)
        };
        let (mut features, mut scores) = measure(&candidates);
        if let Some(similarity) = tools.similarity {
            let compared = compared(&windows, &scores, options.max_compared);
            let texts: Vec<String> =
                compared.iter().map(|unit| candidates[*unit].text.clone()).collect();
            for (unit, cosine) in compared.into_iter().zip(similarity(&texts)?) {
                candidates[unit].cosine = cosine.is_finite().then(|| tools.scaled(cosine));
            }
            (features, scores) = measure(&candidates);
        }
        Ok(Some(Self { candidates, windows, features, scores }))
    }

    fn quotes(&self, units: Range<usize>) -> Vec<Quote> {
        let has_text = units.filter(|unit| render::has_text(&self.candidates[*unit]));
        has_text.map(|unit| Quote::of(&self.candidates, unit)).collect()
    }

    /// Indices of the windows, best first; equal ones in the order of the documents.
    pub fn order(&self) -> Vec<usize> {
        order(&self.scores)
    }

    /// The best window, or one that says the same and is newer, and whether it is such a one.
    fn best(&self, evidence: &[Evidence]) -> (usize, bool) {
        let order = self.order();
        let leads: Vec<usize> = order.iter().map(|at| self.lead(*at)).collect();
        let newest = newest::newest(&leads, &self.candidates, evidence);
        let holds =
            |at: &&usize| newest.is_some_and(|unit| self.windows[**at].units.contains(&unit));
        let best = order.iter().find(holds).or(order.first()).copied().unwrap_or(0);
        (best, newest != leads.first().copied())
    }

    /// The units of a window with what belongs to it: the sentence that its first one refers to,
    /// the rest of its list, and the list or the code that its last unit announces. An announcement
    /// of what has no room is left out.
    fn completed(&self, at: usize, max_words: usize) -> Range<usize> {
        let Window { source, units } = &self.windows[at];
        let units = &self.with_referent(units, max_words);
        let words = |units: Range<usize>| {
            self.candidates[units].iter().map(|unit| unit.n_words).sum::<usize>()
        };
        let is_of_kind = |at: usize, is: &dyn Fn(UnitKind) -> bool| {
            self.candidates.get(at).is_some_and(|unit| unit.source == *source && is(unit.kind))
        };
        let is_item = |at| is_of_kind(at, &|kind| matches!(kind, UnitKind::Item { .. }));
        let last = &self.candidates[units.end - 1];
        let mut end = units.end;
        if last.announces() || is_item(end - 1) {
            while is_item(end) {
                end += 1;
            }
        }
        if last.announces() && end == units.end && is_of_kind(end, &|kind| kind == UnitKind::Code) {
            end += 1;
        }
        let bound = if is_item(end - 1) { max_words * LIST_STRETCH } else { max_words };
        if words(units.start..end) <= bound && end > units.end {
            return units.start..end;
        }
        let mut end = units.end;
        while end - units.start > 1 && self.candidates[end - 1].announces() {
            end -= 1;
        }
        units.start..end
    }

    /// The units, and the one before them if the first refers to it.
    fn with_referent(&self, units: &Range<usize>, max_words: usize) -> Range<usize> {
        let first = &self.candidates[units.start];
        let before = units.start.checked_sub(1).map(|at| &self.candidates[at]);
        let has_referent = !first.is_alone()
            && score::is_dependent(&first.text)
            && before.is_some_and(|unit| {
                unit.source == first.source && unit.kind == UnitKind::Sentence && !unit.is_title()
            });
        let with = units.start - usize::from(has_referent)..units.end;
        let n_words: usize = self.candidates[with.clone()].iter().map(|unit| unit.n_words).sum();
        if n_words <= max_words { with } else { units.clone() }
    }

    /// The best further excerpt beside `first`, in the words that are left, where it is nearly as
    /// likely to hold the answer.
    fn second(&self, best: usize, first: &Range<usize>, max_words: usize) -> Option<Range<usize>> {
        let words: usize = self.candidates[first.clone()].iter().map(|unit| unit.n_words).sum();
        let left = max_words.checked_sub(words)?;
        let is_apart = |units: &Range<usize>| units.end <= first.start || first.end <= units.start;
        let has_room = |at: &usize| {
            self.features[*at].n_words as usize <= left && is_apart(&self.windows[*at].units)
        };
        let at = self.order().into_iter().find(has_room)?;
        let is_near = self.scores[best] - self.scores[at] <= LEARNED.second_within;
        is_near.then(|| self.windows[at].units.clone())
    }

    /// The unit of a window that has most of the question.
    fn lead(&self, at: usize) -> usize {
        let units = self.windows[at].units.clone();
        let first = units.start;
        let coverage = |unit: usize| self.candidates[unit].features.coverage;
        units
            .reduce(|best, unit| if coverage(unit) > coverage(best) { unit } else { best })
            .unwrap_or(first)
    }

    /// The probability that the evidence supports an answer, the window `best` being chosen.
    fn confidence(
        &self,
        text: &str,
        question: &Question<'_>,
        spec: &AnswerSpec,
        evidence: &[Evidence],
        tools: &Tools<'_>,
        best: usize,
    ) -> f64 {
        let measured = Measured::new(text, question, spec, evidence, &self.candidates, tools);
        let choice = self.choice(best);
        let features =
            support::features(text, question, spec, &self.candidates, &measured, tools, &choice);
        support::confidence(&features, choice.features)
    }

    pub fn choice(&self, best: usize) -> Choice<'_> {
        let source = self.windows[best].source;
        let others = self.windows.iter().zip(&self.scores);
        let others = others.filter(|(window, _)| window.source != source).map(|(_, score)| *score);
        Choice {
            source,
            features: &self.features[best],
            score: self.scores[best],
            runner_up: others.reduce(f64::max).unwrap_or(f64::NAN),
        }
    }

    /// The best window, and further rows or records if it is one: each says something about
    /// another thing of the question.
    fn with_rows(&self, best: usize) -> Vec<usize> {
        let mut chosen = vec![best];
        if !self.unit(best).is_alone() {
            return chosen;
        }
        let n_terms = self.unit(best).found.positions.len();
        for at in self.order() {
            let is_known = |term| chosen.iter().any(|other| self.unit(*other).found.has(term));
            let has_new = (0..n_terms).any(|term| self.unit(at).has_own(term) && !is_known(term));
            if has_new && self.unit(at).is_alone() && chosen.len() < MAX_ROWS {
                chosen.push(at);
            }
        }
        chosen
    }

    fn source(&self, units: &Range<usize>) -> usize {
        self.candidates[units.start].source
    }

    fn unit(&self, window: usize) -> &Candidate {
        &self.candidates[self.windows[window].units.start]
    }

    /// The best windows of several sections, for a summary.
    fn sections(&self, best: usize, evidence: &[Evidence], options: &Options) -> Vec<usize> {
        let section = |at: usize| {
            let hit = &evidence[self.windows[at].source].hit;
            (&hit.root, &hit.path, &hit.chunk.heading)
        };
        let n_words = |at: usize| self.features[at].n_words as usize;
        let mut chosen = vec![best];
        for at in self.order() {
            let is_new = chosen.iter().all(|other| section(*other) != section(at));
            let words: usize = chosen.iter().map(|other| n_words(*other)).sum();
            let has_room = words + n_words(at) <= options.max_words;
            let is_about = self.features[at].coverage > 0.0;
            if is_new && is_about && has_room && chosen.len() < MAX_SECTIONS {
                chosen.push(at);
            }
        }
        chosen
    }
}

/// Words of the first of two excerpts. Of 45, 60, 68 and 75 of 90 words, 60 and 68 give the most
/// right answers on the collections of `scripts/train`.
fn first_words(max_words: usize) -> usize {
    max_words * 3 / 4
}

/// The units to compare with the question: those of the best windows, best first.
fn compared(windows: &[Window], scores: &[f64], max: usize) -> Vec<usize> {
    let mut units: Vec<usize> = Vec::new();
    for at in order(scores) {
        for unit in windows[at].units.clone() {
            if units.len() == max {
                return units;
            }
            if !units.contains(&unit) {
                units.push(unit);
            }
        }
    }
    units
}

fn order(scores: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|a, b| scores[*b].total_cmp(&scores[*a]).then(a.cmp(b)));
    order
}
