//! The numbered sources that a command shows, which `rag open N` and `rag show N` refer to.

use super::excerpt::{self, Matcher};
use super::links::Target;
use super::ui::Ui;
use crate::document::{Citation, Extent, Hit, Location};
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::naming::Names;
use crate::state::{Shown, ShownPlace};

/// The places of hits, numbered by rank: each at the line that matches best.
pub fn of_hits(hits: &[Hit], names: &Names, matcher: &Matcher) -> Vec<ShownPlace> {
    let numbered = hits.iter().zip(1..);
    let at_match = |hit: &Hit, n| {
        let line = excerpt::best_line(&hit.chunk, matcher).0;
        ShownPlace { line, ..place(n, hit, &hit.chunk.extent(), names) }
    };
    numbered.map(|(hit, n)| at_match(hit, n)).collect()
}

/// The places of the sources of an answer.
pub fn of_answer(citations: &[Citation], names: &Names) -> Vec<ShownPlace> {
    citations.iter().map(|cited| of_citation(cited, names)).collect()
}

pub fn of_citation(cited: &Citation, names: &Names) -> ShownPlace {
    place(cited.n, &cited.hit, &cited.extent(), names)
}

fn place(n: usize, hit: &Hit, extent: &Extent, names: &Names) -> ShownPlace {
    ShownPlace {
        n,
        root: hit.root.to_string(),
        path: hit.path.to_string(),
        absolute: names.absolute_in(&hit.root, &hit.path),
        line: extent.lines.first,
        has_lines: extent.location.is_none(),
        page: extent.location.as_ref().and_then(Location::page),
    }
}

/// Where a place leads.
pub fn target(place: &ShownPlace) -> Option<Target> {
    let line = place.has_lines.then_some(place.line);
    Some(Target { path: place.absolute.clone()?, line, page: place.page })
}

/// Records the sources, if they are shown at a terminal. Scripts get places as JSON.
pub fn record(engine: &Engine, index: &str, places: &[ShownPlace], ui: &Ui) {
    if places.is_empty() || !ui.has_user() {
        return;
    }
    let data_dir = std::path::absolute(&engine.config.data_dir);
    let Ok(data_dir) = data_dir else { return };
    // JSON cannot represent other paths.
    if data_dir.to_str().is_some() {
        let (index, places) = (index.to_owned(), places.to_vec());
        let shown = Shown { terminal: terminal(), data_dir, index, places };
        engine.state().record_shown(shown);
    }
}

/// The source `n` of the last search or answer, and what showed it.
///
/// # Errors
/// A usage fault if there is none.
pub fn last(engine: &Engine, n: usize) -> Result<(Shown, ShownPlace)> {
    let none = || {
        Fault::usage("no search or answer has been shown yet")
            .hint("run `rag search` or `rag ask` in a terminal first, or name a document")
    };
    let shown = engine.state().last_shown(terminal()).ok_or_else(none)?;
    match shown.places.iter().find(|place| place.n == n) {
        Some(place) => Ok((shown.clone(), place.clone())),
        None => Err(no_source(n, shown.places.iter().map(|place| place.n).max())),
    }
}

/// Every source of the last search or answer in this terminal.
pub fn all(engine: &Engine) -> Vec<ShownPlace> {
    engine.state().last_shown(terminal()).map(|shown| shown.places).unwrap_or_default()
}

/// The fault of a number that no source has.
pub fn no_source(n: usize, most: Option<usize>) -> Fault {
    let hint = match most {
        Some(most @ 2..) => format!("the sources are 1 to {most}"),
        Some(_) => "there is one source, 1".to_owned(),
        None => "it has no sources".to_owned(),
    };
    Fault::usage(format!("the last answer or search has no source {n}")).hint(hint)
}

/// The fault of a source whose file is not known here.
pub fn no_file(place: &ShownPlace) -> Fault {
    Fault::failed(format!("the folder of {} is not known on this machine", place.path))
        .hint(format!("`rag show {}` prints its text from the index", place.n))
}

/// The session of this process, which is that of the terminal's shell. In a container that a shell
/// outside started it is 0, which `rustix` cannot return.
fn terminal() -> i32 {
    // SAFETY: the call takes no pointer, and fails for no process that asks about itself.
    #[expect(unsafe_code, reason = "the number 0 is valid here")]
    unsafe {
        libc::getsid(0)
    }
}
