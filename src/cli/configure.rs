//! `rag config` and `rag init`: settings in their files.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Map, json};

use super::args::{Flags, GlobalArgs};
use super::exit::Outcome;
use super::links::Target;
use super::opener;
use super::ui::{Ui, safe_name};
use crate::config::{self, Config, Origin, Setting, World};
use crate::disk::{self, Existing};
use crate::error::{Context as _, Fault, Result};

/// Show and change settings
///
/// Settings are merged from the built-in values, the user's file ~/.config/rag/config.toml, the
/// project's file ./rag.toml, the environment and flags; later ones take precedence.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub struct ConfigArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List settings, and where each is set
    List {
        /// Only settings that are not built in
        #[arg(long)]
        changed: bool,
    },
    /// Print a setting
    Get {
        /// Such as `search.k`
        key: String,
    },
    /// Set a setting in the user's file
    Set {
        /// Such as `search.k`
        key: String,
        value: String,
        /// Set it in ./rag.toml, for this folder only
        #[arg(long)]
        project: bool,
    },
    /// Remove a setting from the user's file
    Unset {
        /// Such as `search.k`
        key: String,
        /// Remove it from ./rag.toml
        #[arg(long)]
        project: bool,
    },
    /// Open the user's file in an editor
    Edit {
        /// Open ./rag.toml
        #[arg(long)]
        project: bool,
    },
}

/// Make a configuration file for this folder
///
/// Writes ./rag.toml with the most used settings as comments. Commands that run in this folder read
/// it.
#[derive(Debug, Args)]
pub struct InitArgs {
    /// Overwrite an existing rag.toml
    #[arg(long)]
    force: bool,
}

const PROJECT: &str = "rag.toml";

/// Settings that a new file shows.
const SHOWN: [&str; 9] = [
    "data_dir",
    "index",
    "model",
    "search.k",
    "search.mode",
    "ask.max_words",
    "generator",
    "ingest.max_file_bytes",
    "sessions.ttl_hours",
];

/// Works without an engine: it must be able to repair a file that cannot be loaded.
pub fn run(args: &ConfigArgs, global: &GlobalArgs, ui: &Ui) -> Result<Outcome> {
    let world = World::from_process();
    match &args.action {
        Action::List { changed } => list(*changed, &load(&world, global)?, ui),
        Action::Get { key } => get(key, &load(&world, global)?, ui)?,
        Action::Set { key, value, project } => {
            File::of(*project, &world)?.set(key, Some(value), ui)?;
            note_override(key, value, &load(&world, global)?, ui);
        }
        Action::Unset { key, project } => File::of(*project, &world)?.set(key, None, ui)?,
        Action::Edit { project } => File::of(*project, &world)?.edit(&world, ui)?,
    }
    Ok(Outcome::Done)
}

fn load(world: &World, global: &GlobalArgs) -> Result<Config> {
    let flags: Flags = global.flags()?;
    Config::load(world, &flags)
}

fn list(changed: bool, config: &Config, ui: &Ui) {
    let is_listed = |origin: &Origin| !changed || *origin != Origin::BuiltIn;
    let rows = config.origins.iter().filter(|(_, _, origin)| is_listed(origin));
    if ui.json {
        let object = |(key, value, origin): &(String, String, Origin)| {
            ((*key).clone(), json!({ "value": value, "from": origin.to_string() }))
        };
        return ui.json(&rows.map(object).collect::<Map<_, _>>());
    }
    let rows: Vec<Vec<String>> = rows
        .map(|(key, value, origin)| vec![(*key).clone(), value.clone(), origin.to_string()])
        .collect();
    match rows.is_empty() {
        true => ui.note("every setting has its built-in value"),
        false => ui.table(&["setting", "value", "from"], &rows),
    }
}

fn get(key: &str, config: &Config, ui: &Ui) -> Result<()> {
    let found = config.origins.iter().find(|(name, ..)| *name == key);
    let (_, value, origin) = found.ok_or_else(|| config::unknown_setting("", key))?;
    match ui.json {
        true => ui.json(&json!({ "key": key, "value": value, "from": origin.to_string() })),
        false => {
            ui.line(safe_name(value));
            ui.detail(format!("from {origin}"));
        }
    }
    Ok(())
}

/// Notes that another layer hides the value that was just set.
fn note_override(key: &str, value: &str, config: &Config, ui: &Ui) {
    let found = config.origins.iter().find(|(name, ..)| *name == key);
    if let Some((_, used, origin @ (Origin::Environment(_) | Origin::File { .. }))) = found
        && used != value
        && used != "(set)"
    {
        ui.note(format!("`{key}` is still `{used}` here: {origin} takes precedence"));
    }
}

/// A configuration file.
struct File {
    path: PathBuf,
    is_project: bool,
}

impl File {
    fn of(is_project: bool, world: &World) -> Result<Self> {
        let path = match is_project {
            true => PathBuf::from(PROJECT),
            false => world.config_file().ok_or_else(|| {
                Fault::failed("there is no configuration folder: HOME is not set")
                    .hint("set HOME, or use `--project`")
            })?,
        };
        Ok(Self { path, is_project })
    }

