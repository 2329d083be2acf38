//! Argument groups shared by several commands, and the settings that flags override.
//!
//! A flag that overrides a setting is only passed on here: `config` merges it with the files and
//! the environment, so commands read the merged [`Config`](crate::config::Config).

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ColorChoice};

use crate::answer::Intent;
use crate::ask::Request;
use crate::cache::Caching;
use crate::config::{self, Mode};
use crate::disk::Existing;
use crate::error::{Fault, Result};
use crate::filter::Filter;

/// Settings given as flags: key, value, flag as typed.
pub type Flags = Vec<(&'static str, String, String)>;

/// The setting `key` with the value of `flag`; empty when the flag was not given.
pub fn flag(key: &'static str, flag: &str, value: Option<impl ToString>) -> Flags {
    value.map(|value| (key, value.to_string(), flag.to_owned())).into_iter().collect()
}

/// Converts `--force` for commands that write a file.
pub fn existing(force: bool) -> Existing {
    if force { Existing::Replace } else { Existing::Refuse }
}

/// Flags that every command takes.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Global options")]
pub struct GlobalArgs {
    /// Folder for models, indexes and caches [default: data]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Index to use [default: default]
    #[arg(long, global = true, value_name = "NAME")]
    index: Option<String>,
    /// Print results as JSON
    #[arg(long, global = true)]
    pub json: bool,
    /// Print only results and errors
    #[arg(short, long, global = true)]
    pub quiet: bool,
    /// Print more detail
    #[arg(short, long, global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// When to use colors
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
}

impl GlobalArgs {
    /// # Errors
    /// A usage fault for a data directory whose name is not UTF-8.
    pub fn flags(&self) -> Result<Flags> {
        let utf8 = |dir: &PathBuf| {
            dir.to_str().map(str::to_owned).ok_or_else(|| {
                Fault::usage(format!("--data-dir: `{}` is not valid UTF-8", dir.display()))
            })
        };
        let data_dir = self.data_dir.as_ref().map(utf8).transpose()?;
        Ok([
            flag("data_dir", "--data-dir", data_dir),
            flag("index", "--index", self.index.as_ref()),
        ]
        .concat())
    }
}

/// Restricts a command to some documents.
#[derive(Debug, Args)]
pub struct FilterArgs {
    /// Only documents that match, such as `type:markdown and not path:drafts/**`
    ///
    /// Fields: path (a .gitignore pattern), domain (first folder or tag), type, lang, date, size
    /// and meta.KEY. Combine with and, or, not and parentheses. Compare with `:`; date, size and
    /// meta.KEY also with <, <=, > and >=.
    #[arg(long, value_name = "EXPR")]
    filter: Option<String>,
}

impl FilterArgs {
    /// # Errors
    /// A usage fault for an invalid filter.
    pub fn parse(&self) -> Result<Option<Filter>> {
        let parse = |text: &String| Ok(Filter::parse(text)?.relative_to(&config::working_dir()));
        self.filter.as_ref().map(parse).transpose()
    }
}

/// How passages are ranked: shared by `search` and every command that answers questions.
#[derive(Debug, Args)]
pub struct RankArgs {
    /// Retrievers to use [default: hybrid]
    #[arg(long, value_name = "MODE", value_parser = modes())]
    mode: Option<String>,
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Rerank the top N passages, with `rerank.model` [default: 20]
    #[arg(
        long,
        value_name = "N",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "20"
    )]
    rerank: Option<usize>,
}

fn modes() -> PossibleValuesParser {
    PossibleValuesParser::new(Mode::ALL.map(Mode::name))
}

impl RankArgs {
    pub fn flags(&self) -> Flags {
        [
            flag("search.mode", "--mode", self.mode.as_ref()),
            flag("search.rerank", "--rerank", self.rerank),
        ]
        .concat()
    }
}

/// How questions are answered: shared by `ask`, `chat` and `cache warm`.
#[derive(Debug, Args)]
pub struct AnswerArgs {
    /// Number of passages to consider [default: 10]
    #[arg(short, value_name = "N")]
    k: Option<usize>,
    #[command(flatten)]
    rank: RankArgs,
    /// Kind of answer [default: detected from the question]
    #[arg(long, value_name = "INTENT", value_parser = intents())]
    intent: Option<Intent>,
    /// Maximum length of the answer in words [default: 60]
    #[arg(long, value_name = "N")]
    max_words: Option<usize>,
    /// Quote the documents, or have a language model write [default: extractive]
    #[arg(long, value_name = "GENERATOR", value_parser = ["extractive", "llm"])]
    generator: Option<String>,
    /// Language model to write with, one of the tables `llm.NAME` of the configuration
    ///
    /// Implies `--generator llm`.
    #[arg(long, value_name = "NAME")]
    llm: Option<String>,
    /// Generator to use when the language model fails [default: none]
    #[arg(long, value_name = "GENERATOR", value_parser = ["none", "extractive"])]
    fallback: Option<String>,
    /// Do not read or write the cache
    #[arg(long)]
    no_cache: bool,
    /// Recompute and replace cached results
    #[arg(long, conflicts_with = "no_cache")]
    refresh: bool,
}

impl AnswerArgs {
    pub fn flags(&self) -> Flags {
        [
            flag("search.k", "-k", self.k),
            self.rank.flags(),
            flag("ask.max_words", "--max-words", self.max_words),
            self.writer(),
            flag("fallback", "--fallback", self.fallback.as_ref()),
        ]
        .concat()
    }

    /// What generates answers; a language model that is named implies one.
    fn writer(&self) -> Flags {
        let implied = self.llm.as_ref().filter(|_| self.generator.is_none()).map(|_| "llm");
        [
            flag("generator", "--generator", self.generator.as_deref()),
            flag("generator", "--llm", implied),
            flag("llm.name", "--llm", self.llm.as_ref()),
        ]
        .concat()
    }

    /// A request without its question.
    ///
    /// # Errors
    /// A usage fault for an invalid filter.
    pub fn request(&self) -> Result<Request> {
        let caching = match (self.no_cache, self.refresh) {
            (true, _) => Caching::Off,
            (_, true) => Caching::Refresh,
            _ => Caching::Use,
        };
        let filter = self.rank.filter.parse()?;
        Ok(Request { intent: self.intent, caching, filter, ..Request::default() })
    }
}

fn intents() -> impl TypedValueParser<Value = Intent> {
    let parse = |name: String| Intent::from_name(&name).ok_or(name);
    PossibleValuesParser::new(Intent::ALL.iter().map(|intent| intent.name())).try_map(parse)
}
