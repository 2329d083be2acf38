//! Measures retrieval on questions whose relevant documents are known.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::{BufRead, ErrorKind};
use std::path::Path;
use std::time::Instant;

use serde::Deserialize;

use crate::cache::Caching;
use crate::config::Mode;
use crate::engine::{Engine, Stop};
use crate::error::{Fault, Result};
use crate::filter::Filter;
use crate::index::{Snapshot, State};
use crate::naming;
use crate::search::{self, Request, Searcher};

/// Passages per question: enough to yield 100 distinct documents.
const DEPTH: usize = 400;

#[derive(Deserialize)]
struct Question {
    query: String,
    /// Relative path to grade; 0 means not relevant.
    relevant: BTreeMap<String, u32>,
}

/// Means over all questions.
#[derive(Clone, Debug)]
pub struct ModeReport {
    /// `lexical`, `dense`, `hybrid`, or `rerank` for hybrid with rerank.
    pub mode: &'static str,
    pub ndcg_10: f64,
    pub recall_100: f64,
    pub mrr_10: f64,
    pub p50_ms: f64,
    pub p95_ms: f64,
}

#[derive(Clone, Debug)]
pub struct Report {
    pub queries: usize,
    pub modes: Vec<ModeReport>,
}

/// Runs every question of `input`, read from `file`, in every mode, on the documents that match
/// `filter`; also with rerank if it is configured.
pub fn run(
    engine: &Engine,
    input: impl BufRead,
    file: &Path,
    filter: Option<&Filter>,
) -> Result<Report> {
    let lines = read(input, file)?;
    let mut searcher = Searcher::open(engine)?;
    let names = DocumentNames::of(&searcher.snapshot)?;
    let questions = resolved(lines, file, &engine.config.index, &names)?;
    let mut modes: Vec<_> =
        [Mode::Lexical, Mode::Dense, Mode::Hybrid].map(|mode| (mode.name(), mode, 0)).into();
    if engine.config.rerank > 0 {
        modes.push(("rerank", Mode::Hybrid, engine.config.rerank));
    }
    let measure = |(name, mode, rerank)| {
        let template = Request {
            query: String::new(),
            mode,
            k: DEPTH,
            rerank,
            caching: Caching::Use,
            filter: filter.cloned(),
            stop: Stop::default(),
        };
        measure(engine, &mut searcher, &questions, name, &template)
    };
    let modes = modes.into_iter().map(measure).collect::<Result<_>>()?;
    Ok(Report { queries: questions.len(), modes })
}

/// Asks every question as `template` says.
fn measure(
    engine: &Engine,
    searcher: &mut Searcher,
    questions: &[Question],
    mode: &'static str,
    template: &Request,
) -> Result<ModeReport> {
    let (mut ndcg, mut recall, mut mrr, mut times) = (0.0, 0.0, 0.0, Vec::new());
    for Question { query, relevant } in questions {
        if engine.interrupted() {
            return Err(Fault::interrupted());
        }
        let start = Instant::now();
        let request = Request { query: query.clone(), ..template.clone() };
        let hits = searcher.search(engine, &request)?.hits;
        times.push(search::milliseconds(start));
        let mut seen = HashSet::new();
        let paths = hits.iter().map(|hit| &*hit.path);
        let files: Vec<&str> = paths.filter(|path| seen.insert(*path)).collect();
        ndcg += ndcg_at(&files, relevant, 10);
        recall += recall_at(&files, relevant, 100);
        mrr += reciprocal_rank_at(&files, relevant, 10);
    }
    times.sort_by(f64::total_cmp);
    let percentile = |p: usize| times[(times.len() * p / 100).min(times.len() - 1)];
    let n = questions.len() as f64;
    Ok(ModeReport {
        mode,
        ndcg_10: ndcg / n,
        recall_100: recall / n,
        mrr_10: mrr / n,
        p50_ms: percentile(50),
        p95_ms: percentile(95),
    })
}

/// The questions of a file that have a relevant document, with their line numbers.
fn read(input: impl BufRead, file: &Path) -> Result<Vec<(usize, Question)>> {
    let mut questions = Vec::new();
    for (line, n) in input.lines().zip(1..) {
        let place = || format!("{}:{n}", file.display());
        let line = line.map_err(|e| match e.kind() {
            ErrorKind::InvalidData => {
                Fault::usage(format!("{}: the line is not valid UTF-8", place())).hint(FORMAT)
            }
            _ => Fault::failed(format!("cannot read {}", file.display())).because(e),
        })?;
        if line.trim().is_empty() {
            continue;
        }
        let question = question(&line)
            .map_err(|why| Fault::usage(format!("{}: {why}", place())).hint(FORMAT))?;
        if question.relevant.values().any(|grade| *grade > 0) {
            questions.push((n, question));
        }
    }
    if questions.is_empty() {
        return Err(Fault::usage(format!(
            "{} has no question with a relevant document",
            file.display()
        ))
        .hint(FORMAT));
    }
    Ok(questions)
}

/// The questions with paths as the index stores them.
///
/// # Errors
/// A usage fault for a relevant document that is not in the index: it could never be found.
fn resolved(
    questions: Vec<(usize, Question)>,
    file: &Path,
    index: &str,
    names: &DocumentNames,
) -> Result<Vec<Question>> {
    let resolve = |(n, question): (usize, Question)| match names.resolve(question.relevant) {
        Ok(relevant) => Ok(Question { relevant, ..question }),
        Err(path) => {
            let place = file.display();
            Err(Fault::usage(format!("{place}:{n}: no document `{path}` in the index `{index}`"))
                .hint(names.hint_for(&path)))
        }
    };
    questions.into_iter().map(resolve).collect()
}

