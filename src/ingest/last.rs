//! The current generation of the index: how much of it an ingest can build on.

use super::request::Event;
use super::scan::{self, Previous};
use crate::engine::Engine;
use crate::error::{Fault, Kind, Result};
use crate::index::{self, Chunking, Record, Root, Snapshot};
use crate::model::ModelFiles;

#[derive(Default)]
pub struct Last {
    snapshot: Option<Snapshot>,
    /// Folders and table of a generation that cannot be opened.
    remains: Option<(Vec<Root>, Vec<Record>)>,
    /// Intact, and of the same model and chunking: unchanged documents can be kept.
    is_base: bool,
    /// Most of its vectors belong to a passage.
    is_dense: bool,
}

impl Last {
    pub fn open(
        engine: &Engine,
        model: &ModelFiles,
        chunking: Chunking,
        on_event: &mut dyn FnMut(Event),
    ) -> Self {
        let (store, name) = (&engine.store, &engine.config.index);
        if store.pointer(name).is_ok_and(|pointer| pointer.is_none()) {
            return Self::default();
        }
        let snapshot = match store.open(name) {
            Ok(snapshot) => snapshot,
            Err(fault) => {
                on_event(rebuilding(name, &fault));
                let pointer = store.pointer(name).ok().flatten();
                let remains =
                    pointer.and_then(|pointer| index::Remains::open(store, &pointer).ok());
                let remains =
                    remains.map(|remains| (remains.meta.roots, remains.table.unwrap_or_default()));
                return Self { remains, ..Self::default() };
            }
        };
        let mut last = Self::default();
        let meta = snapshot.meta();
        if let Err(fault) = snapshot.check() {
            on_event(rebuilding(name, &fault));
        } else if meta.pending > 0 {
            on_event(Event::Note(format!(
                "the vectors of the index `{name}` are incomplete; those made are in the cache"
            )));
        } else if meta.model.fingerprint != model.fingerprint || meta.chunking != chunking {
            on_event(Event::Note(format!(
                "model or chunking changed: rebuilding the index `{name}`"
            )));
        } else {
            last.is_base = true;
            last.is_dense = meta.counts.rows <= 2 * meta.counts.chunks.max(500);
        }
        last.snapshot = Some(snapshot);
        last
    }

    /// The generation, if unchanged documents can be kept.
    pub fn base(&self) -> Option<&Snapshot> {
        self.snapshot.as_ref().filter(|_| self.is_base)
    }

    /// Whether the files of the base can stay as they are: its folders have the same numbers among
    /// the new `roots`, and most of its vectors are in use.
    pub fn is_in_place(&self, roots: &[Root]) -> bool {
        self.base().is_some_and(|base| {
            let to = scan::numbers(&base.meta().roots, roots);
            self.is_dense && to.iter().enumerate().all(|(n, to)| to.is_none_or(|to| to == n))
        })
    }

    /// What a scan compares the folders with.
    pub fn previous<'a>(
        &'a self,
        removed: &'a [String],
        retry_failed: bool,
    ) -> Result<Previous<'a>> {
        let (roots, records) = match (&self.snapshot, &self.remains) {
            (Some(last), _) if self.is_base => (&last.meta().roots[..], last.documents()?),
            // The table only serves to name documents that leave the index.
            (Some(last), _) => (&last.meta().roots[..], last.documents().unwrap_or_default()),
            (None, Some((roots, table))) => (&roots[..], table.clone()),
            (None, None) => (&[][..], Vec::new()),
        };
        let retry_failed = retry_failed && self.snapshot.is_some();
        Ok(Previous { roots, records, is_base: self.is_base, removed, retry_failed })
    }
}

fn rebuilding(name: &str, fault: &Fault) -> Event {
    let why = if fault.kind() == Kind::Damaged { "is damaged" } else { "cannot be read" };
    Event::Note(format!("the index `{name}` {why}; rebuilding it: {fault}"))
}
