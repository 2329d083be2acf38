//! `rag ask`: an answer and its sources.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::args::{AnswerArgs, Flags, flag};
use super::excerpt::Matcher;
use super::exit::{self, Outcome};
use super::formats::{Format, Passages};
use super::hits::{heading, linked_place, matcher, place, place_of, print_excerpt, risk_warning};
use super::input;
use super::sessions::SessionArgs;
use super::sources;
use super::ui::{Tone, Ui, columns, count, counted, one_line, safe, wrapped};
use crate::analysis::untrusted::RiskLevel;
use crate::answer;
use crate::ask::{Asker, Event, Request, Response};
use crate::batch;
use crate::document::Citation;
use crate::documents;
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::llm::Finish;
use crate::naming::Names;
use crate::observe;
use crate::wire;

/// Unsupported sentences that are shown one by one.
const MAX_UNSUPPORTED: usize = 5;

/// Answer a question from the index, with citations
///
/// The answer quotes sentences of the indexed files or, with `--generator llm`, is written from
/// them by a language model. If nothing supports an answer, prints the nearest passages and exits
/// with code 3.
#[derive(Debug, Args)]
pub struct AskArgs {
    /// Question, quoted or not; `-` reads standard input
    #[arg(required_unless_present = "batch")]
    question: Vec<String>,
    /// Answer every line of FILE (`-`: standard input), one JSON object per line
    ///
    /// A line is a question or an object: {"id": …, "question": "…"}. Answers keep the order of the
    /// questions.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["question", "session", "resume"])]
    batch: Option<PathBuf>,
    /// Text for people, the passages as Markdown for a language model (context), paths,
    /// `path:line:text` (lines), or the steps of the answer as a diagram (mermaid) [default: text]
    ///
    /// Except for `text` and `mermaid`, the passages that an answer may draw on are printed instead
    /// of the answer, and no language model is asked.
    #[arg(long, value_name = "FORMAT", value_parser = Format::OF_ANSWER, conflicts_with = "batch")]
    format: Option<String>,
    /// Maximum tokens of `--format context` [default: 4000]
    #[arg(long, value_name = "N")]
    tokens: Option<usize>,
    #[command(flatten)]
    session: SessionArgs,
    #[command(flatten)]
    answer: AnswerArgs,
}

impl AskArgs {
    pub fn flags(&self) -> Flags {
        let of_passages = ["context", "paths", "lines"];
        let is_of_passages = self.format.as_deref().is_some_and(|name| of_passages.contains(&name));
        let generator = is_of_passages.then_some("extractive");
        [self.answer.flags(), flag("generator", "--format", generator)].concat()
    }
}

pub fn run(args: &AskArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    if let Some(file) = &args.batch {
        return run_batch(file, &args.answer, engine, ui);
    }
    let format = Format::of_flags(args.format.as_deref(), args.tokens, ui)?;
    let question = input::question(&args.question)?;
    let template = args.answer.request()?;
    let mut session = args.session.open(engine)?;
    let request = Request {
        question,
        earlier: session.as_ref().map(|session| session.turns().to_vec()).unwrap_or_default(),
        ..template
    };
    let mut asker = Asker::open(engine)?;
    let response = match format {
        Format::Text => ask(&mut asker, engine, &request, ui)?,
        _ => ask_for(format, args.tokens, &mut asker, engine, &request, ui)?,
    };
    // The system frees the network and the maps faster than their destructors.
    std::mem::forget(asker);
    if ui.json {
        let mut object = wire::answer(&response, &exit::fault_json);
        if let Some(session) = &session {
            object["session"] = session.id().into();
        }
        ui.json(&object);
    }
    if let Some(session) = &mut session {
        session.add(response.turn(engine.now_s()))?;
    }
    if let Err(fault) = observe::asked_once(engine, &response) {
        ui.detail(format!("not recorded: {fault}"));
    }
    outcome(&response)
}

/// Asks and, unless results are JSON, prints the answer: as it is written, if a language model
/// writes.
///
/// # Errors
/// Those of [`Asker::ask_catching_panics`].
pub(super) fn ask(
    asker: &mut Asker,
    engine: &Engine,
    request: &Request,
    ui: &Ui,
) -> Result<Response> {
    let mut is_streamed = false;
    let response = asker.ask_catching_panics(engine, request, &mut |event| {
        if let Event::Text(text) = event
            && !ui.json
        {
            is_streamed |= !text.is_empty();
            ui.write(&safe(text));
        }
    })?;
    if !ui.json {
        if is_streamed {
            ui.line("\n");
        }
        let names = documents::names_from_here(&asker.searcher().snapshot.meta().roots);
        let matcher = matcher(&asker.searcher().snapshot, &response.resolved, &response.notes);
        let printer = Printer { response: &response, names: &names, matcher: &matcher, ui };
        printer.print(is_streamed);
        let places = sources::of_answer(&response.answer.citations, &names);
        sources::record(engine, &response.index, &places, ui);
    }
    Ok(response)
}

