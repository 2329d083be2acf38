//! Renames the files of a segment after its content. Tantivy's names are random, so the same
//! content would never give the same folder twice.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::disk::{self, Blake};
use crate::error::{Context as _, Fault, Result};
use crate::strings::StrExt as _;

/// Tantivy's list of segments, and its list of files.
const SEGMENTS: &str = "meta.json";
const FILES: &str = ".managed.json";

/// Renames the files of the only segment of the index in `dir`; an index without a segment stays as
/// it is.
pub fn by_content(dir: &Path) -> Result<()> {
    let mut segments: Value = read(&dir.join(SEGMENTS))?;
    let old = match segments["segments"].as_array().map(Vec::as_slice) {
        Some([]) => None,
        Some([segment]) => segment["segment_id"].as_str().map(|id| id.replace('-', "")),
        _ => {
            let why = format!("the index in {} is not in one segment", dir.display());
            return Err(Fault::failed(why));
        }
    };
    // Only the files of the segment: others may or may not have been removed yet.
    let mut managed = vec![SEGMENTS.to_owned()];
    if let Some(old) = old {
        let (new, files) = rename_segment(dir, &old)?;
        managed.extend(files);
        segments["segments"][0]["segment_id"] = hyphenated(&new).into();
    }
    managed.sort_unstable();
    write(&dir.join(FILES), &serde_json::json!(managed))?;
    write(&dir.join(SEGMENTS), &segments)
}

/// Renames the files of the segment `old`; returns its new id and their names.
fn rename_segment(dir: &Path, old: &str) -> Result<(String, Vec<String>)> {
    let names = disk_names(dir)?;
    let suffixes = names.iter().filter_map(|name| name.strip_prefix(old));
    let suffixes: BTreeSet<&str> = suffixes.collect();
    let mut hash = Blake::new(16).field(b"segment v1");
    for suffix in &suffixes {
        hash.add(suffix.as_bytes());
        hash.add(disk::file_sum(&dir.join(format!("{old}{suffix}")))?.sha256.as_bytes());
    }
    let new = disk::hex(&hash.finish::<16>());
    let mut files = Vec::new();
    for suffix in suffixes {
        let (from, to) = (format!("{old}{suffix}"), format!("{new}{suffix}"));
        std::fs::rename(dir.join(from), dir.join(&to)).or_failed(|| cannot_write(dir))?;
        files.push(to);
    }
    Ok((new, files))
}

/// 32 digits in Tantivy's notation of a segment id.
fn hyphenated(digits: &str) -> String {
    [0..8, 8..12, 12..16, 16..20, 20..32].map(|range| digits.slice(range)).join("-")
}

fn disk_names(dir: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(dir).or_cannot("read", dir)?;
    Ok(entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect())
}

fn read(path: &Path) -> Result<Value> {
    std::fs::read(path)
        .or_cannot("read", path)
        .and_then(|bytes| serde_json::from_slice(&bytes).or_cannot("read", path))
}

fn write(path: &Path, value: &Value) -> Result<()> {
    let bytes = serde_json::to_vec_pretty(value).or_failed(|| cannot_write(path))?;
    disk::replace(path, &bytes)
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write {}", path.display())
}
