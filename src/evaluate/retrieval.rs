//! Rankings and their measures.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use super::measures;
use super::names::{Documents, Relevant};
use super::questions::{Gold, Place, QuestionSet};
use super::report::Outcome;
use super::trec::Run;
use crate::cache::Caching;
use crate::document::Hit;
use crate::engine::{Engine, Stop};
use crate::error::{Fault, Result};
use crate::filter::Filter;
use crate::search::{self, Request, Searcher};

/// Passages per question: enough to yield 100 distinct documents.
const DEPTH: usize = 400;

/// Searches as a configuration says.
pub struct Ranker<'a> {
    pub engine: &'a Engine,
    pub documents: &'a Documents,
    pub filter: Option<&'a Filter>,
    pub keeps_ranking: bool,
}

impl Ranker<'_> {
    /// # Errors
    /// Those of a search.
    pub fn rank(
        &self,
        searcher: &mut Searcher,
        question: &str,
        relevant: &Relevant,
    ) -> Result<Outcome> {
        self.engine.check_interrupted()?;
        let request = Request {
            query: question.to_owned(),
            mode: self.engine.config.search_mode,
            k: DEPTH,
            rerank: self.engine.config.rerank,
            caching: Caching::Use,
            filter: self.filter.cloned(),
            stop: Stop::default(),
        };
        let start = Instant::now();
        let hits = searcher.search(self.engine, &request)?.hits;
        let ms = search::milliseconds(start);
        let (ids, listed) = self.by_document(&hits);
        let grades = match relevant {
            Relevant::Documents(grades) => {
                ids.iter().map(|id| grades.get(id).copied().unwrap_or(0)).collect()
            }
            Relevant::Places(places) => self.by_place(&hits, places),
        };
        let top = hits.first().filter(|_| grades.first() == Some(&0)).map(place_of);
        let ideal = relevant.ideal();
        let is_judged = ideal.iter().any(|grade| *grade > 0);
        Ok(Outcome {
            measures: is_judged.then(|| measures::of(&grades, &ideal)),
            first: measures::first_at(&grades, usize::MAX),
            top,
            ms: Some(ms),
            ranking: if self.keeps_ranking { listed } else { Vec::new() },
        })
    }

    /// Distinct documents in the order of their best passage: numbers, and names with scores.
    fn by_document(&self, hits: &[Hit]) -> (Vec<usize>, Vec<(String, f64)>) {
        let mut seen = HashSet::new();
        let (mut ids, mut listed) = (Vec::new(), Vec::new());
        for hit in hits {
            let Some(id) = self.documents.of_hit(hit).filter(|id| seen.insert(*id)) else {
                continue;
            };
            ids.push(id);
            listed.push((self.documents.name(id), hit.score));
        }
        (ids, listed)
    }

    /// 1 for the first passage that holds a place of the answer, 0 for all others.
    fn by_place(&self, hits: &[Hit], places: &[(usize, Place)]) -> Vec<u32> {
        let holds = |hit: &Hit| {
            let (id, extent) = (self.documents.of_hit(hit), hit.chunk.extent());
            places.iter().any(|(gold, place)| id == Some(*gold) && place.overlaps(&extent))
        };
        let first = hits.iter().position(holds);
        (0..hits.len()).map(|i| u32::from(Some(i) == first)).collect()
    }
}

/// A passage as a reader finds it.
fn place_of(hit: &Hit) -> String {
    let extent = hit.chunk.extent();
    match extent.within() {
        Some(within) => format!("{} ({within})", hit.path),
        None => format!("{}:{}", hit.path, extent.lines.first),
    }
}

/// Scores a run. Its documents are named as in the questions; with an index, by any of their names.
/// A question that the run lacks has found nothing.
///
/// # Errors
/// A usage fault when the run has none of the questions, or the questions name no documents.
pub fn of_run(run: &Run, set: &QuestionSet, documents: Option<&Documents>) -> Result<Vec<Outcome>> {
    let known =
        |name: &str| documents.and_then(|documents| Some(documents.name(documents.find(name)?)));
    let name = |name: &str| known(name).unwrap_or_else(|| name.to_owned());
    if !set.questions.iter().any(|question| run.rankings.contains_key(&question.id)) {
        let (run, file) = (&run.name, set.file.display());
        return Err(Fault::usage(format!("the run `{run}` has no question of {file}"))
            .hint("questions are named by `id` or `_id`, or by the number of their line"));
    }
    let outcome = |(id, gold): (&String, &Gold)| {
        let Gold::Documents(gold) = gold else {
            return Err(Fault::usage(format!(
                "{}: a run lists documents, and these questions name passages",
                set.file.display()
            )));
        };
        let grades: HashMap<String, u32> =
            gold.iter().map(|(path, grade)| (name(path), *grade)).collect();
        let mut seen = HashSet::new();
        let ranking = run.rankings.get(id).map_or(&[][..], Vec::as_slice);
        let distinct: Vec<String> = ranking
            .iter()
            .map(|document| name(document))
            .filter(|d| seen.insert(d.clone()))
            .collect();
        let grade = |document: &String| grades.get(document).copied().unwrap_or(0);
        let listed: Vec<u32> = distinct.iter().map(grade).collect();
        let ideal: Vec<u32> = grades.values().copied().collect();
        Ok(Outcome {
            measures: Some(measures::of(&listed, &ideal)),
            first: measures::first_at(&listed, usize::MAX),
            top: distinct.first().filter(|_| listed.first() == Some(&0)).cloned(),
            ms: None,
            ranking: distinct.into_iter().zip((0..).map(|i| -f64::from(i))).collect(),
        })
    };
    set.questions.iter().map(|question| (&question.id, &question.gold)).map(outcome).collect()
}
