//! `rag model`: listing, checking, adding and downloading models.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::json;

use super::exit::Outcome;
use super::ui::{Tone, Ui, size};
use crate::config::is_name;
use crate::disk;
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::model::{self, Addition, Listed, ModelFiles, Prompts, Task};
use crate::pull::{self, Wanted};

/// List, verify, add and download embedding models
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub struct ModelArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the models on this machine
    List,
    /// Check every byte of the models and the ONNX Runtime library
    Verify {
        /// Model to check [default: all]
        name: Option<String>,
    },
    /// Add a sentence-transformers folder with an ONNX file
    Add {
        /// Folder to copy
        dir: PathBuf,
        /// Name for the model [default: name of the folder]
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        #[command(flatten)]
        prompts: PromptArgs,
    },
    /// Download a model from the Hugging Face Hub or HF_ENDPOINT
    Pull {
        /// Repository, such as sentence-transformers/all-MiniLM-L6-v2
        repository: String,
        /// Branch, tag or commit
        #[arg(long, value_name = "REV", default_value = "main")]
        revision: String,
        /// Name for the model [default: last part of REPOSITORY]
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        #[command(flatten)]
        prompts: PromptArgs,
    },
}

/// What is put before texts, for models whose files do not say it.
#[derive(Debug, Args)]
struct PromptArgs {
    /// Text to put before every question [default: as the model's files say]
    #[arg(long, value_name = "TEXT")]
    query_prompt: Option<String>,
    /// Text to put before every passage [default: as the model's files say]
    #[arg(long, value_name = "TEXT")]
    passage_prompt: Option<String>,
}

impl PromptArgs {
    fn prompts(&self) -> Prompts {
        Prompts { query: self.query_prompt.clone(), passage: self.passage_prompt.clone() }
    }
}

pub fn run(args: &ModelArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let added = match &args.action {
        Action::List => return list(engine, ui),
        Action::Verify { name } => return verify(name.as_deref(), engine, ui),
        Action::Add { dir, name, prompts } => {
            add(dir, name.as_deref(), &prompts.prompts(), engine)?
        }
        Action::Pull { repository, revision, name, prompts } => {
            let last_part = repository.rsplit('/').next().unwrap_or_default();
            let name = valid_name(name.as_deref().unwrap_or(last_part))?;
            let bar = ui.progress();
            let prompts = &prompts.prompts();
            let wanted = Wanted { repository, revision, name, prompts };
            let pulled = pull::run(engine, wanted, &mut |file, done, total| {
                let share = if total == 0 { 0.0 } else { done as f64 / total as f64 };
                bar.show("pull", share, || format!("{file}, {}", size(done)));
            });
            bar.end();
            pulled?
        }
    };
    print_added(&added, ui);
    Ok(Outcome::Done)
}

fn valid_name(name: &str) -> Result<&str> {
    match is_name(name) {
        true => Ok(name),
        false => Err(Fault::usage(format!("{name:?} is not a valid model name"))
            .hint("set another name with `--name`")),
    }
}

fn add(dir: &Path, name: Option<&str>, prompts: &Prompts, engine: &Engine) -> Result<ModelFiles> {
    disk::given_folder(dir)?;
    let real = dir.canonicalize().unwrap_or_default();
    let folder_name = real.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let addition = Addition {
        source: dir,
        models: &engine.config.data_dir.join("models"),
        name: valid_name(name.unwrap_or(folder_name))?,
        origin: "added from a folder",
        prompts,
    };
    model::add(&engine.assets, addition, &|| engine.interrupted())
}

fn list(engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let (mut rows, mut objects) = (Vec::new(), Vec::new());
    for Listed { name, dir, ignored } in engine.assets.list() {
        let mark = |text: &str| [text.to_owned(), String::new(), String::new()];
        let opened = ignored.map_or_else(|| Ok(ModelFiles::open(&dir, &name)), Err);
        let (object, [dimension, window, used]) = match opened {
            Err(why) => (json!({ "name": name, "dir": dir, "ignored": why }), mark("ignored")),
            Ok(Err(fault)) => {
                let fault = fault.to_string();
                (json!({ "name": name, "dir": dir, "damaged": fault }), mark("damaged"))
            }
            Ok(Ok(files)) => {
                let (dimension, max_tokens) = (files.spec.dimension, files.spec.max_tokens);
                let is_used = name == engine.config.model;
                let object = json!({
                    "name": name, "dir": dir, "fingerprint": files.fingerprint,
                    "dimension": dimension, "max_tokens": max_tokens, "used": is_used,
                });
                let dimension = dimension.map(|n| n.to_string()).unwrap_or_default();
                let used = if is_used { "yes" } else { "" };
                (object, [dimension, max_tokens.to_string(), used.to_owned()])
            }
        };
        objects.push(object);
        rows.push(vec![name, dimension, window, used, dir.display().to_string()]);
    }
    if ui.json {
        ui.json(&objects);
    } else if rows.is_empty() {
        ui.note("no models; run `scripts/setup` or `rag model pull REPOSITORY`");
    } else {
        ui.table(&["name", "dimension", "window", "used", "folder"], &rows);
    }
    Ok(Outcome::Done)
}

fn verify(name: Option<&str>, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let listed = engine.assets.list().into_iter().filter(|listed| listed.ignored.is_none());
    let mut folders: Vec<_> = listed.map(|listed| (listed.name, listed.dir)).collect();
    if let Some(name) = name {
        folders.retain(|(found, _)| found == name);
        if folders.is_empty() {
            return Err(Fault::usage(format!("no model named `{name}` on this machine")));
        }
    } else if let Ok(library) = engine.runtime_library() {
        let folder = library.path.parent().filter(|folder| folder.join("manifest.json").exists());
        folders.extend(folder.map(|folder| ("onnxruntime".to_owned(), folder.to_owned())));
    }
    let mut objects = Vec::new();
    let mut is_all_ok = true;
    for (name, dir) in folders {
        let faults = model::verify_folder(&dir).unwrap_or_else(|fault| vec![fault]);
        let messages: Vec<String> = faults.iter().map(ToString::to_string).collect();
        is_all_ok &= messages.is_empty();
        if !ui.json {
            print_verified(&name, &messages, ui);
        }
        objects.push(json!({ "name": name, "ok": messages.is_empty(), "damaged": messages }));
    }
    if ui.json {
        ui.json(&objects);
    }
    Ok(if is_all_ok { Outcome::Done } else { Outcome::Damaged })
}

fn print_verified(name: &str, damage: &[String], ui: &Ui) {
    if damage.is_empty() {
        ui.line(format!("{}  {name}", ui.paint(Tone::Good, "ok")));
    }
    for message in damage {
        ui.line(format!("{}  {message}", ui.paint(Tone::Bad, "damaged")));
    }
}

fn print_added(files: &ModelFiles, ui: &Ui) {
    let ModelFiles { name, dir, fingerprint, .. } = files;
    if ui.json {
        ui.json(&json!({ "name": name, "dir": dir, "fingerprint": fingerprint }));
    } else {
        ui.line(format!("added `{name}` to {}", dir.display()));
        ui.note(match files.spec.task {
            Task::Embedding => format!(
                "use it with `rag ingest --model {name}`, or `model = \"{name}\"` in rag.toml"
            ),
            Task::Scoring => {
                format!("use it with `rerank.model = \"{name}\"` in rag.toml, or RAG_RERANK_MODEL")
            }
        });
    }
}
