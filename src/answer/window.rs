//! Windows: neighbouring units of one passage that could be quoted together.
//!
//! Every run of units within the bound is a window: a sentence, a definition with what it defines,
//! a lead-in with its list, a command with its sentence. [`Learned`](super::trees::Learned) chooses
//! among them.

use std::ops::Range;

use super::evidence::Evidence;
use super::features::{WindowFeatures, flag};
use super::intent::Intent;
use super::options::Tools;
use super::polarity;
use super::question::Question;
use super::score::{Candidate, is_dependent};
use super::spec::AnswerSpec;
use crate::document::{UnitKind, context_line};

/// Units of a window. Steps and tables seldom have more within the words of an answer.
const MAX_UNITS: usize = 12;

/// Neighbouring candidates of one passage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// Index of the evidence.
    pub source: usize,
    /// Indices of the candidates.
    pub units: Range<usize>,
}

/// Words of a list, as a multiple of those of a paragraph: a list is read line by line.
pub(super) const LIST_STRETCH: usize = 2;

/// The windows of at most `max_words`, and each longer unit by itself.
pub(super) fn windows(
    candidates: &[Candidate],
    spec: &AnswerSpec,
    max_words: usize,
) -> Vec<Window> {
    let mut windows = Vec::new();
    for start in 0..candidates.len() {
        let first = &candidates[start];
        if first.is_title() || first.n_words == 0 {
            continue;
        }
        let (mut n_words, mut n_items) = (0, 0);
        for end in start + 1..=candidates.len().min(start + MAX_UNITS) {
            let last = &candidates[end - 1];
            n_words += last.n_words;
            n_items += usize::from(last.begins_item());
            let bound = if n_items > 1 { max_words * LIST_STRETCH } else { max_words };
            let is_single = end == start + 1;
            // What follows a list is about something else.
            let follows_list = !is_single
                && last.kind == UnitKind::Sentence
                && matches!(candidates[end - 2].kind, UnitKind::Item { .. });
            let is_outside = last.source != first.source
                || last.kind == UnitKind::Heading
                || last.sheet != first.sheet
                || follows_list;
            if is_outside || !is_single && (n_words > bound || !may_join(first, last, spec)) {
                break;
            }
            let units = &candidates[start..end];
            let is_bare_code = units.iter().all(|unit| unit.kind == UnitKind::Code);
            let says = units.iter().any(|unit| !unit.repeats_question);
            if says && (!is_bare_code || spec.wants_code) {
                windows.push(Window { source: first.source, units: start..end });
            }
        }
    }
    windows
}

/// Whether a unit may follow others, of which `first` is the first, in one window. A row or a
/// record is complete by itself; rows are listed where the question asks for a list.
fn may_join(first: &Candidate, last: &Candidate, spec: &AnswerSpec) -> bool {
    let lists_rows = spec.intent == Intent::List && last.kind == UnitKind::Row;
    !first.is_alone() && !last.is_alone() || lists_rows && first.kind != UnitKind::Record
}

/// What the features of the windows of one question have in common.
pub(super) struct Measured<'a> {
    question: &'a Question<'a>,
    spec: &'a AnswerSpec,
    evidence: &'a [Evidence],
    candidates: &'a [Candidate],
    /// By evidence.
    passages: Vec<Passage>,
    negates: bool,
    best: Best,
    /// Of the units, the largest first.
    cosines: Vec<f64>,
}

/// A passage of the evidence.
struct Passage {
    units: Range<usize>,
    /// For each term whether the headings or the title have it.
    in_titles: Vec<bool>,
    /// For each term whether the passage or its titles have it.
    has: Vec<bool>,
    /// Share of the question.
    share: f64,
    /// Weight of the heaviest term that it lacks.
    missing: f64,
    /// On the common scale; NaN without vectors.
    cosine: f64,
    lexical: f64,
    place: f64,
}

/// The largest values among all windows or passages.
struct Best {
    passage: f64,
    passage_cosine: f64,
    unit_cosine: f64,
}

