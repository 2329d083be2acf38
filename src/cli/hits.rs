//! How a hit is shown to people: its place, its headings and the warning of an injection.

use super::excerpt::{self, Matcher, Room};
use super::sources;
use super::ui::{Tone, Ui, safe_name};
use crate::analysis::untrusted::Risk;
use crate::document::{self, Extent, Hit, Note};
use crate::index::Snapshot;
use crate::naming::Names;
use crate::state::ShownPlace;

/// The place of a passage: see [`place_of`].
pub fn place(names: &Names, hit: &Hit) -> String {
    place_of(names, hit, &hit.chunk.extent())
}

/// `docs/guide.md:12` as editors and terminals understand it, or `docs/report.pdf (pages 3–4)`.
pub fn place_of(names: &Names, hit: &Hit, extent: &Extent) -> String {
    let path = names.shown_in(&hit.root, &hit.path);
    safe_name(&match extent.within() {
        Some(place) => format!("{path} ({place})"),
        None => format!("{path}:{}", extent.lines.first),
    })
}

/// The place, colored, and linked to where it leads.
pub fn linked_place(names: &Names, hit: &Hit, extent: &Extent, to: &ShownPlace, ui: &Ui) -> String {
    let place = ui.paint(Tone::Location, &place_of(names, hit, extent));
    ui.link(&place, sources::target(to).as_ref())
}

/// The words of a query, as the passages of an index write them.
pub fn matcher(snapshot: &Snapshot, query: &str, notes: &[Note]) -> Matcher {
    let languages = snapshot.meta().query_languages();
    // Damage has been reported by the search.
    let rarity = |term: &str| snapshot.term_weight(term).unwrap_or_default();
    Matcher::new(query, notes, &languages, &rarity)
}

/// Prints the part of a passage that matches: lines at a terminal, one line elsewhere.
pub fn print_excerpt(hit: &Hit, matcher: &Matcher, ui: &Ui) {
    let columns = ui.width().saturating_sub(INDENT.len());
    if ui.is_terminal() {
        for line in excerpt::excerpt(&hit.chunk, matcher, Room { columns, lines: LINES }) {
            ui.line(format!("{INDENT}{}", ui.matched(&line)).trim_end());
        }
    } else {
        let line = excerpt::one_line(&hit.chunk, matcher, 2 * columns);
        ui.line(format!("{INDENT}{}", ui.matched(&line)));
    }
}

/// Before the lines of a passage.
const INDENT: &str = "    ";

/// Lines of a passage at a terminal: as many as can be skimmed.
const LINES: usize = 3;

/// Title and headings, without a title that only repeats the path.
pub fn heading(hit: &Hit) -> String {
    let title = hit.title.as_deref().filter(|title| **title != *hit.path);
    document::context_line(title, &hit.chunk.heading)
}

pub fn risk_warning(risk: &Risk) -> String {
    let (level, reasons) = (risk.level().name(), risk.reasons().join(", "));
    format!("possible prompt injection ({reasons}), {level} risk")
}
