//! `rag ask`: an answer and its sources.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde_json::json;

use super::Flags;
use super::exit::{self, Outcome};
use super::search::{RankArgs, heading, place};
use super::sessions::WithinArgs;
use super::ui::{Tone, Ui, clipped, columns, count, counted, one_line, safe, wrapped};
use super::words;
use crate::analysis::untrusted::InjectionKind;
use crate::answer::Intent;
use crate::ask::{Asker, Event, Request, Response};
use crate::batch;
use crate::cache::Caching;
use crate::disk;
use crate::documents;
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::llm::Finish;
use crate::naming::Names;
use crate::observe;
use crate::wire;

/// Sentences without support that are shown one by one.
const MAX_UNSUPPORTED: usize = 5;

/// Answer a question from the index, with citations
///
/// The answer is made of sentences of the indexed files, or with `--generator llm` written by a
/// language model from them. When nothing there supports an answer, says so, shows the nearest
/// passages and exits with 3.
#[derive(Debug, Args)]
pub struct AskArgs {
    /// The question; its words need no quotes, and `-` reads it from the standard input
    #[arg(required_unless_present = "batch")]
    question: Vec<String>,
    /// Answer every line of FILE (or `-`): a question, or {"id": …, "question": "…"}; prints one
    /// JSON object a line
    #[arg(long, value_name = "FILE", conflicts_with_all = ["question", "session", "resume"])]
    batch: Option<PathBuf>,
    #[command(flatten)]
    within: WithinArgs,
    #[command(flatten)]
    how: HowArgs,
}