impl<'a> Measured<'a> {
    pub fn new(
        text: &str,
        question: &'a Question<'a>,
        spec: &'a AnswerSpec,
        evidence: &'a [Evidence],
        candidates: &'a [Candidate],
        tools: &Tools<'_>,
    ) -> Self {
        let passages: Vec<Passage> = evidence
            .iter()
            .enumerate()
            .map(|(source, piece)| passage(question, source, piece, candidates, tools))
            .collect();
        let largest =
            |value: &dyn Fn(&Passage) -> f64| passages.iter().map(value).fold(f64::NAN, f64::max);
        let mut cosines: Vec<f64> = candidates.iter().filter_map(|unit| unit.cosine).collect();
        cosines.sort_unstable_by(|a, b| b.total_cmp(a));
        let best = Best {
            passage: largest(&|passage| passage.share),
            passage_cosine: largest(&|passage| passage.cosine),
            unit_cosine: cosines.first().copied().unwrap_or(f64::NAN),
        };
        let negates = polarity::negates(text);
        Self { question, spec, evidence, candidates, passages, negates, best, cosines }
    }

    /// The features of each window.
    pub fn features(&self, windows: &[Window]) -> Vec<WindowFeatures> {
        let mut all: Vec<WindowFeatures> = windows.iter().map(|window| self.of(window)).collect();
        let best = all.iter().map(|features| features.coverage_titled).fold(0.0, f64::max);
        for features in &mut all {
            features.behind_coverage = best - features.coverage_titled;
        }
        all
    }

    pub fn passage_has(&self, source: usize, term: usize) -> bool {
        self.passages[source].has[term]
    }

    fn of(&self, window: &Window) -> WindowFeatures {
        let Self { question, spec, candidates, .. } = self;
        let passage = &self.passages[window.source];
        let units = &candidates[window.units.clone()];
        let (Some(first), Some(last)) = (units.first(), units.last()) else {
            return WindowFeatures::default();
        };
        let has: Vec<bool> =
            (0..question.len()).map(|term| units.iter().any(|unit| unit.found.has(term))).collect();
        // A heading, or a message that asks, names what is said after it.
        let title = candidates[passage.units.start..window.units.start]
            .iter()
            .rev()
            .find(|unit| unit.is_title());
        let is_titled = |term: usize| {
            passage.in_titles[term] || title.is_some_and(|title| title.found.has(term))
        };
        let before = self.neighbour(window, window.units.start.checked_sub(1));
        let after = self.neighbour(window, Some(window.units.end));
        let is_around = |term: usize| {
            !has[term] && [before, after].into_iter().flatten().any(|unit| unit.found.has(term))
        };
        let largest =
            |value: &dyn Fn(&Candidate) -> f64| units.iter().map(value).fold(0.0, f64::max);
        let count =
            |is: &dyn Fn(&Candidate) -> bool| units.iter().filter(|unit| is(unit)).count() as f64;
        let is_item = |unit: &Candidate| matches!(unit.kind, UnitKind::Item { .. });
        let n_words: usize = units.iter().map(|unit| unit.n_words).sum();
        let (mut cosine_best, mut weighted, mut weight) = (f64::NAN, 0.0, 0.0);
        for unit in units {
            if let Some(cosine) = unit.cosine {
                cosine_best = cosine_best.max(cosine);
                weighted += cosine * unit.n_words as f64;
                weight += unit.n_words as f64;
            }
        }
        WindowFeatures {
            coverage: question.share(|term| has[term]),
            coverage_titled: question.share(|term| has[term] || is_titled(term)),
            coverage_first: first.features.coverage,
            coverage_best: largest(&|unit| unit.features.coverage),
            behind_coverage: 0.0,
            passage: passage.share,
            behind_passage: self.best.passage - passage.share,
            around: question.share(is_around),
            missing: heaviest(question, |term| !has[term] && !is_titled(term)),
            missing_in_passage: passage.missing,
            adjacency: largest(&|unit| unit.features.adjacency),
            in_heading: first.features.in_heading,
            answers_heading: largest(&|unit| unit.features.answers_heading),
            cosine_best,
            cosine_mean: if weight > 0.0 { weighted / weight } else { f64::NAN },
            cosine_first: first.cosine.unwrap_or(f64::NAN),
            behind_cosine: self.best.unit_cosine - cosine_best,
            cosine_place: match cosine_best.is_nan() {
                true => f64::NAN,
                false => self.cosines.partition_point(|cosine| *cosine > cosine_best) as f64,
            },
            passage_cosine: passage.cosine,
            behind_passage_cosine: self.best.passage_cosine - passage.cosine,
            passage_lexical: passage.lexical,
            place: passage.place,
            n_words: n_words as f64,
            n_units: units.len() as f64,
            n_items: count(&is_item),
            n_code: count(&|unit| unit.kind == UnitKind::Code),
            is_alone: flag(first.is_alone()),
            start: (window.units.start - passage.units.start) as f64,
            is_opening: flag(before.is_none_or(Candidate::is_title)),
            is_closing: flag(after.is_none_or(Candidate::is_title)),
            is_dependent: flag(!first.is_alone() && is_dependent(&first.text)),
            is_led: flag(units.len() > 1 && first.announces()),
            is_cut: flag(last.announces()),
            begins_in_list: flag(
                is_item(first) && before.is_some_and(|unit| is_item(unit) || unit.announces()),
            ),
            ends_in_list: flag(is_item(last) && after.is_some_and(is_item)),
            oddness: units.iter().map(|unit| unit.features.oddness).sum(),
            brevity: first.features.brevity,
            n_meta: count(&|unit| unit.features.meta > 0.0),
            has_type: largest(&|unit| unit.features.has_type),
            defines: largest(&|unit| unit.features.defines),
            defines_first: first.features.defines,
            explains: largest(&|unit| unit.features.explains),
            symbols: symbols(units),
            polarity: flag(self.negates != units.iter().any(|unit| unit.negates)),
            intent: Intent::ALL.iter().position(|intent| *intent == spec.intent).unwrap_or(0)
                as f64,
            answer_type: spec.answer_type.index(),
            wants_code: flag(spec.wants_code),
            n_terms: question.len() as f64,
        }
    }

