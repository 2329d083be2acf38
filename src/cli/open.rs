//! `rag open`: a source of the last answer or search, in the program that fits it.

use clap::Args;
use serde_json::json;

use super::exit::Outcome;
use super::links::Target;
use super::opener;
use super::place;
use super::sources;
use super::ui::{Ui, safe_name};
use crate::config::World;
use crate::engine::Engine;
use crate::error::Result;

/// Open a source of the last answer or search
///
/// Opens text in $VISUAL or $EDITOR at its line, a PDF in a viewer at its page, and a web page, a
/// mail or an office file in the program of the desktop. N is a number that the last `rag search`,
/// `rag ask` or `rag chat` in this terminal showed.
#[derive(Debug, Args)]
pub struct OpenArgs {
    /// Number of the source, or a document or citation as hits show it, such as `guide.md:12` or
    /// `report.pdf (page 3)`
    #[arg(value_name = "N|PATH|CITATION", default_value = "1")]
    place: String,
}

pub fn run(args: &OpenArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let target = match args.place.parse() {
        Ok(n) => {
            let (_, place) = sources::last(engine, n)?;
            sources::target(&place).ok_or_else(|| sources::no_file(&place))?
        }
        Err(_) => place::find(engine, &args.place)?.target()?,
    };
    open(&target, ui)
}

/// Opens a place; with `--json`, prints it and the command instead.
///
/// # Errors
/// Those of [`opener::launch`], and of starting the program.
pub fn open(target: &Target, ui: &Ui) -> Result<Outcome> {
    opener::check(target)?;
    let launch = opener::launch(target, &World::from_process().terminal())?;
    if ui.json {
        ui.json(&json!({
            "path": target.path,
            "line": target.line,
            "page": target.page,
            "command": launch.words(),
        }));
        return Ok(Outcome::Done);
    }
    ui.detail(safe_name(&launch.words().join(" ")));
    launch.run()?;
    Ok(Outcome::Done)
}