/// Prints the sources of an answer again, as the answer showed them.
pub(super) fn print_sources(asker: &mut Asker, response: &Response, ui: &Ui) {
    let snapshot = &asker.searcher().snapshot;
    let names = documents::names_from_here(&snapshot.meta().roots);
    let matcher = matcher(snapshot, &response.resolved, &response.notes);
    Printer { response, names: &names, matcher: &matcher, ui }.print_citations();
}

/// Asks, and prints the passages or the diagram of the answer.
fn ask_for(
    format: Format,
    tokens: Option<usize>,
    asker: &mut Asker,
    engine: &Engine,
    request: &Request,
    ui: &Ui,
) -> Result<Response> {
    let mut found = Vec::new();
    let response = asker.ask_catching_panics(engine, request, &mut |event| {
        if let Event::Found { hits, .. } = event {
            found = hits.to_vec();
        }
    })?;
    let snapshot = &asker.searcher().snapshot;
    let names = documents::names_from_here(&snapshot.meta().roots);
    let matcher = matcher(snapshot, &response.resolved, &response.notes);
    if format.is_of_passages() {
        let places = sources::of_hits(&found, &names, &matcher);
        sources::record(engine, &response.index, &places, ui);
        let (question, names, matcher) = (response.resolved.as_str(), &names, &matcher);
        Passages { question, hits: &found, names, matcher, ui }.print(format, tokens)?;
    } else {
        let diagram = answer::diagram(&response.question, &response.answer, response.intent);
        let Some(diagram) = diagram else {
            let intent = response.intent.name();
            return Err(Fault::usage(format!(
                "an answer of the kind `{intent}` has no steps to draw"
            ))
            .hint("ask how to do something, or add `--intent how-to`"));
        };
        ui.write(&safe(&diagram));
    }
    if !response.answer.supported {
        ui.note("nothing in the index supports an answer");
    }
    response.notes.iter().for_each(|note| ui.note(note));
    Ok(response)
}

/// The outcome of a command that has printed this answer.
///
/// # Errors
/// If the language model stopped before the end.
pub(super) fn outcome(response: &Response) -> Result<Outcome> {
    if let Some(writing) = response.writing.as_ref().filter(|_| response.is_broken_off()) {
        return Err(match &writing.trouble {
            Some(trouble) => Fault::outside(format!("the language model broke off: {trouble}"))
                .hint("the partial answer is above and is not stored; ask again"),
            None => Fault::interrupted(),
        });
    }
    Ok(if response.answer.supported { Outcome::Done } else { Outcome::NothingFound })
}

