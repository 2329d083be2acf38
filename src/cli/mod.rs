//! The command line: what was typed, one file per command.
//!
//! Each command's args struct is its help, its man page and its completions. `ui.rs` is the only
//! printer, `exit.rs` the only place that knows exit codes.

mod ask;
mod cache;
mod chat;
mod completions;
mod confirm;
mod doctor;
mod documents;
mod eval;
mod exit;
mod index;
mod ingest;
mod jobs;
mod layout;
mod man;
mod mcp;
mod model;
mod search;
mod serve;
mod sessions;
mod signals;
mod stats;
mod ui;
mod watching;
mod words;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use clap::{Args, CommandFactory as _, Parser, Subcommand, ValueEnum};

use crate::config::{Config, LogLevel, World};
use crate::disk::Existing;
use crate::engine::Engine;
use crate::error::{self, Fault, Result};
use crate::ingest::extractor as ingest_child;
use crate::telemetry;
use ui::Ui;

/// Ask questions of your own files, on your own machine
#[derive(Debug, Parser)]
#[command(
    name = "rag",
    version,
    about,
    long_about = None,
    max_term_width = 100,
    after_help = "Start with `rag ingest FOLDER`, then `rag ask QUESTION`.\n\n\
                  Exit codes: 0 done, 1 failed, 2 usage, 3 nothing found, 4 some files failed, 5 \
                  damaged,\n\
                  6 busy, 7 outside service failed, 130 interrupted."
)]
pub struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

/// Flags that every command takes.
#[derive(Clone, Debug, Args)]
struct GlobalArgs {
    /// Folder of models, indexes and caches [default: data]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    data_dir: Option<PathBuf>,
    /// Index to work on [default: default]
    #[arg(long, global = true, value_name = "NAME", help_heading = "Global options")]
    index: Option<String>,
    /// Print JSON
    #[arg(long, global = true, help_heading = "Global options")]
    json: bool,
    /// Print results and errors only
    #[arg(short, long, global = true, help_heading = "Global options")]
    quiet: bool,
    /// Print more
    #[arg(short, long, global = true, help_heading = "Global options", conflicts_with = "quiet")]
    verbose: bool,
    /// When to colour the output
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        default_value = "auto",
        help_heading = "Global options"
    )]
    color: Color,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    Ingest(ingest::IngestArgs),
    Jobs(jobs::JobsArgs),
    Search(search::SearchArgs),
    Ask(ask::AskArgs),
    Chat(chat::ChatArgs),
    Sessions(sessions::SessionsArgs),
    Index(index::IndexArgs),
    Documents(documents::DocumentsArgs),
    Cache(cache::CacheArgs),
    Model(model::ModelArgs),
    Serve(serve::ServeArgs),
    Eval(eval::EvalArgs),
    Mcp(mcp::McpArgs),
    Stats(stats::StatsArgs),
    Doctor(doctor::DoctorArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

/// Settings given as flags: key, value, flag as typed.
type Flags = Vec<(&'static str, String, String)>;

/// Runs one command line and yields its exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> u8 {
    crate::model::forbid_telemetry();
    let args: Vec<OsString> = args.into_iter().collect();
    // No command for people: ingest starts itself with it, to read files that may break what reads
    // them.
    if args.get(1).is_some_and(|arg| arg == ingest_child::COMMAND) {
        let (mut input, mut output) = ui::pipes();
        let served = ingest_child::serve(&mut input, &mut output);
        return u8::from(served.is_err());
    }
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => {
            return exit::of_clap(
                &error,
                args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--json"),
            );
        }
    };
    let ui = Ui::new(&cli.global);
    report_panics();
    let outcome = error::catch_panic("this command", || run(cli, &ui));
    telemetry::finish_logs();
    exit::report(&ui, outcome)
}

/// Has a panic logged and kept for the fault that comes of it: where it happened, not its message,
/// which may quote text of strangers. Builds with debug assertions print it, too.
fn report_panics() {
    let print = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let place =
            panic.location().map(|at| format!("{}:{}", at.file(), at.line())).unwrap_or_default();
        telemetry::error!(place, "a bug: this thread panicked");
        error::record_panic(place);
        if cfg!(debug_assertions) {
            print(panic);
        }
    }));
}

