//! `rag ask`: an answer and its sources.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::Flags;
use super::exit::Outcome;
use super::search::{ModeArg, heading, place};
use super::ui::{Tone, Ui, clipped, wrapped};
use super::wire;
use crate::answer::Intent;
use crate::ask::{Asker, Request, Response};
use crate::batch;
use crate::cache::Caching;
use crate::engine::Engine;
use crate::error::{Fault, Result};

/// Answer a question from the index, with citations
///
/// The answer is made of sentences of the indexed files. When nothing there supports an answer, says so, shows the
/// nearest passages and exits with 3.
#[derive(Debug, Args)]
pub struct AskArgs {
    /// The question
    #[arg(required_unless_present = "batch")]
    question: Option<String>,
    /// Answer every line of FILE (or `-`): a question, or {"id": …, "question": "…"}; prints one JSON object a line
    #[arg(long, value_name = "FILE", conflicts_with = "question")]
    batch: Option<PathBuf>,
    #[command(flatten)]
    how: HowArgs,
}

/// How to answer; what `ask`, `chat` and `cache warm` share.
#[derive(Debug, Args)]
pub struct HowArgs {
    /// Passages to consider [default: 10]
    #[arg(short, value_name = "N")]
    k: Option<usize>,
    /// Which legs to use [default: hybrid]
    #[arg(long, value_name = "MODE")]
    mode: Option<ModeArg>,
    /// What kind of answer [default: told from the question]
    #[arg(long, value_name = "INTENT", value_parser = intent)]
    pub(super) intent: Option<Intent>,
    /// Longest answer, in words [default: 60]
    #[arg(long, value_name = "N")]
    max_words: Option<usize>,
    /// Neither read nor write the cache
    #[arg(long)]
    no_cache: bool,
    /// Compute anew and replace what the cache has
    #[arg(long, conflicts_with = "no_cache")]
    refresh: bool,
}

fn intent(name: &str) -> std::result::Result<Intent, String> {
    let names = || Intent::ALL.iter().map(|intent| intent.name()).collect::<Vec<_>>().join(", ");
    Intent::from_name(name).ok_or_else(|| format!("the intents are {}", names()))
}

impl HowArgs {
    pub fn flags(&self) -> Flags {
        let k = self.k.map(|k| ("search.k", k.to_string(), "-k".to_owned()));
        let mode = self.mode.map(|mode| ("search.mode", mode.name().to_owned(), "--mode".to_owned()));
        let words = self.max_words.map(|n| ("ask.max_words", n.to_string(), "--max-words".to_owned()));
        k.into_iter().chain(mode).chain(words).collect()
    }

    pub fn caching(&self) -> Caching {
        match (self.no_cache, self.refresh) {
            (true, _) => Caching::Off,
            (_, true) => Caching::Refresh,
            _ => Caching::Use,
        }
    }
}

impl AskArgs {
    pub fn flags(&self) -> Flags {
        self.how.flags()
    }
}

pub fn run(args: &AskArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let Some(question) = &args.question else {
        return many(args.batch.as_deref().unwrap_or(Path::new("-")), &args.how, engine, ui);
    };
    let request = Request {
        question: question.clone(),
        intent: args.how.intent,
        caching: args.how.caching(),
        ..Request::default()
    };
    let mut asker = Asker::open(engine)?;
    let response = asker.ask(engine, &request, &mut |_| {})?;
    show(&response, ui);
    // Freeing the network and the maps takes longer than the system's own cleaning up.
    std::mem::forget(asker);
    Ok(if response.answer.supported { Outcome::Done } else { Outcome::NothingFound })
}

/// Answers a file of questions, one JSON object a line.
fn many(file: &Path, how: &HowArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let (mut answered, mut unsupported, mut failed) = (0, 0, 0);
    batch::run(engine, questions(file)?, how.caching(), &mut |item| {
        let mut object = match &item.outcome {
            Ok(response) => {
                answered += u64::from(response.answer.supported);
                unsupported += u64::from(!response.answer.supported);
                wire::answer(response)
            }
            Err(fault) => {
                failed += 1;
                let question = item.question.as_ref().map(|question| &question.question);
                json!({ "line": item.line, "question": question, "error": wire::fault(fault) })
            }
        };
        if let Some(id) = item.question.and_then(|question| question.id) {
            object["id"] = id;
        }
        ui.json_line(&object);
    })?;
    ui.note(format!("{answered} answered, {unsupported} without support, {failed} failed"));
    Ok(match (answered, failed) {
        (_, 1..) => Outcome::SomeFailed,
        (0, 0) => Outcome::NothingFound,
        _ => Outcome::Done,
    })
}

/// A file of questions, or the standard input for `-`.
pub(super) fn questions(file: &Path) -> Result<Box<dyn BufRead + Send>> {
    if file == Path::new("-") {
        return Ok(Box::new(BufReader::new(std::io::stdin())));
    }
    let opened = std::fs::File::open(file).map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => Fault::usage(format!("there is no file {}", file.display())),
        _ => Fault::failed(format!("cannot read {}", file.display())).because(e),
    })?;
    Ok(Box::new(BufReader::new(opened)))
}

/// Prints one answer.
pub(super) fn show(response: &Response, ui: &Ui) {
    let answer = &response.answer;
    if ui.json {
        ui.json(&wire::answer(response));
    } else {
        if answer.supported {
            ui.write(&wrapped(&answer.text, ui.width(), ""));
            ui.line("");
        } else {
            ui.line(ui.paint(Tone::Strong, "Nothing in the index supports an answer."));
            if !answer.citations.is_empty() {
                ui.line("The nearest passages:\n");
            }
        }
        for citation in &answer.citations {
            let place = place(&citation.hit);
            let room = ui.width().saturating_sub(place.chars().count() + 8).max(12);
            ui.line(format!(
                "[{}] {}  {}",
                citation.n,
                ui.paint(Tone::Place, &place),
                clipped(&heading(&citation.hit), room)
            ));
            if !answer.supported {
                ui.line(format!("    {}", clipped(&citation.hit.chunk.text, ui.width() - 4)));
            }
        }
        let t = response.timings;
        ui.detail(format!(
            "embedding {:.0} ms, search {:.0} ms, generation {:.0} ms, total {:.0} ms",
            t.embedding_ms, t.search_ms, t.generation_ms, t.total_ms
        ));
    }
}
