//! What may follow on a command line: names of commands, flags and values, and what exists in the
//! data directory. The scripts of `rag completions` ask for it.
//!
//! A fault means that there is nothing to suggest: completion never prints one.

use std::any::TypeId;
use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Arg, Command};

use super::args::{Flags, flag};
use super::ui::one_line;
use crate::cache::Table;
use crate::config::{SETTINGS, Setting, Shape};
use crate::documents;
use crate::engine::Engine;
use crate::index::{Record, State};
use crate::strings::StrExt as _;

/// The hidden command that the scripts run, with the words after `rag`, the last one unfinished.
pub const COMMAND: &str = "__complete";

/// Lines that ask the shell for names of files and of folders.
const FILES: &str = ":files";
const FOLDERS: &str = ":dirs";

/// More names are of no help.
const MOST: usize = 200;

/// A suggestion and what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Candidate {
    value: String,
    help: String,
}

fn candidate(value: impl Into<String>, help: &str) -> Candidate {
    Candidate { value: value.into(), help: one_line(help) }
}

/// Where the last word is on the command line.
struct Position<'a> {
    command: &'a Command,
    /// Names of the subcommands so far, such as `jobs show`.
    path: String,
    /// The option whose value the last word is.
    option: Option<&'a Arg>,
    /// Number of positional arguments before the last word.
    positionals: usize,
    /// The word before the last.
    before: &'a str,
    /// After `--`.
    only_positionals: bool,
}

/// Lines for the shell: each a value, a tab and its description; or the name of a directive.
pub fn lines(
    words: &[String],
    mut command: Command,
    engine: &dyn Fn(Flags) -> Option<Engine>,
) -> Vec<String> {
    command.build();
    let (last, before) = words
        .split_last()
        .map_or(("", &words[..0]), |(last, before)| (last.trim_start_matches(['"', '\'']), before));
    let position = position(&command, before);
    let engine = || engine(flags(before));
    // `--index=NAME` is one word.
    let inline = last.starts_with("--").then(|| last.split_once('=')).flatten();
    let (prefix, wanted, option) = match inline {
        Some((name, value)) => {
            let option = option_named(position.command, name);
            (format!("{name}="), value, option)
        }
        None => (String::new(), last, position.option),
    };
    let found = match option {
        Some(option) => values(&position, option, wanted, &engine),
        None if inline.is_some() => Vec::new(),
        None if wanted.starts_with('-') && !position.only_positionals => options(position.command),
        None => {
            let mut found = subcommands(position.command);
            if let Some(arg) = positional(&position) {
                found.extend(values(&position, arg, wanted, &engine));
            }
            found
        }
    };
    let directive = |c: &Candidate| c.value == FILES || c.value == FOLDERS;
    let fits = |c: &Candidate| directive(c) || c.value.starts_with(wanted);
    let line = |c: &Candidate| match directive(c) {
        true => c.value.clone(),
        false => format!("{prefix}{}\t{}", c.value, c.help),
    };
    found.iter().filter(|c| fits(c)).map(line).collect()
}

/// The settings that words before the last one give.
fn flags(words: &[String]) -> Flags {
    let value_of = |name: &str| {
        let mut words = words.iter();
        while let Some(word) = words.next() {
            if let Some(value) = word.strip_prefix(name) {
                return match value.strip_prefix('=') {
                    Some(value) => Some(value.to_owned()),
                    None if value.is_empty() => words.next().cloned(),
                    None => continue,
                };
            }
        }
        None
    };
    [
        flag("data_dir", "--data-dir", value_of("--data-dir")),
        flag("index", "--index", value_of("--index")),
    ]
    .concat()
}

fn position<'a>(root: &'a Command, words: &'a [String]) -> Position<'a> {
    let mut position = Position {
        command: root,
        path: String::new(),
        option: None,
        positionals: 0,
        before: words.last().map_or("", String::as_str),
        only_positionals: false,
    };
    for word in words {
        if position.option.take().is_some() {
            continue;
        }
        if position.only_positionals {
            position.positionals += 1;
        } else if word == "--" {
            position.only_positionals = true;
        } else if word.len() > 1 && word.starts_with('-') {
            let option = option_named(position.command, word);
            position.option = option.filter(|option| takes_next_word(option));
        } else if let Some(command) = position.command.find_subcommand(word) {
            position.command = command;
            position.positionals = 0;
            if !position.path.is_empty() {
                position.path.push(' ');
            }
            position.path.push_str(command.get_name());
        } else {
            position.positionals += 1;
        }
    }
    position
}