    /// The candidate `at`, if it is in the passage of the window.
    fn neighbour(&self, window: &Window, at: Option<usize>) -> Option<&'a Candidate> {
        self.candidates.get(at?).filter(|unit| unit.source == window.source)
    }

    /// As [`polarity::other_numbers`], for a passage with its titles.
    pub fn other_numbers(&self, question: &str, source: usize) -> usize {
        let units = self.candidates[self.passages[source].units.clone()].iter();
        let hit = &self.evidence[source].hit;
        let titles = context_line(hit.title.as_deref(), &hit.chunk.heading);
        let texts = units.map(|unit| unit.text.as_str());
        let passage: Vec<&str> = texts.chain([titles.as_str(), &hit.path]).collect();
        polarity::other_numbers(question, &passage.join("\n"))
    }

    pub fn best_passage_cosine(&self) -> f64 {
        let cosines = self.passages.iter().map(|passage| passage.cosine);
        cosines.fold(f64::NAN, f64::max)
    }

    pub fn n_passages(&self) -> usize {
        self.evidence.len()
    }
}

fn passage(
    question: &Question<'_>,
    source: usize,
    piece: &Evidence,
    candidates: &[Candidate],
    tools: &Tools<'_>,
) -> Passage {
    let first = candidates.partition_point(|unit| unit.source < source);
    let last = candidates.partition_point(|unit| unit.source <= source);
    let units = first..last;
    let titles = question.find(&context_line(piece.hit.title.as_deref(), &piece.hit.chunk.heading));
    let in_titles: Vec<bool> = (0..question.len()).map(|term| titles.has(term)).collect();
    let has: Vec<bool> = in_titles
        .iter()
        .enumerate()
        .map(|(term, titled)| {
            *titled || candidates[units.clone()].iter().any(|unit| unit.found.has(term))
        })
        .collect();
    Passage {
        share: question.share(|term| has[term]),
        missing: heaviest(question, |term| !has[term]),
        in_titles,
        has,
        cosine: piece.cosine().map_or(f64::NAN, |cosine| tools.scaled(cosine)),
        lexical: piece.lexical(),
        place: piece.place as f64,
        units,
    }
}

/// The weight of the heaviest term for which `is` holds, as a share of the largest.
pub(super) fn heaviest(question: &Question<'_>, is: impl Fn(usize) -> bool) -> f64 {
    (0..question.len())
        .filter(|term| is(*term))
        .map(|term| question.weight(term))
        .fold(0.0, f64::max)
}

/// Share of characters that are neither letters nor white space.
fn symbols(units: &[Candidate]) -> f64 {
    let (mut n, mut all) = (0_u32, 0_u32);
    for c in units.iter().flat_map(|unit| unit.text.chars()) {
        all += 1;
        n += u32::from(!c.is_alphabetic() && !c.is_whitespace());
    }
    f64::from(n) / f64::from(all.max(1))
}