    /// The text; empty if there is no file.
    fn text(&self) -> Result<String> {
        let read =
            disk::if_exists(std::fs::read_to_string(&self.path)).or_cannot("read", &self.path)?;
        Ok(read.unwrap_or_default())
    }

    /// Sets or removes a setting, unless the file would be invalid then.
    fn set(&self, key: &str, value: Option<&str>, ui: &Ui) -> Result<()> {
        let setting = Setting::of_key(key).ok_or_else(|| config::unknown_setting("", key))?;
        let text = self.text()?;
        let line = config::check_file(&self.path, &text, self.is_project, key)?;
        if (line, value) == (None, None) {
            ui.note(format!("`{key}` is not set in {}", self.path.display()));
            return Ok(());
        }
        let new = config::edited(&text, (key, setting.shape), value, line);
        let is_set = config::check_file(&self.path, &new, self.is_project, key)?.is_some();
        if is_set != value.is_some() {
            return Err(Fault::failed(format!("cannot change {} safely", self.path.display()))
                .hint("change it with `rag config edit`"));
        }
        self.write(&new, Existing::Replace)?;
        let shown = value.map(|value| if setting.shape.is_secret() { "(set)" } else { value });
        match (ui.json, shown) {
            (true, _) => ui.json(&json!({ "key": key, "value": shown, "file": self.path })),
            (_, Some(shown)) => ui.note(format!("{key} = {shown} in {}", self.path.display())),
            (_, None) => ui.note(format!("removed {key} from {}", self.path.display())),
        }
        Ok(())
    }

    fn write(&self, text: &str, existing: Existing) -> Result<()> {
        if let Some(dir) = self.path.parent().filter(|dir| !dir.as_os_str().is_empty()) {
            disk::create_dir(dir)?;
        }
        // A link, as to a folder of configuration files under version control, stays a link.
        let path = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        disk::write_file(&path, text.as_bytes(), existing)
    }

    /// Opens the file, creating it if it does not exist, and checks it afterwards.
    fn edit(&self, world: &World, ui: &Ui) -> Result<()> {
        if !self.path.exists() {
            self.write(&template(self.is_project), Existing::Refuse)?;
        }
        let what = || format!("cannot determine the path of {}", self.path.display());
        let path = std::path::absolute(&self.path).or_failed(what)?;
        let target = Target { path: path.to_string_lossy().into_owned(), line: None, page: None };
        opener::launch(&target, &world.terminal())?.run()?;
        config::check_file(&self.path, &self.text()?, self.is_project, "")?;
        ui.note(format!("{} is valid", self.path.display()));
        Ok(())
    }
}

/// A file in which every setting is a comment.
fn template(is_project: bool) -> String {
    let mut text = String::from(
        "# Settings of `rag`. `rag config list` shows all of them with their values.\n",
    );
    if is_project {
        text.push_str("# This file applies to commands that run in this folder.\n");
    }
    for setting in SHOWN.iter().filter_map(|key| Setting::find(key)) {
        if is_project && setting.is_personal {
            continue;
        }
        let description = setting.description.replace('`', "");
        text.push_str(&format!("\n# {description}\n"));
        let line = config::edited("", (setting.key, setting.shape), Some(setting.default), None);
        text.push_str(&format!("# {line}"));
    }
    text
}

pub fn init(args: &InitArgs, global: &GlobalArgs, ui: &Ui) -> Result<Outcome> {
    let world = World::from_process();
    let file = File::of(true, &world)?;
    file.write(&template(true), super::args::existing(args.force))?;
    let config = load(&world, global)?;
    let path = std::path::absolute(PROJECT).unwrap_or_else(|_| PathBuf::from(PROJECT));
    if ui.json {
        ui.json(&json!({ "file": path, "data_dir": config.data_dir }));
        return Ok(Outcome::Done);
    }
    ui.line(safe_name(&path.display().to_string()));
    if Path::new(".git").exists() && !is_ignored(&config.data_dir) {
        let dir = config.data_dir.display();
        ui.note(format!("the index will be in {dir}/: add that to .gitignore"));
    }
    ui.note("next: `rag ingest FOLDER`, then `rag ask QUESTION`");
    Ok(Outcome::Done)
}

/// Whether .gitignore names the data directory.
fn is_ignored(data_dir: &Path) -> bool {
    let name = data_dir.to_string_lossy();
    let ignored = std::fs::read_to_string(".gitignore").unwrap_or_default();
    ignored.lines().any(|line| line.trim().trim_matches('/') == name.trim_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_is_valid_with_and_without_its_comments() {
        for is_project in [true, false] {
            let text = template(is_project);
            let path = Path::new("rag.toml");
            assert_eq!(config::check_file(path, &text, is_project, "").unwrap(), None);
            let is_value = |line: &str| line.starts_with("# ") && line.contains(" = ");
            let values: Vec<&str> = text.lines().filter(|line| is_value(line)).collect();
            assert_eq!(values.len(), SHOWN.len());
            let values = values.join("\n").replace("# ", "");
            config::check_file(path, &values, is_project, "").unwrap();
        }
    }
}
