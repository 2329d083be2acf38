//! How a hit is shown to people: its place, its headings and the warning of an injection.

use super::ui::safe_name;
use crate::analysis::untrusted::Risk;
use crate::document::{self, Extent, Hit};
use crate::naming::Names;

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

/// Title and headings, without a title that only repeats the path.
pub fn heading(hit: &Hit) -> String {
    let title = hit.title.as_deref().filter(|title| **title != *hit.path);
    document::context_line(title, &hit.chunk.heading)
}

pub fn risk_warning(risk: &Risk) -> String {
    let (level, reasons) = (risk.level().name(), risk.reasons().join(", "));
    format!("possible prompt injection ({reasons}), {level} risk")
}
