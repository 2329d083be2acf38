//! Adds a model: copies a sentence-transformers folder with an ONNX file to `models/`.
//!
//! The network is optimised once, here, and saved. Optimising it on each load would be most of the
//! time of a cold start. Whatever would make an ingest fail is found here.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use ort::session::builder::GraphOptimizationLevel;

use super::assets::Assets;
use super::embed::session;
use super::files::{ModelFiles, NETWORK};
use super::manifest::{MANIFEST_VERSION, Manifest};
use super::runtime::Runtime;
use super::spec::{POOLING_FILE, PROMPTS_FILE, README, Task, module_folders, read_spec};
use super::tokens::Tokenizer;
use super::{EmbeddingRole, Network, unigram};
use crate::disk::{self, Scratch};
use crate::error::{Context as _, Fault, Result};

/// Where published models store their network, best first for a CPU.
pub const NETWORK_FILES: [&str; 4] =
    ["model.onnx", "onnx/model_quantized.onnx", "onnx/model_int8.onnx", "onnx/model.onnx"];

/// Small files that describe how to use a model.
const CONFIGS: [&str; 8] = [
    README,
    "config.json",
    PROMPTS_FILE,
    "modules.json",
    "sentence_bert_config.json",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
];

/// The small files in a model's folder, which `rag model pull` requests from a hub. All but the
/// tokenizer are optional.
pub fn config_files() -> impl Iterator<Item = &'static str> {
    CONFIGS.into_iter()
}

/// A file of a model that may be in another folder than here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModuleFile {
    /// Its path in the folder of the model.
    pub from: String,
    /// Its path here.
    pub to: &'static str,
}

/// The small files in the folders that `modules.json` of `dir` names.
///
/// # Errors
/// Names a module that is not supported.
pub fn module_files(dir: &Path) -> Result<Vec<ModuleFile>> {
    let folders = module_folders(dir)?;
    let mut files =
        vec![ModuleFile { from: format!("{}/config.json", folders.pooling), to: POOLING_FILE }];
    if !folders.transformer.is_empty() {
        let configs = CONFIGS.into_iter().filter(|file| !["modules.json", README].contains(file));
        files.extend(
            configs.map(|file| ModuleFile {
                from: format!("{}/{file}", folders.transformer),
                to: file,
            }),
        );
    }
    Ok(files)
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
    pub prompts: &'a Prompts,
}

/// What the user wants put before texts; `None` for what the model's files say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prompts {
    pub query: Option<String>,
    pub passage: Option<String>,
}

/// What published models need before texts whose files do not say so, by the beginning of their
/// repository's name; from their descriptions.
const KNOWN_PROMPTS: [(&str, &str, &str); 4] = [
    ("intfloat/e5-", "query: ", "passage: "),
    ("intfloat/multilingual-e5-small", "query: ", "passage: "),
    ("intfloat/multilingual-e5-base", "query: ", "passage: "),
    ("intfloat/multilingual-e5-large at", "query: ", "passage: "),
];

/// Copies the model in `source` to `models/<name>`, embeds a text as a test, and records that the
/// user added it. `stop` is polled between the steps.
///
/// # Errors
/// Names what is missing or unsupported; nothing is left on disk.
pub fn add(assets: &Assets, addition: Addition<'_>, stop: &dyn Fn() -> bool) -> Result<ModelFiles> {
    let Addition { source, models, name, origin, prompts } = addition;
    let target = models.join(name);
    if target.exists() {
        return Err(Fault::usage(format!("there is already a model named `{name}`"))
            .hint(format!("give another name, or remove {}", target.display())));
    }
    let runtime = Runtime::load(&assets.library()?)?;
    let network = find_network(source)?;
    let check_stop = || if stop() { Err(Fault::interrupted()) } else { Ok(()) };
    let scratch = Scratch::new(models, "add")?;
    let temp = scratch.path();
    check_stop()?;
    copy_configs(source, temp)?;
    write_prompts(temp, origin, prompts)?;
    write_vocabulary(temp)?;
    check_stop()?;
    optimise(&runtime, &network, &temp.join("model.onnx"))?;
    check_stop()?;
    write_manifest(temp, name, origin, None)?;
    let dimension = try_out(&runtime, &ModelFiles::open(temp, name)?)?;
    write_manifest(temp, name, origin, dimension)?;
    check_stop()?;
    let manifest = temp.join("manifest.json");
    let manifest = std::fs::read(&manifest).or_cannot("read", &manifest)?;
    assets.record(&target, &manifest)?;
    scratch.keep_as(&target)?;
    ModelFiles::open(&target, name)
}

/// The network in `source`, checked not to be a pointer to one.
fn find_network(source: &Path) -> Result<PathBuf> {
    let folders = [source.to_owned(), source.join(module_folders(source)?.transformer)];
    let mut networks =
        folders.iter().flat_map(|folder| NETWORK_FILES.map(|file| folder.join(file)));
    let Some(network) = networks.find(|path| path.is_file()) else {
        return Err(Fault::usage(format!("{} has no ONNX file", source.display())).hint(format!(
            "looked for {}; `optimum-cli export onnx` makes one",
            NETWORK_FILES.join(", ")
        )));
    };
    refuse_pointer(&network)?;
    for weights in weight_files(&network.to_string_lossy()) {
        refuse_pointer(Path::new(&weights))?;
    }
    Ok(network)
}