const FORMAT: &str = r#"expected format: {"query": "…", "relevant": {"PATH": GRADE, …}}"#;

/// # Errors
/// What is wrong with the line.
fn question(line: &str) -> std::result::Result<Question, String> {
    let question: Question = serde_json::from_str(line).map_err(|e| {
        // The parser sees every line as line 1.
        let why = e.to_string();
        let why = why
            .strip_suffix(&format!(" at line {} column {}", e.line(), e.column()))
            .unwrap_or(&why);
        format!("{why} (column {})", e.column())
    })?;
    match question.query.trim().is_empty() {
        true => Err("the query is empty".to_owned()),
        false => Ok(question),
    }
}

/// The documents of an index, by every name that a question may use.
struct DocumentNames {
    /// Path relative to the folder, with and without the folder's name, to the path without it.
    paths: BTreeMap<String, String>,
    /// Files that failed or were skipped.
    unindexed: BTreeSet<String>,
}

impl DocumentNames {
    fn of(snapshot: &Snapshot) -> Result<Self> {
        let roots = &snapshot.meta().roots;
        let (mut paths, mut unindexed) = (BTreeMap::new(), BTreeSet::new());
        for record in snapshot.documents()? {
            if record.state != State::Indexed {
                unindexed.insert(record.path);
                continue;
            }
            let root = roots.get(record.root).map_or("", |root| &root.given);
            let mut insert = |name: &str| {
                paths.insert(naming::composed(name).into_owned(), record.path.clone());
            };
            insert(&naming::name(root, &record.path));
            insert(&record.path);
        }
        Ok(Self { paths, unindexed })
    }

    /// The grades by paths relative to the folder.
    ///
    /// # Errors
    /// A relevant path that is not in the index.
    fn resolve(
        &self,
        relevant: BTreeMap<String, u32>,
    ) -> std::result::Result<BTreeMap<String, u32>, String> {
        let mut resolved = BTreeMap::new();
        for (path, grade) in relevant {
            match self.paths.get(&*naming::composed(&path)) {
                Some(stored) => resolved.insert(stored.clone(), grade),
                // An irrelevant document may be missing.
                None if grade == 0 => continue,
                None => return Err(path),
            };
        }
        Ok(resolved)
    }

    /// What to do about a path that is not in the index.
    fn hint_for(&self, path: &str) -> String {
        if self.unindexed.contains(path) {
            return "the file was not indexed; `rag documents list --failed` and `--skipped` say why"
                .to_owned();
        }
        let file_name = |path: &str| path.rsplit('/').next().unwrap_or_default().to_owned();
        let wanted = file_name(path);
        let is_similar = |known: &&String| !wanted.is_empty() && file_name(known) == wanted;
        match self.paths.values().find(is_similar) {
            Some(similar) => {
                format!("did you mean `{similar}`? Paths are relative to the indexed folder")
            }
            None => {
                "list documents with `rag documents list`; re-ingest the folder if the file is \
                     new"
                .to_owned()
            }
        }
    }
}

/// Normalized discounted cumulative gain with linear gains and a base-2 discount (Järvelin and
/// Kekäläinen 2002; as in `trec_eval`).
fn ndcg_at(files: &[&str], relevant: &BTreeMap<String, u32>, k: usize) -> f64 {
    let discounted = |grades: &mut dyn Iterator<Item = u32>| -> f64 {
        grades
            .take(k)
            .enumerate()
            .map(|(i, grade)| f64::from(grade) / (i as f64 + 2.0).log2())
            .sum()
    };
    let mut ideal: Vec<u32> = relevant.values().copied().collect();
    ideal.sort_unstable_by(|a, b| b.cmp(a));
    let gained =
        discounted(&mut files.iter().map(|file| relevant.get(*file).copied().unwrap_or(0)));
    gained / discounted(&mut ideal.into_iter())
}

fn recall_at(files: &[&str], relevant: &BTreeMap<String, u32>, k: usize) -> f64 {
    let is_relevant = |file: &&&str| relevant.get(**file).is_some_and(|grade| *grade > 0);
    let found = files.iter().take(k).filter(is_relevant).count();
    found as f64 / relevant.values().filter(|grade| **grade > 0).count() as f64
}

fn reciprocal_rank_at(files: &[&str], relevant: &BTreeMap<String, u32>, k: usize) -> f64 {
    let first =
        files.iter().take(k).position(|file| relevant.get(*file).is_some_and(|grade| *grade > 0));
    first.map_or(0.0, |i| 1.0 / (i as f64 + 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relevant(grades: &[(&str, u32)]) -> BTreeMap<String, u32> {
        grades.iter().map(|(path, grade)| ((*path).to_owned(), *grade)).collect()
    }

    #[test]
    fn measures_match_values_computed_by_hand() {
        let gold = relevant(&[("a", 1), ("b", 1), ("c", 0)]);
        assert!((ndcg_at(&["a", "b"], &gold, 10) - 1.0).abs() < 1e-12);
        // Only `b`, at rank 3: (1 / log2 4) / (1 / log2 2 + 1 / log2 3).
        let expected = 0.5 / (1.0 + 1.0 / 3f64.log2());
        assert!((ndcg_at(&["x", "c", "b"], &gold, 10) - expected).abs() < 1e-12);
        assert_eq!(ndcg_at(&["x", "b"], &gold, 1), 0.0);
        assert_eq!(recall_at(&["b", "x"], &gold, 100), 0.5);
        assert_eq!(reciprocal_rank_at(&["x", "b"], &gold, 10), 0.5);
    }
}
