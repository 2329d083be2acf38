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
use super::window::{self, Measured, Window};
use super::{metadata, numbered, parts, render};
use crate::document::{Answer, Hit};
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
        _ => ranked.with_rows(best, options.max_words),
    };
    let complete = |at: &usize| ranked.completed(*at, options.max_words, spec.intent);
    let mut excerpts: Vec<Range<usize>> = chosen.iter().map(complete).collect();
    let second = match &mut excerpts[..] {
        [first] if options.has_second && !is_newest && spec.intent != Intent::Summary => {
            ranked.second(best, first, options.max_words)
        }
        _ => None,
    };
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
            _ if options.has_second => window::first_words(options.max_words),
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
    fn with_rows(&self, best: usize, max_words: usize) -> Vec<usize> {
        let n_words = |at: usize| self.features[at].n_words as usize;
        let (mut chosen, mut left) = (vec![best], max_words.saturating_sub(n_words(best)));
        if !self.unit(best).is_alone() {
            return chosen;
        }
        let n_terms = self.unit(best).found.positions.len();
        for at in self.order() {
            let is_known = |term| chosen.iter().any(|other| self.unit(*other).found.has(term));
            let has_new = (0..n_terms).any(|term| self.unit(at).has_own(term) && !is_known(term));
            let has_room = n_words(at) <= left && chosen.len() < MAX_ROWS;
            if has_new && self.unit(at).is_alone() && has_room {
                chosen.push(at);
                left -= n_words(at);
            }
        }
        chosen
    }

    pub fn unit(&self, window: usize) -> &Candidate {
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