/// Git leaves such a text in place of a large file that it has not downloaded.
const POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

/// # Errors
/// A usage fault for a file that is a Git LFS pointer.
fn refuse_pointer(path: &Path) -> Result<()> {
    let mut start = [0; POINTER.len()];
    let is_pointer = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut start));
    match is_pointer {
        Ok(()) if start == POINTER => {
            Err(Fault::usage(format!("{} is a Git LFS pointer, not the file", path.display()))
                .hint("run `git lfs pull` in that folder"))
        }
        _ => Ok(()),
    }
}

fn copy_configs(source: &Path, target: &Path) -> Result<()> {
    let own = CONFIGS.map(|file| ModuleFile { from: file.to_owned(), to: file });
    for ModuleFile { from, to } in own.into_iter().chain(module_files(source)?) {
        let (from, to) = (source.join(from), target.join(to));
        if !from.is_file() || to.exists() {
            continue;
        }
        refuse_pointer(&from)?;
        disk::create_dir(to.parent().unwrap_or(target))?;
        std::fs::copy(&from, to).or_cannot("copy", &from)?;
    }
    if !target.join("tokenizer.json").is_file() {
        return Err(Fault::usage(format!("{} has no tokenizer.json", source.display())));
    }
    read_spec(target, &|file| target.join(file).is_file()).map(drop)
}

/// Adds to the configuration what is put before texts: what the user says, else what the model is
/// known to need, if its files say nothing.
fn write_prompts(dir: &Path, origin: &str, wanted: &Prompts) -> Result<()> {
    let spec = read_spec(dir, &|file| dir.join(file).is_file())?;
    let is_silent = spec.query_prefix.is_empty() && spec.passage_prefix.is_empty();
    let known = KNOWN_PROMPTS.iter().find(|(name, ..)| is_silent && origin.starts_with(name));
    let query = wanted.query.as_deref().or(known.map(|(_, query, _)| *query));
    let passage = wanted.passage.as_deref().or(known.map(|(.., passage)| *passage));
    if query.is_none() && passage.is_none() {
        return Ok(());
    }
    let path = dir.join(PROMPTS_FILE);
    let mut config: serde_json::Value = match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .or_damaged(|| format!("cannot parse {}", path.display()))?,
        Err(_) => serde_json::json!({}),
    };
    for (name, prompt) in [("query", query), ("passage", passage)] {
        if let Some(prompt) = prompt {
            config["prompts"][name] = prompt.into();
        }
    }
    disk::replace(&path, config.to_string().as_bytes())
}

/// Writes the vocabulary in a form that needs no parsing, where the tokenizer has one for it.
fn write_vocabulary(dir: &Path) -> Result<()> {
    let path = dir.join("tokenizer.json");
    let bytes = std::fs::read(&path).or_cannot("read", &path)?;
    match unigram::trie_of(&bytes) {
        Some(trie) => disk::replace(&dir.join(unigram::FILE), &trie),
        None => Ok(()),
    }
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

fn write_manifest(dir: &Path, name: &str, origin: &str, dimension: Option<usize>) -> Result<()> {
    let mut files = std::collections::BTreeMap::new();
    for file in CONFIGS.into_iter().chain([POOLING_FILE, unigram::FILE]).chain(NETWORK) {
        let path = dir.join(file);
        if path.is_file() {
            files.insert(file.to_owned(), disk::file_sum(&path)?);
        }
    }
    let manifest = Manifest {
        version: MANIFEST_VERSION,
        name: name.to_owned(),
        source: origin.to_owned(),
        dimension,
        files,
    };
    let text =
        serde_json::to_vec_pretty(&manifest).or_failed(|| "cannot write a manifest".into())?;
    disk::replace(&dir.join("manifest.json"), &text)
}

/// Longer inputs are not tried: attention over them takes gigabytes.
const MAX_TRIED_TOKENS: usize = 1024;

/// Uses the model once on a short text and once on one that fills its window, to fail now rather
/// than in an ingest. Returns the length of a vector.
fn try_out(runtime: &Runtime, files: &ModelFiles) -> Result<Option<usize>> {
    let tokenizer = Tokenizer::load(files)?;
    let mut network = Network::load(runtime, files)?;
    let window = files.spec.max_tokens.min(MAX_TRIED_TOKENS);
    let long = "word ".repeat(window);
    let mut run = |text: &str| match files.spec.task {
        Task::Embedding => network
            .embed(&tokenizer, &files.spec, EmbeddingRole::Query, text)
            .map(|vector| Some(vector.dimension())),
        Task::Scoring => {
            network.score(&tokenizer.encode_pair("Does it run?", text, window)?).map(|_| None)
        }
    };
    let dimension = run("Does it run?")?;
    run(&long).map_err(|fault| {
        Fault::usage(format!(
            "its files state a window of {} tokens, but the network fails on a text of {window}: \
             {fault}",
            files.spec.max_tokens
        ))
        .hint("set max_seq_length in sentence_bert_config.json to the length that it can read")
    })?;
    Ok(dimension)
}
