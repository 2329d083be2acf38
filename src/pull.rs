//! Downloads a model from a hub, file by file, and adds it like a local folder.

use std::path::Path;

use crate::config::is_name;
use crate::disk::{self, Scratch};
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::http::{Client, Fetched};
use crate::model::{self, Addition, ModelFiles, Prompts, Runtime};

/// Embedding models that run on a CPU are a tenth of this.
const MAX_NETWORK_BYTES: u64 = 8 << 30;
/// Vocabularies of multilingual models have up to 20 MB.
const MAX_CONFIG_BYTES: u64 = 256 << 20;

/// A model on a hub.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    pub repository: &'a str,
    pub revision: &'a str,
    /// Its name here.
    pub name: &'a str,
    pub prompts: &'a Prompts,
}

/// Downloads a model from the configured hub and adds it. `on_bytes` gets the file, its bytes so
/// far and its total bytes.
///
/// # Errors
/// [`Kind::Outside`](crate::error::Kind::Outside) when the hub cannot be reached or lacks the
/// model; [`Kind::Interrupted`](crate::error::Kind::Interrupted). Nothing is left on disk.
pub fn run(
    engine: &Engine,
    wanted: Wanted<'_>,
    on_bytes: &mut dyn FnMut(&str, u64, u64),
) -> Result<ModelFiles> {
    let Wanted { repository, revision, name, prompts } = wanted;
    let parts: Vec<&str> = repository.split('/').collect();
    if parts.len() > 2 || parts.iter().chain(&[revision]).any(|part| !is_name(part)) {
        return Err(Fault::usage(format!(
            "{repository:?} at {revision:?} is not a valid repository and revision"
        ))
        .hint("a repository looks like sentence-transformers/all-MiniLM-L6-v2"));
    }
    // A model can only be added with the library, so its absence is reported before the download.
    Runtime::load(&engine.runtime_library()?)?;
    let models = engine.config.data_dir.join("models");
    let scratch = Scratch::new(&models, "pull")?;
    let base = format!("{}/{repository}/resolve/{revision}", engine.config.hub);
    let client = Client::new(engine.config.hub_token.clone())?;
    fetch_all(engine, &client, &base, scratch.path(), on_bytes)?;
    let origin = format!("{repository} at {revision}");
    let source = scratch.path();
    let addition = Addition { source, models: &models, name, origin: &origin, prompts };
    model::add(&engine.assets, addition, &|| engine.interrupted())
}

fn fetch_all(
    engine: &Engine,
    client: &Client,
    base: &str,
    dir: &Path,
    on_bytes: &mut dyn FnMut(&str, u64, u64),
) -> Result<()> {
    let mut fetch = |file: &str, max_bytes: u64| {
        let mut on_bytes = |done, total| on_bytes(file, done, total);
        let stop = || engine.interrupted();
        disk::create_dir(dir.join(file).parent().unwrap_or(dir))?;
        client.fetch(&format!("{base}/{file}"), &dir.join(file), max_bytes, &stop, &mut on_bytes)
    };
    let mut has_tokenizer = false;
    for file in model::config_files() {
        let fetched = fetch(file, MAX_CONFIG_BYTES)?;
        has_tokenizer |= file == "tokenizer.json" && fetched == Fetched::Written;
    }
    for file in model::module_files(dir)? {
        let fetched = fetch(&file.from, MAX_CONFIG_BYTES)?;
        has_tokenizer |= file.to == "tokenizer.json" && fetched == Fetched::Written;
    }
    if !has_tokenizer {
        return Err(Fault::outside(format!("{base} has no tokenizer.json")));
    }
    for file in model::NETWORK_FILES {
        if fetch(file, MAX_NETWORK_BYTES)? == Fetched::Written {
            for weights in model::weight_files(file) {
                fetch(&weights, MAX_NETWORK_BYTES)?;
            }
            return Ok(());
        }
    }
    Err(Fault::outside(format!("{base} has no ONNX file"))
        .hint("look for a repository with one in `onnx/`"))
}
