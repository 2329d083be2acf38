//! The files that `scripts/setup` creates, by SHA-256. The script checks itself against the same
//! table.

use std::collections::BTreeSet;

use super::manifest::Manifest;
use crate::strings::table_lines;

/// Lines of folder, file and SHA-256; `#` starts a comment.
const TABLE: &str = include_str!("../../scripts/model/assets.txt");

/// No file of the table is larger.
const MAX_BYTES: u64 = 1 << 30;

fn rows() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> + Clone {
    table_lines(TABLE).filter_map(|line| {
        let mut words = line.split(' ');
        Some((words.next()?, words.next()?, words.next()?))
    })
}

/// Whether a manifest lists exactly the files of a model that `scripts/setup` creates.
pub(super) fn is_model(manifest: &Manifest) -> bool {
    let folders: BTreeSet<&str> =
        rows().map(|(folder, ..)| folder).filter(|folder| folder.starts_with("models/")).collect();
    manifest.files.values().all(|sum| sum.bytes <= MAX_BYTES)
        && folders.into_iter().any(|folder| has_files_of(manifest, folder))
}

fn has_files_of(manifest: &Manifest, folder: &str) -> bool {
    let mut files = rows().filter(|(other, ..)| *other == folder);
    files.clone().count() == manifest.files.len()
        && files.all(|(_, file, sha256)| {
            manifest.files.get(file).is_some_and(|sum| sum.sha256 == sha256)
        })
}

/// Whether this is the SHA-256 of a library that `scripts/setup` downloads.
pub(super) fn is_library(sha256: &str) -> bool {
    rows().any(|(folder, _, known)| folder.starts_with("runtime-") && known == sha256)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::FileSum;

    fn manifest(folder: &str) -> Manifest {
        let sum =
            |sha256: &str| FileSum { bytes: 1, sha256: sha256.to_owned(), blocks: String::new() };
        let files = rows()
            .filter(|(other, ..)| *other == folder)
            .map(|(_, file, sha256)| (file.to_owned(), sum(sha256)));
        Manifest {
            version: 1,
            name: "any".into(),
            source: "anywhere".into(),
            dimension: None,
            files: files.collect(),
        }
    }

    #[test]
    fn the_table_has_every_file_that_a_model_needs() {
        for folder in [
            "models/all-MiniLM-L6-v2",
            "models/all-MiniLM-L6-v2-fp32",
            "models/multilingual-e5-small",
        ] {
            let known = manifest(folder);
            assert!(is_model(&known));
            for file in [
                "model.onnx",
                "model.onnx.data",
                "tokenizer.json",
                "config.json",
                "1_Pooling/config.json",
            ] {
                assert!(known.files.contains_key(file), "{folder} {file}");
            }
        }
        assert!(rows().all(|(_, _, sha256)| sha256.len() == 64));
        assert_eq!(rows().filter(|(folder, ..)| folder.starts_with("runtime-")).count(), 2);
    }

    #[test]
    fn changed_missing_and_extra_files_are_not_the_known_model() {
        let known = manifest("models/all-MiniLM-L6-v2");
        for file in known.files.keys() {
            let mut other = known.clone();
            other.files.get_mut(file).unwrap().sha256.replace_range(..1, "x");
            assert!(!is_model(&other), "{file} has a different sum");
            other.files.remove(file);
            assert!(!is_model(&other), "{file} is missing");
            let mut other = known.clone();
            other.files.insert("more.json".into(), other.files[file].clone());
            assert!(!is_model(&other), "an extra file");
        }
        assert!(!is_model(&Manifest { files: std::collections::BTreeMap::new(), ..known }));
        assert!(!is_library("") && !is_library(&"0".repeat(64)));
    }
}
