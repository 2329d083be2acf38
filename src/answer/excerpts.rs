//! What is quoted with the best window: what belongs to it, and a second excerpt from elsewhere.

use std::ops::Range;

use super::extractive::Ranked;
use super::intent::Intent;
use super::render;
use super::score::{self, Candidate};
use super::trees::LEARNED;
use super::window::{LIST_STRETCH, Window};
use crate::document::UnitKind;

impl Ranked {
    /// The units of a window with what belongs to it: the sentence that its first one refers to,
    /// the rest of its list, and the list or the code that its last unit announces. An announcement
    /// of what has no room is left out. One item by itself is complete, unless the question
    /// asks for a list or steps.
    pub fn completed(&self, at: usize, max_words: usize, intent: Intent) -> Range<usize> {
        let Window { source, units } = &self.windows[at];
        let wants_list = matches!(intent, Intent::List | Intent::HowTo | Intent::Summary);
        // Steps may begin with a command.
        let units = &if wants_list { units.clone() } else { self.without_leading_code(units) };
        let units = &self.shown(self.with_referent(units, max_words));
        let is_of_kind = |at: usize, is: &dyn Fn(UnitKind) -> bool| {
            self.candidates.get(at).is_some_and(|unit| unit.source == *source && is(unit.kind))
        };
        let is_item = |at| is_of_kind(at, &|kind| matches!(kind, UnitKind::Item { .. }));
        let last = &self.candidates[units.end - 1];
        let mut end = units.end;
        let window = &self.candidates[units.clone()];
        let is_one_item = !window.iter().any(Candidate::announces)
            && window.iter().filter(|unit| unit.begins_item()).count() == 1;
        let is_whole_list = last.announces() || wants_list || !is_one_item;
        let is_rest = |at| is_of_kind(at, &|kind| matches!(kind, UnitKind::Item { first: false }));
        while (last.announces() || is_item(end - 1))
            && (is_rest(end) || is_whole_list && is_item(end))
        {
            end += 1;
        }
        let is_code = |at| {
            is_of_kind(at, &|kind| kind == UnitKind::Code) && render::has_text(&self.candidates[at])
        };
        if last.announces() && end == units.end && is_code(end) {
            end += 1;
        }
        let bound = if is_item(end - 1) { max_words * LIST_STRETCH } else { max_words };
        if self.n_words(units.start..end) <= bound && end > units.end {
            return units.start..end;
        }
        let said = self.without_announcement(units.clone());
        if said.is_empty() { units.start..units.start + 1 } else { said }
    }

    /// The units without those at the end that announce what is not among them.
    fn without_announcement(&self, mut units: Range<usize>) -> Range<usize> {
        while !units.is_empty() && self.candidates[units.end - 1].announces() {
            units.end -= 1;
        }
        units
    }

    /// The units without those at the end of which an answer shows nothing.
    fn shown(&self, mut units: Range<usize>) -> Range<usize> {
        while units.len() > 1 && !render::has_text(&self.candidates[units.end - 1]) {
            units.end -= 1;
        }
        units
    }

    /// The units without code at the beginning that has no word of the question that the others
    /// lack: the end of an example above.
    fn without_leading_code(&self, units: &Range<usize>) -> Range<usize> {
        let has = |units: &Range<usize>, term: usize| {
            self.candidates[units.clone()].iter().any(|unit| unit.found.has(term))
        };
        let mut start = units.start;
        while start + 1 < units.end && self.candidates[start].kind == UnitKind::Code {
            start += 1;
        }
        let (code, rest) = (units.start..start, start..units.end);
        let n_terms = self.candidates[units.start].found.positions.len();
        match (0..n_terms).any(|term| has(&code, term) && !has(&rest, term)) {
            true => units.clone(),
            false => rest,
        }
    }

    /// The units, and those before them that the first needs: the sentence that it refers to, or
    /// the beginning of a sentence that goes around a block of code.
    fn with_referent(&self, units: &Range<usize>, max_words: usize) -> Range<usize> {
        let mut start = units.start;
        while let Some(before) = self.beginning(start) {
            start = before;
        }
        let first = &self.candidates[start];
        let has_referent =
            !first.is_alone() && score::is_dependent(&first.text) && self.is_prose_before(start);
        let with = start - usize::from(has_referent)..units.end;
        if self.n_words(with.clone()) <= max_words { with } else { units.clone() }
    }

    /// Where the sentence begins whose rest is the unit `at`, behind a block of code.
    fn beginning(&self, at: usize) -> Option<usize> {
        let rest = &self.candidates[at];
        let code = at.checked_sub(1)?;
        let is_rest = rest.kind == UnitKind::Sentence && rest.text.starts_with(char::is_lowercase);
        let is_code = self.candidates[code].kind == UnitKind::Code
            && self.candidates[code].source == rest.source;
        (is_rest && is_code && self.is_prose_before(code)).then(|| code - 1)
    }

    fn is_prose_before(&self, at: usize) -> bool {
        at.checked_sub(1).map(|before| &self.candidates[before]).is_some_and(|unit| {
            unit.source == self.candidates[at].source
                && unit.kind == UnitKind::Sentence
                && !unit.is_title()
        })
    }

    /// The best further excerpt beside that of the window `best`, in the words that are left, where
    /// it is nearly as likely to hold the answer. A row is complete by itself. A neighbour becomes
    /// part of `first`.
    pub fn second(
        &self,
        best: usize,
        first: &mut Range<usize>,
        max_words: usize,
    ) -> Option<Range<usize>> {
        if self.unit(best).is_alone() {
            return None;
        }
        let left = max_words.checked_sub(self.n_words(first.clone()))?;
        let is_apart = |units: &Range<usize>| units.end <= first.start || first.end <= units.start;
        let is_new = |units: &Range<usize>| {
            let known = |text: &str| self.candidates[first.clone()].iter().any(|u| u.text == text);
            !self.candidates[units.clone()].iter().any(|unit| known(&unit.text))
        };
        let (at, units) = self.order().into_iter().find_map(|at| {
            let whole = &self.windows[at].units;
            let units = self.without_announcement(whole.clone());
            let is_cut = self.features[at].ends_in_list > 0.0 && whole.len() > 1;
            let has_room = self.n_words(whole.clone()) <= left;
            let fits = !units.is_empty() && !is_cut && has_room;
            (fits && is_apart(whole) && is_new(whole)).then_some((at, units))
        })?;
        if self.scores[best] - self.scores[at] > LEARNED.second_within {
            return None;
        }
        if self.candidates[first.start].source == self.windows[at].source {
            if units.start == first.end {
                first.end = units.end;
                return None;
            }
            // What precedes a list or a table is read before it; these do not belong before prose.
            let is_prose = self.candidates[units.end - 1].kind == UnitKind::Sentence;
            if units.end == first.start && is_prose {
                first.start = units.start;
                return None;
            }
        }
        Some(units)
    }

    fn n_words(&self, units: Range<usize>) -> usize {
        self.candidates[units].iter().map(|unit| unit.n_words).sum()
    }
}
