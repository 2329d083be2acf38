//! `rag eval init`: what users asked and said about answers, as questions with known answers.

use std::collections::{BTreeMap, BTreeSet};

use clap::Args;
use serde_json::{Value, json};

use crate::analytics::{self, Question};
use crate::cli::exit::Outcome;
use crate::cli::ui::{Ui, counted};
use crate::engine::Engine;
use crate::error::Result;
use crate::evaluate;
use crate::index::State;
use crate::naming;
use crate::sessions::Turn;

/// Print questions that users asked, for `rag eval`
///
/// Feedback on answers gives questions with known answers, one JSON object per line. Everything is
/// of the index in use.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Also print the questions of conversations, and those recorded in words, with the documents
    /// that their answers cite
    ///
    /// These answers have not been checked: read the lines before you measure with
    /// them.
    #[arg(long)]
    drafts: bool,
}

pub fn run(args: &InitArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let index = &engine.config.index;
    let known = known_documents(engine)?;
    let is_known = |other: &str, name: &str| other == index && known.contains(name);
    let place = engine.records();
    let mut rated = analytics::feedback(&place, 0)?;
    rated.retain(|rated| rated.feedback.index == *index);
    let mut lines = evaluate::from_feedback(&rated, &is_known);
    let n_checked = lines.len();
    if args.drafts {
        let mut asked: BTreeSet<String> = lines.iter().filter_map(question_of).collect();
        let mut drafts = Drafts { known: &known, asked: &mut asked, lines: &mut lines };
        for turn in turns(engine)? {
            drafts.add_turn(&turn);
        }
        for question in analytics::questions(&place, 0)? {
            if question.index == *index {
                drafts.add_recorded(&question);
            }
        }
    }
    for line in &lines {
        ui.line(line);
    }
    let n_drafts = lines.len() - n_checked;
    ui.note(format!(
        "{} from feedback, {}",
        counted(n_checked as u64, "question"),
        counted(n_drafts as u64, "draft")
    ));
    if lines.is_empty() {
        ui.note(match args.drafts {
            true => {
                "no questions: `rag serve` collects feedback, `rag chat` keeps conversations, and \
                 the setting `analytics.text` records questions in words"
            }
            false => {
                "no feedback: users give it on the page of `rag serve`; `--drafts` takes questions \
                 that were asked"
            }
        });
        return Ok(Outcome::NothingFound);
    }
    if n_drafts > 0 {
        ui.note("drafts are unchecked: correct their documents, and delete those that are wrong");
    }
    Ok(Outcome::Done)
}

/// Names of the documents of the index.
fn known_documents(engine: &Engine) -> Result<BTreeSet<String>> {
    let snapshot = engine.store.open(&engine.config.index)?;
    let roots = &snapshot.meta().roots;
    let indexed = snapshot.documents()?.into_iter().filter(|r| r.state == State::Indexed);
    let name = |record: crate::index::Record| {
        naming::name(roots.get(record.root).map_or("", |root| &root.given), &record.path)
    };
    Ok(indexed.map(name).collect())
}

/// Every turn of every conversation about the index.
fn turns(engine: &Engine) -> Result<Vec<Turn>> {
    let (sessions, now_s) = (engine.sessions()?, engine.now_s());
    let mut turns = Vec::new();
    for session in sessions.list(now_s)? {
        // One that was removed meanwhile is left out.
        turns.extend(sessions.show(&session.id, now_s).unwrap_or_default());
    }
    turns.retain(|turn| turn.index == engine.config.index);
    turns.sort_by_key(|turn| turn.at);
    Ok(turns)
}

fn question_of(line: &Value) -> Option<String> {
    let text = line["query"].as_str().or_else(|| line["question"].as_str())?;
    Some(text.trim().to_lowercase())
}

/// Lines for questions whose answers have not been checked.
struct Drafts<'a> {
    known: &'a BTreeSet<String>,
    /// Questions that have a line.
    asked: &'a mut BTreeSet<String>,
    lines: &'a mut Vec<Value>,
}

impl Drafts<'_> {
    fn add_turn(&mut self, turn: &Turn) {
        let cited = turn.citations.iter().map(|cited| naming::name(&cited.root, &cited.path));
        if turn.supported {
            self.add(&turn.resolved, cited);
        }
    }

    fn add_recorded(&mut self, question: &Question) {
        let cited = question.documents.iter().map(|(root, path)| naming::name(root, path));
        if question.supported && !question.is_search {
            self.add(&question.text, cited);
        }
    }

    fn add(&mut self, question: &str, documents: impl Iterator<Item = String>) {
        let relevant: BTreeMap<String, u32> =
            documents.filter(|name| self.known.contains(name)).map(|name| (name, 1)).collect();
        let question = question.trim();
        if question.is_empty() || relevant.is_empty() {
            return;
        }
        if self.asked.insert(question.to_lowercase()) {
            let id = format!("draft-{}", self.lines.len() + 1);
            self.lines.push(json!({ "id": id, "query": question, "relevant": relevant }));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::sessions::Cited;

    #[test]
    fn drafts_are_lines_that_an_evaluation_reads_each_question_once() {
        let known = BTreeSet::from(["docs/a.md".to_owned()]);
        let (mut asked, mut lines) = (BTreeSet::new(), Vec::new());
        let mut drafts = Drafts { known: &known, asked: &mut asked, lines: &mut lines };
        let cited = |path: &str| Cited {
            n: 1,
            root: "docs".into(),
            path: path.into(),
            first: 1,
            last: 2,
            ..Cited::default()
        };
        let turn = |question: &str, path: &str, supported| Turn {
            at: 1,
            index: "default".into(),
            question: question.into(),
            resolved: question.into(),
            answer: "Yes. [1]".into(),
            supported,
            intent: "factoid".into(),
            generator: "extractive".into(),
            citations: vec![cited(path)],
            ..Turn::default()
        };
        drafts.add_turn(&turn("Is it?", "a.md", true));
        drafts.add_turn(&turn("is it? ", "a.md", true));
        drafts.add_turn(&turn("Is it gone?", "gone.md", true));
        drafts.add_turn(&turn("Who knows?", "a.md", false));
        let recorded = |is_search| Question {
            text: "Recorded?".into(),
            is_search,
            supported: true,
            documents: vec![("docs".into(), "a.md".into())],
            ..Question::default()
        };
        drafts.add_recorded(&recorded(true));
        drafts.add_recorded(&recorded(false));
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let set = evaluate::read(text.as_bytes(), Path::new("drafts.jsonl")).unwrap();
        let texts: Vec<&str> = set.questions.iter().map(|q| q.text.as_str()).collect();
        assert_eq!(texts, ["Is it?", "Recorded?"]);
    }
}