fn run(cli: Cli, ui: &Ui) -> Result<exit::Outcome> {
    let global = &cli.global;
    match cli.command {
        // These need no configuration, and must work where it is broken.
        Command::Completions(args) => completions::run(&args, ui),
        Command::Man(args) => man::run(&args, ui),
        Command::Ingest(args) => {
            with(global, args.flags(), ui, |engine| ingest::run(&args, engine, ui))
        }
        Command::Jobs(args) => {
            with(global, Flags::new(), ui, |engine| jobs::run(&args, engine, ui))
        }
        Command::Search(args) => {
            with(global, args.flags(), ui, |engine| search::run(&args, engine, ui))
        }
        Command::Ask(args) => with(global, args.flags(), ui, |engine| ask::run(&args, engine, ui)),
        Command::Chat(args) => {
            with(global, args.flags(), ui, |engine| chat::run(&args, engine, ui))
        }
        Command::Sessions(args) => {
            with(global, Flags::new(), ui, |engine| sessions::run(&args, engine, ui))
        }
        Command::Index(args) => {
            with(global, Flags::new(), ui, |engine| index::run(args, engine, ui))
        }
        Command::Documents(args) => {
            with(global, Flags::new(), ui, |engine| documents::run(args, engine, ui))
        }
        Command::Cache(args) => {
            with(global, args.flags(), ui, |engine| cache::run(&args, engine, ui))
        }
        Command::Model(args) => {
            with(global, Flags::new(), ui, |engine| model::run(args, engine, ui))
        }
        Command::Serve(args) => {
            let interrupted = signals::install()?;
            let engine = quiet_engine(global, args.flags())?;
            note_ignored(&engine, ui);
            serve::run(engine, interrupted, ui)
        }
        Command::Eval(args) => {
            with(global, Flags::new(), ui, |engine| eval::run(&args, engine, ui))
        }
        Command::Mcp(args) => {
            let interrupted = signals::install()?;
            let engine = quiet_engine(global, Flags::new())?;
            note_ignored(&engine, ui);
            mcp::run(args, engine, interrupted)
        }
        Command::Stats(args) => {
            with(global, Flags::new(), ui, |engine| stats::run(&args, engine, ui))
        }
        Command::Doctor(args) => {
            with(global, Flags::new(), ui, |engine| doctor::run(&args, engine, ui))
        }
    }
}

/// Runs a command, and says which models and libraries it passed over, unless its fault says so.
fn with(
    global: &GlobalArgs,
    flags: Flags,
    ui: &Ui,
    command: impl FnOnce(&Engine) -> Result<exit::Outcome>,
) -> Result<exit::Outcome> {
    let engine = engine(global, flags)?;
    let outcome = command(&engine);
    let said = outcome.as_ref().err().and_then(Fault::hint_text).unwrap_or_default();
    engine
        .assets
        .ignored()
        .iter()
        .filter(|ignored| !said.contains(*ignored))
        .for_each(|ignored| ui.note(ignored));
    outcome
}

/// The same for a server, which is to say so when it starts.
fn note_ignored(engine: &Engine, ui: &Ui) {
    // Faults are for whoever needs the two.
    let _ = (engine.model(&engine.config.model), engine.runtime_library());
    engine.assets.ignored().iter().for_each(|ignored| ui.note(ignored));
}

/// What `--force` means to a command that writes a file.
fn existing(force: bool) -> Existing {
    if force { Existing::Replace } else { Existing::Refuse }
}

/// The engine of a command, which logs when it is told to.
fn engine(global: &GlobalArgs, flags: Flags) -> Result<Engine> {
    engine_with(global, flags, signals::install()?, LogLevel::Off)
}

/// The engine of a server that hears of no signal. It logs unless it is told not to.
fn quiet_engine(global: &GlobalArgs, flags: Flags) -> Result<Engine> {
    static NEVER: AtomicBool = AtomicBool::new(false);
    engine_with(global, flags, &NEVER, LogLevel::Info)
}

fn engine_with(
    global: &GlobalArgs,
    mut flags: Flags,
    interrupted: &'static AtomicBool,
    unless_told: LogLevel,
) -> Result<Engine> {
    if let Some(dir) = &global.data_dir {
        let text = dir.to_str().ok_or_else(|| {
            Fault::usage(format!(
                "the name of the folder {} (--data-dir) is not valid UTF-8",
                dir.display()
            ))
        })?;
        flags.push(("data_dir", text.to_owned(), "--data-dir".into()));
    }
    if let Some(index) = &global.index {
        flags.push(("index", index.clone(), "--index".into()));
    }
    let config = Config::load(&World::of_this_process(), &flags)?;
    telemetry::logs(config.log_level.unwrap_or(unless_told), config.log_format, ui::log_line);
    #[expect(
        clippy::disallowed_methods,
        reason = "the process's one clock is made here and handed down"
    )]
    Ok(Engine::new(config, SystemTime::now, interrupted))
}

/// The whole command, for man pages and completions.
pub fn command() -> clap::Command {
    Cli::command()
}

pub use completions::SHELLS;
pub use completions::render as render_completions;
pub use man::render_all as render_man;
pub use signals::leave;
