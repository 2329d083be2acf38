//! `rag search`: hits for people and for scripts.

use clap::Args;

use super::args::{Flags, RankArgs, flag};
use super::exit::Outcome;
use super::hits::{heading, place, risk_warning};
use super::input;
use super::ui::{Tone, Ui, clipped, columns, counted, one_line, safe_name};
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
        print(&response, &names, args.explain, ui);
    }
    if let Err(fault) = observe::searched_once(engine, &response) {
        ui.detail(format!("not recorded: {fault}"));
    }
    // The system frees the network and the maps faster than their destructors.
    std::mem::forget(searcher);
    Ok(if response.hits.is_empty() { Outcome::NothingFound } else { Outcome::Done })
}

fn print(response: &Response, names: &Names, explain: bool, ui: &Ui) {
    ui.pending(response.pending);
    ui.stale(response.stale.as_ref());
    for hit in &response.hits {
        print_hit(hit, names, ui);
        if explain {
            print_contributions(hit, ui);
        }
        print_text(hit, ui);
    }
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

fn print_hit(hit: &Hit, names: &Names, ui: &Ui) {
    let rank = format!("{:>2}", hit.rank);
    let place = place(names, hit);
    let score = format!("{:.3}", hit.score);
    let heading = one_line(&heading(hit));
    let taken = rank.len() + columns(&place) + score.len() + 6;
    let is_beside = ui.fits(&heading, taken);
    let (rank, place) = (ui.paint(Tone::Strong, &rank), ui.paint(Tone::Location, &place));
    let beside = if is_beside { heading.as_str() } else { "" };
    ui.line(format!("{rank}  {place}  {}  {beside}", ui.paint(Tone::Faint, &score)).trim_end());
    if !is_beside {
        ui.line(format!("    {}", ui.fit(&heading, ui.width().saturating_sub(4))));
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

fn print_text(hit: &Hit, ui: &Ui) {
    ui.line(format!("    {}", clipped(&hit.chunk.text, 2 * ui.width() - 8)));
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
