//! The manifest of a model or of the runtime: the files of its folder, with their checksums.

use std::collections::BTreeMap;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::disk::{self, FileSum};
use crate::error::{Fault, Result};

/// `manifest.json` of a model or of the runtime.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Manifest {
    pub version: u32,
    pub name: String,
    pub source: String,
    /// Length of a vector, measured when the model was added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dimension: Option<usize>,
    pub files: BTreeMap<String, FileSum>,
}

/// The only manifest version so far. A change of meaning increments it.
pub const MANIFEST_VERSION: u32 = 1;

pub(super) fn read_manifest(dir: &Path) -> Result<Manifest> {
    let path = dir.join("manifest.json");
    let text = disk::read_small(&path).map_err(|e| damaged(&path, &e.to_string()))?;
    parse_manifest(&path, &text)
}

pub(super) fn parse_manifest(path: &Path, text: &[u8]) -> Result<Manifest> {
    let manifest: Manifest =
        serde_json::from_slice(text).map_err(|e| damaged(path, &e.to_string()))?;
    if manifest.version != MANIFEST_VERSION {
        return Err(damaged(path, &format!("unknown version {}", manifest.version)));
    }
    if let Some(name) = manifest.files.keys().find(|name| !stays_inside(name)) {
        return Err(damaged(path, &format!("it names `{name}`, which is outside the folder")));
    }
    Ok(manifest)
}

pub(super) fn stays_inside(name: &str) -> bool {
    !name.is_empty()
        && Path::new(name).components().all(|c| matches!(c, std::path::Component::Normal(_)))
}

pub(super) fn damaged(path: &Path, why: &str) -> Fault {
    Fault::damaged(format!("{} is damaged: {why}", path.display()))
        .hint("run `scripts/setup`, or `rag model add` again")
}

pub(super) const OTHER_BYTES: &str = "its SHA-256 differs from the one in manifest.json";