/// The option that a word names. `--name=value` names none, because it is complete.
fn option_named<'a>(command: &'a Command, word: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|arg| match word.strip_prefix("--") {
        Some(long) => arg.get_long() == Some(long),
        None => arg.get_short().is_some_and(|short| word == format!("-{short}")),
    })
}

fn takes_next_word(arg: &Arg) -> bool {
    arg.get_action().takes_values() && !arg.is_require_equals_set()
}

/// The positional argument that the last word is.
fn positional<'a>(position: &Position<'a>) -> Option<&'a Arg> {
    let all: Vec<&Arg> = position.command.get_positionals().collect();
    let is_repeated = |arg: &Arg| arg.get_num_args().is_some_and(|n| n.max_values() > 1);
    let at = all.get(position.positionals).copied();
    at.or_else(|| all.last().copied().filter(|arg| is_repeated(arg)))
}

fn subcommands(command: &Command) -> Vec<Candidate> {
    let shown = command.get_subcommands().filter(|command| !command.is_hide_set());
    let about =
        |command: &Command| command.get_about().map(ToString::to_string).unwrap_or_default();
    shown.map(|command| candidate(command.get_name(), &about(command))).collect()
}

fn options(command: &Command) -> Vec<Candidate> {
    let shown = command.get_arguments().filter(|arg| !arg.is_hide_set());
    let help = |arg: &Arg| arg.get_help().map(ToString::to_string).unwrap_or_default();
    shown.filter_map(|arg| Some(candidate(format!("--{}", arg.get_long()?), &help(arg)))).collect()
}

/// What an argument may be.
fn values(
    position: &Position<'_>,
    arg: &Arg,
    wanted: &str,
    engine: &dyn Fn() -> Option<Engine>,
) -> Vec<Candidate> {
    let possible = arg.get_possible_values();
    if !possible.is_empty() {
        let help = |value: &clap::builder::PossibleValue| {
            value.get_help().map(ToString::to_string).unwrap_or_default()
        };
        let shown = possible.iter().filter(|value| !value.is_hide_set());
        return shown.map(|value| candidate(value.get_name(), &help(value))).collect();
    }
    let path = position.path.as_str();
    match (path, arg.get_id().as_str()) {
        ("config get" | "config unset" | "config set", "key") => settings(""),
        ("config set", "value") => setting_values(position.before),
        (_, "set") => settings("="),
        (_, "tables" | "purge") if path.starts_with("cache") => tables(wanted),
        ("man", _) => Vec::new(),
        (_, "dir" | "dirs" | "folders" | "data_dir" | "to") => vec![candidate(FOLDERS, "")],
        (_, id) => match engine() {
            Some(engine) => stored(&engine, path, id, wanted).unwrap_or_else(|| files(arg)),
            None => files(arg),
        },
    }
}

/// Asks for files where the argument is one.
fn files(arg: &Arg) -> Vec<Candidate> {
    let is_file = arg.get_value_parser().type_id() == TypeId::of::<PathBuf>();
    is_file.then(|| candidate(FILES, "")).into_iter().collect()
}

/// Names of what is stored; `None` for an argument that is something else.
fn stored(engine: &Engine, path: &str, id: &str, wanted: &str) -> Option<Vec<Candidate>> {
    Some(match (path, id) {
        (_, "index") => indexes(engine),
        (_, "llm") => {
            engine.config.llms.values().map(|llm| candidate(&llm.name, &llm.model)).collect()
        }
        (_, "model") | ("model verify" | "model remove", "name") => models(engine),
        (_, "session")
        | ("sessions show" | "sessions export", "id")
        | ("sessions remove", "ids") => sessions(engine),
        (_, "after") | ("jobs show" | "jobs cancel" | "jobs retry", "id") => jobs(engine),
        ("documents show", "path") | ("documents remove", "patterns") => documents(engine, wanted),
        ("open" | "show", "place") => {
            let mut found = shown_places(engine);
            found.extend(documents(engine, wanted));
            found
        }
        ("documents restore", "patterns") => removed(engine),
        (_, "filter") => filters(engine, wanted),
        (
            "index show" | "index verify" | "index rollback" | "index compact" | "index remove",
            _,
        ) => indexes(engine),
        ("index remove-folder", _) => folders(engine),
        _ => return None,
    })
}

