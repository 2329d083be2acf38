//! The command line: parsing, dispatch and exit codes; one file per command.
//!
//! The args struct of a command is its help, its man page and its completions. Only `ui.rs`
//! prints, and only `exit.rs` knows exit codes. Command files never import each other in a circle:
//! what several need is in `args`, `hits`, `input`, `progress` and `summary`.

mod args;
mod ask;
mod cache;
mod chat;
mod clipboard;
mod complete;
mod completions;
mod configure;
mod confirm;
mod doctor;
mod documents;
mod estimate;
mod eval;
mod excerpt;
mod exit;
mod formats;
mod hits;
mod index;
mod indexes;
mod ingest;
mod input;
mod jobs;
mod layout;
mod links;
mod man;
mod mcp;
mod migrate;
mod model;
mod numbers;
mod open;
mod opener;
mod pager;
mod pages;
mod place;
mod progress;
mod prompt;
mod search;
mod serve;
mod sessions;
mod show;
mod signals;
mod sources;
mod stats;
mod status;
mod summary;
#[cfg(test)]
mod tests;
mod token;
mod ui;
mod watch;
mod worker;

use std::ffi::OsString;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::config::{Config, LogLevel, World};
use crate::engine::Engine;
use crate::error::{self, Fault, Result};
use crate::ingest::extractor as ingest_child;
use crate::telemetry;
use args::{Flags, GlobalArgs};
use exit::Outcome;
use ui::Ui;

pub use signals::leave;

/// Ask questions about your own files, on your own machine
#[derive(Debug, Parser)]
#[command(
    name = "rag",
    version,
    about,
    long_about = None,
    max_term_width = 100,
    after_help = "Start with `rag ingest FOLDER`, then `rag ask QUESTION`.\n\n\
                  Exit codes: 0 success, 1 failure, 2 usage error, 3 nothing found, 4 some files \
                  failed,\n\
                  5 damaged data, 6 locked by another process, 7 external service failed,\n\
                  130 interrupted."
)]
pub struct Cli {
    #[command(flatten)]
    global: GlobalArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Ingest(ingest::IngestArgs),
    Jobs(jobs::JobsArgs),
    Search(search::SearchArgs),
    Ask(ask::AskArgs),
    Chat(chat::ChatArgs),
    Open(open::OpenArgs),
    Show(show::ShowArgs),
    Sessions(sessions::SessionsArgs),
    Index(index::IndexArgs),
    Documents(documents::DocumentsArgs),
    Cache(cache::CacheArgs),
    Model(model::ModelArgs),
    Serve(serve::ServeArgs),
    Token(token::TokenArgs),
    Eval(eval::EvalArgs),
    Mcp(mcp::McpArgs),
    Stats(stats::StatsArgs),
    Worker(worker::WorkerArgs),
    Migrate(migrate::MigrateArgs),
    Status(status::StatusArgs),
    Doctor(doctor::DoctorArgs),
    Init(configure::InitArgs),
    Config(configure::ConfigArgs),
    Completions(completions::CompletionsArgs),
    Man(man::ManArgs),
}

/// The definition of the command line.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Every man page: name without section, troff source.
pub fn render_man() -> Result<Vec<(String, String)>> {
    man::render_all(command())
}

/// The completion script of every shell: file name, contents.
pub fn render_completions() -> Vec<(String, String)> {
    completions::render_all(&command())
}

/// Runs one command line and returns its exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> u8 {
    crate::model::forbid_telemetry();
    let args: Vec<OsString> = args.into_iter().collect();
    // Not for users: `ingest` starts itself with this command to parse files that may crash the
    // parser.
    if args.get(1).is_some_and(|arg| arg == ingest_child::COMMAND) {
        let (mut input, mut output) = ui::pipes();
        let served = ingest_child::serve(&mut input, &mut output);
        return u8::from(served.is_err());
    }
    if args.get(1).is_some_and(|arg| arg == complete::COMMAND) {
        let words: Vec<String> =
            args.iter().skip(2).map(|word| word.to_string_lossy().into_owned()).collect();
        let lines = complete::lines(&words, command(), &|flags| quiet_engine(&flags).ok());
        ui::print_words(&lines);
        return 0;
    }
    let cli = match Cli::try_parse_from(&args) {
        Ok(cli) => cli,
        Err(error) => {
            let is_json = args.iter().take_while(|arg| *arg != "--").any(|arg| arg == "--json");
            return exit::of_clap(&error, is_json);
        }
    };
    let ui = Ui::new(&cli.global);
    log_panics();
    let outcome = error::catch_panic("this command", || run(&cli, &ui));
    telemetry::finish_logs();
    exit::report(&ui, outcome)
}

