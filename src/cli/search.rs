//! `rag search`: hits for people and for scripts.

use clap::Args;

use super::args::{Flags, RankArgs, flag};
use super::excerpt::Matcher;
use super::exit::Outcome;
use super::formats::{Format, Passages};
use super::hits::{heading, linked_place, matcher, place, print_excerpt, risk_warning};
use super::input;
use super::sources;
use super::ui::{Tone, Ui, columns, counted, one_line, safe_name};
use crate::analysis::untrusted::RiskLevel;
use crate::ask::passage_risk;
use crate::cache::Caching;
use crate::config::Mode;
use crate::document::{Contribution, Hit};
use crate::documents;
use crate::engine::{Engine, Stop};
use crate::error::Result;
use crate::naming::Names;
use crate::observe;
use crate::search::{Request, Response, Searcher};
use crate::state::ShownPlace;
use crate::wire;

/// Rank the passages that match a question
///
/// Words are matched with BM25, meaning with vectors. "Quoted words" must occur as an exact phrase.
#[derive(Debug, Args)]
pub struct SearchArgs {
    /// Words to search for, quoted or not; `-` reads standard input
    #[arg(required = true)]
    query: Vec<String>,
    /// Number of passages [default: 10]
    #[arg(short, value_name = "N")]
    k: Option<usize>,
    #[command(flatten)]
    rank: RankArgs,
    /// Show rank, score and weight of every retriever
    #[arg(long)]
    explain: bool,
    /// Text for people, passages as Markdown for a language model (context), paths, or
    /// `path:line:text` (lines) [default: text]
    #[arg(long, value_name = "FORMAT", value_parser = Format::OF_SEARCH)]
    format: Option<String>,
    /// Maximum tokens of `--format context` [default: 4000]
    #[arg(long, value_name = "N")]
    tokens: Option<usize>,
    /// Do not read or write the cache
    #[arg(long)]
    no_cache: bool,
}

impl SearchArgs {
    pub fn flags(&self) -> Flags {
        [flag("search.k", "-k", self.k), self.rank.flags()].concat()
    }
}

pub fn run(args: &SearchArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let format = Format::of_flags(args.format.as_deref(), args.tokens, ui)?;
    let request = Request {
        query: input::question(&args.query)?,
        mode: engine.config.search_mode,
        k: engine.config.search_k,
        rerank: engine.config.rerank,
        caching: if args.no_cache { Caching::Off } else { Caching::Use },
        filter: args.rank.filter.parse()?,
        stop: Stop::default(),
    };
    let mut searcher = Searcher::open(engine)?;
    // A lexical search takes less time than opening the cache.
    let response = match request.mode {
        Mode::Lexical if request.rerank == 0 => searcher.search(engine, &request)?,
        _ => searcher.find(engine, &request)?,
    };
    if ui.json {
        ui.json(&wire::search(&response, request.filter.as_ref(), args.explain));
    } else {
        let names = documents::names_from_here(&searcher.snapshot.meta().roots);
        let matcher = matcher(&searcher.snapshot, &response.query, &response.notes);
        let (names, matcher) = (&names, &matcher);
        let places = sources::of_hits(&response.hits, names, matcher);
        sources::record(engine, &response.index, &places, ui);
        if format == Format::Text {
            let printer = Printer { names, matcher, places: &places, explain: args.explain, ui };
            printer.print_hits(&response);
        } else {
            let (question, hits) = (response.query.as_str(), response.hits.as_slice());
            let passages = Passages { question, hits, names, matcher, ui };
            passages.print(format, args.tokens)?;
        }
        print_notes(&response, ui);
    }
    if let Err(fault) = observe::searched_once(engine, &response) {
        ui.detail(format!("not recorded: {fault}"));
    }
    // The system frees the network and the maps faster than their destructors.
    std::mem::forget(searcher);
    Ok(if response.hits.is_empty() { Outcome::NothingFound } else { Outcome::Done })
}

/// Prints how the search differs from what was asked, and why there are no hits.
fn print_notes(response: &Response, ui: &Ui) {
    ui.pending(response.pending);
    ui.stale(response.stale.as_ref());
    response.notes.iter().for_each(|note| ui.note(note));
    let index = &response.index;
    if response.index_empty {
        ui.note(format!("the index `{index}` is empty; add documents with `rag ingest FOLDER`"));
    } else if response.nothing_allowed {
        ui.note("the filter matches no document");
    } else if response.hits.is_empty() {
        ui.note(format!("nothing in the index `{index}` matches"));
    }
    ui.detail(format!(
        "{} in {:.0} ms (query embedding {:.0} ms)",
        counted(response.hits.len() as u64, "passage"),
        response.timings.total_ms,
        response.timings.embedding_ms
    ));
}

/// Prints hits.
struct Printer<'a> {
    names: &'a Names,
    matcher: &'a Matcher,
    /// Where each hit leads.
    places: &'a [ShownPlace],
    explain: bool,
    ui: &'a Ui,
}

impl Printer<'_> {
    fn print_hits(&self, response: &Response) {
        let ui = self.ui;
        ui.paged(|| {
            for (hit, place) in response.hits.iter().zip(self.places) {
                if hit.rank > 1 && ui.is_terminal() {
                    ui.line("");
                }
                self.print_hit(hit, place);
            }
        });
    }

    fn print_hit(&self, hit: &Hit, to: &ShownPlace) {
        let Self { names, ui, .. } = *self;
        let rank = format!("{:>2}", hit.rank);
        let score = format!("{:.3}", hit.score);
        let heading = one_line(&heading(hit));
        let taken = rank.len() + columns(&place(names, hit)) + score.len() + 6;
        let is_beside = ui.fits(&heading, taken);
        let place = linked_place(names, hit, &hit.chunk.extent(), to, ui);
        let (rank, score) = (ui.paint(Tone::Strong, &rank), ui.paint(Tone::Faint, &score));
        let beside = if is_beside { heading.as_str() } else { "" };
        ui.line(format!("{rank}  {place}  {score}  {beside}").trim_end());
        if !is_beside {
            ui.line(format!("    {}", ui.fit(&heading, ui.width().saturating_sub(4))));
        }
        if self.explain {
            print_contributions(hit, ui);
        }
        print_excerpt(hit, self.matcher, ui);
        print_remarks(hit, ui);
    }
}

fn print_contributions(hit: &Hit, ui: &Ui) {
    let print = |name: &str, contribution: Option<Contribution>| {
        let text = match contribution {
            Some(c) => format!(
                "    {name} rank {}, score {:.3}, normalised {:.3} × weight {:.2}",
                c.rank, c.score, c.normalised, c.weight
            ),
            None => format!("    {name} no match"),
        };
        ui.line(ui.paint(Tone::Faint, &text));
    };
    print("lexical", hit.contributions.lexical);
    print("dense  ", hit.contributions.dense);
    if hit.contributions.rerank.is_some() {
        print("rerank ", hit.contributions.rerank);
    }
}

fn print_remarks(hit: &Hit, ui: &Ui) {
    let faint = |text: String| ui.line(ui.paint(Tone::Faint, &format!("    {text}")));
    let risk = passage_risk(hit);
    if risk.level() > RiskLevel::None {
        faint(risk_warning(&risk));
    }
    match hit.also.as_slice() {
        [] => {}
        [(path, line)] => faint(format!("also {}:{line}", safe_name(path))),
        more => faint(format!("also in {} other places", more.len())),
    }
}
