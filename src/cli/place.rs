//! A place in a document as the user names it: `docs/guide.md`, `docs/guide.md:12`.

use super::links::Target;
use crate::documents::{self, Document};
use crate::engine::Engine;
use crate::error::{Fault, Result};

/// A document, and a line in it if one is named.
pub struct Place {
    pub document: Document,
    pub line: Option<usize>,
}

impl Place {
    /// Where the place leads.
    ///
    /// # Errors
    /// A failure if the document's folder is not known.
    pub fn target(&self) -> Result<Target> {
        let Document { roots, record, chunks } = &self.document;
        let root = roots.get(record.root);
        let path = root.map(|root| match root.is_site() {
            true => crate::naming::name(&root.given, &record.path),
            false => root.absolute(&record.path),
        });
        let path = path.ok_or_else(|| Fault::failed("the folder of the document is not known"))?;
        let has_lines = chunks.iter().all(|stored| stored.chunk.place.is_none());
        Ok(Target { path, line: self.line.filter(|_| has_lines), page: None })
    }
}

/// The place that `text` names.
///
/// # Errors
/// Those of [`documents::show`].
pub fn find(engine: &Engine, text: &str) -> Result<Place> {
    let document = documents::show(engine, text)?;
    let line = text.rsplit_once(':').and_then(|(_, line)| line.parse().ok());
    Ok(Place { document, line })
}
