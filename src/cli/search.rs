//! `rag search`: hits for people and for scripts.

use clap::{Args, ValueEnum};

use super::Flags;
use super::ask::gives_orders;
use super::exit::Outcome;
use super::ui::{Tone, Ui, clipped, columns, one_line, safe_name};
use super::words;
use crate::ask::injection_kinds;
use crate::cache::Caching;
use crate::config;
use crate::document::{Contribution, Hit};
use crate::documents;
use crate::engine::{Engine, Stop};
use crate::error::Result;
use crate::filter::Filter;
use crate::naming::Names;
use crate::observe;
use crate::search::{Request, Searcher};
use crate::wire;

/// Rank the passages that match a question
///
/// Words are matched by BM25, meaning by vectors; "quoted words" must occur as they stand.
#[derive(Debug, Args)]
pub struct SearchArgs {
    /// What to look for; its words need no quotes, and `-` reads it from the standard input
    #[arg(required = true)]
    query: Vec<String>,
    /// Number of passages [default: 10]
    #[arg(short, value_name = "N")]
    k: Option<usize>,
    #[command(flatten)]
    rank: RankArgs,
    /// Show both legs' ranks, scores and weights
    #[arg(long)]
    explain: bool,
    /// Neither read nor write the cache
    #[arg(long)]
    no_cache: bool,
}

/// How passages are ranked; what `search` and everything that asks share.
#[derive(Debug, Args)]
pub struct RankArgs {
    /// Which legs to use [default: hybrid]
    #[arg(long, value_name = "MODE")]
    mode: Option<ModeArg>,
    /// Only documents that match, as in `type:markdown and not path:drafts/**`
    ///
    /// Fields: path (a pattern as in .gitignore), domain (first folder or tag), type, lang, date,
    /// size and meta.KEY; joined by and, or, not and brackets. Compared by `:`, and date, size and
    /// meta.KEY also by <, <=, > and >=.
    #[arg(long, value_name = "EXPR")]
    filter: Option<String>,
    /// Look again at the best N passages, token by token [N: 40, default: no second look]
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "40")]
    rerank: Option<usize>,
}

impl RankArgs {
    /// The settings that they make.
    pub fn flags(&self) -> Flags {
        let mode =
            self.mode.map(|mode| ("search.mode", mode.name().to_owned(), "--mode".to_owned()));
        let rerank = self.rerank.map(|n| ("search.rerank", n.to_string(), "--rerank".to_owned()));
        mode.into_iter().chain(rerank).collect()
    }

    /// The filter as it was typed, understood.
    ///
    /// # Errors
    /// A usage fault for a filter that is none.
    pub fn filter(&self) -> Result<Option<Filter>> {
        parsed(self.filter.as_deref())
    }
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ModeArg {
    Hybrid,
    Lexical,
    Dense,
}

impl ModeArg {
    pub fn name(self) -> &'static str {
        match self {
            Self::Hybrid => config::Mode::Hybrid.name(),
            Self::Lexical => config::Mode::Lexical.name(),
            Self::Dense => config::Mode::Dense.name(),
        }
    }
}

impl SearchArgs {
    pub fn flags(&self) -> Flags {
        let k = self.k.map(|k| ("search.k", k.to_string(), "-k".to_owned()));
        k.into_iter().chain(self.rank.flags()).collect()
    }
}

