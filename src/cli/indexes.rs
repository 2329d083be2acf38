//! `rag index list`: the indexes of this data directory, or of all known ones.

use serde_json::json;

use super::exit::Outcome;
use super::ui::{Ui, count, size, time};
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::index::{Meta, Store};
use crate::wire;

const COLUMNS: [&str; 7] = ["name", "documents", "chunks", "size", "model", "made", "folders"];

fn row(name: String, meta: &Meta) -> Vec<String> {
    vec![
        name,
        count(meta.counts.documents),
        count(meta.counts.chunks),
        size(meta.bytes()),
        meta.model.name.clone(),
        time(meta.created),
        folder_names(meta).join(", "),
    ]
}

pub fn list(engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let (mut rows, mut objects) = (Vec::new(), Vec::new());
    let mut damaged = None;
    for name in engine.store.names()? {
        let meta = engine.store.meta(&name);
        objects.push(wire::index(&name, &meta, &Fault::to_string));
        match meta {
            Ok(meta) => rows.push(row(name, &meta)),
            Err(fault) => {
                rows.push(vec![name, "damaged".into()]);
                damaged = Some(fault);
            }
        }
    }
    if ui.json {
        ui.json(&objects);
    } else if rows.is_empty() {
        ui.note("no indexes; create one with `rag ingest FOLDER`");
    } else {
        ui.table(&COLUMNS, &rows);
    }
    damaged.map_or(Ok(Outcome::Done), Err)
}

/// Damage in other data directories is listed, but does not change the exit code.
pub fn list_everywhere(engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let data_dir = &engine.config.data_dir;
    let data_dir = data_dir.canonicalize().unwrap_or_else(|_| data_dir.clone());
    let here = (data_dir, engine.store.names()?);
    let (mut rows, mut objects) = (Vec::new(), Vec::new());
    for (dir, names) in std::iter::once(here).chain(engine.store.elsewhere()) {
        let store = Store::new(&dir);
        for name in names {
            let meta = store.meta(&name);
            let mut object = json!(wire::index(&name, &meta, &Fault::to_string));
            object["data_dir"] = json!(dir.to_string_lossy());
            objects.push(object);
            let mut cells = match meta {
                Ok(meta) => row(name, &meta),
                Err(_) => vec![name, "damaged".into()],
            };
            cells.resize(COLUMNS.len(), String::new());
            cells.push(dir.display().to_string());
            rows.push(cells);
        }
    }
    if ui.json {
        ui.json(&objects);
    } else if rows.is_empty() {
        ui.note("no known data directory has an index; create one with `rag ingest FOLDER`");
    } else {
        ui.table(&[&COLUMNS[..], &["data directory"]].concat(), &rows);
    }
    Ok(Outcome::Done)
}

pub fn folder_names(meta: &Meta) -> Vec<&str> {
    meta.roots.iter().map(|root| root.given.as_str()).collect()
}
