//! `rag model`: listing, checking and adding.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::exit::Outcome;
use super::ui::{Tone, Ui};
use crate::config::is_name;
use crate::disk;
use crate::engine::Engine;
use crate::error::{Fault, Result};
use crate::model::{self, Addition, Listed, ModelFiles};
use crate::pull;

/// List, check and add embedding models
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
    /// Check every byte of the models and of the ONNX Runtime library
    Verify {
        /// Model to check [default: all]
        name: Option<String>,
    },
    /// Add a sentence-transformers folder that has an ONNX file
    Add {
        /// Folder to copy from
        dir: PathBuf,
        /// Name for the model [default: the folder's name]
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
    /// Fetch a model from the Hugging Face hub, or from HF_ENDPOINT
    Pull {
        /// Repository, such as sentence-transformers/all-MiniLM-L6-v2
        repository: String,
        /// Branch, tag or commit
        #[arg(long, value_name = "REV", default_value = "main")]
        revision: String,
        /// Name for the model [default: the repository's last part]
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
}

pub fn run(args: ModelArgs, engine: &Engine, ui: &Ui) -> Result<Outcome> {
    match args.action {
        Action::List => list(engine, ui),
        Action::Verify { name } => verify(engine, ui, name.as_deref()),
        Action::Add { dir, name } => {
            disk::given_folder(&dir)?;
            let own_name =
                dir.canonicalize().ok().and_then(|d| Some(d.file_name()?.to_str()?.to_owned()));
            let name = checked_name(name.or(own_name).unwrap_or_default())?;
            let models = engine.config.data_dir.join("models");
            let addition = Addition {
                source: &dir,
                models: &models,
                name: &name,
                origin: "added from a folder",
            };
            let added = model::add(&engine.assets, addition, &|| engine.interrupted())?;
            print_added(ui, &added);
            Ok(Outcome::Done)
        }
        Action::Pull { repository, revision, name } => {
            let own_name = repository.rsplit('/').next().unwrap_or_default().to_owned();
            let name = checked_name(name.unwrap_or(own_name))?;
            let bar = ui.progress();
            let pulled =
                pull::run(engine, &repository, &revision, &name, &mut |file, done, total| {
                    let share = if total == 0 { 0.0 } else { done as f64 / total as f64 };
                    bar.show("pull", share, || format!("{file}, {}", super::ui::size(done)));
                });
            bar.end();
            print_added(ui, &pulled?);
            Ok(Outcome::Done)
        }
    }
}

fn checked_name(name: String) -> Result<String> {
    match is_name(&name) {
        true => Ok(name),
        false => Err(Fault::usage(format!("{name:?} cannot be the name of a model"))
            .hint("give one with `--name`")),
    }
}

fn list(engine: &Engine, ui: &Ui) -> Result<Outcome> {
    let mut rows = Vec::new();
    let mut objects = Vec::new();
    for Listed { name, dir, ignored } in engine.assets.list() {
        if let Some(why) = ignored {
            objects.push(json!({ "name": name, "dir": dir, "ignored": why }));
            rows.push(vec![
                name,
                "ignored".into(),
                String::new(),
                String::new(),
                dir.display().to_string(),
            ]);
            continue;
        }
        match ModelFiles::open(&dir, &name) {
            Ok(files) => {
                let dimension = files.spec.dimension.map(|n| n.to_string()).unwrap_or_default();
                objects.push(json!({
                    "name": name, "dir": dir, "fingerprint": files.fingerprint, "dimension": files.spec.dimension,
                    "max_tokens": files.spec.max_tokens, "used": name == engine.config.model,
                }));
                let used = if name == engine.config.model { "yes" } else { "" };
                rows.push(vec![
                    name,
                    dimension,
                    files.spec.max_tokens.to_string(),
                    used.into(),
                    dir.display().to_string(),
                ]);
            }
            Err(fault) => {
                objects.push(json!({ "name": name, "dir": dir, "damaged": fault.to_string() }));
                rows.push(vec![
                    name,
                    "damaged".into(),
                    String::new(),
                    String::new(),
                    dir.display().to_string(),
                ]);
            }
        }
    }
    if ui.json {
        ui.json(&objects);
    } else if rows.is_empty() {
        ui.note("there is no model yet; run `scripts/setup`, or `rag model pull REPOSITORY`");
    } else {
        ui.table(&["name", "dimension", "window", "used", "folder"], &rows);
    }
    Ok(Outcome::Done)
}

fn verify(engine: &Engine, ui: &Ui, name: Option<&str>) -> Result<Outcome> {
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
    let mut all_good = true;
    for (name, dir) in folders {
        let faults = model::verify_folder(&dir).unwrap_or_else(|fault| vec![fault]);
        all_good &= faults.is_empty();
        let words: Vec<String> = faults.iter().map(ToString::to_string).collect();
        if !ui.json {
            match words.is_empty() {
                true => ui.line(format!("{}  {name}", ui.paint(Tone::Good, "ok"))),
                false => words.iter().for_each(|word| {
                    ui.line(format!("{}  {word}", ui.paint(Tone::Bad, "damaged")))
                }),
            }
        }
        objects.push(json!({ "name": name, "ok": words.is_empty(), "damaged": words }));
    }
    if ui.json {
        ui.json(&objects);
    }
    Ok(if all_good { Outcome::Done } else { Outcome::Damaged })
}

fn print_added(ui: &Ui, files: &ModelFiles) {
    if ui.json {
        ui.json(&json!({ "name": files.name, "dir": files.dir, "fingerprint": files.fingerprint }));
    } else {
        ui.line(format!("added `{}` in {}", files.name, files.dir.display()));
        ui.note(format!(
            "use it with `rag ingest --model {}`, or `model = \"{}\"` in rag.toml",
            files.name, files.name
        ));
    }
}