pub fn run(args: &SearchArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let request = Request {
        query: words::question(&args.query)?,
        mode: engine.config.search_mode,
        k: engine.config.search_k,
        rerank: engine.config.rerank,
        caching: if args.no_cache { Caching::Off } else { Caching::Use },
        filter: args.rank.filter()?,
        stop: Stop::default(),
    };
    let mut searcher = Searcher::open(engine)?;
    // Words alone are found faster than the cache can be opened.
    let response = match request.mode {
        config::Mode::Lexical if request.rerank == 0 => searcher.search(engine, &request)?,
        _ => searcher.find(engine, &request)?,
    };
    if ui.json {
        ui.json(&wire::search(&response, request.filter.as_ref(), args.explain));
    } else {
        ui.pending(response.pending);
        let names = documents::names_from_here(&searcher.snapshot.meta().roots);
        for hit in &response.hits {
            print_hit(ui, &names, hit, args.explain);
        }
        if response.index_empty {
            ui.note(format!(
                "the index `{}` is empty; `rag ingest --dir FOLDER` adds documents",
                response.index
            ));
        } else if response.nothing_allowed {
            ui.note("the filter matches no document");
        } else if response.hits.is_empty() {
            ui.note(format!("nothing in the index `{}` matches", response.index));
        }
        ui.detail(format!(
            "{} in {:.0} ms (question to vector {:.0} ms)",
            super::ui::counted(response.hits.len() as u64, "passage"),
            response.timings.total_ms,
            response.timings.embedding_ms
        ));
    }
    if let Err(fault) = observe::searched_once(engine, &response) {
        ui.detail(format!("not recorded: {fault}"));
    }
    // Freeing the network and the maps takes longer than the system's own cleaning up.
    std::mem::forget(searcher);
    Ok(if response.hits.is_empty() { Outcome::NothingFound } else { Outcome::Done })
}

/// A filter as it was typed, understood.
pub(super) fn parsed(filter: Option<&str>) -> Result<Option<Filter>> {
    let parse = |text| Ok(Filter::parse(text)?.relative_to(&config::here()));
    filter.map(parse).transpose()
}

fn print_hit(ui: &Ui, names: &Names, hit: &Hit, explain: bool) {
    let rank = format!("{:>2}", hit.rank);
    let place = place(names, hit);
    let heading = heading(hit);
    let score = format!("{:.3}", hit.score);
    let taken = rank.len() + columns(&place) + score.len() + 6;
    let is_beside = ui.fits(&one_line(&heading), taken);
    let (rank, place) = (ui.paint(Tone::Strong, &rank), ui.paint(Tone::Location, &place));
    let beside = if is_beside { one_line(&heading) } else { String::new() };
    ui.line(format!("{rank}  {place}  {}  {beside}", ui.paint(Tone::Faint, &score)).trim_end());
    if !is_beside {
        ui.line(format!("    {}", ui.fitted(&heading, ui.width().saturating_sub(4))));
    }
    if explain {
        let leg = |name: &str, leg: Option<Contribution>| match leg {
            Some(leg) => format!(
                "{name} rank {}, score {:.3}, normalised {:.3} × weight {:.2}",
                leg.rank, leg.score, leg.normalised, leg.weight
            ),
            None => format!("{name} no match"),
        };
        ui.line(
            ui.paint(Tone::Faint, &format!("    {}", leg("lexical", hit.contributions.lexical))),
        );
        ui.line(ui.paint(Tone::Faint, &format!("    {}", leg("dense  ", hit.contributions.dense))));
        if hit.contributions.rerank.is_some() {
            ui.line(
                ui.paint(Tone::Faint, &format!("    {}", leg("rerank ", hit.contributions.rerank))),
            );
        }
    }
    ui.line(format!("    {}", clipped(&hit.chunk.text, 2 * ui.width() - 8).as_str()));
    let kinds = injection_kinds(hit);
    if !kinds.is_empty() {
        ui.line(ui.paint(Tone::Faint, &format!("    {}", gives_orders(&kinds))));
    }
    match hit.also.as_slice() {
        [] => {}
        [(path, line)] => {
            ui.line(ui.paint(Tone::Faint, &format!("    also {}:{line}", safe_name(path))))
        }
        more => ui.line(ui.paint(Tone::Faint, &format!("    also in {} other places", more.len()))),
    }
}

/// `docs/guide.md:12` as an editor or a terminal understands it, or `docs/report.pdf (page 3)`.
pub fn place(names: &Names, hit: &Hit) -> String {
    let path = names.shown_in(&hit.root, &hit.path);
    safe_name(&match &hit.chunk.place {
        Some(place) => format!("{path} ({place})"),
        None => format!("{path}:{}", hit.chunk.lines.first),
    })
}

/// Title and headings, without a title that only repeats the path.
pub fn heading(hit: &Hit) -> String {
    let title = hit.title.as_deref().filter(|title| **title != *hit.path);
    crate::document::context_line(title, &hit.chunk.heading)
}