fn indexes(engine: &Engine) -> Vec<Candidate> {
    let names = engine.store.names().unwrap_or_default();
    let help = |name: &str| {
        let meta = engine.store.meta(name);
        meta.map(|meta| format!("{} documents", meta.counts.documents)).unwrap_or_default()
    };
    names.iter().map(|name| candidate(name, &help(name))).collect()
}

fn models(engine: &Engine) -> Vec<Candidate> {
    let listed = engine.assets.list().into_iter().filter(|listed| listed.ignored.is_none());
    listed.map(|listed| candidate(listed.name, &listed.dir.display().to_string())).collect()
}

fn sessions(engine: &Engine) -> Vec<Candidate> {
    let found = engine.sessions().and_then(|sessions| sessions.list(engine.now_s()));
    let found = found.unwrap_or_default();
    found.iter().map(|session| candidate(&session.id, &session.first_question)).collect()
}

fn jobs(engine: &Engine) -> Vec<Candidate> {
    let jobs = engine.jobs.list(engine.now_ms()).unwrap_or_default();
    jobs.iter().rev().map(|job| candidate(&job.id, job.state.name())).collect()
}

/// The sources that the last command in this terminal showed.
fn shown_places(engine: &Engine) -> Vec<Candidate> {
    let shown = super::sources::all(engine);
    let place = |place: &crate::state::ShownPlace| {
        candidate(place.n.to_string(), &format!("{}:{}", place.path, place.line))
    };
    shown.iter().map(place).collect()
}

/// Documents, up to the next slash when there are many.
fn documents(engine: &Engine, wanted: &str) -> Vec<Candidate> {
    let Ok(snapshot) = engine.store.open(&engine.config.index) else { return Vec::new() };
    let names = documents::names_from_here(&snapshot.meta().roots);
    let is_indexed = |record: &Record| record.state == State::Indexed;
    let records = snapshot.documents().unwrap_or_default();
    let shown = records.iter().filter(|record| is_indexed(record));
    let shown = shown.map(|record| names.shown(record.root, &record.path));
    let matching: BTreeSet<String> = shown.filter(|name| name.starts_with(wanted)).collect();
    if matching.len() <= MOST {
        return matching.into_iter().map(|name| candidate(name, "")).collect();
    }
    let folder = |name: &String| {
        let rest = name.slice(wanted.len()..);
        rest.find('/').map_or(name.clone(), |at| name.slice(..=wanted.len() + at).to_owned())
    };
    let folders: BTreeSet<String> = matching.iter().map(folder).collect();
    folders.into_iter().take(MOST).map(|name| candidate(name, "")).collect()
}

fn removed(engine: &Engine) -> Vec<Candidate> {
    let meta = engine.store.meta(&engine.config.index);
    let names = meta.map(|meta| documents::removed(&meta)).unwrap_or_default();
    names.into_iter().map(|name| candidate(name, "")).collect()
}

fn folders(engine: &Engine) -> Vec<Candidate> {
    let meta = engine.store.meta(&engine.config.index);
    let roots = meta.map(|meta| meta.roots).unwrap_or_default();
    roots.into_iter().map(|root| candidate(root.given, "")).collect()
}

