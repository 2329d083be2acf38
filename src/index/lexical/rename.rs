//! Names for the files of a segment that its content decides. Tantivy draws them by lot, so that
//! the same content would never give the same folder twice.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use crate::disk::{self, Blake};
use crate::error::{Context as _, Fault, Result};
use crate::strings::StrExt as _;

/// Tantivy's list of segments, and its list of files.
const SEGMENTS: &str = "meta.json";
const FILES: &str = ".managed.json";

/// Renames the files of the only segment of the index in `dir`; one without a segment is left as it
/// is.
pub fn by_content(dir: &Path) -> Result<()> {
    let mut segments: Value = read(&dir.join(SEGMENTS))?;
    let old = match segments["segments"].as_array().map(Vec::as_slice) {
        Some([]) => None,
        Some([segment]) => segment["segment_id"].as_str().map(|id| id.replace('-', "")),
        _ => {
            return Err(Fault::failed(format!(
                "the index in {} is not in one segment",
                dir.display()
            )));
        }
    };
    // What no segment needs may be gone or not yet, as it happens.
    let mut files: BTreeMap<String, String> = BTreeMap::new();
    if let Some(old) = old {
        let names = disk_names(dir)?;
        let own =
            names.into_iter().filter_map(|name| Some((name.strip_prefix(&old)?.to_owned(), name)));
        let own: BTreeMap<String, String> = own.collect();
        let mut hash = Blake::new(16).field(b"segment v1");
        for (ending, name) in &own {
            hash.add(ending.as_bytes());
            hash.add(disk::file_sum(&dir.join(name))?.sha256.as_bytes());
        }
        let new = disk::hex(&hash.finish::<16>());
        for (ending, name) in own {
            let to = format!("{new}{ending}");
            std::fs::rename(dir.join(&name), dir.join(&to)).or_failed(|| cannot_write(dir))?;
            files.insert(to, name);
        }
        segments["segments"][0]["segment_id"] = hyphenated(&new).into();
    }
    let mut managed: Vec<&str> = files.keys().map(String::as_str).chain([SEGMENTS]).collect();
    managed.sort_unstable();
    write(&dir.join(FILES), &serde_json::json!(managed))?;
    write(&dir.join(SEGMENTS), &segments)
}

/// 32 digits as Tantivy writes the id of a segment.
fn hyphenated(digits: &str) -> String {
    [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| digits.slice(range)).join("-")
}

fn disk_names(dir: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(dir).or_failed(|| format!("cannot read {}", dir.display()))?;
    Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

fn read(path: &Path) -> Result<Value> {
    let what = || format!("cannot read {}", path.display());
    std::fs::read(path)
        .or_failed(what)
        .and_then(|bytes| serde_json::from_slice(&bytes).or_failed(what))
}

fn write(path: &Path, value: &Value) -> Result<()> {
    let bytes = serde_json::to_vec_pretty(value).or_failed(|| cannot_write(path))?;
    disk::replace(path, &bytes)
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}
