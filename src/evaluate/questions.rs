//! Files of questions with known answers: lines of JSON that name relevant documents or say what an
//! answer must contain, and folders in the layout of BEIR.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, ErrorKind};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_json::Value;

use crate::analysis::Pattern;
use crate::disk;
use crate::document::{Extent, Location};
use crate::error::{Context as _, Fault, Result};

/// Questions of one file or folder.
#[derive(Debug)]
pub struct QuestionSet {
    /// The name of the file or folder.
    pub name: String,
    pub file: PathBuf,
    pub questions: Vec<Question>,
    /// A folder in the layout of BEIR: documents are named by the ids of its corpus.
    pub is_beir: bool,
}

#[derive(Debug)]
pub struct Question {
    /// Given, or the number of the line.
    pub id: String,
    /// Of the file.
    pub line: usize,
    pub text: String,
    pub gold: Gold,
}

/// What is known about the answer.
#[derive(Debug)]
pub enum Gold {
    /// Relevant documents with their grades; 0 means not relevant.
    Documents(BTreeMap<String, u32>),
    Answer(GoldAnswer),
}

#[derive(Debug)]
pub struct GoldAnswer {
    pub kind: String,
    /// A right answer has one pattern of each element. None: the documents do not answer.
    pub elements: Vec<Element>,
    /// Patterns that a right answer does not have.
    pub forbidden: Vec<Pattern>,
    /// Where the answer is.
    pub places: Vec<Place>,
}

/// One of these must be in the answer.
#[derive(Debug)]
pub struct Element(pub Vec<Pattern>);

impl Element {
    pub fn is_in(&self, text: &str) -> bool {
        self.0.iter().any(|pattern| pattern.is_match(text))
    }

    /// As the user wrote it, nearly.
    pub fn shown(&self) -> String {
        self.0.iter().map(Pattern::as_str).collect::<Vec<_>>().join(" | ")
    }
}

/// A passage of a document: lines, or a page.
#[derive(Clone, Debug, Deserialize)]
pub struct Place {
    pub path: String,
    #[serde(default)]
    pub lines: Option<(usize, usize)>,
    #[serde(default)]
    pub page: Option<usize>,
}

impl Place {
    /// Whether a part of the same document has a line or the page in common with it.
    pub fn overlaps(&self, extent: &Extent) -> bool {
        match (self.page, self.lines) {
            (Some(page), _) => extent.location.as_ref().and_then(Location::page) == Some(page),
            (None, Some((first, last))) => extent.lines.first <= last && first <= extent.lines.last,
            (None, None) => false,
        }
    }
}

/// A line of a file, in any of its forms.
#[derive(Deserialize)]
struct Line {
    #[serde(alias = "_id")]
    id: Option<Value>,
    #[serde(alias = "question", alias = "text")]
    query: String,
    relevant: Option<BTreeMap<String, u32>>,
    answer: Option<Vec<Vec<String>>>,
    #[serde(default)]
    forbid: Vec<String>,
    #[serde(default)]
    source: Vec<Place>,
    #[serde(default)]
    unanswerable: bool,
    kind: Option<String>,
}

const FORMAT: &str = "expected format: {\"query\": \"…\", \"relevant\": {\"PATH\": GRADE, …}} or \
                      {\"question\": \"…\", \"answer\": [[\"PATTERN\", …], …], \"source\": \
                      [{\"path\": \"…\", \"lines\": [FIRST, LAST]}]}";

/// The lines of a file, or of `input` in its place.
///
/// # Errors
/// A usage fault that names the invalid line; a file without a question that can be scored.
pub fn read(input: impl BufRead, file: &Path) -> Result<QuestionSet> {
    let mut questions = Vec::new();
    each_line(input, file, FORMAT, &mut |n, line| {
        let question = question(line, n)?;
        let counts = match &question.gold {
            Gold::Documents(relevant) => relevant.values().any(|grade| *grade > 0),
            Gold::Answer(_) => true,
        };
        questions.extend(counts.then_some(question));
        Ok(())
    })?;
    if questions.is_empty() {
        let message = format!("{} has no question with a relevant document", file.display());
        return Err(Fault::usage(message).hint(FORMAT));
    }
    Ok(QuestionSet { name: name_of(file), file: file.to_owned(), questions, is_beir: false })
}

/// The name of a file without its ending.
pub(super) fn name_of(file: &Path) -> String {
    let stem = file.file_stem().or(file.file_name());
    stem.map_or_else(|| "questions".to_owned(), |stem| stem.to_string_lossy().into_owned())
}

