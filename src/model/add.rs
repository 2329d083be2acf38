//! Taking a model in: any sentence-transformers folder with an ONNX file becomes a folder of ours.
//!
//! The network is optimised once, here, and saved; loading it afterwards does not optimise again,
//! which is most of what a cold start would otherwise wait for.

use std::path::{Path, PathBuf};

use ort::session::builder::GraphOptimizationLevel;

use super::assets::Assets;
use super::embed::session;
use super::files::{MANIFEST_VERSION, Manifest, ModelFiles, NETWORK, read_spec};
use super::runtime::Runtime;
use super::tokens::Tokenizer;
use super::{EmbeddingRole, Network};
use crate::disk::{self, Scratch};
use crate::error::{Context as _, Fault, Result};

/// Where folders of the wild keep their network, best first for a CPU.
const NETWORKS: [&str; 4] =
    ["model.onnx", "onnx/model_quantized.onnx", "onnx/model_int8.onnx", "onnx/model.onnx"];

/// Small files that say how to use a model.
const CONFIGS: [&str; 7] = [
    "config.json",
    "config_sentence_transformers.json",
    "modules.json",
    "sentence_bert_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
];

/// Files that `rag model pull` asks a hub for; absent ones are fine except the tokenizer and one
/// network.
pub fn wanted_files() -> impl Iterator<Item = &'static str> {
    CONFIGS.into_iter().chain(["1_Pooling/config.json"])
}

/// Networks to try, in order.
pub fn wanted_networks() -> [&'static str; 4] {
    NETWORKS
}

/// What the weights of a network may be called where they lie beside it, which those of large ones
/// must.
pub fn wanted_weights(network: &str) -> [String; 2] {
    ["_data", ".data"].map(|ending| format!("{network}{ending}"))
}

/// A model to take in.
#[derive(Clone, Copy)]
pub struct Addition<'a> {
    pub source: &'a Path,
    /// The folder `models/` of a data directory.
    pub models: &'a Path,
    pub name: &'a str,
    /// Where it came from, in words.
    pub origin: &'a str,
}

/// Copies the model in `source` to `models/<name>`, proves that it embeds, and remembers that the
/// user added it. `stop` is asked between the steps.
///
/// # Errors
/// Names what is missing or unsupported; nothing is left behind then.
pub fn add(assets: &Assets, addition: Addition<'_>, stop: &dyn Fn() -> bool) -> Result<ModelFiles> {
    let Addition { source, models, name, origin } = addition;
    let target = models.join(name);
    if target.exists() {
        return Err(Fault::usage(format!("there is already a model named `{name}`"))
            .hint(format!("give another name, or remove {}", target.display())));
    }
    let runtime = Runtime::load(&assets.library()?)?;
    let network =
        NETWORKS.iter().map(|file| source.join(file)).find(|path| path.is_file()).ok_or_else(
            || {
                Fault::usage(format!("{} has no ONNX file", source.display())).hint(format!(
                    "looked for {}; `optimum-cli export onnx` makes one",
                    NETWORKS.join(", ")
                ))
            },
        )?;
    if !source.join("tokenizer.json").is_file() {
        return Err(Fault::usage(format!("{} has no tokenizer.json", source.display())));
    }
    let go_on = || if stop() { Err(Fault::interrupted()) } else { Ok(()) };
    let scratch = Scratch::new(models, "add")?;
    let temp = scratch.path();
    go_on()?;
    copy_configs(source, temp)?;
    go_on()?;
    optimise(&runtime, &network, &temp.join("model.onnx"))?;
    go_on()?;
    write_manifest(temp, name, origin)?;
    prove(&runtime, temp, name)?;
    go_on()?;
    let manifest = temp.join("manifest.json");
    let manifest =
        std::fs::read(&manifest).or_failed(|| format!("cannot read {}", manifest.display()))?;
    assets.record(&target, &manifest)?;
    scratch.keep_as(&target)?;
    ModelFiles::open(&target, name)
}

fn copy_configs(source: &Path, target: &Path) -> Result<()> {
    let spec_needs_pooling = source.join("1_Pooling/config.json");
    let mut files: Vec<PathBuf> = CONFIGS.iter().map(PathBuf::from).collect();
    if spec_needs_pooling.is_file() {
        disk::create_dir(&target.join("1_Pooling"))?;
        files.push("1_Pooling/config.json".into());
    }
    for file in files.iter().filter(|file| source.join(file).is_file()) {
        let from = source.join(file);
        std::fs::copy(&from, target.join(file))
            .or_failed(|| format!("cannot copy {}", from.display()))?;
    }
    read_spec(target, &|file| target.join(file).is_file()).map(drop)
}

/// Where the library puts the weights of a network that it saves: beside the graph, but for tensors
/// of fewer bytes than it costs to open the file once more.
const APART: [(&str, &str); 2] = [
    ("session.optimized_model_external_initializers_file_name", NETWORK[1]),
    ("session.optimized_model_external_initializers_min_size_in_bytes", "65536"),
];

fn optimise(runtime: &Runtime, from: &Path, to: &Path) -> Result<()> {
    // Level 2 ("extended") fuses attention and layer norms; the level above it writes layouts of
    // this very CPU.
    session(runtime, GraphOptimizationLevel::Level2)
        .and_then(|builder| Ok(builder.with_optimized_model_path(to)?))
        .and_then(|builder| {
            APART.iter().try_fold(builder, |builder, (k, v)| Ok(builder.with_config_entry(k, v)?))
        })
        .and_then(|mut builder| builder.commit_from_file(from))
        .map(drop)
        .map_err(|e| {
            Fault::usage(format!("{} is not a network that can be run: {e}", from.display()))
        })
}

fn write_manifest(dir: &Path, name: &str, origin: &str) -> Result<()> {
    let mut files = std::collections::BTreeMap::new();
    for file in CONFIGS.into_iter().chain(["1_Pooling/config.json"]).chain(NETWORK) {
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

fn prove(runtime: &Runtime, dir: &Path, name: &str) -> Result<()> {
    let files = ModelFiles::open(dir, name)?;
    let tokenizer = Tokenizer::load(&files)?;
    Network::load(runtime, &files)?
        .embed(&tokenizer, &files.spec, EmbeddingRole::Query, "Does it embed?")
        .map(drop)
}