/// Fields of a filter; after `type:` or `lang:` the values that documents have.
fn filters(engine: &Engine, wanted: &str) -> Vec<Candidate> {
    const FIELDS: [(&str, &str); 6] = [
        ("type:", "format of the file"),
        ("path:", "pattern of the path"),
        ("domain:", "first folder, or tag"),
        ("lang:", "language"),
        ("date>=", "day of the document"),
        ("size<", "size of the file"),
    ];
    let start = wanted.rfind([' ', '(']).map_or(0, |at| at + 1);
    let (given, test) = wanted.parted(start);
    let Some((field, _)) = test.split_once(':') else {
        let field = |(name, help): (&str, &str)| candidate(format!("{given}{name}"), help);
        return FIELDS.map(field).to_vec();
    };
    let Ok(snapshot) = engine.store.open(&engine.config.index) else { return Vec::new() };
    let value = |record: &Record| match field {
        "type" => record.format.as_ref().map(ToString::to_string),
        "lang" => record.language.as_ref().map(ToString::to_string),
        "domain" => record.path.split_once('/').map(|(first, _)| first.to_owned()),
        _ => None,
    };
    let records = snapshot.documents().unwrap_or_default();
    let values: BTreeSet<String> = records.iter().filter_map(value).collect();
    let whole = |value: String| candidate(format!("{given}{field}:{value}"), "");
    values.into_iter().take(MOST).map(whole).collect()
}

/// Tables of the cache, after those that are named already.
fn tables(wanted: &str) -> Vec<Candidate> {
    let given = wanted.rfind(',').map_or("", |at| wanted.slice(..=at));
    let mut names: Vec<&str> = Table::ALL.map(Table::name).to_vec();
    if given.is_empty() {
        names.push("all");
    }
    names.retain(|name| !given.split(',').any(|before| before == *name));
    names.into_iter().map(|name| candidate(format!("{given}{name}"), "")).collect()
}

fn settings(after: &str) -> Vec<Candidate> {
    let setting =
        |setting: &Setting| candidate(format!("{}{after}", setting.key), setting.description);
    SETTINGS.iter().map(setting).collect()
}

/// The values of a setting that is a choice.
fn setting_values(key: &str) -> Vec<Candidate> {
    match Setting::find(key).map(|setting| setting.shape) {
        Some(Shape::OneOf(values)) => values.iter().map(|value| candidate(*value, "")).collect(),
        Some(Shape::Folder | Shape::AbsoluteFolder) => vec![candidate(FOLDERS, "")],
        Some(Shape::File) => vec![candidate(FILES, "")],
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The values that are suggested without a data directory.
    fn suggested(words: &[&str]) -> Vec<String> {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let lines = lines(&words, crate::cli::command(), &|_| None);
        let value = |line: &String| line.split('\t').next().unwrap_or_default().to_owned();
        lines.iter().map(value).collect()
    }

    #[test]
    fn commands_flags_and_choices_are_suggested() {
        assert!(suggested(&["s"]).contains(&"search".to_owned()));
        assert!(!suggested(&[""]).iter().any(|word| word.starts_with('-') || word == COMMAND));
        assert_eq!(suggested(&["jobs", "ca"]), ["cancel"]);
        assert_eq!(suggested(&["--color", "al"]), ["always"]);
        assert_eq!(suggested(&["ask", "--intent", "h"]), ["how-to"]);
        assert_eq!(suggested(&["ask", "--intent=h"]), ["--intent=how-to"]);
        assert!(suggested(&["--index", "x", "ask", "--fi"]).contains(&"--filter".to_owned()));
        assert_eq!(suggested(&["ask", "--", "--fi"]), [""; 0]);
        assert_eq!(suggested(&["ask", "how", ""]), [""; 0]);
    }

    #[test]
    fn tables_settings_and_files_are_suggested() {
        assert!(suggested(&["cache", "purge", ""]).contains(&"answers".to_owned()));
        assert_eq!(suggested(&["cache", "purge", "answers,ret"]), ["answers,retrieval"]);
        assert_eq!(suggested(&["config", "get", "search.mo"]), ["search.mode"]);
        assert_eq!(suggested(&["config", "set", "search.mode", "l"]), ["lexical"]);
        assert_eq!(suggested(&["ingest", "do"]), [FOLDERS]);
        assert_eq!(suggested(&["index", "load", ""]), [FILES]);
    }

    #[test]
    fn flags_before_the_word_choose_the_data_directory() {
        let words = ["--data-dir=x", "ask", "--index", "notes"].map(str::to_owned);
        let flags = flags(&words);
        assert_eq!(flags[0].1, "x");
        assert_eq!(flags[1].1, "notes");
    }
}