/// Calls `read` with each line that is not empty and its number. What is wrong with a line becomes
/// a fault that names it.
pub(super) fn each_line(
    input: impl BufRead,
    file: &Path,
    format: &str,
    read: &mut dyn FnMut(usize, &str) -> Result<(), String>,
) -> Result<()> {
    for (line, n) in input.lines().zip(1..) {
        let place = || format!("{}:{n}", file.display());
        let line = line.map_err(|e| match e.kind() {
            ErrorKind::InvalidData => {
                Fault::usage(format!("{}: the line is not valid UTF-8", place())).hint(format)
            }
            _ => Fault::failed(format!("cannot read {}", file.display())).because(e),
        })?;
        if !line.trim().is_empty() {
            read(n, &line)
                .map_err(|why| Fault::usage(format!("{}: {why}", place())).hint(format))?;
        }
    }
    Ok(())
}

/// # Errors
/// What is wrong with the line.
fn question(line: &str, n: usize) -> Result<Question, String> {
    let line: Line = json(line)?;
    if line.query.trim().is_empty() {
        return Err("the query is empty".to_owned());
    }
    let id = match line.id {
        None | Some(Value::Null) => n.to_string(),
        Some(Value::String(id)) => id,
        Some(other) => other.to_string(),
    };
    let gold = match (line.relevant, line.answer, line.unanswerable) {
        (Some(relevant), None, false) => Gold::Documents(relevant),
        (Some(_), ..) => return Err("`relevant` and `answer` exclude each other".to_owned()),
        (None, Some(answer), true) if !answer.is_empty() => {
            return Err("an `unanswerable` question has an empty `answer`".to_owned());
        }
        (None, None, false) => return Err("missing field `relevant`".to_owned()),
        (None, answer, _) => Gold::Answer(GoldAnswer {
            kind: line.kind.unwrap_or_else(|| "question".to_owned()),
            elements: answer
                .unwrap_or_default()
                .iter()
                .map(|e| element(e))
                .collect::<Result<_, _>>()?,
            forbidden: patterns(&line.forbid)?,
            places: line.source.into_iter().map(place).collect::<Result<_, _>>()?,
        }),
    };
    Ok(Question { id, line: n, text: line.query, gold })
}

fn element(alternatives: &[String]) -> Result<Element, String> {
    match alternatives.is_empty() {
        true => Err("an element of `answer` has no pattern".to_owned()),
        false => patterns(alternatives).map(Element),
    }
}

fn patterns(sources: &[String]) -> Result<Vec<Pattern>, String> {
    let compile = |source: &String| {
        Pattern::new(source).map_err(|why| format!("the pattern `{source}` is invalid: {why}"))
    };
    sources.iter().map(compile).collect()
}

fn place(place: Place) -> Result<Place, String> {
    match (place.lines, place.page) {
        (None, None) => Err(format!("the source `{}` needs `lines` or a `page`", place.path)),
        (Some((first, last)), _) if first == 0 || last < first => {
            Err(format!("the source `{}` has invalid lines", place.path))
        }
        _ => Ok(place),
    }
}

/// # Errors
/// What is wrong, with the column.
fn json<T: for<'a> Deserialize<'a>>(line: &str) -> Result<T, String> {
    serde_json::from_str(line).map_err(|e| {
        // The parser sees every line as line 1.
        let why = e.to_string();
        let at = format!(" at line {} column {}", e.line(), e.column());
        let why = why.strip_suffix(&at).unwrap_or(&why);
        format!("{why} (column {})", e.column())
    })
}

/// One document of a BEIR corpus, or one question.
#[derive(Deserialize)]
pub(super) struct BeirLine {
    #[serde(rename = "_id")]
    pub id: String,
    #[serde(default)]
    pub title: String,
    pub text: String,
}

const BEIR: &str = "a folder of questions has the layout of BEIR: corpus.jsonl, queries.jsonl and \
                    qrels/test.tsv";

/// Calls `read` with each line of a file of a BEIR folder.
pub(super) fn each_beir_line(
    dir: &Path,
    file: &str,
    read: &mut dyn FnMut(usize, BeirLine) -> Result<()>,
) -> Result<()> {
    let path = dir.join(file);
    let mut outcome = Ok(());
    each_line(open_beir(dir, file)?, &path, BEIR, &mut |n, line| {
        let line = json(line)?;
        if outcome.is_ok() {
            outcome = read(n, line);
        }
        Ok(())
    })?;
    outcome
}

fn open_beir(dir: &Path, file: &str) -> Result<BufReader<std::fs::File>> {
    let path = dir.join(file);
    let opened = disk::if_exists(std::fs::File::open(&path)).or_cannot("read", &path)?;
    let missing = || Fault::usage(format!("{} has no {file}", dir.display())).hint(BEIR);
    opened.map(BufReader::new).ok_or_else(missing)
}

