//! Adds a model: copies a sentence-transformers folder with an ONNX file to `models/`.
//!
//! The network is optimised once, here, and saved. Optimising it on each load would be most of the
//! time of a cold start.

use std::path::Path;

use ort::session::builder::GraphOptimizationLevel;

use super::assets::Assets;
use super::embed::session;
use super::files::{MANIFEST_VERSION, Manifest, ModelFiles, NETWORK, read_spec};
use super::runtime::Runtime;
use super::tokens::Tokenizer;
use super::{EmbeddingRole, Network};
use crate::disk::{self, Scratch};
use crate::error::{Context as _, Fault, Result};

/// Where published models store their network, best first for a CPU.
pub const NETWORK_FILES: [&str; 4] =
    ["model.onnx", "onnx/model_quantized.onnx", "onnx/model_int8.onnx", "onnx/model.onnx"];

/// Small files that describe how to use a model.
const CONFIGS: [&str; 7] = [
    "config.json",
    "config_sentence_transformers.json",
    "modules.json",
    "sentence_bert_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
];

/// The small files that `rag model pull` requests from a hub. All but the tokenizer are optional.
pub fn config_files() -> impl Iterator<Item = &'static str> {
    CONFIGS.into_iter().chain(["1_Pooling/config.json"])
}

/// The names of a network's external weights, which large networks have.
pub fn weight_files(network: &str) -> [String; 2] {
    ["_data", ".data"].map(|ending| format!("{network}{ending}"))
}

/// A model to add.
#[derive(Clone, Copy)]
pub struct Addition<'a> {
    pub source: &'a Path,
    /// The folder `models/` of a data directory.
    pub models: &'a Path,
    pub name: &'a str,
    /// Its source, for the manifest.
    pub origin: &'a str,
}

/// Copies the model in `source` to `models/<name>`, embeds a text as a test, and records that the
/// user added it. `stop` is polled between the steps.
///
/// # Errors
/// Names what is missing or unsupported; nothing is left on disk.
pub fn add(assets: &Assets, addition: Addition<'_>, stop: &dyn Fn() -> bool) -> Result<ModelFiles> {
    let Addition { source, models, name, origin } = addition;
    let target = models.join(name);
    if target.exists() {
        return Err(Fault::usage(format!("there is already a model named `{name}`"))
            .hint(format!("give another name, or remove {}", target.display())));
    }
    let runtime = Runtime::load(&assets.library()?)?;
    let mut networks = NETWORK_FILES.iter().map(|file| source.join(file));
    let Some(network) = networks.find(|path| path.is_file()) else {
        return Err(Fault::usage(format!("{} has no ONNX file", source.display())).hint(format!(
            "looked for {}; `optimum-cli export onnx` makes one",
            NETWORK_FILES.join(", ")
        )));
    };
    if !source.join("tokenizer.json").is_file() {
        return Err(Fault::usage(format!("{} has no tokenizer.json", source.display())));
    }
    let check_stop = || if stop() { Err(Fault::interrupted()) } else { Ok(()) };
    let scratch = Scratch::new(models, "add")?;
    let temp = scratch.path();
    check_stop()?;
    copy_configs(source, temp)?;
    check_stop()?;
    optimise(&runtime, &network, &temp.join("model.onnx"))?;
    check_stop()?;
    write_manifest(temp, name, origin)?;
    test_embedding(&runtime, temp, name)?;
    check_stop()?;
    let manifest = temp.join("manifest.json");
    let manifest =
        std::fs::read(&manifest).or_failed(|| format!("cannot read {}", manifest.display()))?;
    assets.record(&target, &manifest)?;
    scratch.keep_as(&target)?;
    ModelFiles::open(&target, name)
}

fn copy_configs(source: &Path, target: &Path) -> Result<()> {
    for file in config_files() {
        let (from, to) = (source.join(file), target.join(file));
        if !from.is_file() {
            continue;
        }
        if file.contains('/') {
            disk::create_dir(&target.join("1_Pooling"))?;
        }
        std::fs::copy(&from, to).or_failed(|| format!("cannot copy {}", from.display()))?;
    }
    read_spec(target, &|file| target.join(file).is_file()).map(drop)
}

/// The library saves weights in a file beside the graph, except tensors that are smaller than the
/// cost of mapping the file.
const EXTERNAL_WEIGHTS: [(&str, &str); 2] = [
    ("session.optimized_model_external_initializers_file_name", NETWORK[1]),
    ("session.optimized_model_external_initializers_min_size_in_bytes", "65536"),
];

fn optimise(runtime: &Runtime, from: &Path, to: &Path) -> Result<()> {
    // Level 2 ("extended") fuses attention and layer norms. The next level writes layouts that are
    // specific to this CPU.
    session(runtime, GraphOptimizationLevel::Level2)
        .and_then(|builder| Ok(builder.with_optimized_model_path(to)?))
        .and_then(|builder| {
            EXTERNAL_WEIGHTS.iter().try_fold(builder, |builder, (key, value)| {
                Ok(builder.with_config_entry(key, value)?)
            })
        })
        .and_then(|mut builder| builder.commit_from_file(from))
        .map(drop)
        .map_err(|e| {
            Fault::usage(format!("{} is not a network that can be run: {e}", from.display()))
        })
}

fn write_manifest(dir: &Path, name: &str, origin: &str) -> Result<()> {
    let mut files = std::collections::BTreeMap::new();
    for file in config_files().chain(NETWORK) {
        let path = dir.join(file);
        if path.is_file() {
            files.insert(file.to_owned(), disk::file_sum(&path)?);
        }
    }
    let manifest = Manifest {
        version: MANIFEST_VERSION,
        name: name.to_owned(),
        source: origin.to_owned(),
        files,
    };
    let text =
        serde_json::to_vec_pretty(&manifest).or_failed(|| "cannot write a manifest".into())?;
    disk::replace(&dir.join("manifest.json"), &text)
}

/// Embeds a text, to fail now rather than in an ingest.
fn test_embedding(runtime: &Runtime, dir: &Path, name: &str) -> Result<()> {
    let files = ModelFiles::open(dir, name)?;
    let tokenizer = Tokenizer::load(&files)?;
    Network::load(runtime, &files)?
        .embed(&tokenizer, &files.spec, EmbeddingRole::Query, "Does it embed?")
        .map(drop)
}