/// How to answer; what `ask`, `chat` and `cache warm` share.
#[derive(Debug, Args)]
pub struct HowArgs {
    /// Passages to consider [default: 10]
    #[arg(short, value_name = "N")]
    k: Option<usize>,
    #[command(flatten)]
    rank: RankArgs,
    /// What kind of answer [default: told from the question]
    #[arg(long, value_name = "INTENT", value_parser = intent)]
    intent: Option<Intent>,
    /// Longest answer, in words [default: 60]
    #[arg(long, value_name = "N")]
    max_words: Option<usize>,
    /// Who writes the answer: its sentences, or a language model [default: extractive]
    #[arg(long, value_name = "WHO")]
    generator: Option<GeneratorArg>,
    /// Who writes it when the language model fails [default: nobody]
    #[arg(long, value_name = "WHO")]
    fallback: Option<FallbackArg>,
    /// Neither read nor write the cache
    #[arg(long)]
    no_cache: bool,
    /// Compute anew and replace what the cache has
    #[arg(long, conflicts_with = "no_cache")]
    refresh: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum GeneratorArg {
    Extractive,
    Llm,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum FallbackArg {
    None,
    Extractive,
}

fn intent(name: &str) -> std::result::Result<Intent, String> {
    let names = || Intent::ALL.iter().map(|intent| intent.name()).collect::<Vec<_>>().join(", ");
    Intent::from_name(name).ok_or_else(|| format!("the intents are {}", names()))
}

impl HowArgs {
    pub fn flags(&self) -> Flags {
        let k = self.k.map(|k| ("search.k", k.to_string(), "-k".to_owned()));
        let words =
            self.max_words.map(|n| ("ask.max_words", n.to_string(), "--max-words".to_owned()));
        let generator = self.generator.map(|generator| {
            let name = match generator {
                GeneratorArg::Extractive => "extractive",
                GeneratorArg::Llm => "llm",
            };
            ("generator", name.to_owned(), "--generator".to_owned())
        });
        let fallback = self.fallback.map(|fallback| {
            let name = match fallback {
                FallbackArg::None => "none",
                FallbackArg::Extractive => "extractive",
            };
            ("fallback", name.to_owned(), "--fallback".to_owned())
        });
        k.into_iter()
            .chain(self.rank.flags())
            .chain(words)
            .chain(generator)
            .chain(fallback)
            .collect()
    }

    /// A request without its question.
    ///
    /// # Errors
    /// A usage fault for a filter that is none.
    pub fn request(&self) -> Result<Request> {
        let caching = match (self.no_cache, self.refresh) {
            (true, _) => Caching::Off,
            (_, true) => Caching::Refresh,
            _ => Caching::Use,
        };
        let filter = self.rank.filter()?;
        Ok(Request { intent: self.intent, caching, filter, ..Request::default() })
    }
}

impl AskArgs {
    pub fn flags(&self) -> Flags {
        self.how.flags()
    }
}

pub fn run(args: &AskArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    if let Some(file) = &args.batch {
        return many(file, &args.how, engine, ui);
    }
    let question = words::question(&args.question)?;
    let like = args.how.request()?;
    let mut session = args.within.begin(engine)?;
    let request = Request {
        question,
        earlier: session.as_ref().map(|session| session.turns().to_vec()).unwrap_or_default(),
        ..like
    };
    let mut asker = Asker::open(engine)?;
    let response = answered(&mut asker, engine, &request, ui)?;
    // Freeing the network and the maps takes longer than the system's own cleaning up.
    std::mem::forget(asker);
    if ui.json {
        let mut object = wire::answer(&response, &exit::fault);
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
    ended(&response)
}

/// Asks, and unless JSON is wanted shows the answer: while it is being written where somebody
/// writes it.
///
/// # Errors
/// Those of [`Asker::ask_catching_panics`].
pub(super) fn answered(
    asker: &mut Asker,
    engine: &Engine,
    request: &Request,
    ui: &Ui,
) -> Result<Response> {
    let mut streamed = false;
    let response = asker.ask_catching_panics(engine, request, &mut |event| {
        if let Event::Text(text) = event
            && !ui.json
        {
            streamed |= !text.is_empty();
            ui.write(&safe(text));
        }
    })?;
    if !ui.json {
        if streamed {
            ui.line("\n");
        }
        let names = documents::names_from_here(&asker.searcher().snapshot.meta().roots);
        show(&response, &names, streamed, ui);
    }
    Ok(response)
}

/// How a command ends that has shown this answer.
///
/// # Errors
/// When a language model was cut short.
pub(super) fn ended(response: &Response) -> Result<Outcome> {
    if let Some(writing) = response.writing.as_ref().filter(|_| response.is_broken_off()) {
        return Err(match &writing.trouble {
            Some(trouble) => Fault::outside(format!("the language model broke off: {trouble}"))
                .hint("what came is above and is not kept; ask again"),
            None => Fault::interrupted(),
        });
    }
    Ok(if response.answer.supported { Outcome::Done } else { Outcome::NothingFound })
}

/// Answers a file of questions, one JSON object a line.
fn many(file: &Path, how: &HowArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let (mut answered, mut unsupported, mut failed) = (0, 0, 0);
    batch::run(engine, questions(file)?, &how.request()?, &mut |item| {
        let mut object = match &item.outcome {
            Ok(response) => {
                answered += u64::from(response.answer.supported);
                unsupported += u64::from(!response.answer.supported);
                wire::answer(response, &exit::fault)
            }
            Err(fault) => {
                failed += 1;
                let question = item.question.as_ref().map(|question| &question.question);
                json!({ "line": item.line, "question": question, "error": exit::fault(fault) })
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
    Ok(Box::new(BufReader::new(disk::given_file(file)?)))
}

pub(super) fn gives_orders(kinds: &[InjectionKind]) -> String {
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    format!("this passage tries to give orders ({})", kinds.join(", "))
}

/// Prints one answer and its sources; only these when the answer has been seen.
fn show(response: &Response, names: &Names, is_seen: bool, ui: &Ui) {
    let answer = &response.answer;
    if let Some(fault) = &response.fallback {
        ui.warn(format!("{fault}; answered from the passages alone"));
    }
    ui.pending(response.pending);
    if response.index_empty {
        ui.line(ui.paint(Tone::Strong, &format!("The index `{}` is empty.", response.index)));
        ui.note("`rag ingest --dir FOLDER` adds documents");
    } else if !answer.supported && !response.is_broken_off() {
        let n_unsupported = response.checks.unsupported.len() as u64;
        let verdict = match n_unsupported {
            0 => "Nothing in the index supports an answer.".to_owned(),
            n => format!(
                "Nothing in the index supports what the model wrote ({}): it is no answer.",
                counted(n, "sentence")
            ),
        };
        ui.line(ui.paint(Tone::Strong, &verdict));
        if !answer.citations.is_empty() {
            ui.line("The nearest passages:\n");
        }
    } else if !is_seen {
        ui.write(&wrapped(&answer.text, ui.width(), ""));
        ui.line("");
    }
    if response.nothing_allowed && !response.index_empty {
        ui.note("the filter matches no document");
    }
    for citation in &answer.citations {
        let place = place(names, &citation.hit);
        let heading = one_line(&heading(&citation.hit));
        let number = format!("[{}]", citation.n);
        let is_beside = ui.fits(&heading, number.len() + columns(&place) + 3);
        let beside = if is_beside { heading.as_str() } else { "" };
        ui.line(format!("{number} {}  {beside}", ui.paint(Tone::Location, &place)).trim_end());
        if !is_beside {
            ui.line(format!("    {}", ui.fitted(&heading, ui.width().saturating_sub(4))));
        }
        if let Some(ordering) =
            response.flagged.iter().find(|ordering| ordering.n == Some(citation.n))
        {
            ui.line(ui.paint(Tone::Bad, &format!("    {}", gives_orders(&ordering.kinds))));
        }
        if !answer.supported {
            ui.line(format!("    {}", clipped(&citation.hit.chunk.text, ui.width() - 4)));
        }
    }
    for ordering in response.flagged.iter().filter(|ordering| ordering.n.is_none()) {
        let warning = format!(
            "{}, not cited: {}",
            place(names, &ordering.hit),
            gives_orders(&ordering.kinds)
        );
        ui.line(ui.paint(Tone::Bad, &warning));
    }
    let checks = &response.checks;
    if answer.supported {
        let mut sentences: Vec<&String> = checks.unsupported.iter().collect();
        sentences.dedup();
        for sentence in sentences.iter().take(MAX_UNSUPPORTED) {
            let room = ui.width().saturating_sub(17);
            ui.line(
                ui.paint(Tone::Bad, &format!("without support: {}", ui.fitted(sentence, room))),
            );
        }
        if let Some(more @ 1..) = sentences.len().checked_sub(MAX_UNSUPPORTED) {
            ui.line(ui.paint(
                Tone::Bad,
                &format!("without support: {} more", counted(more as u64, "sentence")),
            ));
        }
    }
    if !checks.removed.is_empty() {
        let numbers: Vec<String> = checks.removed.iter().map(|n| format!("[{n}]")).collect();
        ui.note(format!("removed {}, which the model was not offered", numbers.join(", ")));
    }
    if checks.addresses > 0 {
        ui.note(format!("removed {} that no source has", counted(checks.addresses as u64, "link")));
    }
    if let Some(writing) = &response.writing {
        let usage = writing.usage.map(|usage| {
            let cached =
                usage.cached_tokens.map(|n| format!(" ({} cached)", count(n))).unwrap_or_default();
            format!(
                ": {} prompt tokens{cached}, {} written",
                count(usage.prompt_tokens),
                count(usage.completion_tokens)
            )
        });
        let tries = if writing.attempts > 1 {
            format!(", {} tries", writing.attempts)
        } else {
            String::new()
        };
        ui.note(format!("{}{}{tries}", writing.model, usage.unwrap_or_default()));
        if writing.finish == Finish::Length {
            ui.note("the model stopped at the longest reply that llm.max_tokens allows");
        }
        if writing.finish == Finish::Repeating {
            ui.note("the model repeated itself and was cut off; what it wrote is not kept");
        }
    }
    let t = response.timings;
    ui.detail(format!(
        "embedding {:.0} ms, search {:.0} ms, generation {:.0} ms, total {:.0} ms",
        t.embedding_ms, t.search_ms, t.generation_ms, t.total_ms
    ));
    if response.resolved != response.question.trim() {
        ui.detail(format!("understood as: {}", response.resolved));
    }
}