/// The questions of a BEIR folder that have a relevant document.
///
/// # Errors
/// A usage fault that names the missing file or the invalid line.
pub fn read_beir(dir: &Path) -> Result<QuestionSet> {
    let mut texts = Vec::new();
    each_beir_line(dir, "queries.jsonl", &mut |n, line| {
        texts.push((n, line));
        Ok(())
    })?;
    let mut judged = judgements(dir)?;
    let mut questions = Vec::new();
    for (line, BeirLine { id, text, .. }) in texts {
        let relevant = judged.remove(&id).unwrap_or_default();
        if relevant.values().any(|grade| *grade > 0) {
            questions.push(Question { id, line, text, gold: Gold::Documents(relevant) });
        }
    }
    if questions.is_empty() {
        let message = format!("{} has no question with a relevant document", dir.display());
        return Err(Fault::usage(message).hint(BEIR));
    }
    let absolute = dir.canonicalize().unwrap_or_else(|_| dir.to_owned());
    let name = absolute.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_else(|| "questions".to_owned());
    Ok(QuestionSet { name, file: dir.to_owned(), questions, is_beir: true })
}

/// The grades of documents by question. TREC's form, with a second column that is ignored, is read
/// too.
fn judgements(dir: &Path) -> Result<BTreeMap<String, BTreeMap<String, u32>>> {
    const FILE: &str = "qrels/test.tsv";
    const FORMAT: &str = "expected columns: question, document, grade";
    let mut judged: BTreeMap<String, BTreeMap<String, u32>> = BTreeMap::new();
    each_line(open_beir(dir, FILE)?, &dir.join(FILE), FORMAT, &mut |n, line| {
        let columns: Vec<&str> = line.split_whitespace().collect();
        let ([question, document, grade] | [question, _, document, grade]) = columns[..] else {
            return Err(format!("{} columns", columns.len()));
        };
        match grade.parse::<i64>() {
            Ok(grade) => {
                let grade = u32::try_from(grade.max(0)).unwrap_or(u32::MAX);
                judged.entry(question.to_owned()).or_default().insert(document.to_owned(), grade);
                Ok(())
            }
            // The header.
            Err(_) if n == 1 => Ok(()),
            Err(_) => Err(format!("`{grade}` is not a grade")),
        }
    })?;
    Ok(judged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<QuestionSet> {
        read(text.as_bytes(), Path::new("q.jsonl"))
    }

    #[test]
    fn a_line_has_relevant_documents_or_an_expected_answer() {
        let set = read_text(
            "{\"query\": \"a\", \"relevant\": {\"x\": 2}}\n\n{\"id\": 7, \"question\": \"b\", \
             \"answer\": [[\"one\", \"two\"]], \"source\": [{\"path\": \"x\", \"lines\": [1, \
             2]}]}\n\
             {\"_id\": \"z\", \"question\": \"c\", \"answer\": [], \"unanswerable\": true}\n",
        )
        .unwrap();
        let ids: Vec<&str> = set.questions.iter().map(|question| question.id.as_str()).collect();
        assert_eq!((ids, set.name.as_str()), (vec!["1", "7", "z"], "q"));
        let Gold::Answer(gold) = &set.questions[1].gold else { panic!("no answer") };
        assert!(gold.elements[0].is_in("Two") && !gold.elements[0].is_in("three"));
    }

    #[test]
    fn an_invalid_line_is_named() {
        let check = |line: &str, expected: &str| {
            let fault = read_text(line).unwrap_err().to_string();
            assert!(fault.contains("q.jsonl:1: ") && fault.contains(expected), "{fault}");
        };
        let answer = |answer: &str, more: &str| {
            format!("{{\"question\": \"q\", \"answer\": {answer}{more}}}")
        };
        check("{\"query\": \"q\"}", "missing field `relevant`");
        check(&answer("[[]]", ""), "has no pattern");
        check(&answer("[[\"(\"]]", ""), "the pattern `(` is invalid");
        check(&answer("[[\"a\"]]", ", \"unanswerable\": true"), "`unanswerable`");
        check(&answer("[[\"a\"]]", ", \"relevant\": {}"), "exclude each other");
        check(&answer("[[\"a\"]]", ", \"source\": [{\"path\": \"x\"}]"), "needs `lines`");
    }

    #[test]
    fn judgements_of_beir_and_trec_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let write = |file: &str, text: &str| std::fs::write(dir.path().join(file), text).unwrap();
        std::fs::create_dir(dir.path().join("qrels")).unwrap();
        write(
            "queries.jsonl",
            "{\"_id\": \"1\", \"text\": \"a\"}\n{\"_id\": \"2\", \"text\": \"b\"}",
        );
        write("qrels/test.tsv", "query-id\tcorpus-id\tscore\n1\td1\t2\n2 0 d2 0\n");
        let set = read_beir(dir.path()).unwrap();
        assert_eq!(set.questions.len(), 1, "only those with a relevant document");
        assert!(matches!(&set.questions[0].gold, Gold::Documents(gold) if gold["d1"] == 2));
        write("qrels/test.tsv", "1\td1\n");
        let fault = read_beir(dir.path()).unwrap_err().to_string();
        assert!(fault.contains("test.tsv:1: 2 columns"), "{fault}");
        std::fs::remove_file(dir.path().join("queries.jsonl")).unwrap();
        assert!(read_beir(dir.path()).unwrap_err().to_string().contains("has no queries.jsonl"));
    }
}