/// Logs panics and keeps their place for the fault. The message is dropped, as it may quote
/// untrusted text. Builds with debug assertions also print it.
fn log_panics() {
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

fn run(cli: &Cli, ui: &Ui) -> Result<Outcome> {
    let global = &cli.global;
    let with_engine = |flags: Flags, command: &dyn Fn(&Engine) -> Result<Outcome>| {
        let engine = engine(global, flags, signals::install()?, LogLevel::Off)?;
        let outcome = command(&engine);
        note_ignored_assets(&engine, outcome.as_ref().err(), ui);
        outcome
    };
    match &cli.command {
        // These need no configuration, and must work when it is broken.
        Command::Completions(args) => completions::run(args, &command(), ui),
        Command::Man(args) => man::run(args, command(), ui),
        Command::Init(args) => configure::init(args, global, ui),
        Command::Config(args) => configure::run(args, global, ui),
        Command::Serve(args) => {
            let interrupted = signals::install()?;
            serve::run(server_engine(global, args.flags(), ui)?, interrupted, ui)
        }
        Command::Mcp(args) => {
            let interrupted = signals::install()?;
            mcp::run(args, server_engine(global, Flags::new(), ui)?, interrupted)
        }
        Command::Ingest(args) => with_engine(args.flags(), &|engine| ingest::run(args, engine, ui)),
        Command::Jobs(args) => with_engine(Flags::new(), &|engine| jobs::run(args, engine, ui)),
        Command::Search(args) => with_engine(args.flags(), &|engine| search::run(args, engine, ui)),
        Command::Ask(args) => with_engine(args.flags(), &|engine| ask::run(args, engine, ui)),
        Command::Chat(args) => with_engine(args.flags(), &|engine| chat::run(args, engine, ui)),
        Command::Open(args) => with_engine(Flags::new(), &|engine| open::run(args, engine, ui)),
        Command::Show(args) => with_engine(Flags::new(), &|engine| show::run(args, engine, ui)),
        Command::Sessions(args) => {
            with_engine(Flags::new(), &|engine| sessions::run(args, engine, ui))
        }
        Command::Index(args) => with_engine(args.flags()?, &|engine| index::run(args, engine, ui)),
        Command::Documents(args) => {
            with_engine(Flags::new(), &|engine| documents::run(args, engine, ui))
        }
        Command::Cache(args) => with_engine(args.flags(), &|engine| cache::run(args, engine, ui)),
        Command::Model(args) => with_engine(Flags::new(), &|engine| model::run(args, engine, ui)),
        Command::Eval(args) => {
            let configured = |more: Flags| {
                let flags = [args.flags(), global.flags()?, more].concat();
                Config::load(&World::from_process(), &flags)
            };
            with_engine(args.flags(), &|engine| eval::run(args, engine, &configured, ui))
        }
        Command::Token(args) => with_engine(Flags::new(), &|engine| token::run(args, engine, ui)),
        Command::Stats(args) => with_engine(Flags::new(), &|engine| stats::run(args, engine, ui)),
        Command::Worker(args) => with_engine(Flags::new(), &|engine| worker::run(args, engine, ui)),
        Command::Migrate(args) => {
            with_engine(Flags::new(), &|engine| migrate::run(args, engine, ui))
        }
        Command::Status(_) => with_engine(Flags::new(), &|engine| status::run(engine, ui)),
        Command::Doctor(_) => with_engine(Flags::new(), &|engine| doctor::run(engine, ui)),
    }
}

/// Notes models and libraries that were found but not opened, unless the fault's hint does.
fn note_ignored_assets(engine: &Engine, fault: Option<&Fault>, ui: &Ui) {
    let hint = fault.and_then(Fault::hint_text).unwrap_or_default();
    for ignored in engine.assets.ignored().iter().filter(|ignored| !hint.contains(*ignored)) {
        ui.note(ignored);
    }
}

/// The engine of a server, which drains requests instead of stopping at a signal. Logs by default.
fn server_engine(global: &GlobalArgs, flags: Flags, ui: &Ui) -> Result<Engine> {
    static NEVER: AtomicBool = AtomicBool::new(false);
    let engine = engine(global, flags, &NEVER, LogLevel::Info)?;
    // A fault is reported by the request that needs the model or the library.
    let _ = (engine.model(&engine.config.model), engine.runtime_library());
    note_ignored_assets(&engine, None, ui);
    Ok(engine)
}

/// An engine that logs nothing and is not interrupted.
fn quiet_engine(flags: &Flags) -> Result<Engine> {
    static NEVER: AtomicBool = AtomicBool::new(false);
    let config = Config::load(&World::from_process(), flags)?;
    #[expect(
        clippy::disallowed_methods,
        reason = "the only clock of the process is made here and passed down"
    )]
    Ok(Engine::new(config, SystemTime::now, &NEVER))
}

fn engine(
    global: &GlobalArgs,
    flags: Flags,
    interrupted: &'static AtomicBool,
    default_log_level: LogLevel,
) -> Result<Engine> {
    let flags = [flags, global.flags()?].concat();
    let config = Config::load(&World::from_process(), &flags)?;
    let log_level = config.log_level.unwrap_or(default_log_level);
    telemetry::logs(log_level, config.log_format, ui::log_line);
    #[expect(
        clippy::disallowed_methods,
        reason = "the only clock of the process is made here and passed down"
    )]
    Engine::new(config, SystemTime::now, interrupted).connected()
}
