//! Answers against what they should contain.

use std::collections::HashMap;
use std::path::Path;

use serde_json::json;

use super::judge::{CRITERIA, Grades, Judge};
use super::names::{Documents, Relevant};
use super::questions::{Element, Gold, GoldAnswer, Place, Question};
use crate::analysis::comparable;
use crate::answer;
use crate::ask::{Request, Response};
use crate::batch;
use crate::cache::Caching;
use crate::config::{Config, Generator};
use crate::document::Citation;
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::filter::Filter;
use crate::index::Root;
use crate::strings::{StrExt as _, named};

named! {
    /// What became of a question.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Verdict {
        /// The answer has every element and nothing forbidden. Where the documents do not answer:
        /// there is no answer.
        Right = "right",
        /// Some elements.
        Partly = "partly",
        Wrong = "wrong",
        /// There is no answer, although the documents have one.
        Refused = "refused",
    }
}

/// One answer.
#[derive(Debug, Default)]
pub struct Answered {
    /// `None` for a question without a known answer.
    pub verdict: Option<Verdict>,
    /// Without citations.
    pub text: String,
    pub supported: bool,
    pub intent: &'static str,
    /// Of an answer.
    pub words: Option<usize>,
    /// Elements that the answer lacks.
    pub missing: Vec<String>,
    /// Forbidden patterns that it has.
    pub forbidden: Vec<String>,
    /// Whether a right answer cites a place of the known answer.
    pub cited: Option<bool>,
    /// Lines from the first cited line to the first element of a right answer.
    pub lines: Option<usize>,
    /// The cited places, as `path:line`.
    pub citations: Vec<String>,
    /// Of the language model.
    pub grades: Option<Grades>,
}

impl Answered {
    /// A measure by its name; `None` where it does not apply.
    pub fn value(&self, measure: &str) -> Option<f64> {
        let share = |is: bool| if is { 1.0 } else { 0.0 };
        match measure {
            "cited" => self.cited.map(share),
            "words" => self.words.map(|words| words as f64),
            _ => match CRITERIA.iter().position(|criterion| *criterion == measure) {
                Some(at) => self.grades.and_then(|grades| grades[at]).map(f64::from),
                None => self.verdict.map(|verdict| share(verdict.name() == measure)),
            },
        }
    }
}

/// How questions are asked.
pub struct Asking<'a> {
    pub engine: &'a Engine,
    pub roots: &'a [Root],
    pub filter: Option<&'a Filter>,
    pub judge: Option<&'a Judge>,
}

impl Asking<'_> {
    /// Asks every question, as `rag ask --batch` does. `report` receives the number of answers.
    ///
    /// # Errors
    /// The first question that fails.
    pub fn ask(
        &self,
        questions: &[Question],
        relevant: &[Relevant],
        documents: &Documents,
        report: &mut dyn FnMut(usize),
    ) -> Result<Vec<Answered>> {
        let lines = questions.iter().map(|question| json!({ "question": question.text }));
        let input = lines.map(|line| format!("{line}\n")).collect::<String>();
        let template = Request {
            caching: caching(&self.engine.config),
            filter: self.filter.cloned(),
            ..Request::default()
        };
        let mut responses = Vec::new();
        batch::run(self.engine, input.as_bytes(), &template, &mut |item| {
            responses.push(item.outcome);
            report(responses.len());
        })?;
        let mut files = Files { roots: self.roots, texts: HashMap::new() };
        let mut answers = Vec::new();
        for ((question, relevant), response) in questions.iter().zip(relevant).zip(responses) {
            let response = response.map_err(|fault| {
                Fault::new(fault.kind(), format!("question `{}`: {fault}", question.id))
            })?;
            let mut answered = match (&question.gold, relevant) {
                (Gold::Answer(gold), Relevant::Places(places)) => {
                    let scored = Scored { gold, places, documents };
                    scored.score(&response, &mut files)
                }
                _ => plainly(&response),
            };
            if let Some(judge) = self.judge {
                let passages = known_passages(relevant, documents, &mut files);
                answered.grades = judge.grade(self.engine, &response, &passages)?;
            }
            answers.push(answered);
        }
        match answers.len() == questions.len() {
            true => Ok(answers),
            false => Err(Fault::failed(format!(
                "{} of {} questions were answered",
                answers.len(),
                questions.len()
            ))),
        }
    }
}

/// Whether answers to the same question are kept: those of a language model take long, and may cost
/// money.
fn caching(config: &Config) -> Caching {
    match config.generator {
        Generator::Extractive => Caching::Off,
        Generator::Llm => Caching::Use,
    }
}

/// An answer without a verdict.
fn plainly(response: &Response) -> Answered {
    let text = comparable(&without_marks(&response.answer.text));
    let place = |citation: &Citation| {
        let extent = citation.extent();
        let path = &citation.hit.path;
        let within = extent.within();
        within
            .map_or_else(|| format!("{path}:{}", extent.lines.first), |at| format!("{path} ({at})"))
    };
    Answered {
        supported: response.answer.supported,
        intent: response.intent.name(),
        words: response.answer.supported.then(|| text.split_whitespace().count()),
        text,
        citations: response.answer.citations.iter().map(place).collect(),
        ..Answered::default()
    }
}

