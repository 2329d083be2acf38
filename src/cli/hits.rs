//! How a hit is shown to people: its place, its headings and the warning of an injection.

use super::ui::safe_name;
use crate::analysis::untrusted::InjectionKind;
use crate::document::{self, Hit};
use crate::naming::Names;

/// `docs/guide.md:12` as editors and terminals understand it, or `docs/report.pdf (page 3)`.
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
    document::context_line(title, &hit.chunk.heading)
}

pub fn injection_warning(kinds: &[InjectionKind]) -> String {
    let kinds: Vec<&str> = kinds.iter().map(|kind| kind.name()).collect();
    format!("possible prompt injection ({})", kinds.join(", "))
}