/// Answers a file of questions, one JSON object per line.
fn run_batch(file: &Path, args: &AnswerArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let (mut answered, mut unsupported, mut failed) = (0, 0, 0);
    batch::run(engine, input::questions(file)?, &args.request()?, &mut |item| {
        let mut object = match &item.outcome {
            Ok(response) => {
                answered += u64::from(response.answer.supported);
                unsupported += u64::from(!response.answer.supported);
                wire::answer(response, &exit::fault_json)
            }
            Err(fault) => {
                failed += 1;
                let question = item.question.as_ref().map(|question| &question.question);
                json!({ "line": item.line, "question": question, "error": exit::fault_json(fault) })
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

/// Prints one answer.
struct Printer<'a> {
    response: &'a Response,
    names: &'a Names,
    matcher: &'a Matcher,
    ui: &'a Ui,
}

impl Printer<'_> {
    /// Prints the answer unless it `is_printed` already, then its sources and remarks.
    fn print(&self, is_printed: bool) {
        let Self { response, ui, .. } = *self;
        if let Some(fault) = &response.fallback {
            ui.warn(format!("{fault}; fell back to an extractive answer"));
        }
        ui.pending(response.pending);
        ui.stale(response.stale.as_ref());
        self.print_verdict(is_printed);
        if response.nothing_allowed && !response.index_empty {
            ui.note("the filter matches no document");
        }
        self.print_citations();
        response.notes.iter().for_each(|note| ui.note(note));
        for flagged in response.flagged.iter().filter(|flagged| flagged.n.is_none()) {
            let place = place(self.names, &flagged.hit);
            self.alert(&format!("{place}, not cited: {}", risk_warning(&flagged.risk)));
        }
        match response.risk.level() {
            RiskLevel::None => {}
            RiskLevel::Low => ui.detail(format!("question: {}", risk_warning(&response.risk))),
            _ => ui.note(format!("question: {}", risk_warning(&response.risk))),
        }
        self.print_checks();
        self.print_usage();
        let t = response.timings;
        ui.detail(format!(
            "embedding {:.0} ms, search {:.0} ms, generation {:.0} ms, total {:.0} ms",
            t.embedding_ms, t.search_ms, t.generation_ms, t.total_ms
        ));
        if response.resolved != response.question.trim() {
            ui.detail(format!("interpreted as: {}", response.resolved));
        }
    }

    fn alert(&self, text: &str) {
        self.ui.line(self.ui.paint(Tone::Bad, text));
    }

    /// Prints the answer, or the reason for abstaining.
    fn print_verdict(&self, is_printed: bool) {
        let Self { response, ui, .. } = *self;
        let answer = &response.answer;
        if response.index_empty {
            ui.line(ui.paint(Tone::Strong, &format!("The index `{}` is empty.", response.index)));
            ui.note("add documents with `rag ingest FOLDER`");
        } else if !answer.supported && !response.is_broken_off() {
            let verdict = match response.checks.unsupported.len() as u64 {
                0 => "Nothing in the index supports an answer.".to_owned(),
                n => format!(
                    "Nothing in the index supports what the model wrote ({}).",
                    counted(n, "sentence")
                ),
            };
            ui.line(ui.paint(Tone::Strong, &verdict));
            if !answer.citations.is_empty() {
                ui.line("The nearest passages:\n");
            }
        } else if !is_printed {
            let text = answer::with_one_mark_a_paragraph(&answer.text);
            ui.write(&wrapped(&text, ui.width(), ""));
            ui.line("");
        }
    }

    fn print_citations(&self) {
        let Self { response, ui, .. } = *self;
        for citation in &response.answer.citations {
            if citation.n > 1 && !response.answer.supported && ui.is_terminal() {
                ui.line("");
            }
            self.print_citation(citation);
        }
    }

    fn print_citation(&self, citation: &Citation) {
        let Self { response, names, matcher, ui } = *self;
        let place = place_of(names, &citation.hit, &citation.extent());
        let heading = one_line(&heading(&citation.hit));
        let number = format!("[{}]", citation.n);
        let is_beside = ui.fits(&heading, number.len() + columns(&place) + 3);
        let beside = if is_beside { heading.as_str() } else { "" };
        let to = sources::of_citation(citation, names);
        let linked = linked_place(names, &citation.hit, &citation.extent(), &to, ui);
        ui.line(format!("{number} {linked}  {beside}").trim_end());
        let room = ui.width() - 4;
        if !is_beside {
            ui.line(format!("    {}", ui.fit(&heading, room)));
        }
        let flagged = response.flagged.iter().find(|flagged| flagged.n == Some(citation.n));
        if let Some(flagged) = flagged {
            self.alert(&format!("    {}", risk_warning(&flagged.risk)));
        }
        if !response.answer.supported {
            print_excerpt(&citation.hit, matcher, ui);
        }
    }

    /// What the checks of a written answer found.
    fn print_checks(&self) {
        let Self { response, ui, .. } = *self;
        let checks = &response.checks;
        if response.answer.supported {
            let mut sentences: Vec<&String> = checks.unsupported.iter().collect();
            sentences.dedup();
            let room = ui.width().saturating_sub(17);
            for sentence in sentences.iter().take(MAX_UNSUPPORTED) {
                self.alert(&format!("without support: {}", ui.fit(sentence, room)));
            }
            if let Some(more @ 1..) = sentences.len().checked_sub(MAX_UNSUPPORTED) {
                self.alert(&format!("without support: {} more", counted(more as u64, "sentence")));
            }
        }
        if !checks.removed.is_empty() {
            let marks: Vec<String> = checks.removed.iter().map(|n| format!("[{n}]")).collect();
            ui.note(format!("removed {}: no such source", marks.join(", ")));
        }
        if checks.addresses > 0 {
            let links = counted(checks.addresses as u64, "link");
            ui.note(format!("removed {links} that no source contains"));
        }
    }

    /// Model and tokens of a written answer.
    fn print_usage(&self) {
        let Self { response, ui, .. } = *self;
        let Some(writing) = &response.writing else { return };
        let mut line = writing.model.clone();
        if let Some(usage) = writing.usage {
            let cached = usage.cached_tokens.map(|n| format!(" ({} cached)", count(n)));
            line.push_str(&format!(
                ": {} prompt tokens{}, {} completion tokens",
                count(usage.prompt_tokens),
                cached.unwrap_or_default(),
                count(usage.completion_tokens)
            ));
        }
        if writing.attempts > 1 {
            line.push_str(&format!(", {} attempts", writing.attempts));
        }
        ui.note(line);
        match writing.finish {
            Finish::Length => ui.note("the reply reached the limit `llm.max_tokens`"),
            Finish::Repeating => {
                ui.note("the model repeated itself and was stopped; the answer is not stored");
            }
            _ => {}
        }
    }
}
