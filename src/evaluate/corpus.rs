//! An index that is built for a measurement and removed after it.
//!
//! It uses the embedding cache like any other index, so that the next measurement of the same
//! folder embeds only questions.

use std::path::{Path, PathBuf};

use super::questions::{BeirLine, each_beir_line};
use crate::config::{Config, DepotPlace};
use crate::disk::{Scratch, create_dir};
use crate::engine::Engine;
use crate::error::{Context as _, Fault, Result};
use crate::ingest;

/// Longest name of a file, without its ending. Most file systems allow 255 bytes.
const MAX_STEM_BYTES: usize = 240;

/// A temporary index. It is removed on drop.
pub struct Corpus {
    pub engine: Engine,
    _scratch: Scratch,
}

impl Corpus {
    /// Indexes a folder, or the corpus of a BEIR folder, as `config` says.
    ///
    /// # Errors
    /// Those of an ingest.
    pub fn build(
        engine: &Engine,
        config: &Config,
        dir: &Path,
        on_event: &mut dyn FnMut(ingest::Event),
    ) -> Result<Self> {
        let scratch = Scratch::new(&engine.config.data_dir, "eval")?;
        let is_beir = dir.join("corpus.jsonl").is_file() && dir.join("qrels").is_dir();
        let dir = if is_beir { write_documents(dir, scratch.path())? } else { dir.to_owned() };
        let config = Config {
            data_dir: scratch.path().join("data"),
            // No other command and no other machine shall find the index.
            state_dir: None,
            depot: DepotPlace::default(),
            ..config.clone()
        };
        let engine = engine.with(config);
        let request = ingest::Request { dirs: vec![dir], ..ingest::Request::default() };
        ingest::run(&engine, &request, on_event)?;
        Ok(Self { engine, _scratch: scratch })
    }
}

/// Writes one Markdown file for each document of a BEIR corpus, with its title as heading.
fn write_documents(beir: &Path, scratch: &Path) -> Result<PathBuf> {
    let folder = scratch.join("corpus");
    // The top of a repository: the ignore files of the folders above do not apply.
    create_dir(&folder.join(".git"))?;
    each_beir_line(beir, "corpus.jsonl", &mut |n, BeirLine { id, title, text }| {
        let stem = file_stem(&id);
        if stem.is_empty() || stem.len() > MAX_STEM_BYTES {
            let place = beir.join("corpus.jsonl");
            return Err(Fault::usage(format!(
                "{}:{n}: the id has {} bytes; it must have 1 to {MAX_STEM_BYTES}",
                place.display(),
                stem.len()
            )));
        }
        let title = title.split_whitespace().collect::<Vec<_>>().join(" ");
        let heading = if title.is_empty() { String::new() } else { format!("# {title}\n\n") };
        let file = folder.join(format!("{stem}.md"));
        #[expect(clippy::disallowed_methods, reason = "a temporary file need not be durable")]
        let written = std::fs::write(&file, format!("{heading}{text}\n"));
        written.or_cannot("write", &file)
    })?;
    Ok(folder)
}

/// An id as the name of a file that is neither hidden nor in another folder, percent-encoded.
pub fn file_stem(id: &str) -> String {
    let mut stem = String::new();
    for (i, byte) in id.bytes().enumerate() {
        let is_plain =
            byte.is_ascii_alphanumeric() || b"-_".contains(&byte) || byte == b'.' && i > 0;
        match is_plain {
            true => stem.push(char::from(byte)),
            false => stem.push_str(&format!("%{byte:02X}")),
        }
    }
    stem
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::strings::percent_decoded;

    #[test]
    fn ids_become_names_of_files_and_ids_again() {
        for id in ["4983", "MED-10", ".hidden", "a/b c", "100%", "ü", "x%2Fy", "a.b"] {
            let stem = file_stem(id);
            assert!(!stem.contains(['/', ' ']) && !stem.starts_with('.'), "{stem}");
            assert_eq!(percent_decoded(&stem), id, "{stem}");
        }
        assert_eq!(file_stem("MED-10"), "MED-10");
    }
}