/// A known answer, to score others.
struct Scored<'a> {
    gold: &'a GoldAnswer,
    places: &'a [(usize, Place)],
    documents: &'a Documents,
}

impl Scored<'_> {
    fn score(&self, response: &Response, files: &mut Files<'_>) -> Answered {
        let answered = plainly(response);
        let gold = self.gold;
        let missing: Vec<String> = gold
            .elements
            .iter()
            .filter(|element| !element.is_in(&answered.text))
            .map(Element::shown)
            .collect();
        let forbidden: Vec<String> = gold
            .forbidden
            .iter()
            .filter(|pattern| pattern.is_match(&answered.text))
            .map(|pattern| pattern.as_str().to_owned())
            .collect();
        let is_answerable = !gold.elements.is_empty();
        let verdict = match () {
            () if !answered.supported && is_answerable => Verdict::Refused,
            () if !answered.supported => Verdict::Right,
            () if !forbidden.is_empty() || missing.len() == gold.elements.len() => Verdict::Wrong,
            () if missing.is_empty() => Verdict::Right,
            () => Verdict::Partly,
        };
        let is_right = verdict == Verdict::Right && is_answerable;
        let (cited, lines) = match gold.elements.first().filter(|_| is_right) {
            Some(first) => (Some(self.cites(response)), lines_to_answer(response, first, files)),
            None => (None, None),
        };
        Answered { verdict: Some(verdict), missing, forbidden, cited, lines, ..answered }
    }

    /// Whether a cited place has a line or the page of a place of the known answer.
    fn cites(&self, response: &Response) -> bool {
        response.answer.citations.iter().any(|citation| {
            let (id, extent) = (self.documents.of_hit(&citation.hit), citation.extent());
            self.places.iter().any(|(gold, place)| id == Some(*gold) && place.overlaps(&extent))
        })
    }
}

/// Lines from the first line of a citation to the one where `element` is complete; `None` where the
/// format has no lines, or the file is not here.
fn lines_to_answer(response: &Response, element: &Element, files: &mut Files<'_>) -> Option<usize> {
    let numbers: Vec<usize> = sentences_with_marks(&response.answer.text)
        .into_iter()
        .filter(|(sentence, _)| element.is_in(&comparable(sentence)))
        .map(|(_, n)| n)
        .collect();
    let cited = response.answer.citations.iter().filter(|citation| numbers.contains(&citation.n));
    for citation in cited {
        let extent = citation.extent();
        if extent.location.as_ref().is_some_and(|at| at.page().is_some()) {
            continue;
        }
        let Some(text) = files.lines(&citation.hit.root, &citation.hit.path) else { continue };
        let first = extent.lines.first;
        for last in first..=extent.lines.last.min(text.len()) {
            if element.is_in(&comparable(&text[first - 1..last].concat())) {
                return Some(last - first);
            }
        }
    }
    None
}

/// Texts between citation marks, each with the number of the mark after it.
fn sentences_with_marks(answer: &str) -> Vec<(&str, usize)> {
    let mut found = Vec::new();
    let mut start = 0;
    for (mark, n) in answer::marks(answer) {
        found.push((answer.slice(start..mark.start), n));
        start = mark.end;
    }
    found
}

fn without_marks(answer: &str) -> String {
    let mut text = String::new();
    let mut start = 0;
    for (mark, _) in answer::marks(answer) {
        text.push_str(answer.slice(start..mark.start).trim_end());
        start = mark.end;
    }
    text + answer.slice(start..)
}

/// The files of an index, line by line, read when first needed.
struct Files<'a> {
    roots: &'a [Root],
    texts: HashMap<(String, String), Option<Vec<String>>>,
}

impl Files<'_> {
    /// The lines of a file with their ends; `None` if it cannot be read.
    fn lines(&mut self, root: &str, path: &str) -> Option<&[String]> {
        let real = self.roots.iter().find(|known| known.given == root)?;
        let read = || {
            let bytes = std::fs::read(Path::new(&real.real).join(path)).ok()?;
            let text = String::from_utf8_lossy(&bytes);
            Some(text.split_inclusive('\n').map(str::to_owned).collect())
        };
        let key = (root.to_owned(), path.to_owned());
        self.texts.entry(key).or_insert_with(read).as_deref()
    }
}

/// The places of the known answer as text, for a judge.
fn known_passages(
    relevant: &Relevant,
    documents: &Documents,
    files: &mut Files<'_>,
) -> Vec<String> {
    let Relevant::Places(places) = relevant else { return Vec::new() };
    let text = |(id, place): &(usize, Place)| {
        let (root, path) = documents.place(*id)?;
        let (first, last) = place.lines?;
        let lines = files.lines(root, path)?;
        Some(lines.get(first - 1..last.min(lines.len()))?.concat())
    };
    places.iter().filter_map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_removed_with_the_space_before_them() {
        let check = |text: &str, expected: &str| assert_eq!(without_marks(text), expected);
        check("One. [1] Two [2][3].", "One. Two.");
        check("an array[i] and [x]", "an array[i] and [x]");
        assert_eq!(sentences_with_marks("One. [1] Two [2]."), [("One. ", 1), (" Two ", 2)]);
    }
}
